/* What the integer kernels of 16 lanes share, see kernel/int8/tiles.inc.h. No include guard on
 * purpose. */
#define LANES 16
#define ROWS 12
#define INTS __m512i
#define FLOATS __m512
#define OP(f) _mm512_##f
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512((p), (v))
#define LOAD_U8(p) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) (p)))
#define LOAD_S8(p) _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *) (p)))
#define STORE_BYTES(p, v, w)                                            \
    do {                                                                \
        _mm_storeu_si128((__m128i *) (p), _mm512_cvtepi32_epi8(v));     \
        _mm_storeu_si128((__m128i *) (p) + 1, _mm512_cvtepi32_epi8(w)); \
    } while (0)
