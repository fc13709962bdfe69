/* out = a (+ - * /) b with NumPy broadcasting. Neighbouring axes that step alike are merged, so
 * that a residual join is one long row and an SE gate [N,C,1,1] one row per channel. */
#include "op/math/broadcast.h"
#include "op/common.h"

struct bcast {
    uint32_t rank;
    int64_t dim[RC_MAX_DIMS], a[RC_MAX_DIMS], b[RC_MAX_DIMS];
};

/* Axes of length 1 go; axis k joins the one before where both operands step on as if they were one
 * axis. */
static struct bcast bcast_merge(const struct rci_shape *out, const int64_t *a, const int64_t *b)
{
    struct bcast m = {0};
    for (uint32_t k = 0; k < out->rank; k++) {
        const int64_t n = out->dim[k];
        if (n == 1)
            continue;
        const uint32_t p = m.rank - 1;
        if (m.rank && m.a[p] == a[k] * n && m.b[p] == b[k] * n) {
            m.dim[p] *= n;
            m.a[p] = a[k];
            m.b[p] = b[k];
            continue;
        }
        m.dim[m.rank] = n;
        m.a[m.rank] = a[k];
        m.b[m.rank++] = b[k];
    }
    if (!m.rank) {
        m.rank = 1;
        m.dim[0] = m.a[0] = m.b[0] = 1;
    }
    return m;
}

rc_status rci_broadcast_infer(const struct rci_infer *i, uint32_t allowed)
{
    RC_TRY(rci_op_check_type(i, 0, "A", allowed));
    RC_TRY(rci_op_check_type(i, 1, "B", allowed));
    if (i->in[0].dtype != i->in[1].dtype)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": operands of type %s and %s, must be equal",
                        i->node->name, rci_dtype_name(i->in[0].dtype),
                        rci_dtype_name(i->in[1].dtype));
    return rci_broadcast_shape(i);
}

rc_status rci_broadcast_shape(const struct rci_infer *i)
{
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    if (!rci_shape_broadcast(&i->in[0].shape, &i->in[1].shape, &i->out[0].shape))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": shapes %s and %s do not broadcast",
                        i->node->name, rci_shape_text(&i->in[0].shape, a),
                        rci_shape_text(&i->in[1].shape, b));
    i->out[0].dtype = i->in[0].dtype;
    return rci_op_check_count(i->node, &i->out[0].shape);
}

rc_status rci_arith_infer(const struct rci_infer *i)
{
    return rci_broadcast_infer(i, RC_DT_NUMBER);
}

/* `wide` is the type sums and products wrap around in; `quotient` guards integer division. */
#define ARITH_ROW(suffix, type, wide, quotient)                                         \
    static void arith_row_##suffix(uint32_t kind, int64_t n, const void *a, int64_t sa, \
                                   const void *b, int64_t sb, void *y)                  \
    {                                                                                   \
        const type *pa = a, *pb = b;                                                    \
        type *restrict py = y;                                                          \
        if (kind == RC_ARITH_ADD)                                                       \
            RC_BROADCAST_LOOP(type, type, (wide) p + (wide) q);                         \
        else if (kind == RC_ARITH_SUB)                                                  \
            RC_BROADCAST_LOOP(type, type, (wide) p - (wide) q);                         \
        else if (kind == RC_ARITH_MUL)                                                  \
            RC_BROADCAST_LOOP(type, type, (wide) p *(wide) q);                          \
        else                                                                            \
            RC_BROADCAST_LOOP(type, type, quotient);                                    \
    }

/* Integer division by zero gives 0 and MIN / -1 wraps: both trap on x86, and ONNX leaves them
 * undefined. q + 1 == 0 is q == -1 for signed types. */
#define INT_QUOTIENT(wide) (q == 0 ? 0 : q + 1 == 0 ? (wide) 0 - (wide) p : (wide) (p / q))

ARITH_ROW(f32, float, float, p / q)
ARITH_ROW(f64, double, double, p / q)
ARITH_ROW(i64, int64_t, uint64_t, INT_QUOTIENT(uint64_t))
ARITH_ROW(i32, int32_t, uint32_t, INT_QUOTIENT(uint32_t))
ARITH_ROW(s8, int8_t, int32_t, q == 0 ? 0 : p / q)
ARITH_ROW(u8, uint8_t, uint32_t, q == 0 ? 0 : p / q)

static rci_broadcast_row *arith_row_of(enum rci_dtype d)
{
    switch (d) {
    case RC_F64:
        return arith_row_f64;
    case RC_I64:
        return arith_row_i64;
    case RC_I32:
        return arith_row_i32;
    case RC_S8:
        return arith_row_s8;
    case RC_U8:
        return arith_row_u8;
    default:
        return arith_row_f32;
    }
}

/* Rows of at most this many elements, so that one long axis is shared by the threads too. */
enum { ARITH_ROW_MAX = 1 << 14 };

rc_status rci_broadcast_run(const struct rci_call *c, rci_broadcast_row *run)
{
    const uint32_t kind = c->node->op->variant;
    const struct rci_tensor *out = &c->out[0];
    int64_t sa[RC_MAX_DIMS], sb[RC_MAX_DIMS];
    rci_shape_strides(&c->in[0].shape, &out->shape, sa);
    rci_shape_strides(&c->in[1].shape, &out->shape, sb);
    const struct bcast m = bcast_merge(&out->shape, sa, sb);
    const uint32_t last = m.rank - 1;
    const int64_t total = rci_shape_count(&out->shape), inner = m.dim[last];
    if (total == 0)
        return RC_OK;
    /* a unit of work is a piece of one row */
    const int64_t pieces = (inner + ARITH_ROW_MAX - 1) / ARITH_ROW_MAX, rows = total / inner;
    const int64_t size = (int64_t) rci_dtype_size(out->dtype);
    const int64_t size_a = (int64_t) rci_dtype_size(c->in[0].dtype);
    const int64_t size_b = (int64_t) rci_dtype_size(c->in[1].dtype);
#pragma omp parallel for schedule(static) if (total >= RC_PARALLEL_MIN)
    for (int64_t t = 0; t < rows * pieces; t++) {
        const int64_t row = t / pieces, first = t % pieces * ARITH_ROW_MAX;
        const int64_t n = inner - first < ARITH_ROW_MAX ? inner - first : ARITH_ROW_MAX;
        int64_t a = first * m.a[last], b = first * m.b[last], r = row;
        for (uint32_t k = last; k-- > 0; r /= m.dim[k]) {
            a += r % m.dim[k] * m.a[k];
            b += r % m.dim[k] * m.b[k];
        }
        run(kind, n, (const char *) c->in[0].data + a * size_a, m.a[last],
            (const char *) c->in[1].data + b * size_b, m.b[last],
            (char *) out->data + (row * inner + first) * size);
    }
    return RC_OK;
}

rc_status rci_arith_forward(const struct rci_call *c)
{
    return rci_broadcast_run(c, arith_row_of(c->out[0].dtype));
}

/* A length-1 axis is repeated, so it has no channels to couple. */
void rci_arith_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    for (int32_t i = 0; i < 2; i++) {
        const struct rci_shape *x = rci_links_shape(l, i);
        for (uint32_t a = 0; x && a < x->rank; a++) {
            const uint32_t ya = a + y->rank - x->rank;
            if (x->dim[a] == y->dim[ya])
                rci_link_same(l, RC_IN(i, a), RC_OUT(0, ya));
        }
    }
}

/* Index of the constant operand when it is one number per channel or one in all, else -1. k / x
 * is not affine in x. */
static int affine_operand(const struct rc_graph *g, const struct rci_node *n)
{
    for (int i = 1; i >= 0; i--) {
        const struct rci_tensor *k = rci_const_in(g, n, (uint32_t) i);
        const struct rci_tensor *x = &g->values[n->in[1 - i]].tensor;
        if (!k || k->dtype != RC_F32 || x->data || x->shape.rank < 2 ||
            k->shape.rank > x->shape.rank || (i == 0 && n->op->variant == RC_ARITH_DIV))
            continue;
        bool fits = true;
        for (uint32_t a = 0; a < k->shape.rank; a++) {
            const uint32_t xa = a + x->shape.rank - k->shape.rank;
            const int64_t len = k->shape.dim[a];
            fits &= len == 1 || (xa == 1 && len == x->shape.dim[1]);
        }
        if (fits)
            return i;
    }
    return -1;
}

bool rci_arith_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return affine_operand(g, n) >= 0;
}

rc_status rci_arith_as_affine(const struct rc_graph *g, const struct rci_node *n,
                              struct rci_affine *out)
{
    const enum rci_arith kind = (enum rci_arith) n->op->variant;
    const int i = affine_operand(g, n);
    if (i < 0)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": not an affine map per channel", n->name);
    const struct rci_tensor *k = &g->values[n->in[i]].tensor;
    const int64_t channels = g->values[n->in[1 - i]].tensor.shape.dim[1];
    const bool one = rci_shape_count(&k->shape) == 1;
    out->channels = (uint32_t) channels;
    out->scale = rci_alloc_array(g->ctx, (size_t) channels, sizeof(float));
    out->shift = rci_alloc_array(g->ctx, (size_t) channels, sizeof(float));
    if (!out->scale || !out->shift) {
        rci_release(out->scale);
        rci_release(out->shift);
        out->scale = out->shift = NULL;
        return RC_ERR_MEMORY;
    }
    for (int64_t c = 0; c < channels; c++) {
        const float v = ((const float *) k->data)[one ? 0 : c];
        const bool scales = kind == RC_ARITH_MUL || kind == RC_ARITH_DIV;
        out->scale[c] = kind == RC_ARITH_MUL             ? v
                        : kind == RC_ARITH_DIV           ? 1 / v
                        : kind == RC_ARITH_SUB && i == 0 ? -1
                                                         : 1;
        out->shift[c] = scales ? 0 : kind == RC_ARITH_SUB && i == 1 ? -v : v;
    }
    return RC_OK;
}
