/* Integer kernels, 8 lanes, of 16-bit products. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx2,fma")
#define SET_NAME "avx2"
#define DOT16(a, x, w) _mm256_add_epi32((a), _mm256_madd_epi16((x), (w)))
#define HAS_DOT8 0
#define DIRECT_ONLY 0
#define NAME(f) f##_avx2
#include "kernel/int8/lanes_8.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
