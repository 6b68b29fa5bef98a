/*
 * bench_lane - what it costs to hand operations to another shard: an entry of 48 bytes and 96 bytes of its own (an id
 * and 64 bytes of fields), pushed in batches of 64, published once a batch, read by the other side and released once a
 * run.
 *
 *   bench_lane [OPERATIONS]      nanoseconds an operation, the medians of 7 runs
 *
 * `together`: two threads at full speed, elapsed time an operation: the slower side, cache lines on their way from core
 * to core included. `apart`: one thread does both sides in turn: instructions and copying alone.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "converge_shard.h"

enum { RUNS = 7, BATCH = 64, DATA = 96, ENTRIES = 4096, BYTES = 1 << 20 };

typedef struct operation {
    const uint8_t *id, *data;
    uint64_t mask, ordinal;
    uint32_t data_bytes, connection;
    uint16_t kind;
    uint8_t code, source, schema, reserved[3];
} operation;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint8_t frames[BATCH * 116];

/* One operation as a decoder would hand it over: its frame lies in a receive buffer. */
static bool push(cvg_lane *lane, uint64_t number) {
    uint8_t *data;
    operation *op = cvg_lane_push(lane, DATA, &data);
    if (op == NULL) return false;
    memcpy(data, frames + number % BATCH * 116 + 16, DATA);
    *op = (operation){.id = data,
                      .data = data + 32,
                      .ordinal = number,
                      .data_bytes = DATA - 32,
                      .connection = 7,
                      .kind = 1,
                      .code = 2,
                      .schema = 1};
    return true;
}

/* Reads what applying would read: the entry, the id and the fields. */
static uint64_t drain(cvg_lane *lane, uint64_t *sum) {
    void *run;
    size_t count = cvg_lane_take(lane, &run);
    for (size_t i = 0; i < count; i++) {
        const operation *op = (const operation *)run + i;
        uint64_t words[DATA / 8];
        memcpy(words, op->id, sizeof words);
        for (size_t w = 0; w < DATA / 8; w++) *sum += words[w];
        *sum += op->ordinal;
    }
    cvg_lane_release(lane, count);
    return count;
}

typedef struct work {
    cvg_lane *lane;
    uint64_t operations;
    uint64_t sum;
} work;

static void *produce(void *argument) {
    work *w = argument;
    for (uint64_t n = 0; n < w->operations;) {
        for (uint64_t end = n + BATCH; n < end && push(w->lane, n); n++) continue;
        cvg_lane_publish(w->lane);
    }
    return NULL;
}

static cvg_lane *make(void) {
    cvg_lane_options options = {.entry_bytes = sizeof(operation), .entries = ENTRIES, .bytes = BYTES};
    cvg_lane *lane = cvg_lane_create(&options);
    if (lane == NULL) exit(1);
    return lane;
}

static double together(uint64_t operations, uint64_t *sum) {
    work w = {.lane = make(), .operations = operations};
    pthread_t producer;
    double begin = now();
    if (pthread_create(&producer, NULL, produce, &w) != 0) exit(1);
    for (uint64_t taken = 0; taken < operations;) taken += drain(w.lane, sum);
    double elapsed = now() - begin;
    pthread_join(producer, NULL);
    cvg_lane_destroy(w.lane);
    return elapsed / (double)operations;
}

static double apart(uint64_t operations, uint64_t *sum) {
    cvg_lane *lane = make();
    double begin = now();
    for (uint64_t n = 0; n < operations;) {
        for (uint64_t end = n + BATCH; n < end; n++)
            if (!push(lane, n)) exit(1);
        cvg_lane_publish(lane);
        while (drain(lane, sum) > 0) continue;
    }
    double elapsed = now() - begin;
    cvg_lane_destroy(lane);
    return elapsed / (double)operations;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    uint64_t operations = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000000;
    operations -= operations % BATCH;
    if (operations == 0) return 2;
    for (size_t i = 0; i < sizeof frames; i++) frames[i] = (uint8_t)i;
    uint64_t sum = 0;
    double runs[2][RUNS];
    for (int run = 0; run < RUNS; run++) {
        runs[0][run] = together(operations, &sum);
        runs[1][run] = apart(operations, &sum);
    }
    static const char *const names[] = {"together", "apart"};
    for (int i = 0; i < 2; i++) {
        qsort(runs[i], RUNS, sizeof(double), ascending);
        printf("%-9s %5.1f ns (%.1f to %.1f)\n", names[i], runs[i][RUNS / 2], runs[i][0], runs[i][RUNS - 1]);
    }
    return sum == 42; /* so that nothing read is left out */
}
