#ifndef RC_LIB_OP_QCONV_CHOOSE_H
#define RC_LIB_OP_QCONV_CHOOSE_H
/* Which integer kernel a QConv runs with. */
#include "kernel/qkernel.h"
#include "op/qconv_real.h"
#include "op/qlayers.h"

/* One of them, or neither: `other` below. */
struct rc_qconv_own {
    struct rc_qkernel *integer;
    struct rc_qconv_real *real;
};
void rc_qconv_own_destroy(struct rc_qconv_own *o);

/* The fastest that can, by timing them on the layer's shape. `other` may be NULL; f32 kernels take
 * part where `mixed`, and oneDNN's where nothing else can. Measured once for equal layers and
 * numbers of threads (kernel/choice.h); a rule, which never takes f32, decides where the context
 * wants no measuring. RESCOMP_INT8_KERNEL = onednn, direct, winograd, f32-onednn or f32-own is
 * preferred whatever the context says. */
rc_status rc_qconv_choose(struct rc_qconv_own *out, struct rc_engine *e,
                          const struct rc_qkernel_spec *s, struct rc_int8_conv *other, bool mixed);
#endif
