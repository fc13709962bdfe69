/* Philox 4x32-10: ten rounds of (hi, lo) products and xors turn a 128-bit counter and a 64-bit key
 * into four random words. */
#include "base/rng.h"

#include <math.h>

static void round_once(uint32_t c[4], const uint32_t k[2])
{
    const uint64_t p0 = (uint64_t) 0xD2511F53u * c[0], p1 = (uint64_t) 0xCD9E8D57u * c[2];
    const uint32_t n0 = (uint32_t) (p1 >> 32) ^ c[1] ^ k[0],
                   n2 = (uint32_t) (p0 >> 32) ^ c[3] ^ k[1];
    c[0] = n0;
    c[1] = (uint32_t) p1;
    c[2] = n2;
    c[3] = (uint32_t) p0;
}

static void refill(struct rci_rng *r)
{
    uint32_t k[2] = {(uint32_t) r->seed, (uint32_t) (r->seed >> 32)};
    r->buffer[0] = (uint32_t) r->counter;
    r->buffer[1] = (uint32_t) (r->counter >> 32);
    r->buffer[2] = (uint32_t) r->stream;
    r->buffer[3] = (uint32_t) (r->stream >> 32);
    for (int i = 0; i < 10; i++) {
        round_once(r->buffer, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    r->counter++;
    r->used = 0;
}

/* Two names become one 64-bit stream by the finaliser of SplitMix64, which is a bijection. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

struct rci_rng rci_rng_make(uint64_t seed, uint64_t a, uint64_t b)
{
    return (struct rci_rng){.seed = seed, .stream = mix(mix(a) ^ b), .used = 4};
}

uint32_t rci_rng_u32(struct rci_rng *r)
{
    if (r->used >= 4)
        refill(r);
    return r->buffer[r->used++];
}

/* Lemire's multiplication with rejection of the few values that would be too frequent. */
uint32_t rci_rng_below(struct rci_rng *r, uint32_t n)
{
    uint64_t m = (uint64_t) rci_rng_u32(r) * n;
    const uint32_t threshold = (uint32_t) (-n) % n;
    while ((uint32_t) m < threshold)
        m = (uint64_t) rci_rng_u32(r) * n;
    return (uint32_t) (m >> 32);
}

double rci_rng_uniform(struct rci_rng *r)
{
    const uint64_t hi = rci_rng_u32(r), lo = rci_rng_u32(r);
    return (double) ((hi << 32 | lo) >> 11) * 0x1p-53;
}

/* Box-Muller; the second value is dropped so that a stream has no hidden state. */
double rci_rng_normal(struct rci_rng *r)
{
    const double u = 1 - rci_rng_uniform(r), v = rci_rng_uniform(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", TOMS 26, 2000. */
double rci_rng_gamma(struct rci_rng *r, double shape)
{
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    const double boost = shape < 1 ? pow(1 - rci_rng_uniform(r), 1 / shape) : 1;
    for (;;) {
        const double x = rci_rng_normal(r), u = 1 - rci_rng_uniform(r), v = 1 + c * x;
        const double cube = v * v * v;
        if (v > 0 && log(u) < x * x / 2 + d - d * cube + d * log(cube))
            return d * cube * boost;
    }
}

double rci_rng_beta(struct rci_rng *r, double a)
{
    const double x = rci_rng_gamma(r, a), y = rci_rng_gamma(r, a);
    return x + y > 0 ? x / (x + y) : (double) rci_rng_below(r, 2); /* both too small for a double */
}

void rci_rng_shuffle(struct rci_rng *r, uint32_t *items, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = rci_rng_below(r, i), keep = items[i - 1];
        items[i - 1] = items[j];
        items[j] = keep;
    }
}
