#ifndef RC_LIB_OP_BROADCAST_H
#define RC_LIB_OP_BROADCAST_H
/* out = a (+ - * /) b with NumPy broadcasting: all of Add, Sub, Mul and Div on plain arrays. */
#include "graph/graph.h"
#include "graph/link.h"

enum rc_arith { RC_ARITH_ADD, RC_ARITH_SUB, RC_ARITH_MUL, RC_ARITH_DIV };

/* Types f32 f64 i64 i32 u8 s8, both operands alike; shapes must broadcast. */
rc_status rc_arith_infer(const struct rc_infer *i);
rc_status rc_arith_forward(const struct rc_call *c, enum rc_arith kind);
/* f32. Gradients of a broadcast operand are summed over the axes it was repeated along, in an
 * order that does not depend on the number of threads. */
rc_status rc_arith_backward(const struct rc_call *c, enum rc_arith kind);
/* Axes of equal length correspond, aligned from the back; a length-1 axis is left alone. */
void rc_arith_couple(const struct rc_node *n, struct rc_links *l);

/* y = a*x + b per channel when the other operand is a constant that broadcasts as [1, C, 1, ...];
 * the slots is_affine and as_affine. */
bool rc_arith_is_affine(const struct rc_graph *g, const struct rc_node *n, enum rc_arith kind);
rc_status rc_arith_as_affine(const struct rc_graph *g, const struct rc_node *n, enum rc_arith kind,
                             struct rc_affine *out);

/* out = sum of x over the axes where `out_shape` (same rank) has length 1, times `factor`. */
void rc_sum_to(const float *x, const struct rc_shape *shape, float *out,
               const struct rc_shape *out_shape, double factor);
#endif
