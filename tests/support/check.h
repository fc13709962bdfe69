#ifndef CHECK_H
#define CHECK_H
/* cmocka with the headers it needs, a comparison of numbers, and a context. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include <cmocka.h>

/* |a - b| <= tolerance * max(|b|, 1e-30) */
#define assert_near(a, b, tolerance) assert_true(check_near((a), (b), (tolerance)))

static inline int check_near(double a, double b, double tolerance)
{
    if (fabs(a - b) <= tolerance * fmax(fabs(b), 1e-30))
        return 1;
    print_error("%.9g is not %.9g within %g of it\n", a, b, tolerance);
    return 0;
}

/* A context with defaults; the test fails when there is none. */
static inline struct rc_context *check_context(void)
{
    const rc_context_options options = RC_CONTEXT_OPTIONS_INIT;
    struct rc_context *c = NULL;
    assert_int_equal(rc_context_create(&c, &options), RC_OK);
    return c;
}
#endif
