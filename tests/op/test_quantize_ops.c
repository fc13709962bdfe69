/* QuantizeLinear and DequantizeLinear. */
#include "opcheck.h"

#include "op/attrs.h"

#include <math.h>

static void quantize_rounds_half_to_even_and_saturates(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {
        {RC_F32, RC_SHAPE(8), (float[]){-1, 0.25f, 0.75f, 1.25f, -0.2f, 1000, -1000, NAN}},
        {RC_F32, {0, {0}}, (float[]){0.5f}},
        {RC_U8, {0, {0}}, (uint8_t[]){3}}};
    struct opcheck c;
    opcheck_open(&c, "QuantizeLinear", NULL, in, 3, 1);
    /* -2 0.5 1.5 2.5 -0.4, then the zero point is added after rounding */
    opcheck_expect(
        &c, &(struct rci_tensor){RC_U8, RC_SHAPE(8), (uint8_t[]){1, 3, 5, 5, 3, 255, 0, 0}}, 0);
    opcheck_close(&c);
    opcheck_open(&c, "QuantizeLinear", NULL, in, 2, 1); /* u8, zero point 0 */
    opcheck_expect(
        &c, &(struct rci_tensor){RC_U8, RC_SHAPE(8), (uint8_t[]){0, 0, 2, 2, 0, 255, 0, 0}}, 0);
    opcheck_close(&c);
}

static void quantize_equals_the_formula_everywhere(void **state)
{
    (void) state;
    enum { N = 70000 };
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(N), NULL},
                                    {RC_F32, RC_SHAPE(1), (float[]){0.0037f}},
                                    {RC_S8, RC_SHAPE(1), (int8_t[]){-5}}};
    struct opcheck c;
    opcheck_open(&c, "QuantizeLinear", NULL, in, 3, 1);
    opcheck_forward(&c);
    for (int i = 0; i < N; i++) {
        const int q = (int) nearbyintf(((float *) c.in[0].data)[i] / 0.0037f) - 5;
        assert_int_equal(((int8_t *) c.out[0].data)[i], q < -128 ? -128 : q > 127 ? 127 : q);
    }
    opcheck_close(&c);
}

static void scales_per_axis_apply_to_their_channel(void **state)
{
    (void) state;
    const struct rci_quantize_attrs one = {.axis = 1}, last = {.axis = -1};
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(1, 2, 2), (float[]){1, 2, 3, 4}},
                                    {RC_F32, RC_SHAPE(2), (float[]){1, 2}},
                                    {RC_S8, RC_SHAPE(2), (int8_t[]){0, 10}}};
    struct opcheck c;
    opcheck_open(&c, "QuantizeLinear", &one, in, 3, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_S8, RC_SHAPE(1, 2, 2), (int8_t[]){1, 2, 12, 12}}, 0);
    opcheck_close(&c);
    opcheck_open(&c, "QuantizeLinear", &last, in, 3, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_S8, RC_SHAPE(1, 2, 2), (int8_t[]){1, 11, 3, 12}}, 0);
    opcheck_close(&c);
    const struct rci_tensor q[] = {{RC_I32, RC_SHAPE(2, 2), (int32_t[]){1, 2, -300, 70000}},
                                   {RC_F32, RC_SHAPE(2), (float[]){0.5f, 2}}};
    const struct rci_quantize_attrs zero = {.axis = 0};
    opcheck_open(&c, "DequantizeLinear", &zero, q, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(2, 2), 0.5f, 1, -600, 140000);
    opcheck_close(&c);
}

static void dequantize_subtracts_the_zero_point(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_U8, RC_SHAPE(3), (uint8_t[]){0, 128, 255}},
                                    {RC_F32, {0, {0}}, (float[]){0.5f}},
                                    {RC_U8, {0, {0}}, (uint8_t[]){128}}};
    struct opcheck c;
    opcheck_open(&c, "DequantizeLinear", NULL, in, 3, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(3), -64, 0, 63.5f);
    opcheck_close(&c);
}

/* Straight through: Q gives 1/scale inside the range and 0 outside, DQ gives scale. */
static void pair_passes_gradients_inside_the_range(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(4), (float[]){-0.1f, 0, 100, 200}},
                                    {RC_F32, {0, {0}}, (float[]){0.5f}}};
    struct opcheck q, d;
    opcheck_open(&q, "QuantizeLinear", NULL, in, 2, 1);
    opcheck_forward(&q);
    opcheck_backward(&q);
    const float *g = q.d_out[0].data, *dx = q.d_in[0].data;
    for (int i = 0; i < 4; i++)
        assert_true(dx[i] == (i < 3 ? g[i] / 0.5f : 0));
    assert_true(((float *) q.d_in[1].data)[0] == 0);
    opcheck_close(&q);
    const struct rci_tensor dq[] = {{RC_U8, RC_SHAPE(4), NULL},
                                    {RC_F32, {0, {0}}, (float[]){0.5f}}};
    opcheck_open(&d, "DequantizeLinear", NULL, dq, 2, 1);
    OK(rci_tensor_new(&d.d_in[0], d.ctx, RC_F32, &dq[0].shape));
    opcheck_backward(&d);
    for (int i = 0; i < 4; i++)
        assert_true(((float *) d.d_in[0].data)[i] == 0.5f * ((float *) d.d_out[0].data)[i]);
    opcheck_close(&d);
}

static void wrong_parameters_are_refused(void **state)
{
    (void) state;
    const struct rci_quantize_attrs axis = {.axis = 1}, far = {.axis = 2};
    struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3), NULL},
                              {RC_F32, RC_SHAPE(2), (float[]){1, 1}},
                              {RC_U8, RC_SHAPE(2), NULL}};
    opcheck_refused("QuantizeLinear", &axis, in, 3, 1, RC_ERR_SHAPE,
                    "2 scales for axis 1 of length 3");
    opcheck_refused("QuantizeLinear", &far, in, 3, 1, RC_ERR_SHAPE, "axis is 2, allowed -2 to 1");
    in[2].shape = RC_SHAPE(3);
    opcheck_refused("QuantizeLinear", NULL, in, 3, 1, RC_ERR_SHAPE, "3 zero points for 2 scales");
    in[2].shape = RC_SHAPE(2);
    in[1].data = (float[]){1, 0};
    opcheck_refused("QuantizeLinear", NULL, in, 3, 1, RC_ERR_MODEL, "scale 1 is 0");
    in[1].data = (float[]){INFINITY, 1};
    opcheck_refused("QuantizeLinear", NULL, in, 3, 1, RC_ERR_MODEL, "scale 0 is inf");
    in[1].data = (float[]){1, 1};
    in[2].dtype = RC_I32;
    opcheck_refused("QuantizeLinear", NULL, in, 3, 1, RC_ERR_UNSUPPORTED, "zero point of type i32");
    in[0].dtype = RC_S8;
    in[2].dtype = RC_U8;
    opcheck_refused("DequantizeLinear", NULL, in, 3, 1, RC_ERR_MODEL,
                    "x of type s8, zero point of type u8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_rounds_half_to_even_and_saturates),
        cmocka_unit_test(quantize_equals_the_formula_everywhere),
        cmocka_unit_test(scales_per_axis_apply_to_their_channel),
        cmocka_unit_test(dequantize_subtracts_the_zero_point),
        cmocka_unit_test(pair_passes_gradients_inside_the_range),
        cmocka_unit_test(wrong_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
