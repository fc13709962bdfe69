/* Losses against torch's values and gradients, and their limits. */
#include "../golden/losses.h"
#include "base/json.h"
#include "check.h"
#include "distill/sum.h"
#include "shared.h"

#include <math.h>

enum { IMAGES = 4, CLASSES = 10, COUNT = IMAGES * CLASSES };

static float logits[COUNT], teacher[COUNT], grad[COUNT];
static struct rci_loss_batch batch;

static int load(void **state)
{
    for (int i = 0; i < COUNT; i++) {
        logits[i] = (float) golden_logits[i];
        teacher[i] = (float) golden_teacher[i];
    }
    batch = (struct rci_loss_batch){IMAGES, CLASSES, logits, golden_labels, grad, NULL};
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
    struct rci_distill_sum sum;
    static float part[COUNT];
    double room[3 * COUNT];
    assert_int_equal(rci_distill_sum_make(&sum, *state, spec), RC_OK);
    assert_true(rci_distill_sum_room(&sum, IMAGES, CLASSES) <= 3 * COUNT);
    const double value = rci_distill_sum_logits(&sum, &batch, teacher, 0.5, part, room);
    rci_method_uses_free(sum.use, sum.n);
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

/* Value and gradient of a loss in the reference, to which the labels' part of ours is added. */
static void expect_reference(void **state, const struct rci_json_value *losses, const char *name,
                             const char *spec)
{
    const struct rci_json_value *l = rci_json_get(losses, name);
    const struct rci_json_value *g = rci_json_get(l, "gradient")->first;
    double gradient[COUNT];
    for (int i = 0; i < COUNT; i++, g = g->next)
        gradient[i] = g->number + golden_ce_gradient[i];
    expect(by_teacher(state, spec), rci_json_get(l, "value")->number + golden_ce_value, gradient);
}

static void decoupled_and_correlated_losses_match_torch(void **state)
{
    const char *path = shared_path("golden/losses/losses.json");
    struct rci_json *json;
    if (!path)
        skip();
    OK(rci_json_load(&json, *state, path));
    const struct rci_json_value *losses = rci_json_get(rci_json_root(json), "losses");
    expect_reference(state, losses, "tckd_T4_times_T2", "dkd:tckd=1,nckd=0");
    expect_reference(state, losses, "nckd_T4_times_T2", "dkd:tckd=0,nckd=1");
    expect_reference(state, losses, "dkd_alpha1_beta8_T4", "dkd:nckd=8");
    expect_reference(state, losses, "dist_beta2_gamma2_T4", "dist");
    expect_reference(state, losses, "dist_beta1_gamma1_T1", "dist:temperature=1,inter=1,intra=1");
    rci_json_free(&json);
}

/* Logits of deviation 1 first: neither their mean nor their scale matters. */
static void standardized_losses_do_not_see_scale_and_shift(void **state)
{
    static const char *const specs[] = {"hinton:standardize=1,alpha=1,temperature=2",
                                        "dist:standardize=1", "dkd:standardize=1"};
    for (int k = 0; k < 3; k++) {
        unload(state);
        load(state);
        const double ce = k ? by_label(state, "cross-entropy") : 0;
        const double first = by_teacher(state, specs[k]) - ce;
        for (int i = 0; i < COUNT; i++)
            logits[i] = logits[i] * 3 - 5;
        const double moved = k ? by_label(state, "cross-entropy") : 0;
        assert_near(by_teacher(state, specs[k]) - moved, first, 1e-5);
    }
}

static void standardized_gradients_match_differences(void **state)
{
    static const char *const specs[] = {"hinton:standardize=1", "dist:standardize=1",
                                        "dkd:standardize=1,nckd=4"};
    for (int k = 0; k < 3; k++) {
        by_teacher(state, specs[k]);
        for (int i = 0; i < COUNT; i += 3) {
            const float kept = logits[i], by_formula = grad[i];
            logits[i] = kept + 0.01f;
            const double up = by_teacher(state, specs[k]);
            logits[i] = kept - 0.01f;
            const double slope = (up - by_teacher(state, specs[k])) / 0.02;
            logits[i] = kept;
            by_teacher(state, specs[k]);
            assert_true(fabs(slope - by_formula) < 3e-4 + 1e-3 * fabs(slope));
        }
    }
}

static void sums_add_what_their_losses_give(void **state)
{
    const double ce = by_label(state, "cross-entropy");
    const double dkd = by_teacher(state, "dkd") - ce, dist = by_teacher(state, "dist") - ce;
    assert_near(by_teacher(state, "dkd:weight=2+dist:weight=0.5"), ce + 2 * dkd + 0.5 * dist, 1e-9);
    /* half of the steps are done */
    assert_near(by_teacher(state, "dkd:warmup=1"), ce + dkd / 2, 1e-9);
    assert_near(by_teacher(state, "dkd:fade=1"), ce + dkd / 2, 1e-9);
    assert_near(by_teacher(state, "dkd:warmup=0.1,fade=0.2"), ce + dkd, 1e-9);
    /* a loss that says what it leaves to the labels */
    assert_near(by_teacher(state, "hinton:alpha=0.7+dkd"),
                by_teacher(state, "hinton:alpha=0.7") + dkd, 1e-9);
    struct rci_distill_sum sum;
    REFUSED(rci_distill_sum_make(&sum, *state, "hinton+kd"), RC_ERR_ARG, "dkd");
    rci_method_uses_free(sum.use, sum.n);
}

/* Of every loss there is, by name. */
static void gradients_match_differences(void **state)
{
    static double (*const by[])(void **, const char *) = {by_label, by_teacher};
    const struct rci_method_kind *const kinds[] = {&rci_kind_loss, &rci_kind_distill_loss};
    for (int k = 0; k < 2; k++)
        for (uint32_t m = 0; m < kinds[k]->count; m++) {
            const char *name = kinds[k]->table[m]->name;
            if (k && !((const struct rci_distill_loss *) kinds[k]->table[m])->value)
                continue; /* of features: tests/unit/test_features.c */
            by[k](state, name);
            for (int i = 0; i < COUNT; i += 7) {
                const float kept = logits[i], by_formula = grad[i];
                logits[i] = kept + 0.01f;
                const double up = by[k](state, name);
                logits[i] = kept - 0.01f;
                const double slope = (up - by[k](state, name)) / 0.02;
                logits[i] = kept;
                by[k](state, name);
                if (!(fabs(slope - by_formula) < 2e-4 + 1e-3 * fabs(slope)))
                    fail_msg("%s: gradient %g, by differences %g", name, (double) by_formula,
                             slope);
            }
        }
}

/* The shares of the classes in mixed images, and the labels that have the largest. */
static void mix_labels(void)
{
    static float target[COUNT];
    memset(target, 0, sizeof(target));
    for (int i = 0; i < IMAGES; i++) {
        target[i * CLASSES + golden_labels[i]] = 0.6f;
        target[i * CLASSES + (golden_labels[i] + 3) % CLASSES] = 0.4f;
    }
    batch.target = target;
}

static void gradients_match_differences_for_mixed_labels(void **state)
{
    mix_labels();
    gradients_match_differences(state);
}

static void mixed_labels_mix_what_the_labels_give(void **state)
{
    static const char *const names[] = {"cross-entropy:smoothing=0.1", "hinton", "logits-mse",
                                        "dkd", "dist+hinton:standardize=1"};
    for (int k = 0; k < 5; k++) {
        double (*const by)(void **, const char *) = k ? by_teacher : by_label;
        int32_t other[IMAGES];
        for (int i = 0; i < IMAGES; i++)
            other[i] = (golden_labels[i] + 3) % CLASSES;
        batch.target = NULL;
        const double first = by(state, names[k]);
        batch.labels = other;
        const double second = by(state, names[k]);
        batch.labels = golden_labels;
        mix_labels();
        assert_near(by(state, names[k]), 0.6 * first + 0.4 * second, 1e-6);
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
        cmocka_unit_test_setup_teardown(decoupled_and_correlated_losses_match_torch, load, unload),
        cmocka_unit_test_setup_teardown(standardized_losses_do_not_see_scale_and_shift, load,
                                        unload),
        cmocka_unit_test_setup_teardown(standardized_gradients_match_differences, load, unload),
        cmocka_unit_test_setup_teardown(sums_add_what_their_losses_give, load, unload),
        cmocka_unit_test_setup_teardown(gradients_match_differences, load, unload),
        cmocka_unit_test_setup_teardown(gradients_match_differences_for_mixed_labels, load, unload),
        cmocka_unit_test_setup_teardown(mixed_labels_mix_what_the_labels_give, load, unload),
        cmocka_unit_test_setup_teardown(huge_logits_do_not_overflow, load, unload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
