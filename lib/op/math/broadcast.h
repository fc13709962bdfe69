#ifndef RC_LIB_OP_MATH_BROADCAST_H
#define RC_LIB_OP_MATH_BROADCAST_H
/* out = a (+ - * /) b with NumPy broadcasting: all of Add, Sub, Mul and Div on plain arrays. */
#include "graph/graph.h"
#include "graph/link.h"

/* Which of them: op->variant. The first four are arith.c's, the others pairs.c's. */
enum rci_arith {
    RC_ARITH_ADD,
    RC_ARITH_SUB,
    RC_ARITH_MUL,
    RC_ARITH_DIV,
    RC_ARITH_POW,
    RC_ARITH_MAX,
    RC_ARITH_MIN,
    RC_ARITH_PRELU
};

/* One row of n results of any operator with two operands; strides are 0 or 1. `kind`:
 * op->variant. */
typedef void rci_broadcast_row(uint32_t kind, int64_t n, const void *a, int64_t sa, const void *b,
                               int64_t sb, void *y);
/* out[0] = row by row, in[0] with in[1]; each has its own type. */
rc_status rci_broadcast_run(const struct rci_call *c, rci_broadcast_row *run);
/* Both operands of one type, out of `allowed`, which is the result's; shapes must broadcast. */
rc_status rci_broadcast_infer(const struct rci_infer *i, uint32_t allowed);
/* The result has the type of in[0]; shapes must broadcast. */
rc_status rci_broadcast_shape(const struct rci_infer *i);

/* The body of a row: py[i] = expr of p and q. Contiguous operands get loops the compiler
 * vectorises. */
#define RC_BROADCAST_LOOP(type, result, expr)       \
    do {                                            \
        if (sa == 1 && sb == 1)                     \
            for (int64_t i = 0; i < n; i++) {       \
                const type p = pa[i], q = pb[i];    \
                py[i] = (result) (expr);            \
            }                                       \
        else if (sa == 1)                           \
            for (int64_t i = 0; i < n; i++) {       \
                const type p = pa[i], q = *pb;      \
                py[i] = (result) (expr);            \
            }                                       \
        else                                        \
            for (int64_t i = 0; i < n; i++) {       \
                const type p = *pa, q = pb[i * sb]; \
                py[i] = (result) (expr);            \
            }                                       \
    } while (0)

/* Types f32 f64 i64 i32 u8 s8, both operands alike; shapes must broadcast. */
rc_status rci_arith_infer(const struct rci_infer *i);
rc_status rci_arith_forward(const struct rci_call *c);
/* f32. Gradients of a broadcast operand are summed over the axes it was repeated along, in an
 * order that does not depend on the number of threads. */
rc_status rci_arith_backward(const struct rci_call *c);
/* Axes of equal length correspond, aligned from the back; a length-1 axis is left alone. */
void rci_arith_couple(const struct rci_node *n, struct rci_links *l);

/* y = a*x + b per channel when the other operand is a constant that broadcasts as [1, C, 1, ...];
 * the slots is_affine and as_affine. */
bool rci_arith_is_affine(const struct rc_graph *g, const struct rci_node *n);
rc_status rci_arith_as_affine(const struct rc_graph *g, const struct rci_node *n,
                              struct rci_affine *out);

/* out = sum of x over the axes where `out_shape` (same rank) has length 1, times `factor`. */
void rci_sum_to(const float *x, const struct rci_shape *shape, float *out,
                const struct rci_shape *out_shape, double factor);
#endif
