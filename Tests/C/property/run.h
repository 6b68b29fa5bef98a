/*
 * run.h - one history: an engine for each partition, the model beside them, readers of all partitions, and what is kept
 * to be looked at later.
 *
 *   generate_ops -> cvg_route -> parts: cvg_apply   | model_apply    refusals equal
 *                                       cvg_seal    | model_seal     batch equal, and again before install
 *                                       cvg_encode  -> frames equal -> mirrors of readers that are live in the
 * partition cvg_install | model_install  table equal, mirrors equal
 *
 * The engines are given what cvg_route sorted; the model is given the writes as they were generated, each with the
 * partition that cvg_partition_of says. The two are never compared as lists: a wrong sort shows in what comes of it.
 */
#ifndef CONVERGE_PROPERTY_RUN_H
#define CONVERGE_PROPERTY_RUN_H

#include "generate.h"
#include "model.h"

enum { READERS_MAX = 6, KEPT_MAX = 48, STATUSES = 20 };

/* What all histories together have done. */
typedef struct totals {
    uint64_t histories, operations, windows;
    model_counts model;
    uint64_t refusals[STATUSES]; /* by -status */
    uint64_t full_windows;       /* CVG_E_PENDING */
    uint64_t held;               /* writes were applied on top of the sealed batch before its install */
    uint64_t held_deepest;       /* most writes applied on top of one sealed batch */
    uint64_t refused_seals;      /* CVG_E_SEALED */
    uint64_t empty_batches;
    uint64_t bootstraps, finished, quiet, demoted, catchup_frames, catchup_deletions, live_frames;
    uint64_t queries, kept;
    uint64_t inside;    /* refusals for what is inside a struct or an array */
    uint64_t directory; /* refusals for a directory entry */
    uint64_t either;    /* refusals that two answers were good for */
    uint64_t kinds, variable_kinds;
    uint64_t starved;       /* calls during which there was no memory */
    uint64_t held_variable; /* rows with variable bytes in batches with writes on top */
    uint64_t partitioned;   /* histories of several partitions */
    uint64_t spread;        /* calls whose writes went to several partitions */
    uint64_t apart;         /* flushes of one partition while another held a batch or an open window */
    uint64_t half_live;     /* frames to readers that were still catching up in another partition */
} totals;

/* A retained slice and what it said when it was published. */
typedef struct kept_slice {
    cvg_segment *segment;
    uint8_t *copy;
    uint32_t offset, bytes;
    unsigned partition;
} kept_slice;

/* What a reader knows of one entity, by the entity's index in the model. */
typedef struct mirror_slot {
    uint8_t *data; /* NULL: not held */
    uint32_t bytes;
    uint64_t version;
    uint64_t newest; /* version of the last frame about it, deletions included */
    uint64_t frames; /* in this catch-up */
} mirror_slot;

/* What a reader gets from one partition. */
typedef struct feed {
    cvg_catchup *catchup; /* NULL: live */
    bool bootstrap;       /* this catch-up began with everything, not empty */
    bool disturbed;       /* the kind has changed since this catch-up began */
    bool lingers;         /* stays in catch-up for a while although told that nothing is left */
    uint64_t live_at_begin, frames, deletions, rounds, sequence; /* of this catch-up */
    uint64_t fruitless;                                          /* steps since the last frame */
} feed;

/* A catch-up or a live feed in every partition, one mirror of all of them. */
typedef struct reader {
    model_kind *kind; /* NULL: the place is free */
    cvg_class klass;
    feed feeds[MODEL_PARTITIONS_MAX];
    mirror_slot *slots;
    size_t slot_count;
} reader;

/* Memory of an engine under test, counted. */
typedef struct memory {
    uint64_t blocks, bytes;
    uint64_t fail_in; /* the allocation that fails, counted from 1; 0: none */
    uint64_t failed;  /* since memory_starve */
    bool lasting;     /* the next ones fail too */
    bool wrong_release;
} memory;

typedef struct part {
    unsigned partition;
    memory memory;
    cvg_engine *engine;
    const cvg_batch *batch; /* sealed, not installed */
    cvg_change *changes;    /* as they were read at the seal, kind by kind: their pointers hold until the install */
    size_t change_count, change_capacity;
    uint64_t on_top; /* writes applied since it was sealed */
} part;

/* The writes of one call. */
typedef struct call {
    op_array array;
    unsigned homes[OPS_MAX]; /* partition of each, from cvg_partition_of alone */
    cvg_op sorted[OPS_MAX];
    uint16_t numbers[OPS_MAX];
    uint32_t ends[MODEL_PARTITIONS_MAX];
} call;

/* What planted_test breaks on purpose, to see that it is found. */
typedef enum planted {
    PLANTED_NOTHING,
    PLANTED_WRONG_PARTITION, /* a write applied to another partition */
    PLANTED_SWAPPED,         /* two writes to one entity change places in the sort */
    PLANTED_NOT_FLUSHED,     /* a partition whose batch is not installed */
    PLANTED_NOT_FED,         /* a mirror that is not given the slices of one partition */
    PLANTED_NOT_BEGUN,       /* a reader without a catch-up in one partition */
    PLANTED_ENDED_EARLY,     /* a reader live in all partitions as soon as it is in one */
    PLANTED_COUNT
} planted;

typedef struct run {
    uint64_t seed, step;
    bool verbose;
    bool counted;  /* the engines' memory comes from here */
    bool starving; /* and now and then there is none */
    planted planted;
    uint64_t planted_times;
    world world;
    part parts[MODEL_PARTITIONS_MAX];
    unsigned partitions;
    model *model;
    call call;
    reader readers[READERS_MAX];
    kept_slice kept[KEPT_MAX];
    size_t kept_count;
    totals *totals;
} run;

/* Runs the history of a seed; ends the process at the first difference. Returns how often the fault was planted. */
uint64_t history_run(uint64_t seed, bool verbose, planted planted, totals *t);

/* Whether to do it wrong here: this is the fault to plant, and there is another partition to confuse one with. */
bool plant(run *r, planted planted);

/* planted.c: every planted fault is found; ends the process if one is not. */
void planted_test(void);

static inline part *draw_part(run *r) {
    return &r->parts[rng_below(&r->world.random, r->partitions)];
}

/* Says what differs and how to replay it, and ends the process with 1. */
_Noreturn void fail(const run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace(const run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *id_text(const uint8_t id[CVG_ID_BYTES]); /* hexadecimal; valid until the next call */

#define REQUIRE(r, condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition)) fail((r), __VA_ARGS__);                                                                      \
    } while (0)

/* `expected` and `got` are u64; `what` is a literal, `id` may be NULL. */
#define EQUAL(r, what, id, expected, got)                                                                              \
    do {                                                                                                               \
        uint64_t expected_ = (expected), got_ = (got);                                                                 \
        if (expected_ != got_) differs((r), (what), (id), expected_, got_);                                            \
    } while (0)
_Noreturn void differs(const run *r, const char *what, const uint8_t *id, uint64_t expected, uint64_t got);

/* `expected` is the row's data as the model has it. */
void equal_data(const run *r, const model_kind *kind, const char *what, const uint8_t *id, const uint8_t *expected,
                uint32_t bytes, cvg_data got);

/* memory.c */
cvg_allocator memory_allocator(memory *m);
void memory_starve(run *r, part *part); /* seldom, in some histories: an allocation of the next call fails, or all */
bool memory_feed(run *r, part *part);   /* there is memory again; whether an allocation has failed meanwhile */

/* churn.c: rows that change for long take no more memory than rows that change for a while. */
void churn_test(void);

/* compare.c */
void compare_batch(run *r, part *part, bool just_sealed); /* the model has sealed too; now the changes are remembered */
void compare_installed(const run *r, const part *part);   /* scans, counts, statistics */
void compare_row(const run *r, const model_entity *entity, const cvg_row *row);
void compare_batch_frames(run *r, const part *part, const model_kind *kind, cvg_class klass, const cvg_slices *slices);
void equal_state(const run *r, const model_kind *kind, const char *what, const uint8_t *id, const model_state *expected,
                 cvg_data got); /* data that the core hands out, beside a state of the model */

/* The two zones of a frame's data. */
cvg_data zones(const uint8_t *data, uint32_t bytes, uint32_t fixed_bytes);

/* queries.c */
void compare_query(run *r, const model_kind *kind, const uint8_t id[CVG_ID_BYTES]);
void compare_unknown_kind(run *r, part *part);

/* writes.c */
void apply(run *r); /* the writes of one call, to every partition its part of them */

/* flush.c */
void seal(run *r, part *part);    /* closes the window, unless a batch is held; then the refusal is the point */
void install(run *r, part *part); /* the batch held, if there is one */
void encode_for_nobody(run *r, part *part);

/* definitions.c: which kinds are refused, and that everything at a limit is not; ends the process if it is wrong. */
void definitions_test(void);

/* kept.c */
void kept_take(run *r, const part *part, const cvg_slices *slices);
void kept_check(const run *r);
void kept_drop(run *r, size_t index);
uint64_t kept_capacity(const run *r, const part *part); /* of the partition's distinct segments kept */

/* readers.c */
void reader_begin(run *r);
void reader_step(run *r);
void reader_demote(run *r); /* a live feed, or all of a reader's, become catch-ups from nothing */
void reader_end(run *r, reader *reader);
void readers_feed(run *r, part *part); /* the sealed batch, to every reader that is live in the partition */
void readers_installed(run *r, const part *part, const uint64_t changes[]);
void readers_finish(run *r); /* all of them live and equal, then ended */

/* mirrors.c */
uint64_t mirror_receive(run *r, reader *reader, const part *part, const cvg_slices *slices); /* merged; their bytes */
void mirror_begin(reader *reader, const part *part); /* a catch-up of the partition: its frames are counted anew */
void mirror_end(reader *reader);
/* What the mirror has of the partition is its installed state. */
void mirror_equal(const run *r, reader *reader, const part *part);
/* It has all that has not changed in the partition since the sequence. */
void mirror_reached(const run *r, reader *reader, const part *part, uint64_t sequence);
/* Its frames since mirror_begin: each live entity once. */
void mirror_once(const run *r, reader *reader, const part *part);

#endif
