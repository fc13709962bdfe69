/* Streaming histograms of |x|: bin k counts k*width <= |x| < (k+1)*width, the last bin includes
 * its right edge. No activation is kept. */
#include "quant/observer.h"

#include <math.h>
#include <string.h>

enum { MAX_BINS = 16 * RC_HISTOGRAM_BINS };

static rc_status histogram_reserve(struct rci_histogram *h, uint32_t n)
{
    if (n > h->capacity) {
        uint64_t *count = rci_realloc_array(h->ctx, h->count, n, sizeof(*count));
        if (!count)
            return RC_ERR_MEMORY;
        h->count = count;
        h->capacity = n;
    }
    if (n > h->n)
        memset(h->count + h->n, 0, (size_t) (n - h->n) * sizeof(*h->count));
    h->n = n;
    return RC_OK;
}

/* Joining pairs keeps every count exact; only a first batch 16 times too small leads here. */
static void histogram_halve(struct rci_histogram *h)
{
    const uint32_t half = (h->n + 1) / 2;
    for (uint32_t i = 0; i < half; i++)
        h->count[i] = h->count[2 * i] + (2 * i + 1 < h->n ? h->count[2 * i + 1] : 0);
    h->n = half;
    h->width *= 2;
}

static rc_status histogram_extend(struct rci_histogram *h, double max)
{
    if (h->width == 0) {
        h->width = max / RC_HISTOGRAM_BINS;
        RC_TRY(histogram_reserve(h, RC_HISTOGRAM_BINS));
        h->count[0] += h->zeros;
        h->zeros = 0;
        return RC_OK;
    }
    while (max > h->width * MAX_BINS)
        histogram_halve(h);
    const double need = ceil(max / h->width);
    return need > h->n ? histogram_reserve(h, (uint32_t) need) : RC_OK;
}

rc_status rci_histogram_add(struct rci_histogram *h, const float *x, size_t n, double max)
{
    if (h->width == 0 && max / RC_HISTOGRAM_BINS == 0) {
        h->zeros += n;
        return RC_OK;
    }
    RC_TRY(histogram_extend(h, max));
    const double inverse = 1 / h->width;
    const uint32_t last = h->n - 1;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bin = (uint32_t) (fabs((double) x[i]) * inverse);
        h->count[bin < last ? bin : last]++;
    }
    return RC_OK;
}

void rci_observation_init(struct rci_observation *o, struct rc_context *c)
{
    *o = (struct rci_observation){.low = INFINITY, .high = -INFINITY, .h.ctx = c};
}

void rci_observation_free(struct rci_observation *o)
{
    rci_release(o->h.count);
    o->h.count = NULL;
    o->h.n = o->h.capacity = 0;
}

rc_status rci_observation_add(struct rci_observation *o, const struct rci_observer *ob,
                              const void *params, const float *x, size_t n)
{
    float low = INFINITY, high = -INFINITY, poison = 0;
    for (size_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        poison += x[i] * 0; /* NaN from NaN and from infinity */
    }
    if (n == 0)
        return RC_OK;
    if (poison != 0 || isnan(poison))
        return rci_fail(RC_ERR_DATA, "an element is NaN or infinite");
    o->low = fmin(o->low, (double) low);
    o->high = fmax(o->high, (double) high);
    if (ob->update)
        ob->update(params, o, (double) low, (double) high);
    o->batches++;
    if (!ob->histogram)
        return RC_OK;
    return rci_histogram_add(&o->h, x, n, fmax(fabs((double) low), fabs((double) high)));
}

rc_status rci_observation_clip(const struct rci_observation *o, const struct rci_observer *ob,
                               const void *params, uint32_t top, double *amax)
{
    *amax = 0;
    if (o->batches == 0)
        return rci_fail(RC_ERR_STATE, "no calibration data was seen");
    if (o->low == 0 && o->high == 0)
        return RC_OK;
    if (ob->histogram && o->h.n == 0) { /* denormal values only */
        *amax = fmax(fabs(o->low), fabs(o->high));
        return RC_OK;
    }
    return ob->clip(params, o, top, amax);
}
