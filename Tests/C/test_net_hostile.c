/*
 * Thousands of hostile connections, over loopback: beginners, who send half a message and stop, and mutes, who ask and
 * never read. Memory stays under its bounds, and a modest client is served all the while.
 */
#include "net.h"
#include "net_support.h"

enum {
    HOSTILE = 2000,
    HALF = 16 << 10,           /* what a beginner sends, of a message of twice that */
    UNFINISHED_MAX = 16 << 20, /* less than all of them send */
    QUEUED_MAX = 8 << 10,      /* with more in its queue a mute is not read from */
    MESSAGE = 4000,            /* what a mute asks at a time */
    ROUNDS = 12,
    CHUNKS =
        (4 << 10) + 2 * (64 << 10), /* that a mute's queue takes at most: a small one, one being sent, one filled */
};

/* The modest client's next message comes back within so many turns. */
static void serve_modest(server *server, int fd, uint32_t *number, uint32_t turns) {
    uint8_t message[300], back[300];
    put_message(message, sizeof message, *number);
    *number += 1;
    assert_int_equal(client_write(fd, message, sizeof message), sizeof message);
    bool ended = false;
    for (size_t got = 0; got < sizeof back && turns > 0; turns--) {
        server_turn(server, 0);
        got += client_read(fd, back + got, sizeof back - got, &ended);
        assert_false(ended);
        if (got == sizeof back) {
            assert_memory_equal(back, message, sizeof back);
            return;
        }
    }
    fail_msg("the modest client's message %u is not answered", *number - 1);
}

static void open_all(server *server, int *fds) {
    for (uint32_t i = 0; i < HOSTILE; i++) {
        fds[i] = client_connect(server->port, 4096);
        TURN_UNTIL(server, server->accepted == i + 2); /* the modest client was first */
    }
}

static void close_all(server *server, int *fds, int modest) {
    for (int i = 0; i < HOSTILE; i++) close(fds[i]);
    close(modest);
    TURN_UNTIL(server, server->closed == HOSTILE + 1);
    TURN_UNTIL(server, server_stats(server).connections == 0);
    cvg_net_stats stats = server_stats(server);
    assert_int_equal(stats.unfinished_bytes, 0);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(stats.unsent_private_bytes, 0);
    assert_int_equal(stats.queue_memory_bytes, 0);
    server_stop(server);
}

static void beginners_stay_under_the_budget(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.unfinished_max = UNFINISHED_MAX});
    uint8_t *message = malloc(2 * HALF);
    put_message(message, 2 * HALF, 0);
    static int fds[HOSTILE];
    uint32_t number = 0;
    int modest = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    open_all(&server, fds);
    for (int i = 0; i < HOSTILE; i++) {
        size_t sent = 0;
        while (sent < HALF) {
            sent += client_write(fds[i], message + sent, HALF - sent);
            if (sent < HALF) server_turn(&server, 0);
        }
        if (i % 16 == 0) serve_modest(&server, modest, &number, 50);
        assert_true(server_stats(&server).unfinished_bytes <= UNFINISHED_MAX);
    }
    for (int i = 0; i < 50; i++) serve_modest(&server, modest, &number, 10);
    assert_true(server_stats(&server).unfinished_peak <= UNFINISHED_MAX);
    assert_true(server_stats(&server).unfinished_peak > UNFINISHED_MAX / 2); /* it has been a siege */
    assert_true(server.ended > 0);
    assert_int_equal(server.last_end, ENOBUFS);
    assert_int_equal(server.closed, 0); /* who was ended has time to be told why */
    close_all(&server, fds, modest);
    free(message);
}

/* What the pool says is what the queues hold, and no more than the caller lets each have. */
static void mutes_stay_under_what_each_may_have(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.queue_low = QUEUED_MAX / 2, .unfinished_max = UNFINISHED_MAX});
    server.queued_max = QUEUED_MAX;
    uint8_t message[MESSAGE];
    static int fds[HOSTILE];
    uint32_t number = 0;
    int modest = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    open_all(&server, fds);
    int small = 4096;
    for (int i = 1; i <= HOSTILE; i++) /* the kernel shall not take much of what mutes do not read */
        setsockopt(server.net->table.slots[i]->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const uint64_t bound = (uint64_t)HOSTILE * (QUEUED_MAX + MESSAGE);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        put_message(message, MESSAGE, round);
        for (int i = 0; i < HOSTILE; i++) {
            assert_int_equal(client_write(fds[i], message, MESSAGE), MESSAGE);
            if (i % 100 == 0) serve_modest(&server, modest, &number, 50);
        }
        serve_modest(&server, modest, &number, 50);
        assert_true(server_stats(&server).unsent_private_bytes <= bound);
    }
    cvg_net_stats stats = server_stats(&server);
    uint64_t queued = 0;
    for (int i = 1; i <= HOSTILE; i++) queued += cvg_net_unsent(server.net, server.by_slot[i]).bytes;
    assert_int_equal(queued, stats.queued_bytes);
    assert_int_equal(queued, stats.unsent_private_bytes);
    assert_true(stats.unsent_private_peak <= bound && stats.unsent_private_peak > bound / 4);
    assert_true(stats.queue_memory_peak <= (uint64_t)HOSTILE * CHUNKS);
    assert_true(stats.unfinished_peak <= UNFINISHED_MAX);
    assert_int_equal(server.ended + server.closed, 0);
    close_all(&server, fds, modest);
}

int main(void) {
    struct rlimit files; /* both ends of all connections are in this process */
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginners_stay_under_the_budget),
        cmocka_unit_test(mutes_stay_under_what_each_may_have),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
