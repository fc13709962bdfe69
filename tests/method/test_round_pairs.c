/* Rounding that keeps pairs of weights safe: by hand, in every order of neighbours, least error,
 * and whole networks. */
#include "nets.h"
#include "quantnets.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "kernel/int8/pairs.h"
#include "quant/moments.h"
#include "quant/round.h"

static void round_all(const struct rci_round *r, float *scale, int8_t *q)
{
    struct rc_context *c = test_context();
    OK(rci_round_pairs(r, c, scale, q));
    test_context_done(c);
}

static struct rci_quant_blocks blocks_of(int64_t out, int64_t in, int64_t side)
{
    struct rci_quant_blocks b;
    const struct rci_shape w = RC_SHAPE(out, in, side, side);
    assert_true(rci_quant_blocks_of(&b, &w, 0, 1));
    return b;
}

/* 127 and 90: 38 steps off evenly: (127 - 90 + 128) / 2 = 82.5. Opposite signs and 100 + 28 stay.
 */
static void unsafe_pairs_move_to_the_nearest_safe_ones(void **state)
{
    (void) state;
    const struct rci_quant_blocks b = blocks_of(1, 8, 1);
    const float w[8] = {127, 90, -120, 120, 100, 28, -100.4f, -100};
    static const int8_t expected[8] = {82, 46, -120, 120, 100, 28, -64, -64};
    int8_t q[8];
    float scale = 1;
    const struct rci_round r = {.blocks = &b, .w = w, .top = 127, .keep = true};
    round_all(&r, &scale, q);
    for (int i = 0; i < 8; i++)
        if (q[i] != expected[i])
            fail_msg("weight %d became %d, not %d", i, q[i], expected[i]);
    assert_true(scale == 1);
}

/* Inputs 0 and 2 are always equal, and so are 1 and 3: what 0 and 1 cannot carry, 2 and 3 do. */
static void inputs_that_behave_alike_take_over(void **state)
{
    (void) state;
    const struct rci_quant_blocks b = blocks_of(1, 4, 1);
    const float w[4] = {120, 110, 0, 0};
    float m[16];
    for (int i = 0; i < 16; i++)
        m[i] = (i / 4 + i % 4) % 2 ? 0 : 1;
    for (int i = 0; i < 4; i++)
        m[i * 5] += 0.001f;
    int8_t q[4];
    float scale = 1;
    const struct rci_round r = {.blocks = &b, .moments = m, .w = w, .top = 127, .keep = true};
    round_all(&r, &scale, q);
    assert_int_equal(q[0] + q[2], 120);
    assert_int_equal(q[1] + q[3], 110);
    assert_true(rci_pairs_fit(q, 1, 4, 1, 4));
}

static void random_weights(float *w, int64_t n, uint64_t seed)
{
    struct rci_rng r = rci_rng_make(5, seed, 2);
    for (int64_t i = 0; i < n; i++) {
        const double v = rci_rng_normal(&r);
        w[i] = (float) fmax(-1, fmin(1, v)); /* a third at the ends of the range */
    }
}

/* E of quant/round.c, and the same of nearest integers that were made safe without moments. */
static double error_of(const struct rci_round *r, const float *scale, const int8_t *q)
{
    const struct rci_quant_blocks *b = r->blocks;
    const int64_t size = rci_quant_block_size(b), inputs = b->in * b->taps;
    double error = 0;
    for (int64_t o = 0; o < b->out; o++)
        for (int64_t i = 0; i < inputs; i++)
            for (int64_t k = i / size * size; k < inputs && k < (i / size + 1) * size; k++) {
                const double ei =
                    (double) scale[o] * q[o * inputs + i] - (double) r->w[o * inputs + i];
                const double ek =
                    (double) scale[o] * q[o * inputs + k] - (double) r->w[o * inputs + k];
                error +=
                    ei * ek * (double) r->moments[((i / size) * size + i % size) * size + k % size];
            }
    return error;
}

static void moments_lessen_the_error(void **state)
{
    (void) state;
    enum { OUT = 8, IN = 12, TAPS = 9, N = OUT * IN * TAPS };
    const struct rci_quant_blocks b = blocks_of(OUT, IN, 3);
    const int64_t size = rci_quant_block_size(&b);
    float *m = calloc((size_t) (b.count * size * size), sizeof(float));
    float w[N], plain[OUT], best[OUT];
    int8_t q[2][N];
    random_weights(w, N, 1);
    for (int64_t i = 0; i < b.count * size * size; i++) { /* neighbours are alike */
        const int64_t d = i / size % size - i % size;
        m[i] = expf(-0.3f * (float) (d < 0 ? -d : d));
    }
    for (int o = 0; o < OUT; o++)
        plain[o] = best[o] = 1.0f / 127;
    struct rci_round r = {.blocks = &b, .w = w, .top = 127};
    round_all(&r, plain, q[0]);
    r.moments = m;
    round_all(&r, best, q[1]);
    const double before = error_of(&r, plain, q[0]), after = error_of(&r, best, q[1]);
    if (!(after < 0.5 * before))
        fail_msg("error %g with moments, %g without", after, before);
    free(m);
}

static void every_order_of_neighbours_is_safe(void **state)
{
    (void) state;
    for (int64_t in = 1; in <= 33; in++)
        for (int side = 1; side <= 3; side += 2)
            for (int keep = 0; keep < 2; keep++) {
                const int64_t taps = side * side, n = 4 * in * taps;
                const struct rci_quant_blocks b = blocks_of(4, in, side);
                float *w = malloc((size_t) n * sizeof(float)), scale[4] = {0};
                int8_t *q = malloc((size_t) n);
                random_weights(w, n, (uint64_t) in);
                for (int o = 0; o < 4; o++)
                    scale[o] = 1.0f / 127;
                const struct rci_round r = {.blocks = &b, .w = w, .top = 127, .keep = keep};
                round_all(&r, scale, q);
                assert_true(rci_pairs_fit(q, 4, in, taps, in));
                assert_true(rci_pairs_fit(q, 4, in, taps, in * side));
                assert_true(rci_pairs_fit(q, 4, in, taps, in * taps));
                for (int64_t i = 0; i < n; i++) /* halved at most */
                    assert_true(fabsf((float) q[i] * scale[i / (in * taps)] - w[i]) < 0.52f);
                free(w);
                free(q);
            }
}

/* Alone, the taps of a depthwise window are no neighbours; a scale that may grow is one of a few.
 */
static void what_is_safe_stays_nearest(void **state)
{
    (void) state;
    struct rci_quant_blocks b;
    const struct rci_shape shape = RC_SHAPE(6, 1, 3, 3);
    float w[54], scale[6];
    int8_t q[54];
    assert_true(rci_quant_blocks_of(&b, &shape, 0, 6));
    random_weights(w, 54, 9);
    for (int o = 0; o < 6; o++)
        scale[o] = 1.0f / 127;
    const struct rci_round r = {.blocks = &b, .w = w, .top = 127};
    round_all(&r, scale, q);
    for (int i = 0; i < 54; i++)
        assert_int_equal(q[i], (int) rintf(w[i] / (1.0f / 127)));
}

/* --- networks --- */

static struct rc_graph *quantized(struct rc_context *c, const struct rc_graph *g, uint64_t flags)
{
    struct source s = {0};
    rc_dataset *d = quant_dataset(c, &s, H, W);
    rc_quantizer *q = quant_new(g, "minmax", flags);
    struct rc_graph *out;
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&out, q));
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    return out;
}

/* Layers whose weights are safe in every order, and others. */
static void count_layers(const struct rc_graph *g, int n[2])
{
    n[0] = n[1] = 0;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *node = &g->nodes[i];
        if (!node->op || node->op->quant != RC_QUANT_WEIGHTED)
            continue;
        struct rci_quant_blocks b;
        const struct rci_tensor *w = rci_const_in(g, &g->nodes[g->values[node->in[1]].producer], 0);
        assert_true(rci_quant_blocks_at(&b, g, i));
        if (b.stride_in != b.taps) /* [I, O]: as columns */
            continue;
        bool safe = rci_pairs_fit(w->data, b.out, b.in, b.taps, b.in);
        if (!b.one)
            safe = safe && rci_pairs_fit(w->data, b.out, b.in, b.taps, b.in * b.row) &&
                   rci_pairs_fit(w->data, b.out, b.in, b.taps, b.in * b.taps);
        n[safe]++;
    }
}

static void networks_are_safe_unless_full_range_is_wanted(void **state)
{
    (void) state;
    int unsafe = 0, n[2];
    for (uint32_t seed = 1; seed < 5; seed++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, seed, NET_ALL), *frozen;
        struct rc_graph *safe = quantized(c, g, 0), *full = quantized(c, g, RC_QUANTIZE_FULL_RANGE);
        struct rc_graph *trainable = quantized(c, g, RC_QUANTIZE_QAT);
        count_layers(safe, n);
        assert_int_equal(n[0], 0);
        assert_true(n[1] > 0);
        assert_non_null(
            strstr(rci_graph_get_metadata(safe, "rescomp.quantization"), "\"safe_pairs\":true"));
        count_layers(full, n);
        unsafe += n[0];
        OK(rc_quantizer_finish(&frozen, trainable));
        count_layers(frozen, n);
        assert_int_equal(n[0], 0);
        rc_graph_free(&frozen);
        rc_graph_free(&trainable);
        rc_graph_free(&full);
        rc_graph_free(&safe);
        rc_graph_free(&g);
        test_context_done(c);
    }
    assert_true(unsafe > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsafe_pairs_move_to_the_nearest_safe_ones),
        cmocka_unit_test(inputs_that_behave_alike_take_over),
        cmocka_unit_test(moments_lessen_the_error),
        cmocka_unit_test(every_order_of_neighbours_is_safe),
        cmocka_unit_test(what_is_safe_stays_nearest),
        cmocka_unit_test(networks_are_safe_unless_full_range_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
