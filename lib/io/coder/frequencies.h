#ifndef RC_LIB_IO_CODER_FREQUENCIES_H
#define RC_LIB_IO_CODER_FREQUENCIES_H
/* How often symbols occur, in 4096: a polygon through a few knots (symbol, weight). A tensor of a
 * few thousand weights has a histogram of 200 noisy counts, which would take as much room as it
 * saves; 10 to 20 knots say all there is to know about its shape. */
#include "io/coder/stream.h"

enum { RCI_FREQUENCY_BITS = 12, RCI_FREQUENCY_ALL = 1 << RCI_FREQUENCY_BITS };

struct rci_frequencies {
    uint32_t start[RCI_SYMBOLS + 1]; /* of symbol s: start[s + 1] - start[s] of 4096 */
};

/* Knots for these counts, of which one at least is not 0; *f is what a reader makes of them. */
rc_status rci_frequencies_write(struct rci_buffer *to, struct rci_frequencies *f,
                                const uint64_t *count);
rc_status rci_frequencies_read(struct rci_cursor *from, struct rci_frequencies *f, uint32_t bits);
#endif
