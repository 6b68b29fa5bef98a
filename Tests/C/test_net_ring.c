/*
 * What only io_uring has: buffers that run out, requests that the kernel or a close ends, a system that forbids it.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "net.h"
#include "net_support.h"
#include "ring.h"

enum { BUFFER = 64 << 10 };

static void write_all(server *server, int fd, const uint8_t *bytes, size_t count) {
    for (size_t sent = 0; sent < count;) {
        sent += client_write(fd, bytes + sent, count - sent);
        server_turn(server, 0);
    }
}

/* More connections with bytes than buffers: the kernel ends their receives with ENOBUFS, and each is served all the
 * same. */
static void exhausted_buffers_reach_everyone(void **state) {
    (void)state;
    enum { CLIENTS = 50 };
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 3});
    uint8_t message[1000];
    put_message(message, sizeof message, 0);
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == CLIENTS);
    server_turn(&server, 0);
    for (uint32_t round = 0; round < 20; round++) {
        put_message(message, sizeof message, round);
        for (int i = 0; i < CLIENTS; i++) assert_int_equal(client_write(fds[i], message, sizeof message), 1000);
        TURN_UNTIL(&server, server.messages == (round + 1) * CLIENTS);
    }
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
    TURN_UNTIL(&server, server.closed == CLIENTS);
    server_turn(&server, 0);
    assert_int_equal(server.net->ring->available, 3);
    server_stop(&server);
}

/* Pauses a connection whose bytes fill all buffers, none of them delivered. *sent: what the socket took of its stream;
 * how much it takes at once is the kernel's to decide, so that it is offered until the buffers are full. */
static void pause_with_all_buffers(server *server, int fd, const uint8_t *stream, size_t bytes, size_t *sent) {
    TURN_UNTIL(server, server->accepted == 1);
    server_turn(server, 0);
    *sent = 0;
    server->capacity = 1;
    while (server->net->ring->available > 0) {
        *sent += client_write(fd, stream + *sent, bytes - *sent);
        cvg_net_wake(server->net); /* takes the poll's only event */
        server_turn(server, 1000);
    }
    cvg_net_set_reading(server->net, server->last, false);
    *sent += client_write(fd, stream + *sent, bytes - *sent); /* more waits in the socket */
    server->capacity = EVENTS;
    for (int i = 0; i < 5; i++) server_turn(server, 0);
    assert_int_equal(server->net->ring->available, 0);
    assert_int_equal(server->messages, 0);
}

static void paused_buffers_do_not_starve_others(void **state) {
    (void)state;
    enum { MESSAGES = 2000 };
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 2});
    server.echo = false;
    uint32_t lengths[MESSAGES];
    for (size_t i = 0; i < MESSAGES; i++) lengths[i] = 1000;
    size_t bytes, sent;
    uint8_t *stream = make_stream(lengths, MESSAGES, &bytes), message[50];
    put_message(message, sizeof message, 0);
    int greedy = client_connect(server.port, 0);
    pause_with_all_buffers(&server, greedy, stream, bytes, &sent);
    cvg_connection paused = server.last;
    uint64_t before = server.messages;
    int other = client_connect(server.port, 0);
    client_write(other, message, sizeof message);
    TURN_UNTIL(&server, server.messages == before + 1);
    uint64_t held = server_stats(&server).unfinished_bytes;
    assert_true(held > 0 && held <= 3 * (BUFFER + (32 << 10)));
    for (int i = 0; i < 20; i++) server_turn(&server, 0);
    assert_int_equal(server_stats(&server).unfinished_bytes, held); /* a paused connection takes no more */
    cvg_net_set_reading(server.net, paused, true);
    while (sent < bytes) {
        sent += client_write(greedy, stream + sent, bytes - sent);
        server_turn(&server, 0);
    }
    TURN_UNTIL(&server, server.messages == MESSAGES + 1);
    server_turn(&server, 0);
    assert_int_equal(server_stats(&server).unfinished_bytes, 0);
    assert_int_equal(server.net->ring->available, 2);
    close(greedy);
    close(other);
    server_stop(&server);
    free(stream);
}

static void paused_buffers_above_the_budget_end_it(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 2, .unfinished_max = 10000});
    server.echo = false;
    uint32_t lengths[500];
    for (size_t i = 0; i < 500; i++) lengths[i] = 1000;
    size_t bytes, sent;
    uint8_t *stream = make_stream(lengths, 500, &bytes);
    int greedy = client_connect(server.port, 0);
    pause_with_all_buffers(&server, greedy, stream, bytes, &sent);
    int other = client_connect(server.port, 0);
    client_write(other, stream, 1000);
    TURN_UNTIL(&server, server.ended == 1);
    assert_int_equal(server.last_end, ENOBUFS);
    uint64_t before = server.messages;
    client_write(other, stream + 1000, 1000);
    TURN_UNTIL(&server, server.messages >= before + 1);
    close(greedy);
    close(other);
    server_stop(&server);
    free(stream);
}

/* At once and with a linger; destroyed with requests in the kernel, or after their last completions. */
static void closing_with_requests_in_the_kernel(void **state) {
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        server server;
        server_start(&server, (cvg_net_options){0});
        uint32_t disposed = 0;
        cvg_segment *segment = segment_make(1 << 20, 1, &disposed);
        int fd = client_connect(server.port, 4096);
        TURN_UNTIL(&server, server.accepted == 1);
        for (int i = 0; i < 16; i++) assert_int_equal(cvg_net_send(server.net, server.last, segment, 0, 1 << 20, 1), 0);
        if (variant & 4) cvg_net_set_reading(server.net, server.last, false);
        cvgi_connection *connection = server.net->table.slots[0];
        uint8_t wanted = CVGI_OP_WRITABLE | (variant & 4 ? CVGI_OP_FAILED : CVGI_OP_RECEIVE);
        TURN_UNTIL(&server, connection->in_kernel == wanted);
        cvg_net_close(server.net, server.last, variant & 1 ? 1000 : 0);
        if (variant & 2) {
            TURN_UNTIL(&server, server.closed == 1);
            assert_int_equal(server.last_error, variant & 1 ? ETIMEDOUT : 0);
            TURN_UNTIL(&server, server_stats(&server).connections == 0);
            assert_int_equal(connection->in_kernel, 0);
            uint8_t piece[65536];
            for (bool ended = false; !ended;)
                client_read(fd, piece, sizeof piece, &ended); /* the kernel let go of it */
        }
        server_stop(&server);
        assert_int_equal(segment->references, 1);
        cvg_segment_release(segment);
        close(fd);
    }
}

static void pausing_and_resuming_loses_nothing(void **state) {
    (void)state;
    server server;
    server_start(&server, (cvg_net_options){.receive_buffers = 4});
    uint32_t lengths[300];
    for (size_t i = 0; i < 300; i++) lengths[i] = 8 + (uint32_t)(i * 37 % 3000);
    size_t bytes;
    uint8_t *stream = make_stream(lengths, 300, &bytes);
    int fd = client_connect(server.port, 0);
    TURN_UNTIL(&server, server.accepted == 1);
    size_t sent = 0;
    for (uint32_t turn = 0; server.messages < 300; turn++) {
        size_t piece = 1 + turn * 101 % 9000;
        if (sent < bytes) sent += client_write(fd, stream + sent, bytes - sent < piece ? bytes - sent : piece);
        cvg_net_set_reading(server.net, server.last, turn % 3 != 0);
        if (turn % 5 == 0) cvg_net_set_reading(server.net, server.last, true); /* before its cancel is submitted */
        server_turn(&server, 0);
    }
    assert_int_equal(server_stats(&server).bytes_in, bytes);
    close(fd);
    server_stop(&server);
    free(stream);
}

/* ---------------------------------------------------------------------------------------------------------- refusals
 */

/* In a process where io_uring_setup fails with this errno. Exit code 0: all as expected. */
static int refused_process(int error) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 10;
    cvg_net *net = NULL;
    const char *why = NULL;
    int failed = cvg_net_create(&(cvg_net_options){.backend = CVG_NET_IO_URING}, &net);
    if (failed != -error) return 11;
    if (strstr(cvg_net_io_uring_refused(failed), "choose epoll") == NULL) return 12;
    if (cvg_net_create(&(cvg_net_options){.backend = CVG_NET_AUTO}, &net) != 0) return 13;
    if (strcmp(cvg_net_backend(net, &why), "epoll") != 0) return 14;
    if (CVGI_AUTO == CVG_NET_EPOLL && why != NULL) return 15;
    if (CVGI_AUTO != CVG_NET_EPOLL && strcmp(why, cvg_net_io_uring_refused(error)) != 0) return 15;
    uint16_t port;
    cvg_connection to;
    cvg_net_event events[8];
    int seen = 0;
    if (cvg_net_listen(net, "127.0.0.1", 0, &port) != 0 || cvg_net_connect(net, "127.0.0.1", port, &to) != 0) return 16;
    while (seen != (1 << CVG_NET_ACCEPTED | 1 << CVG_NET_CONNECTED)) {
        int count = cvg_net_poll(net, 1000, events, 8);
        for (int i = 0; i < count; i++) seen |= 1 << events[i].type;
    }
    cvg_net_destroy(net);
    return 0;
}

static void auto_falls_back_and_says_why(void **state) {
    (void)state;
    static const int errors[] = {EPERM, ENOSYS, EINVAL, ENOMEM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(refused_process(errors[i]));
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* The end of a ring interrupts whoever made it, in system calls that have a time limit: making a net must not do that
 * to its caller. */
static void caller_is_not_interrupted(void **state) {
    (void)state;
    int pair[2];
    struct timeval limit = {.tv_usec = 20000};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    for (int i = 0; i < 20; i++) {
        cvg_net *net;
        char byte;
        assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = CVG_NET_IO_URING}, &net), 0);
        assert_int_equal(recv(pair[0], &byte, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
        cvg_net_destroy(net);
    }
    close(pair[0]);
    close(pair[1]);
}

static void choosing(void **state) {
    (void)state;
    static const char *names[] = {[CVG_NET_IO_URING] = "io_uring", [CVG_NET_EPOLL] = "epoll"};
    for (uint32_t choice = CVG_NET_AUTO; choice <= CVG_NET_EPOLL; choice++) {
        cvg_net *net;
        const char *why;
        assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = choice}, &net), 0);
        assert_string_equal(cvg_net_backend(net, &why), names[choice == CVG_NET_AUTO ? CVGI_AUTO : choice]);
        assert_null(why);
        cvg_net_destroy(net);
    }
    cvg_net *none;
    assert_int_equal(cvg_net_create(&(cvg_net_options){.backend = 3}, &none), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exhausted_buffers_reach_everyone),       cmocka_unit_test(paused_buffers_do_not_starve_others),
        cmocka_unit_test(paused_buffers_above_the_budget_end_it), cmocka_unit_test(closing_with_requests_in_the_kernel),
        cmocka_unit_test(pausing_and_resuming_loses_nothing),
    };
    const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(auto_falls_back_and_says_why),
    };
    const struct CMUnitTest making[] = {
        cmocka_unit_test(choosing),
        cmocka_unit_test(caller_is_not_interrupted), /* before this thread has rings of its own that end */
    };
    int failed = cmocka_run_group_tests_name("io_uring refused", everywhere, NULL, NULL);
    if (backend_chosen(CVG_NET_IO_URING, true)) failed += cmocka_run_group_tests_name("making", making, NULL, NULL);
    return failed + RUN_ON_IO_URING(tests);
}
