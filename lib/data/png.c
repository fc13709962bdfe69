/* PNG -> 8-bit RGB with libpng. */
#include "data/image.h"
#include "data/inflate.h"
#ifdef RC_HAVE_PNG
#include <png.h>
#include <string.h>

/* Everything lives here: locals would be undefined after longjmp. */
struct reader {
    struct rc_context *ctx;
    const struct rci_bytes *file;
    size_t at;
    png_structp png;
    png_infop info;
    struct rci_image *out;
    rc_status st;
};

static void png_on_error(png_structp png, png_const_charp message)
{
    struct reader *r = png_get_error_ptr(png);
    if (r->st == RC_OK)
        r->st = rci_fail(RC_ERR_DATA, "PNG: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void) png;
    (void) message;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size)
{
    struct reader *r = png_get_mem_ptr(png);
    void *p = rci_alloc(r->ctx, size);
    if (!p)
        r->st = RC_ERR_MEMORY;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void) png;
    rci_release(p);
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->file->size - r->at) {
        r->st = rci_fail(RC_ERR_TRUNCATED, "PNG ends after %zu bytes", r->file->size);
        png_longjmp(png, 1);
    }
    memcpy(to, r->file->data + r->at, n);
    r->at += n;
}

static void make_rgb8(struct reader *r)
{
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_strip_alpha(r->png);
}

static void png_read_pixels(struct reader *r)
{
    png_read_info(r->png, r->info);
    const uint32_t w = png_get_image_width(r->png, r->info);
    const uint32_t h = png_get_image_height(r->png, r->info);
    const uint64_t bytes = (uint64_t) png_get_rowbytes(r->png, r->info) * h;
    if ((uint64_t) w * h <= RC_IMAGE_PIXELS_MAX && !rci_inflate_possible(r->file->size, bytes)) {
        r->st = rci_fail(RC_ERR_TRUNCATED, "PNG: %ux%u pixels cannot be in %zu bytes", w, h,
                         r->file->size);
        return;
    }
    r->st = rci_image_new(r->ctx, r->out, w, h);
    if (r->st != RC_OK)
        return;
    make_rgb8(r);
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != (size_t) w * 3)
        png_error(r->png, "unexpected row size");
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < h; y++)
            png_read_row(r->png, r->out->data + (size_t) y * w * 3, NULL);
    png_read_end(r->png, NULL);
}

rc_status rci_image_decode_png(struct rc_context *c, const struct rci_bytes *file,
                               struct rci_image *out)
{
    struct reader r = {.ctx = c, .file = file, .out = out};
    r.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, png_on_error, on_warning, &r,
                                     on_alloc, on_free);
    if (!r.png)
        return RC_ERR_MEMORY;
    if (setjmp(png_jmpbuf(r.png)) == 0) {
        if (!(r.info = png_create_info_struct(r.png)))
            png_error(r.png, "out of memory");
        png_set_read_fn(r.png, &r, on_read);
        png_set_user_limits(r.png, RC_IMAGE_SIDE_MAX, RC_IMAGE_SIDE_MAX);
        png_set_chunk_malloc_max(r.png, 8 << 20);
        png_read_pixels(&r);
    }
    png_destroy_read_struct(&r.png, &r.info, NULL);
    if (r.st != RC_OK) {
        rci_release(out->data);
        out->data = NULL;
    }
    return r.st;
}
#else
rc_status rci_image_decode_png(struct rc_context *c, const struct rci_bytes *file,
                               struct rci_image *out)
{
    (void) c;
    (void) file;
    (void) out;
    return rci_fail(RC_ERR_UNSUPPORTED, "PNG images: this library was built without libpng");
}
#endif
