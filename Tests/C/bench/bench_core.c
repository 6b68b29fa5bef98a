/*
 * The core alone: CPU time of apply and of a flush, for operations that hit random rows of a full table.
 *
 *   bench_core [ROWS] [DATA_BYTES] [--variable N] [--operations N] [--window N] [--ahead N] [--seed N]
 *              [--pages huge|small] [--json]
 *
 * ROWS (default 1,000,000) are loaded first, unmeasured. Then each window takes N random asserts (default 20,000, 20 ms
 * at a million a second) in calls of 64, is sealed, encoded for one class and installed. As in a server, a receive
 * buffer's worth of writes is made and then applied: --ahead (default 512 writes, about 64 KiB). With --ahead as large
 * as the window the writes themselves have left the cache by then, which is measured too. Ids, data and order come from
 * the seed alone. DATA_BYTES are scalars; --variable adds a field of N variable bytes. --pages: huge (default) is the
 * allocator that the server gives the engine, which asks for huge pages where blocks are large; small asks for small
 * ones. Without huge pages every random access misses the TLB too. Times are of the process's CPU clock, in nanoseconds
 * an operation, without what reading that clock takes. Memory that was freed is kept, as the server's allocator does.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "converge.h"

enum { KIND = 1, CALL = 64, QUERIES = 1000000, CATCHUP_BUDGET = 256 << 10, HUGE_BYTES = 2 << 20 };

typedef struct settings {
    uint64_t rows, operations, window, ahead, seed;
    uint32_t data_bytes, variable_bytes;
    bool small_pages, json;
} settings;

typedef struct times {
    double apply, seal, encode, install;      /* seconds in all */
    double catchup_row, query, query_grouped; /* nanoseconds each */
    uint64_t operations, changes, frame_bytes;
} times;

/* A buffer's writes, made outside of the measured time. */
typedef struct writes {
    cvg_op *ops;
    uint8_t *ids, *data;
} writes;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What an interval that holds nothing takes: reading this clock is a system call. */
static double empty_interval(void) {
    double least = 1;
    for (int i = 0; i < 10000; i++) {
        const double start = now();
        const double took = now() - start;
        if (took < least) least = took;
    }
    return least;
}

static void must(int status, const char *what) {
    if (status == CVG_OK) return;
    fprintf(stderr, "%s: %s\n", what, cvg_status_text(status));
    exit(1);
}

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void set_id(uint8_t *id, uint64_t row) {
    for (int i = 0; i < CVG_ID_BYTES; i += 8) {
        const uint64_t word = next(&row);
        memcpy(id + i, &word, 8);
    }
}

/* As in Sources/ConvergeEngine/HugePages.swift, but for a context that says which pages to ask for. */
static void *allocate_pages(void *context, size_t bytes, size_t alignment) {
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    void *pointer = NULL;
    if (posix_memalign(&pointer, alignment, bytes) != 0) return NULL;
    if (alignment >= HUGE_BYTES) madvise(pointer, bytes, *(const int *)context);
    return pointer;
}

static void release_pages(void *context, void *pointer, size_t bytes) {
    (void)context;
    (void)bytes;
    free(pointer);
}

/* Of a write's data: both zones. */
static uint32_t row_bytes(const settings *s) {
    return s->data_bytes + (s->variable_bytes == 0 ? 0 : 4 + s->variable_bytes);
}

static cvg_engine *open_engine(const settings *s) {
    static int advice;
    advice = s->small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE;
    const cvg_allocator allocator = {.context = &advice, .allocate = allocate_pages, .release = release_pages};
    const cvg_options options = {.allocator = allocator, .hash_seed = s->seed};
    cvg_engine *engine = NULL;
    must(cvg_engine_create(&options, &engine), "engine");
    cvg_field fields[CVG_FIELDS_MAX] = {{0}};
    uint16_t count = (uint16_t)(s->data_bytes / 8);
    for (uint32_t i = 0; i < count; i++) fields[i].type = CVG_U64;
    if (s->variable_bytes != 0) fields[count++] = (cvg_field){.type = CVG_VARBYTES, .max = (uint16_t)s->variable_bytes};
    const cvg_definition definition = {.fields = fields, .field_count = count, .schema = 1};
    must(cvg_kind_create(engine, KIND, &definition), "kind");
    return engine;
}

static writes make_writes(const settings *s) {
    writes w = {calloc(s->window, sizeof *w.ops), calloc(s->window, CVG_ID_BYTES), calloc(s->window, row_bytes(s))};
    for (uint64_t i = 0; i < s->window; i++)
        w.ops[i] = (cvg_op){.id = w.ids + i * CVG_ID_BYTES,
                            .data = w.data + i * row_bytes(s),
                            .data_bytes = row_bytes(s),
                            .ordinal = i,
                            .kind = KIND,
                            .code = CVG_ASSERT,
                            .source = 1,
                            .schema = 1};
    return w;
}

static void fill(const settings *s, const writes *w, uint64_t i, uint64_t row, uint64_t *random) {
    set_id(w->ids + i * CVG_ID_BYTES, row);
    uint8_t *data = w->data + i * row_bytes(s);
    for (uint32_t at = 0; at < s->data_bytes; at += 8) {
        const uint64_t word = next(random);
        memcpy(data + at, &word, 8);
    }
    if (s->variable_bytes == 0) return;
    memcpy(data + s->data_bytes, &s->variable_bytes, 4);
    for (uint32_t at = 0; at < s->variable_bytes; at += 8) {
        const uint64_t word = next(random);
        memcpy(data + s->data_bytes + 4 + at, &word, s->variable_bytes - at < 8 ? s->variable_bytes - at : 8);
    }
}

static void apply(cvg_engine *engine, const writes *w, uint64_t count) {
    cvg_refusal refusals[CALL];
    for (uint64_t at = 0; at < count; at += CALL) {
        cvg_applied applied;
        const uint64_t some = count - at < CALL ? count - at : CALL;
        must(cvg_apply(engine, w->ops + at, some, refusals, CALL, &applied), "apply");
        if (applied.refused) must(refusals[0].status, "refused");
    }
}

static void load(cvg_engine *engine, const settings *s, const writes *w, uint64_t *random) {
    for (uint64_t row = 0; row < s->rows;) {
        uint64_t count = 0;
        for (; count < s->window && row < s->rows; count++, row++) fill(s, w, count, row, random);
        apply(engine, w, count);
        const cvg_batch *batch;
        must(cvg_seal(engine, &batch), "seal");
        cvg_install(engine, batch);
    }
}

static void measure_windows(cvg_engine *engine, const settings *s, const writes *w, uint64_t *random, times *t) {
    const cvg_class klass = {.number = 1};
    const uint64_t warm_up = s->operations / 10;
    const double empty = empty_interval();
    for (uint64_t done = 0; done < s->operations + warm_up; done += s->window) {
        if (done >= warm_up && t->operations == 0) *t = (times){0};
        const cvg_batch *batch;
        cvg_slices slices;
        for (uint64_t written = 0; written < s->window; written += s->ahead) {
            const uint64_t some = s->window - written < s->ahead ? s->window - written : s->ahead;
            for (uint64_t i = 0; i < some; i++) fill(s, w, i, next(random) % s->rows, random);
            const double start = now();
            apply(engine, w, some);
            t->apply += now() - start - empty;
        }
        const double applied = now();
        must(cvg_seal(engine, &batch), "seal");
        const double sealed = now();
        must(cvg_encode(engine, batch, KIND, klass, &slices), "encode");
        const double encoded = now();
        const uint64_t changes = cvg_batch_changes(batch, KIND);
        cvg_install(engine, batch);
        const double installed = now();
        t->seal += sealed - applied;
        t->encode += encoded - sealed;
        t->install += installed - encoded;
        if (done < warm_up) continue;
        t->operations += s->window;
        t->changes += changes;
        for (size_t i = 0; i < slices.count; i++) t->frame_bytes += slices.items[i].bytes;
    }
}

static void measure_catchup(cvg_engine *engine, const settings *s, times *t) {
    cvg_catchup *catchup;
    cvg_catchup_progress progress = {0};
    must(cvg_catchup_begin(engine, KIND, (cvg_class){.number = 1}, &catchup), "catch-up");
    const double start = now();
    while (!progress.live) {
        cvg_slices slices;
        must(cvg_catchup_step(engine, catchup, CATCHUP_BUDGET, &slices, &progress), "catch-up step");
    }
    t->catchup_row = (now() - start) * 1e9 / (double)s->rows;
    if (progress.rows != s->rows) must(CVG_E_ROWS, "catch-up missed rows");
    cvg_catchup_end(engine, catchup);
}

static void measure_queries(cvg_engine *engine, const settings *s, const writes *w, uint64_t *random, times *t) {
    const size_t capacity = cvg_query_frame_bytes_max(engine, KIND);
    uint8_t *frame = malloc(capacity);
    double seconds = 0;
    uint64_t done = 0;
    for (; done < QUERIES; done += s->window) {
        for (uint64_t i = 0; i < s->window; i++) set_id(w->ids + i * CVG_ID_BYTES, next(random) % s->rows);
        const double start = now();
        for (uint64_t i = 0; i < s->window; i++) {
            size_t bytes;
            must(cvg_encode_query(engine, KIND, w->ops[i].id, 1, frame, capacity, &bytes), "query");
            if (frame[12] != CVG_ALIVE) must(CVG_E_ROWS, "a row is missing");
        }
        seconds += now() - start;
    }
    t->query = seconds * 1e9 / (double)done;
    free(frame);
}

static void measure_query_groups(cvg_engine *engine, const settings *s, const writes *w, uint64_t *random, times *t) {
    const size_t capacity = CALL * cvg_query_frame_bytes_max(engine, KIND);
    uint8_t *frames = malloc(capacity);
    cvg_lookup *lookups = calloc(s->window, sizeof *lookups);
    double seconds = 0;
    uint64_t done = 0;
    for (; done < QUERIES; done += s->window) {
        for (uint64_t i = 0; i < s->window; i++) {
            set_id(w->ids + i * CVG_ID_BYTES, next(random) % s->rows);
            lookups[i] = (cvg_lookup){.id = w->ids + i * CVG_ID_BYTES, .kind = KIND, .stream = 1};
        }
        const double start = now();
        for (uint64_t i = 0; i < s->window; i += CALL) {
            const uint64_t some = s->window - i < CALL ? s->window - i : CALL;
            cvg_answered answered;
            must(cvg_encode_queries(engine, lookups + i, some, frames, capacity, &answered), "queries");
            if (frames[12] != CVG_ALIVE) must(CVG_E_ROWS, "a row is missing");
        }
        seconds += now() - start;
    }
    t->query_grouped = seconds * 1e9 / (double)done;
    free(lookups);
    free(frames);
}

static void report(const settings *s, const times *t, const cvg_stats *stats) {
    const double each = 1e9 / (double)t->operations;
    const double flush = t->seal + t->encode + t->install;
    const double row_bytes = (double)(stats->memory_bytes - stats->segment_bytes) / (double)s->rows;
    const char *format =
        s->json
            ? "{\"workload\":\"core\",\"pages\":\"%s\",\"rows\":%llu,\"data_bytes\":%u,\"variable_bytes\":%u,"
              "\"window\":%llu,"
              "\"operations\":%llu,"
              "\"changes\":%llu,\"frame_bytes\":%llu,\"apply_ns\":%.2f,\"seal_ns\":%.2f,\"encode_ns\":%.2f,"
              "\"install_ns\":%.2f,\"flush_ns\":%.2f,\"catchup_ns_per_row\":%.2f,\"query_ns\":%.2f,\"query_grouped_"
              "ns\":%.2f,"
              "\"memory_bytes_per_row\":%.1f}\n"
            : "%s pages, rows %llu, data bytes %u and %u variable, window %llu, operations %llu, changes %llu, "
              "frame bytes %llu\n"
              "  apply    %8.2f ns an operation\n  seal     %8.2f\n  encode   %8.2f\n  install  %8.2f\n"
              "  flush    %8.2f (the three together)\n  catch-up %8.2f ns a row\n  query    %8.2f ns, %.2f in groups\n"
              "  memory   %8.1f bytes a row\n";
    printf(format, s->small_pages ? "small" : "huge", (unsigned long long)s->rows, s->data_bytes, s->variable_bytes,
           (unsigned long long)s->window, (unsigned long long)t->operations, (unsigned long long)t->changes,
           (unsigned long long)t->frame_bytes, t->apply * each, t->seal * each, t->encode * each, t->install * each,
           flush * each, t->catchup_row, t->query, t->query_grouped, row_bytes);
}

static void usage(const char *why) {
    fprintf(
        stderr,
        "%s\nusage: bench_core [ROWS] [DATA_BYTES] [--variable N] [--operations N] [--window N] [--ahead N] [--seed N] "
        "[--pages huge|small] "
        "[--json]\n"
        "DATA_BYTES is a multiple of 8 from 8 to 504; --variable is 0 to 65,535; ROWS, --operations, --window and "
        "--ahead "
        "are at least 1.\n",
        why);
    exit(2);
}

static uint64_t number(const char *text) {
    char *end;
    const uint64_t value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *text < '0' || *text > '9' || *end != 0) usage(text ? text : "a number is missing");
    return value;
}

static bool is_small(const char *pages) {
    if (pages && strcmp(pages, "small") == 0) return true;
    if (!pages || strcmp(pages, "huge") != 0) usage(pages ? pages : "--pages needs huge or small");
    return false;
}

static settings read_settings(int count, char **arguments) {
    settings s = {.rows = 1000000, .operations = 10000000, .window = 20000, .ahead = 512, .seed = 1, .data_bytes = 64};
    int place = 0;
    for (int i = 1; i < count; i++) {
        const char *a = arguments[i];
        if (strcmp(a, "--json") == 0)
            s.json = true;
        else if (strcmp(a, "--pages") == 0)
            s.small_pages = is_small(arguments[++i]);
        else if (strcmp(a, "--variable") == 0)
            s.variable_bytes = (uint32_t)number(arguments[++i]);
        else if (strcmp(a, "--operations") == 0)
            s.operations = number(arguments[++i]);
        else if (strcmp(a, "--window") == 0)
            s.window = number(arguments[++i]);
        else if (strcmp(a, "--ahead") == 0)
            s.ahead = number(arguments[++i]);
        else if (strcmp(a, "--seed") == 0)
            s.seed = number(arguments[++i]);
        else if (place == 0)
            s.rows = number(a), place++;
        else if (place == 1)
            s.data_bytes = (uint32_t)number(a), place++;
        else
            usage(a);
    }
    if (s.rows < 1 || s.operations < 1 || s.window < 1 || s.ahead < 1) usage("a number is 0");
    if (s.data_bytes < 8 || s.data_bytes > 504 || s.variable_bytes > 65535 || s.data_bytes % 8)
        usage("DATA_BYTES does not fit");
    return s;
}

int main(int count, char **arguments) {
    const settings s = read_settings(count, arguments);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    uint64_t random = s.seed;
    times t = {0};
    cvg_stats stats;
    cvg_engine *engine = open_engine(&s);
    const writes w = make_writes(&s);
    load(engine, &s, &w, &random);
    measure_windows(engine, &s, &w, &random, &t);
    measure_catchup(engine, &s, &t);
    measure_queries(engine, &s, &w, &random, &t);
    measure_query_groups(engine, &s, &w, &random, &t);
    cvg_stats_read(engine, &stats);
    report(&s, &t, &stats);
    cvg_engine_destroy(engine);
    free(w.ops);
    free(w.ids);
    free(w.data);
    return 0;
}
