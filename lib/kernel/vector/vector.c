/* Which vector code this processor runs, and what its kernels have in common. */
#include "kernel/vector/vector.h"

#include <string.h>

const struct rci_vector_code *rci_vector_code_here(const struct rci_cpu *cpu, enum rci_dtype type)
{
#if RC_VECTOR_SETS
    if (type == RC_BF16)
        return rci_cpu_bf16_vectors(cpu) ? &rci_vector_bf16 : NULL;
    if (type != RC_F32)
        return NULL;
    switch (cpu->lanes) {
    case 16:
        return &rci_vector_avx512;
    case 8:
        return &rci_vector_avx2;
    }
#endif
    (void) cpu;
    (void) type;
    return NULL;
}

struct rci_vector_runs rci_vector_runs(const struct rci_vector_code *code, int64_t first,
                                       int64_t end)
{
    const int64_t left = (end - first) % code->lanes;
    const bool half = left && code->half && left <= code->half->lanes;
    const int64_t whole = end - left + (left && !half ? code->lanes : 0);
    struct rci_vector_runs r = {.count = 0};
    if (whole > first)
        r.run[r.count++] = (struct rci_vector_run){code, first, whole};
    if (half)
        r.run[r.count++] = (struct rci_vector_run){code->half, whole, whole + code->half->lanes};
    return r;
}

void rci_vector_pack_bias(const float *plain, int64_t channels, float *packed, size_t bytes)
{
    const size_t used = (size_t) channels * sizeof(float);
    memcpy(packed, plain, used);
    memset(packed + channels, 0, bytes - used);
}
