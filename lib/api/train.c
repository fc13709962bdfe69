#include "base/abi.h"
#include "base/compute.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_train_options, memory);
RC_ABI_NO_TAIL(rc_train_progress, top1);
RC_ABI_NO_TAIL(rc_train_result, activation_bytes);

enum {
    OPTIONS_V1 = offsetof(rc_train_options, all_reduce),
    RESULT_V1 = offsetof(rc_train_result, activation_bytes)
};

rc_status rc_trainer_new(rc_trainer **out, rc_graph *graph, rc_dataset *dataset,
                         const rc_train_options *options)
{
    rc_train_options o;
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_graph_valid(graph) || !dataset)
        return rci_fail(RC_ERR_ARG, "%s is NULL or was freed", dataset ? "graph" : "dataset");
    RC_TRY(rci_abi_read(&o, sizeof(o), OPTIONS_V1, options, "rc_train_options"));
    return rci_trainer_create(out, graph, dataset, &o);
}

rc_status rc_trainer_run(rc_trainer *trainer, rc_train_result *result)
{
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    if (!rci_trainer_valid(trainer))
        return rci_fail(RC_ERR_ARG, "trainer is NULL or was freed");
    if (result) /* a wrong size must not be found after hours */
        RC_TRY(rci_abi_write(result, RESULT_V1, &r, sizeof(r), "rc_train_result"));
    RC_TRY(rci_trainer_execute(trainer, &r));
    return result ? rci_abi_write(result, RESULT_V1, &r, sizeof(r), "rc_train_result") : RC_OK;
}

void rc_trainer_free(rc_trainer **trainer)
{
    if (!trainer)
        return;
    if (rci_trainer_valid(*trainer))
        rci_trainer_destroy(*trainer);
    *trainer = NULL;
}

rc_status rc_graph_reestimate_bn(rc_graph *graph, rc_dataset *dataset, uint64_t images,
                                 uint64_t batch)
{
    if (!rci_graph_valid(graph) || !dataset)
        return rci_fail(RC_ERR_ARG, "%s is NULL or was freed", dataset ? "graph" : "dataset");
    if (batch == 1 || batch > 65536)
        return rci_fail(RC_ERR_ARG, "batch is %llu, allowed is 2..65536",
                        (unsigned long long) batch);
    const struct rci_compute saved = rci_compute_enter(graph->ctx, 0);
    const rc_status st = rci_bn_reestimate(graph, dataset, images, batch, 0);
    rci_compute_leave(saved);
    return st;
}
