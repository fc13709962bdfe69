#ifndef RC_LIB_OP_LAYERS_H
#define RC_LIB_OP_LAYERS_H
/* Attributes of the layers of a network, for passes and builders. */
#include "op/window.h"

struct rci_conv_attrs {
    struct rci_window_attrs window;
    int64_t group; /* 0: 1 */
};
struct rci_pool_attrs { /* MaxPool, AveragePool */
    struct rci_window_attrs window;
    int32_t ceil_mode, count_include_pad;
};
struct rci_lppool_attrs { /* begins as those of the other pools */
    struct rci_pool_attrs pool;
    int64_t p;
};
struct rci_globallp_attrs {
    int64_t p;
};
struct rci_lrn_attrs {
    float alpha, beta, bias;
    int64_t size;
};
struct rci_deconv_attrs { /* ConvTranspose */
    struct rci_window_attrs window;
    int64_t group; /* 0: 1 */
    int64_t output_padding[2];
    int64_t output[2]; /* size of the result, 0: from the padding */
};
struct rci_norm_attrs { /* BatchNormalization; running = momentum*running + (1-momentum)*batch */
    float epsilon, momentum;
};
struct rci_rownorm_attrs { /* InstanceNormalization, GroupNormalization, LayerNormalization */
    int64_t groups, axis;
    float epsilon;
    int32_t per_group; /* scale and shift belong to groups (opset < 21), not to channels */
};
#define RC_NORM_ATTRS_INIT \
    {                      \
        1e-5f, 0.9f        \
    }
struct rci_gemm_attrs {
    float alpha, beta;
    int32_t trans_a, trans_b;
};
#define RC_GEMM_ATTRS_INIT \
    {                      \
        1.0f, 1.0f, 0, 1   \
    }
struct rci_concat_attrs {
    int64_t axis;
};

struct rci_conv_geometry; /* kernel/onednn/conv.h */
/* From attributes and shapes that infer has accepted: x [N, C, H, W], w [O, I/g, kh, kw]. */
void rci_conv_geometry_of(struct rci_conv_geometry *g, const struct rci_node *n,
                          const struct rci_shape *x, const struct rci_shape *w);
/* Shape inference and attributes for operators with Conv's attribute struct (or one that starts
 * with it) and operands x, w, optional bias. */
rc_status rci_conv_infer(const struct rci_infer *i);
rc_status rci_conv_read(struct rci_node *n, const struct rci_attrs *a);
rc_status rci_conv_write(const struct rci_node *n, struct rci_attr_write *w);
void rci_conv_couple(const struct rci_node *n, struct rci_links *l);
rc_status rci_conv_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l);
#endif
