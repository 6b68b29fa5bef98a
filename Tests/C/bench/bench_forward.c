/*
 * bench_forward - what it costs to give a write to the shard that owns its entity, and nothing else: two shards with a
 * partition each, batches of 64 writes of 64 bytes.
 *
 *   batch ─▶ cvg_route ─▶ own half: left alone
 *                    └──▶ other half: copied into a lane (cvg_op 48, id 32, data 64), one publish a batch
 *                                      ─▶ taken as a run, read where it lies, released
 *
 *   bench_forward [OPERATIONS] [--entries N] [--json]
 *
 * OPERATIONS (default 10,000,000) are those made, about half of them are forwarded. Times are of the process's CPU
 * clock, in nanoseconds a forwarded operation, sorting the half that stays included: the median of 7 runs, with the
 * least and the most. `sort` is cvg_route alone. `one thread` is one shard's batch and then the other's turn, again and
 * again. `two threads` are two shards that forward to each other, each on a thread of its own; who finds its lane full
 * and nothing to take sleeps until the other wakes it. --entries (default 4,096, a power of two, at least 64) is the
 * capacity of a lane, with 256 bytes an entry: a larger ring passes through more of the cache.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "converge.h"
#include "converge_shard.h"

enum { RUNS = 7, BATCH = 64, DATA = 64, OWN_BYTES = CVG_ID_BYTES + DATA, MADE = 512, SHARDS = 2, ENTRY_SPACE = 256 };

static const uint64_t partition_seed = 7;

typedef struct settings {
    uint64_t operations;
    uint32_t entries;
    bool json;
} settings;

/* A receive buffer's worth of writes, as a decoder hands them over. */
typedef struct writes {
    cvg_op ops[MADE];
    uint8_t frames[MADE][OWN_BYTES];
} writes;

typedef struct shard {
    uint32_t partition;
    cvg_lane *to, *from;
    sem_t *own, *other; /* posted to wake this shard, and the other */
    uint64_t made, forwarded, taken, sum;
    _Alignas(128) writes writes;
    uint16_t numbers[BATCH];
    cvg_op sorted[BATCH];
    uint32_t ends[SHARDS];
} shard;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_writes(writes *w, uint64_t random) {
    for (unsigned i = 0; i < MADE; i++) {
        for (unsigned b = 0; b < OWN_BYTES; b += 8) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const uint64_t word = random ^ random >> 29;
            memcpy(w->frames[i] + b, &word, sizeof word);
        }
        w->ops[i] = (cvg_op){.id = w->frames[i],
                             .data = w->frames[i] + CVG_ID_BYTES,
                             .ordinal = i,
                             .data_bytes = DATA,
                             .connection = 7,
                             .kind = 1,
                             .code = CVG_ASSERT,
                             .schema = 1};
    }
}

/* ----------------------------------------------------------------------------------------------------- the two sides
 */

static void sort(shard *s) {
    cvg_route(s->writes.ops + s->made % MADE, BATCH, partition_seed, SHARDS, s->numbers, s->sorted, s->ends);
    s->made += BATCH;
}

static bool forward(shard *s, const cvg_op *op) {
    uint8_t *own;
    cvg_op *entry = cvg_lane_push(s->to, OWN_BYTES, &own);
    if (entry == NULL) return false;
    memcpy(own, op->id, CVG_ID_BYTES);
    memcpy(own + CVG_ID_BYTES, op->data, DATA);
    *entry = *op;
    entry->id = own;
    entry->data = own + CVG_ID_BYTES;
    return true;
}

/* Reads what applying would read, where it lies: the entry, the id and the data. False: there was nothing. */
static bool take(shard *s) {
    void *run;
    const size_t count = cvg_lane_take(s->from, &run);
    if (count == 0) return false;
    const cvg_op *ops = run;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t id[CVG_ID_BYTES / 8], data[DATA / 8];
        memcpy(id, ops[i].id, sizeof id);
        memcpy(data, ops[i].data, sizeof data);
        for (unsigned w = 0; w < CVG_ID_BYTES / 8; w++) sum += id[w];
        for (unsigned w = 0; w < DATA / 8; w++) sum += data[w];
        sum += ops[i].ordinal + ops[i].mask + ops[i].data_bytes + ops[i].kind + ops[i].code;
    }
    s->sum += sum;
    s->taken += count;
    if (cvg_lane_release(s->from, count)) sem_post(s->other);
    return true;
}

static void publish(shard *s) {
    if (cvg_lane_publish(s->to)) sem_post(s->other);
}

/* The lane is full: what was pushed is handed over, and this side goes on taking until there is room. */
static void wait_for_room(shard *s) {
    publish(s);
    while (cvg_lane_want_room(s->to, OWN_BYTES)) {
        if (take(s)) continue;
        if (cvg_lane_sleep(s->from)) sem_wait(s->own);
        cvg_lane_awake(s->from);
    }
}

static void turn(shard *s) {
    sort(s);
    const uint32_t other = 1 - s->partition, first = other == 0 ? 0 : s->ends[0], end = s->ends[other];
    for (uint32_t i = first; i < end; i++)
        while (!forward(s, &s->sorted[i])) wait_for_room(s);
    s->forwarded += end - first;
    publish(s);
}

/* ---------------------------------------------------------------------------------------------------------- measuring
 */

typedef struct pair {
    shard shards[SHARDS];
    cvg_lane *lanes[SHARDS];
    sem_t semaphores[SHARDS];
} pair;

static pair *open_pair(const settings *settings) {
    pair *p = aligned_alloc(128, (sizeof *p + 127) / 128 * 128);
    if (p == NULL) exit(1);
    memset(p, 0, sizeof *p);
    const cvg_lane_options options = {
        .entry_bytes = sizeof(cvg_op), .entries = settings->entries, .bytes = settings->entries * ENTRY_SPACE};
    for (uint32_t i = 0; i < SHARDS; i++) {
        p->lanes[i] = cvg_lane_create(&options);
        if (p->lanes[i] == NULL || sem_init(&p->semaphores[i], 0, 0) != 0) {
            fprintf(stderr, "bench_forward: no memory for a lane of %u entries\n", settings->entries);
            exit(1);
        }
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        shard *s = &p->shards[i];
        *s = (shard){.partition = i, .to = p->lanes[i], .from = p->lanes[1 - i]};
        s->own = &p->semaphores[i];
        s->other = &p->semaphores[1 - i];
        make_writes(&s->writes, i + 1);
    }
    return p;
}

static void close_pair(pair *p) {
    for (uint32_t i = 0; i < SHARDS; i++) {
        cvg_lane_destroy(p->lanes[i]);
        sem_destroy(&p->semaphores[i]);
    }
    free(p);
}

/* Everything that one shard forwarded, the other has taken. */
static void must_be_complete(const pair *p) {
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (p->shards[i].forwarded == p->shards[1 - i].taken &&
            (p->shards[1 - i].sum != 0 || p->shards[i].forwarded == 0))
            continue;
        fprintf(stderr, "bench_forward: %llu operations were forwarded, %llu taken\n",
                (unsigned long long)p->shards[i].forwarded, (unsigned long long)p->shards[1 - i].taken);
        exit(1);
    }
}

static double sort_alone(const settings *settings) {
    pair *p = open_pair(settings);
    shard *s = &p->shards[0];
    uint64_t forwarded = 0;
    const double begin = now();
    while (s->made < settings->operations) {
        sort(s);
        forwarded += s->ends[1] - s->ends[0];
    }
    const double elapsed = now() - begin;
    close_pair(p);
    return elapsed / (double)forwarded;
}

static double one_thread(const settings *settings) {
    pair *p = open_pair(settings);
    shard *from = &p->shards[0], *to = &p->shards[1];
    const double begin = now();
    while (from->made < settings->operations) {
        turn(from);
        while (take(to)) continue;
    }
    const double elapsed = now() - begin, each = elapsed / (double)from->forwarded;
    must_be_complete(p);
    close_pair(p);
    return each;
}

typedef struct side {
    shard *shard;
    uint64_t operations;
    struct side *opposite;
    _Atomic(bool) ended;
} side;

/* Goes on taking when its own writes are made, until the other side's are too: a full lane waits for who empties it. */
static void *run_side(void *argument) {
    side *side = argument;
    shard *s = side->shard;
    while (s->made < side->operations) {
        turn(s);
        while (take(s)) continue;
    }
    atomic_store(&side->ended, true);
    sem_post(s->other);
    while (!atomic_load(&side->opposite->ended) || take(s)) {
        if (take(s)) continue;
        if (cvg_lane_sleep(s->from)) sem_wait(s->own);
        cvg_lane_awake(s->from);
    }
    return NULL;
}

static double two_threads(const settings *settings) {
    pair *p = open_pair(settings);
    pthread_t threads[SHARDS];
    side sides[SHARDS];
    const double begin = now();
    for (uint32_t i = 0; i < SHARDS; i++) {
        sides[i].shard = &p->shards[i];
        sides[i].operations = settings->operations / SHARDS;
        sides[i].opposite = &sides[1 - i];
        atomic_init(&sides[i].ended, false);
    }
    for (uint32_t i = 0; i < SHARDS; i++)
        if (pthread_create(&threads[i], NULL, run_side, &sides[i]) != 0) exit(1);
    for (uint32_t i = 0; i < SHARDS; i++) pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < SHARDS; i++)
        while (take(&p->shards[i])) continue;
    const double elapsed = now() - begin;
    const double each = elapsed / (double)(p->shards[0].forwarded + p->shards[1].forwarded);
    must_be_complete(p);
    close_pair(p);
    return each;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t number(const char *text) {
    char *end = NULL;
    const uint64_t value = text != NULL ? strtoull(text, &end, 10) : 0;
    return text != NULL && *text >= '0' && *text <= '9' && *end == 0 ? value : 0;
}

static settings read_settings(int count, char **arguments) {
    settings s = {.operations = 10000000, .entries = 4096};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0)
            s.json = true;
        else if (strcmp(arguments[i], "--entries") == 0)
            s.entries = (uint32_t)number(arguments[++i]);
        else
            s.operations = number(arguments[i]);
    }
    const bool power = s.entries >= BATCH && (s.entries & (s.entries - 1)) == 0;
    if (s.operations < SHARDS * BATCH || !power || s.entries > 1u << 20) {
        fprintf(
            stderr,
            "usage: bench_forward [OPERATIONS] [--entries N] [--json]\n"
            "OPERATIONS is at least %d, --entries a power of two from %d to 1,048,576: a batch has to fit, for on one "
            "thread nobody takes meanwhile.\n",
            SHARDS * BATCH, BATCH);
        exit(2);
    }
    return s;
}

int main(int count, char **arguments) {
    const settings s = read_settings(count, arguments);
    static const struct {
        const char *name, *key;
        double (*measure)(const settings *settings);
    } rows[] = {{"sort", "sort_ns", sort_alone},
                {"one thread", "one_thread_ns", one_thread},
                {"two threads", "two_threads_ns", two_threads}};
    enum { ROWS = sizeof rows / sizeof *rows };
    double times[ROWS][RUNS];
    for (unsigned run = 0; run < RUNS; run++)
        for (unsigned i = 0; i < ROWS; i++) times[i][run] = rows[i].measure(&s);
    for (unsigned i = 0; i < ROWS; i++) qsort(times[i], RUNS, sizeof(double), ascending);
    if (s.json) printf("{\"workload\":\"forward\",\"operations\":%llu", (unsigned long long)s.operations);
    if (s.json) printf(",\"entries\":%u,\"batch\":%d", s.entries, BATCH);
    for (unsigned i = 0; i < ROWS; i++) {
        if (s.json)
            printf(",\"%s\":%.2f", rows[i].key, times[i][RUNS / 2]);
        else
            printf("  %-11s %8.2f ns a forwarded operation (%.2f to %.2f)\n", rows[i].name, times[i][RUNS / 2],
                   times[i][0], times[i][RUNS - 1]);
    }
    if (s.json) printf("}\n");
    return 0;
}
