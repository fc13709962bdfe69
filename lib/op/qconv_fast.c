/* QConv. Exact sums everywhere: oneDNN's integer kernel where it is exact, or ours; where neither
 * can, the same integers as f32 by oneDNN (exact up to sums of 2^24; beyond, the rounding is below
 * one part in 2^24), with the requantization in a loop of ours. */
#include "kernel/conv.h"
#include "op/common.h"
#include "op/qconv_choose.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

struct qconv_state {
    struct rc_int8_conv *integer;
    struct rc_qkernel *own;
    struct rc_prim real; /* f32 on integers */
    struct rc_context *ctx;
    struct rc_qconv_attrs a;
    enum rc_dtype x_type, res_type;
    bool has_residual;
    int64_t channels, pixels, x_count; /* of y; elements of x */
    float unit;                        /* real value of one step of y */
    void *packed;                      /* weights as f32 */
    float *scale, *bias;               /* [channels] steps per sum; bias in units of the sum */
    size_t acc_offset, conv_offset;    /* in the scratchpad, behind x as f32 */
    char impl[96];
};

static void state_destroy(void *state)
{
    struct qconv_state *s = state;
    rc_int8_conv_destroy(s->integer);
    rc_qkernel_destroy(s->own);
    rc_prim_clear(&s->real);
    rc_release(s->packed);
    rc_release(s->scale);
    rc_release(s->bias);
    rc_release(s);
}

/* Sums of a neighbouring pair of input channels in 16 bits: 255 * 128 <= 32767 < 255 * 129. */
static bool pair_fits(int a, int b)
{
    const int up = (a > 0 ? a : 0) + (b > 0 ? b : 0), down = (a < 0 ? -a : 0) + (b < 0 ? -b : 0);
    return up <= 128 && down <= 128;
}

bool rc_qconv_exact(enum rc_dtype x, const struct rc_tensor *w, bool vnni)
{
    if (vnni)
        return true;
    if (x != RC_U8 || w->shape.rank != 4)
        return false;
    const int8_t *q = w->data;
    const int64_t in = w->shape.dim[1], taps = w->shape.dim[2] * w->shape.dim[3];
    for (int64_t o = 0; o < w->shape.dim[0]; o++)
        for (int64_t i = 0; i < in; i += 2)
            for (int64_t k = 0; k < taps; k++) {
                const int8_t *first = q + (o * in + i) * taps + k;
                if (!pair_fits(first[0], i + 1 < in ? first[taps] : 0))
                    return false;
            }
    return true;
}

/* --- the integer kernel --- */

static rc_status run_integer(const struct rc_step_io *io)
{
    struct qconv_state *s = io->state;
    return rc_int8_conv_run(s->integer, io->in[RC_QCONV_X], io->in[RC_QCONV_W], io->out[0],
                            io->scratch);
}

/* The layout of `md` with elements of another one-byte type. */
static rc_status retype(struct rc_engine *e, const struct rc_md *md, enum rc_dtype type,
                        const struct rc_md **out)
{
    struct rc_dmd_layout l;
    if (md->dtype == type) {
        *out = md;
        return RC_OK;
    }
    rc_dmd_layout(rc_md_dnnl(md), &l);
    if (!l.blocked || l.inner_count)
        return rc_fail(RC_ERR_UNSUPPORTED, "integer convolution: a blocked destination");
    int64_t strides[RC_MAX_DIMS];
    for (int i = 0; i < l.rank; i++)
        strides[i] = l.strides[i];
    return rc_md_strided(e, type, &md->shape, strides, out);
}

static rc_status prepare_integer(struct rc_prep *p, struct qconv_state *s,
                                 const struct rc_conv_geometry *g)
{
    const struct rc_int8_conv_spec spec = {
        .geometry = g,
        .scales = {.src = s->a.x_scale,
                   .dst = s->a.out == RC_F32 ? 1 : s->a.y_scale,
                   .wei = p->in[RC_QCONV_SCALE].data,
                   .n_wei = rc_shape_count(&p->in[RC_QCONV_SCALE].shape),
                   .sum = s->has_residual,
                   .res = s->a.res_scale,
                   .res_type = s->res_type,
                   .relu = s->a.relu,
                   .mid = s->a.mid_scale},
        .src = s->x_type,
        .dst = s->a.out,
        .bias = rc_op_has(p->node, RC_QCONV_BIAS) ? p->in[RC_QCONV_BIAS].data : NULL};
    RC_TRY(rc_int8_conv_create(&s->integer, p->engine, &spec));
    const char *name = rc_prim_name(&s->integer->prim);
    if (!strncmp(name, "ref", 3))
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": no integer kernel", p->node->name);
    p->want[RC_QCONV_X] = s->integer->src_md;
    p->want[RC_QCONV_W] = s->integer->weights_md;
    if (p->out[0].shape.rank == 4)
        p->out_md[0] = s->integer->dst_md;
    if (s->has_residual) {
        p->in_place = RC_QCONV_RESIDUAL;
        if (p->out[0].shape.rank == 4)
            RC_TRY(retype(p->engine, s->integer->dst_md, s->res_type, &p->want[RC_QCONV_RESIDUAL]));
    }
    p->scratch = s->integer->prim.scratch;
    p->run = run_integer;
    snprintf(s->impl, sizeof(s->impl), "int8 %s", name);
    return RC_OK;
}

/* --- f32 on integers --- */

static void convert(float *out, const uint8_t *x, enum rc_dtype t, int64_t n)
{
    if (t == RC_U8) {
#pragma omp parallel for simd schedule(static) if (n > RC_PARALLEL_MIN)
        for (int64_t i = 0; i < n; i++)
            out[i] = (float) x[i];
    } else {
        const int8_t *q = (const int8_t *) x;
#pragma omp parallel for simd schedule(static) if (n > RC_PARALLEL_MIN)
        for (int64_t i = 0; i < n; i++)
            out[i] = (float) q[i];
    }
}

/* One pixel of channels-last sums, in place, in steps of y_scale and without the residual. The
 * order of operations is that of the integer kernel, so that both give the same bits. */
static void dequantize(const struct qconv_state *s, float *acc)
{
    for (int64_t o = 0; o < s->channels; o++)
        acc[o] = (acc[o] + s->bias[o]) * s->scale[o];
    if (!(s->a.mid_scale > 0))
        return;
    const float mid = s->a.mid_scale / s->unit;
    for (int64_t o = 0; o < s->channels; o++)
        acc[o] = rc_q_round(rc_q_clamp(acc[o], -128.0f, 127.0f)) * mid;
}

/* In doubles: the kernel's multiply-add rounds once. */
static void add_residual(const struct qconv_state *s, float *acc, const uint8_t *res)
{
    const double scale = (double) (s->a.res_scale / s->unit);
    const int8_t *q = (const int8_t *) res;
    if (s->res_type == RC_U8)
        for (int64_t o = 0; o < s->channels; o++)
            acc[o] = (float) ((double) acc[o] + scale * (double) res[o]);
    else
        for (int64_t o = 0; o < s->channels; o++)
            acc[o] = (float) ((double) acc[o] + scale * (double) q[o]);
}

static void finish(const struct qconv_state *s, float *acc, void *out, int64_t pixel)
{
    const float lo = s->a.relu || s->a.out == RC_U8 ? 0 : -128, hi = rc_q_high(s->a.out);
    const int64_t at = pixel * s->channels;
    if (s->a.out == RC_F32) {
        float *y = (float *) out + at;
        for (int64_t o = 0; o < s->channels; o++)
            y[o] = s->a.relu && acc[o] < 0 ? 0 : acc[o];
    } else { /* the low byte is right for s8 too */
        uint8_t *y = (uint8_t *) out + at;
        for (int64_t o = 0; o < s->channels; o++)
            y[o] = (uint8_t) (int32_t) rc_q_round(rc_q_clamp(acc[o], lo, hi));
    }
}

static rc_status run_real(const struct rc_step_io *io)
{
    struct qconv_state *s = io->state;
    float *x = io->scratch, *acc = (float *) ((char *) io->scratch + s->acc_offset);
    convert(x, io->in[RC_QCONV_X], s->x_type, s->x_count);
    void *const handle[3] = {x, s->packed, acc};
    RC_TRY(rc_prim_run(&s->real, handle, (char *) io->scratch + s->conv_offset));
    const uint8_t *res = s->has_residual ? io->in[RC_QCONV_RESIDUAL] : NULL;
    void *y = io->out[0];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < s->pixels; k++) {
        float *pixel = acc + k * s->channels;
        dequantize(s, pixel);
        if (res)
            add_residual(s, pixel, res + k * s->channels);
        finish(s, pixel, y, k);
    }
    return RC_OK;
}

static rc_status channels_last(struct rc_engine *e, enum rc_dtype type, const struct rc_shape *s,
                               const struct rc_md **out)
{
    const int64_t c = s->dim[1], w = s->dim[3], h = s->dim[2];
    const int64_t strides[4] = {h * w * c, 1, w * c, c};
    return rc_md_strided(e, type, s, strides, out);
}

/* Once; the session would see the same layout as plain s8 and pass it on unconverted. */
static rc_status pack_weights(struct rc_prep *p, struct qconv_state *s, const struct rc_md *to)
{
    const struct rc_tensor *w = &p->in[RC_QCONV_W];
    const int64_t n = rc_shape_count(&w->shape);
    const struct rc_md *plain;
    struct rc_reorder *r = NULL;
    RC_TRY(rc_md_plain(p->engine, RC_F32, &w->shape, &plain));
    float *real = rc_alloc_array(s->ctx, (size_t) n, sizeof(float));
    s->packed = rc_alloc_zero(s->ctx, rc_md_bytes(to));
    void *scratch = NULL;
    rc_status st = real && s->packed ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK) {
        convert(real, w->data, RC_S8, n);
        st = rc_reorder_create(&r, p->engine, plain, to);
    }
    if (st == RC_OK && !(scratch = rc_alloc(s->ctx, rc_reorder_scratch(r))))
        st = RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rc_reorder_run(r, real, s->packed, scratch);
    if (r)
        rc_reorder_destroy(r);
    rc_release(scratch);
    rc_release(real);
    return st;
}

static rc_status real_describe(struct rc_prep *p, struct qconv_state *s,
                               const struct rc_conv_geometry *g)
{
    const struct rc_md *src, *dst;
    const struct rc_shape x = rc_conv_src_shape(g), y = rc_conv_dst_shape(g);
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    RC_TRY(channels_last(p->engine, RC_F32, &x, &src));
    RC_TRY(channels_last(p->engine, RC_F32, &y, &dst));
    RC_TRY(rc_attr_create(&attr));
    const struct rc_conv_request r = {
        .geometry = g, .prop = dnnl_forward_inference, .src = src, .dst = dst, .attr = attr};
    const rc_status st = rc_conv_describe(&pd, p->engine, &r);
    dnnl_primitive_attr_destroy(attr);
    RC_TRY(st);
    RC_TRY(rc_prim_init(&s->real, p->engine, pd));
    const struct rc_md *weights;
    RC_TRY(rc_md_query(p->engine, pd, dnnl_query_weights_md, 0, &weights));
    RC_TRY(rc_prim_bind(&s->real, DNNL_ARG_SRC, src));
    RC_TRY(rc_prim_bind(&s->real, DNNL_ARG_WEIGHTS, weights));
    RC_TRY(rc_prim_bind(&s->real, DNNL_ARG_DST, dst));
    return pack_weights(p, s, weights);
}

/* Steps per sum, and the bias in units of the sum. */
static rc_status fill_scales(struct qconv_state *s, const struct rc_prep *p)
{
    const struct rc_tensor *scale = &p->in[RC_QCONV_SCALE];
    const float *bias = rc_op_has(p->node, RC_QCONV_BIAS) ? p->in[RC_QCONV_BIAS].data : NULL;
    const bool one = rc_shape_count(&scale->shape) == 1;
    s->scale = rc_alloc_array(s->ctx, (size_t) s->channels, sizeof(float));
    s->bias = rc_alloc_array(s->ctx, (size_t) s->channels, sizeof(float));
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
static rc_status want_channels_last(struct rc_prep *p, struct qconv_state *s,
                                    const struct rc_conv_geometry *g)
{
    const struct rc_shape x = rc_conv_src_shape(g), y = rc_conv_dst_shape(g);
    memset(p->want, 0, sizeof(p->want));
    p->out_md[0] = NULL;
    p->in_place = -1;
    if (p->out[0].shape.rank != 4)
        return RC_OK;
    RC_TRY(channels_last(p->engine, s->x_type, &x, &p->want[RC_QCONV_X]));
    RC_TRY(channels_last(p->engine, s->a.out, &y, &p->out_md[0]));
    if (s->has_residual)
        RC_TRY(channels_last(p->engine, s->res_type, &y, &p->want[RC_QCONV_RESIDUAL]));
    return RC_OK;
}

static rc_status prepare_real(struct rc_prep *p, struct qconv_state *s,
                              const struct rc_conv_geometry *g)
{
    RC_TRY(want_channels_last(p, s, g));
    RC_TRY(real_describe(p, s, g));
    s->acc_offset = rc_align_line((size_t) s->x_count * sizeof(float));
    s->conv_offset =
        s->acc_offset + rc_align_line((size_t) (s->pixels * s->channels) * sizeof(float));
    p->scratch = s->conv_offset + s->real.scratch;
    p->run = run_real;
    snprintf(s->impl, sizeof(s->impl), "f32 on integers %s", rc_prim_name(&s->real));
    return RC_OK;
}

/* --- kernels of ours --- */

static rc_status share_own(const struct rc_step_io *io)
{
    struct qconv_state *s = io->state;
    rc_qkernel_share(s->own, io->in[RC_QCONV_X], io->out[0], io->scratch);
    return RC_OK;
}

/* Sets s->own where a kernel of ours is the one to take. */
static rc_status choose_own(struct rc_prep *p, struct qconv_state *s,
                            const struct rc_conv_geometry *g)
{
    const struct rc_qkernel_spec spec = {.geometry = g,
                                         .src = s->x_type,
                                         .dst = s->a.out,
                                         .res = s->has_residual ? s->res_type : (enum rc_dtype) 0,
                                         .relu = s->a.relu,
                                         .weights = p->in[RC_QCONV_W].data,
                                         .scale = s->scale,
                                         .bias = s->bias,
                                         .mid = s->a.mid_scale > 0 ? s->a.mid_scale / s->unit : 0,
                                         .res_scale =
                                             s->has_residual ? s->a.res_scale / s->unit : 0,
                                         .threads = (uint32_t) omp_get_max_threads()};
    RC_TRY(rc_qconv_choose(&s->own, p->engine, &spec, s->integer));
    if (!s->own)
        return RC_OK;
    rc_int8_conv_destroy(s->integer);
    s->integer = NULL;
    RC_TRY(want_channels_last(p, s, g));
    if (s->has_residual)
        p->in_place = RC_QCONV_RESIDUAL;
    p->scratch = rc_qkernel_scratch(s->own);
    p->run = share_own;
    p->team = true;
    snprintf(s->impl, sizeof(s->impl), "int8 %s", rc_qkernel_name(s->own));
    return RC_OK;
}

static rc_status choose_kernel(struct rc_prep *p, struct qconv_state *s,
                               const struct rc_conv_geometry *g)
{
    struct rc_cpu_info cpu;
    rc_cpu_info(&cpu);
    const bool sum_fits = !s->has_residual || s->a.out != RC_F32;
    RC_TRY(fill_scales(s, p));
    rc_status st = RC_ERR_UNSUPPORTED;
    if (sum_fits && rc_qconv_exact(s->x_type, &p->in[RC_QCONV_W], cpu.vnni))
        st = prepare_integer(p, s, g);
    if (st == RC_ERR_MEMORY)
        return st;
    if (st != RC_OK) {
        rc_int8_conv_destroy(s->integer);
        s->integer = NULL;
    }
    RC_TRY(choose_own(p, s, g));
    if (s->own)
        return RC_OK;
    return s->integer ? rc_prim_create(&s->integer->prim) : prepare_real(p, s, g);
}

rc_status rc_qconv_prepare(struct rc_prep *p)
{
    if (p->training || !p->in[RC_QCONV_W].data || !p->in[RC_QCONV_SCALE].data)
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": constant weights only", p->node->name);
    struct qconv_state *s = RC_NEW(p->g->ctx, struct qconv_state);
    if (!s)
        return RC_ERR_MEMORY;
    p->state = s;
    p->destroy = state_destroy;
    p->impl = s->impl;
    struct rc_shape x = p->in[RC_QCONV_X].shape;
    if (x.rank == 2)
        x = RC_SHAPE(x.dim[0], x.dim[1], 1, 1);
    struct rc_conv_geometry g;
    rc_conv_geometry_of(&g, p->node, &x, &p->in[RC_QCONV_W].shape);
    s->ctx = p->g->ctx;
    s->a = *(const struct rc_qconv_attrs *) p->node->attrs;
    s->x_type = p->in[RC_QCONV_X].dtype;
    s->has_residual = rc_op_has(p->node, RC_QCONV_RESIDUAL);
    s->res_type = s->has_residual ? p->in[RC_QCONV_RESIDUAL].dtype : RC_U8;
    s->channels = g.out_channels;
    s->pixels = g.batch * g.out[0] * g.out[1];
    s->x_count = rc_shape_count(&x);
    const rc_status st = choose_kernel(p, s, &g);
    if (st != RC_OK) {
        state_destroy(s);
        p->state = NULL;
    }
    return st;
}
