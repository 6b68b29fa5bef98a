/*
 * churn.c - what variable values leave behind is used again.
 *
 * A few entities, values of every length, and a state that stays as large as it is: after the first rounds, the engine
 * must need hardly more memory than in them. Every fourth round it starts over from tombstones. At last one
 * window takes as many writes as hundreds of rounds, to the same entities, and holds only the last of them.
 */
#include "grow.h"
#include "run.h"
#include <stdio.h>

enum { ENTITIES = 60, VALUE_MAX = 3000, ROUNDS = 3000, WARM_ROUNDS = 600, WINDOW_WRITES = 500 };

typedef struct churn {
    memory memory;
    cvg_engine *engine;
    rng random;
    cvg_op ops[ENTITIES];
    uint8_t ids[ENTITIES][CVG_ID_BYTES];
    uint8_t data[ENTITIES][8 + VALUE_MAX + 8 * 4];
} churn;

static void stop(const char *what, uint64_t a, uint64_t b) {
    printf("FAILED churn: %s (%llu, %llu)\n", what, (unsigned long long)a, (unsigned long long)b);
    exit(1);
}

/* A varbytes and an array of u32: short, long or anything. */
static uint32_t draw_data(rng *r, uint8_t *data) {
    static const uint32_t tops[] = {1, 16, 300, VALUE_MAX};
    uint32_t length = (uint32_t)rng_below(r, tops[rng_below(r, 4)] + 1), count = (uint32_t)rng_below(r, 9);
    put_number(data, length);
    put_number(data + 4, count);
    memset(data + 8, (int)rng_below(r, 256), length + 4 * count);
    return 8 + length + 4 * count;
}

static void flush(churn *c) {
    const cvg_batch *batch;
    int status = cvg_seal(c->engine, &batch);
    if (status == CVG_E_EMPTY) return;
    if (status != CVG_OK) stop("seal", (uint64_t)-status, 0);
    cvg_install(c->engine, batch);
}

static void write_all(churn *c, bool retract) {
    size_t count = 0;
    for (unsigned i = 0; i < ENTITIES; i++) {
        if (!retract && rng_percent(&c->random, 30)) continue;
        cvg_op *op = &c->ops[count++];
        *op = (cvg_op){.id = c->ids[i], .code = retract ? CVG_RETRACT : CVG_ASSERT, .kind = 7, .schema = 1};
        if (retract) continue;
        op->data = c->data[i];
        op->data_bytes = draw_data(&c->random, c->data[i]);
    }
    cvg_refusal refusal;
    cvg_applied applied = {0};
    if (count == 0) return;
    int status = cvg_apply(c->engine, c->ops, count, &refusal, 1, &applied);
    if (status != CVG_OK || applied.refused > 0 || applied.consumed != count) stop("apply", applied.consumed, count);
}

static void play_round(churn *c, unsigned round) {
    bool over = round % 4 == 3;
    for (uint64_t writes = rng_between(&c->random, 1, 3); writes > 0; writes--) write_all(c, false);
    if (over) write_all(c, true);
    if (over && rng_percent(&c->random, 50)) write_all(c, false); /* back in the same window */
    flush(c);
}

void churn_test(void) {
    static const cvg_field fields[] = {{.type = CVG_VARBYTES, .max = VALUE_MAX},
                                       {.type = CVG_ARRAY, .element = CVG_U32, .max = 8}};
    churn *c = model_zeroed(sizeof *c);
    c->random.state = 1;
    cvg_options options = {.allocator = memory_allocator(&c->memory)};
    cvg_definition definition = {.fields = fields, .field_count = 2, .schema = 1};
    if (cvg_engine_create(&options, &c->engine) != CVG_OK || cvg_kind_create(c->engine, 7, &definition) != CVG_OK)
        stop("create", 0, 0);
    for (unsigned i = 0; i < ENTITIES; i++) rng_fill(&c->random, c->ids[i], CVG_ID_BYTES);
    uint64_t warm = 0, later = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        play_round(c, round);
        uint64_t *peak = round < WARM_ROUNDS ? &warm : &later;
        if (c->memory.bytes > *peak) *peak = c->memory.bytes;
    }
    for (unsigned i = 0; i < WINDOW_WRITES; i++) write_all(c, false);
    uint64_t window = c->memory.bytes;
    flush(c);
    if (window > warm + warm / 4) stop("memory grows while one window is written again and again", warm, window);
    if (later > warm + warm / 8) stop("memory grows while rows only change", warm, later);
    cvg_engine_destroy(c->engine);
    if (c->memory.blocks > 0 || c->memory.wrong_release) stop("blocks never released", c->memory.blocks, 0);
    free(c);
}
