/* Targets are data: flags and a format of tables, each with its reasons in the summary. */
#include "quant/target.h"

#include <rescomp/quantize.h>

const struct rci_quant_target rci_quant_target_cpu = {
    .m = {.name = "cpu",
          .summary =
              "x86 with and without VNNI: u8 activations, weights safe in pairs, widths in eights",
          .source = ""},
    .table = "json",
    .widths = 8,
};

const struct rci_quant_target rci_quant_target_vnni = {
    .m = {.name = "vnni",
          .summary = "x86 with VNNI: u8 activations, weights of the full range, widths in sixteens",
          .source = ""},
    .flags = RC_QUANTIZE_FULL_RANGE,
    .table = "json",
    .widths = 16,
};

const struct rci_quant_target rci_quant_target_any = {
    .m = {.name = "any",
          .summary = "any runtime: u8 activations, weights of 7 bits, which saturate nowhere",
          .source = ""},
    .flags = RC_QUANTIZE_REDUCE_RANGE,
    .table = "json",
    .widths = 8,
};

const struct rci_quant_target rci_quant_target_ort = {
    .m = {.name = "ort",
          .summary = "ONNX Runtime: u8 activations, both operands of sums, i32 biases",
          .source = "ONNX Runtime, Quantize ONNX models"},
    .table = "ort",
    .widths = 8,
};

const struct rci_quant_target rci_quant_target_openvino = {
    .m = {.name = "openvino",
          .summary = "OpenVINO: u8 activations, both operands of sums, f32 biases",
          .source = "OpenVINO, Quantized models compute and restrictions"},
    .flags = RC_QUANTIZE_FLOAT_BIAS,
    .table = "json",
    .widths = 8,
};

const struct rci_quant_target rci_quant_target_tensorrt = {
    .m = {.name = "tensorrt",
          .summary =
              "TensorRT: s8 activations, f32 biases, of a sum only the shortcut's operand, so "
              "that the convolution takes it in",
          .source = "NVIDIA, TensorRT Developer Guide, explicit quantization"},
    .flags = RC_QUANTIZE_SIGNED | RC_QUANTIZE_FULL_RANGE | RC_QUANTIZE_FLOAT_BIAS |
             RC_QUANTIZE_SINGLE_RESIDUAL,
    .table = "tensorrt",
    .widths = 32,
};

const struct rci_quant_target rci_quant_target_mobile = {
    .m = {.name = "mobile",
          .summary =
              "ARM engines: s8 activations, a scale for each output channel of weights, widths in "
              "eights",
          .source = "MNN, ncnn"},
    .flags = RC_QUANTIZE_SIGNED | RC_QUANTIZE_FULL_RANGE,
    .table = "mnn",
    .widths = 8,
};

const struct rci_quant_target rci_quant_target_fpga = {
    .m = {.name = "fpga",
          .summary =
              "fixed point: s8 activations, scales that are powers of two, one for a tensor, "
              "widths in sixteens",
          .source = "Vitis AI, DPU"},
    .flags = RC_QUANTIZE_SIGNED | RC_QUANTIZE_FULL_RANGE | RC_QUANTIZE_POWER_OF_TWO |
             RC_QUANTIZE_PER_TENSOR,
    .table = "vitis",
    .widths = 16,
};

const struct rci_quant_target rci_quant_target_mlu = {
    .m = {.name = "mlu",
          .summary = "Cambricon's MLU: s8 activations, positions and scales for each channel, f32 "
                     "biases",
          .source = "Cambricon, CNRT Developer Guide"},
    .flags = RC_QUANTIZE_SIGNED | RC_QUANTIZE_FULL_RANGE | RC_QUANTIZE_FLOAT_BIAS,
    .table = "mlu",
    .widths = 16,
};
