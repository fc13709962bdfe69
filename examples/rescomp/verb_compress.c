/* A whole recipe in a closed loop against the goals given. */
#include "data.h"
#include "totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    {"recipe", "R.json",
     "steps; default: reach the goals, or without any prune to 0.6, distil, INT8"},
    {"max-drop", "P", "most top-1 lost, in percentage points; default: 1"},
    {"size", "R", "goal: fraction of the file size"},
    {"latency", "R", "goal: fraction of the latency at batch 1"},
    {"energy", "R", "goal: fraction of the energy of an image"},
    {"macs", "R", "goal: fraction of the multiply-adds"},
    {"minutes", "M", "time to reach goals in, training included; default: 10"},
    {"device", "TABLE", "latency and energy by a table of profile-device; default: measured here"},
    {"search", "NAME",
     "searcher among widths by accuracy (rescomp methods searcher); default: none",
     "annealing evolution random"},
    {"evaluations", "N", "policies that it tries; default: 16"},
    {"points", "DIR", "write the model of every measured point there, as point-K.onnx"},
    {"target", "NAME", "of rescomp methods target; default: cpu",
     "cpu vnni any ort openvino tensorrt mobile fpga mlu"},
    {"teacher", "MODEL", "to distil from; default: MODEL itself"},
    {"report", "DIR", "write report.json, report.html and calibration.json (the table) there"},
    {"work", "DIR", "keep finished stages and checkpoints there; default: OUT.work with --resume"},
    {"resume", NULL, "continue an interrupted run"},
    {"print-recipe", NULL, "print the default recipe and end"},
    DATA_OPTIONS,
    {NULL, NULL, NULL},
};

struct job {
    const struct args *a;
    rc_context *context;
    rc_graph *graph, *teacher, *out;
    rc_dataset *train, *calib, *test;
    rc_report *report;
    rc_device *device;
    char *recipe, *work, *table;
    rc_compress_result result;
};

static void show(void *user, const rc_compress_progress *p)
{
    static char last[128];
    (void) user;
    char text[256];
    if (strncmp(last, p->stage, sizeof(last) - 1)) {
        snprintf(last, sizeof(last), "%s", p->stage);
        progress_begin(user, p->stages ? "compress" : "");
    }
    snprintf(text, sizeof(text), "stage %llu/%llu, %s: %s", (unsigned long long) p->index,
             (unsigned long long) p->stages, p->stage, p->detail);
    progress_show(p->fraction, text);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long n = -1;
    if (f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && n < 1 << 20 &&
        fseek(f, 0, SEEK_SET) == 0 && (text = malloc((size_t) n + 1)))
        text[fread(text, 1, (size_t) n, f)] = '\0';
    if (f)
        fclose(f);
    return text;
}

static char *join(const char *a, const char *b)
{
    const size_t n = strlen(a) + strlen(b) + 1;
    char *s = malloc(n);
    if (s)
        snprintf(s, n, "%s%s", a, b);
    return s;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static int open_all(struct job *j)
{
    const struct args *a = j->a;
    const char *recipe = args_text(a, "recipe", NULL), *teacher = args_text(a, "teacher", NULL);
    if (recipe && !(j->recipe = read_text(recipe))) {
        fprintf(stderr, "rescomp compress: cannot read %s\n", recipe);
        return EXIT_FAILED;
    }
    if (tool_load(&j->graph, j->context, a, a->positional[0]) != RC_OK)
        return tool_fail("compress");
    const char *device = args_text(a, "device", NULL);
    if (device && rc_device_load(&j->device, j->context, device) != RC_OK)
        return tool_fail("compress");
    if (teacher && rc_graph_load(&j->teacher, j->context, teacher) != RC_OK)
        return tool_fail("compress");
    int code = data_open(&j->train, j->context, a, j->graph, "train", DATA_REQUIRED | DATA_HOLDOUT);
    if (code == EXIT_DONE)
        code = data_open(&j->calib, j->context, a, j->graph, "calib", DATA_REQUIRED);
    if (code == EXIT_DONE)
        code = data_open(&j->test, j->context, a, j->graph, "test", DATA_REQUIRED);
    return code;
}

/* What figures depend on, for the report. */
static rc_status describe(struct job *j)
{
    rc_system_info info = RC_SYSTEM_INFO_INIT;
    char text[256];
    rc_status st = rc_system_get_info(j->context, &info);
    if (st == RC_OK)
        st = rc_report_set_fact(j->report, "model", j->a->positional[0]);
    if (st == RC_OK)
        st = rc_report_set_fact(j->report, "data", args_text(j->a, "data", ""));
    snprintf(text, sizeof(text), "%s, %s, %llu threads, oneDNN %s", info.cpu, info.isa,
             (unsigned long long) info.threads, info.onednn);
    if (st == RC_OK)
        st = rc_report_set_fact(j->report, "machine", text);
    if (st == RC_OK)
        st = rc_report_set_fact(j->report, "int8",
                                info.vnni ? "exact in hardware (VNNI)"
                                          : "no VNNI: layers that could saturate run an exact way");
    return st == RC_OK ? rc_report_set_fact(j->report, "library", info.version) : st;
}

static void to_totals(const rc_compress_result *r, struct totals *before, struct totals *after)
{
    *before = *after = (struct totals){.info = RC_GRAPH_INFO_INIT};
    before->info.macs = r->macs_before;
    before->info.parameters = r->parameters_before;
    before->info.weight_bytes = r->weight_bytes_before;
    before->file_bytes = r->file_bytes_before;
    before->top1 = r->top1_before;
    before->median_ms = r->median_ms_before;
    after->info.macs = r->macs_after;
    after->info.parameters = r->parameters_after;
    after->info.weight_bytes = r->weight_bytes_after;
    after->file_bytes = r->file_bytes_after;
    after->top1 = r->top1_after;
    after->median_ms = r->median_ms_after;
}

static void print_result(const struct job *j, const char *missed)
{
    struct totals before, after;
    to_totals(&j->result, &before, &after);
    if (!args_flag(j->a, "json")) {
        totals_table(&before, &after);
        printf("%llu attempts, %llu stages kept, %.0f s\n", (unsigned long long) j->result.attempts,
               (unsigned long long) j->result.kept, j->result.seconds);
        return;
    }
    json_open(NULL);
    json_text("model", args_text(j->a, "o", ""));
    totals_json("before", &before);
    totals_json("after", &after);
    json_real("calib_top1_before", j->result.calib_top1_before);
    json_real("calib_top1_after", j->result.calib_top1_after);
    json_bool("goals_met", !missed);
    json_text("missed", missed ? missed : "");
    json_real("joules_before", j->result.joules_before);
    json_real("joules_after", j->result.joules_after);
    json_count("attempts", j->result.attempts);
    json_real("seconds", j->result.seconds);
    json_list("steps");
    json_open(NULL);
    json_text("name", "compress");
    json_count("kept", j->result.kept);
    json_close();
    json_list_close();
    json_close();
}

static int compress_opened(struct job *j)
{
    const struct args *a = j->a;
    rc_compress_options o = RC_COMPRESS_OPTIONS_INIT;
    const char *out = args_text(a, "o", ""), *folder = args_text(a, "report", NULL);
    char missed[512] = "";
    o.recipe = j->recipe;
    o.train = j->train;
    o.calib = j->calib;
    o.test = j->test;
    o.teacher = j->teacher;
    o.max_drop = args_real(a, "max-drop", -1, 0, 100);
    o.max_drop = o.max_drop < 0 ? 0 : o.max_drop == 0 ? RC_ZERO_REAL : o.max_drop;
    o.size_ratio = args_real(a, "size", 0, 0.001, 1);
    o.latency_ratio = args_real(a, "latency", 0, 0.001, 1);
    o.energy_ratio = args_real(a, "energy", 0, 0.001, 1);
    o.macs_ratio = args_real(a, "macs", 0, 0.001, 1);
    o.minutes = args_real(a, "minutes", 0, 0.001, 1e6);
    o.device = j->device;
    o.points = args_text(a, "points", NULL);
    o.search = args_text(a, "search", NULL);
    o.evaluations = args_count(a, "evaluations", 0, 1, 1000000);
    o.packed = ends_with(out, ".rcz");
    o.target = args_text(a, "target", NULL);
    o.resume = args_flag(a, "resume");
    o.folder = args_text(a, "work", NULL);
    if (!o.folder && o.resume)
        o.folder = j->work = join(out, ".work");
    if (folder)
        o.table = j->table = join(folder, "/calibration.json");
    o.report = j->report;
    o.progress = show;
    o.progress_user = (void *) a;
    j->result = (rc_compress_result) RC_COMPRESS_RESULT_INIT;
    rc_status st = describe(j);
    if (st == RC_OK && folder)
        st = rc_report_save(j->report, folder); /* a folder that cannot be made fails now */
    if (st == RC_OK)
        st = rc_compress(&j->out, j->graph, &o, &j->result);
    progress_end();
    const bool stopped = st == RC_ERR_CANCELLED && j->out;
    if (st == RC_ERR_GOAL || stopped) {
        snprintf(missed, sizeof(missed), "%s", rc_last_error());
        st = RC_OK;
    }
    if (st == RC_ERR_ARG || st == RC_ERR_FORMAT)
        return fprintf(stderr, "rescomp compress: %s\n", rc_last_error()), EXIT_USAGE;
    if (st == RC_OK)
        st = data_describe(j->out, j->train);
    if (st == RC_OK)
        st = o.packed ? rc_graph_save_packed(j->out, out, NULL) : rc_graph_save(j->out, out);
    if (st == RC_OK && folder)
        st = rc_report_save(j->report, folder);
    if (st != RC_OK)
        return tool_fail("compress");
    print_result(j, *missed ? missed : NULL);
    if (folder && !args_flag(a, "json"))
        printf("report: %s/report.html\n", folder);
    if (stopped)
        return fprintf(stderr, "rescomp: interrupted, the best so far was written\n"),
               EXIT_INTERRUPTED;
    if (*missed)
        fprintf(stderr, "rescomp: goal missed, the best result was written: %s\n", missed);
    return *missed ? EXIT_MISSED : EXIT_DONE;
}

static int compress(const struct args *a)
{
    struct job j = {.a = a};
    if (args_flag(a, "print-recipe")) {
        printf("%s", rc_recipe_get_default());
        return EXIT_DONE;
    }
    if (!a->n_positional)
        return tool_usage(a, "MODEL is required");
    if (!tool_need(a, "o"))
        return EXIT_USAGE;
    int code = tool_context(&j.context, a) == RC_OK ? EXIT_DONE : tool_fail("compress");
    if (code == EXIT_DONE)
        code = open_all(&j);
    if (code == EXIT_DONE && rc_report_new(&j.report, j.context, a->positional[0]) != RC_OK)
        code = tool_fail("compress");
    if (code == EXIT_DONE)
        code = compress_opened(&j);
    free(j.recipe);
    free(j.work);
    free(j.table);
    rc_report_free(&j.report);
    rc_device_free(&j.device);
    rc_graph_free(&j.out);
    rc_graph_free(&j.teacher);
    rc_graph_free(&j.graph);
    rc_dataset_free(&j.train);
    rc_dataset_free(&j.calib);
    rc_dataset_free(&j.test);
    rc_context_free(&j.context);
    return code;
}

const struct verb verb_compress = {"compress",
                                   "MODEL -o OUT --data KIND:PATH",
                                   "a whole recipe, in a closed loop against the goals given",
                                   0,
                                   1,
                                   options,
                                   compress};
