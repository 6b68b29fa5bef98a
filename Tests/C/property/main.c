/*
 * main.c - property: random histories of the core against the reference model.
 *
 *   property [--histories N] [--first-seed S] [--jobs J] [--verbose]     N histories, seeds S, S+1, ..., in J processes
 *   property --seed S [--verbose]                                        one history again
 *
 * A run of some size also fails if something it is meant to show never happened.
 */
#include "jobs.h"
#include "run.h"
#include "self_test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH_HISTORIES = 200 }; /* from here on everything counted must have occurred */

typedef struct counted {
    const char *name;
    uint64_t value;
    bool must_occur;
} counted;

static const char *const status_names[STATUSES] = {
    [-CVG_E_MEMORY] = "memory", [-CVG_E_KIND] = "kind",       [-CVG_E_OPERATION] = "operation",
    [-CVG_E_SOURCE] = "source", [-CVG_E_SCHEMA] = "schema",   [-CVG_E_LENGTH] = "length",
    [-CVG_E_MASK] = "mask",     [-CVG_E_BOOL] = "bool",       [-CVG_E_TOO_LONG] = "too long",
    [-CVG_E_UTF8] = "UTF-8",    [-CVG_E_PADDING] = "padding", [-CVG_E_NOT_OWNER] = "not owner",
};

static bool print_counted(const counted *items, size_t count, bool enough) {
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        bool missing = enough && items[i].must_occur && items[i].value == 0;
        printf("  %-36s %10llu%s\n", items[i].name, (unsigned long long)items[i].value,
               missing ? "  MISSING: it must occur" : "");
        all &= !missing;
    }
    return all;
}

static bool print_refusals(const totals *t, bool enough) {
    bool all = true;
    printf("  refusals by status\n");
    for (unsigned s = 0; s < STATUSES; s++) {
        if (status_names[s] == NULL) continue;
        bool missing = enough && t->refusals[s] == 0;
        printf("    %-34s %10llu%s\n", status_names[s], (unsigned long long)t->refusals[s],
               missing ? "  MISSING: it must occur" : "");
        all &= !missing;
    }
    return all;
}

static bool report(const totals *t, bool enough) {
    const model_counts *m = &t->model;
    const counted items[] = {
        {"histories", t->histories, true},
        {"operations", t->operations, true},
        {"windows sealed", t->windows, true},
        {"histories of several partitions", t->partitioned, true},
        {"  calls with writes for several", t->spread, true},
        {"  flushes while another was open", t->apart, true},
        {"  live in one, catching up in another", t->half_live, true},
        {"flushes", m->flushes, true},
        {"batches without a change", t->empty_batches, true},
        {"creates", m->created, true},
        {"updates", m->updated, true},
        {"deletes", m->deleted, true},
        {"revivals", m->revived, true},
        {"dedups", m->deduplicated, true},
        {"  with equal bytes", m->unchanged, true},
        {"  created and retracted, no trace", m->no_trace, true},
        {"source-only changes", m->source_changes, true},
        {"fields cleared by on_retract", m->clears, true},
        {"  of them variable", m->clears_variable, true},
        {"kinds", t->kinds, true},
        {"  with variable fields", t->variable_kinds, true},
        {"variable values written", m->variable, true},
        {"  longer than before", m->grows, true},
        {"  shorter than before", m->shrinks, true},
        {"  empty, and not before", m->empties, true},
        {"  as long as can be", m->full, true},
        {"arrays written", m->arrays, true},
        {"structs, or arrays of them, written", m->structs, true},
        {"windows full", t->full_windows, true},
        {"sealed batches held open", t->held, true},
        {"  most writes on top of one", t->held_deepest, true},
        {"  rows in them with variable bytes", t->held_variable, true},
        {"seals refused meanwhile", t->refused_seals, true},
        {"bootstraps begun", t->bootstraps, true},
        {"live readers put back to catch-up", t->demoted, true},
        {"catch-up readers finished", t->finished, true},
        {"  of them without a change meanwhile", t->quiet, true},
        {"catch-up frames", t->catchup_frames, true},
        {"  of them deletions", t->catchup_deletions, true},
        {"live frames", t->live_frames, true},
        {"slices retained", t->kept, true},
        {"queries compared", t->queries, true},
        {"calls that ran out of memory", t->starved, true},
        {"refusals inside structs and arrays", t->inside, true},
        {"refusals for directory entries", t->directory, true},
        {"  where another answer was as good", t->either, true},
    };
    bool all = print_counted(items, sizeof items / sizeof *items, enough);
    return print_refusals(t, enough) && all;
}

static uint64_t number_after(int argc, char **argv, int *i) {
    char *end = NULL;
    uint64_t value = *i + 1 < argc ? strtoull(argv[*i + 1], &end, 10) : 0;
    if (end == NULL || end == argv[*i + 1] || *end != 0) {
        fprintf(stderr, "property: %s takes a number\n", argv[*i]);
        exit(2);
    }
    ++*i;
    return value;
}

int main(int argc, char **argv) {
    uint64_t histories = 1000, first = 1, jobs = 1;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--histories") == 0)
            histories = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--first-seed") == 0)
            first = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--seed") == 0)
            first = number_after(argc, argv, &i), histories = 1;
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else {
            fprintf(stderr, "usage: property [--histories N] [--first-seed S] [--jobs J] [--seed S] [--verbose]\n");
            return 2;
        }
    }
    static totals t;
    if (histories == 0) {
        fprintf(stderr, "property: --histories takes a number above 0\n");
        return 2;
    }
    if (jobs == 0 || jobs > JOBS_MAX) {
        fprintf(stderr, "property: --jobs takes a number, 1 to %d\n", JOBS_MAX);
        return 2;
    }
    model_self_test();
    definitions_test();
    churn_test();
    planted_test();
    printf("seeds %llu..%llu\n", (unsigned long long)first, (unsigned long long)(first + histories - 1));
    if (jobs > 1)
        jobs_run(first, histories, (unsigned)jobs, verbose, &t);
    else
        for (uint64_t i = 0; i < histories; i++) history_run(first + i, verbose, PLANTED_NOTHING, &t);
    bool all = report(&t, histories >= ENOUGH_HISTORIES);
    if (!all) {
        printf("FAILED: what must occur did not\n");
        return 1;
    }
    printf("%llu passed, 0 failed\n", (unsigned long long)t.histories);
    return 0;
}
