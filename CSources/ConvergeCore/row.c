#include "row.h"

/* Most kinds have few rows: of a kind's first slab only the pages that are used shall be there. The others are aligned
 * to their size, so that an allocator that asks for huge pages gets one for each. */
static size_t slab_alignment(const cvgi_rows *rows) {
    return rows->slab_count == 0 ? 4096 : CVGI_SLAB_BYTES;
}

static size_t slab_bytes(const cvgi_rows *rows) {
    return (size_t)rows->stride << rows->shift;
}

void cvgi_rows_init(cvgi_rows *rows, uint32_t fixed_bytes, bool variable) {
    enum { BLOCK = sizeof(cvgi_block *) };
    *rows = (cvgi_rows){0};
    rows->stride = (CVGI_ROW_DATA_AT + fixed_bytes + (variable ? BLOCK : 0) + 63) & ~63u;
    rows->block_at = variable ? rows->stride - BLOCK : 0;
    while (slab_bytes(rows) * 2 <= CVGI_SLAB_BYTES) rows->shift++;
    rows->mask = (1u << rows->shift) - 1;
}

void cvgi_rows_free(cvgi_rows *rows, cvgi_memory *memory) {
    for (size_t slab = 0; slab < rows->slab_count; slab++) cvgi_release(memory, rows->slabs[slab], slab_bytes(rows));
    cvgi_release(memory, rows->slabs, rows->slab_capacity * sizeof *rows->slabs);
    *rows = (cvgi_rows){0};
}

uint32_t cvgi_rows_take(cvgi_rows *rows, cvgi_memory *memory, const uint8_t *id, int *status) {
    uint32_t row = rows->free_head - 1;
    if (rows->free_head != 0) {
        rows->free_head = cvgi_row_link(cvgi_row_at(rows, row));
    } else {
        row = rows->count;
        if (row == CVGI_ROW_NONE - 1) {
            *status = CVG_E_ROWS;
            return CVGI_ROW_NONE;
        }
        if (row >> rows->shift == rows->slab_count) {
            uint8_t *slab = NULL;
            if (cvgi_grow(memory, (void **)&rows->slabs, &rows->slab_capacity, rows->slab_count + 1,
                          sizeof *rows->slabs))
                slab = cvgi_allocate(memory, slab_bytes(rows), slab_alignment(rows));
            if (slab == NULL) {
                *status = CVG_E_MEMORY;
                return CVGI_ROW_NONE;
            }
            rows->slabs[rows->slab_count++] = slab;
        }
        rows->count++;
    }
    uint8_t *image = cvgi_row_at(rows, row);
    memset(image, 0, rows->stride);
    memcpy(image, id, CVG_ID_BYTES);
    return row;
}

void cvgi_rows_give_back(cvgi_rows *rows, uint32_t row) {
    uint8_t *image = cvgi_row_at(rows, row);
    CVGI_ASSERT(cvgi_row_flags(image) == 0);
    cvgi_row_set_link(image, rows->free_head);
    rows->free_head = row + 1;
}
