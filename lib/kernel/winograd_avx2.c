/* Winograd tiles, 8 lanes. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define LANES 8
#define ROWS 6
#define FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define NAME(f) f##_avx2
#include "kernel/winograd_tiles.h"
#endif
typedef int rc_winograd_avx2_here; /* ISO C wants a declaration where there is no such set */
