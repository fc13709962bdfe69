#ifndef PROFILE_H
#define PROFILE_H
#include <rescomp/session.h>
#include <stdbool.h>

/* Steps of a profiled session with time, multiply-adds per second and their share of `peak`
 * ([1/s], 0: unknown), then how often the activations pass through memory. */
void print_profile(const rc_session *s, double peak, bool as_json);
#endif
