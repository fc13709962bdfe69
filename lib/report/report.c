/* Collecting facts, steps and layers; saving both forms. */
#include "report/report.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define REPORT_MAGIC UINT64_C(0x72637265706f7274) /* "rcreport" */

bool rci_report_valid(const struct rc_report *r)
{
    return r && r->magic == REPORT_MAGIC;
}

rc_status rci_report_new(struct rc_report **out, struct rc_context *c, const char *title)
{
    *out = NULL;
    struct rc_report *r = RC_NEW(c, struct rc_report);
    if (!r)
        return RC_ERR_MEMORY;
    r->magic = REPORT_MAGIC;
    r->ctx = c;
    r->text.ctx = c;
    if (!(r->title = rci_strdup(c, title))) {
        rci_report_free(r);
        return RC_ERR_MEMORY;
    }
    *out = r;
    return RC_OK;
}

static void release_texts(rc_report_step *s)
{
    rci_release((char *) s->name);
    rci_release((char *) s->note);
    rci_release((char *) s->top1_on);
}

void rci_report_free(struct rc_report *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_facts; i++) {
        rci_release(r->facts[i].name);
        rci_release(r->facts[i].value);
    }
    for (uint32_t i = 0; i < r->n_steps; i++)
        release_texts(&r->steps[i]);
    for (uint32_t i = 0; i < 2; i++)
        release_texts(&r->summary[i]);
    for (uint32_t i = 0; i < r->n_layers; i++) {
        rci_release(r->layers[i].name);
        rci_release(r->layers[i].op);
    }
    rci_release(r->facts);
    rci_release(r->steps);
    rci_release(r->layers);
    rci_diagram_free(&r->diagram);
    rci_release(r->title);
    rci_buffer_free(&r->text);
    r->magic = 0;
    rci_release(r);
}

/* A fact that is set again keeps its place among the others. */
static struct rci_report_fact *find_fact(struct rc_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_facts; i++)
        if (strcmp(r->facts[i].name, name) == 0)
            return &r->facts[i];
    return NULL;
}

rc_status rci_report_set_fact(struct rc_report *r, const char *name, const char *value)
{
    char *copy = rci_strdup(r->ctx, value);
    /* a fact that is set again keeps its place */
    struct rci_report_fact *f = find_fact(r, name);
    if (!copy)
        return RC_ERR_MEMORY;
    if (f) {
        rci_release(f->value);
        f->value = copy;
        return RC_OK;
    }
    char *own = rci_strdup(r->ctx, name);
    if (!own || rci_grow(r->ctx, &r->facts, r->n_facts, &r->cap_facts, sizeof(*f)) != RC_OK) {
        rci_release(own);
        rci_release(copy);
        return RC_ERR_MEMORY;
    }
    r->facts[r->n_facts++] = (struct rci_report_fact){own, copy};
    return RC_OK;
}

/* NaN fails both comparisons. */
static rc_status check_figure(const char *step, const char *name, double v, double max)
{
    if (v >= 0 && v <= max)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "step \"%s\": %s is %g, must be 0..%g", step, name, v, max);
}

/* *out owns its texts. */
static rc_status copy_step(rc_report_step *out, const struct rc_report *r,
                           const rc_report_step *step)
{
    rc_report_step s = *step;
    if (s.top1 == RC_ZERO_REAL)
        s.top1 = DBL_MIN; /* shown as 0; 0 itself says "not measured" */
    RC_TRY(check_figure(s.name, "top1", s.top1, 100));
    RC_TRY(check_figure(s.name, "median_ms", s.median_ms, 1e12));
    RC_TRY(check_figure(s.name, "seconds", s.seconds, 1e12));
    s.name = rci_strdup(r->ctx, step->name);
    s.note = rci_strdup(r->ctx, step->note ? step->note : "");
    s.top1_on = rci_strdup(r->ctx, step->top1_on ? step->top1_on : "");
    if (!s.name || !s.note || !s.top1_on) {
        release_texts(&s);
        return RC_ERR_MEMORY;
    }
    *out = s;
    return RC_OK;
}

rc_status rci_report_add_step(struct rc_report *r, const rc_report_step *step)
{
    rc_report_step s;
    RC_TRY(rci_grow(r->ctx, &r->steps, r->n_steps, &r->cap_steps, sizeof(s)));
    RC_TRY(copy_step(&s, r, step));
    r->steps[r->n_steps++] = s;
    return RC_OK;
}

rc_status rci_report_set_summary(struct rc_report *r, int32_t which, const rc_report_step *step)
{
    rc_report_step s;
    RC_TRY(copy_step(&s, r, step));
    release_texts(&r->summary[which]);
    r->summary[which] = s;
    return RC_OK;
}

const rc_report_step *rci_report_before(const struct rc_report *r)
{
    if (r->summary[RC_REPORT_BEFORE].name)
        return &r->summary[RC_REPORT_BEFORE];
    return r->n_steps ? &r->steps[0] : NULL;
}

/* The result is the last step that was kept. */
const rc_report_step *rci_report_after(const struct rc_report *r)
{
    if (r->summary[RC_REPORT_AFTER].name)
        return &r->summary[RC_REPORT_AFTER];
    for (uint32_t i = r->n_steps; i-- > 0;)
        if (r->steps[i].kept)
            return &r->steps[i];
    return rci_report_before(r);
}

static rc_status save_text(struct rc_report *r, const char *folder, const char *name)
{
    char *path = rci_format(r->ctx, "%s/%s", folder, name);
    /* the text is terminated by a NUL that the file does not get */
    const rc_status st =
        path ? rci_file_write(r->ctx, path, r->text.data, r->text.size - 1) : RC_ERR_MEMORY;
    rci_release(path);
    return st;
}

rc_status rci_report_save(struct rc_report *r, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return rci_fail(RC_ERR_PATH, "%s: cannot make the folder: %s", folder, strerror(errno));
    RC_TRY(rci_report_write_json(r));
    RC_TRY(save_text(r, folder, "report.json"));
    RC_TRY(rci_report_write_html(r));
    return save_text(r, folder, "report.html");
}

/* 1: a is better, -1: b is, 0: as good, or not measured. */
static int report_compare(double a, double b)
{
    if (a <= 0 || b <= 0 || a == b)
        return 0;
    return a < b ? 1 : -1;
}

/* At least as good in all that both have, and better in something. */
static bool report_dominates(const rc_report_step *a, const rc_report_step *b)
{
    const int by[] = {report_compare(b->top1, a->top1), report_compare(a->median_ms, b->median_ms),
                      report_compare((double) a->file_bytes, (double) b->file_bytes),
                      report_compare((double) a->macs, (double) b->macs)};
    bool better = false;
    for (uint32_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
        if (by[i] < 0)
            return false;
        better |= by[i] > 0;
    }
    return better;
}

bool rci_report_on_front(const struct rc_report *r, uint32_t step)
{
    if (r->steps[step].top1 <= 0)
        return false;
    for (uint32_t i = 0; i < r->n_steps; i++)
        if (i != step && r->steps[i].top1 > 0 && report_dominates(&r->steps[i], &r->steps[step]))
            return false;
    return true;
}
