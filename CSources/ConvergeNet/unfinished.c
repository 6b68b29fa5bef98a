#include "unfinished.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

/* Makes the buffer hold `total` bytes, at least doubling it, and moves the tail to its front. */
static int grow(cvgi_unfinished *pool, cvgi_tail *tail, uint32_t total) {
    cvgi_tail_buffer *buffer = tail->buffer;
    if (tail->begin > 0) {
        memmove(buffer->bytes, buffer->bytes + tail->begin, tail->length);
        tail->begin = 0;
    }
    uint64_t held = buffer == NULL ? 0 : buffer->capacity + sizeof(cvgi_tail_buffer);
    if (buffer != NULL && buffer->capacity >= total) return 0;
    uint64_t capacity = buffer == NULL ? CAPACITY_MIN : (uint64_t)buffer->capacity * 2;
    if (capacity > tail->need && capacity > CAPACITY_MIN) capacity = tail->need;
    if (capacity < total) capacity = total;
    uint64_t wanted = capacity + sizeof(cvgi_tail_buffer);
    if (pool->bytes - held + wanted > pool->max || capacity > UINT32_MAX) return -ENOBUFS;
    buffer = realloc(buffer, wanted);
    if (buffer == NULL) return -ENOBUFS;
    buffer->capacity = (uint32_t)capacity;
    tail->buffer = buffer;
    pool->bytes += wanted - held;
    if (pool->bytes > pool->peak) pool->peak = pool->bytes;
    return 0;
}

int cvgi_tail_append(cvgi_unfinished *pool, cvgi_tail *tail, const uint8_t *bytes, uint32_t count) {
    if (tail->buffer == NULL || tail->buffer->capacity - tail->begin - tail->length < count) {
        int failed = grow(pool, tail, tail->length + count);
        if (failed) return failed;
    }
    memcpy(tail->buffer->bytes + tail->begin + tail->length, bytes, count);
    tail->length += count;
    return 0;
}

int cvgi_tail_room(cvgi_unfinished *pool, cvgi_tail *tail, uint8_t **room, uint32_t *bytes) {
    if (tail->buffer->capacity == tail->begin + tail->length) {
        int failed = grow(pool, tail, tail->length + 1);
        if (failed) return failed;
    }
    uint32_t free_bytes = tail->buffer->capacity - tail->begin - tail->length;
    uint32_t missing = tail->need - tail->length;
    *room = tail->buffer->bytes + tail->begin + tail->length;
    *bytes = free_bytes < missing ? free_bytes : missing;
    return 0;
}

static void release(cvgi_unfinished *pool, cvgi_tail_buffer *buffer) {
    pool->bytes -= buffer->capacity + sizeof(cvgi_tail_buffer);
    free(buffer);
}

void cvgi_tail_free(cvgi_unfinished *pool, cvgi_tail *tail) {
    if (tail->buffer != NULL) release(pool, tail->buffer);
    *tail = (cvgi_tail){0};
}

void cvgi_tail_retire(cvgi_unfinished *pool, cvgi_tail *tail) {
    if (tail->buffer != NULL) {
        tail->buffer->next = pool->retired;
        pool->retired = tail->buffer;
    }
    *tail = (cvgi_tail){0};
}

void cvgi_unfinished_reclaim(cvgi_unfinished *pool) {
    while (pool->retired != NULL) {
        cvgi_tail_buffer *buffer = pool->retired;
        pool->retired = buffer->next;
        release(pool, buffer);
    }
}
