/* Teacher logits for the batches of a training run. They are a function of the augmented images:
 * without augmentation they are kept per image, with `replays` per batch of a replayed epoch. */
#include "distill/distiller.h"
#include "distill/loss.h"
#include "exec/session.h"
#include "train/fit.h"

#include <string.h>

#define DISTILLER_MAGIC UINT64_C(0x7263646973746c6c) /* "rcdistll" */
static const uint64_t default_cache = UINT64_C(256) << 20;

enum keep { KEEP_NONE, KEEP_IMAGES, KEEP_BATCHES };

struct rc_distiller {
    uint64_t magic;
    struct rc_context *ctx;
    struct rc_graph *teacher;
    struct rci_fit fit;
    struct rc_session *session; /* from the moment of joining a trainer */
    const struct rci_distill_loss *loss;
    void *params;
    char *identity;
    uint64_t cache_bytes;
    float *answer;  /* [batch, classes] of the running batch */
    void **outputs; /* of the session: answer, then NULL */
    enum keep keep;
    float *cache;   /* rows of `classes` logits per image, or blocks of a batch of them */
    uint8_t *known; /* per row or block */
    uint64_t per_pass, computed, kept;
};

bool rci_distiller_valid(const struct rc_distiller *d)
{
    return d && d->magic == DISTILLER_MAGIC;
}

/* Options that are also parameters of the loss win over what its spec says. */
static rc_status override(struct rc_distiller *d, const char *name, double value)
{
    const struct rci_method *m = &d->loss->m;
    if (value == 0)
        return RC_OK;
    for (uint32_t i = 0; i < m->n_params; i++) {
        const struct rci_param *p = &m->params[i];
        if (strcmp(p->name, name) != 0)
            continue;
        if (!(value >= p->min && value <= p->max))
            return rci_fail(RC_ERR_ARG, "%s is %g, allowed is [%g, %g]", name, value, p->min,
                            p->max);
        memcpy((char *) d->params + p->offset, &value, sizeof(value));
        return RC_OK;
    }
    return rci_fail(RC_ERR_ARG, "%s has no parameter \"%s\"", m->name, name);
}

static rc_status distiller_build(struct rc_distiller *d, const struct rc_graph *teacher,
                                 const rc_distill_options *o)
{
    const struct rci_method *m;
    const char *spec = o->loss ? o->loss : "hinton";
    RC_TRY(rci_method_find(&m, &rci_kind_distill_loss, spec));
    RC_TRY(rci_method_params(&d->params, d->ctx, m, spec));
    d->loss = (const struct rci_distill_loss *) m;
    RC_TRY(override(d, "temperature", o->temperature));
    RC_TRY(override(d, "alpha", o->alpha));
    d->cache_bytes = o->cache_bytes == RC_ZERO ? 0
                     : o->cache_bytes          ? o->cache_bytes
                                               : default_cache;
    RC_TRY(rci_fit_check(&d->fit, teacher, NULL, 1));
    if (d->fit.softmax)
        return rci_fail(RC_ERR_MODEL, "the teacher's output comes from a Softmax; distillation "
                                      "needs logits");
    d->identity = rci_format(d->ctx, "distilled by %s, temperature %.17g, alpha %.17g", spec,
                             o->temperature, o->alpha);
    if (!d->identity)
        return RC_ERR_MEMORY;
    return rci_graph_clone(&d->teacher, teacher);
}

rc_status rci_distiller_new(struct rc_distiller **out, const struct rc_graph *teacher,
                            const rc_distill_options *o)
{
    struct rc_distiller *d = RC_NEW(teacher->ctx, struct rc_distiller);
    if (!d)
        return RC_ERR_MEMORY;
    d->magic = DISTILLER_MAGIC;
    d->ctx = teacher->ctx;
    const rc_status st = distiller_build(d, teacher, o);
    if (st != RC_OK) {
        rci_distiller_free(d);
        return st;
    }
    *out = d;
    return RC_OK;
}

void rci_distiller_free(struct rc_distiller *d)
{
    if (!d)
        return;
    rci_session_free(d->session);
    rci_graph_free(d->teacher);
    rci_release(d->params);
    rci_release(d->identity);
    rci_release(d->answer);
    rci_release(d->outputs);
    rci_release(d->cache);
    rci_release(d->known);
    d->magic = 0;
    rci_release(d);
}

/* Too big a cache is no failure: the teacher then runs every time. */
static rc_status open_cache(struct rc_distiller *d, const struct rci_train_plan *p)
{
    if (p->augmented && !p->replays)
        return RC_OK;
    const enum keep keep = p->augmented ? KEEP_BATCHES : KEEP_IMAGES;
    const uint64_t block = keep == KEEP_IMAGES ? p->classes : (uint64_t) p->batch * p->classes;
    const uint64_t blocks = keep == KEEP_IMAGES ? p->images : p->replays * p->per_epoch;
    size_t floats, bytes;
    if (!rci_mul_size(blocks, block, &floats) || !rci_mul_size(floats, sizeof(float), &bytes) ||
        bytes > d->cache_bytes)
        return RC_OK;
    d->cache = rci_alloc_array(d->ctx, floats, sizeof(*d->cache));
    d->known = rci_alloc_array(d->ctx, blocks, sizeof(*d->known));
    if (!d->cache || !d->known)
        return RC_ERR_MEMORY;
    d->keep = keep;
    d->per_pass = p->per_epoch;
    return RC_OK;
}

static rc_status check_student(const struct rc_distiller *d, const struct rci_train_plan *p)
{
    if (d->fit.classes != p->classes)
        return rci_fail(RC_ERR_SHAPE, "the teacher has %u classes, the student has %u",
                        d->fit.classes, p->classes);
    if (memcmp(d->fit.chw, p->chw, sizeof(p->chw)) != 0)
        return rci_fail(RC_ERR_SHAPE,
                        "the teacher takes images of %lldx%lldx%lld, the student of %lldx%lldx%lld",
                        (long long) d->fit.chw[0], (long long) d->fit.chw[1],
                        (long long) d->fit.chw[2], (long long) p->chw[0], (long long) p->chw[1],
                        (long long) p->chw[2]);
    return RC_OK;
}

static rc_status teacher_answers(struct rc_distiller *d, const struct rci_train_step *s)
{
    const void *const inputs[] = {s->x};
    d->computed++;
    d->outputs[0] = d->answer;
    return rci_session_run(d->session, s->n, inputs, d->outputs);
}

static rc_status answer_by_image(struct rc_distiller *d, const struct rci_train_step *s)
{
    const size_t k = d->fit.classes;
    bool all = true;
    for (uint32_t i = 0; i < s->n; i++)
        all = all && d->known[s->ids[i]];
    d->kept += all;
    if (!all)
        RC_TRY(teacher_answers(d, s));
    for (uint32_t i = 0; i < s->n; i++) {
        float *row = d->cache + s->ids[i] * k, *now = d->answer + i * k;
        memcpy(all ? now : row, all ? row : now, k * sizeof(*row));
        d->known[s->ids[i]] = 1;
    }
    return RC_OK;
}

static rc_status answer_by_batch(struct rc_distiller *d, const struct rci_train_step *s)
{
    const uint64_t block = s->pass * d->per_pass + s->index;
    const size_t n = (size_t) s->n * d->fit.classes;
    float *stored = d->cache + block * n;
    if (d->known[block]) {
        memcpy(d->answer, stored, n * sizeof(*stored));
        d->kept++;
        return RC_OK;
    }
    RC_TRY(teacher_answers(d, s));
    memcpy(stored, d->answer, n * sizeof(*stored));
    d->known[block] = 1;
    return RC_OK;
}

static rc_status distiller_logits(void *user, struct rci_train_step *s)
{
    struct rc_distiller *d = user;
    const struct rci_loss_batch b = {s->n, s->classes, s->logits, s->labels, s->grad, s->target};
    switch (d->keep) {
    case KEEP_IMAGES:
        RC_TRY(answer_by_image(d, s));
        break;
    case KEEP_BATCHES:
        RC_TRY(answer_by_batch(d, s));
        break;
    case KEEP_NONE:
        RC_TRY(teacher_answers(d, s));
        break;
    }
    s->loss = d->loss->value(d->params, &b, d->answer);
    return RC_OK;
}

rc_status rci_distiller_attach(struct rc_distiller *d, struct rc_trainer *t)
{
    struct rci_train_plan plan;
    rci_trainer_get_plan(t, &plan);
    if (d->session)
        return rci_fail(RC_ERR_STATE, "the distiller is attached to a trainer already");
    RC_TRY(check_student(d, &plan));
    const struct rci_session_config config = {.batch = plan.batch,
                                              .threads = plan.threads,
                                              .flags = plan.bf16 ? RC_SESSION_BF16 : 0,
                                              .repeatable = true};
    const struct rci_train_hook hook = {
        .user = d, .identity = d->identity, .on_logits = distiller_logits};
    d->answer = rci_alloc_array(d->ctx, (size_t) plan.batch * plan.classes, sizeof(*d->answer));
    d->outputs = rci_alloc_array(d->ctx, d->teacher->n_outputs, sizeof(*d->outputs));
    if (!d->answer || !d->outputs)
        return RC_ERR_MEMORY;
    RC_TRY(open_cache(d, &plan));
    RC_TRY(rci_session_new(&d->session, d->teacher, &config));
    return rci_trainer_add_hook(t, &hook);
}

void rci_distiller_counts(const struct rc_distiller *d, uint64_t *computed, uint64_t *kept)
{
    *computed = d->computed;
    *kept = d->kept;
}
