#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "quant/observer.h"
#include "shared.h"

extern const struct rci_observer rci_observer_ema, rci_observer_mse;

/* tests/golden/histograms.bin: i32 [5][2048], from ../shared/golden/quant/histograms.npz; the
 * expected bins from calibrators.json beside it (made by ../shared/golden/make/calibrators.py).
 * "relu" 99.9 is bin 1507 and not 1509: 99,900 of 100,000 values are reached exactly there, the
 * script's floating-point sum passes it two empty bins later. */
enum { ARRAYS = 5, BINS = 2048 };
static const struct {
    const char *name;
    double edge;
    bool is_signed;
    uint32_t kl[2], mse[2]; /* bins for s8, u8 (kl: right edge; mse: centre) */
    uint32_t percentile[3]; /* 99, 99.9, 99.99: bin whose right edge it is */
} golden[ARRAYS] = {
    {"relu", 4.47265625, false, {1846, 1802}, {1806, 1934}, {1154, 1509, 1768}},
    {"gauss", 6.6484375, true, {1834, 1773}, {1770, 1912}, {1199, 1520, 1772}},
    {"heavy", 112.8125, true, {319, 522}, {1333, 1835}, {106, 228, 536}},
    {"spike", 7.82421875, false, {1521, 1335}, {1901, 2011}, {623, 964, 1389}},
    {"bumps", 8.3828125, false, {1837, 1925}, {1872, 1934}, {1689, 1801, 1902}},
};

static struct rc_context *ctx;
static int32_t counts[ARRAYS][BINS];

static int setup(void **state)
{
    (void) state;
    FILE *f = fopen(source_path("tests/golden/histograms.bin"), "rb");
    if (!f || fread(counts, sizeof(counts), 1, f) != 1 || fclose(f) != 0)
        return -1;
    return rci_context_new(&ctx, &(rc_context_options) RC_CONTEXT_OPTIONS_INIT);
}

static int teardown(void **state)
{
    (void) state;
    rci_context_free(ctx);
    return 0;
}

/* Values that give histogram `a`: bin centres, and once the largest value itself. */
static float *samples(uint32_t a, size_t *n)
{
    *n = 0;
    for (uint32_t k = 0; k < BINS; k++)
        *n += (size_t) counts[a][k];
    float *x = malloc(*n * sizeof(*x));
    assert_non_null(x);
    size_t at = 0;
    for (uint32_t k = 0; k < BINS; k++)
        for (int32_t i = 0; i < counts[a][k]; i++)
            x[at++] = (float) ((k + 0.5) * golden[a].edge / BINS) *
                      (golden[a].is_signed && i % 2 ? -1.0f : 1.0f);
    x[at - 1] = (float) golden[a].edge;
    return x;
}

static double threshold(const char *spec, const float *x, size_t n, uint32_t top)
{
    const struct rci_method *m;
    void *params;
    double amax;
    struct rci_observation o;
    assert_int_equal(rci_method_find(&m, &rci_kind_observer, spec), RC_OK);
    assert_int_equal(rci_method_params(&params, ctx, m, spec), RC_OK);
    const struct rci_observer *ob = (const struct rci_observer *) m;
    rci_observation_init(&o, ctx);
    assert_int_equal(rci_observation_add(&o, ob, params, x, n), RC_OK);
    assert_int_equal(rci_observation_clip(&o, ob, params, top, &amax), RC_OK);
    rci_observation_free(&o);
    rci_release(params);
    return amax;
}

static void check(const char *spec, uint32_t top, uint32_t a, double bins)
{
    size_t n;
    float *x = samples(a, &n);
    const double amax = threshold(spec, x, n, top);
    const double width = golden[a].edge / BINS;
    if (fabs(amax - bins * width) > width * 1.001)
        fail_msg("%s of %s is %g bins, expected %g", spec, golden[a].name, amax / width, bins);
    free(x);
}

static void entropy_equals_the_golden_bins(void **state)
{
    (void) state;
    for (uint32_t a = 0; a < ARRAYS; a++) {
        check("entropy", 127, a, golden[a].kl[0]);
        check("entropy", 255, a, golden[a].kl[1]);
    }
}

static void mse_equals_the_golden_bins(void **state)
{
    (void) state;
    for (uint32_t a = 0; a < ARRAYS; a++) {
        check("mse", 127, a, golden[a].mse[0] + 0.5);
        check("mse", 255, a, golden[a].mse[1] + 0.5);
    }
}

/* 100,000 values reach 99.9 and 99.99 percent exactly at a bin, where the script's floating-point
 * sum falls short and stops at the next filled bin: ask for a little more to be past the tie. */
static void percentile_equals_the_golden_bins(void **state)
{
    (void) state;
    for (uint32_t a = 0; a < ARRAYS; a++) {
        check("percentile:p=99.0001", 255, a, golden[a].percentile[0] + 1);
        check("percentile:p=99.9001", 255, a, golden[a].percentile[1] + 1);
        check("percentile:p=99.9901", 255, a, golden[a].percentile[2] + 1);
    }
}

static void minmax_is_the_largest_absolute_value(void **state)
{
    (void) state;
    const float x[] = {-3.5f, 0, 2, 1.5f};
    assert_float_equal(threshold("minmax", x, 4, 127), 3.5, 0);
}

static void ema_weighs_batches_by_momentum(void **state)
{
    (void) state;
    const struct rci_observer *ob = &rci_observer_ema;
    void *params;
    double amax;
    struct rci_observation o;
    assert_int_equal(rci_method_params(&params, ctx, &ob->m, "ema"), RC_OK);
    rci_observation_init(&o, ctx);
    const float batch[3][2] = {{-1, 2}, {0, 4}, {-6, 1}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(rci_observation_add(&o, ob, params, batch[i], 2), RC_OK);
    assert_int_equal(rci_observation_clip(&o, ob, params, 127, &amax), RC_OK);
    assert_float_equal(amax, 0.9 * (0.9 * 2 + 0.1 * 4) + 0.1 * 1, 1e-12);
    rci_observation_free(&o);
    rci_release(params);
}

static void histogram_appends_bins_of_the_same_width(void **state)
{
    (void) state;
    struct rci_observation o;
    const float first[] = {0, 0.25f, -1}, second[] = {2.5f, -0.25f};
    rci_observation_init(&o, ctx);
    assert_int_equal(rci_observation_add(&o, &rci_observer_mse, NULL, first, 3), RC_OK);
    assert_int_equal(o.h.n, BINS);
    assert_int_equal(rci_observation_add(&o, &rci_observer_mse, NULL, second, 2), RC_OK);
    assert_float_equal(o.h.width, 1.0 / BINS, 0);
    assert_int_equal(o.h.n, BINS * 5 / 2);
    assert_int_equal(o.h.count[BINS / 4], 2);
    assert_int_equal(o.h.count[o.h.n - 1], 1);
    rci_observation_free(&o);
}

static void histogram_stays_bounded_when_the_first_batch_was_tiny(void **state)
{
    (void) state;
    struct rci_observation o;
    const float zero[] = {0, 0}, first[] = {1e-6f}, second[] = {1e6f};
    rci_observation_init(&o, ctx);
    assert_int_equal(rci_observation_add(&o, &rci_observer_mse, NULL, zero, 2), RC_OK);
    assert_int_equal(o.h.zeros, 2);
    assert_int_equal(rci_observation_add(&o, &rci_observer_mse, NULL, first, 1), RC_OK);
    assert_int_equal(rci_observation_add(&o, &rci_observer_mse, NULL, second, 1), RC_OK);
    assert_true(o.h.n <= 16 * BINS);
    assert_int_equal(o.h.count[0], 3);
    assert_int_equal(o.h.count[o.h.n - 1], 1);
    rci_observation_free(&o);
}

/* Computed apart from the library, in numpy from ../shared/golden/quant/samples.npz: lp and sqnr
 * from the values themselves, aciq with its equations solved by bisection. For top 127 and 255 (s8,
 * u8). */
static void lp_sqnr_and_aciq_equal_independent_results(void **state)
{
    (void) state;
    static const struct {
        double lp, sqnr, laplace, gauss; /* lp: steps of 1 per cent; bins; thresholds */
    } want[ARRAYS][2] = {
        {{6, 1771, 4.47266, 4.24716}, {2, 1900, 4.47266, 4.47266}},
        {{8, 1771, 6.64844, 5.89206}, {3, 1918, 6.64844, 6.33095}},
        {{10, 1350, 10.91115, 6.79652}, {3, 1815, 12.30683, 7.30278}},
        {{3, 1611, 7.82422, 4.82414}, {1, 1901, 7.82422, 5.18348}},
        {{7, 1855, 8.38281, 8.38281}, {4, 1918, 8.38281, 8.38281}},
    };
    for (uint32_t a = 0; a < ARRAYS; a++)
        for (int k = 0; k < 2; k++) {
            const uint32_t top = k ? 255 : 127;
            const double bin = golden[a].edge / BINS;
            check("lp", top, a, BINS * (1 - 0.01 * want[a][k].lp));
            check("sqnr", top, a, want[a][k].sqnr);
            check("aciq-laplace", top, a, want[a][k].laplace / bin);
            check("aciq-gauss", top, a, want[a][k].gauss / bin);
        }
}

/* Thresholds of the paper's table for 4 bits, 8 levels of each sign: 5.03 b and 2.55 sigma. */
static void aciq_has_the_thresholds_of_the_paper(void **state)
{
    (void) state;
    enum { N = 20000 };
    float *laplace = malloc(N * sizeof(float)), *gauss = malloc(N * sizeof(float));
    for (int i = 0; i < N; i++) { /* quantiles */
        const double u = (i + 0.5) / N;
        laplace[i] = (float) (-2 * log(1 - u) * (i % 2 ? 1 : -1)); /* b = 2 */
        double low = 0, high = 8; /* |x| of a normal distribution */
        for (int k = 0; k < 40; k++) {
            const double t = (low + high) / 2;
            if (erf(t / sqrt(2)) < u)
                low = t;
            else
                high = t;
        }
        gauss[i] = (float) (3 * low * (i % 2 ? 1 : -1)); /* sigma = 3 */
    }
    assert_true(fabs(threshold("aciq-laplace", laplace, N, 7) / 2 - 5.03) < 0.02);
    assert_true(fabs(threshold("aciq-gauss", gauss, N, 7) / 3 - 2.55) < 0.02);
    assert_true(fabs(threshold("aciq-laplace", laplace, N, 127) / 2 - 9.89) < 0.03);
    assert_true(fabs(threshold("aciq-gauss", gauss, N, 127) / 3 - 3.92) < 0.03);
    free(laplace);
    free(gauss);
}

/* Clipping that costs more leaves more of the range. */
static void parameters_of_observers_are_in_force(void **state)
{
    (void) state;
    size_t n;
    float *x = samples(2, &n);
    assert_true(threshold("sqnr:clipping=10", x, n, 127) > threshold("sqnr", x, n, 127));
    assert_true(threshold("lp:p=4", x, n, 127) > threshold("lp:p=1", x, n, 127));
    free(x);
}

static void every_observer_takes_zeros_and_refuses_nan(void **state)
{
    (void) state;
    const float zero[] = {0, 0, 0}, bad[] = {1, NAN}, worse[] = {-INFINITY, 1};
    for (uint32_t i = 0; i < rci_kind_observer.count; i++) {
        const struct rci_method *m = rci_kind_observer.table[i];
        const struct rci_observer *ob = (const struct rci_observer *) m;
        assert_float_equal(threshold(m->name, zero, 3, 255), 0, 0);
        struct rci_observation o;
        rci_observation_init(&o, ctx);
        double amax;
        assert_int_equal(rci_observation_clip(&o, ob, NULL, 255, &amax), RC_ERR_STATE);
        assert_int_equal(rci_observation_add(&o, ob, NULL, bad, 2), RC_ERR_DATA);
        assert_int_equal(rci_observation_add(&o, ob, NULL, worse, 2), RC_ERR_DATA);
        rci_observation_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy_equals_the_golden_bins),
        cmocka_unit_test(mse_equals_the_golden_bins),
        cmocka_unit_test(percentile_equals_the_golden_bins),
        cmocka_unit_test(lp_sqnr_and_aciq_equal_independent_results),
        cmocka_unit_test(aciq_has_the_thresholds_of_the_paper),
        cmocka_unit_test(parameters_of_observers_are_in_force),
        cmocka_unit_test(minmax_is_the_largest_absolute_value),
        cmocka_unit_test(ema_weighs_batches_by_momentum),
        cmocka_unit_test(histogram_appends_bins_of_the_same_width),
        cmocka_unit_test(histogram_stays_bounded_when_the_first_batch_was_tiny),
        cmocka_unit_test(every_observer_takes_zeros_and_refuses_nan),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
