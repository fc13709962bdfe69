/* BatchNormalization by oneDNN. `saved` holds batch mean, batch variance and, with a fused ReLU,
 * the library's mask of what was above zero. */
#include "op/norm_fast.h"
#include "kernel/onednn.h"
#include "op/layers.h"

/* 2.x asks for the shift in backward too, although no gradient depends on it; 3.x refuses it. */
enum { BACKWARD_SHIFT = RC_DNNL_V3 ? 0 : 1 };

struct norm_state {
    struct rc_prim forward, backward;
    bool batch_statistics; /* else the running ones are used and left alone */
    bool relu;
    float momentum;
    int64_t channels, count;     /* count: elements per channel */
    size_t variance_at, mask_at; /* offsets in saved */
    float *unwanted[2];          /* gradients of scale and shift that nobody asked for */
};

static void state_destroy(void *state)
{
    struct norm_state *s = state;
    rc_prim_clear(&s->forward);
    rc_prim_clear(&s->backward);
    rc_release(s->unwanted[0]);
    rc_release(s->unwanted[1]);
    rc_release(s);
}

static void update_running(const struct norm_state *s, const struct rc_step_io *io)
{
    const float *mean = io->saved;
    const float *variance =
        (const float *) (const void *) ((const char *) io->saved + s->variance_at);
    float *running_mean = io->in[3], *running_variance = io->in[4];
    const double m = (double) s->momentum, count = (double) s->count;
    const double unbiased = count > 1 ? count / (count - 1) : 1;
    for (int64_t k = 0; k < s->channels; k++) {
        running_mean[k] = (float) (m * (double) running_mean[k] + (1 - m) * (double) mean[k]);
        running_variance[k] =
            (float) (m * (double) running_variance[k] + (1 - m) * unbiased * (double) variance[k]);
    }
}

static void statistics(const struct norm_state *s, const struct rc_step_io *io, void **mean,
                       void **variance)
{
    *mean = s->batch_statistics ? io->saved : io->in[3];
    *variance = s->batch_statistics ? (char *) io->saved + s->variance_at : io->in[4];
}

static rc_status run_forward(const struct rc_step_io *io)
{
    struct norm_state *s = io->state;
    void *mean, *variance;
    statistics(s, io, &mean, &variance);
    void *mask = s->mask_at != SIZE_MAX ? (char *) io->saved + s->mask_at : NULL;
    void *const handle[7] = {io->in[0], io->in[1], io->in[2], mean, variance, io->out[0], mask};
    RC_TRY(rc_prim_run(&s->forward, handle, io->scratch));
    if (s->batch_statistics)
        update_running(s, io);
    return RC_OK;
}

static rc_status run_backward(const struct rc_step_io *io)
{
    struct norm_state *s = io->state;
    void *mean, *variance;
    statistics(s, io, &mean, &variance);
    void *mask = s->mask_at != SIZE_MAX ? (char *) io->saved + s->mask_at : NULL;
    void *const handle[10] = {io->in[0],
                              io->in[1],
                              mean,
                              variance,
                              io->d_out[0],
                              io->d_in[0],
                              s->unwanted[0] ? s->unwanted[0] : io->d_in[1],
                              s->unwanted[1] ? s->unwanted[1] : io->d_in[2],
                              BACKWARD_SHIFT ? io->in[2] : mask,
                              mask};
    return rc_prim_run(&s->backward, handle, io->scratch);
}

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

static rc_status bind_all(struct rc_prim *prim, const int *arg, const struct rc_md *const *md,
                          uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rc_prim_bind(prim, arg[i], md[i]));
    return RC_OK;
}

static rc_status prepare_forward(struct rc_prep *p, struct norm_state *s, struct rc_dnnl_norm *d,
                                 const_dnnl_primitive_attr_t attr, const struct rc_md *row)
{
    dnnl_primitive_desc_t pd;
    const struct rc_md *x = p->want[0], *mask = NULL;
    RC_TRY(rc_dnnl_norm(&pd, rc_engine_handle(p->engine), d, NULL, attr));
    RC_TRY(rc_prim_init(&s->forward, p->engine, pd));
    const bool has_mask = s->relu && p->training;
    if (has_mask)
        RC_TRY(rc_md_query(p->engine, pd, dnnl_query_workspace_md, 0, &mask));
    static const int arg[7] = {DNNL_ARG_SRC,      DNNL_ARG_SCALE, DNNL_ARG_SHIFT,    DNNL_ARG_MEAN,
                               DNNL_ARG_VARIANCE, DNNL_ARG_DST,   DNNL_ARG_WORKSPACE};
    const struct rc_md *const md[7] = {x, row, row, row, row, x, mask};
    RC_TRY(bind_all(&s->forward, arg, md, has_mask ? 7 : 6));
    s->variance_at = round_up(rc_md_bytes(row));
    s->mask_at = SIZE_MAX;
    if (s->batch_statistics)
        p->saved = 2 * s->variance_at;
    if (has_mask) {
        s->mask_at = p->saved;
        p->saved += rc_md_bytes(mask);
    }
    p->out_md[0] = x;
    p->scratch = s->forward.scratch;
    p->impl = rc_prim_name(&s->forward);
    return RC_OK;
}

static rc_status prepare_backward(struct rc_prep *p, struct norm_state *s, struct rc_dnnl_norm *d,
                                  const_dnnl_primitive_attr_t attr, const struct rc_md *row)
{
    dnnl_primitive_desc_t pd;
    const struct rc_md *x = p->want[0], *mask = NULL;
    if (!p->needs_grad[0])
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": normalizes data that has no gradient",
                       p->node->name);
    d->prop = dnnl_backward;
    d->diff = rc_md_dnnl(x);
    RC_TRY(rc_dnnl_norm(&pd, rc_engine_handle(p->engine), d, s->forward.pd, attr));
    RC_TRY(rc_prim_init(&s->backward, p->engine, pd));
    if (s->relu)
        RC_TRY(rc_md_query(p->engine, s->forward.pd, dnnl_query_workspace_md, 0, &mask));
    const int shift = BACKWARD_SHIFT ? DNNL_ARG_SHIFT : DNNL_ARG_WORKSPACE;
    const int arg[10] = {DNNL_ARG_SRC,        DNNL_ARG_SCALE,      DNNL_ARG_MEAN,
                         DNNL_ARG_VARIANCE,   DNNL_ARG_DIFF_DST,   DNNL_ARG_DIFF_SRC,
                         DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT, shift,
                         DNNL_ARG_WORKSPACE};
    const struct rc_md *const md[10] = {
        x, row, row, row, x, x, row, row, BACKWARD_SHIFT ? row : mask, mask};
    RC_TRY(bind_all(&s->backward, arg, md, 8 + BACKWARD_SHIFT + (mask != NULL)));
    for (int i = 0; i < 2; i++)
        if (!p->needs_grad[1 + i] &&
            !(s->unwanted[i] = rc_alloc(rc_engine_context(p->engine), rc_md_bytes(row))))
            return RC_ERR_MEMORY;
    p->d_out_md[0] = p->d_in_md[0] = x;
    p->backward_reads = 1u << 0 | 1u << 1 | 1u << 2 | (s->batch_statistics ? 0 : 1u << 3 | 1u << 4);
    p->backward_scratch = s->backward.scratch;
    p->run_backward = run_backward;
    return RC_OK;
}

static rc_status prepare_with(struct rc_prep *p, struct norm_state *s,
                              const_dnnl_primitive_attr_t attr)
{
    const struct rc_norm_attrs *a = p->node->attrs;
    const struct rc_shape channels = RC_SHAPE(p->in[0].shape.dim[1]);
    const struct rc_md *row, *x = p->have[0];
    if (!x)
        RC_TRY(rc_md_plain(p->engine, RC_F32, &p->in[0].shape, &x));
    RC_TRY(rc_md_plain(p->engine, RC_F32, &channels, &row));
    p->want[0] = x;
    struct rc_dnnl_norm d = {.prop = p->training ? dnnl_forward_training : dnnl_forward_inference,
                             .src = rc_md_dnnl(x),
                             .epsilon = a->epsilon,
                             .flags = RC_BN_SCALE | RC_BN_SHIFT |
                                      (s->batch_statistics ? 0 : RC_BN_GLOBAL) |
                                      (s->relu ? RC_BN_RELU : 0)};
    RC_TRY(prepare_forward(p, s, &d, attr, row));
    const bool gradients = p->needs_grad[0] || p->needs_grad[1] || p->needs_grad[2];
    return p->training && gradients ? prepare_backward(p, s, &d, attr, row) : RC_OK;
}

rc_status rc_norm_prepare(struct rc_prep *p)
{
    const struct rc_node *n = p->node;
    const struct rc_norm_attrs *a = n->attrs;
    const bool relu = n->n_post == 1 && n->post[0].kind == RC_POST_RELU;
    if (n->n_post && !relu)
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": only one ReLU can be fused", n->name);
    struct norm_state *s = RC_NEW(rc_engine_context(p->engine), struct norm_state);
    if (!s)
        return RC_ERR_MEMORY;
    s->relu = relu;
    s->batch_statistics = p->training && !p->frozen_stats;
    s->momentum = a->momentum;
    s->channels = p->in[0].shape.dim[1];
    s->count = rc_shape_count(&p->in[0].shape) / s->channels;
    p->state = s;
    p->destroy = state_destroy;
    p->run = run_forward;
    dnnl_primitive_attr_t attr;
    rc_status st = rc_attr_create(&attr);
    if (st == RC_OK) {
        st = prepare_with(p, s, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    if (st != RC_OK) {
        state_destroy(s);
        p->state = NULL;
    }
    return st;
}
