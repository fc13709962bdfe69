/* npz data sets and NPY files against NumPy, and damaged ones. */
#include "check.h"
#include "files.h"

#include <rescomp/dataset.h>
#include <stdlib.h>

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

static rc_status open_npz(rc_dataset **d, const char *name, const rc_dataset_options *o)
{
    char spec[1200];
    snprintf(spec, sizeof(spec), "npz:%s", scratch_path(folder, name));
    return rc_dataset_open(d, context, spec, o);
}

static void refuse(const char *name, rc_status st, const char *text)
{
    rc_dataset *d;
    REFUSED(open_npz(&d, name, NULL), st, text);
    assert_null(d);
}

static void python_or_skip(const char *script)
{
    if (scratch_python(script, folder) != 0) {
        print_message("skipped: /usr/bin/python3 with numpy is not here\n");
        skip();
    }
}

static void arrays_of_numpy_are_read(void **state)
{
    (void) state;
    rc_dataset *d;
    float x[24];
    int32_t y[4];
    python_or_skip("import numpy as n, sys; f = sys.argv[1]\n"
                   "x = n.arange(24, dtype='u1').reshape(4, 1, 2, 3)\n"
                   "n.savez(f + '/a.npz', x=x, y=n.array([0, 1, 2, 1], 'i8'))\n"
                   "n.savez_compressed(f + '/b.npz', y=n.array([0, 1, 2, 1], '>u2'), x=x[:, 0])\n"
                   "n.savez(f + '/c.npz', x=x / n.float32(4), y=n.array([0, 1, 0, 1], '?'))\n"
                   "n.savez(f + '/d.npz', x=(x / 4).astype('>f8'), y=n.array([3, 1, 0, 1], 'b'))");
    static const uint32_t classes[] = {3, 3, 2, 4};
    for (int i = 0; i < 4; i++) {
        const char name[] = {(char) ('a' + i), '.', 'n', 'p', 'z', 0};
        int64_t chw[3];
        OK(open_npz(&d, name, NULL));
        OK(rc_dataset_get_shape(d, chw));
        assert_true(chw[0] == 1 && chw[1] == 2 && chw[2] == 3 && rc_dataset_count_images(d) == 4);
        assert_int_equal(rc_dataset_count_classes(d), classes[i]);
        OK(rc_dataset_read(d, 0, 4, x, y));
        for (int k = 0; k < 24; k++)
            assert_true(x[k] == (i < 2 ? ((float) k / 255 - 0.5f) / 0.5f : (float) k / 4));
        assert_true(y[0] == (i == 3 ? 3 : 0) && y[3] == 1);
        rc_dataset_free(&d);
    }
}

static void unfit_arrays_are_refused(void **state)
{
    (void) state;
    python_or_skip(
        "import numpy as n, sys; f = sys.argv[1]\n"
        "x = n.zeros((4, 1, 2, 3), 'u1'); y = n.zeros(4, 'i4')\n"
        "n.savez(f + '/nox.npz', y=y); n.savez(f + '/noy.npz', x=x)\n"
        "n.savez(f + '/neg.npz', x=x, y=y - 1); n.savez(f + '/big.npz', x=x, y=y + 2**20)\n"
        "n.savez(f + '/real.npz', x=x, y=y * .5); n.savez(f + '/five.npz', x=x, y=n.arange(5))\n"
        "n.savez(f + '/rank.npz', x=x[0, 0], y=y); n.savez(f + '/type.npz', x=x.astype('i2'), "
        "y=y)\n"
        "n.savez(f + '/empty.npz', x=x[:0], y=y[:0])\n"
        "n.savez(f + '/nan.npz', x=x * n.float32('nan'), y=y)\n"
        "n.savez(f + '/object.npz', x=n.array([None, 1], object), y=y)\n"
        "n.savez(f + '/complex.npz', x=x * 1j, y=y)\n"
        "n.savez(f + '/fortran.npz', x=n.asfortranarray(x + x.shape[0]), y=y)");
    refuse("nox.npz", RC_ERR_DATA, "has no array \"x\"");
    refuse("noy.npz", RC_ERR_DATA, "has no array \"y\"");
    refuse("neg.npz", RC_ERR_DATA, "label of image 0 is -1, must be 0..999999");
    refuse("big.npz", RC_ERR_DATA, "label of image 0 is 1048576");
    refuse("real.npz", RC_ERR_DATA, "y is of type f8");
    refuse("five.npz", RC_ERR_DATA, "y is 5, must be [4]");
    refuse("rank.npz", RC_ERR_DATA, "x is 2x3, must be [N,C,H,W]");
    refuse("type.npz", RC_ERR_DATA, "x is of type i2");
    refuse("empty.npz", RC_ERR_DATA, "0 images, must be 1..");
    refuse("nan.npz", RC_ERR_DATA, "value 0 of image 0 is not finite");
    refuse("object.npz", RC_ERR_UNSUPPORTED, "NPY type is \"|O\"");
    refuse("complex.npz", RC_ERR_UNSUPPORTED, "NPY type is \"<c16\"");
    refuse("fortran.npz", RC_ERR_UNSUPPORTED, "Fortran order");
}

/* A zip archive with x.npy and y.npy, stored, made by hand: 2 images of 1x1x2. */
static size_t make_zip(uint8_t *zip)
{
    python_or_skip("import numpy as n, sys\n"
                   "n.savez_compressed(sys.argv[1] + '/z.npz', x=n.zeros((2,1,1,2), 'u1'),"
                   " y=n.array([0, 1]))");
    FILE *f = fopen(scratch_path(folder, "z.npz"), "rb");
    const size_t size = fread(zip, 1, 4096, f);
    fclose(f);
    return size;
}

static void cut_and_flipped_archives_do_no_harm(void **state)
{
    (void) state;
    static uint8_t zip[4096];
    const size_t size = make_zip(zip);
    rc_dataset *d;
    for (size_t n = 0; n < size; n++) {
        scratch_write(folder, "cut.npz", zip, n);
        assert_int_not_equal(open_npz(&d, "cut.npz", NULL), RC_OK);
    }
    unsigned refused = 0;
    for (size_t n = 0; n < 8 * size; n++) {
        zip[n / 8] ^= (uint8_t) (1u << n % 8);
        scratch_write(folder, "flip.npz", zip, size);
        refused += open_npz(&d, "flip.npz", NULL) != RC_OK;
        rc_dataset_free(&d);
        zip[n / 8] ^= (uint8_t) (1u << n % 8);
    }
    assert_true(refused > 4 * size); /* dates and the like do not matter */
}

static rc_status npy(const char *header, size_t data)
{
    uint8_t file[512] = "\x93NUMPY\x01\x00";
    const size_t n = strlen(header);
    int64_t dims[8];
    uint64_t rank;
    file[8] = (uint8_t) n;
    file[9] = (uint8_t) (n >> 8);
    memcpy(file + 10, header, n);
    return rc_npy_read_shape(context, scratch_write(folder, "h.npy", file, 10 + n + data), dims,
                             &rank);
}

static void npy_headers_are_checked(void **state)
{
    (void) state;
    OK(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24));
    OK(npy("{\"shape\":(2L,3L,),\"descr\":\"|u1\",\"fortran_order\":False}", 6));
    OK(npy("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", 8));
    OK(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 7)}", 0));
    static const struct {
        const char *header;
        rc_status st;
        const char *text;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", RC_ERR_TRUNCATED,
         "shape 2x3"},
        {"{'descr': '<f4', 'fortran_order': False}", RC_ERR_FORMAT, "missing"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", RC_ERR_UNSUPPORTED, "Fortran"},
        {"{'descr': [('a','<f4')], 'fortran_order': False, 'shape': ()}", RC_ERR_UNSUPPORTED,
         "structures"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': ()}", RC_ERR_UNSUPPORTED, "<U4"},
        {"{'descr': '<f4', 'shape': (-1,), 'fortran_order': False}", RC_ERR_FORMAT, "negative"},
        {"{'descr': '<f4', 'shape': (2 3), 'fortran_order': False}", RC_ERR_FORMAT, "',' or ')'"},
        {"{'descr': '<f4', 'shape': (99999999999999999999,), 'fortran_order': False}", RC_ERR_LIMIT,
         "2^63"},
        {"{'descr': '<f4', 'shape': (4294967296, 4294967296), 'fortran_order': False}",
         RC_ERR_LIMIT, "too large"},
        {"{'descr': '<f4', 'shape': (1,1,1,1,1,1,1,1,1), 'fortran_order': False}",
         RC_ERR_UNSUPPORTED, "more than 8"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (), 'fortran_order': False}", RC_ERR_FORMAT,
         "once each"},
        {"{'descr': '<f4", RC_ERR_FORMAT, "no end"},
        {"(", RC_ERR_FORMAT, "'{'"},
        {"{", RC_ERR_FORMAT, "quotes"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSED(npy(bad[i].header, 4), bad[i].st, bad[i].text);
}

static void npy_files_are_written_as_numpy_reads_them(void **state)
{
    (void) state;
    static const float values[6] = {1, -2.5f, 3e-30f, 4, 5, 6};
    const char *path = scratch_path(folder, "w.npy");
    float back[6];
    int64_t dims[8];
    uint64_t rank;
    OK(rc_npy_write(context, path, values, (int64_t[]){2, 3}, 2));
    OK(rc_npy_read_shape(context, path, dims, &rank));
    assert_true(rank == 2 && dims[0] == 2 && dims[1] == 3);
    OK(rc_npy_read(context, path, back, 6));
    assert_memory_equal(back, values, sizeof(values));
    REFUSED(rc_npy_read(context, path, back, 5), RC_ERR_SHAPE, "6 elements, expected are 5");
    REFUSED(rc_npy_write(context, path, values, (int64_t[]){-1}, 1), RC_ERR_ARG, "negative");
    OK(rc_npy_write(context, scratch_path(folder, "s.npy"), values, NULL, 0));
    python_or_skip("import numpy as n, sys; f = sys.argv[1]\n"
                   "a = n.load(f + '/w.npy')\n"
                   "assert a.dtype == '<f4' and a.shape == (2, 3) and a[0, 1] == -2.5\n"
                   "assert n.load(f + '/s.npy').shape == ()\n"
                   "h = open(f + '/w.npy', 'rb').read()\n"
                   "assert len(h) == 128 + 24\n"
                   "n.lib.format.write_array(open(f + '/v3.npy', 'wb'), a * 2, version=(3, 0))");
    OK(rc_npy_read(context, scratch_path(folder, "v3.npy"), back, 6));
    assert_true(back[1] == -5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(arrays_of_numpy_are_read),
        T(unfit_arrays_are_refused),
        T(cut_and_flipped_archives_do_no_harm),
        T(npy_headers_are_checked),
        T(npy_files_are_written_as_numpy_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
