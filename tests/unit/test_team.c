/* The barrier of a team: nobody goes on before all have come, with more threads than processors and
 * with fewer, spinning and asleep. */
#include "test.h"

#include "kernel/team.h"

#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 2000, MOST = 16 };

/* Every thread writes its round, waits, and reads everybody's; a second wait keeps the next round's
 * writes from being read in this one. Sums of what was read that is not this round. */
static uint64_t wrong(struct rci_team *t, int threads, int *came)
{
    static int round_of[MOST];
    uint64_t sum = 0;
    *came = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        const int me = omp_get_thread_num(), n = omp_get_num_threads();
#pragma omp single
        *came = n;
        for (int r = 1; r <= ROUNDS; r++) {
            round_of[me] = r;
            rci_team_wait(t);
            for (int i = 0; i < n; i++)
                sum += round_of[i] != r;
            rci_team_wait(t);
        }
    }
    return sum;
}

/* Half of the threads come late to every round, so that the others sleep; waiting ends all the
 * same, soon after the last has come. */
static void sleepers_are_woken(void **state)
{
    (void) state;
    enum { LATE = 50 };
    struct rci_team t;
    const int threads = 2 * omp_get_num_procs() < MOST ? 2 * omp_get_num_procs() : MOST;
    int round_of[MOST] = {0}, wrong_ones = 0;
    rci_team_init(&t, (uint32_t) threads, test_cpu());
    const double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : wrong_ones)
    {
        const int me = omp_get_thread_num(), n = omp_get_num_threads();
        for (int r = 1; r <= LATE; r++) {
            if ((me + r) % 2)
                usleep(2000);
            round_of[me] = r;
            rci_team_wait(&t);
            for (int i = 0; i < n; i++)
                wrong_ones += round_of[i] != r;
            rci_team_wait(&t);
        }
    }
    assert_int_equal(wrong_ones, 0);
    assert_int_equal(atomic_load(&t.sleepers), 0);
    assert_true(omp_get_wtime() - begin < 30);
}

static void check(int threads, bool spins)
{
    struct rci_team t;
    int came;
    rci_team_init(&t, (uint32_t) threads, test_cpu());
    assert_int_equal(t.spins, spins);
    assert_int_equal(wrong(&t, threads, &came), 0);
    assert_int_equal(came, threads);
}

static void nobody_goes_on_before_all_have_come(void **state)
{
    (void) state;
    unsetenv("OMP_WAIT_POLICY");
    const int procs = omp_get_num_procs();
    for (int threads = 1; threads <= procs && threads <= MOST; threads *= 2)
        check(threads, true);
    if (procs < MOST)
        check(procs + 1, false);
}

static void who_wants_threads_to_sleep_gets_that(void **state)
{
    (void) state;
    setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
    check(omp_get_num_procs() < MOST ? omp_get_num_procs() : MOST, false);
    unsetenv("OMP_WAIT_POLICY");
}

/* More threads than there are processors must give way to each other. */
static void spinning_threads_give_way(void **state)
{
    (void) state;
    const int procs = omp_get_num_procs();
    struct rci_team t;
    int came;
    if (procs >= MOST)
        skip();
    rci_team_init(&t, (uint32_t) procs, test_cpu());
    const double begin = omp_get_wtime();
    assert_true(t.spins);
    assert_int_equal(wrong(&t, procs + 1, &came), 0);
    assert_int_equal(came, procs + 1);
    assert_true(omp_get_wtime() - begin < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_goes_on_before_all_have_come),
        cmocka_unit_test(who_wants_threads_to_sleep_gets_that),
        cmocka_unit_test(spinning_threads_give_way),
        cmocka_unit_test(sleepers_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
