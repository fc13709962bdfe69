/* L = mean over images and pixels of (a(S) - a(T))^2, a(F) = vec(mean_c F^2) / |vec(mean_c F^2)|;
 * the larger map is averaged down to the smaller one first. With u = mean_c F^2 and a = u / |u|:
 * dL/du = (g - a (a g)) / |u|, dL/dF_c = 2 F_c / C dL/du. */
#include "distill/loss.h"

#include <math.h>
#include <string.h>

static const struct rci_param table[] = {RC_DISTILL_COMMON(1000)};

/* A map and the h x w grid that it is averaged to: cell i has rows i H / h .. ceil((i + 1) H / h).
 */
struct grid {
    const struct rci_feature *f;
    uint32_t h, w;
};

struct cell {
    uint32_t y0, y1, x0, x1;
};

static struct cell cell_at(const struct grid *g, uint32_t k)
{
    const uint32_t y = k / g->w, x = k % g->w, H = g->f->height, W = g->f->width;
    return (struct cell){y * H / g->h, ((y + 1) * H + g->h - 1) / g->h, x * W / g->w,
                         ((x + 1) * W + g->w - 1) / g->w};
}

static double cell_mean(const struct grid *g, const float *plane, const struct cell *c)
{
    double sum = 0;
    for (uint32_t y = c->y0; y < c->y1; y++)
        for (uint32_t x = c->x0; x < c->x1; x++)
            sum += plane[(size_t) y * g->f->width + x];
    return sum / ((c->y1 - c->y0) * (double) (c->x1 - c->x0));
}

static size_t image_size(const struct rci_feature *f)
{
    return (size_t) f->channels * f->height * f->width;
}

/* a of image i; returns |u|. */
static double attention(const struct grid *g, uint32_t i, double *a)
{
    const uint32_t cells = g->h * g->w;
    const size_t plane = (size_t) g->f->height * g->f->width;
    double norm = 0;
    for (uint32_t k = 0; k < cells; k++) {
        const struct cell at = cell_at(g, k);
        a[k] = 0;
        for (uint32_t c = 0; c < g->f->channels; c++) {
            const double v = cell_mean(g, g->f->x + i * image_size(g->f) + c * plane, &at);
            a[k] += v * v / g->f->channels;
        }
        norm += a[k] * a[k];
    }
    norm = fmax(sqrt(norm), 1e-12);
    for (uint32_t k = 0; k < cells; k++)
        a[k] /= norm;
    return norm;
}

/* Spreads d L / d u of image i over the student's map. */
static void attention_back(const struct grid *g, uint32_t i, const double *du, float *grad)
{
    const size_t plane = (size_t) g->f->height * g->f->width;
    memset(grad, 0, image_size(g->f) * sizeof(*grad));
    for (uint32_t k = 0; k < g->h * g->w; k++) {
        const struct cell at = cell_at(g, k);
        const double area = (at.y1 - at.y0) * (double) (at.x1 - at.x0);
        for (uint32_t c = 0; c < g->f->channels; c++) {
            const float *map = g->f->x + i * image_size(g->f) + c * plane;
            const double d = 2 * cell_mean(g, map, &at) / g->f->channels * du[k] / area;
            for (uint32_t y = at.y0; y < at.y1; y++)
                for (uint32_t x = at.x0; x < at.x1; x++)
                    grad[c * plane + (size_t) y * g->f->width + x] += (float) d;
        }
    }
}

static double at_image(const struct rci_feature_pair *p, const struct grid g[2], uint32_t i,
                       double *a)
{
    const uint32_t cells = g[0].h * g[0].w;
    const double count = (double) p->n * cells;
    double *b = a + cells, sum = 0, along = 0;
    const double norm = attention(&g[0], i, a);
    attention(&g[1], i, b);
    for (uint32_t k = 0; k < cells; k++) {
        b[k] = 2 * (a[k] - b[k]) / count;
        sum += b[k] * b[k] * count / 4;
        along += a[k] * b[k];
    }
    for (uint32_t k = 0; k < cells; k++)
        b[k] = (b[k] - a[k] * along) / norm;
    if (p->grad)
        attention_back(&g[0], i, b, p->grad + i * image_size(&p->student));
    return sum;
}

static double at_maps(const void *params, const struct rci_feature_pair *p, double *room)
{
    (void) params;
    const struct rci_feature *s = &p->student, *t = &p->teacher;
    const uint32_t h = s->height < t->height ? s->height : t->height;
    const uint32_t w = s->width < t->width ? s->width : t->width;
    const struct grid g[2] = {{s, h, w}, {t, h, w}};
    const size_t each = 2 * (size_t) h * w + 1;
    double total = 0;
#pragma omp parallel for schedule(static)
    for (uint32_t i = 0; i < p->n; i++) {
        double *own = room + i * each;
        own[each - 1] = at_image(p, g, i, own);
    }
    for (uint32_t i = 0; i < p->n; i++)
        total += room[i * each + each - 1];
    return total;
}

static size_t at_room(uint32_t n, size_t width)
{
    return n * (2 * width + 1);
}

const struct rci_distill_loss rci_distill_loss_at = {
    .m = {.name = "at",
          .summary = "where the feature maps are active",
          .source = "Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017",
          .params_size = sizeof(struct rci_distill_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .maps = at_maps,
    .room = at_room,
    .place = RC_HINT_STAGES,
};
