/* Batch b of epoch e holds positions b * batch ... of a permutation that depends on (seed, e) only;
 * what is at a position is augmented from the stream (seed, e, position). */
#include "data/batches.h"
#include "data/prefetch.h"
#include <omp.h>
#include <string.h>

struct rci_batches {
    const struct rc_dataset *dataset;
    struct rci_batches_config o;
    struct rci_augment_chain *chain; /* or NULL */
    uint32_t images;                 /* positions per epoch */
    uint64_t per_epoch;
    struct rci_order order[2];     /* of the epoch at hand, and of the one being prefetched */
    struct rci_prefetch *prefetch; /* or NULL */
    float *turned;                 /* with channels_last: an image [C,H,W] for each thread */
};

/* The usual augmentation: pad and crop for small images, as for CIFAR; mirroring for photographs
 * only, since a mirrored digit is another thing. */
static const char *usual_chain(const struct rc_dataset *d)
{
    const bool small = d->shape[1] <= 64 && d->shape[2] <= 64;
    return !small ? "flip" : d->shape[0] == 1 ? "crop:pad=2" : "crop:pad=4+flip";
}

static rc_status make_chain(struct rci_batches *b)
{
    const char *spec = b->o.augmentation;
    if (!spec || !*spec)
        spec = b->o.augment ? usual_chain(b->dataset) : NULL;
    if (!spec)
        return RC_OK;
    RC_TRY(rci_augment_chain_make(&b->chain, b->dataset->ctx, spec));
    return rci_augment_chain_check(b->chain, b->dataset->shape[0], b->dataset->is_f32);
}

static rc_status fill_batch(struct rci_batches *b)
{
    const struct rc_dataset *d = b->dataset;
    if (b->o.batch < 1)
        return rci_fail(RC_ERR_ARG, "batch is 0, must be 1 or more");
    b->images = b->o.limit && b->o.limit < d->images ? (uint32_t) b->o.limit : d->images;
    b->o.ranks = b->o.ranks ? b->o.ranks : 1;
    /* ranks take batches in turn, and all must have as many */
    b->per_epoch = b->o.drop_last ? b->images / ((uint64_t) b->o.batch * b->o.ranks)
                                  : ((uint64_t) b->images + b->o.batch - 1) / b->o.batch;
    if (b->per_epoch == 0)
        return rci_fail(RC_ERR_DATA, "%u images are less than one batch of %llu", b->images,
                        (unsigned long long) b->o.batch * b->o.ranks);
    if (b->o.channels_last) {
        const size_t image = (size_t) d->shape[0] * d->shape[1] * d->shape[2];
        b->turned = rci_alloc_array(d->ctx, rci_context_threads(d->ctx) * image, sizeof(float));
        if (!b->turned)
            return RC_ERR_MEMORY;
    }
    RC_TRY(make_chain(b));
    b->o.augmentation = NULL; /* the caller's text is not kept */
    for (uint32_t i = 0; b->o.shuffle && i < 2; i++) {
        b->order[i].image = rci_alloc_array(d->ctx, b->images, sizeof(uint32_t));
        if (!b->order[i].image)
            return RC_ERR_MEMORY;
    }
    /* A caller's function is called on the caller's own thread only. */
    if (b->o.prefetch && !d->source->serial)
        RC_TRY(rci_prefetch_new(&b->prefetch, d, b->o.batch, rci_batches_mix(b)));
    return RC_OK;
}

rc_status rci_batches_new(struct rci_batches **out, const struct rc_dataset *d,
                          const struct rci_batches_config *o)
{
    *out = NULL;
    struct rci_batches *b = RC_NEW(d->ctx, struct rci_batches);
    if (!b)
        return RC_ERR_MEMORY;
    b->dataset = d;
    b->o = *o;
    const rc_status st = fill_batch(b);
    if (st != RC_OK) {
        rci_batches_free(b);
        return st;
    }
    *out = b;
    return RC_OK;
}

void rci_batches_free(struct rci_batches *b)
{
    if (!b)
        return;
    rci_prefetch_free(b->prefetch); /* first: its thread reads the rest */
    rci_augment_chain_free(b->chain);
    rci_release(b->turned);
    rci_release(b->order[0].image);
    rci_release(b->order[1].image);
    rci_release(b);
}

bool rci_batches_mix(const struct rci_batches *b)
{
    return b->chain && rci_augment_chain_mixes(b->chain);
}

uint64_t rci_batches_per_epoch(const struct rci_batches *b)
{
    return b->per_epoch;
}

/* The permutation of `epoch`, made when it is not one of the two at hand. */
static const uint32_t *epoch_order(struct rci_batches *b, uint64_t epoch)
{
    struct rci_order *o = &b->order[epoch & 1];
    if (!b->o.shuffle)
        return NULL;
    if (o->valid && o->epoch == epoch)
        return o->image;
    for (uint32_t i = 0; i < b->images; i++)
        o->image[i] = i;
    struct rci_rng r = rci_rng_make(b->o.seed ^ 0x73687566666c65, epoch, 0);
    rci_rng_shuffle(&r, o->image, b->images);
    o->epoch = epoch;
    o->valid = true;
    return o->image;
}

static struct rci_delivery batch_job(struct rci_batches *b, uint64_t epoch, uint64_t index)
{
    const uint64_t first = (index * b->o.ranks + b->o.rank) * b->o.batch;
    const uint64_t left = b->images - first;
    return (struct rci_delivery){.dataset = b->dataset,
                                 .order = epoch_order(b, epoch),
                                 .first = first,
                                 .positions = b->images,
                                 .count = left < b->o.batch ? (uint32_t) left : b->o.batch,
                                 .threads = rci_context_threads(b->dataset->ctx),
                                 .augment = b->chain,
                                 .seed = b->o.seed,
                                 .epoch = epoch};
}

/* [C,H,W] -> [H,W,C] in place, image by image. */
static void batch_turn(const struct rci_batches *b, float *x, uint32_t n)
{
    const uint32_t *s = b->dataset->shape;
    const int64_t channels = s[0], pixels = (int64_t) s[1] * s[2];
    const uint32_t threads = rci_context_threads(b->dataset->ctx);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (uint32_t i = 0; i < n; i++) {
        float *to = x + i * channels * pixels;
        float *from = b->turned + omp_get_thread_num() * channels * pixels;
        memcpy(from, to, (size_t) (channels * pixels) * sizeof(*from));
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < channels; c++)
                to[p * channels + c] = from[c * pixels + p];
    }
}

rc_status rci_batches_fill(struct rci_batches *b, uint64_t epoch, uint64_t index,
                           struct rci_batch *to)
{
    to->n = 0;
    if (index >= b->per_epoch)
        return rci_fail(RC_ERR_ARG, "batch %llu, an epoch has %llu", (unsigned long long) index,
                        (unsigned long long) b->per_epoch);
    struct rci_delivery job = batch_job(b, epoch, index);
    job.x = to->x;
    job.y = to->y;
    job.id = to->id;
    job.target = rci_batches_mix(b) ? to->target : NULL;
    const bool mixed = job.target;
    bool served = false;
    if (b->prefetch)
        RC_TRY(rci_prefetch_take(b->prefetch, index, &job, &served));
    if (!served)
        RC_TRY(rci_deliver(&job));
    to->n = job.count;
    if (b->o.channels_last)
        batch_turn(b, to->x, to->n);
    if (b->prefetch) {
        const bool last = index + 1 == b->per_epoch;
        const uint64_t next = last ? 0 : index + 1;
        job = batch_job(b, epoch + last, next);
        rci_prefetch_start(b->prefetch, &job, next, mixed);
    }
    return RC_OK;
}

rc_status rci_batches_get(struct rci_batches *b, uint64_t epoch, uint64_t index, float *x,
                          int32_t *y, uint32_t *id, uint32_t *n)
{
    struct rci_batch to = {.x = x, .y = y, .id = id};
    const rc_status st = rci_batches_fill(b, epoch, index, &to);
    *n = to.n;
    return st;
}
