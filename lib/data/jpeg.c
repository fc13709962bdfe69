/* JPEG -> 8-bit RGB with libjpeg-turbo. */
#include "data/image.h"
#ifdef RC_HAVE_JPEG
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

enum { SCANS_MAX = 500 }; /* a small file may have thousands, each over the whole image */

/* Each block of 8 x 8 takes a bit or more, and the component with the fewest has one for this many
 * pixels; arithmetic coding can do with a small part of a bit. */
static bool jpeg_possible(const struct jpeg_decompress_struct *j, size_t file_size)
{
    const uint64_t across = 8 * (uint64_t) j->max_h_samp_factor;
    const uint64_t down = 8 * (uint64_t) j->max_v_samp_factor;
    const uint64_t blocks = (j->image_width / across) * (j->image_height / down);
    const bool allowed = (uint64_t) j->image_width * j->image_height <= RC_IMAGE_PIXELS_MAX;
    return !allowed /* rci_image_new() says it */ ||
           blocks / 8 / (j->arith_code ? 64 : 1) <= file_size;
}

/* Everything lives here: locals would be undefined after longjmp. */
struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    struct rci_image *out;
    rc_status st;
};

static void give_up(struct reader *r, rc_status st)
{
    char text[JMSG_LENGTH_MAX];
    r->jpeg.err->format_message((j_common_ptr) &r->jpeg, text);
    r->st = rci_fail(st, "JPEG: %s", text);
    longjmp(r->jump, 1);
}

static void jpeg_on_error(j_common_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    give_up(r, jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? RC_ERR_MEMORY : RC_ERR_DATA);
}

/* libjpeg only warns of missing data and paints it grey; a grey label would teach nonsense. */
static void on_message(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
        give_up(jpeg->client_data, RC_ERR_TRUNCATED);
}

static void on_progress(j_common_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number <= SCANS_MAX)
        return;
    r->st = rci_fail(RC_ERR_LIMIT, "JPEG: more than %d scans", SCANS_MAX);
    longjmp(r->jump, 1);
}

static void jpeg_read_pixels(struct reader *r, struct rc_context *c, const struct rci_bytes *file)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    jpeg_create_decompress(j);
    j->client_data = r;
    j->progress = &r->progress;
    r->progress.progress_monitor = on_progress;
    jpeg_mem_src(j, file->data, (unsigned long) file->size);
    jpeg_read_header(j, TRUE);
    if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK) {
        r->st = rci_fail(RC_ERR_DATA, "JPEG: CMYK colours, must be grey or RGB");
        return;
    }
    if (!jpeg_possible(j, file->size)) {
        r->st = rci_fail(RC_ERR_TRUNCATED, "JPEG: %ux%u pixels cannot be in %zu bytes",
                         j->image_width, j->image_height, file->size);
        return;
    }
    j->out_color_space = JCS_RGB;
    r->st = rci_image_new(c, r->out, j->image_width, j->image_height);
    if (r->st != RC_OK)
        return;
    jpeg_start_decompress(j);
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = r->out->data + (size_t) j->output_scanline * j->output_width * 3;
        jpeg_read_scanlines(j, &row, 1);
    }
    jpeg_finish_decompress(j);
}

rc_status rci_image_decode_jpeg(struct rc_context *c, const struct rci_bytes *file,
                                struct rci_image *out)
{
    struct reader r = {.out = out};
    r.jpeg.err = jpeg_std_error(&r.error);
    r.jpeg.client_data = &r;
    r.error.error_exit = jpeg_on_error;
    r.error.emit_message = on_message;
    if (setjmp(r.jump) == 0)
        jpeg_read_pixels(&r, c, file);
    jpeg_destroy_decompress(&r.jpeg);
    if (r.st != RC_OK) {
        rci_release(out->data);
        out->data = NULL;
    }
    return r.st;
}
#else
rc_status rci_image_decode_jpeg(struct rc_context *c, const struct rci_bytes *file,
                                struct rci_image *out)
{
    (void) c;
    (void) file;
    (void) out;
    return rci_fail(RC_ERR_UNSUPPORTED, "JPEG images: this library was built without libjpeg");
}
#endif
