/*
 * connection - one connection's state, and the table of all.
 *
 *             ┌▶ CONNECTING ┐
 *   FREE ─────┤             ├▶ OPEN ─▶ discarding ─▶ closing ─▶ CLOSED ─▶ (told, next poll) ─▶ FREE, next generation
 *             └─────────────┘      └────────┴───────────┴───────▶┘ (socket failed, or closed at once)
 *
 *   OPEN, discarding: ENDED is told or will be; what still comes in is discarded, what is queued goes out
 *   OPEN, closing:    discarding, and nothing more can be queued
 *
 * Invariants
 *   1. A slot's struct never moves and is never freed before the table; its id changes when the slot becomes free, so
 *      that an id kept from before finds nothing.
 *   2. A slot becomes free only in a poll after the one that told CLOSED: no turn sees two connections in one slot. And
 *      not before the last completion of its requests: none is taken for another connection's.
 *   3. FREE and CLOSED connections have no socket, no queue, no tail, no pieces, and stand in no list but notices, gone
 *      or free (and attention, until their requests are cancelled).
 * Failure: the table is full, or no memory for a slot: NULL.
 */
#ifndef CVGI_CONNECTION_H
#define CVGI_CONNECTION_H

#include "address.h"
#include "converge_net.h"
#include "list.h"
#include "queue.h"
#include "unfinished.h"

typedef enum cvgi_state { CVGI_FREE, CVGI_CONNECTING, CVGI_OPEN, CVGI_CLOSED } cvgi_state;

enum { CVGI_TELL_CONNECTED = 1, CVGI_TELL_DRAINED = 2, CVGI_TELL_ENDED = 4, CVGI_TELL_CLOSED = 8 };

enum { CVGI_OP_RECEIVE = 1, CVGI_OP_WRITABLE = 2, CVGI_OP_FAILED = 4 };

typedef struct cvgi_connection {
    cvg_connection id;
    int fd;
    int error;        /* told with CLOSED */
    int end;          /* told with ENDED */
    uint8_t state;    /* cvgi_state */
    uint8_t tell;     /* CVGI_TELL_*, while in notices */
    bool reading;     /* the caller wants what comes in */
    bool lent;        /* a RECEIVED event waits for its answer */
    bool readable;    /* the socket may have bytes (its edge has been seen, and it has not run dry since) */
    bool hangup;      /* the peer has ended, or failed: read on until recv says so */
    bool blocked;     /* the socket takes no more; its edge will come */
    bool above_low;   /* the queue has been above queue_low since the last DRAINED */
    bool broken;      /* sending failed with `error`: what is left to read is read, then it is closed */
    bool discarding;  /* what comes in is of no use any more */
    bool closing;     /* and nothing more can be queued */
    bool shut;        /* closing: everything is sent, and the peer knows */
    bool peer_ended;  /* discarding: nothing more will come */
    int64_t deadline; /* discarding: the latest end */
    cvgi_queue queue;
    cvgi_tail tail;
    cvgi_address peer;
    cvgi_addresses *others;                                        /* connecting: the name's addresses, */
    uint32_t other;                                                /* and the next of them to try */
    cvgi_link in_ready, in_unsent, in_notices, in_ending, in_rest; /* in_rest: gone, free */
    /* io_uring only */
    struct cvgi_piece *pieces, *last_piece; /* received, not yet delivered: */
    uint32_t buffers;                       /* how many of them are buffers of the pool, */
    uint64_t copied;                        /* and the unfinished bytes of those that are copies */
    bool multishot;                         /* the receive in the kernel is */
    uint8_t singles;                        /* so many receives to come are single ones */
    bool flooding;                          /* a single receive has left bytes in the socket */
    uint8_t asked;                          /* buffers that the receive in the kernel may fill beyond one, */
    uint8_t reach;                          /* and that the next may */
    uint8_t in_kernel;                      /* CVGI_OP_*: requests whose last completion has not been seen */
    uint8_t cancelled;                      /* of them: those asked to end */
    bool ended;                             /* nothing will come behind the pieces: end of stream, or end_error */
    int end_error;
    cvgi_link in_attention, in_starved, in_hoards;
} cvgi_connection;

typedef struct cvgi_connections {
    cvgi_connection **slots;
    uint32_t count, capacity, max;
    uint32_t taken;
    cvgi_link idle;
} cvgi_connections;

void cvgi_connections_init(cvgi_connections *table, uint32_t max);
void cvgi_connections_free(cvgi_connections *table); /* every slot must be FREE or CLOSED */

/* A zeroed connection with its id, reading, without a socket. NULL: full, or no memory. */
cvgi_connection *cvgi_connections_take(cvgi_connections *table);
void cvgi_connections_give_back(cvgi_connections *table, cvgi_connection *connection);

static inline bool cvgi_connections_full(const cvgi_connections *table) {
    return table->taken == table->max;
}

/* The connection of this id, unless it is closed. */
static inline cvgi_connection *cvgi_connections_find(const cvgi_connections *table, cvg_connection id) {
    uint32_t slot = CVG_CONNECTION_SLOT(id);
    if (slot >= table->count) return NULL;
    cvgi_connection *connection = table->slots[slot];
    if (connection->id != id) return NULL;
    return connection->state == CVGI_CONNECTING || connection->state == CVGI_OPEN ? connection : NULL;
}

#endif
