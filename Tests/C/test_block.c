/* Blocks of variable zones: sizes, references, and spares that are used again and do not grow without bound. */
#include "read_support.h"

#include "block.h"

typedef struct pool {
    test_allocator allocator;
    cvgi_memory memory;
    cvgi_blocks blocks;
} pool;

static void open_pool(pool *p, uint64_t spare_bytes_max) {
    *p = (pool){0};
    p->memory = test_memory(&p->allocator);
    cvgi_blocks_init(&p->blocks, &p->memory, spare_bytes_max);
}

static void close_pool(pool *p) {
    cvgi_blocks_free_spares(&p->blocks);
    assert_int_equal(p->blocks.spare_bytes, 0);
    assert_int_equal(p->memory.in_use, 0);
    assert_int_equal(p->allocator.blocks, 0);
}

static void sizes_rise_in_steps_of_a_fifth_at_most(void **state) {
    (void)state;
    assert_int_equal(cvgi_block_size(0), 0);
    assert_int_equal(cvgi_block_size(1), 32);
    assert_int_equal(cvgi_block_size(20), 32);
    assert_int_equal(cvgi_block_size(21), 48);
    assert_int_equal(cvgi_block_size(52), 64);
    assert_int_equal(cvgi_block_size(53), 80);
    assert_int_equal(cvgi_block_size(116), 128);
    assert_int_equal(cvgi_block_size(117), 160);
    uint32_t sizes = 0, last = 0;
    for (uint32_t bytes = 1; bytes <= CVG_ROW_BYTES_MAX - CVGI_BLOCK_HEADER_BYTES; bytes++) {
        const uint32_t size = cvgi_block_size(bytes), needed = CVGI_BLOCK_HEADER_BYTES + bytes;
        assert_true(size >= needed && size % 16 == 0 && size >= last);
        if (needed > 64) assert_true(5 * (size - needed) < size);
        sizes += size != last;
        last = size;
    }
    assert_int_equal(sizes, CVGI_BLOCK_CLASSES);
    assert_int_equal(last, CVG_ROW_BYTES_MAX);
}

static void a_block_of_every_size_holds_its_zone(void **state) {
    (void)state;
    pool p;
    open_pool(&p, 1 << 20);
    for (uint32_t bytes = 1; bytes <= CVG_ROW_BYTES_MAX - CVGI_BLOCK_HEADER_BYTES; bytes += 1 + bytes / 50) {
        cvgi_block *block = cvgi_block_take(&p.blocks, bytes);
        assert_int_equal(block->references, 1);
        assert_int_equal(cvgi_block_bytes(block), bytes);
        assert_int_equal(cvgi_block_footprint(block), cvgi_block_size(bytes));
        memset(block->zone, 0xCC, bytes); /* the sanitizer sees a write behind it */
        cvgi_block_release(&p.blocks, block);
    }
    close_pool(&p);
}

static void the_last_reference_makes_it_a_spare(void **state) {
    (void)state;
    pool p;
    open_pool(&p, 4096);
    cvgi_block *first = cvgi_block_take(&p.blocks, 30);
    assert_ptr_equal(cvgi_block_retain(first), first);
    assert_int_equal(first->references, 2);
    cvgi_block_release(&p.blocks, first);
    assert_int_equal(p.blocks.spare_bytes, 0);
    cvgi_block *other = cvgi_block_take(&p.blocks, 30);
    assert_ptr_not_equal(other, first);
    cvgi_block_release(&p.blocks, first);
    assert_int_equal(p.blocks.spare_bytes, 48);
    const uint64_t calls = p.allocator.calls;
    assert_ptr_equal(cvgi_block_take(&p.blocks, 36), first); /* of the same class */
    assert_int_equal(p.allocator.calls, calls);
    assert_int_equal(cvgi_block_bytes(first), 36);
    cvgi_block_release(&p.blocks, first);
    cvgi_block_release(&p.blocks, other);
    assert_null(cvgi_block_retain(NULL));
    cvgi_block_release(&p.blocks, NULL);
    assert_int_equal(cvgi_block_bytes(NULL), 0);
    assert_int_equal(p.blocks.spare_bytes, 96);
    close_pool(&p);
}

static void spares_stay_within_their_bound(void **state) {
    (void)state;
    enum { COUNT = 200 };
    pool p;
    open_pool(&p, 50 * 64);
    cvgi_block *blocks[COUNT];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) blocks[i] = cvgi_block_take(&p.blocks, 50);
        for (int i = 0; i < COUNT; i++) {
            cvgi_block_release(&p.blocks, blocks[i]);
            assert_true(p.blocks.spare_bytes <= 50 * 64);
        }
        assert_int_equal(p.blocks.spare_bytes, 50 * 64);
        assert_int_equal(p.memory.in_use, 50 * 64);
    }
    /* Another size is wanted from now on: the spares of the first go. */
    for (int i = 0; i < COUNT; i++) blocks[i] = cvgi_block_take(&p.blocks, 200);
    for (int i = 0; i < 15; i++) cvgi_block_release(&p.blocks, blocks[i]);
    assert_int_equal(p.blocks.spare_bytes, 14 * 224); /* none of the first is left, and one did not fit */
    for (int i = 15; i < COUNT; i++) cvgi_block_release(&p.blocks, blocks[i]);
    const uint64_t calls = p.allocator.calls;
    for (int i = 0; i < 14; i++) blocks[i] = cvgi_block_take(&p.blocks, 200);
    assert_int_equal(p.allocator.calls, calls);
    for (int i = 0; i < 14; i++) cvgi_block_release(&p.blocks, blocks[i]);
    /* One that is larger than the bound is never kept. */
    cvgi_block_release(&p.blocks, cvgi_block_take(&p.blocks, 10000));
    assert_int_equal(p.blocks.spare_bytes, 14 * 224);
    close_pool(&p);
}

static void fill_spares(pool *p, uint32_t bytes, int count) {
    cvgi_block *blocks[64];
    for (int i = 0; i < count; i++) blocks[i] = cvgi_block_take(&p->blocks, bytes);
    for (int i = 0; i < count; i++) cvgi_block_release(&p->blocks, blocks[i]);
}

/* Spares of a size that can be had without asking the allocator. */
static int spares_of(pool *p, uint32_t bytes) {
    cvgi_block *blocks[64];
    const uint64_t calls = p->allocator.calls;
    int count = 0;
    do blocks[count] = cvgi_block_take(&p->blocks, bytes);
    while (p->allocator.calls == calls && ++count < 63);
    cvgi_memory *memory = p->blocks.memory;
    cvgi_release(memory, blocks[count], cvgi_block_footprint(blocks[count])); /* the one that was asked for */
    for (int i = 0; i < count; i++) cvgi_block_release(&p->blocks, blocks[i]);
    return count;
}

static void one_as_large_as_the_bound_is_kept(void **state) {
    (void)state;
    pool p;
    open_pool(&p, 64);
    fill_spares(&p, 52, 1);
    assert_int_equal(p.blocks.spare_bytes, 64);
    assert_int_equal(spares_of(&p, 52), 1);
    close_pool(&p);
}

/* Invariant 3: whichever of the two sizes is the larger. */
static void spares_of_other_sizes_go_first(void **state) {
    (void)state;
    static const uint32_t sizes[][2] = {{20, 200}, {200, 20}, {20, 21}, {21, 20}, {52, 53}, {53, 52}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t old = sizes[i][0], wanted = sizes[i][1];
        const uint32_t old_size = cvgi_block_size(old), size = cvgi_block_size(wanted);
        pool p;
        open_pool(&p, 8 * (uint64_t)(old_size + size));
        fill_spares(&p, old, 8);
        fill_spares(&p, wanted, 8); /* just as many as there is room for */
        assert_int_equal(p.blocks.spare_bytes, p.blocks.spare_bytes_max);
        fill_spares(&p, wanted, 9);
        assert_int_equal(spares_of(&p, wanted), 9);
        assert_true(spares_of(&p, old) < 8);
        assert_true(spares_of(&p, old) + (int)(size / old_size) + 1 >= 8); /* and no more than must */
        close_pool(&p);
    }
}

/* Who gave up spares last goes on until it has none: what has come back since is left alone. */
static void sizes_give_up_spares_in_turn(void **state) {
    (void)state;
    enum { A = 20, C = 30, B = 50 }; /* 32, 48 and 64 bytes */
    pool p;
    open_pool(&p, 2 * 32 + 4 * 64);
    fill_spares(&p, A, 2);
    fill_spares(&p, B, 4);
    fill_spares(&p, C, 1);
    assert_int_equal(spares_of(&p, A), 0);
    assert_int_equal(spares_of(&p, B), 4);
    fill_spares(&p, C, 2);
    assert_int_equal(spares_of(&p, B), 3);
    fill_spares(&p, A, 1);
    fill_spares(&p, C, 3);
    assert_int_equal(spares_of(&p, C), 3);
    assert_int_equal(spares_of(&p, B), 2);
    assert_int_equal(spares_of(&p, A), 1);
    close_pool(&p);
}

static void no_memory_no_block(void **state) {
    (void)state;
    pool p;
    open_pool(&p, 4096);
    p.allocator.fail_at = 1;
    assert_null(cvgi_block_take(&p.blocks, 100));
    assert_int_equal(p.memory.in_use, 0);
    cvgi_block *block = cvgi_block_take(&p.blocks, 100);
    assert_non_null(block);
    cvgi_block_release(&p.blocks, block);
    close_pool(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_rise_in_steps_of_a_fifth_at_most),
        cmocka_unit_test(a_block_of_every_size_holds_its_zone),
        cmocka_unit_test(the_last_reference_makes_it_a_spare),
        cmocka_unit_test(spares_stay_within_their_bound),
        cmocka_unit_test(one_as_large_as_the_bound_is_kept),
        cmocka_unit_test(spares_of_other_sizes_go_first),
        cmocka_unit_test(sizes_give_up_spares_in_turn),
        cmocka_unit_test(no_memory_no_block),
    };
    return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
