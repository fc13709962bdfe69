/* The border of the quantizer: arguments, options, handles. */
#include "api/check.h"
#include "data/source.h"
#include "quant/trainable.h"
#include "train/run.h"

RC_ABI_NO_TAIL(rc_quantize_options, norm);
RC_ABI_NO_TAIL(rc_quantize_entry_info, is_signed);

static rc_status quantize_options_read(rc_quantize_options *o, const rc_quantize_options *caller)
{
    /* all bits up to the last flag */
    const uint64_t known = RC_QUANTIZE_POWER_OF_TWO * 2 - 1;
    RC_TRY(rci_abi_read(o, sizeof(*o), caller, "rc_quantize_options"));
    if (!o->observer)
        o->observer = "mse";
    if (!o->rounding)
        o->rounding = "nearest";
    if (!o->images)
        o->images = 512;
    if (!o->weight_bits)
        o->weight_bits = 8;
    if (o->images > UINT32_MAX)
        return rci_fail(RC_ERR_ARG, "images is %llu, at most 2^32-1",
                        (unsigned long long) o->images);
    if (o->batch > 65536)
        return rci_fail(RC_ERR_ARG, "batch is %llu, at most 65536", (unsigned long long) o->batch);
    if (o->weight_bits < 2 || o->weight_bits > 8)
        return rci_fail(RC_ERR_ARG, "weight_bits is %llu, allowed is 2..8",
                        (unsigned long long) o->weight_bits);
    if (!o->activation_bits)
        o->activation_bits = 8;
    if (o->activation_bits < 2 || o->activation_bits > 8)
        return rci_fail(RC_ERR_ARG, "activation_bits is %llu, allowed is 2..8",
                        (unsigned long long) o->activation_bits);
    if (o->override_count && !o->overrides)
        return rci_fail(RC_ERR_ARG, "overrides is NULL, but override_count is not 0");
    if (o->skip_count && !o->skip)
        return rci_fail(RC_ERR_ARG, "skip is NULL, but skip_count is not 0");
    if (!o->tensorrt)
        o->tensorrt = "8.6.1";
    /* parsed here only to refuse a version while its text is at hand */
    if (!o->target)
        o->target = "cpu";
    uint32_t version;
    RC_TRY(rci_tensorrt_version(&version, o->tensorrt));
    return rci_abi_check_flags(o->flags, known, "rc_quantize_options");
}

rc_status rc_quantizer_new(rc_quantizer **out, const rc_graph *graph,
                           const rc_quantize_options *options)
{
    rc_quantize_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    RC_TRY(quantize_options_read(&o, options));
    return rci_quantizer_new(out, graph, &o);
}

void rc_quantizer_free(rc_quantizer **quantizer)
{
    RC_FREE(quantizer, quantizer);
}

rc_status rc_quantizer_calibrate(rc_quantizer *quantizer, const rc_dataset *dataset)
{
    RC_CHECK(quantizer, quantizer);
    RC_CHECK(dataset, dataset);
    return rci_quantizer_calibrate(quantizer, dataset);
}

rc_status rc_quantizer_save_table(const rc_quantizer *quantizer, const char *path,
                                  const char *format)
{
    RC_CHECK(quantizer, quantizer);
    RC_CHECK_SET(path);
    return rci_quantizer_save_table(quantizer, path, format ? format : quantizer->target->table);
}

rc_status rc_quantizer_load_table(rc_quantizer *quantizer, const char *path, const char *format)
{
    RC_CHECK(quantizer, quantizer);
    RC_CHECK_SET(path);
    return rci_quantizer_load_table(quantizer, path, format ? format : quantizer->target->table);
}

rc_status rc_quantizer_apply(rc_graph **out, rc_quantizer *quantizer)
{
    RC_CHECK_OUT(out);
    RC_CHECK(quantizer, quantizer);
    return quantizer->qat ? rci_quantizer_make_trainable(out, quantizer)
                          : rci_quantizer_apply(out, quantizer);
}

rc_status rc_quantizer_attach(rc_quantizer *quantizer, rc_trainer *trainer)
{
    RC_CHECK(quantizer, quantizer);
    RC_CHECK(trainer, trainer);
    return rci_quantizer_attach(quantizer, trainer);
}

rc_status rc_quantizer_finish(rc_graph **out, const rc_graph *graph)
{
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    return rci_quantizer_finish(out, graph);
}

uint64_t rc_quantizer_count_entries(const rc_quantizer *quantizer)
{
    return rci_quantizer_valid(quantizer) ? quantizer->n_entries : 0;
}

rc_status rc_quantizer_get_entry(const rc_quantizer *quantizer, uint64_t index,
                                 rc_quantize_entry_info *info)
{
    RC_CHECK(quantizer, quantizer);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("entry", index, quantizer->n_entries));
    /* ranges are from calibration, or from a table that was loaded */
    if (!quantizer->ready)
        return rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    const rci_id id = quantizer->entry[index];
    const struct rci_quant_value *v = &quantizer->plan.value[id];
    const rc_quantize_entry_info e = {.size = sizeof(e),
                                      .name = quantizer->g->values[id].name,
                                      .low = v->low,
                                      .high = v->high,
                                      .amax = v->amax,
                                      .scale = (double) v->scale,
                                      .is_signed = v->type == RC_S8};
    return rci_abi_write(info, &e, sizeof(e), "rc_quantize_entry_info");
}
