/*
 * bench_net - what the transport costs the thread that polls, in its own CPU time, over loopback; and what both threads
 * cost, because over loopback the kernel does a part of a sender's work in whichever thread lets it go on.
 *
 *   bench_net epoll|io_uring stream|echo CONNECTIONS [MEBIBYTES|MESSAGES]
 *
 *   stream  every connection is written to as fast as it takes it; the server uses all:   ns a KiB
 *   echo    every connection sends 100 bytes and waits for them to come back:             ns a message
 *
 * make .build/c/bench_net
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "converge_net.h"

enum { CONNECTIONS_MAX = 1024, EVENTS = 512, ECHO = 100 };

typedef struct load {
    int fds[CONNECTIONS_MAX];
    int connections;
    bool echo, stop;
    uint8_t bytes[1 << 20];
} load;

static void *press(void *context) {
    load *load = context;
    struct pollfd polled[CONNECTIONS_MAX];
    for (int i = 0; i < load->connections; i++) {
        polled[i] = (struct pollfd){.fd = load->fds[i], .events = load->echo ? POLLIN : POLLOUT};
        if (load->echo) send(load->fds[i], load->bytes, ECHO, MSG_NOSIGNAL);
    }
    while (!__atomic_load_n(&load->stop, __ATOMIC_ACQUIRE)) {
        poll(polled, (nfds_t)load->connections, 100);
        for (int i = 0; i < load->connections; i++) {
            if (polled[i].revents == 0) continue;
            uint8_t back[ECHO];
            if (!load->echo)
                send(load->fds[i], load->bytes, sizeof load->bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
            else if (recv(load->fds[i], back, sizeof back, MSG_DONTWAIT) > 0) /* loopback keeps small messages whole */
                send(load->fds[i], load->bytes, ECHO, MSG_NOSIGNAL);
        }
    }
    return NULL;
}

static double cpu_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int connect_to(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* One poll; bytes used. */
static uint64_t turn(cvg_net *net, bool echo, uint32_t *accepted) {
    cvg_net_event events[EVENTS];
    uint64_t bytes = 0;
    int count = cvg_net_poll(net, 1000, events, EVENTS);
    for (int i = 0; i < count; i++) {
        if (events[i].type == CVG_NET_ACCEPTED) *accepted += 1;
        if (events[i].type != CVG_NET_RECEIVED) continue;
        bytes += events[i].bytes;
        uint8_t *room = echo ? cvg_net_reserve(net, events[i].connection, events[i].bytes) : NULL;
        if (room != NULL) {
            memcpy(room, events[i].data, events[i].bytes);
            cvg_net_commit(net, events[i].connection, events[i].bytes);
        }
        cvg_net_consume(net, &events[i], events[i].bytes, 0);
    }
    return bytes;
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "usage: bench_net epoll|io_uring stream|echo CONNECTIONS [MEBIBYTES|MESSAGES]\n");
        return 2;
    }
    static load load;
    load.echo = strcmp(words[2], "echo") == 0;
    load.connections = atoi(words[3]);
    if (load.connections < 1 || load.connections > CONNECTIONS_MAX) return 2;
    const uint64_t wanted = count > 4 ? strtoull(words[4], NULL, 10) : load.echo ? 200000 : 4096;
    const uint64_t bytes = load.echo ? wanted * ECHO : wanted << 20;
    cvg_net_options options = {.backend = strcmp(words[1], "epoll") == 0 ? CVG_NET_EPOLL : CVG_NET_IO_URING};
    cvg_net *net;
    int failed = cvg_net_create(&options, &net);
    if (failed) {
        fprintf(stderr, "%s\n", cvg_net_io_uring_refused(failed));
        return 1;
    }
    uint16_t port;
    if (cvg_net_listen(net, "127.0.0.1", 0, &port) < 0) return 1;
    uint32_t accepted = 0;
    for (int i = 0; i < load.connections; i++) {
        load.fds[i] = connect_to(port);
        while (accepted < (uint32_t)i + 1) turn(net, false, &accepted);
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, press, &load) != 0) return 1;
    uint64_t used = 0;
    while (used < bytes / 10) used += turn(net, load.echo, &accepted); /* warm */
    used = 0;
    const double before = cpu_ns(CLOCK_THREAD_CPUTIME_ID), all_before = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (used < bytes) used += turn(net, load.echo, &accepted);
    const double spent = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    const double all_spent = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all_before;
    cvg_net_stats stats;
    cvg_net_stats_read(net, &stats);
    const double units = (double)used / (load.echo ? ECHO : 1024);
    printf("%s %s %d: %.1f ns a %s, %.1f with the clients, %.0f bytes a receive, %llu bundles\n", words[1], words[2],
           load.connections, spent / units, load.echo ? "message" : "KiB", all_spent / units,
           (double)stats.bytes_in / (double)stats.receives, (unsigned long long)stats.bundles);
    __atomic_store_n(&load.stop, true, __ATOMIC_RELEASE);
    cvg_net_destroy(net);
    for (int i = 0; i < load.connections; i++) shutdown(load.fds[i], SHUT_RDWR);
    pthread_join(thread, NULL);
    return 0;
}
