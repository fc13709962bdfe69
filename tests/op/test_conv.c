#include "graph/link.h"
#include "op/layers.h"
#include "opcheck.h"
#include "prepcheck.h"
#include "refops.h"

#include <math.h>

#define CONV(s, d, t, l, b, r, g)                    \
    {                                                \
        {{0}, {s, s}, {d, d}, {t, l, b, r}, 0, 0}, g \
    }

static void conv_rejects_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_conv_attrs plain = CONV(1, 1, 1, 1, 1, 1, 1),
                                three = CONV(1, 1, 0, 0, 0, 0, 3);
    const struct rci_conv_attrs negative = CONV(1, 1, -1, 0, 0, 0, 1),
                                wide = CONV(-2, 1, 0, 0, 0, 0, 1);
    const struct rci_conv_attrs kernel = {{{5, 3}, {1, 1}, {1, 1}, {0}, 0, 0}, 1};
    const struct rci_tensor x = T_F32(1, 4, 5, 5), w = T_F32(6, 4, 3, 3), b = T_F32(6);
    const struct rci_tensor line = T_F32(1, 4, 5), w3 = T_F32(6, 4, 3), big = T_F32(6, 4, 9, 9);
    const struct rci_tensor w5 = T_F32(6, 5, 3, 3), b5 = T_F32(5);
    const struct rci_tensor i64 = {RC_I64, {4, {1, 4, 5, 5}}, NULL};
#define REFUSE(attrs, status, text, ...)                                                       \
    opcheck_refused("Conv", &(attrs), (struct rci_tensor[]){__VA_ARGS__},                      \
                    sizeof((struct rci_tensor[]){__VA_ARGS__}) / sizeof(struct rci_tensor), 1, \
                    status, text)
    REFUSE(three, RC_ERR_MODEL, "group is 3, must divide 4 input and 6 output channels", x, w);
    REFUSE(plain, RC_ERR_SHAPE, "4 input channels", x, w5);
    REFUSE(plain, RC_ERR_SHAPE, "bias has shape 5, must be [6]", x, w, b5);
    REFUSE(plain, RC_ERR_UNSUPPORTED, "only [N, C, H, W]", line, w, b);
    REFUSE(plain, RC_ERR_MODEL, "weights have shape 6x4x3", x, w3);
    REFUSE(plain, RC_ERR_MODEL, "the window spans 9 along height, the padded input has 7", x, big);
    REFUSE(negative, RC_ERR_MODEL, "pads 0 or more", x, w);
    REFUSE(wide, RC_ERR_MODEL, "must be 1 or more", x, w);
    REFUSE(kernel, RC_ERR_MODEL, "kernel_shape[0] is 5, weights have 3", x, w);
    REFUSE(plain, RC_ERR_UNSUPPORTED, "i64", i64, w);
#undef REFUSE
}

struct shape_case {
    struct rci_conv_attrs attrs;
    int64_t batch, in, out, height, width, kh, kw;
};

/* groups, dilation, stride, uneven padding, kernels wider than tall, one pixel */
static const struct shape_case cases[] = {
    {CONV(1, 1, 1, 1, 1, 1, 1), 2, 3, 5, 6, 7, 3, 3},
    {CONV(2, 1, 0, 1, 1, 0, 1), 2, 4, 6, 7, 6, 3, 3},
    {CONV(2, 1, 3, 3, 3, 3, 1), 1, 3, 4, 15, 14, 7, 7},
    {CONV(1, 2, 2, 2, 2, 2, 1), 1, 5, 3, 8, 9, 3, 3},
    {CONV(1, 1, 1, 1, 1, 1, 2), 2, 6, 4, 5, 5, 3, 3},
    {CONV(1, 1, 1, 1, 1, 1, 8), 1, 8, 8, 6, 6, 3, 3},
    {CONV(2, 1, 1, 1, 1, 1, 4), 1, 4, 8, 7, 7, 3, 3},
    {CONV(2, 1, 0, 0, 0, 0, 1), 2, 7, 9, 7, 7, 1, 1},
    {CONV(1, 1, 0, 1, 0, 2, 1), 1, 2, 3, 4, 6, 1, 4},
    {CONV(3, 1, 2, 0, 1, 3, 1), 1, 3, 2, 9, 8, 5, 3},
    {CONV(1, 1, 0, 0, 0, 0, 1), 3, 17, 11, 1, 1, 1, 1},
    {CONV(1, 1, 0, 0, 0, 0, 3), 1, 9, 6, 4, 4, 2, 2},
};
enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static void operands(const struct shape_case *s, struct rci_tensor *in)
{
    const int64_t group = s->attrs.group;
    in[0] = (struct rci_tensor){RC_F32, {4, {s->batch, s->in, s->height, s->width}}, NULL};
    in[1] = (struct rci_tensor){RC_F32, {4, {s->out, s->in / group, s->kh, s->kw}}, NULL};
    in[2] = (struct rci_tensor){RC_F32, {1, {s->out}}, NULL};
}

static void conv_matches_naive_doubles(void **state)
{
    (void) state;
    for (int k = 0; k < N_CASES; k++) {
        const struct shape_case *s = &cases[k];
        struct rci_tensor in[3];
        struct opcheck c;
        operands(s, in);
        opcheck_open(&c, "Conv", &s->attrs, in, k % 2 ? 2 : 3, 1);
        opcheck_forward(&c);
        const struct rci_shape *y = &c.out[0].shape;
        const int64_t *pads = s->attrs.window.pads;
        const struct ref_window w = {s->batch,
                                     s->in,
                                     s->out,
                                     s->attrs.group,
                                     s->height,
                                     s->width,
                                     y->dim[2],
                                     y->dim[3],
                                     s->kh,
                                     s->kw,
                                     s->attrs.window.stride[0],
                                     s->attrs.window.stride[1],
                                     s->attrs.window.dilation[0],
                                     s->attrs.window.dilation[1],
                                     pads[0],
                                     pads[1],
                                     pads[2],
                                     pads[3]};
        const int64_t n = rci_shape_count(y);
        double *want = test_malloc((size_t) n * sizeof(double));
        ref_conv(&w, c.in[0].data, c.in[1].data, k % 2 ? NULL : c.in[2].data, want);
        for (int64_t i = 0; i < n; i++)
            assert_true(fabs(want[i] - (double) ((float *) c.out[0].data)[i]) < 1e-5);
        test_free(want);
        opcheck_close(&c);
    }
}

static void same_padding_keeps_the_size(void **state)
{
    (void) state;
    struct rci_conv_attrs a = CONV(2, 1, 0, 0, 0, 0, 1);
    const struct rci_tensor in[2] = {
        {RC_F32, RC_SHAPE(1, 1, 4, 4),
         (float[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
        {RC_F32, RC_SHAPE(1, 1, 3, 3), (float[]){1, 0, 0, 0, 0, 0, 0, 0, 0}}};
    struct opcheck c;
    a.window.auto_pad = RC_AUTO_PAD_SAME_UPPER; /* one row and column at the end */
    opcheck_open(&c, "Conv", &a, in, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 2, 2), 1, 3, 9, 11);
    opcheck_close(&c);
    a.window.auto_pad = RC_AUTO_PAD_SAME_LOWER; /* at the beginning */
    opcheck_open(&c, "Conv", &a, in, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 2, 2), 0, 0, 0, 6);
    opcheck_close(&c);
    a.window.auto_pad = RC_AUTO_PAD_VALID;
    opcheck_open(&c, "Conv", &a, in, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 1, 1, 1), 1);
    opcheck_close(&c);
}

static void conv_gradient_matches_differences(void **state)
{
    (void) state;
    for (int k = 0; k < N_CASES; k++) {
        struct rci_tensor in[3];
        operands(&cases[k], in);
        opcheck_gradient_of("Conv", &cases[k].attrs, in, 3, 1, 1e-2, 2e-3);
    }
}

static void check_fast(const struct prepcheck *c)
{
    char impl[64] = "";
    const rc_status st = prepcheck_run(c, impl);
    assert_true(st == RC_OK || st == RC_ERR_UNSUPPORTED);
    assert_true(strncmp(impl, "ref", 3) != 0);
}

static void fast_path_matches_plain(void **state)
{
    (void) state;
    for (int k = 0; k < N_CASES; k++)
        for (int training = 0; training < 2; training++) {
            struct prepcheck c = {
                .op = "Conv", .attrs = &cases[k].attrs, .n_in = 3, .training = training};
            operands(&cases[k], c.in);
            check_fast(&c);
            c.n_in = 2;
            check_fast(&c);
        }
}

static void every_channel_count_agrees(void **state)
{
    (void) state;
    static const struct rci_conv_attrs three = CONV(1, 1, 1, 1, 1, 1, 1);
    static const struct rci_conv_attrs strided = CONV(2, 1, 1, 1, 1, 1, 1);
    static const struct rci_conv_attrs shortcut = CONV(2, 1, 0, 0, 0, 0, 1);
    for (int64_t n = 1; n <= 33; n++)
        for (int training = 0; training < 2; training++) {
            const struct shape_case s[] = {{three, 1, n, 34 - n, 5, 5, 3, 3},
                                           {strided, 1, n, n, 6, 6, 3, 3},
                                           {shortcut, 2, n, 2 * n, 5, 5, 1, 1},
                                           {{three.window, n}, 1, n, n, 5, 5, 3, 3}};
            for (int k = 0; k < 4; k++) {
                struct prepcheck c = {
                    .op = "Conv", .attrs = &s[k].attrs, .n_in = 3, .training = training};
                operands(&s[k], c.in);
                check_fast(&c);
            }
        }
}

static void conv_has_a_fast_path(void **state)
{
    (void) state;
    const struct shape_case s[] = {{CONV(1, 1, 1, 1, 1, 1, 1), 2, 16, 32, 8, 8, 3, 3},
                                   {CONV(2, 1, 3, 3, 3, 3, 1), 1, 3, 64, 32, 32, 7, 7},
                                   {CONV(2, 1, 0, 0, 0, 0, 1), 2, 64, 128, 8, 8, 1, 1},
                                   {CONV(1, 1, 1, 1, 1, 1, 32), 1, 32, 32, 8, 8, 3, 3}};
    for (int k = 0; k < 4; k++)
        for (int training = 0; training < 2; training++) {
            struct prepcheck c = {
                .op = "Conv", .attrs = &s[k].attrs, .n_in = 3, .training = training};
            operands(&s[k], c.in);
            char impl[64] = "";
            assert_int_equal(prepcheck_run(&c, impl), RC_OK);
            assert_true(strncmp(impl, "ref", 3) != 0);
        }
}

static void fused_work_matches_plain(void **state)
{
    (void) state;
    static const struct rci_conv_attrs a = CONV(1, 1, 1, 1, 1, 1, 1);
    static const struct rci_post posts[][2] = {
        {{RC_POST_RELU, 0, 0, 0}, {0}},
        {{RC_POST_CLIP, 0, 6, 0}, {0}},
        {{RC_POST_LEAKY, 0.1f, 0, 0}, {0}},
        {{RC_POST_SIGMOID, 0, 0, 0}, {0}},
        {{RC_POST_HARDSIGMOID, 0.2f, 0.5f, 0}, {0}},
        {{RC_POST_HARDSWISH, 0, 0, 0}, {0}},
        {{RC_POST_ADD, 0, 0, 3}, {0}},
        {{RC_POST_ADD, 0, 0, 3}, {RC_POST_RELU, 0, 0, 0}},
        {{RC_POST_RELU, 0, 0, 0}, {RC_POST_ADD, 0, 0, 3}},
    };
    for (int64_t n = 3; n <= 33; n += 5)
        for (size_t k = 0; k < sizeof(posts) / sizeof(posts[0]); k++) {
            struct prepcheck c = {.op = "Conv",
                                  .attrs = &a,
                                  .n_in = 4,
                                  .n_post = posts[k][1].kind ? 2 : 1,
                                  .tolerance = 2e-5};
            const struct shape_case s = {a, 2, n, n, 6, 5, 3, 3};
            operands(&s, c.in);
            c.in[3] = (struct rci_tensor){RC_F32, {4, {2, n, 6, 5}}, NULL};
            if (n % 2)
                c.in[2] = (struct rci_tensor){0};
            memcpy(c.post, posts[k], sizeof(posts[k]));
            check_fast(&c);
        }
}

static void gradients_nobody_wants_are_not_written(void **state)
{
    (void) state;
    static const struct rci_conv_attrs a = CONV(1, 1, 1, 1, 1, 1, 1);
    const struct shape_case s = {a, 2, 5, 7, 6, 5, 3, 3};
    for (uint32_t mask = 0; mask < 7; mask++) {
        struct prepcheck c = {
            .op = "Conv", .attrs = &a, .n_in = 3, .training = true, .no_grad = mask};
        operands(&s, c.in);
        check_fast(&c);
    }
}

static struct rci_affine affine(struct rc_context *ctx, uint32_t n)
{
    struct rci_affine a = {rci_alloc_array(ctx, n, 4), rci_alloc_array(ctx, n, 4), n};
    for (uint32_t i = 0; i < n; i++) {
        a.scale[i] = 0.5f + (float) i;
        a.shift[i] = 2 - (float) i;
    }
    return a;
}

static void conv_absorbs_scale_and_shift(void **state)
{
    (void) state;
    struct rc_context *ctx = test_context();
    struct rc_graph *g;
    rci_id x, w, node;
    static const struct rci_conv_attrs a = CONV(1, 1, 0, 0, 0, 0, 1);
    const struct rci_shape shape = RC_SHAPE(1, 2, 2, 2);
    const struct rci_tensor weights = {RC_F32, RC_SHAPE(3, 2, 1, 1), (float[]){1, 2, 3, 4, 5, 6}};
    OK(rci_graph_new(&g, ctx));
    OK(rci_graph_add_input(g, &x, "x", RC_F32, &shape));
    OK(rci_graph_add_const(g, &w, "w", &weights));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), "conv", &a, (rci_id[]){x, w}, 2,
                          NULL, 1));
    struct rci_affine f = affine(ctx, 3);
    struct rci_node *n = &g->nodes[node];
    assert_true(n->op->absorbs_affine(g, n));
    OK(n->op->absorb_affine(g, n, &f));
    assert_int_equal(n->n_in, 3);
    const float *v = g->values[w].tensor.data, *b = g->values[n->in[2]].tensor.data;
    assert_true(v[0] == 0.5f && v[1] == 1.0f && v[5] == 15.0f && b[0] == 2 && b[2] == 0);
    OK(n->op->absorb_affine(g, n, &f)); /* now with a bias that is there */
    assert_true(b[0] == 3 && b[2] == 0 && n->n_in == 3);
    rci_release(f.scale);
    rci_release(f.shift);
    rci_graph_free(g);
    test_context_done(ctx);
}

/* Ids of an axis of a value: base[value * RC_MAX_DIMS + axis] + index. */
static uint32_t id_of(struct rci_links *l, rci_id value, uint32_t axis, uint32_t index)
{
    return rci_links_find(l, l->base[value * RC_MAX_DIMS + axis] + index);
}

static void links_of(int64_t in, int64_t out, int64_t group, struct rc_graph **g,
                     struct rci_links **l, rci_id ids[3])
{
    struct rc_context *ctx = test_context();
    const struct rci_conv_attrs a = CONV(1, 1, 0, 0, 0, 0, group);
    const struct rci_shape shape = RC_SHAPE(1, in, 2, 2), ws = RC_SHAPE(out, in / group, 1, 1);
    struct rci_tensor w;
    rci_id x, node;
    OK(rci_graph_new(g, ctx));
    OK(rci_graph_add_input(*g, &x, "x", RC_F32, &shape));
    OK(rci_tensor_new(&w, ctx, RC_F32, &ws));
    OK(rci_graph_add_const(*g, &ids[1], "w", &w));
    rci_tensor_free(&w);
    OK(rci_graph_add_node(*g, &node, rci_op_find(NULL, "Relu"), "relu", NULL, &x, 1, NULL, 1));
    ids[0] = (*g)->nodes[node].out[0];
    OK(rci_graph_add_node(*g, &node, rci_op_find(NULL, "Conv"), "conv", &a, ids, 2, NULL, 1));
    ids[2] = (*g)->nodes[node].out[0];
    OK(rci_graph_set_outputs(*g, &ids[2], 1));
    OK(rci_graph_infer(*g));
    OK(rci_links_new(l, *g));
}

static void conv_couples_channels_with_weights(void **state)
{
    (void) state;
    struct rc_graph *g;
    struct rci_links *l;
    rci_id v[3];
    for (int64_t group = 1; group <= 4; group += group) {
        links_of(4, 8, group, &g, &l, v);
        struct rc_context *ctx = g->ctx;
        assert_int_equal(id_of(l, v[1], 0, 5), id_of(l, v[2], 1, 5));
        if (group == 1)
            assert_int_equal(id_of(l, v[0], 1, 3), id_of(l, v[1], 1, 3));
        if (group == 2) { /* position 1 of both blocks */
            assert_int_equal(id_of(l, v[0], 1, 1), id_of(l, v[1], 1, 1));
            assert_int_equal(id_of(l, v[0], 1, 1), id_of(l, v[0], 1, 3));
            assert_int_equal(id_of(l, v[2], 1, 1), id_of(l, v[2], 1, 5));
            assert_int_not_equal(id_of(l, v[0], 1, 0), id_of(l, v[0], 1, 1));
        }
        if (group == 4) { /* depthwise, two outputs each */
            assert_int_equal(id_of(l, v[0], 1, 3), id_of(l, v[2], 1, 6));
            assert_int_equal(id_of(l, v[0], 1, 3), id_of(l, v[1], 0, 7));
        }
        rci_links_free(l);
        rci_graph_free(g);
        test_context_done(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_rejects_what_does_not_fit),
        cmocka_unit_test(conv_matches_naive_doubles),
        cmocka_unit_test(same_padding_keeps_the_size),
        cmocka_unit_test(conv_gradient_matches_differences),
        cmocka_unit_test(fast_path_matches_plain),
        cmocka_unit_test(every_channel_count_agrees),
        cmocka_unit_test(conv_has_a_fast_path),
        cmocka_unit_test(fused_work_matches_plain),
        cmocka_unit_test(gradients_nobody_wants_are_not_written),
        cmocka_unit_test(conv_absorbs_scale_and_shift),
        cmocka_unit_test(conv_couples_channels_with_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
