/* The fast path of a convolution: layouts are settled first, by oneDNN, then who computes in them.
 * In training the weights gradient decides about layouts, because it reads what forward wrote and
 * must not need a reorder of activations. */
#include "op/conv/fast.h"
#include "kernel/onednn/kept.h"
#include "op/conv/ways.h"
#include "op/layers.h"

#include <string.h>

/* --- layouts --- */

/* Of activations and weights; bias and sums are f32 always. */
static enum rci_dtype compute_type(const struct rci_request *req)
{
    return req->bf16 ? RC_BF16 : RC_F32;
}

/* Layouts in which the weights gradient has a fast kernel, given the source's (NULL: any);
 * *src NULL: there are none. */
static rc_status gradient_layouts(const struct rci_request *req, const struct rci_conv_geometry *g,
                                  dnnl_primitive_desc_t forward, const struct rci_md **src,
                                  const struct rci_md **dst)
{
    const struct rci_conv_request w = {.geometry = g,
                                       .prop = dnnl_backward_weights,
                                       .src = *src,
                                       .dst = *dst,
                                       .src_type = compute_type(req),
                                       .dst_type = compute_type(req),
                                       .hint = forward};
    dnnl_primitive_desc_t grad;
    *src = *dst = NULL;
    rc_status st = rci_conv_describe_fast(&grad, req->engine, &w);
    if (st != RC_OK || !grad)
        return st;
    st = rci_md_query(req->engine, grad, dnnl_query_src_md, 0, src);
    if (st == RC_OK)
        st = rci_md_query(req->engine, grad, dnnl_query_diff_dst_md, 0, dst);
    dnnl_primitive_desc_destroy(grad);
    return st;
}

static void replace_descriptor(dnnl_primitive_desc_t *pd, dnnl_primitive_desc_t by)
{
    dnnl_primitive_desc_destroy(*pd);
    *pd = by;
}

/* The source as its producer writes it. Few channels (4 to 15 on AVX-512) have a fast weights
 * gradient only in the blocked layout, which `any` does not choose for them: pruned networks. */
static rc_status use_arriving_layout(const struct rci_request *req,
                                     const struct rci_conv_request *r, dnnl_primitive_desc_t *pd)
{
    struct rci_conv_request arriving = *r;
    dnnl_primitive_desc_t other;
    if (!req->have[0] || req->have[0]->dtype != compute_type(req))
        return RC_OK;
    arriving.src = req->have[0];
    RC_TRY(rci_conv_describe_fast(&other, req->engine, &arriving));
    if (!other)
        return RC_OK;
    const struct rci_md *src = req->have[0], *dst;
    rc_status st = rci_md_query(req->engine, other, dnnl_query_dst_md, 0, &dst);
    if (st == RC_OK)
        st = gradient_layouts(req, r->geometry, other, &src, &dst);
    if (st == RC_OK && src)
        replace_descriptor(pd, other);
    else
        dnnl_primitive_desc_destroy(other);
    return st;
}

/* Forward descriptor with layouts chosen by oneDNN; when training, such that the weights gradient
 * has a fast kernel on the same layouts. */
static rc_status describe_forward(const struct rci_request *req, const struct rci_conv_request *r,
                                  dnnl_primitive_desc_t *pd)
{
    RC_TRY(rci_conv_describe(pd, req->engine, r));
    if (!req->training || !req->needs_grad[1])
        return RC_OK;
    struct rci_conv_request same = *r;
    dnnl_primitive_desc_t other = NULL;
    RC_TRY(gradient_layouts(req, r->geometry, *pd, &same.src, &same.dst));
    if (same.src)
        RC_TRY(rci_conv_describe_fast(&other, req->engine, &same));
    if (!other)
        return use_arriving_layout(req, r, pd);
    replace_descriptor(pd, other);
    return RC_OK;
}

static rc_status read_layouts(const struct rci_request *req, const_dnnl_primitive_desc_t pd,
                              struct rci_conv_layouts *l)
{
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_src_md, 0, &l->src));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_weights_md, 0, &l->weights));
    return rci_md_query(req->engine, pd, dnnl_query_dst_md, 0, &l->dst);
}

/* All that an inference descriptor depends on. */
struct descriptor_key {
    struct rci_conv_geometry geometry;
    int64_t type, bias, sum, relu;
};

/* The same for the second of equal layers as for the first. */
static rc_status describe_once(const struct rci_request *req, const struct rci_conv_request *r,
                               dnnl_primitive_desc_t *pd)
{
    struct rci_conv_spec posts = {.sum = false};
    struct descriptor_key key;
    if (req->training || !rci_conv_posts_fit(req->node, &posts))
        return describe_forward(req, r, pd);
    memset(&key, 0, sizeof(key));
    key.geometry = *r->geometry;
    key.type = r->src_type;
    key.bias = r->bias != NULL;
    key.sum = posts.sum;
    key.relu = posts.relu;
    RC_TRY(rci_engine_kept(req->engine, &key, sizeof(key), pd));
    if (*pd)
        return RC_OK;
    RC_TRY(describe_forward(req, r, pd));
    return rci_engine_keep(req->engine, &key, sizeof(key), *pd);
}

/* *pd: oneDNN's forward convolution in these layouts, to be destroyed also after a failure. */
static rc_status settle_layouts(const struct rci_request *req, const struct rci_conv_geometry *g,
                                struct rci_conv_layouts *l, dnnl_primitive_desc_t *pd)
{
    const struct rci_shape channels = RC_SHAPE(g->out_channels);
    const enum rci_dtype type = compute_type(req);
    dnnl_primitive_attr_t attr;
    *l = (struct rci_conv_layouts){.in_place = -1};
    *pd = NULL;
    if (req->node->n_in > 2 && req->in[2].dtype)
        RC_TRY(rci_md_plain(req->engine, RC_F32, &channels, &l->bias));
    RC_TRY(rci_attr_new(&attr));
    const struct rci_conv_request r = {.geometry = g,
                                       .prop = req->training ? dnnl_forward_training
                                                             : dnnl_forward_inference,
                                       .bias = l->bias,
                                       .src_type = type,
                                       .weights_type = type,
                                       .dst_type = type,
                                       .attr = attr};
    rc_status st = rci_attr_posts(attr, req, type, &l->in_place);
    if (st == RC_OK)
        st = describe_once(req, &r, pd);
    dnnl_primitive_attr_destroy(attr);
    RC_TRY(st);
    /* the plain loop of this library is as good, and its sums are in double */
    if (rci_pd_is_reference(*pd))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": oneDNN has only its reference loop",
                        req->node->name);
    return read_layouts(req, *pd, l);
}

/* --- oneDNN's kernel, or one of ours in its place --- */

struct conv_state {
    struct rci_prim forward;
    struct rci_conv_chosen own;
    struct rci_conv_backward *backward; /* NULL: not in training */
    bool has_bias;
};

static void conv_free(void *state)
{
    struct conv_state *s = state;
    rci_prim_clear(&s->forward);
    rci_conv_chosen_free(&s->own);
    rci_conv_backward_free(s->backward);
    rci_release(s);
}

static rc_status conv_run(const struct rci_step_io *io)
{
    struct conv_state *s = io->state;
    void *const handle[4] = {io->in[0], io->in[1], io->out[0], s->has_bias ? io->in[2] : NULL};
    return rci_prim_run(&s->forward, handle, io->scratch);
}

static rc_status conv_share_own(const struct rci_step_io *io)
{
    const struct conv_state *s = io->state;
    const struct rci_conv_args a = {io->in[0], io->in[1], s->has_bias ? io->in[2] : NULL,
                                    io->out[0], io->scratch};
    s->own.kernel->share(s->own.state, &a);
    return RC_OK;
}

static rc_status conv_run_backward(const struct rci_step_io *io)
{
    const struct conv_state *s = io->state;
    return rci_conv_backward_run(s->backward, io);
}

static void conv_pack_weights(const void *state, const void *plain, void *packed)
{
    const struct rci_conv_chosen *own = &((const struct conv_state *) state)->own;
    own->kernel->pack_weights(own->state, plain, packed);
}

static void conv_pack_bias(const void *state, const void *plain, void *packed)
{
    const struct rci_conv_chosen *own = &((const struct conv_state *) state)->own;
    own->kernel->pack_bias(own->state, plain, packed);
}

static rc_status bind_forward(struct conv_state *s, const struct rci_conv_layouts *l)
{
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_SRC, l->src));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_WEIGHTS, l->weights));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_DST, l->dst));
    return l->bias ? rci_prim_bind(&s->forward, DNNL_ARG_BIAS, l->bias) : RC_OK;
}

/* Weights and bias come packed as the kernel wants them; it runs in the parallel region of its
 * neighbours. */
static void conv_use_own(struct rci_prep *p, struct conv_state *s)
{
    const struct rci_conv_kernel *k = s->own.kernel;
    if (k->planes && k->planes(s->own.state))
        p->want[0] = NULL;
    p->packing[1] = (struct rci_packing){k->weights_bytes(s->own.state), conv_pack_weights};
    if (s->has_bias) /* whole vectors of it */
        p->packing[2] = (struct rci_packing){k->bias_bytes(s->own.state), conv_pack_bias};
    p->scratch = k->scratch(s->own.state);
    p->impl = k->text(s->own.state);
    p->run = conv_share_own;
    p->team = true;
}

static rc_status conv_use_onednn(const struct rci_request *req, struct rci_prep *p,
                                 struct conv_state *s, const struct rci_conv_layouts *l,
                                 const struct rci_conv_geometry *g)
{
    p->scratch = s->forward.scratch;
    p->impl = rci_prim_name(&s->forward);
    p->run = conv_run;
    if (req->training) {
        const struct rci_conv_trained t = {g, l, s->forward.pd, compute_type(req)};
        RC_TRY(rci_conv_backward_new(&s->backward, req, p, &t));
        p->run_backward = conv_run_backward;
    }
    return rci_prim_new(&s->forward);
}

/* Takes over `pd`. */
static rc_status conv_fill(const struct rci_request *req, struct rci_prep *p, struct conv_state *s,
                           const struct rci_conv_spec *spec, const struct rci_conv_layouts *l,
                           dnnl_primitive_desc_t pd)
{
    struct rci_conv_spec own = *spec;
    RC_TRY(rci_prim_describe(&s->forward, req->engine, pd));
    RC_TRY(bind_forward(s, l));
    if (!req->training && !req->bf16)
        RC_TRY(rci_conv_choose_own(&s->own, req, &own, l, &s->forward));
    if (!s->own.kernel)
        return conv_use_onednn(req, p, s, l, spec->geometry);
    rci_prim_clear(&s->forward); /* its packed weights are not wanted any more */
    conv_use_own(p, s);
    return RC_OK;
}

static rc_status conv_prepare_kernel(const struct rci_request *req, struct rci_prep *p,
                                     const struct rci_conv_spec *spec,
                                     const struct rci_conv_layouts *l, dnnl_primitive_desc_t pd)
{
    struct conv_state *s = RC_NEW(rci_engine_context(req->engine), struct conv_state);
    if (!s) {
        dnnl_primitive_desc_destroy(pd);
        return RC_ERR_MEMORY;
    }
    s->has_bias = l->bias;
    const rc_status st = conv_fill(req, p, s, spec, l, pd);
    if (st != RC_OK) {
        conv_free(s);
        return st;
    }
    p->state = s;
    p->free = conv_free;
    return RC_OK;
}

/* --- all ways --- */

static rc_status conv_prepare_as(const struct rci_request *req, struct rci_prep *p)
{
    struct rci_conv_geometry g;
    struct rci_conv_layouts l;
    dnnl_primitive_desc_t pd;
    rci_conv_geometry_of(&g, req->node, &req->in[0].shape, &req->in[1].shape);
    const rc_status st = settle_layouts(req, &g, &l, &pd);
    const struct rci_conv_spec spec = {.geometry = &g,
                                       .src = l.src,
                                       .dst = l.dst,
                                       .bias = l.bias,
                                       .threads = req->threads,
                                       .cpu = req->cpu};
    const bool trains = st == RC_OK && rci_conv_winograd_trains(req, &spec);
    const bool moves = st == RC_OK && !trains && rci_conv_moves(req, &spec);
    p->want[0] = l.src;
    p->want[1] = l.weights;
    p->out_md[0] = l.dst;
    p->in_place = l.in_place;
    if (l.in_place >= 0)
        p->want[l.in_place] = l.dst;
    p->values_at_run = true;
    if (st == RC_OK && !trains && !moves)
        return conv_prepare_kernel(req, p, &spec, &l, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    RC_TRY(st);
    return (trains ? rci_conv_winograd_train : rci_conv_move)(req, p, &spec);
}

rc_status rci_conv_prepare(const struct rci_request *req, struct rci_prep *p)
{
    if (req->training && req->node->n_post)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": fused work cannot be trained",
                        req->node->name);
    const rc_status st = conv_prepare_as(req, p);
    if (st != RC_ERR_UNSUPPORTED || !req->bf16)
        return st;
    /* what bf16 has no kernel for is computed in f32, with a reorder on either side */
    struct rci_request in_f32 = *req;
    in_f32.bf16 = false;
    *p = (struct rci_prep){.in_place = -1};
    return conv_prepare_as(&in_f32, p);
}
