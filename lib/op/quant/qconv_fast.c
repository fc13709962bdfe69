/* QConv. Exact sums everywhere: oneDNN's integer kernel where it is exact, or ours; where neither
 * can, or where a session is free to mix and that is faster, the same integers as f32. */
#include "kernel/int8/pairs.h"
#include "kernel/onednn/conv.h"
#include "op/common.h"
#include "op/quant/qconv_choose.h"

#include <stdio.h>
#include <string.h>

struct qconv_state {
    struct rci_int8_conv *integer;
    struct rci_qconv_own own; /* instead */
    struct rc_context *ctx;
    struct rci_qconv_attrs a;
    enum rci_dtype x_type, res_type;
    bool has_residual;
    int64_t channels;    /* of y */
    float unit;          /* real value of one step of y */
    float *scale, *bias; /* [channels] steps per sum; bias in units of the sum */
    char impl[96];
};

static void qconv_state_free(void *state)
{
    struct qconv_state *s = state;
    rci_int8_conv_free(s->integer);
    rci_qconv_own_free(&s->own);
    rci_release(s->scale);
    rci_release(s->bias);
    rci_release(s);
}

/* Without VNNI pairs of products are added in 16 bits and saturate, so weights must be small enough
 * that none can (kernel/int8/pairs.h). */
bool rci_qconv_exact(enum rci_dtype x, const struct rci_tensor *w, bool vnni)
{
    const int64_t *d = w->shape.dim;
    return vnni || (x == RC_U8 && w->shape.rank == 4 &&
                    rci_pairs_fit(w->data, d[0], d[1], d[2] * d[3], d[1]));
}

/* --- the integer kernel --- */

static rc_status run_integer(const struct rci_step_io *io)
{
    struct qconv_state *s = io->state;
    return rci_int8_conv_run(s->integer, io->in[RC_QCONV_X], io->in[RC_QCONV_W], io->out[0],
                             io->scratch);
}

/* The layout of `md` with elements of another one-byte type. */
static rc_status retype(struct rci_engine *e, const struct rci_md *md, enum rci_dtype type,
                        const struct rci_md **out)
{
    struct rci_dmd_layout l;
    if (md->dtype == type) {
        *out = md;
        return RC_OK;
    }
    rci_dmd_layout(rci_md_dnnl(md), &l);
    if (!l.blocked || l.inner_count)
        return rci_fail(RC_ERR_UNSUPPORTED, "integer convolution: a blocked destination");
    int64_t strides[RC_MAX_DIMS];
    for (int i = 0; i < l.rank; i++)
        strides[i] = l.strides[i];
    return rci_md_strided(e, type, &md->shape, strides, out);
}

static rc_status prepare_integer(const struct rci_request *req, struct rci_prep *p,
                                 struct qconv_state *s, const struct rci_conv_geometry *g)
{
    const struct rci_int8_conv_spec spec = {
        .geometry = g,
        .scales = {.src = s->a.x_scale,
                   .dst = s->a.out == RC_F32 ? 1 : s->a.y_scale,
                   .wei = req->in[RC_QCONV_SCALE].data,
                   .n_wei = rci_shape_count(&req->in[RC_QCONV_SCALE].shape),
                   .sum = s->has_residual,
                   .res = s->a.res_scale,
                   .res_type = s->res_type,
                   .relu = s->a.relu,
                   .mid = s->a.mid_scale},
        .src = s->x_type,
        .dst = s->a.out,
        .bias = rci_op_has(req->node, RC_QCONV_BIAS) ? req->in[RC_QCONV_BIAS].data : NULL};
    RC_TRY(rci_int8_conv_new(&s->integer, req->engine, &spec));
    const char *name = rci_prim_name(&s->integer->prim);
    if (!strncmp(name, "ref", 3))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": no integer kernel", req->node->name);
    p->want[RC_QCONV_X] = s->integer->src_md;
    p->want[RC_QCONV_W] = s->integer->weights_md;
    if (req->out[0].shape.rank == 4)
        p->out_md[0] = s->integer->dst_md;
    if (s->has_residual) {
        p->in_place = RC_QCONV_RESIDUAL;
        if (req->out[0].shape.rank == 4)
            RC_TRY(
                retype(req->engine, s->integer->dst_md, s->res_type, &p->want[RC_QCONV_RESIDUAL]));
    }
    p->scratch = s->integer->prim.scratch;
    p->run = run_integer;
    snprintf(s->impl, sizeof(s->impl), "int8 %s", name);
    return RC_OK;
}

/* --- other kernels --- */

/* Steps per sum, and the bias in units of the sum. */
static rc_status fill_scales(struct qconv_state *s, const struct rci_request *req)
{
    const struct rci_tensor *scale = &req->in[RC_QCONV_SCALE];
    const float *bias = rci_op_has(req->node, RC_QCONV_BIAS) ? req->in[RC_QCONV_BIAS].data : NULL;
    const bool one = rci_shape_count(&scale->shape) == 1;
    s->scale = rci_alloc_array(s->ctx, (size_t) s->channels, sizeof(float));
    s->bias = rci_alloc_array(s->ctx, (size_t) s->channels, sizeof(float));
    if (!s->scale || !s->bias)
        return RC_ERR_MEMORY;
    s->unit = s->a.out == RC_F32 ? 1 : s->a.y_scale;
    for (int64_t o = 0; o < s->channels; o++) {
        const float real = s->a.x_scale * ((const float *) scale->data)[one ? 0 : o];
        s->scale[o] = real / (s->a.mid_scale > 0 ? s->a.mid_scale : s->unit);
        s->bias[o] = bias ? bias[o] / real : 0;
    }
    return RC_OK;
}

/* A matrix has one pixel: plain is channels-last. */
static rc_status want_channels_last(const struct rci_request *req, struct rci_prep *p,
                                    struct qconv_state *s, const struct rci_conv_geometry *g)
{
    const struct rci_shape x = rci_conv_src_shape(g), y = rci_conv_dst_shape(g);
    memset(p->want, 0, sizeof(p->want));
    p->out_md[0] = NULL;
    p->in_place = -1;
    if (req->out[0].shape.rank != 4)
        return RC_OK;
    RC_TRY(rci_md_channels_last(req->engine, s->x_type, &x, &p->want[RC_QCONV_X]));
    RC_TRY(rci_md_channels_last(req->engine, s->a.out, &y, &p->out_md[0]));
    if (s->has_residual)
        RC_TRY(rci_md_channels_last(req->engine, s->res_type, &y, &p->want[RC_QCONV_RESIDUAL]));
    return RC_OK;
}

static rc_status share_integer(const struct rci_step_io *io)
{
    const struct qconv_state *s = io->state;
    const struct rci_conv_args a = {io->in[RC_QCONV_X], io->in[RC_QCONV_W], NULL, io->out[0],
                                    io->scratch};
    s->own.integer.kernel->share(s->own.integer.state, &a);
    return RC_OK;
}

static struct rci_qconv_args args_of(const struct rci_step_io *io)
{
    const struct qconv_state *s = io->state;
    return (struct rci_qconv_args){.src = io->in[RC_QCONV_X],
                                   .res = s->has_residual ? io->in[RC_QCONV_RESIDUAL] : NULL,
                                   .dst = io->out[0],
                                   .scratch = io->scratch};
}

static rc_status run_real(const struct rci_step_io *io)
{
    const struct qconv_state *s = io->state;
    const struct rci_qconv_args a = args_of(io);
    return rci_qconv_real_run(s->own.real, &a);
}

static rc_status share_real(const struct rci_step_io *io)
{
    const struct qconv_state *s = io->state;
    const struct rci_qconv_args a = args_of(io);
    rci_qconv_real_share(s->own.real, &a);
    return RC_OK;
}

static void pack_integer(const void *state, const void *plain, void *packed)
{
    const struct rci_conv_chosen *c = &((const struct qconv_state *) state)->own.integer;
    c->kernel->pack_weights(c->state, plain, packed);
}

static void use_integer(struct rci_prep *p, struct qconv_state *s)
{
    const struct rci_conv_kernel *k = s->own.integer.kernel;
    p->packing[RC_QCONV_W] =
        (struct rci_packing){k->weights_bytes(s->own.integer.state), pack_integer};
    p->scratch = k->scratch(s->own.integer.state);
    p->run = share_integer;
    p->team = true;
    snprintf(s->impl, sizeof(s->impl), "int8 %s", k->text(s->own.integer.state));
}

/* p->team only where the kernel can be shared by the threads of its neighbours. */
static void use_real(struct rci_prep *p, struct qconv_state *s)
{
    p->scratch = rci_qconv_real_scratch(s->own.real);
    p->team = rci_qconv_real_shares(s->own.real);
    p->run = p->team ? share_real : run_real;
    snprintf(s->impl, sizeof(s->impl), "%s", rci_qconv_real_name(s->own.real));
}

/* Sets s->own where another kernel than oneDNN's is the one to take. */
static rc_status choose_own(const struct rci_request *req, struct rci_prep *p,
                            struct qconv_state *s, const struct rci_conv_geometry *g)
{
    const struct rci_conv_integers integers = {
        .src = s->x_type,
        .dst = s->a.out,
        .res = s->has_residual ? s->res_type : (enum rci_dtype) 0,
        .weights = req->in[RC_QCONV_W].data,
        .scale = s->scale,
        .bias = s->bias,
        .mid = s->a.mid_scale > 0 ? s->a.mid_scale / s->unit : 0,
        .res_scale = s->has_residual ? s->a.res_scale / s->unit : 0};
    const struct rci_conv_spec spec = {.geometry = g,
                                       .relu = s->a.relu,
                                       .threads = req->threads,
                                       .cpu = req->cpu,
                                       .integers = &integers};
    RC_TRY(rci_qconv_choose(&s->own, req->engine, &spec, s->integer,
                            &(struct rci_qconv_wish){req->mixed, req->int8_kernel}));
    if (!s->own.integer.kernel && !s->own.real)
        return rci_prim_new(&s->integer->prim);
    rci_int8_conv_free(s->integer);
    s->integer = NULL;
    RC_TRY(want_channels_last(req, p, s, g));
    if (s->has_residual && s->a.out != RC_F32)
        p->in_place = RC_QCONV_RESIDUAL;
    (s->own.integer.kernel ? use_integer : use_real)(p, s);
    return RC_OK;
}

static rc_status choose_kernel(const struct rci_request *req, struct rci_prep *p,
                               struct qconv_state *s, const struct rci_conv_geometry *g)
{
    /* oneDNN adds the residual in place, which needs a destination of its size */
    const bool sum_fits = !s->has_residual || s->a.out != RC_F32;
    RC_TRY(fill_scales(s, req));
    rc_status st = RC_ERR_UNSUPPORTED;
    if (sum_fits && rci_qconv_exact(s->x_type, &req->in[RC_QCONV_W], rci_cpu_dot8(req->cpu)))
        st = prepare_integer(req, p, s, g);
    /* every other failure means that oneDNN cannot; ours may */
    if (st == RC_ERR_MEMORY)
        return st;
    if (st != RC_OK) {
        rci_int8_conv_free(s->integer);
        s->integer = NULL;
    }
    return choose_own(req, p, s, g);
}

rc_status rci_qconv_prepare(const struct rci_request *req, struct rci_prep *p)
{
    if (req->training || !req->in[RC_QCONV_W].data || !req->in[RC_QCONV_SCALE].data)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": constant weights only", req->node->name);
    struct qconv_state *s = RC_NEW(req->g->ctx, struct qconv_state);
    if (!s)
        return RC_ERR_MEMORY;
    p->state = s;
    p->free = qconv_state_free;
    p->impl = s->impl;
    struct rci_shape x = req->in[RC_QCONV_X].shape;
    if (x.rank == 2)
        x = RC_SHAPE(x.dim[0], x.dim[1], 1, 1);
    struct rci_conv_geometry g;
    rci_conv_geometry_of(&g, req->node, &x, &req->in[RC_QCONV_W].shape);
    s->ctx = req->g->ctx;
    s->a = *(const struct rci_qconv_attrs *) req->node->attrs;
    s->x_type = req->in[RC_QCONV_X].dtype;
    s->has_residual = rci_op_has(req->node, RC_QCONV_RESIDUAL);
    s->res_type = s->has_residual ? req->in[RC_QCONV_RESIDUAL].dtype : RC_U8;
    s->channels = g.out_channels;
    const rc_status st = choose_kernel(req, p, s, &g);
    if (st != RC_OK) {
        qconv_state_free(s);
        p->state = NULL;
    }
    return st;
}
