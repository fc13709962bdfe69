#ifndef RC_LIB_BASE_METHOD_H
#define RC_LIB_BASE_METHOD_H
/* What every pluggable method (criterion, observer, loss, optimiser, rate ...) says of itself,
 * and how a user's "name:key=value,key=value" becomes its parameter struct. Each kind's vtable
 * starts with `struct rci_method m`, each kind has one table in its driver's directory. */
#include "base/context.h"

enum rci_param_type { RC_PARAM_INT = 1, RC_PARAM_REAL = 2, RC_PARAM_BOOL = 3 };

struct rci_param {
    const char *name, *summary;
    enum rci_param_type type; /* INT: int64_t, REAL: double, BOOL: int64_t 0/1 */
    size_t offset;            /* into the method's parameter struct */
    double def, min, max;
};

struct rci_method {
    const char *name, *summary, *source; /* source: the paper, or "" */
    size_t params_size;                  /* 0 when there are none */
    const struct rci_param *params;
    uint32_t n_params;
};

/* One kind: `table` points at `count` pointers to structs that start with struct rci_method. */
struct rci_method_kind {
    const char *kind, *summary; /* "criterion", "observer", "loss", "optimizer", "rate", ... */
    const struct rci_method *const *table;
    uint32_t count;
};

/* Find by the name part of `spec` ("percentile:p=99.9" finds "percentile"); the error lists all. */
rc_status rci_method_find(const struct rci_method **out, const struct rci_method_kind *k,
                          const char *spec);

/* Defaults, then the spec's key=value pairs with range checks. *params is allocated with
 * rci_alloc (never NULL on success, also for methods without parameters). */
rc_status rci_method_params(void **params, struct rc_context *c, const struct rci_method *m,
                            const char *spec);

/* Several of one kind, joined by +: "crop:pad=4+flip". On failure out[0..*n-1] is what was made,
 * for rci_method_uses_free(). */
enum { RC_METHOD_USES = 8 };
struct rci_method_use {
    const struct rci_method *m;
    void *params;
};
rc_status rci_method_uses(struct rci_method_use out[RC_METHOD_USES], uint32_t *n,
                          struct rc_context *c, const struct rci_method_kind *k, const char *spec);
void rci_method_uses_free(struct rci_method_use *uses, uint32_t n);
#endif
