/* Pixels turned around the color wheel. */
#include "data/augment/operation.h"

#include <math.h>

static int wheel(double v)
{
    const int i = (int) (v * 255);
    return i < 0 ? 0 : i > 255 ? 255 : i;
}

/* One pixel, by way of hue and saturation in 0..255 as Pillow keeps them. */
static void turn_pixel(uint8_t *r, uint8_t *g, uint8_t *b, int turn)
{
    const int most = *r > *g ? (*r > *b ? *r : *b) : *g > *b ? *g : *b;
    const int least = *r < *g ? (*r < *b ? *r : *b) : *g < *b ? *g : *b;
    if (most == least)
        return;
    const float span = (float) (most - least), s = span / (float) most;
    const float rc = (float) (most - *r) / span, gc = (float) (most - *g) / span,
                bc = (float) (most - *b) / span;
    const float h = *r == most ? bc - gc : *g == most ? 2 + rc - bc : 4 + gc - rc;
    const int hue = (wheel(fmod(h / 6.0 + 1.0, 1.0)) + turn) & 255, sat = wheel((double) s);
    const float sector = (float) hue * 6.0f / 255.0f, fs = (float) sat / 255.0f;
    const int i = (int) floorf(sector);
    const float f = sector - (float) i, v = (float) most;
    const uint8_t p = (uint8_t) roundf(v * (1 - fs)), q = (uint8_t) roundf(v * (1 - fs * f)),
                  t = (uint8_t) roundf(v * (1 - fs * (1 - f))), m = (uint8_t) most;
    const uint8_t out[6][3] = {{m, t, p}, {q, m, p}, {p, m, t}, {p, q, m}, {t, p, m}, {m, p, q}};
    *r = out[i % 6][0];
    *g = out[i % 6][1];
    *b = out[i % 6][2];
}

void rci_turn_hue(struct rci_augment_image *image, double turns)
{
    const size_t n = rci_augment_plane(image);
    const int turn = (int) (turns * 255) & 255;
    uint8_t *p = image->data;
    for (size_t i = 0; image->channels == 3 && i < n; i++)
        turn_pixel(p + i, p + n + i, p + 2 * n + i, turn);
}
