#ifndef RC_LIB_OP_ATTRS_H
#define RC_LIB_OP_ATTRS_H
/* Attributes of the operators that passes and builders need to see. All plain data; the operands
 * that ONNX passes as tensors (Slice's starts, Reshape's shape ...) are moved in here on import. */
#include "tensor/tensor.h"

struct rci_clip_attrs {
    double lo, hi;       /* -INFINITY, INFINITY: no bound */
    int32_t n_bounds;    /* 0: an all-zero struct, no bounds at all */
    enum rci_dtype type; /* of the bounds when written as operands; 0: f32 */
};
/* Slope below 0. */
struct rci_leaky_attrs {
    float alpha;
};
struct rci_elu_attrs { /* Elu, Selu, Celu, ThresholdedRelu */
    float alpha, gamma;
};
struct rci_gelu_attrs {
    int32_t by_tanh;
};
/* y = clip(alpha x + beta, 0, 1) */
struct rci_hardsigmoid_attrs {
    float alpha, beta;
};
struct rci_dropout_attrs {
    float ratio;
    int32_t float_mask; /* opset < 10: the mask has the type of the data */
};
struct rci_axis_attrs { /* Flatten, Softmax, Gather, QuantizeLinear, DequantizeLinear */
    int64_t axis;
};
struct rci_softmax_attrs {
    int64_t axis;
    int32_t flat; /* opset < 13: normalise over all axes from `axis` on */
};
struct rci_quantize_attrs {
    int64_t axis;
    enum rci_dtype type; /* 0: from the zero point, else u8 */
};
struct rci_cast_attrs {
    enum rci_dtype to;
};
struct rci_axes_attrs { /* Squeeze, Unsqueeze: n = 0 in Squeeze means every axis of length 1 */
    int64_t axes[RC_MAX_DIMS];
    int32_t n;
};
struct rci_reduce_attrs {
    int64_t axes[RC_MAX_DIMS];
    int32_t n, keepdims, noop; /* n = 0: all axes, or none with noop */
};
struct rci_arg_attrs { /* ArgMax, ArgMin, TopK (which has no keepdims) */
    int64_t axis, k;
    int32_t keepdims, last;  /* last: of equal elements the last one */
    int32_t smallest, bound; /* TopK: k is here, not in operand 1 */
};
enum rci_resize_mode { RC_RESIZE_NEAREST = 0, RC_RESIZE_LINEAR = 1, RC_RESIZE_CUBIC = 2 };
enum rci_resize_from { /* where output i lies in the input: coordinate_transformation_mode */
                       RC_RESIZE_HALF_PIXEL = 0,
                       RC_RESIZE_ASYMMETRIC = 1,
                       RC_RESIZE_ALIGN_CORNERS = 2,
                       RC_RESIZE_PYTORCH_HALF_PIXEL = 3,
                       RC_RESIZE_TF_HALF_PIXEL = 4,       /* of nearest elements, opset 11 */
                       RC_RESIZE_HALF_PIXEL_SYMMETRIC = 5 /* around the middle, opset 19 */
};
enum rci_resize_nearest { /* ties and what lies between */
                          RC_RESIZE_PREFER_FLOOR = 0,
                          RC_RESIZE_PREFER_CEIL = 1,
                          RC_RESIZE_FLOOR = 2,
                          RC_RESIZE_CEIL = 3
};
struct rci_resize_attrs { /* one scale or size per axis; with n_axes for those axes alone */
    double scales[RC_MAX_DIMS];
    int64_t sizes[RC_MAX_DIMS], axes[RC_MAX_DIMS];
    int32_t n, n_axes, by_size, bound;
    enum rci_resize_mode mode;
    enum rci_resize_from from;
    enum rci_resize_nearest nearest;
    float cubic; /* coefficient a */
    int32_t exclude_outside;
    int32_t keep_aspect; /* of sizes: 0 stretch, 1 not_larger, 2 not_smaller */
};
struct rci_reshape_attrs { /* dims: > 0 literal, 0 copied from the input (literal with allowzero),
                             -1 what remains */
    int64_t dims[RC_MAX_DIMS];
    int32_t rank, allowzero;
    int32_t bound; /* the shape is here, not in operand 1 */
};
struct rci_expand_attrs {
    int64_t dims[RC_MAX_DIMS];
    int32_t rank, bound;
};
struct rci_transpose_attrs {
    int64_t perm[RC_MAX_DIMS];
    int32_t n; /* 0: reversed */
};
struct rci_shape_attrs {
    int64_t start, end;
    int32_t has_end;
};
enum { RC_SPLIT_MAX = 64 }; /* parts */
struct rci_split_attrs {
    int64_t axis, sizes[RC_SPLIT_MAX];
    int32_t n; /* 0: equal parts, the last one smaller when uneven */
    int32_t uneven;
};
enum rci_pad_mode { RC_PAD_CONSTANT = 0, RC_PAD_REFLECT = 1, RC_PAD_EDGE = 2 };
struct rci_pad_attrs { /* begin[k], end[k] belong to axes[k]; n_axes = 0: to axis k, n = rank */
    int64_t axes[RC_MAX_DIMS], begin[RC_MAX_DIMS], end[RC_MAX_DIMS];
    int32_t n, n_axes;
    double value;
    enum rci_pad_mode mode;
    enum rci_dtype type; /* of the value when written as an operand; 0: f32 */
    int32_t bound;
};
struct rci_slice_attrs {
    int64_t starts[RC_MAX_DIMS], ends[RC_MAX_DIMS], axes[RC_MAX_DIMS], steps[RC_MAX_DIMS];
    int32_t n, bound;
};
struct rci_tile_attrs {
    int64_t repeats[RC_MAX_DIMS];
    int32_t n, bound;
};
struct rci_eye_attrs {
    int64_t k;           /* the diagonal, above the main one where positive */
    enum rci_dtype type; /* 0: the operand's */
};
struct rci_fill_attrs { /* ConstantOfShape */
    double value;
    int64_t ivalue;      /* for i64, where a double would round */
    enum rci_dtype type; /* 0: f32 */
};
#endif
