/*
 * A connection with a short tail or none receives into the arena, behind room for the tail. When the message is then as
 * long as was asked, the tail is copied in front of what came, and everything is lent as one event: the rest of the
 * message and the messages after it. So there is at most one RECEIVED event a connection and turn, and the caller's
 * answer to it is complete before the connection is received from again. A longer tail grows in its own buffer,
 * received into directly and not beyond the message's end, and is lent alone.
 */
#define _GNU_SOURCE 1
#include "arena.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    RECEIVE_MIN = 32 << 10,  /* with less room than this the arena is full */
    DIRECT_MAX = 256 << 10,  /* received into one tail in a turn */
    DISCARD_MAX = 256 << 10, /* discarded from one connection in a turn */
};

/* recv, with what its result says about the socket noted. Bytes, or 0: nothing now, or the connection has ended. */
static size_t receive(cvg_net *net, cvgi_connection *connection, void *into, size_t wanted, int flags) {
    ssize_t got = recv(connection->fd, into, wanted, flags | MSG_DONTWAIT);
    if (got > 0) {
        cvgi_count_received(net, (size_t)got);
        /* Less than asked for: the socket is dry, and what comes now makes an edge. But a hangup's edge is past. */
        connection->readable = (size_t)got == wanted || connection->hangup;
        return (size_t)got;
    }
    if (got < 0 && errno == EINTR) return 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        connection->readable = false;
        return 0;
    }
    cvgi_stream_ended(net, connection, got == 0 ? 0 : errno);
    return 0;
}

/* Receives into the tail itself. Whether there is an event. */
static bool receive_into_tail(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    cvgi_tail *tail = &connection->tail;
    uint8_t *room;
    uint32_t wanted;
    if (cvgi_tail_room(&net->unfinished, tail, &room, &wanted) < 0) {
        cvgi_end_receiving(net, connection, ENOBUFS);
        return false;
    }
    if (wanted > DIRECT_MAX) wanted = DIRECT_MAX;
    size_t got = receive(net, connection, room, wanted, 0);
    *work += got;
    if (got == 0) return false;
    tail->length += (uint32_t)got;
    if (tail->length < tail->need) return false;
    *event = cvgi_lend(connection, cvgi_tail_bytes(tail), tail->length);
    return true;
}

/* Receives into the arena, behind room for the tail. Whether there is an event. */
static bool receive_into_arena(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    cvgi_tail *tail = &connection->tail;
    cvgi_arena *arena = net->arena;
    uint8_t *window = arena->memory + arena->used;
    size_t room = arena->bytes - arena->used;
    if (room > CVGI_RECEIVE_BYTES) room = CVGI_RECEIVE_BYTES;
    size_t got = receive(net, connection, window + tail->length, room - tail->length, 0);
    *work += got;
    if (got == 0) return false;
    size_t total = tail->length + got;
    if (tail->length > 0) {
        if (total < tail->need) {
            if (cvgi_tail_append(&net->unfinished, tail, window + tail->length, (uint32_t)got) < 0)
                cvgi_end_receiving(net, connection, ENOBUFS);
            return false;
        }
        memcpy(window, cvgi_tail_bytes(tail), tail->length);
        tail->begin = tail->length = 0; /* its buffer is kept: the next rest is likely to be as long */
    }
    arena->used += (total + 63) & ~(size_t)63;
    if (arena->used > arena->bytes - RECEIVE_MIN) *work = arena->bytes; /* full: enough for this turn */
    *event = cvgi_lend(connection, window, total);
    return true;
}

bool cvgi_arena_receive(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    if (connection->discarding) {
        *work += receive(net, connection, NULL, DISCARD_MAX, MSG_TRUNC);
        return false;
    }
    if (connection->tail.length > CVGI_TAIL_COPIED_MAX) return receive_into_tail(net, connection, event, work);
    return receive_into_arena(net, connection, event, work);
}
