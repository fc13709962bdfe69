#include "prune/activation.h"
#include "data/batches.h"
#include "exec/session.h"

#include <math.h>
#include <string.h>

/* One observed axis: values are read as [outer, length, inner]. */
struct tap {
    rc_id value;
    uint32_t row;
    double *sum; /* [3][length]: of |x|, of x, of x^2 */
};

struct observer {
    const struct rc_coupling *c;
    struct tap *tap;
    rc_id *value; /* of the taps, for the session */
    uint32_t n;
    struct rc_session *session;
    struct rc_batches *batches;
    float *x;
    int32_t *label;
    void **out;      /* per session output; NULL: not wanted */
    uint64_t images; /* seen */
};

static bool has_tap(const struct observer *o, uint32_t row)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->tap[i].row == row)
            return true;
    return false;
}

static rc_status list_taps(struct observer *o)
{
    struct rc_context *ctx = o->c->links->ctx;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < o->c->n_groups; i++) {
        const struct rc_prune_group *p = &o->c->group[i];
        for (uint32_t m = 0; m < p->n_members; m++) {
            const uint32_t row = rc_activation_row(o->c, p, &p->member[m]);
            if (row == RC_NONE || has_tap(o, row))
                continue;
            RC_TRY(rc_grow(ctx, &o->tap, o->n, &capacity, sizeof(*o->tap)));
            const uint32_t length =
                (uint32_t) o->c->links->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
            o->tap[o->n++] = (struct tap){row / RC_MAX_DIMS, row,
                                          rc_alloc_array(ctx, length * 3, sizeof(double))};
            if (!o->tap[o->n - 1].sum)
                return RC_ERR_MEMORY;
        }
    }
    o->value = rc_alloc_array(ctx, o->n, sizeof(*o->value));
    for (uint32_t i = 0; o->value && i < o->n; i++)
        o->value[i] = o->tap[i].value;
    return o->value ? RC_OK : RC_ERR_MEMORY;
}

static rc_status open_buffers(struct observer *o, uint32_t batch)
{
    struct rc_context *ctx = o->c->links->ctx;
    const uint32_t n_out = rc_session_n_outputs(o->session), own = n_out - o->n;
    o->x = rc_alloc(ctx, rc_tensor_bytes(rc_session_input(o->session, 0)));
    o->label = rc_alloc_array(ctx, batch, sizeof(*o->label));
    o->out = rc_alloc_array(ctx, n_out, sizeof(*o->out));
    if (!o->x || !o->label || !o->out)
        return RC_ERR_MEMORY;
    for (uint32_t i = own; i < n_out; i++) {
        o->out[i] = rc_alloc(ctx, rc_tensor_bytes(rc_session_output(o->session, i)));
        if (!o->out[i])
            return RC_ERR_MEMORY;
    }
    return RC_OK;
}

static rc_status check_data(const struct rc_graph *g, const rc_dataset *d)
{
    int64_t chw[3];
    char want[RC_SHAPE_TEXT], have[RC_SHAPE_TEXT];
    rc_dataset_image_shape(d, chw);
    const struct rc_shape s = RC_SHAPE(g->batch, chw[0], chw[1], chw[2]);
    if (g->n_inputs != 1)
        return rc_fail(RC_ERR_ARG, "the graph has %u inputs, data sets feed one", g->n_inputs);
    const struct rc_value *v = &g->values[g->inputs[0]];
    if (rc_shape_equal(&s, &v->tensor.shape))
        return RC_OK;
    return rc_fail(RC_ERR_SHAPE, "input \"%s\" is %s, the data set gives %s", v->name,
                   rc_shape_text(&v->tensor.shape, want), rc_shape_text(&s, have));
}

static rc_status open_observer(struct observer *o, rc_dataset *d, uint64_t batch)
{
    const struct rc_graph *g = o->c->links->g;
    RC_TRY(check_data(g, d));
    RC_TRY(list_taps(o));
    if (!g->dynamic_batch)
        batch = (uint64_t) g->batch;
    const struct rc_batches_config data = {.batch = (uint32_t) batch, .shuffle = true};
    const struct rc_session_config session = {.batch = (int64_t) batch,
                                              .observe = o->value,
                                              .n_observe = o->n,
                                              .flags = RC_SESSION_NO_PASSES};
    RC_TRY(rc_batches_create(&o->batches, d, &data));
    RC_TRY(rc_session_create(&o->session, g, &session));
    return open_buffers(o, (uint32_t) batch);
}

static void add_batch(struct observer *o, uint32_t tap, const struct rc_shape *s, int64_t batch,
                      uint32_t n)
{
    const struct tap *t = &o->tap[tap];
    const uint32_t own = rc_session_n_outputs(o->session) - o->n;
    const float *y = o->out[own + tap];
    const uint32_t axis = t->row % RC_MAX_DIMS;
    size_t outer = 1, inner = 1;
    for (uint32_t a = 0; a < s->rank; a++)
        if (a < axis)
            outer *= (size_t) s->dim[a];
        else if (a > axis)
            inner *= (size_t) s->dim[a];
    outer = outer / (size_t) batch * n; /* only the images that this batch has */
    for (size_t i = 0; i < outer; i++)
        for (int64_t c = 0; c < s->dim[axis]; c++) {
            double size = 0, sum = 0, square = 0;
            for (size_t k = 0; k < inner; k++, y++) {
                size += fabs((double) *y);
                sum += (double) *y;
                square += (double) *y * (double) *y;
            }
            t->sum[c] += size;
            t->sum[s->dim[axis] + c] += sum;
            t->sum[2 * s->dim[axis] + c] += square;
        }
}

static rc_status observe(struct observer *o, uint64_t images)
{
    const int64_t batch = rc_session_input(o->session, 0)->shape.dim[0];
    const uint64_t batches = rc_batches_per_epoch(o->batches);
    const void *const in[] = {o->x};
    const uint32_t own = rc_session_n_outputs(o->session) - o->n;
    for (uint64_t i = 0; i < batches && o->images < images; i++) {
        uint32_t n;
        RC_TRY(rc_check_cancel(o->c->links->ctx));
        RC_TRY(rc_batches_get(o->batches, 0, i, o->x, o->label, NULL, &n));
        n = (uint32_t) (n < images - o->images ? n : images - o->images);
        RC_TRY(
            rc_session_execute(o->session, o->c->links->g->dynamic_batch ? n : batch, in, o->out));
        for (uint32_t t = 0; t < o->n; t++)
            add_batch(o, t, &rc_session_output(o->session, own + t)->shape, batch, n);
        o->images += n;
    }
    return RC_OK;
}

static rc_status write_row(const struct observer *o, const struct tap *t, struct rc_activity *out)
{
    const struct rc_links *l = o->c->links;
    const struct rc_shape *s = &l->shape[t->value];
    const int64_t length = s->dim[t->row % RC_MAX_DIMS];
    const double n =
        (double) rc_shape_count(s) / (double) (length * l->g->batch) * (double) o->images;
    out->mean = rc_alloc_array(l->ctx, (size_t) length, sizeof(float));
    out->variance = rc_alloc_array(l->ctx, (size_t) length, sizeof(float));
    if (!out->mean || !out->variance)
        return RC_ERR_MEMORY;
    for (int64_t k = 0; k < length; k++) {
        const double mean = t->sum[length + k] / n;
        out->mean[k] = (float) (t->sum[k] / n);
        out->variance[k] = (float) fmax(0, t->sum[2 * length + k] / n - mean * mean);
    }
    return RC_OK;
}

static rc_status write_activity(const struct observer *o, struct rc_activity **out)
{
    *out = rc_alloc_array(o->c->links->ctx, o->c->links->n_rows, sizeof(**out));
    if (!*out)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < o->n; i++)
        RC_TRY(write_row(o, &o->tap[i], &(*out)[o->tap[i].row]));
    return RC_OK;
}

static void close_observer(struct observer *o)
{
    for (uint32_t i = 0; o->out && i < rc_session_n_outputs(o->session); i++)
        rc_release(o->out[i]);
    for (uint32_t i = 0; i < o->n; i++)
        rc_release(o->tap[i].sum);
    rc_session_destroy(o->session);
    rc_batches_destroy(o->batches);
    rc_release(o->out);
    rc_release(o->tap);
    rc_release(o->value);
    rc_release(o->x);
    rc_release(o->label);
}

rc_status rc_activity_observe(struct rc_activity **activity, const struct rc_coupling *c,
                              rc_dataset *d, uint64_t images, uint64_t batch)
{
    struct observer o = {.c = c};
    rc_status st;
    *activity = NULL;
    RC_TRY_OUT(st, open_observer(&o, d, batch));
    RC_TRY_OUT(st, observe(&o, images));
    RC_TRY_OUT(st, write_activity(&o, activity));
out:
    close_observer(&o);
    if (st != RC_OK) {
        rc_activity_free(*activity, c);
        *activity = NULL;
    }
    return st;
}

void rc_activity_free(struct rc_activity *activity, const struct rc_coupling *c)
{
    for (uint32_t row = 0; activity && row < c->links->n_rows; row++) {
        rc_release(activity[row].mean);
        rc_release(activity[row].variance);
    }
    rc_release(activity);
}
