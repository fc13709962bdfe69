/* Stored inputs and outputs: ONNX TensorProto files, NumPy arrays, an archive of these. */
#include "data/stored.h"
#include "data/npy.h"
#include "data/zip.h"
#include "pass/check.h"
#include "wire/onnx.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *tail)
{
    const size_t n = strlen(text), m = strlen(tail);
    return n >= m && !strcmp(text + n - m, tail);
}

/* --- one array --- */

/* Field number `field` with a length; as many bytes as protobuf's varint needs. */
static size_t put_header(uint8_t *to, uint32_t field, uint64_t size)
{
    size_t n = 0;
    to[n++] = (uint8_t) (field << 3 | 2);
    for (; size > 127; size >>= 7)
        to[n++] = (uint8_t) (size | 128);
    to[n++] = (uint8_t) size;
    return n;
}

/* A TensorProto is read as the only initializer of a model, so that the same checks hold. */
static rc_status read_proto(struct rc_context *c, const struct rci_bytes *file, const char *path,
                            struct rci_tensor *out)
{
    enum { GRAPH = 7, INITIALIZER = 5, HEADERS = 24 };
    uint8_t graph[HEADERS], tensor[HEADERS];
    const size_t inner = put_header(tensor, INITIALIZER, file->size);
    const size_t outer = put_header(graph, GRAPH, inner + file->size);
    uint8_t *bytes = rci_alloc(c, outer + inner + file->size);
    struct rci_arena arena = {.ctx = c};
    Onnx__ModelProto *model = NULL;
    if (!bytes)
        return RC_ERR_MEMORY;
    memcpy(bytes, graph, outer);
    memcpy(bytes + outer, tensor, inner);
    if (file->size)
        memcpy(bytes + outer + inner, file->data, file->size);
    rc_status st = rci_onnx_read(&model, &arena, bytes, outer + inner + file->size);
    if (st == RC_OK && (!model->graph || model->graph->n_initializer != 1))
        st = rci_fail(RC_ERR_FORMAT, "no tensor");
    if (st == RC_OK)
        st = rci_onnx_tensor_read(out, c, model->graph->initializer[0], "tensor");
    rci_arena_free(&arena);
    rci_release(bytes);
    return st == RC_OK ? st : rci_fail_prefix(st, "%s", path);
}

static void store_integer(struct rci_tensor *t, int64_t i, int64_t v)
{
    switch (t->dtype) {
    case RC_I64:
        ((int64_t *) t->data)[i] = v;
        break;
    case RC_I32:
        ((int32_t *) t->data)[i] = (int32_t) v;
        break;
    default:
        ((uint8_t *) t->data)[i] = (uint8_t) v;
    }
}

/* As the value's type; reals do not become integers. */
static rc_status read_npy(struct rc_context *c, const struct rci_bytes *file, const char *path,
                          enum rci_dtype type, struct rci_tensor *out)
{
    struct rci_npy a;
    RC_TRY(rci_npy_parse(&a, file->data, file->size, path));
    if (type != RC_F32 && a.kind == 'f')
        return rci_fail(RC_ERR_DATA, "%s: reals, the model has %s", path, rci_dtype_name(type));
    RC_TRY(rci_tensor_new(out, c, type, &a.shape));
    if (type == RC_F32)
        rci_npy_to_f32(&a, out->data);
    for (int64_t i = 0; type != RC_F32 && i < a.count; i++)
        store_integer(out, i, rci_npy_integer(&a, i));
    return RC_OK;
}

static rc_status read_file(const struct rc_graph *g, const char *path, rci_id v,
                           struct rci_tensor *out)
{
    struct rci_bytes file;
    RC_TRY(rci_file_read(g->ctx, path, 0, &file));
    const rc_status st = ends_with(path, ".pb")
                             ? read_proto(g->ctx, &file, path, out)
                             : read_npy(g->ctx, &file, path, g->values[v].tensor.dtype, out);
    rci_release(file.data);
    return st;
}

static rc_status check_type(const struct rc_graph *g, const char *path, rci_id v,
                            const struct rci_tensor *t)
{
    const struct rci_value *x = &g->values[v];
    char text[RC_SHAPE_TEXT];
    if (t->dtype == x->tensor.dtype && t->shape.rank == x->tensor.shape.rank)
        return RC_OK;
    return rci_fail(RC_ERR_SHAPE, "%s: \"%s\" is stored as %s %s, the model has %s of rank %u",
                    path, x->name, rci_dtype_name(t->dtype), rci_shape_text(&t->shape, text),
                    rci_dtype_name(x->tensor.dtype), x->tensor.shape.rank);
}

/* --- all of them --- */

/* FOLDER/input_0.pb or .npy; no data: neither is there. */
static rc_status read_numbered(const struct rc_graph *g, const char *folder, const char *what,
                               uint32_t k, rci_id v, struct rci_tensor *out)
{
    static const char *const tails[] = {"pb", "npy"};
    for (int i = 0; i < 2 && !out->data; i++) {
        struct stat info;
        char *path = rci_format(g->ctx, "%s/%s_%u.%s", folder, what, k, tails[i]);
        if (!path)
            return RC_ERR_MEMORY;
        rc_status st = RC_OK;
        if (stat(path, &info) == 0) {
            st = read_file(g, path, v, out);
            if (st == RC_OK)
                st = check_type(g, path, v, out);
        }
        rci_release(path);
        RC_TRY(st);
    }
    return RC_OK;
}

static rc_status read_member(const struct rc_graph *g, const struct rci_bytes *archive,
                             const char *path, rci_id v, struct rci_tensor *out)
{
    struct rci_bytes member;
    bool found;
    char *name = rci_format(g->ctx, "%s.npy", g->values[v].name);
    rc_status st =
        name ? rci_zip_read(g->ctx, archive, path, name, &member, &found) : RC_ERR_MEMORY;
    if (st == RC_OK && found) {
        st = read_npy(g->ctx, &member, name, g->values[v].tensor.dtype, out);
        rci_release(member.data);
        if (st == RC_OK)
            st = check_type(g, path, v, out);
    }
    rci_release(name);
    return st;
}

static rc_status read_all(struct rci_stored *s, const struct rc_graph *g, const char *path)
{
    struct rci_bytes archive = {0};
    const bool zip = ends_with(path, ".npz");
    rc_status st = zip ? rci_file_read(g->ctx, path, 0, &archive) : RC_OK;
    uint32_t outputs = 0;
    for (uint32_t k = 0; k < s->n_in && st == RC_OK; k++) {
        st = zip ? read_member(g, &archive, path, g->inputs[k], &s->in[k])
                 : read_numbered(g, path, "input", k, g->inputs[k], &s->in[k]);
        if (st == RC_OK && !s->in[k].data)
            st = rci_fail(RC_ERR_DATA, "%s: has no %s for input %u, \"%s\"", path,
                          zip ? "array of that name" : "input_N.pb or .npy", k,
                          g->values[g->inputs[k]].name);
    }
    for (uint32_t k = 0; k < s->n_out && st == RC_OK; k++) {
        st = zip ? read_member(g, &archive, path, g->outputs[k], &s->out[k])
                 : read_numbered(g, path, "output", k, g->outputs[k], &s->out[k]);
        outputs += s->out[k].data != NULL;
    }
    rci_release(archive.data);
    RC_TRY(st);
    return outputs ? RC_OK : rci_fail(RC_ERR_DATA, "%s: has no outputs to compare with", path);
}

rc_status rci_stored_read(struct rci_stored *out, const struct rc_graph *g, const char *path)
{
    *out = (struct rci_stored){.ctx = g->ctx, .n_in = g->n_inputs, .n_out = g->n_outputs};
    out->in = rci_alloc_array(g->ctx, g->n_inputs, sizeof(*out->in));
    out->out = rci_alloc_array(g->ctx, g->n_outputs, sizeof(*out->out));
    const rc_status st = out->in && out->out ? read_all(out, g, path) : RC_ERR_MEMORY;
    if (st != RC_OK)
        rci_stored_free(out);
    return st;
}

void rci_stored_free(struct rci_stored *s)
{
    for (uint32_t k = 0; s->in && k < s->n_in; k++)
        rci_tensor_free(&s->in[k]);
    for (uint32_t k = 0; s->out && k < s->n_out; k++)
        rci_tensor_free(&s->out[k]);
    rci_release(s->in);
    rci_release(s->out);
    *s = (struct rci_stored){0};
}

/* --- comparing --- */

static double number_at(const struct rci_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case RC_F32:
        return (double) ((const float *) t->data)[i];
    case RC_I64:
        return (double) ((const int64_t *) t->data)[i];
    case RC_I32:
        return (double) ((const int32_t *) t->data)[i];
    case RC_S8:
        return (double) ((const int8_t *) t->data)[i];
    default:
        return (double) ((const uint8_t *) t->data)[i];
    }
}

static void compare_output(struct rci_stored_result *r, const char *name,
                           const struct rci_tensor *want, const struct rci_tensor *have)
{
    const int64_t n = rci_shape_count(&want->shape);
    double scale = 1e-30;
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(number_at(want, i)));
    for (int64_t i = 0; i < n; i++) {
        const double a = number_at(want, i), b = number_at(have, i);
        /* NaN where there was none is as wrong as can be */
        const double off = isnan(a) && isnan(b) ? 0 : isnan(a - b) ? INFINITY : fabs(a - b) / scale;
        if (off > r->difference || !r->output)
            *r = (struct rci_stored_result){off, name, i, r->compared, a, b};
    }
    r->compared += n;
}

rc_status rci_stored_compare(struct rci_stored_result *r, const struct rci_stored *s,
                             const struct rc_graph *g)
{
    struct rci_check check;
    rc_status st = RC_OK;
    char have[RC_SHAPE_TEXT], want[RC_SHAPE_TEXT];
    *r = (struct rci_stored_result){0};
    RC_TRY(rci_check_start_on(&check, g, s->in));
    for (uint32_t k = 0; k < s->n_out && st == RC_OK; k++) {
        const struct rci_tensor *y = &check.value[g->outputs[k]];
        if (!s->out[k].data)
            continue;
        if (rci_shape_equal(&y->shape, &s->out[k].shape))
            compare_output(r, g->values[g->outputs[k]].name, &s->out[k], y);
        else
            st = rci_fail(RC_ERR_SHAPE, "output \"%s\" has shape %s, stored is %s",
                          g->values[g->outputs[k]].name, rci_shape_text(&y->shape, have),
                          rci_shape_text(&s->out[k].shape, want));
    }
    rci_check_end(&check);
    return st;
}
