/*
 * history.c - one history from its seed: writes, seals, batches held open, installs, queries and readers in random
 * turns.
 */
#include "grow.h"
#include "run.h"

/* From blocks that are gone when it returns: the core must not keep what it is given. */
static int create_from_copies(run *r, const kind_plan *plan) {
    cvg_field *fields = model_zeroed(plan->field_count * sizeof *fields);
    cvg_member *members[CVG_FIELDS_MAX] = {NULL};
    for (unsigned f = 0; f < plan->field_count; f++) {
        fields[f] = plan->fields[f];
        if (fields[f].member_count == 0) continue;
        members[f] = model_zeroed(fields[f].member_count * sizeof *members[f]);
        memcpy(members[f], plan->members[f], fields[f].member_count * sizeof *members[f]);
        fields[f].members = members[f];
    }
    cvg_definition definition = {.fields = fields, .field_count = plan->field_count, .schema = plan->schema};
    int status = CVG_E_MEMORY;
    for (uint64_t fail_in = 1; r->starving && status == CVG_E_MEMORY; fail_in++) {
        r->memory.fail_in = fail_in;
        status = cvg_kind_create(r->engine, plan->number, &definition);
        if (!memory_feed(r)) break;
        EQUAL(r, "kind: without memory", NULL, (uint64_t)CVG_E_MEMORY, (uint64_t)status);
        EQUAL(r, "kind: refused, but there", NULL, 0, cvg_kind_fixed_bytes(r->engine, plan->number));
    }
    if (!r->starving) status = cvg_kind_create(r->engine, plan->number, &definition);
    for (unsigned f = 0; f < plan->field_count; f++) free(members[f]);
    free(fields);
    return status;
}

static void create_kind(run *r) {
    const kind_plan *plan = &r->world.plans[r->world.created];
    cvg_definition definition = {.fields = plan->fields, .field_count = plan->field_count, .schema = plan->schema};
    int status = create_from_copies(r, plan);
    EQUAL(r, "kind: status", NULL, CVG_OK, (uint64_t)status);
    const model_kind *kind = model_kind_create(r->model, plan->number, &definition);
    EQUAL(r, "kind: fixed bytes", NULL, kind->fixed_bytes, cvg_kind_fixed_bytes(r->engine, plan->number));
    r->totals->kinds++;
    r->totals->variable_kinds += kind->bytes_max > kind->fixed_bytes;
    status = cvg_kind_create(r->engine, plan->number, &definition);
    EQUAL(r, "kind: created twice", NULL, (uint64_t)CVG_E_EXISTS, (uint64_t)status);
    status = cvg_kind_create(r->engine, 0, &definition);
    EQUAL(r, "kind: number 0", NULL, (uint64_t)CVG_E_KIND, (uint64_t)status);
    world_kind_created(&r->world, kind);
    trace(r, "kind %u: %u fields, %u fixed bytes, at most %u, schema %u", plan->number, plan->field_count,
          kind->fixed_bytes, kind->bytes_max, plan->schema);
}

/* Closes the window, which has rows, unless a batch is held; then the refusal is the point. */
static void seal(run *r) {
    const cvg_batch *batch = NULL;
    memory_starve(r);
    int status = cvg_seal(r->engine, &batch);
    if (memory_feed(r) && status == CVG_E_MEMORY) return; /* the window stays open */
    if (r->batch != NULL) {
        EQUAL(r, "seal while a batch waits", NULL, (uint64_t)CVG_E_SEALED, (uint64_t)status);
        r->totals->refused_seals++;
        return;
    }
    if (model_window_rows(r->model) == 0) {
        EQUAL(r, "seal of a clean partition", NULL, (uint64_t)CVG_E_EMPTY, (uint64_t)status);
        return;
    }
    EQUAL(r, "seal: status", NULL, CVG_OK, (uint64_t)status);
    uint64_t rows = model_window_rows(r->model);
    model_seal(r->model);
    r->batch = batch;
    r->on_top = 0;
    r->totals->windows++;
    r->totals->empty_batches += model_batch_rows(r->model) == 0;
    trace(r, "seal: %llu rows, %llu changes, sequence %llu", (unsigned long long)rows,
          (unsigned long long)model_batch_rows(r->model), (unsigned long long)r->model->sequence);
    compare_batch(r, true);
}

static void encode_for_nobody(run *r) {
    const model_kind *kind = r->model->kinds[rng_below(&r->world.random, r->model->kind_count)];
    cvg_class klass = {.number = (uint16_t)rng_next(&r->world.random)};
    klass.flags = rng_percent(&r->world.random, 50) ? CVG_CLASS_PREVIOUS : 0;
    cvg_slices slices;
    memory_starve(r);
    int status = cvg_encode(r->engine, r->batch, kind->number, klass, &slices);
    if (memory_feed(r) && status == CVG_E_MEMORY) return;
    EQUAL(r, "encode: status", NULL, CVG_OK, (uint64_t)status);
    compare_batch_frames(r, kind, klass, &slices);
    kept_take(r, &slices);
}

static void install(run *r) {
    if (r->batch == NULL) return;
    uint64_t changes[MODEL_KINDS_MAX] = {0};
    for (size_t k = 0; k < r->model->kind_count; k++) changes[k] = r->model->kinds[k]->batch_count;
    compare_batch(r, false); /* immutable, whatever was applied on top */
    readers_feed(r);
    if (rng_percent(&r->world.random, 30)) encode_for_nobody(r);
    trace(r, "install: sequence %llu, %llu writes on top", (unsigned long long)r->model->sequence,
          (unsigned long long)r->on_top);
    for (size_t i = 0; i < r->change_count && r->on_top > 0; i++)
        r->totals->held_variable += r->changes[i].data.fixed != NULL && r->changes[i].data.variable_bytes > 0;
    memory_starve(r); /* it never fails */
    cvg_install(r->engine, r->batch);
    (void)memory_feed(r);
    model_install(r->model);
    r->batch = NULL;
    if (r->on_top > 0) r->totals->held++;
    if (r->on_top > r->totals->held_deepest) r->totals->held_deepest = r->on_top;
    compare_installed(r);
    readers_installed(r, changes);
}

static void count_refusal(totals *t, const model_verdict *expected, int status) {
    t->refusals[-status]++;
    t->inside += expected->inside;
    t->directory += expected->directory;
    t->either += expected->also != CVG_OK;
}

/* A write for which there was no memory (F5): it is refused, and nothing else happens. */
static void follow_starved(run *r, const cvg_refusal *refusal) {
    EQUAL(r, "refusal without memory: field", NULL, MODEL_NO_FIELD, refusal->field);
    r->model->counts.refused++;
    r->totals->refusals[-CVG_E_MEMORY]++;
}

/* The operations the engine consumed, into the model; the refusals must be the same. */
static void follow(run *r, const cvg_op *ops, const cvg_applied *applied, const cvg_refusal *refusals, bool starved) {
    size_t next = 0;
    for (size_t i = 0; i < applied->consumed; i++) {
        bool refused = next < applied->refused && refusals[next].index == i;
        int got = refused ? refusals[next].status : CVG_OK;
        if (starved && got == CVG_E_MEMORY) {
            follow_starved(r, &refusals[next++]);
            continue;
        }
        model_verdict expected = model_apply(r->model, &ops[i]);
        bool also = expected.also != CVG_OK && expected.also == got;
        trace(r, "  %zu: code %u kind %u source %u mask %llx bytes %u id %.8s: %d", i, ops[i].code, ops[i].kind,
              ops[i].source, (unsigned long long)ops[i].mask, ops[i].data_bytes, id_text(ops[i].id), got);
        REQUIRE(
            r, also || expected.status == got,
            "operation %zu (code %u, kind %u, source %u, mask 0x%llx, %u bytes): expected %d (%s) for field %u, got "
            "%d (%s)",
            i, ops[i].code, ops[i].kind, ops[i].source, (unsigned long long)ops[i].mask, ops[i].data_bytes,
            expected.status, cvg_status_text(expected.status), expected.field, got, cvg_status_text(got));
        if (!refused) continue;
        EQUAL(r, "refusal: field", ops[i].id, also ? expected.also_field : expected.field, refusals[next].field);
        count_refusal(r->totals, &expected, got);
        next++;
    }
    EQUAL(r, "refusals in order of the operations", NULL, next, applied->refused);
    r->totals->operations += applied->consumed;
    r->on_top += applied->consumed;
}

static void apply(run *r) {
    rng *random = &r->world.random;
    generate_ops(&r->world, r->model, &r->array);
    size_t count = r->array.count, done = 0;
    cvg_refusal refusals[ARRAY_MAX + 8];
    trace(r, "apply %zu", count);
    while (done < count) {
        size_t room = rng_percent(random, 60) ? count : rng_between(random, 1, 3);
        cvg_applied applied = {0};
        memory_starve(r);
        int status = cvg_apply(r->engine, r->array.ops + done, count - done, refusals, room, &applied);
        bool starved = memory_feed(r);
        REQUIRE(r, applied.consumed <= count - done && applied.refused <= room, "apply: consumed or refused too many");
        follow(r, r->array.ops + done, &applied, refusals, starved);
        done += applied.consumed;
        if (status == CVG_OK) {
            REQUIRE(r, done == count || applied.refused == room, "apply: stopped early without a reason");
            continue;
        }
        EQUAL(r, "apply: status", NULL, (uint64_t)CVG_E_PENDING, (uint64_t)status);
        REQUIRE(r, done < count, "apply: the window is full, but nothing is left to apply");
        REQUIRE(r, model_window_rows(r->model) > 0, "apply: the window is full, but clean");
        r->totals->full_windows++;
        install(r);
        seal(r);
        if (rng_percent(random, 50)) install(r);
    }
    ops_free(&r->array);
}

static void query(run *r) {
    uint8_t id[CVG_ID_BYTES];
    for (unsigned i = 0; i < 4; i++) {
        unsigned plan = (unsigned)rng_below(&r->world.random, r->world.created);
        generate_id(&r->world, plan, id);
        compare_query(r, model_kind_find(r->model, r->world.plans[plan].number), id);
    }
    if (rng_percent(&r->world.random, 10)) compare_unknown_kind(r);
}

static void read_turn(run *r) {
    switch (rng_below(&r->world.random, 12)) {
    case 0:
    case 1:
        reader_begin(r);
        break;
    case 2:
        reader_demote(r);
        break;
    case 3: {
        reader *reader = &r->readers[rng_below(&r->world.random, READERS_MAX)];
        if (rng_percent(&r->world.random, 30) && reader->kind != NULL) reader_end(r, reader);
        break;
    }
    case 4:
        if (r->batch != NULL) encode_for_nobody(r);
        break;
    default:
        reader_step(r);
    }
}

static void turn(run *r) {
    const shape *s = &r->world.shape;
    uint64_t draw =
        rng_below(&r->world.random, s->apply_weight + s->seal_weight + s->install_weight + s->reader_weight + 4);
    if (draw < s->apply_weight)
        apply(r);
    else if ((draw -= s->apply_weight) < s->seal_weight)
        seal(r);
    else if ((draw -= s->seal_weight) < s->install_weight)
        install(r);
    else if ((draw -= s->install_weight) < s->reader_weight)
        read_turn(r);
    else if ((draw -= s->reader_weight) < 2)
        query(r);
    else if (draw == 2)
        compare_installed(r); /* also while a batch is held (F3) */
    else if (r->world.created < s->kinds)
        create_kind(r);
    else
        kept_check(r);
}

static void finish(run *r) {
    r->starving = false;
    while (r->batch != NULL || model_window_rows(r->model) > 0) {
        install(r);
        if (model_window_rows(r->model) > 0) seal(r);
    }
    compare_installed(r);
    readers_finish(r);
    compare_installed(r);
}

static void add_counts(totals *t, const model_counts *c) {
    t->model.applied += c->applied;
    t->model.refused += c->refused;
    t->model.created += c->created;
    t->model.updated += c->updated;
    t->model.deleted += c->deleted;
    t->model.revived += c->revived;
    t->model.deduplicated += c->deduplicated;
    t->model.flushes += c->flushes;
    t->model.source_changes += c->source_changes;
    t->model.no_trace += c->no_trace;
    t->model.unchanged += c->unchanged;
    t->model.clears += c->clears;
    t->model.clears_variable += c->clears_variable;
    t->model.variable += c->variable;
    t->model.arrays += c->arrays;
    t->model.structs += c->structs;
    t->model.grows += c->grows;
    t->model.shrinks += c->shrinks;
    t->model.empties += c->empties;
    t->model.full += c->full;
}

/* The engine goes first; what was retained outlives it, and then all memory must be back. */
static void destroy(run *r) {
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (r->readers[i].kind != NULL) reader_end(r, &r->readers[i]);
    cvg_engine_destroy(r->engine);
    kept_check(r);
    while (r->kept_count > 0) kept_drop(r, 0);
    EQUAL(r, "blocks of memory never released", NULL, 0, r->memory.blocks);
    REQUIRE(r, !r->memory.wrong_release, "memory was released with another size than asked for");
    free(r->changes);
    model_destroy(r->model);
    world_free(&r->world);
}

static void create_engine(run *r, const cvg_options *options) {
    for (uint64_t fail_in = 1; r->starving; fail_in++) {
        r->memory.fail_in = fail_in;
        int status = cvg_engine_create(options, &r->engine);
        if (!memory_feed(r)) {
            EQUAL(r, "engine: status", NULL, CVG_OK, (uint64_t)status);
            return;
        }
        EQUAL(r, "engine: without memory", NULL, (uint64_t)CVG_E_MEMORY, (uint64_t)status);
        EQUAL(r, "engine: blocks of one that was not created", NULL, 0, r->memory.blocks);
    }
    EQUAL(r, "engine: status", NULL, CVG_OK, (uint64_t)cvg_engine_create(options, &r->engine));
}

void history_run(uint64_t seed, bool verbose, totals *t) {
    run *r = model_zeroed(sizeof *r);
    r->seed = seed;
    r->verbose = verbose;
    r->totals = t;
    world_init(&r->world, seed);
    const shape *s = &r->world.shape;
    cvg_options options = {.hash_seed = s->hash_seed, .pending_bytes_max = s->pending_bytes_max};
    r->counted = rng_percent(&r->world.random, 70);
    r->starving = r->counted && rng_percent(&r->world.random, 25);
    if (r->counted) options.allocator = memory_allocator(&r->memory);
    create_engine(r, &options);
    r->model = model_create();
    trace(r, "%u kinds, %u sources, %u ids, bound %llu", s->kinds, s->source_count, s->hot_ids,
          (unsigned long long)s->pending_bytes_max);
    while (r->world.created < s->kinds_at_start) create_kind(r);

    uint64_t operations = t->operations, windows = t->windows;
    while (t->operations - operations < s->operations && (t->windows - windows < s->windows || s->pending_bytes_max)) {
        r->step++;
        turn(r);
    }
    /* Now and then it ends as it is: a window open, a batch sealed, readers half way. */
    if (!rng_percent(&r->world.random, 8)) finish(r);
    add_counts(t, &r->model->counts);
    destroy(r);
    t->histories++;
    free(r);
}
