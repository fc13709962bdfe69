/* Winograd or direct, by measurement. */
#include "op/conv_winograd.h"
#include "base/file.h"
#include "kernel/choice.h"
#include "kernel/onednn.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of what the times depend on. */
static void key_of(char key[RC_CHOICE_KEY], const struct rc_winograd_spec *s)
{
    const struct rc_conv_geometry *g = s->geometry;
    char src[64], dst[64];
    snprintf(key, RC_CHOICE_KEY,
             "conv3x3 f32 %lldx%lldx%lldx%lld to %lld channels, %s to %s, %u threads%s%s%s",
             (long long) g->batch, (long long) g->in_channels, (long long) g->in[0],
             (long long) g->in[1], (long long) g->out_channels, rc_md_text(s->src, src),
             rc_md_text(s->dst, dst), s->threads, s->bias ? ", bias" : "", s->sum ? ", sum" : "",
             s->relu ? ", relu" : "");
}

static const char *const words[2] = {"direct", "winograd"};

static bool recall(struct rc_context *c, const char *key, bool *faster)
{
    char word[RC_CHOICE_WORD];
    if (!rc_choice_recall(c, key, word))
        return false;
    *faster = !strcmp(word, words[true]);
    return *faster || !strcmp(word, words[false]);
}

/* Without measuring. Transforms cost per channel, products per pair of them; oneDNN's AVX-512
 * kernels are ahead below 32. */
static bool likely_faster(const struct rc_conv_geometry *g)
{
    const int64_t least = rc_cpu_lanes() == 16 ? 32 : 16;
    return g->in_channels >= least && g->out_channels >= least;
}

/* --- measuring --- */

struct trial {
    const struct rc_winograd *winograd;
    struct rc_prim *direct;
    void *handle[4]; /* source, weights, destination, bias */
    size_t size[4];  /* [bytes] */
    struct rc_winograd_args args;
    void *scratch;
    const uint64_t *evict; /* EVICT_BYTES */
    _Atomic uint64_t sum;  /* keeps the reads */
};

/* The largest second-level cache of a core that is common. */
enum { EVICT_BYTES = 2 << 20 };

static uint64_t read_all(const uint64_t *p, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes / sizeof(*p); i += 8) /* once a cache line */
        sum += p[i];
    return sum;
}

/* As in a network: other layers' weights have driven this one's out of the cache, but its
 * activations were just written. Winograd's weights are four times as large, which decides. */
static void as_in_a_network(struct trial *t)
{
#pragma omp parallel
    t->sum += read_all(t->evict, EVICT_BYTES);
    t->sum += read_all(t->handle[0], t->size[0]) + read_all(t->handle[2], t->size[2]);
}

static uint64_t time_one(struct trial *t, bool winograd, rc_status *st)
{
    as_in_a_network(t);
    const uint64_t begin = rc_clock_ns();
    if (winograd)
        rc_winograd_run(t->winograd, &t->args);
    else
        *st = rc_prim_run(t->direct, t->handle, t->scratch);
    return rc_clock_ns() - begin;
}

/* The best of a few turns each; the machine may be busy with something else in some of them. */
static rc_status compare(struct trial *t, bool *faster)
{
    enum { LEAST = 3, MOST = 7, ENOUGH_NS = 500000 };
    uint64_t best[2] = {UINT64_MAX, UINT64_MAX}, spent = 0;
    rc_status st = RC_OK;
    time_one(t, true, &st);
    time_one(t, false, &st);
    for (int i = 0; i < MOST && (i < LEAST || spent < ENOUGH_NS) && st == RC_OK; i++)
        for (int k = 0; k < 2; k++) {
            const uint64_t ns = time_one(t, k == 0, &st);
            spent += ns;
            best[k] = ns < best[k] ? ns : best[k];
        }
    *faster = best[0] < best[1];
    return st;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Zeros everywhere: times do not depend on values. */
static rc_status measure(const struct rc_prep *p, const struct rc_winograd *w,
                         const struct rc_conv_direct *direct, bool *faster)
{
    struct rc_context *c = rc_engine_context(p->engine);
    const size_t here = direct->prim->scratch, there = rc_winograd_scratch(w);
    const size_t weights[2] = {rc_md_bytes(p->want[1]), rc_winograd_weights_bytes(w)};
    struct trial t = {.winograd = w,
                      .direct = direct->prim,
                      .size = {rc_md_bytes(p->want[0]), larger(weights[0], weights[1]),
                               rc_md_bytes(p->out_md[0]),
                               direct->has_bias ? rc_winograd_bias_bytes(w) : 0}};
    rc_status st = RC_OK;
    for (int i = 0; i < 4; i++)
        if (t.size[i] && !(t.handle[i] = rc_alloc_zero(c, t.size[i])))
            st = RC_ERR_MEMORY;
    void *evict = rc_alloc_zero(c, EVICT_BYTES);
    t.evict = evict;
    if (!evict || !(t.scratch = rc_alloc_zero(c, larger(here, there))))
        st = RC_ERR_MEMORY;
    t.args =
        (struct rc_winograd_args){t.handle[0], t.handle[1], t.handle[3], t.handle[2], t.scratch};
    if (st == RC_OK)
        st = compare(&t, faster);
    for (int i = 0; i < 4; i++)
        rc_release(t.handle[i]);
    rc_release(t.scratch);
    rc_release(evict);
    return st;
}

/* --- choosing --- */

/* What the node does after the convolution: a sum, then a ReLU, or less. */
static bool posts_fit(const struct rc_node *n, struct rc_winograd_spec *s)
{
    uint32_t i = 0;
    if (i < n->n_post && n->post[i].kind == RC_POST_ADD) {
        s->sum = true;
        i++;
    }
    if (i < n->n_post && n->post[i].kind == RC_POST_RELU) {
        s->relu = true;
        i++;
    }
    return i == n->n_post;
}

rc_status rc_conv_winograd_choose(struct rc_winograd **out, const struct rc_prep *p,
                                  const struct rc_conv_geometry *g,
                                  const struct rc_conv_direct *direct)
{
    const char *told = getenv("RESCOMP_WINOGRAD");
    struct rc_winograd_spec s = {.geometry = g,
                                 .src = p->want[0],
                                 .dst = p->out_md[0],
                                 .bias = direct->has_bias,
                                 .threads = (uint32_t) omp_get_max_threads()};
    *out = NULL;
    if ((told && !strcmp(told, "off")) || !p->in[1].data || (direct->has_bias && !p->in[2].data) ||
        !posts_fit(p->node, &s) || !rc_winograd_fits(&s))
        return RC_OK;
    struct rc_context *c = rc_engine_context(p->engine);
    char key[RC_CHOICE_KEY];
    bool faster = true, settled = told && !strcmp(told, "on");
    key_of(key, &s);
    if (!settled && rc_choice_fixed(c)) {
        settled = true;
        faster = likely_faster(g);
    }
    settled = settled || recall(c, key, &faster);
    if (settled && !faster)
        return RC_OK;
    RC_TRY(rc_winograd_create(out, c, &s));
    if (settled)
        return RC_OK;
    rc_status st = measure(p, *out, direct, &faster);
    if (st == RC_OK)
        st = rc_choice_remember(c, key, words[faster]);
    if (st != RC_OK || !faster) {
        rc_winograd_destroy(*out);
        *out = NULL;
    }
    return st;
}
