/* "conv1*=0,layer4*=0.1": factors of the learning rate by the names of weights or of the nodes that
 * read them; 0 freezes. The first pattern that matches counts. */
#include "base/file.h"
#include "train/run.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool rate_pattern_matches(const struct rc_graph *g, rci_id weight, const char *pattern)
{
    if (!fnmatch(pattern, g->values[weight].name, 0))
        return true;
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        for (uint32_t k = 0; n->op && k < n->n_in; k++)
            if (n->in[k] == weight && !fnmatch(pattern, n->name, 0))
                return true;
    }
    return false;
}

/* Cuts "pattern=factor" in two. */
static rc_status read_layer_rate(char *entry, double *factor)
{
    char *equals = strrchr(entry, '='), *end = NULL;
    *factor = equals ? strtod(equals + 1, &end) : -1;
    if (!equals || equals == entry || end == equals + 1 || *end || !(*factor >= 0) ||
        !(*factor <= 1000))
        return rci_fail(RC_ERR_ARG,
                        "layer_rates: \"%s\" is no PATTERN=FACTOR with a factor of 0..1000", entry);
    *equals = 0;
    return RC_OK;
}

static rc_status apply_layer_rate(struct rc_trainer *t, char *entry, bool *taken)
{
    double factor;
    bool found = false;
    RC_TRY(read_layer_rate(entry, &factor));
    for (uint32_t i = 0; i < t->state.n_params; i++)
        if (rate_pattern_matches(t->graph, rci_tape_param(t->tape, i), entry)) {
            t->factor[i] = taken[i] ? t->factor[i] : factor;
            taken[i] = found = true;
        }
    if (found)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "layer_rates: \"%s\" matches none of the %u weights, as \"%s\"",
                    entry, t->state.n_params, t->graph->values[rci_tape_param(t->tape, 0)].name);
}

static rc_status apply_layer_rates(struct rc_trainer *t, char *text, bool *taken)
{
    double most = 0;
    char *rest = text;
    for (char *entry; (entry = strsep(&rest, ",")) != NULL;)
        RC_TRY(apply_layer_rate(t, entry, taken));
    for (uint32_t i = 0; i < t->state.n_params; i++)
        most = fmax(most, t->factor[i]);
    return most > 0
               ? RC_OK
               : rci_fail(RC_ERR_ARG, "layer_rates \"%s\" freeze all weights", t->o.layer_rates);
}

rc_status rci_train_layer_rates(struct rc_trainer *t)
{
    const uint32_t n = t->state.n_params;
    if (!t->o.layer_rates)
        return RC_OK;
    t->factor = rci_alloc_array(t->ctx, n, sizeof(*t->factor));
    bool *taken = rci_alloc_array(t->ctx, n, sizeof(*taken));
    char *text = rci_strdup(t->ctx, t->o.layer_rates);
    rc_status st = t->factor && taken && text ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; st == RC_OK && i < n; i++)
        t->factor[i] = 1;
    if (st == RC_OK)
        st = apply_layer_rates(t, text, taken);
    rci_release(text);
    rci_release(taken);
    return st;
}
