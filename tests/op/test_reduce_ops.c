/* Reductions, Softmax and LogSoftmax, Dropout. */
#include "opcheck.h"

#include "op/attrs.h"

#include <math.h>

static void reducemean_averages(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 2, 2), (float[]){0, 1, 2, 3, 4, 5, 6, 9}};
    const struct rci_reduce_attrs keep = {.axes = {1, -1}, .n = 2, .keepdims = 1};
    const struct rci_reduce_attrs first = {.axes = {0}, .n = 1};
    const struct rci_reduce_attrs noop = {.noop = 1, .keepdims = 1};
    struct opcheck c;
    opcheck_open(&c, "ReduceMean", &keep, &x, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 1, 1), 1.5f, 6);
    opcheck_close(&c);
    opcheck_open(&c, "ReduceMean", &first, &x, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 2), 2, 3, 4, 6);
    opcheck_close(&c);
    opcheck_open(&c, "ReduceMean", NULL, &x, 1, 1);
    const struct rci_tensor all = {RC_F32, {0, {0}}, (float[]){3.75f}};
    opcheck_expect(&c, &all, 1e-6);
    opcheck_close(&c);
    opcheck_open(&c, "ReduceMean", &noop, &x, 1, 1);
    opcheck_expect(&c, &x, 0);
    opcheck_close(&c);
}

static void reducemean_gradient_matches_differences(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3, 2, 3), NULL};
    for (uint32_t bits = 0; bits < 16; bits++) {
        struct rci_reduce_attrs a = {.noop = 1, .keepdims = bits & 1};
        for (int k = 0; k < 4; k++)
            if (bits >> k & 1)
                a.axes[a.n++] = k;
        opcheck_gradient_of("ReduceMean", &a, &x, 1, 1, 0.1, 1e-4);
    }
}

static void reducemean_refuses_bad_axes(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), NULL}, i = {RC_I64, RC_SHAPE(2), NULL};
    const struct rci_reduce_attrs far = {.axes = {2}, .n = 1};
    opcheck_refused("ReduceMean", &far, &x, 1, 1, RC_ERR_SHAPE, "axis is 2, allowed -2 to 1");
    opcheck_refused("ReduceMean", NULL, &i, 1, 1, RC_ERR_UNSUPPORTED, "data of type i64");
}

/* Every kind over every set of axes; of integers those that integers have. */
static void other_reductions_and_their_gradients(void **state)
{
    (void) state;
    static const char *const ops[] = {"ReduceSum",  "ReduceMax",       "ReduceMin",
                                      "ReduceL1",   "ReduceL2",        "ReduceSumSquare",
                                      "ReduceProd", "ReduceLogSumExp", "ReduceLogSum"};
    static const float want[9][2] = {{6, 22},
                                     {3, 9},
                                     {1, 6},
                                     {6, 22},
                                     {3.741657387f, 12.884098726f},
                                     {14, 166},
                                     {6, 378},
                                     {3.407605964f, 9.169846f},
                                     {1.791759469f, 3.091042453f}};
    float numbers[24];
    for (int i = 0; i < 24; i++)
        numbers[i] = 0.5f + 0.1f * (float) (i * 7 % 24);
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3), (float[]){1, 2, 3, 6, 7, 9}};
    const struct rci_tensor wide = {RC_F32, RC_SHAPE(2, 3, 4), numbers};
    const struct rci_reduce_attrs last = {.axes = {-1}, .n = 1};
    for (int k = 0; k < 9; k++) {
        struct opcheck c;
        opcheck_open(&c, ops[k], &last, &x, 1, 1);
        OPCHECK_F32(&c, 1e-6, RC_SHAPE(2), want[k][0], want[k][1]);
        opcheck_close(&c);
        for (uint32_t bits = 0; bits < 8; bits++) {
            struct rci_reduce_attrs a = {.keepdims = bits & 1};
            for (int j = 0; j < 3; j++)
                if (bits >> j & 1)
                    a.axes[a.n++] = j;
            opcheck_gradient_of(ops[k], &a, &wide, 1, 1, 1e-3, k == 6 ? 2e-2 : 5e-3);
        }
    }
}

static void integers_are_added_exactly(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_I64, RC_SHAPE(3), (int64_t[]){1, INT64_C(1) << 53, -3}};
    const struct rci_reduce_attrs keep = {.keepdims = 1};
    static const char *const ops[] = {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"};
    const int64_t want[] = {(INT64_C(1) << 53) - 2, INT64_C(1) << 53, -3, -3 * (INT64_C(1) << 53)};
    for (int k = 0; k < 4; k++) {
        struct opcheck c;
        opcheck_open(&c, ops[k], &keep, &x, 1, 1);
        OPCHECK_I64(&c, RC_SHAPE(1), want[k]);
        opcheck_close(&c);
    }
}

static void logsoftmax_is_the_logarithm(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 2), (float[]){1000, 1001, -5, -5}};
    const struct rci_tensor wide = {RC_F32, RC_SHAPE(2, 3, 4), NULL};
    const struct rci_softmax_attrs last = {.axis = -1}, one = {.axis = 1},
                                   flat = {.axis = 1, .flat = 1};
    struct opcheck c;
    opcheck_open(&c, "LogSoftmax", &last, &x, 1, 1);
    OPCHECK_F32(&c, 1e-5, RC_SHAPE(2, 2), -1.3132616875f, -0.3132616875f, -0.69314718f,
                -0.69314718f);
    opcheck_close(&c);
    opcheck_gradient_of("LogSoftmax", &one, &wide, 1, 1, 0.01, 2e-3);
    opcheck_gradient_of("LogSoftmax", &flat, &wide, 1, 1, 0.01, 2e-3);
}

static void softmax_sums_to_one(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 2), (float[]){1000, 1001, -5, -5}};
    const struct rci_softmax_attrs last = {.axis = -1}, first = {.axis = 0};
    const struct rci_softmax_attrs flat = {.axis = 0, .flat = 1};
    struct opcheck c;
    opcheck_open(&c, "Softmax", &last, &x, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 2), 0.26894142f, 0.73105858f, 0.5f, 0.5f);
    opcheck_close(&c);
    opcheck_open(&c, "Softmax", &first, &x, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 2), 1, 1, 0, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Softmax", &flat, &x, 1, 1); /* before opset 13: all axes from axis on */
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 2), 0.26894142f, 0.73105858f, 0, 0);
    opcheck_close(&c);
}

static void softmax_gradient_matches_differences(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(2, 3, 4), NULL};
    for (int64_t axis = -3; axis < 3; axis++)
        for (int32_t flat = 0; flat < 2; flat++) {
            const struct rci_softmax_attrs a = {axis, flat};
            opcheck_gradient_of("Softmax", &a, &x, 1, 1, 1e-2, 1e-4);
        }
    const struct rci_softmax_attrs far = {.axis = 3};
    opcheck_refused("Softmax", &far, &x, 1, 1, RC_ERR_SHAPE, "axis is 3, allowed -3 to 2");
}

static void dropout_is_identity_in_inference(void **state)
{
    (void) state;
    const struct rci_dropout_attrs a = {.ratio = 0.75f};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(3), (float[]){1, 2, 3}};
    struct opcheck c;
    opcheck_open(&c, "Dropout", &a, &x, 1, 2);
    opcheck_expect(&c, &x, 0);
    assert_memory_equal(c.out[1].data, ((uint8_t[]){1, 1, 1}), 3);
    opcheck_close(&c);
}

static void dropout_keeps_the_mean_in_training(void **state)
{
    (void) state;
    enum { N = 200000 };
    const struct rci_dropout_attrs a = {.ratio = 0.25f};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(N), NULL};
    struct opcheck c;
    opcheck_open(&c, "Dropout", &a, &x, 1, 2);
    c.training = true;
    c.seed = 5;
    c.step = 9;
    opcheck_forward(&c);
    opcheck_backward(&c);
    const float *in = c.in[0].data, *y = c.out[0].data, *d = c.d_in[0].data;
    const float *g = c.d_out[0].data;
    const uint8_t *mask = c.out[1].data;
    int kept = 0, same = 0;
    for (int i = 0; i < N; i++) {
        kept += mask[i];
        assert_true(y[i] == (mask[i] ? in[i] * (1 / (1 - 0.25f)) : 0));
        assert_true(d[i] == (mask[i] ? g[i] * (1 / (1 - 0.25f)) : 0));
    }
    assert_true(fabs(kept - 0.75 * N) < 5 * sqrt(N * 0.75 * 0.25));
    struct opcheck other;
    opcheck_open(&other, "Dropout", &a, &x, 1, 2);
    other.training = true;
    other.seed = 5;
    other.step = 10;
    opcheck_forward(&other);
    for (int i = 0; i < N; i++)
        same += mask[i] == ((uint8_t *) other.out[1].data)[i];
    assert_true(same < 0.7 * N); /* another step draws anew */
    other.step = 9;
    opcheck_forward(&other);
    assert_memory_equal(mask, other.out[1].data, N); /* the same step draws the same */
    opcheck_close(&c);
    opcheck_close(&other);
}

static void dropout_gradient_matches_differences(void **state)
{
    (void) state;
    const struct rci_dropout_attrs a = {.ratio = 0.5f}, bad = {.ratio = 1};
    const struct rci_tensor x = {RC_F32, RC_SHAPE(40), NULL};
    struct opcheck c;
    opcheck_open(&c, "Dropout", &a, &x, 1, 1);
    c.training = true;
    opcheck_gradient(&c, 0.1, 1e-4, 0);
    opcheck_close(&c);
    opcheck_refused("Dropout", &bad, &x, 1, 1, RC_ERR_MODEL, "ratio is 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reducemean_averages),
        cmocka_unit_test(reducemean_gradient_matches_differences),
        cmocka_unit_test(reducemean_refuses_bad_axes),
        cmocka_unit_test(other_reductions_and_their_gradients),
        cmocka_unit_test(integers_are_added_exactly),
        cmocka_unit_test(logsoftmax_is_the_logarithm),
        cmocka_unit_test(softmax_sums_to_one),
        cmocka_unit_test(softmax_gradient_matches_differences),
        cmocka_unit_test(dropout_is_identity_in_inference),
        cmocka_unit_test(dropout_keeps_the_mean_in_training),
        cmocka_unit_test(dropout_gradient_matches_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
