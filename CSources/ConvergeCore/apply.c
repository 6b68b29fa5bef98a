#include "apply.h"

enum { GROUP = 128 };

typedef struct staged {
    cvgi_table *table;
    const cvgi_line *line; /* of the index, where the id's probing starts: valid up to stage 5 */
    uint64_t hash;
    uint8_t *row;       /* table row of the candidate; NULL: there is none */
    uint8_t *image;     /* the pending row that is still to be merged into; NULL: nothing to do */
    uint32_t candidate; /* row that may be the entity's */
    int16_t status;
    uint16_t field;
    bool whole;     /* replaces every field, all of them fixed: only the first line of what was there matters */
    bool unchecked; /* its data is still to be looked at */
} staged;

/* What follows from a write's kind, code, source and schema version: mostly those of the write before. */
typedef struct head {
    uint64_t key;
    cvgi_table *table;
    uint64_t plain_bytes; /* a whole row's data of this length is valid, whatever it is; else no length */
    int16_t status;
    bool whole;
} head;

static inline uint64_t head_key(const cvg_op *op) {
    _Static_assert(__builtin_offsetof(cvg_op, kind) + sizeof(uint64_t) == sizeof *op,
                   "kind, code, source, schema, reserved");
    return cvgi_load64(&op->kind) & 0xFFFFFFFFFF;
}

static int check_head(const cvgi_partition *partition, const cvg_op *op, cvgi_table **table) {
    enum { CODES = 1 << CVG_ASSERT | 1 << CVG_PATCH | 1 << CVG_RETRACT };
    if (op->code > CVG_PATCH || (CODES >> op->code & 1) == 0) return CVG_E_OPERATION;
    *table = cvgi_partition_table(partition, op->kind);
    if (*table == NULL) return CVG_E_KIND;
    if (op->source >= CVG_SOURCES) return CVG_E_SOURCE;
    if (op->code != CVG_RETRACT && op->schema != (*table)->schema.version) return CVG_E_SCHEMA;
    return CVG_OK;
}

static __attribute__((noinline)) void read_head(const cvgi_partition *partition, const cvg_op *op, head *head) {
    *head = (struct head){.key = head_key(op), .plain_bytes = UINT64_MAX};
    head->status = (int16_t)check_head(partition, op, &head->table);
    if (head->status != CVG_OK || op->code != CVG_ASSERT || head->table->schema.variable != 0) return;
    const cvgi_schema *schema = &head->table->schema;
    head->whole = schema->writable[op->source] == schema->all;
    if (schema->checked == 0) head->plain_bytes = schema->fixed_bytes;
}

static inline int check_data(const cvgi_schema *schema, const cvg_op *op, uint16_t *field) {
    switch (op->code) {
    case CVG_ASSERT:
        return cvgi_schema_check_row(schema, op->data, op->data_bytes, field);
    case CVG_PATCH:
        return cvgi_schema_check_patch(schema, op->source, op->mask, op->data, op->data_bytes, field);
    default:
        return CVG_OK;
    }
}

static __attribute__((noinline)) int create_entity(cvgi_partition *partition, staged *it, const uint8_t *id) {
    cvgi_table *table = it->table;
    int status = cvgi_index_reserve(&table->index, &partition->memory, &table->rows, it->hash);
    if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    const uint32_t row = cvgi_rows_take(&table->rows, &partition->memory, id, &status);
    if (CVGI_UNLIKELY(row == CVGI_ROW_NONE)) return status;
    cvgi_index_insert(&table->index, it->hash, row);
    it->candidate = row;
    it->row = cvgi_row_at(&table->rows, row);
    return CVG_OK;
}

/* A pending row for an entity that has none, as a copy of `base`, or of its first line; NULL: there is no such entity
 * yet. All that can fail comes before the first change. */
CVGI_INLINE int create(cvgi_partition *partition, staged *it, const uint8_t *id, const uint8_t *base, bool whole) {
    cvgi_table *table = it->table;
    int status = cvgi_pending_reserve(partition, table);
    if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    if (CVGI_UNLIKELY(base == NULL)) {
        status = create_entity(partition, it, id);
        if (CVGI_UNLIKELY(status != CVG_OK)) return status;
        base = it->row;
    }
    uint8_t *image = cvgi_pending_take(partition, table, it->row);
    memcpy(image, base, CVGI_CACHE_LINE);
    for (uint32_t at = CVGI_CACHE_LINE; !whole && at < table->rows.stride; at += CVGI_CACHE_LINE)
        memcpy(image + at, base + at, CVGI_CACHE_LINE);
    if (!whole && CVGI_UNLIKELY(table->rows.block_at != 0))
        cvgi_block_retain(cvgi_row_block(image, table->rows.block_at));
    cvgi_row_set_schema(image, table->schema.version);
    cvgi_row_set_link(image, it->candidate);
    it->image = image;
    return CVG_OK;
}

static inline void merge(cvgi_table *table, uint8_t *image, const cvg_op *op) {
    switch (op->code) {
    case CVG_ASSERT:
        cvgi_merge_assert(&table->schema, image, op->source, op->data);
        break;
    case CVG_PATCH:
        cvgi_merge_patch(&table->schema, image, op->source, op->mask, op->data);
        break;
    default:
        cvgi_merge_retract(&table->schema, image, op->source);
    }
}

/* What a write does to a pending row's block, and to the bytes of the window. */
typedef struct rezone {
    cvgi_block *had;    /* of the row, or of its base */
    cvgi_block *block;  /* afterwards */
    uint32_t had_bytes; /* counted in the window: 0 when it is the base's, too */
    uint32_t bytes;     /* to be counted instead */
} rezone;

/* Only looks. `from` NULL: an all-zero row. `in_window`: it is the pending row itself. */
static rezone start_rezone(const cvgi_table *table, const cvgi_zone_plan *plan, const uint8_t *from, bool in_window) {
    rezone z = {.had = from == NULL ? NULL : cvgi_row_block(from, table->rows.block_at)};
    const bool own = in_window && z.had != NULL && z.had->references == 1;
    z.had_bytes = own ? cvgi_block_footprint(z.had) : 0;
    z.bytes = cvgi_block_size(plan->bytes);
    const bool stays = own && plan->whole && z.bytes != 0 && z.bytes <= z.had_bytes;
    if (plan->kept || stays) {
        z.block = z.had;
        z.bytes = z.had_bytes;
    }
    return z;
}

/* Writes the new zone: in place, or to a new block. CVG_E_MEMORY: nothing was changed. */
static int make_zone(cvgi_partition *partition, const cvgi_table *table, const cvgi_zone_plan *plan, rezone *z,
                     const uint8_t *from, const cvg_op *op) {
    if (plan->kept || plan->bytes == 0) return CVG_OK;
    if (z->block == NULL) z->block = cvgi_block_take(&partition->blocks, plan->bytes);
    if (CVGI_UNLIKELY(z->block == NULL)) return CVG_E_MEMORY;
    cvgi_merge_zone(&table->schema, table->rows.block_at, from, op, plan, z->block->zone);
    z->block->bytes = plan->bytes;
    return CVG_OK;
}

/* 5 and 6 of a kind with variable fields. `image`: the pending row; NULL: to be created, from `base`. All that can fail
 * comes before the first change. */
static __attribute__((noinline)) int write_zones(cvgi_partition *partition, staged *it, const cvg_op *op,
                                                 uint8_t *image, const uint8_t *base) {
    cvgi_table *table = it->table;
    const uint8_t *from = image != NULL ? image : base;
    const cvgi_zone_plan plan = cvgi_merge_plan(&table->schema, table->rows.block_at, from, op);
    rezone z = start_rezone(table, &plan, from, image != NULL);
    const uint64_t wanted = (image == NULL ? table->rows.stride : 0) + (uint64_t)z.bytes;
    if (wanted > z.had_bytes && !cvgi_pending_fits(partition, wanted - z.had_bytes)) return CVG_E_PENDING;
    int status = make_zone(partition, table, &plan, &z, from, op);
    if (CVGI_LIKELY(status == CVG_OK) && image == NULL) {
        status = create(partition, it, op->id, base, false);
        image = it->image;
        it->image = NULL; /* nothing is left to do in 6 */
        if (CVGI_UNLIKELY(status != CVG_OK) && z.block != z.had) cvgi_block_release(&partition->blocks, z.block);
    }
    if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    merge(table, image, op);
    if (z.block == z.had) return CVG_OK;
    cvgi_row_set_block(image, table->rows.block_at, z.block);
    cvgi_block_release(&partition->blocks, z.had); /* the image's reference */
    partition->pending_bytes += z.bytes;
    partition->pending_bytes -= z.had_bytes;
    cvgi_pending_note_peak(partition);
    return CVG_OK;
}

/* What the guess of 2 and 3 was not: an id that is not there, or behind another with its tag. */
static __attribute__((noinline)) void find(staged *it, const uint8_t *id) {
    cvgi_table *table = it->table;
    it->candidate = cvgi_index_find(&table->index, &table->rows, it->hash, id);
    it->row = it->candidate == CVGI_ROW_NONE ? NULL : cvgi_row_at(&table->rows, it->candidate);
}

/* Confirms the guess, or finds the id. What a new pending row starts from (F2), NULL: there is no such entity; `open`
 * gets the pending row that there is already. */
CVGI_INLINE const uint8_t *locate(staged *it, const uint8_t *id, uint8_t **open) {
    if (CVGI_UNLIKELY(it->row == NULL || memcmp(cvgi_row_id(it->row), id, CVG_ID_BYTES) != 0)) find(it, id);
    const uint32_t link = it->row == NULL ? 0 : cvgi_row_link(it->row);
    if (CVGI_LIKELY(link == 0)) return it->row;
    bool is_open;
    uint8_t *image = cvgi_pending_image(it->table, link, &is_open);
    if (is_open) *open = image;
    return image; /* sealed: the batch is not in the table yet */
}

/* 5. `later`: something is left to 6. */
CVGI_INLINE int resolve(cvgi_partition *partition, staged *it, const cvg_op *op, bool *later) {
    cvgi_table *table = it->table;
    uint8_t *open = NULL;
    const uint8_t *base = locate(it, op->id, &open);
    const bool variable = !it->whole && table->schema.variable != 0;
    if (CVGI_UNLIKELY(open != NULL)) {
        if (CVGI_UNLIKELY(variable)) return write_zones(partition, it, op, open, NULL);
        cvgi_row_prefetch(&table->rows, open);
        it->image = open;
        *later = true;
        return CVG_OK;
    }
    if (CVGI_LIKELY(it->whole)) {
        if (CVGI_UNLIKELY(!cvgi_pending_fits(partition, table->rows.stride))) return CVG_E_PENDING;
        const int status = create(partition, it, op->id, base, true);
        if (CVGI_UNLIKELY(status != CVG_OK)) return status;
        cvgi_merge_whole(&table->schema, it->image, op->source, op->data);
        it->image = NULL;
        return CVG_OK;
    }
    /* W3: a retraction of what the source does not assert opens no window. */
    if (op->code == CVG_RETRACT && (base == NULL || (cvgi_row_source_set(base) >> op->source & 1) == 0)) return CVG_OK;
    if (CVGI_UNLIKELY(variable)) return write_zones(partition, it, op, NULL, base);
    if (CVGI_UNLIKELY(!cvgi_pending_fits(partition, table->rows.stride))) return CVG_E_PENDING;
    const int status = create(partition, it, op->id, base, false);
    if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    merge(table, it->image, op);
    it->image = NULL;
    return CVG_OK;
}

/* 1 */
static inline void start(const cvgi_partition *partition, staged *it, const cvg_op *op, head *head) {
    if (CVGI_UNLIKELY(head->key != head_key(op))) read_head(partition, op, head);
    it->table = head->table;
    it->row = it->image = NULL;
    it->field = CVGI_NO_FIELD;
    it->status = head->status;
    it->whole = head->whole;
    it->unchecked = op->data_bytes != head->plain_bytes;
    it->line = cvgi_index_nothing;
    if (CVGI_UNLIKELY(head->status != CVG_OK)) {
        it->hash = 0;
        return;
    }
    it->hash = cvgi_hash(op->id, partition->hash_seed);
    it->line = cvgi_index_line(&it->table->index, it->hash);
}

static inline bool guess(staged *it, uint32_t candidate, uint32_t other) {
    it->candidate = candidate;
    if (CVGI_UNLIKELY(candidate == CVGI_ROW_NONE)) return false;
    it->row = cvgi_row_at(&it->table->rows, candidate);
    if (CVGI_UNLIKELY(other != CVGI_ROW_NONE))
        cvgi_row_prefetch(&it->table->rows, cvgi_row_at(&it->table->rows, other));
    return true;
}

/* 2. Whether the id may be in the lines behind. */
static inline bool probe(staged *it) {
    uint32_t other = CVGI_ROW_NONE;
    const uint32_t candidate = cvgi_index_candidates(it->line, it->hash, &other);
    if (CVGI_LIKELY(guess(it, candidate, other)) || it->line->overflow == 0) return false;
    cvgi_index_prefetch_further(&it->table->index, it->hash);
    return true;
}

/* The variable zone that the row has: the write is compared with it, or takes from it what it does not replace. */
static void prefetch_block(const staged *it) {
    if (it->row != NULL) __builtin_prefetch(cvgi_row_block(it->row, it->table->rows.block_at));
}

/* 3 */
static void probe_further(staged *it) {
    if (it->row != NULL || it->line->overflow == 0) return;
    uint32_t other = CVGI_ROW_NONE;
    const uint32_t candidate = cvgi_index_candidates_further(&it->table->index, it->hash, &other);
    if (guess(it, candidate, other)) cvgi_row_prefetch(&it->table->rows, it->row);
}

/* 4 */
static void check(staged *it, const cvg_op *op) {
    if (!it->unchecked || it->status != CVG_OK) return;
    if (CVGI_UNLIKELY(it->table->schema.variable != 0)) prefetch_block(it);
    it->status = (int16_t)check_data(&it->table->schema, op, &it->field);
}

static int apply_group(cvgi_partition *partition, const cvg_op *ops, size_t count, size_t index, cvg_refusal *refusals,
                       size_t refusals_max, cvg_applied *applied) {
    staged group[GROUP];
    head head = {.key = UINT64_MAX};
    bool unchecked = false, further = false, later = false;
    for (size_t i = 0; i < count; i++) {
        start(partition, &group[i], &ops[i], &head);
        unchecked |= group[i].unchecked;
    }
    for (size_t i = 0; i < count; i++) __builtin_prefetch(group[i].line);
    for (size_t i = 0; i < count; i++) further |= probe(&group[i]);
    for (size_t i = 0; i < count; i++)
        if (CVGI_LIKELY(group[i].row != NULL)) cvgi_row_prefetch(&group[i].table->rows, group[i].row);
    for (size_t i = 0; further && i < count; i++) probe_further(&group[i]);
    for (size_t i = 0; unchecked && i < count; i++) check(&group[i], &ops[i]);
    size_t end = 0;
    int stopped = CVG_OK;
    for (; end < count && applied->refused < refusals_max; end++) {
        staged *it = &group[end];
        int status = it->status;
        if (CVGI_LIKELY(status == CVG_OK)) status = resolve(partition, it, &ops[end], &later);
        if (CVGI_LIKELY(status == CVG_OK)) continue;
        if (status == CVG_E_PENDING) {
            stopped = CVG_E_PENDING;
            break;
        }
        refusals[applied->refused++] = (cvg_refusal){(uint32_t)(index + end), (int16_t)status, it->field};
    }
    for (size_t i = 0; later && i < end; i++)
        if (group[i].image != NULL) merge(group[i].table, group[i].image, &ops[i]);
    applied->consumed += end;
    return stopped;
}

int cvgi_apply(cvgi_partition *partition, const cvg_op *ops, size_t count, cvg_refusal *refusals, size_t refusals_max,
               cvg_applied *applied) {
    CVGI_ASSERT(refusals_max >= 1 && count <= UINT32_MAX);
    *applied = (cvg_applied){0};
    int status = CVG_OK;
    while (status == CVG_OK && applied->consumed < count && applied->refused < refusals_max) {
        size_t first = applied->consumed;
        size_t size = count - first < GROUP ? count - first : GROUP;
        status = apply_group(partition, ops + first, size, first, refusals, refusals_max, applied);
    }
    partition->stats.refused += applied->refused;
    partition->stats.applied += applied->consumed - applied->refused;
    return status;
}
