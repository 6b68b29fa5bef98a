/*
 * listener - how connections come to be: listen and accept, connect.
 *
 * Accepting is bounded a turn. When the process has no descriptor left it pauses for 100 ms or until a connection ends;
 * when the table is full, until a slot is free. Meanwhile who connects waits in the listen backlog.
 *
 * A name may stand for several addresses (localhost: ::1 and 127.0.0.1). A listener takes all of them, with one port; a
 * connection tries one after the other.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { BACKLOG = 4096, PORT_ATTEMPTS = 16 };

/* `share`: the kernel spreads connections over all sockets that listen on the port with it. */
static int open_listener(const cvgi_address *address, bool share) {
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address->any.sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, &address->any, cvgi_address_bytes(address)) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static uint16_t bound_port(int fd) {
    cvgi_address own = {0};
    socklen_t bytes = sizeof own;
    return getsockname(fd, &own.any, &bytes) < 0 ? 0 : cvgi_address_port(&own);
}

static void drop_listeners(cvg_net *net, uint32_t from) {
    net->backend->forget_listeners(net, from);
    while (net->listener_count > from) close(net->listeners[--net->listener_count].fd);
}

/* Listens on all of the addresses with one port. An address family that this machine lacks is left out. */
static int listen_all(cvg_net *net, cvgi_addresses *addresses, uint16_t *port) {
    uint32_t first = net->listener_count;
    int error = -EADDRNOTAVAIL;
    for (uint32_t i = 0; i < addresses->count && net->listener_count < CVGI_LISTENERS_MAX; i++) {
        cvgi_address_set_port(&addresses->items[i], *port);
        int fd = open_listener(&addresses->items[i], net->options.share_port);
        if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT) continue;
        if (fd >= 0) {
            uint32_t index = net->listener_count++;
            net->listeners[index] = (cvgi_listener){.fd = fd, .pending = true};
            *port = bound_port(fd);
            fd = net->backend->watch_listener(net, index);
        }
        if (fd < 0) {
            drop_listeners(net, first);
            return fd;
        }
    }
    return net->listener_count > first ? 0 : error;
}

int cvg_net_listen(cvg_net *net, const char *host, uint16_t port, uint16_t *bound) {
    if (net->listener_count == CVGI_LISTENERS_MAX) return -ENOBUFS;
    cvgi_addresses addresses;
    int failed = cvgi_resolve(host, port, &addresses);
    if (failed) return failed;
    /* A port that the first address picked may be taken at the second. */
    for (int attempt = 0; attempt < (port == 0 ? PORT_ATTEMPTS : 1); attempt++) {
        *bound = port;
        failed = listen_all(net, &addresses, bound);
        if (failed != -EADDRINUSE) break;
    }
    return failed;
}

void cvg_net_stop_listening(cvg_net *net) {
    drop_listeners(net, 0);
}

/* -------------------------------------------------------------------------------------------------------- accepting */

bool cvgi_accept_pending(const cvg_net *net) {
    if (cvgi_connections_full(&net->table)) return false;
    for (uint32_t i = 0; i < net->listener_count; i++)
        if (net->listeners[i].pending) return true;
    return false;
}

static void prepare(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Whether a connection was made of it. */
static bool adopt(cvg_net *net, int fd, const cvgi_address *peer, cvg_net_event *event) {
    cvgi_connection *connection = cvgi_connections_take(&net->table);
    if (connection == NULL) {
        close(fd);
        return false;
    }
    prepare(fd);
    connection->fd = fd;
    connection->state = CVGI_OPEN;
    connection->peer = *peer;
    if (net->backend->watch(net, connection) < 0) {
        close(fd);
        cvgi_connections_give_back(&net->table, connection);
        return false;
    }
    net->stats.accepted += 1;
    *event = (cvg_net_event){.connection = connection->id, .type = CVG_NET_ACCEPTED};
    return true;
}

size_t cvgi_accept_turn(cvg_net *net, cvg_net_event *events, size_t count, size_t capacity) {
    if (!cvgi_accept_pending(net) || (net->accept_at > 0 && cvg_net_now_us() < net->accept_at)) return count;
    net->accept_at = 0;
    uint32_t attempts = CVGI_ACCEPTS_MAX;
    for (uint32_t i = 0; i < net->listener_count; i++) {
        cvgi_listener *listener = &net->listeners[i];
        while (listener->pending && attempts > 0 && count < capacity && !cvgi_connections_full(&net->table)) {
            attempts -= 1;
            cvgi_address peer = {0};
            int fd = net->backend->accept(net, i, &peer);
            if (fd >= 0 && adopt(net, fd, &peer, &events[count])) {
                count += 1;
            } else if (fd == -EAGAIN) {
                listener->pending = false;
            } else if (fd >= 0 || fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
                net->accept_at = cvg_net_now_us() + CVGI_ACCEPT_PAUSE_US;
                return count;
            } /* any other error is of the one connection that was to be accepted, or passes */
        }
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------- connecting */

static void connect_next(cvg_net *net, cvgi_connection *connection, int error) {
    while (connection->other < connection->others->count) {
        connection->peer = connection->others->items[connection->other++];
        connection->fd = socket(connection->peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd < 0) {
            error = errno;
            continue;
        }
        prepare(connection->fd);
        if (connect(connection->fd, &connection->peer.any, cvgi_address_bytes(&connection->peer)) < 0 &&
            errno != EINPROGRESS && errno != EINTR) {
            error = errno;
        } else {
            error = -net->backend->watch(net, connection);
            if (error == 0) return;
        }
        close(connection->fd);
        connection->fd = -1;
    }
    cvgi_finish(net, connection, error);
}

int cvg_net_connect(cvg_net *net, const char *host, uint16_t port, cvg_connection *id) {
    cvgi_addresses *addresses = malloc(sizeof *addresses);
    if (addresses == NULL) return -ENOMEM;
    int failed = cvgi_resolve(host, port, addresses);
    if (!failed && cvgi_connections_full(&net->table)) failed = -EUSERS;
    cvgi_connection *connection = failed ? NULL : cvgi_connections_take(&net->table);
    if (connection == NULL) {
        free(addresses);
        return failed ? failed : -ENOMEM;
    }
    connection->state = CVGI_CONNECTING;
    connection->others = addresses;
    *id = connection->id;
    connect_next(net, connection, ECONNREFUSED);
    return 0;
}

void cvgi_connect_ended(cvg_net *net, cvgi_connection *connection) {
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0) error = errno;
    if (error == 0 && cvgi_connected_to_itself(connection->fd, &connection->peer)) error = ECONNREFUSED;
    if (error != 0) {
        close(connection->fd);
        connection->fd = -1;
        connect_next(net, connection, error);
        return;
    }
    fcntl(connection->fd, F_SETFL, 0); /* O_NONBLOCK was for connect; io_uring would not wait */
    connection->state = CVGI_OPEN;
    free(connection->others);
    connection->others = NULL;
    net->backend->attend(net, connection);
    if (connection->queue.count > 0) cvgi_list_append(&net->unsent, &connection->in_unsent);
    if (connection->closing)
        cvgi_close_when_sent(net, connection);
    else
        cvgi_tell(net, connection, CVGI_TELL_CONNECTED);
}
