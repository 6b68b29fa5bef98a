/*
 * Fairness, over loopback: how many turns a small client waits while many flood. What is counted are turns, not time.
 */
#include <pthread.h>

#include "net_support.h"

enum { FLOODERS_MAX = 64, BUFFERS = 32, PINGS = 20 };

/* Turns for everybody once, a turn's buffers at a time; and a turn each to arrive, and to be given a buffer. */
static uint64_t round_of(uint32_t flooders) {
    return (flooders + 1 + BUFFERS - 1) / BUFFERS + 2;
}

typedef struct flood {
    int fds[FLOODERS_MAX];
    uint32_t count;
    uint8_t bytes[192 << 10];
    size_t piece; /* bytes of one write */
    size_t each;  /* bytes that a connection writes at a time, at most */
    bool stop;
} flood;

/* Each writes until its socket is full, or `each` bytes. */
static void pour(flood *flood) {
    for (uint32_t i = 0; i < flood->count; i++)
        for (size_t sent = 0; sent < flood->each;) {
            size_t wrote = client_write(flood->fds[i], flood->bytes, flood->piece);
            if (wrote == 0) break;
            sent += wrote;
        }
}

static void *pour_on(void *context) {
    flood *flood = context;
    while (!__atomic_load_n(&flood->stop, __ATOMIC_ACQUIRE)) pour(flood);
    return NULL;
}

typedef struct consumer {
    cvg_net *net;
    uint16_t port;
    uint32_t accepted, pauses, waits; /* turns that a pause lasts */
    cvg_connection pinger;
    uint64_t turn, pongs, flooded;
    uint64_t resume[SLOTS]; /* by slot: paused until this turn; 0: not paused */
    cvg_connection by_slot[SLOTS];
} consumer;

/* Every flooder with an odd slot is paused whenever it was served, as a server does with who asks too fast. */
static void take_turn(consumer *consumer, int64_t timeout_us) {
    cvg_net_event events[EVENTS];
    int count = cvg_net_poll(consumer->net, timeout_us, events, EVENTS);
    assert_true(count >= 0);
    consumer->turn += 1;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (consumer->resume[slot] != 0 && consumer->resume[slot] <= consumer->turn) {
            cvg_net_set_reading(consumer->net, consumer->by_slot[slot], true);
            consumer->resume[slot] = 0;
        }
    for (int i = 0; i < count; i++) {
        uint32_t slot = CVG_CONNECTION_SLOT(events[i].connection);
        if (events[i].type == CVG_NET_ACCEPTED) {
            assert_true(slot < SLOTS);
            consumer->by_slot[slot] = consumer->pinger = events[i].connection; /* the last is the pinger */
            consumer->accepted += 1;
        }
        assert_int_not_equal(events[i].type, CVG_NET_CLOSED);
        assert_int_not_equal(events[i].type, CVG_NET_ENDED);
        if (events[i].type != CVG_NET_RECEIVED) continue;
        cvg_net_consume(consumer->net, &events[i], events[i].bytes, 0);
        if (events[i].connection == consumer->pinger) {
            assert_int_equal(events[i].bytes, 1);
            consumer->pongs += 1;
            continue;
        }
        consumer->flooded += events[i].bytes;
        if (slot % 2 == 0 || consumer->waits == 0) continue;
        cvg_net_set_reading(consumer->net, events[i].connection, false);
        consumer->resume[slot] = consumer->turn + consumer->waits;
        consumer->pauses += 1;
    }
}

/* The most turns that a byte of the small client waits. */
static uint64_t longest_wait(uint32_t flooders, size_t piece, uint32_t waits, bool concurrent) {
    consumer *consumer = calloc(1, sizeof *consumer);
    flood *flood = calloc(1, sizeof *flood);
    flood->count = flooders;
    flood->piece = piece;
    flood->each = piece < 1000 ? 100 * piece : piece;
    consumer->waits = waits;
    cvg_net_options options = {.backend = backend_tested, .receive_buffers = BUFFERS};
    assert_int_equal(cvg_net_create(&options, &consumer->net), 0);
    assert_int_equal(cvg_net_listen(consumer->net, "127.0.0.1", 0, &consumer->port), 0);
    for (uint32_t i = 0; i < flooders; i++) {
        flood->fds[i] = client_connect(consumer->port, 0);
        while (consumer->accepted < i + 1) take_turn(consumer, 1000);
    }
    int pinger = client_connect(consumer->port, 0);
    while (consumer->accepted < flooders + 1) take_turn(consumer, 1000);
    pthread_t thread;
    if (concurrent) assert_int_equal(pthread_create(&thread, NULL, pour_on, flood), 0);
    uint64_t longest = 0;
    for (uint64_t ping = 1; ping <= PINGS; ping++) {
        for (uint64_t i = 0; i < ping % 5; i++) { /* quiet in between */
            if (!concurrent) pour(flood);
            take_turn(consumer, 0);
        }
        const uint64_t before = consumer->turn;
        assert_int_equal(client_write(pinger, "!", 1), 1);
        while (consumer->pongs < ping) {
            if (!concurrent) pour(flood);
            take_turn(consumer, 0);
        }
        if (consumer->turn - before > longest) longest = consumer->turn - before;
    }
    __atomic_store_n(&flood->stop, true, __ATOMIC_RELEASE);
    if (concurrent) pthread_join(thread, NULL);
    assert_true(concurrent || consumer->flooded > 0);
    cvg_net_destroy(consumer->net);
    for (uint32_t i = 0; i < flooders; i++) close(flood->fds[i]);
    close(pinger);
    free(flood);
    free(consumer);
    return longest;
}

static void small_client_waits_one_round(void **state) {
    (void)state;
    static const size_t pieces[] = {192 << 10, 100};
    static const uint32_t flooders[] = {FLOODERS_MAX, 3}; /* few have several buffers each, as far as they go */
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 2; j++)
            for (uint32_t waits = 0; waits <= 10; waits += 10)
                for (int concurrent = 0; concurrent < 2; concurrent++)
                    assert_true(longest_wait(flooders[j], pieces[i], waits, concurrent) <= round_of(flooders[j]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_client_waits_one_round),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
