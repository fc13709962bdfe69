#include "prune/activation.h"
#include "prune/probe.h"

#include <math.h>

/* One observed axis: values are read as [outer, length, inner]. */
struct tap {
    rci_id value;
    uint32_t row;
    double *sum; /* [3][length]: of |x|, of x, of x^2 */
};

struct observer {
    const struct rci_coupling *c;
    struct tap *tap;
    rci_id *value; /* of the taps */
    uint32_t n;
    struct rci_probe probe;
};

static bool has_tap(const struct observer *o, uint32_t row)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->tap[i].row == row)
            return true;
    return false;
}

static rc_status list_taps(struct observer *o)
{
    struct rc_context *ctx = o->c->links->ctx;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < o->c->n_groups; i++) {
        const struct rci_prune_group *p = &o->c->group[i];
        for (uint32_t m = 0; m < p->n_members; m++) {
            const uint32_t row = rci_activation_row(o->c, p, &p->member[m]);
            if (row == RC_NONE || has_tap(o, row))
                continue;
            RC_TRY(rci_grow(ctx, &o->tap, o->n, &capacity, sizeof(*o->tap)));
            const uint32_t length =
                (uint32_t) o->c->links->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
            o->tap[o->n++] = (struct tap){row / RC_MAX_DIMS, row,
                                          rci_alloc_array(ctx, length * 3, sizeof(double))};
            if (!o->tap[o->n - 1].sum)
                return RC_ERR_MEMORY;
        }
    }
    o->value = rci_alloc_array(ctx, o->n, sizeof(*o->value));
    for (uint32_t i = 0; o->value && i < o->n; i++)
        o->value[i] = o->tap[i].value;
    return o->value ? RC_OK : RC_ERR_MEMORY;
}

static rc_status open_observer(struct observer *o, const rc_dataset *d, uint64_t images,
                               uint64_t batch)
{
    const struct rc_graph *g = o->c->links->g;
    RC_TRY(rci_probe_open(&o->probe, g, d, images, batch));
    RC_TRY(list_taps(o));
    return rci_probe_watch(&o->probe, g, o->value, o->n);
}

static void activation_add_batch(struct observer *o, uint32_t tap, uint32_t n)
{
    const struct tap *t = &o->tap[tap];
    const struct rci_shape *s = &o->c->links->shape[t->value];
    const float *y = o->probe.view[0].value[tap];
    const uint32_t axis = t->row % RC_MAX_DIMS;
    size_t outer = 1, inner = 1;
    for (uint32_t a = 0; a < s->rank; a++)
        if (a < axis)
            outer *= (size_t) s->dim[a];
        else if (a > axis)
            inner *= (size_t) s->dim[a];
    outer = outer / (size_t) o->c->links->g->batch * n; /* the images that this batch has */
    for (size_t i = 0; i < outer; i++)
        for (int64_t c = 0; c < s->dim[axis]; c++) {
            double size = 0, sum = 0, square = 0;
            for (size_t k = 0; k < inner; k++, y++) {
                size += fabs((double) *y);
                sum += (double) *y;
                square += (double) *y * (double) *y;
            }
            t->sum[c] += size;
            t->sum[s->dim[axis] + c] += sum;
            t->sum[2 * s->dim[axis] + c] += square;
        }
}

static rc_status activation_observe(struct observer *o)
{
    uint32_t n;
    do {
        RC_TRY(rci_probe_next(&o->probe, &n));
        for (uint32_t t = 0; n && t < o->n; t++)
            activation_add_batch(o, t, n);
    } while (n);
    return RC_OK;
}

static rc_status write_row(const struct observer *o, const struct tap *t, struct rci_activity *out)
{
    const struct rci_links *l = o->c->links;
    const struct rci_shape *s = &l->shape[t->value];
    const int64_t length = s->dim[t->row % RC_MAX_DIMS];
    const double n =
        (double) rci_shape_count(s) / (double) (length * l->g->batch) * (double) o->probe.feed.seen;
    out->mean = rci_alloc_array(l->ctx, (size_t) length, sizeof(float));
    out->variance = rci_alloc_array(l->ctx, (size_t) length, sizeof(float));
    if (!out->mean || !out->variance)
        return RC_ERR_MEMORY;
    for (int64_t k = 0; k < length; k++) {
        const double mean = t->sum[length + k] / n;
        out->mean[k] = (float) (t->sum[k] / n);
        out->variance[k] = (float) fmax(0, t->sum[2 * length + k] / n - mean * mean);
    }
    return RC_OK;
}

static rc_status write_activity(const struct observer *o, struct rci_activity **out)
{
    *out = rci_alloc_array(o->c->links->ctx, o->c->links->n_rows, sizeof(**out));
    if (!*out)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < o->n; i++)
        RC_TRY(write_row(o, &o->tap[i], &(*out)[o->tap[i].row]));
    return RC_OK;
}

static void close_observer(struct observer *o)
{
    rci_probe_close(&o->probe);
    for (uint32_t i = 0; i < o->n; i++)
        rci_release(o->tap[i].sum);
    rci_release(o->tap);
    rci_release(o->value);
}

rc_status rci_activity_observe(struct rci_activity **activity, const struct rci_coupling *c,
                               const rc_dataset *d, uint64_t images, uint64_t batch)
{
    struct observer o = {.c = c};
    rc_status st;
    *activity = NULL;
    RC_TRY_OUT(st, open_observer(&o, d, images, batch));
    RC_TRY_OUT(st, activation_observe(&o));
    RC_TRY_OUT(st, write_activity(&o, activity));
out:
    close_observer(&o);
    if (st != RC_OK) {
        rci_activity_free(*activity, c);
        *activity = NULL;
    }
    return st;
}

void rci_activity_free(struct rci_activity *activity, const struct rci_coupling *c)
{
    for (uint32_t row = 0; activity && row < c->links->n_rows; row++) {
        rci_release(activity[row].mean);
        rci_release(activity[row].variance);
    }
    rci_release(activity);
}
