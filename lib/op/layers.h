#ifndef RC_LIB_OP_LAYERS_H
#define RC_LIB_OP_LAYERS_H
/* Attributes of the layers of a network, for passes and builders. */
#include "op/window.h"

struct rc_conv_attrs {
    struct rc_window_attrs window;
    int64_t group; /* 0: 1 */
};
struct rc_pool_attrs { /* MaxPool, AveragePool */
    struct rc_window_attrs window;
    int32_t ceil_mode, count_include_pad;
};
struct rc_norm_attrs { /* BatchNormalization; running = momentum*running + (1-momentum)*batch */
    float epsilon, momentum;
};
#define RC_NORM_ATTRS_INIT \
    {                      \
        1e-5f, 0.9f        \
    }
struct rc_gemm_attrs {
    float alpha, beta;
    int32_t trans_a, trans_b;
};
#define RC_GEMM_ATTRS_INIT \
    {                      \
        1.0f, 1.0f, 0, 1   \
    }
struct rc_concat_attrs {
    int64_t axis;
};

struct rc_conv_geometry; /* kernel/conv.h */
/* From attributes and shapes that infer has accepted: x [N, C, H, W], w [O, I/g, kh, kw]. */
void rc_conv_geometry_of(struct rc_conv_geometry *g, const struct rc_node *n,
                         const struct rc_shape *x, const struct rc_shape *w);
/* Shape inference and attributes for operators with Conv's attribute struct (or one that starts
 * with it) and operands x, w, optional bias. */
rc_status rc_conv_infer(const struct rc_infer *i);
rc_status rc_conv_read(struct rc_node *n, const struct rc_attrs *a);
rc_status rc_conv_write(const struct rc_node *n, struct rc_attr_write *w);
void rc_conv_couple(const struct rc_node *n, struct rc_links *l);
rc_status rc_conv_resized(struct rc_graph *g, struct rc_node *n, const struct rc_links *l);
#endif
