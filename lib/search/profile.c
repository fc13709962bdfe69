/* Times of layers, taken inside whole networks: each graph and narrower copies of it, with random
 * channels in every group, run in turns with and without a clock at every step. A layer's time is
 * that of its step and of the steps behind it up to the next layer, and its share of what a run
 * takes longer, or shorter, than its steps. Others who compute meanwhile only add to times, for
 * seconds on end: everything is timed in several rounds, of a round the tenth of the runs that is
 * fastest counts, and of the rounds the least. */
#include "base/file.h"
#include "base/rng.h"
#include "exec/energy.h"
#include "exec/session.h"
#include "kernel/cpu.h"
#include "prune/pruner.h"
#include "search/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 400, LEAST_RUNS = 4, ROUNDS = 3 };

/* Where a time went: entry of the table, point of it. */
struct place {
    uint32_t layer, point;
};

struct timing {
    struct rc_device *d;
    const rc_device_options *o;
    struct rci_energy energy;
    double busy, joules; /* of all runs [s] [J] */
    double done, todo;   /* pieces, for progress */
    struct place *place; /* of all times, in the order in which every round takes them */
    uint32_t n_places, cap_places, cursor, round;
};

/* One graph in one precision. */
struct timed {
    struct timing *t;
    const struct rc_graph *g;
    enum rci_precision precision;
    struct rc_session *s;
    struct rci_layer *layer;
    uint32_t n_layers, n_steps;
    uint32_t *layer_of; /* [n_steps] */
    double *ms;         /* [MOST_RUNS][n_layers + 2]: layers, a run with clocks, one without */
    double *sorted;     /* [MOST_RUNS] */
    uint32_t runs;
    float *x, **y;
};

static rc_status profile_show(struct timing *t, const char *graph, uint32_t precision)
{
    char text[96];
    RC_TRY(rci_check_cancel(t->d->ctx));
    if (!t->o->progress)
        return RC_OK;
    snprintf(text, sizeof(text), "%.60s, %s", graph && *graph ? graph : "a graph",
             rci_precision_name[precision]);
    t->o->progress(t->o->progress_user, text, t->done / t->todo);
    return RC_OK;
}

/* --- one graph --- */

/* Steps before the first layer belong to it. */
static void timed_map_steps(struct timed *m)
{
    uint32_t now = 0;
    for (uint32_t i = 0; i < m->n_steps; i++) {
        struct rci_step_info step;
        rci_session_step(m->s, i, &step);
        for (uint32_t l = 0; l < m->n_layers; l++)
            if (step.macs && !strcmp(step.name, m->g->nodes[m->layer[l].node].name))
                now = l;
        m->layer_of[i] = now;
    }
}

static rc_status timed_open(struct timed *m)
{
    struct rc_context *c = m->t->d->ctx;
    const struct rci_session_config config = {
        .batch = (int64_t) m->t->o->batch,
        .threads = (uint32_t) m->t->d->threads,
        .flags = m->precision == RC_PRECISION_BF16 ? RC_SESSION_BF16 : 0};
    RC_TRY(rci_session_new(&m->s, m->g, &config));
    RC_TRY(rci_layers_of(&m->layer, &m->n_layers, m->g));
    for (uint32_t i = 0; i < m->n_layers; i++)
        if (m->precision == RC_PRECISION_BF16)
            m->layer[i].key.precision = RC_PRECISION_BF16;
    m->n_steps = rci_session_n_steps(m->s);
    if (!m->n_layers || rci_session_n_inputs(m->s) != 1)
        return rci_fail(RC_ERR_UNSUPPORTED, "graphs with one input and layers with weights can be "
                                            "timed");
    m->layer_of = rci_alloc_array(c, m->n_steps + 1, sizeof(*m->layer_of));
    m->ms = rci_alloc_array(c, (size_t) MOST_RUNS * (m->n_layers + 2), sizeof(*m->ms));
    m->sorted = rci_alloc_array(c, MOST_RUNS, sizeof(*m->sorted));
    m->x = rci_alloc_zero(c, rci_tensor_bytes(rci_session_input(m->s, 0)));
    m->y = rci_alloc_array(c, rci_session_n_outputs(m->s), sizeof(*m->y));
    if (!m->layer_of || !m->ms || !m->sorted || !m->x || !m->y)
        return RC_ERR_MEMORY;
    struct rci_rng r = rci_rng_make(m->t->o->seed, 1, 0x70726f66);
    for (int64_t i = 0, n = rci_shape_count(&rci_session_input(m->s, 0)->shape); i < n; i++)
        m->x[i] = (float) rci_rng_normal(&r);
    for (uint32_t i = 0; i < rci_session_n_outputs(m->s); i++)
        if (!(m->y[i] = rci_alloc_zero(c, rci_tensor_bytes(rci_session_output(m->s, i)))))
            return RC_ERR_MEMORY;
    timed_map_steps(m);
    return RC_OK;
}

static void timed_close(struct timed *m)
{
    for (uint32_t i = 0; m->s && m->y && i < rci_session_n_outputs(m->s); i++)
        rci_release(m->y[i]);
    rci_release(m->y);
    rci_release(m->x);
    rci_release(m->sorted);
    rci_release(m->ms);
    rci_release(m->layer_of);
    rci_release(m->layer);
    rci_session_free(m->s);
}

static rc_status timed_run(struct timed *m, bool clocks, double *ms)
{
    rci_session_profile(m->s, clocks);
    const void *const in[] = {m->x};
    const uint64_t begin = rci_clock_ns();
    RC_TRY(rci_session_run(m->s, (int64_t) m->t->o->batch, in, (void *const *) m->y));
    *ms = (double) (rci_clock_ns() - begin) * 1e-6;
    return RC_OK;
}

static rc_status timed_measure(struct timed *m)
{
    double ignored;
    const double limit = m->t->o->seconds * 1e9 / ROUNDS;
    for (uint32_t i = 0; i < 3; i++)
        RC_TRY(timed_run(m, i == 1, &ignored));
    rci_energy_since(&m->t->energy);
    const uint64_t begin = rci_clock_ns();
    for (m->runs = 0; m->runs < MOST_RUNS; m->runs++) {
        double *row = m->ms + (size_t) m->runs * (m->n_layers + 2);
        if (m->runs >= LEAST_RUNS && (double) (rci_clock_ns() - begin) > limit)
            break;
        RC_TRY(timed_run(m, true, &row[m->n_layers]));
        for (uint32_t i = 0; i < m->n_steps; i++) {
            struct rci_step_info step;
            rci_session_step(m->s, i, &step);
            row[m->layer_of[i]] += step.seconds * 1e3;
        }
        RC_TRY(timed_run(m, false, &row[m->n_layers + 1]));
    }
    m->t->busy += (double) (rci_clock_ns() - begin) * 1e-9;
    m->t->joules += rci_energy_since(&m->t->energy);
    return RC_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* What nine of ten runs exceed: others who compute meanwhile only add to a time. */
static double timed_typical(struct timed *m, uint32_t column)
{
    for (uint32_t r = 0; r < m->runs; r++)
        m->sorted[r] = m->ms[(size_t) r * (m->n_layers + 2) + column];
    qsort(m->sorted, m->runs, sizeof(*m->sorted), by_value);
    return m->sorted[m->runs / 10];
}

/* The first round adds times to the table, later ones lower them. */
static rc_status timing_keep(struct timing *t, const struct rci_layer *l, double ms)
{
    const struct rci_device_point p = {l->in, l->out, ms > 0 ? ms : 0, 0};
    if (t->round) {
        const struct place at = t->place[t->cursor++];
        struct rci_device_point *old = &t->d->layer[at.layer].point[at.point];
        old->ms = p.ms < old->ms ? p.ms : old->ms;
        return RC_OK;
    }
    if (t->n_places == t->cap_places) {
        const uint32_t cap = t->cap_places ? 2 * t->cap_places : 256;
        struct place *more = rci_realloc_array(t->d->ctx, t->place, cap, sizeof(*t->place));
        if (!more)
            return RC_ERR_MEMORY;
        t->place = more;
        t->cap_places = cap;
    }
    struct place *at = &t->place[t->n_places];
    RC_TRY(rci_device_add(t->d, &l->key, &p, &at->layer, &at->point));
    t->n_places++;
    return RC_OK;
}

/* Clocks and what lies between steps: the same for every step. */
static rc_status timed_keep(struct timed *m)
{
    double sum = 0;
    for (uint32_t l = 0; l < m->n_layers; l++)
        sum += timed_typical(m, l);
    const double beside = (timed_typical(m, m->n_layers + 1) - sum) / (m->n_steps ? m->n_steps : 1);
    for (uint32_t l = 0; l < m->n_layers; l++) {
        uint32_t steps = 0;
        for (uint32_t i = 0; i < m->n_steps; i++)
            steps += m->layer_of[i] == l;
        RC_TRY(timing_keep(m->t, &m->layer[l], timed_typical(m, l) + beside * steps));
    }
    return RC_OK;
}

static rc_status time_graph(struct timing *t, const struct rc_graph *g,
                            enum rci_precision precision)
{
    struct timed m = {.t = t, .g = g, .precision = precision};
    struct rc_graph *integers = NULL;
    rc_status st = profile_show(t, g->name, precision);
    if (st == RC_OK && precision == RC_PRECISION_INT8)
        st = rci_device_quantize(&integers, g, t->o->seed);
    m.g = integers ? integers : g;
    if (st == RC_OK)
        st = timed_open(&m);
    if (st == RC_OK)
        st = timed_measure(&m);
    if (st == RC_OK)
        st = timed_keep(&m);
    timed_close(&m);
    rci_graph_free(integers);
    t->done++;
    return st;
}

/* --- narrower copies --- */

/* Every other cut keeps multiples of 8; two of four cut residual trunks too. */
static rc_status profile_choose_widths(struct rc_pruner *p, uint32_t cut, uint64_t seed)
{
    struct rci_rng r = rci_rng_make(seed, cut, 0x63757473);
    for (uint32_t i = 0; i < p->coupling->n_groups; i++) {
        const uint32_t n = p->coupling->group[i].n_units;
        const double keep = 0.1 + 0.9 * rci_rng_uniform(&r);
        const bool trunk = p->coupling->group[i].producers > 1;
        uint32_t kept = (uint32_t) ceil(keep * n);
        if (!rci_pruner_may_cut(p, i))
            continue;
        if (cut % 2 && n >= 16)
            kept = kept < 8 ? 8 : kept / 8 * 8;
        if (trunk && cut / 2 % 2)
            kept = n;
        RC_TRY(rci_pruner_set_kept(p, i, kept < n ? kept : n));
    }
    return RC_OK;
}

static rc_status profile_graph(struct timing *t, const struct rc_graph *g,
                               const bool precision[RC_PRECISIONS])
{
    const rc_prune_options o = {.size = sizeof(o),
                                .criterion = "l2",
                                .repair = "none",
                                .max_cut = 0.99,
                                .round_to = 1,
                                .min_channels = 1,
                                .images = 1,
                                .batch = 1,
                                .seed = t->o->seed,
                                .macs = 0.5};
    struct rc_pruner *pruner;
    RC_TRY(rci_pruner_new(&pruner, g, &o));
    rc_status st = RC_OK;
    for (uint32_t cut = 0; cut <= t->o->cuts && st == RC_OK; cut++) {
        struct rc_graph *narrow = NULL;
        if (cut) {
            st = profile_choose_widths(pruner, cut, t->o->seed);
            if (st == RC_OK)
                st = rci_pruner_apply(&narrow, pruner);
        }
        for (uint32_t k = 0; k < RC_PRECISIONS && st == RC_OK; k++)
            if (precision[k])
                st = time_graph(t, narrow ? narrow : g, (enum rci_precision) k);
        rci_graph_free(narrow);
    }
    rci_pruner_free(pruner);
    return st;
}

/* --- all --- */

static rc_status profile_precisions(bool precision[RC_PRECISIONS], const char *text, uint32_t *n)
{
    *n = 0;
    for (const char *s = text; *s;) {
        const size_t length = strcspn(s, ",");
        bool known = false;
        for (uint32_t k = 0; k < RC_PRECISIONS; k++)
            if (strlen(rci_precision_name[k]) == length &&
                !strncmp(s, rci_precision_name[k], length)) {
                *n += !precision[k];
                known = precision[k] = true;
            }
        if (!known)
            return rci_fail(RC_ERR_ARG, "precisions is \"%s\", allowed are f32, int8 and bf16",
                            text);
        s += length + (s[length] == ',');
    }
    return *n ? RC_OK : rci_fail(RC_ERR_ARG, "precisions is empty");
}

static rc_status profile_settle_power(struct timing *t)
{
    struct rc_device *d = t->d;
    char text[96];
    if (t->o->watts > 0) {
        d->watts = t->o->watts;
        snprintf(text, sizeof(text), "%g W, as given", d->watts);
    } else if (t->energy.n && t->joules > 0) {
        d->watts = t->joules / t->busy;
        snprintf(text, sizeof(text), "RAPL: %.1f W while these times were taken", d->watts);
    } else {
        d->watts = RC_ENERGY_ASSUMED * (double) d->threads;
        snprintf(text, sizeof(text), "time x power: %g W assumed for each of %llu threads",
                 RC_ENERGY_ASSUMED, (unsigned long long) d->threads);
    }
    rci_release(d->energy);
    d->energy = rci_format(d->ctx, "%s", text);
    return d->energy ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_device_profile(struct rc_device **out, struct rc_context *c,
                             const struct rc_graph *const *graphs, uint32_t n,
                             const rc_device_options *o)
{
    struct timing t = {.o = o};
    bool precision[RC_PRECISIONS] = {false};
    uint32_t precisions;
    *out = NULL;
    RC_TRY(profile_precisions(precision, o->precisions, &precisions));
    if (precision[RC_PRECISION_BF16] && !c->cpu->bf16)
        return rci_fail(RC_ERR_UNSUPPORTED, "precisions: this processor has no bf16");
    RC_TRY(rci_device_new(&t.d, c, o->name ? o->name : c->cpu->model, ""));
    t.d->batch = o->batch;
    t.d->threads = rci_context_threads(c);
    t.todo = (double) n * (double) (o->cuts + 1) * precisions * ROUNDS;
    rci_energy_open(&t.energy, NULL);
    rc_status st = RC_OK;
    for (t.round = 0; t.round < ROUNDS; t.round++) {
        t.cursor = 0;
        for (uint32_t i = 0; i < n && st == RC_OK; i++)
            st = profile_graph(&t, graphs[i], precision);
    }
    rci_release(t.place);
    if (st == RC_OK)
        st = profile_settle_power(&t);
    if (st == RC_OK)
        *out = t.d;
    else
        rci_device_free(t.d);
    return st;
}
