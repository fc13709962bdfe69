/* f32 kernels, 8 lanes with the registers and masks of AVX-512: for the last channels where they
 * fill no more than half of 16 lanes. */
#include "kernel/vector/vector.h"
#if RC_VECTOR_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include <immintrin.h>
#define LANES 8
#define ROWS 12
#define ROWS_1 24
#define BROADCAST(x) _mm256_set1_ps(x)
/* of two operands one of which is NaN the second is taken */
#define MAX(a, b) _mm256_max_ps((a), (b))
#define FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define TAIL __mmask8
#define TAIL_OF(n) ((__mmask8) ((1u << (n)) - 1))
#define LOAD_TAIL(p, tail) _mm256_maskz_loadu_ps((tail), (p))
#define STORE_TAIL(p, tail, v) _mm256_mask_storeu_ps((p), (tail), (__m256) (v))
#define HALF NULL
#define SET_NAME "avx512vl"
#define NAME(f) f##_avx512vl
#include "kernel/vector/set.inc.h"
#endif
