#include "args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option common_options[] = {
    {"threads", "N", "threads; default: one a core, as many as a quota of processors allows"},
    {"pin", NULL, "hold every thread to a processor of its own"},
    {"seed", "N", "seed of everything random; default: 0"},
    {"choices", "FILE|off",
     "file that keeps which kernels were fastest; off: a fixed rule; default: measured anew"},
    {"input-shape", "[NAME=]N,C,H,W",
     "shape of an input, for models that leave height and width open; repeatable"},
    {"check", NULL, "compare models while loading them, step by step, on random input"},
    {"json", NULL, "one JSON object on standard output, nothing else there"},
    {"csv", NULL, "tables as comma-separated values"},
    {"q", NULL, "no progress"},
    {"v", NULL, "say more"},
    {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

/* Edit distance of short words (Levenshtein), one row at a time. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    const size_t n = strlen(b);
    if (n >= 64)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *args_nearest(const char *word, const char *const *candidates, unsigned n)
{
    const char *best = NULL;
    unsigned least = strlen(word) < 4 ? 2 : 4;
    for (unsigned i = 0; i < n; i++) {
        const unsigned d = distance(word, candidates[i]);
        if (d < least) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}

static const struct option *find(const struct option *table, const char *name, size_t n)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == n && !strncmp(table->name, name, n))
            return table;
    return NULL;
}

static int unknown_option(const struct verb *v, const char *given)
{
    const char *names[128];
    unsigned n = 0;
    for (const struct option *o = v->options; o && o->name && n < 100; o++)
        names[n++] = o->name;
    for (const struct option *o = common_options; o->name; o++)
        names[n++] = o->name;
    const char *bare = given + strspn(given, "-");
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int) strcspn(bare, "="), bare);
    const char *near = args_nearest(word, names, n);
    if (near)
        fprintf(stderr, "rescomp %s: unknown option %s; did you mean --%s?\n", v->name, given,
                near);
    else
        fprintf(stderr, "rescomp %s: unknown option %s; see rescomp %s --help\n", v->name, given,
                v->name);
    return EXIT_USAGE;
}

static int add_value(struct args *a, const struct option *o, const char *value)
{
    if (a->n == MAX_VALUES) {
        fprintf(stderr, "rescomp %s: more than %d options\n", a->verb->name, MAX_VALUES);
        return EXIT_USAGE;
    }
    a->name[a->n] = o->name;
    a->value[a->n++] = value;
    return EXIT_DONE;
}

/* One option at argv[*i]; *i moves on when its value is the next word. */
static int parse_option(struct args *a, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *bare = word + (word[1] == '-' ? 2 : 1);
    const size_t n = strcspn(bare, "=");
    const struct option *o = find(a->verb->options, bare, n);
    if (!o)
        o = find(common_options, bare, n);
    if (!o || (word[1] != '-' && n > 1))
        return unknown_option(a->verb, word);
    if (!o->value) {
        if (bare[n] == '=') {
            fprintf(stderr, "rescomp %s: --%s takes no value\n", a->verb->name, o->name);
            return EXIT_USAGE;
        }
        return add_value(a, o, "");
    }
    if (bare[n] == '=')
        return add_value(a, o, bare + n + 1);
    if (*i + 1 >= argc) {
        fprintf(stderr, "rescomp %s: --%s needs a value (%s)\n", a->verb->name, o->name, o->value);
        return EXIT_USAGE;
    }
    return add_value(a, o, argv[++*i]);
}

int args_parse(struct args *a, const struct verb *v, int argc, char **argv)
{
    *a = (struct args){.verb = v};
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && !strcmp(argv[i], "--")) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            const int code = parse_option(a, argc, argv, &i);
            if (code != EXIT_DONE)
                return code;
        } else if (a->n_positional < MAX_POSITIONAL) {
            a->positional[a->n_positional++] = argv[i];
        }
    }
    if (args_flag(a, "help"))
        return EXIT_DONE;
    if (a->n_positional < v->min_operands || a->n_positional > v->max_operands) {
        fprintf(stderr, "rescomp %s: expected %s, got %u operands; see rescomp %s --help\n",
                v->name, v->operands, a->n_positional, v->name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static void print_options(const struct option *o)
{
    for (; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s%s", o->name[1] ? "--" : "-", o->name,
                 o->value ? " " : "", o->value ? o->value : "");
        printf("  %-24s %s\n", left, o->help);
    }
}

void args_help(const struct verb *v)
{
    printf("usage: rescomp %s %s [options]\n%s\n\n", v->name, v->operands, v->summary);
    print_options(v->options);
    printf("\neverywhere:\n");
    print_options(common_options);
}

const char *args_nth(const struct args *a, const char *name, unsigned k)
{
    for (unsigned i = 0; i < a->n; i++)
        if (!strcmp(a->name[i], name) && k-- == 0)
            return a->value[i];
    return NULL;
}

uint64_t args_list(const struct args *a, const char *name, const char **list)
{
    uint64_t n = 0;
    while (n < MAX_VALUES && (list[n] = args_nth(a, name, (unsigned) n)))
        n++;
    return n;
}

/* The last use counts, so that a script's default can be overridden behind it. */
const char *args_text(const struct args *a, const char *name, const char *otherwise)
{
    for (unsigned i = a->n; i-- > 0;)
        if (!strcmp(a->name[i], name))
            return a->value[i];
    return otherwise;
}

bool args_flag(const struct args *a, const char *name)
{
    return args_text(a, name, NULL) != NULL;
}

static void bad_number(const struct args *a, const char *name, const char *given, const char *range)
{
    fprintf(stderr, "rescomp %s: --%s is \"%s\", allowed is %s\n", a->verb->name, name, given,
            range);
    exit(EXIT_USAGE);
}

double args_real(const struct args *a, const char *name, double otherwise, double min, double max)
{
    const char *text = args_text(a, name, NULL);
    if (!text)
        return otherwise;
    char *end, range[96];
    const double v = strtod(text, &end);
    snprintf(range, sizeof(range), "a number in [%g, %g]", min, max);
    if (end == text || *end || !isfinite(v) || v < min || v > max)
        bad_number(a, name, text, range);
    return v;
}

uint64_t args_count(const struct args *a, const char *name, uint64_t otherwise, uint64_t min,
                    uint64_t max)
{
    const char *text = args_text(a, name, NULL);
    if (!text)
        return otherwise;
    char *end, range[96];
    const unsigned long long v = strtoull(text, &end, 10);
    snprintf(range, sizeof(range), "a whole number in [%llu, %llu]", (unsigned long long) min,
             (unsigned long long) max);
    if (end == text || *end || text[0] == '-' || v < min || v > max)
        bad_number(a, name, text, range);
    return v;
}

const char *args_precision(const struct args *a)
{
    return args_text(a, "precision", "f32");
}

uint64_t args_precision_flags(const struct args *a, uint64_t bf16, uint64_t mixed)
{
    const char *text = args_precision(a);
    if (!strcmp(text, "f32"))
        return 0;
    if (!strcmp(text, "bf16"))
        return bf16;
    if (mixed && !strcmp(text, "mixed"))
        return mixed;
    fprintf(stderr, "rescomp %s: --precision is \"%s\", allowed are %s\n", a->verb->name, text,
            mixed ? "f32, bf16 and mixed" : "f32 and bf16");
    exit(EXIT_USAGE);
}
