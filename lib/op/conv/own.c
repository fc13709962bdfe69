/* Winograd's kernel or the direct one behind one face. */
#include "op/conv/own.h"

bool rci_conv_own_fits(const struct rci_conv_spec *s)
{
    return rci_winograd_fits(s) || rci_direct_fits(s) || rci_gemm_fits(s);
}

rc_status rci_conv_own_create(struct rci_conv_own *out, struct rc_context *c,
                              const struct rci_conv_spec *s)
{
    *out = (struct rci_conv_own){NULL, NULL, NULL};
    return rci_winograd_fits(s) ? rci_winograd_create(&out->winograd, c, s)
           : rci_direct_fits(s) ? rci_direct_create(&out->direct, c, s)
                                : rci_gemm_create(&out->gemm, c, s);
}

void rci_conv_own_destroy(struct rci_conv_own *o)
{
    rci_winograd_destroy(o->winograd);
    rci_direct_destroy(o->direct);
    rci_gemm_destroy(o->gemm);
    *o = (struct rci_conv_own){NULL, NULL, NULL};
}

bool rci_conv_own_exists(const struct rci_conv_own *o)
{
    return o->winograd || o->direct || o->gemm;
}

size_t rci_conv_own_weights_bytes(const struct rci_conv_own *o)
{
    return o->winograd ? rci_winograd_weights_bytes(o->winograd)
           : o->direct ? rci_direct_weights_bytes(o->direct)
                       : rci_gemm_weights_bytes(o->gemm);
}

size_t rci_conv_own_bias_bytes(const struct rci_conv_own *o)
{
    return o->winograd ? rci_winograd_bias_bytes(o->winograd)
           : o->direct ? rci_direct_bias_bytes(o->direct)
                       : rci_gemm_bias_bytes(o->gemm);
}

size_t rci_conv_own_scratch(const struct rci_conv_own *o)
{
    return o->winograd ? rci_winograd_scratch(o->winograd)
           : o->direct ? rci_direct_scratch(o->direct)
                       : rci_gemm_scratch(o->gemm);
}

bool rci_conv_own_planes(const struct rci_conv_own *o)
{
    return o->direct && rci_direct_planes(o->direct);
}

const char *rci_conv_own_name(const struct rci_conv_own *o)
{
    return o->winograd ? rci_winograd_name(o->winograd)
           : o->direct ? rci_direct_name(o->direct)
                       : rci_gemm_name(o->gemm);
}

void rci_conv_own_pack_weights(const struct rci_conv_own *o, const float *plain, float *packed)
{
    if (o->winograd)
        rci_winograd_pack_weights(o->winograd, plain, packed);
    else if (o->direct)
        rci_direct_pack_weights(o->direct, plain, packed);
    else
        rci_gemm_pack_weights(o->gemm, plain, packed);
}

void rci_conv_own_pack_bias(const struct rci_conv_own *o, const float *plain, float *packed)
{
    if (o->winograd)
        rci_winograd_pack_bias(o->winograd, plain, packed);
    else if (o->direct)
        rci_direct_pack_bias(o->direct, plain, packed);
    else
        rci_gemm_pack_bias(o->gemm, plain, packed);
}

void rci_conv_own_run(const struct rci_conv_own *o, const struct rci_conv_args *a)
{
    if (o->winograd)
        rci_winograd_run(o->winograd, a);
    else if (o->direct)
        rci_direct_run(o->direct, a);
    else
        rci_gemm_run(o->gemm, a);
}

void rci_conv_own_share(const struct rci_conv_own *o, const struct rci_conv_args *a)
{
    if (o->winograd)
        rci_winograd_share(o->winograd, a);
    else if (o->direct)
        rci_direct_share(o->direct, a);
    else
        rci_gemm_share(o->gemm, a);
}
