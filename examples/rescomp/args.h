#ifndef ARGS_H
#define ARGS_H
/* Command-line options as tables, so that help, checking and suggestions come from one place. */
#include <stdbool.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISSED = 3, EXIT_INTERRUPTED = 130 };
enum { MAX_VALUES = 64, MAX_POSITIONAL = 64 };

struct option {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* placeholder such as "N", NULL: a flag */
    const char *help;  /* one line, with the default */
    const char *words; /* what a shell may complete besides what the placeholder says, or NULL */
};

struct verb;
struct args {
    const struct verb *verb;
    const char *name[MAX_VALUES];  /* option names in the order given */
    const char *value[MAX_VALUES]; /* "" for flags */
    unsigned n;
    const char *positional[MAX_POSITIONAL];
    unsigned n_positional;
};

struct verb {
    const char *name, *operands, *summary;
    unsigned min_operands, max_operands;
    const struct option *options;
    int (*run)(const struct args *a);
    const char *words; /* what operands may be, for shells; NULL: files */
};

extern const struct option common_options[];
extern const struct verb *const verbs[]; /* NULL ends it */

/* Fills `a`, or prints what is wrong with the nearest known name and returns EXIT_USAGE. */
int args_parse(struct args *a, const struct verb *v, int argc, char **argv);
void args_help(const struct verb *v);
/* The candidate closest to `word` by edit distance, NULL when none is close. */
const char *args_nearest(const char *word, const char *const *candidates, unsigned n);

bool args_flag(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name, const char *otherwise);
/* The k-th use of a repeatable option, NULL behind the last. */
const char *args_nth(const struct args *a, const char *name, unsigned k);
/* All uses of it; list: [MAX_VALUES + 1], NULL behind the last. */
uint64_t args_list(const struct args *a, const char *name, const char **list);
/* A value that is not a number in the range ends the program with EXIT_USAGE. */
double args_real(const struct args *a, const char *name, double otherwise, double min, double max);
uint64_t args_count(const struct args *a, const char *name, uint64_t otherwise, uint64_t min,
                    uint64_t max);
/* Precision of computing, of what is not in integers. */
#define PRECISION_TEXT "f32, or bf16 where rescomp doctor says yes"
#define PRECISION_OPTION                                                 \
    {                                                                    \
        "precision", "TYPE", PRECISION_TEXT "; default: f32", "f32 bf16" \
    }
#define PRECISION_OPTION_MIXED                                                         \
    {                                                                                  \
        "precision", "TYPE",                                                           \
            PRECISION_TEXT                                                             \
            "; mixed: f32, and integer layers too where that is faster; default: f32", \
            "f32 bf16 mixed"                                                           \
    }
const char *args_precision(const struct args *a);
/* The flag for what it says; another word ends the program. mixed 0: not allowed. */
uint64_t args_precision_flags(const struct args *a, uint64_t bf16, uint64_t mixed);
#endif
