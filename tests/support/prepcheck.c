#include "prepcheck.h"
#include "kernel/onednn/onednn.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { MAX = RC_PREP_MAX };

struct run {
    const struct prepcheck *c;
    struct rc_context *ctx;
    struct rci_engine *engine;
    struct rc_graph *g;
    struct rci_node *node;
    struct rci_request asked;
    struct rci_prep p;
    const struct rci_md *have[MAX];
    bool needs[MAX];
    struct rci_tensor in[MAX], out[2], d_in[MAX], d_out[2], fast_in[MAX], fast_out, fast_d_in[MAX];
    void *packed_in[MAX], *packed_out, *packed_d_out, *packed_d_in[MAX], *again[MAX];
    void *saved, *plain_saved, *scratch;
};

static uint64_t seed = 12345;

static float random_number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float) ((double) (seed >> 33) / (double) (1u << 31) * 2 - 1);
}

static struct rci_tensor make(struct run *r, const struct rci_tensor *like, bool random)
{
    struct rci_tensor t;
    OK(rci_tensor_new(&t, r->ctx, RC_F32, &like->shape));
    for (int64_t i = 0, n = rci_shape_count(&t.shape); random && i < n; i++)
        ((float *) t.data)[i] = random_number();
    return t;
}

static const struct rci_md *arriving(struct run *r, const struct rci_tensor *t)
{
    static const dnnl_format_tag_t tag[] = {dnnl_abcd, dnnl_acdb, dnnl_aBcd8b, dnnl_aBcd16b};
    if (t->shape.rank != 4 || r->c->arrive == PREPCHECK_PLAIN)
        return NULL;
    dnnl_dims_t dims;
    dnnl_memory_desc_t d;
    const struct rci_md *md;
    for (int i = 0; i < 4; i++)
        dims[i] = t->shape.dim[i];
    assert_int_equal(rci_dmd_with_tag(&d, 4, dims, dnnl_f32, tag[r->c->arrive]), dnnl_success);
    OK(rci_md_intern(r->engine, RC_DMD(d), &md));
    rci_dmd_clear(&d);
    return md;
}

static void convert(struct run *r, const struct rci_shape *s, const struct rci_md *from,
                    const void *a, const struct rci_md *to, void *b)
{
    const struct rci_md *plain;
    struct rci_reorder *o;
    OK(rci_md_plain(r->engine, RC_F32, s, &plain));
    OK(rci_reorder_new(&o, r->engine, from ? from : plain, to ? to : plain));
    void *scratch = rci_alloc(r->ctx, rci_reorder_scratch(o));
    OK(rci_reorder_run(o, a, b, scratch));
    rci_release(scratch);
    rci_reorder_free(o);
}

static size_t bytes_of(const struct rci_md *md, const struct rci_tensor *t)
{
    return md ? rci_md_bytes(md) : rci_tensor_bytes(t);
}

/* Garbage, so that what is not written shows. */
static void *blank(struct run *r, const struct rci_md *md, const struct rci_tensor *t)
{
    void *p = rci_alloc(r->ctx, bytes_of(md, t));
    memset(p, 0xff, bytes_of(md, t));
    return p;
}

static void *pack(struct run *r, const struct rci_md *md, const struct rci_tensor *t)
{
    void *p = rci_alloc_zero(r->ctx, bytes_of(md, t));
    convert(r, &t->shape, NULL, t->data, md, p);
    return p;
}

/* As the operator packs it, over garbage. */
static void *pack_own(struct run *r, uint32_t i)
{
    const struct rci_packing *how = &r->p.packing[i];
    void *p = rci_alloc(r->ctx, how->bytes);
    memset(p, 0xff, how->bytes);
    how->pack(r->p.state, r->in[i].data, p);
    return p;
}

/* Operands as they are after the run, in plain form. */
static void unpack_operand(struct run *r, uint32_t i)
{
    const struct rci_packing *how = &r->p.packing[i];
    r->fast_in[i] = make(r, &r->in[i], false);
    if (!how->bytes) {
        convert(r, &r->in[i].shape, r->p.want[i], r->packed_in[i], NULL, r->fast_in[i].data);
        return;
    }
    void *again = pack_own(r, i);
    assert_memory_equal(again, r->packed_in[i], how->bytes);
    rci_release(again);
    memcpy(r->fast_in[i].data, r->in[i].data, rci_tensor_bytes(&r->in[i]));
}

static void open_graph(struct run *r)
{
    const struct prepcheck *c = r->c;
    rci_id ins[MAX], node;
    OK(rci_graph_new(&r->g, r->ctx));
    for (uint32_t i = 0; i < c->n_in; i++) {
        ins[i] = RC_NONE;
        if (!c->in[i].dtype)
            continue;
        char name[8];
        snprintf(name, sizeof(name), "x%u", i);
        OK(rci_graph_add_input(r->g, &ins[i], name, RC_F32, &c->in[i].shape));
        r->in[i] = make(r, &c->in[i], true);
        for (int64_t k = 0, n = rci_shape_count(&r->in[i].shape); c->positive >> i & 1 && k < n;
             k++)
            ((float *) r->in[i].data)[k] = 1 + ((float *) r->in[i].data)[k] / 2;
        r->have[i] = i && !c->all_arrive ? NULL : arriving(r, &r->in[i]);
        r->needs[i] = c->training && !(c->no_grad >> i & 1);
    }
    const struct rci_op *op = rci_op_find(NULL, c->op);
    assert_non_null(op);
    OK(rci_graph_add_node(r->g, &node, op, "node", c->attrs, ins, c->n_in, NULL, 1));
    r->node = &r->g->nodes[node];
    const struct rci_infer infer = {r->g, r->node, r->in, r->out};
    OK(op->infer(&infer));
    r->out[0] = make(r, &r->out[0], false);
    r->d_out[0] = make(r, &r->out[0], true);
    for (uint32_t i = 0; i < c->n_in; i++)
        if (r->needs[i] && r->in[i].dtype)
            r->d_in[i] = make(r, &r->in[i], false);
    r->node->n_post = c->n_post;
    memcpy(r->node->post, c->post, sizeof(c->post));
}

static float post_value(const struct rci_post *q, float x)
{
    switch (q->kind) {
    case RC_POST_RELU:
        return fmaxf(x, 0);
    case RC_POST_CLIP:
        return fminf(fmaxf(x, q->alpha), q->beta);
    case RC_POST_LEAKY:
        return x > 0 ? x : q->alpha * x;
    case RC_POST_SIGMOID:
        return 1 / (1 + expf(-x));
    case RC_POST_HARDSIGMOID:
        return fminf(fmaxf(q->alpha * x + q->beta, 0), 1);
    case RC_POST_HARDSWISH:
        return x * fminf(fmaxf(x + 3, 0), 6) / 6;
    default:
        return x;
    }
}

/* The plain loops know nothing of posts; a ReLU's gradient masks d_out. */
static void run_plain(struct run *r)
{
    struct rci_call call = {.node = r->node,
                            .ctx = r->ctx,
                            .in = r->in,
                            .out = r->out,
                            .training = r->c->training && !r->c->frozen_stats};
    const struct rci_op *op = r->node->op;
    if (op->saved_bytes)
        r->plain_saved = rci_alloc_zero(r->ctx, op->saved_bytes(r->node, r->in));
    call.saved = r->plain_saved;
    OK(op->forward(&call));
    float *y = r->out[0].data;
    const int64_t n = rci_shape_count(&r->out[0].shape);
    struct rci_tensor masked = make(r, &r->out[0], false);
    memcpy(masked.data, r->d_out[0].data, rci_tensor_bytes(&masked));
    for (uint32_t k = 0; k < r->c->n_post; k++)
        for (int64_t i = 0; i < n; i++) {
            const struct rci_post *q = &r->c->post[k];
            y[i] = q->kind == RC_POST_ADD ? y[i] + ((float *) r->in[q->operand].data)[i]
                                          : post_value(q, y[i]);
            if (!(y[i] > 0))
                ((float *) masked.data)[i] = 0;
        }
    if (r->c->training) {
        call.d_out = &masked;
        call.d_in = r->d_in;
        OK(op->backward(&call));
    }
    rci_tensor_free(&masked);
}

static void pack_operands(struct run *r)
{
    struct rci_prep *p = &r->p;
    for (uint32_t i = 0; i < r->c->n_in; i++) {
        if (!r->in[i].dtype)
            continue;
        r->packed_in[i] = p->packing[i].bytes ? pack_own(r, i) : pack(r, p->want[i], &r->in[i]);
        r->again[i] = p->want_backward[i] ? pack(r, p->want_backward[i], &r->in[i]) : NULL;
    }
    r->packed_out = blank(r, p->out_md[0], &r->out[0]);
    if (p->in_place >= 0)
        memcpy(r->packed_out, r->packed_in[p->in_place], bytes_of(p->out_md[0], &r->out[0]));
    const size_t scratch = p->scratch > p->backward_scratch ? p->scratch : p->backward_scratch;
    r->scratch = rci_alloc(r->ctx, scratch);
    r->saved = rci_alloc(r->ctx, p->saved);
}

static void run_backward(struct run *r)
{
    struct rci_prep *p = &r->p;
    const struct rci_md *d_out = p->d_out_md[0] ? p->d_out_md[0] : p->out_md[0];
    void *in[MAX];
    r->packed_d_out = pack(r, d_out, &r->d_out[0]);
    for (uint32_t i = 0; i < r->c->n_in; i++) {
        in[i] = r->again[i] ? r->again[i] : r->packed_in[i];
        if (!(p->backward_reads >> i & 1))
            in[i] = NULL; /* not promised to be kept */
        const struct rci_md *md = p->d_in_md[i] ? p->d_in_md[i] : p->want[i];
        if (r->d_in[i].data)
            r->packed_d_in[i] = blank(r, md, &r->in[i]);
    }
    const struct rci_step_io io = {.state = p->state,
                                   .in = in,
                                   .out = &r->packed_out,
                                   .saved = r->saved,
                                   .scratch = r->scratch,
                                   .d_out = &r->packed_d_out,
                                   .d_in = r->packed_d_in};
    OK(p->run_backward(&io));
    for (uint32_t i = 0; i < r->c->n_in; i++) {
        const struct rci_md *md = p->d_in_md[i] ? p->d_in_md[i] : p->want[i];
        if (!r->d_in[i].data)
            continue;
        r->fast_d_in[i] = make(r, &r->in[i], false);
        convert(r, &r->in[i].shape, md, r->packed_d_in[i], NULL, r->fast_d_in[i].data);
    }
}

static void compare(const struct run *r, const char *what, uint32_t index,
                    const struct rci_tensor *want, const struct rci_tensor *got)
{
    const float *a = want->data, *b = got->data;
    const int64_t n = rci_shape_count(&want->shape);
    double largest = 1;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double) a[i]));
    const double bound = largest * (r->c->tolerance != 0 ? r->c->tolerance : 1e-5);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double) a[i] - (double) b[i]) <= bound))
            fail_msg("%s %s: %s %u [%d of %d]: %.8g, plain loop says %.8g", r->c->op,
                     r->p.impl ? r->p.impl : "", what, index, (int) i, (int) n, (double) b[i],
                     (double) a[i]);
}

/* Blocked layouts end in padding that readers rely on being zero. */
static void check_padding(const struct run *r)
{
    const size_t bytes = bytes_of(r->p.out_md[0], &r->out[0]);
    size_t nonzero = 0, expected = 0;
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        nonzero += ((float *) r->packed_out)[i] != 0;
    for (int64_t i = 0, n = rci_shape_count(&r->fast_out.shape); i < n; i++)
        expected += ((float *) r->fast_out.data)[i] != 0;
    assert_int_equal(nonzero, expected);
}

static void run_fast(struct run *r)
{
    struct rci_prep *p = &r->p;
    pack_operands(r);
    const struct rci_step_io io = {.state = p->state,
                                   .in = r->packed_in,
                                   .out = &r->packed_out,
                                   .saved = r->saved,
                                   .scratch = r->scratch};
    OK(p->run(&io));
    r->fast_out = make(r, &r->out[0], false);
    convert(r, &r->out[0].shape, p->out_md[0], r->packed_out, NULL, r->fast_out.data);
    check_padding(r);
    if (r->c->training)
        run_backward(r);
    for (uint32_t i = 0; i < r->c->n_in; i++) /* running statistics are written by forward */
        if (r->in[i].dtype)
            unpack_operand(r, i);
}

static void close_all(struct run *r)
{
    if (r->p.state)
        r->p.free(r->p.state);
    for (uint32_t i = 0; i < MAX; i++) {
        rci_tensor_free(&r->in[i]);
        rci_tensor_free(&r->d_in[i]);
        rci_tensor_free(&r->fast_in[i]);
        rci_tensor_free(&r->fast_d_in[i]);
        rci_release(r->packed_in[i]);
        rci_release(r->packed_d_in[i]);
        rci_release(r->again[i]);
    }
    void *const loose[] = {r->packed_out, r->packed_d_out, r->saved, r->plain_saved, r->scratch};
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
        rci_release(loose[i]);
    rci_tensor_free(&r->out[0]);
    rci_tensor_free(&r->d_out[0]);
    rci_tensor_free(&r->fast_out);
    rci_graph_free(r->g);
    rci_engine_free(r->engine);
    test_context_done(r->ctx);
}

static void open_prep(struct run *r)
{
    r->p = (struct rci_prep){.in_place = -1};
    r->asked = (struct rci_request){.engine = r->engine,
                                    .g = r->g,
                                    .threads = (uint32_t) omp_get_max_threads(),
                                    .cpu = r->ctx->cpu,
                                    .winograd = getenv("RESCOMP_WINOGRAD"),
                                    .int8_kernel = getenv("RESCOMP_INT8_KERNEL"),
                                    .node = r->node,
                                    .in = r->in,
                                    .out = r->out,
                                    .have = r->have,
                                    .training = r->c->training,
                                    .frozen_stats = r->c->frozen_stats,
                                    .needs_grad = r->needs};
}

rc_status prepcheck_run(const struct prepcheck *c, char *impl)
{
    static struct run zero;
    struct run r = zero;
    r.c = c;
    r.ctx = test_context();
    OK(rci_engine_new(&r.engine, r.ctx));
    open_graph(&r);
    open_prep(&r);
    const rc_status st = r.node->op->prepare(&r.asked, &r.p);
    if (st != RC_OK && st != RC_ERR_UNSUPPORTED)
        OK(st);
    if (st == RC_OK) {
        if (impl)
            snprintf(impl, 64, "%s", r.p.impl ? r.p.impl : "");
        run_fast(&r); /* first: plain forward moves the running statistics in place */
        run_plain(&r);
        compare(&r, "output", 0, &r.out[0], &r.fast_out);
        for (uint32_t i = 0; i < c->n_in; i++) {
            if (r.d_in[i].data)
                compare(&r, "gradient", i, &r.d_in[i], &r.fast_d_in[i]);
            if (r.in[i].dtype)
                compare(&r, "operand", i, &r.in[i], &r.fast_in[i]);
        }
    } else {
        assert_null(r.p.state);
    }
    close_all(&r);
    return st;
}

static int64_t until_failure = INT64_MAX;

static void *starving_allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    if (until_failure-- <= 0)
        return NULL;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void starving_release(void *user, void *memory)
{
    (void) user;
    free(memory);
}

void prepcheck_starved(const struct prepcheck *c)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.allocate = starving_allocate;
    o.release = starving_release;
    rc_status st = RC_ERR_MEMORY;
    for (int64_t n = 0; st == RC_ERR_MEMORY && n < 1000; n++) {
        static struct run zero;
        struct run r = zero;
        r.c = c;
        until_failure = INT64_MAX;
        OK(rci_context_new(&r.ctx, &o));
        OK(rci_cpu_open(r.ctx));
        OK(rci_engine_new(&r.engine, r.ctx));
        open_graph(&r);
        open_prep(&r);
        until_failure = n;
        st = r.node->op->prepare(&r.asked, &r.p);
        assert_true(st == RC_ERR_MEMORY ? !r.p.state : st == RC_OK && until_failure >= 0);
        until_failure = INT64_MAX;
        close_all(&r);
    }
    assert_int_equal(st, RC_OK);
}
