#include "totals.h"
#include "train_options.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    {"o", "OUT", "file to write"},
    {"macs", "R", "keep this fraction of the multiply-adds; default: 0.5"},
    {"params", "R", "keep this fraction of the parameters"},
    {"ratio", "R", "keep this fraction of the channels"},
    {"latency", "R", "reach this fraction of the latency at batch 1, measured"},
    {"criterion", "METHOD", "see rescomp methods criterion; default: block-obs, without data l2"},
    {"scope", "WHO", "who competes: global, local or isomorphic; default: global",
     "global local isomorphic"},
    {"scope-of", "NAMES[=R]", "layers that compete with each other only, and keep R; repeatable"},
    {"layer-ratio", "NAME=R", "matching layers keep this fraction of channels; repeatable"},
    {"max-bytes", "N", "weights have at most this size"},
    {"allocation", "METHOD", "see rescomp methods allocation; default: the criterion's"},
    {"reduction", "METHOD", "see rescomp methods reduction; default: the criterion's"},
    {"normalizer", "METHOD", "see rescomp methods normalizer; default: the criterion's"},
    {"repair", "METHOD", "see rescomp methods repair; default: least-squares, without data none"},
    {"schedule", "METHOD", "rounds, see rescomp methods schedule; default: one-shot"},
    {"round-to", "N", "keep multiples of N channels"},
    {"min-channels", "N", "keep at least N in every group"},
    {"max-cut", "F", "no group loses more than this fraction; default: 0.9"},
    {"trunk", "HOW", "auto, cut or keep residual trunks; default: auto", "auto cut keep"},
    {"blocks", NULL, "residual blocks may go as a whole where that is cheaper"},
    {"keep", "NAME", "layer whose channels all stay, * matches anything; repeatable"},
    {"history", "FILE", "write which channels were cut"},
    {"replay", "FILE", "cut what a history of the same model says; no targets"},
    {"dry-run", NULL, "show the groups and the plan, write nothing"},
    TRAIN_OPTIONS,
    DATA_OPTIONS,
    {NULL, NULL, NULL},
};

struct job {
    const struct args *a;
    rc_context *context;
    rc_graph *before, *after;
    rc_dataset *data, *test;
    rc_pruner *pruner;
    rc_prune_result result;
    rc_train_result trained;
    double target; /* of multiply-adds, found for --latency; 0: as given */
    bool missed;
};

/* Texts of the options; the library reads them while a pruner is made. */
struct lists {
    const char *keep[MAX_VALUES + 1], *scopes[MAX_VALUES + 1], *ratios[MAX_VALUES + 1];
};

static int plan_options(const struct job *j, rc_prune_options *o, struct lists *l)
{
    const struct args *a = j->a;
    const char *trunk = args_text(a, "trunk", "auto");
    o->macs = j->target > 0 ? j->target : args_real(a, "macs", 0, 0.001, 1);
    o->parameters = args_real(a, "params", 0, 0.001, 1);
    o->ratio = args_real(a, "ratio", 0, 0.001, 1);
    o->criterion = args_text(a, "criterion", NULL);
    o->allocation = args_text(a, "allocation", NULL);
    o->reduction = args_text(a, "reduction", NULL);
    o->normalizer = args_text(a, "normalizer", NULL);
    o->repair = args_text(a, "repair", NULL);
    o->round_to = args_count(a, "round-to", 0, 1, 1024);
    o->min_channels = args_count(a, "min-channels", 0, 1, 1u << 20);
    o->max_cut = args_real(a, "max-cut", 0, 0.001, 0.999);
    o->scope = args_text(a, "scope", NULL);
    o->bytes = args_count(a, "max-bytes", 0, 1, INT64_MAX);
    o->schedule = args_text(a, "schedule", NULL);
    o->dataset = j->data;
    o->flags |= args_flag(a, "blocks") ? RC_PRUNE_BLOCKS : 0;
    if (!strcmp(trunk, "cut"))
        o->trunk = RC_PRUNE_TRUNK_CUT;
    else if (!strcmp(trunk, "keep"))
        o->trunk = RC_PRUNE_TRUNK_KEEP;
    else if (strcmp(trunk, "auto"))
        return tool_usage(a, "--trunk is \"%s\", allowed are auto, cut and keep", trunk);
    o->keep_count = args_list(a, "keep", l->keep);
    o->keep = l->keep;
    o->scope_count = args_list(a, "scope-of", l->scopes);
    o->scopes = l->scopes;
    o->ratio_count = args_list(a, "layer-ratio", l->ratios);
    o->ratios = l->ratios;
    return EXIT_DONE;
}

static void print_groups(const rc_pruner *p)
{
    printf("%-40s %8s %8s %12s %12s  %s\n", "group", "channels", "kept", "macs/ch", "params/ch",
           "");
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info g = RC_PRUNE_GROUP_INFO_INIT;
        if (rc_pruner_get_group(p, i, &g) == RC_OK)
            printf("%-40.40s %8llu %8llu %12llu %12llu  %s\n", g.name,
                   (unsigned long long) g.channels, (unsigned long long) g.kept,
                   (unsigned long long) g.macs, (unsigned long long) g.parameters,
                   g.may_cut ? "" : g.reason);
    }
}

/* Plan and cut with the present target. */
static int cut(struct job *j)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    struct lists lists = {{NULL}, {NULL}, {NULL}};
    const char *replay = args_text(j->a, "replay", NULL);
    const int code = plan_options(j, &o, &lists);
    if (code != EXIT_DONE)
        return code;
    rc_pruner_free(&j->pruner);
    rc_graph_free(&j->after);
    rc_status st = rc_pruner_new(&j->pruner, j->before, &o);
    if (st == RC_ERR_ARG) {
        fprintf(stderr, "rescomp prune: %s\n", rc_last_error());
        return EXIT_USAGE;
    }
    j->result = (rc_prune_result) RC_PRUNE_RESULT_INIT;
    if (st == RC_OK)
        st = replay ? rc_pruner_replay_history(j->pruner, replay)
                    : rc_pruner_plan(j->pruner, &j->result);
    if (st == RC_ERR_GOAL) {
        fprintf(stderr, "rescomp: %s\n", rc_last_error());
        j->missed = true;
        st = RC_OK;
    }
    if (st == RC_OK && !args_flag(j->a, "dry-run"))
        st = rc_pruner_apply(&j->after, j->pruner, &j->result);
    if (st == RC_ERR_GOAL && j->after)
        st = RC_OK; /* said above */
    return st == RC_OK ? EXIT_DONE : tool_fail("prune");
}

/* Bisection on the multiply-adds until the measured latency fits. */
static int cut_to_latency(struct job *j, double wanted)
{
    double low = 0.05, high = 1;
    for (int i = 0; i < 6; i++) {
        struct totals b, f;
        j->target = i ? (low + high) / 2 : wanted;
        const int code = cut(j);
        if (code != EXIT_DONE)
            return code;
        if (totals_time(j->context, j->before, j->after, &b, &f) != RC_OK)
            return tool_fail("latency");
        if (f.median_ms / b.median_ms > wanted)
            high = j->target;
        else if (f.median_ms / b.median_ms > wanted * 0.97)
            return EXIT_DONE;
        else
            low = j->target;
    }
    j->target = low; /* the last that was fast enough */
    j->missed = low <= 0.05;
    return cut(j);
}

static void report_steps(const void *user)
{
    const struct job *j = user;
    json_open(NULL);
    json_text("name", "prune");
    json_count("groups_cut", j->result.groups_cut);
    json_count("channels_before", j->result.channels_before);
    json_count("channels_after", j->result.channels_after);
    json_count("blocks_cut", j->result.blocks_cut);
    json_close();
    if (j->trained.epochs) {
        json_open(NULL);
        json_text("name", "train");
        json_count("epochs", j->trained.epochs);
        json_real("loss", j->trained.loss);
        json_real("seconds", j->trained.seconds);
        json_close();
    }
}

static int report(const struct job *j, const char *out)
{
    const struct totals_job t = {.a = j->a,
                                 .verb = "prune",
                                 .out = out,
                                 .context = j->context,
                                 .before = j->before,
                                 .after = j->after,
                                 .test = j->test};
    return totals_report(&t, report_steps, j);
}

static int work(struct job *j)
{
    const char *out = args_text(j->a, "o", NULL);
    int code = data_open(&j->data, j->context, j->a, j->before, "train",
                         DATA_OPTIONAL | (args_flag(j->a, "all-images") ? 0 : DATA_HOLDOUT));
    if (code == EXIT_DONE)
        code = data_open(&j->test, j->context, j->a, j->before, "test", DATA_OPTIONAL);
    if (code != EXIT_DONE)
        return code;
    if (code == EXIT_DONE && args_flag(j->a, "replay") &&
        (args_flag(j->a, "latency") || args_flag(j->a, "macs") || args_flag(j->a, "params") ||
         args_flag(j->a, "ratio") || args_flag(j->a, "max-bytes")))
        code = tool_usage(j->a, "--replay cuts what the history says, so there are no targets");
    if (code != EXIT_DONE)
        return code;
    code = args_flag(j->a, "latency") ? cut_to_latency(j, args_real(j->a, "latency", 1, 0.01, 1))
                                      : cut(j);
    if (code == EXIT_DONE && !j->data && !args_flag(j->a, "criterion") &&
        !args_flag(j->a, "replay"))
        fprintf(stderr, "rescomp prune: without --data channels are chosen by their weights (l2) "
                        "and nothing is repaired\n");
    if (code == EXIT_DONE && args_flag(j->a, "dry-run")) {
        print_groups(j->pruner);
        printf("plan: multiply-adds %llu -> %llu, parameters %llu -> %llu\n",
               (unsigned long long) j->result.macs_before,
               (unsigned long long) j->result.macs_after,
               (unsigned long long) j->result.parameters_before,
               (unsigned long long) j->result.parameters_after);
        return EXIT_DONE;
    }
    if (code == EXIT_DONE && (args_flag(j->a, "epochs") || args_flag(j->a, "minutes")))
        code = train_graph(j->a, j->context,
                           &(struct train_job){.graph = j->after, .epochs = 1, .lr = 0.01},
                           &j->trained);
    if (code == EXIT_DONE && rc_graph_save(j->after, out) != RC_OK)
        code = tool_fail("prune");
    if (code == EXIT_DONE && args_flag(j->a, "history") &&
        rc_pruner_save_history(j->pruner, args_text(j->a, "history", NULL)) != RC_OK)
        code = tool_fail("prune");
    if (code == EXIT_DONE)
        code = report(j, out);
    return code == EXIT_DONE && j->missed ? EXIT_FAILED : code;
}

static int prune(const struct args *a)
{
    struct job j = {.a = a, .trained = RC_TRAIN_RESULT_INIT};
    if (!args_flag(a, "dry-run") && !tool_need(a, "o"))
        return EXIT_USAGE;
    rc_status st = tool_context(&j.context, a);
    if (st == RC_OK)
        st = tool_load(&j.before, j.context, a, a->positional[0]);
    int code = st == RC_OK ? EXIT_DONE : tool_fail("prune");
    if (code == EXIT_DONE)
        code = work(&j);
    rc_pruner_free(&j.pruner);
    rc_graph_free(&j.after);
    rc_graph_free(&j.before);
    rc_dataset_free(&j.data);
    rc_dataset_free(&j.test);
    rc_context_free(&j.context);
    return code;
}

const struct verb verb_prune = {"prune", "MODEL -o OUT", "cuts channels to a target", 1, 1,
                                options, prune};

rc_status inspect_groups(const struct args *a, const rc_graph *graph)
{
    rc_pruner *p = NULL;
    rc_status st = rc_pruner_new(&p, graph, NULL);
    const bool json = args_flag(a, "json");
    if (json)
        json_list("groups");
    if (st == RC_OK && !json)
        print_groups(p);
    for (uint64_t i = 0; json && i < rc_pruner_count_groups(p) && st == RC_OK; i++) {
        rc_prune_group_info g = RC_PRUNE_GROUP_INFO_INIT;
        st = rc_pruner_get_group(p, i, &g);
        json_open(NULL);
        json_text("name", g.name);
        json_count("channels", g.channels);
        json_bool("may_cut", g.may_cut);
        json_text("reason", g.reason);
        json_count("producers", g.producers);
        json_count("macs_per_channel", g.macs);
        json_count("parameters_per_channel", g.parameters);
        json_close();
    }
    if (json)
        json_list_close();
    rc_pruner_free(&p);
    return st;
}
