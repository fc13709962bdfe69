/* Exact statistics over several batches, from what BatchNormalization leaves in its running
 * statistics: with those at zero before a forward, r = f * batch afterwards. Over K batches of n
 * elements per channel:
 *     mean = sum m_k / K
 *     var  = (sum v_k / K + sum m_k^2 / K - mean^2) * nK / (nK - 1),   v_k biased */
#include "exec/tape_plan.h"

#include <string.h>

static rc_status bn_init(struct rci_tape *t, struct rci_tape_bn *b, const struct rci_node *n)
{
    struct rci_norm norm;
    n->op->as_norm(n, &norm);
    const struct rci_shape *x = &t->plan.shape[n->in[0]].shape;
    b->channels = (uint32_t) x->dim[1];
    b->count = (double) rci_shape_count(x) / (double) x->dim[1];
    b->fraction = 1 - (double) norm.momentum;
    b->mean = t->graph->values[n->in[norm.mean]].tensor.data;
    b->var = t->graph->values[n->in[norm.variance]].tensor.data;
    b->sum = rci_alloc_array(t->plan.ctx, b->channels, 3 * sizeof(double));
    if (!b->sum)
        return RC_ERR_MEMORY;
    b->square = b->sum + b->channels;
    b->vars = b->square + b->channels;
    if (!(b->fraction > 0))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": momentum is %g, must be below 1", n->name,
                        (double) norm.momentum);
    return RC_OK;
}

void rci_tape_bn_free(struct rci_tape *t)
{
    for (uint32_t i = 0; i < t->n_bn; i++)
        rci_release(t->bn[i].sum);
    rci_release(t->bn);
    t->bn = NULL;
    t->n_bn = 0;
}

rc_status rci_tape_bn_begin(struct rci_tape *t)
{
    struct rci_plan *p = &t->plan;
    if (t->o.frozen_bn)
        return rci_fail(RC_ERR_STATE, "the tape keeps its BatchNormalization statistics");
    rci_tape_bn_free(t);
    t->bn_runs = 0;
    t->bn = rci_alloc_array(p->ctx, p->n_nodes + 1u, sizeof(*t->bn));
    rc_status st = t->bn ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < p->n_order; i++) {
        const struct rci_node *n = &p->g->nodes[p->order[i]];
        if (n->op->as_norm)
            st = bn_init(t, &t->bn[t->n_bn++], n);
    }
    if (st != RC_OK)
        rci_tape_bn_free(t);
    return st;
}

void rci_tape_bn_before(struct rci_tape *t)
{
    for (uint32_t i = 0; i < t->n_bn; i++) {
        memset(t->bn[i].mean, 0, t->bn[i].channels * sizeof(float));
        memset(t->bn[i].var, 0, t->bn[i].channels * sizeof(float));
    }
}

void rci_tape_bn_after(struct rci_tape *t)
{
    for (uint32_t i = 0; i < t->n_bn; i++) {
        struct rci_tape_bn *b = &t->bn[i];
        const double biased = b->count > 1 ? (b->count - 1) / b->count : 1;
        for (uint32_t c = 0; c < b->channels; c++) {
            const double mean = b->mean[c] / b->fraction;
            b->sum[c] += mean;
            b->square[c] += mean * mean;
            b->vars[c] += b->var[c] / b->fraction * biased;
        }
    }
    t->bn_runs += t->n_bn > 0;
}

rc_status rci_tape_bn_end(struct rci_tape *t)
{
    if (t->bn_runs == 0 && t->n_bn > 0)
        return rci_fail(RC_ERR_STATE, "no forward since the re-estimation began");
    const double k = (double) t->bn_runs;
    for (uint32_t i = 0; i < t->n_bn; i++) {
        struct rci_tape_bn *b = &t->bn[i];
        const double n = b->count * k, unbiased = n > 1 ? n / (n - 1) : 1;
        for (uint32_t c = 0; c < b->channels; c++) {
            const double mean = b->sum[c] / k;
            const double spread = b->square[c] / k - mean * mean;
            b->mean[c] = (float) mean;
            b->var[c] = (float) ((b->vars[c] / k + (spread > 0 ? spread : 0)) * unbiased);
        }
    }
    rci_tape_bn_free(t);
    return RC_OK;
}
