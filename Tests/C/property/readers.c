/*
 * readers.c - subscribers that merge what they are sent into mirrors (R3, R10).
 *
 *   begin -> catching up --nothing left--> live --demoted--> catching up from nothing -> ...
 *
 * 1. A reader is sent no frame about an entity older than one it has had.
 * 2. What catch-up sends is the installed state of that moment: snapshots of the living, deletions of tombstones.
 * 3. Told that everything up to a sequence has been sent, a mirror has every entity that has not changed since: with
 * the changes after that sequence it would be complete, and this is what a token promises (R4).
 * 4. Live, and at every report that nothing is left, the mirror is the installed state.
 * 5. A bootstrap during which the kind does not change sends every live entity exactly once.
 */
#include "frames.h"
#include "grow.h"
#include "run.h"

static void forget(mirror_slot *slot) {
    free(slot->data);
    slot->data = NULL;
    slot->version = 0;
}

static mirror_slot *slot_of(reader *reader, size_t index) {
    if (index >= reader->slot_count) {
        size_t count = reader->kind->entity_count;
        reader->slots = realloc(reader->slots, count * sizeof *reader->slots);
        if (reader->slots == NULL) abort();
        memset(reader->slots + reader->slot_count, 0, (count - reader->slot_count) * sizeof *reader->slots);
        reader->slot_count = count;
    }
    return &reader->slots[index];
}

/* R10: apply what is not older than what is held; a deletion forgets the entity and its version. */
static void merge(const run *r, reader *reader, const model_entity *entity, const frame *f) {
    mirror_slot *slot = slot_of(reader, entity->index);
    slot->frames++;
    REQUIRE(r, f->version >= slot->newest, "reader: version %llu of id %s after version %llu",
            (unsigned long long)f->version, id_text(entity->id), (unsigned long long)slot->newest);
    slot->newest = f->version;
    if (f->opcode == FRAME_DELETED) {
        forget(slot);
        return;
    }
    if (slot->data == NULL || slot->bytes < f->data_bytes) {
        free(slot->data);
        slot->data = model_zeroed(f->data_bytes);
    }
    memcpy(slot->data, f->data, f->data_bytes);
    slot->bytes = f->data_bytes;
    slot->version = f->version;
}

static void check_catchup_frame(const run *r, const reader *reader, const model_entity *entity, const frame *f) {
    const model_kind *kind = reader->kind;
    const model_state *state = &entity->installed;
    const uint8_t *id = entity->id;
    EQUAL(r, "catch-up frame: kind", id, kind->number, f->kind);
    EQUAL(r, "catch-up frame: class", id, reader->klass.number, f->klass);
    EQUAL(r, "catch-up frame: stream", id, 0, f->stream);
    EQUAL(r, "catch-up frame: schema", id, kind->schema, f->schema);
    EQUAL(r, "catch-up frame: version", id, state->version, f->version);
    REQUIRE(r, f->previous == NULL, "catch-up frame: it has a previous; id %s", id_text(id));
    if (f->opcode == FRAME_DELETED) {
        EQUAL(r, "catch-up frame: presence of what it says is deleted", id, CVG_TOMBSTONE, state->presence);
        EQUAL(r, "catch-up frame: reason", id, CVG_REASON_CATCH_UP, f->type);
        return;
    }
    EQUAL(r, "catch-up frame: opcode", id, FRAME_STATE, f->opcode);
    EQUAL(r, "catch-up frame: presence", id, CVG_ALIVE, state->presence);
    EQUAL(r, "catch-up frame: type", id, STATE_SNAPSHOT, f->type);
    EQUAL(r, "catch-up frame: source set", id, state->source_set, f->source_set);
    EQUAL(r, "catch-up frame: changed", id, kind->all_fields, f->changed);
    EQUAL(r, "catch-up frame: fixed bytes", id, kind->fixed_bytes, f->fixed_bytes);
    EQUAL(r, "catch-up frame: data bytes", id, state->bytes, f->data_bytes);
    cvg_data got = zones(f->data, f->data_bytes, f->fixed_bytes);
    equal_data(r, kind, "catch-up frame: data", id, state->data, state->bytes, got);
}

/* Merges every frame; returns their bytes. */
static uint64_t receive(run *r, reader *reader, const cvg_slices *slices) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < slices->count; i++) {
        const cvg_slice *slice = &slices->items[i];
        uint32_t frames = 0;
        REQUIRE(r, (uint64_t)slice->offset + slice->bytes <= slice->segment->used, "a slice ends behind its segment");
        for (uint32_t at = 0; at < slice->bytes; frames++) {
            frame f;
            const char *wrong = frame_read(slice->segment->bytes + slice->offset + at, slice->bytes - at, &f);
            REQUIRE(r, wrong == NULL, "reader of kind %u: %s", reader->kind->number, wrong);
            const model_entity *entity = model_find(reader->kind, f.id);
            REQUIRE(r, entity != NULL, "reader: a frame of an entity nobody wrote: %s", id_text(f.id));
            if (reader->catchup != NULL) {
                check_catchup_frame(r, reader, entity, &f);
                reader->frames++;
                reader->deletions += f.opcode == FRAME_DELETED;
            }
            merge(r, reader, entity, &f);
            at += f.bytes;
        }
        EQUAL(r, "slice: frames", NULL, frames, slice->frames);
        bytes += slice->bytes;
    }
    return bytes;
}

/* Invariant 4. */
static void check_equal(const run *r, reader *reader) {
    for (size_t i = 0; i < reader->kind->entity_count; i++) {
        const model_entity *entity = reader->kind->entities[i];
        const mirror_slot *slot = slot_of(reader, i);
        bool alive = entity->installed.presence == CVG_ALIVE;
        EQUAL(r, "mirror: holds the entity", entity->id, alive, slot->data != NULL);
        if (!alive) continue;
        EQUAL(r, "mirror: version", entity->id, entity->installed.version, slot->version);
        cvg_data held = zones(slot->data, slot->bytes, reader->kind->fixed_bytes);
        equal_data(r, reader->kind, "mirror: data", entity->id, entity->installed.data, entity->installed.bytes, held);
    }
}

/* Invariant 3. */
static void check_reached(const run *r, reader *reader, uint64_t sequence) {
    for (size_t i = 0; i < reader->kind->entity_count; i++) {
        const model_entity *entity = reader->kind->entities[i];
        const mirror_slot *slot = slot_of(reader, i);
        if (model_at(entity, sequence).version != entity->installed.version) continue; /* changed since */
        bool alive = entity->installed.presence == CVG_ALIVE;
        EQUAL(r, "mirror: holds the entity, as of the sequence reported", entity->id, alive, slot->data != NULL);
        if (alive)
            EQUAL(r, "mirror: version, as of the sequence reported", entity->id, entity->installed.version,
                  slot->version);
    }
}

/* Invariant 5. */
static void check_quiet(run *r, reader *reader) {
    if (!reader->bootstrap || reader->disturbed) return;
    EQUAL(r, "quiet bootstrap: deletions", NULL, 0, reader->deletions);
    EQUAL(r, "quiet bootstrap: frames", NULL, reader->live_at_begin, reader->frames);
    for (size_t i = 0; i < reader->kind->entity_count; i++)
        EQUAL(r, "quiet bootstrap: frames of one entity", reader->kind->entities[i]->id,
              reader->kind->entities[i]->installed.presence == CVG_ALIVE, slot_of(reader, i)->frames);
    r->totals->quiet++;
}

static int begin_catchup(const run *r, reader *reader, bool bootstrap) {
    uint16_t number = reader->kind->number;
    return bootstrap ? cvg_catchup_begin(r->engine, number, reader->klass, &reader->catchup)
                     : cvg_catchup_begin_empty(r->engine, number, reader->klass, &reader->catchup);
}

static void start_catchup(run *r, reader *reader, bool bootstrap) {
    memory_starve(r);
    int status = begin_catchup(r, reader, bootstrap);
    if (memory_feed(r) && status == CVG_E_MEMORY) status = begin_catchup(r, reader, bootstrap);
    EQUAL(r, "catch-up: begin", NULL, CVG_OK, (uint64_t)status);
    reader->bootstrap = bootstrap;
    reader->disturbed = false;
    reader->lingers = rng_percent(&r->world.random, 20);
    reader->live_at_begin = model_alive(reader->kind);
    reader->frames = reader->deletions = reader->rounds = reader->sequence = reader->fruitless = 0;
    for (size_t i = 0; i < reader->slot_count; i++) reader->slots[i].frames = 0;
    trace(r, "reader %d of kind %u: %s", (int)(reader - r->readers), reader->kind->number,
          bootstrap ? "bootstrap" : "catch-up from nothing");
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
    start_catchup(r, reader, true);
    r->totals->bootstraps++;
}

void reader_demote(run *r) {
    reader *reader = draw_reader(r, true);
    if (reader == NULL || reader->catchup != NULL) return;
    start_catchup(r, reader, false);
    r->totals->demoted++;
}

static void count_catchup(run *r, const reader *reader) {
    r->totals->finished++;
    r->totals->catchup_frames += reader->frames;
    r->totals->catchup_deletions += reader->deletions;
}

void reader_end(run *r, reader *reader) {
    if (reader->catchup != NULL) cvg_catchup_end(r->engine, reader->catchup);
    for (size_t i = 0; i < reader->slot_count; i++) free(reader->slots[i].data);
    free(reader->slots);
    memset(reader, 0, sizeof *reader);
}

static void nothing_left(run *r, reader *reader, bool stay) {
    check_equal(r, reader);
    check_quiet(r, reader);
    REQUIRE(r, reader->sequence >= reader->kind->notified_sequence,
            "catch-up: nothing is left at sequence %llu, but the kind changed at %llu",
            (unsigned long long)reader->sequence, (unsigned long long)reader->kind->notified_sequence);
    if (stay) {
        reader->bootstrap = false; /* from here on it is checked as any catch-up */
        return;
    }
    count_catchup(r, reader);
    cvg_catchup_end(r->engine, reader->catchup);
    reader->catchup = NULL;
    trace(r, "reader %d is live at %llu", (int)(reader - r->readers), (unsigned long long)reader->sequence);
}

static bool step(run *r, reader *reader, size_t budget, bool stay) {
    cvg_slices slices;
    cvg_catchup_progress progress;
    uint64_t before = reader->frames;
    memset(&progress, 0xA5, sizeof progress);
    memory_starve(r);
    int status = cvg_catchup_step(r->engine, reader->catchup, budget, &slices, &progress);
    bool starved = memory_feed(r);
    if (starved && status == CVG_E_MEMORY) return false; /* nothing was consumed */
    EQUAL(r, "catch-up: step", NULL, CVG_OK, (uint64_t)status);
    uint64_t bytes = receive(r, reader, &slices);
    kept_take(r, &slices);
    trace(r, "reader %d stepped: budget %zu, frames %llu, rounds %llu, sequence %llu%s", (int)(reader - r->readers),
          budget, (unsigned long long)(reader->frames - before), (unsigned long long)progress.rounds,
          (unsigned long long)progress.sequence, progress.live ? ", nothing left" : "");
    uint64_t frame_max = FRAME_HEADER_BYTES + 72 + (uint64_t)reader->kind->bytes_max;
    REQUIRE(r, bytes <= budget + frame_max, "catch-up: %llu bytes for a budget of %zu", (unsigned long long)bytes,
            budget);
    /* Rows passed over because they are not alive (some may be by the next step) count 16 bytes each; nothing else may
     * use a budget up, and no row is passed over twice. A step that runs out of memory ends with what it has. */
    uint64_t rows = reader->kind->entity_count, dead = rows - model_alive(reader->kind);
    if (!starved) reader->fruitless = reader->frames > before ? 0 : reader->fruitless + 1;
    REQUIRE(r, progress.live || starved || reader->fruitless == 0 || (reader->fruitless <= rows && budget <= 16 * dead),
            "catch-up: %llu steps without a row, and still not live; %llu of %llu rows are not alive",
            (unsigned long long)reader->fruitless, (unsigned long long)dead, (unsigned long long)rows);
    EQUAL(r, "catch-up: rows handed out", NULL, reader->frames, progress.rows);
    REQUIRE(r, progress.rounds >= reader->rounds, "catch-up: rounds went back");
    REQUIRE(r, progress.sequence >= reader->sequence, "catch-up: sequence went back");
    REQUIRE(r, progress.sequence <= r->model->installed_sequence, "catch-up: sequence %llu is not installed yet",
            (unsigned long long)progress.sequence);
    if (reader->bootstrap && progress.rounds == 0 && !progress.live) /* one that began empty has its past already */
        EQUAL(r, "catch-up: sequence before round 1 ends", NULL, 0, progress.sequence);
    reader->rounds = progress.rounds;
    reader->sequence = progress.sequence;
    if (progress.sequence > 0) check_reached(r, reader, progress.sequence);
    (void)cvg_catchup_estimate(reader->catchup);
    if (progress.live) nothing_left(r, reader, stay);
    return progress.live;
}

void reader_step(run *r) {
    reader *reader = draw_reader(r, true);
    if (reader == NULL || reader->catchup == NULL) return;
    static const size_t budgets[] = {0, 1, 100, 1000, 5000, 100000};
    size_t budget = budgets[rng_below(&r->world.random, sizeof budgets / sizeof *budgets)];
    step(r, reader, budget, reader->lingers && rng_percent(&r->world.random, 80));
}

void readers_feed(run *r) {
    for (size_t k = 0; k < r->model->kind_count; k++) {
        const model_kind *kind = r->model->kinds[k];
        bool fed[READERS_MAX] = {false};
        for (unsigned i = 0; i < READERS_MAX; i++) {
            cvg_class klass = r->readers[i].klass;
            if (r->readers[i].kind != kind || r->readers[i].catchup != NULL || fed[i]) continue;
            cvg_slices slices;
            int status = cvg_encode(r->engine, r->batch, kind->number, klass, &slices);
            EQUAL(r, "encode: status", NULL, CVG_OK, (uint64_t)status);
            compare_batch_frames(r, kind, klass, &slices);
            kept_take(r, &slices);
            for (unsigned j = i; j < READERS_MAX; j++) {
                reader *other = &r->readers[j];
                bool same = other->klass.number == klass.number && other->klass.flags == klass.flags;
                if (other->kind != kind || other->catchup != NULL || !same) continue;
                receive(r, other, &slices);
                fed[j] = true;
            }
        }
    }
}

/* `changes`: how many the installed batch had, by the kind's place in the model. */
void readers_installed(run *r, const uint64_t changes[]) {
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader *reader = &r->readers[i];
        if (reader->kind == NULL) continue;
        for (size_t k = 0; k < r->model->kind_count; k++)
            if (r->model->kinds[k] == reader->kind && changes[k] > 0) reader->disturbed = true;
        if (reader->catchup == NULL) check_equal(r, reader);
    }
}

void readers_finish(run *r) {
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader *reader = &r->readers[i];
        if (reader->kind == NULL) continue;
        uint64_t steps = 0, limit = 2 * reader->kind->entity_count + 4;
        while (reader->catchup != NULL && !step(r, reader, 500, false))
            REQUIRE(r, ++steps <= limit, "catch-up: not live after %llu steps without a write",
                    (unsigned long long)steps);
        check_equal(r, reader);
        reader_end(r, reader);
    }
}
