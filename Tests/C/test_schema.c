/* Definitions, the layout they compile to, and every way in which a value is not valid (K3, K4, K5, W5). */
#include "read_support.h"

#include "schema.h"

static test_allocator allocator;
static cvgi_memory memory;

/* To be given to cvgi_schema_free when it has parts. */
static cvgi_schema compiled(const cvg_field *fields, uint16_t count) {
    cvgi_schema schema;
    assert_int_equal(cvgi_schema_compile(&schema, &memory, &(cvg_definition){fields, count, 1}), CVG_OK);
    return schema;
}

static int compile_status(const cvg_field *fields, uint16_t count, uint8_t version) {
    cvgi_schema schema;
    int status = cvgi_schema_compile(&schema, &memory, &(cvg_definition){fields, count, version});
    if (status == CVG_OK) cvgi_schema_free(&schema, &memory);
    assert_int_equal(allocator.blocks, 0);
    return status;
}

static void k3_fields_are_packed_in_ordinal_order(void **state) {
    (void)state;
    const uint32_t sizes[] = {1, 2, 4, 8, 16, 1, 2, 4, 8, 4, 8, 1, 2 + 5, 2 + 300};
    cvg_field fields[14] = {0};
    for (uint8_t i = 0; i < 14; i++) fields[i].type = i + 1;
    fields[12].max = 5;
    fields[13].max = 300;
    cvgi_schema schema = compiled(fields, 14);
    uint32_t offset = 0;
    for (int i = 0; i < 14; i++) {
        assert_int_equal(schema.fields[i].offset, offset);
        assert_int_equal(schema.fields[i].bytes, sizes[i]);
        offset += sizes[i];
    }
    assert_int_equal(schema.fixed_bytes, offset);
    assert_int_equal(schema.all, (1 << 14) - 1);
    assert_int_equal(schema.checked, 7 << 11);
}

static void k5_limits_of_a_definition(void **state) {
    (void)state;
    cvg_field fields[65];
    for (int i = 0; i < 65; i++) fields[i] = (cvg_field){.type = CVG_U8};
    assert_int_equal(compile_status(fields, 0, 1), CVG_E_DEFINITION);
    assert_int_equal(compile_status(fields, 64, 1), CVG_OK);
    assert_int_equal(compile_status(fields, 65, 1), CVG_E_DEFINITION);
    assert_int_equal(compile_status(fields, 1, 0), CVG_E_DEFINITION);
    assert_int_equal(compile_status(NULL, 1, 1), CVG_E_DEFINITION);
    const uint8_t bad_types[] = {0, 19, 255};
    for (size_t i = 0; i < sizeof bad_types; i++) {
        fields[3].type = bad_types[i];
        assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
        fields[3].max = 4; /* nor with a max */
        assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
        fields[3].max = 0;
    }
    fields[3] = (cvg_field){.type = CVG_STRING};
    assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
    fields[3] = (cvg_field){.type = CVG_BYTES};
    assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
    fields[3] = (cvg_field){.type = CVG_U32, .max = 4};
    assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
    fields[3] = (cvg_field){.type = CVG_U32, .on_retract = 2};
    assert_int_equal(compile_status(fields, 4, 1), CVG_E_DEFINITION);
}

static void k5_a_row_is_at_most_a_mebibyte(void **state) {
    (void)state;
    cvg_field fields[16];
    for (int i = 0; i < 15; i++) fields[i] = (cvg_field){.type = CVG_BYTES, .max = 65535};
    uint32_t rest = CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES - 15 * 65537;
    fields[15] = (cvg_field){.type = CVG_STRING, .max = (uint16_t)(rest - 2)};
    assert_int_equal(compiled(fields, 16).fixed_bytes, CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES);
    fields[15].max++;
    assert_int_equal(compile_status(fields, 16, 1), CVG_E_DEFINITION);
}

static void w5_owners_become_the_fields_a_source_may_write(void **state) {
    (void)state;
    const cvg_field fields[] = {
        {.type = CVG_U8}, {.type = CVG_U8, .owners = 1}, {.type = CVG_U8, .owners = UINT64_C(1) << 63 | 1}};
    cvgi_schema schema = compiled(fields, 3);
    assert_int_equal(schema.writable[0], 7);
    assert_int_equal(schema.writable[1], 1);
    assert_int_equal(schema.writable[63], 5);
}

/* --------------------------------------------------------------------------------------------------------- values */

static const cvg_field TEXT_FIELDS[] = {
    {.type = CVG_U8}, {.type = CVG_BOOL}, {.type = CVG_STRING, .max = 9}, {.type = CVG_BYTES, .max = 20}};
enum { TEXT_BYTES = 1 + 1 + 11 + 22, BOOL_AT = 1, STRING_AT = 2, BYTES_AT = 13 };

static void expect_row(const cvgi_schema *schema, const uint8_t *data, int status, uint16_t at_fault) {
    uint16_t field = CVGI_NO_FIELD;
    assert_int_equal(cvgi_schema_check_row(schema, data, TEXT_BYTES, &field), status);
    assert_int_equal(field, at_fault);
}

static void k4_row_values(void **state) {
    (void)state;
    cvgi_schema schema = compiled(TEXT_FIELDS, 4);
    assert_int_equal(schema.fixed_bytes, TEXT_BYTES);
    uint8_t data[TEXT_BYTES] = {0};
    uint16_t field = CVGI_NO_FIELD;
    assert_int_equal(cvgi_schema_check_row(&schema, data, TEXT_BYTES - 1, &field), CVG_E_LENGTH);
    assert_int_equal(cvgi_schema_check_row(&schema, data, TEXT_BYTES + 1, &field), CVG_E_LENGTH);
    assert_int_equal(field, CVGI_NO_FIELD);
    expect_row(&schema, data, CVG_OK, CVGI_NO_FIELD);
    data[0] = 255;
    data[BOOL_AT] = 1;
    expect_row(&schema, data, CVG_OK, CVGI_NO_FIELD);
    for (int i = 2; i < 256; i++) {
        data[BOOL_AT] = (uint8_t)i;
        expect_row(&schema, data, CVG_E_BOOL, 1);
    }
    data[BOOL_AT] = 0;
    cvgi_store16(data + STRING_AT, 10);
    expect_row(&schema, data, CVG_E_TOO_LONG, 2);
    cvgi_store16(data + STRING_AT, 0xFFFF);
    expect_row(&schema, data, CVG_E_TOO_LONG, 2);
    cvgi_store16(data + STRING_AT, 9);
    expect_row(&schema, data, CVG_OK, CVGI_NO_FIELD);
    data[STRING_AT + 2 + 8] = 0xC3; /* cut short by the end */
    expect_row(&schema, data, CVG_E_UTF8, 2);
    cvgi_store16(data + STRING_AT, 8);
    expect_row(&schema, data, CVG_E_PADDING, 2);
    data[STRING_AT + 2 + 8] = 0;
    cvgi_store16(data + BYTES_AT, 21);
    expect_row(&schema, data, CVG_E_TOO_LONG, 3);
    cvgi_store16(data + BYTES_AT, 20);
    memset(data + BYTES_AT + 2, 0xFF, 20); /* bytes need not be UTF-8 */
    expect_row(&schema, data, CVG_OK, CVGI_NO_FIELD);
    for (uint16_t length = 0; length < 20; length++) { /* one stray byte at each place of the padding */
        memset(data + BYTES_AT + 2, 0, 20);
        cvgi_store16(data + BYTES_AT, length);
        expect_row(&schema, data, CVG_OK, CVGI_NO_FIELD);
        for (int at = length; at < 20; at++) {
            data[BYTES_AT + 2 + at] = 1;
            expect_row(&schema, data, CVG_E_PADDING, 3);
            data[BYTES_AT + 2 + at] = 0;
        }
    }
    data[BOOL_AT] = 2; /* the first field at fault is the one named */
    data[BYTES_AT] = 99;
    expect_row(&schema, data, CVG_E_BOOL, 1);
}

static void expect_patch(const cvgi_schema *schema, uint8_t source, uint64_t mask, const uint8_t *data, uint32_t bytes,
                         int status, uint16_t at_fault) {
    uint16_t field = CVGI_NO_FIELD;
    assert_int_equal(cvgi_schema_check_patch(schema, source, mask, data, bytes, &field), status);
    assert_int_equal(field, at_fault);
}

static void k4_patch_values(void **state) {
    (void)state;
    cvg_field fields[4];
    memcpy(fields, TEXT_FIELDS, sizeof fields);
    fields[0].owners = 2;
    fields[3].owners = 2;
    cvgi_schema schema = compiled(fields, 4);
    uint8_t data[TEXT_BYTES + 8] = {0};
    expect_patch(&schema, 1, 0, NULL, 0, CVG_OK, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 0, data, 1, CVG_E_LENGTH, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 15, data, TEXT_BYTES, CVG_OK, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 5, data, 12, CVG_OK, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 5, data, 13, CVG_E_LENGTH, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 1 | 16 | 32, data, 1, CVG_E_MASK, 4);
    expect_patch(&schema, 1, UINT64_C(1) << 63, data, 0, CVG_E_MASK, 63);
    data[1] = 10; /* field 2's length, behind field 0 */
    expect_patch(&schema, 1, 5, data, 12, CVG_E_TOO_LONG, 2);
    expect_patch(&schema, 0, 5, data, 12, CVG_E_TOO_LONG, 2); /* values come before ownership */
    data[1] = 0;
    expect_patch(&schema, 0, 5, data, 12, CVG_E_NOT_OWNER, 0);
    expect_patch(&schema, 0, 12, data, 33, CVG_E_NOT_OWNER, 3);
    expect_patch(&schema, 0, 6, data, 12, CVG_OK, CVGI_NO_FIELD);
    data[0] = 7; /* the bool, alone */
    expect_patch(&schema, 0, 2, data, 1, CVG_E_BOOL, 1);
}

/* ------------------------------------------------------------------------------- variable fields, arrays, structs */

static const cvg_member MEMBERS[] = {{.type = CVG_U16}, {.type = CVG_STRING, .max = 3}, {.type = CVG_BOOL}};

static void k3_variable_fields_have_an_entry_and_structs_are_packed(void **state) {
    (void)state;
    const cvg_field fields[] = {
        {.type = CVG_U8},
        {.type = CVG_VARSTRING, .max = 65535},
        {.type = CVG_STRUCT, .members = MEMBERS, .member_count = 3},
        {.type = CVG_VARBYTES, .max = 1},
        {.type = CVG_ARRAY, .element = CVG_F64, .max = 1024},
        {.type = CVG_ARRAY, .element = CVG_BYTES, .element_max = 10, .max = 2},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = MEMBERS, .member_count = 3, .max = 7},
        {.type = CVG_STRUCT, .members = MEMBERS, .member_count = 1},
    };
    const uint32_t offsets[] = {0, 1, 5, 13, 17, 21, 25, 29}, units[] = {0, 1, 0, 1, 8, 12, 8, 0};
    cvgi_schema schema = compiled(fields, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(schema.fields[i].offset, offsets[i]);
        assert_int_equal(schema.ends[i], i < 7 ? offsets[i + 1] : 31);
        assert_int_equal(schema.fields[i].unit, units[i]);
    }
    assert_int_equal(schema.fixed_bytes, 31);
    assert_int_equal(schema.variable, 2 | 8 | 16 | 32 | 64);
    assert_int_equal(schema.checked, 2 | 4 | 32 | 64);
    assert_int_equal(schema.variable_bytes_max, 65535 + 1 + 8192 + 24 + 56);
    assert_int_equal(schema.part_count, 2 + 1 + 2);
    assert_int_equal(schema.parts[schema.fields[6].part_first + 1].offset, 7);
    assert_int_equal(schema.parts[schema.fields[6].part_first + 1].type, CVG_BOOL);
    cvgi_schema_free(&schema, &memory);
}

static void k5_limits_of_variable_fields(void **state) {
    (void)state;
    cvg_member many[65];
    for (int i = 0; i < 65; i++) many[i] = (cvg_member){.type = CVG_U8};
    const cvg_member no_max = {.type = CVG_STRING}, stray_max = {.max = 1, .type = CVG_U8},
                     nested = {.type = CVG_STRUCT}, variable = {.max = 4, .type = CVG_VARSTRING};
    const cvg_field good[] = {
        {.type = CVG_VARSTRING, .max = 1},
        {.type = CVG_VARBYTES, .max = 65535},
        {.type = CVG_ARRAY, .element = CVG_U8, .max = 1024},
        {.type = CVG_ARRAY, .element = CVG_BOOL, .max = 1},
        {.type = CVG_ARRAY, .element = CVG_STRING, .element_max = 1022, .max = 1023},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = many, .member_count = 64, .max = 1024},
        {.type = CVG_STRUCT, .members = many, .member_count = 1},
        {.type = CVG_STRUCT, .members = many, .member_count = 64},
        {.type = CVG_U8, .members = many}, /* of no members: not looked at */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_int_equal(compile_status(&good[i], 1, 1), CVG_OK);
    const cvg_field bad[] = {
        {.type = CVG_VARSTRING},
        {.type = CVG_VARBYTES},
        {.type = CVG_VARSTRING, .max = 1, .element = CVG_U8},
        {.type = CVG_VARSTRING, .max = 1, .element_max = 1},
        {.type = CVG_VARBYTES, .max = 1, .members = many, .member_count = 1},
        {.type = CVG_U8, .members = many, .member_count = 1},
        {.type = CVG_U8, .element = CVG_U8},
        {.type = CVG_STRING, .max = 1, .element_max = 1},
        {.type = CVG_ARRAY, .element = CVG_U8},
        {.type = CVG_ARRAY, .element = CVG_U8, .max = 1025},
        {.type = CVG_ARRAY, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_U8, .element_max = 1, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_STRING, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_VARSTRING, .element_max = 4, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_ARRAY, .element_max = 4, .max = 4},
        {.type = CVG_ARRAY, .element = 19, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_U8, .members = many, .member_count = 1, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = many, .max = 4},
        {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = many, .member_count = 1, .element_max = 1, .max = 4},
        {.type = CVG_STRUCT},
        {.type = CVG_STRUCT, .members = many},
        {.type = CVG_STRUCT, .member_count = 1},
        {.type = CVG_STRUCT, .members = many, .member_count = 65},
        {.type = CVG_STRUCT, .members = many, .member_count = 1, .max = 1},
        {.type = CVG_STRUCT, .members = many, .member_count = 1, .element = CVG_U8},
        {.type = CVG_STRUCT, .members = &no_max, .member_count = 1},
        {.type = CVG_STRUCT, .members = &stray_max, .member_count = 1},
        {.type = CVG_STRUCT, .members = &nested, .member_count = 1},
        {.type = CVG_STRUCT, .members = &variable, .member_count = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const int status = compile_status(&bad[i], 1, 1);
        if (status != CVG_E_DEFINITION) fail_msg("definition %zu: %d", i, status);
    }
    many[63].type = 0;
    assert_int_equal(compile_status(&good[7], 1, 1), CVG_E_DEFINITION);
}

static void k5_the_largest_row_counts_both_zones(void **state) {
    (void)state;
    cvg_field fields[16];
    for (int i = 0; i < 15; i++) fields[i] = (cvg_field){.type = CVG_VARBYTES, .max = 65535};
    const uint32_t rest = CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES - 15 * 65539;
    fields[15] = (cvg_field){.type = CVG_VARSTRING, .max = (uint16_t)(rest - 4)};
    cvgi_schema schema = compiled(fields, 16);
    assert_int_equal(schema.fixed_bytes + schema.variable_bytes_max, CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES);
    fields[15].max++;
    assert_int_equal(compile_status(fields, 16, 1), CVG_E_DEFINITION);
    /* What would wrap in 32 bits. */
    cvg_member wide[64];
    for (int i = 0; i < 64; i++) wide[i] = (cvg_member){.max = 65535, .type = CVG_BYTES};
    cvg_field huge[64];
    for (int i = 0; i < 64; i++)
        huge[i] =
            (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .members = wide, .member_count = 64, .max = 1024};
    for (uint16_t count = 1; count <= 64; count++) assert_int_equal(compile_status(huge, count, 1), CVG_E_DEFINITION);
    for (int i = 0; i < 64; i++) huge[i] = (cvg_field){.type = CVG_STRUCT, .members = wide, .member_count = 64};
    for (uint16_t count = 1; count <= 64; count++) assert_int_equal(compile_status(huge, count, 1), CVG_E_DEFINITION);
}

static void members_without_memory(void **state) {
    (void)state;
    const cvg_field field = {.type = CVG_STRUCT, .members = MEMBERS, .member_count = 3};
    allocator.fail_at = allocator.calls + 1;
    assert_int_equal(compile_status(&field, 1, 1), CVG_E_MEMORY);
    assert_int_equal(compile_status(&field, 1, 1), CVG_OK);
}

/* u8; varstring(5); array of 3 bools; struct of MEMBERS; varbytes(4); array of 2 structs of MEMBERS. */
static const cvg_field MIXED[] = {
    {.type = CVG_U8},
    {.type = CVG_VARSTRING, .max = 5},
    {.type = CVG_ARRAY, .element = CVG_BOOL, .max = 3},
    {.type = CVG_STRUCT, .members = MEMBERS, .member_count = 3},
    {.type = CVG_VARBYTES, .max = 4, .owners = 2},
    {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = MEMBERS, .member_count = 3, .max = 2},
};
enum { MIXED_TEXT = 1, MIXED_BOOLS = 5, MIXED_STRUCT = 9, MIXED_BLOB = 17, MIXED_STRUCTS = 21, MIXED_FIXED = 25 };

/* A copy of exactly the length, so that the sanitizer sees a read behind it. */
static void expect_mixed(const cvgi_schema *schema, const uint8_t *data, uint32_t bytes, int status, uint16_t at) {
    uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
    memcpy(exact, data, bytes);
    uint16_t field = CVGI_NO_FIELD;
    assert_int_equal(cvgi_schema_check_row(schema, exact, bytes, &field), status);
    assert_int_equal(field, at);
    free(exact);
}

static void k4_entries_and_lengths(void **state) {
    (void)state;
    cvgi_schema schema = compiled(MIXED, 6);
    uint8_t data[256] = {0};
    assert_int_equal(schema.fixed_bytes, MIXED_FIXED);
    for (uint32_t bytes = 0; bytes < sizeof data; bytes++)
        expect_mixed(&schema, data, bytes, bytes == MIXED_FIXED ? CVG_OK : CVG_E_LENGTH, CVGI_NO_FIELD);
    cvgi_store32(data + MIXED_TEXT, 5);
    cvgi_store32(data + MIXED_BOOLS, 3);
    cvgi_store32(data + MIXED_BLOB, 4);
    cvgi_store32(data + MIXED_STRUCTS, 2);
    for (uint32_t bytes = 0; bytes < sizeof data; bytes++)
        expect_mixed(&schema, data, bytes, bytes == MIXED_FIXED + 28 ? CVG_OK : CVG_E_LENGTH, CVGI_NO_FIELD);
    const uint32_t at[] = {MIXED_TEXT, MIXED_BOOLS, MIXED_BLOB, MIXED_STRUCTS}, good[] = {5, 3, 4, 2};
    const uint16_t ordinal[] = {1, 2, 4, 5};
    for (int i = 0; i < 4; i++) {
        const uint32_t hostile[] = {good[i] + 1, 0x10000,    0x7FFFFFFF, 0x80000000,
                                    0xFFFFFFFF,  0xFFFFFFFB, 0x20000001, (uint32_t) - (int32_t)MIXED_FIXED};
        for (int h = 0; h < 8; h++) {
            cvgi_store32(data + at[i], hostile[h]);
            for (uint32_t bytes = MIXED_FIXED; bytes < MIXED_FIXED + 60; bytes++)
                expect_mixed(&schema, data, bytes, CVG_E_TOO_LONG, ordinal[i]);
            expect_mixed(&schema, data, MIXED_FIXED - 1, CVG_E_LENGTH, CVGI_NO_FIELD);
        }
        cvgi_store32(data + at[i], good[i]);
    }
    cvgi_schema_free(&schema, &memory);
}

static void k4_values_in_both_zones(void **state) {
    (void)state;
    cvgi_schema schema = compiled(MIXED, 6);
    enum { TEXT = MIXED_FIXED, BOOLS = TEXT + 2, BLOB = BOOLS + 3, STRUCTS = BLOB + 1, END = STRUCTS + 16 };
    uint8_t data[END] = {0};
    cvgi_store32(data + MIXED_TEXT, 2);
    cvgi_store32(data + MIXED_BOOLS, 3);
    cvgi_store32(data + MIXED_BLOB, 1);
    cvgi_store32(data + MIXED_STRUCTS, 2);
    memcpy(data + TEXT, "\xC3\xA9", 2);
    data[BLOB] = 0xFF;
    expect_mixed(&schema, data, END, CVG_OK, CVGI_NO_FIELD);
    data[TEXT + 1] = 'x';
    expect_mixed(&schema, data, END, CVG_E_UTF8, 1);
    data[TEXT] = 'x';
    data[TEXT + 1] = 0xC3; /* cut short by the next field */
    data[BOOLS] = 0xA9;
    expect_mixed(&schema, data, END, CVG_E_UTF8, 1);
    data[TEXT + 1] = 'y';
    expect_mixed(&schema, data, END, CVG_E_BOOL, 2);
    data[BOOLS] = 1;
    data[BOOLS + 2] = 2;
    expect_mixed(&schema, data, END, CVG_E_BOOL, 2);
    data[BOOLS + 2] = 1;
    data[MIXED_STRUCT] = data[MIXED_STRUCT + 1] = 0xFF; /* a u16 is anything */
    data[MIXED_STRUCT + 7] = 2;
    expect_mixed(&schema, data, END, CVG_E_BOOL, 3);
    data[MIXED_STRUCT + 7] = 1;
    data[MIXED_STRUCT + 2] = 4;
    expect_mixed(&schema, data, END, CVG_E_TOO_LONG, 3);
    data[MIXED_STRUCT + 2] = 1;
    data[MIXED_STRUCT + 4] = 0x80;
    expect_mixed(&schema, data, END, CVG_E_UTF8, 3);
    data[MIXED_STRUCT + 4] = 'a';
    data[MIXED_STRUCT + 6] = 'b';
    expect_mixed(&schema, data, END, CVG_E_PADDING, 3);
    data[MIXED_STRUCT + 6] = 0;
    for (int element = 0; element < 2; element++) {
        uint8_t *value = data + STRUCTS + 8 * element;
        value[2] = 0xFF;
        value[3] = 0xFF;
        expect_mixed(&schema, data, END, CVG_E_TOO_LONG, 5);
        value[2] = value[3] = 0;
        value[5] = 1;
        expect_mixed(&schema, data, END, CVG_E_PADDING, 5);
        value[5] = 0;
        value[7] = 255;
        expect_mixed(&schema, data, END, CVG_E_BOOL, 5);
        value[7] = 1;
    }
    expect_mixed(&schema, data, END, CVG_OK, CVGI_NO_FIELD);
    cvgi_schema_free(&schema, &memory);
}

static void k4_patches_in_both_zones(void **state) {
    (void)state;
    cvgi_schema schema = compiled(MIXED, 6);
    uint8_t data[64] = {0};
    /* fields 0, 1, 2 and 4: a u8, then three entries, then their bytes */
    const uint64_t mask = 1 | 2 | 4 | 16;
    cvgi_store32(data + 1, 3);
    cvgi_store32(data + 5, 1);
    cvgi_store32(data + 9, 2);
    memcpy(data + 13, "abc\x01\xFF\xFF", 6);
    expect_patch(&schema, 1, mask, data, 19, CVG_OK, CVGI_NO_FIELD);
    expect_patch(&schema, 1, mask, data, 18, CVG_E_LENGTH, CVGI_NO_FIELD);
    expect_patch(&schema, 1, mask, data, 20, CVG_E_LENGTH, CVGI_NO_FIELD);
    expect_patch(&schema, 1, mask, data, 12, CVG_E_LENGTH, CVGI_NO_FIELD);
    expect_patch(&schema, 0, mask, data, 19, CVG_E_NOT_OWNER, 4);
    expect_patch(&schema, 0, mask & ~16ull, data, 17, CVG_E_LENGTH, CVGI_NO_FIELD);
    data[16] = 2;
    expect_patch(&schema, 0, mask, data, 19, CVG_E_BOOL, 2);
    data[16] = 1;
    data[15] = 0xE0;
    expect_patch(&schema, 1, mask, data, 19, CVG_E_UTF8, 1);
    cvgi_store32(data + 9, 0xFFFFFFFF);
    expect_patch(&schema, 1, mask, data, 19, CVG_E_TOO_LONG, 4); /* entries come before values */
    expect_patch(&schema, 1, mask | 64, data, 19, CVG_E_MASK, 6);
    expect_patch(&schema, 1, 1 | 8, (uint8_t[9]){7, 1, 2, 3, 0, 'a', 'b', 'c', 1}, 9, CVG_OK, CVGI_NO_FIELD);
    expect_patch(&schema, 1, 1 | 8, (uint8_t[9]){7, 1, 2, 3, 0, 'a', 'b', 'c', 2}, 9, CVG_E_BOOL, 3);
    cvgi_schema_free(&schema, &memory);
}

/* ----------------------------------------------------------------------------------------------------------- UTF-8 */

/* From the definition: decode, then look at the number and at the shortest form. 0: not one whole character. */
static size_t naive_character(const uint8_t *text, size_t bytes) {
    size_t length = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > bytes) return 0;
    uint32_t number = length == 1 ? text[0] : text[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) return 0;
        number = number << 6 | (text[i] & 0x3F);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (number < least[length] || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) return 0;
    return length;
}

static bool naive_utf8(const uint8_t *text, size_t bytes) {
    while (bytes > 0) {
        size_t length = naive_character(text, bytes);
        if (length == 0) return false;
        text += length;
        bytes -= length;
    }
    return true;
}

static void k4_utf8_against_the_definition(void **state) {
    (void)state;
    uint64_t valid = 0;
    for (uint32_t pair = 0; pair < 1 << 16; pair++) {
        uint8_t text[2] = {(uint8_t)pair, (uint8_t)(pair >> 8)};
        assert_int_equal(cvgi_utf8_valid(text, 2), naive_utf8(text, 2));
    }
    for (uint32_t triple = 0; triple < 1 << 20; triple++) { /* every lead of three, every second, every third */
        uint8_t text[3] = {(uint8_t)(0xE0 | triple >> 16), (uint8_t)(triple >> 8), (uint8_t)triple};
        bool expected = naive_utf8(text, 3);
        assert_int_equal(cvgi_utf8_valid(text, 3), expected);
        valid += expected;
    }
    for (uint32_t lead = 0xF0; lead < 0x100; lead++)
        for (uint32_t rest = 0; rest < 1 << 14; rest++) { /* the second byte whole, the others at their edges */
            static const uint8_t edges[8] = {0x00, 0x7F, 0x80, 0x81, 0xBE, 0xBF, 0xC0, 0xFF};
            uint8_t text[4] = {(uint8_t)lead, (uint8_t)(rest >> 6), edges[rest & 7], edges[rest >> 3 & 7]};
            bool expected = naive_utf8(text, 4);
            assert_int_equal(cvgi_utf8_valid(text, 4), expected);
            valid += expected;
        }
    assert_true(valid > 60000);
}

static void k4_utf8_at_every_place_of_a_word(void **state) {
    (void)state;
    uint8_t text[40];
    uint64_t dice = 5, accepted = 0;
    for (int round = 0; round < 200000; round++) {
        static const char *const pieces[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "abcdefgh"};
        size_t bytes = 0;
        while (bytes < 24) {
            const char *piece = pieces[test_random(&dice) % 5];
            memcpy(text + bytes, piece, strlen(piece));
            bytes += strlen(piece);
        }
        if (round % 2 == 0) text[test_random(&dice) % bytes] = (uint8_t)test_random(&dice);
        if (round % 3 == 0) bytes -= test_random(&dice) % 4;
        bool expected = naive_utf8(text, bytes);
        assert_int_equal(cvgi_utf8_valid(text, bytes), expected);
        accepted += expected;
    }
    assert_in_range(accepted, 50000, 199999);
    assert_true(cvgi_utf8_valid(NULL, 0));
}

int main(void) {
    memory = test_memory(&allocator);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k3_fields_are_packed_in_ordinal_order),
        cmocka_unit_test(k5_limits_of_a_definition),
        cmocka_unit_test(k5_a_row_is_at_most_a_mebibyte),
        cmocka_unit_test(w5_owners_become_the_fields_a_source_may_write),
        cmocka_unit_test(k4_row_values),
        cmocka_unit_test(k4_patch_values),
        cmocka_unit_test(k3_variable_fields_have_an_entry_and_structs_are_packed),
        cmocka_unit_test(k5_limits_of_variable_fields),
        cmocka_unit_test(k5_the_largest_row_counts_both_zones),
        cmocka_unit_test(members_without_memory),
        cmocka_unit_test(k4_entries_and_lengths),
        cmocka_unit_test(k4_values_in_both_zones),
        cmocka_unit_test(k4_patches_in_both_zones),
        cmocka_unit_test(k4_utf8_against_the_definition),
        cmocka_unit_test(k4_utf8_at_every_place_of_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
