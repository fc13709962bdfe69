#ifndef CHECK_H
#define CHECK_H
/* Comparison of numbers. */
#include "test.h"

#include <math.h>

/* |a - b| <= tolerance * max(|b|, 1e-30) */
#define assert_near(a, b, tolerance) assert_true(check_near((a), (b), (tolerance)))

static inline int check_near(double a, double b, double tolerance)
{
    if (fabs(a - b) <= tolerance * fmax(fabs(b), 1e-30))
        return 1;
    print_error("%.9g is not %.9g within %g of it\n", a, b, tolerance);
    return 0;
}
#endif
