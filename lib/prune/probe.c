#include "prune/probe.h"

rc_status rci_probe_open(struct rci_probe *p, const struct rc_graph *g, const rc_dataset *d,
                         uint64_t images, uint64_t batch)
{
    *p = (struct rci_probe){.ctx = g->ctx};
    const struct rci_feed_config o = {.batch = batch, .images = images, .shuffle = true};
    return rci_feed_open(&p->feed, g, d, &o);
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

static rc_status probe_compile(struct rci_probe *p, struct rci_probe_view *v,
                               const struct rc_graph *g, const rci_id *out, uint32_t n_out)
{
    struct rc_graph *part;
    const struct rci_session_config o = {.batch = p->feed.batch, .repeatable = true};
    RC_TRY(rci_graph_clone_shared(&part, g));
    rc_status st = rci_graph_set_outputs(part, out, n_out);
    if (st == RC_OK)
        st = rci_graph_sweep(part, NULL);
    if (st == RC_OK)
        st = rci_session_new(&v->session, part, &o);
    rci_graph_free(part);
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
        RC_TRY(probe_compile(p, v, g, out, n_out));
    for (uint32_t k = 0; k < n_out; k++) {
        v->out[k] = rci_alloc(p->ctx, rci_tensor_bytes(rci_session_output(v->session, k)));
        if (!v->out[k])
            return RC_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        v->value[i] = p->feed.x;
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
    const void *const in[] = {p->feed.x};
    RC_TRY(rci_feed_next(&p->feed, n));
    for (uint32_t i = 0; *n && i < p->n_views; i++)
        if (p->view[i].session)
            RC_TRY(rci_session_run(p->view[i].session, p->feed.run, in, p->view[i].out));
    return RC_OK;
}

void rci_probe_close(struct rci_probe *p)
{
    for (uint32_t i = 0; i < p->n_views; i++) {
        struct rci_probe_view *v = &p->view[i];
        for (uint32_t k = 0; v->out && v->session && k < rci_session_n_outputs(v->session); k++)
            rci_release(v->out[k]);
        rci_session_free(v->session);
        rci_release(v->value);
        rci_release(v->out);
    }
    rci_feed_close(&p->feed);
}
