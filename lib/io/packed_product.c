/* Weights that are another weight times one number: scales of biases are those of weights times
 * that of the input. */
#include "io/packed_parts.h"

#include <math.h>
#include <string.h>

enum { NEIGHBOURS = 4, COUNT_LEAST = 8, COUNT_MOST = 1 << 16 };

static float get_real(const uint8_t *p)
{
    float v;
    const uint32_t bits = rci_get32(p);
    memcpy(&v, &bits, 4);
    return v;
}

/* Is x = a * y, bit by bit, and without numbers that flushing of denormals would change? */
static bool is_product(const uint8_t *x, const uint8_t *y, size_t n, float a)
{
    for (size_t i = 0; i < n; i++) {
        const float p = a * get_real(y + 4 * i);
        uint32_t bits;
        memcpy(&bits, &p, 4);
        if (bits != rci_get32(x + 4 * i) || !isnormal(p))
            return false;
    }
    return true;
}

bool rci_product_find(const uint8_t *x, const uint8_t *y, size_t n, float *factor)
{
    const float x0 = get_real(x), y0 = get_real(y);
    float a = x0 / y0;
    if (n < COUNT_LEAST || n > COUNT_MOST || !isnormal(y0) || !isnormal(a))
        return false;
    for (int i = 0; i < NEIGHBOURS; i++)
        a = nextafterf(a, -INFINITY);
    for (int i = -NEIGHBOURS; i <= NEIGHBOURS; i++, a = nextafterf(a, INFINITY))
        if (is_product(x, y, n, a)) {
            *factor = a;
            return true;
        }
    return false;
}

void rci_product_make(uint8_t *x, const uint8_t *y, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) {
        const float p = factor * get_real(y + 4 * i);
        uint32_t bits;
        memcpy(&bits, &p, 4);
        rci_set32(x + 4 * i, bits);
    }
}
