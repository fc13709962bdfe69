/* Range: start, start + delta, start + 2 delta ... below (above, for delta < 0) limit. */
#include "op/common.h"

#include <math.h>

/* All three operands must be known, since they are the length. */
static rc_status range_count(const struct rci_node *n, const struct rci_tensor *in, int64_t *count)
{
    static const char *const names[] = {"start", "limit", "delta"};
    double v[3];
    for (int k = 0; k < 3; k++) {
        if (!in[k].data)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": %s is computed at run time, it must be a constant or "
                            "follow from shapes",
                            n->name, names[k]);
        if (rci_shape_count(&in[k].shape) != 1)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": %s has %lld elements, must be a scalar",
                            n->name, names[k], (long long) rci_shape_count(&in[k].shape));
        v[k] = rci_op_scalar(&in[k]);
    }
    /* ONNX: max(ceil((limit - start) / delta), 0) */
    const double steps = ceil((v[1] - v[0]) / v[2]);
    if (!(fabs(steps) < 1e9)) /* a delta of 0 and NaN too */
        return rci_fail(RC_ERR_MODEL, "node \"%s\": range from %g to %g in steps of %g", n->name,
                        v[0], v[1], v[2]);
    *count = steps > 0 ? (int64_t) steps : 0;
    return RC_OK;
}

static rc_status range_infer(const struct rci_infer *i)
{
    int64_t count = 0;
    const uint32_t types = RC_DT_INDEX | RC_DT_F32 | RC_DT(RC_F64);
    RC_TRY(rci_op_check_type(i, 0, "start", types));
    RC_TRY(rci_op_check_type(i, 1, "limit", RC_DT(i->in[0].dtype)));
    RC_TRY(rci_op_check_type(i, 2, "delta", RC_DT(i->in[0].dtype)));
    RC_TRY(range_count(i->node, i->in, &count));
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = RC_SHAPE(count);
    return rci_op_check_count(i->node, &i->out[0].shape);
}

static rc_status range_forward(const struct rci_call *c)
{
    const double start = rci_op_scalar(&c->in[0]), delta = rci_op_scalar(&c->in[2]);
    for (int64_t k = 0; k < c->out[0].shape.dim[0]; k++)
        rci_op_store(&c->out[0], k, start + (double) k * delta);
    return RC_OK;
}

const struct rci_op rci_op_range = {
    .name = "Range",
    RC_OP_ARITY(3, 3, 1, 1),
    .since = 11,
    .infer = range_infer,
    .forward = range_forward,
};
