/* MatMul: y = a * b over the last two axes, the others broadcast as in NumPy; a vector on either
 * side loses its axis again. */
#include "op/common.h"
#include "op/layers.h"
#include "op/linear/product.h"

#include <string.h>

struct plan {
    int64_t m, n, k, count;                 /* count: matrices in y */
    uint32_t rank;                          /* of the leading axes */
    int64_t dim[RC_MAX_DIMS];               /* leading axes of y */
    int64_t a[RC_MAX_DIMS], b[RC_MAX_DIMS]; /* strides along them, in elements */
};

/* Operand seen as [..., rows, columns]: a vector is a row on the left, a column on the right. */
static struct rci_shape as_matrices(const struct rci_shape *s, bool left)
{
    if (s->rank > 1)
        return *s;
    return left ? RC_SHAPE(1, s->dim[0]) : RC_SHAPE(s->dim[0], 1);
}

static struct rci_shape leading(const struct rci_shape *s)
{
    struct rci_shape l = *s;
    l.rank -= 2;
    return l;
}

/* False where inner lengths differ or leading axes do not broadcast. */
static bool plan_make(struct plan *p, const struct rci_shape *a_in, const struct rci_shape *b_in)
{
    const struct rci_shape a = as_matrices(a_in, true), b = as_matrices(b_in, false);
    const struct rci_shape la = leading(&a), lb = leading(&b);
    struct rci_shape l;
    memset(p, 0, sizeof(*p));
    p->m = a.dim[a.rank - 2];
    p->k = a.dim[a.rank - 1];
    p->n = b.dim[b.rank - 1];
    if (b.dim[b.rank - 2] != p->k || !rci_shape_broadcast(&la, &lb, &l))
        return false;
    p->rank = l.rank;
    p->count = rci_shape_count(&l);
    memcpy(p->dim, l.dim, sizeof(p->dim));
    rci_shape_strides(&la, &l, p->a);
    rci_shape_strides(&lb, &l, p->b);
    for (uint32_t i = 0; i < l.rank; i++) {
        p->a[i] *= p->m * p->k;
        p->b[i] *= p->k * p->n;
    }
    return true;
}

/* Elements before matrix number `matrix` of y in the operand with these strides. */
static int64_t offset_of(const struct plan *p, int64_t matrix, const int64_t *stride)
{
    int64_t at = 0;
    for (uint32_t i = p->rank; i-- > 0; matrix /= p->dim[i])
        at += matrix % p->dim[i] * stride[i];
    return at;
}

/* check_result() of graph/infer.c bounds the number of elements. */
static rc_status matmul_infer(const struct rci_infer *i)
{
    struct plan p;
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 0, "A", RC_DT_F32));
    RC_TRY(rci_op_check_type(i, 1, "B", RC_DT_F32));
    const struct rci_shape *sa = &i->in[0].shape, *sb = &i->in[1].shape;
    if (!sa->rank || !sb->rank || !plan_make(&p, sa, sb))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": shapes %s and %s cannot be multiplied",
                        i->node->name, rci_shape_text(sa, a), rci_shape_text(sb, b));
    struct rci_shape *y = &i->out[0].shape;
    y->rank = p.rank;
    memcpy(y->dim, p.dim, sizeof(y->dim));
    if (sa->rank > 1)
        y->dim[y->rank++] = p.m;
    if (sb->rank > 1)
        y->dim[y->rank++] = p.n;
    i->out[0].dtype = RC_F32;
    return RC_OK;
}

static rc_status matmul_forward(const struct rci_call *c)
{
    struct plan p;
    (void) plan_make(&p, &c->in[0].shape, &c->in[1].shape); /* infer accepted it */
    float *y = c->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < p.count * p.m; row++) {
        const int64_t matrix = row / p.m, i = row % p.m;
        const float *a = (const float *) c->in[0].data + offset_of(&p, matrix, p.a) + i * p.k;
        const float *b = (const float *) c->in[1].data + offset_of(&p, matrix, p.b);
        for (int64_t j = 0; j < p.n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < p.k; k++)
                sum += (double) a[k] * (double) b[k * p.n + j];
            y[row * p.n + j] = (float) sum;
        }
    }
    return RC_OK;
}

/* da = dy b', db = a' dy. Where an operand was broadcast, several matrices of y read its matrix
 * `own`: they are found by their offset, and sums run over them in order. */
static void backward_side(const struct rci_call *c, const struct plan *p, bool left)
{
    const float *dy = c->d_out[0].data, *other = c->in[left ? 1 : 0].data;
    float *d = c->d_in[left ? 0 : 1].data;
    const int64_t rows = left ? p->m : p->k, cols = left ? p->k : p->n, size = rows * cols;
    const int64_t total = rci_shape_count(&c->in[left ? 0 : 1].shape);
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < total; at++) {
        const int64_t own = at / size * size, r = at % size / cols, q = at % cols;
        double sum = 0;
        for (int64_t x = 0; x < p->count; x++) {
            if (offset_of(p, x, left ? p->a : p->b) != own)
                continue;
            const float *o = other + offset_of(p, x, left ? p->b : p->a);
            const float *g = dy + x * p->m * p->n;
            for (int64_t k = 0; k < (left ? p->n : p->m); k++)
                sum += left ? (double) g[r * p->n + k] * (double) o[q * p->n + k]
                            : (double) o[k * p->k + r] * (double) g[k * p->n + q];
        }
        d[at] = (float) sum;
    }
}

static rc_status matmul_backward(const struct rci_call *c)
{
    struct plan p;
    (void) plan_make(&p, &c->in[0].shape, &c->in[1].shape);
    if (c->d_in[0].data)
        backward_side(c, &p, true);
    if (c->d_in[1].data)
        backward_side(c, &p, false);
    return RC_OK;
}

static rc_status matmul_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_shape *a = &req->in[0].shape, *b = &req->in[1].shape;
    if (b->rank != 2 || a->rank < 2)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": not a matrix on the right",
                        req->node->name);
    const struct rci_product q = {
        .m = rci_shape_count(a) / b->dim[0], .n = b->dim[1], .k = b->dim[0]};
    return rci_product_prepare(req, p, &q);
}

static void matmul_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    const struct rci_shape *a = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *b = rci_links_shape(l, RC_IN(1, 0).operand);
    if (!a || !b || a->rank < 2 || b->rank != 2)
        return; /* silence keeps every length */
    for (uint32_t i = 0; i + 1 < a->rank; i++)
        rci_link_same(l, RC_IN(0, i), RC_OUT(0, i));
    rci_link_same(l, RC_IN(0, a->rank - 1), RC_IN(1, 0));
    rci_link_same(l, RC_IN(1, 1), RC_OUT(0, a->rank - 1));
}

static struct rci_cost matmul_cost(const struct rci_node *n, const struct rci_tensor *in,
                                   const struct rci_tensor *out)
{
    (void) n;
    const struct rci_shape *a = &in[0].shape;
    return (struct rci_cost){(uint64_t) (rci_shape_count(&out[0].shape) * a->dim[a->rank - 1]), 0};
}

static bool matmul_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    (void) rank;
    return rci_value_is_const(&g->values[n->in[1]]);
}

static void matmul_as_weighted(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_weighted *out)
{
    const uint32_t rank = g->values[n->in[1]].tensor.shape.rank;
    *out = (struct rci_weighted){.axis = rank ? rank - 1 : 0, .plain = true, .bias_factor = 1};
}

const struct rci_op rci_op_matmul = {
    .name = "MatMul",
    RC_OP_ARITY(2, 2, 1, 1),
    .trainable = 1 << 1,
    .quant = RC_QUANT_WEIGHTED,
    .infer = matmul_infer,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .prepare = matmul_prepare,
    .separate = matmul_separate,
    .couple = matmul_couple,
    .as_weighted = matmul_as_weighted,
    .cost = matmul_cost,
};
