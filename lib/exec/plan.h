#ifndef RC_LIB_EXEC_PLAN_H
#define RC_LIB_EXEC_PLAN_H
/* What sessions and tapes share: steps, the buffers ("slots") they touch, and where these live.
 * Planning appends slots and steps in execution order; rci_plan_finish() derives every slot's
 * lifetime from the steps, places all in one arena and writes the addresses into the steps. After
 * that a step is one call with prebuilt arguments. */
#include "kernel/prep.h"
#include "kernel/team.h"

enum rci_place {
    RC_AT_ARENA = 0,
    RC_AT_CONST,  /* a constant of the graph */
    RC_AT_OWN,    /* memory of the plan that lives as long as it: packed weights, outputs */
    RC_AT_CALLER, /* an array that comes with each run */
    RC_AT_TAPE    /* memory of the tape, which lives as long as the plan */
};

enum rci_caller { RC_CALLER_INPUT = 0, RC_CALLER_OUTPUT, RC_CALLER_D_OUT, RC_CALLER_KINDS };

struct rci_slot {
    const struct rci_md *md; /* NULL: plain */
    size_t bytes;
    rci_id value;         /* whose contents, or RC_NONE */
    uint32_t root;        /* slot whose memory this is: itself, unless a view or in place */
    uint32_t next_copy;   /* the same value in another layout */
    enum rci_place place; /* these four count only in the root */
    enum rci_caller caller;
    uint32_t io;          /* number of the caller's array */
    uint32_t pending;     /* readers still to be planned */
    bool kept;            /* backward reads it: must not be overwritten */
    uint32_t first, last; /* steps that touch it */
    size_t offset;        /* in the arena */
    void *data;
    const struct rci_packing *how; /* a constant that its operator packs, with this state */
    const void *state;
};

enum rci_step_kind {
    RC_STEP_FAST,    /* a prepared operator */
    RC_STEP_PLAIN,   /* op->forward or op->backward */
    RC_STEP_REORDER, /* to another layout */
    RC_STEP_COPY,    /* bytes; zeros when the caller gave no array */
    RC_STEP_ADD,     /* out = in[0] + in[1], any common layout */
    RC_STEP_JOIN,    /* out = max(in[0] + in[1], 0), in[1] may be absent; training only */
    RC_STEP_MASK     /* out = in[2] > 0 ? in[0] + in[1] : 0, the gradient of that */
};

struct rci_step {
    enum rci_step_kind kind;
    bool backward, bf16;         /* bf16: add, join and mask in that type */
    bool team;                   /* prep->team */
    bool again;                  /* a forward step repeated for backward; borrows its reorder */
    const struct rci_node *node; /* NULL for moves */
    uint32_t n_in, n_out, n_ref;
    uint32_t *ref;             /* slots: in, out, then d_out, d_in when backward, then saved */
    void **at;                 /* their addresses; NULL where ref is RC_NONE */
    struct rci_tensor *tensor; /* RC_STEP_PLAIN: the same with shapes */
    rc_status (*fast)(const struct rci_step_io *io);
    rc_status (*plain)(const struct rci_call *c);
    struct rci_step_io io;
    struct rci_call call;
    struct rci_reorder *reorder;
    size_t bytes;
    size_t scratch;
    const char *impl;
    char layout[64];
    uint64_t macs, ns, runs;
};

/* How a node runs. */
enum rci_how { RC_HOW_NONE = 0, RC_HOW_VIEW, RC_HOW_FREE, RC_HOW_PLAIN, RC_HOW_FAST, RC_HOW_JOIN };

struct rci_planned {
    enum rci_how how;
    uint32_t step;         /* its forward step; RC_NONE for views */
    uint32_t saved;        /* slot or RC_NONE */
    struct rci_prep *prep; /* RC_HOW_FAST */
};

struct rci_patch {
    void **at;
    enum rci_caller caller;
    uint32_t io;
};

struct rci_plan {
    struct rc_context *ctx;
    struct rc_graph *g;              /* the plan's own, after passes */
    struct rci_engine *engine;       /* NULL: plain C everywhere */
    bool training, frozen_bn, keeps; /* keeps: a backward walk follows */
    bool bf16;                       /* set before rci_plan_open() */
    bool repeatable;                 /* as in rci_session_config */
    bool mixed;                      /* integer layers in f32 where that is faster */
    const struct rci_sync *sync;     /* training on several ranks, or NULL */
    const bool *needs;               /* [n_values] a gradient is wanted; NULL when !training */
    struct rci_tensor *shape;        /* [n_values] at the batch, without data */
    uint32_t n_values, n_nodes;
    struct rci_slot *slots;
    uint32_t n_slots, cap_slots;
    struct rci_step *steps;
    uint32_t n_steps, cap_steps;
    uint32_t *primary;           /* [n_values] slot, or RC_NONE */
    struct rci_planned *planned; /* [n_nodes] */
    rci_id *order;
    uint32_t n_order;
    struct rci_patch *patches;
    uint32_t n_patches;
    uint8_t *arena, *scratch;
    size_t arena_bytes, scratch_bytes, own_bytes;
    uint64_t seed, step_number;
    bool profile;
    uint32_t threads; /* that kernels are made for */
    struct rci_team team;
    bool serial; /* steps for teams run on the calling thread, whatever OpenMP would give them */
};

/* --- plan.c: the forward walk --- */
/* `g` is taken over. Shapes at `batch`; engine unless `reference`, which refuses bf16. */
rc_status rci_plan_open(struct rci_plan *p, struct rc_graph *g, int64_t batch, bool reference);
void rci_plan_close(struct rci_plan *p);
/* Slots and steps of all nodes in topological order. */
rc_status rci_plan_forward(struct rci_plan *p);
/* Graph output i becomes a plain array at `place`: RC_AT_CALLER, or RC_AT_OWN with its slot in
 * slots[i]. */
rc_status rci_plan_outputs(struct rci_plan *p, enum rci_place place, uint32_t *slots);

/* --- slot.c: buffers and moves between them --- */
bool rci_md_same(const struct rci_md *a, const struct rci_md *b); /* NULL is plain */
const struct rci_md *rci_md_normal(const struct rci_md *md); /* plain descriptors become NULL */
rc_status rci_slot_add(struct rci_plan *p, uint32_t *out, rci_id value, const struct rci_md *md);
/* The same for a gradient, which is f32 whatever the value's type. */
rc_status rci_slot_add_gradient(struct rci_plan *p, uint32_t *out, rci_id value,
                                const struct rci_md *md);
rc_status rci_slot_add_bytes(struct rci_plan *p, uint32_t *out, size_t bytes);
uint32_t rci_slot_root(const struct rci_plan *p, uint32_t slot);
/* The slot where `value` is first stored; constants get theirs here. */
rc_status rci_slot_of(struct rci_plan *p, uint32_t *out, rci_id value);
/* `value` in layout `md`: an existing slot, or a new one with a step (or at once, for a session's
 * constants) that fills it. */
rc_status rci_slot_in(struct rci_plan *p, uint32_t *out, rci_id value, const struct rci_md *md);
/* A session's constant, given in plain form, as the slot holds it: a new block, or a share of an
 * equal one. */
rc_status rci_slot_pack(struct rci_plan *p, uint32_t slot, const void *plain, void **packed);
/* A slot for a session's constant as the operator packs it; `how` and `state` live as the plan. */
rc_status rci_slot_packed(struct rci_plan *p, uint32_t *out, rci_id value,
                          const struct rci_packing *how, const void *state);
rc_status rci_slot_own(struct rci_plan *p, uint32_t slot); /* give it memory of its own, zeroed */
/* Append a step with room for n_ref slots, all RC_NONE. */
rc_status rci_step_add(struct rci_plan *p, struct rci_step **out, enum rci_step_kind kind,
                       uint32_t n_in, uint32_t n_out, bool backward);
rc_status rci_move_reorder(struct rci_plan *p, uint32_t from, uint32_t to, rci_id value);
rc_status rci_move_copy(struct rci_plan *p, uint32_t from, uint32_t to);
/* to = y > 0 ? a + b : 0; b may be RC_NONE. `to` may be a or b. */
rc_status rci_move_mask(struct rci_plan *p, uint32_t a, uint32_t b, uint32_t y, uint32_t to);
rc_status rci_move_add(struct rci_plan *p, uint32_t a, uint32_t b, uint32_t to);

/* --- node.c: one node of the forward walk --- */
rc_status rci_plan_node(struct rci_plan *p, rci_id id);
/* Tensors of a plain step; `flat`: one axis over the bytes of a common layout. */
void rci_step_tensors(struct rci_plan *p, struct rci_step *s, bool flat);

/* --- arena.c --- */
/* Lifetimes of all slots by the steps so far, their offsets, and p->arena_bytes. */
rc_status rci_plan_place(struct rci_plan *p);
rc_status rci_plan_finish(struct rci_plan *p);
void rci_plan_patch(struct rci_plan *p, enum rci_caller kind, uint32_t io, const void *array);

void rci_plan_bind(struct rci_plan *p); /* addresses of the slots into the steps */

/* --- renew.c: other weights for a session's plan --- */
/* `g`, after passes, is the plan's graph but for the values of its constants, on which nothing that
 * was prepared depends. */
bool rci_plan_fits(const struct rci_plan *p, const struct rc_graph *g);
/* Takes the constants of such a graph; on failure the old ones stay. */
rc_status rci_plan_renew(struct rci_plan *p, const struct rc_graph *g);

/* --- packed.c --- */
/* *data, filled, becomes the block of equal bytes that another session of the context holds, if
 * there is one; released as before, with rci_release(). Thread safe, like the next. */
rc_status rci_packed_share(struct rc_context *c, void **data, size_t bytes);
/* Forget blocks that no session holds any more. */
void rci_packed_trim(struct rc_context *c);

/* --- part.c --- */
/* How many of `batch` images go through the steps together: what costs least, or `part` unless 0.
 * All of them where images depend on each other. */
struct rci_part_wish {
    int64_t batch, part;
    uint32_t threads; /* at least 1 */
    bool bf16;
};
rc_status rci_part_choose(int64_t *part, const struct rc_graph *g, const struct rci_part_wish *w);

/* --- profile.c --- */
struct rci_step_info;
void rci_plan_step(const struct rci_plan *p, uint32_t i, struct rci_step_info *out);
void rci_plan_profile(struct rci_plan *p, bool on); /* turning on resets */

/* The plans inside, for profiles and tests. */
struct rc_session;
struct rci_tape;
struct rci_plan *rci_session_plan(const struct rc_session *s);
struct rci_plan *rci_tape_plan(struct rci_tape *t);

/* --- step.c --- */
rc_status rci_plan_run(struct rci_plan *p, uint32_t from, uint32_t to);
/* All steps that compute are for teams: they need rci_compute_enter_threads() only. */
bool rci_plan_is_teams(const struct rci_plan *p);
/* What fuse_post put behind a node, on plain f32; operands are in the call. */
rc_status rci_post_plain(const struct rci_call *c);
#endif
