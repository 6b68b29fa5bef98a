/*
 * ring_accept - how the io_uring backend accepts: one multishot accept a listener.
 *
 *   accept request ─▶ completions ─▶ sockets kept ─▶ cvgi_accept_turn takes them, in their order
 *
 * Invariants
 *   1. A completion is a listener's when it carries the listener's serial: a later listener at the same index has
 *      another one, and a socket that nobody asks for any more is closed.
 *   2. No more than SOCKETS_MAX sockets are kept, and one batch of completions: above it, and while the table of
 *      connections is full, the request is cancelled, and who connects waits in the listen backlog.
 *
 * Failure: the errno is handed to the turn's next accept; the request is made again when the turn has seen it.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring.h"
#include "uring.h"

enum { SOCKETS_MAX = 256 };

int cvgi_ring_watch_listener(cvg_net *net, uint32_t index) {
    int fd = net->listeners[index].fd;
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0 ? -errno : 0;
}

void cvgi_ring_close_sockets(cvgi_ring *ring) {
    while (ring->socket_count > 0) close(ring->sockets[--ring->socket_count]);
}

/* A request holds on to its socket: shutdown ends the listening now, and the request with it. */
void cvgi_ring_forget_listeners(cvg_net *net, uint32_t from) {
    cvgi_ring *ring = net->ring;
    for (uint32_t i = from; i < net->listener_count; i++) {
        shutdown(net->listeners[i].fd, SHUT_RDWR);
        ring->accepting &= ~(1u << i);
        ring->accept_cancelled &= ~(1u << i);
        ring->accept_serial[i] += 1;
        ring->accept_error[i] = 0;
    }
    if (from == 0) cvgi_ring_close_sockets(ring);
}

void cvgi_ring_settle_listeners(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    bool full = cvgi_connections_full(&net->table) || ring->socket_count >= SOCKETS_MAX;
    for (uint32_t i = 0; i < net->listener_count; i++) {
        uint32_t bit = 1u << i;
        uint64_t tag = CVGI_TAG(ring->accept_serial[i], CVGI_WHAT_ACCEPT, i);
        if (ring->accepting & bit) {
            if (full && !(ring->accept_cancelled & bit) && cvgi_cancel(ring->uring, tag)) ring->accept_cancelled |= bit;
        } else if (!full && !net->listeners[i].pending) {
            struct io_uring_sqe *sqe = cvgi_request(ring->uring);
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

void cvgi_ring_note_accept(cvg_net *net, const struct io_uring_cqe *cqe) {
    cvgi_ring *ring = net->ring;
    uint32_t index = CVGI_TAG_INDEX(cqe->user_data);
    if (index >= net->listener_count || CVGI_TAG_GENERATION(cqe->user_data) != ring->accept_serial[index]) {
        if (cqe->res >= 0) close(cqe->res);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) ring->accepting &= ~(1u << index);
    if (cqe->res == -ECANCELED) return;
    int failed = cqe->res < 0 ? cqe->res : keep_socket(ring, cqe->res);
    if (failed) ring->accept_error[index] = failed;
    net->listeners[index].pending = true;
}

int cvgi_ring_accept(cvg_net *net, uint32_t index, cvgi_address *peer) {
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
