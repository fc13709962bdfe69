#ifndef RC_LIB_KERNEL_CPU_H
#define RC_LIB_KERNEL_CPU_H
/* This processor: the one place that asks the system for it. The environment variable RESCOMP_CPU
 * gives what it should be taken for instead, so that choices that depend on it can be tested, and
 * reproduced, on any machine:
 *     RESCOMP_CPU=l1=32K,l2=512K,l3=32M,cores=8,isa=avx2
 * each part being optional. Sizes are those of struct rci_cpu; `isa` is a name that
 * ONEDNN_MAX_CPU_ISA has, in any case, and can only take away. */
#include "base/context.h"

struct rci_cpu {
    char model[64]; /* processor name */
    char isa[32];   /* "AVX2", "AVX-512 VNNI", ...: what oneDNN uses, or less if given */
    char given[96]; /* RESCOMP_CPU; "": nothing */
    int lanes;      /* floats per vector of our kernels: 16 AVX-512, 8 AVX2, 0 neither */
    bool avx512;
    bool vnni;      /* vpdpbusd on 512 bits */
    bool avx_vnni;  /* the same on 256 bits, in the VEX form that needs no AVX-512 */
    bool bf16;      /* vdpbf16ps, or amx */
    bool amx;       /* products in tiles, many times faster than bf16 in vectors */
    size_t l1, l2;  /* data caches of a core [bytes] */
    size_t l3;      /* shared by the cores; 0: there is none [bytes] */
    uint32_t cores; /* logical processors that this process may use */
};

/* The processor as `given`, in the syntax above, describes it; NULL or "": as the system does.
 * Lives as long as the process. RC_ERR_ARG naming RESCOMP_CPU and the part that is wrong;
 * RC_ERR_LIMIT after 64 different ones. Thread safe. */
rc_status rci_cpu_find(const struct rci_cpu **out, const char *given);
/* c->cpu of a new context: what RESCOMP_CPU says. The first one in a process holds oneDNN to the
 * instruction set too. */
rc_status rci_cpu_open(struct rc_context *c);

/* vpdpbusd of either form: 8-bit products that never saturate. */
static inline bool rci_cpu_dot8(const struct rci_cpu *cpu)
{
    return cpu->vnni || cpu->avx_vnni;
}

/* bf16 products in vectors are the fastest there are. */
static inline bool rci_cpu_bf16_vectors(const struct rci_cpu *cpu)
{
    return cpu->bf16 && !cpu->amx;
}

/* A thread's part of the third-level cache, when `threads` work. [bytes] */
static inline size_t rci_cpu_l3_share(const struct rci_cpu *cpu, uint32_t threads)
{
    return cpu->l3 / (threads ? threads : 1);
}

/* Vendor, family, model, stepping, instruction set, vector width and caches, on one line: times
 * that were measured hold for equal ones. */
enum { RC_CPU_IDENTITY = 128 };
void rci_cpu_identity(const struct rci_cpu *cpu, char out[RC_CPU_IDENTITY]);
/* RC_OK, or RC_ERR_UNSUPPORTED naming the processor and the instruction set in use. */
rc_status rci_cpu_check_bf16(const struct rci_cpu *cpu);
/* "2.6.3" */
enum { RC_ONEDNN_VERSION = 32 };
void rci_onednn_version(char text[RC_ONEDNN_VERSION]);
#endif
