/**
 * @file rescomp/packed.h
 * The packed model file, .rcz: bit for bit the same model in fewer bytes. rc_graph_load(),
 * rc_graph_load_with() and rc_session_load() open it as they open ONNX files; layout:
 * docs/packed-file.md.
 */
#ifndef RESCOMP_PACKED_H
#define RESCOMP_PACKED_H

#include <rescomp/graph.h>

RC_BEGIN

/** How a model is packed. Zero means default for every member. */
typedef struct rc_pack_options {
    size_t size;         /**< sizeof(rc_pack_options), set by the INIT macro. */
    const char *coding;  /**< "auto": each weight by the coder that makes it shortest; "fields": as
                              bits of fixed width, codebooks, bitmaps, but no entropy coding of
                              weights; "raw": as in ONNX, large ones aligned to 64 bytes.
                              NULL: "auto". */
    uint64_t opset;      /**< ONNX opset of the graph inside, 7..25; 0: as it was read. */
    const char *storage; /**< As in rc_graph_save_options; NULL: as it was read. */
    uint64_t flags;      /**< RC_SAVE_*; 0: none. */
} rc_pack_options;

#define RC_PACK_OPTIONS_INIT { sizeof(rc_pack_options), 0, 0, 0, 0 }

/**
 * Write a packed file, whole or not at all (temporary file, fsync, rename). The same graph gives
 * the same bytes, and loading it gives the same graph as loading what rc_graph_save() writes.
 *
 * @param[in] options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_ABI; RC_ERR_UNSUPPORTED as rc_graph_save_with(); RC_ERR_PATH,
 *         RC_ERR_IO; RC_ERR_LIMIT; RC_ERR_MEMORY.
 * Thread safety: any thread, while nobody changes the graph. Cost: 1.5 s of processor time for
 * 0.86 million f32 weights, spread over the context's threads. @since 0.1
 */
RC_API rc_status rc_graph_save_packed(const rc_graph *graph, const char *path,
                                      const rc_pack_options *options);

/** Opaque. What a packed file holds, weight by weight. */
typedef struct rc_packed rc_packed;

/**
 * Read a packed file's tables; no weight is decoded.
 *
 * @param[out] out New; NULL on failure. Release with rc_packed_free().
 * @return RC_OK; RC_ERR_ARG; RC_ERR_PATH, RC_ERR_IO; RC_ERR_FORMAT no packed file, or damaged;
 *         RC_ERR_TRUNCATED; RC_ERR_UNSUPPORTED another version; RC_ERR_LIMIT; RC_ERR_MEMORY.
 * @since 0.1
 */
RC_API rc_status rc_packed_new(rc_packed **out, rc_context *context, const char *path);

/** Release; accepts NULL, sets *packed to NULL. @since 0.1 */
RC_API void rc_packed_free(rc_packed **packed);

/** Totals. */
typedef struct rc_packed_info {
    size_t size;           /**< sizeof(rc_packed_info), set by the INIT macro. */
    uint64_t major;        /**< Version of the format. */
    uint64_t minor;        /**< Readers of the same major version can read any minor one. */
    uint64_t file_bytes;   /**< The file. [bytes] */
    uint64_t graph_bytes;  /**< The graph as ONNX, without what tensors lists. [bytes] */
    uint64_t graph_stored; /**< The same in this file. [bytes] */
    uint64_t tensors;      /**< Weights stored by coders. */
    uint64_t bytes;        /**< All of them in ONNX. [bytes] */
    uint64_t stored;       /**< All of them in this file. [bytes] */
} rc_packed_info;

#define RC_PACKED_INFO_INIT { sizeof(rc_packed_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_packed_get_info(const rc_packed *packed, rc_packed_info *info);

/** One weight. Strings live as long as the object. */
typedef struct rc_packed_tensor_info {
    size_t size;         /**< sizeof(rc_packed_tensor_info), set by the INIT macro. */
    const char *name;    /**< Of the ONNX initializer. */
    const char *type;    /**< ONNX element type, such as "FLOAT" or "INT4". */
    const char *coder;   /**< "raw", "bits", "planes", "codebook", "signs", "sparse", "groups";
                              "product": it is another weight times one number. */
    const char *entropy; /**< How its first stream is written: "same" (all symbols are one),
                              "fields" (bits of fixed width), "rans", "huffman"; "none": it has no
                              stream. */
    uint64_t bits;       /**< Of a symbol of that stream; of an element where there is none. */
    uint64_t elements;   /**< Elements. */
    uint64_t bytes;      /**< In ONNX. [bytes] */
    uint64_t stored;     /**< In this file. [bytes] */
} rc_packed_tensor_info;

#define RC_PACKED_TENSOR_INFO_INIT { sizeof(rc_packed_tensor_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** Weight @p index in the file's order. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_packed_get_tensor(const rc_packed *packed, uint64_t index,
                                      rc_packed_tensor_info *info);

RC_END
#endif
