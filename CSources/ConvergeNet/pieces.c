/*
 * What the kernel has received becomes events, one piece at a time and at most one a connection and turn. A short tail
 * is copied in front of the piece, into the buffer's headroom, and both are lent as one event; a piece that does not
 * end the message is copied behind the tail; a tail longer than the headroom grows to the message's end and is lent
 * alone. So what is not a tail is never copied.
 *
 * A connection is due one buffer, and none while it is paused. It may have more for as long as nobody lacks one: when
 * somebody does, what is more is copied, within the budget of unfinished messages. A paused connection receives nothing
 * more, so it never holds more than once all buffers; who holds most of the budget pays.
 *
 * Failure: the budget or memory is used up: ENOBUFS ends a paused connection; another one keeps its buffers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

static uint32_t buffers_due(const cvgi_connection *connection) {
    return cvgi_paused(connection) ? 0 : 1;
}

void cvgi_pieces_note_hoard(cvgi_ring *ring, cvgi_connection *connection) {
    if (connection->buffers > buffers_due(connection)) cvgi_list_append(&ring->hoards, &connection->in_hoards);
}

static void append_piece(cvgi_connection *connection, cvgi_piece *piece) {
    piece->next = NULL;
    if (connection->pieces == NULL)
        connection->pieces = piece;
    else
        connection->last_piece->next = piece;
    connection->last_piece = piece;
    if (piece->held == 0) connection->buffers += 1;
    connection->copied += piece->held;
}

/* Behind the others. What finds room in the last one's buffer goes there: who sends little at a time has one buffer. */
void cvgi_pieces_add(cvg_net *net, cvgi_connection *connection, cvgi_piece *piece) {
    cvgi_piece *last = connection->pieces == NULL ? NULL : connection->last_piece;
    if (last != NULL && (size_t)(last->end - last->bytes) - last->length >= piece->length) {
        memcpy(last->bytes + last->length, piece->bytes, piece->length);
        last->length += piece->length;
        cvgi_buffers_give_back(net, piece);
        return;
    }
    append_piece(connection, piece);
    cvgi_pieces_note_hoard(net->ring, connection);
}

static cvgi_piece *remove_first(cvgi_connection *connection) {
    cvgi_piece *piece = connection->pieces;
    connection->pieces = piece->next;
    if (piece->held == 0) connection->buffers -= 1;
    connection->copied -= piece->held;
    return piece;
}

void cvgi_pieces_drop(cvg_net *net, cvgi_connection *connection) {
    cvgi_list_remove(&connection->in_hoards);
    while (connection->pieces != NULL) {
        cvgi_piece *piece = remove_first(connection);
        cvgi_count_received(net, piece->length);
        cvgi_buffers_give_back(net, piece);
    }
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
    if (piece->length == 0) cvgi_buffers_give_back(net, remove_first(connection));
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
        if (tail->length > CVGI_TAIL_COPIED_MAX || piece->held > 0) {
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
    if (connection->pieces != NULL) made = deliver(net, connection, event, work);
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
    size_t bytes = sizeof *piece + piece->length;
    if (pool->bytes + bytes > pool->max) return NULL;
    cvgi_piece *copied = malloc(bytes);
    if (copied == NULL) return NULL;
    *copied = (cvgi_piece){.bytes = (uint8_t *)(copied + 1), .length = piece->length, .held = (uint32_t)bytes};
    copied->end = copied->bytes + piece->length;
    memcpy(copied->bytes, piece->bytes, piece->length);
    pool->bytes += bytes;
    if (pool->bytes > pool->peak) pool->peak = pool->bytes;
    return copied;
}

static void copy_hoard(cvg_net *net, cvgi_connection *connection) {
    cvgi_piece *piece = connection->pieces;
    uint32_t due = buffers_due(connection), seen = 0;
    bool failed = false;
    connection->pieces = NULL;
    connection->buffers = 0;
    connection->copied = 0;
    while (piece != NULL) {
        cvgi_piece *next = piece->next, *kept = piece;
        if (piece->held == 0 && ++seen > due && !failed) {
            cvgi_piece *copied = copy(&net->unfinished, piece);
            failed = copied == NULL;
            if (!failed) {
                cvgi_buffers_give_back(net, piece);
                kept = copied;
            }
        }
        append_piece(connection, kept);
        piece = next;
    }
    if (failed && due == 0) cvgi_end_receiving(net, connection, ENOBUFS);
}

void cvgi_pieces_copy_hoards(cvg_net *net) {
    cvgi_link hoards;
    cvgi_list_init(&hoards);
    cvgi_list_prepend_all(&hoards, &net->ring->hoards);
    while (!cvgi_list_empty(&hoards)) {
        cvgi_connection *connection = CVGI_LINKED_IN(hoards.next, cvgi_connection, in_hoards);
        cvgi_list_remove(&connection->in_hoards);
        if (connection->buffers > buffers_due(connection)) copy_hoard(net, connection);
    }
}
