/* report: a page anew from a saved report, or one page that compares two. */
#include "tool.h"

#include <stdio.h>

static const struct option report_options[] = {
    {"o", "FOLDER", "where report.json and report.html go; default: comparison"},
    {NULL, NULL, NULL},
};

static int report(const struct args *a)
{
    rc_context *context = NULL;
    rc_report *of[2] = {NULL, NULL}, *both = NULL;
    const char *folder = args_text(a, "o", NULL), *text = NULL;
    const unsigned n = a->n_positional;
    if (!folder && n == 1 && !args_flag(a, "json"))
        return tool_usage(a, "one report needs -o FOLDER");
    rc_status st = tool_context(&context, a);
    for (unsigned i = 0; st == RC_OK && i < n; i++)
        st = rc_report_load(&of[i], context, a->positional[i]);
    if (st == RC_OK && n == 2)
        st = rc_report_compare(&both, of[0], of[1]);
    rc_report *const result = n == 2 ? both : of[0];
    if (!folder && !args_flag(a, "json"))
        folder = "comparison";
    if (st == RC_OK && folder)
        st = rc_report_save(result, folder);
    if (st == RC_OK && args_flag(a, "json"))
        st = rc_report_get_json(result, &text);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail("report");
    if (code == EXIT_DONE && text)
        printf("%s\n", text);
    else if (code == EXIT_DONE)
        printf("%s/report.html\n", folder);
    rc_report_free(&both);
    rc_report_free(&of[1]);
    rc_report_free(&of[0]);
    rc_context_free(&context);
    return code;
}

const struct verb verb_report = {"report",
                                 "A [B] [-o FOLDER]",
                                 "one page of two reports side by side, or of one anew",
                                 1,
                                 2,
                                 report_options,
                                 report};
