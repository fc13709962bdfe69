/* From sums to outputs: part of kernel/int8/tiles.inc.h, which includes it. No include guard on
 * purpose. */

/* The common cases are compiled on their own. ANY asks at every vector. */
enum NAME(form) { NAME(PLAIN), NAME(SUM), NAME(ROUND_SUM), NAME(ANY) };

/* Of two vectors of channels from `o` on. */
struct NAME(tail) {
    INTS start0, start1;
    FLOATS bias0, bias1, scale0, scale1, mid, res_scale, low, high;
    enum NAME(form) form;
    bool round_first, relu;
    enum rci_dtype dst, res;
    int64_t left, size, pixel; /* channels there are; bytes of an element, and of a pixel */
    uint8_t *at;               /* of pixel 0 */
};

INLINE enum NAME(form) NAME(form_of)(const struct rci_qkernel_job *j, int64_t o)
{
    if (j->out_c - o < 2 * LANES || j->dst_type == RC_F32 || j->res_type == RC_S8)
        return NAME(ANY);
    if (j->mid > 0)
        return j->res_type ? NAME(ROUND_SUM) : NAME(ANY);
    return j->res_type ? NAME(SUM) : NAME(PLAIN);
}

INLINE struct NAME(tail) NAME(tail_of)(const struct rci_qkernel_job *j, int64_t o)
{
    const int64_t size = j->dst_type == RC_F32 ? 4 : 1;
    const INTS none = OP(set1_epi32)(0);
    return (struct NAME(tail)){.start0 = j->start ? LOAD(j->start + o) : none,
                               .start1 = j->start ? LOAD(j->start + o + LANES) : none,
                               .bias0 = OP(loadu_ps)(j->bias + o),
                               .bias1 = OP(loadu_ps)(j->bias + o + LANES),
                               .scale0 = OP(loadu_ps)(j->scale + o),
                               .scale1 = OP(loadu_ps)(j->scale + o + LANES),
                               .mid = OP(set1_ps)(j->mid),
                               .res_scale = OP(set1_ps)(j->res_scale),
                               .low = OP(set1_ps)(j->low),
                               .high = OP(set1_ps)(j->high),
                               .form = NAME(form_of)(j, o),
                               .round_first = j->mid > 0,
                               .relu = j->relu,
                               .dst = j->dst_type,
                               .res = j->res_type,
                               .left = j->out_c - o,
                               .size = size,
                               .pixel = j->out_c * size,
                               .at = j->dst + o * size};
}

INLINE FLOATS NAME(scaled)(FLOATS sum, FLOATS bias, FLOATS scale)
{
    return OP(mul_ps)(OP(add_ps)(sum, bias), scale);
}

INLINE FLOATS NAME(rounded)(FLOATS v, FLOATS mid)
{
    v = OP(min_ps)(OP(max_ps)(v, OP(set1_ps)(-128.0f)), OP(set1_ps)(127.0f));
    return OP(mul_ps)(OP(cvtepi32_ps)(OP(cvtps_epi32)(v)), mid);
}

INLINE INTS NAME(integer)(const struct NAME(tail) * t, FLOATS v)
{
    return OP(cvtps_epi32)(OP(min_ps)(OP(max_ps)(v, t->low), t->high));
}

/* One vector, of which `left` channels exist. */
static void NAME(put_any)(const struct NAME(tail) * t, FLOATS v, int64_t left, uint8_t *to)
{
    const size_t bytes = (size_t) ((left < LANES ? left : LANES) * t->size);
    uint8_t at[8 * LANES] = {0}; /* arrays of channels are padded to vectors, the output is not */
    if (t->res)
        memcpy(at, to, bytes);
    if (t->round_first)
        v = NAME(rounded)(v, t->mid);
    if (t->res)
        v = OP(fmadd_ps)(OP(cvtepi32_ps)(t->res == RC_U8 ? LOAD_U8(at) : LOAD_S8(at)), t->res_scale,
                         v);
    if (t->dst == RC_F32)
        OP(storeu_ps)((float *) (void *) at, t->relu ? OP(max_ps)(v, OP(setzero_ps)()) : v);
    else
        STORE_BYTES(at, NAME(integer)(t, v), OP(set1_epi32)(0));
    memcpy(to, at, bytes);
}

/* Sums of a pixel, as floats. */
INLINE void NAME(put)(const struct NAME(tail) * t, FLOATS sum0, FLOATS sum1, int64_t pixel,
                      const enum NAME(form) form)
{
    uint8_t *at = t->at + pixel * t->pixel;
    FLOATS v0 = NAME(scaled)(sum0, t->bias0, t->scale0);
    FLOATS v1 = NAME(scaled)(sum1, t->bias1, t->scale1);
    if (form == NAME(ANY)) {
        NAME(put_any)(t, v0, t->left, at);
        if (t->left > LANES)
            NAME(put_any)(t, v1, t->left - LANES, at + LANES * t->size);
        return;
    }
    if (form == NAME(ROUND_SUM)) {
        v0 = NAME(rounded)(v0, t->mid);
        v1 = NAME(rounded)(v1, t->mid);
    }
    if (form != NAME(PLAIN)) {
        v0 = OP(fmadd_ps)(OP(cvtepi32_ps)(LOAD_U8(at)), t->res_scale, v0);
        v1 = OP(fmadd_ps)(OP(cvtepi32_ps)(LOAD_U8(at + LANES)), t->res_scale, v1);
    }
    STORE_BYTES(at, NAME(integer)(t, v0), NAME(integer)(t, v1));
}

/* f with the form as a constant last argument. */
#define BY_FORM(form, f, ...)                  \
    switch (form) {                            \
    case NAME(PLAIN):                          \
        NAME(f)(__VA_ARGS__, NAME(PLAIN));     \
        break;                                 \
    case NAME(SUM):                            \
        NAME(f)(__VA_ARGS__, NAME(SUM));       \
        break;                                 \
    case NAME(ROUND_SUM):                      \
        NAME(f)(__VA_ARGS__, NAME(ROUND_SUM)); \
        break;                                 \
    default:                                   \
        NAME(f)(__VA_ARGS__, NAME(ANY));       \
    }
