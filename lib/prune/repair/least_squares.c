/* Every layer behind a cut, in order of execution, gets the weights and the shift that bring its
 * results closest to those of the uncut network: what it reads comes from the network as repaired
 * so far, what it should give from the uncut one. */
#include "fit/collect.h"
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
    rci_id *order, *order_before; /* [n], [n_before]: without and with what was removed whole */
    uint32_t n, n_before;
    bool *changed; /* [values before the cut] what is left differs from the uncut network's */
    bool *lost; /* [values before the cut] a block behind it is gone, and no layer fitted since */
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

/* Does it read a value in place of another one, which a block made that is gone? */
static bool reads_elsewhere(const struct rci_repair_job *j, const struct rci_node *n)
{
    const struct rci_node *was = &j->before->nodes[n - j->after->nodes];
    for (uint32_t i = 0; i < n->n_in && i < was->n_in; i++)
        if (n->in[i] != was->in[i] && n->in[i] != RC_NONE &&
            !rci_value_is_const(&j->after->values[n->in[i]]))
            return true;
    return false;
}

/* Of any input; not: absent ones, new constants. */
static bool any_input(const struct rci_repair_job *j, const struct rci_node *n, const bool *mark)
{
    bool any = false;
    for (uint32_t i = 0; i < n->n_in; i++)
        any |= n->in[i] < j->before->n_values && mark[n->in[i]];
    return any;
}

static void mark_outputs(const struct rci_node *n, bool *mark, bool value)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] != RC_NONE)
            mark[n->out[i]] = value;
}

/* --- one layer --- */

static rc_status fit_layer(struct sweep *s, const struct rci_refit *r)
{
    const uint32_t row = r->target * RC_MAX_DIMS + 1;
    const struct rci_repair_job *j = s->job;
    const struct rci_collect c = {.layer = &r->layer,
                                  .target = r->target,
                                  .x = r->layer.x,
                                  .other = r->other,
                                  .kept = j->cut->kept[row],
                                  .target_channels = (size_t) j->cut->shape[r->target].dim[1],
                                  .positions = (uint32_t) s->o->positions,
                                  .before = &s->before,
                                  .after = &s->after};
    struct rci_moments m;
    RC_TRY(rci_frontier_move(&s->before, s->order_before, s->n_before, r->layer.node));
    RC_TRY(rci_frontier_move(&s->after, s->order, s->n, r->layer.node));
    rc_status st = rci_collect_moments(&m, &c);
    /* fewer observations than unknowns say nothing about new images */
    if (st == RC_OK && m.n > r->layer.d)
        st = rci_refit_apply(r, j->after, &m, s->o->ridge);
    rci_moments_free(&m);
    return st;
}

/* A change that was only handed on is repaired too, if asked. */
static rc_status visit(struct sweep *s, rci_id node)
{
    struct rci_refit r;
    const struct rci_repair_job *j = s->job;
    const struct rci_node *n = &j->after->nodes[node];
    const bool lost = reads_elsewhere(j, n) || any_input(j, n, s->lost);
    const bool own = lost || reads_fewer(j, n), changed = own || any_input(j, n, s->changed);
    mark_outputs(n, s->changed, changed);
    mark_outputs(n, s->lost, lost);
    if (!changed)
        return RC_OK;
    RC_TRY(rci_refit_of(&r, j->after, node));
    rc_status st = RC_OK;
    if (r.layer.node != RC_NONE && (s->o->drift || own)) {
        st = fit_layer(s, &r);
        mark_outputs(&j->after->nodes[node], s->lost, false);
    }
    rci_refit_free(&r);
    return st;
}

static rc_status sweep_open(struct sweep *s)
{
    const struct rci_repair_job *j = s->job;
    s->changed = rci_alloc_array(j->after->ctx, j->before->n_values, sizeof(*s->changed));
    s->lost = rci_alloc_array(j->after->ctx, j->before->n_values, sizeof(*s->lost));
    if (!s->changed || !s->lost)
        return RC_ERR_MEMORY;
    RC_TRY(rci_graph_order(j->after, &s->order, &s->n));
    RC_TRY(rci_graph_order(j->before, &s->order_before, &s->n_before));
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
    rci_release(s.order_before);
    rci_release(s.changed);
    rci_release(s.lost);
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
