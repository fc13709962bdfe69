/* Files made to be large in memory or slow to read: what is refused never held more than four times
 * its size and 16 MiB, and time grows no faster than size. */
#include "files.h"
#include "load.h"

#include "io/onnx.h"

#include <stdlib.h>
#include <time.h>

/* A model of about `n` pieces of one kind. */
struct family {
    const char *name;
    struct pb (*make)(uint32_t n);
    uint32_t most; /* pieces; more are refused for their number */
};

static struct pb whole(struct pb *graph)
{
    struct onnx_model m = {*graph, 8, 13};
    return onnx_bytes(&m);
}

/* `count` times a field of the graph that is this message. */
static struct pb repeated(uint32_t field, struct pb piece, uint32_t count)
{
    struct pb graph = {0};
    for (uint32_t i = 0; i < count; i++)
        pb_bytes(&graph, field, piece.data, piece.size);
    pb_free(&piece);
    return whole(&graph);
}

static struct pb empty_nodes(uint32_t n)
{
    return repeated(1, (struct pb){0}, n);
}

static struct pb empty_initializers(uint32_t n)
{
    return repeated(5, (struct pb){0}, n);
}

static struct pb empty_value_infos(uint32_t n)
{
    return repeated(13, (struct pb){0}, n);
}

static struct pb annotations(uint32_t n)
{
    return repeated(14, (struct pb){0}, n);
}

static struct pb sparse_tensors(uint32_t n)
{
    return repeated(15, (struct pb){0}, n);
}

static struct pb empty_attributes(uint32_t n)
{
    struct pb node = onnx_node("Relu", "n", "x", "y");
    for (int i = 0; i < 256; i++)
        pb_bytes(&node, 5, "", 0);
    return repeated(1, node, n / 256 + 1);
}

static struct pb empty_operands(uint32_t n)
{
    struct pb node = onnx_node("Relu", "n", "", "y");
    for (uint32_t i = 0; i < n; i++)
        pb_bytes(&node, 1, "", 0);
    return repeated(1, node, 1);
}

/* Numbers one by one or in one packed field, of an attribute or an initializer. */
static struct pb numbers(uint32_t n, uint32_t field, bool packed, bool tensor)
{
    struct pb list = {0}, holder = {0}, graph = {0}, node = onnx_node("Relu", "n", "x", "y");
    for (uint32_t i = 0; i < n; i++)
        if (packed)
            pb_number(&list, 1);
        else
            pb_varint(&holder, field, 1);
    if (packed)
        pb_message(&holder, field, &list);
    if (tensor) {
        pb_varint(&holder, 2, 255);
        pb_string(&holder, 8, "w");
        pb_message(&graph, 5, &holder);
    } else {
        pb_message(&node, 5, &holder);
    }
    pb_message(&graph, 1, &node);
    return whole(&graph);
}

static struct pb attribute_ints(uint32_t n)
{
    return numbers(n, 8, false, false);
}

static struct pb attribute_ints_packed(uint32_t n)
{
    return numbers(n, 8, true, false);
}

static struct pb int64_data(uint32_t n)
{
    return numbers(n, 7, true, true);
}

static struct pb int32_data(uint32_t n)
{
    return numbers(n, 5, true, true);
}

static struct pb dims(uint32_t n)
{
    return numbers(n, 1, false, true);
}

static struct pb unknown_fields(uint32_t n)
{
    struct pb graph = {0};
    for (uint32_t i = 0; i < n; i++)
        pb_varint(&graph, 99, 0);
    return whole(&graph);
}

static struct pb metadata(uint32_t n)
{
    struct pb graph = {0}, file = whole(&graph);
    for (uint32_t i = 0; i < n; i++)
        pb_bytes(&file, 14, "", 0);
    return file;
}

static void put_io(struct pb *graph)
{
    struct pb in = onnx_value("x", "N,3"), out = onnx_value("y", "?");
    pb_message(graph, 11, &in);
    pb_message(graph, 12, &out);
}

/* op -> op -> ... -> end, the first one on `from` */
static struct pb chain_of(const char *op, const char *from, uint32_t n, const char *end)
{
    struct pb graph = {0};
    char in[24], out[24];
    snprintf(in, sizeof(in), "%s", from);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(out, sizeof(out), "%u", i);
        struct pb node = onnx_node(op, NULL, in, i + 1 == n ? end : out);
        pb_message(&graph, 1, &node);
        memcpy(in, out, sizeof(in));
    }
    struct pb c = onnx_floats("c", ((int64_t[]){1}), 1);
    pb_message(&graph, 5, &c);
    put_io(&graph);
    return whole(&graph);
}

static struct pb chain(uint32_t n)
{
    return chain_of("Relu", "x", n, "y");
}

/* Nodes of honest size: more of them are allowed. */
static struct pb chain_with_comments(uint32_t n)
{
    static char text[401];
    struct pb graph = {0};
    char in[24] = "x", out[24];
    memset(text, 'c', sizeof(text) - 1);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(out, sizeof(out), "%u", i);
        struct pb node = onnx_node("Relu", NULL, in, out);
        pb_string(&node, 6, text);
        pb_message(&graph, 1, &node);
        memcpy(in, out, sizeof(in));
    }
    put_io(&graph);
    return whole(&graph);
}

static struct pb chain_without_end(uint32_t n)
{
    return chain_of("Relu", "x", n, "z");
}

static struct pb chain_on_itself(uint32_t n)
{
    return chain_of("Relu", "y", n, "y");
}

static struct pb chain_of_constants(uint32_t n)
{
    return chain_of("Relu", "c", n, "y");
}

static struct pb chain_of_identities(uint32_t n)
{
    return chain_of("Identity", "c", n, "y");
}

static struct pb chain_of_shapes(uint32_t n)
{
    return chain_of("Shape", "x", n, "y");
}

/* All nodes have one name, so that each needs another. */
static struct pb equal_names(uint32_t n)
{
    struct pb graph = {0};
    for (uint32_t i = 0; i < n; i++) {
        char out[24];
        snprintf(out, sizeof(out), i ? "%u" : "y", i);
        struct pb node = onnx_node("Relu", "n", "x", out);
        pb_message(&graph, 1, &node);
    }
    put_io(&graph);
    return whole(&graph);
}

static struct pb constants(uint32_t n)
{
    struct pb graph = {0};
    for (uint32_t i = 0; i < n; i++) {
        char out[24];
        snprintf(out, sizeof(out), "%u", i);
        struct pb node = onnx_node("Constant", NULL, "", out);
        onnx_attr_int(&node, "value_int", 1);
        pb_message(&graph, 1, &node);
    }
    put_io(&graph); /* y is not defined */
    return whole(&graph);
}

static struct pb initializers(uint32_t n)
{
    struct pb graph = {0};
    for (uint32_t i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof(name), "%u", i);
        struct pb t = onnx_floats(name, ((int64_t[]){1}), 1);
        pb_message(&graph, 5, &t);
    }
    put_io(&graph);
    return whole(&graph);
}

/* Weights of honest size in front of an operator that is not known. */
static struct pb weights(uint32_t n)
{
    struct pb graph = {0}, node = onnx_node("Frobnicate", "n", "x w", "y");
    float *zeros = calloc(n, sizeof(*zeros));
    struct pb t = onnx_tensor("w", 1, 1, (int64_t[]){n}, zeros, n * sizeof(*zeros));
    free(zeros);
    pb_message(&graph, 5, &t);
    pb_message(&graph, 1, &node);
    put_io(&graph);
    return whole(&graph);
}

static uint32_t fnv1a(uint32_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char) s[i]) * 16777619u;
    return h;
}

static int order_states(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

enum { TWIN = 6, TWINS = 16 };

/* Letter `k` of text `i`. */
static char twin_letter(uint32_t i, int k)
{
    return (char) ('A' + (i * 2654435761u >> (5 * k) & 31));
}

/* Two texts of 6 letters that take the hash from state *h to the same state: sixteen pairs of them,
 * one behind the other, are 65,536 names of one hash (Joux, 2004). */
static void find_twins(uint32_t *h, char twins[2][TWIN])
{
    enum { TRIES = 300000 };
    uint64_t *state = malloc(TRIES * sizeof(*state));
    char text[TWIN];
    assert_non_null(state);
    for (uint32_t i = 0; i < TRIES; i++) {
        for (int k = 0; k < TWIN; k++)
            text[k] = twin_letter(i, k);
        state[i] = (uint64_t) fnv1a(*h, text, TWIN) << 32 | i;
    }
    qsort(state, TRIES, sizeof(*state), order_states);
    uint32_t at = 1;
    while (at < TRIES && state[at] >> 32 != state[at - 1] >> 32)
        at++;
    assert_true(at < TRIES);
    *h = (uint32_t) (state[at] >> 32);
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < TWIN; k++)
            twins[t][k] = twin_letter((uint32_t) state[at - (uint32_t) t], k);
    free(state);
}

/* Results whose names have one FNV-1a hash, which a table without a key would put in one row. */
static struct pb equal_hashes(uint32_t n)
{
    static char twins[TWINS][2][TWIN];
    struct pb graph = {0};
    char name[TWIN * TWINS + 1] = "";
    if (!twins[0][0][0])
        for (uint32_t i = 0, h = 2166136261u; i < TWINS; i++)
            find_twins(&h, twins[i]);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < TWINS; k++)
            memcpy(name + k * TWIN, twins[k][i >> k & 1], TWIN);
        struct pb node = onnx_node("Relu", NULL, "x", name);
        pb_message(&graph, 1, &node);
    }
    put_io(&graph);
    return whole(&graph);
}

static const struct family families[] = {
    {"empty nodes", empty_nodes, 65536},
    {"empty initializers", empty_initializers, 65536},
    {"empty value infos", empty_value_infos, 1 << 18},
    {"annotations", annotations, 1 << 18},
    {"sparse tensors", sparse_tensors, 1 << 18},
    {"empty attributes", empty_attributes, 1 << 17},
    {"empty operands", empty_operands, 1 << 18},
    {"ints of an attribute", attribute_ints, 1 << 19},
    {"packed ints", attribute_ints_packed, 1 << 20},
    {"int64_data", int64_data, 1 << 22},
    {"int32_data", int32_data, 1 << 22},
    {"dims", dims, 1 << 19},
    {"unknown fields", unknown_fields, 65536},
    {"metadata", metadata, 4096},
    {"chain", chain, 65536},
    {"chain with comments", chain_with_comments, 16384},
    {"chain without end", chain_without_end, 65536},
    {"chain on itself", chain_on_itself, 65536},
    {"chain of constants", chain_of_constants, 65536},
    {"chain of identities", chain_of_identities, 65536},
    {"chain of shapes", chain_of_shapes, 65536},
    {"equal names", equal_names, 65536},
    {"equal hashes", equal_hashes, 65536},
    {"constants", constants, 65536},
    {"initializers", initializers, 65536},
    {"weights", weights, 1 << 22},
};
enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

struct cost {
    double seconds;
    uint64_t peak;
    rc_status status;
};

static struct cost load_once(const struct pb *p)
{
    struct cost cost = {0};
    struct rc_context *c = test_context();
    struct rc_graph *g;
    const clock_t t0 = clock(); /* processor time: others use the machine */
    cost.status = rci_onnx_load_memory(&g, c, p->data, p->size);
    cost.seconds = (double) (clock() - t0) / CLOCKS_PER_SEC;
    rci_graph_free(g);
    OK(rc_context_get_memory(c, NULL, &cost.peak));
    test_context_done(c);
    return cost;
}

/* The same from a file. */
static uint64_t file_peak(const struct pb *p)
{
    const char *folder = scratch_folder();
    const char *path = scratch_write(folder, "bounds.onnx", p->data, p->size);
    struct rc_context *c = test_context();
    struct rc_graph *g;
    uint64_t peak;
    rci_onnx_load(&g, c, path);
    rci_graph_free(g);
    OK(rc_context_get_memory(c, NULL, &peak));
    test_context_done(c);
    scratch_remove(folder);
    return peak;
}

static uint64_t allowed(const struct pb *p)
{
    return 4 * p->size + (16 << 20);
}

static bool is_limit(rc_status st)
{
    return st == RC_ERR_LIMIT;
}

/* The most pieces that get past the limits on size. */
static uint32_t largest_read(const struct family *f)
{
    static uint32_t known[FAMILIES];
    uint32_t n = f->most;
    if (known[f - families])
        return known[f - families];
    for (bool refused = true; refused && n > 64; n = refused ? n * 3 / 4 : n) {
        struct pb p = f->make(n);
        const struct cost c = load_once(&p);
        refused = is_limit(c.status);
        if (c.peak > allowed(&p))
            fail_msg("%s: %u pieces, %zu bytes: peak is %llu, allowed are %llu", f->name, n, p.size,
                     (unsigned long long) c.peak, (unsigned long long) allowed(&p));
        pb_free(&p);
    }
    return known[f - families] = n;
}

static void memory_stays_within_four_times_the_file(void **state)
{
    (void) state;
    for (int i = 0; i < FAMILIES; i++) {
        const uint32_t n = largest_read(&families[i]);
        struct pb p = families[i].make(n);
        const uint64_t peak = file_peak(&p);
        print_message("%-22s %7u pieces, %8zu bytes: peak %5.1f MB of %5.1f\n", families[i].name, n,
                      p.size, (double) peak / 1e6, (double) allowed(&p) / 1e6);
        if (peak > allowed(&p))
            fail_msg("%s: %zu bytes in a file: peak is %llu", families[i].name, p.size,
                     (unsigned long long) peak);
        pb_free(&p);
    }
}

/* The better of two. */
static double seconds_of(const struct family *f, uint32_t n)
{
    struct pb p = f->make(n);
    double least = 1e9;
    for (int i = 0; i < 2; i++) {
        const struct cost c = load_once(&p);
        least = c.seconds < least ? c.seconds : least;
    }
    pb_free(&p);
    return least;
}

static void time_grows_no_faster_than_size(void **state)
{
    (void) state;
    for (int i = 0; i < FAMILIES; i++) {
        const struct family *f = &families[i];
        const uint32_t n = largest_read(f);
        const double all = seconds_of(f, n), part = seconds_of(f, n / 8 + 1);
        if (all > 24 * part + 0.03) /* a square would be 64 times */
            fail_msg("%s: %u pieces take %.3f s, an eighth of them %.3f s", f->name, n, all, part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_within_four_times_the_file),
        cmocka_unit_test(time_grows_no_faster_than_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
