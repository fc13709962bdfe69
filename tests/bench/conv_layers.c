/* One 3x3 layer in all three passes: Winograd beside oneDNN's direct convolution, in the layouts of
 * training, alternating; medians in ms.
 *
 *     conv_layers BATCH CHANNELS SIDE [RUNS]
 *
 * Threads by OMP_NUM_THREADS, instruction set by ONEDNN_MAX_CPU_ISA. */
#include "base/file.h"
#include "kernel/onednn/onednn.h"
#include "kernel/winograd/winograd.h"
#include "nets.h"
#include "test.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 3, MOST_RUNS = 1000 };
static const char *const pass_name[PASSES] = {"forward", "backward data", "backward weights"};

struct layer {
    struct rci_engine *engine;
    struct rc_context *ctx;
    struct rci_conv_geometry g;
    const struct rci_md *src, *dst;
    void *forward, *data; /* states of rci_winograd_kernel */
    struct rci_winograd_grad *weights;
    struct rci_prim direct[PASSES];
    void *handle[PASSES][3];
    float *plain, *packed;
    void *scratch;
};

static void *buffer(struct layer *l, size_t bytes)
{
    float *p = rci_alloc(l->ctx, bytes);
    assert_non_null(p);
    fill_random(p, (int64_t) (bytes / sizeof(float)), 1);
    return p;
}

static const struct rci_md *asked(struct layer *l, const_dnnl_primitive_desc_t pd,
                                  dnnl_query_t what)
{
    const struct rci_md *md;
    OK(rci_md_query(l->engine, pd, what, 0, &md));
    return md;
}

/* Arguments in the order of the pass: what it reads, what it reads, what it writes. */
static void bind(struct layer *l, int pass, const int arg[3], const struct rci_md *const md[3])
{
    for (int i = 0; i < 3; i++) {
        OK(rci_prim_bind(&l->direct[pass], arg[i], md[i]));
        l->handle[pass][i] = buffer(l, rci_md_bytes(md[i]));
    }
}

static void open_direct(struct layer *l)
{
    struct rci_conv_request r = {.geometry = &l->g, .prop = dnnl_forward_training};
    dnnl_primitive_desc_t pd;
    OK(rci_conv_describe(&pd, l->engine, &r));
    OK(rci_prim_init(&l->direct[0], l->engine, pd));
    l->src = r.src = asked(l, pd, dnnl_query_src_md);
    l->dst = r.dst = asked(l, pd, dnnl_query_dst_md);
    bind(l, 0, (int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
         (const struct rci_md *[]){l->src, asked(l, pd, dnnl_query_weights_md), l->dst});
    r.hint = pd;
    r.prop = dnnl_backward_data;
    OK(rci_conv_describe(&pd, l->engine, &r));
    OK(rci_prim_init(&l->direct[1], l->engine, pd));
    bind(l, 1, (int[]){DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC},
         (const struct rci_md *[]){l->dst, asked(l, pd, dnnl_query_weights_md), l->src});
    r.prop = dnnl_backward_weights;
    OK(rci_conv_describe(&pd, l->engine, &r));
    OK(rci_prim_init(&l->direct[2], l->engine, pd));
    bind(l, 2, (int[]){DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS},
         (const struct rci_md *[]){l->src, l->dst, asked(l, pd, dnnl_query_diff_weights_md)});
}

static void open_winograd(struct layer *l)
{
    const struct rci_conv_spec s = {.geometry = &l->g,
                                    .src = l->src,
                                    .dst = l->dst,
                                    .threads = (uint32_t) omp_get_max_threads(),
                                    .cpu = l->ctx->cpu};
    OK(rci_winograd_kernel.create(&l->forward, l->ctx, &s));
    OK(rci_winograd_create_data(&l->data, l->ctx, &s));
    OK(rci_winograd_grad_new(&l->weights, l->ctx, &s));
    size_t most = rci_winograd_kernel.scratch(l->forward);
    const size_t other[] = {rci_winograd_kernel.scratch(l->data),
                            rci_winograd_grad_scratch(l->weights), l->direct[0].scratch,
                            l->direct[1].scratch, l->direct[2].scratch};
    for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
        most = other[i] > most ? other[i] : most;
    l->plain = buffer(l, (size_t) (9 * l->g.in_channels * l->g.out_channels) * sizeof(float));
    l->packed = buffer(l, rci_winograd_kernel.weights_bytes(l->forward));
    l->scratch = buffer(l, most + sizeof(float));
}

/* As in a training step: packing is part of the pass. */
static void run_winograd(struct layer *l, int pass)
{
    if (pass == 2) {
        rci_winograd_grad_run(l->weights, &(struct rci_winograd_grad_args){.src = l->handle[2][0],
                                                                           .d_dst = l->handle[2][1],
                                                                           .d_weights = l->plain,
                                                                           .scratch = l->scratch});
        return;
    }
    const void *w = pass ? l->data : l->forward;
    rci_winograd_kernel.pack_weights(w, l->plain, l->packed);
    rci_winograd_kernel.run(w, &(struct rci_conv_args){.src = l->handle[pass][0],
                                                       .weights = l->packed,
                                                       .dst = l->handle[pass][2],
                                                       .scratch = l->scratch});
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

static void compare(struct layer *l, int pass, int runs)
{
    static uint64_t ns[2][MOST_RUNS];
    for (int i = -2; i < runs; i++)
        for (int k = 0; k < 2; k++) {
            const uint64_t begin = rci_clock_ns();
            if (k == 0)
                run_winograd(l, pass);
            else
                OK(rci_prim_run(&l->direct[pass], l->handle[pass], l->scratch));
            if (i >= 0)
                ns[k][i] = rci_clock_ns() - begin;
        }
    for (int k = 0; k < 2; k++)
        qsort(ns[k], (size_t) runs, sizeof(ns[k][0]), by_time);
    const double a = (double) ns[0][runs / 2] / 1e6, b = (double) ns[1][runs / 2] / 1e6;
    printf("%-17s %-16s %8.3f   %-28s %8.3f   %.2f\n", pass_name[pass],
           rci_winograd_kernel.text(l->forward), a, rci_prim_name(&l->direct[pass]), b, a / b);
}

static void close_layer(struct layer *l)
{
    for (int p = 0; p < PASSES; p++) {
        rci_prim_clear(&l->direct[p]);
        for (int i = 0; i < 3; i++)
            rci_release(l->handle[p][i]);
    }
    rci_winograd_kernel.free(l->forward);
    rci_winograd_kernel.free(l->data);
    rci_winograd_grad_free(l->weights);
    rci_release(l->plain);
    rci_release(l->packed);
    rci_release(l->scratch);
    rci_engine_free(l->engine);
    test_context_done(l->ctx);
}

int main(int argc, char **argv)
{
    const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    const long c = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    const long side = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    const long runs = argc > 4 ? strtol(argv[4], NULL, 10) : 15;
    if (n < 1 || c < 1 || side < 1 || runs < 1 || runs > MOST_RUNS) {
        fprintf(stderr, "usage: conv_layers BATCH CHANNELS SIDE [RUNS]; RUNS up to %d\n",
                MOST_RUNS);
        return 2;
    }
    struct layer l = {
        .g = {n, c, c, 1, {side, side}, {side, side}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}};
    l.ctx = test_context();
    OK(rci_engine_new(&l.engine, l.ctx));
    open_direct(&l);
    open_winograd(&l);
    printf("%ld images, %ld channels, %ldx%ld, %d threads: Winograd, oneDNN [ms], ratio\n", n, c,
           side, side, omp_get_max_threads());
    for (int p = 0; p < PASSES; p++)
        compare(&l, p, (int) runs);
    close_layer(&l);
    return 0;
}
