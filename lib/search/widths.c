/* Groups, layers and costs of a network whose widths are being chosen. */
#include "search/widths.h"

#include <math.h>
#include <string.h>

/* A scale, a zero point and a bias of an output channel in a quantized file. */
enum { BYTES_OF_CHANNEL = 12 };

void rci_widths_free(struct rci_widths *w)
{
    if (!w)
        return;
    for (uint32_t i = 0; w->group && i < w->n_groups; i++)
        rci_release(w->group[i].loss);
    rci_release(w->group);
    rci_release(w->layer);
    rci_release(w);
}

/* Channels of a side: what its group keeps of them. */
static int64_t width_side(const struct rci_widths *w, uint32_t group, int64_t channels)
{
    if (group == RC_NONE)
        return channels;
    const struct rci_width_group *g = &w->group[group];
    const double kept = (double) channels * g->kept / g->n;
    return kept < 1 ? 1 : (int64_t) (kept + 0.5);
}

static rc_status width_cost_layer(struct rci_widths *w, struct rci_width_layer *l)
{
    const struct rci_layer_key *k = &l->l.key;
    const int64_t in = width_side(w, l->from, l->l.in), out = width_side(w, l->to, l->l.out);
    const double positions = ceil((double) k->input[0] / (double) k->stride[0]) *
                             ceil((double) k->input[1] / (double) k->stride[1]);
    const double dense = k->groups ? (double) in / (double) k->groups : 1;
    const double weights = (double) (k->kernel[0] * k->kernel[1]) * dense * (double) out;
    l->cost[RC_WIDTH_MACS] = weights * positions;
    l->cost[RC_WIDTH_BYTES] = weights * w->bits / 8 + (double) (out * BYTES_OF_CHANNEL);
    if (!w->device)
        return RC_OK;
    struct rci_layer_key key = *k;
    struct rci_device_time t;
    if (w->integers)
        key.precision = RC_PRECISION_INT8;
    RC_TRY(rci_device_time_of(w->device, &key, in, out, w->g->nodes[l->l.node].name, &t));
    l->cost[RC_WIDTH_MS] = t.ms;
    l->cost[RC_WIDTH_JOULES] = t.joules / (double) w->device->batch;
    return RC_OK;
}

/* Of the layers that have a side in `group`; RC_NONE: of all, and the sums anew. */
static rc_status width_cost(struct rci_widths *w, uint32_t group)
{
    if (group == RC_NONE)
        memset(w->cost, 0, sizeof(w->cost));
    for (uint32_t i = 0; i < w->n_layers; i++) {
        struct rci_width_layer *l = &w->layer[i];
        if (group != RC_NONE && l->from != group && l->to != group)
            continue;
        for (uint32_t k = 0; k < RC_WIDTH_COSTS && group != RC_NONE; k++)
            w->cost[k] -= l->cost[k];
        RC_TRY(width_cost_layer(w, l));
        for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++)
            w->cost[k] += l->cost[k];
    }
    return RC_OK;
}

rc_status rci_widths_set_bits(struct rci_widths *w, double bits, bool integers)
{
    w->bits = bits;
    w->integers = integers;
    return width_cost(w, RC_NONE);
}

rc_status rci_widths_reset(struct rci_widths *w, bool narrow)
{
    for (uint32_t i = 0; i < w->n_groups; i++) {
        struct rci_width_group *g = &w->group[i];
        g->kept = narrow && g->may_cut ? g->least : g->n;
    }
    return width_cost(w, RC_NONE);
}

double rci_widths_loss(const struct rci_widths *w)
{
    double sum = 0;
    for (uint32_t i = 0; i < w->n_groups; i++)
        sum += w->group[i].loss[w->group[i].kept];
    return sum;
}

/* The next narrower (or wider) width, or the same when there is none. */
static uint32_t width_next(const struct rci_width_group *g, uint32_t kept, bool narrower)
{
    if (narrower) {
        const uint32_t below = kept ? (kept - 1) / g->step * g->step : 0;
        return g->may_cut && below >= g->least ? below : kept;
    }
    const uint32_t above = (kept / g->step + 1) * g->step;
    return above < g->n ? above : g->n;
}

static rc_status width_set(struct rci_widths *w, uint32_t group, uint32_t kept)
{
    w->group[group].kept = kept;
    return width_cost(w, group);
}

static bool width_met(const struct rci_widths *w, const double budget[RC_WIDTH_COSTS])
{
    for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++)
        if (budget[k] > 0 && w->cost[k] > budget[k] * (1 + 1e-9))
            return false;
    return true;
}

/* Share of what is still to be saved that went since `before`, over all budgets that are exceeded.
 */
static double width_gain(const struct rci_widths *w, const double before[RC_WIDTH_COSTS],
                         const double budget[RC_WIDTH_COSTS])
{
    double gain = 0;
    for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++) {
        const double excess = before[k] - budget[k];
        if (budget[k] > 0 && excess > 0)
            gain += fmin(1, (before[k] - w->cost[k]) / excess);
    }
    return gain;
}

struct choice {
    uint32_t group, kept;
    double price;
};

/* The cheapest of up to LOOK steps of a group at once: losses need not be convex, times are not. */
static rc_status width_offer(struct rci_widths *w, uint32_t i, const double budget[RC_WIDTH_COSTS],
                             struct choice *best)
{
    enum { LOOK = 8 };
    struct rci_width_group *g = &w->group[i];
    const uint32_t kept = g->kept;
    double before[RC_WIDTH_COSTS];
    memcpy(before, w->cost, sizeof(before));
    for (uint32_t look = 0, next = kept; look < LOOK; look++) {
        const uint32_t lower = width_next(g, next, true);
        if (lower == next)
            break;
        next = lower;
        RC_TRY(width_set(w, i, next));
        const double gain = width_gain(w, before, budget);
        const double loss = g->weight * (g->loss[next] - g->loss[kept]);
        if (gain > 1e-12 && loss / gain < best->price)
            *best = (struct choice){i, next, loss / gain};
    }
    return width_set(w, i, kept);
}

/* Milder again where that costs nothing that counts: steps that stay within the budgets. */
static rc_status width_give_back(struct rci_widths *w, const double budget[RC_WIDTH_COSTS])
{
    for (;;) {
        struct choice best = {RC_NONE, 0, 0};
        for (uint32_t i = 0; i < w->n_groups; i++) {
            struct rci_width_group *g = &w->group[i];
            const uint32_t kept = g->kept, wider = width_next(g, kept, false);
            const double saved = g->weight * (g->loss[kept] - g->loss[wider]);
            if (wider == kept || saved <= best.price)
                continue;
            RC_TRY(width_set(w, i, wider));
            if (width_met(w, budget))
                best = (struct choice){i, wider, saved};
            RC_TRY(width_set(w, i, kept));
        }
        if (best.group == RC_NONE)
            return RC_OK;
        RC_TRY(width_set(w, best.group, best.kept));
    }
}

rc_status rci_widths_solve(struct rci_widths *w, const double budget[RC_WIDTH_COSTS], bool *met)
{
    RC_TRY(rci_widths_reset(w, false));
    while (!width_met(w, budget)) {
        struct choice best = {RC_NONE, 0, INFINITY};
        RC_TRY(rci_check_cancel(w->ctx));
        for (uint32_t i = 0; i < w->n_groups; i++)
            RC_TRY(width_offer(w, i, budget, &best));
        if (best.group == RC_NONE)
            break;
        RC_TRY(width_set(w, best.group, best.kept));
    }
    *met = width_met(w, budget);
    return *met ? width_give_back(w, budget) : rci_widths_reset(w, true);
}

/* --- making one --- */

/* Units go in the order of their scores, lowest first. */
static rc_status width_open_group(struct rci_widths *w, const struct rc_pruner *p, uint32_t i,
                                  const struct rci_width_limits *limits)
{
    struct rci_width_group *g = &w->group[i];
    const struct rci_prune_group *from = &p->coupling->group[i];
    g->n = g->kept = from->n_units;
    g->weight = 1;
    g->may_cut = rci_pruner_may_cut(p, i) && (from->producers < 2 || limits->trunks);
    g->step = limits->round_to;
    while (g->step > 1 && 2 * g->step > g->n)
        g->step /= 2;
    g->least = (uint32_t) ceil(g->n * (1 - limits->max_cut));
    g->least = (g->least + g->step - 1) / g->step * g->step;
    if (g->least < g->step)
        g->least = g->step;
    g->loss = rci_alloc_array(w->ctx, (size_t) g->n + 1, sizeof(*g->loss));
    if (!g->loss)
        return RC_ERR_MEMORY;
    for (uint32_t gone = 1; p->score[i] && gone <= g->n; gone++) {
        const double score = p->score[i][p->by_score[i][gone - 1]];
        g->loss[g->n - gone] = g->loss[g->n - gone + 1] + (score > 0 ? score : 0);
    }
    return RC_OK;
}

static uint32_t width_group_of(const struct rc_pruner *p, const struct rc_graph *g, rci_id node,
                               enum rci_member_kind kind)
{
    const char *name = g->nodes[node].name;
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const struct rci_prune_group *from = &p->coupling->group[i];
        for (uint32_t m = 0; m < from->n_members; m++)
            if (from->member[m].kind == kind &&
                !strcmp(p->graph->nodes[from->member[m].node].name, name))
                return i;
    }
    return RC_NONE;
}

static rc_status width_open(struct rci_widths *w, struct rc_pruner *p,
                            const struct rci_width_limits *limits)
{
    struct rci_layer *layer;
    w->n_groups = p->coupling->n_groups;
    w->group = rci_alloc_array(w->ctx, w->n_groups + 1, sizeof(*w->group));
    if (!w->group)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < w->n_groups; i++)
        RC_TRY(width_open_group(w, p, i, limits));
    RC_TRY(rci_layers_of(&layer, &w->n_layers, w->g));
    w->layer = rci_alloc_array(w->ctx, w->n_layers + 1, sizeof(*w->layer));
    for (uint32_t i = 0; w->layer && i < w->n_layers; i++) {
        w->layer[i].l = layer[i];
        w->layer[i].from = width_group_of(p, w->g, layer[i].node, RC_MEMBER_IN);
        w->layer[i].to = width_group_of(p, w->g, layer[i].node, RC_MEMBER_OUT);
    }
    rci_release(layer);
    return w->layer ? width_cost(w, RC_NONE) : RC_ERR_MEMORY;
}

rc_status rci_widths_new(struct rci_widths **out, struct rc_pruner *p,
                         const struct rc_device *device, const struct rci_width_limits *limits)
{
    *out = NULL;
    RC_TRY(limits->trunks ? rci_pruner_score(p) : rci_pruner_score_inner(p));
    struct rci_widths *w = RC_NEW(p->ctx, struct rci_widths);
    if (!w)
        return RC_ERR_MEMORY;
    w->ctx = p->ctx;
    w->g = p->graph;
    w->device = device;
    w->bits = 32;
    const rc_status st = width_open(w, p, limits);
    if (st != RC_OK) {
        rci_widths_free(w);
        return st;
    }
    *out = w;
    return RC_OK;
}
