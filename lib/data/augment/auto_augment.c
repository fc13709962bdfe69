/* One of 25 found policies, uniform: two operations, each with its probability and magnitude of 10.
 */
#include "data/augment/operation.h"

#include <stddef.h>

enum { POLICY = 25, BINS = 10 };

struct params {
    int64_t bilinear;
};

struct rule {
    enum rci_operation op;
    uint8_t tenths; /* its probability */
    uint8_t bin;
};

static const struct rule cifar10[POLICY][2] = {
    {{RC_OPERATION_INVERT, 1, 0}, {RC_OPERATION_CONTRAST, 2, 6}},
    {{RC_OPERATION_ROTATE, 7, 2}, {RC_OPERATION_TRANSLATE_X, 3, 9}},
    {{RC_OPERATION_SHARPNESS, 8, 1}, {RC_OPERATION_SHARPNESS, 9, 3}},
    {{RC_OPERATION_SHEAR_Y, 5, 8}, {RC_OPERATION_TRANSLATE_Y, 7, 9}},
    {{RC_OPERATION_AUTO_CONTRAST, 5, 0}, {RC_OPERATION_EQUALIZE, 9, 0}},
    {{RC_OPERATION_SHEAR_Y, 2, 7}, {RC_OPERATION_POSTERIZE, 3, 7}},
    {{RC_OPERATION_COLOR, 4, 3}, {RC_OPERATION_BRIGHTNESS, 6, 7}},
    {{RC_OPERATION_SHARPNESS, 3, 9}, {RC_OPERATION_BRIGHTNESS, 7, 9}},
    {{RC_OPERATION_EQUALIZE, 6, 0}, {RC_OPERATION_EQUALIZE, 5, 0}},
    {{RC_OPERATION_CONTRAST, 6, 7}, {RC_OPERATION_SHARPNESS, 6, 5}},
    {{RC_OPERATION_COLOR, 7, 7}, {RC_OPERATION_TRANSLATE_X, 5, 8}},
    {{RC_OPERATION_EQUALIZE, 3, 0}, {RC_OPERATION_AUTO_CONTRAST, 4, 0}},
    {{RC_OPERATION_TRANSLATE_Y, 4, 3}, {RC_OPERATION_SHARPNESS, 2, 6}},
    {{RC_OPERATION_BRIGHTNESS, 9, 6}, {RC_OPERATION_COLOR, 2, 8}},
    {{RC_OPERATION_SOLARIZE, 5, 2}, {RC_OPERATION_INVERT, 0, 0}},
    {{RC_OPERATION_EQUALIZE, 2, 0}, {RC_OPERATION_AUTO_CONTRAST, 6, 0}},
    {{RC_OPERATION_EQUALIZE, 2, 0}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_COLOR, 9, 9}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_AUTO_CONTRAST, 8, 0}, {RC_OPERATION_SOLARIZE, 2, 8}},
    {{RC_OPERATION_BRIGHTNESS, 1, 3}, {RC_OPERATION_COLOR, 7, 0}},
    {{RC_OPERATION_SOLARIZE, 4, 5}, {RC_OPERATION_AUTO_CONTRAST, 9, 0}},
    {{RC_OPERATION_TRANSLATE_Y, 9, 9}, {RC_OPERATION_TRANSLATE_Y, 7, 9}},
    {{RC_OPERATION_AUTO_CONTRAST, 9, 0}, {RC_OPERATION_SOLARIZE, 8, 3}},
    {{RC_OPERATION_EQUALIZE, 8, 0}, {RC_OPERATION_INVERT, 1, 0}},
    {{RC_OPERATION_TRANSLATE_Y, 7, 9}, {RC_OPERATION_AUTO_CONTRAST, 9, 0}},
};
static const struct rule imagenet[POLICY][2] = {
    {{RC_OPERATION_POSTERIZE, 4, 8}, {RC_OPERATION_ROTATE, 6, 9}},
    {{RC_OPERATION_SOLARIZE, 6, 5}, {RC_OPERATION_AUTO_CONTRAST, 6, 0}},
    {{RC_OPERATION_EQUALIZE, 8, 0}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_POSTERIZE, 6, 7}, {RC_OPERATION_POSTERIZE, 6, 6}},
    {{RC_OPERATION_EQUALIZE, 4, 0}, {RC_OPERATION_SOLARIZE, 2, 4}},
    {{RC_OPERATION_EQUALIZE, 4, 0}, {RC_OPERATION_ROTATE, 8, 8}},
    {{RC_OPERATION_SOLARIZE, 6, 3}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_POSTERIZE, 8, 5}, {RC_OPERATION_EQUALIZE, 10, 0}},
    {{RC_OPERATION_ROTATE, 2, 3}, {RC_OPERATION_SOLARIZE, 6, 8}},
    {{RC_OPERATION_EQUALIZE, 6, 0}, {RC_OPERATION_POSTERIZE, 4, 6}},
    {{RC_OPERATION_ROTATE, 8, 8}, {RC_OPERATION_COLOR, 4, 0}},
    {{RC_OPERATION_ROTATE, 4, 9}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_EQUALIZE, 0, 0}, {RC_OPERATION_EQUALIZE, 8, 0}},
    {{RC_OPERATION_INVERT, 6, 0}, {RC_OPERATION_EQUALIZE, 10, 0}},
    {{RC_OPERATION_COLOR, 6, 4}, {RC_OPERATION_CONTRAST, 10, 8}},
    {{RC_OPERATION_ROTATE, 8, 8}, {RC_OPERATION_COLOR, 10, 2}},
    {{RC_OPERATION_COLOR, 8, 8}, {RC_OPERATION_SOLARIZE, 8, 7}},
    {{RC_OPERATION_SHARPNESS, 4, 7}, {RC_OPERATION_INVERT, 6, 0}},
    {{RC_OPERATION_SHEAR_X, 6, 5}, {RC_OPERATION_EQUALIZE, 10, 0}},
    {{RC_OPERATION_COLOR, 4, 0}, {RC_OPERATION_EQUALIZE, 6, 0}},
    {{RC_OPERATION_EQUALIZE, 4, 0}, {RC_OPERATION_SOLARIZE, 2, 4}},
    {{RC_OPERATION_SOLARIZE, 6, 5}, {RC_OPERATION_AUTO_CONTRAST, 6, 0}},
    {{RC_OPERATION_INVERT, 6, 0}, {RC_OPERATION_EQUALIZE, 10, 0}},
    {{RC_OPERATION_COLOR, 6, 4}, {RC_OPERATION_CONTRAST, 10, 8}},
    {{RC_OPERATION_EQUALIZE, 8, 0}, {RC_OPERATION_EQUALIZE, 6, 0}},
};

static void policy_apply(const struct rule policy[POLICY][2], const struct params *p,
                         struct rci_augment_image *image, struct rci_rng *rng)
{
    const struct rci_operation_range range = rci_operation_usual_range(image);
    const struct rule *rule = policy[rci_rng_below(rng, POLICY)];
    for (int i = 0; i < 2; i++) {
        const uint32_t bin[2] = {rule[i].bin, BINS};
        if (rci_rng_uniform(rng) * 10 < rule[i].tenths)
            rci_operation_random(image, &range, rule[i].op, bin, p->bilinear, rng);
    }
}

static void cifar10_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    policy_apply(cifar10, params, image, rng);
}

static void imagenet_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    policy_apply(imagenet, params, image, rng);
}

static const struct rci_param table[] = {
    {"bilinear", "interpolate when shearing and rotating; else the nearest pixel", RC_PARAM_BOOL,
     offsetof(struct params, bilinear), 0, 0, 1},
};

const struct rci_augmentation rci_augment_auto_augment_cifar10 = {
    .m = {.name = "auto-augment-cifar10",
          .summary = "the AutoAugment policies found on CIFAR-10",
          .source = "Cubuk et al., AutoAugment, CVPR 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .apply = cifar10_apply,
    .flags = RC_AUGMENT_U8,
};

const struct rci_augmentation rci_augment_auto_augment_imagenet = {
    .m = {.name = "auto-augment-imagenet",
          .summary = "the AutoAugment policies found on ImageNet",
          .source = "Cubuk et al., AutoAugment, CVPR 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .apply = imagenet_apply,
    .flags = RC_AUGMENT_U8,
};
