/* From a trained graph with FakeQuant nodes to the exported one. BatchNormalization goes into the
 * layer before it: with f = scale / sqrt(variance + epsilon) of a channel, weights s q become
 * (s |f|) (sign(f) q), whose integers are the ones that were trained, and the bias
 * shift + (b - mean) f. */
#include "op/layers.h"
#include "pass/insert_qdq.h"
#include "quant/build.h"
#include "quant/moments.h"
#include "quant/trainable.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct harden {
    struct rc_graph *g;
    bool pairs;      /* weights of 8 bits must be safe */
    bool float_bias; /* leave biases as f32 */
    struct rci_qdq_activation *activation;
    struct rci_qdq_weight *weight;
    struct rci_quant_weight *made;
    uint32_t n_activations, n_weights;
};

bool rci_graph_is_simulated(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (rci_fake_quant_of(&g->nodes[i]))
            return true;
    return false;
}

/* The node that simulates integer weights of `n`. */
static const struct rci_node *weight_fake(const struct rc_graph *g, const struct rci_node *n)
{
    if (rci_node_quant(n) != RC_QUANT_WEIGHTED || n->n_in < 2)
        return NULL;
    const rci_id producer = g->values[n->in[1]].producer;
    const struct rci_node *f = producer == RC_NONE ? NULL : &g->nodes[producer];
    return f && rci_fake_quant_of(f) && rci_const_in(g, f, 0) ? f : NULL;
}

/* The normalization that alone reads the node's result, or RC_NONE. */
static rci_id norm_behind(const struct rc_graph *g, rci_id node)
{
    const rci_id next = rci_graph_single_reader(g, g->nodes[node].out[0]);
    return next != RC_NONE && g->nodes[next].op->as_norm &&
                   g->nodes[next].in[0] == g->nodes[node].out[0]
               ? next
               : RC_NONE;
}

/* factor[c], and the bias that the layer gets; false: no constant numbers. */
static bool norm_numbers(const struct rc_graph *g, rci_id node, rci_id norm, float *factor,
                         float *bias, int64_t channels)
{
    struct rci_norm n;
    const struct rci_node *l = &g->nodes[node], *b = &g->nodes[norm];
    b->op->as_norm(b, &n);
    const struct rci_tensor *t[4] = {rci_const_in(g, b, n.scale), rci_const_in(g, b, n.shift),
                                     rci_const_in(g, b, n.mean), rci_const_in(g, b, n.variance)};
    const struct rci_tensor *own = l->n_in > 2 ? rci_const_in(g, l, 2) : NULL;
    for (int k = 0; k < 4; k++)
        if (!t[k] || rci_shape_count(&t[k]->shape) != channels)
            return false;
    for (int64_t c = 0; c < channels; c++) {
        const double f = (double) ((const float *) t[0]->data)[c] /
                         sqrt((double) ((const float *) t[3]->data)[c] + (double) n.epsilon);
        const double from = own ? (double) ((const float *) own->data)[c] : 0;
        factor[c] = (float) f;
        bias[c] = (float) ((double) ((const float *) t[1]->data)[c] +
                           (from - (double) ((const float *) t[2]->data)[c]) * f);
    }
    return true;
}

static rc_status fold_norm(struct harden *h, rci_id node, rci_id norm, float *factor,
                           int64_t channels)
{
    struct rc_graph *g = h->g;
    float *bias = rci_alloc_array(g->ctx, (size_t) channels, sizeof(float));
    if (!bias)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    if (!norm_numbers(g, node, norm, factor, bias, channels))
        st = rci_fail(RC_ERR_MODEL, "node \"%s\": its numbers are not constant",
                      g->nodes[norm].name);
    if (st == RC_OK)
        st = rci_quantizer_set_bias(g, node, bias);
    if (st == RC_OK)
        st = rci_graph_redirect(g, g->nodes[norm].out[0], g->nodes[node].out[0]);
    if (st == RC_OK)
        rci_graph_kill_node(g, norm);
    rci_release(bias);
    return st;
}

/* Reals that are integers times `scale`: y times the factors. */
static rc_status take_weight(struct harden *h, rci_id node, const struct rci_node *fake,
                             const float *factor, float *scale)
{
    struct rc_graph *g = h->g;
    const struct rci_fake_quant_attrs *a = rci_fake_quant_of(fake);
    const rci_id v = fake->in[0];
    const struct rci_tensor w = g->values[v].tensor, numbers = g->values[fake->in[1]].tensor;
    const uint32_t axis = rci_weight_axis(g, &g->nodes[node]);
    const int64_t channels = w.shape.dim[axis], n = rci_shape_count(&w.shape);
    int64_t inner = 1;
    for (uint32_t k = axis + 1; k < w.shape.rank; k++)
        inner *= w.shape.dim[k];
    struct rci_tensor real;
    RC_TRY(rci_tensor_new(&real, g->ctx, RC_F32, &w.shape));
    rci_fake_quant_apply(a, &w, &numbers, real.data);
    for (int64_t i = 0; i < n; i++)
        ((float *) real.data)[i] *= factor[i / inner % channels];
    for (int64_t c = 0; c < channels; c++) {
        float p[RC_FAKE_QUANT_NUMBERS];
        rci_fake_quant_numbers(a, &w, &numbers, a->channels ? c : 0, p);
        scale[c] = fmaxf(a->rule->scale(a, p) * fabsf(factor[c]), FLT_MIN);
    }
    struct rci_quant_blocks blocks;
    const bool pairs = h->pairs && a->high == 127 && rci_quant_blocks_at(&blocks, g, node);
    const struct rci_quant_weight_options o = {.axis = axis,
                                               .low = (int32_t) a->low,
                                               .top = (int32_t) a->high,
                                               .keep = scale,
                                               .clip = true,
                                               .pairs = pairs ? &blocks : NULL};
    struct rci_quant_weight *made = &h->made[h->n_weights];
    const rc_status st = rci_quant_weight_make(made, g->ctx, &real, &o);
    rci_tensor_free(&real);
    if (st != RC_OK)
        return rci_fail_prefix(st, "weight \"%s\"", g->values[v].name);
    h->weight[h->n_weights++] = (struct rci_qdq_weight){.value = v,
                                                        .q = made->q.data,
                                                        .scale = made->scale,
                                                        .n_scale = made->n_scale,
                                                        .axis = axis};
    return RC_OK;
}

static bool has_weight(const struct harden *h, rci_id value)
{
    for (uint32_t i = 0; i < h->n_weights; i++)
        if (h->weight[i].value == value)
            return true;
    return false;
}

static rc_status harden_layer(struct harden *h, rci_id node, const struct rci_node *fake)
{
    struct rc_graph *g = h->g;
    const rci_id value = fake->in[0], norm = norm_behind(g, node);
    const int64_t channels = g->values[value].tensor.shape.dim[rci_weight_axis(g, &g->nodes[node])];
    float *factor = rci_alloc_array(g->ctx, 2 * (size_t) channels, sizeof(float));
    rc_status st = factor ? RC_OK : RC_ERR_MEMORY;
    for (int64_t c = 0; factor && c < channels; c++)
        factor[c] = 1;
    g->nodes[node].in[1] = value;
    if (st == RC_OK && norm != RC_NONE)
        st = fold_norm(h, node, norm, factor, channels);
    if (st == RC_OK && !has_weight(h, value))
        st = take_weight(h, node, fake, factor, factor + channels);
    rci_release(factor);
    return st;
}

static rc_status harden_activation(struct harden *h, rci_id node)
{
    struct rc_graph *g = h->g;
    const struct rci_fake_quant_attrs a = *rci_fake_quant_of(&g->nodes[node]);
    const rci_id v = g->nodes[node].in[0];
    float p[RC_FAKE_QUANT_NUMBERS];
    rci_fake_quant_numbers(&a, &g->values[v].tensor, &g->values[g->nodes[node].in[1]].tensor, 0, p);
    struct rci_qdq_activation t = {.value = v,
                                   .type = a.low < 0 ? RC_S8 : RC_U8,
                                   .scale = a.rule->scale(&a, p),
                                   .zero = a.rule->zero ? a.rule->zero(&a, p) : 0};
    const float low = t.type == RC_S8 ? -128 : 0, high = t.type == RC_S8 ? 127 : 255;
    if (a.low > low || a.high < high) {
        t.low = (int32_t) a.low;
        t.high = (int32_t) a.high;
    }
    if (!(t.scale >= FLT_MIN) || !isfinite(t.scale))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": its step is %g, training has destroyed it",
                        g->nodes[node].name, (double) t.scale);
    h->activation[h->n_activations++] = t;
    return rci_graph_bypass(g, node);
}

static rc_status harden_run(struct harden *h)
{
    struct rc_graph *g = h->g;
    const uint32_t n_nodes = g->n_nodes;
    h->activation = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*h->activation));
    h->weight = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*h->weight));
    h->made = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*h->made));
    if (!h->activation || !h->weight || !h->made)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < n_nodes; i++) {
        const struct rci_node *fake = weight_fake(g, &g->nodes[i]);
        if (fake)
            RC_TRY(harden_layer(h, i, fake));
    }
    RC_TRY(rci_graph_sweep(g, NULL));
    for (rci_id i = 0; i < n_nodes; i++)
        if (rci_fake_quant_of(&g->nodes[i]))
            RC_TRY(harden_activation(h, i));
    RC_TRY(rci_graph_sweep(g, NULL));
    RC_TRY(rci_graph_infer(g));
    const struct rci_qdq_table table = {.activation = h->activation,
                                        .n_activations = h->n_activations,
                                        .weight = h->weight,
                                        .n_weights = h->n_weights,
                                        .float_bias = h->float_bias};
    return rci_insert_qdq(g, &table);
}

rc_status rci_quantizer_harden(struct rc_graph *g, bool pairs, bool float_bias)
{
    struct harden h = {.g = g, .pairs = pairs, .float_bias = float_bias};
    const rc_status st = harden_run(&h);
    for (uint32_t i = 0; h.made && i < h.n_weights; i++)
        rci_quant_weight_free(&h.made[i]);
    rci_release(h.made);
    rci_release(h.weight);
    rci_release(h.activation);
    return st;
}
