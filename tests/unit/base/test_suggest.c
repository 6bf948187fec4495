#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/suggest.h"

static size_t distance(const char *a, const char *b)
{
    return hg_edit_distance(hg_slice_str(a), hg_slice_str(b));
}

/* The definition, without any table. */
static size_t naive(const char *a, const char *b)
{
    if (!*a || !*b)
        return strlen(a) + strlen(b);
    size_t best = naive(a + 1, b + 1) + (*a != *b), other = naive(a + 1, b) + 1;
    best = other < best ? other : best;
    other = naive(a, b + 1) + 1;
    best = other < best ? other : best;
    if (a[1] && b[1] && a[0] == b[1] && a[1] == b[0]) {
        other = naive(a + 2, b + 2) + 1;
        best = other < best ? other : best;
    }
    return best;
}

static void word(unsigned number, char out[5])
{
    unsigned len = 0;
    for (; number > 0; number /= 4)
        if (number % 4 > 0)
            out[len++] = (char)('a' + number % 4 - 1);
    out[len] = '\0';
}

static void test_edit_distance_against_its_definition(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i += 1)
        for (unsigned j = 0; j < 256; j += 3) {
            char a[5], b[5];
            word(i, a);
            word(j, b);
            if (distance(a, b) != naive(a, b))
                fail_msg("%s, %s: %zu instead of %zu", a, b, distance(a, b), naive(a, b));
        }
    assert_int_equal(distance("Listen", "lISTEN"), 0);
    char long_text[200];
    memset(long_text, 'x', sizeof(long_text));
    assert_int_equal(hg_edit_distance(hg_slice(long_text, 200), hg_slice(long_text, 65)), 0);
    assert_int_equal(hg_edit_distance(HG_SLICE_NULL, hg_slice(long_text, 200)), 64);
}

static const char *colour(size_t i)
{
    static const char *const names[] = {"red", "green", "yellow", "dark_green"};
    return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

static void test_the_nearest_or_none(void **state)
{
    (void)state;
    assert_string_equal(hg_suggest(HG_LIT("yelow"), colour), "yellow");
    assert_string_equal(hg_suggest(HG_LIT("GREEN"), colour), "green");
    assert_string_equal(hg_suggest(HG_LIT("dark"), colour), "dark_green");
    assert_null(hg_suggest(HG_LIT("blue"), colour));
    assert_null(hg_suggest(HG_SLICE_NULL, colour));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_distance_against_its_definition),
        cmocka_unit_test(test_the_nearest_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
