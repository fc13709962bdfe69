/* Optimisers against steps computed by hand in double. */
#include "check.h"
#include "train/optim.h"

static struct rc_context *ctx;

static int open_context(void **state)
{
    (void) state;
    ctx = test_context();
    return 0;
}

static int close_context(void **state)
{
    (void) state;
    test_context_done(ctx);
    return 0;
}

/* Two steps on w = 2 with gradients 0.5 and -1, rate 0.1. */
static float two_steps(const char *spec, bool decays, double momentum)
{
    const struct rci_method *m;
    void *params;
    assert_int_equal(rci_method_find(&m, &rci_kind_optimizer, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, ctx, m, spec), RC_OK);
    float w = 2, first = 0, second = 0;
    const float grad[] = {0.5f, -1};
    for (uint64_t t = 0; t < 2; t++) {
        const struct rci_optim_step s = {.w = &w,
                                         .grad = &grad[t],
                                         .state = {&first, &second},
                                         .n = 1,
                                         .rate = 0.1,
                                         .momentum = momentum,
                                         .step = t + 1,
                                         .decays = decays};
        ((const struct rci_optimizer *) m)->step(params, &s);
    }
    rci_release(params);
    return w;
}

static void sgd_momentum_matches_hand_computation(void **state)
{
    (void) state;
    /* v: 0.5, 0.9*0.5 - 1 = -0.55; w: 2 - 0.05 + 0.055 */
    assert_near(two_steps("sgd", false, -1), 2.005, 1e-6);
}

static void sgd_decay_matches_hand_computation(void **state)
{
    (void) state;
    /* d: 0.5 + 0.2 = 0.7, w 1.93; d: -1 + 0.193 = -0.807, v 0.63 - 0.807 = -0.177 */
    assert_near(two_steps("sgd:weight_decay=0.1", true, -1), 1.9477, 1e-6);
}

static void sgd_nesterov_matches_hand_computation(void **state)
{
    (void) state;
    /* steps: 0.5 + 0.45 = 0.95; v -0.55, -1 + 0.9 * -0.55 = -1.495 */
    assert_near(two_steps("sgd:nesterov=1", false, -1), 2 - 0.095 + 0.1495, 1e-6);
}

static void vectors_do_not_decay_unless_asked(void **state)
{
    (void) state;
    assert_near(two_steps("sgd:weight_decay=0.1", false, -1), 2.005, 1e-6);
    assert_near(two_steps("sgd:weight_decay=0.1,decay_all=1", false, -1), 1.9477, 1e-6);
}

static void momentum_of_the_rate_replaces_the_optimizers(void **state)
{
    (void) state;
    assert_near(two_steps("sgd", false, 0), 2 - 0.05 + 0.1, 1e-6);
}

/* u: 0.05, then 0.9 0.005 - 0.1: signs 1 and -1. */
static void lion_steps_along_signs(void **state)
{
    (void) state;
    assert_near(two_steps("lion", false, -1), 2, 1e-6);
    /* 2 - 0.1 (1 + 0.5 * 2), then 1.8 - 0.1 (-1 + 0.5 * 1.8) */
    assert_near(two_steps("lion:weight_decay=0.5", true, -1), 1.8 + 0.01, 1e-6);
}

static double trust_of(const char *spec, struct rci_optim_norms n)
{
    const struct rci_method *m;
    void *params;
    assert_int_equal(rci_method_find(&m, &rci_kind_optimizer, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, ctx, m, spec), RC_OK);
    const double trust = ((const struct rci_optimizer *) m)->trust(params, &n);
    rci_release(params);
    return trust;
}

static void trust_follows_its_definition(void **state)
{
    (void) state;
    const char *lars = "lars:trust=0.01,weight_decay=0.5";
    assert_near(trust_of(lars, (struct rci_optim_norms){4, 2, 0, true}), 0.01 * 4 / (2 + 0.5 * 4),
                1e-12);
    assert_near(trust_of(lars, (struct rci_optim_norms){4, 2, 0, false}), 1, 0);
    assert_near(trust_of(lars, (struct rci_optim_norms){0, 2, 0, true}), 1, 0);
    assert_near(trust_of("lamb", (struct rci_optim_norms){4, 2, 8, true}), 0.5, 1e-12);
    assert_near(trust_of("lamb", (struct rci_optim_norms){4, 2, 0, true}), 1, 0);
}

static void adamw_matches_hand_computation(void **state)
{
    (void) state;
    /* step 1: w = 2 * 0.999 - 0.1 * 1; step 2: m = 0.9*0.05 - 0.1 = -0.055, / 0.19;
     * v = 0.999*2.5e-4 + 1e-3, / 0.001999 */
    const double first = 2 * 0.999 - 0.1;
    const double m = -0.055 / 0.19, v = (0.999 * 2.5e-4 + 1e-3) / 0.001999;
    assert_near(two_steps("adamw", true, -1), first * 0.999 - 0.1 * m / sqrt(v), 1e-6);
}

/* Both turns of a layer-wise optimiser, whose direction takes the gradient's place. */
static void step_both(const struct rci_optimizer *o, const void *params, struct rci_optim_step *s,
                      float *direction)
{
    s->direction = direction;
    memcpy(direction, s->grad, s->n * sizeof(*direction));
    if (o->direct)
        o->direct(params, s);
    o->step(params, s);
}

static void pieces_give_the_same_bits_as_the_whole(void **state)
{
    (void) state;
    for (uint32_t k = 0; k < rci_kind_optimizer.count; k++) {
        const struct rci_optimizer *o = (const struct rci_optimizer *) rci_kind_optimizer.table[k];
        void *params;
        assert_int_equal(rci_method_params(&params, ctx, &o->m, o->m.name), RC_OK);
        float w[2][37], g[37], a[2][37] = {{0}}, b[2][37] = {{0}}, d[2][37];
        for (int i = 0; i < 37; i++) {
            w[0][i] = w[1][i] = (float) sin(i);
            g[i] = (float) cos(3 * i);
        }
        struct rci_optim_step s = {.w = w[0],
                                   .grad = g,
                                   .state = {a[0], b[0]},
                                   .n = 37,
                                   .rate = 0.1,
                                   .momentum = -1,
                                   .step = 1,
                                   .decays = true,
                                   .trust = 0.3};
        step_both(o, params, &s, d[0]);
        for (size_t i = 0; i < 37; i += s.n) {
            s.n = i < 24 ? 5 : 1;
            s.w = w[1] + i, s.grad = g + i, s.state[0] = a[1] + i, s.state[1] = b[1] + i;
            step_both(o, params, &s, d[1] + i);
        }
        assert_memory_equal(w[0], w[1], sizeof(w[0]));
        assert_memory_equal(a[0], a[1], sizeof(a[0]));
        rci_release(params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_momentum_matches_hand_computation),
        cmocka_unit_test(sgd_decay_matches_hand_computation),
        cmocka_unit_test(sgd_nesterov_matches_hand_computation),
        cmocka_unit_test(vectors_do_not_decay_unless_asked),
        cmocka_unit_test(momentum_of_the_rate_replaces_the_optimizers),
        cmocka_unit_test(lion_steps_along_signs),
        cmocka_unit_test(trust_follows_its_definition),
        cmocka_unit_test(adamw_matches_hand_computation),
        cmocka_unit_test(pieces_give_the_same_bits_as_the_whole),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
