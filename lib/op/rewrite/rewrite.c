/* The walk over the nodes, and what rules make nodes with. */
#include "graph/names.h"
#include "op/rewrite/rules.h"

#include <stdio.h>
#include <string.h>

enum {
    RULE_DEPTH = 4,      /* a quantized convolution of lines is three rules deep */
    RULE_BYTES = 8 << 20 /* of the arena, and as much again as the message has: a few bytes in a
                            file may ask for many nodes */
};

static const struct rci_rule *const rule_lists[] = {rci_rules_joins, rci_rules_fused,
                                                    rci_rules_quantized, rci_rules_lines};
enum { RULE_LISTS = sizeof(rule_lists) / sizeof(rule_lists[0]) };

static const char *domain_of(const char *d)
{
    return d && strcmp(d, "ai.onnx") ? d : "";
}

/* The rule behind `after` (NULL: the first) that takes this operator. */
static const struct rci_rule *rule_next(const struct rci_rule *after, const char *domain,
                                        const char *name)
{
    bool on = !after;
    for (int k = 0; k < RULE_LISTS; k++)
        for (const struct rci_rule *r = rule_lists[k]; r->name; r++) {
            if (on && !strcmp(r->name, name) && !strcmp(r->domain, domain_of(domain)))
                return r;
            on |= r == after;
        }
    return NULL;
}

bool rci_rewrite_has(const char *domain, const char *name)
{
    return rule_next(NULL, domain, name) != NULL;
}

const char *rci_rewrite_at(uint32_t i, const char **domain, const char **as)
{
    for (int k = 0; k < RULE_LISTS; k++)
        for (const struct rci_rule *r = rule_lists[k]; r->name; r++)
            if (i-- == 0) {
                *domain = r->domain;
                *as = r->as;
                return r->name;
            }
    return NULL;
}

static rc_status list_add(struct rci_arena *a, Onnx__NodeProto ***list, size_t *n, size_t *room,
                          Onnx__NodeProto *node)
{
    if (*n == *room) {
        const size_t more = *room ? *room * 2 : 8;
        Onnx__NodeProto **grown = rci_arena_array(a, more, sizeof(*grown));
        if (!grown)
            return a->status;
        if (*n)
            memcpy(grown, *list, *n * sizeof(*grown));
        *list = grown;
        *room = more;
    }
    (*list)[(*n)++] = node;
    return RC_OK;
}

static rc_status node_rewrite(struct rci_rewrite *r, Onnx__NodeProto *n, int depth)
{
    const char *name = rci_onnx_text(n->op_type);
    struct rci_rule_call c = {.declined = true};
    for (const struct rci_rule *rule = NULL;
         c.declined && depth < RULE_DEPTH && (rule = rule_next(rule, n->domain, name));) {
        c = (struct rci_rule_call){.r = r, .from = n};
        RC_TRY(rule->run(&c));
        RC_TRY(r->arena->status);
    }
    if (c.declined)
        return list_add(r->arena, &r->node, &r->n, &r->room, n);
    for (size_t i = 0; i < c.n_made; i++)
        RC_TRY(node_rewrite(r, c.made[i], depth + 1));
    return RC_OK;
}

rc_status rci_rewrite_nodes(struct rci_rewrite *r)
{
    Onnx__NodeProto **from = r->node;
    const size_t n = r->n;
    size_t ruled = 0;
    for (size_t i = 0; i < n; i++)
        ruled += rci_rewrite_has(from[i]->domain, rci_onnx_text(from[i]->op_type));
    if (!ruled)
        return RC_OK;
    if (r->arena->cap)
        r->arena->cap += RULE_BYTES + r->arena->total;
    r->n = 0;
    r->room = n + ruled * 4;
    if (!(r->node = rci_arena_array(r->arena, r->room, sizeof(*r->node))))
        return r->arena->status;
    for (size_t i = 0; i < n; i++)
        RC_TRY(node_rewrite(r, from[i], 0));
    return RC_OK;
}

/* --- the node --- */

const char *rci_rule_in(const struct rci_rule_call *c, size_t k)
{
    return k < c->from->n_input && *c->from->input[k] ? c->from->input[k] : NULL;
}

const char *rci_rule_out(const struct rci_rule_call *c, size_t k)
{
    return k < c->from->n_output && *c->from->output[k] ? c->from->output[k] : NULL;
}

const Onnx__AttributeProto *rci_rule_attr(const struct rci_rule_call *c, const char *name)
{
    for (size_t i = 0; i < c->from->n_attribute; i++)
        if (!strcmp(rci_onnx_text(c->from->attribute[i]->name), name))
            return c->from->attribute[i];
    return NULL;
}

int64_t rci_rule_int(const struct rci_rule_call *c, const char *name, int64_t def)
{
    const Onnx__AttributeProto *a = rci_rule_attr(c, name);
    return a && a->has_i ? a->i : def;
}

float rci_rule_float(const struct rci_rule_call *c, const char *name, float def)
{
    const Onnx__AttributeProto *a = rci_rule_attr(c, name);
    return a && a->has_f ? a->f : def;
}

/* Strings of a message are not terminated; a long one is none that a rule knows. */
const char *rci_rule_text(const struct rci_rule_call *c, const char *name)
{
    const Onnx__AttributeProto *a = rci_rule_attr(c, name);
    if (!a || !a->has_s)
        return "";
    char *copy = rci_arena_array(c->r->arena, a->s.len + 1, 1);
    if (!copy)
        return "";
    if (a->s.len)
        memcpy(copy, a->s.data, a->s.len);
    return copy;
}

const struct rci_tensor *rci_rule_const(const struct rci_rule_call *c, const char *name)
{
    const rci_id id = name ? rci_graph_find_value(c->r->g, name) : RC_NONE;
    return id != RC_NONE && rci_value_is_const(&c->r->g->values[id]) ? &c->r->g->values[id].tensor
                                                                     : NULL;
}

int64_t rci_rule_opset(const struct rci_rule_call *c)
{
    return c->r->g->opset;
}

const char *rci_rule_label(const struct rci_rule_call *c)
{
    const char *name = rci_onnx_text(c->from->name);
    return *name ? name : c->from->n_output ? c->from->output[0] : "";
}

rc_status rci_rule_need(const struct rci_rule_call *c, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!rci_rule_in(c, k))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": operand %zu of %s is missing",
                            rci_rule_label(c), k, c->from->op_type);
    if (!rci_rule_out(c, 0))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %s has no result", rci_rule_label(c),
                        c->from->op_type);
    return RC_OK;
}

/* --- integers --- */

/* Where the name is, or where it would be. */
static struct rci_quantized *quantized_place(const struct rci_rewrite *r, const char *name)
{
    size_t at = rci_names_hash(name) & (r->room_quantized - 1);
    while (r->quantized[at].name && strcmp(r->quantized[at].name, name))
        at = (at + 1) & (r->room_quantized - 1);
    return &r->quantized[at];
}

static rc_status quantized_grow(struct rci_rewrite *r)
{
    struct rci_quantized *old = r->quantized;
    const size_t n = r->room_quantized;
    r->room_quantized = n ? n * 2 : 64;
    r->quantized = rci_arena_array(r->arena, r->room_quantized, sizeof(*old));
    if (!r->quantized)
        return r->arena->status;
    for (size_t i = 0; i < n; i++)
        if (old[i].name)
            *quantized_place(r, old[i].name) = old[i];
    return RC_OK;
}

rc_status rci_rule_set_quantized(struct rci_rule_call *c, struct rci_quantized q)
{
    struct rci_rewrite *r = c->r;
    if (!q.name)
        return RC_OK;
    if (2 * r->n_quantized >= r->room_quantized)
        RC_TRY(quantized_grow(r));
    struct rci_quantized *place = quantized_place(r, q.name);
    r->n_quantized += !place->name;
    *place = q;
    return RC_OK;
}

const struct rci_quantized *rci_rule_quantized(const struct rci_rule_call *c, const char *name)
{
    const struct rci_quantized *q = name && c->r->n_quantized ? quantized_place(c->r, name) : NULL;
    return q && q->name ? q : NULL;
}

/* --- making nodes --- */

char *rci_rule_name(struct rci_rule_call *c)
{
    const char *out = rci_rule_out(c, 0);
    const size_t room = strlen(out ? out : "") + 24;
    char *name = rci_arena_alloc(c->r->arena, room);
    if (name)
        snprintf(name, room, "%s/%u", out ? out : "", ++c->fresh);
    return name;
}

static Onnx__NodeProto *node_new(struct rci_rule_call *c, const char *op, const char *out,
                                 size_t n_in)
{
    struct rci_arena *a = c->r->arena;
    Onnx__NodeProto *n = rci_arena_alloc(a, sizeof(*n));
    char **outs = rci_arena_array(a, 1, sizeof(*outs)),
         **ins = rci_arena_array(a, n_in + 1, sizeof(*ins));
    if (!n || !outs || !ins || !out)
        return NULL;
    onnx__node_proto__init(n);
    n->op_type = (char *) op;
    n->name = (char *) out;
    n->input = ins;
    n->output = outs;
    n->n_output = 1;
    outs[0] = (char *) out;
    return list_add(a, &c->made, &c->n_made, &c->room, n) == RC_OK ? n : NULL;
}

struct rci_made rci_rule_make(struct rci_rule_call *c, const char *op, const char *out,
                              const char *const *in, size_t n_in)
{
    const char *result = out ? out : rci_rule_name(c);
    Onnx__NodeProto *n = node_new(c, op, result, n_in);
    if (!n)
        return (struct rci_made){NULL, ""};
    for (size_t k = 0; k < n_in; k++)
        n->input[k] = (char *) (in[k] ? in[k] : "");
    while (n_in && !*n->input[n_in - 1])
        n_in--;
    n->n_input = n_in;
    /* the node that gives the result keeps the name */
    if (result == rci_rule_out(c, 0) && *rci_onnx_text(c->from->name))
        n->name = c->from->name;
    return (struct rci_made){n, result};
}

static Onnx__AttributeProto *attr_new(struct rci_rule_call *c, struct rci_made m, const char *name,
                                      int32_t type)
{
    struct rci_arena *a = c->r->arena;
    if (!m.node)
        return NULL;
    Onnx__AttributeProto *p = rci_arena_alloc(a, sizeof(*p));
    Onnx__AttributeProto **list = rci_arena_array(a, m.node->n_attribute + 1, sizeof(*list));
    if (!p || !list)
        return NULL;
    onnx__attribute_proto__init(p);
    p->name = (char *) name;
    p->has_type = 1;
    p->type = type;
    if (m.node->n_attribute)
        memcpy(list, m.node->attribute, m.node->n_attribute * sizeof(*list));
    list[m.node->n_attribute++] = p;
    m.node->attribute = list;
    return p;
}

void rci_made_int(struct rci_rule_call *c, struct rci_made m, const char *name, int64_t v)
{
    Onnx__AttributeProto *p = attr_new(c, m, name, ONNX_ATTR_INT);
    if (p) {
        p->has_i = 1;
        p->i = v;
    }
}

void rci_made_float(struct rci_rule_call *c, struct rci_made m, const char *name, float v)
{
    Onnx__AttributeProto *p = attr_new(c, m, name, ONNX_ATTR_FLOAT);
    if (p) {
        p->has_f = 1;
        p->f = v;
    }
}

void rci_made_ints(struct rci_rule_call *c, struct rci_made m, const char *name, const int64_t *v,
                   size_t n)
{
    int64_t *copy = rci_arena_array(c->r->arena, n, sizeof(*copy));
    Onnx__AttributeProto *p = copy ? attr_new(c, m, name, ONNX_ATTR_INTS) : NULL;
    if (p) {
        memcpy(copy, v, n * sizeof(*copy));
        p->ints = copy;
        p->n_ints = n;
    }
}

static bool listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

void rci_made_copy(struct rci_rule_call *c, struct rci_made m, const char *const *but)
{
    const Onnx__NodeProto *from = c->from;
    if (!m.node)
        return;
    Onnx__AttributeProto **list =
        rci_arena_array(c->r->arena, m.node->n_attribute + from->n_attribute, sizeof(*list));
    if (!list)
        return;
    if (*rci_onnx_text(from->name))
        m.node->name = from->name;
    if (m.node->n_attribute)
        memcpy(list, m.node->attribute, m.node->n_attribute * sizeof(*list));
    for (size_t i = 0; i < from->n_attribute; i++)
        if (!listed(but, rci_onnx_text(from->attribute[i]->name)))
            list[m.node->n_attribute++] = from->attribute[i];
    m.node->attribute = list;
}

/* Constant with a tensor; `copies`: how often the `bytes` of data stand in it. rank 0: a scalar. */
static const char *constant(struct rci_rule_call *c, int32_t type, size_t rank, const void *data,
                            size_t bytes, size_t copies)
{
    struct rci_arena *a = c->r->arena;
    struct rci_made m = rci_rule_make(c, "Constant", NULL, NULL, 0);
    Onnx__AttributeProto *p = attr_new(c, m, "value", ONNX_ATTR_TENSOR);
    Onnx__TensorProto *t = rci_arena_alloc(a, sizeof(*t));
    int64_t *dims = rci_arena_array(a, 1, sizeof(*dims));
    if (a->cap)
        a->cap += copies * bytes; /* as many as a tensor that is there has */
    uint8_t *raw = rci_arena_array(a, copies, bytes);
    if (!p || !t || !dims || !raw)
        return "";
    onnx__tensor_proto__init(t);
    for (size_t k = 0; k < copies; k++)
        memcpy(raw + k * bytes, data, bytes);
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = dims;
    dims[0] = (int64_t) (bytes * copies / (type == ONNX_FLOAT ? sizeof(float) : sizeof(int64_t)));
    t->has_raw_data = 1;
    t->raw_data.data = raw;
    t->raw_data.len = bytes * copies;
    p->t = t;
    return m.out;
}

const char *rci_rule_scalar(struct rci_rule_call *c, float v)
{
    return constant(c, ONNX_FLOAT, 0, &v, sizeof(v), 1);
}

const char *rci_rule_floats(struct rci_rule_call *c, float v, int64_t count)
{
    return constant(c, ONNX_FLOAT, 1, &v, sizeof(v), (size_t) count);
}

const char *rci_rule_int64s(struct rci_rule_call *c, const int64_t *v, size_t n)
{
    return constant(c, ONNX_INT64, 1, v, n * sizeof(*v), 1);
}

const char *rci_rule_axis(struct rci_rule_call *c, const char *op, const char *out, const char *x,
                          int64_t axis)
{
    if (rci_rule_opset(c) >= 13)
        return RC_MAKE(c, op, out, x, rci_rule_int64s(c, &axis, 1)).out;
    const struct rci_made m = RC_MAKE(c, op, out, x);
    rci_made_ints(c, m, "axes", &axis, 1);
    return m.out;
}
