#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

static void test_equality(void **state)
{
    (void)state;
    assert_true(hg_slice_eq(HG_SLICE_NULL, HG_LIT("")));
    assert_true(hg_slice_eq(HG_LIT("a\0b"), hg_slice("a\0b", 3)));
    assert_false(hg_slice_eq(HG_LIT("a\0b"), HG_LIT("a\0c")));
    assert_false(hg_slice_eq(HG_LIT("a"), HG_LIT("ab")));
    assert_true(hg_slice_is(HG_LIT("text"), "text"));
    assert_false(hg_slice_is(HG_LIT("text"), "tex"));
    assert_true(hg_slice_is(HG_SLICE_NULL, ""));
    assert_int_equal(hg_slice_str("four").len, 4);
}

static void test_prefixes(void **state)
{
    (void)state;
    assert_true(hg_slice_starts(HG_LIT("orders.eu"), HG_LIT("orders")));
    assert_true(hg_slice_starts(HG_LIT("orders"), HG_LIT("orders")));
    assert_false(hg_slice_starts(HG_LIT("order"), HG_LIT("orders")));
    assert_false(hg_slice_starts(HG_LIT("Orders"), HG_LIT("orders")));
    assert_true(hg_slice_starts(HG_LIT("x"), HG_SLICE_NULL));
    assert_true(hg_slice_starts(HG_SLICE_NULL, HG_SLICE_NULL));
    assert_false(hg_slice_starts(HG_SLICE_NULL, HG_LIT("x")));
}

static void test_cuts_are_clamped(void **state)
{
    (void)state;
    assert_true(hg_slice_is(hg_slice_from(HG_LIT("abc"), 1), "bc"));
    assert_true(hg_slice_is(hg_slice_from(HG_LIT("abc"), 3), ""));
    assert_true(hg_slice_is(hg_slice_from(HG_LIT("abc"), SIZE_MAX), ""));
    assert_null(hg_slice_from(HG_SLICE_NULL, 5).ptr);
    assert_true(hg_slice_is(hg_slice_first(HG_LIT("abc"), 2), "ab"));
    assert_true(hg_slice_is(hg_slice_first(HG_LIT("abc"), SIZE_MAX), "abc"));
    assert_true(hg_slice_is(hg_slice_first(HG_LIT("abc"), 0), ""));
    assert_int_equal(hg_slice_first(HG_SLICE_NULL, 9).len, 0);
}

static void test_printing_bounds_the_text(void **state)
{
    (void)state;
    char out[16];
    snprintf(out, sizeof(out), "<%.*s>", HG_SLICE_ARG(hg_slice("abcdef", 3)));
    assert_string_equal(out, "<abc>");
    snprintf(out, sizeof(out), "<%.*s>", HG_SLICE_ARG(HG_SLICE_NULL));
    assert_string_equal(out, "<>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_cuts_are_clamped),
        cmocka_unit_test(test_printing_bounds_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
