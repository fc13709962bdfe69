/* oneDNN's integer kernel, a direct one of ours or Winograd's, or f32, by measurement. */
#include "op/quant/qconv_choose.h"
#include "kernel/choice/choice.h"
#include "kernel/choice/trial.h"
#include "kernel/onednn/onednn.h"

#include <stdio.h>
#include <string.h>

enum { OTHER, DIRECT, WINOGRAD, REAL_ONEDNN, REAL_OWN, CANDIDATES };
static const char *const words[CANDIDATES] = {"onednn", "direct", "winograd", "f32-onednn",
                                              "f32-own"};
_Static_assert((int) CANDIDATES <= (int) RC_TRIAL_MOST, "a trial takes them all");

static enum rci_qkernel_kind kind_of(uint32_t k)
{
    return k == DIRECT ? RC_QKERNEL_DIRECT : RC_QKERNEL_WINOGRAD;
}

static bool is_real(uint32_t k)
{
    return k == REAL_ONEDNN || k == REAL_OWN;
}

static rc_status create(struct rci_qconv_own *out, struct rci_engine *e, uint32_t k,
                        const struct rci_qkernel_spec *s)
{
    if (is_real(k))
        return rci_qconv_real_create(&out->real, e,
                                     k == REAL_OWN ? RC_QCONV_REAL_OWN : RC_QCONV_REAL_ONEDNN, s);
    return rci_qkernel_create(&out->integer, rci_engine_context(e), kind_of(k), s);
}

void rci_qconv_own_destroy(struct rci_qconv_own *o)
{
    rci_qkernel_destroy(o->integer);
    rci_qconv_real_destroy(o->real);
    *o = (struct rci_qconv_own){NULL, NULL};
}

/* --- measuring --- */

struct layer {
    struct rci_int8_conv *other;
    struct rci_qconv_own own[CANDIDATES];
    void *src, *dst, *weights, *scratch; /* weights of `other` */
};

static rc_status run_one(void *user, uint32_t k)
{
    struct layer *l = user;
    if (k == OTHER)
        return rci_int8_conv_run(l->other, l->src, l->weights, l->dst, l->scratch);
    if (is_real(k)) {
        const struct rci_qconv_args a = {l->src, l->dst, l->dst, l->scratch};
        return rci_qconv_real_run(l->own[k].real, &a);
    }
    rci_qkernel_run(l->own[k].integer, l->src, l->dst, l->scratch);
    return RC_OK;
}

enum { SRC, DST, WEIGHTS, SCRATCH, EVICT, PARTS };

static void sizes(const struct layer *l, const struct rci_qkernel_spec *s, size_t bytes[PARTS])
{
    const struct rci_conv_geometry *g = s->geometry;
    bytes[SRC] = (size_t) (g->batch * g->in_channels * g->in[0] * g->in[1]);
    bytes[DST] = (size_t) (g->batch * g->out_channels * g->out[0] * g->out[1]) *
                 (s->dst == RC_F32 ? sizeof(float) : 1);
    bytes[WEIGHTS] = bytes[SCRATCH] = 0;
    bytes[EVICT] = RC_TRIAL_EVICT;
    if (l->other) {
        bytes[SRC] = rci_larger(bytes[SRC], rci_md_bytes(l->other->src_md));
        bytes[DST] = rci_larger(bytes[DST], rci_md_bytes(l->other->dst_md));
        bytes[WEIGHTS] = rci_md_bytes(l->other->weights_md);
        bytes[SCRATCH] = l->other->prim.scratch;
    }
    for (uint32_t k = OTHER + 1; k < CANDIDATES; k++) {
        if (l->own[k].integer)
            bytes[SCRATCH] = rci_larger(bytes[SCRATCH], rci_qkernel_scratch(l->own[k].integer));
        if (l->own[k].real)
            bytes[SCRATCH] = rci_larger(bytes[SCRATCH], rci_qconv_real_scratch(l->own[k].real));
    }
    for (int i = 0; i < PARTS; i++)
        bytes[i] = rci_align_line(bytes[i]);
}

/* Times do not depend on values. */
static rc_status measure(struct layer *l, struct rci_engine *e, const struct rci_qkernel_spec *s,
                         uint32_t can, uint32_t *best)
{
    size_t bytes[PARTS], all = 0;
    char *part[PARTS];
    if (l->other)
        RC_TRY(rci_prim_create(&l->other->prim));
    sizes(l, s, bytes);
    for (int i = 0; i < PARTS; i++)
        all += bytes[i];
    char *at = rci_engine_trial(e, all);
    if (!at)
        return RC_ERR_MEMORY;
    for (int i = 0; i < PARTS; at += bytes[i++])
        part[i] = at;
    l->src = part[SRC];
    l->dst = part[DST];
    l->weights = part[WEIGHTS];
    l->scratch = part[SCRATCH];
    const struct rci_trial t = {.candidates = can,
                                .teams = 1u << DIRECT | 1u << WINOGRAD | 1u << REAL_OWN,
                                .run = run_one,
                                .user = l,
                                .warm = {l->src, l->dst},
                                .warm_bytes = {bytes[SRC], bytes[DST]},
                                .evict = part[EVICT]};
    return rci_trial_fastest(&t, best);
}

/* --- choosing --- */

/* All of what the times depend on. */
static void key_of(char key[RC_CHOICE_KEY], const struct rci_qkernel_spec *s, uint32_t can)
{
    const struct rci_conv_geometry *g = s->geometry;
    const struct rci_qkernel_set *set = rci_qkernel_set_for(RC_QKERNEL_DIRECT, s);
    snprintf(key, RC_CHOICE_KEY,
             "conv%lldx%lld int8 %lldx%lldx%lldx%lld to %lldx%lldx%lld by %lld pad %lld, %d to %d "
             "sum %d, %s, %u threads, of %u",
             (long long) g->kernel[0], (long long) g->kernel[1], (long long) g->batch,
             (long long) g->in_channels, (long long) g->in[0], (long long) g->in[1],
             (long long) g->out_channels, (long long) g->out[0], (long long) g->out[1],
             (long long) g->stride[0], (long long) g->pad_begin[0], (int) s->src, (int) s->dst,
             (int) s->res, set ? set->name : "plain", s->threads, can);
}

static rc_status candidates(uint32_t *out, struct rci_engine *e, const struct rci_qkernel_spec *s,
                            const struct rci_int8_conv *other, bool mixed)
{
    uint32_t can = other ? 1u << OTHER : 0;
    bool own = false;
    for (uint32_t k = DIRECT; k <= WINOGRAD; k++)
        can |= rci_qkernel_fits(kind_of(k), s) ? 1u << k : 0;
    if (mixed)
        RC_TRY(rci_qconv_real_own_fits(&own, e, s));
    if (mixed || !can) /* oneDNN's f32 kernels can always */
        can |= 1u << REAL_ONEDNN;
    *out = can | (own ? 1u << REAL_OWN : 0);
    return RC_OK;
}

/* Number of a name among those that can; CANDIDATES: none of them. */
static uint32_t named(const char *word, uint32_t can)
{
    for (uint32_t k = 0; word && k < CANDIDATES; k++)
        if (can & 1u << k && !strcmp(word, words[k]))
            return k;
    return CANDIDATES;
}

/* Without measuring: Winograd's weights are four times as large, and transforms cost per channel,
 * so it wants many pixels and not too few or too many channels. */
static uint32_t likely(const struct rci_qkernel_spec *s, uint32_t can)
{
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t least = g->in_channels < g->out_channels ? g->in_channels : g->out_channels;
    const int64_t tiles = g->batch * ((g->out[0] + 3) / 4) * ((g->out[1] + 3) / 4);
    if (can & 1u << WINOGRAD && least >= 32 && tiles * 16 >= least)
        return WINOGRAD;
    if (can & 1u << OTHER)
        return OTHER;
    return can & 1u << DIRECT ? DIRECT : REAL_ONEDNN;
}

/* What need not be measured; CANDIDATES: must be. */
static uint32_t settled(struct rc_context *c, const char *key, const struct rci_qkernel_spec *s,
                        uint32_t can, const char *told)
{
    char word[RC_CHOICE_WORD];
    for (uint32_t k = 0; k < CANDIDATES; k++)
        if (can == 1u << k)
            return k;
    uint32_t best = named(told, can);
    if (best == CANDIDATES && rci_choice_fixed(c))
        best = likely(s, can);
    if (best == CANDIDATES && rci_choice_recall(c, key, word))
        best = named(word, can);
    return best;
}

static rc_status try_all(struct layer *l, struct rci_engine *e, const struct rci_qkernel_spec *s,
                         const char *key, uint32_t can, uint32_t *best)
{
    for (uint32_t k = OTHER + 1; k < CANDIDATES; k++)
        if (can & 1u << k)
            RC_TRY(create(&l->own[k], e, k, s));
    RC_TRY(measure(l, e, s, can, best));
    return rci_choice_remember(rci_engine_context(e), key, words[*best]);
}

rc_status rci_qconv_choose(struct rci_qconv_own *out, struct rci_engine *e,
                           const struct rci_qkernel_spec *s, struct rci_int8_conv *other,
                           const struct rci_qconv_wish *w)
{
    struct rc_context *c = rci_engine_context(e);
    struct layer l = {.other = other};
    uint32_t can;
    char key[RC_CHOICE_KEY];
    *out = (struct rci_qconv_own){NULL, NULL};
    RC_TRY(candidates(&can, e, s, other, w->mixed));
    key_of(key, s, can);
    uint32_t best = settled(c, key, s, can, w->told);
    rc_status st = RC_OK;
    if (best == CANDIDATES)
        st = try_all(&l, e, s, key, can, &best);
    else if (best != OTHER)
        st = create(&l.own[best], e, best, s);
    if (st == RC_OK && best != OTHER) {
        *out = l.own[best];
        l.own[best] = (struct rci_qconv_own){NULL, NULL};
    }
    for (uint32_t k = OTHER + 1; k < CANDIDATES; k++)
        rci_qconv_own_destroy(&l.own[k]);
    return st;
}
