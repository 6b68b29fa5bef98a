/*
 * converge_net.h - the transport: sockets in, events out; segments in, bytes out.
 *
 *   sockets ─▶ cvg_net_poll ─▶ events ─▶ (caller decodes) ─▶ cvg_net_consume
 *   (caller) ─▶ cvg_net_reserve/commit, cvg_net_send ─▶ queue ─▶ one gathered send a connection and turn ─▶ sockets
 *
 * Model. One `cvg_net` is an event loop's socket side: it is polled, and calls nothing back. Received bytes are lent to
 * the caller until the next poll. What is queued to a connection during a turn goes out in one gathered send at the
 * start of the next poll (or at cvg_net_flush).
 *
 * Unfinished frames. After each RECEIVED event the caller says how many bytes it used, and, if a message is unfinished,
 * how many bytes the whole message has (or at least: a header's size). The transport keeps the unused rest, and
 * delivers it again with what has arrived since, in one event, when it is as long as was asked (or longer: messages
 * behind it may follow in the same event). So only tails are copied, every event begins at a message boundary, and one
 * poll has at most one RECEIVED event a connection.
 *
 * Ends. When the peer ends its side (EOF), what it sent is delivered first, then ENDED: the caller queues what it still
 * has to say and calls cvg_net_close. The same where nothing more may be received because of a bound. When sending
 * fails, what the peer had sent before is still delivered to a caller who is reading, then the connection closes with
 * the error.
 *
 *   ACCEPTED or CONNECTED ─▶ RECEIVED, DRAINED, any number ─▶ ENDED ─▶ cvg_net_close ─▶ CLOSED
 *                                                     └──────▶ cvg_net_close ────────────────┘ (or a failure)
 *
 * Threads. Everything on one thread at a time, except cvg_net_wake and the cvg_waker functions, which any thread may
 * call at any time. The first poll binds the net to its thread: a poll by another one is -EPERM.
 * Ownership. `data` of an event is valid until the next cvg_net_poll. cvg_net_send retains the segment itself.
 * Errors. 0, or a negative errno.
 */
#ifndef CONVERGE_NET_H
#define CONVERGE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cvg_segment; /* converge.h */

typedef struct cvg_net cvg_net;
typedef struct cvg_waker cvg_waker;

/* Names a connection until its CLOSED event; never reused while it can still appear in an event. Low 32 bits: a dense
 * slot number (use it to index arrays); high 32 bits: a generation. 0 is no connection. */
typedef uint64_t cvg_connection;
#define CVG_CONNECTION_SLOT(connection) ((uint32_t)(connection))

/* How sockets are served. Both behave the same; io_uring needs Linux 6.1, and a system that allows it. */
typedef enum cvg_net_backend_choice {
    CVG_NET_AUTO = 0, /* io_uring, or epoll where io_uring cannot be had: cvg_net_backend says why */
    CVG_NET_IO_URING = 1,
    CVG_NET_EPOLL = 2
} cvg_net_backend_choice;

typedef struct cvg_net_options {
    uint32_t connections_max; /* 0: 65,536 */
    uint32_t receive_buffers; /* 64 KiB each, lent per turn; 0: 32 */
    uint64_t unfinished_max;  /* bytes of unfinished messages, all connections together; 0: 256 MiB */
    uint32_t message_max;     /* most a caller may ask for with `need`; 0: 4 MiB */
    uint64_t queue_low;       /* DRAINED when a queue falls to this many bytes; 0: 128 KiB */
    uint32_t backend;         /* cvg_net_backend_choice */
    bool share_port;          /* other nets of this program listen on the same port: SO_REUSEPORT */
} cvg_net_options;

/* -ENOMEM, -EMFILE, ...; with CVG_NET_IO_URING also whatever cvg_net_io_uring_refused has a sentence for. */
int cvg_net_create(const cvg_net_options *options, cvg_net **net);
void cvg_net_destroy(cvg_net *net); /* closes every socket at once, releases every segment; NULL is allowed */

/* "io_uring" or "epoll". *fallback (may be NULL): why not io_uring though the options allow it, a sentence; else NULL.
 */
const char *cvg_net_backend(const cvg_net *net, const char **fallback);

/* Why io_uring cannot be had, for an errno (of either sign) that cvg_net_create returned: a sentence, without its end.
 */
const char *cvg_net_io_uring_refused(int error);

/* Listens on a numeric address or a name ("127.0.0.1", "::1", "localhost"); port 0 picks one. *bound: the port.
 * -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EHOSTUNREACH (the name does not resolve). */
int cvg_net_listen(cvg_net *net, const char *host, uint16_t port, uint16_t *bound);

/* Stops accepting; open connections go on. */
void cvg_net_stop_listening(cvg_net *net);

/* Starts to connect, trying every address of a name; CONNECTED or CLOSED follows as an event. What is queued before
 * goes out then. -EHOSTUNREACH (the name does not resolve), -EUSERS (connections_max reached), -ENOMEM. */
int cvg_net_connect(cvg_net *net, const char *host, uint16_t port, cvg_connection *connection);

typedef enum cvg_net_event_type {
    CVG_NET_ACCEPTED = 1,
    CVG_NET_CONNECTED = 2, /* of cvg_net_connect */
    CVG_NET_RECEIVED = 3,
    CVG_NET_DRAINED = 4, /* the queue had been above queue_low and has fallen to it */
    CVG_NET_CLOSED = 5,  /* the connection is gone; its last event */
    CVG_NET_WOKEN = 6,
    /* Nothing more will be received from this connection; it can still be sent to, and is to be closed. Who does not
     * close it finds it closed 10 s later, what is left in its queue dropped. Told once, after the last RECEIVED; not
     * told when the caller has closed the connection, nor when it has failed. */
    CVG_NET_ENDED = 7
} cvg_net_event_type;

typedef struct cvg_net_event {
    cvg_connection connection; /* 0 for WOKEN */
    const uint8_t *data;       /* RECEIVED */
    uint32_t bytes;            /* RECEIVED */
    uint16_t type;             /* cvg_net_event_type */
    int16_t error;             /* CLOSED: 0 orderly, else the errno (e.g. ECONNRESET, ECONNREFUSED, ETIMEDOUT).
                                  ENDED: 0 the peer has ended its side; EMSGSIZE: `need` above message_max; ENOBUFS: of those with
                                  unfinished messages this one held most when three quarters of unfinished_max were reached, or
                                  unfinished_max or the memory is used up. Its unfinished bytes are gone. */
} cvg_net_event;

/* Sends what is queued, then waits for something to happen, at most timeout_us (-1: no limit, 0: not at all), and fills
 * events. Returns their number, 0 on time-out or when interrupted (by a signal, or by the
 * kernel's own work), or a negative errno (-EPERM: another thread polled first). Everything lent before ends. */
int cvg_net_poll(cvg_net *net, int64_t timeout_us, cvg_net_event *events, size_t capacity);

/* Answers a RECEIVED event, exactly once, before the next poll (unanswered counts as used). `used` bytes of its data
 * are done with. If used < bytes, the rest is kept, and `need` says how long the unfinished message is as far as known
 * (more than the rest; a caller who sees only part of a header asks for a header). On a closed connection it does
 * nothing. */
void cvg_net_consume(cvg_net *net, const cvg_net_event *event, uint32_t used, uint32_t need);

/* Stops or resumes reading from a connection (back pressure). Bytes already lent are still the caller's to consume. */
void cvg_net_set_reading(cvg_net *net, cvg_connection connection, bool reading);

/* Room for `bytes` contiguous bytes at the end of the connection's queue, to be written in place and committed before
 * any other call on that connection. NULL: out of memory, or the connection is closing. */
uint8_t *cvg_net_reserve(cvg_net *net, cvg_connection connection, size_t bytes);
void cvg_net_commit(cvg_net *net, cvg_connection connection, size_t bytes);

/* Queues a slice of a shared segment by reference. `weight` counts notifications. -ENOTCONN (closing), -ENOMEM. */
int cvg_net_send(cvg_net *net, cvg_connection connection, struct cvg_segment *segment, uint32_t offset, uint32_t bytes,
                 uint32_t weight);

/* What is queued and not yet taken by the kernel. Bytes are exact; the weight of a slice counts until all of it is
 * taken (and, where slices that follow each other in one segment go out as one, until all of them are). */
typedef struct cvg_net_queued {
    uint64_t bytes;
    uint64_t weight;
    uint64_t private_bytes; /* of the bytes: reserved and committed, not in shared segments */
    uint64_t memory;        /* that the queue takes: chunks of private bytes, and a long list of slices */
} cvg_net_queued;
cvg_net_queued cvg_net_unsent(const cvg_net *net, cvg_connection connection);

/* Sends now what is queued to every connection of this turn, as far as the sockets take it. */
void cvg_net_flush(cvg_net *net);

/* Drops what is queued but not begun, so that a last message can still be queued behind the one under way. Cuts at the
 * boundaries of cvg_net_send and cvg_net_commit: queue whole messages with each. */
void cvg_net_discard_unsent(cvg_net *net, cvg_connection connection);

/* Closes after everything queued is sent and the peer has ended its side too, or after linger_us at the latest (0: at
 * once, nothing more is sent). Nothing more is delivered or can be queued. CLOSED follows as an event; its error is
 * ETIMEDOUT when something queued did not get out in time. */
void cvg_net_close(cvg_net *net, cvg_connection connection, int64_t linger_us);

/* "address:port" of the peer, zero-terminated; empty when unknown. */
void cvg_net_peer(const cvg_net *net, cvg_connection connection, char *text, size_t capacity);

/* Makes a poll under way, or the next one, return with WOKEN. Any thread; async-signal-safe. */
void cvg_net_wake(cvg_net *net);

/* The same for threads that may outlive the net: a reference of its own, ended with cvg_waker_release. After
 * cvg_net_destroy waking does nothing. */
cvg_waker *cvg_net_waker(cvg_net *net);
void cvg_waker_wake(cvg_waker *waker); /* any thread; async-signal-safe */
void cvg_waker_release(cvg_waker *waker);

/* CLOCK_MONOTONIC in microseconds: the time base of every timeout. */
int64_t cvg_net_now_us(void);

typedef struct cvg_net_stats {
    uint64_t connections, accepted, closed;
    uint64_t bytes_in, bytes_out, receives, sends, polls;
    uint64_t bundles; /* receive requests of io_uring that have filled more than one buffer */
    uint64_t unfinished_bytes, unfinished_peak, unfinished_max;
    uint64_t queued_bytes, queued_peak; /* to be sent; a slice of a shared segment counts for each reader */
    uint64_t unsent_private_bytes, unsent_private_peak; /* of them: reserved and committed, in memory of its own */
    uint64_t queue_memory_bytes, queue_memory_peak;     /* that all send queues take, see cvg_net_queued */
} cvg_net_stats;
void cvg_net_stats_read(const cvg_net *net, cvg_net_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
