#ifndef RC_LIB_API_FORM_H
#define RC_LIB_API_FORM_H
/* The options of writing a model that several functions take. */
#include "io/onnx.h"

/* opset 0 and storage NULL: as it was read. */
rc_status rci_onnx_form_read(struct rci_onnx_form *out, uint64_t opset, const char *storage);
#endif
