/* The border of methods: all kinds in one list, for callers who want to show or check them. */
#include "api/check.h"
#include "data/augment/augment.h"
#include "distill/loss.h"
#include "prune/allocate.h"
#include "prune/criterion.h"
#include "prune/regularizer.h"
#include "prune/repair.h"
#include "prune/schedule.h"
#include "quant/format.h"
#include "quant/observer.h"
#include "quant/qat.h"
#include "quant/rounding.h"
#include "quant/target.h"
#include "search/searcher.h"
#include "train/optim.h"
#include "train/rate.h"

#include <rescomp/method.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_method_kind_info, methods);
RC_ABI_NO_TAIL(rc_method_info, parameters);
RC_ABI_NO_TAIL(rc_parameter_info, max);

/* In order of names, which callers see by index. Each table is made by meson from its folder. */
static const struct rci_method_kind *const kinds[] = {
    &rci_kind_allocation,
    &rci_kind_augmentation,
    &rci_kind_criterion,
    &rci_kind_distill_loss,
    &rci_kind_loss,
    &rci_kind_normalizer,
    &rci_kind_observer,
    &rci_kind_optimizer,
    &rci_kind_qat,
    &rci_kind_rate,
    &rci_kind_reduction,
    &rci_kind_regularizer,
    &rci_kind_repair,
    &rci_kind_rounding,
    &rci_kind_schedule,
    &rci_kind_searcher,
    &rci_kind_table_format,
    &rci_kind_target,
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The message lists what there is, so that a caller need not look it up. */
static rc_status find_kind(const struct rci_method_kind **out, const char *name)
{
    if (!name)
        return rci_fail(RC_ERR_ARG, "kind is NULL");
    for (uint32_t i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i]->kind, name)) {
            *out = kinds[i];
            return RC_OK;
        }
    rci_fail(RC_ERR_ARG, "no kind of method named \"%.64s\"; there are", name);
    for (uint32_t i = 0; i < N_KINDS; i++)
        rci_fail_append("%s %s", i ? "," : "", kinds[i]->kind);
    return RC_ERR_ARG;
}

uint64_t rc_method_count_kinds(void)
{
    return N_KINDS;
}

rc_status rc_method_get_kind(uint64_t index, rc_method_kind_info *info)
{
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("kind", index, N_KINDS));
    const struct rci_method_kind *k = kinds[index];
    const rc_method_kind_info r = {sizeof(r), k->kind, k->summary, k->count};
    return rci_abi_write(info, &r, sizeof(r), "rc_method_kind_info");
}

rc_status rc_method_get(const char *kind, uint64_t index, rc_method_info *info)
{
    const struct rci_method_kind *k;
    RC_CHECK_SET(info);
    RC_TRY(find_kind(&k, kind));
    RC_TRY(rci_check_index(kind, index, k->count));
    const struct rci_method *m = k->table[index];
    const rc_method_info r = {sizeof(r), m->name, m->summary, m->source, m->n_params};
    return rci_abi_write(info, &r, sizeof(r), "rc_method_info");
}

rc_status rc_method_get_parameter(const char *kind, uint64_t method, uint64_t index,
                                  rc_parameter_info *info)
{
    const struct rci_method_kind *k;
    RC_CHECK_SET(info);
    RC_TRY(find_kind(&k, kind));
    RC_TRY(rci_check_index(kind, method, k->count));
    RC_TRY(rci_check_index("parameter", index, k->table[method]->n_params));
    const struct rci_param *p = &k->table[method]->params[index];
    const rc_parameter_info r = {sizeof(r), p->name, p->summary, (uint64_t) p->type,
                                 p->def,    p->min,  p->max};
    return rci_abi_write(info, &r, sizeof(r), "rc_parameter_info");
}
