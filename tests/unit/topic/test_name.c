#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "topic/name.h"

static const char *why_not(struct hg_slice name)
{
    const char *why = "untouched";
    hg_result r = hg_topic_check(name, &why);
    assert_int_equal(hg_topic_check(name, NULL).code, r.code);
    if (hg_ok(r))
        assert_string_equal(why, "untouched");
    else
        assert_int_equal(r.code, HG_ERR_SYNTAX);
    return hg_ok(r) ? NULL : why;
}

static void test_what_redis_has_is_a_topic(void **state)
{
    (void)state;
    static const char *const names[] = {"a",
                                        "orders.eu",
                                        "prices:BTC",
                                        "a/b.c:d",
                                        ".",
                                        "..",
                                        "a.",
                                        ".a",
                                        "*",
                                        "a*b",
                                        "**.x",
                                        "$system",
                                        "a b",
                                        "größe/日本.語",
                                        "\"",
                                        "\\",
                                        "{}",
                                        "\xc2\xa0",
                                        "\xf0\x9f\x9a\xaa"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_null(why_not(hg_slice_str(names[i])));
}

static void test_the_phrases(void **state)
{
    (void)state;
    assert_string_equal(why_not(HG_SLICE_NULL), "is empty");
    assert_string_equal(why_not(HG_LIT("\xff")), "is not valid UTF-8");
    assert_string_equal(why_not(HG_LIT("a\xc2")), "is not valid UTF-8");
    assert_string_equal(why_not(HG_LIT("\xc0\xae")), "is not valid UTF-8"); /* an overlong '.' */
    assert_string_equal(why_not(HG_LIT("\xed\xa0\x80")), "is not valid UTF-8");
    assert_string_equal(why_not(HG_LIT("a\0b")), "contains a control character");
}

static void test_length_is_in_bytes(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', sizeof(name));
    for (size_t len = 1; len <= 255; len++)
        assert_null(why_not(hg_slice(name, len)));
    assert_string_equal(why_not(hg_slice(name, 256)), "is longer than 255 bytes");
    memcpy(name + 253, "\xc3\xa9", 2); /* the last of 254 characters */
    assert_null(why_not(hg_slice(name, 255)));
    memset(name, 0xff, sizeof(name));
    assert_string_equal(why_not(hg_slice(name, 256)), "is longer than 255 bytes");
}

/* Every character of one and two bytes: exactly category Cc is refused. */
static void test_control_characters(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x800; c++) {
        char name[4] = {'a', (char)c, 'b', 'c'};
        if (c >= 0x80) {
            name[1] = (char)(0xc0 | c >> 6);
            name[2] = (char)(0x80 | (c & 0x3f));
        }
        const char *why = why_not(hg_slice(name, sizeof(name)));
        bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
        assert_int_equal(why != NULL, control);
        if (control)
            assert_string_equal(why, "contains a control character");
    }
}

static void test_separators(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        assert_int_equal(hg_topic_is_separator((char)c), c == '.' || c == ':' || c == '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_redis_has_is_a_topic),
        cmocka_unit_test(test_the_phrases),
        cmocka_unit_test(test_length_is_in_bytes),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_separators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
