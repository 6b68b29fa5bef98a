/*
 * faults.c - every way in which a write can be wrong (K4, W4, W5).
 *
 * A fault is laid on a write that was good; a second one may be laid on top, and then the order of checks decides. Two
 * faults never meet in one value: which of them such a value is refused for is nobody's promise.
 */
#include "generate.h"
#include <string.h>

/* A value that nothing else is inside of: of a field, of a member of a struct, of an array's element or a member of it.
 */
typedef struct part {
    uint8_t *at;
    uint32_t length; /* of a VARSTRING: its bytes */
    uint16_t max;
    uint8_t type;
} part;

enum { TYPE_BOOL = 1u << CVG_BOOL, TYPE_STRING = 1u << CVG_STRING, TYPE_BYTES = 1u << CVG_BYTES };
enum { TYPE_VARSTRING = 1u << CVG_VARSTRING };

/* Parts of the types wanted, each as likely as the others. */
typedef struct draw {
    rng *random;
    uint32_t types;
    uint64_t seen;
    part part;
} draw;

static uint8_t *offer(draw *choice, unsigned type, uint32_t max, uint8_t *at) {
    uint32_t bytes = model_value_bytes(type, max);
    if ((choice->types >> type & 1) && rng_below(choice->random, ++choice->seen) == 0)
        choice->part = (part){.at = at, .length = bytes, .max = (uint16_t)max, .type = (uint8_t)type};
    return at + bytes;
}

static uint8_t *offer_members(draw *choice, const cvg_field *field, uint8_t *at) {
    for (unsigned i = 0; i < field->member_count; i++)
        at = offer(choice, field->members[i].type, field->members[i].max, at);
    return at;
}

static void offer_field(draw *choice, const cvg_field *field, const model_value *value) {
    uint8_t *fixed = (uint8_t *)(uintptr_t)value->fixed, *at = (uint8_t *)(uintptr_t)value->variable;
    uint8_t *end = at + value->variable_bytes;
    if (field->type == CVG_STRUCT) {
        offer_members(choice, field, fixed);
    } else if (field->type == CVG_ARRAY) {
        while (at < end)
            at = field->element == CVG_STRUCT ? offer_members(choice, field, at)
                                              : offer(choice, field->element, field->element_max, at);
    } else if (field->type == CVG_VARSTRING) {
        if (!(choice->types & TYPE_VARSTRING) || value->variable_bytes == 0) return;
        choice->seen++;
        choice->part = (part){.at = at, .length = value->variable_bytes, .type = CVG_VARSTRING};
    } else if (field->type != CVG_VARBYTES) {
        offer(choice, field->type, field->max, fixed);
    }
}

static bool draft_split(const draft *d, model_value values[]) {
    return model_split(d->kind, draft_fields(d), d->data, d->data_bytes, values);
}

/* A part of one of the types, in the first field that has one from a random place on; false: none. */
static bool draw_part(rng *r, const draft *d, uint32_t types, part *out) {
    unsigned count = d->kind->field_count, start = (unsigned)rng_below(r, count);
    model_value values[CVG_FIELDS_MAX];
    if (!draft_split(d, values)) return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned f = (start + i) % count;
        draw choice = {.random = r, .types = types};
        if (!(draft_fields(d) >> f & 1)) continue;
        offer_field(&choice, &d->kind->fields[f], &values[f]);
        *out = choice.part;
        if (choice.seen > 0) return true;
    }
    return false;
}

static void put_length(uint8_t *value, uint64_t length) {
    value[0] = (uint8_t)length;
    value[1] = (uint8_t)(length >> 8);
}

static bool bad_bool(rng *r, draft *d) {
    static const uint8_t wrong[] = {2, 7, 128, 255};
    part p;
    if (!draw_part(r, d, TYPE_BOOL, &p)) return false;
    p.at[0] = wrong[rng_below(r, sizeof wrong)];
    return true;
}

static bool too_long(rng *r, draft *d) {
    part p;
    if (!draw_part(r, d, TYPE_STRING | TYPE_BYTES, &p) || p.max == 65535) return false;
    memset(p.at + 2, 'x', p.max);
    put_length(p.at, rng_percent(r, 50) ? p.max + 1u : rng_between(r, p.max + 1u, 65535));
    return true;
}

static const struct {
    uint8_t count, bytes[5];
} wrong_text[] = {
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

/* Text of a length in `least`..`most` that is not UTF-8, at `text`; returns its length. `most` is above 0. */
static uint64_t spoil(rng *r, uint8_t *text, uint64_t least, uint64_t most) {
    size_t which = rng_below(r, sizeof wrong_text / sizeof *wrong_text);
    if (wrong_text[which].count > most) which = 0;
    uint8_t count = wrong_text[which].count;
    uint64_t length = rng_between(r, least > count ? least : count, most);
    memset(text, 'x', length);
    memcpy(text + rng_below(r, length - count + 1), wrong_text[which].bytes, count);
    return length;
}

static bool bad_utf8(rng *r, draft *d) {
    part p;
    if (!draw_part(r, d, TYPE_STRING | TYPE_VARSTRING, &p)) return false;
    if (p.type == CVG_VARSTRING) {
        spoil(r, p.at, p.length, p.length);
        return true;
    }
    uint64_t length = spoil(r, p.at + 2, 0, p.max);
    memset(p.at + 2 + length, 0, p.max - length);
    put_length(p.at, length);
    return true;
}

static bool bad_padding(rng *r, draft *d) {
    part p;
    if (!draw_part(r, d, TYPE_STRING | TYPE_BYTES, &p)) return false;
    uint64_t length = rng_below(r, p.max);
    memset(p.at + 2, 'p', length);
    memset(p.at + 2 + length, 0, p.max - length);
    p.at[2 + rng_between(r, length, p.max - 1u)] = (uint8_t)rng_between(r, 1, 255);
    put_length(p.at, length);
    return true;
}

/* Turns the draft into a PATCH that names a field its source may not write. */
static bool not_owner(world *w, draft *d) {
    rng *r = &w->random;
    unsigned count = d->kind->field_count, start = (unsigned)rng_below(r, count);
    if ((d->code != CVG_ASSERT && d->code != CVG_PATCH) || d->source >= CVG_SOURCES) return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned field = (start + i) % count;
        if (model_may_write(&d->kind->fields[field], d->source)) continue;
        if (d->code == CVG_ASSERT) d->mask = d->kind->all_fields & rng_next(r);
        d->code = CVG_PATCH;
        d->mask |= UINT64_C(1) << field;
        model_value values[CVG_FIELDS_MAX];
        uint8_t *at = w->values;
        for (unsigned f = 0; f < count; f++)
            if (d->mask >> f & 1) at = generate_value(r, d->kind, f, at, &values[f]);
        draft_fill(d, values);
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

/* A variable field that the draft holds, other than `but`; -1: none. */
static int draw_variable(rng *r, const draft *d, int but) {
    unsigned count = d->kind->field_count, start = (unsigned)rng_below(r, count);
    for (unsigned i = 0; i < count; i++) {
        unsigned f = (start + i) % count;
        if ((draft_fields(d) >> f & 1) && d->kind->units[f] > 0 && (int)f != but) return (int)f;
    }
    return -1;
}

/* More than the field may hold, and all of it is there. */
static bool too_many(world *w, draft *d) {
    model_value values[CVG_FIELDS_MAX];
    int f = draw_variable(&w->random, d, -1);
    if (f < 0 || !draft_split(d, values)) return false;
    uint32_t count = d->kind->fields[f].max + (uint32_t)rng_between(&w->random, 1, 3), bytes = d->data_bytes;
    memcpy(w->values, d->data, bytes);
    model_split(d->kind, draft_fields(d), w->values, bytes, values);
    generate_counted(&w->random, d->kind, (unsigned)f, count, w->values + bytes, &values[f]);
    draft_fill(d, values);
    return true;
}

/* An entry that says something else than the bytes behind it. */
static bool bad_entry(rng *r, draft *d) {
    static const uint32_t wrong[] = {0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF, 0x40000000, 0x10000, 1025};
    model_value values[CVG_FIELDS_MAX];
    int f = draw_variable(r, d, -1);
    if (f < 0 || !draft_split(d, values)) return false;
    uint32_t was = model_number(values[f].fixed), now = wrong[rng_below(r, sizeof wrong / sizeof *wrong)];
    if (rng_percent(r, 15)) now = was + 1;
    if (rng_percent(r, 15)) now = was - 1;
    if (rng_percent(r, 15)) now = (uint32_t)rng_next(r);
    put_number((uint8_t *)(uintptr_t)values[f].fixed, now);
    return true;
}

/* Entries whose sum is right again once it is cut off at 32 bits. */
static bool overflowing(rng *r, draft *d) {
    model_value values[CVG_FIELDS_MAX];
    int f = draw_variable(r, d, -1), g = draw_variable(r, d, f);
    if (f < 0 || !draft_split(d, values)) return false;
    uint8_t *first = (uint8_t *)(uintptr_t)values[f].fixed;
    uint32_t unit = d->kind->units[f];
    if (unit % 2 == 0 && rng_percent(r, 50)) { /* by itself: count x unit wraps around */
        put_number(first, model_number(first) + 0x80000000);
        return true;
    }
    if (g < 0 || d->kind->units[g] != 1) return false;
    uint8_t *second = (uint8_t *)(uintptr_t)values[g].fixed;
    uint32_t more = rng_percent(r, 50) ? 0x80000000 : (uint32_t)rng_next(r);
    put_number(first, model_number(first) + more);
    put_number(second, model_number(second) - more * unit);
    return true;
}

/* The end of one value becomes the beginning of the next; the sum stays right. */
static bool moved_border(rng *r, draft *d) {
    model_value values[CVG_FIELDS_MAX];
    int f = draw_variable(r, d, -1), g = draw_variable(r, d, f);
    if (g < 0 || !draft_split(d, values)) return false;
    if (d->kind->fields[f].type == CVG_ARRAY || d->kind->fields[g].type == CVG_ARRAY) return false;
    if (values[f].variable_bytes == 0) return false;
    put_number((uint8_t *)(uintptr_t)values[f].fixed, values[f].variable_bytes - 1);
    put_number((uint8_t *)(uintptr_t)values[g].fixed, values[g].variable_bytes + 1);
    return true;
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
    switch (rng_below(r, 22)) {
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
    case 16:
        return bad_bool(r, d);
    case 7:
    case 17:
        return too_long(r, d);
    case 8:
    case 18:
        return bad_utf8(r, d);
    case 9:
    case 19:
        return bad_padding(r, d);
    case 10:
    case 11:
        return too_many(w, d);
    case 12:
    case 13:
        return bad_entry(r, d);
    case 14:
        return overflowing(r, d);
    case 15:
        return moved_border(r, d);
    default:
        return not_owner(w, d);
    }
}
