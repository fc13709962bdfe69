/* Every layer behind a cut, in order of execution, gets the weights and the shift that bring its
 * results closest to those of the uncut network: what it reads comes from the network as repaired
 * so far, what it should give from the uncut one. */
#include "prune/frontier.h"
#include "prune/refit.h"
#include "prune/repair.h"

struct params {
    double ridge;
    int64_t positions;
    int64_t drift;
};

/* One pass over all layers. */
struct sweep {
    const struct rci_repair_job *job;
    const struct params *o;
    struct rci_frontier before, after;
    rci_id *order; /* [n] */
    uint32_t n;
    bool *changed; /* [values before the cut] what is left differs from the uncut network's */
};

struct work {
    const struct rci_refit *r;
    struct rci_frontier *before, *after;
    const int32_t *kept; /* of the target's channels; NULL: all */
    size_t target_channels;
    uint32_t n; /* positions per image */
    struct rci_moments m;
    uint32_t *position; /* [n] */
    float *rows, *wanted;
};

/* --- which layers --- */

/* Does the node itself read fewer channels than before? */
static bool reads_fewer(const struct rci_repair_job *j, const struct rci_node *n)
{
    struct rci_linear l;
    const rci_id node = (rci_id) (n - j->after->nodes);
    if (rci_linear_of(&l, j->after, node))
        return j->cut->kept[l.weight * RC_MAX_DIMS + 1 - l.axis] != NULL;
    for (uint32_t i = 1; i < n->n_in; i++) /* others with a matrix: say yes */
        for (uint32_t a = 1; n->in[i] != RC_NONE && n->in[i] < j->before->n_values &&
                             a < j->cut->shape[n->in[i]].rank;
             a++)
            if (rci_value_is_const(&j->after->values[n->in[i]]) &&
                j->cut->kept[n->in[i] * RC_MAX_DIMS + a])
                return true;
    return false;
}

/* changed[v]: what is left of value v differs from what the uncut network has there. */
static bool spread_weights(const struct rci_repair_job *j, const struct rci_node *n, bool *changed)
{
    bool c = reads_fewer(j, n);
    for (uint32_t i = 0; i < n->n_in; i++)
        c |= n->in[i] < j->before->n_values && changed[n->in[i]]; /* not: absent, new constants */
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] != RC_NONE)
            changed[n->out[i]] = c;
    return c;
}

/* --- one layer --- */

/* What the layer should give at the positions of one image: [n][o]. */
static void wanted_rows(const struct work *w, const float *target, const float *other)
{
    const struct rci_linear *l = &w->r->layer;
    for (uint32_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < l->o; k++) {
            const size_t from = w->kept ? (size_t) w->kept[k] : k;
            const float y = target[from * l->positions + w->position[i]];
            w->wanted[i * l->o + k] = y - (other ? other[k * l->positions + w->position[i]] : 0);
        }
}

static rc_status moments_add_batch(struct work *w, uint32_t n, uint64_t first)
{
    const struct rci_linear *l = &w->r->layer;
    const size_t read = l->conv ? l->channels * (size_t) (l->g.in[0] * l->g.in[1]) : l->d;
    const float *target = w->before->value[0], *x = w->after->value[0];
    const float *other = w->r->other != RC_NONE ? w->after->value[1] : NULL;
    float *rows = w->rows, *wanted = w->wanted;
    for (uint32_t b = 0; b < n; b++) {
        rci_linear_sample(l, first + b, w->n, w->position);
        rci_linear_rows(l, x + b * read, w->position, w->n, w->rows);
        wanted_rows(w, target + b * w->target_channels * l->positions,
                    other ? other + b * l->o * l->positions : NULL);
        w->rows += w->n * l->d;
        w->wanted += w->n * l->o;
    }
    w->rows = rows;
    w->wanted = wanted;
    return rci_moments_add(&w->m, rows, wanted, (size_t) n * w->n);
}

static rc_status collect_layers(struct work *w)
{
    uint32_t n;
    const struct rci_linear *l = &w->r->layer;
    struct rc_context *ctx = w->after->ctx;
    const rci_id seen[] = {l->x, w->r->other};
    RC_TRY(rci_frontier_watch(w->before, &w->r->target, 1));
    RC_TRY(rci_frontier_watch(w->after, seen, w->r->other != RC_NONE ? 2 : 1));
    const size_t rows = (size_t) w->after->feed.batch * w->n;
    w->position = rci_alloc_array(ctx, w->n, sizeof(*w->position));
    w->rows = rci_alloc_array(ctx, rows * l->d, sizeof(float));
    w->wanted = rci_alloc_array(ctx, rows * l->o, sizeof(float));
    if (!w->position || !w->rows || !w->wanted)
        return RC_ERR_MEMORY;
    RC_TRY(rci_moments_new(&w->m, ctx, l->d, l->o));
    do {
        const uint64_t first = w->after->at;
        RC_TRY(rci_frontier_next(w->before, &n));
        RC_TRY(rci_frontier_next(w->after, &n));
        if (n)
            RC_TRY(moments_add_batch(w, n, first));
    } while (n);
    rci_moments_finish(&w->m);
    return RC_OK;
}

static rc_status fit_layer(struct sweep *s, const struct rci_refit *r)
{
    const uint32_t row = r->target * RC_MAX_DIMS + 1;
    const struct rci_repair_job *j = s->job;
    struct work w = {.r = r,
                     .before = &s->before,
                     .after = &s->after,
                     .kept = j->cut->kept[row],
                     .target_channels = (size_t) j->cut->shape[r->target].dim[1]};
    w.n = (uint32_t) (r->layer.positions < (size_t) s->o->positions ? r->layer.positions
                                                                    : (size_t) s->o->positions);
    RC_TRY(rci_frontier_move(&s->before, s->order, s->n, r->layer.node));
    RC_TRY(rci_frontier_move(&s->after, s->order, s->n, r->layer.node));
    rc_status st = collect_layers(&w);
    /* fewer observations than unknowns say nothing about new images */
    if (st == RC_OK && w.m.n > r->layer.d)
        st = rci_refit_apply(r, j->after, &w.m, s->o->ridge);
    rci_moments_free(&w.m);
    rci_release(w.position);
    rci_release(w.rows);
    rci_release(w.wanted);
    return st;
}

/* A change that was only handed on is repaired too, if asked. */
static rc_status visit(struct sweep *s, rci_id node)
{
    struct rci_refit r;
    const struct rci_repair_job *j = s->job;
    if (!spread_weights(j, &j->after->nodes[node], s->changed))
        return RC_OK;
    RC_TRY(rci_refit_of(&r, j->after, node));
    rc_status st = RC_OK;
    if (r.layer.node != RC_NONE && (s->o->drift || reads_fewer(j, &j->after->nodes[node])))
        st = fit_layer(s, &r);
    rci_refit_free(&r);
    return st;
}

static rc_status sweep_open(struct sweep *s)
{
    const struct rci_repair_job *j = s->job;
    s->changed = rci_alloc_array(j->after->ctx, j->before->n_values, sizeof(*s->changed));
    if (!s->changed)
        return RC_ERR_MEMORY;
    RC_TRY(rci_graph_order(j->after, &s->order, &s->n));
    RC_TRY(rci_frontier_open(&s->before, j->before, j->data, j->images, j->batch));
    return rci_frontier_open(&s->after, j->after, j->data, j->images, j->batch);
}

static rc_status least_squares_run(const void *params, const struct rci_repair_job *job)
{
    struct sweep s = {.job = job, .o = params};
    rc_status st = sweep_open(&s);
    for (uint32_t i = 0; st == RC_OK && i < s.n; i++)
        st = visit(&s, s.order[i]);
    rci_frontier_close(&s.before);
    rci_frontier_close(&s.after);
    rci_release(s.order);
    rci_release(s.changed);
    return st == RC_OK ? rci_graph_infer(job->after) : st;
}

static const struct rci_param table[] = {
    {"ridge", "pull to the weights as cut, relative to the mean square of what is read",
     RC_PARAM_REAL, offsetof(struct params, ridge), 1e-4, 1e-8, 1},
    {"positions", "output positions that are looked at per image", RC_PARAM_INT,
     offsetof(struct params, positions), 32, 1, 65536},
    {"drift", "also fit layers that lost nothing themselves but read changed values", RC_PARAM_BOOL,
     offsetof(struct params, drift), 1, 0, 1},
};

const struct rci_repair rci_repair_least_squares = {
    .m = {.name = "least-squares",
          .summary = "fit layers behind a cut to the results of the uncut network",
          .source = "He et al., Channel Pruning for Accelerating Very Deep Neural Networks, ICCV "
                    "2017",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .needs_data = true,
    .run = least_squares_run,
};
