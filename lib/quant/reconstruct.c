/* Of every layer x -> W x + b that is a matrix per position: the moments of what it reads in the
 * network as quantized so far and of what it should give, the result in the float network less what
 * the shortcut behind it has drifted; from these the weights' integers (quant/rounding.h), and
 *     b = mean(target) - sum scale q mean(x).
 * The network as quantized so far is the quantized graph itself with weights as floats; layers of
 * other forms, and those that share weights, keep their real weights in it. */
#include "quant/reconstruct.h"
#include "fit/collect.h"
#include "pass/insert_qdq.h"
#include "quant/build.h"
#include "quant/moments.h"
#include "quant/rounding.h"

#include <string.h>

enum { POSITIONS = 48 }; /* of an image, at most */

struct reconstruct {
    struct rc_quantizer *q;
    struct rc_graph *sim; /* what is quantized so far */
    struct rci_frontier before, after;
    rci_id *order, *sim_order; /* of both graphs */
    uint32_t n, n_sim;
};

static bool weights_are_shared(const struct rc_graph *g, rci_id weight)
{
    uint32_t readers = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            readers += g->nodes[i].in[k] == weight;
    return readers > 1;
}

/* The residual sum that alone reads the layer's results: its other operand in `sim`, and in g the
 * value to reproduce. */
static void follow_sum(const struct rc_graph *g, const struct rc_graph *sim, rci_id node,
                       struct rci_collect *c)
{
    c->target = g->nodes[node].out[0];
    c->other = RC_NONE;
    const rci_id add = rci_graph_single_reader(g, c->target);
    if (add == RC_NONE || !rci_quant_is_sum(g, &g->nodes[add]) || g->nodes[add].n_in != 2)
        return;
    const uint32_t k = g->nodes[add].in[0] == c->target;
    const rci_id other = g->nodes[add].in[k], sum = g->nodes[add].out[0];
    if (!rci_shape_equal(&g->values[other].tensor.shape, &g->values[sum].tensor.shape))
        return;
    c->target = sum;
    c->other = sim->nodes[add].in[k];
}

/* [o][d] of the layer's integers as the constant has them, and back. */
static void turn(const struct rci_linear *l, const int8_t *from, int8_t *to)
{
    for (size_t o = 0; o < l->o; o++)
        for (size_t i = 0; i < l->d; i++)
            to[l->axis ? i * l->o + o : o * l->d + i] = from[o * l->d + i];
}

static void set_real_weights(const struct rci_linear *l, struct rc_graph *sim,
                             const struct rci_quant_weight *w)
{
    float *to = sim->values[l->weight].tensor.data;
    const int8_t *q = w->q.data;
    for (size_t k = 0; k < l->o * l->d; k++) {
        const size_t o = l->axis ? k % l->o : k / l->d;
        to[k] = w->scale[w->n_scale > 1 ? o : 0] * (float) q[k];
    }
}

static rc_status set_shift(const struct reconstruct *r, const struct rci_linear *l,
                           const struct rci_moments *m)
{
    struct rc_quantizer *q = r->q;
    float *bias = rci_alloc_array(q->ctx, l->o, sizeof(float));
    double *w = rci_alloc_array(q->ctx, l->o * l->d, sizeof(double));
    rc_status st = bias && w ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK) {
        rci_linear_get(l, r->sim, w);
        for (size_t o = 0; o < l->o; o++) {
            double b = m->t[o];
            for (size_t i = 0; i < l->d; i++)
                b -= w[i * l->o + o] * m->x[i];
            bias[o] = (float) b;
        }
        st = rci_quantizer_set_bias(r->sim, l->node, bias);
    }
    rci_release(w);
    if (st != RC_OK) {
        rci_release(bias);
        return st;
    }
    rci_release(q->bias[l->node]);
    q->bias[l->node] = bias;
    return RC_OK;
}

/* w: [d][o] to come close to, also in `sim`. */
static rc_status round_layer(const struct reconstruct *r, const struct rci_linear *l,
                             const struct rci_moments *m, const double *w)
{
    struct rc_quantizer *q = r->q;
    struct rci_quant_weight *made = &q->rounded[l->node];
    struct rci_quant_weight_options o = {.axis = l->axis};
    struct rci_quant_blocks blocks;
    rci_quantizer_weight_options(&o, q, l->node);
    if (o.top == 127 && !(q->flags & RC_QUANTIZE_FULL_RANGE) &&
        rci_quant_blocks_at(&blocks, q->g, l->node))
        o.pairs = &blocks;
    RC_TRY(rci_quant_weight_make(made, q->ctx, &r->sim->values[l->weight].tensor, &o));
    float *scale = rci_alloc_array(q->ctx, l->o, sizeof(float));
    int8_t *integers = rci_alloc_array(q->ctx, l->o * l->d, 1);
    rc_status st = scale && integers ? RC_OK : RC_ERR_MEMORY;
    for (size_t k = 0; st == RC_OK && k < l->o; k++)
        scale[k] = made->scale[made->n_scale > 1 ? k : 0];
    const struct rci_rounding_job job = {.ctx = q->ctx,
                                         .d = l->d,
                                         .o = l->o,
                                         .w = w,
                                         .xx = m->xx,
                                         .scale = scale,
                                         .low = o.low,
                                         .top = o.top,
                                         .pairs = o.pairs,
                                         .q = integers};
    if (st == RC_OK)
        st = q->rounding->round(q->rounding_params, &job);
    if (st == RC_OK)
        turn(l, integers, made->q.data);
    rci_release(scale);
    rci_release(integers);
    return st;
}

static rc_status settle_layer(const struct reconstruct *r, const struct rci_linear *l,
                              const struct rci_moments *m)
{
    const struct rci_rounding *how = r->q->rounding;
    double *w = rci_alloc_array(r->q->ctx, l->o * l->d, sizeof(double));
    if (!w)
        return RC_ERR_MEMORY;
    rci_linear_get(l, r->q->g, w);
    rc_status st = RC_OK;
    /* fewer observations than unknowns say nothing about new images */
    if (how->ridge && m->n > l->d)
        st = rci_moments_solve(m, how->ridge(r->q->rounding_params), w);
    rci_linear_set(l, r->sim, w);
    if (st == RC_OK)
        st = round_layer(r, l, m, w);
    rci_release(w);
    RC_TRY(st);
    set_real_weights(l, r->sim, &r->q->rounded[l->node]);
    return set_shift(r, l, m);
}

static rc_status visit(struct reconstruct *r, rci_id node)
{
    const struct rc_graph *g = r->q->g;
    struct rci_linear l;
    struct rci_moments m;
    if (!rci_quant_takes(&r->q->plan, g, node) || !rci_linear_of(&l, g, node) ||
        l.d > RC_MOMENTS_MAX || weights_are_shared(g, l.weight))
        return RC_OK;
    struct rci_collect c = {.layer = &l,
                            .x = r->sim->nodes[node].in[0],
                            .target_channels = l.o,
                            .positions = POSITIONS,
                            .before = &r->before,
                            .after = &r->after};
    follow_sum(g, r->sim, node, &c);
    RC_TRY(rci_frontier_move(&r->before, r->order, r->n, node));
    RC_TRY(rci_frontier_move(&r->after, r->sim_order, r->n_sim, node));
    rc_status st = rci_collect_moments(&m, &c);
    if (st == RC_OK)
        st = settle_layer(r, &l, &m);
    rci_moments_free(&m);
    return st == RC_OK ? RC_OK : rci_fail_prefix(st, "layer \"%s\"", g->nodes[node].name);
}

static rc_status reconstruct_run(struct reconstruct *r, const struct rc_dataset *d)
{
    struct rc_quantizer *q = r->q;
    RC_TRY(rci_quantizer_simulate(&r->sim, q));
    RC_TRY(rci_graph_order(q->g, &r->order, &r->n));
    RC_TRY(rci_graph_order(r->sim, &r->sim_order, &r->n_sim));
    RC_TRY(rci_frontier_open(&r->before, q->g, d, q->images, q->batch ? q->batch : 64));
    RC_TRY(rci_frontier_open(&r->after, r->sim, d, q->images, q->batch ? q->batch : 64));
    for (int k = 0; k < 2; k++) {
        struct rci_feed_config *config = k ? &r->after.config : &r->before.config;
        config->shuffle = !(q->flags & RC_QUANTIZE_IN_ORDER);
        config->seed = q->ctx->o.seed;
    }
    for (uint32_t i = 0; i < r->n_sim; i++)
        if (r->sim_order[i] < q->g->n_nodes)
            RC_TRY(visit(r, r->sim_order[i]));
    return RC_OK;
}

rc_status rci_quantizer_reconstruct(struct rc_quantizer *q, const struct rc_dataset *d)
{
    struct reconstruct r = {.q = q};
    const rc_status st = reconstruct_run(&r, d);
    rci_frontier_close(&r.before);
    rci_frontier_close(&r.after);
    rci_release(r.order);
    rci_release(r.sim_order);
    rci_graph_free(r.sim);
    if (st == RC_OK)
        q->corrected = true;
    else
        rci_quantizer_forget_biases(q);
    if (st != RC_OK)
        rci_quantizer_forget_rounded(q);
    return st;
}

void rci_quantizer_forget_rounded(struct rc_quantizer *q)
{
    for (uint32_t i = 0; q->rounded && i < q->g->n_nodes; i++)
        rci_quant_weight_free(&q->rounded[i]);
}
