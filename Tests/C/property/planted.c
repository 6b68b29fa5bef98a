/*
 * planted.c - the test tested: mistakes that only several partitions allow are made on purpose, and must be found.
 *
 * Each fault is planted in the histories of one seed after the other, a process each, until one of them ends as a
 * difference does. Not every history shows its fault: two writes of the same value may change places unseen.
 */
#include "run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 40 };
typedef enum outcome { UNSEEN, FOUND, NOT_PLANTED } outcome;

static const char *const names[PLANTED_COUNT] = {
    [PLANTED_WRONG_PARTITION] = "a write applied to the wrong partition",
    [PLANTED_SWAPPED] = "two writes to one entity swapped by the sort",
    [PLANTED_NOT_FLUSHED] = "a partition that is not flushed",
    [PLANTED_NOT_FED] = "a mirror without the slices of one partition",
    [PLANTED_NOT_BEGUN] = "a reader without a catch-up in one partition",
    [PLANTED_ENDED_EARLY] = "a reader taken for live in a partition in which it is not",
};

static _Noreturn void cannot(const char *what) {
    perror(what);
    exit(1);
}

/* Whether the process said what fail() says first: a sanitizer's end would be none. */
static bool says_difference(FILE *output) {
    static const char beginning[] = "FAILED seed ";
    char said[sizeof beginning] = {0};
    rewind(output);
    return fread(said, 1, sizeof beginning - 1, output) == sizeof beginning - 1 && strcmp(said, beginning) == 0;
}

static outcome run_planted(uint64_t seed, planted fault) {
    FILE *output = tmpfile();
    if (output == NULL) cannot("property: a temporary file");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) cannot("property: a process for a planted fault");
    if (child == 0) {
        totals t = {0};
        dup2(fileno(output), STDOUT_FILENO);
        _exit(history_run(seed, false, fault, &t) == 0 ? NOT_PLANTED : UNSEEN);
    }
    int status;
    if (waitpid(child, &status, 0) != child) cannot("property: waiting for a planted fault");
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code != UNSEEN && code != NOT_PLANTED && !(code == FOUND && says_difference(output))) {
        printf("FAILED planted: %s ended the history of seed %llu with status 0x%x, not with a difference\n",
               names[fault], (unsigned long long)seed, (unsigned)status);
        exit(1);
    }
    fclose(output);
    return (outcome)code;
}

void planted_test(void) {
    for (planted fault = PLANTED_NOTHING + 1; fault < PLANTED_COUNT; fault++) {
        unsigned counts[NOT_PLANTED + 1] = {0};
        for (uint64_t seed = 1; seed <= SEEDS && counts[FOUND] == 0; seed++) counts[run_planted(seed, fault)]++;
        if (counts[FOUND] > 0) continue;
        printf("FAILED planted: %s was not found in %u histories\n", names[fault], counts[UNSEEN]);
        exit(1);
    }
}
