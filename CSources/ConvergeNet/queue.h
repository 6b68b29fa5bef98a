/*
 * queue - what is to be sent to one connection, in order: slices of shared segments, and private bytes in chunks.
 *
 *   cvg_net_send ───────────▶ ┌───────┬───────┬───────┐
 *   cvg_net_reserve/commit ─▶ │ entry │ entry │ entry │ ─▶ gather ─▶ sendmsg ─▶ take
 *                             └───────┴───────┴───────┘
 *                               begun: bytes of the first entry that the kernel has
 *
 * Entries stand in a ring that grows by doubling. Private bytes are written straight into the *open* chunk, the last
 * one; chunks of 4 and 64 KiB come from a pool shared by all queues, larger ones are allocated to size.
 *
 * Invariants
 *   1. An entry holds one reference to its segment or chunk; the queue one to its open chunk.
 *   2. An entry is a whole number of messages: what was queued is merged with the entry before it when it follows it in
 *      memory, but never with an entry that is begun. So discarding behind the begun entry cuts between messages.
 *   3. bytes count exactly what the kernel has not taken; weight counts an entry until all of it is taken.
 *   4. An empty queue holds no chunk and at most a small ring: idle connections cost nothing.
 *   5. memory counts the chunks that the queue holds, whole, and a ring that is larger than what an empty queue keeps.
 *   6. A message of any size takes little more memory than it has bytes, whatever was reserved for it: one that fits
 *      into the open chunk after all is moved there, and one that needs less than the chunk it got, into a smaller one.
 * Failure: no memory; nothing is queued, and the caller is told. cvgi_queue_commit cannot fail: its reserve made room.
 */
#ifndef CVGI_QUEUE_H
#define CVGI_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct cvg_segment;

#define CVGI_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

typedef struct cvgi_chunk {
    struct cvgi_chunk *next; /* in the pool */
    uint32_t references;
    uint32_t capacity;
    uint32_t used;
    uint8_t bytes[];
} cvgi_chunk;

enum { CVGI_CHUNK_SMALL, CVGI_CHUNK_LARGE, CVGI_CHUNK_CLASSES };

typedef struct cvgi_chunk_pool {
    cvgi_chunk *idle[CVGI_CHUNK_CLASSES];
    uint32_t count[CVGI_CHUNK_CLASSES];
    cvgi_chunk *spare; /* one of no class, for the next reserve that needs one */
} cvgi_chunk_pool;

typedef struct cvgi_entry {
    const uint8_t *bytes;
    uint32_t length;
    uint32_t weight;
    struct cvg_segment *segment; /* one of the two */
    cvgi_chunk *chunk;
} cvgi_entry;

typedef struct cvgi_queue_bytes {
    uint64_t all;
    uint64_t of_chunks; /* of them: private ones */
    uint64_t memory;    /* no part of them: what the queue itself takes */
} cvgi_queue_bytes;

typedef struct cvgi_queue {
    cvgi_entry *entries; /* ring; capacity is a power of two */
    uint32_t head, count, capacity;
    uint32_t begun;
    cvgi_queue_bytes bytes;
    uint64_t weight;
    cvgi_chunk *open;
    cvgi_chunk *reserved; /* for the message under way, where the open chunk is too small for all of it */
} cvgi_queue;

/* Room for `bytes` at the end, valid until the next call on the queue; NULL: no memory. */
uint8_t *cvgi_queue_reserve(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes);
void cvgi_queue_commit(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes);

/* Queues a slice and retains its segment. 0, -ENOMEM. */
int cvgi_queue_push(cvgi_queue *queue, struct cvg_segment *segment, uint32_t offset, uint32_t bytes, uint32_t weight);

/* Fills vectors from the front, up to bytes_max. Returns how many; *total: their bytes. */
size_t cvgi_queue_gather(const cvgi_queue *queue, struct iovec *vectors, size_t vectors_max, size_t bytes_max,
                         size_t *total);

/* The kernel has taken this many bytes from the front. */
void cvgi_queue_take(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes);

/* Drops everything but an entry that is begun. */
void cvgi_queue_discard(cvgi_queue *queue, cvgi_chunk_pool *pool);

void cvgi_queue_free(cvgi_queue *queue, cvgi_chunk_pool *pool);

void cvgi_chunk_pool_free(cvgi_chunk_pool *pool);

#endif
