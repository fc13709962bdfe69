/* The same seeded choice of images for every pass over a graph. */
#include "quant/walk.h"

static rc_status check_input(const struct rc_graph *g, const struct rc_dataset *d)
{
    if (g->n_inputs != 1)
        return rci_fail(RC_ERR_UNSUPPORTED, "calibration needs one graph input, this has %u",
                        g->n_inputs);
    int64_t chw[3];
    rci_dataset_image_shape(d, chw);
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    const int64_t n = rci_shape_count(s) / (s->rank ? s->dim[0] : 1);
    if (s->rank != 4 ? n != chw[0] * chw[1] * chw[2]
                     : s->dim[1] != chw[0] || s->dim[2] != chw[1] || s->dim[3] != chw[2]) {
        char text[RC_SHAPE_TEXT];
        return rci_fail(RC_ERR_SHAPE, "images are %lldx%lldx%lld, input \"%s\" is %s",
                        (long long) chw[0], (long long) chw[1], (long long) chw[2],
                        g->values[g->inputs[0]].name, rci_shape_text(s, text));
    }
    return RC_OK;
}

/* Kept activations of one batch stay below 256 MiB. */
static uint32_t batch_for(const struct rc_quantizer *q, const struct rc_graph *g,
                          const rci_id *observe, uint32_t n_observe)
{
    const size_t budget = (size_t) 256 << 20;
    size_t bytes = 1;
    if (!g->dynamic_batch)
        return (uint32_t) g->batch;
    for (uint32_t i = 0; i < n_observe; i++)
        bytes += rci_tensor_bytes(&g->values[observe[i]].tensor) / (size_t) g->batch;
    uint64_t batch = q->batch ? q->batch : 64;
    if (batch > q->images)
        batch = q->images;
    return (uint32_t) (batch * bytes <= budget ? batch : budget / bytes ? budget / bytes : 1);
}

static rc_status walk_buffers(struct rci_quant_walk *w)
{
    w->n_out = rci_session_n_outputs(w->session);
    w->x = rci_alloc(w->ctx, rci_tensor_bytes(rci_session_input(w->session, 0)));
    w->labels = rci_alloc_array(w->ctx, w->batch, sizeof(int32_t));
    w->out = rci_alloc_array(w->ctx, w->n_out, sizeof(float *));
    if (!w->x || !w->labels || !w->out)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < w->n_out; i++)
        if (!(w->out[i] = rci_alloc(w->ctx, rci_tensor_bytes(rci_session_output(w->session, i)))))
            return RC_ERR_MEMORY;
    return RC_OK;
}

static rc_status walk_init(struct rci_quant_walk *w, const struct rc_quantizer *q,
                           const struct rc_dataset *d, const struct rc_graph *g,
                           const struct rci_session_config *config)
{
    const struct rci_batches_config data = {
        .batch = w->batch, .shuffle = !(q->flags & RC_QUANTIZE_IN_ORDER), .seed = q->ctx->o.seed};
    RC_TRY(rci_session_create(&w->session, g, config));
    RC_TRY(rci_batches_create(&w->batches, d, &data));
    return walk_buffers(w);
}

rc_status rci_quant_walk_start(struct rci_quant_walk *w, const struct rc_quantizer *q,
                               const struct rc_dataset *d, const struct rc_graph *g,
                               const rci_id *observe, uint32_t n_observe)
{
    *w = (struct rci_quant_walk){.ctx = q->ctx};
    const uint64_t images = rci_dataset_images(d);
    if (images == 0)
        return rci_fail(RC_ERR_DATA, "the calibration set is empty");
    RC_TRY(check_input(g, d));
    w->left = images < q->images ? images : q->images;
    w->batch = batch_for(q, g, observe, n_observe);
    const struct rci_session_config config = {
        .batch = w->batch,
                                              .observe = observe,
                                              .n_observe = n_observe,
                                              .repeatable = true};
    const rc_status st = walk_init(w, q, d, g, &config);
    if (st != RC_OK)
        rci_quant_walk_end(w);
    return st;
}

rc_status rci_quant_walk_next(struct rci_quant_walk *w, uint32_t *n)
{
    *n = 0;
    if (!w->left)
        return RC_OK;
    RC_TRY(rci_check_cancel(w->ctx));
    RC_TRY(rci_batches_get(w->batches, 0, w->index++, w->x, w->labels, NULL, n));
    if (*n > w->left)
        *n = (uint32_t) w->left;
    w->left -= *n;
    const void *const in[1] = {w->x};
    return rci_session_run(w->session, *n, in, (void *const *) w->out);
}

void rci_quant_walk_end(struct rci_quant_walk *w)
{
    for (uint32_t i = 0; w->out && i < w->n_out; i++)
        rci_release(w->out[i]);
    rci_release(w->out);
    rci_release(w->labels);
    rci_release(w->x);
    rci_batches_destroy(w->batches);
    rci_session_destroy(w->session);
    *w = (struct rci_quant_walk){0};
}
