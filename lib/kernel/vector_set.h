/* All vector code of one instruction set, in the order in which it builds on itself. No include
 * guard on purpose. */
#include "kernel/vector_block.h"

#include "kernel/winograd_tiles.h"

#include "kernel/winograd_small_tiles.h"

#include "kernel/winograd_stages.h"

#include "kernel/winograd_grad_tiles.h"

#include "kernel/winograd_weights_tiles.h"

#if WORD == 1
#include "kernel/direct_row.h"
#endif

const struct rc_vector_code NAME(rc_vector) = {
    .winograd = {"winograd:" SET_NAME, "winograd2:" SET_NAME},
    .direct = "direct:" SET_NAME,
    .lanes = LANES,
    .rows = ROWS,
    .word = WORD,
    .half = HALF,
#if WORD == 1
    .transform_in = {NAME(transform_in), NAME(small_transform_in)},
    .transform_out = {NAME(transform_out), NAME(small_transform_out)},
    .pack_pair = {NAME(pack_pair), NAME(small_pack_pair)},
    .direct_row = NAME(direct_row),
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
