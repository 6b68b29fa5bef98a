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
    static const uint8_t percents[] = {0, 5, 20, 50, 80}, percents_of_kinds[] = {0, 50, 100};
    static const uint8_t partitions[] = {2, 2, 3, 3, 8};
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
    s->variable_percent = percents_of_kinds[rng_below(r, sizeof percents_of_kinds)];
    s->hash_seed = rng_percent(r, 20) ? 0 : rng_next(r);
    s->partitions = rng_percent(r, 50) ? 1 : partitions[rng_below(r, sizeof partitions)];
    s->partition_seed = rng_percent(r, 20) ? 0 : rng_next(r);
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

/* Bytes of a string or bytes value. */
static uint16_t draw_bytes_max(rng *r, row_profile profile) {
    if (profile == ROW_LARGE) return (uint16_t)rng_between(r, 100, 1500);
    if (profile == ROW_TEXT) return (uint16_t)rng_between(r, 1, 300);
    return (uint16_t)rng_between(r, 1, profile == ROW_NARROW ? 3 : 14);
}

/* One inside a struct or an array: there are many of them. */
static uint16_t draw_part_max(rng *r, row_profile profile) {
    return (uint16_t)rng_between(r, 1, profile >= ROW_TEXT ? 30 : 6);
}

static uint16_t draw_elements_max(rng *r, row_profile profile) {
    if (profile == ROW_LARGE) return (uint16_t)rng_between(r, 1, rng_percent(r, 20) ? 200 : 20);
    return (uint16_t)rng_between(r, 1, profile == ROW_NARROW ? 2 : profile == ROW_WIDE ? 3 : 6);
}

static bool is_text(unsigned type) {
    return type == CVG_STRING || type == CVG_BYTES;
}

static void draw_members(rng *r, row_profile profile, cvg_field *field, cvg_member *members) {
    static const uint8_t small[] = {CVG_U8, CVG_I8, CVG_BOOL, CVG_U16};
    bool many = profile != ROW_WIDE && rng_percent(r, 3);
    field->member_count = (uint8_t)(many ? MODEL_MEMBERS_MAX : rng_between(r, 1, profile == ROW_WIDE ? 2 : 4));
    for (unsigned i = 0; i < field->member_count; i++) {
        uint8_t type =
            (uint8_t)(rng_percent(r, 50) ? small[rng_below(r, sizeof small)] : rng_between(r, CVG_U8, CVG_BYTES));
        if (many) type = small[rng_below(r, sizeof small)];
        members[i] = (cvg_member){.type = type, .max = is_text(type) ? draw_part_max(r, profile) : 0};
    }
    field->members = members;
}

static void draw_array(rng *r, row_profile profile, cvg_field *field, cvg_member *members) {
    field->max = draw_elements_max(r, profile);
    field->element = (uint8_t)(rng_percent(r, 30) ? CVG_STRUCT : rng_between(r, CVG_U8, CVG_BYTES));
    if (rng_percent(r, 20)) field->element = (uint8_t)rng_between(r, CVG_BOOL, CVG_BYTES);
    if (is_text(field->element)) field->element_max = draw_part_max(r, profile);
    if (field->element == CVG_STRUCT) draw_members(r, profile, field, members);
}

static void draw_field(rng *r, const shape *s, cvg_field *field, cvg_member *members, bool variable) {
    static const uint8_t bytes_wide[] = {CVG_U8, CVG_I8, CVG_BOOL};
    bool text = s->profile >= ROW_TEXT && rng_percent(r, 60);
    *field = (cvg_field){.owners = draw_owners(r, s), .on_retract = rng_percent(r, 50) ? CVG_CLEAR : CVG_KEEP};
    field->type = (uint8_t)(text ? rng_between(r, CVG_STRING, CVG_BYTES) : rng_between(r, CVG_U8, CVG_BYTES));
    if (s->profile == ROW_NARROW) field->type = bytes_wide[rng_below(r, sizeof bytes_wide)];
    if (rng_percent(r, 12)) field->type = CVG_STRUCT;
    if (variable) field->type = (uint8_t)rng_between(r, CVG_VARSTRING, CVG_ARRAY);
    if (field->type == CVG_STRUCT)
        draw_members(r, s->profile, field, members);
    else if (field->type == CVG_ARRAY)
        draw_array(r, s->profile, field, members);
    else if (field->type >= CVG_STRING)
        field->max = draw_bytes_max(r, s->profile);
}

/* A row that does not fit in an ordinary segment. */
static void draw_huge_field(rng *r, cvg_field *field, cvg_member *members, bool variable) {
    uint64_t owners = field->owners;
    uint8_t on_retract = field->on_retract;
    *field = (cvg_field){.owners = owners, .on_retract = on_retract};
    field->type =
        (uint8_t)(variable ? rng_between(r, CVG_VARSTRING, CVG_ARRAY) : rng_between(r, CVG_STRING, CVG_BYTES));
    if (field->type != CVG_ARRAY) {
        field->max = (uint16_t)rng_between(r, 30000, 65535);
        return;
    }
    draw_array(r, ROW_TEXT, field, members);
    field->max = rng_percent(r, 50) ? 1024 : (uint16_t)rng_between(r, 300, 1024);
    if (!rng_percent(r, 40)) return;
    field->element = rng_percent(r, 50) ? CVG_STRING : CVG_BYTES; /* near the largest row there is */
    field->element_max = 1000;
    field->max = 1024;
    field->members = NULL;
    field->member_count = 0;
}

static void draw_fields(rng *r, const shape *s, kind_plan *plan) {
    bool variable = rng_percent(r, s->variable_percent);
    plan->field_count = (uint16_t)draw_field_count(r, s->profile);
    unsigned certain = (unsigned)rng_below(r, plan->field_count);
    unsigned percent = rng_percent(r, 15) ? 100 : (unsigned)rng_between(r, 5, 60);
    for (unsigned f = 0; f < plan->field_count; f++) {
        bool this = variable && (f == certain || rng_percent(r, percent));
        draw_field(r, s, &plan->fields[f], plan->members[f], this);
    }
    if (s->profile == ROW_HUGE) draw_huge_field(r, &plan->fields[certain], plan->members[certain], variable);
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
    draw_shape(&w->random, &w->shape);
    for (unsigned k = 0; k < w->shape.kinds; k++) {
        kind_plan *plan = &w->plans[k];
        draw_number(w, k);
        plan->schema = (uint8_t)(rng_percent(&w->random, 80) ? 1 : rng_between(&w->random, 1, 255));
        draw_fields(&w->random, &w->shape, plan);
        draw_ids(w, plan);
    }
}

static void make_room(world *w, const model_kind *kind) {
    size_t room = 4 * (size_t)kind->bytes_max + 8192;
    if (room <= w->room) return;
    free(w->scratch);
    free(w->values);
    w->scratch = model_zeroed(room);
    w->values = model_zeroed(room);
    w->room = room;
}

void world_kind_created(world *w, const model_kind *kind) {
    kind_plan *plan = &w->plans[w->created++];
    make_room(w, kind);
    for (unsigned p = 0; p < PALETTE_ROWS; p++) {
        model_value values[CVG_FIELDS_MAX];
        uint8_t *at = w->values;
        model_values(kind, kind->zero, kind->fixed_bytes, values);
        for (unsigned f = 0; f < kind->field_count && p > 0; f++) /* row 0 stays all zero */
            at = generate_value(&w->random, kind, f, at, &values[f]);
        plan->palette[p] = model_zeroed(kind->bytes_max);
        plan->palette_bytes[p] = model_join(kind, kind->all_fields, values, plan->palette[p]);
    }
}

void world_free(world *w) {
    for (unsigned k = 0; k < KINDS_MAX; k++)
        for (unsigned p = 0; p < PALETTE_ROWS; p++) free(w->plans[k].palette[p]);
    free(w->scratch);
    free(w->values);
}
