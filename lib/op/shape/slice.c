/* Slice: out index k of a sliced axis is in index start + k*step. Bounds are attributes up to
 * opset 9 and operands from 10 on; here they are always attributes. */
#include "op/attrs.h"
#include "op/common.h"
#include "op/shape/strided.h"

#include <string.h>

/* Per input axis: first index, step and how many. */
struct slice_range {
    int64_t start[RC_MAX_DIMS], step[RC_MAX_DIMS], count[RC_MAX_DIMS];
};

/* Operands 1..4 into attributes where they have not been moved there on import. */
static rc_status slice_get(const struct rci_node *n, const struct rci_tensor *in,
                           struct rci_slice_attrs *t)
{
    static const char *const what[] = {"starts", "ends", "axes", "steps"};
    int64_t *const list[] = {t->starts, t->ends, t->axes, t->steps};
    *t = *(const struct rci_slice_attrs *) n->attrs;
    if (t->bound)
        return RC_OK;
    if (!in || !rci_op_has(n, 1) || !rci_op_has(n, 2))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": starts or ends are missing", n->name);
    /* axes default to 0, 1, ... and steps to 1 */
    for (uint32_t k = 0; k < 4; k++) {
        int32_t count;
        if (!rci_op_has(n, k + 1)) {
            for (int32_t j = 0; j < t->n; j++)
                list[k][j] = k == 2 ? j : 1;
            continue;
        }
        RC_TRY(rci_op_ints(n, what[k], &in[k + 1], list[k], RC_MAX_DIMS, &count));
        if (k && count != t->n)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": %s has %d entries, starts has %d", n->name,
                            what[k], count, t->n);
        t->n = count;
    }
    t->bound = 1;
    return RC_OK;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static rc_status slice_range(const struct rci_node *n, const struct rci_slice_attrs *t,
                             const struct rci_shape *s, struct slice_range *r)
{
    uint32_t bits;
    for (uint32_t a = 0; a < s->rank; a++) {
        r->start[a] = 0;
        r->step[a] = 1;
        r->count[a] = s->dim[a];
    }
    RC_TRY(rci_op_axes(n, t->axes, t->n, s->rank, &bits));
    for (int32_t k = 0; k < t->n; k++) {
        uint32_t a;
        RC_TRY(rci_op_axis(n, t->axes[k], s->rank, &a));
        const int64_t d = s->dim[a], step = t->steps[k];
        /* the bound keeps -step and span + step from overflowing */
        if (step == 0 || step < -INT32_MAX || step > INT32_MAX)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": step is %lld, must not be 0", n->name,
                            (long long) step);
        int64_t from = t->starts[k] < 0 ? t->starts[k] + d : t->starts[k];
        int64_t to = t->ends[k] < 0 ? t->ends[k] + d : t->ends[k];
        /* ONNX: backwards a start before the first element is that element, while in NumPy it
         * selects nothing; an end of -1 is behind it */
        from = step > 0 ? clamp(from, 0, d) : clamp(from, 0, d - 1);
        to = step > 0 ? clamp(to, 0, d) : clamp(to, -1, d - 1);
        const int64_t span = step > 0 ? to - from : from - to, by = step > 0 ? step : -step;
        r->start[a] = from;
        r->step[a] = step;
        r->count[a] = span > 0 && d > 0 ? (span + by - 1) / by : 0;
    }
    return RC_OK;
}

static rc_status slice_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_infer_same(i, RC_DT_ANY));
    struct rci_slice_attrs t;
    struct slice_range r;
    RC_TRY(slice_get(i->node, i->in, &t));
    RC_TRY(slice_range(i->node, &t, &i->in[0].shape, &r));
    memcpy(i->out[0].shape.dim, r.count, sizeof(r.count[0]) * i->in[0].shape.rank);
    return RC_OK;
}

/* The sliced side of the input: strides and the place of its first element. */
static rc_status slice_plan(const struct rci_call *c, int64_t *stride, int64_t *first)
{
    const struct rci_shape *x = &c->in[0].shape;
    struct rci_slice_attrs t;
    struct slice_range r;
    RC_TRY(slice_get(c->node, c->in, &t));
    RC_TRY(slice_range(c->node, &t, x, &r));
    rci_row_major(x, stride);
    *first = 0;
    for (uint32_t a = 0; a < x->rank; a++) {
        *first += r.start[a] * stride[a];
        stride[a] *= r.step[a];
    }
    return RC_OK;
}

static rc_status slice_forward(const struct rci_call *c)
{
    struct rci_strided s = {.rank = c->in[0].shape.rank};
    const size_t size = rci_dtype_size(c->in[0].dtype);
    int64_t first;
    RC_TRY(slice_plan(c, s.from, &first));
    rci_row_major(&c->out[0].shape, s.to);
    memcpy(s.dim, c->out[0].shape.dim, sizeof(s.dim));
    if (rci_shape_count(&c->out[0].shape))
        rci_strided_copy(&s, size, (const char *) c->in[0].data + first * (int64_t) size,
                         c->out[0].data);
    return RC_OK;
}

static rc_status slice_backward(const struct rci_call *c)
{
    struct rci_strided s = {.rank = c->in[0].shape.rank};
    int64_t first;
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    RC_TRY(slice_plan(c, s.to, &first));
    rci_row_major(&c->out[0].shape, s.from);
    memcpy(s.dim, c->out[0].shape.dim, sizeof(s.dim));
    memset(d, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    if (rci_shape_count(&c->out[0].shape))
        rci_strided_copy(&s, sizeof(float), c->d_out[0].data, d + first);
    return RC_OK;
}

/* Result k is input start + k * step, so the input keeps at least what the result keeps. */
static void slice_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_slice_attrs *t = n->attrs;
    struct slice_range r;
    if (!x || !t->bound || slice_range(n, t, x, &r) != RC_OK)
        return;
    for (uint32_t a = 0; a < x->rank; a++)
        rci_link_offset(l, RC_OUT(0, a), RC_IN(0, a), r.start[a], r.step[a]);
}

/* Place of old index `k` among the kept ones, -1 when it was cut. */
static int64_t kept_place(const int32_t *kept, uint32_t n, int64_t k)
{
    for (uint32_t j = 0; j < n; j++)
        if (kept[j] == k)
            return j;
    return -1;
}

/* After a cut the wanted indices lie elsewhere; they must still be evenly spaced. */
static rc_status slice_resize_axis(const struct rci_node *n, const struct rci_links *l,
                                   const struct slice_range *r, uint32_t axis, int64_t range[3])
{
    uint32_t n_in, n_out;
    const int32_t *in = rci_links_kept(l, RC_IN(0, axis), &n_in);
    const int32_t *out = rci_links_kept(l, RC_OUT(0, axis), &n_out);
    const int64_t count = out ? n_out : r->count[axis];
    int64_t previous = 0;
    /* for one index alone; two and more say the step themselves */
    range[1] = r->step[axis] > 0 ? 1 : -1;
    for (int64_t j = 0; j < count; j++) {
        const int64_t old = r->start[axis] + (out ? out[j] : j) * r->step[axis];
        const int64_t at = in ? kept_place(in, n_in, old) : old;
        if (j == 0)
            range[0] = at;
        if (j == 1)
            range[1] = at - previous;
        if (at < 0 || (j > 1 && at - previous != range[1]) || range[1] == 0)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": the channels left after the cut are not evenly spaced",
                            n->name);
        previous = at;
    }
    range[2] = previous + (range[1] > 0 ? 1 : -1);
    return RC_OK;
}

static rc_status slice_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_slice_attrs *t = n->attrs;
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    struct slice_range r;
    RC_TRY(slice_range(n, t, x, &r));
    for (int32_t k = 0; k < t->n; k++) {
        uint32_t a, unused;
        int64_t range[3] = {0};
        RC_TRY(rci_op_axis(n, t->axes[k], x->rank, &a));
        const bool cut =
            rci_links_kept(l, RC_IN(0, a), &unused) || rci_links_kept(l, RC_OUT(0, a), &unused);
        if (!cut || r.count[a] == 0)
            continue;
        RC_TRY(slice_resize_axis(n, l, &r, a, range));
        t->starts[k] = range[0];
        t->steps[k] = range[1];
        /* "before the first" cannot be said as -1, which is the last element */
        t->ends[k] = range[2] < 0 ? INT64_MIN : range[2];
    }
    return RC_OK;
}

static rc_status slice_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_slice_attrs *t = n->attrs;
    int32_t ends, axes;
    if (rci_attrs_opset(a) >= 10)
        return RC_OK;
    RC_TRY(rci_attr_ints(a, "starts", t->starts, RC_MAX_DIMS, &t->n));
    RC_TRY(rci_attr_ints(a, "ends", t->ends, RC_MAX_DIMS, &ends));
    RC_TRY(rci_attr_ints(a, "axes", t->axes, RC_MAX_DIMS, &axes));
    if (t->n < 0 || ends != t->n || (axes >= 0 && axes != t->n))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": starts has %d entries, ends %d, axes %d",
                        n->name, t->n, ends, axes);
    for (int32_t k = 0; k < t->n; k++) {
        t->steps[k] = 1;
        if (axes < 0)
            t->axes[k] = k;
    }
    t->bound = 1;
    return RC_OK;
}

static rc_status slice_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                            const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_slice_attrs t, other;
    if (((const struct rci_slice_attrs *) n->attrs)->bound)
        return RC_OK;
    for (uint32_t k = 1; k < n->n_in; k++)
        if (rci_op_has(n, k) && !known[k].data)
            return RC_OK; /* infer refuses it */
    RC_TRY(slice_get(n, known, &t));
    other = t;
    if (alt && alt[1].data && alt[2].data)
        RC_TRY(slice_get(n, alt, &other));
    for (int32_t k = 0; k < t.n; k++) {
        const bool whole = t.ends[k] == batch[0] && other.ends[k] == batch[1];
        if (t.starts[k] != other.starts[k] || t.steps[k] != other.steps[k] ||
            (t.ends[k] != other.ends[k] && !whole))
            return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": bounds depend on the batch", n->name);
        if (t.ends[k] != other.ends[k])
            t.ends[k] = INT64_MAX; /* up to the batch: all of it */
    }
    *(struct rci_slice_attrs *) n->attrs = t;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status slice_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_slice_attrs *t = n->attrs;
    const uint32_t count = (uint32_t) t->n;
    if (!t->bound)
        return RC_OK;
    if (rci_attr_write_opset(w) < 10) {
        for (int32_t k = 0; k < t->n; k++)
            if (t->steps[k] != 1)
                return rci_fail(RC_ERR_UNSUPPORTED,
                                "node \"%s\": step is %lld, must be 1 below "
                                "opset 10",
                                n->name, (long long) t->steps[k]);
        RC_TRY(rci_put_ints(w, "starts", t->starts, count));
        RC_TRY(rci_put_ints(w, "ends", t->ends, count));
        return rci_put_ints(w, "axes", t->axes, count);
    }
    RC_TRY(rci_op_put_i64(w, 1, "starts", t->starts, t->n));
    RC_TRY(rci_op_put_i64(w, 2, "ends", t->ends, t->n));
    RC_TRY(rci_op_put_i64(w, 3, "axes", t->axes, t->n));
    return rci_op_put_i64(w, 4, "steps", t->steps, t->n);
}

/* Along the batch it may leave images out or turn them round. */
static bool slice_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const struct rci_slice_attrs *a = n->attrs;
    bool separate = a->bound;
    (void) g;
    for (int32_t i = 0; separate && i < a->n; i++)
        separate = a->axes[i] != 0 && a->axes[i] != -(int64_t) rank;
    return separate;
}

/* Of the same shape, and not turned round. */
static bool slice_keeps_elements(const struct rci_node *n)
{
    const struct rci_slice_attrs *a = n->attrs;
    for (int32_t i = 0; i < a->n; i++)
        if (a->steps[i] < 0)
            return false;
    return a->bound;
}

/* Every step-th row or column from the first one on. */
static bool slice_as_placement(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_placement *out)
{
    const struct rci_slice_attrs *a = n->attrs;
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    const struct rci_shape *y = &g->values[n->out[0]].tensor.shape;
    *out = (struct rci_placement){.stride = {1, 1}};
    if (!a->bound || n->n_in != 1 || x->rank != 4)
        return false;
    for (int32_t i = 0; i < a->n; i++) {
        const int64_t axis = a->axes[i] < 0 ? a->axes[i] + x->rank : a->axes[i];
        if (a->starts[i] != 0 || a->steps[i] < 1)
            return false;
        if (axis < 2 && x->dim[axis] != y->dim[axis])
            return false;
        if (axis < 2)
            continue;
        if (y->dim[axis] != (x->dim[axis] - 1) / a->steps[i] + 1)
            return false;
        out->stride[axis - 2] *= a->steps[i];
    }
    return true;
}

static bool slice_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_slice_attrs *t = n->attrs;
    if (!t->bound || n->n_in != 1)
        return false;
    for (int32_t k = 0; k < t->n; k++)
        t->axes[k] = perm[t->axes[k] < 0 ? t->axes[k] + *rank : t->axes[k]];
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

/* Bounds of different axes stand in one list. */
static bool slice_compose(const struct rc_graph *g, struct rci_node *n,
                          const struct rci_node *before)
{
    struct rci_slice_attrs *t = n->attrs;
    const struct rci_slice_attrs *first = before->attrs;
    const uint32_t rank = g->values[before->in[0]].tensor.shape.rank;
    uint32_t bits, own;
    if (!t->bound || !first->bound || n->n_in != 1 || before->n_in != 1 ||
        t->n + first->n > RC_MAX_DIMS || rci_op_axes(n, t->axes, t->n, rank, &own) != RC_OK ||
        rci_op_axes(n, first->axes, first->n, rank, &bits) != RC_OK || own & bits)
        return false;
    for (int32_t k = 0; k < first->n; k++, t->n++) {
        t->starts[t->n] = first->starts[k];
        t->ends[t->n] = first->ends[k];
        t->axes[t->n] = first->axes[k];
        t->steps[t->n] = first->steps[k];
    }
    return true;
}

const struct rci_op rci_op_slice = {
    .name = "Slice",
    RC_OP_ARITY(1, 5, 1, 1),
    .attr_size = sizeof(struct rci_slice_attrs),
    .quant = RC_QUANT_PASS,
    .infer = slice_infer,
    .forward = slice_forward,
    .backward = slice_backward,
    .separate = slice_separate,
    .keeps_elements = slice_keeps_elements,
    .as_placement = slice_as_placement,
    .permute = slice_permute,
    .compose = slice_compose,
    .couple = slice_couple,
    .resized = slice_resized,
    .read_attrs = slice_read,
    .bind = slice_bind,
    .write_attrs = slice_write,
    .cost = rci_op_cost_elementwise,
};
