/*
 * window.c - the end of a window: what really changed (W7, W8), and its installation (F2, F3).
 */
#include "grow.h"
#include "model.h"

static uint64_t fields_that_differ(const model_kind *kind, const model_state *before, const model_state *after) {
    model_value old[CVG_FIELDS_MAX], new[CVG_FIELDS_MAX];
    uint64_t changed = 0;
    model_values(kind, before->data, before->bytes, old);
    model_values(kind, after->data, after->bytes, new);
    for (unsigned f = 0; f < kind->field_count; f++)
        if (!model_same_value(&old[f], &new[f])) changed |= UINT64_C(1) << f;
    return changed;
}

/* What the window did to the entity; 0: nothing. The base is the installed state, for the previous batch is in. */
static uint8_t what_happened(const model_entity *entity, uint64_t *changed) {
    const model_state *before = &entity->installed, *after = &entity->pending;
    bool was = before->presence == CVG_ALIVE, is = after->source_set != 0;
    *changed = 0;
    if (!was && !is) return 0;
    if (was && !is) return CVG_DELETED;
    if (!was) {
        *changed = entity->kind->all_fields;
        return CVG_CREATED;
    }
    *changed = fields_that_differ(entity->kind, before, after);
    if (*changed != 0) return CVG_UPDATED;
    return before->source_set != after->source_set ? CVG_SOURCE_CHANGE : 0;
}

static void count_change(model_counts *counts, const model_entity *entity, uint8_t what) {
    switch (what) {
    case CVG_CREATED:
        counts->created++;
        counts->revived += entity->installed.presence == CVG_TOMBSTONE;
        break;
    case CVG_UPDATED:
        counts->updated++;
        break;
    case CVG_DELETED:
        counts->deleted++;
        break;
    case CVG_SOURCE_CHANGE:
        counts->source_changes++;
        break;
    default:
        counts->deduplicated++;
        if (entity->installed.presence == CVG_ALIVE)
            counts->unchanged++;
        else
            counts->no_trace++;
    }
}

static void seal_entity(model_counts *counts, model_entity *entity) {
    model_share *share = &entity->kind->shares[entity->partition];
    uint64_t changed;
    uint8_t what = what_happened(entity, &changed);
    count_change(counts, entity, what);
    entity->in_window = false;
    if (what == 0) return;
    model_copy_state(&entity->sealed, &entity->pending);
    entity->sealed.presence = what == CVG_DELETED ? CVG_TOMBSTONE : CVG_ALIVE;
    entity->sealed.version = entity->installed.version + (what != CVG_SOURCE_CHANGE);
    entity->in_batch = true;
    model_change change = {.entity = entity, .changed = changed, .what = what};
    change.reason = what == CVG_DELETED ? CVG_REASON_RETRACT : 0;
    MODEL_PUSH(share->batch, share->batch_count, share->batch_capacity, change);
}

uint64_t model_batch_rows(const model *m, unsigned partition) {
    uint64_t rows = 0;
    for (size_t k = 0; k < m->kind_count; k++) rows += m->kinds[k]->shares[partition].batch_count;
    return rows;
}

bool model_seal(model *m, unsigned partition) {
    model_part *part = &m->parts[partition];
    if (part->sealed || model_window_rows(m, partition) == 0) return false;
    for (size_t k = 0; k < m->kind_count; k++) {
        model_share *share = &m->kinds[k]->shares[partition];
        for (size_t i = 0; i < share->window_count; i++) seal_entity(&part->counts, share->window[i]);
        share->window_count = 0;
    }
    if (model_batch_rows(m, partition) > 0) {
        part->sequence++;
        part->counts.flushes++;
    }
    part->sealed = true;
    return true;
}

static void install_change(uint64_t sequence, const model_change *change) {
    model_entity *entity = change->entity;
    model_copy_state(&entity->installed, &entity->sealed);
    entity->in_batch = false;
    if (change->what == CVG_SOURCE_CHANGE) return;
    model_past past = {sequence, entity->sealed.version, entity->sealed.presence};
    MODEL_PUSH(entity->past, entity->past_count, entity->past_capacity, past);
    entity->kind->shares[entity->partition].notified_sequence = sequence;
}

void model_install(model *m, unsigned partition) {
    model_part *part = &m->parts[partition];
    for (size_t k = 0; k < m->kind_count; k++) {
        model_share *share = &m->kinds[k]->shares[partition];
        for (size_t i = 0; i < share->batch_count; i++) install_change(part->sequence, &share->batch[i]);
        share->batch_count = 0;
    }
    part->installed_sequence = part->sequence;
    part->sealed = false;
}

model_past model_at(const model_entity *entity, uint64_t sequence) {
    for (size_t i = entity->past_count; i > 0; i--)
        if (entity->past[i - 1].sequence <= sequence) return entity->past[i - 1];
    return (model_past){.presence = CVG_NOT_FOUND};
}

static uint64_t count_presence(const model_share *share, uint8_t presence) {
    uint64_t count = 0;
    for (size_t i = 0; i < share->entity_count; i++) count += share->entities[i]->installed.presence == presence;
    return count;
}

uint64_t model_alive(const model_kind *kind, unsigned partition) {
    return count_presence(&kind->shares[partition], CVG_ALIVE);
}
uint64_t model_tombstones(const model_kind *kind, unsigned partition) {
    return count_presence(&kind->shares[partition], CVG_TOMBSTONE);
}

void model_source_entities(const model *m, unsigned partition, uint64_t counts[CVG_SOURCES]) {
    memset(counts, 0, CVG_SOURCES * sizeof *counts);
    for (size_t k = 0; k < m->kind_count; k++) {
        const model_share *share = &m->kinds[k]->shares[partition];
        for (size_t i = 0; i < share->entity_count; i++)
            for (uint64_t set = share->entities[i]->installed.source_set, s = 0; set != 0; set >>= 1, s++)
                counts[s] += set & 1;
    }
}
