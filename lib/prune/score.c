#include "prune/score.h"
#include "prune/observe.h"

static bool unit_has_row(const struct rci_coupling *c, uint32_t unit, uint32_t row)
{
    uint32_t n;
    const uint32_t *id = rci_unit_ids(c, unit, &n);
    for (uint32_t i = 0; i < n; i++)
        if (c->links->row_of[id[i]] == row)
            return true;
    return false;
}

uint32_t rci_activation_row(const struct rci_coupling *c, const struct rci_prune_group *p,
                            const struct rci_member *m)
{
    const struct rc_graph *g = c->links->g;
    const struct rci_node *n = &g->nodes[m->node];
    if (m->kind != RC_MEMBER_IN)
        return RC_NONE;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == RC_NONE || rci_value_is_const(&g->values[n->in[i]]))
            continue;
        for (uint32_t a = 0; a < c->links->shape[n->in[i]].rank; a++)
            if (unit_has_row(c, p->unit[0], n->in[i] * RC_MAX_DIMS + a))
                return n->in[i] * RC_MAX_DIMS + a;
    }
    return RC_NONE;
}

uint32_t rci_slice_kind_of(enum rci_member_kind k)
{
    return k == RC_MEMBER_OUT     ? RC_SLICE_OUT
           : k == RC_MEMBER_SCALE ? RC_SLICE_SCALE
           : k == RC_MEMBER_IN    ? RC_SLICE_IN
                                  : 0;
}

bool rci_member_slice(const struct rci_coupling *c, const struct rci_criterion *criterion,
                      const struct rci_member *m, struct rci_slice *out, uint32_t *row)
{
    const struct rci_links *l = c->links;
    const uint32_t kind = rci_slice_kind_of(m->kind);
    if (!(criterion->reads & kind))
        return false;
    *row = m->value * RC_MAX_DIMS + m->axis;
    *out = (struct rci_slice){.kind = (enum rci_slice_kind) kind,
                              .data = l->g->values[m->value].tensor.data,
                              .outer = 1,
                              .inner = 1};
    const struct rci_shape *shape = &l->shape[m->value];
    for (uint32_t a = 0; a < shape->rank; a++)
        if (a < m->axis)
            out->outer *= (size_t) shape->dim[a];
        else if (a > m->axis)
            out->inner *= (size_t) shape->dim[a];
    out->channels = (uint32_t) shape->dim[m->axis];
    return true;
}

/* What the member's layer sees of the channels. Weights of a grouped convolution have one index
 * for the same place in all blocks: their mean. */
static void fold_activity(const struct rci_scoring *s, const struct rci_prune_group *p,
                          const struct rci_member *m, uint32_t channels, float *mean,
                          float *variance)
{
    const struct rci_links *l = s->c->links;
    const uint32_t row = rci_activation_row(s->c, p, m);
    if (row == RC_NONE || !s->activity[row].mean)
        return;
    const uint32_t n = (uint32_t) l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
    const float share = (float) channels / (float) n;
    for (uint32_t i = 0; i < n; i++) {
        mean[i % channels] += share * s->activity[row].mean[i];
        variance[i % channels] += share * s->activity[row].variance[i];
    }
}

/* A unit's score in a row is the sum over its indices there. */
static void gather_units(const struct rci_coupling *c, const struct rci_prune_group *p,
                         uint32_t row, const double *by_index, double *score)
{
    for (uint32_t u = 0; u < p->n_units; u++) {
        uint32_t n;
        const uint32_t *id = rci_unit_ids(c, p->unit[u], &n);
        score[u] = 0;
        for (uint32_t i = 0; i < n; i++)
            if (c->links->row_of[id[i]] == row)
                score[u] += by_index[id[i] - c->links->base[row]];
    }
}

static rc_status score_member(const struct rci_scoring *s, const struct rci_prune_group *p,
                              const struct rci_member *m, double *score, bool *scored)
{
    struct rc_context *ctx = s->c->links->ctx;
    struct rci_slice slice;
    uint32_t row;
    *scored = rci_member_slice(s->c, s->criterion, m, &slice, &row);
    if (!*scored)
        return RC_OK;
    const uint32_t n = slice.channels;
    double *by_index = rci_alloc_array(ctx, n, sizeof(double));
    float *activity = rci_alloc_array(ctx, (size_t) n * 2, sizeof(float));
    if (by_index && activity) {
        if (s->activity)
            fold_activity(s, p, m, n, activity, activity + n);
        slice.mean = activity;
        slice.variance = activity + n;
        s->criterion->score(s->params, &slice, by_index);
        gather_units(s->c, p, row, by_index, score);
    }
    const rc_status st = by_index && activity ? RC_OK : RC_ERR_MEMORY;
    rci_release(by_index);
    rci_release(activity);
    return st;
}

/* Weights count together; of positions where the channel is seen, the mean. */
static void score_observed(const struct rci_scoring *s, const struct rci_prune_group *p,
                           const struct rci_member *m, double *score, bool *scored)
{
    struct rci_slice slice;
    uint32_t row, n, here = 0;
    if (s->criterion->map)
        row = rci_map_row(s->c, p, m);
    else if (!rci_member_slice(s->c, s->criterion, m, &slice, &row))
        row = RC_NONE;
    *scored = row != RC_NONE && s->observed[row];
    if (!*scored)
        return;
    gather_units(s->c, p, row, s->observed[row], score);
    const uint32_t *id = rci_unit_ids(s->c, p->unit[0], &n);
    for (uint32_t i = 0; i < n; i++)
        here += s->c->links->row_of[id[i]] == row;
    for (uint32_t u = 0; s->criterion->map && u < p->n_units; u++)
        score[u] /= here;
}

static void score_reader(const struct rci_scoring *s, const struct rci_prune_group *p,
                         const struct rci_member *m, double *score, bool *scored)
{
    const double *by_index = rci_readings_score(s->readings, m);
    *scored = by_index != NULL;
    if (by_index)
        gather_units(s->c, p, m->value * RC_MAX_DIMS + m->axis, by_index, score);
}

static rc_status score_members(const struct rci_scoring *s, const struct rci_prune_group *p,
                               double *score, uint32_t *n_scored)
{
    uint32_t n = 0;
    for (uint32_t m = 0; m < p->n_members; m++) {
        bool scored = false;
        double *to = score + (size_t) n * p->n_units;
        if (s->observed)
            score_observed(s, p, &p->member[m], to, &scored);
        else if (s->readings)
            score_reader(s, p, &p->member[m], to, &scored);
        else
            RC_TRY(score_member(s, p, &p->member[m], to, &scored));
        n += scored;
    }
    if (!n)
        return rci_fail(RC_ERR_ARG, "criterion %s: group \"%s\" has %s", s->criterion->m.name,
                        p->name, s->criterion->without ? s->criterion->without : "no weights");
    *n_scored = n;
    return RC_OK;
}

rc_status rci_score_group(const struct rci_scoring *s, uint32_t group, double *score)
{
    rc_status st = RC_OK;
    const struct rci_prune_group *p = &s->c->group[group];
    /* one more row: scratch of the normaliser */
    double *member =
        rci_alloc_array(s->c->links->ctx, ((size_t) p->n_members + 1) * p->n_units, sizeof(double));
    if (!member)
        return RC_ERR_MEMORY;
    if (s->criterion->reads & RC_SLICE_NOTHING) {
        const struct rci_slice nothing = {
            .kind = RC_SLICE_NOTHING, .channels = p->n_units, .seed = s->seed, .stream = group};
        s->criterion->score(s->params, &nothing, score);
    } else {
        uint32_t n = 0;
        RC_TRY_OUT(st, score_members(s, p, member, &n));
        s->reduction->reduce(member, n, p->n_units, score);
    }
    s->normalizer->normalize(score, p->n_units, member);
out:
    rci_release(member);
    return st;
}
