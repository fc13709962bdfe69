#include "fit/frontier.h"

#include <string.h>

#define ROOM ((size_t) 512 << 20)

struct rci_kept_value {
    rci_id value;
    size_t count; /* numbers per image */
    float *data;  /* [images, whole batches][count] */
};

/* --- which values --- */

static const struct rci_kept_value *find_kept(const struct rci_frontier *f, rci_id value)
{
    for (uint32_t i = 0; i < f->n_kept; i++)
        if (f->kept[i].value == value)
            return &f->kept[i];
    return NULL;
}

static size_t count_per_image(const struct rc_graph *g, rci_id value)
{
    return (size_t) (rci_shape_count(&g->values[value].tensor.shape) / g->batch);
}

static bool is_input(const struct rc_graph *g, rci_id value)
{
    return g->values[value].flags & RC_VALUE_INPUT;
}

static bool listed(const rci_id *list, uint32_t n, rci_id value)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == value)
            return true;
    return false;
}

/* What node order[at] and those behind it read and do not make themselves. */
static uint32_t list_read(const struct rc_graph *g, const rci_id *order, uint32_t n, uint32_t at,
                          rci_id *list)
{
    uint32_t found = 0;
    for (uint32_t i = at; i < n; i++) {
        const struct rci_node *node = &g->nodes[order[i]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            const rci_id v = node->in[k];
            if (v == RC_NONE || rci_value_is_const(&g->values[v]) || listed(list, found, v))
                continue;
            const rci_id from = g->values[v].producer;
            if (from == RC_NONE || !listed(order + at, i - at, from))
                list[found++] = v;
        }
    }
    return found;
}

/* --- what is watched --- */

static void close_view(struct rci_frontier *f)
{
    for (uint32_t k = 0; f->out && k < f->n_out; k++)
        rci_release(f->out[k]);
    rci_session_free(f->session);
    rci_release(f->watched);
    rci_release(f->value);
    rci_release(f->out);
    rci_release(f->in);
    rci_release(f->in_of);
    f->session = NULL;
    f->watched = f->in_of = NULL;
    f->value = NULL;
    f->out = NULL;
    f->in = NULL;
    f->n = f->n_out = 0;
}

/* The part of the graph between what is kept and `out`. */
static rc_status cut_out(struct rci_frontier *f, struct rc_graph *part, const rci_id *out)
{
    for (uint32_t i = 0; i < f->n_kept; i++) {
        rci_id in;
        const rci_id v = f->kept[i].value;
        if (is_input(part, v))
            continue;
        const struct rci_shape s = part->values[v].tensor.shape;
        RC_TRY(rci_graph_add_input(part, &in, NULL, RC_F32, &s));
        RC_TRY(rci_graph_redirect(part, v, in));
    }
    RC_TRY(rci_graph_set_outputs(part, out, f->n_out));
    RC_TRY(rci_graph_sweep(part, NULL));
    f->in = rci_alloc_array(f->ctx, part->n_inputs, sizeof(*f->in));
    f->in_of = rci_alloc_array(f->ctx, part->n_inputs, sizeof(*f->in_of));
    if (!f->in || !f->in_of)
        return RC_ERR_MEMORY;
    uint32_t next = f->g->n_inputs; /* the others were appended in order */
    for (uint32_t i = 0; i < f->g->n_inputs; i++)
        f->in_of[i] = f->g->inputs[i];
    for (uint32_t i = 0; i < f->n_kept; i++)
        if (!is_input(f->g, f->kept[i].value))
            f->in_of[next++] = f->kept[i].value;
    const struct rci_session_config o = {.batch = f->feed.batch, .repeatable = true};
    return rci_session_new(&f->session, part, &o);
}

static rc_status frontier_compile(struct rci_frontier *f, const rci_id *out)
{
    struct rc_graph *part;
    RC_TRY(rci_graph_clone_shared(&part, f->g));
    rc_status st = cut_out(f, part, out);
    rci_graph_free(part);
    RC_TRY(st);
    for (uint32_t k = 0; k < f->n_out; k++) {
        f->out[k] = rci_alloc(f->ctx, rci_tensor_bytes(rci_session_output(f->session, k)));
        if (!f->out[k])
            return RC_ERR_MEMORY;
    }
    return RC_OK;
}

static rc_status open_outputs(struct rci_frontier *f, const rci_id *value, uint32_t n, rci_id *out)
{
    uint32_t n_out = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!is_input(f->g, value[i]) && !find_kept(f, value[i]) && !listed(out, n_out, value[i]))
            out[n_out++] = value[i];
    f->out = rci_alloc_array(f->ctx, n_out, sizeof(*f->out));
    f->value = rci_alloc_array(f->ctx, n, sizeof(*f->value));
    f->watched = rci_alloc_array(f->ctx, n, sizeof(*f->watched));
    if (!f->out || !f->value || !f->watched)
        return RC_ERR_MEMORY;
    memcpy(f->watched, value, n * sizeof(*value));
    f->n = n;
    f->n_out = n_out;
    if (n_out)
        RC_TRY(frontier_compile(f, out));
    for (uint32_t i = 0; i < n; i++) /* those of the session stay where they are */
        for (uint32_t k = 0; k < n_out; k++)
            if (out[k] == value[i])
                f->value[i] = f->out[k];
    return RC_OK;
}

rc_status rci_frontier_watch(struct rci_frontier *f, const rci_id *value, uint32_t n)
{
    rci_id *out = rci_alloc_array(f->ctx, n, sizeof(*out));
    if (!out)
        return RC_ERR_MEMORY;
    close_view(f);
    f->at = 0;
    rci_feed_close(&f->feed);
    rc_status st = rci_feed_open(&f->feed, f->g, f->data, &f->config);
    if (st == RC_OK)
        st = open_outputs(f, value, n, out);
    rci_release(out);
    return st;
}

/* --- images --- */

static const float *present(const struct rci_frontier *f, rci_id value)
{
    const struct rci_kept_value *k = find_kept(f, value);
    return k ? k->data + (size_t) f->at * k->count : f->feed.x;
}

rc_status rci_frontier_next(struct rci_frontier *f, uint32_t *n)
{
    int64_t run;
    if (f->n_kept) {
        const uint64_t left = f->images - f->at;
        RC_TRY(rci_check_cancel(f->ctx));
        *n = left < f->feed.batch ? (uint32_t) left : f->feed.batch;
        run = f->feed.whole ? f->feed.batch : *n;
    } else {
        RC_TRY(rci_feed_next(&f->feed, n));
        run = f->feed.run;
    }
    if (!*n)
        return RC_OK;
    for (uint32_t i = 0; i < f->n; i++)
        if (is_input(f->g, f->watched[i]) || find_kept(f, f->watched[i]))
            f->value[i] = present(f, f->watched[i]);
    for (uint32_t i = 0; f->session && i < rci_session_n_inputs(f->session); i++)
        f->in[i] = present(f, f->in_of[i]);
    if (f->session)
        RC_TRY(rci_session_run(f->session, run, f->in, f->out));
    f->at += *n;
    return RC_OK;
}

/* --- moving on --- */

static void drop_kept(struct rci_kept_value *kept, uint32_t n)
{
    for (uint32_t i = 0; kept && i < n; i++)
        rci_release(kept[i].data);
    rci_release(kept);
}

static rc_status fill_kept(struct rci_frontier *f, struct rci_kept_value *to, const rci_id *value,
                           uint32_t n)
{
    const size_t room = (size_t) ((f->images + f->feed.batch - 1) / f->feed.batch) * f->feed.batch;
    uint32_t got;
    for (uint32_t i = 0; i < n; i++) {
        to[i].value = value[i];
        to[i].count = count_per_image(f->g, value[i]);
        to[i].data = rci_alloc_array(f->ctx, room * to[i].count, sizeof(float));
        if (!to[i].data)
            return RC_ERR_MEMORY;
    }
    RC_TRY(rci_frontier_watch(f, value, n));
    for (;;) {
        const uint64_t first = f->at;
        RC_TRY(rci_frontier_next(f, &got));
        if (!got)
            return RC_OK;
        for (uint32_t i = 0; i < n; i++)
            memcpy(to[i].data + (size_t) first * to[i].count, f->value[i],
                   got * to[i].count * sizeof(float));
    }
}

static rc_status keep(struct rci_frontier *f, const rci_id *value, uint32_t n)
{
    uint32_t same = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct rci_tensor *t = &f->g->values[value[i]].tensor;
        if (t->dtype != RC_F32 || !t->shape.rank || t->shape.dim[0] != f->g->batch)
            return RC_OK; /* not one thing per image */
        same += find_kept(f, value[i]) != NULL;
        bytes += (size_t) f->images * count_per_image(f->g, value[i]) * sizeof(float);
    }
    if ((same == n && n == f->n_kept) || bytes > f->room)
        return RC_OK;
    struct rci_kept_value *to = rci_alloc_array(f->ctx, n, sizeof(*to));
    if (!to)
        return RC_ERR_MEMORY;
    const rc_status st = fill_kept(f, to, value, n);
    close_view(f);
    if (st != RC_OK) {
        drop_kept(to, n);
        return st;
    }
    drop_kept(f->kept, f->n_kept);
    f->kept = to;
    f->n_kept = n;
    return RC_OK;
}

rc_status rci_frontier_move(struct rci_frontier *f, const rci_id *order, uint32_t n, rci_id node)
{
    uint32_t at = 0;
    while (at < n && order[at] != node)
        at++;
    rci_id *read = rci_alloc_array(f->ctx, f->g->n_values, sizeof(*read));
    if (!read)
        return RC_ERR_MEMORY;
    const rc_status st = keep(f, read, list_read(f->g, order, n, at, read));
    rci_release(read);
    return st;
}

rc_status rci_frontier_open(struct rci_frontier *f, const struct rc_graph *g, const rc_dataset *d,
                            uint64_t images, uint64_t batch)
{
    const uint64_t all = rci_dataset_images(d);
    const size_t limit = g->ctx->o.max_memory / 4;
    *f = (struct rci_frontier){.ctx = g->ctx, .g = g, .data = d};
    f->images = images < all ? images : all;
    f->room = limit && limit < ROOM ? limit : ROOM;
    f->config = (struct rci_feed_config){.batch = batch, .images = images, .shuffle = true};
    return rci_feed_open(&f->feed, g, d, &f->config);
}

void rci_frontier_close(struct rci_frontier *f)
{
    close_view(f);
    drop_kept(f->kept, f->n_kept);
    rci_feed_close(&f->feed);
    *f = (struct rci_frontier){0};
}
