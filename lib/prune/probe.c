#include "prune/probe.h"

static rc_status check_data(const struct rc_graph *g, const rc_dataset *d)
{
    int64_t chw[3];
    char want[RC_SHAPE_TEXT], have[RC_SHAPE_TEXT];
    rc_dataset_image_shape(d, chw);
    const struct rc_shape s = RC_SHAPE(g->batch, chw[0], chw[1], chw[2]);
    if (g->n_inputs != 1)
        return rc_fail(RC_ERR_ARG, "the graph has %u inputs, data sets feed one", g->n_inputs);
    const struct rc_value *v = &g->values[g->inputs[0]];
    if (rc_shape_equal(&s, &v->tensor.shape))
        return RC_OK;
    return rc_fail(RC_ERR_SHAPE, "input \"%s\" is %s, the data set gives %s", v->name,
                   rc_shape_text(&v->tensor.shape, want), rc_shape_text(&s, have));
}

rc_status rc_probe_open(struct rc_probe *p, const struct rc_graph *g, rc_dataset *d,
                        uint64_t images, uint64_t batch)
{
    *p = (struct rc_probe){.ctx = g->ctx, .whole = !g->dynamic_batch, .left = images};
    RC_TRY(check_data(g, d));
    p->batch = (uint32_t) (p->whole ? (uint64_t) g->batch : batch);
    const struct rc_batches_config o = {.batch = p->batch, .shuffle = true};
    const struct rc_shape *s = &g->values[g->inputs[0]].tensor.shape;
    const size_t image = (size_t) (s->dim[1] * s->dim[2] * s->dim[3]);
    RC_TRY(rc_batches_create(&p->batches, d, &o));
    p->x = rc_alloc_array(p->ctx, p->batch * image, sizeof(*p->x));
    p->label = rc_alloc_array(p->ctx, p->batch, sizeof(*p->label));
    return p->x && p->label ? RC_OK : RC_ERR_MEMORY;
}

/* Distinct values that are no input; the session gives each once. */
static uint32_t list_outputs(const struct rc_graph *g, const rc_id *value, uint32_t n, rc_id *out)
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

static rc_status compile(struct rc_probe *p, struct rc_probe_view *v, const struct rc_graph *g,
                         const rc_id *out, uint32_t n_out)
{
    struct rc_graph *part;
    const struct rc_session_config o = {.batch = p->batch};
    RC_TRY(rc_graph_clone_shared(&part, g));
    rc_status st = rc_graph_set_outputs(part, out, n_out);
    if (st == RC_OK)
        st = rc_graph_sweep(part, NULL);
    if (st == RC_OK)
        st = rc_session_create(&v->session, part, &o);
    rc_graph_destroy(part);
    return st;
}

static rc_status open_view(struct rc_probe *p, struct rc_probe_view *v, const struct rc_graph *g,
                           const rc_id *value, rc_id *out)
{
    const uint32_t n_out = list_outputs(g, value, v->n, out);
    v->value = rc_alloc_array(p->ctx, v->n, sizeof(*v->value));
    v->out = rc_alloc_array(p->ctx, n_out, sizeof(*v->out));
    if (!v->value || !v->out)
        return RC_ERR_MEMORY;
    if (n_out)
        RC_TRY(compile(p, v, g, out, n_out));
    for (uint32_t k = 0; k < n_out; k++) {
        v->out[k] = rc_alloc(p->ctx, rc_tensor_bytes(rc_session_output(v->session, k)));
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

rc_status rc_probe_watch(struct rc_probe *p, const struct rc_graph *g, const rc_id *value,
                         uint32_t n)
{
    struct rc_probe_view *v = &p->view[p->n_views++];
    rc_id *out = rc_alloc_array(p->ctx, n, sizeof(*out));
    v->n = n;
    const rc_status st = out ? open_view(p, v, g, value, out) : RC_ERR_MEMORY;
    rc_release(out);
    return st;
}

rc_status rc_probe_next(struct rc_probe *p, uint32_t *n)
{
    *n = 0;
    if (!p->left || p->index == rc_batches_per_epoch(p->batches))
        return RC_OK;
    const void *const in[] = {p->x};
    uint32_t got;
    RC_TRY(rc_check_cancel(p->ctx));
    RC_TRY(rc_batches_get(p->batches, 0, p->index++, p->x, p->label, NULL, &got));
    got = (uint32_t) (got < p->left ? got : p->left);
    for (uint32_t i = 0; i < p->n_views; i++)
        if (p->view[i].session)
            RC_TRY(rc_session_execute(p->view[i].session, p->whole ? p->batch : got, in,
                                      p->view[i].out));
    p->left -= got;
    p->seen += got;
    *n = got;
    return RC_OK;
}

void rc_probe_close(struct rc_probe *p)
{
    for (uint32_t i = 0; i < p->n_views; i++) {
        struct rc_probe_view *v = &p->view[i];
        for (uint32_t k = 0; v->out && v->session && k < rc_session_n_outputs(v->session); k++)
            rc_release(v->out[k]);
        rc_session_destroy(v->session);
        rc_release(v->value);
        rc_release(v->out);
    }
    rc_batches_destroy(p->batches);
    rc_release(p->x);
    rc_release(p->label);
}
