/*
 * merge - what one valid write does to one pending row: source-set and field-mask algebra (W1 to W5).
 *
 *   write + pending row ─▶ [MERGE] ─▶ pending row          old data, new data ─▶ [MERGE] ─▶ mask of changed fields
 *
 * Invariants
 *   1. Data is valid before it comes here (schema.h), and a patch names only fields that its source may write.
 *   2. A row with an empty source set has all-zero data: what is written to it next starts from zero.
 * Failure: none.
 */
#ifndef CVGI_MERGE_H
#define CVGI_MERGE_H

#include "row.h"
#include "schema.h"

/* Copies the masked fields of a whole row's data. */
void cvgi_merge_fields(const cvgi_schema *schema, uint8_t *into, const uint8_t *data, uint64_t mask);

/* W1: sets the source's bit and replaces every field that it may write. */
static inline void cvgi_merge_assert(const cvgi_schema *schema, uint8_t *row, uint8_t source, const uint8_t *data) {
    cvgi_row_set_source_set(row, cvgi_row_source_set(row) | UINT64_C(1) << source);
    if (CVGI_LIKELY(schema->writable[source] == schema->all))
        memcpy(cvgi_row_data(row), data, schema->data_bytes);
    else
        cvgi_merge_fields(schema, cvgi_row_data(row), data, schema->writable[source]);
}

/* W2: sets the source's bit and replaces the masked fields, which `data` holds packed. */
void cvgi_merge_patch(const cvgi_schema *schema, uint8_t *row, uint8_t source, uint64_t mask, const uint8_t *data);

/* W3, and W5 for fields whose last owner goes. A source that does not assert the row changes nothing. */
void cvgi_merge_retract(const cvgi_schema *schema, uint8_t *row, uint8_t source);

/* Mask of the fields in which two rows' data differ. */
uint64_t cvgi_merge_changed(const cvgi_schema *schema, const uint8_t *before, const uint8_t *now);

#endif
