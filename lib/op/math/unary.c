/* Functions of one number without attributes: y = f(x), dx = f'(x) dy. They differ in the formula
 * alone. */
#include "op/math/map.h"

#include <math.h>

static inline float erf_slope(float x)
{
    return 1.1283791670955126f * expf(-x * x); /* 2/sqrt(pi) */
}

/* log(1 + e^x) without overflow: max(x, 0) + log(1 + e^-|x|). */
static inline float softplus(float x)
{
    return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
}

static inline float logistic(float x)
{
    const float e = expf(-fabsf(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static inline float mish_slope(float x)
{
    const float t = tanhf(softplus(x));
    return t + x * (1 - t * t) * logistic(x);
}

static inline float sign_of(float x)
{
    return x > 0 ? 1.0f : x < 0 ? -1.0f : x; /* 0 and NaN stay */
}

static inline float square(float x)
{
    return x * x;
}

/* An operator from its formula f and slope, both of x, and further slots. */
#define UNARY(id, text, f, slope, ...)                                            \
    static void id##_map(const struct rci_call *c, int64_t from, int64_t to)      \
    {                                                                             \
        const float *restrict in = c->in[0].data;                                 \
        float *restrict out = c->out[0].data;                                     \
        for (int64_t i = from; i < to; i++) {                                     \
            const float x = in[i];                                                \
            out[i] = (f);                                                         \
        }                                                                         \
    }                                                                             \
    static rc_status id##_forward(const struct rci_call *c)                       \
    {                                                                             \
        return rci_map_run(c, id##_map);                                          \
    }                                                                             \
    static void id##_grad(const struct rci_call *c, int64_t from, int64_t to)     \
    {                                                                             \
        const float *restrict in = c->in[0].data, *restrict g = c->d_out[0].data; \
        float *restrict d = c->d_in[0].data;                                      \
        for (int64_t i = from; i < to; i++) {                                     \
            const float x = in[i];                                                \
            (void) x;                                                             \
            d[i] = g[i] * (slope);                                                \
        }                                                                         \
    }                                                                             \
    static rc_status id##_backward(const struct rci_call *c)                      \
    {                                                                             \
        return c->d_in[0].data ? rci_map_run(c, id##_grad) : RC_OK;               \
    }                                                                             \
    const struct rci_op rci_op_##id = {                                           \
        .name = text,                                                             \
        RC_OP_ARITY(1, 1, 1, 1),                                                  \
        .infer = rci_map_infer_f32,                                               \
        .forward = id##_forward,                                                  \
        .backward = id##_backward,                                                \
        .couple = rci_op_couple_same,                                             \
        .cost = rci_op_cost_elementwise,                                          \
        __VA_ARGS__,                                                              \
    };

/* FREE may run over padded layouts, where padding must stay 0; BOUND has f(0) != 0 or a pole.
 * KEEPS: not negative where x is not. Round goes to the even neighbour at ties (rintf), as ONNX
 * wants. */
#define FREE .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE /* f(0) = 0 */
#define BOUND .flags = RC_OP_SEPARATE | RC_OP_POINTWISE
#define NON_NEGATIVE .sign = RC_SIGN_NON_NEGATIVE
#define KEEPS .sign = RC_SIGN_KEEPS

UNARY(abs, "Abs", fabsf(x), sign_of(x), FREE, NON_NEGATIVE)
UNARY(ceil, "Ceil", ceilf(x), 0, FREE, KEEPS)
UNARY(erf, "Erf", erff(x), erf_slope(x), FREE, KEEPS, .since = 9)
UNARY(exp, "Exp", expf(x), expf(x), BOUND, NON_NEGATIVE)
UNARY(floor, "Floor", floorf(x), 0, FREE, KEEPS)
UNARY(log, "Log", logf(x), 1 / x, BOUND)
UNARY(mish, "Mish", x *tanhf(softplus(x)), mish_slope(x), FREE, KEEPS, .since = 18)
UNARY(neg, "Neg", -x, -1, FREE)
UNARY(reciprocal, "Reciprocal", 1 / x, -1 / square(x), BOUND, KEEPS)
UNARY(round, "Round", rintf(x), 0, FREE, KEEPS, .since = 11)
UNARY(sign, "Sign", sign_of(x), 0, FREE, KEEPS, .since = 9)
UNARY(softplus, "Softplus", softplus(x), logistic(x), BOUND, NON_NEGATIVE)
UNARY(softsign, "Softsign", x / (1 + fabsf(x)), 1 / square(1 + fabsf(x)), FREE, KEEPS)
UNARY(sqrt, "Sqrt", sqrtf(x), 0.5f / sqrtf(x), FREE, NON_NEGATIVE)
UNARY(tanh, "Tanh", tanhf(x), 1 - square(tanhf(x)), FREE, KEEPS)
