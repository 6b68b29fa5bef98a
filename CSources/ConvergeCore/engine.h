/*
 * engine - one partition as converge.h shows it; the only place that sees every stage.
 *
 *   cvg_apply ─▶ apply ─▶ cvg_seal ─▶ seal ─▶ cvg_encode ─▶ encode ─▶ cvg_install ─▶ install, marks ─▶ cvg_catchup_step
 *
 * Invariants
 *   1. Room for every kind in `touched`, in the batch's sections and in its map by kind number is made when a kind is
 *      created, so that apply and seal need not ask for it.
 *   2. At most one batch is sealed.
 *   3. installed_sequence is the sequence of the last installed batch: what catch-up calls now.
 * Failure: a kind or a reader cannot be allocated; the engine is as before.
 */
#ifndef CVGI_ENGINE_H
#define CVGI_ENGINE_H

#include "apply.h"
#include "catchup.h"
#include "query.h"
#include "seal.h"

struct cvg_engine {
    cvgi_partition partition;
    cvg_batch batch;
    cvgi_encoder encoder;
    uint64_t installed_sequence;
    size_t kind_count;
    uint64_t reader_count;
};

#endif
