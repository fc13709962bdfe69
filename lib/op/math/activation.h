#ifndef RC_LIB_OP_MATH_ACTIVATION_H
#define RC_LIB_OP_MATH_ACTIVATION_H
/* The formula of every activation, once: the operators and the work fused behind a node
 * (exec/post.c) use the same. NaN stays NaN, as in NumPy's maximum and clip; every comparison is
 * written so that NaN falls through. */
#include <math.h>

static inline float rci_relu(float x)
{
    return x < 0 ? 0 : x;
}

/* lo > hi: hi, as ONNX says. */
static inline float rci_clip(float x, float lo, float hi)
{
    const float v = x < lo ? lo : x;
    return v > hi ? hi : v;
}

static inline float rci_leaky(float x, float alpha)
{
    return x < 0 ? alpha * x : x;
}

static inline float rci_sigmoid(float x)
{
    const float e = expf(-fabsf(x)); /* cannot overflow */
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/* alpha and beta as in ONNX: 0.2 and 0.5 unless given. */
static inline float rci_hardsigmoid(float x, float alpha, float beta)
{
    return rci_clip(alpha * x + beta, 0, 1);
}

/* x times a HardSigmoid of alpha 1/6. */
static inline float rci_hardswish(float x)
{
    return x * rci_clip(x / 6 + 0.5f, 0, 1);
}
#endif
