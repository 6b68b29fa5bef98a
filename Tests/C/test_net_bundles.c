/*
 * Bundles, over loopback: one receive that fills several buffers. Where the kernel has none, or they are switched off,
 * the same bytes arrive buffer by buffer, and the count of bundles stays 0.
 */
#include <sys/utsname.h>

#include "net.h"
#include "net_support.h"
#include "ring.h"
#include "uring.h"

enum { BUFFER = 64 << 10, BUNDLE_MOST = 8 };

static bool bundles_expected(void) {
    struct utsname system;
    assert_int_equal(uname(&system), 0);
    char *end;
    unsigned long major = strtoul(system.release, &end, 10), minor = strtoul(end + 1, NULL, 10);
    return cvgi_bundles_allowed && (major > 6 || (major == 6 && minor >= 16));
}

static uint32_t roll(uint64_t *random, uint32_t below) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33) % below;
}

static void assert_buffers_are_home(server *server, uint32_t buffers) {
    for (int i = 0; i < 3; i++) server_turn(server, 0);
    assert_int_equal(server->net->ring->available, buffers);
    assert_int_equal(server->net->ring->asked, 0);
    assert_int_equal(server->net->ring->floods, 0);
}

/* Writes the stream as the socket takes it, a turn after each write, until the server has this many messages. */
static void stream_all(server *server, int fd, const uint8_t *stream, size_t bytes, uint64_t messages) {
    for (size_t sent = 0; server->messages < messages;) {
        if (sent < bytes) sent += client_write(fd, stream + sent, bytes - sent);
        server_turn(server, sent < bytes ? 0 : 1000);
    }
}

enum { COUNT = 5000, LONG_COUNT = 20000 };

static uint8_t *large_stream(uint32_t count, size_t *bytes) {
    uint32_t lengths[LONG_COUNT];
    for (uint32_t i = 0; i < count; i++) lengths[i] = 8 + i * 37 % 3000;
    return make_stream(lengths, count, bytes);
}

static void one_that_floods_is_received_from_by_bundles(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 32});
    server.echo = false;
    size_t bytes;
    uint8_t *stream = large_stream(COUNT, &bytes);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    stream_all(&server, fd, stream, bytes, COUNT);
    assert_int_equal(server_stats(&server).bytes_in, bytes);
    assert_int_equal(server.net->ring->floods, 0); /* not any more */
    if (bundles_expected())
        assert_true(server_stats(&server).bundles > 0);
    else
        assert_int_equal(server_stats(&server).bundles, 0);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_buffers_are_home(&server, 32);
    server_stop(&server);
    free(stream);
}

/* Writes that end around the ends of buffers, pools of every size, polls with little room, pauses; and several who
 * write, so that the buffers go back to the kernel in another order than they came. */
static void every_split_arrives_whole_and_in_order(void **state) {
    (void)state;
    enum { CLIENTS = 3, POOLS = 12 };
    static const uint32_t pools[POOLS] = {1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 64};
    static const uint32_t writes[] = {1, 1000, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 3 * BUFFER + 7, 12 * BUFFER};
    size_t bytes;
    uint64_t random = 7, bundles = 0;
    uint8_t *stream = large_stream(COUNT, &bytes);
    for (size_t i = 0; i < POOLS; i++) {
        server server;
        server_start(&server, (cvg_net_options){.receive_buffers = pools[i]});
        server.echo = false;
        int fds[CLIENTS];
        cvg_connection connections[CLIENTS];
        size_t sent[CLIENTS] = {0};
        for (uint32_t client = 0; client < CLIENTS; client++) {
            fds[client] = client_connect(server.port, 0);
            TURN_UNTIL(&server, server.accepted == client + 1);
            connections[client] = server.last;
        }
        while (server.messages < CLIENTS * COUNT) {
            uint32_t client = roll(&random, CLIENTS);
            size_t write = writes[roll(&random, sizeof writes / sizeof *writes)], left = bytes - sent[client];
            if (left > 0) sent[client] += client_write(fds[client], stream + sent[client], left < write ? left : write);
            cvg_net_set_reading(server.net, connections[client], roll(&random, 8) != 0);
            server.capacity = roll(&random, 4) == 0 ? 1 : EVENTS;
            if (roll(&random, 3) != 0) server_turn(&server, 0);
        }
        assert_int_equal(server_stats(&server).bytes_in, CLIENTS * bytes);
        bundles += server_stats(&server).bundles;
        for (uint32_t client = 0; client < CLIENTS; client++) {
            cvg_net_set_reading(server.net, connections[client], true);
            close(fds[client]);
        }
        TURN_UNTIL(&server, server.closed == CLIENTS);
        assert_buffers_are_home(&server, pools[i]);
        server_stop(&server);
    }
    assert_true(bundles_expected() ? bundles > 100 : bundles == 0);
    free(stream);
}

/* The order of the buffers is counted in 16 bits. */
static void places_may_wrap(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 32});
    server.echo = false;
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    uint8_t message[8];
    uint32_t number = 0;
    while (server.net->ring->uring->pool->tail < UINT16_MAX - 40) {
        put_message(message, sizeof message, number++);
        assert_int_equal(client_write(fd, message, sizeof message), sizeof message);
        TURN_UNTIL(&server, server.messages == number);
    }
    size_t bytes;
    uint8_t *stream = large_stream(COUNT, &bytes);
    server.next_number[0] = 0;
    stream_all(&server, fd, stream, bytes, number + COUNT);
    assert_true(server.net->ring->uring->pool->tail < 10000);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_buffers_are_home(&server, 32);
    server_stop(&server);
    free(stream);
}

typedef struct flood {
    uint32_t count;
    int fds[16];
    size_t sent[16];
    cvgi_connection *connections[16];
} flood;

static void pour(flood *flood, const uint8_t *stream, size_t bytes) {
    for (uint32_t i = 0; i < flood->count; i++)
        for (size_t wrote = 1; wrote > 0 && flood->sent[i] < bytes; flood->sent[i] += wrote)
            wrote = client_write(flood->fds[i], stream + flood->sent[i], bytes - flood->sent[i]);
}

/* All of them are known to flood, and what was received before has been delivered. */
static void let_flood(server *server, flood *flood, const uint8_t *stream, size_t bytes) {
    enum { TURNS = 40 };
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        pour(flood, stream, bytes);
        server_turn(server, 0);
        for (uint32_t i = 0; i < flood->count; i++)
            if (!flood->connections[i]->flooding || flood->connections[i]->multishot) turn = 0;
    }
}

/* While they flood, their sockets always full, a small client never waits for a buffer, and nothing of theirs is copied
 * so that there is one. The most buffers that one of them holds behind the one that was delivered in the turn. */
static uint32_t most_held(uint32_t flooders) {
    enum { BUFFERS = 32, PINGS = 100 };
    flood flood = {.count = flooders};
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = BUFFERS});
    server.echo = false;
    size_t bytes;
    uint32_t most = 0;
    uint8_t *stream = large_stream(LONG_COUNT, &bytes), message[50];
    int other = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    for (uint32_t i = 0; i < flooders; i++) {
        flood.fds[i] = client_connect(server.port, 0);
        TURN_UNTIL(&server, server.accepted == i + 2);
        flood.connections[i] = server.net->table.slots[CVG_CONNECTION_SLOT(server.last)];
    }
    let_flood(&server, &flood, stream, bytes);
    assert_int_equal(server.net->ring->floods, flooders);
    for (uint32_t ping = 0; ping < PINGS; ping++) {
        pour(&flood, stream, bytes);
        put_message(message, sizeof message, ping);
        assert_int_equal(client_write(other, message, sizeof message), sizeof message);
        server_turn(&server, 0);
        assert_true(cvgi_list_empty(&server.net->ring->starved));
        for (uint32_t i = 0; i < flooders; i++) {
            assert_int_equal(flood.connections[i]->copied, 0);
            if (flood.connections[i]->buffers > most) most = flood.connections[i]->buffers;
        }
    }
    TURN_UNTIL(&server, server.next_number[0] == PINGS);
    for (uint32_t i = 0; i < flooders; i++) close(flood.fds[i]);
    close(other);
    TURN_UNTIL(&server, server.closed == flooders + 1);
    assert_buffers_are_home(&server, BUFFERS);
    server_stop(&server);
    free(stream);
    return most;
}

static void bundles_leave_buffers_to_others(void **state) {
    (void)state;
    static const uint32_t flooders[] = {1, 2, 4, 16};
    for (size_t i = 0; i < sizeof flooders / sizeof *flooders; i++) {
        uint32_t most = most_held(flooders[i]);
        if (bundles_expected())
            assert_in_range(most, flooders[i] < 16 ? 1 : 0, BUNDLE_MOST - 1);
        else
            assert_int_equal(most, 0);
    }
}

/* Turns until the connection holds several buffers, none of which has been delivered in this turn or will be before the
 * next one. Bytes written. */
static size_t hold_several(server *server, int fd, const uint8_t *stream, size_t bytes) {
    const cvgi_connection *connection = server->net->table.slots[0];
    size_t sent = 0;
    while (connection->buffers < 2) {
        sent += client_write(fd, stream + sent, bytes - sent);
        assert_true(sent < bytes);
        server_turn(server, 0);
    }
    return sent;
}

static void held_bundles_come_home_however_it_ends(void **state) {
    (void)state;
    enum { AT_ONCE, LINGERING, RESET, PAUSED_RESET, WAYS };
    size_t bytes;
    uint8_t *stream = large_stream(COUNT, &bytes);
    for (int way = 0; way < WAYS; way++) {
        server server;
        server_start(&server, (cvg_net_options){.receive_buffers = 16});
        server.echo = false;
        int fd = client_connect(server.port, 0);
        TURN_UNTIL(&server, server.accepted == 1);
        size_t sent = hold_several(&server, fd, stream, bytes);
        if (way == PAUSED_RESET) {
            cvg_net_set_reading(server.net, server.last, false);
            for (int i = 0; i < 5; i++) server_turn(&server, 0);
            assert_true(server.net->table.slots[0]->buffers > 0);
        }
        if (way == AT_ONCE || way == LINGERING) cvg_net_close(server.net, server.last, way == AT_ONCE ? 0 : 10000000);
        if (way == LINGERING) { /* what comes now is discarded, and counted */
            for (size_t last = sent + 2000000; sent < last;) {
                sent += client_write(fd, stream + sent, last - sent);
                server_turn(&server, 0);
            }
            shutdown(fd, SHUT_WR);
        }
        if (way == RESET || way == PAUSED_RESET) client_reset(fd);
        TURN_UNTIL(&server, server.closed == 1);
        if (way == LINGERING) assert_int_equal(server_stats(&server).bytes_in, sent);
        TURN_UNTIL(&server, server_stats(&server).connections == 0);
        assert_buffers_are_home(&server, 16);
        assert_int_equal(server_stats(&server).unfinished_bytes, 0);
        if (way == AT_ONCE || way == LINGERING) close(fd);
        server_stop(&server);
    }
    free(stream);
}

/* Whoever came after them would have no bundles any more. */
static void who_is_closed_while_it_floods_is_forgotten(void **state) {
    (void)state;
    enum { BUFFERS = 32, FLOODERS = 4 };
    flood flood = {.count = FLOODERS};
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = BUFFERS});
    server.echo = false;
    size_t bytes;
    uint8_t *stream = large_stream(LONG_COUNT, &bytes);
    for (uint32_t i = 0; i < FLOODERS; i++) {
        flood.fds[i] = client_connect(server.port, 0);
        TURN_UNTIL(&server, server.accepted == i + 1);
        flood.connections[i] = server.net->table.slots[CVG_CONNECTION_SLOT(server.last)];
    }
    let_flood(&server, &flood, stream, bytes);
    assert_int_equal(server.net->ring->floods, FLOODERS);
    for (uint32_t i = 0; i < FLOODERS; i++) {
        cvg_net_close(server.net, flood.connections[i]->id, 0);
        assert_int_equal(server.net->ring->floods, FLOODERS - 1 - i);
    }
    TURN_UNTIL(&server, server.closed == FLOODERS);
    assert_buffers_are_home(&server, BUFFERS);
    for (uint32_t i = 0; i < FLOODERS; i++) close(flood.fds[i]);
    server_stop(&server);
    free(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_floods_is_received_from_by_bundles),
        cmocka_unit_test(every_split_arrives_whole_and_in_order),
        cmocka_unit_test(places_may_wrap),
        cmocka_unit_test(bundles_leave_buffers_to_others),
        cmocka_unit_test(held_bundles_come_home_however_it_ends),
        cmocka_unit_test(who_is_closed_while_it_floods_is_forgotten),
    };
    return RUN_ON_IO_URING(tests);
}
