/* Tables of layers for bench --profile. */
#include "profile.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>

/* Every step reads and writes activations once; the fewer there are, and the fewer of them do
 * nothing but move or change values in place, the less waits for memory. */
struct passes {
    uint64_t steps, without_macs, reorders, bytes, macs;
    double seconds; /* of all runs */
    double each;    /* of one run */
};

static struct passes count(const rc_session *s)
{
    struct passes p = {0};
    rc_session_step_info i = {.size = sizeof(i)};
    for (uint64_t k = 0; k < rc_session_count_steps(s); k++) {
        if (rc_session_get_step(s, k, &i) != RC_OK || !i.runs)
            continue;
        p.steps++;
        p.without_macs += !i.macs;
        p.reorders += !strcmp(i.op, "reorder");
        p.bytes += i.bytes;
        p.macs += i.macs;
        p.seconds += i.seconds;
        p.each += i.seconds / (double) i.runs;
    }
    return p;
}

static double rate(uint64_t macs, double seconds)
{
    return seconds > 0 ? (double) macs / seconds : 0;
}

static void print_row(const rc_session_step_info *i, const struct passes *p, double peak)
{
    const double each = i->seconds / (double) i->runs, speed = rate(i->macs, each);
    printf("%-34.34s %-18.18s %-22.22s %9.1f %5.1f%% %8.1f", i->name, i->op, i->kernel, each * 1e6,
           p->seconds > 0 ? i->seconds / p->seconds * 100 : 0, speed * 1e-9);
    if (peak > 0 && i->macs)
        printf(" %7.0f%%", speed / peak * 100);
    printf("\n");
}

static void json_row(const rc_session_step_info *i, double peak)
{
    const double each = i->seconds / (double) i->runs, speed = rate(i->macs, each);
    json_open(NULL);
    json_text("name", i->name);
    json_text("op", i->op);
    json_text("kernel", i->kernel);
    json_text("layout", i->layout);
    json_real("us", each * 1e6);
    json_count("macs", i->macs);
    json_count("bytes", i->bytes);
    json_real("gmacs_per_second", speed * 1e-9);
    if (peak > 0)
        json_real("share_of_peak", speed / peak);
    json_close();
}

static void print_passes(const struct passes *p, double peak)
{
    printf("%-76s %9.1f %6s %8.1f", "all", p->each * 1e6, "", rate(p->macs, p->each) * 1e-9);
    if (peak > 0)
        printf(" %7.0f%%", rate(p->macs, p->each) / peak * 100);
    printf("\npasses over activations: %llu steps, %llu of them without multiply-adds (%llu "
           "reorders); "
           "%.2f MB read and written\n",
           (unsigned long long) p->steps, (unsigned long long) p->without_macs,
           (unsigned long long) p->reorders, (double) p->bytes * 1e-6);
    if (peak > 0)
        printf("peak: %.1f f32 GMAC/s (integers and Winograd may exceed it)\n", peak * 1e-9);
}

static void json_passes(const struct passes *p, double peak)
{
    json_open("passes");
    json_count("steps", p->steps);
    json_count("without_macs", p->without_macs);
    json_count("reorders", p->reorders);
    json_count("bytes", p->bytes);
    json_real("us", p->each * 1e6);
    json_real("gmacs_per_second", rate(p->macs, p->each) * 1e-9);
    if (peak > 0) {
        json_real("share_of_peak", rate(p->macs, p->each) / peak);
        json_real("peak_gmacs_per_second", peak * 1e-9);
    }
    json_close();
}

void print_profile(const rc_session *s, double peak, bool as_json)
{
    const struct passes p = count(s);
    rc_session_step_info i = {.size = sizeof(i)};
    if (as_json)
        json_list("layers");
    else
        printf("%-34s %-18s %-22s %9s %6s %8s %s\n", "layer", "op", "kernel", "us", "share",
               "GMAC/s", peak > 0 ? "of peak" : "");
    for (uint64_t k = 0; k < rc_session_count_steps(s); k++) {
        if (rc_session_get_step(s, k, &i) != RC_OK || !i.runs)
            continue;
        if (as_json)
            json_row(&i, peak);
        else
            print_row(&i, &p, peak);
    }
    if (as_json)
        json_list_close();
    (as_json ? json_passes : print_passes)(&p, peak);
}
