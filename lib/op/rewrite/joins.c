/* Operators with any number of operands, read as a chain of those with two, and other ways to write
 * what there is. */
#include "op/rewrite/rules.h"

/* ((a + b) + c) + ...; one operand alone is itself. `out` NULL: a name for what lies between. */
static const char *chain(struct rci_rule_call *c, const char *op, const char *out)
{
    const size_t n = c->from->n_input;
    if (n == 1)
        return RC_MAKE(c, "Identity", out, rci_rule_in(c, 0)).out;
    const char *at = rci_rule_in(c, 0);
    for (size_t k = 1; k < n; k++)
        at = RC_MAKE(c, op, k + 1 < n ? NULL : out, at, rci_rule_in(c, k)).out;
    return at;
}

static rc_status all_there(const struct rci_rule_call *c)
{
    return rci_rule_need(c, c->from->n_input ? c->from->n_input : 1);
}

/* Sum of two is how some exporters write the residual join. */
static rc_status sum_rule(struct rci_rule_call *c)
{
    RC_TRY(all_there(c));
    chain(c, "Add", rci_rule_out(c, 0));
    return RC_OK;
}

static rc_status mean_rule(struct rci_rule_call *c)
{
    RC_TRY(all_there(c));
    const char *sum = chain(c, "Add", NULL);
    RC_MAKE(c, "Div", rci_rule_out(c, 0), sum, rci_rule_scalar(c, (float) c->from->n_input));
    return RC_OK;
}

static rc_status pairs_rule(struct rci_rule_call *c)
{
    RC_TRY(all_there(c));
    if (c->from->n_input == 2)
        c->declined = true;
    else
        chain(c, c->from->op_type, rci_rule_out(c, 0));
    return RC_OK;
}

const struct rci_rule rci_rules_joins[] = {
    {"", "Sum", sum_rule, "Add"},
    {"", "Mean", mean_rule, "Add, Div"},
    {"", "Max", pairs_rule, "Max of two"},
    {"", "Min", pairs_rule, "Min of two"},
    {0},
};
