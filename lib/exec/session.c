/* Inference: clone, passes, plan, run. */
#include "exec/session.h"
#include "base/compute.h"
#include "base/load.h"
#include "exec/plan.h"
#include "pass/pass.h"

#include <string.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x72632d7365737331)

struct io {
    char *name;
    struct rci_tensor shape; /* at the compiled batch */
    bool batched;            /* axis 0 is the batch */
    void *staging;           /* of a part: when the caller has fewer images, or no array */
};

struct rc_session {
    uint64_t magic;
    struct rci_plan plan;
    int64_t batch, part; /* part: images that go through the steps together */
    uint32_t threads;
    uint64_t flags;
    struct io *in, *out;
    uint32_t n_in, n_out;
    rci_id *observe;
    uint32_t n_observe;
    bool teams; /* all steps flush denormals themselves */
    pid_t pid;
};

/* In this order: constants first, so that everything after sees them; fusing last. */
static const struct rci_pass *const session_passes[] = {
    &rci_pass_fold_const, &rci_pass_drop_identity, &rci_pass_move_transposes, &rci_pass_fold_affine,
    &rci_pass_center_u8,  &rci_pass_lower_int8,    &rci_pass_shortcut_conv,   &rci_pass_fuse_post,
};

static rc_status session_run_passes(struct rc_graph *g, bool reference)
{
    uint32_t n = (uint32_t) (sizeof(session_passes) / sizeof(*session_passes));
    if (reference)
        n = 4; /* the rest only serves the fast path */
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(rci_pass_run(g, session_passes[i], NULL));
    return rci_graph_sweep(g, NULL); /* constants that were folded away */
}

static rc_status add_observed(struct rc_session *s, struct rc_graph *g)
{
    const uint32_t n = g->n_outputs + s->n_observe;
    if (s->n_observe == 0)
        return RC_OK;
    rci_id *all = rci_alloc_array(g->ctx, n, sizeof(*all));
    if (!all)
        return RC_ERR_MEMORY;
    memcpy(all, g->outputs, g->n_outputs * sizeof(*all));
    memcpy(all + g->n_outputs, s->observe, s->n_observe * sizeof(*all));
    const rc_status st = rci_graph_set_outputs(g, all, n);
    rci_release(all);
    return st;
}

/* Does axis 0 follow the batch? Seen by comparing the shapes at two batches: a length that only
 * happens to be the batch's does not. With a fixed batch there is one shape, and such a length
 * counts. */
static bool follows_batch(const struct rc_session *s, const struct rci_tensor *here,
                          const struct rci_tensor *other)
{
    if (here->shape.rank == 0 || here->shape.dim[0] != s->batch)
        return false;
    return !other || other->shape.dim[0] != s->batch;
}

/* Bytes of one image of an input or output that has a batch. */
static size_t image_bytes(const struct rc_session *s, const struct io *io)
{
    return rci_tensor_bytes(&io->shape) / (size_t) s->batch;
}

/* Bytes of n images; of everything when there is no batch axis. */
static size_t part_bytes(const struct rc_session *s, const struct io *io, int64_t n)
{
    return io->batched ? image_bytes(s, io) * (size_t) n : rci_tensor_bytes(&io->shape);
}

/* here, other: shapes at the batch and at one more image. */
static rc_status io_fill(struct rc_session *s, struct io *io, rci_id v,
                         const struct rci_tensor *here, const struct rci_tensor *other)
{
    const struct rc_graph *g = s->plan.g;
    io->name = rci_strdup(g->ctx, g->values[v].name);
    io->shape = here[v];
    io->shape.data = NULL;
    io->batched = follows_batch(s, &io->shape, other ? &other[v] : NULL);
    io->staging = rci_alloc_zero(g->ctx, part_bytes(s, io, s->part));
    return io->name && io->staging ? RC_OK : RC_ERR_MEMORY;
}

static rc_status make_io(struct rc_session *s)
{
    const struct rc_graph *g = s->plan.g;
    struct rci_tensor *infer = NULL;
    const struct rci_tensor *here = s->plan.shape, *other = NULL;
    rc_status st = RC_OK;
    s->n_in = g->n_inputs;
    s->n_out = g->n_outputs;
    s->in = rci_alloc_array(g->ctx, s->n_in + 1u, sizeof(*s->in));
    s->out = rci_alloc_array(g->ctx, s->n_out + 1u, sizeof(*s->out));
    if (!s->in || !s->out)
        return RC_ERR_MEMORY;
    if (g->dynamic_batch) {
        infer = rci_alloc_array(g->ctx, 2u * (size_t) g->n_values + 1u, sizeof(*infer));
        if (!infer)
            return RC_ERR_MEMORY;
        RC_TRY_OUT(st, rci_graph_infer_at(g, s->batch, infer));
        RC_TRY_OUT(st, rci_graph_infer_at(g, s->batch + 1, infer + g->n_values));
        here = infer;
        other = infer + g->n_values;
    }
    for (uint32_t i = 0; i < s->n_in; i++)
        RC_TRY_OUT(st, io_fill(s, &s->in[i], g->inputs[i], here, other));
    for (uint32_t i = 0; i < s->n_out; i++)
        RC_TRY_OUT(st, io_fill(s, &s->out[i], g->outputs[i], here, other));
out:
    rci_release(infer);
    return st;
}

/* Constants that steps read in plain form become the session's own: the caller's graph may change.
 * Those that exist in packed form only are not needed any more. */
static rc_status settle_constants(struct rci_plan *p)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_ref; k++)
            if (p->steps[i].ref[k] != RC_NONE)
                p->slots[rci_slot_root(p, p->steps[i].ref[k])].kept = true;
    for (uint32_t i = 0; i < p->n_slots; i++) {
        struct rci_slot *s = &p->slots[i];
        if (s->root != i || s->place != RC_AT_CONST)
            continue;
        struct rci_tensor *t = &p->g->values[s->value].tensor;
        if (s->kept) {
            RC_TRY(rci_graph_own_const(p->g, s->value));
            p->own_bytes += s->bytes;
        } else {
            rci_tensor_free(t);
        }
        s->data = t->data;
    }
    for (uint32_t v = 0; v < p->n_values; v++) /* what no step reads in any form */
        if (p->primary[v] == RC_NONE)
            rci_tensor_free(&p->g->values[v].tensor);
    return RC_OK;
}

static bool is_reference(const struct rc_session *s, const struct rc_graph *g)
{
    return (s->flags & (RC_SESSION_REFERENCE | RC_SESSION_REFERENCE_OPS)) ||
           (g->ctx->o.flags & RC_CONTEXT_REFERENCE);
}

/* From what callers have to what is planned. */
static rc_status session_lower(struct rc_session *s, struct rc_graph *g)
{
    RC_TRY(add_observed(s, g));
    return s->flags & RC_SESSION_NO_PASSES ? RC_OK : session_run_passes(g, is_reference(s, g));
}

static rc_status session_compile(struct rc_session *s)
{
    struct rc_graph *g = s->plan.g;
    uint32_t *slots;
    RC_TRY(session_lower(s, g));
    s->plan.bf16 = s->flags & RC_SESSION_BF16;
    s->plan.mixed = s->flags & RC_SESSION_MIXED;
    const struct rci_part_wish wish = {.batch = s->batch,
                                       .part = s->part,
                                       .threads =
                                           s->threads ? s->threads : rci_context_threads(g->ctx),
                                       .bf16 = s->plan.bf16};
    RC_TRY(rci_part_choose(&s->part, g, &wish));
    RC_TRY(rci_plan_open(&s->plan, g, s->part, is_reference(s, g)));
    RC_TRY(make_io(s)); /* from constants, which planning packs and drops */
    RC_TRY(rci_plan_forward(&s->plan));
    slots = rci_alloc_array(g->ctx, g->n_outputs + 1u, sizeof(*slots));
    rc_status st = slots ? rci_plan_outputs(&s->plan, RC_AT_CALLER, slots) : RC_ERR_MEMORY;
    rci_release(slots);
    RC_TRY(st);
    RC_TRY(settle_constants(&s->plan));
    s->teams = rci_plan_is_teams(&s->plan);
    return rci_plan_finish(&s->plan);
}

static void close_io(struct io *io, uint32_t n)
{
    for (uint32_t i = 0; i < n && io; i++) {
        rci_release(io[i].name);
        rci_release(io[i].staging);
    }
    rci_release(io);
}

void rci_session_free(struct rc_session *s)
{
    if (!s)
        return;
    rci_plan_close(&s->plan);
    close_io(s->in, s->n_in);
    close_io(s->out, s->n_out);
    rci_release(s->observe);
    s->magic = 0;
    rci_release(s);
}

rc_status rci_session_create_taking(struct rc_session **out, struct rc_graph *g,
                                    const struct rci_session_config *o)
{
    *out = NULL;
    struct rc_session *s = RC_NEW(g->ctx, struct rc_session);
    if (!s) {
        rci_graph_free(g);
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
    s->observe = rci_alloc_array(g->ctx, o->n_observe + 1u, sizeof(*s->observe));
    rc_status st = s->observe ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK) {
        if (o->n_observe)
            memcpy(s->observe, o->observe, o->n_observe * sizeof(*s->observe));
        /* primitives are made for the number of threads they will run with */
        const struct rci_compute saved = rci_compute_enter(g->ctx, s->threads);
        st = session_compile(s);
        rci_compute_leave(saved);
    }
    if (st != RC_OK) {
        rci_session_free(s);
        return st;
    }
    rci_session_profile(s, s->flags & RC_SESSION_PROFILE);
    *out = s;
    return RC_OK;
}

rc_status rci_session_new(struct rc_session **out, const struct rc_graph *g,
                          const struct rci_session_config *o)
{
    struct rc_graph *own;
    *out = NULL;
    RC_TRY(rci_graph_clone_shared(&own, g));
    return rci_session_create_taking(out, own, o);
}

/* Weights packed anew where only they have changed. */
static rc_status renew(struct rc_session *s, const struct rc_graph *from, bool *done)
{
    struct rc_graph *g;
    RC_TRY(rci_graph_clone_shared(&g, from));
    const struct rci_compute saved = rci_compute_enter(g->ctx, s->threads);
    rc_status st = session_lower(s, g);
    *done = st == RC_OK && rci_plan_fits(&s->plan, g);
    if (*done)
        st = rci_plan_renew(&s->plan, g);
    rci_compute_leave(saved);
    rci_graph_free(g);
    return st;
}

rc_status rci_session_refresh(struct rc_session *s, const struct rc_graph *g)
{
    struct rc_session *fresh;
    bool done;
    RC_TRY(renew(s, g, &done));
    if (done)
        return RC_OK;
    const struct rci_session_config o = {.batch = s->batch,
                                         .part = s->part,
                                         .threads = s->threads,
                                         .flags = s->flags,
                                         .repeatable = s->plan.repeatable,
                                         .observe = s->observe,
                                         .n_observe = s->n_observe};
    RC_TRY(rci_session_new(&fresh, g, &o));
    bool same = fresh->n_in == s->n_in && fresh->n_out == s->n_out;
    for (uint32_t i = 0; same && i < s->n_in; i++)
        same = rci_shape_equal(&fresh->in[i].shape.shape, &s->in[i].shape.shape);
    for (uint32_t i = 0; same && i < s->n_out; i++)
        same = rci_shape_equal(&fresh->out[i].shape.shape, &s->out[i].shape.shape);
    if (!same) {
        rci_session_free(fresh);
        return rci_fail(RC_ERR_ARG, "the graph has other inputs or outputs than the session");
    }
    const struct rc_session old = *s;
    *s = *fresh;
    *fresh = old;
    rci_session_free(fresh);
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
    rci_plan_patch(&s->plan, RC_CALLER_INPUT, i, array);
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
        rci_plan_patch(&s->plan, RC_CALLER_OUTPUT, i,
                       staged ? s->out[i].staging : output_at(s, i, first, out[i]));
    }
    RC_TRY(rci_plan_run(&s->plan, 0, s->plan.n_steps));
    for (uint32_t i = 0; i < s->n_out; i++)
        if (out[i] && output_staged(s, &s->out[i], n, out[i]))
            memcpy(output_at(s, i, first, out[i]), s->out[i].staging, part_bytes(s, &s->out[i], n));
    return RC_OK;
}

/* Steps of this library give the same bits for any number of threads, so that fewer of them run
 * where others want the processors. oneDNN's steps are made for the number they were planned with:
 * between them only one thread is a choice, because another number would make OpenMP end threads
 * and begin them anew. */
static uint32_t threads_now(struct rc_session *s)
{
    const uint32_t threads = s->plan.threads;
    const uint32_t share = rci_crowd_enter(threads, s->plan.ctx->cpu->cores);
    const uint32_t free = rci_load_threads(threads), now = share < free ? share : free;
    s->plan.serial = now == 1;
    return s->teams ? now : threads;
}

rc_status rci_session_run(struct rc_session *s, int64_t n, const void *const *in, void *const *out)
{
    if (n < 1 || n > s->batch)
        return rci_fail(RC_ERR_ARG, "%lld images, the session takes 1 to %lld", (long long) n,
                        (long long) s->batch);
    if (getpid() != s->pid)
        return rci_fail(RC_ERR_STATE, "session was made before fork(); make it in the new process");
    const struct rci_compute saved =
        (s->teams ? rci_compute_enter_threads : rci_compute_enter)(s->plan.ctx, threads_now(s));
    rc_status st = RC_OK;
    for (int64_t first = 0; st == RC_OK && first < n; first += s->part) {
        const int64_t left = n - first;
        st = run_part(s, first, left < s->part ? left : s->part, in, out);
    }
    rci_compute_leave(saved);
    rci_crowd_leave();
    return st;
}

/* --- questions --- */

bool rci_session_valid(const struct rc_session *s)
{
    return s && s->magic == MAGIC;
}

int64_t rci_session_part(const struct rc_session *s)
{
    return s->part;
}

int64_t rci_session_parts(const struct rc_session *s)
{
    return (s->batch + s->part - 1) / s->part;
}

uint32_t rci_session_n_inputs(const struct rc_session *s)
{
    return s->n_in;
}

uint32_t rci_session_n_outputs(const struct rc_session *s)
{
    return s->n_out;
}

const struct rci_tensor *rci_session_input(const struct rc_session *s, uint32_t i)
{
    return &s->in[i].shape;
}

const struct rci_tensor *rci_session_output(const struct rc_session *s, uint32_t i)
{
    return &s->out[i].shape;
}

bool rci_session_input_batched(const struct rc_session *s, uint32_t i)
{
    return s->in[i].batched;
}

bool rci_session_output_batched(const struct rc_session *s, uint32_t i)
{
    return s->out[i].batched;
}

const char *rci_session_input_name(const struct rc_session *s, uint32_t i)
{
    return s->in[i].name;
}

const char *rci_session_output_name(const struct rc_session *s, uint32_t i)
{
    return s->out[i].name;
}

struct rci_plan *rci_session_plan(const struct rc_session *s)
{
    return (struct rci_plan *) &s->plan;
}
