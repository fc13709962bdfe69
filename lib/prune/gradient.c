#include "base/compute.h"
#include "data/feed.h"
#include "exec/tape.h"
#include "prune/observe.h"
#include "prune/score.h"
#include "train/loss.h"

/* Gradients of the cross-entropy on labelled images, batch by batch, with BatchNormalization as it
 * is when the network runs. */
struct walk {
    const struct rci_observation *o;
    struct rc_graph *g; /* own copy */
    struct rci_tape *tape;
    struct rci_feed feed;
    const struct rci_loss *loss;
    void *loss_params;
    float *d;           /* gradient of output 0 */
    const float **d_of; /* [outputs of the tape] */
    uint32_t *param;    /* [n_values] number on the tape, or RC_NONE */
    double **sum;       /* [n_rows] */
    double *score;      /* [longest axis] */
    uint64_t batches;
};

static rc_status open_tape(struct walk *w)
{
    const struct rci_observation *o = w->o;
    const struct rc_graph *g = o->c->links->g;
    struct rc_context *ctx = g->ctx;
    const uint64_t all = rci_dataset_images(o->data);
    const uint64_t images = o->images < all ? o->images : all;
    const uint64_t batch = o->criterion->per_image ? 1 : o->batch < images ? o->batch : images;
    const struct rci_feed_config data = {
        .batch = batch, .images = images, .shuffle = images < all, .drop_last = true};
    RC_TRY(rci_feed_open(&w->feed, g, o->data, &data));
    if (w->feed.batch > 1 && o->criterion->per_image)
        return rci_fail(RC_ERR_UNSUPPORTED, "criterion %s: the graph has a fixed batch of %u",
                        o->criterion->m.name, w->feed.batch);
    RC_TRY(rci_graph_clone(&w->g, g));
    const struct rci_tape_config t = {.batch = w->feed.batch, .frozen_bn = true};
    RC_TRY(rci_tape_new(&w->tape, w->g, &t));
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_loss, "cross-entropy"));
    w->loss = (const struct rci_loss *) m;
    return rci_method_params(&w->loss_params, ctx, m, "cross-entropy");
}

static rc_status gradient_make_room(struct walk *w)
{
    const struct rci_links *l = w->o->c->links;
    struct rc_context *ctx = l->ctx;
    int64_t longest = 1;
    const struct rci_shape *y = &rci_tape_output(w->tape, 0)->shape;
    for (uint32_t row = 0; row < l->n_rows; row++)
        if (w->o->c->kind[row] && l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS] > longest)
            longest = l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
    w->d = rci_alloc_array(ctx, (size_t) rci_shape_count(y), sizeof(float));
    w->d_of = rci_alloc_array(ctx, rci_tape_n_outputs(w->tape), sizeof(*w->d_of));
    w->param = rci_alloc_array(ctx, w->g->n_values, sizeof(*w->param));
    w->sum = rci_alloc_array(ctx, l->n_rows, sizeof(*w->sum));
    w->score = rci_alloc_array(ctx, (size_t) longest, sizeof(double));
    if (!w->d || !w->d_of || !w->param || !w->sum || !w->score)
        return RC_ERR_MEMORY;
    w->d_of[0] = w->d;
    for (uint32_t v = 0; v < w->g->n_values; v++)
        w->param[v] = RC_NONE;
    for (uint32_t i = 0; i < rci_tape_n_params(w->tape); i++)
        w->param[rci_tape_param(w->tape, i)] = i;
    return RC_OK;
}

static rc_status run_batch(struct walk *w, uint32_t n)
{
    const void *const in[] = {w->feed.x};
    const struct rci_tensor *y = rci_tape_output(w->tape, 0);
    const uint32_t classes = (uint32_t) (rci_shape_count(&y->shape) / w->feed.batch);
    for (uint32_t i = 0; i < n; i++)
        if ((uint32_t) w->feed.label[i] >= classes)
            return rci_fail(RC_ERR_DATA, "label %d, but the network gives %u numbers per image",
                            (int) w->feed.label[i], classes);
    RC_TRY(rci_tape_forward(w->tape, in, 0, w->batches));
    const struct rci_loss_batch b = {n, classes, rci_tape_output(w->tape, 0)->data, w->feed.label,
                                     w->d};
    w->loss->value(w->loss_params, &b);
    return rci_tape_backward(w->tape, w->d_of);
}

static const float *gradient_of(const struct walk *w, rci_id value)
{
    return w->param[value] == RC_NONE ? NULL : rci_tape_param_grad(w->tape, w->param[value]);
}

/* The shift that goes with a scale. */
static void add_shift(const struct walk *w, const struct rci_member *m, struct rci_slice *s)
{
    const struct rci_node *n = &w->g->nodes[m->node];
    struct rci_norm norm;
    if (m->kind != RC_MEMBER_SCALE || !n->op->as_norm)
        return;
    n->op->as_norm(n, &norm);
    const rci_id shift = n->in[norm.shift];
    if (shift == RC_NONE || !gradient_of(w, shift))
        return;
    s->shift = w->g->values[shift].tensor.data;
    s->shift_gradient = gradient_of(w, shift);
}

static rc_status add_member(struct walk *w, const struct rci_member *m)
{
    const struct rci_observation *o = w->o;
    struct rci_slice s;
    uint32_t row;
    if (!rci_member_slice(o->c, o->criterion, m, &s, &row) || w->param[m->value] == RC_NONE)
        return RC_OK;
    if (!w->sum[row]) {
        w->sum[row] = rci_alloc_array(w->g->ctx, s.channels, sizeof(double));
        if (!w->sum[row])
            return RC_ERR_MEMORY;
    }
    s.data = w->g->values[m->value].tensor.data;
    s.gradient = gradient_of(w, m->value);
    if (!s.gradient) /* the answers do not depend on it */
        return RC_OK;
    add_shift(w, m, &s);
    o->criterion->score(o->params, &s, w->score);
    for (uint32_t c = 0; c < s.channels; c++)
        w->sum[row][c] += w->score[c];
    return RC_OK;
}

/* Every member once: a constant belongs to one group per axis, but parts of a trunk share rows. */
static rc_status gradient_add_batch(struct walk *w, uint32_t *done)
{
    const struct rci_coupling *c = w->o->c;
    for (uint32_t i = 0; i < c->n_groups; i++)
        for (uint32_t m = 0; c->group[i].fixed_by == RC_NONE && m < c->group[i].n_members; m++) {
            const struct rci_member *of = &c->group[i].member[m];
            uint32_t *last = &done[of->value * RC_MAX_DIMS + of->axis];
            if (*last != (uint32_t) w->batches)
                RC_TRY(add_member(w, of));
            *last = (uint32_t) w->batches;
        }
    return RC_OK;
}

static rc_status gradient_walk(struct walk *w, uint32_t *done)
{
    const struct rci_links *l = w->o->c->links;
    for (;;) {
        uint32_t n;
        RC_TRY(rci_feed_next(&w->feed, &n));
        if (!n)
            break;
        w->batches++;
        RC_TRY(run_batch(w, n));
        RC_TRY(gradient_add_batch(w, done));
    }
    for (uint32_t row = 0; row < l->n_rows; row++)
        for (int64_t k = 0; w->sum[row] && k < l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
             k++)
            w->sum[row][k] /= (double) w->batches;
    return RC_OK;
}

rc_status rci_observe_gradients(double ***row, const struct rci_observation *o)
{
    struct walk w = {.o = o};
    uint32_t *done = NULL;
    rc_status st;
    *row = NULL;
    RC_TRY_OUT(st, open_tape(&w));
    RC_TRY_OUT(st, gradient_make_room(&w));
    done = rci_alloc_array(w.g->ctx, o->c->links->n_rows, sizeof(*done));
    RC_TRY_OUT(st, done ? gradient_walk(&w, done) : RC_ERR_MEMORY);
    *row = w.sum;
    w.sum = NULL;
out:
    rci_tape_free(w.tape);
    rci_feed_close(&w.feed);
    rci_observed_free(w.sum, o->c);
    rci_graph_free(w.g);
    rci_release(w.loss_params);
    rci_release(w.d);
    rci_release(w.d_of);
    rci_release(w.param);
    rci_release(w.score);
    rci_release(done);
    return st;
}
