#ifndef RC_LIB_GRAPH_GRAPH_H
#define RC_LIB_GRAPH_GRAPH_H
/* The model: values and nodes named by dense ids, never by pointers kept across edits. Removed
 * entries stay as dead slots until rci_graph_compact(). */
#include "graph/op.h"

enum { /* rci_value.flags */
       RC_VALUE_DEAD = 1,
       RC_VALUE_INPUT = 2,
       RC_VALUE_OUTPUT = 4,
       RC_VALUE_FROZEN = 8 /* a constant that training must leave alone */
};

struct rci_value {
    char *name;               /* unique in the graph, never NULL for live values */
    struct rci_tensor tensor; /* shape at the graph's batch; .data set: a constant, owned here */
    rci_id producer;          /* node, or RC_NONE for inputs and constants */
    uint32_t producer_out;    /* which output of the producer */
    uint32_t flags;
    enum rci_dtype storage; /* f16, bf16 or f64: what files hold this f32 value as; s4, u4, s2 or
                               u2: this s8 or u8 constant; 0: its own type */
};

/* Work fused behind a node inside a session (pass fuse_post); empty in imported graphs. */
enum rci_post_kind {
    RC_POST_RELU = 1,
    RC_POST_CLIP,
    RC_POST_LEAKY,
    RC_POST_SIGMOID,
    RC_POST_HARDSIGMOID,
    RC_POST_HARDSWISH,
    RC_POST_ADD
};
struct rci_post {
    enum rci_post_kind kind;
    float alpha, beta; /* CLIP: bounds; LEAKY: slope; HARDSIGMOID: alpha*x+beta */
    uint32_t operand;  /* ADD: index into node->in of the value that is added */
};
enum { RC_MAX_POST = 4 };

struct rci_node {
    const struct rci_op *op; /* NULL: a dead slot */
    char *name;              /* unique; made up on import when the file has none */
    void *attrs;             /* op->attr_size bytes */
    rci_id *in, *out;        /* RC_NONE: absent optional operand */
    uint32_t n_in, n_out;
    uint32_t n_post;
    struct rci_post post[RC_MAX_POST];
};

struct rci_meta {
    char *key, *value;
};

/* Name -> id, open addressing. Entries of renamed or dead things stay and are skipped on lookup. */
struct rci_name_index {
    rci_id *slot;
    uint32_t capacity, used;
};

struct rc_graph {
    uint64_t magic;
    struct rc_context *ctx;
    char *name;
    struct rci_node *nodes;
    uint32_t n_nodes, cap_nodes;
    struct rci_value *values;
    uint32_t n_values, cap_values;
    rci_id *inputs;
    uint32_t n_inputs;
    rci_id *outputs;
    uint32_t n_outputs;
    struct rci_meta *meta;
    uint32_t n_meta, cap_meta;
    int64_t opset, ir_version; /* as read; written back */
    enum rci_dtype
        storage;        /* every real of the file was one: all are written so. 0: f32, or mixed */
    bool dynamic_batch; /* axis 0 of inputs and outputs is symbolic */
    char *batch_name;   /* its name in the file, such as "N"; NULL: "N" is written */
    bool checked;       /* passes compare what it computes before and after (pass/check.h) */
    int64_t batch;      /* the batch that value shapes are inferred at; 1 when dynamic */
    struct rci_name_index value_names, node_names;
};

rc_status rci_graph_new(struct rc_graph **out, struct rc_context *c);
void rci_graph_free(struct rc_graph *g); /* accepts NULL and half-built graphs */
rc_status rci_graph_clone(struct rc_graph **out, const struct rc_graph *from); /* ids are kept */
/* Constants are the same memory in both graphs: for reading, while neither changes its own.
 * rci_graph_own_const() before writing gives this graph a copy of one. */
rc_status rci_graph_clone_shared(struct rc_graph **out, const struct rc_graph *from);
rc_status rci_graph_own_const(struct rc_graph *g, rci_id value);
bool rci_graph_valid(const struct rc_graph *g); /* magic */

/* --- building and editing; new ids are appended --- */
/* name NULL: one is made up from `hint`. Duplicate names are RC_ERR_MODEL. */
rc_status rci_graph_add_value(struct rc_graph *g, rci_id *out, const char *name);
/* Copies `t` (with its data) as a constant. */
rc_status rci_graph_add_const(struct rc_graph *g, rci_id *out, const char *name,
                              const struct rci_tensor *t);
rc_status rci_graph_add_input(struct rc_graph *g, rci_id *out, const char *name, enum rci_dtype d,
                              const struct rci_shape *s);
rc_status rci_graph_set_outputs(struct rc_graph *g, const rci_id *values, uint32_t n);
/* attrs: op->attr_size bytes to copy, or NULL for zeros. Output values are created when
 * outs is NULL (n_out of them, named after the node). */
rc_status rci_graph_add_node(struct rc_graph *g, rci_id *out, const struct rci_op *op,
                             const char *name, const void *attrs, const rci_id *ins, uint32_t n_in,
                             const rci_id *outs, uint32_t n_out);
/* The node becomes another operator on other operands; name and results stay. */
rc_status rci_graph_retype_node(struct rc_graph *g, rci_id node, const struct rci_op *op,
                                const void *attrs, const rci_id *ins, uint32_t n_in);
rc_status rci_graph_append_input(struct rc_graph *g, rci_id node, rci_id value);
void rci_graph_drop_input(struct rc_graph *g, rci_id node, uint32_t index);
/* Replace a constant's tensor by `t`, taking over t->data (which must come from rci_alloc). */
void rci_graph_replace_const(struct rc_graph *g, rci_id value, struct rci_tensor *t);
/* Every reader of `from` (graph outputs too) reads `to` instead. When `from` is a graph output,
 * `to` takes over its name so that the interface keeps its names. */
rc_status rci_graph_redirect(struct rc_graph *g, rci_id from, rci_id to);
void rci_graph_kill_node(struct rc_graph *g, rci_id node); /* its outputs die too */
/* Remove node: readers of its out[0] read its in[0]. */
rc_status rci_graph_bypass(struct rc_graph *g, rci_id node);
/* Kill nodes and constants that reach no output; returns how many nodes went. */
rc_status rci_graph_sweep(struct rc_graph *g, uint32_t *n_removed);
/* Optional results that nobody reads, from the last one on: masks and statistics that exporters
 * list because training has them. */
rc_status rci_graph_drop_unread(struct rc_graph *g);
/* Vectors of reals that several operands read become one for each: equal biases and scales, which
 * exporters store once, belong to layers that have nothing to do with each other. Larger constants
 * stay shared: tied weights. */
rc_status rci_graph_split_vectors(struct rc_graph *g);
rc_status rci_graph_rename_value(struct rc_graph *g, rci_id value, const char *name);
rc_status rci_graph_set_metadata(struct rc_graph *g, const char *key,
                                 const char *value);                           /* NULL: drop */
const char *rci_graph_get_metadata(const struct rc_graph *g, const char *key); /* NULL if absent */
/* Fresh name that no value or node has: hint, hint_1, ... Allocated with rci_alloc. */
char *rci_graph_fresh_name(struct rc_graph *g, const char *hint);

/* --- questions --- */
static inline bool rci_value_is_const(const struct rci_value *v)
{
    return v->tensor.data != NULL;
}
/* Bytes in a file. */
static inline size_t rci_value_stored_bytes(const struct rci_value *v)
{
    const bool converted = v->storage && v->tensor.dtype == RC_F32;
    const uint32_t bits = rci_dtype_narrow_bits(v->storage);
    if (bits && rci_dtype_carrier(v->storage) == v->tensor.dtype)
        return ((size_t) rci_shape_count(&v->tensor.shape) * bits + 7) / 8;
    return (size_t) rci_shape_count(&v->tensor.shape) *
           rci_dtype_size(converted ? v->storage : v->tensor.dtype);
}
rci_id rci_graph_find_value(const struct rc_graph *g, const char *name);
rci_id rci_graph_find_node(const struct rc_graph *g, const char *name);
uint32_t rci_graph_count_readers(const struct rc_graph *g,
                                 rci_id value); /* node operands + outputs */
rci_id rci_graph_single_reader(const struct rc_graph *g,
                               rci_id value); /* RC_NONE unless exactly one
                                                                        node operand, no output */
/* Deterministic topological order (Kahn, by node id); array from rci_alloc, *n live nodes.
 * RC_ERR_MODEL names a node on a cycle. */
rc_status rci_graph_order(const struct rc_graph *g, rci_id **out, uint32_t *n_out);
/* All readers of all values as one CSR table: readers of v are node[start[v] .. start[v+1]). */
struct rci_readers {
    uint32_t *start;
    rci_id *node;
    uint32_t *operand;
};
rc_status rci_graph_readers(const struct rc_graph *g, struct rci_readers *out);
void rci_readers_free(struct rci_readers *r);

/* --- inference of shapes (graph/infer.c) --- */
/* Shapes of all values with axis 0 of the inputs set to `batch` (dynamic graphs; others accept only
 * their own). shapes: array of g->n_values tensors without data, to be filled. */
rc_status rci_graph_infer_at(const struct rc_graph *g, int64_t batch, struct rci_tensor *shapes);
/* The same into the values themselves at g->batch. Call after every edit. */
rc_status rci_graph_infer(struct rc_graph *g);
/* Structure: names unique, ids in range, single assignment, no cycle, operand counts, outputs
 * reachable; every op knows how to infer. */
rc_status rci_graph_verify(const struct rc_graph *g);

/* --- cost at batch 1 (graph/cost.c) --- */
struct rci_graph_cost {
    uint64_t macs, parameters, weight_bytes;
};
rc_status rci_graph_cost(const struct rc_graph *g, struct rci_graph_cost *out);
rc_status rci_node_cost(const struct rc_graph *g, rci_id node, struct rci_cost *cost,
                        uint64_t *parameters);

/* --- what operators say of themselves (slots of graph/op.h); a dead slot says nothing --- */
static inline bool rci_node_has(const struct rci_node *n, uint32_t flag)
{
    return n->op && (n->op->flags & flag);
}

static inline enum rci_quant_role rci_node_quant(const struct rci_node *n)
{
    if (!n->op)
        return RC_QUANT_KEEP_F32;
    return n->op->quant_of ? n->op->quant_of(n) : n->op->quant;
}

static inline enum rci_sign rci_node_sign(const struct rci_node *n)
{
    if (!n->op)
        return RC_SIGN_ANY;
    return n->op->sign_of ? n->op->sign_of(n) : n->op->sign;
}

/* The activation that the node is, when nothing is fused behind it yet. */
static inline bool rci_node_post(const struct rci_node *n, struct rci_post *out)
{
    return n->op && n->op->as_post && !n->n_post && n->op->as_post(n, out);
}

static inline bool rci_node_is_relu(const struct rci_node *n)
{
    struct rci_post post;
    return rci_node_post(n, &post) && post.kind == RC_POST_RELU;
}

/* The node that makes `v`, when it plays that role in quantization; else NULL. */
static inline const struct rci_node *rci_graph_quant_producer(const struct rc_graph *g, rci_id v,
                                                              enum rci_quant_role role)
{
    const rci_id p = v == RC_NONE ? RC_NONE : g->values[v].producer;
    return p != RC_NONE && rci_node_quant(&g->nodes[p]) == role ? &g->nodes[p] : NULL;
}

/* --- the tensors around a node --- */
enum {
    RC_NODE_MOST = 1024, /* operands or results of a node that is accepted */
    RC_AROUND_MOST = 64  /* of one whose tensors fit on the stack */
};
struct rci_around {
    struct rci_tensor in[RC_AROUND_MOST], out[RC_AROUND_MOST];
};
/* Tensors of operands and results, dtype 0 where absent; `tensors` by value, NULL: the graph's own.
 * false: more than RC_AROUND_MOST. */
bool rci_node_around(const struct rc_graph *g, const struct rci_node *n,
                     const struct rci_tensor *tensors, struct rci_around *out);
/* Operands only, into in[n->n_in]. */
void rci_node_operands(const struct rc_graph *g, const struct rci_node *n,
                       const struct rci_tensor *tensors, struct rci_tensor *in);
/* Work at these shapes, of the whole batch; 0 when it cannot be told. */
struct rci_cost rci_node_work(const struct rc_graph *g, const struct rci_node *n,
                              const struct rci_tensor *tensors);

/* --- helpers for op files --- */
static inline const struct rci_tensor *rci_const_in(const struct rc_graph *g,
                                                    const struct rci_node *n, uint32_t i)
{
    if (i >= n->n_in || n->in[i] == RC_NONE || !g->values[n->in[i]].tensor.data)
        return NULL;
    return &g->values[n->in[i]].tensor;
}
#endif
