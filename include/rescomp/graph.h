/**
 * @file rescomp/graph.h
 * Models: load from and save to ONNX, look inside, transform.
 */
#ifndef RESCOMP_GRAPH_H
#define RESCOMP_GRAPH_H

#include <rescomp/base.h>

RC_BEGIN

/** Opaque. A model: nodes, values, weights. Owned by whoever received it. */
typedef struct rc_graph rc_graph;

/**
 * Load an ONNX file (opset 1 to 25).
 *
 * @param[out] out     New graph; NULL on failure. Release with rc_graph_free().
 * @param[in]  context Must outlive the graph.
 * @param[in]  path    A regular file of at most the context's max_file_bytes.
 * @return RC_OK; RC_ERR_PATH, RC_ERR_IO; RC_ERR_FORMAT or RC_ERR_TRUNCATED not ONNX;
 *         RC_ERR_UNSUPPORTED lists every operator that cannot be imported; RC_ERR_MODEL,
 *         RC_ERR_LIMIT, RC_ERR_MEMORY.
 * Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_graph_load(rc_graph **out, rc_context *context, const char *path);

/** The same from memory; @p data is read during the call only. Thread safety: any thread.
 *  @return As rc_graph_load(), without RC_ERR_PATH and RC_ERR_IO. @since 0.1 */
RC_API rc_status rc_graph_load_memory(rc_graph **out, rc_context *context, const void *data,
                                      size_t size);

/** How a model is read. Zero means default for every member. */
typedef struct rc_graph_load_options {
    size_t size;                     /**< sizeof(rc_graph_load_options), set by the INIT macro. */
    const char *const *input_shapes; /**< Shapes of inputs as **[NAME=]N,3,224,224**: numbers take
                                          the place of what the model says, a word leaves its axis
                                          as it is. Models with open height and width need it.
                                          Without NAME: the first input, the only entry then. */
    uint64_t input_shape_count;      /**< Entries of input_shapes, 0..1024. */
    const void *data;                /**< The model in memory, instead of a path. */
    uint64_t data_size;              /**< Bytes at data. [bytes] */
    uint64_t flags;                  /**< RC_LOAD_*; 0: none. */
} rc_graph_load_options;

/** Run the model as it is in the file and again after each step of importing it, by plain operators
 *  on random inputs: RC_ERR_STATE names the step and the first value that differs. What later
 *  rewrites the graph or a copy of it (fusing, sessions, quantizing ...) is compared likewise, but
 *  for steps that round. Slow for large models. */
#define RC_LOAD_CHECK UINT64_C(1)

#define RC_GRAPH_LOAD_OPTIONS_INIT { sizeof(rc_graph_load_options), 0, 0, 0, 0, 0 }

/**
 * Load an ONNX model with options.
 *
 * @param[in] path    A file, or NULL: options->data.
 * @param[in] options NULL for defaults.
 * @return What rc_graph_load() returns; RC_ERR_ARG also for a shape that is none or of no input;
 *         RC_ERR_SHAPE for one that does not fit; RC_ERR_ABI.
 * Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_graph_load_with(rc_graph **out, rc_context *context, const char *path,
                                    const rc_graph_load_options *options);

/** Write as ONNX, whole or not at all (temporary file, fsync, rename).
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_PATH, RC_ERR_IO; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_graph_save(const rc_graph *graph, const char *path);

/** How a graph is written. Zero means as it was read, for every member. */
typedef struct rc_graph_save_options {
    size_t size;         /**< sizeof(rc_graph_save_options), set by the INIT macro. */
    uint64_t opset;      /**< ONNX opset, 7..25. */
    const char *storage; /**< What weights are stored as: "f32", "f16" or "bf16" (half of the bytes,
                              rounded; a Cast behind each, so that all readers compute in f32). */
    const char *form;    /**< Of a quantized graph: "qdq", QuantizeLinear and DequantizeLinear
                              around operators on reals; "qoperator", operators on integers
                              (QLinearConv, and QGemm, QLinearAdd ... of ONNX Runtime's domain
                              com.microsoft) where there are, which rc_graph_load() reads as the
                              former. NULL: "qdq". */
    uint64_t flags;      /**< RC_SAVE_*; 0: none. */
} rc_graph_save_options;

/** Quantized weights whose values fit are written as INT4 or UINT4 (opset 21 and later), INT2 or
 *  UINT2 (opset 25), where they otherwise take a byte each. Without it, only those that were read
 *  so. */
#define RC_SAVE_NARROW UINT64_C(1)

#define RC_GRAPH_SAVE_OPTIONS_INIT { sizeof(rc_graph_save_options), 0, 0, 0, 0 }

/**
 * Write as ONNX with options.
 *
 * @param[in] options NULL for defaults.
 * @return What rc_graph_save() returns; RC_ERR_UNSUPPORTED names a node that the opset cannot
 *         express or a weight too large for its type; RC_ERR_ABI. @since 0.1
 */
RC_API rc_status rc_graph_save_with(const rc_graph *graph, const char *path,
                                    const rc_graph_save_options *options);

/** An independent copy. @return RC_OK; RC_ERR_ARG; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_graph_clone(rc_graph **out, const rc_graph *graph);

/** Release; accepts NULL, sets *graph to NULL. @since 0.1 */
RC_API void rc_graph_free(rc_graph **graph);

/** Totals of a graph, at batch 1. */
typedef struct rc_graph_info {
    size_t size;           /**< sizeof(rc_graph_info), set by the caller. */
    uint64_t nodes;        /**< Nodes. */
    uint64_t parameters;   /**< Elements of all weights. */
    uint64_t macs;         /**< Multiply-adds for one image. */
    uint64_t weight_bytes; /**< Bytes of all weights as stored. [bytes] */
    uint64_t inputs;       /**< Graph inputs. */
    uint64_t outputs;      /**< Graph outputs. */
    int64_t opset;         /**< ONNX opset version. */
    uint64_t dynamic_batch; /**< 1 when the batch size is free, else 0. */
} rc_graph_info;

#define RC_GRAPH_INFO_INIT { sizeof(rc_graph_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_graph_get_info(const rc_graph *graph, rc_graph_info *info);

/** One node, at batch 1. Strings are borrowed from the graph until it changes. */
typedef struct rc_node_info {
    size_t size;         /**< sizeof(rc_node_info), set by the caller. */
    const char *name;    /**< Node name. */
    const char *op;      /**< ONNX operator. */
    uint64_t rank;       /**< Of the first output. */
    int64_t shape[8];    /**< Of the first output. */
    uint64_t parameters; /**< Weight elements. */
    uint64_t macs;       /**< Multiply-adds. */
    uint64_t bytes;      /**< Weight bytes. [bytes] */
    const char *output;  /**< Name of the first output. */
    uint64_t operands;   /**< Operands, absent ones included. */
    uint64_t results;    /**< Outputs. */
} rc_node_info;

#define RC_NODE_INFO_INIT { sizeof(rc_node_info), 0, 0, 0, { 0 }, 0, 0, 0, 0, 0, 0 }

/** Node @p index in execution order. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_graph_get_node(const rc_graph *graph, uint64_t index, rc_node_info *info);

/** Name of operand @p operand of node @p index; "" when it is absent. Borrowed until the graph
 *  changes. @param[out] constant 1 for a weight or another constant, else 0; may be NULL.
 *  @return RC_OK; RC_ERR_ARG. @since 0.1 */
RC_API rc_status rc_graph_get_operand(const rc_graph *graph, uint64_t index, uint64_t operand,
                                      const char **name, uint64_t *constant);
/** Name of output @p result of node @p index; "" when nobody wants it. @return RC_OK; RC_ERR_ARG.
 *  @since 0.1 */
RC_API rc_status rc_graph_get_result(const rc_graph *graph, uint64_t index, uint64_t result,
                                     const char **name);

/** A constant by name: borrowed row-major data, valid until the graph changes.
 *  @param[out] data f32 elements; NULL when the value is not a f32 constant.
 *  @param[out] dims Room for 8 numbers. @param[out] rank Of the value.
 *  @return RC_OK; RC_ERR_ARG no such value. @since 0.1 */
RC_API rc_status rc_graph_get_weight(const rc_graph *graph, const char *name, const float **data,
                                     int64_t *dims, uint64_t *rank);

/** Metadata by key; *value is NULL when absent, borrowed otherwise. @since 0.1 */
RC_API rc_status rc_graph_get_metadata(const rc_graph *graph, const char *key, const char **value);
/** Set (or with NULL drop) metadata, written to the file's metadata_props. @since 0.1 */
RC_API rc_status rc_graph_set_metadata(rc_graph *graph, const char *key, const char *value);

/** Clean up: fold BatchNormalization, constants and padding into weights and windows, drop nodes
 *  without effect, merge equal nodes and reshapes in a row, cancel Transposes. What is computed and
 *  the interface stay. A graph loaded with RC_LOAD_CHECK is compared after every step.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_STATE a step of a checked graph changed what is computed, the
 *          message names it and the first value that differs; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_graph_fuse(rc_graph *graph);

/** What rc_graph_compare_stored() found. */
typedef struct rc_stored_result {
    size_t size;        /**< sizeof(rc_stored_result), set by the INIT macro. */
    double difference;  /**< The largest one, relative to the largest number of its output. */
    const char *output; /**< Name of that output. Borrowed from the graph. */
    uint64_t element;   /**< Which of its elements. */
    double stored;      /**< What is stored there. */
    double computed;    /**< What the graph gives there. */
    uint64_t compared;  /**< Elements compared, of all outputs. */
} rc_stored_result;

#define RC_STORED_RESULT_INIT { sizeof(rc_stored_result), 0, 0, 0, 0, 0, 0 }

/**
 * Compare with inputs and outputs that were stored for the model, by plain operators.
 *
 * @param[in] path      A folder with input_0, input_1 ... and output_0 ..., each .pb (ONNX's test
 *                      data sets) or .npy, in the order of the model's; or an .npz file of arrays
 *                      named as inputs and outputs. Any batch. Some outputs may be missing.
 * @param[in] tolerance Allowed difference, relative to the largest number of an output.
 *                      Range 0..; 0: 1e-4.
 * @param[out] result   Also filled when the difference is too large; may be NULL.
 * @return RC_OK; RC_ERR_STATE differs by more, the message names output, element and both numbers;
 *         RC_ERR_PATH, RC_ERR_IO, RC_ERR_FORMAT, RC_ERR_DATA files missing or no arrays;
 *         RC_ERR_SHAPE arrays of other types or shapes; RC_ERR_ARG; RC_ERR_ABI; RC_ERR_MEMORY.
 * Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_graph_compare_stored(const rc_graph *graph, const char *path, double tolerance,
                                         rc_stored_result *result);

/** Options of a standard network; zero means default. */
typedef struct rc_network_options {
    size_t size;       /**< sizeof(rc_network_options), set by the INIT macro. */
    uint64_t classes;  /**< 0: 10 for CIFAR networks, 1000 for ImageNet ones. */
    uint64_t channels; /**< Input channels; 0: 3. */
    uint64_t height;   /**< 0: 32 or 224. [pixels] */
    uint64_t width;    /**< 0: 32 or 224. [pixels] */
    double multiplier; /**< Channel width multiplier; 0: 1. */
    const char *shortcuts; /**< Where a block changes the shape: "A": pixels are skipped, channels
                                padded with zeros; "B": a 1x1 convolution. NULL: "A" for CIFAR
                                networks; ImageNet ones have "B" only. */
    uint64_t seed;     /**< Of the fresh weights. */
} rc_network_options;

#define RC_NETWORK_OPTIONS_INIT { sizeof(rc_network_options), 0, 0, 0, 0, 0, 0, 0 }

/**
 * A standard network with fresh weights (Kaiming-normal, fan out; BN scale 1).
 *
 * @param[in] architecture "resnet18" "resnet34" "resnet50" "resnet101" "resnet152" (ImageNet form),
 *            "resnet8" "resnet20" "resnet32" "resnet44" "resnet56" "resnet110" (CIFAR form).
 * @return RC_OK; RC_ERR_ARG unknown name (the message lists them) or value; RC_ERR_ABI;
 *         RC_ERR_MEMORY.
 * Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. @since 0.1
 */
RC_API rc_status rc_graph_new_network(rc_graph **out, rc_context *context,
                                         const char *architecture,
                                         const rc_network_options *options);

RC_END
#endif
