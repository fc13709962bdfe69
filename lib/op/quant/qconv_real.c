/* QConv in f32: bytes to floats, a convolution, requantization. */
#include "op/quant/qconv_real.h"
#include "kernel/int8/qreal.h"
#include "kernel/onednn/onednn.h"

#include <stdio.h>

struct rci_qconv_real {
    struct rci_qreal *around;
    struct rci_prim onednn;
    const struct rci_conv_kernel *kernel; /* instead, if there is one, and its state */
    void *state;
    void *weights;
    uint32_t threads;
    size_t sums_at, conv_at, scratch; /* [bytes] in the scratchpad, behind x as f32 */
    char name[96];
};

void rci_qconv_real_free(struct rci_qconv_real *r)
{
    if (!r)
        return;
    rci_qreal_free(r->around);
    rci_prim_clear(&r->onednn);
    if (r->kernel)
        r->kernel->free(r->state);
    rci_release(r->weights);
    rci_release(r);
}

/* The same convolution on floats, channels last: then a pixel's bytes and floats lie in one
 * order. */
static rc_status real_spec(struct rci_conv_spec *out, struct rci_engine *e,
                           const struct rci_conv_spec *s)
{
    const struct rci_shape x = rci_conv_src_shape(s->geometry), y = rci_conv_dst_shape(s->geometry);
    *out = (struct rci_conv_spec){.geometry = s->geometry, .threads = s->threads, .cpu = s->cpu};
    RC_TRY(rci_md_channels_last(e, RC_F32, &x, &out->src));
    return rci_md_channels_last(e, RC_F32, &y, &out->dst);
}

rc_status rci_qconv_real_own_fits(bool *fits, struct rci_engine *e, const struct rci_conv_spec *s)
{
    struct rci_conv_spec conv;
    RC_TRY(real_spec(&conv, e, s));
    *fits = rci_conv_kernel_for(&conv);
    return RC_OK;
}

static struct rci_shape plain_weights(const struct rci_conv_geometry *g)
{
    return RC_SHAPE(g->out_channels, g->in_channels / g->groups, g->kernel[0], g->kernel[1]);
}

/* --- by oneDNN --- */

static rc_status reorder_weights(struct rci_qconv_real *r, struct rci_engine *e,
                                 const struct rci_shape *shape, const float *real,
                                 const struct rci_md *to)
{
    struct rc_context *c = rci_engine_context(e);
    const struct rci_md *plain;
    struct rci_reorder *move;
    RC_TRY(rci_md_plain(e, RC_F32, shape, &plain));
    RC_TRY(rci_reorder_new(&move, e, plain, to));
    void *scratch = rci_alloc(c, rci_reorder_scratch(move));
    r->weights = rci_alloc_zero(c, rci_md_bytes(to));
    const rc_status st =
        scratch && r->weights ? rci_reorder_run(move, real, r->weights, scratch) : RC_ERR_MEMORY;
    rci_reorder_free(move);
    rci_release(scratch);
    return st;
}

static rc_status real_describe(dnnl_primitive_desc_t *pd, struct rci_engine *e,
                               const struct rci_conv_spec *s)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rci_attr_new(&attr));
    const struct rci_conv_request r = {.geometry = s->geometry,
                                       .prop = dnnl_forward_inference,
                                       .src = s->src,
                                       .dst = s->dst,
                                       .attr = attr};
    const rc_status st = rci_conv_describe(pd, e, &r);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static rc_status use_onednn(struct rci_qconv_real *r, struct rci_engine *e,
                            const struct rci_conv_spec *s, const float *weights)
{
    const struct rci_shape plain = plain_weights(s->geometry);
    const struct rci_md *packed;
    dnnl_primitive_desc_t pd;
    RC_TRY(real_describe(&pd, e, s));
    RC_TRY(rci_prim_init(&r->onednn, e, pd));
    RC_TRY(rci_md_query(e, pd, dnnl_query_weights_md, 0, &packed));
    RC_TRY(rci_prim_bind(&r->onednn, DNNL_ARG_SRC, s->src));
    RC_TRY(rci_prim_bind(&r->onednn, DNNL_ARG_WEIGHTS, packed));
    RC_TRY(rci_prim_bind(&r->onednn, DNNL_ARG_DST, s->dst));
    r->scratch = r->conv_at + r->onednn.scratch;
    snprintf(r->name, sizeof(r->name), "f32 on integers %s", rci_prim_name(&r->onednn));
    return reorder_weights(r, e, &plain, weights, packed);
}

/* --- by a kernel of ours --- */

static rc_status use_own(struct rci_qconv_real *r, struct rc_context *c,
                         const struct rci_conv_spec *s, const float *weights)
{
    const struct rci_conv_kernel *k = rci_conv_kernel_for(s);
    if (!k)
        return rci_fail(RC_ERR_UNSUPPORTED, "no kernel for this convolution");
    RC_TRY(k->create(&r->state, c, s));
    r->kernel = k;
    r->weights = rci_alloc(c, k->weights_bytes(r->state));
    if (!r->weights)
        return RC_ERR_MEMORY;
    k->pack_weights(r->state, weights, r->weights);
    r->scratch = r->conv_at + k->scratch(r->state);
    snprintf(r->name, sizeof(r->name), "f32 on integers %s", k->text(r->state));
    return RC_OK;
}

/* --- both --- */

/* Integers as floats: sums below 2^24 are exact. */
static float *real_weights(struct rc_context *c, const struct rci_conv_spec *s)
{
    const struct rci_shape shape = plain_weights(s->geometry);
    const int64_t n = rci_shape_count(&shape);
    float *real = rci_alloc_array(c, (size_t) n, sizeof(float));
    for (int64_t i = 0; real && i < n; i++)
        real[i] = s->integers->weights[i];
    return real;
}

static rc_status real_fill(struct rci_qconv_real *r, struct rci_engine *e,
                           enum rci_qconv_real_kind kind, const struct rci_conv_spec *s)
{
    struct rc_context *c = rci_engine_context(e);
    struct rci_conv_spec conv;
    RC_TRY(real_spec(&conv, e, s));
    RC_TRY(rci_qreal_new(&r->around, c, s));
    r->threads = s->threads;
    /* scratchpad: [x as f32][sums as f32][the convolution's own] */
    r->sums_at = rci_align_line((size_t) rci_qreal_in_count(r->around) * sizeof(float));
    r->conv_at =
        r->sums_at + rci_align_line((size_t) rci_qreal_sums_count(r->around) * sizeof(float));
    float *weights = real_weights(c, s);
    rc_status st = RC_ERR_MEMORY;
    if (weights)
        st = kind == RC_QCONV_REAL_OWN ? use_own(r, c, &conv, weights)
                                       : use_onednn(r, e, &conv, weights);
    rci_release(weights);
    return st;
}

rc_status rci_qconv_real_new(struct rci_qconv_real **out, struct rci_engine *e,
                             enum rci_qconv_real_kind kind, const struct rci_conv_spec *s)
{
    *out = NULL;
    struct rci_qconv_real *r = RC_NEW(rci_engine_context(e), struct rci_qconv_real);
    if (!r)
        return RC_ERR_MEMORY;
    const rc_status st = real_fill(r, e, kind, s);
    if (st != RC_OK)
        rci_qconv_real_free(r);
    else
        *out = r;
    return st;
}

size_t rci_qconv_real_scratch(const struct rci_qconv_real *r)
{
    return r->scratch;
}

const char *rci_qconv_real_name(const struct rci_qconv_real *r)
{
    return r->name;
}

bool rci_qconv_real_shares(const struct rci_qconv_real *r)
{
    return r->kernel;
}

static float *real_sums(const struct rci_qconv_real *r, const struct rci_qconv_args *a)
{
    return (float *) (void *) ((char *) a->scratch + r->sums_at);
}

void rci_qconv_real_share(const struct rci_qconv_real *r, const struct rci_qconv_args *a)
{
    float *sums = real_sums(r, a);
    const struct rci_conv_args conv = {a->scratch, r->weights, NULL, sums,
                                       (char *) a->scratch + r->conv_at};
    rci_qreal_share_in(r->around, a->src, a->scratch);
#pragma omp barrier
    r->kernel->share(r->state, &conv);
#pragma omp barrier
    rci_qreal_share_out(r->around, sums, a->res, a->dst);
}

rc_status rci_qconv_real_run(struct rci_qconv_real *r, const struct rci_qconv_args *a)
{
    if (rci_qconv_real_shares(r)) {
#pragma omp parallel num_threads(r->threads)
        rci_qconv_real_share(r, a);
        return RC_OK;
    }
    float *sums = real_sums(r, a);
    void *const handle[3] = {a->scratch, r->weights, sums};
#pragma omp parallel num_threads(r->threads)
    rci_qreal_share_in(r->around, a->src, a->scratch);
    RC_TRY(rci_prim_run(&r->onednn, handle, (char *) a->scratch + r->conv_at));
#pragma omp parallel num_threads(r->threads)
    rci_qreal_share_out(r->around, sums, a->res, a->dst);
    return RC_OK;
}
