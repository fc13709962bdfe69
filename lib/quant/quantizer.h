#ifndef RC_LIB_QUANT_QUANTIZER_H
#define RC_LIB_QUANT_QUANTIZER_H
/* The quantizer's parts share this struct: calibrate.c fills the plan, correct.c the biases,
 * table.c reads and writes the plan, build.c makes the graph. */
#include "base/file.h"
#include "quant/observer.h"
#include "quant/plan.h"
#include "quant/qat.h"
#include "quant/rounding.h"
#include "quant/target.h"
#include "quant/weights.h"
#include <rescomp/quantize.h>

/* Scales of a layer's weights that a table gave; n is 0: chosen here. */
struct rci_quant_kept {
    float *scale;
    int64_t n;
};

/* What becomes of batch normalization in the trainable form. */
enum rci_quant_norm {
    RC_NORM_BATCH = 0, /* behind every convolution, with the statistics of each batch */
    RC_NORM_FROZEN,    /* behind every convolution, with fixed statistics */
    RC_NORM_FOLDED     /* none */
};

struct rci_qat_hook; /* quant/trainable.h */

struct rc_quantizer {
    uint64_t magic;
    struct rc_context *ctx;
    struct rc_graph *g; /* the folded float graph */
    struct rci_quant_plan plan;
    const struct rci_observer *observer;
    void *params; /* of the observer */
    char *observer_spec;
    const struct rci_quant_target *target;
    const struct rci_rounding *rounding;
    void *rounding_params;
    char *rounding_spec;
    const struct rci_qat *qat; /* the trainable form's; NULL: none, or by RC_QUANTIZE_QAT */
    void *qat_params;
    char *qat_spec;
    enum rci_quant_norm norm;
    struct rci_qat_hook *hook; /* of the trainer that it is attached to, or NULL */
    float **statistics; /* [g->n_nodes] mean and variance [2][C] of convolutions, for `norm` */
    struct rci_quant_weight *rounded; /* [g->n_nodes] what it made; empty: none of the layer */
    rci_id *entry;                    /* observed values in topological order */
    uint32_t n_entries;
    uint64_t images, batch, flags, weight_bits, activation_bits;
    uint32_t tensorrt;           /* version as caches have it, such as 8601 */
    uint64_t seen;               /* images of the last calibration; 0: from a table */
    bool ready;                  /* the plan has scales */
    bool corrected;              /* `bias` is in force */
    float **bias;                /* [g->n_nodes] corrected biases; NULL entries: as in the graph */
    struct rci_quant_kept *kept; /* [g->n_nodes] from a table, or NULL */
    float **moments; /* [g->n_nodes] of inputs (quant/moments.h); NULL entries: unknown */
};

/* `o` with defaults filled in. */
rc_status rci_quantizer_new(struct rc_quantizer **out, const struct rc_graph *g,
                            const rc_quantize_options *o);
void rci_quantizer_free(struct rc_quantizer *q);
bool rci_quantizer_valid(const struct rc_quantizer *q);

rc_status rci_quantizer_calibrate(struct rc_quantizer *q, const struct rc_dataset *d);
rc_status rci_quantizer_correct(struct rc_quantizer *q, const struct rc_dataset *d);
void rci_quantizer_forget_biases(struct rc_quantizer *q);
/* The quantized graph with q->bias in place of the float biases. */
rc_status rci_quantizer_apply(struct rc_graph **out, const struct rc_quantizer *q);
/* The trainable form became trained: constants for weights and biases. */
rc_status rci_quantizer_finish(struct rc_graph **out, const struct rc_graph *trained);

/* `format`: "name" or "name:key=value", see quant/format.h. */
rc_status rci_quantizer_save_table(const struct rc_quantizer *q, const char *path,
                                   const char *format);
rc_status rci_quantizer_load_table(struct rc_quantizer *q, const char *path, const char *format);
void rci_quant_kept_free(struct rci_quant_kept *kept, uint32_t n);
/* Of TensorRT's cache: "8.6.1" is version 8601, "10.14.1" is 101401. */
rc_status rci_tensorrt_version(uint32_t *version, const char *text);

/* Types and scales from the thresholds; the plan is ready afterwards. */
void rci_quantizer_settle(struct rc_quantizer *q);
#endif
