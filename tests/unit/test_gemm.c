/* The matrix kernel against sums in double: channels, windows, strides, dilations, paddings,
 * layouts, what is fused. */
#include "convscene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In channels last and in blocks. */
static void check(const struct rci_conv_geometry *g, int fused)
{
    struct scene s;
    scene_open(&s, g);
    s.spec.bias = fused & 1;
    s.spec.sum = fused & 2;
    s.spec.relu = fused & 4;
    for (int blocks = 0; blocks < 2; blocks++) {
        if (blocks)
            scene_in_blocks(&s);
        assert_true(rci_gemm_kernel.fits(&s.spec));
        float *got = scene_output(&s, &rci_gemm_kernel);
        scene_compare(&s, got);
        free(got);
    }
    scene_close(&s);
}

static void any_number_of_channels(void **state)
{
    (void) state;
    const int least = scene_lanes();
    for (int64_t c = least; c <= 2 * least + 17; c++) {
        const struct rci_conv_geometry g =
            scene_geometry(c, 3 * least + 17 - c, 7, 6 + c % 9, 1 + c % 3, 1 + c % 2, c % 2, 1);
        check(&g, (int) c % 8);
    }
}

/* More multiply-adds per output than one chunk has: chunks of taps and chunks of channels. */
static void sums_longer_than_a_chunk(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t c = 100; c <= 700; c += 150) {
        const struct rci_conv_geometry g = scene_geometry(c, 45, 7, 5, c % 4 ? 3 : 1, 1, 1, 1);
        check(&g, (int) (c / 50) % 8);
    }
}

static void windows_strides_dilations_and_paddings(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t kernel = 1; kernel <= 7; kernel += 2)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pads = 0; pads < 4; pads++) {
                struct rci_conv_geometry g =
                    scene_geometry(16, 40, 9, 30, kernel, stride, pads & 1 ? kernel / 2 : 0,
                                   pads & 2 ? kernel / 2 : 0);
                check(&g, (int) (kernel + stride) % 8);
                if (kernel != 3 || stride != 1)
                    continue;
                g.dilation[0] = g.dilation[1] = 2;
                g.out[0] -= 2;
                g.out[1] -= 2;
                check(&g, 7);
            }
}

static void not_a_number_stays(void **state)
{
    (void) state;
    scene_lanes();
    struct scene s;
    const struct rci_conv_geometry g = scene_geometry(16, 32, 4, 4, 1, 1, 0, 0);
    scene_open(&s, &g);
    s.spec.relu = true;
    s.x[5] = NAN; /* of pixel 0 */
    float *got = scene_output(&s, &rci_gemm_kernel);
    for (int64_t i = 0; i < 64; i++)
        assert_int_equal(isnan(got[i]) != 0, i < 32);
    free(got);
    scene_close(&s);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void) state;
    scene_lanes();
    const struct rci_conv_geometry cases[] = {scene_geometry(24, 40, 33, 31, 3, 2, 1, 1),
                                              scene_geometry(300, 130, 5, 4, 1, 1, 0, 0)};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene s;
        scene_open(&s, &cases[i]);
        float *first = scene_output(&s, &rci_gemm_kernel);
        for (uint32_t threads = 1; threads <= 7; threads += 2) {
            s.spec.threads = threads;
            float *again = scene_output(&s, &rci_gemm_kernel);
            assert_memory_equal(first, again, (size_t) scene_size(&s.g, true) * sizeof(float));
            free(again);
        }
        free(first);
        scene_close(&s);
    }
}

static void other_convolutions_are_refused(void **state)
{
    (void) state;
    scene_lanes();
    struct scene s;
    void *k;
    const struct rci_conv_geometry good = scene_geometry(16, 16, 8, 8, 3, 2, 1, 1);
    scene_open(&s, &good);
    assert_true(rci_gemm_kernel.fits(&s.spec));
    s.g.groups = 2;
    assert_false(rci_gemm_kernel.fits(&s.spec));
    s.g = good;
    s.g.in_channels = 3;
    assert_false(rci_gemm_kernel.fits(&s.spec));
    s.g = good;
    s.spec.src = NULL;
    assert_int_equal(rci_gemm_kernel.create(&k, s.ctx, &s.spec), RC_ERR_UNSUPPORTED);
    assert_null(k);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_channels),
        cmocka_unit_test(sums_longer_than_a_chunk),
        cmocka_unit_test(windows_strides_dilations_and_paddings),
        cmocka_unit_test(not_a_number_stays),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(other_convolutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
