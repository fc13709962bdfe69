/* The multiply peak of the processor: independent fused multiply-adds on registers. */
#include "peak.h"

#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { ROUNDS = 20000, CHAINS = 12 };

/* Twelve chains, as two units with a latency of four to six cycles need. */
#define SPIN(vector, set, fmadd, lanes)                                                     \
    const vector x = set(0.9999f), y = set(1e-4f);                                          \
    vector a = set(1), b = set(2), c = set(3), d = set(4), e = set(5), f = set(6);          \
    vector g = set(7), h = set(8), i = set(9), j = set(10), k = set(11), l = set(12);       \
    for (int n = 0; n < ROUNDS; n++) {                                                      \
        a = fmadd(a, x, y), b = fmadd(b, x, y), c = fmadd(c, x, y), d = fmadd(d, x, y);     \
        e = fmadd(e, x, y), f = fmadd(f, x, y), g = fmadd(g, x, y), h = fmadd(h, x, y);     \
        i = fmadd(i, x, y), j = fmadd(j, x, y), k = fmadd(k, x, y), l = fmadd(l, x, y);     \
    }                                                                                       \
    __asm__ volatile("" : : "v"(a), "v"(b), "v"(c), "v"(d), "v"(e), "v"(f)); /* are used */ \
    __asm__ volatile("" : : "v"(g), "v"(h), "v"(i), "v"(j), "v"(k), "v"(l));                \
    return (double) ROUNDS * CHAINS * (lanes)

__attribute__((target("avx512f"))) static double spin_avx512(void)
{
    SPIN(__m512, _mm512_set1_ps, _mm512_fmadd_ps, 16);
}

__attribute__((target("avx2,fma"))) static double spin_avx2(void)
{
    SPIN(__m256, _mm256_set1_ps, _mm256_fmadd_ps, 8);
}

static double (*best_spin(void))(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return spin_avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? spin_avx2 : 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

double peak_multiply_adds(uint64_t threads)
{
    double (*spin)(void) = best_spin();
    double best = 0;
    for (int i = 0; spin && i < 5; i++) { /* the best: others may want the processor too */
        double all = 0;
#pragma omp parallel num_threads((int) threads) reduction(+ : all)
        {
            const double begin = now();
            double done = 0, took = 0;
            while (took < 0.01) {
                done += spin();
                took = now() - begin;
            }
            all += done / took;
        }
        best = all > best ? all : best;
    }
    return best;
}
#else
double peak_multiply_adds(uint64_t threads)
{
    (void) threads;
    return 0;
}
#endif
