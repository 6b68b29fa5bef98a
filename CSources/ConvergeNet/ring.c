/*
 * ring - the io_uring backend: requests in, completions out.
 *
 *   attention ─▶ requests ─▶ submit and wait, one system call ─▶ completions ─▶ pieces, lists ─▶ stream.c
 *
 * Requests of a connection: one multishot receive into the pool of buffers; a poll for "writable" while it connects,
 * and from when its socket is full for the first time; a poll for "failed" from when it is paused for the first time,
 * or has ended, when nobody else would notice. Both are edges, as the epoll backend has them. Of a listener: one
 * multishot accept. Of the waker: one multishot poll. A completion names its request by 64 bits:
 *
 *   ├ generation (of the connection or the listener), 32 ┼ what, 4 ┼ slot or index, 28 ┤
 *
 * Invariants
 *   1. Requests are made in `wait` only, by the thread that polls, right before they are submitted: no descriptor in
 *      them is closed, and perhaps reused, before the kernel has resolved it.
 *   2. in_kernel has the bit of every request that has been made and whose last completion has not been seen; the slot
 *      is not reused before it is 0. So whatever a completion names is still the one it meant.
 *   3. A buffer is the kernel's (available), or a piece's, or lent; what is lent comes back at the next poll.
 *   4. Who found no buffer waits in `starved`, and is asked to receive only when there is one, in the order in which
 *      they starved, before anybody else: submission precedes the kernel's own retries.
 *   5. Sockets are blocking for io_uring (it would not wait for one with O_NONBLOCK); all else says MSG_DONTWAIT.
 *
 * Threads. The ring belongs to the first thread that polls (SINGLE_ISSUER and DEFER_TASKRUN: completions are worked off
 * by that thread, in its own calls). When another one polls, the kernel says EEXIST; then a new ring is made there, and
 * every request anew: the old one's have received nothing that has not been seen.
 *
 * Failure: the kernel may end any multishot request when it likes (no buffer, no room for completions): it is made
 * again. Errors of one socket end that connection only. Errors of the ring itself are returned by wait.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring.h"

enum {
    REQUESTS = 256,
    COMPLETIONS = 4096,
    BUFFERS_MAX = 32768,
    BUFFER_STRIDE = CVGI_TAIL_COPIED_MAX + CVGI_RECEIVE_BYTES,
    BUFFER_GROUP = 0,
    SOCKETS_MAX = 256, /* accepted and not yet connections: with more, accepting pauses */
};

enum { WHAT_ACCEPT = 8, WHAT_WAKER = 9, WHAT_CANCEL = 10 }; /* and CVGI_OP_* */

#define TAG(generation, what, index) ((uint64_t)(generation) << 32 | (uint64_t)(what) << 28 | (uint64_t)(index))
#define TAG_GENERATION(tag) ((uint32_t)((tag) >> 32))
#define TAG_WHAT(tag) ((uint32_t)(tag) >> 28)
#define TAG_INDEX(tag) ((uint32_t)(tag)&0x0FFFFFFFu)

typedef struct cvgi_uring {
    struct io_uring ring;
    struct io_uring_buf_ring *pool;
    uint32_t pool_entries;
    bool waker_watched;
} cvgi_uring;

/* -------------------------------------------------------------------------------------------------- start and finish
 */

static uint8_t *memory_of(const cvgi_ring *ring, uint32_t buffer) {
    return ring->memory + (size_t)buffer * BUFFER_STRIDE + CVGI_TAIL_COPIED_MAX;
}

static void provide(cvgi_ring *ring, uint32_t buffer) {
    cvgi_uring *uring = ring->uring;
    io_uring_buf_ring_add(uring->pool, memory_of(ring, buffer), CVGI_RECEIVE_BYTES, (unsigned short)buffer,
                          io_uring_buf_ring_mask(uring->pool_entries), 0);
    io_uring_buf_ring_advance(uring->pool, 1);
    ring->available += 1;
}

void cvgi_ring_give_back(cvg_net *net, cvgi_piece *piece) {
    if (piece->held > 0) {
        net->unfinished.bytes -= piece->held;
        free(piece);
        return;
    }
    piece->taken = false;
    if (net->ring->uring != NULL) provide(net->ring, (uint32_t)(piece - net->ring->buffers));
}

static void stop(cvgi_ring *ring) {
    cvgi_uring *uring = ring->uring;
    if (uring == NULL) return;
    io_uring_queue_exit(&uring->ring);
    free(uring->pool);
    free(uring);
    ring->uring = NULL;
    ring->available = 0;
}

static int start(cvgi_ring *ring) {
    cvgi_uring *uring = calloc(1, sizeof *uring);
    if (uring == NULL) return -ENOMEM;
    uring->pool_entries = 1;
    while (uring->pool_entries < ring->buffer_count) uring->pool_entries *= 2;
    size_t bytes = uring->pool_entries * sizeof(struct io_uring_buf);
    uring->pool = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
    /* DEFER_TASKRUN is of Linux 6.1, which has all else that is used here: multishot receive (6.0), provided buffer
     * rings and multishot accept (5.19), waiting with a time-out (5.11). */
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = COMPLETIONS};
    int failed = uring->pool == NULL ? -ENOMEM : io_uring_queue_init_params(REQUESTS, &uring->ring, &params);
    if (failed) {
        free(uring->pool);
        free(uring);
        return failed;
    }
    ring->uring = uring;
    io_uring_buf_ring_init(uring->pool);
    struct io_uring_buf_reg pool = {
        .ring_addr = (uintptr_t)uring->pool, .ring_entries = uring->pool_entries, .bgid = BUFFER_GROUP};
    failed = io_uring_register_buf_ring(&uring->ring, &pool, 0);
    if (failed) {
        stop(ring);
        return failed < 0 ? failed : -failed;
    }
    for (uint32_t i = 0; i < ring->buffer_count; i++)
        if (!ring->buffers[i].taken) provide(ring, i);
    return 0;
}

static int open_ring(cvg_net *net) {
    cvgi_ring *ring = net->ring = calloc(1, sizeof *ring);
    if (ring == NULL) return -ENOMEM;
    cvgi_list_init(&ring->attention);
    cvgi_list_init(&ring->starved);
    ring->buffer_count = net->options.receive_buffers < BUFFERS_MAX ? net->options.receive_buffers : BUFFERS_MAX;
    ring->buffers = calloc(ring->buffer_count, sizeof *ring->buffers);
    ring->memory = aligned_alloc(4096, (size_t)ring->buffer_count * BUFFER_STRIDE);
    if (ring->buffers == NULL || ring->memory == NULL) return -ENOMEM;
    int failed = start(ring); /* only to see whether it can be had: it is made by the thread that polls */
    stop(ring);
    return failed;
}

static void close_sockets(cvgi_ring *ring) {
    while (ring->socket_count > 0) close(ring->sockets[--ring->socket_count]);
}

static void close_ring(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    if (ring == NULL) return;
    while (ring->lent != NULL) {
        cvgi_piece *piece = ring->lent;
        ring->lent = piece->next;
        cvgi_ring_give_back(net, piece);
    }
    close_sockets(ring);
    free(ring->sockets);
    cvgi_sends_stop(ring);
    stop(ring);
    free(ring->buffers);
    free(ring->memory);
    free(ring);
    net->ring = NULL;
}

/* ---------------------------------------------------------------------------------------------------------- requests
 */

static void attend(cvg_net *net, cvgi_connection *connection) {
    cvgi_list_append(&net->ring->attention, &connection->in_attention);
}

static int watch(cvg_net *net, cvgi_connection *connection) {
    CVGI_ASSERT(TAG_INDEX(connection->id) == CVG_CONNECTION_SLOT(connection->id));
    attend(net, connection);
    return 0;
}

static void forget(cvg_net *net, cvgi_connection *connection) {
    cvgi_pieces_drop(net, connection);
    cvgi_list_remove(&connection->in_starved);
    cvgi_list_remove(&connection->in_attention);
    if (connection->in_kernel != 0) attend(net, connection);
}

static struct io_uring_sqe *request(cvgi_ring *ring, uint64_t tag) {
    struct io_uring *uring = &ring->uring->ring;
    struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
    if (sqe == NULL && io_uring_submit(uring) >= 0) sqe = io_uring_get_sqe(uring);
    if (sqe != NULL) {
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, tag);
    }
    return sqe;
}

static bool cancel(cvgi_ring *ring, uint64_t tag) {
    struct io_uring_sqe *sqe = request(ring, TAG(0, WHAT_CANCEL, 0));
    if (sqe == NULL) return false;
    io_uring_prep_cancel64(sqe, tag, 0);
    io_uring_sqe_set_data64(sqe, TAG(0, WHAT_CANCEL, 0));
    return true;
}

static uint64_t tag_of(const cvgi_connection *connection, uint8_t what) {
    return TAG(connection->id >> 32, what, CVG_CONNECTION_SLOT(connection->id));
}

static bool make_request(cvgi_ring *ring, cvgi_connection *connection, uint8_t what) {
    uint64_t tag = tag_of(connection, what);
    struct io_uring_sqe *sqe = request(ring, tag);
    if (sqe == NULL) return false;
    if (what == CVGI_OP_RECEIVE) {
        io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
        io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
        sqe->buf_group = BUFFER_GROUP;
    } else {
        io_uring_prep_poll_add(sqe, connection->fd, what == CVGI_OP_WRITABLE ? POLLOUT : POLLERR | POLLHUP);
        /* A poll tells of the peer's end too, asked or not. A multishot one tells of it once, and then of what follows;
         * while connecting there is no such end, and the next attempt has another socket. */
        if (connection->state == CVGI_OPEN) sqe->len |= IORING_POLL_ADD_MULTI;
    }
    io_uring_sqe_set_data64(sqe, tag);
    connection->in_kernel |= what;
    connection->cancelled &= (uint8_t)~what;
    return true;
}

static bool paused(const cvgi_connection *connection) {
    return !connection->reading && !connection->discarding;
}

/* Nobody would notice by receiving that it has failed. */
static bool unnoticed(const cvgi_connection *connection) {
    return paused(connection) || (connection->discarding && connection->ended);
}

/* Brings its requests in line with its state; `fed`: there is a buffer for it. False: no room for requests. */
static bool settle(cvgi_ring *ring, cvgi_connection *connection, bool fed) {
    bool open = connection->state == CVGI_OPEN;
    bool receives = open && !connection->ended && !paused(connection);
    uint8_t wanted = 0, ending = 0;
    if (connection->state == CVGI_CLOSED)
        ending = connection->in_kernel;
    else if (!receives)
        ending = connection->in_kernel & CVGI_OP_RECEIVE;
    if (connection->state == CVGI_CONNECTING || (open && connection->blocked)) wanted |= CVGI_OP_WRITABLE;
    if (open && unnoticed(connection)) wanted |= CVGI_OP_FAILED;
    if (receives && connection->pieces == NULL)
        wanted |= CVGI_OP_RECEIVE;
    else
        cvgi_list_remove(&connection->in_starved);
    wanted &= (uint8_t)~connection->in_kernel;
    if ((wanted & CVGI_OP_RECEIVE) && !fed && (ring->available == 0 || !cvgi_list_empty(&ring->starved))) {
        cvgi_list_append(&ring->starved, &connection->in_starved);
        wanted &= (uint8_t)~CVGI_OP_RECEIVE;
    }
    ending &= (uint8_t)~connection->cancelled;
    for (uint8_t what = CVGI_OP_RECEIVE; what <= CVGI_OP_FAILED; what <<= 1) {
        if (ending & what) {
            if (!cancel(ring, tag_of(connection, what))) return false;
            connection->cancelled |= what;
        }
        if ((wanted & what) && !make_request(ring, connection, what)) return false;
    }
    return true;
}

static void settle_all(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    while (!cvgi_list_empty(&ring->attention)) {
        cvgi_connection *connection = CVGI_LINKED_IN(ring->attention.next, cvgi_connection, in_attention);
        if (!settle(ring, connection, false)) return;
        cvgi_list_remove(&connection->in_attention);
    }
    if (cvgi_list_empty(&ring->starved)) return;
    if (ring->available == 0 && ring->lent == NULL && cvgi_list_empty(&net->ready)) cvgi_pieces_copy_paused(net);
    for (uint32_t buffers = ring->available; buffers > 0 && !cvgi_list_empty(&ring->starved); buffers--) {
        cvgi_connection *connection = CVGI_LINKED_IN(ring->starved.next, cvgi_connection, in_starved);
        if (!settle(ring, connection, true)) return;
        cvgi_list_remove(&connection->in_starved);
    }
}

/* --------------------------------------------------------------------------------------------------------- listeners
 */

static int watch_listener(cvg_net *net, uint32_t index) {
    int fd = net->listeners[index].fd;
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0 ? -errno : 0;
}

/* A request holds on to its socket: shutdown ends the listening now, and the request with it. */
static void forget_listeners(cvg_net *net, uint32_t from) {
    cvgi_ring *ring = net->ring;
    for (uint32_t i = from; i < net->listener_count; i++) {
        shutdown(net->listeners[i].fd, SHUT_RDWR);
        ring->accepting &= ~(1u << i);
        ring->accept_cancelled &= ~(1u << i);
        ring->accept_serial[i] += 1;
        ring->accept_error[i] = 0;
    }
    if (from == 0) close_sockets(ring);
}

static void settle_listeners(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    bool full = cvgi_connections_full(&net->table) || ring->socket_count >= SOCKETS_MAX;
    for (uint32_t i = 0; i < net->listener_count; i++) {
        uint32_t bit = 1u << i;
        uint64_t tag = TAG(ring->accept_serial[i], WHAT_ACCEPT, i);
        if (ring->accepting & bit) {
            if (full && !(ring->accept_cancelled & bit) && cancel(ring, tag)) ring->accept_cancelled |= bit;
        } else if (!full && !net->listeners[i].pending) {
            struct io_uring_sqe *sqe = request(ring, tag);
            if (sqe == NULL) return;
            io_uring_prep_multishot_accept(sqe, net->listeners[i].fd, NULL, NULL, SOCK_CLOEXEC);
            io_uring_sqe_set_data64(sqe, tag);
            ring->accepting |= bit;
            ring->accept_cancelled &= ~bit;
        }
    }
}

static int keep_socket(cvgi_ring *ring, int fd) {
    if (ring->socket_count == ring->socket_capacity) {
        uint32_t capacity = ring->socket_capacity == 0 ? 64 : ring->socket_capacity * 2;
        int *sockets = realloc(ring->sockets, capacity * sizeof *sockets);
        if (sockets == NULL) {
            close(fd);
            return -ENOMEM;
        }
        ring->sockets = sockets;
        ring->socket_capacity = capacity;
    }
    ring->sockets[ring->socket_count++] = fd;
    return 0;
}

static void note_accept(cvg_net *net, uint64_t tag, const struct io_uring_cqe *cqe) {
    cvgi_ring *ring = net->ring;
    uint32_t index = TAG_INDEX(tag);
    if (index >= net->listener_count || TAG_GENERATION(tag) != ring->accept_serial[index]) {
        if (cqe->res >= 0) close(cqe->res);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) ring->accepting &= ~(1u << index);
    if (cqe->res == -ECANCELED) return;
    int failed = cqe->res < 0 ? cqe->res : keep_socket(ring, cqe->res);
    if (failed) ring->accept_error[index] = failed;
    net->listeners[index].pending = true;
}

static int accept_one(cvg_net *net, uint32_t index, cvgi_address *peer) {
    cvgi_ring *ring = net->ring;
    if (ring->socket_count > 0) {
        int fd = ring->sockets[0];
        ring->socket_count -= 1;
        memmove(ring->sockets, ring->sockets + 1, ring->socket_count * sizeof fd);
        socklen_t bytes = sizeof *peer;
        getpeername(fd, &peer->any, &bytes); /* fails when it is reset already: then the peer is unknown */
        return fd;
    }
    int error = ring->accept_error[index];
    ring->accept_error[index] = 0;
    return error != 0 ? error : -EAGAIN;
}

/* ------------------------------------------------------------------------------------------------------- completions
 */

static void note_received(cvg_net *net, cvgi_connection *connection, const struct io_uring_cqe *cqe) {
    cvgi_ring *ring = net->ring;
    bool open = connection->state == CVGI_OPEN;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint32_t buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        CVGI_ASSERT(buffer < ring->buffer_count);
        cvgi_piece *piece = &ring->buffers[buffer];
        ring->available -= 1;
        *piece = (cvgi_piece){.bytes = memory_of(ring, buffer), .length = (uint32_t)cqe->res, .taken = true};
        if (cqe->res > 0 && open)
            cvgi_pieces_add(connection, piece);
        else
            cvgi_ring_give_back(net, piece);
    } else if (!open || cqe->res == -ECANCELED || cqe->res == -EINTR || cqe->res == -EAGAIN) {
        return;
    } else if (cqe->res == -ENOBUFS) {
        if (connection->pieces == NULL) cvgi_list_append(&ring->starved, &connection->in_starved);
        return;
    } else {
        connection->ended = true;
        connection->end_error = -cqe->res;
    }
    if (!open) return;
    connection->readable = true;
    if (!paused(connection))
        cvgi_list_append(&net->ready, &connection->in_ready);
    else if (connection->end_error != 0)
        cvgi_finish(net, connection, connection->end_error);
}

static void note_connection(cvg_net *net, uint64_t tag, const struct io_uring_cqe *cqe) {
    cvgi_connection *connection = net->table.slots[TAG_INDEX(tag)];
    uint8_t what = (uint8_t)TAG_WHAT(tag);
    CVGI_ASSERT(tag == tag_of(connection, what) && (connection->in_kernel & what));
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        connection->in_kernel &= (uint8_t)~what;
        if (connection->state != CVGI_CLOSED)
            attend(net, connection);
        else if (connection->in_kernel == 0)
            cvgi_list_remove(&connection->in_attention);
    }
    if (what == CVGI_OP_RECEIVE) {
        note_received(net, connection, cqe);
    } else if (cqe->res < 0 || !(cqe->res & (POLLOUT | POLLERR | POLLHUP))) {
        return; /* cancelled, or only the peer's end */
    } else if (what == CVGI_OP_FAILED) {
        if (connection->state == CVGI_OPEN && unnoticed(connection)) cvgi_check_failed(net, connection);
    } else if (connection->state == CVGI_CONNECTING) {
        cvgi_connect_ended(net, connection);
    } else if (connection->state == CVGI_OPEN && connection->blocked) {
        connection->blocked = false;
        cvgi_list_append(&net->unsent, &connection->in_unsent);
    }
}

static void note_wake(cvg_net *net, const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) net->ring->uring->waker_watched = false;
    uint64_t wakes;
    if (cqe->res > 0 && read(cvgi_waker_fd(net->waker), &wakes, sizeof wakes) == sizeof wakes) net->woken = true;
}

static void note_completions(cvg_net *net) {
    struct io_uring *uring = &net->ring->uring->ring;
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(uring, head, cqe) {
        count += 1;
        uint64_t tag = cqe->user_data;
        if (TAG_WHAT(tag) == WHAT_ACCEPT)
            note_accept(net, tag, cqe);
        else if (TAG_WHAT(tag) == WHAT_WAKER)
            note_wake(net, cqe);
        else if (TAG_WHAT(tag) != WHAT_CANCEL)
            note_connection(net, tag, cqe);
    }
    io_uring_cq_advance(uring, count);
}

/* ----------------------------------------------------------------------------------------------------------- waiting
 */

static void reclaim(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    while (ring->lent != NULL) {
        cvgi_piece *piece = ring->lent;
        ring->lent = piece->next;
        cvgi_ring_give_back(net, piece);
    }
}

static void prepare(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    if (!ring->uring->waker_watched) {
        struct io_uring_sqe *sqe = request(ring, TAG(0, WHAT_WAKER, 0));
        if (sqe != NULL) {
            io_uring_prep_poll_multishot(sqe, cvgi_waker_fd(net->waker), POLLIN);
            io_uring_sqe_set_data64(sqe, TAG(0, WHAT_WAKER, 0));
            ring->uring->waker_watched = true;
        }
    }
    settle_listeners(net);
    settle_all(net);
}

/* Submits, and waits for a completion at most this long (-1: without limit). */
static int enter(struct io_uring *uring, int64_t us) {
    if (us == 0 || io_uring_cq_ready(uring) > 0) {
        unsigned flags = __atomic_load_n(uring->sq.kflags, __ATOMIC_RELAXED);
        if (io_uring_sq_ready(uring) == 0 && !(flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))) return 0;
        return io_uring_submit_and_get_events(uring);
    }
    if (us < 0) return io_uring_submit_and_wait(uring, 1);
    struct __kernel_timespec limit = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(uring, &cqe, 1, &limit, NULL);
}

/* Another thread polls than before. */
static void move_here(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    note_completions(net);
    stop(ring);
    ring->accepting = ring->accept_cancelled = 0;
    for (uint32_t slot = 0; slot < net->table.count; slot++) {
        cvgi_connection *connection = net->table.slots[slot];
        connection->in_kernel = connection->cancelled = 0;
        cvgi_list_remove(&connection->in_attention);
        if (connection->state == CVGI_CONNECTING || connection->state == CVGI_OPEN) attend(net, connection);
    }
}

static int wait_and_note(cvg_net *net, int64_t us) {
    cvgi_ring *ring = net->ring;
    int result = -EEXIST;
    for (int attempt = 0; result == -EEXIST && attempt < 2; attempt++) {
        if (attempt > 0) {
            move_here(net);
            us = 0; /* it may have found something */
        }
        if (ring->uring == NULL) {
            int failed = start(ring);
            if (failed) return failed;
        }
        prepare(net);
        bool starved = !cvgi_list_empty(&ring->starved) || !cvgi_list_empty(&ring->attention);
        result = enter(&ring->uring->ring, starved ? 0 : us);
    }
    note_completions(net);
    return result >= 0 || result == -ETIME || result == -EAGAIN || result == -EBUSY ? 0 : result;
}

const cvgi_backend cvgi_io_uring = {
    .name = "io_uring",
    .open = open_ring,
    .close = close_ring,
    .watch_listener = watch_listener,
    .watch = watch,
    .forget_listeners = forget_listeners,
    .forget = forget,
    .attend = attend,
    .reclaim = reclaim,
    .wait = wait_and_note,
    .accept = accept_one,
    .receive = cvgi_pieces_receive,
    .transmit = cvgi_sends_transmit,
};
