/* The index against an array: growth, removal, collisions, and memory that runs out at every point. */
#include "read_support.h"

#include "index.h"

enum { SEED = 3 };

typedef struct world {
    test_allocator allocator;
    cvgi_memory memory;
    cvgi_rows rows;
    cvgi_index index;
} world;

static void begin(world *w) {
    *w = (world){0};
    w->memory = test_memory(&w->allocator);
    cvgi_rows_init(&w->rows, 8, false);
    cvgi_index_init(&w->index, SEED);
}

static void end(world *w) {
    cvgi_index_free(&w->index, &w->memory);
    cvgi_rows_free(&w->rows, &w->memory);
    assert_int_equal(w->memory.in_use, 0);
    assert_int_equal(w->allocator.blocks, 0);
}

static void number_id(uint8_t id[CVG_ID_BYTES], uint64_t number) {
    memset(id, 0x11, CVG_ID_BYTES);
    cvgi_store64(id + 5, number);
}

static int add(world *w, const uint8_t *id, uint32_t *row) {
    uint64_t hash = cvgi_hash(id, SEED);
    int status = cvgi_index_reserve(&w->index, &w->memory, &w->rows, hash);
    if (status != CVG_OK) return status;
    *row = cvgi_rows_take(&w->rows, &w->memory, id, &status);
    if (*row == CVGI_ROW_NONE) return status;
    cvgi_index_insert(&w->index, hash, *row);
    return CVG_OK;
}

static void drop(world *w, const uint8_t *id, uint32_t row) {
    cvgi_index_remove(&w->index, cvgi_hash(id, SEED), row);
    cvgi_rows_give_back(&w->rows, row);
}

static uint64_t guesses, right_guesses;

static uint32_t find(const world *w, const uint8_t *id) {
    uint64_t hash = cvgi_hash(id, SEED);
    uint32_t row = cvgi_index_find(&w->index, &w->rows, hash, id);
    if (row == CVGI_ROW_NONE) return row;
    /* What prefetching guesses are rows of the table, and the one is mostly among them. */
    uint32_t other = CVGI_ROW_NONE;
    uint32_t guess = cvgi_index_candidates(cvgi_index_line(&w->index, hash), hash, &other);
    if (guess == CVGI_ROW_NONE) guess = cvgi_index_candidates_further(&w->index, hash, &other);
    assert_true(guess < w->rows.count);
    assert_true(other == CVGI_ROW_NONE || (other != guess && other < w->rows.count));
    guesses++;
    right_guesses += guess == row || other == row;
    return row;
}

/* Tags, counters and depths as index.h says they are. Returns the entries. */
static uint64_t check(const world *w) {
    if (w->index.directory == NULL) return 0;
    uint64_t entries = 0, overflow = 0, segments = 0;
    size_t size = (size_t)1 << w->index.depth;
    for (size_t at = 0; at < size;) {
        const cvgi_line *segment = w->index.directory[at];
        size_t shared = (size_t)1 << (w->index.depth - segment[1].meta);
        assert_int_equal(at % shared, 0);
        for (size_t i = 0; i < shared; i++) assert_ptr_equal(w->index.directory[at + i], segment);
        uint64_t used = 0;
        for (int line = 0; line < CVGI_SEGMENT_LINES; line++) {
            overflow += segment[line].overflow;
            for (int slot = 0; slot < CVGI_LINE_SLOTS; slot++) used += segment[line].tags[slot] != 0;
        }
        assert_int_equal(segment[0].meta, used);
        entries += used;
        segments++;
        at += shared;
    }
    assert_int_equal(w->index.segments, segments);
    if (entries == 0) assert_int_equal(overflow, 0);
    return entries;
}

static void ids_come_and_go(void **state) {
    (void)state;
    enum { IDS = 150000 };
    world w;
    begin(&w);
    uint8_t id[CVG_ID_BYTES];
    number_id(id, 1);
    assert_int_equal(find(&w, id), CVGI_ROW_NONE); /* nothing allocated yet */
    assert_int_equal(w.memory.in_use, 0);
    uint32_t *rows = malloc(IDS * sizeof *rows);
    for (uint64_t i = 0; i < IDS; i++) rows[i] = CVGI_ROW_NONE;
    uint64_t dice = 1, present = 0, removed = 0;
    for (int step = 0; step < 4 * IDS; step++) {
        uint64_t n = test_random(&dice) % IDS;
        number_id(id, n);
        assert_int_equal(find(&w, id), rows[n]);
        if (rows[n] == CVGI_ROW_NONE) {
            assert_int_equal(add(&w, id, &rows[n]), CVG_OK);
            present++;
        } else if (test_random(&dice) % 4 == 0) {
            drop(&w, id, rows[n]);
            rows[n] = CVGI_ROW_NONE;
            present--;
            removed++;
        }
    }
    assert_int_equal(check(&w), present);
    assert_true(right_guesses > guesses / 100 * 99);
    assert_true(present > 100000 && removed > 50000 && w.index.segments > 8);
    assert_true(w.rows.count < present + removed); /* freed numbers were used again */
    for (uint64_t n = 0; n < 2 * IDS; n++) {
        number_id(id, n);
        assert_int_equal(find(&w, id), n < IDS ? rows[n] : CVGI_ROW_NONE);
    }
    for (uint64_t n = 0; n < IDS; n++) {
        if (rows[n] == CVGI_ROW_NONE) continue;
        number_id(id, n);
        drop(&w, id, rows[n]);
    }
    assert_int_equal(check(&w), 0); /* and nothing left behind */
    free(rows);
    end(&w);
}

/* Ids whose hash has `value` in the bits of `mask`, found by trying. */
static uint64_t next_like(uint64_t from, uint64_t mask, uint64_t value) {
    uint8_t id[CVG_ID_BYTES];
    do number_id(id, ++from);
    while ((cvgi_hash(id, SEED) & mask) != value);
    return from;
}

static void one_line_and_one_tag(void **state) {
    (void)state;
    enum { IDS = 400 };
    world w;
    begin(&w);
    uint8_t id[CVG_ID_BYTES];
    uint64_t numbers[IDS], n = 0;
    uint32_t rows[IDS];
    for (int i = 0; i < IDS;
         i++) { /* all start in the last line but one and go round; the tag is that of hash byte 0 */
        numbers[i] = n = next_like(n, 0x3FFFF, (CVGI_SEGMENT_LINES - 2) << 8);
        number_id(id, n);
        assert_int_equal(add(&w, id, &rows[i]), CVG_OK);
    }
    assert_true(w.index.directory[0][0].tags[0] != 0);
    for (int i = 0; i < IDS; i += 2) {
        number_id(id, numbers[i]);
        assert_int_equal(find(&w, id), rows[i]);
        drop(&w, id, rows[i]);
    }
    for (int i = 0; i < IDS; i++) {
        number_id(id, numbers[i]);
        assert_int_equal(find(&w, id), i % 2 == 0 ? CVGI_ROW_NONE : rows[i]);
    }
    for (int i = 0; i < IDS; i += 2) { /* the gaps are filled again */
        number_id(id, numbers[i]);
        assert_int_equal(add(&w, id, &rows[i]), CVG_OK);
    }
    for (int i = IDS - 1; i >= 0; i--) {
        number_id(id, numbers[i]);
        assert_int_equal(find(&w, id), rows[i]);
        drop(&w, id, rows[i]);
    }
    assert_int_equal(check(&w), 0);
    end(&w);
}

static void ids_made_to_collide_split_until_the_directory_would_explode(void **state) {
    (void)state;
    world w;
    begin(&w);
    uint8_t id[CVG_ID_BYTES];
    uint32_t row = 0;
    uint64_t n = 0, added = 0;
    int status;
    for (;;) {
        n = next_like(n, UINT64_C(0x7FF) << 53, 0);
        number_id(id, n);
        status = add(&w, id, &row);
        if (status != CVG_OK) break;
        added++;
    }
    assert_int_equal(status, CVG_E_MEMORY);
    assert_int_equal(added, CVGI_SEGMENT_FULL);
    assert_int_equal(check(&w), added);
    assert_true((UINT64_C(1) << w.index.depth) <= w.index.segments * UINT64_C(128));
    assert_int_equal(find(&w, id), CVGI_ROW_NONE);
    for (uint64_t i = 0; i < 10000; i++) { /* everyone outside the full segment goes on */
        number_id(id, (UINT64_C(1) << 40) + i);
        status = add(&w, id, &row);
        if (cvgi_hash(id, SEED) >> 54 != 0) assert_int_equal(status, CVG_OK);
        if (status == CVG_OK) assert_int_equal(find(&w, id), row);
    }
    end(&w);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    enum { IDS = 120000 }; /* more than the segments that are allocated alone hold */
    uint64_t failures = 0;
    for (uint64_t fail_at = 1; fail_at < 100; fail_at++) {
        world w;
        begin(&w);
        w.allocator.fail_at = fail_at;
        uint8_t id[CVG_ID_BYTES];
        uint32_t row;
        uint64_t added = 0;
        for (uint64_t n = 0; n < IDS; n++) {
            number_id(id, n);
            int status = add(&w, id, &row);
            if (status == CVG_OK) {
                added++;
                continue;
            }
            assert_int_equal(status, CVG_E_MEMORY);
            assert_int_equal(find(&w, id), CVGI_ROW_NONE);
            assert_int_equal(check(&w), added);
            assert_int_equal(add(&w, id, &row), CVG_OK); /* there is memory again */
            added++;
        }
        assert_int_equal(check(&w), IDS);
        for (uint64_t n = 0; n < IDS; n += 97) {
            number_id(id, n);
            assert_true(find(&w, id) != CVGI_ROW_NONE);
        }
        bool failed = w.allocator.failed > 0;
        end(&w);
        if (!failed) break;
        failures++;
    }
    assert_in_range(failures, 5, 98);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_come_and_go),
        cmocka_unit_test(one_line_and_one_tag),
        cmocka_unit_test(ids_made_to_collide_split_until_the_directory_would_explode),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
