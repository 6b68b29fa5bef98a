/*
 * converge.h - the ConvergeDB core: current state from many writers, as a library.
 *
 *   operations -> merge -> pending rows -> cvg_seal -> batch -> cvg_encode -> slices of shared segments
 *                                                        \---> cvg_install -> table -> queries, catch-up
 *
 * Model. An *engine* holds one partition: its kinds, their rows, and what the open window has changed. Sources (0..63)
 * assert, patch and retract entities; writes to one entity inside a window merge into one pending row. cvg_seal closes
 * the window and yields a *batch*: every row that really changed, old and new. cvg_install makes the batch visible to
 * queries. Between the two a program may write a log; meanwhile the next window fills on top of the sealed batch.
 *
 * What it does not do. No system call, clock, thread or stdio: memory comes from the allocator in the options, time and
 * seeds are values. The same calls in the same order give the same bytes.
 *
 * Threads. One engine is used by one thread at a time. There is no global state: engines are independent of each other.
 * Segments alone may be retained and released, and the bytes of a slice read, on any thread.
 *
 * Ownership. Pointers handed in (operations and all they point to) are read during the call and never kept. Pointers
 * handed out say how long they live. Nothing points into a row across a call that changes the engine (cvg_apply,
 * cvg_seal, cvg_install, cvg_engine_destroy). Pointers handed in are not NULL where it is not said that they may be.
 *
 * Errors. Functions return CVG_OK (0) or a negative cvg_status, listed at each; an error leaves the engine as it was
 * and usable, and writes nothing to where a result would go. Breaking a condition stated at a call (a batch that is not
 * the sealed one, an index out of range) is a bug: the core stops the process, in every build.
 *
 * Frames. Slices hold frames of the wire protocol (docs/PROTOCOL.md), STATE and DELETED. From a frame's first byte:
 * opcode u16 at 4, payload bytes u32 at 6, id at 20, version u64 at 52; in a STATE also source set u64 at 60, changed
 * fields u64 at 68, bytes of the fixed zone u32 at 76, bytes of the data u32 at 80, the data at 84.
 *
 * Valid C11 and C++17; little-endian machines only (rows and frames are little-endian bytes). Before version 1.0
 * structs may grow from one version to the next: compile against the header of the library that you link.
 */
#ifndef CONVERGE_H
#define CONVERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CVG_VERSION_MAJOR 0
#define CVG_VERSION_MINOR 1
#define CVG_VERSION_PATCH 0
#define CVG_VERSION ((uint32_t)(CVG_VERSION_MAJOR << 16 | CVG_VERSION_MINOR << 8 | CVG_VERSION_PATCH))

/* The CVG_VERSION that the library was built with: a program that finds another than its own was compiled against the
 * header of another version. */
uint32_t cvg_version(void);

#define CVG_ID_BYTES 32
#define CVG_SOURCES 64               /* sources 0..63: one bit each in a source set (K5) */
#define CVG_FIELDS_MAX 64            /* top-level fields of a kind (K5) */
#define CVG_PARTITIONS_MAX 64        /* that a program may sort writes by (cvg_route) */
#define CVG_ROW_BYTES_MAX (1u << 20) /* largest possible row of a kind (K5) */
#define CVG_ROW_HEADER_BYTES 50      /* id 32, source set 8, version 8, schema version 1, flags 1 */
#define CVG_SEGMENT_BYTES (64u << 10)

typedef enum cvg_status {
    CVG_OK = 0,
    CVG_E_MEMORY = -1,     /* the allocator returned NULL */
    CVG_E_KIND = -2,       /* no kind with this number */
    CVG_E_EXISTS = -3,     /* the kind number is taken */
    CVG_E_DEFINITION = -4, /* a field's type, max or the row's size is outside the limits (K3, K5) */
    CVG_E_OPERATION = -5,  /* not one of the operation codes */
    CVG_E_SOURCE = -6,     /* source above 63 */
    CVG_E_SCHEMA = -7,     /* the write's schema version is not one of the kind's */
    CVG_E_LENGTH = -8,     /* data is not exactly as long as the kind, or the masked fields, say (K4) */
    CVG_E_MASK = -9,       /* the presence mask names a field that the kind does not have */
    CVG_E_BOOL = -10,      /* a bool is neither 0 nor 1 */
    CVG_E_TOO_LONG = -11,  /* a string or bytes value, or an array, is longer than its max */
    CVG_E_UTF8 = -12,      /* a string is not valid UTF-8 */
    CVG_E_PADDING = -13,   /* bytes behind the end of an inline string or bytes value are not zero */
    CVG_E_NOT_OWNER = -14, /* the patch names a field owned by other sources (W5) */
    CVG_E_PENDING = -15,   /* the pending rows have reached their bound: seal, then go on (F1) */
    CVG_E_SEALED = -16,    /* a sealed batch waits for cvg_install (F2: one at a time) */
    CVG_E_EMPTY = -17,     /* nothing pending, nothing to seal */
    CVG_E_ROWS = -18,      /* the kind has reached 2^32 - 2 rows */
    CVG_E_SPACE = -19      /* the buffer given is too small */
} cvg_status;

/* A short constant sentence for a status; never NULL. */
const char *cvg_status_text(int status);

/* ---------------------------------------------------------------------------------------------------------- memory */

/* Where an engine's memory comes from. All zero: malloc and free. `allocate` returns memory aligned to `alignment` (a
 * power of two) or NULL; `release` gets the size that was asked for. Segments may be released on other threads, so both
 * must be thread-safe if segments leave the engine's thread. The context must outlive the engine and its segments. */
typedef struct cvg_allocator {
    void *context;
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    void (*release)(void *context, void *pointer, size_t bytes);
} cvg_allocator;

/* All zero is valid: malloc, seed 0, default bounds. */
typedef struct cvg_options {
    cvg_allocator allocator;
    uint64_t hash_seed;         /* ids are hostile input: give it from a random source, and store it with the data */
    uint64_t pending_bytes_max; /* bound of the open window's rows; 0: 64 MiB */
} cvg_options;

typedef struct cvg_engine cvg_engine;

/* `options` NULL: all zero. CVG_E_MEMORY. The caller owns *engine and ends it with cvg_engine_destroy. */
int cvg_engine_create(const cvg_options *options, cvg_engine **engine);

/* Frees everything but the segments still retained elsewhere; those live until their last release. Catch-ups
 * still under way end with it. NULL is allowed. */
void cvg_engine_destroy(cvg_engine *engine);

/* ----------------------------------------------------------------------------------------------------------- kinds */

/* Field types (K3). The numbers are those of the wire and of files. */
typedef enum cvg_type {
    CVG_U8 = 1,
    CVG_U16 = 2,
    CVG_U32 = 3,
    CVG_U64 = 4,
    CVG_U128 = 5,
    CVG_I8 = 6,
    CVG_I16 = 7,
    CVG_I32 = 8,
    CVG_I64 = 9,
    CVG_F32 = 10,
    CVG_F64 = 11,
    CVG_BOOL = 12,
    CVG_STRING = 13,    /* inline: u16 length + max bytes of UTF-8, the rest zero */
    CVG_BYTES = 14,     /* inline: u16 length + max bytes, the rest zero */
    CVG_VARSTRING = 15, /* variable: UTF-8, at most max bytes */
    CVG_VARBYTES = 16,  /* variable: at most max bytes */
    CVG_ARRAY = 17,     /* variable: at most max elements of one type */
    CVG_STRUCT = 18     /* its members, packed; one level deep */
} cvg_type;

typedef enum cvg_on_retract { CVG_KEEP = 0, CVG_CLEAR = 1 } cvg_on_retract;

/* A member of a struct: a scalar, or an inline string or bytes value. */
typedef struct cvg_member {
    uint16_t max; /* bytes of a string or bytes value; else 0 */
    uint8_t type; /* CVG_U8 to CVG_BYTES */
} cvg_member;

typedef struct cvg_field {
    uint64_t owners;           /* sources that may write the field; 0: every source (W5) */
    const cvg_member *members; /* of a STRUCT, or of an ARRAY whose elements are STRUCT */
    uint16_t max;         /* STRING, BYTES, VARSTRING, VARBYTES: bytes, 1..65,535; ARRAY: elements, 1..1,024; else 0 */
    uint16_t element_max; /* ARRAY of STRING or BYTES: bytes of an element, 1..65,535; else 0 */
    uint8_t type;         /* cvg_type */
    uint8_t on_retract;   /* cvg_on_retract: when the last owner retracts while others still assert (W5) */
    uint8_t element;      /* ARRAY: type of its elements, CVG_U8 to CVG_BYTES or CVG_STRUCT; else 0 */
    uint8_t member_count; /* of members, 1..64; else 0 */
} cvg_field;

/* Row data has two zones. The fixed zone holds every field at its offset, packed, in ordinal order; a variable field
 * (VARSTRING, VARBYTES, ARRAY) has there a u32: its length in bytes, or its number of elements. The variable zone holds
 * the bytes of all variable fields, in ordinal order. In operations and frames the one follows the other; in rows
 * handed out they are two pointers, because the variable zone lives in a block of its own. The data of a PATCH has the
 * same two zones, of the masked fields only. */
typedef struct cvg_definition {
    const cvg_field *fields; /* in ordinal order */
    uint16_t field_count;    /* 1..64 */
    uint8_t schema;          /* schema version, 1 at first registration */
} cvg_definition;

/* Registers a kind under a number chosen by the caller (1..65,535), the same in every partition.
 * CVG_E_KIND (0), CVG_E_EXISTS, CVG_E_DEFINITION, CVG_E_MEMORY. */
int cvg_kind_create(cvg_engine *engine, uint16_t kind, const cvg_definition *definition);

/* Takes back a kind that nothing has been written to and nobody reads: when it could not be created in every partition.
 * CVG_E_KIND. */
int cvg_kind_discard(cvg_engine *engine, uint16_t kind);

/* Bytes of the fixed zone of the kind's rows, or 0 when there is no such kind. */
uint32_t cvg_kind_fixed_bytes(const cvg_engine *engine, uint16_t kind);

/* --------------------------------------------------------------------------------------------------------- writing */

typedef enum cvg_code { CVG_ASSERT = 2, CVG_RETRACT = 3, CVG_PATCH = 8 } cvg_code; /* the wire's opcodes */

/* One write. 48 bytes, so that an array of them streams through the cache. */
typedef struct cvg_op {
    const uint8_t *id;   /* 32 bytes */
    const uint8_t *data; /* may be NULL if data_bytes is 0. ASSERT: the whole row's data; PATCH: the masked fields,
                            packed in ordinal order */
    uint64_t mask;       /* PATCH: presence mask, bit n = field n; else 0 */
    uint64_t ordinal;    /* the caller's: number of the write on its connection (W4); not read by the core */
    uint32_t data_bytes;
    uint32_t connection; /* the caller's; not read by the core */
    uint16_t kind;
    uint8_t code;   /* cvg_code */
    uint8_t source; /* 0..63 */
    uint8_t schema; /* ASSERT, PATCH: schema version the data was encoded with */
    uint8_t reserved[3];
} cvg_op;

/* A write that was refused (W4). */
typedef struct cvg_refusal {
    uint32_t index; /* in the array given to cvg_apply */
    int16_t status; /* cvg_status */
    uint16_t field; /* ordinal of the field at fault, or 65,535 */
} cvg_refusal;

typedef struct cvg_applied {
    size_t consumed; /* operations looked at, from the front: applied + refused */
    size_t refused;  /* entries written to refusals */
} cvg_applied;

/* Applies operations in order (W1-W6). A refused operation changes nothing and does not stop the others (W9).
 * It stops early, with `consumed < count`, in two cases: CVG_E_PENDING (the window is full: seal, install, call again
 * with the rest) and `refused == refusals_max` (CVG_OK: report them, call again). CVG_OK, CVG_E_PENDING. Running out of
 * memory refuses the one write (F5). `refusals_max` must be at least 1. */
int cvg_apply(cvg_engine *engine, const cvg_op *ops, size_t count, cvg_refusal *refusals, size_t refusals_max,
              cvg_applied *applied);

/* Rows and bytes waiting in the open window. Zero rows: the partition is clean and no window is open (F1). */
typedef struct cvg_pending {
    uint64_t rows;
    uint64_t bytes;
} cvg_pending;
cvg_pending cvg_pending_size(const cvg_engine *engine);

/* ------------------------------------------------------------------------------------------------------ partitions */

/* A program with several engines gives every entity to one of them: to that of its partition, 0..partitions-1. `seed`
 * is the same for all calls, from a random source, stored with the data, and not the engines' hash_seed.
 * `partitions` is at least 1. */
uint32_t cvg_partition_of(const uint8_t *id, uint64_t seed, uint32_t partitions);

/* Sorts writes by partition; those of one partition keep their order. `sorted` gets them all, those of partition p
 * from ends[p - 1] (0 for the first) to ends[p]; `numbers` is room for `count` numbers, which are each write's
 * partition afterwards. `partitions` is 1..CVG_PARTITIONS_MAX, `sorted` and `ops` do not overlap. */
void cvg_route(const cvg_op *ops, size_t count, uint64_t seed, uint32_t partitions, uint16_t *numbers, cvg_op *sorted,
               uint32_t *ends);

/* ------------------------------------------------------------------------------------------------- seal and install */

/* Row data as it is stored: two zones. `fixed` NULL: there is none. Kinds without variable fields have no variable zone
 * (NULL, 0). */
typedef struct cvg_data {
    const uint8_t *fixed;
    const uint8_t *variable;
    uint32_t fixed_bytes;
    uint32_t variable_bytes;
} cvg_data;

typedef enum cvg_what {
    CVG_CREATED = 1,
    CVG_UPDATED = 2,
    CVG_DELETED = 3,
    CVG_SOURCE_CHANGE = 4 /* only the source set changed: stored and logged, no version, no notification (W8, R9) */
} cvg_what;

typedef enum cvg_reason { CVG_REASON_CATCH_UP = 0, CVG_REASON_RETRACT = 1 } cvg_reason;

/* One changed entity of a sealed batch. Pointers are valid until cvg_install of that batch. */
typedef struct cvg_change {
    const uint8_t *id;   /* 32 bytes */
    cvg_data data;       /* the new row's; none when deleted */
    cvg_data previous;   /* the row's before this flush; none when created */
    uint64_t source_set; /* after the flush; 0 when deleted */
    uint64_t version;    /* after the flush (W7) */
    uint64_t changed;    /* bit n: field n differs; created: all fields; deleted, source change: 0 */
    uint8_t what;        /* cvg_what */
    uint8_t reason;      /* cvg_reason, of a deletion */
} cvg_change;

typedef struct cvg_batch cvg_batch; /* owned by the engine, immutable, valid until its cvg_install returns */

/* Closes the open window: diffs pending rows against their base, drops what is equal, assigns versions and the next
 * sequence. New writes may follow at once; they open the next window on top of this batch. A window in which nothing
 * really changed gives a batch without changes, which must be installed all the same and takes no sequence.
 * A batch cannot be taken back: whoever cannot log it leaves it uninstalled and destroys the engine.
 * CVG_E_SEALED (the previous batch is not installed yet), else CVG_E_EMPTY; CVG_E_MEMORY (the window stays open). */
int cvg_seal(cvg_engine *engine, const cvg_batch **batch);

uint64_t cvg_batch_sequence(const cvg_batch *batch); /* of this flush; of the last one, or 0, if nothing changed */
size_t cvg_batch_changes(const cvg_batch *batch, uint16_t kind); /* entities changed in the kind */

/* The index-th change of the kind, in the order of each entity's first write in the window. `index` below
 * cvg_batch_changes. */
void cvg_batch_change(const cvg_batch *batch, uint16_t kind, size_t index, cvg_change *change);

/* Makes the sealed batch the installed state, marks it in every catch-up, and ends the batch. Never fails. */
void cvg_install(cvg_engine *engine, const cvg_batch *batch);

/* --------------------------------------------------------------------------------------------------------- queries */

typedef enum cvg_presence { CVG_NOT_FOUND = 0, CVG_ALIVE = 1, CVG_TOMBSTONE = 2 } cvg_presence;

/* An installed row (F3). Pointers are valid until the next call that changes the engine. */
typedef struct cvg_row {
    const uint8_t *id;
    cvg_data data;    /* none unless alive */
    uint64_t version; /* of a tombstone: the version its deletion was given */
    uint64_t source_set;
    uint8_t presence; /* cvg_presence */
    uint8_t schema;
} cvg_row;

/* R1. CVG_E_KIND. Not found is CVG_OK with presence CVG_NOT_FOUND. */
int cvg_query(const cvg_engine *engine, uint16_t kind, const uint8_t id[CVG_ID_BYTES], cvg_row *row);

/* Walks the installed rows and tombstones of a kind in row order: start with *cursor = 0, call until false. */
bool cvg_scan(const cvg_engine *engine, uint16_t kind, uint64_t *cursor, cvg_row *row);

/* Writes a whole QUERY_RESULT frame with the given stream id into buffer. CVG_E_KIND, CVG_E_SPACE. */
int cvg_encode_query(const cvg_engine *engine, uint16_t kind, const uint8_t id[CVG_ID_BYTES], uint16_t stream,
                     uint8_t *buffer, size_t capacity, size_t *bytes);

/* One of many queries that are answered together. */
typedef struct cvg_lookup {
    const uint8_t *id; /* 32 bytes */
    uint16_t kind;
    uint16_t stream; /* stream id of the answer */
} cvg_lookup;

typedef struct cvg_answered {
    size_t count; /* lookups answered, from the front */
    size_t bytes; /* of their frames */
} cvg_answered;

/* Writes the QUERY_RESULT frames of all lookups into buffer, in their order, one right behind the other. Their cache
 * misses overlap: with millions of rows several times as fast as one at a time. On an error `answered` says what was
 * written before the lookup at fault. CVG_E_KIND, CVG_E_SPACE (hand in the rest with a new buffer). */
int cvg_encode_queries(const cvg_engine *engine, const cvg_lookup *lookups, size_t count, uint8_t *buffer,
                       size_t capacity, cvg_answered *answered);

/* Buffer size that every QUERY_RESULT of the kind fits in; 0: no such kind. */
size_t cvg_query_frame_bytes_max(const cvg_engine *engine, uint16_t kind);

/* How many entities source (0..63) asserts in the installed state. */
uint64_t cvg_source_entities(const cvg_engine *engine, uint8_t source);

/* -------------------------------------------------------------------------------------------------------- segments */

/* A block of encoded frames, shared by every reader that is sent it. Bytes inside a published slice never change. The
 * reference count is atomic. */
typedef struct cvg_segment {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t used;
    uint32_t references;
    void (*dispose)(struct cvg_segment *segment); /* called by the last release */
    void *owner;
} cvg_segment;

/* Inline, so that who only sends segments need not link the core. A language that cannot call them copies the bytes. */
static inline void cvg_segment_retain(cvg_segment *segment) {
    __atomic_add_fetch(&segment->references, 1, __ATOMIC_RELAXED);
}
static inline void cvg_segment_release(cvg_segment *segment) {
    if (__atomic_sub_fetch(&segment->references, 1, __ATOMIC_ACQ_REL) == 0) segment->dispose(segment);
}

/* Whole frames inside one segment. */
typedef struct cvg_slice {
    cvg_segment *segment;
    uint32_t offset;
    uint32_t bytes;
    uint32_t frames;
} cvg_slice;

/* The engine's answer: valid, and its segments held by the engine, until the next call on the engine that returns
 * slices. Who needs a segment longer retains it. */
typedef struct cvg_slices {
    const cvg_slice *items;
    size_t count;
} cvg_slices;

/* A class of subscription: subscribers that get the same bytes. */
typedef enum cvg_class_flags { CVG_CLASS_PREVIOUS = 1 /* STATE and DELETED carry the data before */ } cvg_class_flags;
typedef struct cvg_class {
    uint16_t number; /* written into every frame */
    uint16_t flags;  /* cvg_class_flags */
} cvg_class;

/* Encodes the batch's changes of one kind for one class: STATE (created, updated) and DELETED frames, in batch order,
 * into shared segments. Call before cvg_install of the batch. CVG_E_KIND, CVG_E_MEMORY (nothing was encoded: its live
 * readers of this kind and class have to start over by catch-up). */
int cvg_encode(cvg_engine *engine, const cvg_batch *batch, uint16_t kind, cvg_class klass, cvg_slices *slices);

/* -------------------------------------------------------------------------------------------------------- catch-up */

/* The rows one reader has still to be sent (R3), in rounds: a range of row numbers plus a bitmap of rows that changed
 * behind it. Its memory does not depend on the write rate. */
typedef struct cvg_catchup cvg_catchup;

/* Starts a bootstrap: the first round is every live row of the kind. From here on cvg_install marks what changes.
 * CVG_E_KIND, CVG_E_MEMORY. The caller ends it with cvg_catchup_end. */
int cvg_catchup_begin(cvg_engine *engine, uint16_t kind, cvg_class klass, cvg_catchup **catchup);

/* Starts a catch-up with nothing in it, ended like the other. Begun between cvg_seal and cvg_install it holds what that
 * batch changes: for a reader that has everything before it but cannot be given it whole. CVG_E_KIND, CVG_E_MEMORY. */
int cvg_catchup_begin_empty(cvg_engine *engine, uint16_t kind, cvg_class klass, cvg_catchup **catchup);

typedef struct cvg_catchup_progress {
    bool live;         /* nothing is left: the reader has everything installed, up to `sequence`; feed it every batch
                          that is installed from now on, the one now sealed included */
    uint64_t rounds;   /* rounds ended so far */
    uint64_t sequence; /* everything up to this flush has been sent (the point a token names); 0 before round 1 of a
                          bootstrap ends */
    uint64_t rows;     /* frames handed out so far */
} cvg_catchup_progress;

/* Encodes more rows: STATE of type snapshot, or DELETED with reason 0 for a marked row that is gone. Stops at about
 * byte_budget bytes (at least one row; a dead row that is passed over counts 16), or when nothing is left. CVG_E_MEMORY
 * (nothing was consumed: try later; a step that
 * could walk on a little returns CVG_OK). */
int cvg_catchup_step(cvg_engine *engine, cvg_catchup *catchup, size_t byte_budget, cvg_slices *slices,
                     cvg_catchup_progress *progress);

/* Live rows of the round that are still to send, as an estimate. */
uint64_t cvg_catchup_estimate(const cvg_catchup *catchup);

/* Ends a catch-up, whether or not it is live. NULL is allowed. */
void cvg_catchup_end(cvg_engine *engine, cvg_catchup *catchup);

/* ------------------------------------------------------------------------------------------------------ statistics */

typedef struct cvg_stats {
    uint64_t entities;   /* alive, installed */
    uint64_t tombstones; /* installed */
    uint64_t applied;    /* operations accepted since creation */
    uint64_t refused;
    uint64_t created, updated, deleted; /* notifiable changes since creation */
    uint64_t revived;                   /* of the created: from a tombstone (W6) */
    uint64_t deduplicated;              /* pending rows that ended as they began (W8) */
    uint64_t flushes;                   /* batches with at least one change */
    uint64_t sequence;                  /* of the last sealed flush */
    uint64_t pending_rows, pending_bytes, pending_bytes_peak, pending_bytes_max;
    uint64_t memory_bytes;  /* allocated by the engine, segments included */
    uint64_t segment_bytes; /* of it, in segments alive anywhere */
    uint64_t catchups;      /* readers in catch-up */
} cvg_stats;

void cvg_stats_read(const cvg_engine *engine, cvg_stats *stats);

/* Alive entities of one kind; 0 when there is no such kind. */
uint64_t cvg_kind_entities(const cvg_engine *engine, uint16_t kind);

#ifdef __cplusplus
}
#endif
#endif
