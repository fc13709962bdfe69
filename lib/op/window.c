/* out = floor((in + begin + end - (kernel-1)*dilation - 1) / stride) + 1, and ONNX's ways to say
 * it. */
#include "op/window.h"

#include <string.h>

/* Of a kernel, stride, dilation or padding: products of two of them, and of one with a place in an
 * image, then stay far below 2^63. */
enum { MAX_EXTENT = 1 << 16 };

static rc_status read_list(const struct rci_attrs *r, const char *name, int64_t *out, int32_t count,
                           int64_t least)
{
    int64_t v[4];
    int32_t n;
    RC_TRY(rci_attr_ints(r, name, v, 4, &n));
    if (n < 0)
        return RC_OK;
    if (n != count && !strcmp(name, "kernel_shape") && n > 0)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": kernel_shape has %d entries, only 2 (height, width) are "
                        "supported",
                        rci_attrs_node(r), n);
    if (n != count)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %s has %d entries, must have %d",
                        rci_attrs_node(r), name, n, count);
    for (int32_t i = 0; i < n; i++) {
        if (v[i] < least || v[i] > MAX_EXTENT)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": %s[%d] is %lld, allowed %lld to %d",
                            rci_attrs_node(r), name, i, (long long) v[i], (long long) least,
                            MAX_EXTENT);
        out[i] = v[i];
    }
    return RC_OK;
}

static const char *const auto_pad_names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};

static rc_status read_auto_pad(struct rci_window_attrs *a, const struct rci_attrs *r)
{
    const char *text;
    RC_TRY(rci_attr_string(r, "auto_pad", &text));
    if (!*text)
        return RC_OK;
    for (int32_t i = 0; i < 4; i++) {
        if (strcmp(text, auto_pad_names[i]) != 0)
            continue;
        a->auto_pad = i;
        if (i && (a->pads[0] || a->pads[1] || a->pads[2] || a->pads[3]))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": auto_pad is %s, pads must be absent",
                            rci_attrs_node(r), text);
        return RC_OK;
    }
    return rci_fail(
        RC_ERR_MODEL,
        "node \"%s\": auto_pad is \"%.32s\", allowed NOTSET SAME_UPPER SAME_LOWER VALID",
        rci_attrs_node(r), text);
}

rc_status rci_window_read(struct rci_window_attrs *a, const struct rci_attrs *r)
{
    a->stride[0] = a->stride[1] = a->dilation[0] = a->dilation[1] = 1;
    RC_TRY(read_list(r, "kernel_shape", a->kernel, 2, 1));
    RC_TRY(read_list(r, "strides", a->stride, 2, 1));
    RC_TRY(read_list(r, "dilations", a->dilation, 2, 1));
    RC_TRY(read_list(r, "pads", a->pads, 4, 0));
    return read_auto_pad(a, r);
}

/* Attributes that a builder left out are 0. */
static int64_t or_one(int64_t v)
{
    return v ? v : 1;
}

rc_status rci_window_write(const struct rci_window_attrs *a, struct rci_attr_write *w)
{
    const int64_t stride[2] = {or_one(a->stride[0]), or_one(a->stride[1])};
    const int64_t dilation[2] = {or_one(a->dilation[0]), or_one(a->dilation[1])};
    if (a->kernel[0])
        RC_TRY(rci_put_ints(w, "kernel_shape", a->kernel, 2));
    RC_TRY(rci_put_ints(w, "strides", stride, 2));
    if (dilation[0] != 1 || dilation[1] != 1)
        RC_TRY(rci_put_ints(w, "dilations", dilation, 2));
    if (a->auto_pad)
        return rci_put_string(w, "auto_pad", auto_pad_names[a->auto_pad & 3]);
    return rci_put_ints(w, "pads", a->pads, 4);
}

/* Output size and padding along axis a (0 height, 1 width). SAME_UPPER and SAME_LOWER: out =
 * ceil(in / stride), whatever the kernel; an odd amount of padding goes behind or before. */
static rc_status resolve_axis(struct rci_window *w, const struct rci_node *n, int a, int auto_pad,
                              bool ceil_mode)
{
    const int64_t in = w->in[a], stride = w->stride[a];
    const int64_t extent = (w->kernel[a] - 1) * w->dilation[a] + 1;
    if (auto_pad == RC_AUTO_PAD_SAME_UPPER || auto_pad == RC_AUTO_PAD_SAME_LOWER) {
        w->out[a] = (in + stride - 1) / stride;
        const int64_t need = (w->out[a] - 1) * stride + extent - in;
        const int64_t total = need > 0 ? need : 0;
        w->begin[a] = auto_pad == RC_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->end[a] = total - w->begin[a];
        return RC_OK;
    }
    /* ceil_mode counts a window that begins inside and ends outside, even the only one */
    const int64_t room = in + w->begin[a] + w->end[a] - extent, past = ceil_mode ? stride - 1 : 0;
    if (room + past < 0)
        return rci_fail(
            RC_ERR_MODEL, "node \"%s\": the window spans %lld along %s, the padded input has %lld",
            n->name, (long long) extent, a ? "width" : "height", (long long) (room + extent));
    w->out[a] = (room + past) / stride + 1;
    /* a last window that starts beyond the image would see nothing but padding */
    if (ceil_mode && (w->out[a] - 1) * stride >= in + w->begin[a])
        w->out[a]--;
    return RC_OK;
}

rc_status rci_window_resolve(struct rci_window *w, const struct rci_node *n,
                             const struct rci_window_attrs *a, const struct rci_shape *x,
                             const int64_t kernel[2], bool ceil_mode)
{
    for (int i = 0; i < 2; i++) {
        w->in[i] = x->dim[2 + i];
        w->kernel[i] = a->kernel[i] ? a->kernel[i] : kernel[i];
        w->stride[i] = or_one(a->stride[i]);
        w->dilation[i] = or_one(a->dilation[i]);
        w->begin[i] = a->auto_pad ? 0 : a->pads[i];
        w->end[i] = a->auto_pad ? 0 : a->pads[2 + i];
        if (w->kernel[i] < 1 || w->kernel[i] > MAX_EXTENT || w->stride[i] < 1 ||
            w->dilation[i] < 1 || w->dilation[i] > MAX_EXTENT || w->begin[i] < 0 || w->end[i] < 0)
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": kernel %lld, stride %lld, dilation %lld, pads %lld and "
                            "%lld: kernel, stride and dilation must be 1 or more, pads 0 or more",
                            n->name, (long long) w->kernel[i], (long long) w->stride[i],
                            (long long) w->dilation[i], (long long) w->begin[i],
                            (long long) w->end[i]);
        RC_TRY(resolve_axis(w, n, i, a->auto_pad, ceil_mode));
    }
    return RC_OK;
}

/* Smallest x with x*stride + k*dilation - begin >= 0, and the same below `in`. */
bool rci_window_absorb(struct rci_window_attrs *a, const struct rci_padding *p,
                       const int64_t kernel[2])
{
    if (a->auto_pad == RC_AUTO_PAD_SAME_UPPER || a->auto_pad == RC_AUTO_PAD_SAME_LOWER)
        return false;
    for (int k = 0; k < 4; k++) {
        const int64_t taps = a->kernel[k % 2] ? a->kernel[k % 2] : kernel[k % 2];
        const int64_t apart = a->dilation[k % 2] ? a->dilation[k % 2] : 1;
        if (a->pads[k] + p->pads[k] > (taps - 1) * apart)
            return false;
    }
    for (int k = 0; k < 4; k++)
        a->pads[k] += p->pads[k];
    a->auto_pad = RC_AUTO_PAD_NONE;
    return true;
}

void rci_window_valid(const struct rci_window *w, int a, int64_t k, int64_t *from, int64_t *to)
{
    const int64_t shift = w->begin[a] - k * w->dilation[a], s = w->stride[a];
    const int64_t end = w->in[a] + shift; /* x*s < end */
    int64_t lo = shift > 0 ? (shift + s - 1) / s : 0;
    int64_t hi = end > 0 ? (end + s - 1) / s : 0;
    if (hi > w->out[a])
        hi = w->out[a];
    *from = lo < hi ? lo : hi;
    *to = hi;
}

rc_status rci_check_image(const struct rci_infer *i, const char *what)
{
    char text[RC_SHAPE_TEXT];
    const struct rci_shape *s = &i->in[0].shape;
    if (s->rank == 4)
        return RC_OK;
    const bool known = s->rank == 3 || s->rank == 5;
    return rci_fail(known ? RC_ERR_UNSUPPORTED : RC_ERR_SHAPE,
                    "node \"%s\": %s of a %s input, only [N, C, H, W] is supported", i->node->name,
                    what, rci_shape_text(s, text));
}
