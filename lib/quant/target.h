#ifndef RC_LIB_QUANT_TARGET_H
#define RC_LIB_QUANT_TARGET_H
/* What a quantized model is made for: rules of the quantizer and the table that goes with it. */
#include "base/method.h"

struct rci_quant_target {
    struct rci_method m;
    uint64_t flags;    /* RC_QUANTIZE_* that it asks for */
    const char *table; /* format of its calibration table */
    uint32_t widths;   /* channel counts that suit it are multiples of this */
};

extern const struct rci_method_kind rci_kind_target;
#endif
