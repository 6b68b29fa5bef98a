/*
 * Slots change hands, over loopback: far more clients than slots connect, send, pause, end and fail in random order,
 * while the server pauses and closes at random. Nobody's byte is ever taken for another's.
 *
 * Everything a client sends is its number, again and again; the server answers with the same.
 */
#include "net.h"
#include "net_support.h"
#include "ring.h"

enum { SLOTS_MAX = 8, CLIENTS = 24, STEPS = 12000, BUFFERS = 4 };

typedef struct client {
    int fd;
    uint32_t number, sent; /* bytes */
    uint32_t back;         /* bytes that came back */
    bool ended;
} client;

typedef struct churn {
    cvg_net *net;
    uint64_t random;
    client clients[CLIENTS];
    uint32_t numbers; /* clients so far */
    struct {
        cvg_connection id;
        uint32_t number; /* 0: not known yet */
        bool ended, closing, paused;
    } slots[SLOTS_MAX];
    uint32_t accepted, closed, ended, open;
} churn;

static uint32_t roll(churn *churn, uint32_t below) {
    churn->random = churn->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(churn->random >> 33) % below;
}

static void open_client(churn *churn, client *client, uint16_t port) {
    *client = (struct client){.fd = client_connect(port, 0), .number = ++churn->numbers};
}

static void close_client(churn *churn, client *client, uint16_t port, bool reset) {
    if (reset)
        client_reset(client->fd);
    else
        close(client->fd);
    open_client(churn, client, port);
}

/* Sends up to 200 KB, mostly little. */
static void client_sends(churn *churn, client *client) {
    static uint32_t words[50000];
    uint32_t count = roll(churn, 8) == 0 ? 50000 : 1 + roll(churn, 50);
    for (uint32_t i = 0; i < count; i++) words[i] = client->number;
    uint32_t skip = client->sent % 4;
    ssize_t wrote = send(client->fd, (uint8_t *)words + skip, 4 * count - skip, MSG_NOSIGNAL);
    if (wrote > 0) client->sent += (uint32_t)wrote;
}

static void client_reads(client *client) {
    static uint32_t words[20000];
    bool ended = false;
    size_t got = client_read(client->fd, (uint8_t *)words + client->back % 4, sizeof words - 4, &ended);
    client->ended |= ended;
    for (size_t at = 0, shift = client->back % 4; at < got; at++) {
        uint8_t wanted = (uint8_t)(client->number >> 8 * ((shift + at) % 4));
        if (((uint8_t *)words)[shift + at] != wanted) fail_msg("client %u was sent another one's byte", client->number);
    }
    client->back += (uint32_t)got;
    assert_true(client->back <= client->sent);
}

static void received(churn *churn, const cvg_net_event *event) {
    uint32_t slot = CVG_CONNECTION_SLOT(event->connection), number, used = event->bytes / 4 * 4;
    assert_false(churn->slots[slot].closing || churn->slots[slot].ended);
    for (uint32_t at = 0; at < used; at += 4) {
        memcpy(&number, event->data + at, 4);
        if (churn->slots[slot].number == 0) churn->slots[slot].number = number;
        assert_int_equal(number, churn->slots[slot].number);
    }
    uint8_t *room = used > 0 ? cvg_net_reserve(churn->net, event->connection, used) : NULL;
    if (room != NULL) {
        memcpy(room, event->data, used);
        cvg_net_commit(churn->net, event->connection, used);
    }
    cvg_net_consume(churn->net, event, used, 4);
}

static void server_acts(churn *churn) {
    uint32_t slot = roll(churn, SLOTS_MAX);
    if (churn->slots[slot].id == 0 || churn->slots[slot].closing) return;
    if (roll(churn, 6) == 0) {
        cvg_net_close(churn->net, churn->slots[slot].id, roll(churn, 2) ? 0 : 1 + roll(churn, 3000));
        churn->slots[slot].closing = true;
    } else {
        churn->slots[slot].paused = !churn->slots[slot].paused;
        cvg_net_set_reading(churn->net, churn->slots[slot].id, !churn->slots[slot].paused);
    }
}

static void turn(churn *churn, int64_t timeout_us) {
    cvg_net_event events[16];
    int count = cvg_net_poll(churn->net, timeout_us, events, 1 + roll(churn, 16));
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        const cvg_net_event *event = &events[i];
        uint32_t slot = CVG_CONNECTION_SLOT(event->connection);
        assert_true(slot < SLOTS_MAX);
        if (event->type == CVG_NET_ACCEPTED) {
            assert_int_equal(churn->slots[slot].id, 0);
            churn->slots[slot].id = event->connection;
            churn->slots[slot].number = 0;
            churn->slots[slot].ended = churn->slots[slot].closing = churn->slots[slot].paused = false;
            churn->accepted += 1;
            churn->open += 1;
            continue;
        }
        assert_int_equal(churn->slots[slot].id, event->connection);
        if (event->type == CVG_NET_RECEIVED) received(churn, event);
        if (event->type == CVG_NET_ENDED) {
            assert_false(churn->slots[slot].ended || churn->slots[slot].closing);
            churn->slots[slot].ended = true;
            churn->ended += 1;
            if (roll(churn, 2)) {
                cvg_net_close(churn->net, event->connection, 1 + roll(churn, 3000));
                churn->slots[slot].closing = true;
            }
        }
        if (event->type != CVG_NET_CLOSED) continue;
        churn->slots[slot].id = 0;
        churn->closed += 1;
        churn->open -= 1;
    }
    cvg_net_stats stats;
    cvg_net_stats_read(churn->net, &stats);
    assert_true(stats.connections <= SLOTS_MAX && churn->open <= SLOTS_MAX);
}

static void no_byte_is_taken_for_another_ones(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        churn churn = {.random = seed};
        cvg_net_options options = {.backend = backend_tested, .connections_max = SLOTS_MAX, .receive_buffers = BUFFERS};
        uint16_t port;
        assert_int_equal(cvg_net_create(&options, &churn.net), 0);
        assert_int_equal(cvg_net_listen(churn.net, "127.0.0.1", 0, &port), 0);
        for (int i = 0; i < CLIENTS; i++) open_client(&churn, &churn.clients[i], port);
        for (uint32_t step = 0; step < STEPS; step++) {
            client *client = &churn.clients[roll(&churn, CLIENTS)];
            uint32_t what = roll(&churn, 20);
            if (what < 10) client_sends(&churn, client);
            if (what >= 4 && what < 18) client_reads(client);
            if (what == 18) shutdown(client->fd, SHUT_WR);
            if (what == 19 || client->ended) close_client(&churn, client, port, roll(&churn, 2));
            if (roll(&churn, 4) == 0) server_acts(&churn);
            turn(&churn, roll(&churn, 50) == 0 ? 1000 : 0);
        }
        assert_true(churn.closed > 20 * SLOTS_MAX);
        assert_true(churn.ended > SLOTS_MAX);
        cvg_net_stop_listening(churn.net);
        for (int i = 0; i < CLIENTS; i++) close(churn.clients[i].fd);
        for (uint32_t slot = 0; slot < SLOTS_MAX; slot++)
            if (churn.slots[slot].id != 0 && churn.slots[slot].paused)
                cvg_net_set_reading(churn.net, churn.slots[slot].id, true);
        cvg_net_stats stats = {.connections = 1};
        while (stats.connections > 0) {
            turn(&churn, 1000);
            for (uint32_t slot = 0; slot < SLOTS_MAX; slot++)
                if (churn.slots[slot].id != 0) cvg_net_close(churn.net, churn.slots[slot].id, 1000);
            for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) churn.slots[slot].closing |= churn.slots[slot].id != 0;
            cvg_net_stats_read(churn.net, &stats);
        }
        turn(&churn, 0);
        cvg_net_stats_read(churn.net, &stats);
        assert_int_equal(stats.unfinished_bytes, 0);
        assert_int_equal(stats.queued_bytes, 0);
        assert_int_equal(stats.accepted, stats.closed);
        if (churn.net->ring != NULL) assert_int_equal(churn.net->ring->available, BUFFERS);
        cvg_net_destroy(churn.net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_is_taken_for_another_ones),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
