#ifndef RC_LIB_IO_PACKED_H
#define RC_LIB_IO_PACKED_H
/* The packed model file: a graph as ONNX without weights, and each weight by the coder that makes
 * it shortest. Layout: docs/packed-file.md. */
#include "base/file.h"
#include "io/coder/coder.h"
#include "io/onnx.h"
#include "wire/arena.h"

enum rci_packed_coding {
    RCI_PACKED_AUTO,   /* the shortest */
    RCI_PACKED_FIELDS, /* bits of fixed width, codebooks, bitmaps; no entropy coding of weights */
    RCI_PACKED_RAW     /* as in ONNX, large ones aligned to 64 bytes */
};

struct rci_packed_form {
    struct rci_onnx_form onnx;
    enum rci_packed_coding coding;
};

/* Does it begin like a packed file? From 4 bytes on. */
bool rci_packed_begins(const uint8_t *data, size_t size);

/* Deterministic, for any number of threads. out->data from rci_alloc. form NULL: zeros. */
rc_status rci_packed_save_memory(struct rci_bytes *out, const struct rc_graph *g,
                                 const struct rci_packed_form *form);
rc_status rci_packed_save(const struct rc_graph *g, const char *path,
                          const struct rci_packed_form *form);

/* From an open file, or from memory where `f` is NULL. Errors of content do not name the file. */
rc_status rci_packed_load(struct rc_graph **out, struct rc_context *c,
                          const struct rci_onnx_source *source, const struct rci_file *f,
                          const void *data, size_t size);

/* --- what is in a file, without decoding its weights --- */
struct rci_packed_tensor_info {
    const char *name;
    const char *type;    /* "f32" */
    const char *coder;   /* "codebook" */
    const char *entropy; /* of its first stream: "rans"; "none" */
    uint32_t bits;       /* of the symbols of that stream; of an element where there is none */
    uint64_t count, bytes, stored; /* elements; bytes in ONNX; bytes in this file */
};

struct rc_packed {
    uint64_t magic;
    struct rc_context *ctx;
    struct rci_arena arena;
    struct rci_packed_tensor_info *tensor;
    uint32_t n_tensors;
    uint32_t major, minor;
    uint64_t file_bytes, graph_bytes, graph_stored; /* graph: as ONNX without weights */
};
rc_status rci_packed_new(struct rc_packed **out, struct rc_context *c, const char *path);
void rci_packed_free(struct rc_packed *p);
bool rci_packed_valid(const struct rc_packed *p);
#endif
