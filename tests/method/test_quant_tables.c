/* Calibration tables, written and read: our JSON and TensorRT's text. */
#include "files.h"
#include "nets.h"
#include "quantnets.h"

#include <math.h>

#include "io/onnx.h"

static const char zeros[] = "{\"format\":\"rescomp.calibration\",\"version\":1,\"tensors\":{"
                            "\"a: b (1)\":{\"type\":\"s8\",\"amax\":0},"
                            "\"r_output_0\":{\"type\":\"u8\",\"amax\":4}}}";

static struct rci_bytes bytes_of(rc_quantizer *q)
{
    struct rc_graph *g;
    struct rci_bytes b;
    OK(rc_quantizer_apply(&g, q));
    OK(rci_graph_set_metadata(g, "rescomp.quantization", NULL));
    OK(rci_onnx_save_memory(&b, g));
    rc_graph_free(&g);
    return b;
}

static void tables_give_back_the_same_graph(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 8, NET_ALL);
    struct source s = {0};
    rc_dataset *d = quant_dataset(c, &s, H, W);
    const char *folder = scratch_folder();
    /* a table has no images to correct biases or round weights by */
    rc_quantizer *q =
        quant_new(g, "entropy", RC_QUANTIZE_NO_BIAS_CORRECTION | RC_QUANTIZE_FULL_RANGE);
    const char *path = scratch_path(folder, "table");
    REFUSED(rc_quantizer_save_table(q, path, "json"), RC_ERR_STATE, "not calibrated");
    OK(rc_quantizer_calibrate(q, d));
    const struct rci_bytes want = bytes_of(q);
    for (int k = 0; k < 2; k++) {
        const char *format = k ? "tensorrt" : "json";
        rc_quantizer *r = quant_new(g, "minmax", RC_QUANTIZE_FULL_RANGE);
        OK(rc_quantizer_save_table(q, path, format));
        OK(rc_quantizer_load_table(r, path, format));
        const struct rci_bytes got = bytes_of(r);
        assert_int_equal(got.size, want.size);
        if (!k) /* TensorRT's keeps amax / 127 in f32 */
            assert_memory_equal(got.data, want.data, want.size);
        rci_release(got.data);
        for (uint64_t i = 0; i < rc_quantizer_count_entries(q); i++) {
            rc_quantize_entry_info a = RC_QUANTIZE_ENTRY_INFO_INIT, b = RC_QUANTIZE_ENTRY_INFO_INIT;
            OK(rc_quantizer_get_entry(q, i, &a));
            OK(rc_quantizer_get_entry(r, i, &b));
            assert_true(fabs(a.scale / b.scale - 1) < 3e-7 && a.is_signed == b.is_signed);
        }
        rc_quantizer_free(&r);
    }
    rci_release(want.data);
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    rc_graph_free(&g);
    scratch_remove(folder);
    test_context_done(c);
}

static void read_trt(rc_quantizer *q, const char *folder, const char *text, rc_status status,
                     const char *message)
{
    const char *path = scratch_write(folder, "cache", text, strlen(text));
    if (status == RC_OK)
        OK(rc_quantizer_load_table(q, path, "tensorrt"));
    else
        REFUSED(rc_quantizer_load_table(q, path, "tensorrt"), status, message);
}

static void tensorrt_caches_follow_their_rules(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = quant_two_convs(c, (float[]){1, 2}, (float[]){0, 1});
    const char *folder = scratch_folder();
    rc_quantizer *q = quant_new(g, "minmax", 0);
    rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
    read_trt(q, folder,
             "TRT-8601-EntropyCalibration2\r\na: b (1): 3C010a14\r\n"
             "(Unnamed Layer* 4) [Fully Connected]_output: 3c008912\nr_output_0: 3d000000",
             RC_OK, NULL);
    OK(rc_quantizer_get_entry(q, 0, &e));
    assert_true(fabs(e.amax - 127 * 0.0078759379) < 1e-6 && e.is_signed);
    OK(rc_quantizer_get_entry(q, 1, &e));
    assert_true(e.amax == 127 * 0.03125 && !e.is_signed);
    read_trt(q, folder, "TRT-101401-MinMaxCalibration\na: b (1): 1\nr_output_0: 3d000000\nz: 0\n",
             RC_OK, NULL); /* zeros of values that the graph does not quantize say nothing */
    OK(rc_quantizer_get_entry(q, 0, &e));
    assert_true(e.amax > 0);
    read_trt(q, folder, "TRT-1-MinMaxCalibration\na: b (1): 0\nr_output_0: 3d000000\n",
             RC_ERR_FORMAT, "line 2: the scale is 0, must be finite and above 0");
    read_trt(q, folder, "a: b (1): 3c010a14\n", RC_ERR_FORMAT, "TRT-");
    read_trt(q, folder, "", RC_ERR_FORMAT, "TRT-");
    read_trt(q, folder, "TRT-1-x\na: b (1): 7f800000\n", RC_ERR_FORMAT, "line 2: the scale is inf");
    read_trt(q, folder, "TRT-1-x\na: b (1): bc010a14\n", RC_ERR_FORMAT, "line 2: the scale is -");
    read_trt(q, folder, "TRT-1-x\na: b (1): 123456789\n", RC_ERR_FORMAT, "line 2 is not");
    read_trt(q, folder, "TRT-1-x\nhello\n", RC_ERR_FORMAT, "line 2 is not \"name: hex\"");
    read_trt(q, folder, "TRT-1-x\nother: 3c010a14\n", RC_ERR_MODEL,
             "value \"a: b (1)\" is missing");
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
    test_context_done(c);
}

/* The first line of a cache written for TensorRT `release` by `observer`. */
static void header_is(const struct rc_graph *g, const char *observer, const char *release,
                      const char *want)
{
    struct rc_context *c = g->ctx;
    const char *folder = scratch_folder();
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_quantizer *q;
    struct rci_bytes file;
    o.observer = observer;
    o.tensorrt = release;
    OK(rc_quantizer_new(&q, g, &o));
    const char *path = scratch_path(folder, "cache");
    const char *table = scratch_write(folder, "t.json", zeros, strlen(zeros));
    OK(rc_quantizer_load_table(q, table, "json"));
    OK(rc_quantizer_save_table(q, path, "tensorrt"));
    OK(rci_file_read(c, path, 4096, &file));
    assert_true(file.size > strlen(want) && !memcmp(file.data, want, strlen(want)));
    rci_release(file.data);
    /* a value that was always 0 has a positive scale, so what is written can be read */
    OK(rc_quantizer_load_table(q, path, "tensorrt"));
    rc_quantizer_free(&q);
    scratch_remove(folder);
}

static void tensorrt_caches_are_written_for_the_release_asked_for(void **state)
{
    (void) state;
    static const char *const bad[] = {"11.0.0", "1.9.9", "8",  "8.6", "8.6.1.2",
                                      "8.10.0", "8.6.x", "v8", "",    "10.3.100"};
    struct rc_context *c = test_context();
    struct rc_graph *g = quant_two_convs(c, (float[]){1, 2}, (float[]){0, 1});
    header_is(g, "mse", NULL, "TRT-8601-MinMaxCalibration\n");
    header_is(g, "entropy", "8.2.5", "TRT-8205-EntropyCalibration2\n");
    header_is(g, "minmax", "7.1.3", "TRT-7103-MinMaxCalibration\n");
    header_is(g, "minmax", "10.14.1", "TRT-101401-MinMaxCalibration\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        rc_quantizer *q;
        o.tensorrt = bad[i];
        REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "no calibration caches");
    }
    rc_graph_free(&g);
    test_context_done(c);
}

static void json_tables_are_checked(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        rc_status status;
        const char *message;
    } bad[] = {
        {"{", RC_ERR_FORMAT, "json"},
        {"[]", RC_ERR_FORMAT, "the table"},
        {"{\"format\":\"x\"}", RC_ERR_FORMAT, "\"format\" is \"x\""},
        {"{\"format\":\"rescomp.calibration\",\"version\":2}", RC_ERR_FORMAT, "version"},
        {"{\"format\":\"rescomp.calibration\"}", RC_ERR_FORMAT, "no \"tensors\""},
        {"{\"format\":\"rescomp.calibration\",\"tensors\":{\"zz\":{\"type\":\"u8\",\"amax\":1}}}",
         RC_ERR_MODEL, "\"zz\" is not a value"},
        {"{\"format\":\"rescomp.calibration\",\"tensors\":{\"r_output_0\":{\"type\":\"u8\"}}}",
         RC_ERR_FORMAT, "needs amax"},
        {"{\"format\":\"rescomp.calibration\",\"tensors\":{\"r_output_0\":{\"amax\":-1}}}",
         RC_ERR_FORMAT, "amax"},
        {"{\"format\":\"rescomp.calibration\",\"tensors\":{\"r_output_0\":{\"type\":\"u8\","
         "\"amax\":1}}}",
         RC_ERR_MODEL, "is missing"},
    };
    struct rc_context *c = test_context();
    struct rc_graph *g = quant_two_convs(c, (float[]){1, 2}, (float[]){0, 1});
    const char *folder = scratch_folder();
    rc_quantizer *q = quant_new(g, "minmax", 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *path = scratch_write(folder, "t.json", bad[i].text, strlen(bad[i].text));
        REFUSED(rc_quantizer_load_table(q, path, "json"), bad[i].status, bad[i].message);
    }
    REFUSED(rc_quantizer_load_table(q, scratch_path(folder, "none"), 0), RC_ERR_PATH, "none");
    struct rc_graph *out;
    REFUSED(rc_quantizer_apply(&out, q), RC_ERR_STATE, "not calibrated");
    assert_null(out);
    rc_quantizer_free(&q);
    rc_graph_free(&g);
    scratch_remove(folder);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_give_back_the_same_graph),
        cmocka_unit_test(tensorrt_caches_follow_their_rules),
        cmocka_unit_test(tensorrt_caches_are_written_for_the_release_asked_for),
        cmocka_unit_test(json_tables_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
