/* Searching by true accuracy. A policy weighs the losses of groups, by 1/16 to 16: whatever it
 * says, the widths that follow are within the budgets. Its score is top-1 on held-out training
 * images after the cut was repaired, without training. The first policy weighs nothing. */
#include "recipe/aim.h"
#include "search/searcher.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 1000, DEFAULT_EVALUATIONS = 16 };

struct search {
    struct rci_aim *a;
    const struct rci_searcher *searcher;
    void *params;
    struct rci_trials t;
    double *x;
    uint32_t *kept; /* [evaluations][n_groups] of the trials of this run */
    uint32_t first; /* trials of earlier runs */
    char *path, *ties;
};

static rc_status search_widths(struct search *s, const double *x)
{
    struct rci_widths *w = s->a->widths;
    bool met;
    for (uint32_t i = 0, k = 0; i < w->n_groups; i++)
        if (w->group[i].may_cut)
            w->group[i].weight = pow(16, 2 * x[k++] - 1);
    const rc_status st = rci_widths_solve(w, s->a->budget, &met);
    for (uint32_t i = 0; i < w->n_groups; i++)
        w->group[i].weight = 1;
    return st;
}

/* The trial of this run with the same widths, or RC_NONE. */
static uint32_t search_seen(const struct search *s, const uint32_t *kept)
{
    const size_t n = s->a->widths->n_groups;
    for (uint32_t k = 0; s->first + k < s->t.count; k++)
        if (!memcmp(s->kept + k * n, kept, n * sizeof(*kept)))
            return s->first + k;
    return RC_NONE;
}

static rc_status search_score(struct search *s, uint64_t bits, double *score)
{
    struct rci_aim_point p = {0};
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    o.images = IMAGES;
    rc_status st = rci_aim_cut(s->a, &p, bits);
    if (st == RC_OK)
        st = rc_evaluate(p.reals, s->a->run->o->calib, &o, &e);
    rci_aim_point_free(&p);
    *score = e.top1;
    return st;
}

static rc_status search_trial(struct search *s, uint64_t bits)
{
    struct rci_widths *w = s->a->widths;
    double score = 0;
    uint32_t *kept = s->kept + (size_t) (s->t.count - s->first) * w->n_groups;
    rci_trials_propose(&s->t, s->searcher, s->params, s->x);
    RC_TRY(search_widths(s, s->x));
    for (uint32_t i = 0; i < w->n_groups; i++)
        kept[i] = w->group[i].kept;
    const uint32_t seen = search_seen(s, kept);
    if (seen != RC_NONE)
        score = s->t.score[seen];
    else
        RC_TRY(search_score(s, bits, &score));
    RC_TRY(rci_trials_tell(&s->t, s->x, score));
    rci_log(s->a->run->ctx, RC_LOG_INFO, "%s, policy %u: top-1 %.2f before training%s",
            s->searcher->m.name, s->t.count, score, seen == RC_NONE ? "" : ", seen before");
    return s->path ? rci_trials_save(&s->t, s->path, s->ties) : RC_OK;
}

static rc_status search_open(struct search *s, uint64_t bits, uint64_t evaluations)
{
    struct rc_context *c = s->a->run->ctx;
    const struct rci_method *m;
    const char *spec = s->a->run->o->search;
    uint64_t sum;
    uint32_t n = 0;
    RC_TRY(rci_method_find(&m, &rci_kind_searcher, spec));
    s->searcher = (const struct rci_searcher *) m; /* each starts with its struct rci_method */
    RC_TRY(rci_method_params(&s->params, c, m, spec));
    for (uint32_t i = 0; i < s->a->widths->n_groups; i++)
        n += s->a->widths->group[i].may_cut;
    RC_TRY(rci_trials_open(&s->t, c, n, c->o.seed));
    s->x = rci_alloc_array(c, n, sizeof(*s->x));
    s->kept = rci_alloc_array(c, (size_t) evaluations * s->a->widths->n_groups, sizeof(*s->kept));
    if (!s->x || !s->kept)
        return RC_ERR_MEMORY;
    if (!s->a->run->o->folder)
        return RC_OK;
    RC_TRY(rci_run_checksum(s->a->run->original, &sum));
    s->ties = rci_format(c, "%s of %08llx at %llu bits", spec, (unsigned long long) sum,
                         (unsigned long long) bits);
    s->path = rci_format(c, "%s/search-%llu.json", s->a->run->o->folder, (unsigned long long) bits);
    if (!s->ties || !s->path)
        return RC_ERR_MEMORY;
    return s->a->run->o->resume ? rci_trials_load(&s->t, s->path, s->ties) : RC_OK;
}

rc_status rci_aim_search(struct rci_aim *a, uint64_t bits)
{
    struct search s = {.a = a};
    if (!a->run->o->search)
        return RC_OK;
    const uint64_t asked = a->run->o->evaluations;
    const uint64_t evaluations = asked ? asked : DEFAULT_EVALUATIONS;
    const double until = 0.6 * rci_aim_seconds_left(a); /* the rest is for training */
    rc_status st = search_open(&s, bits, evaluations);
    s.first = s.t.count;
    while (st == RC_OK && s.t.count < evaluations && rci_aim_seconds_left(a) > until) {
        rci_run_show(a->run, "searching", (double) s.t.count / (double) evaluations);
        st = rci_check_cancel(a->run->ctx);
        if (st == RC_OK)
            st = search_trial(&s, bits);
    }
    const uint32_t best = rci_trials_best(&s.t);
    if (st == RC_OK && best != RC_NONE)
        st = search_widths(&s, rci_trials_at(&s.t, best));
    rci_trials_close(&s.t);
    rci_release(s.params);
    rci_release(s.x);
    rci_release(s.kept);
    rci_release(s.path);
    rci_release(s.ties);
    return st;
}
