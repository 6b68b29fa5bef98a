/*
 * Catch-up against a naive reader: a random table with flushes between the steps, and a mirror that applies frames by
 * R10. Never an older state after a newer, no gap at the end of a round, and equal mirrors whenever the reader is live.
 */
#include "read_support.h"

#include "catchup.h"
#include "frame.h"

enum { KIND = 7, CLASS = 3, DATA = 12, ENTITIES_MAX = 700, CHANGES_MAX = 64, SEEDS = 1200 };

/* ------------------------------------------------------------------------------------------------------- the world */

typedef struct change {
    uint64_t sequence, version;
    bool alive;
} change;

typedef struct entity {
    uint32_t row; /* CVGI_ROW_NONE: none yet */
    bool alive;
    uint64_t version;
    change history[CHANGES_MAX]; /* the latest; older ones fall off */
    uint32_t changes;
} entity;

/* What the reader holds. */
typedef struct held {
    bool known;
    uint64_t version;
    uint8_t data[DATA];
    uint64_t newest; /* version of the newest state ever sent, deletions included */
} held;

typedef struct world {
    uint64_t seed, random;
    test_allocator allocator;
    cvgi_memory memory;
    cvgi_encoder encoder;
    cvgi_rows rows;
    cvg_catchup catchup;
    entity entities[ENTITIES_MAX];
    held mirror[ENTITIES_MAX];
    uint32_t entity_count;
    uint64_t sequence;
    uint64_t frames, restarts;
    cvg_segment *sending[8]; /* what a socket still holds, so that segments fill up */
    uint64_t sent;
} world;

/* What all seeds together must have seen, or the test proves nothing. */
static struct {
    uint64_t snapshots, gone, unknown_gone, cut_steps, revived_in_next, rounds, later_rounds, restarts, refused_steps,
        lives;
} seen;

static uint64_t dice(world *w, uint64_t sides) {
    return test_random(&w->random) % sides;
}

static void check(const world *w, bool condition, const char *what) {
    if (condition) return;
    print_error("seed %llu, flush %llu: %s\n", (unsigned long long)w->seed, (unsigned long long)w->sequence, what);
    fail();
}

static void fill(uint8_t *data, uint64_t entity, uint64_t version) {
    uint64_t state = entity << 32 | version;
    for (int i = 0; i < DATA; i++) data[i] = (uint8_t)test_random(&state);
}

static void install(world *w, uint32_t number, bool alive) {
    entity *e = &w->entities[number];
    if (e->row == CVGI_ROW_NONE) e->row = hand_rows_take(&w->rows);
    uint8_t *row = cvgi_row_at(&w->rows, e->row);
    e->version++;
    e->alive = alive;
    memset(row, 0, w->rows.stride);
    hand_row_set(row, number, alive ? 1 + dice(w, 255) : 0, e->version, alive ? CVGI_ROW_LIVE : CVGI_ROW_TOMBSTONE);
    if (alive) fill(cvgi_row_data(row), number, e->version);
    e->history[e->changes++ % CHANGES_MAX] = (change){w->sequence, e->version, alive};
}

/* One flush: some entities are created, updated, deleted, revived, each at most once, and marked if the reader is in
 * catch-up. Some rows are taken and not installed. */
static void flush(world *w, uint32_t writes, bool marking) {
    w->sequence++;
    bool written[ENTITIES_MAX] = {false};
    for (uint32_t i = 0; i < writes; i++) {
        const uint32_t number = (uint32_t)dice(w, w->entity_count);
        if (written[number]) continue;
        written[number] = true;
        entity *e = &w->entities[number];
        if (e->row == CVGI_ROW_NONE && dice(w, 8) == 0) {
            e->row = hand_rows_take(&w->rows);
            continue;
        }
        install(w, number, !e->alive || dice(w, 3) > 0);
        if (!marking) continue;
        const bool tombstones_before = w->catchup.send_tombstones;
        const uint32_t cursor_before = w->catchup.cursor;
        cvgi_catchup_mark(&w->catchup, &w->memory, e->row);
        if (w->catchup.send_tombstones && (!tombstones_before || w->catchup.cursor < cursor_before)) w->restarts++;
    }
}

/* ------------------------------------------------------------------------------------------------------ the reader */

static void read_frame(world *w, const uint8_t *frame) {
    check(w, cvgi_load16(frame + 10) == cvgi_frame_crc(frame), "a frame's checksum is wrong");
    check(w, cvgi_load16(frame + 2) == 0, "a frame's stream is not 0");
    check(w, cvgi_load16(frame + 12) == KIND && cvgi_load16(frame + 14) == CLASS, "a frame's kind or class is wrong");
    const uint64_t number = cvgi_load64(frame + 20), version = cvgi_load64(frame + 52);
    check(w, number < w->entity_count, "a frame's id is nobody's");
    const entity *e = &w->entities[number];
    held *h = &w->mirror[number];
    check(w, version == e->version, "a row was not sent as it is now");
    check(w, version >= h->newest, "an older state came after a newer");
    h->newest = version;
    if (cvgi_load16(frame + 4) == CVGI_OPCODE_DELETED) {
        check(w, !e->alive && frame[16] == CVG_REASON_CATCH_UP, "Deleted of a live row, or with another reason");
        seen.gone++;
        seen.unknown_gone += !h->known;
        h->known = false;
        h->version = 0;
        return;
    }
    check(w, e->alive && cvgi_load16(frame + 4) == CVGI_OPCODE_STATE && frame[16] == 3, "not a snapshot of a live row");
    check(w, cvgi_load64(frame + 68) == 0x3F && cvgi_load32(frame + 80) == DATA, "changed fields or length are wrong");
    seen.snapshots++;
    seen.revived_in_next += !h->known && w->catchup.progress.rounds > 0;
    if (h->known && version < h->version) return; /* R10 */
    h->known = true;
    h->version = version;
    memcpy(h->data, frame + 84, DATA);
}

static void read_slices(world *w, cvg_slices slices, size_t budget) {
    size_t bytes = 0, last = 0;
    for (size_t s = 0; s < slices.count; s++) {
        const cvg_slice *slice = &slices.items[s];
        uint32_t at = 0;
        for (uint32_t f = 0; f < slice->frames; f++) {
            const uint8_t *frame = slice->segment->bytes + slice->offset + at;
            read_frame(w, frame);
            last = CVGI_FRAME_HEADER_BYTES + cvgi_load32(frame + 6);
            at += (uint32_t)last;
            w->frames++;
        }
        check(w, at == slice->bytes, "a slice is not whole frames");
        bytes += at;
    }
    check(w, bytes == 0 || bytes - last < budget || bytes == last, "the budget was overrun by more than a row");
    if (slices.count == 0) return;
    cvg_segment **place = &w->sending[w->sent++ % 8];
    if (*place) cvg_segment_release(*place);
    *place = slices.items[0].segment;
    cvg_segment_retain(*place);
}

/* Everything up to flush S has been sent: of each entity the reader has the state at S or a later one. */
static void check_sent_up_to(world *w, uint64_t sequence) {
    for (uint32_t number = 0; number < w->entity_count; number++) {
        const entity *e = &w->entities[number];
        const held *h = &w->mirror[number];
        change at = {0};
        bool deleted_later = false;
        const uint32_t first = e->changes > CHANGES_MAX ? e->changes - CHANGES_MAX : 0;
        for (uint32_t i = first; i < e->changes; i++) {
            const change *c = &e->history[i % CHANGES_MAX];
            if (c->sequence <= sequence)
                at = *c;
            else if (!c->alive)
                deleted_later = true;
        }
        if (at.sequence == 0) continue; /* nothing so early, or it fell off */
        if (at.alive && !h->known)
            check(w, deleted_later || h->newest > at.version, "a state up to S is missing");
        else if (h->known)
            check(w, h->version >= at.version, "the reader holds a state older than S");
    }
}

static void check_equal(world *w) {
    for (uint32_t number = 0; number < w->entity_count; number++) {
        const entity *e = &w->entities[number];
        const held *h = &w->mirror[number];
        check(w, h->known == e->alive, e->alive ? "live, and an entity is missing" : "live, and a dead entity is held");
        if (!e->alive) continue;
        uint8_t data[DATA];
        fill(data, number, e->version);
        check(w, h->version == e->version && memcmp(h->data, data, DATA) == 0, "live, and an entity differs");
    }
    seen.lives++;
}

static void step(world *w, size_t budget) {
    const cvg_catchup_progress before = w->catchup.progress;
    const uint64_t failed_before = w->allocator.failed;
    const uint64_t left_before = cvgi_catchup_left(&w->catchup);
    const bool in_range = w->catchup.range_end > 0;
    w->frames = 0;
    const int status = cvgi_catchup_step(&w->catchup, &w->encoder, budget, w->sequence);
    const cvg_slices slices = cvgi_encoder_slices(&w->encoder);
    const cvg_catchup_progress after = w->catchup.progress;
    read_slices(w, slices, budget);
    check(w, after.rows == before.rows + w->frames, "progress counts other rows than were sent");
    check(w, after.rounds >= before.rounds && after.sequence >= before.sequence, "progress went back");
    check(w, after.sequence <= w->sequence, "progress names a flush to come");
    if (status != CVG_OK) {
        check(w, status == CVG_E_MEMORY && w->allocator.failed > failed_before && slices.count == 0,
              "refused without a cause");
        check(w, !after.live, "live after a refusal");
        seen.refused_steps++;
        return;
    }
    seen.cut_steps += w->allocator.failed > failed_before;
    const uint64_t passed_over = left_before - cvgi_catchup_left(&w->catchup);
    const bool walked_on = in_range && (after.rounds > before.rounds || passed_over > 0);
    check(w, after.live || w->frames > 0 || walked_on, "a step that sent nothing, walked over nothing and is not live");
    check(w, after.live == (after.live && cvgi_catchup_left(&w->catchup) == 0), "live with rows left");
    if (after.rounds > before.rounds) check_sent_up_to(w, after.sequence);
    if (after.live) check_equal(w);
}

/* ------------------------------------------------------------------------------------------------------------ runs */

typedef struct variant {
    bool empty;                      /* begun between seal and install, with a mirror that is up to date */
    uint32_t mark_fails, step_fails; /* so many of 1,024 allocations */
} variant;

static void begin(world *w, variant v) {
    const cvgi_frame_kind kind = {.all_fields = 0x3F, .fixed_bytes = DATA, .kind = KIND, .schema = 1};
    const cvg_class klass = {.number = CLASS, .flags = dice(w, 2) ? CVG_CLASS_PREVIOUS : 0};
    if (!v.empty) {
        cvgi_catchup_init(&w->catchup, &w->rows, &kind, klass, w->sequence);
        check(w, cvgi_catchup_left(&w->catchup) == w->rows.count, "the first round is not every row");
        return;
    }
    cvgi_catchup_init_empty(&w->catchup, &w->rows, &kind, klass, w->sequence);
    for (uint32_t number = 0; number < w->entity_count; number++) {
        const entity *e = &w->entities[number];
        w->mirror[number] = (held){.known = e->alive, .version = e->alive ? e->version : 0, .newest = e->version};
        fill(w->mirror[number].data, number, e->version);
    }
}

static void run(uint64_t seed, variant v) {
    world *w = calloc(1, sizeof *w);
    w->seed = w->random = seed;
    w->memory = test_memory(&w->allocator);
    assert_int_equal(cvgi_encoder_init(&w->encoder, &w->memory), CVG_OK);
    hand_rows_init(&w->rows, DATA);
    const uint32_t sizes[] = {1, 5, 70, ENTITIES_MAX};
    w->entity_count = sizes[dice(w, 4)];
    for (uint32_t i = 0; i < w->entity_count; i++) w->entities[i].row = CVGI_ROW_NONE;
    for (uint64_t n = dice(w, 6); n > 0; n--) flush(w, w->entity_count / 2 + 1, false);
    begin(w, v);
    w->allocator.random = seed;
    const uint64_t turns = 10 + dice(w, 60);
    const uint32_t writes = 1 + (uint32_t)dice(w, 1 + w->entity_count / 4);
    const size_t budget = 1 + (size_t)dice(w, dice(w, 2) ? 400 : 20000);
    if (v.empty) flush(w, writes, true);
    for (uint64_t turn = 0; turn < turns; turn++) {
        w->allocator.fail_per_1024 = v.mark_fails;
        for (uint64_t n = dice(w, 3); n > 0; n--) flush(w, (uint32_t)dice(w, 1 + writes), true);
        w->allocator.fail_per_1024 = v.step_fails;
        for (uint64_t n = dice(w, 4); n > 0; n--) step(w, budget);
    }
    w->allocator.fail_per_1024 = 0; /* the world falls quiet: it must become live */
    uint64_t steps = 0;
    do {
        step(w, budget);
        check(w, ++steps < 3 * ENTITIES_MAX, "it never ends");
    } while (!w->catchup.progress.live);
    check(w, w->catchup.progress.sequence == w->sequence, "live, and behind the installed sequence");
    seen.rounds += w->catchup.progress.rounds;
    seen.later_rounds += w->catchup.progress.rounds > 2;
    seen.restarts += w->restarts;
    for (int i = 0; i < 8; i++)
        if (w->sending[i]) cvg_segment_release(w->sending[i]);
    cvgi_catchup_free(&w->catchup, &w->memory);
    cvgi_encoder_free(&w->encoder);
    assert_int_equal(w->memory.in_use, 0);
    assert_int_equal(w->allocator.blocks, 0);
    hand_rows_free(&w->rows);
    free(w);
}

static void run_seeds(const char *name, variant v) {
    memset(&seen, 0, sizeof seen);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) run(seed, v);
    print_message("%s, %d seeds: %llu snapshots, %llu gone (%llu of unknown entities), %llu revived, %llu rounds, "
                  "%llu restarts, %llu refused and %llu cut steps, %llu times live\n",
                  name, SEEDS, (unsigned long long)seen.snapshots, (unsigned long long)seen.gone,
                  (unsigned long long)seen.unknown_gone, (unsigned long long)seen.revived_in_next,
                  (unsigned long long)seen.rounds, (unsigned long long)seen.restarts,
                  (unsigned long long)seen.refused_steps, (unsigned long long)seen.cut_steps,
                  (unsigned long long)seen.lives);
    assert_true(seen.snapshots > 0 && seen.gone > 0 && seen.unknown_gone > 0 && seen.revived_in_next > 0);
    assert_true(seen.later_rounds > 0 && seen.lives > SEEDS);
    assert_true((seen.restarts > 0) == (v.mark_fails > 0));
    assert_true((seen.cut_steps > 0) == (v.step_fails > 0));
    assert_true((seen.refused_steps > 0) == (v.step_fails > 0));
}

static void bootstrap_R3(void **state) {
    (void)state;
    run_seeds("bootstrap", (variant){0});
}

static void bootstrap_R3_with_failing_memory(void **state) {
    (void)state;
    run_seeds("bootstrap, memory fails often", (variant){.mark_fails = 300, .step_fails = 500});
    run_seeds("bootstrap, no bitmap ever", (variant){.mark_fails = 1024});
}

static void missed_flush_R5(void **state) {
    (void)state;
    run_seeds("missed flush", (variant){.empty = true});
    run_seeds("missed flush, memory fails often", (variant){.empty = true, .mark_fails = 300, .step_fails = 500});
}

/* --------------------------------------------------------------------------------------------------- single cases */

typedef struct small {
    test_allocator allocator;
    cvgi_memory memory;
    cvgi_encoder encoder;
    cvgi_rows rows;
    cvg_catchup catchup;
} small;

static void open_small(small *s, uint32_t rows, bool empty) {
    *s = (small){0};
    s->memory = test_memory(&s->allocator);
    assert_int_equal(cvgi_encoder_init(&s->encoder, &s->memory), CVG_OK);
    hand_rows_init(&s->rows, DATA);
    for (uint32_t i = 0; i < rows; i++)
        hand_row_set(cvgi_row_at(&s->rows, hand_rows_take(&s->rows)), i, 1, 1, CVGI_ROW_LIVE);
    const cvgi_frame_kind kind = {.all_fields = 1, .fixed_bytes = DATA, .kind = KIND, .schema = 1};
    (empty ? cvgi_catchup_init_empty : cvgi_catchup_init)(&s->catchup, &s->rows, &kind, (cvg_class){CLASS, 0}, 40);
}

static void close_small(small *s) {
    cvgi_catchup_free(&s->catchup, &s->memory);
    cvgi_encoder_free(&s->encoder);
    hand_rows_free(&s->rows);
    assert_int_equal(s->allocator.blocks, 0);
}

static uint32_t frames_of(cvg_slices slices) {
    uint32_t frames = 0;
    for (size_t i = 0; i < slices.count; i++) frames += slices.items[i].frames;
    return frames;
}

static uint32_t step_small(small *s, size_t budget, uint64_t sequence) {
    assert_int_equal(cvgi_catchup_step(&s->catchup, &s->encoder, budget, sequence), CVG_OK);
    return frames_of(cvgi_encoder_slices(&s->encoder));
}

static void an_empty_kind_is_live_at_once(void **state) {
    (void)state;
    small s;
    open_small(&s, 0, false);
    assert_int_equal(step_small(&s, 1, 40), 0);
    assert_true(s.catchup.progress.live);
    assert_int_equal(s.catchup.progress.rounds, 1);
    assert_int_equal(s.catchup.progress.sequence, 40);
    close_small(&s);
}

static void rounds_and_sequences(void **state) {
    (void)state;
    small s;
    open_small(&s, 4, false);
    const cvg_catchup_progress *progress = &s.catchup.progress;
    assert_int_equal(step_small(&s, 1, 41), 1);
    assert_int_equal(progress->rounds, 0);
    assert_int_equal(progress->sequence, 0);
    cvgi_catchup_mark(&s.catchup, &s.memory, 0); /* behind the cursor: flush 42 */
    cvgi_catchup_mark(&s.catchup, &s.memory, 3); /* still in the range */
    assert_int_equal(cvgi_catchup_left(&s.catchup), 3);
    assert_int_equal(step_small(&s, 3 * 96, 42), 3);
    assert_int_equal(progress->rounds, 1);
    assert_int_equal(progress->sequence, 40); /* of the begin, although newer states were sent */
    assert_false(progress->live);
    assert_int_equal(cvgi_catchup_left(&s.catchup), 1);
    cvgi_catchup_mark(&s.catchup, &s.memory, 0); /* waits already */
    cvgi_catchup_mark(&s.catchup, &s.memory, 2); /* flush 43 */
    assert_int_equal(step_small(&s, 1, 43), 1);
    assert_int_equal(progress->rounds, 2);
    assert_int_equal(progress->sequence, 42);
    assert_int_equal(step_small(&s, 1, 44), 1);
    assert_true(progress->live);
    assert_int_equal(progress->rounds, 3);
    assert_int_equal(progress->sequence, 44);
    assert_int_equal(progress->rows, 6);
    close_small(&s);
}

static void a_missed_flush_is_all_that_an_empty_one_sends(void **state) {
    (void)state;
    small s;
    open_small(&s, 100, true);
    cvgi_catchup_mark(&s.catchup, &s.memory, 7);
    cvgi_catchup_mark(&s.catchup, &s.memory, 93);
    assert_int_equal(s.catchup.progress.sequence, 40);
    assert_int_equal(step_small(&s, 1 << 20, 41), 2);
    assert_true(s.catchup.progress.live);
    assert_int_equal(s.catchup.progress.sequence, 41);
    close_small(&s);
}

/* W3 then R3: the tombstone of a row sent in round 1 is told, that of a row dead before is not. */
static void tombstones_are_told_only_to_who_may_know(void **state) {
    (void)state;
    small s;
    open_small(&s, 3, false);
    cvgi_row_at(&s.rows, 1)[49] = CVGI_ROW_TOMBSTONE;
    assert_int_equal(step_small(&s, 1, 40), 1);
    cvgi_row_at(&s.rows, 0)[49] = CVGI_ROW_TOMBSTONE;
    cvgi_catchup_mark(&s.catchup, &s.memory, 0);
    assert_int_equal(step_small(&s, 96, 41), 1); /* row 2 */
    assert_int_equal(step_small(&s, 1, 41), 1);
    const cvg_slice slice = cvgi_encoder_slices(&s.encoder).items[0];
    assert_int_equal(slice.segment->bytes[slice.offset + 4], CVGI_OPCODE_DELETED);
    assert_int_equal(cvgi_load64(slice.segment->bytes + slice.offset + 20), 0);
    assert_true(s.catchup.progress.live);
    close_small(&s);
}

static void a_step_without_a_budget_sends_a_row(void **state) {
    (void)state;
    small s;
    open_small(&s, 3, false);
    for (int row = 0; row < 3; row++) assert_int_equal(step_small(&s, 0, 40), 1);
    assert_int_equal(step_small(&s, 0, 40), 0);
    assert_true(s.catchup.progress.live);
    close_small(&s);
}

static void memory_is_two_bits_a_row(void **state) {
    (void)state;
    small s;
    enum { ROWS = 20000 };
    open_small(&s, ROWS, false);
    const uint64_t before = s.memory.in_use;
    for (int round = 0; round < 20; round++) {
        step_small(&s, 1 << 18, 40 + (uint64_t)round);
        for (uint32_t row = 0; row < ROWS; row++) cvgi_catchup_mark(&s.catchup, &s.memory, row);
    }
    const uint64_t bitmaps = s.catchup.current.word_count * 8 + s.catchup.next.word_count * 8;
    assert_true(s.catchup.progress.rounds > 1);
    assert_true(bitmaps <= 2 * (ROWS / 8 + ROWS / 64 + 24));
    assert_true(s.memory.in_use - before <= bitmaps + 64 * sizeof(cvg_slice));
    close_small(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_kind_is_live_at_once),
        cmocka_unit_test(rounds_and_sequences),
        cmocka_unit_test(a_missed_flush_is_all_that_an_empty_one_sends),
        cmocka_unit_test(tombstones_are_told_only_to_who_may_know),
        cmocka_unit_test(a_step_without_a_budget_sends_a_row),
        cmocka_unit_test(memory_is_two_bits_a_row),
        cmocka_unit_test(bootstrap_R3),
        cmocka_unit_test(bootstrap_R3_with_failing_memory),
        cmocka_unit_test(missed_flush_R5),
    };
    return cmocka_run_group_tests_name("catchup", tests, NULL, NULL);
}
