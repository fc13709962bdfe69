/* rescomp: the library at the command line. Every verb is a thin caller of the public headers. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

const struct verb *const verbs[] = {
    &verb_create,   &verb_inspect, &verb_run,        &verb_eval,   &verb_bench,
    &verb_compare,  &verb_fuse,    &verb_train,      &verb_prune,  &verb_quantize,
    &verb_compress, &verb_pack,    &verb_unpack,     &verb_report, &verb_profile,
    &verb_methods,  &verb_doctor,  &verb_completion, &verb_manual, NULL,
};
enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) - 1 };

static void print_help(void)
{
    printf("usage: rescomp VERB [options]\n\n"
           "Makes trained residual networks (ONNX) small and fast.\n\n");
    for (unsigned i = 0; i < N_VERBS; i++)
        printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    printf("\nrescomp VERB --help tells the options of a verb; rescomp --version the version.\n");
}

static int unknown_verb(const char *word)
{
    const char *names[N_VERBS];
    for (unsigned i = 0; i < N_VERBS; i++)
        names[i] = verbs[i]->name;
    const char *near = args_nearest(word, names, N_VERBS);
    if (near)
        fprintf(stderr, "rescomp: no verb \"%s\"; did you mean %s?\n", word, near);
    else
        fprintf(stderr, "rescomp: no verb \"%s\"; see rescomp --help\n", word);
    return EXIT_USAGE;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
    struct args a;
    const int code = args_parse(&a, v, argc, argv);
    if (code != EXIT_DONE)
        return code;
    if (args_flag(&a, "help")) {
        args_help(v);
        return EXIT_DONE;
    }
    return v->run(&a);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: rescomp VERB [options]; see rescomp --help\n");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("rescomp %s\n", rc_version_string());
        return EXIT_DONE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help();
        return EXIT_DONE;
    }
    for (unsigned i = 0; i < N_VERBS; i++)
        if (!strcmp(argv[1], verbs[i]->name))
            return run_verb(verbs[i], argc - 2, argv + 2);
    return unknown_verb(argv[1]);
}
