/* One convolution by every kernel that can do it, weights packed before, in the layouts that oneDNN
 * likes, in turn; medians in ms, multiply-adds of the direct sum per ns, and the largest difference
 * from oneDNN's result over its largest output.
 *
 *     conv_kernels BATCH IN SIDE OUT WINDOW STRIDE [RUNS]
 *
 * Threads by OMP_NUM_THREADS, instruction set by ONEDNN_MAX_CPU_ISA. */
#include "base/file.h"
#include "kernel/kernel.h"
#include "kernel/onednn/onednn.h"
#include "nets.h"
#include "test.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 1000, ONEDNN = 0, KERNELS = 8 }; /* of ours, from 1 on, as the table has them */

struct bench {
    struct rc_context *ctx;
    struct rci_engine *engine;
    struct rci_conv_geometry g;
    struct rci_prim prim;
    struct rci_conv_spec spec;
    const struct rci_conv_kernel *own[KERNELS]; /* NULL: does not fit */
    void *state[KERNELS];
    float *src, *dst[KERNELS], *weights[KERNELS], *bias;
    void *scratch[KERNELS];
    size_t dst_bytes;
    const char *name[KERNELS];
};

static void *buffer(struct bench *b, size_t bytes)
{
    float *p = rci_alloc(b->ctx, (bytes + 63) / 64 * 64 + 64);
    assert_non_null(p);
    fill_random(p, (int64_t) (bytes / sizeof(float)), 1);
    return p;
}

static const struct rci_md *asked(struct bench *b, const_dnnl_primitive_desc_t pd,
                                  dnnl_query_t what)
{
    const struct rci_md *md;
    OK(rci_md_query(b->engine, pd, what, 0, &md));
    return md;
}

static void open_onednn(struct bench *b, const float *plain)
{
    const struct rci_shape bias_shape = RC_SHAPE(b->g.out_channels);
    const struct rci_shape shape = rci_conv_weights_shape(&b->g);
    const struct rci_md *bias, *from;
    struct rci_reorder *pack;
    dnnl_primitive_desc_t pd;
    OK(rci_md_plain(b->engine, RC_F32, &bias_shape, &bias));
    const struct rci_conv_request r = {
        .geometry = &b->g, .prop = dnnl_forward_inference, .bias = bias};
    OK(rci_conv_describe(&pd, b->engine, &r));
    OK(rci_prim_init(&b->prim, b->engine, pd));
    b->spec = (struct rci_conv_spec){.geometry = &b->g,
                                     .src = asked(b, pd, dnnl_query_src_md),
                                     .dst = asked(b, pd, dnnl_query_dst_md),
                                     .bias = true,
                                     .threads = (uint32_t) omp_get_max_threads(),
                                     .cpu = test_cpu()};
    const struct rci_md *weights = asked(b, pd, dnnl_query_weights_md);
    OK(rci_prim_bind(&b->prim, DNNL_ARG_SRC, b->spec.src));
    OK(rci_prim_bind(&b->prim, DNNL_ARG_WEIGHTS, weights));
    OK(rci_prim_bind(&b->prim, DNNL_ARG_DST, b->spec.dst));
    OK(rci_prim_bind(&b->prim, DNNL_ARG_BIAS, bias));
    b->weights[ONEDNN] = buffer(b, rci_md_bytes(weights));
    OK(rci_md_plain(b->engine, RC_F32, &shape, &from));
    OK(rci_reorder_new(&pack, b->engine, from, weights));
    void *scratch = buffer(b, rci_reorder_scratch(pack) + 4);
    OK(rci_reorder_run(pack, plain, b->weights[ONEDNN], scratch));
    rci_reorder_free(pack);
    rci_release(scratch);
    b->src = buffer(b, rci_md_bytes(b->spec.src));
    b->dst_bytes = rci_md_bytes(b->spec.dst);
    b->scratch[ONEDNN] = buffer(b, b->prim.scratch + 4);
    b->name[ONEDNN] = rci_prim_name(&b->prim);
}

static void open_own(struct bench *b, const float *plain)
{
    for (int i = 0; rci_conv_kernels[i]; i++) {
        const struct rci_conv_kernel *k = rci_conv_kernels[i];
        const int at = i + 1;
        assert_true(at < KERNELS);
        if (!k->fits(&b->spec))
            continue;
        OK(k->create(&b->state[at], b->ctx, &b->spec));
        b->own[at] = k;
        b->weights[at] = buffer(b, k->weights_bytes(b->state[at]));
        k->pack_weights(b->state[at], plain, b->weights[at]);
        b->scratch[at] = buffer(b, k->scratch(b->state[at]) + 4);
        b->name[at] = k->text(b->state[at]);
    }
}

static void run(struct bench *b, int k)
{
    const struct rci_conv_args a = {b->src, b->weights[k], b->bias, b->dst[k], b->scratch[k]};
    void *const handle[4] = {b->src, b->weights[k], b->dst[k], b->bias};
    if (k == ONEDNN)
        OK(rci_prim_run(&b->prim, handle, b->scratch[k]));
    else
        b->own[k]->run(b->state[k], &a);
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

static double difference(const struct bench *b, int k)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < b->dst_bytes / sizeof(float); i++) {
        const double x = (double) b->dst[ONEDNN][i];
        largest = fmax(largest, fabs(x));
        most = fmax(most, fabs(x - (double) b->dst[k][i]));
    }
    return most / largest;
}

static void compare(struct bench *b, int runs)
{
    static uint64_t ns[KERNELS][MOST_RUNS];
    const struct rci_conv_geometry *g = &b->g;
    const double macs = (double) (g->batch * g->in_channels * g->out_channels * g->kernel[0] *
                                  g->kernel[1] * g->out[0] * g->out[1]);
    for (int i = -2; i < runs; i++)
        for (int k = 0; k < KERNELS; k++) {
            if (!b->name[k])
                continue;
            const uint64_t begin = rci_clock_ns();
            run(b, k);
            if (i >= 0)
                ns[k][i] = rci_clock_ns() - begin;
        }
    for (int k = 0; k < KERNELS; k++) {
        if (!b->name[k])
            continue;
        qsort(ns[k], (size_t) runs, sizeof(ns[k][0]), by_time);
        const double t = (double) ns[k][runs / 2];
        printf("%-20s %8.3f ms (least %8.3f) %7.1f GMAC/s   difference %.1e\n", b->name[k], t / 1e6,
               (double) ns[k][0] / 1e6, macs / t, difference(b, k));
    }
}

static void close_bench(struct bench *b)
{
    rci_prim_clear(&b->prim);
    for (int k = 0; k < KERNELS; k++) {
        if (b->own[k])
            b->own[k]->free(b->state[k]);
        rci_release(b->dst[k]);
        rci_release(b->weights[k]);
        rci_release(b->scratch[k]);
    }
    rci_release(b->src);
    rci_release(b->bias);
    rci_engine_free(b->engine);
    test_context_done(b->ctx);
}

int main(int argc, char **argv)
{
    int64_t v[7] = {0, 0, 0, 0, 0, 0, 21};
    for (int i = 1; i < argc && i <= 7; i++)
        v[i - 1] = strtol(argv[i], NULL, 10);
    const int64_t side = v[2], window = v[4], stride = v[5], runs = v[6], pad = window / 2;
    for (int i = 0; i < 7; i++)
        if (v[i] < 1 || runs > MOST_RUNS) {
            fprintf(stderr, "usage: conv_kernels BATCH IN SIDE OUT WINDOW STRIDE [RUNS]\n");
            return 2;
        }
    const int64_t out = (side + 2 * pad - window) / stride + 1;
    struct bench b = {.g = {v[0],
                            v[1],
                            v[3],
                            1,
                            {side, side},
                            {out, out},
                            {window, window},
                            {stride, stride},
                            {1, 1},
                            {pad, pad},
                            {pad, pad}}};
    b.ctx = test_context();
    OK(rci_engine_new(&b.engine, b.ctx));
    float *plain = buffer(&b, (size_t) (v[1] * v[3] * window * window) * sizeof(float));
    b.bias = buffer(&b, (size_t) (v[3] + 64) * sizeof(float));
    open_onednn(&b, plain);
    open_own(&b, plain);
    for (int k = 0; k < KERNELS; k++)
        b.dst[k] = buffer(&b, b.dst_bytes);
    compare(&b, (int) runs);
    rci_release(plain);
    close_bench(&b);
    return 0;
}
