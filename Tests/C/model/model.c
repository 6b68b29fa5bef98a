/*
 * model.c - writes into the open window: W1-W3, W5, W6, and the parts every rule leans on.
 */
#include "model.h"
#include "grow.h"
#include <string.h>

model *model_create(unsigned partitions) {
    if (partitions < 1 || partitions > MODEL_PARTITIONS_MAX) abort();
    model *m = model_zeroed(sizeof(model));
    m->partitions = partitions;
    return m;
}

static void entity_destroy(model_entity *entity) {
    free(entity->installed.data);
    free(entity->sealed.data);
    free(entity->pending.data);
    free(entity->past);
    free(entity);
}

void model_destroy(model *m) {
    for (size_t k = 0; k < m->kind_count; k++) {
        model_kind *kind = m->kinds[k];
        for (size_t i = 0; i < kind->entity_count; i++) entity_destroy(kind->entities[i]);
        for (unsigned p = 0; p < m->partitions; p++) {
            free(kind->shares[p].entities);
            free(kind->shares[p].window);
            free(kind->shares[p].batch);
        }
        free(kind->entities);
        free(kind->zero);
        free(kind);
    }
    free(m);
}

model_kind *model_kind_create(model *m, uint16_t number, const cvg_definition *definition) {
    if (m->kind_count == MODEL_KINDS_MAX) abort();
    model_kind *kind = model_zeroed(sizeof *kind);
    kind->number = number;
    kind->field_count = definition->field_count;
    kind->schema = definition->schema;
    for (unsigned f = 0; f < definition->field_count; f++) {
        cvg_field *field = &kind->fields[f];
        *field = definition->fields[f];
        for (unsigned i = 0; i < field->member_count; i++) kind->members[f][i] = field->members[i];
        field->members = kind->members[f];
        kind->sizes[f] = model_field_bytes(field);
        kind->units[f] = model_unit_bytes(field);
        kind->offsets[f] = kind->fixed_bytes;
        kind->fixed_bytes += kind->sizes[f];
        kind->bytes_max += kind->sizes[f] + kind->units[f] * field->max;
        kind->all_fields |= UINT64_C(1) << f;
    }
    kind->zero = model_zeroed(kind->fixed_bytes);
    m->kinds[m->kind_count++] = kind;
    return kind;
}

model_kind *model_kind_find(const model *m, uint16_t number) {
    for (size_t k = 0; k < m->kind_count; k++)
        if (m->kinds[k]->number == number) return m->kinds[k];
    return NULL;
}

static unsigned bucket_of(const uint8_t id[CVG_ID_BYTES]) {
    unsigned hash = 0;
    for (unsigned i = 0; i < CVG_ID_BYTES; i++) hash = hash * 31 + id[i];
    return hash % MODEL_BUCKETS;
}

model_entity *model_find(const model_kind *kind, const uint8_t id[CVG_ID_BYTES]) {
    model_entity *entity = kind->buckets[bucket_of(id)];
    while (entity != NULL && memcmp(entity->id, id, CVG_ID_BYTES) != 0) entity = entity->next;
    return entity;
}

static model_entity *find_or_add(model_kind *kind, unsigned partition, const uint8_t id[CVG_ID_BYTES]) {
    model_entity *entity = model_find(kind, id);
    if (entity != NULL) return entity;
    model_share *share = &kind->shares[partition];
    entity = model_zeroed(sizeof *entity);
    memcpy(entity->id, id, CVG_ID_BYTES);
    entity->kind = kind;
    entity->partition = partition;
    model_set_data(&entity->installed, kind->zero, kind->fixed_bytes);
    entity->next = kind->buckets[bucket_of(id)];
    kind->buckets[bucket_of(id)] = entity;
    entity->index = kind->entity_count;
    MODEL_PUSH(kind->entities, kind->entity_count, kind->entity_capacity, entity);
    MODEL_PUSH(share->entities, share->entity_count, share->entity_capacity, entity);
    return entity;
}

const model_state *model_latest(const model_entity *entity) {
    if (entity->in_window) return &entity->pending;
    return entity->in_batch ? &entity->sealed : &entity->installed;
}

/* The entity's pending state, opened on its first write in the window. */
static model_state *open_pending(model_entity *entity) {
    if (!entity->in_window) {
        model_copy_state(&entity->pending, model_latest(entity));
        entity->in_window = true;
        model_share *share = &entity->kind->shares[entity->partition];
        MODEL_PUSH(share->window, share->window_count, share->window_capacity, entity);
    }
    return &entity->pending;
}

static void replace_data(const model_kind *kind, model_state *state, const model_value values[]) {
    uint8_t *row = model_zeroed(kind->bytes_max);
    uint32_t bytes = model_join(kind, kind->all_fields, values, row);
    model_set_data(state, row, bytes);
    free(row);
}

static void count_value(model_counts *counts, const model_kind *kind, unsigned f, const model_value *old,
                        const model_value *new) {
    const cvg_field *field = &kind->fields[f];
    counts->arrays += field->type == CVG_ARRAY;
    counts->structs += field->type == CVG_STRUCT || (field->type == CVG_ARRAY && field->element == CVG_STRUCT);
    if (kind->units[f] == 0) return;
    counts->variable++;
    counts->grows += new->variable_bytes > old->variable_bytes;
    counts->shrinks += new->variable_bytes < old->variable_bytes;
    counts->empties += new->variable_bytes == 0 && old->variable_bytes > 0;
    counts->full += new->variable_bytes == kind->units[f] * field->max;
}

/* W1, W2, W5: the data holds the fields of `mask`; those the source may not write are skipped. */
static void write_fields(model_counts *counts, model_entity *entity, const cvg_op *op, uint64_t mask) {
    const model_kind *kind = entity->kind;
    model_state *state = open_pending(entity);
    model_value row[CVG_FIELDS_MAX], given[CVG_FIELDS_MAX];
    state->source_set |= UINT64_C(1) << op->source;
    model_values(kind, state->data, state->bytes, row);
    if (!model_split(kind, mask, op->data, op->data_bytes, given)) abort();
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1) || !model_may_write(&kind->fields[f], op->source)) continue;
        count_value(counts, kind, f, &row[f], &given[f]);
        row[f] = given[f];
    }
    replace_data(kind, state, row);
}

/* W5, on_retract: clear. `source` has just left the set, which is not empty. */
static void clear_orphans(model_counts *counts, const model_kind *kind, model_state *state, unsigned source) {
    model_value row[CVG_FIELDS_MAX];
    model_values(kind, state->data, state->bytes, row);
    for (unsigned f = 0; f < kind->field_count; f++) {
        const cvg_field *field = &kind->fields[f];
        bool was_owner = field->owners != 0 && (field->owners >> source & 1) != 0;
        if (field->on_retract != CVG_CLEAR || !was_owner || (field->owners & state->source_set) != 0) continue;
        model_value none = {.fixed = kind->zero, .fixed_bytes = kind->sizes[f]};
        bool clears = !model_same_value(&row[f], &none);
        counts->clears += clears;
        counts->clears_variable += clears && kind->units[f] > 0;
        row[f] = none;
    }
    replace_data(kind, state, row);
}

/* W3 */
static void retract(model_counts *counts, model_kind *kind, const cvg_op *op) {
    uint64_t bit = UINT64_C(1) << op->source;
    model_entity *entity = model_find(kind, op->id);
    if (entity == NULL || (model_latest(entity)->source_set & bit) == 0) return;
    model_state *state = open_pending(entity);
    state->source_set &= ~bit;
    if (state->source_set == 0)
        model_set_data(state, kind->zero, kind->fixed_bytes);
    else
        clear_orphans(counts, kind, state, op->source);
}

model_verdict model_apply(model *m, unsigned partition, const cvg_op *op) {
    model_verdict result = model_check(m, op);
    model_counts *counts = &m->parts[partition].counts;
    if (result.status != CVG_OK) {
        counts->refused++;
        return result;
    }
    counts->applied++;
    model_kind *kind = model_kind_find(m, op->kind);
    if (op->code == CVG_RETRACT) {
        retract(counts, kind, op);
        return result;
    }
    model_entity *entity = find_or_add(kind, partition, op->id);
    if (entity->partition != partition) abort(); /* whoever asks changes its mind */
    write_fields(counts, entity, op, op->code == CVG_PATCH ? op->mask : kind->all_fields);
    return result;
}

uint64_t model_window_rows(const model *m, unsigned partition) {
    uint64_t rows = 0;
    for (size_t k = 0; k < m->kind_count; k++) rows += m->kinds[k]->shares[partition].window_count;
    return rows;
}
