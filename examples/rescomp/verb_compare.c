/* Largest and mean difference of the outputs of two models on the same images. */
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    DATA_OPTIONS,
    SPLIT_OPTION,
    {"random", "N", "N random images instead of --data; default: 64"},
    {"images", "N", "only the first N of --data; default: 256"},
    {"layers", NULL, "also every value that both models name alike"},
    {NULL, NULL, NULL},
};

struct difference {
    double max, sum;
    uint64_t n, agree, images;
};

struct model {
    rc_graph *graph;
    rc_session *session;
    uint64_t n_out;
    float **out;
};

struct job {
    const struct args *a;
    rc_context *context;
    struct model m[2];
    rc_dataset *data;
};

enum { BATCH = 32 };

/* Values of one image; 0 for what has no batch. */
static uint64_t row_size(const rc_session *s, int output, uint64_t index)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    uint64_t n = 1;
    if ((output ? rc_session_get_output(s, index, &io) : rc_session_get_input(s, index, &io)) !=
            RC_OK ||
        !io.batched)
        return 0;
    for (uint64_t i = 1; i < io.rank; i++)
        n *= (uint64_t) io.shape[i];
    return n;
}

static uint64_t largest(const float *row, uint64_t n)
{
    uint64_t best = 0;
    for (uint64_t i = 1; i < n; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

static void add(struct difference *d, const float *a, const float *b, uint64_t images, uint64_t row)
{
    for (uint64_t i = 0; i < images * row; i++) {
        const double e = fabs((double) a[i] - (double) b[i]);
        if (!(e <= d->max))
            d->max = e; /* a NaN stays */
        d->sum += e;
    }
    for (uint64_t i = 0; i < images; i++)
        d->agree += largest(a + i * row, row) == largest(b + i * row, row);
    d->n += images * row;
    d->images += images;
}

/* Small xorshift; the images only have to be the same for both models. */
static void random_images(float *x, uint64_t n, uint64_t seed)
{
    uint64_t s = seed * 2654435761u + 88172645463325252u;
    for (uint64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            sum += (float) (s >> 40) / 16777216.0f;
        }
        x[i] = (sum - 2) * 1.7f; /* about normal */
    }
}

static rc_status run_batch(struct job *j, const float *x, uint64_t n)
{
    for (int k = 0; k < 2; k++) {
        const rc_status st = rc_session_run(j->m[k].session, n, &x, j->m[k].out);
        if (st != RC_OK)
            return st;
    }
    return RC_OK;
}

static rc_status compare_all(struct job *j, struct difference *d, uint64_t images)
{
    const uint64_t size = row_size(j->m[0].session, 0, 0);
    float *x = malloc(BATCH * size * sizeof(float));
    rc_status st = x ? RC_OK : RC_ERR_MEMORY;
    for (uint64_t first = 0; first < images && st == RC_OK; first += BATCH) {
        const uint64_t n = images - first < BATCH ? images - first : BATCH;
        if (j->data)
            st = rc_dataset_read(j->data, first, n, x, NULL);
        if (j->data && st == RC_OK)
            st = data_fit(j->m[0].session, j->data, x, n);
        else
            random_images(x, n * size, first + 1);
        if (st == RC_OK)
            st = run_batch(j, x, n);
        for (uint64_t o = 0; o < j->m[0].n_out && st == RC_OK; o++)
            if (j->m[0].out[o] && j->m[1].out[o])
                add(&d[o], j->m[0].out[o], j->m[1].out[o], n, row_size(j->m[0].session, 1, o));
    }
    free(x);
    return st;
}

static const char *output_name(const struct job *j, uint64_t o)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    return rc_session_get_output(j->m[0].session, o, &io) == RC_OK ? io.name : "";
}

static void print_result(const struct job *j, const struct difference *d, uint64_t n_graph)
{
    const bool json = args_flag(j->a, "json");
    const double agree = 100.0 * (double) d[0].agree / (double) d[0].images;
    if (json) {
        json_open(NULL);
        json_real("max_abs", d[0].max);
        json_real("mean_abs", d[0].sum / (double) d[0].n);
        json_real("top1_agreement", agree);
        json_count("images", d[0].images);
        json_list("values");
    } else {
        printf("largest difference %.6g, mean %.6g, same top-1 on %.2f %% of %llu images\n",
               d[0].max, d[0].sum / (double) d[0].n, agree, (unsigned long long) d[0].images);
    }
    for (uint64_t o = 0; o < n_graph; o++) {
        if (!d[o].images)
            continue;
        if (json) {
            json_open(NULL);
            json_text("name", output_name(j, o));
            json_real("max_abs", d[o].max);
            json_real("mean_abs", d[o].sum / (double) d[o].n);
            json_close();
        } else if (n_graph > 1) {
            printf("%-48.48s max %.6g, mean %.6g\n", output_name(j, o), d[o].max,
                   d[o].sum / (double) d[o].n);
        }
    }
    if (json) {
        json_list_close();
        json_close();
    }
}

/* --- models --- */

static bool has_output(const rc_graph *g, const rc_graph_info *info, const char *name)
{
    rc_node_info n = RC_NODE_INFO_INIT;
    for (uint64_t i = 0; i < info->nodes; i++)
        if (rc_graph_get_node(g, i, &n) == RC_OK && !strcmp(n.output, name))
            return true;
    return false;
}

/* Values that both graphs name alike, in the order of the first. */
static uint64_t common_values(const struct job *j, const char **names, uint64_t room)
{
    rc_graph_info a = RC_GRAPH_INFO_INIT, b = RC_GRAPH_INFO_INIT;
    uint64_t n = 0;
    if (rc_graph_get_info(j->m[0].graph, &a) != RC_OK ||
        rc_graph_get_info(j->m[1].graph, &b) != RC_OK)
        return 0;
    for (uint64_t i = 0; i < a.nodes && n < room; i++) {
        rc_node_info node = RC_NODE_INFO_INIT;
        if (rc_graph_get_node(j->m[0].graph, i, &node) == RC_OK &&
            has_output(j->m[1].graph, &b, node.output))
            names[n++] = node.output;
    }
    return n;
}

static rc_status open_session(struct model *m, const char *const *names, uint64_t n)
{
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = BATCH;
    o.observe = names;
    o.observe_count = n;
    rc_status st = rc_session_new(&m->session, m->graph, &o);
    if (st != RC_OK)
        return st;
    m->n_out = rc_session_count_outputs(m->session);
    m->out = calloc(m->n_out, sizeof(*m->out));
    for (uint64_t i = 0; m->out && i < m->n_out; i++) {
        const uint64_t row = row_size(m->session, 1, i);
        m->out[i] = row ? malloc(BATCH * row * sizeof(float)) : NULL; /* NULL: not wanted */
    }
    return m->out ? RC_OK : RC_ERR_MEMORY;
}

/* Both read the same numbers: channels last and first are no longer the same images. */
static bool same_input(const struct job *j)
{
    rc_session_io_info io[2] = {RC_SESSION_IO_INFO_INIT, RC_SESSION_IO_INFO_INIT};
    for (int k = 0; k < 2; k++)
        if (rc_session_get_input(j->m[k].session, 0, &io[k]) != RC_OK)
            return false;
    for (uint64_t i = 1; i < io[0].rank && io[0].rank == io[1].rank; i++)
        if (io[0].shape[i] != io[1].shape[i])
            return false;
    return row_size(j->m[0].session, 0, 0) == row_size(j->m[1].session, 0, 0);
}

static bool comparable(const struct job *j)
{
    if (j->m[0].n_out != j->m[1].n_out || !row_size(j->m[0].session, 1, 0) || !same_input(j))
        return false;
    for (uint64_t o = 0; o < j->m[0].n_out; o++)
        if (row_size(j->m[0].session, 1, o) != row_size(j->m[1].session, 1, o))
            return false;
    return true;
}

static void free_model(struct model *m)
{
    for (uint64_t i = 0; m->out && i < m->n_out; i++)
        free(m->out[i]);
    free(m->out);
    rc_session_free(&m->session);
    rc_graph_free(&m->graph);
}

static int work(struct job *j)
{
    enum { MAX_NAMES = 512 };
    const char *names[MAX_NAMES];
    for (int k = 0; k < 2; k++)
        if (tool_load(&j->m[k].graph, j->context, j->a, j->a->positional[k]) != RC_OK)
            return tool_fail("compare");
    const uint64_t n = args_flag(j->a, "layers") ? common_values(j, names, MAX_NAMES) : 0;
    for (int k = 0; k < 2; k++)
        if (open_session(&j->m[k], names, n) != RC_OK)
            return tool_fail(j->a->positional[k]);
    if (!comparable(j)) {
        fprintf(stderr,
                "rescomp compare: inputs or outputs of the two models have different shapes, or no "
                "batch\n");
        return EXIT_FAILED;
    }
    int code = data_open(&j->data, j->context, j->a, j->m[0].graph, "test", DATA_SPLIT_OPTION);
    if (code != EXIT_DONE)
        return code;
    uint64_t images = j->data ? args_count(j->a, "images", 256, 1, UINT64_MAX)
                              : args_count(j->a, "random", 64, 1, 1u << 24);
    if (j->data && images > rc_dataset_count_images(j->data))
        images = rc_dataset_count_images(j->data);
    struct difference *d = calloc(j->m[0].n_out, sizeof(*d));
    const rc_status st = d ? compare_all(j, d, images) : RC_ERR_MEMORY;
    if (st == RC_OK)
        print_result(j, d, j->m[0].n_out);
    free(d);
    return st == RC_OK ? EXIT_DONE : tool_fail("compare");
}

static int compare(const struct args *a)
{
    struct job j = {.a = a};
    int code = tool_context(&j.context, a) == RC_OK ? EXIT_DONE : tool_fail("compare");
    if (code == EXIT_DONE)
        code = work(&j);
    rc_dataset_free(&j.data);
    free_model(&j.m[0]);
    free_model(&j.m[1]);
    rc_context_free(&j.context);
    return code;
}

const struct verb verb_compare = {
    "compare", "A B", "differences of outputs, agreement of top-1", 2, 2, options, compare};
