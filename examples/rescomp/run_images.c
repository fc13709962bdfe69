/* Images in, labels out: rescomp run model.onnx --image cat.jpg. Preprocessing and labels are those
 * in the model's metadata, or ImageNet's usual preprocessing. */
#include "run_images.h"
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct images {
    const struct args *a;
    rc_context *context;
    rc_graph *graph;
    rc_session *session;
    char *labels; /* lines with NUL in place of the newlines */
    size_t labels_size;
    uint64_t top, classes, side;
};

/* Network input for `file`, **[1, 3, side, side]** at `x`. */
static int read_image(const struct images *j, const char *file, float *x)
{
    rc_dataset *data = NULL;
    int64_t chw[3];
    char *spec = malloc(strlen(file) + 7);
    if (!spec)
        return tool_fail("run");
    sprintf(spec, "image:%s", file);
    int code = data_open_spec(&data, j->context, j->a, j->graph, spec, j->side);
    free(spec);
    if (code == EXIT_DONE && (rc_dataset_get_shape(data, chw) != RC_OK ||
                              chw[1] != (int64_t) j->side || chw[2] != (int64_t) j->side)) {
        fprintf(stderr, "rescomp run: %s becomes %lldx%lld pixels, the model takes %llux%llu\n",
                file, (long long) chw[1], (long long) chw[2], (unsigned long long) j->side,
                (unsigned long long) j->side);
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE && (rc_dataset_read(data, 0, 1, x, NULL) != RC_OK ||
                              data_fit(j->session, data, x, 1) != RC_OK))
        code = tool_fail("run");
    rc_dataset_free(&data);
    return code;
}

/* Line `k` of the labels; NULL behind the last. */
static const char *label_of(const struct images *j, uint64_t k)
{
    const char *at = j->labels, *const end = at ? at + j->labels_size : NULL;
    for (; at && at < end; at += strlen(at) + 1)
        if (!k--)
            return at;
    return NULL;
}

static void own_labels(struct images *j, char *text, size_t size)
{
    j->labels = text;
    j->labels_size = size;
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\n')
            text[i] = 0;
}

static int read_label_file(struct images *j, const char *path)
{
    const uint64_t size = tool_file_bytes(path);
    FILE *f = fopen(path, "r");
    char *text = size < 64u << 20 ? malloc(size + 1) : NULL;
    const size_t got = f && text ? fread(text, 1, size, f) : 0;
    if (f)
        fclose(f);
    if (!got) {
        free(text);
        fprintf(stderr, "rescomp run: %s: no labels can be read, one per line\n", path);
        return EXIT_FAILED;
    }
    text[got] = 0;
    own_labels(j, text, got);
    return EXIT_DONE;
}

/* --labels, else what the model says of its own classes. */
static int find_labels(struct images *j)
{
    const char *file = args_text(j->a, "labels", NULL), *stored = NULL;
    if (file)
        return read_label_file(j, file);
    if (rc_graph_get_metadata(j->graph, LABELS_KEY, &stored) != RC_OK)
        return tool_fail("metadata");
    if (!stored)
        return EXIT_DONE;
    char *copy = strdup(stored);
    if (!copy)
        return tool_fail("run");
    own_labels(j, copy, strlen(stored));
    return EXIT_DONE;
}

/* Probabilities in place: logits are made some by softmax, what sums to 1 is left as it is. */
static void to_probabilities(float *y, uint64_t n)
{
    double sum = 0, most = y[0];
    bool done = true;
    for (uint64_t i = 0; i < n; i++) {
        sum += (double) y[i];
        most = (double) y[i] > most ? (double) y[i] : most;
        done = done && y[i] >= 0;
    }
    if (done && fabs(sum - 1) < 1e-3)
        return;
    sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += exp((double) y[i] - most);
    for (uint64_t i = 0; i < n; i++)
        y[i] = (float) (exp((double) y[i] - most) / sum);
}

static void show_answer(const struct images *j, uint64_t class, double p)
{
    const char *label = label_of(j, class);
    if (args_flag(j->a, "json")) {
        json_open(NULL);
        json_count("class", class);
        if (label)
            json_text("label", label);
        json_real("probability", p);
        json_close();
    } else if (label) {
        printf("  %6.2f %%  %s\n", 100 * p, label);
    } else {
        printf("  %6.2f %%  class %llu\n", 100 * p, (unsigned long long) class);
    }
}

/* The classes from the most probable on; what was shown is marked by -1. */
static void show(const struct images *j, const char *file, float *y)
{
    const bool as_json = args_flag(j->a, "json");
    to_probabilities(y, j->classes);
    if (as_json) {
        json_open(NULL);
        json_text("file", file);
        json_list("top");
    } else {
        printf("%s\n", file);
    }
    for (uint64_t k = 0; k < j->top && k < j->classes; k++) {
        uint64_t best = 0;
        for (uint64_t i = 1; i < j->classes; i++)
            if (y[i] > y[best])
                best = i;
        show_answer(j, best, (double) y[best]);
        y[best] = -1;
    }
    if (as_json) {
        json_list_close();
        json_close();
    }
}

static int run_files(struct images *j)
{
    const size_t pixels = 3 * (size_t) (j->side * j->side);
    float *x = malloc(pixels * sizeof(*x)), *y = malloc(j->classes * sizeof(*y));
    const bool as_json = args_flag(j->a, "json");
    const char *file;
    int code = x && y ? EXIT_DONE : tool_fail("run");
    if (as_json) {
        json_open(NULL);
        json_list("images");
    }
    for (unsigned k = 0; code == EXIT_DONE && (file = args_nth(j->a, "image", k)); k++) {
        code = read_image(j, file, x);
        if (code == EXIT_DONE &&
            rc_session_run(j->session, 1, (const float *const[]){x}, (float *const[]){y}) != RC_OK)
            code = tool_fail("run");
        if (code == EXIT_DONE)
            show(j, file, y);
    }
    if (as_json) {
        json_list_close();
        json_close();
    }
    free(x);
    free(y);
    return code;
}

/* One picture [N, 3, S, S] in, one answer [N, classes] out. */
static int check_shapes(struct images *j)
{
    rc_session_io_info in = RC_SESSION_IO_INFO_INIT, out = RC_SESSION_IO_INFO_INIT;
    if (rc_session_get_input(j->session, 0, &in) != RC_OK ||
        rc_session_get_output(j->session, 0, &out) != RC_OK)
        return tool_fail("run");
    uint64_t classes = 1;
    const bool last = in.shape[1] != 3; /* [N, S, S, 3] */
    for (uint64_t i = 1; i < out.rank; i++)
        classes *= (uint64_t) out.shape[i];
    if (rc_session_count_inputs(j->session) != 1 || rc_session_count_outputs(j->session) != 1 ||
        in.rank != 4 || in.shape[last ? 3 : 1] != 3 || in.shape[2] != in.shape[last ? 1 : 3] ||
        !classes) {
        fprintf(stderr, "rescomp run: --image needs a model of one input [N, 3, S, S] and one "
                        "output; --input takes arrays\n");
        return EXIT_FAILED;
    }
    j->side = (uint64_t) in.shape[2];
    j->classes = classes;
    return EXIT_DONE;
}

int run_images(const struct args *a, rc_context *context)
{
    struct images j = {.a = a, .context = context, .top = args_count(a, "top", 5, 1, 1000000)};
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = 1;
    o.flags = args_flag(a, "reference") ? RC_SESSION_REFERENCE : 0;
    int code = tool_load(&j.graph, context, a, a->positional[0]) == RC_OK &&
                       rc_session_new(&j.session, j.graph, &o) == RC_OK
                   ? EXIT_DONE
                   : tool_fail("run");
    if (code == EXIT_DONE)
        code = check_shapes(&j);
    if (code == EXIT_DONE)
        code = find_labels(&j);
    if (code == EXIT_DONE)
        code = run_files(&j);
    free(j.labels);
    rc_session_free(&j.session);
    rc_graph_free(&j.graph);
    return code;
}
