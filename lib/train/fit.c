/* Checks of a classifier and a data set before the first image is read. */
#include "train/fit.h"
#include "data/feed.h"

#include <string.h>

static rc_status fit_output(struct rci_fit *out, const struct rc_graph *g)
{
    if (g->n_outputs == 0)
        return rci_fail(RC_ERR_SHAPE, "the model has no output");
    const struct rci_value *v = &g->values[g->outputs[0]];
    const struct rci_shape *s = &v->tensor.shape;
    int64_t classes = s->rank > 1 ? 1 : 0;
    for (uint32_t i = 1; i < s->rank; i++)
        classes *= s->dim[i];
    char text[RC_SHAPE_TEXT];
    if (classes < 1 || classes > INT32_MAX || s->dim[1] != classes)
        return rci_fail(RC_ERR_SHAPE, "output \"%s\" has shape %s, expected batch x classes",
                        v->name, rci_shape_text(s, text));
    out->classes = (uint32_t) classes;
    out->softmax =
        v->producer != RC_NONE && rci_node_has(&g->nodes[v->producer], RC_OP_PROBABILITIES);
    return RC_OK;
}

/* One row of classes for each image, at the batch at hand and at another: a result that mixes or
 * repeats images has other shapes there, and what reads rows would read beyond them. */
static rc_status fit_rows(const struct rci_fit *fit, const struct rc_graph *g)
{
    struct rci_tensor *shapes = rci_alloc_array(g->ctx, g->n_values, sizeof(*shapes));
    char text[RC_SHAPE_TEXT];
    rc_status st = shapes ? RC_OK : RC_ERR_MEMORY;
    for (int64_t n = fit->batch; st == RC_OK && n <= fit->batch + (g->dynamic_batch ? 1 : 0); n++) {
        st = rci_graph_infer_at(g, n, shapes);
        const struct rci_shape *s = &shapes[g->outputs[0]].shape;
        if (st == RC_OK && (s->dim[0] != n || rci_shape_count(s) != n * fit->classes))
            st = rci_fail(RC_ERR_SHAPE,
                          "output \"%s\" has shape %s for %lld images, expected batch "
                          "x classes",
                          g->values[g->outputs[0]].name, rci_shape_text(s, text), (long long) n);
    }
    rci_release(shapes);
    return st;
}

static rc_status fit_input(struct rci_fit *out, const struct rc_graph *g, int64_t batch)
{
    const struct rci_value *v = &g->values[g->inputs[0]];
    const struct rci_shape *s = &v->tensor.shape;
    char text[RC_SHAPE_TEXT];
    if (s->rank != 4 || v->tensor.dtype != RC_F32)
        return rci_fail(RC_ERR_SHAPE, "input \"%s\" is %s %s, expected f32 N x C x H x W", v->name,
                        rci_dtype_name(v->tensor.dtype), rci_shape_text(s, text));
    memcpy(out->chw, s->dim + 1, sizeof(out->chw));
    out->batch = g->dynamic_batch ? batch : s->dim[0];
    return RC_OK;
}

rc_status rci_fit_check(struct rci_fit *out, const struct rc_graph *g, const struct rc_dataset *d,
                        int64_t batch)
{
    *out = (struct rci_fit){0};
    RC_TRY(rci_feed_check(g, d));
    RC_TRY(fit_input(out, g, batch));
    RC_TRY(fit_output(out, g));
    RC_TRY(fit_rows(out, g));
    if (d && rci_dataset_classes(d) != out->classes)
        return rci_fail(RC_ERR_SHAPE, "the data set has %u classes, the model has %u",
                        rci_dataset_classes(d), out->classes);
    return RC_OK;
}
