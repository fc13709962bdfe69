#include "io/packed.h"
#include "api/check.h"
#include "api/form.h"
#include "graph/graph.h"

#include <rescomp/packed.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_pack_options, flags);
RC_ABI_NO_TAIL(rc_packed_info, stored);
RC_ABI_NO_TAIL(rc_packed_tensor_info, stored);

static rc_status pack_coding(const char *name, enum rci_packed_coding *out)
{
    static const char *const known[] = {
        [RCI_PACKED_AUTO] = "auto", [RCI_PACKED_FIELDS] = "fields", [RCI_PACKED_RAW] = "raw"};
    *out = RCI_PACKED_AUTO;
    for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(name, known[i])) {
            *out = (enum rci_packed_coding) i;
            return RC_OK;
        }
    return name ? rci_fail(RC_ERR_ARG, "coding is \"%s\", allowed are auto, fields and raw", name)
                : RC_OK;
}

rc_status rc_graph_save_packed(const rc_graph *graph, const char *path,
                               const rc_pack_options *options)
{
    rc_pack_options o;
    struct rci_packed_form form = {0};
    RC_CHECK(graph, graph);
    RC_CHECK_SET(path);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_pack_options"));
    RC_TRY(rci_abi_check_flags(o.flags, RC_SAVE_NARROW, "rc_pack_options"));
    RC_TRY(rci_onnx_form_read(&form.onnx, o.opset, o.storage));
    form.onnx.narrow = o.flags & RC_SAVE_NARROW;
    RC_TRY(pack_coding(o.coding, &form.coding));
    return rci_packed_save(graph, path, &form);
}

rc_status rc_packed_new(rc_packed **out, rc_context *context, const char *path)
{
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    return rci_packed_new(out, context, path);
}

void rc_packed_free(rc_packed **packed)
{
    RC_FREE(packed, packed);
}

rc_status rc_packed_get_info(const rc_packed *packed, rc_packed_info *info)
{
    rc_packed_info r = {sizeof(r)};
    RC_CHECK(packed, packed);
    RC_CHECK_SET(info);
    r.major = packed->major;
    r.minor = packed->minor;
    r.file_bytes = packed->file_bytes;
    r.graph_bytes = packed->graph_bytes;
    r.graph_stored = packed->graph_stored;
    r.tensors = packed->n_tensors;
    for (uint32_t i = 0; i < packed->n_tensors; i++) {
        r.bytes += packed->tensor[i].bytes;
        r.stored += packed->tensor[i].stored;
    }
    return rci_abi_write(info, &r, sizeof(r), "rc_packed_info");
}

rc_status rc_packed_get_tensor(const rc_packed *packed, uint64_t index, rc_packed_tensor_info *info)
{
    RC_CHECK(packed, packed);
    RC_CHECK_SET(info);
    RC_TRY(rci_check_index("tensor", index, packed->n_tensors));
    const struct rci_packed_tensor_info *t = &packed->tensor[index];
    const rc_packed_tensor_info r = {
        .size = sizeof(r),
        .name = t->name,
        .type = t->type,
        .coder = t->coder,
        .entropy = t->entropy,
        .bits = t->bits,
        .elements = t->count,
        .bytes = t->bytes,
        .stored = t->stored,
    };
    return rci_abi_write(info, &r, sizeof(r), "rc_packed_tensor_info");
}
