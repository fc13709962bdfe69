/* A report from its JSON, as far as this version knows its keys. */
#include "base/json.h"
#include "report/report.h"
#include <string.h>
#include <sys/stat.h>

#define MOST 9007199254740992.0 /* 2^53: counts in JSON are exact up to here */

static rc_status read_count(const struct rci_json_value *o, const char *key, uint64_t *out)
{
    int64_t v = 0;
    RC_TRY(rci_json_read_integer(o, key, 0, (int64_t) MOST, &v));
    *out = (uint64_t) v;
    return RC_OK;
}

/* Texts are borrowed from the JSON. */
static rc_status read_figures(const struct rci_json_value *o, rc_report_step *s)
{
    const struct rci_json_value *top1 = rci_json_get(o, "top1");
    RC_TRY(rci_json_read_number(o, "top1", 0, 100, &s->top1));
    if (top1 && top1->type == RC_JSON_NUMBER && s->top1 == 0)
        s->top1 = RC_ZERO_REAL; /* measured: no image was right */
    RC_TRY(rci_json_read_number(o, "median_ms", 0, 1e12, &s->median_ms));
    RC_TRY(rci_json_read_text(o, "top1_on", &s->top1_on));
    RC_TRY(read_count(o, "parameters", &s->parameters));
    RC_TRY(read_count(o, "macs", &s->macs));
    RC_TRY(read_count(o, "weight_bytes", &s->weight_bytes));
    return read_count(o, "file_bytes", &s->file_bytes);
}

static rc_status load_step(struct rc_report *r, const struct rci_json_value *o)
{
    rc_report_step s = RC_REPORT_STEP_INIT;
    bool kept = false;
    RC_TRY(rci_json_expect(o, RC_JSON_OBJECT, "a step"));
    RC_TRY(rci_json_read_text(o, "name", &s.name));
    RC_TRY(rci_json_read_text(o, "note", &s.note));
    RC_TRY(rci_json_read_number(o, "seconds", 0, 1e12, &s.seconds));
    RC_TRY(rci_json_read_bool(o, "kept", &kept));
    RC_TRY(read_figures(o, &s));
    s.kept = kept;
    if (!s.name)
        return rci_fail(RC_ERR_FORMAT, "a step has no name");
    return rci_report_add_step(r, &s);
}

static rc_status load_summary(struct rc_report *r, const struct rci_json_value *root, int32_t which)
{
    const struct rci_json_value *o = rci_json_get(root, which ? "after" : "before");
    rc_report_step s = RC_REPORT_STEP_INIT;
    if (!o || o->type == RC_JSON_NULL)
        return RC_OK;
    s.name = which ? "after" : "before";
    RC_TRY(rci_json_expect(o, RC_JSON_OBJECT, s.name));
    RC_TRY(rci_json_read_text(o, "step", &s.name));
    RC_TRY(read_figures(o, &s));
    return rci_report_set_summary(r, which, &s);
}

static rc_status load_layer(struct rc_report *r, const struct rci_json_value *o)
{
    static const char *const keys[][2] = {
        {"width_before", "width_after"}, {"macs_before", "macs_after"}, {"ms_before", "ms_after"}};
    const char *name = "", *op = "";
    struct rci_report_layer *l;
    RC_TRY(rci_json_expect(o, RC_JSON_OBJECT, "a layer"));
    RC_TRY(rci_json_read_text(o, "name", &name));
    RC_TRY(rci_json_read_text(o, "op", &op));
    RC_TRY(rci_report_add_layer(r, name, op, &l));
    for (int k = 0; k < 2; k++) {
        int64_t width = 0;
        RC_TRY(rci_json_read_integer(o, keys[0][k], 0, UINT32_MAX, &width));
        l->width[k] = (uint32_t) width;
        RC_TRY(read_count(o, keys[1][k], &l->macs[k]));
        RC_TRY(rci_json_read_number(o, keys[2][k], 0, 1e12, &l->ms[k]));
        r->timed |= l->ms[k] > 0;
    }
    return RC_OK;
}

static rc_status load_list(struct rc_report *r, const struct rci_json_value *root, const char *key,
                           rc_status (*load)(struct rc_report *, const struct rci_json_value *))
{
    const struct rci_json_value *list = rci_json_get(root, key);
    if (!list)
        return RC_OK;
    RC_TRY(rci_json_expect(list, RC_JSON_ARRAY, key));
    for (const struct rci_json_value *v = list->first; v; v = v->next)
        RC_TRY(load(r, v));
    return RC_OK;
}

/* Keys that are not known are of parts that this version does not have, and are left out. */
static rc_status load_parts(struct rc_report **out, struct rc_context *c,
                            const struct rci_json_value *root)
{
    const char *title = NULL;
    int64_t schema = 0;
    RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, "a report"));
    RC_TRY(rci_json_read_integer(root, "schema", 0, (int64_t) MOST, &schema));
    RC_TRY(rci_json_read_text(root, "title", &title));
    if (!title || schema == 0)
        return rci_fail(RC_ERR_FORMAT, "no report of this library: \"%s\" is missing",
                        title ? "schema" : "title");
    if (schema != RCI_REPORT_SCHEMA)
        return rci_fail(RC_ERR_UNSUPPORTED, "a report of schema %lld, this version reads %d",
                        (long long) schema, RCI_REPORT_SCHEMA);
    RC_TRY(rci_report_new(out, c, title));
    const struct rci_json_value *facts = rci_json_get(root, "facts");
    for (const struct rci_json_value *f = facts ? facts->first : NULL; f; f = f->next) {
        RC_TRY(rci_json_expect(f, RC_JSON_STRING, f->key ? f->key : "facts"));
        RC_TRY(rci_report_set_fact(*out, f->key, f->text));
    }
    for (int32_t which = 0; which < 2; which++)
        RC_TRY(load_summary(*out, root, which));
    RC_TRY(load_list(*out, root, "steps", load_step));
    return load_list(*out, root, "layers", load_layer);
}

rc_status rci_report_load(struct rc_report **out, struct rc_context *c, const char *path)
{
    struct stat info;
    struct rci_json *j = NULL;
    *out = NULL;
    /* a report's folder stands for the file in it */
    const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    char *file = rci_format(c, folder ? "%s/report.json" : "%s", path);
    if (!file)
        return RC_ERR_MEMORY;
    rc_status st = rci_json_load(&j, c, file);
    if (st == RC_OK) {
        st = load_parts(out, c, rci_json_root(j));
        if (st != RC_OK && st != RC_ERR_MEMORY)
            rci_fail_prefix(st, "%s", file);
    }
    if (st != RC_OK) {
        rci_report_free(*out);
        *out = NULL;
    }
    rci_json_free(&j);
    rci_release(file);
    return st;
}
