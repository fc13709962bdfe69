/* What quantized files are made for: operators on integers, opsets, targets and their rules. */
#include "files.h"
#include "nets.h"
#include "quantnets.h"

#include <math.h>
#include <stdlib.h>

#include "io/onnx.h"
#include "op/attrs.h"
#include "pass/pass.h"
#include "quant/quantizer.h"

static bool holds(const struct rci_bytes *b, const char *text)
{
    return memmem(b->data, b->size, text, strlen(text)) != NULL;
}

/* Calibrated for a target. */
static struct rc_graph *quantized_for(const struct rc_graph *g, const char *target)
{
    struct source s = {0};
    const struct rci_shape *x = &g->values[g->inputs[0]].tensor.shape;
    s.pixels = x->dim[1] * x->dim[2] * x->dim[3];
    rc_dataset *d = quant_dataset(g->ctx, &s, (uint64_t) x->dim[2], (uint64_t) x->dim[3]);
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_quantizer *q;
    struct rc_graph *out;
    o.observer = "minmax";
    o.target = target;
    o.flags = RC_QUANTIZE_NO_BIAS_CORRECTION;
    OK(rc_quantizer_new(&q, g, &o));
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&out, q));
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    return out;
}

static void run_both(const struct rc_graph *a, const struct rc_graph *b, double tolerance)
{
    enum { N = 4 };
    const int64_t outs = rci_shape_count(&a->values[a->outputs[0]].tensor.shape) / a->batch;
    float *x = malloc(N * PIXELS * sizeof(float)),
          *y = malloc((size_t) outs * 2 * N * sizeof(float));
    fill_random(x, N * PIXELS, 3);
    quant_run(a, N, x, y, 0);
    quant_run(b, N, x, y + N * outs, 0);
    const double error = relative_error(y + N * outs, y, N * outs);
    if (!(error <= tolerance))
        fail_msg("results differ by %g, at most %g", error, tolerance);
    free(x);
    free(y);
}

static void operators_on_integers_are_written_and_read_back(void **state)
{
    struct rc_context *c = *state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rc_graph *g = net_random(c, seed, NET_ALL), *back;
        struct rc_graph *q = quantized_for(g, NULL);
        struct rci_bytes qdq, qop;
        OK(rci_onnx_save_memory(&qdq, q));
        OK(rci_onnx_save_memory_as(&qop, q, &(struct rci_onnx_form){.qoperators = true}));
        assert_true(holds(&qop, "QLinearConv") && holds(&qop, "com.microsoft"));
        assert_false(holds(&qdq, "QLinearConv") || holds(&qdq, "com.microsoft"));
        OK(rci_onnx_load_memory(&back, c, qop.data, qop.size));
        /* the same integers, so the same kernels: sums of floats behind them may differ in order */
        run_both(q, back, 1e-5);
        assert_int_equal(quant_count_steps(back, "QConv"), quant_count_steps(q, "QConv"));
        assert_int_equal(quant_count_steps(back, "QAdd"), quant_count_steps(q, "QAdd"));
        rci_release(qdq.data);
        rci_release(qop.data);
        rc_graph_free(&back);
        rc_graph_free(&q);
        rc_graph_free(&g);
    }
}

static void opsets_of_quantized_files_say_the_same(void **state)
{
    struct rc_context *c = *state;
    static const int64_t opsets[] = {13, 19, 21};
    struct rc_graph *g = net_random(c, 3, NET_ALL), *q = quantized_for(g, NULL), *back;
    for (size_t i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            const struct rci_onnx_form form = {.opset = opsets[i], .qoperators = k};
            struct rci_bytes file;
            OK(rci_onnx_save_memory_as(&file, q, &form));
            OK(rci_onnx_load_memory(&back, c, file.data, file.size));
            assert_int_equal(back->opset, opsets[i]);
            run_both(q, back, 1e-5);
            rc_graph_free(&back);
            rci_release(file.data);
        }
    }
    rc_graph_free(&q);
    rc_graph_free(&g);
}

static void the_form_of_a_file_is_checked(void **state)
{
    struct rc_context *c = *state;
    const char *folder = scratch_folder(), *path = scratch_path(folder, "m.onnx");
    struct rc_graph *g = quant_two_adds(c);
    rc_graph_save_options o = RC_GRAPH_SAVE_OPTIONS_INIT;
    o.form = "int8";
    REFUSED(rc_graph_save_with(g, path, &o), RC_ERR_ARG, "form is \"int8\"");
    o.form = "qoperator"; /* nothing to change */
    OK(rc_graph_save_with(g, path, &o));
    rc_graph_free(&g);
    scratch_remove(folder);
}

/* --- TensorRT --- */

static const struct rci_node *real_of(const struct rc_graph *g, rci_id v)
{
    return rci_graph_quant_producer(g, v, RC_QUANT_TO_REAL);
}

static bool all_bytes_zero(const struct rci_tensor *t)
{
    for (size_t i = 0; i < rci_tensor_bytes(t); i++)
        if (((const uint8_t *) t->data)[i])
            return false;
    return true;
}

static void check_tensorrt_node(const struct rc_graph *g, const struct rci_node *n)
{
    const enum rci_quant_role role = rci_node_quant(n);
    if (role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL) {
        /* symmetric, and s8 everywhere: no bias, no u8 */
        const struct rci_tensor *zero = rci_const_in(g, n, 2), *scale = rci_const_in(g, n, 1);
        assert_true(zero && scale && zero->dtype == RC_S8 && all_bytes_zero(zero));
        if (rci_const_in(g, n, 0)) { /* weights: a scale for each output channel */
            const struct rci_quantize_attrs *a = n->attrs;
            const struct rci_tensor *w = rci_const_in(g, n, 0);
            assert_true(a->axis == 0 && rci_shape_count(&scale->shape) == w->shape.dim[0]);
        } else {
            assert_true(rci_shape_count(&scale->shape) == 1);
        }
    }
    if (role == RC_QUANT_WEIGHTED) {
        assert_true(real_of(g, n->in[0]) && real_of(g, n->in[1]));
        assert_true(n->n_in < 3 || rci_const_in(g, n, 2)); /* biases are f32 constants */
    }
    if (role == RC_QUANT_REQUANT && n->n_in == 2) {
        /* the convolution is read directly, so that the sum is fused into it; the shortcut has
         * Q/DQ, else the sum would run on floats */
        uint32_t direct = 0, quantized = 0;
        for (uint32_t k = 0; k < 2; k++) {
            const rci_id p = g->values[n->in[k]].producer;
            direct += p != RC_NONE && rci_node_quant(&g->nodes[p]) == RC_QUANT_WEIGHTED;
            quantized += real_of(g, n->in[k]) != NULL;
        }
        assert_true(direct == 1 && quantized == 1);
    }
}

static void tensorrt_files_follow_its_rules(void **state)
{
    struct rc_context *c = *state;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    for (int k = 0; k < 2; k++) {
        rc_graph *g;
        o.shortcuts = k ? "A" : "B";
        o.height = H;
        o.width = W;
        OK(rc_graph_new_network(&g, c, "resnet20", &o));
        struct rc_graph *q = quantized_for(g, "tensorrt");
        uint32_t sums = 0;
        for (rci_id i = 0; i < q->n_nodes; i++)
            if (q->nodes[i].op) {
                check_tensorrt_node(q, &q->nodes[i]);
                sums += rci_node_quant(&q->nodes[i]) == RC_QUANT_REQUANT;
            }
        assert_int_equal(sums, 9);
        for (uint32_t i = 0; i < q->n_outputs; i++) /* outputs are as the network's */
            assert_int_equal(q->values[q->outputs[i]].tensor.dtype, RC_F32);
        rc_graph_free(&q);
        rc_graph_free(&g);
    }
}

/* --- targets --- */

static bool power_of_two(float v)
{
    int e;
    return frexpf(v, &e) == 0.5f;
}

struct found {
    uint32_t u8, s8, i32, per_channel, odd; /* odd: scales that are no powers of two */
};

static struct found count_kinds(const struct rc_graph *g)
{
    struct found f = {0};
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (!n->op || rci_node_quant(n) != RC_QUANT_TO_REAL)
            continue;
        const struct rci_tensor *scale = rci_const_in(g, n, 1), *of = &g->values[n->in[0]].tensor;
        const bool weight = of->data != NULL;
        f.u8 += !weight && of->dtype == RC_U8;
        f.s8 += !weight && of->dtype == RC_S8;
        f.i32 += of->dtype == RC_I32;
        f.per_channel += weight && of->dtype == RC_S8 && rci_shape_count(&scale->shape) > 1;
        for (int64_t k = 0; k < rci_shape_count(&scale->shape); k++)
            f.odd += !power_of_two(((const float *) scale->data)[k]);
    }
    return f;
}

static void every_target_has_its_own_rules(void **state)
{
    struct rc_context *c = *state;
    static const struct {
        const char *target, *table; /* how its table begins */
        bool u8, i32, per_channel, fixed;
    } want[] = {
        {"cpu", "{\n  \"format\": \"rescomp.calibration\"", true, true, true, false},
        {"ort", "{\n  \"x\": [", true, true, true, false},
        {"openvino", "{\n  \"format\": \"rescomp", true, false, true, false},
        {"tensorrt", "TRT-8601-MinMaxCalibration\n", false, false, true, false},
        {"mobile", "{\n  \"version\": \"0.0.0\"", false, true, true, false},
        {"fpga", "{\n  \"param\"", false, true, false, true},
        {"mlu", "{\n  \"format\": \"mlu.quantized_param\"", false, false, true, false},
    };
    struct rc_graph *g = quant_two_adds(c), *net = net_random(c, 2, NET_RESIDUAL);
    const char *folder = scratch_folder(), *path = scratch_path(folder, "t");
    static const char ranges[] = "{\"x\":[-2,2],\"act_output_0\":[0,4],\"proj_output_0\":[-3,3],"
                                 "\"act2_output_0\":[0,6]}";
    const char *from = scratch_write(folder, "r", ranges, sizeof(ranges) - 1);
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        rc_quantizer *q;
        struct rci_bytes file;
        struct rc_graph *made = quantized_for(net, want[i].target);
        const struct found f = count_kinds(made);
        assert_true((f.u8 > 0) == want[i].u8 && f.s8 > 0 && (f.i32 > 0) == want[i].i32);
        assert_true((f.per_channel > 0) == want[i].per_channel && (f.odd == 0) == want[i].fixed);
        rc_graph_free(&made);
        o.target = want[i].target;
        OK(rc_quantizer_new(&q, g, &o));
        OK(rc_quantizer_load_table(q, from, "ort"));
        OK(rc_quantizer_save_table(q, path, NULL));
        OK(rci_file_read(c, path, 1 << 20, &file));
        assert_true(file.size > strlen(want[i].table) &&
                    !memcmp(file.data, want[i].table, strlen(want[i].table)));
        rci_release(file.data);
        rc_quantizer_free(&q);
    }
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_quantizer *q;
    o.target = "gpu";
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "no target named \"gpu\"; there are cpu");
    rc_graph_free(&net);
    rc_graph_free(&g);
    scratch_remove(folder);
}

/* --- u8 with zero point 128 --- */

static void centered_u8_runs_on_integers(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = net_random(c, 5, NET_RESIDUAL), *q = quantized_for(g, "mobile"), *u;
    OK(rci_graph_clone(&u, q));
    uint32_t changed = 0;
    for (rci_id i = 0; i < u->n_nodes; i++) {
        struct rci_node *n = &u->nodes[i];
        const enum rci_quant_role role = n->op ? rci_node_quant(n) : RC_QUANT_KEEP_F32;
        if ((role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL) && !rci_const_in(u, n, 0)) {
            uint8_t middle = 128;
            char *name = rci_graph_fresh_name(u, "middle");
            rci_id zero;
            const struct rci_tensor t = {.dtype = RC_U8, .data = &middle};
            OK(rci_graph_add_const(u, &zero, name, &t));
            u->nodes[i].in[2] = zero;
            rci_release(name);
            changed++;
        }
    }
    assert_true(changed > 4);
    OK(rci_graph_infer(u));
    run_both(q, u, 1e-6);
    assert_int_equal(quant_count_steps(u, "QConv"), quant_count_steps(q, "QConv"));
    assert_int_equal(rci_pass_run(u, &rci_pass_center_u8, &changed), RC_OK);
    assert_true(changed > 2);
    rc_graph_free(&u);
    rc_graph_free(&q);
    rc_graph_free(&g);
}

/* --- models that are quantized already --- */

/* Through a file of that form. */
static struct rc_graph *imported(const struct rc_graph *q, bool qoperators)
{
    struct rc_graph *back;
    struct rci_bytes file;
    OK(rci_onnx_save_memory_as(&file, q, &(struct rci_onnx_form){.qoperators = qoperators}));
    OK(rci_onnx_load_memory(&back, q->ctx, file.data, file.size));
    rci_release(file.data);
    return back;
}

static struct rc_graph *pruned(const struct rc_graph *g)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    rc_graph *small;
    o.criterion = "l1";
    o.repair = "none";
    o.macs = 0.7;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_plan(p, NULL));
    OK(rc_pruner_apply(&small, p, NULL));
    rc_pruner_free(&p);
    return small;
}

static uint64_t macs_of(const struct rc_graph *g)
{
    struct rci_graph_cost cost;
    OK(rci_graph_cost(g, &cost));
    return cost.macs;
}

static void quantized_models_are_imported_pruned_and_quantized_again(void **state)
{
    struct rc_context *c = *state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        for (int form = 0; form < 2; form++) {
            struct rc_graph *g = net_random(c, seed, NET_RESIDUAL | NET_POOL | NET_SHORTCUT);
            struct rc_graph *q = quantized_for(g, NULL), *in = imported(q, form);
            struct rc_graph *again = quantized_for(in, NULL), *other = quantized_for(in, "fpga");
            run_both(q, again, 0.06);
            run_both(q, other, 0.2);
            assert_int_equal(quant_count_steps(again, "QConv"), quant_count_steps(q, "QConv"));
            assert_int_equal(macs_of(again), macs_of(q));
            struct rc_graph *small = pruned(in), *both = quantized_for(small, NULL);
            assert_true(macs_of(small) < macs_of(q) && macs_of(both) == macs_of(small));
            assert_int_equal(quant_count_steps(small, "QConv"), 0); /* on reals */
            assert_true(quant_count_steps(both, "QConv") > 0);
            run_both(small, both, 0.06);
            rc_graph_free(&both);
            rc_graph_free(&small);
            rc_graph_free(&other);
            rc_graph_free(&again);
            rc_graph_free(&in);
            rc_graph_free(&q);
            rc_graph_free(&g);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(operators_on_integers_are_written_and_read_back),
        TEST(opsets_of_quantized_files_say_the_same),
        TEST(the_form_of_a_file_is_checked),
        TEST(tensorrt_files_follow_its_rules),
        TEST(every_target_has_its_own_rules),
        TEST(centered_u8_runs_on_integers),
        TEST(quantized_models_are_imported_pruned_and_quantized_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
