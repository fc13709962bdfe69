/* Manual pages in roff's man macros, from the tables that --help is printed from:
 * rescomp manual prune | man -l - */
#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct option options[] = {{NULL, NULL, NULL, NULL}};

/* Text that roff prints as it stands: a hyphen that can be copied, no escapes, no request at the
 * start of a line. */
static void roff(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++)
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
}

static void roff_font(char font, const char *s)
{
    printf("\\f%c", font);
    roff(s);
    fputs("\\fR", stdout);
}

/* Capital letters are placeholders, set in italics, as in "MODEL -o OUT"; options are bold. */
static void roff_operands(const char *s)
{
    while (*s) {
        const size_t n = strcspn(s, " []") ? strcspn(s, " []") : 1;
        char word[128];
        snprintf(word, sizeof(word), "%.*s", (int) n, s);
        if (isupper((unsigned char) word[0]))
            roff_font('I', word);
        else if (word[0] == '-')
            roff_font('B', word);
        else
            roff(word);
        s += n;
    }
}

static void print_options(const struct option *o)
{
    char name[64];
    for (; o && o->name; o++) {
        snprintf(name, sizeof(name), "%s%s", o->name[1] ? "--" : "-", o->name);
        printf(".TP\n");
        roff_font('B', name);
        if (o->value) {
            putchar(' ');
            roff_font('I', o->value);
        }
        putchar('\n');
        roff(o->help);
        putchar('\n');
    }
}

static void print_title(const char *name, const char *summary)
{
    char upper[64];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof(upper); n++)
        upper[n] = (char) toupper((unsigned char) name[n]);
    upper[n] = 0;
    printf(".TH ");
    roff(upper);
    printf(" 1 \"\" \"rescomp %s\" \"User Commands\"\n.SH NAME\n", rc_version_string());
    roff(name);
    printf(" \\- ");
    roff(summary);
    putchar('\n');
}

static void print_ends(void)
{
    printf(
        ".SH EXIT STATUS\n"
        ".TP\n0\ndone\n"
        ".TP\n1\nfailed, or a goal was missed: the best result was written, and the message says "
        "by how much it misses\n"
        ".TP\n2\nwrong usage\n"
        ".TP\n130\ninterrupted by Ctrl\\-C; no half file is left\n"
        ".SH ENVIRONMENT\n"
        ".TP\n\\fBNO_COLOR\\fR\nplain progress\n"
        ".TP\n\\fBOMP_NUM_THREADS\\fR\nthreads where \\fB\\-\\-threads\\fR is not given\n");
}

static void print_verb(const struct verb *v)
{
    char name[64];
    snprintf(name, sizeof(name), "rescomp-%s", v->name);
    print_title(name, v->summary);
    printf(".SH SYNOPSIS\n");
    snprintf(name, sizeof(name), "rescomp %s", v->name);
    roff_font('B', name);
    putchar(' ');
    roff_operands(v->operands);
    printf(" [\\fIoptions\\fR]\n");
    if (v->options && v->options->name) {
        printf(".SH OPTIONS\n");
        print_options(v->options);
    }
    printf(".SH OPTIONS OF EVERY VERB\n");
    print_options(common_options);
    print_ends();
    printf(".SH SEE ALSO\n\\fBrescomp\\fR(1)\n");
}

static void print_tool(void)
{
    print_title("rescomp", "make trained residual networks (ONNX) small and fast");
    printf(
        ".SH SYNOPSIS\n\\fBrescomp\\fR \\fIVERB\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n"
        "Prunes, quantizes, distils, trains, measures and runs residual networks that are stored "
        "as ONNX files. Whatever it does, a C or Python program can do with the same names and "
        "defaults (\\fI<rescomp/rescomp.h>\\fR).\n.SH VERBS\n");
    for (unsigned i = 0; verbs[i]; i++) {
        printf(".TP\n\\fB%s\\fR\n", verbs[i]->name);
        roff(verbs[i]->summary);
        putchar('\n');
    }
    printf(".SH OPTIONS OF EVERY VERB\n");
    print_options(common_options);
    print_ends();
    printf(".SH SEE ALSO\n");
    for (unsigned i = 0; verbs[i]; i++)
        printf("%s\\fBrescomp\\-%s\\fR(1)", i ? ", " : "", verbs[i]->name);
    putchar('\n');
}

static int run(const struct args *a)
{
    if (!a->n_positional) {
        print_tool();
        return EXIT_DONE;
    }
    for (unsigned i = 0; verbs[i]; i++)
        if (!strcmp(verbs[i]->name, a->positional[0])) {
            print_verb(verbs[i]);
            return EXIT_DONE;
        }
    return tool_usage(a, "no verb \"%s\"", a->positional[0]);
}

const struct verb verb_manual = {
    "manual", "[VERB]", "a manual page for man -l -, of a verb or of all", 0, 1, options, run};
