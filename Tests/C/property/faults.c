/*
 * faults.c - every way in which a write can be wrong (K4, W4, W5).
 *
 * A fault is laid on a write that was good; a second one may be laid on top, and then the order of checks decides. Two
 * faults never meet in one value: which of them such a value is refused for is nobody's promise.
 */
#include "generate.h"
#include <string.h>

static bool holds(const draft *d, unsigned field) {
    return d->code == CVG_ASSERT || (d->code == CVG_PATCH && (d->mask >> field & 1));
}

/* Where the field's value is in the draft's data, or NULL. */
static uint8_t *value_of(const draft *d, unsigned field) {
    if (!holds(d, field)) return NULL;
    uint8_t *value = d->data;
    for (unsigned f = 0; f < field; f++)
        if (holds(d, f)) value += d->kind->sizes[f];
    return value;
}

/* A field of the draft whose type is one of `a` and `b`, found from a random place on; -1: none. */
static int field_of_type(rng *r, const draft *d, uint8_t a, uint8_t b) {
    unsigned count = d->kind->field_count, start = (unsigned)rng_below(r, count);
    for (unsigned i = 0; i < count; i++) {
        unsigned f = (start + i) % count;
        if (holds(d, f) && (d->kind->fields[f].type == a || d->kind->fields[f].type == b)) return (int)f;
    }
    return -1;
}

static bool bad_bool(rng *r, draft *d) {
    static const uint8_t wrong[] = {2, 7, 128, 255};
    int field = field_of_type(r, d, CVG_BOOL, CVG_BOOL);
    if (field < 0) return false;
    *value_of(d, (unsigned)field) = wrong[rng_below(r, sizeof wrong)];
    return true;
}

static bool too_long(rng *r, draft *d) {
    int field = field_of_type(r, d, CVG_STRING, CVG_BYTES);
    if (field < 0 || d->kind->fields[field].max == 65535) return false;
    uint32_t max = d->kind->fields[field].max;
    uint64_t length = rng_percent(r, 50) ? max + 1 : rng_between(r, max + 1, 65535);
    uint8_t *value = value_of(d, (unsigned)field);
    memset(value + 2, 'x', max);
    value[0] = (uint8_t)length;
    value[1] = (uint8_t)(length >> 8);
    return true;
}

static bool bad_utf8(rng *r, draft *d) {
    static const struct {
        uint8_t count, bytes[5];
    } wrong[] = {
        {1, {0x80}},                   /* a continuation byte alone */
        {1, {0xC3}},                   /* a lead byte at the end, or before ASCII */
        {2, {0xE2, 0x82}},             /* two of three */
        {3, {0xF0, 0x9F, 0x98}},       /* three of four */
        {2, {0xC0, 0x80}},             /* overlong: NUL in two bytes */
        {2, {0xC1, 0xBF}},             /* overlong: U+007F */
        {3, {0xE0, 0x9F, 0xBF}},       /* overlong: U+07FF */
        {4, {0xF0, 0x8F, 0xBF, 0xBF}}, /* overlong: U+FFFF */
        {3, {0xED, 0xA0, 0x80}},       /* surrogate U+D800 */
        {3, {0xED, 0xBF, 0xBF}},       /* surrogate U+DFFF */
        {4, {0xF4, 0x90, 0x80, 0x80}}, /* above U+10FFFF */
        {4, {0xF5, 0x80, 0x80, 0x80}}, /* a lead byte that cannot be */
        {5, {0xF8, 0x88, 0x80, 0x80, 0x80}},
        {1, {0xFE}},
        {1, {0xFF}},
        {2, {0xC3, 0x41}},             /* no continuation */
        {4, {0xF0, 0x9F, 0x41, 0x80}}, /* no continuation in the middle */
    };
    int field = field_of_type(r, d, CVG_STRING, CVG_STRING);
    if (field < 0) return false;
    uint32_t max = d->kind->fields[field].max;
    size_t which = rng_below(r, sizeof wrong / sizeof *wrong);
    if (wrong[which].count > max) which = 0;
    uint8_t *value = value_of(d, (unsigned)field), *text = value + 2;
    uint64_t length = rng_between(r, wrong[which].count, max);
    memset(text, 'x', length);
    memset(text + length, 0, max - length);
    memcpy(text + rng_below(r, length - wrong[which].count + 1), wrong[which].bytes, wrong[which].count);
    value[0] = (uint8_t)length;
    value[1] = (uint8_t)(length >> 8);
    return true;
}

static bool bad_padding(rng *r, draft *d) {
    int field = field_of_type(r, d, CVG_STRING, CVG_BYTES);
    if (field < 0) return false;
    uint32_t max = d->kind->fields[field].max;
    uint8_t *value = value_of(d, (unsigned)field);
    uint64_t length = rng_below(r, max);
    memset(value + 2, 'p', length);
    memset(value + 2 + length, 0, max - length);
    value[2 + rng_between(r, length, max - 1)] = (uint8_t)rng_between(r, 1, 255);
    value[0] = (uint8_t)length;
    value[1] = (uint8_t)(length >> 8);
    return true;
}

/* Turns the draft into a PATCH that names a field its source may not write. */
static bool not_owner(rng *r, draft *d) {
    unsigned count = d->kind->field_count, start = (unsigned)rng_below(r, count);
    if ((d->code != CVG_ASSERT && d->code != CVG_PATCH) || d->source >= CVG_SOURCES) return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned field = (start + i) % count;
        if (model_may_write(&d->kind->fields[field], d->source)) continue;
        if (d->code == CVG_ASSERT) d->mask = d->kind->all_fields & rng_next(r);
        d->code = CVG_PATCH;
        d->mask |= UINT64_C(1) << field;
        d->data_bytes = 0;
        for (unsigned f = 0; f < count; f++) {
            if (!(d->mask >> f & 1)) continue;
            generate_value(r, &d->kind->fields[f], d->data + d->data_bytes);
            d->data_bytes += d->kind->sizes[f];
        }
        return true;
    }
    return false;
}

static bool bad_length(rng *r, draft *d) {
    uint32_t was = d->data_bytes;
    switch (rng_below(r, 4)) {
    case 0:
        d->data_bytes = was + 1;
        break;
    case 1:
        d->data_bytes = was > 0 ? was - 1 : 1;
        break;
    case 2:
        d->data_bytes = 0;
        break;
    default:
        d->data_bytes = (uint32_t)rng_below(r, was + 64u);
        break;
    }
    if (d->data_bytes > was) memset(d->data + was, 0, d->data_bytes - was);
    return d->data_bytes != was;
}

static bool bad_mask(rng *r, draft *d) {
    if (d->code != CVG_PATCH || d->kind->field_count == CVG_FIELDS_MAX) return false;
    d->mask |= UINT64_C(1) << rng_between(r, d->kind->field_count, CVG_FIELDS_MAX - 1);
    return true;
}

static bool bad_code(rng *r, draft *d) {
    static const uint8_t wrong[] = {0, 1, 4, 5, 6, 7, 9, 11, 0x80, 255};
    d->code = wrong[rng_below(r, sizeof wrong)];
    return true;
}

static bool bad_kind(rng *r, const model *m, draft *d) {
    d->number = rng_percent(r, 40) ? 0 : (uint16_t)rng_next(r);
    return model_kind_find(m, d->number) == NULL;
}

static bool bad_source(rng *r, draft *d) {
    static const uint8_t wrong[] = {64, 65, 127, 128, 255};
    d->source = wrong[rng_below(r, sizeof wrong)];
    return true;
}

static bool bad_schema(rng *r, draft *d) {
    if (d->code == CVG_RETRACT) return false;
    d->schema = rng_percent(r, 50) ? 0 : (uint8_t)(d->kind->schema + 1);
    return true;
}

bool generate_fault(world *w, const model *m, draft *d) {
    rng *r = &w->random;
    switch (rng_below(r, 13)) {
    case 0:
        return bad_code(r, d);
    case 1:
        return bad_kind(r, m, d);
    case 2:
        return bad_source(r, d);
    case 3:
        return bad_schema(r, d);
    case 4:
        return d->code != CVG_RETRACT && bad_length(r, d);
    case 5:
        return bad_mask(r, d);
    case 6:
        return bad_bool(r, d);
    case 7:
        return too_long(r, d);
    case 8:
        return bad_utf8(r, d);
    case 9:
        return bad_padding(r, d);
    default:
        return not_owner(r, d);
    }
}
