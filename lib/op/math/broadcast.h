#ifndef RC_LIB_OP_MATH_BROADCAST_H
#define RC_LIB_OP_MATH_BROADCAST_H
/* out = a (+ - * /) b with NumPy broadcasting: all of Add, Sub, Mul and Div on plain arrays. */
#include "graph/graph.h"
#include "graph/link.h"

/* Which of them: op->variant. */
enum rci_arith { RC_ARITH_ADD, RC_ARITH_SUB, RC_ARITH_MUL, RC_ARITH_DIV };

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
