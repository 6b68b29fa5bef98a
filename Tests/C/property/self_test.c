/*
 * self_test.c - the model has to be right before it can judge: one short case for each rule it decides by.
 *
 * The kind: field 0 u8, anyone's; field 1 u8, owned by source 1, cleared when it retracts; field 2 string(4).
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
    model *m = model_create();
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
    return model_apply(m, &op).status;
}

static int assert_op(model *m, uint8_t source, const char *row) {
    return write_op(m, CVG_ASSERT, source, 0, row, 8);
}
static int retract_op(model *m, uint8_t source) {
    return write_op(m, CVG_RETRACT, source, 0, NULL, 0);
}

/* The only change of the flush, or 0. */
static uint8_t flush(model *m) {
    if (!model_seal(m)) return 0;
    uint8_t what = m->kinds[0]->batch_count > 0 ? m->kinds[0]->batch[0].what : 0;
    model_install(m);
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
    check(flush(m) == 0 && installed(m)->version == 1 && m->sequence == 1, "W8: identical is silent, no sequence");
    assert_op(m, 2, "\5\7\1\0a\0\0\0");
    check(flush(m) == CVG_SOURCE_CHANGE && installed(m)->version == 1 && installed(m)->source_set == 6 &&
              m->sequence == 2,
          "W5, W8: another's field is left as it is; only the source set changes");
    assert_op(m, 2, "\6\7\1\0a\0\0\0");
    assert_op(m, 2, "\5\7\1\0a\0\0\0");
    check(flush(m) == 0 && m->counts.unchanged == 2, "W8: A -> B -> A is silent");
    retract_op(m, 1);
    check(flush(m) == CVG_UPDATED && installed(m)->version == 2 && installed(m)->data[1] == 0 && m->counts.clears == 1,
          "W5: the last owner retracts, the field is cleared");
    retract_op(m, 2);
    check(flush(m) == CVG_DELETED && installed(m)->version == 3 && installed(m)->presence == CVG_TOMBSTONE,
          "W3: an empty set is a tombstone");
    check(retract_op(m, 2) == CVG_OK && model_window_rows(m) == 0, "W3: retracting what is not asserted does nothing");
    write_op(m, CVG_PATCH, 3, 1, "\4", 1);
    check(flush(m) == CVG_CREATED && installed(m)->version == 4 && installed(m)->data[0] == 4 &&
              installed(m)->data[2] == 0 && m->counts.revived == 1,
          "W6: a revival starts from zero, versions go on");
    check(model_at(model_find(m->kinds[0], first_id), 3).version == 2, "the past of an entity");
    model_destroy(m);
}

static void test_windows(void) {
    model *m = new_model();
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    retract_op(m, 1);
    check(flush(m) == 0 && m->counts.no_trace == 1 && installed(m)->presence == CVG_NOT_FOUND,
          "W8: created and retracted inside one window leaves no trace");
    assert_op(m, 1, "\5\6\1\0a\0\0\0");
    check(model_seal(m) && !model_seal(m), "F2: one batch waits at a time");
    write_op(m, CVG_PATCH, 1, 2, "\11", 1);
    check(installed(m)->presence == CVG_NOT_FOUND, "F3: a sealed batch is not visible");
    model_install(m);
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
    check(m->counts.refused == 9 && m->counts.applied == 1, "W4: refusals are counted");
    model_destroy(m);
}

/* A generator that makes wrong values would test refusals only. */
static void test_generator(void) {
    rng r = {.state = 1};
    for (unsigned i = 0; i < 20000; i++) {
        cvg_field field = {.type = (uint8_t)rng_between(&r, CVG_U8, CVG_BYTES)};
        if (field.type >= CVG_STRING) field.max = (uint16_t)rng_between(&r, 1, 40);
        uint8_t value[48];
        generate_value(&r, &field, value);
        model *m = model_create();
        model_kind_create(m, 7, &(cvg_definition){.fields = &field, .field_count = 1, .schema = 1});
        uint32_t bytes = model_field_bytes(&field);
        check(write_op(m, CVG_ASSERT, 0, 0, (const char *)value, bytes) == CVG_OK, "the generator makes good values");
        model_destroy(m);
    }
}

void model_self_test(void) {
    test_generator();
    test_versions();
    test_windows();
    test_refusals();
}
