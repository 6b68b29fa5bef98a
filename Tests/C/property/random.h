/*
 * random.h - one reproducible stream of numbers (SplitMix64): a seed is a history.
 */
#ifndef CONVERGE_PROPERTY_RANDOM_H
#define CONVERGE_PROPERTY_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r) {
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. limit - 1; `limit` above 0. */
static inline uint64_t rng_below(rng *r, uint64_t limit) {
    return rng_next(r) % limit;
}

/* low .. high, both included. */
static inline uint64_t rng_between(rng *r, uint64_t low, uint64_t high) {
    return low + rng_below(r, high - low + 1);
}

static inline bool rng_percent(rng *r, unsigned percent) {
    return rng_below(r, 100) < percent;
}

static inline void rng_fill(rng *r, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)rng_next(r);
}

#endif
