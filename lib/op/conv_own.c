/* Winograd's kernel or the direct one behind one face. */
#include "op/conv_own.h"

bool rc_conv_own_fits(const struct rc_conv_spec *s)
{
    return rc_winograd_fits(s) || rc_direct_fits(s);
}

rc_status rc_conv_own_create(struct rc_conv_own *out, struct rc_context *c,
                             const struct rc_conv_spec *s)
{
    *out = (struct rc_conv_own){NULL, NULL};
    return rc_winograd_fits(s) ? rc_winograd_create(&out->winograd, c, s)
                               : rc_direct_create(&out->direct, c, s);
}

void rc_conv_own_destroy(struct rc_conv_own *o)
{
    rc_winograd_destroy(o->winograd);
    rc_direct_destroy(o->direct);
    *o = (struct rc_conv_own){NULL, NULL};
}

bool rc_conv_own_exists(const struct rc_conv_own *o)
{
    return o->winograd || o->direct;
}

size_t rc_conv_own_weights_bytes(const struct rc_conv_own *o)
{
    return o->winograd ? rc_winograd_weights_bytes(o->winograd)
                       : rc_direct_weights_bytes(o->direct);
}

size_t rc_conv_own_bias_bytes(const struct rc_conv_own *o)
{
    return o->winograd ? rc_winograd_bias_bytes(o->winograd) : rc_direct_bias_bytes(o->direct);
}

size_t rc_conv_own_scratch(const struct rc_conv_own *o)
{
    return o->winograd ? rc_winograd_scratch(o->winograd) : rc_direct_scratch(o->direct);
}

bool rc_conv_own_planes(const struct rc_conv_own *o)
{
    return o->direct && rc_direct_planes(o->direct);
}

const char *rc_conv_own_name(const struct rc_conv_own *o)
{
    return o->winograd ? rc_winograd_name(o->winograd) : rc_direct_name(o->direct);
}

void rc_conv_own_pack_weights(const struct rc_conv_own *o, const float *plain, float *packed)
{
    if (o->winograd)
        rc_winograd_pack_weights(o->winograd, plain, packed);
    else
        rc_direct_pack_weights(o->direct, plain, packed);
}

void rc_conv_own_pack_bias(const struct rc_conv_own *o, const float *plain, float *packed)
{
    if (o->winograd)
        rc_winograd_pack_bias(o->winograd, plain, packed);
    else
        rc_direct_pack_bias(o->direct, plain, packed);
}

void rc_conv_own_run(const struct rc_conv_own *o, const struct rc_conv_args *a)
{
    if (o->winograd)
        rc_winograd_run(o->winograd, a);
    else
        rc_direct_run(o->direct, a);
}

void rc_conv_own_share(const struct rc_conv_own *o, const struct rc_conv_args *a)
{
    if (o->winograd)
        rc_winograd_share(o->winograd, a);
    else
        rc_direct_share(o->direct, a);
}
