/*
 * memory.c - an allocator that hands out dirty memory and checks that all of it comes back, with the size it was asked
 * for: [room for alignment | size and start, 16 bytes | block]. On demand it has none for a while.
 */
#define _POSIX_C_SOURCE 200809L
#include "run.h"
#include <stdlib.h>
#include <string.h>

typedef struct prefix {
    uint64_t bytes;
    void *start;
} prefix;

static void *allocate(void *context, size_t bytes, size_t alignment) {
    memory *m = context;
    if (m->fail_in > 0 && --m->fail_in == 0) {
        m->failed++;
        m->fail_in = m->lasting;
        return NULL;
    }
    size_t room = alignment < sizeof(prefix) ? sizeof(prefix) : alignment;
    void *start = NULL;
    if (posix_memalign(&start, room, room + bytes) != 0) return NULL;
    uint8_t *block = (uint8_t *)start + room;
    memset(block, 0xDB, bytes);
    prefix before = {.bytes = bytes, .start = start};
    memcpy(block - sizeof before, &before, sizeof before);
    m->blocks++;
    m->bytes += bytes;
    return block;
}

static void release(void *context, void *pointer, size_t bytes) {
    memory *m = context;
    if (pointer == NULL) return;
    prefix before;
    memcpy(&before, (uint8_t *)pointer - sizeof before, sizeof before);
    m->wrong_release |= before.bytes != bytes;
    m->blocks--;
    m->bytes -= before.bytes;
    free(before.start);
}

cvg_allocator memory_allocator(memory *m) {
    return (cvg_allocator){.context = m, .allocate = allocate, .release = release};
}

void memory_starve(run *r, part *part) {
    if (!r->starving || !rng_percent(&r->world.random, 25)) return;
    part->memory.fail_in = rng_between(&r->world.random, 1, rng_percent(&r->world.random, 60) ? 1 : 4);
    part->memory.lasting = rng_percent(&r->world.random, 50);
}

bool memory_feed(run *r, part *part) {
    bool failed = part->memory.failed > 0;
    part->memory.failed = part->memory.fail_in = 0;
    r->totals->starved += failed;
    if (failed) trace(r, "  without memory:");
    return failed;
}
