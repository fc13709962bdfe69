/* Convolution by oneDNN. Every layout is the library's choice; in training the weights gradient
 * decides, because it reads what forward wrote and must not need a reorder of activations. */
#include "op/conv/fast.h"
#include "kernel/onednn/conv.h"
#include "op/conv/own.h"
#include "op/layers.h"

struct conv_state {
    struct rci_prim forward, data, weights;
    struct rci_conv_own own; /* instead of `forward`, if it exists */
    bool has_bias, wants_data, wants_weights;
    void *unwanted[2]; /* somewhere for a weights or bias gradient that nobody asked for */
    /* Source and output gradient in the layouts of the weights gradient, where those differ from
     * the forward ones; `moved` is where they go in the scratchpad. */
    struct rci_reorder *move[2];
    size_t moved[2], weights_scratch;
};

static void state_destroy(void *state)
{
    struct conv_state *s = state;
    rci_prim_clear(&s->forward);
    rci_prim_clear(&s->data);
    rci_prim_clear(&s->weights);
    rci_conv_own_destroy(&s->own);
    rci_reorder_destroy(s->move[0]);
    rci_reorder_destroy(s->move[1]);
    rci_release(s->unwanted[0]);
    rci_release(s->unwanted[1]);
    rci_release(s);
}

static rc_status run_forward(const struct rci_step_io *io)
{
    struct conv_state *s = io->state;
    void *const handle[4] = {io->in[0], io->in[1], io->out[0], s->has_bias ? io->in[2] : NULL};
    return rci_prim_run(&s->forward, handle, io->scratch);
}

static rc_status share_own(const struct rci_step_io *io)
{
    const struct conv_state *s = io->state;
    const struct rci_conv_args a = {io->in[0], io->in[1], s->has_bias ? io->in[2] : NULL,
                                    io->out[0], io->scratch};
    s->own.kernel->share(s->own.state, &a);
    return RC_OK;
}

static rc_status run_backward(const struct rci_step_io *io)
{
    struct conv_state *s = io->state;
    if (s->wants_data && io->d_in[0]) {
        void *const handle[3] = {io->d_out[0], io->in[1], io->d_in[0]};
        RC_TRY(rci_prim_run(&s->data, handle, io->scratch));
    }
    if (!s->wants_weights)
        return RC_OK;
    void *from[2] = {io->in[0], io->d_out[0]};
    for (int i = 0; i < 2; i++) {
        if (!s->move[i])
            continue;
        void *to = (char *) io->scratch + s->moved[i];
        RC_TRY(rci_reorder_run(s->move[i], from[i], to, io->scratch));
        from[i] = to;
    }
    void *const handle[4] = {from[0], from[1], s->unwanted[0] ? s->unwanted[0] : io->d_in[1],
                             s->unwanted[1] ? s->unwanted[1]
                             : s->has_bias  ? io->d_in[2]
                                            : NULL};
    return rci_prim_run(&s->weights, handle, io->scratch);
}

static enum rci_dtype compute_type(const struct rci_prep *p)
{
    return p->bf16 ? RC_BF16 : RC_F32;
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

/* RC_OK with *pd NULL: oneDNN has no kernel of its own (reference loops do not count). */
static rc_status describe_fast(struct rci_prep *p, const struct rci_conv_request *r,
                               dnnl_primitive_desc_t *pd)
{
    const rc_status st = rci_conv_describe(pd, p->engine, r);
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

/* Layouts in which the weights gradient has a fast kernel, given the source's (NULL: any);
 * *src NULL: there are none. */
static rc_status gradient_layouts(struct rci_prep *p, const struct rci_conv_geometry *g,
                                  dnnl_primitive_desc_t forward, const struct rci_md **src,
                                  const struct rci_md **dst)
{
    const struct rci_conv_request w = {.geometry = g,
                                       .prop = dnnl_backward_weights,
                                       .src = *src,
                                       .dst = *dst,
                                       .src_type = compute_type(p),
                                       .dst_type = compute_type(p),
                                       .hint = forward};
    dnnl_primitive_desc_t grad;
    *src = *dst = NULL;
    rc_status st = describe_fast(p, &w, &grad);
    if (st != RC_OK || !grad)
        return st;
    st = rci_md_query(p->engine, grad, dnnl_query_src_md, 0, src);
    if (st == RC_OK)
        st = rci_md_query(p->engine, grad, dnnl_query_diff_dst_md, 0, dst);
    dnnl_primitive_desc_destroy(grad);
    return st;
}

static void replace(dnnl_primitive_desc_t *pd, dnnl_primitive_desc_t by)
{
    dnnl_primitive_desc_destroy(*pd);
    *pd = by;
}

/* The source as its producer writes it. Few channels (4 to 15 on AVX-512) have a fast weights
 * gradient only in the blocked layout, which `any` does not choose for them: pruned networks. */
static rc_status use_arriving_layout(struct rci_prep *p, const struct rci_conv_geometry *g,
                                     const struct rci_conv_request *r, dnnl_primitive_desc_t *pd)
{
    struct rci_conv_request arriving = *r;
    dnnl_primitive_desc_t other;
    if (!p->have[0] || p->have[0]->dtype != compute_type(p))
        return RC_OK;
    arriving.src = p->have[0];
    RC_TRY(describe_fast(p, &arriving, &other));
    if (!other)
        return RC_OK;
    const struct rci_md *src = p->have[0], *dst;
    rc_status st = rci_md_query(p->engine, other, dnnl_query_dst_md, 0, &dst);
    if (st == RC_OK)
        st = gradient_layouts(p, g, other, &src, &dst);
    if (st == RC_OK && src)
        replace(pd, other);
    else
        dnnl_primitive_desc_destroy(other);
    return st;
}

/* Forward descriptor with layouts chosen by oneDNN; when training, such that the weights gradient
 * has a fast kernel on the same layouts. */
static rc_status describe_forward(struct rci_prep *p, const struct rci_conv_geometry *g,
                                  struct rci_conv_request *r, dnnl_primitive_desc_t *pd)
{
    r->geometry = g;
    r->src_type = r->weights_type = r->dst_type = compute_type(p);
    r->prop = p->training ? dnnl_forward_training : dnnl_forward_inference;
    RC_TRY(rci_conv_describe(pd, p->engine, r));
    if (!p->training || !p->needs_grad[1])
        return RC_OK;
    struct rci_conv_request same = *r;
    dnnl_primitive_desc_t other = NULL;
    same.src = same.dst = NULL;
    RC_TRY(gradient_layouts(p, g, *pd, &same.src, &same.dst));
    if (same.src)
        RC_TRY(describe_fast(p, &same, &other));
    if (!other)
        return use_arriving_layout(p, g, r, pd);
    replace(pd, other);
    return RC_OK;
}

static rc_status prepare_forward(struct rci_prep *p, struct conv_state *s,
                                 const struct rci_conv_geometry *g, const struct rci_md *bias)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd = NULL;
    int32_t in_place;
    RC_TRY(rci_attr_create(&attr));
    struct rci_conv_request r = {.bias = bias, .attr = attr};
    rc_status st = rci_attr_posts(attr, p, &in_place);
    if (st == RC_OK)
        st = describe_forward(p, g, &r, &pd);
    dnnl_primitive_attr_destroy(attr);
    if (st == RC_OK && rci_pd_is_reference(pd))
        st = rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": oneDNN has only its reference loop",
                      p->node->name);
    if (st != RC_OK) {
        if (pd)
            dnnl_primitive_desc_destroy(pd);
        return st;
    }
    RC_TRY(rci_prim_describe(&s->forward, p->engine, pd));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_src_md, 0, &p->want[0]));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_weights_md, 0, &p->want[1]));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_dst_md, 0, &p->out_md[0]));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_SRC, p->want[0]));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_WEIGHTS, p->want[1]));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_DST, p->out_md[0]));
    if (bias)
        RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_BIAS, bias));
    if (in_place >= 0)
        p->want[in_place] = p->out_md[0];
    p->in_place = in_place;
    p->scratch = s->forward.scratch;
    p->impl = rci_prim_name(&s->forward);
    return RC_OK;
}

/* A layer that bf16 has only a slow loop for is better off in f32. */
static rc_status check_bf16(const struct rci_prep *p, const_dnnl_primitive_desc_t pd)
{
    if (!p->bf16 || !rci_pd_is_reference(pd))
        return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": no bf16 kernel", p->node->name);
}

static rc_status prepare_data(struct rci_prep *p, struct conv_state *s,
                              const struct rci_conv_geometry *g, dnnl_primitive_attr_t attr)
{
    const struct rci_conv_request r = {.geometry = g,
                                       .prop = dnnl_backward_data,
                                       .dst = p->out_md[0],
                                       .src_type = compute_type(p),
                                       .weights_type = compute_type(p),
                                       .hint = s->forward.pd,
                                       .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(rci_conv_describe(&pd, p->engine, &r));
    RC_TRY(rci_prim_init(&s->data, p->engine, pd));
    RC_TRY(check_bf16(p, pd));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_diff_src_md, 0, &p->d_in_md[0]));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_weights_md, 0, &p->want_backward[1]));
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_DIFF_DST, p->out_md[0]));
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_WEIGHTS, p->want_backward[1]));
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_DIFF_SRC, p->d_in_md[0]));
    s->wants_data = true;
    p->backward_reads |= 1u << 1;
    return RC_OK;
}

/* Reorders into the layouts of the weights gradient. Scratchpad: [primitives and reorders][source]
 * [output gradient]. */
static rc_status prepare_moves(struct rci_prep *p, struct conv_state *s, const struct rci_md *src,
                               const struct rci_md *dst)
{
    const struct rci_md *const have[2] = {p->want[0], p->out_md[0]}, *const want[2] = {src, dst};
    size_t shared = s->weights.scratch, size[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        if (rci_md_equal(have[i], want[i]))
            continue;
        RC_TRY(rci_reorder_create(&s->move[i], p->engine, have[i], want[i]));
        const size_t own = rci_reorder_scratch(s->move[i]);
        shared = own > shared ? own : shared;
        size[i] = rci_align_line(rci_md_bytes(want[i]));
    }
    s->moved[0] = rci_align_line(shared);
    s->moved[1] = s->moved[0] + size[0];
    s->weights_scratch = s->moved[1] + size[1];
    return RC_OK;
}

static rc_status prepare_weights(struct rci_prep *p, struct conv_state *s,
                                 const struct rci_conv_geometry *g, const struct rci_md *bias,
                                 dnnl_primitive_attr_t attr)
{
    struct rci_conv_request r = {.geometry = g,
                                 .prop = dnnl_backward_weights,
                                 .src = p->want[0],
                                 .dst = p->out_md[0],
                                 .bias = bias,
                                 .src_type = compute_type(p),
                                 .dst_type = compute_type(p),
                                 .hint = s->forward.pd,
                                 .attr = attr};
    dnnl_primitive_desc_t pd;
    RC_TRY(describe_fast(p, &r, &pd));
    if (!pd) { /* layouts of its own, whatever they cost to reach */
        r.src = r.dst = NULL;
        RC_TRY(rci_conv_describe(&pd, p->engine, &r));
    }
    RC_TRY(rci_prim_init(&s->weights, p->engine, pd));
    RC_TRY(check_bf16(p, pd));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_src_md, 0, &r.src));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_diff_dst_md, 0, &r.dst));
    if (weights_gradient_unsafe(g, r.src))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": strided 1x1 convolution of %lld channels "
                        "in channels-last layout",
                        p->node->name, (long long) (g->in_channels / g->groups));
    RC_TRY(prepare_moves(p, s, r.src, r.dst));
    RC_TRY(rci_md_query(p->engine, pd, dnnl_query_diff_weights_md, 0, &p->d_in_md[1]));
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_SRC, r.src));
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_DST, r.dst));
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_WEIGHTS, p->d_in_md[1]));
    if (bias)
        RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_BIAS, bias));
    s->wants_weights = true;
    p->backward_reads |= 1u << 0;
    struct rc_context *ctx = rci_engine_context(p->engine);
    if (!p->needs_grad[1] && !(s->unwanted[0] = rci_alloc(ctx, rci_md_bytes(p->d_in_md[1]))))
        return RC_ERR_MEMORY;
    if (bias && !p->needs_grad[2] && !(s->unwanted[1] = rci_alloc(ctx, rci_md_bytes(bias))))
        return RC_ERR_MEMORY;
    return RC_OK;
}

static rc_status prepare_backward(struct rci_prep *p, struct conv_state *s,
                                  const struct rci_conv_geometry *g, const struct rci_md *bias)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rci_attr_create(&attr));
    rc_status st = p->needs_grad[0] ? prepare_data(p, s, g, attr) : RC_OK;
    if (st == RC_OK && (p->needs_grad[1] || (bias && p->needs_grad[2])))
        st = prepare_weights(p, s, g, bias, attr);
    dnnl_primitive_attr_destroy(attr);
    p->backward_scratch = rci_larger(s->data.scratch, s->weights_scratch);
    p->run_backward = run_backward;
    return st;
}

static void pack_weights(const void *state, const void *plain, void *packed)
{
    const struct rci_conv_own *own = &((const struct conv_state *) state)->own;
    own->kernel->pack_weights(own->state, plain, packed);
}

static void pack_bias(const void *state, const void *plain, void *packed)
{
    const struct rci_conv_own *own = &((const struct conv_state *) state)->own;
    own->kernel->pack_bias(own->state, plain, packed);
}

/* oneDNN's packed weights are not wanted any more. */
static rc_status prefer_own(struct rci_prep *p, struct conv_state *s,
                            const struct rci_conv_geometry *g)
{
    const struct rci_conv_onednn onednn = {&s->forward, s->has_bias};
    RC_TRY(rci_conv_choose(&s->own, p, g, &onednn));
    if (!s->own.kernel)
        return RC_OK;
    rci_prim_clear(&s->forward);
    if (rci_conv_own_planes(&s->own))
        p->want[0] = NULL;
    p->packing[1] = (struct rci_packing){s->own.kernel->weights_bytes(s->own.state), pack_weights};
    if (s->has_bias) /* whole vectors of it */
        p->packing[2] = (struct rci_packing){s->own.kernel->bias_bytes(s->own.state), pack_bias};
    p->scratch = s->own.kernel->scratch(s->own.state);
    p->impl = s->own.kernel->text(s->own.state);
    p->run = share_own;
    p->team = true;
    return RC_OK;
}

static rc_status prepare(struct rci_prep *p)
{
    struct rci_conv_geometry g;
    rci_conv_geometry_of(&g, p->node, &p->in[0].shape, &p->in[1].shape);
    struct conv_state *s = RC_NEW(rci_engine_context(p->engine), struct conv_state);
    if (!s)
        return RC_ERR_MEMORY;
    p->state = s;
    p->destroy = state_destroy;
    p->run = run_forward;
    p->values_at_run = true;
    const struct rci_md *bias = NULL;
    const struct rci_shape channels = RC_SHAPE(g.out_channels);
    s->has_bias = p->node->n_in > 2 && p->in[2].dtype;
    rc_status st = s->has_bias ? rci_md_plain(p->engine, RC_F32, &channels, &bias) : RC_OK;
    if (st == RC_OK)
        st = prepare_forward(p, s, &g, bias);
    const bool trains = st == RC_OK && rci_conv_winograd_trains(p, &g);
    const bool moves = st == RC_OK && rci_conv_moves(p, &g);
    if (trains || moves) {
        state_destroy(s); /* it has settled the layouts */
        p->state = NULL;
        return (trains ? rci_conv_winograd_train : rci_conv_move)(p, &g);
    }
    if (st == RC_OK && p->training)
        st = prepare_backward(p, s, &g, bias);
    else if (st == RC_OK && !p->bf16)
        st = prefer_own(p, s, &g);
    if (st == RC_OK && !s->own.kernel)
        st = rci_prim_create(&s->forward);
    if (st != RC_OK) {
        state_destroy(s);
        p->state = NULL;
    }
    return st;
}

rc_status rci_conv_prepare(struct rci_prep *p)
{
    if (p->training && p->node->n_post)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": fused work cannot be trained",
                        p->node->name);
    const struct rci_prep asked = *p;
    const rc_status st = prepare(p);
    if (st != RC_ERR_UNSUPPORTED || !p->bf16)
        return st;
    *p = asked;
    p->bf16 = false;
    return prepare(p);
}
