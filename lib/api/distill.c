/* The border of distillation. */
#include "api/check.h"
#include "distill/distiller.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_distill_options, hint_count);

rc_status rc_distiller_new(rc_distiller **out, const rc_graph *teacher,
                           const rc_distill_options *options)
{
    rc_distill_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, teacher);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_distill_options"));
    return rci_distiller_new(out, teacher, &o);
}

rc_status rc_distiller_attach(rc_distiller *distiller, rc_trainer *trainer)
{
    RC_CHECK(distiller, distiller);
    RC_CHECK(trainer, trainer);
    return rci_distiller_attach(distiller, trainer);
}

void rc_distiller_free(rc_distiller **distiller)
{
    RC_FREE(distiller, distiller);
}
