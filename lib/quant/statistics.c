/* Mean and variance of what every convolution gives in the float network, for the
 * BatchNormalization that the trainable form has behind it. */
#include "quant/trainable.h"
#include "quant/walk.h"

#include <math.h>

static bool weights_are_shared(const struct rc_graph *g, rci_id weight)
{
    return rci_graph_count_readers(g, weight) > 1;
}

bool rci_quantizer_norms(const struct rc_quantizer *q, rci_id node)
{
    const struct rc_graph *g = q->g;
    const struct rci_node *n = &g->nodes[node];
    struct rci_weighted w;
    if (!rci_quant_takes(&q->plan, g, node) || weights_are_shared(g, n->in[1]) ||
        g->values[n->out[0]].flags & RC_VALUE_OUTPUT)
        return false;
    n->op->as_weighted(g, n, &w);
    return w.window && (n->n_in < 3 || rci_const_in(g, n, 2));
}

/* Sums of one channel over a batch. */
static void add_results(const struct rci_shape *s, const float *y, uint32_t images, int64_t c,
                        double sum[2])
{
    const int64_t channels = s->dim[1], area = rci_shape_count(s) / (s->dim[0] * channels);
    for (uint32_t i = 0; i < images; i++) {
        const float *at = y + ((int64_t) i * channels + c) * area;
        for (int64_t k = 0; k < area; k++) {
            sum[0] += (double) at[k];
            sum[1] += (double) at[k] * (double) at[k];
        }
    }
}

struct results {
    struct rc_quantizer *q;
    rci_id *node, *value; /* [n] */
    double **sum;         /* [n] of [C][2] */
    uint32_t n;
    uint64_t images;
};

static rc_status list_results(struct results *r)
{
    const struct rc_graph *g = r->q->g;
    r->node = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*r->node));
    r->value = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*r->value));
    r->sum = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*r->sum));
    if (!r->node || !r->value || !r->sum)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        if (!rci_quantizer_norms(r->q, i))
            continue;
        const rci_id v = g->nodes[i].out[0];
        const size_t channels = (size_t) g->values[v].tensor.shape.dim[1];
        r->node[r->n] = i;
        r->value[r->n] = v;
        r->sum[r->n] = rci_alloc_array(g->ctx, 2 * channels, sizeof(double));
        if (!r->sum[r->n++])
            return RC_ERR_MEMORY;
    }
    return RC_OK;
}

static rc_status walk_results(struct results *r, const struct rc_dataset *d)
{
    struct rci_quant_walk w;
    uint32_t n;
    RC_TRY(rci_quant_walk_start(&w, r->q, d, r->q->g, r->value, r->n));
    rc_status st;
    while ((st = rci_quant_walk_next(&w, &n)) == RC_OK && n) {
        for (uint32_t i = 0; i < r->n; i++) {
            const struct rci_shape *s = &r->q->g->values[r->value[i]].tensor.shape;
#pragma omp parallel for schedule(static)
            for (int64_t c = 0; c < s->dim[1]; c++)
                add_results(s, w.out[w.n_out - r->n + i], n, c, r->sum[i] + 2 * c);
        }
        r->images += n;
    }
    rci_quant_walk_end(&w);
    return st;
}

static rc_status keep_results(struct results *r)
{
    struct rc_quantizer *q = r->q;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct rci_shape *s = &q->g->values[r->value[i]].tensor.shape;
        const int64_t channels = s->dim[1];
        const double count = (double) r->images * (double) rci_shape_count(s) /
                             (double) (s->dim[0] * channels);
        float *out = rci_alloc_array(q->ctx, 2 * (size_t) channels, sizeof(float));
        if (!out)
            return RC_ERR_MEMORY;
        for (int64_t c = 0; c < channels; c++) {
            const double mean = r->sum[i][2 * c] / count;
            out[c] = (float) mean;
            out[channels + c] = (float) fmax(r->sum[i][2 * c + 1] / count - mean * mean, 0);
        }
        q->statistics[r->node[i]] = out;
    }
    return RC_OK;
}

void rci_quantizer_forget_statistics(struct rc_quantizer *q)
{
    for (uint32_t i = 0; q->statistics && i < q->g->n_nodes; i++) {
        rci_release(q->statistics[i]);
        q->statistics[i] = NULL;
    }
}

rc_status rci_quantizer_take_statistics(struct rc_quantizer *q, const struct rc_dataset *d)
{
    struct results r = {.q = q};
    rci_quantizer_forget_statistics(q);
    rc_status st = list_results(&r);
    if (st == RC_OK && r.n)
        st = walk_results(&r, d);
    if (st == RC_OK && r.images)
        st = keep_results(&r);
    for (uint32_t i = 0; r.sum && i < r.n; i++)
        rci_release(r.sum[i]);
    rci_release(r.sum);
    rci_release(r.node);
    rci_release(r.value);
    return st;
}
