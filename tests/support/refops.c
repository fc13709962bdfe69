#include "refops.h"

#include <math.h>

static int inside(const struct ref_window *w, int64_t r, int64_t c)
{
    return r >= 0 && r < w->height && c >= 0 && c < w->width;
}

void ref_conv(const struct ref_window *w, const float *x, const float *weights, const float *b,
              double *y)
{
    const int64_t per = w->in / w->groups, out_per = w->out / w->groups;
    for (int64_t n = 0; n < w->batch; n++)
        for (int64_t o = 0; o < w->out; o++)
            for (int64_t v = 0; v < w->oh; v++)
                for (int64_t u = 0; u < w->ow; u++) {
                    double sum = b ? (double) b[o] : 0;
                    for (int64_t t = 0; t < per * w->kh * w->kw; t++) {
                        const int64_t i = t / w->kw / w->kh, p = t / w->kw % w->kh, q = t % w->kw;
                        const int64_t r = v * w->sh + p * w->dh - w->top;
                        const int64_t c = u * w->sw + q * w->dw - w->left;
                        const int64_t from = o / out_per * per + i;
                        if (inside(w, r, c))
                            sum += (double) x[((n * w->in + from) * w->height + r) * w->width + c] *
                                   (double) weights[((o * per + i) * w->kh + p) * w->kw + q];
                    }
                    *y++ = sum;
                }
}

static double pool_pixel(const struct ref_window *w, enum ref_pool kind, const float *x, int64_t v,
                         int64_t u)
{
    double sum = 0, best = -INFINITY;
    int64_t in = 0, padded = 0;
    for (int64_t p = 0; p < w->kh; p++)
        for (int64_t q = 0; q < w->kw; q++) {
            const int64_t r = v * w->sh + p * w->dh - w->top, c = u * w->sw + q * w->dw - w->left;
            padded += r < w->height + w->bottom && c < w->width + w->right;
            if (!inside(w, r, c))
                continue;
            in++;
            sum += (double) x[r * w->width + c];
            best = fmax(best, (double) x[r * w->width + c]);
        }
    return kind == REF_MAX ? best : sum / (double) (kind == REF_MEAN ? in : padded);
}

void ref_pool(const struct ref_window *w, enum ref_pool kind, const float *x, double *y)
{
    for (int64_t k = 0; k < w->batch * w->in; k++)
        for (int64_t i = 0; i < w->oh * w->ow; i++)
            *y++ = pool_pixel(w, kind, x + k * w->height * w->width, i / w->ow, i % w->ow);
}

void ref_gemm(int64_t m, int64_t n, int64_t k, double alpha, const float *a,
              const int64_t a_stride[2], const float *b, const int64_t b_stride[2], double *y)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t t = 0; t < k; t++)
                sum += (double) a[i * a_stride[0] + t * a_stride[1]] *
                       (double) b[t * b_stride[0] + j * b_stride[1]];
            y[i * n + j] = alpha * sum;
        }
}
