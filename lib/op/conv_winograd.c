/* Winograd or direct, by measurement. */
#include "op/conv_winograd.h"
#include "base/file.h"
#include "kernel/choice.h"
#include "kernel/onednn.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of what the times depend on: bias and ReLU come and go unnoticed. */
static void key_of(char key[RC_CHOICE_KEY], const struct rc_winograd_spec *s)
{
    const struct rc_conv_geometry *g = s->geometry;
    char src[64], dst[64];
    snprintf(key, RC_CHOICE_KEY,
             "conv3x3 f32 %lldx%lldx%lldx%lld to %lld channels, %s to %s, %u threads%s",
             (long long) g->batch, (long long) g->in_channels, (long long) g->in[0],
             (long long) g->in[1], (long long) g->out_channels, rc_md_text(s->src, src),
             rc_md_text(s->dst, dst), s->threads, s->sum ? ", sum" : "");
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

/* The largest second-level cache of a core that is common. */
enum { CACHE_BYTES = 2 << 20 };

/* As in a network: weights were driven out of the cache by other layers' since their last use, but
 * activations were just written. So both kernels walk through a ring of copies of their weights
 * that is larger than the cache. Winograd's are four times as large, which decides. */
struct trial {
    const struct rc_winograd *winograd;
    struct rc_prim *direct;
    char *src, *dst, *bias, *scratch, *ring;
    size_t ring_bytes, at, weights[2]; /* weights: of direct, of Winograd */
};

static uint64_t time_one(struct trial *t, bool winograd, rc_status *st)
{
    if (t->at + t->weights[winograd] > t->ring_bytes)
        t->at = 0;
    char *weights = t->ring + t->at;
    t->at += rc_align_line(t->weights[winograd]);
    void *const handle[4] = {t->src, weights, t->dst, t->bias};
    const struct rc_winograd_args args = {t->src, (float *) (void *) weights,
                                          (float *) (void *) t->bias, t->dst, t->scratch};
    const uint64_t begin = rc_clock_ns();
    if (winograd)
        rc_winograd_run(t->winograd, &args);
    else
        *st = rc_prim_run(t->direct, handle, t->scratch);
    return rc_clock_ns() - begin;
}

/* One turn of each: adds to the best times. 1 or -1: one was faster by a fifth. */
static int turn(struct trial *t, uint64_t best[2], rc_status *st)
{
    uint64_t ns[2];
    for (int k = 0; k < 2; k++) {
        ns[k] = time_one(t, k == 0, st);
        best[k] = ns[k] < best[k] ? ns[k] : best[k];
    }
    return ns[0] * 6 < ns[1] * 5 ? 1 : ns[1] * 6 < ns[0] * 5 ? -1 : 0;
}

/* The best of a few turns each, the machine may be busy with something else in some of them; two
 * that clearly say the same will do. */
static rc_status compare(struct trial *t, bool *faster)
{
    enum { LEAST = 3, MOST = 7, ENOUGH_NS = 500000 };
    uint64_t best[2] = {UINT64_MAX, UINT64_MAX}, cold[2] = {UINT64_MAX, UINT64_MAX};
    rc_status st = RC_OK;
    turn(t, cold, &st); /* first touch of memory and code */
    const uint64_t begin = rc_clock_ns();
    int clear = 0;
    for (int i = 0; i < MOST && (i < LEAST || rc_clock_ns() - begin < ENOUGH_NS); i++) {
        if (st != RC_OK || clear == 2 || clear == -2)
            break;
        clear += turn(t, best, &st);
    }
    *faster = best[0] < best[1];
    return st;
}

/* Zeros everywhere: times do not depend on values. */
static rc_status measure(const struct rc_prep *p, const struct rc_winograd *w,
                         const struct rc_conv_direct *direct, bool *faster)
{
    RC_TRY(rc_prim_create(direct->prim));
    struct trial t = {.winograd = w,
                      .direct = direct->prim,
                      .weights = {rc_md_bytes(p->want[1]), rc_winograd_weights_bytes(w)}};
    t.ring_bytes = CACHE_BYTES + rc_align_line(rc_larger(t.weights[0], t.weights[1]));
    const size_t part[4] = {
        rc_align_line(rc_md_bytes(p->want[0])), rc_align_line(rc_md_bytes(p->out_md[0])),
        direct->has_bias ? rc_align_line(rc_winograd_bias_bytes(w)) : 0,
        rc_align_line(rc_larger(direct->prim->scratch, rc_winograd_scratch(w)))};
    char *at = rc_engine_trial(p->engine, part[0] + part[1] + part[2] + part[3] + t.ring_bytes);
    if (!at)
        return RC_ERR_MEMORY;
    t.src = at;
    t.dst = t.src + part[0];
    t.bias = direct->has_bias ? t.dst + part[1] : NULL;
    t.scratch = t.dst + part[1] + part[2];
    t.ring = t.scratch + part[3];
    return compare(&t, faster);
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

bool rc_conv_winograd_told(const char *what)
{
    const char *told = getenv("RESCOMP_WINOGRAD");
    return told && !strcmp(told, what);
}

rc_status rc_conv_winograd_choose(struct rc_winograd **out, const struct rc_prep *p,
                                  const struct rc_conv_geometry *g,
                                  const struct rc_conv_direct *direct)
{
    struct rc_winograd_spec s = {.geometry = g,
                                 .src = p->want[0],
                                 .dst = p->out_md[0],
                                 .bias = direct->has_bias,
                                 .threads = (uint32_t) omp_get_max_threads()};
    *out = NULL;
    if (rc_conv_winograd_told("off") || !p->in[1].data || (direct->has_bias && !p->in[2].data) ||
        !posts_fit(p->node, &s) || !rc_winograd_fits(&s))
        return RC_OK;
    struct rc_context *c = rc_engine_context(p->engine);
    char key[RC_CHOICE_KEY];
    bool faster = true, settled = rc_conv_winograd_told("on");
    key_of(key, &s);
    if (!settled && (p->repeatable || rc_choice_fixed(c))) {
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
