#ifndef RC_LIB_FIT_MOMENTS_H
#define RC_LIB_FIT_MOMENTS_H
/* First and second moments of what a layer reads (x, `d` numbers per output position: channel by
 * channel, each with its taps) and of what it should give (t, `o` numbers). From them follow the
 * least-squares weights and the error of any weights, without going back to the data. */
#include "graph/graph.h"

struct rci_moments {
    struct rc_context *ctx;
    size_t d, o;
    uint64_t n;         /* positions seen */
    double *xx, *xt;    /* [d][d], [d][o] */
    double *x, *t, *tt; /* [d], [o], [o] */
    float *product;     /* scratch [d][max(d, o)] */
};

/* o may be 0: only x. RC_ERR_UNSUPPORTED above RC_MOMENTS_MAX numbers per position. */
enum { RC_MOMENTS_MAX = 8192 };
rc_status rci_moments_new(struct rci_moments *m, struct rc_context *ctx, size_t d, size_t o);
void rci_moments_free(struct rci_moments *m);
/* x: [rows][d], t: [rows][o] */
rc_status rci_moments_add(struct rci_moments *m, const float *x, const float *t, size_t rows);
/* Sums become means and covariances; once, after the last add. */
void rci_moments_finish(struct rci_moments *m);

/* Weights w: [d][o] that minimise the mean squared error to t, with the best shift, plus
 * ridge * mean(diag xx) times the squared distance to the weights that `w` holds on entry: the
 * error can therefore only fall. */
rc_status rci_moments_solve(const struct rci_moments *m, double ridge, double *w);
/* Mean squared error per output of w with its best shift, and variance of x'w; NULL: not wanted. */
rc_status rci_moments_measure(const struct rci_moments *m, const double *w, double *error,
                              double *variance);
#endif
