/* Integer operators: the fast path of this processor (and, by ONEDNN_MAX_CPU_ISA, of older ones)
 * against plain loops in doubles. Integers may differ by one where a sum lies at a rounding tie. */
#include "qnets.h"
#include "test.h"

#include "kernel/onednn/engine.h"

static void every_channel_count_gives_the_integers_of_plain_loops(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int64_t c = 1; c <= 33; c++) {
        qnet_check_conv(&(struct conv_case){.in = c,
                                            .out = 34 - c,
                                            .groups = 1,
                                            .kernel = 3,
                                            .stride = 1,
                                            .pad = 1,
                                            .size = 5,
                                            .x = RC_U8,
                                            .y = RC_U8},
                        kernel);
        qnet_check_conv(&(struct conv_case){.in = 34 - c,
                                            .out = c,
                                            .groups = 1,
                                            .kernel = 1,
                                            .stride = 1,
                                            .size = 4,
                                            .x = RC_S8,
                                            .y = RC_S8},
                        kernel);
    }
}

static void residual_is_summed_with_its_own_scale(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int64_t c = 1; c <= 33; c += 4)
        for (int k = 0; k < 8; k++)
            qnet_check_conv(&(struct conv_case){.in = 16,
                                                .out = c,
                                                .groups = 1,
                                                .kernel = 3,
                                                .stride = 1,
                                                .pad = 1,
                                                .size = 5,
                                                .x = RC_U8,
                                                .y = k & 1 ? RC_S8 : RC_U8,
                                                .residual = k & 2 ? RC_S8 : RC_U8,
                                                .mid = k & 4,
                                                .relu = k == 3},
                            kernel);
}

static void strides_groups_dilation_and_float_outputs_work(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 4; k++) {
        const enum rci_dtype x = k & 1 ? RC_S8 : RC_U8, y = k & 2 ? RC_F32 : RC_U8;
        qnet_check_conv(&(struct conv_case){.in = 3,
                                            .out = 20,
                                            .groups = 1,
                                            .kernel = 7,
                                            .stride = 2,
                                            .pad = 3,
                                            .size = 17,
                                            .x = x,
                                            .y = y},
                        kernel);
        qnet_check_conv(&(struct conv_case){.in = 12,
                                            .out = 8,
                                            .groups = 4,
                                            .kernel = 3,
                                            .stride = 2,
                                            .pad = 1,
                                            .size = 9,
                                            .x = x,
                                            .y = y},
                        kernel);
        qnet_check_conv(&(struct conv_case){.in = 9,
                                            .out = 9,
                                            .groups = 9,
                                            .kernel = 3,
                                            .stride = 1,
                                            .pad = 1,
                                            .size = 7,
                                            .x = x,
                                            .y = y},
                        kernel);
        qnet_check_conv(&(struct conv_case){.in = 5,
                                            .out = 7,
                                            .groups = 1,
                                            .kernel = 3,
                                            .stride = 1,
                                            .pad = 2,
                                            .size = 9,
                                            .dilation = 2,
                                            .x = x,
                                            .y = y,
                                            .relu = true},
                        kernel);
        qnet_check_conv(&(struct conv_case){.in = 24,
                                            .out = 40,
                                            .groups = 1,
                                            .kernel = 1,
                                            .stride = 2,
                                            .size = 8,
                                            .x = x,
                                            .y = y},
                        kernel);
    }
}

static void matrix_product_gives_float_logits(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int64_t inputs = 1; inputs <= 65; inputs += 8) {
        struct qnet n;
        qnet_open(&n);
        const struct rci_qconv_attrs a = {.x_scale = 0.02f, .y_scale = 1, .out = RC_F32};
        qnet_bytes(&n, RC_QCONV_X, RC_U8, RC_SHAPE(3, inputs));
        qnet_weights(&n, RC_SHAPE(10, inputs, 1, 1), 127);
        qnet_floats(&n, RC_QCONV_BIAS, "b", 10, -2, 2);
        qnet_floats(&n, RC_QCONV_SCALE, "s", 10, 0.001, 0.002);
        qnet_node(&n, "QConv", &a, 5);
        qnet_compare(&n, kernel);
        qnet_close(&n);
    }
}

/* 255 * 127 twice does not fit 16 bits: such layers must not run on saturating products. */
static void kernel_text_tells_how_a_layer_runs(void **state)
{
    (void) state;
    char kernel[96] = "";
    const struct rci_cpu *cpu = test_cpu();
    struct conv_case t = {.in = 16,
                          .out = 16,
                          .groups = 1,
                          .kernel = 3,
                          .stride = 1,
                          .pad = 1,
                          .size = 6,
                          .x = RC_U8,
                          .y = RC_U8};
    const bool ours = test_cpu()->lanes != 0;
    qnet_check_conv(&t, kernel);
    assert_non_null(strstr(kernel, rci_cpu_dot8(cpu) || ours ? "int8 " : "f32 on integers "));
    t.top = 63; /* safe on every processor */
    qnet_check_conv(&t, kernel);
    assert_non_null(strstr(kernel, "int8 "));
    t.groups = 2; /* not one of ours */
    qnet_check_conv(&t, kernel);
    assert_non_null(strstr(kernel, "int8 "));
    t.top = 127;
    qnet_check_conv(&t, kernel);
    assert_non_null(strstr(kernel, rci_cpu_dot8(cpu) ? "int8 " : "f32 on integers "));
}

static void pair_sums_decide_what_is_exact(void **state)
{
    (void) state;
    int8_t w[4] = {100, 28, -64, -64};
    const struct rci_tensor t = {RC_S8, RC_SHAPE(1, 4, 1, 1), w};
    assert_true(rci_qconv_exact(RC_U8, &t, false));
    assert_false(rci_qconv_exact(RC_S8, &t, false));
    assert_true(rci_qconv_exact(RC_S8, &t, true));
    w[1] = 29;
    assert_false(rci_qconv_exact(RC_U8, &t, false));
    w[1] = -29; /* opposite signs do not add up */
    assert_true(rci_qconv_exact(RC_U8, &t, false));
}

static void addition_requantizes(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 8; k++) {
        struct qnet n;
        qnet_open(&n);
        const struct rci_qadd_attrs a = {0.0217f, 0.0391f, 0.0533f, k & 4 ? RC_U8 : RC_S8, 0};
        qnet_bytes(&n, 0, k & 1 ? RC_U8 : RC_S8, RC_SHAPE(2, 7, 9, 11));
        qnet_bytes(&n, 1, k & 2 ? RC_U8 : RC_S8, RC_SHAPE(2, 7, 9, 11));
        qnet_node(&n, "QAdd", &a, 2);
        qnet_compare(&n, kernel);
        qnet_close(&n);
    }
}

static void pools_average_and_select_integers(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 16; k++) {
        struct qnet n;
        qnet_open(&n);
        const struct rci_qpool_attrs a = {
            .pool = {.window = {.kernel = {3, 2}, .stride = {2, 1}, .pads = {1, 0, 1, 1}},
                     .count_include_pad = k & 1},
            .x_scale = 0.0217f,
            .y_scale = 0.0191f,
            .out = k & 2 ? RC_F32 : RC_U8,
            .global = (k & 4) != 0,
            .max = (k & 8) && !(k & 4)};
        qnet_bytes(&n, 0, k & 8 ? RC_S8 : RC_U8, RC_SHAPE(2, 5, 7, 6));
        qnet_node(&n, "QPool", &a, 1);
        qnet_compare(&n, kernel);
        qnet_close(&n);
    }
}

/* Behind a convolution pools see channels last. */
static void pools_behind_a_convolution_select_integers(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 8; k++) {
        struct qnet n;
        qnet_open(&n);
        const enum rci_dtype type = k & 1 ? RC_S8 : RC_U8;
        const struct rci_qconv_attrs conv = {
            .conv = {.window = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}},
                     .group = 1},
            .x_scale = 0.0213f,
            .y_scale = 0.0371f,
            .out = type};
        struct rci_qpool_attrs pool = {
            .pool = {.window = {.kernel = {3, 3}, .stride = {2, 2}, .pads = {1, 1, 1, 1}}},
            .x_scale = 0.0371f,
            .y_scale = 0.0371f,
            .out = type,
            .max = 1};
        if (k & 2) /* the last column of windows lies in the padding alone */
            pool.pool.window = (struct rci_window_attrs){
                .kernel = {2, 3}, .stride = {1, 3}, .dilation = {2, 1}, .pads = {1, 0, 1, 2}};
        qnet_bytes(&n, RC_QCONV_X, RC_U8, RC_SHAPE(2, 6, 9, 7));
        qnet_weights(&n, RC_SHAPE(k & 4 ? 37 : 64, 6, 1, 1), 127);
        qnet_floats(&n, RC_QCONV_SCALE, "s", 1, 0.003, 0.005);
        qnet_node(&n, "QConv", &conv, 5);
        n.in[0] = n.g->outputs[0];
        qnet_node(&n, "QPool", &pool, 1);
        qnet_compare(&n, kernel);
        qnet_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_channel_count_gives_the_integers_of_plain_loops),
        cmocka_unit_test(residual_is_summed_with_its_own_scale),
        cmocka_unit_test(strides_groups_dilation_and_float_outputs_work),
        cmocka_unit_test(matrix_product_gives_float_logits),
        cmocka_unit_test(kernel_text_tells_how_a_layer_runs),
        cmocka_unit_test(pair_sums_decide_what_is_exact),
        cmocka_unit_test(addition_requantizes),
        cmocka_unit_test(pools_average_and_select_integers),
        cmocka_unit_test(pools_behind_a_convolution_select_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
