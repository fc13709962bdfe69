#ifndef RC_LIB_OP_QUANTPARAMS_H
#define RC_LIB_OP_QUANTPARAMS_H
/* Scale and zero point of QuantizeLinear and DequantizeLinear: one of each, or one per index of an
 * axis. */
#include "op/attrs.h"
#include "op/common.h"

/* Where element i finds its parameters: rows of `inner` neighbours share one; row r has number
 * r % channels. Per tensor: channels 1, rows of a size fit for threads. */
struct rc_quant_rows {
    int64_t rows, inner, channels, total;
};

/* Lengths, axis, positive finite scales (when known); operand 2 of type `zp` (bits), or absent. */
rc_status rc_quant_check(const struct rc_infer *i, uint32_t zero_types);
struct rc_quant_rows rc_quant_rows(const struct rc_node *n, const struct rc_tensor *in);
/* Zero point of channel k; 0 when the operand is absent. */
int32_t rc_quant_zero(const struct rc_tensor *zero, int64_t k);
void rc_quant_couple(const struct rc_node *n, struct rc_links *l);
rc_status rc_quant_read(struct rc_node *n, const struct rc_attrs *a);
rc_status rc_quant_write(const struct rc_node *n, struct rc_attr_write *w);
#endif
