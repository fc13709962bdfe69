/* Bits of layers: which have how many, and that integers stay within them in every form of the
 * graph. */
#include "nets.h"
#include "quantnets.h"

#include <stdio.h>

#include "op/attrs.h"
#include "pass/insert_qdq.h"
#include "quant/quantizer.h"

static rc_quantizer *calibrated(struct rc_context *c, const struct rc_graph *g,
                                rc_quantize_options o)
{
    rc_quantizer *q;
    struct source s = {0};
    const struct rci_shape *x = &g->values[g->inputs[0]].tensor.shape;
    rc_dataset *d = quant_dataset(c, &s, (uint64_t) x->dim[2], (uint64_t) x->dim[3]);
    o.images = IMAGES;
    o.batch = 16;
    OK(rc_quantizer_new(&q, g, &o));
    OK(rc_quantizer_calibrate(q, d));
    rc_dataset_free(&d);
    return q;
}

static struct rc_graph *applied(struct rc_context *c, const struct rc_graph *g,
                                rc_quantize_options o)
{
    struct rc_graph *out;
    rc_quantizer *q = calibrated(c, g, o);
    OK(rc_quantizer_apply(&out, q));
    rc_quantizer_free(&q);
    return out;
}

static const struct rci_tensor *integers_of(const struct rc_graph *q, const struct rci_node *n)
{
    const rci_id dq = q->values[n->in[1]].producer;
    return dq == RC_NONE ? NULL : rci_const_in(q, &q->nodes[dq], 0);
}

static void check_within(const struct rci_tensor *w, int low, int high)
{
    int least = 127, most = -128;
    for (int64_t i = 0; i < rci_shape_count(&w->shape); i++) {
        const int v = ((const int8_t *) w->data)[i];
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    assert_in_range(least + 128, low + 128, 128);
    assert_in_range(most + 128, 128, high + 128);
    assert_true(-least > high / 2 || most > high / 2); /* the range is used */
}

/* Bits of the node's weights, of what it reads by the Clip in front of it; 8 without one. */
static int bits_read(const struct rc_graph *q, const struct rci_node *n)
{
    const struct rci_node *dq = &q->nodes[q->values[n->in[0]].producer];
    const struct rci_node *by = &q->nodes[q->values[dq->in[0]].producer];
    if (strcmp(by->op->name, "Clip"))
        return 8;
    const struct rci_clip_attrs *a = by->attrs;
    int bits = 0;
    while ((1 << bits) < a->hi - a->lo + 1)
        bits++;
    assert_int_equal(1 << bits, (int) (a->hi - a->lo) + 1);
    return bits;
}

static void few_bits_compute_the_same_as_their_simulation(void **state)
{
    (void) state;
    for (uint64_t bits = 2; bits <= 7; bits++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, bits, NET_ALL);
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        o.weight_bits = o.activation_bits = bits;
        struct rc_graph *q = applied(c, g, o);
        const double expected[] = {0, 0, 2, 1, 0.6, 0.4, 0.3, 0.2};
        OK(rci_graph_verify(q));
        quant_check_values(g, q, PIXELS, expected[bits]);
        assert_true(quant_count_steps(q, "Clip") > 0);
        assert_int_equal(quant_count_steps(q, "Conv"), 0);
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

static struct rc_graph *three_layers(struct rc_context *c)
{
    struct rc_graph *g;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    o.multiplier = 0.5;
    o.height = o.width = 16;
    o.classes = 5;
    OK(rc_graph_new_network(&g, c, "resnet8", &o));
    return g;
}

static void first_and_last_layers_keep_eight_bits(void **state)
{
    (void) state;
    for (int same = 0; same < 2; same++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = three_layers(c);
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        o.weight_bits = 4;
        o.activation_bits = 5;
        o.flags = same ? RC_QUANTIZE_SAME_EDGES : 0;
        struct rc_graph *q = applied(c, g, o);
        uint32_t full = 0, few = 0;
        for (rci_id i = 0; i < q->n_nodes; i++) {
            const struct rci_node *n = &q->nodes[i];
            if (!n->op || rci_node_quant(n) != RC_QUANT_WEIGHTED)
                continue;
            const bool edge = quant_made_by(q, n->in[0], "DequantizeLinear") &&
                              (n->out[0] == q->outputs[0] || rci_const_in(q, n, 1) ||
                               integers_of(q, n)->shape.dim[1] == 3);
            check_within(integers_of(q, n), edge && !same ? -127 : -8, edge && !same ? 127 : 7);
            assert_int_equal(bits_read(q, n), edge && !same ? 8 : 5);
            *(edge && !same ? &full : &few) += 1;
        }
        assert_int_equal(full, same ? 0 : 2);
        assert_true(few >= 6);
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

/* Names of the layers of `g` with weights, first and last. */
static const char *layer_name(const struct rc_graph *g, uint32_t which)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && rci_node_quant(&g->nodes[i]) == RC_QUANT_WEIGHTED && which-- == 0)
            return g->nodes[i].name;
    return NULL;
}

static const struct rci_node *named(const struct rc_graph *g, const char *name)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !strcmp(g->nodes[i].name, name))
            return &g->nodes[i];
    return NULL;
}

static void layers_by_name_get_their_own_bits_or_stay_f32(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = three_layers(c);
    char own[128], first[128];
    const char *one = layer_name(g, 1), *two = layer_name(g, 2);
    snprintf(own, sizeof(own), "%s:weights=3,acts=6", one);
    snprintf(first, sizeof(first), "%s:acts=7", layer_name(g, 0));
    const char *const overrides[] = {"*:weights=6", own, first}, *const skip[] = {two};
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.overrides = overrides;
    o.override_count = 3;
    o.skip = skip;
    o.skip_count = 1;
    struct rc_graph *q = applied(c, g, o);
    check_within(integers_of(q, named(q, one)), -4, 3);
    assert_int_equal(bits_read(q, named(q, one)), 6);
    check_within(integers_of(q, named(q, layer_name(g, 0))), -32, 31);
    assert_int_equal(bits_read(q, named(q, layer_name(g, 0))), 7);
    const struct rci_tensor *w = rci_const_in(q, named(q, two), 1);
    assert_true(w && w->dtype == RC_F32);
    quant_check_values(g, q, 3 * 16 * 16, 0.6);
    assert_non_null(strstr(rci_graph_get_metadata(q, "rescomp.quantization"), "\"skip\":true"));
    rc_graph_free(&q);
    rc_graph_free(&g);
    test_context_done(c);
}

static void wrong_bits_and_patterns_are_refused(void **state)
{
    (void) state;
    static const struct {
        const char *override, *skip, *text;
    } cases[] = {
        {"*", NULL, "expected PATTERN:weights=B,acts=B"},
        {"*:weights=9", NULL, "2 to 8 bits"},
        {"*:weights=4,", NULL, "2 to 8 bits"},
        {"*:weights=4 acts=4", NULL, "2 to 8 bits"},
        {"*:acts=", NULL, "2 to 8 bits"},
        {"*:acts=1", NULL, "2 to 8 bits"},
        {"nothing:weights=4", NULL, "matches no layer with weights"},
        {NULL, "nothing", "matches no layer that is quantized"},
    };
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 2, NET_RESIDUAL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        rc_quantizer *q;
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        o.overrides = &cases[i].override;
        o.override_count = cases[i].override != NULL;
        o.skip = &cases[i].skip;
        o.skip_count = cases[i].skip != NULL;
        REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, cases[i].text);
    }
    rc_quantizer *q;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.activation_bits = 1;
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "activation_bits is 1");
    o.activation_bits = 0;
    o.skip_count = 1;
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "skip is NULL");
    const char *const all[] = {"*"};
    o.skip = all;
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_MODEL, "all are to be skipped");
    rc_graph_free(&g);
    test_context_done(c);
}

static void trained_layers_freeze_to_their_own_bits(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = three_layers(c), *frozen;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.weight_bits = 4;
    o.activation_bits = 4;
    o.flags = RC_QUANTIZE_QAT;
    struct rc_graph *q = applied(c, g, o);
    OK(rc_quantizer_finish(&frozen, q));
    check_within(integers_of(frozen, named(frozen, layer_name(g, 0))), -127, 127);
    check_within(integers_of(frozen, named(frozen, layer_name(g, 1))), -8, 7);
    rc_graph_free(&frozen);
    rc_graph_free(&q);
    rc_graph_free(&g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bits_compute_the_same_as_their_simulation),
        cmocka_unit_test(first_and_last_layers_keep_eight_bits),
        cmocka_unit_test(layers_by_name_get_their_own_bits_or_stay_f32),
        cmocka_unit_test(wrong_bits_and_patterns_are_refused),
        cmocka_unit_test(trained_layers_freeze_to_their_own_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
