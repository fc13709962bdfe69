/* A thread with three states: idle, working, done. Only its owner starts and takes. */
#include "data/prefetch.h"
#include "base/pin.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum state { IDLE, WORKING, DONE, QUIT };

struct rci_prefetch {
    pthread_t thread;
    const struct rci_pin *maker; /* where that thread was held, or NULL */
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state; /* under the lock, as all below while WORKING */
    struct rci_delivery job;
    float *target; /* room for job.target, or NULL */
    uint64_t index;
    rc_status st;
    char text[512]; /* messages belong to a thread: carried over to the owner's */
};

static void *work(void *arg)
{
    struct rci_prefetch *p = arg;
    rci_pin_leave(p->maker);
    pthread_mutex_lock(&p->lock);
    while (p->state != QUIT) {
        if (p->state != WORKING) {
            pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        const rc_status st = rci_deliver(&p->job);
        pthread_mutex_lock(&p->lock);
        p->st = st;
        if (st != RC_OK)
            snprintf(p->text, sizeof(p->text), "%s", rci_error_text());
        if (p->state == WORKING)
            p->state = DONE;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* The program's signals stay with the program's threads. */
static bool start_thread(struct rci_prefetch *p)
{
    sigset_t all, before;
    p->maker = rci_pin_here();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&p->thread, NULL, work, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

rc_status rci_prefetch_new(struct rci_prefetch **out, const struct rc_dataset *d, uint32_t batch,
                           bool mixes)
{
    *out = NULL;
    struct rci_prefetch *p = RC_NEW(d->ctx, struct rci_prefetch);
    if (!p)
        return RC_ERR_MEMORY;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    const size_t values = rci_dataset_image_count(d);
    size_t all;
    p->job.x =
        rci_mul_size(values, batch, &all) ? rci_alloc_array(d->ctx, all, sizeof(float)) : NULL;
    p->job.y = rci_alloc_array(d->ctx, batch, sizeof(int32_t));
    p->job.id = rci_alloc_array(d->ctx, batch, sizeof(uint32_t));
    if (mixes && rci_mul_size(d->classes, batch, &all))
        p->target = rci_alloc_array(d->ctx, all, sizeof(float));
    if (!p->job.x || !p->job.y || !p->job.id || (mixes && !p->target)) {
        rci_prefetch_free(p);
        return rci_fail(RC_ERR_MEMORY, "out of memory: batch of %u images of %zu values", batch,
                        values);
    }
    p->running = start_thread(p);
    if (!p->running) {
        rci_prefetch_free(p); /* slower, but the same batches */
        rci_log(d->ctx, RC_LOG_WARNING, "no thread for preparing batches ahead");
        return RC_OK;
    }
    *out = p;
    return RC_OK;
}

void rci_prefetch_free(struct rci_prefetch *p)
{
    if (!p)
        return;
    if (p->running) {
        pthread_mutex_lock(&p->lock);
        p->state = QUIT;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    rci_release(p->job.x);
    rci_release(p->job.y);
    rci_release(p->job.id);
    rci_release(p->target);
    rci_release(p);
}

rc_status rci_prefetch_take(struct rci_prefetch *p, uint64_t index, const struct rci_delivery *to,
                            bool *served)
{
    pthread_mutex_lock(&p->lock);
    while (p->state == WORKING)
        pthread_cond_wait(&p->changed, &p->lock);
    const struct rci_delivery *j = &p->job;
    *served =
        p->state == DONE && j->epoch == to->epoch && p->index == index && !j->target == !to->target;
    p->state = IDLE;
    pthread_mutex_unlock(&p->lock);
    if (!*served)
        return RC_OK;
    if (p->st != RC_OK)
        return rci_fail(p->st, "%s", p->text);
    memcpy(to->x, j->x, j->count * rci_dataset_image_count(j->dataset) * sizeof(float));
    memcpy(to->y, j->y, j->count * sizeof(*j->y));
    if (to->target)
        memcpy(to->target, j->target, j->count * j->dataset->classes * sizeof(float));
    if (to->id)
        memcpy(to->id, j->id, j->count * sizeof(*j->id));
    return RC_OK;
}

void rci_prefetch_start(struct rci_prefetch *p, const struct rci_delivery *job, uint64_t index,
                        bool mixed)
{
    float *const x = p->job.x;
    int32_t *const y = p->job.y;
    uint32_t *const id = p->job.id;
    pthread_mutex_lock(&p->lock);
    p->job = *job;
    p->job.x = x;
    p->job.y = y;
    p->job.id = id;
    p->job.target = mixed ? p->target : NULL;
    /* The compute threads are busy meanwhile: one thread does, and half of
     * them where images must be decoded. */
    const uint32_t few = job->dataset->pixels ? 1 : (job->threads + 1) / 2;
    p->job.threads = few;
    p->index = index;
    p->state = WORKING;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}
