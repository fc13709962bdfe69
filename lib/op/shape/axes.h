#ifndef RC_LIB_OP_SHAPE_AXES_H
#define RC_LIB_OP_SHAPE_AXES_H
/* Operators with a list of axes that was an attribute first and became operand 1 later
 * (Squeeze and Unsqueeze at opset 13, ReduceMean at 18). */
#include "op/attrs.h"
#include "op/common.h"

/* Attribute "axes" below opset `operand_since`; *n = 0 when absent. */
rc_status rci_axes_read(const struct rci_attrs *a, int64_t operand_since, int64_t *axes,
                        int32_t *n);
/* Operand 1 when its value is known. */
rc_status rci_axes_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                        int64_t *axes, int32_t *count);
rc_status rci_axes_write(struct rci_attr_write *w, int64_t operand_since, const int64_t *axes,
                         int32_t n);
/* The bound list, or operand 1's values where it has not been bound. */
rc_status rci_axes_get(const struct rci_node *n, const struct rci_tensor *in, int64_t *axes,
                       int32_t *count);

/* Squeeze and Unsqueeze: read_attrs and write_attrs of struct rci_axes_attrs, and the slots that
 * are the same in both. */
rc_status rci_axes_read_attrs(struct rci_node *n, const struct rci_attrs *a);
rc_status rci_axes_write_attrs(const struct rci_node *n, struct rci_attr_write *w);
#define RC_AXES_OP                                                                                \
    RC_OP_ARITY(1, 2, 1, 1),                                                                      \
        .attr_size = sizeof(struct rci_axes_attrs), .flags = RC_OP_VIEW | RC_OP_SEPARATE,         \
        .quant = RC_QUANT_PASS, .forward = rci_op_forward_copy, .backward = rci_op_backward_copy, \
        .read_attrs = rci_axes_read_attrs, .write_attrs = rci_axes_write_attrs
#endif
