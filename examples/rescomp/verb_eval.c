#include "data.h"

#include <stdio.h>
#include <stdlib.h>

static const struct option options[] = {
    DATA_OPTIONS,
    SPLIT_OPTION,
    {"images", "N", "only the first N; default: all"},
    {"batch", "N", "images per run; default: 128"},
    {"per-class", NULL, "accuracy of every class"},
    {"confusion", NULL, "the confusion matrix"},
    PRECISION_OPTION_MIXED,
    {NULL, NULL, NULL},
};

struct outcome {
    rc_evaluate_result result;
    uint64_t *confusion; /* [classes, classes], NULL unless asked for */
    uint64_t classes;
};

static double class_accuracy(const struct outcome *o, uint64_t c)
{
    uint64_t all = 0;
    for (uint64_t k = 0; k < o->classes; k++)
        all += o->confusion[c * o->classes + k];
    return all ? 100.0 * (double) o->confusion[c * o->classes + c] / (double) all : 0;
}

static void print_json(const struct args *a, const struct outcome *o, const rc_dataset *d)
{
    json_open(NULL);
    json_text("model", a->positional[0]);
    json_count("images", o->result.images);
    json_real("top1", o->result.top1);
    json_real("top5", o->result.top5);
    json_real("loss", o->result.loss);
    json_real("seconds", o->result.seconds);
    json_real("images_per_second", o->result.images_per_second);
    if (args_flag(a, "per-class")) {
        json_list("classes");
        for (uint64_t c = 0; c < o->classes; c++) {
            const char *name = rc_dataset_get_class_name(d, (uint32_t) c);
            json_open(NULL);
            json_count("class", c);
            if (name)
                json_text("name", name);
            json_real("top1", class_accuracy(o, c));
            json_close();
        }
        json_list_close();
    }
    if (args_flag(a, "confusion")) {
        json_list("confusion");
        for (uint64_t c = 0; c < o->classes; c++) {
            json_list(NULL);
            for (uint64_t k = 0; k < o->classes; k++)
                json_count(NULL, o->confusion[c * o->classes + k]);
            json_list_close();
        }
        json_list_close();
    }
    json_close();
}

static void print_text(const struct args *a, const struct outcome *o, const rc_dataset *d)
{
    const rc_evaluate_result *r = &o->result;
    printf("top-1 %.2f %%, top-5 %.2f %%, loss %.4f on %llu images, %.1f s (%.0f images/s)\n",
           r->top1, r->top5, r->loss, (unsigned long long) r->images, r->seconds,
           r->images_per_second);
    for (uint64_t c = 0; c < o->classes && args_flag(a, "per-class"); c++) {
        const char *name = rc_dataset_get_class_name(d, (uint32_t) c);
        printf("%6llu %-16s %6.2f %%\n", (unsigned long long) c, name ? name : "",
               class_accuracy(o, c));
    }
    for (uint64_t c = 0; c < o->classes && args_flag(a, "confusion"); c++)
        for (uint64_t k = 0; k < o->classes; k++)
            printf("%6llu%s", (unsigned long long) o->confusion[c * o->classes + k],
                   k + 1 < o->classes ? "" : "\n");
}

static int evaluate(const struct args *a, const rc_graph *graph, rc_dataset *data)
{
    struct outcome o = {.result = RC_EVALUATE_RESULT_INIT,
                        .classes = rc_dataset_count_classes(data)};
    rc_evaluate_options e = RC_EVALUATE_OPTIONS_INIT;
    e.images = args_count(a, "images", 0, 1, UINT64_MAX);
    e.batch = args_count(a, "batch", 0, 1, 65536);
    e.flags |= args_precision_flags(a, RC_EVALUATE_BF16, RC_EVALUATE_MIXED);
    if (args_flag(a, "per-class") || args_flag(a, "confusion")) {
        o.confusion = calloc(o.classes, o.classes * sizeof(*o.confusion));
        e.confusion = o.confusion;
        e.confusion_size = o.classes * o.classes;
    }
    const rc_status st = rc_evaluate(graph, data, &e, &o.result);
    if (st == RC_OK)
        (args_flag(a, "json") ? print_json : print_text)(a, &o, data);
    free(o.confusion);
    return st == RC_OK ? EXIT_DONE : tool_fail(a->positional[0]);
}

static int eval(const struct args *a)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_dataset *data = NULL;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = tool_load(&graph, context, a, a->positional[0]);
    int code = st == RC_OK ? EXIT_DONE : tool_fail("eval");
    if (code == EXIT_DONE)
        code = data_open(&data, context, a, graph, "test", DATA_REQUIRED | DATA_SPLIT_OPTION);
    if (code == EXIT_DONE)
        code = evaluate(a, graph, data);
    rc_dataset_free(&data);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return code;
}

const struct verb verb_eval = {
    "eval", "MODEL --data KIND:PATH", "top-1, top-5 and loss on a data set", 1, 1, options, eval};
