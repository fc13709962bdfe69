/* From a plan with scales to the quantized graph: integer weights, corrected biases, Q/DQ nodes,
 * metadata. */
#include "quant/build.h"
#include "base/json.h"
#include "pass/insert_qdq.h"
#include "quant/moments.h"

#include <math.h>
#include <string.h>

struct build {
    struct rc_graph *g; /* the copy being changed */
    struct rci_qdq_activation *activation;
    struct rci_qdq_weight *weight;
    struct rci_quant_weight *made; /* [n_weights] what weight[] points into */
    uint32_t n_activations, n_weights;
};

static rc_status build_alloc(struct build *b)
{
    b->activation = rci_alloc_array(b->g->ctx, b->g->n_values, sizeof(*b->activation));
    b->weight = rci_alloc_array(b->g->ctx, b->g->n_nodes, sizeof(*b->weight));
    b->made = rci_alloc_array(b->g->ctx, b->g->n_nodes, sizeof(*b->made));
    return b->activation && b->weight && b->made ? RC_OK : RC_ERR_MEMORY;
}

static void build_free(struct build *b)
{
    for (uint32_t i = 0; b->made && i < b->n_weights; i++)
        rci_quant_weight_free(&b->made[i]);
    rci_release(b->activation);
    rci_release(b->weight);
    rci_release(b->made);
}

/* i32 biases are at scale s_x*s_w: a channel of nearly zero weights gets a coarser scale, so that
 * its bias fits. (30 bits: a sum of products must fit beside it.) */
static void raise_for_bias(float *least, const struct rc_graph *g, const struct rci_node *n,
                           float x_scale)
{
    const struct rci_tensor *bias = n->n_in > 2 ? rci_const_in(g, n, 2) : NULL;
    if (!bias || bias->dtype != RC_F32 || !(x_scale > 0))
        return;
    const float *b = bias->data;
    for (int64_t o = 0, count = rci_shape_count(&bias->shape); o < count; o++)
        least[o] = fmaxf(least[o], fabsf(b[o]) / (1073741824.0f * x_scale));
}

static bool has_weight(const struct build *b, rci_id value)
{
    for (uint32_t i = 0; i < b->n_weights; i++)
        if (b->weight[i].value == value)
            return true;
    return false;
}

/* 7 bits are safe in pairs however they are paired, and what has fewer is so anyway. */
void rci_quantizer_weight_options(struct rci_quant_weight_options *o, const struct rc_quantizer *q,
                                  rci_id node)
{
    const uint8_t bits = q->plan.layer[node].weight_bits;
    rci_quant_weight_range(bits, &o->low, &o->top);
    if (bits == 8 && q->flags & RC_QUANTIZE_REDUCE_RANGE) {
        o->top = 63;
        o->low = -63;
    }
    o->search = bits < 8 && !(q->flags & RC_QUANTIZE_QAT);
    o->per_tensor = q->flags & RC_QUANTIZE_PER_TENSOR;
    o->power_of_two = q->flags & RC_QUANTIZE_POWER_OF_TWO;
}

/* Integers that were chosen while the network ran (quant/reconstruct.h). */
static bool take_rounded(struct build *b, const struct rc_quantizer *q, rci_id node)
{
    const struct rci_quant_weight *w = &q->rounded[node];
    if (!w->q.data)
        return false;
    b->weight[b->n_weights++] = (struct rci_qdq_weight){.value = b->g->nodes[node].in[1],
                                                        .q = w->q.data,
                                                        .scale = w->scale,
                                                        .n_scale = w->n_scale,
                                                        .axis = w->axis};
    return true;
}

/* x_scale: [n_nodes] of operand 0; 0: unknown */
static rc_status add_weight(struct build *b, rci_id value, const struct rc_quantizer *q,
                            const float *x_scale)
{
    struct rc_graph *g = b->g;
    const bool trainable = q->flags & RC_QUANTIZE_QAT, pairs = !(q->flags & RC_QUANTIZE_FULL_RANGE);
    const struct rci_tensor *w = &g->values[value].tensor;
    struct rci_quant_weight_options o = {0};
    struct rci_quant_blocks blocks;
    float *least = NULL;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (n->n_in < 2 || n->in[1] != value || !rci_quant_takes(&q->plan, g, i))
            continue;
        o.axis = rci_weight_axis(g, n);
        if (!o.top)
            rci_quantizer_weight_options(&o, q, i);
        if (q->kept && q->kept[i].n) {
            o.keep = q->kept[i].scale;
            o.clip = true;
            o.per_tensor = q->kept[i].n == 1;
        }
        if (pairs && !o.pairs && rci_quant_blocks_at(&blocks, g, i)) {
            o.pairs = &blocks; /* the first reader's, if there are several */
            o.moments = q->moments[i];
        }
        if (!least)
            least = rci_alloc_array(g->ctx, (size_t) w->shape.dim[o.axis], sizeof(float));
        if (!least)
            return RC_ERR_MEMORY;
        raise_for_bias(least, g, n, x_scale[i]);
    }
    o.least = least;
    struct rci_quant_weight *made = &b->made[b->n_weights];
    const rc_status st = rci_quant_weight_make(made, g->ctx, w, &o);
    rci_release(least);
    if (st != RC_OK)
        return rci_fail_prefix(st, "weight \"%s\"", g->values[value].name);
    b->weight[b->n_weights++] = (struct rci_qdq_weight){.value = value,
                                                        .q = trainable ? NULL : made->q.data,
                                                        .scale = made->scale,
                                                        .n_scale = made->n_scale,
                                                        .axis = o.axis};
    return RC_OK;
}

static rc_status add_weights_qdq(struct build *b, const struct rc_quantizer *q,
                                 const float *x_scale)
{
    for (rci_id i = 0; i < b->g->n_nodes; i++) {
        const rci_id *in = b->g->nodes[i].in;
        if (rci_quant_takes(&q->plan, b->g, i) && !has_weight(b, in[1]) && !take_rounded(b, q, i))
            RC_TRY(add_weight(b, in[1], q, x_scale));
    }
    return RC_OK;
}

/* A node's own bias constant, whoever else reads the old one. */
rc_status rci_quantizer_set_bias(struct rc_graph *g, rci_id node, const float *bias)
{
    struct rci_node *n = &g->nodes[node];
    const struct rci_tensor *w = rci_const_in(g, n, 1);
    const int64_t channels = w->shape.dim[rci_weight_axis(g, n)];
    const struct rci_tensor t = {RC_F32, RC_SHAPE(channels), (void *) (uintptr_t) bias};
    const bool had = n->n_in > 2 && n->in[2] != RC_NONE;
    char *name = had ? rci_graph_fresh_name(g, g->values[n->in[2]].name) : NULL;
    char *hint = had ? NULL : rci_format(g->ctx, "%s_bias", n->name);
    if (hint)
        name = rci_graph_fresh_name(g, hint);
    rci_release(hint);
    rci_id value = RC_NONE;
    rc_status st = name ? rci_graph_add_const(g, &value, name, &t) : RC_ERR_MEMORY;
    rci_release(name);
    if (st == RC_OK && n->n_in < 3)
        st = rci_graph_append_input(g, node, value);
    else if (st == RC_OK)
        n->in[2] = value;
    return st;
}

/* Layers that are not as all others. */
static void put_layer(struct rci_json_writer *w, const struct rc_quantizer *q, rci_id node)
{
    const struct rci_quant_layer *l = &q->plan.layer[node];
    const bool same = l->weight_bits == q->weight_bits && l->activation_bits == q->activation_bits;
    if (!rci_quant_is_weighted(q->g, &q->g->nodes[node]) || (same && !l->skip))
        return;
    rci_json_begin_object(w, q->g->nodes[node].name);
    if (l->skip) {
        rci_json_put_bool(w, "skip", true);
    } else {
        rci_json_put_integer(w, "weights", l->weight_bits);
        rci_json_put_integer(w, "acts", l->activation_bits);
    }
    rci_json_end_object(w);
}

rc_status rci_quantizer_put_metadata(struct rc_graph *g, const struct rc_quantizer *q)
{
    struct rci_buffer b = {.ctx = g->ctx};
    struct rci_json_writer w = rci_json_writer_make(&b, true);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "observer", q->seen ? q->observer_spec : "table");
    rci_json_put_text(&w, "rounding", q->seen ? q->rounding_spec : "nearest");
    rci_json_put_integer(&w, "images", (int64_t) q->seen);
    rci_json_put_integer(&w, "weight_bits", (int64_t) q->weight_bits);
    rci_json_put_integer(&w, "activation_bits", (int64_t) q->activation_bits);
    rci_json_begin_object(&w, "layers");
    for (rci_id i = 0; i < q->g->n_nodes; i++)
        put_layer(&w, q, i);
    rci_json_end_object(&w);
    rci_json_put_bool(&w, "per_channel", !(q->flags & RC_QUANTIZE_PER_TENSOR));
    rci_json_put_bool(&w, "reduce_range", (q->flags & RC_QUANTIZE_REDUCE_RANGE) != 0);
    rci_json_put_bool(&w, "safe_pairs", !(q->flags & RC_QUANTIZE_FULL_RANGE));
    if (q->flags & RC_QUANTIZE_FLOAT_BIAS)
        rci_json_put_bool(&w, "float_bias", true);
    rci_json_put_bool(&w, "bias_correction", q->corrected);
    if (q->qat)
        rci_json_put_text(&w, "qat", q->qat_spec);
    rci_json_put_bool(&w, "trainable", q->qat || q->flags & RC_QUANTIZE_QAT);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    if (st == RC_OK)
        st = rci_buffer_append(&b, "", 1);
    if (st == RC_OK)
        st = rci_graph_set_metadata(g, "rescomp.quantization", (const char *) b.data);
    rci_buffer_free(&b);
    return st;
}

static rc_status build_insert(struct build *b, bool float_bias)
{
    const struct rci_qdq_table table = {.activation = b->activation,
                                        .n_activations = b->n_activations,
                                        .weight = b->weight,
                                        .n_weights = b->n_weights,
                                        .float_bias = float_bias};
    return rci_insert_qdq(b->g, &table);
}

static struct rci_qdq_activation activation_of(const struct rci_quant_plan *p, rci_id v)
{
    const struct rci_quant_value *q = &p->value[v];
    struct rci_qdq_activation a = {.value = v, .type = q->type, .scale = q->scale};
    if (q->bits < 8)
        rci_quant_range(q, &a.low, &a.high);
    return a;
}

static void add_activations(struct build *b, const struct rc_quantizer *q)
{
    for (rci_id v = 0; v < q->plan.n; v++)
        if (q->plan.value[v].quantized && !q->plan.value[v].absent)
            b->activation[b->n_activations++] = activation_of(&q->plan, v);
}

rc_status rci_quantizer_simulate(struct rc_graph **out, const struct rc_quantizer *q)
{
    struct build b = {0};
    *out = NULL;
    RC_TRY(rci_graph_clone(&b.g, q->g));
    rc_status st = build_alloc(&b);
    if (st == RC_OK) {
        add_activations(&b, q);
        st = build_insert(&b, true);
    }
    build_free(&b);
    if (st == RC_OK)
        *out = b.g;
    else
        rci_graph_free(b.g);
    return st;
}

static rc_status build_fill(struct build *b, const struct rc_quantizer *q, float *x_scale)
{
    add_activations(b, q);
    for (rci_id i = 0; i < q->g->n_nodes; i++) {
        if (rci_quant_takes(&q->plan, b->g, i))
            x_scale[i] = q->plan.value[b->g->nodes[i].in[0]].scale;
        if (q->bias[i])
            RC_TRY(rci_quantizer_set_bias(b->g, i, q->bias[i]));
    }
    RC_TRY(add_weights_qdq(b, q, x_scale));
    RC_TRY(build_insert(b, q->flags & (RC_QUANTIZE_QAT | RC_QUANTIZE_FLOAT_BIAS)));
    return rci_quantizer_put_metadata(b->g, q);
}

rc_status rci_quantizer_apply(struct rc_graph **out, const struct rc_quantizer *q)
{
    *out = NULL;
    if (!q->ready)
        return rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    struct build b = {0};
    RC_TRY(rci_graph_clone(&b.g, q->g));
    float *x_scale = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(float));
    rc_status st = x_scale ? build_alloc(&b) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = build_fill(&b, q, x_scale);
    rci_release(x_scale);
    build_free(&b);
    if (st == RC_OK)
        *out = b.g;
    else
        rci_graph_free(b.g);
    return st;
}
