/* Empirical bias correction. With T[i,p,q] the mean over calibration images and output positions of
 * what tap (p,q) sees of input channel i, a layer's mean output is sum W*T + b; so
 *     b' = b + sum W*T(x) - sum W_int*T(Q(x))
 * takes away the mean error that the layer's own rounding of weights and input makes. T comes from
 * a mean image per layer input, all in one pass over the float graph: errors of earlier layers are
 * corrected where they arise. Kept only when it brings the outputs closer to the float ones. */
#include "kernel/onednn/conv.h"
#include "op/layers.h"
#include "pass/insert_qdq.h"
#include "quant/walk.h"

#include <math.h>
#include <string.h>

struct layer {
    rci_id node;
    struct rci_shape x;                  /* of operand 0 at batch 1 */
    uint32_t axis;                       /* of the output channels in the weight */
    const struct rci_quant_value *value; /* scale and type of operand 0 */
    double *mean[2];                     /* mean image: as it is, quantized */
};

struct correct {
    struct rc_quantizer *q;
    const struct rc_dataset *d;
    struct layer *layer;
    uint32_t n;
    float *outputs; /* of the float graph, all images of output 0 */
    size_t per_image;
};

static struct rci_shape one_image(const struct rci_shape *s)
{
    struct rci_shape one = *s;
    one.dim[0] = 1;
    return one;
}

static rc_status correct_find_layers(struct correct *c)
{
    const struct rc_graph *g = c->q->g;
    c->layer = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*c->layer));
    if (!c->layer)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (!rci_quant_takes(&c->q->plan, g, i) || g->values[n->in[0]].tensor.shape.rank % 2)
            continue;
        struct rci_weighted product;
        n->op->as_weighted(g, n, &product);
        if (!product.plain || product.bias_factor != 1 || n->op->max_in < 3)
            continue; /* MatMul has no bias */
        struct layer *l = &c->layer[c->n++];
        *l = (struct layer){.node = i, .x = one_image(&g->values[n->in[0]].tensor.shape)};
        l->axis = product.axis;
        l->value = &c->q->plan.value[n->in[0]];
        for (int k = 0; k < 2; k++) {
            l->mean[k] = rci_alloc_array(g->ctx, (size_t) rci_shape_count(&l->x), sizeof(double));
            if (!l->mean[k])
                return RC_ERR_MEMORY;
        }
    }
    return RC_OK;
}

static void correct_free(struct correct *c)
{
    for (uint32_t i = 0; c->layer && i < c->n; i++) {
        rci_release(c->layer[i].mean[0]);
        rci_release(c->layer[i].mean[1]);
    }
    rci_release(c->layer);
    rci_release(c->outputs);
}

/* Sums over the batch; one thread per range of elements, images in order. */
static void add_images(struct layer *l, const float *x, uint32_t n)
{
    const int64_t elements = rci_shape_count(&l->x);
    int32_t low, high;
    rci_quant_range(l->value, &low, &high);
    const float scale = l->value->scale, lo = (float) low, hi = (float) high;
    double *real = l->mean[0], *integer = l->mean[1];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < elements; i++)
        for (uint32_t b = 0; b < n; b++) {
            const float v = x[b * elements + i];
            real[i] += (double) v;
            integer[i] += (double) (scale * fmaxf(lo, fminf(hi, rintf(v / scale))));
        }
}

/* One pass over the float graph: mean images of all layers, and the outputs. */
static rc_status take_means(struct correct *c)
{
    const struct rc_graph *g = c->q->g;
    struct rci_quant_walk w;
    rci_id *observe = rci_alloc_array(g->ctx, c->n, sizeof(rci_id));
    if (!observe)
        return RC_ERR_MEMORY;
    uint32_t seen = 0; /* a layer that reads the graph's input sees the batch itself */
    for (uint32_t i = 0; i < c->n; i++)
        if (!(g->values[g->nodes[c->layer[i].node].in[0]].flags & RC_VALUE_INPUT))
            observe[seen++] = g->nodes[c->layer[i].node].in[0];
    rc_status st = rci_quant_walk_start(&w, c->q, c->d, g, observe, seen);
    rci_release(observe);
    RC_TRY(st);
    uint64_t done = 0;
    uint32_t n;
    while ((st = rci_quant_walk_next(&w, &n)) == RC_OK && n) {
        float *const *x = w.out + (w.n_out - seen);
        for (uint32_t i = 0; i < c->n; i++) {
            const rci_id v = g->nodes[c->layer[i].node].in[0];
            add_images(&c->layer[i], g->values[v].flags & RC_VALUE_INPUT ? w.feed.x : *x++, n);
        }
        memcpy(c->outputs + done * c->per_image, w.out[0], n * c->per_image * sizeof(float));
        done += n;
    }
    rci_quant_walk_end(&w);
    for (uint32_t i = 0; i < 2 * c->n && done; i++)
        for (int64_t k = 0, count = rci_shape_count(&c->layer[i / 2].x); k < count; k++)
            c->layer[i / 2].mean[i % 2][k] /= (double) done;
    return st;
}

/* Squared distance of the quantized graph's outputs to the float ones. */
static rc_status measure_shift(struct correct *c, const struct rc_graph *quantized, double *error)
{
    struct rci_quant_walk w;
    uint64_t done = 0;
    uint32_t n;
    *error = 0;
    rc_status st = RC_OK;
    RC_TRY(rci_quant_walk_start(&w, c->q, c->d, quantized, NULL, 0));
    while ((st = rci_quant_walk_next(&w, &n)) == RC_OK && n) {
        const float *known = c->outputs + done * c->per_image;
        for (size_t i = 0; i < n * c->per_image; i++) {
            const double d = (double) known[i] - (double) w.out[0][i];
            *error += d * d;
        }
        done += n;
    }
    rci_quant_walk_end(&w);
    return st;
}

/* Mean over output positions of what a tap sees of one channel's mean image. */
static double tap_mean(const struct rci_conv_geometry *g, const double *plane, int64_t p, int64_t q)
{
    double sum = 0;
    for (int64_t v = 0; v < g->out[0]; v++) {
        const int64_t row = v * g->stride[0] + p * g->dilation[0] - g->pad_begin[0];
        if (row < 0 || row >= g->in[0])
            continue;
        for (int64_t u = 0; u < g->out[1]; u++) {
            const int64_t col = u * g->stride[1] + q * g->dilation[1] - g->pad_begin[1];
            if (col >= 0 && col < g->in[1])
                sum += plane[row * g->in[1] + col];
        }
    }
    return sum / (double) (g->out[0] * g->out[1]);
}

/* out[o] += sign * sum W[o] * T for a convolution. */
static rc_status add_conv(double *out, double sign, const struct rc_graph *g, const struct layer *l,
                          const struct rci_tensor *w, const double *mean)
{
    struct rci_conv_geometry m;
    rci_conv_geometry_of(&m, &g->nodes[l->node], &l->x, &w->shape);
    const int64_t taps = m.kernel[0] * m.kernel[1], area = m.in[0] * m.in[1];
    double *t = rci_alloc_array(g->ctx, (size_t) (m.in_channels * taps), sizeof(double));
    if (!t)
        return RC_ERR_MEMORY;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m.in_channels; i++)
        for (int64_t k = 0; k < taps; k++)
            t[i * taps + k] = tap_mean(&m, mean + i * area, k / m.kernel[1], k % m.kernel[1]);
    const int64_t in = m.in_channels / m.groups, per = m.out_channels / m.groups;
    const float *x = w->data;
    for (int64_t o = 0; o < m.out_channels; o++)
        for (int64_t k = 0; k < in * taps; k++)
            out[o] += sign * (double) x[o * in * taps + k] * t[o / per * in * taps + k];
    rci_release(t);
    return RC_OK;
}

static rc_status add_row_product(double *out, double sign, const struct rc_graph *g,
                                 const struct layer *l, const struct rci_tensor *w,
                                 const double *mean)
{
    if (w->shape.rank == 4)
        return add_conv(out, sign, g, l, w, mean);
    const int64_t outs = w->shape.dim[l->axis], ins = w->shape.dim[1 - l->axis];
    const float *x = w->data;
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++)
            out[o] += sign * (double) x[l->axis == 0 ? o * ins + i : i * outs + o] * mean[i];
    return RC_OK;
}

/* The weight of node `id` in the quantized graph as reals. */
static rc_status real_weight(struct rci_tensor *out, const struct rc_graph *g, rci_id id)
{
    const struct rci_node *dq = &g->nodes[g->values[g->nodes[id].in[1]].producer];
    const struct rci_tensor in[3] = {g->values[dq->in[0]].tensor, g->values[dq->in[1]].tensor,
                                     g->values[dq->in[2]].tensor};
    RC_TRY(rci_tensor_new(out, g->ctx, RC_F32, &in[0].shape));
    const struct rci_call call = {.node = dq, .ctx = g->ctx, .in = in, .out = out};
    return dq->op->forward(&call);
}

static rc_status correct_layer(struct correct *c, const struct rc_graph *quantized,
                               const struct layer *l)
{
    const struct rc_graph *g = c->q->g;
    const struct rci_node *n = &g->nodes[l->node];
    const struct rci_tensor *w = rci_const_in(g, n, 1),
                            *b = n->n_in > 2 ? rci_const_in(g, n, 2) : NULL;
    const int64_t channels = w->shape.dim[l->axis];
    if (n->n_in > 2 && (!b || b->shape.rank != 1 || b->shape.dim[0] != channels))
        return RC_OK;
    struct rci_tensor integer = {0};
    double *bias = rci_alloc_array(g->ctx, (size_t) channels, sizeof(double));
    float *to = rci_alloc_array(g->ctx, (size_t) channels, sizeof(float));
    rc_status st = bias && to ? RC_OK : RC_ERR_MEMORY;
    for (int64_t o = 0; st == RC_OK && b && o < channels; o++)
        bias[o] = (double) ((const float *) b->data)[o];
    if (st == RC_OK)
        st = real_weight(&integer, quantized, l->node);
    if (st == RC_OK)
        st = add_row_product(bias, 1, g, l, w, l->mean[0]);
    if (st == RC_OK)
        st = add_row_product(bias, -1, g, l, &integer, l->mean[1]);
    if (st == RC_OK) {
        for (int64_t o = 0; o < channels; o++)
            to[o] = (float) bias[o];
        rci_release(c->q->bias[l->node]);
        c->q->bias[l->node] = to;
        to = NULL;
    }
    rci_tensor_free(&integer);
    rci_release(bias);
    rci_release(to);
    return st;
}

static rc_status outputs_alloc(struct correct *c)
{
    const struct rc_graph *g = c->q->g;
    const struct rci_tensor *t = &g->values[g->outputs[0]].tensor;
    c->per_image = (size_t) (rci_shape_count(&t->shape) / g->batch);
    const uint64_t have = rci_dataset_images(c->d),
                   images = have < c->q->images ? have : c->q->images;
    c->outputs = rci_alloc_array(g->ctx, (size_t) images * c->per_image, sizeof(float));
    return c->outputs ? RC_OK : RC_ERR_MEMORY;
}

static rc_status correct_run(struct correct *c)
{
    struct rc_graph *g;
    double before, after = INFINITY;
    RC_TRY(correct_find_layers(c));
    if (c->n == 0)
        return RC_OK;
    RC_TRY(outputs_alloc(c));
    RC_TRY(take_means(c));
    RC_TRY(rci_quantizer_apply(&g, c->q));
    rc_status st = measure_shift(c, g, &before);
    for (uint32_t i = 0; i < c->n && st == RC_OK; i++)
        st = correct_layer(c, g, &c->layer[i]);
    rci_graph_free(g);
    RC_TRY(st);
    RC_TRY(rci_quantizer_apply(&g, c->q));
    st = measure_shift(c, g, &after);
    rci_graph_free(g);
    RC_TRY(st);
    c->q->corrected = after < before;
    if (!c->q->corrected)
        rci_quantizer_forget_biases(c->q);
    rci_log(c->q->ctx, RC_LOG_INFO, "bias correction %s: squared output error %.4g, was %.4g",
            c->q->corrected ? "kept" : "dropped", after, before);
    return RC_OK;
}

rc_status rci_quantizer_correct(struct rc_quantizer *q, const struct rc_dataset *d)
{
    struct correct c = {.q = q, .d = d};
    const rc_status st = correct_run(&c);
    correct_free(&c);
    if (st != RC_OK)
        rci_quantizer_forget_biases(q);
    return st;
}
