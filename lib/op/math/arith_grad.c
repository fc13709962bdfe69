/* Gradients of out = a (+ - * /) b. With g = d_out:
 *   +  da = g    db = g          -  da = g    db = -g
 *   *  da = g*b  db = g*a        /  da = g/b  db = -g*a/b^2
 * and of the operators in pairs.c,
 * each summed over the axes along which the operand was broadcast, in double precision and in an
 * order that does not depend on the number of threads. */
#include "op/common.h"
#include "op/math/broadcast.h"

#include <math.h>

/* The axes of `out` split into those the operand keeps and those it is summed over. */
struct split {
    uint32_t n_keep, n_sum;
    int64_t keep_dim[RC_MAX_DIMS], sum_dim[RC_MAX_DIMS];
    /* strides of g, the operands a and b, per axis */
    int64_t keep[RC_MAX_DIMS][3], sum[RC_MAX_DIMS][3];
    int64_t keep_count, sum_count; /* products of the outer axes: without the row's own */
    int64_t row, row_stride[3];    /* innermost axis */
    bool row_summed;
};

/* Places of the strides of g, a and b; elements summed before a sum goes to memory. */
enum { SG = 0, SA = 1, SB = 2, BLOCK = 256 };

/* One product of the sum: g times the slope of out at (a, b). */
struct term {
    enum rci_arith kind;
    bool second; /* gradient by b */
    const float *p[3];
};

static struct split split_axes(const struct rci_shape *out, const int64_t *a, const int64_t *b,
                               const int64_t *own)
{
    struct split s = {.keep_count = 1, .sum_count = 1, .row = 1};
    int64_t g[RC_MAX_DIMS], step = 1;
    for (uint32_t k = out->rank; k-- > 0; step *= out->dim[k])
        g[k] = step;
    uint32_t rank = out->rank;
    while (rank && out->dim[rank - 1] == 1)
        rank--;
    if (rank) { /* the row: the innermost axis, and those before it of the same sort */
        const uint32_t last = --rank;
        s.row = out->dim[last];
        s.row_summed = own[last] == 0;
        s.row_stride[SG] = g[last];
        s.row_stride[SA] = a[last];
        s.row_stride[SB] = b[last];
        while (rank && (out->dim[rank - 1] == 1 ||
                        (a[rank - 1] == a[last] * s.row && b[rank - 1] == b[last] * s.row &&
                         g[rank - 1] == g[last] * s.row)))
            s.row *= out->dim[--rank];
    }
    for (uint32_t k = 0; k < rank; k++) {
        if (out->dim[k] == 1)
            continue;
        const bool summed = own[k] == 0;
        const uint32_t at = summed ? s.n_sum++ : s.n_keep++;
        int64_t *stride = summed ? s.sum[at] : s.keep[at];
        stride[SG] = g[k];
        stride[SA] = a[k];
        stride[SB] = b[k];
        (summed ? s.sum_dim : s.keep_dim)[at] = out->dim[k];
        *(summed ? &s.sum_count : &s.keep_count) *= out->dim[k];
    }
    return s;
}

/* Adds to at[] the offsets of index number `index` of the given axes, the last one fastest. */
static void offsets(int64_t index, uint32_t n, const int64_t *dim, const int64_t (*stride)[3],
                    int64_t *at)
{
    for (uint32_t k = n; k-- > 0; index /= dim[k])
        for (int i = 0; i < 3; i++)
            at[i] += index % dim[k] * stride[k][i];
}

/* d out / d a, or d b, of the operators that are not worth a loop of their own. Of equal operands
 * the first is the larger and the smaller one. */
static double slope(enum rci_arith kind, bool second, double a, double b)
{
    switch (kind) {
    case RC_ARITH_DIV:
        return second ? -a / (b * b) : 1 / b;
    /* log(a) of a <= 0 is none; 0^0 = 1 does not depend on the base */
    case RC_ARITH_POW:
        return second ? (a > 0 ? pow(a, b) * log(a) : 0) : b == 0 ? 0 : b * pow(a, b - 1);
    case RC_ARITH_MAX:
        return (a >= b) != second;
    case RC_ARITH_MIN:
        return (a <= b) != second;
    /* a: input, b: slope */
    case RC_ARITH_PRELU:
        return second ? (a < 0 ? a : 0) : a < 0 ? b : 1;
    default:
        return 0;
    }
}

static void term_row(const struct term *t, const int64_t *at, const int64_t *stride, int64_t n,
                     double *out)
{
    const float *g = t->p[SG] + at[SG];
    const int64_t sg = stride[SG], sa = stride[SA], sb = stride[SB];
    if (t->kind == RC_ARITH_ADD || t->kind == RC_ARITH_SUB) {
        const double sign = t->kind == RC_ARITH_SUB && t->second ? -1 : 1;
        for (int64_t i = 0; i < n; i++)
            out[i] = sign * (double) g[i * sg];
        return;
    }
    const float *a = t->p[SA] + at[SA], *b = t->p[SB] + at[SB];
    if (t->kind == RC_ARITH_MUL) {
        const float *o = t->second ? a : b;
        const int64_t so = t->second ? sa : sb;
        for (int64_t i = 0; i < n; i++)
            out[i] = (double) g[i * sg] * (double) o[i * so];
        return;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] =
            (double) g[i * sg] * slope(t->kind, t->second, (double) a[i * sa], (double) b[i * sb]);
}

/* One piece of the result: `n` neighbouring elements when the row is kept, one when it is summed.
 */
static void sum_piece(const struct split *s, const struct term *t, const int64_t *base, int64_t n,
                      double *acc)
{
    double tmp[BLOCK];
    for (int64_t i = 0; i < (s->row_summed ? 1 : n); i++)
        acc[i] = 0;
    for (int64_t k = 0; k < s->sum_count; k++) {
        int64_t at[3] = {base[0], base[1], base[2]};
        offsets(k, s->n_sum, s->sum_dim, s->sum, at);
        if (!s->row_summed) {
            term_row(t, at, s->row_stride, n, tmp);
            for (int64_t i = 0; i < n; i++)
                acc[i] += tmp[i];
            continue;
        }
        for (int64_t first = 0; first < s->row; first += BLOCK) {
            const int64_t m = s->row - first < BLOCK ? s->row - first : BLOCK;
            term_row(t, at, s->row_stride, m, tmp);
            double sum = 0;
            for (int64_t i = 0; i < m; i++)
                sum += tmp[i];
            acc[0] += sum;
            for (int i = 0; i < 3; i++)
                at[i] += m * s->row_stride[i];
        }
    }
}

/* `own`: strides of the operand whose gradient is wanted; its elements are visited in order, since
 * the kept axes are exactly its axes. */
static void sum_terms(const struct split *s, const struct term *t, float *out, double factor)
{
    const int64_t pieces = s->row_summed ? 1 : (s->row + BLOCK - 1) / BLOCK;
    const int64_t width = s->row_summed ? 1 : s->row;
    const int64_t work = s->keep_count * s->sum_count * s->row;
#pragma omp parallel for schedule(static) if (work >= RC_PARALLEL_MIN)
    for (int64_t j = 0; j < s->keep_count * pieces; j++) {
        const int64_t first = j % pieces * BLOCK;
        const int64_t n = width - first < BLOCK ? width - first : BLOCK;
        double acc[BLOCK];
        int64_t at[3];
        for (int i = 0; i < 3; i++)
            at[i] = first * s->row_stride[i];
        offsets(j / pieces, s->n_keep, s->keep_dim, s->keep, at);
        sum_piece(s, t, at, n, acc);
        for (int64_t i = 0; i < n; i++)
            out[j / pieces * width + first + i] = (float) (acc[i] * factor);
    }
}

rc_status rci_arith_backward(const struct rci_call *c)
{
    const enum rci_arith kind = (enum rci_arith) c->node->op->variant;
    const struct rci_shape *out = &c->out[0].shape;
    int64_t stride[2][RC_MAX_DIMS];
    for (int i = 0; i < 2; i++)
        rci_shape_strides(&c->in[i].shape, out, stride[i]);
    for (int i = 0; i < 2; i++) {
        if (!c->d_in[i].data)
            continue;
        const struct split s = split_axes(out, stride[0], stride[1], stride[i]);
        const struct term t = {kind, i == 1, {c->d_out[0].data, c->in[0].data, c->in[1].data}};
        sum_terms(&s, &t, c->d_in[i].data, 1);
    }
    return RC_OK;
}

void rci_sum_to(const float *x, const struct rci_shape *shape, float *out,
                const struct rci_shape *out_shape, double factor)
{
    int64_t stride[RC_MAX_DIMS];
    rci_shape_strides(out_shape, shape, stride);
    const struct split s = split_axes(shape, stride, stride, stride);
    const struct term t = {RC_ARITH_ADD, false, {x, NULL, NULL}};
    sum_terms(&s, &t, out, factor);
}
