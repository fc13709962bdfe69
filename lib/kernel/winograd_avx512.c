/* Winograd tiles, 16 lanes. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include <immintrin.h>
#define LANES 16
#define ROWS 12
#define FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define NAME(f) f##_avx512
#include "kernel/winograd_tiles.h"
#endif
typedef int rc_winograd_avx512_here; /* ISO C wants a declaration where there is no such set */
