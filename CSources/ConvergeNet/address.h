/*
 * address - names to socket addresses, and back to text.
 */
#ifndef CVGI_ADDRESS_H
#define CVGI_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { CVGI_ADDRESSES_MAX = 8 };

typedef union cvgi_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} cvgi_address;

typedef struct cvgi_addresses {
    cvgi_address items[CVGI_ADDRESSES_MAX];
    uint32_t count;
} cvgi_addresses;

/* The TCP addresses of a numeric address or a name, at least one, in the order to try them. Blocks while a name is
 * looked up. -EHOSTUNREACH (it does not resolve), -ENOMEM. */
int cvgi_resolve(const char *host, uint16_t port, cvgi_addresses *addresses);

static inline socklen_t cvgi_address_bytes(const cvgi_address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t cvgi_address_port(const cvgi_address *address);
void cvgi_address_set_port(cvgi_address *address, uint16_t port);

/* "127.0.0.1:3727", "[::1]:3727"; empty when the family is unknown. Zero-terminated, cut to capacity. */
void cvgi_address_text(const cvgi_address *address, char *text, size_t capacity);

/* Whether the socket is connected to its own address: TCP does that to who connects to a free port of its own range. */
bool cvgi_connected_to_itself(int fd, const cvgi_address *peer);

#endif
