#ifndef RC_LIB_KERNEL_INT8_QROUND_H
#define RC_LIB_KERNEL_INT8_QROUND_H
/* Rounding to 8-bit integers in plain C. */
#include "tensor/tensor.h"

/* Nearest integer, ties to even, for |v| < 2^22; vectorizes without SSE 4.1. */
static inline float rci_q_round(float v)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    return (v + magic) - magic;
}
static inline float rci_q_clamp(float v, float lo, float hi)
{
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}
/* Range of u8 and s8. */
static inline float rci_q_low(enum rci_dtype t)
{
    return t == RC_U8 ? 0.0f : -128.0f;
}
static inline float rci_q_high(enum rci_dtype t)
{
    return t == RC_U8 ? 255.0f : 127.0f;
}
#endif
