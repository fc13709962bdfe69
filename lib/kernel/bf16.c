/* Sums, joins and masks of whole bfloat16 tensors. */
#include "kernel/bf16.h"
#include "kernel/cpu.h"
#include "kernel/norm/bf16_vec.h"

enum { PIECE = 1 << 14 }; /* elements that a thread takes at once */

struct operands {
    const uint16_t *a, *b, *y; /* b and y may be NULL */
    uint16_t *to;
};

enum op { ADD, JOIN, MASK };

BODY void one(enum op op, vec *a, const vec *b, const vec *y)
{
    const vec zero = {0};
    *a += *b;
    if (op == JOIN)
        *a = (vec) ((bits) *a & ~(bits) (*a < zero)); /* NaN stays */
    if (op == MASK)
        *a = (vec) ((bits) *a & (bits) (*y > zero));
}

BODY void piece_body(enum op op, const struct operands *o, size_t from, size_t end)
{
    const vec zero = {0};
    size_t i = from;
    for (; i + LANES <= end; i += LANES) {
        vec a, b = zero, y = zero;
        load(&a, o->a + i);
        if (o->b)
            load(&b, o->b + i);
        if (op == MASK)
            load(&y, o->y + i);
        one(op, &a, &b, &y);
        store(o->to + i, &a);
    }
    if (i == end)
        return;
    vec a, b = zero, y = zero;
    load_part(&a, o->a + i, end - i);
    if (o->b)
        load_part(&b, o->b + i, end - i);
    if (op == MASK)
        load_part(&y, o->y + i, end - i);
    one(op, &a, &b, &y);
    store_part(o->to + i, &a, end - i);
}

#define VARIANT(set, attribute)                                                          \
    attribute static void piece_##set(enum op op, const struct operands *o, size_t from, \
                                      size_t end)                                        \
    {                                                                                    \
        if (op == ADD)                                                                   \
            piece_body(ADD, o, from, end);                                               \
        else if (op == JOIN)                                                             \
            piece_body(JOIN, o, from, end);                                              \
        else                                                                             \
            piece_body(MASK, o, from, end);                                              \
    }

typedef void (*piece_fn)(enum op op, const struct operands *o, size_t from, size_t end);

VARIANT(base, )
#if defined(__x86_64__)
VARIANT(avx512, AVX512)
#endif

static piece_fn piece_here(const struct rci_cpu *cpu)
{
#if defined(__x86_64__)
    if (cpu->avx512 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return piece_avx512;
#else
    (void) cpu;
#endif
    return piece_base;
}

static void bf16_run(const struct rci_cpu *cpu, enum op op, const struct operands *o, size_t n)
{
    const piece_fn piece = piece_here(cpu);
    const size_t pieces = (n + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(static) if (pieces > 4)
    for (size_t i = 0; i < pieces; i++)
        piece(op, o, i * PIECE, i + 1 < pieces ? (i + 1) * PIECE : n);
}

void rci_bf16_add(const struct rci_cpu *cpu, const uint16_t *a, const uint16_t *b, size_t n,
                  uint16_t *to)
{
    bf16_run(cpu, ADD, &(struct operands){a, b, NULL, to}, n);
}

void rci_bf16_join(const struct rci_cpu *cpu, const uint16_t *a, const uint16_t *b, size_t n,
                   uint16_t *to)
{
    bf16_run(cpu, JOIN, &(struct operands){a, b, NULL, to}, n);
}

void rci_bf16_mask(const struct rci_cpu *cpu, const uint16_t *const *a_b_y, size_t n, uint16_t *to)
{
    bf16_run(cpu, MASK, &(struct operands){a_b_y[0], a_b_y[1], a_b_y[2], to}, n);
}
