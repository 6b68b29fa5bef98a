/*
 * stream - bytes between sockets and connections: receive, send, close.
 *
 * Receive. A connection with a short tail or none receives into the arena, behind room for the tail. When the message
 * is then as long as was asked, the tail is copied in front of what came, and everything is lent as one event: the rest
 * of the message and the messages after it. So there is at most one RECEIVED event a connection and turn, and the
 * caller's answer to it is complete before the connection is received from again. A longer tail grows in its own
 * buffer, received into directly and not beyond the message's end, and is lent alone.
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

enum {
    TAIL_COPIED_MAX = 16 << 10, /* longer tails are received into directly */
    DIRECT_MAX = 256 << 10,     /* received into one tail in a turn */
    DISCARD_MAX = 256 << 10,    /* discarded from one connection in a turn */
    VECTORS_MAX = 128,          /* of one send */
    SEND_MAX = 256 << 10,       /* bytes of one send */
};

/* ---------------------------------------------------------------------------------------------------------- closing */

void cvgi_finish(cvg_net *net, cvgi_connection *connection, int error) {
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    net->accept_at = 0;
    cvgi_count_queued(net, connection->queue.bytes, 0);
    cvgi_queue_free(&connection->queue, &net->chunks);
    cvgi_tail_retire(&net->unfinished, &connection->tail);
    free(connection->others);
    connection->others = NULL;
    cvgi_list_remove(&connection->in_ready);
    cvgi_list_remove(&connection->in_unsent);
    cvgi_list_remove(&connection->in_closing);
    connection->state = CVGI_CLOSED;
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

void cvgi_close(cvg_net *net, cvgi_connection *connection, int64_t linger_us) {
    if (linger_us <= 0) {
        cvgi_finish(net, connection, 0);
        return;
    }
    int64_t now = cvg_net_now_us();
    int64_t deadline = linger_us < INT64_MAX - now ? now + linger_us : INT64_MAX;
    if (!connection->closing || deadline < connection->deadline) connection->deadline = deadline;
    if (deadline < net->deadline) net->deadline = deadline;
    if (connection->closing) return;
    connection->closing = true;
    connection->lent = false;
    cvgi_tail_retire(&net->unfinished, &connection->tail);
    cvgi_list_append(&net->closing, &connection->in_closing);
    if (connection->readable) cvgi_list_append(&net->ready, &connection->in_ready);
    cvgi_close_when_sent(net, connection);
}

void cvgi_close_expired(cvg_net *net) {
    if (net->deadline == INT64_MAX) return;
    int64_t now = cvg_net_now_us();
    if (now < net->deadline) return;
    net->deadline = INT64_MAX;
    for (cvgi_link *link = net->closing.next, *next; link != &net->closing; link = next) {
        next = link->next;
        cvgi_connection *connection = CVGI_LINKED_IN(link, cvgi_connection, in_closing);
        if (connection->deadline <= now)
            cvgi_finish(net, connection, connection->queue.count > 0 ? ETIMEDOUT : 0);
        else if (connection->deadline < net->deadline)
            net->deadline = connection->deadline;
    }
}

/* ---------------------------------------------------------------------------------------------------------- sending */

static void send_failed(cvg_net *net, cvgi_connection *connection, int error) {
    if (connection->closing || !connection->reading) {
        cvgi_finish(net, connection, error);
        return;
    }
    cvgi_count_queued(net, connection->queue.bytes, 0);
    cvgi_queue_free(&connection->queue, &net->chunks);
    connection->broken = connection->readable = connection->hangup = true;
    connection->error = error;
    cvgi_list_append(&net->ready, &connection->in_ready);
}

void cvgi_transmit(cvg_net *net, cvgi_connection *connection) {
    if (connection->state != CVGI_OPEN || connection->blocked || connection->queue.count == 0) return;
    struct iovec vectors[VECTORS_MAX];
    size_t wanted;
    size_t count = cvgi_queue_gather(&connection->queue, vectors, VECTORS_MAX, SEND_MAX, &wanted);
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    net->stats.sends += 1;
    if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            connection->blocked = true;
        else if (errno == EINTR)
            cvgi_list_append(&net->unsent, &connection->in_unsent);
        else
            send_failed(net, connection, errno);
        return;
    }
    net->stats.bytes_out += (uint64_t)sent;
    uint64_t before = connection->queue.bytes;
    cvgi_queue_take(&connection->queue, &net->chunks, (size_t)sent);
    cvgi_count_queued(net, before, connection->queue.bytes);
    if ((size_t)sent < wanted)
        connection->blocked = true;
    else if (connection->queue.count > 0)
        cvgi_list_append(&net->unsent, &connection->in_unsent);
    if (connection->closing) {
        cvgi_close_when_sent(net, connection);
    } else if (connection->above_low && connection->queue.bytes <= net->options.queue_low) {
        connection->above_low = false;
        cvgi_tell(net, connection, CVGI_TELL_DRAINED);
    }
}

/* -------------------------------------------------------------------------------------------------------- receiving */

/* recv, with what its result says about the socket noted. Bytes, or 0: nothing now, or the connection has ended. */
static size_t receive(cvg_net *net, cvgi_connection *connection, void *into, size_t wanted, int flags) {
    ssize_t got = recv(connection->fd, into, wanted, flags | MSG_DONTWAIT);
    if (got > 0) {
        net->stats.receives += 1;
        net->stats.bytes_in += (uint64_t)got;
        /* Less than asked for: the socket is dry, and what comes now makes an edge. But a hangup's edge is past. */
        connection->readable = (size_t)got == wanted || connection->hangup;
        return (size_t)got;
    }
    if (got < 0 && errno == EINTR) return 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        connection->readable = false;
        return 0;
    }
    int error = got == 0 ? 0 : errno;
    connection->readable = false;
    connection->peer_ended = true;
    if (connection->broken || error != 0)
        cvgi_finish(net, connection, connection->broken ? connection->error : error);
    else if (connection->closing)
        cvgi_close_when_sent(net, connection);
    else
        cvgi_close(net, connection, CVGI_ENDED_LINGER_US);
    return 0;
}

static cvg_net_event lend(cvgi_connection *connection, const uint8_t *data, size_t bytes) {
    connection->lent = true;
    return (cvg_net_event){
        .connection = connection->id, .data = data, .bytes = (uint32_t)bytes, .type = CVG_NET_RECEIVED};
}

/* Receives into the tail itself. Whether there is an event. */
static bool receive_into_tail(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    cvgi_tail *tail = &connection->tail;
    uint8_t *room;
    uint32_t wanted;
    if (cvgi_tail_room(&net->unfinished, tail, &room, &wanted) < 0) {
        cvgi_finish(net, connection, ENOBUFS);
        return false;
    }
    if (wanted > DIRECT_MAX) wanted = DIRECT_MAX;
    size_t got = receive(net, connection, room, wanted, 0);
    *work += got;
    if (got == 0) return false;
    tail->length += (uint32_t)got;
    if (tail->length < tail->need) return false;
    *event = lend(connection, cvgi_tail_bytes(tail), tail->length);
    return true;
}

/* Receives into the arena, behind room for the tail. Whether there is an event. */
static bool receive_into_arena(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    cvgi_tail *tail = &connection->tail;
    uint8_t *window = net->arena + net->arena_used;
    size_t room = net->arena_bytes - net->arena_used;
    if (room > CVGI_RECEIVE_BYTES) room = CVGI_RECEIVE_BYTES;
    size_t got = receive(net, connection, window + tail->length, room - tail->length, 0);
    *work += got;
    if (got == 0) return false;
    size_t total = tail->length + got;
    if (tail->length > 0) {
        if (total < tail->need) {
            if (cvgi_tail_append(&net->unfinished, tail, window + tail->length, (uint32_t)got) < 0)
                cvgi_finish(net, connection, ENOBUFS);
            return false;
        }
        memcpy(window, cvgi_tail_bytes(tail), tail->length);
        tail->begin = tail->length = 0; /* its buffer is kept: the next rest is likely to be as long */
    }
    net->arena_used += (total + 63) & ~(size_t)63;
    if (net->arena_used > net->arena_bytes) net->arena_used = net->arena_bytes;
    *event = lend(connection, window, total);
    return true;
}

size_t cvgi_receive_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity) {
    cvgi_link turn;
    cvgi_list_init(&turn);
    cvgi_list_prepend_all(&turn, &net->ready);
    size_t work = 0; /* bytes; a turn is bounded also when it only fills tails and discards */
    while (!cvgi_list_empty(&turn) && count < capacity && work < net->arena_bytes &&
           net->arena_bytes - net->arena_used >= CVGI_RECEIVE_MIN) {
        cvgi_connection *connection = CVGI_LINKED_IN(turn.next, cvgi_connection, in_ready);
        cvgi_list_remove(&connection->in_ready);
        if (connection->lent) { /* never answered: used */
            connection->lent = false;
            cvgi_tail_free(&net->unfinished, &connection->tail);
        }
        if (connection->closing)
            work += receive(net, connection, NULL, DISCARD_MAX, MSG_TRUNC);
        else if (connection->tail.length > TAIL_COPIED_MAX)
            count += receive_into_tail(net, connection, &events[count], &work);
        else
            count += receive_into_arena(net, connection, &events[count], &work);
        if (connection->state == CVGI_OPEN && connection->readable)
            cvgi_list_append(&net->ready, &connection->in_ready);
    }
    cvgi_list_prepend_all(&net->ready, &turn);
    return count;
}
