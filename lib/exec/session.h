#ifndef RC_LIB_EXEC_SESSION_H
#define RC_LIB_EXEC_SESSION_H
/* A compiled graph for inference. Compiling clones the graph, runs the session passes (fold_const,
 * drop_identity, fold_affine, shortcut_conv, fuse_post, lower_int8), asks every operator to
 * prepare, places reorders and puts all values into one arena by lifetimes. Running allocates
 * nothing. The graph is only read while compiling. */
#include "graph/graph.h"
#include <rescomp/session.h>

enum { /* flags of struct rci_session_config, besides the public ones */
       RC_SESSION_NO_PASSES = 1 << 16,    /* run the graph as it is (tests, calibration) */
       RC_SESSION_REFERENCE_OPS = 1 << 17 /* plain-C forward for every operator */
};

struct rci_session_config {
    int64_t batch;    /* largest batch; required */
    int64_t part;     /* images that go through the steps together; 0: chosen (part.c) */
    uint32_t threads; /* 0: the context's */
    uint64_t flags;
    bool repeatable;       /* kernels by a fixed rule, not by timing: the same bits in every run */
    const rci_id *observe; /* extra values (ids of the caller's graph) to be kept as outputs */
    uint32_t n_observe;
};

rc_status rci_session_new(struct rc_session **out, const struct rc_graph *g,
                          const struct rci_session_config *o);
/* The same from a graph that nobody needs afterwards: it is taken over, also on failure. Its
 * weights are scaled in place and each is released when it is packed: half the memory. */
rc_status rci_session_create_taking(struct rc_session **out, struct rc_graph *g,
                                    const struct rci_session_config *o);
bool rci_session_valid(const struct rc_session *s); /* magic */
void rci_session_free(struct rc_session *s);

/* Shapes are at the compiled batch. Outputs: the graph's, then the observed values. */
uint32_t rci_session_n_inputs(const struct rc_session *s);
uint32_t rci_session_n_outputs(const struct rc_session *s);
const struct rci_tensor *rci_session_input(const struct rc_session *s, uint32_t i);
const struct rci_tensor *rci_session_output(const struct rc_session *s, uint32_t i);
const char *rci_session_input_name(const struct rc_session *s, uint32_t i);
const char *rci_session_output_name(const struct rc_session *s, uint32_t i);
/* Arrays hold as many images as are run; else always the whole shape. */
bool rci_session_input_batched(const struct rc_session *s, uint32_t i);
bool rci_session_output_batched(const struct rc_session *s, uint32_t i);

/* Images that go through the steps together, and how often steps run for a whole batch. */
int64_t rci_session_part(const struct rc_session *s);
int64_t rci_session_parts(const struct rc_session *s);

/* Run `n` <= batch images. in[i]/out[i]: plain row-major arrays of n images (an output without a
 * batch axis: whole). Outputs may be NULL to skip. Not thread safe per session. */
rc_status rci_session_run(struct rc_session *s, int64_t n, const void *const *in, void *const *out);

/* Copy the weights of `g` (same structure as at compile time, new values) into the session. */
rc_status rci_session_refresh(struct rc_session *s, const struct rc_graph *g);

/* Steps for profiles and tests: reorders are steps named "reorder". */
uint32_t rci_session_n_steps(const struct rc_session *s);
struct rci_step_info {
    const char *name, *op, *layout; /* node name, operator, output layout text */
    const char *kernel;             /* implementation name, "plain C", "reorder" */
    double seconds;                 /* accumulated while profiling */
    uint64_t runs, macs, bytes;
};
void rci_session_step(const struct rc_session *s, uint32_t i, struct rci_step_info *out);
void rci_session_profile(struct rc_session *s, bool on); /* off by default; resets when turned on */
size_t rci_session_arena_bytes(const struct rc_session *s);
size_t rci_session_weight_bytes(const struct rc_session *s);
#endif
