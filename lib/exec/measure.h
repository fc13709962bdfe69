#ifndef RC_LIB_EXEC_MEASURE_H
#define RC_LIB_EXEC_MEASURE_H
#include "exec/session.h"
#include <rescomp/measure.h>
/* Defaults filled in, ranges checked by the border. results: full-size structs. */
rc_status rci_measure_latency(struct rc_context *c, struct rc_session *const *sessions, uint32_t n,
                              const rc_latency_options *o, rc_latency *results);
#endif
