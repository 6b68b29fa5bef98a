#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "converge.h"

enum {
    ENTRIES_MIN = 8,
    ENTRIES_KEPT = 64,     /* ring that an empty queue keeps */
    MERGED_MAX = 64 << 10, /* bytes of an entry up to which more is merged into it */
    RESERVE_MAX = 1 << 30,
    SPARE_MAX = 2 << 20, /* a chunk of no class that the pool keeps */
};

static const uint32_t class_bytes[CVGI_CHUNK_CLASSES] = {4u << 10, 64u << 10}; /* header included */
static const uint32_t class_kept[CVGI_CHUNK_CLASSES] = {1024, 64};             /* idle chunks kept: 4 MiB each */

static size_t chunk_memory(const cvgi_chunk *chunk) {
    return sizeof(cvgi_chunk) + chunk->capacity;
}

/* The class of a chunk for so many bytes, or CVGI_CHUNK_CLASSES: it is allocated to size. */
static int chunk_class(size_t bytes, bool small_allowed) {
    int class = small_allowed ? CVGI_CHUNK_SMALL : CVGI_CHUNK_LARGE;
    while (class < CVGI_CHUNK_CLASSES && class_bytes[class] < sizeof(cvgi_chunk) + bytes) class += 1;
    return class;
}

static cvgi_chunk *chunk_take(cvgi_chunk_pool *pool, size_t bytes, bool small_allowed, bool spare_allowed) {
    size_t total = sizeof(cvgi_chunk) + bytes;
    int class = chunk_class(bytes, small_allowed);
    cvgi_chunk *chunk;
    if (class < CVGI_CHUNK_CLASSES && pool->idle[class] != NULL) {
        chunk = pool->idle[class];
        pool->idle[class] = chunk->next;
        pool->count[class] -= 1;
    } else if (class == CVGI_CHUNK_CLASSES && spare_allowed && pool->spare != NULL && pool->spare->capacity >= bytes) {
        chunk = pool->spare;
        pool->spare = NULL;
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

static void chunk_give_back(cvgi_chunk_pool *pool, cvgi_chunk *chunk) {
    for (int class = 0; class < CVGI_CHUNK_CLASSES; class ++) {
        if (chunk_memory(chunk) != class_bytes[class]) continue;
        if (pool->count[class] == class_kept[class]) break;
        chunk->next = pool->idle[class];
        pool->idle[class] = chunk;
        pool->count[class] += 1;
        return;
    }
    size_t spare = pool->spare == NULL ? class_bytes[CVGI_CHUNK_LARGE] : chunk_memory(pool->spare);
    if (chunk_memory(chunk) > spare && chunk_memory(chunk) <= SPARE_MAX) {
        cvgi_chunk *smaller = pool->spare;
        pool->spare = chunk;
        chunk = smaller;
    }
    free(chunk);
}

static void chunk_release(cvgi_queue *queue, cvgi_chunk_pool *pool, cvgi_chunk *chunk) {
    chunk->references -= 1;
    if (chunk->references > 0) return;
    queue->bytes.memory -= chunk_memory(chunk);
    chunk_give_back(pool, chunk);
}

/* Private bytes go into this chunk from now on. */
static void open_chunk(cvgi_queue *queue, cvgi_chunk_pool *pool, cvgi_chunk *chunk) {
    if (queue->open != NULL) chunk_release(queue, pool, queue->open);
    queue->open = chunk;
    queue->bytes.memory += chunk_memory(chunk);
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
    free(pool->spare);
    pool->spare = NULL;
}

static inline cvgi_entry *entry_at(const cvgi_queue *queue, uint32_t index) {
    return &queue->entries[(queue->head + index) & (queue->capacity - 1)];
}

static size_t ring_memory(uint32_t capacity) {
    return capacity > ENTRIES_KEPT ? capacity * sizeof(cvgi_entry) : 0;
}

static bool make_room_for_entry(cvgi_queue *queue) {
    if (queue->count < queue->capacity) return true;
    uint32_t capacity = queue->capacity == 0 ? ENTRIES_MIN : queue->capacity * 2;
    cvgi_entry *entries = malloc(capacity * sizeof(cvgi_entry));
    if (entries == NULL) return false;
    for (uint32_t i = 0; i < queue->count; i++) entries[i] = *entry_at(queue, i);
    free(queue->entries);
    queue->bytes.memory += ring_memory(capacity) - ring_memory(queue->capacity);
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

static bool has_room(const cvgi_chunk *chunk, size_t bytes) {
    return chunk != NULL && chunk->capacity - chunk->used >= bytes;
}

static void drop_reserved(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    if (queue->reserved != NULL) chunk_give_back(pool, queue->reserved);
    queue->reserved = NULL;
}

uint8_t *cvgi_queue_reserve(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    if (bytes > RESERVE_MAX || !make_room_for_entry(queue)) return NULL;
    drop_reserved(queue, pool);
    if (has_room(queue->open, bytes)) return queue->open->bytes + queue->open->used;
    queue->reserved = chunk_take(pool, bytes, queue->open == NULL, true);
    return queue->reserved == NULL ? NULL : queue->reserved->bytes;
}

/* The message that was written into the reserved chunk gets where it stays: into the open chunk if it fits there now
 * that it has its length, else a chunk that becomes the open one. */
static void settle_reserved(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    cvgi_chunk *reserved = queue->reserved;
    CVGI_ASSERT(bytes <= reserved->capacity);
    cvgi_chunk *chunk = reserved;
    if (has_room(queue->open, bytes)) {
        chunk = queue->open;
    } else {
        int class = chunk_class(bytes, queue->open == NULL);
        size_t enough = class < CVGI_CHUNK_CLASSES ? class_bytes[class] : sizeof(cvgi_chunk) + bytes;
        if (enough <= chunk_memory(reserved) / 2) chunk = chunk_take(pool, bytes, queue->open == NULL, false);
        if (chunk == NULL) chunk = reserved;
        open_chunk(queue, pool, chunk);
    }
    queue->reserved = NULL;
    if (chunk == reserved) return;
    memcpy(chunk->bytes + chunk->used, reserved->bytes, bytes);
    chunk_give_back(pool, reserved);
}

static void settle_when_empty(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    drop_reserved(queue, pool);
    if (queue->count > 0) return;
    if (queue->open != NULL) chunk_release(queue, pool, queue->open);
    queue->open = NULL;
    queue->head = 0;
    if (queue->capacity <= ENTRIES_KEPT) return;
    queue->bytes.memory -= ring_memory(queue->capacity);
    free(queue->entries);
    queue->entries = NULL;
    queue->capacity = 0;
}

void cvgi_queue_commit(cvgi_queue *queue, cvgi_chunk_pool *pool, size_t bytes) {
    if (bytes == 0) {
        settle_when_empty(queue, pool);
        return;
    }
    if (queue->reserved != NULL) settle_reserved(queue, pool, bytes);
    cvgi_chunk *chunk = queue->open;
    CVGI_ASSERT(has_room(chunk, bytes));
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

static void entry_release(cvgi_queue *queue, const cvgi_entry *entry, cvgi_chunk_pool *pool) {
    if (entry->segment != NULL) cvg_segment_release(entry->segment);
    if (entry->chunk != NULL) chunk_release(queue, pool, entry->chunk);
}

static void drop_bytes(cvgi_queue *queue, const cvgi_entry *entry, size_t bytes) {
    queue->bytes.all -= bytes;
    if (entry->chunk != NULL) queue->bytes.of_chunks -= bytes;
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
        entry_release(queue, first, pool);
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
        entry_release(queue, last, pool);
        queue->count -= 1;
    }
    if (queue->open != NULL && queue->open->references == 1) { /* nobody's any more: the next message begins anew */
        chunk_release(queue, pool, queue->open);
        queue->open = NULL;
    }
    settle_when_empty(queue, pool);
}

void cvgi_queue_free(cvgi_queue *queue, cvgi_chunk_pool *pool) {
    for (uint32_t i = 0; i < queue->count; i++) entry_release(queue, entry_at(queue, i), pool);
    if (queue->open != NULL) chunk_release(queue, pool, queue->open);
    drop_reserved(queue, pool);
    free(queue->entries);
    *queue = (cvgi_queue){0};
}
