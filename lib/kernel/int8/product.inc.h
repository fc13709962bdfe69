/* Products of integer matrices: part of kernel/int8/tiles.inc.h, which includes it. No include
 * guard on purpose. */

/* Rows of the left operand: `step` bytes apart, each of `runs` pieces of `dwords` * 4 bytes. */
struct NAME(left) {
    const char *x;
    int64_t step, runs, run_step, dwords;
};

INLINE INTS NAME(dot)(INTS sum, INTS x, INTS w, const bool bytes)
{
#if HAS_DOT8
    if (bytes)
        return DOT8(sum, x, w);
#endif
    (void) bytes;
    return DOT16(sum, x, w);
}

INLINE INTS NAME(broadcast)(const char *x)
{
    int32_t four;
    memcpy(&four, x, 4);
    return OP(set1_epi32)(four);
}

/* Sums have names, not indices: compilers keep arrays of them in memory and store them in every
 * turn of the loop. */
#if LANES == 16
#define EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11)
#else
#define EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5)
#endif
#define SUMS_OF_ROW(r) INTS p##r = OP(set1_epi32)(0), q##r = OP(set1_epi32)(0);
#define ADD_TO_ROW(r)                                     \
    if (rows > (r)) {                                     \
        const INTS b = NAME(broadcast)(x + (r) *l->step); \
        p##r = NAME(dot)(p##r, b, w0, bytes);             \
        if (two)                                          \
            q##r = NAME(dot)(q##r, b, w1, bytes);         \
    }
#define STORE_ROW(r)                           \
    if (rows > (r)) {                          \
        STORE(m + (r) *8 * LANES, p##r);       \
        STORE(m + ((r) *8 + 4) * LANES, q##r); \
    }

/* m[rows][2 vectors] = left * w, whose second vector, if there are two, is `vec` bytes behind the
 * first; of bytes, or of 16 bits. */
INLINE void NAME(product_block)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                                const int rows, const bool two, const bool bytes)
{
    EACH_ROW(SUMS_OF_ROW)
    for (int64_t run = 0; run < l->runs; run++) {
        const char *x = l->x + run * l->run_step;
        for (int64_t i = 0; i < l->dwords; i++, x += 4, w += 4 * LANES) {
            const INTS w0 = LOAD(w), w1 = two ? LOAD(w + vec) : w0;
            EACH_ROW(ADD_TO_ROW)
        }
    }
    EACH_ROW(STORE_ROW)
}

#define CASE(n)                                             \
    case n:                                                 \
        NAME(product_block)(l, w, vec, m, (n), two, bytes); \
        return;

INLINE void NAME(product_rows)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                               int64_t rows, const bool two, const bool bytes)
{
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
#if LANES == 16
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
#endif
    default:
        return;
    }
}

/* Of 16-bit numbers, two vectors. */
static void NAME(product_16)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                             int64_t rows)
{
    NAME(product_rows)(l, w, vec, m, rows, true, false);
}

static void NAME(product)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                          int64_t rows, bool two)
{
    if (!two)
        NAME(product_rows)(l, w, vec, m, rows, false, HAS_DOT8);
    else if (HAS_DOT8)
        NAME(product_rows)(l, w, vec, m, rows, true, true);
    else
        NAME(product_16)(l, w, vec, m, rows);
}
