/* Integer kernels, 16 lanes, with VNNI. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512vnni,fma")
#include <immintrin.h>
#define SET_NAME "vnni"
#define DOT16(a, x, w) _mm512_dpwssd_epi32((a), (x), (w))
#define HAS_DOT8 1
#define DOT8(a, x, w) _mm512_dpbusd_epi32((a), (x), (w))
#define NAME(f) f##_vnni
#include "kernel/int8/lanes_16.inc.h"
#include "kernel/int8/tiles.inc.h"
#endif
