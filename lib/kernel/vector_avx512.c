/* f32 kernels, 16 lanes. */
#include "kernel/vector.h"
#if RC_VECTOR_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include <immintrin.h>
#define LANES 16
#define ROWS 12
#define ROWS_1 16
#define BROADCAST(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define TAIL __mmask16
#define TAIL_OF(n) ((__mmask16) ((1u << (n)) - 1))
#define LOAD_TAIL(p, tail) _mm512_maskz_loadu_ps((tail), (p))
#define STORE_TAIL(p, tail, v) _mm512_mask_storeu_ps((p), (tail), (__m512) (v))
#define HALF &rc_vector_avx512vl
#define SET_NAME "avx512"
#define NAME(f) f##_avx512
#include "kernel/vector_set.h"
#endif
