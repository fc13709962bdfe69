/* The border of training and of statistics of BatchNormalization. */
#include "api/check.h"
#include "base/compute.h"
#include "data/source.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_train_options, events);
RC_ABI_NO_TAIL(rc_train_progress, gradient_norm);
RC_ABI_NO_TAIL(rc_train_result, activation_bytes);
RC_ABI_NO_TAIL(rc_rate_test, last);
RC_ABI_NO_TAIL(rc_rate_test_result, steepest);

rc_status rc_trainer_new(rc_trainer **out, rc_graph *graph, const rc_dataset *dataset,
                         const rc_train_options *options)
{
    rc_train_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    RC_CHECK(dataset, dataset);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_train_options"));
    RC_TRY(rci_abi_check_flags(o.flags, RC_TRAIN_IN_ORDER | RC_TRAIN_FREEZE_BN | RC_TRAIN_BF16,
                               "rc_train_options"));
    RC_CHECK_OPTIONAL(dataset, o.validation, "validation");
    return rci_trainer_new(out, graph, dataset, &o);
}

rc_status rc_trainer_run(rc_trainer *trainer, rc_train_result *result)
{
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    RC_CHECK(trainer, trainer);
    if (result)
        RC_TRY(rci_abi_clear(result, "rc_train_result"));
    RC_TRY(rci_trainer_run(trainer, &r));
    return result ? rci_abi_write(result, &r, sizeof(r), "rc_train_result") : RC_OK;
}

rc_status rc_trainer_find_rate(rc_trainer *trainer, const rc_rate_test *test,
                               rc_rate_test_result *result, double *rates, double *losses)
{
    rc_rate_test o;
    rc_rate_test_result r = RC_RATE_TEST_RESULT_INIT;
    RC_CHECK(trainer, trainer);
    RC_CHECK_SET(result);
    RC_TRY(rci_abi_read(&o, sizeof(o), test, "rc_rate_test"));
    RC_TRY(rci_abi_clear(result, "rc_rate_test_result"));
    RC_TRY(rci_trainer_find_rate(trainer, &o, &r, rates, losses));
    return rci_abi_write(result, &r, sizeof(r), "rc_rate_test_result");
}

void rc_trainer_free(rc_trainer **trainer)
{
    RC_FREE(trainer, trainer);
}

rc_status rc_graph_reestimate_bn(rc_graph *graph, const rc_dataset *dataset, uint64_t images,
                                 uint64_t batch)
{
    RC_CHECK(graph, graph);
    RC_CHECK(dataset, dataset);
    /* 0: the default. One image of one pixel has no variance */
    if (batch == 1 || batch > 65536)
        return rci_fail(RC_ERR_ARG, "batch is %llu, allowed is 2..65536",
                        (unsigned long long) batch);
    /* denormals are flushed inside, and the caller's mode comes back */
    const struct rci_compute saved = rci_compute_enter(graph->ctx, 0);
    const rc_status st = rci_bn_reestimate(graph, dataset, images, batch, 0);
    rci_compute_leave(saved);
    return st;
}
