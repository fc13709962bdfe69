#ifndef PEAK_H
#define PEAK_H
#include <stdint.h>

/* Fused multiply-adds of f32 per second that `threads` threads reach together in registers,
 * measured for some 50 ms. [1/s] 0 where it cannot be told. */
double peak_multiply_adds(uint64_t threads);
#endif
