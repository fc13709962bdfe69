/* Of an error that is independent from position to position the squares of the gradient count, of
 * one that is the same everywhere the square of their sum. Errors of a cut lie between (what is
 * missing on one position is mostly missing on the next, and average pooling hides only what
 * differs), so the mean of both is taken. Every layer's output gets a zero added that comes from an
 * input of its own; the gradients of these inputs are what is asked for. */
#include "prune/sensitivity.h"
#include "base/rng.h"
#include "data/feed.h"
#include "exec/tape.h"

enum { BATCH = 16 }; /* all layers' gradients are there at once */

struct pass {
    struct rc_graph *g; /* with the inputs */
    struct rci_tape *tape;
    struct rci_feed feed;
    int64_t batch;
    uint32_t n;
    const void **in; /* [1 + n]: images, zeros */
    float *zero, *v;
    const float **seed_of; /* [outputs of the tape] */
};

static rc_status add_input(struct rc_graph *g, rci_id node)
{
    rci_id in, add;
    const rci_id y = g->nodes[node].out[0];
    const struct rci_shape s = g->values[y].tensor.shape;
    const struct rci_op *op = rci_op_find(NULL, "Add");
    RC_TRY(rci_graph_add_input(g, &in, NULL, RC_F32, &s));
    const rci_id twice[] = {in, in};
    RC_TRY(rci_graph_add_node(g, &add, op, NULL, NULL, twice, 2, NULL, 1));
    RC_TRY(rci_graph_redirect(g, y, g->nodes[add].out[0]));
    g->nodes[add].in[0] = y; /* only now: its own operand was not to be redirected */
    return RC_OK;
}

static rc_status open_buffers(struct pass *p)
{
    struct rc_context *ctx = p->g->ctx;
    size_t largest = 0;
    for (uint32_t i = 1; i <= p->n; i++) {
        const struct rci_shape *s = &p->g->values[p->g->inputs[i]].tensor.shape;
        const size_t count = (size_t) (rci_shape_count(s) / p->g->batch * p->batch);
        largest = count > largest ? count : largest;
    }
    const struct rci_shape *y = &p->g->values[p->g->outputs[0]].tensor.shape;
    p->zero = rci_alloc_array(ctx, largest, sizeof(float));
    p->v =
        rci_alloc_array(ctx, (size_t) (rci_shape_count(y) / p->g->batch * p->batch), sizeof(float));
    p->in = rci_alloc_array(ctx, p->n + 1, sizeof(*p->in));
    p->seed_of = rci_alloc_array(ctx, rci_tape_n_outputs(p->tape), sizeof(*p->seed_of));
    if (!p->zero || !p->v || !p->in || !p->seed_of)
        return RC_ERR_MEMORY;
    p->in[0] = p->feed.x;
    for (uint32_t i = 0; i < p->n; i++)
        p->in[1 + i] = p->zero;
    p->seed_of[0] = p->v;
    return RC_OK;
}

static rc_status open_pass(struct pass *p, const struct rc_graph *g, const rci_id *nodes,
                           uint32_t n, const rc_dataset *d, uint64_t images)
{
    const struct rci_feed_config data = {
        .batch = BATCH, .images = images, .shuffle = true, .drop_last = true};
    p->n = n;
    RC_TRY(rci_feed_open(&p->feed, g, d, &data));
    p->batch = p->feed.batch;
    RC_TRY(rci_graph_clone(&p->g, g));
    for (uint32_t i = 0; i < n; i++)
        RC_TRY(add_input(p->g, nodes[i]));
    for (uint32_t v = 0; v < p->g->n_values; v++) /* nobody asks for gradients of weights */
        if (rci_value_is_const(&p->g->values[v]))
            p->g->values[v].flags |= RC_VALUE_FROZEN;
    RC_TRY(rci_graph_infer(p->g));
    const struct rci_tape_config t = {.batch = p->batch, .frozen_bn = true, .input_grads = true};
    RC_TRY(rci_tape_new(&p->tape, p->g, &t));
    return open_buffers(p);
}

static void close_pass(struct pass *p)
{
    rci_tape_free(p->tape);
    rci_feed_close(&p->feed);
    rci_graph_free(p->g);
    rci_release(p->zero);
    rci_release(p->v);
    rci_release(p->in);
    rci_release(p->seed_of);
}

static void add_squares(const struct pass *p, uint32_t i, double *weight)
{
    const struct rci_shape *s = &p->g->values[p->g->inputs[1 + i]].tensor.shape;
    const int64_t channels = s->dim[1], inner = rci_shape_count(s) / (p->g->batch * channels);
    const float *g = rci_tape_input_grad(p->tape, 1 + i);
    for (int64_t b = 0; g && b < p->batch; b++)
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0, square = 0;
            for (int64_t k = 0; k < inner; k++, g++) {
                sum += (double) *g;
                square += (double) *g * (double) *g;
            }
            weight[c] += (square + sum * sum) / 2;
        }
}

static rc_status sensitivity_run_pass(struct pass *p, uint64_t seed, double **weight)
{
    const int64_t answers =
        rci_shape_count(&rci_tape_output(p->tape, 0)->shape) / p->batch * p->batch;
    for (uint64_t r = 0;; r++) {
        uint32_t n;
        struct rci_rng rng = rci_rng_make(seed, r, 0x6a6163);
        RC_TRY(rci_feed_next(&p->feed, &n));
        if (!n)
            break;
        for (int64_t i = 0; i < answers; i++)
            p->v[i] = (float) rci_rng_normal(&rng);
        RC_TRY(rci_tape_forward(p->tape, p->in, seed, r));
        RC_TRY(rci_tape_backward(p->tape, p->seed_of));
        for (uint32_t i = 0; i < p->n; i++)
            add_squares(p, i, weight[i]);
    }
    for (uint32_t i = 0; i < p->n; i++) {
        const struct rci_shape *s = &p->g->values[p->g->inputs[1 + i]].tensor.shape;
        for (int64_t c = 0; c < s->dim[1]; c++)
            weight[i][c] /= (double) p->feed.seen;
    }
    return RC_OK;
}

rc_status rci_sensitivity_measure(const struct rc_graph *g, const rci_id *nodes, uint32_t n,
                                  const rc_dataset *d, uint64_t images, uint64_t seed,
                                  double **weight)
{
    struct pass p = {0};
    rc_status st = open_pass(&p, g, nodes, n, d, images);
    if (st == RC_OK)
        st = sensitivity_run_pass(&p, seed, weight);
    close_pass(&p);
    return st;
}
