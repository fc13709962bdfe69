/* What a training run of simulated integers needs besides gradients, after every step:
 * - steps stay positive, and so do the scales of normalizations, whose sign integers could not
 * take;
 * - learned thresholds are pulled to 0 (PACT);
 * - a weight whose integer keeps going to and fro is frozen at the integer it is at in the mean:
 *   f <- 0.99 f + 0.01 [the integer changed, the other way than the last time],
 *   frozen where f > `freeze` (Nagel et al., Overcoming Oscillations in QAT, ICML 2022);
 * - where the loss runs away, weights and steps of a better time come back and the rate is halved.
 */
#include "quant/trainable.h"

#include <math.h>
#include <string.h>

enum { SNAPSHOT_EACH = 50, SETTLED = 20, NUMBERS = 4 };

/* A FakeQuant node with learned numbers or trained weights. */
struct place {
    const struct rci_fake_quant_attrs *a;
    rci_id x, numbers; /* values; x: RC_NONE where it is no constant */
    bool learned;      /* numbers are */
    float *start;      /* [numbers] */
    float *state;      /* [4][weights], see enum; NULL: nothing is frozen */
    float *room;       /* [weights] */
};
enum { PREVIOUS, DIRECTION, OFTEN, MEAN };

struct guard { /* floats: part of checkpoints */
    float steps, mean, best, factor, saved;
};

struct rci_qat_hook {
    struct rc_context *ctx;
    const struct rci_qat *method;
    const void *params;
    struct rc_trainer *trainer; /* borrowed */
    struct place *place;
    uint32_t n;
    struct guard guard;
    float *snapshot; /* of all parameters, in the tape's order */
    size_t n_floats;
    float *states; /* [n_states] of all places */
    size_t n_states;
};

static const struct rci_qat_common *common_of(const struct rci_qat_hook *h)
{
    return h->params;
}

/* --- the guard --- */

static void exchange(struct rci_qat_hook *h, struct rci_tape *t, bool save)
{
    size_t at = 0;
    for (uint32_t i = 0; i < rci_tape_n_params(t); i++) {
        const size_t n = (size_t) rci_tape_param_count(t, i);
        float *w = rci_tape_param_data(t, i);
        memcpy(save ? h->snapshot + at : w, save ? w : h->snapshot + at, n * sizeof(float));
        at += n;
    }
}

static void drop_gradients(struct rci_tape *t)
{
    for (uint32_t i = 0; i < rci_tape_n_params(t); i++)
        if (rci_tape_param_grad(t, i))
            memset(rci_tape_param_grad(t, i), 0,
                   (size_t) rci_tape_param_count(t, i) * sizeof(float));
}

static void guard_step(struct rci_qat_hook *h, const struct rci_train_step *s)
{
    struct guard *g = &h->guard;
    const float loss = (float) s->loss;
    g->mean = g->steps > 0 ? g->mean + 0.05f * (loss - g->mean) : loss;
    g->steps++;
    if (g->steps >= SETTLED && (g->mean < g->best || g->best == 0))
        g->best = g->mean;
    if (g->best > 0 && (!isfinite(g->mean) || g->mean > 2 * g->best + 0.5f)) {
        if (g->saved > 0)
            exchange(h, s->tape, false);
        drop_gradients(s->tape);
        rci_trainer_forget(h->trainer);
        g->factor *= 0.5f;
        g->mean = g->best;
        rci_log(h->ctx, RC_LOG_WARNING, "the loss ran away to %.3g: rate halved to %.3g", s->loss,
                s->rate / 2);
    } else if (g->saved == 0 ||
               (g->mean <= 1.1f * g->best && fmodf(g->steps, SNAPSHOT_EACH) == 0)) {
        exchange(h, s->tape, true);
        g->saved = 1;
    }
}

/* --- freezing --- */

static void freeze_one(float *state, size_t n, size_t i, float q, float most)
{
    float *previous = state + PREVIOUS * n, *direction = state + DIRECTION * n;
    float *often = state + OFTEN * n, *mean = state + MEAN * n;
    const float change = q - previous[i];
    const bool back = change * direction[i] < 0;
    often[i] += 0.01f * ((back ? 1.0f : 0.0f) - often[i]);
    mean[i] += 0.01f * (q - mean[i]);
    if (change != 0)
        direction[i] = change;
    previous[i] = q;
    if (often[i] > most) {
        often[i] = -1;
        mean[i] = rintf(mean[i]);
    }
}

static void freeze_weights(struct rci_qat_hook *h, struct place *p, struct rc_graph *g, bool first)
{
    const struct rci_tensor *x = &g->values[p->x].tensor, *numbers = &g->values[p->numbers].tensor;
    const size_t n = (size_t) rci_shape_count(&x->shape);
    const float most = (float) common_of(h)->freeze;
    float *w = x->data;
    size_t inner = 1;
    for (uint32_t k = (uint32_t) p->a->axis + 1; k < x->shape.rank; k++)
        inner *= (size_t) x->shape.dim[k];
    rci_fake_quant_apply(p->a, x, numbers, p->room);
    const int64_t channels = p->a->channels ? p->a->channels : 1;
    for (int64_t c = 0; c < channels; c++) {
        float v[RC_FAKE_QUANT_NUMBERS];
        rci_fake_quant_numbers(p->a, x, numbers, c, v);
        const float scale = p->a->rule->scale(p->a, v);
        for (size_t i = 0; i < n; i++) {
            if (channels > 1 && i / inner % (size_t) channels != (size_t) c)
                continue;
            const float q = rintf(p->room[i] / scale);
            if (first)
                p->state[PREVIOUS * n + i] = p->state[MEAN * n + i] = q;
            else if (p->state[OFTEN * n + i] >= 0)
                freeze_one(p->state, n, i, q, most);
            if (p->state[OFTEN * n + i] < 0) {
                const float y = scale * p->state[MEAN * n + i];
                w[i] = p->a->rule->latent ? p->a->rule->latent(y) : y;
            }
        }
    }
}

/* --- steps --- */

static void keep_positive(const struct place *p, struct rc_graph *g)
{
    const struct rci_tensor *t = &g->values[p->numbers].tensor;
    float *v = t->data;
    const int64_t channels = p->a->channels ? p->a->channels : 1;
    for (int64_t c = 0; c < channels;
         c++) /* the first number is the step, or what it follows from */
        if (!(v[c] > 1e-3f * p->start[c]))
            v[c] = 1e-3f * p->start[c];
}

static void keep_signs(struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        struct rci_norm norm;
        if (!n->op || !n->op->as_norm)
            continue;
        n->op->as_norm(n, &norm);
        const struct rci_tensor *scale = rci_const_in(g, n, norm.scale);
        for (int64_t c = 0; scale && c < rci_shape_count(&scale->shape); c++)
            ((float *) scale->data)[c] = fmaxf(((float *) scale->data)[c], 1e-6f);
    }
}

static rc_status hook_batch(void *user, struct rci_train_step *s)
{
    const struct rci_qat_hook *h = user;
    s->rate *= (double) h->guard.factor;
    return RC_OK;
}

static void decay_thresholds(const struct rci_qat_hook *h, const struct rci_train_step *s)
{
    const float by = (float) h->method->decay(h->params);
    for (uint32_t i = 0; i < h->n; i++) {
        if (!h->place[i].learned || h->place[i].x != RC_NONE)
            continue;
        for (uint32_t k = 0; k < rci_tape_n_params(s->tape); k++) {
            float *grad = rci_tape_param_grad(s->tape, k);
            if (rci_tape_param(s->tape, k) != h->place[i].numbers || !grad)
                continue;
            grad[0] += by * rci_tape_param_data(s->tape, k)[0];
            break;
        }
    }
}

static rc_status hook_gradients(void *user, struct rci_train_step *s)
{
    struct rci_qat_hook *h = user;
    if (h->method->decay)
        decay_thresholds(h, s);
    if (common_of(h)->guard)
        guard_step(h, s);
    return RC_OK;
}

static rc_status hook_step(void *user, struct rci_train_step *s)
{
    struct rci_qat_hook *h = user;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->place[i].learned)
            keep_positive(&h->place[i], s->graph);
    keep_signs(s->graph);
#pragma omp parallel for schedule(dynamic)
    for (uint32_t i = 0; i < h->n; i++)
        if (h->place[i].state)
            freeze_weights(h, &h->place[i], s->graph, s->step == 0);
    return RC_OK;
}

/* --- making --- */

static rc_status place_open(struct rci_qat_hook *h, const struct rc_graph *g, rci_id node)
{
    const struct rci_node *n = &g->nodes[node];
    struct place *p = &h->place[h->n++];
    const struct rci_value *numbers = &g->values[n->in[1]];
    const size_t count = (size_t) rci_shape_count(&numbers->tensor.shape);
    *p = (struct place){.a = rci_fake_quant_of(n), .x = RC_NONE, .numbers = n->in[1]};
    p->learned = !(numbers->flags & RC_VALUE_FROZEN);
    p->start = rci_alloc_array(h->ctx, count, sizeof(float));
    if (!p->start)
        return RC_ERR_MEMORY;
    memcpy(p->start, numbers->tensor.data, count * sizeof(float));
    const struct rci_tensor *w = rci_const_in(g, n, 0);
    if (!w)
        return RC_OK;
    p->x = n->in[0];
    if (!(common_of(h)->freeze > 0))
        return RC_OK;
    const size_t weights = (size_t) rci_shape_count(&w->shape);
    p->state = h->states + h->n_states;
    h->n_states += NUMBERS * weights;
    p->room = rci_alloc_array(h->ctx, weights, sizeof(float));
    return p->room ? RC_OK : RC_ERR_MEMORY;
}

static rc_status hook_open(struct rci_qat_hook *h, const struct rc_graph *g)
{
    for (rci_id v = 0; v < g->n_values; v++)
        if (rci_value_is_const(&g->values[v]) && g->values[v].tensor.dtype == RC_F32)
            h->n_floats += (size_t) rci_shape_count(&g->values[v].tensor.shape);
    const bool freezes = common_of(h)->freeze > 0;
    h->snapshot = rci_alloc_array(h->ctx, h->n_floats, sizeof(float));
    h->states = freezes ? rci_alloc_array(h->ctx, NUMBERS * h->n_floats, sizeof(float)) : NULL;
    h->place = rci_alloc_array(h->ctx, g->n_nodes, sizeof(*h->place));
    if (!h->place || !h->snapshot || (freezes && !h->states))
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (rci_fake_quant_of(&g->nodes[i]))
            RC_TRY(place_open(h, g, i));
    h->guard.factor = 1;
    return h->n ? RC_OK : rci_fail(RC_ERR_ARG, "the trainer's graph was not made with qat");
}

void rci_qat_hook_free(struct rci_qat_hook *h)
{
    if (!h)
        return;
    for (uint32_t i = 0; h->place && i < h->n; i++) {
        rci_release(h->place[i].start);
        rci_release(h->place[i].room);
    }
    rci_release(h->place);
    rci_release(h->snapshot);
    rci_release(h->states);
    rci_release(h);
}

rc_status rci_quantizer_attach(struct rc_quantizer *q, struct rc_trainer *t)
{
    struct rci_train_plan plan;
    if (!q->qat)
        return rci_fail(RC_ERR_STATE, "the quantizer has no qat method");
    if (q->hook)
        return rci_fail(RC_ERR_STATE, "the quantizer is attached to a trainer already");
    rci_trainer_get_plan(t, &plan);
    struct rci_qat_hook *h = RC_NEW(q->ctx, struct rci_qat_hook);
    if (!h)
        return RC_ERR_MEMORY;
    *h = (struct rci_qat_hook){
        .ctx = q->ctx, .method = q->qat, .params = q->qat_params, .trainer = t};
    rc_status st = hook_open(h, plan.graph);
    char *identity = st == RC_OK ? rci_format(q->ctx, "qat %s", q->qat_spec) : NULL;
    if (st == RC_OK && !identity)
        st = RC_ERR_MEMORY;
    if (st == RC_OK) {
        /* what a resumed run needs */
        const struct rci_train_memory memory[] = {
            {&h->guard.steps, sizeof(h->guard) / sizeof(float)},
            {h->snapshot, h->n_floats},
            {h->states, h->n_states},
        };
        const struct rci_train_hook hook = {.user = h,
                                            .identity = identity,
                                            .on_batch = hook_batch,
                                            .on_gradients = hook_gradients,
                                            .on_step = hook_step,
                                            .memory = memory,
                                            .n_memory = h->n_states ? 3 : 2};
        st = rci_trainer_add_hook(t, &hook);
    }
    rci_release(identity);
    if (st == RC_OK)
        q->hook = h;
    else
        rci_qat_hook_free(h);
    return st;
}
