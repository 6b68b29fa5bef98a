/*
 * net_support - what the transport's tests share: a message format, a consumer that checks and echoes, raw client
 * sockets, segments that count their ends.
 *
 * A message: total length u32 | number u32 | (total - 8) bytes that follow from both.
 */
#ifndef NET_SUPPORT_H
#define NET_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "converge.h"
#include "converge_net.h"

enum { MESSAGE_HEADER = 8, EVENTS = 256, SLOTS = 4096 };

static inline uint8_t pattern(uint32_t number, uint32_t at) {
    return (uint8_t)(number * 131 + at * 7 + (at >> 8));
}

static inline void put_message(uint8_t *to, uint32_t bytes, uint32_t number) {
    memcpy(to, &bytes, 4);
    memcpy(to + 4, &number, 4);
    for (uint32_t i = MESSAGE_HEADER; i < bytes; i++) to[i] = pattern(number, i);
}

/* A stream of messages with these lengths, numbered from 0. */
static inline uint8_t *make_stream(const uint32_t *lengths, size_t count, size_t *bytes) {
    *bytes = 0;
    for (size_t i = 0; i < count; i++) *bytes += lengths[i];
    uint8_t *stream = malloc(*bytes), *at = stream;
    for (size_t i = 0; i < count; at += lengths[i], i++) put_message(at, lengths[i], (uint32_t)i);
    return stream;
}

static const uint32_t small_lengths[] = {8, 9, 8, 31, 12, 64, 100, 8, 257, 20, 500, 8};
enum { SMALL_COUNT = sizeof small_lengths / sizeof *small_lengths };

static inline uint8_t *small_stream(size_t *bytes) {
    return make_stream(small_lengths, SMALL_COUNT, bytes);
}

/* ----------------------------------------------------------------------------------------------------------- server */

typedef struct server {
    cvg_net *net;
    uint16_t port;
    bool echo;
    bool keeps_ended;    /* does not close who has ended */
    uint64_t queued_max; /* who has more in its queue is not read from until it has drained; 0: everybody is */
    uint32_t accepted, closed, drained, woken, connected, ended;
    uint64_t messages;
    uint32_t next_number[SLOTS]; /* by slot: the number that the next message must have */
    cvg_connection by_slot[SLOTS];
    cvg_connection last;      /* accepted or connected last */
    int last_error, last_end; /* of the last CLOSED, of the last ENDED */
    cvg_net_event events[EVENTS];
    size_t capacity;
} server;

static uint32_t backend_tested; /* cvg_net_backend_choice */

static inline void server_start(server *server, cvg_net_options options) {
    memset(server, 0, sizeof *server);
    if (options.backend == CVG_NET_AUTO) options.backend = backend_tested;
    server->capacity = EVENTS;
    server->echo = true;
    assert_int_equal(cvg_net_create(&options, &server->net), 0);
    assert_int_equal(cvg_net_listen(server->net, "127.0.0.1", 0, &server->port), 0);
    assert_int_not_equal(server->port, 0);
}

static inline void server_stop(server *server) {
    cvg_net_destroy(server->net);
    server->net = NULL;
}

/* Walks whole messages, checks every byte, echoes, and says what is missing: first a header, then the message. */
static inline void serve_bytes(server *server, const cvg_net_event *event) {
    uint32_t slot = CVG_CONNECTION_SLOT(event->connection), at = 0, need = 0;
    while (at < event->bytes) {
        uint32_t left = event->bytes - at, bytes, number;
        need = MESSAGE_HEADER;
        if (left < MESSAGE_HEADER) break;
        memcpy(&bytes, event->data + at, 4);
        memcpy(&number, event->data + at + 4, 4);
        assert_int_equal(number, server->next_number[slot]);
        need = bytes;
        if (left < bytes) break;
        for (uint32_t i = MESSAGE_HEADER; i < bytes; i++)
            if (event->data[at + i] != pattern(number, i)) fail_msg("message %u differs at byte %u", number, i);
        server->next_number[slot] += 1;
        server->messages += 1;
        if (server->echo) {
            uint8_t *room = cvg_net_reserve(server->net, event->connection, bytes);
            if (room != NULL) {
                memcpy(room, event->data + at, bytes);
                cvg_net_commit(server->net, event->connection, bytes);
            }
        }
        at += bytes;
    }
    cvg_net_consume(server->net, event, at, need);
}

/* One poll, everything handled. The number of events. */
static inline int server_turn(server *server, int64_t timeout_us) {
    int count = cvg_net_poll(server->net, timeout_us, server->events, server->capacity);
    assert_true(count >= 0);
    cvg_connection received[EVENTS];
    int receivers = 0;
    for (int i = 0; i < count; i++) {
        const cvg_net_event *event = &server->events[i];
        uint32_t slot = CVG_CONNECTION_SLOT(event->connection);
        switch (event->type) {
        case CVG_NET_ACCEPTED:
        case CVG_NET_CONNECTED:
            assert_true(slot < SLOTS);
            assert_int_equal(server->by_slot[slot], 0);
            server->by_slot[slot] = server->last = event->connection;
            server->next_number[slot] = 0;
            *(event->type == CVG_NET_ACCEPTED ? &server->accepted : &server->connected) += 1;
            break;
        case CVG_NET_RECEIVED:
            assert_int_equal(server->by_slot[slot], event->connection);
            assert_true(event->bytes > 0);
            for (int j = 0; j < receivers; j++) assert_true(received[j] != event->connection);
            received[receivers++] = event->connection;
            serve_bytes(server, event);
            if (server->queued_max > 0 && cvg_net_unsent(server->net, event->connection).bytes > server->queued_max)
                cvg_net_set_reading(server->net, event->connection, false);
            break;
        case CVG_NET_DRAINED:
            if (server->queued_max > 0) cvg_net_set_reading(server->net, event->connection, true);
            server->drained += 1;
            break;
        case CVG_NET_ENDED:
            assert_int_equal(server->by_slot[slot], event->connection);
            server->ended += 1;
            server->last_end = event->error;
            if (!server->keeps_ended) cvg_net_close(server->net, event->connection, 10000000);
            break;
        case CVG_NET_CLOSED:
            assert_true(server->by_slot[slot] == event->connection || server->by_slot[slot] == 0);
            server->by_slot[slot] = 0;
            server->closed += 1;
            server->last_error = event->error;
            break;
        default:
            assert_int_equal(event->type, CVG_NET_WOKEN);
            assert_int_equal(event->connection, 0);
            server->woken += 1;
        }
    }
    return count;
}

static inline cvg_net_stats server_stats(const server *server) {
    cvg_net_stats stats;
    cvg_net_stats_read(server->net, &stats);
    return stats;
}

/* Turns until the condition holds. A condition that never holds would run into the time-out of the test run. */
#define TURN_UNTIL(server, condition)                                                                                  \
    do {                                                                                                               \
        while (!(condition)) server_turn(server, 1000);                                                                \
    } while (0)

extern bool cvgi_bundles_allowed; /* ring.h */

/* Runs the tests on both backends, on io_uring with bundles of receive buffers and, as where the kernel has none,
 * without them. One that this machine does not allow is said to be left out, and io_uring may be left out only if the
 * transport says why. The number of failed tests. */
#define RUN_ON_BOTH_BACKENDS(tests)                                                                                    \
    ({                                                                                                                 \
        int failed = RUN_ON_IO_URING(tests);                                                                           \
        if (backend_chosen(CVG_NET_EPOLL, true)) failed += cmocka_run_group_tests_name("on epoll", tests, NULL, NULL); \
        failed;                                                                                                        \
    })

#define RUN_ON_IO_URING(tests)                                                                                         \
    ({                                                                                                                 \
        int failed = 0;                                                                                                \
        for (int without = 0; without < 2; without++)                                                                  \
            if (backend_chosen(CVG_NET_IO_URING, !without))                                                            \
                failed += cmocka_run_group_tests_name(without ? "on io_uring, without bundles" : "on io_uring", tests, \
                                                      NULL, NULL);                                                     \
        failed;                                                                                                        \
    })

static inline bool backend_works(uint32_t backend) {
    cvg_net *net;
    int failed = cvg_net_create(&(cvg_net_options){.backend = backend}, &net);
    if (!failed) {
        cvg_net_destroy(net);
        return true;
    }
    printf("NOT TESTED on %s: %s\n", backend == CVG_NET_EPOLL ? "epoll" : "io_uring", cvg_net_io_uring_refused(failed));
    return false;
}

static inline bool backend_chosen(uint32_t backend, bool bundles) {
    backend_tested = backend;
    cvgi_bundles_allowed = bundles;
    return backend_works(backend);
}

/* ----------------------------------------------------------------------------------------------------------- client */

/* A non-blocking socket connected to the port; receive_bytes > 0: with a small receive buffer. */
static inline int client_connect(uint16_t port, int receive_bytes) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (receive_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Closes with RST. */
static inline void client_reset(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static inline size_t client_write(int fd, const void *bytes, size_t count) {
    ssize_t written = send(fd, bytes, count, MSG_NOSIGNAL);
    if (written < 0) assert_int_equal(errno, EAGAIN);
    return written < 0 ? 0 : (size_t)written;
}

/* Bytes read; 0: none now; *ended at the end of the stream or after a reset. */
static inline size_t client_read(int fd, void *into, size_t count, bool *ended) {
    ssize_t got = recv(fd, into, count, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) *ended = true;
    return got > 0 ? (size_t)got : 0;
}

/* Writes `bytes` in pieces of at most `piece` while the server turns and echoes, and compares what comes back. */
static inline void client_echo(server *server, int fd, const uint8_t *stream, size_t bytes, size_t piece) {
    size_t sent = 0, received = 0;
    uint8_t *back = malloc(bytes);
    bool ended = false;
    while (received < bytes) {
        if (sent < bytes) sent += client_write(fd, stream + sent, bytes - sent < piece ? bytes - sent : piece);
        server_turn(server, sent < bytes ? 0 : 1000);
        received += client_read(fd, back + received, bytes - received, &ended);
        assert_false(ended);
    }
    assert_memory_equal(back, stream, bytes);
    free(back);
}

/* Reads to the end of the stream while the server turns. */
static inline size_t client_drain(server *server, int fd, uint8_t *into, size_t capacity) {
    size_t received = 0;
    bool ended = false;
    while (!ended) {
        size_t got = client_read(fd, into + received, capacity - received + 1, &ended);
        received += got;
        assert_true(received <= capacity);
        if (got == 0) server_turn(server, 1000);
    }
    return received;
}

/* --------------------------------------------------------------------------------------------------------- segments */

static inline void segment_dispose(cvg_segment *segment) {
    *(uint32_t *)segment->owner += 1;
    free(segment->bytes);
    free(segment);
}

/* A segment of random-looking bytes, referenced once; *disposed counts its end. */
static inline cvg_segment *segment_make(uint32_t bytes, uint32_t number, uint32_t *disposed) {
    cvg_segment *segment = malloc(sizeof *segment);
    *segment = (cvg_segment){.bytes = malloc(bytes),
                             .capacity = bytes,
                             .used = bytes,
                             .references = 1,
                             .dispose = segment_dispose,
                             .owner = disposed};
    for (uint32_t i = 0; i < bytes; i++) segment->bytes[i] = pattern(number, i);
    return segment;
}

#endif
