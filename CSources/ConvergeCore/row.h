/*
 * row - the table: rows of one kind in 64-byte aligned slabs, addressed by row number.
 *
 *   apply ─▶ pending ─▶ seal ─▶ install ─▶ [ROW] ─▶ query, catch-up
 *
 * A row image, in the table and in pending rows alike (stride = a multiple of 64):
 *
 *   0        32          40       48      49     50         54               54+fixed   stride-8     stride
 *   ├────────┼───────────┼────────┼───────┼──────┼──────────┼────────────────┼──────────┼────────────┤
 *   │ id     │ source set│ version│ schema│ flags│ link u32 │ fixed zone     │ rest     │ block      │
 *   └────────┴───────────┴────────┴───────┴──────┴──────────┴────────────────┴──────────┴────────────┘
 *                                                                                       kinds with variable fields
 *
 * The block (block.h) holds the variable zone; NULL: it is empty. The link of a table row names the newest pending row
 * of the entity (pending.h; 0: none); that of a pending row is the row number in the table. It stands in the first line
 * with the id: a write that replaces every field touches no other line of the table row.
 *
 * Invariants
 *   1. A row number belongs to its entity until the row is freed; rows never move.
 *   2. flags is LIVE (source set not 0), TOMBSTONE (source set 0, data zero, no block), or 0: never installed, known
 *      only to pending rows, invisible to readers.
 *   3. The rest, behind the fixed zone, is never looked at.
 * Failure: a slab cannot be allocated; the write that needed it is refused.
 */
#ifndef CVGI_ROW_H
#define CVGI_ROW_H

#include "block.h"

enum { CVGI_ROW_LIVE = 1, CVGI_ROW_TOMBSTONE = 2 };

#define CVGI_ROW_NONE UINT32_MAX
#define CVGI_SLAB_BYTES (2u << 20)
#define CVGI_PREFETCH_BYTES 512

enum { CVGI_ROW_LINK_AT = CVG_ROW_HEADER_BYTES, CVGI_ROW_DATA_AT = CVGI_ROW_LINK_AT + sizeof(uint32_t) };

typedef struct cvgi_rows {
    uint8_t **slabs;    /* each 2^shift rows */
    uint32_t stride;    /* bytes a row, a multiple of 64 */
    uint32_t shift;     /* log2 of rows in a slab */
    uint32_t mask;      /* rows in a slab - 1 */
    uint32_t block_at;  /* offset of the block in an image; 0: the kind has no variable fields */
    uint32_t count;     /* row numbers handed out: rows [0, count) exist, freed ones have flags 0 */
    uint32_t free_head; /* chain of freed rows through their link, + 1; 0: none */
    size_t slab_count;
    size_t slab_capacity;
} cvgi_rows;

static inline uint8_t *cvgi_row_at(const cvgi_rows *rows, uint32_t row) {
    return rows->slabs[row >> rows->shift] + (size_t)(row & rows->mask) * rows->stride;
}

static inline const uint8_t *cvgi_row_id(const uint8_t *row) {
    return row;
}
static inline uint64_t cvgi_row_source_set(const uint8_t *row) {
    return cvgi_load64(row + 32);
}
static inline uint64_t cvgi_row_version(const uint8_t *row) {
    return cvgi_load64(row + 40);
}
static inline uint8_t cvgi_row_schema(const uint8_t *row) {
    return row[48];
}
static inline uint8_t cvgi_row_flags(const uint8_t *row) {
    return row[49];
}
static inline uint8_t *cvgi_row_data(uint8_t *row) {
    return row + CVGI_ROW_DATA_AT;
}
static inline const uint8_t *cvgi_row_data_const(const uint8_t *row) {
    return row + CVGI_ROW_DATA_AT;
}
static inline void cvgi_row_set_source_set(uint8_t *row, uint64_t set) {
    cvgi_store64(row + 32, set);
}
static inline void cvgi_row_set_schema(uint8_t *row, uint8_t version) {
    row[48] = version;
}
static inline void cvgi_row_set_version(uint8_t *row, uint64_t version) {
    cvgi_store64(row + 40, version);
}
static inline uint32_t cvgi_row_link(const uint8_t *row) {
    return cvgi_load32(row + CVGI_ROW_LINK_AT);
}
static inline void cvgi_row_set_link(uint8_t *row, uint32_t link) {
    cvgi_store32(row + CVGI_ROW_LINK_AT, link);
}

/* An image on its way into the cache: both its ends, and of a long one what lies between, up to a bound behind which
 * the processor runs ahead by itself. */
static inline void cvgi_row_prefetch(const cvgi_rows *rows, const uint8_t *row) {
    __builtin_prefetch(row);
    __builtin_prefetch(row + rows->stride - CVGI_CACHE_LINE);
    for (uint32_t at = CVGI_CACHE_LINE; at + CVGI_CACHE_LINE < rows->stride && at < CVGI_PREFETCH_BYTES;
         at += CVGI_CACHE_LINE)
        __builtin_prefetch(row + at);
}

/* The block of an image; `block_at` as in cvgi_rows. */
static inline cvgi_block *cvgi_row_block(const uint8_t *row, uint32_t block_at) {
    cvgi_block *block = NULL;
    if (block_at != 0) memcpy(&block, row + block_at, sizeof block);
    return block;
}
static inline void cvgi_row_set_block(uint8_t *row, uint32_t block_at, cvgi_block *block) {
    memcpy(row + block_at, &block, sizeof block);
}

void cvgi_rows_init(cvgi_rows *rows, uint32_t fixed_bytes, bool variable);
void cvgi_rows_free(cvgi_rows *rows, cvgi_memory *memory); /* the rows' blocks are released before */

/* A row number whose image is all zero but for the id. CVGI_ROW_NONE: out of memory or of numbers (`*status` says). */
uint32_t cvgi_rows_take(cvgi_rows *rows, cvgi_memory *memory, const uint8_t *id, int *status);
void cvgi_rows_give_back(cvgi_rows *rows, uint32_t row); /* a never installed row */

#endif
