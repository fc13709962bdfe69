#ifndef RC_LIB_GRAPH_NAMES_H
#define RC_LIB_GRAPH_NAMES_H
#include "graph/graph.h"
/* Make name -> id known; names must not be taken yet (callers ask rci_graph_find_* first). */
rc_status rci_names_add_value(struct rc_graph *g, rci_id id);
rc_status rci_names_add_node(struct rc_graph *g, rci_id id);
/* For tables of names of one's own: files cannot make names that collide. */
uint32_t rci_names_hash(const char *s);
#endif
