/*
 * index - entity id to row number, growing one segment at a time.
 *
 *   id ─▶ hash ─▶ [INDEX] ─▶ row number ─▶ table row
 *
 *   directory, 2^depth pointers          segment: 1,024 cache lines           line: 12 slots in 64 bytes
 *   ┌───┐                                ┌──────────────────────┐             0        12         14     16        64
 *   │ ──┼──────────────────────────────▶ │ line 0               │             ├────────┼──────────┼──────┼─────────┤
 *   │ ──┼─┐ (several may share one)      │ ...                  │             │ u8 tags│ u16      │ u16  │ u32 rows│
 *   │ ──┼─┴─▶                            │ line 1,023           │             │  x 12  │ overflow │ meta │  x 12   │
 *   └───┘                                └──────────────────────┘             └────────┴──────────┴──────┴─────────┘
 *
 * The high bits of the hash choose the segment, ten bits the line where probing starts, eight bits the tag. A lookup
 * reads one line as a rule, and the row that it names. A full segment is split in two by the next hash bit; the
 * directory doubles when a segment splits that only one pointer leads to. So growth never pauses longer than one split.
 *
 * Invariants
 *   1. A slot is empty if and only if its tag is 0. meta of line 0 is the number of entries of the segment, meta of
 *      line 1 its depth: how many hash bits its entries share.
 *   2. overflow of a line is the number of entries that were probed past it: a lookup ends at the first line whose
 *      overflow is 0, and a removal takes one off each line it passed, so nothing is left behind.
 *   3. No segment holds more than CVGI_SEGMENT_FULL entries; every id is in it at most once.
 * Failure: a segment or the directory cannot be allocated, or ids were made to collide so that splitting does not
 * separate them: cvgi_index_reserve says CVG_E_MEMORY, the index is as before.
 */
#ifndef CVGI_INDEX_H
#define CVGI_INDEX_H

#include "hash.h"
#include "row.h"
#include "segments.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    CVGI_LINE_SLOTS = 12,
    CVGI_SEGMENT_LINES = 1024,
    CVGI_SEGMENT_FULL = CVGI_SEGMENT_LINES * CVGI_LINE_SLOTS / 8 * 7,
};

typedef struct cvgi_line {
    uint8_t tags[CVGI_LINE_SLOTS];
    uint16_t overflow;
    uint16_t meta;
    uint32_t rows[CVGI_LINE_SLOTS];
} cvgi_line;

typedef struct cvgi_index {
    cvgi_line **directory; /* NULL: nothing inserted yet */
    uint32_t depth;
    uint32_t segments; /* in the directory */
    uint64_t seed;
    cvgi_segments store;
} cvgi_index;

extern const cvgi_line cvgi_index_nothing[1];

void cvgi_index_init(cvgi_index *index, uint64_t seed);
void cvgi_index_free(cvgi_index *index, cvgi_memory *memory);

static inline size_t cvgi_index_entry(const cvgi_index *index, uint64_t hash) {
    return hash >> 1 >> (63 - index->depth); /* depth 0: none of its bits */
}

/* The line where probing for the hash starts: prefetch it before the lookup. Valid until the next reserve. */
static inline const cvgi_line *cvgi_index_line(const cvgi_index *index, uint64_t hash) {
    if (index->directory == NULL) return cvgi_index_nothing;
    return index->directory[cvgi_index_entry(index, hash)] + (hash >> 8 & (CVGI_SEGMENT_LINES - 1));
}

static inline uint8_t cvgi_index_tag(uint64_t hash) {
    uint8_t tag = (uint8_t)hash;
    return tag == 0 ? 1 : tag;
}

#if defined(__SSE2__)
/* Bit n: slot n of the line has this tag. */
static inline uint32_t cvgi_line_matches(const cvgi_line *line, uint8_t tag) {
    const __m128i tags = _mm_loadu_si128((const __m128i *)line); /* and four bytes more, which the mask leaves out */
    const uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag)));
    return equal & ((1u << CVGI_LINE_SLOTS) - 1);
}
#else
/* Bit n: byte n of the word is zero. Exact, because no carry leaves a byte. */
static inline uint32_t cvgi_zero_bytes(uint64_t word) {
    const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t high = ~(((word & low) + low) | word | low); /* 0x80 in each zero byte */
    return (uint32_t)((high >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

/* Bit n: slot n of the line has this tag. Two words of eight tags, four of them in both. */
static inline uint32_t cvgi_line_matches(const cvgi_line *line, uint8_t tag) {
    uint64_t wanted = UINT64_C(0x0101010101010101) * tag;
    uint32_t front = cvgi_zero_bytes(cvgi_load64(line->tags) ^ wanted);
    uint32_t back = cvgi_zero_bytes(cvgi_load64(line->tags + CVGI_LINE_SLOTS - 8) ^ wanted);
    return front | back << (CVGI_LINE_SLOTS - 8);
}
#endif

/* The first row in a line that may be the id's, to prefetch it; CVGI_ROW_NONE: none. A few in a hundred times there is
 * another, which goes to `other`. */
static inline uint32_t cvgi_index_candidates(const cvgi_line *line, uint64_t hash, uint32_t *other) {
    const uint32_t found = cvgi_line_matches(line, cvgi_index_tag(hash));
    if (found == 0) return CVGI_ROW_NONE;
    const uint32_t more = found & (found - 1);
    if (CVGI_UNLIKELY(more != 0)) *other = line->rows[__builtin_ctz(more)];
    return line->rows[__builtin_ctz(found)];
}

/* The same in the lines behind the first, when that has overflow; and the lines themselves, to prefetch. */
uint32_t cvgi_index_candidates_further(const cvgi_index *index, uint64_t hash, uint32_t *other);
void cvgi_index_prefetch_further(const cvgi_index *index, uint64_t hash);

/* The row number of the id, or CVGI_ROW_NONE. */
uint32_t cvgi_index_find(const cvgi_index *index, const cvgi_rows *rows, uint64_t hash, const uint8_t *id);

/* Makes room for one entry with this hash. CVG_E_MEMORY. */
int cvgi_index_reserve(cvgi_index *index, cvgi_memory *memory, const cvgi_rows *rows, uint64_t hash);

/* An id that is not in the index, after a successful reserve for its hash. Never fails. */
void cvgi_index_insert(cvgi_index *index, uint64_t hash, uint32_t row);

/* An id that is in the index. */
void cvgi_index_remove(cvgi_index *index, uint64_t hash, uint32_t row);

#endif
