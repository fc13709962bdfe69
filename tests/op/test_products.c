#include "graph/link.h"
#include "op/layers.h"
#include "opcheck.h"
#include "prepcheck.h"
#include "refops.h"

#include <math.h>

static void products_reject_what_does_not_fit(void **state)
{
    (void) state;
    const struct rci_gemm_attrs usual = RC_GEMM_ATTRS_INIT, plain = {1, 1, 0, 0};
    const struct rci_gemm_attrs nan = {NAN, 1, 0, 1};
    const struct rci_tensor a = T_F32(2, 3), b = T_F32(4, 3), c = T_F32(4), c3 = T_F32(3);
    const struct rci_tensor cube = T_F32(1, 2, 3), bt = T_F32(3, 4), scalar = {RC_F32, {0}, NULL};
    const struct rci_tensor batch2 = T_F32(2, 5, 3), batch3 = T_F32(3, 3, 4);
#define REFUSE(op, attrs, status, text, ...)                                                   \
    opcheck_refused(op, attrs, (struct rci_tensor[]){__VA_ARGS__},                             \
                    sizeof((struct rci_tensor[]){__VA_ARGS__}) / sizeof(struct rci_tensor), 1, \
                    status, text)
    REFUSE("Gemm", &usual, RC_ERR_SHAPE, "inner lengths 3 and 4 must be equal", a, bt);
    REFUSE("Gemm", &plain, RC_ERR_SHAPE, "inner lengths 3 and 4 must be equal", a, b);
    REFUSE("Gemm", &usual, RC_ERR_SHAPE, "C has shape 3, must broadcast to 2x4", a, b, c3);
    REFUSE("Gemm", &usual, RC_ERR_SHAPE, "must be matrices", cube, b, c);
    REFUSE("Gemm", &nan, RC_ERR_MODEL, "must be finite", a, b);
    REFUSE("MatMul", NULL, RC_ERR_SHAPE, "shapes 2x3 and 4x3 cannot be multiplied", a, b);
    REFUSE("MatMul", NULL, RC_ERR_SHAPE, "cannot be multiplied", batch2, batch3);
    REFUSE("MatMul", NULL, RC_ERR_SHAPE, "cannot be multiplied", a, scalar);
#undef REFUSE
}

static void gemm_operands(const struct rci_gemm_attrs *t, int64_t m, int64_t n, int64_t k,
                          struct rci_tensor *in)
{
    in[0] = (struct rci_tensor){RC_F32, t->trans_a ? RC_SHAPE(k, m) : RC_SHAPE(m, k), NULL};
    in[1] = (struct rci_tensor){RC_F32, t->trans_b ? RC_SHAPE(n, k) : RC_SHAPE(k, n), NULL};
    in[2] = (struct rci_tensor) T_F32(n);
}

static void gemm_matches_naive_doubles(void **state)
{
    (void) state;
    enum { M = 3, N = 5, K = 7 };
    for (int k = 0; k < 4; k++) {
        const struct rci_gemm_attrs t = {0.5f, 2.0f, k & 1, k >> 1};
        struct rci_tensor in[3];
        struct opcheck c;
        double want[M * N];
        gemm_operands(&t, M, N, K, in);
        opcheck_open(&c, "Gemm", &t, in, 3, 1);
        opcheck_forward(&c);
        const int64_t a[2] = {t.trans_a ? 1 : K, t.trans_a ? M : 1};
        const int64_t b[2] = {t.trans_b ? 1 : N, t.trans_b ? K : 1};
        ref_gemm(M, N, K, 0.5, c.in[0].data, a, c.in[1].data, b, want);
        for (int i = 0; i < M * N; i++) {
            const double y = want[i] + 2 * (double) ((float *) c.in[2].data)[i % N];
            assert_true(fabs(y - (double) ((float *) c.out[0].data)[i]) < 1e-5);
        }
        opcheck_close(&c);
    }
}

static void matmul_follows_numpy(void **state)
{
    (void) state;
    const struct rci_tensor row = {RC_F32, RC_SHAPE(2), (float[]){1, 2}};
    const struct rci_tensor matrix = {RC_F32, RC_SHAPE(2, 2), (float[]){3, 4, 5, 6}};
    const struct rci_tensor two = {RC_F32, RC_SHAPE(2, 1, 2), (float[]){1, 0, 0, 1}};
    struct opcheck c;
    opcheck_open(&c, "MatMul", NULL, (struct rci_tensor[]){row, matrix}, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2), 13, 16);
    opcheck_close(&c);
    opcheck_open(&c, "MatMul", NULL, (struct rci_tensor[]){matrix, row}, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2), 11, 17);
    opcheck_close(&c);
    opcheck_open(&c, "MatMul", NULL, (struct rci_tensor[]){two, matrix}, 2, 1);
    OPCHECK_F32(&c, 0, RC_SHAPE(2, 1, 2), 3, 4, 5, 6);
    opcheck_close(&c);
    opcheck_open(&c, "MatMul", NULL, (struct rci_tensor[]){row, row}, 2, 1);
    opcheck_forward(&c);
    assert_int_equal(c.out[0].shape.rank, 0);
    assert_true(((float *) c.out[0].data)[0] == 5);
    opcheck_close(&c);
}

static void product_gradient_matches_differences(void **state)
{
    (void) state;
    for (int k = 0; k < 4; k++) {
        const struct rci_gemm_attrs t = {0.5f, 2.0f, k & 1, k >> 1};
        struct rci_tensor in[3];
        gemm_operands(&t, 3, 4, 5, in);
        const struct rci_shape c[] = {RC_SHAPE(4), RC_SHAPE(3, 1), RC_SHAPE(1, 1), RC_SHAPE(3, 4)};
        in[2].shape = c[k];
        opcheck_gradient_of("Gemm", &t, in, 3, 1, 1e-2, 2e-3);
    }
    const struct rci_tensor pairs[][2] = {{T_F32(3, 4), T_F32(4, 2)},
                                          {T_F32(2, 3, 4), T_F32(4, 2)},
                                          {T_F32(2, 1, 2, 3), T_F32(3, 3, 2)},
                                          {T_F32(4), T_F32(4, 2)},
                                          {T_F32(3, 4), T_F32(4)}};
    for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++)
        opcheck_gradient_of("MatMul", NULL, pairs[k], 2, 1, 1e-2, 2e-3);
}

static void fast_products_match_plain(void **state)
{
    (void) state;
    for (int64_t n = 1; n <= 33; n++)
        for (int k = 0; k < 8; k++) {
            const struct rci_gemm_attrs t = {1, 1, 0, k & 1};
            struct prepcheck c = {
                .op = "Gemm", .attrs = &t, .n_in = k & 4 ? 2 : 3, .training = k & 2};
            gemm_operands(&t, 5, n, 34 - n, c.in);
            if (n % 2)
                c.in[2].shape = RC_SHAPE(1, n);
            assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
            struct prepcheck m = {.op = "MatMul", .n_in = 2, .training = k & 2};
            m.in[0] = (struct rci_tensor) T_F32(2, 3, n);
            m.in[1] = (struct rci_tensor) T_F32(n, 7);
            assert_int_equal(prepcheck_run(&m, NULL), RC_OK);
        }
}

static void small_products_are_a_loop_of_ours(void **state)
{
    (void) state;
    const struct rci_gemm_attrs t = {1, 1, 0, 1};
    for (int64_t n = 1; n <= 33; n += 4)
        for (uint32_t operands = 2; operands <= 3; operands++) {
            char impl[64] = "";
            struct prepcheck c = {.op = "Gemm", .attrs = &t, .n_in = operands};
            gemm_operands(&t, 2, n, 64, c.in);
            OK(prepcheck_run(&c, impl));
            assert_string_equal(impl, "small");
            gemm_operands(&t, 300, n, 64, c.in);
            OK(prepcheck_run(&c, impl));
            assert_true(strcmp(impl, "small") != 0);
        }
}

static void fused_gemm_matches_plain(void **state)
{
    (void) state;
    const struct rci_gemm_attrs t = RC_GEMM_ATTRS_INIT;
    struct prepcheck c = {.op = "Gemm",
                          .attrs = &t,
                          .n_in = 4,
                          .n_post = 2,
                          .post = {{RC_POST_ADD, 0, 0, 3}, {RC_POST_RELU, 0, 0, 0}}};
    gemm_operands(&t, 4, 10, 20, c.in);
    c.in[3] = (struct rci_tensor) T_F32(4, 10);
    OK(prepcheck_run(&c, NULL));
}

static void gradients_nobody_wants_are_not_written(void **state)
{
    (void) state;
    const struct rci_gemm_attrs t = RC_GEMM_ATTRS_INIT;
    for (uint32_t mask = 0; mask < 7; mask++) {
        struct prepcheck c = {
            .op = "Gemm", .attrs = &t, .n_in = 3, .training = true, .no_grad = mask};
        gemm_operands(&t, 4, 10, 20, c.in);
        assert_int_equal(prepcheck_run(&c, NULL), RC_OK);
    }
}

static void what_is_not_a_linear_layer_stays_plain(void **state)
{
    (void) state;
    const struct rci_gemm_attrs scaled = {2, 1, 0, 1}, turned = {1, 1, 1, 0};
    struct prepcheck c = {.op = "Gemm", .attrs = &scaled, .n_in = 3};
    gemm_operands(&scaled, 4, 10, 20, c.in);
    assert_int_equal(prepcheck_run(&c, NULL), RC_ERR_UNSUPPORTED);
    c.attrs = &turned;
    gemm_operands(&turned, 4, 10, 20, c.in);
    assert_int_equal(prepcheck_run(&c, NULL), RC_ERR_UNSUPPORTED);
}

static void gemm_absorbs_scale_and_shift(void **state)
{
    (void) state;
    struct rc_context *ctx = test_context();
    for (int trans = 0; trans < 2; trans++) {
        struct rc_graph *g;
        rci_id x, w, node;
        const struct rci_gemm_attrs t = {1, 1, 0, trans};
        const struct rci_shape shape = RC_SHAPE(1, 2);
        const struct rci_tensor weights = {RC_F32, RC_SHAPE(2, 2), (float[]){1, 2, 3, 4}};
        OK(rci_graph_new(&g, ctx));
        OK(rci_graph_add_input(g, &x, "x", RC_F32, &shape));
        OK(rci_graph_add_const(g, &w, "w", &weights));
        OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Gemm"), "fc", &t, (rci_id[]){x, w}, 2,
                              NULL, 1));
        struct rci_node *n = &g->nodes[node];
        const struct rci_affine f = {(float[]){10, 100}, (float[]){5, 6}, 2};
        assert_true(n->op->absorbs_affine(g, n));
        OK(n->op->absorb_affine(g, n, &f));
        const float *v = g->values[w].tensor.data, *b = g->values[n->in[2]].tensor.data;
        assert_true(v[0] == 10 && v[3] == 400 && b[0] == 5 && b[1] == 6);
        assert_true(trans ? v[1] == 20 && v[2] == 300 : v[1] == 200 && v[2] == 30);
        rci_graph_free(g);
    }
    test_context_done(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_reject_what_does_not_fit),
        cmocka_unit_test(gemm_matches_naive_doubles),
        cmocka_unit_test(matmul_follows_numpy),
        cmocka_unit_test(product_gradient_matches_differences),
        cmocka_unit_test(fast_products_match_plain),
        cmocka_unit_test(small_products_are_a_loop_of_ours),
        cmocka_unit_test(fused_gemm_matches_plain),
        cmocka_unit_test(gradients_nobody_wants_are_not_written),
        cmocka_unit_test(what_is_not_a_linear_layer_stays_plain),
        cmocka_unit_test(gemm_absorbs_scale_and_shift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
