/* Collecting facts, steps and layers; saving both forms. */
#include "report/report.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

rc_status rc_report_create(struct rc_report **out, struct rc_context *c, const char *title)
{
    *out = NULL;
    struct rc_report *r = RC_NEW(c, struct rc_report);
    if (!r)
        return RC_ERR_MEMORY;
    r->ctx = c;
    r->text.ctx = c;
    if (!(r->title = rc_strdup(c, title))) {
        rc_release(r);
        return RC_ERR_MEMORY;
    }
    *out = r;
    return RC_OK;
}

void rc_report_destroy(struct rc_report *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_facts; i++) {
        rc_release(r->facts[i].name);
        rc_release(r->facts[i].value);
    }
    for (uint32_t i = 0; i < r->n_steps; i++) {
        rc_release((char *) r->steps[i].name);
        rc_release((char *) r->steps[i].note);
    }
    for (uint32_t i = 0; i < r->n_layers; i++) {
        rc_release(r->layers[i].name);
        rc_release(r->layers[i].op);
    }
    rc_release(r->facts);
    rc_release(r->steps);
    rc_release(r->layers);
    rc_release(r->title);
    rc_buffer_free(&r->text);
    rc_release(r);
}

static struct rc_report_fact *find_fact(struct rc_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_facts; i++)
        if (strcmp(r->facts[i].name, name) == 0)
            return &r->facts[i];
    return NULL;
}

rc_status rc_report_put_fact(struct rc_report *r, const char *name, const char *value)
{
    char *copy = rc_strdup(r->ctx, value);
    struct rc_report_fact *f = find_fact(r, name);
    if (!copy)
        return RC_ERR_MEMORY;
    if (f) {
        rc_release(f->value);
        f->value = copy;
        return RC_OK;
    }
    char *own = rc_strdup(r->ctx, name);
    if (!own || rc_grow(r->ctx, &r->facts, r->n_facts, &r->cap_facts, sizeof(*f)) != RC_OK) {
        rc_release(own);
        rc_release(copy);
        return RC_ERR_MEMORY;
    }
    r->facts[r->n_facts++] = (struct rc_report_fact){own, copy};
    return RC_OK;
}

static rc_status check_figure(const char *step, const char *name, double v, double max)
{
    if (v >= 0 && v <= max)
        return RC_OK;
    return rc_fail(RC_ERR_ARG, "step \"%s\": %s is %g, must be 0..%g", step, name, v, max);
}

rc_status rc_report_put_step(struct rc_report *r, const rc_report_step *step)
{
    rc_report_step s = *step;
    RC_TRY(check_figure(s.name, "top1", s.top1, 100));
    RC_TRY(check_figure(s.name, "median_ms", s.median_ms, 1e12));
    RC_TRY(check_figure(s.name, "seconds", s.seconds, 1e12));
    RC_TRY(rc_grow(r->ctx, &r->steps, r->n_steps, &r->cap_steps, sizeof(s)));
    s.name = rc_strdup(r->ctx, step->name);
    s.note = rc_strdup(r->ctx, step->note ? step->note : "");
    if (!s.name || !s.note) {
        rc_release((char *) s.name);
        rc_release((char *) s.note);
        return RC_ERR_MEMORY;
    }
    r->steps[r->n_steps++] = s;
    return RC_OK;
}

const rc_report_step *rc_report_before(const struct rc_report *r)
{
    return r->n_steps ? &r->steps[0] : NULL;
}

const rc_report_step *rc_report_after(const struct rc_report *r)
{
    for (uint32_t i = r->n_steps; i-- > 0;)
        if (r->steps[i].kept)
            return &r->steps[i];
    return rc_report_before(r);
}

static rc_status save_text(struct rc_report *r, const char *folder, const char *name)
{
    char *path = rc_format(r->ctx, "%s/%s", folder, name);
    /* the text is terminated by a NUL that the file does not get */
    const rc_status st =
        path ? rc_file_write(r->ctx, path, r->text.data, r->text.size - 1) : RC_ERR_MEMORY;
    rc_release(path);
    return st;
}

rc_status rc_report_write_files(struct rc_report *r, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return rc_fail(RC_ERR_PATH, "%s: cannot make the folder: %s", folder, strerror(errno));
    RC_TRY(rc_report_write_json(r));
    RC_TRY(save_text(r, folder, "report.json"));
    RC_TRY(rc_report_write_html(r));
    return save_text(r, folder, "report.html");
}
