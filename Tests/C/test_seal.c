/* What becomes of pending rows, and what a batch says while it waits (W6-W8, F2, R2), on scenarios worked out by hand.
 */
#include "write_support.h"

static cvg_change change_at(const cvg_batch *batch, size_t index) {
    cvg_change change;
    cvg_batch_change(batch, KIND, index, &change);
    return change;
}

static void expect_change(const cvg_batch *batch, size_t index, uint64_t entity, uint8_t what, uint64_t version,
                          uint64_t changed, uint64_t set) {
    cvg_change change = change_at(batch, index);
    uint8_t id[CVG_ID_BYTES];
    make_id(id, entity);
    assert_memory_equal(change.id, id, CVG_ID_BYTES);
    assert_int_equal(change.what, what);
    assert_int_equal(change.version, version);
    assert_int_equal(change.changed, changed);
    assert_int_equal(change.source_set, set);
    assert_int_equal(change.data.fixed == NULL, what == CVG_DELETED);
    assert_int_equal(change.previous.fixed == NULL, what == CVG_CREATED);
    assert_int_equal(change.reason, what == CVG_DELETED ? CVG_REASON_RETRACT : 0);
}

static void the_life_of_an_entity(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    do_assert(engine, 0, 1, (values){.a = 1, .b = 2, .c = 3});
    assert_int_equal(get(engine, 1).presence, CVG_NOT_FOUND);
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(cvg_batch_sequence(batch), 1);
    expect_change(batch, 0, 1, CVG_CREATED, 1, ALL, 1);
    assert_int_equal(get(engine, 1).presence, CVG_NOT_FOUND); /* F3: installed state only */
    cvg_install(engine, batch);
    expect_alive(engine, 1, 1, 1, (values){.a = 1, .b = 2, .c = 3});

    do_assert(engine, 0, 1, (values){.a = 1, .b = 9, .c = 4});
    batch = do_seal(engine);
    expect_change(batch, 0, 1, CVG_UPDATED, 2, B | C, 1);
    assert_int_equal(unpack(change_at(batch, 0).previous.fixed).b, 2);
    assert_int_equal(unpack(change_at(batch, 0).data.fixed).b, 9);
    cvg_install(engine, batch);

    do_patch(engine, 5, 1, 0, NULL, 0); /* W8: only the source set */
    batch = do_seal(engine);
    assert_int_equal(cvg_batch_sequence(batch), 3);
    expect_change(batch, 0, 1, CVG_SOURCE_CHANGE, 2, 0, 1 | 1 << 5);
    cvg_install(engine, batch);
    expect_alive(engine, 1, 2, 1 | 1 << 5, (values){.a = 1, .b = 9, .c = 4});

    do_retract(engine, 0, 1); /* W5: c's last owner */
    batch = do_seal(engine);
    expect_change(batch, 0, 1, CVG_UPDATED, 3, C, 1 << 5);
    cvg_install(engine, batch);

    do_retract(engine, 5, 1);
    batch = do_seal(engine);
    expect_change(batch, 0, 1, CVG_DELETED, 4, 0, 0);
    assert_int_equal(unpack(change_at(batch, 0).previous.fixed).b, 9);
    cvg_install(engine, batch);
    cvg_row row = get(engine, 1);
    assert_int_equal(row.presence, CVG_TOMBSTONE);
    assert_int_equal(row.version, 4);
    assert_null(row.data.fixed);

    do_patch(engine, 0, 1, D, (uint8_t[]){9}, 1); /* not its field */
    do_patch(engine, 2, 1, D, (uint8_t[]){9}, 1);
    batch = do_seal(engine);
    expect_change(batch, 0, 1, CVG_CREATED, 5, ALL, 1 << 2); /* W6 */
    cvg_install(engine, batch);
    expect_alive(engine, 1, 5, 1 << 2, (values){.d = 9});

    cvg_stats stats = stats_of(engine);
    assert_int_equal(stats.created, 2);
    assert_int_equal(stats.revived, 1);
    assert_int_equal(stats.updated, 2);
    assert_int_equal(stats.deleted, 1);
    assert_int_equal(stats.deduplicated, 0);
    assert_int_equal(stats.flushes, 6);
    assert_int_equal(stats.sequence, 6);
    assert_int_equal(stats.entities, 1);
    assert_int_equal(stats.tombstones, 0);
    assert_int_equal(stats.refused, 1);
    cvg_engine_destroy(engine);
}

static void w8_what_ends_as_it_began_is_silent(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    for (uint64_t i = 1; i <= 3; i++) do_assert(engine, 0, i, (values){.a = i});
    do_flush(engine);
    do_retract(engine, 0, 3);
    do_flush(engine);
    do_assert(engine, 0, 1, (values){.a = 1}); /* the same again */
    do_assert(engine, 0, 2, (values){.a = 7}); /* A -> B -> A */
    do_assert(engine, 0, 2, (values){.a = 2});
    do_assert(engine, 0, 3, (values){.a = 7}); /* a tombstone revived and retracted */
    do_retract(engine, 0, 3);
    do_assert(engine, 0, 4, (values){.a = 7}); /* never was */
    do_retract(engine, 0, 4);
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 0);
    assert_int_equal(cvg_batch_sequence(batch), 2); /* takes no sequence */
    cvg_install(engine, batch);
    cvg_stats stats = stats_of(engine);
    assert_int_equal(stats.deduplicated, 4);
    assert_int_equal(stats.flushes, 2);
    assert_int_equal(get(engine, 1).version, 1);
    assert_int_equal(get(engine, 3).version, 2);
    assert_int_equal(get(engine, 3).presence, CVG_TOMBSTONE);
    assert_int_equal(get(engine, 4).presence, CVG_NOT_FOUND);
    /* The number of the row that never was goes to the next entity. */
    do_assert(engine, 0, 5, (values){.a = 5});
    do_flush(engine);
    uint64_t cursor = 0, rows = 0;
    cvg_row row;
    while (cvg_scan(engine, KIND, &cursor, &row)) rows++;
    assert_int_equal(rows, 4);
    assert_int_equal(cursor, 4);
    cvg_engine_destroy(engine);
}

static void retracted_and_asserted_in_one_window_is_an_update(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    do_assert(engine, 0, 1, (values){.a = 1, .b = 2});
    do_assert(engine, 0, 2, (values){.a = 1, .b = 2});
    do_flush(engine);
    do_retract(engine, 0, 1);
    do_patch(engine, 1, 1, A, &(uint64_t){1}, 8); /* the rest starts from zero */
    do_retract(engine, 0, 2);
    do_assert(engine, 0, 2, (values){.a = 1, .b = 2}); /* equal: silent */
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 1);
    expect_change(batch, 0, 1, CVG_UPDATED, 2, B, 2);
    cvg_install(engine, batch);
    expect_alive(engine, 1, 2, 2, (values){.a = 1});
    cvg_engine_destroy(engine);
}

static void f2_the_next_window_fills_on_top_of_a_sealed_batch(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    for (uint64_t i = 1; i <= 4; i++) do_assert(engine, 0, i, (values){.a = i});
    do_flush(engine);
    do_assert(engine, 0, 1, (values){.a = 10});
    do_retract(engine, 0, 2);
    do_assert(engine, 0, 3, (values){.a = 30});
    do_assert(engine, 0, 5, (values){.a = 5});
    do_assert(engine, 0, 6, (values){.a = 6});
    do_assert(engine, 0, 7, (values){.a = 7}); /* ends as it began: no trace in the batch */
    do_retract(engine, 0, 7);
    do_assert(engine, 0, 4, (values){.a = 4}); /* silent */
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 5);

    do_patch(engine, 0, 1, B, &(uint32_t){1}, 4);  /* on top of a = 10 */
    do_patch(engine, 0, 2, B, &(uint32_t){2}, 4);  /* deleted there: revived, from zero */
    do_assert(engine, 0, 3, (values){.a = 3});     /* back to the installed state, but not to the sealed one */
    do_retract(engine, 0, 5);                      /* created there: deleted */
    do_assert(engine, 0, 6, (values){.a = 6});     /* equal to the sealed state: silent */
    do_patch(engine, 0, 7, B, &(uint32_t){7}, 4);  /* created */
    do_patch(engine, 0, 4, B, &(uint32_t){44}, 4); /* its silent pending row is no base, the table is */
    assert_int_equal(do_retract(engine, 0, 2), CVG_OK);
    do_patch(engine, 0, 2, C, &(uint16_t){22}, 2);
    const cvg_batch *other;
    assert_int_equal(cvg_seal(engine, &other), CVG_E_SEALED);
    /* The batch has not changed meanwhile, nor what queries see. */
    expect_change(batch, 0, 1, CVG_UPDATED, 2, A, 1);
    assert_int_equal(unpack(change_at(batch, 0).data.fixed).b, 0);
    assert_int_equal(unpack(change_at(batch, 0).previous.fixed).a, 1);
    expect_change(batch, 1, 2, CVG_DELETED, 2, 0, 0);
    expect_change(batch, 2, 3, CVG_UPDATED, 2, A, 1);
    expect_change(batch, 3, 5, CVG_CREATED, 1, ALL, 1);
    expect_change(batch, 4, 6, CVG_CREATED, 1, ALL, 1);
    expect_alive(engine, 2, 1, 1, (values){.a = 2});
    assert_int_equal(get(engine, 5).presence, CVG_NOT_FOUND);
    cvg_install(engine, batch);
    assert_int_equal(get(engine, 2).presence, CVG_TOMBSTONE);
    expect_alive(engine, 5, 1, 1, (values){.a = 5});

    batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 6);
    expect_change(batch, 0, 1, CVG_UPDATED, 3, B, 1);
    expect_change(batch, 1, 2, CVG_CREATED, 3, ALL, 1);
    expect_change(batch, 2, 3, CVG_UPDATED, 3, A, 1);
    expect_change(batch, 3, 5, CVG_DELETED, 2, 0, 0);
    expect_change(batch, 4, 7, CVG_CREATED, 1, ALL, 1);
    expect_change(batch, 5, 4, CVG_UPDATED, 2, B, 1);
    cvg_install(engine, batch);
    expect_alive(engine, 1, 3, 1, (values){.a = 10, .b = 1});
    expect_alive(engine, 2, 3, 1, (values){.c = 22});
    expect_alive(engine, 4, 2, 1, (values){.a = 4, .b = 44});
    expect_alive(engine, 7, 1, 1, (values){.b = 7});
    assert_int_equal(stats_of(engine).entities, 6);
    assert_int_equal(stats_of(engine).tombstones, 1);
    cvg_engine_destroy(engine);
}

static void sources_are_counted_in_the_installed_state(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    for (uint64_t i = 0; i < 100; i++) do_assert(engine, 3, i, (values){.a = i});
    for (uint64_t i = 0; i < 50; i++) do_assert(engine, 63, i, (values){.a = i});
    assert_int_equal(cvg_source_entities(engine, 3), 0);
    do_flush(engine);
    assert_int_equal(cvg_source_entities(engine, 3), 100);
    assert_int_equal(cvg_source_entities(engine, 63), 50);
    for (uint64_t i = 0; i < 20; i++) do_retract(engine, 3, i);
    for (uint64_t i = 60; i < 70; i++) do_retract(engine, 3, i);
    do_flush(engine);
    assert_int_equal(cvg_source_entities(engine, 3), 70);
    assert_int_equal(cvg_source_entities(engine, 63), 50);
    assert_int_equal(cvg_source_entities(engine, 64), 0);
    assert_int_equal(cvg_kind_entities(engine, KIND), 90);
    assert_int_equal(stats_of(engine).tombstones, 10);
    cvg_engine_destroy(engine);
}

static void large_windows_of_odd_rows(void **state) {
    (void)state;
    /* 342 bytes of row in 384: 170 images in a pending slab; then one row a slab. */
    const uint16_t lengths[] = {288, 40000};
    const uint64_t counts[] = {20000, 40};
    for (int way = 0; way < 2; way++) {
        const cvg_field field = {.type = CVG_BYTES, .max = lengths[way]};
        cvg_engine *engine = make_engine_with(NULL, &(cvg_definition){&field, 1, 1}, 0);
        uint32_t bytes = cvg_kind_fixed_bytes(engine, KIND);
        uint8_t *data = calloc(1, bytes), id[CVG_ID_BYTES];
        cvgi_store16(data, lengths[way]);
        for (uint64_t round = 1; round <= 3; round++) {
            for (uint64_t i = 0; i < counts[way]; i++) {
                make_id(id, i);
                cvgi_store64(data + bytes - 8, i * round);
                cvg_op op = {
                    .id = id, .data = data, .data_bytes = bytes, .kind = KIND, .code = CVG_ASSERT, .schema = 1};
                assert_int_equal(write_op(engine, op, NULL), CVG_OK);
            }
            const cvg_batch *batch = do_seal(engine);
            assert_int_equal(cvg_batch_changes(batch, KIND), round == 1 ? counts[way] : counts[way] - 1);
            for (size_t i = 0; i < cvg_batch_changes(batch, KIND); i++)
                assert_int_equal(cvgi_load64(change_at(batch, i).data.fixed + bytes - 8), (i + (round > 1)) * round);
            cvg_install(engine, batch);
        }
        for (uint64_t i = 0; i < counts[way]; i++)
            assert_int_equal(cvgi_load64(get(engine, i).data.fixed + bytes - 8), i * 3);
        cvg_stats before = stats_of(engine);
        assert_int_equal(before.pending_bytes, 0);
        assert_true(before.memory_bytes < 4 * counts[way] * (bytes + 4096));
        free(data);
        cvg_engine_destroy(engine);
    }
}

static void r3_readers_are_marked_with_what_changes(void **state) {
    (void)state;
    test_allocator allocator = {0};
    cvg_engine *engine = make_engine(&allocator);
    for (uint64_t i = 0; i < 10; i++) do_assert(engine, 0, i, (values){.a = i});
    do_flush(engine);
    cvg_catchup *readers[3];
    cvg_slices slices;
    cvg_catchup_progress progress;
    assert_int_equal(cvg_catchup_begin(engine, KIND + 1, (cvg_class){0}, &readers[0]), CVG_E_KIND);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(cvg_catchup_begin(engine, KIND, (cvg_class){0}, &readers[r]), CVG_OK);
        assert_int_equal(cvg_catchup_step(engine, readers[r], 1 << 20, &slices, &progress), CVG_OK);
        assert_true(progress.live);
        assert_int_equal(progress.rows, 10);
        assert_int_equal(progress.sequence, 1);
    }
    assert_int_equal(stats_of(engine).catchups, 3);
    cvg_catchup_end(engine, readers[1]); /* from the middle */
    do_patch(engine, 1, 3, 0, NULL, 0);  /* a source change tells nobody */
    do_assert(engine, 0, 4, (values){.a = 40});
    do_assert(engine, 0, 11, (values){.a = 11});
    do_retract(engine, 0, 5);
    do_assert(engine, 0, 12, (values){.a = 12});
    do_retract(engine, 0, 12);
    do_flush(engine);
    for (int r = 0; r < 3; r += 2) {
        assert_int_equal(cvg_catchup_step(engine, readers[r], 1 << 20, &slices, &progress), CVG_OK);
        assert_true(progress.live);
        assert_int_equal(progress.rows, 13);
        assert_int_equal(progress.sequence, 2);
    }
    cvg_catchup_end(engine, readers[2]);
    cvg_catchup_end(engine, NULL);
    assert_int_equal(stats_of(engine).catchups, 1);
    cvg_engine_destroy(engine); /* ends the last reader, too */
    assert_int_equal(allocator.blocks, 0);
}

static void a_batch_is_encoded_before_it_is_installed(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    do_assert(engine, 0, 1, (values){.a = 1});
    do_assert(engine, 0, 2, (values){.a = 2});
    const cvg_batch *batch = do_seal(engine);
    cvg_slices slices;
    assert_int_equal(cvg_encode(engine, batch, KIND + 1, (cvg_class){0}, &slices), CVG_E_KIND);
    assert_int_equal(cvg_encode(engine, batch, KIND, (cvg_class){0}, &slices), CVG_OK);
    assert_int_equal(slices.count, 1);
    assert_int_equal(slices.items[0].frames, 2);
    assert_int_equal(cvg_kind_create(engine, 60000, &ROW_DEFINITION), CVG_OK); /* while a batch is sealed */
    assert_int_equal(cvg_encode(engine, batch, 60000, (cvg_class){0}, &slices), CVG_OK);
    assert_int_equal(slices.count, 0);
    assert_int_equal(cvg_batch_changes(batch, KIND), 2);
    cvg_install(engine, batch);
    uint8_t frame[512], id[CVG_ID_BYTES];
    size_t bytes;
    make_id(id, 2);
    assert_int_equal(cvg_encode_query(engine, KIND, id, 5, frame, sizeof frame, &bytes), CVG_OK);
    assert_int_equal(bytes, cvg_query_frame_bytes_max(engine, KIND));
    assert_int_equal(cvg_encode_query(engine, KIND, id, 5, frame, bytes - 1, &bytes), CVG_E_SPACE);
    assert_int_equal(cvg_encode_query(engine, 1, id, 5, frame, sizeof frame, &bytes), CVG_E_KIND);
    assert_int_equal(cvg_query_frame_bytes_max(engine, 1), 0);
    cvg_row row;
    assert_int_equal(cvg_query(engine, 1, id, &row), CVG_E_KIND);
    uint64_t cursor = 0;
    assert_false(cvg_scan(engine, 1, &cursor, &row));
    cvg_engine_destroy(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_life_of_an_entity),
        cmocka_unit_test(w8_what_ends_as_it_began_is_silent),
        cmocka_unit_test(retracted_and_asserted_in_one_window_is_an_update),
        cmocka_unit_test(f2_the_next_window_fills_on_top_of_a_sealed_batch),
        cmocka_unit_test(sources_are_counted_in_the_installed_state),
        cmocka_unit_test(large_windows_of_odd_rows),
        cmocka_unit_test(r3_readers_are_marked_with_what_changes),
        cmocka_unit_test(a_batch_is_encoded_before_it_is_installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
