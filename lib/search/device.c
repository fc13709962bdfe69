/* Times between measured channels. time(in, out) = prior(in, out) * f(in, out): the prior knows how
 * work grows with channels, f is what was measured over it, interpolated by inverse distance in
 * log2 of the channels. A table with one point for a layer already scales sensibly. */
#include "search/device.h"

#include <math.h>
#include <string.h>

static const uint64_t device_magic = UINT64_C(0x72636465766963ab);

bool rci_device_valid(const struct rc_device *d)
{
    return d && d->magic == device_magic;
}

rc_status rci_device_new(struct rc_device **out, struct rc_context *c, const char *name,
                         const char *energy)
{
    *out = NULL;
    struct rc_device *d = RC_NEW(c, struct rc_device);
    if (!d)
        return RC_ERR_MEMORY;
    d->magic = device_magic;
    d->ctx = c;
    d->name = rci_format(c, "%s", name);
    d->energy = rci_format(c, "%s", energy);
    if (!d->name || !d->energy) {
        rci_device_free(d);
        return RC_ERR_MEMORY;
    }
    d->batch = d->threads = 1;
    *out = d;
    return RC_OK;
}

void rci_device_free(struct rc_device *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < d->n; i++)
        rci_release(d->layer[i].point);
    rci_release(d->layer);
    rci_release(d->name);
    rci_release(d->energy);
    d->magic = 0;
    rci_release(d);
}

static rc_status device_layer_for(struct rc_device *d, const struct rci_layer_key *key,
                                  struct rci_device_layer **out)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (rci_layer_same(&d->layer[i].key, key)) {
            *out = &d->layer[i];
            return RC_OK;
        }
    if (d->n == d->cap) {
        const uint32_t cap = d->cap ? 2 * d->cap : 16;
        struct rci_device_layer *more = rci_realloc_array(d->ctx, d->layer, cap, sizeof(*d->layer));
        if (!more)
            return RC_ERR_MEMORY;
        d->layer = more;
        d->cap = cap;
    }
    *out = &d->layer[d->n++];
    **out = (struct rci_device_layer){.key = *key};
    return RC_OK;
}

rc_status rci_device_add(struct rc_device *d, const struct rci_layer_key *key,
                         const struct rci_device_point *p, uint32_t *layer, uint32_t *point)
{
    struct rci_device_layer *l;
    RC_TRY(device_layer_for(d, key, &l));
    if (l->n == l->cap) {
        const uint32_t cap = l->cap ? 2 * l->cap : 8;
        struct rci_device_point *more = rci_realloc_array(d->ctx, l->point, cap, sizeof(*l->point));
        if (!more)
            return RC_ERR_MEMORY;
        l->point = more;
        l->cap = cap;
    }
    if (layer)
        *layer = (uint32_t) (l - d->layer);
    if (point)
        *point = l->n;
    l->point[l->n++] = *p;
    return RC_OK;
}

/* Kernels compute whole vectors of 8 channels; reading and writing counts too, as does starting.
 * Units cancel: only ratios of this are used. */
static double device_prior(const struct rci_layer_key *k, int64_t in, int64_t out)
{
    const double whole_in = 8 * ceil((double) in / 8), whole_out = 8 * ceil((double) out / 8);
    const double window = (double) (k->kernel[0] * k->kernel[1]);
    const double from = (double) (k->input[0] * k->input[1]);
    const double to = from / (double) (k->stride[0] * k->stride[1]);
    const double dense = k->groups ? whole_in / (double) k->groups : 1;
    const double sums = to * window * dense * whole_out;
    const double moved = from * (double) in + to * (double) out + window * dense * whole_out;
    return sums + 8 * moved + 20000;
}

static double device_distance(const struct rci_device_point *p, int64_t in, int64_t out)
{
    const double a = log2((double) p->in / (double) in), b = log2((double) p->out / (double) out);
    /* other remainders of 8 run other code */
    const double c = ((p->in % 8 == 0) != (in % 8 == 0)) ? 0.25 : 0;
    const double e = ((p->out % 8 == 0) != (out % 8 == 0)) ? 0.25 : 0;
    return a * a + b * b + c + e;
}

static void device_interpolate(const struct rc_device *d, const struct rci_device_layer *l,
                               int64_t in, int64_t out, struct rci_device_time *t)
{
    double sum = 0, ms = 0, joules = 0, hits = 0, hit_ms = 0, hit_joules = 0;
    const double prior = device_prior(&l->key, in, out);
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rci_device_point *p = &l->point[i];
        const double j = p->joules > 0 ? p->joules : p->ms * 1e-3 * d->watts;
        if (p->in == in && p->out == out) {
            hits++;
            hit_ms += p->ms;
            hit_joules += j;
        }
        const double near = device_distance(p, in, out) + 1e-3, w = 1 / (near * near);
        const double scale = prior / device_prior(&l->key, p->in, p->out);
        sum += w;
        ms += w * p->ms * scale;
        joules += w * j * scale;
    }
    t->exact = hits > 0;
    t->ms = hits > 0 ? hit_ms / hits : ms / sum;
    t->joules = hits > 0 ? hit_joules / hits : joules / sum;
}

/* The same with the same work behind it; else with any; else with other work. */
static const struct rci_device_layer *device_find(const struct rc_device *d,
                                                  const struct rci_layer_key *key)
{
    const struct rci_device_layer *any = NULL, *other = NULL;
    for (uint32_t i = 0; i < d->n; i++) {
        const struct rci_device_layer *l = &d->layer[i];
        if (!l->n || !rci_layer_same_work(&l->key, key))
            continue;
        if (!strcmp(l->key.tail, key->tail))
            return l;
        if (!strcmp(l->key.tail, "*"))
            any = l;
        else if (!other)
            other = l;
    }
    return any ? any : other;
}

rc_status rci_device_time_of(const struct rc_device *d, const struct rci_layer_key *key, int64_t in,
                             int64_t out, const char *node, struct rci_device_time *t)
{
    char text[160];
    const struct rci_device_layer *l = device_find(d, key);
    if (!l) {
        rci_layer_describe(key, text, sizeof(text));
        return rci_fail(RC_ERR_DATA,
                        "the table of \"%s\" has no times of %s (layer \"%s\"): profile a model "
                        "with such a layer, or add them",
                        d->name, text, node);
    }
    device_interpolate(d, l, in, out, t);
    return RC_OK;
}

rc_status rci_device_predict(const struct rc_device *d, const struct rc_graph *g,
                             rc_device_prediction *p)
{
    struct rci_layer *layer;
    uint32_t n;
    RC_TRY(rci_layers_of(&layer, &n, g));
    rc_status st = RC_OK;
    p->latency_ms = d->overhead_ms;
    p->joules = d->overhead_ms * 1e-3 * d->watts;
    p->layers = n;
    p->exact = 0;
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        struct rci_device_time t = {0};
        st = rci_device_time_of(d, &layer[i].key, layer[i].in, layer[i].out,
                                g->nodes[layer[i].node].name, &t);
        p->latency_ms += t.ms;
        p->joules += t.joules;
        p->exact += t.exact;
    }
    p->joules /= (double) d->batch;
    rci_release(layer);
    return st;
}
