/* The list of convolution kernels of our own. */
#include "kernel/kernel.h"

const struct rci_conv_kernel *const rci_conv_kernels[] = {
    &rci_winograd_kernel,    &rci_direct_kernel,        &rci_gemm_kernel,
    &rci_int8_direct_kernel, &rci_int8_winograd_kernel, NULL};

const struct rci_conv_kernel *rci_conv_kernel_for(const struct rci_conv_spec *s)
{
    for (size_t i = 0; rci_conv_kernels[i]; i++)
        if (rci_conv_kernel_fits(rci_conv_kernels[i], s))
            return rci_conv_kernels[i];
    return NULL;
}
