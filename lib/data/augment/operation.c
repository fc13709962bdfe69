/* Shear, translate, rotate, brightness, color, contrast, sharpness, posterize, solarize, auto
 * contrast, equalize and invert with Pillow's arithmetic, rounding included. */
#include "data/augment/operation.h"

#include "data/augment/affine.h"

#include <math.h>
#include <string.h>

bool rci_operation_is_signed(enum rci_operation op)
{
    return op >= RC_OPERATION_SHEAR_X && op <= RC_OPERATION_SHARPNESS;
}

struct rci_operation_range rci_operation_usual_range(const struct rci_augment_image *image)
{
    return (struct rci_operation_range){
        .shear = 0.3,
        .rotate = 30,
        .enhance = 0.9,
        .translate_x = 150.0 / 331 * image->width,
        .translate_y = 150.0 / 331 * image->height,
        .bits = 8,
        .fewer = 4,
    };
}

double rci_operation_magnitude(const struct rci_operation_range *r, enum rci_operation op,
                               uint32_t bin, uint32_t bins)
{
    const double at = bins > 1 ? (double) bin / (bins - 1) : 0;
    switch (op) {
    case RC_OPERATION_SHEAR_X:
    case RC_OPERATION_SHEAR_Y:
        return at * r->shear;
    case RC_OPERATION_TRANSLATE_X:
        return at * r->translate_x;
    case RC_OPERATION_TRANSLATE_Y:
        return at * r->translate_y;
    case RC_OPERATION_ROTATE:
        return at * r->rotate;
    case RC_OPERATION_BRIGHTNESS:
    case RC_OPERATION_COLOR:
    case RC_OPERATION_CONTRAST:
    case RC_OPERATION_SHARPNESS:
        return at * r->enhance;
    case RC_OPERATION_POSTERIZE:
        return r->bits - nearbyint(at * r->fewer);
    case RC_OPERATION_SOLARIZE:
        return 255 * (1 - at);
    default:
        return 0;
    }
}

static inline uint8_t cut(float v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t) v;
}

void rci_blend_black(uint8_t *p, size_t n, float factor)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = cut((float) i * factor);
    for (size_t i = 0; i < n; i++)
        p[i] = table[p[i]];
}

/* Luma of Pillow's mode L, in 16 fraction bits. */
static inline uint32_t luma(uint32_t r, uint32_t g, uint32_t b)
{
    return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}

void rci_adjust_color(struct rci_augment_image *image, float factor)
{
    const size_t n = rci_augment_plane(image);
    uint8_t *r = image->data, *g = r + n, *b = g + n;
    if (image->channels != 3)
        return;
    for (size_t i = 0; i < n; i++) {
        const int grey = (int) luma(r[i], g[i], b[i]);
        r[i] = cut((float) grey + factor * (float) (r[i] - grey));
        g[i] = cut((float) grey + factor * (float) (g[i] - grey));
        b[i] = cut((float) grey + factor * (float) (b[i] - grey));
    }
}

/* Of the luma, or over all channels where they are not red, green and blue. */
static int mean_grey(const struct rci_augment_image *image)
{
    const size_t n = rci_augment_plane(image), all = n * image->channels;
    const uint8_t *p = image->data;
    uint64_t sum = 0;
    if (image->channels == 3)
        for (size_t i = 0; i < n; i++)
            sum += luma(p[i], p[i + n], p[i + 2 * n]);
    else
        for (size_t i = 0; i < all; i++)
            sum += p[i];
    return (int) ((double) sum / (double) (image->channels == 3 ? n : all) + 0.5);
}

void rci_adjust_contrast(struct rci_augment_image *image, float factor)
{
    const size_t n = rci_augment_plane(image) * image->channels;
    const int grey = mean_grey(image);
    uint8_t table[256], *p = image->data;
    for (int i = 0; i < 256; i++)
        table[i] = cut((float) grey + factor * (float) (i - grey));
    for (size_t i = 0; i < n; i++)
        p[i] = table[p[i]];
}

/* Row y of the mean over [1 1 1; 1 5 1; 1 1 1] / 13, blended with the row itself. */
static void sharpen_row(uint8_t *restrict out, const uint8_t *restrict in, size_t w, float factor)
{
    const uint8_t *up = in - w, *down = in + w;
    for (size_t x = 1; x + 1 < w; x++) {
        const int near = up[x - 1] + up[x] + up[x + 1] + in[x - 1] + in[x + 1] + down[x - 1] +
                         down[x] + down[x + 1];
        const int smooth = (int) ((float) (near + 5 * in[x]) * (1.0f / 13) + 0.5f);
        out[x] = cut((float) smooth + factor * (float) (in[x] - smooth));
    }
}

static void adjust_sharpness(struct rci_augment_image *image, float factor)
{
    const size_t w = image->width, h = image->height, n = rci_augment_plane(image);
    memcpy(image->spare, image->data, n * image->channels);
    for (uint32_t c = 0; c < image->channels; c++)
        for (size_t y = 1; y + 1 < h; y++)
            sharpen_row(image->spare + c * n + y * w, image->data + c * n + y * w, w, factor);
    rci_augment_swap(image);
}

static void look_up(uint8_t *p, size_t n, const uint8_t table[256])
{
    for (size_t i = 0; i < n; i++)
        p[i] = table[p[i]];
}

static void count_levels(const uint8_t *p, size_t n, uint32_t count[256])
{
    uint32_t part[4][256] = {{0}}; /* equal neighbours do not wait for each other */
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            part[k][p[i + (size_t) k]]++;
    for (; i < n; i++)
        part[0][p[i]]++;
    for (int v = 0; v < 256; v++)
        count[v] = part[0][v] + part[1][v] + part[2][v] + part[3][v];
}

static void auto_contrast_plane(uint8_t *p, size_t n)
{
    uint8_t table[256];
    int low = 255, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = p[i] < low ? p[i] : low;
        high = p[i] > high ? p[i] : high;
    }
    if (high <= low)
        return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int i = 0; i < 256; i++) {
        const int v = (int) (i * scale + offset);
        table[i] = v < 0 ? 0 : v > 255 ? 255 : (uint8_t) v;
    }
    look_up(p, n, table);
}

static void equalize_plane(uint8_t *p, size_t n)
{
    uint32_t count[256];
    uint8_t table[256];
    count_levels(p, n, count);
    int last = 255;
    while (last > 0 && !count[last])
        last--;
    const uint64_t step = (n - count[last]) / 255;
    if (step == 0)
        return;
    uint64_t sum = step / 2;
    for (int i = 0; i < 256; i++) {
        const uint64_t v = sum / step;
        table[i] = v > 255 ? 255 : (uint8_t) v;
        sum += count[i];
    }
    look_up(p, n, table);
}

static void each_plane(struct rci_augment_image *image, void (*f)(uint8_t *, size_t))
{
    const size_t n = rci_augment_plane(image);
    for (uint32_t c = 0; c < image->channels; c++)
        f(image->data + c * n, n);
}

static void posterize(uint8_t *p, size_t n, int bits)
{
    const uint8_t mask = (uint8_t) ~((1u << (8 - bits)) - 1);
    for (size_t i = 0; i < n; i++)
        p[i] &= mask;
}

static void solarize(uint8_t *p, size_t n, double threshold)
{
    for (size_t i = 0; i < n; i++)
        p[i] = p[i] < threshold ? p[i] : (uint8_t) (255 - p[i]);
}

static void change_values(struct rci_augment_image *image, enum rci_operation op, double magnitude)
{
    const size_t n = rci_augment_plane(image) * image->channels;
    const float factor = (float) (1 + magnitude);
    switch (op) {
    case RC_OPERATION_BRIGHTNESS:
        rci_blend_black(image->data, n, factor);
        break;
    case RC_OPERATION_COLOR:
        rci_adjust_color(image, factor);
        break;
    case RC_OPERATION_CONTRAST:
        rci_adjust_contrast(image, factor);
        break;
    case RC_OPERATION_SHARPNESS:
        adjust_sharpness(image, factor);
        break;
    case RC_OPERATION_POSTERIZE:
        posterize(image->data, n, (int) magnitude);
        break;
    case RC_OPERATION_SOLARIZE:
        solarize(image->data, n, magnitude);
        break;
    case RC_OPERATION_AUTO_CONTRAST:
        each_plane(image, auto_contrast_plane);
        break;
    case RC_OPERATION_EQUALIZE:
        each_plane(image, equalize_plane);
        break;
    case RC_OPERATION_INVERT:
        solarize(image->data, n, 0);
        break;
    default:
        break;
    }
}

void rci_operation_apply(struct rci_augment_image *image, enum rci_operation op, double magnitude,
                         bool bilinear)
{
    switch (op) {
    case RC_OPERATION_SHEAR_X:
        rci_affine_apply(image, (const double[]){1, magnitude, 0, 0, 1, 0}, bilinear);
        break;
    case RC_OPERATION_SHEAR_Y:
        rci_affine_apply(image, (const double[]){1, 0, 0, magnitude, 1, 0}, bilinear);
        break;
    case RC_OPERATION_TRANSLATE_X:
        rci_affine_shift(image, (int64_t) magnitude, 0);
        break;
    case RC_OPERATION_TRANSLATE_Y:
        rci_affine_shift(image, 0, (int64_t) magnitude);
        break;
    case RC_OPERATION_ROTATE:
        rci_affine_rotate(image, magnitude, bilinear);
        break;
    default:
        change_values(image, op, magnitude);
    }
}

void rci_operation_random(struct rci_augment_image *image, const struct rci_operation_range *r,
                          enum rci_operation op, const uint32_t bin[2], bool bilinear,
                          struct rci_rng *rng)
{
    double magnitude = rci_operation_magnitude(r, op, bin[0], bin[1]);
    if (rci_operation_is_signed(op) && rci_rng_below(rng, 2))
        magnitude = -magnitude;
    rci_operation_apply(image, op, magnitude, bilinear);
}
