/* Least squares after a cut, against a plain solve of the same equations; what it promises. */
#include "check.h"
#include "handnets.h"
#include "noise.h"

#include <rescomp/graph.h>
#include <rescomp/prune.h>
#include <rescomp/train.h>

enum { IMAGES = 37, CHANNELS = 2, SIDE = 6, PIXELS = CHANNELS * SIDE * SIDE };

/* --- networks: layer "wide" makes the channels that are cut, "reader" reads them --- */

static rci_id head(struct net *n, rci_id x)
{
    return net_gemm(n, "fc", net_flatten(n, net_unary(n, "GlobalAveragePool", x)), 3);
}

static struct net residual(struct rc_context *c)
{
    struct net n = net_new(c);
    const rci_id x = net_cbr(&n, "stem", net_input(&n, CHANNELS, SIDE, SIDE),
                             (struct net_conv){.out = 6, .k = 3});
    const rci_id y = net_cbr(&n, "wide", x, (struct net_conv){.out = 7, .k = 3});
    const rci_id z =
        net_bn(&n, "reader.bn", net_conv(&n, "reader", y, (struct net_conv){.out = 6, .k = 3}));
    net_done(&n, head(&n, net_unary(&n, "Relu", net_binary(&n, "Add", z, x))));
    return n;
}

static struct net strided(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, CHANNELS, SIDE, SIDE);
    x = net_cbr(&n, "wide", x, (struct net_conv){.out = 9, .k = 3});
    x = net_cbr(&n, "reader", x, (struct net_conv){.out = 5, .k = 3, .stride = 2});
    net_done(&n, head(&n, x));
    return n;
}

/* Without BatchNormalization; the reader has no bias before the repair. */
static struct net folded(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, CHANNELS, SIDE, SIDE);
    x = net_unary(&n, "Relu", net_conv(&n, "wide", x, (struct net_conv){9, .k = 3, .bias = true}));
    x = net_unary(&n, "Relu", net_conv(&n, "reader", x, (struct net_conv){.out = 5, .k = 1}));
    net_done(&n, head(&n, x));
    return n;
}

static struct net classifier(struct rc_context *c)
{
    struct net n = net_new(c);
    const rci_id x = net_cbr(&n, "wide", net_input(&n, CHANNELS, SIDE, SIDE),
                             (struct net_conv){.out = 11, .k = 3});
    const rci_id y = net_flatten(&n, net_unary(&n, "GlobalAveragePool", x));
    net_done(&n, net_gemm(&n, "reader", y, 3));
    return n;
}

/* --- cutting and looking --- */

struct shot {
    struct net n;
    rc_dataset *data;
    rc_graph *plain, *repaired;
};

static rc_graph *cut(const struct shot *s, const char *repair, uint64_t kept)
{
    rc_pruner *p;
    rc_graph *out;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.repair = repair;
    o.dataset = s->data;
    o.batch = 8; /* 37 images: the last batch is short */
    OK(rc_pruner_new(&p, s->n.g, &o));
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info g = RC_PRUNE_GROUP_INFO_INIT;
        OK(rc_pruner_get_group(p, i, &g));
        if (!strcmp(g.name, "wide"))
            OK(rc_pruner_set_kept(p, i, kept));
    }
    OK(rc_pruner_apply(&out, p, NULL));
    rc_pruner_free(&p);
    return out;
}

static struct shot shoot(struct net n, const char *repair, uint64_t kept)
{
    struct shot s = {.n = n, .data = noise_images(n.g->ctx, IMAGES, CHANNELS, SIDE)};
    s.plain = cut(&s, "none", kept);
    s.repaired = cut(&s, repair, kept);
    return s;
}

static void done(struct shot *s)
{
    rc_graph_free(&s->plain);
    rc_graph_free(&s->repaired);
    rc_dataset_free(&s->data);
    rci_graph_free(s->n.g);
}

/* A value over all images, by the plain operators. */
static struct rci_tensor look(const struct rc_graph *g, rci_id value)
{
    struct rc_graph *part;
    struct rci_tensor y;
    float x[IMAGES * PIXELS];
    OK(rci_graph_clone(&part, g));
    OK(rci_graph_set_outputs(part, &value, 1));
    OK(rci_graph_sweep(part, NULL));
    for (uint64_t i = 0; i < IMAGES; i++)
        noise_image(i, x + i * PIXELS, PIXELS);
    net_run(part, IMAGES, x, &y);
    rci_graph_free(part);
    return y;
}

/* What follows the reader and its BatchNormalization. */
static rci_id reader_result(const struct rc_graph *g)
{
    rci_id y = g->nodes[rci_graph_find_node(g, "reader")].out[0];
    const rci_id next = rci_graph_single_reader(g, y);
    return next != RC_NONE && !strcmp(g->nodes[next].op->name, "BatchNormalization")
               ? g->nodes[next].out[0]
               : y;
}

static double distance(const struct rci_tensor *a, const struct rci_tensor *b)
{
    double sum = 0;
    assert_true(rci_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < rci_shape_count(&a->shape); i++)
        sum += pow((double) ((float *) a->data)[i] - (double) ((float *) b->data)[i], 2);
    return sum;
}

static double error_of(const struct rc_graph *before, const struct rc_graph *after)
{
    struct rci_tensor a = look(before, reader_result(before)),
                      b = look(after, reader_result(after));
    const double e = distance(&a, &b);
    rci_tensor_free(&a);
    rci_tensor_free(&b);
    return e;
}

/* --- the plain solve --- */

enum { KEPT = 4, UNKNOWNS = KEPT * 9 + 1, OUTPUTS = 6 };

static void eliminate(double a[UNKNOWNS][UNKNOWNS + OUTPUTS])
{
    for (int k = 0; k < UNKNOWNS; k++) {
        int best = k;
        for (int i = k; i < UNKNOWNS; i++)
            best = fabs(a[i][k]) > fabs(a[best][k]) ? i : best;
        for (int j = 0; j < UNKNOWNS + OUTPUTS; j++) {
            const double t = a[k][j];
            a[k][j] = a[best][j];
            a[best][j] = t;
        }
        for (int i = 0; i < UNKNOWNS; i++) {
            const double f = i == k ? 0 : a[i][k] / a[k][k];
            for (int j = k; j < UNKNOWNS + OUTPUTS; j++)
                a[i][j] -= f * a[k][j];
        }
    }
    for (int k = 0; k < UNKNOWNS; k++)
        for (int j = 0; j < OUTPUTS; j++)
            a[k][UNKNOWNS + j] /= a[k][k];
}

/* The 3 x 3 neighbourhoods of all channels at one position, and a one. */
static void neighbourhood(const float *x, int y, int z, double *row)
{
    for (int c = 0; c < KEPT; c++)
        for (int t = 0; t < 9; t++) {
            const int v = y + t / 3 - 1, u = z + t % 3 - 1;
            const bool inside = v >= 0 && v < SIDE && u >= 0 && u < SIDE;
            *row++ = inside ? (double) x[(c * SIDE + v) * SIDE + u] : 0;
        }
    *row = 1;
}

static void fit(const struct rci_tensor *x, const struct rci_tensor *t,
                double a[UNKNOWNS][UNKNOWNS + OUTPUTS])
{
    double row[UNKNOWNS];
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++) {
        const int image = i / (SIDE * SIDE), p = i % (SIDE * SIDE);
        neighbourhood((float *) x->data + image * KEPT * SIDE * SIDE, p / SIDE, p % SIDE, row);
        for (int j = 0; j < UNKNOWNS; j++) {
            for (int k = 0; k < UNKNOWNS; k++)
                a[j][k] += row[j] * row[k];
            for (int k = 0; k < OUTPUTS; k++)
                a[j][UNKNOWNS + k] +=
                    row[j] * (double) ((float *) t->data)[(image * OUTPUTS + k) * SIDE * SIDE + p];
        }
    }
    eliminate(a);
}

static void results_are_those_of_a_plain_solve(void **state)
{
    static double a[UNKNOWNS][UNKNOWNS + OUTPUTS];
    struct shot s =
        shoot(residual(*state), "least-squares:positions=65536,ridge=1e-8,drift=0", KEPT);
    const rci_id reads = s.repaired->nodes[rci_graph_find_node(s.repaired, "reader")].in[0];
    struct rci_tensor x = look(s.repaired, reads), t = look(s.n.g, reader_result(s.n.g));
    struct rci_tensor y = look(s.repaired, reader_result(s.repaired));
    double row[UNKNOWNS], largest = 0;
    assert_int_equal(x.shape.dim[1], KEPT);
    fit(&x, &t, a);
    for (int64_t i = 0; i < rci_shape_count(&t.shape); i++)
        largest = fmax(largest, fabs((double) ((float *) t.data)[i]));
    for (int64_t i = 0; i < rci_shape_count(&y.shape); i++) {
        const int p = (int) i % (SIDE * SIDE), k = (int) i / (SIDE * SIDE) % OUTPUTS;
        const int64_t image = i / (SIDE * SIDE * OUTPUTS);
        double want = 0;
        neighbourhood((float *) x.data + image * KEPT * SIDE * SIDE, p / SIDE, p % SIDE, row);
        for (int j = 0; j < UNKNOWNS; j++)
            want += row[j] * a[j][UNKNOWNS + k];
        assert_true(fabs((double) ((float *) y.data)[i] - want) < 1e-4 * largest);
    }
    rci_tensor_free(&x);
    rci_tensor_free(&t);
    rci_tensor_free(&y);
    done(&s);
}

static void error_is_never_above_that_of_the_plain_cut(void **state)
{
    struct net (*const make[])(struct rc_context *) = {residual, strided, folded, classifier};
    const char *const ridge[] = {"1e-8", "1e-4", "1"};
    char spec[80];
    for (size_t i = 0; i < 4; i++)
        for (int r = 0; r < 3; r++)
            for (uint64_t kept = 1; kept < 7; kept += 2) {
                snprintf(spec, sizeof(spec), "least-squares:positions=65536,drift=0,ridge=%s",
                         ridge[r]);
                struct shot s = shoot(make[i](*state), spec, kept);
                const double plain = error_of(s.n.g, s.plain), e = error_of(s.n.g, s.repaired);
                if (!(e <= plain * (1 + 1e-5)))
                    fail_msg("network %zu, ridge %s, %d kept: %g, as cut %g", i, ridge[r],
                             (int) kept, e, plain);
                assert_true(r || e < 0.9 * plain); /* and it does something */
                done(&s);
            }
}

/* Error feedback: what an earlier block lost is made up for by the next. */
static void drift_is_taken_back(void **state)
{
    struct rc_context *c = *state;
    double error[2];
    for (int drift = 0; drift < 2; drift++) {
        char spec[80];
        struct net n = net_new(c);
        rci_id x = net_cbr(&n, "stem", net_input(&n, CHANNELS, SIDE, SIDE),
                           (struct net_conv){.out = 6, .k = 3});
        const char *const names[2][3] = {{"wide", "first", "first.bn"}, {"b", "reader", "bn"}};
        rci_id sum = RC_NONE;
        for (int i = 0; i < 2; i++) {
            rci_id y = net_cbr(&n, names[i][0], x, (struct net_conv){.out = 7, .k = 3});
            y = net_conv(&n, names[i][1], y, (struct net_conv){.out = 6, .k = 3});
            sum = net_binary(&n, "Add", net_bn(&n, names[i][2], y), x);
            x = net_unary(&n, "Relu", sum);
        }
        net_done(&n, head(&n, x));
        snprintf(spec, sizeof(spec), "least-squares:positions=65536,drift=%d", drift);
        struct shot s = shoot(n, spec, 2);
        struct rci_tensor a = look(s.n.g, sum), b = look(s.repaired, sum);
        error[drift] = distance(&a, &b);
        rci_tensor_free(&a);
        rci_tensor_free(&b);
        done(&s);
    }
    print_message("squared error behind the second block %g, with drift %g\n", error[0], error[1]);
    assert_true(error[1] < 0.95 * error[0]);
}

/* Training looks at batch statistics; it must start from the repaired function. */
static void statistics_fit_the_new_weights(void **state)
{
    struct net n = residual(*state);
    rc_dataset *d = noise_images(*state, IMAGES, CHANNELS, SIDE);
    OK(rc_graph_reestimate_bn(n.g, d, IMAGES, IMAGES)); /* of the layers that stay */
    rc_dataset_free(&d);
    struct shot s = shoot(n, "least-squares:positions=65536", 3);
    struct rci_tensor a = look(s.repaired, reader_result(s.repaired));
    OK(rc_graph_reestimate_bn(s.repaired, s.data, IMAGES, IMAGES));
    struct rci_tensor b = look(s.repaired, reader_result(s.repaired)),
                      zero = look(s.plain, reader_result(s.plain));
    memset(zero.data, 0, rci_tensor_bytes(&zero));
    assert_true(distance(&a, &b) < 1e-5 * distance(&a, &zero));
    rci_tensor_free(&a);
    rci_tensor_free(&b);
    rci_tensor_free(&zero);
    done(&s);
}

/* "other" has the reader's weight and scale, and loses nothing. */
static void shared_constants_change_for_the_reader_only(void **state)
{
    struct rc_context *c = *state;
    struct net n = net_new(c);
    const rci_id x = net_input(&n, CHANNELS, SIDE, SIDE);
    const rci_id w = net_cbr(&n, "wide", x, (struct net_conv){.out = 7, .k = 3});
    const rci_id y =
        net_bn(&n, "reader.bn", net_conv(&n, "reader", w, (struct net_conv){.out = 6, .k = 3}));
    const rci_id z =
        net_bn(&n, "other.bn", net_conv(&n, "other", x, (struct net_conv){.out = 6, .k = 3}));
    struct rci_node *a = &n.g->nodes[n.g->values[y].producer];
    struct rci_node *b = &n.g->nodes[n.g->values[z].producer];
    for (uint32_t i = 1; i < 5; i++)
        a->in[i] = b->in[i];
    const rci_id both[] = {y, z};
    net_done(&n, head(&n, net_concat(&n, both, 2)));
    struct shot s = shoot(n, "least-squares", 3);
    struct rci_tensor was = look(s.n.g, z), is = look(s.repaired, z);
    assert_true(distance(&was, &is) == 0);
    assert_true(error_of(s.n.g, s.repaired) < 0.9 * error_of(s.n.g, s.plain));
    rci_tensor_free(&was);
    rci_tensor_free(&is);
    done(&s);
}

/* A few positions of every image give nearly the weights that all give. */
static void a_sample_of_positions_is_enough(void **state)
{
    struct shot s = shoot(residual(*state), "least-squares:positions=18,drift=0", 5);
    rc_graph *all = cut(&s, "least-squares:positions=36,drift=0", 5);
    const double few = error_of(s.n.g, s.repaired), best = error_of(s.n.g, all);
    assert_true(few > best && few < 1.2 * best);
    rc_graph_free(&all);
    done(&s);
}

/* 37 images are fewer than the classifier's 45 inputs: its weights stay. */
static void too_few_observations_change_nothing(void **state)
{
    struct net n = net_new(*state);
    const rci_id x = net_cbr(&n, "wide", net_input(&n, CHANNELS, SIDE, SIDE),
                             (struct net_conv){.out = 47, .k = 3});
    const rci_id y = net_flatten(&n, net_unary(&n, "GlobalAveragePool", x));
    net_done(&n, net_gemm(&n, "reader", y, 3));
    struct shot s = shoot(n, "least-squares", 45);
    struct rci_tensor a = look(s.plain, reader_result(s.plain)),
                      b = look(s.repaired, reader_result(s.repaired));
    assert_true(distance(&a, &b) == 0);
    rci_tensor_free(&a);
    rci_tensor_free(&b);
    done(&s);
}

static void wrong_options_are_refused(void **state)
{
    struct net n = residual(*state);
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.repair = "least-squares";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "repair least-squares needs a data set");
    rc_dataset *data = noise_images(*state, IMAGES, CHANNELS, SIDE);
    o.dataset = data;
    o.repair = "least-squares:ridge=0";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "ridge");
    o.repair = "least-squares:positions=0";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "positions");
    rc_dataset_free(&data);
    rci_graph_free(n.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_a_plain_solve),
        cmocka_unit_test(error_is_never_above_that_of_the_plain_cut),
        cmocka_unit_test(drift_is_taken_back),
        cmocka_unit_test(statistics_fit_the_new_weights),
        cmocka_unit_test(shared_constants_change_for_the_reader_only),
        cmocka_unit_test(a_sample_of_positions_is_enough),
        cmocka_unit_test(too_few_observations_change_nothing),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
