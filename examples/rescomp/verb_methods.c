#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {{NULL, NULL, NULL}};

static const char *type_name(uint64_t type)
{
    return type == RC_PARAMETER_INTEGER ? "integer"
           : type == RC_PARAMETER_REAL  ? "real"
                                        : "boolean";
}

static rc_status show_parameter(bool as_json, const char *kind, uint64_t method, uint64_t i)
{
    rc_parameter_info p = RC_PARAMETER_INFO_INIT;
    const rc_status st = rc_method_get_parameter(kind, method, i, &p);
    if (st != RC_OK)
        return st;
    if (!as_json) {
        printf("    %-18s %s in [%g, %g], default %g: %s\n", p.name, type_name(p.type), p.min,
               p.max, p.default_value, p.summary);
        return RC_OK;
    }
    json_open(NULL);
    json_text("name", p.name);
    json_text("summary", p.summary);
    json_text("type", type_name(p.type));
    json_real("default", p.default_value);
    json_real("min", p.min);
    json_real("max", p.max);
    json_close();
    return RC_OK;
}

static rc_status show_method(bool as_json, const char *kind, uint64_t index, const char *only,
                             unsigned *shown)
{
    rc_method_info m = RC_METHOD_INFO_INIT;
    rc_status st = rc_method_get(kind, index, &m);
    if (st != RC_OK || (only && strcmp(only, m.name)))
        return st;
    ++*shown;
    if (as_json) {
        json_open(NULL);
        json_text("name", m.name);
        json_text("summary", m.summary);
        json_text("source", m.source);
        json_list("parameters");
    } else {
        printf("  %-20s %s\n", m.name, m.summary);
        if (*m.source)
            printf("    source: %s\n", m.source);
    }
    for (uint64_t i = 0; i < m.parameters && st == RC_OK; i++)
        st = show_parameter(as_json, kind, index, i);
    if (as_json) {
        json_list_close();
        json_close();
    }
    return st;
}

static rc_status show_kind(const struct args *a, uint64_t index, unsigned *shown)
{
    const bool as_json = args_flag(a, "json");
    const char *only_kind = a->n_positional > 0 ? a->positional[0] : NULL;
    const char *only = a->n_positional > 1 ? a->positional[1] : NULL;
    rc_method_kind_info k = RC_METHOD_KIND_INFO_INIT;
    rc_status st = rc_method_get_kind(index, &k);
    if (st != RC_OK || (only_kind && strcmp(only_kind, k.name)))
        return st;
    if (as_json)
        json_list(k.name);
    else
        printf("%s: %s\n", k.name, k.summary);
    for (uint64_t i = 0; i < k.methods && st == RC_OK; i++)
        st = show_method(as_json, k.name, i, only, shown);
    if (as_json)
        json_list_close();
    return st;
}

static int methods(const struct args *a)
{
    unsigned shown = 0;
    rc_status st = RC_OK;
    if (args_flag(a, "json"))
        json_open(NULL);
    for (uint64_t i = 0; i < rc_method_count_kinds() && st == RC_OK; i++)
        st = show_kind(a, i, &shown);
    if (args_flag(a, "json"))
        json_close();
    if (st != RC_OK)
        return tool_fail("methods");
    if (shown)
        return EXIT_DONE;
    fprintf(stderr, "rescomp methods: no %s \"%s\"; see rescomp methods\n",
            a->n_positional > 1 ? "method" : "kind", a->positional[a->n_positional - 1]);
    return EXIT_USAGE;
}

const struct verb verb_methods = {
    "methods", "[KIND [NAME]]", "every method by kind, with parameters and source", 0, 2,
    options,   methods};
