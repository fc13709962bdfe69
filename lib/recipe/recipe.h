#ifndef RC_LIB_RECIPE_RECIPE_H
#define RC_LIB_RECIPE_RECIPE_H
/* A compression run as data. This layer is a client of the library and stands above its border: it
 * calls the public functions that a C caller would, so whatever a recipe does, a caller can do. Its
 * own public functions are in border.c. */
#include "base/json.h"
#include "quant/target.h"
#include <rescomp/distill.h>
#include <rescomp/evaluate.h>
#include <rescomp/measure.h>
#include <rescomp/prune.h>
#include <rescomp/quantize.h>
#include <rescomp/recipe.h>
#include <rescomp/sparsify.h>
#include <rescomp/train.h>

enum rci_recipe_kind { RC_RECIPE_FUSE = 1, RC_RECIPE_PRUNE, RC_RECIPE_TRAIN, RC_RECIPE_QUANTIZE };

/* Texts point into the parsed JSON. Zero means default, as in the public options. */
enum { RC_RECIPE_MAX_LISTED = 64 };
struct rci_recipe_prune {
    double macs, parameters, ratio, max_cut;
    int64_t round_to, min_channels, retries;
    int64_t max_bytes;
    const char *criterion, *allocation, *reduction, *normalizer, *repair, *scope, *schedule;
    const char *scopes[RC_RECIPE_MAX_LISTED], *ratios[RC_RECIPE_MAX_LISTED],
        *keep[RC_RECIPE_MAX_LISTED];
    uint32_t n_scopes, n_ratios, n_keep;
    bool blocks;
};
struct rci_recipe_train {
    int64_t epochs, batch, images, replays, accumulate;
    double lr, temperature, alpha, ema, swa, clip;
    const char *rate, *optimizer, *augmentation, *loss, *distill_loss, *sparsity, *layer_rates;
    const char *hints[RC_RECIPE_MAX_LISTED];
    uint32_t n_hints;
    bool distill;
};
struct rci_recipe_quantize {
    const char *observer;
    int64_t images, epochs; /* epochs: quantization-aware training */
    double lr;
    bool reduce_range, same_edges;
    int64_t weight_bits, activation_bits;
    const char *rounding, *qat, *norm;
    const char *layers[RC_RECIPE_MAX_LISTED], *skip[RC_RECIPE_MAX_LISTED];
    uint32_t n_layers, n_skip;
};
struct rci_recipe_step {
    enum rci_recipe_kind kind;
    struct rci_recipe_prune prune;
    struct rci_recipe_train train;
    struct rci_recipe_quantize quantize;
};

enum { RC_RECIPE_MAX_STEPS = 32 };
struct rci_recipe {
    struct rci_json *json; /* owns the texts */
    struct rci_recipe_step step[RC_RECIPE_MAX_STEPS];
    uint32_t n;
    uint64_t hash; /* of the text, for resuming */
};

rc_status rci_recipe_parse(struct rci_recipe *r, struct rc_context *c, const char *text);
void rci_recipe_clear(struct rci_recipe *r);
const char *rci_recipe_default_text(void);

/* Stages of a run: [first, first + count) of the recipe's steps. */
struct rci_stage {
    uint32_t first, count;
};
uint32_t rci_recipe_stages(const struct rci_recipe *r, struct rci_stage stage[RC_RECIPE_MAX_STEPS]);

/* Figures of one state of the model; rc_compress_result says what each is. */
struct rci_figures {
    double top1, calib_top1, median_ms, joules;
    uint64_t file_bytes, weight_bytes, macs, parameters;
};

/* Everything a run works on (run.c). */
struct rci_run {
    struct rc_context *ctx;
    const struct rc_graph *original;
    struct rc_graph *best; /* the last state that was good enough */
    const rc_compress_options *o;
    const struct rci_quant_target *target;
    struct rci_recipe recipe;
    struct rci_figures before, now;
    double seconds; /* that each of two sessions is timed for; 0: 1 */
    uint64_t attempts, kept;
    const char *stage_name;
    uint64_t stage_index, stages;
    uint32_t attempt;        /* of the running stage, from 0 */
    bool gave_up;            /* a stage was given up */
    rc_quantizer *quantizer; /* of the running attempt, for its table; NULL: none */
};

rc_status rci_run_all(struct rci_run *run);
/* Layer times of the original and the best for the report. */
rc_status rci_run_profile(struct rci_run *run);
/* One attempt at a stage: a new graph from run->best (attempt.c). */
rc_status rci_run_attempt(struct rci_run *run, const struct rci_stage *stage,
                          struct rc_graph **out);
/* false when there is no milder way left to try. */
bool rci_stage_can_retry(const struct rci_run *run, const struct rci_stage *stage);
/* Top-1 on calib, size and cost; latency too (figures.c). */
rc_status rci_run_measure(struct rci_run *run, const struct rc_graph *g, struct rci_figures *f);
/* Latency and energy of both, timed in turns; other figures stay. */
rc_status rci_run_speed(struct rci_run *run, const struct rc_graph *before,
                        const struct rc_graph *after, struct rci_figures *b, struct rci_figures *a);
rc_status rci_run_top1(const struct rc_dataset *d, const struct rc_graph *g, double *top1);
rc_status rci_run_report(struct rci_run *run, const char *name, const struct rci_figures *f,
                         bool kept, double seconds, const char *note);
/* Before and after as rc_compress() returns them, and the layers of both. */
rc_status rci_run_report_summary(struct rci_run *run);
void rci_run_show(const struct rci_run *run, const char *detail, double fraction);
/* Finished stages on disk (resume.c). */
rc_status rci_run_checksum(const struct rc_graph *g, uint64_t *sum); /* of it as ONNX */
rc_status rci_run_make_folder(const char *path);
rc_status rci_run_save_stage(struct rci_run *run, uint32_t stage);
rc_status rci_run_load_stages(struct rci_run *run, uint32_t stages, uint32_t *done);
#endif
