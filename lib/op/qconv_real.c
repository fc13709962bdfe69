/* QConv in f32: bytes to floats, a convolution, requantization. */
#include "op/qconv_real.h"
#include "kernel/onednn.h"
#include "kernel/qreal.h"

#include <stdio.h>

struct rc_qconv_real {
    struct rc_qreal *around;
    struct rc_prim onednn;
    struct rc_conv_own own; /* instead, if it exists */
    void *weights;
    uint32_t threads;
    size_t sums_at, conv_at, scratch; /* [bytes] in the scratchpad, behind x as f32 */
    char name[96];
};

void rc_qconv_real_destroy(struct rc_qconv_real *r)
{
    if (!r)
        return;
    rc_qreal_destroy(r->around);
    rc_prim_clear(&r->onednn);
    rc_conv_own_destroy(&r->own);
    rc_release(r->weights);
    rc_release(r);
}

static rc_status real_spec(struct rc_conv_spec *out, struct rc_engine *e,
                           const struct rc_qkernel_spec *s)
{
    const struct rc_shape x = rc_conv_src_shape(s->geometry), y = rc_conv_dst_shape(s->geometry);
    *out = (struct rc_conv_spec){.geometry = s->geometry, .threads = s->threads};
    RC_TRY(rc_md_channels_last(e, RC_F32, &x, &out->src));
    return rc_md_channels_last(e, RC_F32, &y, &out->dst);
}

rc_status rc_qconv_real_own_fits(bool *fits, struct rc_engine *e, const struct rc_qkernel_spec *s)
{
    struct rc_conv_spec conv;
    RC_TRY(real_spec(&conv, e, s));
    *fits = rc_conv_own_fits(&conv);
    return RC_OK;
}

static struct rc_shape plain_weights(const struct rc_conv_geometry *g)
{
    return RC_SHAPE(g->out_channels, g->in_channels / g->groups, g->kernel[0], g->kernel[1]);
}

/* --- by oneDNN --- */

static rc_status reorder_weights(struct rc_qconv_real *r, struct rc_engine *e,
                                 const struct rc_shape *shape, const float *real,
                                 const struct rc_md *to)
{
    struct rc_context *c = rc_engine_context(e);
    const struct rc_md *plain;
    struct rc_reorder *move;
    RC_TRY(rc_md_plain(e, RC_F32, shape, &plain));
    RC_TRY(rc_reorder_create(&move, e, plain, to));
    void *scratch = rc_alloc(c, rc_reorder_scratch(move));
    r->weights = rc_alloc_zero(c, rc_md_bytes(to));
    const rc_status st =
        scratch && r->weights ? rc_reorder_run(move, real, r->weights, scratch) : RC_ERR_MEMORY;
    rc_reorder_destroy(move);
    rc_release(scratch);
    return st;
}

static rc_status describe(dnnl_primitive_desc_t *pd, struct rc_engine *e,
                          const struct rc_conv_spec *s)
{
    dnnl_primitive_attr_t attr;
    RC_TRY(rc_attr_create(&attr));
    const struct rc_conv_request r = {.geometry = s->geometry,
                                      .prop = dnnl_forward_inference,
                                      .src = s->src,
                                      .dst = s->dst,
                                      .attr = attr};
    const rc_status st = rc_conv_describe(pd, e, &r);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static rc_status use_onednn(struct rc_qconv_real *r, struct rc_engine *e,
                            const struct rc_conv_spec *s, const float *weights)
{
    const struct rc_shape plain = plain_weights(s->geometry);
    const struct rc_md *packed;
    dnnl_primitive_desc_t pd;
    RC_TRY(describe(&pd, e, s));
    RC_TRY(rc_prim_init(&r->onednn, e, pd));
    RC_TRY(rc_md_query(e, pd, dnnl_query_weights_md, 0, &packed));
    RC_TRY(rc_prim_bind(&r->onednn, DNNL_ARG_SRC, s->src));
    RC_TRY(rc_prim_bind(&r->onednn, DNNL_ARG_WEIGHTS, packed));
    RC_TRY(rc_prim_bind(&r->onednn, DNNL_ARG_DST, s->dst));
    r->scratch = r->conv_at + r->onednn.scratch;
    snprintf(r->name, sizeof(r->name), "f32 on integers %s", rc_prim_name(&r->onednn));
    return reorder_weights(r, e, &plain, weights, packed);
}

/* --- by a kernel of ours --- */

static rc_status use_own(struct rc_qconv_real *r, struct rc_context *c,
                         const struct rc_conv_spec *s, const float *weights)
{
    RC_TRY(rc_conv_own_create(&r->own, c, s));
    r->weights = rc_alloc(c, rc_conv_own_weights_bytes(&r->own));
    if (!r->weights)
        return RC_ERR_MEMORY;
    rc_conv_own_pack_weights(&r->own, weights, r->weights);
    r->scratch = r->conv_at + rc_conv_own_scratch(&r->own);
    snprintf(r->name, sizeof(r->name), "f32 on integers %s", rc_conv_own_name(&r->own));
    return RC_OK;
}

/* --- both --- */

static float *real_weights(struct rc_context *c, const struct rc_qkernel_spec *s)
{
    const struct rc_shape shape = plain_weights(s->geometry);
    const int64_t n = rc_shape_count(&shape);
    float *real = rc_alloc_array(c, (size_t) n, sizeof(float));
    for (int64_t i = 0; real && i < n; i++)
        real[i] = s->weights[i];
    return real;
}

static rc_status fill(struct rc_qconv_real *r, struct rc_engine *e, enum rc_qconv_real_kind kind,
                      const struct rc_qkernel_spec *s)
{
    struct rc_context *c = rc_engine_context(e);
    struct rc_conv_spec conv;
    RC_TRY(real_spec(&conv, e, s));
    RC_TRY(rc_qreal_create(&r->around, c, s));
    r->threads = s->threads;
    r->sums_at = rc_align_line((size_t) rc_qreal_in_count(r->around) * sizeof(float));
    r->conv_at =
        r->sums_at + rc_align_line((size_t) rc_qreal_sums_count(r->around) * sizeof(float));
    float *weights = real_weights(c, s);
    rc_status st = RC_ERR_MEMORY;
    if (weights)
        st = kind == RC_QCONV_REAL_OWN ? use_own(r, c, &conv, weights)
                                       : use_onednn(r, e, &conv, weights);
    rc_release(weights);
    return st;
}

rc_status rc_qconv_real_create(struct rc_qconv_real **out, struct rc_engine *e,
                               enum rc_qconv_real_kind kind, const struct rc_qkernel_spec *s)
{
    *out = NULL;
    struct rc_qconv_real *r = RC_NEW(rc_engine_context(e), struct rc_qconv_real);
    if (!r)
        return RC_ERR_MEMORY;
    const rc_status st = fill(r, e, kind, s);
    if (st != RC_OK)
        rc_qconv_real_destroy(r);
    else
        *out = r;
    return st;
}

size_t rc_qconv_real_scratch(const struct rc_qconv_real *r)
{
    return r->scratch;
}

const char *rc_qconv_real_name(const struct rc_qconv_real *r)
{
    return r->name;
}

bool rc_qconv_real_shares(const struct rc_qconv_real *r)
{
    return rc_conv_own_exists(&r->own);
}

static float *sums_of(const struct rc_qconv_real *r, const struct rc_qconv_args *a)
{
    return (float *) (void *) ((char *) a->scratch + r->sums_at);
}

void rc_qconv_real_share(const struct rc_qconv_real *r, const struct rc_qconv_args *a)
{
    float *sums = sums_of(r, a);
    const struct rc_conv_args conv = {a->scratch, r->weights, NULL, sums,
                                      (char *) a->scratch + r->conv_at};
    rc_qreal_share_in(r->around, a->src, a->scratch);
#pragma omp barrier
    rc_conv_own_share(&r->own, &conv);
#pragma omp barrier
    rc_qreal_share_out(r->around, sums, a->res, a->dst);
}

rc_status rc_qconv_real_run(struct rc_qconv_real *r, const struct rc_qconv_args *a)
{
    if (rc_qconv_real_shares(r)) {
#pragma omp parallel num_threads(r->threads)
        rc_qconv_real_share(r, a);
        return RC_OK;
    }
    float *sums = sums_of(r, a);
    void *const handle[3] = {a->scratch, r->weights, sums};
#pragma omp parallel num_threads(r->threads)
    rc_qreal_share_in(r->around, a->src, a->scratch);
    RC_TRY(rc_prim_run(&r->onednn, handle, (char *) a->scratch + r->conv_at));
#pragma omp parallel num_threads(r->threads)
    rc_qreal_share_out(r->around, sums, a->res, a->dst);
    return RC_OK;
}
