#ifndef HANDNETS_H
#define HANDNETS_H
/* Small networks built by hand, with random weights, and their evaluation by the plain operators.
 */
#include "graph/graph.h"
#include "test.h"

struct net {
    struct rc_graph *g;
    uint64_t draws; /* random arrays so far; each has its own stream */
};

struct net net_new(struct rc_context *c);
void net_done(struct net *n, rci_id output); /* sets the output, infers, verifies */
rci_id net_input(struct net *n, int64_t c, int64_t h, int64_t w);
/* Kernel k x k, padding k/2. */
struct net_conv {
    int64_t out, k, stride, group;
    bool bias;
};
rci_id net_conv(struct net *n, const char *name, rci_id x, struct net_conv o);
rci_id net_bn(struct net *n, const char *name, rci_id x);
rci_id net_unary(struct net *n, const char *op,
                 rci_id x); /* Relu, Sigmoid, GlobalAveragePool ... */
rci_id net_binary(struct net *n, const char *op, rci_id a, rci_id b);
rci_id net_concat(struct net *n, const rci_id *x, uint32_t count);
rci_id net_flatten(struct net *n, rci_id x);
rci_id net_softmax(struct net *n, rci_id x); /* over channels */
/* x [N, C] times a matrix [C, out]. */
rci_id net_matmul(struct net *n, const char *name, rci_id x, int64_t out);
rci_id net_average(struct net *n, rci_id x, int64_t kernel, int64_t stride);
rci_id net_gemm(struct net *n, const char *name, rci_id x, int64_t out);
/* Option A shortcut: every second pixel, `pad` zero channels in front and behind. */
rci_id net_option_a(struct net *n, rci_id x, int64_t pad);
/* Channels [from, to). */
rci_id net_slice(struct net *n, rci_id x, int64_t from, int64_t to);
void net_split(struct net *n, rci_id x, const int64_t *sizes, uint32_t count, rci_id *out);
/* conv + bn + relu */
rci_id net_cbr(struct net *n, const char *name, rci_id x, struct net_conv o);

/* Output 0 for `batch` inputs, computed by op->forward; the caller frees `out`. */
void net_run(const struct rc_graph *g, int64_t batch, const float *x, struct rci_tensor *out);
/* Largest |a - b| / largest |b| of two graphs on the same random images. */
double net_difference(const struct rc_graph *a, const struct rc_graph *b, int64_t batch);
#endif
