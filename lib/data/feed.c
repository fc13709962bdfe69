#include "data/feed.h"

#include <string.h>

bool rci_feed_channels_last(const struct rc_graph *g, const struct rc_dataset *d)
{
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    int64_t chw[3];
    rci_dataset_image_shape(d, chw);
    const int64_t hwc[3] = {chw[1], chw[2], chw[0]};
    return s->rank == 4 && memcmp(s->dim + 1, chw, sizeof(chw)) != 0 &&
           memcmp(s->dim + 1, hwc, sizeof(hwc)) == 0;
}

rc_status rci_feed_check(const struct rc_graph *g, const struct rc_dataset *d)
{
    int64_t chw[3], dims[3];
    char text[RC_SHAPE_TEXT];
    if (g->n_inputs != 1)
        return rci_fail(RC_ERR_SHAPE, "the graph has %u inputs, a data set feeds one", g->n_inputs);
    if (!d)
        return RC_OK;
    const struct rci_value *v = &g->values[g->inputs[0]];
    const struct rci_shape *s = &v->tensor.shape;
    rci_dataset_image_shape(d, chw);
    memcpy(dims, s->dim + 1, sizeof(dims));
    const int64_t per_image = s->rank ? rci_shape_count(s) / (s->dim[0] ? s->dim[0] : 1) : 0;
    const bool fits = s->rank == 4 ? !memcmp(chw, dims, sizeof(chw)) || rci_feed_channels_last(g, d)
                                   : s->rank && per_image == chw[0] * chw[1] * chw[2];
    if (fits && v->tensor.dtype == RC_F32)
        return RC_OK;
    return rci_fail(RC_ERR_SHAPE, "the data set's images are %lldx%lldx%lld, input \"%s\" is %s %s",
                    (long long) chw[0], (long long) chw[1], (long long) chw[2], v->name,
                    rci_dtype_name(v->tensor.dtype), rci_shape_text(s, text));
}

rc_status rci_feed_open(struct rci_feed *f, const struct rc_graph *g, const struct rc_dataset *d,
                        const struct rci_feed_config *o)
{
    int64_t chw[3];
    *f = (struct rci_feed){.ctx = g->ctx, .whole = !g->dynamic_batch};
    RC_TRY(rci_feed_check(g, d));
    rci_dataset_image_shape(d, chw);
    const uint64_t all = rci_dataset_images(d);
    f->left = o->images && o->images < all ? o->images : all;
    f->batch = (uint32_t) (f->whole ? (uint64_t) g->batch : o->batch);
    if (!f->left)
        return rci_fail(RC_ERR_DATA, "the data set has no images");
    if (o->drop_last)
        f->left -= f->left % f->batch;
    if (!f->left)
        return rci_fail(RC_ERR_DATA, "%llu images are fewer than one batch of %u",
                        (unsigned long long) (o->images && o->images < all ? o->images : all),
                        f->batch);
    const struct rci_batches_config config = {.batch = f->batch,
                                              .shuffle = o->shuffle,
                                              .drop_last = o->drop_last,
                                              .prefetch = o->prefetch,
                                              .channels_last = rci_feed_channels_last(g, d),
                                              .seed = o->seed,
                                              .limit = o->shuffle ? 0 : f->left};
    RC_TRY(rci_batches_new(&f->batches, d, &config));
    f->x = rci_alloc_array(f->ctx, f->batch * (size_t) (chw[0] * chw[1] * chw[2]), sizeof(*f->x));
    f->label = rci_alloc_array(f->ctx, f->batch, sizeof(*f->label));
    return f->x && f->label ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_feed_next(struct rci_feed *f, uint32_t *n)
{
    *n = 0;
    if (!f->left)
        return RC_OK;
    uint32_t got;
    RC_TRY(rci_check_cancel(f->ctx));
    RC_TRY(rci_batches_get(f->batches, 0, f->index++, f->x, f->label, NULL, &got));
    *n = got < f->left ? got : (uint32_t) f->left;
    f->run = f->whole ? f->batch : *n;
    f->left -= *n;
    f->seen += *n;
    return RC_OK;
}

void rci_feed_close(struct rci_feed *f)
{
    rci_batches_free(f->batches);
    rci_release(f->x);
    rci_release(f->label);
    *f = (struct rci_feed){0};
}
