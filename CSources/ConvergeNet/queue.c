#include "queue.h"

#include <errno.h>
#include <stdlib.h>

#include "converge.h"

enum {
    ENTRIES_MIN = 8,
    ENTRIES_KEPT = 64,     /* ring that an empty queue keeps */
    MERGED_MAX = 64 << 10, /* bytes of an entry up to which more is merged into it */
    RESERVE_MAX = 1 << 30,
};

static const uint32_t class_bytes[CVGI_CHUNK_CLASSES] = {4u << 10, 64u << 10}; /* header included */
static const uint32_t class_kept[CVGI_CHUNK_CLASSES] = {1024, 64};             /* idle chunks kept: 4 MiB each */

static cvgi_chunk *chunk_take(cvgi_chunk_pool *pool, size_t bytes, bool small_allowed) {
    size_t total = sizeof(cvgi_chunk) + bytes;
    int class = small_allowed ? CVGI_CHUNK_SMALL : CVGI_CHUNK_LARGE;
    while (class < CVGI_CHUNK_CLASSES && class_bytes[class] < total) class += 1;
    cvgi_chunk *chunk;
    if (class < CVGI_CHUNK_CLASSES && pool->idle[class] != NULL) {
        chunk = pool->idle[class];
        pool->idle[class] = chunk->next;
        pool->count[class] -= 1;
    } else {
        if (class < CVGI_CHUNK_CLASSES) total = class_bytes[class];
        chunk = malloc(total);
        if (chunk == NULL) return NULL;
        chunk->capacity = (uint32_t)(total - sizeof(cvgi_chunk));
    }
    chunk->references = 1;
    chunk->used = 0;
    return chunk;
}

static void chunk_release(cvgi_chunk_pool *pool, cvgi_chunk *chunk) {
    chunk->references -= 1;
    if (chunk->references > 0) return;
    for (int class = 0; class < CVGI_CHUNK_CLASSES; class ++) {
        if (chunk->capacity + sizeof(cvgi_chunk) != class_bytes[class]) continue;
        if (pool->count[class] == class_kept[class]) break;
        chunk->next = pool->idle[class];
        pool->idle[class] = chunk;
        pool->count[class] += 1;
        return;
    }
    free(chunk);
}

void cvgi_chunk_pool_free(cvgi_chunk_pool *pool) {
    for (int class = 0; class < CVGI_CHUNK_CLASSES; class ++) {
        while (pool->idle[class] != NULL) {
            cvgi_chunk *chunk = pool->idle[class];
            pool->idle[class] = chunk->next;
            free(chunk);
        }
        pool->count[class] = 0;
    }
}

static inline cvgi_entry *entry_at(const cvgi_queue *queue, uint32_t index) {
    return &queue->entries[(queue->head + index) & (queue->capacity - 1)];
}

static bool make_room_for_entry(cvgi_queue *queue) {
    if (queue->count < queue->capacity) return true;
    uint32_t capacity = queue->capacity == 0 ? ENTRIES_MIN : queue->capacity * 2;
    cvgi_entry *entries = malloc(capacity * sizeof(cvgi_entry));
    if (entries == NULL) return false;
    for (uint32_t i = 0; i < queue->count; i++) entries[i] = *entry_at(queue, i);
    free(queue->entries);
    queue->entries = entries;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

/* The last entry, if what follows it in memory may still be merged into it. */
static cvgi_entry *mergeable(cvgi_queue *queue, const uint8_t *bytes, size_t length, uint32_t weight) {
    if (queue->count == 0 || (queue->count == 1 && queue->begun > 0)) return NULL;
    cvgi_entry *last = entry_at(queue, queue->count - 1);
    if (last->bytes + last->length != bytes || last->length + length > MERGED_MAX) return NULL;
    return weight <= UINT32_MAX - last->weight ? last : NULL;
}

uint8_t *cvgi_queue_reserve(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    if (bytes > RESERVE_MAX || !make_room_for_entry(queue)) return NULL;
    if (queue->open != NULL && queue->open->capacity - queue->open->used >= bytes)
        return queue->open->bytes + queue->open->used;
    cvgi_chunk *chunk = chunk_take(pool, bytes, queue->open == NULL);
    if (chunk == NULL) return NULL;
    if (queue->open != NULL) chunk_release(pool, queue->open);
    queue->open = chunk;
    return chunk->bytes;
}

void cvgi_queue_commit(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    cvgi_chunk *chunk = queue->open;
    CVGI_ASSERT(chunk != NULL && bytes <= chunk->capacity - chunk->used);
    if (bytes == 0) {
        if (queue->count > 0) return;
        queue->open = NULL;
        chunk_release(pool, chunk);
        return;
    }
    const uint8_t *start = chunk->bytes + chunk->used;
    chunk->used += (uint32_t)bytes;
    queue->bytes.all += bytes;
    queue->bytes.of_chunks += bytes;
    cvgi_entry *last = mergeable(queue, start, bytes, 0);
    if (last != NULL && last->chunk == chunk) {
        last->length += (uint32_t)bytes;
        return;
    }
    CVGI_ASSERT(queue->count < queue->capacity);
    chunk->references += 1;
    *entry_at(queue, queue->count) = (cvgi_entry){.bytes = start, .length = (uint32_t)bytes, .chunk = chunk};
    queue->count += 1;
}

int cvgi_queue_push(cvgi_queue *queue, cvg_segment *segment, uint32_t offset, uint32_t bytes, uint32_t weight) {
    if (bytes == 0) return 0;
    const uint8_t *start = segment->bytes + offset;
    cvgi_entry *last = mergeable(queue, start, bytes, weight);
    if (last != NULL && last->segment == segment) {
        last->length += bytes;
        last->weight += weight;
    } else {
        if (!make_room_for_entry(queue)) return -ENOMEM;
        cvg_segment_retain(segment);
        *entry_at(queue, queue->count) =
            (cvgi_entry){.bytes = start, .length = bytes, .weight = weight, .segment = segment};
        queue->count += 1;
    }
    queue->bytes.all += bytes;
    queue->weight += weight;
    return 0;
}

size_t cvgi_queue_gather(const cvgi_queue *queue, struct iovec *vectors, size_t vectors_max, size_t bytes_max,
                         size_t *total) {
    size_t used = 0;
    size_t skip = queue->begun;
    *total = 0;
    for (uint32_t i = 0; i < queue->count && used < vectors_max && *total < bytes_max; i++) {
        const cvgi_entry *entry = entry_at(queue, i);
        size_t length = entry->length - skip;
        if (length > bytes_max - *total) length = bytes_max - *total;
        vectors[used++] = (struct iovec){.iov_base = (void *)(uintptr_t)(entry->bytes + skip), .iov_len = length};
        *total += length;
        skip = 0;
    }
    return used;
}

static void entry_release(const cvgi_entry *entry, cvgi_chunk_pool *pool) {
    if (entry->segment != NULL) cvg_segment_release(entry->segment);
    if (entry->chunk != NULL) chunk_release(pool, entry->chunk);
}

static void drop_bytes(cvgi_queue *queue, const cvgi_entry *entry, size_t bytes) {
    queue->bytes.all -= bytes;
    if (entry->chunk != NULL) queue->bytes.of_chunks -= bytes;
}

static void settle_when_empty(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    if (queue->count > 0) return;
    if (queue->open != NULL) chunk_release(pool, queue->open);
    queue->open = NULL;
    queue->head = 0;
    if (queue->capacity <= ENTRIES_KEPT) return;
    free(queue->entries);
    queue->entries = NULL;
    queue->capacity = 0;
}

void cvgi_queue_take(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    CVGI_ASSERT(bytes <= queue->bytes.all);
    while (bytes > 0) {
        cvgi_entry *first = entry_at(queue, 0);
        size_t left = first->length - queue->begun;
        size_t taken = bytes < left ? bytes : left;
        drop_bytes(queue, first, taken);
        bytes -= taken;
        if (taken < left) {
            queue->begun += (uint32_t)taken;
            break;
        }
        queue->begun = 0;
        queue->weight -= first->weight;
        entry_release(first, pool);
        queue->head = (queue->head + 1) & (queue->capacity - 1);
        queue->count -= 1;
    }
    settle_when_empty(queue, pool);
}

void cvgi_queue_discard(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    uint32_t kept = queue->begun > 0 ? 1 : 0;
    while (queue->count > kept) {
        const cvgi_entry *last = entry_at(queue, queue->count - 1);
        drop_bytes(queue, last, last->length);
        queue->weight -= last->weight;
        entry_release(last, pool);
        queue->count -= 1;
    }
    settle_when_empty(queue, pool);
}

void cvgi_queue_free(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    for (uint32_t i = 0; i < queue->count; i++) entry_release(entry_at(queue, i), pool);
    if (queue->open != NULL) chunk_release(pool, queue->open);
    free(queue->entries);
    *queue = (cvgi_queue){0};
}
