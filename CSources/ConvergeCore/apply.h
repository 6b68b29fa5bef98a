/*
 * apply - an array of writes into pending rows, in groups whose cache misses overlap.
 *
 *   operations ─▶ [APPLY] ─▶ pending rows ─▶ seal
 *
 *   a group of 128    1 check kind, source, schema (once for a run of writes that have the same); hash
 *                     2 prefetch the index line; read it; prefetch the row that it names, or the lines behind it
 *                     3 read those, for the few ids that overflowed; prefetch the row
 *                     4 validate the data, where its length does not say it all
 *                     5 confirm the id; create the pending row and merge, or find and prefetch it
 *                     6 merge into those that were found
 *
 * Writes to kinds with variable fields are all merged in 5: how large the row becomes, and so whether the window or the
 * memory has room, depends on the writes before. The writes to one pending row are merged in their order, because once
 * it is there all that follow are left to 6.
 *
 * Each stage runs over the whole group before the next begins, and the prefetches of a stage are a loop of their own:
 * page walks overlap only while few instructions lie between them. The result is that of one write at a time: stages 1
 * to 4 depend on nothing that the group changes, but for the row guessed in 2 and 3, which 5 confirms; 5 and 6 run in
 * order.
 *
 * A row is prefetched whole, though a write that replaces every field reads only its first line: what seal compares
 * comes from the same page, and now it costs less than then.
 *
 * Invariants
 *   1. A refused write changes nothing. All refusals but those for memory and rows are decided before stage 5.
 *   2. Stage 5 never looks further than the group's stopping point (refusals or window full): what the caller is told
 * to hand in again has left no trace.
 *   3. Nothing is allocated per write: slabs, index segments and rows grow by many at a time, and blocks of variable
 *      zones come from spare ones once there are as many as a window needs.
 * Failure: memory or row numbers run out: that write is refused, later ones go on.
 */
#ifndef CVGI_APPLY_H
#define CVGI_APPLY_H

#include "pending.h"

/* cvg_apply. */
int cvgi_apply(cvgi_partition *partition, const cvg_op *ops, size_t count, cvg_refusal *refusals, size_t refusals_max,
               cvg_applied *applied);

#endif
