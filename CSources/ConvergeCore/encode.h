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
 *                                                             ^ from                       ^ to    ^ end
 *
 * Frames. The form, what all frames of one sort have in common, CRC included, is written before the first of them:
 *
 *   STATE    ├─ form ─┼─ id ─┼─ version ─┼─ source set ─┼─ changed ─┼─ fixed u32 ─┼─ data u32 ─┼─ data ─┤
 *            0        20     52          60             68          76            80           84
 *   DELETED  ├─ form ─┼─ id ─┼─ version ─┤
 *            0        20     52          60
 *   form     ├─ header (frame.h) ─┼─ kind u16 ─┼─ class u16 ─┼─ type or reason u8 ─┼─ flags u8 ─┼─ schema u8 ─┼─ 0 ─┤
 *
 * and behind either, with flag 1, the data before: in a DELETED bytes of its fixed zone u32, in both its length u32,
 * then the data. Data is the fixed zone and behind it the variable one. In kinds with variable fields no two frames
 * need have the same length: there the header is written for each.
 *
 * Invariants
 *   1. A frame never spans two segments; a frame larger than a segment's room gets a segment of its own.
 *   2. Bytes of a published slice are never written again while anyone else holds the segment.
 *   3. The encoder holds one reference to its open segment and one to each segment of the slices last returned.
 *   4. On failure nothing is published, and what was written since begin is free again.
 *   5. The slice list always has room for the run under way, so that ending a run cannot fail.
 * Failure: a segment or the slice list cannot be allocated: CVG_E_MEMORY.
 */
#ifndef CVGI_ENCODE_H
#define CVGI_ENCODE_H

#include "batch.h"
#include "segment.h"

/* What frames say about the kind. */
typedef struct cvgi_frame_kind {
    uint64_t all_fields; /* a bit for every field of the kind */
    uint32_t fixed_bytes;
    uint32_t block_at; /* of the kind's images (row.h) */
    uint16_t kind;
    uint8_t schema;
} cvgi_frame_kind;

#define CVGI_FORM_BYTES 20

typedef struct cvgi_form {
    uint8_t head[CVGI_FORM_BYTES];
    uint32_t frame_bytes; /* with variable zones that are empty */
} cvgi_form;

/* Every sort of frame of one kind and class. */
typedef struct cvgi_forms {
    cvgi_form created, updated, updated_previous, deleted, deleted_previous, snapshot, gone;
    uint64_t all_fields;
    uint32_t fixed_bytes;
    uint32_t block_at;
    bool previous; /* the class asks for the data before */
} cvgi_forms;

void cvgi_forms_init(cvgi_forms *forms, const cvgi_frame_kind *kind, cvg_class klass);

typedef struct cvgi_encoder {
    cvgi_memory *memory;
    cvgi_segment_pool *pool;
    cvg_segment *open; /* its `used` is where the run under way began */
    uint8_t *to, *end; /* free bytes of the open segment; both NULL: none is open */
    uint32_t from;     /* offset in the open segment of the first byte of this answer */
    uint32_t frames;   /* of the run under way */
    cvg_slice *slices; /* the answer, one reference each */
    size_t slice_count;
    size_t slice_capacity;
} cvgi_encoder;

int cvgi_encoder_init(cvgi_encoder *encoder, cvgi_memory *memory); /* CVG_E_MEMORY: nothing to free */
void cvgi_encoder_free(cvgi_encoder *encoder);
uint64_t cvgi_encoder_segment_bytes(const cvgi_encoder *encoder); /* alive anywhere */

/* Starts a new answer: drops the references of the last one. */
void cvgi_encoder_begin(cvgi_encoder *encoder);
/* Takes back everything since begin (invariant 4); the answer is empty. May be repeated. */
void cvgi_encoder_abort(cvgi_encoder *encoder);
/* Ends the answer. Repeating gives the same, until the next begin. */
cvg_slices cvgi_encoder_slices(cvgi_encoder *encoder);

/* Begins an answer with all changes of the section that notify. CVG_E_MEMORY: the answer is empty. */
int cvgi_encode_section(cvgi_encoder *encoder, const cvgi_section *section, cvg_class klass);

/* Adds what catch-up says of an installed row: STATE of type snapshot when it is alive, else DELETED with reason
 * catch-up. Returns the frame's bytes; 0: out of memory, and the answer is as it was. */
size_t cvgi_encode_row(cvgi_encoder *encoder, const cvgi_forms *forms, const uint8_t *row);

/* A QUERY_RESULT frame into buffer; row NULL: not found. CVG_E_SPACE. */
int cvgi_encode_result(const cvgi_frame_kind *kind, const uint8_t *row, uint16_t stream, uint8_t *buffer,
                       size_t capacity, size_t *bytes);
size_t cvgi_result_bytes_max(uint32_t data_bytes);

#endif
