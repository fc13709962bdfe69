/* Are weights safe in pairs. */
#include "kernel/int8/pairs.h"

/* Pairs of channels at the same tap; an odd last channel is alone. No branches: most are safe. */
static bool channels_fit(const int8_t *w, int64_t in, int64_t taps)
{
    int worst = 0;
    for (int64_t c = 0; c + 1 < in; c += 2)
        for (int64_t t = 0; t < taps; t++) {
            const int a = w[c * taps + t], b = w[(c + 1) * taps + t];
            const int up = (a > 0 ? a : 0) + (b > 0 ? b : 0), down = up - a - b;
            worst = worst > up ? worst : up;
            worst = worst > down ? worst : down;
        }
    return worst <= RC_PAIR_MOST;
}

/* Pairs of neighbours in the order [tap][channel], anew in every run. */
static bool runs_fit(const int8_t *w, int64_t in, int64_t taps, int64_t run)
{
    for (int64_t first = 0; first < in * taps; first += run)
        for (int64_t e = first; e + 1 < first + run; e += 2)
            if (!rci_pair_fits(w[e % in * taps + e / in], w[(e + 1) % in * taps + (e + 1) / in]))
                return false;
    return true;
}

bool rci_pairs_fit(const int8_t *w, int64_t out, int64_t in, int64_t taps, int64_t run)
{
    for (int64_t o = 0; o < out; o++, w += in * taps)
        if (!(run == in || in % 2 == 0 ? channels_fit(w, in, taps) : runs_fit(w, in, taps, run)))
            return false;
    return true;
}
