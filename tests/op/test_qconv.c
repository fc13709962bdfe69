/* Integer operators: the fast path of this processor (and, by ONEDNN_MAX_CPU_ISA, of older ones)
 * against plain loops in doubles. Integers may differ by one where a sum lies at a rounding tie. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "exec/session.h"
#include "kernel/engine.h"
#include "op/qlayers.h"

struct net {
    struct rc_context *ctx;
    struct rc_graph *g;
    struct rc_rng rng;
    rc_id in[5];
    void *data[5]; /* of graph inputs, in order */
    uint32_t n_data;
};

static void net_open(struct net *n)
{
    *n = (struct net){.ctx = test_context(), .rng = rc_rng_make(7, 1, 2)};
    OK(rc_graph_create(&n->g, n->ctx));
    for (int i = 0; i < 5; i++)
        n->in[i] = RC_NONE;
}

static void net_close(struct net *n)
{
    for (uint32_t i = 0; i < n->n_data; i++)
        free(n->data[i]);
    rc_graph_destroy(n->g);
    test_context_done(n->ctx);
}

/* Graph input of random bytes. */
static void add_bytes(struct net *n, uint32_t operand, enum rc_dtype type, struct rc_shape s)
{
    char name[16];
    snprintf(name, sizeof(name), "in%u", operand);
    OK(rc_graph_add_input(n->g, &n->in[operand], name, type, &s));
    const int64_t count = rc_shape_count(&s);
    uint8_t *x = malloc((size_t) count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (uint8_t) rc_rng_u32(&n->rng);
    n->data[n->n_data++] = x;
}

static void add_weights(struct net *n, struct rc_shape s, int top)
{
    struct rc_tensor t;
    OK(rc_tensor_new(&t, n->ctx, RC_S8, &s));
    for (int64_t i = 0; i < rc_shape_count(&s); i++)
        ((int8_t *) t.data)[i] =
            (int8_t) ((int) rc_rng_below(&n->rng, (uint32_t) (2 * top + 1)) - top);
    OK(rc_graph_add_const(n->g, &n->in[RC_QCONV_W], "w", &t));
    rc_tensor_free(&t);
}

static void add_floats(struct net *n, uint32_t operand, const char *name, int64_t count, double lo,
                       double hi)
{
    struct rc_tensor t;
    const struct rc_shape s = RC_SHAPE(count);
    OK(rc_tensor_new(&t, n->ctx, RC_F32, &s));
    for (int64_t i = 0; i < count; i++)
        ((float *) t.data)[i] = (float) (lo + (hi - lo) * rc_rng_uniform(&n->rng));
    OK(rc_graph_add_const(n->g, &n->in[operand], name, &t));
    rc_tensor_free(&t);
}

static void add_node(struct net *n, const char *op, const void *attrs, uint32_t n_in)
{
    rc_id node;
    while (n_in > 0 && n->in[n_in - 1] == RC_NONE)
        n_in--;
    OK(rc_graph_add_node(n->g, &node, rc_op_find("rescomp", op), op, attrs, n->in, n_in, NULL, 1));
    OK(rc_graph_set_outputs(n->g, n->g->nodes[node].out, 1));
    n->g->batch = n->g->values[n->in[0]].tensor.shape.dim[0];
    OK(rc_graph_infer(n->g));
}

static struct rc_tensor run(struct net *n, uint64_t flags, char *kernel)
{
    struct rc_session *s;
    const struct rc_session_config config = {.batch = n->g->batch, .flags = flags};
    OK(rc_session_create(&s, n->g, &config));
    struct rc_tensor y = *rc_session_output(s, 0);
    y.data = malloc(rc_tensor_bytes(&y));
    OK(rc_session_execute(s, config.batch, (const void *const *) n->data, &y.data));
    for (uint32_t i = 0; kernel && i < rc_session_n_steps(s); i++) {
        struct rc_step_info info;
        rc_session_step(s, i, &info);
        if (!strcmp(info.op, n->g->nodes[0].op->name))
            snprintf(kernel, 96, "%s", info.kernel);
    }
    rc_session_destroy(s);
    return y;
}

static double element(const struct rc_tensor *t, int64_t i)
{
    return t->dtype == RC_F32  ? (double) ((float *) t->data)[i]
           : t->dtype == RC_U8 ? ((uint8_t *) t->data)[i]
                               : ((int8_t *) t->data)[i];
}

/* Fast against plain; the kernel's name in `kernel`. */
static void compare(struct net *n, char *kernel)
{
    struct rc_tensor fast = run(n, RC_SESSION_NO_PASSES, kernel);
    struct rc_tensor plain = run(n, RC_SESSION_NO_PASSES | RC_SESSION_REFERENCE_OPS, NULL);
    const int64_t count = rc_shape_count(&fast.shape);
    int64_t different = 0;
    assert_true(rc_shape_equal(&fast.shape, &plain.shape));
    for (int64_t i = 0; i < count; i++) {
        const double a = element(&fast, i), b = element(&plain, i);
        if (fast.dtype == RC_F32 ? fabs(a - b) <= 1e-5 * fmax(fabs(b), 1) : a == b)
            continue;
        different++;
        if (fast.dtype == RC_F32 || fabs(a - b) > 1)
            fail_msg("%s: element %lld is %g, expected %g", kernel, (long long) i, a, b);
    }
    if (different > 1 + count / 1000)
        fail_msg("%s: %lld of %lld elements are off by one", kernel, (long long) different,
                 (long long) count);
    free(fast.data);
    free(plain.data);
}

struct conv_case {
    int64_t in, out, groups, kernel, stride, pad, size, dilation;
    enum rc_dtype x, y, residual; /* residual 0: none */
    bool mid, relu;
    int top; /* of the weights; 0: 127 */
};

static void check_conv(const struct conv_case *t, char *kernel)
{
    struct net n;
    net_open(&n);
    const int64_t k = t->kernel, d = t->dilation ? t->dilation : 1;
    const int64_t out = (t->size + 2 * t->pad - (k - 1) * d - 1) / t->stride + 1;
    const struct rc_qconv_attrs a = {.conv = {.window = {.kernel = {k, k},
                                                         .stride = {t->stride, t->stride},
                                                         .dilation = {d, d},
                                                         .pads = {t->pad, t->pad, t->pad, t->pad}},
                                              .group = t->groups},
                                     .x_scale = 0.0213f,
                                     .y_scale = 0.0371f,
                                     .res_scale = t->residual ? 0.01937f : 0,
                                     .mid_scale = t->mid ? 0.02911f : 0,
                                     .out = t->y,
                                     .relu = t->relu};
    add_bytes(&n, RC_QCONV_X, t->x, RC_SHAPE(2, t->in, t->size, t->size));
    add_weights(&n, RC_SHAPE(t->out, t->in / t->groups, k, k), t->top ? t->top : 127);
    add_floats(&n, RC_QCONV_BIAS, "b", t->out, -2, 2);
    const double spread = 1.0 / sqrt((double) (t->in / t->groups * k * k));
    add_floats(&n, RC_QCONV_SCALE, "s", t->out, 0.007 * spread, 0.013 * spread);
    if (t->residual)
        add_bytes(&n, RC_QCONV_RESIDUAL, t->residual, RC_SHAPE(2, t->out, out, out));
    add_node(&n, "QConv", &a, 5);
    compare(&n, kernel);
    net_close(&n);
}

static void every_channel_count_gives_the_integers_of_plain_loops(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int64_t c = 1; c <= 33; c++) {
        check_conv(&(struct conv_case){.in = c,
                                       .out = 34 - c,
                                       .groups = 1,
                                       .kernel = 3,
                                       .stride = 1,
                                       .pad = 1,
                                       .size = 5,
                                       .x = RC_U8,
                                       .y = RC_U8},
                   kernel);
        check_conv(&(struct conv_case){.in = 34 - c,
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
            check_conv(&(struct conv_case){.in = 16,
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
        const enum rc_dtype x = k & 1 ? RC_S8 : RC_U8, y = k & 2 ? RC_F32 : RC_U8;
        check_conv(&(struct conv_case){.in = 3,
                                       .out = 20,
                                       .groups = 1,
                                       .kernel = 7,
                                       .stride = 2,
                                       .pad = 3,
                                       .size = 17,
                                       .x = x,
                                       .y = y},
                   kernel);
        check_conv(&(struct conv_case){.in = 12,
                                       .out = 8,
                                       .groups = 4,
                                       .kernel = 3,
                                       .stride = 2,
                                       .pad = 1,
                                       .size = 9,
                                       .x = x,
                                       .y = y},
                   kernel);
        check_conv(&(struct conv_case){.in = 9,
                                       .out = 9,
                                       .groups = 9,
                                       .kernel = 3,
                                       .stride = 1,
                                       .pad = 1,
                                       .size = 7,
                                       .x = x,
                                       .y = y},
                   kernel);
        check_conv(&(struct conv_case){.in = 5,
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
        check_conv(&(struct conv_case){.in = 24,
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
        struct net n;
        net_open(&n);
        const struct rc_qconv_attrs a = {.x_scale = 0.02f, .y_scale = 1, .out = RC_F32};
        add_bytes(&n, RC_QCONV_X, RC_U8, RC_SHAPE(3, inputs));
        add_weights(&n, RC_SHAPE(10, inputs, 1, 1), 127);
        add_floats(&n, RC_QCONV_BIAS, "b", 10, -2, 2);
        add_floats(&n, RC_QCONV_SCALE, "s", 10, 0.001, 0.002);
        add_node(&n, "QConv", &a, 5);
        compare(&n, kernel);
        net_close(&n);
    }
}

/* 255 * 127 twice does not fit 16 bits: such layers must not run on saturating products. */
static void kernel_text_tells_how_a_layer_runs(void **state)
{
    (void) state;
    char kernel[96] = "";
    struct rc_cpu_info cpu;
    rc_cpu_info(&cpu);
    struct conv_case t = {.in = 16,
                          .out = 16,
                          .groups = 1,
                          .kernel = 3,
                          .stride = 1,
                          .pad = 1,
                          .size = 6,
                          .x = RC_U8,
                          .y = RC_U8};
    check_conv(&t, kernel);
    assert_memory_equal(kernel, cpu.vnni ? "int8 " : "f32 on integers ", cpu.vnni ? 5 : 16);
    t.top = 63; /* safe on every processor */
    check_conv(&t, kernel);
    assert_memory_equal(kernel, "int8 ", 5);
    t.x = RC_S8;
    check_conv(&t, kernel);
    assert_memory_equal(kernel, cpu.vnni ? "int8 " : "f32 on integers ", cpu.vnni ? 5 : 16);
}

static void pair_sums_decide_what_is_exact(void **state)
{
    (void) state;
    int8_t w[4] = {100, 28, -64, -64};
    const struct rc_tensor t = {RC_S8, RC_SHAPE(1, 4, 1, 1), w};
    assert_true(rc_qconv_exact(RC_U8, &t, false));
    assert_false(rc_qconv_exact(RC_S8, &t, false));
    assert_true(rc_qconv_exact(RC_S8, &t, true));
    w[1] = 29;
    assert_false(rc_qconv_exact(RC_U8, &t, false));
    w[1] = -29; /* opposite signs do not add up */
    assert_true(rc_qconv_exact(RC_U8, &t, false));
}

static void addition_requantizes(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 8; k++) {
        struct net n;
        net_open(&n);
        const struct rc_qadd_attrs a = {0.0217f, 0.0391f, 0.0533f, k & 4 ? RC_U8 : RC_S8, 0};
        add_bytes(&n, 0, k & 1 ? RC_U8 : RC_S8, RC_SHAPE(2, 7, 9, 11));
        add_bytes(&n, 1, k & 2 ? RC_U8 : RC_S8, RC_SHAPE(2, 7, 9, 11));
        add_node(&n, "QAdd", &a, 2);
        compare(&n, kernel);
        net_close(&n);
    }
}

static void pools_average_and_select_integers(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 16; k++) {
        struct net n;
        net_open(&n);
        const struct rc_qpool_attrs a = {
            .pool = {.window = {.kernel = {3, 2}, .stride = {2, 1}, .pads = {1, 0, 1, 1}},
                     .count_include_pad = k & 1},
            .x_scale = 0.0217f,
            .y_scale = 0.0191f,
            .out = k & 2 ? RC_F32 : RC_U8,
            .global = (k & 4) != 0,
            .max = (k & 8) && !(k & 4)};
        add_bytes(&n, 0, k & 8 ? RC_S8 : RC_U8, RC_SHAPE(2, 5, 7, 6));
        add_node(&n, "QPool", &a, 1);
        compare(&n, kernel);
        net_close(&n);
    }
}

/* Behind a convolution pools see channels last. */
static void pools_behind_a_convolution_select_integers(void **state)
{
    (void) state;
    char kernel[96] = "";
    for (int k = 0; k < 8; k++) {
        struct net n;
        net_open(&n);
        const enum rc_dtype type = k & 1 ? RC_S8 : RC_U8;
        const struct rc_qconv_attrs conv = {
            .conv = {.window = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}},
                     .group = 1},
            .x_scale = 0.0213f,
            .y_scale = 0.0371f,
            .out = type};
        struct rc_qpool_attrs pool = {
            .pool = {.window = {.kernel = {3, 3}, .stride = {2, 2}, .pads = {1, 1, 1, 1}}},
            .x_scale = 0.0371f,
            .y_scale = 0.0371f,
            .out = type,
            .max = 1};
        if (k & 2) /* the last column of windows lies in the padding alone */
            pool.pool.window = (struct rc_window_attrs){
                .kernel = {2, 3}, .stride = {1, 3}, .dilation = {2, 1}, .pads = {1, 0, 1, 2}};
        add_bytes(&n, RC_QCONV_X, RC_U8, RC_SHAPE(2, 6, 9, 7));
        add_weights(&n, RC_SHAPE(k & 4 ? 37 : 64, 6, 1, 1), 127);
        add_floats(&n, RC_QCONV_SCALE, "s", 1, 0.003, 0.005);
        add_node(&n, "QConv", &conv, 5);
        n.in[0] = n.g->outputs[0];
        add_node(&n, "QPool", &pool, 1);
        compare(&n, kernel);
        net_close(&n);
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
