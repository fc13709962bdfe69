/* oneDNN's integer kernel, one of the list of kernels, or sums in f32. */
#include "op/quant/qconv_choose.h"
#include "kernel/choice/cost.h"
#include "kernel/onednn/onednn.h"

void rci_qconv_own_free(struct rci_qconv_own *o)
{
    rci_conv_chosen_free(&o->integer);
    rci_qconv_real_free(o->real);
    o->real = NULL;
}

/* --- oneDNN on integers --- */

static rc_status onednn_make(void *user, size_t *weights, size_t *scratch)
{
    struct rci_int8_conv *c = user;
    *weights = rci_md_bytes(c->weights_md);
    *scratch = c->prim.scratch;
    return rci_prim_new(&c->prim);
}

static rc_status onednn_run(void *user, const struct rci_conv_args *a)
{
    return rci_int8_conv_run(user, a->src, a->weights, a->dst, a->scratch);
}

/* --- f32 on integers --- */

/* Convolutions in f32: oneDNN's, and one of the list of kernels. */
enum { REALS = 2 };

struct real_way {
    struct rci_engine *engine;
    const struct rci_conv_spec *spec;
    enum rci_qconv_real_kind kind;
    struct rci_qconv_real *made;
};

static rc_status real_make(void *user, size_t *weights, size_t *scratch)
{
    struct real_way *w = user;
    RC_TRY(rci_qconv_real_new(&w->made, w->engine, w->kind, w->spec));
    *weights = 0;
    *scratch = rci_qconv_real_scratch(w->made);
    return RC_OK;
}

static rc_status real_run(void *user, const struct rci_conv_args *a)
{
    const struct real_way *w = user;
    const struct rci_qconv_args q = {a->src, a->dst, a->dst, a->scratch};
    return rci_qconv_real_run(w->made, &q);
}

/* --- all --- */

/* Bytes of source and destination for a trial, as the larger layout of the candidates needs
 * them. */
static void activation_sizes(struct rci_conv_question *q, const struct rci_int8_conv *onednn)
{
    const struct rci_conv_geometry *g = q->spec->geometry;
    q->src = (size_t) (g->batch * g->in_channels * g->in[0] * g->in[1]);
    q->dst = (size_t) (g->batch * g->out_channels * g->out[0] * g->out[1]) *
             (q->spec->integers->dst == RC_F32 ? sizeof(float) : 1);
    if (!onednn)
        return;
    q->src = rci_larger(q->src, rci_md_bytes(onednn->src_md));
    q->dst = rci_larger(q->dst, rci_md_bytes(onednn->dst_md));
}

static bool any_kernel(const struct rci_conv_question *q)
{
    return q->other[0].word || rci_conv_kernel_for(q->spec);
}

/* others[0]: oneDNN's on integers; then f32. */
static rc_status add_others(struct rci_conv_question *q, struct rci_int8_conv *onednn,
                            struct real_way way[REALS], bool mixed)
{
    static const char *const word[REALS] = {"f32-onednn", "f32-own"};
    bool can[REALS] = {false, false};
    if (onednn)
        q->other[0] = (struct rci_conv_other){
            .word = "onednn", .user = onednn, .make = onednn_make, .run = onednn_run};
    can[0] = mixed || !any_kernel(q); /* oneDNN's f32 kernels can always */
    if (mixed)
        RC_TRY(rci_qconv_real_own_fits(&can[1], q->engine, q->spec));
    for (int i = 0; i < REALS; i++) {
        way[i] = (struct real_way){q->engine, q->spec, i ? RC_QCONV_REAL_OWN : RC_QCONV_REAL_ONEDNN,
                                   NULL};
        q->other[1 + i] = (struct rci_conv_other){.word = can[i] ? word[i] : NULL,
                                                  .team = i == 1,
                                                  .user = &way[i],
                                                  .make = real_make,
                                                  .run = real_run};
    }
    return RC_OK;
}

rc_status rci_qconv_choose(struct rci_qconv_own *out, struct rci_engine *e,
                           const struct rci_conv_spec *s, struct rci_int8_conv *onednn,
                           const struct rci_qconv_wish *w)
{
    struct rci_conv_question q = {.engine = e, .spec = s, .told = w->told};
    struct real_way way[REALS];
    *out = (struct rci_qconv_own){{NULL, NULL, 0}, NULL};
    activation_sizes(&q, onednn);
    RC_TRY(add_others(&q, onednn, way, w->mixed));
    rc_status st = rci_conv_choose(&out->integer, &q);
    const uint32_t real = out->integer.kernel ? 0 : out->integer.other;
    if (st == RC_OK && real && !way[real - 1].made)
        st = rci_qconv_real_new(&way[real - 1].made, e, way[real - 1].kind, s);
    for (uint32_t i = 0; i < REALS; i++)
        if (st == RC_OK && real == i + 1)
            out->real = way[i].made;
        else
            rci_qconv_real_free(way[i].made);
    return st;
}
