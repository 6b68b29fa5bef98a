/*
 * ops.c - random writes: single ones, good and bad, and short patterns that single ones would seldom form.
 */
#include "generate.h"
#include "grow.h"

uint8_t generate_source(world *w) {
    return w->shape.sources[rng_below(&w->random, w->shape.source_count)];
}

void generate_id(world *w, unsigned plan, uint8_t id[CVG_ID_BYTES]) {
    rng *r = &w->random;
    const uint8_t *hot = w->plans[plan].ids[rng_below(r, w->shape.hot_ids)];
    memcpy(id, hot, CVG_ID_BYTES);
    if (!rng_percent(r, w->shape.fresh_percent)) return;
    if (rng_percent(r, 50))
        rng_fill(r, id, CVG_ID_BYTES);
    else
        id[rng_below(r, CVG_ID_BYTES)] ^= (uint8_t)rng_between(r, 1, 255);
}

/* Copies the draft into blocks exactly as long as needed, so that reading past them is seen. */
static void append(world *w, op_array *array, const draft *d, const uint8_t *id) {
    uint8_t *own_id = model_zeroed(CVG_ID_BYTES);
    memcpy(own_id, id, CVG_ID_BYTES);
    uint8_t *own_data = NULL;
    if (d->data_bytes > 0) {
        own_data = model_zeroed(d->data_bytes);
        memcpy(own_data, d->data, d->data_bytes);
    }
    array->ops[array->count++] = (cvg_op){
        .id = own_id,
        .data = own_data,
        .mask = d->code == CVG_PATCH ? d->mask : 0,
        .ordinal = rng_next(&w->random),
        .data_bytes = d->data_bytes,
        .connection = (uint32_t)rng_next(&w->random),
        .kind = d->number,
        .code = d->code,
        .source = d->source,
        .schema = d->schema,
    };
}

void ops_free(op_array *array) {
    for (size_t i = 0; i < array->count; i++) {
        free((void *)(uintptr_t)array->ops[i].id);
        free((void *)(uintptr_t)array->ops[i].data);
    }
    array->count = 0;
}

/* A whole row: what the entity holds, what it held when the window opened, or another one. */
static void draw_row(world *w, const model_kind *kind, const model_entity *entity, model_value values[]) {
    rng *r = &w->random;
    const kind_plan *plan = NULL;
    for (unsigned k = 0; k < w->created; k++)
        if (w->plans[k].number == kind->number) plan = &w->plans[k];
    uint64_t row = rng_below(r, PALETTE_ROWS);
    bool equal = entity != NULL && rng_percent(r, w->shape.equal_percent);
    bool near = entity != NULL && rng_percent(r, 15);
    if (equal || near) {
        const model_state *state = rng_percent(r, 50) ? model_latest(entity) : &entity->installed;
        model_values(kind, state->data, state->bytes, values);
    } else {
        model_values(kind, plan->palette[row], plan->palette_bytes[row], values);
    }
    if (equal || (!near && rng_percent(r, 50))) return;
    uint8_t *at = w->values;
    for (uint64_t i = rng_between(r, 1, 3); i > 0; i--) {
        unsigned f = (unsigned)rng_below(r, kind->field_count);
        if (kind->units[f] > 0 && rng_percent(r, 60))
            at = generate_edit(r, kind, f, at, &values[f]);
        else
            at = generate_value(r, kind, f, at, &values[f]);
    }
}

static uint64_t draw_mask(rng *r, const model_kind *kind, unsigned source) {
    uint64_t mask = 0;
    switch (rng_below(r, 8)) {
    case 0:
        break;
    case 1:
        mask = kind->all_fields;
        break;
    case 2:
        mask = rng_next(r) & kind->all_fields;
        break;
    default:
        for (uint64_t i = rng_between(r, 1, 3); i > 0; i--) mask |= UINT64_C(1) << rng_below(r, kind->field_count);
    }
    for (unsigned f = 0; f < kind->field_count; f++)
        if (!model_may_write(&kind->fields[f], source)) mask &= ~(UINT64_C(1) << f);
    return mask;
}

static draft new_draft(world *w, const model_kind *kind, uint8_t code, uint8_t source) {
    return (draft){.kind = kind,
                   .data = w->scratch,
                   .number = kind->number,
                   .code = code,
                   .source = source,
                   .schema = kind->schema};
}

static draft draft_assert(world *w, const model_kind *kind, uint8_t source, const model_value values[]) {
    draft d = new_draft(w, kind, CVG_ASSERT, source);
    draft_fill(&d, values);
    return d;
}

static draft draft_write(world *w, const model_kind *kind, const model_entity *entity, uint8_t source) {
    model_value values[CVG_FIELDS_MAX];
    draft d = new_draft(w, kind, rng_percent(&w->random, 50) ? CVG_ASSERT : CVG_PATCH, source);
    draw_row(w, kind, entity, values);
    if (d.code == CVG_PATCH) d.mask = draw_mask(&w->random, kind, source);
    draft_fill(&d, values);
    return d;
}

/* A source that asserts the entity, most of the time. */
static uint8_t draw_holder(world *w, const model_entity *entity) {
    uint64_t set = entity == NULL ? 0 : model_latest(entity)->source_set;
    if (set == 0 || rng_percent(&w->random, 25)) return generate_source(w);
    unsigned source = (unsigned)rng_below(&w->random, CVG_SOURCES);
    while (!(set >> source & 1)) source = (source + 1) % CVG_SOURCES;
    return (uint8_t)source;
}

static void append_single(world *w, const model *m, const model_kind *kind, const uint8_t *id, op_array *array) {
    rng *r = &w->random;
    const model_entity *entity = model_find(kind, id);
    bool invalid = rng_percent(r, w->shape.invalid_percent);
    draft d;
    if (!(invalid && rng_percent(r, 80)) && rng_percent(r, w->shape.retract_percent)) {
        d = new_draft(w, kind, CVG_RETRACT, draw_holder(w, entity));
        d.schema = (uint8_t)rng_next(r); /* a retraction has none */
    } else {
        d = draft_write(w, kind, entity, generate_source(w));
    }
    if (invalid) {
        bool done = false;
        for (unsigned tries = 0; tries < 8 && !done; tries++) done = generate_fault(w, m, &d);
        if (rng_percent(r, 25)) generate_fault(w, m, &d);
    }
    append(w, array, &d, id);
}

static void append_retract_all(world *w, const model_kind *kind, const uint8_t *id, op_array *array, size_t limit) {
    const model_entity *entity = model_find(kind, id);
    uint64_t set = entity == NULL ? 0 : model_latest(entity)->source_set;
    for (unsigned s = 0; s < CVG_SOURCES && array->count < limit; s++) {
        if (!(set >> s & 1)) continue;
        draft d = new_draft(w, kind, CVG_RETRACT, (uint8_t)s);
        append(w, array, &d, id);
    }
}

/* A -> B -> A; created and retracted; gone; gone and back in one window. */
static void append_pattern(world *w, const model_kind *kind, const uint8_t *hot, op_array *array, size_t limit) {
    rng *r = &w->random;
    const model_entity *entity = model_find(kind, hot);
    uint8_t source = draw_holder(w, entity), id[CVG_ID_BYTES];
    model_value row[CVG_FIELDS_MAX];
    draft d;
    memcpy(id, hot, sizeof id);
    switch (rng_below(r, 4)) {
    case 0: /* A -> B -> A */
        draw_row(w, kind, NULL, row);
        d = draft_assert(w, kind, source, row);
        append(w, array, &d, id);
        if (entity == NULL) break;
        model_values(kind, entity->installed.data, entity->installed.bytes, row);
        d = draft_assert(w, kind, source, row);
        append(w, array, &d, id);
        break;
    case 1: /* no trace */
        if (rng_percent(r, 60)) rng_fill(r, id, sizeof id);
        draw_row(w, kind, NULL, row);
        d = draft_assert(w, kind, source, row);
        append(w, array, &d, id);
        d = new_draft(w, kind, CVG_RETRACT, source);
        append(w, array, &d, id);
        break;
    case 2:
        append_retract_all(w, kind, id, array, limit);
        break;
    default: /* gone, and back as it was or as something else, in part or in full */
        append_retract_all(w, kind, id, array, limit - 1);
        d = draft_write(w, kind, entity, source);
        append(w, array, &d, id);
    }
}

void generate_ops(world *w, const model *m, op_array *array) {
    rng *r = &w->random;
    size_t wanted = rng_between(r, 1, w->shape.array_max);
    array->count = 0;
    while (array->count < wanted) {
        unsigned plan = (unsigned)rng_below(r, w->created);
        const model_kind *kind = model_kind_find(m, w->plans[plan].number);
        uint8_t id[CVG_ID_BYTES];
        generate_id(w, plan, id);
        if (rng_percent(r, w->shape.pattern_percent))
            append_pattern(w, kind, id, array, wanted + 2);
        else
            append_single(w, m, kind, id, array);
    }
}
