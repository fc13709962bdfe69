/* Integer kernels, 8 lanes, with AVX-VNNI: client processors without AVX-512. */
#include "kernel/int8/qkernel.h"
#if RC_QKERNEL_AVX_VNNI
#include "kernel/int8/target.h"
#include <immintrin.h>
RC_TARGET("avx2,avxvnni,fma")
#define SET_NAME "avx-vnni"
#define DOT16(a, x, w) _mm256_dpwssd_avx_epi32((a), (x), (w))
#define HAS_DOT8 1
#define DOT8(a, x, w) _mm256_dpbusd_avx_epi32((a), (x), (w))
#define DIRECT_ONLY 0
#define NAME(f) f##_avx_vnni
#include "kernel/int8/lanes_8.inc.h"
#include "kernel/int8/tiles.inc.h"
RC_TARGET_END
#endif
