/* Does oneDNN compute correctly on this machine? Some versions destroy channel tails when the
 * hypervisor hides the cache sizes, without any error. Asked once per process. */
#include "kernel/choice/choice.h"
#include "kernel/onednn/conv.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, MAX_ELEMENTS = 40 * 24 * 9, PIXELS = SIDE * SIDE };

struct scene { /* one convolution, 3x3, padding 1, batch 1 */
    struct rci_conv_geometry g;
    float src[24 * PIXELS], weights[MAX_ELEMENTS], bias[40], dst[40 * PIXELS], want[40 * PIXELS];
    int8_t q_weights[MAX_ELEMENTS];
    uint8_t q_src[24 * PIXELS], q_dst[40 * PIXELS], q_res[40 * PIXELS];
};

static struct rci_conv_geometry scene_geometry(int64_t in, int64_t out)
{
    return (struct rci_conv_geometry){.batch = 1,
                                      .in_channels = in,
                                      .out_channels = out,
                                      .groups = 1,
                                      .in = {SIDE, SIDE},
                                      .out = {SIDE, SIDE},
                                      .kernel = {3, 3},
                                      .stride = {1, 1},
                                      .dilation = {1, 1},
                                      .pad_begin = {1, 1},
                                      .pad_end = {1, 1}};
}

/* Small integers: every sum is exact in f32, so results must match bit for bit. */
static void scene_fill(struct scene *s, int64_t in, int64_t out)
{
    s->g = scene_geometry(in, out);
    for (int i = 0; i < in * PIXELS; i++) {
        s->q_src[i] = (uint8_t) (i * 37 % 101);
        s->src[i] = (float) s->q_src[i];
    }
    for (int i = 0; i < in * out * 9; i++) {
        s->q_weights[i] = (int8_t) (i * 29 % 61 - 30);
        s->weights[i] = (float) s->q_weights[i];
    }
    for (int i = 0; i < out; i++)
        s->bias[i] = (float) (i * 11 % 19 - 9);
    for (int i = 0; i < out * PIXELS; i++)
        s->q_res[i] = (uint8_t) (i * 53 % 127);
}

/* want[y][x] += src[y + dy][x + dx] * w, where there is a source. */
static void add_tap(const float *src, float w, int dy, int dx, float *want)
{
    const int top = dy < 0 ? 1 : 0, bottom = dy > 0 ? SIDE - 1 : SIDE;
    const int left = dx < 0 ? 1 : 0, right = dx > 0 ? SIDE - 1 : SIDE;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            want[y * SIDE + x] += src[(y + dy) * SIDE + x + dx] * w;
}

static void scene_expect(struct scene *s)
{
    const int64_t in = s->g.in_channels;
    for (int64_t o = 0; o < s->g.out_channels; o++) {
        float *want = s->want + o * PIXELS;
        for (int p = 0; p < PIXELS; p++)
            want[p] = s->bias[o];
        for (int64_t i = 0; i < in; i++)
            for (int k = 0; k < 9; k++)
                add_tap(s->src + i * PIXELS, s->weights[(o * in + i) * 9 + k], k / 3 - 1, k % 3 - 1,
                        want);
    }
}

/* Convert `from` (plain) to a new buffer laid out as `md`, or back when `out` is given. */
static rc_status convert(struct rci_engine *e, const struct rci_md *from_md, const void *from,
                         const struct rci_md *to_md, void *to)
{
    struct rci_reorder *r = NULL;
    void *scratch = NULL;
    rc_status st = rci_reorder_new(&r, e, from_md, to_md);
    if (st == RC_OK) {
        scratch = rci_alloc(rci_engine_context(e), rci_reorder_scratch(r));
        st = scratch ? rci_reorder_run(r, from, to, scratch) : RC_ERR_MEMORY;
    }
    rci_release(scratch);
    rci_reorder_free(r);
    return st;
}

static rc_status to_layout(struct rci_engine *e, enum rci_dtype type, const struct rci_md *md,
                           const void *plain, void **out)
{
    const struct rci_md *plain_md;
    if (!(*out = rci_alloc_zero(rci_engine_context(e), rci_md_bytes(md))))
        return RC_ERR_MEMORY;
    RC_TRY(rci_md_plain(e, type, &md->shape, &plain_md));
    return convert(e, plain_md, plain, md, *out);
}

static rc_status from_layout(struct rci_engine *e, enum rci_dtype type, const struct rci_md *md,
                             const void *packed, void *plain)
{
    const struct rci_md *plain_md;
    RC_TRY(rci_md_plain(e, type, &md->shape, &plain_md));
    return convert(e, md, packed, plain_md, plain);
}

struct buffers {
    void *src, *weights, *dst, *scratch;
};

static void buffers_free(struct buffers *b)
{
    rci_release(b->src);
    rci_release(b->weights);
    rci_release(b->dst);
    rci_release(b->scratch);
}

static rc_status float_run(struct rci_engine *e, struct scene *s, struct rci_prim *p,
                           struct buffers *b)
{
    const struct rci_md *src, *weights, *dst, *bias;
    const struct rci_shape channels = RC_SHAPE(s->g.out_channels);
    RC_TRY(rci_md_query(e, p->pd, dnnl_query_src_md, 0, &src));
    RC_TRY(rci_md_query(e, p->pd, dnnl_query_weights_md, 0, &weights));
    RC_TRY(rci_md_query(e, p->pd, dnnl_query_dst_md, 0, &dst));
    RC_TRY(rci_md_plain(e, RC_F32, &channels, &bias));
    RC_TRY(rci_prim_bind(p, DNNL_ARG_SRC, src));
    RC_TRY(rci_prim_bind(p, DNNL_ARG_WEIGHTS, weights));
    RC_TRY(rci_prim_bind(p, DNNL_ARG_BIAS, bias));
    RC_TRY(rci_prim_bind(p, DNNL_ARG_DST, dst));
    RC_TRY(to_layout(e, RC_F32, src, s->src, &b->src));
    RC_TRY(to_layout(e, RC_F32, weights, s->weights, &b->weights));
    static float back[MAX_ELEMENTS]; /* the caller holds the self-test's lock */
    RC_TRY(from_layout(e, RC_F32, weights, b->weights, back));
    const size_t bytes = (size_t) (s->g.in_channels * s->g.out_channels * 9) * sizeof(float);
    if (memcmp(back, s->weights, bytes) != 0)
        return rci_fail(RC_ERR_BACKEND, "reorder of %dx%dx3x3 weights loses values",
                        (int) s->g.out_channels, (int) s->g.in_channels);
    b->dst = rci_alloc_zero(rci_engine_context(e), rci_md_bytes(dst));
    b->scratch = rci_alloc(rci_engine_context(e), p->scratch);
    if (!b->dst || !b->scratch)
        return RC_ERR_MEMORY;
    void *const handle[4] = {b->src, b->weights, s->bias, b->dst};
    RC_TRY(rci_prim_run(p, handle, b->scratch));
    return from_layout(e, RC_F32, dst, b->dst, s->dst);
}

static rc_status float_test(struct rci_engine *e, struct scene *s, int64_t in, int64_t out)
{
    scene_fill(s, in, out);
    scene_expect(s);
    struct rci_prim p = {0};
    struct buffers b = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd;
    const struct rci_md *bias;
    const struct rci_shape channels = RC_SHAPE(out);
    struct rci_conv_request r = {.geometry = &s->g, .prop = dnnl_forward_inference};
    rc_status st;
    RC_TRY_OUT(st, rci_attr_new(&attr));
    RC_TRY_OUT(st, rci_md_plain(e, RC_F32, &channels, &bias));
    r.bias = bias;
    r.attr = attr;
    RC_TRY_OUT(st, rci_conv_describe(&pd, e, &r));
    RC_TRY_OUT(st, rci_prim_init(&p, e, pd));
    RC_TRY_OUT(st, float_run(e, s, &p, &b));
    for (int64_t i = 0; i < out * PIXELS && st == RC_OK; i++)
        if (s->dst[i] != s->want[i])
            st = rci_fail(RC_ERR_BACKEND, "f32 convolution %d->%d: %g instead of %g", (int) in,
                          (int) out, (double) s->dst[i], (double) s->want[i]);
out:
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    buffers_free(&b);
    rci_prim_clear(&p);
    return st;
}

static rc_status int8_run(struct rci_engine *e, struct scene *s, struct rci_int8_conv *c,
                          struct buffers *b)
{
    RC_TRY(to_layout(e, RC_U8, c->src_md, s->q_src, &b->src));
    RC_TRY(to_layout(e, RC_S8, c->weights_md, s->q_weights, &b->weights));
    RC_TRY(to_layout(e, RC_U8, c->dst_md, s->q_res, &b->dst));
    if (!(b->scratch = rci_alloc(rci_engine_context(e), c->prim.scratch)))
        return RC_ERR_MEMORY;
    RC_TRY(rci_int8_conv_run(c, b->src, b->weights, b->dst, b->scratch));
    return from_layout(e, RC_U8, c->dst_md, b->dst, s->q_dst);
}

/* Powers of two as scales, sources below 101 (seven bits): exact on every instruction set. */
static rc_status int8_test(struct rci_engine *e, struct scene *s, int64_t in, int64_t out)
{
    scene_fill(s, in, out);
    scene_expect(s);
    const float one = 1.0f, dst_scale = 256.0f;
    const struct rci_int8_conv_spec spec = {.geometry = &s->g,
                                            .src = RC_U8,
                                            .dst = RC_U8,
                                            .bias = s->bias,
                                            .scales = {.src = 1.0f,
                                                       .dst = dst_scale,
                                                       .wei = &one,
                                                       .n_wei = 1,
                                                       .sum = true,
                                                       .res = 128.0f,
                                                       .res_type = RC_U8,
                                                       .relu = true}};
    struct rci_int8_conv *c = NULL;
    struct buffers b = {0};
    rc_status st;
    RC_TRY_OUT(st, rci_int8_conv_new(&c, e, &spec));
    RC_TRY_OUT(st, rci_prim_new(&c->prim));
    RC_TRY_OUT(st, int8_run(e, s, c, &b));
    for (int64_t i = 0; i < out * PIXELS && st == RC_OK; i++) {
        const float real = fmaxf(0.0f, s->want[i] + 128.0f * (float) s->q_res[i]);
        const float stored = fminf(255.0f, real / dst_scale);
        if (fabsf(stored - (float) s->q_dst[i]) > 0.51f)
            st = rci_fail(RC_ERR_BACKEND, "int8 convolution %d->%d: %d instead of %g", (int) in,
                          (int) out, s->q_dst[i], (double) stored);
    }
out:
    buffers_free(&b);
    rci_int8_conv_free(c);
    return st;
}

static rc_status selftest_run_all(struct rci_engine *e, struct scene *s)
{
    RC_TRY(float_test(e, s, 12, 20));
    RC_TRY(float_test(e, s, 24, 40));
    return int8_test(e, s, 12, 20);
}

static rc_status selftest_run_once(struct rc_context *c)
{
    struct rci_engine *e = NULL;
    struct scene *s = RC_NEW(c, struct scene);
    rc_status st = s ? rci_engine_new(&e, c) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = selftest_run_all(e, s);
    rci_engine_free(e);
    rci_release(s);
    return st;
}

rc_status rci_engine_self_test(struct rc_context *c)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool known;
    static rc_status result;
    static char text[256];
    const char *skip = getenv("RESCOMP_SELF_TEST");
    if (skip && !strcmp(skip, "0"))
        return RC_OK;
    if (skip && !strcmp(skip, "fail"))
        return rci_fail(RC_ERR_BACKEND, "oneDNN self-test: RESCOMP_SELF_TEST says so");
    pthread_mutex_lock(&lock);
    if (!known) {
        rc_status st = selftest_run_once(c);
        known = st != RC_ERR_MEMORY; /* that says nothing about the machine: ask again */
        result = st == RC_OK || st == RC_ERR_MEMORY ? st : RC_ERR_BACKEND;
        snprintf(text, sizeof(text), "%s", st == RC_OK ? "" : rci_error_text());
    }
    const rc_status st = result;
    char message[sizeof(text)];
    memcpy(message, text, sizeof(text));
    pthread_mutex_unlock(&lock);
    if (st == RC_ERR_BACKEND)
        return rci_fail(st, "oneDNN self-test: %s", message);
    return st;
}

rc_status rci_engine_trust(struct rc_context *c)
{
    static const char key[] = "self-test of oneDNN", passed[] = "passed";
    char word[RC_CHOICE_WORD];
    if (!getenv("RESCOMP_SELF_TEST") && rci_choice_recall(c, key, word) && !strcmp(word, passed))
        return RC_OK;
    RC_TRY(rci_engine_self_test(c));
    return rci_choice_remember(c, key, passed);
}
