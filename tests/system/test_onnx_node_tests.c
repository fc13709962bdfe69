/* ONNX's own tests of single operators (Debian: libonnx-testdata): every one whose operators are
 * claimed is imported, run in plain C and compared; then exported, imported again and run to the
 * same bits. Operands that the library wants to know at load time (Slice's bounds ...) are put into
 * the model as initializers first. */
#include "eval.h"
#include "nodecounts.h"
#include "test.h"

#include "base/file.h"
#include "io/onnx.h"
#include "op/rewrite/rewrite.h"
#include "op/table.h"
#include "wire/onnx.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { TENSORS_MAX = 16, PATH_SIZE = 512 };

struct suite {
    int passed, failed, skipped, other; /* other: operators we do not claim */
};

struct one {
    struct rc_context *ctx;
    const char *folder;
    struct rci_arena arena;
    Onnx__ModelProto *model;
    struct rc_graph *g;
    struct rci_tensor in[TENSORS_MAX], out[TENSORS_MAX], want[TENSORS_MAX];
};

static const char *data_folder(void)
{
    const char *s = getenv("RESCOMP_ONNX_TESTS");
    return s ? s : "/usr/share/libonnx-testdata/data";
}

static rc_status read_bytes(struct one *t, const char *name, struct rci_bytes *out)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%.380s/%.100s", t->folder, name);
    return rci_file_read(t->ctx, path, 0, out);
}

/* test_data_set_0/<kind>_<k>.pb, or NULL. */
static Onnx__TensorProto *read_tensor(struct one *t, const char *kind, size_t k)
{
    char name[64];
    struct rci_bytes b = {0};
    snprintf(name, sizeof(name), "test_data_set_0/%s_%zu.pb", kind, k);
    if (read_bytes(t, name, &b) != RC_OK)
        return NULL;
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, b.size, b.data);
    rci_release(b.data);
    return p;
}

static bool claims(const struct one *t)
{
    const Onnx__GraphProto *g = t->model->graph;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        if (!rci_op_find(n->domain, n->op_type) && !rci_rewrite_has(n->domain, n->op_type) &&
            strcmp(n->op_type, "Constant"))
            return false;
    }
    return true;
}

/* Operand k of `op` only carries numbers that must be known when the model is loaded. */
static bool known_at_load(const char *op, size_t k)
{
    static const char *const all[] = {"Clip",   "Dropout", "Pad",       "Slice", "Reshape",
                                      "Expand", "Squeeze", "Unsqueeze", "Split", "TopK",
                                      "Tile",   "Resize",  "Upsample"};
    if (!strcmp(op, "ConstantOfShape") || !strcmp(op, "Range"))
        return true;
    if (!strncmp(op, "Reduce", 6))
        return k > 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!strcmp(op, all[i]))
            return k > 0;
    return false;
}

static bool wants_known(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_input; k++)
            if (!strcmp(g->node[i]->input[k], name) && known_at_load(g->node[i]->op_type, k))
                return true;
    return false;
}

/* Graphs need an input; tests of constants have none. */
static rc_status add_unused_input(struct one *t)
{
    static Onnx__TypeProto__Tensor tensor = ONNX__TYPE_PROTO__TENSOR__INIT;
    static Onnx__TensorShapeProto shape = ONNX__TENSOR_SHAPE_PROTO__INIT;
    static Onnx__TypeProto type = ONNX__TYPE_PROTO__INIT;
    static Onnx__ValueInfoProto unused = ONNX__VALUE_INFO_PROTO__INIT;
    static char name[] = "unused";
    Onnx__GraphProto *g = t->model->graph;
    Onnx__ValueInfoProto **list = rci_arena_array(&t->arena, g->n_input + 1, sizeof(*list));
    if (!list)
        return RC_ERR_MEMORY;
    for (size_t i = 0; i < g->n_input; i++)
        list[i] = g->input[i];
    tensor.elem_type = ONNX_FLOAT;
    tensor.has_elem_type = 1;
    tensor.shape = &shape;
    type.tensor_type = &tensor;
    unused.name = name;
    unused.type = &type;
    list[g->n_input++] = &unused;
    g->input = list;
    return RC_OK;
}

/* The model with those operands as initializers, and an unused input when none is left. */
static rc_status edited_model(struct one *t, struct rci_bytes *out)
{
    Onnx__GraphProto *g = t->model->graph;
    Onnx__TensorProto *extra[TENSORS_MAX] = {0};
    Onnx__TensorProto **list =
        rci_arena_array(&t->arena, g->n_initializer + TENSORS_MAX, sizeof(*list));
    size_t n = 0;
    if (!list || g->n_input > TENSORS_MAX)
        return rci_fail(RC_ERR_LIMIT, "too many inputs for a test");
    for (size_t i = 0; i < g->n_initializer; i++)
        list[i] = g->initializer[i];
    for (size_t i = 0; i < g->n_input; i++) {
        if (!wants_known(g, g->input[i]->name) || !(extra[n] = read_tensor(t, "input", i)))
            continue;
        free(extra[n]->name);
        extra[n]->name = strdup(g->input[i]->name);
        list[g->n_initializer + n] = extra[n];
        n++;
    }
    g->initializer = list;
    g->n_initializer += n;
    rc_status st = g->n_input == n ? add_unused_input(t) : RC_OK;
    if (st == RC_OK)
        st = rci_onnx_write(&out->data, &out->size, t->ctx, t->model);
    for (size_t i = 0; i < n; i++)
        onnx__tensor_proto__free_unpacked(extra[i], NULL);
    return st;
}

static rc_status read_array(struct one *t, const char *kind, size_t k, struct rci_tensor *out)
{
    Onnx__TensorProto *p = read_tensor(t, kind, k);
    if (!p)
        return rci_fail(RC_ERR_DATA, "%s %zu is missing", kind, k);
    const rc_status st = rci_onnx_tensor_read(out, t->ctx, p, kind);
    onnx__tensor_proto__free_unpacked(p, NULL);
    return st;
}

/* Inputs of the graph by name, outputs by place. */
static rc_status read_arrays(struct one *t)
{
    const Onnx__GraphProto *from = t->model->graph;
    if (t->g->n_inputs > TENSORS_MAX || t->g->n_outputs > TENSORS_MAX)
        return rci_fail(RC_ERR_LIMIT, "too many inputs for a test");
    for (size_t i = 0; i < from->n_input; i++)
        for (uint32_t k = 0; k < t->g->n_inputs; k++)
            if (!strcmp(from->input[i]->name, t->g->values[t->g->inputs[k]].name) &&
                strcmp(from->input[i]->name, "unused"))
                RC_TRY(read_array(t, "input", i, &t->in[k]));
    for (uint32_t k = 0; k < t->g->n_outputs; k++)
        RC_TRY(read_array(t, "output", k, &t->want[k]));
    return RC_OK;
}

static double number(const struct rci_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case RC_F32:
        return (double) ((const float *) t->data)[i];
    case RC_F64:
        return ((const double *) t->data)[i];
    case RC_I64:
        return (double) ((const int64_t *) t->data)[i];
    case RC_I32:
        return ((const int32_t *) t->data)[i];
    case RC_S8:
        return ((const int8_t *) t->data)[i];
    default:
        return ((const uint8_t *) t->data)[i];
    }
}

static rc_status compare(const struct rci_tensor *got, const struct rci_tensor *want, uint32_t k)
{
    const bool real = want->dtype == RC_F32 || want->dtype == RC_F64;
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    if (got->dtype != want->dtype || !rci_shape_equal(&got->shape, &want->shape))
        return rci_fail(RC_ERR_DATA, "output %u is %s %s, expected %s %s", k,
                        rci_dtype_name(got->dtype), rci_shape_text(&got->shape, a),
                        rci_dtype_name(want->dtype), rci_shape_text(&want->shape, b));
    for (int64_t i = 0, n = rci_shape_count(&want->shape); i < n; i++) {
        const double x = number(got, i), y = number(want, i);
        if (!(fabs(x - y) <= (real ? 1e-5 + 1e-3 * fabs(y) : 0)) && !(isnan(x) && isnan(y)))
            return rci_fail(RC_ERR_DATA, "output %u, element %lld is %.9g, expected %.9g", k,
                            (long long) i, x, y);
    }
    return RC_OK;
}

/* export, import, run: the same bits. */
static rc_status round_trip(struct one *t)
{
    struct rci_bytes b = {0};
    struct rc_graph *g = NULL;
    struct rci_tensor out[TENSORS_MAX];
    RC_TRY(rci_onnx_save_memory(&b, t->g));
    rc_status st = rci_onnx_load_memory(&g, t->ctx, b.data, b.size);
    rci_release(b.data);
    if (st != RC_OK)
        return rci_fail_prefix(st, "import of the export");
    st = eval_graph(g, t->in, out);
    for (uint32_t k = 0; k < g->n_outputs && st == RC_OK; k++) {
        if (!rci_shape_equal(&out[k].shape, &t->out[k].shape) ||
            memcmp(out[k].data, t->out[k].data, rci_tensor_bytes(&out[k])))
            st = rci_fail(RC_ERR_DATA, "output %u differs after export and import", k);
    }
    for (uint32_t k = 0; k < g->n_outputs; k++)
        rci_tensor_free(&out[k]);
    rci_graph_free(g);
    return st;
}

static rc_status run_imported(struct one *t)
{
    RC_TRY(read_arrays(t));
    RC_TRY(eval_graph(t->g, t->in, t->out));
    for (uint32_t k = 0; k < t->g->n_outputs; k++)
        RC_TRY(compare(&t->out[k], &t->want[k], k));
    return round_trip(t);
}

static void close_one(struct one *t)
{
    for (uint32_t k = 0; k < TENSORS_MAX; k++) {
        rci_tensor_free(&t->in[k]);
        rci_tensor_free(&t->out[k]);
        rci_tensor_free(&t->want[k]);
    }
    rci_graph_free(t->g);
    rci_arena_free(&t->arena);
}

static bool has_zero_axis(Onnx__ValueInfoProto *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const Onnx__TensorShapeProto *s = list[i]->type->tensor_type->shape;
        for (size_t k = 0; s && k < s->n_dim; k++)
            if (s->dim[k]->has_dim_value && s->dim[k]->dim_value == 0)
                return true;
    }
    return false;
}

/* What ONNX itself leaves open, or what no graph of this library can hold: parts of the folder's
 * name, or of the message of what refuses it. Anything else that is refused fails. */
static const struct {
    const char *part, *why;
    bool message;
} exclusions[] = {
    {"training_dropout", "mask from NumPy's random numbers", false},
    {"_random_old", "mask from NumPy's random numbers", false},
    {"_training_mode", "a graph that trains itself", false},
    {"_BFLOAT16", "its arrays are integers", false},
    {"operator_addconstant", "doubles beyond the range of float", false},
    {"operator_pow", "results that are no numbers", false},
    {"operator_sqrt", "results that are no numbers", false},
    {"data type", "a type that no value has", true},
    {"cast to ONNX type", "a type that no value has", true},
    {"of type", "a type that this operator does not take", true},
    {"only 2 (height, width)", "a window of three axes", true},
    {"only [N, C, H, W] is supported", "a window of three axes, or of one that nothing tells",
     true},
    {"indices output", "indices of MaxPool", true},
    {"storage_order", "indices of MaxPool", true},
    {"tf_crop_and_resize", "a part of an image cut out by Resize", true},
    {"antialias", "Resize with antialiasing", true},
    {"computed at run time", "shapes that depend on values", true},
    {"is no constant", "broadcasting of opset 6 along an axis of what is computed", true},
    {"with a subgraph", "a graph in a graph", true},
    {"is not a tensor", "a sequence or an optional value", true},
    {"unsupported node", "a function of operators that are not read", true},
    {"ir_version is", "a file format that is newer", true},
    {"opset is", "an opset that is newer", true},
};

static const char *excluded(const char *text, bool message)
{
    for (size_t i = 0; i < sizeof(exclusions) / sizeof(exclusions[0]); i++)
        if (exclusions[i].message == message && strstr(text, exclusions[i].part))
            return exclusions[i].why;
    return NULL;
}

static const char *reason_to_skip(const struct one *t)
{
    const char *why = excluded(t->folder, false);
    if (why && !strstr(t->folder, "zero_ratio"))
        return why;
    const Onnx__GraphProto *g = t->model->graph;
    for (size_t i = 0; i < g->n_input; i++)
        if (!g->input[i]->type || !g->input[i]->type->tensor_type)
            return "not a tensor";
    if (has_zero_axis(g->input, g->n_input) || has_zero_axis(g->output, g->n_output))
        return "an axis of length 0";
    return NULL;
}

/* The operator that a test is of; NULL: a function of several. */
static const char *subject(const struct one *t)
{
    const Onnx__GraphProto *g = t->model->graph;
    const char *name = NULL;
    for (size_t i = 0; i < g->n_node; i++) {
        if (!strcmp(g->node[i]->op_type, "Constant"))
            continue;
        if (name)
            return NULL;
        name = g->node[i]->op_type;
    }
    return name;
}

static void run_one(struct suite *s, struct rc_context *ctx, const char *folder)
{
    struct one t = {.ctx = ctx, .folder = folder, .arena = {.ctx = ctx}};
    struct rci_bytes b = {0};
    const char *name = strrchr(folder, '/') + 1;
    rc_status st = read_bytes(&t, "model.onnx", &b);
    if (st == RC_OK)
        st = rci_onnx_read(&t.model, &t.arena, b.data, b.size);
    rci_release(b.data);
    if (st != RC_OK || !claims(&t)) {
        s->other++;
        rci_arena_free(&t.arena);
        return;
    }
    const char *why = reason_to_skip(&t);
    b = (struct rci_bytes){0};
    if (!why)
        st = edited_model(&t, &b);
    if (!why && st == RC_OK)
        st = rci_onnx_load_memory(&t.g, ctx, b.data, b.size);
    rci_release(b.data);
    if (!why && st == RC_ERR_UNSUPPORTED)
        why = excluded(rc_last_error(), true);
    if (!why && st == RC_OK)
        st = run_imported(&t);
    if (why) {
        s->skipped++;
        print_message("skipped %s: %s\n", name, why);
    } else if (st == RC_OK) {
        s->passed++;
    } else {
        s->failed++;
        print_error("FAILED %s: %s: %s\n", name, rc_status_name(st), rc_last_error());
    }
    if (subject(&t))
        nodecounts_add(subject(&t), !why && st == RC_OK);
    close_one(&t);
}

static int is_test(const struct dirent *d)
{
    return !strncmp(d->d_name, "test_", 5);
}

static struct suite run_folder(const char *kind)
{
    struct suite s = {0};
    char path[PATH_SIZE];
    struct dirent **list = NULL;
    struct rc_context *ctx = test_context();
    snprintf(path, sizeof(path), "%.300s/%s", data_folder(), kind);
    const int n = scandir(path, &list, is_test, alphasort);
    for (int i = 0; i < n; i++) {
        char folder[PATH_SIZE];
        snprintf(folder, sizeof(folder), "%.300s/%.200s", path, list[i]->d_name);
        run_one(&s, ctx, folder);
        free(list[i]);
    }
    free(list);
    print_message("%s: %d passed, %d failed, %d skipped, %d of other operators\n", kind, s.passed,
                  s.failed, s.skipped, s.other);
    test_context_done(ctx);
    return s;
}

static void skip_without_data(void)
{
    if (access(data_folder(), R_OK) != 0) {
        print_message("no %s: install libonnx-testdata\n", data_folder());
        skip();
    }
}

static void node_tests_pass(void **state)
{
    (void) state;
    skip_without_data();
    const struct suite s = run_folder("node");
    nodecounts_print();
    print_message("ONNX node tests: %d of %d passed, %d excluded, %d failed\n", s.passed,
                  s.passed + s.skipped + s.failed, s.skipped, s.failed);
    assert_int_equal(s.failed, 0);
    assert_true(s.passed >= 500);
    if (!getenv("RESCOMP_ONNX_TESTS") && !getenv("RESCOMP_OPERATOR_COUNTS")) {
        struct rc_context *c = test_context();
        nodecounts_page(c);
        test_context_done(c);
    }
}

static void tests_converted_from_pytorch_pass(void **state)
{
    (void) state;
    skip_without_data();
    const struct suite a = run_folder("pytorch-converted"), b = run_folder("pytorch-operator");
    assert_int_equal(a.failed + b.failed, 0);
    assert_true(a.passed + b.passed >= 88);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_tests_pass),
        cmocka_unit_test(tests_converted_from_pytorch_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
