/* Limits on processors, as Linux tells them: cgroups(7), proc(5), sched_getaffinity(2). */
#include "base/processors.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096 };

/* --- affinity and cores --- */

uint32_t rci_processors_allowed(uint32_t list[RC_PROCESSORS])
{
    cpu_set_t set[RC_PROCESSORS / CPU_SETSIZE];
    uint32_t n = 0;
    if (sched_getaffinity(0, sizeof(set), set))
        return 0;
    for (uint32_t i = 0; i < RC_PROCESSORS; i++)
        if (CPU_ISSET_S(i, sizeof(set), set))
            list[n++] = i;
    return n;
}

static bool read_line(const char *path, char line[LINE])
{
    FILE *f = fopen(path, "re");
    const bool read = f && fgets(line, LINE, f);
    if (f)
        fclose(f);
    return read;
}

bool rci_processors_begins_core(const char *root, const uint32_t *processors, uint32_t at)
{
    char path[LINE], line[LINE];
    snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
             root, processors[at]);
    if (!read_line(path, line))
        return true;
    for (char *p = line, *end; *p; p = *end == ',' ? end + 1 : end) { /* "0,4" or "0-1" */
        const unsigned long from = strtoul(p, &end, 10);
        if (end == p)
            break;
        const unsigned long to = *end == '-' ? strtoul(end + 1, &end, 10) : from;
        for (uint32_t i = 0; i < at; i++)
            if (processors[i] >= from && processors[i] <= to)
                return false;
    }
    return true;
}

uint32_t rci_processors_cores(const char *root, const uint32_t *processors, uint32_t n)
{
    uint32_t cores = 0;
    for (uint32_t i = 0; i < n; i++)
        cores += rci_processors_begins_core(root, processors, i);
    return cores;
}

/* --- quotas --- */

/* A hierarchy of cgroups, and this process's place in it. */
struct hierarchy {
    bool found, v2;
    char mount[LINE], top[LINE], path[LINE]; /* where it is mounted, from where on; below that */
};

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, word, n) && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

/* "\040" and the like, which mountinfo has in place of spaces, back into characters. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *p = text; *p; to++)
        if (*p == '\\' && strspn(p + 1, "01234567") >= 3) {
            *to = (char) ((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else {
            *to = *p++;
        }
    *to = '\0';
}

/* "31 23 0:28 TOP MOUNT rw,relatime shared:1 - TYPE source rw,cpu" */
static void read_mount(char *line, struct hierarchy *h)
{
    char top[LINE], mount[LINE], type[64], options[LINE] = "";
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, mount) != 2 ||
        sscanf(rest, " - %63s %*s %4095s", type, options) < 1)
        return;
    const bool fits =
        h->v2 ? !strcmp(type, "cgroup2") : !strcmp(type, "cgroup") && has_word(options, "cpu");
    if (!fits || h->found)
        return;
    h->found = true;
    unescape(mount);
    unescape(top);
    memcpy(h->mount, mount, sizeof(mount));
    memcpy(h->top, top, sizeof(top));
}

/* "4:cpu,cpuacct:/a/b", or "0::/a/b" of version 2 */
static void read_place(char *line, struct hierarchy *h)
{
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path)
        return;
    *path++ = '\0';
    if (h->v2 ? strcmp(line, "0:") != 0 || list[1] : !has_word(list + 1, "cpu"))
        return;
    path[strcspn(path, "\n")] = '\0';
    snprintf(h->path, LINE, "%s", path);
}

static void read_lines(const char *root, const char *name, struct hierarchy *h,
                       void (*read)(char *line, struct hierarchy *h))
{
    char path[LINE], line[LINE];
    snprintf(path, sizeof(path), "%s%s", root, name);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        read(line, h);
    if (f)
        fclose(f);
}

/* Processors' time that the cgroup in `folder` has; infinite where it says nothing. */
static double quota_of(const char *folder, bool v2)
{
    char path[LINE + 32], line[LINE];
    double quota = 0, period = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (!read_line(path, line))
        return INFINITY;
    if (v2) { /* "150000 100000", "max 100000" */
        char *end;
        quota = (double) strtoll(line, &end, 10);
        period = (double) strtoll(end, NULL, 10);
    } else {
        quota = (double) atoll(line); /* -1: none */
        snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
        period = read_line(path, line) ? (double) atoll(line) : 0;
    }
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* Every level up to the mount limits those below it. */
static double least_quota(const char *root, const struct hierarchy *h)
{
    char folder[3 * LINE];
    const size_t top = !strcmp(h->top, "/") ? 0 : strlen(h->top);
    /* from a container's mount the host's path may lead nowhere: what is mounted is its own */
    const bool below = !strncmp(h->path, h->top, top) && !strstr(h->path, "/..") &&
                       (h->path[top] == '/' || !h->path[top]);
    const int base = snprintf(folder, sizeof(folder), "%s%s", root, h->mount);
    snprintf(folder + base, sizeof(folder) - (size_t) base, "%s", below ? h->path + top : "");
    double least = quota_of(folder, h->v2);
    for (char *slash; (slash = strrchr(folder + base, '/'));) {
        *slash = '\0';
        least = fmin(least, quota_of(folder, h->v2));
    }
    return least;
}

double rci_processors_quota(const char *root)
{
    double least = INFINITY;
    for (int v2 = 0; v2 < 2; v2++) {
        struct hierarchy h = {.v2 = v2};
        read_lines(root, "/proc/self/mountinfo", &h, read_mount);
        read_lines(root, "/proc/self/cgroup", &h, read_place);
        if (h.found)
            least = fmin(least, least_quota(root, &h));
    }
    return isfinite(least) ? least : 0;
}

/* --- both --- */

void rci_processors_ask(struct rci_processors *p, const char *root)
{
    uint32_t list[RC_PROCESSORS];
    const uint32_t n = rci_processors_allowed(list);
    p->allowed = n ? n : 1;
    p->cores = n ? rci_processors_cores(root, list, n) : 1;
    p->quota = rci_processors_quota(root);
}

uint32_t rci_processors_threads(const struct rci_processors *p)
{
    const double paid = p->quota > 0 ? floor(p->quota + 0.5) : p->cores;
    return paid < 1 ? 1 : paid < p->cores ? (uint32_t) paid : p->cores ? p->cores : 1;
}
