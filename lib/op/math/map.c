/* Element-by-element operators: the elements are cut into equal pieces for the threads. */
#include "op/math/map.h"

/* Elements of a piece: 32 kB of floats, which stay in L1 or L2 between the loops of one
 * operator. */
enum { MAP_PIECE = 1 << 13 };

rc_status rci_map_run(const struct rci_call *c, rci_map_fn *fn)
{
    const int64_t n = rci_shape_count(&c->in[0].shape);
    const int64_t pieces = (n + MAP_PIECE - 1) / MAP_PIECE;
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t p = 0; p < pieces; p++)
        fn(c, p * MAP_PIECE, p + 1 < pieces ? (p + 1) * MAP_PIECE : n);
    return RC_OK;
}

rc_status rci_map_infer_f32(const struct rci_infer *i)
{
    return rci_op_infer_same(i, RC_DT_F32);
}
