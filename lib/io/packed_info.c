/* What a packed file holds, weight by weight, without decoding any. */
#include "io/packed_parts.h"

static const uint64_t PACKED_MAGIC = UINT64_C(0x52435f5041434b45);

bool rci_packed_valid(const struct rc_packed *p)
{
    return p && p->magic == PACKED_MAGIC;
}

void rci_packed_free(struct rc_packed *p)
{
    if (!p)
        return;
    p->magic = 0;
    rci_release(p->tensor);
    rci_arena_free(&p->arena);
    rci_release(p);
}

/* The part that was read last. */
struct fetched {
    uint32_t part;
    const uint8_t *at;
    void *own;
};

static rc_status fetch_once(struct fetched *f, const struct packed_file *p, uint32_t part)
{
    if (f->own && f->part == part)
        return RC_OK;
    rci_release(f->own);
    f->own = NULL;
    f->part = part;
    return rci_packed_fetch(p, part, &f->at, &f->own);
}

static rc_status info_tensor(struct rci_packed_tensor_info *to, const struct packed_file *p,
                             const struct packed_tensor *x, struct fetched *f)
{
    const Onnx__TensorProto *t = x->onnx;
    const struct rci_elements e =
        rci_packed_elements(&x->type, x->count, t->n_dims ? (size_t) t->dims[0] : 1);
    struct rci_coded coded = {RCI_CODER_RAW, RCI_ENTROPIES, x->type.bits};
    if (x->stored && p->part[x->part].kind == PART_CODED) {
        RC_TRY(fetch_once(f, p, x->part));
        rci_coder_describe(&coded, f->at + x->at, (size_t) x->stored, &e);
    }
    const char *entropy = rci_entropy_name(coded.entropy);
    *to = (struct rci_packed_tensor_info){
        .name = rci_onnx_text(t->name),
        .type = rci_onnx_dtype_name(t->data_type),
        .coder = x->stored ? rci_coder_name(coded.coder) : "product",
        .entropy = entropy ? entropy : "none",
        .bits = coded.bits ? coded.bits
                : entropy  ? 0
                           : x->type.bits,
        .count = x->count,
        .bytes = x->bytes,
        .stored = x->stored ? x->stored : PRODUCT_STORED,
    };
    return to->coder ? RC_OK : rci_fail(RC_ERR_FORMAT, "coder %u is not known", coded.coder);
}

static rc_status info_read(struct rc_packed *out, struct packed_file *p)
{
    struct packed_plan plan;
    struct fetched fetched = {0};
    uint32_t part = 0;
    RC_TRY(rci_packed_plan(&plan, p, &out->arena));
    out->major = PACKED_MAJOR;
    out->minor = p->minor;
    out->file_bytes = p->size;
    out->graph_bytes = plan.graph_bytes;
    rc_status st = rci_packed_find(p, PART_GRAPH, "graph", &part);
    if (st == RC_OK)
        out->graph_stored = p->part[part].size;
    out->tensor = rci_alloc_array(p->ctx, plan.n_tensors + 1u, sizeof(*out->tensor));
    if (!out->tensor)
        st = RC_ERR_MEMORY;
    for (; st == RC_OK && out->n_tensors < plan.n_tensors; out->n_tensors++)
        st = info_tensor(&out->tensor[out->n_tensors], p, &plan.tensor[out->n_tensors], &fetched);
    rci_release(fetched.own);
    rci_release(plan.tensor);
    return st;
}

rc_status rci_packed_new(struct rc_packed **out, struct rc_context *c, const char *path)
{
    struct rci_file file;
    uint8_t first[4] = {0};
    *out = NULL;
    RC_TRY(rci_file_open(&file, c, path, 0));
    struct rc_packed *info = RC_NEW(c, struct rc_packed);
    rc_status st = info ? RC_OK : RC_ERR_MEMORY;
    struct packed_file p = {.ctx = c, .file = &file, .size = file.size};
    if (st == RC_OK && file.size >= sizeof(first))
        st = rci_file_read_at(&file, 0, first, sizeof(first));
    if (st == RC_OK && !rci_packed_begins(first, sizeof(first)))
        st = rci_fail(RC_ERR_FORMAT, "not a packed model");
    if (st == RC_OK) {
        info->magic = PACKED_MAGIC;
        info->ctx = info->arena.ctx = c;
        st = rci_packed_open(&p);
    }
    if (st == RC_OK)
        st = info_read(info, &p);
    rci_packed_close(&p);
    rci_file_close(&file);
    if (st == RC_OK) {
        *out = info;
        return RC_OK;
    }
    rci_packed_free(info);
    return st == RC_ERR_IO ? st : rci_fail_prefix(st, "%s", path);
}
