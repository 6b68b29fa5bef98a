/* Writes into pending rows: refusals and their order, groups, the window's bound, memory that runs out (W1-W6, W9, F1).
 */
#include "write_support.h"

static void refusals_name_the_first_thing_that_is_wrong(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    uint8_t id[CVG_ID_BYTES], data[ROW_BYTES + 1] = {0};
    make_id(id, 1);
    uint16_t field = 0;
    /* Everything is wrong, and is put right one by one. */
    cvg_op op = {
        .id = id, .data = data, .data_bytes = 9, .kind = 9, .code = 4, .source = 64, .schema = 2, .mask = 0x84};
    assert_int_equal(write_op(engine, op, &field), CVG_E_OPERATION);
    op.code = CVG_PATCH;
    assert_int_equal(write_op(engine, op, &field), CVG_E_KIND);
    op.kind = KIND + 1000;
    assert_int_equal(write_op(engine, op, &field), CVG_E_KIND);
    op.kind = KIND;
    assert_int_equal(write_op(engine, op, &field), CVG_E_SOURCE);
    op.source = 63;
    assert_int_equal(write_op(engine, op, &field), CVG_E_SCHEMA);
    op.schema = 1;
    assert_int_equal(write_op(engine, op, &field), CVG_E_MASK);
    assert_int_equal(field, 7);
    op.mask = 4;
    assert_int_equal(write_op(engine, op, &field), CVG_E_LENGTH);
    assert_int_equal(field, CVGI_NO_FIELD);
    op.data_bytes = 2;
    assert_int_equal(write_op(engine, op, &field), CVG_E_NOT_OWNER);
    assert_int_equal(field, 2);
    assert_int_equal(stats_of(engine).refused, 8);
    assert_int_equal(stats_of(engine).applied, 0);
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    op.source = 1;
    assert_int_equal(write_op(engine, op, &field), CVG_OK);
    op.code = CVG_ASSERT;
    assert_int_equal(write_op(engine, op, &field), CVG_E_LENGTH);
    op.code = CVG_RETRACT; /* has neither data nor schema */
    op.schema = 77;
    assert_int_equal(write_op(engine, op, &field), CVG_OK);
    cvg_engine_destroy(engine);
}

static void values_are_checked_on_entry(void **state) {
    (void)state;
    const cvg_field fields[] = {{.type = CVG_U8}, {.type = CVG_BOOL}, {.type = CVG_STRING, .max = 4}};
    cvg_engine *engine = make_engine_with(NULL, &(cvg_definition){fields, 3, 1}, 0);
    uint8_t id[CVG_ID_BYTES], data[8] = {1, 2, 0};
    make_id(id, 1);
    cvg_op op = {.id = id, .data = data, .data_bytes = 8, .kind = KIND, .code = CVG_ASSERT, .schema = 1};
    uint16_t field = 0;
    assert_int_equal(write_op(engine, op, &field), CVG_E_BOOL);
    assert_int_equal(field, 1);
    data[1] = 1;
    data[2] = 5;
    assert_int_equal(write_op(engine, op, &field), CVG_E_TOO_LONG);
    data[2] = 1;
    data[4] = 0x80;
    assert_int_equal(write_op(engine, op, &field), CVG_E_UTF8);
    data[2] = 0;
    assert_int_equal(write_op(engine, op, &field), CVG_E_PADDING);
    assert_int_equal(field, 2);
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    data[4] = 0;
    assert_int_equal(write_op(engine, op, &field), CVG_OK);
    cvg_engine_destroy(engine);
}

/* Writes made in one array, with ids and data that stay where they are. */
typedef struct script {
    size_t count;
    cvg_op ops[4096];
    uint8_t ids[4096][CVG_ID_BYTES];
    uint8_t data[4096][ROW_BYTES];
} script;

static cvg_op *append(script *s, uint8_t code, uint8_t source, uint64_t entity) {
    size_t i = s->count++;
    make_id(s->ids[i], entity);
    s->ops[i] = (cvg_op){.id = s->ids[i], .kind = KIND, .code = code, .source = source, .schema = 1};
    if (code == CVG_ASSERT) {
        s->ops[i].data = s->data[i];
        s->ops[i].data_bytes = ROW_BYTES;
    }
    return &s->ops[i];
}

static void one_group_keeps_the_order_of_its_writes(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    script *s = calloc(1, sizeof *s);
    const uint8_t five[4] = {5};
    append(s, CVG_RETRACT, 3, 1); /* nothing yet */
    append(s, CVG_ASSERT, 0, 1);
    pack(s->data[1], (values){.a = 10, .b = 20, .c = 30});
    cvg_op *patch = append(s, CVG_PATCH, 3, 1);
    patch->mask = B;
    patch->data = five;
    patch->data_bytes = 4;
    append(s, CVG_RETRACT, 0, 1); /* last owner of c: cleared */
    append(s, CVG_ASSERT, 3, 2);
    append(s, CVG_RETRACT, 3, 2); /* never was */
    append(s, CVG_RETRACT, 9, 1); /* asserts nothing */
    cvg_refusal refusal;
    cvg_applied applied;
    assert_int_equal(cvg_apply(engine, s->ops, s->count, &refusal, 1, &applied), CVG_OK);
    assert_int_equal(applied.consumed, 7);
    assert_int_equal(cvg_pending_size(engine).rows, 2);
    assert_int_equal(do_flush(engine), 1);
    expect_alive(engine, 1, 1, 1 << 3, (values){.a = 10, .b = 5});
    assert_int_equal(get(engine, 2).presence, CVG_NOT_FOUND);
    free(s);
    cvg_engine_destroy(engine);
}

static void w3_a_retraction_of_nothing_opens_no_window(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    assert_int_equal(do_retract(engine, 0, 1), CVG_OK);
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    do_assert(engine, 0, 1, (values){.a = 1});
    do_flush(engine);
    assert_int_equal(do_retract(engine, 1, 1), CVG_OK);
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    assert_int_equal(do_retract(engine, 0, 1), CVG_OK);
    assert_int_equal(cvg_pending_size(engine).rows, 1);
    do_flush(engine);
    assert_int_equal(do_retract(engine, 0, 1), CVG_OK); /* a tombstone */
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    const cvg_batch *batch;
    assert_int_equal(cvg_seal(engine, &batch), CVG_E_EMPTY);
    assert_int_equal(stats_of(engine).applied, 5);
    cvg_engine_destroy(engine);
}

static void w9_refusals_do_not_stop_the_others_and_stop_at_their_maximum(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    script *s = calloc(1, sizeof *s);
    for (uint64_t i = 0; i < 300; i++) append(s, CVG_ASSERT, i % 3 == 0 ? 64 : 1, i);
    cvg_refusal refusals[7];
    cvg_applied applied;
    size_t done = 0, refused = 0, calls = 0;
    while (done < s->count) {
        assert_int_equal(cvg_apply(engine, s->ops + done, s->count - done, refusals, 7, &applied), CVG_OK);
        for (size_t i = 0; i < applied.refused; i++) {
            assert_int_equal((done + refusals[i].index) % 3, 0);
            assert_int_equal(refusals[i].status, CVG_E_SOURCE);
            assert_int_equal(refusals[i].field, 65535);
        }
        if (applied.refused == 7) assert_int_equal(refusals[6].index + 1, applied.consumed);
        done += applied.consumed;
        refused += applied.refused;
        assert_int_equal(cvg_pending_size(engine).rows, done - refused); /* what is handed in again left no trace */
        calls++;
    }
    assert_int_equal(refused, 100);
    assert_int_equal(calls, 15);
    free(s);
    cvg_engine_destroy(engine);
}

static void f1_a_full_window_takes_writes_to_its_own_rows_only(void **state) {
    (void)state;
    cvg_engine *engine = make_engine_with(NULL, &ROW_DEFINITION, 10 * 128 + 100);
    script *s = calloc(1, sizeof *s);
    for (uint64_t i = 0; i < 10; i++) append(s, CVG_ASSERT, 0, i);
    for (uint64_t i = 0; i < 10; i++) {
        append(s, CVG_ASSERT, 0, i);
        pack(s->data[10 + i], (values){.a = i + 1});
    }
    append(s, CVG_RETRACT, 5, 77);
    append(s, CVG_ASSERT, 0, 99);
    append(s, CVG_ASSERT, 0, 3);
    cvg_refusal refusal;
    cvg_applied applied;
    assert_int_equal(cvg_apply(engine, s->ops, s->count, &refusal, 1, &applied), CVG_E_PENDING);
    assert_int_equal(applied.consumed, 21);
    assert_int_equal(cvg_pending_size(engine).rows, 10);
    assert_int_equal(cvg_pending_size(engine).bytes, 10 * 128);
    assert_int_equal(cvg_apply(engine, s->ops + 21, 2, &refusal, 1, &applied), CVG_E_PENDING);
    assert_int_equal(applied.consumed, 0);
    const cvg_batch *batch = do_seal(engine); /* the sealed window does not count */
    assert_int_equal(cvg_apply(engine, s->ops + 21, 2, &refusal, 1, &applied), CVG_OK);
    assert_int_equal(applied.consumed, 2);
    cvg_install(engine, batch);
    assert_int_equal(do_flush(engine), 2);
    for (uint64_t i = 0; i < 10; i++) expect_alive(engine, i, i == 3 ? 2 : 1, 1, (values){.a = i == 3 ? 0 : i + 1});
    assert_int_equal(get(engine, 99).presence, CVG_ALIVE);
    assert_int_equal(get(engine, 77).presence, CVG_NOT_FOUND);
    assert_int_equal(stats_of(engine).pending_bytes_peak, 10 * 128);
    free(s);
    cvg_engine_destroy(engine);
}

static void f1_a_row_larger_than_the_bound_still_passes_alone(void **state) {
    (void)state;
    const cvg_field field = {.type = CVG_BYTES, .max = 65535};
    cvg_engine *engine = make_engine_with(NULL, &(cvg_definition){&field, 1, 1}, 1000);
    uint8_t *data = calloc(1, 65537), id[CVG_ID_BYTES];
    for (uint64_t i = 0; i < 3; i++) {
        make_id(id, i);
        data[0] = 1;
        data[2] = (uint8_t)(i + 1);
        cvg_op op = {.id = id, .data = data, .data_bytes = 65537, .kind = KIND, .code = CVG_ASSERT, .schema = 1};
        assert_int_equal(write_op(engine, op, NULL), CVG_OK);
        make_id(id, 50);
        assert_int_equal(write_op(engine, op, NULL), CVG_E_PENDING);
        assert_int_equal(do_flush(engine), 1);
    }
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(get(engine, i).data.fixed[2], i + 1);
    free(data);
    cvg_engine_destroy(engine);
}

/* A long random script, the same for every engine that plays it. */
static script *random_script(uint64_t seed, uint64_t entities) {
    script *s = calloc(1, sizeof *s);
    uint64_t dice = seed;
    static const uint8_t codes[] = {CVG_ASSERT, CVG_PATCH, CVG_RETRACT, CVG_RETRACT, CVG_ASSERT, 77};
    while (s->count < 4096) {
        uint64_t roll = test_random(&dice);
        cvg_op *op = append(s, codes[roll % 64 == 0 ? 5 : roll % 5], (uint8_t)(roll >> 8 & 3), (roll >> 16) % entities);
        uint8_t *data = s->data[s->count - 1];
        for (int i = 0; i < ROW_BYTES; i++) data[i] = (uint8_t)(test_random(&dice) & 1);
        if (op->code != CVG_PATCH) continue;
        static const uint8_t sizes[4] = {8, 4, 2, 1};
        op->mask = roll >> 40 & ALL;
        op->data = data;
        for (int i = 0; i < 4; i++) op->data_bytes += op->mask >> i & 1 ? sizes[i] : 0;
    }
    return s;
}

/* Applies `step` writes a call; every 512 writes ends a window, and the batch is installed `held` writes later. */
static void play(cvg_engine *engine, const script *s, size_t step, size_t held, cvg_refusal *refused, size_t *count) {
    const cvg_batch *sealed = NULL;
    size_t sealed_at = 0;
    *count = 0;
    for (size_t done = 0; done < s->count;) {
        size_t boundary = (done / 64 + 1) * 64;
        size_t size = step < boundary - done ? step : boundary - done;
        cvg_applied applied;
        assert_int_equal(cvg_apply(engine, s->ops + done, size, refused + *count, size, &applied), CVG_OK);
        assert_int_equal(applied.consumed, size);
        for (size_t i = 0; i < applied.refused; i++) refused[*count + i].index += (uint32_t)done;
        *count += applied.refused;
        done += size;
        if (sealed != NULL && done - sealed_at >= held) {
            cvg_install(engine, sealed);
            sealed = NULL;
        }
        if (done % 512 == 0 && cvg_pending_size(engine).rows > 0) {
            sealed = do_seal(engine);
            sealed_at = done;
        }
    }
    if (sealed != NULL) cvg_install(engine, sealed);
    if (cvg_pending_size(engine).rows > 0) do_flush(engine);
}

static void expect_same_rows(const cvg_engine *one, const cvg_engine *two) {
    uint64_t at_one = 0, at_two = 0, rows = 0;
    cvg_row x, y;
    while (cvg_scan(one, KIND, &at_one, &x)) {
        assert_true(cvg_scan(two, KIND, &at_two, &y));
        assert_memory_equal(x.id, y.id, CVG_ID_BYTES);
        assert_int_equal(x.presence, y.presence);
        assert_int_equal(x.version, y.version);
        assert_int_equal(x.source_set, y.source_set);
        if (x.presence == CVG_ALIVE) assert_memory_equal(x.data.fixed, y.data.fixed, ROW_BYTES);
        rows++;
    }
    assert_false(cvg_scan(two, KIND, &at_two, &y));
    assert_true(rows > 0);
}

static void groups_of_any_size_and_held_batches_give_the_same_rows(void **state) {
    (void)state;
    cvg_refusal *expected = malloc(4096 * sizeof *expected), *refused = malloc(4096 * sizeof *refused);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        script *s = random_script(seed, seed % 2 ? 12 : 700);
        cvg_engine *one = make_engine(NULL);
        size_t expected_count, count;
        play(one, s, 1, 1, expected, &expected_count);
        assert_true(expected_count > 100);
        static const size_t steps[] = {64, 2, 63, 64, 7}, held[] = {1, 64, 300, 512, 511};
        for (int way = 0; way < 5; way++) {
            cvg_engine *two = make_engine(NULL);
            play(two, s, steps[way], held[way], refused, &count);
            assert_int_equal(count, expected_count);
            assert_memory_equal(refused, expected, count * sizeof *refused);
            expect_same_rows(one, two);
            cvg_stats x = stats_of(one), y = stats_of(two);
            x.memory_bytes = y.memory_bytes = 0;
            assert_memory_equal(&x, &y, sizeof x);
            cvg_engine_destroy(two);
        }
        cvg_engine_destroy(one);
        free(s);
    }
    free(expected);
    free(refused);
}

static void memory_may_run_out_at_every_allocation(void **state) {
    (void)state;
    script *s = random_script(7, 900);
    uint64_t refused_writes = 0, failed_seals = 0, failed_creates = 0, fail_at = 1;
    for (;; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        cvg_options options = {.allocator = {&allocator, test_allocate, test_release}, .hash_seed = 1};
        cvg_engine *engine = NULL;
        if (cvg_engine_create(&options, &engine) != CVG_OK) {
            assert_int_equal(allocator.blocks, 0);
            failed_creates++;
            continue;
        }
        if (cvg_kind_create(engine, KIND, &ROW_DEFINITION) != CVG_OK) {
            failed_creates++;
            assert_int_equal(cvg_kind_fixed_bytes(engine, KIND), 0);
            assert_int_equal(cvg_kind_create(engine, KIND, &ROW_DEFINITION), CVG_OK);
        }
        cvg_engine *twin = make_engine(NULL);
        for (size_t i = 0; i < s->count; i++) {
            cvg_pending before = cvg_pending_size(engine);
            int status = write_op(engine, s->ops[i], NULL);
            if (status == CVG_E_MEMORY) {
                refused_writes++;
                assert_int_equal(cvg_pending_size(engine).rows, before.rows);
                status = write_op(engine, s->ops[i], NULL); /* there is memory again */
            }
            assert_int_equal(write_op(twin, s->ops[i], NULL), status);
            if (i % 512 != 511) continue;
            const cvg_batch *batch;
            int sealed = cvg_seal(engine, &batch);
            if (sealed == CVG_E_MEMORY) {
                failed_seals++;
                assert_true(cvg_pending_size(engine).rows > 0);
                sealed = cvg_seal(engine, &batch);
            }
            assert_int_equal(sealed, CVG_OK);
            cvg_install(engine, batch);
            do_flush(twin);
        }
        expect_same_rows(engine, twin);
        assert_int_equal(stats_of(engine).updated, stats_of(twin).updated);
        assert_int_equal(stats_of(engine).deduplicated, stats_of(twin).deduplicated);
        bool failed = allocator.failed > 0;
        cvg_engine_destroy(twin);
        cvg_engine_destroy(engine);
        assert_int_equal(allocator.blocks, 0);
        assert_int_equal(allocator.bytes, 0);
        if (!failed) break;
    }
    assert_true(refused_writes >= 5 && failed_seals >= 1 && failed_creates >= 5);
    free(s);
}

static void nothing_is_allocated_once_windows_have_their_size(void **state) {
    (void)state;
    test_allocator allocator = {0};
    cvg_engine *engine = make_engine(&allocator);
    uint64_t calls = 0;
    for (uint64_t window = 0; window < 8; window++) {
        for (uint64_t i = 0; i < 3000; i++)
            assert_int_equal(do_assert(engine, 0, i, (values){.a = window * i}), CVG_OK);
        if (window == 3) calls = allocator.calls;
        do_flush(engine);
        if (window > 3) assert_int_equal(allocator.calls, calls);
    }
    cvg_engine_destroy(engine);
}

static void many_kinds_in_one_group(void **state) {
    (void)state;
    cvg_engine *engine = make_engine(NULL);
    for (uint16_t kind = 1; kind <= 200; kind++)
        if (kind != KIND) assert_int_equal(cvg_kind_create(engine, kind, &ROW_DEFINITION), CVG_OK);
    assert_int_equal(cvg_kind_create(engine, 65535, &ROW_DEFINITION), CVG_OK);
    assert_int_equal(cvg_kind_create(engine, 65535, &ROW_DEFINITION), CVG_E_EXISTS);
    assert_int_equal(cvg_kind_create(engine, 0, &ROW_DEFINITION), CVG_E_KIND);
    assert_int_equal(cvg_kind_create(engine, 300, &(cvg_definition){ROW_FIELDS, 0, 1}), CVG_E_DEFINITION);
    script *s = calloc(1, sizeof *s);
    for (uint64_t i = 0; i < 4000; i++) {
        cvg_op *op = append(s, CVG_ASSERT, 0, i / 200);
        op->kind = (uint16_t)(i % 200 == 0 ? 65535 : i % 200);
        pack(s->data[i], (values){.a = i});
    }
    cvg_refusal refusal;
    cvg_applied applied;
    assert_int_equal(cvg_apply(engine, s->ops, s->count, &refusal, 1, &applied), CVG_OK);
    assert_int_equal(applied.consumed, 4000);
    const cvg_batch *batch = do_seal(engine);
    for (uint32_t kind = 1; kind <= 65535; kind++) {
        bool written = kind < 200 || kind == 65535;
        assert_int_equal(cvg_batch_changes(batch, (uint16_t)kind), written ? 20 : 0);
        if (!written) continue;
        cvg_change change;
        cvg_batch_change(batch, (uint16_t)kind, 19, &change);
        assert_int_equal(unpack(change.data.fixed).a, 19 * 200 + (kind == 65535 ? 0 : kind));
    }
    cvg_install(engine, batch);
    assert_int_equal(cvg_kind_entities(engine, 199), 20);
    assert_int_equal(cvg_kind_entities(engine, 200), 0);
    assert_int_equal(cvg_kind_entities(engine, 201), 0);
    assert_int_equal(stats_of(engine).entities, 4000);
    free(s);
    cvg_engine_destroy(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_first_thing_that_is_wrong),
        cmocka_unit_test(values_are_checked_on_entry),
        cmocka_unit_test(one_group_keeps_the_order_of_its_writes),
        cmocka_unit_test(w3_a_retraction_of_nothing_opens_no_window),
        cmocka_unit_test(w9_refusals_do_not_stop_the_others_and_stop_at_their_maximum),
        cmocka_unit_test(f1_a_full_window_takes_writes_to_its_own_rows_only),
        cmocka_unit_test(f1_a_row_larger_than_the_bound_still_passes_alone),
        cmocka_unit_test(groups_of_any_size_and_held_batches_give_the_same_rows),
        cmocka_unit_test(memory_may_run_out_at_every_allocation),
        cmocka_unit_test(nothing_is_allocated_once_windows_have_their_size),
        cmocka_unit_test(many_kinds_in_one_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
