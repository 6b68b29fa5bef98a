/*
 * ring - the io_uring backend: what its files share.
 *
 *   ring.c           the ring, and waiting                 ring_requests.c  requests of connections
 *   ring_buffers.c   its pool of buffers, and their order  ring_accept.c    accepting
 *   pieces.c         what was received, to events          sends.c          what is queued, to the sockets
 *
 * A piece is what was received into one buffer, in order behind the connection's others, until it is delivered:
 *
 *   a buffer   ├ headroom, 16 KiB: for the tail ┼ 64 KiB, filled by the kernel ┤
 *   its way    kernel ─▶ piece of a connection ─▶ lent with an event ─▶ (next poll) kernel
 */
#ifndef CVGI_RING_H
#define CVGI_RING_H

#include "net.h"

typedef struct cvgi_piece {
    struct cvgi_piece *next;
    uint8_t *bytes; /* what is not delivered of it */
    uint8_t *end;   /* of its memory */
    uint32_t length;
    uint32_t held;  /* bytes counted as unfinished: a copy in memory of its own, without headroom. 0: a buffer */
    uint16_t place; /* in the order in which buffers went to the kernel */
    bool taken;     /* the kernel has filled it, and it has not been given back */
} cvgi_piece;

typedef struct cvgi_ring {
    struct cvgi_uring *uring; /* NULL: not polled yet */
    struct cvgi_sends *sends; /* NULL: not needed yet */
    cvgi_piece *buffers;
    uint8_t *memory;
    uint32_t buffer_count;
    uint32_t available; /* buffers that the kernel may fill */
    uint32_t floods;    /* connections with bytes waiting in their sockets, as far as known */
    uint32_t asked;     /* buffers that the single requests in the kernel may fill beyond one each */
    bool bundles;       /* a request may fill several */
    cvgi_piece *lent;
    cvgi_link attention; /* their requests are to be brought in line with their state */
    cvgi_link starved;   /* there was no buffer for them, the longest waiting first */
    cvgi_link hoards;    /* they may have more buffers than is due to them */
    int *sockets;        /* accepted, not yet connections */
    uint32_t socket_count, socket_capacity;
    int accept_error[CVGI_LISTENERS_MAX];
    uint32_t accept_serial[CVGI_LISTENERS_MAX];
    uint32_t accepting, accept_cancelled; /* bit: listener */
} cvgi_ring;

/* False: no bundles even where the kernel can, for nets that have not been polled yet. Tests change it. */
extern bool cvgi_bundles_allowed;

struct io_uring_cqe;

/* Not received from. */
static inline bool cvgi_paused(const cvgi_connection *connection) {
    return !connection->reading && !connection->discarding;
}

/* ring_buffers.c */
int cvgi_buffers_make(cvgi_ring *ring, uint32_t count); /* 0, or a negative errno */
void cvgi_buffers_free(cvgi_ring *ring);
int cvgi_buffers_register(cvgi_ring *ring); /* with its uring, and provides them. 0, or a negative errno */
/* The buffer that the kernel has filled with the first of these bytes. Makes of *buffer the one that the rest is in,
 * and of *bytes the rest's length: 0, unless a request has filled several. */
cvgi_piece *cvgi_buffers_taken(cvgi_ring *ring, uint32_t *buffer, uint32_t *bytes);
/* A buffer to the kernel again, or a copy's memory freed. */
void cvgi_buffers_give_back(cvg_net *net, cvgi_piece *piece);

/* ring_requests.c */
void cvgi_ring_attend(cvg_net *net, cvgi_connection *connection);
int cvgi_ring_watch(cvg_net *net, cvgi_connection *connection);
void cvgi_ring_forget(cvg_net *net, cvgi_connection *connection);
void cvgi_ring_settle_connections(cvg_net *net); /* makes requests */
void cvgi_ring_note_connection(cvg_net *net, const struct io_uring_cqe *cqe);

/* ring_accept.c */
int cvgi_ring_watch_listener(cvg_net *net, uint32_t index);
void cvgi_ring_forget_listeners(cvg_net *net, uint32_t from);
void cvgi_ring_settle_listeners(cvg_net *net); /* makes requests */
void cvgi_ring_note_accept(cvg_net *net, const struct io_uring_cqe *cqe);
int cvgi_ring_accept(cvg_net *net, uint32_t index, cvgi_address *peer);
void cvgi_ring_close_sockets(cvgi_ring *ring);

/* sends.c: sends what is queued to the connections of the list, and empties it. */
void cvgi_sends_transmit(cvg_net *net, cvgi_link *turn);
void cvgi_sends_stop(cvgi_ring *ring);

/* pieces.c */
void cvgi_pieces_add(cvg_net *net, cvgi_connection *connection, cvgi_piece *piece);
void cvgi_pieces_drop(cvg_net *net, cvgi_connection *connection); /* counted as received */
bool cvgi_pieces_receive(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work);
/* Remembers who has more buffers than is due: one, or none while it is paused. */
void cvgi_pieces_note_hoard(cvgi_ring *ring, cvgi_connection *connection);
/* Copies what they have more, so that the buffers serve others. */
void cvgi_pieces_copy_hoards(cvg_net *net);

#endif
