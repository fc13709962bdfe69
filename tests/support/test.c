#include "test.h"

#include <stdlib.h>

const struct rci_cpu *test_cpu(void)
{
    const struct rci_cpu *cpu;
    OK(rci_cpu_find(&cpu, getenv("RESCOMP_CPU")));
    return cpu;
}

struct rc_context *test_context(void)
{
    rc_context *c;
    OK(rc_context_new(&c, NULL));
    return c;
}

struct rc_context *test_context_on(const char *cpu)
{
    const char *was = getenv("RESCOMP_CPU");
    char *kept = was ? strdup(was) : NULL;
    setenv("RESCOMP_CPU", cpu, 1);
    struct rc_context *c = test_context();
    if (kept)
        setenv("RESCOMP_CPU", kept, 1);
    else
        unsetenv("RESCOMP_CPU");
    free(kept);
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
