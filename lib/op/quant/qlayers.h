#ifndef RC_LIB_OP_QUANT_QLAYERS_H
#define RC_LIB_OP_QUANT_QLAYERS_H
/* Integer operators, made by pass lower_int8 inside sessions. All are symmetric (zero point 0):
 * real = scale * integer, stored = clamp(round_half_even(real / scale)). */
#include "kernel/int8/qround.h"
#include "op/layers.h"

/* QConv: x [N, C, H, W] or [N, C] (a matrix product) u8 or s8, w s8 [O, I/g, kh, kw], optional bias
 * f32 [O] in real units, w_scale f32 [O] or [1], optional residual u8 or s8 of y's shape.
 *     v = x_scale * w_scale[o] * acc + bias[o]
 *     v = mid_scale * clamp(round(v / mid_scale), -128, 127)      when mid_scale > 0
 *     v = relu(v + res_scale * residual)
 *     y = out is f32 ? v : clamp(round(v / y_scale)) */
struct rci_qconv_attrs {
    struct rci_conv_attrs conv;
    float x_scale, mid_scale, res_scale, y_scale;
    enum rci_dtype out; /* RC_U8, RC_S8, RC_F32 */
    int32_t relu;
};
enum { RC_QCONV_X, RC_QCONV_W, RC_QCONV_BIAS, RC_QCONV_SCALE, RC_QCONV_RESIDUAL };

/* QAdd: y = clamp(round((a_scale * a + b_scale * b) / y_scale)); a relu is the clamp of u8. */
struct rci_qadd_attrs {
    float a_scale, b_scale, y_scale;
    enum rci_dtype out;
    int32_t relu;
};

/* QPool: mean of the window, requantized or f32; or its largest integer, whose scale stays. */
struct rci_qpool_attrs {
    struct rci_pool_attrs pool;
    float x_scale, y_scale;
    enum rci_dtype out;
    int32_t global; /* the window is the whole plane */
    int32_t max;
};

/* QConv's way on this processor for constant weights [O, ...]: true when oneDNN's integer kernel
 * gives exact sums. Without VNNI two neighbouring u8*s8 products are added in 16 bits, which
 * saturate; and s8 sources are shifted to u8 with halved weights. */
bool rci_qconv_exact(enum rci_dtype x, const struct rci_tensor *w, bool vnni);
rc_status rci_qconv_prepare(const struct rci_request *req, struct rci_prep *p);
#endif
