/*
 * self_test.c - the model has to be right before it can judge: one short case for each rule it decides by.
 *
 * The plain kind: field 0 u8, anyone's; field 1 u8, owned by source 1, cleared when it retracts; field 2 string(4).
 * The variable kind: 0 varstring(3); 1 u8; 2 array(bool, 2), owned by source 1, cleared; 3 struct of string(2) and
 * bool; 4 array of structs of u8 and bytes(1), at most 2. Its fixed zone: 4 + 1 + 4 + 5 + 4 bytes.
 */
#include "self_test.h"
#include "generate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t first_id[CVG_ID_BYTES] = {1};

static void check(bool good, const char *rule) {
    if (good) return;
    printf("FAILED the model itself: %s\n", rule);
    exit(1);
}

static model *new_model(void) {
    static const cvg_field fields[] = {
        {.type = CVG_U8}, {.type = CVG_U8, .owners = 2, .on_retract = CVG_CLEAR}, {.type = CVG_STRING, .max = 4}};
    model *m = model_create(1);
    model_kind_create(m, 7, &(cvg_definition){.fields = fields, .field_count = 3, .schema = 1});
    return m;
}

static int write_op(model *m, uint8_t code, uint8_t source, uint64_t mask, const char *data, uint32_t bytes) {
    cvg_op op = {.id = first_id,
                 .data = (const uint8_t *)data,
                 .mask = mask,
                 .data_bytes = bytes,
                 .kind = 7,
                 .code = code,
                 .source = source,
                 .schema = 1};
    return model_apply(m, 0, &op).status;
}

static int assert_op(model *m, uint8_t source, const char *row) {
    return write_op(m, CVG_ASSERT, source, 0, row, 8);
}
static int retract_op(model *m, uint8_t source) {
    return write_op(m, CVG_RETRACT, source, 0, NULL, 0);
}

/* The only change of the flush, or 0. */
static uint8_t flush(model *m) {
    if (!model_seal(m, 0)) return 0;
    uint8_t what = m->kinds[0]->shares[0].batch_count > 0 ? m->kinds[0]->shares[0].batch[0].what : 0;
    model_install(m, 0);
    return what;
}

static const model_state *installed(const model *m) {
    return &model_find(m->kinds[0], first_id)->installed;
}

static void test_versions(void) {
    model *m = new_model();
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    check(flush(m) == CVG_CREATED && installed(m)->version == 1, "W7: a new entity has version 1");
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    check(flush(m) == 0 && installed(m)->version == 1 && m->parts[0].sequence == 1,
          "W8: identical is silent, no sequence");
    assert_op(m, 2, "\5\7\1\0a\0\0\0");
    check(flush(m) == CVG_SOURCE_CHANGE && installed(m)->version == 1 && installed(m)->source_set == 6 &&
              m->parts[0].sequence == 2,
          "W5, W8: another's field is left as it is; only the source set changes");
    assert_op(m, 2, "\6\7\1\0a\0\0\0");
    assert_op(m, 2, "\5\7\1\0a\0\0\0");
    check(flush(m) == 0 && m->parts[0].counts.unchanged == 2, "W8: A -> B -> A is silent");
    retract_op(m, 1);
    check(flush(m) == CVG_UPDATED && installed(m)->version == 2 && installed(m)->data[1] == 0 &&
              m->parts[0].counts.clears == 1,
          "W5: the last owner retracts, the field is cleared");
    retract_op(m, 2);
    check(flush(m) == CVG_DELETED && installed(m)->version == 3 && installed(m)->presence == CVG_TOMBSTONE,
          "W3: an empty set is a tombstone");
    check(retract_op(m, 2) == CVG_OK && model_window_rows(m, 0) == 0,
          "W3: retracting what is not asserted does nothing");
    write_op(m, CVG_PATCH, 3, 1, "\4", 1);
    check(flush(m) == CVG_CREATED && installed(m)->version == 4 && installed(m)->data[0] == 4 &&
              installed(m)->data[2] == 0 && m->parts[0].counts.revived == 1,
          "W6: a revival starts from zero, versions go on");
    check(model_at(model_find(m->kinds[0], first_id), 3).version == 2, "the past of an entity");
    model_destroy(m);
}

static void test_windows(void) {
    model *m = new_model();
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    retract_op(m, 1);
    check(flush(m) == 0 && m->parts[0].counts.no_trace == 1 && installed(m)->presence == CVG_NOT_FOUND,
          "W8: created and retracted inside one window leaves no trace");
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    check(model_seal(m, 0) && !model_seal(m, 0), "F2: one batch waits at a time");
    write_op(m, CVG_PATCH, 1, 2, "\11", 1);
    check(installed(m)->presence == CVG_NOT_FOUND, "F3: a sealed batch is not visible");
    model_install(m, 0);
    check(flush(m) == CVG_UPDATED && installed(m)->version == 2 && installed(m)->data[0] == 5 &&
              installed(m)->data[1] == 9,
          "F2: the next window stands on the sealed batch");
    retract_op(m, 1);
    write_op(m, CVG_PATCH, 1, 0, NULL, 0);
    check(flush(m) == CVG_UPDATED && installed(m)->data[0] == 0 && installed(m)->version == 3,
          "gone and back in one window is an Updated that starts from zero");
    model_destroy(m);
}

static void test_refusals(void) {
    model *m = new_model();
    check(write_op(m, 1, 0, 0, NULL, 0) == CVG_E_OPERATION, "an unknown code");
    check(assert_op(m, 64, "\5\6\1\0a\0\0\0") == CVG_E_SOURCE, "K5: source 64");
    check(write_op(m, CVG_ASSERT, 0, 0, "\5\6\1\0a\0\0", 7) == CVG_E_LENGTH, "K4: a byte short");
    check(assert_op(m, 0, "\5\6\5\0abcd") == CVG_E_TOO_LONG, "K4: 5 bytes where 4 fit");
    check(assert_op(m, 0, "\5\6\1\0ab\0\0") == CVG_E_PADDING, "K4: padding");
    check(assert_op(m, 0, "\5\6\2\0\300\200\0\0") == CVG_E_UTF8, "K4: overlong");
    check(assert_op(m, 0, "\5\6\3\0\355\240\200\0") == CVG_E_UTF8, "K4: a surrogate");
    check(assert_op(m, 0, "\5\6\4\0\364\217\277\277") == CVG_OK, "K4: U+10FFFF");
    check(write_op(m, CVG_PATCH, 0, 2, "\1", 1) == CVG_E_NOT_OWNER, "W5: a patch of another's field");
    check(write_op(m, CVG_PATCH, 0, 8, "\1", 1) == CVG_E_MASK, "W2: an unknown bit");
    check(m->parts[0].counts.refused == 9 && m->parts[0].counts.applied == 1, "W4: refusals are counted");
    model_destroy(m);
}

static model *new_variable_model(void) {
    static const cvg_member pair[] = {{.type = CVG_STRING, .max = 2}, {.type = CVG_BOOL}};
    static const cvg_member item[] = {{.type = CVG_U8}, {.type = CVG_BYTES, .max = 1}};
    static const cvg_field fields[] = {
        {.type = CVG_VARSTRING, .max = 3},
        {.type = CVG_U8},
        {.type = CVG_ARRAY, .element = CVG_BOOL, .max = 2, .owners = 2, .on_retract = CVG_CLEAR},
        {.type = CVG_STRUCT, .members = pair, .member_count = 2},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 2, .members = item, .member_count = 2}};
    model *m = model_create(1);
    model_kind_create(m, 7, &(cvg_definition){.fields = fields, .field_count = 5, .schema = 1});
    return m;
}

#define WRITE(m, code, source, mask, data) write_op((m), (code), (source), (mask), (data), sizeof(data) - 1)

/* Whether the installed row is exactly this. */
static bool holds_row(const model *m, const char *row, uint32_t bytes) {
    const model_state *state = installed(m);
    return state->bytes == bytes && memcmp(state->data, row, bytes) == 0;
}
#define HOLDS(m, row) holds_row((m), (row), sizeof(row) - 1)

static void test_variable(void) {
    static const char full[] = "\3\0\0\0\11\2\0\0\0\1\0a\0\1\1\0\0\0abc\1\0\7\1\0z";
    model *m = new_variable_model();
    check(m->kinds[0]->fixed_bytes == 18 && m->kinds[0]->bytes_max == 18 + 3 + 2 + 8, "K3: the zones' sizes");
    check(WRITE(m, CVG_ASSERT, 1, 0, full) == CVG_OK && flush(m) == CVG_CREATED && HOLDS(m, full),
          "K3: a row in two zones");
    check(WRITE(m, CVG_ASSERT, 1, 0, full) == CVG_OK && flush(m) == 0, "W8: the same variable bytes are silent");
    WRITE(m, CVG_PATCH, 1, 1 | 2, "\1\0\0\0\10x");
    check(flush(m) == CVG_UPDATED && installed(m)->version == 2 &&
              HOLDS(m, "\1\0\0\0\10\2\0\0\0\1\0a\0\1\1\0\0\0x\1\0\7\1\0z"),
          "W2: a variable field is replaced whole, the others move");
    WRITE(m, CVG_PATCH, 2, 1, "\1\0\0\0y");
    check(model_seal(m, 0) && m->kinds[0]->shares[0].batch[0].changed == 1,
          "W8: bytes that differ behind the same entry");
    model_install(m, 0);
    WRITE(m, CVG_PATCH, 2, 1, "\0\0\0\0");
    WRITE(m, CVG_PATCH, 2, 1, "\1\0\0\0y");
    check(flush(m) == 0, "W8: shorter and back is silent");
    retract_op(m, 1);
    check(model_seal(m, 0) && m->kinds[0]->shares[0].batch[0].changed == 4 && m->parts[0].counts.clears_variable == 1,
          "W5: a variable field is cleared");
    model_install(m, 0);
    check(HOLDS(m, "\1\0\0\0\10\0\0\0\0\1\0a\0\1\1\0\0\0y\7\1\0z"), "W5: cleared is empty");
    WRITE(m, CVG_ASSERT, 2, 0, full);
    check(flush(m) == CVG_UPDATED && HOLDS(m, "\3\0\0\0\11\0\0\0\0\1\0a\0\1\1\0\0\0abc\7\1\0z"),
          "W5: another's variable field is passed over, with its bytes");
    retract_op(m, 2);
    WRITE(m, CVG_PATCH, 1, 4, "\1\0\0\0\1");
    check(flush(m) == CVG_UPDATED && HOLDS(m, "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\1"),
          "W6: gone and back, variable fields are empty");
    model_destroy(m);
}

static bool refused(model *m, uint64_t mask, const char *data, uint32_t bytes, model_verdict expected) {
    cvg_op op = {.id = first_id, .data = (const uint8_t *)data, .mask = mask, .data_bytes = bytes, .kind = 7};
    op.code = CVG_PATCH;
    op.schema = op.source = 1;
    model_verdict got = model_check(m, &op);
    return got.status == expected.status && got.field == expected.field && got.also == expected.also &&
           (got.also == CVG_OK || got.also_field == expected.also_field) && got.inside == expected.inside;
}
#define REFUSED(m, mask, data, ...) refused((m), (mask), (data), sizeof(data) - 1, (model_verdict){__VA_ARGS__})

static void test_variable_refusals(void) {
    model *m = new_variable_model();
    const uint16_t none = MODEL_NO_FIELD;
    check(REFUSED(m, 32 | 1, "", CVG_E_MASK, .field = 5), "the mask comes before the length");
    check(REFUSED(m, 1, "\1\0\0", CVG_E_LENGTH, .field = none), "K4: half an entry");
    check(REFUSED(m, 1, "\1\0\0\0", CVG_E_LENGTH, .field = none), "K4: an entry without its bytes");
    check(REFUSED(m, 1, "\0\0\0\0x", CVG_E_LENGTH, .field = none), "K4: bytes without an entry");
    check(REFUSED(m, 3, "\4\0\0\0\0abcd", CVG_E_TOO_LONG, .field = 0), "K4: 4 bytes where 3 fit");
    check(REFUSED(m, 4, "\3\0\0\0\1\1\1", CVG_E_TOO_LONG, .field = 2), "K4: 3 elements where 2 fit");
    check(REFUSED(m, 5, "\377\377\377\377\2\0\0\0\1", CVG_E_LENGTH, .field = none, .also = CVG_E_TOO_LONG,
                  .also_field = 0),
          "K4: entries that wrap around at 32 bits");
    check(REFUSED(m, 16, "\0\0\0\100", CVG_E_LENGTH, .field = none, .also = CVG_E_TOO_LONG, .also_field = 4),
          "K4: a count that wraps around at 32 bits");
    check(REFUSED(m, 1, "\2\0\0\0\303A", CVG_E_UTF8, .field = 0), "K4: varstring");
    check(REFUSED(m, 4, "\2\0\0\0\1\2", CVG_E_BOOL, .field = 2, .inside = true), "K4: a bool in an array");
    check(REFUSED(m, 8, "\3\0ab\0", CVG_E_TOO_LONG, .field = 3, .inside = true), "K4: a string in a struct");
    check(REFUSED(m, 8, "\0\0\0b\0", CVG_E_PADDING, .field = 3, .inside = true), "K4: padding in a struct");
    check(REFUSED(m, 8, "\0\0\0\0\3", CVG_E_BOOL, .field = 3, .inside = true), "K4: a bool in a struct");
    check(REFUSED(m, 8, "\1\0\377b\0", CVG_E_UTF8, .field = 3, .inside = true, .also = CVG_E_PADDING, .also_field = 3),
          "K4: not UTF-8, not padded");
    check(REFUSED(m, 16, "\2\0\0\0\7\1\0z\7\0\0z", CVG_E_PADDING, .field = 4, .inside = true),
          "K4: padding in an element's member");
    check(REFUSED(m, 1 | 8, "\1\0\0\0\3\0ab\0\377", CVG_E_UTF8, .field = 0), "values in the order of ordinals");
    model_destroy(m);
}

/* A generator that makes wrong values would test refusals only. */
static void test_generator(void) {
    static const cvg_member members[] = {
        {.type = CVG_STRING, .max = 5}, {.type = CVG_BOOL}, {.type = CVG_BYTES, .max = 2}};
    static uint8_t out[4096];
    rng r = {.state = 1};
    for (unsigned i = 0; i < 20000; i++) {
        cvg_field field = {.type = (uint8_t)rng_between(&r, CVG_U8, CVG_STRUCT)};
        if (field.type >= CVG_STRING && field.type != CVG_STRUCT) field.max = (uint16_t)rng_between(&r, 1, 40);
        if (field.type == CVG_ARRAY) field.element = (uint8_t)rng_between(&r, CVG_U8, CVG_BYTES);
        if (field.type == CVG_ARRAY && rng_percent(&r, 30)) field.element = CVG_STRUCT;
        if (field.element == CVG_STRING || field.element == CVG_BYTES) field.element_max = 6;
        if (field.type == CVG_STRUCT || field.element == CVG_STRUCT) field.members = members, field.member_count = 3;
        model *m = model_create(1);
        model_kind *kind = model_kind_create(m, 7, &(cvg_definition){.fields = &field, .field_count = 1, .schema = 1});
        model_value value;
        uint8_t *end = generate_value(&r, kind, 0, out, &value), *edited = end;
        check(write_op(m, CVG_ASSERT, 0, 0, (const char *)out, (uint32_t)(end - out)) == CVG_OK,
              "the generator makes good values");
        if (kind->units[0] > 0) end = generate_edit(&r, kind, 0, edited, &value);
        check(write_op(m, CVG_ASSERT, 0, 0, (const char *)value.fixed, value.fixed_bytes + value.variable_bytes) ==
                  CVG_OK,
              "the generator makes good edits");
        model_destroy(m);
    }
}

/* Two partitions: what one of them does, the other does not see. */
static void test_partitions(void) {
    static const uint8_t second_id[CVG_ID_BYTES] = {2};
    model *m = model_create(2);
    cvg_field field = {.type = CVG_U8};
    model_kind *kind = model_kind_create(m, 7, &(cvg_definition){.fields = &field, .field_count = 1, .schema = 1});
    cvg_op op = {.id = first_id, .data = (const uint8_t *)"\1", .data_bytes = 1, .kind = 7, .schema = 1};
    op.code = CVG_ASSERT;
    model_apply(m, 0, &op);
    op.id = second_id;
    model_apply(m, 1, &op);
    check(model_window_rows(m, 0) == 1 && model_window_rows(m, 1) == 1, "F1: each partition has its window");
    check(model_seal(m, 1) && !model_seal(m, 1) && m->parts[0].sequence == 0 && m->parts[1].sequence == 1,
          "F1: each partition has its sequence");
    op.data = (const uint8_t *)"\2";
    model_apply(m, 1, &op);
    model_install(m, 1);
    check(model_alive(kind, 1) == 1 && model_alive(kind, 0) == 0 && model_window_rows(m, 0) == 1,
          "F3: an install is of one partition");
    check(model_seal(m, 0) && model_seal(m, 1) && kind->shares[0].batch_count == 1 &&
              kind->shares[1].batch[0].what == CVG_UPDATED,
          "F2: a batch of each may wait");
    model_install(m, 0);
    model_install(m, 1);
    const model_entity *first = model_find(kind, first_id), *second = model_find(kind, second_id);
    check(m->parts[0].sequence == 1 && m->parts[1].sequence == 2 && first->installed.version == 1 &&
              second->installed.version == 2 && model_at(second, 1).version == 1,
          "F2: sequences are of one partition");
    check(m->parts[0].counts.applied == 1 && m->parts[1].counts.applied == 2 && m->parts[1].counts.created == 1,
          "the counts of a partition");
    model_destroy(m);
}

void model_self_test(void) {
    test_generator();
    test_versions();
    test_windows();
    test_partitions();
    test_refusals();
    test_variable();
    test_variable_refusals();
}
