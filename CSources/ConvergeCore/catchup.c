#include "catchup.h"

enum { GATHER = 16 };           /* marked rows fetched together */
enum { SKIPPED_ROW_COST = 16 }; /* bytes of the budget that walking over a dead row counts for */
enum { RANGE_AHEAD = 12 };      /* rows between a prefetch and its use */

/* --------------------------------------------------------------------------------------------------------- bitmaps */

static bool bitmap_has(const cvgi_bitmap *bitmap, uint32_t row) {
    const size_t word = row >> 6;
    return word < bitmap->word_count && bitmap->words[word] >> (row & 63) & 1;
}

/* Grows to hold `row`, and with headroom all rows there are, so that a growing kind does not copy it at every flush. */
static bool bitmap_grow(cvgi_bitmap *bitmap, cvgi_memory *memory, uint32_t row, uint32_t row_count) {
    const size_t least = ((size_t)(row >= row_count ? (size_t)row + 1 : row_count) + 63) / 64;
    const size_t word_count = least + least / 8 + 1;
    uint64_t *words = cvgi_allocate_zeroed(memory, word_count * sizeof *words, 64);
    if (!words) return false;
    if (bitmap->words) {
        memcpy(words, bitmap->words, bitmap->word_count * sizeof *words);
        cvgi_release(memory, bitmap->words, bitmap->word_count * sizeof *words);
    }
    bitmap->words = words;
    bitmap->word_count = word_count;
    return true;
}

static void bitmap_insert(cvgi_bitmap *bitmap, uint32_t row) {
    uint64_t *word = &bitmap->words[row >> 6];
    const uint64_t bit = 1ull << (row & 63);
    bitmap->set += !(*word & bit);
    *word |= bit;
}

static void bitmap_remove(cvgi_bitmap *bitmap, uint32_t row) {
    bitmap->words[row >> 6] &= ~(1ull << (row & 63));
    bitmap->set--;
}

static void bitmap_clear(cvgi_bitmap *bitmap) {
    if (bitmap->set) memset(bitmap->words, 0, bitmap->word_count * sizeof *bitmap->words);
    bitmap->set = 0;
}

static void bitmap_free(cvgi_bitmap *bitmap, cvgi_memory *memory) {
    cvgi_release(memory, bitmap->words, bitmap->word_count * sizeof *bitmap->words);
    *bitmap = (cvgi_bitmap){0};
}

/* --------------------------------------------------------------------------------------------------- begin and mark */

void cvgi_catchup_init(cvg_catchup *catchup, const cvgi_rows *rows, const cvgi_frame_kind *kind, cvg_class klass,
                       uint64_t installed_sequence) {
    *catchup = (cvg_catchup){
        .rows = rows,
        .kind = *kind,
        .klass = klass,
        .range_end = rows->count,
        .round_open = true,
        .round_sequence = installed_sequence,
    };
    cvgi_forms_init(&catchup->forms, kind, klass);
}

void cvgi_catchup_init_empty(cvg_catchup *catchup, const cvgi_rows *rows, const cvgi_frame_kind *kind, cvg_class klass,
                             uint64_t installed_sequence) {
    cvgi_catchup_init(catchup, rows, kind, klass, installed_sequence);
    catchup->range_end = 0;
    catchup->round_open = false;
    catchup->progress.sequence = installed_sequence;
}

void cvgi_catchup_free(cvg_catchup *catchup, cvgi_memory *memory) {
    bitmap_free(&catchup->current, memory);
    bitmap_free(&catchup->next, memory);
}

/* Every row is sent anew, so the round keeps its older S and still tells the truth about it. */
static void start_over(cvg_catchup *catchup) {
    bitmap_clear(&catchup->current);
    bitmap_clear(&catchup->next);
    catchup->cursor = 0;
    catchup->range_end = catchup->rows->count;
    catchup->send_tombstones = true;
    if (catchup->round_open) return;
    catchup->round_open = true;
    catchup->round_sequence = catchup->progress.sequence;
}

void cvgi_catchup_mark(cvg_catchup *catchup, cvgi_memory *memory, uint32_t row) {
    const bool waits_in_range = row >= catchup->cursor && row < catchup->range_end;
    if (waits_in_range || bitmap_has(&catchup->current, row)) return;
    cvgi_bitmap *next = &catchup->next;
    if (CVGI_UNLIKELY(row >> 6 >= next->word_count) && !bitmap_grow(next, memory, row, catchup->rows->count)) {
        start_over(catchup);
        return;
    }
    bitmap_insert(next, row);
}

/* ------------------------------------------------------------------------------------------------------------- walk */

/* One step's account. */
typedef struct walk {
    cvgi_encoder *encoder;
    size_t budget;
    size_t spent;
    uint64_t rows; /* sent */
} walk;

static bool is_spent(const walk *walk) {
    return walk->spent > 0 && walk->spent >= walk->budget;
}

static bool send(cvg_catchup *catchup, walk *walk, const uint8_t *row) {
    const size_t bytes = cvgi_encode_row(walk->encoder, &catchup->forms, row);
    if (bytes == 0) return false;
    walk->spent += bytes;
    walk->rows++;
    return true;
}

static inline void prefetch_row(const cvg_catchup *catchup, uint32_t row) {
    const uint8_t *image = cvgi_row_at(catchup->rows, row);
    const uint32_t bytes = catchup->rows->stride;
    for (uint32_t at = 0; at < bytes && at < 256; at += 64) __builtin_prefetch(image + at);
}

/* The block of a row whose image was prefetched before. */
static inline void prefetch_block(const cvg_catchup *catchup, uint32_t row) {
    if (catchup->rows->block_at != 0)
        __builtin_prefetch(cvgi_row_block(cvgi_row_at(catchup->rows, row), catchup->rows->block_at));
}

/* Walks the range until its end or the budget's. False: out of memory. */
static bool walk_range(cvg_catchup *catchup, walk *walk) {
    while (catchup->cursor < catchup->range_end && !is_spent(walk)) {
        const uint32_t ahead = catchup->cursor + RANGE_AHEAD;
        if (ahead < catchup->range_end) {
            prefetch_row(catchup, ahead);
            prefetch_block(catchup, ahead - RANGE_AHEAD / 2);
        }
        const uint8_t *row = cvgi_row_at(catchup->rows, catchup->cursor);
        const uint8_t flags = cvgi_row_flags(row);
        if (flags == CVGI_ROW_LIVE || (flags == CVGI_ROW_TOMBSTONE && catchup->send_tombstones)) {
            if (!send(catchup, walk, row)) return false;
        } else {
            walk->spent += SKIPPED_ROW_COST;
        }
        catchup->cursor++;
    }
    return true;
}

/* The next marked rows from the cursor on, their images on the way into the cache. */
static size_t gather(const cvg_catchup *catchup, uint32_t rows[GATHER]) {
    const cvgi_bitmap *current = &catchup->current;
    size_t count = 0, word = catchup->cursor >> 6;
    CVGI_ASSERT(word < current->word_count);
    uint64_t bits = current->words[word] & ~0ull << (catchup->cursor & 63);
    while (count < GATHER) {
        while (bits == 0) {
            if (++word == current->word_count) return count;
            bits = current->words[word];
        }
        const uint32_t row = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
        bits &= bits - 1;
        prefetch_row(catchup, row);
        rows[count++] = row;
    }
    return count;
}

/* Walks the marked rows until none is left or the budget's end. False: out of memory. */
static bool walk_marked(cvg_catchup *catchup, walk *walk) {
    while (catchup->current.set > 0) {
        uint32_t rows[GATHER];
        const size_t count = gather(catchup, rows);
        CVGI_ASSERT(count > 0);
        for (size_t i = 0; i < count; i++) prefetch_block(catchup, rows[i]);
        for (size_t i = 0; i < count; i++) {
            if (is_spent(walk)) return true;
            const uint8_t *row = cvgi_row_at(catchup->rows, rows[i]);
            CVGI_ASSERT(cvgi_row_flags(row) != 0);
            if (!send(catchup, walk, row)) return false;
            bitmap_remove(&catchup->current, rows[i]);
            catchup->cursor = rows[i] + 1;
        }
    }
    return true;
}

static bool has_walked_all(const cvg_catchup *catchup) {
    return catchup->cursor >= catchup->range_end && catchup->current.set == 0;
}

/* Ends a round that is walked and opens the next one. False: there is none, the reader is live. */
static bool turn(cvg_catchup *catchup, uint64_t installed_sequence) {
    cvg_catchup_progress *progress = &catchup->progress;
    if (catchup->round_open) {
        progress->rounds++;
        progress->sequence = catchup->round_sequence;
    }
    catchup->round_open = catchup->next.set > 0;
    if (!catchup->round_open) {
        progress->live = true;
        progress->sequence = installed_sequence;
        return false;
    }
    const cvgi_bitmap walked = catchup->current;
    catchup->current = catchup->next;
    catchup->next = walked;
    catchup->cursor = 0;
    catchup->range_end = 0;
    catchup->round_sequence = installed_sequence;
    return true;
}

int cvgi_catchup_step(cvg_catchup *catchup, cvgi_encoder *encoder, size_t byte_budget, uint64_t installed_sequence) {
    walk walk = {.encoder = encoder, .budget = byte_budget};
    bool memory = true;
    cvgi_encoder_begin(encoder);
    catchup->progress.live = false;
    while (memory) {
        if (has_walked_all(catchup)) {
            if (!turn(catchup, installed_sequence)) break;
        } else if (is_spent(&walk)) {
            break;
        } else {
            memory = catchup->range_end > 0 ? walk_range(catchup, &walk) : walk_marked(catchup, &walk);
        }
    }
    catchup->progress.rows += walk.rows;
    return memory || walk.spent > 0 ? CVG_OK : CVG_E_MEMORY;
}

uint64_t cvgi_catchup_left(const cvg_catchup *catchup) {
    return catchup->range_end > 0 ? catchup->range_end - catchup->cursor : catchup->current.set;
}
