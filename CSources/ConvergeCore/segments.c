#include "segments.h"

#define SLAB_BYTES (2u << 20)

static uint8_t *take_spare(cvgi_segments *segments) {
    uint8_t *segment = segments->spares;
    if (segment != NULL) memcpy(&segments->spares, segment, sizeof segments->spares);
    return segment;
}

static uint8_t *take_alone(cvgi_segments *segments, cvgi_memory *memory) {
    uint8_t *segment = cvgi_allocate(memory, CVGI_SEGMENT_BYTES, CVGI_CACHE_LINE);
    if (segment != NULL) segments->alone[segments->alone_count++] = segment;
    return segment;
}

static uint8_t *take_from_slab(cvgi_segments *segments, cvgi_memory *memory) {
    if (segments->room == 0) {
        if (!cvgi_grow(memory, (void **)&segments->slabs, &segments->slab_capacity, segments->slab_count + 1,
                       sizeof *segments->slabs))
            return NULL;
        uint8_t *slab = cvgi_allocate(memory, SLAB_BYTES, SLAB_BYTES);
        if (slab == NULL) return NULL;
        segments->slabs[segments->slab_count++] = slab;
        segments->room = SLAB_BYTES / CVGI_SEGMENT_BYTES;
    }
    segments->room--;
    return segments->slabs[segments->slab_count - 1] + (size_t)segments->room * CVGI_SEGMENT_BYTES;
}

void *cvgi_segments_take(cvgi_segments *segments, cvgi_memory *memory) {
    uint8_t *segment = take_spare(segments);
    if (segment == NULL && segments->alone_count < CVGI_SEGMENTS_ALONE)
        segment = take_alone(segments, memory);
    else if (segment == NULL)
        segment = take_from_slab(segments, memory);
    if (segment != NULL) memset(segment, 0, CVGI_SEGMENT_BYTES);
    return segment;
}

void cvgi_segments_give_back(cvgi_segments *segments, void *segment) {
    memcpy(segment, &segments->spares, sizeof segments->spares);
    segments->spares = segment;
}

void cvgi_segments_free(cvgi_segments *segments, cvgi_memory *memory) {
    for (uint32_t i = 0; i < segments->alone_count; i++) cvgi_release(memory, segments->alone[i], CVGI_SEGMENT_BYTES);
    for (size_t i = 0; i < segments->slab_count; i++) cvgi_release(memory, segments->slabs[i], SLAB_BYTES);
    cvgi_release(memory, segments->slabs, segments->slab_capacity * sizeof *segments->slabs);
    *segments = (cvgi_segments){0};
}
