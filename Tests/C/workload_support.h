/* What the tests of memory share: a recorded workload for two kinds, one of scalars and one with variable fields, to be
 * played as often as one likes with the same result. */
#ifndef WORKLOAD_SUPPORT_H
#define WORKLOAD_SUPPORT_H

#include "variable_support.h"

enum { SCALARS = KIND, VARIED = KIND + 1, WORKLOAD_SOURCES = 4 };

typedef struct workload {
    cvg_op *ops;
    uint8_t *ids, *data; /* of all operations */
    size_t count;
    uint32_t entities; /* of each kind */
} workload;

static things roll_things(uint64_t *dice) {
    static const char letters[] = "a text of which more or less is used, \xC3\xA9";
    static const char *const tags[] = {"", "x", "yes", "no"};
    const uint64_t roll = test_random(dice);
    things t = {.number = (uint32_t)roll % 3, .place = (int32_t)(roll >> 8 & 1)};
    const uint64_t length = (roll >> 16) % 30;
    t.text = letters + sizeof letters - 1 - (length == 1 ? 0 : length); /* never half of the last letter */
    t.blob_bytes = roll >> 24 & 1 ? (uint32_t)(roll >> 32) % 600 : (uint32_t)(roll >> 32) % 9;
    t.list_count = (uint32_t)(roll >> 44) % (LIST_MAX + 1);
    for (uint32_t i = 0; i < t.list_count; i++) t.list[i] = (uint16_t)(roll >> i);
    t.tag_count = (uint32_t)(roll >> 52) % (TAGS_MAX + 1);
    for (uint32_t i = 0; i < t.tag_count; i++) t.tags[i] = tags[roll >> (54 + 2 * i) & 3];
    return t;
}

static void roll_scalars(cvg_op *op, uint8_t *data, uint64_t *dice) {
    static const uint8_t sizes[4] = {8, 4, 2, 1};
    for (int i = 0; i < ROW_BYTES; i++) data[i] = (uint8_t)(test_random(dice) & 1);
    op->data_bytes = 0;
    for (int i = 0; i < 4; i++) op->data_bytes += op->code == CVG_ASSERT || op->mask >> i & 1 ? sizes[i] : 0;
}

static workload record(size_t count, uint32_t entities, uint64_t seed) {
    enum { DATA_MAX = FIXED_BYTES + VARIABLE_MAX };
    workload w = {calloc(count, sizeof *w.ops), calloc(count, CVG_ID_BYTES), calloc(count, DATA_MAX), count, entities};
    uint64_t dice = seed;
    for (size_t i = 0; i < count; i++) {
        static const uint8_t codes[] = {CVG_ASSERT, CVG_RETRACT, CVG_PATCH, CVG_PATCH, CVG_RETRACT};
        uint8_t *data = w.data + i * DATA_MAX;
        const uint64_t roll = test_random(&dice);
        cvg_op *op = &w.ops[i];
        *op = (cvg_op){.id = w.ids + i * CVG_ID_BYTES,
                       .data = data,
                       .kind = roll & 1 ? SCALARS : VARIED,
                       .code = codes[(roll >> 8) % 5],
                       .source = (uint8_t)((roll >> 16) % WORKLOAD_SOURCES),
                       .schema = 1};
        make_id(w.ids + i * CVG_ID_BYTES, (roll >> 24) % entities);
        if (op->code == CVG_RETRACT) continue;
        if (op->code == CVG_PATCH) op->mask = roll >> 56 & (op->kind == SCALARS ? ALL : THINGS);
        if (op->kind == SCALARS)
            roll_scalars(op, data, &dice);
        else
            op->data_bytes = pack_things(data, op->code == CVG_ASSERT ? THINGS : op->mask, roll_things(&dice));
    }
    return w;
}

static void free_workload(workload *w) {
    free(w->ops);
    free(w->ids);
    free(w->data);
}

#endif
