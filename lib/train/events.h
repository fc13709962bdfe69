#ifndef RC_LIB_TRAIN_EVENTS_H
#define RC_LIB_TRAIN_EVENTS_H
/* Curves of a run as a TensorBoard event file: a file of records, each a length, its masked
 * CRC-32C, an Event message, and the message's masked CRC-32C
 * (tensorflow/core/lib/io/record_writer.h). */
#include "base/context.h"

struct rci_events;

/* A new file in `folder`, which is made where it is missing. RC_ERR_IO, RC_ERR_MEMORY. */
rc_status rci_events_open(struct rci_events **out, struct rc_context *c, const char *folder);
/* One number under a tag such as "train/loss". */
rc_status rci_events_scalar(struct rci_events *e, const char *tag, uint64_t step, double value);
rc_status rci_events_flush(struct rci_events *e);
void rci_events_close(struct rci_events *e); /* accepts NULL */
#endif
