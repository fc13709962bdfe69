/* Losses against torch's values and gradients, and their limits. */
#include "../golden/losses.h"
#include "check.h"
#include "distill/loss.h"

#include <math.h>

enum { IMAGES = 4, CLASSES = 10, COUNT = IMAGES * CLASSES };

static float logits[COUNT], teacher[COUNT], grad[COUNT];
static const struct rci_loss_batch batch = {IMAGES, CLASSES, logits, golden_labels, grad};

static int load(void **state)
{
    for (int i = 0; i < COUNT; i++) {
        logits[i] = (float) golden_logits[i];
        teacher[i] = (float) golden_teacher[i];
    }
    *state = test_context();
    return 0;
}

static int unload(void **state)
{
    test_context_done(*state);
    return 0;
}

static void expect(double value, double golden, const double *gradient)
{
    assert_near(value, golden, 1e-6);
    double most = 0;
    for (int i = 0; i < COUNT; i++)
        most = fmax(most, fabs(gradient[i]));
    for (int i = 0; i < COUNT; i++)
        assert_true(fabs(grad[i] - gradient[i]) <= 1e-6 * most);
}

static double by_label(void **state, const char *spec)
{
    const struct rci_method *m;
    void *params;
    assert_int_equal(rci_method_find(&m, &rci_kind_loss, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, *state, m, spec), RC_OK);
    const double value = ((const struct rci_loss *) m)->value(params, &batch);
    rci_release(params);
    return value;
}

static double by_teacher(void **state, const char *spec)
{
    const struct rci_method *m;
    void *params;
    assert_int_equal(rci_method_find(&m, &rci_kind_distill_loss, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, *state, m, spec), RC_OK);
    const double value = ((const struct rci_distill_loss *) m)->value(params, &batch, teacher);
    rci_release(params);
    return value;
}

static void cross_entropy_matches_torch(void **state)
{
    expect(by_label(state, "cross-entropy"), golden_ce_value, golden_ce_gradient);
}

static void smoothed_cross_entropy_matches_torch(void **state)
{
    expect(by_label(state, "cross-entropy:smoothing=0.1"), golden_smooth_value,
           golden_smooth_gradient);
}

static void hinton_loss_matches_torch(void **state)
{
    expect(by_teacher(state, "hinton:temperature=4,alpha=0.7"), golden_kd_value,
           golden_kd_gradient);
}

static void hinton_loss_at_alpha_one_is_the_divergence(void **state)
{
    expect(by_teacher(state, "hinton:temperature=1,alpha=1"), golden_kl_value, golden_kl_gradient);
}

static void hinton_loss_at_alpha_zero_is_the_cross_entropy(void **state)
{
    expect(by_teacher(state, "hinton:alpha=0"), golden_ce_value, golden_ce_gradient);
}

static void logits_mse_matches_torch(void **state)
{
    expect(by_teacher(state, "logits-mse:alpha=1"), golden_mse_value, golden_mse_gradient);
}

static void mse_gradient_matches_differences(void **state)
{
    by_label(state, "mse");
    for (int i = 0; i < COUNT; i += 7) {
        const float kept = logits[i], by_formula = grad[i];
        logits[i] = kept + 0.01f;
        const double up = by_label(state, "mse");
        logits[i] = kept - 0.01f;
        const double slope = (up - by_label(state, "mse")) / 0.02;
        logits[i] = kept;
        assert_true(fabs(slope - by_formula) < 1e-4);
    }
}

static void huge_logits_do_not_overflow(void **state)
{
    for (int i = 0; i < COUNT; i++) {
        logits[i] *= 1e30f;
        teacher[i] *= 1e30f;
    }
    assert_true(isfinite(by_label(state, "cross-entropy")));
    assert_true(isfinite(by_teacher(state, "hinton")));
    for (int i = 0; i < COUNT; i++)
        assert_true(isfinite(grad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cross_entropy_matches_torch, load, unload),
        cmocka_unit_test_setup_teardown(smoothed_cross_entropy_matches_torch, load, unload),
        cmocka_unit_test_setup_teardown(hinton_loss_matches_torch, load, unload),
        cmocka_unit_test_setup_teardown(hinton_loss_at_alpha_one_is_the_divergence, load, unload),
        cmocka_unit_test_setup_teardown(hinton_loss_at_alpha_zero_is_the_cross_entropy, load,
                                        unload),
        cmocka_unit_test_setup_teardown(logits_mse_matches_torch, load, unload),
        cmocka_unit_test_setup_teardown(mse_gradient_matches_differences, load, unload),
        cmocka_unit_test_setup_teardown(huge_logits_do_not_overflow, load, unload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
