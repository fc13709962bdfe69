#include "base/abi.h"
#include "distill/distiller.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_distill_options, cache_bytes);

rc_status rc_distiller_new(rc_distiller **out, const rc_graph *teacher,
                           const rc_distill_options *options)
{
    rc_distill_options o;
    if (!out)
        return rc_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rc_graph_valid(teacher))
        return rc_fail(RC_ERR_ARG, "teacher is NULL or was freed");
    RC_TRY(rc_abi_read(&o, sizeof(o), sizeof(o), options, "rc_distill_options"));
    return rc_distiller_create(out, teacher, &o);
}

rc_status rc_distiller_attach(rc_distiller *distiller, rc_trainer *trainer)
{
    if (!rc_distiller_valid(distiller) || !rc_trainer_valid(trainer))
        return rc_fail(RC_ERR_ARG, "%s is NULL or was freed",
                       rc_distiller_valid(distiller) ? "trainer" : "distiller");
    return rc_distiller_join(distiller, trainer);
}

void rc_distiller_free(rc_distiller **distiller)
{
    if (!distiller)
        return;
    if (rc_distiller_valid(*distiller))
        rc_distiller_destroy(*distiller);
    *distiller = NULL;
}
