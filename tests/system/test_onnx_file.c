/* A file whose weights are read in places gives what its bytes in memory give, and what is wrong
 * with it is said the same way. */
#include "nets.h"
#include "test.h"

#include "base/file.h"
#include "io/onnx.h"

#include <stdlib.h>
#include <unistd.h>

static const char path[] = "onnx_file.onnx";

static struct rci_bytes saved_network(struct rc_context *c)
{
    struct rc_graph *g = net_zoo(c, "resnet20", 1);
    struct rci_bytes file;
    OK(rci_onnx_save_memory(&file, g));
    rci_graph_free(g);
    return file;
}

static void write_file(const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void a_file_and_its_bytes_give_the_same_graph(void **state)
{
    struct rci_bytes file = saved_network(*state), again;
    struct rc_graph *g;
    write_file(file.data, file.size);
    OK(rci_onnx_load(&g, *state, path));
    OK(rci_onnx_save_memory(&again, g));
    assert_int_equal(again.size, file.size);
    assert_memory_equal(again.data, file.data, file.size);
    rci_graph_free(g);
    rci_release(again.data);
    rci_release(file.data);
    unlink(path);
}

/* Status and text, but for the path that starts the text of a file. */
static void compare(struct rc_context *c, const uint8_t *data, size_t size)
{
    struct rc_graph *g = NULL, *h = NULL;
    char text[1024];
    const rc_status st = rci_onnx_load_memory(&g, c, data, size);
    snprintf(text, sizeof(text), "%s", st == RC_OK ? "" : rc_last_error());
    write_file(data, size);
    const rc_status other = rci_onnx_load(&h, c, path);
    assert_int_equal(other, st);
    if (st != RC_OK) {
        assert_null(h);
        assert_non_null(strstr(rc_last_error(), path));
        assert_non_null(strstr(rc_last_error(), text));
    }
    rci_graph_free(g);
    rci_graph_free(h);
}

static void broken_files_are_refused_as_their_bytes_are(void **state)
{
    struct rci_bytes file = saved_network(*state);
    uint8_t *bad = malloc(file.size + 8);
    for (size_t n = 0; n < 24; n++)
        compare(*state, file.data, file.size - (n < 4 ? n : n * file.size / 24));
    for (size_t i = 0; i < 48; i++) { /* lengths and tags at the start, then anywhere */
        memcpy(bad, file.data, file.size);
        bad[i < 24 ? i : i * 2654435761u % file.size] ^= (uint8_t) (1u << i % 8);
        struct rc_graph *g = NULL, *h = NULL;
        write_file(bad, file.size);
        const rc_status st = rci_onnx_load_memory(&g, *state, bad, file.size);
        assert_int_equal(rci_onnx_load(&h, *state, path), st);
        rci_graph_free(g);
        rci_graph_free(h);
    }
    memcpy(bad, file.data, file.size); /* the graph twice, and a field nobody knows */
    memcpy(bad + file.size, "\x3a\x00", 2);
    compare(*state, bad, file.size + 2);
    free(bad);
    rci_release(file.data);
    unlink(path);
}

/* Small tensors are in memory twice for a moment, large ones once. */
static void a_cap_of_twice_the_size_of_the_file_is_enough(void **state)
{
    struct rci_bytes file = saved_network(*state);
    const uint64_t size = file.size;
    write_file(file.data, file.size);
    rci_release(file.data);
    for (uint64_t cap = size / 8; cap <= size * 5 / 2; cap += size / 8) {
        struct rc_context *c;
        struct rc_graph *g;
        rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
        uint64_t live;
        o.max_memory = cap;
        OK(rc_context_new(&c, &o));
        const rc_status st = rci_onnx_load(&g, c, path);
        if (cap < size ? st != RC_ERR_MEMORY : st != RC_OK && cap >= size * 2)
            fail_msg("cap %d, file %d: %s: %s", (int) cap, (int) size, rc_status_name(st),
                     st == RC_OK ? "" : rc_last_error());
        rci_graph_free(g);
        OK(rc_context_get_memory(c, &live, NULL));
        assert_int_equal(live, 0);
        rc_context_free(&c);
    }
    unlink(path);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_and_its_bytes_give_the_same_graph),
        CASE(broken_files_are_refused_as_their_bytes_are),
        CASE(a_cap_of_twice_the_size_of_the_file_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
