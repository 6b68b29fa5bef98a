/*
 * values.c - valid values of every type, with the edges of each more often than chance would have them.
 */
#include "generate.h"
#include <string.h>

static void scalar(rng *r, uint8_t *out, size_t bytes) {
    switch (rng_below(r, 5)) {
    case 0:
        memset(out, 0, bytes);
        break;
    case 1:
        memset(out, 0xFF, bytes);
        break;
    case 2: /* differs from zero in one byte only */
        memset(out, 0, bytes);
        out[rng_below(r, bytes)] = (uint8_t)rng_between(r, 1, 255);
        break;
    default:
        rng_fill(r, out, bytes);
    }
}

static size_t encode_point(uint32_t point, uint8_t *out) {
    if (point < 0x80) return out[0] = (uint8_t)point, 1;
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, point >>= 6) out[i] = (uint8_t)(0x80 | (point & 0x3F));
    out[0] = (uint8_t)((0xFF00 >> (more + 1) & 0xFF) | point);
    return more + 1;
}

static uint32_t draw_point(rng *r) {
    static const uint32_t edges[] = {0,      0x7F,   0x80,   0x7FF,   0x800,   0xD7FF,
                                     0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x3FFFF, 0x10FFFF};
    switch (rng_below(r, 3)) {
    case 0:
        return edges[rng_below(r, sizeof edges / sizeof *edges)];
    case 1:
        return (uint32_t)rng_between(r, 0x80, 0xD7FF);
    default:
        return (uint32_t)rng_between(r, 0x10000, 0x10FFFF);
    }
}

/* Fills exactly `length` bytes with valid UTF-8: mostly ASCII, or mostly not. */
static void text(rng *r, uint8_t *out, size_t length) {
    bool plain = rng_percent(r, 60);
    for (size_t at = 0; at < length;) {
        uint8_t point[4];
        size_t bytes = rng_percent(r, plain ? 2 : 60) ? encode_point(draw_point(r), point) : 0;
        if (bytes == 0 || bytes > length - at) {
            point[0] = (uint8_t)rng_between(r, ' ', '~');
            bytes = 1;
        }
        memcpy(out + at, point, bytes);
        at += bytes;
    }
}

/* Nothing, as much as fits, or something between. */
static uint32_t draw_length(rng *r, uint32_t max) {
    return (uint32_t)(rng_percent(r, 15) ? 0 : rng_percent(r, 20) ? max : rng_below(r, max + 1u));
}

static void fill(rng *r, unsigned type, uint8_t *out, size_t length) {
    if (type == CVG_STRING || type == CVG_VARSTRING)
        text(r, out, length);
    else
        rng_fill(r, out, length);
}

/* A scalar, inline string or inline bytes. */
static uint8_t *one(rng *r, unsigned type, uint32_t max, uint8_t *out) {
    uint32_t bytes = model_value_bytes(type, max);
    if (type == CVG_BOOL) {
        out[0] = (uint8_t)rng_below(r, 2);
    } else if (type != CVG_STRING && type != CVG_BYTES) {
        scalar(r, out, bytes);
    } else {
        uint32_t length = draw_length(r, max);
        out[0] = (uint8_t)length;
        out[1] = (uint8_t)(length >> 8);
        memset(out + 2 + length, 0, max - length);
        fill(r, type, out + 2, length);
    }
    return out + bytes;
}

static uint8_t *members(rng *r, const cvg_field *field, uint8_t *out) {
    for (unsigned i = 0; i < field->member_count; i++) out = one(r, field->members[i].type, field->members[i].max, out);
    return out;
}

/* The bytes of `count` units of a variable field; of a long array most elements repeat earlier ones. */
static void units(rng *r, const model_kind *kind, unsigned f, uint32_t count, uint8_t *out) {
    const cvg_field *field = &kind->fields[f];
    uint32_t bytes = kind->units[f];
    if (field->type != CVG_ARRAY) {
        fill(r, field->type, out, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *element = out + i * bytes;
        if (i >= 8 && rng_percent(r, 80))
            memcpy(element, out + rng_below(r, i) * bytes, bytes);
        else if (field->element == CVG_STRUCT)
            members(r, field, element);
        else
            one(r, field->element, field->element_max, element);
    }
}

void put_number(uint8_t *out, uint32_t number) {
    for (unsigned i = 0; i < 4; i++) out[i] = (uint8_t)(number >> 8 * i);
}

static uint8_t *variable(const model_kind *kind, unsigned f, uint32_t count, uint8_t *out, model_value *value) {
    put_number(out, count);
    *value =
        (model_value){.fixed = out, .fixed_bytes = 4, .variable = out + 4, .variable_bytes = count * kind->units[f]};
    return out + 4 + value->variable_bytes;
}

uint8_t *generate_counted(rng *r, const model_kind *kind, unsigned f, uint32_t count, uint8_t *out,
                          model_value *value) {
    units(r, kind, f, count, out + 4);
    return variable(kind, f, count, out, value);
}

uint8_t *generate_value(rng *r, const model_kind *kind, unsigned f, uint8_t *out, model_value *value) {
    const cvg_field *field = &kind->fields[f];
    if (kind->units[f] > 0) return generate_counted(r, kind, f, draw_length(r, field->max), out, value);
    *value = (model_value){.fixed = out, .fixed_bytes = kind->sizes[f]};
    return field->type == CVG_STRUCT ? members(r, field, out) : one(r, field->type, field->max, out);
}

uint8_t *generate_edit(rng *r, const model_kind *kind, unsigned f, uint8_t *out, model_value *value) {
    uint32_t count = model_number(value->fixed), bytes = kind->units[f];
    const uint8_t *old = value->variable;
    if (count > 0) memcpy(out + 4, old, count * bytes);
    if (count < kind->fields[f].max && rng_percent(r, 50)) { /* one more */
        units(r, kind, f, 1, out + 4 + count * bytes);
        return variable(kind, f, count + 1, out, value);
    }
    if (count == 0) return generate_value(r, kind, f, out, value);
    do /* one less, or as many as text can lose */
        count--;
    while (kind->fields[f].type == CVG_VARSTRING && !model_utf8_valid(out + 4, count));
    if (rng_percent(r, 40)) /* as long as before, another end */
        units(r, kind, f, model_number(value->fixed) - count, out + 4 + count * bytes),
            count = model_number(value->fixed);
    return variable(kind, f, count, out, value);
}
