/*
 * arena - where the epoll backend receives.
 *
 * Received bytes lie in one arena, filled from its start in every turn and lent until the next: a server that is not
 * busy touches its first pages only, and they stay in the cache.
 *
 *   arena  ├ connection 7: tail + received ┼ connection 2: received ┼ … ┼ room ┤
 */
#ifndef CVGI_ARENA_H
#define CVGI_ARENA_H

#include "net.h"

typedef struct cvgi_arena {
    size_t bytes, used;
    uint8_t *memory;
} cvgi_arena;

bool cvgi_arena_receive(cvg_net *net, cvgi_connection *connection, cvg_net_event *event, size_t *work);

#endif
