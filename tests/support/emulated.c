/* The vector code for AVX-VNNI on any processor with AVX2: the source of lib/kernel/int8 with its
 * product of four bytes put together from 16-bit ones. */
#include "emulated.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx2,fma")
#define SET_NAME "emulated"
#define DOT16(a, x, w) _mm256_add_epi32((a), _mm256_madd_epi16((x), (w)))
#define HAS_DOT8 1
#define DOT8(a, x, w) dot_of_bytes((a), (x), (w))
#define DIRECT_ONLY 0
#define NAME(f) f##_emulated

/* a + the sum of four u8 * s8, exact for all bytes, as vpdpbusd gives it. */
static inline __attribute__((always_inline)) __m256i dot_of_bytes(__m256i a, __m256i x, __m256i w)
{
    const __m256i even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
    const __m256i odd = _mm256_srli_epi16(x, 8);
    const __m256i w_even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
    a = DOT16(a, even, w_even);
    return DOT16(a, odd, _mm256_srai_epi16(w, 8));
}
#include "kernel/int8/lanes_8.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
