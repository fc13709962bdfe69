/* Some positions of every image; the same of both networks. */
#include "fit/collect.h"

struct work {
    const struct rci_collect *c;
    struct rci_moments *m;
    uint32_t n;         /* positions per image */
    uint32_t *position; /* [n] */
    float *rows, *wanted;
};

/* What the layer should give at the positions of one image: [n][o]. */
static void wanted_rows(const struct work *w, const float *target, const float *other, float *to)
{
    const struct rci_linear *l = w->c->layer;
    for (uint32_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < l->o; k++) {
            const size_t from = w->c->kept ? (size_t) w->c->kept[k] : k;
            const float y = target[from * l->positions + w->position[i]];
            to[i * l->o + k] = y - (other ? other[k * l->positions + w->position[i]] : 0);
        }
}

static rc_status add_batch(const struct work *w, uint32_t n, uint64_t first)
{
    const struct rci_collect *c = w->c;
    const struct rci_linear *l = c->layer;
    const size_t read = l->conv ? l->channels * (size_t) (l->g.in[0] * l->g.in[1]) : l->d;
    const float *target = c->before->value[0], *x = c->after->value[0];
    const float *other = c->other != RC_NONE ? c->after->value[1] : NULL;
    for (uint32_t b = 0; b < n; b++) {
        rci_linear_sample(l, first + b, w->n, w->position);
        rci_linear_rows(l, x + b * read, w->position, w->n, w->rows + b * w->n * l->d);
        wanted_rows(w, target + b * c->target_channels * l->positions,
                    other ? other + b * l->o * l->positions : NULL, w->wanted + b * w->n * l->o);
    }
    return rci_moments_add(w->m, w->rows, w->wanted, (size_t) n * w->n);
}

static rc_status collect_all(struct work *w)
{
    const struct rci_collect *c = w->c;
    const struct rci_linear *l = c->layer;
    struct rc_context *ctx = c->after->ctx;
    const rci_id seen[] = {c->x, c->other};
    uint32_t n;
    RC_TRY(rci_frontier_watch(c->before, &c->target, 1));
    RC_TRY(rci_frontier_watch(c->after, seen, c->other != RC_NONE ? 2 : 1));
    const size_t rows = (size_t) c->after->feed.batch * w->n;
    w->position = rci_alloc_array(ctx, w->n, sizeof(*w->position));
    w->rows = rci_alloc_array(ctx, rows * l->d, sizeof(float));
    w->wanted = rci_alloc_array(ctx, rows * l->o, sizeof(float));
    if (!w->position || !w->rows || !w->wanted)
        return RC_ERR_MEMORY;
    RC_TRY(rci_moments_new(w->m, ctx, l->d, l->o));
    do {
        const uint64_t first = c->after->at;
        RC_TRY(rci_frontier_next(c->before, &n));
        RC_TRY(rci_frontier_next(c->after, &n));
        if (n)
            RC_TRY(add_batch(w, n, first));
    } while (n);
    rci_moments_finish(w->m);
    return RC_OK;
}

rc_status rci_collect_moments(struct rci_moments *m, const struct rci_collect *c)
{
    const uint32_t most = c->positions;
    *m = (struct rci_moments){0};
    struct work w = {.c = c, .m = m};
    w.n = c->layer->positions < most ? (uint32_t) c->layer->positions : most;
    const rc_status st = collect_all(&w);
    rci_release(w.position);
    rci_release(w.rows);
    rci_release(w.wanted);
    return st;
}
