/* Integer kernels, 16 lanes, without VNNI. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#include <immintrin.h>
#define SET_NAME "avx512"
#define DOT16(a, x, w) _mm512_add_epi32((a), _mm512_madd_epi16((x), (w)))
#define HAS_DOT8 0
#define NAME(f) f##_avx512
#include "kernel/int8/lanes_16.inc.h"
#include "kernel/int8/tiles.inc.h"
#endif
