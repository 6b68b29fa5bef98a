/*
 * merge - what one valid write does to one pending row: source-set and field-mask algebra (W1 to W5).
 *
 *   write + pending row ─▶ [MERGE] ─▶ pending row          old data, new data ─▶ [MERGE] ─▶ mask of changed fields
 *
 * In the fixed zone an entry of a variable field is a field like the others. The variable zone is planned before the
 * fixed one is touched, from the row as it is; it is replaced whole, because blocks are shared (block.h):
 *
 *   row, write ─▶ plan ─▶ room? ─▶ block with the new zone ─▶ merge of the fixed zone ─▶ the row names the block
 *
 * Invariants
 *   1. Data is valid before it comes here (schema.h), and a patch names only fields that its source may write.
 *   2. A row with an empty source set has all-zero data and no block: what is written to it next starts from zero.
 *   3. A plan and the merge of the same write agree about which fields the write replaces and which it clears.
 * Failure: no memory for a block; nothing was changed.
 */
#ifndef CVGI_MERGE_H
#define CVGI_MERGE_H

#include "row.h"
#include "schema.h"

/* Copies the masked fields of a whole row's data. */
void cvgi_merge_fields(const cvgi_schema *schema, uint8_t *into, const uint8_t *data, uint64_t mask);

/* W1 for a source that may write every field. */
static inline void cvgi_merge_whole(const cvgi_schema *schema, uint8_t *row, uint8_t source, const uint8_t *data) {
    cvgi_row_set_source_set(row, cvgi_row_source_set(row) | UINT64_C(1) << source);
    cvgi_copy(cvgi_row_data(row), data, schema->fixed_bytes);
}

/* W1: sets the source's bit and replaces every field that it may write. */
static inline void cvgi_merge_assert(const cvgi_schema *schema, uint8_t *row, uint8_t source, const uint8_t *data) {
    if (CVGI_LIKELY(schema->writable[source] == schema->all)) {
        cvgi_merge_whole(schema, row, source, data);
        return;
    }
    cvgi_row_set_source_set(row, cvgi_row_source_set(row) | UINT64_C(1) << source);
    cvgi_merge_fields(schema, cvgi_row_data(row), data, schema->writable[source]);
}

/* W2: sets the source's bit and replaces the masked fields, which `data` holds packed. */
void cvgi_merge_patch(const cvgi_schema *schema, uint8_t *row, uint8_t source, uint64_t mask, const uint8_t *data);

/* W3, and W5 for fields whose last owner goes. A source that does not assert the row changes nothing. */
void cvgi_merge_retract(const cvgi_schema *schema, uint8_t *row, uint8_t source);

/* What a write does to the variable zone of a row. */
typedef struct cvgi_zone_plan {
    uint64_t given;    /* fields that the write's data holds */
    uint64_t replaced; /* variable fields that get their bytes from it */
    uint64_t cleared;  /* variable fields that become empty */
    uint32_t bytes;    /* of the zone afterwards */
    bool kept;         /* the row keeps the block that it has */
    bool whole;        /* the zone becomes the write's variable zone as it is */
} cvgi_zone_plan;

/* `row`: image that the write is merged into, or a copy of which; NULL: an all-zero one. */
cvgi_zone_plan cvgi_merge_plan(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op);

/* Writes the planned zone, which is not empty and not kept, to `zone`: not the row's own unless the plan is `whole`. */
void cvgi_merge_zone(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op,
                     const cvgi_zone_plan *plan, uint8_t *zone);

/* Mask of the fields in which the fixed zones of two rows differ. */
uint64_t cvgi_merge_changed(const cvgi_schema *schema, const uint8_t *before, const uint8_t *now);

/* Mask of the variable fields whose entries are the same, but whose bytes differ; `changed` of the fixed zones. */
uint64_t cvgi_merge_changed_zone(const cvgi_schema *schema, uint32_t block_at, const uint8_t *before_row,
                                 const uint8_t *now_row, uint64_t changed);

#endif
