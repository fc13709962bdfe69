/* Weights in files beside the model: read, and refused as soon as a file is not plainly one of the
 * model's folder. */
#include "handnets.h"
#include "load.h"

#include "io/onnx.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    struct rc_context *c;
    char folder[32], model[64];
};

static struct place place_new(struct rc_context *c)
{
    struct place p = {c, "/tmp/rescomp-XXXXXX", ""};
    assert_non_null(mkdtemp(p.folder));
    snprintf(p.model, sizeof(p.model), "%s/m.onnx", p.folder);
    return p;
}

static void put_file(const struct place *p, const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void place_end(const struct place *p)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", p->folder);
    assert_int_equal(system(command), 0);
}

static void put_entry(struct pb *tensor, const char *key, const char *value)
{
    struct pb entry = {0};
    pb_string(&entry, 1, key);
    pb_string(&entry, 2, value);
    pb_message(tensor, 13, &entry);
}

/* w [3] of f32, elsewhere; entries are pairs of key and value, NULL at the end. */
static struct pb elsewhere(const char *const *entries)
{
    struct pb t = {0};
    pb_varint(&t, 1, 3);
    pb_varint(&t, 2, 1);
    pb_string(&t, 8, "w");
    for (; *entries; entries += 2)
        put_entry(&t, entries[0], entries[1]);
    pb_varint(&t, 14, 1);
    return t;
}

static rc_status load_elsewhere(const struct place *p, const char *const *entries,
                                struct rc_graph **out)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g = NULL;
    onnx_add(&m, onnx_node("Add", "add", "x w", "y"));
    onnx_initializer(&m, elsewhere(entries));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    struct pb bytes = onnx_bytes(&m);
    put_file(p, "m.onnx", bytes.data, bytes.size);
    pb_free(&bytes);
    const rc_status st = rci_onnx_load(&g, p->c, p->model);
    if (out)
        *out = g;
    else
        rci_graph_free(g);
    return st;
}

#define ELSEWHERE(p, out, ...) \
    load_elsewhere(p, (const char *const[]){__VA_ARGS__, NULL, NULL}, out)

static void expect_weights(struct rc_graph *g, const float *want)
{
    const rci_id w = rci_graph_find_value(g, "w");
    assert_memory_equal(g->values[w].tensor.data, want, 12);
    rci_graph_free(g);
}

static const float numbers[] = {1, 2, 3, 4, 5};

static void weights_come_from_a_file_beside_the_model(void **state)
{
    struct place p = place_new(*state);
    struct rc_graph *g;
    char folder[64];
    put_file(&p, "w.bin", numbers, 20);
    OK(ELSEWHERE(&p, &g, "location", "w.bin", "offset", "8", "length", "12"));
    expect_weights(g, numbers + 2);
    put_file(&p, "w.bin", numbers, 12);
    OK(ELSEWHERE(&p, &g, "location", "w.bin", "unknown", "key"));
    expect_weights(g, numbers);
    snprintf(folder, sizeof(folder), "%s/deep", p.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_file(&p, "deep/w.bin", numbers, 20);
    OK(ELSEWHERE(&p, &g, "location", "deep/w.bin", "offset", "4", "length", "12"));
    expect_weights(g, numbers + 1);
    place_end(&p);
}

static void a_model_in_the_current_folder_finds_its_data(void **state)
{
    struct place p = place_new(*state);
    char before[512];
    struct rc_graph *g;
    put_file(&p, "w.bin", numbers, 12);
    OK(ELSEWHERE(&p, NULL, "location", "w.bin"));
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(p.folder), 0);
    OK(rci_onnx_load(&g, *state, "m.onnx"));
    expect_weights(g, numbers);
    assert_int_equal(chdir(before), 0);
    place_end(&p);
}

/* 44 */
static void locations_outside_of_the_folder_are_refused(void **state)
{
    static const char *const bad[] = {"/etc/passwd", "../w.bin", "a/../../w.bin", "a/../w.bin",
                                      ".",           "..",       "./w.bin",       "a//w.bin",
                                      "w.bin/",      "a\\w.bin", "C:w.bin",       "a/./b"};
    struct place p = place_new(*state);
    char large[1100];
    put_file(&p, "w.bin", numbers, 12);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSED(ELSEWHERE(&p, NULL, "location", bad[i]), RC_ERR_PATH, "initializer \"w\"");
    REFUSED(ELSEWHERE(&p, NULL, "location", ""), RC_ERR_PATH, "0 bytes");
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    REFUSED(ELSEWHERE(&p, NULL, "location", large), RC_ERR_PATH, "1099 bytes");
    REFUSED(ELSEWHERE(&p, NULL, "offset", "0"), RC_ERR_FORMAT, "no location");
    place_end(&p);
}

/* 45 */
static void links_and_what_is_no_file_are_refused(void **state)
{
    struct place p = place_new(*state);
    char at[8][64];
    static const char *const names[] = {"w.bin",  "link", "hard",    "fifo",
                                        "folder", "way",  "folder/w"};
    for (size_t i = 0; i < 7; i++)
        snprintf(at[i], sizeof(at[i]), "%s/%s", p.folder, names[i]);
    put_file(&p, "w.bin", numbers, 12);
    assert_int_equal(symlink("w.bin", at[1]), 0);
    assert_int_equal(mkfifo(at[3], 0600), 0);
    assert_int_equal(mkdir(at[4], 0700), 0);
    put_file(&p, "folder/w", numbers, 12);
    assert_int_equal(symlink("folder", at[5]), 0);
    OK(ELSEWHERE(&p, NULL, "location", "folder/w"));
    REFUSED(ELSEWHERE(&p, NULL, "location", "link"), RC_ERR_PATH, "symbolic link");
    REFUSED(ELSEWHERE(&p, NULL, "location", "way/w"), RC_ERR_PATH, "cannot open");
    REFUSED(ELSEWHERE(&p, NULL, "location", "fifo"), RC_ERR_PATH, "not a regular file");
    REFUSED(ELSEWHERE(&p, NULL, "location", "folder"), RC_ERR_PATH, "not a regular file");
    REFUSED(ELSEWHERE(&p, NULL, "location", "missing"), RC_ERR_PATH, "missing");
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin/x"), RC_ERR_PATH, "cannot open");
    assert_int_equal(link(at[0], at[2]), 0);
    REFUSED(ELSEWHERE(&p, NULL, "location", "hard"), RC_ERR_PATH, "hard link");
    place_end(&p);
}

/* 46 */
static void ranges_must_be_numbers_inside_of_the_file(void **state)
{
    static const char *const bad[] = {"-1", "abc", " 12", "1e3", "0x4", "18446744073709551616", ""};
    struct place p = place_new(*state);
    put_file(&p, "w.bin", numbers, 20);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "offset", bad[i]), RC_ERR_FORMAT,
                "offset");
        REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "length", bad[i]), RC_ERR_FORMAT,
                "length");
    }
    REFUSED(
        ELSEWHERE(&p, NULL, "location", "w.bin", "offset", "18446744073709551615", "length", "12"),
        RC_ERR_FORMAT, "has 20");
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "offset", "9", "length", "12"), RC_ERR_FORMAT,
            "has 20");
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "length", "8"), RC_ERR_MODEL, "has 8 bytes");
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin"), RC_ERR_MODEL, "has 20 bytes");
    place_end(&p);
}

/* 47 */
static void keys_are_given_once_and_checksums_are_verified(void **state)
{
    struct place p = place_new(*state);
    put_file(&p, "w.bin", "abcabcabcabc", 12);
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "location", "w.bin"), RC_ERR_FORMAT, "twice");
    REFUSED(ELSEWHERE(&p, NULL, "location", "w.bin", "checksum",
                      "6b1b7a4c1e3c1a6a1a0a5f1d6e0c2f3b4d5e6f70"),
            RC_ERR_FORMAT, "has checksum a33585bb0e85a94c3f4e88faf6a738e6c376a594");
    put_file(&p, "w.bin", "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    OK(ELSEWHERE(&p, NULL, "location", "w.bin", "checksum",
                 "2c513f149e737ec4063fc1d37aee9beabc4b4bbf"));
    place_end(&p);
}

/* 48 */
static void bytes_in_memory_have_no_folder(void **state)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("Add", "add", "x w", "y"));
    onnx_initializer(&m, elsewhere((const char *const[]){"location", "w.bin", NULL}));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_PATH, "no folder");
}

/* 49 */
static void many_tensors_of_one_range_are_bounded(void **state)
{
    enum { COUNT = 64, BYTES = 1 << 18 };
    struct place p = place_new(*state);
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    float *zeros = calloc(1, BYTES);
    put_file(&p, "w.bin", zeros, BYTES);
    free(zeros);
    for (int i = 0; i < COUNT; i++) {
        struct pb t = {0};
        char name[16];
        snprintf(name, sizeof(name), "w%d", i);
        pb_varint(&t, 1, BYTES / 4);
        pb_varint(&t, 2, 1);
        pb_string(&t, 8, name);
        put_entry(&t, "location", "w.bin");
        pb_varint(&t, 14, 1);
        onnx_initializer(&m, t);
    }
    onnx_add(&m, onnx_node("Relu", "relu", "x", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    struct pb bytes = onnx_bytes(&m);
    put_file(&p, "m.onnx", bytes.data, bytes.size);
    pb_free(&bytes);
    REFUSED(rci_onnx_load(&g, *state, p.model), RC_ERR_LIMIT, "share external data");
    place_end(&p);
}

/* Height and width by the caller; only those that the model leaves open need it. */
static rc_status load_shaped(struct rc_context *c, const char *shape, const char *given,
                             struct rc_graph **out)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("GlobalAveragePool", "pool", "x", "y"));
    onnx_input(&m, "x", shape);
    onnx_output(&m, "y", "?");
    struct pb bytes = onnx_bytes(&m);
    const char *const shapes[] = {given};
    const struct rci_onnx_source source = {.shapes = shapes, .n_shapes = given != NULL};
    struct rc_graph *g = NULL;
    const rc_status st = rci_onnx_load_from(&g, c, &source, bytes.data, bytes.size);
    pb_free(&bytes);
    if (out)
        *out = g;
    else
        rci_graph_free(g);
    return st;
}

static void open_sizes_are_given_by_the_caller(void **state)
{
    struct rc_graph *g;
    REFUSED(load_shaped(*state, "N,3,h,w", NULL, NULL), RC_ERR_SHAPE, "give an input shape");
    OK(load_shaped(*state, "N,3,h,w", "N,3,32,64", &g));
    assert_int_equal(g->values[g->inputs[0]].tensor.shape.dim[3], 64);
    assert_true(g->dynamic_batch);
    rci_graph_free(g);
    OK(load_shaped(*state, "N,3,8,8", "x=5,N,16,N", &g));
    assert_int_equal(g->values[g->inputs[0]].tensor.shape.dim[2], 16);
    assert_int_equal(g->values[g->inputs[0]].tensor.shape.dim[3], 8);
    assert_int_equal(g->batch, 5);
    assert_false(g->dynamic_batch);
    rci_graph_free(g);
    REFUSED(load_shaped(*state, "N,3,h,w", "N,3,32", NULL), RC_ERR_SHAPE, "3 axes");
    REFUSED(load_shaped(*state, "N,3,h,w", "N,3,0,32", NULL), RC_ERR_ARG, "axis is 0");
    REFUSED(load_shaped(*state, "N,3,h,w", "N,3,99999999999,32", NULL), RC_ERR_ARG, "allowed 1..");
    REFUSED(load_shaped(*state, "N,3,h,w", "N,3,,32", NULL), RC_ERR_ARG, "empty");
    REFUSED(load_shaped(*state, "N,3,8,8", "z=N,3,8,8", NULL), RC_ERR_ARG, "does not have");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(weights_come_from_a_file_beside_the_model),
        CASE(a_model_in_the_current_folder_finds_its_data),
        CASE(locations_outside_of_the_folder_are_refused),
        CASE(links_and_what_is_no_file_are_refused),
        CASE(ranges_must_be_numbers_inside_of_the_file),
        CASE(keys_are_given_once_and_checksums_are_verified),
        CASE(bytes_in_memory_have_no_folder),
        CASE(many_tensors_of_one_range_are_bounded),
        CASE(open_sizes_are_given_by_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
