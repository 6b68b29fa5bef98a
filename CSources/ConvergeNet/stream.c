/*
 * stream - how connections send, in which order they are received from, and how they end.
 *
 * Ready connections are served in the order in which they became ready, once a turn each, and who still has bytes goes
 * to the end: no sender keeps another waiting for more than one round.
 *
 * Close. Closing connections send what is queued, then shut their side down, and discard what comes in until the peer
 * ends too or the deadline passes: unread input at close(2) would make the kernel send RST, and the peer would lose the
 * last messages.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { SEND_MAX = 256 << 10 }; /* bytes of one send */

/* ---------------------------------------------------------------------------------------------------------- closing */

void cvgi_finish(cvg_net *net, cvgi_connection *connection, int error) {
    connection->state = CVGI_CLOSED;
    net->backend->forget(net, connection);
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    net->accept_at = 0;
    cvgi_count_queued(net, connection->queue.bytes, (cvgi_queue_bytes){0});
    cvgi_queue_free(&connection->queue, &net->chunks);
    cvgi_tail_retire(&net->unfinished, &connection->tail);
    free(connection->others);
    connection->others = NULL;
    cvgi_list_remove(&connection->in_ready);
    cvgi_list_remove(&connection->in_unsent);
    cvgi_list_remove(&connection->in_ending);
    connection->error = error;
    connection->lent = false;
    connection->tell = 0;
    net->stats.closed += 1;
    cvgi_tell(net, connection, CVGI_TELL_CLOSED);
}

void cvgi_close_when_sent(cvg_net *net, cvgi_connection *connection) {
    if (connection->state != CVGI_OPEN || connection->queue.count > 0) return;
    if (connection->peer_ended) {
        cvgi_finish(net, connection, 0);
    } else if (!connection->shut) {
        connection->shut = true;
        shutdown(connection->fd, SHUT_WR);
    }
}

/* From now on what comes in is discarded. */
static void discard(cvg_net *net, cvgi_connection *connection) {
    connection->discarding = true;
    connection->lent = false;
    cvgi_tail_retire(&net->unfinished, &connection->tail);
    cvgi_list_append(&net->ending, &connection->in_ending);
    if (connection->readable) cvgi_list_append(&net->ready, &connection->in_ready);
    net->backend->attend(net, connection);
}

static void expire_at(cvg_net *net, cvgi_connection *connection, int64_t deadline) {
    connection->deadline = deadline;
    if (deadline < net->deadline) net->deadline = deadline;
}

void cvgi_end_receiving(cvg_net *net, cvgi_connection *connection, int error) {
    if (connection->discarding) return;
    if (connection->broken) {
        cvgi_finish(net, connection, connection->error);
        return;
    }
    connection->end = error;
    discard(net, connection);
    expire_at(net, connection, cvg_net_now_us() + CVGI_ENDED_LINGER_US);
    cvgi_tell(net, connection, CVGI_TELL_ENDED);
}

void cvgi_close(cvg_net *net, cvgi_connection *connection, int64_t linger_us) {
    if (linger_us <= 0) {
        cvgi_finish(net, connection, 0);
        return;
    }
    int64_t now = cvg_net_now_us();
    int64_t deadline = linger_us < INT64_MAX - now ? now + linger_us : INT64_MAX;
    if (!connection->closing || deadline < connection->deadline) expire_at(net, connection, deadline);
    if (connection->closing) return;
    connection->closing = true;
    connection->tell &= (uint8_t)~CVGI_TELL_ENDED;
    if (connection->tell == 0) cvgi_list_remove(&connection->in_notices);
    if (!connection->discarding) discard(net, connection);
    cvgi_close_when_sent(net, connection);
}

void cvgi_close_expired(cvg_net *net) {
    if (net->deadline == INT64_MAX) return;
    int64_t now = cvg_net_now_us();
    if (now < net->deadline) return;
    net->deadline = INT64_MAX;
    for (cvgi_link *link = net->ending.next, *next; link != &net->ending; link = next) {
        next = link->next;
        cvgi_connection *connection = CVGI_LINKED_IN(link, cvgi_connection, in_ending);
        if (connection->deadline <= now)
            cvgi_finish(net, connection, connection->queue.count > 0 ? ETIMEDOUT : 0);
        else if (connection->deadline < net->deadline)
            net->deadline = connection->deadline;
    }
}

/* ---------------------------------------------------------------------------------------------------------- sending */

static void send_failed(cvg_net *net, cvgi_connection *connection, int error) {
    if (connection->discarding || !connection->reading) {
        cvgi_finish(net, connection, error);
        return;
    }
    cvgi_count_queued(net, connection->queue.bytes, (cvgi_queue_bytes){0});
    cvgi_queue_free(&connection->queue, &net->chunks);
    connection->broken = connection->readable = connection->hangup = true;
    connection->error = error;
    cvgi_list_append(&net->ready, &connection->in_ready);
}

static void block(cvg_net *net, cvgi_connection *connection) {
    connection->blocked = true;
    net->backend->attend(net, connection);
}

size_t cvgi_gather(const cvgi_connection *connection, struct iovec *vectors, size_t vectors_max, size_t *wanted) {
    if (connection->state != CVGI_OPEN || connection->blocked || connection->queue.count == 0) return 0;
    if (vectors_max > CVGI_VECTORS_MAX) vectors_max = CVGI_VECTORS_MAX;
    return cvgi_queue_gather(&connection->queue, vectors, vectors_max, SEND_MAX, wanted);
}

void cvgi_transmit(cvg_net *net, cvgi_connection *connection) {
    struct iovec vectors[CVGI_VECTORS_MAX];
    size_t wanted;
    size_t count = cvgi_gather(connection, vectors, CVGI_VECTORS_MAX, &wanted);
    if (count == 0) return;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    cvgi_sent(net, connection, sent < 0 ? -errno : sent, wanted);
}

void cvgi_sent(cvg_net *net, cvgi_connection *connection, ssize_t sent, size_t wanted) {
    net->stats.sends += 1;
    if (sent < 0) {
        if (sent == -EAGAIN || sent == -EWOULDBLOCK)
            block(net, connection);
        else if (sent == -EINTR)
            cvgi_list_append(&net->unsent, &connection->in_unsent);
        else
            send_failed(net, connection, (int)-sent);
        return;
    }
    net->stats.bytes_out += (uint64_t)sent;
    cvgi_queue_bytes before = connection->queue.bytes;
    cvgi_queue_take(&connection->queue, &net->chunks, (size_t)sent);
    cvgi_count_queued(net, before, connection->queue.bytes);
    if ((size_t)sent < wanted)
        block(net, connection);
    else if (connection->queue.count > 0)
        cvgi_list_append(&net->unsent, &connection->in_unsent);
    if (connection->closing) {
        cvgi_close_when_sent(net, connection);
    } else if (connection->above_low && connection->queue.bytes.all <= net->options.queue_low) {
        connection->above_low = false;
        cvgi_tell(net, connection, CVGI_TELL_DRAINED);
    }
}

/* -------------------------------------------------------------------------------------------------------- receiving */

void cvgi_count_received(cvg_net *net, size_t bytes) {
    net->stats.receives += 1;
    net->stats.bytes_in += bytes;
}

cvg_net_event cvgi_lend(cvgi_connection *connection, const uint8_t *data, size_t bytes) {
    connection->lent = true;
    return (cvg_net_event){
        .connection = connection->id, .data = data, .bytes = (uint32_t)bytes, .type = CVG_NET_RECEIVED};
}

void cvgi_stream_ended(cvg_net *net, cvgi_connection *connection, int error) {
    connection->readable = false;
    connection->peer_ended = true;
    if (connection->broken || error != 0)
        cvgi_finish(net, connection, connection->broken ? connection->error : error);
    else if (connection->closing)
        cvgi_close_when_sent(net, connection);
    else
        cvgi_end_receiving(net, connection, 0);
}

void cvgi_check_failed(cvg_net *net, cvgi_connection *connection) {
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0) error = errno;
    cvgi_finish(net, connection, error);
}

size_t cvgi_receive_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity) {
    cvgi_link turn;
    cvgi_list_init(&turn);
    cvgi_list_prepend_all(&turn, &net->ready);
    size_t work = 0, work_max = (size_t)net->options.receive_buffers * CVGI_RECEIVE_BYTES; /* a turn is bounded */
    while (!cvgi_list_empty(&turn) && count < capacity && work < work_max) {
        cvgi_connection *connection = CVGI_LINKED_IN(turn.next, cvgi_connection, in_ready);
        cvgi_list_remove(&connection->in_ready);
        if (connection->lent) { /* never answered: used */
            connection->lent = false;
            cvgi_tail_free(&net->unfinished, &connection->tail);
        }
        count += net->backend->receive(net, connection, &events[count], &work);
        if (connection->state == CVGI_OPEN && connection->readable)
            cvgi_list_append(&net->ready, &connection->in_ready);
    }
    cvgi_list_prepend_all(&net->ready, &turn);
    return count;
}
