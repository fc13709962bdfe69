/* Functions of one number, of two with broadcasting, and choices by truth. */
#include "opcheck.h"

#include "op/attrs.h"

#include <math.h>

struct function {
    const char *op;
    const void *attrs;
    double (*f)(double x); /* in double precision */
    bool positive;         /* defined for x > 0 only */
};

static double f_neg(double x)
{
    return -x;
}

static double f_inverse(double x)
{
    return 1 / x;
}

static double f_softplus(double x)
{
    return log(1 + exp(x));
}

static double f_softsign(double x)
{
    return x / (1 + fabs(x));
}

static double f_mish(double x)
{
    return x * tanh(log(1 + exp(x)));
}

static double f_elu(double x)
{
    return x < 0 ? 0.5 * (exp(x) - 1) : x;
}

static double f_celu(double x)
{
    return x < 0 ? 2 * (exp(x / 2) - 1) : x;
}

static double f_selu(double x)
{
    return 1.25 * (x < 0 ? 1.5 * (exp(x) - 1) : x);
}

static double f_threshold(double x)
{
    return x > 0.25 ? x : 0;
}

static double f_gelu(double x)
{
    return x / 2 * (1 + erf(x / sqrt(2)));
}

static double f_gelu_tanh(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static double f_sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

static const struct function functions[] = {
    {"Abs", NULL, fabs, false},
    {"Ceil", NULL, ceil, false},
    {"Erf", NULL, erf, false},
    {"Exp", NULL, exp, false},
    {"Floor", NULL, floor, false},
    {"Log", NULL, log, true},
    {"Mish", NULL, f_mish, false},
    {"Neg", NULL, f_neg, false},
    {"Reciprocal", NULL, f_inverse, true},
    {"Round", NULL, rint, false},
    {"Sign", NULL, f_sign, false},
    {"Softplus", NULL, f_softplus, false},
    {"Softsign", NULL, f_softsign, false},
    {"Sqrt", NULL, sqrt, true},
    {"Tanh", NULL, tanh, false},
    {"Elu", &(struct rci_elu_attrs){0.5f, 1}, f_elu, false},
    {"Celu", &(struct rci_elu_attrs){2, 1}, f_celu, false},
    {"Selu", &(struct rci_elu_attrs){1.5f, 1.25f}, f_selu, false},
    {"ThresholdedRelu", &(struct rci_elu_attrs){0.25f, 1}, f_threshold, false},
    {"Gelu", NULL, f_gelu, false},
    {"Gelu", &(struct rci_gelu_attrs){1}, f_gelu_tanh, false},
};
enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]), POINTS = 40 };

/* Points on both sides of 0 that stay away from every bend and jump. */
static struct rci_tensor points(const struct function *f, float *x)
{
    for (int i = 0; i < POINTS; i++)
        x[i] = f->positive ? 0.35f + 0.1f * (float) i : -1.97f + 0.1f * (float) i;
    return (struct rci_tensor){RC_F32, RC_SHAPE(POINTS), x};
}

static void functions_equal_their_formulas(void **state)
{
    (void) state;
    for (int k = 0; k < FUNCTIONS; k++) {
        float x[POINTS];
        const struct rci_tensor in = points(&functions[k], x);
        struct opcheck c;
        opcheck_open(&c, functions[k].op, functions[k].attrs, &in, 1, 1);
        opcheck_forward(&c);
        for (int i = 0; i < POINTS; i++) {
            const double got = (double) ((float *) c.out[0].data)[i];
            const double want = functions[k].f((double) x[i]);
            if (!(fabs(got - want) <= 2e-6 * (1 + fabs(want))))
                fail_msg("%s(%g) is %g, expected %g", functions[k].op, (double) x[i], got, want);
        }
        opcheck_close(&c);
    }
}

static void function_gradients_match_differences(void **state)
{
    (void) state;
    for (int k = 0; k < FUNCTIONS; k++) {
        float x[POINTS];
        const struct rci_tensor in = points(&functions[k], x);
        opcheck_gradient_of(functions[k].op, functions[k].attrs, &in, 1, 1, 0.01, 2e-3);
    }
}

static void functions_refuse_integers(void **state)
{
    (void) state;
    const struct rci_tensor in = {RC_I64, RC_SHAPE(3), NULL};
    for (int k = 0; k < FUNCTIONS; k++)
        opcheck_refused(functions[k].op, functions[k].attrs, &in, 1, 1, RC_ERR_UNSUPPORTED,
                        "of type i64");
}

/* --- two operands --- */

static const struct rci_shape left[] = {{2, {2, 3}}, {4, {2, 3, 2, 2}}, {4, {2, 3, 2, 2}}};
static const struct rci_shape right[] = {{2, {2, 3}}, {3, {3, 1, 1}}, {0, {0}}};

static void pair_gradients_match_differences(void **state)
{
    (void) state;
    static const char *const ops[] = {"Max", "Min", "PRelu"};
    for (int k = 0; k < 9; k++) {
        const struct rci_tensor in[] = {{RC_F32, left[k % 3], NULL}, {RC_F32, right[k % 3], NULL}};
        opcheck_gradient_of(ops[k / 3], NULL, in, 2, 1, 1e-3, 3e-3);
    }
    const struct rci_tensor power[] = {{RC_F32, RC_SHAPE(2, 2), (float[]){0.5f, 1, 2, 3}},
                                       {RC_F32, RC_SHAPE(2), (float[]){2, -1.5f}}};
    opcheck_gradient_of("Pow", NULL, power, 2, 1, 1e-3, 3e-3);
}

static void pow_takes_exponents_of_other_types(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(3), (float[]){2, -3, 0.5f}},
                                    {RC_I64, {0, {0}}, (int64_t[]){3}}};
    const struct rci_tensor square[] = {in[0], {RC_F32, {0, {0}}, (float[]){2}}};
    struct opcheck c;
    opcheck_open(&c, "Pow", NULL, in, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(3), 8, -27, 0.125f);
    opcheck_close(&c);
    opcheck_open(&c, "Pow", NULL, square, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(3), 4, 9, 0.25f);
    opcheck_close(&c);
}

static void extremes_keep_what_is_no_number(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(3), (float[]){NAN, 1, 2}},
                                    {RC_F32, RC_SHAPE(3), (float[]){1, NAN, 3}}};
    for (int k = 0; k < 2; k++) {
        struct opcheck c;
        opcheck_open(&c, k ? "Min" : "Max", NULL, in, 2, 1);
        opcheck_forward(&c);
        const float *y = c.out[0].data;
        assert_true(isnan(y[0]) && isnan(y[1]) && y[2] == (k ? 2 : 3));
        opcheck_close(&c);
    }
}

static void prelu_takes_one_slope_per_channel_in_both_spellings(void **state)
{
    (void) state;
    const struct rci_tensor x = {RC_F32, RC_SHAPE(1, 3, 2, 2),
                                 (float[]){-1, 1, -2, 2, -1, 1, -2, 2, -1, 1, -2, 2}};
    const struct rci_tensor in[2][2] = {{x, {RC_F32, RC_SHAPE(3), (float[]){0.5f, 2, -1}}},
                                        {x, {RC_F32, RC_SHAPE(3, 1, 1), (float[]){0.5f, 2, -1}}}};
    for (int k = 0; k < 2; k++) {
        struct opcheck c;
        opcheck_open(&c, "PRelu", NULL, in[k], 2, 1);
        OPCHECK_F32(&c, 0, RC_SHAPE(1, 3, 2, 2), -0.5f, 1, -1, 2, -2, 1, -4, 2, 1, 1, 2, 2);
        opcheck_close(&c);
        opcheck_gradient_of("PRelu", NULL, in[k], 2, 1, 1e-3, 3e-3);
    }
    const struct rci_tensor wide[] = {{RC_F32, RC_SHAPE(1, 3), NULL},
                                      {RC_F32, RC_SHAPE(2, 3), NULL}};
    opcheck_refused("PRelu", NULL, wide, 2, 1, RC_ERR_SHAPE, "slope of shape 2x3");
}

/* --- truths --- */

static void truth_is(const char *op, const struct rci_tensor *in, uint32_t n_in,
                     const uint8_t *expected)
{
    const struct rci_tensor want = {RC_BOOL, in[0].shape, (void *) expected};
    struct opcheck c;
    opcheck_open(&c, op, NULL, in, n_in, 1);
    opcheck_expect(&c, &want, 0);
    opcheck_close(&c);
}

static void comparisons_tell_the_truth(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_I64, RC_SHAPE(3), (int64_t[]){1, 2, 3}},
                                    {RC_I64, RC_SHAPE(1), (int64_t[]){2}}};
    truth_is("Equal", in, 2, (uint8_t[]){0, 1, 0});
    truth_is("Less", in, 2, (uint8_t[]){1, 0, 0});
    truth_is("LessOrEqual", in, 2, (uint8_t[]){1, 1, 0});
    truth_is("Greater", in, 2, (uint8_t[]){0, 0, 1});
    truth_is("GreaterOrEqual", in, 2, (uint8_t[]){0, 1, 1});
    const struct rci_tensor b[] = {{RC_BOOL, RC_SHAPE(4), (uint8_t[]){0, 0, 1, 1}},
                                   {RC_BOOL, RC_SHAPE(4), (uint8_t[]){0, 1, 0, 1}}};
    truth_is("And", b, 2, (uint8_t[]){0, 0, 0, 1});
    truth_is("Or", b, 2, (uint8_t[]){0, 1, 1, 1});
    truth_is("Xor", b, 2, (uint8_t[]){0, 1, 1, 0});
    truth_is("Not", b, 1, (uint8_t[]){1, 1, 0, 0});
    const struct rci_tensor mixed[] = {in[0], {RC_F32, RC_SHAPE(1), NULL}};
    opcheck_refused("Equal", NULL, mixed, 2, 1, RC_ERR_MODEL, "operands of type i64 and f32");
    opcheck_refused("And", NULL, in, 2, 1, RC_ERR_UNSUPPORTED, "of type i64");
}

static void where_chooses(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_BOOL, RC_SHAPE(2, 1), (uint8_t[]){1, 0}},
                                    {RC_F32, RC_SHAPE(3), (float[]){1, 2, 3}},
                                    {RC_F32, {0, {0}}, (float[]){9}}};
    struct opcheck c;
    opcheck_open(&c, "Where", NULL, in, 3, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 3), 1, 2, 3, 9, 9, 9);
    opcheck_close(&c);
    opcheck_gradient_of("Where", NULL, in, 3, 1, 0.01, 1e-3);
    const struct rci_tensor bad[] = {in[0], in[1], {RC_F32, RC_SHAPE(4), NULL}};
    opcheck_refused("Where", NULL, bad, 3, 1, RC_ERR_SHAPE, "do not broadcast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_equal_their_formulas),
        cmocka_unit_test(function_gradients_match_differences),
        cmocka_unit_test(functions_refuse_integers),
        cmocka_unit_test(pair_gradients_match_differences),
        cmocka_unit_test(pow_takes_exponents_of_other_types),
        cmocka_unit_test(extremes_keep_what_is_no_number),
        cmocka_unit_test(prelu_takes_one_slope_per_channel_in_both_spellings),
        cmocka_unit_test(comparisons_tell_the_truth),
        cmocka_unit_test(where_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
