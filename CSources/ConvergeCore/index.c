#include "index.h"

/* The directory may have this many pointers a segment: hash values spread evenly need 2 to 4, values made to collide
 * would double it without end. */
#define DIRECTORY_PER_SEGMENT 64

_Static_assert(sizeof(cvgi_line) == CVGI_CACHE_LINE, "a lookup reads one cache line");
_Static_assert(sizeof(cvgi_line) * CVGI_SEGMENT_LINES == CVGI_SEGMENT_BYTES, "a segment is its lines");

const cvgi_line cvgi_index_nothing[1];

static inline uint32_t start_of(uint64_t hash) {
    return (uint32_t)(hash >> 8) & (CVGI_SEGMENT_LINES - 1);
}

static inline cvgi_line *segment_of(const cvgi_index *index, uint64_t hash) {
    return index->directory[cvgi_index_entry(index, hash)];
}

static inline uint32_t after(uint32_t line) {
    return (line + 1) & (CVGI_SEGMENT_LINES - 1);
}

void cvgi_index_init(cvgi_index *index, uint64_t seed) {
    *index = (cvgi_index){.seed = seed};
}

void cvgi_index_free(cvgi_index *index, cvgi_memory *memory) {
    if (index->directory != NULL)
        cvgi_release(memory, index->directory, ((size_t)1 << index->depth) * sizeof *index->directory);
    cvgi_segments_free(&index->store, memory);
    *index = (cvgi_index){.seed = index->seed};
}

void cvgi_index_prefetch_further(const cvgi_index *index, uint64_t hash) {
    const cvgi_line *segment = segment_of(index, hash);
    uint32_t next = after(start_of(hash));
    __builtin_prefetch(&segment[next]);
    __builtin_prefetch(&segment[after(next)]);
}

uint32_t cvgi_index_candidates_further(const cvgi_index *index, uint64_t hash, uint32_t *other) {
    const cvgi_line *segment = segment_of(index, hash);
    uint32_t at = start_of(hash);
    for (uint32_t probed = 0; probed < CVGI_SEGMENT_LINES && segment[at].overflow != 0; probed++) {
        at = after(at);
        uint32_t row = cvgi_index_candidates(&segment[at], hash, other);
        if (row != CVGI_ROW_NONE) return row;
    }
    return CVGI_ROW_NONE;
}

uint32_t cvgi_index_find(const cvgi_index *index, const cvgi_rows *rows, uint64_t hash, const uint8_t *id) {
    if (index->directory == NULL) return CVGI_ROW_NONE;
    const cvgi_line *segment = segment_of(index, hash);
    uint32_t at = start_of(hash);
    for (uint32_t probed = 0; probed < CVGI_SEGMENT_LINES; probed++, at = after(at)) {
        const cvgi_line *line = &segment[at];
        for (uint32_t found = cvgi_line_matches(line, cvgi_index_tag(hash)); found != 0; found &= found - 1) {
            uint32_t row = line->rows[__builtin_ctz(found)];
            if (memcmp(cvgi_row_id(cvgi_row_at(rows, row)), id, CVG_ID_BYTES) == 0) return row;
        }
        if (line->overflow == 0) break;
    }
    return CVGI_ROW_NONE;
}

static void segment_insert(cvgi_line *segment, uint64_t hash, uint32_t row) {
    uint32_t at = start_of(hash);
    uint32_t empty;
    while ((empty = cvgi_line_matches(&segment[at], 0)) == 0) {
        segment[at].overflow++;
        at = after(at);
    }
    unsigned slot = (unsigned)__builtin_ctz(empty);
    segment[at].tags[slot] = cvgi_index_tag(hash);
    segment[at].rows[slot] = row;
    segment[0].meta++;
}

static cvgi_line *segment_new(cvgi_index *index, cvgi_memory *memory, uint32_t depth) {
    cvgi_line *segment = cvgi_segments_take(&index->store, memory);
    if (segment == NULL) return NULL;
    segment[1].meta = (uint16_t)depth;
    index->segments++;
    return segment;
}

static void segment_drop(cvgi_index *index, cvgi_line *segment) {
    if (segment == NULL) return;
    index->segments--;
    cvgi_segments_give_back(&index->store, segment);
}

static bool directory_double(cvgi_index *index, cvgi_memory *memory) {
    size_t entries = (size_t)1 << index->depth;
    if (entries >= (size_t)index->segments * DIRECTORY_PER_SEGMENT) return false;
    cvgi_line **doubled = cvgi_allocate(memory, 2 * entries * sizeof *doubled, CVGI_CACHE_LINE);
    if (doubled == NULL) return false;
    for (size_t entry = 0; entry < entries; entry++)
        doubled[2 * entry] = doubled[2 * entry + 1] = index->directory[entry];
    cvgi_release(memory, index->directory, entries * sizeof *index->directory);
    index->directory = doubled;
    index->depth++;
    return true;
}

static void prefetch_ids(const cvgi_line *line, const cvgi_rows *rows) {
    for (unsigned slot = 0; slot < CVGI_LINE_SLOTS; slot++)
        if (line->tags[slot] != 0) __builtin_prefetch(cvgi_row_at(rows, line->rows[slot]));
}

/* The ids are in the rows alone, so every row of the segment is visited: prefetched two lines ahead. */
static int split(cvgi_index *index, cvgi_memory *memory, const cvgi_rows *rows, uint64_t hash) {
    cvgi_line *old = segment_of(index, hash);
    uint32_t depth = old[1].meta;
    if (depth == index->depth && !directory_double(index, memory)) return CVG_E_MEMORY;
    cvgi_line *halves[2] = {segment_new(index, memory, depth + 1), segment_new(index, memory, depth + 1)};
    if (halves[0] == NULL || halves[1] == NULL) {
        segment_drop(index, halves[0]);
        segment_drop(index, halves[1]);
        return CVG_E_MEMORY; /* a doubled directory leads to the same segments: nothing to take back */
    }
    for (uint32_t at = 0; at < CVGI_SEGMENT_LINES; at++) {
        if (at + 2 < CVGI_SEGMENT_LINES) prefetch_ids(&old[at + 2], rows);
        for (unsigned slot = 0; slot < CVGI_LINE_SLOTS; slot++) {
            if (old[at].tags[slot] == 0) continue;
            uint32_t row = old[at].rows[slot];
            uint64_t moved = cvgi_hash(cvgi_row_id(cvgi_row_at(rows, row)), index->seed);
            segment_insert(halves[moved >> (63 - depth) & 1], moved, row);
        }
    }
    /* Directory entries that lead to the same segment stand together. */
    const size_t entries = (size_t)1 << (index->depth - depth);
    size_t first = cvgi_index_entry(index, hash) & ~(entries - 1);
    for (size_t entry = 0; entry < entries; entry++) index->directory[first + entry] = halves[entry >= entries / 2];
    segment_drop(index, old);
    return CVG_OK;
}

static int first_segment(cvgi_index *index, cvgi_memory *memory) {
    cvgi_line **directory = cvgi_allocate(memory, sizeof *directory, CVGI_CACHE_LINE);
    if (directory == NULL) return CVG_E_MEMORY;
    directory[0] = segment_new(index, memory, 0);
    if (directory[0] == NULL) {
        cvgi_release(memory, directory, sizeof *directory);
        return CVG_E_MEMORY;
    }
    index->directory = directory;
    return CVG_OK;
}

int cvgi_index_reserve(cvgi_index *index, cvgi_memory *memory, const cvgi_rows *rows, uint64_t hash) {
    if (CVGI_UNLIKELY(index->directory == NULL)) return first_segment(index, memory);
    while (CVGI_UNLIKELY(segment_of(index, hash)[0].meta >= CVGI_SEGMENT_FULL)) {
        int status = split(index, memory, rows, hash);
        if (status != CVG_OK) return status;
    }
    return CVG_OK;
}

void cvgi_index_insert(cvgi_index *index, uint64_t hash, uint32_t row) {
    cvgi_line *segment = segment_of(index, hash);
    CVGI_ASSERT(segment[0].meta < CVGI_SEGMENT_FULL);
    segment_insert(segment, hash, row);
}

void cvgi_index_remove(cvgi_index *index, uint64_t hash, uint32_t row) {
    cvgi_line *segment = segment_of(index, hash);
    uint32_t at = start_of(hash);
    for (uint32_t probed = 0; probed < CVGI_SEGMENT_LINES; probed++, at = after(at)) {
        for (uint32_t found = cvgi_line_matches(&segment[at], cvgi_index_tag(hash)); found != 0; found &= found - 1) {
            unsigned slot = (unsigned)__builtin_ctz(found);
            if (segment[at].rows[slot] != row) continue;
            segment[at].tags[slot] = 0;
            segment[at].rows[slot] = 0;
            segment[0].meta--;
            for (uint32_t passed = start_of(hash); passed != at; passed = after(passed)) segment[passed].overflow--;
            return;
        }
    }
    CVGI_ASSERT(false); /* the entry is in the index */
}
