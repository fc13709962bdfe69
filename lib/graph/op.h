#ifndef RC_LIB_GRAPH_OP_H
#define RC_LIB_GRAPH_OP_H
/* The operator contract. One constant `struct rc_op` per file of lib/op/; a NULL slot means
 * "cannot", and the caller says so by name. */
#include "tensor/tensor.h"

typedef uint32_t rc_id; /* dense index of a node or value of one graph */
#define RC_NONE UINT32_MAX

struct rc_graph;
struct rc_node;
struct rc_links;      /* sink for channel couplings, graph/link.h */
struct rc_attrs;      /* ONNX attributes being read, wire/attr.h */
struct rc_attr_write; /* ONNX attributes being written, wire/attr.h */
struct rc_prep;       /* what prepare sees, kernel/prep.h */

/* Shape inference: in[i].shape and .dtype are set, .data only for constants (and for small
 * integer values already known); an absent optional input has dtype 0. Fill out[]. */
struct rc_infer {
    const struct rc_graph *g;
    const struct rc_node *node;
    const struct rc_tensor *in;
    struct rc_tensor *out;
};

/* Everything an operator sees when it runs on plain row-major arrays (the reference path).
 * The caller owns all buffers. backward OVERWRITES d_in; the tape sums where a value has several
 * readers. d_in[i].data is NULL when nobody needs that gradient. An absent optional input has
 * data NULL. */
struct rc_call {
    const struct rc_node *node;
    struct rc_context *ctx;
    const struct rc_tensor *in;  /* training BN also writes its running statistics in[3], in[4] */
    const struct rc_tensor *out;
    const struct rc_tensor *d_out;
    const struct rc_tensor *d_in;
    void *saved;      /* saved_bytes() bytes kept from forward to backward, or NULL */
    bool training;    /* false in a tape with frozen BatchNormalization, also in backward */
    uint64_t seed, step; /* for Dropout: stream of this run */
};

/* y[c] = scale[c] * x[c] + shift[c] over axis 1; arrays from rc_alloc, owned by the caller. */
struct rc_affine { float *scale, *shift; uint32_t channels; };

/* How an operand takes part in int8 execution. */
enum rc_quant_role {
    RC_QUANT_KEEP_F32 = 0, /* stays float */
    RC_QUANT_PASS = 1,     /* values only move or are selected: the scale stays (MaxPool) */
    RC_QUANT_REQUANT = 2,  /* computes on integers, each operand has its own scale (Add) */
    RC_QUANT_WEIGHTED = 3  /* Conv, Gemm: operand 1 is per-channel s8 weights, 2 an int32 bias */
};

/* Multiply-adds and other work of one node at the inferred shapes. */
struct rc_cost { uint64_t macs, elementwise; };

enum { /* rc_op.flags */
    RC_OP_LAYOUT_FREE = 1, /* element by element with f(0) = 0 and equal operand shapes: the plain
                              loop may run over any common memory layout, padding included */
    RC_OP_INTERNAL = 2,    /* not ONNX: made by a pass inside a session, never exported */
    RC_OP_RANDOM = 4,      /* differs from run to run in training (Dropout) */
    RC_OP_VIEW = 8,        /* out has the same bytes as in[0] (Reshape, Flatten, Identity ...) */
    RC_OP_POSTS = 16,      /* prepare honours node->post, so fuse_post may put work there. Operands
                              of RC_POST_ADD start at max_in; forward() never sees posts */
    RC_OP_SHAPE_ONLY = 32, /* out depends on the shapes of the operands alone; forward never reads
                              their data, which may be NULL (Shape) */
    RC_OP_NO_FOLD = 64,    /* stays although its operands are constant (DequantizeLinear: the
                              integers are the weights) */
    RC_OP_BF16 = 128,      /* prepare takes operands in bf16 layouts */
    RC_OP_SEPARATE = 256,  /* an image's result depends on that image alone, wherever axis 0 keeps
                              being the batch; see also `separate` */
    RC_OP_UPDATES = 512    /* forward in training changes its constants (running statistics) */
};
enum { RC_VARIADIC = 255 };

struct rc_op {
    const char *name;   /* ONNX op_type */
    const char *domain; /* NULL: the ONNX domain */
    uint8_t min_in, max_in, min_out, max_out; /* RC_VARIADIC: no upper bound */
    uint16_t attr_size; /* bytes of the attribute struct; copied with memcpy, so plain data only */
    uint32_t flags;
    uint32_t trainable; /* bit i: operand i, when constant, is a parameter of gradient descent */
    enum rc_quant_role quant;

    /* The only place that rejects shapes and types. Messages start with the node's name. */
    rc_status (*infer)(const struct rc_infer *i);
    /* Plain C, row-major, every dtype that infer accepts. Never allocates (use saved/stack). */
    rc_status (*forward)(const struct rc_call *c);
    rc_status (*backward)(const struct rc_call *c);
    size_t (*saved_bytes)(const struct rc_node *n, const struct rc_tensor *in);
    /* Fast path; see kernel/prep.h. NULL: the session runs forward/backward above. */
    rc_status (*prepare)(struct rc_prep *p);

    void (*couple)(const struct rc_node *n, struct rc_links *l);
    /* After channels were cut: fix attributes (group, pads, sizes). in/out shapes before and after
     * are in `l` (graph/link.h). */
    rc_status (*resized)(struct rc_graph *g, struct rc_node *n, const struct rc_links *l);

    /* In place of RC_OP_SEPARATE where it depends on attributes or operands; `rank` of out[0]. */
    bool (*separate)(const struct rc_graph *g, const struct rc_node *n, uint32_t rank);

    bool (*is_affine)(const struct rc_graph *g, const struct rc_node *n);
    rc_status (*as_affine)(const struct rc_graph *g, const struct rc_node *n,
                           struct rc_affine *out);
    /* Constants with other readers have been copied when absorb is called. */
    bool (*absorbs_affine)(const struct rc_graph *g, const struct rc_node *n);
    rc_status (*absorb_affine)(struct rc_graph *g, struct rc_node *n, const struct rc_affine *a);

    /* Import: attributes -> n->attrs (already zeroed), defaults included. Opset from the reader. */
    rc_status (*read_attrs)(struct rc_node *n, const struct rc_attrs *a);
    /* Import, after constants are known: move constant operands (Slice's starts, Reshape's shape,
     * Clip's bounds, ...) into attrs and drop them from n->in. `known[i].data` is set for operands
     * whose value is known; `alt[i].data` is the same value at a second batch size, so that
     * elements that follow the batch can be told from fixed ones. */
    rc_status (*bind)(struct rc_graph *g, struct rc_node *n, const struct rc_tensor *known,
                      const struct rc_tensor *alt, const int64_t batch[2]);
    /* Export: the inverse of read_attrs and bind for the writer's opset. */
    rc_status (*write_attrs)(const struct rc_node *n, struct rc_attr_write *w);

    struct rc_cost (*cost)(const struct rc_node *n, const struct rc_tensor *in,
                           const struct rc_tensor *out);
};

/* lib/op/table.c; declared here because graph and io look operators up by name.
 * NULL if this build has no such operator. domain NULL or "" is ONNX's. */
const struct rc_op *rc_op_find(const char *domain, const char *name);
#endif
