/* text -> double -> text, exact in both directions and independent of the locale. */
#include "base/number.h"
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* The C locale is built into the C library: asking for it neither allocates nor fails. */
static locale_t number_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t) 0);
}

double rci_number_parse(const char *text, char **end)
{
    const locale_t before = uselocale(number_locale());
    const double v = strtod(text, end);
    uselocale(before);
    return v;
}

const char *rci_number_text(double v, char buf[RC_NUMBER_TEXT])
{
    const locale_t before = uselocale(number_locale());
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, RC_NUMBER_TEXT, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    uselocale(before);
    return buf;
}

const char *rci_number_fixed(double v, int digits, char buf[RC_NUMBER_TEXT])
{
    const locale_t before = uselocale(number_locale());
    if (snprintf(buf, RC_NUMBER_TEXT, "%.*f", digits, v) >= RC_NUMBER_TEXT)
        snprintf(buf, RC_NUMBER_TEXT, "%.15g", v);
    uselocale(before);
    return buf;
}
