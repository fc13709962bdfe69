#ifndef TOOL_H
#define TOOL_H
/* What the verbs share: a context from the options, messages, JSON output, models and data. */
#include "args.h"

#include <rescomp/rescomp.h>

/* --- failing: print the message and return the exit code --- */
int tool_fail(const char *what); /* "rescomp: WHAT: last error"; 1, or 130 after Ctrl-C */
int tool_usage(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool tool_interrupted(void);

/* Context with --threads, --seed, log to standard error (-v) and Ctrl-C as its cancel callback. */
rc_status tool_context(rc_context **out, const struct args *a);
/* The model at `path`, with --input-shape. */
rc_status tool_load(rc_graph **out, rc_context *context, const struct args *a, const char *path);
/* A required option such as -o; prints usage and returns NULL when it is missing. */
const char *tool_need(const struct args *a, const char *name);

/* --- JSON on standard output, one object, written as it goes --- */
void json_open(const char *key); /* key NULL: the root or an array element */
void json_close(void);
void json_list(const char *key);
void json_list_close(void);
void json_text(const char *key, const char *value);
void json_real(const char *key, double value);
void json_count(const char *key, uint64_t value);
void json_bool(const char *key, bool value);

/* Size of a file, 0 when it cannot be read. */
uint64_t tool_file_bytes(const char *path);
/* "1.23 M", "45.6 k" */
const char *tool_short(double v, char *buf, size_t n);

/* --- progress on standard error: a bar on a terminal, a line every few seconds otherwise --- */
void progress_begin(const struct args *a, const char *what);
void progress_show(double fraction, const char *detail);
void progress_end(void);

/* Options of a network with fresh weights (create, train --init fresh). */
#define NETWORK_OPTIONS                                                             \
    {"classes", "N", "outputs; default: 10 (CIFAR form) or 1000"},                  \
        {"width", "F", "channel width multiplier; default: 1"},                     \
        {"input", "C,H,W", "input shape; default: 3,32,32 or 3,224,224"},           \
    {                                                                               \
        "shortcuts", "A|B", "CIFAR form: A slices and pads, B projects; default: A" \
    }
int network_options(const struct args *a, rc_network_options *o); /* an exit code */

/* What a file holds that cannot be loaded (inspect_survey.c); `why`: the loader's message. */
rc_status inspect_survey(const struct args *a, rc_context *context, const char *why);
/* Nodes and values in Graphviz's language (inspect_dot.c). */
rc_status inspect_dot(const rc_graph *graph);

/* How a packed file stores each weight: a table, or the member "packed" (inspect_packed.c). */
bool tool_is_packed(const char *path);
rc_status inspect_packed(const struct args *a, rc_context *context);

/* Channel groups of a graph (verb_prune.c); JSON lists them under "groups". */
rc_status inspect_groups(const struct args *a, const rc_graph *graph);

extern const struct verb verb_bench, verb_compare, verb_completion, verb_compress, verb_create;
extern const struct verb verb_doctor, verb_pack, verb_unpack, verb_profile;
extern const struct verb verb_eval, verb_fuse, verb_inspect, verb_manual, verb_methods, verb_prune;
extern const struct verb verb_quantize, verb_report, verb_run, verb_train;
#endif
