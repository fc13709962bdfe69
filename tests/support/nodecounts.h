#ifndef NODECOUNTS_H
#define NODECOUNTS_H
/* How many of ONNX's node tests each operator passed, and docs/operators.md, which tells. */
#include "test.h"

void nodecounts_add(const char *op, bool passed);
/* One line per operator; into the file RESCOMP_OPERATOR_COUNTS too, for docs/operators.py. */
void nodecounts_print(void);
/* Fails where the page says something else. */
void nodecounts_page(struct rc_context *c);
#endif
