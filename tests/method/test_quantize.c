/* The quantizer on small networks: where nodes go, that integers and their simulation agree, and
 * refusals. */
#include "files.h"
#include "nets.h"
#include "quantnets.h"

#include <math.h>
#include <stdlib.h>

#include "exec/session.h"
#include "exec/tape.h"
#include "io/onnx.h"
#include "pass/insert_qdq.h"
#include "quant/quantizer.h"
#include "quant/weights.h"

static const struct rci_tensor *producer_in(const struct rc_graph *g, rci_id v, uint32_t i)
{
    return rci_const_in(g, &g->nodes[g->values[v].producer], i);
}

static void check_weighted(const struct rc_graph *g, const struct rci_node *n)
{
    assert_true(quant_made_by(g, n->in[0], "DequantizeLinear"));
    assert_true(quant_made_by(g, n->in[1], "DequantizeLinear"));
    const struct rci_tensor *w = producer_in(g, n->in[1], 0), *sw = producer_in(g, n->in[1], 1);
    const struct rci_tensor *sx = producer_in(g, n->in[0], 1);
    assert_int_equal(w->dtype, RC_S8);
    assert_int_equal(rci_shape_count(&sw->shape), w->shape.dim[rci_weight_axis(g, n)]);
    for (int64_t i = 0; i < rci_shape_count(&w->shape); i++)
        assert_true(((int8_t *) w->data)[i] >= -127);
    if (n->n_in < 3)
        return;
    assert_true(quant_made_by(g, n->in[2], "DequantizeLinear"));
    const struct rci_tensor *b = producer_in(g, n->in[2], 0), *sb = producer_in(g, n->in[2], 1);
    assert_int_equal(b->dtype, RC_I32);
    for (int64_t o = 0; o < rci_shape_count(&sb->shape); o++)
        assert_true(((float *) sb->data)[o] == ((float *) sx->data)[0] * ((float *) sw->data)[o]);
}

static void check_placement(const struct rc_graph *g)
{
    assert_true(g->opset >= 13);
    OK(rci_graph_verify(g));
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (!n->op)
            continue;
        if (n->op->quant == RC_QUANT_WEIGHTED)
            check_weighted(g, n);
        if (!strcmp(n->op->name, "Add"))
            for (int k = 0; k < 2; k++)
                assert_true(quant_made_by(g, n->in[k], "DequantizeLinear"));
        if (!strcmp(n->op->name, "QuantizeLinear") && quant_made_by(g, n->in[0], "Relu"))
            assert_int_equal(rci_const_in(g, n, 2)->dtype, RC_U8);
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        assert_false(quant_made_by(g, g->outputs[i], "DequantizeLinear"));
}

static void random_networks_keep_their_values(void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, seed, NET_ALL);
        struct rc_graph *q = quant_calibrated(c, g, "minmax", 0);
        check_placement(q);
        quant_check_values(g, q, PIXELS, 0.1);
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

static void standard_networks_run_wholly_on_integers(void **state)
{
    (void) state;
    static const char *const names[] = {"resnet8", "resnet18", "resnet50"};
    for (int k = 0; k < 3; k++) {
        struct rc_context *c = test_context();
        struct rc_graph *g;
        rc_network_options o = RC_NETWORK_OPTIONS_INIT;
        o.multiplier = 0.125;
        o.height = o.width = k ? 64 : 32;
        o.classes = 5;
        OK(rc_graph_new_network(&g, c, names[k], &o));
        struct rc_graph *q = quant_calibrated(c, g, "minmax", 0);
        check_placement(q);
        quant_check_values(g, q, (int64_t) (C * o.height * o.width), 0.1);
        static const char *const float_ops[] = {
            "Conv", "Gemm", "Add", "MaxPool", "Relu", "GlobalAveragePool", "DequantizeLinear"};
        for (size_t i = 0; i < sizeof(float_ops) / sizeof(*float_ops); i++)
            if (quant_count_steps(q, float_ops[i]))
                fail_msg("%s: %s runs on floats", names[k], float_ops[i]);
        assert_int_equal(quant_count_steps(q, "QuantizeLinear"), 1); /* the image */
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

static void other_forms_keep_their_values_too(void **state)
{
    (void) state;
    static const uint64_t forms[] = {RC_QUANTIZE_PER_TENSOR,      RC_QUANTIZE_FLOAT_BIAS,
                                     RC_QUANTIZE_SINGLE_RESIDUAL, RC_QUANTIZE_NO_BIAS_CORRECTION,
                                     RC_QUANTIZE_REDUCE_RANGE,    RC_QUANTIZE_IN_ORDER};
    for (size_t k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, 3, NET_RESIDUAL | NET_POOL);
        struct rc_graph *q = quant_calibrated(c, g, "minmax", forms[k]);
        quant_check_values(g, q, PIXELS, 0.15);
        for (rci_id v = 0; forms[k] == RC_QUANTIZE_REDUCE_RANGE && v < q->n_values; v++) {
            const struct rci_tensor *t = &q->values[v].tensor;
            for (int64_t i = 0; t->data && t->dtype == RC_S8 && i < rci_shape_count(&t->shape); i++)
                assert_true(abs(((int8_t *) t->data)[i]) <= 63);
        }
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

static void exported_file_computes_the_same_bits(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 4, NET_ALL), *again;
    struct rc_graph *q = quant_calibrated(c, g, "mse", 0);
    struct rci_bytes file;
    float x[2 * PIXELS], y[2][2 * 5];
    OK(rci_onnx_save_memory(&file, q));
    OK(rci_onnx_load_memory(&again, c, file.data, file.size));
    fill_random(x, 2 * PIXELS, 1);
    quant_run(q, 2, x, y[0], 0);
    quant_run(again, 2, x, y[1], 0);
    assert_memory_equal(y[0], y[1], sizeof(y[0]));
    assert_non_null(
        strstr(rci_graph_get_metadata(again, "rescomp.quantization"), "\"observer\":\"mse\""));
    rci_release(file.data);
    rc_graph_free(&again);
    rc_graph_free(&q);
    rc_graph_free(&g);
    test_context_done(c);
}

static void every_observer_calibrates(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 5, NET_RESIDUAL);
    for (uint32_t i = 0; i < rci_kind_observer.count; i++) {
        struct rc_graph *q = quant_calibrated(c, g, rci_kind_observer.table[i]->name, 0);
        quant_check_values(g, q, PIXELS, 0.25);
        rc_graph_free(&q);
    }
    rc_graph_free(&g);
    test_context_done(c);
}

/* As many images as there are, even one. */
static void one_image_is_enough_to_calibrate(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 3, NET_RESIDUAL), *q;
    struct source s = {0};
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_dataset *d = quant_dataset(c, &s, H, W);
    rc_quantizer *z;
    o.images = 1;
    OK(rc_quantizer_new(&z, g, &o));
    OK(rc_quantizer_calibrate(z, d));
    OK(rc_quantizer_apply(&q, z));
    OK(rci_graph_verify(q));
    rc_graph_free(&q);
    rc_quantizer_free(&z);
    o.images = 100 * IMAGES;
    OK(rc_quantizer_new(&z, g, &o));
    OK(rc_quantizer_calibrate(z, d));
    rc_quantizer_free(&z);
    rc_dataset_free(&d);
    rc_graph_free(&g);
    test_context_done(c);
}

static void images_without_negative_values_are_unsigned(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 6, NET_RESIDUAL);
    for (int k = 0; k < 2; k++) {
        struct source s = {.positive = k};
        rc_dataset *d = quant_dataset(c, &s, H, W);
        rc_quantizer *q = quant_new(g, "minmax", 0);
        rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
        REFUSED(rc_quantizer_get_entry(q, 0, &e), RC_ERR_STATE, "not calibrated");
        OK(rc_quantizer_calibrate(q, d));
        OK(rc_quantizer_get_entry(q, 0, &e));
        assert_string_equal(e.name, "input");
        assert_int_equal(e.is_signed, !k);
        assert_true(fabs(e.scale * (k ? 255 : 127) - e.amax) < 1e-6 && e.amax <= 1);
        rc_quantizer_free(&q);
        rc_dataset_free(&d);
    }
    rc_graph_free(&g);
    test_context_done(c);
}

/* A dead channel and a bias that i32 could not hold at the scale of tiny weights. */
static void zero_and_tiny_channels_stay_finite(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rci_quant_weight w;
    float x[4] = {0, 0, 0.5f, -1};
    const struct rci_tensor t = {RC_F32, RC_SHAPE(2, 2), x};
    OK(rci_quant_weight_make(
        &w, c, &t, &(struct rci_quant_weight_options){.axis = 0, .low = -127, .top = 127}));
    assert_true(w.scale[0] == 1 && w.scale[1] == 1.0f / 127);
    assert_memory_equal(w.q.data, ((int8_t[]){0, 0, 64, -127}), 4);
    rci_quant_weight_free(&w);
    x[3] = NAN;
    REFUSED(rci_quant_weight_make(&w, c, &t,
                                  &(struct rci_quant_weight_options){.low = -127, .top = 127}),
            RC_ERR_MODEL, "channel 1 is NaN");

    struct rc_graph *g = quant_two_convs(c, (float[]){1e-12f, 1}, (float[]){3, 0}), *out;
    const char *folder = scratch_folder();
    rc_quantizer *q = quant_new(g, "minmax", 0);
    static const char table[] = "TRT-1-x\na: b (1): 3c010a14\nr_output_0: 3d000000\n";
    OK(rc_quantizer_load_table(q, scratch_write(folder, "t", table, sizeof(table) - 1),
                               "tensorrt"));
    OK(rc_quantizer_apply(&out, q));
    check_placement(out);
    float in[4] = {0.5f, 0, 0.1f, -1}, y[4];
    quant_run(out, 1, in, y, 0);
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(y[i] - 3) < 0.02f);
    rc_graph_free(&out);
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
    test_context_done(c);
}

static void trainable_form_freezes_into_the_exported_one(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 9, NET_RESIDUAL), *frozen;
    const uint64_t full = RC_QUANTIZE_FULL_RANGE; /* nearest integers in both */
    struct rc_graph *q = quant_calibrated(c, g, "minmax", RC_QUANTIZE_QAT | full);
    struct rc_graph *direct =
        quant_calibrated(c, g, "minmax", RC_QUANTIZE_NO_BIAS_CORRECTION | full);
    quant_check_values(g, q, PIXELS, 0.1);
    for (rci_id i = 0; i < q->n_nodes; i++)
        if (q->nodes[i].op && q->nodes[i].op->quant == RC_QUANT_WEIGHTED) {
            const rci_id pair = q->nodes[q->values[q->nodes[i].in[1]].producer].in[0];
            assert_true(quant_made_by(q, pair, "QuantizeLinear"));
            assert_int_equal(producer_in(q, pair, 0)->dtype, RC_F32);
        }
    OK(rc_quantizer_finish(&frozen, q));
    check_placement(frozen);
    assert_non_null(
        strstr(rci_graph_get_metadata(frozen, "rescomp.quantization"), "\"trainable\":false"));
    float x[PIXELS], y[2][5];
    fill_random(x, PIXELS, 3);
    quant_run(frozen, 1, x, y[0], 0);
    quant_run(direct, 1, x, y[1], 0);
    assert_true(relative_error(y[0], y[1], 5) < 1e-3);
    struct rc_graph *none;
    REFUSED(rc_quantizer_finish(&none, direct), RC_ERR_MODEL, "RC_QUANTIZE_QAT");
    rc_graph_free(&frozen);
    rc_graph_free(&direct);
    rc_graph_free(&q);
    REFUSED(rc_quantizer_finish(&none, g), RC_ERR_MODEL, "RC_QUANTIZE_QAT");
    rc_graph_free(&g);
    test_context_done(c);
}

/* Straight-through gradients: a few steps towards random targets make the error smaller, and only
 * weights and biases move. */
static void trainable_form_learns(void **state)
{
    (void) state;
    enum { N = 8, STEPS = 30 };
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 2, NET_RESIDUAL | NET_SHORTCUT);
    struct rc_graph *q = quant_calibrated(c, g, "minmax", RC_QUANTIZE_QAT);
    struct rci_tape *t;
    const struct rci_tape_config o = {.batch = N, .frozen_bn = true};
    OK(rci_tape_new(&t, q, &o));
    float x[N * PIXELS], target[N * 5], d[N * 5];
    fill_random(x, N * PIXELS, 1);
    fill_random(target, N * 5, 2);
    double first = 0, last = 0;
    for (int step = 0; step < STEPS; step++) {
        OK(rci_tape_forward(t, (const void *const[]){x}, 0, (uint64_t) step));
        const float *y = rci_tape_output(t, 0)->data;
        last = 0;
        for (int i = 0; i < N * 5; i++) {
            d[i] = (y[i] - target[i]) / N;
            last += (double) (d[i] * d[i]);
        }
        first = step ? first : last;
        OK(rci_tape_backward(t, (const float *const[]){d}));
        for (uint32_t p = 0; p < rci_tape_n_params(t); p++)
            for (int64_t i = 0; i < rci_tape_param_count(t, p); i++)
                rci_tape_param_data(t, p)[i] -= 0.02f * rci_tape_param_grad(t, p)[i];
    }
    uint32_t weights = 0;
    for (uint32_t p = 0; p < rci_tape_n_params(t); p++) {
        assert_null(strstr(q->values[rci_tape_param(t, p)].name, "_scale"));
        weights += rci_tape_param_decays(t, p);
    }
    assert_true(weights >= 4);
    if (!(last < 0.8 * first))
        fail_msg("error %g after %d steps, was %g", last, STEPS, first);
    rci_tape_free(t);
    rc_graph_free(&q);
    rc_graph_free(&g);
    test_context_done(c);
}

static void what_cannot_be_quantized_is_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 9, NET_RESIDUAL), *q = quant_calibrated(c, g, "minmax", 0);
    struct source good = {0}, bad = {.poison = true};
    rc_dataset *d = quant_dataset(c, &bad, H, W), *small = quant_dataset(c, &good, 5, 5);
    rc_quantizer *z;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.observer = "nope";
    REFUSED(rc_quantizer_new(&z, g, &o), RC_ERR_ARG, "nope");
    o.observer = NULL;
    o.weight_bits = 9;
    REFUSED(rc_quantizer_new(&z, g, &o), RC_ERR_ARG, "weight_bits is 9");
    o.weight_bits = 0;
    o.flags = 1 << 20;
    REFUSED(rc_quantizer_new(&z, g, &o), RC_ERR_ABI, "rc_quantize_options.flags");
    REFUSED(rc_quantizer_new(&z, NULL, NULL), RC_ERR_ARG, "graph");
    z = quant_new(g, "mse", 0);
    REFUSED(rc_quantizer_calibrate(z, d), RC_ERR_DATA, "\"input\" is NaN or infinite");
    REFUSED(rc_quantizer_calibrate(z, small), RC_ERR_SHAPE, "images are 3x5x5");
    REFUSED(rc_quantizer_calibrate(z, NULL), RC_ERR_ARG, "dataset");
    REFUSED(rc_quantizer_save_table(z, NULL, 0), RC_ERR_ARG, "path");
    REFUSED(rc_quantizer_save_table(z, "x", "xml"), RC_ERR_ARG, "no table-format named \"xml\"");
    rc_quantizer_free(&z);
    rc_quantizer_free(&z);
    rc_dataset_free(&d);
    rc_dataset_free(&small);
    rc_graph_free(&q);
    rc_graph_free(&g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_keep_their_values),
        cmocka_unit_test(standard_networks_run_wholly_on_integers),
        cmocka_unit_test(other_forms_keep_their_values_too),
        cmocka_unit_test(exported_file_computes_the_same_bits),
        cmocka_unit_test(every_observer_calibrates),
        cmocka_unit_test(one_image_is_enough_to_calibrate),
        cmocka_unit_test(images_without_negative_values_are_unsigned),
        cmocka_unit_test(zero_and_tiny_channels_stay_finite),
        cmocka_unit_test(trainable_form_freezes_into_the_exported_one),
        cmocka_unit_test(trainable_form_learns),
        cmocka_unit_test(what_cannot_be_quantized_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
