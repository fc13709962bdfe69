/* Dropout: identity in inference; in training y = x*m / (1 - ratio), m drawn anew each step:
 * element i keeps its value with probability 1 - ratio. The draw depends on seed, step and the
 * node's name only, not on threads. */
#include "op/attrs.h"
#include "op/common.h"

#include "base/rng.h"

#include <string.h>

enum { DROPOUT_BLOCK = 1024 }; /* elements per random stream */

static float dropout_ratio(const struct rci_node *n)
{
    return ((const struct rci_dropout_attrs *) n->attrs)->ratio;
}

static rc_status dropout_infer(const struct rci_infer *i)
{
    const float ratio = dropout_ratio(i->node);
    RC_TRY(rci_op_infer_same(i, RC_DT_F32 | RC_DT(RC_F64)));
    if (rci_op_has(i->node, 1) || rci_op_has(i->node, 2))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": ratio or mode computed at run time, must be constants",
                        i->node->name);
    if (!(ratio >= 0 && ratio < 1))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": ratio is %g, allowed from 0 to below 1",
                        i->node->name, (double) ratio);
    if (i->node->n_out > 1) {
        const struct rci_dropout_attrs *t = i->node->attrs;
        i->out[1].dtype = t->float_mask ? i->in[0].dtype : RC_BOOL;
        i->out[1].shape = i->in[0].shape;
    }
    return RC_OK;
}

static size_t dropout_saved(const struct rci_node *n, const struct rci_tensor *in)
{
    (void) n;
    return (size_t) rci_shape_count(&in[0].shape);
}

/* Two nodes of one network must not drop the same elements. */
static uint64_t name_hash(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; s && *s; s++)
        h = (h ^ (uint8_t) *s) * UINT64_C(1099511628211);
    return h;
}

static void dropout_mask_out(const struct rci_call *c, int64_t i, uint8_t keep)
{
    if (c->out[1].dtype == RC_BOOL)
        ((uint8_t *) c->out[1].data)[i] = keep;
    else
        rci_op_store(&c->out[1], i, keep);
}

static rc_status dropout_forward(const struct rci_call *c)
{
    const float ratio = dropout_ratio(c->node), scale = 1 / (1 - ratio);
    const int64_t n = rci_shape_count(&c->in[0].shape);
    const bool mask = c->node->n_out > 1 && c->out[1].data, active = c->training && ratio > 0;
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    uint8_t *saved = c->saved;
    if (!active)
        RC_TRY(rci_op_forward_copy(c));
    if (active && c->in[0].dtype != RC_F32)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": trains on f32 only", c->node->name);
    for (int64_t i = 0; !active && mask && i < n; i++)
        dropout_mask_out(c, i, 1);
    if (!active)
        return RC_OK;
    /* P(u32 < limit) = ratio */
    const uint32_t limit = (uint32_t) ((double) ratio * 4294967296.0);
    const uint64_t seed = c->seed ^ name_hash(c->node->name);
    const int64_t blocks = (n + DROPOUT_BLOCK - 1) / DROPOUT_BLOCK;
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t b = 0; b < blocks; b++) {
        struct rci_rng r = rci_rng_make(seed, c->step, (uint64_t) b);
        const int64_t last = b + 1 < blocks ? (b + 1) * DROPOUT_BLOCK : n;
        for (int64_t i = b * DROPOUT_BLOCK; i < last; i++) {
            const uint8_t keep = rci_rng_u32(&r) >= limit;
            y[i] = keep ? x[i] * scale : 0;
            if (saved)
                saved[i] = keep;
            if (mask)
                dropout_mask_out(c, i, keep);
        }
    }
    return RC_OK;
}

/* dx = dy * m / (1 - ratio), m as forward kept it. */
static rc_status dropout_backward(const struct rci_call *c)
{
    const float ratio = dropout_ratio(c->node), scale = 1 / (1 - ratio);
    if (!c->training || ratio <= 0 || !c->saved)
        return rci_op_backward_copy(c);
    const uint8_t *keep = c->saved;
    const float *g = c->d_out[0].data;
    float *d = c->d_in[0].data;
    for (int64_t i = 0, n = d ? rci_shape_count(&c->in[0].shape) : 0; i < n; i++)
        d[i] = keep[i] ? g[i] * scale : 0;
    return RC_OK;
}

static void dropout_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    rci_op_couple_same(n, l);
    for (uint32_t a = 0; s && n->n_out > 1 && a < s->rank; a++)
        rci_link_same(l, RC_IN(0, a), RC_OUT(1, a));
}

static rc_status dropout_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_dropout_attrs *t = n->attrs;
    int64_t seed;
    t->ratio = 0.5f;
    t->float_mask = rci_attrs_opset(a) < 10;
    if (rci_attrs_opset(a) < 12)
        return rci_attr_float(a, "ratio", 0.5f, &t->ratio);
    return rci_attr_int(a, "seed", 0, &seed); /* the trainer's seed decides */
}

/* Operand 2, training_mode, goes too: whether a tape trains is its own affair. */
static rc_status dropout_bind(struct rc_graph *g, struct rci_node *n,
                              const struct rci_tensor *known, const struct rci_tensor *alt,
                              const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    for (uint32_t k = 1; k < n->n_in; k++)
        if (rci_op_has(n, k) && (!known[k].data || rci_shape_count(&known[k].shape) != 1))
            return RC_OK; /* infer refuses it */
    if (rci_op_has(n, 1))
        ((struct rci_dropout_attrs *) n->attrs)->ratio = (float) rci_op_scalar(&known[1]);
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status dropout_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const float ratio = dropout_ratio(n);
    if (rci_attr_write_opset(w) < 12)
        return rci_put_float(w, "ratio", ratio);
    return rci_op_put_scalar(w, 1, "ratio", (double) ratio, RC_F32);
}

const struct rci_op rci_op_dropout = {
    .name = "Dropout",
    RC_OP_ARITY(1, 3, 1, 2),
    .attr_size = sizeof(struct rci_dropout_attrs),
    .flags = RC_OP_RANDOM | RC_OP_SEPARATE | RC_OP_KEEPS | RC_OP_POINTWISE,
    .quant = RC_QUANT_PASS,
    .infer = dropout_infer,
    .forward = dropout_forward,
    .backward = dropout_backward,
    .saved_bytes = dropout_saved,
    .couple = dropout_couple,
    .read_attrs = dropout_read,
    .bind = dropout_bind,
    .write_attrs = dropout_write,
    .cost = rci_op_cost_elementwise,
};
