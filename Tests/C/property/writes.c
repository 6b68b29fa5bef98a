/*
 * writes.c - the writes of one call: sorted by the core, applied part by part, followed by the model.
 *
 *   generated ─▶ cvg_route ─▶ sorted ─▶ cvg_apply, one engine each ─▶ refusals
 *        └──▶ cvg_partition_of ─▶ those of the partition, as generated ─▶ model_apply
 */
#include "grow.h"
#include "run.h"

static void count_refusal(totals *t, const model_verdict *expected, int status) {
    t->refusals[-status]++;
    t->inside += expected->inside;
    t->directory += expected->directory;
    t->either += expected->also != CVG_OK;
}

/* A write for which there was no memory (F5): it is refused, and nothing else happens. */
static void follow_starved(run *r, const part *part, const cvg_refusal *refusal) {
    EQUAL(r, "refusal without memory: field", NULL, MODEL_NO_FIELD, refusal->field);
    r->model->parts[part->partition].counts.refused++;
    r->totals->refusals[-CVG_E_MEMORY]++;
}

/* The writes the engine consumed, into the model; the refusals must be the same. */
static void follow(run *r, part *part, const cvg_op *const *ops, const cvg_applied *applied,
                   const cvg_refusal *refusals, bool starved) {
    size_t next = 0;
    for (size_t i = 0; i < applied->consumed; i++) {
        const cvg_op *op = ops[i];
        bool refused = next < applied->refused && refusals[next].index == i;
        int got = refused ? refusals[next].status : CVG_OK;
        if (starved && got == CVG_E_MEMORY) {
            follow_starved(r, part, &refusals[next++]);
            continue;
        }
        model_verdict expected = model_apply(r->model, part->partition, op);
        bool also = expected.also != CVG_OK && expected.also == got;
        trace(r, "  %u/%zu: code %u kind %u source %u mask %llx bytes %u id %.8s: %d", part->partition, i, op->code,
              op->kind, op->source, (unsigned long long)op->mask, op->data_bytes, id_text(op->id), got);
        REQUIRE(
            r, also || expected.status == got,
            "operation %zu of partition %u (code %u, kind %u, source %u, mask 0x%llx, %u bytes): expected %d (%s) for "
            "field %u, got %d (%s)",
            i, part->partition, op->code, op->kind, op->source, (unsigned long long)op->mask, op->data_bytes,
            expected.status, cvg_status_text(expected.status), expected.field, got, cvg_status_text(got));
        if (!refused) continue;
        EQUAL(r, "refusal: field", op->id, also ? expected.also_field : expected.field, refusals[next].field);
        count_refusal(r->totals, &expected, got);
        next++;
    }
    EQUAL(r, "refusals in order of the operations", NULL, next, applied->refused);
    r->totals->operations += applied->consumed;
    part->on_top += applied->consumed;
}

/* `given` goes to the engine; `expected` are as many, and what the model makes of them decides. */
static void apply_part(run *r, part *part, const cvg_op *given, const cvg_op *const *expected, size_t count) {
    rng *random = &r->world.random;
    size_t done = 0;
    cvg_refusal refusals[OPS_MAX];
    while (done < count) {
        size_t room = rng_percent(random, 60) ? count : rng_between(random, 1, 3);
        cvg_applied applied = {0};
        memory_starve(r, part);
        int status = cvg_apply(part->engine, given + done, count - done, refusals, room, &applied);
        bool starved = memory_feed(r, part);
        REQUIRE(r, applied.consumed <= count - done && applied.refused <= room, "apply: consumed or refused too many");
        follow(r, part, expected + done, &applied, refusals, starved);
        done += applied.consumed;
        if (status == CVG_OK) {
            REQUIRE(r, done == count || applied.refused == room, "apply: stopped early without a reason");
            continue;
        }
        EQUAL(r, "apply: status", NULL, (uint64_t)CVG_E_PENDING, (uint64_t)status);
        REQUIRE(r, done < count, "apply: the window is full, but nothing is left to apply");
        REQUIRE(r, model_window_rows(r->model, part->partition) > 0, "apply: the window is full, but clean");
        r->totals->full_windows++;
        install(r, part);
        seal(r, part);
        if (rng_percent(random, 50)) install(r, part);
    }
}

/* An entity that the model knows is where it is; of others the core is asked. */
static unsigned home_of(const run *r, const cvg_op *op) {
    const model_kind *kind = model_kind_find(r->model, op->kind);
    const model_entity *entity = kind == NULL ? NULL : model_find(kind, op->id);
    if (entity != NULL) return entity->partition;
    unsigned partition = cvg_partition_of(op->id, r->world.shape.partition_seed, r->partitions);
    REQUIRE(r, partition < r->partitions, "partition %u of %u; id %s", partition, r->partitions, id_text(op->id));
    return partition;
}

static void swap(cvg_op *a, cvg_op *b) {
    cvg_op kept = *a;
    *a = *b;
    *b = kept;
}

/* A write and one of another partition change places. */
static void plant_wrong_partition(run *r, call *call) {
    size_t count = call->array.count, one = rng_below(&r->world.random, count);
    for (size_t i = 0; i < count; i++) {
        size_t other = (one + i) % count;
        if (cvg_partition_of(call->sorted[one].id, r->world.shape.partition_seed, r->partitions) ==
            cvg_partition_of(call->sorted[other].id, r->world.shape.partition_seed, r->partitions))
            continue;
        if (!plant(r, PLANTED_WRONG_PARTITION)) return;
        swap(&call->sorted[one], &call->sorted[other]);
        return;
    }
}

static bool same_entity(const cvg_op *a, const cvg_op *b) {
    return a->kind == b->kind && memcmp(a->id, b->id, CVG_ID_BYTES) == 0;
}

/* The first write to an entity and its last change places. */
static void plant_swap(run *r, call *call) {
    size_t count = call->array.count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = count - 1; j > i; j--) {
            if (!same_entity(&call->sorted[i], &call->sorted[j])) continue;
            if (!plant(r, PLANTED_SWAPPED)) return;
            swap(&call->sorted[i], &call->sorted[j]);
            return;
        }
}

static void sort(run *r, call *call) {
    size_t count = call->array.count;
    bool used[MODEL_PARTITIONS_MAX] = {false};
    unsigned spread = 0;
    for (size_t i = 0; i < count; i++) call->homes[i] = home_of(r, &call->array.ops[i]);
    for (size_t i = 0; i < count; i++) used[call->homes[i]] = true;
    for (unsigned p = 0; p < r->partitions; p++) spread += used[p];
    r->totals->spread += spread > 1;
    cvg_route(call->array.ops, count, r->world.shape.partition_seed, r->partitions, call->numbers, call->sorted,
              call->ends);
    if (r->planted == PLANTED_WRONG_PARTITION) plant_wrong_partition(r, call);
    if (r->planted == PLANTED_SWAPPED) plant_swap(r, call);
}

void apply(run *r) {
    call *call = &r->call;
    generate_ops(&r->world, r->model, &call->array);
    sort(r, call);
    trace(r, "apply %zu", call->array.count);
    unsigned first = (unsigned)rng_below(&r->world.random, r->partitions);
    for (unsigned i = 0; i < r->partitions; i++) {
        unsigned p = (first + i) % r->partitions;
        size_t start = p == 0 ? 0 : call->ends[p - 1], count = 0;
        const cvg_op *expected[OPS_MAX];
        for (size_t n = 0; n < call->array.count; n++)
            if (call->homes[n] == p) expected[count++] = &call->array.ops[n];
        EQUAL(r, "writes sorted to a partition", NULL, count, call->ends[p] - start);
        apply_part(r, &r->parts[p], call->sorted + start, expected, count);
    }
    ops_free(&call->array);
}
