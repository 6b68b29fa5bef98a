/* What kinds ask the allocator for, and give back: huge pages are for those that fill them. */
#include "read_support.h"

#include <stdlib.h>

typedef struct requests {
    size_t largest_alignment, with_it;
} requests;

static void *note(void *context, size_t bytes, size_t alignment) {
    requests *noted = context;
    if (alignment > noted->largest_alignment) *noted = (requests){.largest_alignment = alignment};
    if (alignment == noted->largest_alignment) noted->with_it += 1;
    void *pointer;
    return posix_memalign(&pointer, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes) == 0 ? pointer
                                                                                                         : NULL;
}

static void release(void *context, void *pointer, size_t bytes) {
    (void)context, (void)bytes;
    free(pointer);
}

static void assert_entity(cvg_engine *engine, uint16_t kind, uint64_t number) {
    uint8_t id[CVG_ID_BYTES] = {0}, data[8] = {0};
    memcpy(id, &number, sizeof number);
    cvg_op op = {.id = id, .data = data, .data_bytes = sizeof data, .kind = kind, .code = CVG_ASSERT, .schema = 1};
    cvg_refusal refusal;
    cvg_applied applied;
    assert_int_equal(cvg_apply(engine, &op, 1, &refusal, 1, &applied), CVG_OK);
    assert_int_equal(applied.consumed, 1);
    assert_int_equal(applied.refused, 0);
}

static void a_kind_with_few_rows_asks_for_no_huge_page(void **state) {
    (void)state;
    enum { HUGE_PAGE = 2 << 20, KINDS = 20, ROWS_OF_A_SLAB = HUGE_PAGE / 64 / 2 };
    requests noted = {0};
    cvg_options options = {.allocator = {.context = &noted, .allocate = note, .release = release}};
    cvg_engine *engine;
    assert_int_equal(cvg_engine_create(&options, &engine), CVG_OK);
    cvg_field field = {.type = CVG_U64};
    cvg_definition definition = {.fields = &field, .field_count = 1, .schema = 1};
    for (uint16_t kind = 1; kind <= KINDS; kind++) {
        assert_int_equal(cvg_kind_create(engine, kind, &definition), CVG_OK);
        for (uint64_t number = 0; number < 100; number++) assert_entity(engine, kind, number);
    }
    assert_true(noted.largest_alignment <= 4096);
    for (uint64_t number = 100; number < 3 * (uint64_t)ROWS_OF_A_SLAB; number++) assert_entity(engine, 1, number);
    assert_int_equal(noted.largest_alignment, HUGE_PAGE);
    assert_true(noted.with_it >= 1);
    cvg_engine_destroy(engine);
}

/* A kind that could not be created in every partition is taken back in those where it was. */
static void a_discarded_kind_leaves_nothing(void **state) {
    (void)state;
    test_allocator allocator = {0};
    cvg_options options = {.allocator = {&allocator, test_allocate, test_release}};
    cvg_engine *engine;
    assert_int_equal(cvg_engine_create(&options, &engine), CVG_OK);
    assert_int_equal(cvg_kind_discard(engine, 1), CVG_E_KIND);
    const cvg_member members[] = {{.type = CVG_STRING, .max = 4}};
    const cvg_field before[] = {{.type = CVG_STRUCT, .members = members, .member_count = 1}},
                    after[] = {{.type = CVG_U64}};
    const cvg_definition first = {.fields = before, .field_count = 1, .schema = 1};
    const cvg_definition second = {.fields = after, .field_count = 1, .schema = 1};
    assert_int_equal(cvg_kind_create(engine, 2, &second), CVG_OK);
    int64_t bytes = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(cvg_kind_create(engine, 1, &first), CVG_OK);
        assert_int_equal(cvg_kind_fixed_bytes(engine, 1), 6);
        assert_int_equal(cvg_kind_discard(engine, 1), CVG_OK);
        assert_int_equal(cvg_kind_fixed_bytes(engine, 1), 0);
        assert_int_equal(cvg_kind_discard(engine, 1), CVG_E_KIND);
        if (i == 0) bytes = allocator.bytes;
        assert_int_equal(allocator.bytes, bytes);
    }
    assert_int_equal(cvg_kind_create(engine, 1, &second), CVG_OK);
    assert_entity(engine, 1, 7);
    assert_entity(engine, 2, 7);
    const cvg_batch *batch;
    assert_int_equal(cvg_seal(engine, &batch), CVG_OK);
    assert_int_equal(cvg_batch_changes(batch, 1), 1);
    assert_int_equal(cvg_batch_changes(batch, 2), 1);
    cvg_install(engine, batch);
    cvg_engine_destroy(engine);
    assert_int_equal(allocator.blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_with_few_rows_asks_for_no_huge_page),
        cmocka_unit_test(a_discarded_kind_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
