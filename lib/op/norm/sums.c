/* Statistics of a channel from those of its runs: sum (x - m)^2 over a run, from the sum around the
 * run's own mean c, is sum (x - c)^2 + 2 (c - m) (sum x - n c) + n (c - m)^2. */
#include "op/norm/sums.h"

struct rci_norm_part rci_norm_pool(const struct rci_norm_runs *r, const struct rci_norm_part *parts)
{
    const double area = (double) r->area;
    struct rci_norm_part all = {0, 0};
    for (int64_t n = 0; n < r->images; n++)
        all.a += parts[n * r->step].a;
    all.a /= (double) r->images * area;
    for (int64_t n = 0; n < r->images; n++) {
        const struct rci_norm_part *q = &parts[n * r->step];
        /* the mean as the kernel had it, in float */
        const double around = (double) (float) (q->a / area), off = around - all.a;
        all.b += q->b + 2 * off * (q->a - area * around) + area * off * off;
    }
    return all;
}

struct rci_norm_part rci_norm_total(const struct rci_norm_runs *r,
                                    const struct rci_norm_part *parts)
{
    struct rci_norm_part all = {0, 0};
    for (int64_t n = 0; n < r->images; n++) {
        all.a += parts[n * r->step].a;
        all.b += parts[n * r->step].b;
    }
    return all;
}

struct rci_norm_part rci_norm_moments(const struct rci_norm_part *pooled, double count,
                                      double momentum, float *running_mean, float *running_variance)
{
    const double m = pooled->a, v = pooled->b / count;
    const double unbiased = count > 1 ? pooled->b / (count - 1) : v;
    *running_mean = (float) (momentum * (double) *running_mean + (1 - momentum) * m);
    *running_variance = (float) (momentum * (double) *running_variance + (1 - momentum) * unbiased);
    return (struct rci_norm_part){m, v};
}
