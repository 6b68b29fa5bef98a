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
    assert_true(CVGI_ROW_DATA_AT + r.schema.fixed_bytes <= sizeof r.image);
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
    assert_int_equal(r.image[CVGI_ROW_DATA_AT + 36], 0);
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

/* --------------------------------------------------------------------------------------------------- variable zone */

enum { NAIVE_FIELDS = 12, NAIVE_BYTES = 8 };

/* A row as a list of values; variable ones of any length. */
typedef struct naive {
    uint64_t set;
    uint32_t bytes[NAIVE_FIELDS];
    uint8_t values[NAIVE_FIELDS][NAIVE_BYTES];
} naive;

static void naive_roll(const cvgi_schema *schema, naive *n, uint64_t *dice) {
    for (int i = 0; i < schema->field_count; i++) {
        const cvgi_field *field = &schema->fields[i];
        const uint64_t count = field->unit == 0 ? 1 : test_random(dice) % (field->max + 1u);
        n->bytes[i] = (uint32_t)(field->unit == 0 ? field->bytes : field->unit * count);
        for (uint32_t at = 0; at < n->bytes[i]; at++) n->values[i][at] = (uint8_t)(1 + test_random(dice) % 3);
    }
}

static void naive_clear(const cvgi_schema *schema, naive *n, int i) {
    n->bytes[i] = schema->fields[i].unit == 0 ? schema->fields[i].bytes : 0;
    memset(n->values[i], 0, NAIVE_BYTES);
}

/* The masked fields in two zones; the number of bytes. */
static uint32_t naive_pack(const cvgi_schema *schema, const naive *n, uint64_t mask, uint8_t *to) {
    uint8_t *at = to;
    for (int zone = 0; zone < 2; zone++)
        for (int i = 0; i < schema->field_count; i++) {
            const uint32_t unit = schema->fields[i].unit;
            if (!(mask >> i & 1)) continue;
            if (zone == 0 && unit != 0) {
                cvgi_store32(at, n->bytes[i] / unit);
                at += 4;
            } else if ((zone == 0) == (unit == 0)) {
                memcpy(at, n->values[i], n->bytes[i]);
                at += n->bytes[i];
            }
        }
    return (uint32_t)(at - to);
}

static void naive_write(const cvgi_schema *schema, const cvg_field *fields, naive *n, const cvg_op *op,
                        const naive *written) {
    const uint64_t bit = UINT64_C(1) << op->source;
    if (op->code != CVG_RETRACT) {
        n->set |= bit;
        for (int i = 0; i < schema->field_count; i++) {
            const bool may = fields[i].owners == 0 || (fields[i].owners & bit) != 0;
            if (!(op->code == CVG_PATCH ? op->mask >> i & 1 : may)) continue;
            n->bytes[i] = written->bytes[i];
            memcpy(n->values[i], written->values[i], NAIVE_BYTES);
        }
        return;
    }
    if (!(n->set & bit)) return;
    n->set &= ~bit;
    for (int i = 0; i < schema->field_count; i++) {
        const uint64_t owners = fields[i].owners == 0 ? UINT64_MAX : fields[i].owners;
        const bool last = fields[i].on_retract == CVG_CLEAR && (owners & bit) != 0 && (owners & n->set) == 0;
        if (n->set == 0 || last) naive_clear(schema, n, i);
    }
}

typedef struct image {
    uint8_t bytes[256];
    cvgi_block *block;
} image;

enum { BLOCK_AT = 240 };

static void image_set_zone(image *to, cvgi_blocks *blocks, const uint8_t *zone, uint32_t bytes) {
    cvgi_block_release(blocks, to->block);
    to->block = bytes == 0 ? NULL : cvgi_block_take(blocks, bytes);
    if (bytes != 0) memcpy(to->block->zone, zone, bytes);
    cvgi_row_set_block(to->bytes, BLOCK_AT, to->block);
}

static void expect_naive(const cvgi_schema *schema, const image *row, const naive *n) {
    uint8_t expected[512];
    const uint32_t bytes = naive_pack(schema, n, schema->all, expected);
    assert_memory_equal(cvgi_row_data_const(row->bytes), expected, schema->fixed_bytes);
    assert_int_equal(cvgi_block_bytes(row->block), bytes - schema->fixed_bytes);
    if (row->block != NULL)
        assert_memory_equal(row->block->zone, expected + schema->fixed_bytes, bytes - schema->fixed_bytes);
    assert_int_equal(cvgi_row_source_set(row->bytes), n->set);
}

static uint64_t naive_changed(const cvgi_schema *schema, const naive *before, const naive *now) {
    uint64_t changed = 0;
    for (int i = 0; i < schema->field_count; i++)
        if (before->bytes[i] != now->bytes[i] || memcmp(before->values[i], now->values[i], now->bytes[i]) != 0)
            changed |= UINT64_C(1) << i;
    return changed;
}

static uint16_t roll_fields(cvg_field *fields, uint64_t *dice) {
    const uint16_t count = (uint16_t)(1 + test_random(dice) % NAIVE_FIELDS);
    for (int i = 0; i < count; i++) {
        static const cvg_field sorts[] = {{.type = CVG_U8},
                                          {.type = CVG_U64},
                                          {.type = CVG_VARBYTES, .max = NAIVE_BYTES},
                                          {.type = CVG_VARBYTES, .max = 2},
                                          {.type = CVG_ARRAY, .element = CVG_U16, .max = 3}};
        fields[i] = sorts[test_random(dice) % 5];
        if (test_random(dice) % 3 == 0) fields[i].owners = 1 + test_random(dice) % 7;
        fields[i].on_retract = test_random(dice) % 2;
    }
    return count;
}

static void zones_against_a_naive_merge(void **state) {
    (void)state;
    test_allocator allocator = {0};
    cvgi_memory of_blocks = test_memory(&allocator);
    cvgi_blocks blocks;
    cvgi_blocks_init(&blocks, &of_blocks, 1 << 20);
    uint64_t dice = 21, kept = 0, whole = 0, partial = 0, emptied = 0, silent = 0;
    for (int round = 0; round < 3000; round++) {
        cvg_field fields[NAIVE_FIELDS];
        const uint16_t count = roll_fields(fields, &dice);
        cvgi_schema schema;
        assert_int_equal(cvgi_schema_compile(&schema, &memory, &(cvg_definition){fields, count, 1}), CVG_OK);
        naive now = {0};
        image row = {0};
        for (int i = 0; i < count; i++) naive_clear(&schema, &now, i);
        for (int step = 0; step < 12; step++) {
            uint8_t data[512];
            naive written = {0}, before = now;
            image was = {0};
            memcpy(was.bytes, row.bytes, sizeof was.bytes);
            naive_roll(&schema, &written, &dice);
            if (test_random(&dice) % 3 == 0) written = now;
            cvg_op op = {.source = (uint8_t)(test_random(&dice) % 3)};
            op.code = (uint8_t[]){CVG_ASSERT, CVG_PATCH, CVG_RETRACT}[test_random(&dice) % 3];
            if (op.code == CVG_PATCH) op.mask = test_random(&dice) & schema.writable[op.source];
            op.data = data;
            op.data_bytes = naive_pack(&schema, &written, op.code == CVG_PATCH ? op.mask : schema.all, data);
            const bool zero = now.set == 0 && test_random(&dice) % 2; /* as of a row that is not there yet */
            const uint8_t *from = zero ? NULL : row.bytes;
            const cvgi_zone_plan plan = cvgi_merge_plan(&schema, BLOCK_AT, from, &op);
            uint8_t zone[256];
            if (plan.bytes != 0 && !plan.kept) cvgi_merge_zone(&schema, BLOCK_AT, from, &op, &plan, zone);
            if (op.code == CVG_ASSERT) cvgi_merge_assert(&schema, row.bytes, op.source, data);
            if (op.code == CVG_PATCH) cvgi_merge_patch(&schema, row.bytes, op.source, op.mask, data);
            if (op.code == CVG_RETRACT) cvgi_merge_retract(&schema, row.bytes, op.source);
            cvgi_block *had = cvgi_block_retain(row.block);
            if (!plan.kept) image_set_zone(&row, &blocks, zone, plan.bytes);
            naive_write(&schema, fields, &now, &op, &written);
            expect_naive(&schema, &row, &now);
            uint64_t changed = cvgi_merge_changed(&schema, cvgi_row_data(was.bytes), cvgi_row_data(row.bytes));
            changed |= cvgi_merge_changed_zone(&schema, BLOCK_AT, was.bytes, row.bytes, changed);
            assert_int_equal(changed, naive_changed(&schema, &before, &now));
            cvgi_block_release(&blocks, had);
            kept += plan.kept && plan.bytes != 0;
            whole += plan.whole && !plan.kept;
            partial += !plan.whole && !plan.kept && plan.bytes != 0;
            emptied += !plan.kept && plan.bytes == 0;
            silent += changed == 0 && !plan.kept;
        }
        image_set_zone(&row, &blocks, NULL, 0);
    }
    assert_true(kept > 1000 && whole > 1000 && partial > 1000 && emptied > 100 && silent > 100);
    cvgi_blocks_free_spares(&blocks);
    assert_int_equal(allocator.blocks, 0);
}

/* Bytes move from field to field: the zone is the same, and so is its block, but not what the fields hold. */
static void the_same_zone_may_be_other_fields(void **state) {
    (void)state;
    const cvg_field fields[] = {
        {.type = CVG_VARBYTES, .max = 4}, {.type = CVG_VARBYTES, .max = 4}, {.type = CVG_VARBYTES, .max = 4}};
    row r = make(fields, 3);
    const uint8_t before[16] = {1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 'c', 'd'};
    const uint8_t now[16] = {2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c', 'd'};
    test_allocator allocator = {0};
    cvgi_memory of_blocks = test_memory(&allocator);
    cvgi_blocks blocks;
    cvgi_blocks_init(&blocks, &of_blocks, 0);
    image row_before = {0}, row_now = {0};
    memcpy(cvgi_row_data(row_before.bytes), before, 12);
    memcpy(cvgi_row_data(row_now.bytes), now, 12);
    image_set_zone(&row_before, &blocks, before + 12, 4);
    cvgi_row_set_block(row_now.bytes, BLOCK_AT, row_before.block);
    const cvg_op op = {.data = now, .data_bytes = 16, .code = CVG_ASSERT};
    assert_true(cvgi_merge_plan(&r.schema, BLOCK_AT, row_before.bytes, &op).kept);
    const uint64_t changed =
        cvgi_merge_changed(&r.schema, cvgi_row_data(row_before.bytes), cvgi_row_data(row_now.bytes));
    assert_int_equal(changed, 1 | 4);
    assert_int_equal(cvgi_merge_changed_zone(&r.schema, BLOCK_AT, row_before.bytes, row_now.bytes, changed), 2);
    image_set_zone(&row_before, &blocks, NULL, 0);
    assert_int_equal(allocator.blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w1_assert_replaces_what_the_source_may_write),
        cmocka_unit_test(w2_patch_replaces_the_masked_fields),
        cmocka_unit_test(w3_the_last_retract_leaves_zeroes),
        cmocka_unit_test(w5_the_last_owner_clears_or_keeps),
        cmocka_unit_test(w5_a_field_that_all_may_write_is_never_cleared_while_someone_asserts),
        cmocka_unit_test(changed_fields_against_a_naive_comparison),
        cmocka_unit_test(zones_against_a_naive_merge),
        cmocka_unit_test(the_same_zone_may_be_other_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
