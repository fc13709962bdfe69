#ifndef NETS_H
#define NETS_H
/* Small networks with random structure and weights, and plain ways to run them. */
#include "graph/graph.h"

/* Uniform in [-1, 1), a pure function of seed and index. */
void fill_random(float *x, int64_t n, uint64_t seed);
/* Random BatchNormalization scales, shifts and statistics, and biases: nothing stays trivial. */
void net_randomize(struct rc_graph *g, uint64_t seed);

enum {
    NET_RESIDUAL = 1,
    NET_CONCAT = 2,
    NET_DEPTHWISE = 4,
    NET_GATE = 8,
    NET_POOL = 16,
    NET_ACTIVATIONS = 32,
    NET_SHORTCUT = 64,
    NET_ALL = 127
};
/* Dynamic batch, input "input" [N, 3, 13, 11], output "logits" [N, 5]; some five blocks of the
 * allowed kinds with odd channel counts. */
struct rc_graph *net_random(struct rc_context *c, uint64_t seed, uint32_t kinds);
/* Standard network with randomised BatchNormalization. */
struct rc_graph *net_zoo(struct rc_context *c, const char *name, double multiplier);

/* max |a - b| / max |b| */
double relative_error(const float *a, const float *b, int64_t n);
/* Outputs 0 of the graph on n images as the plain operators compute it, without passes. */
void run_reference(const struct rc_graph *g, int64_t n, const float *x, float *y);
#endif
