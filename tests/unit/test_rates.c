/* Learning rates of 100 steps against torch's schedulers. */
#include "../golden/schedules.h"
#include "check.h"
#include "train/rate.h"

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

static void expect_schedule(const char *spec, const double *rate, const double *momentum)
{
    const struct rci_method *m;
    void *params;
    assert_int_equal(rci_method_find(&m, &rci_kind_rate, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, ctx, m, spec), RC_OK);
    for (uint64_t t = 0; t < 100; t++) {
        const struct rci_rate_now now =
            rci_rate_at((const struct rci_rate *) m, params, 0.1, t, 100);
        assert_true(fabs(now.rate - rate[t]) <= 1e-6 * rate[t] + 1e-12);
        if (momentum)
            assert_near(now.momentum, momentum[t], 1e-6);
        else
            assert_true(now.momentum < 0);
    }
    rci_release(params);
}

static void step_rates_match_torch(void **state)
{
    (void) state;
    expect_schedule("step:first=0.3,second=0.6,third=0.9", golden_step, NULL);
    expect_schedule("step", golden_multistep, NULL);
}

static void cosine_rates_match_torch(void **state)
{
    (void) state;
    expect_schedule("cosine", golden_cosine, NULL);
    expect_schedule("cosine:min=0.001", golden_cosine_min, NULL);
}

static void warmed_up_cosine_matches_torch(void **state)
{
    (void) state;
    expect_schedule("cosine:warmup=0.1", golden_cosine_warm, NULL);
}

static void one_cycle_rates_match_torch(void **state)
{
    (void) state;
    expect_schedule("one-cycle", golden_onecycle, NULL);
    expect_schedule("one-cycle:momentum=1", golden_onecycle, golden_onecycle_momentum);
    expect_schedule("one-cycle:linear=1", golden_onecycle_linear, NULL);
}

static void polynomial_rates_match_torch(void **state)
{
    (void) state;
    expect_schedule("polynomial", golden_linear, NULL);
    expect_schedule("polynomial:power=2", golden_polynomial, NULL);
}

static void every_rate_is_finite_and_not_negative_for_short_runs(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < rci_kind_rate.count; i++) {
        const struct rci_method *m = rci_kind_rate.table[i];
        void *params;
        assert_int_equal(rci_method_params(&params, ctx, m, m->name), RC_OK);
        for (uint64_t total = 1; total < 8; total++)
            for (uint64_t t = 0; t < total; t++) {
                const double rate =
                    rci_rate_at((const struct rci_rate *) m, params, 0.1, t, total).rate;
                assert_true(isfinite(rate) && rate >= 0 && rate <= 0.1000001);
            }
        rci_release(params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_rates_match_torch),
        cmocka_unit_test(cosine_rates_match_torch),
        cmocka_unit_test(warmed_up_cosine_matches_torch),
        cmocka_unit_test(one_cycle_rates_match_torch),
        cmocka_unit_test(polynomial_rates_match_torch),
        cmocka_unit_test(every_rate_is_finite_and_not_negative_for_short_runs),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
