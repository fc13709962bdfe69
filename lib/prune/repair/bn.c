/* BatchNormalization statistics of the cut network, exact over training images. */
#include "prune/repair.h"
#include "train/trainer.h"

static rc_status bn_run(const void *params, const struct rci_repair_job *job)
{
    (void) params;
    return rci_bn_reestimate(job->after, job->data, job->images, job->batch, 0);
}

const struct rci_repair rci_repair_bn = {
    .m = {.name = "bn",
          .summary = "re-estimate BatchNormalization statistics",
          .source = "Li et al., EagleEye: Fast Sub-net Evaluation for Efficient Neural Network "
                    "Pruning, ECCV 2020"},
    .needs_data = true,
    .run = bn_run,
};
