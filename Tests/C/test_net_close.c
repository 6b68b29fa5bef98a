/*
 * How connections end, over loopback: by either side, at every point of a stream, with bytes queued, lent or unread.
 */
#include "net_support.h"

static void client_closes_at_every_point(void **state) {
    (void)state;
    size_t bytes;
    uint8_t *stream = small_stream(&bytes);
    for (int reset = 0; reset < 2; reset++) {
        server server;
        server_start(&server, (cvg_net_options){0});
        for (size_t cut = 0; cut <= bytes; cut++) {
            int fd = client_connect(server.port, 0);
            uint64_t messages = server.messages;
            uint32_t closed = server.closed;
            if (cut > 0) assert_int_equal(client_write(fd, stream, cut), cut);
            if (reset) {
                uint64_t in = server_stats(&server).bytes_in;
                TURN_UNTIL(&server, server_stats(&server).bytes_in == in + cut && server.accepted == cut + 1);
                client_reset(fd);
            } else {
                shutdown(fd, SHUT_WR);
            }
            TURN_UNTIL(&server, server.closed == closed + 1);
            assert_int_equal(server.last_error, reset ? ECONNRESET : 0);
            uint64_t whole = 0;
            for (size_t at = 0; whole < SMALL_COUNT && at + small_lengths[whole] <= cut; whole++)
                at += small_lengths[whole];
            assert_int_equal(server.messages, messages + whole);
            if (!reset) close(fd);
        }
        server_turn(&server, 0);
        assert_int_equal(server.closed, bytes + 1);
        assert_int_equal(server_stats(&server).unfinished_bytes, 0);
        assert_int_equal(server_stats(&server).connections, 0);
        server_stop(&server);
    }
    free(stream);
}

/* What the peer sent before it reset the connection is still delivered, though sending to it has failed. */
static void failed_send_delivers_what_was_received(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    server.echo = false;
    uint8_t message[100];
    put_message(message, sizeof message, 0);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    cvg_net_reserve(server.net, server.last, 10);
    cvg_net_commit(server.net, server.last, 10);
    cvg_net_flush(server.net);
    client_write(fd, message, sizeof message);
    close(fd); /* with unread bytes: RST */
    memset(cvg_net_reserve(server.net, server.last, 10), 0, 10);
    cvg_net_commit(server.net, server.last, 10);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.messages, 1);
    assert_true(server.last_error == ECONNRESET || server.last_error == EPIPE);
    server_stop(&server);
}

static void half_closed_reader_gets_everything(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint32_t lengths[64];
    for (size_t i = 0; i < 64; i++) lengths[i] = 60000;
    size_t bytes;
    uint8_t *stream = make_stream(lengths, 64, &bytes), *back = malloc(bytes + 1);
    int fd = client_connect(server.port, 16384);
    size_t sent = 0;
    while (sent < bytes) {
        sent += client_write(fd, stream + sent, bytes - sent);
        server_turn(&server, 0);
    }
    shutdown(fd, SHUT_WR);
    assert_int_equal(client_drain(&server, fd, back, bytes), bytes);
    assert_memory_equal(back, stream, bytes);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, 0);
    server_stop(&server);
    free(stream);
    free(back);
}

/* The last message arrives although the client's input has not been read. */
static void linger_delivers_the_last_message(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint8_t *noise = calloc(1, 1 << 20), last[1000], back[1001];
    put_message(last, sizeof last, 42);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    client_write(fd, noise, 1 << 20);
    memcpy(cvg_net_reserve(server.net, server.last, sizeof last), last, sizeof last);
    cvg_net_commit(server.net, server.last, sizeof last);
    cvg_net_close(server.net, server.last, 60000000);
    assert_null(cvg_net_reserve(server.net, server.last, 1));
    for (size_t turns = 0; turns < 100; turns++) {
        client_write(fd, noise, 1 << 20);
        server_turn(&server, 0);
    }
    assert_int_equal(server.closed, 0);
    assert_int_equal(client_drain(&server, fd, back, sizeof last), sizeof last);
    assert_memory_equal(back, last, sizeof last);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    server_stop(&server);
    free(noise);
}

static void linger_ends(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint32_t disposed = 0;
    cvg_segment *segment = segment_make(1 << 20, 1, &disposed);
    int fd = client_connect(server.port, 4096), silent = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 2);
    for (int i = 0; i < 32; i++)
        assert_int_equal(cvg_net_send(server.net, server.by_slot[0], segment, 0, 1 << 20, 1), 0);
    cvg_net_close(server.net, server.by_slot[1], 1000);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, 0);
    cvg_net_close(server.net, server.by_slot[0], 3600000000);
    server_turn(&server, 1000);
    assert_int_equal(server.closed, 1);
    cvg_net_close(server.net, server.by_slot[0], 1000); /* sooner than said before */
    TURN_UNTIL(&server, server.closed == 2);
    assert_int_equal(server.last_error, ETIMEDOUT);
    assert_int_equal(segment->references, 1);
    cvg_segment_release(segment);
    assert_int_equal(disposed, 1);
    close(fd);
    close(silent);
    server_stop(&server);
}

/* The server closes while bytes are lent, before and after its answer, at once and with a linger. */
static void server_closes_with_bytes_lent(void **state) {
    (void)state;
    uint8_t *message = malloc(100000);
    put_message(message, 100000, 0);
    for (int variant = 0; variant < 8; variant++) {
        server server;
        server_start(&server, (cvg_net_options){0});
        bool tail = variant & 1, answer_first = variant & 2;
        int64_t linger = variant & 4 ? 60000000 : 0;
        int fd = client_connect(server.port, 0);
        size_t sent = 0;
        cvg_net_event events[8];
        bool closed = false, done = false;
        cvg_connection id = 0;
        while (!closed) {
            if (sent < 100000 && !done) sent += client_write(fd, message + sent, 10000);
            int count = cvg_net_poll(server.net, 1000, events, 8);
            for (int i = 0; i < count; i++) {
                const cvg_net_event *event = &events[i];
                if (event->type == CVG_NET_CLOSED) {
                    assert_int_equal(event->connection, id);
                    closed = true;
                }
                if (event->type != CVG_NET_RECEIVED) continue;
                assert_false(done);
                if (tail && event->bytes < 100000) {
                    cvg_net_consume(server.net, event, 0, 100000);
                    continue;
                }
                id = event->connection;
                if (answer_first) cvg_net_consume(server.net, event, 4, 200000);
                cvg_net_close(server.net, id, linger);
                assert_memory_equal(event->data, message, event->bytes); /* still lent */
                cvg_net_consume(server.net, event, 4, 200000);
                cvg_net_close(server.net, id, linger);
                done = true;
                if (linger) shutdown(fd, SHUT_WR);
            }
        }
        assert_int_equal(cvg_net_poll(server.net, 0, events, 8), 0);
        assert_int_equal(server_stats(&server).unfinished_bytes, 0);
        assert_int_equal(cvg_net_send(server.net, id, NULL, 0, 1, 1), -ENOTCONN);
        assert_int_equal(cvg_net_unsent(server.net, id).bytes, 0);
        cvg_net_commit(server.net, id, 1);
        cvg_net_close(server.net, id, 0);
        assert_int_equal(cvg_net_poll(server.net, 0, events, 8), 0);
        close(fd);
        server_stop(&server);
    }
    free(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_closes_at_every_point),
        cmocka_unit_test(failed_send_delivers_what_was_received),
        cmocka_unit_test(half_closed_reader_gets_everything),
        cmocka_unit_test(linger_delivers_the_last_message),
        cmocka_unit_test(linger_ends),
        cmocka_unit_test(server_closes_with_bytes_lent),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
