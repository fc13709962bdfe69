/* Node tests by operator. */
#include "nodecounts.h"

#include "base/file.h"
#include "shared.h"

#include <stdlib.h>

struct count {
    char name[40];
    int passed, total;
};
enum { COUNTS_MAX = 256 };
static struct count counts[COUNTS_MAX];
static int n_counts;

void nodecounts_add(const char *op, bool passed)
{
    int i = 0;
    while (i < n_counts && strcmp(counts[i].name, op))
        i++;
    assert_true(i < COUNTS_MAX);
    if (i == n_counts)
        snprintf(counts[n_counts++].name, sizeof(counts[0].name), "%.39s", op);
    counts[i].total++;
    counts[i].passed += passed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct count *) a)->name, ((const struct count *) b)->name);
}

void nodecounts_print(void)
{
    const char *path = getenv("RESCOMP_OPERATOR_COUNTS");
    FILE *out = path ? fopen(path, "w") : NULL;
    qsort(counts, (size_t) n_counts, sizeof(counts[0]), by_name);
    for (int i = 0; i < n_counts; i++) {
        print_message("%-28s %d/%d\n", counts[i].name, counts[i].passed, counts[i].total);
        if (out)
            fprintf(out, "%s\t%d\t%d\n", counts[i].name, counts[i].passed, counts[i].total);
    }
    if (out)
        fclose(out);
}

/* Some row of that name has the number: an operator may stand in both tables. */
static bool page_says(const char *text, const struct count *n)
{
    char start[80], said[40];
    snprintf(start, sizeof(start), "\n| %.39s | ", n->name);
    snprintf(said, sizeof(said), "| %d/%d |", n->passed, n->total);
    for (const char *row = text; (row = strstr(row, start)); row++) {
        const char *end = strchr(row + 1, '\n'), *found = strstr(row, said);
        if (found && (!end || found < end))
            return true;
    }
    return false;
}

void nodecounts_page(struct rc_context *c)
{
    struct rci_bytes page;
    OK(rci_file_read(c, source_path("docs/operators.md"), 0, &page));
    char *text = rci_alloc_zero(c, page.size + 1);
    assert_non_null(text);
    memcpy(text, page.data, page.size);
    for (int i = 0; i < n_counts; i++)
        if (!page_says(text, &counts[i]))
            fail_msg("docs/operators.md: no row of %s says %d/%d; run docs/operators.py",
                     counts[i].name, counts[i].passed, counts[i].total);
    rci_release(text);
    rci_release(page.data);
}
