/* Queries in groups (R1): the bytes are those of one query after the other, whatever the kinds, the rows and the order;
 * an unknown kind or a full buffer ends a group where it stands. */
#include "frame.h"
#include "workload_support.h"

enum { OPS = 60000, ENTITIES = 8000, LOOKUPS = 1000, NO_KIND = 999 };

typedef struct questions {
    cvg_lookup lookups[LOOKUPS];
    uint8_t ids[LOOKUPS][CVG_ID_BYTES];
} questions;

static cvg_engine *open_engine(void) {
    cvg_engine *engine = make_engine(NULL);
    assert_int_equal(cvg_kind_create(engine, VARIED, &THING_DEFINITION), CVG_OK);
    return engine;
}

/* Rows that live, that died, that are only pending, and ids nobody has written. */
static cvg_engine *filled_engine(void) {
    cvg_engine *engine = open_engine();
    workload w = record(OPS, ENTITIES, 5);
    cvg_refusal refusals[64];
    cvg_applied applied;
    for (size_t done = 0; done < w.count; done += applied.consumed) {
        assert_int_equal(cvg_apply(engine, w.ops + done, w.count - done, refusals, 64, &applied), CVG_OK);
        if (done > OPS / 2 || cvg_pending_size(engine).rows == 0) continue;
        cvg_install(engine, do_seal(engine));
    }
    assert_true(cvg_pending_size(engine).rows > 1000);
    free_workload(&w);
    return engine;
}

static questions *ask(uint64_t seed) {
    questions *q = calloc(1, sizeof *q);
    for (size_t i = 0; i < LOOKUPS; i++) {
        const uint64_t roll = test_random(&seed);
        make_id(q->ids[i], (roll >> 8) % (ENTITIES + 1000));
        q->lookups[i] = (cvg_lookup){.id = q->ids[i], .kind = roll & 1 ? SCALARS : VARIED, .stream = (uint16_t)i};
    }
    return q;
}

static size_t room_for(const cvg_engine *engine, size_t count) {
    return count * cvg_query_frame_bytes_max(engine, VARIED);
}

/* The frames of one query after the other; `found` counts them by presence. */
static size_t one_by_one(const cvg_engine *engine, const cvg_lookup *lookups, size_t count, uint8_t *to,
                         uint64_t found[3]) {
    size_t all = 0, bytes;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(cvg_encode_query(engine, lookups[i].kind, lookups[i].id, lookups[i].stream, to + all,
                                          room_for(engine, 1), &bytes),
                         CVG_OK);
        found[to[all + 12]]++;
        all += bytes;
    }
    return all;
}

static void a_group_answers_as_one_by_one_R1(void **state) {
    (void)state;
    cvg_engine *engine = filled_engine();
    uint8_t *expected = malloc(room_for(engine, LOOKUPS));
    uint64_t found[3] = {0};
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 128, 129, LOOKUPS};
    for (uint64_t seed = 0; seed < sizeof sizes / sizeof *sizes; seed++) {
        questions *q = ask(seed);
        const size_t bytes = one_by_one(engine, q->lookups, sizes[seed], expected, found);
        cvg_answered answered;
        /* exactly as long as it must be: what is written past it is seen */
        uint8_t *tight = malloc(bytes == 0 ? 1 : bytes);
        assert_int_equal(cvg_encode_queries(engine, q->lookups, sizes[seed], tight, bytes, &answered), CVG_OK);
        assert_int_equal(answered.count, sizes[seed]);
        assert_int_equal(answered.bytes, bytes);
        assert_memory_equal(tight, expected, bytes);
        free(tight);
        free(q);
    }
    assert_true(found[CVG_ALIVE] > 300 && found[CVG_TOMBSTONE] > 30 && found[CVG_NOT_FOUND] > 300);
    free(expected);
    cvg_engine_destroy(engine);
}

static void a_full_buffer_ends_the_group_and_the_rest_follows(void **state) {
    (void)state;
    cvg_engine *engine = filled_engine();
    uint8_t *expected = malloc(room_for(engine, LOOKUPS));
    uint64_t found[3] = {0}, stops = 0;
    questions *q = ask(77);
    const size_t bytes = one_by_one(engine, q->lookups, LOOKUPS, expected, found);
    size_t done = 0, written = 0;
    for (uint64_t dice = 3; done < LOOKUPS; stops++) {
        const size_t room = room_for(engine, 1) + test_random(&dice) % 9000;
        uint8_t *frames = malloc(room);
        cvg_answered answered;
        const int status = cvg_encode_queries(engine, q->lookups + done, LOOKUPS - done, frames, room, &answered);
        assert_int_equal(status, done + answered.count == LOOKUPS ? CVG_OK : CVG_E_SPACE);
        assert_in_range(answered.bytes, 1, room);
        assert_memory_equal(frames, expected + written, answered.bytes);
        done += answered.count;
        written += answered.bytes;
        if (status == CVG_E_SPACE) { /* what did not fit would not have fitted alone */
            const uint32_t next = CVGI_FRAME_HEADER_BYTES + cvgi_load32(expected + written + 6);
            assert_true(answered.bytes + next > room);
        }
        free(frames);
    }
    assert_int_equal(written, bytes);
    assert_true(stops > 10);
    free(q);
    free(expected);
    cvg_engine_destroy(engine);
}

static void an_unknown_kind_ends_the_group(void **state) {
    (void)state;
    cvg_engine *engine = filled_engine();
    uint8_t *expected = malloc(room_for(engine, LOOKUPS)), *frames = malloc(room_for(engine, LOOKUPS));
    static const size_t places[] = {0, 1, 63, 64, 100};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        questions *q = ask(9);
        uint64_t found[3] = {0};
        const size_t bytes = one_by_one(engine, q->lookups, places[p], expected, found);
        q->lookups[places[p]].kind = p % 2 ? 0 : NO_KIND;
        cvg_answered answered;
        assert_int_equal(cvg_encode_queries(engine, q->lookups, LOOKUPS, frames, room_for(engine, LOOKUPS), &answered),
                         CVG_E_KIND);
        assert_int_equal(answered.count, places[p]);
        assert_int_equal(answered.bytes, bytes);
        assert_memory_equal(frames, expected, bytes);
        free(q);
    }
    free(expected);
    free(frames);
    cvg_engine_destroy(engine);
}

static void nobody_has_written_yet(void **state) {
    (void)state;
    cvg_engine *engine = open_engine();
    questions *q = ask(1);
    uint8_t *frames = malloc(room_for(engine, LOOKUPS));
    cvg_answered answered;
    assert_int_equal(cvg_encode_queries(engine, q->lookups, LOOKUPS, frames, room_for(engine, LOOKUPS), &answered),
                     CVG_OK);
    assert_int_equal(answered.count, LOOKUPS);
    assert_int_equal(answered.bytes, LOOKUPS * 40);
    for (size_t i = 0; i < LOOKUPS; i++) {
        assert_int_equal(frames[i * 40 + 12], CVG_NOT_FOUND);
        assert_int_equal(cvgi_load16(frames + i * 40 + 2), i);
    }
    free(frames);
    free(q);
    cvg_engine_destroy(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_answers_as_one_by_one_R1),
        cmocka_unit_test(a_full_buffer_ends_the_group_and_the_rest_follows),
        cmocka_unit_test(an_unknown_kind_ends_the_group),
        cmocka_unit_test(nobody_has_written_yet),
    };
    return cmocka_run_group_tests_name("queries in groups", tests, NULL, NULL);
}
