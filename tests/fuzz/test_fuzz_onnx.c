/* A short, repeatable run of the importer's fuzz target: small models with bytes changed, cut,
 * doubled and mixed. Longer runs use libFuzzer (docs/onnx.md). */
#include "test.h"

#include "base/rng.h"
#include "fuzz_onnx.c" /* the target itself */
#include "pb.h"

enum { SEEDS = 3, ROUNDS = 20000 };

static struct pb conv_seed(void)
{
    struct onnx_model m = onnx_model();
    struct pb conv = onnx_node("Conv", "conv", "x w", "c");
    onnx_attr_list(&conv, "pads", 1, 1, 1, 1);
    onnx_attr_int(&conv, "group", 1);
    onnx_add(&m, conv);
    onnx_add(&m, onnx_node("Relu", "relu", "c", "y"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1, 2, 1, 1}), 1, 2));
    onnx_input(&m, "x", "N,2,4,4");
    onnx_output(&m, "y", "?");
    return onnx_bytes(&m);
}

/* Shape -> Gather -> Unsqueeze -> Concat -> Reshape */
static struct pb chain_seed(void)
{
    struct onnx_model m = onnx_model();
    struct pb gather = onnx_node("Gather", "gather", "s zero", "n"),
              concat = onnx_node("Concat", "concat", "n1 rest", "shape");
    const int64_t zero = 0;
    onnx_attr_int(&gather, "axis", 0);
    onnx_attr_int(&concat, "axis", 0);
    onnx_add(&m, onnx_node("Shape", "shape", "x", "s"));
    onnx_add(&m, gather);
    onnx_add(&m, onnx_node("Unsqueeze", "unsqueeze", "n zeros", "n1"));
    onnx_add(&m, concat);
    onnx_add(&m, onnx_node("Reshape", "reshape", "x shape", "y"));
    onnx_initializer(&m, onnx_tensor("zero", 7, 0, NULL, &zero, 8));
    onnx_initializer(&m, onnx_int64s("zeros", 0));
    onnx_initializer(&m, onnx_int64s("rest", -1));
    onnx_input(&m, "x", "N,2,3");
    onnx_output(&m, "y", "?");
    return onnx_bytes(&m);
}

static struct pb slice_seed(void)
{
    struct onnx_model m = onnx_model();
    struct pb pad = onnx_node("Pad", "pad", "a pads", "b");
    onnx_attr_string(&pad, "mode", "constant");
    onnx_add(&m, onnx_node("Slice", "slice", "x starts ends axes steps", "a"));
    onnx_add(&m, pad);
    onnx_add(&m, onnx_node("Add", "add", "b k", "y"));
    struct pb of = onnx_node("ConstantOfShape", "fill", "dims", "k");
    onnx_attr_tensor(&of, "value", onnx_floats("", ((int64_t[]){1}), 0.5f));
    onnx_add(&m, of);
    onnx_initializer(&m, onnx_int64s("starts", 0));
    onnx_initializer(&m, onnx_int64s("ends", 9));
    onnx_initializer(&m, onnx_int64s("axes", 1));
    onnx_initializer(&m, onnx_int64s("steps", 2));
    onnx_initializer(&m, onnx_int64s("pads", 0, 1, 0, 1));
    onnx_initializer(&m, onnx_int64s("dims", 1, 5));
    onnx_input(&m, "x", "N,6");
    onnx_output(&m, "y", "?");
    return onnx_bytes(&m);
}

static void put(struct pb *p, const struct pb *from, size_t at, size_t n)
{
    pb_raw(p, from->data + at, n);
}

static struct pb mutate(const struct pb *seed, struct rci_rng *r)
{
    struct pb p = {0};
    put(&p, seed, 0, seed->size);
    for (uint32_t edits = 1 + rci_rng_below(r, 4); edits; edits--) {
        const uint32_t at = rci_rng_below(r, (uint32_t) p.size);
        struct pb q = {0};
        switch (rci_rng_below(r, 5)) {
        case 0: /* one bit */
            p.data[at] ^= (uint8_t) (1u << rci_rng_below(r, 8));
            break;
        case 1: /* one byte, often a telling one */
            p.data[at] =
                (uint8_t[]){0, 1, 0x7f, 0x80, 0xff, (uint8_t) rci_rng_u32(r)}[rci_rng_below(r, 6)];
            break;
        case 2: /* shorter, length fields left as they are */
            put(&q, &p, 0, at);
            put(&q, &p, at + 1, p.size - at - 1);
            pb_free(&p);
            p = q;
            break;
        case 3: { /* a piece moved over another */
            const uint32_t n = rci_rng_below(r, 24), to = rci_rng_below(r, (uint32_t) p.size);
            for (uint32_t i = 0; i < n && at + i < p.size && to + i < p.size; i++)
                p.data[to + i] = p.data[at + i];
            break;
        }
        default: /* a number made larger */
            p.data[at] = (uint8_t) (p.data[at] + 1 + rci_rng_below(r, 3));
        }
        if (!p.size)
            break;
    }
    return p;
}

static void mutated_models_neither_crash_nor_leak(void **state)
{
    (void) state;
    struct pb seed[SEEDS] = {conv_seed(), chain_seed(), slice_seed()};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct rci_rng r = rci_rng_make(1, 2, i);
        struct pb p = mutate(&seed[i % SEEDS], &r);
        assert_int_equal(LLVMFuzzerTestOneInput(p.data, p.size), 0);
        pb_free(&p);
    }
    for (int i = 0; i < SEEDS; i++)
        pb_free(&seed[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_models_neither_crash_nor_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
