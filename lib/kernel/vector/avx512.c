/* f32 kernels, 16 lanes. */
#include "kernel/vector/vector.h"
#if RC_VECTOR_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include "kernel/vector/lanes_16.inc.h"
#include <immintrin.h>
#define LOAD_TAIL(p, tail) _mm512_maskz_loadu_ps((tail), (p))
#define STORE_TAIL(p, tail, v) _mm512_mask_storeu_ps((p), (tail), (__m512) (v))
#define HALF &rci_vector_avx512vl
#define SET_NAME "avx512"
#define NAME(f) f##_avx512
#include "kernel/vector/set.inc.h"
#endif
