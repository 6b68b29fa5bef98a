/*
 * lane - a bounded ring of entries beside a bounded ring of their bytes; one producer, one consumer.
 *
 *   entries  ┤ free ├ head: taken ┼ published ┼ tail: pushed ┼ next ┤ free ├      positions count up for ever,
 *   ends     where each entry's bytes end, one u64 an entry                       the low bits are the place
 *   bytes    ┤ free ├ first byte of head ┼ ... ┼ end ┤ free ├
 *
 * An entry's bytes are contiguous: what would cross the end of the ring begins at its start, and the bytes skipped
 * belong to the entry, so that its release frees them too.
 *
 * Shared words, each on a cache line of its own side: `tail` is written by the producer alone, `head` by the consumer
 * alone. Each side keeps a copy of the other's word and reads the word again only when the copy says full or empty: in
 * a steady stream a line crosses between the cores once a batch, not once an entry.
 *
 * Invariants
 *   1. head <= tail <= next, and next - head <= capacity. Entries in [head, tail) are the consumer's, in [tail, next)
 * the producer's, the rest are free.
 *   2. `tail` is stored with release after the entries before it are written; `head` with release after they are read.
 *   3. No lost wake-up: a sleeper stores `sleeping`, then fences, then looks at `tail`; a publisher stores `tail`, then
 *      fences, then looks at `sleeping`. One of the two sees the other. The same with `wants_room` and `head`. Whoever
 *      sees the flag clears it with an exchange: one wake-up for each time it was set.
 *
 * Failure: no memory at creation. Later there is nothing that can fail but room.
 */
#include "converge_shard.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LINE = 128 /* two: processors fetch lines in pairs */ };

struct cvg_lane {
    uint32_t entry_bytes, entries_mask, bytes_capacity;
    uint8_t *entries;
    uint64_t *ends;
    uint8_t *bytes;

    struct {
        _Alignas(LINE) _Atomic(uint64_t) tail;
        _Atomic(bool) wants_room;
        uint64_t next;       /* entries pushed */
        uint64_t end;        /* bytes pushed */
        uint64_t head_seen;  /* of the consumer's head */
        uint64_t freed_seen; /* bytes that are free again, as of head_seen */
        uint64_t full, wakes, peak;
    } producer;

    struct {
        _Alignas(LINE) _Atomic(uint64_t) head;
        _Atomic(uint64_t) freed; /* end of the last released entry's bytes */
        _Atomic(bool) sleeping;
        uint64_t tail_seen;
    } consumer;
};

static bool is_power(uint32_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

cvg_lane *cvg_lane_create(const cvg_lane_options *options) {
    if (options->entry_bytes == 0 || options->entry_bytes % 8 != 0 || options->entry_bytes > 4096) return NULL;
    if (!is_power(options->entries) || options->entries > 1u << 24) return NULL;
    if (options->bytes != 0 && (!is_power(options->bytes) || options->bytes < 64)) return NULL;
    cvg_lane *lane = aligned_alloc(LINE, sizeof *lane);
    if (lane == NULL) return NULL;
    *lane = (cvg_lane){
        .entry_bytes = options->entry_bytes, .entries_mask = options->entries - 1, .bytes_capacity = options->bytes};
    /* Whole pages that nobody else's data shares a line with; aligned_alloc wants a multiple of the alignment. */
    size_t entry_space = ((size_t)options->entries * options->entry_bytes + LINE - 1) / LINE * LINE;
    size_t end_space = ((size_t)options->entries * sizeof *lane->ends + LINE - 1) / LINE * LINE;
    lane->entries = aligned_alloc(LINE, entry_space);
    lane->ends = aligned_alloc(LINE, end_space);
    if (options->bytes != 0) lane->bytes = aligned_alloc(LINE, options->bytes < LINE ? LINE : options->bytes);
    if (lane->entries == NULL || lane->ends == NULL || (options->bytes != 0 && lane->bytes == NULL)) {
        cvg_lane_destroy(lane);
        return NULL;
    }
    return lane;
}

void cvg_lane_destroy(cvg_lane *lane) {
    if (lane == NULL) return;
    free(lane->entries);
    free(lane->ends);
    free(lane->bytes);
    free(lane);
}

/* -------------------------------------------------------------------------------------------------------- producer */

/* Where `bytes` more bytes would begin: here, or at the start of the ring. */
static uint64_t place(const cvg_lane *lane, uint32_t bytes) {
    uint64_t end = lane->producer.end;
    uint32_t offset = (uint32_t)(end & (lane->bytes_capacity - 1));
    return lane->bytes_capacity - offset < bytes ? end + (lane->bytes_capacity - offset) : end;
}

static bool fits(const cvg_lane *lane, uint32_t bytes) {
    if (lane->producer.next - lane->producer.head_seen > lane->entries_mask) return false;
    if (bytes == 0) return true;
    return place(lane, bytes) + bytes - lane->producer.freed_seen <= lane->bytes_capacity;
}

static void look_at_consumer(cvg_lane *lane) {
    lane->producer.head_seen = atomic_load_explicit(&lane->consumer.head, memory_order_acquire);
    lane->producer.freed_seen = atomic_load_explicit(&lane->consumer.freed, memory_order_acquire);
}

/* So that every entry's bytes are aligned. More than half of the ring might find no place for ever: a bug. */
static uint32_t round_up(const cvg_lane *lane, uint32_t bytes) {
    if (bytes > lane->bytes_capacity / 2) __builtin_trap();
    return (bytes + 7) & ~(uint32_t)7;
}

void *cvg_lane_push(cvg_lane *lane, uint32_t bytes, uint8_t **data) {
    bytes = round_up(lane, bytes);
    if (__builtin_expect(!fits(lane, bytes), 0)) {
        look_at_consumer(lane);
        if (!fits(lane, bytes)) {
            lane->producer.full += 1;
            return NULL;
        }
    }
    uint64_t index = lane->producer.next++ & lane->entries_mask;
    if (bytes > 0) {
        uint64_t begin = place(lane, bytes);
        lane->producer.end = begin + bytes;
        *data = lane->bytes + (begin & (lane->bytes_capacity - 1));
    } else if (data != NULL) {
        *data = NULL;
    }
    lane->ends[index] = lane->producer.end;
    return lane->entries + index * lane->entry_bytes;
}

uint32_t cvg_lane_room(cvg_lane *lane) {
    look_at_consumer(lane);
    return lane->entries_mask + 1 - (uint32_t)(lane->producer.next - lane->producer.head_seen);
}

bool cvg_lane_publish(cvg_lane *lane) {
    uint64_t tail = atomic_load_explicit(&lane->producer.tail, memory_order_relaxed);
    if (tail == lane->producer.next) return false;
    atomic_store_explicit(&lane->producer.tail, lane->producer.next, memory_order_release);
    uint64_t held = lane->producer.next - atomic_load_explicit(&lane->consumer.head, memory_order_relaxed);
    if (held > lane->producer.peak) lane->producer.peak = held;
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&lane->consumer.sleeping, memory_order_relaxed)) return false;
    if (!atomic_exchange_explicit(&lane->consumer.sleeping, false, memory_order_acq_rel)) return false;
    lane->producer.wakes += 1;
    return true;
}

bool cvg_lane_want_room(cvg_lane *lane, uint32_t bytes) {
    bytes = round_up(lane, bytes);
    atomic_store_explicit(&lane->producer.wants_room, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    look_at_consumer(lane);
    if (!fits(lane, bytes)) return true;
    atomic_store_explicit(&lane->producer.wants_room, false, memory_order_relaxed);
    return false;
}

/* -------------------------------------------------------------------------------------------------------- consumer */

size_t cvg_lane_take(cvg_lane *lane, void **entries) {
    uint64_t head = atomic_load_explicit(&lane->consumer.head, memory_order_relaxed);
    if (lane->consumer.tail_seen == head)
        lane->consumer.tail_seen = atomic_load_explicit(&lane->producer.tail, memory_order_acquire);
    uint64_t index = head & lane->entries_mask;
    uint64_t count = lane->consumer.tail_seen - head;
    uint64_t before_end = (uint64_t)lane->entries_mask + 1 - index;
    *entries = lane->entries + index * lane->entry_bytes;
    return count < before_end ? count : before_end;
}

bool cvg_lane_release(cvg_lane *lane, size_t count) {
    if (count == 0) return false;
    uint64_t head = atomic_load_explicit(&lane->consumer.head, memory_order_relaxed) + count;
    uint64_t freed = lane->ends[(head - 1) & lane->entries_mask];
    atomic_store_explicit(&lane->consumer.freed, freed, memory_order_release);
    atomic_store_explicit(&lane->consumer.head, head, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&lane->producer.wants_room, memory_order_relaxed) &&
           atomic_exchange_explicit(&lane->producer.wants_room, false, memory_order_acq_rel);
}

bool cvg_lane_sleep(cvg_lane *lane) {
    atomic_store_explicit(&lane->consumer.sleeping, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    lane->consumer.tail_seen = atomic_load_explicit(&lane->producer.tail, memory_order_acquire);
    if (lane->consumer.tail_seen == atomic_load_explicit(&lane->consumer.head, memory_order_relaxed)) return true;
    cvg_lane_awake(lane);
    return false;
}

void cvg_lane_awake(cvg_lane *lane) {
    atomic_store_explicit(&lane->consumer.sleeping, false, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------------ statistics */

void cvg_lane_stats_read(const cvg_lane *lane, cvg_lane_stats *stats) {
    uint64_t head = atomic_load_explicit(&lane->consumer.head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->producer.tail, memory_order_relaxed);
    *stats = (cvg_lane_stats){.pushed = lane->producer.next,
                              .full = lane->producer.full,
                              .wakes = lane->producer.wakes,
                              .entries_now = tail - head,
                              .entries_peak = lane->producer.peak,
                              .entries_max = (uint64_t)lane->entries_mask + 1,
                              .bytes_max = lane->bytes_capacity};
}
