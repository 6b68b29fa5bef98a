/*
 * query - installed rows by id: one, or many whose cache misses overlap.
 *
 *   index, table ─▶ [QUERY] ─▶ row, or QUERY_RESULT frames in the caller's buffer
 *
 *   a group of 64     1 hash; prefetch the index line
 *                     2 read the line; prefetch the row that it names, or the lines behind it
 *                     3 read those; prefetch the row
 *                     4 confirm the id; write the frame
 *
 * A lookup alone waits for the index line, then for the row: memory answers after hundreds of cycles, twice. In a group
 * all lines are on their way at once, then all rows.
 *
 * Invariants
 *   1. Nothing is changed: the answers are those of one lookup at a time.
 *   2. Frames stand in the order of the lookups, one right behind the other, whole.
 * Failure: an unknown kind, or a buffer that is full: what stands before it is answered.
 */
#ifndef CVGI_QUERY_H
#define CVGI_QUERY_H

#include "encode.h"
#include "pending.h"

/* The installed row of the id; NULL: none that readers may see. */
const uint8_t *cvgi_query_row(const cvgi_table *table, const uint8_t *id);

/* What frames say about the table's kind. */
cvgi_frame_kind cvgi_query_frame_kind(const cvgi_table *table);

/* cvg_encode_queries. */
int cvgi_query_encode(const cvgi_partition *partition, const cvg_lookup *lookups, size_t count, uint8_t *buffer,
                      size_t capacity, cvg_answered *answered);

#endif
