/* Frames byte for byte, and segments: whole frames, shared, unchanged once published, alive after the engine. */
#include "read_support.h"

#include <pthread.h>

#include "encode.h"
#include "frame.h"

enum { KIND = 0x0102, DATA_MAX = 70000 };

static const cvg_class PLAIN = {.number = 0x0304, .flags = 0};
static const cvg_class WITH_PREVIOUS = {.number = 0x0305, .flags = CVG_CLASS_PREVIOUS};

/* --------------------------------------------------------------------------------------------------------- helpers */

static size_t from_hex(const char *hex, uint8_t *bytes) {
    size_t count = 0;
    for (; *hex; hex++) {
        if (*hex == ' ') continue;
        const char digits[3] = {hex[0], hex[1], 0};
        bytes[count++] = (uint8_t)strtoul(digits, NULL, 16);
        hex++;
    }
    return count;
}

static void assert_hex(const uint8_t *bytes, size_t count, const char *hex) {
    uint8_t expected[512];
    const size_t expected_count = from_hex(hex, expected);
    assert_int_equal(count, expected_count);
    assert_memory_equal(bytes, expected, count);
}

/* One entity before and after a flush. */
typedef struct entity {
    uint8_t now[128], before[128];
} entity;

static entity an_entity(uint8_t flags_now, uint8_t flags_before) {
    entity e = {0};
    for (int i = 0; i < 32; i++) e.now[i] = (uint8_t)(0xA0 + i);
    memcpy(e.before, e.now, 32);
    cvgi_row_set_version(e.now, 0x1122334455667788);
    e.now[48] = 7;
    e.now[49] = flags_now;
    if (flags_now == CVGI_ROW_LIVE) {
        cvgi_row_set_source_set(e.now, 0x8000000000000001);
        memcpy(cvgi_row_data(e.now), "\xD1\xD2\xD3\xD4\xD5", 5);
    }
    if (flags_before) cvgi_row_set_version(e.before, 0x1122334455667787);
    e.before[49] = flags_before;
    if (flags_before == CVGI_ROW_LIVE) {
        cvgi_row_set_source_set(e.before, 3);
        memcpy(cvgi_row_data(e.before), "\xB1\xB2\xB3\xB4\xB5", 5);
    }
    return e;
}

static cvgi_change a_change(const entity *e, uint8_t what) {
    return (cvgi_change){.now = e->now,
                         .before = e->before,
                         .changed = what == CVG_UPDATED ? 5 : 0,
                         .what = what,
                         .reason = what == CVG_DELETED ? CVG_REASON_RETRACT : 0};
}

static cvgi_section a_section(cvgi_change *changes, size_t count, uint32_t data_bytes) {
    return (cvgi_section){
        .changes = changes, .count = count, .all_fields = 7, .fixed_bytes = data_bytes, .kind = KIND, .schema = 9};
}

typedef struct fixture {
    test_allocator allocator;
    cvgi_memory memory;
    cvgi_encoder encoder;
} fixture;

static void open_fixture(fixture *f) {
    *f = (fixture){0};
    f->memory = test_memory(&f->allocator);
    assert_int_equal(cvgi_encoder_init(&f->encoder, &f->memory), CVG_OK);
}

static void close_fixture(fixture *f) {
    cvgi_encoder_free(&f->encoder);
    assert_int_equal(f->allocator.blocks, 0);
    assert_int_equal(f->memory.in_use, 0);
}

/* Encodes one change and compares the only frame. */
static void assert_frame(const cvgi_change *change, cvg_class klass, const char *hex) {
    fixture f;
    open_fixture(&f);
    cvgi_change changes[1] = {*change};
    const cvgi_section section = a_section(changes, 1, 5);
    assert_int_equal(cvgi_encode_section(&f.encoder, &section, klass), CVG_OK);
    const cvg_slices slices = cvgi_encoder_slices(&f.encoder);
    if (!hex) {
        assert_int_equal(slices.count, 0);
    } else {
        assert_int_equal(slices.count, 1);
        assert_int_equal(slices.items[0].frames, 1);
        assert_hex(slices.items[0].segment->bytes + slices.items[0].offset, slices.items[0].bytes, hex);
    }
    close_fixture(&f);
}

#define ID "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF"
#define VERSION "8877665544332211"
#define SOURCES "0100000000000080"
#define LENGTHS "05000000 05000000"
#define DATA "D1D2D3D4D5"
#define PREVIOUS "05000000 B1B2B3B4B5"

/* ---------------------------------------------------------------------------------------------------------- frames */

static void created_R2(void **state) {
    (void)state;
    const entity e = an_entity(CVGI_ROW_LIVE, 0);
    const cvgi_change change = a_change(&e, CVG_CREATED);
    const char *plain = "01 00 0000 8100 4D000000 DFA9"
                        "0201 0403 01 00 09 00" ID VERSION SOURCES "0700000000000000" LENGTHS DATA;
    assert_frame(&change, PLAIN, plain);
    assert_frame(&change, WITH_PREVIOUS,
                 "01 00 0000 8100 4D000000 DFA9"
                 "0201 0503 01 00 09 00" ID VERSION SOURCES "0700000000000000" LENGTHS DATA);
}

static void revived_W6_has_no_previous(void **state) {
    (void)state;
    const entity e = an_entity(CVGI_ROW_LIVE, CVGI_ROW_TOMBSTONE);
    const cvgi_change change = a_change(&e, CVG_CREATED);
    assert_frame(&change, WITH_PREVIOUS,
                 "01 00 0000 8100 4D000000 DFA9"
                 "0201 0503 01 00 09 00" ID VERSION SOURCES "0700000000000000" LENGTHS DATA);
}

static void updated_R2(void **state) {
    (void)state;
    const entity e = an_entity(CVGI_ROW_LIVE, CVGI_ROW_LIVE);
    const cvgi_change change = a_change(&e, CVG_UPDATED);
    assert_frame(&change, PLAIN,
                 "01 00 0000 8100 4D000000 DFA9"
                 "0201 0403 02 00 09 00" ID VERSION SOURCES "0500000000000000" LENGTHS DATA);
    assert_frame(&change, WITH_PREVIOUS,
                 "01 00 0000 8100 56000000 67AC"
                 "0201 0503 02 01 09 00" ID VERSION SOURCES "0500000000000000" LENGTHS DATA PREVIOUS);
}

static void deleted_R2(void **state) {
    (void)state;
    const entity e = an_entity(CVGI_ROW_TOMBSTONE, CVGI_ROW_LIVE);
    cvgi_change change = a_change(&e, CVG_DELETED);
    assert_frame(&change, PLAIN, "01 00 0000 8200 30000000 CC1C 0201 0403 01 00 09 00" ID VERSION);
    assert_frame(&change, WITH_PREVIOUS,
                 "01 00 0000 8200 3D000000 4A25 0201 0503 01 01 09 00" ID VERSION "05000000" PREVIOUS);
    change.reason = 4; /* the section's word, whatever it is */
    assert_frame(&change, PLAIN, "01 00 0000 8200 30000000 CC1C 0201 0403 04 00 09 00" ID VERSION);
}

static void source_change_R9_is_silent(void **state) {
    (void)state;
    const entity e = an_entity(CVGI_ROW_LIVE, CVGI_ROW_LIVE);
    const cvgi_change change = a_change(&e, CVG_SOURCE_CHANGE);
    assert_frame(&change, PLAIN, NULL);
    assert_frame(&change, WITH_PREVIOUS, NULL);
}

static void rows_of_catch_up_R3(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    const cvgi_frame_kind kind = {.all_fields = 7, .fixed_bytes = 5, .kind = KIND, .schema = 9};
    cvgi_forms forms;
    cvgi_forms_init(&forms, &kind, WITH_PREVIOUS); /* never with previous */
    const entity alive = an_entity(CVGI_ROW_LIVE, 0), gone = an_entity(CVGI_ROW_TOMBSTONE, 0);
    cvgi_encoder_begin(&f.encoder);
    assert_int_equal(cvgi_encode_row(&f.encoder, &forms, alive.now), 89);
    assert_int_equal(cvgi_encode_row(&f.encoder, &forms, gone.now), 60);
    const cvg_slices slices = cvgi_encoder_slices(&f.encoder);
    assert_int_equal(slices.count, 1);
    assert_int_equal(slices.items[0].frames, 2);
    assert_hex(slices.items[0].segment->bytes, slices.items[0].bytes,
               "01 00 0000 8100 4D000000 DFA9"
               "0201 0503 03 00 09 00" ID VERSION SOURCES "0700000000000000" LENGTHS DATA
               "01 00 0000 8200 30000000 CC1C 0201 0503 00 00 09 00" ID VERSION);
    close_fixture(&f);
}

static void query_results_R1(void **state) {
    (void)state;
    const cvgi_frame_kind kind = {.all_fields = 7, .fixed_bytes = 5, .kind = KIND, .schema = 9};
    const entity alive = an_entity(CVGI_ROW_LIVE, 0), gone = an_entity(CVGI_ROW_TOMBSTONE, 0), never = an_entity(0, 0);
    uint8_t buffer[64];
    size_t bytes = 0;
    assert_int_equal(cvgi_result_bytes_max(5), 45);
    memset(buffer, 0xEE, sizeof buffer);
    assert_int_equal(cvgi_encode_result(&kind, alive.now, 0x7FFF, buffer, 45, &bytes), CVG_OK);
    assert_hex(buffer, bytes, "01 00 FF7F 8500 21000000 5923 01 09 0000" VERSION SOURCES LENGTHS DATA);
    assert_int_equal(buffer[45], 0xEE);
    assert_int_equal(cvgi_encode_result(&kind, gone.now, 0x0102, buffer, 40, &bytes), CVG_OK);
    assert_hex(buffer, bytes, "01 00 0201 8500 1C000000 369B 02 09 0000" VERSION "0000000000000000 00000000 00000000");
    const char *not_found =
        "01 00 0201 8500 1C000000 369B 00 09 0000 0000000000000000 0000000000000000 00000000 00000000";
    assert_int_equal(cvgi_encode_result(&kind, NULL, 0x0102, buffer, 40, &bytes), CVG_OK);
    assert_hex(buffer, bytes, not_found);
    assert_int_equal(cvgi_encode_result(&kind, never.now, 0x0102, buffer, 40, &bytes), CVG_OK); /* pending only */
    assert_hex(buffer, bytes, not_found);
    memset(buffer, 0xEE, sizeof buffer);
    assert_int_equal(cvgi_encode_result(&kind, alive.now, 1, buffer, 44, &bytes), CVG_E_SPACE);
    assert_int_equal(cvgi_encode_result(&kind, NULL, 1, buffer, 39, &bytes), CVG_E_SPACE);
    assert_int_equal(buffer[0], 0xEE);
}

/* -------------------------------------------------------------------------------------------------------- segments */

/* `count` updated entities with images of exactly their size, so that the sanitizer sees a read behind them. */
typedef struct crowd {
    uint8_t **images;
    cvgi_change *changes;
    size_t count;
    uint32_t data_bytes;
} crowd;

static crowd a_crowd(size_t count, uint32_t data_bytes, uint64_t seed) {
    crowd c = {calloc(2 * count, sizeof *c.images), calloc(count, sizeof *c.changes), count, data_bytes};
    for (size_t i = 0; i < 2 * count; i++) {
        c.images[i] = malloc(CVGI_ROW_DATA_AT + data_bytes);
        hand_row_set(c.images[i], i / 2, 1 + i % 2, seed + i, CVGI_ROW_LIVE);
        for (uint32_t at = 0; at < data_bytes; at++) c.images[i][CVGI_ROW_DATA_AT + at] = (uint8_t)test_random(&seed);
    }
    for (size_t i = 0; i < count; i++)
        c.changes[i] =
            (cvgi_change){.now = c.images[2 * i], .before = c.images[2 * i + 1], .changed = i + 1, .what = CVG_UPDATED};
    return c;
}

static void free_crowd(crowd *c) {
    for (size_t i = 0; i < 2 * c->count; i++) free(c->images[i]);
    free(c->images);
    free(c->changes);
}

/* The frame of one updated entity, field by field. */
static size_t expected_frame(const crowd *c, size_t i, cvg_class klass, uint8_t *to) {
    const cvgi_change *change = &c->changes[i];
    const bool previous = klass.flags & CVG_CLASS_PREVIOUS;
    const uint32_t bytes = 84 + c->data_bytes + (previous ? 4 + c->data_bytes : 0);
    cvgi_frame_header(to, 0, 0x81, bytes - 12);
    cvgi_store16(to + 12, KIND);
    cvgi_store16(to + 14, klass.number);
    to[16] = 2, to[17] = previous, to[18] = 9, to[19] = 0;
    memcpy(to + 20, change->now, 32);
    memcpy(to + 52, change->now + 40, 8);
    memcpy(to + 60, change->now + 32, 8);
    cvgi_store64(to + 68, change->changed);
    cvgi_store32(to + 76, c->data_bytes);
    cvgi_store32(to + 80, c->data_bytes);
    memcpy(to + 84, cvgi_row_data_const(change->now), c->data_bytes);
    if (!previous) return bytes;
    cvgi_store32(to + 84 + c->data_bytes, c->data_bytes);
    memcpy(to + 88 + c->data_bytes, cvgi_row_data_const(change->before), c->data_bytes);
    return bytes;
}

/* The slices hold exactly the crowd's frames, in order, none across two slices. */
static void assert_crowd(const crowd *c, cvg_class klass, cvg_slices slices) {
    uint8_t *expected = malloc(2 * DATA_MAX + 200);
    size_t next = 0;
    for (size_t s = 0; s < slices.count; s++) {
        const cvg_slice *slice = &slices.items[s];
        assert_true(slice->offset + slice->bytes <= slice->segment->used);
        assert_true(slice->segment->used <= slice->segment->capacity);
        assert_true(slice->frames > 0);
        uint32_t at = 0;
        for (uint32_t frame = 0; frame < slice->frames; frame++) {
            const size_t bytes = expected_frame(c, next++, klass, expected);
            assert_true(at + bytes <= slice->bytes);
            assert_memory_equal(slice->segment->bytes + slice->offset + at, expected, bytes);
            at += (uint32_t)bytes;
        }
        assert_int_equal(at, slice->bytes);
    }
    assert_int_equal(next, c->count);
    free(expected);
}

static int encode_crowd(fixture *f, const crowd *c, cvg_class klass, cvg_slices *slices) {
    const cvgi_section section = a_section(c->changes, c->count, c->data_bytes);
    const int status = cvgi_encode_section(&f->encoder, &section, klass);
    *slices = cvgi_encoder_slices(&f->encoder);
    return status;
}

static void every_data_length(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    for (uint32_t data_bytes = 1; data_bytes <= 300; data_bytes++) {
        crowd c = a_crowd(3, data_bytes, data_bytes);
        cvg_slices slices;
        assert_int_equal(encode_crowd(&f, &c, PLAIN, &slices), CVG_OK);
        assert_crowd(&c, PLAIN, slices);
        assert_int_equal(encode_crowd(&f, &c, WITH_PREVIOUS, &slices), CVG_OK);
        assert_crowd(&c, WITH_PREVIOUS, slices);
        free_crowd(&c);
    }
    close_fixture(&f);
}

static void large_flushes_fill_segments_whole(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    crowd c = a_crowd(5000, 64, 1);
    cvg_slices slices;
    assert_int_equal(encode_crowd(&f, &c, PLAIN, &slices), CVG_OK);
    assert_crowd(&c, PLAIN, slices);
    const size_t frames = CVGI_SEGMENT_ROOM / 148;
    assert_int_equal(slices.count, (5000 + frames - 1) / frames);
    for (size_t i = 0; i + 1 < slices.count; i++) assert_int_equal(slices.items[i].frames, frames);
    assert_int_equal(cvgi_encoder_segment_bytes(&f.encoder), slices.count * CVG_SEGMENT_BYTES);
    free_crowd(&c);
    close_fixture(&f);
}

static void small_flushes_share_the_open_segment(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    enum { FLUSHES = 100 };
    cvg_slice kept[FLUSHES];
    crowd crowds[FLUSHES];
    for (int i = 0; i < FLUSHES; i++) {
        crowds[i] = a_crowd(2, 64, (uint64_t)i);
        cvg_slices slices;
        assert_int_equal(encode_crowd(&f, &crowds[i], PLAIN, &slices), CVG_OK);
        assert_int_equal(slices.count, 1);
        kept[i] = slices.items[0];
        cvg_segment_retain(kept[i].segment);
        assert_ptr_equal(kept[i].segment, kept[0].segment);
        if (i > 0) assert_int_equal(kept[i].offset, kept[i - 1].offset + kept[i - 1].bytes);
    }
    assert_int_equal(cvgi_encoder_segment_bytes(&f.encoder), CVG_SEGMENT_BYTES);
    for (int i = 0; i < FLUSHES; i++) { /* published bytes are as they were */
        assert_crowd(&crowds[i], PLAIN, (cvg_slices){&kept[i], 1});
        cvg_segment_release(kept[i].segment);
        free_crowd(&crowds[i]);
    }
    close_fixture(&f);
}

static void an_open_segment_nobody_holds_is_filled_anew(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    crowd c = a_crowd(200, 64, 3);
    for (int i = 0; i < 50; i++) {
        cvg_slices slices;
        assert_int_equal(encode_crowd(&f, &c, PLAIN, &slices), CVG_OK);
        assert_int_equal(slices.count, 1);
        assert_int_equal(slices.items[0].offset, 0);
        assert_crowd(&c, PLAIN, slices);
    }
    assert_int_equal(cvgi_encoder_segment_bytes(&f.encoder), CVG_SEGMENT_BYTES);
    free_crowd(&c);
    close_fixture(&f);
}

static void oversize_frames_get_their_own_segment(void **state) {
    (void)state;
    const uint32_t lengths[] = {CVGI_SEGMENT_ROOM - 84, CVGI_SEGMENT_ROOM - 83, DATA_MAX, 40000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fixture f;
        open_fixture(&f);
        crowd small = a_crowd(1, 64, 4), large = a_crowd(3, lengths[i], 5);
        cvg_slices slices;
        assert_int_equal(encode_crowd(&f, &small, PLAIN, &slices), CVG_OK);
        cvg_slice first = slices.items[0];
        cvg_segment_retain(first.segment);
        assert_int_equal(encode_crowd(&f, &large, PLAIN, &slices), CVG_OK);
        assert_int_equal(slices.count, 3);
        assert_crowd(&large, PLAIN, slices);
        assert_int_equal(encode_crowd(&f, &large, WITH_PREVIOUS, &slices), CVG_OK);
        assert_crowd(&large, WITH_PREVIOUS, slices);
        assert_crowd(&small, PLAIN, (cvg_slices){&first, 1});
        assert_int_equal(encode_crowd(&f, &small, PLAIN, &slices), CVG_OK);
        assert_crowd(&small, PLAIN, slices);
        const bool alone = lengths[i] + 84 > CVGI_SEGMENT_ROOM; /* then the open segment is still the first */
        assert_int_equal(slices.items[0].segment == first.segment, alone);
        cvg_segment_release(first.segment);
        free_crowd(&small);
        free_crowd(&large);
        close_fixture(&f);
    }
}

static void runs_go_on_around_an_oversize_frame(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    entity e = an_entity(CVGI_ROW_TOMBSTONE, CVGI_ROW_LIVE);
    crowd large = a_crowd(1, DATA_MAX, 6);
    cvgi_change changes[5];
    for (int i = 0; i < 5; i++) changes[i] = a_change(&e, CVG_DELETED);
    changes[2] = large.changes[0];
    const cvgi_section section = a_section(changes, 5, DATA_MAX);
    assert_int_equal(cvgi_encode_section(&f.encoder, &section, PLAIN), CVG_OK);
    const cvg_slices slices = cvgi_encoder_slices(&f.encoder);
    assert_int_equal(slices.count, 3);
    assert_int_equal(slices.items[0].frames, 2);
    assert_int_equal(slices.items[1].frames, 1);
    assert_int_equal(slices.items[1].bytes, DATA_MAX + 84);
    assert_int_equal(slices.items[2].frames, 2);
    assert_ptr_equal(slices.items[0].segment, slices.items[2].segment);
    assert_int_equal(slices.items[2].offset, 120);
    free_crowd(&large);
    close_fixture(&f);
}

static void the_largest_kind_K5(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    const uint32_t data_bytes = CVG_ROW_BYTES_MAX;
    uint8_t *image = calloc(2, CVGI_ROW_DATA_AT + (size_t)data_bytes), *before = cvgi_row_data(image) + data_bytes;
    hand_row_set(image, 1, 1, 2, CVGI_ROW_LIVE);
    hand_row_set(before, 1, 1, 1, CVGI_ROW_LIVE);
    cvgi_row_data(image)[data_bytes - 1] = 0x77;
    cvgi_row_data(before)[data_bytes - 1] = 0x66;
    cvgi_change change = {.now = image, .before = before, .changed = 1, .what = CVG_UPDATED};
    const cvgi_section section = a_section(&change, 1, data_bytes);
    assert_int_equal(cvgi_encode_section(&f.encoder, &section, WITH_PREVIOUS), CVG_OK);
    const cvg_slices slices = cvgi_encoder_slices(&f.encoder);
    assert_int_equal(slices.count, 1);
    assert_int_equal(slices.items[0].bytes, 88 + 2 * data_bytes);
    assert_int_equal(slices.items[0].segment->bytes[84 + data_bytes - 1], 0x77);
    assert_int_equal(slices.items[0].segment->bytes[88 + 2 * data_bytes - 1], 0x66);
    free(image);
    close_fixture(&f);
}

/* Every allocation of an answer fails once: nothing is published, what was published stays, the next try succeeds. */
static void failing_allocations_publish_nothing(void **state) {
    (void)state;
    crowd small = a_crowd(10, 64, 7), many = a_crowd(6000, 64, 8), large = a_crowd(3, DATA_MAX, 9);
    const crowd *crowds[] = {&many, &large};
    int failures = 0;
    for (int which = 0; which < 2; which++)
        for (uint64_t n = 1;; n++) {
            fixture f;
            open_fixture(&f);
            cvg_slices slices;
            assert_int_equal(encode_crowd(&f, &small, PLAIN, &slices), CVG_OK);
            cvg_slice kept = slices.items[0];
            cvg_segment_retain(kept.segment);
            f.allocator.fail_at = f.allocator.calls + n;
            const int status = encode_crowd(&f, crowds[which], WITH_PREVIOUS, &slices);
            if (status != CVG_OK) {
                failures++;
                assert_int_equal(status, CVG_E_MEMORY);
                assert_int_equal(slices.count, 0);
                assert_int_equal(encode_crowd(&f, crowds[which], WITH_PREVIOUS, &slices), CVG_OK);
            }
            assert_crowd(crowds[which], WITH_PREVIOUS, slices);
            assert_crowd(&small, PLAIN, (cvg_slices){&kept, 1});
            const bool failed = f.allocator.failed > 0;
            cvg_segment_release(kept.segment);
            close_fixture(&f);
            if (!failed) break;
        }
    assert_true(failures > 20);
    free_crowd(&small);
    free_crowd(&many);
    free_crowd(&large);
}

static void abort_frees_what_was_written(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    crowd first = a_crowd(10, 64, 10), second = a_crowd(20, 64, 11), third = a_crowd(1000, 64, 12);
    cvg_slices slices;
    assert_int_equal(encode_crowd(&f, &first, PLAIN, &slices), CVG_OK);
    cvg_slice kept = slices.items[0];
    cvg_segment_retain(kept.segment);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(encode_crowd(&f, &second, PLAIN, &slices), CVG_OK);
        assert_int_equal(slices.items[0].offset, 1480);
        cvgi_encoder_abort(&f.encoder);
        cvgi_encoder_abort(&f.encoder);
        assert_int_equal(cvgi_encoder_slices(&f.encoder).count, 0);
    }
    assert_int_equal(encode_crowd(&f, &third, PLAIN, &slices), CVG_OK);
    assert_true(slices.count > 1);
    cvgi_encoder_abort(&f.encoder);
    assert_int_equal(encode_crowd(&f, &second, PLAIN, &slices), CVG_OK);
    assert_int_equal(slices.items[0].offset, 0); /* of the segment opened meanwhile, from which nothing was published */
    assert_crowd(&second, PLAIN, slices);
    assert_crowd(&first, PLAIN, (cvg_slices){&kept, 1});
    cvg_segment_release(kept.segment);
    free_crowd(&first);
    free_crowd(&second);
    free_crowd(&third);
    close_fixture(&f);
}

static void segments_outlive_the_encoder(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    crowd first = a_crowd(30, 64, 13), second = a_crowd(600, 64, 14);
    cvg_slices slices;
    assert_int_equal(encode_crowd(&f, &first, PLAIN, &slices), CVG_OK);
    cvg_slice a = slices.items[0]; /* two slices share a segment, each with a reference of its own */
    cvg_segment_retain(a.segment);
    assert_int_equal(encode_crowd(&f, &second, PLAIN, &slices), CVG_OK);
    assert_int_equal(slices.count, 2);
    cvg_slice b[2] = {slices.items[0], slices.items[1]};
    for (int i = 0; i < 2; i++) cvg_segment_retain(b[i].segment);
    assert_ptr_equal(a.segment, b[0].segment);
    cvgi_encoder_free(&f.encoder);
    assert_int_equal(f.memory.in_use, 0);
    assert_int_equal(f.allocator.blocks, 3); /* two segments and the pool */
    assert_crowd(&first, PLAIN, (cvg_slices){&a, 1});
    cvg_segment_release(a.segment);
    assert_int_equal(f.allocator.blocks, 3);
    assert_crowd(&second, PLAIN, (cvg_slices){b, 2});
    cvg_segment_release(b[0].segment);
    assert_int_equal(f.allocator.blocks, 2);
    cvg_segment_release(b[1].segment);
    assert_int_equal(f.allocator.blocks, 0);
    free_crowd(&first);
    free_crowd(&second);
}

static void init_without_memory(void **state) {
    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        test_allocator allocator = {.fail_at = n};
        cvgi_memory memory = test_memory(&allocator);
        cvgi_encoder encoder;
        assert_int_equal(cvgi_encoder_init(&encoder, &memory), CVG_E_MEMORY);
        assert_int_equal(allocator.blocks, 0);
        cvgi_encoder_free(&encoder);
    }
}

/* -------------------------------------------------------------------------------------------------------- threads */

enum { THREADS = 3, ROUNDS = 400, QUEUE = ROUNDS * 4 };

typedef struct reader {
    cvg_slice queue[QUEUE];
    size_t written; /* atomic */
    bool ended;     /* atomic */
    uint64_t frames;
} reader;

static void *read_slices(void *context) {
    reader *r = context;
    for (size_t next = 0;;) {
        const bool ended = __atomic_load_n(&r->ended, __ATOMIC_ACQUIRE);
        if (next == __atomic_load_n(&r->written, __ATOMIC_ACQUIRE)) {
            if (ended) return NULL;
            continue;
        }
        const cvg_slice slice = r->queue[next++];
        for (uint32_t at = 0; at < slice.bytes;) {
            const uint8_t *frame = slice.segment->bytes + slice.offset + at;
            if (cvgi_load16(frame + 10) != cvgi_frame_crc(frame)) abort();
            at += 12 + cvgi_load32(frame + 6);
            r->frames++;
        }
        cvg_segment_release(slice.segment);
    }
}

static void segments_are_released_on_other_threads(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    crowd c = a_crowd(300, 64, 15);
    reader *readers = calloc(THREADS, sizeof *readers);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_slices, &readers[i]), 0);
    for (int round = 0; round < ROUNDS; round++) {
        cvg_slices slices;
        assert_int_equal(encode_crowd(&f, &c, PLAIN, &slices), CVG_OK);
        for (int i = 0; i < THREADS; i++)
            for (size_t s = 0; s < slices.count; s++) {
                cvg_segment_retain(slices.items[s].segment);
                readers[i].queue[readers[i].written] = slices.items[s];
                __atomic_add_fetch(&readers[i].written, 1, __ATOMIC_RELEASE);
            }
    }
    cvgi_encoder_free(&f.encoder);
    for (int i = 0; i < THREADS; i++) {
        __atomic_store_n(&readers[i].ended, true, __ATOMIC_RELEASE);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].frames, 300 * ROUNDS);
    }
    assert_int_equal(f.allocator.blocks, 0);
    free(readers);
    free_crowd(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created_R2),
        cmocka_unit_test(revived_W6_has_no_previous),
        cmocka_unit_test(updated_R2),
        cmocka_unit_test(deleted_R2),
        cmocka_unit_test(source_change_R9_is_silent),
        cmocka_unit_test(rows_of_catch_up_R3),
        cmocka_unit_test(query_results_R1),
        cmocka_unit_test(every_data_length),
        cmocka_unit_test(large_flushes_fill_segments_whole),
        cmocka_unit_test(small_flushes_share_the_open_segment),
        cmocka_unit_test(an_open_segment_nobody_holds_is_filled_anew),
        cmocka_unit_test(oversize_frames_get_their_own_segment),
        cmocka_unit_test(runs_go_on_around_an_oversize_frame),
        cmocka_unit_test(the_largest_kind_K5),
        cmocka_unit_test(failing_allocations_publish_nothing),
        cmocka_unit_test(abort_frees_what_was_written),
        cmocka_unit_test(segments_outlive_the_encoder),
        cmocka_unit_test(init_without_memory),
        cmocka_unit_test(segments_are_released_on_other_threads),
    };
    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
