#ifndef RC_LIB_DATA_ZIP_H
#define RC_LIB_DATA_ZIP_H
/* Members of a zip archive that is in memory: stored or deflated, no encryption, no zip64. */
#include "base/file.h"

/* Find member `name` and unpack it. *found is false, and nothing else happens, when there is none.
 * `path` starts every message. Release out->data. */
rc_status rci_zip_read(struct rc_context *c, const struct rci_bytes *archive, const char *path,
                       const char *name, struct rci_bytes *out, bool *found);
#endif
