/*
 * What the kernel has received becomes events, one piece at a time and at most one a connection and turn. A short tail
 * is copied in front of the piece, into the buffer's headroom, and both are lent as one event; a piece that does not
 * end the message is copied behind the tail; a tail longer than the headroom grows to the message's end and is lent
 * alone. So what is not a tail is never copied.
 *
 * A paused connection keeps its pieces in their buffers. Only when others find no buffer are they copied, within the
 * budget of unfinished messages; a paused connection receives nothing more, so it never holds more than once all
 * buffers.
 *
 * Failure: the budget or memory is used up: ENOBUFS ends that connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

void cvgi_pieces_add(cvgi_connection *connection, cvgi_piece *piece) {
    piece->next = NULL;
    if (connection->pieces == NULL)
        connection->pieces = piece;
    else
        connection->last_piece->next = piece;
    connection->last_piece = piece;
}

static cvgi_piece *remove_first(cvgi_connection *connection) {
    cvgi_piece *piece = connection->pieces;
    connection->pieces = piece->next;
    return piece;
}

void cvgi_pieces_drop(cvg_net *net, cvgi_connection *connection) {
    while (connection->pieces != NULL) cvgi_ring_give_back(net, remove_first(connection));
}

static size_t discard(cvg_net *net, cvgi_connection *connection) {
    size_t total = 0;
    for (const cvgi_piece *piece = connection->pieces; piece != NULL; piece = piece->next) {
        cvgi_count_received(net, piece->length);
        total += piece->length;
    }
    cvgi_pieces_drop(net, connection);
    return total;
}

/* Moves bytes of the first piece behind the tail. */
static bool append(cvg_net *net, cvgi_connection *connection, uint32_t bytes) {
    cvgi_piece *piece = connection->pieces;
    if (cvgi_tail_append(&net->unfinished, &connection->tail, piece->bytes, bytes) < 0) {
        cvgi_end_receiving(net, connection, ENOBUFS);
        return false;
    }
    cvgi_count_received(net, bytes);
    piece->bytes += bytes;
    piece->length -= bytes;
    if (piece->length == 0) cvgi_ring_give_back(net, remove_first(connection));
    return true;
}

/* The first piece. Whether there is an event. */
static bool deliver(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    cvgi_piece *piece = connection->pieces;
    cvgi_tail *tail = &connection->tail;
    *work += piece->length;
    if (tail->length > 0) {
        uint32_t missing = tail->need - tail->length;
        if (piece->length < missing) {
            append(net, connection, piece->length);
            return false;
        }
        if (tail->length > CVGI_TAIL_COPIED_MAX) {
            if (!append(net, connection, missing)) return false;
            *event = cvgi_lend(connection, cvgi_tail_bytes(tail), tail->length);
            return true;
        }
    }
    cvgi_count_received(net, piece->length);
    if (tail->length > 0) {
        piece->bytes -= tail->length;
        piece->length += tail->length;
        memcpy(piece->bytes, cvgi_tail_bytes(tail), tail->length);
        tail->begin = tail->length = 0; /* its buffer is kept: the next rest is likely to be as long */
    }
    remove_first(connection);
    piece->next = net->ring->lent;
    net->ring->lent = piece;
    *event = cvgi_lend(connection, piece->bytes, piece->length);
    return true;
}

bool cvgi_pieces_receive(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work) {
    bool made = false;
    if (connection->discarding)
        *work += discard(net, connection);
    else if (connection->pieces != NULL)
        made = deliver(net, connection, event, work);
    if (connection->state != CVGI_OPEN) return false;
    connection->readable = connection->pieces != NULL || connection->ended;
    if (connection->pieces != NULL) return made;
    if (!connection->ended)
        net->backend->attend(net, connection);
    else if (!made)
        cvgi_stream_ended(net, connection, connection->end_error);
    return made;
}

static cvgi_piece *copy(cvgi_unfinished *pool, const cvgi_piece *piece) {
    size_t bytes = sizeof *piece + CVGI_TAIL_COPIED_MAX + piece->length;
    if (pool->bytes + bytes > pool->max) return NULL;
    cvgi_piece *copied = malloc(bytes);
    if (copied == NULL) return NULL;
    *copied = (cvgi_piece){.length = piece->length, .held = (uint32_t)bytes};
    copied->bytes = (uint8_t *)(copied + 1) + CVGI_TAIL_COPIED_MAX;
    memcpy(copied->bytes, piece->bytes, piece->length);
    pool->bytes += bytes;
    if (pool->bytes > pool->peak) pool->peak = pool->bytes;
    return copied;
}

static void copy_all(cvg_net *net, cvgi_connection *connection) {
    cvgi_piece *piece = connection->pieces;
    connection->pieces = NULL;
    bool failed = false;
    while (piece != NULL) {
        cvgi_piece *next = piece->next, *kept = piece;
        if (piece->held == 0) {
            kept = failed ? NULL : copy(&net->unfinished, piece);
            cvgi_ring_give_back(net, piece);
        }
        if (kept == NULL)
            failed = true;
        else
            cvgi_pieces_add(connection, kept);
        piece = next;
    }
    if (failed) cvgi_end_receiving(net, connection, ENOBUFS);
}

void cvgi_pieces_copy_paused(cvg_net *net) {
    for (uint32_t slot = 0; slot < net->table.count; slot++) {
        cvgi_connection *connection = net->table.slots[slot];
        if (connection->pieces != NULL && !connection->reading && !connection->discarding) copy_all(net, connection);
    }
}
