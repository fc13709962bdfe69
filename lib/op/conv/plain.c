/* y[n,o,v,u] = b[o] + sum over i,p,q of x[n,i,v*s+p*d-t,u*s+q*d-l] * w[o,i,p,q], and its
 * gradients: the same loop read from each of its three sides. Rows are summed in doubles, a
 * fixed number of pixels at a time, so nothing depends on the number of threads. */
#include "op/conv/plain.h"
#include "kernel/onednn/conv.h"
#include "op/layers.h"

#include <string.h>

enum { BLOCK = 128 }; /* pixels of a row that are summed together */

struct job {
    struct rci_window w;
    int64_t batch, in, out, groups, in_per, out_per; /* channels, and per group */
    const float *x, *weights, *bias, *dy;
    float *y, *dx, *dw, *db;
};

/* Pointers of gradients are NULL in forward. */
static struct job job_make(const struct rci_call *c)
{
    struct rci_conv_geometry g;
    rci_conv_geometry_of(&g, c->node, &c->in[0].shape, &c->in[1].shape);
    struct job j = {.batch = g.batch,
                    .in = g.in_channels,
                    .out = g.out_channels,
                    .groups = g.groups,
                    .in_per = g.in_channels / g.groups,
                    .out_per = g.out_channels / g.groups,
                    .x = c->in[0].data,
                    .weights = c->in[1].data,
                    .y = c->out[0].data};
    for (int i = 0; i < 2; i++) {
        j.w.in[i] = g.in[i];
        j.w.out[i] = g.out[i];
        j.w.kernel[i] = g.kernel[i];
        j.w.stride[i] = g.stride[i];
        j.w.dilation[i] = g.dilation[i];
        j.w.begin[i] = g.pad_begin[i];
        j.w.end[i] = g.pad_end[i];
    }
    if (c->node->n_in > 2)
        j.bias = c->in[2].data;
    if (c->d_out) {
        j.dy = c->d_out[0].data;
        j.dx = c->d_in[0].data;
        j.dw = c->d_in[1].data;
        j.db = c->node->n_in > 2 ? c->d_in[2].data : NULL;
    }
    return j;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* acc[u - first] += w * x at u's tap, for the pixels of this block that see the tap */
static void add_taps(const struct job *j, const float *x, const float *w, int64_t first, int64_t n,
                     double *acc)
{
    for (int64_t q = 0; q < j->w.kernel[1]; q++) {
        int64_t from, to;
        rci_window_valid(&j->w, 1, q, &from, &to);
        from = clamp(from, first, first + n);
        to = clamp(to, first, first + n);
        const int64_t s = j->w.stride[1], at = q * j->w.dilation[1] - j->w.begin[1];
        const double k = (double) w[q];
        for (int64_t u = from; u < to; u++)
            acc[u - first] += k * (double) x[u * s + at];
    }
}

/* Row v of output channel o of one image. */
static void forward_row(const struct job *j, int64_t image, int64_t o, int64_t v)
{
    const int64_t wide = j->w.out[1], area = j->w.in[0] * j->w.in[1];
    const int64_t taps = j->w.kernel[0] * j->w.kernel[1];
    const float *x = j->x + (image * j->in + o / j->out_per * j->in_per) * area;
    float *y = j->y + ((image * j->out + o) * j->w.out[0] + v) * wide;
    for (int64_t first = 0; first < wide; first += BLOCK) {
        const int64_t n = clamp(wide - first, 0, BLOCK);
        double acc[BLOCK];
        for (int64_t u = 0; u < n; u++)
            acc[u] = j->bias ? (double) j->bias[o] : 0;
        for (int64_t i = 0; i < j->in_per; i++)
            for (int64_t p = 0; p < j->w.kernel[0]; p++) {
                const int64_t row = v * j->w.stride[0] + p * j->w.dilation[0] - j->w.begin[0];
                if (row >= 0 && row < j->w.in[0])
                    add_taps(j, x + i * area + row * j->w.in[1],
                             j->weights + (o * j->in_per + i) * taps + p * j->w.kernel[1], first, n,
                             acc);
            }
        for (int64_t u = 0; u < n; u++)
            y[first + u] = (float) acc[u];
    }
}

rc_status rci_conv_forward_plain(const struct rci_call *c)
{
    const struct job j = job_make(c);
    const int64_t rows = j.batch * j.out * j.w.out[0];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        forward_row(&j, r / j.w.out[0] / j.out, r / j.w.out[0] % j.out, r % j.w.out[0]);
    return RC_OK;
}

/* acc[u - first] += w * dy of every output that reads pixel u of this row */
static void scatter_taps(const struct job *j, const float *dy, const float *w, int64_t first,
                         int64_t n, double *acc)
{
    for (int64_t q = 0; q < j->w.kernel[1]; q++) {
        int64_t from, to;
        rci_window_valid(&j->w, 1, q, &from, &to);
        const int64_t s = j->w.stride[1], at = q * j->w.dilation[1] - j->w.begin[1];
        const int64_t lo = first - at, hi = first + n - at; /* lo <= u*s < hi */
        from = clamp(lo > 0 ? (lo + s - 1) / s : 0, from, to);
        to = clamp(hi > 0 ? (hi + s - 1) / s : 0, from, to);
        const double k = (double) w[q];
        for (int64_t u = from; u < to; u++)
            acc[u * s + at - first] += k * (double) dy[u];
    }
}

/* One row of dx: the outputs whose windows cover it. */
static void data_row(const struct job *j, int64_t image, int64_t channel, int64_t row)
{
    const int64_t wide = j->w.in[1], taps = j->w.kernel[0] * j->w.kernel[1];
    const int64_t group = channel / j->in_per, i = channel % j->in_per;
    float *dx = j->dx + ((image * j->in + channel) * j->w.in[0] + row) * wide;
    for (int64_t first = 0; first < wide; first += BLOCK) {
        const int64_t n = clamp(wide - first, 0, BLOCK);
        double acc[BLOCK] = {0};
        for (int64_t o = group * j->out_per; o < (group + 1) * j->out_per; o++)
            for (int64_t p = 0; p < j->w.kernel[0]; p++) {
                const int64_t at = row + j->w.begin[0] - p * j->w.dilation[0];
                const int64_t v = at / j->w.stride[0];
                if (at < 0 || at % j->w.stride[0] || v >= j->w.out[0])
                    continue;
                scatter_taps(j, j->dy + ((image * j->out + o) * j->w.out[0] + v) * j->w.out[1],
                             j->weights + (o * j->in_per + i) * taps + p * j->w.kernel[1], first, n,
                             acc);
            }
        for (int64_t u = 0; u < n; u++)
            dx[first + u] = (float) acc[u];
    }
}

/* dw[o, i, p, q]: every output pixel whose tap (p, q) lies inside. */
static double weight_sum(const struct job *j, int64_t o, int64_t i, int64_t p, int64_t q)
{
    const int64_t channel = o / j->out_per * j->in_per + i, s = j->w.stride[1];
    const int64_t at = q * j->w.dilation[1] - j->w.begin[1];
    int64_t v0, v1, u0, u1;
    rci_window_valid(&j->w, 0, p, &v0, &v1);
    rci_window_valid(&j->w, 1, q, &u0, &u1);
    double sum = 0;
    for (int64_t image = 0; image < j->batch; image++)
        for (int64_t v = v0; v < v1; v++) {
            const int64_t row = v * j->w.stride[0] + p * j->w.dilation[0] - j->w.begin[0];
            const float *x = j->x + ((image * j->in + channel) * j->w.in[0] + row) * j->w.in[1];
            const float *dy = j->dy + ((image * j->out + o) * j->w.out[0] + v) * j->w.out[1];
            for (int64_t u = u0; u < u1; u++)
                sum += (double) dy[u] * (double) x[u * s + at];
        }
    return sum;
}

static double bias_sum(const struct job *j, int64_t o)
{
    const int64_t area = j->w.out[0] * j->w.out[1];
    double sum = 0;
    for (int64_t image = 0; image < j->batch; image++)
        for (int64_t k = 0; k < area; k++)
            sum += (double) j->dy[(image * j->out + o) * area + k];
    return sum;
}

rc_status rci_conv_backward_plain(const struct rci_call *c)
{
    const struct job j = job_make(c);
    const int64_t rows = j.dx ? j.batch * j.in * j.w.in[0] : 0;
    const int64_t taps = j.w.kernel[0] * j.w.kernel[1];
    const int64_t weights = j.dw ? j.out * j.in_per * taps : 0;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        data_row(&j, r / j.w.in[0] / j.in, r / j.w.in[0] % j.in, r % j.w.in[0]);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < weights; k++)
        j.dw[k] = (float) weight_sum(&j, k / taps / j.in_per, k / taps % j.in_per,
                                     k % taps / j.w.kernel[1], k % j.w.kernel[1]);
    for (int64_t o = 0; j.db && o < j.out; o++)
        j.db[o] = (float) bias_sum(&j, o);
    return RC_OK;
}
