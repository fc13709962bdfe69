/* Images from the caller's own code: a callback that draws discs and crosses. */
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 16, DISC = 0, CROSS = 1 };

struct shapes {
    uint64_t calls;
    uint64_t fails_at; /* this image cannot be delivered; UINT64_MAX: all can */
};

/* Image `index`, always the same: the library asks in any order, and again in every epoch. */
static int32_t draw(void *user, uint64_t index, void *image, int32_t *label)
{
    struct shapes *shapes = user;
    shapes->calls++;
    if (index == shapes->fails_at)
        return 1; /* anything but 0: the call that needed the image returns RC_ERR_DATA */
    *label = index % 2 ? CROSS : DISC;
    if (!image) /* only the label is wanted */
        return 0;
    unsigned char *pixel = image; /* [C, H, W] */
    const int x0 = 5 + (int) (index / 2 % 6), y0 = 5 + (int) (index / 12 % 6);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int dx = abs(x - x0), dy = abs(y - y0);
            const int inside =
                *label == DISC ? dx * dx + dy * dy <= 16 : dx * dy == 0 && dx + dy < 5;
            pixel[y * SIDE + x] = (unsigned char) (inside ? 220 : 20 + (x * 7 + y * 13) % 30);
        }
    return 0;
}

static rc_status open_shapes(rc_dataset **out, rc_context *context, struct shapes *shapes,
                             const char *split)
{
    rc_dataset_source source = RC_DATASET_SOURCE_INIT;
    source.get = draw;
    source.user = shapes; /* must live as long as the data set */
    source.images = 512;
    source.classes = 2;
    source.channels = 1;
    source.height = source.width = SIDE;
    source.type = RC_DATASET_U8; /* RC_DATASET_F32: values that are divided by 255 already */
    rc_dataset_options options = RC_DATASET_OPTIONS_INIT;
    options.split = split;
    options.holdout = 1;
    options.mean[0] = 0.2; /* input = (pixel / 255 - mean) / std */
    options.std[0] = 0.3;
    return rc_dataset_new_callback(out, context, &source, &options);
}

static rc_status learn(rc_context *context, rc_dataset *train_set, rc_dataset *calib)
{
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    network.classes = 2;
    network.channels = 1;
    network.height = network.width = SIDE;
    network.multiplier = 0.5;
    rc_train_options options = RC_TRAIN_OPTIONS_INIT;
    options.epochs = 3;
    options.batch = 32;
    options.validation = calib;
    rc_graph *graph = NULL;
    rc_trainer *trainer = NULL;
    rc_train_result result = RC_TRAIN_RESULT_INIT;
    rc_status status = rc_graph_new_network(&graph, context, "resnet8", &network);
    if (status == RC_OK)
        status = rc_trainer_new(&trainer, graph, train_set, &options);
    if (status == RC_OK)
        status = rc_trainer_run(trainer, &result);
    if (status == RC_OK)
        printf("after %" PRIu64 " steps: %.1f %% of held-out shapes told apart\n", result.steps,
               result.top1);
    rc_trainer_free(&trainer);
    rc_graph_free(&graph);
    return status;
}

int main(void)
{
    struct shapes shapes = {0, UINT64_MAX}, broken = {0, 100};
    rc_context *context = NULL;
    rc_dataset *train_set = NULL, *calib = NULL, *bad = NULL;
    float x[2 * SIDE * SIDE];
    int32_t y[2];
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = open_shapes(&train_set, context, &shapes, "train");
    if (status == RC_OK)
        status = open_shapes(&calib, context, &shapes, "calib");
    if (status == RC_OK)
        status = rc_dataset_read(train_set, 0, 2, x, y); /* as the network will see them */
    if (status == RC_OK)
        printf("%" PRIu64 " images to train with, %" PRIu64
               " held out; labels %d, %d; corner %.3f\n",
               rc_dataset_count_images(train_set), rc_dataset_count_images(calib), y[0], y[1],
               (double) x[0]);
    if (status == RC_OK)
        status = learn(context, train_set, calib);
    if (status == RC_OK)
        printf("the callback was called %" PRIu64 " times\n", shapes.calls);
    if (status == RC_OK)
        status = open_shapes(&bad, context, &broken, "test");
    if (status == RC_OK) { /* a failing callback is an error of the call, with the image's number */
        status = rc_dataset_get_label(bad, 100, y) == RC_ERR_DATA ? RC_OK : RC_ERR_STATE;
        printf("as it should: %s\n", rc_last_error());
    }
    if (status != RC_OK)
        fprintf(stderr, "08_custom_dataset: %s\n", rc_last_error());
    rc_dataset_free(&bad);
    rc_dataset_free(&calib);
    rc_dataset_free(&train_set);
    rc_context_free(&context);
    return status != RC_OK;
}
