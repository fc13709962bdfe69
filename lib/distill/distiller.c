/* Teacher logits for the batches of a training run. They are a function of the augmented images:
 * without augmentation they are kept per image, with `replays` per batch of a replayed epoch. */
#include "distill/distiller.h"
#include "distill/features.h"
#include "exec/session.h"
#include "train/fit.h"

#include <string.h>

#define DISTILLER_MAGIC UINT64_C(0x7263646973746c6c) /* "rcdistll" */
static const uint64_t default_cache = UINT64_C(256) << 20;

enum { HINTS_MOST = 64 };
enum keep { KEEP_NONE, KEEP_IMAGES, KEEP_BATCHES };

struct rc_distiller {
    uint64_t magic;
    struct rc_context *ctx;
    struct rc_graph *teacher;
    struct rci_fit fit;
    struct rc_session *session; /* from the moment of joining a trainer */
    struct rci_distill_sum sum;
    struct rci_features *features; /* or NULL */
    const struct rc_trainer *trainer;
    char *hints; /* or NULL */
    char *identity;
    uint64_t cache_bytes;
    float *answer; /* [batch, classes] of the running batch, then the features, each [batch, ...] */
    size_t width;  /* floats per image in all of these */
    void **outputs; /* of the session */
    float *part;    /* [batch, classes] gradient of one loss */
    double *room;   /* of the losses on logits */
    enum keep keep;
    float *cache;   /* rows of `classes` logits per image, or blocks of a batch of them */
    uint8_t *known; /* per row or block */
    uint64_t per_pass, computed, kept;
};

bool rci_distiller_valid(const struct rc_distiller *d)
{
    return d && d->magic == DISTILLER_MAGIC;
}

/* "a=b,c=d" */
static rc_status join_hints(struct rc_distiller *d, const rc_distill_options *o)
{
    if (o->hint_count > HINTS_MOST || (o->hint_count && !o->hints))
        return rci_fail(RC_ERR_ARG, "hint_count is %llu, allowed is 0..%d, with hints",
                        (unsigned long long) o->hint_count, HINTS_MOST);
    for (uint64_t i = 0; i < o->hint_count; i++) {
        if (!o->hints[i] || strchr(o->hints[i], ','))
            return rci_fail(RC_ERR_ARG, "hint %llu is %s", (unsigned long long) i,
                            o->hints[i] ? "one with a comma" : "NULL");
        char *all = rci_format(d->ctx, "%s%s%s", d->hints ? d->hints : "", d->hints ? "," : "",
                               o->hints[i]);
        if (!all)
            return RC_ERR_MEMORY;
        rci_release(d->hints);
        d->hints = all;
    }
    return RC_OK;
}

static rc_status distiller_build(struct rc_distiller *d, const struct rc_graph *teacher,
                                 const rc_distill_options *o)
{
    const char *spec = o->loss ? o->loss : "hinton";
    RC_TRY(rci_distill_sum_make(&d->sum, d->ctx, spec));
    /* options that are also parameters of a loss win over what its text says */
    RC_TRY(rci_distill_sum_set(&d->sum, "temperature", o->temperature));
    RC_TRY(rci_distill_sum_set(&d->sum, "alpha", o->alpha));
    RC_TRY(join_hints(d, o));
    d->cache_bytes = o->cache_bytes == RC_ZERO ? 0
                     : o->cache_bytes          ? o->cache_bytes
                                               : default_cache;
    RC_TRY(rci_fit_check(&d->fit, teacher, NULL, 1));
    if (d->fit.softmax)
        return rci_fail(RC_ERR_MODEL, "the teacher's output comes from a Softmax; distillation "
                                      "needs logits");
    d->identity =
        rci_format(d->ctx, "distilled by %s, temperature %.17g, alpha %.17g%s%s", spec,
                   o->temperature, o->alpha, d->hints ? ", hints " : "", d->hints ? d->hints : "");
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
    rci_features_free(d->features);
    rci_method_uses_free(d->sum.use, d->sum.n);
    rci_release(d->hints);
    rci_release(d->part);
    rci_release(d->room);
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
    /* features of a batch lie value by value, so that they are kept by batch only */
    const enum keep keep = p->augmented ? KEEP_BATCHES : KEEP_IMAGES;
    if (keep == KEEP_IMAGES && d->features)
        return RC_OK;
    const uint64_t block = d->width * (keep == KEEP_IMAGES ? 1 : (uint64_t) p->batch);
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
    uint32_t n = 0;
    const size_t logits = (size_t) s->n * s->classes;
    d->computed++;
    d->outputs[0] = d->answer;
    if (d->features)
        rci_features_teacher(d->features, &n);
    for (uint32_t i = 0; i < n; i++)
        d->outputs[d->teacher->n_outputs + i] =
            d->answer + logits + rci_features_offset(d->features, i, s->n);
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
    const size_t n = s->n * d->width;
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
    s->loss = rci_distill_sum_logits(&d->sum, &b, d->answer, (double) s->step / (double) s->steps,
                                     d->part, d->room);
    if (!d->features)
        return RC_OK;
    return rci_features_add(d->features, d->trainer, s, d->answer + (size_t) s->n * s->classes);
}

static rc_status open_arrays(struct rc_distiller *d, const struct rci_train_plan *plan)
{
    const size_t batch = (size_t) plan->batch, count = batch * plan->classes;
    uint32_t n = 0;
    if (d->features)
        rci_features_teacher(d->features, &n);
    d->width = plan->classes + (d->features ? rci_features_width(d->features) : 0);
    d->answer = rci_alloc_array(d->ctx, batch * d->width, sizeof(*d->answer));
    d->outputs = rci_alloc_array(d->ctx, d->teacher->n_outputs + n, sizeof(*d->outputs));
    d->part = rci_alloc_array(d->ctx, count, sizeof(*d->part));
    d->room =
        rci_alloc_array(d->ctx, rci_distill_sum_room(&d->sum, (uint32_t) batch, plan->classes) + 1,
                        sizeof(*d->room));
    return d->answer && d->outputs && d->part && d->room ? RC_OK : RC_ERR_MEMORY;
}

static rc_status open_teacher(struct rc_distiller *d, const struct rci_train_plan *plan)
{
    struct rci_session_config config = {.batch = plan->batch,
                                        .threads = plan->threads,
                                        .flags = plan->bf16 ? RC_SESSION_BF16 : 0,
                                        .repeatable = true};
    if (d->features)
        config.observe = rci_features_teacher(d->features, &config.n_observe);
    return rci_session_new(&d->session, d->teacher, &config);
}

rc_status rci_distiller_attach(struct rc_distiller *d, struct rc_trainer *t)
{
    struct rci_train_plan plan;
    rci_trainer_get_plan(t, &plan);
    if (d->session)
        return rci_fail(RC_ERR_STATE, "the distiller is attached to a trainer already");
    RC_TRY(check_student(d, &plan));
    const struct rci_features_config config = {.sum = &d->sum,
                                               .student = plan.graph,
                                               .teacher = d->teacher,
                                               .hints = d->hints,
                                               .batch = (uint32_t) plan.batch,
                                               .ranks = plan.ranks};
    struct rci_train_hook hook = {
        .user = d, .identity = d->identity, .on_logits = distiller_logits};
    RC_TRY(rci_features_new(&d->features, &config));
    RC_TRY(open_arrays(d, &plan));
    RC_TRY(open_cache(d, &plan));
    RC_TRY(open_teacher(d, &plan));
    d->trainer = t;
    if (d->features) {
        uint32_t n;
        const rci_id *taps = rci_features_student(d->features, &n);
        RC_TRY(rci_trainer_add_taps(t, taps, n));
        hook.memory = rci_features_memory(d->features, &hook.n_memory);
    }
    return rci_trainer_add_hook(t, &hook);
}

void rci_distiller_counts(const struct rc_distiller *d, uint64_t *computed, uint64_t *kept)
{
    *computed = d->computed;
    *kept = d->kept;
}
