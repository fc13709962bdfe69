/* A model that cannot be loaded: its opsets, operators and layers, and what is missing. */
#include "tool.h"

#include <stdio.h>

static rc_status survey_opsets(const rc_survey *s, const rc_survey_info *info, bool json)
{
    rc_status st = RC_OK;
    if (json)
        json_list("opsets");
    for (uint64_t i = 0; i < info->opsets && st == RC_OK; i++) {
        rc_survey_opset_info o = RC_SURVEY_OPSET_INFO_INIT;
        st = rc_survey_get_opset(s, i, &o);
        if (json) {
            json_open(NULL);
            json_text("domain", o.domain);
            json_real("version", (double) o.version);
            json_bool("used", o.used);
            json_close();
        } else {
            printf("opset %lld of %s%s\n", (long long) o.version, *o.domain ? o.domain : "ai.onnx",
                   o.used ? "" : ", not used");
        }
    }
    if (json)
        json_list_close();
    return st;
}

static rc_status survey_operators(const rc_survey *s, const rc_survey_info *info, bool json)
{
    rc_status st = RC_OK;
    if (json)
        json_list("operators");
    for (uint64_t i = 0; i < info->operators && st == RC_OK; i++) {
        rc_survey_operator_info o = RC_SURVEY_OPERATOR_INFO_INIT;
        st = rc_survey_get_operator(s, i, &o);
        if (json) {
            json_open(NULL);
            json_text("op", o.name);
            json_text("domain", o.domain);
            json_count("count", o.count);
            json_bool("supported", o.supported);
            json_close();
        } else {
            printf("%8llu %s%s%s%s\n", (unsigned long long) o.count, o.domain, *o.domain ? "." : "",
                   o.name, o.supported ? "" : "   NOT SUPPORTED");
        }
    }
    if (json)
        json_list_close();
    return st;
}

static rc_status survey_layers(const rc_survey *s, const rc_survey_info *info, bool json, bool csv)
{
    rc_status st = RC_OK;
    if (json)
        json_list("layers");
    else
        printf(csv ? "%s,%s,%s\n" : "%-44s %-28s %s\n", "layer", "op", "supported");
    for (uint64_t i = 0; i < info->nodes && st == RC_OK; i++) {
        rc_survey_node_info n = RC_SURVEY_NODE_INFO_INIT;
        char op[160];
        st = rc_survey_get_node(s, i, &n);
        snprintf(op, sizeof(op), "%s%s%s", n.domain, *n.domain ? "." : "", n.op);
        if (json) {
            json_open(NULL);
            json_text("name", n.name);
            json_text("op", op);
            json_bool("supported", n.supported);
            json_close();
        } else {
            printf(csv ? "%s,%s,%s\n" : "%-44.44s %-28.28s %s\n", n.name, op,
                   n.supported ? "yes" : "no");
        }
    }
    if (json)
        json_list_close();
    return st;
}

rc_status inspect_survey(const struct args *a, rc_context *context, const char *why)
{
    const bool json = args_flag(a, "json"), csv = args_flag(a, "csv");
    rc_survey *s;
    rc_survey_info info = RC_SURVEY_INFO_INIT;
    rc_status st = rc_survey_new(&s, context, a->positional[0]);
    if (st != RC_OK)
        return st;
    st = rc_survey_get_info(s, &info);
    if (json) {
        json_open(NULL);
        json_text("model", a->positional[0]);
        json_text("error", why);
        json_real("ir_version", (double) info.ir_version);
        json_text("producer", info.producer);
        json_count("nodes", info.nodes);
        json_count("unsupported", info.unsupported);
        json_count("initializers", info.initializers);
        json_count("functions", info.functions);
    }
    if (st == RC_OK)
        st = survey_layers(s, &info, json, csv);
    if (st == RC_OK && (json || !csv))
        st = survey_operators(s, &info, json);
    if (st == RC_OK && (json || !csv))
        st = survey_opsets(s, &info, json);
    if (json)
        json_close();
    else if (!csv)
        printf("%llu nodes, %llu of them cannot be loaded; %llu initializers, IR version %lld, "
               "written by %s\n",
               (unsigned long long) info.nodes, (unsigned long long) info.unsupported,
               (unsigned long long) info.initializers, (long long) info.ir_version,
               *info.producer ? info.producer : "nobody named");
    rc_survey_free(&s);
    return st;
}
