/* INT8: choose ranges on images, write them into the model, compare accuracy, size and latency.
 *
 *     07_quantize [MODEL.onnx [OUT.onnx [TABLE.json [KIND:PATH]]]] */
#include "images.h"

#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>

static rc_status quantize(rc_graph **out, const rc_graph *graph, rc_dataset *calib,
                          const char *table)
{
    rc_quantize_options options = RC_QUANTIZE_OPTIONS_INIT;
    options.images = 256;
    options.observer = "mse"; /* the threshold with the least squared error, per value */
    rc_quantizer *quantizer = NULL;
    rc_status status = rc_quantizer_new(&quantizer, graph, &options);
    if (status == RC_OK)
        status = rc_quantizer_calibrate(quantizer, calib); /* labels are not used */
    for (uint64_t i = 0; status == RC_OK && i < rc_quantizer_count_entries(quantizer); i++) {
        rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
        status = rc_quantizer_get_entry(quantizer, i, &e);
        if (status == RC_OK && i < 5)
            printf("  %-20s seen %7.3f .. %7.3f, clipped at %7.3f, %s\n", e.name, e.low, e.high,
                   e.amax, e.is_signed ? "s8" : "u8");
    }
    if (status == RC_OK && table) /* "tensorrt" writes its calibration cache */
        status = rc_quantizer_save_table(quantizer, table, "json");
    if (status == RC_OK)
        status = rc_quantizer_apply(out, quantizer);
    rc_quantizer_free(&quantizer);
    return status;
}

static rc_status print_model(const char *what, const rc_graph *graph, rc_dataset *test)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_evaluate_options options = RC_EVALUATE_OPTIONS_INIT;
    options.images = 1000;
    rc_evaluate_result result = RC_EVALUATE_RESULT_INIT;
    rc_status status = rc_graph_get_info(graph, &info);
    if (status == RC_OK)
        status = rc_evaluate(graph, test, &options, &result);
    if (status == RC_OK)
        printf("%-5s %7" PRIu64 " bytes of weights, top-1 %.2f, loss %.4f\n", what,
               info.weight_bytes, result.top1, result.loss);
    return status;
}

/* Both in one interleaved run, so that a machine that drifts slows both alike. */
static rc_status print_latency(rc_context *context, const rc_graph *fp32, const rc_graph *int8)
{
    rc_session *sessions[2] = {NULL, NULL};
    rc_latency latency[2] = {RC_LATENCY_INIT, RC_LATENCY_INIT};
    rc_latency_options options = RC_LATENCY_OPTIONS_INIT;
    options.seconds = 0.2;
    rc_status status = rc_session_new(&sessions[0], fp32, NULL);
    if (status == RC_OK)
        status = rc_session_new(&sessions[1], int8, NULL);
    if (status == RC_OK)
        status = rc_measure_latency(context, sessions, 2, &options, latency);
    if (status == RC_OK)
        printf("one image: fp32 %.3f ms, int8 %.3f ms\n", latency[0].median_ms,
               latency[1].median_ms);
    rc_session_free(&sessions[0]);
    rc_session_free(&sessions[1]);
    return status;
}

/* A few steps, so that there is something to lose. */
static rc_status make_model(rc_graph **out, rc_context *context, const char *spec)
{
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    network.channels = 1;
    network.height = network.width = 28;
    rc_train_options options = RC_TRAIN_OPTIONS_INIT;
    options.images = 2048;
    options.batch = 64;
    rc_dataset *train_set = NULL;
    rc_trainer *trainer = NULL;
    rc_status status = rc_graph_new_network(out, context, "resnet8", &network);
    if (status == RC_OK)
        status = open_images(&train_set, context, spec, "train");
    if (status == RC_OK)
        status = rc_trainer_new(&trainer, *out, train_set, &options);
    if (status == RC_OK)
        status = rc_trainer_run(trainer, NULL);
    rc_trainer_free(&trainer);
    rc_dataset_free(&train_set);
    return status;
}

int main(int argc, char **argv)
{
    const char *spec = argc > 4 ? argv[4] : NULL;
    rc_context *context = NULL;
    rc_graph *fp32 = NULL, *int8 = NULL;
    rc_dataset *calib = NULL, *test = NULL;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status =
            argc > 1 ? rc_graph_load(&fp32, context, argv[1]) : make_model(&fp32, context, spec);
    if (status == RC_OK)
        status = open_images(&calib, context, spec, "calib");
    if (status == RC_OK)
        status = open_images(&test, context, spec, "test");
    if (status == RC_OK)
        status = quantize(&int8, fp32, calib, argc > 3 ? argv[3] : NULL);
    if (status == RC_OK)
        status = print_model("fp32", fp32, test);
    if (status == RC_OK)
        status = print_model("int8", int8, test);
    if (status == RC_OK)
        status = print_latency(context, fp32, int8);
    if (status == RC_OK && argc > 2)
        status =
            rc_graph_save(int8, argv[2]); /* QuantizeLinear, DequantizeLinear: standard ONNX */
    if (status != RC_OK)
        fprintf(stderr, "07_quantize: %s\n", rc_last_error());
    rc_dataset_free(&test);
    rc_dataset_free(&calib);
    rc_graph_free(&int8);
    rc_graph_free(&fp32);
    rc_context_free(&context);
    return status != RC_OK;
}
