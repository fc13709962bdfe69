#include "op/table.h"

#include <string.h>

/* Sorted by name. Adding an operator = one file here in op/ and one line in each list. */
static const struct rc_op *const ops[] = {
    NULL,
};

uint32_t rc_op_count(void)
{
    return (uint32_t) (sizeof(ops) / sizeof(ops[0])) - 1;
}

const struct rc_op *rc_op_at(uint32_t i)
{
    return i < rc_op_count() ? ops[i] : NULL;
}

static bool same_domain(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

const struct rc_op *rc_op_find(const char *domain, const char *name)
{
    for (uint32_t i = 0; i < rc_op_count(); i++)
        if (!strcmp(ops[i]->name, name) && same_domain(ops[i]->domain, domain))
            return ops[i];
    return NULL;
}
