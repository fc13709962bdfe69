#include "test.h"

struct rc_context *test_context(void)
{
    rc_context *c;
    OK(rc_context_new(&c, NULL));
    return c;
}

void test_context_done(struct rc_context *c)
{
    uint64_t live;
    OK(rc_context_get_memory(c, &live, NULL));
    assert_int_equal(live, 0);
    rc_context_free(&c);
}

int context_setup(void **state)
{
    *state = test_context();
    return 0;
}

int context_teardown(void **state)
{
    test_context_done(*state);
    return 0;
}
