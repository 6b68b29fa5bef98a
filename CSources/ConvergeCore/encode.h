/*
 * encode - notification and reply frames, written once a class into shared segments.
 *
 *   seal ─▶ batch section ─▶ [ENCODE] ─▶ slices of segments ─▶ fan-out (another layer retains and sends them)
 *   table ─▶ catch-up ───────────┘
 *
 * The encoder keeps one open segment for all kinds and classes and goes on filling it from flush to flush, so that a
 * quiet partition does not pin 64 KiB for every notification:
 *
 *   ├─ slice (flush 7, class 0) ─┼─ slice (flush 7, class 1) ─┼─ slice (flush 8, class 0) ─┼─ free ─┤
 *
 * Invariants
 *   1. A frame never spans two segments; a frame above CVG_SEGMENT_BYTES gets a segment of its own.
 *   2. Bytes of a published slice are never written again.
 *   3. The encoder holds one reference to its open segment and one to each segment of the slices last returned.
 *   4. On failure nothing is published, and the open segment is as before.
 * Failure: a segment or the slice list cannot be allocated: CVG_E_MEMORY.
 */
#ifndef CVGI_ENCODE_H
#define CVGI_ENCODE_H

#include "batch.h"

/* What frames say about the kind. */
typedef struct cvgi_frame_kind {
    uint64_t all_fields; /* a bit for every field of the kind */
    uint32_t data_bytes;
    uint16_t kind;
    uint8_t schema;
} cvgi_frame_kind;

struct cvgi_segment_pool; /* counts segment bytes alive anywhere; outlives the engine while segments do */

typedef struct cvgi_encoder {
    cvgi_memory *memory;
    struct cvgi_segment_pool *pool;
    cvg_segment *open;
    cvg_slice *slices; /* the answer last returned, one reference each */
    size_t slice_count;
    size_t slice_capacity;
} cvgi_encoder;

int cvgi_encoder_init(cvgi_encoder *encoder, cvgi_memory *memory);
void cvgi_encoder_free(cvgi_encoder *encoder);
uint64_t cvgi_encoder_segment_bytes(const cvgi_encoder *encoder); /* alive anywhere */

/* Starts a new answer: drops the references of the last one. */
void cvgi_encoder_begin(cvgi_encoder *encoder);
/* Takes back everything since begin (invariant 4). */
void cvgi_encoder_abort(cvgi_encoder *encoder);
cvg_slices cvgi_encoder_slices(const cvgi_encoder *encoder);

/* All changes of the section that notify. CVG_E_MEMORY. */
int cvgi_encode_section(cvgi_encoder *encoder, const cvgi_section *section, cvg_class klass);

/* One STATE frame of type snapshot, or one DELETED with reason catch-up, from an installed row. CVG_E_MEMORY. */
int cvgi_encode_snapshot(cvgi_encoder *encoder, const cvgi_frame_kind *kind, cvg_class klass, const uint8_t *row);
int cvgi_encode_gone(cvgi_encoder *encoder, const cvgi_frame_kind *kind, cvg_class klass, const uint8_t *row);

/* A QUERY_RESULT frame into buffer; row NULL: not found. CVG_E_SPACE. */
int cvgi_encode_result(const cvgi_frame_kind *kind, const uint8_t *row, uint16_t stream, uint8_t *buffer,
                       size_t capacity, size_t *bytes);
size_t cvgi_result_bytes_max(uint32_t data_bytes);

#endif
