/* All vector code of one instruction set, in the order in which it builds on itself. No include
 * guard on purpose. */
#include "kernel/vector/block.inc.h"

#include "kernel/winograd/tiles.inc.h"

#include "kernel/winograd/small_tiles.inc.h"

#include "kernel/winograd/stages.inc.h"

#include "kernel/winograd/grad_tiles.inc.h"

#include "kernel/winograd/weights_tiles.inc.h"

#if WORD == 1
#include "kernel/direct/row.inc.h"

#include "kernel/gemm/block.inc.h"
#endif

const struct rci_vector_code NAME(rci_vector) = {
    .winograd = {"winograd:" SET_NAME, "winograd2:" SET_NAME},
    .direct = "direct:" SET_NAME,
    .gemm_name = "gemm:" SET_NAME,
    .lanes = LANES,
    .rows = ROWS,
    .rows_1 = ROWS_1,
    .word = WORD,
    .half = HALF,
#if WORD == 1
    .transform_in = {NAME(transform_in), NAME(small_transform_in)},
    .transform_out = {NAME(transform_out), NAME(small_transform_out)},
    .pack_pair = {NAME(pack_pair), NAME(small_pack_pair)},
    .direct_row = NAME(direct_row),
    .gemm_pack = NAME(gemm_pack),
    .gemm = {NAME(gemm_1), NAME(gemm_2)},
#else
    .transform_in = {NAME(transform_in)},
    .transform_out = {NAME(transform_out)},
    .pack_pair = {NAME(pack_pair)},
#endif
    .products = NAME(products),
    .transform_pairs = NAME(transform_pairs),
    .transform_gradient = NAME(transform_gradient),
    .grad_products = NAME(grad_products),
    .grad_weights = NAME(grad_weights),
};
