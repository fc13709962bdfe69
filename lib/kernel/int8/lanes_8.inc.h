/* What the integer kernels of 8 lanes share, see kernel/int8/tiles.inc.h. No include guard on
 * purpose. */
#define LANES 8
#define ROWS 6
#define INTS __m256i
#define FLOATS __m256
#define OP(f) _mm256_##f
#define LOAD(p) _mm256_loadu_si256((const __m256i *) (p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *) (p), (v))
#define LOAD_U8(p) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (p)))
#define LOAD_S8(p) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *) (p)))
#define STORE_BYTES(p, v, w) NAME(store_bytes)((p), (v), (w))

static inline __attribute__((always_inline)) void NAME(store_bytes)(uint8_t *p, __m256i v,
                                                                    __m256i w)
{
    const __m256i byte = _mm256_set1_epi32(0xff);
    const __m256i half = _mm256_packus_epi32(_mm256_and_si256(v, byte), _mm256_and_si256(w, byte));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5); /* v, w: half a lane each */
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(half, half), order);
    _mm_storeu_si128((__m128i *) (void *) p, _mm256_castsi256_si128(bytes));
}
