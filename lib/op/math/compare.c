/* Equal, Less, LessOrEqual, Greater, GreaterOrEqual: truth of a comparison, with NumPy
 * broadcasting. And, Or, Xor, Not: of truths. */
#include "op/common.h"
#include "op/math/broadcast.h"
#include "op/math/map.h"

enum compare { EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, AND, OR, XOR }; /* op->variant */

#define COMPARE_ROW(suffix, type)                                                         \
    static void compare_row_##suffix(uint32_t kind, int64_t n, const void *a, int64_t sa, \
                                     const void *b, int64_t sb, void *y)                  \
    {                                                                                     \
        const type *pa = a, *pb = b;                                                      \
        uint8_t *restrict py = y;                                                         \
        if (kind == EQUAL)                                                                \
            RC_BROADCAST_LOOP(type, uint8_t, p == q);                                     \
        else if (kind == LESS)                                                            \
            RC_BROADCAST_LOOP(type, uint8_t, p < q);                                      \
        else if (kind == LESS_EQUAL)                                                      \
            RC_BROADCAST_LOOP(type, uint8_t, p <= q);                                     \
        else if (kind == GREATER)                                                         \
            RC_BROADCAST_LOOP(type, uint8_t, p > q);                                      \
        else                                                                              \
            RC_BROADCAST_LOOP(type, uint8_t, p >= q);                                     \
    }
COMPARE_ROW(f32, float)
COMPARE_ROW(f64, double)
COMPARE_ROW(i64, int64_t)
COMPARE_ROW(i32, int32_t)
COMPARE_ROW(s8, int8_t)
COMPARE_ROW(u8, uint8_t)

static rc_status truth_infer(const struct rci_infer *i, uint32_t allowed)
{
    RC_TRY(rci_broadcast_infer(i, allowed));
    i->out[0].dtype = RC_BOOL;
    return RC_OK;
}

static rc_status equal_infer(const struct rci_infer *i)
{
    return truth_infer(i, RC_DT_ANY);
}

static rc_status order_infer(const struct rci_infer *i)
{
    return truth_infer(i, RC_DT_NUMBER);
}

static rc_status compare_forward(const struct rci_call *c)
{
    static rci_broadcast_row *const rows[] = {
        [RC_F32] = compare_row_f32, [RC_F64] = compare_row_f64, [RC_I64] = compare_row_i64,
        [RC_I32] = compare_row_i32, [RC_S8] = compare_row_s8,   [RC_U8] = compare_row_u8,
        [RC_BOOL] = compare_row_u8};
    return rci_broadcast_run(c, rows[c->in[0].dtype]);
}

static void logic_row(uint32_t kind, int64_t n, const void *a, int64_t sa, const void *b,
                      int64_t sb, void *y)
{
    const uint8_t *pa = a, *pb = b;
    uint8_t *restrict py = y;
    if (kind == AND)
        RC_BROADCAST_LOOP(uint8_t, uint8_t, p && q);
    else if (kind == OR)
        RC_BROADCAST_LOOP(uint8_t, uint8_t, p || q);
    else
        RC_BROADCAST_LOOP(uint8_t, uint8_t, !p != !q);
}

static rc_status logic_infer(const struct rci_infer *i)
{
    return truth_infer(i, RC_DT(RC_BOOL));
}

static rc_status logic_forward(const struct rci_call *c)
{
    return rci_broadcast_run(c, logic_row);
}

static void not_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const uint8_t *restrict x = c->in[0].data;
    uint8_t *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = !x[i];
}

static rc_status not_infer(const struct rci_infer *i)
{
    return rci_op_infer_same(i, RC_DT(RC_BOOL));
}

static rc_status not_forward(const struct rci_call *c)
{
    return rci_map_run(c, not_map);
}

/* No gradient: results are bool, so `backward` stays NULL. */
#define TRUTH(kind)                                                                        \
    RC_OP_ARITY(2, 2, 1, 1), .variant = (kind), .flags = RC_OP_SEPARATE | RC_OP_POINTWISE, \
                             .couple = rci_arith_couple, .cost = rci_op_cost_elementwise

const struct rci_op rci_op_equal = {
    .name = "Equal",
    TRUTH(EQUAL),
    .infer = equal_infer,
    .forward = compare_forward,
};
const struct rci_op rci_op_less = {
    .name = "Less",
    TRUTH(LESS),
    .infer = order_infer,
    .forward = compare_forward,
};
const struct rci_op rci_op_lessorequal = {
    .name = "LessOrEqual",
    TRUTH(LESS_EQUAL),
    .since = 12,
    .infer = order_infer,
    .forward = compare_forward,
};
const struct rci_op rci_op_greater = {
    .name = "Greater",
    TRUTH(GREATER),
    .infer = order_infer,
    .forward = compare_forward,
};
const struct rci_op rci_op_greaterorequal = {
    .name = "GreaterOrEqual",
    TRUTH(GREATER_EQUAL),
    .since = 12,
    .infer = order_infer,
    .forward = compare_forward,
};
const struct rci_op rci_op_and = {
    .name = "And",
    TRUTH(AND),
    .infer = logic_infer,
    .forward = logic_forward,
};
const struct rci_op rci_op_or = {
    .name = "Or",
    TRUTH(OR),
    .infer = logic_infer,
    .forward = logic_forward,
};
const struct rci_op rci_op_xor = {
    .name = "Xor",
    TRUTH(XOR),
    .infer = logic_infer,
    .forward = logic_forward,
};
const struct rci_op rci_op_not = {
    .name = "Not",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .infer = not_infer,
    .forward = not_forward,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
