/*
 * ring - the io_uring backend: what its files share.
 *
 *   ring.c      requests and completions (it and sends.c know liburing, nobody else)
 *   pieces.c    what was received, to events            sends.c    what is queued, to the sockets
 *
 * A piece is what one completion received, in order behind the connection's others, until it is delivered:
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
    uint32_t length;
    uint32_t held; /* bytes counted as unfinished: a copy in memory of its own. 0: a buffer */
    bool taken;    /* the kernel has filled it, and it has not been given back */
} cvgi_piece;

typedef struct cvgi_ring {
    struct cvgi_uring *uring; /* NULL: not polled yet */
    struct cvgi_sends *sends; /* NULL: not needed yet */
    cvgi_piece *buffers;
    uint8_t *memory;
    uint32_t buffer_count;
    uint32_t available; /* buffers that the kernel may fill */
    cvgi_piece *lent;
    cvgi_link attention; /* their requests are to be brought in line with their state */
    cvgi_link starved;   /* there was no buffer for them, the longest waiting first */
    int *sockets;        /* accepted, not yet connections */
    uint32_t socket_count, socket_capacity;
    int accept_error[CVGI_LISTENERS_MAX];
    uint32_t accept_serial[CVGI_LISTENERS_MAX];
    uint32_t accepting, accept_cancelled; /* bit: listener */
} cvgi_ring;

/* ring.c: a buffer to the kernel again, or a copy's memory freed. */
void cvgi_ring_give_back(cvg_net *net, cvgi_piece *piece);

/* sends.c: sends what is queued to the connections of the list, and empties it. */
void cvgi_sends_transmit(cvg_net *net, cvgi_link *turn);
void cvgi_sends_stop(cvgi_ring *ring);

/* pieces.c */
void cvgi_pieces_add(cvgi_connection *connection, cvgi_piece *piece);
void cvgi_pieces_drop(cvg_net *net, cvgi_connection *connection);
bool cvgi_pieces_receive(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work);
/* Copies what paused connections hold, so that their buffers serve others. */
void cvgi_pieces_copy_paused(cvg_net *net);

#endif
