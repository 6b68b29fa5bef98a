/*
 * ring_requests - the requests of connections, and what their completions mean.
 *
 *   attention ─▶ settle ─▶ requests ─▶ kernel ─▶ completions ─▶ pieces, the lists of the net
 *                  └▶ starved ─▶ feed ─▶┘                    └▶ attention, starved
 *
 * A connection has one receive into the pool of buffers; a poll for "writable" while it connects, and from when its
 * socket is full for the first time; a poll for "failed" from when it is paused for the first time, or has ended, when
 * nobody else would notice. The polls are edges, as the epoll backend has them.
 *
 * The receive is multishot, which a connection that sends little needs nothing but once. Of one that floods, the kernel
 * would fill every buffer before anybody else was served: so who fills a buffer, or a second one before the first is
 * delivered, is received from by single requests until SINGLES of them have not filled a buffer. Each of them may fill
 * several where the kernel can (a bundle, ring_buffers.c), as far as nobody else lacks them, and twice as many as the
 * last if that has filled all that it could: who has little waiting is best received from at once.
 *
 * Invariants
 *   1. Requests are made in `wait` only, by the thread that polls, right before they are submitted: no descriptor in
 *      them is closed, and perhaps reused, before the kernel has resolved it.
 *   2. in_kernel has the bit of every request that has been made and whose last completion has not been seen; the slot
 *      is not reused before it is 0. So whatever a completion names is still the one it meant.
 *   3. Who found no buffer waits in `starved`, and is asked to receive only when there is one, a single time, in the
 *      order in which they starved, before anybody else: submission precedes the kernel's own retries. So everybody is
 *      served once in a round of (all who send / buffers) turns. A request of theirs fills one buffer.
 *   4. `floods` counts the connections whose sockets were not empty after a single request, `asked` the buffers that
 *      requests in the kernel may fill beyond one each. A bundle is asked for only while both together are less than
 *      the available ones. What a connection holds beyond one is copied when somebody starves all the same (pieces.c).
 *
 * Failure: the kernel may end any multishot request when it likes (no buffer, no room for completions): it is made
 * again. Errors of one socket end that connection only.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>

#include "ring.h"
#include "uring.h"

enum { SINGLES = 16, REACH_MAX = 7 };

/* ---------------------------------------------------------------------------------------------------------- requests
 */

static void set_flooding(cvgi_ring *ring, cvgi_connection *connection, bool flooding) {
    ring->floods += (uint32_t)flooding - connection->flooding;
    connection->flooding = flooding;
}

void cvgi_ring_attend(cvg_net *net, cvgi_connection *connection) {
    if (connection->discarding) cvgi_pieces_drop(net, connection);
    cvgi_list_append(&net->ring->attention, &connection->in_attention);
}

int cvgi_ring_watch(cvg_net *net, cvgi_connection *connection) {
    CVGI_ASSERT(CVGI_TAG_INDEX(connection->id) == CVG_CONNECTION_SLOT(connection->id));
    cvgi_ring_attend(net, connection);
    return 0;
}

void cvgi_ring_forget(cvg_net *net, cvgi_connection *connection) {
    cvgi_pieces_drop(net, connection);
    set_flooding(net->ring, connection, false);
    cvgi_list_remove(&connection->in_starved);
    cvgi_list_remove(&connection->in_attention);
    if (connection->in_kernel != 0) cvgi_ring_attend(net, connection);
}

static uint64_t tag_of(const cvgi_connection *connection, uint8_t what) {
    return CVGI_TAG(connection->id >> 32, what, CVG_CONNECTION_SLOT(connection->id));
}

/* Buffers that a single request may fill beyond one: of those that are left when all who flood have one, three quarters
 * are for bundles, in equal shares; where these are less than one, who asks first has one. */
static uint32_t share_of(const cvgi_ring *ring, const cvgi_connection *connection) {
    if (!ring->bundles || ring->available <= ring->floods) return 0;
    uint32_t spare = (ring->available - ring->floods) * 3 / 4, share = 1;
    if (spare <= ring->asked) return 0;
    if (ring->floods > 0 && spare > ring->floods) share = spare / ring->floods;
    if (share > spare - ring->asked) share = spare - ring->asked;
    return share < connection->reach ? share : connection->reach;
}

/* Linux fills whole buffers as far as the length goes. When they are full and the socket is not empty it goes on once
 * more, beyond the length, unless the length ends inside a buffer: so one byte more is asked for. */
static void prepare_single(cvgi_ring *ring, cvgi_connection *connection, struct io_uring_sqe *sqe, uint32_t more) {
    size_t bytes = (1 + (size_t)more) * CVGI_RECEIVE_BYTES;
    io_uring_prep_recv(sqe, connection->fd, NULL, more > 0 ? bytes + 1 : bytes, 0);
    if (more > 0) sqe->ioprio |= CVGI_RECEIVE_BUNDLE;
    connection->asked = (uint8_t)more;
    ring->asked += more;
}

static bool make_request(cvgi_ring *ring, cvgi_connection *connection, uint8_t what, bool fed) {
    struct io_uring_sqe *sqe = cvgi_request(ring->uring);
    if (sqe == NULL) return false;
    if (what == CVGI_OP_RECEIVE) {
        connection->multishot = !fed && connection->singles == 0;
        if (connection->multishot)
            io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
        else
            prepare_single(ring, connection, sqe, fed ? 0 : share_of(ring, connection));
        io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
        sqe->buf_group = CVGI_BUFFER_GROUP;
    } else {
        io_uring_prep_poll_add(sqe, connection->fd, what == CVGI_OP_WRITABLE ? POLLOUT : POLLERR | POLLHUP);
        /* A poll tells of the peer's end too, asked or not. A multishot one tells of it once, and then of what follows;
         * while connecting there is no such end, and the next attempt has another socket. */
        if (connection->state == CVGI_OPEN) sqe->len |= IORING_POLL_ADD_MULTI;
    }
    io_uring_sqe_set_data64(sqe, tag_of(connection, what));
    connection->in_kernel |= what;
    connection->cancelled &= (uint8_t)~what;
    return true;
}

/* Nobody would notice by receiving that it has failed. */
static bool unnoticed(const cvgi_connection *connection) {
    return cvgi_paused(connection) || (connection->discarding && connection->ended);
}

/* Requests that are in the kernel and of no use there, as a set. */
static uint8_t useless(const cvgi_connection *connection, bool receives) {
    if (connection->state == CVGI_CLOSED) return connection->in_kernel;
    if (receives && !(connection->multishot && connection->singles > 0)) return 0;
    return connection->in_kernel & CVGI_OP_RECEIVE;
}

/* Brings its requests in line with its state; `fed`: there is a buffer for it. False: no room for requests. */
static bool settle(cvgi_ring *ring, cvgi_connection *connection, bool fed) {
    bool open = connection->state == CVGI_OPEN;
    bool receives = open && !connection->ended && !cvgi_paused(connection);
    uint8_t wanted = 0, ending = useless(connection, receives) & (uint8_t)~connection->cancelled;
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
    for (uint8_t what = CVGI_OP_RECEIVE; what <= CVGI_OP_FAILED; what <<= 1) {
        if (ending & what) {
            if (!cvgi_cancel(ring->uring, tag_of(connection, what))) return false;
            connection->cancelled |= what;
        }
        if ((wanted & what) && !make_request(ring, connection, what, fed)) return false;
    }
    cvgi_pieces_note_hoard(ring, connection);
    return true;
}

/* Each of the starved gets one of the buffers that there are. */
static void feed(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    uint32_t promised = 0;
    while (!cvgi_list_empty(&ring->starved)) {
        if (promised >= ring->available) cvgi_pieces_copy_hoards(net);
        if (promised >= ring->available) return;
        cvgi_connection *connection = CVGI_LINKED_IN(ring->starved.next, cvgi_connection, in_starved);
        if (!settle(ring, connection, true)) return;
        cvgi_list_remove(&connection->in_starved);
        promised += 1;
    }
}

void cvgi_ring_settle_connections(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    while (!cvgi_list_empty(&ring->attention)) {
        cvgi_connection *connection = CVGI_LINKED_IN(ring->attention.next, cvgi_connection, in_attention);
        if (!settle(ring, connection, false)) return;
        cvgi_list_remove(&connection->in_attention);
    }
    feed(net);
}

/* ------------------------------------------------------------------------------------------------------- completions
 */

/* A single request has filled buffers. */
static void note_single(cvgi_ring *ring, cvgi_connection *connection, const struct io_uring_cqe *cqe) {
    bool all = (uint32_t)cqe->res >= (1u + connection->asked) * CVGI_RECEIVE_BYTES;
    bool more = all || (cqe->flags & IORING_CQE_F_SOCK_NONEMPTY);
    connection->reach = !all ? 0 : connection->asked < REACH_MAX / 2 ? 2 * connection->asked + 1 : REACH_MAX;
    set_flooding(ring, connection, more && connection->state == CVGI_OPEN);
}

/* Buffers have been filled. Whether there is something to deliver. */
static bool note_buffers(cvg_net *net, cvgi_connection *connection, const struct io_uring_cqe *cqe) {
    uint32_t buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT, bytes = (uint32_t)cqe->res, count = 0;
    bool wanted = bytes > 0 && connection->state == CVGI_OPEN && !connection->discarding;
    if (connection->discarding) cvgi_count_received(net, bytes);
    do {
        cvgi_piece *piece = cvgi_buffers_taken(net->ring, &buffer, &bytes);
        if (wanted)
            cvgi_pieces_add(net, connection, piece);
        else
            cvgi_buffers_give_back(net, piece);
        count += 1;
    } while (bytes > 0);
    if (count > 1) net->stats.bundles += 1;
    if (!connection->multishot) note_single(net->ring, connection, cqe);
    if (cqe->res >= CVGI_RECEIVE_BYTES || connection->buffers > 1) {
        connection->singles = SINGLES;
        if (connection->multishot) cvgi_ring_attend(net, connection);
    } else if (!connection->multishot && connection->singles > 0) {
        connection->singles -= 1;
    }
    return connection->pieces != NULL;
}

static void note_received(cvg_net *net, cvgi_connection *connection, const struct io_uring_cqe *cqe) {
    bool open = connection->state == CVGI_OPEN;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        if (!note_buffers(net, connection, cqe)) return;
    } else if (!open || cqe->res == -ECANCELED || cqe->res == -EINTR || cqe->res == -EAGAIN) {
        return;
    } else if (cqe->res == -ENOBUFS) {
        if (connection->pieces == NULL) cvgi_list_append(&net->ring->starved, &connection->in_starved);
        return;
    } else {
        connection->ended = true;
        set_flooding(net->ring, connection, false);
        connection->end_error = -cqe->res;
    }
    if (!open) return;
    connection->readable = true;
    if (!cvgi_paused(connection))
        cvgi_list_append(&net->ready, &connection->in_ready);
    else if (connection->end_error != 0)
        cvgi_finish(net, connection, connection->end_error);
}

void cvgi_ring_note_connection(cvg_net *net, const struct io_uring_cqe *cqe) {
    cvgi_connection *connection = net->table.slots[CVGI_TAG_INDEX(cqe->user_data)];
    uint8_t what = (uint8_t)CVGI_TAG_WHAT(cqe->user_data);
    CVGI_ASSERT(cqe->user_data == tag_of(connection, what) && (connection->in_kernel & what));
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        connection->in_kernel &= (uint8_t)~what;
        if (connection->state != CVGI_CLOSED)
            cvgi_ring_attend(net, connection);
        else if (connection->in_kernel == 0)
            cvgi_list_remove(&connection->in_attention);
    }
    if (what == CVGI_OP_RECEIVE) {
        note_received(net, connection, cqe);
        if (cqe->flags & IORING_CQE_F_MORE) return;
        net->ring->asked -= connection->asked;
        connection->asked = 0;
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
