/* The border of tables of times: arguments, defaults, handles. */
#include "search/device.h"
#include "api/check.h"

RC_ABI_NO_TAIL(rc_device_options, progress_user);
RC_ABI_NO_TAIL(rc_device_info, overhead_ms);
RC_ABI_NO_TAIL(rc_device_prediction, exact);

enum { MAX_GRAPHS = 64, MAX_CUTS = 1000, MAX_BATCH = 65536 };

static rc_status device_options_read(rc_device_options *o, const rc_device_options *caller,
                                     const struct rc_context *c)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), caller, "rc_device_options"));
    o->precisions = o->precisions ? o->precisions : "f32,int8";
    o->batch = o->batch ? o->batch : 1;
    o->cuts = o->cuts ? o->cuts : 24;
    o->seconds = o->seconds == 0 ? 0.2 : o->seconds;
    o->seed = o->seed ? o->seed : c->o.seed;
    if (o->batch > MAX_BATCH)
        return rci_fail(RC_ERR_ARG, "batch is %llu, at most %d", (unsigned long long) o->batch,
                        MAX_BATCH);
    if (o->cuts > MAX_CUTS)
        return rci_fail(RC_ERR_ARG, "cuts is %llu, at most %d", (unsigned long long) o->cuts,
                        MAX_CUTS);
    if (!(o->seconds > 0 && o->seconds <= 60))
        return rci_fail(RC_ERR_ARG, "seconds is %g, allowed is (0, 60]", o->seconds);
    if (!(o->watts >= 0 && o->watts <= 1e6))
        return rci_fail(RC_ERR_ARG, "watts is %g, allowed is 0..1000000", o->watts);
    return RC_OK;
}

rc_status rc_device_profile(rc_device **out, rc_context *context, const rc_graph *const *graphs,
                            uint64_t count, const rc_device_options *options)
{
    rc_device_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(graphs);
    if (count < 1 || count > MAX_GRAPHS)
        return rci_fail(RC_ERR_ARG, "count is %llu, allowed is 1..%d", (unsigned long long) count,
                        MAX_GRAPHS);
    for (uint64_t i = 0; i < count; i++)
        if (!rci_graph_valid(graphs[i]))
            return rci_fail(RC_ERR_ARG, "graphs[%llu] is NULL, not a graph, or was freed",
                            (unsigned long long) i);
    RC_TRY(device_options_read(&o, options, context));
    return rci_device_profile(out, context, graphs, (uint32_t) count, &o);
}

rc_status rc_device_load(rc_device **out, rc_context *context, const char *path)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    return rci_device_load(out, context, path);
}

rc_status rc_device_save(const rc_device *device, const char *path)
{
    RC_CHECK(device, device);
    RC_CHECK_SET(path);
    return rci_device_save(device, path);
}

void rc_device_free(rc_device **device)
{
    RC_FREE(device, device);
}

rc_status rc_device_get_info(const rc_device *device, rc_device_info *info)
{
    RC_CHECK(device, device);
    RC_CHECK_SET(info);
    rc_device_info r = {.size = sizeof(r),
                        .name = device->name,
                        .energy = device->energy,
                        .batch = device->batch,
                        .threads = device->threads,
                        .layers = device->n,
                        .watts = device->watts,
                        .overhead_ms = device->overhead_ms};
    for (uint32_t i = 0; i < device->n; i++)
        r.times += device->layer[i].n;
    return rci_abi_write(info, &r, sizeof(r), "rc_device_info");
}

rc_status rc_device_predict(const rc_device *device, const rc_graph *graph,
                            rc_device_prediction *prediction)
{
    rc_device_prediction r = {.size = sizeof(r)};
    RC_CHECK(device, device);
    RC_CHECK(graph, graph);
    RC_CHECK_SET(prediction);
    RC_TRY(rci_abi_clear(prediction, "rc_device_prediction"));
    RC_TRY(rci_device_predict(device, graph, &r));
    return rci_abi_write(prediction, &r, sizeof(r), "rc_device_prediction");
}
