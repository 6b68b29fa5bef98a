/*
 * hash - the one hash of entity ids: XXH3-64 with the engine's seed, because ids are chosen by whoever writes.
 *
 *   63 ............ 64-depth   ...   17 ........ 8   7 ... 0
 *   └ index segment (directory)       └ line in it    └ tag
 */
#ifndef CVGI_HASH_H
#define CVGI_HASH_H

#include "base.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t cvgi_hash(const uint8_t *id, uint64_t seed) {
    return XXH3_64bits_withSeed(id, CVG_ID_BYTES, seed);
}

#endif
