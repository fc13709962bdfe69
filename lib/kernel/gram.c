#include "kernel/gram.h"
#include "kernel/onednn/onednn.h"

#include <string.h>

static void plain_gram(const float *a, size_t m, const float *b, size_t n, size_t rows, float *c)
{
    memset(c, 0, m * n * sizeof(*c));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                c[i * n + j] += a[r * m + i] * b[r * n + j];
}

rc_status rci_gram(struct rc_context *ctx, const float *a, size_t m, const float *b, size_t n,
                   size_t rows, float *c)
{
    const dnnl_dim_t dm = (dnnl_dim_t) m, dn = (dnnl_dim_t) n;
    if ((ctx->o.flags & RC_CONTEXT_REFERENCE) || rci_engine_self_test(ctx) != RC_OK) {
        plain_gram(a, m, b, n, rows, c);
        return RC_OK;
    }
    return rci_dnnl_check(
        dnnl_sgemm('T', 'N', dm, dn, (dnnl_dim_t) rows, 1, a, dm, b, dn, 0, c, dn), "product");
}
