/* oneDNN's kernel or one of ours, by measurement. */
#include "base/file.h"
#include "kernel/choice/choice.h"
#include "kernel/choice/trial.h"
#include "kernel/onednn/onednn.h"
#include "op/conv/own.h"

#include <stdio.h>
#include <string.h>

/* All of what the times depend on: bias and ReLU come and go unnoticed. */
static void key_of(char key[RC_CHOICE_KEY], const struct rci_conv_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    char src[64], dst[64];
    snprintf(key, RC_CHOICE_KEY,
             "conv%lldx%lld f32 %lldx%lldx%lldx%lld to %lldx%lldx%lld by %lld, %s to %s, "
             "%u threads%s",
             (long long) g->kernel[0], (long long) g->kernel[1], (long long) g->batch,
             (long long) g->in_channels, (long long) g->in[0], (long long) g->in[1],
             (long long) g->out_channels, (long long) g->out[0], (long long) g->out[1],
             (long long) g->stride[0], rci_md_text(s->src, src), rci_md_text(s->dst, dst),
             s->threads, s->sum ? ", sum" : "");
}

enum kind { ONEDNN, OWN, KINDS };
static const char *const words[KINDS] = {"onednn", "own"};

/* KINDS: not known. */
static enum kind recall(struct rc_context *c, const char *key)
{
    char word[RC_CHOICE_WORD];
    enum kind k = KINDS;
    if (rci_choice_recall(c, key, word))
        for (k = ONEDNN; k < KINDS && strcmp(word, words[k]); k++)
            ;
    return k;
}

/* --- measuring --- */

/* The largest second-level cache of a core that is common. */
enum { CACHE_BYTES = 2 << 20 };

/* As in a network: weights were driven out of the cache by other layers' since their last use, but
 * activations were just written. So the kernels walk through a ring of copies of their weights
 * that is larger than the cache. Winograd's are four times as large, which decides. */
struct trial {
    const struct rci_conv_own *own;
    struct rci_prim *onednn;
    struct rci_reorder *move; /* in front of oneDNN's kernel only, or NULL */
    char *arriving, *src, *dst, *bias, *scratch, *ring;
    size_t ring_bytes, at, weights[KINDS];
    uint64_t region; /* rci_trial_region() */
};

static rc_status run_onednn(struct trial *t, void *weights)
{
    void *const handle[4] = {t->src, weights, t->dst, t->bias};
    if (t->move)
        RC_TRY(rci_reorder_run(t->move, t->arriving, t->src, t->scratch));
    return rci_prim_run(t->onednn, handle, t->scratch);
}

static uint64_t time_one(struct trial *t, enum kind k, rc_status *st)
{
    if (t->at + t->weights[k] > t->ring_bytes)
        t->at = 0;
    char *weights = t->ring + t->at;
    t->at += rci_align_line(t->weights[k]);
    const struct rci_conv_args args = {t->arriving, (float *) (void *) weights,
                                       (float *) (void *) t->bias, t->dst, t->scratch};
    const uint64_t begin = rci_clock_ns();
    if (k == OWN)
        t->own->kernel->run(t->own->state, &args);
    else
        *st = run_onednn(t, weights);
    const uint64_t ns = rci_clock_ns() - begin;
    return k != OWN ? ns : ns > t->region ? ns - t->region : 0;
}

/* One turn of each, added to the best times: the one that was faster by a fifth, or KINDS. */
static enum kind turn(struct trial *t, uint64_t best[KINDS], rc_status *st)
{
    uint64_t ns[KINDS];
    for (enum kind k = ONEDNN; k < KINDS; k++) {
        ns[k] = time_one(t, k, st);
        best[k] = ns[k] < best[k] ? ns[k] : best[k];
    }
    if (ns[OWN] < ns[ONEDNN] / 6 * 5)
        return OWN;
    return ns[ONEDNN] < ns[OWN] / 6 * 5 ? ONEDNN : KINDS;
}

/* The best of a few turns each, the machine may be busy with something else in some of them; two
 * that clearly say the same will do. */
static rc_status compare(struct trial *t, enum kind *fastest)
{
    enum { LEAST = 3, MOST = 7, ENOUGH_NS = 500000 };
    uint64_t best[KINDS] = {UINT64_MAX, UINT64_MAX}, cold[KINDS] = {UINT64_MAX, UINT64_MAX};
    uint32_t clear[KINDS + 1] = {0};
    rc_status st = RC_OK;
    turn(t, cold, &st); /* first touch of memory and code */
    const uint64_t begin = rci_clock_ns();
    for (int i = 0; i < MOST && (i < LEAST || rci_clock_ns() - begin < ENOUGH_NS); i++) {
        const enum kind k = st == RC_OK ? turn(t, best, &st) : KINDS;
        if (st != RC_OK || (++clear[k] == 2 && k != KINDS))
            break;
    }
    *fastest = best[OWN] < best[ONEDNN] ? OWN : ONEDNN;
    return st;
}

/* Zeros everywhere: times do not depend on values. */
static rc_status measure_with(struct rci_reorder *move, struct rci_conv_own *own,
                              const struct rci_conv_layouts *l, struct rci_prim *onednn,
                              enum kind *fastest)
{
    struct trial t = {.own = own, .onednn = onednn, .move = move, .region = rci_trial_region()};
    t.weights[ONEDNN] = rci_md_bytes(l->weights);
    t.weights[OWN] = own->kernel->weights_bytes(own->state);
    t.ring_bytes = CACHE_BYTES + rci_align_line(rci_larger(t.weights[ONEDNN], t.weights[OWN]));
    const size_t bias = rci_align_line(rci_larger((size_t) l->dst->shape.dim[1] * sizeof(float),
                                                  own->kernel->bias_bytes(own->state)));
    const size_t scratch = rci_larger(rci_larger(onednn->scratch, own->kernel->scratch(own->state)),
                                      move ? rci_reorder_scratch(move) : 0);
    const size_t part[4] = {rci_align_line(rci_md_bytes(l->src)),
                            rci_align_line(rci_md_bytes(l->dst)), l->bias ? bias : 0,
                            rci_align_line(scratch)};
    /* plain images are no larger than those that oneDNN wants */
    char *at = rci_engine_trial(onednn->engine, (move ? 2 : 1) * part[0] + part[1] + part[2] +
                                                    part[3] + t.ring_bytes);
    if (!at)
        return RC_ERR_MEMORY;
    t.arriving = at;
    t.src = move ? at + part[0] : at;
    t.dst = t.src + part[0];
    t.bias = l->bias ? t.dst + part[1] : NULL;
    t.scratch = t.dst + part[1] + part[2];
    t.ring = t.scratch + part[3];
    if (t.weights[OWN] <= CACHE_BYTES / 2) /* between two runs they get no farther than L3 */
        rci_trial_read(t.ring, t.ring_bytes);
    return compare(&t, fastest);
}

static rc_status measure(struct rci_conv_own *own, const struct rci_conv_spec *s,
                         const struct rci_conv_layouts *l, struct rci_prim *onednn,
                         enum kind *fastest)
{
    struct rci_reorder *move = NULL;
    RC_TRY(rci_prim_create(onednn));
    if (!rci_md_equal(s->src, l->src))
        RC_TRY(rci_reorder_create(&move, onednn->engine, s->src, l->src));
    const rc_status st = measure_with(move, own, l, onednn, fastest);
    rci_reorder_destroy(move);
    return st;
}

/* --- choosing --- */

bool rci_conv_posts_fit(const struct rci_node *n, struct rci_conv_spec *s)
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

/* Nothing to measure; KINDS: there is. */
static enum kind settled(const struct rci_request *req, const struct rci_conv_kernel *k,
                         const struct rci_conv_spec *s, const char *key)
{
    struct rc_context *c = rci_engine_context(req->engine);
    const char *told = k == &rci_winograd_kernel ? req->winograd : NULL;
    if (told && !strcmp(told, "off"))
        return ONEDNN;
    if (told && !strcmp(told, "on"))
        return OWN;
    if (req->repeatable || rci_choice_fixed(c))
        return k->likely(s) ? OWN : ONEDNN;
    if (k->certain && k->certain(s))
        return OWN;
    return recall(c, key);
}

/* Images that arrive plain need no reorder in front of a kernel that reads them so. */
static rc_status read_planes(const struct rci_request *req, struct rci_conv_spec *s)
{
    struct rci_conv_spec plain = *s;
    if (req->have[0])
        return RC_OK;
    RC_TRY(rci_md_plain(req->engine, RC_F32, &req->in[0].shape, &plain.src));
    if (rci_direct_kernel.fits(&plain))
        *s = plain;
    return RC_OK;
}

rc_status rci_conv_choose(struct rci_conv_own *out, const struct rci_request *req,
                          const struct rci_conv_spec *spec, const struct rci_conv_layouts *l,
                          struct rci_prim *onednn)
{
    struct rci_conv_spec s = *spec;
    *out = (struct rci_conv_own){NULL, NULL};
    RC_TRY(read_planes(req, &s));
    if (!req->in[1].data || (l->bias && !req->in[2].data) || !rci_conv_posts_fit(req->node, &s))
        return RC_OK;
    const struct rci_conv_kernel *k = rci_conv_own_find(&s);
    if (!k)
        return RC_OK;
    struct rc_context *c = rci_engine_context(req->engine);
    char key[RC_CHOICE_KEY];
    key_of(key, &s);
    enum kind best = settled(req, k, &s, key);
    if (best == ONEDNN)
        return RC_OK;
    rc_status st = rci_conv_own_create(out, c, &s);
    if (st == RC_OK && best == KINDS) {
        st = measure(out, &s, l, onednn, &best);
        if (st == RC_OK)
            st = rci_choice_remember(c, key, words[best]);
    }
    if (st != RC_OK || best == ONEDNN)
        rci_conv_own_destroy(out);
    return st;
}
