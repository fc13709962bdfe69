/* Chains of augmentations: "crop:pad=4+flip". */
#include "data/augment/augment.h"
#include <string.h>

enum { CHAIN_MAX = 8, SPEC_MAX = 200 };

struct rci_augment_chain {
    const struct rci_augmentation *link[CHAIN_MAX];
    void *params[CHAIN_MAX];
    uint32_t n;
};

static rc_status add_link(struct rci_augment_chain *a, struct rc_context *c, const char *spec,
                          size_t size)
{
    char one[SPEC_MAX];
    const struct rci_method *m;
    if (a->n == CHAIN_MAX || size >= SPEC_MAX)
        return rci_fail(RC_ERR_ARG, "augmentation \"%s\": more than %d methods or %d characters",
                        spec, CHAIN_MAX, SPEC_MAX - 1);
    memcpy(one, spec, size);
    one[size] = 0;
    RC_TRY(rci_method_find(&m, &rci_kind_augmentation, one));
    RC_TRY(rci_method_params(&a->params[a->n], c, m, one));
    a->link[a->n++] = (const struct rci_augmentation *) (const void *) m;
    return RC_OK;
}

rc_status rci_augment_chain_make(struct rci_augment_chain **out, struct rc_context *c,
                                 const char *spec)
{
    *out = NULL;
    struct rci_augment_chain *a = RC_NEW(c, struct rci_augment_chain);
    rc_status st = a ? RC_OK : RC_ERR_MEMORY;
    while (st == RC_OK) {
        const size_t n = strcspn(spec, "+");
        st = add_link(a, c, spec, n);
        if (spec[n] == 0)
            break;
        spec += n + 1;
    }
    if (st != RC_OK) {
        rci_augment_chain_free(a);
        return st;
    }
    *out = a;
    return RC_OK;
}

void rci_augment_chain_free(struct rci_augment_chain *a)
{
    for (uint32_t i = 0; a && i < a->n; i++)
        rci_release(a->params[i]);
    rci_release(a);
}

void rci_augment_chain_apply(const struct rci_augment_chain *a, struct rci_augment_image *image,
                             struct rci_rng *rng)
{
    for (uint32_t i = 0; i < a->n; i++)
        a->link[i]->apply(a->params[i], image, rng);
}
