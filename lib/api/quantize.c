/* The border of the quantizer: arguments, options, handles. */
#include "base/abi.h"
#include "data/batches.h"
#include "quant/quantizer.h"

RC_ABI_NO_TAIL(rc_quantizer_options, tensorrt);
RC_ABI_NO_TAIL(rc_quantizer_entry, is_signed);

static rc_status resolve(rc_quantizer_options *o, const rc_quantizer_options *caller)
{
    const uint64_t known = RC_QUANTIZE_QAT * 2 - 1;
    RC_TRY(rci_abi_read(o, sizeof(*o), sizeof(*o), caller, "rc_quantizer_options"));
    if (!o->observer)
        o->observer = "mse";
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
    if (!o->tensorrt)
        o->tensorrt = "8.6.1";
    uint32_t version;
    RC_TRY(rci_tensorrt_version(&version, o->tensorrt));
    if (o->flags & ~known)
        return rci_fail(RC_ERR_ARG, "unknown bits 0x%llx in flags",
                        (unsigned long long) (o->flags & ~known));
    return RC_OK;
}

rc_status rc_quantizer_new(rc_quantizer **out, const rc_graph *graph,
                           const rc_quantizer_options *options)
{
    rc_quantizer_options o;
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_graph_valid(graph))
        return rci_fail(RC_ERR_ARG, "graph is not a valid graph");
    RC_TRY(resolve(&o, options));
    return rci_quantizer_create(out, graph, &o);
}

void rc_quantizer_free(rc_quantizer **quantizer)
{
    if (!quantizer)
        return;
    rci_quantizer_destroy(*quantizer);
    *quantizer = NULL;
}

static rc_status check(const rc_quantizer *q)
{
    return rci_quantizer_valid(q) ? RC_OK : rci_fail(RC_ERR_ARG, "quantizer is not valid");
}

rc_status rc_quantizer_calibrate(rc_quantizer *quantizer, rc_dataset *dataset)
{
    RC_TRY(check(quantizer));
    if (!dataset)
        return rci_fail(RC_ERR_ARG, "dataset is NULL");
    return rci_quantizer_run(quantizer, dataset);
}

static rc_status check_table(const rc_quantizer *q, const char *path, int32_t format)
{
    RC_TRY(check(q));
    if (!path)
        return rci_fail(RC_ERR_ARG, "path is NULL");
    if (format != RC_TABLE_JSON && format != RC_TABLE_TENSORRT)
        return rci_fail(RC_ERR_ARG, "format is %d, allowed are 0 (JSON) and 1 (TensorRT)", format);
    return RC_OK;
}

rc_status rc_quantizer_save_table(const rc_quantizer *quantizer, const char *path, int32_t format)
{
    RC_TRY(check_table(quantizer, path, format));
    return rci_quantizer_write_table(quantizer, path, format);
}

rc_status rc_quantizer_load_table(rc_quantizer *quantizer, const char *path, int32_t format)
{
    RC_TRY(check_table(quantizer, path, format));
    return rci_quantizer_read_table(quantizer, path, format);
}

rc_status rc_quantizer_apply(rc_quantizer *quantizer, rc_graph **out)
{
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    RC_TRY(check(quantizer));
    return rci_quantizer_build(quantizer, out);
}

rc_status rc_quantizer_finish(const rc_graph *graph, rc_graph **out)
{
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_graph_valid(graph))
        return rci_fail(RC_ERR_ARG, "graph is not a valid graph");
    return rci_quantizer_freeze(graph, out);
}

uint64_t rc_quantizer_entries(const rc_quantizer *quantizer)
{
    return rci_quantizer_valid(quantizer) ? quantizer->n_entries : 0;
}

rc_status rc_quantizer_entry_at(const rc_quantizer *quantizer, uint64_t index,
                                rc_quantizer_entry *out)
{
    RC_TRY(check(quantizer));
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    if (index >= quantizer->n_entries)
        return rci_fail(RC_ERR_ARG, "index is %llu, there are %u values",
                        (unsigned long long) index, quantizer->n_entries);
    if (!quantizer->ready)
        return rci_fail(RC_ERR_STATE, "the quantizer is not calibrated and has no table");
    const rci_id id = quantizer->entry[index];
    const struct rci_quant_value *v = &quantizer->plan.value[id];
    const rc_quantizer_entry e = {.size = out->size,
                                  .name = quantizer->g->values[id].name,
                                  .low = v->low,
                                  .high = v->high,
                                  .amax = v->amax,
                                  .scale = (double) v->scale,
                                  .is_signed = v->type == RC_S8};
    return rci_abi_write(out, sizeof(e), &e, sizeof(e), "rc_quantizer_entry");
}
