/* Which vector code this processor runs. */
#include "kernel/vector.h"

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
