#define _GNU_SOURCE 1
#include "net.h"

#include <errno.h>
#include <time.h>

void cvgi_tell(cvg_net *net, cvgi_connection *connection, uint8_t what) {
    connection->tell |= what;
    cvgi_list_append(&net->notices, &connection->in_notices);
}

void cvgi_count_queued(cvg_net *net, cvgi_queue_bytes before, cvgi_queue_bytes after) {
    cvg_net_stats *stats = &net->stats;
    stats->queued_bytes += after.all - before.all;
    if (stats->queued_bytes > stats->queued_peak) stats->queued_peak = stats->queued_bytes;
    stats->unsent_private_bytes += after.of_chunks - before.of_chunks;
    if (stats->unsent_private_bytes > stats->unsent_private_peak)
        stats->unsent_private_peak = stats->unsent_private_bytes;
    stats->queue_memory_bytes += after.memory - before.memory;
    if (stats->queue_memory_bytes > stats->queue_memory_peak) stats->queue_memory_peak = stats->queue_memory_bytes;
}

static bool takes_more(const cvgi_connection *connection) {
    return connection != NULL && !connection->closing && !connection->broken;
}

static void queued(cvg_net *net, cvgi_connection *connection, cvgi_queue_bytes before) {
    cvgi_count_queued(net, before, connection->queue.bytes);
    if (connection->queue.bytes.all > net->options.queue_low) connection->above_low = true;
    if (connection->state == CVGI_OPEN && !connection->blocked && connection->queue.count > 0)
        cvgi_list_append(&net->unsent, &connection->in_unsent);
}

void cvg_net_consume(cvg_net *net, const cvg_net_event *event, uint32_t used, uint32_t need) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, event->connection);
    if (connection == NULL || !connection->lent) return;
    CVGI_ASSERT(used <= event->bytes);
    connection->lent = false;
    cvgi_tail *tail = &connection->tail;
    uint32_t rest = event->bytes - used;
    if (rest == 0) {
        tail->need = tail->length = 0;
        cvgi_tail_retire(&net->unfinished, tail);
        return;
    }
    if (need > net->options.message_max) {
        cvgi_end_receiving(net, connection, EMSGSIZE);
        return;
    }
    tail->need = need > rest ? need : rest + 1;
    if (tail->length > 0) { /* the event was the tail itself */
        tail->begin += used;
        tail->length -= used;
        return;
    }
    if (cvgi_tail_append(&net->unfinished, tail, event->data + used, rest) < 0)
        cvgi_end_receiving(net, connection, ENOBUFS);
}

void cvg_net_set_reading(cvg_net *net, cvg_connection id, bool reading) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (connection == NULL || connection->discarding) return;
    if (connection->reading == reading) return;
    connection->reading = reading;
    net->backend->attend(net, connection);
    if (!reading)
        cvgi_list_remove(&connection->in_ready);
    else if (connection->readable)
        cvgi_list_append(&net->ready, &connection->in_ready);
}

uint8_t *cvg_net_reserve(cvg_net *net, cvg_connection id, size_t bytes) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (!takes_more(connection)) return NULL;
    cvgi_queue_bytes before = connection->queue.bytes;
    uint8_t *room = cvgi_queue_reserve(&connection->queue, &net->chunks, bytes);
    cvgi_count_queued(net, before, connection->queue.bytes);
    return room;
}

void cvg_net_commit(cvg_net *net, cvg_connection id, size_t bytes) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (!takes_more(connection)) return;
    cvgi_queue_bytes before = connection->queue.bytes;
    cvgi_queue_commit(&connection->queue, &net->chunks, bytes);
    queued(net, connection, before);
}

int cvg_net_send(cvg_net *net, cvg_connection id, struct cvg_segment *segment, uint32_t offset, uint32_t bytes,
                 uint32_t weight) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (!takes_more(connection)) return -ENOTCONN;
    cvgi_queue_bytes before = connection->queue.bytes;
    int failed = cvgi_queue_push(&connection->queue, segment, offset, bytes, weight);
    if (!failed) queued(net, connection, before);
    return failed;
}

cvg_net_queued cvg_net_unsent(const cvg_net *net, cvg_connection id) {
    const cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (connection == NULL) return (cvg_net_queued){0};
    return (cvg_net_queued){.bytes = connection->queue.bytes.all,
                            .weight = connection->queue.weight,
                            .private_bytes = connection->queue.bytes.of_chunks,
                            .memory = connection->queue.bytes.memory};
}

void cvg_net_discard_unsent(cvg_net *net, cvg_connection id) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (!takes_more(connection)) return;
    cvgi_queue_bytes before = connection->queue.bytes;
    cvgi_queue_discard(&connection->queue, &net->chunks);
    cvgi_count_queued(net, before, connection->queue.bytes);
    if (connection->queue.count == 0) cvgi_list_remove(&connection->in_unsent);
    if (!connection->above_low || connection->queue.bytes.all > net->options.queue_low) return;
    connection->above_low = false;
    cvgi_tell(net, connection, CVGI_TELL_DRAINED);
}

void cvg_net_close(cvg_net *net, cvg_connection id, int64_t linger_us) {
    cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (connection != NULL) cvgi_close(net, connection, linger_us);
}

void cvg_net_flush(cvg_net *net) {
    cvgi_link turn;
    cvgi_list_init(&turn);
    cvgi_list_prepend_all(&turn, &net->unsent);
    if (!cvgi_list_empty(&turn)) net->backend->transmit(net, &turn);
}

void cvg_net_peer(const cvg_net *net, cvg_connection id, char *text, size_t capacity) {
    const cvgi_connection *connection = cvgi_connections_find(&net->table, id);
    if (connection != NULL)
        cvgi_address_text(&connection->peer, text, capacity);
    else if (capacity > 0)
        text[0] = 0;
}

void cvg_net_wake(cvg_net *net) {
    cvg_waker_wake(net->waker);
}

cvg_waker *cvg_net_waker(cvg_net *net) {
    cvgi_waker_retain(net->waker);
    return net->waker;
}

int64_t cvg_net_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void cvg_net_stats_read(const cvg_net *net, cvg_net_stats *stats) {
    *stats = net->stats;
    stats->connections = net->table.taken;
    stats->unfinished_bytes = net->unfinished.bytes;
    stats->unfinished_peak = net->unfinished.peak;
    stats->unfinished_max = net->unfinished.max;
}
