/* Making a trainer: options resolved and checked, methods found, everything allocated. */
#include "data/feed.h"
#include "train/evaluate.h"
#include "train/run.h"

#include <math.h>
#include <string.h>

#define TRAINER_MAGIC UINT64_C(0x7263747261696e72) /* "rctrainr" */
enum { PIECE = 16384, DEFAULT_BATCH = 128, DEFAULT_BN_IMAGES = 2048 };
enum { MAX_ACCUMULATED = 65536 };

bool rci_trainer_valid(const struct rc_trainer *t)
{
    return t && t->magic == TRAINER_MAGIC;
}

static rc_status trainer_check_extras(const rc_train_options *o)
{
    if (!(o->clip >= 0 && o->clip <= 1e9))
        return rci_fail(RC_ERR_ARG, "clip is %g, allowed is [0, 1e9]", o->clip);
    if (o->accumulate > MAX_ACCUMULATED)
        return rci_fail(RC_ERR_ARG, "accumulate is %llu, allowed is 1..%d",
                        (unsigned long long) o->accumulate, MAX_ACCUMULATED);
    if (!(o->swa >= 0 && o->swa < 1))
        return rci_fail(RC_ERR_ARG, "swa is %g, allowed is [0, 1)", o->swa);
    if (o->swa > 0 && o->ema > 0)
        return rci_fail(RC_ERR_ARG, "swa and ema are two averages, take one");
    if (o->patience > RC_TRAIN_MAX_EPOCHS)
        return rci_fail(RC_ERR_ARG, "patience is %llu, allowed is 1..%d",
                        (unsigned long long) o->patience, RC_TRAIN_MAX_EPOCHS);
    return RC_OK;
}

static rc_status trainer_check_options(const rc_train_options *o)
{
    if (o->epochs > RC_TRAIN_MAX_EPOCHS)
        return rci_fail(RC_ERR_ARG, "epochs is %llu, allowed is 1..%d",
                        (unsigned long long) o->epochs, RC_TRAIN_MAX_EPOCHS);
    if (!(o->seconds >= 0 && o->seconds <= 1e9))
        return rci_fail(RC_ERR_ARG, "seconds is %g, allowed is 0..1e9", o->seconds);
    if (o->seconds > 0 && (o->epochs || o->checkpoint || o->ranks > 1))
        return rci_fail(RC_ERR_ARG, "seconds says how many epochs there are, so there is no %s",
                        o->epochs       ? "number of epochs"
                        : o->checkpoint ? "checkpoint to continue from"
                                        : "second rank");
    if (o->batch == 1 || o->batch > 65536)
        return rci_fail(RC_ERR_ARG, "batch is %llu, allowed is 2..65536",
                        (unsigned long long) o->batch);
    if (!(o->lr >= 0 && o->lr <= 1000))
        return rci_fail(RC_ERR_ARG, "lr is %g, allowed is (0, 1000]", o->lr);
    if (!(o->ema >= 0 && o->ema < 1))
        return rci_fail(RC_ERR_ARG, "ema is %g, allowed is [0, 1)", o->ema);
    if (o->threads > 1024)
        return rci_fail(RC_ERR_ARG, "threads is %llu, allowed is 1..1024",
                        (unsigned long long) o->threads);
    if ((o->keep_best || o->patience) && !o->validation)
        return rci_fail(RC_ERR_ARG, "%s needs a validation data set",
                        o->keep_best ? "keep_best" : "patience");
    RC_TRY(trainer_check_extras(o));
    if ((o->resume || o->checkpoint_steps) && !o->checkpoint)
        return rci_fail(RC_ERR_ARG, "%s needs a checkpoint path",
                        o->resume ? "resume" : "checkpoint_steps");
    return RC_OK;
}

static void fill_defaults(rc_train_options *o, const struct rc_context *c)
{
    o->epochs = o->epochs ? o->epochs : 1;
    o->batch = o->batch ? o->batch : DEFAULT_BATCH;
    o->rate = o->rate ? o->rate : "cosine";
    o->optimizer = o->optimizer ? o->optimizer : "sgd";
    o->loss = o->loss ? o->loss : "cross-entropy";
    o->seed = o->seed ? o->seed : c->o.seed;
    o->accumulate = o->accumulate ? o->accumulate : 1;
    if ((o->ema > 0 || o->swa > 0) && !o->bn_images)
        o->bn_images = DEFAULT_BN_IMAGES;
    if (o->bn_images == RC_ZERO)
        o->bn_images = 0;
}

static rc_status find_methods(struct rc_trainer *t)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_loss, t->o.loss));
    RC_TRY(rci_method_params(&t->loss_params, t->ctx, m, t->o.loss));
    t->loss = (const struct rci_loss *) m;
    RC_TRY(rci_method_find(&m, &rci_kind_optimizer, t->o.optimizer));
    RC_TRY(rci_method_params(&t->optimizer_params, t->ctx, m, t->o.optimizer));
    t->optimizer = (const struct rci_optimizer *) m;
    RC_TRY(rci_method_find(&m, &rci_kind_rate, t->o.rate));
    RC_TRY(rci_method_params(&t->rate_params, t->ctx, m, t->o.rate));
    t->rate = (const struct rci_rate *) m;
    if (t->o.lr == 0)
        t->o.lr = t->optimizer->default_rate;
    return RC_OK;
}

static rc_status open_data(struct rc_trainer *t)
{
    RC_TRY(rci_ranks_open(t));
    RC_TRY(rci_fit_check(&t->fit, t->graph, t->dataset, (int64_t) t->o.batch / t->sync.ranks));
    t->batch = (uint64_t) t->fit.batch * t->sync.ranks;
    const char *augmentation = t->o.augmentation;
    const struct rci_batches_config config = {
        .batch = (uint32_t) t->fit.batch,
        .shuffle = !(t->o.flags & RC_TRAIN_IN_ORDER),
        .augment = t->augmented,
        .drop_last = true,
        .prefetch = true,
        .channels_last = rci_feed_channels_last(t->graph, t->dataset),
        .seed = t->o.seed,
        .limit = t->o.images,
        .ranks = t->sync.ranks,
        .rank = t->sync.rank,
        .augmentation = t->augmented && strcmp(augmentation, "usual") ? augmentation : NULL,
    };
    RC_TRY(rci_batches_new(&t->batches, t->dataset, &config));
    t->per_epoch = rci_batches_per_epoch(t->batches);
    t->steps = t->per_epoch * t->o.epochs;
    if (!t->o.validation)
        return RC_OK;
    struct rci_fit unused;
    return rci_fit_check(&unused, t->graph, t->o.validation, t->fit.batch);
}

rc_status rci_trainer_open_tape(struct rc_trainer *t, const rci_id *taps, uint32_t n)
{
    const struct rci_tape_config config = {.batch = t->fit.batch,
                                           .threads = (uint32_t) t->o.threads,
                                           .frozen_bn = t->o.flags & RC_TRAIN_FREEZE_BN,
                                           .bf16 = t->o.flags & RC_TRAIN_BF16,
                                           .memory = (size_t) t->o.memory,
                                           .taps = taps,
                                           .n_taps = n,
                                           .sync = t->sync};
    rci_tape_free(t->tape);
    t->tape = NULL;
    return rci_tape_new(&t->tape, t->graph, &config);
}

static rc_status open_graph(struct rc_trainer *t)
{
    const char *output = t->graph->values[t->graph->outputs[0]].name;
    if (t->fit.softmax)
        return rci_fail(RC_ERR_MODEL, "output \"%s\" comes from a Softmax; training needs logits",
                        output);
    if (t->graph->n_outputs != 1)
        return rci_fail(RC_ERR_MODEL, "the model has %u outputs, training needs one",
                        t->graph->n_outputs);
    RC_TRY(rci_trainer_open_tape(t, NULL, 0));
    if (rci_tape_n_params(t->tape) == 0)
        return rci_fail(RC_ERR_MODEL, "the model has no weights to train");
    return rci_train_state_open(&t->state, t->graph, t->tape, t->optimizer->n_states,
                                t->o.ema > 0 || t->o.swa > 0, t->o.keep_best);
}

static rc_status cut_pieces(struct rc_trainer *t)
{
    const struct rci_train_state *s = &t->state;
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_params; i++)
        n += (s->offset[i + 1] - s->offset[i] + PIECE - 1) / PIECE;
    t->pieces = rci_alloc_array(t->ctx, n, sizeof(*t->pieces));
    if (!t->pieces)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < s->n_params; i++) {
        const size_t count = s->offset[i + 1] - s->offset[i];
        for (size_t from = 0; from < count; from += PIECE) {
            const size_t left = count - from;
            t->pieces[t->n_pieces++] = (struct rci_piece){
                .param = i, .n = (uint32_t) (left < PIECE ? left : PIECE), .from = from};
        }
    }
    return RC_OK;
}

static rc_status open_arrays(struct rc_trainer *t)
{
    const size_t batch = (size_t) t->fit.batch;
    const size_t image = (size_t) (t->fit.chw[0] * t->fit.chw[1] * t->fit.chw[2]);
    t->x = rci_alloc_array(t->ctx, batch * image, sizeof(*t->x));
    t->grad = rci_alloc_array(t->ctx, batch * t->fit.classes, sizeof(*t->grad));
    if (rci_batches_mix(t->batches)) {
        t->target = rci_alloc_array(t->ctx, batch * t->fit.classes, sizeof(*t->target));
        if (!t->target)
            return RC_ERR_MEMORY;
    }
    t->labels = rci_alloc_array(t->ctx, batch, sizeof(*t->labels));
    t->ids = rci_alloc_array(t->ctx, batch, sizeof(*t->ids));
    return t->x && t->grad && t->labels && t->ids ? RC_OK : RC_ERR_MEMORY;
}

/* Sums of an update's batches outlive a step, so checkpoints hold them. */
static rc_status open_sums(struct rc_trainer *t)
{
    struct rci_train_state *s = &t->state;
    if (t->o.accumulate == 1)
        return RC_OK;
    t->sums = rci_alloc_array(t->ctx, s->offset[s->n_params], sizeof(*t->sums));
    if (!t->sums)
        return RC_ERR_MEMORY;
    s->extra[s->n_extra++] = (struct rci_train_extra){t->sums, s->offset[s->n_params]};
    return RC_OK;
}

uint64_t rci_train_hash(uint64_t h, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* FNV-1a over names and shapes of the constants: other models have other ones. */
uint64_t rci_train_model_hash(const struct rci_train_state *s)
{
    uint64_t h = RC_TRAIN_HASH_START;
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_value *v = &s->graph->values[s->values[i]];
        h = rci_train_hash(h, v->name, strlen(v->name));
        for (uint32_t d = 0; d < v->tensor.shape.rank; d++)
            h = (h ^ (uint64_t) v->tensor.shape.dim[d]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static rc_status write_identity(struct rc_trainer *t)
{
    const rc_train_options *o = &t->o;
    t->identity = rci_format(
        t->ctx,
        "model %016llx, %llu images, epochs %llu, batch %llu, lr %.17g, rate %s, optimizer %s, "
        "loss %s, augmentation %s, replays %llu, seed %llu, ema %.17g, bn_images %llu, "
        "keep_best %llu, validation %llu, flags %llu, clip %.17g, accumulate %llu, swa %.17g, "
        "layer_rates %s, patience %llu",
        (unsigned long long) rci_train_model_hash(&t->state),
        (unsigned long long) (o->images ? o->images : rci_dataset_images(t->dataset)),
        (unsigned long long) o->epochs, (unsigned long long) t->batch, o->lr, o->rate, o->optimizer,
        o->loss, t->augmented ? o->augmentation : "none", (unsigned long long) o->replays,
        (unsigned long long) o->seed, o->ema, (unsigned long long) o->bn_images,
        (unsigned long long) o->keep_best,
        (unsigned long long) (o->validation ? rci_dataset_images(o->validation) : 0),
        (unsigned long long) o->flags, o->clip, (unsigned long long) o->accumulate, o->swa,
        o->layer_rates ? o->layer_rates : "none", (unsigned long long) o->patience);
    if (o->checkpoint)
        t->checkpoint = rci_strdup(t->ctx, o->checkpoint);
    return t->identity && (t->checkpoint || !o->checkpoint) ? RC_OK : RC_ERR_MEMORY;
}

static rc_status trainer_build(struct rc_trainer *t)
{
    RC_TRY(trainer_check_options(&t->o));
    fill_defaults(&t->o, t->ctx);
    t->augmented = t->o.augmentation && strcmp(t->o.augmentation, "none") != 0;
    RC_TRY(find_methods(t));
    RC_TRY(open_data(t));
    RC_TRY(open_graph(t));
    RC_TRY(cut_pieces(t));
    RC_TRY(open_arrays(t));
    RC_TRY(open_sums(t));
    RC_TRY(rci_train_layer_rates(t));
    RC_TRY(write_identity(t));
    if (t->o.events && t->sync.rank == 0)
        RC_TRY(rci_events_open(&t->events, t->ctx, t->o.events));
    t->o.rate = t->o.optimizer = t->o.loss = t->o.augmentation = t->o.checkpoint = NULL;
    t->o.layer_rates = t->o.events = NULL;
    return RC_OK;
}

rc_status rci_trainer_new(struct rc_trainer **out, struct rc_graph *g, const struct rc_dataset *d,
                          const rc_train_options *o)
{
    struct rc_trainer *t = RC_NEW(g->ctx, struct rc_trainer);
    if (!t)
        return RC_ERR_MEMORY;
    t->magic = TRAINER_MAGIC;
    t->ctx = g->ctx;
    t->graph = g;
    t->dataset = d;
    t->o = *o;
    const rc_status st = trainer_build(t);
    if (st != RC_OK) {
        rci_trainer_free(t);
        return st;
    }
    *out = t;
    return RC_OK;
}

void rci_trainer_free(struct rc_trainer *t)
{
    if (!t)
        return;
    rci_train_state_close(&t->state);
    rci_tape_free(t->tape);
    rci_batches_free(t->batches);
    rci_evaluator_free(t->validator);
    rci_release(t->loss_params);
    rci_release(t->optimizer_params);
    rci_release(t->rate_params);
    rci_release(t->pieces);
    rci_release(t->factor);
    rci_release(t->sums);
    rci_events_close(t->events);
    rci_release(t->x);
    rci_release(t->grad);
    rci_release(t->target);
    for (uint32_t i = 0; i < t->n_taps; i++)
        rci_release(t->taps[i].grad);
    rci_release(t->taps);
    rci_release(t->gradients);
    rci_release(t->labels);
    rci_release(t->ids);
    rci_release(t->checkpoint);
    rci_release(t->identity);
    rci_release(t->sync_room);
    t->magic = 0;
    rci_release(t);
}

rc_status rci_trainer_add_hook(struct rc_trainer *t, const struct rci_train_hook *h)
{
    if (t->ran || t->n_hooks == RC_MAX_TRAIN_HOOKS)
        return rci_fail(RC_ERR_STATE, t->ran ? "the trainer ran already"
                                             : "the trainer has all the hooks it can take");
    if (h->n_memory > RC_TRAIN_EXTRAS - t->state.n_extra)
        return rci_fail(RC_ERR_LIMIT, "the trainer keeps %d arrays of hooks at most",
                        RC_TRAIN_EXTRAS);
    for (uint32_t i = 0; h->on_logits && i < t->n_hooks; i++)
        if (t->hooks[i].on_logits)
            return rci_fail(RC_ERR_STATE, "the trainer's loss is replaced already (%s)",
                            t->hooks[i].identity);
    char *identity = rci_format(t->ctx, "%s, %s", t->identity, h->identity);
    if (!identity)
        return RC_ERR_MEMORY;
    rci_release(t->identity);
    t->identity = identity;
    for (uint32_t i = 0; i < h->n_memory; i++)
        t->state.extra[t->state.n_extra++] =
            (struct rci_train_extra){h->memory[i].data, h->memory[i].n};
    t->hooks[t->n_hooks] = *h;
    t->hooks[t->n_hooks++].identity = "by a hook";
    return RC_OK;
}

void rci_trainer_forget(struct rc_trainer *t)
{
    const struct rci_train_state *s = &t->state;
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        if (s->optim[k])
            memset(s->optim[k], 0, s->offset[s->n_params] * sizeof(float));
}

void rci_trainer_get_plan(const struct rc_trainer *t, struct rci_train_plan *out)
{
    const uint64_t all = rci_dataset_images(t->dataset);
    *out = (struct rci_train_plan){
        .graph = t->graph,
        .tape = t->tape,
        .batch = t->fit.batch,
        .chw = {t->fit.chw[0], t->fit.chw[1], t->fit.chw[2]},
        .classes = t->fit.classes,
        .threads = (uint32_t) t->o.threads,
        .ranks = t->sync.ranks,
        .images = t->o.images && t->o.images < all ? t->o.images : all,
        .per_epoch = t->per_epoch,
        .steps = t->steps,
        .replays = t->o.replays,
        .augmented = t->augmented,
        .bf16 = t->o.flags & RC_TRAIN_BF16,
    };
}
