/* Affine transforms with Pillow's rounding: the nearest pixel in 16 fraction bits, bilinear in
 * double, cut to whole levels. */
#include "data/augment/affine.h"

#include <math.h>
#include <string.h>

static int64_t fixed(double v)
{
    return (int64_t) floor(v * 65536 + 0.5);
}

static void affine_nearest(struct rci_augment_image *image, const double m[6])
{
    const int64_t w = image->width, h = image->height;
    const size_t plane = rci_augment_plane(image);
    const int64_t step_x = fixed(m[0]), step_y = fixed(m[3]), row_x = fixed(m[1]),
                  row_y = fixed(m[4]);
    const int64_t first_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    const int64_t first_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    memset(image->spare, 0, plane * image->channels);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const int64_t from_x = (first_x + y * row_x + x * step_x) >> 16;
            const int64_t from_y = (first_y + y * row_y + x * step_y) >> 16;
            if (from_x < 0 || from_x >= w || from_y < 0 || from_y >= h)
                continue;
            const size_t to = (size_t) (y * w + x), from = (size_t) (from_y * w + from_x);
            for (uint32_t c = 0; c < image->channels; c++)
                image->spare[c * plane + to] = image->data[c * plane + from];
        }
}

static int64_t within(int64_t v, int64_t n)
{
    return v < 0 ? 0 : v < n ? v : n - 1;
}

static uint8_t between(const uint8_t *p, const size_t at[4], double dx, double dy)
{
    const double up = p[at[0]] + dx * (p[at[1]] - p[at[0]]);
    const double down = p[at[2]] + dx * (p[at[3]] - p[at[2]]);
    return (uint8_t) (up + dy * (down - up));
}

static void affine_bilinear(struct rci_augment_image *image, const double m[6])
{
    const int64_t w = image->width, h = image->height;
    const size_t plane = rci_augment_plane(image);
    memset(image->spare, 0, plane * image->channels);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const double cx = (double) x + 0.5, cy = (double) y + 0.5;
            const double fx = m[0] * cx + m[1] * cy + m[2], fy = m[3] * cx + m[4] * cy + m[5];
            if (!(fx >= 0 && fx < (double) w && fy >= 0 && fy < (double) h))
                continue;
            const int64_t ix = (int64_t) floor(fx - 0.5), iy = (int64_t) floor(fy - 0.5);
            const int64_t top = within(iy, h) * w, bottom = within(iy + 1, h) * w;
            const int64_t left = within(ix, w), right = within(ix + 1, w);
            const size_t at[4] = {(size_t) (top + left), (size_t) (top + right),
                                  (size_t) (bottom + left), (size_t) (bottom + right)};
            for (uint32_t c = 0; c < image->channels; c++)
                image->spare[c * plane + (size_t) (y * w + x)] = between(
                    image->data + c * plane, at, fx - 0.5 - (double) ix, fy - 0.5 - (double) iy);
        }
}

void rci_affine_apply(struct rci_augment_image *image, const double m[6], bool bilinear)
{
    (bilinear ? affine_bilinear : affine_nearest)(image, m);
    rci_augment_swap(image);
}

/* Sine and cosine as Python's round(x, 15) leaves them: 90 degrees are exact. */
static double near(double v)
{
    return nearbyint(v * 1e15) / 1e15;
}

void rci_affine_rotate(struct rci_augment_image *image, double degrees, bool bilinear)
{
    const double angle = -degrees * M_PI / 180, c = near(cos(angle)), s = near(sin(angle));
    const double x = image->width / 2.0, y = image->height / 2.0;
    const double m[6] = {c, s, x - c * x - s * y, -s, c, y + s * x - c * y};
    rci_affine_apply(image, m, bilinear);
}

static void shift_row(uint8_t *to, const uint8_t *from, int64_t width, int64_t right, size_t item)
{
    const int64_t skip = right > 0 ? right : 0, start = right < 0 ? -right : 0;
    const int64_t n = width - skip - start;
    memset(to, 0, (size_t) width * item);
    if (n > 0)
        memcpy(to + (size_t) skip * item, from + (size_t) start * item, (size_t) n * item);
}

void rci_affine_shift(struct rci_augment_image *image, int64_t right, int64_t down)
{
    const int64_t h = image->height, w = image->width;
    const size_t row = image->item * (size_t) w;
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t y = 0; y < h; y++) {
            uint8_t *to = image->spare + (size_t) (c * h + y) * row;
            if (y - down < 0 || y - down >= h)
                memset(to, 0, row);
            else
                shift_row(to, image->data + (size_t) (c * h + y - down) * row, w, right,
                          image->item);
        }
    rci_augment_swap(image);
}
