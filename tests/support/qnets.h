#ifndef RC_TESTS_SUPPORT_QNETS_H
#define RC_TESTS_SUPPORT_QNETS_H
/* Graphs of integer operators, run on the fast path and by plain loops. */
#include "base/rng.h"
#include "graph/graph.h"
#include "op/quant/qlayers.h"

struct qnet {
    struct rc_context *ctx;
    struct rc_graph *g;
    struct rci_rng rng;
    rci_id in[5];
    void *data[5]; /* of graph inputs, in order */
    uint32_t n_data;
};

struct conv_case {
    int64_t in, out, groups, kernel, stride, pad, size, dilation;
    enum rci_dtype x, y, residual; /* residual 0: none */
    bool mid, relu;
    int top;    /* of the weights; 0: 127 */
    bool pairs; /* weights safe in pairs and at their bounds, activations mostly 255 */
};

/* Of the contexts that qnet_open() makes; NULL: the usual. */
extern const rc_context_options *qnet_options;
/* Of the sessions on the fast path, besides RC_SESSION_NO_PASSES. */
extern uint64_t qnet_flags;
void qnet_open(struct qnet *n);
void qnet_close(struct qnet *n);
/* Graph input of random bytes. */
void qnet_bytes(struct qnet *n, uint32_t operand, enum rci_dtype type, struct rci_shape s);
void qnet_weights(struct qnet *n, struct rci_shape s, int top);
void qnet_floats(struct qnet *n, uint32_t operand, const char *name, int64_t count, double lo,
                 double hi);
void qnet_node(struct qnet *n, const char *op, const void *attrs, uint32_t n_in);
/* Fast against plain; the kernel's name in `kernel`. */
void qnet_compare(struct qnet *n, char *kernel);
/* Opens a net of one convolution. */
void qnet_conv(struct qnet *n, const struct conv_case *t);
void qnet_check_conv(const struct conv_case *t, char *kernel);
#endif
