/*
 * What the tests of the write half share: an engine with one kind of small scalars, writes in one call, and rows read
 * back. The allocator and the random numbers are those of read_support.h.
 */
#ifndef WRITE_SUPPORT_H
#define WRITE_SUPPORT_H

#include "read_support.h"

#include "engine.h"

enum { KIND = 7 };

static void make_id(uint8_t id[CVG_ID_BYTES], uint64_t entity) {
    memset(id, 0, CVG_ID_BYTES);
    cvgi_store64(id + 24, entity);
}

/* a u64, b u32, c u16 (owners: sources 0 and 1, cleared when the last retracts), d u8 (owner: source 2, kept). */
enum { A = 1, B = 2, C = 4, D = 8, ALL = 15, ROW_BYTES = 15 };
static const cvg_field ROW_FIELDS[] = {
    {.type = CVG_U64},
    {.type = CVG_U32},
    {.type = CVG_U16, .owners = 3, .on_retract = CVG_CLEAR},
    {.type = CVG_U8, .owners = 4},
};
static const cvg_definition ROW_DEFINITION = {.fields = ROW_FIELDS, .field_count = 4, .schema = 1};

typedef struct values {
    uint64_t a;
    uint32_t b;
    uint16_t c;
    uint8_t d;
} values;

static void pack(uint8_t data[ROW_BYTES], values v) {
    cvgi_store64(data, v.a);
    cvgi_store32(data + 8, v.b);
    cvgi_store16(data + 12, v.c);
    data[14] = v.d;
}

static values unpack(const uint8_t *data) {
    return (values){cvgi_load64(data), cvgi_load32(data + 8), cvgi_load16(data + 12), data[14]};
}

static cvg_engine *make_engine_with(test_allocator *allocator, const cvg_definition *definition, uint64_t pending_max) {
    cvg_options options = {.hash_seed = 99, .pending_bytes_max = pending_max};
    if (allocator)
        options.allocator = (cvg_allocator){.context = allocator, .allocate = test_allocate, .release = test_release};
    cvg_engine *engine;
    assert_int_equal(cvg_engine_create(&options, &engine), CVG_OK);
    assert_int_equal(cvg_kind_create(engine, KIND, definition), CVG_OK);
    return engine;
}

static cvg_engine *make_engine(test_allocator *allocator) {
    return make_engine_with(allocator, &ROW_DEFINITION, 0);
}

/* One write; its status, and the ordinal at fault where the caller asks. */
static int write_op(cvg_engine *engine, cvg_op op, uint16_t *field) {
    cvg_refusal refusal = {0};
    cvg_applied applied;
    int status = cvg_apply(engine, &op, 1, &refusal, 1, &applied);
    if (status != CVG_OK) {
        assert_int_equal(applied.consumed, 0);
        return status;
    }
    assert_int_equal(applied.consumed, 1);
    if (applied.refused == 0) return CVG_OK;
    if (field) *field = refusal.field;
    assert_int_equal(refusal.index, 0);
    return refusal.status;
}

static int do_assert(cvg_engine *engine, uint8_t source, uint64_t entity, values v) {
    uint8_t id[CVG_ID_BYTES], data[ROW_BYTES];
    make_id(id, entity);
    pack(data, v);
    return write_op(engine,
                    (cvg_op){.id = id,
                             .data = data,
                             .data_bytes = ROW_BYTES,
                             .kind = KIND,
                             .code = CVG_ASSERT,
                             .source = source,
                             .schema = 1},
                    NULL);
}

/* `data` as packed by hand. */
static int do_patch(cvg_engine *engine, uint8_t source, uint64_t entity, uint64_t mask, const void *data,
                    uint32_t bytes) {
    uint8_t id[CVG_ID_BYTES];
    make_id(id, entity);
    return write_op(engine,
                    (cvg_op){.id = id,
                             .data = data,
                             .mask = mask,
                             .data_bytes = bytes,
                             .kind = KIND,
                             .code = CVG_PATCH,
                             .source = source,
                             .schema = 1},
                    NULL);
}

static int do_retract(cvg_engine *engine, uint8_t source, uint64_t entity) {
    uint8_t id[CVG_ID_BYTES];
    make_id(id, entity);
    return write_op(engine, (cvg_op){.id = id, .kind = KIND, .code = CVG_RETRACT, .source = source}, NULL);
}

static const cvg_batch *do_seal(cvg_engine *engine) {
    const cvg_batch *batch = NULL;
    assert_int_equal(cvg_seal(engine, &batch), CVG_OK);
    return batch;
}

/* Seals and installs; the number of changes. */
static size_t do_flush(cvg_engine *engine) {
    const cvg_batch *batch = do_seal(engine);
    size_t changes = cvg_batch_changes(batch, KIND);
    cvg_install(engine, batch);
    return changes;
}

static cvg_row get(const cvg_engine *engine, uint64_t entity) {
    uint8_t id[CVG_ID_BYTES];
    make_id(id, entity);
    cvg_row row;
    assert_int_equal(cvg_query(engine, KIND, id, &row), CVG_OK);
    return row;
}

static void expect_alive(const cvg_engine *engine, uint64_t entity, uint64_t version, uint64_t set, values v) {
    cvg_row row = get(engine, entity);
    assert_int_equal(row.presence, CVG_ALIVE);
    assert_int_equal(row.version, version);
    assert_int_equal(row.source_set, set);
    assert_int_equal(row.data.fixed_bytes, ROW_BYTES);
    assert_int_equal(row.data.variable_bytes, 0);
    assert_null(row.data.variable);
    values is = unpack(row.data.fixed);
    assert_int_equal(is.a, v.a);
    assert_int_equal(is.b, v.b);
    assert_int_equal(is.c, v.c);
    assert_int_equal(is.d, v.d);
}

static cvg_stats stats_of(const cvg_engine *engine) {
    cvg_stats stats;
    cvg_stats_read(engine, &stats);
    return stats;
}

#endif
