/* Entropy (KL) calibration. For every candidate range of i bins:
 *   P = bins 0..i-1, what lies beyond added to bin i-1;
 *   Q = the same bins (without what lies beyond) merged into L levels, level j = floor(t*L/i),
 *       spread evenly over the bins of the level that are not empty;
 *   KL(P || Q) = sum over P > 0 of P ln(P / Q), both normalised.
 * The last minimum wins; amax is its right edge. A candidate with P > 0 where Q = 0 is rejected.
 * Bin 0 takes the count of bin 1, or else the zeros of a ReLU decide everything.
 *
 * With prefix sums of b, b ln b and "not empty" a candidate costs O(L):
 *   KL = (sum b ln b - sum_j mass_j ln(mass_j / nz_j) + S ln(S / T)) / T, corrected for bin i-1,
 * S = sum of bins below i, T = sum of all bins. */
#include "quant/observer.h"

#include <math.h>

enum { FIRST_BIN = 128 };

struct prefix {
    double *mass, *entropy, *filled; /* [n + 1]: sums over bins below i */
    double total;
};

static double bin_count(const struct rci_histogram *h, uint32_t i)
{
    return (double) h->count[i == 0 && h->n > 1 ? 1 : i];
}

static double x_log_x(double x)
{
    return x > 0 ? x * log(x) : 0;
}

static void prefix_fill(struct prefix *p, const struct rci_histogram *h)
{
    p->mass[0] = p->entropy[0] = p->filled[0] = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        const double b = bin_count(h, i);
        p->mass[i + 1] = p->mass[i] + b;
        p->entropy[i + 1] = p->entropy[i] + x_log_x(b);
        p->filled[i + 1] = p->filled[i] + (b > 0);
    }
    p->total = p->mass[h->n];
}

/* Divergence of the range of `bins` bins; infinite when it is rejected. */
static double divergence(const struct prefix *p, const struct rci_histogram *h, uint32_t bins,
                         uint32_t levels)
{
    const double kept = p->mass[bins], beyond = p->total - kept;
    const double last = bin_count(h, bins - 1);
    if (kept <= 0 || (beyond > 0 && last == 0))
        return INFINITY;
    double sum = p->entropy[bins], mass = 0, filled = 0;
    uint32_t from = 0;
    for (uint32_t j = 0; j < levels; j++) {
        const uint32_t to = (uint32_t) (((uint64_t) (j + 1) * bins + levels - 1) / levels);
        mass = p->mass[to] - p->mass[from];
        filled = p->filled[to] - p->filled[from];
        if (mass > 0)
            sum -= mass * log(mass / filled);
        from = to;
    }
    sum += kept * log(kept / p->total);
    if (last > 0) { /* ends with mass and filled of the last level, which holds bin i-1 */
        const double ratio = log(kept * filled / (p->total * mass));
        sum += x_log_x(last + beyond) - x_log_x(last) + beyond * ratio;
    }
    return sum / p->total;
}

static rc_status entropy_clip(const void *params, const struct rci_observation *o, uint32_t top,
                              double *amax)
{
    (void) params;
    const struct rci_histogram *h = &o->h;
    const uint32_t levels = top + 1, first = levels > FIRST_BIN ? levels : FIRST_BIN;
    double *memory = rci_alloc_array(h->ctx, 3 * ((size_t) h->n + 1), sizeof(double));
    if (!memory)
        return RC_ERR_MEMORY;
    struct prefix p = {memory, memory + h->n + 1, memory + 2 * ((size_t) h->n + 1), 0};
    prefix_fill(&p, h);
    double best = INFINITY;
    uint32_t bins = h->n;
    for (uint32_t i = first; i <= h->n; i++) {
        const double kl = divergence(&p, h, i, levels);
        if (kl <= best && !isinf(kl)) {
            best = kl;
            bins = i;
        }
    }
    *amax = h->width * bins;
    rci_release(memory);
    return RC_OK;
}

const struct rci_observer rci_observer_entropy = {
    .m = {.name = "entropy",
          .summary = "least Kullback-Leibler divergence between values and their levels",
          .source = "Migacz, 8-bit Inference with TensorRT, GTC 2017"},
    .histogram = true,
    .tensorrt = "EntropyCalibration2",
    .clip = entropy_clip,
};
