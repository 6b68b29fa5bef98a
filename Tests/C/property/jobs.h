/*
 * jobs.h - the histories of a run, spread over processes.
 */
#ifndef CONVERGE_PROPERTY_JOBS_H
#define CONVERGE_PROPERTY_JOBS_H

#include "run.h"

enum { JOBS_MAX = 64 };

/* Runs the histories of `histories` seeds from `first` on in `jobs` (1..JOBS_MAX) processes, and sums up what they did.
 * When one fails, its output is printed, whatever ended it, the others are stopped, and the process ends with 1. */
void jobs_run(uint64_t first, uint64_t histories, unsigned jobs, bool verbose, totals *sum);

#endif
