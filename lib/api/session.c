/* The border of sessions. A session takes and gives f32; other types stay inside. */
#include "exec/session.h"
#include "api/check.h"
#include "io/onnx.h"

#include <rescomp/session.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_session_options, observe_count);
RC_ABI_NO_TAIL(rc_session_step_info, bytes);
RC_ABI_NO_TAIL(rc_session_io_info, batched);

/* More threads than any machine has, and more values than a network. */
enum { MAX_THREADS = 1024, MAX_OBSERVED = 4096 };

/* The public call passes float arrays. */
static rc_status check_float(const struct rc_session *s)
{
    for (uint32_t i = 0; i < rci_session_n_inputs(s); i++)
        if (rci_session_input(s, i)->dtype != RC_F32)
            return rci_fail(RC_ERR_UNSUPPORTED, "input \"%s\" is %s, sessions take f32",
                            rci_session_input_name(s, i),
                            rci_dtype_name(rci_session_input(s, i)->dtype));
    for (uint32_t i = 0; i < rci_session_n_outputs(s); i++)
        if (rci_session_output(s, i)->dtype != RC_F32)
            return rci_fail(RC_ERR_UNSUPPORTED, "output \"%s\" is %s, sessions give f32",
                            rci_session_output_name(s, i),
                            rci_dtype_name(rci_session_output(s, i)->dtype));
    return RC_OK;
}

/* Ids of the values a caller names; *ids from rci_alloc. */
static rc_status find_observed_value(const struct rc_graph *g, const rc_session_options *o,
                                     rci_id **ids)
{
    if (o->observe_count > MAX_OBSERVED || (o->observe_count && !o->observe))
        return rci_fail(RC_ERR_ARG,
                        "observe_count is %llu, allowed are 0 to %d, and observe must be set",
                        (unsigned long long) o->observe_count, MAX_OBSERVED);
    rci_id *found = rci_alloc_array(g->ctx, o->observe_count, sizeof(*found));
    if (!found)
        return RC_ERR_MEMORY;
    for (uint64_t i = 0; i < o->observe_count; i++) {
        found[i] = o->observe[i] ? rci_graph_find_value(g, o->observe[i]) : RC_NONE;
        if (found[i] == RC_NONE) {
            rci_release(found);
            return rci_fail(RC_ERR_ARG, "observe[%llu]: the graph has no value \"%s\"",
                            (unsigned long long) i, o->observe[i] ? o->observe[i] : "");
        }
    }
    *ids = found;
    return RC_OK;
}

static rc_status session_options_read(rc_session_options *out, const rc_session_options *options)
{
    rc_session_options o;
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_session_options"));
    RC_TRY(rci_abi_check_flags(
        o.flags, RC_SESSION_REFERENCE | RC_SESSION_PROFILE | RC_SESSION_BF16 | RC_SESSION_MIXED,
        "rc_session_options"));
    if (o.threads > MAX_THREADS)
        return rci_fail(RC_ERR_ARG, "threads is %llu, allowed are 0 to %d",
                        (unsigned long long) o.threads, MAX_THREADS);
    if (o.batch > INT32_MAX)
        return rci_fail(RC_ERR_ARG, "batch is %llu, allowed are 0 to %d",
                        (unsigned long long) o.batch, INT32_MAX);
    *out = o;
    return RC_OK;
}

/* From a graph that is kept, or (when that is NULL) from one that is taken over. */
static rc_status session_new(rc_session **out, const struct rc_graph *kept, struct rc_graph *taken,
                             const rc_session_options *o)
{
    const struct rc_graph *g = kept ? kept : taken;
    rci_id *observed = NULL;
    rc_status st = find_observed_value(g, o, &observed);
    if (st != RC_OK) {
        /* a graph that was to be taken over is nobody's after a failure */
        rci_graph_free(taken);
        return st;
    }
    const struct rci_session_config config = {
        /* 0: the model's own, which is 1 where the batch is free */
        .batch = o->batch ? (int64_t) o->batch : g->batch,
        .threads = (uint32_t) o->threads,
        .flags = o->flags,
        .observe = observed,
        .n_observe = (uint32_t) o->observe_count,
    };
    st =
        kept ? rci_session_new(out, kept, &config) : rci_session_create_taking(out, taken, &config);
    rci_release(observed);
    if (st == RC_OK)
        st = check_float(*out);
    if (st != RC_OK)
        rc_session_free(out);
    return st;
}

rc_status rc_session_new(rc_session **out, const rc_graph *graph, const rc_session_options *options)
{
    rc_session_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    RC_TRY(session_options_read(&o, options));
    return session_new(out, graph, NULL, &o);
}

rc_status rc_session_load(rc_session **out, rc_context *context, const char *path,
                          const rc_session_options *options)
{
    rc_session_options o;
    struct rc_graph *g;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    RC_TRY(session_options_read(&o, options));
    RC_TRY(rci_onnx_load(&g, context, path));
    return session_new(out, NULL, g, &o);
}

void rc_session_free(rc_session **session)
{
    RC_FREE(session, session);
}

rc_status rc_session_run(rc_session *session, uint64_t images, const float *const *inputs,
                         float *const *outputs)
{
    RC_CHECK(session, session);
    if (images < 1 || images > INT32_MAX)
        return rci_fail(RC_ERR_ARG, "images is %llu, must be at least 1 and at most the batch",
                        (unsigned long long) images);
    RC_CHECK_SET(inputs);
    RC_CHECK_SET(outputs);
    for (uint32_t i = 0; i < rci_session_n_inputs(session); i++)
        if (!inputs[i])
            return rci_fail(RC_ERR_ARG, "inputs[%u] (\"%s\") is NULL", i,
                            rci_session_input_name(session, i));
    return rci_session_run(session, (int64_t) images, (const void *const *) inputs,
                           (void *const *) outputs);
}

uint64_t rc_session_count_inputs(const rc_session *session)
{
    return rci_session_valid(session) ? rci_session_n_inputs(session) : 0;
}

uint64_t rc_session_count_outputs(const rc_session *session)
{
    return rci_session_valid(session) ? rci_session_n_outputs(session) : 0;
}

static rc_status write_io(rc_session_io_info *info, const char *name, const struct rci_tensor *t,
                          bool batched)
{
    rc_session_io_info r = {
        .size = sizeof(r), .name = name, .rank = t->shape.rank, .batched = batched};
    memcpy(r.shape, t->shape.dim, t->shape.rank * sizeof(r.shape[0]));
    return rci_abi_write(info, &r, sizeof(r), "rc_session_io_info");
}

rc_status rc_session_get_input(const rc_session *session, uint64_t index, rc_session_io_info *info)
{
    RC_CHECK(session, session);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("input", index, rci_session_n_inputs(session)));
    return write_io(info, rci_session_input_name(session, (uint32_t) index),
                    rci_session_input(session, (uint32_t) index),
                    rci_session_input_batched(session, (uint32_t) index));
}

rc_status rc_session_get_output(const rc_session *session, uint64_t index, rc_session_io_info *info)
{
    RC_CHECK(session, session);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("output", index, rci_session_n_outputs(session)));
    return write_io(info, rci_session_output_name(session, (uint32_t) index),
                    rci_session_output(session, (uint32_t) index),
                    rci_session_output_batched(session, (uint32_t) index));
}

uint64_t rc_session_count_steps(const rc_session *session)
{
    return rci_session_valid(session) ? rci_session_n_steps(session) : 0;
}

rc_status rc_session_get_step(const rc_session *session, uint64_t index, rc_session_step_info *info)
{
    struct rci_step_info s;
    RC_CHECK(session, session);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("step", index, rci_session_n_steps(session)));
    rci_session_step(session, (uint32_t) index, &s);
    const rc_session_step_info r = {sizeof(r), s.name, s.op,   s.kernel, s.layout,
                                    s.seconds, s.runs, s.macs, s.bytes};
    return rci_abi_write(info, &r, sizeof(r), "rc_session_step_info");
}

rc_status rc_session_get_memory(const rc_session *session, uint64_t *activations, uint64_t *weights)
{
    RC_CHECK(session, session);
    if (activations)
        *activations = rci_session_arena_bytes(session);
    if (weights)
        *weights = rci_session_weight_bytes(session);
    return RC_OK;
}
