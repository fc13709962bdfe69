/* Threads of OpenMP that sleep, so that others do not spin. */
#include "base/load.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>

/* A stay lasts from begin() to end(), and has a number; its thread goes when that is not the number
 * of now any more. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uintptr_t stay;
    uint32_t idle; /* 0: nobody stays */
} park = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The region makes the threads, which belong to this one from then on and end with it. */
static void *sit(void *user)
{
    const uintptr_t stay = (uintptr_t) user;
    pthread_mutex_lock(&park.lock);
    const int threads = (int) park.idle + 1;
    pthread_mutex_unlock(&park.lock);
#pragma omp parallel num_threads(threads)
    __asm__ volatile("");
    pthread_mutex_lock(&park.lock);
    while (park.stay == stay)
        pthread_cond_wait(&park.changed, &park.lock);
    pthread_mutex_unlock(&park.lock);
    return NULL;
}

static void end_locked(void)
{
    park.stay++;
    park.idle = 0;
    pthread_cond_broadcast(&park.changed);
}

static bool begin_locked(uint32_t idle)
{
    pthread_t thread;
    sigset_t all, kept;
    end_locked();
    park.idle = idle;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept); /* signals are for the program's threads */
    const bool made = !pthread_create(&thread, NULL, sit, (void *) park.stay);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (made)
        pthread_detach(thread);
    else
        park.idle = 0;
    return made;
}

bool rci_park_begin(uint32_t idle)
{
    pthread_mutex_lock(&park.lock);
    const bool done = park.idle >= idle || begin_locked(idle);
    pthread_mutex_unlock(&park.lock);
    return done;
}

void rci_park_end(void)
{
    pthread_mutex_lock(&park.lock);
    if (park.idle)
        end_locked();
    pthread_mutex_unlock(&park.lock);
}
