/*
 * generate.h - what a history is made of: its shape, its kinds, values, writes, and the ways a write can be wrong.
 *
 * A history is small and its shape is wide: each seed draws how many kinds, sources and ids there are, how wide rows
 * are, how often values repeat, how often writes are wrong and how tight the window's bound is.
 */
#ifndef CONVERGE_PROPERTY_GENERATE_H
#define CONVERGE_PROPERTY_GENERATE_H

#include "model.h"
#include "random.h"

enum { KINDS_MAX = 4, HOT_IDS_MAX = 100, PALETTE_ROWS = 4, ARRAY_MAX = 300 };

typedef enum row_profile { ROW_NARROW, ROW_SMALL, ROW_WIDE, ROW_TEXT, ROW_LARGE, ROW_HUGE } row_profile;

typedef struct shape {
    unsigned kinds;
    unsigned kinds_at_start; /* the others are created between writes */
    unsigned source_count;
    uint8_t sources[CVG_SOURCES];
    unsigned hot_ids;         /* a kind */
    unsigned fresh_percent;   /* writes to an id nobody knows */
    unsigned invalid_percent; /* writes that must be refused */
    unsigned equal_percent;   /* writes of the value that is there */
    unsigned retract_percent;
    unsigned pattern_percent; /* A->B->A, create and retract, retract by all and come back */
    unsigned owned_percent;   /* fields that have owners */
    unsigned array_max;
    unsigned apply_weight, seal_weight, install_weight, reader_weight;
    unsigned windows;
    uint64_t operations;
    uint64_t pending_bytes_max;
    uint64_t hash_seed;
    unsigned partitions;
    uint64_t partition_seed;
    unsigned variable_percent; /* kinds that have variable fields */
    row_profile profile;
} shape;

typedef struct kind_plan {
    uint16_t number;
    uint16_t field_count;
    uint8_t schema;
    cvg_field fields[CVG_FIELDS_MAX];
    cvg_member members[CVG_FIELDS_MAX][MODEL_MEMBERS_MAX]; /* what fields[].members points to */
    uint8_t ids[HOT_IDS_MAX][CVG_ID_BYTES];
    uint8_t *palette[PALETTE_ROWS]; /* rows that writes choose from; NULL until the kind is created */
    uint32_t palette_bytes[PALETTE_ROWS];
} kind_plan;

typedef struct world {
    rng random;
    shape shape;
    kind_plan plans[KINDS_MAX];
    unsigned created; /* plans[0..created) are kinds of the model */
    size_t room;      /* bytes of each of the two: several of the largest rows */
    uint8_t *scratch; /* the data of the write being made */
    uint8_t *values;  /* what its new values point to */
} world;

enum { OPS_MAX = ARRAY_MAX + 8 };

/* Writes for one call; every id and datum is a block of its own, exactly as long as it says. */
typedef struct op_array {
    cvg_op ops[OPS_MAX];
    size_t count;
} op_array;

void world_init(world *w, uint64_t seed);
void world_free(world *w);
void world_kind_created(world *w, const model_kind *kind);
void generate_id(world *w, unsigned plan, uint8_t id[CVG_ID_BYTES]); /* hot, seldom fresh */
uint8_t generate_source(world *w);

void generate_ops(world *w, const model *m, op_array *array);
void ops_free(op_array *array);

/* values.c: each writes the value behind `out`, its fixed part and then its variable part, points `value` at it and
 * returns where it ends. `generate_counted` is of a variable field, and may be longer than the field's max;
 * `generate_edit` makes a variable value a little longer, shorter or different. */
uint8_t *generate_value(rng *r, const model_kind *kind, unsigned field, uint8_t *out, model_value *value);
uint8_t *generate_counted(rng *r, const model_kind *kind, unsigned field, uint32_t count, uint8_t *out,
                          model_value *value);
uint8_t *generate_edit(rng *r, const model_kind *kind, unsigned field, uint8_t *out, model_value *value);
void put_number(uint8_t *out, uint32_t number); /* a directory entry */

/* A write being made, before it gets blocks of its own. `data` is the world's scratch. */
typedef struct draft {
    const model_kind *kind;
    uint8_t *data;
    uint64_t mask;
    uint32_t data_bytes;
    uint16_t number;
    uint8_t code, source, schema;
} draft;

/* The fields that the draft's data holds: of a PATCH the masked ones, of an ASSERT all. */
static inline uint64_t draft_fields(const draft *d) {
    if (d->code == CVG_PATCH) return d->mask & d->kind->all_fields;
    return d->code == CVG_ASSERT ? d->kind->all_fields : 0;
}

/* Fills the draft's data from the values of the fields it holds. */
static inline void draft_fill(draft *d, const model_value values[]) {
    d->data_bytes = model_join(d->kind, draft_fields(d), values, d->data);
}

/* Makes the draft wrong in one random way that its kind allows; true: done. */
bool generate_fault(world *w, const model *m, draft *d);

#endif
