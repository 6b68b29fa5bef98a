/*
 * model.h - a naive reference of a database: what semantics.md says, and nothing about how to do it fast.
 *
 * An entity is three plain states, copied whole:
 *
 *      installed  --first write-->  pending  --model_seal-->  sealed  --model_install-->  installed
 *      (queries see it, F3)         (open window)             (the batch, F2)
 *
 * 1. A pending state starts as a copy of the sealed one if the entity is in the sealed batch, else of the installed
 * (F2).
 * 2. The data of a state whose source set is empty is all zero, at once: a later write starts from zero (W2, W6).
 * 3. While a batch is sealed, `installed` does not move; at the next seal it is the base of every pending state.
 * 4. Every installed change leaves an entry in the entity's past, so that any sequence can be asked about (R3, R4).
 *
 * 5. Row data is one block as an ASSERT carries it: the fixed zone, then the bytes of the variable fields in ordinal
 * order. Whoever needs a field takes the block apart (model_split) and puts a new one together (model_join).
 *
 * 6. An entity stays in the partition that its first write was given with. Partitions share the kinds and nothing else:
 * each has its windows, its batch, its sequence and its counts (F1, F2).
 *
 * The model takes only types and numbers from converge.h. Which partition an id belongs to it is told. Running out of
 * memory aborts: it is a test.
 */
#ifndef CONVERGE_MODEL_H
#define CONVERGE_MODEL_H

#include "converge.h"

enum { MODEL_BUCKETS = 256, MODEL_KINDS_MAX = 16, MODEL_MEMBERS_MAX = 64, MODEL_NO_FIELD = 65535 };
enum { MODEL_PARTITIONS_MAX = 8 };

typedef struct model_state {
    uint8_t *data; /* unless alive: the fixed zone, all zero */
    uint32_t bytes, capacity;
    uint64_t source_set;
    uint64_t version;
    uint8_t presence; /* cvg_presence; a pending state is alive or not by its source set alone */
} model_state;

typedef struct model_past {
    uint64_t sequence;
    uint64_t version;
    uint8_t presence;
} model_past;

typedef struct model_kind model_kind;

typedef struct model_entity {
    uint8_t id[CVG_ID_BYTES];
    model_kind *kind;
    unsigned partition;
    size_t index; /* in kind->entities */
    model_state installed, sealed, pending;
    bool in_batch, in_window;
    model_past *past; /* notifiable changes only, by rising sequence */
    size_t past_count, past_capacity;
    struct model_entity *next; /* of the same bucket */
} model_entity;

/* `entity->installed` is the state before, `entity->sealed` the state after. */
typedef struct model_change {
    model_entity *entity;
    uint64_t changed;
    uint8_t what;   /* cvg_what */
    uint8_t reason; /* cvg_reason */
} model_change;

/* What one partition has of a kind. */
typedef struct model_share {
    model_entity **entities; /* as in the kind, those of the partition alone */
    size_t entity_count, entity_capacity;
    model_entity **window; /* pending entities, by first write */
    size_t window_count, window_capacity;
    model_change *batch; /* of the sealed window, in the same order */
    size_t batch_count, batch_capacity;
    uint64_t notified_sequence; /* of the last installed flush that changed data or existence in this kind */
} model_share;

struct model_kind {
    uint16_t number;
    uint16_t field_count;
    uint8_t schema;
    uint32_t fixed_bytes;
    uint32_t bytes_max;  /* of both zones */
    uint64_t all_fields; /* one bit for each field */
    cvg_field fields[CVG_FIELDS_MAX];
    cvg_member members[CVG_FIELDS_MAX][MODEL_MEMBERS_MAX]; /* what fields[].members points to */
    uint32_t offsets[CVG_FIELDS_MAX];
    uint32_t sizes[CVG_FIELDS_MAX]; /* in the fixed zone */
    uint32_t units[CVG_FIELDS_MAX]; /* bytes that a directory entry counts by; 0: the field is not variable */
    uint8_t *zero;                  /* fixed_bytes of it */

    model_entity **entities; /* every id an accepted write has touched, in that order */
    size_t entity_count, entity_capacity;
    model_entity *buckets[MODEL_BUCKETS];
    model_share shares[MODEL_PARTITIONS_MAX];
};

/* Counted as cvg_stats counts, and what a test must have seen happen. */
typedef struct model_counts {
    uint64_t applied, refused;
    uint64_t created, updated, deleted, revived, deduplicated, flushes;
    uint64_t source_changes;                /* sealed rows of which only the source set changed */
    uint64_t no_trace;                      /* of the deduplicated: created and retracted inside one window */
    uint64_t unchanged;                     /* of the deduplicated: alive before and after with the same bytes */
    uint64_t clears;                        /* non-zero fields made zero because their last owner retracted (W5) */
    uint64_t clears_variable;               /* of them variable ones */
    uint64_t variable, arrays, structs;     /* values written into variable fields; arrays; structs or arrays of them */
    uint64_t grows, shrinks, empties, full; /* of the variable ones: longer, shorter, now empty, now at their max */
} model_counts;

typedef struct model_part {
    bool sealed;                 /* a batch waits for model_install */
    uint64_t sequence;           /* of the last sealed flush */
    uint64_t installed_sequence; /* of the last installed one */
    model_counts counts;
} model_part;

typedef struct model {
    model_kind *kinds[MODEL_KINDS_MAX];
    size_t kind_count;
    unsigned partitions;
    model_part parts[MODEL_PARTITIONS_MAX];
} model;

/* `also`: another answer that is as good, where two checks apply and no rule orders them; CVG_OK: there is none. */
typedef struct model_verdict {
    int status;          /* CVG_OK, or why the write is refused */
    int also;            /* cvg_status */
    uint16_t field;      /* ordinal of the first field at fault, or MODEL_NO_FIELD */
    uint16_t also_field; /* of `also` */
    bool inside;         /* the fault is in a member of a struct, or in an element of an array */
    bool directory;      /* the fault is in a directory entry */
} model_verdict;

/* One field's value: its part of the fixed zone, and its part of the variable zone. */
typedef struct model_value {
    const uint8_t *fixed, *variable;
    uint32_t fixed_bytes, variable_bytes;
} model_value;

model *model_create(unsigned partitions); /* 1..MODEL_PARTITIONS_MAX; all below are numbered from 0 */
void model_destroy(model *m);

model_kind *model_kind_create(model *m, uint16_t number, const cvg_definition *definition);
model_kind *model_kind_find(const model *m, uint16_t number);                     /* NULL: none */
model_entity *model_find(const model_kind *kind, const uint8_t id[CVG_ID_BYTES]); /* NULL: never written */

/* One write (W1-W6), given to the partition that its id belongs to. */
model_verdict model_apply(model *m, unsigned partition, const cvg_op *op);

/* Whether the write is acceptable; changes nothing. */
model_verdict model_check(const model *m, const cvg_op *op);

uint64_t model_window_rows(const model *m, unsigned partition);

/* Closes the partition's window: fills its batch of every kind. False, changing nothing: no window is open, or a batch
 * waits. */
bool model_seal(model *m, unsigned partition);
uint64_t model_batch_rows(const model *m, unsigned partition);
void model_install(model *m, unsigned partition);

/* The state that the next write would change: pending, else sealed, else installed. */
const model_state *model_latest(const model_entity *entity);

/* The entity as the flush `sequence` of its partition left it; presence CVG_NOT_FOUND before its first change. */
model_past model_at(const model_entity *entity, uint64_t sequence);

uint64_t model_alive(const model_kind *kind, unsigned partition);
uint64_t model_tombstones(const model_kind *kind, unsigned partition);
void model_source_entities(const model *m, unsigned partition, uint64_t counts[CVG_SOURCES]);

/* Rows. Takes the data of the masked fields apart; entries of `values` that are not masked are left alone. False, and
 * nothing to rely on in `values`: it is not exactly as long as its directory says. */
bool model_split(const model_kind *kind, uint64_t mask, const uint8_t *data, uint64_t bytes, model_value values[]);

/* Puts data together from the values of the masked fields; returns its bytes. */
uint32_t model_join(const model_kind *kind, uint64_t mask, const model_value values[], uint8_t *out);

/* Takes a row of the kind apart, which must be a good one. */
void model_values(const model_kind *kind, const uint8_t *row, uint32_t bytes, model_value values[]);
bool model_same_value(const model_value *a, const model_value *b);
uint32_t model_number(const uint8_t bytes[4]); /* a directory entry */
uint64_t model_fixed_bytes(const model_kind *kind, uint64_t mask);

/* Values (K3, K4). */
uint32_t model_value_bytes(unsigned type, uint32_t max); /* a scalar, inline string or inline bytes */
uint32_t model_field_bytes(const cvg_field *field);      /* in the fixed zone */
uint32_t model_element_bytes(const cvg_field *field);    /* an array's */
uint32_t model_unit_bytes(const cvg_field *field);       /* as in model_kind */
model_verdict model_check_value(const model_kind *kind, unsigned field, const model_value *value);
bool model_utf8_valid(const uint8_t *bytes, size_t count);
bool model_may_write(const cvg_field *field, unsigned source); /* W5 */

#endif
