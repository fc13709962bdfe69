/* What the vector code with 16 lanes has in common; see kernel/vector/block.inc.h. No include guard
 * on purpose. */
#define LANES 16
#define ROWS 12
#define ROWS_1 16
#define BROADCAST(x) _mm512_set1_ps(x)
/* of two operands one of which is NaN the second is taken */
#define MAX(a, b) _mm512_max_ps((a), (b))
#define FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define TAIL __mmask16
#define TAIL_OF(n) ((__mmask16) ((1u << (n)) - 1))
