/* Small models cut at every byte and with every bit flipped: an error, or a graph that verifies and
 * that can be written and read. A residual network with all of a ResNet's operators, a quantized
 * one, one whose shapes are computed, and one with all kinds of typed data and attributes. */
#include "shared.h"
#include "test.h"

#include "base/file.h"
#include "io/onnx.h"

#include <time.h>

static const char *const models[] = {"residual", "qdq", "shapes", "typed", "constants"};
enum { MODELS = sizeof(models) / sizeof(models[0]) };

static struct rci_bytes read_model(struct rc_context *c, const char *name)
{
    struct rci_bytes b;
    char path[64];
    snprintf(path, sizeof(path), "tests/fuzz/corpus/onnx/%s", name);
    OK(rci_file_read(c, source_path(path), 0, &b));
    return b;
}

static void expect_sound(struct rc_context *c, struct rc_graph *g)
{
    struct rci_bytes again;
    struct rc_graph *back;
    OK(rci_graph_verify(g));
    OK(rci_onnx_save_memory(&again, g));
    OK(rci_onnx_load_memory(&back, c, again.data, again.size));
    rci_graph_free(back);
    rci_release(again.data);
}

/* RC_ERR_PATH: a flip makes weights external, and there is no folder. */
static bool is_about_files(rc_status st)
{
    return st == RC_ERR_FORMAT || st == RC_ERR_TRUNCATED || st == RC_ERR_LIMIT ||
           st == RC_ERR_MODEL || st == RC_ERR_SHAPE || st == RC_ERR_UNSUPPORTED ||
           st == RC_ERR_PATH;
}

/* Is it refused, and with a word? */
static bool refused(struct rc_context *c, const uint8_t *data, size_t size)
{
    struct rc_graph *g;
    const rc_status st = rci_onnx_load_memory(&g, c, data, size);
    if (st == RC_OK) {
        expect_sound(c, g);
        rci_graph_free(g);
        return false;
    }
    assert_null(g);
    if (!is_about_files(st) || !rc_last_error()[0])
        fail_msg("%s: %s", rc_status_name(st), rc_last_error());
    return true;
}

static void models_cut_anywhere_are_refused(void **state)
{
    for (int i = 0; i < MODELS; i++) {
        struct rci_bytes b = read_model(*state, models[i]);
        uint32_t whole = 0;
        for (size_t n = 0; n < b.size; n++)
            whole += !refused(*state, b.data, n);
        assert_true(whole <= 1); /* without the metadata, which come last */
        assert_false(refused(*state, b.data, b.size));
        rci_release(b.data);
    }
}

static void models_with_any_bit_flipped_are_refused_or_sound(void **state)
{
    for (int i = 0; i < MODELS; i++) {
        struct rci_bytes b = read_model(*state, models[i]);
        const clock_t t0 = clock();
        uint32_t n = 0;
        for (size_t bit = 0; bit < 8 * b.size; bit++) {
            b.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
            n += refused(*state, b.data, b.size);
            b.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        const double seconds = (double) (clock() - t0) / CLOCKS_PER_SEC;
        print_message("%-10s %5zu bits, %4u flips refused, %.2f s\n", models[i], 8 * b.size, n,
                      seconds);
        assert_true(n > b.size); /* of weights, most change the value only */
        assert_true(seconds < 60);
        rci_release(b.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_cut_anywhere_are_refused),
        cmocka_unit_test(models_with_any_bit_flipped_are_refused_or_sound),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
