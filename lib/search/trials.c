/* The trials of a search, and their file. */
#include "base/json.h"
#include "search/searcher.h"

#include <string.h>
#include <sys/stat.h>

enum { STREAM = 0x736561 };

rc_status rci_trials_open(struct rci_trials *t, struct rc_context *c, uint32_t n, uint64_t seed)
{
    *t = (struct rci_trials){.ctx = c, .n = n, .seed = seed};
    return n ? RC_OK : rci_fail(RC_ERR_ARG, "there is nothing to search for: no group may be cut");
}

void rci_trials_close(struct rci_trials *t)
{
    rci_release(t->x);
    rci_release(t->score);
    t->x = t->score = NULL;
    t->count = t->cap = 0;
}

void rci_trials_propose(const struct rci_trials *t, const struct rci_searcher *s,
                        const void *params, double *x)
{
    struct rci_rng r = rci_rng_make(t->seed, t->count, STREAM);
    for (uint32_t i = 0; i < t->n; i++)
        x[i] = 0.5;
    if (t->count)
        s->propose(params, t, &r, x);
}

rc_status rci_trials_tell(struct rci_trials *t, const double *x, double score)
{
    if (t->count == t->cap) {
        const uint32_t cap = t->cap ? 2 * t->cap : 16;
        double *all = rci_realloc_array(t->ctx, t->x, (size_t) cap * t->n, sizeof(*all));
        if (!all)
            return RC_ERR_MEMORY;
        t->x = all;
        double *scores = rci_realloc_array(t->ctx, t->score, cap, sizeof(*scores));
        if (!scores)
            return RC_ERR_MEMORY;
        t->score = scores;
        t->cap = cap;
    }
    memcpy(t->x + (size_t) t->count * t->n, x, t->n * sizeof(*x));
    t->score[t->count++] = score;
    return RC_OK;
}

uint32_t rci_trials_best(const struct rci_trials *t)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t k = 0; k < t->count; k++)
        if (best == UINT32_MAX || t->score[k] > t->score[best])
            best = k;
    return best;
}

rc_status rci_trials_save(const struct rci_trials *t, const char *path, const char *ties)
{
    struct rci_buffer text = {.ctx = t->ctx};
    struct rci_json_writer w = rci_json_writer_make(&text, true);
    rci_json_begin_object(&w, NULL);
    rci_json_put_text(&w, "search", ties);
    rci_json_put_integer(&w, "seed", (int64_t) t->seed);
    rci_json_put_integer(&w, "numbers", t->n);
    rci_json_begin_array(&w, "trials");
    for (uint32_t k = 0; k < t->count; k++) {
        rci_json_begin_array(&w, NULL);
        rci_json_put_number(&w, NULL, t->score[k]);
        for (uint32_t i = 0; i < t->n; i++)
            rci_json_put_number(&w, NULL, rci_trials_at(t, k)[i]);
        rci_json_end_array(&w);
    }
    rci_json_end_array(&w);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    if (st == RC_OK)
        st = rci_file_write(t->ctx, path, text.data, text.size);
    rci_buffer_free(&text);
    return st;
}

static rc_status trials_read_one(struct rci_trials *t, const struct rci_json_value *v, double *x)
{
    RC_TRY(rci_json_expect(v, RC_JSON_ARRAY, "a trial"));
    if (v->count != t->n + 1)
        return rci_fail(RC_ERR_FORMAT, "a trial has %u numbers, there must be %u", v->count,
                        t->n + 1);
    uint32_t i = 0;
    for (const struct rci_json_value *e = v->first; e; e = e->next, i++) {
        RC_TRY(rci_json_expect(e, RC_JSON_NUMBER, "a number of a trial"));
        if (i && !(e->number >= 0 && e->number <= 1))
            return rci_fail(RC_ERR_FORMAT, "a number of a trial is %g, allowed is 0..1", e->number);
        if (i)
            x[i - 1] = e->number;
    }
    return rci_trials_tell(t, x, v->first->number);
}

static rc_status trials_read(struct rci_trials *t, const struct rci_json_value *root,
                             const char *path, const char *ties)
{
    const char *of = "";
    int64_t seed = -1, n = -1;
    RC_TRY(rci_json_read_text(root, "search", &of));
    RC_TRY(rci_json_read_integer(root, "seed", 0, INT64_C(1) << 53, &seed));
    RC_TRY(rci_json_read_integer(root, "numbers", 1, 1 << 20, &n));
    if (strcmp(of, ties) || seed != (int64_t) t->seed || n != t->n)
        return rci_fail(RC_ERR_ARG, "%s is of another search (\"%s\", seed %lld)", path, of,
                        (long long) seed);
    const struct rci_json_value *all = rci_json_get(root, "trials");
    if (!all)
        return rci_fail(RC_ERR_FORMAT, "%s: no \"trials\"", path);
    RC_TRY(rci_json_expect(all, RC_JSON_ARRAY, "trials"));
    double *x = rci_alloc_array(t->ctx, t->n, sizeof(*x));
    rc_status st = x ? RC_OK : RC_ERR_MEMORY;
    for (const struct rci_json_value *v = all->first; v && st == RC_OK; v = v->next)
        st = trials_read_one(t, v, x);
    rci_release(x);
    return st;
}

rc_status rci_trials_load(struct rci_trials *t, const char *path, const char *ties)
{
    struct rci_json *json;
    struct stat s;
    if (stat(path, &s) != 0)
        return RC_OK;
    RC_TRY(rci_json_load(&json, t->ctx, path));
    const rc_status st = trials_read(t, rci_json_root(json), path, ties);
    rci_json_free(&json);
    return st;
}
