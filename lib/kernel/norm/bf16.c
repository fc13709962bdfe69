/* Vector loops of normalization on bfloat16: float within a stretch of pixels, double over those.
 */
#include "kernel/bf16.h"
#include "kernel/cpu.h"
#include "kernel/norm/bf16_vec.h"

enum { STRETCH = 64 }; /* pixels that are summed in float */

struct lanes {
    vec mean, slope, offset, first, second;
};

BODY void get(vec *v, const float *from)
{
    if (from)
        memcpy(v, from, sizeof(*v));
}

/* Those that a loop does not use may be NULL. */
BODY void get_lanes(struct lanes *l, const struct rci_bf16_channels *c)
{
    *l = (struct lanes){{0}, {0}, {0}, {0}, {0}};
    get(&l->mean, c->mean);
    get(&l->slope, c->slope);
    get(&l->offset, c->offset);
    get(&l->first, c->first);
    get(&l->second, c->second);
}

BODY void read(vec *v, const uint16_t *from, size_t n)
{
    if (n == LANES)
        load(v, from);
    else
        load_part(v, from, n);
}

BODY void write(uint16_t *to, const vec *v, size_t n)
{
    if (n == LANES)
        store(to, v);
    else
        store_part(to, v, n);
}

BODY void add_lanes(double *sum, const vec *part)
{
    for (int l = 0; l < LANES; l++)
        sum[l] += (double) (*part)[l];
}

/* n is r->lanes, a constant for whole blocks. Two sums at once hide the time an addition takes. */
BODY void sum_body(const uint16_t *x, const struct rci_bf16_run *r, size_t n, double *sum)
{
    memset(sum, 0, LANES * sizeof(*sum));
    for (size_t i = 0; i < r->pixels;) {
        const size_t end = r->pixels - i < STRETCH ? r->pixels : i + STRETCH;
        vec part = {0}, other = {0}, v;
        for (; i + 2 <= end; i += 2) {
            read(&v, x + i * r->stride, n);
            part += v;
            read(&v, x + (i + 1) * r->stride, n);
            other += v;
        }
        if (i < end) {
            read(&v, x + i * r->stride, n);
            part += v;
            i++;
        }
        part += other;
        add_lanes(sum, &part);
    }
}

/* sum[l] = sum of (x - mean)^2 over the lane's pixels. */
BODY void squares_body(const uint16_t *x, const struct rci_bf16_run *r, size_t n, const float *mean,
                       double *sum)
{
    vec m;
    memcpy(&m, mean, sizeof(m));
    memset(sum, 0, LANES * sizeof(*sum));
    for (size_t i = 0; i < r->pixels;) {
        const size_t end = r->pixels - i < STRETCH ? r->pixels : i + STRETCH;
        vec part = {0}, other = {0}, v;
        for (; i + 2 <= end; i += 2) {
            read(&v, x + i * r->stride, n);
            v -= m;
            part += v * v;
            read(&v, x + (i + 1) * r->stride, n);
            v -= m;
            other += v * v;
        }
        if (i < end) {
            read(&v, x + i * r->stride, n);
            v -= m;
            part += v * v;
            i++;
        }
        part += other;
        add_lanes(sum, &part);
    }
}

/* *v where `of` > 0, else 0; NaN in `of` gives 0, as the gradient of a ReLU there. */
BODY void keep_positive(vec *v, const vec *of)
{
    *v = (vec) ((bits) *v & (bits) (*of > 0));
}

BODY void apply_body(const uint16_t *x, const struct rci_bf16_run *r, size_t n,
                     const struct rci_bf16_channels *c, bool relu, uint16_t *y)
{
    struct lanes l;
    get_lanes(&l, c);
    for (size_t i = 0; i < r->pixels; i++) {
        vec v;
        read(&v, x + i * r->stride, n);
        v = v * l.slope + l.offset;
        if (relu)
            v = (vec) ((bits) v & ~(bits) (v < 0)); /* NaN stays */
        write(y + i * r->stride, &v, n);
    }
}

/* x and g = dy, or what of dy passes the ReLU: y is computed again, not kept. */
BODY void read_both(vec *x, vec *g, const uint16_t *const *x_dy, size_t at, size_t n,
                    const struct lanes *l, bool relu)
{
    read(x, x_dy[0] + at, n);
    read(g, x_dy[1] + at, n);
    if (relu) {
        const vec y = *x * l->slope + l->offset;
        keep_positive(g, &y);
    }
}

BODY void reduce_body(const uint16_t *const *x_dy, const struct rci_bf16_run *r, size_t n,
                      const struct rci_bf16_channels *c, bool relu, double *sum)
{
    struct lanes l;
    get_lanes(&l, c);
    memset(sum, 0, 2 * LANES * sizeof(*sum));
    for (size_t i = 0; i < r->pixels;) {
        const size_t end = r->pixels - i < STRETCH ? r->pixels : i + STRETCH;
        vec part = {0}, product = {0};
        for (; i < end; i++) {
            vec x, g;
            read_both(&x, &g, x_dy, i * r->stride, n, &l, relu);
            part += g;
            product += g * (x - l.mean);
        }
        add_lanes(sum, &part);
        add_lanes(sum + LANES, &product);
    }
}

BODY void gradient_body(const uint16_t *const *x_dy, const struct rci_bf16_run *r, size_t n,
                        const struct rci_bf16_channels *c, bool relu, uint16_t *dx)
{
    struct lanes l;
    get_lanes(&l, c);
    for (size_t i = 0; i < r->pixels; i++) {
        vec x, g;
        read_both(&x, &g, x_dy, i * r->stride, n, &l, relu);
        g = g * l.slope - x * l.second - l.first;
        write(dx + i * r->stride, &g, n);
    }
}

/* Whole blocks and ReLU are constants in each copy of a loop. */
#define VARIANT(set, attribute, text)                                                             \
    attribute static void sum_##set(const uint16_t *x, const struct rci_bf16_run *r, double *sum) \
    {                                                                                             \
        if (r->lanes == LANES)                                                                    \
            sum_body(x, r, LANES, sum);                                                           \
        else                                                                                      \
            sum_body(x, r, r->lanes, sum);                                                        \
    }                                                                                             \
    attribute static void squares_##set(const uint16_t *x, const struct rci_bf16_run *r,          \
                                        const float *mean, double *sum)                           \
    {                                                                                             \
        if (r->lanes == LANES)                                                                    \
            squares_body(x, r, LANES, mean, sum);                                                 \
        else                                                                                      \
            squares_body(x, r, r->lanes, mean, sum);                                              \
    }                                                                                             \
    attribute static void apply_##set(const uint16_t *x, const struct rci_bf16_run *r,            \
                                      const struct rci_bf16_channels *c, bool relu, uint16_t *y)  \
    {                                                                                             \
        if (r->lanes != LANES)                                                                    \
            apply_body(x, r, r->lanes, c, relu, y);                                               \
        else if (relu)                                                                            \
            apply_body(x, r, LANES, c, true, y);                                                  \
        else                                                                                      \
            apply_body(x, r, LANES, c, false, y);                                                 \
    }                                                                                             \
    attribute static void reduce_##set(const uint16_t *const *x_dy, const struct rci_bf16_run *r, \
                                       const struct rci_bf16_channels *c, bool relu, double *sum) \
    {                                                                                             \
        if (r->lanes != LANES)                                                                    \
            reduce_body(x_dy, r, r->lanes, c, relu, sum);                                         \
        else if (relu)                                                                            \
            reduce_body(x_dy, r, LANES, c, true, sum);                                            \
        else                                                                                      \
            reduce_body(x_dy, r, LANES, c, false, sum);                                           \
    }                                                                                             \
    attribute static void gradient_##set(                                                         \
        const uint16_t *const *x_dy, const struct rci_bf16_run *r,                                \
        const struct rci_bf16_channels *c, bool relu, uint16_t *dx)                               \
    {                                                                                             \
        if (r->lanes != LANES)                                                                    \
            gradient_body(x_dy, r, r->lanes, c, relu, dx);                                        \
        else if (relu)                                                                            \
            gradient_body(x_dy, r, LANES, c, true, dx);                                           \
        else                                                                                      \
            gradient_body(x_dy, r, LANES, c, false, dx);                                          \
    }                                                                                             \
    static const struct rci_bf16_norm kernels_##set = {text,        sum_##set,    squares_##set,  \
                                                       apply_##set, reduce_##set, gradient_##set};

VARIANT(base, , "vector C, bf16")
#if defined(__x86_64__)
VARIANT(avx512, AVX512, "vector C, bf16, AVX-512")
#endif

const struct rci_bf16_norm *rci_bf16_norm(const struct rci_cpu *cpu)
{
#if defined(__x86_64__)
    /* vectors of 16-bit elements, which narrow() makes, are extensions of AVX-512F */
    if (cpu->avx512 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return &kernels_avx512;
#else
    (void) cpu;
#endif
    return &kernels_base;
}
