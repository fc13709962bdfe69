#ifndef RC_LIB_KERNEL_PREP_H
#define RC_LIB_KERNEL_PREP_H
/* The fast path of an operator. op->prepare() is asked once per session: it builds oneDNN
 * primitives (or picks a kernel of ours) and answers which memory layouts it wants;
 * run/run_backward then only execute. The session inserts reorders where a producer's layout and a
 * reader's wish differ, owns every buffer, and hands out one scratchpad. prepare may return
 * RC_ERR_UNSUPPORTED, and then leaves no state behind: the session falls back to
 * op->forward/backward on plain layouts. */
#include "graph/graph.h"
#include "kernel/onednn/engine.h"
#include "kernel/sync.h"

/* Layouts are `const struct rci_md *` owned by the engine's pool (kernel/onednn/engine.h); NULL =
 * plain
 * row-major of the value's shape. */
struct rci_step_io {
    void *state;
    void *const *in; /* operands in the wanted layouts; NULL where absent */
    void *const *out;
    void *saved;   /* `saved` bytes, kept from forward to backward */
    void *scratch; /* max over all steps of `scratch`, 64-byte aligned */
    /* backward only */
    void *const *d_out;
    void *const *d_in; /* NULL where not needed; overwritten */
};

/* A session's constant that the operator packs itself. Every byte of `packed` is written. */
struct rci_packing {
    size_t bytes; /* 0: packed into the layout that is wanted */
    void (*pack)(const void *state, const void *plain, void *packed);
};

enum { RC_PREP_MAX = 16 }; /* operands of a node with a fast path */

/* What prepare is asked. Nothing below asks the system or the environment for any of it. Good for
 * the call only, but for engine, g, node, cpu and sync. */
struct rci_request {
    struct rci_engine *engine;
    const struct rc_graph *g;
    const struct rci_node *node;
    const struct rci_tensor *in; /* shapes at the session's batch; data for constants */
    const struct rci_tensor *out;
    const struct rci_md *const *have;   /* layout in which each operand arrives; NULL: plain.
                                          bf16 ones are shown to operators with RC_OP_BF16.
                                          Constants are always plain and are packed by the
                                          session: once, or at every step in training */
    bool training;                      /* prepare backward too and keep what it needs */
    bool frozen_stats;                  /* training, but BatchNormalization uses its running
                                           statistics and leaves them alone */
    bool bf16;                          /* compute in bf16 where there is a kernel for it;
                                           layouts then are bf16 ones, values stay f32 */
    bool repeatable;                    /* choose among kernels that differ in rounding by a
                                           fixed rule, not by timing */
    bool mixed;                         /* integer layers may compute in f32 */
    uint32_t threads;                   /* that will run it, at least 1 */
    const struct rci_cpu *cpu;          /* what it will run on */
    const char *winograd, *int8_kernel; /* what RESCOMP_WINOGRAD and RESCOMP_INT8_KERNEL say, or
                                           NULL */
    const bool *needs_grad;             /* [n_in] */
    const struct rci_sync *sync;        /* training: batch statistics are those of all ranks;
                                          NULL: one process. Lives as long as `state` */
};

/* What prepare answers. Zero and NULL on entry, but for in_place. */
struct rci_prep {
    const struct rci_md *want[RC_PREP_MAX];   /* layout needed per operand; NULL: plain */
    struct rci_packing packing[RC_PREP_MAX];  /* goes before `want`; not in training */
    const struct rci_md *out_md[RC_PREP_MAX]; /* layout of each output; NULL: plain */
    int32_t in_place;   /* operand whose buffer out[0] overwrites, or -1 (set to -1 on entry).
                           The session honours it only if that value dies here; otherwise it
                           copies the operand into out[0] before run */
    bool values_at_run; /* new values of constants need only be packed anew, ... */
    /* ... where this is true of operand 1's. NULL: always */
    bool (*suits)(const void *state, const void *weights);
    size_t scratch, saved; /* [bytes] */
    const char *impl;      /* implementation name for profiles; lives as long as `state`, or NULL */
    void *state;           /* from rci_alloc; released by free */
    rc_status (*run)(const struct rci_step_io *io);
    bool team; /* all threads of a parallel region call `run`, which divides its work
                  by an orphaned "omp for nowait" and cannot fail; the session waits
                  for all of them behind it. Neighbours that do so share
                  one region: beginning one takes as long as a small layer */
    void (*free)(void *state);

    /* backward: layouts of the gradients. d_out arrives in d_out_md (NULL: out_md[i] when set,
     * plain otherwise); d_in[i] is written in d_in_md[i] (NULL: want[i]). The forward operands that
     * backward reads again, as bits (bit i = in[i], bit 16+i = out[i]): others are not kept. */
    const struct rci_md *d_out_md[RC_PREP_MAX];
    const struct rci_md *d_in_md[RC_PREP_MAX];
    uint32_t backward_reads;
    size_t backward_scratch;
    rc_status (*run_backward)(const struct rci_step_io *io);
    /* Computes the outputs once more for backward, from the operands and what was saved, with no
     * effect on anything else; NULL: `run` is like that. */
    rc_status (*run_again)(const struct rci_step_io *io);
    /* A second packed copy of constants for backward (convolution weights): NULL = same as want. */
    const struct rci_md *want_backward[RC_PREP_MAX];
};
#endif
