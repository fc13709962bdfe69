#include "prune/refit.h"

#include <math.h>
#include <string.h>

enum { SCALE, SHIFT, MEAN, VARIANCE, N_OPERANDS }; /* of a normalisation */

/* Which operand of the node that is. */
static uint32_t norm_operand(const struct rc_graph *g, rci_id norm, uint32_t which)
{
    struct rci_norm n;
    g->nodes[norm].op->as_norm(&g->nodes[norm], &n);
    const uint32_t at[N_OPERANDS] = {n.scale, n.shift, n.mean, n.variance};
    return at[which];
}

static const float *norm_data(const struct rc_graph *g, rci_id norm, uint32_t which)
{
    return rci_const_in(g, &g->nodes[norm], norm_operand(g, norm, which))->data;
}

static double deviation(const struct rc_graph *g, rci_id norm, double variance)
{
    struct rci_norm n;
    g->nodes[norm].op->as_norm(&g->nodes[norm], &n);
    return sqrt(variance + (double) n.epsilon);
}

static bool norm_is_constant(const struct rc_graph *g, rci_id norm, size_t channels)
{
    for (uint32_t i = 0; i < N_OPERANDS; i++) {
        const struct rci_tensor *t = rci_const_in(g, &g->nodes[norm], norm_operand(g, norm, i));
        if (!t || t->dtype != RC_F32 || (size_t) rci_shape_count(&t->shape) != channels)
            return false;
    }
    return true;
}

static void refit_follow(struct rci_refit *r, const struct rc_graph *g)
{
    r->norm = r->other = RC_NONE;
    r->target = g->nodes[r->layer.node].out[0];
    rci_id reader = rci_graph_single_reader(g, r->target);
    if (reader != RC_NONE && g->nodes[reader].op->as_norm &&
        norm_is_constant(g, reader, r->layer.o)) {
        r->norm = reader;
        r->target = g->nodes[reader].out[0];
        reader = rci_graph_single_reader(g, r->target);
    }
    if (reader == RC_NONE || !rci_node_has(&g->nodes[reader], RC_OP_SUM))
        return;
    const struct rci_node *add = &g->nodes[reader];
    const rci_id other = add->in[add->in[0] == r->target];
    if (rci_value_is_const(&g->values[other]) ||
        !rci_shape_equal(&g->values[other].tensor.shape, &g->values[add->out[0]].tensor.shape))
        return;
    r->other = other;
    r->target = add->out[0];
}

rc_status rci_refit_of(struct rci_refit *r, const struct rc_graph *g, rci_id node)
{
    *r = (struct rci_refit){.layer.node = RC_NONE};
    struct rci_linear l;
    if (!rci_linear_of(&l, g, node) || l.d > RC_MOMENTS_MAX)
        return RC_OK;
    r->layer = l;
    refit_follow(r, g);
    r->scale = rci_alloc_array(g->ctx, l.o, sizeof(double));
    if (!r->scale)
        return RC_ERR_MEMORY;
    for (size_t k = 0; k < l.o; k++)
        r->scale[k] = r->norm == RC_NONE
                          ? 1
                          : (double) norm_data(g, r->norm, SCALE)[k] /
                                deviation(g, r->norm, (double) norm_data(g, r->norm, VARIANCE)[k]);
    return RC_OK;
}

void rci_refit_free(struct rci_refit *r)
{
    rci_release(r->scale);
    r->scale = NULL;
}

/* Constants that other nodes read too must not change for those. */
static rc_status own_operand(struct rc_graph *g, rci_id node, uint32_t i)
{
    const rci_id v = g->nodes[node].in[i];
    if (rci_graph_count_readers(g, v) < 2)
        return rci_graph_own_const(g, v);
    char *name = rci_graph_fresh_name(g, g->values[v].name);
    rci_id copy;
    if (!name)
        return RC_ERR_MEMORY;
    const struct rci_tensor t = g->values[v].tensor;
    const rc_status st = rci_graph_add_const(g, &copy, name, &t);
    rci_release(name);
    RC_TRY(st);
    g->nodes[node].in[i] = copy;
    return RC_OK;
}

static rc_status add_bias(struct rc_graph *g, const struct rci_linear *l)
{
    struct rci_tensor zero;
    const struct rci_shape s = RC_SHAPE((int64_t) l->o);
    rci_id bias;
    char *name = rci_format(g->ctx, "%s.bias", g->nodes[l->node].name);
    char *fresh = name ? rci_graph_fresh_name(g, name) : NULL;
    rc_status st = fresh ? rci_tensor_new(&zero, g->ctx, RC_F32, &s) : RC_ERR_MEMORY;
    if (st == RC_OK) {
        st = rci_graph_add_const(g, &bias, fresh, &zero);
        rci_tensor_free(&zero);
    }
    if (st == RC_OK)
        st = rci_graph_append_input(g, l->node, bias);
    rci_release(name);
    rci_release(fresh);
    return st;
}

static rc_status own_operands(const struct rci_refit *r, struct rc_graph *g, struct rci_linear *l)
{
    RC_TRY(own_operand(g, r->layer.node, 1));
    for (uint32_t i = 0; r->norm != RC_NONE && i < N_OPERANDS; i++)
        RC_TRY(own_operand(g, r->norm, norm_operand(g, r->norm, i)));
    if (r->norm == RC_NONE && r->layer.bias == RC_NONE)
        RC_TRY(add_bias(g, &r->layer));
    else if (r->norm == RC_NONE)
        RC_TRY(own_operand(g, r->layer.node, 2));
    rci_linear_of(l, g, r->layer.node);
    return RC_OK;
}

/* Columns of w get the length that they had, which BatchNormalization takes back. */
static double keep_length(const double *old, double *w, size_t d, size_t o, size_t k)
{
    double was = 0, is = 0;
    for (size_t i = 0; i < d; i++) {
        was += old[i * o + k] * old[i * o + k];
        is += w[i * o + k] * w[i * o + k];
    }
    const double a = was > 0 && is > 0 ? sqrt(was / is) : 1;
    for (size_t i = 0; i < d; i++)
        w[i * o + k] *= a;
    return a;
}

static double dot_column(const double *x, const double *w, size_t d, size_t o, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += x[i] * w[i * o + k];
    return sum;
}

/* y = w'x + (mean t - w'mean x), through the BatchNormalization. */
static rc_status write_norm(const struct rci_refit *r, struct rc_graph *g,
                            const struct rci_moments *m, const struct rci_linear *l,
                            const double *old, double *w)
{
    double *variance = rci_alloc_array(g->ctx, 2 * l->o, sizeof(double));
    if (!variance)
        return RC_ERR_MEMORY;
    double *length = variance + l->o;
    for (size_t k = 0; k < l->o; k++)
        length[k] = keep_length(old, w, l->d, l->o, k);
    const rc_status st = rci_moments_measure(m, w, NULL, variance);
    const float *bias = l->bias != RC_NONE ? g->values[l->bias].tensor.data : NULL;
    float *to[N_OPERANDS];
    for (uint32_t i = 0; i < N_OPERANDS; i++)
        to[i] = g->values[g->nodes[r->norm].in[norm_operand(g, r->norm, i)]].tensor.data;
    for (size_t k = 0; st == RC_OK && k < l->o; k++) {
        const double v = fmax(variance[k], 0);
        to[SCALE][k] = (float) (deviation(g, r->norm, v) / length[k]);
        to[SHIFT][k] = (float) m->t[k];
        to[MEAN][k] = (float) (dot_column(m->x, w, l->d, l->o, k) + (bias ? (double) bias[k] : 0));
        to[VARIANCE][k] = (float) v;
    }
    rci_release(variance);
    return st;
}

static void write_bias(struct rc_graph *g, const struct rci_moments *m, const struct rci_linear *l,
                       const double *w)
{
    float *bias = g->values[l->bias].tensor.data;
    for (size_t k = 0; k < l->o; k++)
        bias[k] = (float) (m->t[k] - dot_column(m->x, w, l->d, l->o, k));
}

rc_status rci_refit_apply(const struct rci_refit *r, struct rc_graph *g,
                          const struct rci_moments *m, double ridge)
{
    struct rci_linear l;
    RC_TRY(own_operands(r, g, &l));
    double *old = rci_alloc_array(g->ctx, 2 * l.d * l.o, sizeof(double));
    if (!old)
        return RC_ERR_MEMORY;
    double *w = old + l.d * l.o;
    rci_linear_get(&l, g, old);
    for (size_t i = 0; i < l.d * l.o; i++)
        w[i] = old[i] * r->scale[i % l.o];
    rc_status st = rci_moments_solve(m, ridge, w);
    if (st == RC_OK && r->norm != RC_NONE)
        st = write_norm(r, g, m, &l, old, w);
    else if (st == RC_OK)
        write_bias(g, m, &l, w);
    if (st == RC_OK)
        rci_linear_set(&l, g, w);
    rci_release(old);
    return st;
}
