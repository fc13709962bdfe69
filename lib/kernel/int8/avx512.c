/* Integer kernels, 16 lanes, without VNNI: of 16-bit products. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx512f,avx512dq,avx512vl,avx512bw,fma")
#define SET_NAME "avx512"
#define DOT16(a, x, w) _mm512_add_epi32((a), _mm512_madd_epi16((x), (w)))
#define HAS_DOT8 0
#define DIRECT_ONLY 0
#define NAME(f) f##_avx512
#include "kernel/int8/lanes_16.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
