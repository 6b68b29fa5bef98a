/*
 * net - the transport's state, and what its parts ask of each other.
 *
 *   poller.c    waits for the kernel (epoll) and runs a turn           net.c        the calls between two polls
 *   listener.c  listen, accept, connect                                stream.c     receive, send, close
 *   below them: connection (table), queue (to send), unfinished (tails), address, waker, list
 *
 * One turn (cvg_net_poll):
 *
 *   reclaim what was lent ─▶ send what is queued ─▶ wait ─▶ note edges ─▶ tell ─▶ accept ─▶ receive ─▶ tell
 *
 * Received bytes lie in one arena, filled from its start in every turn and lent until the next: a server that is not
 * busy touches its first pages only, and they stay in the cache.
 *
 *   arena  ├ connection 7: tail + received ┼ connection 2: received ┼ … ┼ room ┤
 */
#ifndef CVGI_NET_H
#define CVGI_NET_H

#include "connection.h"
#include "converge_net.h"
#include "waker.h"

enum {
    CVGI_RECEIVE_BYTES = 64 << 10, /* most that one connection is given of the arena in a turn */
    CVGI_RECEIVE_MIN = 32 << 10,   /* with less room than this the arena is full */
    CVGI_LISTENERS_MAX = 16,
    CVGI_ACCEPTS_MAX = 64,           /* a turn */
    CVGI_ACCEPT_PAUSE_US = 100000,   /* when the process is out of descriptors */
    CVGI_ENDED_LINGER_US = 10000000, /* for what is still queued when the peer has ended its side */
};

typedef struct cvgi_listener {
    int fd;
    bool pending; /* there may be connections to accept */
} cvgi_listener;

struct cvg_net {
    cvg_net_options options; /* with the defaults filled in */
    cvgi_connections table;
    cvgi_chunk_pool chunks;
    cvgi_unfinished unfinished;
    cvgi_link ready;   /* to receive from (or, closing, to discard from), in the order of service */
    cvgi_link unsent;  /* something is queued, and the socket may take it */
    cvgi_link notices; /* CONNECTED, DRAINED or CLOSED is to be told */
    cvgi_link closing; /* closed by us, not yet gone */
    cvgi_link gone;    /* CLOSED has been told: free from the next poll on */
    int64_t deadline;  /* not after the first deadline of `closing`; INT64_MAX: none */
    int64_t accept_at; /* not before this time; 0: any time */
    cvgi_listener listeners[CVGI_LISTENERS_MAX];
    uint32_t listener_count;
    uint8_t *arena;
    size_t arena_bytes, arena_used;
    cvg_waker *waker;
    bool woken;
    int epoll;
    cvg_net_stats stats; /* of it kept here: accepted, closed, bytes, calls, queued */
};

/* poller.c */
int cvgi_watch_connection(cvg_net *net, cvgi_connection *connection); /* 0, or a negative errno */
int cvgi_watch_listener(cvg_net *net, uint32_t index);

/* listener.c */
size_t cvgi_accept_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity);
bool cvgi_accept_pending(const cvg_net *net);
void cvgi_connect_ended(cvg_net *net, cvgi_connection *connection); /* the attempt under way has succeeded or failed */

/* stream.c */
size_t cvgi_receive_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity);
void cvgi_transmit(cvg_net *net, cvgi_connection *connection);
void cvgi_close(cvg_net *net, cvgi_connection *connection, int64_t linger_us);
void cvgi_close_when_sent(cvg_net *net, cvgi_connection *connection); /* closing: the next step, when it is time */
void cvgi_close_expired(cvg_net *net);
/* The connection is over: everything of it is released but its slot, and CLOSED will be told. */
void cvgi_finish(cvg_net *net, cvgi_connection *connection, int error);

/* net.c */
void cvgi_tell(cvg_net *net, cvgi_connection *connection, uint8_t what);
void cvgi_count_queued(cvg_net *net, uint64_t before, uint64_t after);

#endif
