/*
 * The transport's sending side over loopback: slow readers, shared segments, discarding.
 */
#include "net_support.h"
#include "queue.h"

static void slow_reader_gets_shared_segments_in_order(void **state) {
    (void)state;
    enum { SEGMENTS = 200, SLICE = 1000, SLICES = 64, READERS = 3 };
    server server;
    server_start(&server, (cvg_net_options){.queue_low = 100000});
    uint32_t disposed = 0;
    cvg_segment *segments[SEGMENTS];
    for (uint32_t i = 0; i < SEGMENTS; i++) segments[i] = segment_make(SLICE * SLICES, i, &disposed);
    int fds[READERS];
    for (int i = 0; i < READERS; i++) fds[i] = client_connect(server.port, i == 0 ? 16384 : 262144);
    TURN_UNTIL(&server, server.accepted == READERS);
    const uint64_t total = (uint64_t)SEGMENTS * SLICE * (SLICES + 1);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        for (int reader = 0; reader < READERS; reader++) {
            cvg_connection to = server.by_slot[reader];
            for (uint32_t slice = 0; slice < SLICES; slice++)
                assert_int_equal(cvg_net_send(server.net, to, segments[i], slice * SLICE, SLICE, 2), 0);
            put_message(cvg_net_reserve(server.net, to, 5 * SLICE), SLICE, i); /* more room than is used */
            cvg_net_commit(server.net, to, SLICE);
        }
        assert_int_equal(segments[i]->references, 1 + READERS); /* adjacent slices are one entry */
    }
    for (int reader = 0; reader < READERS; reader++) {
        assert_int_equal(cvg_net_unsent(server.net, server.by_slot[reader]).bytes, total);
        assert_int_equal(cvg_net_unsent(server.net, server.by_slot[reader]).weight, 2 * SEGMENTS * SLICES);
    }
    assert_int_equal(server_stats(&server).queued_bytes, READERS * total);
    uint64_t received[READERS] = {0}, bytes_left = READERS * total;
    uint64_t last_bytes = total, last_weight = UINT64_MAX;
    uint8_t piece[50000];
    while (bytes_left > 0) {
        server_turn(&server, 1000);
        for (int reader = 0; reader < READERS; reader++) {
            bool ended = false;
            size_t got = client_read(fds[reader], piece, reader == 0 ? 30000 : sizeof piece, &ended);
            assert_false(ended);
            for (size_t i = 0; i < got; i++) {
                uint32_t number = (uint32_t)((received[reader] + i) / (SLICE * (SLICES + 1)));
                uint32_t at = (uint32_t)((received[reader] + i) % (SLICE * (SLICES + 1)));
                uint8_t message[SLICE];
                if (at < SLICE * SLICES) {
                    if (piece[i] != segments[number]->bytes[at]) fail_msg("segment %u differs at %u", number, at);
                } else if (at - SLICE * SLICES >= MESSAGE_HEADER) {
                    if (piece[i] != pattern(number, at - SLICE * SLICES)) fail_msg("message %u differs", number);
                } else {
                    put_message(message, SLICE, number);
                    assert_int_equal(piece[i], message[at - SLICE * SLICES]);
                }
            }
            received[reader] += got;
            bytes_left -= got;
        }
        cvg_net_queued unsent = cvg_net_unsent(server.net, server.by_slot[0]);
        assert_true(unsent.bytes <= last_bytes && unsent.weight <= last_weight);
        assert_true(unsent.weight * SLICE / 2 + SLICES * SLICE >= unsent.bytes * SLICES / (SLICES + 1));
        last_bytes = unsent.bytes;
        last_weight = unsent.weight;
    }
    assert_int_equal(server.drained, READERS);
    cvg_net_stats stats = server_stats(&server);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(stats.queued_peak, READERS * total);
    assert_int_equal(stats.bytes_out, READERS * total);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        assert_int_equal(segments[i]->references, 1);
        cvg_segment_release(segments[i]);
    }
    assert_int_equal(disposed, SEGMENTS);
    for (int i = 0; i < READERS; i++) close(fds[i]);
    server_stop(&server);
}

static void discard_keeps_the_message_under_way(void **state) {
    (void)state;
    enum { BIG = 16 << 20, LAST = 500 };
    server server;
    server_start(&server, (cvg_net_options){0});
    uint32_t disposed = 0;
    cvg_segment *big = segment_make(BIG, 1, &disposed), *dropped = segment_make(4096, 2, &disposed);
    for (int private_bytes = 0; private_bytes < 2; private_bytes++) {
        server.accepted = server.closed = 0;
        int fd = client_connect(server.port, 65536);
        TURN_UNTIL(&server, server.accepted == 1);
        cvg_connection to = server.last;
        if (private_bytes) {
            memcpy(cvg_net_reserve(server.net, to, BIG), big->bytes, BIG);
            cvg_net_commit(server.net, to, BIG);
        } else {
            assert_int_equal(cvg_net_send(server.net, to, big, 0, BIG, 3), 0);
        }
        uint64_t out = server_stats(&server).bytes_out;
        TURN_UNTIL(&server, server_stats(&server).bytes_out > out);
        cvg_net_queued begun = cvg_net_unsent(server.net, to);
        assert_true(begun.bytes > 0 && begun.bytes < BIG);
        assert_int_equal(begun.weight, private_bytes ? 0 : 3);
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(cvg_net_send(server.net, to, dropped, 0, 4096, 1), 0);
            memset(cvg_net_reserve(server.net, to, 100), 0xEE, 100);
            cvg_net_commit(server.net, to, 100);
        }
        assert_int_equal(dropped->references, 101);
        cvg_net_discard_unsent(server.net, to);
        assert_int_equal(dropped->references, 1);
        assert_int_equal(cvg_net_unsent(server.net, to).bytes, begun.bytes);
        assert_int_equal(cvg_net_unsent(server.net, to).weight, begun.weight);
        put_message(cvg_net_reserve(server.net, to, LAST), LAST, 9);
        cvg_net_commit(server.net, to, LAST);
        cvg_net_close(server.net, to, 60000000);
        uint8_t *back = malloc(BIG + LAST + 1), last[LAST];
        assert_int_equal(client_drain(&server, fd, back, BIG + LAST), BIG + LAST);
        assert_memory_equal(back, big->bytes, BIG);
        put_message(last, LAST, 9);
        assert_memory_equal(back + BIG, last, LAST);
        free(back);
        close(fd);
        TURN_UNTIL(&server, server.closed == 1);
    }
    cvg_segment_release(big);
    cvg_segment_release(dropped);
    assert_int_equal(disposed, 2);
    server_stop(&server);
}

static void discard_of_everything_drains(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.queue_low = 1000});
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    for (int i = 0; i < 2; i++) {
        memset(cvg_net_reserve(server.net, server.last, 5000), 0, 5000);
        cvg_net_commit(server.net, server.last, 5000);
    }
    cvg_net_discard_unsent(server.net, server.last);
    assert_int_equal(cvg_net_unsent(server.net, server.last).bytes, 0);
    server_turn(&server, 0);
    assert_int_equal(server.drained, 1);
    assert_int_equal(server_stats(&server).bytes_out, 0);
    close(fd);
    server_stop(&server);
}

/* Told once for each time that the queue was above the mark. */
static void drained_is_told_once(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.queue_low = 1000});
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    uint8_t back[8000];
    size_t received = 0;
    bool ended = false;
    for (uint32_t round = 1; round <= 3; round++) {
        static const size_t sizes[] = {5000, 500, 500};
        for (int i = 0; i < 3; i++) {
            memset(cvg_net_reserve(server.net, server.last, sizes[i]), 0, sizes[i]);
            cvg_net_commit(server.net, server.last, sizes[i]);
            for (received = 0; received < sizes[i];) {
                received += client_read(fd, back, sizeof back, &ended);
                server_turn(&server, 0);
            }
            server_turn(&server, 0);
        }
        assert_int_equal(server.drained, round);
    }
    close(fd);
    server_stop(&server);
}

/* More than fit into one submission, each with little. */
static void hundreds_are_sent_to_in_one_turn(void **state) {
    (void)state;
    enum { CLIENTS = 200 };
    server server;
    server_start(&server, (cvg_net_options){0});
    int fds[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        fds[i] = client_connect(server.port, 0);
        TURN_UNTIL(&server, server.accepted == i + 1);
    }
    for (uint32_t slot = 0, left = CLIENTS; left > 0; slot++) {
        if (server.by_slot[slot] == 0) continue;
        memset(cvg_net_reserve(server.net, server.by_slot[slot], 1), 7, 1);
        cvg_net_commit(server.net, server.by_slot[slot], 1);
        left -= 1;
    }
    cvg_net_flush(server.net);
    for (int i = 0; i < CLIENTS; i++) {
        uint8_t byte = 0;
        bool ended = false;
        assert_int_equal(client_read(fds[i], &byte, 1, &ended), 1);
        assert_int_equal(byte, 7);
        close(fds[i]);
    }
    server_stop(&server);
}

static void destroy_releases_segments(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){0});
    uint32_t disposed = 0;
    cvg_segment *segment = segment_make(1 << 20, 1, &disposed);
    int fds[10];
    for (int i = 0; i < 10; i++) fds[i] = client_connect(server.port, 4096);
    TURN_UNTIL(&server, server.accepted == 10);
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 20; j++)
            assert_int_equal(cvg_net_send(server.net, server.by_slot[i], segment, 0, 1 << 20, 1), 0);
    server_turn(&server, 0);
    assert_true(segment->references > 1);
    server_stop(&server);
    assert_int_equal(segment->references, 1);
    cvg_segment_release(segment);
    assert_int_equal(disposed, 1);
    for (int i = 0; i < 10; i++) close(fds[i]);
}

/* What follows a begun entry in memory is not merged into it: discarding behind it cuts between messages. */
static void begun_entry_takes_no_more(void **state) {
    (void)state;
    uint32_t disposed = 0;
    cvg_segment *segment = segment_make(1000, 1, &disposed);
    cvgi_chunk_pool pool = {0};
    for (int private_bytes = 0; private_bytes < 2; private_bytes++) {
        cvgi_queue queue = {0};
        struct iovec vectors[4];
        size_t total;
        for (uint32_t i = 0; i < 4; i++) {
            if (private_bytes) {
                memcpy(cvgi_queue_reserve(&queue, &pool, 100), segment->bytes + 100 * i, 100);
                cvgi_queue_commit(&queue, &pool, 100);
            } else {
                assert_int_equal(cvgi_queue_push(&queue, segment, 100 * i, 100, 1), 0);
            }
            if (i == 1) cvgi_queue_take(&queue, &pool, 150);
        }
        assert_int_equal(queue.bytes.all, 250);
        assert_int_equal(queue.weight, private_bytes ? 0 : 4);
        assert_int_equal(cvgi_queue_gather(&queue, vectors, 4, 1000, &total), 2);
        assert_int_equal(total, 250);
        assert_memory_equal(vectors[0].iov_base, segment->bytes + 150, 50);
        assert_memory_equal(vectors[1].iov_base, segment->bytes + 200, 200);
        assert_int_equal(cvgi_queue_gather(&queue, vectors, 4, 60, &total), 2);
        assert_int_equal(total, 60);
        assert_int_equal(cvgi_queue_gather(&queue, vectors, 1, 1000, &total), 1);
        assert_int_equal(total, 50);
        cvgi_queue_discard(&queue, &pool);
        assert_int_equal(queue.bytes.all, 50);
        assert_int_equal(queue.weight, private_bytes ? 0 : 2);
        cvgi_queue_take(&queue, &pool, 50);
        assert_int_equal(queue.count, 0);
        assert_null(queue.open);
        assert_int_equal(segment->references, 1);
        cvgi_queue_free(&queue, &pool);
    }
    cvgi_chunk_pool_free(&pool);
    cvg_segment_release(segment);
    assert_int_equal(disposed, 1);
}

/* Room for the largest answer is reserved for every one: what stays is as large as the answer. */
static void memory_of_a_queue_follows_its_bytes(void **state) {
    (void)state;
    enum { ROOM = 1 << 20, SMALL = 100, SMALLS = 1000, LARGE = 200 << 10, SLICES = 1000 };
    cvgi_chunk_pool pool = {0};
    cvgi_queue queue = {0};
    for (int i = 0; i < SMALLS; i++) {
        memset(cvgi_queue_reserve(&queue, &pool, ROOM), i, SMALL);
        cvgi_queue_commit(&queue, &pool, SMALL);
    }
    assert_int_equal(queue.bytes.of_chunks, SMALLS * SMALL);
    assert_true(queue.bytes.memory >= SMALLS * SMALL && queue.bytes.memory < SMALLS * SMALL + (64 << 10));
    uint64_t before = queue.bytes.memory;
    memset(cvgi_queue_reserve(&queue, &pool, ROOM), 0xAA, LARGE);
    cvgi_queue_commit(&queue, &pool, LARGE);
    assert_true(queue.bytes.memory - before >= LARGE && queue.bytes.memory - before < LARGE + 100);
    cvgi_queue_reserve(&queue, &pool, ROOM); /* never used */
    before = queue.bytes.memory;
    uint32_t disposed = 0;
    cvg_segment *segment = segment_make(2 * SLICES, 1, &disposed);
    for (uint32_t i = 0; i < SLICES; i++) assert_int_equal(cvgi_queue_push(&queue, segment, 2 * i, 1, 1), 0);
    assert_true(queue.bytes.memory - before >= SLICES * sizeof(cvgi_entry));

    struct iovec vectors[16];
    size_t total, position = 0;
    size_t count = cvgi_queue_gather(&queue, vectors, 16, SMALLS * SMALL + LARGE, &total);
    assert_int_equal(total, SMALLS * SMALL + LARGE);
    for (size_t v = 0; v < count; v++) {
        const uint8_t *bytes = vectors[v].iov_base;
        for (size_t i = 0; i < vectors[v].iov_len; i++, position++)
            assert_int_equal(bytes[i], position < SMALLS * SMALL ? position / SMALL % 256 : 0xAA);
    }
    cvgi_queue_take(&queue, &pool, 10);
    cvgi_queue_discard(&queue, &pool); /* the message under way stays, in the first, small chunk */
    assert_true(queue.bytes.of_chunks > 0 && queue.bytes.memory - SLICES * sizeof(cvgi_entry) < 64 << 10);
    cvgi_queue_take(&queue, &pool, queue.bytes.all);
    assert_int_equal(queue.bytes.memory, 0);
    assert_int_equal(segment->references, 1);
    cvgi_queue_free(&queue, &pool);
    cvgi_chunk_pool_free(&pool);
    cvg_segment_release(segment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_a_queue_follows_its_bytes),
        cmocka_unit_test(begun_entry_takes_no_more),
        cmocka_unit_test(slow_reader_gets_shared_segments_in_order),
        cmocka_unit_test(discard_keeps_the_message_under_way),
        cmocka_unit_test(discard_of_everything_drains),
        cmocka_unit_test(drained_is_told_once),
        cmocka_unit_test(hundreds_are_sent_to_in_one_turn),
        cmocka_unit_test(destroy_releases_segments),
    };
    return RUN_ON_BOTH_BACKENDS(tests);
}
