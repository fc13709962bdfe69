/* x[i] = (augment(pixels[order[first + i]]) / 255 - mean) / std, in parallel over images. */
#include "data/deliver.h"
#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Below SERIAL_VALUES one thread is done before a second one is awake. */
enum { ERROR_TEXT = 512, REPLACE_MAX = 64, SERIAL_VALUES = 1 << 20 };

/* Shared by the threads; changed only inside the critical section. */
struct outcome {
    uint32_t position, bad;
    rc_status st;
    char text[ERROR_TEXT], warning[ERROR_TEXT];
};

struct scratch {
    uint8_t *a, *b;         /* one image each */
    uint8_t *other, *spare; /* of a second image, where the chain mixes */
    uint8_t *room;          /* of the chain's methods */
};

/* The first in the order of the batch is reported, whichever thread met it. */
static void note_failure(struct outcome *o, uint32_t position, rc_status st)
{
#pragma omp critical(rci_deliver_note)
    if (o->st == RC_OK || position < o->position) {
        o->position = position;
        o->st = st;
        snprintf(o->text, sizeof(o->text), "%s", rci_error_text());
    }
}

static void note_bad(struct outcome *o)
{
#pragma omp critical(rci_deliver_note)
    {
        o->bad++;
        snprintf(o->warning, sizeof(o->warning), "%s", rci_error_text());
    }
}

/* Failures that lie in one image, as opposed to memory or a cancelled run. */
static bool image_is_bad(rc_status st)
{
    return st == RC_ERR_DATA || st == RC_ERR_FORMAT || st == RC_ERR_TRUNCATED ||
           st == RC_ERR_LIMIT || st == RC_ERR_UNSUPPORTED || st == RC_ERR_IO || st == RC_ERR_PATH;
}

/* Raw pixels of an image of the split: inside the data set, or fetched into `into`. */
static rc_status raw_image(const struct rc_dataset *d, uint32_t image, uint8_t *into,
                           const uint8_t **raw, int32_t *label)
{
    const uint32_t stored = d->pick ? d->pick[image] : image;
    *raw = into;
    if (d->labels)
        *label = d->labels[stored];
    if (!d->pixels)
        return d->source->fetch(d, stored, into, label);
    *raw = (const uint8_t *) d->pixels + stored * rci_dataset_image_bytes(d);
    return RC_OK;
}

/* With skip_bad, the next image that can be read stands in. */
static rc_status raw_or_next(const struct rc_dataset *d, uint32_t *image, struct outcome *o,
                             uint8_t *into, const uint8_t **raw, int32_t *label)
{
    rc_status st = raw_image(d, *image, into, raw, label);
    for (uint32_t i = 0; st != RC_OK && d->skip_bad && image_is_bad(st) && i < REPLACE_MAX; i++) {
        note_bad(o);
        *image = (*image + 1) % d->images;
        st = raw_image(d, *image, into, raw, label);
    }
    return st;
}

/* (p / 255 - mean) / std by table for bytes, by arithmetic for floats, which have no 255. */
static void normalise(const struct rc_dataset *d, const uint8_t *raw, float *x)
{
    const size_t plane = (size_t) d->shape[1] * d->shape[2];
    for (uint32_t c = 0; c < d->shape[0]; c++, x += plane) {
        const uint32_t stat = d->pre.n_stats == 1 ? 0 : c;
        /* BGR: planes in reverse order */
        const size_t from = plane * (d->pre.bgr ? d->shape[0] - 1 - c : c);
        if (!d->is_f32) {
            const float *lut = d->lut[stat];
            const uint8_t *p = raw + from;
            for (size_t i = 0; i < plane; i++)
                x[i] = lut[p[i]];
            continue;
        }
        const float *v = (const float *) (const void *) raw + from;
        const float mean = (float) d->pre.mean[stat], std = (float) d->pre.std[stat];
        for (size_t i = 0; i < plane; i++)
            x[i] = (v[i] - mean) / std;
    }
}

static struct rci_augment_image image_in(const struct rc_dataset *d, uint8_t *data, uint8_t *spare,
                                         uint8_t *room)
{
    return (struct rci_augment_image){.data = data,
                                      .spare = spare,
                                      .channels = d->shape[0],
                                      .height = d->shape[1],
                                      .width = d->shape[2],
                                      .item = d->is_f32 ? 4 : 1,
                                      .room = room};
}

static uint32_t image_at(const struct rci_delivery *job, uint64_t position)
{
    return job->order ? job->order[position] : (uint32_t) position;
}

/* What mixing needs to find its second image. */
struct partner {
    const struct rci_delivery *job;
    const struct scratch *s;
    struct outcome *o;
};

static rc_status fetch_partner(void *user, struct rci_rng *rng, struct rci_augment_image *other,
                               int32_t *label)
{
    const struct partner *p = user;
    const struct rc_dataset *d = p->job->dataset;
    uint32_t image = image_at(p->job, rci_rng_below(rng, p->job->positions));
    const uint8_t *raw;
    RC_TRY(raw_or_next(d, &image, p->o, p->s->other, &raw, label));
    if (raw != p->s->other)
        memcpy(p->s->other, raw, rci_dataset_image_bytes(d));
    *other = image_in(d, p->s->other, p->s->spare, p->s->room);
    return RC_OK;
}

static int32_t largest(const float *share, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t j = 1; j < n; j++)
        best = share[j] > share[best] ? j : best;
    return (int32_t) best;
}

static rc_status augment(const struct rci_delivery *job, uint32_t i, const struct scratch *s,
                         struct outcome *o, const uint8_t **raw, int32_t *label)
{
    const struct rc_dataset *d = job->dataset;
    struct rci_augment_image image = image_in(d, s->a, s->b, s->room);
    struct rci_rng rng = rci_rng_make(job->seed ^ 0x6175676d656e74, job->epoch, job->first + i);
    struct partner partner = {job, s, o};
    const struct rci_augment_mixer mixer = {
        .user = &partner,
        .fetch = fetch_partner,
        .target = job->target ? job->target + (size_t) i * d->classes : NULL,
        .classes = d->classes};
    if (*raw != s->a)
        memcpy(s->a, *raw, rci_dataset_image_bytes(d));
    if (mixer.target) {
        memset(mixer.target, 0, d->classes * sizeof(*mixer.target));
        mixer.target[*label] = 1;
    }
    RC_TRY(rci_augment_chain_apply(job->augment, &image, &rng, mixer.target ? &mixer : NULL));
    *raw = image.data;
    if (mixer.target)
        *label = largest(mixer.target, d->classes);
    return RC_OK;
}

static void deliver_one(const struct rci_delivery *job, uint32_t i, const struct scratch *s,
                        struct outcome *o)
{
    const struct rc_dataset *d = job->dataset;
    uint32_t image = image_at(job, job->first + i);
    const uint8_t *raw;
    int32_t label = 0;
    rc_status st = raw_or_next(d, &image, o, s->a, &raw, &label);
    if (st == RC_OK && job->augment)
        st = augment(job, i, s, o, &raw, &label);
    if (st != RC_OK) {
        note_failure(o, i, st);
        return;
    }
    normalise(d, raw, job->x + (size_t) i * rci_dataset_image_count(d));
    if (job->y)
        job->y[i] = label;
    if (job->id)
        job->id[i] = image;
}

/* One thread for a caller's function, and for few values; else not more than images. */
static uint32_t choose_threads(const struct rci_delivery *job)
{
    const struct rc_dataset *d = job->dataset;
    const bool small =
        d->pixels && job->count * (uint64_t) rci_dataset_image_count(d) < SERIAL_VALUES;
    if (d->source->serial || small || job->threads < 2)
        return 1;
    return job->threads < job->count ? job->threads : job->count;
}

static uint32_t own_number(void)
{
#ifdef _OPENMP
    return (uint32_t) omp_get_thread_num();
#else
    return 0;
#endif
}

rc_status rci_deliver(const struct rci_delivery *job)
{
    const struct rc_dataset *d = job->dataset;
    const uint32_t threads = choose_threads(job);
    const size_t room = (rci_dataset_image_bytes(d) + 63) / 64 * 64; /* no shared cache lines */
    const uint32_t rooms = job->augment ? rci_augment_chain_room(job->augment) : 0;
    const uint32_t images = (job->target ? 4 : 2) + rooms;
    uint8_t *block = rci_alloc(d->ctx, images * room * threads);
    struct outcome o = {0};
    if (!block)
        return RC_ERR_MEMORY;
#pragma omp parallel for schedule(dynamic, 4) num_threads((int) threads) if (threads > 1)
    for (int64_t i = 0; i < (int64_t) job->count; i++) {
        uint8_t *const own = block + images * room * own_number();
        const struct scratch s = {own, own + room, own + 2 * room, own + 3 * room,
                                  own + (images - rooms) * room};
        deliver_one(job, (uint32_t) i, &s, &o);
    }
    rci_release(block);
    if (o.bad)
        rci_log(d->ctx, RC_LOG_WARNING, "%u bad images were replaced, such as %s", o.bad,
                o.warning);
    return o.st == RC_OK ? RC_OK : rci_fail(o.st, "%s", o.text);
}
