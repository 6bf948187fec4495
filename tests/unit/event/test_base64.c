#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "event/base64.h"
#include "support/oom.h"

static void test_vectors_of_the_rfc(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hg_buf_clear(&buf);
        hg_base64_put(&buf, hg_slice_str(rows[i][0]));
        assert_true(hg_slice_is(hg_buf_slice(&buf), rows[i][1]));
    }
    hg_buf_clear(&buf);
    hg_base64_put(&buf, HG_SLICE_NULL);
    hg_base64_put(&buf, HG_LIT("\xff\xef\xbe\xfb\xff\x00"));
    assert_true(hg_slice_is(hg_buf_slice(&buf), "/+++"
                                                "+/8A"));
    hg_buf_done(&buf);
}

static int digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Bit by bit, by the definition: each digit is six bits, padding fills up to four digits, left-over bits are zero. */
static void check_decodes_to(struct hg_slice text, struct hg_slice bytes)
{
    assert_int_equal(text.len, (bytes.len + 2) / 3 * 4);
    size_t digits = text.len;
    while (digits > 0 && text.ptr[digits - 1] == '=')
        digits--;
    assert_true(text.len - digits == (3 - bytes.len % 3) % 3);
    for (size_t bit = 0; bit < digits * 6; bit++) {
        int value = digit(text.ptr[bit / 6]);
        assert_true(value >= 0);
        unsigned ours = (unsigned)value >> (5 - bit % 6) & 1;
        unsigned theirs = bit < bytes.len * 8 ? (unsigned)(unsigned char)bytes.ptr[bit / 8] >> (7 - bit % 8) & 1 : 0;
        assert_int_equal(ours, theirs);
    }
}

static void test_random_bytes_come_back(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 31);
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    for (size_t round = 0; round < 2000; round++) {
        char bytes[100];
        size_t len = round % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)hg_prng_next(&prng);
        hg_buf_clear(&buf);
        hg_base64_put(&buf, hg_slice(bytes, len));
        check_decodes_to(hg_buf_slice(&buf), hg_slice(bytes, len));
    }
    hg_buf_done(&buf);
}

static void test_the_ceiling_is_kept(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 8);
    hg_base64_put(&buf, HG_LIT("123456"));
    assert_true(hg_ok(hg_buf_result(&buf)) && buf.len == 8);
    hg_buf_clear(&buf);
    hg_base64_put(&buf, HG_LIT("1234567"));
    assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
    assert_int_equal(buf.len, 0);
    hg_buf_done(&buf);
}

static bool put(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    hg_base64_put(&buf, HG_LIT("some bytes"));
    hg_base64_put(&buf, HG_LIT("some more bytes, so many that the buffer has to grow a second time"));
    bool ok = hg_ok(hg_buf_result(&buf));
    hg_buf_done(&buf);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(put);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_the_rfc),
        cmocka_unit_test(test_random_bytes_come_back),
        cmocka_unit_test(test_the_ceiling_is_kept),
        cmocka_unit_test(test_each_allocation_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
