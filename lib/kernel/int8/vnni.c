/* Integer kernels, 16 lanes, with VNNI. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_SETS
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx512f,avx512dq,avx512vl,avx512bw,avx512vnni,fma")
#define SET_NAME "vnni"
#define DOT16(a, x, w) _mm512_dpwssd_epi32((a), (x), (w))
#define HAS_DOT8 1
#define DOT8(a, x, w) _mm512_dpbusd_epi32((a), (x), (w))
#define DIRECT_ONLY 0
#define NAME(f) f##_vnni
#include "kernel/int8/lanes_16.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
