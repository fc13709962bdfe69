#ifndef RC_LIB_GRAPH_NAMES_H
#define RC_LIB_GRAPH_NAMES_H
#include "graph/graph.h"
/* Make name -> id known; names must not be taken yet (callers ask rc_graph_find_* first). */
rc_status rc_names_add_value(struct rc_graph *g, rc_id id);
rc_status rc_names_add_node(struct rc_graph *g, rc_id id);
#endif
