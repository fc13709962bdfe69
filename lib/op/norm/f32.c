/* BatchNormalization of f32 images: a run is one image and 1, 8 or 16 channels, as the layout has
 * them (kernel/norm/norm.h). */
#include "kernel/norm/norm.h"
#include "kernel/onednn/onednn.h"
#include "op/norm/driver.h"

static size_t f32_length(const struct rci_norm_driver *d)
{
    return (size_t) (d->area * d->lanes);
}

static const float *f32_at(const struct rci_norm_driver *d, const void *x, int64_t run)
{
    return (const float *) x + (size_t) run * f32_length(d);
}

/* The block's channels, repeated over the lanes of a vector. */
static void f32_spread(const struct rci_norm_driver *d, int64_t block, const double *from,
                       float *lanes)
{
    for (int64_t j = 0; j < RC_NORM_LANES; j++)
        lanes[j] = (float) from[block * d->lanes + j % d->lanes];
}

/* The lanes of a vector that belong to one channel, added up. */
static double f32_gather(const struct rci_norm_driver *d, const double *sum, int64_t lane)
{
    double total = 0;
    for (int64_t j = lane; j < RC_NORM_LANES; j += d->lanes)
        total += sum[j];
    return total;
}

static void f32_lanes(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                      int64_t run, struct rci_norm_lanes *p)
{
    const int64_t block = run % d->blocks;
    f32_spread(d, block, k->mean, p->mean);
    f32_spread(d, block, k->slope, p->scale);
    for (int64_t j = 0; j < RC_NORM_LANES; j++) {
        p->slope[j] = k->slope[block * d->lanes + j % d->lanes];
        p->offset[j] = k->offset[block * d->lanes + j % d->lanes];
    }
}

/* Sum and squares around the run's own mean while the run is in cache; statistics_pool() moves them
 * to the channel's mean. */
static void f32_statistics(const struct rci_norm_driver *d, const void *x, int64_t run,
                           struct rci_norm_part *out)
{
    const struct rci_norm_kernels *kernels = d->kernels;
    const float *at = f32_at(d, x, run);
    double sum[RC_NORM_LANES], squares[RC_NORM_LANES];
    struct rci_norm_lanes p = {0};
    kernels->sum(at, f32_length(d), sum);
    for (int64_t l = 0; l < d->lanes; l++) {
        out[l].a = f32_gather(d, sum, l);
        for (int64_t j = l; j < RC_NORM_LANES; j += d->lanes)
            p.mean[j] = (float) (out[l].a / (double) d->area);
    }
    kernels->squares(at, f32_length(d), &p, squares);
    for (int64_t l = 0; l < d->lanes; l++)
        out[l].b = f32_gather(d, squares, l);
}

static void f32_apply(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                      const void *x, int64_t run, void *y)
{
    const struct rci_norm_kernels *kernels = d->kernels;
    struct rci_norm_lanes p;
    f32_lanes(d, k, run, &p);
    kernels->apply(f32_at(d, x, run), f32_length(d), &p, d->relu,
                   (float *) y + (size_t) run * f32_length(d));
}

static void f32_sums(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                     const void *const *x_dy, int64_t run, struct rci_norm_part *out)
{
    const struct rci_norm_kernels *kernels = d->kernels;
    double sum[2 * RC_NORM_LANES];
    struct rci_norm_lanes p;
    f32_lanes(d, k, run, &p);
    kernels->reduce(f32_at(d, x_dy[0], run), f32_at(d, x_dy[1], run), f32_length(d), &p, d->relu,
                    sum);
    for (int64_t l = 0; l < d->lanes; l++)
        out[l] =
            (struct rci_norm_part){f32_gather(d, sum, l), f32_gather(d, sum + RC_NORM_LANES, l)};
}

static void f32_gradient(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                         const void *const *x_dy, int64_t run, const double *first, void *dx)
{
    const struct rci_norm_kernels *kernels = d->kernels;
    const float *const at[2] = {f32_at(d, x_dy[0], run), f32_at(d, x_dy[1], run)};
    struct rci_norm_lanes p;
    f32_lanes(d, k, run, &p);
    f32_spread(d, run % d->blocks, first, p.first);
    f32_spread(d, run % d->blocks, first + rci_norm_padded(d), p.second);
    kernels->gradient(at, f32_length(d), &p, d->relu, (float *) dx + (size_t) run * f32_length(d));
}

/* The layout in which the data arrives when its runs hold 1, 8 or 16 channels, else plain. */
static rc_status f32_layout(const struct rci_request *req, struct rci_prep *p,
                            struct rci_norm_driver *d)
{
    static const struct {
        dnnl_format_tag_t tag;
        int64_t lanes;
    } blocked[] = {{dnnl_nChw16c, 16}, {dnnl_nChw8c, 8}};
    const struct rci_shape *shape = &req->in[0].shape;
    const struct rci_md *md;
    d->lanes = 1;
    for (int i = 0; i < 2 && req->have[0] && shape->rank == 4; i++) {
        RC_TRY(rci_md_tagged(req->engine, RC_F32, shape, blocked[i].tag, &md));
        if (!rci_md_equal(md, req->have[0]))
            continue;
        d->lanes = blocked[i].lanes;
        p->want[0] = req->have[0];
        return RC_OK;
    }
    return rci_md_plain(req->engine, RC_F32, shape, &p->want[0]);
}

rc_status rci_norm_f32_format(const struct rci_request *req, struct rci_prep *p,
                              struct rci_norm_driver *d)
{
    static const struct rci_norm_format format = {f32_statistics, f32_apply, f32_sums,
                                                  f32_gradient};
    const struct rci_norm_kernels *kernels = rci_norm_kernels(req->cpu);
    RC_TRY(f32_layout(req, p, d));
    d->format = &format;
    d->kernels = kernels;
    d->blocks = (d->channels + d->lanes - 1) / d->lanes;
    p->impl = kernels->name;
    return RC_OK;
}
