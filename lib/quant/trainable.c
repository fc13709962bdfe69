/* The trainable form: a copy of the folded graph in which FakeQuant nodes stand for integers, and a
 * BatchNormalization behind every convolution that at first changes nothing:
 *   scale = deviation of the convolution's results in the float network, shift = their mean + bias.
 * Steps start as calibration and rounding found them, and so do weights: the real ones, moved into
 * the cell of the integer that rounding chose. */
#include "quant/trainable.h"
#include "op/layers.h"
#include "pass/insert_qdq.h"
#include "quant/build.h"

#include <math.h>
#include <string.h>

struct make {
    const struct rc_quantizer *q;
    struct rc_graph *g;
    uint32_t n_nodes;  /* of q->g */
    rci_id *behind;    /* [values] what a value has become so far */
    rci_id *numbers;   /* [values] of the class, RC_NONE: none yet */
    rci_id *converted; /* [values] weights, RC_NONE: not yet */
};

static rc_status add_named(struct make *m, rci_id *out, const char *base, const char *what,
                           const struct rci_tensor *t)
{
    char *hint = rci_format(m->g->ctx, "%s_%s", base, what);
    char *name = hint ? rci_graph_fresh_name(m->g, hint) : NULL;
    const rc_status st = !name ? RC_ERR_MEMORY
                         : t   ? rci_graph_add_const(m->g, out, name, t)
                               : rci_graph_add_value(m->g, out, name);
    rci_release(hint);
    rci_release(name);
    return st;
}

static rc_status add_node(struct make *m, rci_id *out, const struct rci_op *op, const char *what,
                          const void *attrs, const rci_id *in, uint32_t n_in)
{
    rci_id node;
    const char *base = m->g->values[in[0]].name;
    char *hint = rci_format(m->g->ctx, "%s_%s", base, op->name);
    char *name = hint ? rci_graph_fresh_name(m->g, hint) : NULL;
    rc_status st = name ? add_named(m, out, base, what, NULL) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_graph_add_node(m->g, &node, op, name, attrs, in, n_in, out, 1);
    rci_release(hint);
    rci_release(name);
    return st;
}

/* Original nodes read `to` in place of `from`. */
static void redirect(struct make *m, rci_id from, rci_id to)
{
    for (rci_id i = 0; i < m->n_nodes; i++)
        for (uint32_t k = 0; m->g->nodes[i].op && k < m->g->nodes[i].n_in; k++)
            if (m->g->nodes[i].in[k] == from)
                m->g->nodes[i].in[k] = to;
}

/* One rank-1 constant, so that no weight decay applies. */
static rc_status add_numbers(struct make *m, rci_id *out, const char *base, const float *p,
                             int64_t n, bool learned)
{
    const struct rci_tensor t = {RC_F32, RC_SHAPE(n), (void *) (uintptr_t) p};
    RC_TRY(add_named(m, out, base, "steps", &t));
    if (!learned)
        m->g->values[*out].flags |= RC_VALUE_FROZEN;
    return RC_OK;
}

static bool is_learned(const struct rci_fake_quant_rule *r)
{
    return !r->derive && !r->follow;
}

static rc_status add_fake(struct make *m, rci_id *out, const struct rci_fake_quant_attrs *a,
                          rci_id x, rci_id numbers)
{
    const rci_id in[2] = {x, numbers};
    return add_node(m, out, &rci_op_fakequant, "simulated", a, in, 2);
}

/* Only layers with weights read it, and it has both signs. */
static bool is_shifted(const struct make *m, rci_id v)
{
    const struct rc_graph *g = m->q->g;
    const struct rci_quant_value *value = &m->q->plan.value[v];
    if (!m->q->qat->shifted || value->type != RC_S8 || !value->observed || value->root != v ||
        g->values[v].flags & RC_VALUE_INPUT || !(value->low < value->high))
        return false;
    for (rci_id i = 0; i < m->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == v && !(k == 0 && rci_quant_takes(&m->q->plan, g, i)))
                return false;
    return true;
}

static rc_status add_activation(struct make *m, rci_id v)
{
    const struct rci_quant_plan *plan = &m->q->plan;
    const struct rci_quant_value *value = &plan->value[v];
    struct rci_fake_quant_attrs a = {.rule = m->q->qat->activations, .batched = 1};
    float p[RC_FAKE_QUANT_NUMBERS], scale = value->scale;
    int32_t low, high, zero = 0;
    rci_id root = v, out;
    while (plan->value[root].root != root)
        root = plan->value[root].root;
    rci_quant_range(value, &low, &high);
    if (is_shifted(m, v)) {
        a.rule = m->q->qat->shifted;
        high -= low;
        low = 0;
        scale = (float) ((fmax(value->high, 0) - fmin(value->low, 0)) / high);
        zero = (int32_t) lrint(-fmin(value->low, 0) / (double) scale);
    }
    a.low = (float) low;
    a.high = (float) high;
    a.rule->start(&a, scale, zero, p);
    if (m->numbers[root] == RC_NONE)
        RC_TRY(add_numbers(m, &m->numbers[root], m->g->values[v].name, p, a.rule->n,
                           is_learned(a.rule) && !(m->g->values[v].flags & RC_VALUE_INPUT)));
    RC_TRY(add_fake(m, &out, &a, m->behind[v], m->numbers[root]));
    redirect(m, m->behind[v], out);
    m->behind[v] = out;
    return RC_OK;
}

/* y = (conv - mean) / deviation * deviation + mean + bias, at first. */
static rc_status add_norm(struct make *m, rci_id node)
{
    struct rc_graph *g = m->g;
    const float *statistics = m->q->statistics[node];
    const rci_id v = g->nodes[node].out[0];
    const struct rci_tensor *b =
        g->nodes[node].n_in > 2 ? rci_const_in(g, &g->nodes[node], 2) : NULL;
    const int64_t channels = g->values[v].tensor.shape.dim[1];
    const struct rci_norm_attrs attrs = RC_NORM_ATTRS_INIT;
    const float *own = m->q->norm == RC_NORM_FROZEN ? m->q->bias[node] : NULL;
    const float *bias = own ? own : b ? b->data : NULL;
    static const char *const names[] = {"scale", "shift", "mean", "variance"};
    rci_id in[5] = {v}, out;
    float *t = rci_alloc_array(g->ctx, 4 * (size_t) channels, sizeof(float));
    if (!t)
        return RC_ERR_MEMORY;
    /* statistics are of results with the bias */
    for (int64_t c = 0; c < channels; c++) {
        const float with = b ? ((const float *) b->data)[c] : 0;
        t[c] = sqrtf(statistics[channels + c] + attrs.epsilon);
        t[2 * channels + c] = statistics[c] - with;
        t[channels + c] = t[2 * channels + c] + (bias ? bias[c] : 0);
        t[3 * channels + c] = statistics[channels + c];
    }
    rc_status st = RC_OK;
    for (uint32_t k = 0; k < 4 && st == RC_OK; k++) {
        const struct rci_tensor x = {RC_F32, RC_SHAPE(channels), t + k * channels};
        st = add_named(m, &in[1 + k], g->values[v].name, names[k], &x);
    }
    rci_release(t);
    RC_TRY(st);
    if (g->nodes[node].n_in > 2)
        rci_graph_drop_input(g, node, 2);
    RC_TRY(add_node(m, &out, rci_op_find(NULL, "BatchNormalization"), "normed", &attrs, in, 5));
    redirect(m, v, out);
    m->behind[v] = out;
    return RC_OK;
}

/* Steps of the node's weights before training: [channels], or one. */
static rc_status weight_scales(struct make *m, rci_id node, struct rci_quant_weight *out)
{
    struct rci_quant_weight_options o = {.axis = rci_weight_axis(m->q->g, &m->q->g->nodes[node])};
    rci_quantizer_weight_options(&o, m->q, node);
    if (m->q->kept && m->q->kept[node].n) {
        o.keep = m->q->kept[node].scale;
        o.clip = true;
        o.per_tensor = m->q->kept[node].n == 1;
    }
    return rci_quant_weight_make(out, m->g->ctx, rci_const_in(m->q->g, &m->q->g->nodes[node], 1),
                                 &o);
}

/* Weights of index i belong to channel (i / inner) % channels. */
static int64_t inner_of(const struct rci_tensor *w, uint32_t axis)
{
    int64_t inner = 1;
    for (uint32_t k = axis + 1; k < w->shape.rank; k++)
        inner *= w->shape.dim[k];
    return inner;
}

/* Into the cells of the integers that rounding chose. */
static void move_into_cells(const struct rci_tensor *w, const struct rci_quant_weight *r)
{
    const int64_t inner = inner_of(w, r->axis), channels = w->shape.dim[r->axis];
    const int8_t *q = r->q.data;
    float *x = w->data;
    for (int64_t i = 0, n = rci_shape_count(&w->shape); i < n; i++) {
        const float s = r->scale[r->n_scale > 1 ? i / inner % channels : 0];
        x[i] = fmaxf((float) q[i] * s - 0.49f * s, fminf((float) q[i] * s + 0.49f * s, x[i]));
    }
}

/* Widths that the method has of its own. */
static void set_widths(const struct make *m, const struct rci_tensor *w,
                       struct rci_quant_weight *made, uint32_t bits)
{
    const int64_t inner = inner_of(w, made->axis), count = rci_shape_count(&w->shape);
    const int64_t channels = made->n_scale > 1 ? w->shape.dim[made->axis] : 1;
    const float *x = w->data;
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, square = 0, n = 0;
        for (int64_t i = 0; i < count; i++) {
            if (channels > 1 && i / inner % channels != c)
                continue;
            sum += (double) x[i];
            square += (double) x[i] * (double) x[i];
            n++;
        }
        const double mean = sum / n,
                     width = m->q->qat->width(mean, sqrt(fmax(square / n - mean * mean, 0)), bits);
        if (width > 0)
            made->scale[c] = (float) width;
    }
}

static void weight_attrs(const struct make *m, rci_id node, const struct rci_quant_weight *made,
                         struct rci_fake_quant_attrs *a)
{
    const struct rci_quant_layer *layer = &m->q->plan.layer[node];
    struct rci_quant_weight_options o = {0};
    rci_quantizer_weight_options(&o, m->q, node);
    *a = (struct rci_fake_quant_attrs){.rule = m->q->qat->weights,
                                       .low = (float) o.low,
                                       .high = (float) o.top,
                                       .axis = (int32_t) made->axis,
                                       .channels = made->n_scale > 1 ? (int32_t) made->n_scale : 0};
    if (m->q->qat->halves && layer->weight_bits < 8) {
        a->high = (float) ((1 << layer->weight_bits) - 1);
        a->low = -a->high;
        a->odd = 1;
    }
}

static rc_status convert_weight(struct make *m, rci_id node)
{
    const struct rc_quantizer *q = m->q;
    const rci_id v = m->g->nodes[node].in[1];
    const struct rci_tensor *w = &m->g->values[v].tensor;
    const struct rci_quant_weight *rounded = &q->rounded[node];
    struct rci_quant_weight made = {0};
    struct rci_fake_quant_attrs a;
    rci_id numbers;
    RC_TRY(weight_scales(m, node, &made));
    if (rounded->q.data) {
        memcpy(made.scale, rounded->scale, (size_t) rounded->n_scale * sizeof(float));
        move_into_cells(w, rounded);
    }
    weight_attrs(m, node, &made, &a);
    if (q->qat->width && !rounded->q.data && q->plan.layer[node].weight_bits < 8)
        set_widths(m, w, &made, q->plan.layer[node].weight_bits);
    float *p = rci_alloc_array(m->g->ctx, (size_t) (made.n_scale * a.rule->n), sizeof(float));
    rc_status st = p ? RC_OK : RC_ERR_MEMORY;
    for (int64_t c = 0; p && c < made.n_scale; c++) {
        float one[RC_FAKE_QUANT_NUMBERS];
        a.rule->start(&a, made.scale[c], 0, one);
        for (uint32_t k = 0; k < a.rule->n; k++)
            p[k * made.n_scale + c] = one[k];
    }
    if (st == RC_OK)
        st = add_numbers(m, &numbers, m->g->values[v].name, p, made.n_scale * a.rule->n,
                         is_learned(a.rule));
    if (st == RC_OK)
        st = add_fake(m, &m->converted[v], &a, v, numbers);
    rci_release(p);
    rci_quant_weight_free(&made);
    return st;
}

static rc_status make_weights(struct make *m)
{
    for (rci_id i = 0; i < m->n_nodes; i++) {
        if (!rci_quant_takes(&m->q->plan, m->q->g, i))
            continue;
        const rci_id v = m->q->g->nodes[i].in[1];
        if (m->converted[v] == RC_NONE)
            RC_TRY(convert_weight(m, i));
        m->g->nodes[i].in[1] = m->converted[v];
    }
    return RC_OK;
}

static rc_status make_norms(struct make *m)
{
    for (rci_id i = 0; i < m->n_nodes; i++) {
        if (m->q->norm != RC_NORM_FOLDED && rci_quantizer_norms(m->q, i)) {
            if (!m->q->statistics[i])
                return rci_fail(RC_ERR_STATE, "batch normalization in training is taken from "
                                              "calibration images, a table alone goes with norm "
                                              "\"folded\"");
            RC_TRY(add_norm(m, i));
        } else if (m->q->bias[i] && m->q->norm != RC_NORM_BATCH) {
            RC_TRY(rci_quantizer_set_bias(m->g, i, m->q->bias[i]));
        }
    }
    return RC_OK;
}

static rc_status make_run(struct make *m)
{
    const struct rc_graph *g = m->q->g;
    m->n_nodes = g->n_nodes;
    m->behind = rci_alloc_array(g->ctx, g->n_values, sizeof(rci_id));
    m->numbers = rci_alloc_array(g->ctx, g->n_values, sizeof(rci_id));
    m->converted = rci_alloc_array(g->ctx, g->n_values, sizeof(rci_id));
    if (!m->behind || !m->numbers || !m->converted)
        return RC_ERR_MEMORY;
    for (rci_id v = 0; v < g->n_values; v++) {
        m->behind[v] = v;
        m->numbers[v] = m->converted[v] = RC_NONE;
    }
    RC_TRY(make_norms(m));
    for (rci_id v = 0; v < m->q->plan.n; v++)
        if (m->q->plan.value[v].quantized && !m->q->plan.value[v].absent)
            RC_TRY(add_activation(m, v));
    RC_TRY(make_weights(m));
    RC_TRY(rci_graph_infer(m->g));
    RC_TRY(rci_graph_verify(m->g));
    return rci_quantizer_put_metadata(m->g, m->q);
}

rc_status rci_quantizer_make_trainable(struct rc_graph **out, const struct rc_quantizer *q)
{
    struct make m = {.q = q};
    *out = NULL;
    if (!q->ready)
        return rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    RC_TRY(rci_graph_clone(&m.g, q->g));
    const rc_status st = make_run(&m);
    rci_release(m.behind);
    rci_release(m.numbers);
    rci_release(m.converted);
    if (st == RC_OK)
        *out = m.g;
    else
        rci_graph_free(m.g);
    return st;
}
