/*
 * ring - the io_uring backend: requests in, completions out.
 *
 *   attention ─▶ requests ─▶ submit and wait, one system call ─▶ completions ─▶ pieces, lists ─▶ stream.c
 *
 * What requests connections have, and what their completions mean, is ring_requests.c; of listeners, ring_accept.c; the
 * buffers are ring_buffers.c's. The waker has one multishot poll.
 *
 * Sockets are blocking for io_uring (it would not wait for one with O_NONBLOCK); all else says MSG_DONTWAIT.
 *
 * Threads. The ring is made by the first poll and belongs to its thread (SINGLE_ISSUER and DEFER_TASKRUN: completions
 * are worked off by that thread, in its own calls). It cannot move: requests of a ring that ends late would take
 * connections and bytes from the next one.
 *
 * Failure: errors of the ring itself are returned by wait.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ring.h"
#include "uring.h"

enum { REQUESTS = 256, COMPLETIONS = 4096 };

/* -------------------------------------------------------------------------------------------------- start and finish
 */

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
    /* DEFER_TASKRUN is of Linux 6.1, which has all else that is used here: multishot receive (6.0), provided buffer
     * rings and multishot accept (5.19), waiting with a time-out (5.11). */
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = COMPLETIONS};
    int failed = io_uring_queue_init_params(REQUESTS, &uring->ring, &params);
    if (failed) {
        free(uring);
        return failed;
    }
    ring->uring = uring;
    failed = cvgi_buffers_register(ring);
    if (failed) stop(ring);
    return failed;
}

static void *start_and_stop(void *context) {
    int failed = start(context);
    stop(context);
    return (void *)(intptr_t)failed;
}

/* Whether a ring can be had: the one that is used is made by the thread that polls. The kernel interrupts the maker of
 * a ring when it has ended, so this one is made by a thread of its own. 0, or a negative errno. */
static int probe(cvgi_ring *ring) {
    pthread_t thread;
    void *failed;
    int error = pthread_create(&thread, NULL, start_and_stop, ring);
    if (error) return -error;
    pthread_join(thread, &failed);
    return (int)(intptr_t)failed;
}

static int open_ring(cvg_net *net) {
    cvgi_ring *ring = net->ring = calloc(1, sizeof *ring);
    if (ring == NULL) return -ENOMEM;
    cvgi_list_init(&ring->attention);
    cvgi_list_init(&ring->starved);
    cvgi_list_init(&ring->hoards);
    int failed = cvgi_buffers_make(ring, net->options.receive_buffers);
    return failed ? failed : probe(ring);
}

static void close_ring(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    if (ring == NULL) return;
    while (ring->lent != NULL) {
        cvgi_piece *piece = ring->lent;
        ring->lent = piece->next;
        cvgi_buffers_give_back(net, piece);
    }
    cvgi_ring_close_sockets(ring);
    free(ring->sockets);
    cvgi_sends_stop(ring);
    stop(ring);
    cvgi_buffers_free(ring);
    free(ring);
    net->ring = NULL;
}

/* ------------------------------------------------------------------------------------------------------- completions
 */

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
        uint32_t what = CVGI_TAG_WHAT(cqe->user_data);
        if (what == CVGI_WHAT_ACCEPT)
            cvgi_ring_note_accept(net, cqe);
        else if (what == CVGI_WHAT_WAKER)
            note_wake(net, cqe);
        else if (what != CVGI_WHAT_CANCEL)
            cvgi_ring_note_connection(net, cqe);
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
        cvgi_buffers_give_back(net, piece);
    }
}

static void prepare(cvg_net *net) {
    cvgi_ring *ring = net->ring;
    if (!ring->uring->waker_watched) {
        struct io_uring_sqe *sqe = cvgi_request(ring->uring);
        if (sqe != NULL) {
            io_uring_prep_poll_multishot(sqe, cvgi_waker_fd(net->waker), POLLIN);
            io_uring_sqe_set_data64(sqe, CVGI_TAG(0, CVGI_WHAT_WAKER, 0));
            ring->uring->waker_watched = true;
        }
    }
    cvgi_ring_settle_listeners(net);
    cvgi_ring_settle_connections(net);
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

static int wait_and_note(cvg_net *net, int64_t us) {
    cvgi_ring *ring = net->ring;
    if (ring->uring == NULL) {
        int failed = start(ring);
        if (failed) return failed;
    }
    prepare(net);
    bool starved = !cvgi_list_empty(&ring->starved) || !cvgi_list_empty(&ring->attention);
    int result = enter(&ring->uring->ring, starved ? 0 : us);
    note_completions(net);
    return result >= 0 || result == -ETIME || result == -EAGAIN || result == -EBUSY ? 0 : result;
}

const cvgi_backend cvgi_io_uring = {
    .name = "io_uring",
    .open = open_ring,
    .close = close_ring,
    .watch_listener = cvgi_ring_watch_listener,
    .watch = cvgi_ring_watch,
    .forget_listeners = cvgi_ring_forget_listeners,
    .forget = cvgi_ring_forget,
    .attend = cvgi_ring_attend,
    .reclaim = reclaim,
    .wait = wait_and_note,
    .accept = cvgi_ring_accept,
    .receive = cvgi_pieces_receive,
    .transmit = cvgi_sends_transmit,
};
