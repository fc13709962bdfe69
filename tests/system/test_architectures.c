/* Residual architectures as exporters write them (tests/golden/architectures, made by make.py
 * there): each is imported, computes what ONNX Runtime computed, is written back to the same bytes,
 * loses channels as if they had been masked, is pruned and quantized through the public interface.
 */
#include "files.h"
#include "handnets.h"
#include "masked.h"
#include "quantnets.h"
#include "shared.h"

#include "base/file.h"
#include "graph/graph.h"

#include <math.h>
#include <stdlib.h>
#include <zlib.h>

enum { NAME_SIZE = 64, RESULTS_MAX = 64, ONNX_MAX = 4 << 20, AGREE_IMAGES = 48 };

struct architecture {
    char name[NAME_SIZE];
    float want[RESULTS_MAX]; /* [2, classes] */
    int64_t results;
};

/* Architectures that a step leaves out, each with what the step would ask of it. */
struct exception {
    const char *name, *why;
};

static bool excepted(const struct exception *list, const char *name)
{
    for (; list->name; list++)
        if (strncmp(list->name, name, strlen(list->name)) == 0)
            return true;
    return false;
}

/* The next line of expected.txt: a name, then the results. */
static bool next_architecture(FILE *f, struct architecture *a)
{
    static char line[RESULTS_MAX * 24];
    if (!fgets(line, sizeof(line), f))
        return false;
    char *at = strchr(line, ' ');
    assert_non_null(at);
    snprintf(a->name, sizeof(a->name), "%.*s", (int) (at - line), line);
    for (a->results = 0; *at && *at != '\n'; a->results++) {
        assert_true(a->results < RESULTS_MAX);
        a->want[a->results] = strtof(at, &at);
    }
    return true;
}

static struct rc_graph *load_architecture(struct rc_context *c, const struct architecture *a)
{
    char path[160];
    rc_graph *g = NULL;
    snprintf(path, sizeof(path), "tests/golden/architectures/%s.onnx.gz", a->name);
    gzFile f = gzopen(source_path(path), "rb");
    assert_non_null(f);
    uint8_t *bytes = malloc(ONNX_MAX);
    const int n = gzread(f, bytes, ONNX_MAX);
    gzclose(f);
    assert_true(n > 0 && n < ONNX_MAX);
    const rc_status st = rc_graph_load_memory(&g, c, bytes, (size_t) n);
    free(bytes);
    if (st)
        print_error("%s: %s: %s\n", a->name, rc_status_name(st), rc_last_error());
    return g;
}

/* Calls `step` for each architecture; it returns whether all is well. One that fails does not hide
 * those behind it. */
static void each_architecture(void **state, bool (*step)(const struct architecture *, rc_graph *),
                              const struct exception *exceptions)
{
    struct rc_context *c = *state;
    FILE *f = fopen(source_path("tests/golden/architectures/expected.txt"), "r");
    assert_non_null(f);
    struct architecture a;
    uint32_t count = 0, bad = 0;
    uint64_t before, live;
    OK(rc_context_get_memory(c, &before, NULL));
    for (; next_architecture(f, &a); count++) {
        if (excepted(exceptions, a.name))
            continue;
        rc_graph *g = load_architecture(c, &a);
        if (!g || !step(&a, g)) {
            print_error("%s failed\n", a.name);
            bad++;
        }
        rc_graph_free(&g);
        OK(rc_context_get_memory(c, &live, NULL));
        if (live > before) {
            print_error("%s: %u bytes are left\n", a.name, (unsigned) (live - before));
            bad++;
        }
    }
    fclose(f);
    print_message("%u architectures, %u failed\n", count, bad);
    assert_true(count >= 40);
    assert_int_equal(bad, 0);
}

/* Image n of make.py: integers spread by a multiplicative hash. Channels last where the graph's
 * input has them last. */
static void fill_images(float *x, const struct rci_shape *s, int64_t images)
{
    const bool last = s->dim[3] == 3;
    const int64_t c = last ? s->dim[3] : s->dim[1], pixels = rci_shape_count(s) / s->dim[0] / c;
    for (int64_t i = 0; i < images; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t p = 0; p < pixels; p++) {
                const uint32_t h = (uint32_t) ((i * c + k) * pixels + p) * 2654435761u;
                x[last ? (i * pixels + p) * c + k : (i * c + k) * pixels + p] =
                    (float) (h >> 24) / 64 - 2;
            }
}

static bool computes(const struct architecture *a, const rc_graph *g)
{
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    float *x = malloc((size_t) (rci_shape_count(s) / s->dim[0] * 2) * sizeof(*x)), *y;
    y = malloc((size_t) a->results * sizeof(*y));
    fill_images(x, s, 2);
    quant_run(g, 2, x, y, 0);
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < a->results; i++) {
        worst = fmax(worst, fabs((double) y[i] - (double) a->want[i]));
        scale = fmax(scale, fabs((double) a->want[i]));
    }
    free(x);
    free(y);
    if (worst <= 1e-4 * scale)
        return true;
    print_error("%s: differs by %g of %g\n", a->name, worst, scale);
    return false;
}

static bool check_results(const struct architecture *a, rc_graph *g)
{
    return computes(a, g);
}

static void results_are_those_of_onnxruntime(void **state)
{
    each_architecture(state, check_results, (const struct exception[]){{NULL, NULL}});
}

/* What was read and written once is read and written to the same bytes, and computes the same. */
static bool check_round_trip(const struct architecture *a, rc_graph *g)
{
    const char *folder = scratch_folder();
    struct rci_bytes b[2] = {{0}, {0}};
    rc_graph *again = NULL;
    OK(rc_graph_save(g, scratch_path(folder, "a.onnx")));
    OK(rc_graph_load(&again, g->ctx, scratch_path(folder, "a.onnx")));
    OK(rc_graph_save(again, scratch_path(folder, "b.onnx")));
    OK(rci_file_read(g->ctx, scratch_path(folder, "a.onnx"), 0, &b[0]));
    OK(rci_file_read(g->ctx, scratch_path(folder, "b.onnx"), 0, &b[1]));
    const bool same = b[0].size == b[1].size && memcmp(b[0].data, b[1].data, b[0].size) == 0;
    rci_release(b[0].data);
    rci_release(b[1].data);
    const bool computed = computes(a, again);
    rc_graph_free(&again);
    scratch_remove(folder);
    return same && computed;
}

static void files_are_written_back_the_same(void **state)
{
    each_architecture(state, check_round_trip, (const struct exception[]){{NULL, NULL}});
}

/* Nodes may only become fewer; every pass is compared with the graph before it. */
static bool check_clean_up(const struct architecture *a, rc_graph *g)
{
    rc_graph_info before = RC_GRAPH_INFO_INIT, after = RC_GRAPH_INFO_INIT;
    rc_graph *clean = NULL;
    OK(rc_graph_get_info(g, &before));
    OK(rc_graph_clone(&clean, g));
    clean->checked = !strstr(a->name, "-dy"); /* the same network again */
    const rc_status st = rc_graph_fuse(clean);
    if (st)
        print_error("%s: %s\n", a->name, rc_last_error());
    clean->checked = false;
    OK(rc_graph_get_info(clean, &after));
    const bool good = !st && after.nodes <= before.nodes && computes(a, clean);
    if (strstr(a->name, "nhwc"))
        print_message("%s: %u nodes of %u\n", a->name, (unsigned) after.nodes,
                      (unsigned) before.nodes);
    rc_graph_free(&clean);
    return good;
}

static void cleaned_up_they_compute_the_same(void **state)
{
    each_architecture(state, check_clean_up, (const struct exception[]){{NULL, NULL}});
}

/* Activations with f(0) != 0: what reads a masked channel sees it, so readers are masked too. */
static const struct exception sees_zeros[] = {{"activations", "Softplus(0) is log 2"},
                                              {NULL, NULL}};
/* All channels are normalised together: without one, the others are other values. */
static const struct exception not_cut[] = {{"cifar-ln", "one group of all channels"}, {NULL, NULL}};

static bool check_masks(const struct architecture *a, rc_graph *g)
{
    bool good = true;
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct masked m;
        masked_cut(g, seed, 0.3, seed == 1 || excepted(sees_zeros, a->name), &m);
        const double d = net_difference(m.masked, m.cut, 2);
        if (m.removed == 0 || d > 1e-5) {
            print_error("%s: %u units, masked and removed differ by %g\n", a->name, m.removed, d);
            good = false;
        }
        masked_done(&m);
    }
    return good;
}

static void masked_is_removed(void **state)
{
    each_architecture(state, check_masks, not_cut);
}

static bool check_pruning(const struct architecture *a, rc_graph *g)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_pruner *p = NULL;
    rc_graph *cut = NULL;
    o.macs = 0.7;
    o.trunk = RC_PRUNE_TRUNK_CUT;
    rc_status st = rc_pruner_new(&p, g, &o);
    if (!st)
        st = rc_pruner_apply(&cut, p, &r);
    if (st)
        print_error("%s: %s\n", a->name, rc_last_error());
    rc_pruner_free(&p);
    rc_graph_free(&cut);
    return !st && (double) r.macs_after <= 0.7 * (double) r.macs_before;
}

static void thirty_per_cent_can_be_pruned(void **state)
{
    each_architecture(state, check_pruning, not_cut);
}

static int64_t largest_of(const float *y, int64_t n)
{
    int64_t k = 0;
    for (int64_t i = 1; i < n; i++)
        k = y[i] > y[k] ? i : k;
    return k;
}

/* Where the two largest results are as good as equal, either is right. */
static bool agree(const float *y, const float *z, int64_t n)
{
    float low = y[0], high = y[0];
    for (int64_t i = 1; i < n; i++) {
        low = fminf(low, y[i]);
        high = fmaxf(high, y[i]);
    }
    return high - y[largest_of(z, n)] <= 0.02F * (high - low);
}

/* Over all architectures: of so few images of one, 98 per cent is either all or one too few. */
static int64_t agreed, asked;

/* Maps of one pixel in groups of eight values, which are divided by their own deviation: it goes
 * where it is small. ONNX Runtime's integers agree on 42 of 48 images. */
static const struct exception noisy[] = {
    {"gn-resnet", "groups of 8 values"}, {"resnetv2-bit", "groups of 8 values"}, {NULL, NULL}};

/* [C, H, W] -> [H, W, C] */
static void turn_images(float *x, int64_t pixels, int64_t images)
{
    float *one = malloc((size_t) (pixels * 3) * sizeof(*one));
    for (int64_t i = 0; i < images; i++, x += pixels * 3) {
        memcpy(one, x, (size_t) (pixels * 3) * sizeof(*one));
        for (int64_t k = 0; k < pixels * 3; k++)
            x[k] = one[k % 3 * pixels + k / 3];
    }
    free(one);
}

static bool check_integers(const struct architecture *a, rc_graph *g)
{
    if (strstr(a->name, "-dy")) /* the same network again, and this step takes longest */
        return true;
    const struct rci_shape *s = &g->values[g->inputs[0]].tensor.shape;
    const int64_t pixels = rci_shape_count(s) / s->dim[0] / 3, classes = a->results / 2;
    struct source from = {pixels, false, false};
    rc_dataset *d = quant_dataset(g->ctx, &from, 32, 32);
    rc_quantizer *q = quant_new(g, "mse", 0);
    rc_graph *integers = NULL;
    rc_status st = rc_quantizer_calibrate(q, d);
    if (!st)
        st = rc_quantizer_apply(&integers, q);
    float *x = malloc((size_t) (AGREE_IMAGES * pixels * 3) * sizeof(*x));
    float *y = malloc((size_t) (2 * AGREE_IMAGES * classes) * sizeof(*y)),
          *z = y + AGREE_IMAGES * classes;
    int64_t same = 0;
    if (!st) {
        OK(rc_dataset_read(d, 0, AGREE_IMAGES, x, NULL));
        if (s->dim[3] == 3) /* a data set gives channels first, and feeds them as the graph wants */
            turn_images(x, pixels, AGREE_IMAGES);
        quant_run(g, AGREE_IMAGES, x, y, 0);
        quant_run(integers, AGREE_IMAGES, x, z, 0);
        for (int64_t i = 0; i < AGREE_IMAGES; i++)
            same += agree(y + i * classes, z + i * classes, classes);
    } else
        print_error("%s: %s\n", a->name, rc_last_error());
    free(x);
    free(y);
    rc_graph_free(&integers);
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    const int64_t least = excepted(noisy, a->name) ? 80 : 95;
    agreed += same;
    asked += AGREE_IMAGES;
    if (same * 100 < AGREE_IMAGES * least)
        print_error("%s: %d of %d images agree\n", a->name, (int) same, AGREE_IMAGES);
    return same * 100 >= AGREE_IMAGES * least;
}

static void integers_agree(void **state)
{
    agreed = asked = 0;
    each_architecture(state, check_integers, (const struct exception[]){{NULL, NULL}});
    print_message("%d of %d images agree\n", (int) agreed, (int) asked);
    assert_true(agreed * 100 >= asked * 98);
}

/* One thread and no trials of kernels: here it matters what is computed, not how fast. */
static int setup(void **state)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    o.choices = "off";
    o.threads = 1;
    OK(rc_context_new(&c, &o));
    *state = c;
    return 0;
}

/* Each step has looked for memory that was left. */
static int teardown(void **state)
{
    rc_context *c = *state;
    rc_context_free(&c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_onnxruntime),
        cmocka_unit_test(files_are_written_back_the_same),
        cmocka_unit_test(cleaned_up_they_compute_the_same),
        cmocka_unit_test(masked_is_removed),
        cmocka_unit_test(thirty_per_cent_can_be_pruned),
        cmocka_unit_test(integers_agree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
