#include "fit/moments.h"
#include "base/compute.h"
#include "kernel/gram.h"
#include "tensor/cholesky.h"

#include <string.h>

rc_status rci_moments_new(struct rci_moments *m, struct rc_context *ctx, size_t d, size_t o)
{
    *m = (struct rci_moments){.ctx = ctx, .d = d, .o = o};
    if (d > RC_MOMENTS_MAX)
        return rci_fail(RC_ERR_UNSUPPORTED, "%zu numbers per position, allowed is up to %d", d,
                        RC_MOMENTS_MAX);
    m->xx = rci_alloc_array(ctx, d * d, sizeof(double));
    m->xt = rci_alloc_array(ctx, d * o, sizeof(double));
    m->x = rci_alloc_array(ctx, d, sizeof(double));
    m->t = rci_alloc_array(ctx, o, sizeof(double));
    m->tt = rci_alloc_array(ctx, o, sizeof(double));
    m->product = rci_alloc_array(ctx, d * (d > o ? d : o), sizeof(float));
    if (m->xx && m->xt && m->x && m->t && m->tt && m->product)
        return RC_OK;
    rci_moments_free(m);
    return RC_ERR_MEMORY;
}

void rci_moments_free(struct rci_moments *m)
{
    rci_release(m->xx);
    rci_release(m->xt);
    rci_release(m->x);
    rci_release(m->t);
    rci_release(m->tt);
    rci_release(m->product);
    *m = (struct rci_moments){0};
}

static void add_sums(double *sum, double *square, const float *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const double v = (double) x[r * n + i];
            sum[i] += v;
            if (square)
                square[i] += v * v;
        }
}

static void add_outer_product(double *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += (double) from[i];
}

rc_status rci_moments_add(struct rci_moments *m, const float *x, const float *t, size_t rows)
{
    const struct rci_compute saved = rci_compute_enter(m->ctx, 0);
    rc_status st = rci_gram(m->ctx, x, m->d, x, m->d, rows, m->product);
    if (st == RC_OK)
        add_outer_product(m->xx, m->product, m->d * m->d);
    if (st == RC_OK && m->o)
        st = rci_gram(m->ctx, x, m->d, t, m->o, rows, m->product);
    if (st == RC_OK && m->o)
        add_outer_product(m->xt, m->product, m->d * m->o);
    rci_compute_leave(saved);
    RC_TRY(st);
    add_sums(m->x, NULL, x, rows, m->d);
    add_sums(m->t, m->tt, t, m->o ? rows : 0, m->o);
    m->n += rows;
    return RC_OK;
}

void rci_moments_finish(struct rci_moments *m)
{
    const double n = m->n ? (double) m->n : 1;
    for (size_t i = 0; i < m->d; i++)
        m->x[i] /= n;
    for (size_t k = 0; k < m->o; k++) {
        m->t[k] /= n;
        m->tt[k] = m->tt[k] / n - m->t[k] * m->t[k];
    }
    for (size_t i = 0; i < m->d; i++) {
        for (size_t j = 0; j < m->d; j++)
            m->xx[i * m->d + j] = m->xx[i * m->d + j] / n - m->x[i] * m->x[j];
        for (size_t k = 0; k < m->o; k++)
            m->xt[i * m->o + k] = m->xt[i * m->o + k] / n - m->x[i] * m->t[k];
    }
}

rc_status rci_moments_solve(const struct rci_moments *m, double ridge, double *w)
{
    const size_t d = m->d;
    double *a = rci_alloc_array(m->ctx, d * d, sizeof(double)), pull = 0;
    if (!a)
        return RC_ERR_MEMORY;
    memcpy(a, m->xx, d * d * sizeof(double));
    for (size_t i = 0; i < d; i++)
        pull += ridge * m->xx[i * d + i] / (double) d;
    for (size_t i = 0; i < d; i++)
        a[i * d + i] += pull;
    rc_status st = RC_OK;
    if (pull > 0) { /* else every x is constant, and any weights are as good */
        const struct rci_compute saved = rci_compute_enter(m->ctx, 0);
        for (size_t i = 0; i < d * m->o; i++)
            w[i] = m->xt[i] + pull * w[i];
        st = rci_cholesky(a, d);
        if (st == RC_OK)
            rci_cholesky_solve(a, d, w, m->o);
        rci_compute_leave(saved);
    }
    rci_release(a);
    return st;
}

rc_status rci_moments_measure(const struct rci_moments *m, const double *w, double *error,
                              double *variance)
{
    const size_t d = m->d, o = m->o;
    double *row = rci_alloc_array(m->ctx, o, sizeof(double)), *own = NULL;
    if (!row)
        return RC_ERR_MEMORY;
    if (!variance) {
        own = variance = rci_alloc_array(m->ctx, o, sizeof(double));
        if (!own) {
            rci_release(row);
            return RC_ERR_MEMORY;
        }
    }
    memset(variance, 0, o * sizeof(double));
    for (size_t k = 0; error && k < o; k++)
        error[k] = m->tt[k];
    for (size_t i = 0; i < d; i++) {
        memset(row, 0, o * sizeof(double));
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < o; k++)
                row[k] += m->xx[i * d + j] * w[j * o + k];
        for (size_t k = 0; k < o; k++) {
            variance[k] += w[i * o + k] * row[k];
            if (error)
                error[k] -= 2 * w[i * o + k] * m->xt[i * o + k];
        }
    }
    for (size_t k = 0; error && k < o; k++)
        error[k] += variance[k];
    rci_release(row);
    rci_release(own);
    return RC_OK;
}
