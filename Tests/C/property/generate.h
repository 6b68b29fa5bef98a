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

enum { KINDS_MAX = 4, HOT_IDS_MAX = 100, PALETTE_ROWS = 4, ARRAY_MAX = 300, SCRATCH_BYTES = 1 << 18 };

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
    row_profile profile;
} shape;

typedef struct kind_plan {
    uint16_t number;
    uint16_t field_count;
    uint8_t schema;
    cvg_field fields[CVG_FIELDS_MAX];
    uint8_t ids[HOT_IDS_MAX][CVG_ID_BYTES];
    uint8_t *palette[PALETTE_ROWS]; /* rows that writes choose from; NULL until the kind is created */
} kind_plan;

typedef struct world {
    rng random;
    shape shape;
    kind_plan plans[KINDS_MAX];
    unsigned created; /* plans[0..created) are kinds of the model */
    uint8_t *scratch;
} world;

/* Writes for one call of cvg_apply; every id and datum is a block of its own, exactly as long as it says. */
typedef struct op_array {
    cvg_op ops[ARRAY_MAX + 8];
    size_t count;
} op_array;

void world_init(world *w, uint64_t seed);
void world_free(world *w);
void world_kind_created(world *w, const model_kind *kind);
void generate_id(world *w, unsigned plan, uint8_t id[CVG_ID_BYTES]); /* hot, seldom fresh */
uint8_t generate_source(world *w);

void generate_ops(world *w, const model *m, op_array *array);
void ops_free(op_array *array);

/* values: `out` takes the field's bytes */
void generate_value(rng *r, const cvg_field *field, uint8_t *out);

/* A write being made, before it gets blocks of its own. `data` has SCRATCH_BYTES. */
typedef struct draft {
    const model_kind *kind;
    uint8_t *data;
    uint64_t mask;
    uint32_t data_bytes;
    uint16_t number;
    uint8_t code, source, schema;
} draft;

/* Makes the draft wrong in one random way that its kind allows; true: done. Kinds numbered by unused plans are unknown.
 */
bool generate_fault(world *w, const model *m, draft *d);

#endif
