#ifndef RC_LIB_OP_POOL_H
#define RC_LIB_OP_POOL_H
/* What MaxPool and AveragePool share. */
#include "op/layers.h"

rc_status rc_pool_infer(const struct rc_infer *i);
void rc_pool_window(struct rc_window *w, const struct rc_node *n, const struct rc_tensor *x);
rc_status rc_pool_read(struct rc_node *n, const struct rc_attrs *a);
rc_status rc_pool_write(const struct rc_node *n, struct rc_attr_write *w);
/* The taps of one output that lie inside the image: rows and columns [from, to) in steps of the
 * dilation. */
struct rc_taps {
    int64_t from[2], to[2], step[2];
};
void rc_pool_taps(struct rc_taps *t, const struct rc_window *w, int64_t v, int64_t u);
/* Batch and channels pass; height and width keep their length. */
void rc_pool_couple(const struct rc_node *n, struct rc_links *l);
struct rc_cost rc_pool_cost(const struct rc_node *n, const struct rc_tensor *in,
                            const struct rc_tensor *out);
#endif
