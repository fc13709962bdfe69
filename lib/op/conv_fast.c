/* Convolution by oneDNN. Every layout is the library's choice; in training the weights gradient
 * decides, because it reads what forward wrote and must not need a reorder of activations. */
#include "op/conv_fast.h"
#include "kernel/conv.h"
#include "op/layers.h"

struct conv_state {
    struct rc_prim forward, data, weights;
    bool has_bias, wants_data, wants_weights;
    void *unwanted[2]; /* somewhere for a weights or bias gradient that nobody asked for */
};

static void state_destroy(void *state)
{
    struct conv_state *s = state;
    rc_prim_clear(&s->forward);
    rc_prim_clear(&s->data);
    rc_prim_clear(&s->weights);
    rc_release(s->unwanted[0]);
    rc_release(s->unwanted[1]);
    rc_release(s);
}

static rc_status run_forward(const struct rc_step_io *io)
{
    struct conv_state *s = io->state;
    void *const handle[4] = {io->in[0], io->in[1], io->out[0], s->has_bias ? io->in[2] : NULL};
    return rc_prim_run(&s->forward, handle, io->scratch);
}

static rc_status run_backward(const struct rc_step_io *io)
{
    struct conv_state *s = io->state;
    if (s->wants_data && io->d_in[0]) {
        void *const handle[3] = {io->d_out[0], io->in[1], io->d_in[0]};
        RC_TRY(rc_prim_run(&s->data, handle, io->scratch));
    }
    if (!s->wants_weights)
        return RC_OK;
    void *const handle[4] = {io->in[0], io->d_out[0], s->unwanted[0] ? s->unwanted[0] : io->d_in[1],
                             s->unwanted[1] ? s->unwanted[1]
                             : s->has_bias  ? io->d_in[2]
                                            : NULL};
    return rc_prim_run(&s->weights, handle, io->scratch);
}

/* oneDNN #6035: this kernel writes past its scratchpad for few channels in channels-last. */
static bool weights_gradient_unsafe(const struct rc_conv_geometry *g, const struct rc_md *src)
{
    char text[64];
    const bool strided_1x1 =
        g->kernel[0] == 1 && g->kernel[1] == 1 && (g->stride[0] > 1 || g->stride[1] > 1);
    return strided_1x1 && g->in_channels / g->groups < 16 && src->shape.rank == 4 &&
           rc_md_text(src, text)[1] != 'B' && !rc_md_is_plain(src);
}

/* Forward descriptor with layouts chosen by oneDNN; when training, those of the weights gradient.
 */
static rc_status describe_forward(struct rc_prep *p, const struct rc_conv_geometry *g,
                                  struct rc_conv_request *r, dnnl_primitive_desc_t *pd)
{
    r->geometry = g;
    r->prop = p->training ? dnnl_forward_training : dnnl_forward_inference;
    RC_TRY(rc_conv_describe(pd, p->engine, r));
    if (!p->training || !p->needs_grad[1])
        return RC_OK;
    struct rc_conv_request w = {.geometry = g, .prop = dnnl_backward_weights, .hint = *pd};
    dnnl_primitive_desc_t grad;
    rc_status st = rc_conv_describe(&grad, p->engine, &w);
    if (st != RC_OK) /* then the forward layouts are tried */
        return st == RC_ERR_MEMORY ? st : RC_OK;
    const struct rc_md *src, *dst;
    st = rc_md_query(p->engine, grad, dnnl_query_src_md, 0, &src);
    if (st == RC_OK)
        st = rc_md_query(p->engine, grad, dnnl_query_diff_dst_md, 0, &dst);
    const bool use = st == RC_OK && !rc_pd_is_reference(grad);
    dnnl_primitive_desc_destroy(grad);
    if (!use)
        return st;
    struct rc_conv_request same = *r;
    same.src = src;
    same.dst = dst;
    dnnl_primitive_desc_t other;
    if ((st = rc_conv_describe(&other, p->engine, &same)) != RC_OK)
        return st == RC_ERR_MEMORY ? st : RC_OK;
    if (rc_pd_is_reference(other)) {
        dnnl_primitive_desc_destroy(other);
        return RC_OK;
    }
    dnnl_primitive_desc_destroy(*pd);
    *pd = other;
    return RC_OK;
}

static rc_status prepare_forward(struct rc_prep *p, struct conv_state *s,
                                 const struct rc_conv_geometry *g, const struct rc_md *bias)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd = NULL;
    int32_t in_place;
    RC_TRY(rc_attr_create(&attr));
    struct rc_conv_request r = {.bias = bias, .attr = attr};
    rc_status st = rc_attr_posts(attr, p, &in_place);
    if (st == RC_OK)
        st = describe_forward(p, g, &r, &pd);
    dnnl_primitive_attr_destroy(attr);
    if (st == RC_OK && rc_pd_is_reference(pd))
        st = rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": oneDNN has only its reference loop",
                     p->node->name);
    if (st != RC_OK) {
        if (pd)
            dnnl_primitive_desc_destroy(pd);
        return st;
    }
    RC_TRY(rc_prim_init(&s->forward, p->engine, pd));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_src_md, 0, &p->want[0]));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_weights_md, 0, &p->want[1]));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_dst_md, 0, &p->out_md[0]));
    RC_TRY(rc_prim_bind(&s->forward, DNNL_ARG_SRC, p->want[0]));
    RC_TRY(rc_prim_bind(&s->forward, DNNL_ARG_WEIGHTS, p->want[1]));
    RC_TRY(rc_prim_bind(&s->forward, DNNL_ARG_DST, p->out_md[0]));
    if (bias)
        RC_TRY(rc_prim_bind(&s->forward, DNNL_ARG_BIAS, bias));
    if (in_place >= 0)
        p->want[in_place] = p->out_md[0];
    p->in_place = in_place;
    p->scratch = s->forward.scratch;
    p->impl = rc_prim_name(&s->forward);
    return RC_OK;
}

static rc_status prepare_data(struct rc_prep *p, struct conv_state *s,
                              const struct rc_conv_geometry *g, dnnl_primitive_attr_t attr)
{
    const struct rc_conv_request r = {.geometry = g,
                                      .prop = dnnl_backward_data,
                                      .dst = p->out_md[0],
                                      .hint = s->forward.pd,
                                      .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(rc_conv_describe(&pd, p->engine, &r));
    RC_TRY(rc_prim_init(&s->data, p->engine, pd));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_diff_src_md, 0, &p->d_in_md[0]));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_weights_md, 0, &p->want_backward[1]));
    RC_TRY(rc_prim_bind(&s->data, DNNL_ARG_DIFF_DST, p->out_md[0]));
    RC_TRY(rc_prim_bind(&s->data, DNNL_ARG_WEIGHTS, p->want_backward[1]));
    RC_TRY(rc_prim_bind(&s->data, DNNL_ARG_DIFF_SRC, p->d_in_md[0]));
    s->wants_data = true;
    p->backward_reads |= 1u << 1;
    return RC_OK;
}

static rc_status prepare_weights(struct rc_prep *p, struct conv_state *s,
                                 const struct rc_conv_geometry *g, const struct rc_md *bias,
                                 dnnl_primitive_attr_t attr)
{
    if (weights_gradient_unsafe(g, p->want[0]))
        return rc_fail(RC_ERR_UNSUPPORTED,
                       "node \"%s\": strided 1x1 convolution of %lld channels "
                       "in channels-last layout",
                       p->node->name, (long long) (g->in_channels / g->groups));
    const struct rc_conv_request r = {.geometry = g,
                                      .prop = dnnl_backward_weights,
                                      .src = p->want[0],
                                      .dst = p->out_md[0],
                                      .bias = bias,
                                      .hint = s->forward.pd,
                                      .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(rc_conv_describe(&pd, p->engine, &r));
    RC_TRY(rc_prim_init(&s->weights, p->engine, pd));
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_diff_weights_md, 0, &p->d_in_md[1]));
    RC_TRY(rc_prim_bind(&s->weights, DNNL_ARG_SRC, p->want[0]));
    RC_TRY(rc_prim_bind(&s->weights, DNNL_ARG_DIFF_DST, p->out_md[0]));
    RC_TRY(rc_prim_bind(&s->weights, DNNL_ARG_DIFF_WEIGHTS, p->d_in_md[1]));
    if (bias)
        RC_TRY(rc_prim_bind(&s->weights, DNNL_ARG_DIFF_BIAS, bias));
    s->wants_weights = true;
    p->backward_reads |= 1u << 0;
    struct rc_context *ctx = rc_engine_context(p->engine);
    if (!p->needs_grad[1] && !(s->unwanted[0] = rc_alloc(ctx, rc_md_bytes(p->d_in_md[1]))))
        return RC_ERR_MEMORY;
    if (bias && !p->needs_grad[2] && !(s->unwanted[1] = rc_alloc(ctx, rc_md_bytes(bias))))
        return RC_ERR_MEMORY;
    return RC_OK;
}

static rc_status prepare_backward(struct rc_prep *p, struct conv_state *s,
                                  const struct rc_conv_geometry *g, const struct rc_md *bias)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rc_attr_create(&attr));
    rc_status st = p->needs_grad[0] ? prepare_data(p, s, g, attr) : RC_OK;
    if (st == RC_OK && (p->needs_grad[1] || (bias && p->needs_grad[2])))
        st = prepare_weights(p, s, g, bias, attr);
    dnnl_primitive_attr_destroy(attr);
    p->backward_scratch =
        s->data.scratch > s->weights.scratch ? s->data.scratch : s->weights.scratch;
    p->run_backward = run_backward;
    return st;
}

rc_status rc_conv_prepare(struct rc_prep *p)
{
    if (p->training && p->node->n_post)
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": fused work cannot be trained",
                       p->node->name);
    struct rc_conv_geometry g;
    rc_conv_geometry_of(&g, p->node, &p->in[0].shape, &p->in[1].shape);
    struct conv_state *s = RC_NEW(rc_engine_context(p->engine), struct conv_state);
    if (!s)
        return RC_ERR_MEMORY;
    p->state = s;
    p->destroy = state_destroy;
    p->run = run_forward;
    const struct rc_md *bias = NULL;
    const struct rc_shape channels = RC_SHAPE(g.out_channels);
    s->has_bias = p->node->n_in > 2 && p->in[2].dtype;
    rc_status st = s->has_bias ? rc_md_plain(p->engine, RC_F32, &channels, &bias) : RC_OK;
    if (st == RC_OK)
        st = prepare_forward(p, s, &g, bias);
    if (st == RC_OK && p->training)
        st = prepare_backward(p, s, &g, bias);
    if (st != RC_OK) {
        state_destroy(s);
        p->state = NULL;
    }
    return st;
}
