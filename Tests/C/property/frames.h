/*
 * frames.h - reads the frames a core writes, from their byte tables alone.
 *
 *   header 12: version u8 = 1 | flags u8 = 0 | stream u16 | opcode u16 | payload u32 | CRC-16/XMODEM of bytes 0..9 u16
 *   STATE 0x81        kind u16 class u16 type u8 flags u8 schema u8 0 | id 32 | version u64 source_set u64 changed u64
 *                     fixed u32 data u32 | data | [previous u32 | previous]
 *   DELETED 0x82      kind u16 class u16 reason u8 flags u8 schema u8 0 | id 32 | version u64
 *                     | [fixed u32 previous u32 | previous]
 *   QUERY_RESULT 0x85 status u8 schema u8 0 u16 | version u64 source_set u64 fixed u32 data u32 | data
 */
#ifndef CONVERGE_PROPERTY_FRAMES_H
#define CONVERGE_PROPERTY_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_STATE = 0x81, FRAME_DELETED = 0x82, FRAME_QUERY_RESULT = 0x85, FRAME_HEADER_BYTES = 12 };
enum { STATE_CREATED = 1, STATE_UPDATED = 2, STATE_SNAPSHOT = 3 };

/* What a frame said; fields its opcode does not have are zero. Pointers are into the frame. */
typedef struct frame {
    const uint8_t *id, *data, *previous; /* previous: NULL unless the flag is set */
    uint64_t version, source_set, changed;
    uint32_t bytes;       /* of the whole frame */
    uint32_t fixed_bytes; /* of the data; in a DELETED, of the previous */
    uint32_t data_bytes, previous_bytes;
    uint16_t stream, opcode, kind, klass;
    uint8_t type; /* STATE's type, DELETED's reason, QUERY_RESULT's status */
    uint8_t schema;
} frame;

/* Reads the frame at `bytes`. NULL: it is well formed; else a sentence that says what is wrong with it. */
const char *frame_read(const uint8_t *bytes, size_t count, frame *f);

#endif
