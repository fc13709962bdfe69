/* What scales or shifts with constants, in a row: a matrix product followed by such a node becomes
 * a Gemm, which takes it in (fold_affine); two scales become one, and two shifts; a scale goes into
 * the weights of the convolution behind it, W (s x) = (W s) x. */
#include "op/layers.h"
#include "pass/pass.h"

#include <math.h>

static bool is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return n->op && n->op->is_affine && !n->n_post && n->n_out == 1 && n->op->is_affine(g, n);
}

/* x [N, K] times a constant [K, M] without a bias. */
static bool is_product(const struct rc_graph *g, const struct rci_node *n)
{
    struct rci_weighted w;
    if (!n->op->as_weighted || n->op->absorbs_affine || n->n_in != 2 || n->n_post)
        return false;
    n->op->as_weighted(g, n, &w);
    const struct rci_tensor *m = rci_const_in(g, n, 1);
    return !w.window && w.plain && w.axis == 1 && m && m->dtype == RC_F32 && m->shape.rank == 2 &&
           g->values[n->in[0]].tensor.shape.rank == 2;
}

static rc_status product_to_gemm(struct rc_graph *g, rci_id id)
{
    const struct rci_gemm_attrs attrs = {.alpha = 1, .beta = 1};
    const rci_id in[2] = {g->nodes[id].in[0], g->nodes[id].in[1]};
    return rci_graph_retype_node(g, id, rci_op_find(NULL, "Gemm"), &attrs, in, 2);
}

static bool all(const float *v, uint32_t n, float what)
{
    for (uint32_t k = 0; k < n; k++)
        if (v[k] != what)
            return false;
    return true;
}

/* One number where all are equal, else [C, 1, ...] below the batch. */
static rc_status add_numbers(struct rc_graph *g, rci_id *out, const char *hint, const float *v,
                             uint32_t n, uint32_t rank)
{
    struct rci_tensor t;
    struct rci_shape s = {0};
    if (!all(v, n, v[0])) {
        s.rank = rank - 1;
        for (uint32_t k = 0; k < s.rank; k++)
            s.dim[k] = k ? 1 : n;
    }
    RC_TRY(rci_tensor_new(&t, g->ctx, RC_F32, &s));
    for (int64_t k = 0; k < rci_shape_count(&s); k++)
        ((float *) t.data)[k] = v[k];
    char *name = rci_graph_fresh_name(g, hint);
    const rc_status st = name ? rci_graph_add_const(g, out, name, &t) : RC_ERR_MEMORY;
    rci_release(name);
    rci_tensor_free(&t);
    return st;
}

/* a (b x) and x + b + a; *merged: it was one of these. */
static rc_status merge_numbers(struct rc_graph *g, rci_id id, rci_id p, struct rci_affine *a,
                               struct rci_affine *b, bool *merged)
{
    const uint32_t n = a->channels;
    const bool scales = all(a->shift, n, 0) && all(b->shift, n, 0);
    const bool shifts = all(a->scale, n, 1) && all(b->scale, n, 1);
    rci_id in[2] = {rci_pass_data_operand(g, &g->nodes[p]), RC_NONE};
    *merged = n && n == b->channels && (scales || shifts) && in[0] != RC_NONE;
    if (!*merged)
        return RC_OK;
    float *v = scales ? a->scale : a->shift;
    for (uint32_t k = 0; k < n; k++) {
        v[k] = scales ? v[k] * b->scale[k] : v[k] + b->shift[k];
        *merged &= isfinite(v[k]) != 0; /* in two steps it may come back */
    }
    if (!*merged)
        return RC_OK;
    const struct rci_shape *s = &g->values[in[0]].tensor.shape;
    RC_TRY(add_numbers(g, &in[1], g->nodes[id].name, v, n, s->rank));
    return rci_graph_retype_node(g, id, rci_op_find(NULL, scales ? "Mul" : "Add"), NULL, in, 2);
}

static rc_status merge_pair(struct rc_graph *g, rci_id id, rci_id p, bool *merged)
{
    struct rci_affine a = {0}, b = {0};
    rc_status st = g->nodes[id].op->as_affine(g, &g->nodes[id], &a);
    if (st == RC_OK)
        st = g->nodes[p].op->as_affine(g, &g->nodes[p], &b);
    if (st == RC_OK)
        st = merge_numbers(g, id, p, &a, &b, merged);
    rci_release(a.scale);
    rci_release(a.shift);
    rci_release(b.scale);
    rci_release(b.shift);
    return st;
}

/* The convolution that alone reads y, with weights of its own; padding is 0 with any scale. */
static rci_id convolution_behind(const struct rc_graph *g, rci_id y)
{
    struct rci_weighted w;
    const rci_id r = rci_graph_single_reader(g, y);
    if (r == RC_NONE || !g->nodes[r].op->as_weighted || g->nodes[r].n_post)
        return RC_NONE;
    const struct rci_node *n = &g->nodes[r];
    const struct rci_tensor *t = rci_const_in(g, n, 1);
    n->op->as_weighted(g, n, &w);
    const bool fits = w.window && w.plain && w.axis == 0 && n->in[0] == y && t &&
                      t->dtype == RC_F32 && t->shape.rank == 4 &&
                      rci_graph_count_readers(g, n->in[1]) == 1;
    return fits ? r : RC_NONE;
}

/* Weights [O, I / groups, kh, kw]: input channel i of output channel o is that of its group. */
static rc_status scale_weights(struct rc_graph *g, rci_id conv, const float *scale)
{
    struct rci_weighted w;
    RC_TRY(rci_graph_own_const(g, g->nodes[conv].in[1]));
    g->nodes[conv].op->as_weighted(g, &g->nodes[conv], &w);
    const struct rci_tensor *t = rci_const_in(g, &g->nodes[conv], 1);
    const int64_t *d = t->shape.dim, taps = d[2] * d[3];
    const int64_t groups = w.window->group ? w.window->group : 1;
    for (int64_t o = 0; o < d[0]; o++)
        for (int64_t k = 0; k < d[1] * taps; k++)
            ((float *) t->data)[o * d[1] * taps + k] *=
                scale[o / (d[0] / groups) * d[1] + k / taps];
    return RC_OK;
}

static rc_status merge_forward(struct rc_graph *g, rci_id id, bool *merged)
{
    struct rci_affine a = {0};
    const rci_id y = g->nodes[id].out[0], x = rci_pass_data_operand(g, &g->nodes[id]);
    const rci_id conv = convolution_behind(g, y);
    if (conv == RC_NONE || x == RC_NONE)
        return RC_OK;
    rc_status st = g->nodes[id].op->as_affine(g, &g->nodes[id], &a);
    *merged = st == RC_OK && a.channels && all(a.shift, a.channels, 0);
    for (uint32_t k = 0; *merged && k < a.channels; k++)
        *merged = isfinite(a.scale[k]) && fabsf(a.scale[k]) < 1e6F;
    if (*merged)
        st = scale_weights(g, conv, a.scale);
    rci_release(a.scale);
    rci_release(a.shift);
    if (*merged && st == RC_OK)
        st = rci_graph_redirect(g, y, x);
    return st;
}

static rc_status merge_run(struct rc_graph *g, uint32_t *n_changed)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        const struct rci_node *node = &g->nodes[order[i]];
        const rci_id x = is_affine(g, node) ? rci_pass_data_operand(g, node) : RC_NONE;
        const rci_id p = x == RC_NONE ? RC_NONE : g->values[x].producer;
        bool merged = false;
        if (x != RC_NONE)
            st = merge_forward(g, order[i], &merged);
        if (merged || st != RC_OK) {
            ++*n_changed;
            continue;
        }
        if (p == RC_NONE || rci_graph_single_reader(g, x) == RC_NONE)
            continue;
        if (is_product(g, &g->nodes[p])) {
            st = product_to_gemm(g, p);
            merged = true;
        } else if (is_affine(g, &g->nodes[p]))
            st = merge_pair(g, order[i], p, &merged);
        *n_changed += merged;
    }
    rci_release(order);
    RC_TRY(st);
    return rci_graph_sweep(g, NULL);
}

const struct rci_pass rci_pass_merge_affine = {
    .name = "merge_affine",
    .summary = "constants in a row become one, a product with a bias becomes Gemm",
    .run = merge_run,
};
