/* Sessions on several threads at once, and pinned ones: the same bits as alone, the caller's
 * threads as they were. */
#include "test.h"

#include <pthread.h>
#include <rescomp/rescomp.h>
#include <sched.h>
#include <stdlib.h>

enum { PIXELS = 3 * 32 * 32, CLASSES = 10, CALLERS = 4, RUNS = 60 };

static float image[PIXELS], alone[CLASSES];

struct caller {
    rc_session *session;
    pthread_t thread;
    int wrong;
};

static rc_session *session_of(rc_graph *g, uint64_t threads)
{
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.threads = threads;
    OK(rc_session_new(&s, g, &o));
    return s;
}

static rc_graph *network(rc_context *c)
{
    rc_graph *g;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    o.seed = 3;
    OK(rc_graph_new_network(&g, c, "resnet8", &o));
    return g;
}

static void run(rc_session *s, float out[CLASSES])
{
    const float *const in[] = {image};
    float *const to[] = {out};
    OK(rc_session_run(s, 1, in, to));
}

static void *call(void *user)
{
    struct caller *c = user;
    float out[CLASSES];
    for (int i = 0; i < RUNS; i++) {
        run(c->session, out);
        c->wrong += memcmp(out, alone, sizeof(out)) != 0;
    }
    return NULL;
}

static void callers_at_once_get_the_bits_of_one(void **state)
{
    struct caller callers[CALLERS] = {{0}};
    rc_graph *g = network(*state);
    for (int i = 0; i < PIXELS; i++)
        image[i] = (float) (i * 37 % 256) / 128 - 1;
    for (int i = 0; i < CALLERS; i++)
        callers[i].session = session_of(g, 2);
    run(callers[0].session, alone);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].wrong, 0);
        rc_session_free(&callers[i].session);
    }
    rc_graph_free(&g);
}

static int allowed_now(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return CPU_COUNT(&set);
}

static void pinned_callers_are_free_again(void **state)
{
    (void) state;
    rc_context *c;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    const int before = allowed_now();
    float out[CLASSES];
    o.flags = RC_CONTEXT_PIN;
    o.choices = "off";
    OK(rc_context_new(&c, &o));
    rc_graph *g = network(c);
    rc_session *s = session_of(g, 2);
    assert_int_equal(allowed_now(), before);
    for (int i = 0; i < 5; i++)
        run(s, out);
    assert_int_equal(allowed_now(), before);
    rc_session_free(&s);
    rc_graph_free(&g);
    rc_context_free(&c);

    o.flags = RC_CONTEXT_REFERENCE << 20;
    REFUSED(rc_context_new(&c, &o), RC_ERR_ABI, "flag");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(callers_at_once_get_the_bits_of_one),
        CASE(pinned_callers_are_free_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
