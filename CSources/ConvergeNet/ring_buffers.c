/*
 * ring_buffers - the pool of receive buffers, and the order in which the kernel has them.
 *
 *   provide ─▶ entry at the tail of the buffer ring ─▶ kernel fills ─▶ taken: a piece ─▶ give_back ─▶ provide
 *
 *   entries   │ b │ c │ a │ d │ .. │     a bundle of 150,000 bytes that names b:  b 65,536  c 65,536  a 18,928
 *               └ place of b
 *
 * The kernel fills buffers in the order of the entries. A bundle is a request that fills several; its completion names
 * the first and says how many bytes there are. An entry is written when its buffer goes to the kernel and stands until
 * the ring has come round, so the entries behind the first one's place say where the rest is.
 *
 * Invariants
 *   1. A buffer is the kernel's (available), or a piece's, or lent; what is lent comes back at the next poll.
 *   2. There are two entries a buffer. While the completions of a wait are noted, each buffer comes back once at most:
 *      no entry that one of these completions needs is written over, in whatever order they are noted.
 *   3. A buffer holds no more than its entry says: a kernel may shorten an entry when it takes less, and let it stand.
 *
 * Failure: no memory, or the kernel refuses the buffer ring: a negative errno. A completion that names what the kernel
 * does not have is a defect: it ends the process.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "ring.h"
#include "uring.h"

enum {
    BUFFERS_MAX = 16384, /* the kernel's buffer rings have fewer than 65,536 entries */
    STRIDE = CVGI_TAIL_COPIED_MAX + CVGI_RECEIVE_BYTES,
};

bool cvgi_bundles_allowed = true;

int cvgi_buffers_make(cvgi_ring *ring, uint32_t count) {
    ring->buffer_count = count < BUFFERS_MAX ? count : BUFFERS_MAX;
    ring->buffers = calloc(ring->buffer_count, sizeof *ring->buffers);
    ring->memory = aligned_alloc(4096, (size_t)ring->buffer_count * STRIDE);
    return ring->buffers == NULL || ring->memory == NULL ? -ENOMEM : 0;
}

void cvgi_buffers_free(cvgi_ring *ring) {
    free(ring->buffers);
    free(ring->memory);
}

/* Linux has bundles since 6.10. Before 6.16 a kernel may go on with the next buffer when one is not full, and then
 * nobody knows where the bytes are; no feature bit tells. */
static bool has_bundles(const cvgi_uring *uring) {
    struct utsname system;
    unsigned major = 0, minor = 0;
    if (!cvgi_bundles_allowed || !(uring->ring.features & CVGI_FEATURE_BUNDLE)) return false;
    if (uname(&system) < 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2) return false;
    return major > 6 || (major == 6 && minor >= 16);
}

static uint8_t *memory_of(const cvgi_ring *ring, uint32_t buffer) {
    return ring->memory + (size_t)buffer * STRIDE + CVGI_TAIL_COPIED_MAX;
}

static const struct io_uring_buf *entry_at(const cvgi_uring *uring, uint32_t place) {
    return &uring->pool->bufs[place & (uring->pool_entries - 1)];
}

static void provide(cvgi_ring *ring, uint32_t buffer) {
    cvgi_uring *uring = ring->uring;
    ring->buffers[buffer].place = uring->pool->tail;
    io_uring_buf_ring_add(uring->pool, memory_of(ring, buffer), CVGI_RECEIVE_BYTES, (unsigned short)buffer,
                          io_uring_buf_ring_mask(uring->pool_entries), 0);
    io_uring_buf_ring_advance(uring->pool, 1);
    ring->available += 1;
}

int cvgi_buffers_register(cvgi_ring *ring) {
    cvgi_uring *uring = ring->uring;
    uring->pool_entries = 2;
    while (uring->pool_entries < 2 * ring->buffer_count) uring->pool_entries *= 2;
    size_t bytes = uring->pool_entries * sizeof(struct io_uring_buf);
    uring->pool = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
    if (uring->pool == NULL) return -ENOMEM;
    io_uring_buf_ring_init(uring->pool);
    struct io_uring_buf_reg pool = {
        .ring_addr = (uintptr_t)uring->pool, .ring_entries = uring->pool_entries, .bgid = CVGI_BUFFER_GROUP};
    int failed = io_uring_register_buf_ring(&uring->ring, &pool, 0);
    if (failed) return failed < 0 ? failed : -failed;
    ring->bundles = has_bundles(uring);
    for (uint32_t i = 0; i < ring->buffer_count; i++)
        if (!ring->buffers[i].taken) provide(ring, i);
    return 0;
}

cvgi_piece *cvgi_buffers_taken(cvgi_ring *ring, uint32_t *buffer, uint32_t *bytes) {
    CVGI_ASSERT(*buffer < ring->buffer_count && !ring->buffers[*buffer].taken);
    cvgi_piece *piece = &ring->buffers[*buffer];
    const uint32_t place = piece->place;
    const struct io_uring_buf *entry = entry_at(ring->uring, place);
    CVGI_ASSERT(entry->bid == *buffer && entry->len <= CVGI_RECEIVE_BYTES);
    uint32_t length = *bytes < entry->len ? *bytes : entry->len;
    *piece = (cvgi_piece){.bytes = memory_of(ring, *buffer), .length = length, .taken = true};
    piece->end = piece->bytes + CVGI_RECEIVE_BYTES;
    ring->available -= 1;
    *bytes -= length;
    if (*bytes > 0) *buffer = entry_at(ring->uring, place + 1)->bid;
    return piece;
}

void cvgi_buffers_give_back(cvg_net *net, cvgi_piece *piece) {
    if (piece->held > 0) {
        net->unfinished.bytes -= piece->held;
        free(piece);
        return;
    }
    piece->taken = false;
    if (net->ring->uring != NULL) provide(net->ring, (uint32_t)(piece - net->ring->buffers));
}
