/*
 * frames.c - every byte of a frame is read or must be zero; nothing may be left over.
 */
#include "frames.h"
#include <string.h>

typedef struct cursor {
    const uint8_t *at;
    size_t left;
    bool short_of; /* more was asked for than there is */
} cursor;

static const uint8_t *take(cursor *c, size_t bytes) {
    if (bytes > c->left) {
        c->short_of = true;
        return NULL;
    }
    const uint8_t *at = c->at;
    c->at += bytes;
    c->left -= bytes;
    return at;
}

static uint64_t number(cursor *c, unsigned bytes) {
    const uint8_t *at = take(c, bytes);
    uint64_t value = 0;
    for (unsigned i = 0; at != NULL && i < bytes; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static uint16_t crc_xmodem(const uint8_t *bytes, size_t count) {
    uint16_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (unsigned bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static const char *read_previous(cursor *c, uint8_t flags, frame *f) {
    if (flags > 1) return "flags other than 1 (previous)";
    if (flags == 0) return NULL;
    if (f->opcode == FRAME_DELETED) f->fixed_bytes = (uint32_t)number(c, 4);
    f->previous_bytes = (uint32_t)number(c, 4);
    f->previous = take(c, f->previous_bytes);
    return NULL;
}

static uint8_t read_subject(cursor *c, frame *f) {
    f->kind = (uint16_t)number(c, 2);
    f->klass = (uint16_t)number(c, 2);
    f->type = (uint8_t)number(c, 1);
    uint8_t flags = (uint8_t)number(c, 1);
    f->schema = (uint8_t)number(c, 1);
    if (number(c, 1) != 0) flags = 0xFF;
    f->id = take(c, 32);
    f->version = number(c, 8);
    return flags;
}

static void read_data(cursor *c, frame *f) {
    f->fixed_bytes = (uint32_t)number(c, 4);
    f->data_bytes = (uint32_t)number(c, 4);
    f->data = take(c, f->data_bytes);
}

static const char *read_payload(cursor *c, frame *f) {
    if (f->opcode == FRAME_QUERY_RESULT) {
        f->type = (uint8_t)number(c, 1);
        f->schema = (uint8_t)number(c, 1);
        if (number(c, 2) != 0) return "reserved bytes are not zero";
        f->version = number(c, 8);
        f->source_set = number(c, 8);
        read_data(c, f);
        return NULL;
    }
    uint8_t flags = read_subject(c, f);
    if (f->opcode == FRAME_STATE) {
        f->source_set = number(c, 8);
        f->changed = number(c, 8);
        read_data(c, f);
    }
    return read_previous(c, flags, f);
}

const char *frame_read(const uint8_t *bytes, size_t count, frame *f) {
    memset(f, 0, sizeof *f);
    cursor c = {.at = bytes, .left = count};
    if (count < FRAME_HEADER_BYTES) return "shorter than a header";
    uint16_t crc = crc_xmodem(bytes, 10);
    if (number(&c, 1) != 1) return "version is not 1";
    if (number(&c, 1) != 0) return "header flags are not 0";
    f->stream = (uint16_t)number(&c, 2);
    f->opcode = (uint16_t)number(&c, 2);
    uint64_t payload = number(&c, 4);
    if (number(&c, 2) != crc) return "CRC does not match";
    if (payload > c.left) return "payload longer than the slice";
    if (f->opcode != FRAME_STATE && f->opcode != FRAME_DELETED && f->opcode != FRAME_QUERY_RESULT)
        return "an opcode the core does not write";
    f->bytes = (uint32_t)(FRAME_HEADER_BYTES + payload);
    c.left = payload;
    const char *wrong = read_payload(&c, f);
    if (wrong != NULL) return wrong;
    if (c.short_of) return "payload shorter than its fields";
    return c.left == 0 ? NULL : "bytes left over in the payload";
}
