/*
 * frame - the 12 bytes that every frame opens with.
 *
 *   0         1       2        4        6                10     12
 *   ├─────────┼───────┼────────┼────────┼────────────────┼──────┤
 *   │ version │ flags │ stream │ opcode │ payload length │ CRC  │ payload ...
 *   └─────────┴───────┴────────┴────────┴────────────────┴──────┘
 *
 * The CRC is CRC-16/XMODEM (polynomial 0x1021, initial value 0) of bytes 0..9.
 */
#ifndef CVGI_FRAME_H
#define CVGI_FRAME_H

#include "base.h"

enum { CVGI_FRAME_VERSION = 1, CVGI_FRAME_HEADER_BYTES = 12 };
enum { CVGI_OPCODE_STATE = 0x81, CVGI_OPCODE_DELETED = 0x82, CVGI_OPCODE_QUERY_RESULT = 0x85 };

/* CRC of the first ten bytes of a header. */
uint16_t cvgi_frame_crc(const uint8_t header[10]);

/* Writes all 12 bytes. */
void cvgi_frame_header(uint8_t *to, uint16_t stream, uint16_t opcode, uint32_t payload_bytes);

#endif
