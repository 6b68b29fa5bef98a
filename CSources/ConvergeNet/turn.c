/*
 * turn - create and destroy, and one turn of the loop:
 *
 *   reclaim what was lent ─▶ send what is queued ─▶ wait ─▶ note edges ─▶ tell ─▶ accept ─▶ receive ─▶ tell
 *
 * The backend is chosen when the net is created. Where `auto` would be io_uring and io_uring cannot be had, it is
 * epoll, and the net remembers why.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "net.h"

/* ----------------------------------------------------------------------------------------------- create and destroy */

static int open_backend(cvg_net *net) {
    uint32_t wanted = net->options.backend == CVG_NET_AUTO ? CVGI_AUTO : net->options.backend;
    if (wanted > CVG_NET_EPOLL) return -EINVAL;
    if (wanted != CVG_NET_EPOLL) {
        net->backend = &cvgi_io_uring;
        int failed = net->backend->open(net);
        if (!failed || net->options.backend == CVG_NET_IO_URING) return failed;
        net->backend->close(net);
        net->fallback = -failed;
    }
    net->backend = &cvgi_epoll;
    return net->backend->open(net);
}

const char *cvg_net_io_uring_refused(int error) {
    switch (error < 0 ? -error : error) {
    case ENOSYS:
        return "this kernel is built without io_uring, or a sandbox hides it: choose epoll";
    case EPERM:
    case EACCES:
        return "the system forbids io_uring (the sysctl kernel.io_uring_disabled, or a container's seccomp profile): "
               "allow it there, or choose epoll";
    case EINVAL:
        return "the io_uring of this kernel is too old: Linux 6.1 or newer has what is needed; or choose epoll";
    case ENOMEM:
        return "io_uring may not use enough memory: raise the limit of locked memory (ulimit -l), or choose epoll";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is left for io_uring: raise the limit of open files (ulimit -n)";
    default:
        return "io_uring does not work on this system: choose epoll";
    }
}

const char *cvg_net_backend(const cvg_net *net, const char **fallback) {
    if (fallback != NULL) *fallback = net->fallback == 0 ? NULL : cvg_net_io_uring_refused(net->fallback);
    return net->backend->name;
}

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
    cvgi_list_init(&created->ending);
    cvgi_list_init(&created->gone);
    created->deadline = INT64_MAX;
    created->epoll = -1;
    int failed = cvgi_waker_create(&created->waker);
    if (!failed) failed = open_backend(created);
    if (failed) {
        cvg_net_destroy(created);
        return failed;
    }
    *net = created;
    return 0;
}

void cvg_net_destroy(cvg_net *net) {
    if (net == NULL) return;
    if (net->listener_count > 0) cvg_net_stop_listening(net);
    for (uint32_t slot = 0; slot < net->table.count; slot++) {
        cvgi_connection *connection = net->table.slots[slot];
        if (connection->state == CVGI_CONNECTING || connection->state == CVGI_OPEN) cvgi_finish(net, connection, 0);
    }
    cvgi_unfinished_reclaim(&net->unfinished);
    cvgi_chunk_pool_free(&net->chunks);
    cvgi_connections_free(&net->table);
    if (net->backend != NULL) net->backend->close(net);
    if (net->waker != NULL) cvg_waker_release(net->waker);
    free(net);
}

/* ------------------------------------------------------------------------------------------------------------ a turn
 */

/* Who was told to be closed is forgotten, unless the kernel still has requests of it. */
static void forget_gone(cvg_net *net) {
    for (cvgi_link *link = net->gone.next, *next; link != &net->gone; link = next) {
        next = link->next;
        cvgi_connection *connection = CVGI_LINKED_IN(link, cvgi_connection, in_rest);
        if (connection->in_kernel != 0) continue;
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
        } else if (connection->tell & CVGI_TELL_ENDED) {
            event->type = CVG_NET_ENDED;
            event->error = (int16_t)connection->end;
            connection->tell &= (uint8_t)~CVGI_TELL_ENDED;
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

static uint64_t unfinished_of(const cvgi_connection *connection) {
    const cvgi_tail_buffer *buffer = connection->tail.buffer;
    return connection->copied + (buffer != NULL ? buffer->capacity : 0);
}

/* A quarter of the budget of unfinished messages is kept free for whoever comes next: who holds most of it pays, so
 * that a few who begin large messages and never end them cannot close everyone else. No bytes are lent here. */
static void relieve(cvg_net *net) {
    const uint64_t comfortable = net->unfinished.max - net->unfinished.max / 4;
    while (net->unfinished.bytes > comfortable) {
        uint64_t largest = 0;
        for (uint32_t slot = 0; slot < net->table.count; slot++) {
            uint64_t held = unfinished_of(net->table.slots[slot]);
            if (held > largest) largest = held;
        }
        if (largest == 0) return;
        for (uint32_t slot = 0; slot < net->table.count && net->unfinished.bytes > comfortable; slot++) {
            cvgi_connection *connection = net->table.slots[slot];
            uint64_t held = unfinished_of(connection);
            if (held == 0 || held < largest - largest / 2) continue;
            cvgi_end_receiving(net, connection, ENOBUFS);
            cvgi_unfinished_reclaim(&net->unfinished);
        }
    }
}

/* A ring belongs to the thread that made it, and the first poll makes it. */
static bool may_poll(cvg_net *net) {
    pthread_t caller = pthread_self();
    if (!net->polled) net->poller = caller;
    net->polled = true;
    return pthread_equal(net->poller, caller);
}

int cvg_net_poll(cvg_net *net, int64_t timeout_us, cvg_net_event *events, size_t capacity) {
    CVGI_ASSERT(capacity > 0);
    if (!may_poll(net)) return -EPERM;
    if (capacity > INT_MAX) capacity = INT_MAX;
    int64_t until = 0;
    if (timeout_us < 0)
        until = INT64_MAX;
    else if (timeout_us > 0)
        until = earlier(timeout_us, INT64_MAX / 2) + cvg_net_now_us();
    net->stats.polls += 1;
    net->backend->reclaim(net);
    cvgi_unfinished_reclaim(&net->unfinished);
    for (;;) {
        relieve(net);
        forget_gone(net);
        cvg_net_flush(net);
        int failed = net->backend->wait(net, sleep_us(net, until));
        if (failed) return failed == -EINTR ? 0 : failed;
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
