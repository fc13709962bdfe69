#ifndef RC_LIB_DATA_STORED_H
#define RC_LIB_DATA_STORED_H
/* Inputs of a model that somebody stored with the outputs they give, as ONNX's test data sets do.
 */
#include "graph/graph.h"

struct rci_stored {
    struct rc_context *ctx;
    struct rci_tensor *in, *out; /* in the order of the graph's; of any batch */
    uint32_t n_in, n_out;
};

/* `path`: a folder with input_0, input_1, ... and output_0, ..., each .pb (an ONNX TensorProto) or
 * .npy; or an .npz archive of arrays with the names of inputs and outputs. Outputs that are not
 * there have no data; one must be. RC_ERR_SHAPE, RC_ERR_DATA: not of the graph's type or rank. */
rc_status rci_stored_read(struct rci_stored *out, const struct rc_graph *g, const char *path);
void rci_stored_free(struct rci_stored *s); /* accepts zeros */

struct rci_stored_result {
    double difference;       /* largest of all outputs, relative to the output's largest number */
    const char *output;      /* where it is; borrowed from the graph */
    int64_t at, compared;    /* its element; elements compared */
    double stored, computed; /* there */
};
/* What plain operators compute of the inputs, beside the stored outputs. */
rc_status rci_stored_compare(struct rci_stored_result *r, const struct rci_stored *s,
                             const struct rc_graph *g);
#endif
