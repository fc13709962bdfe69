/* Collecting the numbers of a training run in plain arrays. */
#include "train/state.h"

#include <string.h>

static bool is_kept(const struct rci_value *v)
{
    return !(v->flags & RC_VALUE_DEAD) && rci_value_is_const(v) && v->tensor.dtype == RC_F32;
}

static rc_status list_constants(struct rci_train_state *s)
{
    const struct rc_graph *g = s->graph;
    s->values = rci_alloc_array(g->ctx, g->n_values, sizeof(*s->values));
    if (!s->values)
        return RC_ERR_MEMORY;
    for (rci_id i = 0; i < g->n_values; i++)
        if (is_kept(&g->values[i])) {
            s->values[s->n_values++] = i;
            s->n_floats += (size_t) rci_shape_count(&g->values[i].tensor.shape);
        }
    return RC_OK;
}

static rc_status list_parameters(struct rci_train_state *s, struct rci_tape *t)
{
    s->n_params = rci_tape_n_params(t);
    s->offset = rci_alloc_array(s->graph->ctx, s->n_params + 1, sizeof(*s->offset));
    if (!s->offset)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < s->n_params; i++)
        s->offset[i + 1] = s->offset[i] + (size_t) rci_tape_param_count(t, i);
    return RC_OK;
}

static rc_status need(struct rci_train_state *s, float **array, size_t n, bool wanted)
{
    if (!wanted)
        return RC_OK;
    *array = rci_alloc_array(s->graph->ctx, n, sizeof(**array));
    return *array ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_train_state_open(struct rci_train_state *s, struct rc_graph *g, struct rci_tape *t,
                               uint32_t n_optim, bool ema, bool best)
{
    *s = (struct rci_train_state){.graph = g};
    RC_TRY(list_constants(s));
    RC_TRY(list_parameters(s, t));
    const size_t n = s->offset[s->n_params];
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        RC_TRY(need(s, &s->optim[k], n, k < n_optim));
    RC_TRY(need(s, &s->ema, n, ema));
    RC_TRY(need(s, &s->best, s->n_floats, best));
    RC_TRY(need(s, &s->kept, s->n_floats, true));
    for (uint32_t i = 0; ema && i < s->n_params; i++)
        memcpy(s->ema + s->offset[i], rci_tape_param_data(t, i),
               (s->offset[i + 1] - s->offset[i]) * sizeof(float));
    return RC_OK;
}

void rci_train_state_close(struct rci_train_state *s)
{
    rci_release(s->values);
    rci_release(s->offset);
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        rci_release(s->optim[k]);
    rci_release(s->ema);
    rci_release(s->best);
    rci_release(s->kept);
    *s = (struct rci_train_state){0};
}

void rci_train_state_save(const struct rci_train_state *s, float *to)
{
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_tensor *t = &s->graph->values[s->values[i]].tensor;
        memcpy(to, t->data, rci_tensor_bytes(t));
        to += rci_shape_count(&t->shape);
    }
}

void rci_train_state_load(struct rci_train_state *s, const float *from)
{
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_tensor *t = &s->graph->values[s->values[i]].tensor;
        memcpy(t->data, from, rci_tensor_bytes(t));
        from += rci_shape_count(&t->shape);
    }
}
