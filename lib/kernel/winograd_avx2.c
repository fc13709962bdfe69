/* Winograd tiles, 8 lanes. */
#include "kernel/winograd_code.h"
#if RC_WINOGRAD_SETS
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define LANES 8
#define ROWS 6
#define BROADCAST(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define SET_NAME "winograd:avx2"
#define NAME(f) f##_avx2
#include "kernel/winograd_set.h"
#endif
