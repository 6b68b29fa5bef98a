/*
 * mirrors.c - what a reader makes of the frames it is sent: one mirror of all partitions (R10), and when it must be
 * equal.
 *
 * A mirror is the union of what the partitions sent: a frame about an entity of another partition than the one that
 * sent it is wrong, so the mirror of all is equal when its share of each is.
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

static const model_entity *subject(const run *r, const reader *reader, const part *part, const frame *f) {
    const model_entity *entity = model_find(reader->kind, f->id);
    REQUIRE(r, entity != NULL, "reader: a frame of an entity nobody wrote: %s", id_text(f->id));
    EQUAL(r, "reader: partition of an entity that a frame is about", f->id, entity->partition, part->partition);
    return entity;
}

static bool is_live_everywhere(const run *r, const reader *reader) {
    bool live = true;
    for (unsigned p = 0; p < r->partitions; p++) live &= reader->feeds[p].catchup == NULL;
    return live;
}

uint64_t mirror_receive(run *r, reader *reader, const part *part, const cvg_slices *slices) {
    feed *feed = &reader->feeds[part->partition];
    uint64_t bytes = 0, all = 0;
    for (size_t i = 0; i < slices->count; i++) {
        const cvg_slice *slice = &slices->items[i];
        uint32_t frames = 0;
        REQUIRE(r, (uint64_t)slice->offset + slice->bytes <= slice->segment->used, "a slice ends behind its segment");
        for (uint32_t at = 0; at < slice->bytes; frames++) {
            frame f;
            const char *wrong = frame_read(slice->segment->bytes + slice->offset + at, slice->bytes - at, &f);
            REQUIRE(r, wrong == NULL, "reader of kind %u: %s", reader->kind->number, wrong);
            const model_entity *entity = subject(r, reader, part, &f);
            if (feed->catchup != NULL) {
                check_catchup_frame(r, reader, entity, &f);
                feed->frames++;
                feed->deletions += f.opcode == FRAME_DELETED;
            }
            merge(r, reader, entity, &f);
            at += f.bytes;
        }
        EQUAL(r, "slice: frames", NULL, frames, slice->frames);
        bytes += slice->bytes;
        all += frames;
    }
    if (feed->catchup == NULL && !is_live_everywhere(r, reader)) r->totals->half_live += all;
    return bytes;
}

void mirror_begin(reader *reader, const part *part) {
    const model_share *share = &reader->kind->shares[part->partition];
    for (size_t i = 0; i < share->entity_count; i++) slot_of(reader, share->entities[i]->index)->frames = 0;
}

void mirror_end(reader *reader) {
    for (size_t i = 0; i < reader->slot_count; i++) free(reader->slots[i].data);
    free(reader->slots);
}

void mirror_equal(const run *r, reader *reader, const part *part) {
    const model_share *share = &reader->kind->shares[part->partition];
    for (size_t i = 0; i < share->entity_count; i++) {
        const model_entity *entity = share->entities[i];
        const mirror_slot *slot = slot_of(reader, entity->index);
        bool alive = entity->installed.presence == CVG_ALIVE;
        EQUAL(r, "mirror: holds the entity", entity->id, alive, slot->data != NULL);
        if (!alive) continue;
        EQUAL(r, "mirror: version", entity->id, entity->installed.version, slot->version);
        cvg_data held = zones(slot->data, slot->bytes, reader->kind->fixed_bytes);
        equal_data(r, reader->kind, "mirror: data", entity->id, entity->installed.data, entity->installed.bytes, held);
    }
}

void mirror_reached(const run *r, reader *reader, const part *part, uint64_t sequence) {
    const model_share *share = &reader->kind->shares[part->partition];
    for (size_t i = 0; i < share->entity_count; i++) {
        const model_entity *entity = share->entities[i];
        const mirror_slot *slot = slot_of(reader, entity->index);
        if (model_at(entity, sequence).version != entity->installed.version) continue; /* changed since */
        bool alive = entity->installed.presence == CVG_ALIVE;
        EQUAL(r, "mirror: holds the entity, as of the sequence reported", entity->id, alive, slot->data != NULL);
        if (alive)
            EQUAL(r, "mirror: version, as of the sequence reported", entity->id, entity->installed.version,
                  slot->version);
    }
}

void mirror_once(const run *r, reader *reader, const part *part) {
    const model_share *share = &reader->kind->shares[part->partition];
    for (size_t i = 0; i < share->entity_count; i++)
        EQUAL(r, "quiet bootstrap: frames of one entity", share->entities[i]->id,
              share->entities[i]->installed.presence == CVG_ALIVE, slot_of(reader, share->entities[i]->index)->frames);
}
