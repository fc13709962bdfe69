/* The driver of passes: run, then infer shapes and verify, so that a pass that breaks a graph is
 * caught where it happens. */
#include "pass/pass.h"

rc_status rci_pass_run(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed)
{
    uint32_t n = 0;
    if (n_changed)
        *n_changed = 0;
    RC_TRY(rci_check_cancel(g->ctx));
    RC_TRY(p->run(g, &n));
    RC_TRY(rci_graph_infer(g));
    RC_TRY(rci_graph_verify(g));
    if (n_changed)
        *n_changed = n;
    return RC_OK;
}
