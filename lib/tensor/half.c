#include "tensor/half.h"

#include <math.h>
#include <string.h>

enum { PARALLEL = 1 << 16 }; /* elements worth a second thread */

static inline float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static inline uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

/* Exponent and mantissa moved to their places; numbers below 2^-14 by a difference of floats that
 * normalises them, without a branch so that loops become vectors. */
static inline float half_value(uint16_t h)
{
    const uint32_t magnitude = (uint32_t) (h & 0x7fff), sign = (uint32_t) (h & 0x8000) << 16;
    const uint32_t normal = (magnitude << 13) + (112u << 23);
    const uint32_t special = (magnitude << 13) | 0x7f800000u;
    const uint32_t small =
        bits_of(float_of((113u << 23) | (magnitude << 13)) - float_of(113u << 23));
    const uint32_t bits = magnitude >= 0x7c00 ? special : magnitude < 0x400 ? small : normal;
    return float_of(bits | sign);
}

float rci_half_to_f32(uint16_t bits)
{
    return half_value(bits);
}

static inline uint16_t half_bits(float f)
{
    const uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    /* the last bit that stays decides ties */
    const uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    const uint32_t small = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    const uint32_t special = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
    const uint32_t h = magnitude >= (143u << 23)  ? special
                       : magnitude < (113u << 23) ? small
                                                  : normal;
    return (uint16_t) (h | sign);
}

static inline uint16_t bf16_bits(float f)
{
    const uint32_t bits = bits_of(f);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t) (isnan(f) ? bits >> 16 | 0x40 : rounded);
}

void rci_real_to_f32(float *to, const void *from, enum rci_dtype type, size_t n)
{
    const uint16_t *half = from;
    const double *wide = from;
#pragma omp parallel for schedule(static) if (n > PARALLEL)
    for (size_t i = 0; i < n; i++)
        to[i] = type == RC_F16    ? half_value(half[i])
                : type == RC_BF16 ? float_of((uint32_t) half[i] << 16)
                                  : (float) wide[i];
}

size_t rci_real_from_f32(void *to, const float *from, enum rci_dtype type, size_t n)
{
    size_t bad = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (type == RC_F64) {
            ((double *) to)[i] = (double) from[i];
            continue;
        }
        const uint16_t bits = type == RC_F16 ? half_bits(from[i]) : bf16_bits(from[i]);
        const uint16_t infinite = type == RC_F16 ? 0x7c00 : 0x7f80;
        if (bad == SIZE_MAX && (bits & 0x7fff) == infinite && isfinite(from[i]))
            bad = i;
        ((uint16_t *) to)[i] = bits;
    }
    return bad;
}
