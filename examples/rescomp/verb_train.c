#include "train_options.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    TRAIN_OPTIONS,
    {"init", "WHAT",
     "fresh: start from new weights (MODEL then names an architecture); default: as loaded",
     "fresh"},
    {"find-lr", NULL, "only try 100 rates from 1e-5 to 10 and show the loss of each; no -o"},
    NETWORK_OPTIONS,
    DATA_OPTIONS,
    {NULL, NULL, NULL},
};

/* MODEL is a file, or with --init fresh an architecture. */
static int start(const struct args *a, rc_context *context, rc_graph **graph)
{
    const char *init = args_text(a, "init", "loaded");
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    rc_status st;
    if (!strcmp(init, "loaded")) {
        st = tool_load(graph, context, a, a->positional[0]);
    } else if (!strcmp(init, "fresh")) {
        const int code = network_options(a, &o);
        if (code != EXIT_DONE)
            return code;
        st = rc_graph_new_network(graph, context, a->positional[0], &o);
    } else {
        return tool_usage(a, "--init is \"%s\", allowed are loaded and fresh", init);
    }
    return st == RC_OK ? EXIT_DONE : tool_fail("train");
}

/* Final figures on the test split. */
static int finish(const struct args *a, rc_context *context, rc_graph *graph,
                  const rc_train_result *r)
{
    rc_dataset *test = NULL;
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    int code = data_open(&test, context, a, graph, "test", DATA_REQUIRED);
    if (code == EXIT_DONE && rc_evaluate(graph, test, NULL, &e) != RC_OK)
        code = tool_fail("evaluation");
    rc_dataset_free(&test);
    if (code != EXIT_DONE)
        return code;
    if (!args_flag(a, "json")) {
        printf("activations take %.1f MB\n", (double) r->activation_bytes / 1e6);
        printf("%llu epochs, %.0f s, %.0f images/s, training loss %.4f; test top-1 %.2f %%, loss "
               "%.4f\n",
               (unsigned long long) r->epochs, r->seconds, r->images_per_second, r->loss, e.top1,
               e.loss);
        return EXIT_DONE;
    }
    json_open(NULL);
    json_text("model", args_text(a, "o", ""));
    json_count("epochs", r->epochs);
    json_real("images_per_second", r->images_per_second);
    json_count("activation_bytes", r->activation_bytes);
    json_real("top1", e.top1);
    json_real("loss", e.loss);
    json_real("train_loss", r->loss);
    json_real("train_top1", r->train_top1);
    json_count("best_epoch", r->best_epoch);
    json_real("seconds", r->seconds);
    json_close();
    return EXIT_DONE;
}

static int train(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    const bool finds = args_flag(a, "find-lr");
    const char *out = finds ? NULL : tool_need(a, "o");
    if (!out && !finds)
        return EXIT_USAGE;
    if (finds && args_flag(a, "o"))
        return tool_usage(a, "--find-lr trains nothing and writes no -o");
    int code = tool_context(&context, a) == RC_OK ? EXIT_DONE : tool_fail("train");
    if (code == EXIT_DONE)
        code = start(a, context, &graph);
    if (code == EXIT_DONE && finds)
        code = train_find_rate(a, context, graph);
    if (code == EXIT_DONE && !finds)
        code = train_graph(a, context, &(struct train_job){.graph = graph, .epochs = 10}, &r);
    if (code == EXIT_DONE && !finds && rc_graph_save(graph, out) != RC_OK)
        code = tool_fail("train");
    if (code == EXIT_DONE && !finds)
        code = finish(a, context, graph, &r);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return code;
}

const struct verb verb_train = {"train",
                                "MODEL -o OUT --data KIND:PATH",
                                "trains or fine-tunes; --teacher makes it distillation",
                                1,
                                1,
                                options,
                                train};
