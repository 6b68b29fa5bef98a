/*
 * converge_shard.h - lanes between shards: bounded, one producer, one consumer, no lock and no system call.
 *
 *   shard A: cvg_lane_push, cvg_lane_push, ... ─▶ cvg_lane_publish, once a turn
 *                                                      │ (A→B)
 *   shard B: cvg_lane_take ─▶ a run of entries, applied where they are ─▶ cvg_lane_release
 *
 * Model. A lane carries entries of one fixed size, each with some bytes of its own (or none). Both live in the lane's
 * memory: what is pushed is copied once, and the consumer works on it in place. An entry may point to its bytes, or to
 * any memory that outlives it: both sides share one address space.
 *
 * Order. Entries come out in the order in which they went in: a barrier pushed behind writes is taken behind them.
 *
 * Bounds. A lane never grows. When it is full, cvg_lane_push says so, and the producer decides: it stops reading from
 * those who feed the lane (cvg_lane_want_room makes the consumer's next release ask for a wake-up), or it drops what
 * can be made up for otherwise. Nothing here waits.
 *
 * Sleeping. Who is about to wait for events says so with cvg_lane_sleep, and whoever publishes is then told to wake it:
 * at most one wake-up for each sleep, whatever is published.
 *
 * Threads. Functions of the producer on one thread, functions of the consumer on one thread; the two run at the same
 * time. Create and destroy while neither runs. Errors: NULL; breaking a condition stated at a call stops the process.
 */
#ifndef CONVERGE_SHARD_H
#define CONVERGE_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cvg_lane cvg_lane;

typedef struct cvg_lane_options {
    uint32_t entry_bytes; /* a multiple of 8, at most 4,096 */
    uint32_t entries;     /* capacity, a power of two, at most 2^24 */
    uint32_t bytes;       /* capacity for the entries' own bytes, a power of two of at least 64, or 0: they have none */
} cvg_lane_options;

/* NULL: no memory, or options outside their limits. */
cvg_lane *cvg_lane_create(const cvg_lane_options *options);
void cvg_lane_destroy(cvg_lane *lane); /* what is left in it is dropped; NULL is allowed */

/* -------------------------------------------------------------------------------------------------------- producer */

/* Room for one entry (8-byte aligned) and `bytes` contiguous bytes of its own (8-byte aligned; *data, NULL when bytes
 * is 0). Both are to be filled before cvg_lane_publish, and seen by nobody before. NULL: the lane is full. `bytes` is
 * at most half of the lane's: more might find no contiguous place for ever. */
void *cvg_lane_push(cvg_lane *lane, uint32_t bytes, uint8_t **data);

/* Entries without bytes that can be pushed now, at least. */
uint32_t cvg_lane_room(cvg_lane *lane);

/* Hands over what was pushed since the last time. Whether the consumer sleeps and has to be woken. */
bool cvg_lane_publish(cvg_lane *lane);

/* The lane was full: the next release by the consumer that makes room will say that this side is to be woken. False:
 * there is room by now, push again. */
bool cvg_lane_want_room(cvg_lane *lane, uint32_t bytes);

/* -------------------------------------------------------------------------------------------------------- consumer */

/* The longest run of published entries that lie behind each other in memory, from the oldest on; *entries points to the
 * first. 0: nothing. They stay until cvg_lane_release; taking again without it gives the same ones, perhaps more. */
size_t cvg_lane_take(cvg_lane *lane, void **entries);

/* The first `count` entries of the last run are done with: they and their bytes are room again. Whether the producer
 * wants room and has to be woken. */
bool cvg_lane_release(cvg_lane *lane, size_t count);

/* This side is about to wait for events: from now on a publish says that it has to be woken. False: something is there
 * already, take it (and it counts as awake again). */
bool cvg_lane_sleep(cvg_lane *lane);

/* This side is awake, for whatever reason. */
void cvg_lane_awake(cvg_lane *lane);

/* ------------------------------------------------------------------------------------------------------ statistics */

typedef struct cvg_lane_stats {
    uint64_t pushed;       /* entries */
    uint64_t full;         /* pushes that found no room */
    uint64_t wakes;        /* publishes that had to wake the consumer */
    uint64_t entries_now;  /* published, not released */
    uint64_t entries_peak; /* seen at a publish */
    uint64_t entries_max;
    uint64_t bytes_max;
} cvg_lane_stats;

void cvg_lane_stats_read(const cvg_lane *lane, cvg_lane_stats *stats); /* by the producer */

#ifdef __cplusplus
}
#endif
#endif
