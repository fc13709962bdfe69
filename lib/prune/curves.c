/* All widths of all groups at once: what each width loses and what it saves, of each target in
 * turn, and a method that picks one width per group. Savings are those of a group cut alone; where
 * they do not add up (a layer between two groups) the need is raised until the target is met. */
#include "prune/walk.h"

#include <string.h>

struct curves {
    struct rci_walk *w;
    struct rci_allocation_curve *curve; /* [n] */
    uint32_t **width;                   /* [n][curve n] */
    uint32_t *group;                    /* [n] */
    uint32_t n;
};

/* --- curves --- */

static uint32_t count_widths(const struct rci_allocation_group *g)
{
    struct rci_allocation_group walk = *g;
    uint32_t n = 1;
    for (uint32_t next; (next = rci_walk_next(&walk)) != walk.kept; n++)
        walk.kept = next;
    return n;
}

static double count_saved(const struct rci_walk *w, enum rci_target t, uint32_t i, double before,
                          uint32_t width)
{
    if (t == RC_TARGET_COST)
        return w->o->cost[i][w->g[i].kept] - w->o->cost[i][width];
    if (t == RC_TARGET_RATIO)
        return (double) (w->g[i].kept - width);
    return before - rci_walk_now(w, t);
}

static rc_status fill_curve(struct curves *c, enum rci_target t, uint32_t i)
{
    struct rci_walk *w = c->w;
    struct rci_allocation_group walk = w->g[i];
    const uint32_t n = count_widths(&walk);
    struct rci_allocation_curve *to = &c->curve[c->n];
    const double before = rci_walk_now(w, t), lost = rci_walk_loss(w, i, walk.kept);
    c->group[c->n] = i;
    c->width[c->n] = rci_alloc_array(w->b->c->links->ctx, n, sizeof(**c->width));
    to->error = rci_alloc_array(w->b->c->links->ctx, n, sizeof(double));
    to->saved = rci_alloc_array(w->b->c->links->ctx, n, sizeof(double));
    if (!c->width[c->n++] || !to->error || !to->saved)
        return RC_ERR_MEMORY;
    to->n = n;
    to->pick = 0;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t width = walk.kept;
        const uint32_t units = rci_walk_units(w, i, width);
        rci_budget_change(w->b, w->unit, units, -1);
        c->width[c->n - 1][k] = width;
        to->error[k] = rci_walk_loss(w, i, width) - lost;
        to->saved[k] = count_saved(w, t, i, before, width);
        rci_budget_change(w->b, w->unit, units, 1);
        walk.kept = rci_walk_next(&walk);
    }
    return RC_OK;
}

static void close_curves(struct curves *c)
{
    for (uint32_t k = 0; k < c->n; k++) {
        rci_release(c->width[k]);
        rci_release(c->curve[k].error);
        rci_release(c->curve[k].saved);
    }
    rci_release(c->curve);
    rci_release(c->width);
    rci_release(c->group);
    *c = (struct curves){0};
}

static rc_status open_curves(struct curves *c, struct rci_walk *w, enum rci_target t,
                             uint32_t scope)
{
    struct rc_context *ctx = w->b->c->links->ctx;
    *c = (struct curves){.w = w};
    c->curve = rci_alloc_array(ctx, w->n, sizeof(*c->curve));
    c->width = rci_alloc_array(ctx, w->n, sizeof(*c->width));
    c->group = rci_alloc_array(ctx, w->n, sizeof(*c->group));
    if (!c->curve || !c->width || !c->group)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < w->n; i++)
        if (w->g[i].allowed && (scope == RC_NONE || w->o->scopes->of[i] == scope))
            RC_TRY(fill_curve(c, t, i));
    return RC_OK;
}

/* --- one target --- */

/* What would be saved of the target by all picks together; the budget stays as it was. */
static double try_picks(const struct curves *c, enum rci_target t, double before)
{
    const struct rci_walk *w = c->w;
    double sum = 0;
    if (t == RC_TARGET_COST || t == RC_TARGET_RATIO) { /* these add up */
        for (uint32_t k = 0; k < c->n; k++)
            sum += c->curve[k].saved[c->curve[k].pick];
        return sum;
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        if (sign > 0)
            sum = before - rci_walk_now(w, t);
        for (uint32_t k = 0; k < c->n; k++) {
            const uint32_t n = rci_walk_units(w, c->group[k], c->width[k][c->curve[k].pick]);
            rci_budget_change(w->b, w->unit, n, sign);
        }
    }
    return sum;
}

static double all_saved(const struct curves *c)
{
    double sum = 0;
    for (uint32_t k = 0; k < c->n; k++) {
        double most = 0;
        for (uint32_t j = 0; j < c->curve[k].n; j++)
            most = c->curve[k].saved[j] > most ? c->curve[k].saved[j] : most;
        sum += most;
    }
    return sum;
}

static rc_status pick(struct curves *c, enum rci_target t, double before, double asked,
                      double *saved)
{
    struct rci_walk *w = c->w;
    RC_TRY(rci_check_cancel(w->b->c->links->ctx));
    for (uint32_t k = 0; k < c->n; k++)
        c->curve[k].pick = 0;
    RC_TRY(w->o->method->choose(w->o->params, w->b->c->links->ctx, c->curve, c->n, asked));
    *saved = try_picks(c, t, before);
    return RC_OK;
}

/* needed: to be saved of the target. Picks are the mildest that save that much. */
static rc_status pick_enough(struct curves *c, enum rci_target t, double needed)
{
    enum { HALVINGS = 12 };
    const double before = rci_walk_now(c->w, t), all = all_saved(c);
    double saved, low = needed, high;
    RC_TRY(pick(c, t, before, needed, &saved));
    if (saved >= needed || all <= needed)
        return RC_OK;
    high = all;
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = (low + high) / 2;
        RC_TRY(pick(c, t, before, middle, &saved));
        if (saved >= needed)
            high = middle;
        else
            low = middle;
    }
    return pick(c, t, before, high, &saved);
}

static rc_status choose_target(struct rci_walk *w, enum rci_target t, uint32_t scope, double needed)
{
    struct curves c;
    rc_status st = open_curves(&c, w, t, scope);
    if (st == RC_OK)
        st = pick_enough(&c, t, needed);
    for (uint32_t k = 0; st == RC_OK && k < c.n; k++)
        rci_walk_take(w, c.group[k], c.width[k][c.curve[k].pick]);
    close_curves(&c);
    return st;
}

static rc_status check_scopes(const struct rci_walk *w)
{
    uint32_t first = RC_NONE;
    for (uint32_t i = 0; i < w->n; i++) {
        const uint32_t scope = w->o->scopes->of[i];
        if (!w->g[i].allowed)
            continue;
        if (first != RC_NONE && scope != first)
            return rci_fail(RC_ERR_ARG,
                            "allocation %s lets all groups compete, it needs scope \"global\"",
                            w->o->method->m.name);
        first = scope;
    }
    return RC_OK;
}

rc_status rci_walk_choose(struct rci_walk *w, uint32_t scope)
{
    if (w->o->most)
        return rci_fail(RC_ERR_ARG, "allocation %s chooses all widths at once, not in small steps",
                        w->o->method->m.name);
    if (scope != RC_NONE) {
        const double goal = w->o->scopes->keep[scope] * w->scope_units[scope];
        const double needed = w->scope_kept[scope] - goal;
        return needed > 0 ? choose_target(w, RC_TARGET_RATIO, scope, needed - 1e-9) : RC_OK;
    }
    RC_TRY(check_scopes(w));
    for (uint32_t i = 0; i < RC_TARGETS; i++) {
        const enum rci_target t = (enum rci_target) i;
        const double goal = rci_walk_goal(w, t), now = rci_walk_now(w, t);
        if (goal > 0 && now > goal)
            RC_TRY(choose_target(w, t, RC_NONE, now - goal));
    }
    return RC_OK;
}
