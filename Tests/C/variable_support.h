/* What the tests of variable fields share: a kind with one of each sort, and its rows packed from values. */
#ifndef VARIABLE_SUPPORT_H
#define VARIABLE_SUPPORT_H

#include "write_support.h"

/* number u32; text varstring; blob varbytes (owners: sources 0 and 1, cleared); list of u16; place: a struct of i32,
 * bool and string(5); tags: of structs of u8 and string(3) (owners: sources 1 and 2, kept). Source 1 may write all. */
enum { NUMBER = 1, TEXT = 2, BLOB = 4, LIST = 8, PLACE = 16, TAGS = 32, THINGS = 63 };
enum { TEXT_MAX = 40, BLOB_MAX = 600, LIST_MAX = 8, TAGS_MAX = 4, TAG_BYTES = 6, PLACE_BYTES = 12 };
enum { NUMBER_AT = 0, TEXT_AT = 4, BLOB_AT = 8, LIST_AT = 12, PLACE_AT = 16, TAGS_AT = 28, FIXED_BYTES = 32 };
enum { VARIABLE_MAX = TEXT_MAX + BLOB_MAX + 2 * LIST_MAX + TAG_BYTES * TAGS_MAX };

static const cvg_member PLACE_MEMBERS[] = {{.type = CVG_I32}, {.type = CVG_BOOL}, {.type = CVG_STRING, .max = 5}};
static const cvg_member TAG_MEMBERS[] = {{.type = CVG_U8}, {.type = CVG_STRING, .max = 3}};
static const cvg_field THING_FIELDS[] = {
    {.type = CVG_U32},
    {.type = CVG_VARSTRING, .max = TEXT_MAX},
    {.type = CVG_VARBYTES, .max = BLOB_MAX, .owners = 3, .on_retract = CVG_CLEAR},
    {.type = CVG_ARRAY, .element = CVG_U16, .max = LIST_MAX},
    {.type = CVG_STRUCT, .members = PLACE_MEMBERS, .member_count = 3},
    {.type = CVG_ARRAY, .element = CVG_STRUCT, .members = TAG_MEMBERS, .member_count = 2, .max = TAGS_MAX, .owners = 6},
};
static const cvg_definition THING_DEFINITION = {.fields = THING_FIELDS, .field_count = 6, .schema = 1};

typedef struct things {
    uint32_t number;
    const char *text; /* NULL: empty */
    const char *blob;
    uint32_t blob_bytes; /* 0: as long as the string */
    uint16_t list[LIST_MAX];
    uint32_t list_count;
    int32_t place;
    const char *tags[TAGS_MAX];
    uint32_t tag_count;
} things;

/* The masked fields' fixed parts, then their variable bytes, as a write has them. The number of bytes. */
static uint32_t pack_things(uint8_t *data, uint64_t mask, things t) {
    uint8_t *at = data;
    const uint32_t text_bytes = t.text == NULL ? 0 : (uint32_t)strlen(t.text);
    const uint32_t blob_bytes = t.blob_bytes != 0 ? t.blob_bytes : t.blob == NULL ? 0 : (uint32_t)strlen(t.blob);
    if (mask & NUMBER) cvgi_store32(at, t.number), at += 4;
    if (mask & TEXT) cvgi_store32(at, text_bytes), at += 4;
    if (mask & BLOB) cvgi_store32(at, blob_bytes), at += 4;
    if (mask & LIST) cvgi_store32(at, t.list_count), at += 4;
    if (mask & PLACE) {
        memset(at, 0, PLACE_BYTES);
        cvgi_store32(at, (uint32_t)t.place);
        if (t.place != 0) at[4] = 1, at[5] = 1, at[7] = 'p'; /* 0: as in a row that never was written */
        at += PLACE_BYTES;
    }
    if (mask & TAGS) cvgi_store32(at, t.tag_count), at += 4;
    if (mask & TEXT) {
        for (uint32_t i = 0; i < text_bytes; i++) *at++ = (uint8_t)t.text[i];
    }
    if (mask & BLOB) {
        for (uint32_t i = 0; i < blob_bytes; i++) *at++ = t.blob == NULL ? (uint8_t)i : (uint8_t)t.blob[i];
    }
    if (mask & LIST) {
        for (uint32_t i = 0; i < t.list_count; i++) cvgi_store16(at, t.list[i]), at += 2;
    }
    if (mask & TAGS) {
        for (uint32_t i = 0; i < t.tag_count; i++, at += TAG_BYTES) {
            memset(at, 0, TAG_BYTES);
            at[0] = (uint8_t)i;
            at[1] = (uint8_t)strlen(t.tags[i]);
            memcpy(at + 3, t.tags[i], strlen(t.tags[i]));
        }
    }
    return (uint32_t)(at - data);
}

static int write_things(cvg_engine *engine, uint8_t code, uint8_t source, uint64_t entity, uint64_t mask, things t) {
    uint8_t id[CVG_ID_BYTES], data[FIXED_BYTES + VARIABLE_MAX];
    make_id(id, entity);
    return write_op(engine,
                    (cvg_op){.id = id,
                             .data = data,
                             .data_bytes = pack_things(data, mask, t),
                             .mask = code == CVG_PATCH ? mask : 0,
                             .kind = KIND,
                             .code = code,
                             .source = source,
                             .schema = 1},
                    NULL);
}

static int assert_things(cvg_engine *engine, uint8_t source, uint64_t entity, things t) {
    return write_things(engine, CVG_ASSERT, source, entity, THINGS, t);
}

static int patch_things(cvg_engine *engine, uint8_t source, uint64_t entity, uint64_t mask, things t) {
    return write_things(engine, CVG_PATCH, source, entity, mask, t);
}

/* Both zones. */
static void expect_things(cvg_data data, things t) {
    uint8_t expected[FIXED_BYTES + VARIABLE_MAX];
    const uint32_t bytes = pack_things(expected, THINGS, t);
    assert_int_equal(data.fixed_bytes, FIXED_BYTES);
    assert_int_equal(data.variable_bytes, bytes - FIXED_BYTES);
    assert_memory_equal(data.fixed, expected, FIXED_BYTES);
    assert_int_equal(data.variable == NULL, bytes == FIXED_BYTES);
    if (data.variable != NULL) assert_memory_equal(data.variable, expected + FIXED_BYTES, bytes - FIXED_BYTES);
}

#endif
