#ifndef RC_LIB_REPORT_PAGE_H
#define RC_LIB_REPORT_PAGE_H
/* Writing HTML that is also XML. The first failure is remembered, so calls need no check. */
#include "report/report.h"

struct rci_page {
    struct rci_buffer *to;
    rc_status failed;
};

void rci_page_raw(struct rci_page *p, const char *markup);
/* %d and %u style formats only: numbers with a fraction go through rci_page_real. */
void rci_page_format(struct rci_page *p, const char *fmt, ...) RC_PRINTF(2, 3);
void rci_page_text(struct rci_page *p, const char *text); /* escaped */
void rci_page_short_text(struct rci_page *p, const char *text,
                         uint32_t most);                      /* then an ellipsis */
void rci_page_real(struct rci_page *p, double v, int digits); /* digits behind the point */

enum rci_unit { RC_UNIT_PERCENT, RC_UNIT_MS, RC_UNIT_BYTES, RC_UNIT_COUNT, RC_UNIT_SECONDS };
/* "1.09 MB", "40.8 M"; a dash for 0, which is "not measured". */
void rci_page_figure(struct rci_page *p, double v, enum rci_unit unit);

void rci_page_style(struct rci_page *p);
void rci_page_script(struct rci_page *p);
void rci_page_graph(struct rci_page *p, const struct rci_diagram *d);
void rci_page_accuracy_plot(struct rci_page *p, const struct rc_report *r);
void rci_page_latency_plot(struct rci_page *p, const struct rc_report *r);
void rci_page_width_plot(struct rci_page *p, const struct rc_report *r);
void rci_page_time_plot(struct rci_page *p, const struct rc_report *r);
#endif
