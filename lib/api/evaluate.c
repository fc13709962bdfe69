#include "train/evaluate.h"
#include "base/abi.h"

RC_ABI_NO_TAIL(rc_evaluate_options, flags);

enum { FIRST_SIZE = offsetof(rc_evaluate_options, flags) };
RC_ABI_NO_TAIL(rc_evaluate_result, images_per_second);

rc_status rc_evaluate(const rc_graph *graph, rc_dataset *dataset,
                      const rc_evaluate_options *options, rc_evaluate_result *result)
{
    rc_evaluate_options o;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    if (!rci_graph_valid(graph) || !dataset)
        return rci_fail(RC_ERR_ARG, "%s is NULL or was freed", dataset ? "graph" : "dataset");
    if (!result)
        return rci_fail(RC_ERR_ARG, "result is NULL");
    RC_TRY(rci_abi_read(&o, sizeof(o), FIRST_SIZE, options, "rc_evaluate_options"));
    if (o.flags & ~(RC_EVALUATE_BF16 | RC_EVALUATE_MIXED))
        return rci_fail(RC_ERR_ABI, "rc_evaluate_options.flags is 0x%llx, allowed are 0x1 and 0x2",
                        (unsigned long long) o.flags);
    if (o.batch > 65536 || o.threads > 1024)
        return rci_fail(RC_ERR_ARG, "%s is %llu, allowed is 1..%d",
                        o.batch > 65536 ? "batch" : "threads",
                        (unsigned long long) (o.batch > 65536 ? o.batch : o.threads),
                        o.batch > 65536 ? 65536 : 1024);
    RC_TRY(rci_abi_write(result, sizeof(r), &r, sizeof(r), "rc_evaluate_result"));
    RC_TRY(rci_evaluate_graph(graph, dataset, &o, &r));
    return rci_abi_write(result, sizeof(r), &r, sizeof(r), "rc_evaluate_result");
}
