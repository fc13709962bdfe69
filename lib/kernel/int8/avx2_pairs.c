/* Direct integer kernels, 8 lanes, of 8-bit products whose neighbours are added in 16 bits: for
 * weights that are safe in pairs (kernel/int8/pairs.h). */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx2,fma")
#define SET_NAME "avx2-pairs"
#define DOT16(a, x, w) _mm256_add_epi32((a), _mm256_madd_epi16((x), (w)))
#define HAS_DOT8 1
#define DOT8(a, x, w) DOT16(a, _mm256_maddubs_epi16((x), (w)), _mm256_set1_epi16(1))
#define DIRECT_ONLY 1
#define NAME(f) f##_avx2_pairs
#include "kernel/int8/lanes_8.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
