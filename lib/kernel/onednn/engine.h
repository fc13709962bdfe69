#ifndef RC_LIB_KERNEL_ONEDNN_ENGINE_H
#define RC_LIB_KERNEL_ONEDNN_ENGINE_H
/* oneDNN behind a version-neutral face. One engine per session: owns the oneDNN engine and stream,
 * and a pool of memory descriptors that live as long as it does. Nothing above kernel/ and op/
 * sees a oneDNN type. */
#include "kernel/cpu.h"
#include "tensor/tensor.h"

struct rci_md; /* a oneDNN memory descriptor in the engine's pool */
struct rci_engine;

rc_status rci_engine_new(struct rci_engine **out, struct rc_context *c);
void rci_engine_free(struct rci_engine *e);

/* Preparing is over: release what only that needed. */
void rci_engine_settle(struct rci_engine *e);

/* Start-up self-test, once per process, result cached: reorders with channel tails, fp32 and int8
 * convolutions against plain loops. RC_OK, or RC_ERR_BACKEND with what was wrong. Sessions fall
 * back to the reference path when it fails; doctor prints the text. The environment variable
 * RESCOMP_SELF_TEST=0 skips it, =fail fails it (to see what then happens). */
rc_status rci_engine_self_test(struct rc_context *c);

/* The same for who wants to compute: where the context's file of choices says that the test passed
 * on this machine, it is not run. */
rc_status rci_engine_trust(struct rc_context *c);

/* Plain row-major descriptor of a shape; two calls with equal arguments give the same pointer. */
rc_status rci_md_plain(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                       const struct rci_md **out);
/* Let the primitive choose. */
rc_status rci_md_any(struct rci_engine *e, enum rci_dtype d, const struct rci_shape *s,
                     const struct rci_md **out);
bool rci_md_equal(const struct rci_md *a, const struct rci_md *b);
size_t rci_md_bytes(const struct rci_md *md);
bool rci_md_is_plain(const struct rci_md *md); /* row-major, of the value's own type */
bool rci_md_is_bf16(const struct rci_md *md);  /* NULL is not */
/* Short text such as "aBcd16b" or "bf16 acdb" for profiles. buf >= 64 bytes. */
const char *rci_md_text(const struct rci_md *md, char *buf);

/* A prepared conversion between two layouts (or types) of one shape. Where the shapes differ but
 * hold as many elements (grouped weights have a fifth axis), the plain side is seen in the
 * other's shape. */
struct rci_reorder;
rc_status rci_reorder_new(struct rci_reorder **out, struct rci_engine *e, const struct rci_md *from,
                          const struct rci_md *to);
size_t rci_reorder_scratch(const struct rci_reorder *r);
rc_status rci_reorder_run(struct rci_reorder *r, const void *from, void *to, void *scratch);
void rci_reorder_free(struct rci_reorder *r);
#endif
