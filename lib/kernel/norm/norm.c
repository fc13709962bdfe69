/* Vector loops of normalization. One source; the compiler makes it for three instruction sets, and
 * as it may not contract multiplications and additions, all give the same bits. */
#include "kernel/norm/norm.h"
#include "kernel/cpu.h"

#include <string.h>

enum { LANES = RC_NORM_LANES, STRETCH = 32 }; /* vectors that are summed in float */

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int mask __attribute__((vector_size(LANES * sizeof(float))));
typedef double wide __attribute__((vector_size(LANES * sizeof(double))));

#define BODY static inline __attribute__((always_inline))

#define LOAD(v, from) memcpy(&(v), (from), sizeof(v))
#define STORE(to, v) memcpy((to), &(v), sizeof(v))

struct lanes {
    wide slope, offset;
    vec mean, scale, first, second;
};

BODY void load_lanes(struct lanes *l, const struct rci_norm_lanes *p)
{
    LOAD(l->slope, p->slope);
    LOAD(l->offset, p->offset);
    LOAD(l->mean, p->mean);
    LOAD(l->scale, p->scale);
    LOAD(l->first, p->first);
    LOAD(l->second, p->second);
}

/* The last n % LANES floats as a vector, with `fill` behind them so that they change no sum. */
BODY void load_tail(vec *v, const float *x, size_t n, const vec *fill)
{
    *v = *fill;
    memcpy(v, x, n * sizeof(*x));
}

BODY void add_lanes(double *sum, const vec *part)
{
    for (int l = 0; l < LANES; l++)
        sum[l] += (double) (*part)[l];
}

BODY void sum_body(const float *x, size_t n, double *sum)
{
    const vec zero = {0};
    memset(sum, 0, LANES * sizeof(*sum));
    size_t i = 0;
    while (i + LANES <= n) {
        const size_t end = n - i < STRETCH * LANES ? n : i + STRETCH * LANES;
        vec part = {0}, v;
        for (; i + LANES <= end; i += LANES) {
            LOAD(v, x + i);
            part += v;
        }
        add_lanes(sum, &part);
    }
    vec tail;
    load_tail(&tail, x + i, n - i, &zero);
    add_lanes(sum, &tail);
}

BODY void squares_body(const float *x, size_t n, const struct rci_norm_lanes *p, double *sum)
{
    struct lanes l;
    load_lanes(&l, p);
    memset(sum, 0, LANES * sizeof(*sum));
    size_t i = 0;
    while (i + LANES <= n) {
        const size_t end = n - i < STRETCH * LANES ? n : i + STRETCH * LANES;
        vec part = {0}, v;
        for (; i + LANES <= end; i += LANES) {
            LOAD(v, x + i);
            v -= l.mean;
            part += v * v;
        }
        add_lanes(sum, &part);
    }
    vec tail;
    load_tail(&tail, x + i, n - i, &l.mean);
    tail -= l.mean;
    tail *= tail;
    add_lanes(sum, &tail);
}

/* y = x slope + offset in double, rounded once. */
BODY void apply_vec(vec *v, const struct lanes *l, bool relu)
{
    const wide pre = __builtin_convertvector(*v, wide) * l->slope + l->offset;
    *v = __builtin_convertvector(pre, vec);
    if (relu) {
        const mask below = *v < 0;
        *v = (vec) ((mask) *v & ~below); /* NaN stays */
    }
}

BODY void apply_body(const float *x, size_t n, const struct rci_norm_lanes *p, bool relu, float *y)
{
    struct lanes l;
    load_lanes(&l, p);
    size_t i = 0;
    vec v;
    for (; i + LANES <= n; i += LANES) {
        LOAD(v, x + i);
        apply_vec(&v, &l, relu);
        STORE(y + i, v);
    }
    load_tail(&v, x + i, n - i, &l.mean);
    apply_vec(&v, &l, relu);
    memcpy(y + i, &v, (n - i) * sizeof(*y));
}

/* x becomes x - mean, g what of it passes the ReLU. */
BODY void pass_vec(vec *x, vec *g, const struct lanes *l, bool relu)
{
    if (relu) {
        vec pre = *x;
        apply_vec(&pre, l, false);
        const mask above = pre > 0;
        *g = (vec) ((mask) *g & above);
    }
    *x -= l->mean;
}

BODY void reduce_body(const float *x, const float *dy, size_t n, const struct rci_norm_lanes *p,
                      bool relu, double *sum)
{
    const vec zero = {0};
    struct lanes l;
    load_lanes(&l, p);
    memset(sum, 0, 2 * LANES * sizeof(*sum));
    size_t i = 0;
    vec v, g;
    while (i + LANES <= n) {
        const size_t end = n - i < STRETCH * LANES ? n : i + STRETCH * LANES;
        vec part = {0}, product = {0};
        for (; i + LANES <= end; i += LANES) {
            LOAD(v, x + i);
            LOAD(g, dy + i);
            pass_vec(&v, &g, &l, relu);
            part += g;
            product += g * v;
        }
        add_lanes(sum, &part);
        add_lanes(sum + LANES, &product);
    }
    load_tail(&v, x + i, n - i, &l.mean);
    load_tail(&g, dy + i, n - i, &zero);
    pass_vec(&v, &g, &l, relu);
    v *= g;
    add_lanes(sum, &g);
    add_lanes(sum + LANES, &v);
}

BODY void gradient_body(const float *const *x_dy, size_t n, const struct rci_norm_lanes *p,
                        bool relu, float *dx)
{
    const float *x = x_dy[0], *dy = x_dy[1];
    const vec zero = {0};
    struct lanes l;
    load_lanes(&l, p);
    size_t i = 0;
    vec v, g;
    for (; i + LANES <= n; i += LANES) {
        LOAD(v, x + i);
        LOAD(g, dy + i);
        pass_vec(&v, &g, &l, relu);
        v = l.scale * (g - l.first - v * l.second);
        STORE(dx + i, v);
    }
    load_tail(&v, x + i, n - i, &l.mean);
    load_tail(&g, dy + i, n - i, &zero);
    pass_vec(&v, &g, &l, relu);
    v = l.scale * (g - l.first - v * l.second);
    memcpy(dx + i, &v, (n - i) * sizeof(*dx));
}

/* `relu` is a constant in each copy of a loop. */
#define VARIANT(set, attribute, text)                                                             \
    attribute static void sum_##set(const float *x, size_t n, double *sum)                        \
    {                                                                                             \
        sum_body(x, n, sum);                                                                      \
    }                                                                                             \
    attribute static void squares_##set(const float *x, size_t n, const struct rci_norm_lanes *p, \
                                        double *sum)                                              \
    {                                                                                             \
        squares_body(x, n, p, sum);                                                               \
    }                                                                                             \
    attribute static void apply_##set(const float *x, size_t n, const struct rci_norm_lanes *p,   \
                                      bool relu, float *y)                                        \
    {                                                                                             \
        if (relu)                                                                                 \
            apply_body(x, n, p, true, y);                                                         \
        else                                                                                      \
            apply_body(x, n, p, false, y);                                                        \
    }                                                                                             \
    attribute static void reduce_##set(const float *x, const float *dy, size_t n,                 \
                                       const struct rci_norm_lanes *p, bool relu, double *sum)    \
    {                                                                                             \
        if (relu)                                                                                 \
            reduce_body(x, dy, n, p, true, sum);                                                  \
        else                                                                                      \
            reduce_body(x, dy, n, p, false, sum);                                                 \
    }                                                                                             \
    attribute static void gradient_##set(const float *const *x_dy, size_t n,                      \
                                         const struct rci_norm_lanes *p, bool relu, float *dx)    \
    {                                                                                             \
        if (relu)                                                                                 \
            gradient_body(x_dy, n, p, true, dx);                                                  \
        else                                                                                      \
            gradient_body(x_dy, n, p, false, dx);                                                 \
    }                                                                                             \
    static const struct rci_norm_kernels kernels_##set = {                                        \
        text, sum_##set, squares_##set, apply_##set, reduce_##set, gradient_##set};

VARIANT(base, , "vector C")
#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2"))), "vector C, AVX2")
VARIANT(avx512, __attribute__((target("avx512f,prefer-vector-width=512"))), "vector C, AVX-512")
#endif

const struct rci_norm_kernels *rci_norm_kernels(const struct rci_cpu *cpu)
{
#if defined(__x86_64__)
    /* cpu: what RESCOMP_CPU lets this run take; the builtin: what the machine has */
    if (cpu->avx512 && __builtin_cpu_supports("avx512f"))
        return &kernels_avx512;
    if (cpu->lanes && __builtin_cpu_supports("avx2"))
        return &kernels_avx2;
#else
    (void) cpu;
#endif
    return &kernels_base;
}
