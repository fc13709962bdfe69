/* The list of methods: every entry is whole, and its defaults are inside its ranges. */
#include "check.h"

#include <rescomp/method.h>
#include <string.h>

static void expect_parameters(const char *kind, uint64_t method, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        rc_parameter_info p = RC_PARAMETER_INFO_INIT;
        assert_int_equal(rc_method_get_parameter(kind, method, i, &p), RC_OK);
        assert_true(p.name[0] && p.summary[0]);
        assert_true(p.type >= RC_PARAMETER_INTEGER && p.type <= RC_PARAMETER_BOOLEAN);
        assert_true(p.min <= p.default_value && p.default_value <= p.max);
    }
    rc_parameter_info p = RC_PARAMETER_INFO_INIT;
    assert_int_equal(rc_method_get_parameter(kind, method, count, &p), RC_ERR_ARG);
}

static void every_method_describes_itself(void **state)
{
    (void) state;
    assert_true(rc_method_count_kinds() >= 4);
    for (uint64_t k = 0; k < rc_method_count_kinds(); k++) {
        rc_method_kind_info kind = RC_METHOD_KIND_INFO_INIT;
        assert_int_equal(rc_method_get_kind(k, &kind), RC_OK);
        assert_true(kind.name[0] && kind.summary[0]);
        assert_true(kind.methods > 0);
        for (uint64_t i = 0; i < kind.methods; i++) {
            rc_method_info m = RC_METHOD_INFO_INIT;
            assert_int_equal(rc_method_get(kind.name, i, &m), RC_OK);
            assert_true(m.name[0] && m.summary[0]);
            assert_non_null(m.source);
            assert_null(strpbrk(m.name, ":=, "));
            expect_parameters(kind.name, i, m.parameters);
        }
    }
}

static void unknown_kind_is_refused_with_the_list(void **state)
{
    (void) state;
    rc_method_info m = RC_METHOD_INFO_INIT;
    assert_int_equal(rc_method_get("optimiser", 0, &m), RC_ERR_ARG);
    assert_non_null(strstr(rc_last_error(), "optimizer"));
    assert_int_equal(rc_method_get(NULL, 0, &m), RC_ERR_ARG);
    assert_int_equal(rc_method_get("rate", 0, NULL), RC_ERR_ARG);
    assert_int_equal(rc_method_get("rate", 999, &m), RC_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_describes_itself),
        cmocka_unit_test(unknown_kind_is_refused_with_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
