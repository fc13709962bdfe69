#include "base/abi.h"
#include "distill/distiller.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_distill_options, cache_bytes);

rc_status rc_distiller_new(rc_distiller **out, const rc_graph *teacher,
                           const rc_distill_options *options)
{
    rc_distill_options o;
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_graph_valid(teacher))
        return rci_fail(RC_ERR_ARG, "teacher is NULL or was freed");
    RC_TRY(rci_abi_read(&o, sizeof(o), sizeof(o), options, "rc_distill_options"));
    return rci_distiller_create(out, teacher, &o);
}

rc_status rc_distiller_attach(rc_distiller *distiller, rc_trainer *trainer)
{
    if (!rci_distiller_valid(distiller) || !rci_trainer_valid(trainer))
        return rci_fail(RC_ERR_ARG, "%s is NULL or was freed",
                        rci_distiller_valid(distiller) ? "trainer" : "distiller");
    return rci_distiller_join(distiller, trainer);
}

void rc_distiller_free(rc_distiller **distiller)
{
    if (!distiller)
        return;
    if (rci_distiller_valid(*distiller))
        rci_distiller_destroy(*distiller);
    *distiller = NULL;
}
