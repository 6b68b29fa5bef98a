#define _GNU_SOURCE 1
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int cvgi_resolve(const char *host, uint16_t port, cvgi_addresses *addresses) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed) return failed == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
    addresses->count = 0;
    for (const struct addrinfo *each = found; each != NULL && addresses->count < CVGI_ADDRESSES_MAX;
         each = each->ai_next) {
        if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
        cvgi_address *address = &addresses->items[addresses->count++];
        memset(address, 0, sizeof *address);
        memcpy(address, each->ai_addr, each->ai_addrlen);
        cvgi_address_set_port(address, port);
    }
    freeaddrinfo(found);
    return addresses->count > 0 ? 0 : -EHOSTUNREACH;
}

uint16_t cvgi_address_port(const cvgi_address *address) {
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void cvgi_address_set_port(cvgi_address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

void cvgi_address_text(const cvgi_address *address, char *text, size_t capacity) {
    char host[INET6_ADDRSTRLEN];
    if (capacity == 0) return;
    text[0] = 0;
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(text, capacity, "%s:%u", host, cvgi_address_port(address));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(text, capacity, "[%s]:%u", host, cvgi_address_port(address));
    }
}

bool cvgi_connected_to_itself(int fd, const cvgi_address *peer) {
    cvgi_address own = {0};
    socklen_t bytes = sizeof own;
    if (getsockname(fd, &own.any, &bytes) < 0 || own.any.sa_family != peer->any.sa_family) return false;
    if (cvgi_address_port(&own) != cvgi_address_port(peer)) return false;
    if (own.any.sa_family == AF_INET) return own.v4.sin_addr.s_addr == peer->v4.sin_addr.s_addr;
    return memcmp(&own.v6.sin6_addr, &peer->v6.sin6_addr, sizeof own.v6.sin6_addr) == 0;
}
