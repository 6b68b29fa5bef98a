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

typedef struct cvgi_window {
    uint8_t **slabs;
    size_t slab_count;
    size_t slab_capacity;
    uint32_t count; /* images */
    uint32_t next;  /* slot of the next image */
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

/* Whether the table's open window has a number for one image more. */
static inline bool cvgi_pending_numbered(const cvgi_table *table) {
    return table->windows[table->open].next < (UINT32_MAX >> 1) - 1;
}

/* Counts bytes that the open window takes from now on. */
static inline void cvgi_pending_count(cvgi_partition *partition, uint64_t bytes) {
    partition->pending_bytes += bytes;
    if (partition->pending_bytes > partition->stats.pending_bytes_peak)
        partition->stats.pending_bytes_peak = partition->pending_bytes;
}

/* Makes room for one image in the open window. CVG_E_MEMORY. */
int cvgi_pending_reserve(cvgi_partition *partition, cvgi_table *table);

/* A new pending row of table row `row`, as a copy of `base`, after a successful reserve. Never fails. */
uint8_t *cvgi_pending_add(cvgi_partition *partition, cvgi_table *table, uint32_t row, const uint8_t *base);

/* Empties a window whose images hold no blocks; its slabs go back to the pool, or to the allocator when the pool is
 * full. */
void cvgi_window_recycle(cvgi_partition *partition, cvgi_table *table, cvgi_window *window);

#endif
