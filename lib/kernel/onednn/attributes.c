/* Primitive attributes: scratchpad mode, fused post-ops, integer scales. */
#include "kernel/onednn/onednn.h"

rc_status rci_attr_new(dnnl_primitive_attr_t *out)
{
    *out = NULL;
    RC_TRY(rci_dnnl_check(dnnl_primitive_attr_create(out), "attributes"));
    dnnl_status_t st = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
#if RC_DNNL_AT_LEAST(3, 4)
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_deterministic(*out, 1);
#endif
    if (st == dnnl_success)
        return RC_OK;
    dnnl_primitive_attr_destroy(*out);
    *out = NULL;
    return rci_dnnl_check(st, "attributes");
}

static dnnl_status_t append_post(dnnl_post_ops_t po, const struct rci_post *post)
{
    switch (post->kind) {
    case RC_POST_RELU:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_relu, 0.0f, 0.0f);
    case RC_POST_CLIP:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_clip, post->alpha, post->beta);
    case RC_POST_LEAKY:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_relu, post->alpha, 0.0f);
    case RC_POST_SIGMOID:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_logistic, 0.0f, 0.0f);
#if RC_DNNL_V3
    case RC_POST_HARDSIGMOID:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_hardsigmoid, post->alpha, post->beta);
    case RC_POST_HARDSWISH:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_hardswish, 1.0f / 6.0f, 0.5f);
#else
    case RC_POST_HARDSIGMOID: /* clip(a*x + b, 0, 1) as two steps */
        if (rci_dnnl_append_eltwise(po, dnnl_eltwise_linear, post->alpha, post->beta) !=
            dnnl_success)
            return dnnl_out_of_memory;
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_clip, 0.0f, 1.0f);
    case RC_POST_HARDSWISH:
        return rci_dnnl_append_eltwise(po, dnnl_eltwise_hardswish, 0.0f, 0.0f);
#endif
    default:
        return dnnl_unimplemented;
    }
}

static rc_status append_add(dnnl_post_ops_t po, const struct rci_request *req, uint32_t operand,
                            enum rci_dtype sum, int32_t *in_place)
{
    if (*in_place >= 0 || operand >= req->node->n_in || operand >= RC_PREP_MAX ||
        !rci_shape_equal(&req->in[operand].shape, &req->out[0].shape) ||
        req->in[operand].dtype != RC_F32)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": operand %u cannot be added in place",
                        req->node->name, operand);
    *in_place = (int32_t) operand;
    return rci_dnnl_check(rci_dnnl_append_sum(po, 1.0f, sum == RC_BF16 ? dnnl_bf16 : dnnl_f32),
                          "sum");
}

rc_status rci_attr_posts(dnnl_primitive_attr_t attr, const struct rci_request *req,
                         enum rci_dtype sum, int32_t *in_place)
{
    *in_place = -1;
    if (!req->node->n_post)
        return RC_OK;
    dnnl_post_ops_t po = NULL;
    RC_TRY(rci_dnnl_check(dnnl_post_ops_create(&po), "post-ops"));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < req->node->n_post && st == RC_OK; i++) {
        const struct rci_post *post = &req->node->post[i];
        st = post->kind == RC_POST_ADD ? append_add(po, req, post->operand, sum, in_place)
                                       : rci_dnnl_check(append_post(po, post), "post-op");
    }
    if (st == RC_OK)
        st = rci_dnnl_check(dnnl_primitive_attr_set_post_ops(attr, po), "post-ops");
    dnnl_post_ops_destroy(po);
    return st;
}

static dnnl_data_type_t residual_type(enum rci_dtype d)
{
    return d == RC_U8 ? dnnl_u8 : d == RC_S8 ? dnnl_s8 : dnnl_f32;
}

/* Round to s8 before the sum. Values are in units of `mid` on 2.x, real on 3.x, where they must be
 * brought to that unit first; afterwards in units of the destination, or real again. */
static dnnl_status_t append_rounding(dnnl_post_ops_t po, const struct rci_int8_scales *s)
{
    dnnl_status_t st = dnnl_success;
    if (RC_DNNL_V3)
        st = rci_dnnl_append_eltwise(po, dnnl_eltwise_linear, 1.0f / s->mid, 0.0f);
    if (st == dnnl_success)
        st = rci_dnnl_append_eltwise(po, dnnl_eltwise_round, 0.0f, 0.0f);
    if (st == dnnl_success)
        st = rci_dnnl_append_eltwise(po, dnnl_eltwise_clip, -128.0f, 127.0f);
    if (st == dnnl_success)
        st = rci_dnnl_append_eltwise(po, dnnl_eltwise_linear, RC_DNNL_V3 ? s->mid : s->mid / s->dst,
                                     0.0f);
    return st;
}

static rc_status int8_posts(dnnl_primitive_attr_t attr, const struct rci_int8_scales *s)
{
    if (!s->sum && !s->relu && s->mid == 0)
        return RC_OK;
    dnnl_post_ops_t po = NULL;
    RC_TRY(rci_dnnl_check(dnnl_post_ops_create(&po), "post-ops"));
    /* 2.x runs post-ops in units of the destination, 3.x in real units */
    const float scale = RC_DNNL_V3 ? s->res : s->res / s->dst;
    dnnl_status_t st = s->mid > 0 ? append_rounding(po, s) : dnnl_success;
    if (st == dnnl_success && s->sum)
        st = rci_dnnl_append_sum(po, scale, residual_type(s->res_type));
    if (st == dnnl_success && s->relu)
        st = rci_dnnl_append_eltwise(po, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_post_ops(attr, po);
    dnnl_post_ops_destroy(po);
    return rci_dnnl_check(st, "post-ops");
}

#if RC_DNNL_V3
rc_status rci_attr_int8(dnnl_primitive_attr_t attr, const struct rci_int8_scales *s)
{
    const int per_channel = s->grouped ? 3 : 1;
    dnnl_status_t st = dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_SRC, 0);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_WEIGHTS,
                                                 s->n_wei == 1 ? 0 : per_channel);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_DST, 0);
    RC_TRY(rci_dnnl_check(st, "scales"));
    return int8_posts(attr, s);
}

rc_status rci_prim_fix_int8(struct rci_prim *p, const struct rci_int8_scales *s)
{
    RC_TRY(rci_prim_fix(p, DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, &s->src, 1));
    RC_TRY(rci_prim_fix(p, DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, s->wei, s->n_wei));
    return rci_prim_fix(p, DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, &s->dst, 1);
}

void rci_int8_bias(float *out, const float *bias, int64_t n, const struct rci_int8_scales *s)
{
    (void) s;
    for (int64_t o = 0; o < n; o++)
        out[o] = bias[o];
}
#else
rc_status rci_attr_int8(dnnl_primitive_attr_t attr, const struct rci_int8_scales *s)
{
    enum { CHUNK = 4096 }; /* channels; keeps this free of allocation */
    float scale[CHUNK];
    if (s->n_wei > CHUNK)
        return rci_fail(RC_ERR_UNSUPPORTED, "integer convolution: more than %d channels", CHUNK);
    const float unit = s->mid > 0 ? s->mid : s->dst;
    for (int64_t o = 0; o < s->n_wei; o++)
        scale[o] = s->src * s->wei[o] / unit;
    const int mask = s->n_wei == 1 ? 0 : 1 << 1;
    RC_TRY(rci_dnnl_check(dnnl_primitive_attr_set_output_scales(attr, s->n_wei, mask, scale),
                          "output scales"));
    return int8_posts(attr, s);
}

rc_status rci_prim_fix_int8(struct rci_prim *p, const struct rci_int8_scales *s)
{
    (void) p;
    (void) s;
    return RC_OK;
}

void rci_int8_bias(float *out, const float *bias, int64_t n, const struct rci_int8_scales *s)
{
    for (int64_t o = 0; o < n; o++)
        out[o] = bias[o] / (s->src * s->wei[s->n_wei == 1 ? 0 : o]);
}
#endif
