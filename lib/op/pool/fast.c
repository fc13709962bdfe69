/* Pooling by oneDNN. The maximum keeps its indices in `saved` (the library's workspace). */
#include "op/pool/fast.h"
#include "kernel/onednn/onednn.h"

struct pool_state {
    struct rci_prim forward, backward;
};

static void pool_state_free(void *state)
{
    struct pool_state *s = state;
    rci_prim_clear(&s->forward);
    rci_prim_clear(&s->backward);
    rci_release(s);
}

static rc_status pool_run_forward(const struct rci_step_io *io)
{
    struct pool_state *s = io->state;
    void *const handle[3] = {io->in[0], io->out[0], io->saved};
    return rci_prim_run(&s->forward, handle, io->scratch);
}

static rc_status pool_run_backward(const struct rci_step_io *io)
{
    struct pool_state *s = io->state;
    void *const handle[3] = {io->d_out[0], io->d_in[0], io->saved};
    return rci_prim_run(&s->backward, handle, io->scratch);
}

static void pool_describe(struct rci_dnnl_pool *d, const struct rci_window *w,
                          enum rci_pool_kind kind)
{
    d->alg =
        kind == RC_POOL_MAX ? dnnl_pooling_max : rci_dnnl_average(kind == RC_POOL_AVERAGE_PADDED);
    for (int i = 0; i < 2; i++) {
        d->strides[i] = w->stride[i];
        d->kernel[i] = w->kernel[i];
        /* oneDNN counts the elements that are skipped, ONNX the distance of taps */
        d->dilates[i] = w->dilation[i] - 1;
        d->pad_l[i] = w->begin[i];
        /* what the last window needs, not what the node says: windows that end before the image
         * (stride) give a negative amount, those of ceil_mode more than was asked for */
        d->pad_r[i] = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 -
                      w->in[i] - w->begin[i];
    }
}

/* *mask: layout of the places of the maxima, which only training keeps. */
static rc_status pool_prepare_forward(const struct rci_request *req, struct rci_prep *p,
                                      struct pool_state *s, struct rci_dnnl_pool *d,
                                      const_dnnl_primitive_attr_t attr, const struct rci_md **mask)
{
    const struct rci_md *x = req->have[0], *any;
    /* nobody has settled a layout yet: oneDNN pools plain images as well as blocked ones */
    if (!x)
        RC_TRY(rci_md_plain(req->engine, RC_F32, &req->in[0].shape, &x));
    RC_TRY(rci_md_any(req->engine, x->dtype, &req->out[0].shape, &any));
    d->prop = req->training ? dnnl_forward_training : dnnl_forward_inference;
    d->src = rci_md_dnnl(x);
    d->dst = rci_md_dnnl(any);
    dnnl_primitive_desc_t pd;
    RC_TRY(rci_dnnl_pool(&pd, rci_engine_handle(req->engine), d, NULL, attr));
    RC_TRY(rci_prim_init(&s->forward, req->engine, pd));
    p->want[0] = x;
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_dst_md, 0, &p->out_md[0]));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_SRC, x));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_DST, p->out_md[0]));
    if (req->training && d->alg == dnnl_pooling_max) {
        RC_TRY(rci_md_query(req->engine, pd, dnnl_query_workspace_md, 0, mask));
        RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_WORKSPACE, *mask));
        p->saved = rci_md_bytes(*mask);
    }
    p->scratch = s->forward.scratch;
    p->impl = rci_prim_name(&s->forward);
    return RC_OK;
}

static rc_status pool_prepare_backward(const struct rci_request *req, struct rci_prep *p,
                                       struct pool_state *s, struct rci_dnnl_pool *d,
                                       const_dnnl_primitive_attr_t attr, const struct rci_md *mask)
{
    dnnl_primitive_desc_t pd;
    d->prop = dnnl_backward;
    d->src = rci_md_dnnl(p->want[0]);
    d->dst = rci_md_dnnl(p->out_md[0]);
    RC_TRY(rci_dnnl_pool(&pd, rci_engine_handle(req->engine), d, s->forward.pd, attr));
    RC_TRY(rci_prim_init(&s->backward, req->engine, pd));
    RC_TRY(rci_prim_bind(&s->backward, DNNL_ARG_DIFF_DST, p->out_md[0]));
    RC_TRY(rci_prim_bind(&s->backward, DNNL_ARG_DIFF_SRC, p->want[0]));
    if (mask)
        RC_TRY(rci_prim_bind(&s->backward, DNNL_ARG_WORKSPACE, mask));
    /* gradients travel in the layouts of their values, so that no reorder stands between layers */
    p->d_in_md[0] = p->want[0];
    p->backward_scratch = s->backward.scratch;
    p->run_backward = pool_run_backward;
    return RC_OK;
}

rc_status rci_pool_prepare(const struct rci_request *req, struct rci_prep *p,
                           const struct rci_window *w, enum rci_pool_kind kind)
{
    /* pools of whole planes are too short for a primitive (whole.c) */
    if (kind != RC_POOL_MAX && rci_pool_whole_fits(req, w))
        return rci_pool_whole(req, p);
    struct pool_state *s = RC_NEW(rci_engine_context(req->engine), struct pool_state);
    if (!s)
        return RC_ERR_MEMORY;
    p->state = s;
    p->free = pool_state_free;
    p->run = pool_run_forward;
    struct rci_dnnl_pool d = {0};
    const struct rci_md *mask = NULL;
    dnnl_primitive_attr_t attr;
    pool_describe(&d, w, kind);
    rc_status st = rci_attr_new(&attr);
    if (st == RC_OK) {
        st = pool_prepare_forward(req, p, s, &d, attr, &mask);
        if (st == RC_OK && req->training)
            st = pool_prepare_backward(req, p, s, &d, attr, mask);
        dnnl_primitive_attr_destroy(attr);
    }
    if (st != RC_OK) {
        pool_state_free(s);
        p->state = NULL;
    }
    return st;
}
