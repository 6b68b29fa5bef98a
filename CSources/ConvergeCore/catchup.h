/*
 * catchup - which rows one reader has still to be sent (R3).
 *
 *   install ─▶ mark ─▶ [CATCHUP] ─▶ encode ─▶ slices     (walked as the reader's socket drains)
 *
 *   round 1   [ sent … cursor │ range, still to walk … end )        marks behind the cursor or past the end ─▶ next
 *   round n   current bitmap, walked from the cursor                marks of rows not waiting in it         ─▶ next
 *
 * When a round ends, `next` becomes `current`; when `next` is empty too, the reader is live.
 *
 * Invariants
 *   1. A row that changed since it was last sent to the reader is in the range, in `current` or in `next`.
 *   2. A row is sent with its installed state at the time of sending: never an older state after a newer.
 *   3. Memory: two bits a row, an eighth more when they grow, whatever the write rate.
 *   4. A live row of the first round is sent as a snapshot, a dead one skipped (the reader never knew it); a marked row
 *      is sent as a snapshot, or as Deleted with reason 0 when it is a tombstone.
 *   5. Every bit of `current` is still in front of the walk (row >= cursor), and marking sets bits of `next` only. So a
 *      round that began with S has sent, at its end, everything up to S.
 *   6. A row is sent before its bit is cleared: a step that runs out of memory loses nothing.
 * Failure: a bitmap cannot grow while marking. The reader then starts over with the range of all rows, which needs no
 * memory; from then on tombstones are sent too, because the reader may know them. Repeating is allowed, skipping is
 * not.
 */
#ifndef CVGI_CATCHUP_H
#define CVGI_CATCHUP_H

#include "encode.h"

typedef struct cvgi_bitmap {
    uint64_t *words; /* NULL: empty */
    size_t word_count;
    uint64_t set; /* bits set */
} cvgi_bitmap;

struct cvg_catchup {
    struct cvg_catchup *previous, *next_reader; /* readers in catch-up of one kind, a list owned by the engine */
    const cvgi_rows *rows;
    cvgi_frame_kind kind;
    cvg_class klass;
    cvgi_forms forms;
    cvgi_bitmap current, next; /* by row number */
    uint32_t cursor;
    uint32_t range_end;      /* rows [cursor, range_end) are to be walked whole; 0: walk `current` */
    bool send_tombstones;    /* in the range too */
    bool round_open;         /* its end is still to be counted */
    uint64_t round_sequence; /* S of the round under way: the last installed sequence when it began */
    cvg_catchup_progress progress;
};

/* Begins with the range of all rows there are now. */
void cvgi_catchup_init(cvg_catchup *catchup, const cvgi_rows *rows, const cvgi_frame_kind *kind, cvg_class klass,
                       uint64_t installed_sequence);
/* Begins with nothing: the reader has everything up to `installed_sequence`. */
void cvgi_catchup_init_empty(cvg_catchup *catchup, const cvgi_rows *rows, const cvgi_frame_kind *kind, cvg_class klass,
                             uint64_t installed_sequence);
void cvgi_catchup_free(cvg_catchup *catchup, cvgi_memory *memory);

/* A row was just installed with another state than before. Never fails. */
void cvgi_catchup_mark(cvg_catchup *catchup, cvgi_memory *memory, uint32_t row);

/* The step of converge.h: begins an answer of the encoder and fills it, and `progress`. `installed_sequence` is the
 * engine's now. CVG_E_MEMORY: the answer is empty, the rows are still to be sent. */
int cvgi_catchup_step(cvg_catchup *catchup, cvgi_encoder *encoder, size_t byte_budget, uint64_t installed_sequence);

/* Rows of the round still to be looked at; in the range, dead ones included. */
uint64_t cvgi_catchup_left(const cvg_catchup *catchup);

#endif
