/* profile-device: a table of what layers cost on this machine. */
#include "tool.h"

#include <stdio.h>

static const struct option options[] = {
    {"o", "OUT", "table to write (JSON)"},
    {"precisions", "LIST", "of f32, int8 and bf16, with commas; default: f32,int8"},
    {"batch", "N", "images in a run; default: 1"},
    {"cuts", "N", "narrower copies of every model that are timed; default: 24"},
    {"seconds", "S", "time for each copy and precision; default: 0.2"},
    {"watts", "W", "power of the device; default: by RAPL, else 10 for each thread"},
    {"name", "NAME", "of the device; default: the processor's"},
    {NULL, NULL, NULL},
};

/* Without models: widths, sizes and blocks of the residual networks for CIFAR and for ImageNet. */
static const char *const standard[] = {"resnet20", "resnet18", "resnet50"};
enum { N_STANDARD = sizeof(standard) / sizeof(standard[0]) };

static void show(void *user, const char *what, double fraction)
{
    (void) user;
    progress_show(fraction, what);
}

static rc_status open_graphs(const struct args *a, rc_context *context, rc_graph **graph,
                             uint64_t *count)
{
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    rc_status st = RC_OK;
    *count = a->n_positional ? a->n_positional : N_STANDARD;
    for (uint64_t i = 0; i < *count && st == RC_OK; i++)
        st = a->n_positional ? tool_load(&graph[i], context, a, a->positional[i])
                             : rc_graph_new_network(&graph[i], context, standard[i], &network);
    return st;
}

static rc_status tell(const struct args *a, const rc_device *device)
{
    rc_device_info info = RC_DEVICE_INFO_INIT;
    const rc_status st = rc_device_get_info(device, &info);
    if (st != RC_OK)
        return st;
    if (!args_flag(a, "json")) {
        printf("%s: %llu times of %llu kinds of layers, %s, batch %llu, %llu threads; energy: %s\n",
               args_text(a, "o", ""), (unsigned long long) info.times,
               (unsigned long long) info.layers, info.name, (unsigned long long) info.batch,
               (unsigned long long) info.threads, info.energy);
        return RC_OK;
    }
    json_open(NULL);
    json_text("out", args_text(a, "o", ""));
    json_text("name", info.name);
    json_count("batch", info.batch);
    json_count("threads", info.threads);
    json_count("layers", info.layers);
    json_count("times", info.times);
    json_real("watts", info.watts);
    json_text("energy", info.energy);
    json_close();
    return RC_OK;
}

static int profile_device(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph[MAX_POSITIONAL] = {NULL};
    rc_device *device = NULL;
    rc_device_options o = RC_DEVICE_OPTIONS_INIT;
    uint64_t count = 0;
    const char *out = tool_need(a, "o");
    if (!out)
        return EXIT_USAGE;
    o.precisions = args_text(a, "precisions", NULL);
    o.batch = args_count(a, "batch", 1, 1, 65536);
    o.cuts = args_count(a, "cuts", 0, 1, 1000);
    o.seconds = args_real(a, "seconds", 0, 0.001, 60);
    o.watts = args_real(a, "watts", 0, 0, 1e6);
    o.name = args_text(a, "name", NULL);
    o.progress = show;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = open_graphs(a, context, graph, &count);
    progress_begin(a, "profile-device");
    if (st == RC_OK)
        st = rc_device_profile(&device, context, (const rc_graph *const *) graph, count, &o);
    progress_end();
    if (st == RC_OK)
        st = rc_device_save(device, out);
    if (st == RC_OK)
        st = tell(a, device);
    const int code = st == RC_OK        ? EXIT_DONE
                     : st == RC_ERR_ARG ? (tool_fail("profile-device"), EXIT_USAGE)
                                        : tool_fail("profile-device");
    rc_device_free(&device);
    for (uint64_t i = 0; i < count; i++)
        rc_graph_free(&graph[i]);
    rc_context_free(&context);
    return code;
}

const struct verb verb_profile = {"profile-device",
                                  "[MODEL...] -o OUT",
                                  "times of layers on this machine, as a table",
                                  0,
                                  MAX_POSITIONAL,
                                  options,
                                  profile_device};
