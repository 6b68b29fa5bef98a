/*
 * readers.c - subscribers of all partitions (R3, R10): in each of them a feed of its own, and one mirror.
 *
 *   begin -> catching up --nothing left--> live --demoted--> catching up from nothing -> ...      each feed by itself
 *
 * 1. A reader is sent no frame about an entity older than one it has had.
 * 2. What catch-up sends is the installed state of that moment: snapshots of the living, deletions of tombstones.
 * 3. Told that everything up to a sequence of the partition has been sent, a mirror has every entity of it that has not
 * changed since: with the changes after that sequence it would be complete, and this is what a token promises (R4).
 * 4. Live in a partition, and at every report that nothing is left in it, the mirror is the partition's installed
 * state; live in all of them, it is the installed state of all.
 * 5. A bootstrap during which the kind does not change sends every live entity exactly once.
 */
#include "frames.h"
#include "run.h"
#include <stdlib.h>
#include <string.h>

static feed *feed_of(reader *reader, const part *part) {
    return &reader->feeds[part->partition];
}

/* Invariant 5. */
static void check_quiet(run *r, reader *reader, const part *part) {
    const feed *feed = feed_of(reader, part);
    if (!feed->bootstrap || feed->disturbed) return;
    EQUAL(r, "quiet bootstrap: deletions", NULL, 0, feed->deletions);
    EQUAL(r, "quiet bootstrap: frames", NULL, feed->live_at_begin, feed->frames);
    mirror_once(r, reader, part);
    r->totals->quiet++;
}

/* Invariant 4: in every partition in which the reader is live. */
static void check_live(const run *r, reader *reader) {
    for (unsigned p = 0; p < r->partitions; p++)
        if (reader->feeds[p].catchup == NULL) mirror_equal(r, reader, &r->parts[p]);
}

static int begin_catchup(const reader *reader, const part *part, bool bootstrap, cvg_catchup **catchup) {
    uint16_t number = reader->kind->number;
    return bootstrap ? cvg_catchup_begin(part->engine, number, reader->klass, catchup)
                     : cvg_catchup_begin_empty(part->engine, number, reader->klass, catchup);
}

static void start_catchup(run *r, reader *reader, part *part, bool bootstrap) {
    feed *feed = feed_of(reader, part);
    memset(feed, 0, sizeof *feed);
    memory_starve(r, part);
    int status = begin_catchup(reader, part, bootstrap, &feed->catchup);
    if (memory_feed(r, part) && status == CVG_E_MEMORY) status = begin_catchup(reader, part, bootstrap, &feed->catchup);
    EQUAL(r, "catch-up: begin", NULL, CVG_OK, (uint64_t)status);
    feed->bootstrap = bootstrap;
    feed->lingers = rng_percent(&r->world.random, 20);
    feed->live_at_begin = model_alive(reader->kind, part->partition);
    mirror_begin(reader, part);
    trace(r, "reader %d of kind %u in partition %u: %s", (int)(reader - r->readers), reader->kind->number,
          part->partition, bootstrap ? "bootstrap" : "catch-up from nothing");
}

static reader *draw_reader(run *r, bool in_use) {
    unsigned start = (unsigned)rng_below(&r->world.random, READERS_MAX);
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader *reader = &r->readers[(start + i) % READERS_MAX];
        if ((reader->kind != NULL) == in_use) return reader;
    }
    return NULL;
}

void reader_begin(run *r) {
    static const uint16_t numbers[] = {0, 1, 2, 40000, 65535};
    reader *reader = draw_reader(r, false);
    if (reader == NULL) return;
    reader->kind = r->model->kinds[rng_below(&r->world.random, r->model->kind_count)];
    reader->klass.number = numbers[rng_below(&r->world.random, sizeof numbers / sizeof *numbers)];
    reader->klass.flags = rng_percent(&r->world.random, 50) ? CVG_CLASS_PREVIOUS : 0;
    for (unsigned p = 0; p < r->partitions; p++)
        if (p == 0 || !plant(r, PLANTED_NOT_BEGUN)) start_catchup(r, reader, &r->parts[p], true);
    r->totals->bootstraps++;
}

void reader_demote(run *r) {
    reader *reader = draw_reader(r, true);
    if (reader == NULL) return;
    unsigned first = (unsigned)rng_below(&r->world.random, r->partitions);
    unsigned count = rng_percent(&r->world.random, 60) ? 1 : r->partitions;
    for (unsigned i = 0; i < count; i++) {
        part *part = &r->parts[(first + i) % r->partitions];
        if (feed_of(reader, part)->catchup != NULL) continue;
        start_catchup(r, reader, part, false);
        r->totals->demoted++;
    }
}

void reader_end(run *r, reader *reader) {
    for (unsigned p = 0; p < r->partitions; p++)
        if (reader->feeds[p].catchup != NULL) cvg_catchup_end(r->parts[p].engine, reader->feeds[p].catchup);
    mirror_end(reader);
    memset(reader, 0, sizeof *reader);
}

static void become_live(run *r, reader *reader, const part *part) {
    feed *feed = feed_of(reader, part);
    r->totals->finished++;
    r->totals->catchup_frames += feed->frames;
    r->totals->catchup_deletions += feed->deletions;
    cvg_catchup_end(part->engine, feed->catchup);
    feed->catchup = NULL;
    trace(r, "reader %d is live in partition %u at %llu", (int)(reader - r->readers), part->partition,
          (unsigned long long)feed->sequence);
}

static void nothing_left(run *r, reader *reader, const part *part, bool stay) {
    feed *feed = feed_of(reader, part);
    uint64_t notified = reader->kind->shares[part->partition].notified_sequence;
    mirror_equal(r, reader, part);
    check_quiet(r, reader, part);
    REQUIRE(r, feed->sequence >= notified, "catch-up: nothing is left at sequence %llu, but the kind changed at %llu",
            (unsigned long long)feed->sequence, (unsigned long long)notified);
    if (stay) {
        feed->bootstrap = false; /* from here on it is checked as any catch-up */
        return;
    }
    become_live(r, reader, part);
    for (unsigned p = 0; p < r->partitions; p++)
        if (reader->feeds[p].catchup != NULL && plant(r, PLANTED_ENDED_EARLY)) become_live(r, reader, &r->parts[p]);
}

/* Rows passed over because they are not alive (some may be by the next step) count 16 bytes each; nothing else may use
 * a budget up, and no row is passed over twice. A step that runs out of memory ends with what it has. */
static void check_fruit(const run *r, const reader *reader, const part *part, size_t budget) {
    const feed *feed = &reader->feeds[part->partition];
    uint64_t rows = reader->kind->shares[part->partition].entity_count;
    uint64_t dead = rows - model_alive(reader->kind, part->partition);
    REQUIRE(r, feed->fruitless <= rows && budget <= 16 * dead,
            "catch-up: %llu steps without a row, and still not live; %llu of %llu rows are not alive",
            (unsigned long long)feed->fruitless, (unsigned long long)dead, (unsigned long long)rows);
}

static void check_progress(run *r, reader *reader, const part *part, const cvg_catchup_progress *progress) {
    feed *feed = feed_of(reader, part);
    uint64_t installed = r->model->parts[part->partition].installed_sequence;
    EQUAL(r, "catch-up: rows handed out", NULL, feed->frames, progress->rows);
    REQUIRE(r, progress->rounds >= feed->rounds, "catch-up: rounds went back");
    REQUIRE(r, progress->sequence >= feed->sequence, "catch-up: sequence went back");
    REQUIRE(r, progress->sequence <= installed, "catch-up: sequence %llu is not installed yet",
            (unsigned long long)progress->sequence);
    if (feed->bootstrap && progress->rounds == 0 && !progress->live) /* one that began empty has its past already */
        EQUAL(r, "catch-up: sequence before round 1 ends", NULL, 0, progress->sequence);
    feed->rounds = progress->rounds;
    feed->sequence = progress->sequence;
    if (progress->sequence > 0) mirror_reached(r, reader, part, progress->sequence);
}

static bool step(run *r, reader *reader, part *part, size_t budget, bool stay) {
    feed *feed = feed_of(reader, part);
    cvg_slices slices;
    cvg_catchup_progress progress;
    uint64_t before = feed->frames;
    memset(&progress, 0xA5, sizeof progress);
    memory_starve(r, part);
    int status = cvg_catchup_step(part->engine, feed->catchup, budget, &slices, &progress);
    bool starved = memory_feed(r, part);
    if (starved && status == CVG_E_MEMORY) return false; /* nothing was consumed */
    EQUAL(r, "catch-up: step", NULL, CVG_OK, (uint64_t)status);
    uint64_t bytes = mirror_receive(r, reader, part, &slices);
    kept_take(r, part, &slices);
    trace(r, "reader %d stepped in partition %u: budget %zu, frames %llu, rounds %llu, sequence %llu%s",
          (int)(reader - r->readers), part->partition, budget, (unsigned long long)(feed->frames - before),
          (unsigned long long)progress.rounds, (unsigned long long)progress.sequence,
          progress.live ? ", nothing left" : "");
    uint64_t frame_max = FRAME_HEADER_BYTES + 72 + (uint64_t)reader->kind->bytes_max;
    REQUIRE(r, bytes <= budget + frame_max, "catch-up: %llu bytes for a budget of %zu", (unsigned long long)bytes,
            budget);
    if (!starved) feed->fruitless = feed->frames > before ? 0 : feed->fruitless + 1;
    if (!progress.live && !starved && feed->fruitless > 0) check_fruit(r, reader, part, budget);
    check_progress(r, reader, part, &progress);
    (void)cvg_catchup_estimate(feed->catchup);
    if (progress.live) nothing_left(r, reader, part, stay);
    return progress.live;
}

/* In a random partition, or else in the next in which there is something to do. */
void reader_step(run *r) {
    static const size_t budgets[] = {0, 1, 100, 1000, 5000, 100000};
    reader *reader = draw_reader(r, true);
    if (reader == NULL) return;
    unsigned first = (unsigned)rng_below(&r->world.random, r->partitions);
    for (unsigned i = 0; i < r->partitions; i++) {
        part *part = &r->parts[(first + i) % r->partitions];
        feed *feed = feed_of(reader, part);
        if (feed->catchup == NULL) continue;
        size_t budget = budgets[rng_below(&r->world.random, sizeof budgets / sizeof *budgets)];
        step(r, reader, part, budget, feed->lingers && rng_percent(&r->world.random, 80));
        return;
    }
}

static bool is_fed(const reader *reader, const part *part, const model_kind *kind) {
    return reader->kind == kind && reader->feeds[part->partition].catchup == NULL;
}

void readers_feed(run *r, part *part) {
    for (size_t k = 0; k < r->model->kind_count; k++) {
        const model_kind *kind = r->model->kinds[k];
        bool fed[READERS_MAX] = {false};
        for (unsigned i = 0; i < READERS_MAX; i++) {
            cvg_class klass = r->readers[i].klass;
            if (!is_fed(&r->readers[i], part, kind) || fed[i]) continue;
            cvg_slices slices;
            int status = cvg_encode(part->engine, part->batch, kind->number, klass, &slices);
            EQUAL(r, "encode: status", NULL, CVG_OK, (uint64_t)status);
            compare_batch_frames(r, part, kind, klass, &slices);
            kept_take(r, part, &slices);
            for (unsigned j = i; j < READERS_MAX; j++) {
                reader *other = &r->readers[j];
                bool same = other->klass.number == klass.number && other->klass.flags == klass.flags;
                if (!is_fed(other, part, kind) || !same) continue;
                if (!plant(r, PLANTED_NOT_FED)) mirror_receive(r, other, part, &slices);
                fed[j] = true;
            }
        }
    }
}

/* `changes`: how many the installed batch had, by the kind's place in the model. The whole mirror is looked at as often
 * as there are partitions to install in. */
void readers_installed(run *r, const part *part, const uint64_t changes[]) {
    bool whole = rng_below(&r->world.random, r->partitions) == 0;
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader *reader = &r->readers[i];
        if (reader->kind == NULL) continue;
        feed *feed = feed_of(reader, part);
        for (size_t k = 0; k < r->model->kind_count; k++)
            if (r->model->kinds[k] == reader->kind && changes[k] > 0) feed->disturbed = true;
        if (whole)
            check_live(r, reader);
        else if (feed->catchup == NULL)
            mirror_equal(r, reader, part);
    }
}

void readers_finish(run *r) {
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader *reader = &r->readers[i];
        if (reader->kind == NULL) continue;
        for (unsigned p = 0; p < r->partitions; p++) {
            uint64_t steps = 0, limit = 2 * reader->kind->shares[p].entity_count + 4;
            while (reader->feeds[p].catchup != NULL && !step(r, reader, &r->parts[p], 500, false))
                REQUIRE(r, ++steps <= limit, "catch-up: not live after %llu steps without a write",
                        (unsigned long long)steps);
        }
        check_live(r, reader);
        reader_end(r, reader);
    }
}
