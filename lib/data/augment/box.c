/* area ~ U(low, high) of the image, log(ratio) ~ U(log low, log high); the place is uniform. */
#include "data/augment/box.h"

#include <math.h>

enum { TRIES = 10 };

bool rci_box_random(struct rci_box *out, const struct rci_augment_image *image,
                    const struct rci_box_draw *d, struct rci_rng *rng)
{
    const double all = (double) rci_augment_plane(image);
    const double low = log(d->ratio_low), high = log(fmax(d->ratio_high, d->ratio_low));
    for (int i = 0; i < TRIES; i++) {
        const double area = all * (d->area_low + (fmax(d->area_high, d->area_low) - d->area_low) *
                                                     rci_rng_uniform(rng));
        const double ratio = exp(low + (high - low) * rci_rng_uniform(rng));
        const double w = nearbyint(sqrt(area * ratio)), h = nearbyint(sqrt(area / ratio));
        if (!(w >= 1 && w <= image->width && h >= 1 && h <= image->height))
            continue;
        const int64_t x = rci_rng_below(rng, image->width - (uint32_t) w + 1);
        const int64_t y = rci_rng_below(rng, image->height - (uint32_t) h + 1);
        *out = (struct rci_box){x, y, x + (int64_t) w, y + (int64_t) h};
        return true;
    }
    return false;
}

/* Which two pixels of n from `first` on, and the share of the second, for output `i` of `out`. */
struct tap {
    int64_t at[2];
    double share;
};

static struct tap tap_of(int64_t first, int64_t n, uint32_t i, uint32_t out)
{
    const double v = (i + 0.5) * (double) n / out - 0.5;
    const int64_t low = (int64_t) floor(v), last = n - 1;
    return (struct tap){.at = {first + (low < 0 ? 0 : low), first + (low < last ? low + 1 : last)},
                        .share = v - (double) low};
}

static float value_at(const uint8_t *p, uint32_t item, int64_t at)
{
    return item == 1 ? p[at] : ((const float *) (const void *) p)[at];
}

static void resize_row(const struct rci_augment_image *image, const struct rci_box *b, uint32_t c,
                       uint32_t y)
{
    const int64_t w = image->width, row = (int64_t) c * image->height;
    const struct tap v = tap_of(b->y0, b->y1 - b->y0, y, image->height);
    const int64_t up = (row + v.at[0]) * w, down = (row + v.at[1]) * w, to = (row + y) * w;
    for (uint32_t x = 0; x < image->width; x++) {
        const struct tap h = tap_of(b->x0, b->x1 - b->x0, x, image->width);
        const float a = value_at(image->data, image->item, up + h.at[0]);
        const float a2 = value_at(image->data, image->item, up + h.at[1]);
        const float d = value_at(image->data, image->item, down + h.at[0]);
        const float d2 = value_at(image->data, image->item, down + h.at[1]);
        const float above = a + (float) h.share * (a2 - a), below = d + (float) h.share * (d2 - d);
        const float r = above + (float) v.share * (below - above);
        if (image->item == 1)
            image->spare[to + x] = (uint8_t) (r + 0.5f);
        else
            ((float *) (void *) image->spare)[to + x] = r;
    }
}

void rci_box_resize(struct rci_augment_image *image, const struct rci_box *b)
{
    for (uint32_t c = 0; c < image->channels; c++)
        for (uint32_t y = 0; y < image->height; y++)
            resize_row(image, b, c, y);
    rci_augment_swap(image);
}
