#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/utf8.h"

/* The stupid model: decodes by the table of RFC 3629 and asks afterwards whether the code point was allowed in that
 * length. */
static size_t model_char(const unsigned char *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80             ? 1
                 : (at[0] & 0xe0) == 0xc0 ? 2
                 : (at[0] & 0xf0) == 0xe0 ? 3
                 : (at[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t point = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least[len] || point > 0x10ffff || surrogate ? 0 : len;
}

static size_t model_prefix(const unsigned char *bytes, size_t len)
{
    size_t at = 0, step;
    while (at < len && (step = model_char(bytes + at, len - at)) > 0)
        at += step;
    return at;
}

static void check(const unsigned char *bytes, size_t len)
{
    size_t expected = model_prefix(bytes, len);
    struct hg_slice text = hg_slice(bytes, len);
    if (hg_utf8_prefix(text) != expected || hg_utf8_valid(text) != (expected == len))
        fail_msg("%zu bytes %02x %02x %02x …: prefix %zu, the model says %zu", len, bytes[0], len > 1 ? bytes[1] : 0,
                 len > 2 ? bytes[2] : 0, hg_utf8_prefix(text), expected);
}

static void test_every_short_sequence(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        unsigned char one[1] = {(unsigned char)a};
        check(one, 1);
        for (unsigned b = 0; b < 256; b++) {
            unsigned char two[2] = {(unsigned char)a, (unsigned char)b};
            check(two, 2);
            for (unsigned c = 0; c < 256; c++) {
                unsigned char three[3] = {(unsigned char)a, (unsigned char)b, (unsigned char)c};
                check(three, 3);
            }
        }
    }
}

/* Every first and second byte, with third and fourth bytes at the edges of their range. */
static void test_sequences_of_four(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned a = 0xe0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (size_t c = 0; c < sizeof(edges); c++)
                for (size_t d = 0; d < sizeof(edges); d++) {
                    unsigned char four[4] = {(unsigned char)a, (unsigned char)b, edges[c], edges[d]};
                    check(four, 4);
                }
}

/* Long texts go through the path that takes eight bytes at once; a bad byte may stand anywhere in it. */
static void test_long_texts(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 11);
    for (int round = 0; round < 20000; round++) {
        static const char *const pieces[] = {"abcdefgh", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "01234"};
        unsigned char bytes[96];
        size_t len = 0;
        while (len < 64 && !hg_prng_chance(&prng, 3)) {
            const char *piece = pieces[hg_prng_below(&prng, sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(bytes + len, piece, strlen(piece));
            len += strlen(piece);
        }
        if (len == 0)
            continue;
        if (hg_prng_chance(&prng, 50))
            bytes[hg_prng_below(&prng, len)] = (unsigned char)hg_prng_below(&prng, 256);
        check(bytes, len - hg_prng_below(&prng, len > 4 ? 4 : 1));
    }
}

static void test_nothing_is_valid(void **state)
{
    (void)state;
    assert_true(hg_utf8_valid(HG_SLICE_NULL));
    assert_true(hg_utf8_valid(HG_LIT("")));
    assert_true(hg_utf8_valid(HG_LIT("\0")));
    assert_int_equal(hg_utf8_prefix(HG_SLICE_NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_sequences_of_four),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_nothing_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
