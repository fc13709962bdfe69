/* One feeder for everything that runs a data set through a graph. */
#include "check.h"
#include "graph/graph.h"
#include "tiny.h"

#include "data/feed.h"

#include <rescomp/rescomp.h>

enum { IMAGES = 70, PIXELS = TINY_CHANNELS * TINY_SIDE * TINY_SIDE };

/* All images of a feed, compared with the data set where they come in its order; how many. */
static uint64_t feed_all(const struct rc_graph *g, const rc_dataset *d,
                         const struct rci_feed_config *o, uint32_t *batches)
{
    struct rci_feed f;
    float image[PIXELS];
    int32_t label;
    uint32_t n;
    uint64_t seen = 0;
    *batches = 0;
    OK(rci_feed_open(&f, g, d, o));
    for (;; (*batches)++) {
        OK(rci_feed_next(&f, &n));
        if (!n)
            break;
        assert_true(n <= f.batch);
        assert_int_equal(f.run, g->dynamic_batch ? n : f.batch);
        for (uint32_t i = 0; !o->shuffle && i < n; i++) {
            OK(rc_dataset_read(d, seen + i, 1, image, &label));
            assert_int_equal(f.label[i], label);
            assert_memory_equal(f.x + (size_t) i * PIXELS, image, sizeof(image));
        }
        seen += n;
        assert_int_equal(f.seen, seen);
    }
    OK(rci_feed_next(&f, &n)); /* the end stays the end */
    assert_int_equal(n, 0);
    rci_feed_close(&f);
    rci_feed_close(&f); /* harmless */
    return seen;
}

static void every_image_that_was_asked_for_comes_once(void **state)
{
    rc_dataset *d = tiny_dataset(*state, IMAGES);
    rc_graph *g = tiny_network(*state, 0, 1);
    uint32_t batches;
    struct rci_feed_config o = {.batch = 16};
    assert_int_equal(feed_all(g, d, &o, &batches), IMAGES);
    assert_int_equal(batches, 5);
    o.images = 33;
    assert_int_equal(feed_all(g, d, &o, &batches), 33);
    assert_int_equal(batches, 3);
    o.prefetch = true;
    assert_int_equal(feed_all(g, d, &o, &batches), 33);
    o.drop_last = true;
    assert_int_equal(feed_all(g, d, &o, &batches), 32);
    assert_int_equal(batches, 2);
    o.shuffle = true;
    assert_int_equal(feed_all(g, d, &o, &batches), 32);
    o.images = 10 * IMAGES;
    assert_int_equal(feed_all(g, d, &o, &batches), 64);
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void a_fixed_batch_is_always_run_whole(void **state)
{
    rc_dataset *d = tiny_dataset(*state, IMAGES);
    rc_graph *g = tiny_network(*state, 0, 1);
    uint32_t batches;
    const struct rci_feed_config o = {.batch = 64};
    g->dynamic_batch = false;
    g->batch = 32;
    assert_int_equal(feed_all(g, d, &o, &batches), IMAGES);
    assert_int_equal(batches, 3);
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void what_cannot_be_fed_is_said_before_anything_is_read(void **state)
{
    rc_dataset *d = tiny_dataset(*state, 5);
    rc_graph *g = tiny_network(*state, 0, 1);
    struct rci_feed f;
    struct rci_feed_config o = {.batch = 8, .drop_last = true};
    REFUSED(rci_feed_open(&f, g, d, &o), RC_ERR_DATA, "5 images are fewer than one batch of 8");
    rci_feed_close(&f);
    g->values[g->inputs[0]].tensor.shape.dim[2]++;
    REFUSED(rci_feed_open(&f, g, d, &o), RC_ERR_SHAPE,
            "images are 3x8x8, input \"input\" is f32 1x3x9x8");
    rci_feed_close(&f);
    g->values[g->inputs[0]].tensor.shape = RC_SHAPE(1, PIXELS); /* flat, but as many numbers */
    OK(rci_feed_check(g, d));
    g->values[g->inputs[0]].tensor.shape = RC_SHAPE(1, PIXELS + 1);
    REFUSED(rci_feed_check(g, d), RC_ERR_SHAPE, "images are 3x8x8");
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

/* The network's answer plus a second input. */
static rc_graph *with_two_inputs(struct rc_context *c)
{
    rc_graph *g = tiny_network(c, 0, 1);
    const struct rci_shape s = g->values[g->outputs[0]].tensor.shape;
    rci_id in, add;
    OK(rci_graph_add_input(g, &in, "second", RC_F32, &s));
    const rci_id operands[] = {g->outputs[0], in};
    OK(rci_graph_add_node(g, &add, rci_op_find(NULL, "Add"), "sum", NULL, operands, 2, NULL, 1));
    OK(rci_graph_set_outputs(g, g->nodes[add].out, 1));
    OK(rci_graph_infer(g));
    return g;
}

static void two_inputs_are_one_error_everywhere(void **state)
{
    static const char text[] = "the graph has 2 inputs, a data set feeds one";
    static const char *const criteria[] = {"activation", "block-obs"};
    rc_dataset *d = tiny_dataset(*state, 64);
    rc_graph *g = with_two_inputs(*state);
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    rc_train_options t = RC_TRAIN_OPTIONS_INIT;
    rc_trainer *trainer;
    rc_quantizer *q;
    t.batch = 16;
    REFUSED(rc_evaluate(g, d, NULL, &e), RC_ERR_SHAPE, text);
    REFUSED(rc_trainer_new(&trainer, g, d, &t), RC_ERR_SHAPE, text);
    REFUSED(rc_graph_reestimate_bn(g, d, 0, 0), RC_ERR_SHAPE, text);
    OK(rc_quantizer_new(&q, g, NULL));
    REFUSED(rc_quantizer_calibrate(q, d), RC_ERR_SHAPE, text);
    rc_quantizer_free(&q);
    for (int i = 0; i < 2; i++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        const double *scores;
        o.criterion = criteria[i];
        o.dataset = d;
        OK(rc_pruner_new(&p, g, &o));
        REFUSED(rc_pruner_get_scores(p, 0, &scores, NULL), RC_ERR_SHAPE, text);
        rc_pruner_free(&p);
    }
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_image_that_was_asked_for_comes_once),
        cmocka_unit_test(a_fixed_batch_is_always_run_whole),
        cmocka_unit_test(what_cannot_be_fed_is_said_before_anything_is_read),
        cmocka_unit_test(two_inputs_are_one_error_everywhere),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
