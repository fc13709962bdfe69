#include "train_options.h"

#include <stdio.h>
#include <string.h>

struct team {
    rc_dataset *train, *calib;
    rc_graph *teacher;
    rc_distiller *distiller;
    rc_sparsifier *sparsifier;
    rc_trainer *trainer;
};

static void show(void *user, const rc_train_progress *p)
{
    (void) user;
    char text[96];
    snprintf(text, sizeof(text), "epoch %llu/%llu, loss %.4f, top-1 %.2f %%, %.0f images/s",
             (unsigned long long) p->epoch, (unsigned long long) p->epochs, p->epoch_loss,
             p->top1 > 0 ? p->top1 : p->epoch_top1, p->images_per_second);
    progress_show((double) p->step / (double) p->steps, text);
}

/* What is frozen, then --layer-rate: "conv1*=0,layer4*=0.1". */
static int fill_layer_rates(const struct args *a, rc_train_options *o)
{
    static char text[4096];
    size_t used = 0;
    for (unsigned k = 0; k < 2; k++) {
        const char *entry;
        for (unsigned i = 0; (entry = args_nth(a, k ? "layer-rate" : "freeze", i)) != NULL; i++) {
            if (strchr(entry, ','))
                return tool_usage(a, "--%s \"%s\": one pattern, without commas",
                                  k ? "layer-rate" : "freeze", entry);
            used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s%s", used ? "," : "",
                                      entry, k ? "" : "=0");
            if (used >= sizeof(text))
                return tool_usage(a, "--freeze and --layer-rate are too long together");
        }
    }
    o->layer_rates = used ? text : NULL;
    return EXIT_DONE;
}

static int fill(const struct args *a, rc_train_options *o)
{
    o->batch = args_count(a, "batch", 0, 2, 65536);
    o->rate = args_text(a, "rate", NULL);
    o->optimizer = args_text(a, "optimizer", NULL);
    o->loss = args_text(a, "loss", NULL);
    o->augmentation = args_text(a, "augment", "crop+flip");
    o->images = args_count(a, "images", 0, 1, UINT64_MAX);
    o->replays = args_count(a, "replays", 0, 1, 1024);
    o->ema = args_real(a, "ema", 0, 0, 0.99999);
    o->swa = args_real(a, "swa", 0, 0, 0.999);
    o->clip = args_real(a, "clip", 0, 1e-9, 1e9);
    o->accumulate = args_count(a, "accumulate", 0, 1, 65536);
    o->patience = args_count(a, "patience", 0, 1, 100000);
    o->events = args_text(a, "tensorboard", NULL);
    o->memory = args_count(a, "memory", 0, 1, UINT32_MAX) << 20;
    o->checkpoint = args_text(a, "checkpoint", NULL);
    o->resume = args_flag(a, "resume");
    o->keep_best = args_flag(a, "keep-best");
    if (!o->augmentation[0] || (o->augmentation[0] == 'n' && o->augmentation[1] == 'o'))
        o->augmentation = NULL; /* --augment none */
    if (o->resume && !o->checkpoint)
        return tool_usage(a, "--resume needs --checkpoint FILE");
    if ((o->keep_best || o->patience) && args_flag(a, "all-images"))
        return tool_usage(a, "--%s judges by the held-out images, not with --all-images",
                          o->keep_best ? "keep-best" : "patience");
    if (args_flag(a, "distill-loss") && !args_flag(a, "teacher"))
        return tool_usage(a, "--distill-loss needs --teacher MODEL");
    if (args_flag(a, "hint") && !args_flag(a, "teacher"))
        return tool_usage(a, "--hint needs --teacher MODEL");
    if (args_flag(a, "loss") && args_flag(a, "teacher"))
        return tool_usage(a, "--loss is not used with --teacher, which takes --distill-loss");
    o->flags |= args_precision_flags(a, RC_TRAIN_BF16, 0);
    o->progress = show;
    return fill_layer_rates(a, o);
}

static rc_status attach_teacher(const struct args *a, rc_context *context, struct team *t)
{
    const char *path = args_text(a, "teacher", NULL), *hints[MAX_VALUES];
    rc_distill_options o = RC_DISTILL_OPTIONS_INIT;
    if (!path)
        return RC_OK;
    o.temperature = args_real(a, "temperature", 0, 0.1, 100);
    o.alpha = args_real(a, "alpha", 0, 0.0001, 1);
    o.loss = args_text(a, "distill-loss", NULL);
    o.hints = hints;
    while ((hints[o.hint_count] = args_nth(a, "hint", (unsigned) o.hint_count)) != NULL &&
           o.hint_count + 1 < MAX_VALUES)
        o.hint_count++;
    rc_status st = rc_graph_load(&t->teacher, context, path);
    if (st == RC_OK)
        st = rc_distiller_new(&t->distiller, t->teacher, &o);
    return st == RC_OK ? rc_distiller_attach(t->distiller, t->trainer) : st;
}

static rc_status attach_penalty(const struct args *a, struct team *t)
{
    rc_sparsify_options o = RC_SPARSIFY_OPTIONS_INIT;
    o.method = args_text(a, "sparsity", NULL);
    return o.method ? rc_sparsifier_new(&t->sparsifier, t->trainer, &o) : RC_OK;
}

/* What is done with the trainer: train, or look for a rate. */
typedef rc_status (*act_fn)(rc_trainer *trainer, void *user);

static rc_status act_train(rc_trainer *trainer, void *user)
{
    return rc_trainer_run(trainer, user);
}

static int run(const struct args *a, rc_context *context, const struct train_job *job,
               rc_train_options *o, act_fn act, void *user)
{
    rc_graph *graph = job->graph;
    struct team t = {0};
    int code = data_open(&t.train, context, a, graph, "train",
                         DATA_REQUIRED | (args_flag(a, "all-images") ? 0 : DATA_HOLDOUT));
    if (code == EXIT_DONE && (o->keep_best || o->patience))
        code = data_open(&t.calib, context, a, graph, "calib", DATA_REQUIRED);
    o->validation = t.calib;
    rc_status st = RC_OK;
    if (code == EXIT_DONE) {
        progress_begin(a, "training");
        st = rc_trainer_new(&t.trainer, graph, t.train, o);
        if (st == RC_OK && job->quantizer)
            st = rc_quantizer_attach(job->quantizer, t.trainer);
        if (st == RC_OK)
            st = attach_teacher(a, context, &t);
        if (st == RC_OK)
            st = attach_penalty(a, &t);
        if (st == RC_OK)
            st = act(t.trainer, user);
        if (st == RC_OK)
            st = data_describe(graph, t.train);
        progress_end();
        if (st != RC_OK)
            code = tool_fail("training");
        if (st == RC_ERR_CANCELLED && o->checkpoint)
            fprintf(stderr, "rescomp: continue with --checkpoint %s --resume\n", o->checkpoint);
    }
    rc_trainer_free(&t.trainer);
    rc_distiller_free(&t.distiller);
    rc_sparsifier_free(&t.sparsifier);
    rc_graph_free(&t.teacher);
    rc_dataset_free(&t.calib);
    rc_dataset_free(&t.train);
    return code;
}

int train_graph(const struct args *a, rc_context *context, const struct train_job *job,
                rc_train_result *result)
{
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.epochs = args_count(a, "epochs", job->epochs, 1, 100000);
    o.lr = args_real(a, "lr", job->lr, 1e-9, 1000);
    o.seconds = 60 * args_real(a, "minutes", 0, 0.001, 1e6);
    if (o.seconds > 0 && args_flag(a, "epochs"))
        return tool_usage(a, "--minutes says how many epochs there are, not with --epochs");
    if (o.seconds > 0 && args_flag(a, "checkpoint"))
        return tool_usage(a, "--minutes leaves no checkpoint to continue from");
    if (o.seconds > 0)
        o.epochs = 0;
    o.flags |= job->frozen ? RC_TRAIN_FREEZE_BN : 0;
    o.bn_images = job->estimate ? 2048 : 0;
    const int code = fill(a, &o);
    if (job->best && !args_flag(a, "all-images"))
        o.keep_best = 1;
    return code == EXIT_DONE ? run(a, context, job, &o, act_train, result) : code;
}

/* --- the range test --- */

enum { TEST_STEPS = 100, PLOT_ROWS = 25, PLOT_WIDTH = 50 };

struct range {
    rc_rate_test_result r;
    double rate[TEST_STEPS], loss[TEST_STEPS];
};

static rc_status act_find(rc_trainer *trainer, void *user)
{
    struct range *k = user;
    rc_rate_test o = RC_RATE_TEST_INIT;
    o.steps = TEST_STEPS;
    return rc_trainer_find_rate(trainer, &o, &k->r, k->rate, k->loss);
}

/* A row of each few steps: rate, mean loss, and a bar that ends where the loss is. */
static void range_plot(const struct range *k)
{
    const uint64_t each = TEST_STEPS / PLOT_ROWS;
    double least = k->loss[0], most = k->loss[0];
    for (uint64_t i = 0; i < k->r.steps; i++) {
        least = k->loss[i] < least ? k->loss[i] : least;
        most = k->loss[i] > most ? k->loss[i] : most;
    }
    printf("%10s %10s\n", "rate", "loss");
    for (uint64_t i = 0; i + each <= k->r.steps; i += each) {
        double mean = 0;
        for (uint64_t j = i; j < i + each; j++)
            mean += k->loss[j] / (double) each;
        const int bar = most > least ? 1 + (int) ((mean - least) / (most - least) * PLOT_WIDTH) : 1;
        printf("%10.2e %10.4f  %.*s\n", k->rate[i], mean, bar,
               "####################################################");
    }
    printf("the loss falls fastest at %.2g and is least at %.2g; --lr %.2g\n", k->r.steepest,
           k->r.least, k->r.rate);
}

static void range_json(const struct range *k)
{
    json_open(NULL);
    json_real("rate", k->r.rate);
    json_real("least", k->r.least);
    json_real("steepest", k->r.steepest);
    json_list("points");
    for (uint64_t i = 0; i < k->r.steps; i++) {
        json_open(NULL);
        json_real("rate", k->rate[i]);
        json_real("loss", k->loss[i]);
        json_close();
    }
    json_list_close();
    json_close();
}

int train_find_rate(const struct args *a, rc_context *context, rc_graph *graph)
{
    struct range k = {.r = RC_RATE_TEST_RESULT_INIT};
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.epochs = args_count(a, "epochs", 10, 1, 100000);
    int code = fill(a, &o);
    if (code == EXIT_DONE)
        code = run(a, context, &(struct train_job){.graph = graph}, &o, act_find, &k);
    if (code == EXIT_DONE)
        (args_flag(a, "json") ? range_json : range_plot)(&k);
    return code;
}
