/*
 * definitions.c - which kinds are refused (K3, K5), and that what lies exactly at a limit is not.
 *
 * Each case is one kind. Whether the 50 bytes of a row's header count towards the largest row is not asked: the cases
 * beside that limit leave room for either.
 */
#include "grow.h"
#include "run.h"
#include <stdio.h>

enum { FIELDS_TRIED = CVG_FIELDS_MAX + 1 };

typedef struct attempt {
    cvg_field fields[FIELDS_TRIED];
    cvg_member members[255];
    cvg_definition definition;
} attempt;

static void expect(attempt *a, const char *what, int expected) {
    cvg_engine *engine = NULL;
    cvg_options options = {0};
    cvg_field small = {.type = CVG_U8};
    cvg_definition good = {.fields = &small, .field_count = 1, .schema = 1};
    a->definition.fields = a->fields;
    a->definition.schema = 1;
    if (cvg_engine_create(&options, &engine) != CVG_OK) abort();
    int status = cvg_kind_create(engine, 7, &a->definition);
    bool left_nothing =
        status == CVG_OK || (cvg_kind_fixed_bytes(engine, 7) == 0 && cvg_kind_create(engine, 7, &good) == CVG_OK);
    cvg_engine_destroy(engine);
    if (status == expected && left_nothing) return;
    printf("FAILED definition: %s: expected %d, got %d%s\n", what, expected, status,
           left_nothing ? "" : ", and the refused kind is in the way");
    exit(1);
}

/* `count` fields like the one given; its members are like `member`. */
static attempt *try(attempt *a, unsigned count, cvg_field field, cvg_member member) {
    memset(a, 0, sizeof *a);
    for (unsigned i = 0; i < 255; i++) a->members[i] = member;
    if (field.member_count > 0) field.members = a->members;
    for (unsigned f = 0; f < count && f < FIELDS_TRIED; f++) a->fields[f] = field;
    a->definition.field_count = (uint16_t)count;
    return a;
}

static const cvg_member no_member = {0}, byte = {.type = CVG_U8}, widest = {.type = CVG_BYTES, .max = 65535};

static void one(attempt *a, const char *what, cvg_field field, int expected) {
    expect(try(a, 1, field, byte), what, expected);
}

static void test_fields(attempt *a) {
    const int bad = CVG_E_DEFINITION;
    expect(try(a, 0, (cvg_field){.type = CVG_U8}, no_member), "no field", bad);
    expect(try(a, 65, (cvg_field){.type = CVG_U8}, no_member), "65 fields", bad);
    expect(try(a, 64, (cvg_field){.type = CVG_U8}, no_member), "64 fields", CVG_OK);
    expect(try(a, 64, (cvg_field){.type = CVG_VARBYTES, .max = 1}, no_member), "64 variable fields", CVG_OK);
    one(a, "type 0", (cvg_field){.type = 0}, bad);
    one(a, "type 19", (cvg_field){.type = 19}, bad);
    one(a, "type 255", (cvg_field){.type = 255}, bad);
    one(a, "string(0)", (cvg_field){.type = CVG_STRING}, bad);
    one(a, "bytes(0)", (cvg_field){.type = CVG_BYTES}, bad);
    one(a, "varstring(0)", (cvg_field){.type = CVG_VARSTRING}, bad);
    one(a, "varbytes(0)", (cvg_field){.type = CVG_VARBYTES}, bad);
    one(a, "varstring(1)", (cvg_field){.type = CVG_VARSTRING, .max = 1}, CVG_OK);
    one(a, "varstring(65535)", (cvg_field){.type = CVG_VARSTRING, .max = 65535}, CVG_OK);
    one(a, "varbytes(65535)", (cvg_field){.type = CVG_VARBYTES, .max = 65535}, CVG_OK);
}

/* What a type does not have must be 0: else a definition would say something that is not kept. */
static void test_strays(attempt *a) {
    const int bad = CVG_E_DEFINITION;
    one(a, "u8 with a max", (cvg_field){.type = CVG_U8, .max = 3}, bad);
    one(a, "u8 with an element", (cvg_field){.type = CVG_U8, .element = CVG_U8}, bad);
    one(a, "u8 with members", (cvg_field){.type = CVG_U8, .member_count = 1}, bad);
    one(a, "varstring with an element max", (cvg_field){.type = CVG_VARSTRING, .max = 2, .element_max = 4}, bad);
    one(a, "struct with a max", (cvg_field){.type = CVG_STRUCT, .max = 2, .member_count = 1}, bad);
    one(a, "array of u8 with an element max",
        (cvg_field){.type = CVG_ARRAY, .element = CVG_U8, .max = 2, .element_max = 4}, bad);
    expect(try(a, 1, (cvg_field){.type = CVG_STRUCT, .member_count = 1}, (cvg_member){.type = CVG_U8, .max = 3}),
           "u8 member with a max", bad);
}

static void test_arrays(attempt *a) {
    const int bad = CVG_E_DEFINITION;
    static const uint8_t wrong[] = {0, CVG_VARSTRING, CVG_VARBYTES, CVG_ARRAY, 19, 255};
    for (unsigned i = 0; i < sizeof wrong; i++)
        one(a, "array of what cannot be in one",
            (cvg_field){.type = CVG_ARRAY, .element = wrong[i], .max = 2, .element_max = 2}, bad);
    for (uint8_t t = CVG_U8; t <= CVG_BOOL; t++)
        one(a, "array of a scalar", (cvg_field){.type = CVG_ARRAY, .element = t, .max = 1024}, CVG_OK);
    one(a, "array of 0", (cvg_field){.type = CVG_ARRAY, .element = CVG_U8}, bad);
    one(a, "array of 1,025", (cvg_field){.type = CVG_ARRAY, .element = CVG_U8, .max = 1025}, bad);
    one(a, "array of 65,535", (cvg_field){.type = CVG_ARRAY, .element = CVG_U8, .max = 65535}, bad);
    one(a, "array of string(0)", (cvg_field){.type = CVG_ARRAY, .element = CVG_STRING, .max = 2}, bad);
    one(a, "array of bytes(0)", (cvg_field){.type = CVG_ARRAY, .element = CVG_BYTES, .max = 2}, bad);
    one(a, "array of string(65535)",
        (cvg_field){.type = CVG_ARRAY, .element = CVG_STRING, .max = 15, .element_max = 65535}, CVG_OK);
    one(a, "array of a struct of nothing", (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 2}, bad);
    one(a, "array of a struct of 65",
        (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 2, .member_count = 65}, bad);
    one(a, "array of a struct of 64",
        (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 1024, .member_count = 64}, CVG_OK);
}

static void test_structs(attempt *a) {
    const int bad = CVG_E_DEFINITION;
    static const uint8_t wrong[] = {0, CVG_VARSTRING, CVG_VARBYTES, CVG_ARRAY, CVG_STRUCT, 19, 255};
    one(a, "struct of nothing", (cvg_field){.type = CVG_STRUCT}, bad);
    one(a, "struct of 65", (cvg_field){.type = CVG_STRUCT, .member_count = 65}, bad);
    one(a, "struct of 255", (cvg_field){.type = CVG_STRUCT, .member_count = 255}, bad);
    one(a, "struct of 64", (cvg_field){.type = CVG_STRUCT, .member_count = 64}, CVG_OK);
    try(a, 1, (cvg_field){.type = CVG_STRUCT, .member_count = 1}, byte)->fields[0].members = NULL;
    expect(a, "struct whose members are nowhere", bad);
    for (unsigned i = 0; i < sizeof wrong; i++)
        for (unsigned where = 0; where < 3; where++) {
            cvg_field field = {.type = CVG_STRUCT, .member_count = 3};
            if (i % 2 == 1) field = (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 3, .member_count = 3};
            try(a, 1, field, byte)->members[where] = (cvg_member){.type = wrong[i], .max = 2};
            expect(a, "struct with a member that cannot be in one", bad);
        }
    for (uint8_t t = CVG_STRING; t <= CVG_BYTES; t++) {
        cvg_field field = {.type = CVG_STRUCT, .member_count = 2};
        expect(try(a, 1, field, (cvg_member){.type = t}), "struct with a string or bytes member of 0", bad);
        expect(try(a, 1, field, (cvg_member){.type = t, .max = 65535}), "struct with members of 65,535", CVG_OK);
    }
}

/* One field of every variable kind beside a scalar: the whole is what counts. */
static void test_rows(attempt *a) {
    const int bad = CVG_E_DEFINITION;
    cvg_field widest_field = {.type = CVG_VARBYTES, .max = 65535};
    expect(try(a, 15, widest_field, no_member), "15 x 65,535 variable bytes", CVG_OK);
    expect(try(a, 16, widest_field, no_member), "16 x 65,535 variable bytes and their directory", bad);
    expect(try(a, 64, widest_field, no_member), "64 x 65,535 variable bytes", bad);
    try(a, 16, widest_field, no_member)->fields[15].max = 65436; /* 15 x 65,539 + 4 + this + 50 = 2^20 - 1 */
    expect(a, "as much as 1 MiB holds beside a header", CVG_OK);
    try(a, 16, widest_field, no_member)->fields[15].max = 65488; /* without a header 2^20 + 1 */
    expect(a, "a byte more than 1 MiB", bad);
    expect(try(a, 64, (cvg_field){.type = CVG_BYTES, .max = 65535}, no_member), "64 x 65,535 inline bytes", bad);

    one(a, "an array a byte too large",
        (cvg_field){.type = CVG_ARRAY, .element = CVG_BYTES, .max = 1024, .element_max = 1022}, bad); /* 2^20 + 4 */
    cvg_field array = {.type = CVG_ARRAY, .element = CVG_BYTES, .max = 1024, .element_max = 1021};
    one(a, "an array of 1,024 x 1,023 bytes", array, CVG_OK);
    expect(try(a, 2, array, no_member), "two of them", bad);

    cvg_field structs = {.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 1024, .member_count = 64};
    expect(try(a, 1, structs, widest), "an array whose bytes wrap around at 32 bits", bad); /* 2^32 + 2^16 */
    structs.max = 1;
    expect(try(a, 1, structs, widest), "one element above 1 MiB", bad);
    structs.member_count = 15;
    expect(try(a, 1, structs, widest), "one element below it", CVG_OK);
    expect(try(a, 1, (cvg_field){.type = CVG_STRUCT, .member_count = 64}, widest), "a struct above 1 MiB", bad);
    structs = (cvg_field){.type = CVG_ARRAY, .element = CVG_STRUCT, .max = 1024, .member_count = 64};
    expect(try(a, 64, structs, widest), "64 arrays that wrap around", bad);
}

void definitions_test(void) {
    attempt *a = model_zeroed(sizeof *a);
    test_fields(a);
    test_strays(a);
    test_arrays(a);
    test_structs(a);
    test_rows(a);
    free(a);
}
