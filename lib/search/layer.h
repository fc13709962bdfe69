#ifndef RC_LIB_SEARCH_LAYER_H
#define RC_LIB_SEARCH_LAYER_H
/* The layers with weights of a graph as a table of times knows them: what they compute, how wide
 * they are, in which precision, and which other work is done behind them. */
#include "graph/graph.h"

enum rci_precision { RC_PRECISION_F32 = 0, RC_PRECISION_BF16 = 1, RC_PRECISION_INT8 = 2 };
enum { RC_PRECISIONS = 3, RC_LAYER_TEXT = 96 };
extern const char *const rci_precision_name[RC_PRECISIONS];

/* All that decides the time of a layer but its channels. */
struct rci_layer_key {
    char op[32];
    int64_t kernel[2], stride[2]; /* 1 for matrices */
    int64_t input[2];             /* height and width; 1 and rows for an image in matrices */
    int64_t groups;               /* 1: dense; 0: one for each channel */
    enum rci_precision precision;
    char tail[RC_LAYER_TEXT]; /* operators behind it up to the next layer, in order of their names,
                                 as "Add,Pad,Slice", without those that are fused; "*" in a table:
                                 any */
};

struct rci_layer {
    struct rci_layer_key key;
    rci_id node;
    int64_t in, out; /* channels */
};

/* In topological order; *out from rci_alloc. Shapes of `g` are inferred. */
rc_status rci_layers_of(struct rci_layer **out, uint32_t *n, const struct rc_graph *g);
bool rci_layer_same(const struct rci_layer_key *a, const struct rci_layer_key *b);
/* The same work, whatever follows it. */
bool rci_layer_same_work(const struct rci_layer_key *a, const struct rci_layer_key *b);
/* "Conv 3x3, stride 1, at 32x32, int8" */
void rci_layer_describe(const struct rci_layer_key *k, char *text, size_t size);
#endif
