/* Winograd's kernels on bfloat16 activations: products of pairs by vdpbf16ps, sums and transforms
 * in float. Rounding what is multiplied costs F(4x4, 3x3) 1 % of the output (root of the mean
 * square) with these points, 2 % with 1 and 2: the transforms' largest numbers are smaller. */
#include "kernel/vector/vector.h"
#if RC_VECTOR_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512bf16,fma")
#include "kernel/vector/lanes_16.inc.h"
#include "kernel/winograd/code.h"
#include <immintrin.h>
#define LOAD_TAIL(p, tail) widened(_mm256_maskz_loadu_epi16((tail), (p)))
#define STORE_TAIL(p, tail, v) _mm256_mask_storeu_epi16((p), (tail), rounded((__m512) (v)))
#define HALF NULL
#define SET_NAME "avx512bf16"
#define NAME(f) f##_bf16

#define ELEM uint16_t
#define WORD 2
#define LOAD_WHOLE(p) widened(_mm256_loadu_si256((const void *) (p)))
#define STORE_WHOLE(p, v) _mm256_storeu_si256((void *) (p), rounded((__m512) (v)))
#define STORE_WORDS(p, v, half) store_words((p), (__m512) (v), (half))
#define ADD_MAC(acc, x, w) __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w))
#define P 1.41421356f
#define Q 0.707106781f

static inline __m512 widened(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

/* To nearest even. */
static inline __m256i rounded(__m512 v)
{
    return (__m256i) _mm512_cvtneps_pbh(v);
}

static inline __attribute__((always_inline)) void store_words(float *p, __m512 v, const int half)
{
    if (half == RC_ALL_HALVES) {
        _mm256_storeu_si256((void *) p, rounded(v));
        return;
    }
    __m512i words = _mm512_cvtepu16_epi32(rounded(v));
    if (half == RC_SECOND_HALF)
        words = _mm512_or_si512(_mm512_slli_epi32(words, 16), _mm512_loadu_si512(p));
    _mm512_storeu_si512(p, words);
}

#include "kernel/vector/set.inc.h"
#endif
