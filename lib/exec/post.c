/* The work that fuse_post put behind a node, for nodes whose fast path cannot do it: in place on
 * the plain output, one pass per post. */
#include "exec/plan.h"
#include "op/math/activation.h"

static float post_value(const struct rci_post *q, float x)
{
    switch (q->kind) {
    case RC_POST_RELU:
        return rci_relu(x);
    case RC_POST_CLIP:
        return rci_clip(x, q->alpha, q->beta);
    case RC_POST_LEAKY:
        return rci_leaky(x, q->alpha);
    case RC_POST_SIGMOID:
        return rci_sigmoid(x);
    case RC_POST_HARDSIGMOID:
        return rci_hardsigmoid(x, q->alpha, q->beta);
    case RC_POST_HARDSWISH:
        return rci_hardswish(x);
    case RC_POST_ADD:
        break;
    }
    return x;
}

rc_status rci_post_plain(const struct rci_call *c)
{
    float *y = c->out[0].data;
    const int64_t n = rci_shape_count(&c->out[0].shape);
    if (c->out[0].dtype != RC_F32)
        return rci_fail(RC_ERR_UNSUPPORTED, "fused work needs an f32 output, this is %s",
                        rci_dtype_name(c->out[0].dtype));
    for (uint32_t k = 0; k < c->node->n_post; k++) {
        const struct rci_post *q = &c->node->post[k];
        const float *other = q->kind == RC_POST_ADD ? c->in[q->operand].data : NULL;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++)
            y[i] = other ? y[i] + other[i] : post_value(q, y[i]);
    }
    return RC_OK;
}
