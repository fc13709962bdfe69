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

rc_status rci_augment_chain_check(const struct rci_augment_chain *a, uint32_t channels, bool is_f32)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct rci_augmentation *m = a->link[i];
        if (m->flags & RC_AUGMENT_U8 && is_f32)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "augmentation %s needs pixels 0..255, the data set has f32 values",
                            m->m.name);
        if (m->flags & RC_AUGMENT_RGB && channels != 3)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "augmentation %s needs 3 channels, the data set has %u", m->m.name,
                            channels);
    }
    return RC_OK;
}

uint32_t rci_augment_chain_room(const struct rci_augment_chain *a)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < a->n; i++)
        most = a->link[i]->room > most ? a->link[i]->room : most;
    return most;
}

bool rci_augment_chain_mixes(const struct rci_augment_chain *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->link[i]->blend)
            return true;
    return false;
}

/* The second image goes through the methods before this one that do not mix. */
static rc_status mix_link(const struct rci_augment_chain *a, uint32_t at,
                          struct rci_augment_image *image, struct rci_rng *rng,
                          const struct rci_augment_mixer *mixer)
{
    const struct rci_augmentation *m = a->link[at];
    struct rci_augment_image other;
    int32_t label = 0;
    double share = m->share(a->params[at], rng);
    if (share <= 0)
        return RC_OK;
    RC_TRY(mixer->fetch(mixer->user, rng, &other, &label));
    for (uint32_t i = 0; i < at; i++)
        if (a->link[i]->apply)
            a->link[i]->apply(a->params[i], &other, rng);
    share = m->blend(a->params[at], image, &other, share, rng);
    for (uint32_t j = 0; j < mixer->classes; j++)
        mixer->target[j] *= (float) (1 - share);
    mixer->target[label] += (float) share;
    return RC_OK;
}

rc_status rci_augment_chain_apply(const struct rci_augment_chain *a,
                                  struct rci_augment_image *image, struct rci_rng *rng,
                                  const struct rci_augment_mixer *mixer)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->link[i]->apply)
            a->link[i]->apply(a->params[i], image, rng);
        else if (mixer)
            RC_TRY(mix_link(a, i, image, rng, mixer));
    }
    return RC_OK;
}
