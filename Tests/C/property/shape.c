/*
 * shape.c - draws the shape of a history and its kinds.
 */
#include "generate.h"
#include "grow.h"

static void draw_sources(rng *r, shape *s) {
    static const uint8_t counts[] = {1, 2, 3, 3, 4, 6, 8, 64};
    bool taken[CVG_SOURCES] = {false};
    s->source_count = counts[rng_below(r, sizeof counts)];
    for (unsigned i = 0; i < s->source_count; i++) {
        uint64_t source = rng_percent(r, 15) ? 63 : rng_below(r, CVG_SOURCES);
        while (taken[source]) source = (source + 1) % CVG_SOURCES;
        taken[source] = true;
        s->sources[i] = (uint8_t)source;
    }
}

static void draw_shape(rng *r, shape *s) {
    static const row_profile profiles[] = {ROW_NARROW, ROW_SMALL, ROW_SMALL, ROW_SMALL, ROW_WIDE,
                                           ROW_WIDE,   ROW_TEXT,  ROW_TEXT,  ROW_LARGE};
    static const uint64_t bounds[] = {1, 64, 300, 2000, 20000};
    static const uint8_t percents[] = {0, 5, 20, 50, 80};
    s->kinds = (unsigned)rng_between(r, 1, KINDS_MAX);
    s->kinds_at_start = (unsigned)rng_between(r, 1, s->kinds);
    draw_sources(r, s);
    s->hot_ids = (unsigned)rng_between(r, 1, rng_percent(r, 50) ? 10 : HOT_IDS_MAX);
    s->fresh_percent = (unsigned)rng_below(r, 8);
    s->invalid_percent = (unsigned)rng_below(r, 25);
    s->equal_percent = percents[rng_below(r, sizeof percents)];
    s->retract_percent = (unsigned)rng_between(r, 2, 45);
    s->pattern_percent = (unsigned)rng_below(r, 10);
    s->owned_percent = percents[rng_below(r, sizeof percents)];
    s->array_max = (unsigned)(rng_percent(r, 30) ? rng_between(r, 1, 8) : rng_between(r, 1, ARRAY_MAX));
    s->apply_weight = (unsigned)rng_between(r, 2, 20);
    s->seal_weight = (unsigned)rng_between(r, 1, 6);
    s->install_weight = (unsigned)rng_between(r, 1, 6);
    s->reader_weight = (unsigned)rng_below(r, 16);
    s->windows = (unsigned)rng_between(r, 3, 30);
    s->operations = rng_between(r, 100, 3000);
    s->pending_bytes_max = rng_percent(r, 75) ? 0 : bounds[rng_below(r, sizeof bounds / sizeof *bounds)];
    s->hash_seed = rng_percent(r, 20) ? 0 : rng_next(r);
    s->profile = rng_percent(r, 2) ? ROW_HUGE : profiles[rng_below(r, sizeof profiles / sizeof *profiles)];
    if (s->profile == ROW_LARGE || s->profile == ROW_HUGE) {
        s->operations = s->profile == ROW_HUGE ? 60 : s->operations / 4 + 50;
        s->hot_ids = s->hot_ids % (s->profile == ROW_HUGE ? 6 : 25) + 1;
    }
    if (s->profile <= ROW_WIDE && s->pending_bytes_max == 0 &&
        rng_percent(r, 8)) { /* a crowd: tables grow, batches span segments */
        s->fresh_percent = (unsigned)rng_between(r, 40, 95);
        s->operations = rng_between(r, 3000, 8000);
        s->array_max = ARRAY_MAX;
        s->seal_weight = 1;
    }
    if (s->pending_bytes_max == 1) s->operations = s->operations / 4 + 50;
}

static uint64_t draw_owners(rng *r, const shape *s) {
    if (!rng_percent(r, s->owned_percent)) return 0;
    if (rng_percent(r, 5)) return UINT64_MAX;
    if (rng_percent(r, 5)) return rng_next(r) | 1; /* most of them write nothing in this history */
    uint64_t owners = 0;
    for (uint64_t i = rng_between(r, 1, 3); i > 0; i--)
        owners |= UINT64_C(1) << s->sources[rng_below(r, s->source_count)];
    return owners;
}

static unsigned draw_field_count(rng *r, row_profile profile) {
    switch (profile) {
    case ROW_NARROW:
        return 1;
    case ROW_SMALL:
        return (unsigned)rng_between(r, 1, 8);
    case ROW_WIDE:
        return rng_percent(r, 30) ? CVG_FIELDS_MAX : (unsigned)rng_between(r, 9, CVG_FIELDS_MAX);
    case ROW_TEXT:
        return (unsigned)rng_between(r, 2, 10);
    case ROW_LARGE:
        return (unsigned)rng_between(r, 2, 8);
    default:
        return (unsigned)rng_between(r, 1, 3);
    }
}

static void draw_field(rng *r, const shape *s, cvg_field *field) {
    static const uint8_t bytes_wide[] = {CVG_U8, CVG_I8, CVG_BOOL};
    bool text = s->profile >= ROW_TEXT && rng_percent(r, 60);
    *field = (cvg_field){.owners = draw_owners(r, s), .on_retract = rng_percent(r, 50) ? CVG_CLEAR : CVG_KEEP};
    field->type = (uint8_t)(text ? rng_between(r, CVG_STRING, CVG_BYTES) : rng_between(r, CVG_U8, CVG_BYTES));
    if (s->profile == ROW_NARROW) field->type = bytes_wide[rng_below(r, sizeof bytes_wide)];
    if (field->type != CVG_STRING && field->type != CVG_BYTES) return;
    uint64_t max = s->profile == ROW_LARGE  ? rng_between(r, 100, 1500)
                   : s->profile == ROW_TEXT ? rng_between(r, 1, 300)
                                            : rng_between(r, 1, 14);
    field->max = (uint16_t)max;
}

/* Some kinds get ids that differ in one byte only, at a random place. */
static void draw_ids(world *w, kind_plan *plan) {
    rng *r = &w->random;
    bool alike = rng_percent(r, 30);
    size_t place = rng_below(r, CVG_ID_BYTES);
    uint8_t base[CVG_ID_BYTES] = {0};
    if (rng_percent(r, 50)) rng_fill(r, base, sizeof base);
    for (unsigned i = 0; i < w->shape.hot_ids; i++) {
        if (!alike) {
            rng_fill(r, plan->ids[i], CVG_ID_BYTES);
            continue;
        }
        memcpy(plan->ids[i], base, CVG_ID_BYTES);
        plan->ids[i][place] = (uint8_t)i;
    }
}

static void draw_number(world *w, unsigned index) {
    static const uint16_t edges[] = {1, 2, 3, 255, 256, 65535};
    uint16_t number;
    bool taken;
    do {
        number = rng_percent(&w->random, 60) ? edges[rng_below(&w->random, sizeof edges / sizeof *edges)]
                                             : (uint16_t)rng_between(&w->random, 1, 65535);
        taken = false;
        for (unsigned i = 0; i < index; i++) taken |= w->plans[i].number == number;
    } while (taken);
    w->plans[index].number = number;
}

void world_init(world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->random.state = seed * UINT64_C(0xD1342543DE82EF95) + 1;
    w->scratch = model_zeroed(SCRATCH_BYTES);
    draw_shape(&w->random, &w->shape);
    for (unsigned k = 0; k < w->shape.kinds; k++) {
        kind_plan *plan = &w->plans[k];
        draw_number(w, k);
        plan->schema = (uint8_t)(rng_percent(&w->random, 80) ? 1 : rng_between(&w->random, 1, 255));
        plan->field_count = (uint16_t)draw_field_count(&w->random, w->shape.profile);
        for (unsigned f = 0; f < plan->field_count; f++) draw_field(&w->random, &w->shape, &plan->fields[f]);
        if (w->shape.profile == ROW_HUGE) { /* a row that does not fit in an ordinary segment */
            plan->fields[0].type = CVG_STRING + (k & 1);
            plan->fields[0].max = (uint16_t)rng_between(&w->random, 30000, 65535);
        }
        draw_ids(w, plan);
    }
}

void world_kind_created(world *w, const model_kind *kind) {
    kind_plan *plan = &w->plans[w->created++];
    for (unsigned p = 0; p < PALETTE_ROWS; p++) {
        plan->palette[p] = model_zeroed(kind->bytes);
        for (unsigned f = 0; f < kind->field_count && p > 0; f++) /* row 0 stays all zero */
            generate_value(&w->random, &kind->fields[f], plan->palette[p] + kind->offsets[f]);
    }
}

void world_free(world *w) {
    for (unsigned k = 0; k < KINDS_MAX; k++)
        for (unsigned p = 0; p < PALETTE_ROWS; p++) free(w->plans[k].palette[p]);
    free(w->scratch);
}
