/* d loss/d w += factor[unit of w] w, for every weight of every group, at every step. */
#include "prune/sparsifier.h"
#include "prune/criterion.h"
#include "prune/scope.h"
#include "prune/score.h"

#include <math.h>
#include <string.h>

#define MAGIC UINT64_C(0x7370617273696679)

bool rci_sparsifier_valid(const struct rc_sparsifier *s)
{
    return s && s->magic == MAGIC;
}

void rci_regular_mark(const struct rci_regular_group *g, double ratio)
{
    uint32_t n = (uint32_t) (ratio * g->n + 1e-9);
    n = n < g->n ? n : g->n - 1;
    for (uint32_t k = 0; k < g->n; k++)
        if (g->memory[k] != 0)
            return;
    for (uint32_t k = 0; k < g->n; k++) {
        uint32_t weaker = 0;
        for (uint32_t j = 0; j < g->n; j++)
            weaker +=
                g->magnitude[j] < g->magnitude[k] || (g->magnitude[j] == g->magnitude[k] && j > k);
        g->memory[k] = weaker < n ? RC_UNIT_GOES : RC_UNIT_STAYS;
    }
}

/* --- sums over a unit's weights --- */

static void clear_sums(struct rc_sparsifier *s, uint32_t n)
{
    memset(s->square, 0, n * sizeof(double));
    memset(s->magnitude, 0, n * sizeof(double));
}

static size_t add_sums(struct rc_sparsifier *s, const struct rci_sparse_member *m, const float *w)
{
    const bool square = s->method->acts_on & m->kind, magnitude = m->kind == RC_SLICE_OUT;
    for (size_t o = 0; o < m->outer; o++)
        for (uint32_t c = 0; c < m->channels; c++, w += m->inner) {
            const uint32_t u = m->unit[c];
            double sum = 0, sum2 = 0;
            for (size_t i = 0; i < m->inner; i++) {
                sum += fabs((double) w[i]);
                sum2 += (double) w[i] * (double) w[i];
            }
            if (u == RC_NONE)
                continue;
            s->square[u] += square ? sum2 : 0;
            s->magnitude[u] += magnitude ? sum : 0;
        }
    return square ? m->outer * m->inner : 0;
}

/* --- what is done with the answer --- */

/* to += factor[unit] w, or to *= factor[unit] (w NULL) */
static void scale_units(const struct rci_sparse_member *m, const double *factor, float *to,
                        const float *w)
{
    for (size_t o = 0; o < m->outer; o++)
        for (uint32_t c = 0; c < m->channels; c++, to += m->inner) {
            const float f = m->unit[c] == RC_NONE ? (w ? 0 : 1) : (float) factor[m->unit[c]];
            for (size_t i = 0; i < m->inner; i++)
                to[i] = w ? to[i] + f * w[i] : f * to[i];
            w = w ? w + m->inner : NULL;
        }
}

/* d/dw of sum over a that go, b that stay of against[a] (w_a . w_b)^2; filters are rows. */
static void turn_away(const struct rci_sparse_member *m, const double *against, const float *w,
                      float *grad)
{
    if (m->kind != RC_SLICE_OUT || m->outer != 1)
        return;
    for (uint32_t a = 0; a < m->channels; a++)
        for (uint32_t b = 0; b < m->channels; b++) {
            if (m->unit[a] == RC_NONE || m->unit[b] == RC_NONE || against[m->unit[a]] == 0 ||
                against[m->unit[b]] != 0)
                continue;
            const float *x = w + a * m->inner, *y = w + b * m->inner;
            double dot = 0;
            for (size_t i = 0; i < m->inner; i++)
                dot += (double) x[i] * (double) y[i];
            const float f = (float) (2 * against[m->unit[a]] * dot);
            for (size_t i = 0; i < m->inner; i++) {
                grad[a * m->inner + i] += f * y[i];
                grad[b * m->inner + i] += f * x[i];
            }
        }
}

static void act_on_member(struct rc_sparsifier *s, struct rci_tape *tape,
                          const struct rci_sparse_member *m, bool shrink)
{
    float *w = rci_tape_param_data(tape, m->param), *grad = rci_tape_param_grad(tape, m->param);
    if (!(s->method->acts_on & m->kind))
        return;
    if (shrink) {
        scale_units(m, s->factor, w, NULL);
        return;
    }
    if (!grad) /* the loss does not depend on it */
        return;
    scale_units(m, s->factor, grad, w);
    turn_away(m, s->against, w, grad);
}

/* --- one group --- */

/* Members [from, to) together. */
static void act_on(struct rc_sparsifier *s, const struct rci_sparse_group *p, uint32_t from,
                   uint32_t to, const struct rci_train_step *now, bool shrink)
{
    const uint32_t n = p->n_units;
    size_t weights = 0;
    clear_sums(s, n);
    for (uint32_t m = from; m < to; m++)
        weights += add_sums(s, &p->member[m], rci_tape_param_data(now->tape, p->member[m].param));
    if (!weights)
        return;
    for (uint32_t k = 0; k < n; k++) {
        s->factor[k] = shrink ? 1 : 0;
        s->against[k] = 0;
    }
    const struct rci_regular_group g = {.n = n,
                                        .step = now->step,
                                        .steps = now->steps,
                                        .weights = weights,
                                        .square = s->square,
                                        .magnitude = s->magnitude,
                                        .memory = s->memory + p->first,
                                        .factor = s->factor,
                                        .against = s->against};
    if (shrink)
        s->method->shrink(s->params, &g);
    else
        s->method->pull(s->params, &g);
    for (uint32_t m = from; m < to; m++)
        act_on_member(s, now->tape, &p->member[m], shrink);
}

static void act_on_groups(struct rc_sparsifier *s, const struct rci_train_step *now, bool shrink)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const struct rci_sparse_group *p = &s->group[i];
        for (uint32_t m = 0; s->method->by_member && m < p->n_members; m++)
            act_on(s, p, m, m + 1, now, shrink);
        if (!s->method->by_member)
            act_on(s, p, 0, p->n_members, now, shrink);
    }
}

static rc_status on_gradients(void *user, struct rci_train_step *now)
{
    act_on_groups(user, now, false);
    return RC_OK;
}

static rc_status on_epoch(void *user, struct rci_train_step *now)
{
    act_on_groups(user, now, true);
    return RC_OK;
}

/* --- groups of the trained graph --- */

static rc_status fill_member(const struct rc_sparsifier *s, struct rci_sparse_member *to,
                             const struct rci_coupling *c, const struct rci_prune_group *p,
                             const struct rci_member *m)
{
    const struct rci_links *l = c->links;
    const struct rci_shape *shape = &l->shape[m->value];
    const uint32_t row = m->value * RC_MAX_DIMS + m->axis;
    to->kind = rci_slice_kind_of(m->kind);
    to->outer = to->inner = 1;
    for (uint32_t a = 0; a < shape->rank; a++)
        if (a < m->axis)
            to->outer *= (size_t) shape->dim[a];
        else if (a > m->axis)
            to->inner *= (size_t) shape->dim[a];
    to->channels = (uint32_t) shape->dim[m->axis];
    to->unit = rci_alloc_array(s->ctx, to->channels, sizeof(*to->unit));
    if (!to->unit)
        return RC_ERR_MEMORY;
    for (uint32_t k = 0; k < to->channels; k++)
        to->unit[k] = RC_NONE;
    for (uint32_t u = 0; u < p->n_units; u++) {
        uint32_t n;
        const uint32_t *id = rci_unit_ids(c, p->unit[u], &n);
        for (uint32_t i = 0; i < n; i++)
            if (l->row_of[id[i]] == row)
                to->unit[id[i] - l->base[row]] = u;
    }
    return RC_OK;
}

static rc_status fill_group(struct rc_sparsifier *s, struct rci_sparse_group *to,
                            const struct rci_coupling *c, const struct rci_prune_group *p,
                            const uint32_t *param)
{
    to->n_units = p->n_units;
    to->first = s->n_units;
    s->n_units += p->n_units;
    to->member = rci_alloc_array(s->ctx, p->n_members, sizeof(*to->member));
    if (!to->member)
        return RC_ERR_MEMORY;
    for (uint32_t m = 0; m < p->n_members; m++) {
        if (!rci_slice_kind_of(p->member[m].kind) || param[p->member[m].value] == RC_NONE)
            continue;
        struct rci_sparse_member *member = &to->member[to->n_members++];
        member->param = param[p->member[m].value];
        RC_TRY(fill_member(s, member, c, p, &p->member[m]));
    }
    return RC_OK;
}

static rc_status check_keep(const struct rc_graph *g, const rc_sparsify_options *o)
{
    for (uint64_t i = 0; i < o->keep_count; i++) {
        if (!o->keep[i])
            return rci_fail(RC_ERR_ARG, "an entry of keep is NULL");
        if (!rci_pattern_used(g, o->keep[i]))
            return rci_fail(RC_ERR_ARG, "keep: \"%s\" matches no node or weight", o->keep[i]);
    }
    return RC_OK;
}

static bool group_is_wanted(const struct rci_coupling *c, uint32_t i, const rc_sparsify_options *o)
{
    bool wanted = c->group[i].fixed_by == RC_NONE &&
                  (c->group[i].producers <= 1 || o->trunk == RC_PRUNE_TRUNK_CUT);
    for (uint64_t k = 0; k < o->keep_count; k++)
        wanted = wanted && !rci_group_matches(c, i, o->keep[k]);
    return wanted;
}

static rc_status fill_groups(struct rc_sparsifier *s, const struct rci_coupling *c,
                             const uint32_t *param, const rc_sparsify_options *o)
{
    uint32_t most = 0;
    s->group = rci_alloc_array(s->ctx, c->n_groups, sizeof(*s->group));
    if (!s->group)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < c->n_groups; i++) {
        if (!group_is_wanted(c, i, o))
            continue;
        RC_TRY(fill_group(s, &s->group[s->n_groups++], c, &c->group[i], param));
        most = c->group[i].n_units > most ? c->group[i].n_units : most;
    }
    if (!s->n_groups)
        return rci_fail(RC_ERR_ARG, "regularizer %s: no channels of the model may be cut",
                        s->method->m.name);
    s->memory = rci_alloc_array(s->ctx, s->n_units, sizeof(*s->memory));
    s->square = rci_alloc_array(s->ctx, most, sizeof(double));
    s->magnitude = rci_alloc_array(s->ctx, most, sizeof(double));
    s->factor = rci_alloc_array(s->ctx, most, sizeof(double));
    s->against = rci_alloc_array(s->ctx, most, sizeof(double));
    return s->memory && s->square && s->magnitude && s->factor && s->against ? RC_OK
                                                                             : RC_ERR_MEMORY;
}

/* param: [n_values] number on the tape, or RC_NONE. */
static rc_status list_params(const struct rci_train_plan *plan, uint32_t **param)
{
    const struct rc_graph *g = plan->graph;
    const struct rci_tape *tape = plan->tape;
    *param = rci_alloc_array(g->ctx, g->n_values, sizeof(**param));
    if (!*param)
        return RC_ERR_MEMORY;
    for (uint32_t v = 0; v < g->n_values; v++)
        (*param)[v] = RC_NONE;
    for (uint32_t i = 0; i < rci_tape_n_params(tape); i++)
        (*param)[rci_tape_param(tape, i)] = i;
    return RC_OK;
}

static rc_status sparsifier_hook(struct rc_sparsifier *s, struct rc_trainer *t, const char *spec)
{
    const struct rci_train_memory memory = {s->memory, s->n_units};
    char *identity = rci_format(s->ctx, "regularizer %s over %zu channels", spec, s->n_units);
    if (!identity)
        return RC_ERR_MEMORY;
    const struct rci_train_hook h = {.user = s,
                                     .identity = identity,
                                     .on_gradients = s->method->pull ? on_gradients : NULL,
                                     .on_epoch = s->method->shrink ? on_epoch : NULL,
                                     .memory = &memory,
                                     .n_memory = 1};
    const rc_status st = rci_trainer_add_hook(t, &h);
    rci_release(identity);
    return st;
}

static rc_status sparsifier_fill(struct rc_sparsifier *s, struct rc_trainer *t,
                                 const rc_sparsify_options *o)
{
    const char *spec = o->method ? o->method : "group-lasso";
    const struct rci_method *m;
    struct rci_coupling *c = NULL;
    uint32_t *param = NULL;
    struct rci_train_plan plan;
    rci_trainer_get_plan(t, &plan);
    RC_TRY(rci_method_find(&m, &rci_kind_regularizer, spec));
    RC_TRY(rci_method_params(&s->params, s->ctx, m, spec));
    s->method = (const struct rci_regularizer *) m;
    RC_TRY(check_keep(plan.graph, o));
    rc_status st = rci_coupling_new(&c, plan.graph);
    if (st == RC_OK)
        st = list_params(&plan, &param);
    if (st == RC_OK)
        st = fill_groups(s, c, param, o);
    if (st == RC_OK)
        st = sparsifier_hook(s, t, spec);
    rci_coupling_free(c);
    rci_release(param);
    return st;
}

rc_status rci_sparsifier_new(struct rc_sparsifier **out, struct rc_trainer *t,
                             const rc_sparsify_options *o)
{
    *out = NULL;
    struct rci_train_plan plan;
    rci_trainer_get_plan(t, &plan);
    struct rc_context *ctx = plan.graph->ctx;
    struct rc_sparsifier *s = RC_NEW(ctx, struct rc_sparsifier);
    if (!s)
        return RC_ERR_MEMORY;
    s->magic = MAGIC;
    s->ctx = ctx;
    const rc_status st = sparsifier_fill(s, t, o);
    if (st != RC_OK) {
        rci_sparsifier_free(s);
        return st;
    }
    *out = s;
    return RC_OK;
}

void rci_sparsifier_free(struct rc_sparsifier *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->group && i < s->n_groups; i++) {
        for (uint32_t m = 0; s->group[i].member && m < s->group[i].n_members; m++)
            rci_release(s->group[i].member[m].unit);
        rci_release(s->group[i].member);
    }
    rci_release(s->group);
    rci_release(s->memory);
    rci_release(s->square);
    rci_release(s->magnitude);
    rci_release(s->factor);
    rci_release(s->against);
    rci_release(s->params);
    s->magic = 0;
    rci_release(s);
}
