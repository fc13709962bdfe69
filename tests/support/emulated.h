#ifndef RC_TESTS_SUPPORT_EMULATED_H
#define RC_TESTS_SUPPORT_EMULATED_H
#include "kernel/int8/qkernel.h"
/* Exact on processors with AVX2, whatever the weights. */
extern const struct rci_qkernel_set rci_qkernel_emulated;
#endif
