/* Axis links and attribute repair of every operator between two layers: cutting channels of the
 * first layer gives what masking them gives. Masking = zeroing every constant's slices that go. */
#include "eval.h"
#include "opnets.h"

#include "graph/link.h"

#include <math.h>

/* --- cutting --- */

/* fixed[root]: some index tied to it must stay */
static void find_fixed(struct rci_links *l, uint8_t *fixed)
{
    for (uint32_t id = 0; id < l->n_ids; id++)
        if (l->fixed_by[l->row_of[id]] != RC_NONE)
            fixed[rci_links_find(l, id)] = 1;
}

/* Give up every third free group of the first layer's outputs; returns how many. */
static int choose(struct opnet *n, struct rci_links *l, uint8_t *keep)
{
    const uint32_t base = l->base[n->w1 * RC_MAX_DIMS];
    uint8_t *fixed = rci_alloc_zero(n->ctx, l->n_ids);
    int gone = 0;
    memset(keep, 1, l->n_ids);
    find_fixed(l, fixed);
    for (uint32_t k = 1; k < 8; k += 3) {
        const uint32_t root = rci_links_find(l, base + k);
        gone += !fixed[root];
        for (uint32_t id = 0; id < l->n_ids; id++)
            if (rci_links_find(l, id) == root && !fixed[root])
                keep[id] = 0;
    }
    rci_release(fixed);
    return gone;
}

static void mask_constants(struct rc_graph *g, const struct rci_links *l, const uint8_t *keep)
{
    for (rci_id v = 0; v < g->n_values; v++) {
        const struct rci_tensor *t = &g->values[v].tensor;
        if (!t->data || t->shape.rank < 2 || t->shape.dim[0] == 1)
            continue; /* not weights: a divisor or scale of 0 would spoil what is masked */
        int64_t inner = 1;
        for (uint32_t a = t->shape.rank; a-- > 0; inner *= t->shape.dim[a])
            for (int64_t i = 0, count = rci_shape_count(&t->shape); i < count; i++) {
                const uint32_t k = (uint32_t) (i / inner % t->shape.dim[a]);
                if (!keep[l->base[v * RC_MAX_DIMS + a] + k])
                    ((float *) t->data)[i] = 0;
            }
    }
}

static void compare(struct opnet *n, const char *name, const struct rc_graph *cut)
{
    struct rci_tensor x = opnet_input(n), a, b;
    OK(eval_graph(n->g, &x, &a));
    OK(eval_graph(cut, &x, &b));
    assert_true(rci_shape_equal(&a.shape, &b.shape));
    for (int64_t i = 0, k = rci_shape_count(&a.shape); i < k; i++) {
        const double p = (double) ((float *) a.data)[i], q = (double) ((float *) b.data)[i];
        if (fabs(p - q) > 1e-4 * (1 + fabs(p)))
            fail_msg("%s: element %lld: masked %g, cut %g", name, (long long) i, p, q);
    }
    rci_tensor_free(&x);
    rci_tensor_free(&a);
    rci_tensor_free(&b);
}

static void masked_equals_cut_behind_every_operator(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < opnet_count; i++) {
        struct opnet n;
        struct rc_graph *cut;
        struct rci_links *l;
        opnet_open(&n, &opnet_cases[i]);
        OK(rci_graph_clone(&cut, n.g));
        OK(rci_links_new(&l, cut));
        uint8_t *keep = rci_alloc_zero(n.ctx, l->n_ids);
        assert_non_null(keep);
        assert_int_equal(choose(&n, l, keep), 3); /* every operator lets channels go */
        mask_constants(n.g, l, keep);
        OK(rci_graph_cut(cut, l, keep));
        assert_true(cut->values[n.w1].tensor.shape.dim[0] <= 5);
        compare(&n, opnet_cases[i].name, cut);
        rci_links_free(l);
        rci_release(keep);
        rci_graph_free(cut);
        opnet_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_equals_cut_behind_every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
