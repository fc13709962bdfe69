/* Pow, Max, Min and PRelu: two operands with NumPy broadcasting, as Add has them. Max and Min of
 * more operands are chains (op/rewrite/joins.c). */
#include "op/common.h"
#include "op/math/broadcast.h"

#include <math.h>

/* --- Max, Min: NaN stays --- */

/* p != p only for NaN; a NaN in q fails p > q and is taken. */
#define LARGER_OR_NAN (p != p || p > q ? p : q)
#define SMALLER_OR_NAN (p != p || p < q ? p : q)
#define EXTREME_ROW(suffix, type)                                                         \
    static void extreme_row_##suffix(uint32_t kind, int64_t n, const void *a, int64_t sa, \
                                     const void *b, int64_t sb, void *y)                  \
    {                                                                                     \
        const type *pa = a, *pb = b;                                                      \
        type *restrict py = y;                                                            \
        if (kind == RC_ARITH_MAX)                                                         \
            RC_BROADCAST_LOOP(type, type, LARGER_OR_NAN);                                 \
        else                                                                              \
            RC_BROADCAST_LOOP(type, type, SMALLER_OR_NAN);                                \
    }
EXTREME_ROW(f32, float)
EXTREME_ROW(f64, double)
EXTREME_ROW(i64, int64_t)
EXTREME_ROW(i32, int32_t)
EXTREME_ROW(s8, int8_t)
EXTREME_ROW(u8, uint8_t)

static rc_status extreme_forward(const struct rci_call *c)
{
    static rci_broadcast_row *const rows[] = {
        [RC_F32] = extreme_row_f32, [RC_F64] = extreme_row_f64, [RC_I64] = extreme_row_i64,
        [RC_I32] = extreme_row_i32, [RC_S8] = extreme_row_s8,   [RC_U8] = extreme_row_u8};
    return rci_broadcast_run(c, rows[c->out[0].dtype]);
}

/* --- PRelu: y = x for x >= 0, slope * x below --- */

/* Old exporters give one slope per channel of an image as [C] instead of [C, 1, 1]. */
static bool prelu_by_channel(const struct rci_shape *x, const struct rci_shape *slope)
{
    return x->rank > 2 && slope->rank == 1 && slope->dim[0] == x->dim[1] && slope->dim[0] != 1 &&
           slope->dim[0] != x->dim[x->rank - 1];
}

/* The operands with a slope that broadcasts. */
static void prelu_operands(const struct rci_tensor *in, struct rci_tensor out[2])
{
    const struct rci_shape *x = &in[0].shape;
    out[0] = in[0];
    out[1] = in[1];
    if (!prelu_by_channel(x, &in[1].shape))
        return;
    out[1].shape.rank = x->rank - 1;
    for (uint32_t a = 1; a < out[1].shape.rank; a++)
        out[1].shape.dim[a] = 1;
}

static rc_status prelu_infer(const struct rci_infer *i)
{
    char x[RC_SHAPE_TEXT], slope[RC_SHAPE_TEXT];
    struct rci_tensor in[2];
    prelu_operands(i->in, in);
    const struct rci_infer j = {i->g, i->node, in, i->out};
    RC_TRY(rci_broadcast_infer(&j, RC_DT_F32));
    if (rci_shape_equal(&i->out[0].shape, &i->in[0].shape))
        return RC_OK;
    return rci_fail(RC_ERR_SHAPE, "node \"%s\": slope of shape %s does not broadcast to input %s",
                    i->node->name, rci_shape_text(&i->in[1].shape, slope),
                    rci_shape_text(&i->in[0].shape, x));
}

static void prelu_row(uint32_t kind, int64_t n, const void *a, int64_t sa, const void *b,
                      int64_t sb, void *y)
{
    const float *pa = a, *pb = b;
    float *restrict py = y;
    (void) kind;
    RC_BROADCAST_LOOP(float, float, p < 0 ? p * q : p);
}

static rc_status prelu_forward(const struct rci_call *c)
{
    struct rci_tensor in[2];
    struct rci_call call = *c;
    prelu_operands(c->in, in);
    call.in = in;
    return rci_broadcast_run(&call, prelu_row);
}

static rc_status prelu_backward(const struct rci_call *c)
{
    struct rci_tensor in[2];
    struct rci_call call = *c;
    prelu_operands(c->in, in);
    call.in = in;
    return rci_arith_backward(&call);
}

/* [C] that stands for [C, 1, 1] does not broadcast, so the general rule does not see it. */
static void prelu_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, 0), *slope = rci_links_shape(l, 1);
    rci_arith_couple(n, l);
    if (x && slope && prelu_by_channel(x, slope))
        rci_link_same(l, RC_IN(0, 1), RC_IN(1, 0));
}

/* --- Pow: the exponent may have a type of its own --- */

enum { POW_TYPES = RC_DT_F32 | 1 << RC_F64 | RC_DT_INDEX };

/* The result has the base's type, since opset 12 whatever the exponent's is. */
static rc_status pow_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "X", POW_TYPES));
    RC_TRY(rci_op_check_type(i, 1, "Y", POW_TYPES));
    return rci_broadcast_shape(i);
}

static void pow_row_f32(uint32_t kind, int64_t n, const void *a, int64_t sa, const void *b,
                        int64_t sb, void *y)
{
    const float *pa = a, *pb = b;
    float *restrict py = y;
    (void) kind;
    /* 0 * q: the macro wants q used; 2 is finite, so it adds nothing */
    if (sb == 0 && *pb == 2) /* as in variances */
        RC_BROADCAST_LOOP(float, float, p *p + 0 * q);
    else
        RC_BROADCAST_LOOP(float, float, powf(p, q));
}

/* Operands of any type, rows of the result's type: each row is computed in doubles. */
#define POW_ROW(base, exponent, x_type, y_type)                                                  \
    static void pow_row_##base##_##exponent(uint32_t kind, int64_t n, const void *a, int64_t sa, \
                                            const void *b, int64_t sb, void *y)                  \
    {                                                                                            \
        const x_type *pa = a;                                                                    \
        const y_type *pb = b;                                                                    \
        x_type *py = y;                                                                          \
        (void) kind;                                                                             \
        for (int64_t i = 0; i < n; i++)                                                          \
            py[i] = (x_type) pow((double) pa[i * sa], (double) pb[i * sb]);                      \
    }
#define POW_BASE(base, type)         \
    POW_ROW(base, f32, type, float)  \
    POW_ROW(base, f64, type, double) \
    POW_ROW(base, i64, type, int64_t) POW_ROW(base, i32, type, int32_t)
POW_BASE(f32, float)
POW_BASE(f64, double)
POW_BASE(i64, int64_t)
POW_BASE(i32, int32_t)

static int pow_type(enum rci_dtype d)
{
    return d == RC_F32 ? 0 : d == RC_F64 ? 1 : d == RC_I64 ? 2 : 3;
}

static rc_status pow_forward(const struct rci_call *c)
{
#define POW_LINE(base)                                                                         \
    {                                                                                          \
        pow_row_##base##_f32, pow_row_##base##_f64, pow_row_##base##_i64, pow_row_##base##_i32 \
    }
    static rci_broadcast_row *const rows[4][4] = {POW_LINE(f32), POW_LINE(f64), POW_LINE(i64),
                                                  POW_LINE(i32)};
    const int x = pow_type(c->in[0].dtype), y = pow_type(c->in[1].dtype);
    return rci_broadcast_run(c, x == 0 && y == 0 ? pow_row_f32 : rows[x][y]);
}

/* An exponent of integers has no gradient. */
static rc_status pow_backward(const struct rci_call *c)
{
    if (c->in[0].dtype == RC_F32 && c->in[1].dtype == RC_F32)
        return rci_arith_backward(c);
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the gradient of Pow needs f32 operands",
                    c->node->name);
}

#define PAIR(kind) RC_OP_ARITY(2, 2, 1, 1), .variant = (kind), .cost = rci_op_cost_elementwise

const struct rci_op rci_op_max = {
    .name = "Max",
    PAIR(RC_ARITH_MAX),
    .couple = rci_arith_couple,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_KEEPS,
    .infer = rci_arith_infer,
    .forward = extreme_forward,
    .backward = rci_arith_backward,
};

const struct rci_op rci_op_min = {
    .name = "Min",
    PAIR(RC_ARITH_MIN),
    .couple = rci_arith_couple,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_KEEPS,
    .infer = rci_arith_infer,
    .forward = extreme_forward,
    .backward = rci_arith_backward,
};

const struct rci_op rci_op_prelu = {
    .name = "PRelu",
    PAIR(RC_ARITH_PRELU),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .trainable = 1 << 1,
    .infer = prelu_infer,
    .forward = prelu_forward,
    .backward = prelu_backward,
    .couple = prelu_couple,
};

const struct rci_op rci_op_pow = {
    .name = "Pow",
    PAIR(RC_ARITH_POW),
    .couple = rci_arith_couple,
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .infer = pow_infer,
    .forward = pow_forward,
    .backward = pow_backward,
};
