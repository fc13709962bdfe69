/* The bytes as they are. */
#include "io/coder/coder.h"

#include <string.h>

static rc_status raw_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    (void) fits;
    return rci_buffer_append(to, x->data, x->count * x->width);
}

static rc_status raw_read(struct rci_cursor *from, const struct rci_elements *x)
{
    const uint8_t *p = NULL;
    RC_TRY(rci_cursor_bytes(from, x->count * x->width, &p, "raw elements"));
    memcpy(x->data, p, x->count * x->width);
    return RC_OK;
}

const struct rci_coder rci_coder_raw = {"raw", raw_write, raw_read};
