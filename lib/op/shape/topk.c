/* TopK: the k largest or smallest elements along an axis, in order, and their places (i64). Of
 * equal elements the one at the lower place comes first. */
#include "op/attrs.h"
#include "op/common.h"

#include <math.h>
#include <string.h>

static rc_status topk_get(const struct rci_node *n, const struct rci_tensor *in, int64_t *k)
{
    const struct rci_arg_attrs *t = n->attrs;
    int32_t count = 1;
    *k = t->k;
    if (!t->bound)
        RC_TRY(rci_op_ints(n, "k", &in[1], k, 1, &count));
    if (count != 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": k has no entry", n->name);
    return RC_OK;
}

static rc_status topk_infer(const struct rci_infer *i)
{
    const struct rci_arg_attrs *t = i->node->attrs;
    const struct rci_shape *s = &i->in[0].shape;
    uint32_t axis;
    int64_t k;
    RC_TRY(rci_op_check_type(i, 0, "data", RC_DT_F32 | RC_DT(RC_F64) | RC_DT_INDEX));
    RC_TRY(rci_op_axis(i->node, t->axis, s->rank, &axis));
    RC_TRY(topk_get(i->node, i->in, &k));
    if (k < 0 || k > s->dim[axis])
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": k is %lld, allowed 0 to %lld", i->node->name,
                        (long long) k, (long long) s->dim[axis]);
    for (uint32_t o = 0; o < i->node->n_out; o++) {
        i->out[o].shape = *s;
        i->out[o].shape.dim[axis] = k;
        i->out[o].dtype = o ? RC_I64 : i->in[0].dtype;
    }
    return RC_OK;
}

static double topk_value(const struct rci_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case RC_F64:
        return ((const double *) t->data)[i];
    case RC_I64:
        return (double) ((const int64_t *) t->data)[i];
    case RC_I32:
        return ((const int32_t *) t->data)[i];
    default:
        return (double) ((const float *) t->data)[i];
    }
}

/* Is element i before j? NaN counts as larger than every number, as in ONNX Runtime: an order in
 * which it compares false with everything would give the same place twice. */
static bool topk_before(const struct rci_tensor *x, int64_t i, int64_t j, bool smallest)
{
    if (x->dtype == RC_I64) { /* which a double would round */
        const int64_t a = ((const int64_t *) x->data)[i], b = ((const int64_t *) x->data)[j];
        return a == b ? i < j : smallest ? a < b : a > b;
    }
    const double a = topk_value(x, i), b = topk_value(x, j);
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b) ? i < j : isnan(smallest ? b : a);
    return a == b ? i < j : smallest ? a < b : a > b;
}

/* x as [rows / inner][n][inner]: a row is n elements, `inner` apart. */
struct topk_plan {
    int64_t n, k, inner, rows;
};

static rc_status topk_plan(const struct rci_call *c, struct topk_plan *p)
{
    const struct rci_shape *s = &c->in[0].shape;
    uint32_t axis;
    RC_TRY(rci_op_axis(c->node, ((const struct rci_arg_attrs *) c->node->attrs)->axis, s->rank,
                       &axis));
    *p = (struct topk_plan){.n = s->dim[axis], .k = c->out[0].shape.dim[axis], .inner = 1};
    for (uint32_t a = axis + 1; a < s->rank; a++)
        p->inner *= s->dim[a];
    p->rows = p->n ? rci_shape_count(s) / p->n : 0;
    return RC_OK;
}

/* The place of the element that follows element `before` in the order; -1: the first of all. */
static int64_t topk_next(const struct rci_tensor *x, const struct topk_plan *p, int64_t base,
                         int64_t before, bool smallest)
{
    int64_t best = -1;
    for (int64_t j = 0; j < p->n; j++) {
        const int64_t at = base + j * p->inner;
        if (before >= 0 && !topk_before(x, before, at, smallest))
            continue;
        if (best < 0 || topk_before(x, at, best, smallest))
            best = at;
    }
    return best < 0 ? base : best;
}

/* k searches through the row, without memory: k is 1 or 5 of a classifier's results. Always in
 * order, so `sorted` says nothing. */
static rc_status topk_forward(const struct rci_call *c)
{
    const bool smallest = ((const struct rci_arg_attrs *) c->node->attrs)->smallest != 0;
    const size_t size = rci_dtype_size(c->in[0].dtype);
    const bool places = c->node->n_out > 1 && c->out[1].data;
    struct topk_plan p;
    RC_TRY(topk_plan(c, &p));
#pragma omp parallel for schedule(static) if (p.rows * p.n >= RC_PARALLEL_MIN)
    for (int64_t r = 0; r < p.rows; r++) {
        const int64_t base = r / p.inner * p.n * p.inner + r % p.inner;
        int64_t at = -1;
        for (int64_t k = 0; k < p.k; k++) {
            const int64_t to = r / p.inner * p.k * p.inner + r % p.inner + k * p.inner;
            at = topk_next(&c->in[0], &p, base, at, smallest);
            if (c->out[0].data)
                memcpy((char *) c->out[0].data + (size_t) to * size,
                       (const char *) c->in[0].data + (size_t) at * size, size);
            if (places)
                ((int64_t *) c->out[1].data)[to] = (at - base) / p.inner;
        }
    }
    return RC_OK;
}

static rc_status topk_backward(const struct rci_call *c)
{
    const bool smallest = ((const struct rci_arg_attrs *) c->node->attrs)->smallest != 0;
    const float *g = c->d_out[0].data;
    float *d = c->d_in[0].data;
    struct topk_plan p;
    if (!d)
        return RC_OK;
    memset(d, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    if (c->in[0].dtype != RC_F32 || !g)
        return RC_OK;
    RC_TRY(topk_plan(c, &p));
#pragma omp parallel for schedule(static) if (p.rows * p.n >= RC_PARALLEL_MIN)
    for (int64_t r = 0; r < p.rows; r++) {
        const int64_t base = r / p.inner * p.n * p.inner + r % p.inner;
        int64_t at = -1;
        for (int64_t k = 0; k < p.k; k++) {
            at = topk_next(&c->in[0], &p, base, at, smallest);
            d[at] = g[r / p.inner * p.k * p.inner + r % p.inner + k * p.inner];
        }
    }
    return RC_OK;
}

/* The axis is searched as a whole, so its channels stay. */
static void topk_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t axis;
    if (!s || rci_op_axis(n, ((const struct rci_arg_attrs *) n->attrs)->axis, s->rank, &axis))
        return;
    for (uint32_t a = 0; a < s->rank; a++)
        for (uint32_t o = 0; a != axis && o < n->n_out; o++)
            rci_link_same(l, RC_IN(0, a), RC_OUT(o, a));
}

static rc_status topk_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_arg_attrs *t = n->attrs;
    int64_t largest = 1, sorted;
    RC_TRY(rci_attr_int(a, "axis", -1, &t->axis));
    /* k became operand 1 in opset 10 */
    if (rci_attrs_opset(a) < 10) {
        t->bound = 1;
        return rci_attr_int(a, "k", 0, &t->k);
    }
    if (rci_attrs_opset(a) >= 11) {
        RC_TRY(rci_attr_int(a, "largest", 1, &largest));
        RC_TRY(rci_attr_int(a, "sorted", 1, &sorted)); /* always */
    }
    t->smallest = !largest;
    return RC_OK;
}

static rc_status topk_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                           const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_arg_attrs *t = n->attrs;
    (void) batch;
    if (t->bound || !rci_op_has(n, 1) || !known[1].data || (alt && alt[1].data != known[1].data))
        return RC_OK;
    RC_TRY(topk_get(n, known, &t->k));
    t->bound = 1;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status topk_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_arg_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "axis", t->axis));
    if (t->smallest && rci_attr_write_opset(w) < 11)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": the smallest elements cannot be written in opset %lld",
                        n->name, (long long) rci_attr_write_opset(w));
    if (t->smallest)
        RC_TRY(rci_put_int(w, "largest", 0));
    if (!t->bound)
        return RC_OK;
    return rci_attr_write_opset(w) < 10 ? rci_put_int(w, "k", t->k)
                                        : rci_op_put_i64(w, 1, "k", &t->k, 1);
}

static bool topk_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const int64_t axis = ((const struct rci_arg_attrs *) n->attrs)->axis;
    (void) g;
    return axis != 0 && axis != -(int64_t) rank;
}

const struct rci_op rci_op_topk = {
    .name = "TopK",
    RC_OP_ARITY(1, 2, 1, 2),
    .attr_size = sizeof(struct rci_arg_attrs),
    .infer = topk_infer,
    .forward = topk_forward,
    .backward = topk_backward,
    .separate = topk_separate,
    .couple = topk_couple,
    .read_attrs = topk_read,
    .bind = topk_bind,
    .write_attrs = topk_write,
    .cost = rci_op_cost_elementwise,
};
