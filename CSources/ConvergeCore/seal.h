/*
 * seal - closes the window: pending rows are compared with the table, what really changed becomes the batch; and
 * install: the batch becomes the table.
 *
 *   pending rows ─▶ [SEAL] ─▶ batch ─▶ (log) ─▶ encode ─▶ [INSTALL] ─▶ table ─▶ queries, catch-up
 *
 *   table row    pending row       becomes                            version
 *   dead         asserted          created (revived: a tombstone)     + 1
 *   live         none asserts      deleted                            + 1
 *   live         data differs      updated                            + 1
 *   live         only set differs  source change                      same
 *   as before    as before         nothing; a row that never was is freed
 *
 * Invariants
 *   1. A batch is sealed only when the one before is installed: the base of every pending row is its table row.
 *   2. Pending images of the batch keep their place until install; those of rows that did not change are linked from
 *      nowhere.
 *   3. After install no table row links to the sealed window, and its images hold no block: those of changes were moved
 *      into the table row, those of the others dropped at seal.
 * Failure: storage for the changes cannot be allocated: CVG_E_MEMORY, the window is open and complete as before.
 */
#ifndef CVGI_SEAL_H
#define CVGI_SEAL_H

#include "batch.h"
#include "pending.h"

/* cvg_seal; the batch is not sealed and there is something pending. CVG_E_MEMORY. */
int cvgi_seal(cvgi_partition *partition, cvg_batch *batch);

/* cvg_install without its catch-ups. */
void cvgi_install(cvgi_partition *partition, cvg_batch *batch);

#endif
