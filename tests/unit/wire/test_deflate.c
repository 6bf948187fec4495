#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"
#include "support/inflate.h"
#include "support/oom.h"
#include "wire/deflate.h"

#define MAX (1u << 20)

static struct hg_deflater *deflater;
static struct hg_inflater *inflater;
static struct hg_buf deflated, inflated;

static int set_up(void **state)
{
    (void)state;
    hg_buf_init(&deflated, 2 * MAX);
    hg_buf_init(&inflated, MAX);
    assert_true(hg_ok(hg_deflater_new(3, 15, &deflater)));
    assert_true(hg_ok(hg_inflater_new(&inflater)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hg_deflater_free(deflater);
    hg_inflater_free(inflater);
    hg_deflater_free(NULL);
    hg_inflater_free(NULL);
    hg_buf_done(&deflated);
    hg_buf_done(&inflated);
    return 0;
}

static enum hg_error inflate_it(struct hg_slice data)
{
    hg_buf_clear(&inflated);
    enum hg_error error = hg_inflate(inflater, data, &inflated).code;
    assert_true(error == HG_ERR_OK || inflated.len == 0);
    return error;
}

static void assert_inflates_to(struct hg_slice data, struct hg_slice message)
{
    assert_int_equal(inflate_it(data), HG_ERR_OK);
    assert_true(hg_slice_eq(hg_buf_slice(&inflated), message));
}

/* Some text that deflates more or less well. */
static void fill(struct hg_prng *prng, char *text, size_t len, unsigned letters)
{
    for (size_t i = 0; i < len; i++)
        text[i] = i > 40 && hg_prng_chance(prng, 60) ? text[i - 37] : (char)hg_prng_below(prng, letters);
}

static void test_examples_of_the_rfc(void **state)
{
    (void)state;
    /* RFC 7692, sections 7.2.3.1 to 7.2.3.6: one block, none compressed, the last one marked so, two, an empty message.
     */
    struct hg_slice hello = HG_LIT("Hello");
    assert_inflates_to(HG_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), hello);
    assert_inflates_to(HG_LIT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), hello);
    assert_inflates_to(HG_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), hello);
    assert_inflates_to(HG_LIT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), hello);
    assert_inflates_to(HG_LIT("\x00"), HG_LIT(""));
    /* Section 7.2.3.2 refers to the message before, which we told the client not to do. */
    assert_int_equal(inflate_it(HG_LIT("\xf2\x00\x11\x00\x00")), HG_ERR_SYNTAX);
    /* A block that is the last one, and none behind it. */
    assert_inflates_to(HG_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), HG_LIT("HelloHello"));
    assert_inflates_to(HG_LIT("\x01"), HG_LIT(""));

    assert_true(hg_deflate(deflater, HG_LIT("HelloHelloHelloHello"), 20, &deflated));
    assert_inflates_to(hg_buf_slice(&deflated), HG_LIT("HelloHelloHelloHello"));
}

static void test_round_trips_at_all_windows(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    char *text = malloc(200000);
    assert_non_null(text);
    for (unsigned bits = HG_DEFLATE_WINDOW_BITS_MIN; bits <= HG_DEFLATE_WINDOW_BITS_MAX; bits++) {
        struct hg_deflater *other;
        assert_true(hg_ok(hg_deflater_new(1 + bits % 9, bits, &other)));
        for (unsigned i = 0; i < 60; i++) {
            size_t len = hg_prng_below(&prng, i % 10 == 0 ? 200000 : 3000) + 1, there;
            fill(&prng, text, len, i % 3 == 0 ? 256 : 8);
            hg_buf_clear(&deflated);
            hg_buf_put_str(&deflated, "before");
            if (!hg_deflate(other, hg_slice(text, len), len, &deflated)) {
                assert_int_equal(deflated.len, 6);
                continue;
            }
            struct hg_slice data = hg_slice_from(hg_buf_slice(&deflated), 6);
            assert_true(data.len < len);
            /* A client with no larger a window can read it. */
            char *naive = hgt_inflate(data, (int)bits, 200000, &there);
            assert_non_null(naive);
            assert_int_equal(there, len);
            assert_memory_equal(naive, text, len);
            free(naive);
            assert_inflates_to(data, hg_slice(text, len));
        }
        hg_deflater_free(other);
    }
    free(text);
}

static void test_only_what_becomes_smaller(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 2);
    char noise[1000];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)hg_prng_below(&prng, 256);
    assert_false(hg_deflate(deflater, hg_slice(noise, sizeof(noise)), sizeof(noise), &deflated));
    assert_false(hg_deflate(deflater, HG_LIT(""), 0, &deflated));
    assert_false(hg_deflate(deflater, HG_LIT("x"), 1, &deflated));
    assert_int_equal(deflated.len, 0);
    /* The limit is exact. */
    char text[1000];
    memset(text, 'a', sizeof(text));
    assert_true(hg_deflate(deflater, hg_slice(text, sizeof(text)), sizeof(text), &deflated));
    size_t len = deflated.len;
    hg_buf_clear(&deflated);
    assert_false(hg_deflate(deflater, hg_slice(text, sizeof(text)), len, &deflated));
    assert_true(hg_deflate(deflater, hg_slice(text, sizeof(text)), len + 1, &deflated));
    assert_int_equal(deflated.len, len);
    /* Without room nothing happens, and the buffer stays of use. */
    struct hg_buf small;
    hg_buf_init(&small, len);
    assert_false(hg_deflate(deflater, hg_slice(text, sizeof(text)), sizeof(text), &small));
    assert_true(hg_ok(hg_buf_result(&small)));
    hg_buf_done(&small);
}

/* As other senders do it: flushes in the middle, blocks that are stored, blocks marked as the last. */
static size_t deflate_oddly(struct hg_prng *prng, struct hg_slice text, unsigned char *to, size_t room)
{
    z_stream z = {0};
    static const int flushes[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK};
    assert_int_equal(deflateInit2(&z, (int)hg_prng_below(prng, 10), Z_DEFLATED, -(int)(9 + hg_prng_below(prng, 7)),
                                  1 + (int)hg_prng_below(prng, 9), (int)hg_prng_below(prng, 5)),
                     Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text.ptr;
    z.next_out = to;
    z.avail_out = (uInt)room;
    for (size_t left = text.len; left > 0;) {
        size_t piece = 1 + hg_prng_below(prng, left < 4000 ? left : 4000);
        z.avail_in = (uInt)piece;
        left -= piece;
        assert_int_equal(deflate(&z, flushes[hg_prng_below(prng, 5)]), Z_OK);
        if (left > 0 && hg_prng_chance(prng, 10)) { /* the last block, and others behind it */
            assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
            unsigned char *next_in = z.next_in;
            unsigned char *next_out = z.next_out;
            uInt avail_out = z.avail_out;
            assert_int_equal(deflateReset(&z), Z_OK);
            z.next_in = next_in;
            z.next_out = next_out;
            z.avail_out = avail_out;
        }
    }
    z.avail_in = 0;
    /* A flush after a flush says nothing. */
    int status = deflate(&z, Z_SYNC_FLUSH);
    assert_true(status == Z_OK || status == Z_BUF_ERROR);
    size_t len = room - z.avail_out;
    deflateEnd(&z);
    assert_memory_equal(to + len - 4, "\x00\x00\xff\xff", 4);
    return len - 4;
}

static void test_other_senders(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 3);
    char *text = malloc(100000);
    unsigned char *data = malloc(400000);
    assert_non_null(text);
    assert_non_null(data);
    for (unsigned i = 0; i < 500; i++) {
        size_t text_len = 1 + hg_prng_below(&prng, 100000);
        fill(&prng, text, text_len, 30);
        size_t len = deflate_oddly(&prng, hg_slice(text, text_len), data, 400000);
        assert_inflates_to(hg_slice(data, len), hg_slice(text, text_len));
        /* Cut anywhere, it is not whole; unless what is cut off says nothing, it is refused or shorter. */
        size_t cut = hg_prng_below(&prng, len);
        if (inflate_it(hg_slice(data, cut)) == HG_ERR_OK)
            assert_true(inflated.len <= text_len && memcmp(inflated.ptr ? inflated.ptr : "", text, inflated.len) == 0);
    }
    free(text);
    free(data);
}

static void test_the_ceiling_is_exact(void **state)
{
    (void)state;
    char *text = malloc(70000);
    assert_non_null(text);
    memset(text, 'z', 70000);
    static const size_t lens[] = {1, 500, 1023, 1024, 1025, 65535, 65536, 69999};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct hg_buf exact;
        hg_buf_clear(&deflated);
        assert_true(hg_deflate(deflater, hg_slice(text, lens[i]), lens[i] + 10, &deflated));
        hg_buf_init(&exact, lens[i]);
        assert_int_equal(hg_inflate(inflater, hg_buf_slice(&deflated), &exact).code, HG_ERR_OK);
        assert_int_equal(exact.len, lens[i]);
        hg_buf_done(&exact);
        if (lens[i] == 1)
            continue;
        hg_buf_init(&exact, lens[i] - 1);
        assert_int_equal(hg_inflate(inflater, hg_buf_slice(&deflated), &exact).code, HG_ERR_TOO_BIG);
        assert_int_equal(exact.len, 0);
        hg_buf_done(&exact);
    }
    free(text);
}

static void test_a_bomb_is_defused_at_the_ceiling(void **state)
{
    (void)state;
    /* Half a gigabyte of zeros in half a megabyte. */
    unsigned char *bomb = malloc(MAX), zeros[4096] = {0};
    assert_non_null(bomb);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = bomb;
    z.avail_out = MAX;
    while (z.avail_out > MAX / 2) {
        z.next_in = zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    deflateEnd(&z);
    assert_int_equal(inflate_it(hg_slice(bomb, MAX - z.avail_out)), HG_ERR_TOO_BIG);
    assert_true(inflated.capacity <= MAX);
    free(bomb);
}

/* Bits as RFC 1951, section 3.1.1, packs them. */
struct bits {
    unsigned char *bytes;
    size_t count;
};

static void put_bits(struct bits *bits, unsigned value, unsigned count)
{
    for (unsigned i = 0; i < count; i++, bits->count++)
        bits->bytes[bits->count / 8] |= (unsigned char)((value >> i & 1) << bits->count % 8);
}

/* Tables of codes and nothing coded with them: the dearest bytes there are. Two symbols, the end and a literal, have a
 * code of one bit each; lengths of codes are told with codes of one bit, too (0 and 18 by symbols 18 and 1). */
static void put_empty_dynamic_block(struct bits *bits)
{
    put_bits(bits, 0, 1);      /* not the last */
    put_bits(bits, 2, 2);      /* dynamic */
    put_bits(bits, 0, 5);      /* 257 literal codes */
    put_bits(bits, 0, 5);      /* one distance code */
    put_bits(bits, 18 - 4, 4); /* 18 lengths: up to symbol 1 */
    /* order: 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 */
    for (unsigned i = 0; i < 18; i++)
        put_bits(bits, i == 2 || i == 17 ? 1 : 0, 3);
    /* Of the two symbols 1 and 18, the smaller has the code 0. */
    put_bits(bits, 0, 1); /* literal 0 has a code of one bit */
    put_bits(bits, 1, 1), put_bits(bits, 138 - 11, 7);
    put_bits(bits, 1, 1), put_bits(bits, 117 - 11, 7); /* 255 of length 0 */
    put_bits(bits, 0, 1);                              /* the end has a code of one bit */
    put_bits(bits, 0, 1);                              /* the one distance */
    put_bits(bits, 1, 1);                              /* the end */
}

/* So many blocks of a kind, and a whole end; the blocks are alike. */
static enum hg_error inflate_blocks(void (*put)(struct bits *bits), unsigned count)
{
    struct bits bits = {calloc(1, MAX), 0};
    assert_non_null(bits.bytes);
    for (; count > 0; count--)
        put(&bits);
    put_bits(&bits, 0, 3);
    enum hg_error error = inflate_it(hg_slice(bits.bytes, (bits.count + 7) / 8));
    assert_int_equal(inflated.len, 0);
    free(bits.bytes);
    return error;
}

static void put_empty_fixed_block(struct bits *bits)
{
    put_bits(bits, 0, 1);
    put_bits(bits, 1, 2);
    put_bits(bits, 0, 7);
}

static void put_last_fixed_block(struct bits *bits)
{
    put_bits(bits, 1, 1);
    put_bits(bits, 1, 2);
    put_bits(bits, 0, 7 + 6); /* to the end of a byte */
}

static void test_blocks_that_say_nothing_are_bounded(void **state)
{
    (void)state;
    static void (*const kinds[])(struct bits * bits) = {put_empty_dynamic_block, put_empty_fixed_block,
                                                        put_last_fixed_block};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        assert_int_equal(inflate_blocks(kinds[i], 60), HG_ERR_OK); /* some are harmless */
        assert_int_equal(inflate_blocks(kinds[i], 200), HG_ERR_SYNTAX);
        assert_int_equal(inflate_blocks(kinds[i], 5000), HG_ERR_SYNTAX);
    }
}

static void test_garbage(void **state)
{
    (void)state;
    static const struct hg_slice rows[] = {
        HG_LIT(""),                             /* not even an empty message */
        HG_LIT("\x06"),                         /* a block of no kind */
        HG_LIT("\x00\x05\x00\xfa\xfe"),         /* a length that is not the complement of the other */
        HG_LIT("\x00\x05\x00\xfa\xff\x48\x65"), /* a stored block that is not all there */
        HG_LIT("\xf2\x48\xcd\xc9"),             /* cut */
        HG_LIT("hello, world, this is text"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(inflate_it(rows[i]), HG_ERR_SYNTAX);
    struct hg_prng prng;
    hg_prng_init(&prng, 4);
    for (unsigned i = 0; i < 20000; i++) {
        char noise[300];
        size_t len = hg_prng_below(&prng, sizeof(noise));
        for (size_t j = 0; j < len; j++)
            noise[j] = (char)hg_prng_below(&prng, 256);
        (void)inflate_it(hg_slice(noise, len));
    }
    /* And none of it is remembered. */
    assert_inflates_to(HG_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HG_LIT("Hello"));
}

static struct hg_deflater *none;

static void at_level_0(void)
{
    (void)hg_deflater_new(0, 15, &none).code;
}

static void with_8_bits(void)
{
    (void)hg_deflater_new(3, 8, &none).code;
}

static void with_16_bits(void)
{
    (void)hg_deflater_new(3, 16, &none).code;
}

static void into_a_buffer_in_use(void)
{
    hg_buf_put_char(&inflated, 'x');
    (void)hg_inflate(inflater, HG_LIT("\x00"), &inflated).code;
}

static void test_misuse_is_caught(void **state)
{
    (void)state;
    assert_true(hgt_dies(at_level_0));
    assert_true(hgt_dies(with_8_bits));
    assert_true(hgt_dies(with_16_bits));
    assert_true(hgt_dies(into_a_buffer_in_use));
}

static bool deflate_and_inflate(void)
{
    struct hg_deflater *out = NULL;
    struct hg_inflater *in = NULL;
    struct hg_buf there, back;
    char text[3000];
    hg_buf_init(&there, 4000);
    hg_buf_init(&back, 4000);
    memset(text, 'q', sizeof(text));
    bool good = hg_ok(hg_deflater_new(3, 15, &out)) && hg_ok(hg_inflater_new(&in)) &&
                hg_deflate(out, hg_slice(text, sizeof(text)), sizeof(text), &there) &&
                hg_ok(hg_inflate(in, hg_buf_slice(&there), &back)) && back.len == sizeof(text);
    hg_deflater_free(out);
    hg_inflater_free(in);
    hg_buf_done(&there);
    hg_buf_done(&back);
    return good;
}

static void test_without_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(deflate_and_inflate);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_examples_of_the_rfc),
        TEST(test_round_trips_at_all_windows),
        TEST(test_only_what_becomes_smaller),
        TEST(test_other_senders),
        TEST(test_the_ceiling_is_exact),
        TEST(test_a_bomb_is_defused_at_the_ceiling),
        TEST(test_blocks_that_say_nothing_are_bounded),
        TEST(test_garbage),
        TEST(test_misuse_is_caught),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
