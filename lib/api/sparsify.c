/* The border of sparse training. */
#include "api/check.h"
#include "prune/sparsifier.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_sparsify_options, trunk);

rc_status rc_sparsifier_new(rc_sparsifier **out, rc_trainer *trainer,
                            const rc_sparsify_options *options)
{
    rc_sparsify_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(trainer, trainer);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_sparsify_options"));
    if (o.trunk > RC_PRUNE_TRUNK_KEEP)
        return rci_fail(RC_ERR_ARG, "trunk is %llu, allowed is up to 2",
                        (unsigned long long) o.trunk);
    if (o.keep_count && !o.keep)
        return rci_fail(RC_ERR_ARG, "keep is NULL, but keep_count is not 0");
    return rci_sparsifier_new(out, trainer, &o);
}

void rc_sparsifier_free(rc_sparsifier **sparsifier)
{
    RC_FREE(sparsifier, sparsifier);
}
