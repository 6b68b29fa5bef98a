#include "query.h"

enum { GROUP = 64 };

typedef struct staged {
    const cvgi_table *table; /* NULL: no such kind */
    const cvgi_line *line;
    uint64_t hash;
    uint32_t candidate; /* row that may be the id's */
    uint32_t other;     /* another, a few in a hundred times */
} staged;

cvgi_frame_kind cvgi_query_frame_kind(const cvgi_table *table) {
    return (cvgi_frame_kind){
        .all_fields = table->schema.all,
        .fixed_bytes = table->schema.fixed_bytes,
        .block_at = table->rows.block_at,
        .kind = table->kind,
        .schema = table->schema.version,
    };
}

static const uint8_t *visible(const cvgi_table *table, uint32_t row) {
    if (row == CVGI_ROW_NONE) return NULL;
    const uint8_t *image = cvgi_row_at(&table->rows, row);
    return cvgi_row_flags(image) == 0 ? NULL : image;
}

const uint8_t *cvgi_query_row(const cvgi_table *table, const uint8_t *id) {
    const uint64_t hash = cvgi_hash(id, table->index.seed);
    return visible(table, cvgi_index_find(&table->index, &table->rows, hash, id));
}

/* 1 */
static inline void start(const cvgi_partition *partition, staged *it, const cvg_lookup *lookup) {
    it->table = cvgi_partition_table(partition, lookup->kind);
    it->candidate = it->other = CVGI_ROW_NONE;
    it->line = cvgi_index_nothing;
    if (it->table == NULL) return;
    it->hash = cvgi_hash(lookup->id, it->table->index.seed);
    it->line = cvgi_index_line(&it->table->index, it->hash);
}

static inline void prefetch_candidates(const staged *it) {
    if (it->candidate == CVGI_ROW_NONE) return;
    const cvgi_rows *rows = &it->table->rows;
    cvgi_row_prefetch(rows, cvgi_row_at(rows, it->candidate));
    if (CVGI_UNLIKELY(it->other != CVGI_ROW_NONE)) cvgi_row_prefetch(rows, cvgi_row_at(rows, it->other));
}

/* 2. Whether the id may be in the lines behind. */
static inline bool probe(staged *it) {
    it->candidate = cvgi_index_candidates(it->line, it->hash, &it->other);
    if (it->candidate != CVGI_ROW_NONE || it->line->overflow == 0) return false;
    cvgi_index_prefetch_further(&it->table->index, it->hash);
    return true;
}

/* 3 */
static void probe_further(staged *it) {
    if (it->candidate != CVGI_ROW_NONE || it->line->overflow == 0) return;
    it->candidate = cvgi_index_candidates_further(&it->table->index, it->hash, &it->other);
    prefetch_candidates(it);
}

/* 4 */
static const uint8_t *confirm(const staged *it, const uint8_t *id) {
    const cvgi_table *table = it->table;
    uint32_t row = it->candidate;
    if (row == CVGI_ROW_NONE || memcmp(cvgi_row_id(cvgi_row_at(&table->rows, row)), id, CVG_ID_BYTES) != 0)
        row = cvgi_index_find(&table->index, &table->rows, it->hash, id);
    return visible(table, row);
}

static int encode_group(const cvgi_partition *partition, const cvg_lookup *lookups, size_t count, uint8_t *buffer,
                        size_t capacity, cvg_answered *answered) {
    staged group[GROUP];
    for (size_t i = 0; i < count; i++) start(partition, &group[i], &lookups[i]);
    for (size_t i = 0; i < count; i++) __builtin_prefetch(group[i].line);
    bool further = false;
    for (size_t i = 0; i < count; i++) further |= probe(&group[i]);
    for (size_t i = 0; i < count; i++) prefetch_candidates(&group[i]);
    if (further)
        for (size_t i = 0; i < count; i++) probe_further(&group[i]);
    for (size_t i = 0; i < count; i++) {
        if (group[i].table == NULL) return CVG_E_KIND;
        const cvgi_frame_kind kind = cvgi_query_frame_kind(group[i].table);
        size_t bytes;
        const int status = cvgi_encode_result(&kind, confirm(&group[i], lookups[i].id), lookups[i].stream,
                                              buffer + answered->bytes, capacity - answered->bytes, &bytes);
        if (status != CVG_OK) return status;
        answered->bytes += bytes;
        answered->count++;
    }
    return CVG_OK;
}

int cvgi_query_encode(const cvgi_partition *partition, const cvg_lookup *lookups, size_t count, uint8_t *buffer,
                      size_t capacity, cvg_answered *answered) {
    *answered = (cvg_answered){0};
    int status = CVG_OK;
    while (status == CVG_OK && answered->count < count) {
        const size_t first = answered->count, left = count - first;
        status = encode_group(partition, lookups + first, left < GROUP ? left : GROUP, buffer, capacity, answered);
    }
    return status;
}
