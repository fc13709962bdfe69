/* Gemm: y = alpha * a' * b' + beta * c, where ' is a transpose if asked for and c broadcasts to
 * y. The usual case, a' plain and b' transposed, is a linear layer. */
#include "op/bias.h"
#include "op/common.h"
#include "op/layers.h"
#include "op/linear/product.h"

#include <math.h>

struct sizes {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col; /* strides of a' [m, k] and b' [k, n] */
    int64_t c_row, c_col;
};

/* Strides stand for transposes and for the broadcast of c (0 along axes of length 1), so that one
 * loop serves all cases. */
static struct sizes sizes_of(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_gemm_attrs *t = n->attrs;
    const int64_t *a = in[0].shape.dim, *b = in[1].shape.dim;
    struct sizes s = {.m = a[t->trans_a ? 1 : 0],
                      .k = a[t->trans_a ? 0 : 1],
                      .n = b[t->trans_b ? 0 : 1],
                      .a_row = t->trans_a ? 1 : a[1],
                      .a_col = t->trans_a ? a[1] : 1,
                      .b_row = t->trans_b ? 1 : b[1],
                      .b_col = t->trans_b ? b[1] : 1};
    if (n->n_in > 2 && in[2].dtype) {
        const struct rci_shape *c = &in[2].shape, y = RC_SHAPE(s.m, s.n);
        int64_t stride[RC_MAX_DIMS] = {0};
        rci_shape_strides(c, &y, stride);
        s.c_row = stride[0];
        s.c_col = stride[1];
    }
    return s;
}

/* c broadcasts to y, never y to c. */
static rc_status check_addend(const struct rci_infer *i, const struct rci_shape *y)
{
    struct rci_shape both;
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 2, "C", RC_DT_F32));
    const struct rci_shape *c = &i->in[2].shape;
    if (c->rank > 2 || !rci_shape_broadcast(c, y, &both) || !rci_shape_equal(&both, y))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": C has shape %s, must broadcast to %s",
                        i->node->name, rci_shape_text(c, a), rci_shape_text(y, b));
    return RC_OK;
}

static rc_status gemm_infer(const struct rci_infer *i)
{
    const struct rci_gemm_attrs *t = i->node->attrs;
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 0, "A", RC_DT_F32));
    RC_TRY(rci_op_check_type(i, 1, "B", RC_DT_F32));
    rci_shape_text(&i->in[0].shape, a);
    rci_shape_text(&i->in[1].shape, b);
    if (i->in[0].shape.rank != 2 || i->in[1].shape.rank != 2)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": operands have shapes %s and %s, must be matrices",
                        i->node->name, a, b);
    /* infinite factors would make NaN of every 0 */
    if (!isfinite(t->alpha) || !isfinite(t->beta))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": alpha %g and beta %g must be finite",
                        i->node->name, (double) t->alpha, (double) t->beta);
    const struct sizes s = sizes_of(i->node, (struct rci_tensor[3]){i->in[0], i->in[1]});
    const int64_t k = i->in[1].shape.dim[t->trans_b ? 1 : 0];
    if (s.k != k)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": %s%s times %s%s: inner lengths %lld and %lld must be equal",
                        i->node->name, a, t->trans_a ? "'" : "", b, t->trans_b ? "'" : "",
                        (long long) s.k, (long long) k);
    i->out[0].dtype = RC_F32;
    i->out[0].shape = RC_SHAPE(s.m, s.n);
    return rci_op_has(i->node, 2) ? check_addend(i, &i->out[0].shape) : RC_OK;
}

static const float *addend(const struct rci_call *c)
{
    return c->node->n_in > 2 ? c->in[2].data : NULL;
}

static rc_status gemm_forward(const struct rci_call *c)
{
    const struct rci_gemm_attrs *t = c->node->attrs;
    const struct sizes s = sizes_of(c->node, c->in);
    const float *a = c->in[0].data, *b = c->in[1].data, *add = addend(c);
    float *y = c->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < s.m * s.n; at++) {
        const int64_t i = at / s.n, j = at % s.n;
        double sum = 0;
        for (int64_t k = 0; k < s.k; k++)
            sum += (double) a[i * s.a_row + k * s.a_col] * (double) b[k * s.b_row + j * s.b_col];
        sum *= (double) t->alpha;
        if (add)
            sum += (double) t->beta * (double) add[i * s.c_row + j * s.c_col];
        y[at] = (float) sum;
    }
    return RC_OK;
}

/* da'[i,k] = alpha * sum_j dy[i,j] * b'[k,j] */
static void backward_a(const struct rci_call *c, const struct sizes *s, double alpha)
{
    const float *dy = c->d_out[0].data, *b = c->in[1].data;
    float *da = c->d_in[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < s->m * s->k; at++) {
        const int64_t i = at / s->k, k = at % s->k;
        double sum = 0;
        for (int64_t j = 0; j < s->n; j++)
            sum += (double) dy[i * s->n + j] * (double) b[k * s->b_row + j * s->b_col];
        da[i * s->a_row + k * s->a_col] = (float) (alpha * sum);
    }
}

/* db'[k,j] = alpha * sum_i a'[i,k] * dy[i,j] */
static void backward_b(const struct rci_call *c, const struct sizes *s, double alpha)
{
    const float *dy = c->d_out[0].data, *a = c->in[0].data;
    float *db = c->d_in[1].data;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < s->k * s->n; at++) {
        const int64_t k = at / s->n, j = at % s->n;
        double sum = 0;
        for (int64_t i = 0; i < s->m; i++)
            sum += (double) a[i * s->a_row + k * s->a_col] * (double) dy[i * s->n + j];
        db[k * s->b_row + j * s->b_col] = (float) (alpha * sum);
    }
}

/* dc = beta * dy summed over the axes along which c was repeated */
static void backward_c(const struct rci_call *c, const struct sizes *s, double beta)
{
    const float *dy = c->d_out[0].data;
    float *dc = c->d_in[2].data;
    const int64_t rows = s->c_row ? s->m : 1, cols = s->c_col ? s->n : 1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < cols; q++) {
            double sum = 0;
            for (int64_t i = s->c_row ? r : 0; i < (s->c_row ? r + 1 : s->m); i++)
                for (int64_t j = s->c_col ? q : 0; j < (s->c_col ? q + 1 : s->n); j++)
                    sum += (double) dy[i * s->n + j];
            dc[r * s->c_row + q * s->c_col] = (float) (beta * sum);
        }
}

static rc_status gemm_backward(const struct rci_call *c)
{
    const struct rci_gemm_attrs *t = c->node->attrs;
    const struct sizes s = sizes_of(c->node, c->in);
    if (c->d_in[0].data)
        backward_a(c, &s, (double) t->alpha);
    if (c->d_in[1].data)
        backward_b(c, &s, (double) t->alpha);
    if (c->node->n_in > 2 && c->d_in[2].data)
        backward_c(c, &s, (double) t->beta);
    return RC_OK;
}

/* c is one value per column of y (or absent) and nothing is scaled: a linear layer. */
static bool is_linear(const struct rci_node *n, const struct rci_tensor *c, int64_t columns)
{
    const struct rci_gemm_attrs *t = n->attrs;
    if (t->trans_a || t->alpha != 1)
        return false;
    if (!c)
        return true;
    const uint32_t r = c->shape.rank;
    return t->beta == 1 && r >= 1 && rci_shape_count(&c->shape) == columns &&
           c->shape.dim[r - 1] == columns;
}

/* Scaled products and sums of matrices are not layers; the loop above computes them. */
static rc_status gemm_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_gemm_attrs *t = req->node->attrs;
    const struct sizes s = sizes_of(req->node, req->in);
    const bool has_c = req->node->n_in > 2 && req->in[2].dtype;
    if (!is_linear(req->node, has_c ? &req->in[2] : NULL, s.n))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": not a linear layer", req->node->name);
    const struct rci_product q = {
        .m = s.m, .n = s.n, .k = s.k, .transposed = t->trans_b, .bias = has_c};
    return rci_product_prepare(req, p, &q);
}

static void gemm_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_gemm_attrs *t = n->attrs;
    const uint32_t a_row = t->trans_a ? 1 : 0, b_col = t->trans_b ? 0 : 1;
    rci_link_same(l, RC_IN(0, 1 - a_row), RC_IN(1, 1 - b_col));
    rci_link_same(l, RC_IN(0, a_row), RC_OUT(0, 0));
    rci_link_same(l, RC_IN(1, b_col), RC_OUT(0, 1));
    const struct rci_shape *c = rci_links_shape(l, RC_IN(2, 0).operand);
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    if (c && y && c->rank && c->dim[c->rank - 1] == y->dim[1])
        rci_link_same(l, RC_IN(2, c->rank - 1), RC_OUT(0, 1));
}

/* Weights must be constant, and so must the bias; where there is none it is made. */
static bool gemm_absorbs(const struct rc_graph *g, const struct rci_node *n)
{
    const struct rci_tensor *w = rci_const_in(g, n, 1), *c = rci_const_in(g, n, 2);
    const struct rci_gemm_attrs *t = n->attrs;
    if (n->n_post || !w || (rci_op_has(n, 2) && !c))
        return false;
    return is_linear(n, c, w->shape.dim[t->trans_b ? 0 : 1]) && t->beta == 1;
}

static rc_status gemm_absorb(struct rc_graph *g, struct rci_node *n, const struct rci_affine *a)
{
    const struct rci_gemm_attrs *t = n->attrs;
    RC_TRY(rci_op_need_bias(g, n, a->channels));
    const struct rci_tensor *w = rci_const_in(g, n, 1);
    float *weights = w->data, *bias = rci_const_in(g, n, 2)->data;
    const int64_t rows = w->shape.dim[0], cols = w->shape.dim[1];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            /* output features are rows of [n, k], columns of [k, n] */
            weights[i * cols + j] *= a->scale[t->trans_b ? i : j];
    for (uint32_t k = 0; k < a->channels; k++)
        bias[k] = bias[k] * a->scale[k] + a->shift[k];
    return RC_OK;
}

static rc_status gemm_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_gemm_attrs *t = n->attrs;
    int64_t trans_a, trans_b;
    RC_TRY(rci_attr_float(a, "alpha", 1, &t->alpha));
    RC_TRY(rci_attr_float(a, "beta", 1, &t->beta));
    RC_TRY(rci_attr_int(a, "transA", 0, &trans_a));
    RC_TRY(rci_attr_int(a, "transB", 0, &trans_b));
    t->trans_a = trans_a != 0;
    t->trans_b = trans_b != 0;
    return RC_OK;
}

static rc_status gemm_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_gemm_attrs *t = n->attrs;
    RC_TRY(rci_put_float(w, "alpha", t->alpha));
    RC_TRY(rci_put_float(w, "beta", t->beta));
    RC_TRY(rci_put_int(w, "transA", t->trans_a));
    return rci_put_int(w, "transB", t->trans_b);
}

static struct rci_cost gemm_cost(const struct rci_node *n, const struct rci_tensor *in,
                                 const struct rci_tensor *out)
{
    const struct rci_gemm_attrs *t = n->attrs;
    const int64_t k = in[0].shape.dim[t->trans_a ? 0 : 1];
    return (struct rci_cost){(uint64_t) (rci_shape_count(&out[0].shape) * k), 0};
}

/* With a transposed, axis 0 of a is not that of y. */
static bool gemm_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    (void) g;
    (void) rank;
    return !((const struct rci_gemm_attrs *) n->attrs)->trans_a;
}

static void gemm_as_weighted(const struct rc_graph *g, const struct rci_node *n,
                             struct rci_weighted *out)
{
    const struct rci_gemm_attrs *a = n->attrs;
    (void) g;
    *out = (struct rci_weighted){
        .axis = a->trans_b ? 0 : 1, .plain = !a->trans_a && a->alpha == 1, .bias_factor = a->beta};
}

const struct rci_op rci_op_gemm = {
    .name = "Gemm",
    RC_OP_ARITY(2, 3, 1, 1),
    .attr_size = sizeof(struct rci_gemm_attrs),
    .flags = RC_OP_POSTS,
    .trainable = 1 << 1 | 1 << 2,
    .quant = RC_QUANT_WEIGHTED,
    .infer = gemm_infer,
    .forward = gemm_forward,
    .backward = gemm_backward,
    .prepare = gemm_prepare,
    .separate = gemm_separate,
    .as_weighted = gemm_as_weighted,
    .couple = gemm_couple,
    .absorbs_affine = gemm_absorbs,
    .absorb_affine = gemm_absorb,
    .read_attrs = gemm_read,
    .write_attrs = gemm_write,
    .cost = gemm_cost,
};
