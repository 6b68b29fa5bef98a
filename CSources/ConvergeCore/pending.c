#include "pending.h"

/* A row larger than a pooled slab gets one of its own. */
static size_t slab_bytes(const cvgi_table *table) {
    return table->rows.stride > CVGI_PENDING_SLAB_BYTES ? table->rows.stride : CVGI_PENDING_SLAB_BYTES;
}

void cvgi_table_init(cvgi_table *table, uint16_t kind, uint64_t hash_seed) {
    cvgi_rows_init(&table->rows, table->schema.fixed_bytes, table->schema.variable != 0);
    cvgi_index_init(&table->index, hash_seed);
    table->windows[0] = table->windows[1] = (cvgi_window){0};
    table->slab_rows = (uint32_t)(slab_bytes(table) / table->rows.stride);
    table->slab_shift = 0;
    while (1u << table->slab_shift < table->slab_rows) table->slab_shift++;
    table->kind = kind;
    table->open = 0;
    table->entities = 0;
    table->readers = NULL;
}

static uint8_t *slab_take(cvgi_partition *partition, size_t bytes) {
    uint8_t *slab = partition->spare_slabs;
    if (bytes != CVGI_PENDING_SLAB_BYTES || slab == NULL)
        return cvgi_allocate(&partition->memory, bytes, CVGI_CACHE_LINE);
    memcpy(&partition->spare_slabs, slab, sizeof(uint8_t *));
    partition->spare_bytes -= CVGI_PENDING_SLAB_BYTES;
    return slab;
}

static void slab_give_back(cvgi_partition *partition, uint8_t *slab, size_t bytes) {
    if (bytes != CVGI_PENDING_SLAB_BYTES || partition->spare_bytes + bytes > partition->pending_bytes_max) {
        cvgi_release(&partition->memory, slab, bytes);
        return;
    }
    memcpy(slab, &partition->spare_slabs, sizeof(uint8_t *));
    partition->spare_slabs = slab;
    partition->spare_bytes += bytes;
}

void cvgi_window_recycle(cvgi_partition *partition, cvgi_table *table, cvgi_window *window) {
    while (window->slab_count > 0) slab_give_back(partition, window->slabs[--window->slab_count], slab_bytes(table));
    window->place = NULL;
    window->room = window->next = window->count = 0;
}

static void release_block(cvgi_partition *partition, const cvgi_table *table, const uint8_t *image) {
    cvgi_block_release(&partition->blocks, cvgi_row_block(image, table->rows.block_at));
}

static void release_blocks(cvgi_partition *partition, const cvgi_table *table) {
    if (table->rows.block_at == 0) return;
    for (uint32_t row = 0; row < table->rows.count; row++)
        release_block(partition, table, cvgi_row_at(&table->rows, row));
    for (int which = 0; which < 2; which++) {
        const cvgi_window *window = &table->windows[which];
        for (uint32_t i = 0, slot = 0; i < window->count; i++, slot = cvgi_window_after(table, slot))
            release_block(partition, table, cvgi_window_at(table, window, slot));
    }
}

void cvgi_table_free(cvgi_table *table, cvgi_partition *partition) {
    release_blocks(partition, table);
    cvgi_schema_free(&table->schema, &partition->memory);
    for (int which = 0; which < 2; which++) {
        cvgi_window *window = &table->windows[which];
        cvgi_window_recycle(partition, table, window);
        cvgi_release(&partition->memory, window->slabs, window->slab_capacity * sizeof *window->slabs);
    }
    cvgi_index_free(&table->index, &partition->memory);
    cvgi_rows_free(&table->rows, &partition->memory);
}

void cvgi_pending_free_spares(cvgi_partition *partition) {
    while (partition->spare_slabs != NULL) {
        uint8_t *slab = slab_take(partition, CVGI_PENDING_SLAB_BYTES);
        cvgi_release(&partition->memory, slab, CVGI_PENDING_SLAB_BYTES);
    }
    cvgi_blocks_free_spares(&partition->blocks);
}

int cvgi_pending_add_slab(cvgi_partition *partition, cvgi_table *table) {
    cvgi_window *window = &table->windows[table->open];
    if ((window->slab_count + 1) << table->slab_shift > UINT32_MAX >> 1) return CVG_E_PENDING;
    if (!cvgi_grow(&partition->memory, (void **)&window->slabs, &window->slab_capacity, window->slab_count + 1,
                   sizeof *window->slabs))
        return CVG_E_MEMORY;
    uint8_t *slab = slab_take(partition, slab_bytes(table));
    if (slab == NULL) return CVG_E_MEMORY;
    window->next = (uint32_t)(window->slab_count << table->slab_shift);
    window->room = table->slab_rows;
    window->place = slab;
    window->slabs[window->slab_count++] = slab;
    return CVG_OK;
}

void cvgi_pending_touch(cvgi_partition *partition, cvgi_table *table) {
    CVGI_ASSERT(partition->touched_count < partition->touched_capacity);
    partition->touched[partition->touched_count++] = table;
}
