#ifndef RC_LIB_OP_QCONV_CHOOSE_H
#define RC_LIB_OP_QCONV_CHOOSE_H
/* Which integer kernel a QConv runs with. */
#include "kernel/qkernel.h"
#include "op/qlayers.h"

/* *out: a kernel of ours when it is the fastest that can, by timing it on the layer's shape beside
 * `other` (may be NULL: then one of ours is taken if any can); else NULL. Measured once for equal
 * layers and numbers of threads (kernel/choice.h); a rule decides where the context wants no
 * measuring. RESCOMP_INT8_KERNEL = onednn, direct or winograd is preferred whatever the context
 * says. */
rc_status rc_qconv_choose(struct rc_qkernel **out, struct rc_engine *e,
                          const struct rc_qkernel_spec *s, struct rc_int8_conv *other);
#endif
