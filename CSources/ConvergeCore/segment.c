#include "segment.h"

_Static_assert(sizeof(cvg_segment) <= CVGI_SEGMENT_HEADER_BYTES, "frames begin behind the segment's own fields");

/* The caller's allocator is thread-safe where segments leave the engine's thread; the engine's count of bytes is not.
 * So each call counts into a value of its own. */
static void *pool_allocate(const cvg_allocator *allocator, size_t bytes) {
    cvgi_memory memory = {.allocator = *allocator};
    return cvgi_allocate(&memory, bytes, CVGI_SEGMENT_HEADER_BYTES);
}

static void pool_free(const cvg_allocator *allocator, void *pointer, size_t bytes) {
    cvgi_memory memory = {.allocator = *allocator, .in_use = bytes};
    cvgi_release(&memory, pointer, bytes);
}

cvgi_segment_pool *cvgi_segment_pool_create(const cvgi_memory *memory) {
    cvgi_segment_pool *pool = pool_allocate(&memory->allocator, sizeof *pool);
    if (pool) *pool = (cvgi_segment_pool){.allocator = memory->allocator, .references = 1};
    return pool;
}

void cvgi_segment_pool_release(cvgi_segment_pool *pool) {
    if (__atomic_sub_fetch(&pool->references, 1, __ATOMIC_ACQ_REL) != 0) return;
    const cvg_allocator allocator = pool->allocator;
    pool_free(&allocator, pool, sizeof *pool);
}

static void dispose(cvg_segment *segment) {
    cvgi_segment_pool *pool = segment->owner;
    const size_t bytes = CVGI_SEGMENT_HEADER_BYTES + (size_t)segment->capacity;
    __atomic_sub_fetch(&pool->bytes, bytes, __ATOMIC_RELAXED);
    pool_free(&pool->allocator, segment, bytes);
    cvgi_segment_pool_release(pool);
}

cvg_segment *cvgi_segment_create(cvgi_segment_pool *pool, size_t capacity) {
    CVGI_ASSERT(capacity <= UINT32_MAX);
    cvg_segment *segment = pool_allocate(&pool->allocator, CVGI_SEGMENT_HEADER_BYTES + capacity);
    if (!segment) return NULL;
    *segment = (cvg_segment){
        .bytes = (uint8_t *)segment + CVGI_SEGMENT_HEADER_BYTES,
        .capacity = (uint32_t)capacity,
        .references = 1,
        .dispose = dispose,
        .owner = pool,
    };
    __atomic_add_fetch(&pool->references, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&pool->bytes, CVGI_SEGMENT_HEADER_BYTES + capacity, __ATOMIC_RELAXED);
    return segment;
}
