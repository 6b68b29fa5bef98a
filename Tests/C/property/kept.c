/*
 * kept.c - slices retained beyond the next call: their bytes never change, not even when the engine is gone.
 */
#include "grow.h"
#include "run.h"

void kept_take(run *r, const part *part, const cvg_slices *slices) {
    for (size_t i = 0; i < slices->count; i++) {
        const cvg_slice *slice = &slices->items[i];
        if (slice->bytes == 0 || !rng_percent(&r->world.random, 12)) continue;
        if (r->kept_count == KEPT_MAX) kept_drop(r, rng_below(&r->world.random, KEPT_MAX));
        kept_slice *kept = &r->kept[r->kept_count++];
        *kept = (kept_slice){.segment = slice->segment, .offset = slice->offset, .bytes = slice->bytes};
        kept->partition = part->partition;
        kept->copy = model_zeroed(slice->bytes);
        memcpy(kept->copy, slice->segment->bytes + slice->offset, slice->bytes);
        cvg_segment_retain(slice->segment);
        r->totals->kept++;
    }
}

static void check_one(const run *r, const kept_slice *kept) {
    const uint8_t *now = kept->segment->bytes + kept->offset;
    REQUIRE(r, memcmp(now, kept->copy, kept->bytes) == 0, "bytes of a retained slice have changed");
}

void kept_check(const run *r) {
    for (size_t i = 0; i < r->kept_count; i++) check_one(r, &r->kept[i]);
}

void kept_drop(run *r, size_t index) {
    check_one(r, &r->kept[index]);
    cvg_segment_release(r->kept[index].segment);
    free(r->kept[index].copy);
    r->kept[index] = r->kept[--r->kept_count];
}

uint64_t kept_capacity(const run *r, const part *part) {
    uint64_t capacity = 0;
    for (size_t i = 0; i < r->kept_count; i++) {
        bool seen = r->kept[i].partition != part->partition;
        for (size_t j = 0; j < i; j++) seen |= r->kept[j].segment == r->kept[i].segment;
        if (!seen) capacity += r->kept[i].segment->capacity;
    }
    return capacity;
}
