/* The same seeded choice of images for every pass over a graph. */
#include "quant/walk.h"

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
    w->out = rci_alloc_array(w->ctx, w->n_out, sizeof(float *));
    if (!w->out)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < w->n_out; i++)
        if (!(w->out[i] = rci_alloc(w->ctx, rci_tensor_bytes(rci_session_output(w->session, i)))))
            return RC_ERR_MEMORY;
    return RC_OK;
}

static rc_status walk_init(struct rci_quant_walk *w, const struct rc_quantizer *q,
                           const struct rc_dataset *d, const struct rc_graph *g,
                           const rci_id *observe, uint32_t n_observe)
{
    const struct rci_feed_config data = {.batch = batch_for(q, g, observe, n_observe),
                                         .images = q->images,
                                         .shuffle = !(q->flags & RC_QUANTIZE_IN_ORDER),
                                         .seed = q->ctx->o.seed};
    RC_TRY(rci_feed_open(&w->feed, g, d, &data));
    const struct rci_session_config config = {
        .batch = w->feed.batch, .observe = observe, .n_observe = n_observe, .repeatable = true};
    RC_TRY(rci_session_new(&w->session, g, &config));
    return walk_buffers(w);
}

rc_status rci_quant_walk_start(struct rci_quant_walk *w, const struct rc_quantizer *q,
                               const struct rc_dataset *d, const struct rc_graph *g,
                               const rci_id *observe, uint32_t n_observe)
{
    *w = (struct rci_quant_walk){.ctx = q->ctx};
    const rc_status st = walk_init(w, q, d, g, observe, n_observe);
    if (st != RC_OK)
        rci_quant_walk_end(w);
    return st;
}

rc_status rci_quant_walk_next(struct rci_quant_walk *w, uint32_t *n)
{
    RC_TRY(rci_feed_next(&w->feed, n));
    const void *const in[1] = {w->feed.x};
    return *n ? rci_session_run(w->session, w->feed.run, in, (void *const *) w->out) : RC_OK;
}

void rci_quant_walk_end(struct rci_quant_walk *w)
{
    for (uint32_t i = 0; w->out && i < w->n_out; i++)
        rci_release(w->out[i]);
    rci_release(w->out);
    rci_feed_close(&w->feed);
    rci_session_free(w->session);
    *w = (struct rci_quant_walk){0};
}
