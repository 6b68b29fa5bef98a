/* Rows in two zones through the whole core: windows, sealed batches, previous data, the bound, frames (K3, W5, W8, F1,
 * F2, R1-R3), on scenarios worked out by hand. Every engine gives all its blocks back at the end. */
#include "variable_support.h"

#include "frame.h"

typedef struct engines {
    test_allocator allocator;
    cvg_engine *engine;
} engines;

static cvg_engine *open_engine(engines *e, const cvg_definition *definition, uint64_t pending_max) {
    *e = (engines){0};
    return e->engine = make_engine_with(&e->allocator, definition, pending_max);
}

static void close_engine(engines *e) {
    cvg_engine_destroy(e->engine);
    assert_int_equal(e->allocator.blocks, 0);
    assert_int_equal(e->allocator.bytes, 0);
}

static cvg_change change_at(const cvg_batch *batch, size_t index) {
    cvg_change change;
    cvg_batch_change(batch, KIND, index, &change);
    return change;
}

static const things FIRST = {.number = 1, .text = "one", .blob = "b", .list = {1, 2}, .list_count = 2, .place = 5};
static const things EMPTY = {.number = 0};

static void the_life_of_a_row(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    assert_int_equal(cvg_kind_fixed_bytes(engine, KIND), FIXED_BYTES);
    assert_int_equal(assert_things(engine, 0, 1, FIRST), CVG_OK);
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(change_at(batch, 0).what, CVG_CREATED);
    assert_int_equal(change_at(batch, 0).changed, THINGS);
    expect_things(change_at(batch, 0).data, FIRST);
    assert_null(change_at(batch, 0).previous.fixed);
    assert_null(change_at(batch, 0).previous.variable);
    cvg_install(engine, batch);
    expect_things(get(engine, 1).data, FIRST);

    things now = FIRST; /* one in the middle grows, one shrinks to nothing */
    now.blob = "a longer one";
    now.list_count = 0;
    assert_int_equal(patch_things(engine, 1, 1, BLOB | LIST, now), CVG_OK);
    batch = do_seal(engine);
    assert_int_equal(change_at(batch, 0).what, CVG_UPDATED);
    assert_int_equal(change_at(batch, 0).changed, BLOB | LIST);
    expect_things(change_at(batch, 0).data, now);
    expect_things(change_at(batch, 0).previous, FIRST);
    cvg_install(engine, batch);
    expect_things(get(engine, 1).data, now);

    things tagged = now; /* the blob belongs to sources 0 and 1 */
    tagged.text = "two";
    tagged.blob = "not mine";
    tagged.tags[0] = "x";
    tagged.tags[1] = "yes";
    tagged.tag_count = 2;
    assert_int_equal(patch_things(engine, 2, 1, BLOB, tagged), CVG_E_NOT_OWNER);
    assert_int_equal(assert_things(engine, 2, 1, tagged), CVG_OK);
    tagged.blob = now.blob;
    batch = do_seal(engine);
    assert_int_equal(change_at(batch, 0).changed, TEXT | TAGS);
    expect_things(change_at(batch, 0).data, tagged);
    expect_things(change_at(batch, 0).previous, now);
    cvg_install(engine, batch);

    assert_int_equal(do_retract(engine, 1, 1), CVG_OK); /* source 0 still owns the blob */
    assert_int_equal(do_flush(engine), 1);
    expect_things(get(engine, 1).data, tagged);
    assert_int_equal(do_retract(engine, 0, 1), CVG_OK);
    tagged.blob = NULL;
    batch = do_seal(engine);
    assert_int_equal(change_at(batch, 0).changed, BLOB);
    expect_things(change_at(batch, 0).data, tagged);
    cvg_install(engine, batch);

    assert_int_equal(do_retract(engine, 2, 1), CVG_OK);
    batch = do_seal(engine);
    assert_int_equal(change_at(batch, 0).what, CVG_DELETED);
    assert_null(change_at(batch, 0).data.fixed);
    expect_things(change_at(batch, 0).previous, tagged);
    cvg_install(engine, batch);
    assert_int_equal(get(engine, 1).presence, CVG_TOMBSTONE);
    assert_null(get(engine, 1).data.fixed);
    assert_null(get(engine, 1).data.variable);

    assert_int_equal(patch_things(engine, 0, 1, TEXT, (things){.text = "again"}), CVG_OK); /* W6: from nothing */
    assert_int_equal(do_flush(engine), 1);
    expect_things(get(engine, 1).data, (things){.text = "again"});
    close_engine(&e);
}

static void w8_zones_that_end_as_they_began_are_silent(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    for (uint64_t i = 1; i <= 6; i++) assert_things(engine, 0, i, FIRST);
    assert_int_equal(do_flush(engine), 6);
    things other = FIRST;
    other.text = "eno"; /* as long, and as many: only the bytes differ */
    assert_things(engine, 0, 1, FIRST);
    assert_things(engine, 0, 2, other);
    assert_things(engine, 0, 2, FIRST);
    patch_things(engine, 0, 3, TEXT | LIST, EMPTY);
    patch_things(engine, 0, 3, TEXT | LIST, FIRST);
    do_retract(engine, 0, 4);
    assert_things(engine, 0, 4, FIRST);
    assert_things(engine, 0, 5, other);
    assert_things(engine, 1, 6, FIRST);
    assert_things(engine, 0, 7, FIRST); /* never was */
    do_retract(engine, 0, 7);
    const cvg_batch *batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 2);
    assert_int_equal(change_at(batch, 0).what, CVG_UPDATED);
    assert_int_equal(change_at(batch, 0).changed, TEXT);
    assert_int_equal(change_at(batch, 1).what, CVG_SOURCE_CHANGE);
    expect_things(change_at(batch, 1).data, FIRST);
    expect_things(change_at(batch, 1).previous, FIRST);
    cvg_install(engine, batch);
    assert_int_equal(stats_of(engine).deduplicated, 5);
    for (uint64_t i = 1; i <= 6; i++) expect_things(get(engine, i).data, i == 5 ? other : FIRST);
    assert_int_equal(get(engine, 7).presence, CVG_NOT_FOUND);
    close_engine(&e);
}

/* F2: what the next window does to shared blocks shows neither in the batch nor in the table. */
static void a_sealed_batch_is_held_while_zones_change(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    for (uint64_t i = 1; i <= 5; i++) assert_things(engine, 0, i, FIRST);
    do_flush(engine);
    things second = FIRST;
    second.text = "two";
    for (uint64_t i = 1; i <= 4; i++) patch_things(engine, 0, i, TEXT, second);
    patch_things(engine, 0, 5, NUMBER, (things){.number = 9});
    const cvg_batch *batch = do_seal(engine);
    things third = second;
    third.blob = "3";
    patch_things(engine, 0, 1, BLOB, third); /* another length */
    for (uint32_t n = 0; n < 50; n++) {      /* its own block, again and again */
        third.number = n;
        third.blob_bytes = n % 7;
        third.blob = NULL;
        assert_things(engine, 1, 2, third);
    }
    do_retract(engine, 0, 3);                                  /* loses its block */
    patch_things(engine, 0, 4, NUMBER, (things){.number = 4}); /* shares it */
    patch_things(engine, 0, 5, TEXT, second);
    for (uint64_t i = 0; i < 4; i++) {
        expect_things(change_at(batch, i).data, second);
        expect_things(change_at(batch, i).previous, FIRST);
        expect_things(get(engine, i + 1).data, FIRST);
    }
    cvg_install(engine, batch);
    for (uint64_t i = 1; i <= 4; i++) expect_things(get(engine, i).data, second);
    batch = do_seal(engine);
    assert_int_equal(cvg_batch_changes(batch, KIND), 5);
    for (uint64_t i = 0; i < 4; i++) expect_things(change_at(batch, i).previous, second);
    expect_things(change_at(batch, 1).data, third);
    assert_int_equal(change_at(batch, 2).what, CVG_DELETED);
    assert_int_equal(change_at(batch, 3).changed, NUMBER);
    assert_ptr_equal(change_at(batch, 3).data.variable, change_at(batch, 3).previous.variable);
    assert_int_equal(change_at(batch, 4).changed, TEXT);
    cvg_install(engine, batch);
    expect_things(get(engine, 2).data, third);
    close_engine(&e);
}

/* The bytes of a window are its images (here 128 each) and the blocks written in it. */
static void f1_blocks_count_in_the_window(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 1000);
    things t = FIRST;
    t.blob = NULL;
    t.blob_bytes = 100; /* + 3 + 4 + 12 of the block's header: 128 */
    assert_things(engine, 1, 1, t);
    assert_int_equal(cvg_pending_size(engine).bytes, 256);
    t.blob_bytes = 90; /* in place */
    assert_things(engine, 1, 1, t);
    assert_int_equal(cvg_pending_size(engine).bytes, 256);
    t.blob_bytes = 110;
    assert_things(engine, 1, 1, t);
    assert_int_equal(cvg_pending_size(engine).bytes, 128 + 160);
    patch_things(engine, 1, 1, BLOB | TEXT | LIST, EMPTY);
    assert_int_equal(cvg_pending_size(engine).bytes, 128);
    t.blob_bytes = 100;
    assert_things(engine, 1, 1, t);
    do_flush(engine);
    patch_things(engine, 1, 1, NUMBER, (things){.number = 7}); /* shares the table's block */
    assert_int_equal(cvg_pending_size(engine).bytes, 128);
    assert_things(engine, 1, 2, t);
    assert_things(engine, 1, 3, t);
    assert_things(engine, 1, 4, t);
    assert_int_equal(cvg_pending_size(engine).bytes, 128 + 3 * 256);
    assert_int_equal(assert_things(engine, 1, 5, t), CVG_E_PENDING);
    assert_int_equal(patch_things(engine, 1, 5, TEXT, FIRST), CVG_E_PENDING); /* 128 + 32 */
    t.blob_bytes = 600;
    assert_int_equal(assert_things(engine, 1, 4, t), CVG_E_PENDING); /* a row that is there may not grow over it */
    t.blob_bytes = 1;
    assert_int_equal(assert_things(engine, 1, 4, t), CVG_OK);
    assert_int_equal(assert_things(engine, 1, 1, (things){.number = 1}), CVG_OK);
    assert_int_equal(stats_of(engine).pending_bytes_peak, 128 + 3 * 256);
    do_flush(engine);
    close_engine(&e);
}

static void f1_a_row_larger_than_the_bound_passes_alone(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 200);
    things t = {.blob_bytes = 600};
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(assert_things(engine, 0, i, t), CVG_OK);
        assert_true(cvg_pending_size(engine).bytes > 200);
        assert_int_equal(assert_things(engine, 0, 99, EMPTY), CVG_E_PENDING);
        t.blob_bytes = 400;
        assert_int_equal(assert_things(engine, 0, i, t), CVG_OK); /* it may shrink */
        t.blob_bytes = 600;
        assert_int_equal(do_flush(engine), 1);
    }
    /* One that grew over the bound: sealed as it was, and then alone. */
    assert_int_equal(assert_things(engine, 0, 1, EMPTY), CVG_OK);
    assert_int_equal(assert_things(engine, 0, 1, t), CVG_E_PENDING);
    assert_int_equal(do_flush(engine), 1);
    assert_int_equal(assert_things(engine, 0, 1, t), CVG_OK);
    assert_int_equal(do_flush(engine), 1);
    expect_things(get(engine, 1).data, t);
    close_engine(&e);
}

static void spare_memory_does_not_outgrow_the_window(void **state) {
    (void)state;
    enum { ROWS = 2000, BOUND = 64 << 10 };
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, BOUND);
    for (uint64_t round = 0; round < 6; round++)
        for (uint64_t i = 0; i < ROWS; i++) {
            things t = {.number = (uint32_t)(round + 1), .blob_bytes = 1 + (uint32_t)(i * 7 + round * 31) % 600};
            if (assert_things(engine, 0, i, t) == CVG_OK) continue;
            do_flush(engine);
            assert_int_equal(assert_things(engine, 0, i, t), CVG_OK);
        }
    do_flush(engine);
    const uint64_t full = stats_of(engine).memory_bytes;
    for (uint64_t i = 0; i < ROWS; i++) {
        if (assert_things(engine, 0, i, EMPTY) == CVG_OK) continue;
        do_flush(engine);
        assert_int_equal(assert_things(engine, 0, i, EMPTY), CVG_OK);
    }
    do_flush(engine);
    /* 300 bytes a row went; what is kept of them is within the bound. */
    assert_true(stats_of(engine).memory_bytes < full - ROWS * 290 + BOUND);
    close_engine(&e);
}

static void memory_that_runs_out_changes_nothing(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    assert_things(engine, 0, 1, FIRST);
    do_flush(engine);
    things large = FIRST;
    large.blob = NULL;
    large.blob_bytes = 500;
    e.allocator.fail_at = e.allocator.calls + 1; /* a block, before there is a pending row */
    assert_int_equal(patch_things(engine, 0, 1, BLOB, large), CVG_E_MEMORY);
    assert_int_equal(cvg_pending_size(engine).rows, 0);
    assert_int_equal(patch_things(engine, 0, 1, NUMBER, (things){.number = 5}), CVG_OK);
    e.allocator.fail_at = e.allocator.calls + 1; /* a block, for the row that is pending */
    assert_int_equal(patch_things(engine, 0, 1, BLOB | NUMBER, large), CVG_E_MEMORY);
    const uint64_t bytes = cvg_pending_size(engine).bytes;
    e.allocator.fail_at = e.allocator.calls + 1; /* a new entity's block */
    assert_int_equal(assert_things(engine, 0, 2, large), CVG_E_MEMORY);
    assert_int_equal(cvg_pending_size(engine).rows, 1);
    assert_int_equal(cvg_pending_size(engine).bytes, bytes);
    assert_int_equal(do_flush(engine), 1);
    things now = FIRST;
    now.number = 5;
    expect_things(get(engine, 1).data, now);
    assert_int_equal(get(engine, 2).presence, CVG_NOT_FOUND);
    assert_int_equal(stats_of(engine).refused, 3);
    close_engine(&e);
}

static void everything_may_be_open_at_the_end(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    for (uint64_t i = 0; i < 100; i++) assert_things(engine, 0, i, FIRST);
    do_flush(engine);
    for (uint64_t i = 50; i < 150; i++) assert_things(engine, 0, i, (things){.text = "sealed", .number = 2});
    patch_things(engine, 0, 1, NUMBER, FIRST); /* silent: sealed, and nothing */
    do_seal(engine);
    for (uint64_t i = 0; i < 200; i += 3) assert_things(engine, 1, i, (things){.text = "open"});
    for (uint64_t i = 1; i < 200; i += 3) patch_things(engine, 1, i, NUMBER, (things){.number = 3});
    cvg_catchup *reader;
    assert_int_equal(cvg_catchup_begin(engine, KIND, (cvg_class){0}, &reader), CVG_OK);
    close_engine(&e);
}

/* ---------------------------------------------------------------------------------------------------------- frames */

/* Data at `at` of a frame: its length, then both zones. The place behind. */
static const uint8_t *expect_data(const uint8_t *at, bool with_fixed, things t) {
    uint8_t expected[FIXED_BYTES + VARIABLE_MAX];
    const uint32_t bytes = pack_things(expected, THINGS, t);
    if (with_fixed) {
        assert_int_equal(cvgi_load32(at), FIXED_BYTES);
        at += 4;
    }
    assert_int_equal(cvgi_load32(at), bytes);
    assert_memory_equal(at + 4, expected, bytes);
    return at + 4 + bytes;
}

/* The header, and the place behind the frame. */
static const uint8_t *expect_header(const uint8_t *frame, uint16_t opcode) {
    assert_int_equal(cvgi_load16(frame + 4), opcode);
    assert_int_equal(cvgi_load16(frame + 10), cvgi_frame_crc(frame));
    return frame + 12 + cvgi_load32(frame + 6);
}

static const uint8_t *expect_state(const uint8_t *frame, uint8_t type, things now, const things *previous) {
    const uint8_t *end = expect_header(frame, CVGI_OPCODE_STATE);
    assert_int_equal(frame[16], type);
    assert_int_equal(frame[17], previous != NULL);
    const uint8_t *at = expect_data(frame + 76, true, now);
    if (previous != NULL) at = expect_data(at, false, *previous);
    assert_ptr_equal(at, end);
    return end;
}

static const uint8_t *expect_deleted(const uint8_t *frame, uint8_t reason, const things *previous) {
    const uint8_t *end = expect_header(frame, CVGI_OPCODE_DELETED);
    assert_int_equal(frame[16], reason);
    assert_int_equal(frame[17], previous != NULL);
    assert_ptr_equal(previous == NULL ? frame + 60 : expect_data(frame + 60, true, *previous), end);
    return end;
}

static const uint8_t *bytes_of(cvg_slices slices, uint32_t frames) {
    assert_int_equal(slices.count, 1);
    assert_int_equal(slices.items[0].frames, frames);
    return slices.items[0].segment->bytes + slices.items[0].offset;
}

static void r2_r3_frames_carry_both_zones(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    for (uint64_t i = 1; i <= 3; i++) assert_things(engine, 0, i, i == 3 ? EMPTY : FIRST);
    do_flush(engine);
    things longer = FIRST;
    longer.text = "a longer text";
    things full = {.number = 3, .text = "t", .list = {9}, .list_count = 1, .blob_bytes = 300, .place = 2};
    patch_things(engine, 0, 1, TEXT, longer);
    do_retract(engine, 0, 2);
    assert_things(engine, 0, 3, full);
    assert_things(engine, 0, 4, EMPTY);
    const cvg_batch *batch = do_seal(engine);
    cvg_slices slices;
    assert_int_equal(cvg_encode(engine, batch, KIND, (cvg_class){.number = 1}, &slices), CVG_OK);
    const uint8_t *at = bytes_of(slices, 4);
    at = expect_state(at, 2, longer, NULL);
    at = expect_deleted(at, CVG_REASON_RETRACT, NULL);
    at = expect_state(at, 2, full, NULL);
    expect_state(at, 1, EMPTY, NULL);
    const cvg_class with_previous = {.number = 2, .flags = CVG_CLASS_PREVIOUS};
    assert_int_equal(cvg_encode(engine, batch, KIND, with_previous, &slices), CVG_OK);
    at = bytes_of(slices, 4);
    at = expect_state(at, 2, longer, &FIRST);
    at = expect_deleted(at, CVG_REASON_RETRACT, &FIRST);
    at = expect_state(at, 2, full, &EMPTY);
    expect_state(at, 1, EMPTY, NULL);
    cvg_catchup *reader;
    cvg_catchup_progress progress;
    assert_int_equal(cvg_catchup_begin(engine, KIND, with_previous, &reader), CVG_OK);
    assert_int_equal(cvg_catchup_step(engine, reader, 1, &slices, &progress), CVG_OK);
    expect_state(bytes_of(slices, 1), 3, FIRST, NULL);
    cvg_install(engine, batch);
    assert_int_equal(cvg_catchup_step(engine, reader, 1 << 20, &slices, &progress), CVG_OK);
    at = bytes_of(slices, 3); /* row 2 is dead and was not sent; row 1 changed behind the cursor */
    at = expect_state(at, 3, full, NULL);
    at = expect_state(at, 3, EMPTY, NULL);
    expect_state(at, 3, longer, NULL);
    assert_true(progress.live);
    cvg_catchup_end(engine, reader);
    close_engine(&e);
}

static void r1_results_carry_both_zones(void **state) {
    (void)state;
    engines e;
    cvg_engine *engine = open_engine(&e, &THING_DEFINITION, 0);
    things t = FIRST;
    t.blob = NULL;
    t.blob_bytes = BLOB_MAX;
    assert_things(engine, 0, 1, t);
    assert_things(engine, 0, 2, EMPTY);
    do_flush(engine);
    assert_int_equal(cvg_query_frame_bytes_max(engine, KIND), 40 + FIXED_BYTES + VARIABLE_MAX);
    uint8_t id[CVG_ID_BYTES], frame[40 + FIXED_BYTES + VARIABLE_MAX];
    size_t bytes = 0;
    make_id(id, 1);
    assert_int_equal(cvg_encode_query(engine, KIND, id, 3, frame, sizeof frame, &bytes), CVG_OK);
    assert_ptr_equal(expect_header(frame, CVGI_OPCODE_QUERY_RESULT), frame + bytes);
    assert_ptr_equal(expect_data(frame + 32, true, t), frame + bytes);
    assert_int_equal(cvg_encode_query(engine, KIND, id, 3, frame, bytes - 1, &bytes), CVG_E_SPACE);
    make_id(id, 2);
    assert_int_equal(cvg_encode_query(engine, KIND, id, 3, frame, sizeof frame, &bytes), CVG_OK);
    assert_int_equal(bytes, 40 + FIXED_BYTES);
    close_engine(&e);
}

/* K5: a row of 1 MiB, nearly all of it variable, with the data before. */
static void the_largest_row(void **state) {
    (void)state;
    cvg_field fields[16];
    for (int i = 0; i < 16; i++) fields[i] = (cvg_field){.type = CVG_VARBYTES, .max = 65535};
    fields[15].max = (uint16_t)(CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES - 15 * 65539 - 4);
    engines e;
    cvg_engine *engine = open_engine(&e, &(cvg_definition){fields, 16, 1}, 0);
    const uint32_t most = CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES;
    uint8_t *data = calloc(1, most), id[CVG_ID_BYTES];
    make_id(id, 1);
    for (int i = 0; i < 16; i++) cvgi_store32(data + 4 * i, fields[i].max);
    cvg_op op = {.id = id, .data = data, .data_bytes = most, .kind = KIND, .code = CVG_ASSERT, .schema = 1};
    for (uint8_t round = 1; round <= 3; round++) {
        data[most - 1] = round;
        assert_int_equal(write_op(engine, op, NULL), CVG_OK);
        const cvg_batch *batch = do_seal(engine);
        cvg_slices slices;
        const cvg_class klass = {.number = 1, .flags = CVG_CLASS_PREVIOUS};
        assert_int_equal(cvg_encode(engine, batch, KIND, klass, &slices), CVG_OK);
        const uint8_t *frame = bytes_of(slices, 1);
        assert_int_equal(slices.items[0].bytes, 84 + most + (round > 1 ? 4 + most : 0));
        assert_int_equal(cvgi_load32(frame + 80), most);
        assert_int_equal(frame[84 + most - 1], round);
        if (round > 1) assert_int_equal(frame[slices.items[0].bytes - 1], round - 1);
        if (round > 1) assert_int_equal(change_at(batch, 0).changed, 1 << 15);
        cvg_install(engine, batch);
    }
    assert_int_equal(get(engine, 1).data.variable_bytes, most - 64);
    assert_int_equal(cvg_query_frame_bytes_max(engine, KIND), 40 + most);
    free(data);
    close_engine(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_life_of_a_row),
        cmocka_unit_test(w8_zones_that_end_as_they_began_are_silent),
        cmocka_unit_test(a_sealed_batch_is_held_while_zones_change),
        cmocka_unit_test(f1_blocks_count_in_the_window),
        cmocka_unit_test(f1_a_row_larger_than_the_bound_passes_alone),
        cmocka_unit_test(spare_memory_does_not_outgrow_the_window),
        cmocka_unit_test(memory_that_runs_out_changes_nothing),
        cmocka_unit_test(everything_may_be_open_at_the_end),
        cmocka_unit_test(r2_r3_frames_carry_both_zones),
        cmocka_unit_test(r1_results_carry_both_zones),
        cmocka_unit_test(the_largest_row),
    };
    return cmocka_run_group_tests_name("variable fields", tests, NULL, NULL);
}
