#ifndef RC_LIB_OP_POOL_POOL_H
#define RC_LIB_OP_POOL_POOL_H
/* What MaxPool and AveragePool share. */
#include "op/layers.h"

rc_status rci_pool_infer(const struct rci_infer *i);
/* Of pools of whole planes: [N, C, 1, 1 ...]. */
rc_status rci_pool_global_infer(const struct rci_infer *i);
/* Sizes, strides and pads of a node whose shapes infer has accepted; x [N, C, H, W]. */
void rci_pool_window(struct rci_window *w, const struct rci_node *n, const struct rci_tensor *x);
/* n->attrs begins with struct rci_pool_attrs. */
rc_status rci_pool_read(struct rci_node *n, const struct rci_attrs *a);
rc_status rci_pool_write(const struct rci_node *n, struct rci_attr_write *w);
/* The taps of one output that lie inside the image: rows and columns [from, to) in steps of the
 * dilation. */
struct rci_taps {
    int64_t from[2], to[2], step[2];
};
void rci_pool_taps(struct rci_taps *t, const struct rci_window *w, int64_t v, int64_t u);
/* The plain loops of all pools: the output (v, u) of a plane x [H, W], and what a gradient dy of it
 * adds to dx, the gradient of the plane. */
typedef float rci_pool_value(const struct rci_node *n, const struct rci_window *w, const float *x,
                             int64_t v, int64_t u);
typedef void rci_pool_spread(const struct rci_node *n, const struct rci_window *w, const float *x,
                             float *dx, const int64_t at[2], float dy);
rc_status rci_pool_forward(const struct rci_call *c, rci_pool_value *value);
rc_status rci_pool_backward(const struct rci_call *c, rci_pool_spread *spread);
/* Batch and channels pass; height and width keep their length. */
void rci_pool_couple(const struct rci_node *n, struct rci_links *l);
struct rci_cost rci_pool_cost(const struct rci_node *n, const struct rci_tensor *in,
                              const struct rci_tensor *out);
#endif
