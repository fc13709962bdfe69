/* Loops over bfloat16 against their formulas, one element at a time. */
#include "kernel/bf16.h"
#include "test.h"

#include <math.h>

enum { PIXELS = 131, MOST = 40, N = PIXELS * MOST };

static float wide(uint16_t h)
{
    const uint32_t b = (uint32_t) h << 16;
    float f;
    memcpy(&f, &b, sizeof(f));
    return f;
}

/* Nearest, ties to even, by looking at both neighbours. */
static uint16_t nearest(double x)
{
    const float f = (float) x;
    uint32_t b;
    memcpy(&b, &f, sizeof(b));
    const uint16_t low = (uint16_t) (b >> 16), high = (uint16_t) (low + 1);
    const double to_low = fabs((double) f - (double) wide(low));
    const double to_high = fabs((double) wide(high) - (double) f);
    if (to_low == to_high)
        return low & 1 ? high : low;
    return to_low < to_high ? low : high;
}

static void fill(uint16_t *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = nearest((double) (seed >> 33) / (double) (1u << 31) * 4 - 2);
    }
}

static void sums_joins_and_masks_round_to_nearest_even(void **state)
{
    (void) state;
    static uint16_t a[N], b[N], y[N], to[N + 1];
    fill(a, N, 1);
    fill(b, N, 2);
    fill(y, N, 3);
    for (size_t n = N - 40; n <= N; n += n < N - 20 ? 1 : 20) {
        to[n] = 0x1234;
        rci_bf16_add(test_cpu(), a, b, n, to);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(to[i], nearest((double) wide(a[i]) + (double) wide(b[i])));
        rci_bf16_join(test_cpu(), a, b, n, to);
        for (size_t i = 0; i < n; i++)
            assert_true(wide(to[i]) == fmaxf(wide(nearest((double) (wide(a[i]) + wide(b[i])))), 0));
        rci_bf16_mask(test_cpu(), (const uint16_t *const[]){a, b, y}, n, to);
        for (size_t i = 0; i < n; i++)
            assert_true(wide(to[i]) ==
                        (wide(y[i]) > 0 ? wide(nearest((double) (wide(a[i]) + wide(b[i])))) : 0));
        rci_bf16_join(test_cpu(), a, NULL, n, to);
        for (size_t i = 0; i < n; i++)
            assert_true(wide(to[i]) == fmaxf(wide(a[i]), 0));
        rci_bf16_mask(test_cpu(), (const uint16_t *const[]){a, NULL, y}, n, to);
        for (size_t i = 0; i < n; i++)
            assert_true(wide(to[i]) == (wide(y[i]) > 0 ? wide(a[i]) : 0));
        assert_int_equal(to[n], 0x1234);
    }
}

static void ties_go_to_even_and_nan_stays(void **state)
{
    (void) state;
    /* 1 + 2^-8 is halfway between 1 and its successor; 1 + 3 * 2^-8 between the next two */
    const uint16_t a[5] = {0x3f80, 0x3f81, 0x7fff, 0x7f80, 0xff80};
    const uint16_t b[5] = {0x3b80, 0x3b80, 0x3f80, 0x3f80, 0x7f80};
    uint16_t to[5];
    rci_bf16_add(test_cpu(), a, b, 5, to);
    assert_int_equal(to[0], 0x3f80);
    assert_int_equal(to[1], 0x3f82);
    assert_true(isnan(wide(to[2])));
    assert_true(isinf(wide(to[3])));
    assert_true(isnan(wide(to[4]))); /* infinity minus infinity */
    rci_bf16_join(test_cpu(), a, b, 5, to);
    assert_true(isnan(wide(to[2])));
}

struct operands {
    uint16_t x[N], dy[N], out[N];
    float mean[16], slope[16], offset[16], first[16], second[16];
};

static void check_forward(struct operands *o, const struct rci_bf16_run *r,
                          const struct rci_bf16_channels *c, bool relu)
{
    const struct rci_bf16_norm *k = rci_bf16_norm(test_cpu());
    double sum[16], squares[16];
    k->sum(o->x, r, sum);
    k->squares(o->x, r, o->mean, squares);
    memset(o->out, 0x55, sizeof(o->out));
    k->apply(o->x, r, c, relu, o->out);
    for (size_t l = 0; l < r->lanes; l++) {
        double want = 0, square = 0;
        for (size_t i = 0; i < r->pixels; i++) {
            const double x = (double) wide(o->x[i * r->stride + l]);
            const double y = x * (double) o->slope[l] + (double) o->offset[l];
            const double got = (double) wide(o->out[i * r->stride + l]);
            want += x;
            square += (x - (double) o->mean[l]) * (x - (double) o->mean[l]);
            assert_true(fabs(got - (relu ? fmax(y, 0) : y)) <= fabs(y) / 250 + 1e-6);
        }
        assert_true(fabs(sum[l] - want) < 1e-4);
        assert_true(fabs(squares[l] - square) < 1e-4 * square);
    }
    for (size_t i = 0; i < r->pixels; i++) /* what lies between is left alone */
        for (size_t l = r->lanes; l < r->stride; l++)
            assert_int_equal(o->out[i * r->stride + l], 0x5555);
}

static void check_backward(struct operands *o, const struct rci_bf16_run *r,
                           const struct rci_bf16_channels *c, bool relu)
{
    const struct rci_bf16_norm *k = rci_bf16_norm(test_cpu());
    const uint16_t *const both[2] = {o->x, o->dy};
    double sum[32];
    k->reduce(both, r, c, relu, sum);
    k->gradient(both, r, c, relu, o->out);
    for (size_t l = 0; l < r->lanes; l++) {
        double plain = 0, product = 0;
        for (size_t i = 0; i < r->pixels; i++) {
            const size_t at = i * r->stride + l;
            const double x = (double) wide(o->x[at]);
            const float y = wide(o->x[at]) * o->slope[l] + o->offset[l];
            const double g = relu && !(y > 0) ? 0 : (double) wide(o->dy[at]);
            const double dx =
                g * (double) o->slope[l] - x * (double) o->second[l] - (double) o->first[l];
            plain += g;
            product += g * (x - (double) o->mean[l]);
            assert_true(fabs((double) wide(o->out[at]) - dx) <= fabs(dx) / 250 + 1e-6);
        }
        assert_true(fabs(sum[l] - plain) < 1e-3 && fabs(sum[16 + l] - product) < 1e-3);
    }
}

static void normalization_follows_its_formulas(void **state)
{
    (void) state;
    static struct operands o;
    fill(o.x, N, 4);
    fill(o.dy, N, 5);
    for (int l = 0; l < 16; l++) {
        o.mean[l] = 0.1f * (float) l - 0.5f;
        o.slope[l] = 0.5f + 0.125f * (float) l;
        o.offset[l] = 0.3f - 0.05f * (float) l;
        o.first[l] = 0.01f * (float) l;
        o.second[l] = 0.02f * (float) (l - 8);
    }
    const struct rci_bf16_channels c = {o.mean, o.slope, o.offset, o.first, o.second};
    for (size_t lanes = 1; lanes <= 16; lanes++)
        for (size_t stride = lanes; stride <= MOST; stride += 12)
            for (size_t pixels = PIXELS - 3; pixels <= PIXELS; pixels++) {
                const struct rci_bf16_run r = {pixels, stride, lanes};
                check_forward(&o, &r, &c, lanes & 1);
                check_backward(&o, &r, &c, pixels & 1);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_joins_and_masks_round_to_nearest_even),
        cmocka_unit_test(ties_go_to_even_and_nan_stays),
        cmocka_unit_test(normalization_follows_its_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
