/* Chains of augmentations: "crop:pad=4+flip". */
#include "data/augment/augment.h"

struct rci_augment_chain {
    struct rci_method_use use[RC_METHOD_USES];
    uint32_t n;
};

static const struct rci_augmentation *link_at(const struct rci_augment_chain *a, uint32_t i)
{
    return (const struct rci_augmentation *) (const void *) a->use[i].m;
}

rc_status rci_augment_chain_make(struct rci_augment_chain **out, struct rc_context *c,
                                 const char *spec)
{
    *out = NULL;
    struct rci_augment_chain *a = RC_NEW(c, struct rci_augment_chain);
    if (!a)
        return RC_ERR_MEMORY;
    const rc_status st = rci_method_uses(a->use, &a->n, c, &rci_kind_augmentation, spec);
    if (st != RC_OK) {
        rci_augment_chain_free(a);
        return st;
    }
    *out = a;
    return RC_OK;
}

void rci_augment_chain_free(struct rci_augment_chain *a)
{
    if (a)
        rci_method_uses_free(a->use, a->n);
    rci_release(a);
}

rc_status rci_augment_chain_check(const struct rci_augment_chain *a, uint32_t channels, bool is_f32)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct rci_augmentation *m = link_at(a, i);
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
        most = link_at(a, i)->room > most ? link_at(a, i)->room : most;
    return most;
}

bool rci_augment_chain_mixes(const struct rci_augment_chain *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (link_at(a, i)->blend)
            return true;
    return false;
}

/* The second image goes through the methods before this one that do not mix. */
static rc_status mix_link(const struct rci_augment_chain *a, uint32_t at,
                          struct rci_augment_image *image, struct rci_rng *rng,
                          const struct rci_augment_mixer *mixer)
{
    const struct rci_augmentation *m = link_at(a, at);
    struct rci_augment_image other;
    int32_t label = 0;
    double share = m->share(a->use[at].params, rng);
    if (share <= 0)
        return RC_OK;
    RC_TRY(mixer->fetch(mixer->user, rng, &other, &label));
    for (uint32_t i = 0; i < at; i++)
        if (link_at(a, i)->apply)
            link_at(a, i)->apply(a->use[i].params, &other, rng);
    share = m->blend(a->use[at].params, image, &other, share, rng);
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
        if (link_at(a, i)->apply)
            link_at(a, i)->apply(a->use[i].params, image, rng);
        else if (mixer)
            RC_TRY(mix_link(a, i, image, rng, mixer));
    }
    return RC_OK;
}
