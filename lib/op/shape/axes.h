#ifndef RC_LIB_OP_SHAPE_AXES_H
#define RC_LIB_OP_SHAPE_AXES_H
/* Operators with a list of axes that was an attribute first and became operand 1 later
 * (Squeeze and Unsqueeze at opset 13, ReduceMean at 18). */
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
#endif
