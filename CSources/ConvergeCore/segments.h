/*
 * segments - where the index keeps its segments: alone while there are few, then 32 to a slab of 2 MiB.
 *
 *   index ─▶ [SEGMENTS] ─▶ the caller's allocator
 *
 *   alone    64 KiB each, the first ALONE of a kind       slab    ├ segment ┼ segment ┼ … 32 ┤ aligned to its 2 MiB
 *   spares   a chain through the first bytes of segments that a split gave back: the next split takes two
 *
 * A lookup touches a random line of the index. On pages of 4 KiB that is a page walk too; slabs are aligned so that an
 * allocator can give them a huge page. Most kinds have few entities: those shall not take 2 MiB.
 *
 * Invariants
 *   1. A segment handed out is all zero and stays where it is until it is given back.
 *   2. Spares are used before anything is allocated, so there is never more than one slab that is not full.
 * Failure: the allocator returns NULL; so does cvgi_segments_take, and nothing else has changed.
 */
#ifndef CVGI_SEGMENTS_H
#define CVGI_SEGMENTS_H

#include "base.h"

#define CVGI_SEGMENT_BYTES (64u << 10)

enum { CVGI_SEGMENTS_ALONE = 8 };

typedef struct cvgi_segments {
    uint8_t **slabs;
    size_t slab_count;
    size_t slab_capacity;
    uint32_t room; /* segments that the last slab still has */
    uint32_t alone_count;
    uint8_t *alone[CVGI_SEGMENTS_ALONE];
    uint8_t *spares;
} cvgi_segments;

void *cvgi_segments_take(cvgi_segments *segments, cvgi_memory *memory);
void cvgi_segments_give_back(cvgi_segments *segments, void *segment);
void cvgi_segments_free(cvgi_segments *segments, cvgi_memory *memory); /* those in use, too */

#endif
