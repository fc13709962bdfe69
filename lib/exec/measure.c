/* Latency of several sessions, interleaved: round r runs every session once, so drift of the
 * machine falls on all of them alike. */
#include "exec/measure.h"

#include "base/file.h"
#include "base/rng.h"
#include "exec/energy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IO = 32 };

struct subject {
    struct rc_session *session;
    void *in[MAX_IO], *out[MAX_IO];
    int64_t batch;
    double *ms;
    double joules; /* of all counted runs */
};

static void free_subject(struct subject *s)
{
    for (int i = 0; i < MAX_IO; i++) {
        rci_release(s->in[i]);
        rci_release(s->out[i]);
    }
    rci_release(s->ms);
}

/* Images are roughly normal after normalisation. */
static rc_status random_input(struct rc_context *c, const struct rci_tensor *t, void **out)
{
    struct rci_tensor copy;
    RC_TRY(rci_tensor_new(&copy, c, t->dtype, &t->shape));
    struct rci_rng r = rci_rng_make(c->o.seed, 0x6c617465, 0);
    if (t->dtype == RC_F32)
        for (int64_t i = 0, n = rci_shape_count(&t->shape); i < n; i++)
            ((float *) copy.data)[i] = (float) rci_rng_normal(&r);
    *out = copy.data;
    return RC_OK;
}

static rc_status make_subject(struct rc_context *c, struct subject *s, uint64_t max_runs)
{
    const uint32_t n_in = rci_session_n_inputs(s->session),
                   n_out = rci_session_n_outputs(s->session);
    if (n_in > MAX_IO || n_out > MAX_IO)
        return rci_fail(RC_ERR_LIMIT, "%u inputs and %u outputs, at most %d each can be measured",
                        n_in, n_out, MAX_IO);
    for (uint32_t i = 0; i < n_in; i++)
        RC_TRY(random_input(c, rci_session_input(s->session, i), &s->in[i]));
    for (uint32_t i = 0; i < n_out; i++)
        if (!(s->out[i] = rci_alloc_zero(c, rci_tensor_bytes(rci_session_output(s->session, i)))))
            return RC_ERR_MEMORY;
    const struct rci_tensor *first = rci_session_input(s->session, 0);
    s->batch = first->shape.rank ? first->shape.dim[0] : 1;
    s->ms = rci_alloc_array(c, max_runs, sizeof(double));
    return s->ms ? RC_OK : RC_ERR_MEMORY;
}

static rc_status measure_run_once(struct subject *s, double *ms)
{
    const uint64_t begin = rci_clock_ns();
    RC_TRY(rci_session_run(s->session, s->batch, (const void *const *) s->in, s->out));
    *ms = (double) (rci_clock_ns() - begin) * 1e-6;
    return RC_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* Nearest rank: sorted[ceil(p * n) - 1]. */
static double percentile(const double *sorted, uint64_t n, double p)
{
    const double rank = ceil(p * (double) n);
    return sorted[rank < 1 ? 0 : (uint64_t) rank - 1];
}

/* Counted where the processor does it, else power that is assumed times the median. */
static void summarize_energy(const struct subject *s, const struct rc_context *c, bool counted,
                             rc_latency *r)
{
    const double watts = RC_ENERGY_ASSUMED * (double) rci_context_threads(c);
    const double joules = counted ? s->joules / (double) r->runs : r->median_ms * 1e-3 * watts;
    r->joules_per_image = joules / (double) s->batch;
    r->energy = counted ? "RAPL" : "time x 10 W for each thread";
}

static void summarize(struct subject *s, uint64_t runs, rc_latency *r)
{
    double sum = 0;
    for (uint64_t i = 0; i < runs; i++)
        sum += s->ms[i];
    qsort(s->ms, runs, sizeof(double), by_value);
    r->runs = runs;
    r->min_ms = s->ms[0];
    r->mean_ms = sum / (double) runs;
    r->median_ms = percentile(s->ms, runs, 0.5);
    r->p90_ms = percentile(s->ms, runs, 0.9);
    r->p99_ms = runs >= 100 ? percentile(s->ms, runs, 0.99) : 0;
    r->images_per_second = (double) s->batch * 1e3 / r->median_ms;
}

static rc_status measure_session(struct rc_context *c, struct subject *s, uint32_t n,
                                 const rc_latency_options *o, struct rci_energy *e, uint64_t *runs)
{
    double ignored;
    for (uint64_t w = 0; w < o->warmup; w++)
        for (uint32_t i = 0; i < n; i++)
            RC_TRY(measure_run_once(&s[i], &ignored));
    const uint64_t begin = rci_clock_ns();
    const double budget = o->seconds * 1e9 * n;
    *runs = 0;
    rci_energy_since(e);
    while (*runs < o->max_runs &&
           (*runs < o->min_runs || (double) (rci_clock_ns() - begin) < budget)) {
        RC_TRY(rci_check_cancel(c));
        for (uint32_t i = 0; i < n; i++) {
            RC_TRY(measure_run_once(&s[i], &s[i].ms[*runs]));
            s[i].joules += e->n ? rci_energy_since(e) : 0;
        }
        ++*runs;
    }
    return RC_OK;
}

rc_status rci_measure_latency(struct rc_context *c, struct rc_session *const *sessions, uint32_t n,
                              const rc_latency_options *o, rc_latency *results)
{
    rc_status st = RC_OK;
    uint64_t runs = 0;
    struct rci_energy energy;
    rci_energy_open(&energy, NULL);
    struct subject *s = rci_alloc_array(c, n, sizeof(*s));
    if (!s)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        s[i].session = sessions[i];
        RC_TRY_OUT(st, make_subject(c, &s[i], o->max_runs));
    }
    RC_TRY_OUT(st, measure_session(c, s, n, o, &energy, &runs));
    for (uint32_t i = 0; i < n; i++) {
        summarize(&s[i], runs, &results[i]);
        summarize_energy(&s[i], c, energy.n > 0, &results[i]);
    }
out:
    for (uint32_t i = 0; i < n; i++)
        free_subject(&s[i]);
    rci_release(s);
    return st;
}
