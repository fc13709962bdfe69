/* The driver of passes: run, then infer shapes and verify, so that a pass that breaks a graph is
 * caught where it happens; on request what is computed is compared too. */
#include "pass/check.h"
#include "pass/pass.h"

static rc_status run_plain(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed)
{
    RC_TRY(p->run(g, n_changed));
    RC_TRY(rci_graph_infer(g));
    return rci_graph_verify(g);
}

static rc_status run_checked(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed)
{
    struct rc_graph *before;
    struct rci_check check;
    RC_TRY(rci_graph_clone_shared(&before, g));
    rc_status st = rci_check_start(&check, before);
    if (st == RC_OK) {
        st = run_plain(g, p, n_changed);
        if (st == RC_OK && *n_changed)
            st = rci_check_compare(&check, g, p->name);
        rci_check_end(&check);
    }
    rci_graph_free(before);
    return st;
}

rc_status rci_pass_run(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed)
{
    uint32_t n = 0;
    if (n_changed)
        *n_changed = 0;
    RC_TRY(rci_check_cancel(g->ctx));
    RC_TRY(g->checked && !p->approximate ? run_checked(g, p, &n) : run_plain(g, p, &n));
    if (n_changed)
        *n_changed = n;
    return RC_OK;
}

rc_status rci_pass_other_batch(const struct rc_graph *g, struct rci_tensor **out)
{
    *out = NULL;
    if (!g->dynamic_batch)
        return RC_OK;
    *out = rci_alloc_array(g->ctx, g->n_values + 1u, sizeof(**out));
    if (!*out)
        return RC_ERR_MEMORY;
    const rc_status st = rci_graph_infer_at(g, g->batch + 1, *out);
    if (st != RC_OK) {
        rci_release(*out);
        *out = NULL;
    }
    return st;
}

/* Constants first, since identities and scales show only then. Equal nodes are merged before
 * folding BatchNormalization gives each convolution weights of its own. */
static const struct rci_pass *const clean_up_passes[] = {
    &rci_pass_fold_const,      &rci_pass_drop_identity, &rci_pass_merge_equal,
    &rci_pass_move_transposes, &rci_pass_merge_views,   &rci_pass_compose,
    &rci_pass_drop_repeats,    &rci_pass_absorb_pad,    &rci_pass_merge_affine,
    &rci_pass_fold_affine,
};

rc_status rci_pass_clean_up(struct rc_graph *g)
{
    enum { ROUNDS = 8 };
    uint32_t changed = 1;
    for (int round = 0; round < ROUNDS && changed; round++) {
        changed = 0;
        for (size_t i = 0; i < sizeof(clean_up_passes) / sizeof(clean_up_passes[0]); i++) {
            uint32_t n;
            RC_TRY(rci_pass_run(g, clean_up_passes[i], &n));
            changed += n;
        }
    }
    return rci_graph_sweep(g, NULL);
}
