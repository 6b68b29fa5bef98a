/*
 * A recorded workload - kinds, writes, sealed batches held open, installs, frames, catch-ups, queries - in which the
 * n-th allocation fails, for every n. Each failure is a status; the call that failed is made again, and from there on
 * the engine gives what it gives when nothing fails: the same refusals, changes, frames and rows (F5).
 */
#include "workload_support.h"

enum { OPS = 2400, ENTITIES = 60, WINDOW = 100, PENDING_MAX = 8500 };

/* What the outside knows of one kind by catch-up. */
typedef struct held {
    bool alive;
    uint64_t version, digest;
} held;

typedef struct play {
    test_allocator allocator;
    cvg_engine *engine;
    const cvg_batch *batch;
    cvg_catchup *readers[2];
    held mirror[2][ENTITIES];
    cvg_segment *kept; /* by someone who is slow */
    uint64_t digest;   /* of everything that came out, in order */
    uint64_t failures; /* calls that said CVG_E_MEMORY */
    uint64_t full_windows, refusals, frames;
} play;

static const cvg_class CLASSES[] = {{.number = 1}, {.number = 2, .flags = CVG_CLASS_PREVIOUS}};

static uint64_t mix(uint64_t digest, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    for (; count >= 8; at += 8, count -= 8)
        digest = (digest ^ cvgi_load64(at)) * 0x9FB21C651E98DF25u, digest ^= digest >> 35;
    for (; count > 0; at++, count--) digest = (digest ^ *at) * 0x100000001B3u;
    return digest ^ digest >> 29;
}

static void say(play *p, const void *bytes, size_t count) {
    p->digest = mix(p->digest, bytes, count);
}

/* Whether the call has to be made again. Memory fails once, so once is enough. */
static bool failed(play *p, int status) {
    if (status != CVG_E_MEMORY) return false;
    p->failures++;
    assert_int_equal(p->failures, 1);
    assert_int_equal(p->allocator.failed, 1);
    return true;
}

static void open_engine(play *p) {
    const cvg_options options = {
        .allocator = {&p->allocator, test_allocate, test_release}, .hash_seed = 5, .pending_bytes_max = PENDING_MAX};
    int status = cvg_engine_create(&options, &p->engine);
    if (failed(p, status)) {
        assert_int_equal(p->allocator.blocks, 0);
        status = cvg_engine_create(&options, &p->engine);
    }
    assert_int_equal(status, CVG_OK);
    const cvg_definition *definitions[] = {&ROW_DEFINITION, &THING_DEFINITION};
    for (uint16_t k = 0; k < 2; k++) {
        status = cvg_kind_create(p->engine, SCALARS + k, definitions[k]);
        if (failed(p, status)) {
            assert_int_equal(cvg_kind_fixed_bytes(p->engine, SCALARS + k), 0);
            status = cvg_kind_create(p->engine, SCALARS + k, definitions[k]);
        }
        assert_int_equal(status, CVG_OK);
    }
}

static void say_data(play *p, cvg_data data) {
    say(p, &data.fixed_bytes, sizeof data.fixed_bytes);
    say(p, &data.variable_bytes, sizeof data.variable_bytes);
    say(p, data.fixed, data.fixed_bytes);
    say(p, data.variable, data.variable_bytes);
}

static void say_changes(play *p) {
    for (uint16_t kind = SCALARS; kind <= VARIED; kind++)
        for (size_t i = 0; i < cvg_batch_changes(p->batch, kind); i++) {
            cvg_change change;
            cvg_batch_change(p->batch, kind, i, &change);
            const uint64_t words[] = {change.source_set, change.version, change.changed, change.what, change.reason};
            say(p, change.id, CVG_ID_BYTES);
            say(p, words, sizeof words);
            say_data(p, change.data);
            say_data(p, change.previous);
        }
}

static void install(play *p) {
    if (p->batch == NULL) return;
    say_changes(p); /* as when it was sealed, whatever was written since */
    cvg_install(p->engine, p->batch);
    p->batch = NULL;
}

static void encode(play *p, uint16_t kind, cvg_class klass) {
    cvg_slices slices;
    int status = cvg_encode(p->engine, p->batch, kind, klass, &slices);
    if (failed(p, status)) {
        assert_int_equal(slices.count, 0);
        status = cvg_encode(p->engine, p->batch, kind, klass, &slices);
    }
    assert_int_equal(status, CVG_OK);
    for (size_t i = 0; i < slices.count; i++) { /* frame by frame: they may lie in other segments after a failure */
        const uint8_t *at = slices.items[i].segment->bytes + slices.items[i].offset, *end = at + slices.items[i].bytes;
        for (uint32_t bytes; at < end; at += bytes, p->frames++) say(p, at, bytes = 12 + cvgi_load32(at + 6));
    }
    if (slices.count == 0) return;
    if (p->kept != NULL) cvg_segment_release(p->kept);
    p->kept = slices.items[0].segment;
    cvg_segment_retain(p->kept);
}

static void seal(play *p) {
    install(p);
    const cvg_pending before = cvg_pending_size(p->engine);
    int status = cvg_seal(p->engine, &p->batch);
    if (failed(p, status)) {
        assert_int_equal(cvg_pending_size(p->engine).rows, before.rows);
        assert_int_equal(cvg_pending_size(p->engine).bytes, before.bytes);
        status = cvg_seal(p->engine, &p->batch);
    }
    if (status == CVG_E_EMPTY) return;
    assert_int_equal(status, CVG_OK);
    const uint64_t sequence = cvg_batch_sequence(p->batch);
    say(p, &sequence, sizeof sequence);
    say_changes(p);
    for (uint16_t kind = SCALARS; kind <= VARIED; kind++)
        for (int c = 0; c < 2; c++) encode(p, kind, CLASSES[c]);
}

/* Stops at each refusal, so that a write without memory can be repeated before the next one. */
static void apply(play *p, const cvg_op *ops, size_t count) {
    for (size_t done = 0; done < count;) {
        cvg_refusal refusal;
        cvg_applied applied;
        const cvg_pending before = cvg_pending_size(p->engine);
        const int status = cvg_apply(p->engine, ops + done, count - done, &refusal, 1, &applied);
        done += applied.consumed;
        if (status == CVG_E_PENDING) {
            p->full_windows++;
            seal(p);
            continue;
        }
        assert_int_equal(status, CVG_OK);
        if (applied.refused == 0) continue;
        if (failed(p, refusal.status)) {
            if (applied.consumed == 1) {
                assert_int_equal(cvg_pending_size(p->engine).rows, before.rows);
                assert_int_equal(cvg_pending_size(p->engine).bytes, before.bytes);
            }
            done--;
            continue;
        }
        const int16_t what[] = {refusal.status, (int16_t)refusal.field};
        say(p, what, sizeof what);
        p->refusals++;
    }
}

static void query(play *p, uint64_t entity) {
    uint8_t id[CVG_ID_BYTES], frame[1024];
    size_t bytes;
    make_id(id, entity);
    for (uint16_t kind = SCALARS; kind <= VARIED; kind++) {
        assert_true(cvg_query_frame_bytes_max(p->engine, kind) <= sizeof frame);
        assert_int_equal(cvg_encode_query(p->engine, kind, id, 1, frame, sizeof frame, &bytes), CVG_OK);
        say(p, frame, bytes);
    }
}

/* R10. What catch-up sends may repeat where memory failed, so only what it leads to is compared. */
static void hear(held mirror[ENTITIES], cvg_slices slices) {
    for (size_t i = 0; i < slices.count; i++) {
        const uint8_t *at = slices.items[i].segment->bytes + slices.items[i].offset, *end = at + slices.items[i].bytes;
        for (; at < end; at += 12 + cvgi_load32(at + 6)) {
            held *h = &mirror[cvgi_load64(at + 20 + 24)];
            const bool alive = cvgi_load16(at + 4) == 0x81;
            assert_true(cvgi_load64(at + 52) >= h->version);
            *h = (held){.alive = alive, .version = cvgi_load64(at + 52)};
            if (alive) h->digest = mix(0, at + 84, cvgi_load32(at + 80));
        }
    }
}

static bool step(play *p, int which, size_t budget) {
    cvg_slices slices;
    cvg_catchup_progress progress;
    int status = cvg_catchup_step(p->engine, p->readers[which], budget, &slices, &progress);
    if (failed(p, status)) {
        assert_int_equal(slices.count, 0);
        status = cvg_catchup_step(p->engine, p->readers[which], budget, &slices, &progress);
    }
    assert_int_equal(status, CVG_OK);
    hear(p->mirror[which], slices);
    return progress.live;
}

static void begin_readers(play *p) {
    for (uint16_t k = 0; k < 2; k++) {
        const uint64_t readers = stats_of(p->engine).catchups;
        int status = cvg_catchup_begin(p->engine, SCALARS + k, CLASSES[k], &p->readers[k]);
        if (failed(p, status)) {
            assert_int_equal(stats_of(p->engine).catchups, readers);
            status = cvg_catchup_begin(p->engine, SCALARS + k, CLASSES[k], &p->readers[k]);
        }
        assert_int_equal(status, CVG_OK);
    }
}

/* Every row, and whether the readers know the same. */
static void compare_mirrors(play *p) {
    for (uint16_t k = 0; k < 2; k++) {
        while (!step(p, k, 2000)) continue;
        uint64_t cursor = 0;
        cvg_row row;
        while (cvg_scan(p->engine, SCALARS + k, &cursor, &row)) {
            const uint64_t words[] = {row.version, row.source_set, row.presence};
            const held *h = &p->mirror[k][cvgi_load64(row.id + 24)];
            say(p, row.id, CVG_ID_BYTES);
            say(p, words, sizeof words);
            say_data(p, row.data);
            assert_int_equal(h->alive, row.presence == CVG_ALIVE);
            if (!h->alive) continue;
            assert_int_equal(h->version, row.version);
            uint8_t data[1024];
            memcpy(data, row.data.fixed, row.data.fixed_bytes);
            if (row.data.variable_bytes != 0)
                memcpy(data + row.data.fixed_bytes, row.data.variable, row.data.variable_bytes);
            assert_int_equal(h->digest, mix(0, data, row.data.fixed_bytes + row.data.variable_bytes));
        }
    }
}

static void play_workload(play *p, const workload *w, uint64_t fail_at) {
    *p = (play){.allocator = {.fail_at = fail_at}};
    open_engine(p);
    for (size_t done = 0; done < w->count; done += WINDOW) {
        apply(p, w->ops + done, WINDOW / 2); /* on top of the batch that is held */
        query(p, done % ENTITIES);
        install(p);
        if (done == 3 * WINDOW) begin_readers(p);
        if (p->readers[0] != NULL) step(p, 0, 700), step(p, 1, 700);
        apply(p, w->ops + done + WINDOW / 2, WINDOW / 2);
        seal(p);
    }
    install(p);
    compare_mirrors(p);
    cvg_catchup_end(p->engine, p->readers[0]); /* the other ends with the engine */
    const cvg_stats stats = stats_of(p->engine);
    const uint64_t counters[] = {stats.entities, stats.tombstones, stats.created,      stats.revived,
                                 stats.updated,  stats.deleted,    stats.deduplicated, stats.flushes};
    say(p, counters, sizeof counters);
    cvg_engine_destroy(p->engine);
    if (p->kept != NULL) {
        assert_true(p->allocator.blocks > 0);
        cvg_segment_release(p->kept);
    }
    assert_int_equal(p->allocator.blocks, 0);
    assert_int_equal(p->allocator.bytes, 0);
}

static void the_nth_allocation_fails_for_every_n(void **state) {
    (void)state;
    workload w = record(OPS, ENTITIES, 77);
    play *expected = calloc(1, sizeof *expected), *p = calloc(1, sizeof *p);
    play_workload(expected, &w, 0);
    assert_int_equal(expected->failures, 0);
    print_message("%llu full windows, %llu refusals, %llu frames\n", (unsigned long long)expected->full_windows,
                  (unsigned long long)expected->refusals, (unsigned long long)expected->frames);
    assert_true(expected->full_windows > 5 && expected->refusals > 100 && expected->frames > 1500);
    uint64_t silent = 0;
    for (uint64_t n = 1; n <= expected->allocator.calls; n++) {
        play_workload(p, &w, n);
        assert_int_equal(p->allocator.failed, 1);
        assert_int_equal(p->refusals, expected->refusals);
        assert_int_equal(p->digest, expected->digest);
        silent += p->failures == 0;
    }
    print_message("%llu allocations, each failed once; %llu of them needed no second call\n",
                  (unsigned long long)expected->allocator.calls, (unsigned long long)silent);
    assert_true(expected->allocator.calls > 100);
    assert_true(silent < expected->allocator.calls / 10); /* bitmaps of catch-up, whose readers start over */
    free(p);
    free(expected);
    free_workload(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_allocation_fails_for_every_n),
    };
    return cmocka_run_group_tests_name("out of memory", tests, NULL, NULL);
}
