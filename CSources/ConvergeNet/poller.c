/*
 * poller - the turn, on epoll.
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

#include "net.h"

enum { KERNEL_EVENTS = 256 };

/* Tags of what is not a connection: no connection's generation is 0. */
#define TAG_WAKER ((uint64_t)0)
#define TAG_LISTENER ((uint64_t)1) /* + index */

static int watch(cvg_net *net, int fd, uint32_t events, uint64_t tag) {
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = tag};
    return epoll_ctl(net->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int cvgi_watch_connection(cvg_net *net, cvgi_connection *connection) {
    return watch(net, connection->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, connection->id);
}

int cvgi_watch_listener(cvg_net *net, uint32_t index) {
    return watch(net, net->listeners[index].fd, EPOLLIN, TAG_LISTENER + index);
}

/* ----------------------------------------------------------------------------------------------- create and destroy */

int cvg_net_create(const cvg_net_options *options, cvg_net **net) {
    cvg_net *created = calloc(1, sizeof *created);
    if (created == NULL) return -ENOMEM;
    cvg_net_options *filled = &created->options;
    if (options != NULL) *filled = *options;
    if (filled->connections_max == 0) filled->connections_max = 65536;
    if (filled->receive_buffers == 0) filled->receive_buffers = 32;
    if (filled->unfinished_max == 0) filled->unfinished_max = 256u << 20;
    if (filled->message_max == 0) filled->message_max = 4u << 20;
    if (filled->queue_low == 0) filled->queue_low = 128u << 10;
    cvgi_connections_init(&created->table, filled->connections_max);
    created->unfinished.max = filled->unfinished_max;
    cvgi_list_init(&created->ready);
    cvgi_list_init(&created->unsent);
    cvgi_list_init(&created->notices);
    cvgi_list_init(&created->closing);
    cvgi_list_init(&created->gone);
    created->deadline = INT64_MAX;
    created->arena_bytes = (size_t)filled->receive_buffers * CVGI_RECEIVE_BYTES;
    created->arena = aligned_alloc(4096, created->arena_bytes);
    created->epoll = epoll_create1(EPOLL_CLOEXEC);
    int failed = created->epoll < 0 ? -errno : created->arena == NULL ? -ENOMEM : 0;
    if (!failed) failed = cvgi_waker_create(&created->waker);
    if (!failed) failed = watch(created, cvgi_waker_fd(created->waker), EPOLLIN, TAG_WAKER);
    if (failed) {
        cvg_net_destroy(created);
        return failed;
    }
    *net = created;
    return 0;
}

void cvg_net_destroy(cvg_net *net) {
    if (net == NULL) return;
    cvg_net_stop_listening(net);
    for (uint32_t slot = 0; slot < net->table.count; slot++) {
        cvgi_connection *connection = net->table.slots[slot];
        if (connection->state == CVGI_CONNECTING || connection->state == CVGI_OPEN) cvgi_finish(net, connection, 0);
    }
    cvgi_unfinished_reclaim(&net->unfinished);
    cvgi_chunk_pool_free(&net->chunks);
    cvgi_connections_free(&net->table);
    if (net->waker != NULL) cvg_waker_release(net->waker);
    if (net->epoll >= 0) close(net->epoll);
    free(net->arena);
    free(net);
}

/* ------------------------------------------------------------------------------------------------------------ a turn
 */

/* What was lent in the last turn ends; who was told to be closed is forgotten. */
static void reclaim(cvg_net *net) {
    net->arena_used = 0;
    cvgi_unfinished_reclaim(&net->unfinished);
    while (!cvgi_list_empty(&net->gone)) {
        cvgi_connection *connection = CVGI_LINKED_IN(net->gone.next, cvgi_connection, in_rest);
        cvgi_list_remove(&connection->in_rest);
        cvgi_connections_give_back(&net->table, connection);
    }
}

static int64_t earlier(int64_t one, int64_t other) {
    return one < other ? one : other;
}

/* Microseconds that the poll may sleep; -1: without limit. `until`: the caller's limit, INT64_MAX: none. */
static int64_t sleep_us(const cvg_net *net, int64_t until) {
    if (until == 0 || net->woken || !cvgi_list_empty(&net->ready) || !cvgi_list_empty(&net->unsent) ||
        !cvgi_list_empty(&net->notices))
        return 0;
    int64_t limit = earlier(until, net->deadline);
    if (cvgi_accept_pending(net)) limit = earlier(limit, net->accept_at);
    if (limit == INT64_MAX) return -1;
    int64_t left = limit - cvg_net_now_us();
    return left > 0 ? left : 0;
}

static int wait_for_kernel(const cvg_net *net, struct epoll_event *events, int64_t us) {
    if (us <= 0) return epoll_wait(net->epoll, events, KERNEL_EVENTS, us < 0 ? -1 : 0);
    struct timespec limit = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    int count = epoll_pwait2(net->epoll, events, KERNEL_EVENTS, &limit, NULL);
    if (count >= 0 || errno != ENOSYS) return count;
    int64_t ms = (us + 999) / 1000; /* Linux before 5.11 */
    return epoll_wait(net->epoll, events, KERNEL_EVENTS, ms < INT_MAX ? (int)ms : INT_MAX);
}

static int socket_error(int fd) {
    int error = 0;
    socklen_t bytes = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0 ? errno : error;
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
        if (connection->reading || connection->closing) {
            cvgi_list_append(&net->ready, &connection->in_ready);
        } else if (edge & (EPOLLERR | EPOLLHUP)) { /* nobody would notice by reading */
            cvgi_finish(net, connection, socket_error(connection->fd));
            return;
        }
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

static size_t tell(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity) {
    while (count < capacity && !cvgi_list_empty(&net->notices)) {
        cvgi_connection *connection = CVGI_LINKED_IN(net->notices.next, cvgi_connection, in_notices);
        cvg_net_event *event = &events[count++];
        *event = (cvg_net_event){.connection = connection->id};
        if (connection->tell & CVGI_TELL_CONNECTED) {
            event->type = CVG_NET_CONNECTED;
            connection->tell &= (uint8_t)~CVGI_TELL_CONNECTED;
        } else if (connection->tell & CVGI_TELL_DRAINED) {
            event->type = CVG_NET_DRAINED;
            connection->tell &= (uint8_t)~CVGI_TELL_DRAINED;
        } else {
            event->type = CVG_NET_CLOSED;
            event->error = (int16_t)connection->error;
            connection->tell = 0;
            cvgi_list_append(&net->gone, &connection->in_rest);
        }
        if (connection->tell == 0) cvgi_list_remove(&connection->in_notices);
    }
    return count;
}

int cvg_net_poll(cvg_net *net, int64_t timeout_us, cvg_net_event *events, size_t capacity) {
    CVGI_ASSERT(capacity > 0);
    if (capacity > INT_MAX) capacity = INT_MAX;
    struct epoll_event kernel[KERNEL_EVENTS];
    int64_t until = 0;
    if (timeout_us < 0)
        until = INT64_MAX;
    else if (timeout_us > 0)
        until = earlier(timeout_us, INT64_MAX / 2) + cvg_net_now_us();
    net->stats.polls += 1;
    reclaim(net);
    for (;;) {
        cvg_net_flush(net);
        int edges = wait_for_kernel(net, kernel, sleep_us(net, until));
        if (edges < 0) return errno == EINTR ? 0 : -errno;
        note_edges(net, kernel, edges);
        cvg_net_flush(net);
        cvgi_close_expired(net);
        size_t count = 0;
        if (net->woken) {
            net->woken = false;
            events[count++] = (cvg_net_event){.type = CVG_NET_WOKEN};
        }
        count = tell(net, events, count, capacity);
        count = cvgi_accept_turn(net, events, count, capacity);
        count = cvgi_receive_turn(net, events, count, capacity);
        count = tell(net, events, count, capacity);
        if (count > 0) return (int)count;
        if (until == 0 || (until != INT64_MAX && cvg_net_now_us() >= until)) return 0;
    }
}
