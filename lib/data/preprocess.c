/* network input = (pixel / 255 - mean) / std per channel, after resize and centre crop.
 * Chosen from, in this order: the caller's options, a model's metadata, the kind's defaults. */
#include "data/preprocess.h"
#include "base/json.h"
#include "base/number.h"
#include <math.h>
#include <string.h>

static rc_status check_std(double v, uint32_t i)
{
    char text[RC_NUMBER_TEXT];
    if (isfinite(v) && v >= 1e-6 && v <= 1e6)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "std[%u] is %s, must be 1e-6..1e6", i, rci_number_text(v, text));
}

static rc_status check_mean(double v, uint32_t i)
{
    char text[RC_NUMBER_TEXT];
    if (isfinite(v) && fabs(v) <= 1e6)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "mean[%u] is %s, must be -1e6..1e6", i, rci_number_text(v, text));
}

static rc_status parse_list(const struct rci_json_value *root, const char *key, double *to,
                            uint32_t *n)
{
    const struct rci_json_value *list = rci_json_get(root, key);
    RC_TRY(rci_json_expect(list, RC_JSON_ARRAY, key));
    if (list->count < 1 || list->count > RC_PREPROCESS_CHANNELS)
        return rci_fail(RC_ERR_FORMAT, "\"%s\" has %u numbers, must have 1..%d", key, list->count,
                        RC_PREPROCESS_CHANNELS);
    *n = 0;
    for (const struct rci_json_value *v = list->first; v; v = v->next) {
        RC_TRY(rci_json_expect(v, RC_JSON_NUMBER, key));
        to[(*n)++] = v->number;
    }
    return RC_OK;
}

static rc_status parse_order(const char *text, bool *bgr)
{
    *bgr = strcmp(text, "bgr") == 0;
    if (*bgr || strcmp(text, "rgb") == 0)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "channels is \"%s\", must be \"rgb\" or \"bgr\"", text);
}

static rc_status parse_stats(struct rci_preprocess *p, const struct rci_json_value *root)
{
    uint32_t n;
    if (!rci_json_get(root, "mean") && !rci_json_get(root, "std"))
        return RC_OK;
    RC_TRY(parse_list(root, "mean", p->mean, &n));
    RC_TRY(parse_list(root, "std", p->std, &p->n_stats));
    if (n != p->n_stats)
        return rci_fail(RC_ERR_FORMAT, "\"mean\" has %u numbers, \"std\" %u", n, p->n_stats);
    for (uint32_t i = 0; i < n; i++) {
        RC_TRY(check_mean(p->mean[i], i));
        RC_TRY(check_std(p->std[i], i));
    }
    return RC_OK;
}

static rc_status parse_root(struct rci_preprocess *p, const struct rci_json_value *root)
{
    static const char *const keys[] = {"scale", "mean", "std", "channels", "resize", "crop", NULL};
    int64_t resize = p->resize, crop = p->crop;
    double scale = 1.0 / 255;
    const char *order = p->bgr ? "bgr" : "rgb";
    RC_TRY(rci_json_only_keys(root, keys, "preprocess"));
    RC_TRY(rci_json_read_number(root, "scale", 0, 1, &scale));
    if (fabs(scale * 255 - 1) > 1e-6)
        return rci_fail(RC_ERR_UNSUPPORTED, "\"scale\" is not 1/255");
    RC_TRY(parse_stats(p, root));
    RC_TRY(rci_json_read_text(root, "channels", &order));
    RC_TRY(parse_order(order, &p->bgr));
    RC_TRY(rci_json_read_integer(root, "resize", 0, RC_PREPROCESS_SIDE_MAX, &resize));
    RC_TRY(rci_json_read_integer(root, "crop", 0, RC_PREPROCESS_SIDE_MAX, &crop));
    p->resize = (uint32_t) resize;
    p->crop = (uint32_t) crop;
    return RC_OK;
}

static rc_status apply_metadata(struct rci_preprocess *p, struct rc_context *c, const char *text)
{
    static const char what[] = "preprocess metadata";
    struct rci_json *j;
    RC_TRY(rci_json_parse(&j, c, text, strlen(text), what));
    const rc_status st = parse_root(p, rci_json_root(j));
    rci_json_free(&j);
    return st == RC_OK ? st : rci_fail_prefix(st, "%s", what);
}

static rc_status apply_stats(struct rci_preprocess *p, const rc_dataset_options *o)
{
    p->n_stats = 0;
    for (uint32_t i = 0; i < RC_PREPROCESS_CHANNELS && o->std[i] != 0; i++, p->n_stats++) {
        RC_TRY(check_mean(o->mean[i], i));
        RC_TRY(check_std(o->std[i], i));
        p->mean[i] = o->mean[i];
        p->std[i] = o->std[i];
    }
    return RC_OK;
}

static rc_status check_side(const char *name, uint64_t v)
{
    if (v <= RC_PREPROCESS_SIDE_MAX)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s is %llu, must be 0..%d", name, (unsigned long long) v,
                    RC_PREPROCESS_SIDE_MAX);
}

rc_status rci_preprocess_choose(struct rci_preprocess *p, struct rc_context *c,
                                const rc_dataset_options *o)
{
    if (o->preprocess)
        RC_TRY(apply_metadata(p, c, o->preprocess));
    if (o->std[0] != 0)
        RC_TRY(apply_stats(p, o));
    if (o->channels)
        RC_TRY(parse_order(o->channels, &p->bgr));
    const bool as_is = o->resize == RC_ZERO;
    RC_TRY(check_side("resize", as_is ? 0 : o->resize));
    RC_TRY(check_side("crop", o->crop));
    if (as_is) {
        p->resize = 0;
        p->crop = o->crop ? (uint32_t) o->crop : p->crop;
    } else if (o->resize || o->crop) {
        /* the ratio that ImageNet networks use: 256 to 224 */
        const uint32_t keep = p->resize ? (uint32_t) ((o->crop * 8 + 6) / 7) : 0;
        p->resize = o->resize ? (uint32_t) o->resize : keep;
        p->crop = o->crop ? (uint32_t) o->crop : p->resize;
    }
    if (p->resize && !p->crop)
        p->crop = p->resize;
    if (p->resize && p->resize < p->crop)
        return rci_fail(RC_ERR_ARG, "crop is %u, must be at most resize, %u", p->crop, p->resize);
    return RC_OK;
}

static void default_stats(struct rci_preprocess *p, const struct rci_preprocess *defaults,
                          uint32_t channels, bool is_f32)
{
    static const struct rci_preprocess color = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 3},
                                       grey = {{0.5}, {0.5}, 1}, as_is = {{0}, {1}, 1};
    const struct rci_preprocess *from = defaults->n_stats ? defaults
                                        : is_f32          ? &as_is
                                        : channels == 3   ? &color
                                                          : &grey;
    p->n_stats = from->n_stats;
    for (uint32_t i = 0; i < p->n_stats; i++) {
        const uint32_t k = p->bgr && p->n_stats == 3 ? 2 - i : i;
        p->mean[i] = from->mean[k];
        p->std[i] = from->std[k];
    }
}

rc_status rci_preprocess_fit(struct rci_preprocess *p, const struct rci_preprocess *defaults,
                             uint32_t channels, bool is_f32)
{
    if (p->bgr && channels != 3)
        return rci_fail(RC_ERR_ARG, "channels is \"bgr\", but the images have %u channels",
                        channels);
    if (p->n_stats == 0)
        default_stats(p, defaults, channels, is_f32);
    if (p->n_stats == 1 || p->n_stats == channels)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "mean and std have %u values, must have 1 or one per channel, %u",
                    p->n_stats, channels);
}

static void put_list(struct rci_json_writer *w, const char *key, const double *v, uint32_t n)
{
    rci_json_begin_array(w, key);
    for (uint32_t i = 0; i < n; i++)
        rci_json_put_number(w, NULL, v[i]);
    rci_json_end_array(w);
}

rc_status rci_preprocess_text(char **out, struct rc_context *c, const struct rci_preprocess *p)
{
    struct rci_buffer b = {.ctx = c};
    struct rci_json_writer w = rci_json_writer_make(&b, true);
    rci_json_begin_object(&w, NULL);
    rci_json_put_number(&w, "scale", 1.0 / 255);
    put_list(&w, "mean", p->mean, p->n_stats);
    put_list(&w, "std", p->std, p->n_stats);
    rci_json_put_text(&w, "channels", p->bgr ? "bgr" : "rgb");
    rci_json_put_integer(&w, "resize", p->resize);
    rci_json_put_integer(&w, "crop", p->crop);
    rci_json_end_object(&w);
    rc_status st = rci_json_finish(&w);
    if (st == RC_OK)
        st = rci_buffer_append(&b, "", 1);
    if (st != RC_OK) {
        rci_buffer_free(&b);
        return st;
    }
    *out = (char *) b.data;
    return RC_OK;
}
