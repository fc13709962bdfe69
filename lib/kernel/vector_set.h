/* All vector code of one instruction set, in the order in which it builds on itself. No include
 * guard on purpose. */
#include "kernel/winograd_tiles.h"

#include "kernel/winograd_grad_tiles.h"

#include "kernel/winograd_weights_tiles.h"

#include "kernel/winograd_small_tiles.h"

#include "kernel/direct_row.h"

const struct rc_vector_code NAME(rc_vector) = {
    .winograd = {"winograd:" SET_NAME, "winograd2:" SET_NAME},
    .direct = "direct:" SET_NAME,
    .lanes = LANES,
    .rows = ROWS,
    .tiles = NAME(tiles),
    .small_tiles = NAME(small_tiles),
    .grad_tiles = NAME(grad_tiles),
    .grad_weights = NAME(grad_weights),
    .pack_pair = NAME(pack_pair),
    .small_pack_pair = NAME(small_pack_pair),
    .direct_row = NAME(direct_row),
};
