/* When the machine counts as busy, what follows for the number of threads and how they wait, and
 * that results stay the same bits. */
#include "base/file.h"
#include "base/load.h"
#include "test.h"

#include <omp.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)

/* A thread that in `n` stretches of 60 ms ran and waited so long in each half. Returns the time
 * after them. */
static uint64_t live(struct rci_load *l, struct rci_load_seen *s, struct rci_load_times *t,
                     uint64_t now, int n, uint64_t ran_ms, uint64_t waited_ms)
{
    for (int i = 0; i < n; i++) {
        now += 60 * MS;
        t->ran += 2 * ran_ms * MS;
        t->waited += 2 * waited_ms * MS;
        rci_load_judge(l, s, now, *t);
    }
    return now;
}

static void late_more_than_once_is_busy(void **state)
{
    (void) state;
    struct rci_load l = {0};
    struct rci_load_seen s = {0};
    struct rci_load_times t = {5000 * MS, 4000 * MS}; /* what was before counts for nothing */
    uint64_t now = 1000 * MS;
    rci_load_judge(&l, &s, now, t);
    now = live(&l, &s, &t, now, 10, 29, 1);
    assert_false(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now, 1, 20, 10); /* once */
    now = live(&l, &s, &t, now, 1, 29, 1);
    now = live(&l, &s, &t, now, 1, 20, 10);
    assert_false(rci_load_is_busy_at(&l, now));
    assert_int_equal(rci_load_threads_at(&l, now, 4), 4);
    now = live(&l, &s, &t, now, 1, 20, 10);
    assert_true(rci_load_is_busy_at(&l, now));
    assert_int_equal(rci_load_threads_at(&l, now, 4), 3);
    assert_int_equal(rci_load_threads_at(&l, now, 1), 1);
    assert_true(rci_load_is_busy_at(&l, now + 900 * MS));
    assert_false(rci_load_is_busy_at(&l, now + 1001 * MS));
    assert_int_equal(rci_load_threads_at(&l, now + 1001 * MS, 4), 4);
}

/* What a thread saw before it was left out for a while says nothing when it is back. */
static void a_thread_that_was_idle_begins_anew(void **state)
{
    (void) state;
    struct rci_load l = {0};
    struct rci_load_seen s = {0};
    struct rci_load_times t = {1, 0};
    uint64_t now = live(&l, &s, &t, MS, 1, 1, 0);
    now = live(&l, &s, &t, now, 1, 15, 15);
    now = live(&l, &s, &t, now + 3000 * MS, 1, 15, 15);
    assert_false(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now, 1, 15, 15);
    assert_false(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now, 1, 15, 15);
    assert_true(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now + 3000 * MS, 200, 0, 1); /* hardly there at all */
    assert_false(rci_load_is_busy_at(&l, now));
}

static void a_weaker_sign_keeps_it_busy(void **state)
{
    (void) state;
    struct rci_load l = {0};
    struct rci_load_seen s = {0};
    struct rci_load_times t = {1, 0};
    uint64_t now = live(&l, &s, &t, MS, 1, 1, 0);
    now = live(&l, &s, &t, now, 20, 26, 4);
    assert_false(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now, 2, 15, 15);
    now = live(&l, &s, &t, now, 50, 26, 4); /* an eighth, for 3 s */
    assert_true(rci_load_is_busy_at(&l, now));
    now = live(&l, &s, &t, now, 40, 29, 1);
    assert_false(rci_load_is_busy_at(&l, now));
}

/* Where it is busy again each time, it is tried less often: 1, 2, 4 s and no more. */
static void trying_again_becomes_rarer(void **state)
{
    (void) state;
    struct rci_load l = {0};
    struct rci_load_seen s = {0};
    struct rci_load_times t = {1, 0};
    static const uint64_t holds[] = {1000, 2000, 4000, 4000};
    uint64_t now = live(&l, &s, &t, MS, 1, 1, 0);
    for (int i = 0; i < 4; i++) {
        now = live(&l, &s, &t, now, 2, 15, 15);
        assert_true(rci_load_is_busy_at(&l, now + (holds[i] - 1) * MS));
        assert_false(rci_load_is_busy_at(&l, now + (holds[i] + 1) * MS));
        now += (holds[i] + 100) * MS;
        now = live(&l, &s, &t, now, 1, 30, 0);
    }
    now += 10000 * MS;
    now = live(&l, &s, &t, now, 1, 30, 0);
    now = live(&l, &s, &t, now, 2, 15, 15);
    assert_false(rci_load_is_busy_at(&l, now + 1001 * MS));
}

static void threads_are_counted_once_a_busy_time(void **state)
{
    (void) state;
    struct rci_load l = {0};
    struct rci_load_seen s[3] = {{0}};
    struct rci_load_times t[3] = {{1, 0}, {1, 0}, {1, 0}};
    uint64_t now = MS;
    for (int k = 0; k < 3; k++)
        live(&l, &s[k], &t[k], now, 1, 1, 0);
    for (int i = 0; i < 10; i++, now += 60 * MS)
        for (int k = 0; k < 2; k++) /* two of three are late */
            live(&l, &s[k], &t[k], now, 1, 15, 15);
    assert_int_equal(rci_load_threads_at(&l, now, 8), 6);
    assert_int_equal(rci_load_threads_at(&l, now, 3), 1);
    assert_int_equal(rci_load_threads_at(&l, now, 2), 1);
}

/* This process, by /proc: never wrong about a calm moment, and cheap. */
static void noting_is_cheap(void **state)
{
    (void) state;
    const uint64_t begin = rci_clock_ns();
    for (int i = 0; i < 100000; i++)
        rci_load_note();
    assert_true(rci_clock_ns() - begin < 5000 * MS);
    assert_in_range(rci_load_threads(2), 1, 2);
}

/* --- callers at once --- */

static void callers_share_the_processors(void **state)
{
    (void) state;
    assert_int_equal(rci_crowd_enter(4, 8), 4); /* alone */
    assert_int_equal(rci_crowd_enter(4, 8), 4); /* the second */
    assert_int_equal(rci_crowd_enter(4, 8), 2); /* the third */
    assert_int_equal(rci_crowd_enter(1, 2), 1);
    assert_int_equal(rci_crowd_enter(4, 2), 1);
    for (int i = 0; i < 5; i++)
        rci_crowd_leave();
    assert_int_equal(rci_crowd_enter(4, 5), 1); /* not forgotten at once */
    rci_crowd_leave();
    for (uint64_t begin = rci_clock_ns(); rci_clock_ns() - begin < 60 * MS;)
        ;
    assert_int_equal(rci_crowd_enter(4, 5), 4);
    rci_crowd_leave();
}

/* --- OpenMP's threads --- */

/* Regions of two threads give the right sums while threads are parked, more are, and none. */
static void parking_leaves_regions_alone(void **state)
{
    (void) state;
    for (uint32_t idle = 0; idle < 6; idle++) {
        if (idle % 3)
            assert_true(rci_park_begin(idle));
        else
            rci_park_end();
        for (int r = 0; r < 200; r++) {
            int sum = 0, n = 0;
#pragma omp parallel num_threads(2) reduction(+ : sum)
            {
                sum += omp_get_thread_num() + 1;
#pragma omp master
                n = omp_get_num_threads();
            }
            assert_int_equal(sum, n * (n + 1) / 2);
        }
    }
    rci_park_end();
    rci_park_end();
    rci_load_limit(1.5);
    rci_load_follow(2);
    rci_load_follow(2);
    rci_load_limit(0);
    rci_load_follow(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_more_than_once_is_busy),
        cmocka_unit_test(a_thread_that_was_idle_begins_anew),
        cmocka_unit_test(a_weaker_sign_keeps_it_busy),
        cmocka_unit_test(trying_again_becomes_rarer),
        cmocka_unit_test(threads_are_counted_once_a_busy_time),
        cmocka_unit_test(noting_is_cheap),
        cmocka_unit_test(callers_share_the_processors),
        cmocka_unit_test(parking_leaves_regions_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
