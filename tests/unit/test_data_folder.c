/* Class folders: decoding of every flavour of PNG and JPEG, resizing as Pillow does it, and bad
 * images. */
#include "check.h"
#include "data/image.h"
#include "files.h"

#include <rescomp/dataset.h>
#include <stdlib.h>
#include <zlib.h>
#ifdef RC_HAVE_PNG
#include <png.h>
#endif
#ifdef RC_HAVE_JPEG
#include <jpeglib.h>
#endif

static rc_context *context;
static const char *folder;

static int setup(void **state)
{
    (void) state;
    context = test_context();
    folder = scratch_folder();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    scratch_remove(folder);
    test_context_done(context);
    return 0;
}

static uint8_t pixel(uint32_t x, uint32_t y, uint32_t c)
{
    const uint32_t v[3] = {x * 37 + y * 91, x * x * 5 + y * 17, 255 - x * 11 - y * 3};
    return (uint8_t) v[c];
}

static struct rci_image pattern(uint32_t w, uint32_t h)
{
    struct rci_image image;
    OK(rci_image_new(context, &image, w, h));
    for (uint32_t i = 0; i < w * h * 3; i++)
        image.data[i] = pixel(i / 3 % w, i / 3 / w, i % 3);
    return image;
}

static void resizing_gives_the_bytes_of_pillow(void **state)
{
    (void) state;
    /* FNV-1a of Pillow 9.4's resize(BILINEAR) and torchvision's crop, planar */
    static const struct {
        uint32_t w, h, resize, crop;
        uint64_t hash;
    } rows[] = {
        {40, 30, 8, 6, UINT64_C(0x3fbf946df7c83730)},
        {30, 40, 8, 7, UINT64_C(0x292f3ca82aff890c)},
        {9, 7, 16, 11, UINT64_C(0xd8b81d66a2cba8f3)},
        {16, 16, 16, 16, UINT64_C(0xd932ecbe3755d685)},
        {301, 57, 20, 17, UINT64_C(0x8df3180bc6464fde)},
        {13, 200, 5, 5, UINT64_C(0xd198ae329db2f464)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rci_image image = pattern(rows[i].w, rows[i].h);
        const struct rci_image_cut cut = {rows[i].resize, rows[i].crop};
        uint8_t out[3 * 17 * 17];
        uint64_t h = UINT64_C(14695981039346656037);
        OK(rci_image_resize_crop(context, &image, &cut, out));
        for (uint32_t k = 0; k < 3 * cut.crop * cut.crop; k++)
            h = (h ^ out[k]) * UINT64_C(1099511628211);
        assert_true(h == rows[i].hash);
        rci_release(image.data);
    }
}

static void an_image_smaller_than_the_crop_is_refused(void **state)
{
    (void) state;
    struct rci_image image = pattern(9, 7);
    uint8_t out[3 * 8 * 8];
    const struct rci_image_cut cut = {0, 8}, whole = {0, 7};
    REFUSED(rci_image_resize_crop(context, &image, &cut, out), RC_ERR_DATA, "9x7 pixels");
    OK(rci_image_resize_crop(context, &image, &whole, out));
    assert_true(out[0] == pixel(1, 0, 0) && out[7] == pixel(1, 1, 0));
    rci_release(image.data);
}

static void pixel_bombs_are_refused(void **state)
{
    (void) state;
    struct rci_image image;
    REFUSED(rci_image_new(context, &image, 65535, 65535), RC_ERR_LIMIT, "65535x65535 pixels");
    REFUSED(rci_image_new(context, &image, 0, 3), RC_ERR_LIMIT, "0x3 pixels");
    struct rci_bytes text = {(uint8_t *) (uintptr_t) "GIF89a..........", 16};
    REFUSED(rci_image_decode(context, &text, &image), RC_ERR_DATA, "neither a PNG nor a JPEG");
}

#ifdef RC_HAVE_PNG
struct bytes {
    uint8_t data[20000];
    size_t size;
};

static void append(png_structp png, png_bytep from, size_t n)
{
    struct bytes *b = png_get_io_ptr(png);
    assert_true(b->size + n <= sizeof(b->data));
    memcpy(b->data + b->size, from, n);
    b->size += n;
}

/* A w x h PNG; sample k of row y is that of a counting pattern, in any type and depth. */
static void write_png(struct bytes *b, uint32_t w, uint32_t h, int type, int depth, int interlace)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    static png_color palette[4] = {{9, 8, 7}, {255, 0, 1}, {2, 3, 250}, {60, 70, 80}};
    uint8_t rows[32][512];
    png_bytep row[32];
    b->size = 0;
    png_set_write_fn(png, b, append, NULL);
    png_set_IHDR(png, info, w, h, depth, type, interlace, 0, 0);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    const size_t bytes = png_get_rowbytes(png, info);
    for (uint32_t y = 0; y < h; y++) {
        for (size_t i = 0; i < bytes; i++)
            rows[y][i] = (uint8_t) (y * 31 + i * 7);
        row[y] = rows[y];
    }
    png_write_image(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

static uint8_t raw(uint32_t y, uint32_t i)
{
    return (uint8_t) (y * 31 + i * 7);
}

static void every_kind_of_png_becomes_rgb(void **state)
{
    (void) state;
    static const struct {
        int type, depth;
    } kinds[] = {
        {PNG_COLOR_TYPE_RGB, 8},     {PNG_COLOR_TYPE_RGB, 16},       {PNG_COLOR_TYPE_GRAY, 8},
        {PNG_COLOR_TYPE_GRAY, 16},   {PNG_COLOR_TYPE_RGB_ALPHA, 8},  {PNG_COLOR_TYPE_GRAY, 1},
        {PNG_COLOR_TYPE_PALETTE, 2}, {PNG_COLOR_TYPE_GRAY_ALPHA, 8},
    };
    static const uint8_t palette[4][3] = {{9, 8, 7}, {255, 0, 1}, {2, 3, 250}, {60, 70, 80}};
    static struct bytes b;
    for (uint32_t k = 0; k < 16; k++) {
        struct rci_image image;
        const int type = kinds[k / 2].type, depth = kinds[k / 2].depth;
        write_png(&b, 9, 6, type, depth, k & 1);
        OK(rci_image_decode(context, &(struct rci_bytes){b.data, b.size}, &image));
        assert_true(image.width == 9 && image.height == 6 && image.channels == 3);
        for (uint32_t i = 0; i < 9 * 6 * 3; i++) {
            const uint32_t x = i / 3 % 9, y = i / 27, c = i % 3;
            const bool color = type == PNG_COLOR_TYPE_RGB || type == PNG_COLOR_TYPE_RGB_ALPHA;
            const uint32_t samples = type == PNG_COLOR_TYPE_RGB_ALPHA    ? 4
                                     : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                     : color                             ? 3
                                                                         : 1;
            const uint32_t at = x * samples + (color ? c : 0);
            int want = raw(y, at);
            if (depth == 16)
                want = (int) (((raw(y, 2 * at) << 8 | raw(y, 2 * at + 1)) * 255 + 32895) >> 16);
            if (depth == 1)
                want = raw(y, x / 8) >> (7 - x % 8) & 1 ? 255 : 0;
            if (depth == 2)
                want = palette[raw(y, x / 4) >> (6 - 2 * (x % 4)) & 3][c];
            assert_int_equal(image.data[i], want);
        }
        rci_release(image.data);
    }
}

/* Width and height in the header, with a good checksum. */
static void set_png_size(struct bytes *b, uint32_t w, uint32_t h)
{
    for (int i = 0; i < 4; i++) {
        b->data[16 + i] = (uint8_t) (w >> (24 - 8 * i));
        b->data[20 + i] = (uint8_t) (h >> (24 - 8 * i));
    }
    const uint32_t crc = (uint32_t) crc32(0, b->data + 12, 17);
    for (int i = 0; i < 4; i++)
        b->data[29 + i] = (uint8_t) (crc >> (24 - 8 * i));
}

static void cut_and_flipped_png_do_no_harm(void **state)
{
    (void) state;
    static struct bytes b;
    struct rci_image image;
    write_png(&b, 9, 6, PNG_COLOR_TYPE_RGB, 8, 1);
    for (size_t n = 0; n < b.size; n++) {
        uint8_t *part = malloc(n + 1);
        memcpy(part, b.data, n);
        assert_int_not_equal(rci_image_decode(context, &(struct rci_bytes){part, n}, &image),
                             RC_OK);
        assert_null(image.data);
        free(part);
    }
    unsigned refused = 0;
    for (size_t n = 0; n < 8 * b.size; n++) {
        b.data[n / 8] ^= (uint8_t) (1u << n % 8);
        refused += rci_image_decode(context, &(struct rci_bytes){b.data, b.size}, &image) != RC_OK;
        rci_release(image.data);
        b.data[n / 8] ^= (uint8_t) (1u << n % 8);
    }
    assert_true(refused > 7 * b.size); /* checksums catch nearly all */
    set_png_size(&b, 65535, 65535);
    REFUSED(rci_image_decode(context, &(struct rci_bytes){b.data, b.size}, &image), RC_ERR_LIMIT,
            "65535x65535 pixels");
    write_png(&b, 9, 6, PNG_COLOR_TYPE_RGB, 8, 0);
    set_png_size(&b, 1000, 1000); /* 3 MB of pixels in some 100 bytes */
    REFUSED(rci_image_decode(context, &(struct rci_bytes){b.data, b.size}, &image),
            RC_ERR_TRUNCATED, "1000x1000 pixels cannot be in");
}

static void write_image(const char *name, uint32_t w, uint32_t h)
{
    static struct bytes b;
    write_png(&b, w, h, PNG_COLOR_TYPE_RGB, 8, 0);
    scratch_write(folder, name, b.data, b.size);
}

static rc_status open_folder(rc_dataset **d, const char *split, uint64_t skip_bad)
{
    char spec[1100];
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = split;
    o.resize = o.crop = 6;
    o.skip_bad = skip_bad;
    snprintf(spec, sizeof(spec), "folder:%s", folder);
    return rc_dataset_open(d, context, spec, &o);
}

static void class_folders_become_a_data_set(void **state)
{
    (void) state;
    rc_dataset *d;
    write_image("train/cat/2.png", 6, 6);
    write_image("train/cat/1.PNG", 9, 6);
    write_image("train/ant/x.png", 6, 9);
    write_image("val/ant/y.png", 6, 6);
    write_image("val/cat/z.png", 6, 6);
    scratch_write(folder, "train/ant/notes.txt", "x", 1);
    scratch_write(folder, "train/.hidden/a.png", "x", 1);
    OK(open_folder(&d, "train", 0));
    assert_true(rc_dataset_count_images(d) == 3 && rc_dataset_count_classes(d) == 2);
    assert_string_equal(rc_dataset_get_class_name(d, 0), "ant");
    assert_string_equal(rc_dataset_get_class_name(d, 1), "cat");
    float x[3][108];
    int32_t y[3];
    OK(rc_dataset_read(d, 0, 3, x[0], y));
    assert_int_equal(y[0] + y[1] + y[2], 2); /* order is a fixed permutation */
    for (int i = 0; i < 3; i++)              /* 6x9 keeps the middle rows, from row 2 on */
        if (y[i] == 0)
            assert_near(x[i][0], ((float) raw(2, 0) / 255 - 0.485f) / 0.229f, 1e-6);
    assert_non_null(strstr(rc_dataset_get_preprocess(d), "\"resize\":6,\"crop\":6"));
    rc_dataset_free(&d);
    OK(open_folder(&d, "test", 0));
    assert_int_equal(rc_dataset_count_images(d), 2);
    rc_dataset_free(&d);
    scratch_write(folder, "train/dog/notes.txt", "x", 1);
    REFUSED(open_folder(&d, "train", 0), RC_ERR_DATA, "train/dog: no .png");
}

static rc_status open_images(rc_dataset **d, const char *name, uint64_t crop)
{
    char spec[1100];
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.preprocess = "{\"resize\":0,\"crop\":0}";
    o.resize = o.crop = crop;
    snprintf(spec, sizeof(spec), "image:%s/%s", folder, name);
    return rc_dataset_open(d, context, spec, &o);
}

static void images_without_labels_are_a_file_or_a_folder(void **state)
{
    (void) state;
    rc_dataset *d;
    float one[108], both[2][108];
    int32_t y[2] = {7, 7};
    write_image("wild/b.png", 6, 6);
    write_image("wild/a.png", 9, 6);
    scratch_write(folder, "wild/notes.txt", "x", 1);
    OK(open_images(&d, "wild/b.png", 6));
    assert_true(rc_dataset_count_images(d) == 1 && rc_dataset_count_classes(d) == 1);
    OK(rc_dataset_read(d, 0, 1, one, y));
    assert_int_equal(y[0], 0);
    rc_dataset_free(&d);
    OK(open_images(&d, "wild", 6));
    assert_int_equal(rc_dataset_count_images(d), 2);
    OK(rc_dataset_read(d, 0, 2, both[0], y)); /* sorted by name */
    assert_memory_equal(both[1], one, sizeof(one));
    assert_memory_not_equal(both[0], one, sizeof(one));
    rc_dataset_free(&d);
    REFUSED(open_images(&d, "wild/b.png", 0), RC_ERR_ARG, "crop must say which");
    REFUSED(open_images(&d, "wild/c.png", 6), RC_ERR_PATH, "wild/c.png: cannot open");
    scratch_write(folder, "none/notes.txt", "x", 1);
    REFUSED(open_images(&d, "none", 6), RC_ERR_DATA, "none: no .png, .jpg or .jpeg files");
}

static void a_bad_image_is_named_or_replaced(void **state)
{
    (void) state;
    rc_dataset *d;
    float x[3 * 108];
    int32_t y[3];
    write_image("a/1.png", 6, 6);
    scratch_write(folder, "b/2.png", "\x89PNG\r\n\x1A\n....", 12);
    write_image("c/3.png", 6, 6);
    OK(open_folder(&d, NULL, 0));
    REFUSED(rc_dataset_read(d, 0, 3, x, y), RC_ERR_TRUNCATED, "image 1: ");
    assert_non_null(strstr(rc_last_error(), "/b/2.png: PNG ends after 12 bytes"));
    rc_dataset_free(&d);
    OK(open_folder(&d, NULL, 1));
    OK(rc_dataset_read(d, 0, 3, x, y));
    assert_true(y[0] != 1 && y[1] != 1 && y[2] != 1);
    rc_dataset_free(&d);
    scratch_remove(scratch_path(folder, "a"));
    scratch_remove(scratch_path(folder, "c"));
    OK(open_folder(&d, NULL, 1));
    REFUSED(rc_dataset_read(d, 0, 1, x, y), RC_ERR_TRUNCATED, "image 0: ");
    rc_dataset_free(&d);
    scratch_remove(scratch_path(folder, "b"));
    REFUSED(open_folder(&d, NULL, 0), RC_ERR_DATA, "0 class folders");
}
#endif

#ifdef RC_HAVE_JPEG
/* A file of one colour in the given colour space; the caller frees it. */
static struct rci_bytes write_jpeg(J_COLOR_SPACE space, int samples, bool progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr error;
    unsigned char *data = NULL;
    unsigned long size = 0;
    uint8_t row[4 * 20];
    JSAMPROW line = row;
    j.err = jpeg_std_error(&error);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &data, &size);
    j.image_width = 20;
    j.image_height = 12;
    j.input_components = samples;
    j.in_color_space = space;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 100, TRUE);
    if (progressive)
        jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    for (int i = 0; i < 4 * 20; i++)
        row[i] = (uint8_t) (200 - 60 * (i % samples));
    while (j.next_scanline < 12)
        jpeg_write_scanlines(&j, &line, 1);
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    return (struct rci_bytes){data, size};
}

static void every_kind_of_jpeg_becomes_rgb(void **state)
{
    (void) state;
    for (int k = 0; k < 4; k++) {
        struct rci_image image;
        const int samples = k & 1 ? 1 : 3;
        struct rci_bytes b = write_jpeg(k & 1 ? JCS_GRAYSCALE : JCS_RGB, samples, k & 2);
        OK(rci_image_decode(context, &b, &image));
        assert_true(image.width == 20 && image.height == 12);
        for (int i = 0; i < 20 * 12 * 3; i++)
            assert_true(abs(image.data[i] - (200 - 60 * (i % samples))) <= 2);
        rci_release(image.data);
        free(b.data);
    }
}

static void bad_jpeg_is_refused(void **state)
{
    (void) state;
    struct rci_image image;
    struct rci_bytes b = write_jpeg(JCS_CMYK, 4, false);
    REFUSED(rci_image_decode(context, &b, &image), RC_ERR_DATA, "CMYK");
    free(b.data);
    b = write_jpeg(JCS_RGB, 3, false);
    for (size_t i = 0; i + 9 < b.size; i++) /* frame header: length, depth, height, width */
        if (b.data[i] == 0xff && b.data[i + 1] == 0xc0)
            memcpy(b.data + i + 5, "\x13\x88\x13\x88", 4);
    REFUSED(rci_image_decode(context, &b, &image), RC_ERR_TRUNCATED, "5000x5000 pixels cannot be");
    free(b.data);
    b = write_jpeg(JCS_RGB, 3, true);
    for (size_t n = 0; n + 2 < b.size; n++) { /* the last two bytes are the end marker */
        uint8_t *part = malloc(n + 1);
        memcpy(part, b.data, n);
        assert_int_not_equal(rci_image_decode(context, &(struct rci_bytes){part, n}, &image),
                             RC_OK);
        assert_null(image.data);
        free(part);
    }
    for (size_t n = 0; n < 8 * b.size; n++) { /* may well decode to something; must not crash */
        b.data[n / 8] ^= (uint8_t) (1u << n % 8);
        const rc_status st = rci_image_decode(context, &b, &image);
        assert_true((st == RC_OK) == (image.data != NULL));
        rci_release(image.data);
        b.data[n / 8] ^= (uint8_t) (1u << n % 8);
    }
    free(b.data);
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(resizing_gives_the_bytes_of_pillow),
        T(an_image_smaller_than_the_crop_is_refused),
        T(pixel_bombs_are_refused),
#ifdef RC_HAVE_PNG
        T(every_kind_of_png_becomes_rgb),
        T(cut_and_flipped_png_do_no_harm),
        T(class_folders_become_a_data_set),
        T(images_without_labels_are_a_file_or_a_folder),
        T(a_bad_image_is_named_or_replaced),
#endif
#ifdef RC_HAVE_JPEG
        T(every_kind_of_jpeg_becomes_rgb),
        T(bad_jpeg_is_refused),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
