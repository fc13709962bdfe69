#include "totals.h"
#include "train_options.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    {"o", "OUT", "file to write (ONNX with QuantizeLinear and DequantizeLinear)"},
    {"observer", "METHOD", "see rescomp methods observer; default: mse"},
    {"round", "METHOD", "see rescomp methods rounding; default: nearest"},
    {"rounding", "METHOD", "the same as --round"},
    {"weights", "B", "bits of weights, 2 to 8 (stored in 8 all the same); default: 8"},
    {"acts", "B", "bits of what layers with weights read, 2 to 8; default: 8"},
    {"weight-bits", "B", "the same as --weights"},
    {"activation-bits", "B", "the same as --acts"},
    {"same-edges", NULL, "first and last layers have as many bits as all others, instead of 8"},
    {"layer", "NAME:weights=B,acts=B", "bits of matching layers; repeatable"},
    {"skip", "NAME", "layer or residual sum that stays f32, * matches anything; repeatable"},
    {"format", "NAME", "qdq or qoperator (QLinearConv ...); default: qdq"},
    {"opset", "N", "ONNX opset of the file, 10 to 25; default: 13, or that of MODEL if higher"},
    {"target", "NAME", "see rescomp methods target; default: cpu"},
    {"table", "FILE", "write the calibration table there; with --load-table read it instead"},
    {"table-format", "NAME", "see rescomp methods table-format; default: that of the target"},
    {"tensorrt", "X.Y.Z", "release that --table-format tensorrt is for, 2 to 10; default: 8.6.1"},
    {"load-table", NULL, "take ranges from --table instead of calibrating"},
    {"no-bias-correction", NULL, "keep biases as they are"},
    {"qat", "METHOD", "with --epochs, see rescomp methods qat; default: lsq"},
    {"norm", "NAME", "batch normalization in training: batch, frozen or folded; default: batch"},
    {"per-tensor", NULL, "one scale per weight tensor"},
    {"float-bias", NULL, "biases stay f32"},
    TRAIN_OPTIONS,
    DATA_OPTIONS,
    {NULL, NULL, NULL},
};

struct job {
    const struct args *a;
    rc_context *context;
    rc_graph *before, *after;
    rc_dataset *calib, *test;
    rc_quantizer *quantizer;
    rc_train_result trained;
};

struct lists {
    const char *overrides[MAX_VALUES + 1], *skip[MAX_VALUES + 1];
};

static void fill(const struct args *a, rc_quantize_options *o, struct lists *l, bool qat)
{
    o->target = args_text(a, "target", NULL);
    o->observer = args_text(a, "observer", NULL);
    o->weight_bits = args_count(a, args_flag(a, "weights") ? "weights" : "weight-bits", 0, 2, 8);
    o->activation_bits = args_count(a, args_flag(a, "acts") ? "acts" : "activation-bits", 0, 2, 8);
    o->rounding = args_text(a, "round", args_text(a, "rounding", NULL));
    o->tensorrt = args_text(a, "tensorrt", NULL);
    /* with --epochs the option limits the images of training */
    o->images = qat ? 0 : args_count(a, "images", 0, 1, 1u << 30);
    o->flags |= args_flag(a, "per-tensor") ? RC_QUANTIZE_PER_TENSOR : 0;
    o->flags |= args_flag(a, "float-bias") ? RC_QUANTIZE_FLOAT_BIAS : 0;
    o->flags |= args_flag(a, "no-bias-correction") ? RC_QUANTIZE_NO_BIAS_CORRECTION : 0;
    o->qat = qat ? args_text(a, "qat", "lsq") : NULL;
    o->norm = args_text(a, "norm", NULL);
    o->flags |= args_flag(a, "same-edges") ? RC_QUANTIZE_SAME_EDGES : 0;
    o->override_count = args_list(a, "layer", l->overrides);
    o->overrides = l->overrides;
    o->skip_count = args_list(a, "skip", l->skip);
    o->skip = l->skip;
}

static int check_format(const struct args *a, const char *name)
{
    rc_method_info m = RC_METHOD_INFO_INIT;
    if (!name)
        return EXIT_DONE;
    const size_t n = strcspn(name, ":");
    for (uint64_t i = 0; rc_method_get("table-format", i, &m) == RC_OK; i++)
        if (strlen(m.name) == n && !memcmp(m.name, name, n))
            return EXIT_DONE;
    return tool_usage(a, "--table-format is \"%s\", see rescomp methods table-format", name);
}

/* Calibrate or read the table; then the trainable or the exported form into j->after. */
static int quantize_graph(struct job *j, bool qat)
{
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    const char *table = args_text(j->a, "table", NULL);
    struct lists lists = {{NULL}, {NULL}};
    const char *format = args_text(j->a, "table-format", NULL);
    fill(j->a, &o, &lists, qat);
    const int code = check_format(j->a, format);
    if (code != EXIT_DONE)
        return code;
    const bool load = args_flag(j->a, "load-table");
    if (load && !table)
        return tool_usage(j->a, "--load-table needs --table FILE");
    if (!load && !j->calib)
        return tool_usage(j->a, "--data is required for calibration");
    rc_status st = rc_quantizer_new(&j->quantizer, j->before, &o);
    if (st == RC_ERR_ARG) {
        fprintf(stderr, "rescomp quantize: %s\n", rc_last_error());
        return EXIT_USAGE;
    }
    if (st == RC_OK)
        st = load ? rc_quantizer_load_table(j->quantizer, table, format)
                  : rc_quantizer_calibrate(j->quantizer, j->calib);
    if (st == RC_OK && table && !load)
        st = rc_quantizer_save_table(j->quantizer, table, format);
    if (st == RC_OK)
        st = rc_quantizer_apply(&j->after, j->quantizer);
    return st == RC_OK ? EXIT_DONE : tool_fail("quantize");
}

/* Train the graph with simulated integers, then write its weights as such. */
static int train_quantized(struct job *j)
{
    rc_graph *finished = NULL;
    const char *norm = args_text(j->a, "norm", "batch");
    const struct train_job t = {.graph = j->after,
                                .quantizer = j->quantizer,
                                .epochs = 1,
                                .lr = 0.001,
                                .frozen = !strcmp(norm, "frozen"),
                                .estimate = !strcmp(norm, "batch"),
                                .best = true};
    const int code = train_graph(j->a, j->context, &t, &j->trained);
    if (code != EXIT_DONE)
        return code;
    if (rc_quantizer_finish(&finished, j->after) != RC_OK)
        return tool_fail("quantize");
    rc_graph_free(&j->after);
    j->after = finished;
    return EXIT_DONE;
}

static void report_steps(const void *user)
{
    const struct job *j = user;
    json_open(NULL);
    json_text("name", "quantize");
    json_count("values", rc_quantizer_count_entries(j->quantizer));
    json_count("epochs", j->trained.epochs);
    json_close();
}

static int report(const struct job *j, const char *out)
{
    const struct totals_job t = {.a = j->a,
                                 .verb = "quantize",
                                 .out = out,
                                 .context = j->context,
                                 .before = j->before,
                                 .after = j->after,
                                 .test = j->test};
    return totals_report(&t, report_steps, j);
}

/* What only training reads is not ignored without it. */
static int check_training(const struct args *a, bool qat)
{
    static const char *const words[] = {"qat", "norm", "teacher", "lr", "optimizer"};
    for (size_t i = 0; !qat && i < sizeof(words) / sizeof(words[0]); i++)
        if (args_flag(a, words[i]))
            return tool_usage(a, "--%s is for training: it needs --epochs N or --minutes M",
                              words[i]);
    return EXIT_DONE;
}

static int work(struct job *j)
{
    const char *out = args_text(j->a, "o", NULL);
    const bool qat = args_flag(j->a, "epochs") || args_flag(j->a, "minutes");
    if (check_training(j->a, qat) != EXIT_DONE)
        return EXIT_USAGE;
    rc_graph_save_options form = RC_GRAPH_SAVE_OPTIONS_INIT;
    form.opset = args_count(j->a, "opset", 0, 10, 25);
    form.form = args_text(j->a, "format", NULL);
    if (form.form && strcmp(form.form, "qdq") && strcmp(form.form, "qoperator"))
        return tool_usage(j->a, "--format is \"%s\", allowed are qdq and qoperator", form.form);
    int code = data_open(&j->calib, j->context, j->a, j->before, "calib", DATA_OPTIONAL);
    if (code == EXIT_DONE)
        code = data_open(&j->test, j->context, j->a, j->before, "test", DATA_OPTIONAL);
    if (code == EXIT_DONE)
        code = quantize_graph(j, qat);
    if (code == EXIT_DONE && qat)
        code = train_quantized(j);
    if (code == EXIT_DONE && j->calib && data_describe(j->after, j->calib) != RC_OK)
        code = tool_fail("quantize");
    if (code == EXIT_DONE && rc_graph_save_with(j->after, out, &form) != RC_OK)
        code = tool_fail("quantize");
    return code == EXIT_DONE ? report(j, out) : code;
}

static int quantize(const struct args *a)
{
    struct job j = {.a = a, .trained = RC_TRAIN_RESULT_INIT};
    if (!tool_need(a, "o"))
        return EXIT_USAGE;
    rc_status st = tool_context(&j.context, a);
    if (st == RC_OK)
        st = tool_load(&j.before, j.context, a, a->positional[0]);
    int code = st == RC_OK ? EXIT_DONE : tool_fail("quantize");
    if (code == EXIT_DONE)
        code = work(&j);
    rc_quantizer_free(&j.quantizer);
    rc_graph_free(&j.after);
    rc_graph_free(&j.before);
    rc_dataset_free(&j.calib);
    rc_dataset_free(&j.test);
    rc_context_free(&j.context);
    return code;
}

const struct verb verb_quantize = {
    "quantize",
    "MODEL -o OUT",
    "calibrates and writes an INT8 model; --epochs trains it as well",
    1,
    1,
    options,
    quantize};
