/* y = conv1x1(x), with a tape of its own. */
#include "distill/adapter.h"

#include "zoo/build.h"

struct rci_adapter {
    struct rc_graph *graph;
    struct rci_tape *tape;
    float *state[2]; /* of the optimiser */
};

static rc_status build_graph(struct rci_adapter *a, struct rc_context *c,
                             const struct rci_feature *s, const struct rci_feature *t,
                             uint64_t seed)
{
    const struct rci_shape in = {.rank = 4, .dim = {1, s->channels, s->height, s->width}};
    const struct rci_build_conv conv = {
        .in = s->channels, .out = t->channels, .kernel = 1, .stride = s->height / t->height};
    rci_id x, y;
    RC_TRY(rci_graph_new(&a->graph, c));
    a->graph->dynamic_batch = true;
    a->graph->batch = 1;
    RC_TRY(rci_graph_add_input(a->graph, &x, "student", RC_F32, &in));
    struct rci_build b = {.g = a->graph, .seed = seed};
    y = rci_build_conv(&b, x, "adapter", &conv);
    RC_TRY(b.st);
    RC_TRY(rci_graph_set_outputs(a->graph, &y, 1));
    return rci_graph_infer(a->graph);
}

static rc_status adapter_build(struct rci_adapter *a, int64_t batch)
{
    const struct rci_tape_config config = {.batch = batch, .input_grads = true};
    RC_TRY(rci_tape_new(&a->tape, a->graph, &config));
    const size_t n = (size_t) rci_tape_param_count(a->tape, 0);
    for (int k = 0; k < 2; k++) {
        a->state[k] = rci_alloc_array(a->graph->ctx, n, sizeof(float));
        if (!a->state[k])
            return RC_ERR_MEMORY;
    }
    return RC_OK;
}

rc_status rci_adapter_new(struct rci_adapter **out, struct rc_context *c,
                          const struct rci_feature *s, const struct rci_feature *t, int64_t batch,
                          uint64_t seed)
{
    if (s->height % t->height || s->width % t->width ||
        s->height / t->height != s->width / t->width)
        return rci_fail(RC_ERR_SHAPE,
                        "no 1x1 convolution leads from the student's %ux%u to the teacher's %ux%u",
                        s->height, s->width, t->height, t->width);
    struct rci_adapter *a = RC_NEW(c, struct rci_adapter);
    rc_status st = a ? build_graph(a, c, s, t, seed) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = adapter_build(a, batch);
    if (st != RC_OK) {
        rci_adapter_free(a);
        return st;
    }
    *out = a;
    return RC_OK;
}

void rci_adapter_free(struct rci_adapter *a)
{
    if (!a)
        return;
    rci_tape_free(a->tape);
    rci_graph_free(a->graph);
    rci_release(a->state[0]);
    rci_release(a->state[1]);
    rci_release(a);
}

void rci_adapter_memory(const struct rci_adapter *a, struct rci_train_memory out[RC_ADAPTER_MEMORY])
{
    const size_t n = (size_t) rci_tape_param_count(a->tape, 0);
    out[0] = (struct rci_train_memory){rci_tape_param_data(a->tape, 0), n};
    out[1] = (struct rci_train_memory){a->state[0], n};
    out[2] = (struct rci_train_memory){a->state[1], n};
}

rc_status rci_adapter_forward(struct rci_adapter *a, const float *x, const float **y)
{
    const void *const in[] = {x};
    RC_TRY(rci_tape_forward(a->tape, in, 0, 0));
    *y = rci_tape_output(a->tape, 0)->data;
    return RC_OK;
}

rc_status rci_adapter_backward(struct rci_adapter *a, const struct rc_trainer *t, const float *dy,
                               const float **dx)
{
    RC_TRY(rci_tape_backward(a->tape, &dy));
    *dx = rci_tape_input_grad(a->tape, 0);
    const struct rci_train_update u = {.w = rci_tape_param_data(a->tape, 0),
                                       .grad = rci_tape_param_grad(a->tape, 0),
                                       .state = {a->state[0], a->state[1]},
                                       .n = (size_t) rci_tape_param_count(a->tape, 0),
                                       .decays = true};
    rci_trainer_update(t, &u);
    return RC_OK;
}
