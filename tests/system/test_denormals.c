/* Denormals: zero on every thread that computes for the library, and no thread of the caller's is
 * left in that mode, whoever made it. */
#include "handnets.h"
#include "nets.h"
#include "test.h"

#include "exec/session.h"
#include "exec/tape.h"

#include <omp.h>
#include <stdlib.h>

#if defined(__SSE__)
#include <xmmintrin.h>
enum { FLUSH = 0x8040 };
#else
static unsigned _mm_getcsr(void)
{
    return 0;
}
enum { FLUSH = 0 };
#endif

enum { THREADS = 2, CHANNELS = 16, SIDE = 16, PIXELS = CHANNELS * SIDE * SIDE };

/* Threads of OpenMP in which denormals are flushed. */
static int flushing(int threads)
{
    int n = 0;
#pragma omp parallel num_threads(threads) reduction(+ : n)
    n += (_mm_getcsr() & FLUSH) != 0;
    return n;
}

static struct rc_session *compile(const struct rc_graph *g, uint32_t threads)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = 1, .threads = threads};
    OK(rci_session_new(&s, g, &o));
    return s;
}

/* First of all: OpenMP has made no thread yet, the library will. */
static void threads_that_the_library_made_are_as_the_callers(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 1);
    float *x = calloc(3 * 32 * 32, sizeof(*x)), y[10];
    for (uint32_t threads = THREADS + 2; threads >= THREADS; threads--) { /* some threads end */
        struct rc_session *s = compile(g, threads);
        OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
        assert_int_equal(flushing((int) threads), 0);
        struct rc_session *wide = compile(g, THREADS + 2);
        OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
        OK(rci_session_run(wide, 1, (const void *const[]){x}, (void *const[]){y}));
        assert_int_equal(flushing(THREADS + 2), 0);
        rci_session_free(wide);
        rci_session_free(s);
    }
    free(x);
    rci_graph_free(g);
}

static void training_leaves_threads_as_they_were(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.5);
    float *x = calloc(4 * 3 * 32 * 32, sizeof(*x));
    const struct rci_tape_config o = {.batch = 4, .threads = THREADS};
    struct rci_tape *t;
    OK(rci_tape_new(&t, g, &o));
    OK(rci_tape_forward(t, (const void *const[]){x}, 1, 0));
    rci_tape_free(t);
    assert_int_equal(flushing(THREADS), 0);
    free(x);
    rci_graph_free(g);
}

/* A mode that the caller has set stays too. */
static void the_callers_mode_stays(void **state)
{
#if defined(__SSE__)
    struct rc_graph *g = net_zoo(*state, "resnet20", 0.5);
    float *x = calloc(3 * 32 * 32, sizeof(*x)), y[10];
    const unsigned before = _mm_getcsr();
    struct rc_session *s = compile(g, THREADS);
    _mm_setcsr(before | FLUSH);
    OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
    assert_int_equal(_mm_getcsr() & FLUSH, FLUSH);
    _mm_setcsr(before);
    OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
    assert_int_equal(_mm_getcsr() & FLUSH, before & FLUSH);
    rci_session_free(s);
    free(x);
    rci_graph_free(g);
#else
    (void) state;
    skip();
#endif
}

/* The sum of what a layer makes of denormals. */
static double sum_of_denormals(struct rc_context *c)
{
    struct net n = net_new(c);
    const rci_id in = net_input(&n, CHANNELS, SIDE, SIDE);
    net_done(&n, net_conv(&n, "c", in, (struct net_conv){CHANNELS, 3, 1, 1, false}));
    struct rc_session *s = compile(n.g, THREADS);
    float *x = malloc(PIXELS * sizeof(*x)), *y = malloc(PIXELS * sizeof(*y));
    double sum = 0;
    for (int i = 0; i < PIXELS; i++)
        x[i] = 1e-39f;
    OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
    for (int i = 0; i < PIXELS; i++)
        sum += y[i] < 0 ? -(double) y[i] : (double) y[i];
    rci_session_free(s);
    rci_graph_free(n.g);
    free(x);
    free(y);
    return sum;
}

/* The caller's threads were there before, so they do not have the mode of the one that calls. */
static void every_thread_flushes(void **state)
{
    static const char *const winograd[] = {"off", "on"};
    if (!FLUSH)
        skip();
    assert_int_equal(flushing(THREADS), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setenv("RESCOMP_WINOGRAD", winograd[i], 1), 0);
        assert_true(sum_of_denormals(*state) == 0);
    }
    unsetenv("RESCOMP_WINOGRAD");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(threads_that_the_library_made_are_as_the_callers),
        CASE(training_leaves_threads_as_they_were),
        CASE(the_callers_mode_stays),
        CASE(every_thread_flushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
