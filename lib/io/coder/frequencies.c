/* Knots: a byte k, the number of knots less one, then symbol and weight of each. A weight is a byte
 * with four binary digits: v below 16 itself, else (16 + v % 16) * 2^(v / 16 - 1). Between knots
 * the weight is that of the line, rounded down; outside it is 0. With C(s) the sum of the weights
 * below s and P(s) the number of symbols below s that have any, symbol s starts at P(s) +
 * floor(C(s) * (4096 - P(256)) / C(256)). */
#include "io/coder/frequencies.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_MOST = 255, SCALED = 1 << 18, STEPS = 40 };

struct knots {
    uint32_t n;
    uint8_t symbol[RCI_SYMBOLS], weight[RCI_SYMBOLS];
};

static uint32_t weight_of(uint8_t v)
{
    return v < 16 ? v : (16u + v % 16) << (v / 16 - 1);
}

/* The code nearest to w. */
static uint8_t weight_code(double w)
{
    if (w < 16)
        return (uint8_t) (w + 0.5);
    int e;
    const double m = frexp(w, &e); /* w = m * 2^e, m in [0.5, 1) */
    const int v = 16 * (e - 4) + (int) (32 * m + 0.5) - 16;
    return (uint8_t) (v > WEIGHT_MOST ? WEIGHT_MOST : v);
}

/* false: no weight at all */
static bool frequencies_make(struct rci_frequencies *f, const struct knots *k)
{
    uint32_t w[RCI_SYMBOLS] = {0};
    uint64_t sum = 0, below = 0;
    uint32_t present = 0, seen = 0;
    for (uint32_t i = 0; i < k->n; i++) {
        const uint64_t a = weight_of(k->weight[i]);
        const uint32_t s = k->symbol[i], next = i + 1 < k->n ? k->symbol[i + 1] : s + 1;
        const uint64_t b = i + 1 < k->n ? weight_of(k->weight[i + 1]) : 0;
        for (uint32_t t = s; t < next; t++)
            w[t] = (uint32_t) ((a * (next - t) + b * (t - s)) / (next - s));
    }
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++) {
        sum += w[s];
        present += w[s] > 0;
    }
    for (uint32_t s = 0; s < RCI_SYMBOLS && sum; s++) {
        f->start[s] = seen + (uint32_t) (below * (RCI_FREQUENCY_ALL - present) / sum);
        below += w[s];
        seen += w[s] > 0;
    }
    f->start[RCI_SYMBOLS] = RCI_FREQUENCY_ALL;
    return sum > 0;
}

/* Bits that the symbols and the knots take; infinite when a symbol has no frequency. */
static double cost_of(const struct rci_frequencies *f, const struct knots *k, const uint64_t *count)
{
    double bits = 8 + 16.0 * k->n;
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++) {
        const uint32_t n = f->start[s + 1] - f->start[s];
        if (count[s] && !n)
            return INFINITY;
        if (count[s])
            bits += (double) count[s] * (RCI_FREQUENCY_BITS - log2(n));
    }
    return bits;
}

struct fit {
    const uint64_t *count;
    double want[RCI_SYMBOLS]; /* smoothed counts, the largest SCALED */
    uint32_t first, last;
    struct knots best;
    double cost;
};

static void fit_try(struct fit *t, const struct knots *k)
{
    struct rci_frequencies f;
    const double cost = frequencies_make(&f, k) ? cost_of(&f, k, t->count) : INFINITY;
    if (cost < t->cost) {
        t->cost = cost;
        t->best = *k;
    }
}

/* A triangle of `width` symbols either side, cut off at the ends. */
static void fit_smooth(struct fit *t, uint32_t width)
{
    double most = 0;
    for (uint32_t s = t->first; s <= t->last; s++) {
        double sum = 0, all = 0;
        for (uint32_t r = t->first; r <= t->last; r++) {
            const uint32_t far = r > s ? r - s : s - r;
            if (far > width)
                continue;
            sum += (double) t->count[r] * (width + 1 - far);
            all += width + 1 - far;
        }
        t->want[s] = sum / all;
        most = most > t->want[s] ? most : t->want[s];
    }
    for (uint32_t s = t->first; s <= t->last; s++)
        t->want[s] *= SCALED / most;
}

static uint8_t knot_weight(const struct fit *t, uint32_t s)
{
    const uint8_t v = weight_code(t->want[s]);
    return v || !t->count[s] ? v : 1;
}

static void knots_insert(struct knots *k, uint32_t at, uint32_t symbol, uint8_t weight)
{
    memmove(k->symbol + at + 1, k->symbol + at, k->n - at);
    memmove(k->weight + at + 1, k->weight + at, k->n - at);
    k->symbol[at] = (uint8_t) symbol;
    k->weight[at] = weight;
    k->n++;
}

/* Where the polygon is farthest from what is wanted, against the noise of a count; 0 when it is
 * nowhere off. */
static uint32_t worst_symbol(const struct fit *t, const struct knots *k, uint32_t *at)
{
    uint32_t worst = 0;
    double far = 0;
    for (uint32_t i = 0; i + 1 < k->n; i++) {
        const uint32_t a = k->symbol[i], b = k->symbol[i + 1];
        const double wa = weight_of(k->weight[i]), wb = weight_of(k->weight[i + 1]);
        for (uint32_t s = a + 1; s < b; s++) {
            const double line = wa + (wb - wa) * (s - a) / (b - a);
            const double off = fabs(t->want[s] - line) / sqrt(line + t->want[s] + 1);
            if (off > far) {
                far = off;
                worst = s;
                *at = i + 1;
            }
        }
    }
    return worst;
}

/* From the two ends on, a knot where it is missed most; every step is a candidate. */
static void fit_grow(struct fit *t)
{
    struct knots k = {.n = 0};
    knots_insert(&k, 0, t->first, knot_weight(t, t->first));
    if (t->last > t->first)
        knots_insert(&k, 1, t->last, knot_weight(t, t->last));
    fit_try(t, &k);
    for (uint32_t steps = 0; steps < STEPS; steps++) {
        uint32_t at = 0;
        const uint32_t s = worst_symbol(t, &k, &at);
        if (!s)
            break;
        knots_insert(&k, at, s, knot_weight(t, s));
        fit_try(t, &k);
    }
}

/* Every symbol that occurs has a knot, and so have those beside gaps. */
static void fit_all(struct fit *t)
{
    struct knots k = {.n = 0};
    for (uint32_t s = t->first; s <= t->last; s++) {
        const bool edge = s > t->first && s < t->last && (t->count[s - 1] || t->count[s + 1]);
        if (t->count[s] || edge)
            knots_insert(&k, k.n, s, knot_weight(t, s));
    }
    fit_try(t, &k);
}

rc_status rci_frequencies_write(struct rci_buffer *to, struct rci_frequencies *f,
                                const uint64_t *count)
{
    struct fit t = {.count = count, .first = RCI_SYMBOLS, .cost = INFINITY};
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++)
        if (count[s]) {
            t.first = t.first == RCI_SYMBOLS ? s : t.first;
            t.last = s;
        }
    fit_smooth(&t, 0);
    fit_all(&t);
    for (uint32_t width = 0; width <= 8; width = width ? 2 * width : 1) {
        fit_smooth(&t, width);
        fit_grow(&t);
    }
    frequencies_make(f, &t.best);
    RC_TRY(rci_put_byte(to, (uint8_t) (t.best.n - 1)));
    for (uint32_t i = 0; i < t.best.n; i++) {
        RC_TRY(rci_put_byte(to, t.best.symbol[i]));
        RC_TRY(rci_put_byte(to, t.best.weight[i]));
    }
    return RC_OK;
}

rc_status rci_frequencies_read(struct rci_cursor *from, struct rci_frequencies *f, uint32_t bits)
{
    struct knots k;
    uint8_t last;
    const uint8_t *p = NULL;
    RC_TRY(rci_cursor_byte(from, &last, "frequencies"));
    k.n = last + 1u;
    RC_TRY(rci_cursor_bytes(from, 2 * (size_t) k.n, &p, "frequencies"));
    for (uint32_t i = 0; i < k.n; i++) {
        k.symbol[i] = p[2 * i];
        k.weight[i] = p[2 * i + 1];
        if (i && k.symbol[i] <= k.symbol[i - 1])
            return rci_fail(RC_ERR_FORMAT, "frequencies: symbol %u behind %u", k.symbol[i],
                            k.symbol[i - 1]);
    }
    if (k.symbol[last] >> bits)
        return rci_fail(RC_ERR_FORMAT, "frequencies: symbol %u in a stream of %u bits",
                        k.symbol[last], bits);
    return frequencies_make(f, &k) ? RC_OK : rci_fail(RC_ERR_FORMAT, "frequencies are all 0");
}
