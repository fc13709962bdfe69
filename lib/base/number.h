#ifndef RC_LIB_BASE_NUMBER_H
#define RC_LIB_BASE_NUMBER_H
/* Numbers as text with a '.' whatever locale the program has set. */
#include <stddef.h>

enum { RC_NUMBER_TEXT = 32 };

/* strtod() in the C locale. */
double rci_number_parse(const char *text, char **end);
/* The shortest of %.15g, %.16g, %.17g that reads back as `v`; returns buf. */
const char *rci_number_text(double v, char buf[RC_NUMBER_TEXT]);
/* With `digits` behind the point; as %.15g where that does not fit. */
const char *rci_number_fixed(double v, int digits, char buf[RC_NUMBER_TEXT]);
#endif
