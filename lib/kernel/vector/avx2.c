/* f32 kernels, 8 lanes. */
#include "kernel/vector/vector.h"
#if RC_VECTOR_SETS
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#include <math.h>
#define LANES 8
#define ROWS 6
#define ROWS_1 12
#define BROADCAST(x) _mm256_set1_ps(x)
/* of two operands one of which is NaN the second is taken */
#define MAX(a, b) _mm256_max_ps((a), (b))
#define FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define TAIL __m256i
#define TAIL_OF(n) \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int) (n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_TAIL(p, tail) _mm256_maskload_ps((p), (tail))
#define STORE_TAIL(p, tail, v) _mm256_maskstore_ps((p), (tail), (__m256) (v))
#define HALF NULL
#define SET_NAME "avx2"
#define NAME(f) f##_avx2
#include "kernel/vector/set.inc.h"
#endif
