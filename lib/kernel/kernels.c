/* The list of convolution kernels of our own. */
#include "kernel/kernel.h"

const struct rci_conv_kernel *const rci_conv_kernels[] = {&rci_winograd_kernel, &rci_direct_kernel,
                                                          &rci_gemm_kernel, NULL};
