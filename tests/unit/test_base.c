/* Context, memory cap, errors, options across versions, method parameters, random numbers,
 * files. */
#include "test.h"

#include "base/abi.h"
#include "base/file.h"
#include "base/method.h"
#include "base/rng.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void memory_cap_is_exact_and_peak_is_kept(void **state)
{
    (void) state;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.max_memory = 4096;
    rc_context *c;
    uint64_t live, peak;
    OK(rc_context_new(&c, &o));
    void *p = rci_alloc(c, 4096 - 64); /* 64 bytes of bookkeeping per block */
    assert_non_null(p);
    assert_int_equal((uintptr_t) p % 64, 0);
    assert_null(rci_alloc(c, 1));
    assert_non_null(strstr(rc_last_error(), "cap of 4096"));
    rci_release(p);
    OK(rc_context_get_memory(c, &live, &peak));
    assert_int_equal(live, 0);
    assert_int_equal(peak, 4096);
    assert_null(rci_alloc_array(c, SIZE_MAX / 2, 4));
    rc_context_free(&c);
    assert_null(c);
}

static void context_refuses_wrong_options(void **state)
{
    (void) state;
    rc_context *c = (rc_context *) 1;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.threads = 5000;
    REFUSED(rc_context_new(&c, &o), RC_ERR_ARG, "threads is 5000");
    assert_null(c);
    o = (rc_context_options) RC_CONTEXT_OPTIONS_INIT;
    o.flags = 64;
    REFUSED(rc_context_new(&c, &o), RC_ERR_ABI, "rc_context_options.flags is 0x40");
    o.size = 3;
    REFUSED(rc_context_new(&c, &o), RC_ERR_ABI, "rc_context_options.size is 3");
    REFUSED(rc_context_new(NULL, NULL), RC_ERR_ARG, "out is NULL");
    REFUSED(rc_context_get_memory(NULL, NULL, NULL), RC_ERR_ARG, "context is NULL");
}

struct newer {
    rc_context_options o;
    uint64_t extra;
};

static void options_of_newer_callers_work_until_they_ask_for_more(void **state)
{
    (void) state;
    struct newer n = {RC_CONTEXT_OPTIONS_INIT, 0};
    n.o.size = sizeof(n);
    rc_context *c;
    OK(rc_context_new(&c, &n.o));
    rc_context_free(&c);
    n.extra = 1;
    REFUSED(rc_context_new(&c, &n.o), RC_ERR_ABI, "does not know");
}

static void results_fit_older_and_newer_callers(void **state)
{
    (void) state;
    const struct {
        size_t size;
        uint64_t a, b;
    } ours = {24, 7, 9};
    struct {
        size_t size;
        uint64_t a;
    } older = {16, 0};
    struct {
        size_t size;
        uint64_t a, b, c;
    } newer = {32, 0, 0, 5};
    OK(rci_abi_write(&older, &ours, sizeof(ours), "x"));
    assert_int_equal(older.size, 16);
    assert_int_equal(older.a, 7);
    OK(rci_abi_write(&newer, &ours, sizeof(ours), "x"));
    assert_int_equal(newer.size, 32);
    assert_int_equal(newer.b, 9);
    assert_int_equal(newer.c, 0);
}

static void messages_cannot_carry_control_characters(void **state)
{
    (void) state;
    rci_fail(RC_ERR_MODEL, "node \"%s\"", "a\033[2J\nb");
    assert_string_equal(rc_last_error(), "node \"a?[2J?b\"");
    rci_fail_prefix(RC_ERR_MODEL, "%s", "file\n");
    assert_string_equal(rc_last_error(), "file?: node \"a?[2J?b\"");
    assert_string_equal(rc_status_name(RC_ERR_GOAL), "RC_ERR_GOAL");
    assert_string_equal(rc_status_name((rc_status) 5), "RC_ERR_UNKNOWN");
}

struct demo {
    double p;
    int64_t n, on;
};
static const struct rci_param demo_params[] = {
    {"p", "", RC_PARAM_REAL, offsetof(struct demo, p), 0.5, 0, 1},
    {"n", "", RC_PARAM_INT, offsetof(struct demo, n), 3, 1, 9},
    {"on", "", RC_PARAM_BOOL, offsetof(struct demo, on), 1, 0, 1},
};
static const struct rci_method demo = {"demo", "", "", sizeof(struct demo), demo_params, 3};
static const struct rci_method *const demo_table[] = {&demo};
static const struct rci_method_kind kind = {"trick", "", demo_table, 1};

static void method_specs_are_parsed_and_checked(void **state)
{
    struct rc_context *c = *state;
    const struct rci_method *m;
    void *p;
    OK(rci_method_find(&m, &kind, "demo:n=5"));
    OK(rci_method_params(&p, c, m, "demo:n=5,on=false"));
    assert_true(((struct demo *) p)->p == 0.5);
    assert_int_equal(((struct demo *) p)->n, 5);
    assert_int_equal(((struct demo *) p)->on, 0);
    rci_release(p);
    REFUSED(rci_method_find(&m, &kind, "dem"), RC_ERR_ARG,
            "no trick named \"dem\"; there are demo");
    REFUSED(rci_method_params(&p, c, m, "demo:n=2.5"), RC_ERR_ARG, "whole number in [1, 9]");
    REFUSED(rci_method_params(&p, c, m, "demo:p=2"), RC_ERR_ARG, "in [0, 1]");
    REFUSED(rci_method_params(&p, c, m, "demo:q=2"), RC_ERR_ARG, "no parameter \"q\"; it has p, n");
    REFUSED(rci_method_params(&p, c, m, "demo:p"), RC_ERR_ARG, "expected key=value");
    REFUSED(rci_method_params(&p, c, m, "demo:p=nan"), RC_ERR_ARG, "demo:p is \"nan\"");
    assert_null(p);
}

/* Known answer of Philox 4x32-10 for counter 0, key 0 (Random123's kat_vectors). */
static void philox_matches_the_published_vector(void **state)
{
    (void) state;
    struct rci_rng r = {.used = 4};
    assert_int_equal(rci_rng_u32(&r), 0x6627e8d5u);
    assert_int_equal(rci_rng_u32(&r), 0xe169c58du);
    assert_int_equal(rci_rng_u32(&r), 0xbc57ac4cu);
    assert_int_equal(rci_rng_u32(&r), 0x9b00dbd8u);
}

static void random_numbers_have_their_distribution(void **state)
{
    (void) state;
    struct rci_rng r = rci_rng_make(1, 2, 3);
    double sum = 0, square = 0;
    uint32_t count[7] = {0};
    enum { N = 70000 };
    for (int i = 0; i < N; i++) {
        const double x = rci_rng_normal(&r);
        sum += x;
        square += x * x;
        count[rci_rng_below(&r, 7)]++;
    }
    assert_true(sum / N > -0.02 && sum / N < 0.02);
    assert_true(square / N > 0.97 && square / N < 1.03);
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], N / 7 - 500, N / 7 + 500);
}

static void files_are_written_whole_and_read_back(void **state)
{
    struct rc_context *c = *state;
    char path[] = "/tmp/rescomp-test-XXXXXX";
    const int fd = mkstemp(path);
    struct rci_bytes b;
    assert_true(fd >= 0);
    close(fd);
    OK(rci_file_write(c, path, "hello", 5));
    OK(rci_file_read(c, path, 0, &b));
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.data, "hello", 5);
    rci_release(b.data);
    REFUSED(rci_file_read(c, path, 4, &b), RC_ERR_LIMIT, "5 bytes, allowed are 4");
    unlink(path);
    REFUSED(rci_file_read(c, path, 0, &b), RC_ERR_PATH, "cannot open");
    REFUSED(rci_file_read(c, "/tmp", 0, &b), RC_ERR_IO, "not a regular file");
    REFUSED(rci_file_read(c, "/dev/zero", 0, &b), RC_ERR_IO, "not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    REFUSED(rci_file_read(c, path, 0, &b), RC_ERR_IO, "not a regular file"); /* and does not hang */
    REFUSED(rci_file_write(c, path, "x", 1), RC_ERR_IO, "not a regular file");
    unlink(path);
    REFUSED(rci_file_write(c, "/nonexistent/x", "x", 1), RC_ERR_PATH, "cannot create");
    REFUSED(rci_file_write(c, "/dev/full", "x", 1), RC_ERR_IO, "not a regular file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_cap_is_exact_and_peak_is_kept),
        cmocka_unit_test(context_refuses_wrong_options),
        cmocka_unit_test(options_of_newer_callers_work_until_they_ask_for_more),
        cmocka_unit_test(results_fit_older_and_newer_callers),
        cmocka_unit_test(messages_cannot_carry_control_characters),
        cmocka_unit_test_setup_teardown(method_specs_are_parsed_and_checked, context_setup,
                                        context_teardown),
        cmocka_unit_test(philox_matches_the_published_vector),
        cmocka_unit_test(random_numbers_have_their_distribution),
        cmocka_unit_test_setup_teardown(files_are_written_whole_and_read_back, context_setup,
                                        context_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
