/* Calibration tables: from the quantizer to the plain arrays that formats see (quant/format.h), and
 * back. A table that is refused changes nothing. */
#include "op/layers.h"
#include "pass/insert_qdq.h"
#include "quant/format.h"
#include "quant/moments.h"
#include "quant/reconstruct.h"

#include <math.h>
#include <string.h>

struct table {
    struct rci_table t;
    rci_id *node;  /* [n_layers] */
    float *memory; /* amax and scales of all layers */
};

static rci_id class_of(const struct rc_quantizer *q, rci_id v)
{
    while (q->plan.value[v].root != v)
        v = q->plan.value[v].root;
    return v;
}

/* The first observed value with the scale of `v`. */
static uint32_t entry_of(const struct rc_quantizer *q, rci_id v)
{
    if (q->plan.value[v].quantized)
        for (uint32_t i = 0; i < q->n_entries; i++)
            if (class_of(q, q->entry[i]) == class_of(q, v))
                return i;
    return RC_TABLE_NONE;
}

/* What a layer gives, behind the activations that engines fuse with it. */
static uint32_t result_of(const struct rc_quantizer *q, rci_id v)
{
    const struct rc_graph *g = q->g;
    while (!q->plan.value[v].quantized) {
        const rci_id next = rci_graph_single_reader(g, v);
        if (next == RC_NONE || rci_node_quant(&g->nodes[next]) != RC_QUANT_BOUND)
            return RC_TABLE_NONE;
        v = g->nodes[next].out[0];
    }
    return entry_of(q, v);
}

static void find_amax(float *amax, const struct rci_tensor *w, uint32_t axis)
{
    const float *x = w->data;
    int64_t inner = 1;
    for (uint32_t k = axis + 1; k < w->shape.rank; k++)
        inner *= w->shape.dim[k];
    for (int64_t i = 0, n = rci_shape_count(&w->shape); i < n; i++) {
        float *a = &amax[(i / inner) % w->shape.dim[axis]];
        *a = fmaxf(*a, fabsf(x[i]));
    }
}

static void layer_fill(struct rci_table_layer *l, const struct rc_quantizer *q, rci_id node)
{
    const struct rc_graph *g = q->g;
    const struct rci_node *n = &g->nodes[node];
    const struct rci_tensor *w = rci_const_in(g, n, 1);
    struct rci_weighted product;
    n->op->as_weighted(g, n, &product);
    l->name = n->name;
    l->bits = q->plan.layer[node].weight_bits;
    l->x = g->values[n->in[0]].name;
    l->weight = g->values[n->in[1]].name;
    l->y = g->values[n->out[0]].name;
    l->value = entry_of(q, n->in[0]);
    l->result = result_of(q, n->out[0]);
    l->out = w->shape.dim[product.axis];
    l->in = w->shape.dim[product.axis ? 0 : 1];
    l->window = product.window != NULL;
    for (uint32_t k = 0; k < 2; k++) {
        const bool has = l->window && w->shape.rank == 4;
        l->kernel[k] = has ? w->shape.dim[2 + k] : 1;
        l->stride[k] = has ? product.window->window.stride[k] : 0;
        l->dilation[k] = has ? product.window->window.dilation[k] : 0;
        l->stride[k] += !l->stride[k];
        l->dilation[k] += !l->dilation[k];
    }
    l->depthwise = l->window && l->in == 1 && product.window->group > 1;
}

static rc_status layers_fill(struct table *m, const struct rc_quantizer *q)
{
    const struct rc_graph *g = q->g;
    struct rci_table *t = &m->t;
    rci_id *order;
    uint32_t n_order;
    size_t channels = 0, at = 0;
    RC_TRY(rci_graph_order(g, &order, &n_order));
    for (uint32_t i = 0; i < n_order; i++)
        if (rci_quant_takes(&q->plan, g, order[i])) {
            m->node[t->n_layers] = order[i];
            layer_fill(&t->layer[t->n_layers], q, order[i]);
            channels += (size_t) t->layer[t->n_layers++].out;
        }
    rci_release(order);
    m->memory = rci_alloc_array(q->ctx, 2 * channels + 1, sizeof(float));
    if (!m->memory)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const struct rci_node *n = &g->nodes[m->node[i]];
        float *amax = m->memory + at;
        find_amax(amax, rci_const_in(g, n, 1), rci_weight_axis(g, n));
        t->layer[i].amax = amax;
        t->layer[i].scale = m->memory + channels + at;
        at += (size_t) t->layer[i].out;
    }
    return RC_OK;
}

static rc_status table_make(struct table *m, const struct rc_quantizer *q)
{
    const char *calibrator = q->observer->tensorrt;
    *m = (struct table){.t = {.ctx = q->ctx,
                              .observer = q->seen ? q->observer_spec : "table",
                              .calibrator = calibrator ? calibrator : "MinMaxCalibration",
                              .images = q->seen,
                              .tensorrt = q->tensorrt,
                              .n_values = q->n_entries}};
    m->t.value = rci_alloc_array(q->ctx, q->n_entries, sizeof(*m->t.value));
    m->t.layer = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*m->t.layer));
    m->node = rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*m->node));
    if (!m->t.value || !m->t.layer || !m->node)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < q->n_entries; i++) {
        const struct rci_quant_value *v = &q->plan.value[q->entry[i]];
        m->t.value[i] =
            (struct rci_table_value){.name = q->g->values[q->entry[i]].name,
                                     .low = v->low,
                                     .high = v->high,
                                     .amax = v->amax,
                                     .scale = v->scale,
                                     .bits = v->bits,
                                     .is_signed = v->type == RC_S8,
                                     .is_input = q->g->values[q->entry[i]].flags & RC_VALUE_INPUT};
    }
    return layers_fill(m, q);
}

static void table_free(struct table *m)
{
    rci_release(m->t.value);
    rci_release(m->t.layer);
    rci_release(m->node);
    rci_release(m->memory);
}

/* Scales of weights as the quantized graph has them: rounding may have made them larger. */
static rc_status take_scales(struct table *m, const struct rc_quantizer *q)
{
    struct rc_graph *g;
    RC_TRY(rci_quantizer_apply(&g, q));
    for (uint32_t i = 0; i < m->t.n_layers; i++) {
        struct rci_table_layer *l = &m->t.layer[i];
        const struct rci_node *n = &g->nodes[m->node[i]];
        const struct rci_node *real = rci_graph_quant_producer(g, n->in[1], RC_QUANT_TO_REAL);
        const struct rci_tensor *s = real ? rci_const_in(g, real, 1) : NULL;
        if (!s)
            continue;
        l->n_scale = rci_shape_count(&s->shape);
        memcpy(l->scale, s->data, (size_t) l->n_scale * sizeof(float));
    }
    rci_graph_free(g);
    return RC_OK;
}

static rc_status find_format(const struct rci_table_format **f, void **params, struct rc_context *c,
                             const char *spec)
{
    const struct rci_method *m;
    RC_TRY(rci_method_find(&m, &rci_kind_table_format, spec));
    *f = (const struct rci_table_format *) m;
    return rci_method_params(params, c, m, spec);
}

rc_status rci_quantizer_save_table(const struct rc_quantizer *q, const char *path,
                                   const char *format)
{
    const struct rci_table_format *f;
    struct table m = {0};
    struct rci_buffer b = {.ctx = q->ctx};
    void *params = NULL;
    RC_TRY(find_format(&f, &params, q->ctx, format));
    rc_status st = q->ready
                       ? table_make(&m, q)
                       : rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    if (st == RC_OK && f->scales)
        st = take_scales(&m, q);
    if (st == RC_OK)
        st = f->write(params, &m.t, &b);
    if (st == RC_OK)
        st = rci_file_write(q->ctx, path, b.data, b.size);
    rci_buffer_free(&b);
    table_free(&m);
    rci_release(params);
    return st;
}

/* --- reading --- */

/* Values that share a scale are known by one of them. */
static void spread_classes(struct rci_table *t, const struct rc_quantizer *q)
{
    for (uint32_t i = 0; i < t->n_values; i++)
        for (uint32_t k = 0; t->value[i].amax < 0 && k < t->n_values; k++)
            if (t->value[k].amax >= 0 && class_of(q, q->entry[i]) == class_of(q, q->entry[k]))
                t->value[i].amax = t->value[k].amax;
}

static rc_status check_complete(const struct rci_table *t, bool partial)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < t->n_values; i++) {
        if (t->value[i].amax < 0 && !partial)
            return rci_fail(RC_ERR_MODEL, "value \"%s\" is missing", t->value[i].name);
        known += t->value[i].amax >= 0;
    }
    return known ? RC_OK
                 : rci_fail(RC_ERR_MODEL,
                            "names none of the %u values that this graph quantizes, such as \"%s\"",
                            (unsigned) t->n_values, t->value[0].name);
}

/* Copies of the scales that the table gives, by node; NULL when it gives none. */
static rc_status keep_scales(struct rci_quant_kept **out, const struct rc_quantizer *q,
                             const struct table *m)
{
    bool any = false;
    for (uint32_t i = 0; i < m->t.n_layers; i++)
        any |= m->t.layer[i].n_scale > 0;
    struct rci_quant_kept *kept =
        any ? rci_alloc_array(q->ctx, q->g->n_nodes, sizeof(*kept)) : NULL;
    *out = kept;
    if (any && !kept)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < m->t.n_layers; i++) {
        const struct rci_table_layer *l = &m->t.layer[i];
        if (!l->n_scale)
            continue;
        struct rci_quant_kept *k = &kept[m->node[i]];
        k->scale = rci_alloc_array(m->t.ctx, (size_t) l->n_scale, sizeof(float));
        if (!k->scale)
            return RC_ERR_MEMORY;
        memcpy(k->scale, l->scale, (size_t) l->n_scale * sizeof(float));
        k->n = l->n_scale;
    }
    return RC_OK;
}

static rc_status table_take(struct rc_quantizer *q, const struct table *m)
{
    struct rci_quant_kept *kept;
    const rc_status st = keep_scales(&kept, q, m);
    if (st != RC_OK) {
        rci_quant_kept_free(kept, q->g->n_nodes);
        return st;
    }
    rci_quant_kept_free(q->kept, q->g->n_nodes);
    q->kept = kept;
    for (uint32_t v = 0; v < q->plan.n; v++)
        q->plan.value[v].absent = false;
    for (uint32_t i = 0; i < q->n_entries; i++) {
        const struct rci_table_value *from = &m->t.value[i];
        struct rci_quant_value *v = &q->plan.value[q->entry[i]];
        v->amax = fmax(from->amax, 0);
        v->low = from->low;
        v->high = from->high;
        for (uint32_t k = 0; from->amax < 0 && k < q->plan.n; k++)
            if (class_of(q, k) == class_of(q, q->entry[i]))
                q->plan.value[k].absent = true;
    }
    rci_quantizer_forget_biases(q);
    rci_quantizer_forget_moments(q);
    rci_quantizer_forget_rounded(q);
    rci_quantizer_settle(q);
    q->seen = 0;
    return RC_OK;
}

static rc_status table_read(struct rc_quantizer *q, const struct rci_table_format *f,
                            const void *params, const struct rci_bytes *file)
{
    struct table m;
    rc_status st = table_make(&m, q);
    for (uint32_t i = 0; st == RC_OK && i < q->n_entries; i++) {
        m.t.value[i].amax = -1;
        m.t.value[i].low = INFINITY; /* not known */
        m.t.value[i].high = -INFINITY;
    }
    if (st == RC_OK)
        st = f->read(params, &m.t, (const char *) file->data, file->size);
    if (st == RC_OK) {
        spread_classes(&m.t, q);
        st = check_complete(&m.t, f->partial);
    }
    if (st == RC_OK)
        st = table_take(q, &m);
    table_free(&m);
    return st;
}

rc_status rci_quantizer_load_table(struct rc_quantizer *q, const char *path, const char *format)
{
    const struct rci_table_format *f;
    struct rci_bytes file = {0};
    void *params = NULL;
    RC_TRY(find_format(&f, &params, q->ctx, format));
    rc_status st = rci_file_read(q->ctx, path, UINT64_C(64) << 20, &file);
    if (st == RC_OK) {
        st = table_read(q, f, params, &file);
        if (st != RC_OK && st != RC_ERR_MEMORY)
            st = rci_fail_prefix(st, "%s", path);
    }
    rci_release(params);
    rci_release(file.data);
    return st;
}
