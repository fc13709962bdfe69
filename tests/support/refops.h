#ifndef REFOPS_H
#define REFOPS_H
/* Operators written once more from their definitions: naive loops in double precision. Arrays are
 * row-major [N, C, H, W]. */
#include <stdint.h>

struct ref_window {
    int64_t batch, in, out, groups; /* channels */
    int64_t height, width, oh, ow;  /* oh, ow: given by the caller */
    int64_t kh, kw, sh, sw, dh, dw, top, left, bottom, right;
};

/* y[n,o,v,u] = b[o] + sum x * w; b may be NULL */
void ref_conv(const struct ref_window *w, const float *x, const float *weights, const float *b,
              double *y);
enum ref_pool { REF_MAX, REF_MEAN, REF_MEAN_PADDED };
/* groups and out are ignored; REF_MEAN_PADDED counts padding but nothing beyond it */
void ref_pool(const struct ref_window *w, enum ref_pool kind, const float *x, double *y);
/* y[m,n] = alpha * sum_k a(m,k) * b(k,n) with explicit strides */
void ref_gemm(int64_t m, int64_t n, int64_t k, double alpha, const float *a,
              const int64_t a_stride[2], const float *b, const int64_t b_stride[2], double *y);
#endif
