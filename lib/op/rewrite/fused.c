/* What ONNX Runtime's optimizer makes of several nodes (domain com.microsoft), read as those. */
#include "op/rewrite/rules.h"

#include <string.h>

static const char ms[] = "com.microsoft";

static rc_status refuse(const struct rci_rule_call *c, const char *what, const char *value)
{
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": %s with %s \"%.40s\" is not supported",
                    rci_rule_label(c), c->from->op_type, what, value);
}

/* activation_params of FusedConv, activation_alpha ... of FusedGemm */
static float parameter(const struct rci_rule_call *c, size_t k, float def)
{
    static const char *const names[] = {"activation_alpha", "activation_beta"};
    const Onnx__AttributeProto *a = rci_rule_attr(c, "activation_params");
    if (a && k < a->n_floats)
        return a->floats[k];
    return rci_rule_float(c, names[k], def);
}

static void clip(struct rci_rule_call *c, const char *out, const char *x)
{
    const float lo = parameter(c, 0, 0), hi = parameter(c, 1, 6);
    if (rci_rule_opset(c) >= 11) {
        const char *low = rci_rule_scalar(c, lo), *high = rci_rule_scalar(c, hi);
        RC_MAKE(c, "Clip", out, x, low, high);
        return;
    }
    const struct rci_made m = RC_MAKE(c, "Clip", out, x);
    rci_made_float(c, m, "min", lo);
    rci_made_float(c, m, "max", hi);
}

static rc_status activation(struct rci_rule_call *c, const char *x, const char *out)
{
    const char *kind = rci_rule_text(c, "activation");
    if (!strcmp(kind, "Clip")) {
        clip(c, out, x);
    } else if (!strcmp(kind, "LeakyRelu")) {
        rci_made_float(c, RC_MAKE(c, "LeakyRelu", out, x), "alpha", parameter(c, 0, 0.01f));
    } else if (!strcmp(kind, "HardSigmoid")) {
        const struct rci_made m = RC_MAKE(c, "HardSigmoid", out, x);
        rci_made_float(c, m, "alpha", parameter(c, 0, 0.2f));
        rci_made_float(c, m, "beta", parameter(c, 1, 0.5f));
    } else if (!strcmp(kind, "Relu")) {
        RC_MAKE(c, "Relu", out, x);
    } else if (!strcmp(kind, "Sigmoid")) {
        RC_MAKE(c, "Sigmoid", out, x);
    } else if (!strcmp(kind, "Tanh")) {
        RC_MAKE(c, "Tanh", out, x);
    } else {
        return refuse(c, "activation", kind);
    }
    return RC_OK;
}

static const char *const activation_attrs[] = {"activation",       "activation_params",
                                               "activation_alpha", "activation_beta",
                                               "activation_gamma", NULL};

/* y = activation(x * w + b + z) */
static rc_status fusedconv_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 2));
    const char *out = rci_rule_out(c, 0), *z = rci_rule_in(c, 3);
    const bool active = *rci_rule_text(c, "activation") != 0;
    const struct rci_made conv = RC_MAKE(c, "Conv", active || z ? NULL : out, rci_rule_in(c, 0),
                                         rci_rule_in(c, 1), rci_rule_in(c, 2));
    rci_made_copy(c, conv, activation_attrs);
    const char *at = conv.out;
    if (z)
        at = RC_MAKE(c, "Add", active ? NULL : out, at, z).out;
    return active ? activation(c, at, out) : RC_OK;
}

static rc_status fusedgemm_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 2));
    const char *out = rci_rule_out(c, 0);
    const bool active = *rci_rule_text(c, "activation") != 0;
    const struct rci_made gemm = RC_MAKE(c, "Gemm", active ? NULL : out, rci_rule_in(c, 0),
                                         rci_rule_in(c, 1), rci_rule_in(c, 2));
    rci_made_copy(c, gemm, activation_attrs);
    return active ? activation(c, gemm.out, out) : RC_OK;
}

/* The last two axes of a constant exchanged; of other operands the rank is not known here. */
static rc_status transposed(struct rci_rule_call *c, size_t k, const char *attr, const char **x)
{
    const struct rci_tensor *t = rci_rule_const(c, *x = rci_rule_in(c, k));
    int64_t perm[RC_MAX_DIMS];
    if (!rci_rule_int(c, attr, 0))
        return RC_OK;
    if (!t || t->shape.rank < 2)
        return refuse(c, "an operand that is no constant and", attr);
    for (uint32_t a = 0; a < t->shape.rank; a++)
        perm[a] = a;
    perm[t->shape.rank - 2] = t->shape.rank - 1;
    perm[t->shape.rank - 1] = t->shape.rank - 2;
    const struct rci_made m = RC_MAKE(c, "Transpose", NULL, *x);
    rci_made_ints(c, m, "perm", perm, t->shape.rank);
    *x = m.out;
    return RC_OK;
}

static rc_status fusedmatmul_rule(struct rci_rule_call *c)
{
    const char *a, *b, *out = rci_rule_out(c, 0);
    const float alpha = rci_rule_float(c, "alpha", 1);
    RC_TRY(rci_rule_need(c, 2));
    if (rci_rule_int(c, "transBatchA", 0) || rci_rule_int(c, "transBatchB", 0))
        return refuse(c, "attribute", "transBatchA or transBatchB");
    RC_TRY(transposed(c, 0, "transA", &a));
    RC_TRY(transposed(c, 1, "transB", &b));
    const char *product = RC_MAKE(c, "MatMul", alpha == 1 ? out : NULL, a, b).out;
    if (alpha != 1)
        RC_MAKE(c, "Mul", out, product, rci_rule_scalar(c, alpha));
    return RC_OK;
}

/* x/2 * (1 + erf(x / sqrt 2)), as exporters write it before opset 20 */
static rc_status gelu(struct rci_rule_call *c, const char *x)
{
    const char *arg = RC_MAKE(c, "Mul", NULL, x, rci_rule_scalar(c, 0.70710678118654752f)).out;
    const char *erf = RC_MAKE(c, "Erf", NULL, arg).out;
    const char *one = RC_MAKE(c, "Add", NULL, erf, rci_rule_scalar(c, 1)).out;
    const char *half = RC_MAKE(c, "Mul", NULL, x, rci_rule_scalar(c, 0.5f)).out;
    RC_MAKE(c, "Mul", rci_rule_out(c, 0), half, one);
    return RC_OK;
}

static const char *biased(struct rci_rule_call *c)
{
    const char *x = rci_rule_in(c, 0), *b = rci_rule_in(c, 1);
    return b ? RC_MAKE(c, "Add", NULL, x, b).out : x;
}

static rc_status gelu_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 1));
    return gelu(c, biased(c));
}

/* x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) = x/2 * (1 + tanh(x * (k + 0.044715 k x^2))) */
static rc_status fastgelu_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 1));
    const char *x = biased(c), *square = RC_MAKE(c, "Mul", NULL, x, x).out;
    const char *cube =
        RC_MAKE(c, "Mul", NULL, square, rci_rule_scalar(c, 0.035677408136300125f)).out;
    const char *sum = RC_MAKE(c, "Add", NULL, cube, rci_rule_scalar(c, 0.79788456080286536f)).out;
    const char *arg = RC_MAKE(c, "Mul", NULL, x, sum).out;
    const char *tanh = RC_MAKE(c, "Tanh", NULL, arg).out;
    const char *one = RC_MAKE(c, "Add", NULL, tanh, rci_rule_scalar(c, 1)).out;
    const char *half = RC_MAKE(c, "Mul", NULL, x, rci_rule_scalar(c, 0.5f)).out;
    RC_MAKE(c, "Mul", rci_rule_out(c, 0), half, one);
    return RC_OK;
}

/* x * sigmoid(alpha x); Swish of opset 24 has alpha 1 */
static rc_status swish(struct rci_rule_call *c, float alpha)
{
    RC_TRY(rci_rule_need(c, 1));
    const char *x = rci_rule_in(c, 0), *arg = x;
    if (alpha != 1)
        arg = RC_MAKE(c, "Mul", NULL, x, rci_rule_scalar(c, alpha)).out;
    RC_MAKE(c, "Mul", rci_rule_out(c, 0), x, RC_MAKE(c, "Sigmoid", NULL, arg).out);
    return RC_OK;
}

static rc_status quickgelu_rule(struct rci_rule_call *c)
{
    return swish(c, rci_rule_float(c, "alpha", 1.702f));
}

static rc_status swish_rule(struct rci_rule_call *c)
{
    return swish(c, rci_rule_float(c, "alpha", 1));
}

const struct rci_rule rci_rules_fused[] = {
    {ms, "FusedConv", fusedconv_rule, "Conv, Add, activation"},
    {ms, "FusedGemm", fusedgemm_rule, "Gemm, activation"},
    {ms, "FusedMatMul", fusedmatmul_rule, "Transpose, MatMul, Mul"},
    {ms, "Gelu", gelu_rule, "Mul, Erf, Add"},
    {ms, "BiasGelu", gelu_rule, "Add, Mul, Erf"},
    {ms, "FastGelu", fastgelu_rule, "Add, Mul, Tanh"},
    {ms, "QuickGelu", quickgelu_rule, "Sigmoid, Mul"},
    {"", "Swish", swish_rule, "Sigmoid, Mul"},
    {0},
};
