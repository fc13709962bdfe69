/* Joins, averages and matrix products between quantized layers run on integers. */
#include "handnets.h"
#include "nets.h"
#include "quantnets.h"

#include "exec/session.h"

static float scale_of(const struct rc_graph *g, rci_id v)
{
    assert_true(quant_made_by(g, v, "DequantizeLinear"));
    return ((const float *) rci_const_in(g, &g->nodes[g->values[v].producer], 1)->data)[0];
}

static const struct rci_node *only(const struct rc_graph *g, const char *op)
{
    const struct rci_node *found = NULL;
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !strcmp(g->nodes[i].op->name, op)) {
            assert_null(found);
            found = &g->nodes[i];
        }
    assert_non_null(found);
    return found;
}

/* Two branches, joined, averaged, and a matrix product at the end. */
static void joins_averages_and_matrix_products_run_on_integers(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    const rci_id x = net_input(&n, C, H, W);
    const rci_id a = net_cbr(&n, "a", x, (struct net_conv){.out = 8, .k = 3});
    const rci_id b = net_cbr(&n, "b", x, (struct net_conv){.out = 5, .k = 1});
    const rci_id joined = net_concat(&n, (rci_id[]){a, b}, 2);
    rci_id y = net_average(&n, joined, 3, 2);
    y = net_cbr(&n, "c", y, (struct net_conv){.out = 16, .k = 3});
    y = net_flatten(&n, net_unary(&n, "GlobalAveragePool", y));
    net_done(&n, net_matmul(&n, "fc", y, 5));
    struct rc_graph *q = quant_calibrated(c, n.g, "minmax", 0);
    quant_check_values(n.g, q, PIXELS, 0.1);
    const struct rci_node *concat = only(q, "Concat");
    const rci_id result = rci_graph_single_reader(q, concat->out[0]);
    const float scale = scale_of(q, concat->in[0]);
    assert_true(scale == scale_of(q, concat->in[1]));
    assert_true(scale == ((const float *) rci_const_in(q, &q->nodes[result], 1)->data)[0]);
    assert_true(quant_made_by(q, only(q, "AveragePool")->in[0], "DequantizeLinear"));
    assert_true(quant_made_by(q, only(q, "GlobalAveragePool")->in[0], "DequantizeLinear"));
    static const char *const float_ops[] = {
        "Conv", "Relu", "AveragePool", "GlobalAveragePool", "MatMul", "DequantizeLinear"};
    for (size_t i = 0; i < sizeof(float_ops) / sizeof(*float_ops); i++)
        if (quant_count_steps(q, float_ops[i]))
            fail_msg("%s runs on floats", float_ops[i]);
    assert_int_equal(quant_count_steps(q, "QuantizeLinear"), 1); /* the image */
    assert_int_equal(quant_count_steps(q, "QConv"), 4);
    assert_int_equal(quant_count_steps(q, "QPool"), 2);
    rc_graph_free(&q);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* One matrix for every row of an image is rounded like others, but runs on floats; a matrix for
 * each channel is left alone. */
static void products_of_more_axes_keep_their_values(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    for (uint32_t rank = 2; rank <= 4; rank += 2) {
        struct net n = net_new(c);
        struct rci_tensor t;
        rci_id w, node;
        const struct rci_shape shape = rank == 2 ? RC_SHAPE(W, 5) : RC_SHAPE(1, 8, W, 5);
        rci_id x = net_cbr(&n, "a", net_input(&n, C, H, W), (struct net_conv){.out = 8, .k = 3});
        OK(rci_tensor_new(&t, c, RC_F32, &shape));
        fill_random(t.data, rci_shape_count(&shape), 3);
        OK(rci_graph_add_const(n.g, &w, "w", &t));
        rci_tensor_free(&t);
        OK(rci_graph_add_node(n.g, &node, rci_op_find(NULL, "MatMul"), "m", NULL, (rci_id[]){x, w},
                              2, NULL, 1));
        net_done(&n, n.g->nodes[node].out[0]);
        struct rc_graph *q = quant_calibrated(c, n.g, "minmax", RC_QUANTIZE_FULL_RANGE);
        assert_true(quant_made_by(q, only(q, "MatMul")->in[1], "DequantizeLinear") == (rank == 2));
        quant_check_values(n.g, q, PIXELS, 0.1);
        rc_graph_free(&q);
        rci_graph_free(n.g);
    }
    test_context_done(c);
}

/* A constant between integers is not seen by calibration: the result has a scale of its own. */
static void join_with_a_constant_keeps_its_values(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    rci_id high;
    struct rci_tensor t;
    const struct rci_shape one = RC_SHAPE(1, 2, H, W);
    rci_id x = net_cbr(&n, "a", net_input(&n, C, H, W), (struct net_conv){.out = 8, .k = 3});
    OK(rci_tensor_new(&t, c, RC_F32, &one));
    for (int64_t i = 0; i < rci_shape_count(&one); i++)
        ((float *) t.data)[i] = 50;
    OK(rci_graph_add_const(n.g, &high, "high", &t));
    rci_tensor_free(&t);
    n.g->dynamic_batch = false;
    x = net_concat(&n, (rci_id[]){x, high}, 2);
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 3, .k = 1}));
    struct rc_graph *q = quant_calibrated(c, n.g, "minmax", 0);
    float image[PIXELS], y[2][3 * H * W];
    fill_random(image, PIXELS, 5);
    run_reference(n.g, 1, image, y[0]);
    quant_run(q, 1, image, y[1], 0);
    assert_true(relative_error(y[1], y[0], 3 * H * W) < 0.05);
    rc_graph_free(&q);
    rci_graph_free(n.g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_averages_and_matrix_products_run_on_integers),
        cmocka_unit_test(products_of_more_axes_keep_their_values),
        cmocka_unit_test(join_with_a_constant_keeps_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
