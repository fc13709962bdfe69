/* dst[sum i_k*to_k] = src[sum i_k*from_k]: neighbouring axes are merged, the innermost one runs in
 * a typed loop (memcpy when both sides are contiguous), the others are spread over threads. */
#include "op/shape/strided.h"
#include "op/common.h"

#include <string.h>

void rci_row_major(const struct rci_shape *s, int64_t *stride)
{
    int64_t step = 1;
    for (uint32_t a = s->rank; a-- > 0;) {
        stride[a] = step;
        step *= s->dim[a];
    }
}

/* Drop axes of length 1 and merge axis k with k+1 where both sides step alike. */
static struct rci_strided strided_merge(const struct rci_strided *s)
{
    struct rci_strided m = {0};
    for (uint32_t k = 0; k < s->rank; k++) {
        if (s->dim[k] == 1)
            continue;
        /* wraps for rank 0, where the condition below reads nothing */
        const uint32_t p = m.rank - 1;
        if (m.rank && m.from[p] == s->from[k] * s->dim[k] && m.to[p] == s->to[k] * s->dim[k]) {
            m.dim[p] *= s->dim[k];
            m.from[p] = s->from[k];
            m.to[p] = s->to[k];
            continue;
        }
        m.dim[m.rank] = s->dim[k];
        m.from[m.rank] = s->from[k];
        m.to[m.rank] = s->to[k];
        m.rank++;
    }
    if (!m.rank) {
        m.rank = 1;
        m.dim[0] = m.from[0] = m.to[0] = 1;
    }
    return m;
}

/* Elements are moved as unsigned integers of their size, so NaN keeps its bits. */
#define STRIDED_ROW(type)                            \
    do {                                             \
        const type *restrict s = (const type *) src; \
        type *restrict d = (type *) dst;             \
        for (int64_t i = 0; i < n; i++)              \
            d[i * to] = s[i * from];                 \
    } while (0)

static void strided_row(int64_t n, int64_t from, int64_t to, size_t element, const char *src,
                        char *dst)
{
    if (from == 1 && to == 1)
        memcpy(dst, src, (size_t) n * element);
    else if (element == 1)
        STRIDED_ROW(uint8_t);
    else if (element == 4)
        STRIDED_ROW(uint32_t);
    else
        STRIDED_ROW(uint64_t);
}

/* Rows of at most this many elements, so that one long axis is shared by the threads too. */
enum { STRIDED_ROW_MAX = 1 << 14 };

void rci_strided_copy(const struct rci_strided *s, size_t element, const void *src, void *dst)
{
    const struct rci_strided m = strided_merge(s);
    const uint32_t last = m.rank - 1;
    const int64_t inner = m.dim[last], size = (int64_t) element;
    int64_t rows = 1;
    for (uint32_t k = 0; k < last; k++)
        rows *= m.dim[k];
    if (rows == 0 || inner == 0)
        return;
    const int64_t pieces = (inner + STRIDED_ROW_MAX - 1) / STRIDED_ROW_MAX;
#pragma omp parallel for schedule(static) if (rows * inner >= RC_PARALLEL_MIN)
    for (int64_t t = 0; t < rows * pieces; t++) {
        int64_t row = t / pieces;
        const int64_t first = t % pieces * STRIDED_ROW_MAX;
        const int64_t n = inner - first < STRIDED_ROW_MAX ? inner - first : STRIDED_ROW_MAX;
        int64_t from = first * m.from[last], to = first * m.to[last];
        for (uint32_t k = last; k-- > 0; row /= m.dim[k]) {
            from += row % m.dim[k] * m.from[k];
            to += row % m.dim[k] * m.to[k];
        }
        strided_row(n, m.from[last], m.to[last], element, (const char *) src + from * size,
                    (char *) dst + to * size);
    }
}
