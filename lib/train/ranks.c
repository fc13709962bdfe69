/* Several processes train one model, each with its part of every batch. All of them decide alike:
 * what one knows alone (a failure, a cancellation, its loss) is exchanged before anyone acts. */
#include "train/run.h"

#include <string.h>

enum { MAX_RANKS = 4096, EXCHANGED = 4 };
enum { DIGITS = 16, FACTS = 3, SUMS = 1 + FACTS * 2 * DIGITS };

rc_status rci_ranks_open(struct rc_trainer *t)
{
    const rc_train_options *o = &t->o;
    const uint64_t ranks = o->ranks ? o->ranks : 1;
    if (ranks > MAX_RANKS)
        return rci_fail(RC_ERR_ARG, "ranks is %llu, allowed is 1..%d", (unsigned long long) ranks,
                        MAX_RANKS);
    if (ranks > 1 && !o->all_reduce)
        return rci_fail(RC_ERR_ARG, "ranks is %llu, but all_reduce is NULL",
                        (unsigned long long) ranks);
    if (o->all_reduce && o->flags & RC_TRAIN_BF16)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "training in bf16 is for one process, all_reduce is set");
    if (o->rank >= ranks)
        return rci_fail(RC_ERR_ARG, "rank is %llu, allowed is 0..%llu",
                        (unsigned long long) o->rank, (unsigned long long) ranks - 1);
    if (o->batch % ranks)
        return rci_fail(RC_ERR_ARG, "batch is %llu, must be a multiple of ranks, which is %llu",
                        (unsigned long long) o->batch, (unsigned long long) ranks);
    t->sync =
        (struct rci_sync){o->all_reduce, o->all_reduce_user, (uint32_t) ranks, (uint32_t) o->rank};
    t->sync_room = rci_alloc_zero(t->ctx, rci_sync_room(&t->sync, EXCHANGED));
    return t->sync_room ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_ranks_exchange(struct rc_trainer *t, rc_status own, double *values, uint32_t n)
{
    double mine[EXCHANGED] = {own != RC_OK};
    const double *all;
    if (!t->sync.all_reduce)
        return own;
    for (uint32_t i = 0; i < n; i++)
        mine[i + 1] = values[i];
    const rc_status st = rci_sync_gather(&t->sync, mine, n + 1, t->sync_room, &all);
    if (own != RC_OK)
        return own;
    RC_TRY(st);
    for (uint32_t i = 0; i < n; i++)
        values[i] = 0;
    for (uint32_t r = 0; r < t->sync.ranks; r++) {
        if (all[r * (n + 1)] > 0)
            return rci_fail(RC_ERR_STATE, "rank %u of %u failed", r, t->sync.ranks);
        for (uint32_t i = 0; i < n; i++)
            values[i] += all[r * (n + 1) + 1 + i];
    }
    return RC_OK;
}

/* --- are these ranks of one run? --- */

static uint64_t weights_hash(const struct rc_trainer *t)
{
    const struct rci_train_state *s = &t->state;
    uint64_t h = rci_train_model_hash(s);
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_tensor *w = &s->graph->values[s->values[i]].tensor;
        h = rci_train_hash(h, w->data, rci_tensor_bytes(w));
    }
    return h;
}

/* Sums of the digits and of their squares: floats hold them exactly. */
static void put_digits(float *to, uint64_t fact)
{
    for (int k = 0; k < DIGITS; k++) {
        const float digit = (float) (fact >> 4 * k & 15);
        to[2 * k] = digit;
        to[2 * k + 1] = digit * digit;
    }
}

/* All are equal where their variance is zero, which every rank sees alike. */
static bool digits_agree(const float *sum, double ranks)
{
    for (int k = 0; k < DIGITS; k++) {
        const double first = (double) sum[2 * k], second = (double) sum[2 * k + 1];
        if (first * first != ranks * second)
            return false;
    }
    return true;
}

static rc_status check_numbers(const struct rc_trainer *t)
{
    const double one = 1, *all;
    RC_TRY(rci_sync_gather(&t->sync, &one, 1, t->sync_room, &all));
    for (uint32_t r = 0; r < t->sync.ranks; r++)
        if (all[r] != 1)
            return rci_fail(RC_ERR_ARG, "%g processes have the number of rank %u of %u", all[r], r,
                            t->sync.ranks);
    return RC_OK;
}

rc_status rci_ranks_agree(const struct rc_trainer *t)
{
    float sum[SUMS] = {1};
    const double ranks = t->sync.ranks;
    if (!t->sync.all_reduce)
        return RC_OK;
    put_digits(sum + 1, weights_hash(t));
    put_digits(sum + 1 + 2 * DIGITS,
               rci_train_hash(RC_TRAIN_HASH_START, t->identity, strlen(t->identity)));
    put_digits(sum + 1 + 4 * DIGITS, t->state.count.step * (MAX_RANKS + 1) + t->sync.ranks);
    RC_TRY(t->sync.all_reduce(t->sync.user, sum, SUMS));
    const double found = (double) sum[0];
    if (!digits_agree(sum + 1, found))
        return rci_fail(RC_ERR_ARG, "the ranks have different models: structure or weights differ");
    if (!digits_agree(sum + 1 + 2 * DIGITS, found))
        return rci_fail(RC_ERR_ARG, "the ranks have different options; rank %u has %s",
                        t->sync.rank, t->identity);
    if (!digits_agree(sum + 1 + 4 * DIGITS, found))
        return rci_fail(RC_ERR_ARG,
                        "the ranks start at different steps or count each other differently; rank "
                        "%u of %u starts after step %llu",
                        t->sync.rank, t->sync.ranks, (unsigned long long) t->state.count.step);
    if (found != ranks)
        return rci_fail(RC_ERR_ARG, "all_reduce sums over %g ranks, there are to be %u", found,
                        t->sync.ranks);
    return check_numbers(t);
}
