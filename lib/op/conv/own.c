/* Of the convolution kernels of our own, the first that fits. */
#include "op/conv/own.h"

const struct rci_conv_kernel *rci_conv_own_find(const struct rci_conv_spec *s)
{
    for (size_t i = 0; rci_conv_kernels[i]; i++)
        if (rci_conv_kernels[i]->fits(s))
            return rci_conv_kernels[i];
    return NULL;
}

rc_status rci_conv_own_create(struct rci_conv_own *out, struct rc_context *c,
                              const struct rci_conv_spec *s)
{
    const struct rci_conv_kernel *k = rci_conv_own_find(s);
    *out = (struct rci_conv_own){NULL, NULL};
    if (!k)
        return rci_fail(RC_ERR_UNSUPPORTED, "no kernel for this convolution");
    RC_TRY(k->create(&out->state, c, s));
    out->kernel = k;
    return RC_OK;
}

void rci_conv_own_destroy(struct rci_conv_own *o)
{
    if (o->kernel)
        o->kernel->destroy(o->state);
    *o = (struct rci_conv_own){NULL, NULL};
}
