/* As kernel/int8/avx2_pairs.c, 16 lanes. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx512f,avx512dq,avx512vl,avx512bw,fma")
#define SET_NAME "avx512-pairs"
#define DOT16(a, x, w) _mm512_add_epi32((a), _mm512_madd_epi16((x), (w)))
#define HAS_DOT8 1
#define DOT8(a, x, w) DOT16(a, _mm512_maddubs_epi16((x), (w)), _mm512_set1_epi16(1))
#define DIRECT_ONLY 1
#define NAME(f) f##_avx512_pairs
#include "kernel/int8/lanes_16.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
