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

void equal_bytes(const run *r, const model_kind *kind, const char *what, const uint8_t *id, const uint8_t *expected,
                 const uint8_t *got) {
    if (got != NULL && memcmp(expected, got, kind->bytes) == 0) return;
    begin(r);
    printf("%s: kind %u, id %s", what, kind->number, id_text(id));
    if (got == NULL) printf(": there is none");
    for (unsigned f = 0; got != NULL && f < kind->field_count; f++) {
        const uint8_t *want = expected + kind->offsets[f], *have = got + kind->offsets[f];
        if (memcmp(want, have, kind->sizes[f]) == 0) continue;
        printf("\n  field %u (type %u, owners 0x%llx, on_retract %u)", f, kind->fields[f].type,
               (unsigned long long)kind->fields[f].owners, kind->fields[f].on_retract);
        print_bytes("expected", want, kind->sizes[f]);
        print_bytes("got     ", have, kind->sizes[f]);
    }
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
