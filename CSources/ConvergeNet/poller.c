/*
 * poller - the epoll backend.
 *
 * Edge-triggered, every socket added once for reading and writing and never modified: back pressure, a full socket and
 * the order of service are bits and lists here, not system calls. The edge sets readable (or ends blocked), and a short
 * recv or send, or EAGAIN, clears it; whoever stays readable stays in the ready list, and the poll does not sleep. The
 * price is that an edge must never be lost: it is noted for paused connections too, and a hangup is remembered until
 * recv has said it.
 *
 * Failure: epoll_wait's own errors are returned; everything about one socket ends that connection only.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"

enum { KERNEL_EVENTS = 256 };

/* Tags of what is not a connection: no connection's generation is 0. */
#define TAG_WAKER ((uint64_t)0)
#define TAG_LISTENER ((uint64_t)1) /* + index */

static int watch(cvg_net *net, int fd, uint32_t events, uint64_t tag) {
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = tag};
    return epoll_ctl(net->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_connection(cvg_net *net, cvgi_connection *connection) {
    return watch(net, connection->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, connection->id);
}

static int watch_listener(cvg_net *net, uint32_t index) {
    return watch(net, net->listeners[index].fd, EPOLLIN, TAG_LISTENER + index);
}

static int open_poller(cvg_net *net) {
    net->arena = calloc(1, sizeof *net->arena);
    if (net->arena == NULL) return -ENOMEM;
    net->arena->bytes = (size_t)net->options.receive_buffers * CVGI_RECEIVE_BYTES;
    net->arena->memory = aligned_alloc(4096, net->arena->bytes);
    if (net->arena->memory == NULL) return -ENOMEM;
    net->epoll = epoll_create1(EPOLL_CLOEXEC);
    return net->epoll < 0 ? -errno : watch(net, cvgi_waker_fd(net->waker), EPOLLIN, TAG_WAKER);
}

static void close_poller(cvg_net *net) {
    if (net->epoll >= 0) close(net->epoll);
    if (net->arena != NULL) free(net->arena->memory);
    free(net->arena);
}

/* A socket that is closed leaves epoll by itself, and edges are noted whether they are of use or not. */
static void forget_listeners(cvg_net *net, uint32_t from) {
    (void)net, (void)from;
}
static void leave_alone(cvg_net *net, cvgi_connection *connection) {
    (void)net, (void)connection;
}

static void reclaim(cvg_net *net) {
    net->arena->used = 0;
}

static void transmit(cvg_net *net, cvgi_link *turn) {
    while (!cvgi_list_empty(turn)) {
        cvgi_connection *connection = CVGI_LINKED_IN(turn->next, cvgi_connection, in_unsent);
        cvgi_list_remove(&connection->in_unsent);
        cvgi_transmit(net, connection);
    }
}

static int accept_one(cvg_net *net, uint32_t index, cvgi_address *peer) {
    socklen_t bytes = sizeof *peer;
    int fd = accept4(net->listeners[index].fd, &peer->any, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* ----------------------------------------------------------------------------------------------------------- waiting
 */

static int wait_for_kernel(const cvg_net *net, struct epoll_event *events, int64_t us) {
    if (us <= 0) return epoll_wait(net->epoll, events, KERNEL_EVENTS, us < 0 ? -1 : 0);
    struct timespec limit = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    int count = epoll_pwait2(net->epoll, events, KERNEL_EVENTS, &limit, NULL);
    if (count >= 0 || errno != ENOSYS) return count;
    int64_t ms = (us + 999) / 1000; /* Linux before 5.11 */
    return epoll_wait(net->epoll, events, KERNEL_EVENTS, ms < INT_MAX ? (int)ms : INT_MAX);
}

static void note_edge(cvg_net *net, cvgi_connection *connection, uint32_t edge) {
    if (connection->state == CVGI_CONNECTING) {
        if (!(edge & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
        cvgi_connect_ended(net, connection);
        if (connection->state != CVGI_OPEN) return;
    }
    if (edge & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->hangup = true;
    if (edge & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        connection->readable = true;
        bool receives = connection->reading || connection->discarding;
        if ((edge & (EPOLLERR | EPOLLHUP)) && (!receives || connection->peer_ended)) {
            cvgi_check_failed(net, connection); /* nobody would notice by receiving */
            return;
        }
        if (receives) cvgi_list_append(&net->ready, &connection->in_ready);
    }
    if ((edge & EPOLLOUT) && connection->blocked) {
        connection->blocked = false;
        cvgi_list_append(&net->unsent, &connection->in_unsent);
    }
}

static void note_edges(cvg_net *net, const struct epoll_event *events, int count) {
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64;
        cvgi_connection *connection = cvgi_connections_find(&net->table, tag);
        if (connection != NULL)
            note_edge(net, connection, events[i].events);
        else if (tag == TAG_WAKER)
            net->woken = true;
        else if (tag - TAG_LISTENER < net->listener_count)
            net->listeners[tag - TAG_LISTENER].pending = true;
    }
}

static int wait_and_note(cvg_net *net, int64_t us) {
    struct epoll_event events[KERNEL_EVENTS];
    int count = wait_for_kernel(net, events, us);
    if (count < 0) return -errno;
    note_edges(net, events, count);
    return 0;
}

const cvgi_backend cvgi_epoll = {
    .name = "epoll",
    .open = open_poller,
    .close = close_poller,
    .watch_listener = watch_listener,
    .watch = watch_connection,
    .forget_listeners = forget_listeners,
    .forget = leave_alone,
    .attend = leave_alone,
    .reclaim = reclaim,
    .wait = wait_and_note,
    .accept = accept_one,
    .receive = cvgi_arena_receive,
    .transmit = transmit,
};
