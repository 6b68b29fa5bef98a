/* Which partition an entity belongs to, and writes sorted by it. */
#include "read_support.h"

enum { OPS = 5000, SEED = 77 };

static cvg_op op_of(const uint8_t *id, uint64_t ordinal) {
    return (cvg_op){.id = id, .kind = 1, .code = CVG_RETRACT, .ordinal = ordinal, .source = 3};
}

static void make_id(uint8_t *id, uint64_t number) {
    memset(id, 0, CVG_ID_BYTES);
    memcpy(id + number % 25, &number, sizeof number);
}

static void every_partition_gets_its_share(void **state) {
    (void)state;
    enum { IDS = 64000 };
    uint8_t id[CVG_ID_BYTES];
    for (uint32_t partitions = 1; partitions <= CVG_PARTITIONS_MAX; partitions++) {
        uint32_t counts[CVG_PARTITIONS_MAX] = {0};
        for (uint64_t n = 0; n < IDS; n++) {
            make_id(id, n);
            const uint32_t partition = cvg_partition_of(id, SEED, partitions);
            assert_in_range(partition, 0, partitions - 1);
            counts[partition]++;
        }
        for (uint32_t p = 0; p < partitions; p++)
            assert_in_range(counts[p], IDS / partitions * 8 / 10, IDS / partitions * 12 / 10 + 1);
    }
}

static void another_seed_sorts_otherwise(void **state) {
    (void)state;
    uint8_t id[CVG_ID_BYTES];
    unsigned same = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        make_id(id, n);
        same += cvg_partition_of(id, 1, 8) == cvg_partition_of(id, 2, 8);
    }
    assert_in_range(same, 60, 200);
}

/* W4, R10: the writes to one entity stay in their order, and nothing is lost. */
static void writes_keep_their_order_within_a_partition(void **state) {
    (void)state;
    static uint8_t ids[OPS][CVG_ID_BYTES];
    static cvg_op ops[OPS], sorted[OPS];
    static uint16_t numbers[OPS];
    uint32_t ends[CVG_PARTITIONS_MAX];
    uint64_t random = 9;
    for (uint64_t i = 0; i < OPS; i++) {
        make_id(ids[i], test_random(&random) % 300);
        ops[i] = op_of(ids[i], i);
    }
    for (uint32_t partitions = 1; partitions <= CVG_PARTITIONS_MAX; partitions += 7)
        for (size_t count = 0; count <= OPS; count = count * 3 + 1) {
            cvg_route(ops, count, SEED, partitions, numbers, sorted, ends);
            assert_int_equal(ends[partitions - 1], count);
            uint32_t at = 0;
            for (uint32_t p = 0; p < partitions; p++) {
                uint64_t next = 0;
                for (; at < ends[p]; at++) {
                    const cvg_op *op = &sorted[at];
                    assert_int_equal(cvg_partition_of(op->id, SEED, partitions), p);
                    assert_int_equal(numbers[op->ordinal], p);
                    assert_true(op->ordinal >= next);
                    next = op->ordinal + 1;
                    assert_memory_equal(op, &ops[op->ordinal], sizeof *op);
                }
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_partition_gets_its_share),
        cmocka_unit_test(another_seed_sorts_otherwise),
        cmocka_unit_test(writes_keep_their_order_within_a_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
