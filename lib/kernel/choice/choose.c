/* Candidates of a layer, and the one that is taken. */
#include "kernel/choice/choose.h"
#include "kernel/choice/choice.h"
#include "kernel/choice/cost.h"
#include "kernel/choice/trial.h"
#include "kernel/int8/qkernel.h"
#include "kernel/onednn/onednn.h"

#include <stdio.h>
#include <string.h>

enum { OWN = RC_CONV_OTHERS, CANDIDATES = RC_TRIAL_MOST, NONE = CANDIDATES };

struct candidate {
    const char *word; /* NULL: cannot */
    double cost;
    const struct rci_conv_kernel *kernel; /* NULL: q->other */
    void *state;
};

struct contest {
    const struct rci_conv_question *q;
    struct rc_context *ctx;
    struct candidate of[CANDIDATES];
    char key[RC_CHOICE_KEY];
};

/* --- who can --- */

/* All of what the times depend on: bias and ReLU come and go unnoticed. */
static void contest_key(struct contest *c)
{
    const struct rci_conv_spec *s = c->q->spec;
    const struct rci_conv_geometry *g = s->geometry;
    char src[64], dst[64], types[80];
    uint32_t can = 0;
    for (uint32_t k = 0; k < CANDIDATES; k++)
        can |= c->of[k].word ? 1u << k : 0;
    if (s->integers)
        snprintf(
            types, sizeof(types), "%.8s to %.8s%s%.8s, %.24s", rci_dtype_name(s->integers->src),
            rci_dtype_name(s->integers->dst), s->integers->res ? ", sum " : "",
            s->integers->res ? rci_dtype_name(s->integers->res) : "", rci_qkernel_code_name(s));
    else
        snprintf(types, sizeof(types), "f32 %.24s to %.24s%s", rci_md_text(s->src, src),
                 rci_md_text(s->dst, dst), s->sum ? ", sum" : "");
    snprintf(c->key, RC_CHOICE_KEY,
             "conv%lldx%lld %lldx%lldx%lldx%lld to %lldx%lldx%lld by %lld pad %lld, %s, "
             "%u threads, of %x",
             (long long) g->kernel[0], (long long) g->kernel[1], (long long) g->batch,
             (long long) g->in_channels, (long long) g->in[0], (long long) g->in[1],
             (long long) g->out_channels, (long long) g->out[0], (long long) g->out[1],
             (long long) g->stride[0], (long long) g->pad_begin[0], types, s->threads, can);
}

static void contest_open(struct contest *c, const struct rci_conv_question *q)
{
    *c = (struct contest){.q = q, .ctx = rci_engine_context(q->engine)};
    for (uint32_t k = 0; k < RC_CONV_OTHERS; k++)
        c->of[k] = (struct candidate){.word = q->other[k].word};
    uint32_t at = OWN;
    for (uint32_t i = 0; rci_conv_kernels[i]; i++) {
        const struct rci_conv_kernel *k = rci_conv_kernels[i];
        if (at == CANDIDATES || !rci_conv_kernel_fits(k, q->spec) ||
            (q->never && !strcmp(q->never, k->name)))
            continue;
        c->of[at++] = (struct candidate){.word = k->name, .kernel = k};
    }
    contest_key(c);
}

static void contest_close(struct contest *c)
{
    for (uint32_t k = OWN; k < CANDIDATES; k++)
        if (c->of[k].state)
            c->of[k].kernel->free(c->of[k].state);
}

static uint32_t count_candidates(const struct contest *c, uint32_t *last)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < CANDIDATES; k++)
        if (c->of[k].word) {
            *last = k;
            n++;
        }
    return n;
}

/* --- without measuring --- */

static uint32_t contest_named(const struct contest *c, const char *word)
{
    for (uint32_t k = 0; word && k < CANDIDATES; k++)
        if (c->of[k].word && !strcmp(word, c->of[k].word))
            return k;
    return NONE;
}

/* The first kernel of ours that is likely to be faster than oneDNN's, oneDNN's, or the first. */
static uint32_t contest_rule(const struct contest *c)
{
    for (uint32_t k = OWN; k < CANDIDATES; k++)
        if (c->of[k].word && c->of[k].kernel->likely(c->q->spec))
            return k;
    if (c->of[0].word)
        return 0;
    return c->of[OWN].word ? OWN : 1;
}

/* Candidates that may be the fastest, as bits: all where a cost is not known, else those near the
 * least one. The constants of the model were fitted on AVX2, where it puts costs that differ by 5 %
 * in the right order; on AVX-512 it decides only what is clear. */
static uint32_t contest_near(struct contest *c)
{
    const double margin = c->q->spec->cpu->lanes == 16 ? 1.30 : 1.05;
    struct rci_peaks measured;
    const struct rci_peaks *p = rci_peaks_of(c->q->engine, &measured);
    double least = 0;
    uint32_t all = 0, near = 0;
    bool known = p;
    for (uint32_t k = 0; k < CANDIDATES; k++) {
        struct candidate *x = &c->of[k];
        if (!x->word)
            continue;
        all |= 1u << k;
        rci_conv_cost *cost = x->kernel ? x->kernel->cost : c->q->other[k].cost;
        x->cost = p && cost ? cost(c->q->spec, p) : 0;
        known = known && x->cost > 0;
        least = least > 0 && least < x->cost ? least : x->cost;
    }
    for (uint32_t k = 0; known && k < CANDIDATES; k++)
        if (all & 1u << k && c->of[k].cost <= least * margin)
            near |= 1u << k;
    return known ? near : all;
}

/* --- by measuring --- */

static rc_status contest_make(struct contest *c, uint32_t k, struct rci_trial_entry *e)
{
    struct candidate *x = &c->of[k];
    const struct rci_conv_spec *s = c->q->spec;
    e->bias = s->bias ? (size_t) s->geometry->out_channels * sizeof(float) : 0;
    if (!x->kernel) {
        const struct rci_conv_other *o = &c->q->other[k];
        e->team = o->team;
        return o->make(o->user, &e->weights, &e->scratch);
    }
    RC_TRY(x->kernel->create(&x->state, c->ctx, s));
    e->team = true;
    e->weights = x->kernel->weights_bytes(x->state);
    e->scratch = x->kernel->scratch(x->state);
    if (s->bias)
        e->bias = x->kernel->bias_bytes(x->state);
    return RC_OK;
}

static rc_status contest_run(void *user, uint32_t k, const struct rci_conv_args *a)
{
    const struct contest *c = user;
    const struct candidate *x = &c->of[k];
    if (!x->kernel)
        return c->q->other[k].run(c->q->other[k].user, a);
    x->kernel->run(x->state, a);
    return RC_OK;
}

static rc_status contest_time(struct contest *c, uint32_t near, uint32_t *best)
{
    struct rci_trial t = {.candidates = near,
                          .src = c->q->src,
                          .dst = c->q->dst,
                          .cache = c->q->spec->cpu->l2 * c->q->spec->threads,
                          .run = contest_run,
                          .user = c};
    for (uint32_t k = 0; k < CANDIDATES; k++)
        if (near & 1u << k)
            RC_TRY(contest_make(c, k, &t.entry[k]));
    RC_TRY(rci_trial_fastest(&t, c->q->engine, best));
    for (uint32_t k = 0; k < CANDIDATES; k++)
        if (near & 1u << k)
            rci_log(c->ctx, RC_LOG_DEBUG, "%s: %s %.1f us, expected %.1f", c->key, c->of[k].word,
                    (double) t.entry[k].ns * 1e-3, c->of[k].cost * 1e-3);
    return RC_OK;
}

/* --- both --- */

static rc_status contest_decide(struct contest *c, uint32_t *best)
{
    const struct rci_conv_question *q = c->q;
    char word[RC_CHOICE_WORD];
    if (count_candidates(c, best) == 0)
        return rci_fail(RC_ERR_UNSUPPORTED, "no kernel for this convolution");
    if (count_candidates(c, best) == 1 || (*best = contest_named(c, q->told)) != NONE)
        return RC_OK;
    if (q->fixed || rci_choice_fixed(c->ctx)) {
        *best = contest_rule(c);
        return RC_OK;
    }
    if (rci_choice_recall(c->ctx, c->key, word) && (*best = contest_named(c, word)) != NONE)
        return RC_OK;
    const uint32_t near = contest_near(c);
    *best = (uint32_t) __builtin_ctz(near);
    if (near & (near - 1))
        RC_TRY(contest_time(c, near, best));
    return rci_choice_remember(c->ctx, c->key, c->of[*best].word);
}

rc_status rci_conv_choose(struct rci_conv_chosen *out, const struct rci_conv_question *q)
{
    struct contest c;
    uint32_t best = NONE;
    *out = (struct rci_conv_chosen){NULL, NULL, 0};
    contest_open(&c, q);
    rc_status st = contest_decide(&c, &best);
    struct candidate *x = &c.of[best < CANDIDATES ? best : 0];
    if (st == RC_OK && x->kernel && !x->state)
        st = x->kernel->create(&x->state, c.ctx, q->spec);
    if (st == RC_OK) {
        *out = (struct rci_conv_chosen){x->kernel, x->state, best};
        x->state = NULL;
    }
    contest_close(&c);
    return st;
}

void rci_conv_chosen_free(struct rci_conv_chosen *c)
{
    if (c->kernel)
        c->kernel->free(c->state);
    *c = (struct rci_conv_chosen){NULL, NULL, 0};
}
