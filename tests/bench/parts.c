/* A batch in parts of several sizes beside each other, in turn: which one is fastest, and which one
 * lib/exec/part.c takes (marked). Medians in ms.
 *
 *     parts NETWORK BATCH [PART ...]
 *
 * Threads by OMP_NUM_THREADS, what the choice takes the processor for by RESCOMP_CPU. */
#include "base/file.h"
#include "exec/session.h"
#include "nets.h"
#include "test.h"

#include <stdlib.h>

enum { MOST_PARTS = 16, ROUNDS = 25 };

struct way {
    struct rc_session *session;
    int64_t part;
    uint64_t ns[ROUNDS];
};

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static void measure(struct way *way, int n, int64_t batch, const float *x, float *y)
{
    for (int i = -2; i < ROUNDS; i++)
        for (int k = 0; k < n; k++) {
            const uint64_t begin = rci_clock_ns();
            OK(rci_session_run(way[k].session, batch, (const void *const[]){x},
                               (void *const[]){y}));
            if (i >= 0)
                way[k].ns[i] = rci_clock_ns() - begin;
        }
    for (int k = 0; k < n; k++)
        qsort(way[k].ns, ROUNDS, sizeof(way[k].ns[0]), by_time);
}

int main(int argc, char **argv)
{
    struct way way[MOST_PARTS];
    if (argc < 3 || argc - 3 >= MOST_PARTS) {
        fprintf(stderr, "usage: parts NETWORK BATCH [PART ...]\n");
        return 2;
    }
    const int64_t batch = atoll(argv[2]);
    const int n = argc - 2;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_zoo(c, argv[1], 1);
    for (int k = 0; k < n; k++) {
        const struct rci_session_config o = {.batch = batch, .part = k ? atoll(argv[k + 2]) : 0};
        OK(rci_session_new(&way[k].session, g, &o));
        way[k].part = rci_session_part(way[k].session);
    }
    const int64_t in = rci_shape_count(&rci_session_input(way[0].session, 0)->shape);
    float *x = calloc((size_t) in, sizeof(*x)), *y = calloc((size_t) batch * 1000, sizeof(*y));
    assert_true(x && y);
    fill_random(x, in, 1);
    measure(way, n, batch, x, y);
    for (int k = 0; k < n; k++) {
        printf("%s %lld in parts of %lld: %.3f%s\n", argv[1], (long long) batch,
               (long long) way[k].part, (double) way[k].ns[ROUNDS / 2] / 1e6, k ? "" : " chosen");
        rci_session_free(way[k].session);
    }
    free(x);
    free(y);
    rci_graph_free(g);
    test_context_done(c);
    return 0;
}
