/* Formats of calibration tables: what is written is the golden file, byte by byte; what is read
 * gives the thresholds and scales of weights back; what is wrong is refused and changes nothing. */
#include "files.h"
#include "quantnets.h"
#include "shared.h"

#include <math.h>

#include "pass/insert_qdq.h"
#include "quant/format.h"
#include "quant/quantizer.h"

static const char *const names[4] = {"x", "act_output_0", "proj_output_0", "act2_output_0"};
static const double thresholds[4] = {2, 4, 3.5, 6};

static rc_quantizer *fresh(const struct rc_graph *g)
{
    return quant_new(g, "minmax", RC_QUANTIZE_FULL_RANGE);
}

static const struct {
    const char *format, *file;
    double factor[4];  /* of the thresholds, 0: the format does not name the value */
    float scale[3][2]; /* of the weights, 0: not in the format */
} formats[] = {
    {"json", "own.json", {1, 1, 1, 1}, {{0}}},
    {"tensorrt", "tensorrt.cache", {1, 1, 1, 1}, {{0}}},
    {"ort", "ort.json", {1, 1, 1, 1}, {{0}}},
    {"ncnn",
     "ncnn.table",
     {1, 1, 0, 1},
     {{0.5f / 31, 0.25f / 31}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}}},
    {"mnn",
     "mnn.json",
     {1, 1, 1, 1},
     {{0.5f / 127, 0.25f / 127}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}}},
    {"aimet-0.6.1",
     "aimet-0.6.1.json",
     {1, 1, 1, 1},
     {{0.5f / 127, 0.25f / 127}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}}},
    {"aimet-1.0.0",
     "aimet-1.0.0.json",
     {1, 1, 1, 1},
     {{0.5f / 127, 0.25f / 127}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}}},
    /* the next power of two: 127/64, 127/32, 127/32, 127/16 */
    {"vitis",
     "vitis.json",
     {127 / 32.0 / 2, 127 / 16.0 / 4, 127 / 32.0 / 3.5, 127 / 16.0 / 6},
     {{1.0f / 128}, {1.0f / 32}, {1.0f / 64}}},
    {"mlu",
     "mlu.json",
     {1, 1, 1, 1},
     {{0.5f / 127, 0.25f / 127}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}}},
};
enum { N_FORMATS = sizeof(formats) / sizeof(formats[0]) };

static const char *golden(uint32_t k)
{
    return scratch_path(source_path("tests/golden/tables"), formats[k].file);
}

static struct rci_bytes file_bytes(struct rc_context *c, const char *path)
{
    struct rci_bytes b;
    OK(rci_file_read(c, path, 1 << 20, &b));
    return b;
}

static void load_thresholds(rc_quantizer *q)
{
    OK(rc_quantizer_load_table(q, golden(0), "json"));
    for (uint64_t i = 0; i < 4; i++) {
        rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
        OK(rc_quantizer_get_entry(q, i, &e));
        assert_string_equal(e.name, names[i]);
        assert_true(e.amax == thresholds[i]);
    }
}

static void every_format_writes_its_golden_file(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder();
    rc_quantizer *q = fresh(g);
    assert_int_equal(rci_kind_table_format.count, N_FORMATS);
    load_thresholds(q);
    for (uint32_t k = 0; k < N_FORMATS; k++) {
        const char *path = scratch_path(folder, formats[k].file);
        OK(rc_quantizer_save_table(q, path, formats[k].format));
        const struct rci_bytes got = file_bytes(c, path), want = file_bytes(c, golden(k));
        assert_int_equal(got.size, want.size);
        assert_memory_equal(got.data, want.data, want.size);
        rci_release(got.data);
        rci_release(want.data);
    }
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
}

/* Scales of the weight called `name` in the quantized graph. */
static const float *weight_scales(const struct rc_graph *g, const char *name, int64_t *n)
{
    char text[64];
    snprintf(text, sizeof(text), "%s_scale", name);
    const rci_id v = rci_graph_find_value(g, text);
    assert_true(v != RC_NONE);
    *n = rci_shape_count(&g->values[v].tensor.shape);
    return g->values[v].tensor.data;
}

static void check_weights(const rc_quantizer *q, uint32_t k)
{
    static const char *const weights[3] = {"stem.w", "proj.w", "head.w"};
    static const float own[3][2] = {
        {0.5f / 127, 0.25f / 127}, {1.0f / 127, 2.0f / 127}, {1.5f / 127}};
    struct rc_graph *out;
    OK(rci_quantizer_apply(&out, q));
    for (int i = 0; i < 3; i++) {
        int64_t n;
        const bool given = formats[k].scale[0][0] > 0;
        const float *want = given ? formats[k].scale[i] : own[i];
        const float *scale = weight_scales(out, weights[i], &n);
        for (int64_t o = 0; o < n; o++)
            assert_true(fabsf(scale[o] / want[o] - 1) < 2e-5f);
    }
    rc_graph_free(&out);
}

static void every_format_reads_what_it_wrote(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder();
    for (uint32_t k = 0; k < N_FORMATS; k++) {
        rc_quantizer *q = fresh(g);
        OK(rc_quantizer_load_table(q, golden(k), formats[k].format));
        for (uint64_t i = 0; i < 4; i++) {
            rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
            OK(rc_quantizer_get_entry(q, i, &e));
            const double want = thresholds[i] * formats[k].factor[i];
            assert_true(fabs(e.amax - want) <= 1e-6 * want);
            assert_true(e.is_signed == (i == 0 || i == 2));
        }
        check_weights(q, k);
        const char *path = scratch_path(folder, formats[k].file);
        OK(rc_quantizer_save_table(q, path, formats[k].format));
        const struct rci_bytes once = file_bytes(c, path);
        OK(rc_quantizer_load_table(q, path, formats[k].format));
        OK(rc_quantizer_save_table(q, path, formats[k].format));
        const struct rci_bytes twice = file_bytes(c, path);
        assert_int_equal(once.size, twice.size);
        assert_memory_equal(once.data, twice.data, twice.size);
        rci_release(once.data);
        rci_release(twice.data);
        rc_quantizer_free(&q);
    }
    rc_graph_free(&g);
    scratch_remove(folder);
}

static void values_that_a_table_leaves_out_stay_real(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c), *out;
    rc_quantizer *q = fresh(g);
    OK(rc_quantizer_load_table(q, golden(3), "ncnn"));
    OK(rc_quantizer_apply(&out, q));
    assert_true(rci_graph_find_value(out, "act_output_0_quantized") != RC_NONE);
    assert_true(rci_graph_find_value(out, "proj_output_0_quantized") == RC_NONE);
    rc_graph_free(&out);
    /* a table that names all brings it back */
    load_thresholds(q);
    OK(rc_quantizer_apply(&out, q));
    assert_true(rci_graph_find_value(out, "proj_output_0_quantized") != RC_NONE);
    rc_graph_free(&out);
    rc_quantizer_free(&q);
    rc_graph_free(&g);
}

static void ncnn_leaves_lines_with_a_hash_real(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c), *out;
    const char *folder = scratch_folder();
    static const char text[] = "stem_param_0 62 124 \n#proj_param_0 127 63.5\nhead_param_0 84\n"
                               "stem 63.5 \n#proj 31\nhead 21\n\nwhatever comes behind\n";
    rc_quantizer *q = fresh(g);
    OK(rc_quantizer_load_table(q, scratch_write(folder, "t", text, sizeof(text) - 1), "ncnn"));
    OK(rc_quantizer_apply(&out, q));
    assert_true(rci_graph_find_value(out, "x_quantized") != RC_NONE);
    assert_true(rci_graph_find_value(out, "act_output_0_quantized") == RC_NONE);
    rc_graph_free(&out);
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
}

/* As its tools write them: numpy arrays in objects, older spellings, tensors of others. */
static void spellings_of_other_releases_are_read(void **state)
{
    struct rc_context *c = *state;
    static const struct {
        const char *format, *text;
    } good[] = {
        {"ort",
         "{\"CLS\": \"TensorsData\", \"calibration_method\": {\"CLS\": \"CalibrationMethod\"}, "
         "\"data\": {"
         "\"x\": {\"lowest\": {\"CLS\": \"numpy.array\", \"data\": -2.0, \"dtype\": "
         "\"float32\"}, \"highest\": {\"CLS\": \"numpy.array\", \"data\": [1.0], \"dtype\": "
         "\"float32\"}, \"CLS\": \"TensorData\"},"
         "\"act_output_0\": {\"lowest\": 0, \"highest\": 4, \"CLS\": \"TensorData\"},"
         "\"proj_output_0\": [-3.5, 1], \"act2_output_0\": [0, 6], \"other\": [0, 1]}}"},
        {"mnn",
         "{\"pipeline\": {\"version\": \"0.0.0\", \"algo\": [{\"type\": 0, \"quant_params\": "
         "{\"layer\": ["
         "{\"op_name\": \"stem\", \"weight\": [{\"bits\": 8, \"scales\": []}], "
         "\"input\": [{\"scales\": 0.015748031496062992, \"zero_point\": 0}]},"
         "{\"op_name\": \"proj\", \"input\": [{\"scales\": [0.031496062992125984]}], "
         "\"output\": [{\"scales\": [0.027559055118110236]}]},"
         "{\"op_name\": \"head\", \"input\": [{\"scales\": [0.047244094488188976]}]}"
         "]}}, {\"type\": \"PRUNE\"}]}}"},
        {"aimet-0.6.1",
         "{\"version\": \"0.6.1\", \"quantizer_args\": {}, \"activation_encodings\": {"
         "\"x\": [{\"bitwidth\": 8, \"dtype\": \"int\", \"offset\": -128, \"scale\": "
         "0.015748031496062992, \"is_symmetric\": \"True\"}], "
         "\"act_output_0\": [{\"bitwidth\": 8, \"dtype\": \"int\", \"offset\": 0, \"scale\": "
         "0.015686274509803921}], \"stem_output_0\": [{\"bitwidth\": 16, \"dtype\": \"float\"}], "
         "\"proj_output_0\": [{\"bitwidth\": 8, \"dtype\": \"int\", \"offset\": -100, \"scale\": "
         "0.022580645161290321}], \"act2_output_0\": [{\"bitwidth\": 8, \"dtype\": \"int\", "
         "\"offset\": 0, \"scale\": 0.023529411764705882}]}, \"param_encodings\": {\"stem.b\": "
         "[{\"bitwidth\": 32, \"dtype\": \"int\", \"offset\": 0, \"scale\": 1}]}}"},
        {"vitis",
         "{\"param\": {\"stem.w\": [8, 7], \"stem.b\": [8, 3]}, \"output\": {"
         "\"act_output_0\": [8, 5], \"proj_output_0\": [[8, 5]], \"act2_output_0\": [[8, 4]],"
         " \"stem_output_0\": [[null, null]]}, \"input\": {\"x\": [[8, 6]]}}"},
    };
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder();
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        rc_quantizer *q = fresh(g);
        const char *path = scratch_write(folder, "t", good[i].text, strlen(good[i].text));
        OK(rc_quantizer_load_table(q, path, good[i].format));
        const bool two = !strcmp(good[i].format, "vitis");
        const double fixed[4] = {127 / 64.0, 127 / 32.0, 127 / 32.0, 127 / 16.0};
        for (uint64_t k = 0; k < 4; k++) {
            rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
            OK(rc_quantizer_get_entry(q, k, &e));
            assert_true(fabs(e.amax - (two ? fixed[k] : thresholds[k])) < 1e-5);
        }
        rc_quantizer_free(&q);
    }
    rc_graph_free(&g);
    scratch_remove(folder);
}

static const struct {
    const char *format, *text;
    rc_status status;
    const char *message;
} bad[] = {
    {"tensorrt", "TRT-\nx: 3c010a14\n", RC_ERR_FORMAT, "does not start with"},
    {"tensorrt", "TRT-8601\nx: 3c010a14\n", RC_ERR_FORMAT, "does not start with"},
    {"tensorrt", "TRT-x-MinMax\nx: 3c010a14\n", RC_ERR_FORMAT, "does not start with"},
    {"tensorrt", "TRT-1-MinMax\nx: 3c010a1g\n", RC_ERR_FORMAT, "line 2"},
    {"tensorrt", "TRT-1-MinMax\nx: 7fc00000\n", RC_ERR_FORMAT, "of \"x\""},
    {"tensorrt", "TRT-1-MinMax\nx: 3c010a14\n", RC_ERR_MODEL, "\"act_output_0\" is missing"},
    {"ort", "[1]", RC_ERR_FORMAT, "the table"},
    {"ort", "{\"x\": [-1, 2]", RC_ERR_FORMAT, "JSON"},
    {"ort", "{\"x\": [-1, NaN]}", RC_ERR_FORMAT, "JSON"},
    {"ort", "{\"x\": [2, -1]}", RC_ERR_FORMAT, "\"x\" is not a range"},
    {"ort", "{\"x\": [-1, 1e300]}", RC_ERR_FORMAT, "\"x\" is not a range"},
    {"ort", "{\"x\": [1]}", RC_ERR_FORMAT, "\"x\" is not a range"},
    {"ort", "{\"x\": [1, \"2\"]}", RC_ERR_FORMAT, "\"x\" has a text"},
    {"ort", "{\"x\": {\"lowest\": 0}}", RC_ERR_FORMAT, "\"x\" has no number"},
    {"ort", "{\"CLS\": \"TensorsData\"}", RC_ERR_FORMAT, "no \"data\""},
    {"ort", "{\"a\": [0, 1], \"b\": [0, 1]}", RC_ERR_MODEL, "\"x\" is missing"},
    {"ncnn", "conv1_param_0 1\nconv1 1\n", RC_ERR_MODEL, "\"conv1_param_0\" is not a layer"},
    {"ncnn", "stem_param_0 62 124 9\n", RC_ERR_MODEL, "\"stem_param_0\" has more scales"},
    {"ncnn", "proj_param_0 62 nan\n", RC_ERR_FORMAT, "\"proj_param_0\": scale 1 is nan"},
    {"ncnn", "proj_param_0 62 -1\n", RC_ERR_FORMAT, "\"proj_param_0\": scale 1 is -1"},
    {"ncnn", "proj_param_0 62 x\n", RC_ERR_FORMAT, "\"proj_param_0\": scale 1 is not a number"},
    {"ncnn", "stem_param_0 62 124\nstem 0\n", RC_ERR_FORMAT, "\"stem\": the scale is 0"},
    {"ncnn", "stem_param_0 62 124\nstem 1 2\n", RC_ERR_FORMAT, "\"stem\" needs one number"},
    {"ncnn", "stem_param_0 62 124\nproj_param_0 127 63\nstem 63\n", RC_ERR_FORMAT,
     "layer \"proj\" has scales of its weights and none of its input: the table is cut off"},
    {"ncnn", "", RC_ERR_MODEL, "names none of the 4 values"},
    {"mnn", "{}", RC_ERR_FORMAT, "needs \"version\""},
    {"mnn", "{\"version\": \"beta\", \"algo\": []}", RC_ERR_FORMAT, "the version is \"beta\""},
    {"mnn", "{\"version\": \"1.2\", \"algo\": [{\"type\": \"QUANTIZE\"}]}", RC_ERR_FORMAT,
     "\"quantParams\""},
    {"mnn", "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{}]}}]}", RC_ERR_FORMAT,
     "no \"opName\""},
    {"mnn",
     "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{\"opName\": \"z\"}]}}]}",
     RC_ERR_MODEL, "\"z\" is not a layer"},
    {"mnn",
     "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{\"opName\": \"stem\", "
     "\"input\": [{\"bits\": 4, \"scales\": [1]}]}]}}]}",
     RC_ERR_FORMAT, "\"stem\" has 4 bits, must be 8"},
    {"mnn",
     "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{\"opName\": \"stem\", "
     "\"input\": [{\"scales\": [1], \"zeroPoint\": 3}]}]}}]}",
     RC_ERR_UNSUPPORTED, "\"stem\": the zero point is 3"},
    {"mnn",
     "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{\"opName\": \"stem\", "
     "\"weight\": [{\"scales\": [1, 0]}]}]}}]}",
     RC_ERR_FORMAT, "\"stem\": scale 1 of its weights is 0"},
    {"mnn",
     "{\"version\": \"1\", \"algo\": [{\"quantParams\": {\"layer\": [{\"opName\": \"stem\", "
     "\"weight\": [{\"asymmetric\": true}]}]}}]}",
     RC_ERR_UNSUPPORTED, "\"stem\": weights are asymmetric"},
    {"aimet-0.6.1", "{\"version\": \"1.0.0\"}", RC_ERR_FORMAT, "\"version\" is \"1.0.0\""},
    {"aimet-1.0.0", "{\"version\": \"0.6.1\"}", RC_ERR_FORMAT, "must be \"1.0.0\""},
    {"aimet-0.6.1", "{\"version\": \"0.6.1\"}", RC_ERR_FORMAT, "no \"activation_encodings\""},
    {"aimet-0.6.1",
     "{\"version\": \"0.6.1\", \"activation_encodings\": {\"x\": [{\"dtype\": \"int\", "
     "\"bitwidth\": 16, \"scale\": 1, \"offset\": 0}]}, \"param_encodings\": {}}",
     RC_ERR_FORMAT, "\"x\" has 16 bits"},
    {"aimet-0.6.1",
     "{\"version\": \"0.6.1\", \"activation_encodings\": {\"x\": [{\"dtype\": \"int\", "
     "\"bitwidth\": 8, \"scale\": 1, \"offset\": 3}]}, \"param_encodings\": {}}",
     RC_ERR_FORMAT, "\"x\": the offset is 3"},
    {"aimet-0.6.1",
     "{\"version\": \"0.6.1\", \"activation_encodings\": {\"x\": [{\"dtype\": \"int\", "
     "\"bitwidth\": 8, \"scale\": 0, \"offset\": 0}]}, \"param_encodings\": {}}",
     RC_ERR_FORMAT, "\"x\": the threshold is 0"},
    {"aimet-0.6.1",
     "{\"version\": \"0.6.1\", \"activation_encodings\": {\"zz\": []}, "
     "\"param_encodings\": {}}",
     RC_ERR_FORMAT, "\"zz\" is not a list"},
    {"aimet-0.6.1",
     "{\"version\": \"0.6.1\", \"activation_encodings\": {}, \"param_encodings\": {}}",
     RC_ERR_MODEL, "names none of the 4 values"},
    {"aimet-1.0.0",
     "{\"version\": \"1.0.0\", \"activation_encodings\": [], \"param_encodings\": [{\"name\": "
     "\"stem.w\", \"dtype\": \"INT\", \"bw\": 8, \"enc_type\": \"PER_CHANNEL\", \"scale\": [1, 1, "
     "1],"
     " \"offset\": [-128, -128, -128]}]}",
     RC_ERR_MODEL, "\"stem\" has 3 scales of weights"},
    {"aimet-1.0.0",
     "{\"version\": \"1.0.0\", \"activation_encodings\": [], \"param_encodings\": [{\"name\": "
     "\"stem.w\", \"dtype\": \"INT\", \"bw\": 8, \"enc_type\": \"PER_TENSOR\", \"scale\": [1], "
     "\"offset\": [-100]}]}",
     RC_ERR_UNSUPPORTED, "\"stem.w\": the offset is -100"},
    {"aimet-1.0.0",
     "{\"version\": \"1.0.0\", \"activation_encodings\": [{\"name\": \"x\", \"dtype\": \"INT\", "
     "\"bw\": 8, \"enc_type\": \"LPBQ\", \"scale\": [1], \"offset\": [0]}], \"param_encodings\": "
     "[]}",
     RC_ERR_UNSUPPORTED, "\"x\": enc_type is \"LPBQ\""},
    {"vitis", "{\"param\": {}, \"output\": {}}", RC_ERR_FORMAT, "no \"input\""},
    {"vitis", "{\"param\": {\"stem.w\": [[4, 3]]}, \"output\": {}, \"input\": {}}", RC_ERR_FORMAT,
     "\"stem.w\" has 4 bits"},
    {"vitis", "{\"param\": {\"stem.w\": [[8, 199]]}, \"output\": {}, \"input\": {}}", RC_ERR_FORMAT,
     "\"stem.w\": the position is 199"},
    {"vitis", "{\"param\": {}, \"output\": {}, \"input\": {\"x\": [[8, 1.5]]}}", RC_ERR_FORMAT,
     "\"x\": the position is 1.5"},
    {"vitis", "{\"param\": {}, \"output\": {}, \"input\": {\"x\": [[8]]}}", RC_ERR_FORMAT,
     "\"x\" is not [bits, position]"},
    {"vitis", "{\"param\": {}, \"output\": {}, \"input\": {\"x\": [[8, 6]]}}", RC_ERR_MODEL,
     "\"act_output_0\" is missing"},
    {"mlu", "{\"format\": \"mlu\"}", RC_ERR_FORMAT, "must be \"mlu.quantized_param\""},
    {"mlu", "{\"format\": \"mlu.quantized_param\", \"version\": 2}", RC_ERR_FORMAT, "version"},
    {"mlu",
     "{\"format\": \"mlu.quantized_param\", \"version\": 1, \"activations\": {\"zz\": {}}, "
     "\"weights\": {}}",
     RC_ERR_MODEL, "\"zz\" is not a value"},
    {"mlu",
     "{\"format\": \"mlu.quantized_param\", \"version\": 1, \"activations\": {\"x\": {\"bits\": 8, "
     "\"position\": -5, \"scale\": 0}}, \"weights\": {}}",
     RC_ERR_FORMAT, "\"x\": the scale is 0"},
    {"mlu",
     "{\"format\": \"mlu.quantized_param\", \"version\": 1, \"activations\": {\"x\": {\"bits\": 8, "
     "\"position\": 0.5, \"scale\": 1}}, \"weights\": {}}",
     RC_ERR_FORMAT, "\"x\": the position is 0.5"},
    {"mlu",
     "{\"format\": \"mlu.quantized_param\", \"version\": 1, \"activations\": {\"x\": {\"bits\": 3, "
     "\"position\": 0, \"scale\": 1}}, \"weights\": {}}",
     RC_ERR_FORMAT, "\"x\" has 3 bits"},
    {"mlu",
     "{\"format\": \"mlu.quantized_param\", \"version\": 1, \"activations\": {}, "
     "\"weights\": {\"stem.w\": {\"bits\": 8, \"position\": [0, 0], \"scale\": [1]}}}",
     RC_ERR_FORMAT, "\"stem.w\" has 2 positions and 1 scales"},
};

static void bad_tables_are_refused_and_change_nothing(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder(), *path;
    rc_quantizer *q = fresh(g);
    load_thresholds(q);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        path = scratch_write(folder, "table", bad[i].text, strlen(bad[i].text));
        REFUSED(rc_quantizer_load_table(q, path, bad[i].format), bad[i].status, bad[i].message);
        assert_non_null(strstr(rc_last_error(), "/table: "));
    }
    path = scratch_path(folder, "still.json");
    OK(rc_quantizer_save_table(q, path, NULL));
    const struct rci_bytes got = file_bytes(c, path), want = file_bytes(c, golden(0));
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
    rci_release(got.data);
    rci_release(want.data);
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
}

/* Every cut of every golden file is an error or the whole table, never half of one. */
static void cut_off_tables_are_refused(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder();
    for (uint32_t k = 0; k < N_FORMATS; k++) {
        const struct rci_bytes whole = file_bytes(c, golden(k));
        for (size_t n = 0; n + 1 < whole.size; n += 7) {
            rc_quantizer *q = fresh(g);
            struct rc_graph *out;
            const char *path = scratch_write(folder, "cut", whole.data, n);
            const rc_status st = rc_quantizer_load_table(q, path, formats[k].format);
            if (st != RC_OK) { /* nothing was taken */
                REFUSED(rc_quantizer_apply(&out, q), RC_ERR_STATE, "not calibrated");
            } else { /* a number at the end of a line may be cut short */
                const bool lines =
                    !strcmp(formats[k].format, "ncnn") || !strcmp(formats[k].format, "tensorrt");
                assert_true(lines && n > whole.size - 12);
            }
            rc_quantizer_free(&q);
        }
        rci_release(whole.data);
    }
    rc_graph_free(&g);
    scratch_remove(folder);
}

static void names_that_a_format_cannot_hold_are_refused(void **state)
{
    struct rc_context *c = *state;
    struct rc_graph *g = quant_two_adds(c);
    const char *folder = scratch_folder(), *path = scratch_path(folder, "t");
    rci_release(g->nodes[0].name);
    g->nodes[0].name = rci_strdup(c, "two words");
    rc_quantizer *q = fresh(g);
    load_thresholds(q);
    REFUSED(rc_quantizer_save_table(q, path, "ncnn"), RC_ERR_UNSUPPORTED, "\"two words\"");
    struct rci_bytes none;
    REFUSED(rci_file_read(c, path, 10, &none), RC_ERR_PATH, "t");
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_format_writes_its_golden_file),
        TEST(every_format_reads_what_it_wrote),
        TEST(values_that_a_table_leaves_out_stay_real),
        TEST(ncnn_leaves_lines_with_a_hash_real),
        TEST(spellings_of_other_releases_are_read),
        TEST(bad_tables_are_refused_and_change_nothing),
        TEST(cut_off_tables_are_refused),
        TEST(names_that_a_format_cannot_hold_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
