/* Inner product by oneDNN. Activations are plain matrices; [n, k] weights take the layout that
 * oneDNN likes, [k, n] weights are read where they are, as the transpose of a plain matrix. */
#include "op/linear/product.h"
#include "kernel/onednn/onednn.h"

struct product_state {
    struct rci_prim forward, data, weights;
    bool has_bias, wants_data, wants_weights;
    void *unwanted[2]; /* gradients of weights and bias that nobody asked for */
};

struct layouts {
    const struct rci_md *a, *w, *w_any, *bias, *y;
};

static void product_state_free(void *state)
{
    struct product_state *s = state;
    rci_prim_clear(&s->forward);
    rci_prim_clear(&s->data);
    rci_prim_clear(&s->weights);
    rci_release(s->unwanted[0]);
    rci_release(s->unwanted[1]);
    rci_release(s);
}

static rc_status product_run_forward(const struct rci_step_io *io)
{
    struct product_state *s = io->state;
    void *const handle[4] = {io->in[0], io->in[1], io->out[0], s->has_bias ? io->in[2] : NULL};
    return rci_prim_run(&s->forward, handle, io->scratch);
}

static rc_status product_run_backward(const struct rci_step_io *io)
{
    struct product_state *s = io->state;
    if (s->wants_data) {
        void *const handle[3] = {io->d_out[0], io->in[1], io->d_in[0]};
        RC_TRY(rci_prim_run(&s->data, handle, io->scratch));
    }
    if (!s->wants_weights)
        return RC_OK;
    void *const handle[4] = {io->in[0], io->d_out[0], s->unwanted[0] ? s->unwanted[0] : io->d_in[1],
                             s->unwanted[1] ? s->unwanted[1]
                             : s->has_bias  ? io->d_in[2]
                                            : NULL};
    return rci_prim_run(&s->weights, handle, io->scratch);
}

/* `type`: of operands; the result is f32. oneDNN's weights are [n, k]; ours of [k, n] are those
 * with strides 1 and n. */
static rc_status layouts_make(struct layouts *l, struct rci_engine *e, const struct rci_product *q,
                              enum rci_dtype type)
{
    const struct rci_shape a = RC_SHAPE(q->m, q->k), w = RC_SHAPE(q->n, q->k);
    const struct rci_shape y = RC_SHAPE(q->m, q->n), row = RC_SHAPE(q->n);
    const int64_t across[2] = {1, q->n};
    RC_TRY(rci_md_plain(e, type, &a, &l->a));
    RC_TRY(rci_md_plain(e, RC_F32, &y, &l->y));
    l->bias = NULL;
    if (q->bias)
        RC_TRY(rci_md_plain(e, RC_F32, &row, &l->bias));
    if (q->transposed)
        return rci_md_any(e, type, &w, &l->w_any);
    RC_TRY(rci_md_strided(e, RC_F32, &w, across, &l->w));
    l->w_any = l->w;
    return RC_OK;
}

/* For [n, k] weights the layout is announced; [k, n] stay plain, which is NULL. */
static const struct rci_md *announced(const struct rci_product *q, const struct rci_md *md)
{
    return q->transposed ? md : NULL;
}

static rc_status product_prepare_forward(const struct rci_request *req, struct rci_prep *p,
                                         struct product_state *s, const struct rci_product *q,
                                         struct layouts *l)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd = NULL;
    int32_t in_place;
    RC_TRY(rci_attr_new(&attr));
    const struct rci_dnnl_product d = {.prop = req->training ? dnnl_forward_training
                                                             : dnnl_forward_inference,
                                       .src = rci_md_dnnl(l->a),
                                       .weights = rci_md_dnnl(l->w_any),
                                       .bias = rci_md_dnnl(l->bias),
                                       .dst = rci_md_dnnl(l->y)};
    rc_status st = rci_attr_posts(attr, req, RC_F32, &in_place);
    if (st == RC_OK)
        st = rci_dnnl_product(&pd, rci_engine_handle(req->engine), &d, NULL, attr);
    dnnl_primitive_attr_destroy(attr);
    RC_TRY(st);
    RC_TRY(rci_prim_init(&s->forward, req->engine, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_weights_md, 0, &l->w));
    p->want[0] = l->a;
    p->want[1] = announced(q, l->w);
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_SRC, l->a));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_WEIGHTS, l->w));
    RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_DST, l->y));
    if (l->bias)
        RC_TRY(rci_prim_bind(&s->forward, DNNL_ARG_BIAS, l->bias));
    p->in_place = in_place;
    p->scratch = s->forward.scratch;
    p->impl = rci_prim_name(&s->forward);
    return RC_OK;
}

/* da = dy w. */
static rc_status prepare_data(const struct rci_request *req, struct rci_prep *p,
                              struct product_state *s, const struct rci_product *q,
                              const struct layouts *l, const_dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd;
    const struct rci_md *w;
    const struct rci_dnnl_product d = {.prop = dnnl_backward_data,
                                       .src = rci_md_dnnl(l->a),
                                       .weights = rci_md_dnnl(l->w_any),
                                       .dst = rci_md_dnnl(l->y)};
    RC_TRY(rci_dnnl_product(&pd, rci_engine_handle(req->engine), &d, s->forward.pd, attr));
    RC_TRY(rci_prim_init(&s->data, req->engine, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_weights_md, 0, &w));
    p->want_backward[1] = announced(q, w);
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_DIFF_DST, l->y));
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_WEIGHTS, w));
    RC_TRY(rci_prim_bind(&s->data, DNNL_ARG_DIFF_SRC, l->a));
    s->wants_data = true;
    p->backward_reads |= 1u << 1;
    return RC_OK;
}

/* dw = dy' a, dbias = sum of dy: one primitive gives both. */
static rc_status prepare_weights(const struct rci_request *req, struct rci_prep *p,
                                 struct product_state *s, const struct rci_product *q,
                                 const struct layouts *l, const_dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd;
    const struct rci_md *w;
    const struct rci_dnnl_product d = {.prop = dnnl_backward_weights,
                                       .src = rci_md_dnnl(l->a),
                                       .weights = rci_md_dnnl(l->w_any),
                                       .bias = rci_md_dnnl(l->bias),
                                       .dst = rci_md_dnnl(l->y)};
    RC_TRY(rci_dnnl_product(&pd, rci_engine_handle(req->engine), &d, s->forward.pd, attr));
    RC_TRY(rci_prim_init(&s->weights, req->engine, pd));
    RC_TRY(rci_md_query(req->engine, pd, dnnl_query_diff_weights_md, 0, &w));
    p->d_in_md[1] = announced(q, w);
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_SRC, l->a));
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_DST, l->y));
    RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_WEIGHTS, w));
    if (l->bias)
        RC_TRY(rci_prim_bind(&s->weights, DNNL_ARG_DIFF_BIAS, l->bias));
    s->wants_weights = true;
    p->backward_reads |= 1u << 0;
    struct rc_context *ctx = rci_engine_context(req->engine);
    if (!req->needs_grad[1] && !(s->unwanted[0] = rci_alloc(ctx, rci_md_bytes(w))))
        return RC_ERR_MEMORY;
    if (l->bias && !req->needs_grad[2] && !(s->unwanted[1] = rci_alloc(ctx, rci_md_bytes(l->bias))))
        return RC_ERR_MEMORY;
    return RC_OK;
}

static rc_status product_prepare_backward(const struct rci_request *req, struct rci_prep *p,
                                          struct product_state *s, const struct rci_product *q,
                                          const struct layouts *l)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rci_attr_new(&attr));
    rc_status st = req->needs_grad[0] ? prepare_data(req, p, s, q, l, attr) : RC_OK;
    if (st == RC_OK && (req->needs_grad[1] || (q->bias && req->needs_grad[2])))
        st = prepare_weights(req, p, s, q, l, attr);
    dnnl_primitive_attr_destroy(attr);
    p->backward_scratch =
        s->data.scratch > s->weights.scratch ? s->data.scratch : s->weights.scratch;
    p->run_backward = product_run_backward;
    return st;
}

rc_status rci_product_prepare(const struct rci_request *req, struct rci_prep *p,
                              const struct rci_product *q)
{
    if (req->training && req->node->n_post)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": fused work cannot be trained",
                        req->node->name);
    if (rci_product_is_small(req, q))
        return rci_product_small(req, p, q);
    struct product_state *s = RC_NEW(rci_engine_context(req->engine), struct product_state);
    if (!s)
        return RC_ERR_MEMORY;
    struct layouts l;
    s->has_bias = q->bias;
    p->state = s;
    p->free = product_state_free;
    p->values_at_run = true;
    p->run = product_run_forward;
    /* a linear layer trains in f32: it is small, and the loss reads what it gives */
    const bool bf16 = req->bf16 && !req->training && q->transposed;
    rc_status st = layouts_make(&l, req->engine, q, bf16 ? RC_BF16 : RC_F32);
    if (st == RC_OK)
        st = product_prepare_forward(req, p, s, q, &l);
    if (st == RC_OK && req->training)
        st = product_prepare_backward(req, p, s, q, &l);
    if (st != RC_OK) {
        product_state_free(s);
        p->state = NULL;
    }
    return st;
}
