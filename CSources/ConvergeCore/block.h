/*
 * block - the variable zone of one row, shared by the images that have the same, and the pool it comes from.
 *
 *   apply ─▶ merge ─▶ [BLOCK] ◀─ pending image ─▶ sealed image ─▶ table row
 *
 *   0            4       8      12                12+bytes      size of its class
 *   ├────────────┼───────┼──────┼─────────────────┼─────────────┤
 *   │ references │ bytes │ class│ variable zone   │ not used    │      a spare one: its zone begins with the next spare
 *   └────────────┴───────┴──────┴─────────────────┴─────────────┘
 *
 * An empty zone has no block: NULL. Sizes are 32, 48, 64 and from there on four to a doubling, so that at most a fifth
 * of a large block is not used. Blocks whose last reference is dropped are kept, a chain for each class, because the
 * next window takes what installing the last one gave back; so a steady load asks the allocator for nothing.
 *
 * Invariants
 *   1. Every image that names a block holds one reference. One thread: the count is a plain number.
 *   2. A block is never written after something else may see it: only while the one reference is an image's in the open
 *      window.
 *   3. Spare blocks together are at most spare_bytes_max. When they would be more, spares of other classes go first:
 *      what is no longer asked for does not stay.
 * Failure: the allocator returns NULL; so does cvgi_block_take.
 */
#ifndef CVGI_BLOCK_H
#define CVGI_BLOCK_H

#include "base.h"

enum { CVGI_BLOCK_HEADER_BYTES = 12, CVGI_BLOCK_CLASSES = 59 };

typedef struct cvgi_block {
    uint32_t references;
    uint32_t bytes; /* of the variable zone, 1 to CVG_ROW_BYTES_MAX */
    uint32_t size_class;
    uint8_t zone[];
} cvgi_block;

typedef struct cvgi_blocks {
    cvgi_memory *memory;
    cvgi_block *spares[CVGI_BLOCK_CLASSES];
    uint64_t spare_bytes;
    uint64_t spare_bytes_max;
    uint32_t eviction; /* class that gives up a spare next */
} cvgi_blocks;

void cvgi_blocks_init(cvgi_blocks *blocks, cvgi_memory *memory, uint64_t spare_bytes_max);
void cvgi_blocks_free_spares(cvgi_blocks *blocks);

/* What a block for a zone of so many bytes takes in memory; 0 for an empty zone. */
uint32_t cvgi_block_size(uint32_t bytes);

/* A block with one reference and a zone to be filled; `bytes` not 0. NULL: out of memory. */
cvgi_block *cvgi_block_take(cvgi_blocks *blocks, uint32_t bytes);

static inline cvgi_block *cvgi_block_retain(cvgi_block *block) {
    if (block != NULL) block->references++;
    return block;
}

void cvgi_block_release(cvgi_blocks *blocks, cvgi_block *block); /* NULL is allowed */

static inline uint32_t cvgi_block_bytes(const cvgi_block *block) {
    return block == NULL ? 0 : block->bytes;
}

/* What the block takes in memory. */
uint32_t cvgi_block_footprint(const cvgi_block *block);

#endif
