#ifndef RC_LIB_OP_QUANT_FAKEQUANT_H
#define RC_LIB_OP_QUANT_FAKEQUANT_H
/* FakeQuant: integers and back to reals in one node of graphs in training, y = scale * integer(x).
 * Which integer, and what has which gradient, is a rule that a layer above gives (quant/qat.h). */
#include "op/common.h"

enum { RC_FAKE_QUANT_NUMBERS = 2 }; /* of a channel, at most */

struct rci_fake_quant_attrs {
    const struct rci_fake_quant_rule *rule;
    float low, high;  /* integers */
    int32_t odd;      /* 1: odd ones only */
    int32_t channels; /* 0: operand 1 holds for all of x, else as many along `axis` */
    int32_t axis;
    int32_t batched; /* axis 0 counts images */
};

/* Of a channel's elements. */
struct rci_fake_quant_seen {
    double largest, mean, square; /* of |x|, |x| and x^2 */
};

/* Numbers of one channel are p[n]; operand 1 is [n][channels], operand 0 is x. */
struct rci_fake_quant_rule {
    uint32_t n;
    bool per_element; /* dp is divided by sqrt(elements of a channel * high), as LSQ does */
    /* p follows from x, what operand 1 holds does not count. NULL: it does */
    void (*derive)(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                   float *p);
    /* what operand 1 holds moves with what is seen in training. NULL: it stays */
    void (*follow)(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                   float *p);
    void (*forward)(const struct rci_fake_quant_attrs *a, const float *p, const float *x, float *y,
                    int64_t n);
    /* dx overwritten, dp added to */
    void (*backward)(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                     const float *dy, float *dx, double *dp, int64_t n);
    /* Of one integer step, and the integer of 0. */
    float (*scale)(const struct rci_fake_quant_attrs *a, const float *p);
    int32_t (*zero)(const struct rci_fake_quant_attrs *a, const float *p); /* NULL: 0 */
    /* Numbers with that scale and zero point. */
    void (*start)(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p);
    /* An x that becomes y, which is a multiple of the scale. NULL: y itself */
    float (*latent)(float y);
};

extern const struct rci_op rci_op_fakequant;

/* What the node simulates; NULL: nothing. */
static inline const struct rci_fake_quant_attrs *rci_fake_quant_of(const struct rci_node *n)
{
    return n->op == &rci_op_fakequant ? n->attrs : NULL;
}

/* Numbers of channel c as forward uses them; p[RC_FAKE_QUANT_NUMBERS]. */
void rci_fake_quant_numbers(const struct rci_fake_quant_attrs *a, const struct rci_tensor *x,
                            const struct rci_tensor *numbers, int64_t c, float *p);
/* y as x, f32. */
void rci_fake_quant_apply(const struct rci_fake_quant_attrs *a, const struct rci_tensor *x,
                          const struct rci_tensor *numbers, float *y);

/* Rounds |v| < 2^22, ties to even: the compiler vectorises it, unlike rintf. */
static inline float rci_fake_round(float v)
{
    const float magic = 12582912.0f;
    return (v + magic) - magic;
}

/* The nearest integer, or odd integer. */
static inline float rci_fake_level(const struct rci_fake_quant_attrs *a, float v)
{
    const float odd = (float) a->odd;
    return (1 + odd) * rci_fake_round((v - odd) / (1 + odd)) + odd;
}

static inline float rci_fake_clamp(float v, float low, float high)
{
    v = v > low ? v : low;
    return v < high ? v : high;
}
#endif
