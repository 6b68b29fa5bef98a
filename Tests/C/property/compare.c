/*
 * compare.c - an engine beside its partition of the model: batch, table, frames.
 */
#include "frames.h"
#include "grow.h"
#include "run.h"

cvg_data zones(const uint8_t *data, uint32_t bytes, uint32_t fixed_bytes) {
    if (data == NULL || bytes < fixed_bytes) return (cvg_data){.fixed = NULL};
    return (cvg_data){data, data + fixed_bytes, fixed_bytes, bytes - fixed_bytes};
}

void equal_state(const run *r, const model_kind *kind, const char *what, const uint8_t *id, const model_state *expected,
                 cvg_data got) {
    equal_data(r, kind, what, id, expected->data, expected->bytes, got);
    bool variable = kind->bytes_max > kind->fixed_bytes;
    REQUIRE(r, variable || got.variable == NULL, "%s: kind %u has no variable zone, but a pointer to one; id %s", what,
            kind->number, id_text(id));
}

static void compare_change(const run *r, const model_kind *kind, const model_change *expected, const cvg_change *got) {
    const model_entity *entity = expected->entity;
    const uint8_t *id = entity->id;
    if (memcmp(id, got->id, CVG_ID_BYTES) != 0) {
        trace(r, "batch order: got id %s", id_text(got->id));
        fail(r, "batch: changes of kind %u are not in the order of first writes; expected id %s", kind->number,
             id_text(id));
    }
    EQUAL(r, "batch: what", id, expected->what, got->what);
    EQUAL(r, "batch: source set", id, entity->sealed.source_set, got->source_set);
    EQUAL(r, "batch: version", id, entity->sealed.version, got->version);
    EQUAL(r, "batch: changed", id, expected->changed, got->changed);
    if (expected->what == CVG_DELETED) {
        EQUAL(r, "batch: reason", id, expected->reason, got->reason);
        REQUIRE(r, got->data.fixed == NULL, "batch: a deletion of kind %u has data; id %s", kind->number, id_text(id));
    } else {
        equal_state(r, kind, "batch: data", id, &entity->sealed, got->data);
    }
    if (expected->what == CVG_CREATED)
        REQUIRE(r, got->previous.fixed == NULL, "batch: a creation in kind %u has a previous; id %s", kind->number,
                id_text(id));
    else
        equal_state(r, kind, "batch: previous", id, &entity->installed, got->previous);
}

void compare_batch(run *r, part *part, bool just_sealed) {
    size_t before = 0;
    if (just_sealed) part->change_count = 0;
    EQUAL(r, "batch: sequence", NULL, r->model->parts[part->partition].sequence, cvg_batch_sequence(part->batch));
    for (size_t k = 0; k < r->model->kind_count; k++) {
        const model_kind *kind = r->model->kinds[k];
        const model_share *share = &kind->shares[part->partition];
        EQUAL(r, "batch: changes", NULL, share->batch_count, cvg_batch_changes(part->batch, kind->number));
        for (size_t i = 0; i < share->batch_count; i++, before++) {
            cvg_change change;
            memset(&change, 0xA5, sizeof change);
            cvg_batch_change(part->batch, kind->number, i, &change);
            compare_change(r, kind, &share->batch[i], &change);
            if (just_sealed)
                MODEL_PUSH(part->changes, part->change_count, part->change_capacity, change);
            else
                compare_change(r, kind, &share->batch[i], &part->changes[before]);
        }
    }
}

void compare_row(const run *r, const model_entity *entity, const cvg_row *row) {
    const model_state *state = &entity->installed;
    REQUIRE(r, memcmp(entity->id, row->id, CVG_ID_BYTES) == 0, "row: another id than asked for: %s", id_text(row->id));
    EQUAL(r, "row: presence", entity->id, state->presence, row->presence);
    EQUAL(r, "row: version", entity->id, state->version, row->version);
    EQUAL(r, "row: source set", entity->id, state->source_set, row->source_set);
    if (state->presence == CVG_ALIVE) {
        EQUAL(r, "row: schema", entity->id, entity->kind->schema, row->schema);
        equal_state(r, entity->kind, "row: data", entity->id, state, row->data);
    } else {
        REQUIRE(r, row->data.fixed == NULL, "row: a tombstone has data; id %s", id_text(entity->id));
    }
}

static void compare_scan(const run *r, const part *part, const model_kind *kind) {
    const model_share *share = &kind->shares[part->partition];
    uint64_t cursor = 0, rows = 0;
    cvg_row row;
    uint8_t *seen = model_zeroed(kind->entity_count + 1);
    while (cvg_scan(part->engine, kind->number, &cursor, &row)) {
        const model_entity *entity = model_find(kind, row.id);
        REQUIRE(r, entity != NULL, "scan: kind %u has an entity nobody wrote: %s", kind->number, id_text(row.id));
        EQUAL(r, "scan: partition", row.id, entity->partition, part->partition);
        REQUIRE(r, !seen[entity->index], "scan: kind %u has an entity twice: %s", kind->number, id_text(row.id));
        seen[entity->index] = 1;
        compare_row(r, entity, &row);
        rows++;
    }
    for (size_t i = 0; i < share->entity_count; i++) {
        const model_entity *entity = share->entities[i];
        REQUIRE(r, seen[entity->index] || entity->installed.presence == CVG_NOT_FOUND,
                "scan: kind %u of partition %u lacks id %s", kind->number, part->partition, id_text(entity->id));
    }
    uint64_t alive = model_alive(kind, part->partition);
    EQUAL(r, "scan: rows", NULL, alive + model_tombstones(kind, part->partition), rows);
    EQUAL(r, "entities of the kind", NULL, alive, cvg_kind_entities(part->engine, kind->number));
    free(seen);
}

static void compare_memory(const run *r, const part *part, const cvg_stats *stats) {
    uint64_t bound = r->world.shape.pending_bytes_max;
    EQUAL(r, "statistics: pending bound", NULL, bound != 0 ? bound : 64u << 20, stats->pending_bytes_max);
    REQUIRE(r, stats->pending_bytes_peak >= stats->pending_bytes,
            "statistics: the peak of pending bytes is below them");
    REQUIRE(r, stats->segment_bytes >= kept_capacity(r, part),
            "statistics: segment bytes are less than those retained");
    REQUIRE(r, stats->memory_bytes >= stats->segment_bytes, "statistics: memory is less than its segments");
    /* All of it, but for a little that may belong to the segments rather than to the engine. */
    uint64_t bytes = part->memory.bytes;
    REQUIRE(r, !r->counted || (stats->memory_bytes <= bytes && bytes - stats->memory_bytes <= 64),
            "statistics: memory is %llu, but %llu bytes were allocated", (unsigned long long)stats->memory_bytes,
            (unsigned long long)bytes);
}

/* Of one partition; the sums over all of them are right if each of them is. */
static void compare_statistics(const run *r, const part *part) {
    const model *m = r->model;
    const model_part *model_part = &m->parts[part->partition];
    const model_counts *counts = &model_part->counts;
    uint64_t alive = 0, tombstones = 0, catchups = 0;
    for (size_t k = 0; k < m->kind_count; k++) {
        alive += model_alive(m->kinds[k], part->partition);
        tombstones += model_tombstones(m->kinds[k], part->partition);
    }
    for (size_t i = 0; i < READERS_MAX; i++)
        catchups += r->readers[i].kind != NULL && r->readers[i].feeds[part->partition].catchup != NULL;
    cvg_stats stats;
    cvg_stats_read(part->engine, &stats);
    EQUAL(r, "statistics: entities", NULL, alive, stats.entities);
    EQUAL(r, "statistics: tombstones", NULL, tombstones, stats.tombstones);
    EQUAL(r, "statistics: applied", NULL, counts->applied, stats.applied);
    EQUAL(r, "statistics: refused", NULL, counts->refused, stats.refused);
    EQUAL(r, "statistics: pending rows", NULL, model_window_rows(m, part->partition), stats.pending_rows);
    EQUAL(r, "statistics: sequence", NULL, model_part->sequence, stats.sequence);
    EQUAL(r, "statistics: catch-ups", NULL, catchups, stats.catchups);
    compare_memory(r, part, &stats);
    if (model_part->sealed) return; /* whether these count at seal or at install is not promised */
    EQUAL(r, "statistics: created", NULL, counts->created, stats.created);
    EQUAL(r, "statistics: updated", NULL, counts->updated, stats.updated);
    EQUAL(r, "statistics: deleted", NULL, counts->deleted, stats.deleted);
    EQUAL(r, "statistics: revived", NULL, counts->revived, stats.revived);
    EQUAL(r, "statistics: deduplicated", NULL, counts->deduplicated, stats.deduplicated);
    EQUAL(r, "statistics: flushes", NULL, counts->flushes, stats.flushes);
}

void compare_installed(const run *r, const part *part) {
    uint64_t sources[CVG_SOURCES];
    for (size_t k = 0; k < r->model->kind_count; k++) compare_scan(r, part, r->model->kinds[k]);
    model_source_entities(r->model, part->partition, sources);
    for (unsigned s = 0; s < CVG_SOURCES; s++)
        EQUAL(r, "entities of a source", NULL, sources[s], cvg_source_entities(part->engine, (uint8_t)s));
    cvg_pending pending = cvg_pending_size(part->engine);
    EQUAL(r, "pending rows", NULL, model_window_rows(r->model, part->partition), pending.rows);
    REQUIRE(r, (pending.rows == 0) == (pending.bytes == 0), "pending rows %llu but bytes %llu",
            (unsigned long long)pending.rows, (unsigned long long)pending.bytes);
    compare_statistics(r, part);
}

/* One frame of a batch against the change it tells of. */
static void compare_frame(const run *r, const model_kind *kind, cvg_class klass, const model_change *change,
                          const frame *f) {
    const model_entity *entity = change->entity;
    const uint8_t *id = entity->id;
    bool deleted = change->what == CVG_DELETED;
    bool previous = (klass.flags & CVG_CLASS_PREVIOUS) != 0 && change->what != CVG_CREATED;
    EQUAL(r, "frame: opcode", id, deleted ? FRAME_DELETED : FRAME_STATE, f->opcode);
    REQUIRE(r, memcmp(id, f->id, CVG_ID_BYTES) == 0, "frames of kind %u are not in batch order; expected id %s",
            kind->number, id_text(id));
    EQUAL(r, "frame: kind", id, kind->number, f->kind);
    EQUAL(r, "frame: class", id, klass.number, f->klass);
    EQUAL(r, "frame: stream", id, 0, f->stream);
    EQUAL(r, "frame: schema", id, kind->schema, f->schema);
    EQUAL(r, "frame: version", id, entity->sealed.version, f->version);
    EQUAL(r, "frame: previous", id, previous, f->previous != NULL);
    if (previous) {
        EQUAL(r, "frame: fixed bytes of the previous", id, kind->fixed_bytes, f->fixed_bytes);
        EQUAL(r, "frame: previous bytes", id, entity->installed.bytes, f->previous_bytes);
        cvg_data got = zones(f->previous, f->previous_bytes, kind->fixed_bytes);
        equal_data(r, kind, "frame: previous data", id, entity->installed.data, entity->installed.bytes, got);
    }
    if (deleted) {
        EQUAL(r, "frame: reason", id, change->reason, f->type);
        return;
    }
    EQUAL(r, "frame: type", id, change->what == CVG_CREATED ? STATE_CREATED : STATE_UPDATED, f->type);
    EQUAL(r, "frame: source set", id, entity->sealed.source_set, f->source_set);
    EQUAL(r, "frame: changed", id, change->changed, f->changed);
    EQUAL(r, "frame: fixed bytes", id, kind->fixed_bytes, f->fixed_bytes);
    EQUAL(r, "frame: data bytes", id, entity->sealed.bytes, f->data_bytes);
    cvg_data got = zones(f->data, f->data_bytes, f->fixed_bytes);
    equal_data(r, kind, "frame: data", id, entity->sealed.data, entity->sealed.bytes, got);
}

/* Every notifiable change of the batch, once, in its order (R2); source changes have no frame (R9). */
void compare_batch_frames(run *r, const part *part, const model_kind *kind, cvg_class klass, const cvg_slices *slices) {
    const model_share *share = &kind->shares[part->partition];
    size_t next = 0;
    for (size_t i = 0; i < slices->count; i++) {
        const cvg_slice *slice = &slices->items[i];
        const cvg_segment *segment = slice->segment;
        REQUIRE(r, (uint64_t)slice->offset + slice->bytes <= segment->used && segment->used <= segment->capacity,
                "a slice ends behind its segment");
        uint32_t frames = 0;
        for (uint32_t at = 0; at < slice->bytes; frames++) {
            frame f;
            const char *wrong = frame_read(segment->bytes + slice->offset + at, slice->bytes - at, &f);
            REQUIRE(r, wrong == NULL, "frame %zu of kind %u: %s", next, kind->number, wrong);
            while (next < share->batch_count && share->batch[next].what == CVG_SOURCE_CHANGE) next++;
            REQUIRE(r, next < share->batch_count, "kind %u has more frames than changes", kind->number);
            compare_frame(r, kind, klass, &share->batch[next++], &f);
            at += f.bytes;
        }
        EQUAL(r, "slice: frames", NULL, frames, slice->frames);
        r->totals->live_frames += frames;
    }
    while (next < share->batch_count && share->batch[next].what == CVG_SOURCE_CHANGE) next++;
    EQUAL(r, "changes of the kind that have a frame", NULL, share->batch_count, next);
}
