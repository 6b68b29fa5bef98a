/*
 * report.c - the first difference: what, where, and the command that shows it again.
 */
#include "run.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *id_text(const uint8_t id[CVG_ID_BYTES]) {
    static char text[2 * CVG_ID_BYTES + 1];
    for (unsigned i = 0; i < CVG_ID_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", id[i]);
    return text;
}

static _Noreturn void end(const run *r) {
    printf("\nreplay: property --seed %llu --verbose\n", (unsigned long long)r->seed);
    fflush(stdout);
    _Exit(1);
}

static void begin(const run *r) {
    printf("FAILED seed %llu step %llu: ", (unsigned long long)r->seed, (unsigned long long)r->step);
}

void fail(const run *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    begin(r);
    vprintf(format, arguments);
    va_end(arguments);
    end(r);
}

void differs(const run *r, const char *what, const uint8_t *id, uint64_t expected, uint64_t got) {
    begin(r);
    printf("%s: expected %lld (0x%llx), got %lld (0x%llx)", what, (long long)expected, (unsigned long long)expected,
           (long long)got, (unsigned long long)got); /* signed: a status is negative */
    if (id != NULL) printf("; id %s", id_text(id));
    end(r);
}

static void print_bytes(const char *title, const uint8_t *bytes, uint32_t count) {
    printf("\n  %s ", title);
    for (uint32_t i = 0; i < count && i < 64; i++) printf("%02x", bytes[i]);
    if (count > 64) printf("... (%u bytes)", count);
}

static bool same(const uint8_t *a, const uint8_t *b, uint32_t bytes) {
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}

static void print_field(const model_kind *kind, unsigned f, const model_value *want, const model_value *have) {
    const cvg_field *field = &kind->fields[f];
    if (model_same_value(want, have)) return;
    printf("\n  field %u (type %u, max %u, owners 0x%llx, on_retract %u)", f, field->type, field->max,
           (unsigned long long)field->owners, field->on_retract);
    print_bytes("expected, fixed   ", want->fixed, want->fixed_bytes);
    print_bytes("got,      fixed   ", have->fixed, have->fixed_bytes);
    if (kind->units[f] == 0) return;
    print_bytes("expected, variable", want->variable, want->variable_bytes);
    print_bytes("got,      variable", have->variable, have->variable_bytes);
}

void equal_data(const run *r, const model_kind *kind, const char *what, const uint8_t *id, const uint8_t *expected,
                uint32_t bytes, cvg_data got) {
    uint32_t variable = bytes - kind->fixed_bytes;
    if (got.fixed != NULL && got.fixed_bytes == kind->fixed_bytes && got.variable_bytes == variable &&
        same(expected, got.fixed, kind->fixed_bytes) && same(expected + kind->fixed_bytes, got.variable, variable))
        return;
    begin(r);
    printf("%s: kind %u, id %s, expected %u + %u bytes", what, kind->number, id_text(id), kind->fixed_bytes, variable);
    if (got.fixed == NULL) printf(": there is none");
    if (got.fixed == NULL) end(r);
    printf(", got %u + %u", got.fixed_bytes, got.variable_bytes);
    if (got.fixed_bytes != kind->fixed_bytes) end(r);
    model_value want[CVG_FIELDS_MAX], have[CVG_FIELDS_MAX];
    uint64_t all = (uint64_t)got.fixed_bytes + got.variable_bytes;
    uint8_t *row = malloc(all);
    memcpy(row, got.fixed, got.fixed_bytes);
    if (got.variable_bytes > 0) memcpy(row + got.fixed_bytes, got.variable, got.variable_bytes);
    model_values(kind, expected, bytes, want);
    if (!model_split(kind, kind->all_fields, row, all, have)) {
        printf(": its directory does not add up");
        print_bytes("expected", expected, kind->fixed_bytes);
        print_bytes("got     ", row, kind->fixed_bytes);
        end(r);
    }
    for (unsigned f = 0; f < kind->field_count; f++) print_field(kind, f, &want[f], &have[f]);
    end(r);
}

void trace(const run *r, const char *format, ...) {
    if (!r->verbose) return;
    va_list arguments;
    va_start(arguments, format);
    printf("%6llu  ", (unsigned long long)r->step);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}
