/* From the trainable form (weights f32 behind QuantizeLinear and DequantizeLinear) to the exported
 * one: take those pairs away, then insert constants on the grid that was trained. Activations
 * keep their nodes and scales. */
#include "base/json.h"
#include "pass/insert_qdq.h"
#include "quant/moments.h"
#include "quant/trainable.h"
#include "quant/weights.h"

#include <string.h>

struct freeze {
    struct rc_graph *g;
    struct rci_json *json; /* the metadata */
    struct rci_qdq_weight *weight;
    struct rci_quant_weight *made;
    uint32_t n;
    int64_t bits;                        /* of weights, unless `layers` says otherwise */
    const struct rci_json_value *layers; /* by name of node, or NULL */
    bool reduce, pairs, float_bias;
};

/* The f32 constant behind a Q-DQ pair at operand 1; NULL when there is none. */
static const struct rci_node *weight_pair(const struct rc_graph *g, const struct rci_node *n)
{
    if (rci_node_quant(n) != RC_QUANT_WEIGHTED || n->n_in < 2)
        return NULL;
    const struct rci_node *real = rci_graph_quant_producer(g, n->in[1], RC_QUANT_TO_REAL);
    const struct rci_node *pair =
        real ? rci_graph_quant_producer(g, real->in[0], RC_QUANT_TO_INTEGER) : NULL;
    const struct rci_tensor *w = pair ? rci_const_in(g, pair, 0) : NULL;
    return w && w->dtype == RC_F32 && rci_const_in(g, pair, 1) ? pair : NULL;
}

static bool known(const struct freeze *f, rci_id value)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->weight[i].value == value)
            return true;
    return false;
}

static rc_status find_range(const struct freeze *f, rci_id node, int32_t *low, int32_t *top)
{
    const struct rci_json_value *own =
        f->layers ? rci_json_get(f->layers, f->g->nodes[node].name) : NULL;
    int64_t bits = f->bits;
    if (own) {
        RC_TRY(rci_json_expect(own, RC_JSON_OBJECT, f->g->nodes[node].name));
        RC_TRY(rci_json_read_integer(own, "weights", 2, 8, &bits));
    }
    rci_quant_weight_range(bits - (bits == 8 && f->reduce), low, top);
    return RC_OK;
}

static rc_status freeze_weight(struct freeze *f, rci_id node)
{
    struct rc_graph *g = f->g;
    const struct rci_node *pair = weight_pair(g, &g->nodes[node]);
    const rci_id value = pair->in[0];
    const struct rci_tensor *scale = rci_const_in(g, pair, 1);
    const bool one = rci_shape_count(&scale->shape) == 1;
    g->nodes[node].in[1] = value;
    if (known(f, value))
        return RC_OK;
    struct rci_quant_blocks blocks;
    const bool pairs = f->pairs && rci_quant_blocks_at(&blocks, g, node);
    struct rci_quant_weight_options o = {.axis = rci_weight_axis(g, &g->nodes[node]),
                                         .per_tensor = one,
                                         .keep = scale->data,
                                         .pairs = pairs ? &blocks : NULL};
    RC_TRY(find_range(f, node, &o.low, &o.top));
    struct rci_quant_weight *made = &f->made[f->n];
    const rc_status st = rci_quant_weight_make(made, g->ctx, &g->values[value].tensor, &o);
    if (st != RC_OK)
        return rci_fail_prefix(st, "weight \"%s\"", g->values[value].name);
    f->weight[f->n++] = (struct rci_qdq_weight){.value = value,
                                                .q = made->q.data,
                                                .scale = made->scale,
                                                .n_scale = made->n_scale,
                                                .axis = o.axis};
    return RC_OK;
}

static rc_status freeze_run(struct freeze *f)
{
    struct rc_graph *g = f->g;
    f->weight = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*f->weight));
    f->made = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*f->made));
    if (!f->weight || !f->made)
        return RC_ERR_MEMORY;
    const uint32_t n_nodes = g->n_nodes;
    for (rci_id i = 0; i < n_nodes; i++)
        if (weight_pair(g, &g->nodes[i]))
            RC_TRY(freeze_weight(f, i));
    if (f->n == 0)
        return rci_fail(RC_ERR_MODEL, "no weight is trainable behind QuantizeLinear: the graph was "
                                      "not made with RC_QUANTIZE_QAT or qat");
    RC_TRY(rci_graph_sweep(g, NULL));
    const struct rci_qdq_table table = {
        .weight = f->weight, .n_weights = f->n, .float_bias = f->float_bias};
    return rci_insert_qdq(g, &table);
}

/* Which integers weights may become, from the metadata that rc_quantizer_apply() wrote; they are
 * rewritten for the exported form. */
static rc_status read_range(struct freeze *f)
{
    const char *meta = rci_graph_get_metadata(f->g, "rescomp.quantization");
    f->bits = 8;
    if (!meta)
        return RC_OK;
    RC_TRY(
        rci_json_parse(&f->json, f->g->ctx, meta, strlen(meta), "metadata rescomp.quantization"));
    const struct rci_json_value *root = rci_json_root(f->json);
    RC_TRY(rci_json_read_integer(root, "weight_bits", 2, 8, &f->bits));
    RC_TRY(rci_json_read_bool(root, "reduce_range", &f->reduce));
    RC_TRY(rci_json_read_bool(root, "safe_pairs", &f->pairs));
    RC_TRY(rci_json_read_bool(root, "float_bias", &f->float_bias));
    f->layers = rci_json_get(root, "layers");
    return f->layers ? rci_json_expect(f->layers, RC_JSON_OBJECT, "layers") : RC_OK;
}

static rc_status clear_trainable(struct rc_graph *g)
{
    const char *meta = rci_graph_get_metadata(g, "rescomp.quantization");
    const char *at = meta ? strstr(meta, "\"trainable\":true") : NULL;
    if (!at)
        return RC_OK;
    char *text = rci_format(g->ctx, "%.*s\"trainable\":false%s", (int) (at - meta), meta,
                            at + strlen("\"trainable\":true"));
    const rc_status st =
        text ? rci_graph_set_metadata(g, "rescomp.quantization", text) : RC_ERR_MEMORY;
    rci_release(text);
    return st;
}

rc_status rci_quantizer_finish(struct rc_graph **out, const struct rc_graph *trained)
{
    struct freeze f = {0};
    *out = NULL;
    RC_TRY(rci_graph_clone(&f.g, trained));
    rc_status st = read_range(&f);
    if (st == RC_OK)
        st = rci_graph_is_simulated(f.g) ? rci_quantizer_harden(f.g, f.pairs, f.float_bias)
                                         : freeze_run(&f);
    if (st == RC_OK)
        st = clear_trainable(f.g);
    for (uint32_t i = 0; f.made && i < f.n; i++)
        rci_quant_weight_free(&f.made[i]);
    rci_json_free(&f.json);
    rci_release(f.made);
    rci_release(f.weight);
    if (st == RC_OK)
        *out = f.g;
    else
        rci_graph_free(f.g);
    return st;
}
