#include "prune/blocks.h"
#include "prune/probe.h"

#include <string.h>

/* --- finding them --- */

struct search {
    const struct rc_graph *g;
    struct rci_readers readers;
    uint8_t *inside; /* [n_nodes] of the branch under way */
    rci_id *stack;   /* [n_nodes] */
};

/* Marks what `branch` is computed from as far as `shortcut`; false: something else is in it. */
static bool walk_back(struct search *s, rci_id branch, rci_id shortcut, bool *reached)
{
    const struct rc_graph *g = s->g;
    uint32_t n = 0;
    memset(s->inside, 0, g->n_nodes);
    *reached = false;
    if (g->values[branch].producer == RC_NONE)
        return false;
    s->stack[n++] = g->values[branch].producer;
    s->inside[s->stack[0]] = 1;
    while (n) {
        const struct rci_node *node = &g->nodes[s->stack[--n]];
        for (uint32_t i = 0; i < node->n_in; i++) {
            const rci_id v = node->in[i];
            if (v == RC_NONE || rci_value_is_const(&g->values[v]))
                continue;
            const rci_id from = g->values[v].producer;
            *reached |= v == shortcut;
            if (v == shortcut || (from != RC_NONE && s->inside[from]))
                continue;
            if (from == RC_NONE)
                return false;
            s->inside[from] = 1;
            s->stack[n++] = from;
        }
    }
    return *reached;
}

/* Is what the marked nodes make read by them alone, and by `add`? */
static bool nobody_else_reads(const struct search *s, rci_id add)
{
    const struct rc_graph *g = s->g;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; s->inside[i] && k < g->nodes[i].n_out; k++) {
            const rci_id v = g->nodes[i].out[k];
            if (v == RC_NONE)
                continue;
            if (g->values[v].flags & RC_VALUE_OUTPUT)
                return false;
            for (uint32_t r = s->readers.start[v]; r < s->readers.start[v + 1]; r++)
                if (s->readers.node[r] != add && !s->inside[s->readers.node[r]])
                    return false;
        }
    return true;
}

static bool has_weights(const struct search *s, const rci_id *order, uint32_t n, const char **name)
{
    for (uint32_t i = 0; i < n; i++)
        if (s->inside[order[i]] && s->g->nodes[order[i]].op->as_weighted) {
            *name = s->g->nodes[order[i]].name;
            return true;
        }
    return false;
}

static rc_status keep_block(struct rci_blocks *out, const struct search *s, struct rci_block b,
                            uint32_t *capacity)
{
    RC_TRY(rci_grow(out->ctx, &out->block, out->n, capacity, sizeof(*out->block)));
    for (uint32_t i = 0; i < s->g->n_nodes; i++)
        b.n_nodes += s->inside[i];
    b.node = rci_alloc_array(out->ctx, b.n_nodes + 1, sizeof(*b.node));
    if (!b.node)
        return RC_ERR_MEMORY;
    b.n_nodes = 0;
    for (uint32_t i = 0; i < s->g->n_nodes; i++)
        if (s->inside[i])
            b.node[b.n_nodes++] = i;
    b.node[b.n_nodes++] = b.add;
    out->block[out->n++] = b;
    return RC_OK;
}

static bool is_block(struct search *s, const rci_id *order, uint32_t n, struct rci_block *b)
{
    const struct rci_node *add = &s->g->nodes[b->add];
    const struct rci_value *y = &s->g->values[add->out[0]];
    if (!rci_node_has(add, RC_OP_SUM) || add->n_in != 2 || y->flags & RC_VALUE_OUTPUT)
        return false;
    for (uint32_t k = 0; k < 2; k++) {
        bool reached;
        b->branch = add->in[k];
        b->shortcut = add->in[1 - k];
        const struct rci_value *x = &s->g->values[b->shortcut];
        if (b->branch == b->shortcut || rci_value_is_const(x) ||
            rci_value_is_const(&s->g->values[b->branch]) ||
            !rci_shape_equal(&x->tensor.shape, &y->tensor.shape))
            continue;
        if (walk_back(s, b->branch, b->shortcut, &reached) && nobody_else_reads(s, b->add) &&
            has_weights(s, order, n, &b->name))
            return true;
    }
    return false;
}

rc_status rci_blocks_find(struct rci_blocks *out, const struct rc_graph *g)
{
    struct search s = {.g = g};
    rci_id *order = NULL;
    uint32_t n = 0, capacity = 0;
    *out = (struct rci_blocks){.ctx = g->ctx};
    rc_status st = rci_graph_readers(g, &s.readers);
    if (st == RC_OK)
        st = rci_graph_order(g, &order, &n);
    s.inside = rci_alloc_array(g->ctx, g->n_nodes, 1);
    s.stack = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*s.stack));
    if (st == RC_OK && (!s.inside || !s.stack))
        st = RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < n; i++) {
        struct rci_block b = {.add = order[i]};
        if (is_block(&s, order, n, &b))
            st = keep_block(out, &s, b, &capacity);
    }
    rci_readers_free(&s.readers);
    rci_release(order);
    rci_release(s.inside);
    rci_release(s.stack);
    return st;
}

void rci_blocks_free(struct rci_blocks *b)
{
    for (uint32_t i = 0; b->block && i < b->n; i++)
        rci_release(b->block[i].node);
    rci_release(b->block);
    *b = (struct rci_blocks){0};
}

rc_status rci_block_remove(const struct rci_block *b, struct rc_graph *g)
{
    return rci_graph_redirect(g, g->nodes[b->add].out[0], b->shortcut);
}

/* --- what they are worth --- */

struct worth {
    const struct rci_blocks *b;
    const struct rc_graph *g;
    const struct rci_observation *o;
    double **mean;  /* [n][channels] of the branch */
    float *answers; /* [images][classes] of the whole network */
    size_t classes;
};

static size_t channels_of(const struct worth *w, uint32_t i)
{
    const struct rci_shape *s = &w->g->values[w->b->block[i].branch].tensor.shape;
    return s->rank > 1 ? (size_t) s->dim[1] : 1;
}

static size_t count_of(const struct worth *w, rci_id value)
{
    return (size_t) (rci_shape_count(&w->g->values[value].tensor.shape) / w->g->batch);
}

static void add_means(struct worth *w, const struct rci_probe *p, const uint32_t *which, uint32_t n,
                      uint32_t images)
{
    for (uint32_t k = 0; k < n; k++) {
        const size_t channels = channels_of(w, which[k]);
        const size_t inner = count_of(w, w->b->block[which[k]].branch) / channels;
        const float *x = p->view[0].value[k];
        for (size_t c = 0; c < (size_t) images * channels; c++, x += inner)
            for (size_t i = 0; i < inner; i++)
                w->mean[which[k]][c % channels] += (double) x[i] / (double) inner;
    }
}

/* Means of the branches that are asked for, and the answers. */
static rc_status watch_whole(struct worth *w, const bool *wanted)
{
    const uint32_t n = w->b->n;
    struct rci_probe p = {0};
    uint32_t *which = rci_alloc_array(w->g->ctx, n, sizeof(*which)), m = 0, got = 0;
    rci_id *value = rci_alloc_array(w->g->ctx, n + 1, sizeof(*value));
    size_t seen = 0;
    rc_status st = which && value ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < n; i++)
        if (wanted[i]) {
            value[m] = w->b->block[i].branch;
            which[m++] = i;
        }
    if (st == RC_OK) {
        value[m] = w->g->outputs[0];
        st = rci_probe_open(&p, w->g, w->o->data, w->o->images, w->o->batch);
    }
    if (st == RC_OK)
        st = rci_probe_watch(&p, w->g, value, m + 1);
    while (st == RC_OK && (st = rci_probe_next(&p, &got)) == RC_OK && got) {
        add_means(w, &p, which, m, got);
        memcpy(w->answers + seen * w->classes, p.view[0].value[m],
               got * w->classes * sizeof(float));
        seen += got;
    }
    for (uint32_t k = 0; k < m; k++)
        for (size_t c = 0; st == RC_OK && c < channels_of(w, which[k]); c++)
            w->mean[which[k]][c] /= (double) seen;
    rci_probe_close(&p);
    rci_release(which);
    rci_release(value);
    return st;
}

/* The graph with the branch replaced by its mean. */
static rc_status replace_branch(const struct worth *w, uint32_t i, struct rc_graph *g)
{
    const struct rci_block *b = &w->b->block[i];
    const size_t channels = channels_of(w, i);
    struct rci_tensor mean;
    struct rci_shape s = w->g->values[b->branch].tensor.shape;
    rci_id to;
    for (uint32_t a = 0; a < s.rank; a++)
        s.dim[a] = a == 1 ? (int64_t) channels : 1;
    RC_TRY(rci_tensor_new(&mean, g->ctx, RC_F32, &s));
    for (size_t c = 0; c < channels; c++)
        ((float *) mean.data)[c] = (float) w->mean[i][c];
    char *name = rci_graph_fresh_name(g, "mean");
    rc_status st = name ? rci_graph_add_const(g, &to, name, &mean) : RC_ERR_MEMORY;
    rci_tensor_free(&mean);
    rci_release(name);
    if (st == RC_OK)
        st = rci_graph_redirect(g, b->branch, to);
    if (st == RC_OK)
        st = rci_graph_sweep(g, NULL);
    return st == RC_OK ? rci_graph_infer(g) : st;
}

static rc_status measure_one(const struct worth *w, uint32_t i, double *error)
{
    struct rc_graph *g;
    struct rci_probe p = {0};
    uint32_t got = 0;
    size_t seen = 0;
    RC_TRY(rci_graph_clone(&g, w->g));
    rc_status st = replace_branch(w, i, g);
    if (st == RC_OK)
        st = rci_probe_open(&p, g, w->o->data, w->o->images, w->o->batch);
    if (st == RC_OK)
        st = rci_probe_watch(&p, g, &g->outputs[0], 1);
    *error = 0;
    while (st == RC_OK && (st = rci_probe_next(&p, &got)) == RC_OK && got) {
        const float *y = w->answers + seen * w->classes;
        for (size_t k = 0; k < got * w->classes; k++) {
            const double d = (double) p.view[0].value[0][k] - (double) y[k];
            *error += d * d;
        }
        seen += got;
    }
    *error /= seen ? (double) seen : 1;
    rci_probe_close(&p);
    rci_graph_free(g);
    return st;
}

rc_status rci_blocks_measure(const struct rci_blocks *b, const struct rc_graph *g,
                             const struct rci_observation *o, const bool *wanted, double *error)
{
    struct worth w = {.b = b, .g = g, .o = o, .classes = 1};
    const uint64_t all = rci_dataset_images(o->data);
    const size_t images = (size_t) (o->images < all ? o->images : all) + (size_t) o->batch;
    rc_status st = RC_OK;
    w.classes = count_of(&w, g->outputs[0]);
    w.mean = rci_alloc_array(g->ctx, b->n, sizeof(*w.mean));
    w.answers = rci_alloc_array(g->ctx, images * w.classes, sizeof(float));
    if (!w.mean || !w.answers)
        st = RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < b->n; i++) {
        w.mean[i] = rci_alloc_array(g->ctx, channels_of(&w, i), sizeof(double));
        st = w.mean[i] ? RC_OK : RC_ERR_MEMORY;
    }
    if (st == RC_OK)
        st = watch_whole(&w, wanted);
    for (uint32_t i = 0; st == RC_OK && i < b->n; i++) {
        error[i] = 0;
        if (wanted[i])
            st = measure_one(&w, i, &error[i]);
    }
    for (uint32_t i = 0; w.mean && i < b->n; i++)
        rci_release(w.mean[i]);
    rci_release(w.mean);
    rci_release(w.answers);
    return st;
}
