/*
 * What the tests of encode and catch-up share: an allocator that counts and fails on demand, random numbers, and a
 * table of rows filled by hand.
 */
#ifndef READ_SUPPORT_H
#define READ_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch.h"

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------------- allocator */

typedef struct test_allocator {
    int64_t blocks, bytes;   /* in use; atomic, because segments end on any thread */
    uint64_t calls;          /* of allocate */
    uint64_t fail_at;        /* the call that fails, counted from 1; 0: none */
    uint32_t fail_per_1024;  /* how many of 1,024 calls fail */
    uint64_t failed, random; /* calls that failed; state of the dice */
} test_allocator;

static uint64_t test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void *test_allocate(void *context, size_t bytes, size_t alignment) {
    test_allocator *a = context;
    a->calls++;
    if (a->calls == a->fail_at || test_random(&a->random) % 1024 < a->fail_per_1024) {
        a->failed++;
        return NULL;
    }
    void *pointer = NULL;
    if (posix_memalign(&pointer, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes) != 0) abort();
    __atomic_add_fetch(&a->blocks, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&a->bytes, (int64_t)bytes, __ATOMIC_RELAXED);
    memset(pointer, 0xA5, bytes); /* nothing may count on zeroes */
    return pointer;
}

static void test_release(void *context, void *pointer, size_t bytes) {
    test_allocator *a = context;
    __atomic_sub_fetch(&a->blocks, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&a->bytes, (int64_t)bytes, __ATOMIC_RELAXED);
    memset(pointer, 0x5A, bytes);
    free(pointer);
}

static cvgi_memory test_memory(test_allocator *allocator) {
    return (cvgi_memory){.allocator = {.context = allocator, .allocate = test_allocate, .release = test_release}};
}

/* ------------------------------------------------------------------------------------------------------------ rows */

/* Tiny slabs, so that a few rows already lie in many. */
static void hand_rows_init(cvgi_rows *rows, uint32_t fixed_bytes) {
    *rows = (cvgi_rows){.stride = (CVGI_ROW_DATA_AT + fixed_bytes + 63) / 64 * 64, .shift = 2, .mask = 3};
}

static uint32_t hand_rows_take(cvgi_rows *rows) {
    const uint32_t row = rows->count++;
    if ((row >> rows->shift) == rows->slab_count) {
        rows->slabs = realloc(rows->slabs, (rows->slab_count + 1) * sizeof *rows->slabs);
        rows->slabs[rows->slab_count++] = calloc((size_t)1 << rows->shift, rows->stride);
    }
    return row;
}

static void hand_rows_free(cvgi_rows *rows) {
    for (size_t i = 0; i < rows->slab_count; i++) free(rows->slabs[i]);
    free(rows->slabs);
}

/* The header of an image. The id is the number of the entity, then zeroes. */
static void hand_row_set(uint8_t *row, uint64_t entity, uint64_t source_set, uint64_t version, uint8_t flags) {
    memset(row, 0, CVG_ID_BYTES);
    cvgi_store64(row, entity);
    cvgi_row_set_source_set(row, source_set);
    cvgi_row_set_version(row, version);
    row[48] = 1;
    row[49] = flags;
}

#endif
