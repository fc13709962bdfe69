/* The kernels of an integer convolution, each by name, against plain loops: channels 1 to 33,
 * windows, strides, padding, what is fused, sums at the edge of 32 bits. */
#include "qnets.h"
#include "test.h"

#include <stdlib.h>

#include "exec/session.h"
#include "kernel/onednn/engine.h"

static void check_named(const char *name, struct conv_case t, const char *shown)
{
    char kernel[96] = "";
    if (!test_cpu()->lanes)
        skip();
    setenv("RESCOMP_INT8_KERNEL", name, 1);
    qnet_check_conv(&t, kernel);
    unsetenv("RESCOMP_INT8_KERNEL");
    if (!strstr(kernel, shown))
        fail_msg("kernel \"%s\" where %s was asked for", kernel, name);
}

/* One integer kernel of ours after the other, by name. */
static void check_kernel(const char *name, struct conv_case t)
{
    check_named(name, t, name);
}

/* f32, where a session is free to mix; `own` is ours for it, or NULL. */
static void check_real(struct conv_case t, const char *own)
{
    qnet_flags = RC_SESSION_MIXED;
    check_named("f32-onednn", t, "f32 on integers ");
    if (own)
        check_named("f32-own", t, own);
    qnet_flags = 0;
}

static void kernels_of_ours_take_any_channels(void **state)
{
    (void) state;
    for (int64_t c = 1; c <= 33; c++)
        for (int k = 0; k < 4; k++) {
            const struct conv_case t = {.in = c,
                                        .out = 34 - c,
                                        .groups = 1,
                                        .kernel = 3,
                                        .stride = 1,
                                        .pad = 1,
                                        .size = 4 + c % 6,
                                        .x = k & 1 ? RC_S8 : RC_U8,
                                        .y = k & 2 ? RC_S8 : RC_U8,
                                        .residual = c % 3 == 0   ? (enum rci_dtype) 0
                                                    : c % 3 == 1 ? RC_U8
                                                                 : RC_S8,
                                        .mid = c % 3 && c % 2,
                                        .relu = c % 5 == 0};
            check_kernel("direct", t);
            check_kernel("winograd", t);
            check_real(t, "f32 on integers winograd:");
        }
}

/* Windows, strides and padding; f32 results; products of matrices; weights beyond the cache, which
 * threads share out. */
static void kernels_of_ours_take_any_shape(void **state)
{
    (void) state;
    static const struct conv_case direct[] = {
        {.in = 3, .out = 24, .kernel = 7, .stride = 2, .pad = 3, .size = 19},
        {.in = 5, .out = 16, .kernel = 1, .stride = 2, .size = 7},
        {.in = 8, .out = 40, .kernel = 1, .stride = 1, .size = 5},
        {.in = 6, .out = 17, .kernel = 2, .stride = 1, .size = 6},
        {.in = 4, .out = 16, .kernel = 3, .stride = 2, .pad = 2, .size = 40},
        {.in = 300, .out = 96, .kernel = 3, .stride = 2, .pad = 1, .size = 9},
        {.in = 520, .out = 500, .kernel = 1, .stride = 1, .size = 1},
    };
    static const struct conv_case winograd[] = {
        {.in = 96, .out = 100, .kernel = 3, .stride = 1, .pad = 1, .size = 9},
        {.in = 24, .out = 16, .kernel = 3, .stride = 1, .pad = 1, .size = 40},
        {.in = 16, .out = 48, .kernel = 3, .stride = 1, .pad = 1, .size = 1},
    };
    for (size_t i = 0; i < sizeof(direct) / sizeof(*direct); i++)
        for (int k = 0; k < 4; k++) {
            struct conv_case t = direct[i];
            t.groups = 1;
            t.x = k & 1 ? RC_S8 : RC_U8;
            t.y = k & 2 ? RC_F32 : RC_U8;
            check_kernel("direct", t);
            check_real(t, NULL);
            t = winograd[i % 3];
            t.groups = 1;
            t.x = k & 1 ? RC_S8 : RC_U8;
            t.y = k & 2 ? RC_F32 : RC_U8;
            t.relu = i & 1;
            check_kernel("winograd", t);
            check_real(t, NULL);
        }
}

/* Strided, with few channels: the direct one. A residual beside an f32 result is no integer
 * kernel's, nor are groups. */
static void f32_kernels_take_what_integer_ones_do_not(void **state)
{
    (void) state;
    struct conv_case t = {.in = 11,
                          .out = 13,
                          .groups = 1,
                          .kernel = 3,
                          .stride = 2,
                          .pad = 1,
                          .size = 9,
                          .x = RC_S8,
                          .y = RC_S8,
                          .residual = RC_U8,
                          .mid = true};
    check_real(t, "f32 on integers direct:");
    t.y = RC_F32;
    t.relu = true;
    check_real(t, "f32 on integers direct:");
    t.in = t.out = 12;
    t.groups = 3;
    check_real(t, NULL);
}

static struct conv_case layer_3x3(int64_t channels)
{
    return (struct conv_case){.in = channels,
                              .out = channels,
                              .groups = 1,
                              .kernel = 3,
                              .stride = 1,
                              .pad = 1,
                              .size = 16,
                              .x = RC_U8,
                              .y = RC_U8};
}

/* Kernel of a 3x3 layer with c channels where nothing is measured. */
static void rule(char kernel[96], int64_t c)
{
    const struct conv_case t = layer_3x3(c);
    setenv("RESCOMP_CHOICES", "off", 1);
    qnet_check_conv(&t, kernel);
    unsetenv("RESCOMP_CHOICES");
}

/* Only a session that is free to mix, and never by the rule. */
static void integers_stay_unless_asked(void **state)
{
    (void) state;
    char kernel[96] = "";
    const struct conv_case t = layer_3x3(16);
    if (!test_cpu()->lanes)
        skip();
    setenv("RESCOMP_INT8_KERNEL", "f32-own", 1);
    qnet_check_conv(&t, kernel);
    unsetenv("RESCOMP_INT8_KERNEL");
    assert_non_null(strstr(kernel, "int8 "));
    qnet_flags = RC_SESSION_MIXED;
    rule(kernel, 16);
    assert_non_null(strstr(kernel, "int8 "));
    qnet_check_conv(&t, kernel); /* measured, whatever wins */
    qnet_flags = 0;
}

/* Weights that are safe in pairs, at their bounds: oneDNN's kernels add products of neighbours in
 * 16 bits where the processor has no VNNI, ours take bytes; both are exact. */
static void weights_safe_in_pairs_are_exact_by_every_kernel(void **state)
{
    (void) state;
    for (int64_t c = 1; c <= 33; c++)
        for (int k = 0; k < 6; k++) {
            const struct conv_case t = {.in = c < 30 ? c : 32 * (c - 28),
                                        .out = 34 - c,
                                        .groups = 1,
                                        .kernel = k % 2 ? 3 : 1,
                                        .stride = k / 2 == 1 ? 2 : 1,
                                        .pad = k % 2,
                                        .size = k / 2 == 2 ? 14 : 3 + c % 6,
                                        .x = RC_U8,
                                        .y = RC_F32,
                                        .pairs = true};
            check_named("onednn", t, "int8 ");
            check_kernel("direct", t);
        }
}

/* 64 times the sums must fit 32 bits. */
static void winograd_refuses_sums_beyond_its_bits(void **state)
{
    (void) state;
    struct conv_case t = {.in = 400,
                          .out = 16,
                          .groups = 1,
                          .kernel = 3,
                          .stride = 1,
                          .pad = 1,
                          .size = 5,
                          .x = RC_U8,
                          .y = RC_U8};
    check_kernel("winograd", t);
    t.in = 512;
    setenv("RESCOMP_INT8_KERNEL", "winograd", 1);
    char kernel[96] = "";
    qnet_check_conv(&t, kernel);
    unsetenv("RESCOMP_INT8_KERNEL");
    assert_null(strstr(kernel, "winograd"));
}

static void a_rule_decides_where_nothing_is_measured(void **state)
{
    (void) state;
    char kernel[96] = "";
    const struct rci_cpu *cpu = test_cpu();
    if (!test_cpu()->lanes)
        skip();
    rule(kernel, 32);
    assert_non_null(strstr(kernel, "winograd"));
    rule(kernel, 16);
    assert_int_equal(strstr(kernel, "direct") != NULL, !rci_cpu_dot8(cpu));
    assert_null(strstr(kernel, "winograd"));
}

static int64_t until_failure = INT64_MAX, blocks;

static void *allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    void *p = NULL;
    if (until_failure-- == 0 || posix_memalign(&p, alignment, size))
        return NULL;
    blocks++;
    return p;
}

static void release(void *user, void *memory)
{
    (void) user;
    blocks--;
    free(memory);
}

/* Every allocation of a session fails once. */
static void starve(const char *name)
{
    const struct conv_case t = {.in = 12,
                                .out = 20,
                                .groups = 1,
                                .kernel = 3,
                                .stride = 1,
                                .pad = 1,
                                .size = 6,
                                .x = RC_U8,
                                .y = RC_U8,
                                .residual = RC_U8};
    struct qnet n;
    setenv("RESCOMP_INT8_KERNEL", name, 1);
    qnet_conv(&n, &t);
    const struct rci_session_config config = {.batch = 2,
                                              .flags = RC_SESSION_NO_PASSES | qnet_flags};
    const int64_t before = blocks;
    bool failed = true;
    for (int64_t k = 0; failed; k++) {
        struct rc_session *s = NULL;
        until_failure = k;
        const rc_status st = rci_session_new(&s, n.g, &config);
        failed = until_failure < 0;
        until_failure = INT64_MAX;
        rci_session_free(s);
        assert_int_equal(st, failed ? RC_ERR_MEMORY : RC_OK);
        if (blocks != before)
            fail_msg("%s: allocation %lld: %lld blocks leak", name, (long long) k,
                     (long long) (blocks - before));
    }
    unsetenv("RESCOMP_INT8_KERNEL");
    qnet_close(&n);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
    (void) state;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.allocate = allocate;
    o.release = release;
    qnet_options = &o;
    starve("onednn");
    starve("direct");
    starve("winograd");
    qnet_flags = RC_SESSION_MIXED;
    starve("f32-onednn");
    starve("f32-own");
    qnet_flags = 0;
    qnet_options = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_of_ours_take_any_channels),
        cmocka_unit_test(kernels_of_ours_take_any_shape),
        cmocka_unit_test(f32_kernels_take_what_integer_ones_do_not),
        cmocka_unit_test(weights_safe_in_pairs_are_exact_by_every_kernel),
        cmocka_unit_test(integers_stay_unless_asked),
        cmocka_unit_test(a_rule_decides_where_nothing_is_measured),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(winograd_refuses_sums_beyond_its_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
