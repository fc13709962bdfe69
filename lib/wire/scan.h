#ifndef RC_LIB_WIRE_SCAN_H
#define RC_LIB_WIRE_SCAN_H
/* A bounded look at the bytes of an ONNX file before anything is unpacked: iterative, one pass,
 * nothing allocated. What passes can be unpacked with bounded stack, time and memory. */
#include "base/context.h"

/* What one file may hold, over all nested messages. */
struct rci_scan_limits {
    uint64_t nodes, initializers, value_infos, attributes_per_node, metadata, unknown, messages;
    uint64_t name_bytes, ints_per_attribute;
    uint64_t memory, memory_per_byte; /* of decoding, and of the graph made from it: bytes, and so
                                         much more for each byte of the file */
};
struct rci_scan_limits rci_scan_defaults(const struct rc_context *c);

/* RC_ERR_FORMAT, RC_ERR_TRUNCATED or RC_ERR_LIMIT, with the field's path and the byte offset. */
rc_status rci_scan_onnx(const uint8_t *data, size_t size, const struct rci_scan_limits *limits);
#endif
