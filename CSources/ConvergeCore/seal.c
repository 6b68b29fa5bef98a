#include "seal.h"

/* Rows are prefetched a block in front of the one at work, a block at a time: the page walks of a tight loop overlap.
 */
enum { BLOCK = 32 };

/* Created and retracted inside the window (W8): the row was never seen by anyone. */
static void forget(cvgi_partition *partition, cvgi_table *table, uint32_t row) {
    const uint8_t *id = cvgi_row_id(cvgi_row_at(&table->rows, row));
    cvgi_index_remove(&table->index, cvgi_hash(id, partition->hash_seed), row);
    cvgi_rows_give_back(&table->rows, row);
}

/* A sealed image that becomes nothing gives up its reference now: install looks at changes only. */
static void drop_block(cvgi_partition *partition, uint32_t block_at, uint8_t *now) {
    cvgi_block_release(&partition->blocks, cvgi_row_block(now, block_at));
    cvgi_row_set_block(now, block_at, NULL);
}

/* What became of one pending row. False: nothing. */
static bool diff(cvgi_partition *partition, cvgi_table *table, uint8_t *now, cvgi_change *change) {
    uint32_t row = cvgi_row_link(now);
    uint8_t *before = cvgi_row_at(&table->rows, row);
    bool was = cvgi_row_flags(before) == CVGI_ROW_LIVE;
    bool is = cvgi_row_source_set(now) != 0;
    const uint32_t block_at = table->rows.block_at;
    cvg_stats *stats = &partition->stats;
    uint64_t changed = 0;
    uint8_t what = 0;
    if (was && is) {
        changed = cvgi_merge_changed(&table->schema, cvgi_row_data_const(before), cvgi_row_data_const(now));
        if (CVGI_UNLIKELY(block_at != 0))
            changed |= cvgi_merge_changed_zone(&table->schema, block_at, before, now, changed);
        if (changed != 0)
            what = CVG_UPDATED;
        else if (cvgi_row_source_set(before) != cvgi_row_source_set(now))
            what = CVG_SOURCE_CHANGE;
    } else if (is) {
        what = CVG_CREATED;
        changed = table->schema.all;
    } else if (was) {
        what = CVG_DELETED;
    }
    if (what == 0) {
        cvgi_row_set_link(before, 0);
        if (CVGI_UNLIKELY(block_at != 0)) drop_block(partition, block_at, now);
        if (cvgi_row_flags(before) == 0) forget(partition, table, row);
        stats->deduplicated++;
        return false;
    }
    cvgi_row_set_version(now, cvgi_row_version(before) + (what != CVG_SOURCE_CHANGE)); /* W7 */
    now[49] = is ? CVGI_ROW_LIVE : CVGI_ROW_TOMBSTONE;
    *change = (cvgi_change){
        .now = now,
        .before = before,
        .changed = changed,
        .row = row,
        .what = what,
        .reason = what == CVG_DELETED ? CVG_REASON_RETRACT : 0,
    };
    stats->created += what == CVG_CREATED;
    stats->revived += what == CVG_CREATED && cvgi_row_flags(before) == CVGI_ROW_TOMBSTONE;
    stats->updated += what == CVG_UPDATED;
    stats->deleted += what == CVG_DELETED;
    return true;
}

/* A place in a window, some images in front of the one at work. */
typedef struct cursor {
    uint32_t image;
    uint32_t slot;
} cursor;

static const uint8_t *row_of(const cvgi_table *table, const uint8_t *image) {
    return cvgi_row_at(&table->rows, cvgi_row_link(image));
}

/* Moves to image `to` or the end, and prefetches each image on the way, or the table row that it names. */
static void run_ahead(const cvgi_table *table, const cvgi_window *window, cursor *at, uint32_t to, bool rows) {
    for (; at->image < window->count && at->image < to; at->image++) {
        const uint8_t *image = cvgi_window_at(table, window, at->slot);
        cvgi_row_prefetch(&table->rows, rows ? row_of(table, image) : image);
        at->slot = cvgi_window_after(table, at->slot);
    }
}

/* The same with the blocks of both. */
static void run_ahead_blocks(const cvgi_table *table, const cvgi_window *window, cursor *at, uint32_t to) {
    for (; at->image < window->count && at->image < to; at->image++) {
        const uint8_t *image = cvgi_window_at(table, window, at->slot);
        __builtin_prefetch(cvgi_row_block(image, table->rows.block_at));
        __builtin_prefetch(cvgi_row_block(row_of(table, image), table->rows.block_at));
        at->slot = cvgi_window_after(table, at->slot);
    }
}

static size_t seal_table(cvgi_partition *partition, cvgi_table *table, cvgi_change *changes) {
    const cvgi_window *window = &table->windows[table->open];
    cursor images = {0}, rows = {0}, blocks = {0};
    uint32_t slot = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        if (i % BLOCK == 0) {
            run_ahead(table, window, &images, i + 3 * BLOCK, false);
            run_ahead(table, window, &rows, i + 2 * BLOCK, true);
            if (CVGI_UNLIKELY(table->rows.block_at != 0)) run_ahead_blocks(table, window, &blocks, i + BLOCK);
        }
        count += diff(partition, table, cvgi_window_at(table, window, slot), &changes[count]);
        slot = cvgi_window_after(table, slot);
    }
    return count;
}

static bool reserve_changes(cvgi_partition *partition, cvg_batch *batch, size_t count) {
    if (count <= batch->change_capacity) return true;
    size_t capacity = 0;
    cvgi_change *changes = NULL;
    if (!cvgi_grow(&partition->memory, (void **)&changes, &capacity, count, sizeof *changes)) return false;
    cvgi_release(&partition->memory, batch->changes, batch->change_capacity * sizeof *changes);
    batch->changes = changes;
    batch->change_capacity = capacity;
    return true;
}

int cvgi_seal(cvgi_partition *partition, cvg_batch *batch) {
    CVGI_ASSERT(!batch->sealed && batch->section_capacity >= partition->touched_count);
    if (!reserve_changes(partition, batch, partition->pending_rows)) return CVG_E_MEMORY;
    size_t total = 0;
    for (size_t i = 0; i < partition->touched_count; i++) {
        cvgi_table *table = partition->touched[i];
        batch->section_of_kind[table->kind] = (uint32_t)i + 1;
        batch->sections[i] = (cvgi_section){
            .changes = batch->changes + total,
            .count = seal_table(partition, table, batch->changes + total),
            .all_fields = table->schema.all,
            .fixed_bytes = table->schema.fixed_bytes,
            .block_at = table->rows.block_at,
            .kind = table->kind,
            .schema = table->schema.version,
        };
        total += batch->sections[i].count;
        table->open ^= 1;
    }
    batch->section_count = partition->touched_count;
    batch->sealed = true;
    if (total > 0) {
        partition->stats.sequence++;
        partition->stats.flushes++;
    }
    batch->sequence = partition->stats.sequence;
    partition->touched_count = 0;
    cvgi_pending_note_peak(partition);
    partition->pending_rows = 0;
    partition->pending_bytes = 0;
    return CVG_OK;
}

static void count_sources(cvgi_partition *partition, uint64_t before, uint64_t now) {
    for (uint64_t left = before ^ now; left != 0; left &= left - 1) {
        unsigned source = (unsigned)__builtin_ctzll(left);
        if (now >> source & 1)
            partition->source_entities[source]++;
        else
            partition->source_entities[source]--;
    }
}

/* The table row gets the reference that the sealed image held. What it had before is no longer anyone's `previous`. */
static void move_block(cvgi_partition *partition, uint32_t block_at, uint8_t *row, const uint8_t *now) {
    cvgi_block_release(&partition->blocks, cvgi_row_block(row, block_at));
    cvgi_row_set_block(row, block_at, cvgi_row_block(now, block_at));
}

CVGI_INLINE void install_change(cvgi_partition *partition, cvgi_table *table, const cvgi_change *change, bool zones) {
    uint8_t *row = cvgi_row_at(&table->rows, change->row);
    count_sources(partition, cvgi_row_source_set(row), cvgi_row_source_set(change->now));
    if (change->what == CVG_CREATED) {
        table->entities++;
        partition->stats.entities++;
        partition->stats.tombstones -= cvgi_row_flags(row) == CVGI_ROW_TOMBSTONE;
    } else if (change->what == CVG_DELETED) {
        table->entities--;
        partition->stats.entities--;
        partition->stats.tombstones++;
    }
    const uint32_t link = cvgi_row_link(row);
    cvgi_copy(row + CVG_ID_BYTES, change->now + CVG_ID_BYTES,
              CVGI_ROW_DATA_AT - CVG_ID_BYTES + table->schema.fixed_bytes);
    cvgi_row_set_link(row, (link & 1) == table->open ? link : 0); /* the next window may have a row of it already */
    if (zones) move_block(partition, table->rows.block_at, row, change->now);
}

static void prefetch_changes(const cvgi_table *table, const cvgi_section *section, size_t from) {
    size_t to = from + BLOCK < section->count ? from + BLOCK : section->count;
    for (size_t i = from; i < to; i++) {
        cvgi_row_prefetch(&table->rows, section->changes[i].before);
        cvgi_row_prefetch(&table->rows, section->changes[i].now);
    }
}

/* Their counts: the rows that name them were prefetched a block before. */
static void prefetch_old_blocks(const cvgi_section *section, size_t from) {
    for (size_t i = from; i < section->count && i < from + BLOCK; i++)
        __builtin_prefetch(cvgi_row_block(section->changes[i].before, section->block_at), 1);
}

CVGI_INLINE void install_section(cvgi_partition *partition, cvgi_table *table, const cvgi_section *section,
                                 bool zones) {
    for (size_t i = 0; i < section->count; i++) {
        if (i % BLOCK == 0) prefetch_changes(table, section, i + BLOCK);
        if (zones && i % BLOCK == 0) prefetch_old_blocks(section, i);
        install_change(partition, table, &section->changes[i], zones);
    }
}

void cvgi_install(cvgi_partition *partition, cvg_batch *batch) {
    CVGI_ASSERT(batch->sealed);
    for (size_t s = 0; s < batch->section_count; s++) {
        const cvgi_section *section = &batch->sections[s];
        cvgi_table *table = cvgi_partition_table(partition, section->kind);
        if (CVGI_LIKELY(section->block_at == 0))
            install_section(partition, table, section, false);
        else
            install_section(partition, table, section, true);
        cvgi_window_recycle(partition, table, &table->windows[table->open ^ 1]);
        batch->section_of_kind[section->kind] = 0;
    }
    batch->section_count = 0;
    batch->sealed = false;
}
