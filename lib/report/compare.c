/* Two reports as one: "A" is what the first run ended with, "B" what the second. */
#include "report/report.h"
#include <string.h>

/* A fact of both is written once; one that differs names both values. */
static rc_status compare_facts(struct rc_report *r, const struct rc_report *const of[2])
{
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < of[k]->n_facts; i++) {
            const struct rci_report_fact *f = &of[k]->facts[i];
            const char *other = NULL;
            for (uint32_t m = 0; m < of[!k]->n_facts && !other; m++)
                if (strcmp(of[!k]->facts[m].name, f->name) == 0)
                    other = of[!k]->facts[m].value;
            if (k == 1 && other)
                continue; /* written with those of A */
            if (other && strcmp(other, f->value) == 0) {
                RC_TRY(rci_report_set_fact(r, f->name, f->value));
                continue;
            }
            char *both = rci_format(r->ctx, "A: %s; B: %s", k ? "\xE2\x80\x93" : f->value,
                                    k       ? f->value
                                    : other ? other
                                            : "\xE2\x80\x93");
            const rc_status st = both ? rci_report_set_fact(r, f->name, both) : RC_ERR_MEMORY;
            rci_release(both);
            RC_TRY(st);
        }
    return RC_OK;
}

static rc_status compare_steps(struct rc_report *r, const struct rc_report *from, char letter)
{
    for (uint32_t i = 0; i < from->n_steps; i++) {
        rc_report_step s = from->steps[i];
        char *name = rci_format(r->ctx, "%c: %s", letter, s.name);
        s.name = name;
        s.kept |= i == 0; /* the original, which is kept by definition */
        const rc_status st = name ? rci_report_add_step(r, &s) : RC_ERR_MEMORY;
        rci_release(name);
        RC_TRY(st);
    }
    return RC_OK;
}

/* What the layers of one run are afterwards, as one side of the comparison. */
static rc_status compare_layers(struct rc_report *r, const struct rc_report *from, int which)
{
    for (uint32_t i = 0; i < from->n_layers; i++) {
        const struct rci_report_layer *l = &from->layers[i];
        if (l->width[1] == 0 && l->macs[1] == 0 && !(l->ms[1] > 0))
            continue; /* it is gone after that run */
        struct rci_report_layer *to = which ? rci_report_find_layer(r, l->name) : NULL;
        if (!to)
            RC_TRY(rci_report_add_layer(r, l->name, l->op, &to));
        to->width[which] = l->width[1];
        to->macs[which] = l->macs[1];
        to->ms[which] = l->ms[1];
        r->timed |= l->ms[1] > 0;
    }
    return RC_OK;
}

static rc_status compare_parts(struct rc_report *r, const struct rc_report *const of[2])
{
    RC_TRY(rci_report_set_fact(r, "A", of[0]->title));
    RC_TRY(rci_report_set_fact(r, "B", of[1]->title));
    RC_TRY(compare_facts(r, of));
    for (int k = 0; k < 2; k++) {
        const rc_report_step *after = rci_report_after(of[k]);
        if (after)
            RC_TRY(rci_report_set_summary(r, k, after));
        r->split = r->n_steps;
        RC_TRY(compare_steps(r, of[k], (char) ('A' + k)));
        RC_TRY(compare_layers(r, of[k], k));
    }
    r->compares = true;
    return RC_OK;
}

rc_status rci_report_compare(struct rc_report **out, const struct rc_report *a,
                             const struct rc_report *b)
{
    *out = NULL;
    const struct rc_report *const of[2] = {a, b};
    char *title = rci_format(a->ctx, "%s against %s", a->title, b->title);
    rc_status st = title ? rci_report_new(out, a->ctx, title) : RC_ERR_MEMORY;
    rci_release(title);
    if (st == RC_OK)
        st = compare_parts(*out, of);
    if (st != RC_OK) {
        rci_report_free(*out);
        *out = NULL;
    }
    return st;
}

const char *rci_report_label(const struct rc_report *r, int which, bool capital)
{
    static const char *const names[2][2] = {{"before", "after"}, {"Before", "After"}};
    if (r->compares)
        return which ? "B" : "A";
    return names[capital][which];
}
