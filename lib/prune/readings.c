#include "prune/readings.h"
#include "fit/frontier.h"
#include "fit/linear.h"
#include "fit/moments.h"
#include "prune/sensitivity.h"

enum { POSITIONS = 32 }; /* per image */

static uint32_t readings_find(const struct rci_readings *r, rci_id node)
{
    uint32_t i = 0;
    while (i < r->n && r->node[i] != node)
        i++;
    return i;
}

static rc_status list_readers(struct rci_readings *r, const bool *leave)
{
    const struct rc_graph *g = r->c->links->g;
    uint32_t capacity = 0;
    struct rci_linear l;
    for (uint32_t i = 0; i < r->c->n_groups; i++) {
        const struct rci_prune_group *p = &r->c->group[i];
        for (uint32_t m = 0; p->fixed_by == RC_NONE && !leave[i] && m < p->n_members; m++) {
            const rci_id node = p->member[m].node;
            if (p->member[m].kind != RC_MEMBER_IN || readings_find(r, node) < r->n ||
                !rci_linear_of(&l, g, node))
                continue;
            RC_TRY(rci_grow(g->ctx, &r->node, r->n, &capacity, sizeof(*r->node)));
            r->node[r->n++] = node;
        }
    }
    return RC_OK;
}

/* How many layers of the group could be looked at; 0 as well when one of them is too large. */
static uint32_t count_readers(const struct rci_coupling *c, const struct rci_prune_group *p)
{
    struct rci_linear l;
    uint32_t n = 0;
    for (uint32_t m = 0; m < p->n_members; m++) {
        if (p->member[m].kind != RC_MEMBER_IN || !rci_linear_of(&l, c->links->g, p->member[m].node))
            continue;
        if (l.d > RC_MOMENTS_MAX)
            return 0;
        n++;
    }
    return n;
}

bool rci_readings_cover(const struct rci_coupling *c, const bool *protect)
{
    for (uint32_t i = 0; i < c->n_groups; i++)
        if (c->group[i].fixed_by == RC_NONE && !protect[i] && !count_readers(c, &c->group[i]))
            return false;
    return true;
}

static rc_status measure_importance(struct rci_readings *r, const struct rci_observation *o,
                                    uint64_t seed)
{
    const struct rc_graph *g = r->c->links->g;
    struct rci_linear l;
    r->importance = rci_alloc_array(g->ctx, r->n, sizeof(*r->importance));
    r->score = rci_alloc_array(g->ctx, r->n, sizeof(*r->score));
    if (!r->importance || !r->score)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < r->n; i++) {
        rci_linear_of(&l, g, r->node[i]);
        r->importance[i] = rci_alloc_array(g->ctx, l.o, sizeof(double));
        r->score[i] = rci_alloc_array(g->ctx, l.channels, sizeof(double));
        if (!r->importance[i] || !r->score[i])
            return RC_ERR_MEMORY;
    }
    return r->n ? rci_sensitivity_measure(g, r->node, r->n, o->data, o->images, seed, r->importance)
                : RC_OK;
}

static rc_status readings_observe(const struct rci_linear *l, struct rci_frontier *f,
                                  struct rci_moments *m, float **rows)
{
    const size_t image = l->conv ? l->channels * (size_t) (l->g.in[0] * l->g.in[1]) : l->d;
    uint32_t position[POSITIONS], n;
    const uint32_t per = l->positions < POSITIONS ? (uint32_t) l->positions : POSITIONS;
    RC_TRY(rci_frontier_watch(f, &l->x, 1));
    *rows = rci_alloc_array(f->ctx, (size_t) f->feed.batch * per * l->d, sizeof(float));
    if (!*rows)
        return RC_ERR_MEMORY;
    do {
        const uint64_t first = f->at;
        RC_TRY(rci_frontier_next(f, &n));
        for (uint32_t b = 0; b < n; b++) {
            rci_linear_sample(l, first + b, per, position);
            rci_linear_rows(l, f->value[0] + b * image, position, per,
                            *rows + (size_t) b * per * l->d);
        }
        if (n)
            RC_TRY(rci_moments_add(m, *rows, NULL, (size_t) n * per));
    } while (n);
    rci_moments_finish(m);
    return RC_OK;
}

static rc_status score_layer(const struct rci_readings *r, const struct rci_observation *o,
                             struct rci_frontier *f, uint32_t i)
{
    struct rci_linear l;
    struct rci_moments moments = {0};
    float *rows = NULL;
    rci_linear_of(&l, r->c->links->g, r->node[i]);
    double *w = rci_alloc_array(r->c->links->ctx, l.d * l.o, sizeof(double));
    rc_status st = w ? rci_moments_new(&moments, r->c->links->ctx, l.d, 0) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = readings_observe(&l, f, &moments, &rows);
    if (st == RC_OK) {
        rci_linear_get(&l, r->c->links->g, w);
        const struct rci_readout readout = {.ctx = r->c->links->ctx,
                                            .channels = l.channels,
                                            .taps = l.taps,
                                            .outputs = l.o,
                                            .gram = moments.xx,
                                            .weight = w,
                                            .importance = r->importance[i]};
        st = o->criterion->eliminate(o->params, &readout, r->score[i]);
    }
    rci_moments_free(&moments);
    rci_release(rows);
    rci_release(w);
    return st;
}

static rc_status score_layers(struct rci_readings *r, const struct rci_observation *o)
{
    const struct rc_graph *g = r->c->links->g;
    struct rci_frontier f = {0};
    rci_id *order = NULL;
    uint32_t n;
    rc_status st = rci_graph_order(g, &order, &n);
    if (st == RC_OK)
        st = rci_frontier_open(&f, g, o->data, o->images, o->batch);
    for (uint32_t k = 0; st == RC_OK && k < n; k++) {
        const uint32_t i = readings_find(r, order[k]);
        if (i == r->n)
            continue;
        st = rci_frontier_move(&f, order, n, order[k]);
        if (st == RC_OK)
            st = score_layer(r, o, &f, i);
    }
    rci_frontier_close(&f);
    rci_release(order);
    return st;
}

rc_status rci_readings_new(struct rci_readings **out, const struct rci_coupling *c,
                           const struct rci_observation *o, const bool *leave, uint64_t seed)
{
    struct rci_readings *r = RC_NEW(c->links->ctx, struct rci_readings);
    *out = r;
    if (!r)
        return RC_ERR_MEMORY;
    r->c = c;
    rc_status st = list_readers(r, leave);
    if (st == RC_OK)
        st = measure_importance(r, o, seed);
    if (st == RC_OK)
        st = score_layers(r, o);
    if (st == RC_OK)
        return RC_OK;
    rci_readings_free(r);
    *out = NULL;
    return st;
}

void rci_readings_free(struct rci_readings *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n; i++) {
        rci_release(r->importance ? r->importance[i] : NULL);
        rci_release(r->score ? r->score[i] : NULL);
    }
    rci_release(r->importance);
    rci_release(r->score);
    rci_release(r->node);
    rci_release(r);
}

const double *rci_readings_score(const struct rci_readings *r, const struct rci_member *m)
{
    const uint32_t i = readings_find(r, m->node);
    return i < r->n && m->kind == RC_MEMBER_IN ? r->score[i] : NULL;
}
