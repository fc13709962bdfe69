#include "prune/probe.h"

static rc_status check_data(const struct rc_graph *g, const rc_dataset *d)
{
    int64_t chw[3];
    char want[RC_SHAPE_TEXT], have[RC_SHAPE_TEXT];
    rci_dataset_image_shape(d, chw);
    const struct rci_shape s = RC_SHAPE(g->batch, chw[0], chw[1], chw[2]);
    if (g->n_inputs != 1)
        return rci_fail(RC_ERR_ARG, "the graph has %u inputs, data sets feed one", g->n_inputs);
    const struct rci_value *v = &g->values[g->inputs[0]];
    if (rci_shape_equal(&s, &v->tensor.shape))
        return RC_OK;
    return rci_fail(RC_ERR_SHAPE, "input \"%s\" is %s, the data set gives %s", v->name,
                    rci_shape_text(&v->tensor.shape, want), rci_shape_text(&s, have));
}

rc_status rci_probe_open(struct rci_probe *p, const struct rc_graph *g, const rc_dataset *d,
                         uint64_t images, uint64_t batch)
{
    *p = (struct rci_probe){.ctx = g->ctx, .whole = !g->dynamic_batch, .left = images};
    RC_TRY(check_data(g, d));
    p->batch = (uint32_t) (p->whole ? (uint64_t) g->batch : batch);
    const struct rci_batches_config o = {.batch = p->batch, .shuffle = true};
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    const size_t image = (size_t) (s->dim[1] * s->dim[2] * s->dim[3]);
    RC_TRY(rci_batches_create(&p->batches, d, &o));
    p->x = rci_alloc_array(p->ctx, p->batch * image, sizeof(*p->x));
    p->label = rci_alloc_array(p->ctx, p->batch, sizeof(*p->label));
    return p->x && p->label ? RC_OK : RC_ERR_MEMORY;
}

/* Distinct values that are no input; the session gives each once. */
static uint32_t list_outputs(const struct rc_graph *g, const rci_id *value, uint32_t n, rci_id *out)
{
    uint32_t n_out = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < n_out && out[k] != value[i])
            k++;
        if (k == n_out && !(g->values[value[i]].flags & RC_VALUE_INPUT))
            out[n_out++] = value[i];
    }
    return n_out;
}

static rc_status compile(struct rci_probe *p, struct rci_probe_view *v, const struct rc_graph *g,
                         const rci_id *out, uint32_t n_out)
{
    struct rc_graph *part;
    const struct rci_session_config o = {.batch = p->batch, .repeatable = true};
    RC_TRY(rci_graph_clone_shared(&part, g));
    rc_status st = rci_graph_set_outputs(part, out, n_out);
    if (st == RC_OK)
        st = rci_graph_sweep(part, NULL);
    if (st == RC_OK)
        st = rci_session_create(&v->session, part, &o);
    rci_graph_destroy(part);
    return st;
}

static rc_status open_view(struct rci_probe *p, struct rci_probe_view *v, const struct rc_graph *g,
                           const rci_id *value, rci_id *out)
{
    const uint32_t n_out = list_outputs(g, value, v->n, out);
    v->value = rci_alloc_array(p->ctx, v->n, sizeof(*v->value));
    v->out = rci_alloc_array(p->ctx, n_out, sizeof(*v->out));
    if (!v->value || !v->out)
        return RC_ERR_MEMORY;
    if (n_out)
        RC_TRY(compile(p, v, g, out, n_out));
    for (uint32_t k = 0; k < n_out; k++) {
        v->out[k] = rci_alloc(p->ctx, rci_tensor_bytes(rci_session_output(v->session, k)));
        if (!v->out[k])
            return RC_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        v->value[i] = p->x;
        for (uint32_t k = 0; k < n_out; k++)
            if (out[k] == value[i])
                v->value[i] = v->out[k];
    }
    return RC_OK;
}

rc_status rci_probe_watch(struct rci_probe *p, const struct rc_graph *g, const rci_id *value,
                          uint32_t n)
{
    struct rci_probe_view *v = &p->view[p->n_views++];
    rci_id *out = rci_alloc_array(p->ctx, n, sizeof(*out));
    v->n = n;
    const rc_status st = out ? open_view(p, v, g, value, out) : RC_ERR_MEMORY;
    rci_release(out);
    return st;
}

rc_status rci_probe_next(struct rci_probe *p, uint32_t *n)
{
    *n = 0;
    if (!p->left || p->index == rci_batches_per_epoch(p->batches))
        return RC_OK;
    const void *const in[] = {p->x};
    uint32_t got;
    RC_TRY(rci_check_cancel(p->ctx));
    RC_TRY(rci_batches_get(p->batches, 0, p->index++, p->x, p->label, NULL, &got));
    got = (uint32_t) (got < p->left ? got : p->left);
    for (uint32_t i = 0; i < p->n_views; i++)
        if (p->view[i].session)
            RC_TRY(
                rci_session_run(p->view[i].session, p->whole ? p->batch : got, in, p->view[i].out));
    p->left -= got;
    p->seen += got;
    *n = got;
    return RC_OK;
}

void rci_probe_close(struct rci_probe *p)
{
    for (uint32_t i = 0; i < p->n_views; i++) {
        struct rci_probe_view *v = &p->view[i];
        for (uint32_t k = 0; v->out && v->session && k < rci_session_n_outputs(v->session); k++)
            rci_release(v->out[k]);
        rci_session_destroy(v->session);
        rci_release(v->value);
        rci_release(v->out);
    }
    rci_batches_destroy(p->batches);
    rci_release(p->x);
    rci_release(p->label);
}
