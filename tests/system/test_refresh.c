/* New weights for a compiled session. */
#include "nets.h"
#include "test.h"

#include "exec/plan.h"
#include "exec/session.h"

#include <stdlib.h>

enum { PIXELS = 3 * 13 * 11, CLASSES = 5 };

static struct rc_session *compile(const struct rc_graph *g, uint64_t flags)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = 1, .flags = flags};
    OK(rci_session_new(&s, g, &o));
    return s;
}

static void run(struct rc_session *s, const float *x, float *y)
{
    OK(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}));
}

static const void *engine_of(const struct rc_session *s)
{
    return rci_session_plan(s)->engine;
}

/* Kernels stay where only weights have changed; either way the answer is that of a new session. */
static void refresh_takes_new_weights(void **state)
{
    uint32_t kept = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        float x[PIXELS], want[CLASSES], y[CLASSES];
        struct rc_graph *g = net_random(*state, seed, NET_ALL);
        const uint64_t flags = seed % 4 == 0 ? RC_SESSION_REFERENCE : 0;
        struct rc_session *s = compile(g, flags), *fresh;
        const void *engine = engine_of(s);
        fill_random(x, PIXELS, seed);
        run(s, x, want);
        net_randomize(g, 99 + seed);
        OK(rci_session_refresh(s, g));
        kept += engine_of(s) == engine;
        run(s, x, y);
        assert_true(relative_error(y, want, CLASSES) > 1e-3); /* other weights, other answers */
        fresh = compile(g, flags);
        run(fresh, x, want);
        assert_memory_equal(y, want, sizeof(y));
        run_reference(g, 1, x, want);
        assert_true(relative_error(y, want, CLASSES) < 2e-5);
        rci_session_free(fresh);
        rci_session_free(s);
        rci_graph_free(g);
    }
    assert_true(kept >= 3);
}

static void refresh_packs_a_network_again(void **state)
{
    static const char *const winograd[] = {"off", "on"};
    float *x = calloc(3 * 32 * 32, sizeof(*x)), old[10], want[10], y[10];
    fill_random(x, 3 * 32 * 32, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setenv("RESCOMP_WINOGRAD", winograd[i], 1), 0);
        struct rc_graph *g = net_zoo(*state, "resnet20", 1);
        struct rc_session *s = compile(g, 0), *other = compile(g, 0), *fresh;
        const void *engine = engine_of(s);
        run(other, x, old);
        net_randomize(g, 7);
        OK(rci_session_refresh(s, g));
        assert_ptr_equal(engine_of(s), engine); /* nothing was prepared again */
        run(s, x, y);
        fresh = compile(g, 0);
        run(fresh, x, want);
        assert_memory_equal(y, want, sizeof(y));
        run(other, x, y); /* had shared the old weights */
        assert_memory_equal(y, old, sizeof(y));
        rci_session_free(fresh);
        rci_session_free(other);
        run(s, x, y);
        assert_memory_equal(y, want, sizeof(y));
        rci_session_free(s);
        rci_graph_free(g);
    }
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
    free(x);
}

static void refresh_without_memory_keeps_the_old_weights(void **state)
{
    struct rc_context *c = *state;
    float *x = calloc(3 * 32 * 32, sizeof(*x)), old[10], y[10];
    struct rc_graph *g = net_zoo(c, "resnet20", 1);
    struct rc_session *s = compile(g, 0);
    uint64_t live, after;
    int failures = 0;
    fill_random(x, 3 * 32 * 32, 1);
    run(s, x, old);
    net_randomize(g, 7);
    OK(rc_context_get_memory(c, &live, NULL));
    for (uint64_t more = 0;; more += 200000) {
        c->o.max_memory = live + more;
        const rc_status st = rci_session_refresh(s, g);
        c->o.max_memory = 0;
        if (st == RC_OK)
            break;
        assert_int_equal(st, RC_ERR_MEMORY);
        failures++;
        run(s, x, y);
        assert_memory_equal(y, old, sizeof(y));
        OK(rc_context_get_memory(c, &after, NULL));
        assert_in_range(after, live, live + 4096); /* the table of packed constants has grown */
    }
    assert_true(failures > 4);
    run(s, x, y);
    assert_memory_not_equal(y, old, sizeof(y));
    rci_session_free(s);
    rci_graph_free(g);
    free(x);
}

/* Fewer channels: compiled again. Other outputs: refused. */
static void refresh_with_another_structure(void **state)
{
    float x[PIXELS], want[CLASSES], y[CLASSES];
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    struct rc_graph *other = net_random(*state, 5, NET_ALL), *zoo = net_zoo(*state, "resnet8", 1);
    struct rc_session *s = compile(g, 0);
    const void *engine = engine_of(s);
    fill_random(x, PIXELS, 1);
    OK(rci_session_refresh(s, other));
    assert_ptr_not_equal(engine_of(s), engine);
    run(s, x, y);
    run_reference(other, 1, x, want);
    assert_true(relative_error(y, want, CLASSES) < 2e-5);
    REFUSED(rci_session_refresh(s, zoo), RC_ERR_ARG, "other inputs or outputs");
    run(s, x, want);
    assert_memory_equal(y, want, sizeof(y));
    rci_session_free(s);
    rci_graph_free(zoo);
    rci_graph_free(other);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(refresh_takes_new_weights),
        CASE(refresh_packs_a_network_again),
        CASE(refresh_without_memory_keeps_the_old_weights),
        CASE(refresh_with_another_structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
