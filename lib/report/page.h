#ifndef RC_LIB_REPORT_PAGE_H
#define RC_LIB_REPORT_PAGE_H
/* Writing HTML that is also XML. The first failure is remembered, so calls need no check. */
#include "report/report.h"

struct rc_page {
    struct rc_buffer *to;
    rc_status failed;
};

void rc_page_raw(struct rc_page *p, const char *markup);
/* %d and %u style formats only: numbers with a fraction go through rc_page_real. */
void rc_page_format(struct rc_page *p, const char *fmt, ...) RC_PRINTF(2, 3);
void rc_page_text(struct rc_page *p, const char *text);                      /* escaped */
void rc_page_short_text(struct rc_page *p, const char *text, uint32_t most); /* then an ellipsis */
void rc_page_real(struct rc_page *p, double v, int digits); /* digits behind the point */

enum rc_unit { RC_UNIT_PERCENT, RC_UNIT_MS, RC_UNIT_BYTES, RC_UNIT_COUNT, RC_UNIT_SECONDS };
/* "1.09 MB", "40.8 M"; a dash for 0, which is "not measured". */
void rc_page_figure(struct rc_page *p, double v, enum rc_unit unit);

void rc_page_accuracy_plot(struct rc_page *p, const struct rc_report *r);
void rc_page_width_plot(struct rc_page *p, const struct rc_report *r);
void rc_page_time_plot(struct rc_page *p, const struct rc_report *r);
#endif
