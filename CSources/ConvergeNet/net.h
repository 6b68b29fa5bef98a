/*
 * net - the transport's state, and what its parts ask of each other.
 *
 *   turn.c      create, destroy, and a turn                            net.c        the calls between two polls
 *   listener.c  listen, accept, connect                                stream.c     send, close, the order of service
 *   two backends, each behind a cvgi_backend:
 *     epoll     poller.c waits, arena.c receives
 *     io_uring  ring.c waits, ring_requests.c and ring_accept.c ask the kernel, pieces.c hands out what it has received
 *   below them: connection (table), queue (to send), unfinished (tails), address, waker, list
 *
 * One turn (cvg_net_poll):
 *
 *   reclaim what was lent ─▶ send what is queued ─▶ wait ─▶ note edges ─▶ tell ─▶ accept ─▶ receive ─▶ tell
 *
 * A backend tells of readiness with the bits of a connection and the lists of the net, and is told by `attend` when the
 * bits changed on this side. Everything else (who is served when, what is queued, how connections end) is above it, and
 * the same for both.
 */
#ifndef CVGI_NET_H
#define CVGI_NET_H

#include <pthread.h>

#include "connection.h"
#include "converge_net.h"
#include "waker.h"

enum {
    CVGI_RECEIVE_BYTES = 64 << 10,   /* about what one connection is given in a turn */
    CVGI_TAIL_COPIED_MAX = 16 << 10, /* longer tails are not copied in front of what follows them */
    CVGI_VECTORS_MAX = 128,          /* of one send */
    CVGI_LISTENERS_MAX = 16,
    CVGI_ACCEPTS_MAX = 64,           /* a turn */
    CVGI_ACCEPT_PAUSE_US = 100000,   /* when the process is out of descriptors */
    CVGI_ENDED_LINGER_US = 10000000, /* after ENDED, for the caller to close */
};

typedef struct cvgi_listener {
    int fd;
    bool pending; /* there may be connections to accept */
} cvgi_listener;

typedef struct cvgi_backend {
    const char *name;
    int (*open)(cvg_net *net); /* 0, or a negative errno; may be called from another thread than wait */
    void (*close)(cvg_net *net);
    /* A listener, or a connection that is connecting or open, has a socket. 0, or a negative errno. */
    int (*watch_listener)(cvg_net *net, uint32_t index);
    int (*watch)(cvg_net *net, cvgi_connection *connection);
    void (*forget_listeners)(cvg_net *net, uint32_t from);     /* their sockets are about to be closed */
    void (*forget)(cvg_net *net, cvgi_connection *connection); /* its socket is about to be closed */
    void (*attend)(cvg_net *net, cvgi_connection *connection); /* state, reading, blocked or discarding has changed */
    void (*reclaim)(cvg_net *net);                             /* what was lent in the last turn ends */
    int (*wait)(cvg_net *net, int64_t us);                     /* -1: without limit. 0, or a negative errno */
    int (*accept)(cvg_net *net, uint32_t index, cvgi_address *peer); /* a socket, or a negative errno */
    /* Takes what has arrived. Whether there is an event; *work: grows by the bytes taken. */
    bool (*receive)(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work);
    void (*transmit)(cvg_net *net, cvgi_link *turn); /* sends to all of the list, which is not empty, and empties it */
} cvgi_backend;

extern const cvgi_backend cvgi_epoll, cvgi_io_uring;

/* What `auto` tries first (docs/decisions/0008). */
#ifndef CVGI_AUTO
#define CVGI_AUTO CVG_NET_IO_URING
#endif

struct cvg_net {
    const cvgi_backend *backend;
    int epoll;                /* epoll: -1 otherwise */
    struct cvgi_arena *arena; /* epoll */
    struct cvgi_ring *ring;   /* io_uring */
    cvg_net_options options;  /* with the defaults filled in */
    cvgi_connections table;
    cvgi_chunk_pool chunks;
    cvgi_unfinished unfinished;
    cvgi_link ready;   /* to receive or to discard from, in the order of service */
    cvgi_link unsent;  /* something is queued, and the socket may take it */
    cvgi_link notices; /* CONNECTED, DRAINED, ENDED or CLOSED is to be told */
    cvgi_link ending;  /* discarding, not yet gone */
    cvgi_link gone;    /* CLOSED has been told: free from the next poll on */
    int64_t deadline;  /* not after the first deadline of `ending`; INT64_MAX: none */
    int64_t accept_at; /* not before this time; 0: any time */
    cvgi_listener listeners[CVGI_LISTENERS_MAX];
    uint32_t listener_count;
    cvg_waker *waker;
    pthread_t poller; /* who polled first */
    bool polled;
    bool woken;
    int fallback;        /* the errno for which io_uring is not used, though allowed by the options */
    cvg_net_stats stats; /* of it kept here: accepted, closed, bytes, calls, queued */
};

/* listener.c */
size_t cvgi_accept_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity);
bool cvgi_accept_pending(const cvg_net *net);
void cvgi_connect_ended(cvg_net *net, cvgi_connection *connection); /* the attempt under way has succeeded or failed */

/* stream.c */
cvg_net_event cvgi_lend(cvgi_connection *connection, const uint8_t *data, size_t bytes);
void cvgi_count_received(cvg_net *net, size_t bytes);
/* Nothing more is received, because of this errno or, 0, of the peer's end: ENDED will be told. */
void cvgi_end_receiving(cvg_net *net, cvgi_connection *connection, int error);
/* Receiving has come to the end of the stream, or to an error. */
void cvgi_stream_ended(cvg_net *net, cvgi_connection *connection, int error);
/* A connection that is not received from, or whose peer has ended, has failed: nobody would notice by receiving. */
void cvgi_check_failed(cvg_net *net, cvgi_connection *connection);
size_t cvgi_receive_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity);
/* What is to be sent to a connection now, in vectors: how many, 0 for nothing. */
size_t cvgi_gather(const cvgi_connection *connection, struct iovec *vectors, size_t vectors_max, size_t *wanted);
void cvgi_sent(cvg_net *net, cvgi_connection *connection, ssize_t sent, size_t wanted); /* bytes, or a negative errno */
void cvgi_transmit(cvg_net *net, cvgi_connection *connection); /* both, with sendmsg in between */
void cvgi_close(cvg_net *net, cvgi_connection *connection, int64_t linger_us);
void cvgi_close_when_sent(cvg_net *net, cvgi_connection *connection); /* closing: the next step, when it is time */
void cvgi_close_expired(cvg_net *net);
/* The connection is over: everything of it is released but its slot, and CLOSED will be told. */
void cvgi_finish(cvg_net *net, cvgi_connection *connection, int error);

/* net.c */
void cvgi_tell(cvg_net *net, cvgi_connection *connection, uint8_t what);
void cvgi_count_queued(cvg_net *net, cvgi_queue_bytes before, cvgi_queue_bytes after);

#endif
