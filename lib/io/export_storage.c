/* How reals are stored. A file whose reals were all of one type (float16 throughout) is written so
 * again and computes in that type. Otherwise nodes compute in f32, and what is stored as another
 * type has a Cast of its own: behind inputs and constants, before outputs. */
#include "io/export.h"

#include <stdio.h>
#include <string.h>

/* Integer networks have f32 scales in every opset. */
static bool has_integers(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const enum rci_quant_role role = rci_node_quant(&g->nodes[i]);
        if (role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL)
            return true;
    }
    return false;
}

/* A constant that is asked for in another type: not scales, which are few and must be exact. */
static bool *mark_weights(const struct export *e)
{
    const struct rc_graph *g = e->g;
    bool *weight = rci_arena_array(e->arena, g->n_values + 1u, sizeof(*weight));
    for (rci_id v = 0; weight && v < g->n_values; v++)
        weight[v] = g->values[v].tensor.shape.rank > 0;
    for (rci_id i = 0; weight && i < g->n_nodes; i++) {
        const enum rci_quant_role role = rci_node_quant(&g->nodes[i]);
        for (uint32_t k = 1; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != RC_NONE &&
                (role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL))
                weight[g->nodes[i].in[k]] = false;
    }
    return weight;
}

/* Values that callers see, whose type the file fixes. */
static bool is_interface(const struct rci_value *v)
{
    return v->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT);
}

char *rci_export_fresh_name(struct export *e, const char *hint, const char *suffix)
{
    const size_t room = strlen(hint) + strlen(suffix) + 12;
    char *name = rci_arena_alloc(e->arena, room);
    if (name)
        snprintf(name, room, "%s%s", hint, suffix);
    for (unsigned i = 1; name && rci_graph_find_value(e->g, name) != RC_NONE; i++)
        snprintf(name, room, "%s%s_%u", hint, suffix, i);
    return name;
}

enum rci_dtype rci_export_type(const struct export *e, rci_id v, enum rci_dtype computed)
{
    const struct rci_value *x = &e->g->values[v];
    if (computed != RC_F32)
        return e->narrow[v] ? e->narrow[v] : computed;
    if (e->storage)
        return e->storage;
    if (rci_value_is_const(x) && e->form.storage)
        return e->inner[v] ? e->form.storage : RC_F32;
    return e->inner[v] ? x->storage : RC_F32;
}

/* Constants keep their name behind the Cast, which folds when the file is read: so they have it
 * again. Inputs and outputs keep theirs outside. */
static bool storage_names(struct export *e, rci_id v, bool constant)
{
    char *own = e->g->values[v].name;
    char *other = rci_export_fresh_name(e, own, constant ? "_stored" : "_f32");
    e->inner[v] = constant ? own : other;
    if (constant)
        e->outer[v] = other;
    return other != NULL;
}

rc_status rci_export_storage(struct export *e)
{
    const struct rc_graph *g = e->g;
    const enum rci_dtype asked = e->form.storage;
    const bool *weight = mark_weights(e);
    e->inner = rci_arena_array(e->arena, g->n_values + 1u, sizeof(*e->inner));
    e->outer = rci_arena_array(e->arena, g->n_values + 1u, sizeof(*e->outer));
    if (!e->inner || !e->outer || !weight)
        return e->arena->status;
    e->storage = !has_integers(g) && (!asked || asked == g->storage) ? g->storage : 0;
    for (rci_id v = 0; v < g->n_values && !e->storage; v++) {
        const struct rci_value *x = &g->values[v];
        const bool constant = rci_value_is_const(x);
        if (x->flags & RC_VALUE_DEAD || x->tensor.dtype != RC_F32 || !(constant || is_interface(x)))
            continue;
        enum rci_dtype type = x->storage;
        if (constant && asked)
            type = asked != RC_F32 && weight[v] ? asked : 0;
        else if (asked == RC_F32)
            type = 0;
        if (type && !storage_names(e, v, constant))
            return e->arena->status;
    }
    return RC_OK;
}

bool rci_export_is_cast(const struct export *e, rci_id node)
{
    const struct rc_graph *g = e->g;
    const struct rci_node *n = &g->nodes[node];
    return n->op->flags & (RC_OP_KEEPS | RC_OP_VIEW) && n->n_out == 1 && n->n_in &&
           n->in[0] != RC_NONE && rci_value_is_const(&g->values[n->in[0]]) && e->inner[n->out[0]] &&
           rci_shape_equal(&g->values[n->in[0]].tensor.shape, &g->values[n->out[0]].tensor.shape) &&
           rci_graph_count_readers(g, n->out[0]) == 1;
}

uint32_t rci_export_count_casts(const struct export *e)
{
    uint32_t n = 0;
    for (rci_id v = 0; v < e->g->n_values; v++)
        n += e->inner[v] != NULL;
    return n;
}

static rc_status cast_node(struct export *e, rci_id v, bool output, Onnx__NodeProto **out)
{
    const struct rci_op *op = rci_op_find(NULL, "Cast");
    Onnx__NodeProto *n = rci_arena_alloc(e->arena, sizeof(*n));
    char **names = rci_arena_array(e->arena, 2, sizeof(*names));
    struct rci_attr_write w = {.arena = e->arena, .name = e->g->values[v].name};
    if (!n || !names)
        return e->arena->status;
    const enum rci_dtype to = output ? rci_export_type(e, v, RC_F32) : RC_F32;
    RC_TRY(rci_put_int(&w, "to", rci_onnx_dtype_number(to)));
    onnx__node_proto__init(n);
    n->op_type = (char *) op->name;
    n->name = rci_export_fresh_name(e, e->g->values[v].name, "_cast");
    n->attribute = rci_arena_array(e->arena, 1, sizeof(*n->attribute));
    if (!n->name || !n->attribute)
        return e->arena->status;
    n->attribute[0] = w.attr[0];
    n->n_attribute = n->n_input = n->n_output = 1;
    names[output] = e->outer[v] ? e->outer[v] : e->g->values[v].name;
    names[!output] = e->inner[v];
    const rci_id p = output ? e->g->values[v].producer : RC_NONE;
    if (p != RC_NONE && rci_export_is_cast(e, p))
        names[0] = rci_export_name(e, e->g->nodes[p].in[0]);
    n->input = &names[0];
    n->output = &names[1];
    *out = n;
    return RC_OK;
}

/* Those of inputs before those of constants, which fold when the file is read and come last then.
 */
rc_status rci_export_casts(struct export *e, Onnx__GraphProto *to, bool outputs)
{
    for (int constants = 0; constants < 2; constants++)
        for (rci_id v = 0; v < e->g->n_values; v++) {
            const struct rci_value *x = &e->g->values[v];
            const bool constant = rci_value_is_const(x);
            const bool before = constant || x->flags & RC_VALUE_INPUT;
            if (e->inner[v] && before != outputs && constant == constants)
                RC_TRY(cast_node(e, v, outputs, &to->node[to->n_node++]));
        }
    return RC_OK;
}
