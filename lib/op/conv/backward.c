/* Both gradients of a convolution by oneDNN, in the layouts of its forward pass where it can. */
#include "op/conv/ways.h"

struct rci_conv_backward {
    struct rci_prim data, weights;
    bool has_bias, wants_data, wants_weights;
    void *unwanted[2]; /* somewhere for a weights or bias gradient that nobody asked for */
    /* Source and output gradient in the layouts of the weights gradient, where those differ from
     * the forward ones; `moved` is where they go in the scratchpad. */
    struct rci_reorder *move[2];
    size_t moved[2], weights_scratch;
};

void rci_conv_backward_free(struct rci_conv_backward *b)
{
    if (!b)
        return;
    rci_prim_clear(&b->data);
    rci_prim_clear(&b->weights);
    rci_reorder_free(b->move[0]);
    rci_reorder_free(b->move[1]);
    rci_release(b->unwanted[0]);
    rci_release(b->unwanted[1]);
    rci_release(b);
}

rc_status rci_conv_backward_run(struct rci_conv_backward *b, const struct rci_step_io *io)
{
    if (b->wants_data && io->d_in[0]) {
        void *const handle[3] = {io->d_out[0], io->in[1], io->d_in[0]};
        RC_TRY(rci_prim_run(&b->data, handle, io->scratch));
    }
    if (!b->wants_weights)
        return RC_OK;
    void *from[2] = {io->in[0], io->d_out[0]};
    for (int i = 0; i < 2; i++) {
        if (!b->move[i])
            continue;
        void *to = (char *) io->scratch + b->moved[i];
        RC_TRY(rci_reorder_run(b->move[i], from[i], to, io->scratch));
        from[i] = to;
    }
    void *const handle[4] = {from[0], from[1], b->unwanted[0] ? b->unwanted[0] : io->d_in[1],
                             b->unwanted[1] ? b->unwanted[1]
                             : b->has_bias  ? io->d_in[2]
                                            : NULL};
    return rci_prim_run(&b->weights, handle, io->scratch);
}

/* oneDNN #6035: this kernel writes past its scratchpad for few channels in channels-last. */
static bool weights_gradient_unsafe(const struct rci_conv_geometry *g, const struct rci_md *src)
{
    char text[64];
    const bool strided_1x1 =
        g->kernel[0] == 1 && g->kernel[1] == 1 && (g->stride[0] > 1 || g->stride[1] > 1);
    return strided_1x1 && g->in_channels / g->groups < 16 && src->shape.rank == 4 &&
           rci_md_text(src, text)[1] != 'B' && !rci_md_is_plain(src);
}

/* A layer that bf16 has only a slow loop for is better off in f32. */
static rc_status check_bf16(const struct rci_request *req, const_dnnl_primitive_desc_t pd)
{
    if (!req->bf16 || !rci_pd_is_reference(pd))
        return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": no bf16 kernel", req->node->name);
}

/* Gradient by the input: dy and weights, in the layouts of forward. */
static rc_status prepare_data(struct rci_conv_backward *b, const struct rci_request *req,
                              struct rci_prep *p, const struct rci_conv_trained *t,
                              dnnl_primitive_attr_t attr)
{
    const struct rci_conv_request r = {.geometry = t->geometry,
                                       .prop = dnnl_backward_data,
                                       .dst = t->layouts->dst,
                                       .src_type = t->type,
                                       .weights_type = t->type,
                                       .hint = t->forward,
                                       .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(rci_conv_describe(&pd, req->engine, &r));
    RC_TRY(rci_prim_init(&b->data, req->engine, pd));
    RC_TRY(check_bf16(req, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_diff_src_md, 0, &p->d_in_md[0]));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_weights_md, 0, &p->want_backward[1]));
    RC_TRY(rci_prim_bind(&b->data, DNNL_ARG_DIFF_DST, t->layouts->dst));
    RC_TRY(rci_prim_bind(&b->data, DNNL_ARG_WEIGHTS, p->want_backward[1]));
    RC_TRY(rci_prim_bind(&b->data, DNNL_ARG_DIFF_SRC, p->d_in_md[0]));
    b->wants_data = true;
    p->backward_reads |= 1u << 1;
    return RC_OK;
}

/* Reorders into the layouts of the weights gradient. Scratchpad: [primitives and reorders][source]
 * [output gradient]. */
static rc_status prepare_moves(struct rci_conv_backward *b, struct rci_engine *e,
                               const struct rci_conv_layouts *l, const struct rci_md *src,
                               const struct rci_md *dst)
{
    const struct rci_md *const have[2] = {l->src, l->dst}, *const want[2] = {src, dst};
    size_t shared = b->weights.scratch, size[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        if (rci_md_equal(have[i], want[i]))
            continue;
        RC_TRY(rci_reorder_new(&b->move[i], e, have[i], want[i]));
        const size_t own = rci_reorder_scratch(b->move[i]);
        shared = own > shared ? own : shared;
        size[i] = rci_align_line(rci_md_bytes(want[i]));
    }
    b->moved[0] = rci_align_line(shared);
    b->moved[1] = b->moved[0] + size[0];
    b->weights_scratch = b->moved[1] + size[1];
    return RC_OK;
}

/* oneDNN computes both gradients, so one that nobody asked for needs memory too. */
static rc_status make_unwanted(struct rci_conv_backward *b, const struct rci_request *req,
                               const struct rci_md *weights, const struct rci_md *bias)
{
    struct rc_context *ctx = rci_engine_context(req->engine);
    if (!req->needs_grad[1] && !(b->unwanted[0] = rci_alloc(ctx, rci_md_bytes(weights))))
        return RC_ERR_MEMORY;
    if (bias && !req->needs_grad[2] && !(b->unwanted[1] = rci_alloc(ctx, rci_md_bytes(bias))))
        return RC_ERR_MEMORY;
    return RC_OK;
}

/* bias NULL: there is none. */
static rc_status bind_weights(struct rci_conv_backward *b, const struct rci_md *src,
                              const struct rci_md *d_dst, const struct rci_md *d_weights,
                              const struct rci_md *bias)
{
    RC_TRY(rci_prim_bind(&b->weights, DNNL_ARG_SRC, src));
    RC_TRY(rci_prim_bind(&b->weights, DNNL_ARG_DIFF_DST, d_dst));
    RC_TRY(rci_prim_bind(&b->weights, DNNL_ARG_DIFF_WEIGHTS, d_weights));
    return bias ? rci_prim_bind(&b->weights, DNNL_ARG_DIFF_BIAS, bias) : RC_OK;
}

static rc_status prepare_weights(struct rci_conv_backward *b, const struct rci_request *req,
                                 struct rci_prep *p, const struct rci_conv_trained *t,
                                 dnnl_primitive_attr_t attr)
{
    const struct rci_conv_geometry *g = t->geometry;
    struct rci_conv_request r = {.geometry = g,
                                 .prop = dnnl_backward_weights,
                                 .src = t->layouts->src,
                                 .dst = t->layouts->dst,
                                 .bias = t->layouts->bias,
                                 .src_type = t->type,
                                 .dst_type = t->type,
                                 .hint = t->forward,
                                 .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(rci_conv_describe_fast(&pd, req->engine, &r));
    if (!pd) { /* layouts of its own, whatever they cost to reach */
        r.src = r.dst = NULL;
        RC_TRY(rci_conv_describe(&pd, req->engine, &r));
    }
    RC_TRY(rci_prim_init(&b->weights, req->engine, pd));
    RC_TRY(check_bf16(req, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_src_md, 0, &r.src));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_diff_dst_md, 0, &r.dst));
    if (weights_gradient_unsafe(g, r.src))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": strided 1x1 convolution of %lld channels "
                        "in channels-last layout",
                        req->node->name, (long long) (g->in_channels / g->groups));
    RC_TRY(prepare_moves(b, req->engine, t->layouts, r.src, r.dst));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_diff_weights_md, 0, &p->d_in_md[1]));
    RC_TRY(bind_weights(b, r.src, r.dst, p->d_in_md[1], r.bias));
    b->wants_weights = true;
    p->backward_reads |= 1u << 0;
    return make_unwanted(b, req, p->d_in_md[1], r.bias);
}

static rc_status prepare_both(struct rci_conv_backward *b, const struct rci_request *req,
                              struct rci_prep *p, const struct rci_conv_trained *t)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rci_attr_new(&attr));
    rc_status st = req->needs_grad[0] ? prepare_data(b, req, p, t, attr) : RC_OK;
    if (st == RC_OK && (req->needs_grad[1] || (b->has_bias && req->needs_grad[2])))
        st = prepare_weights(b, req, p, t, attr);
    dnnl_primitive_attr_destroy(attr);
    p->backward_scratch = rci_larger(b->data.scratch, b->weights_scratch);
    return st;
}

rc_status rci_conv_backward_new(struct rci_conv_backward **out, const struct rci_request *req,
                                struct rci_prep *p, const struct rci_conv_trained *t)
{
    struct rci_conv_backward *b = RC_NEW(rci_engine_context(req->engine), struct rci_conv_backward);
    *out = NULL;
    if (!b)
        return RC_ERR_MEMORY;
    b->has_bias = t->layouts->bias;
    const rc_status st = prepare_both(b, req, p, t);
    if (st != RC_OK)
        rci_conv_backward_free(b);
    else
        *out = b;
    return st;
}
