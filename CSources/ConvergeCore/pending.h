/*
 * pending - the coalescing queue: at most one pending row an entity and window.
 *
 *   apply ─▶ [PENDING] ─▶ seal ─▶ batch ─▶ install
 *
 * Each kind has two windows. The open one takes writes; the other holds the batch that was sealed last, until it is
 * installed. A pending row is a whole row image (row.h), in the order of each entity's first write, in slabs of 64 KiB
 * that all kinds share through one pool:
 *
 *   window   slabs[0] ─▶ ├ image ┼ image ┼ … ┤   slabs[1] ─▶ ├ image ┼ … ┤      slot = slab << slab_shift | place in it
 *
 *   table row ──link──▶ newest pending image of the entity ──link──▶ row number
 *
 *   link of a table row     0: none     (slot + 1) << 1 | which of the two windows
 *
 * Where a pending row starts from (F2) falls out of the link: it leads to the open window: the entity has a pending
 * row; it leads to the other window: the sealed image is the base; 0: the table row is.
 *
 * Invariants
 *   1. An entity has at most one image in each window, and its table row's link leads to the open one if there is one.
 *   2. An image's link is the number of its table row; that row's id is the image's.
 *   3. pending_bytes, the images of all open windows and the blocks written in them, stays within pending_bytes_max,
 *      but for a single larger row.
 *   4. A table is in `touched`, once, if and only if its open window is not empty.
 *   5. A new image shares the block of the image it was copied from. A block with one reference, in the open window, is
 *      one that was written in it.
 * Failure: a slab cannot be allocated (CVG_E_MEMORY), nothing else changes.
 */
#ifndef CVGI_PENDING_H
#define CVGI_PENDING_H

#include "index.h"
#include "merge.h"

#define CVGI_PENDING_SLAB_BYTES (64u << 10)

enum { CVGI_PENDING_AHEAD = 12 }; /* images between a prefetch and its use */

typedef struct cvgi_window {
    uint8_t **slabs;
    size_t slab_count;
    size_t slab_capacity;
    uint8_t *place; /* of the next image, in the last slab */
    uint32_t room;  /* images that the last slab still takes */
    uint32_t next;  /* slot of the next image, when there is room */
    uint32_t count; /* images */
} cvgi_window;

/* Everything of one kind. */
typedef struct cvgi_table {
    cvgi_rows rows;
    cvgi_index index;
    cvgi_window windows[2];
    uint32_t slab_rows;  /* images in a pending slab */
    uint32_t slab_shift; /* slots a slab takes, log2 */
    uint16_t kind;
    uint8_t open;         /* which window takes writes */
    uint64_t entities;    /* alive, installed */
    cvg_catchup *readers; /* in catch-up of this kind: a list */
    cvgi_schema schema;
} cvgi_table;

/* One partition's kinds and open windows: what apply and seal share. */
typedef struct cvgi_partition {
    cvgi_memory memory;
    cvgi_table **tables; /* by kind number; NULL: no such kind */
    size_t table_limit;
    cvgi_table **touched; /* tables with pending rows, in the order of their first write */
    size_t touched_count;
    size_t touched_capacity; /* at least the number of kinds */
    uint64_t hash_seed;
    uint64_t pending_rows;
    uint64_t pending_bytes;
    uint64_t pending_bytes_max;
    cvgi_blocks blocks;                    /* of rows with variable fields */
    uint8_t *spare_slabs;                  /* a chain through their first bytes */
    uint64_t spare_bytes;                  /* kept within pending_bytes_max */
    uint64_t source_entities[CVG_SOURCES]; /* installed entities that each source asserts */
    cvg_stats stats;                       /* its counters; gauges are filled in when it is read */
} cvgi_partition;

static inline cvgi_table *cvgi_partition_table(const cvgi_partition *partition, uint16_t kind) {
    return kind < partition->table_limit ? partition->tables[kind] : NULL;
}

void cvgi_table_init(cvgi_table *table, uint16_t kind, uint64_t hash_seed); /* its schema is compiled already */
void cvgi_table_free(cvgi_table *table, cvgi_partition *partition);
void cvgi_pending_free_spares(cvgi_partition *partition);

static inline uint8_t *cvgi_window_at(const cvgi_table *table, const cvgi_window *window, uint32_t slot) {
    uint32_t place = slot & ((1u << table->slab_shift) - 1);
    return window->slabs[slot >> table->slab_shift] + (size_t)place * table->rows.stride;
}

static inline uint32_t cvgi_window_after(const cvgi_table *table, uint32_t slot) {
    uint32_t mask = (1u << table->slab_shift) - 1;
    return (slot & mask) + 1 == table->slab_rows ? (slot | mask) + 1 : slot + 1;
}

/* The pending image that a table row's link (not 0) leads to, and whether it is in the open window. */
static inline uint8_t *cvgi_pending_image(const cvgi_table *table, uint32_t link, bool *open) {
    *open = (link & 1) == table->open;
    return cvgi_window_at(table, &table->windows[link & 1], (link >> 1) - 1);
}

/* Whether the open window may take so many bytes more (F1). */
static inline bool cvgi_pending_fits(const cvgi_partition *partition, uint64_t bytes) {
    return partition->pending_bytes + bytes <= partition->pending_bytes_max || partition->pending_rows == 0;
}

/* The peak is what the open window comes to before it shrinks or is sealed. */
static inline void cvgi_pending_note_peak(cvgi_partition *partition) {
    if (partition->pending_bytes > partition->stats.pending_bytes_peak)
        partition->stats.pending_bytes_peak = partition->pending_bytes;
}

/* A slab more for the open window. CVG_E_MEMORY; CVG_E_PENDING: its slots are all numbered. */
int cvgi_pending_add_slab(cvgi_partition *partition, cvgi_table *table);
void cvgi_pending_touch(cvgi_partition *partition, cvgi_table *table);

/* Makes room for one image in the open window. Statuses as above. */
static inline int cvgi_pending_reserve(cvgi_partition *partition, cvgi_table *table) {
    if (CVGI_LIKELY(table->windows[table->open].room > 0)) return CVG_OK;
    return cvgi_pending_add_slab(partition, table);
}

/* A new pending row of the entity in `table_row`, after a successful reserve. Its bytes are the caller's to fill in. */
static inline uint8_t *cvgi_pending_take(cvgi_partition *partition, cvgi_table *table, uint8_t *table_row) {
    cvgi_window *window = &table->windows[table->open];
    const uint32_t stride = table->rows.stride;
    uint8_t *image = window->place;
    if (CVGI_UNLIKELY(window->count == 0)) cvgi_pending_touch(partition, table);
    /* Images are written in their order, into a slab that was last used a window ago. Past its end it is wasted. */
    cvgi_row_prefetch(&table->rows, image + CVGI_PENDING_AHEAD * (size_t)stride);
    cvgi_row_set_link(table_row, (window->next + 1) << 1 | table->open);
    window->place = image + stride;
    window->room--;
    window->next++;
    window->count++;
    partition->pending_rows++;
    partition->pending_bytes += stride;
    return image;
}

/* Empties a window whose images hold no blocks; its slabs go back to the pool, or to the allocator when the pool is
 * full. */
void cvgi_window_recycle(cvgi_partition *partition, cvgi_table *table, cvgi_window *window);

#endif
