/* Normalisations of rows: InstanceNormalization, GroupNormalization, LayerNormalization; LRN. */
#include "opcheck.h"

#include "op/layers.h"

#include <math.h>

#define F32(...)                            \
    {                                       \
        RC_F32, RC_SHAPE(__VA_ARGS__), NULL \
    }
static const struct rci_rownorm_attrs plain = {.axis = 1, .epsilon = 1e-3f};
static const struct rci_rownorm_attrs by_channel = {.groups = 2, .epsilon = 1e-3f};
static const struct rci_rownorm_attrs by_group = {.groups = 2, .epsilon = 1e-3f, .per_group = 1};

/* Rows of `length` elements; the parameter of element i is i / span % params. */
static void expect_rows(struct opcheck *c, int64_t length, int64_t span, int64_t params)
{
    const float *x = c->in[0].data, *s = c->in[1].data, *b = c->in[2].data;
    opcheck_forward(c);
    const float *y = c->out[0].data;
    for (int64_t i = 0, n = rci_shape_count(&c->in[0].shape); i < n; i++) {
        const float *row = x + i / length * length;
        double mean = 0, square = 0;
        for (int64_t k = 0; k < length; k++)
            mean += (double) row[k] / (double) length;
        for (int64_t k = 0; k < length; k++)
            square += pow((double) row[k] - mean, 2) / (double) length;
        const int64_t p = i / span % params;
        const double want =
            ((double) x[i] - mean) / sqrt(square + 1e-3) * (double) s[p] + (double) b[p];
        if (fabs((double) y[i] - want) > 1e-5)
            fail_msg("element %lld is %g, expected %g", (long long) i, (double) y[i], want);
    }
}

static void rows_are_normalised(void **state)
{
    (void) state;
    const struct rci_tensor image[] = {F32(2, 4, 3, 5), F32(4), F32(4)};
    const struct rci_tensor groups[] = {F32(2, 4, 3, 5), F32(2), F32(2)};
    const struct rci_tensor layer[] = {F32(3, 2, 7), F32(2, 7), F32(2, 7)};
    struct opcheck c;
    opcheck_open(&c, "InstanceNormalization", &plain, image, 3, 1);
    expect_rows(&c, 15, 15, 4);
    opcheck_close(&c);
    opcheck_open(&c, "GroupNormalization", &by_channel, image, 3, 1);
    expect_rows(&c, 30, 15, 4);
    opcheck_close(&c);
    opcheck_open(&c, "GroupNormalization", &by_group, groups, 3, 1);
    expect_rows(&c, 30, 30, 2);
    opcheck_close(&c);
    opcheck_open(&c, "LayerNormalization", &plain, layer, 3, 3);
    expect_rows(&c, 14, 1, 14);
    const struct rci_shape means = RC_SHAPE(3, 1, 1);
    assert_true(rci_shape_equal(&c.out[1].shape, &means));
    opcheck_close(&c);
}

static void row_gradients_match_differences(void **state)
{
    (void) state;
    const struct rci_tensor image[] = {F32(2, 4, 2, 3), F32(4), F32(4)};
    const struct rci_tensor groups[] = {F32(2, 4, 2, 3), F32(2), F32(2)};
    const struct rci_tensor layer[] = {F32(3, 2, 4), F32(2, 4), F32(2, 4)};
    opcheck_gradient_of("InstanceNormalization", &plain, image, 3, 1, 2e-3, 5e-3);
    opcheck_gradient_of("GroupNormalization", &by_channel, image, 3, 1, 2e-3, 5e-3);
    opcheck_gradient_of("GroupNormalization", &by_group, groups, 3, 1, 2e-3, 5e-3);
    opcheck_gradient_of("LayerNormalization", &plain, layer, 3, 1, 2e-3, 5e-3);
    opcheck_gradient_of("LayerNormalization", &plain, layer, 2, 1, 2e-3, 5e-3);
}

static void rows_refuse_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_tensor flat[] = {F32(2, 4), F32(4), F32(4)};
    const struct rci_tensor image[] = {F32(2, 4, 3), F32(3), F32(4)};
    const struct rci_rownorm_attrs three = {.groups = 3, .epsilon = 1e-3f};
    opcheck_refused("InstanceNormalization", &plain, flat, 3, 1, RC_ERR_SHAPE,
                    "must be [N, C, ...]");
    opcheck_refused("InstanceNormalization", &plain, image, 3, 1, RC_ERR_SHAPE,
                    "scale has shape 3");
    opcheck_refused("GroupNormalization", &three, flat, 3, 1, RC_ERR_MODEL,
                    "num_groups is 3, must divide 4 channels");
    opcheck_refused("GroupNormalization", &by_group, flat, 3, 1, RC_ERR_SHAPE, "must be [2]");
    opcheck_refused("LayerNormalization", &plain, image, 3, 1, RC_ERR_SHAPE,
                    "must have 12 elements");
}

static void lrn_divides_by_its_neighbours(void **state)
{
    (void) state;
    const struct rci_lrn_attrs a = {.alpha = 0.3f, .beta = 0.75f, .bias = 2, .size = 3};
    const struct rci_lrn_attrs even = {.alpha = 0.3f, .beta = 0.5f, .bias = 1, .size = 4};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 3, 1), (float[]){1, 2, 3}};
    const struct rci_tensor image = F32(2, 5, 2);
    struct opcheck c;
    opcheck_open(&c, "LRN", &a, &x, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 3, 1), (float) pow(2 + 0.1 * 5, -0.75),
                (float) (2 * pow(2 + 0.1 * 14, -0.75)), (float) (3 * pow(2 + 0.1 * 13, -0.75)));
    opcheck_close(&c);
    opcheck_gradient_of("LRN", &a, &image, 1, 1, 1e-2, 2e-3);
    opcheck_gradient_of("LRN", &even, &image, 1, 1, 1e-2, 2e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_normalised),
        cmocka_unit_test(row_gradients_match_differences),
        cmocka_unit_test(rows_refuse_what_does_not_fit),
        cmocka_unit_test(lrn_divides_by_its_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
