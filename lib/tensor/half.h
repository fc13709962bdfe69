#ifndef RC_LIB_TENSOR_HALF_H
#define RC_LIB_TENSOR_HALF_H
/* The types that files store reals in: conversion to and from f32, rounded to nearest even. */
#include "tensor/tensor.h"

/* One half-precision number (IEEE 754 binary16), as bits. */
float rci_half_to_f32(uint16_t bits);

/* Elements of type `from` (f16, bf16 or f64), in the host's byte order, as f32. */
void rci_real_to_f32(float *to, const void *from, enum rci_dtype type, size_t n);
/* And back. Index of the first finite element that `type` cannot hold, SIZE_MAX: none. */
size_t rci_real_from_f32(void *to, const float *from, enum rci_dtype type, size_t n);
#endif
