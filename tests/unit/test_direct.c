/* The direct f32 kernel against sums in double: channels, windows, strides, paddings, what is
 * fused. */
#include "convscene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *run(const struct scene *s)
{
    const size_t bytes = (size_t) scene_size(&s->g, true) * sizeof(float);
    float *got = malloc(bytes);
    memcpy(got, s->residual, bytes);
    scene_run_kernel(s, &rci_direct_kernel, s->x, got);
    return got;
}

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
        assert_true(rci_direct_kernel.fits(&s.spec));
        float *got = scene_output(&s, &rci_direct_kernel);
        scene_compare(&s, got);
        free(got);
    }
    scene_close(&s);
}

static void any_number_of_channels(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t c = 2; c <= 33; c++) {
        const struct rci_conv_geometry g = scene_geometry(c, 35 - c, 7, 6 + c % 9, 3, 2, 1, 1);
        check(&g, (int) c % 8);
    }
}

static void windows_strides_and_paddings(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t kernel = 1; kernel <= 7; kernel++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pads = 0; pads < 4; pads++) {
                if (kernel == 3 && stride == 1 && pads == 3) /* Winograd's */
                    continue;
                const struct rci_conv_geometry g =
                    scene_geometry(5, 11, 9, 30, kernel, stride, pads & 1 ? kernel / 2 : 0,
                                   pads & 2 ? kernel / 2 : 0);
                check(&g, (int) (kernel + stride) % 8);
            }
}

/* Images as they come: the same sums, bit by bit, as with channels together. */
static void images_in_planes(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t c = 1; c <= 5; c++) {
        struct scene s;
        const struct rci_conv_geometry g = scene_geometry(c, 16, 9 + c, 20, 3, 1 + c % 2, 1, 1);
        const struct rci_shape in = rci_conv_src_shape(&g);
        const int64_t pixels = g.in[0] * g.in[1];
        scene_open(&s, &g);
        float *together = g.stride[0] > 1 && c < 5 ? run(&s) : NULL; /* else Winograd's layer */
        float *x = s.x, *plain = s.x = scene_random(scene_size(&g, false), 1);
        for (int64_t i = 0; i < g.batch * pixels * c; i++)
            plain[i / pixels / c * pixels * c + i % c * pixels + i / c % pixels] = x[i];
        OK(rci_md_plain(s.engine, RC_F32, &in, &s.spec.src));
        assert_int_equal(rci_direct_kernel.fits(&s.spec), c < 5);
        if (c < 5) {
            float *got = run(&s);
            s.x = x;
            for (int64_t i = 0; i < scene_size(&g, true); i++)
                assert_true(fabs((double) got[i] - scene_want(&s, i)) <= 1e-5);
            if (together)
                assert_memory_equal(got, together, (size_t) scene_size(&g, true) * sizeof(float));
            free(got);
        }
        s.x = x;
        free(plain);
        free(together);
        scene_close(&s);
    }
}

static void images_in_planes_to_blocks(void **state)
{
    (void) state;
    scene_lanes();
    for (int64_t c = 2; c <= 4; c++) {
        struct scene s;
        const struct rci_conv_geometry g = scene_geometry(c, 13 + c, 9 + c, 20, 3, 1 + c % 2, 1, 1);
        const struct rci_shape in = rci_conv_src_shape(&g);
        scene_open(&s, &g);
        scene_in_blocks(&s);
        s.spec.bias = s.spec.relu = true;
        OK(rci_md_plain(s.engine, RC_F32, &in, &s.spec.src));
        assert_true(rci_direct_kernel.fits(&s.spec));
        float *got = scene_output(&s, &rci_direct_kernel);
        scene_compare(&s, got);
        free(got);
        scene_close(&s);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void) state;
    scene_lanes();
    struct scene s;
    const struct rci_conv_geometry g = scene_geometry(24, 40, 17, 13, 3, 2, 1, 1);
    scene_open(&s, &g);
    float *first = run(&s);
    for (uint32_t threads = 1; threads <= 7; threads += 2) {
        s.spec.threads = threads;
        float *again = run(&s);
        assert_memory_equal(first, again, (size_t) scene_size(&s.g, true) * sizeof(float));
        free(again);
    }
    free(first);
    scene_close(&s);
}

static void other_convolutions_are_refused(void **state)
{
    (void) state;
    scene_lanes();
    struct scene s;
    const struct rci_conv_geometry good = scene_geometry(16, 16, 8, 8, 3, 2, 1, 1);
    scene_open(&s, &good);
    assert_true(rci_direct_kernel.fits(&s.spec));
    s.g.groups = 2;
    assert_false(rci_direct_kernel.fits(&s.spec));
    s.g = good;
    s.g.dilation[0] = 2;
    assert_false(rci_direct_kernel.fits(&s.spec));
    s.g = good;
    s.g.out_channels = 16 * 64;
    assert_false(rci_direct_kernel.fits(&s.spec)); /* weights beyond the cache */
    s.g = good;
    s.spec.src = NULL;
    void *d;
    assert_int_equal(rci_direct_kernel.create(&d, s.ctx, &s.spec), RC_ERR_UNSUPPORTED);
    assert_null(d);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_channels),
        cmocka_unit_test(windows_strides_and_paddings),
        cmocka_unit_test(images_in_planes),
        cmocka_unit_test(images_in_planes_to_blocks),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(other_convolutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
