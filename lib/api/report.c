/* The border of reports. */
#include "report/report.h"
#include "api/check.h"

RC_ABI_NO_TAIL(rc_report_step, top1_on);

rc_status rc_report_new(rc_report **out, rc_context *context, const char *title)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(title);
    return rci_report_new(out, context, title);
}

void rc_report_free(rc_report **report)
{
    RC_FREE(report, report);
}

rc_status rc_report_set_fact(rc_report *report, const char *name, const char *value)
{
    RC_CHECK(report, report);
    RC_CHECK_SET(name);
    RC_CHECK_SET(value);
    return rci_report_set_fact(report, name, value);
}

static rc_status report_step_read(rc_report_step *s, const rc_report *report,
                                  const rc_report_step *step)
{
    RC_CHECK(report, report);
    RC_CHECK_SET(step);
    RC_TRY(rci_abi_read(s, sizeof(*s), step, "rc_report_step"));
    return s->name ? RC_OK : rci_fail(RC_ERR_ARG, "step.name is NULL");
}

static rc_status check_which(int32_t which)
{
    if (which == RC_REPORT_BEFORE || which == RC_REPORT_AFTER)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "which is %d, must be 0 or 1", (int) which);
}

rc_status rc_report_add_step(rc_report *report, const rc_report_step *step)
{
    rc_report_step s;
    RC_TRY(report_step_read(&s, report, step));
    return rci_report_add_step(report, &s);
}

rc_status rc_report_set_summary(rc_report *report, int32_t which, const rc_report_step *step)
{
    rc_report_step s;
    RC_TRY(report_step_read(&s, report, step));
    RC_TRY(check_which(which));
    return rci_report_set_summary(report, which, &s);
}

rc_status rc_report_set_layers(rc_report *report, const rc_graph *before, const rc_graph *after)
{
    RC_CHECK(report, report);
    RC_CHECK(graph, before);
    RC_CHECK(graph, after);
    return rci_report_set_layers(report, before, after);
}

rc_status rc_report_set_times(rc_report *report, int32_t which, const rc_session *session)
{
    RC_CHECK(report, report);
    RC_TRY(check_which(which));
    RC_CHECK(session, session);
    return rci_report_set_times(report, which, session);
}

rc_status rc_report_get_json(rc_report *report, const char **text)
{
    RC_CHECK(report, report);
    RC_CHECK_OUT(text);
    RC_TRY(rci_report_write_json(report));
    *text = (const char *) report->text.data;
    return RC_OK;
}

rc_status rc_report_get_html(rc_report *report, const char **text)
{
    RC_CHECK(report, report);
    RC_CHECK_OUT(text);
    RC_TRY(rci_report_write_html(report));
    *text = (const char *) report->text.data;
    return RC_OK;
}

rc_status rc_report_save(rc_report *report, const char *folder)
{
    RC_CHECK(report, report);
    RC_CHECK_SET(folder);
    return rci_report_save(report, folder);
}

rc_status rc_report_load(rc_report **out, rc_context *context, const char *path)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    return rci_report_load(out, context, path);
}

rc_status rc_report_compare(rc_report **out, const rc_report *a, const rc_report *b)
{
    RC_CHECK_OUT(out);
    RC_CHECK(report, a);
    RC_CHECK(report, b);
    return rci_report_compare(out, a, b);
}
