/* How well a table of times predicts: random cuts of a network, what the table says and what is
 * measured. Cuts are not those of the table.
 *
 *     predict TABLE MODEL|ARCHITECTURE [CUTS [int8]] */
#include "base/context.h"
#include "base/rng.h"
#include "search/device.h"

#include <math.h>
#include <rescomp/rescomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIE_UNLESS(call)                                         \
    do {                                                         \
        if ((call) != RC_OK) {                                   \
            fprintf(stderr, "%s: %s\n", #call, rc_last_error()); \
            exit(1);                                             \
        }                                                        \
    } while (0)

static rc_graph *random_cut(const rc_graph *g, uint64_t seed)
{
    struct rci_rng r = rci_rng_make(seed, 7, 0x707265);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    rc_graph *out;
    o.criterion = "l1";
    o.repair = "none";
    DIE_UNLESS(rc_pruner_new(&p, g, &o));
    const int trunks = rci_rng_uniform(&r) < 0.5, round = rci_rng_uniform(&r) < 0.5;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        DIE_UNLESS(rc_pruner_get_group(p, i, &info));
        uint64_t kept =
            (uint64_t) ceil((double) info.channels * (0.15 + 0.85 * rci_rng_uniform(&r)));
        if (round && info.channels >= 16)
            kept = kept < 8 ? 8 : kept / 8 * 8;
        if (info.may_cut && (info.producers < 2 || trunks))
            DIE_UNLESS(rc_pruner_set_kept(p, i, kept));
    }
    DIE_UNLESS(rc_pruner_apply(&out, p, NULL));
    rc_pruner_free(&p);
    return out;
}

int main(int argc, char **argv)
{
    rc_context *c;
    rc_device *d;
    rc_graph *g;
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    if (argc < 3)
        return 2;
    const int cuts = argc > 3 ? atoi(argv[3]) : 20, int8 = argc > 4;
    DIE_UNLESS(rc_context_new(&c, NULL));
    DIE_UNLESS(rc_device_load(&d, c, argv[1]));
    DIE_UNLESS(strstr(argv[2], ".onnx") ? rc_graph_load(&g, c, argv[2])
                                        : rc_graph_new_network(&g, c, argv[2], &network));
    double worst = 0, sum = 0, *best = malloc((size_t) cuts * sizeof(*best));
    rc_session **s = malloc((size_t) cuts * sizeof(*s));
    rc_device_prediction *p = calloc((size_t) cuts, sizeof(*p));
    for (int i = 0; i < cuts; i++) {
        rc_session_options so = RC_SESSION_OPTIONS_INIT;
        rc_graph *cut = random_cut(g, 1000 + (uint64_t) i);
        if (int8) {
            rc_graph *q;
            DIE_UNLESS(rci_device_quantize(&q, cut, 3));
            rc_graph_free(&cut);
            cut = q;
        }
        so.batch = d->batch;
        best[i] = 1e9;
        p[i] = (rc_device_prediction) RC_DEVICE_PREDICTION_INIT;
        DIE_UNLESS(rc_device_predict(d, cut, &p[i]));
        DIE_UNLESS(rc_session_new(&s[i], cut, &so));
        rc_graph_free(&cut);
    }
    /* in rounds, for others may compute meanwhile, for seconds on end */
    for (int round = 0; round < 6; round++)
        for (int i = 0; i < cuts; i++) {
            rc_latency l = RC_LATENCY_INIT;
            rc_latency_options lo = RC_LATENCY_OPTIONS_INIT;
            lo.seconds = 0.06;
            lo.min_runs = 2;
            DIE_UNLESS(rc_measure_latency(c, &s[i], 1, &lo, &l));
            best[i] = l.min_ms < best[i] ? l.min_ms : best[i];
        }
    for (int i = 0; i < cuts; i++) {
        const double error = 100 * (p[i].latency_ms / best[i] - 1);
        printf("%2d: measured %.4f ms, predicted %.4f ms, %+.1f %%\n", i, best[i], p[i].latency_ms,
               error);
        worst = fabs(error) > worst ? fabs(error) : worst;
        sum += fabs(error);
        rc_session_free(&s[i]);
    }
    free(best);
    free(s);
    free(p);
    printf("%s%s, batch %llu: mean %.1f %%, worst %.1f %%\n", argv[2], int8 ? " int8" : "",
           (unsigned long long) d->batch, sum / cuts, worst);
    rc_graph_free(&g);
    rc_device_free(&d);
    rc_context_free(&c);
    return worst > 8;
}
