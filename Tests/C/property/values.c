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

void generate_value(rng *r, const cvg_field *field, uint8_t *out) {
    if (field->type == CVG_BOOL) {
        out[0] = (uint8_t)rng_below(r, 2);
        return;
    }
    if (field->type != CVG_STRING && field->type != CVG_BYTES) {
        scalar(r, out, model_field_bytes(field));
        return;
    }
    size_t length = rng_percent(r, 15) ? 0 : rng_percent(r, 20) ? field->max : rng_below(r, field->max + 1u);
    out[0] = (uint8_t)length;
    out[1] = (uint8_t)(length >> 8);
    memset(out + 2 + length, 0, field->max - length);
    if (field->type == CVG_STRING)
        text(r, out + 2, length);
    else
        rng_fill(r, out + 2, length);
}
