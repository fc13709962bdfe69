/* Inference: clone, passes, plan, run. */
#include "exec/session.h"
#include "base/compute.h"
#include "exec/plan.h"
#include "pass/pass.h"

#include <string.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x72632d7365737331)

struct io {
    char *name;
    struct rc_tensor shape; /* at the compiled batch */
    bool batched;           /* axis 0 is the batch */
    void *staging;          /* of a part: when the caller has fewer images, or no array */
};

struct rc_session {
    uint64_t magic;
    struct rc_plan plan;
    int64_t batch, part; /* part: images that go through the steps together */
    uint32_t threads;
    uint64_t flags;
    struct io *in, *out;
    uint32_t n_in, n_out;
    rc_id *observe;
    uint32_t n_observe;
    bool teams; /* all steps flush denormals themselves */
    pid_t pid;
};

/* In this order: constants first, so that everything after sees them; fusing last. */
static const struct rc_pass *const session_passes[] = {
    &rc_pass_fold_const, &rc_pass_drop_identity, &rc_pass_fold_affine,
    &rc_pass_lower_int8, &rc_pass_shortcut_conv, &rc_pass_fuse_post,
};

static rc_status run_passes(struct rc_graph *g, bool reference)
{
    uint32_t n = (uint32_t) (sizeof(session_passes) / sizeof(*session_passes));
    if (reference)
        n = 3; /* the rest only serves the fast path */
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rc_pass_run(g, session_passes[i], NULL));
    return rc_graph_sweep(g, NULL); /* constants that were folded away */
}

static rc_status add_observed(struct rc_session *s, struct rc_graph *g)
{
    const uint32_t n = g->n_outputs + s->n_observe;
    if (s->n_observe == 0)
        return RC_OK;
    rc_id *all = rc_alloc_array(g->ctx, n, sizeof(*all));
    if (!all)
        return RC_ERR_MEMORY;
    memcpy(all, g->outputs, g->n_outputs * sizeof(*all));
    memcpy(all + g->n_outputs, s->observe, s->n_observe * sizeof(*all));
    const rc_status st = rc_graph_set_outputs(g, all, n);
    rc_release(all);
    return st;
}

/* Does axis 0 follow the batch? Seen by comparing the shapes at two batches. */
static bool follows_batch(const struct rc_session *s, const struct rc_tensor *here,
                          const struct rc_tensor *other)
{
    if (here->shape.rank == 0 || here->shape.dim[0] != s->batch)
        return false;
    return !other || other->shape.dim[0] != s->batch;
}

static size_t image_bytes(const struct rc_session *s, const struct io *io)
{
    return rc_tensor_bytes(&io->shape) / (size_t) s->batch;
}

/* Bytes of n images; of everything when there is no batch axis. */
static size_t part_bytes(const struct rc_session *s, const struct io *io, int64_t n)
{
    return io->batched ? image_bytes(s, io) * (size_t) n : rc_tensor_bytes(&io->shape);
}

/* here, other: shapes at the batch and at one more image. */
static rc_status io_fill(struct rc_session *s, struct io *io, rc_id v, const struct rc_tensor *here,
                         const struct rc_tensor *other)
{
    const struct rc_graph *g = s->plan.g;
    io->name = rc_strdup(g->ctx, g->values[v].name);
    io->shape = here[v];
    io->shape.data = NULL;
    io->batched = follows_batch(s, &io->shape, other ? &other[v] : NULL);
    io->staging = rc_alloc_zero(g->ctx, part_bytes(s, io, s->part));
    return io->name && io->staging ? RC_OK : RC_ERR_MEMORY;
}

static rc_status make_io(struct rc_session *s)
{
    const struct rc_graph *g = s->plan.g;
    struct rc_tensor *infer = NULL;
    const struct rc_tensor *here = s->plan.shape, *other = NULL;
    rc_status st = RC_OK;
    s->n_in = g->n_inputs;
    s->n_out = g->n_outputs;
    s->in = rc_alloc_array(g->ctx, s->n_in + 1u, sizeof(*s->in));
    s->out = rc_alloc_array(g->ctx, s->n_out + 1u, sizeof(*s->out));
    if (!s->in || !s->out)
        return RC_ERR_MEMORY;
    if (g->dynamic_batch) {
        infer = rc_alloc_array(g->ctx, 2u * (size_t) g->n_values + 1u, sizeof(*infer));
        if (!infer)
            return RC_ERR_MEMORY;
        RC_TRY_OUT(st, rc_graph_infer_at(g, s->batch, infer));
        RC_TRY_OUT(st, rc_graph_infer_at(g, s->batch + 1, infer + g->n_values));
        here = infer;
        other = infer + g->n_values;
    }
    for (uint32_t i = 0; i < s->n_in; i++)
        RC_TRY_OUT(st, io_fill(s, &s->in[i], g->inputs[i], here, other));
    for (uint32_t i = 0; i < s->n_out; i++)
        RC_TRY_OUT(st, io_fill(s, &s->out[i], g->outputs[i], here, other));
out:
    rc_release(infer);
    return st;
}

/* Constants that steps read in plain form become the session's own: the caller's graph may change.
 * Those that exist in packed form only are not needed any more. */
static rc_status settle_constants(struct rc_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++)
            if (p->steps[i].ref[k] != RC_NONE)
                p->slots[rc_slot_root(p, p->steps[i].ref[k])].kept = true;
    for (uint32_t i = 0; i < p->n_slots; i++) {
        struct rc_slot *s = &p->slots[i];
        if (s->root != i || s->place != RC_AT_CONST)
            continue;
        struct rc_tensor *t = &p->g->values[s->value].tensor;
        if (s->kept) {
            RC_TRY(rc_graph_own_const(p->g, s->value));
            p->own_bytes += s->bytes;
        } else {
            rc_tensor_free(t);
        }
        s->data = t->data;
    }
    for (uint32_t v = 0; v < p->n_values; v++) /* what no step reads in any form */
        if (p->primary[v] == RC_NONE)
            rc_tensor_free(&p->g->values[v].tensor);
    return RC_OK;
}

static bool is_reference(const struct rc_session *s, const struct rc_graph *g)
{
    return (s->flags & (RC_SESSION_REFERENCE | RC_SESSION_REFERENCE_OPS)) ||
           (g->ctx->o.flags & RC_CONTEXT_REFERENCE);
}

/* From what callers have to what is planned. */
static rc_status lower(struct rc_session *s, struct rc_graph *g)
{
    RC_TRY(add_observed(s, g));
    return s->flags & RC_SESSION_NO_PASSES ? RC_OK : run_passes(g, is_reference(s, g));
}

static rc_status compile(struct rc_session *s)
{
    struct rc_graph *g = s->plan.g;
    uint32_t *slots;
    RC_TRY(lower(s, g));
    s->plan.bf16 = s->flags & RC_SESSION_BF16;
    s->plan.mixed = s->flags & RC_SESSION_MIXED;
    const struct rc_part_wish wish = {.batch = s->batch,
                                      .part = s->part,
                                      .threads =
                                          s->threads ? s->threads : rc_context_threads(g->ctx),
                                      .bf16 = s->plan.bf16};
    RC_TRY(rc_part_choose(&s->part, g, &wish));
    RC_TRY(rc_plan_open(&s->plan, g, s->part, is_reference(s, g)));
    RC_TRY(make_io(s)); /* from constants, which planning packs and drops */
    RC_TRY(rc_plan_forward(&s->plan));
    slots = rc_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*slots));
    rc_status st = slots ? rc_plan_outputs(&s->plan, RC_AT_CALLER, slots) : RC_ERR_MEMORY;
    rc_release(slots);
    RC_TRY(st);
    RC_TRY(settle_constants(&s->plan));
    s->teams = rc_plan_is_teams(&s->plan);
    return rc_plan_finish(&s->plan);
}

static void close_io(struct io *io, uint32_t n)
{
    for (uint32_t i = 0; i < n && io; i++) {
        rc_release(io[i].name);
        rc_release(io[i].staging);
    }
    rc_release(io);
}

void rc_session_destroy(struct rc_session *s)
{
    if (!s)
        return;
    rc_plan_close(&s->plan);
    close_io(s->in, s->n_in);
    close_io(s->out, s->n_out);
    rc_release(s->observe);
    s->magic = 0;
    rc_release(s);
}

rc_status rc_session_create_taking(struct rc_session **out, struct rc_graph *g,
                                   const struct rc_session_config *o)
{
    *out = NULL;
    struct rc_session *s = RC_NEW(g->ctx, struct rc_session);
    if (!s) {
        rc_graph_destroy(g);
        return RC_ERR_MEMORY;
    }
    s->magic = MAGIC;
    s->plan.g = g; /* released with the plan */
    s->plan.ctx = g->ctx;
    s->batch = o->batch;
    s->part = o->part;
    s->threads = o->threads;
    s->flags = o->flags;
    s->plan.repeatable = o->repeatable;
    s->n_observe = o->n_observe;
    s->pid = getpid();
    s->observe = rc_alloc_array(g->ctx, o->n_observe + 1u, sizeof(*s->observe));
    rc_status st = s->observe ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK) {
        if (o->n_observe)
            memcpy(s->observe, o->observe, o->n_observe * sizeof(*s->observe));
        /* primitives are made for the number of threads they will run with */
        const struct rc_compute saved = rc_compute_enter(g->ctx, s->threads);
        st = compile(s);
        rc_compute_leave(saved);
    }
    if (st != RC_OK) {
        rc_session_destroy(s);
        return st;
    }
    rc_session_profile(s, s->flags & RC_SESSION_PROFILE);
    *out = s;
    return RC_OK;
}

rc_status rc_session_create(struct rc_session **out, const struct rc_graph *g,
                            const struct rc_session_config *o)
{
    struct rc_graph *own;
    *out = NULL;
    RC_TRY(rc_graph_clone_shared(&own, g));
    return rc_session_create_taking(out, own, o);
}

/* Weights packed anew where only they have changed. */
static rc_status renew(struct rc_session *s, const struct rc_graph *from, bool *done)
{
    struct rc_graph *g;
    RC_TRY(rc_graph_clone_shared(&g, from));
    const struct rc_compute saved = rc_compute_enter(g->ctx, s->threads);
    rc_status st = lower(s, g);
    *done = st == RC_OK && rc_plan_fits(&s->plan, g);
    if (*done)
        st = rc_plan_renew(&s->plan, g);
    rc_compute_leave(saved);
    rc_graph_destroy(g);
    return st;
}

rc_status rc_session_refresh(struct rc_session *s, const struct rc_graph *g)
{
    struct rc_session *fresh;
    bool done;
    RC_TRY(renew(s, g, &done));
    if (done)
        return RC_OK;
    const struct rc_session_config o = {.batch = s->batch,
                                        .part = s->part,
                                        .threads = s->threads,
                                        .flags = s->flags,
                                        .repeatable = s->plan.repeatable,
                                        .observe = s->observe,
                                        .n_observe = s->n_observe};
    RC_TRY(rc_session_create(&fresh, g, &o));
    bool same = fresh->n_in == s->n_in && fresh->n_out == s->n_out;
    for (uint32_t i = 0; same && i < s->n_in; i++)
        same = rc_shape_equal(&fresh->in[i].shape.shape, &s->in[i].shape.shape);
    for (uint32_t i = 0; same && i < s->n_out; i++)
        same = rc_shape_equal(&fresh->out[i].shape.shape, &s->out[i].shape.shape);
    if (!same) {
        rc_session_destroy(fresh);
        return rc_fail(RC_ERR_ARG, "the graph has other inputs or outputs than the session");
    }
    const struct rc_session old = *s;
    *s = *fresh;
    *fresh = old;
    rc_session_destroy(fresh);
    return RC_OK;
}

/* --- running --- */

/* `n` images from number `first` of the caller's array on. */
static void bind_input(struct rc_session *s, uint32_t i, int64_t first, int64_t n,
                       const void *array)
{
    struct io *io = &s->in[i];
    if (io->batched)
        array = (const char *) array + image_bytes(s, io) * (size_t) first;
    if (n < s->part && io->batched) {
        const size_t used = part_bytes(s, io, n);
        memcpy(io->staging, array, used);
        memset((char *) io->staging + used, 0, part_bytes(s, io, s->part) - used);
        array = io->staging;
    }
    rc_plan_patch(&s->plan, RC_CALLER_INPUT, i, array);
}

static bool output_staged(const struct rc_session *s, const struct io *io, int64_t n, void *array)
{
    return !array || (n < s->part && io->batched);
}

/* Where image `first` of output i belongs. */
static void *output_at(const struct rc_session *s, uint32_t i, int64_t first, void *array)
{
    const struct io *io = &s->out[i];
    if (!array || !io->batched)
        return array;
    return (char *) array + image_bytes(s, io) * (size_t) first;
}

static rc_status run_part(struct rc_session *s, int64_t first, int64_t n, const void *const *in,
                          void *const *out)
{
    for (uint32_t i = 0; i < s->n_in; i++)
        bind_input(s, i, first, n, in[i]);
    for (uint32_t i = 0; i < s->n_out; i++) {
        const bool staged = output_staged(s, &s->out[i], n, out[i]);
        rc_plan_patch(&s->plan, RC_CALLER_OUTPUT, i,
                      staged ? s->out[i].staging : output_at(s, i, first, out[i]));
    }
    RC_TRY(rc_plan_run(&s->plan, 0, s->plan.n_steps));
    for (uint32_t i = 0; i < s->n_out; i++)
        if (out[i] && output_staged(s, &s->out[i], n, out[i]))
            memcpy(output_at(s, i, first, out[i]), s->out[i].staging, part_bytes(s, &s->out[i], n));
    return RC_OK;
}

rc_status rc_session_execute(struct rc_session *s, int64_t n, const void *const *in,
                             void *const *out)
{
    if (n < 1 || n > s->batch)
        return rc_fail(RC_ERR_ARG, "%lld images, the session takes 1 to %lld", (long long) n,
                       (long long) s->batch);
    if (getpid() != s->pid)
        return rc_fail(RC_ERR_STATE, "session was made before fork(); make it in the new process");
    const struct rc_compute saved =
        (s->teams ? rc_compute_enter_threads : rc_compute_enter)(s->plan.ctx, s->threads);
    rc_status st = RC_OK;
    for (int64_t first = 0; st == RC_OK && first < n; first += s->part) {
        const int64_t left = n - first;
        st = run_part(s, first, left < s->part ? left : s->part, in, out);
    }
    rc_compute_leave(saved);
    return st;
}

/* --- questions --- */

bool rc_session_valid(const struct rc_session *s)
{
    return s && s->magic == MAGIC;
}

int64_t rc_session_part(const struct rc_session *s)
{
    return s->part;
}

int64_t rc_session_parts(const struct rc_session *s)
{
    return (s->batch + s->part - 1) / s->part;
}

uint32_t rc_session_n_inputs(const struct rc_session *s)
{
    return s->n_in;
}

uint32_t rc_session_n_outputs(const struct rc_session *s)
{
    return s->n_out;
}

const struct rc_tensor *rc_session_input(const struct rc_session *s, uint32_t i)
{
    return &s->in[i].shape;
}

const struct rc_tensor *rc_session_output(const struct rc_session *s, uint32_t i)
{
    return &s->out[i].shape;
}

const char *rc_session_input_name(const struct rc_session *s, uint32_t i)
{
    return s->in[i].name;
}

const char *rc_session_output_name(const struct rc_session *s, uint32_t i)
{
    return s->out[i].name;
}

struct rc_plan *rc_session_plan(const struct rc_session *s)
{
    return (struct rc_plan *) &s->plan;
}
