#ifndef RC_LIB_OP_QUANT_QUANTPARAMS_H
#define RC_LIB_OP_QUANT_QUANTPARAMS_H
/* Scale and zero point of QuantizeLinear and DequantizeLinear: one of each, or one per index of an
 * axis. */
#include "op/attrs.h"
#include "op/common.h"

/* Where element i finds its parameters: rows of `inner` neighbours share one; row r has number
 * r % channels. Per tensor: channels 1, rows of a size fit for threads. */
struct rci_quant_rows {
    int64_t rows, inner, channels, total;
};

/* Lengths, axis, positive finite scales (when known); operand 2 of type `zp` (bits), or absent. */
rc_status rci_quant_check(const struct rci_infer *i, uint32_t zero_types);
struct rci_quant_rows rci_quant_rows(const struct rci_node *n, const struct rci_tensor *in);
/* Zero point of channel k; 0 when the operand is absent. */
int32_t rci_quant_zero(const struct rci_tensor *zero, int64_t k);
bool rci_quant_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out);
void rci_quant_couple(const struct rci_node *n, struct rci_links *l);
rc_status rci_quant_read(struct rci_node *n, const struct rci_attrs *a);
rc_status rci_quant_write(const struct rci_node *n, struct rci_attr_write *w);
#endif
