#ifndef PACKEDNET_H
#define PACKEDNET_H
#include "graph/graph.h"

/* A small residual network: one weight of many values, one of three. */
struct rc_graph *packed_small_graph(struct rc_context *c);
#endif
