#include "engine.h"

#define PENDING_BYTES_DEFAULT (UINT64_C(64) << 20)

static cvgi_table *table_of(const cvg_engine *engine, uint16_t kind) {
    return cvgi_partition_table(&engine->partition, kind);
}

static cvg_data show_data(const uint8_t *image, uint32_t fixed_bytes, uint32_t block_at) {
    const cvgi_block *block = cvgi_row_block(image, block_at);
    return (cvg_data){
        .fixed = cvgi_row_data_const(image),
        .variable = block == NULL ? NULL : block->zone,
        .fixed_bytes = fixed_bytes,
        .variable_bytes = cvgi_block_bytes(block),
    };
}

/* ---------------------------------------------------------------------------------------------------------- engine */

int cvg_engine_create(const cvg_options *options, cvg_engine **engine) {
    static const cvg_options zero;
    if (options == NULL) options = &zero;
    cvgi_memory memory;
    cvgi_memory_init(&memory, &options->allocator);
    cvg_engine *created = cvgi_allocate_zeroed(&memory, sizeof *created, CVGI_CACHE_LINE);
    if (created == NULL) return CVG_E_MEMORY;
    created->partition.memory = memory;
    created->partition.hash_seed = options->hash_seed;
    created->partition.pending_bytes_max =
        options->pending_bytes_max == 0 ? PENDING_BYTES_DEFAULT : options->pending_bytes_max;
    cvgi_blocks_init(&created->partition.blocks, &created->partition.memory, created->partition.pending_bytes_max);
    int status = cvgi_encoder_init(&created->encoder, &created->partition.memory);
    if (status != CVG_OK) {
        cvgi_release(&memory, created, sizeof *created);
        return status;
    }
    *engine = created;
    return CVG_OK;
}

static void free_readers(cvgi_partition *partition, cvgi_table *table) {
    while (table->readers != NULL) {
        cvg_catchup *reader = table->readers;
        table->readers = reader->next_reader;
        cvgi_catchup_free(reader, &partition->memory);
        cvgi_release(&partition->memory, reader, sizeof *reader);
    }
}

void cvg_engine_destroy(cvg_engine *engine) {
    if (engine == NULL) return;
    cvgi_partition *partition = &engine->partition;
    cvgi_memory *memory = &partition->memory;
    cvg_batch *batch = &engine->batch;
    for (size_t kind = 0; kind < partition->table_limit; kind++) {
        cvgi_table *table = partition->tables[kind];
        if (table == NULL) continue;
        free_readers(partition, table);
        cvgi_table_free(table, partition);
        cvgi_release(memory, table, sizeof *table);
    }
    cvgi_pending_free_spares(partition);
    cvgi_encoder_free(&engine->encoder);
    cvgi_release(memory, partition->tables, partition->table_limit * sizeof(cvgi_table *));
    cvgi_release(memory, partition->touched, partition->touched_capacity * sizeof(cvgi_table *));
    cvgi_release(memory, batch->section_of_kind, batch->kind_limit * sizeof(uint32_t));
    cvgi_release(memory, batch->sections, batch->section_capacity * sizeof(cvgi_section));
    cvgi_release(memory, batch->changes, batch->change_capacity * sizeof(cvgi_change));
    cvgi_memory last = *memory;
    cvgi_release(&last, engine, sizeof *engine);
    CVGI_ASSERT(last.in_use == 0);
}

/* ----------------------------------------------------------------------------------------------------------- kinds */

/* Both maps by kind number, and room for one more kind in touched and sections (invariant 1). */
static bool make_room(cvg_engine *engine, uint16_t kind) {
    cvgi_partition *partition = &engine->partition;
    cvgi_memory *memory = &partition->memory;
    cvg_batch *batch = &engine->batch;
    size_t tables = partition->table_limit;
    size_t map = batch->kind_limit;
    size_t wanted = engine->kind_count + 1;
    if (!cvgi_grow(memory, (void **)&partition->tables, &partition->table_limit, (size_t)kind + 1,
                   sizeof(cvgi_table *)))
        return false;
    memset(partition->tables + tables, 0, (partition->table_limit - tables) * sizeof(cvgi_table *));
    if (!cvgi_grow(memory, (void **)&batch->section_of_kind, &batch->kind_limit, (size_t)kind + 1, sizeof(uint32_t)))
        return false;
    memset(batch->section_of_kind + map, 0, (batch->kind_limit - map) * sizeof(uint32_t));
    return cvgi_grow(memory, (void **)&partition->touched, &partition->touched_capacity, wanted,
                     sizeof(cvgi_table *)) &&
           cvgi_grow(memory, (void **)&batch->sections, &batch->section_capacity, wanted, sizeof(cvgi_section));
}

int cvg_kind_create(cvg_engine *engine, uint16_t kind, const cvg_definition *definition) {
    if (kind == 0) return CVG_E_KIND;
    if (table_of(engine, kind) != NULL) return CVG_E_EXISTS;
    cvgi_partition *partition = &engine->partition;
    cvgi_table *table = cvgi_allocate(&partition->memory, sizeof *table, CVGI_CACHE_LINE);
    if (table == NULL) return CVG_E_MEMORY;
    int status = cvgi_schema_compile(&table->schema, &partition->memory, definition);
    if (status == CVG_OK && !make_room(engine, kind)) {
        cvgi_schema_free(&table->schema, &partition->memory);
        status = CVG_E_MEMORY;
    }
    if (status != CVG_OK) {
        cvgi_release(&partition->memory, table, sizeof *table);
        return status;
    }
    cvgi_table_init(table, kind, partition->hash_seed);
    partition->tables[kind] = table;
    engine->kind_count++;
    return CVG_OK;
}

int cvg_kind_discard(cvg_engine *engine, uint16_t kind) {
    cvgi_partition *partition = &engine->partition;
    cvgi_table *table = table_of(engine, kind);
    if (table == NULL) return CVG_E_KIND;
    CVGI_ASSERT(table->rows.count == 0 && table->readers == NULL);
    cvgi_table_free(table, partition);
    cvgi_release(&partition->memory, table, sizeof *table);
    partition->tables[kind] = NULL;
    engine->kind_count--;
    return CVG_OK;
}

uint32_t cvg_kind_fixed_bytes(const cvg_engine *engine, uint16_t kind) {
    const cvgi_table *table = table_of(engine, kind);
    return table == NULL ? 0 : table->schema.fixed_bytes;
}

uint64_t cvg_kind_entities(const cvg_engine *engine, uint16_t kind) {
    const cvgi_table *table = table_of(engine, kind);
    return table == NULL ? 0 : table->entities;
}

/* ------------------------------------------------------------------------------------------- writing, seal, install */

int cvg_apply(cvg_engine *engine, const cvg_op *ops, size_t count, cvg_refusal *refusals, size_t refusals_max,
              cvg_applied *applied) {
    return cvgi_apply(&engine->partition, ops, count, refusals, refusals_max, applied);
}

cvg_pending cvg_pending_size(const cvg_engine *engine) {
    return (cvg_pending){.rows = engine->partition.pending_rows, .bytes = engine->partition.pending_bytes};
}

int cvg_seal(cvg_engine *engine, const cvg_batch **batch) {
    if (engine->batch.sealed) return CVG_E_SEALED;
    if (engine->partition.pending_rows == 0) return CVG_E_EMPTY;
    int status = cvgi_seal(&engine->partition, &engine->batch);
    if (status == CVG_OK) *batch = &engine->batch;
    return status;
}

uint64_t cvg_batch_sequence(const cvg_batch *batch) {
    return batch->sequence;
}

size_t cvg_batch_changes(const cvg_batch *batch, uint16_t kind) {
    const cvgi_section *section = cvgi_batch_section(batch, kind);
    return section == NULL ? 0 : section->count;
}

void cvg_batch_change(const cvg_batch *batch, uint16_t kind, size_t index, cvg_change *change) {
    const cvgi_section *section = cvgi_batch_section(batch, kind);
    CVGI_ASSERT(section != NULL && index < section->count);
    const cvgi_change *from = &section->changes[index];
    const cvg_data none = {0};
    *change = (cvg_change){
        .id = cvgi_row_id(from->now),
        .data = from->what == CVG_DELETED ? none : show_data(from->now, section->fixed_bytes, section->block_at),
        .previous = from->what == CVG_CREATED ? none : show_data(from->before, section->fixed_bytes, section->block_at),
        .source_set = cvgi_row_source_set(from->now),
        .version = cvgi_row_version(from->now),
        .changed = from->changed,
        .what = from->what,
        .reason = from->reason,
    };
}

/* Readers in catch-up have missed every change that live readers were told of. */
static void mark_readers(cvg_engine *engine) {
    for (size_t s = 0; s < engine->batch.section_count; s++) {
        const cvgi_section *section = &engine->batch.sections[s];
        for (cvg_catchup *reader = table_of(engine, section->kind)->readers; reader != NULL;
             reader = reader->next_reader)
            for (size_t i = 0; i < section->count; i++)
                if (section->changes[i].what != CVG_SOURCE_CHANGE)
                    cvgi_catchup_mark(reader, &engine->partition.memory, section->changes[i].row);
    }
}

void cvg_install(cvg_engine *engine, const cvg_batch *batch) {
    CVGI_ASSERT(batch == &engine->batch && engine->batch.sealed);
    mark_readers(engine);
    engine->installed_sequence = engine->batch.sequence;
    cvgi_install(&engine->partition, &engine->batch);
}

/* --------------------------------------------------------------------------------------------------------- queries */

static void show_row(const cvgi_table *table, const uint8_t *image, cvg_row *row) {
    bool alive = cvgi_row_flags(image) == CVGI_ROW_LIVE;
    *row = (cvg_row){
        .id = cvgi_row_id(image),
        .data = alive ? show_data(image, table->schema.fixed_bytes, table->rows.block_at) : (cvg_data){0},
        .version = cvgi_row_version(image),
        .source_set = cvgi_row_source_set(image),
        .presence = alive ? CVG_ALIVE : CVG_TOMBSTONE,
        .schema = cvgi_row_schema(image),
    };
}

int cvg_query(const cvg_engine *engine, uint16_t kind, const uint8_t id[CVG_ID_BYTES], cvg_row *row) {
    const cvgi_table *table = table_of(engine, kind);
    if (table == NULL) return CVG_E_KIND;
    const uint8_t *image = cvgi_query_row(table, id);
    if (image == NULL)
        *row = (cvg_row){.presence = CVG_NOT_FOUND};
    else
        show_row(table, image, row);
    return CVG_OK;
}

bool cvg_scan(const cvg_engine *engine, uint16_t kind, uint64_t *cursor, cvg_row *row) {
    const cvgi_table *table = table_of(engine, kind);
    if (table == NULL) return false;
    while (*cursor < table->rows.count) {
        const uint8_t *image = cvgi_row_at(&table->rows, (uint32_t)(*cursor)++);
        if (cvgi_row_flags(image) == 0) continue;
        show_row(table, image, row);
        return true;
    }
    return false;
}

int cvg_encode_query(const cvg_engine *engine, uint16_t kind, const uint8_t id[CVG_ID_BYTES], uint16_t stream,
                     uint8_t *buffer, size_t capacity, size_t *bytes) {
    const cvgi_table *table = table_of(engine, kind);
    if (table == NULL) return CVG_E_KIND;
    cvgi_frame_kind as = cvgi_query_frame_kind(table);
    return cvgi_encode_result(&as, cvgi_query_row(table, id), stream, buffer, capacity, bytes);
}

int cvg_encode_queries(const cvg_engine *engine, const cvg_lookup *lookups, size_t count, uint8_t *buffer,
                       size_t capacity, cvg_answered *answered) {
    return cvgi_query_encode(&engine->partition, lookups, count, buffer, capacity, answered);
}

size_t cvg_query_frame_bytes_max(const cvg_engine *engine, uint16_t kind) {
    const cvgi_table *table = table_of(engine, kind);
    return table == NULL ? 0 : cvgi_result_bytes_max(table->schema.fixed_bytes + table->schema.variable_bytes_max);
}

uint64_t cvg_source_entities(const cvg_engine *engine, uint8_t source) {
    return source < CVG_SOURCES ? engine->partition.source_entities[source] : 0;
}

/* ------------------------------------------------------------------------------------------- segments and catch-up */

int cvg_encode(cvg_engine *engine, const cvg_batch *batch, uint16_t kind, cvg_class klass, cvg_slices *slices) {
    CVGI_ASSERT(batch == &engine->batch && engine->batch.sealed);
    *slices = (cvg_slices){0};
    if (table_of(engine, kind) == NULL) return CVG_E_KIND;
    const cvgi_section *section = cvgi_batch_section(batch, kind);
    if (section == NULL) return CVG_OK;
    int status = cvgi_encode_section(&engine->encoder, section, klass);
    if (status == CVG_OK) *slices = cvgi_encoder_slices(&engine->encoder);
    return status;
}

typedef void catchup_init(cvg_catchup *catchup, const cvgi_rows *rows, const cvgi_frame_kind *kind, cvg_class klass,
                          uint64_t installed_sequence);

static int begin_reader(cvg_engine *engine, uint16_t kind, cvg_class klass, catchup_init *init, cvg_catchup **catchup) {
    cvgi_table *table = table_of(engine, kind);
    if (table == NULL) return CVG_E_KIND;
    cvg_catchup *reader = cvgi_allocate(&engine->partition.memory, sizeof *reader, CVGI_CACHE_LINE);
    if (reader == NULL) return CVG_E_MEMORY;
    cvgi_frame_kind as = cvgi_query_frame_kind(table);
    init(reader, &table->rows, &as, klass, engine->installed_sequence);
    reader->previous = NULL;
    reader->next_reader = table->readers;
    if (reader->next_reader != NULL) reader->next_reader->previous = reader;
    table->readers = reader;
    engine->reader_count++;
    *catchup = reader;
    return CVG_OK;
}

int cvg_catchup_begin(cvg_engine *engine, uint16_t kind, cvg_class klass, cvg_catchup **catchup) {
    return begin_reader(engine, kind, klass, cvgi_catchup_init, catchup);
}

int cvg_catchup_begin_empty(cvg_engine *engine, uint16_t kind, cvg_class klass, cvg_catchup **catchup) {
    return begin_reader(engine, kind, klass, cvgi_catchup_init_empty, catchup);
}

int cvg_catchup_step(cvg_engine *engine, cvg_catchup *catchup, size_t byte_budget, cvg_slices *slices,
                     cvg_catchup_progress *progress) {
    int status = cvgi_catchup_step(catchup, &engine->encoder, byte_budget, engine->installed_sequence);
    *slices = cvgi_encoder_slices(&engine->encoder);
    *progress = catchup->progress;
    return status;
}

uint64_t cvg_catchup_estimate(const cvg_catchup *catchup) {
    return cvgi_catchup_left(catchup);
}

void cvg_catchup_end(cvg_engine *engine, cvg_catchup *catchup) {
    if (catchup == NULL) return;
    cvgi_memory *memory = &engine->partition.memory;
    if (catchup->previous != NULL)
        catchup->previous->next_reader = catchup->next_reader;
    else
        table_of(engine, catchup->kind.kind)->readers = catchup->next_reader;
    if (catchup->next_reader != NULL) catchup->next_reader->previous = catchup->previous;
    cvgi_catchup_free(catchup, memory);
    cvgi_release(memory, catchup, sizeof *catchup);
    engine->reader_count--;
}

/* ------------------------------------------------------------------------------------------------------ statistics */

void cvg_stats_read(const cvg_engine *engine, cvg_stats *stats) {
    const cvgi_partition *partition = &engine->partition;
    *stats = partition->stats;
    stats->pending_rows = partition->pending_rows;
    stats->pending_bytes = partition->pending_bytes;
    if (stats->pending_bytes_peak < stats->pending_bytes) stats->pending_bytes_peak = stats->pending_bytes;
    stats->pending_bytes_max = partition->pending_bytes_max;
    stats->segment_bytes = cvgi_encoder_segment_bytes(&engine->encoder);
    stats->memory_bytes = partition->memory.in_use + stats->segment_bytes;
    stats->catchups = engine->reader_count;
}
