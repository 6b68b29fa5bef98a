/*
 * The transport over loopback: every chunking of a stream, closes at every point, slow readers, shared segments,
 * bounds. Client and server run on one thread, so that each test decides the order of what happens; only waking needs
 * two.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "net_support.h"

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* -------------------------------------------------------------------------------------------------------- receiving */

static void echo_of_one_byte_at_a_time(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    size_t bytes;
    uint8_t *stream = small_stream(&bytes);
    int fd = client_connect(server.port, 0);
    client_echo(&server, fd, stream, bytes, 1);
    assert_int_equal(server.messages, SMALL_COUNT);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    server_turn(&server, 0);
    assert_int_equal(server_stats(&server).unfinished_bytes, 0);
    server_stop(&server);
    free(stream);
}

static void echo_split_at_every_offset(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    size_t bytes;
    uint8_t *stream = small_stream(&bytes);
    for (size_t split = 1; split < bytes; split++) {
        int fd = client_connect(server.port, 0);
        uint64_t before = server_stats(&server).bytes_in, messages = server.messages;
        assert_int_equal(client_write(fd, stream, split), split);
        TURN_UNTIL(&server, server_stats(&server).bytes_in == before + split);
        assert_int_equal(client_write(fd, stream + split, bytes - split), bytes - split);
        TURN_UNTIL(&server, server.messages == messages + SMALL_COUNT);
        uint8_t *back = malloc(bytes + 1);
        shutdown(fd, SHUT_WR);
        assert_int_equal(client_drain(&server, fd, back, bytes), bytes);
        assert_memory_equal(back, stream, bytes);
        free(back);
        close(fd);
    }
    TURN_UNTIL(&server, server.closed == bytes - 1);
    server_stop(&server);
    free(stream);
}

/* Around every threshold: the receive buffer, tails copied and tails received into. */
static void echo_of_large_messages_in_random_pieces(void **state) {
    (void)state;
    static const uint32_t lengths[] = {4u << 20, 8,     65536,    65535, 65537,    16384,  16385, 9,
                                       32768,    50000, 4u << 20, 70000, 1u << 20, 200000, 12,    3u << 20};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    size_t bytes;
    uint8_t *stream = make_stream(lengths, COUNT, &bytes);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        server server;
        server_start(&server, (cvg_net_options){.receive_buffers = seed % 2 ? 1 : 0});
        int fd = client_connect(server.port, 0);
        uint8_t *back = malloc(bytes);
        uint64_t random = seed * 77;
        size_t sent = 0, received = 0;
        bool ended = false;
        while (received < bytes) {
            uint64_t piece = next_random(&random) % (seed * 50000) + 1;
            if (piece > bytes - sent) piece = bytes - sent;
            if (piece > 0) sent += client_write(fd, stream + sent, piece);
            server_turn(&server, sent == bytes ? 1000 : 0);
            received += client_read(fd, back + received, bytes - received, &ended);
            assert_false(ended);
        }
        assert_memory_equal(back, stream, bytes);
        assert_int_equal(server.messages, COUNT);
        cvg_net_stats stats = server_stats(&server);
        assert_int_equal(stats.bytes_in, bytes);
        assert_int_equal(stats.bytes_out, bytes);
        assert_int_equal(stats.queued_bytes, 0);
        assert_true(stats.unfinished_peak <= (8u << 20) + 4096);
        close(fd);
        TURN_UNTIL(&server, server.closed == 1);
        server_stop(&server);
        free(back);
    }
    free(stream);
}

static void announced_length_costs_nothing_before_bytes_arrive(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    size_t bytes;
    uint32_t length = 4u << 20;
    uint8_t *stream = make_stream(&length, 1, &bytes);
    int fd = client_connect(server.port, 0);
    size_t sent = 0;
    while (sent < bytes / 2) {
        size_t piece = sent < 4096 ? 100 : 30000;
        sent += client_write(fd, stream + sent, piece);
        TURN_UNTIL(&server, server_stats(&server).bytes_in == sent);
        assert_true(server_stats(&server).unfinished_bytes <= 2 * sent + 512);
    }
    client_reset(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, ECONNRESET);
    server_turn(&server, 0);
    assert_int_equal(server_stats(&server).unfinished_bytes, 0);
    server_stop(&server);
    free(stream);
}

static void message_above_the_maximum_ends(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.message_max = 1000});
    uint8_t message[1001];
    put_message(message, 1000, 0);
    int fd = client_connect(server.port, 0);
    client_echo(&server, fd, message, 1000, 999);
    put_message(message, 1001, 1);
    client_write(fd, message, 8);
    TURN_UNTIL(&server, server.ended == 1);
    assert_int_equal(server.last_end, EMSGSIZE);
    close(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, 0);
    server_stop(&server);
}

static void spent_budget_ends_only_who_needs_more(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.unfinished_max = 64 << 10});
    uint8_t *message = malloc(1 << 20);
    put_message(message, 1 << 20, 0);
    int greedy = client_connect(server.port, 0), modest = client_connect(server.port, 0);
    uint8_t small[100];
    put_message(small, sizeof small, 0);
    client_write(modest, small, 10);
    TURN_UNTIL(&server, server_stats(&server).bytes_in == 10);
    size_t sent = 0;
    while (server.ended == 0) {
        if (sent < 200000) sent += client_write(greedy, message + sent, 1000);
        server_turn(&server, 1000);
        assert_true(server_stats(&server).unfinished_bytes <= 64 << 10);
    }
    assert_int_equal(server.last_end, ENOBUFS);
    assert_true(sent > 16 << 10);
    client_write(modest, small + 10, sizeof small - 10);
    TURN_UNTIL(&server, server.messages == 1);
    close(greedy);
    close(modest);
    server_stop(&server);
    free(message);
}

/* Hoarders begin large messages and stop. Others, who need memory too, are served; the hoarders pay. */
static void who_holds_most_of_the_budget_pays(void **state) {
    (void)state;
    enum { HOARDERS = 200, LARGE = 20, ROUNDS = 50, MODEST = 30000 };
    server server;
    server_start(&server, (cvg_net_options){.unfinished_max = 1 << 20});
    server.echo = false;
    uint8_t *message = malloc(1 << 20);
    int hoarders[HOARDERS];
    put_message(message, 1 << 20, 0);
    for (int i = 0; i < HOARDERS; i++) {
        hoarders[i] = client_connect(server.port, 0);
        const size_t begun = i < LARGE ? 60000 : 4000; /* the small ones fill what the large ones leave */
        for (size_t sent = 0; sent < begun;) {
            ssize_t wrote = send(hoarders[i], message + sent, begun - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (wrote > 0) sent += (size_t)wrote;
            if (wrote < 0) assert_int_equal(errno, EAGAIN);
            server_turn(&server, 1000);
        }
    }
    TURN_UNTIL(&server, server.ended > 0);
    assert_int_equal(server.last_end, ENOBUFS);
    assert_true(server.ended < HOARDERS);
    assert_int_equal(server.closed, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        int modest = client_connect(server.port, 0);
        put_message(message, MODEST, 0);
        const uint64_t before = server_stats(&server).bytes_in;
        client_write(modest, message, MODEST / 2);
        TURN_UNTIL(&server, server_stats(&server).bytes_in >= before + MODEST / 2);
        client_write(modest, message + MODEST / 2, MODEST - MODEST / 2);
        TURN_UNTIL(&server, server.messages == i + 1);
        assert_true(server_stats(&server).unfinished_bytes <= 1 << 20);
        close(modest);
    }
    for (int i = 0; i < HOARDERS; i++) close(hoarders[i]);
    server_stop(&server);
    free(message);
}

/* Who holds little is spared, though its slot comes before that of who holds most. */
static void who_holds_little_of_the_budget_is_spared(void **state) {
    (void)state;
    enum { MODEST = 5, BYTES = 5000 };
    server server;
    server_start(&server, (cvg_net_options){.unfinished_max = 400000});
    server.echo = false;
    uint8_t *message = malloc(1 << 20);
    put_message(message, BYTES, 0);
    int modest[MODEST];
    for (int i = 0; i < MODEST; i++) {
        modest[i] = client_connect(server.port, 0);
        client_write(modest[i], message, BYTES / 2);
    }
    TURN_UNTIL(&server, server_stats(&server).bytes_in == MODEST * (BYTES / 2));
    int greedy = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == MODEST + 1);
    put_message(message, 1 << 20, 0);
    /* From 10,000 bytes on its memory doubles: 320,000 are above three quarters, and not above all. */
    for (size_t sent = 0; server.ended == 0;) {
        if (sent < 1 << 20) sent += client_write(greedy, message + sent, 10000);
        server_turn(&server, 1000);
    }
    put_message(message, BYTES, 0);
    for (int i = 0; i < MODEST; i++) client_write(modest[i], message + BYTES / 2, BYTES - BYTES / 2);
    TURN_UNTIL(&server, server.messages + server.ended > MODEST);
    assert_int_equal(server.ended, 1);
    for (int i = 0; i < MODEST; i++) close(modest[i]);
    close(greedy);
    server_stop(&server);
    free(message);
}

/* Both begin in one turn what would be too much together, before anybody is told to go for it. */
static void budget_is_never_exceeded(void **state) {
    (void)state;
    enum { BUDGET = 64 << 10, BEGUN = 40000 };
    server server;
    server_start(&server, (cvg_net_options){.unfinished_max = BUDGET});
    uint8_t *message = malloc(1 << 20);
    put_message(message, 1 << 20, 0);
    int fds[2];
    for (int i = 0; i < 2; i++) fds[i] = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 2);
    for (int i = 0; i < 2; i++) assert_int_equal(client_write(fds[i], message, BEGUN), BEGUN);
    TURN_UNTIL(&server, server.ended > 0);
    assert_int_equal(server.last_end, ENOBUFS);
    assert_true(server_stats(&server).unfinished_peak <= BUDGET);
    for (int i = 0; i < 2; i++) close(fds[i]);
    server_stop(&server);
    free(message);
}

static void unanswered_event_counts_as_used(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint8_t *message = malloc(100000);
    put_message(message, 100000, 0);
    int fd = client_connect(server.port, 0);
    size_t sent = 0, received = 0;
    cvg_net_event events[4];
    while (received < 100000) {
        if (sent < 100000) sent += client_write(fd, message + sent, 10000);
        int count = cvg_net_poll(server.net, 1000, events, 4);
        for (int i = 0; i < count; i++) {
            if (events[i].type != CVG_NET_RECEIVED) continue;
            if (events[i].bytes < 100000) /* the whole message as a tail, then no answer to it */
                cvg_net_consume(server.net, &events[i], 0, 100000);
            else
                received = events[i].bytes;
        }
    }
    put_message(message, 8, 7);
    client_write(fd, message, 8);
    int count = 0;
    while (count == 0) count = cvg_net_poll(server.net, 1000, events, 4);
    assert_int_equal(events[0].type, CVG_NET_RECEIVED);
    assert_int_equal(events[0].bytes, 8);
    assert_memory_equal(events[0].data, message, 8);
    close(fd);
    server_stop(&server);
    free(message);
}

static void pausing_keeps_bytes_and_notices_reset(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint8_t message[100];
    put_message(message, sizeof message, 0);
    int fd = client_connect(server.port, 0), other = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 2);
    cvg_connection paused = server.by_slot[0];
    cvg_net_set_reading(server.net, paused, false);
    client_write(fd, message, sizeof message);
    client_echo(&server, other, message, sizeof message, 10);
    assert_int_equal(server.messages, 1);
    cvg_net_set_reading(server.net, paused, true);
    TURN_UNTIL(&server, server.messages == 2);
    cvg_net_set_reading(server.net, paused, false);
    for (int turn = 0; turn < 5; turn++) server_turn(&server, 1000); /* nothing is being received any more */
    client_reset(fd);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, ECONNRESET);
    close(other);
    server_stop(&server);
}

/* One event a poll and twenty connections that always have bytes: each is served in every round. */
static void no_connection_starves(void **state) {
    (void)state;
    enum { CLIENTS = 20, EACH = 400000 };
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 1});
    server.echo = false;
    uint32_t lengths[EACH / 1000];
    for (size_t i = 0; i < EACH / 1000; i++) lengths[i] = 1000;
    size_t bytes;
    uint8_t *stream = make_stream(lengths, EACH / 1000, &bytes);
    int fds[CLIENTS];
    size_t sent[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) sent[i] = client_write(fds[i], stream, bytes);
    server.capacity = 1;
    for (int round = 0; round < 2; round++) {
        uint32_t before[CLIENTS];
        memcpy(before, server.next_number, sizeof before);
        for (int turn = 0; turn < CLIENTS + 1; turn++) server_turn(&server, 0);
        for (int i = 0; i < CLIENTS; i++) assert_true(server.next_number[i] > before[i]);
    }
    for (bool all = false; !all;) {
        all = true;
        for (int i = 0; i < CLIENTS; i++) {
            if (sent[i] < bytes) sent[i] += client_write(fds[i], stream + sent[i], bytes - sent[i]);
            all = all && server.next_number[i] == EACH / 1000;
        }
        server_turn(&server, 0);
    }
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
    server_stop(&server);
    free(stream);
}

/* ------------------------------------------------------------------------------------------------------ connections */

static void thousand_connections(void **state) {
    (void)state;
    enum { CLIENTS = 1000 };
    server server;
    server_start(&server, (cvg_net_options){0});
    uint8_t message[300], back[300];
    put_message(message, sizeof message, 0);
    cvg_connection first_ids[CLIENTS];
    for (int round = 0; round < 2; round++) {
        static int fds[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = client_connect(server.port, 0);
            client_write(fds[i], message, 150);
            if (i % 100 == 0) server_turn(&server, 0);
        }
        TURN_UNTIL(&server, server.accepted == (uint32_t)CLIENTS * (round + 1));
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_not_equal(server.by_slot[i], 0); /* dense */
            if (round == 0) first_ids[i] = server.by_slot[i];
            assert_int_equal(server.by_slot[i] == first_ids[i], round == 0);
            assert_int_equal(CVG_CONNECTION_SLOT(server.by_slot[i]), i);
        }
        for (int i = 0; i < CLIENTS; i++) client_write(fds[i], message + 150, 150);
        TURN_UNTIL(&server, server.messages == (uint64_t)CLIENTS * (round + 1));
        cvg_net_flush(server.net);
        for (int i = 0; i < CLIENTS; i++) {
            bool ended = false;
            assert_int_equal(client_read(fds[i], back, sizeof back, &ended), sizeof back);
            assert_memory_equal(back, message, sizeof back);
            if (i % 2)
                close(fds[i]);
            else
                client_reset(fds[i]);
        }
        TURN_UNTIL(&server, server.closed == (uint32_t)CLIENTS * (round + 1));
        server_turn(&server, 0);
        assert_int_equal(server_stats(&server).connections, 0);
    }
    server_stop(&server);
}

static void full_table_makes_others_wait(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.connections_max = 2});
    uint8_t message[50];
    put_message(message, sizeof message, 0);
    int fds[3];
    for (int i = 0; i < 3; i++) fds[i] = client_connect(server.port, 0);
    for (int i = 0; i < 20; i++) server_turn(&server, 100);
    assert_int_equal(server.accepted, 2);
    client_echo(&server, fds[0], message, sizeof message, 50);
    cvg_connection none;
    assert_int_equal(cvg_net_connect(server.net, "127.0.0.1", server.port, &none), -EUSERS);
    close(fds[0]);
    TURN_UNTIL(&server, server.accepted == 3);
    client_echo(&server, fds[2], message, sizeof message, 50);
    close(fds[1]);
    close(fds[2]);
    server_stop(&server);
}

static void out_of_descriptors_goes_on(void **state) {
    (void)state;
    enum { CLIENTS = 8 };
    server server;
    server_start(&server, (cvg_net_options){0});
    server_turn(&server, 0); /* the first poll takes the descriptors it needs */
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = client_connect(server.port, 0);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    few = (struct rlimit){.rlim_cur = (rlim_t)next + 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    TURN_UNTIL(&server, server.accepted == 3);
    for (int i = 0; i < 10; i++) server_turn(&server, 0);
    assert_int_equal(server.accepted, 3);
    cvg_connection refused;
    assert_int_equal(cvg_net_connect(server.net, "127.0.0.1", server.port, &refused), 0);
    TURN_UNTIL(&server, server.closed == 1);
    assert_int_equal(server.last_error, EMFILE);
    uint8_t message[50];
    put_message(message, sizeof message, 0);
    client_echo(&server, fds[0], message, sizeof message, 50);
    cvg_net_close(server.net, server.by_slot[0], 0); /* a descriptor is free again */
    TURN_UNTIL(&server, server.accepted == 4);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    TURN_UNTIL(&server, server.accepted == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
    server_stop(&server);
}

static void connecting(void **state) {
    (void)state;
    server server, client;
    server_start(&server, (cvg_net_options){0});
    server_start(&client, (cvg_net_options){0});
    client.echo = false;
    cvg_connection to;
    char text[64], expected[64];
    static const char *hosts[] = {"127.0.0.1", "localhost"}; /* localhost may try ::1 first, where nothing listens */
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(cvg_net_connect(client.net, hosts[i], server.port, &to), 0);
        put_message(cvg_net_reserve(client.net, to, 70), 70, 0); /* queued before it is connected */
        cvg_net_commit(client.net, to, 70);
        while (client.messages <= i) {
            server_turn(&server, 100);
            server_turn(&client, 100);
        }
        assert_int_equal(client.connected, i + 1);
        assert_int_equal(client.last, to);
        cvg_net_peer(client.net, to, text, sizeof text);
        snprintf(expected, sizeof expected, "127.0.0.1:%u", server.port);
        assert_string_equal(text, expected);
    }
    cvg_net_peer(server.net, server.last, text, sizeof text);
    assert_memory_equal(text, "127.0.0.1:", 10);
    cvg_net_stop_listening(server.net);
    assert_int_equal(cvg_net_connect(client.net, "127.0.0.1", server.port, &to), 0);
    TURN_UNTIL(&client, client.closed == 1);
    assert_int_equal(client.last_error, ECONNREFUSED);
    assert_int_equal(cvg_net_connect(client.net, "no such name.invalid", 1, &to), -EHOSTUNREACH);
    server_stop(&server);
    TURN_UNTIL(&client, client.closed == 3);
    server_stop(&client);
}

static void closing_while_connecting(void **state) {
    (void)state;
    server server, client;
    server_start(&server, (cvg_net_options){0});
    server_start(&client, (cvg_net_options){0});
    cvg_connection to;
    assert_int_equal(cvg_net_connect(client.net, "127.0.0.1", server.port, &to), 0);
    put_message(cvg_net_reserve(client.net, to, 70), 70, 0);
    cvg_net_commit(client.net, to, 70);
    cvg_net_close(client.net, to, 60000000);
    while (client.closed == 0) {
        server_turn(&server, 100);
        server_turn(&client, 100);
    }
    assert_int_equal(client.last_error, 0);
    assert_int_equal(client.connected, 0);
    assert_int_equal(server.messages, 1);
    assert_int_equal(cvg_net_connect(client.net, "127.0.0.1", server.port, &to), 0);
    cvg_net_close(client.net, to, 0);
    TURN_UNTIL(&client, client.closed == 2);
    server_stop(&server);
    server_stop(&client);
}

static void listening(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    cvg_net *other;
    uint16_t port;
    assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = backend_tested}, &other), 0);
    assert_int_equal(cvg_net_listen(other, "127.0.0.1", server.port, &port), -EADDRINUSE);
    assert_int_equal(cvg_net_listen(other, "192.0.2.1", 0, &port), -EADDRNOTAVAIL);
    assert_int_equal(cvg_net_listen(other, "no such name.invalid", 0, &port), -EHOSTUNREACH);
    assert_int_equal(cvg_net_listen(other, "localhost", 0, &port), 0);
    int fd = client_connect(port, 0);
    cvg_net_event event;
    int count = 0;
    while (count == 0) count = cvg_net_poll(other, 1000, &event, 1);
    assert_int_equal(event.type, CVG_NET_ACCEPTED);
    cvg_net_stop_listening(other);
    cvg_net_destroy(other);
    close(fd);
    server_stop(&server);
    cvg_net_destroy(NULL);
}

/* ----------------------------------------------------------------------------------------------------------- waking */

enum { WAKES = 2000 };

typedef struct wakers {
    cvg_net *net;
    cvg_waker *waker;
    uint32_t seen; /* WOKEN events, atomic */
} wakers;

static void *wake_often(void *argument) {
    wakers *wakers = argument;
    for (uint32_t i = 0; i < WAKES; i++) {
        cvg_net_wake(wakers->net);
        while (__atomic_load_n(&wakers->seen, __ATOMIC_ACQUIRE) <= i) sched_yield(); /* none is lost */
    }
    for (uint32_t i = 0; i < WAKES; i++) cvg_waker_wake(wakers->waker); /* the net may be gone */
    cvg_waker_release(wakers->waker);
    return NULL;
}

static void wake_from_another_thread(void **state) {
    (void)state;
    cvg_net *net;
    assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = backend_tested}, &net), 0);
    wakers wakers = {.net = net, .waker = cvg_net_waker(net)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_often, &wakers), 0);
    for (uint32_t i = 0; i < WAKES; i++) {
        cvg_net_event event;
        assert_int_equal(cvg_net_poll(net, -1, &event, 1), 1);
        assert_int_equal(event.type, CVG_NET_WOKEN);
        __atomic_store_n(&wakers.seen, i + 1, __ATOMIC_RELEASE);
    }
    cvg_net_destroy(net);
    pthread_join(thread, NULL);
}

static void *poll_elsewhere(void *argument) {
    cvg_net_event event;
    return (void *)(intptr_t)cvg_net_poll(argument, 0, &event, 1);
}

static void one_thread_polls(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    server_turn(&server, 0);
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, poll_elsewhere, server.net), 0);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -EPERM);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1); /* and goes on */
    close(fd);
    server_stop(&server);
}

static cvg_net *signalled;
static volatile sig_atomic_t signals;

static void wake_in_handler(int number) {
    (void)number;
    signals += 1;
    cvg_net_wake(signalled);
}

static void signal_handler_wakes(void **state) {
    (void)state;
    signals = 0;
    assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = backend_tested}, &signalled), 0);
    struct sigaction action = {.sa_handler = wake_in_handler}, before;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    for (int i = 0; i < 20; i++) {
        struct itimerval soon = {.it_value = {.tv_usec = 500}};
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        cvg_net_event event;
        int count = 0;
        while (count == 0) count = cvg_net_poll(signalled, -1, &event, 1); /* 0: interrupted before it saw the wake */
        assert_int_equal(count, 1);
        assert_int_equal(event.type, CVG_NET_WOKEN);
        assert_int_equal(signals, i + 1);
    }
    sigaction(SIGALRM, &before, NULL);
    cvg_net_destroy(signalled);
}

static void poll_without_events_times_out(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    int64_t before = cvg_net_now_us();
    assert_int_equal(server_turn(&server, 3000), 0);
    assert_true(cvg_net_now_us() - before >= 3000);
    assert_int_equal(server_turn(&server, 0), 0);
    server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_one_byte_at_a_time),
        cmocka_unit_test(echo_split_at_every_offset),
        cmocka_unit_test(echo_of_large_messages_in_random_pieces),
        cmocka_unit_test(announced_length_costs_nothing_before_bytes_arrive),
        cmocka_unit_test(message_above_the_maximum_ends),
        cmocka_unit_test(spent_budget_ends_only_who_needs_more),
        cmocka_unit_test(who_holds_most_of_the_budget_pays),
        cmocka_unit_test(who_holds_little_of_the_budget_is_spared),
        cmocka_unit_test(budget_is_never_exceeded),
        cmocka_unit_test(unanswered_event_counts_as_used),
        cmocka_unit_test(pausing_keeps_bytes_and_notices_reset),
        cmocka_unit_test(no_connection_starves),
        cmocka_unit_test(thousand_connections),
        cmocka_unit_test(full_table_makes_others_wait),
        cmocka_unit_test(out_of_descriptors_goes_on),
        cmocka_unit_test(connecting),
        cmocka_unit_test(closing_while_connecting),
        cmocka_unit_test(listening),
        cmocka_unit_test(wake_from_another_thread),
        cmocka_unit_test(one_thread_polls),
        cmocka_unit_test(signal_handler_wakes),
        cmocka_unit_test(poll_without_events_times_out),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
