/*
 * segment - blocks of frames that outlive the engine, and the pool that counts them.
 *
 *   encode ─▶ [SEGMENT] ─▶ fan-out ─▶ last release, on any thread
 *
 *   one allocation:   ├─ cvg_segment, 64 bytes ─┼─ capacity bytes of frames ─┤        64 KiB altogether, larger for one
 * large frame
 *
 * Invariants
 *   1. The pool lives while the encoder or a segment does: each holds one reference.
 *   2. Pool and segments are touched from any thread, so their counts are atomic and cvgi_memory's are not used.
 * Failure: the allocator returns NULL; so does cvgi_segment_create.
 */
#ifndef CVGI_SEGMENT_H
#define CVGI_SEGMENT_H

#include "base.h"

#define CVGI_SEGMENT_HEADER_BYTES 64
#define CVGI_SEGMENT_ROOM (CVG_SEGMENT_BYTES - CVGI_SEGMENT_HEADER_BYTES) /* frames of a segment of the usual size */

typedef struct cvgi_segment_pool {
    cvg_allocator allocator;
    uint64_t bytes;      /* of segments alive anywhere; atomic */
    uint32_t references; /* atomic */
} cvgi_segment_pool;

cvgi_segment_pool *cvgi_segment_pool_create(const cvgi_memory *memory); /* NULL: out of memory */
void cvgi_segment_pool_release(cvgi_segment_pool *pool);

static inline uint64_t cvgi_segment_pool_bytes(const cvgi_segment_pool *pool) {
    return __atomic_load_n(&pool->bytes, __ATOMIC_RELAXED);
}

/* An empty segment with one reference. NULL: out of memory. */
cvg_segment *cvgi_segment_create(cvgi_segment_pool *pool, size_t capacity);

/* Nobody but the caller, who holds a reference, holds one: its bytes may be written anew. */
static inline bool cvgi_segment_is_unshared(const cvg_segment *segment) {
    return __atomic_load_n(&segment->references, __ATOMIC_ACQUIRE) == 1;
}

#endif
