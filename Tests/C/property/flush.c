/*
 * flush.c - the end of a window in one partition: sealed, told to those who are live there, installed.
 */
#include "grow.h"
#include "run.h"

/* Whether another partition is somewhere else in its flush. */
static bool others_are_open(const run *r, const part *part) {
    bool open = false;
    for (unsigned p = 0; p < r->partitions; p++)
        open |= p != part->partition && (r->parts[p].batch != NULL || model_window_rows(r->model, p) > 0);
    return open;
}

void seal(run *r, part *part) {
    unsigned p = part->partition;
    const cvg_batch *batch = NULL;
    memory_starve(r, part);
    int status = cvg_seal(part->engine, &batch);
    if (memory_feed(r, part) && status == CVG_E_MEMORY) return; /* the window stays open */
    if (part->batch != NULL) {
        EQUAL(r, "seal while a batch waits", NULL, (uint64_t)CVG_E_SEALED, (uint64_t)status);
        r->totals->refused_seals++;
        return;
    }
    if (model_window_rows(r->model, p) == 0) {
        EQUAL(r, "seal of a clean partition", NULL, (uint64_t)CVG_E_EMPTY, (uint64_t)status);
        return;
    }
    EQUAL(r, "seal: status", NULL, CVG_OK, (uint64_t)status);
    uint64_t rows = model_window_rows(r->model, p);
    model_seal(r->model, p);
    part->batch = batch;
    part->on_top = 0;
    r->totals->windows++;
    r->totals->empty_batches += model_batch_rows(r->model, p) == 0;
    trace(r, "seal of partition %u: %llu rows, %llu changes, sequence %llu", p, (unsigned long long)rows,
          (unsigned long long)model_batch_rows(r->model, p), (unsigned long long)r->model->parts[p].sequence);
    compare_batch(r, part, true);
}

void encode_for_nobody(run *r, part *part) {
    const model_kind *kind = r->model->kinds[rng_below(&r->world.random, r->model->kind_count)];
    cvg_class klass = {.number = (uint16_t)rng_next(&r->world.random)};
    klass.flags = rng_percent(&r->world.random, 50) ? CVG_CLASS_PREVIOUS : 0;
    cvg_slices slices;
    memory_starve(r, part);
    int status = cvg_encode(part->engine, part->batch, kind->number, klass, &slices);
    if (memory_feed(r, part) && status == CVG_E_MEMORY) return;
    EQUAL(r, "encode: status", NULL, CVG_OK, (uint64_t)status);
    compare_batch_frames(r, part, kind, klass, &slices);
    kept_take(r, part, &slices);
}

static void count_install(run *r, const part *part) {
    r->totals->apart += others_are_open(r, part);
    if (part->on_top == 0) return;
    for (size_t i = 0; i < part->change_count; i++)
        r->totals->held_variable += part->changes[i].data.fixed != NULL && part->changes[i].data.variable_bytes > 0;
    r->totals->held++;
    if (part->on_top > r->totals->held_deepest) r->totals->held_deepest = part->on_top;
}

void install(run *r, part *part) {
    unsigned p = part->partition;
    if (part->batch == NULL) return;
    uint64_t changes[MODEL_KINDS_MAX] = {0};
    for (size_t k = 0; k < r->model->kind_count; k++) changes[k] = r->model->kinds[k]->shares[p].batch_count;
    compare_batch(r, part, false); /* immutable, whatever was applied on top */
    readers_feed(r, part);
    if (rng_percent(&r->world.random, 30)) encode_for_nobody(r, part);
    trace(r, "install in partition %u: sequence %llu, %llu writes on top", p,
          (unsigned long long)r->model->parts[p].sequence, (unsigned long long)part->on_top);
    count_install(r, part);
    memory_starve(r, part); /* it never fails */
    if (!plant(r, PLANTED_NOT_FLUSHED)) cvg_install(part->engine, part->batch);
    (void)memory_feed(r, part);
    model_install(r->model, p);
    part->batch = NULL;
    compare_installed(r, part);
    readers_installed(r, part, changes);
}
