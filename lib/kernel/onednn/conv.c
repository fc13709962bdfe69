/* dst[n,o,y,x] = bias[o] + sum src[n,i,y*s+ky*d-p,x*s+kx*d-p] * weights[o,i,ky,kx], by oneDNN. */
#include "kernel/onednn/conv.h"

struct rci_shape rci_conv_src_shape(const struct rci_conv_geometry *g)
{
    return RC_SHAPE(g->batch, g->in_channels, g->in[0], g->in[1]);
}

struct rci_shape rci_conv_dst_shape(const struct rci_conv_geometry *g)
{
    return RC_SHAPE(g->batch, g->out_channels, g->out[0], g->out[1]);
}

struct rci_shape rci_conv_weights_shape(const struct rci_conv_geometry *g)
{
    const int64_t in = g->in_channels / g->groups;
    if (g->groups == 1)
        return RC_SHAPE(g->out_channels, in, g->kernel[0], g->kernel[1]);
    return RC_SHAPE(g->groups, g->out_channels / g->groups, in, g->kernel[0], g->kernel[1]);
}

bool rci_conv_layout_of(const struct rci_md *md, struct rci_conv_layout *l)
{
    struct rci_dmd_layout d;
    if (!md)
        return false;
    rci_dmd_layout(rci_md_dnnl(md), &d);
    if (!d.blocked || d.any || d.rank != 4 || d.inner_count > 1)
        return false;
    *l = (struct rci_conv_layout){.image = d.strides[0],
                                  .row = d.strides[2],
                                  .pixel = d.strides[3],
                                  .shift = RC_CONV_NO_BLOCKS};
    l->channels = d.padded[1];
    if (d.inner_count == 0)
        return d.strides[1] == 1;
    l->shift = __builtin_ctzll((uint64_t) d.inner_block[0]);
    l->block_stride = d.strides[1];
    return d.inner_axis[0] == 1 && d.inner_block[0] == (int64_t) 1 << l->shift;
}

static rc_status given_or_any(struct rci_engine *e, const struct rci_md *given, enum rci_dtype type,
                              struct rci_shape shape, rci_dmd *out)
{
    const struct rci_md *md = given;
    if (!md)
        RC_TRY(rci_md_any(e, type ? type : RC_F32, &shape, &md));
    *out = rci_md_dnnl(md);
    return RC_OK;
}

rc_status rci_conv_describe(dnnl_primitive_desc_t *pd, struct rci_engine *e,
                            const struct rci_conv_request *r)
{
    *pd = NULL;
    const struct rci_conv_geometry *g = r->geometry;
    struct rci_dnnl_conv d = {.prop = r->prop, .bias = rci_md_dnnl(r->bias), .skip = r->skip};
    RC_TRY(given_or_any(e, r->src, r->src_type, rci_conv_src_shape(g), &d.src));
    RC_TRY(given_or_any(e, r->weights, r->weights_type, rci_conv_weights_shape(g), &d.weights));
    RC_TRY(given_or_any(e, r->dst, r->dst_type, rci_conv_dst_shape(g), &d.dst));
    for (int i = 0; i < 2; i++) {
        d.strides[i] = g->stride[i];
        d.dilates[i] = g->dilation[i] - 1;
        d.pad_l[i] = g->pad_begin[i];
        /* the window that the output size leaves, which may be less than the padding asked for */
        d.pad_r[i] = (g->out[i] - 1) * g->stride[i] + (g->kernel[i] - 1) * g->dilation[i] + 1 -
                     g->in[i] - g->pad_begin[i];
    }
    return rci_dnnl_conv(pd, rci_engine_handle(e), &d, r->hint, r->attr);
}

rc_status rci_conv_describe_fast(dnnl_primitive_desc_t *pd, struct rci_engine *e,
                                 const struct rci_conv_request *r)
{
    const rc_status st = rci_conv_describe(pd, e, r);
    if (st != RC_OK) {
        *pd = NULL;
        return st == RC_ERR_MEMORY ? st : RC_OK;
    }
    if (rci_pd_is_reference(*pd)) {
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
    }
    return RC_OK;
}

static rc_status int8_settle(struct rci_int8_conv *c, struct rci_engine *e,
                             const struct rci_int8_conv_spec *s, const struct rci_md *bias_md)
{
    const_dnnl_primitive_desc_t pd = c->prim.pd;
    RC_TRY(rci_md_query(e, pd, dnnl_query_src_md, 0, &c->src_md));
    RC_TRY(rci_md_query(e, pd, dnnl_query_weights_md, 0, &c->weights_md));
    RC_TRY(rci_md_query(e, pd, dnnl_query_dst_md, 0, &c->dst_md));
    RC_TRY(rci_prim_bind(&c->prim, DNNL_ARG_SRC, c->src_md));
    RC_TRY(rci_prim_bind(&c->prim, DNNL_ARG_WEIGHTS, c->weights_md));
    RC_TRY(rci_prim_bind(&c->prim, DNNL_ARG_DST, c->dst_md));
    if (bias_md)
        RC_TRY(rci_prim_bind(&c->prim, DNNL_ARG_BIAS, bias_md));
    return rci_prim_fix_int8(&c->prim, &s->scales);
}

rc_status rci_int8_conv_new(struct rci_int8_conv **out, struct rci_engine *e,
                            const struct rci_int8_conv_spec *s)
{
    *out = NULL;
    struct rc_context *ctx = rci_engine_context(e);
    const int64_t channels = s->geometry->out_channels;
    struct rci_int8_conv *c = RC_NEW(ctx, struct rci_int8_conv);
    if (!c)
        return RC_ERR_MEMORY;
    struct rci_int8_conv_spec spec = *s;
    spec.scales.grouped = s->geometry->groups > 1;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const struct rci_md *bias_md = NULL;
    rc_status st;
    if (s->bias) {
        const struct rci_shape shape = RC_SHAPE(channels);
        RC_TRY_OUT(st, rci_md_plain(e, RC_F32, &shape, &bias_md));
        st = RC_ERR_MEMORY;
        if (!(c->bias = rci_alloc_array(ctx, (size_t) channels, sizeof(float))))
            goto out;
        rci_int8_bias(c->bias, s->bias, channels, &spec.scales);
    }
    RC_TRY_OUT(st, rci_attr_new(&attr));
    RC_TRY_OUT(st, rci_attr_int8(attr, &spec.scales));
    const struct rci_conv_request request = {.geometry = s->geometry,
                                             .attr = attr,
                                             .prop = dnnl_forward_inference,
                                             .bias = bias_md,
                                             .src_type = s->src,
                                             .weights_type = RC_S8,
                                             .dst_type = s->dst};
    RC_TRY_OUT(st, rci_conv_describe(&pd, e, &request));
    RC_TRY_OUT(st, rci_prim_describe(&c->prim, e, pd));
    st = int8_settle(c, e, &spec, bias_md);
out:
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (st == RC_OK)
        *out = c;
    else
        rci_int8_conv_free(c);
    return st;
}

rc_status rci_int8_conv_run(struct rci_int8_conv *c, const void *src, const void *weights,
                            void *dst, void *scratch)
{
    void *const handle[4] = {(void *) (uintptr_t) src, (void *) (uintptr_t) weights, dst, c->bias};
    return rci_prim_run(&c->prim, handle, scratch);
}

void rci_int8_conv_free(struct rci_int8_conv *c)
{
    if (!c)
        return;
    rci_prim_clear(&c->prim);
    rci_release(c->bias);
    rci_release(c);
}
