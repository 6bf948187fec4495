#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/visible.h"

static void shows(const char *text, size_t most, const char *expected)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    hg_visible_put(hg_slice_str(text), most, &buf);
    if (!hg_slice_is(hg_buf_slice(&buf), expected))
        fail_msg("%s is shown as %.*s", expected, HG_SLICE_ARG(hg_buf_slice(&buf)));
    hg_buf_done(&buf);
}

static void test_plain_text_stays(void **state)
{
    (void)state;
    shows("", SIZE_MAX, "");
    shows("a\\ \"b\" \xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa9", SIZE_MAX,
          "a\\ \"b\" \xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa9");
    shows("\xc2\xa0", SIZE_MAX, "\xc2\xa0");
}

static void test_controls_and_rubbish_do_not(void **state)
{
    (void)state;
    shows("a\nb\x1b[2J\x7f", SIZE_MAX, "a\\x0ab\\x1b[2J\\x7f");
    shows("\xc2\x9b\xff\xc3", SIZE_MAX, "\\x9b\\xff\\xc3");
    shows("\xe2\x80\xa8\xe2\x80\xa9", SIZE_MAX, "\\u2028\\u2029");
    shows("\xed\xa0\x80", SIZE_MAX, "\\xed\\xa0\\x80");
}

static void test_the_cut_is_between_characters(void **state)
{
    (void)state;
    shows("abc", 3, "abc");
    shows("abcd", 3, "abc…");
    shows("ab\xc3\xa9", 3, "ab…");
    shows("a", 0, "…");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_stays),
        cmocka_unit_test(test_controls_and_rubbish_do_not),
        cmocka_unit_test(test_the_cut_is_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
