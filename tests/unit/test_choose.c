/* Who runs a layer: named ones, remembered ones, the model's where it is clear, else the faster. */
#include "base/file.h"
#include "convscene.h"
#include "files.h"
#include "kernel/choice/choice.h"
#include "kernel/choice/choose.h"
#include "kernel/choice/cost.h"

enum { OTHERS = 2 };

/* Stands for an implementation: what the model expects of it and what it takes. */
struct stand_in {
    uint64_t takes_ns;
    int made, runs;
};

static rc_status stand_in_make(void *user, size_t *weights, size_t *scratch)
{
    struct stand_in *x = user;
    x->made++;
    *weights = 64;
    *scratch = 64;
    return RC_OK;
}

static rc_status stand_in_run(void *user, const struct rci_conv_args *a)
{
    struct stand_in *x = user;
    const uint64_t begin = rci_clock_ns();
    x->runs++;
    assert_non_null(a->src);
    assert_non_null(a->weights);
    assert_non_null(a->scratch);
    while (rci_clock_ns() - begin < x->takes_ns)
        ;
    return RC_OK;
}

static double cost_100(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    (void) s;
    (void) p;
    return 100;
}

static double cost_104(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    return cost_100(s, p) * 1.04;
}

static double cost_200(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    return cost_100(s, p) * 2;
}

struct table {
    struct scene s;
    struct stand_in x[OTHERS];
    struct rci_conv_question q;
};

/* A depthwise layer, of which no kernel of the list is capable; `w` makes its key. */
static void table_open(struct table *t, int64_t w)
{
    struct rci_conv_geometry g = scene_geometry(8, 8, 5, w, 3, 1, 1, 1);
    g.groups = 8;
    scene_open(&t->s, &g);
    t->x[0] = (struct stand_in){.takes_ns = 400000};
    t->x[1] = (struct stand_in){.takes_ns = 50000};
    t->q = (struct rci_conv_question){.engine = t->s.engine,
                                      .spec = &t->s.spec,
                                      .src = rci_md_bytes(t->s.spec.src),
                                      .dst = rci_md_bytes(t->s.spec.dst)};
    for (int i = 0; i < OTHERS; i++)
        t->q.other[i] = (struct rci_conv_other){.word = i ? "second" : "first",
                                                .cost = cost_100,
                                                .user = &t->x[i],
                                                .make = stand_in_make,
                                                .run = stand_in_run};
}

static uint32_t chosen(struct table *t)
{
    struct rci_conv_chosen c;
    OK(rci_conv_choose(&c, &t->q));
    assert_null(c.kernel);
    return c.other;
}

static void clear_differences_are_not_timed(void **state)
{
    (void) state;
    scene_lanes();
    struct table t;
    table_open(&t, 11);
    t.q.other[1].cost = cost_200; /* and wrong */
    assert_int_equal(chosen(&t), 0);
    assert_int_equal(t.x[0].runs + t.x[1].runs + t.x[0].made + t.x[1].made, 0);
    scene_close(&t.s);
}

static void near_ones_are_timed_once(void **state)
{
    (void) state;
    struct table t;
    table_open(&t, 12);
    t.q.other[1].cost = cost_104;
    assert_int_equal(chosen(&t), 1);
    const int runs = t.x[0].runs;
    assert_true(runs >= 2 && t.x[1].runs >= 2);
    assert_int_equal(chosen(&t), 1); /* remembered */
    assert_int_equal(t.x[0].runs, runs);
    scene_close(&t.s);
}

static void what_the_model_does_not_know_is_timed(void **state)
{
    (void) state;
    struct table t;
    table_open(&t, 13);
    t.q.other[0].cost = NULL;
    t.q.other[1].cost = cost_200;
    assert_int_equal(chosen(&t), 1);
    assert_true(t.x[0].runs && t.x[1].runs);
    scene_close(&t.s);
}

static void a_name_goes_before_everything(void **state)
{
    (void) state;
    struct table t;
    table_open(&t, 14);
    t.q.told = "first";
    assert_int_equal(chosen(&t), 0);
    t.q.told = "unheard-of"; /* as if there were none */
    assert_int_equal(chosen(&t), 1);
    t.q.other[1].word = NULL; /* the only one */
    assert_int_equal(chosen(&t), 0);
    t.q.other[0].word = NULL;
    struct rci_conv_chosen none;
    assert_int_equal(rci_conv_choose(&none, &t.q), RC_ERR_UNSUPPORTED);
    scene_close(&t.s);
}

static void a_rule_measures_nothing(void **state)
{
    (void) state;
    struct table t;
    table_open(&t, 15);
    t.q.fixed = true;
    assert_int_equal(chosen(&t), 0);
    t.q.fixed = false;
    OK(rci_choice_open(t.s.ctx, "off"));
    assert_int_equal(chosen(&t), 0);
    assert_int_equal(t.x[0].runs + t.x[1].runs, 0);
    rci_choice_close(t.s.ctx);
    scene_close(&t.s);
}

/* Kernels of the list take part: Winograd's is expected to be ahead by far, a matrix product of a
 * few pixels is not. */
static void the_model_knows_the_kernels(void **state)
{
    (void) state;
    scene_lanes();
    const struct rci_conv_geometry g[2] = {scene_geometry(64, 64, 56, 56, 3, 1, 1, 1),
                                           scene_geometry(16, 16, 9, 9, 3, 2, 1, 1)};
    for (int i = 0; i < 2; i++) {
        struct scene s;
        struct rci_peaks p;
        scene_open(&s, &g[i]);
        assert_non_null(rci_peaks_of(s.engine, &p));
        assert_true(p.macs > 0.5 && p.macs < 1000);
        assert_true(p.l3 > 0.1 && p.l3 < 10000);
        const double onednn = rci_onednn_conv_cost(&s.spec, &p);
        assert_true(onednn > 0);
        assert_int_equal(rci_winograd_kernel.fits(&s.spec), i == 0);
        if (i == 0)
            assert_true(rci_winograd_kernel.cost(&s.spec, &p) < 0.7 * onednn);
        else
            assert_true(rci_gemm_kernel.cost(&s.spec, &p) > 1.1 * onednn);
        s.spec.threads = 4;
        assert_true(rci_onednn_conv_cost(&s.spec, &p) < onednn);
        scene_close(&s);
    }
}

static void peaks_are_kept_in_the_file(void **state)
{
    (void) state;
    scene_lanes();
    const char *folder = scratch_folder(), *path = scratch_path(folder, "c.txt");
    struct scene s;
    struct rci_peaks p;
    const struct rci_conv_geometry g = scene_geometry(8, 8, 5, 5, 3, 1, 1, 1);
    scene_open(&s, &g);
    OK(rci_choice_open(s.ctx, path));
    assert_non_null(rci_peaks_of(s.engine, &p));
    OK(rci_choice_save(s.ctx));
    rci_choice_close(s.ctx);
    char text[4096] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "\npeaks of one thread: "));
    scratch_remove(folder);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_differences_are_not_timed),
        cmocka_unit_test(near_ones_are_timed_once),
        cmocka_unit_test(what_the_model_does_not_know_is_timed),
        cmocka_unit_test(a_name_goes_before_everything),
        cmocka_unit_test(a_rule_measures_nothing),
        cmocka_unit_test(the_model_knows_the_kernels),
        cmocka_unit_test(peaks_are_kept_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
