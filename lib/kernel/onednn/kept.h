#ifndef RC_LIB_KERNEL_ONEDNN_KEPT_H
#define RC_LIB_KERNEL_ONEDNN_KEPT_H
/* Descriptors of primitives that layers of equal shape ask for again: creating one tries all of
 * oneDNN's implementations. The engine keeps copies until rci_engine_settle(). */
#include "kernel/onednn/onednn.h"

/* The largest key [bytes]. Its padding counts, so begin with memset(). */
enum { RC_KEPT_KEY = 192 };

/* *pd: a copy of what was kept under an equal key; NULL: nothing was. */
rc_status rci_engine_kept(const struct rci_engine *e, const void *key, size_t size,
                          dnnl_primitive_desc_t *pd);
/* Keeps a copy. */
rc_status rci_engine_keep(struct rci_engine *e, const void *key, size_t size,
                          const_dnnl_primitive_desc_t pd);
#endif
