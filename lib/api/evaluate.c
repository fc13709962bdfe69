/* The border of evaluation: accuracy and loss of a graph on a data set. */
#include "train/evaluate.h"
#include "api/check.h"
#include "data/source.h"

RC_ABI_NO_TAIL(rc_evaluate_options, flags);
RC_ABI_NO_TAIL(rc_evaluate_result, images_per_second);

rc_status rc_evaluate(const rc_graph *graph, const rc_dataset *dataset,
                      const rc_evaluate_options *options, rc_evaluate_result *result)
{
    rc_evaluate_options o;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    RC_CHECK(graph, graph);
    RC_CHECK(dataset, dataset);
    RC_CHECK_SET(result);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_evaluate_options"));
    RC_TRY(
        rci_abi_check_flags(o.flags, RC_EVALUATE_BF16 | RC_EVALUATE_MIXED, "rc_evaluate_options"));
    if (o.batch > 65536 || o.threads > 1024)
        return rci_fail(RC_ERR_ARG, "%s is %llu, allowed is 1..%d",
                        o.batch > 65536 ? "batch" : "threads",
                        (unsigned long long) (o.batch > 65536 ? o.batch : o.threads),
                        o.batch > 65536 ? 65536 : 1024);
    /* before anything that takes long, so that a wrong size fails at once */
    RC_TRY(rci_abi_clear(result, "rc_evaluate_result"));
    RC_TRY(rci_evaluate_graph(graph, dataset, &o, &r));
    return rci_abi_write(result, &r, sizeof(r), "rc_evaluate_result");
}
