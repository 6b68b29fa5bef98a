/* Source sets, field masks and ownership, on one row image (W1, W2, W3, W5). */
#include "read_support.h"

#include "merge.h"

typedef struct row {
    cvgi_schema schema;
    uint8_t image[192];
} row;

/* For the parts of schemas, which these have none of. */
static cvgi_memory memory;

static row make(const cvg_field *fields, uint16_t count) {
    row r = {0};
    assert_int_equal(cvgi_schema_compile(&r.schema, &memory, &(cvg_definition){fields, count, 1}), CVG_OK);
    assert_true(CVG_ROW_HEADER_BYTES + r.schema.fixed_bytes + 4 <= sizeof r.image);
    return r;
}

static uint8_t at(const row *r, uint32_t offset) {
    return cvgi_row_data_const(r->image)[offset];
}
static uint64_t set_of(const row *r) {
    return cvgi_row_source_set(r->image);
}

/* Three bytes: everyone's; source 1's and 2's, cleared; source 2's, kept. */
static const cvg_field BYTES3[] = {{.type = CVG_U8},
                                   {.type = CVG_U8, .owners = 1 << 1 | 1 << 2, .on_retract = CVG_CLEAR},
                                   {.type = CVG_U8, .owners = 1 << 2}};

static void w1_assert_replaces_what_the_source_may_write(void **state) {
    (void)state;
    row r = make(BYTES3, 3);
    cvgi_merge_assert(&r.schema, r.image, 2, (const uint8_t[]){1, 2, 3});
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){1, 2, 3}), 3);
    cvgi_merge_assert(&r.schema, r.image, 1, (const uint8_t[]){4, 5, 6});
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){4, 5, 3}), 3);
    cvgi_merge_assert(&r.schema, r.image, 63, (const uint8_t[]){7, 8, 9});
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){7, 5, 3}), 3);
    assert_int_equal(set_of(&r), UINT64_C(1) << 63 | 6);
}

static void w2_patch_replaces_the_masked_fields(void **state) {
    (void)state;
    const cvg_field fields[] = {{.type = CVG_U8},   {.type = CVG_U16}, {.type = CVG_STRING, .max = 3},
                                {.type = CVG_U128}, {.type = CVG_U32}, {.type = CVG_U64}};
    row r = make(fields, 6);
    uint8_t data[36], expected[36];
    memset(cvgi_row_data(r.image), 0xEE, 36);
    for (uint8_t i = 0; i < 36; i++) data[i] = i;
    for (uint64_t mask = 0; mask < 64; mask++) {
        memset(cvgi_row_data(r.image), 0xEE, 36);
        memset(expected, 0xEE, 36);
        const uint8_t *from = data;
        for (int i = 0; i < 6; i++) {
            if (!(mask >> i & 1)) continue;
            memcpy(expected + r.schema.fields[i].offset, from, r.schema.fields[i].bytes);
            from += r.schema.fields[i].bytes;
        }
        cvgi_merge_patch(&r.schema, r.image, (uint8_t)mask, mask, data);
        assert_memory_equal(cvgi_row_data(r.image), expected, 36);
    }
    assert_int_equal(set_of(&r), UINT64_MAX); /* an empty mask asserts, too */
    assert_int_equal(r.image[CVG_ROW_HEADER_BYTES + 36], 0);
}

static void w3_the_last_retract_leaves_zeroes(void **state) {
    (void)state;
    row r = make(BYTES3, 3);
    cvgi_merge_assert(&r.schema, r.image, 2, (const uint8_t[]){1, 2, 3});
    cvgi_merge_assert(&r.schema, r.image, 5, (const uint8_t[]){1, 2, 3});
    cvgi_merge_retract(&r.schema, r.image, 2);
    assert_int_equal(set_of(&r), 1 << 5);
    cvgi_merge_retract(&r.schema, r.image, 2); /* asserts it no longer */
    assert_int_equal(at(&r, 0), 1);
    cvgi_merge_retract(&r.schema, r.image, 5);
    assert_int_equal(set_of(&r), 0);
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){0, 0, 0}), 3);
    cvgi_merge_patch(&r.schema, r.image, 5, 1, (const uint8_t[]){9}); /* starts from zero */
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){9, 0, 0}), 3);
}

static void w5_the_last_owner_clears_or_keeps(void **state) {
    (void)state;
    row r = make(BYTES3, 3);
    for (uint8_t source = 1; source <= 3; source++)
        cvgi_merge_assert(&r.schema, r.image, source, (const uint8_t[]){1, 2, 3});
    cvgi_merge_retract(&r.schema, r.image, 3); /* no owner of anything special */
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){1, 2, 3}), 3);
    cvgi_merge_assert(&r.schema, r.image, 3, (const uint8_t[]){1, 2, 3});
    cvgi_merge_retract(&r.schema, r.image, 2); /* source 1 still owns field 1; field 2 is kept */
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){1, 2, 3}), 3);
    cvgi_merge_retract(&r.schema, r.image, 2); /* twice does nothing */
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){1, 2, 3}), 3);
    cvgi_merge_retract(&r.schema, r.image, 1);
    assert_memory_equal(cvgi_row_data(r.image), ((const uint8_t[]){1, 0, 3}), 3);
    assert_int_equal(set_of(&r), 1 << 3);
}

static void w5_a_field_that_all_may_write_is_never_cleared_while_someone_asserts(void **state) {
    (void)state;
    const cvg_field fields[] = {{.type = CVG_U8, .on_retract = CVG_CLEAR}};
    row r = make(fields, 1);
    cvgi_merge_assert(&r.schema, r.image, 0, (const uint8_t[]){1});
    cvgi_merge_patch(&r.schema, r.image, 1, 0, NULL);
    cvgi_merge_retract(&r.schema, r.image, 0);
    assert_int_equal(at(&r, 0), 1);
}

static void changed_fields_against_a_naive_comparison(void **state) {
    (void)state;
    uint64_t dice = 8, different = 0, equal = 0;
    for (int round = 0; round < 20000; round++) {
        cvg_field fields[64];
        uint16_t count = (uint16_t)(1 + test_random(&dice) % 64);
        for (int i = 0; i < count; i++) {
            fields[i] = (cvg_field){.type = (uint8_t)(1 + test_random(&dice) % 14)};
            if (fields[i].type >= CVG_STRING) fields[i].max = (uint16_t)(1 + test_random(&dice) % 20);
        }
        cvgi_schema schema;
        assert_int_equal(cvgi_schema_compile(&schema, &memory, &(cvg_definition){fields, count, 1}), CVG_OK);
        uint8_t *before = malloc(schema.fixed_bytes), *now = malloc(schema.fixed_bytes);
        for (uint32_t i = 0; i < schema.fixed_bytes; i++) before[i] = now[i] = (uint8_t)test_random(&dice);
        for (uint64_t flips = test_random(&dice) % 6; flips > 0; flips--)
            now[test_random(&dice) % schema.fixed_bytes] ^= (uint8_t)(1 << test_random(&dice) % 8);
        uint64_t expected = 0;
        for (int i = 0; i < count; i++)
            if (memcmp(before + schema.fields[i].offset, now + schema.fields[i].offset, schema.fields[i].bytes) != 0)
                expected |= UINT64_C(1) << i;
        assert_int_equal(cvgi_merge_changed(&schema, before, now), expected);
        if (expected == 0)
            equal++;
        else
            different++;
        free(before);
        free(now);
    }
    assert_true(equal > 1000 && different > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w1_assert_replaces_what_the_source_may_write),
        cmocka_unit_test(w2_patch_replaces_the_masked_fields),
        cmocka_unit_test(w3_the_last_retract_leaves_zeroes),
        cmocka_unit_test(w5_the_last_owner_clears_or_keeps),
        cmocka_unit_test(w5_a_field_that_all_may_write_is_never_cleared_while_someone_asserts),
        cmocka_unit_test(changed_fields_against_a_naive_comparison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
