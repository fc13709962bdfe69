/**
 * @file rescomp/quantize.h
 * INT8 post-training quantization: calibrate ranges on images, write them into the graph as
 * QuantizeLinear and DequantizeLinear nodes. A session runs those nodes on integers.
 *
 * Place in the pipeline:  graph -> (pruner, trainer) -> [quantizer] -> graph -> session, save
 */
#ifndef RESCOMP_QUANTIZE_H
#define RESCOMP_QUANTIZE_H

#include <rescomp/dataset.h>
#include <rescomp/graph.h>
#include <rescomp/train.h>

RC_BEGIN

/** Opaque. Works on its own folded copy of the graph. */
typedef struct rc_quantizer rc_quantizer;

/** One scale per weight tensor instead of one per output channel. */
#define RC_QUANTIZE_PER_TENSOR UINT64_C(1)
/** 7-bit weights, whose products saturate nowhere: for runtimes that pair weights in other ways
 *  than those of x86 do, see RC_QUANTIZE_FULL_RANGE. */
#define RC_QUANTIZE_REDUCE_RANGE UINT64_C(2)
/** Never correct biases. Without it a correction is kept only if it brings the outputs on the
 *  calibration images closer to those of the float graph. */
#define RC_QUANTIZE_NO_BIAS_CORRECTION UINT64_C(4)
/** Leave biases as f32 constants instead of int32 at scale s_x * s_w. */
#define RC_QUANTIZE_FLOAT_BIAS UINT64_C(8)
/** Quantize only the shortcut of a residual Add; the other operand is summed unrounded inside its
 *  convolution. More accurate; runtimes that want both operands quantized run that Add as f32. */
#define RC_QUANTIZE_SINGLE_RESIDUAL UINT64_C(16)
/** Take the first images of the data set in their order instead of a seeded random choice. */
#define RC_QUANTIZE_IN_ORDER UINT64_C(32)
/** Make the trainable form: weights stay f32 behind QuantizeLinear and DequantizeLinear; after
 *  training, rc_quantizer_finish() makes the exported form. */
#define RC_QUANTIZE_QAT UINT64_C(64)
/** Round weights to the nearest of -127..127. Without it no pair of neighbouring weights adds up
 *  beyond 128 in magnitude: 8-bit products of x86 processors without VNNI saturate where one does.
 *  Integers that would be unsafe, and those beside them, are chosen by least error of the output on
 *  the calibration images (from a table: by least error of the weights). */
#define RC_QUANTIZE_FULL_RANGE UINT64_C(128)

/** The first and the last layers take weight_bits and activation_bits like all others; without it
 *  they have 8 of both, for they are small and lose most. */
#define RC_QUANTIZE_SAME_EDGES UINT64_C(256)
/** All activations are s8, also those that are never negative. */
#define RC_QUANTIZE_SIGNED UINT64_C(512)
/** Scales of activations and weights are powers of two: the next one that clips nothing more. */
#define RC_QUANTIZE_POWER_OF_TWO UINT64_C(1024)

/** Zero means "default" for every member. */
typedef struct rc_quantize_options {
    size_t size;          /**< sizeof(rc_quantize_options), set by the INIT macro. */
    const char *observer; /**< "minmax", "ema", "percentile:p=99.99", "entropy", "mse";
                               NULL: "mse". */
    uint64_t images;      /**< Images to calibrate on; 0: 512. */
    uint64_t batch;       /**< Images per step; 0: 64, less when activations are large. */
    uint64_t weight_bits; /**< Range 2..8; 0: 8. Fewer bits coarsen the grid that weights lie on;
                               ONNX files and memory still take 8 per weight, and no kernel gets
                               faster. First and last layers: see RC_QUANTIZE_SAME_EDGES. [bits] */
    uint64_t flags;       /**< RC_QUANTIZE_*; 0: none. */
    const char *tensorrt; /**< Release of TensorRT that its table is written for, as in "10.3.0":
                               TensorRT ignores a cache of another one. From 2 to 10, later ones
                               have no caches; NULL: "8.6.1". */
    uint64_t activation_bits;     /**< Of what layers with weights read, range 2..8; 0: 8. Integers
                                       stay u8 and s8, cut to fewer by a Clip behind QuantizeLinear.
                                       What only sums and means read has 8. [bits] */
    const char *const *overrides; /**< "PATTERN:weights=B,acts=B", either of both: bits of the
                                       layers whose name or weight's name matches ('*' and '?'
                                       match anything). Of several the last counts. */
    uint64_t override_count;      /**< Entries of overrides. */
    const char *const *skip;      /**< Patterns of layers and residual Adds that stay f32. */
    uint64_t skip_count;          /**< Entries of skip. */
    const char *target;           /**< A method of kind "target": adds flags and names the format of
                                       tables, see docs/methods/quantization.md. NULL: "cpu". */
    const char *rounding;         /**< How weights become integers: "nearest", "gptq", "gptq+"
                                       (rescomp/method.h); NULL: "nearest". Others than "nearest"
                                       need images, and write biases that take the mean error away.
                                   */
    const char *qat;              /**< A method of kind "qat": make the trainable form by it instead
                                       of RC_QUANTIZE_QAT's. It starts from what calibration and
                                       rounding found; rc_quantizer_attach() it to the trainer.
                                       NULL: none. */
    const char *norm; /**< With qat, batch normalization in training: "batch", put behind
                           every convolution, with the statistics of each batch;
                           "frozen", the same with fixed statistics, to be trained with
                           RC_TRAIN_FREEZE_BN; "folded", none. NULL: "batch". */
} rc_quantize_options;

#define RC_QUANTIZE_OPTIONS_INIT                                                 \
    {                                                                            \
        sizeof(rc_quantize_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/**
 * Copy and fold @p graph and decide which values become integers.
 *
 * Quantized are the inputs of Conv, Gemm and MatMul with constant weights, both operands of
 * residual Adds and what follows them, what is averaged to one of these, and all operands of a
 * Concat that gives one. Sessions run all of it on integers, MatMul where it is a matrix
 * **[N, C]** times constants **[C, O]**. Activations get one scale per tensor, u8 behind a Relu and
 * s8 otherwise, zero point 0; weights are symmetric s8. A graph that is quantized already is first
 * taken back to reals, its weights to what their integers stand for.
 *
 * @param[out] out     New quantizer; NULL on failure. Release with rc_quantizer_free().
 * @param[in]  graph   Read during the call only.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG a NULL pointer, unknown observer, value out of range or a pattern
 *         without a match; RC_ERR_MODEL the graph has nothing to quantize; RC_ERR_UNSUPPORTED it
 *         has inputs of integers; RC_ERR_ABI; RC_ERR_MEMORY.
 * Thread safety: the graph must not change during the call. @since 0.1
 */
RC_API rc_status rc_quantizer_new(rc_quantizer **out, const rc_graph *graph,
                                  const rc_quantize_options *options);

/** Release; accepts NULL, sets *quantizer to NULL. @since 0.1 */
RC_API void rc_quantizer_free(rc_quantizer **quantizer);

/**
 * Run the float graph on images and choose every range; then correct biases.
 *
 * @param[in] dataset Its images must have the shape of the graph's only input. Labels unused.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_DATA no images, or an activation is NaN or infinite (the
 *         message names it); RC_ERR_SHAPE; RC_ERR_CANCELLED; RC_ERR_MEMORY.
 * Cost: one forward pass over the images, with bias correction four.
 * Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021. @since 0.1
 */
RC_API rc_status rc_quantizer_calibrate(rc_quantizer *quantizer, const rc_dataset *dataset);

/**
 * Write the ranges and, where the format has them, the scales of weights as a table for another
 * program. Every file appears whole or not at all.
 *
 * @param[in] path   File to write.
 * @param[in] format Name of a method of kind "table-format" (rescomp/method.h): "json", this
 *                   library's own; "tensorrt", TensorRT's calibration cache, for the release that
 *                   rc_quantize_options.tensorrt names; "ort", "ncnn", "mnn", "aimet-0.6.1",
 *                   "aimet-1.0.0", "vitis", "mlu" (docs/formats.md). NULL: that of the target.
 * @return RC_OK; RC_ERR_ARG a NULL pointer or an unknown format; RC_ERR_STATE not calibrated;
 *         RC_ERR_UNSUPPORTED a name that the format cannot hold; RC_ERR_PATH, RC_ERR_IO;
 *         RC_ERR_MEMORY.
 * Cost: formats with scales of weights round all weights once. @since 0.1
 */
RC_API rc_status rc_quantizer_save_table(const rc_quantizer *quantizer, const char *path,
                                         const char *format);

/**
 * Take ranges from a table instead of calibrating, and scales of weights where it has them. Biases
 * are not corrected, and unsafe pairs of weights move by least error of the weights. A table that
 * is refused changes nothing.
 *
 * @param[in] format As for rc_quantizer_save_table(). "json" and "mlu" may name no tensor that the
 *                   graph does not quantize, "ncnn" and "mnn" no layer that it does not have; the
 *                   others also list others, which are skipped. "ncnn", "mnn" and AIMET's may leave
 *                   values out, which stay f32; the others may not. Scales of 0, as TensorRT writes
 *                   for values that were never calibrated, are refused where the graph quantizes
 *                   the tensor.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_PATH, RC_ERR_IO; RC_ERR_FORMAT not such a table, another
 *         version, other bits, or a scale that is not positive and finite; RC_ERR_MODEL a tensor is
 *         unknown or missing; RC_ERR_UNSUPPORTED asymmetric weights; RC_ERR_MEMORY. Messages name
 *         the file and the entry.
 * @since 0.1
 */
RC_API rc_status rc_quantizer_load_table(rc_quantizer *quantizer, const char *path,
                                         const char *format);

/**
 * Make the quantized graph: weights as s8 constants, QuantizeLinear and DequantizeLinear around
 * every integer value, opset 13 or later, metadata "rescomp.quantization".
 *
 * @param[out] out New graph; NULL on failure. Release with rc_graph_free().
 * @return RC_OK; RC_ERR_ARG; RC_ERR_STATE neither calibrated nor a table loaded; RC_ERR_MEMORY.
 * @since 0.1
 */
RC_API rc_status rc_quantizer_apply(rc_graph **out, rc_quantizer *quantizer);

/**
 * Let the quantizer act in a training run of the graph that rc_quantizer_apply() made with
 * rc_quantize_options.qat: steps stay positive, oscillating weights are frozen, thresholds decay,
 * and the rate is halved where the loss runs away, as the method's parameters say. A teacher may be
 * attached as well.
 *
 * @param[in] trainer Not run yet. The quantizer must outlive its run.
 * @return RC_OK; RC_ERR_ARG a NULL pointer, or the trainer's graph has no simulated integers;
 *         RC_ERR_STATE the quantizer has no qat method or is attached already, the trainer ran;
 *         RC_ERR_MEMORY.
 * @since 0.1
 */
RC_API rc_status rc_quantizer_attach(rc_quantizer *quantizer, rc_trainer *trainer);

/**
 * After training a graph made with RC_QUANTIZE_QAT or rc_quantize_options.qat: turn its weights
 * into s8 and its biases into int32 constants, as rc_quantizer_apply() does without that flag.
 * Scales stay as they were in training, except for channels whose weights have grown out of their
 * range.
 *
 * @param[out] out   New graph; NULL on failure. Release with rc_graph_free().
 * @param[in]  graph The trained graph; read only.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_MODEL not such a graph; RC_ERR_MEMORY. @since 0.1
 */
RC_API rc_status rc_quantizer_finish(rc_graph **out, const rc_graph *graph);

/** One quantized activation. Strings are borrowed from the quantizer. */
typedef struct rc_quantize_entry_info {
    size_t size;        /**< sizeof(rc_quantize_entry_info), set by the caller. */
    const char *name;   /**< Value name in the folded graph. */
    double low;         /**< Smallest value seen; low > high: from a table without ranges. */
    double high;        /**< Largest value seen. */
    double amax;        /**< Threshold: values beyond it are clipped. */
    double scale;       /**< Real value of one integer step. */
    uint64_t is_signed; /**< 0: u8 [0, 255]; 1: s8 [-128, 127]. */
} rc_quantize_entry_info;

#define RC_QUANTIZE_ENTRY_INFO_INIT                      \
    {                                                    \
        sizeof(rc_quantize_entry_info), 0, 0, 0, 0, 0, 0 \
    }

/** Number of calibrated values; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_quantizer_count_entries(const rc_quantizer *quantizer);
/** @return RC_OK; RC_ERR_ARG; RC_ERR_STATE not calibrated; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_quantizer_get_entry(const rc_quantizer *quantizer, uint64_t index,
                                        rc_quantize_entry_info *info);

RC_END
#endif
