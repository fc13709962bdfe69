#ifndef RC_LIB_GRAPH_OP_H
#define RC_LIB_GRAPH_OP_H
/* The operator contract. One constant `struct rci_op` per file of lib/op/; a NULL slot means
 * "cannot", and the caller says so by name. */
#include "tensor/tensor.h"

typedef uint32_t rci_id; /* dense index of a node or value of one graph */
#define RC_NONE UINT32_MAX

struct rc_graph;
struct rci_node;
struct rci_links;      /* sink for channel couplings, graph/link.h */
struct rci_attrs;      /* ONNX attributes being read, wire/attr.h */
struct rci_attr_write; /* ONNX attributes being written, wire/attr.h */
struct rci_request;    /* what prepare is asked, and answers: kernel/prep.h */
struct rci_prep;
struct rci_post;       /* work fused behind a node, graph/graph.h */
struct rci_conv_attrs; /* op/layers.h */
struct rci_pool_attrs;

/* Shape inference: in[i].shape and .dtype are set, .data only for constants (and for small
 * integer values already known); an absent optional input has dtype 0. Fill out[]. */
struct rci_infer {
    const struct rc_graph *g;
    const struct rci_node *node;
    const struct rci_tensor *in;
    struct rci_tensor *out;
};

/* Everything an operator sees when it runs on plain row-major arrays (the reference path).
 * The caller owns all buffers. backward OVERWRITES d_in; the tape sums where a value has several
 * readers. d_in[i].data is NULL when nobody needs that gradient. An absent optional input has
 * data NULL. */
struct rci_call {
    const struct rci_node *node;
    struct rc_context *ctx;
    const struct rci_tensor *in; /* training BN also writes its running statistics in[3], in[4] */
    const struct rci_tensor *out;
    const struct rci_tensor *d_out;
    const struct rci_tensor *d_in;
    void *saved;         /* saved_bytes() bytes kept from forward to backward, or NULL */
    bool training;       /* false in a tape with frozen BatchNormalization, also in backward */
    uint64_t seed, step; /* for Dropout: stream of this run */
};

/* y[c] = scale[c] * x[c] + shift[c] over axis 1; arrays from rci_alloc, owned by the caller. */
struct rci_affine {
    float *scale, *shift;
    uint32_t channels;
};

/* How an operator takes part in quantization. */
enum rci_quant_role {
    RC_QUANT_KEEP_F32 = 0,   /* computes on floats */
    RC_QUANT_PASS = 1,       /* values only move or are selected: the scale stays (MaxPool) */
    RC_QUANT_REQUANT = 2,    /* adds integers: each operand has a scale, the sum another (Add) */
    RC_QUANT_WEIGHTED = 3,   /* has `as_weighted`: per-channel s8 weights, an i32 bias */
    RC_QUANT_BOUND = 4,      /* only cuts values off: the scale is chosen behind it (Relu, Clip) */
    RC_QUANT_TO_INTEGER = 5, /* QuantizeLinear */
    RC_QUANT_TO_REAL = 6     /* DequantizeLinear */
};

/* What is known of the sign of a result. */
enum rci_sign {
    RC_SIGN_ANY = 0,
    RC_SIGN_NON_NEGATIVE = 1, /* always >= 0 (Relu, Sigmoid) */
    RC_SIGN_KEEPS = 2         /* >= 0 when all floating-point operands are (Add, AveragePool) */
};

/* y = W x + b: operand 1 are the weights, operand 2 an optional bias. */
struct rci_weighted {
    const struct rci_conv_attrs *window; /* a convolution, W [O, I/g, kh, kw]; NULL: a matrix */
    uint32_t axis;                       /* of the weights: the output channels */
    bool plain;                          /* x is neither transposed nor scaled */
    float bias_factor;                   /* what multiplies b, 1 in a convolution */
};

/* y = (x - mean) / sqrt(variance + epsilon) * scale + shift: the numbers of the operands, each
 * [C]. In training running = momentum * running + (1 - momentum) * batch. */
struct rci_norm {
    uint32_t scale, shift, mean, variance;
    float epsilon, momentum;
};

/* A window slides over each plane of x [N, C, H, W] and gives its mean or maximum. */
struct rci_pooling {
    const struct rci_pool_attrs *window; /* NULL: the whole plane */
    bool max;
};

/* y[n, begin + c, i, j] = x[n, c, i * stride[0], j * stride[1]] for x [N, C, H, W], and channels of
 * zeros: `begin` before, `end` after. */
struct rci_placement {
    int64_t stride[2];
    int64_t begin, end;
};

struct rci_padding {
    int64_t pads[4]; /* top, left, bottom, right */
};

/* Multiply-adds and other work of one node at the inferred shapes. */
struct rci_cost {
    uint64_t macs, elementwise;
};

enum { /* rci_op.flags */
       RC_OP_LAYOUT_FREE =
           1,              /* element by element with f(0) = 0 and equal operand shapes: the plain
                              loop may run over any common memory layout, padding included */
       RC_OP_INTERNAL = 2, /* not ONNX: made by a pass inside a session, never exported */
       RC_OP_RANDOM = 4,   /* differs from run to run in training (Dropout) */
       RC_OP_VIEW = 8,     /* out has the same bytes as in[0] (Reshape, Flatten, Identity ...) */
       RC_OP_POSTS = 16,   /* prepare honours node->post, so fuse_post may put work there. Operands
                              of RC_POST_ADD start at max_in; forward() never sees posts */
       RC_OP_SHAPE_ONLY = 32, /* out depends on the shapes of the operands alone; forward never
                                 reads their data, which may be NULL (Shape) */
       RC_OP_NO_FOLD = 64,    /* stays although its operands are constant (DequantizeLinear: the
                                 integers are the weights) */
       RC_OP_BF16 = 128,      /* prepare takes operands in bf16 layouts */
       RC_OP_SEPARATE = 256, /* an image's result depends on that image alone, wherever axis 0 keeps
                                being the batch; see also `separate` */
       RC_OP_UPDATES = 512,  /* forward in training changes its constants (running statistics) */
       RC_OP_SUM = 1024,     /* the sum of two operands, whose gradient is that of the sum where no
                                broadcasting takes place (Add) */
       RC_OP_RELU = 2048,  /* prepare honours a RC_POST_RELU in training too (BatchNormalization) */
       RC_OP_KEEPS = 4096, /* outside training every element stays as and where it is, given that
                              shape and type do (Dropout, Cast); see also `keeps_elements` */
       RC_OP_PROBABILITIES = 8192, /* results along an axis are >= 0 and add up to 1 (Softmax) */
       RC_OP_POINTWISE = 16384, /* an element of the result depends on those at its place, operands
                                   of more than one element being broadcast to its shape */
       RC_OP_REPEATS = 32768 /* operand 0 broadcast to another shape, and nothing else (Expand) */
};
enum { RC_VARIADIC = 255 };

/* Operands and results, least and most. */
#define RC_OP_ARITY(least_in, most_in, least_out, most_out) \
    .min_in = (least_in), .max_in = (most_in), .min_out = (least_out), .max_out = (most_out)

struct rci_op {
    const char *name;                         /* ONNX op_type */
    const char *domain;                       /* NULL: the ONNX domain */
    uint8_t min_in, max_in, min_out, max_out; /* RC_VARIADIC: no upper bound */
    uint8_t since, until; /* first and last opset that has it; 0: all that are read */
    uint16_t attr_size; /* bytes of the attribute struct; copied with memcpy, so plain data only */
    uint32_t flags;
    uint32_t variant;   /* which of the operators that share their slots this is */
    uint32_t trainable; /* bit i: operand i, when constant, is a parameter of gradient descent */
    enum rci_quant_role quant;
    enum rci_sign sign;

    /* The only place that rejects shapes and types. Messages start with the node's name. */
    rc_status (*infer)(const struct rci_infer *i);
    /* Plain C, row-major, every dtype that infer accepts. Never allocates (use saved/stack). */
    rc_status (*forward)(const struct rci_call *c);
    rc_status (*backward)(const struct rci_call *c);
    size_t (*saved_bytes)(const struct rci_node *n, const struct rci_tensor *in);
    /* Fast path; see kernel/prep.h. NULL: the session runs forward/backward above. */
    rc_status (*prepare)(const struct rci_request *req, struct rci_prep *p);

    void (*couple)(const struct rci_node *n, struct rci_links *l);
    /* After channels were cut: fix attributes (group, pads, sizes). in/out shapes before and after
     * are in `l` (graph/link.h). */
    rc_status (*resized)(struct rc_graph *g, struct rci_node *n, const struct rci_links *l);

    /* In place of RC_OP_SEPARATE where it depends on attributes or operands; `rank` of out[0]. */
    bool (*separate)(const struct rc_graph *g, const struct rci_node *n, uint32_t rank);

    /* In place of `quant` and `sign` where they depend on attributes; `quant` is then what it is at
     * best. */
    enum rci_quant_role (*quant_of)(const struct rci_node *n);
    enum rci_sign (*sign_of)(const struct rci_node *n);

    /* In place of RC_OP_KEEPS where it depends on attributes. */
    bool (*keeps_elements)(const struct rci_node *n);

    /* Out axis k is axis perm[k] of operand 0, and that is all the node does. */
    bool (*as_transpose)(const struct rci_node *n, uint32_t rank, uint32_t *perm);
    /* Operand 0 (with RC_VARIADIC operands: each) comes with its axes in another order: what was
     * its axis k is axis perm[k] now. The attributes follow; *rank and out[] say of the results
     * what rank and perm say of the operand. false: it cannot, nothing has changed. Nodes that are
     * RC_OP_POINTWISE need no slot. */
    bool (*permute)(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out);
    /* `before` is of the same operator and makes operand 0: does the node alone, on the operand of
     * `before`, what both do? Its attributes are then changed; false: nothing has. */
    bool (*compose)(const struct rc_graph *g, struct rci_node *n, const struct rci_node *before);
    /* The node puts its operands side by side along *axis. */
    bool (*as_concat)(const struct rci_node *n, uint32_t rank, uint32_t *axis);
    /* Axes of length 1 that it keeps in its result for what it was reduced by; false: none. */
    bool (*drop_kept)(struct rci_node *n);
    /* Zeros around the planes of x [N, C, H, W], and nowhere else. */
    bool (*as_padding)(const struct rc_graph *g, const struct rci_node *n, struct rci_padding *out);
    /* The same on x without the zeros around it, which its window adds then; `positive`: x is known
     * to be >= 0. false: it cannot, nothing has changed. */
    bool (*absorb_padding)(const struct rc_graph *g, struct rci_node *n,
                           const struct rci_padding *p, bool positive);

    /* What the node is in terms that passes and methods understand; false: it is not. Shapes are
     * inferred. as_post: an activation of one operand that can be fused behind another node. */
    bool (*as_post)(const struct rci_node *n, struct rci_post *out);
    void (*as_weighted)(const struct rc_graph *g, const struct rci_node *n,
                        struct rci_weighted *out);
    void (*as_norm)(const struct rci_node *n, struct rci_norm *out);
    void (*as_pooling)(const struct rci_node *n, struct rci_pooling *out);
    bool (*as_placement)(const struct rc_graph *g, const struct rci_node *n,
                         struct rci_placement *out);

    bool (*is_affine)(const struct rc_graph *g, const struct rci_node *n);
    rc_status (*as_affine)(const struct rc_graph *g, const struct rci_node *n,
                           struct rci_affine *out);
    /* Constants with other readers have been copied when absorb is called. */
    bool (*absorbs_affine)(const struct rc_graph *g, const struct rci_node *n);
    rc_status (*absorb_affine)(struct rc_graph *g, struct rci_node *n, const struct rci_affine *a);

    /* Import: attributes -> n->attrs (already zeroed), defaults included. Opset from the reader. */
    rc_status (*read_attrs)(struct rci_node *n, const struct rci_attrs *a);
    /* Import, after constants are known: move constant operands (Slice's starts, Reshape's shape,
     * Clip's bounds, ...) into attrs and drop them from n->in. `known[i].data` is set for operands
     * whose value is known; `alt[i].data` is the same value at a second batch size, so that
     * elements that follow the batch can be told from fixed ones. */
    rc_status (*bind)(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                      const struct rci_tensor *alt, const int64_t batch[2]);
    /* Export: the inverse of read_attrs and bind for the writer's opset. */
    rc_status (*write_attrs)(const struct rci_node *n, struct rci_attr_write *w);

    struct rci_cost (*cost)(const struct rci_node *n, const struct rci_tensor *in,
                            const struct rci_tensor *out);
};

/* lib/op/table.c; declared here because graph and io look operators up by name.
 * NULL if this build has no such operator. domain NULL or "" is ONNX's. */
const struct rci_op *rci_op_find(const char *domain, const char *name);
#endif
