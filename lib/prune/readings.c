#include "prune/readings.h"
#include "prune/linear.h"
#include "prune/moments.h"
#include "prune/probe.h"
#include "prune/sensitivity.h"

enum { POSITIONS = 32 }; /* per image */

static uint32_t find(const struct rc_readings *r, rc_id node)
{
    uint32_t i = 0;
    while (i < r->n && r->node[i] != node)
        i++;
    return i;
}

static rc_status list_readers(struct rc_readings *r)
{
    const struct rc_graph *g = r->c->links->g;
    uint32_t capacity = 0;
    struct rc_linear l;
    for (uint32_t i = 0; i < r->c->n_groups; i++) {
        const struct rc_prune_group *p = &r->c->group[i];
        for (uint32_t m = 0; p->fixed_by == RC_NONE && m < p->n_members; m++) {
            const rc_id node = p->member[m].node;
            if (p->member[m].kind != RC_MEMBER_IN || find(r, node) < r->n ||
                !rc_linear_of(&l, g, node))
                continue;
            RC_TRY(rc_grow(g->ctx, &r->node, r->n, &capacity, sizeof(*r->node)));
            r->node[r->n++] = node;
        }
    }
    return RC_OK;
}

static rc_status measure_importance(struct rc_readings *r, uint64_t seed)
{
    const struct rc_graph *g = r->c->links->g;
    struct rc_linear l;
    r->importance = rc_alloc_array(g->ctx, r->n, sizeof(*r->importance));
    if (!r->importance)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < r->n; i++) {
        rc_linear_of(&l, g, r->node[i]);
        r->importance[i] = rc_alloc_array(g->ctx, l.o, sizeof(double));
        if (!r->importance[i])
            return RC_ERR_MEMORY;
    }
    return r->n ? rc_sensitivity_measure(g, r->node, r->n, r->data, r->images, seed, r->importance)
                : RC_OK;
}

rc_status rc_readings_create(struct rc_readings **out, const struct rc_coupling *c, rc_dataset *d,
                             uint64_t images, uint64_t batch, uint64_t seed)
{
    struct rc_readings *r = RC_NEW(c->links->ctx, struct rc_readings);
    *out = r;
    if (!r)
        return RC_ERR_MEMORY;
    r->c = c;
    r->data = d;
    r->images = images;
    r->batch = batch;
    rc_status st = list_readers(r);
    if (st == RC_OK)
        st = measure_importance(r, seed);
    if (st == RC_OK)
        return RC_OK;
    rc_readings_destroy(r);
    *out = NULL;
    return st;
}

void rc_readings_destroy(struct rc_readings *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; r->importance && i < r->n; i++)
        rc_release(r->importance[i]);
    rc_release(r->importance);
    rc_release(r->node);
    rc_release(r);
}

static rc_status observe(const struct rc_readings *r, const struct rc_linear *l, struct rc_probe *p,
                         struct rc_moments *m, float **rows)
{
    const size_t image = l->conv ? l->channels * (size_t) (l->g.in[0] * l->g.in[1]) : l->d;
    uint32_t position[POSITIONS], n;
    const uint32_t per = l->positions < POSITIONS ? (uint32_t) l->positions : POSITIONS;
    RC_TRY(rc_probe_open(p, r->c->links->g, r->data, r->images, r->batch));
    RC_TRY(rc_probe_watch(p, r->c->links->g, &l->x, 1));
    *rows = rc_alloc_array(p->ctx, (size_t) p->batch * per * l->d, sizeof(float));
    if (!*rows)
        return RC_ERR_MEMORY;
    do {
        const uint64_t first = p->seen;
        RC_TRY(rc_probe_next(p, &n));
        for (uint32_t b = 0; b < n; b++) {
            rc_linear_sample(l, first + b, per, position);
            rc_linear_rows(l, p->view[0].value[0] + b * image, position, per,
                           *rows + (size_t) b * per * l->d);
        }
        if (n)
            RC_TRY(rc_moments_add(m, *rows, NULL, (size_t) n * per));
    } while (n);
    rc_moments_finish(m);
    return RC_OK;
}

rc_status rc_readings_score(const struct rc_readings *r, const struct rc_criterion *criterion,
                            const void *params, const struct rc_member *m, double *by_index,
                            bool *scored)
{
    struct rc_linear l;
    struct rc_probe p = {0};
    struct rc_moments moments = {0};
    float *rows = NULL;
    const uint32_t i = find(r, m->node);
    *scored = i < r->n && m->kind == RC_MEMBER_IN;
    if (!*scored)
        return RC_OK;
    rc_linear_of(&l, r->c->links->g, m->node);
    double *w = rc_alloc_array(r->c->links->ctx, l.d * l.o, sizeof(double));
    rc_status st = w ? rc_moments_create(&moments, r->c->links->ctx, l.d, 0) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = observe(r, &l, &p, &moments, &rows);
    if (st == RC_OK) {
        rc_linear_get(&l, r->c->links->g, w);
        const struct rc_readout o = {.ctx = r->c->links->ctx,
                                     .channels = l.channels,
                                     .taps = l.taps,
                                     .outputs = l.o,
                                     .gram = moments.xx,
                                     .weight = w,
                                     .importance = r->importance[i]};
        st = criterion->eliminate(params, &o, by_index);
    }
    rc_probe_close(&p);
    rc_moments_free(&moments);
    rc_release(rows);
    rc_release(w);
    return st;
}
