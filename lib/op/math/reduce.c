/* ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare,
 * ReduceLogSum, ReduceLogSumExp: one number from all elements along a set of axes (all axes when
 * none is listed). Sums are in double precision. */
#include "op/attrs.h"
#include "op/math/broadcast.h"
#include "op/shape/axes.h"
#include "op/shape/strided.h"

#include <math.h>
#include <string.h>

enum reduce { /* op->variant */
              REDUCE_MEAN,
              REDUCE_SUM,
              REDUCE_MAX,
              REDUCE_MIN,
              REDUCE_PROD,
              REDUCE_L1,
              REDUCE_L2,
              REDUCE_SQUARES,
              REDUCE_LOG,
              REDUCE_LOG_EXP
};

/* Opset in which axes became operand 1. */
static int64_t operand_since(const struct rci_node *n)
{
    return n->op->variant == REDUCE_SUM ? 13 : 18;
}

/* in NULL: the attribute alone, as couple and separate see it. */
static rc_status reduce_bits(const struct rci_node *n, const struct rci_tensor *in, uint32_t rank,
                             uint32_t *bits)
{
    struct rci_reduce_attrs t = *(const struct rci_reduce_attrs *) n->attrs;
    if (in)
        RC_TRY(rci_axes_get(n, in, t.axes, &t.n));
    RC_TRY(rci_op_axes(n, t.axes, t.n, rank, bits));
    if (t.n == 0 && !t.noop)
        *bits = (1u << rank) - 1;
    return RC_OK;
}

static rc_status reduce_infer(const struct rci_infer *i)
{
    const struct rci_reduce_attrs *t = i->node->attrs;
    const struct rci_shape *s = &i->in[0].shape;
    const enum reduce kind = (enum reduce) i->node->op->variant;
    /* means, norms and logarithms are of floats only */
    const bool whole = kind >= REDUCE_SUM && kind <= REDUCE_PROD;
    struct rci_shape y = {0, {0}};
    uint32_t bits;
    RC_TRY(rci_op_check_type(i, 0, "data", whole ? RC_DT_NUMBER : RC_DT_F32 | RC_DT(RC_F64)));
    RC_TRY(reduce_bits(i->node, i->in, s->rank, &bits));
    for (uint32_t a = 0; a < s->rank; a++) {
        if (!(bits >> a & 1))
            y.dim[y.rank++] = s->dim[a];
        else if (s->dim[a] == 0)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s over axis %u of length 0", i->node->name,
                            kind == REDUCE_MEAN ? "mean" : i->node->op->name, a);
        else if (t->keepdims)
            y.dim[y.rank++] = 1;
    }
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = y;
    return RC_OK;
}

/* Shape of the result with the reduced axes kept as 1, and how many elements each comes from. */
static rc_status reduce_plan(const struct rci_call *c, struct rci_shape *kept, int64_t *count)
{
    uint32_t bits;
    *count = 1;
    *kept = c->in[0].shape;
    RC_TRY(reduce_bits(c->node, c->in, kept->rank, &bits));
    for (uint32_t a = 0; a < kept->rank; a++)
        if (bits >> a & 1) {
            *count *= kept->dim[a];
            kept->dim[a] = 1;
        }
    return RC_OK;
}

/* The elements behind one result: their places relative to the first, in order. */
struct reach {
    uint32_t n_keep, n_sum;
    int64_t keep_dim[RC_MAX_DIMS], keep[RC_MAX_DIMS], sum_dim[RC_MAX_DIMS], sum[RC_MAX_DIMS];
    int64_t count;
};

static struct reach reach_of(const struct rci_shape *x, const struct rci_shape *kept, int64_t count)
{
    struct reach r = {.count = count};
    int64_t stride[RC_MAX_DIMS];
    rci_row_major(x, stride);
    for (uint32_t a = 0; a < x->rank; a++) {
        if (kept->dim[a] == 1 && x->dim[a] != 1) {
            r.sum_dim[r.n_sum] = x->dim[a];
            r.sum[r.n_sum++] = stride[a];
        } else {
            r.keep_dim[r.n_keep] = x->dim[a];
            r.keep[r.n_keep++] = stride[a];
        }
    }
    return r;
}

static int64_t offset_of(int64_t i, uint32_t n, const int64_t *dim, const int64_t *stride)
{
    int64_t at = 0;
    for (uint32_t k = n; k-- > 0; i /= dim[k])
        at += i % dim[k] * stride[k];
    return at;
}

static int64_t first_of(const struct reach *r, int64_t result)
{
    return offset_of(result, r->n_keep, r->keep_dim, r->keep);
}

static int64_t step_to(const struct reach *r, int64_t k)
{
    return offset_of(k, r->n_sum, r->sum_dim, r->sum);
}

/* The first element where the result is one of the elements. */
static double reduce_start(enum reduce kind, double first)
{
    return kind == REDUCE_MAX || kind == REDUCE_MIN || kind == REDUCE_LOG_EXP ? first
           : kind == REDUCE_PROD                                              ? 1
                                                                              : 0;
}

static double reduce_end(enum reduce kind, double sum, double all, int64_t count)
{
    switch (kind) {
    case REDUCE_MEAN:
        return sum / (double) count;
    case REDUCE_L2:
        return sqrt(sum);
    case REDUCE_LOG:
        return log(sum);
    case REDUCE_LOG_EXP:
        /* all are -inf, or one is +inf: exp(inf - inf) would be NaN */
        return isinf(sum) ? sum : sum + log(all);
    default:
        return sum;
    }
}

/* What one more element does; of a logarithm of exponentials this is the largest exponent. */
static double reduce_step(enum reduce kind, double sum, double v)
{
    switch (kind) {
    case REDUCE_MAX:
    case REDUCE_LOG_EXP:
        return v > sum || isnan(v) ? v : sum;
    case REDUCE_MIN:
        return v < sum || isnan(v) ? v : sum;
    case REDUCE_PROD:
        return sum * v;
    case REDUCE_L1:
        return sum + fabs(v);
    case REDUCE_L2:
    case REDUCE_SQUARES:
        return sum + v * v;
    default:
        return sum + v;
    }
}

#define REDUCE_REAL(suffix, type)                                                        \
    static void reduce_##suffix(enum reduce kind, const struct reach *r, const void *in, \
                                void *out, int64_t i)                                    \
    {                                                                                    \
        const type *x = (const type *) in + first_of(r, i);                              \
        double sum = reduce_start(kind, (double) x[0]), all = 0;                         \
        for (int64_t k = 0; k < r->count; k++)                                           \
            sum = reduce_step(kind, sum, (double) x[step_to(r, k)]);                     \
        for (int64_t k = 0; kind == REDUCE_LOG_EXP && k < r->count; k++)                 \
            all += exp((double) x[step_to(r, k)] - sum);                                 \
        ((type *) out)[i] = (type) reduce_end(kind, sum, all, r->count);                 \
    }
REDUCE_REAL(f32, float)
REDUCE_REAL(f64, double)

/* Integers: sums and products wrap in the unsigned type; x[0] widened keeps its bits, so the
 * comparison in `type` sees its sign again. */
#define REDUCE_WHOLE(suffix, type, wide)                                                 \
    static void reduce_##suffix(enum reduce kind, const struct reach *r, const void *in, \
                                void *out, int64_t i)                                    \
    {                                                                                    \
        const type *x = (const type *) in + first_of(r, i);                              \
        wide sum = kind == REDUCE_SUM ? 0 : kind == REDUCE_PROD ? 1 : (wide) x[0];       \
        for (int64_t k = 0; k < r->count; k++) {                                         \
            const type v = x[step_to(r, k)];                                             \
            if (kind == REDUCE_SUM)                                                      \
                sum += (wide) v;                                                         \
            else if (kind == REDUCE_PROD)                                                \
                sum *= (wide) v;                                                         \
            else if (kind == REDUCE_MAX ? v > (type) sum : v < (type) sum)               \
                sum = (wide) v;                                                          \
        }                                                                                \
        ((type *) out)[i] = (type) sum;                                                  \
    }
REDUCE_WHOLE(i64, int64_t, uint64_t)
REDUCE_WHOLE(i32, int32_t, uint32_t)
REDUCE_WHOLE(s8, int8_t, uint32_t)
REDUCE_WHOLE(u8, uint8_t, uint32_t)

static rc_status reduce_each(const struct rci_call *c, const struct rci_shape *kept, int64_t count)
{
    static void (*const one[])(enum reduce, const struct reach *, const void *, void *, int64_t) = {
        [RC_F32] = reduce_f32, [RC_F64] = reduce_f64, [RC_I64] = reduce_i64,
        [RC_I32] = reduce_i32, [RC_S8] = reduce_s8,   [RC_U8] = reduce_u8};
    const enum reduce kind = (enum reduce) c->node->op->variant;
    const struct reach r = reach_of(&c->in[0].shape, kept, count);
    const int64_t n = rci_shape_count(kept);
#pragma omp parallel for schedule(static) if (n * count >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++)
        one[c->in[0].dtype](kind, &r, c->in[0].data, c->out[0].data, i);
    return RC_OK;
}

/* Sums and means of f32 have a loop that adds whole rows; the rest goes element by element. */
static rc_status reduce_forward(const struct rci_call *c)
{
    const enum reduce kind = (enum reduce) c->node->op->variant;
    struct rci_shape kept;
    int64_t count;
    RC_TRY(reduce_plan(c, &kept, &count));
    if (c->in[0].dtype != RC_F32 || (kind != REDUCE_MEAN && kind != REDUCE_SUM))
        return reduce_each(c, &kept, count);
    rci_sum_to(c->in[0].data, &c->in[0].shape, c->out[0].data, &kept,
               kind == REDUCE_MEAN ? 1 / (double) count : 1);
    return RC_OK;
}

/* --- gradients --- */

/* d result / d element, but for what is decided by more than the two. */
static double reduce_slope(enum reduce kind, double x, double y, double share)
{
    switch (kind) {
    case REDUCE_L1:
        return x > 0 ? 1 : x < 0 ? -1 : 0;
    case REDUCE_L2:
        return y > 0 ? x / y : 0;
    case REDUCE_SQUARES:
        return 2 * x;
    case REDUCE_LOG:
        return exp(-y);
    case REDUCE_LOG_EXP:
        return exp(x - y);
    default:
        return share;
    }
}

/* The first of several largest elements takes all; a product without this element is multiplied
 * anew, since it may be 0. */
static void reduce_back(enum reduce kind, const struct reach *r, const float *x, double y,
                        double dy, float *d)
{
    const double share = kind == REDUCE_MEAN ? 1 / (double) r->count : 1;
    bool found = false;
    for (int64_t k = 0; k < r->count; k++) {
        const int64_t at = step_to(r, k);
        double slope = reduce_slope(kind, (double) x[at], y, share);
        if (kind == REDUCE_MAX || kind == REDUCE_MIN) {
            slope = !found && (double) x[at] == y;
            found |= slope > 0;
        }
        for (int64_t j = 0; kind == REDUCE_PROD && j < r->count; j++)
            slope *= j == k ? 1 : (double) x[step_to(r, j)];
        d[at] = (float) (dy * slope);
    }
}

static rc_status reduce_backward(const struct rci_call *c)
{
    const enum reduce kind = (enum reduce) c->node->op->variant;
    const float *x = c->in[0].data, *y = c->out[0].data, *dy = c->d_out[0].data;
    struct rci_shape kept;
    int64_t count;
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    if (c->in[0].dtype != RC_F32)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the gradient of %s needs f32 operands",
                        c->node->name, c->node->op->name);
    RC_TRY(reduce_plan(c, &kept, &count));
    const struct reach r = reach_of(&c->in[0].shape, &kept, count);
    const int64_t n = rci_shape_count(&kept);
#pragma omp parallel for schedule(static) if (n * count >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = first_of(&r, i);
        reduce_back(kind, &r, x + at, (double) y[i], (double) dy[i], d + at);
    }
    return RC_OK;
}

/* A mean over channels changes when channels go, so reduced axes stay whole. */
static void reduce_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    const bool keep = ((const struct rci_reduce_attrs *) n->attrs)->keepdims != 0;
    uint32_t bits, at = 0;
    if (!s || rci_op_has(n, 1) || reduce_bits(n, NULL, s->rank, &bits) != RC_OK)
        return;
    for (uint32_t a = 0; a < s->rank; a++) {
        if (!(bits >> a & 1))
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, at++));
        else
            at += keep;
    }
}

static rc_status reduce_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_reduce_attrs *t = n->attrs;
    int64_t keepdims, noop = 0;
    RC_TRY(rci_attr_int(a, "keepdims", 1, &keepdims));
    if (rci_attrs_opset(a) >= operand_since(n))
        RC_TRY(rci_attr_int(a, "noop_with_empty_axes", 0, &noop));
    t->keepdims = keepdims != 0;
    t->noop = noop != 0;
    return rci_axes_read(a, operand_since(n), t->axes, &t->n);
}

static rc_status reduce_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                             const struct rci_tensor *alt, const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    struct rci_reduce_attrs *t = n->attrs;
    return rci_axes_bind(g, n, known, t->axes, &t->n);
}

static rc_status reduce_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_reduce_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "keepdims", t->keepdims));
    if (t->noop && t->n == 0) /* the attribute came with the operand; a list makes it moot */
        RC_TRY(rci_attr_write_since(w, operand_since(n), "noop_with_empty_axes"));
    if (t->noop && rci_attr_write_opset(w) >= operand_since(n))
        RC_TRY(rci_put_int(w, "noop_with_empty_axes", 1));
    return rci_axes_write(w, operand_since(n), t->axes, t->n);
}

static struct rci_cost reduce_cost(const struct rci_node *n, const struct rci_tensor *in,
                                   const struct rci_tensor *out)
{
    (void) n;
    (void) out;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&in[0].shape)};
}

/* Over the batch it mixes images. */
static bool reduce_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    uint32_t bits;
    (void) rank;
    return !rci_op_has(n, 1) && reduce_bits(n, NULL, x->rank, &bits) == RC_OK && !(bits & 1);
}

/* One element is its own mean, sum, largest, least and product. */
static bool reduce_keeps_elements(const struct rci_node *n)
{
    return n->op->variant <= REDUCE_PROD;
}

static bool reduce_drop_kept(struct rci_node *n)
{
    struct rci_reduce_attrs *t = n->attrs;
    const bool kept = t->keepdims && !rci_op_has(n, 1);
    if (kept)
        t->keepdims = 0;
    return kept;
}

static bool reduce_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_reduce_attrs *t = n->attrs;
    uint32_t bits, moved = 0, place[RC_MAX_DIMS], left = 0, at = 0;
    if (rci_op_has(n, 1) || reduce_bits(n, NULL, *rank, &bits) != RC_OK)
        return false;
    for (uint32_t a = 0; a < *rank; a++)
        moved |= (bits >> a & 1) << perm[a];
    /* where the axes that stay are in the result */
    for (uint32_t a = 0; a < *rank; a++) {
        place[a] = left;
        left += t->keepdims || !(moved >> a & 1);
    }
    for (uint32_t a = 0; a < *rank; a++)
        if (t->keepdims || !(bits >> a & 1))
            out[at++] = place[perm[a]];
    for (uint32_t a = t->n = 0; a < *rank && bits; a++)
        if (moved >> a & 1)
            t->axes[t->n++] = a;
    *rank = left;
    return true;
}

#define REDUCE(kind)                                                                               \
    RC_OP_ARITY(1, 2, 1, 1),                                                                       \
        .variant = (kind), .attr_size = sizeof(struct rci_reduce_attrs), .infer = reduce_infer,    \
        .forward = reduce_forward, .backward = reduce_backward, .separate = reduce_separate,       \
        .couple = reduce_couple, .read_attrs = reduce_read, .bind = reduce_bind,                   \
        .write_attrs = reduce_write, .cost = reduce_cost, .keeps_elements = reduce_keeps_elements, \
        .drop_kept = reduce_drop_kept, .permute = reduce_permute

const struct rci_op rci_op_reducel1 = {
    .name = "ReduceL1",
    REDUCE(REDUCE_L1),
    .sign = RC_SIGN_NON_NEGATIVE,
};
const struct rci_op rci_op_reducel2 = {
    .name = "ReduceL2",
    REDUCE(REDUCE_L2),
    .sign = RC_SIGN_NON_NEGATIVE,
};
const struct rci_op rci_op_reducelogsum = {
    .name = "ReduceLogSum",
    REDUCE(REDUCE_LOG),
};
const struct rci_op rci_op_reducelogsumexp = {
    .name = "ReduceLogSumExp",
    REDUCE(REDUCE_LOG_EXP),
};
const struct rci_op rci_op_reducemax = {
    .name = "ReduceMax",
    REDUCE(REDUCE_MAX),
    .sign = RC_SIGN_KEEPS,
};
const struct rci_op rci_op_reducemean = {
    .name = "ReduceMean",
    REDUCE(REDUCE_MEAN),
    .sign = RC_SIGN_KEEPS,
};
const struct rci_op rci_op_reducemin = {
    .name = "ReduceMin",
    REDUCE(REDUCE_MIN),
    .sign = RC_SIGN_KEEPS,
};
const struct rci_op rci_op_reduceprod = {
    .name = "ReduceProd",
    REDUCE(REDUCE_PROD),
    .sign = RC_SIGN_KEEPS,
};
const struct rci_op rci_op_reducesum = {
    .name = "ReduceSum",
    REDUCE(REDUCE_SUM),
    .sign = RC_SIGN_KEEPS,
};
const struct rci_op rci_op_reducesumsquare = {
    .name = "ReduceSumSquare",
    REDUCE(REDUCE_SQUARES),
    .sign = RC_SIGN_NON_NEGATIVE,
};
