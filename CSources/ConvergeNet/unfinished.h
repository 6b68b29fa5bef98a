/*
 * unfinished - the beginnings of messages whose end has not arrived, all under one budget.
 *
 *   RECEIVED ─▶ caller ─▶ consume(used, need) ─▶ [TAIL] ─▶ more bytes ─▶ RECEIVED, again from the message's first byte
 *
 *   a buffer:   ├ begin: used by the caller ┼ length: kept ┼ room, received into ┤ capacity
 *
 * Invariants
 *   1. bytes of the pool = the sum of all buffers alive, headers included, never above max.
 *   2. A buffer grows with what has really arrived: to at most twice that (never to `need` at once), so that an
 *      announced length costs its sender as many bytes as it costs us.
 *   3. A buffer that may be lent to the caller is retired, not freed: cvgi_unfinished_reclaim frees it at the next
 * poll. Failure: the budget or the memory is used up (-ENOBUFS); that connection is closed.
 */
#ifndef CVGI_UNFINISHED_H
#define CVGI_UNFINISHED_H

#include <stdint.h>

typedef struct cvgi_tail_buffer {
    struct cvgi_tail_buffer *next; /* retired */
    uint32_t capacity;
    uint8_t bytes[];
} cvgi_tail_buffer;

typedef struct cvgi_unfinished {
    uint64_t bytes, peak, max;
    cvgi_tail_buffer *retired;
} cvgi_unfinished;

typedef struct cvgi_tail {
    cvgi_tail_buffer *buffer; /* NULL: none; may be there with length 0, to be filled again */
    uint32_t begin, length;
    uint32_t need; /* the message has at least this many bytes; 0 when there is no tail */
} cvgi_tail;

static inline const uint8_t *cvgi_tail_bytes(const cvgi_tail *tail) {
    return tail->buffer->bytes + tail->begin;
}

/* Keeps `bytes` behind what is there. 0, -ENOBUFS. */
int cvgi_tail_append(cvgi_unfinished *pool, cvgi_tail *tail, const uint8_t *bytes, uint32_t count);

/* Where to receive into, up to the end of the message as far as known: at least 1 byte. 0, -ENOBUFS. `tail->length`
 * must be less than `tail->need`; the receiver adds what it got to tail->length. */
int cvgi_tail_room(cvgi_unfinished *pool, cvgi_tail *tail, uint8_t **room, uint32_t *bytes);

void cvgi_tail_free(cvgi_unfinished *pool, cvgi_tail *tail);
void cvgi_tail_retire(cvgi_unfinished *pool, cvgi_tail *tail);
void cvgi_unfinished_reclaim(cvgi_unfinished *pool);

#endif
