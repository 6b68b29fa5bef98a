/*
 * The core's frames against Tests/Golden: a flight is asserted, patched, read and retracted through converge.h, and
 * every frame that comes out is compared with the bytes of a file that was written from the byte tables.
 *
 *   golden_frames [DIRECTORY]      default Tests/Golden
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "converge.h"

#include <cmocka.h>

enum { KIND = 1, STATUS = 12, GATE = 8, DATA = 2 + STATUS + 2 + 2 + GATE, FRAME_MAX = 512 };

static const char *directory = "Tests/Golden";
static const cvg_class PLAIN = {.number = 1};
static const cvg_class WITH_PREVIOUS = {.number = 2, .flags = CVG_CLASS_PREVIOUS};
static const uint8_t UA1545[CVG_ID_BYTES] = "UA1545", UA9999[CVG_ID_BYTES] = "UA9999";

/* Comments from '#' to the end of the line, else hexadecimal bytes. */
static size_t read_golden(const char *name, uint8_t *bytes) {
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/%s.hex", directory, name);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s cannot be opened: run from the repository's root, or name the directory", path);
    size_t count = 0;
    while (fgets(line, sizeof line, file)) {
        if (strchr(line, '#')) *strchr(line, '#') = 0;
        for (char *word = strtok(line, " \t\r\n"); word; word = strtok(NULL, " \t\r\n")) {
            char *end = NULL;
            const unsigned long byte = strtoul(word, &end, 16);
            if (*end != 0 || byte > 255 || count == FRAME_MAX) fail_msg("%s: \"%s\" is not a byte", path, word);
            bytes[count++] = (uint8_t)byte;
        }
    }
    fclose(file);
    return count;
}

static void assert_golden(const char *name, const uint8_t *bytes, size_t count) {
    uint8_t expected[FRAME_MAX];
    const size_t expected_count = read_golden(name, expected);
    for (size_t i = 0; i < count && i < expected_count; i++)
        if (bytes[i] != expected[i])
            fail_msg("%s: byte %zu is %02x, the file says %02x", name, i, bytes[i], expected[i]);
    if (count != expected_count) fail_msg("%s: %zu bytes, the file has %zu", name, count, expected_count);
}

static void assert_one_frame(const char *name, cvg_slices slices) {
    assert_int_equal(slices.count, 1);
    assert_int_equal(slices.items[0].frames, 1);
    assert_golden(name, slices.items[0].segment->bytes + slices.items[0].offset, slices.items[0].bytes);
}

/* --------------------------------------------------------------------------------------------------- the one flight */

static cvg_engine *open_engine(void) {
    cvg_engine *engine = NULL;
    const cvg_options options = {0};
    assert_int_equal(cvg_engine_create(&options, &engine), CVG_OK);
    const cvg_field fields[] = {
        {.type = CVG_STRING, .max = STATUS},
        {.type = CVG_I16},
        {.type = CVG_STRING, .max = GATE, .owners = 1 << 2, .on_retract = CVG_CLEAR},
    };
    const cvg_definition definition = {.fields = fields, .field_count = 3, .schema = 1};
    assert_int_equal(cvg_kind_create(engine, KIND, &definition), CVG_OK);
    assert_int_equal(cvg_kind_fixed_bytes(engine, KIND), DATA);
    return engine;
}

static const cvg_batch *flush(cvg_engine *engine, const cvg_op *op) {
    cvg_refusal refusal;
    cvg_applied applied;
    assert_int_equal(cvg_apply(engine, op, 1, &refusal, 1, &applied), CVG_OK);
    assert_int_equal(applied.refused, 0);
    const cvg_batch *batch = NULL;
    assert_int_equal(cvg_seal(engine, &batch), CVG_OK);
    return batch;
}

static const cvg_batch *asserted(cvg_engine *engine) {
    const uint8_t data[DATA] = {9, 0, 's', 'c', 'h', 'e', 'd', 'u', 'l', 'e', 'd'};
    return flush(engine, &(cvg_op){.id = UA1545,
                                   .data = data,
                                   .data_bytes = DATA,
                                   .kind = KIND,
                                   .code = CVG_ASSERT,
                                   .source = 1,
                                   .schema = 1});
}

static const cvg_batch *patched(cvg_engine *engine) {
    const uint8_t data[2 + 2 + GATE] = {14, 0, 3, 0, 'B', '1', '2'};
    return flush(engine, &(cvg_op){.id = UA1545,
                                   .data = data,
                                   .data_bytes = sizeof data,
                                   .mask = 6,
                                   .kind = KIND,
                                   .code = CVG_PATCH,
                                   .source = 2,
                                   .schema = 1});
}

static const cvg_batch *retracted(cvg_engine *engine, uint8_t source) {
    return flush(engine, &(cvg_op){.id = UA1545, .kind = KIND, .code = CVG_RETRACT, .source = source});
}

static void assert_encoded(cvg_engine *engine, const cvg_batch *batch, cvg_class klass, const char *name) {
    cvg_slices slices;
    assert_int_equal(cvg_encode(engine, batch, KIND, klass, &slices), CVG_OK);
    assert_one_frame(name, slices);
}

static void notifications_R2(void **state) {
    (void)state;
    cvg_engine *engine = open_engine();
    const cvg_batch *batch = asserted(engine);
    assert_encoded(engine, batch, PLAIN, "state_created");
    cvg_install(engine, batch);
    batch = patched(engine);
    assert_encoded(engine, batch, PLAIN, "state_updated");
    assert_encoded(engine, batch, WITH_PREVIOUS, "state_updated_previous");
    cvg_install(engine, batch);
    cvg_install(engine, retracted(engine, 2)); /* the gate is cleared (W5) */
    batch = retracted(engine, 1);
    assert_encoded(engine, batch, PLAIN, "deleted_retract");
    assert_encoded(engine, batch, WITH_PREVIOUS, "deleted_previous");
    cvg_install(engine, batch);
    cvg_engine_destroy(engine);
}

static void catch_up_R3(void **state) {
    (void)state;
    cvg_engine *engine = open_engine();
    cvg_install(engine, asserted(engine));
    cvg_install(engine, patched(engine));
    cvg_catchup *catchup = NULL;
    cvg_catchup_progress progress;
    cvg_slices slices;
    assert_int_equal(cvg_catchup_begin(engine, KIND, PLAIN, &catchup), CVG_OK);
    assert_int_equal(cvg_catchup_step(engine, catchup, FRAME_MAX, &slices, &progress), CVG_OK);
    assert_one_frame("state_snapshot", slices);
    assert_true(progress.live);
    cvg_install(engine, retracted(engine, 2));
    cvg_install(engine, retracted(engine, 1));
    assert_int_equal(cvg_catchup_step(engine, catchup, FRAME_MAX, &slices, &progress), CVG_OK);
    assert_one_frame("deleted_catch_up", slices);
    assert_true(progress.live);
    assert_int_equal(progress.sequence, 4);
    cvg_catchup_end(engine, catchup);
    cvg_engine_destroy(engine);
}

static void assert_result(cvg_engine *engine, const uint8_t *id, uint16_t stream, const char *name) {
    uint8_t frame[FRAME_MAX];
    size_t bytes = 0;
    const size_t most = cvg_query_frame_bytes_max(engine, KIND);
    assert_int_equal(cvg_encode_query(engine, KIND, id, stream, frame, most, &bytes), CVG_OK);
    assert_golden(name, frame, bytes);
}

static void query_results_R1(void **state) {
    (void)state;
    cvg_engine *engine = open_engine();
    cvg_install(engine, asserted(engine));
    cvg_install(engine, patched(engine));
    assert_result(engine, UA1545, 6, "query_result_alive");
    assert_result(engine, UA9999, 7, "query_result_not_found");
    cvg_install(engine, retracted(engine, 2));
    cvg_install(engine, retracted(engine, 1));
    assert_result(engine, UA1545, 8, "query_result_tombstone");
    cvg_engine_destroy(engine);
}

/* ------------------------------------------------------------------------------------- the same in two zones (K3) */

enum { VARIABLE_KIND = 2, POSITION = 4 + 4 + 1, VARIABLE_FIXED = 4 + 4 + POSITION };

static cvg_engine *open_variable_engine(void) {
    cvg_engine *engine = open_engine();
    const cvg_member position[] = {{.type = CVG_I32}, {.type = CVG_I32}, {.type = CVG_BOOL}};
    const cvg_field fields[] = {
        {.type = CVG_VARSTRING, .max = 24},
        {.type = CVG_ARRAY, .element = CVG_I16, .max = 4},
        {.type = CVG_STRUCT, .members = position, .member_count = 3},
    };
    const cvg_definition definition = {.fields = fields, .field_count = 3, .schema = 1};
    assert_int_equal(cvg_kind_create(engine, VARIABLE_KIND, &definition), CVG_OK);
    assert_int_equal(cvg_kind_fixed_bytes(engine, VARIABLE_KIND), VARIABLE_FIXED);
    return engine;
}

static const cvg_batch *asserted_variable(cvg_engine *engine) {
    static const uint8_t data[] = {7,    0,    0,    0,                               /* remark: 7 bytes */
                                   2,    0,    0,    0,                               /* delays: 2 elements */
                                   0x23, 0x38, 0x07, 0x00, 0x48, 0xB2, 0xFE, 0xFF, 1, /* position */
                                   'o',  'n',  ' ',  't',  'i',  'm',  'e',           /* remark */
                                   0xFE, 0xFF, 5,    0};                              /* delays */
    return flush(engine, &(cvg_op){.id = UA1545,
                                   .data = data,
                                   .data_bytes = sizeof data,
                                   .kind = VARIABLE_KIND,
                                   .code = CVG_ASSERT,
                                   .source = 1,
                                   .schema = 1});
}

static const cvg_batch *patched_variable(cvg_engine *engine) {
    static const uint8_t data[] = {10,  0,   0,   0,                                           /* remark */
                                   1,   0,   0,   0,                                           /* delays */
                                   'v', 'e', 'r', 's', 'p', 0xC3, 0xA4, 't', 'e', 't', 14, 0}; /* both */
    return flush(engine, &(cvg_op){.id = UA1545,
                                   .data = data,
                                   .data_bytes = sizeof data,
                                   .mask = 3,
                                   .kind = VARIABLE_KIND,
                                   .code = CVG_PATCH,
                                   .source = 2,
                                   .schema = 1});
}

static void variable_fields_K3(void **state) {
    (void)state;
    cvg_engine *engine = open_variable_engine();
    cvg_slices slices;
    const cvg_batch *batch = asserted_variable(engine);
    assert_int_equal(cvg_encode(engine, batch, VARIABLE_KIND, PLAIN, &slices), CVG_OK);
    assert_one_frame("state_created_variable", slices);
    cvg_install(engine, batch);
    batch = patched_variable(engine);
    assert_int_equal(cvg_encode(engine, batch, VARIABLE_KIND, WITH_PREVIOUS, &slices), CVG_OK);
    assert_one_frame("state_updated_variable_previous", slices);
    cvg_install(engine, batch);
    uint8_t frame[FRAME_MAX];
    size_t bytes = 0;
    assert_int_equal(cvg_encode_query(engine, VARIABLE_KIND, UA1545, 9, frame, sizeof frame, &bytes), CVG_OK);
    assert_golden("query_result_variable", frame, bytes);
    cvg_engine_destroy(engine);
}

int main(int count, char **arguments) {
    if (count > 1) directory = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications_R2),
        cmocka_unit_test(catch_up_R3),
        cmocka_unit_test(query_results_R1),
        cmocka_unit_test(variable_fields_K3),
    };
    return cmocka_run_group_tests_name("golden frames", tests, NULL, NULL);
}
