#include "op/layers.h"
#include "opcheck.h"
#include "prepcheck.h"

#include <math.h>

static const struct rci_norm_attrs attrs = {1e-3f, 0.75f};

static void norm_rejects_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_norm_attrs bad = {0.0f, 0.9f}, worse = {1e-5f, 1.5f};
    const struct rci_tensor x = T_F32(2, 3, 4, 4), c3 = T_F32(3), c4 = T_F32(4), row = T_F32(3);
    const struct rci_tensor good[5] = {x, c3, c3, c3, c3}, four[5] = {x, c3, c4, c3, c3};
    const struct rci_tensor vector[5] = {row, c3, c3, c3, c3}, last[5] = {x, c3, c3, c3, c4};
    const struct rci_tensor missing[5] = {x, c3, {0}, c3, c3};
    opcheck_refused("BatchNormalization", &attrs, four, 5, 1, RC_ERR_SHAPE,
                    "shift has shape 4, must be [3]");
    opcheck_refused("BatchNormalization", &attrs, last, 5, 1, RC_ERR_SHAPE, "variance has shape 4");
    opcheck_refused("BatchNormalization", &attrs, vector, 5, 1, RC_ERR_SHAPE, "[N, C, ...]");
    opcheck_refused("BatchNormalization", &attrs, missing, 5, 1, RC_ERR_MODEL, "shift is missing");
    opcheck_refused("BatchNormalization", &bad, good, 5, 1, RC_ERR_MODEL,
                    "epsilon 0 must be above");
    opcheck_refused("BatchNormalization", &worse, good, 5, 1, RC_ERR_MODEL,
                    "momentum 1.5 in 0 to 1");
    opcheck_refused("BatchNormalization", &attrs, good, 5, 3, RC_ERR_UNSUPPORTED, "training mode");
    const struct rci_tensor c0 = T_F32(0), none[5] = {T_F32(2, 0, 4, 4), c0, c0, c0, c0};
    const struct rci_tensor nobody[5] = {T_F32(0, 3, 4, 4), c3, c3, c3, c3};
    opcheck_refused("BatchNormalization", &attrs, none, 5, 1, RC_ERR_SHAPE, "2x0x4x4");
    opcheck_refused("BatchNormalization", &attrs, nobody, 5, 1, RC_ERR_SHAPE, "0x3x4x4");
}

static void inference_uses_running_statistics(void **state)
{
    (void) state;
    const struct rci_norm_attrs a = {1.0f, 0.9f}; /* variances 3 and 8: roots 2 and 3 */
    const struct rci_tensor in[5] = {{RC_F32, RC_SHAPE(1, 2, 1, 2), (float[]){1, 2, 3, 4}},
                                     {RC_F32, RC_SHAPE(2), (float[]){2, 3}},
                                     {RC_F32, RC_SHAPE(2), (float[]){10, 20}},
                                     {RC_F32, RC_SHAPE(2), (float[]){1, -2}},
                                     {RC_F32, RC_SHAPE(2), (float[]){3, 8}}};
    struct opcheck c;
    opcheck_open(&c, "BatchNormalization", &a, in, 5, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 2, 1, 2), 10, 11, 25, 26);
    opcheck_close(&c);
}

/* x = {1, 3} and {2, 6} in two images: channel means 3, biased variance 3.5, unbiased 14/3. */
static void training_updates_running_statistics(void **state)
{
    (void) state;
    const struct rci_tensor in[5] = {{RC_F32, RC_SHAPE(2, 1, 1, 2), (float[]){1, 3, 2, 6}},
                                     {RC_F32, RC_SHAPE(1), (float[]){1}},
                                     {RC_F32, RC_SHAPE(1), (float[]){0}},
                                     {RC_F32, RC_SHAPE(1), (float[]){1}},
                                     {RC_F32, RC_SHAPE(1), (float[]){2}}};
    struct opcheck c;
    opcheck_open(&c, "BatchNormalization", &attrs, in, 5, 1);
    c.training = true;
    opcheck_forward(&c);
    const float *mean = c.in[3].data, *variance = c.in[4].data, *y = c.out[0].data;
    assert_true(fabsf(mean[0] - (0.75f * 1 + 0.25f * 3)) < 1e-6f);
    assert_true(fabsf(variance[0] - (0.75f * 2 + 0.25f * 14 / 3)) < 1e-6f);
    assert_true(fabsf(y[0] + 2 / sqrtf(3.501f)) < 1e-6f);
    opcheck_close(&c);
}

static void norm_gradient_matches_differences(void **state)
{
    (void) state;
    const struct rci_tensor in[5] = {T_F32(3, 4, 2, 3),
                                     T_F32(4),
                                     T_F32(4),
                                     T_F32(4),
                                     {RC_F32, RC_SHAPE(4), (float[]){0.5f, 1, 2, 0.7f}}};
    for (int training = 0; training < 2; training++) {
        struct opcheck c;
        opcheck_open(&c, "BatchNormalization", &attrs, in, 5, 1);
        c.training = training;
        opcheck_gradient(&c, 1e-2, 2e-3, 1 << 3 | 1 << 4);
        opcheck_close(&c);
    }
}

static struct prepcheck fast_case(int64_t channels, enum prepcheck_layout arrive)
{
    struct prepcheck c = {.op = "BatchNormalization",
                          .attrs = &attrs,
                          .n_in = 5,
                          .arrive = arrive,
                          .positive = 1 << 4,
                          .no_grad = 1 << 3 | 1 << 4,
                          .tolerance = 3e-5};
    c.in[0] = (struct rci_tensor) T_F32(3, channels, 4, 5);
    for (int i = 1; i < 5; i++)
        c.in[i] = (struct rci_tensor) T_F32(channels);
    return c;
}

static void fast_norm_matches_plain(void **state)
{
    (void) state;
    for (int64_t n = 1; n <= 33; n += 2)
        for (int k = 0; k < 24; k++) {
            struct prepcheck c = fast_case(n, (enum prepcheck_layout)(k % 4));
            c.training = k / 4 % 3 != 0;
            c.frozen_stats = k / 4 % 3 == 2;
            c.n_post = k / 12;
            c.post[0].kind = RC_POST_RELU;
            assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
        }
}

static void frozen_scale_gets_no_gradient(void **state)
{
    (void) state;
    for (uint32_t mask = 1; mask < 4; mask++) {
        struct prepcheck c = fast_case(6, PREPCHECK_BLOCK16);
        c.training = true;
        c.no_grad |= mask << 1;
        assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
    }
}

static void norm_of_other_ranks(void **state)
{
    (void) state;
    struct prepcheck c = fast_case(7, PREPCHECK_PLAIN);
    for (int training = 0; training < 2; training++) {
        c.training = training;
        c.in[0] = (struct rci_tensor) T_F32(6, 7);
        assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
        c.in[0] = (struct rci_tensor) T_F32(4, 7, 5);
        assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
    }
}

static void norm_is_an_affine_map(void **state)
{
    (void) state;
    struct rc_context *ctx = test_context();
    struct rc_graph *g;
    rci_id ins[5], node;
    const struct rci_norm_attrs a = {1.0f, 0.9f};
    const struct rci_shape x = RC_SHAPE(1, 2, 1, 1);
    static float v[4][2] = {{2, 3}, {10, 20}, {1, -2}, {3, 8}};
    OK(rci_graph_new(&g, ctx));
    OK(rci_graph_add_input(g, &ins[0], "x", RC_F32, &x));
    for (int i = 1; i < 5; i++) {
        const struct rci_tensor t = {RC_F32, RC_SHAPE(2), v[i - 1]};
        OK(rci_graph_add_const(g, &ins[i], (const char *[]){"a", "b", "c", "d"}[i - 1], &t));
    }
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "BatchNormalization"), "bn", &a, ins, 5, NULL,
                          1));
    const struct rci_node *n = &g->nodes[node];
    struct rci_affine f;
    assert_true(n->op->is_affine(g, n));
    OK(n->op->as_affine(g, n, &f));
    assert_int_equal(f.channels, 2);
    assert_true(f.scale[0] == 1 && f.scale[1] == 1 && f.shift[0] == 9 && f.shift[1] == 22);
    rci_release(f.scale);
    rci_release(f.shift);
    rci_graph_free(g);
    test_context_done(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_rejects_what_does_not_fit),
        cmocka_unit_test(inference_uses_running_statistics),
        cmocka_unit_test(training_updates_running_statistics),
        cmocka_unit_test(norm_gradient_matches_differences),
        cmocka_unit_test(fast_norm_matches_plain),
        cmocka_unit_test(frozen_scale_gets_no_gradient),
        cmocka_unit_test(norm_of_other_ranks),
        cmocka_unit_test(norm_is_an_affine_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
