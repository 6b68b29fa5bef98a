/*
 * Fuzz target of the core: a kind from the first bytes, then writes, seals, installs, encodes and catch-ups from the
 * rest. Whatever is refused is refused; nothing may crash, leak or read out of bounds. Frames handed out must be whole.
 */
#include <stdlib.h>
#include <string.h>

#include "converge.h"

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

static uint64_t take(input *in, size_t bytes) {
    uint64_t value = 0;
    if (bytes > in->left) bytes = in->left;
    memcpy(&value, in->at, bytes);
    in->at += bytes;
    in->left -= bytes;
    return value;
}

static void check_frames(cvg_slices slices) {
    for (size_t i = 0; i < slices.count; i++) {
        const uint8_t *at = slices.items[i].segment->bytes + slices.items[i].offset;
        const uint8_t *end = at + slices.items[i].bytes;
        uint32_t frames = 0, length;
        for (; at < end; at += 12 + length, frames++) memcpy(&length, at + 6, 4);
        if (at != end || frames != slices.items[i].frames) abort();
    }
}

static void create_kind(cvg_engine *engine, input *in) {
    cvg_field fields[8] = {0};
    cvg_member members[8][4] = {0};
    uint16_t count = 1 + take(in, 1) % 8;
    for (uint16_t f = 0; f < count; f++) {
        cvg_field *field = &fields[f];
        field->type = take(in, 1) % 20;
        field->on_retract = take(in, 1) % 3;
        field->owners = take(in, 1) & 1 ? take(in, 8) : 0;
        field->max = take(in, 1) & 1 ? take(in, 1) % 40 : 0;
        field->element = field->type == CVG_ARRAY ? take(in, 1) % 20 : 0;
        field->element_max = field->type == CVG_ARRAY ? take(in, 1) % 12 : 0;
        field->member_count = take(in, 1) & 1 ? take(in, 1) % 5 : 0;
        for (uint8_t m = 0; m < field->member_count; m++)
            members[f][m] = (cvg_member){.type = take(in, 1) % 16, .max = take(in, 1) % 12};
        field->members = field->member_count ? members[f] : NULL;
    }
    cvg_definition definition = {.fields = fields, .field_count = count, .schema = 1};
    cvg_kind_create(engine, 1 + take(in, 1) % 2, &definition);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = {data, size};
    cvg_options options = {.hash_seed = 1, .pending_bytes_max = 4096};
    cvg_engine *engine;
    if (cvg_engine_create(&options, &engine) != CVG_OK) abort();
    create_kind(engine, &in);
    create_kind(engine, &in);
    const cvg_batch *batch = NULL;
    cvg_catchup *catchup = NULL;
    uint16_t catchup_kind = 1;
    while (in.left > 0) {
        uint8_t what = take(&in, 1), kind = 1 + (what >> 7);
        cvg_slices slices;
        switch (what % 8) {
        case 0:
            if (batch == NULL && cvg_seal(engine, &batch) != CVG_OK) batch = NULL;
            break;
        case 1:
            if (batch == NULL) break;
            if (cvg_encode(engine, batch, kind, (cvg_class){.flags = what >> 3 & 1}, &slices) == CVG_OK)
                check_frames(slices);
            cvg_install(engine, batch);
            batch = NULL;
            break;
        case 2:
            if (catchup != NULL) {
                cvg_catchup_progress progress;
                if (cvg_catchup_step(engine, catchup, take(&in, 1), &slices, &progress) == CVG_OK) check_frames(slices);
                if (!progress.live) break;
                cvg_catchup_end(engine, catchup);
                catchup = NULL;
            } else if (cvg_catchup_begin(engine, catchup_kind = kind, (cvg_class){0}, &catchup) != CVG_OK) {
                catchup = NULL;
            }
            break;
        default: {
            uint8_t id[CVG_ID_BYTES] = {take(&in, 1) % 16};
            cvg_op op = {.id = id, .kind = kind, .source = take(&in, 1) % 66, .schema = 1};
            op.code = what % 8 < 5 ? CVG_ASSERT : what % 8 < 7 ? CVG_PATCH : CVG_RETRACT;
            op.mask = op.code == CVG_PATCH ? take(&in, 2) : 0;
            op.data_bytes = op.code == CVG_RETRACT ? 0 : take(&in, 1);
            if (op.data_bytes > in.left) op.data_bytes = in.left;
            /* A copy of its own, so that reading past its end is noticed. */
            uint8_t *copy = malloc(op.data_bytes + 1);
            memcpy(copy, in.at, op.data_bytes);
            op.data = copy + (op.data_bytes == 0);
            take(&in, 0);
            in.at += op.data_bytes;
            in.left -= op.data_bytes;
            cvg_refusal refusal;
            cvg_applied applied;
            cvg_apply(engine, &op, 1, &refusal, 1, &applied);
            free(copy);
            cvg_row row;
            if (cvg_query(engine, kind, id, &row) == CVG_OK && row.presence == CVG_ALIVE) {
                volatile uint8_t sum = 0;
                for (uint32_t i = 0; i < row.data.fixed_bytes; i++) sum += row.data.fixed[i];
                for (uint32_t i = 0; i < row.data.variable_bytes; i++) sum += row.data.variable[i];
            }
        }
        }
    }
    if (catchup != NULL) cvg_catchup_end(engine, catchup);
    cvg_engine_destroy(engine);
    return 0;
}
