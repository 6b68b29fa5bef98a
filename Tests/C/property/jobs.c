/*
 * jobs.c - the histories of a run, spread over processes.
 *
 *   job j of n: seeds first + j, first + j + n, ...  ─▶ its page: seed under way, totals  ─▶ summed up by the parent
 *                                                    ─▶ its file: what it prints, shown if it fails
 *
 * Invariants
 *   1. A history is the same in whichever process it runs: nothing is carried over from one to the next.
 *   2. The page is written by one job alone, and read when that job has ended.
 * Failure: a job that ends otherwise than with 0 names the seed it was at, also when a signal or a sanitizer ended it.
 */
#include "jobs.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct page {
    uint64_t seed;
    totals totals;
} page;

typedef struct job {
    pid_t pid; /* 0: has ended */
    FILE *output;
    page *page;
} job;

_Static_assert(sizeof(totals) % sizeof(uint64_t) == 0, "totals are counts of 64 bits, nothing else");

static void add(totals *sum, const totals *part) {
    uint64_t deepest = sum->held_deepest > part->held_deepest ? sum->held_deepest : part->held_deepest;
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)part;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
    sum->held_deepest = deepest;
}

static _Noreturn void cannot(const char *what) {
    perror(what);
    exit(1);
}

static void start(job *job, uint64_t first, uint64_t histories, unsigned step, bool verbose) {
    job->output = tmpfile();
    if (job->output == NULL) cannot("property: a temporary file");
    job->page = mmap(NULL, sizeof *job->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (job->page == MAP_FAILED) cannot("property: memory shared with a job");
    fflush(NULL);
    job->pid = fork();
    if (job->pid < 0) cannot("property: a process for a job");
    if (job->pid > 0) return;
    dup2(fileno(job->output), STDOUT_FILENO);
    dup2(fileno(job->output), STDERR_FILENO);
    for (uint64_t i = 0; i < histories; i += step) {
        job->page->seed = first + i;
        history_run(first + i, verbose, PLANTED_NOTHING, &job->page->totals);
    }
    exit(0);
}

static void print_output(job *job) {
    char piece[4096];
    size_t count;
    rewind(job->output);
    while ((count = fread(piece, 1, sizeof piece, job->output)) > 0) fwrite(piece, 1, count, stdout);
}

static _Noreturn void failed(job *jobs, unsigned count, job *job, int status) {
    job->pid = 0;
    for (unsigned j = 0; j < count; j++) {
        if (jobs[j].pid == 0) continue;
        kill(jobs[j].pid, SIGKILL);
        waitpid(jobs[j].pid, NULL, 0);
    }
    print_output(job);
    unsigned long long seed = job->page->seed;
    if (WIFSIGNALED(status))
        printf("FAILED seed %llu: ended by signal %d (%s)\n", seed, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("FAILED seed %llu: ended with code %d\n", seed, WEXITSTATUS(status));
    printf("replay: property --seed %llu --verbose\n", seed);
    exit(1);
}

void jobs_run(uint64_t first, uint64_t histories, unsigned count, bool verbose, totals *sum) {
    job jobs[JOBS_MAX] = {0};
    if (count > histories) count = (unsigned)histories;
    for (unsigned j = 0; j < count; j++) start(&jobs[j], first + j, histories - j, count, verbose);
    for (unsigned ended = 0; ended < count; ended++) {
        int status;
        pid_t pid = wait(&status);
        if (pid < 0) cannot("property: waiting for a job");
        job *job = jobs;
        while (job->pid != pid) job++;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) failed(jobs, count, job, status);
        job->pid = 0;
        add(sum, &job->page->totals);
        munmap(job->page, sizeof *job->page);
        if (verbose) print_output(job);
        fclose(job->output);
    }
}
