/* Targets, limits and scopes of a plan, and the walk that takes the cheapest step. */
#include "prune/walk.h"

#include <math.h>
#include <string.h>

uint32_t rci_walk_next(const struct rci_allocation_group *g)
{
    if (!g->allowed || g->kept <= g->min)
        return g->kept;
    const uint32_t next = g->kept % g->step ? g->kept - g->kept % g->step : g->kept - g->step;
    return next < g->min || next > g->kept ? g->kept : next;
}

uint32_t rci_walk_units(const struct rci_walk *w, uint32_t i, uint32_t next)
{
    const struct rci_allocation_group *g = &w->g[i];
    const uint32_t gone = g->n_units - g->kept, n = g->kept - next;
    for (uint32_t k = 0; k < n; k++)
        w->unit[k] = w->b->c->group[i].unit[g->by_score[gone + k]];
    return n;
}

double rci_walk_loss(const struct rci_walk *w, uint32_t i, uint32_t kept)
{
    const struct rci_allocation_group *g = &w->g[i];
    double sum = 0;
    if (g->loss)
        return g->loss[kept];
    for (uint32_t k = 0; k < g->n_units - kept; k++)
        sum += g->score[g->by_score[k]];
    return sum;
}

/* What the first target counts; channels, if there is none. */
static enum rci_target leading_target(const struct rci_walk *w)
{
    for (uint32_t t = 0; t < RC_TARGETS; t++)
        if (rci_walk_goal(w, (enum rci_target) t) > 0)
            return (enum rci_target) t;
    return RC_TARGET_MACS;
}

/* Mean score of the units that go; with a measured loss its slope. */
static double mean_score(const struct rci_walk *w, uint32_t i, uint32_t next)
{
    const struct rci_allocation_group *g = &w->g[i];
    const uint32_t n = g->kept - next;
    double sum = 0;
    if (g->loss)
        return (g->loss[next] - g->loss[g->kept]) / n;
    for (uint32_t k = 0; k < n; k++)
        sum += g->score[g->by_score[g->n_units - g->kept + k]] / n;
    return sum;
}

static double step_saving(const struct rci_walk *w, uint32_t i, uint32_t next,
                          const struct rci_cut_step *s)
{
    switch (leading_target(w)) {
    case RC_TARGET_COST:
        return (w->o->cost[i][w->g[i].kept] - w->o->cost[i][next]) /
               rci_walk_now(w, RC_TARGET_COST);
    case RC_TARGET_PARAMETERS:
    case RC_TARGET_BYTES:
        return s->parameters;
    default: /* fewer channels: those of layers that cost most */
        return s->macs;
    }
}

static double price_of(const struct rci_walk *w, uint32_t i)
{
    const struct rci_allocation_group *g = &w->g[i];
    const uint32_t next = rci_walk_next(g);
    if (next == g->kept)
        return INFINITY;
    const uint32_t n = rci_walk_units(w, i, next);
    const uint64_t macs = w->b->macs, parameters = w->b->parameters;
    rci_budget_change(w->b, w->unit, n, -1);
    struct rci_cut_step s = {
        .score = mean_score(w, i, next),
        .units = n,
        .fraction = (double) (g->n_units - next) / g->n_units,
        .macs = (double) (macs - w->b->macs) / (double) w->macs,
        .parameters = (double) (parameters - w->b->parameters) / (double) w->parameters,
    };
    rci_budget_change(w->b, w->unit, n, 1);
    s.saved = step_saving(w, i, next, &s);
    return w->o->method->price(w->o->params, &s);
}

void rci_walk_take(struct rci_walk *w, uint32_t i, uint32_t next)
{
    const uint32_t n = rci_walk_units(w, i, next);
    rci_budget_change(w->b, w->unit, n, -1);
    w->kept -= n;
    w->taken += n;
    w->scope_kept[w->o->scopes->of[i]] -= n;
    w->g[i].kept = next;
}

static double macs_left(const struct rci_walk *w)
{
    return w->macs ? (double) w->b->macs / (double) w->macs : 0;
}

static double parameters_left(const struct rci_walk *w)
{
    return w->parameters ? (double) w->b->parameters / (double) w->parameters : 0;
}

static double units_left(const struct rci_walk *w)
{
    return w->units ? (double) w->kept / (double) w->units : 1;
}

static double cost_now(const struct rci_walk *w)
{
    double sum = 0;
    for (uint32_t i = 0; i < w->n; i++)
        sum += w->o->cost[i][w->g[i].kept];
    return sum;
}

double rci_walk_now(const struct rci_walk *w, enum rci_target t)
{
    switch (t) {
    case RC_TARGET_COST:
        return w->o->cost ? cost_now(w) : 0;
    case RC_TARGET_MACS:
        return (double) w->b->macs;
    case RC_TARGET_PARAMETERS:
        return (double) w->b->parameters;
    case RC_TARGET_BYTES:
        return (double) w->b->bytes;
    default:
        return (double) w->kept;
    }
}

double rci_walk_goal(const struct rci_walk *w, enum rci_target t)
{
    const struct rci_allocate_config *o = w->o;
    switch (t) {
    case RC_TARGET_COST:
        return o->cost ? o->cost_goal : 0;
    case RC_TARGET_MACS:
        return o->macs * (double) w->macs;
    case RC_TARGET_PARAMETERS:
        return o->parameters * (double) w->parameters;
    case RC_TARGET_BYTES:
        return (double) o->bytes;
    default:
        return o->ratio * (double) w->units;
    }
}

static bool target_met(const struct rci_walk *w)
{
    const struct rci_allocate_config *o = w->o;
    return (o->macs == 0 || macs_left(w) <= o->macs) &&
           (o->parameters == 0 || parameters_left(w) <= o->parameters) &&
           (o->bytes == 0 || w->b->bytes <= o->bytes) &&
           (o->ratio == 0 || units_left(w) <= o->ratio) &&
           (!o->cost || cost_now(w) <= o->cost_goal * (1 + 1e-12));
}

static double scope_left(const struct rci_walk *w, uint32_t scope)
{
    return (double) w->scope_kept[scope] / (double) w->scope_units[scope];
}

/* Does a step of group a come before one of group b? */
static bool comes_first(const struct rci_walk *w, uint32_t a, uint32_t b)
{
    const uint32_t *scope = w->o->scopes->of;
    if (isinf(w->price[a]) || isinf(w->price[b]) || scope[a] == scope[b])
        return w->price[a] < w->price[b];
    const double x = scope_left(w, scope[a]), y = scope_left(w, scope[b]);
    return x != y ? x > y : w->price[a] < w->price[b];
}

/* The next step, of the scope alone unless that is RC_NONE. */
static uint32_t cheapest(const struct rci_walk *w, uint32_t scope)
{
    uint32_t best = RC_NONE;
    for (uint32_t i = 0; i < w->n; i++)
        if ((scope == RC_NONE || w->o->scopes->of[i] == scope) &&
            (best == RC_NONE || comes_first(w, i, best)))
            best = i;
    return best;
}

/* Has the walk come as far as it may? */
static bool tired(const struct rci_walk *w)
{
    return w->o->most && w->taken >= w->o->most;
}

/* scope: until that many of its units are left as it asks for; RC_NONE: until the target is met. */
static bool enough(const struct rci_walk *w, uint32_t scope)
{
    return scope == RC_NONE ? target_met(w) : scope_left(w, scope) <= w->o->scopes->keep[scope];
}

static rc_status step_until_met(struct rci_walk *w, uint32_t scope)
{
    if (w->o->method->choose)
        return rci_walk_choose(w, scope);
    for (uint32_t i = 0; i < w->n; i++)
        w->price[i] = price_of(w, i);
    while (w->n && !enough(w, scope) && !tired(w)) {
        const uint32_t i = cheapest(w, scope);
        if (i == RC_NONE || isinf(w->price[i]))
            break;
        /* others were cut since: its saving fell, its price rose; look again who is cheapest */
        const double now = price_of(w, i);
        if (now > w->price[i]) {
            w->price[i] = now;
            continue;
        }
        rci_walk_take(w, i, rci_walk_next(&w->g[i]));
        w->price[i] = price_of(w, i);
        RC_TRY(rci_check_cancel(w->b->c->links->ctx));
    }
    return RC_OK;
}

static uint32_t width_divisor(uint32_t a, uint32_t b)
{
    return b ? width_divisor(b, a % b) : a;
}

static void limit_group(const struct rci_walk *w, uint32_t i)
{
    struct rci_allocation_group *g = &w->g[i];
    const struct rci_prune_group *p = &w->b->c->group[i];
    const struct rci_allocate_config *o = w->o;
    const uint32_t width = p->width ? p->width : 1;
    g->n_units = p->n_units;
    g->kept = p->n_units - g->gone;
    g->step = o->round_to / width_divisor(o->round_to, width);
    g->min = (uint32_t) ceil(p->n_units * (1 - o->max_cut) - 1e-9);
    const uint32_t least = (o->min_channels + width - 1) / width;
    if (g->min < least)
        g->min = least;
    if (g->min < 1)
        g->min = 1;
    g->allowed = p->fixed_by == RC_NONE && !o->protect[i];
}

static rc_status unreachable(const struct rci_walk *w)
{
    const struct rci_allocate_config *o = w->o;
    rci_fail(RC_ERR_GOAL, "target not reachable:");
    if (o->macs > 0 && macs_left(w) > o->macs)
        rci_fail_append(" at least %.4f of the multiply-adds remain, %.4f asked;", macs_left(w),
                        o->macs);
    if (o->parameters > 0 && parameters_left(w) > o->parameters)
        rci_fail_append(" at least %.4f of the parameters remain, %.4f asked;", parameters_left(w),
                        o->parameters);
    if (o->bytes && w->b->bytes > o->bytes)
        rci_fail_append(" at least %llu bytes of weights remain, %llu asked;",
                        (unsigned long long) w->b->bytes, (unsigned long long) o->bytes);
    if (o->ratio > 0 && units_left(w) > o->ratio)
        rci_fail_append(" at least %.4f of the channels remain, %.4f asked;", units_left(w),
                        o->ratio);
    if (o->cost && cost_now(w) > o->cost_goal)
        rci_fail_append(" a cost of at least %g remains, %g asked;", cost_now(w), o->cost_goal);
    rci_fail_append(" limits are max_cut %g, min_channels %u, round_to %u", o->max_cut,
                    o->min_channels, o->round_to);
    return RC_ERR_GOAL;
}

static bool in_trunk(const struct rci_walk *w, uint32_t i)
{
    return w->b->c->group[i].producers > 1;
}

static void count_group(struct rci_walk *w, uint32_t i)
{
    const uint32_t scope = w->o->scopes->of[i];
    w->units += w->g[i].n_units;
    w->kept += w->g[i].kept;
    w->scope_units[scope] += w->g[i].n_units;
    w->scope_kept[scope] += w->g[i].kept;
}

/* Scopes that say themselves how much stays are cut to that, and then are left alone. */
static rc_status cut_scopes(struct rci_walk *w)
{
    const struct rci_scopes *s = w->o->scopes;
    for (uint32_t k = 0; k < s->n; k++) {
        if (s->keep[k] == 0 || !w->scope_units[k])
            continue;
        RC_TRY(step_until_met(w, k));
        for (uint32_t i = 0; i < w->n; i++) {
            if (s->of[i] != k)
                continue;
            w->g[i].allowed = false;
            if (!enough(w, k) && !tired(w))
                return rci_fail(RC_ERR_GOAL,
                                "\"%s\": at least %.4f of the channels remain, %.4f asked; limits "
                                "are max_cut %g, min_channels %u, round_to %u",
                                w->b->c->group[i].name, scope_left(w, k), s->keep[k], w->o->max_cut,
                                w->o->min_channels, w->o->round_to);
        }
    }
    return RC_OK;
}

/* After a walk. */
static rc_status verdict(const struct rci_walk *w)
{
    return target_met(w) || tired(w) ? RC_OK : unreachable(w);
}

static rc_status cut_to_target(struct rci_walk *w)
{
    RC_TRY(step_until_met(w, RC_NONE));
    if (w->o->trunk != RC_TRUNK_AUTO || target_met(w) || tired(w))
        return verdict(w);
    for (uint32_t i = 0; i < w->n; i++) /* the rest was not enough */
        if (in_trunk(w, i) && w->o->scopes->keep[w->o->scopes->of[i]] == 0 && !w->g[i].allowed) {
            w->g[i].allowed = w->b->c->group[i].fixed_by == RC_NONE && !w->o->protect[i];
            if (w->g[i].allowed && w->o->scopes->n > 1) {
                const uint64_t units = w->units, kept = w->kept; /* those of the ratio stay */
                count_group(w, i);
                w->units = units;
                w->kept = kept;
            }
        }
    RC_TRY(step_until_met(w, RC_NONE));
    return verdict(w);
}

static rc_status allocate_run(struct rci_walk *w)
{
    for (uint32_t i = 0; i < w->n; i++) {
        limit_group(w, i);
        if (in_trunk(w, i) && w->o->trunk != RC_TRUNK_CUT &&
            w->o->scopes->keep[w->o->scopes->of[i]] == 0)
            w->g[i].allowed = false;
        if (w->g[i].allowed)
            count_group(w, i);
    }
    RC_TRY(cut_scopes(w));
    return cut_to_target(w);
}

rc_status rci_allocate(struct rci_allocation_group *g, struct rci_budget *b,
                       const struct rci_allocate_config *o, bool *met)
{
    rc_status st = RC_ERR_MEMORY;
    struct rc_context *ctx = b->c->links->ctx;
    struct rci_walk w = {.g = g,
                         .b = b,
                         .o = o,
                         .n = b->c->n_groups,
                         .macs = o->all_macs,
                         .parameters = o->all_parameters};
    uint32_t most = 0;
    for (uint32_t i = 0; i < w.n; i++)
        most = b->c->group[i].n_units > most ? b->c->group[i].n_units : most;
    w.price = rci_alloc_array(ctx, w.n, sizeof(*w.price));
    w.unit = rci_alloc_array(ctx, most, sizeof(*w.unit));
    w.scope_units = rci_alloc_array(ctx, 2 * (size_t) o->scopes->n, sizeof(*w.scope_units));
    w.scope_kept = w.scope_units ? w.scope_units + o->scopes->n : NULL;
    if (w.price && w.unit && w.scope_units)
        st = allocate_run(&w);
    *met = st == RC_OK && target_met(&w);
    rci_release(w.price);
    rci_release(w.unit);
    rci_release(w.scope_units);
    return st;
}
