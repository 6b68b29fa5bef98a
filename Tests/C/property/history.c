/*
 * history.c - one history from its seed: writes, seals, batches held open, installs, queries and readers in random
 * turns.
 */
#include "grow.h"
#include "run.h"

/* From blocks that are gone when it returns: the core must not keep what it is given. */
static int create_from_copies(run *r, part *part, const kind_plan *plan) {
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
        part->memory.fail_in = fail_in;
        status = cvg_kind_create(part->engine, plan->number, &definition);
        if (!memory_feed(r, part)) break;
        EQUAL(r, "kind: without memory", NULL, (uint64_t)CVG_E_MEMORY, (uint64_t)status);
        EQUAL(r, "kind: refused, but there", NULL, 0, cvg_kind_fixed_bytes(part->engine, plan->number));
    }
    if (!r->starving) status = cvg_kind_create(part->engine, plan->number, &definition);
    for (unsigned f = 0; f < plan->field_count; f++) free(members[f]);
    free(fields);
    return status;
}

static void create_kind_in(run *r, part *part, const model_kind *kind, const kind_plan *plan) {
    cvg_definition definition = {.fields = plan->fields, .field_count = plan->field_count, .schema = plan->schema};
    int status = create_from_copies(r, part, plan);
    EQUAL(r, "kind: status", NULL, CVG_OK, (uint64_t)status);
    EQUAL(r, "kind: fixed bytes", NULL, kind->fixed_bytes, cvg_kind_fixed_bytes(part->engine, plan->number));
    status = cvg_kind_create(part->engine, plan->number, &definition);
    EQUAL(r, "kind: created twice", NULL, (uint64_t)CVG_E_EXISTS, (uint64_t)status);
    status = cvg_kind_create(part->engine, 0, &definition);
    EQUAL(r, "kind: number 0", NULL, (uint64_t)CVG_E_KIND, (uint64_t)status);
}

static void create_kind(run *r) {
    const kind_plan *plan = &r->world.plans[r->world.created];
    cvg_definition definition = {.fields = plan->fields, .field_count = plan->field_count, .schema = plan->schema};
    const model_kind *kind = model_kind_create(r->model, plan->number, &definition);
    for (unsigned p = 0; p < r->partitions; p++) create_kind_in(r, &r->parts[p], kind, plan);
    r->totals->kinds++;
    r->totals->variable_kinds += kind->bytes_max > kind->fixed_bytes;
    world_kind_created(&r->world, kind);
    trace(r, "kind %u: %u fields, %u fixed bytes, at most %u, schema %u", plan->number, plan->field_count,
          kind->fixed_bytes, kind->bytes_max, plan->schema);
}

bool plant(run *r, planted planted) {
    if (r->planted != planted || r->partitions == 1 || !rng_percent(&r->world.random, 30)) return false;
    r->planted_times++;
    return true;
}

/* In one partition, or in all of them. */
static void in_some(run *r, void (*act)(run *r, part *part)) {
    unsigned first = (unsigned)rng_below(&r->world.random, r->partitions);
    unsigned count = rng_percent(&r->world.random, 50) ? 1 : r->partitions;
    for (unsigned i = 0; i < count; i++) act(r, &r->parts[(first + i) % r->partitions]);
}

static void query(run *r) {
    uint8_t id[CVG_ID_BYTES];
    for (unsigned i = 0; i < 4; i++) {
        unsigned plan = (unsigned)rng_below(&r->world.random, r->world.created);
        generate_id(&r->world, plan, id);
        compare_query(r, model_kind_find(r->model, r->world.plans[plan].number), id);
    }
    if (rng_percent(&r->world.random, 10)) compare_unknown_kind(r, draw_part(r));
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
    case 4: {
        part *part = draw_part(r);
        if (part->batch != NULL) encode_for_nobody(r, part);
        break;
    }
    default:
        reader_step(r);
    }
}

static void compare_all(const run *r) {
    for (unsigned p = 0; p < r->partitions; p++) compare_installed(r, &r->parts[p]);
}

static void turn(run *r) {
    const shape *s = &r->world.shape;
    uint64_t draw =
        rng_below(&r->world.random, s->apply_weight + s->seal_weight + s->install_weight + s->reader_weight + 4);
    if (draw < s->apply_weight)
        apply(r);
    else if ((draw -= s->apply_weight) < s->seal_weight)
        in_some(r, seal);
    else if ((draw -= s->seal_weight) < s->install_weight)
        in_some(r, install);
    else if ((draw -= s->install_weight) < s->reader_weight)
        read_turn(r);
    else if ((draw -= s->reader_weight) < 2)
        query(r);
    else if (draw == 2)
        compare_all(r); /* also while a batch is held (F3) */
    else if (r->world.created < s->kinds)
        create_kind(r);
    else
        kept_check(r);
}

static void finish(run *r) {
    r->starving = false;
    for (unsigned p = 0; p < r->partitions; p++) {
        install(r, &r->parts[p]);
        if (model_window_rows(r->model, p) == 0) continue;
        seal(r, &r->parts[p]);
        install(r, &r->parts[p]);
    }
    compare_all(r);
    readers_finish(r);
    compare_all(r);
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

/* The engines go first; what was retained outlives them, and then all memory must be back. */
static void destroy(run *r) {
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (r->readers[i].kind != NULL) reader_end(r, &r->readers[i]);
    for (unsigned p = 0; p < r->partitions; p++) cvg_engine_destroy(r->parts[p].engine);
    kept_check(r);
    while (r->kept_count > 0) kept_drop(r, 0);
    for (unsigned p = 0; p < r->partitions; p++) {
        const part *part = &r->parts[p];
        EQUAL(r, "blocks of memory never released", NULL, 0, part->memory.blocks);
        REQUIRE(r, !part->memory.wrong_release, "memory was released with another size than asked for");
        free(part->changes);
    }
    model_destroy(r->model);
    world_free(&r->world);
}

static void create_engine(run *r, part *part, cvg_options options) {
    if (r->counted) options.allocator = memory_allocator(&part->memory);
    for (uint64_t fail_in = 1; r->starving; fail_in++) {
        part->memory.fail_in = fail_in;
        int status = cvg_engine_create(&options, &part->engine);
        if (!memory_feed(r, part)) {
            EQUAL(r, "engine: status", NULL, CVG_OK, (uint64_t)status);
            return;
        }
        EQUAL(r, "engine: without memory", NULL, (uint64_t)CVG_E_MEMORY, (uint64_t)status);
        EQUAL(r, "engine: blocks of one that was not created", NULL, 0, part->memory.blocks);
    }
    EQUAL(r, "engine: status", NULL, CVG_OK, (uint64_t)cvg_engine_create(&options, &part->engine));
}

static void create_engines(run *r) {
    const shape *s = &r->world.shape;
    r->partitions = s->partitions;
    r->totals->partitioned += s->partitions > 1;
    for (unsigned p = 0; p < r->partitions; p++) {
        r->parts[p].partition = p;
        create_engine(r, &r->parts[p],
                      (cvg_options){.hash_seed = s->hash_seed, .pending_bytes_max = s->pending_bytes_max});
    }
}

uint64_t history_run(uint64_t seed, bool verbose, planted planted, totals *t) {
    run *r = model_zeroed(sizeof *r);
    r->seed = seed;
    r->verbose = verbose;
    r->planted = planted;
    r->totals = t;
    world_init(&r->world, seed);
    const shape *s = &r->world.shape;
    r->counted = rng_percent(&r->world.random, 70);
    r->starving = r->counted && rng_percent(&r->world.random, 25);
    create_engines(r);
    r->model = model_create(r->partitions);
    trace(r, "%u partitions, %u kinds, %u sources, %u ids, bound %llu", s->partitions, s->kinds, s->source_count,
          s->hot_ids, (unsigned long long)s->pending_bytes_max);
    while (r->world.created < s->kinds_at_start) create_kind(r);

    uint64_t operations = t->operations, windows = t->windows, windows_max = (uint64_t)s->windows * s->partitions;
    while (t->operations - operations < s->operations && (t->windows - windows < windows_max || s->pending_bytes_max)) {
        r->step++;
        turn(r);
    }
    /* Now and then it ends as it is: a window open, a batch sealed, readers half way. */
    if (!rng_percent(&r->world.random, 8)) finish(r);
    for (unsigned p = 0; p < r->partitions; p++) add_counts(t, &r->model->parts[p].counts);
    destroy(r);
    t->histories++;
    uint64_t planted_times = r->planted_times;
    free(r);
    return planted_times;
}
