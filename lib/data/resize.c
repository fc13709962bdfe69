/* out[i] = sum_k w[i,k] in[k], w a triangle around the centre of output pixel i that is as wide as
 * the reduction (antialiased bilinear), rows then columns, in fixed point with 22 fraction bits:
 * the arithmetic of Pillow's resize, which torchvision-trained networks have seen. */
#include "data/image.h"
#include <math.h>

enum { FRACTION = 22 };

/* Weights of the output pixels first..first+count-1 of one axis. */
struct taps {
    uint32_t per_pixel;
    uint32_t *from, *n; /* [count] first input and how many */
    int32_t *weight;    /* [count, per_pixel] */
};

struct axis {
    uint32_t in, out, first, count; /* input size, resized size, the part that the crop keeps */
};

static void taps_free(struct taps *t)
{
    rci_release(t->from);
    rci_release(t->n);
    rci_release(t->weight);
}

static void fill_pixel(const struct axis *a, struct taps *t, uint32_t i, double *w)
{
    const double scale = (double) a->in / a->out, wide = scale > 1 ? scale : 1;
    const double center = (a->first + i + 0.5) * scale;
    const double low = center - wide + 0.5, high = center + wide + 0.5;
    const uint32_t from = low > 0 ? (uint32_t) low : 0;
    const uint32_t to = high < a->in ? (uint32_t) high : a->in;
    double sum = 0;
    for (uint32_t k = 0; k < to - from; k++) {
        const double x = fabs((k + from - center + 0.5) * (1 / wide));
        w[k] = x < 1 ? 1 - x : 0;
        sum += w[k];
    }
    for (uint32_t k = 0; k < to - from; k++)
        t->weight[(size_t) i * t->per_pixel + k] =
            (int32_t) (0.5 + w[k] / sum * (double) (1 << FRACTION));
    t->from[i] = from;
    t->n[i] = to - from;
}

static rc_status taps_make(struct rc_context *c, const struct axis *a, struct taps *t)
{
    const double scale = (double) a->in / a->out;
    *t = (struct taps){.per_pixel = (uint32_t) ceil(scale > 1 ? scale : 1) * 2 + 1};
    t->from = rci_alloc_array(c, a->count, sizeof(*t->from));
    t->n = rci_alloc_array(c, a->count, sizeof(*t->n));
    t->weight = rci_alloc_array(c, (size_t) a->count * t->per_pixel, sizeof(*t->weight));
    double *w = rci_alloc_array(c, t->per_pixel, sizeof(*w));
    const bool good = t->from && t->n && t->weight && w;
    for (uint32_t i = 0; good && i < a->count; i++)
        fill_pixel(a, t, i, w);
    rci_release(w);
    return good ? RC_OK : RC_ERR_MEMORY;
}

static uint8_t clip(int64_t v)
{
    v >>= FRACTION;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t) v;
}

/* `step` bytes apart in the input, `count` results one after the other. */
static void filter_line(const struct taps *t, uint32_t count, const uint8_t *in, size_t step,
                        uint8_t *out, size_t out_step)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t *w = t->weight + (size_t) i * t->per_pixel;
        const uint8_t *p = in + t->from[i] * step;
        int64_t sum = 1 << (FRACTION - 1);
        for (uint32_t k = 0; k < t->n[i]; k++)
            sum += (int64_t) w[k] * p[k * step];
        out[i * out_step] = clip(sum);
    }
}

/* The middle `count` of `size`; an odd rest is split as Python's round(): to the even number. */
static uint32_t centre(uint32_t size, uint32_t count)
{
    const uint32_t rest = size - count, half = rest / 2;
    return half + (rest & 1 && half & 1);
}

/* Only the rows that the kept part of the result needs go through the horizontal pass. */
static rc_status filter_planes(struct rc_context *c, const struct rci_image *from,
                               const struct axis *x, const struct axis *y, uint8_t *out)
{
    struct taps h, v = {0};
    uint8_t *middle = NULL;
    rc_status st = taps_make(c, x, &h);
    if (st == RC_OK)
        st = taps_make(c, y, &v);
    const uint32_t top = st == RC_OK ? v.from[0] : 0;
    const uint32_t rows = st == RC_OK ? v.from[y->count - 1] + v.n[y->count - 1] - top : 0;
    if (st == RC_OK && !(middle = rci_alloc(c, (size_t) rows * x->count)))
        st = RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < y->count; i++)
        v.from[i] -= top;
    for (uint32_t ch = 0; st == RC_OK && ch < from->channels; ch++) {
        for (uint32_t r = 0; r < rows; r++)
            filter_line(&h, x->count,
                        from->data + ((size_t) (top + r) * from->width) * from->channels + ch,
                        from->channels, middle + (size_t) r * x->count, 1);
        for (uint32_t col = 0; col < x->count; col++)
            filter_line(&v, y->count, middle + col, x->count,
                        out + (size_t) ch * x->count * y->count + col, x->count);
    }
    rci_release(middle);
    taps_free(&h);
    taps_free(&v);
    return st;
}

rc_status rci_image_resize_crop(struct rc_context *c, const struct rci_image *from,
                                const struct rci_image_cut *cut, uint8_t *out)
{
    const bool wide = from->width >= from->height;
    const uint32_t shorter = wide ? from->height : from->width;
    const uint32_t longer = wide ? from->width : from->height;
    const uint32_t small = cut->resize ? cut->resize : shorter;
    const uint64_t large = (uint64_t) small * longer / shorter;
    if (small < cut->crop)
        return rci_fail(RC_ERR_DATA, "%ux%u pixels, the crop needs %u", from->width, from->height,
                        cut->crop);
    if (large > INT32_MAX)
        return rci_fail(RC_ERR_LIMIT, "%ux%u pixels resize to a side over 2^31 - 1", from->width,
                        from->height);
    const uint32_t w = wide ? (uint32_t) large : small, h = wide ? small : (uint32_t) large;
    const struct axis x = {from->width, w, centre(w, cut->crop), cut->crop};
    const struct axis y = {from->height, h, centre(h, cut->crop), cut->crop};
    return filter_planes(c, from, &x, &y, out);
}
