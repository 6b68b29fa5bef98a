/*
 * base - what every stage of the core stands on: memory, little-endian loads and stores, assertions.
 *
 * Assertions stay on in release builds: a broken invariant must stop the process before it spreads to readers.
 */
#ifndef CVGI_BASE_H
#define CVGI_BASE_H

#include <string.h>

#include "converge.h"

#define CVGI_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#define CVGI_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CVGI_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define CVGI_INLINE static inline __attribute__((always_inline)) /* copies of a loop for constant arguments */
#define CVGI_CACHE_LINE 64

/* The engine's memory: the caller's allocator and a count of what is in use. */
typedef struct cvgi_memory {
    cvg_allocator allocator;
    uint64_t in_use;
} cvgi_memory;

void cvgi_memory_init(cvgi_memory *memory, const cvg_allocator *allocator); /* all zero: malloc */
void *cvgi_allocate(cvgi_memory *memory, size_t bytes, size_t alignment);   /* not zeroed; NULL: out of memory */
void *cvgi_allocate_zeroed(cvgi_memory *memory, size_t bytes, size_t alignment);
void cvgi_release(cvgi_memory *memory, void *pointer, size_t bytes); /* NULL is allowed */

/* Grows an array of `size`-byte elements to hold at least `needed` (doubling). The old array is kept when it fails. */
bool cvgi_grow(cvgi_memory *memory, void **array, size_t *capacity, size_t needed, size_t size);

static inline uint16_t cvgi_load16(const void *from) {
    uint16_t v;
    memcpy(&v, from, sizeof v);
    return v;
}
static inline uint32_t cvgi_load32(const void *from) {
    uint32_t v;
    memcpy(&v, from, sizeof v);
    return v;
}
static inline uint64_t cvgi_load64(const void *from) {
    uint64_t v;
    memcpy(&v, from, sizeof v);
    return v;
}
static inline void cvgi_store16(void *to, uint16_t v) {
    memcpy(to, &v, sizeof v);
}
static inline void cvgi_store32(void *to, uint32_t v) {
    memcpy(to, &v, sizeof v);
}
static inline void cvgi_store64(void *to, uint64_t v) {
    memcpy(to, &v, sizeof v);
}

/* Rows are mostly one or two cache lines, where a call to memcpy costs as much as the copy: blocks of known size and a
 * last one that overlaps. */
static inline void cvgi_copy(uint8_t *to, const uint8_t *from, size_t bytes) {
    if (CVGI_LIKELY(bytes >= 64 && bytes <= 256)) {
        for (size_t i = 0; i + 64 < bytes; i += 64) memcpy(to + i, from + i, 64);
        memcpy(to + bytes - 64, from + bytes - 64, 64);
    } else if (bytes >= 32 && bytes < 64) {
        memcpy(to, from, 32);
        memcpy(to + bytes - 32, from + bytes - 32, 32);
    } else {
        memcpy(to, from, bytes);
    }
}

#endif
