#include "quantnets.h"
#include "nets.h"

#include <math.h>

static int32_t get_image(void *user, uint64_t index, void *image, int32_t *label)
{
    const struct source *s = user;
    *label = (int32_t) (index % 5);
    if (!image)
        return 0;
    float *x = image;
    fill_random(x, s->pixels, 1000 + index);
    for (int64_t i = 0; i < s->pixels; i++)
        x[i] = s->positive ? fabsf(x[i]) : x[i];
    if (s->poison && index == 7)
        x[5] = NAN;
    return 0;
}

rc_dataset *quant_dataset(struct rc_context *c, struct source *s, uint64_t h, uint64_t w)
{
    rc_dataset *d;
    s->pixels = (int64_t) (C * h * w);
    rc_dataset_source o = RC_DATASET_SOURCE_INIT;
    o.get = get_image;
    o.user = s;
    o.images = IMAGES;
    o.classes = 5;
    o.channels = C;
    o.height = h;
    o.width = w;
    o.type = RC_DATASET_F32;
    rc_dataset_options p = RC_DATASET_OPTIONS_INIT;
    for (int i = 0; i < C; i++)
        p.std[i] = 1;
    OK(rc_dataset_new_callback(&d, c, &o, &p));
    return d;
}

rc_quantizer *quant_new(const struct rc_graph *g, const char *observer, uint64_t flags)
{
    rc_quantizer *q;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.observer = observer;
    o.images = IMAGES;
    o.batch = 16;
    o.flags = flags;
    OK(rc_quantizer_new(&q, g, &o));
    return q;
}

struct rc_graph *quant_two_convs(struct rc_context *c, const float w[2], const float b[2])
{
    struct rc_graph *g;
    rci_id in, v[6], node;
    const struct rci_shape x = RC_SHAPE(1, 1, 2, 2), one = RC_SHAPE(1), k = RC_SHAPE(1, 1, 1, 1);
    OK(rci_graph_create(&g, c));
    OK(rci_graph_add_input(g, &in, "a: b (1)", RC_F32, &x));
    for (int i = 0; i < 2; i++) {
        float pair[2] = {w[i], b[i]};
        OK(rci_graph_add_const(g, &v[2 * i], i ? "w1" : "w0",
                               &(struct rci_tensor){RC_F32, k, &pair[0]}));
        OK(rci_graph_add_const(g, &v[2 * i + 1], i ? "b1" : "b0",
                               &(struct rci_tensor){RC_F32, one, &pair[1]}));
    }
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), "c0", NULL,
                          (rci_id[]){in, v[0], v[1]}, 3, NULL, 1));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Relu"), "r", NULL, g->nodes[node].out, 1,
                          NULL, 1));
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Conv"), "c1", NULL,
                          (rci_id[]){g->nodes[node].out[0], v[2], v[3]}, 3, NULL, 1));
    OK(rci_graph_set_outputs(g, g->nodes[node].out, 1));
    g->batch = 1;
    g->opset = 11;
    OK(rci_graph_infer(g));
    return g;
}
