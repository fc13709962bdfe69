#include "base/compute.h"
#include "prune/observe.h"
#include "prune/probe.h"
#include "prune/score.h"

#include <omp.h>
#include <string.h>

/* One observed axis: values are read as [outer, length, inner]. */
struct tap {
    uint32_t row;
    size_t images_outer, length, inner; /* outer of one image */
    size_t height, width;
};

struct observer {
    const struct rci_observation *o;
    struct tap *tap;
    rci_id *value; /* of the taps */
    uint32_t n;
    struct rci_probe probe;
    double **sum;    /* [n_rows], those of the taps are set */
    double *image;   /* [batch][longest] scores of single images */
    double *scratch; /* [threads][per_thread] */
    size_t per_thread, longest;
};

/* The value in front of a node that only gives its elements another shape. */
static rci_id reshaped_from(const struct rc_graph *g, rci_id value)
{
    const rci_id node = g->values[value].producer;
    rci_id from = RC_NONE;
    if (node == RC_NONE)
        return RC_NONE;
    for (uint32_t i = 0; i < g->nodes[node].n_in; i++) {
        const rci_id v = g->nodes[node].in[i];
        if (v == RC_NONE || rci_value_is_const(&g->values[v]))
            continue;
        if (from != RC_NONE)
            return RC_NONE;
        from = v;
    }
    return from;
}

static int64_t axis_length(const struct rci_coupling *c, uint32_t row)
{
    return c->links->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
}

uint32_t rci_map_row(const struct rci_coupling *c, const struct rci_prune_group *p,
                     const struct rci_member *m)
{
    const struct rci_links *l = c->links;
    const uint32_t row = rci_activation_row(c, p, m);
    if (row == RC_NONE)
        return RC_NONE;
    const rci_id from = reshaped_from(l->g, row / RC_MAX_DIMS);
    if (from == RC_NONE ||
        rci_shape_count(&l->shape[from]) != rci_shape_count(&l->shape[row / RC_MAX_DIMS]))
        return row;
    uint32_t n;
    const uint32_t *id = rci_unit_ids(c, p->unit[0], &n);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t other = l->row_of[id[i]];
        if (other / RC_MAX_DIMS == from && axis_length(c, other) < axis_length(c, row))
            return other;
    }
    return row;
}

static void describe(const struct rci_coupling *c, struct tap *t)
{
    const struct rci_shape *s = &c->links->shape[t->row / RC_MAX_DIMS];
    const uint32_t axis = t->row % RC_MAX_DIMS;
    t->length = (size_t) s->dim[axis];
    t->images_outer = t->inner = t->height = 1;
    for (uint32_t a = 1; a < s->rank; a++) /* axis 0: images */
        if (a < axis)
            t->images_outer *= (size_t) s->dim[a];
        else if (a > axis)
            t->inner *= (size_t) s->dim[a];
    if (axis + 1 < s->rank)
        t->height = (size_t) s->dim[axis + 1];
    t->width = t->inner / t->height;
    t->height *= t->images_outer; /* of an axis that is not the first: one map of them all */
}

static rc_status list_taps(struct observer *o)
{
    const struct rci_coupling *c = o->o->c;
    struct rc_context *ctx = c->links->ctx;
    uint32_t capacity = 0;
    o->sum = rci_alloc_array(ctx, c->links->n_rows, sizeof(*o->sum));
    o->value = rci_alloc_array(ctx, c->links->n_rows, sizeof(*o->value));
    if (!o->sum || !o->value)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < c->n_groups; i++)
        for (uint32_t m = 0; c->group[i].fixed_by == RC_NONE && m < c->group[i].n_members; m++) {
            const uint32_t row = rci_map_row(c, &c->group[i], &c->group[i].member[m]);
            if (row == RC_NONE || o->sum[row] || row % RC_MAX_DIMS == 0)
                continue;
            RC_TRY(rci_grow(ctx, &o->tap, o->n, &capacity, sizeof(*o->tap)));
            o->tap[o->n] = (struct tap){.row = row};
            describe(c, &o->tap[o->n]);
            o->value[o->n++] = row / RC_MAX_DIMS;
            o->sum[row] = rci_alloc_array(ctx, (size_t) axis_length(c, row), sizeof(double));
            if (!o->sum[row])
                return RC_ERR_MEMORY;
        }
    return RC_OK;
}

static rc_status make_room(struct observer *o)
{
    const struct rci_criterion *c = o->o->criterion;
    struct rc_context *ctx = o->o->c->links->ctx;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct tap *t = &o->tap[i];
        const struct rci_map m = {
            .channels = (uint32_t) t->length, .height = t->height, .width = t->width};
        const size_t need = c->scratch ? c->scratch(&m) : 0;
        o->per_thread = need > o->per_thread ? need : o->per_thread;
        o->longest = t->length > o->longest ? t->length : o->longest;
    }
    o->image =
        rci_alloc_array(ctx, (size_t) o->probe.feed.batch * (o->longest + 1), sizeof(double));
    o->scratch =
        rci_alloc_array(ctx, (size_t) omp_get_max_threads() * (o->per_thread + 1), sizeof(double));
    return o->image && o->scratch ? RC_OK : RC_ERR_MEMORY;
}

static void maps_add_batch(struct observer *o, uint32_t tap, uint32_t n)
{
    const struct tap *t = &o->tap[tap];
    const float *x = o->probe.view[0].value[tap];
    const size_t size = t->images_outer * t->length * t->inner;
#pragma omp parallel for schedule(static)
    for (uint32_t b = 0; b < n; b++) {
        const struct rci_map m = {.data = x + b * size,
                                  .channels = (uint32_t) t->length,
                                  .height = t->height,
                                  .width = t->width,
                                  .scratch = o->scratch +
                                             (size_t) omp_get_thread_num() * (o->per_thread + 1)};
        o->o->criterion->map(o->o->params, &m, o->image + b * t->length);
    }
    for (size_t b = 0; b < n; b++)
        for (size_t c = 0; c < t->length; c++)
            o->sum[t->row][c] += o->image[b * t->length + c];
}

static rc_status observe_images(struct observer *o)
{
    uint32_t n;
    do {
        RC_TRY(rci_probe_next(&o->probe, &n));
        const struct rci_compute saved = rci_compute_enter(o->probe.ctx, 0);
        for (uint32_t t = 0; n && t < o->n; t++)
            maps_add_batch(o, t, n);
        rci_compute_leave(saved);
    } while (n);
    for (uint32_t t = 0; t < o->n; t++)
        for (size_t c = 0; c < o->tap[t].length; c++)
            o->sum[o->tap[t].row][c] /= (double) o->probe.feed.seen;
    return RC_OK;
}

rc_status rci_observe_maps(double ***row, const struct rci_observation *what)
{
    struct observer o = {.o = what};
    const struct rc_graph *g = what->c->links->g;
    rc_status st;
    *row = NULL;
    RC_TRY_OUT(st, rci_probe_open(&o.probe, g, what->data, what->images, what->batch));
    RC_TRY_OUT(st, list_taps(&o));
    RC_TRY_OUT(st, rci_probe_watch(&o.probe, g, o.value, o.n));
    RC_TRY_OUT(st, make_room(&o));
    RC_TRY_OUT(st, observe_images(&o));
    *row = o.sum;
    o.sum = NULL;
out:
    rci_probe_close(&o.probe);
    rci_observed_free(o.sum, what->c);
    rci_release(o.tap);
    rci_release(o.value);
    rci_release(o.image);
    rci_release(o.scratch);
    return st;
}

void rci_observed_free(double **row, const struct rci_coupling *c)
{
    for (uint32_t i = 0; row && i < c->links->n_rows; i++)
        rci_release(row[i]);
    rci_release(row);
}
