/*
 * route - which partition an entity belongs to, and writes sorted by it.
 *
 *   operations ─▶ [ROUTE] ─▶ operations of partition 0 ┼ of partition 1 ┼ … ─▶ apply, one engine each
 *
 * The hash is seeded, because ids are chosen by whoever writes, and with another seed than the engines' own: their
 * indexes are to be filled evenly by the ids that they get. The sort is stable: writes to one entity keep their order.
 *
 * Failure: none.
 */
#include "hash.h"

static inline uint32_t partition_of(const uint8_t *id, uint64_t seed, uint32_t partitions) {
    return (uint32_t)((cvgi_hash(id, seed) >> 32) * partitions >> 32);
}

uint32_t cvg_partition_of(const uint8_t *id, uint64_t seed, uint32_t partitions) {
    CVGI_ASSERT(partitions >= 1);
    return partition_of(id, seed, partitions);
}

void cvg_route(const cvg_op *ops, size_t count, uint64_t seed, uint32_t partitions, uint16_t *numbers, cvg_op *sorted,
               uint32_t *ends) {
    CVGI_ASSERT(partitions >= 1 && partitions <= CVG_PARTITIONS_MAX && count <= UINT32_MAX);
    uint32_t places[CVG_PARTITIONS_MAX];
    memset(places, 0, partitions * sizeof *places);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (uint16_t)partition_of(ops[i].id, seed, partitions);
        places[numbers[i]]++;
    }
    uint32_t end = 0;
    for (uint32_t partition = 0; partition < partitions; partition++) {
        const uint32_t start = end;
        end += places[partition];
        places[partition] = start;
        ends[partition] = end;
    }
    for (size_t i = 0; i < count; i++) sorted[places[numbers[i]]++] = ops[i];
}
