/* Which vector code this processor runs, and what its kernels have in common. */
#include "kernel/vector.h"

#include <string.h>

const struct rc_vector_code *rc_vector_code_here(bool narrow)
{
#if RC_VECTOR_SETS
    switch (rc_cpu_lanes()) {
    case 16:
        return narrow ? &rc_vector_avx512vl : &rc_vector_avx512;
    case 8:
        return narrow ? NULL : &rc_vector_avx2;
    }
#endif
    (void) narrow;
    return NULL;
}

void rc_vector_pack_bias(const float *plain, int64_t channels, float *packed, size_t bytes)
{
    const size_t used = (size_t) channels * sizeof(float);
    memcpy(packed, plain, used);
    memset(packed + channels, 0, bytes - used);
}
