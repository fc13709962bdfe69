/* Coders of the packed file: bit by bit the same for any elements; what is no coded tensor is
 * refused. */
#include "test.h"

#include "base/crc32c.h"
#include "base/rng.h"
#include "io/coder/coder.h"

#include <math.h>
#include <stdlib.h>

/* RFC 3720, B.4 */
static void crc32c_is_castagnoli(void **state)
{
    (void) state;
    uint8_t b[32];
    assert_int_equal(rci_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(rci_crc32c_plain(0, "123456789", 9), 0xe3069283);
    assert_int_equal(rci_crc32c(0, "", 0), 0);
    memset(b, 0, 32);
    assert_int_equal(rci_crc32c(0, b, 32), 0x8a9136aa);
    memset(b, 255, 32);
    assert_int_equal(rci_crc32c(0, b, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        b[i] = (uint8_t) i;
    assert_int_equal(rci_crc32c(0, b, 32), 0x46dd794e);
    for (size_t n = 0; n <= 32; n++) {
        assert_int_equal(rci_crc32c(7, b, n), rci_crc32c_plain(7, b, n));
        assert_int_equal(rci_crc32c(rci_crc32c(0, b, n), b + n, 32 - n), 0x46dd794e);
    }
}

/* What a tensor may look like. */
enum pattern {
    RANDOM,
    ZEROS,
    ONE_VALUE,
    TWO,
    SIGNS,
    FEW,
    NARROW,
    BELL,
    SPARSE,
    TWO_OF_FOUR,
    PATTERNS
};

static uint32_t draw(struct rci_rng *r, enum pattern p, size_t i)
{
    const uint32_t v = rci_rng_u32(r);
    switch (p) {
    case ZEROS:
        return 0;
    case ONE_VALUE:
        return 0x3f9d2c71;
    case TWO:
        return v & 1 ? 0x3f800000 : 0x80000000;
    case SIGNS:
        return 0x3e800000 | v << 31;
    case FEW:
        return v % 13 * 0x01234567;
    case NARROW:
        return 100 + v % 21;
    case BELL:
        return (v & 63) + (v >> 8 & 63) + (v >> 16 & 63) + (v >> 24 & 63);
    case SPARSE:
        return v % 10 ? 0 : v;
    case TWO_OF_FOUR:
        return i % 4 == 1 || i % 4 == 2 ? v : 0;
    default:
        return v;
    }
}

static struct rci_elements make(struct rc_context *c, enum pattern p, uint32_t width, size_t count,
                                uint32_t rows, bool real)
{
    struct rci_elements x = {.ctx = c, .count = count, .width = width, .rows = rows, .real = real};
    struct rci_rng r = rci_rng_make(1, (uint64_t) p, count);
    x.data = rci_alloc_array(c, count, width);
    assert_non_null(x.data);
    x.sign_bit = width == 1 && count % 2 ? 0x80 : 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t v = (uint64_t) draw(&r, p, i) << 32 | draw(&r, p, i);
        for (uint32_t b = 0; b < width; b++) /* the upper bytes: where floats have their sign */
            x.data[i * width + b] = (uint8_t) (v >> (64 - 8 * width + 8 * b));
        if (width == 1)
            x.data[i] = (uint8_t) v;
    }
    return x;
}

/* Bytes of one element on average, and the coder. */
static double expect_same(const struct rci_elements *x, struct rci_coded *how)
{
    struct rci_buffer b = {.ctx = x->ctx};
    struct rci_elements back = *x;
    back.data = rci_alloc(x->ctx, x->count * x->width);
    memset(back.data, 0xa5, x->count * x->width);
    OK(rci_coder_write(&b, x));
    assert_true(x->count * x->width / b.size <= RCI_RATIO);
    struct rci_cursor from = {b.data, b.data + b.size};
    OK(rci_coder_read(&from, &back));
    assert_true(from.at == from.end);
    assert_memory_equal(back.data, x->data, x->count * x->width);
    rci_coder_describe(how, b.data, b.size, x);
    for (size_t n = 0; n < b.size; n += 1 + b.size / 100) { /* cut */
        from = (struct rci_cursor){b.data, b.data + n};
        assert_int_not_equal(rci_coder_read(&from, &back), RC_OK);
    }
    const double bytes = (double) b.size / (double) x->count;
    rci_release(back.data);
    rci_buffer_free(&b);
    return bytes;
}

static void all_elements_come_back(void **state)
{
    static const uint32_t widths[] = {1, 2, 4, 8};
    static const size_t counts[] = {1,  2,  3,  4,   7,    8,    9,    16,   31,
                                    32, 33, 64, 255, 1000, 1023, 1024, 1025, 5001};
    for (int p = 0; p < PATTERNS; p++)
        for (size_t w = 0; w < 4; w++)
            for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
                for (int plain = 0; plain < 2; plain++) {
                    struct rci_coded how;
                    const uint32_t rows = counts[k] % 8 ? 1 : 8;
                    struct rci_elements x = make(*state, (enum pattern) p, widths[w], counts[k],
                                                 rows, widths[w] > 1 && k % 2);
                    x.plain = plain;
                    const double bytes = expect_same(&x, &how);
                    assert_true(bytes <= widths[w] + 1.0 / (double) counts[k]);
                    assert_true(how.coder < RCI_CODERS);
                    rci_release(x.data);
                }
}

/* Coder and size for what each is made for. */
static void each_kind_of_tensor_has_its_coder(void **state)
{
    static const struct {
        enum pattern p;
        uint32_t width;
        bool real;
        uint32_t coder;
        double most; /* bytes an element */
    } kinds[] = {
        {RANDOM, 4, false, RCI_CODER_RAW, 4.001},
        {RANDOM, 1, false, RCI_CODER_RAW, 1.001},
        {BELL, 1, false, RCI_CODER_BITS, 0.915},  /* entropy 7.25 bits */
        {NARROW, 1, false, RCI_CODER_BITS, 0.56}, /* log2(21) = 4.39 bits */
        {SIGNS, 4, true, RCI_CODER_SIGNS, 0.13},
        {FEW, 4, false, RCI_CODER_CODEBOOK, 0.48},      /* log2(13) = 3.70 bits */
        {SPARSE, 4, true, RCI_CODER_SPARSE, 0.47},      /* 0.1 * 4 and 0.47 bits */
        {TWO_OF_FOUR, 4, true, RCI_CODER_GROUPS, 2.01}, /* always the same two places */
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct rci_coded how;
        struct rci_elements x = make(*state, kinds[i].p, kinds[i].width, 20000, 1, kinds[i].real);
        const double bytes = expect_same(&x, &how);
        print_message("pattern %d: %s, %.4f bytes\n", (int) kinds[i].p, rci_coder_name(how.coder),
                      bytes);
        assert_int_equal(how.coder, kinds[i].coder);
        assert_true(bytes <= kinds[i].most);
        rci_release(x.data);
    }
}

/* Every choice of two places of four, without which a bitmap is as good. */
static void groups_of_two_in_four_take_three_bits_of_places(void **state)
{
    struct rci_coded how;
    struct rci_rng r = rci_rng_make(1, 2, 3);
    struct rci_elements x = make(*state, ZEROS, 4, 8192, 1, true);
    x.plain = true;
    for (size_t i = 0; i < x.count / 4; i++) {
        const uint32_t a = rci_rng_below(&r, 4), b = (a + 1 + rci_rng_below(&r, 3)) % 4;
        rci_set32(x.data + 16 * i + 4 * a, rci_rng_u32(&r) | 1);
        rci_set32(x.data + 16 * i + 4 * b, rci_rng_u32(&r) | 1);
    }
    const double bytes = expect_same(&x, &how);
    assert_int_equal(how.coder, RCI_CODER_GROUPS);
    assert_int_equal(how.bits, 3);
    assert_true(bytes > 2 + 3 / 32.0 && bytes < 2 + 3 / 32.0 + 0.01);
    rci_release(x.data);
}

/* Within 1.5 % of the entropy, tables included. */
static void rans_comes_close_to_the_entropy(void **state)
{
    enum { N = 50000 };
    struct rci_buffer b = {.ctx = *state};
    uint8_t *s = rci_alloc(*state, N), *back = rci_alloc(*state, 3 * N);
    double bits = 0, count[RCI_SYMBOLS] = {0};
    struct rci_rng r = rci_rng_make(4, 5, 6);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int k = 0; k < 8; k++)
            sum += (double) (rci_rng_u32(&r) % 1000) / 1000;
        s[i] = (uint8_t) (sum * 16);
        count[s[i]]++;
    }
    for (int k = 0; k < RCI_SYMBOLS; k++)
        if (count[k] > 0)
            bits -= count[k] * log2(count[k] / N);
    OK(rci_stream_write(&b, s, N, 8, false));
    print_message("entropy %.0f bytes, written %zu\n", bits / 8, b.size);
    assert_int_equal(b.data[0], RCI_ENTROPY_RANS);
    assert_true((double) b.size < bits / 8 * 1.015);
    struct rci_cursor from = {b.data, b.data + b.size};
    OK(rci_stream_read(&from, back, N, 3, 8)); /* strided */
    for (int i = 0; i < N; i++)
        assert_int_equal(back[3 * i], s[i]);
    rci_release(back);
    rci_release(s);
    rci_buffer_free(&b);
}

static void texts_come_back(void **state)
{
    static const char *const samples[] = {"", "a", "abc", "abcabcabcabcabcabc",
                                          "layer1.0.conv1.weight layer1.0.conv2.weight"};
    for (size_t i = 0; i < 5 + 40; i++) {
        struct rci_buffer text = {.ctx = *state}, b = {.ctx = *state};
        struct rci_rng r = rci_rng_make(9, i, 0);
        if (i < 5)
            OK(rci_buffer_append(&text, samples[i], strlen(samples[i])));
        for (int k = 0; i >= 5 && k < 300; k++)
            OK(rci_buffer_printf(&text, "/layer%d/conv%d%c", (int) (rci_rng_u32(&r) % 4),
                                 (int) (rci_rng_u32(&r) % (i * 2)), (char) rci_rng_u32(&r)));
        OK(rci_text_write(&b, text.data ? text.data : (const uint8_t *) "", text.size));
        assert_true(b.size <= text.size + 1);
        assert_true(i < 5 || b.size < text.size / 2);
        struct rci_bytes back;
        struct rci_cursor from = {b.data, b.data + b.size};
        OK(rci_text_read(&back, *state, &from, "text"));
        assert_int_equal(back.size, text.size);
        if (text.size)
            assert_memory_equal(back.data, text.data, text.size);
        rci_release(back.data);
        rci_buffer_free(&b);
        rci_buffer_free(&text);
    }
}

/* Far beyond what a reader would believe: stored as it is. */
static void a_text_too_repetitive_is_stored(void **state)
{
    enum { N = 3 << 20 };
    struct rci_buffer b = {.ctx = *state};
    uint8_t *text = rci_alloc_zero(*state, N);
    OK(rci_text_write(&b, text, N));
    struct rci_cursor from = {b.data, b.data + b.size};
    struct rci_bytes back;
    OK(rci_text_read(&back, *state, &from, "text"));
    assert_int_equal(back.size, N);
    rci_release(back.data);
    rci_buffer_free(&b);
    struct rci_elements x = {.ctx = *state, .data = text, .count = N, .width = 1, .rows = 1};
    struct rci_coded how;
    assert_true(expect_same(&x, &how) > 1.0 / RCI_RATIO);
    rci_release(text);
}

/* Bytes of a stream or tensor that no writer writes, and what is said of them. */
struct wrong {
    const char *bytes;
    size_t size;
    uint32_t width;
    size_t count;
    const char *says;
};
#define WRONG(bytes, width, count, says)             \
    {                                                \
        bytes, sizeof(bytes) - 1, width, count, says \
    }

static void what_is_no_tensor_is_refused(void **state)
{
    static const struct wrong all[] = {
        WRONG("", 4, 1, "coder"),
        WRONG("\7", 4, 1, "coder 7, known are 0 to 6"),
        WRONG("\0abc", 4, 1, "raw elements: 4 bytes are needed, 3 are left"),
        WRONG("\1\0\4\1\x21", 4, 1, "bits of elements of 4 bytes"),
        WRONG("\1\0\x09\1\x21", 1, 2, "integers of 9 bits"),
        WRONG("\1\xff\2\1\1", 1, 1, "an integer exceeds 255"),
        WRONG("\1\0\0\1\1", 1, 1, "fields of 0 bits"),
        WRONG("\1\0\4\4\x21", 1, 2, "written in way 4"),
        WRONG("\1\0\4\1\x21", 1, 1, "bits set behind the last one"),
        WRONG("\1\0\4\0\x10", 1, 5, "symbol 16 in a stream of 4 bits"),
        WRONG("\1\0\4\2\0\x05\0", 1, 5, "frequencies are all 0"),
        WRONG("\1\0\4\2\1\5\1\5\1", 1, 5, "symbol 5 behind 5"),
        WRONG("\1\0\4\2\0\x1f\1", 1, 5, "symbol 31 in a stream of 4 bits"),
        WRONG("\1\0\4\2\0\5\1\0\0\0\0\0", 1, 5, "rANS state 0 is 0"),
        WRONG("\1\0\4\2\0\5\1\0\1\0\1\0", 1, 5, "do not end where they began"),
        WRONG("\1\0\4\2\1\5\1\6\1\0\0\0\1\0", 1, 50, "codes end after"),
        WRONG("\1\0\4\2\0\5\1\1\0\0\1\0", 1, 5, "bytes are needed"),
        WRONG("\1\0\4\2\0\5\1\7\0\0\1\0", 1, 5, "rANS words is 7, allowed are 0 to 2"),
        WRONG("\1\0\4\3\2\2\1\0", 1, 5, "symbols 2 to 2"),
        WRONG("\1\0\4\3\0\1\x21\0", 1, 5, "incomplete or over-subscribed"),
        WRONG("\1\0\4\3\0\2\x11\1\0", 1, 5, "incomplete or over-subscribed"),
        WRONG("\1\0\4\3\0\1\xf1\0", 1, 5, "code of 15 bits"),
        WRONG("\1\0\4\3\0\1\x11", 1, 5, "codes end after 0 of 5"),
        WRONG("\1\0\4\3\0\1\x11\xf0", 1, 5, "bits set behind the last one"),
        WRONG("\2\3", 4, 1, "in mapping 3"),
        WRONG("\2\1\1\1", 1, 1, "planes of elements of 1 bytes"),
        WRONG("\3\2", 4, 1, "codebook of kind 2"),
        WRONG("\3\0\1aaaabbbb\1\2", 4, 1, "bits set behind"),
        WRONG("\3\0\2aaaabbbbcccc\1\3", 4, 1, "entry 3 of a codebook of 3"),
        WRONG("\3\0\2aaaabbbb", 4, 1, "codebook: 12 bytes are needed"),
        WRONG("\5\5", 4, 4, "elements that are not 0 is 5"),
        WRONG("\5\x80\0", 4, 4, "longer than it needs to be"),
        WRONG("\5\0\1\1", 4, 4, "bitmap of more than 0"),
        WRONG("\5\1\1\x10\0aaaa", 4, 4, "behind element 4"),
        WRONG("\5\1\1\0\0aaaa", 4, 4, "bitmap of 0 elements, there are 1"),
        WRONG("\5\1\1\1\5\1\1\1\0aaaa", 4, 4, "coder sparse inside another"),
        WRONG("\6\5", 4, 4, "groups of kind 5"),
        WRONG("\6\1", 4, 5, "5 elements in groups of kind 1"),
        WRONG("\6\1\1\7\0aaaabbbb", 4, 4, "group 0 is choice 7 of 6"),
    };
    uint8_t room[4096];
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct wrong *w = &all[i];
        struct rci_elements x = {
            .ctx = *state, .data = room, .count = w->count, .width = w->width, .rows = 1};
        struct rci_cursor from = {(const uint8_t *) w->bytes, (const uint8_t *) w->bytes + w->size};
        const rc_status st = rci_coder_read(&from, &x);
        if (st != RC_ERR_FORMAT || !strstr(rc_last_error(), w->says))
            fail_msg("case %zu: %s: %s; expected \"%s\"", i, rc_status_name(st), rc_last_error(),
                     w->says);
    }
}

static void what_is_no_text_is_refused(void **state)
{
    static const struct wrong all[] = {
        WRONG("", 1, 0, "text"),
        WRONG("\2", 1, 0, "text of kind 2"),
        WRONG("\1\xff\xff\xff\xff\x0f\0\0\0\0", 1, 0, "allowed are 0 to"),
        WRONG("\1\4\5\0\0\0\1abcde", 1, 0, "text is longer than 4 bytes"),
        WRONG("\1\6\5\0\0\0\1abcde", 1, 0, "text of 5 bytes, its header says 6"),
        WRONG("\1\5\1\1\1\1\1a\0\1\0\0\0\0", 1, 0, "0 bytes back from byte"),
        WRONG("\1\5\1\1\1\1\1a\0\1\0\0\0\2", 1, 0, "2 bytes back from byte 1"),
        WRONG("\1\5\1\1\0\0\1a\0\1", 1, 0, "length"),
        WRONG("\1\1\1\0\1\0\1a\0\0", 1, 0, "lengths: 1 bytes too many"),
        WRONG("\1\1\1\0\0\0\1a_", 1, 0, "1 bytes too many"),
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct wrong *w = &all[i];
        struct rci_bytes out;
        struct rci_cursor from = {(const uint8_t *) w->bytes, (const uint8_t *) w->bytes + w->size};
        const rc_status st = rci_text_read(&out, *state, &from, "text");
        assert_null(out.data);
        if (st != RC_ERR_FORMAT || !strstr(rc_last_error(), w->says))
            fail_msg("case %zu: %s: %s; expected \"%s\"", i, rc_status_name(st), rc_last_error(),
                     w->says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_is_castagnoli),
        cmocka_unit_test(all_elements_come_back),
        cmocka_unit_test(each_kind_of_tensor_has_its_coder),
        cmocka_unit_test(groups_of_two_in_four_take_three_bits_of_places),
        cmocka_unit_test(rans_comes_close_to_the_entropy),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(a_text_too_repetitive_is_stored),
        cmocka_unit_test(what_is_no_tensor_is_refused),
        cmocka_unit_test(what_is_no_text_is_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
