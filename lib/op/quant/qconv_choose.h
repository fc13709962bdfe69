#ifndef RC_LIB_OP_QUANT_QCONV_CHOOSE_H
#define RC_LIB_OP_QUANT_QCONV_CHOOSE_H
/* Which kernel a QConv runs with. */
#include "op/quant/qconv_real.h"
#include "op/quant/qlayers.h"

/* A kernel of the list, or sums in f32, or neither: oneDNN's. */
struct rci_qconv_own {
    struct rci_conv_chosen integer;
    struct rci_qconv_real *real;
};
void rci_qconv_own_free(struct rci_qconv_own *o);

struct rci_qconv_wish {
    bool mixed;       /* f32 kernels take part */
    const char *told; /* RESCOMP_INT8_KERNEL, or NULL */
};

/* The fastest that can (kernel/choice/choose.h). `onednn` may be NULL; f32 kernels take part where
 * w->mixed, and oneDNN's where nothing else can. A rule, which never takes f32, decides where the
 * context wants no measuring. RESCOMP_INT8_KERNEL = onednn, direct, winograd, f32-onednn or f32-own
 * is preferred whatever the context says. */
rc_status rci_qconv_choose(struct rci_qconv_own *out, struct rci_engine *e,
                           const struct rci_conv_spec *s, struct rci_int8_conv *onednn,
                           const struct rci_qconv_wish *w);
#endif
