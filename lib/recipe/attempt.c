/* One attempt at a stage. Later attempts are milder: pruning keeps half of what the attempt before
 * would have cut back (kept' = kept + (1 - kept)/2), quantization tries the next observer. */
#include "recipe/recipe.h"

#include <stdio.h>
#include <string.h>

/* Observers from the step's own to ever more cautious ones. */
static const char *const observers[] = {"mse", "percentile", "entropy", "minmax"};
enum { N_OBSERVERS = sizeof(observers) / sizeof(observers[0]) };

bool rci_stage_can_retry(const struct rci_run *run, const struct rci_stage *stage)
{
    const struct rci_recipe_step *s = &run->recipe.step[stage->first];
    if (s->kind == RC_RECIPE_PRUNE)
        return (int64_t) run->attempt < s->prune.retries;
    return s->kind == RC_RECIPE_QUANTIZE && run->attempt < N_OBSERVERS;
}

/* The step's own observer first, then the list without it. */
static const char *observer_for(const struct rci_recipe_quantize *q, uint32_t attempt)
{
    if (!attempt)
        return q->observer;
    for (uint32_t i = 0; i < N_OBSERVERS; i++)
        if (strcmp(observers[i], q->observer) && --attempt == 0)
            return observers[i];
    return q->observer;
}

/* kept: fraction of multiply-adds, parameters or channels; 0 is "no such goal" and stays. */
static double milder(double kept, uint32_t attempt)
{
    for (uint32_t i = 0; kept > 0 && i < attempt; i++)
        kept += (1 - kept) / 2;
    return kept;
}

static rc_status prune(struct rci_run *run, const struct rci_recipe_prune *p, const rc_graph *from,
                       rc_graph **out)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *pruner = NULL;
    o.macs = milder(p->macs, run->attempt);
    o.parameters = milder(p->parameters, run->attempt);
    o.ratio = milder(p->ratio, run->attempt);
    /* what the recipe says goes before what the target likes */
    o.round_to = p->round_to ? (uint64_t) p->round_to : run->target->widths;
    o.min_channels = (uint64_t) p->min_channels;
    o.criterion = p->criterion;
    o.allocation = p->allocation;
    o.reduction = p->reduction;
    o.normalizer = p->normalizer;
    o.repair = p->repair;
    o.max_cut = p->max_cut;
    o.bytes = (uint64_t) p->max_bytes;
    o.scope = p->scope;
    o.schedule = p->schedule;
    o.flags = p->blocks ? RC_PRUNE_BLOCKS : 0;
    o.scopes = p->scopes;
    o.scope_count = p->n_scopes;
    o.ratios = p->ratios;
    o.ratio_count = p->n_ratios;
    o.keep = p->keep;
    o.keep_count = p->n_keep;
    o.dataset = run->o->train;
    RC_TRY(rc_pruner_new(&pruner, from, &o));
    rc_status st = rc_pruner_apply(out, pruner, NULL);
    /* not small enough, but smaller: the run's own goals decide at its end */
    if (st == RC_ERR_GOAL) {
        rci_log(run->ctx, RC_LOG_WARNING, "%s", rc_last_error());
        st = RC_OK;
    }
    rc_pruner_free(&pruner);
    return st;
}

static void on_train(void *user, const rc_train_progress *p)
{
    char text[128];
    snprintf(text, sizeof(text), "epoch %llu/%llu, loss %.4f, %.0f images/s",
             (unsigned long long) p->epoch, (unsigned long long) p->epochs, p->epoch_loss,
             p->images_per_second);
    rci_run_show(user, text, (double) p->step / (double) p->steps);
}

/* With `quantized`, run->quantizer acts in it, and the best epoch on calib is kept. */
static rc_status train(struct rci_run *run, const struct rci_recipe_train *t, rc_graph *g,
                       uint32_t index, const struct rci_recipe_quantize *quantized)
{
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options d = RC_DISTILL_OPTIONS_INIT;
    rc_trainer *trainer = NULL;
    rc_distiller *distiller = NULL;
    rc_sparsifier *sparsifier = NULL;
    rc_sparsify_options penalty = RC_SPARSIFY_OPTIONS_INIT;
    char *checkpoint = NULL;
    rc_status st = RC_OK;
    o.epochs = (uint64_t) t->epochs;
    o.batch = (uint64_t) t->batch;
    o.images = (uint64_t) t->images;
    o.replays = (uint64_t) t->replays;
    o.lr = t->lr;
    o.ema = t->ema;
    o.swa = t->swa;
    o.clip = t->clip;
    o.accumulate = (uint64_t) t->accumulate;
    o.layer_rates = t->layer_rates;
    o.rate = t->rate;
    o.optimizer = t->optimizer;
    o.augmentation = t->augmentation;
    o.loss = t->loss;
    o.progress = on_train;
    o.progress_user = run;
    d.temperature = t->temperature;
    d.alpha = t->alpha;
    d.loss = t->distill_loss;
    d.hints = t->hints;
    d.hint_count = t->n_hints;
    if (quantized) {
        const bool frozen = quantized->norm && !strcmp(quantized->norm, "frozen");
        o.flags |= frozen ? RC_TRAIN_FREEZE_BN : 0;
        o.bn_images = quantized->norm && strcmp(quantized->norm, "batch") ? 0 : 2048;
        o.validation = run->o->calib;
        o.keep_best = 1;
    }
    if (run->o->folder) {
        checkpoint =
            rci_format(run->ctx, "%s/step-%u-attempt-%u.ckpt", run->o->folder, index, run->attempt);
        if (!checkpoint)
            return RC_ERR_MEMORY;
        o.checkpoint = checkpoint;
        o.resume = run->o->resume;
    }
    RC_TRY_OUT(st, rc_trainer_new(&trainer, g, run->o->train, &o));
    if (quantized)
        RC_TRY_OUT(st, rc_quantizer_attach(run->quantizer, trainer));
    if (t->distill) {
        /* without a teacher of one's own, the network before compression */
        const rc_graph *teacher = run->o->teacher ? run->o->teacher : run->original;
        RC_TRY_OUT(st, rc_distiller_new(&distiller, teacher, &d));
        RC_TRY_OUT(st, rc_distiller_attach(distiller, trainer));
    }
    penalty.method = t->sparsity;
    if (t->sparsity)
        RC_TRY_OUT(st, rc_sparsifier_new(&sparsifier, trainer, &penalty));
    st = rc_trainer_run(trainer, NULL);
out:
    rc_trainer_free(&trainer);
    rc_distiller_free(&distiller);
    rc_sparsifier_free(&sparsifier);
    rci_release(checkpoint);
    return st;
}

/* run->quantizer stays until the attempt is judged: its table is written if it is kept. */
static rc_status calibrate(struct rci_run *run, const struct rci_recipe_quantize *q,
                           const rc_graph *from, rc_graph **out)
{
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.observer = observer_for(q, run->attempt);
    o.images = (uint64_t) q->images;
    o.target = run->target->m.name;
    o.flags = (q->reduce_range ? RC_QUANTIZE_REDUCE_RANGE : 0) |
              (q->same_edges ? RC_QUANTIZE_SAME_EDGES : 0);
    o.weight_bits = (uint64_t) q->weight_bits;
    o.activation_bits = (uint64_t) q->activation_bits;
    o.rounding = q->rounding;
    o.qat = q->epochs ? (q->qat ? q->qat : "lsq") : NULL;
    o.norm = q->norm;
    o.overrides = q->layers;
    o.override_count = q->n_layers;
    o.skip = q->skip;
    o.skip_count = q->n_skip;
    RC_TRY(rc_quantizer_new(&run->quantizer, from, &o));
    RC_TRY(rc_quantizer_calibrate(run->quantizer, run->o->calib));
    return rc_quantizer_apply(out, run->quantizer);
}

static rc_status quantize(struct rci_run *run, const struct rci_recipe_quantize *q,
                          const rc_graph *from, rc_graph **out, uint32_t index)
{
    RC_TRY(calibrate(run, q, from, out));
    if (!q->epochs)
        return RC_OK;
    /* training of integers follows the original closely, so it is distilled at a small rate */
    const struct rci_recipe_train t = {
        .epochs = q->epochs, .lr = q->lr, .augmentation = "crop+flip", .distill = true};
    rc_graph *trained = *out;
    *out = NULL;
    rc_status st = train(run, &t, trained, index, q);
    if (st == RC_OK)
        st = rc_quantizer_finish(out, trained);
    rc_graph_free(&trained);
    return st;
}

rc_status rci_run_attempt(struct rci_run *run, const struct rci_stage *stage, struct rc_graph **out)
{
    rc_graph *g = NULL;
    /* attempts start from the same state, so a failed one leaves no trace */
    RC_TRY(rc_graph_clone(&g, run->best));
    rc_status st = RC_OK;
    for (uint32_t i = stage->first; i < stage->first + stage->count && st == RC_OK; i++) {
        const struct rci_recipe_step *s = &run->recipe.step[i];
        rc_graph *next = NULL;
        rci_run_show(run, "", 0);
        if (s->kind == RC_RECIPE_FUSE)
            st = rc_graph_fuse(g);
        else if (s->kind == RC_RECIPE_TRAIN)
            st = train(run, &s->train, g, i, NULL);
        else if (s->kind == RC_RECIPE_PRUNE)
            st = prune(run, &s->prune, g, &next);
        else
            st = quantize(run, &s->quantize, g, &next, i);
        if (next) {
            rc_graph_free(&g);
            g = next;
        }
    }
    if (st == RC_OK)
        *out = g;
    else
        rc_graph_free(&g);
    return st;
}
