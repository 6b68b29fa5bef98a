#include "block.h"

enum { SMALL_CLASSES = 3, FIRST_POWER = 6 }; /* 32, 48, 64; then (2^6, 2^7] and on */

_Static_assert(sizeof(cvgi_block) == CVGI_BLOCK_HEADER_BYTES, "the zone begins right behind the header");

/* The smallest class that `size` bytes fit in. */
static uint32_t class_of(uint32_t size) {
    if (size <= 64) return size <= 32 ? 0 : size <= 48 ? 1 : 2;
    uint32_t power = 31 - (uint32_t)__builtin_clz(size - 1);
    return SMALL_CLASSES + (power - FIRST_POWER) * 4 + ((size - 1 - (1u << power)) >> (power - 2));
}

static uint32_t size_of_class(uint32_t size_class) {
    if (size_class < SMALL_CLASSES) return 32 + 16 * size_class;
    uint32_t power = FIRST_POWER + (size_class - SMALL_CLASSES) / 4;
    return (1u << power) + (((size_class - SMALL_CLASSES) % 4 + 1) << (power - 2));
}

void cvgi_blocks_init(cvgi_blocks *blocks, cvgi_memory *memory, uint64_t spare_bytes_max) {
    *blocks = (cvgi_blocks){.memory = memory, .spare_bytes_max = spare_bytes_max};
}

uint32_t cvgi_block_size(uint32_t bytes) {
    return bytes == 0 ? 0 : size_of_class(class_of(CVGI_BLOCK_HEADER_BYTES + bytes));
}

uint32_t cvgi_block_footprint(const cvgi_block *block) {
    return size_of_class(block->size_class);
}

static cvgi_block *spare_take(cvgi_blocks *blocks, uint32_t size_class) {
    cvgi_block *block = blocks->spares[size_class];
    memcpy(&blocks->spares[size_class], block->zone, sizeof block);
    blocks->spare_bytes -= size_of_class(size_class);
    if (blocks->spares[size_class] != NULL) __builtin_prefetch(blocks->spares[size_class], 1);
    return block;
}

static void spare_put(cvgi_blocks *blocks, cvgi_block *block) {
    memcpy(block->zone, &blocks->spares[block->size_class], sizeof block);
    blocks->spares[block->size_class] = block;
    blocks->spare_bytes += size_of_class(block->size_class);
}

cvgi_block *cvgi_block_take(cvgi_blocks *blocks, uint32_t bytes) {
    CVGI_ASSERT(bytes >= 1 && bytes <= CVG_ROW_BYTES_MAX - CVGI_BLOCK_HEADER_BYTES);
    uint32_t size_class = class_of(CVGI_BLOCK_HEADER_BYTES + bytes);
    cvgi_block *block = blocks->spares[size_class] != NULL
                            ? spare_take(blocks, size_class)
                            : cvgi_allocate(blocks->memory, size_of_class(size_class), _Alignof(max_align_t));
    if (block == NULL) return NULL;
    block->references = 1;
    block->bytes = bytes;
    block->size_class = size_class;
    return block;
}

/* Gives one spare back to the allocator, the classes in turn. There is one. */
static void evict(cvgi_blocks *blocks, uint32_t but) {
    uint32_t passed = 0;
    while (blocks->spares[blocks->eviction] == NULL || (blocks->eviction == but && passed < CVGI_BLOCK_CLASSES)) {
        blocks->eviction = (blocks->eviction + 1) % CVGI_BLOCK_CLASSES;
        passed++;
    }
    cvgi_release(blocks->memory, spare_take(blocks, blocks->eviction), size_of_class(blocks->eviction));
}

void cvgi_block_release(cvgi_blocks *blocks, cvgi_block *block) {
    if (block == NULL) return;
    CVGI_ASSERT(block->references > 0);
    if (--block->references > 0) return;
    uint32_t size = cvgi_block_footprint(block);
    if (CVGI_UNLIKELY(size > blocks->spare_bytes_max)) {
        cvgi_release(blocks->memory, block, size);
        return;
    }
    spare_put(blocks, block);
    while (CVGI_UNLIKELY(blocks->spare_bytes > blocks->spare_bytes_max)) evict(blocks, block->size_class);
}

void cvgi_blocks_free_spares(cvgi_blocks *blocks) {
    for (uint32_t size_class = 0; size_class < CVGI_BLOCK_CLASSES; size_class++)
        while (blocks->spares[size_class] != NULL)
            cvgi_release(blocks->memory, spare_take(blocks, size_class), size_of_class(size_class));
}
