/*
 * ENDED, over loopback: when it is told and when not, what can still be sent after it, and who closes.
 */
#include "net.h"
#include "net_support.h"

static void start(server *server, cvg_net_options options) {
    server_start(server, options);
    server->keeps_ended = true;
}

/* Queues a message of this length for the connection accepted last. */
static void queue_message(server *server, uint32_t bytes, uint32_t number) {
    uint8_t *room = cvg_net_reserve(server->net, server->last, bytes);
    assert_non_null(room);
    put_message(room, bytes, number);
    cvg_net_commit(server->net, server->last, bytes);
}

static void expect_message(server *server, int fd, uint32_t bytes, uint32_t number) {
    uint8_t *back = malloc(bytes), *wanted = malloc(bytes);
    put_message(wanted, bytes, number);
    bool ended = false;
    for (size_t got = 0; got < bytes;) {
        size_t more = client_read(fd, back + got, bytes - got, &ended);
        assert_false(ended);
        if (more == 0) server_turn(server, 1000);
        got += more;
    }
    assert_memory_equal(back, wanted, bytes);
    free(back);
    free(wanted);
}

/* What came before the end is delivered before it; what is said after it arrives, long after, too. */
static void answers_after_the_end_arrive(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){0});
    server.echo = false;
    size_t bytes;
    uint8_t *stream = small_stream(&bytes), end[1];
    int fd = client_connect(server.port, 0);
    client_write(fd, stream, bytes - 3); /* the last message has no end */
    shutdown(fd, SHUT_WR);
    TURN_UNTIL(&server, server.ended == 1);
    assert_int_equal(server.last_end, 0);
    assert_int_equal(server.messages, SMALL_COUNT - 1);
    server_turn(&server, 0);
    assert_int_equal(server_stats(&server).unfinished_bytes, 0);
    for (uint32_t number = 0; number < 50; number++) {
        queue_message(&server, 3000, number);
        expect_message(&server, fd, 3000, number);
        for (int i = 0; i < 3; i++) server_turn(&server, 0);
    }
    assert_int_equal(server.ended, 1);
    assert_int_equal(server.closed, 0);
    queue_message(&server, 100000, 50);
    cvg_net_close(server.net, server.last, 60000000);
    assert_null(cvg_net_reserve(server.net, server.last, 1));
    expect_message(&server, fd, 100000, 50);
    assert_int_equal(client_drain(&server, fd, end, 0), 0);
    TURN_UNTIL(&server, server.closed == 1); /* the peer's end is known: there is nothing to wait for */
    assert_int_equal(server.last_error, 0);
    close(fd);
    server_stop(&server);
    free(stream);
}

/* A paused connection hears of its peer's end when it is read from again. */
static void paused_hears_of_the_end_later(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){0});
    uint8_t message[500];
    put_message(message, sizeof message, 0);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    cvg_net_set_reading(server.net, server.last, false);
    server_turn(&server, 0);
    client_write(fd, message, sizeof message);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 10; i++) server_turn(&server, 1000);
    assert_int_equal(server.ended, 0);
    cvg_net_set_reading(server.net, server.last, true);
    TURN_UNTIL(&server, server.ended == 1);
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.closed, 0);
    close(fd);
    server_stop(&server);
}

/* For lack of room for unfinished bytes, and for too long a message: what comes later is discarded, what the caller
 * says arrives, and the peer is not reset. */
static void bounds_end_and_leave_time_to_say_so(void **state) {
    (void)state;
    for (int too_long = 0; too_long < 2; too_long++) {
        server server;
        start(&server,
              (cvg_net_options){.unfinished_max = too_long ? 0 : 64 << 10, .message_max = too_long ? 200000 : 0});
        enum { LONG = 1 << 20 };
        uint8_t *message = malloc(LONG), end[1];
        put_message(message, LONG, 0);
        int fd = client_connect(server.port, 0);
        size_t sent = 0;
        while (sent < LONG) {
            sent += client_write(fd, message + sent, LONG - sent < 10000 ? LONG - sent : 10000);
            server_turn(&server, 0);
        }
        TURN_UNTIL(&server, server.ended == 1 && server_stats(&server).bytes_in == LONG);
        assert_int_equal(server.last_end, too_long ? EMSGSIZE : ENOBUFS);
        assert_int_equal(server.messages, 0);
        server_turn(&server, 0);
        assert_int_equal(server_stats(&server).unfinished_bytes, 0);
        cvg_net_set_reading(server.net, server.last, false); /* of no effect any more */
        queue_message(&server, 300, 7);
        cvg_net_close(server.net, server.last, 60000000);
        expect_message(&server, fd, 300, 7);
        assert_int_equal(client_drain(&server, fd, end, 0), 0);
        assert_int_equal(client_write(fd, message, 100), 100);
        for (int i = 0; i < 5; i++) server_turn(&server, 0);
        assert_int_equal(server.closed, 0);
        close(fd);
        TURN_UNTIL(&server, server.closed == 1);
        assert_int_equal(server.last_error, 0);
        assert_int_equal(server.ended, 1); /* not once more for the peer's end */
        server_stop(&server);
        free(message);
    }
}

/* Not after an own close, with or without a linger, and not when the connection fails. */
static void not_told_after_an_own_close(void **state) {
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        server server;
        start(&server, (cvg_net_options){0});
        uint8_t byte = 0;
        int fd = client_connect(server.port, 0);
        TURN_UNTIL(&server, server.accepted == 1);
        server_turn(&server, 0);
        if (variant < 2) cvg_net_close(server.net, server.last, variant == 0 ? 60000000 : 0);
        client_write(fd, &byte, 1);
        if (variant == 2)
            client_reset(fd);
        else
            close(fd);
        TURN_UNTIL(&server, server.closed == 1);
        assert_int_equal(server.ended, 0);
        assert_int_equal(server.last_error, variant == 2 ? ECONNRESET : 0);
        server_stop(&server);
    }
}

/* The end is known, but the caller closes before the poll that would tell it. */
static void not_told_when_closed_before(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){.message_max = 1000});
    cvg_net_event event = {0};
    uint8_t header[8] = {0};
    int fd = client_connect(server.port, 0);
    client_write(fd, header, sizeof header);
    while (event.type != CVG_NET_RECEIVED) assert_true(cvg_net_poll(server.net, -1, &event, 1) >= 0);
    cvg_net_consume(server.net, &event, 0, 1001);
    assert_true(server.net->table.slots[0]->tell & CVGI_TELL_ENDED);
    cvg_net_close(server.net, event.connection, 60000000);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.ended, 0);
    server_stop(&server);
}

/* A caller who does not close finds it closed after the linger; an own close may ask for more or less time. */
static void closes_by_itself_after_the_linger(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){0});
    int silent = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    int stuck = client_connect(server.port, 4096);
    TURN_UNTIL(&server, server.accepted == 2);
    for (uint32_t i = 0; i < 16; i++) queue_message(&server, 1 << 20, i);
    shutdown(silent, SHUT_WR);
    shutdown(stuck, SHUT_WR);
    const int64_t before = cvg_net_now_us();
    TURN_UNTIL(&server, server.ended == 2);
    for (int i = 0; i < 2; i++) {
        cvgi_connection *connection = server.net->table.slots[i];
        assert_true(connection->deadline >= before + CVGI_ENDED_LINGER_US);
        assert_true(connection->deadline <= cvg_net_now_us() + CVGI_ENDED_LINGER_US);
        assert_true(server.net->deadline <= connection->deadline);
    }
    for (int i = 0; i < 2; i++) { /* as if it were later */
        server.net->table.slots[i]->deadline = server.net->deadline = cvg_net_now_us();
        TURN_UNTIL(&server, server.closed == (uint32_t)i + 1);
        if (i == 0) assert_int_equal(server.last_error, 0);
    }
    TURN_UNTIL(&server, server.closed == 2);
    assert_int_equal(server.last_error, ETIMEDOUT);
    assert_int_equal(server_stats(&server).queued_bytes, 0);
    assert_int_equal(server_stats(&server).unsent_private_bytes, 0);
    int patient = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 3);
    shutdown(patient, SHUT_WR);
    TURN_UNTIL(&server, server.ended == 3);
    for (uint32_t i = 0; i < 16; i++) queue_message(&server, 1 << 20, i);
    cvg_net_close(server.net, server.last, 3600000000);
    uint32_t slot = CVG_CONNECTION_SLOT(server.last);
    assert_true(server.net->table.slots[slot]->deadline > before + 3600000000);
    close(silent);
    close(stuck);
    close(patient);
    server_stop(&server);
}

/* A peer that ended its side and then fails is noticed at once, with nothing queued and nothing to receive. */
static void half_closed_peer_that_fails_is_noticed(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){0});
    int fd = client_connect(server.port, 0);
    shutdown(fd, SHUT_WR);
    TURN_UNTIL(&server, server.ended == 1);
    server_turn(&server, 0);
    const int64_t before = cvg_net_now_us();
    client_reset(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, EPIPE);
    assert_true(cvg_net_now_us() < before + CVGI_ENDED_LINGER_US / 2);
    server_stop(&server);
}

/* A peer that has ended its side and does not read costs nothing while its queue waits. */
static void half_closed_peer_that_does_not_read_is_waited_for(void **state) {
    (void)state;
    server server;
    start(&server, (cvg_net_options){0});
    int fd = client_connect(server.port, 4096);
    TURN_UNTIL(&server, server.accepted == 1);
    for (uint32_t i = 0; i < 16; i++) queue_message(&server, 1 << 20, i);
    shutdown(fd, SHUT_WR);
    TURN_UNTIL(&server, server.ended == 1);
    for (int i = 0; i < 20; i++) server_turn(&server, 1000);
    const uint64_t before = server_stats(&server).sends;
    for (int i = 0; i < 20; i++) server_turn(&server, 1000);
    assert_true(server_stats(&server).sends <= before + 2);
    for (uint32_t i = 0; i < 16; i++) expect_message(&server, fd, 1 << 20, i);
    close(fd);
    server_stop(&server);
}

/* Private bytes are counted apart from slices of shared segments, as they are queued, sent in parts and dropped. */
static void private_bytes_are_counted(void **state) {
    (void)state;
    enum { SLICE = 1 << 20, OWN = 1 << 20, EACH = 8 };
    server server;
    start(&server, (cvg_net_options){0});
    uint32_t disposed = 0;
    cvg_segment *segment = segment_make(SLICE, 1, &disposed);
    int fd = client_connect(server.port, 4096);
    TURN_UNTIL(&server, server.accepted == 1);
    for (uint32_t i = 0; i < EACH; i++) {
        queue_message(&server, OWN, i);
        assert_int_equal(cvg_net_send(server.net, server.last, segment, 0, SLICE, 1), 0);
        assert_int_equal(server_stats(&server).unsent_private_bytes, (i + 1) * OWN);
    }
    assert_int_equal(server_stats(&server).queued_bytes, EACH * (OWN + SLICE));
    uint8_t piece[65536];
    for (size_t got = 0; got < 3 * (OWN + SLICE) + OWN / 2;) {
        bool ended = false;
        server_turn(&server, 0);
        got += client_read(fd, piece, sizeof piece, &ended);
        cvg_net_stats stats = server_stats(&server);
        uint64_t sent = stats.bytes_out, round = sent / (OWN + SLICE), within = sent % (OWN + SLICE);
        uint64_t own = round * OWN + (within < OWN ? within : OWN);
        assert_int_equal(stats.unsent_private_bytes, EACH * OWN - own);
        assert_int_equal(stats.queued_bytes, EACH * (OWN + SLICE) - sent);
    }
    cvg_net_discard_unsent(server.net, server.last);
    cvg_net_queued left = cvg_net_unsent(server.net, server.last);
    uint64_t own = server_stats(&server).unsent_private_bytes;
    assert_true(left.weight == 1 ? own == 0 : own == left.bytes);
    cvg_net_close(server.net, server.last, 0);
    assert_int_equal(server_stats(&server).unsent_private_bytes, 0);
    assert_int_equal(server_stats(&server).unsent_private_peak, EACH * OWN);
    assert_int_equal(segment->references, 1);
    cvg_segment_release(segment);
    close(fd);
    server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_after_the_end_arrive),
        cmocka_unit_test(paused_hears_of_the_end_later),
        cmocka_unit_test(bounds_end_and_leave_time_to_say_so),
        cmocka_unit_test(not_told_after_an_own_close),
        cmocka_unit_test(not_told_when_closed_before),
        cmocka_unit_test(closes_by_itself_after_the_linger),
        cmocka_unit_test(half_closed_peer_that_fails_is_noticed),
        cmocka_unit_test(half_closed_peer_that_does_not_read_is_waited_for),
        cmocka_unit_test(private_bytes_are_counted),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
