#include "tool.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- interruption --- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void) signal_number;
    interrupted = 1;
    signal(SIGINT, SIG_DFL); /* the second Ctrl-C ends at once */
}

bool tool_interrupted(void)
{
    return interrupted;
}

static int32_t cancel(void *user)
{
    (void) user;
    return interrupted;
}

static void print_log(void *user, int32_t level, const char *line)
{
    const int verbose = *(const int *) user;
    if (level >= RC_LOG_WARNING || verbose)
        fprintf(stderr, "rescomp: %s%s\n", level >= RC_LOG_WARNING ? "warning: " : "", line);
}

rc_status tool_context(rc_context **out, const struct args *a)
{
    static int verbose;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    verbose = args_flag(a, "v");
    o.threads = args_count(a, "threads", 0, 1, 1024);
    o.seed = args_count(a, "seed", 0, 0, UINT64_MAX);
    o.choices = args_text(a, "choices", NULL);
    o.flags = args_flag(a, "pin") ? RC_CONTEXT_PIN : 0;
    o.log = print_log;
    o.log_user = &verbose;
    o.cancel = cancel;
    signal(SIGINT, on_interrupt);
    return rc_context_new(out, &o);
}

rc_status tool_load(rc_graph **out, rc_context *context, const struct args *a, const char *path)
{
    const char *shapes[MAX_VALUES];
    rc_graph_load_options o = RC_GRAPH_LOAD_OPTIONS_INIT;
    o.input_shapes = shapes;
    while (
        (shapes[o.input_shape_count] = args_nth(a, "input-shape", (unsigned) o.input_shape_count)))
        o.input_shape_count++;
    o.flags = args_flag(a, "check") ? RC_LOAD_CHECK : 0;
    return rc_graph_load_with(out, context, path, &o);
}

/* --- messages --- */

int tool_fail(const char *what)
{
    progress_end();
    if (interrupted) {
        fprintf(stderr, "rescomp: interrupted\n");
        return EXIT_INTERRUPTED;
    }
    if (what && *what)
        fprintf(stderr, "rescomp: %s: %s\n", what, rc_last_error());
    else
        fprintf(stderr, "rescomp: %s\n", rc_last_error());
    return EXIT_FAILED;
}

int tool_usage(const struct args *a, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "rescomp %s: ", a->verb->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see rescomp %s --help\n", a->verb->name);
    return EXIT_USAGE;
}

const char *tool_need(const struct args *a, const char *name)
{
    const char *v = args_text(a, name, NULL);
    if (!v)
        tool_usage(a, "%s%s is required", name[1] ? "--" : "-", name);
    return v;
}

uint64_t tool_file_bytes(const char *path)
{
    struct stat s;
    return stat(path, &s) ? 0 : (uint64_t) s.st_size;
}

const char *tool_short(double v, char *buf, size_t n)
{
    const char *unit[] = {"", " k", " M", " G", " T"};
    int i = 0;
    for (; v >= 1000 && i < 4; i++)
        v /= 1000;
    snprintf(buf, n, i ? "%.2f%s" : "%.0f%s", v, unit[i]);
    return buf;
}

/* --- JSON --- */

static struct {
    int depth;
    bool filled[32];
} json;

static void json_key(const char *key)
{
    if (json.depth && json.filled[json.depth])
        putchar(',');
    json.filled[json.depth] = true;
    if (json.depth)
        printf("\n%*s", 2 * json.depth, "");
    if (key) {
        printf("\"%s\": ", key);
    }
}

void json_open(const char *key)
{
    json_key(key);
    putchar('{');
    json.filled[++json.depth] = false;
}

static void json_end(char bracket)
{
    const bool filled = json.filled[json.depth--];
    if (filled)
        printf("\n%*s", 2 * json.depth, "");
    putchar(bracket);
    if (!json.depth) {
        json.filled[0] = false;
        putchar('\n');
    }
}

void json_close(void)
{
    json_end('}');
}

void json_list(const char *key)
{
    json_key(key);
    putchar('[');
    json.filled[++json.depth] = false;
}

void json_list_close(void)
{
    json_end(']');
}

void json_text(const char *key, const char *s)
{
    json_key(key);
    putchar('"');
    for (; s && *s; s++) {
        const unsigned char c = (unsigned char) *s;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void json_real(const char *key, double v)
{
    json_key(key);
    if (v - v == 0)
        printf("%.9g", v);
    else
        printf("null"); /* JSON has no infinity and no NaN */
}

void json_count(const char *key, uint64_t v)
{
    json_key(key);
    printf("%" PRIu64, v);
}

void json_bool(const char *key, bool v)
{
    json_key(key);
    printf("%s", v ? "true" : "false");
}

/* --- progress --- */

static struct {
    const char *what;
    bool on, terminal, colour;
    double begin, last;
} bar;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

void progress_begin(const struct args *a, const char *what)
{
    progress_end();
    bar.on = !args_flag(a, "q");
    bar.terminal = isatty(STDERR_FILENO);
    bar.colour = bar.terminal && !getenv("NO_COLOR");
    bar.what = what;
    bar.begin = now();
    bar.last = bar.terminal ? 0 : bar.begin;
}

static void draw_bar(double fraction, const char *detail, double left)
{
    enum { WIDTH = 24 };
    char cells[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        cells[i] = (double) i < fraction * WIDTH ? '#' : '.';
    cells[WIDTH] = '\0';
    fprintf(stderr, "\r%s %s[%s]%s %3.0f %%  %s  %.0f s left\033[K", bar.what,
            bar.colour ? "\033[36m" : "", cells, bar.colour ? "\033[0m" : "", fraction * 100,
            detail, left);
}

void progress_show(double fraction, const char *detail)
{
    if (!bar.on)
        return;
    const double t = now(), spent = t - bar.begin;
    if (t - bar.last < (bar.terminal ? 0.1 : 5) && fraction < 1)
        return;
    bar.last = t;
    const double left = fraction > 0 ? spent * (1 - fraction) / fraction : 0;
    if (bar.terminal)
        draw_bar(fraction, detail, left);
    else
        fprintf(stderr, "%s: %.0f %%, %s, %.0f s left\n", bar.what, fraction * 100, detail, left);
}

void progress_end(void)
{
    if (bar.on && bar.terminal)
        fprintf(stderr, "\r\033[K");
    bar.on = false;
}
