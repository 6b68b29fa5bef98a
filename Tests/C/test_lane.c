/* The lane between two shards: order, bounds, places of bytes, and no wake-up lost, alone and between two threads. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "converge_shard.h"

typedef struct entry {
    uint64_t number;
    const uint8_t *data;
    uint32_t bytes;
    uint32_t check;
} entry;

static uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static cvg_lane *make(uint32_t entries, uint32_t bytes) {
    cvg_lane_options options = {.entry_bytes = sizeof(entry), .entries = entries, .bytes = bytes};
    cvg_lane *lane = cvg_lane_create(&options);
    assert_non_null(lane);
    return lane;
}

static uint8_t pattern(uint64_t number, uint32_t at) {
    return (uint8_t)(number * 131 + at * 7);
}

static bool push(cvg_lane *lane, uint64_t number, uint32_t bytes) {
    uint8_t *data = (uint8_t *)1;
    entry *e = cvg_lane_push(lane, bytes, &data);
    if (e == NULL) return false;
    *e = (entry){.number = number, .data = data, .bytes = bytes, .check = (uint32_t)number ^ bytes};
    for (uint32_t i = 0; i < bytes; i++) data[i] = pattern(number, i);
    return true;
}

static bool is_right(const entry *e, uint64_t number) {
    if (e->number != number || e->check != ((uint32_t)number ^ e->bytes)) return false;
    if (e->bytes == 0) return e->data == NULL;
    if ((uintptr_t)e->data % 8 != 0) return false;
    for (uint32_t i = 0; i < e->bytes; i++)
        if (e->data[i] != pattern(number, i)) return false;
    return true;
}

static void options_outside_their_limits_are_refused(void **state) {
    (void)state;
    static const cvg_lane_options bad[] = {{0, 8, 64}, {12, 8, 64},       {4104, 8, 64}, {8, 0, 64},
                                           {8, 6, 64}, {8, 1u << 25, 64}, {8, 8, 32},    {8, 8, 100}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(cvg_lane_create(&bad[i]));
    cvg_lane_destroy(NULL);
}

static void nothing_is_seen_before_it_is_published(void **state) {
    (void)state;
    cvg_lane *lane = make(8, 256);
    void *run;
    assert_true(push(lane, 1, 10));
    assert_int_equal(cvg_lane_take(lane, &run), 0);
    assert_false(cvg_lane_publish(lane)); /* nobody sleeps */
    assert_int_equal(cvg_lane_take(lane, &run), 1);
    assert_int_equal(cvg_lane_take(lane, &run), 1);
    assert_true(is_right(run, 1));
    assert_false(cvg_lane_release(lane, 1));
    assert_int_equal(cvg_lane_take(lane, &run), 0);
    cvg_lane_destroy(lane);
}

static void a_full_lane_says_so_and_who_wants_room_is_told(void **state) {
    (void)state;
    cvg_lane *lane = make(4, 0);
    void *run;
    for (uint64_t n = 0; n < 4; n++) assert_true(push(lane, n, 0));
    assert_false(push(lane, 4, 0));
    assert_true(cvg_lane_want_room(lane, 0));
    cvg_lane_publish(lane);
    assert_int_equal(cvg_lane_take(lane, &run), 4);
    assert_true(cvg_lane_release(lane, 1));  /* wake it */
    assert_false(cvg_lane_release(lane, 1)); /* once */
    assert_true(push(lane, 4, 0));
    assert_true(push(lane, 5, 0));
    assert_false(push(lane, 6, 0));
    cvg_lane_publish(lane);
    assert_int_equal(cvg_lane_take(lane, &run), 2); /* up to the end of the ring */
    assert_true(is_right(run, 2));
    assert_false(cvg_lane_release(lane, 2));
    assert_false(cvg_lane_want_room(lane, 0)); /* there is some */
    assert_int_equal(cvg_lane_take(lane, &run), 2);
    assert_true(is_right(run, 4));
    cvg_lane_stats stats;
    cvg_lane_stats_read(lane, &stats);
    assert_int_equal(stats.pushed, 6);
    assert_int_equal(stats.full, 2);
    assert_int_equal(stats.entries_now, 2);
    assert_int_equal(stats.entries_peak, 4);
    assert_int_equal(stats.entries_max, 4);
    cvg_lane_destroy(lane);
}

static void bytes_are_bounded_too_and_half_of_them_always_find_a_place(void **state) {
    (void)state;
    cvg_lane *lane = make(64, 128);
    void *run;
    assert_true(push(lane, 0, 64));
    assert_true(push(lane, 1, 64));
    assert_false(push(lane, 2, 1));
    cvg_lane_publish(lane);
    assert_int_equal(cvg_lane_take(lane, &run), 2);
    cvg_lane_release(lane, 2);
    /* Wherever an empty lane stands: half of its bytes fit. */
    for (uint64_t n = 2; n < 300; n++) {
        assert_true(push(lane, n, (uint32_t)(n % 64) + 1));
        cvg_lane_publish(lane);
        assert_int_equal(cvg_lane_take(lane, &run), 1);
        assert_true(is_right(run, n));
        cvg_lane_release(lane, 1);
        assert_true(push(lane, n, 64));
        cvg_lane_publish(lane);
        assert_int_equal(cvg_lane_take(lane, &run), 1);
        assert_true(is_right(run, n));
        cvg_lane_release(lane, 1);
    }
    cvg_lane_destroy(lane);
}

static void a_sleeper_is_woken_once(void **state) {
    (void)state;
    cvg_lane *lane = make(8, 64);
    void *run;
    assert_true(cvg_lane_sleep(lane));
    assert_false(cvg_lane_publish(lane)); /* nothing to see */
    assert_true(push(lane, 0, 0));
    assert_true(cvg_lane_publish(lane));
    assert_true(push(lane, 1, 0));
    assert_false(cvg_lane_publish(lane));
    assert_false(cvg_lane_sleep(lane)); /* there is something */
    assert_int_equal(cvg_lane_take(lane, &run), 2);
    cvg_lane_release(lane, 2);
    assert_true(cvg_lane_sleep(lane));
    cvg_lane_awake(lane);
    assert_true(push(lane, 2, 0));
    assert_false(cvg_lane_publish(lane));
    assert_true(push(lane, 3, 0));
    cvg_lane_stats stats;
    cvg_lane_stats_read(lane, &stats);
    assert_int_equal(stats.wakes, 1);
    assert_int_equal(stats.entries_now, 1); /* the one that is not published is nobody's yet */
    cvg_lane_destroy(lane);
}

/* More than half of the ring might find no place for ever: the process stops instead. */
static void more_bytes_than_half_are_a_bug(void **state) {
    (void)state;
    cvg_lane *lane = make(4, 128);
    for (int wants_room = 0; wants_room < 2; wants_room++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            uint8_t *data;
            signal(SIGILL, SIG_DFL);
            if (wants_room)
                cvg_lane_want_room(lane, 65);
            else
                cvg_lane_push(lane, 65, &data);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    cvg_lane_destroy(lane);
}

/* A random single-threaded run against counters: what goes in comes out, in order, and room is exactly what is free. */
static void random_runs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        uint32_t capacity = 1u << (1 + random_next(&random) % 6);
        cvg_lane *lane = make(capacity, 64u << (random_next(&random) % 4));
        uint32_t bytes_max = (64u << 3) / 16;
        uint64_t pushed = 0, published = 0, released = 0;
        for (int step = 0; step < 2000; step++) {
            uint64_t choice = random_next(&random) % 4;
            if (choice < 2) {
                bool fits = push(lane, pushed, (uint32_t)(random_next(&random) % (bytes_max + 1)));
                if (fits) pushed += 1;
                if (pushed - released == capacity) assert_false(push(lane, pushed, 0));
                assert_true(pushed - released <= capacity);
            } else if (choice == 2) {
                cvg_lane_publish(lane);
                published = pushed;
            } else {
                void *run;
                size_t count = cvg_lane_take(lane, &run);
                assert_true(count <= published - released);
                assert_int_equal(count == 0, published == released);
                for (size_t i = 0; i < count; i++) assert_true(is_right((entry *)run + i, released + i));
                if (count > 0) count = 1 + random_next(&random) % count;
                cvg_lane_release(lane, count);
                released += count;
            }
        }
        cvg_lane_destroy(lane);
    }
}

/* ----------------------------------------------------------------------------------------------------- two threads */

enum { NUMBERS = 300000, WAIT_SECONDS = 20 };

typedef struct pair {
    cvg_lane *lane;
    sem_t to_consumer, to_producer;
    uint64_t seed;
    bool lost; /* a wake-up */
    bool wrong;
    uint64_t sleeps, waits;
} pair;

static bool wait_for(sem_t *semaphore) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_SECONDS;
    return sem_timedwait(semaphore, &limit) == 0;
}

static void *produce(void *argument) {
    pair *p = argument;
    uint64_t random = p->seed;
    for (uint64_t number = 0; number < NUMBERS;) {
        uint64_t batch = 1 + random_next(&random) % 40;
        while (batch > 0 && number < NUMBERS) {
            uint32_t bytes = (uint32_t)(random_next(&random) % 100);
            if (push(p->lane, number, bytes)) {
                number += 1;
                batch -= 1;
                continue;
            }
            if (cvg_lane_publish(p->lane)) sem_post(&p->to_consumer);
            if (!cvg_lane_want_room(p->lane, bytes)) continue;
            p->waits += 1;
            if (!wait_for(&p->to_producer)) {
                p->lost = true;
                return NULL;
            }
        }
        if (cvg_lane_publish(p->lane)) sem_post(&p->to_consumer);
    }
    return NULL;
}

static void *consume(void *argument) {
    pair *p = argument;
    uint64_t random = p->seed * 77 + 1;
    for (uint64_t number = 0; number < NUMBERS;) {
        void *run;
        size_t count = cvg_lane_take(p->lane, &run);
        if (count == 0) {
            if (!cvg_lane_sleep(p->lane)) continue;
            p->sleeps += 1;
            if (!wait_for(&p->to_consumer)) {
                p->lost = true;
                return NULL;
            }
            continue;
        }
        count = 1 + random_next(&random) % count;
        for (size_t i = 0; i < count; i++) p->wrong |= !is_right((entry *)run + i, number + i);
        number += count;
        if (cvg_lane_release(p->lane, count)) sem_post(&p->to_producer);
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state) {
    (void)state;
    static const uint32_t sizes[][2] = {{4, 256}, {64, 512}, {1024, 1u << 16}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pair p = {.lane = make(sizes[i][0], sizes[i][1]), .seed = i + 1};
        sem_init(&p.to_consumer, 0, 0);
        sem_init(&p.to_producer, 0, 0);
        pthread_t producer, consumer;
        assert_int_equal(pthread_create(&producer, NULL, produce, &p), 0);
        assert_int_equal(pthread_create(&consumer, NULL, consume, &p), 0);
        pthread_join(producer, NULL);
        pthread_join(consumer, NULL);
        assert_false(p.lost);
        assert_false(p.wrong);
        cvg_lane_stats stats;
        cvg_lane_stats_read(p.lane, &stats);
        assert_int_equal(stats.pushed, NUMBERS);
        assert_int_equal(stats.entries_now, 0);
        assert_true(stats.entries_peak <= stats.entries_max);
        assert_true(stats.wakes <= p.sleeps);
        sem_destroy(&p.to_consumer);
        sem_destroy(&p.to_producer);
        cvg_lane_destroy(p.lane);
    }
}

/* Invariant 3, alone: again and again one side publishes, or releases, at the moment at which the other says that it
 * sleeps, or wants room. Both must not miss each other. Bounded in time: a busy machine has fewer of these moments. */
typedef struct meeting {
    cvg_lane *lane;
    _Atomic(uint64_t) at, done; /* rounds: begun by one thread, done by the other */
    _Atomic(bool) end;
    bool of_room, told;
} meeting;

static void *meet(void *argument) {
    meeting *m = argument;
    for (uint64_t round = 1;; round++) {
        while (atomic_load(&m->at) < round)
            if (atomic_load(&m->end)) return NULL;
        m->told = m->of_room ? cvg_lane_release(m->lane, 1) : cvg_lane_publish(m->lane);
        atomic_store(&m->done, round);
    }
}

static uint64_t missed_meetings(bool of_room) {
    meeting m = {.lane = make(2, 0), .of_room = of_room};
    pthread_t thread;
    void *run;
    assert_int_equal(pthread_create(&thread, NULL, meet, &m), 0);
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t missed = 0;
    for (uint64_t round = 1;; round++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 > 400) break;
        assert_true(push(m.lane, round, 0));
        if (of_room) {
            assert_true(push(m.lane, round, 0));
            cvg_lane_publish(m.lane);
            assert_int_equal(cvg_lane_take(m.lane, &run), 2);
        }
        atomic_store(&m.at, round);
        for (uint64_t pause = round * 7 % 1000; pause > 0; pause--) __asm__ volatile("");
        bool waits = of_room ? cvg_lane_want_room(m.lane, 0) : cvg_lane_sleep(m.lane);
        while (atomic_load(&m.done) < round) continue;
        missed += waits && !m.told;
        cvg_lane_awake(m.lane);
        size_t left = cvg_lane_take(m.lane, &run);
        assert_int_equal(left, 1);
        cvg_lane_release(m.lane, left);
    }
    atomic_store(&m.end, true);
    pthread_join(thread, NULL);
    cvg_lane_destroy(m.lane);
    return missed;
}

static void no_meeting_is_missed(void **state) {
    (void)state;
    assert_int_equal(missed_meetings(false), 0);
    assert_int_equal(missed_meetings(true), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_outside_their_limits_are_refused),
        cmocka_unit_test(nothing_is_seen_before_it_is_published),
        cmocka_unit_test(a_full_lane_says_so_and_who_wants_room_is_told),
        cmocka_unit_test(bytes_are_bounded_too_and_half_of_them_always_find_a_place),
        cmocka_unit_test(a_sleeper_is_woken_once),
        cmocka_unit_test(more_bytes_than_half_are_a_bug),
        cmocka_unit_test(random_runs),
        cmocka_unit_test(two_threads_lose_nothing),
        cmocka_unit_test(no_meeting_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
