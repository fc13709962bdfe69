#ifndef RC_LIB_OP_SHAPE_RESIZE_H
#define RC_LIB_OP_SHAPE_RESIZE_H
/* Attributes of Resize and Upsample, which say the same in four ways. */
#include "op/attrs.h"
#include "op/common.h"

enum { RC_RESIZE_IS_UPSAMPLE = 1 }; /* op->variant */
enum { RC_RESIZE_AS_INPUT = -1 };   /* a size that is the input's: the batch */

rc_status rci_resize_read(struct rci_node *n, const struct rci_attrs *a);
rc_status rci_resize_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                          const struct rci_tensor *alt, const int64_t batch[2]);
rc_status rci_resize_write(const struct rci_node *n, struct rci_attr_write *w);
#endif
