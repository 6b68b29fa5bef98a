/* A recorded workload played again and again: once every window has had its size, a million writes and their
 * notifications ask the allocator for nothing. */
#include "workload_support.h"

enum { OPS = 50000, ENTITIES = 2000, WINDOW = 250, WARM_UP = 4, ROUNDS = 26 };

static void apply(cvg_engine *engine, const cvg_op *ops, size_t count, uint64_t *refused) {
    cvg_refusal refusals[64];
    cvg_applied applied;
    for (size_t done = 0; done < count; done += applied.consumed) {
        assert_int_equal(cvg_apply(engine, ops + done, count - done, refusals, 64, &applied), CVG_OK);
        for (size_t i = 0; i < applied.refused; i++) assert_int_equal(refusals[i].status, CVG_E_NOT_OWNER);
        *refused += applied.refused;
    }
}

/* Every batch is encoded for both classes and held while half of the next window fills. Segments asked for. */
static uint64_t play_once(cvg_engine *engine, const workload *w, size_t window, uint64_t *refused) {
    static const cvg_class classes[] = {{.number = 1}, {.number = 2, .flags = CVG_CLASS_PREVIOUS}};
    const cvg_batch *batch = NULL;
    uint64_t segments = 0;
    for (size_t done = 0; done < w->count; done += window) {
        apply(engine, w->ops + done, window / 2, refused);
        if (batch != NULL) cvg_install(engine, batch);
        apply(engine, w->ops + done + window / 2, window - window / 2, refused);
        batch = do_seal(engine);
        for (uint16_t kind = SCALARS; kind <= VARIED; kind++)
            for (int c = 0; c < 2; c++) {
                cvg_slices slices;
                assert_int_equal(cvg_encode(engine, batch, kind, classes[c], &slices), CVG_OK);
                assert_true(slices.count > 0);
                segments += slices.count - 1; /* the first is the open one */
            }
    }
    cvg_install(engine, batch);
    return segments;
}

static cvg_engine *open_engine(test_allocator *allocator) {
    cvg_engine *engine = make_engine(allocator);
    assert_int_equal(cvg_kind_create(engine, VARIED, &THING_DEFINITION), CVG_OK);
    return engine;
}

static void a_million_writes_allocate_nothing(void **state) {
    (void)state;
    workload w = record(OPS, ENTITIES, 31);
    test_allocator allocator = {0};
    cvg_engine *engine = open_engine(&allocator);
    uint64_t refused = 0;
    for (int round = 0; round < WARM_UP; round++) assert_int_equal(play_once(engine, &w, WINDOW, &refused), 0);
    const uint64_t calls = allocator.calls;
    const cvg_stats before = stats_of(engine);
    refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(play_once(engine, &w, WINDOW, &refused), 0);
        assert_int_equal(allocator.calls, calls);
    }
    const cvg_stats after = stats_of(engine);
    assert_int_equal(after.applied - before.applied + refused, OPS * ROUNDS);
    assert_true(after.applied - before.applied > 1000000);
    uint64_t writes[CVG_PATCH + 1] = {0};
    for (size_t i = 0; i < w.count; i++) writes[w.ops[i].code] += ROUNDS;
    assert_true(writes[CVG_ASSERT] > 200000 && writes[CVG_PATCH] > 400000 && writes[CVG_RETRACT] > 400000);
    assert_true(after.updated - before.updated > 300000);
    assert_true(after.deleted - before.deleted > 10000 && after.revived - before.revived > 10000);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    print_message(
        "%llu applied, %llu updated, %llu deleted, %llu revived: no allocation\n",
        (unsigned long long)(after.applied - before.applied), (unsigned long long)(after.updated - before.updated),
        (unsigned long long)(after.deleted - before.deleted), (unsigned long long)(after.revived - before.revived));
    cvg_engine_destroy(engine);
    assert_int_equal(allocator.blocks, 0);
    free_workload(&w);
}

/* Flushes of many segments: these, and nothing else. */
static void large_flushes_allocate_their_segments_only(void **state) {
    (void)state;
    workload w = record(OPS, ENTITIES, 32);
    test_allocator allocator = {0};
    cvg_engine *engine = open_engine(&allocator);
    uint64_t refused = 0;
    for (int round = 0; round < WARM_UP; round++) play_once(engine, &w, OPS / 5, &refused);
    for (int round = 0; round < 2; round++) {
        const uint64_t calls = allocator.calls;
        const uint64_t segments = play_once(engine, &w, OPS / 5, &refused);
        assert_true(segments > 50);
        assert_int_equal(allocator.calls - calls, segments);
    }
    cvg_engine_destroy(engine);
    assert_int_equal(allocator.blocks, 0);
    free_workload(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_writes_allocate_nothing),
        cmocka_unit_test(large_flushes_allocate_their_segments_only),
    };
    return cmocka_run_group_tests_name("steady memory", tests, NULL, NULL);
}
