/* The border of networks with fresh weights, and of fusing. */
#include "api/check.h"
#include "pass/pass.h"
#include "zoo/zoo.h"

#include <math.h>
#include <rescomp/graph.h>

RC_ABI_NO_TAIL(rc_network_options, seed);

/* Far beyond any network, and small enough that products of sizes do not overflow. */
enum { MAX_SIDE = 65536, MAX_CLASSES = 1 << 20 };

static rc_status network_check_range(const char *what, uint64_t value, uint64_t max)
{
    if (value <= max)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s is %llu, allowed are 0 to %llu", what,
                    (unsigned long long) value, (unsigned long long) max);
}

static rc_status network_check_options(const rc_network_options *o)
{
    RC_TRY(network_check_range("classes", o->classes, MAX_CLASSES));
    RC_TRY(network_check_range("channels", o->channels, MAX_SIDE));
    RC_TRY(network_check_range("height", o->height, MAX_SIDE));
    RC_TRY(network_check_range("width", o->width, MAX_SIDE));
    if (isnan(o->multiplier) || o->multiplier < 0 || o->multiplier > 64)
        return rci_fail(RC_ERR_ARG, "multiplier is %g, allowed are 0 to 64", o->multiplier);
    return RC_OK;
}

rc_status rc_graph_new_network(rc_graph **out, rc_context *context, const char *architecture,
                               const rc_network_options *options)
{
    rc_network_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(architecture);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_network_options"));
    RC_TRY(network_check_options(&o));
    const struct rci_zoo_options z = {
        .classes = (int64_t) o.classes,
        .channels = (int64_t) o.channels,
        .height = (int64_t) o.height,
        .width = (int64_t) o.width,
        .multiplier = o.multiplier,
        .shortcuts = o.shortcuts,
        .seed = o.seed,
    };
    return rci_zoo_new(out, context, architecture, &z);
}

rc_status rc_graph_fuse(rc_graph *graph)
{
    RC_CHECK(graph, graph);
    return rci_pass_clean_up(graph);
}
