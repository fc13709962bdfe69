/* Integer kernels, 8 lanes. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define SET_NAME "avx2"
#define LANES 8
#define ROWS 6
#define TILES 2
#define INTS __m256i
#define FLOATS __m256
#define OP(f) _mm256_##f
#define LOAD(p) _mm256_loadu_si256((const __m256i *) (p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *) (p), (v))
#define LOAD_U8(p) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (p)))
#define LOAD_S8(p) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *) (p)))
#define STORE_8(p, v) store_8((p), (v))
#define DOT16(a, x, w) _mm256_add_epi32((a), _mm256_madd_epi16((x), (w)))
#define HAS_DOT8 0
#define NAME(f) f##_avx2

static inline void store_8(uint8_t *p, __m256i v)
{
    const __m256i low = _mm256_and_si256(v, _mm256_set1_epi32(0xff));
    const __m128i half =
        _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64((__m128i *) p, _mm_packus_epi16(half, half));
}
#include "kernel/int8/tiles.inc.h"
#endif
