#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "config/require.h"

static void assert_requires(const char *text, const char *name, const char *value)
{
    struct hg_requirement requirement;
    assert_true(hg_ok(hg_requirement_parse(hg_slice_str(text), &requirement, NULL)));
    assert_true(hg_slice_is(requirement.name, name));
    assert_int_equal(requirement.value.ptr != NULL, value != NULL);
    assert_true(hg_slice_is(requirement.value, value ? value : ""));
}

static void test_names_and_values(void **state)
{
    (void)state;
    assert_requires("subject", "subject", NULL);
    assert_requires("subject=", "subject", "");
    assert_requires("source=shop", "source", "shop");
    assert_requires("a=b=c", "a", "b=c");
    assert_requires("a==", "a", "=");
    assert_requires("\xc3\xa9 x=\xe2\x82\xac", "\xc3\xa9 x", "\xe2\x82\xac");
}

static void refused(const char *text, size_t len, const char *expected)
{
    struct hg_requirement requirement = {HG_LIT("kept"), HG_SLICE_NULL};
    const char *why = NULL;
    assert_int_equal(hg_requirement_parse(hg_slice(text, len), &requirement, &why).code, HG_ERR_SYNTAX);
    assert_string_equal(why, expected);
    assert_true(hg_slice_is(requirement.name, "kept"));
    assert_false(hg_ok(hg_requirement_parse(hg_slice(text, len), &requirement, NULL)));
}

static void test_what_is_no_requirement(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof(text));
    refused("", 0, "is empty");
    refused(NULL, 0, "is empty");
    refused("=", 1, "has no name before the =");
    refused("=x", 2, "has no name before the =");
    refused("a\n", 2, "contains a control character");
    refused("a=\x7f", 3, "contains a control character");
    refused("a=\0", 3, "contains a control character");
    refused("\xff", 1, "is not valid UTF-8");
    refused(text, 256, "has a name longer than 255 bytes");
    text[256] = '=';
    refused(text, 300, "has a name longer than 255 bytes");
    text[255] = '='; /* 255 bytes before it, and any number behind */
    struct hg_requirement requirement;
    assert_true(hg_ok(hg_requirement_parse(hg_slice(text, 300), &requirement, NULL)));
    assert_int_equal(requirement.name.len, 255);
    assert_int_equal(requirement.value.len, 44);
}

static void test_type_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        {"a", NULL},
        {"order.*", NULL},
        {"*", NULL},
        {"a b/\xc3\xa9", NULL},
        {"", "is empty"},
        {"**", "has a * that is not its end"},
        {"*a", "has a * that is not its end"},
        {"a*b", "has a * that is not its end"},
        {"a*b*", "has a * that is not its end"},
        {"a\t", "contains a control character"},
        {"\xc3", "is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = NULL;
        hg_result result = hg_type_pattern_check(hg_slice_str(cases[i].pattern), &why);
        assert_int_equal(hg_ok(result), cases[i].why == NULL);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
    }
    char text[256];
    memset(text, 'a', sizeof(text));
    assert_true(hg_ok(hg_type_pattern_check(hg_slice(text, 255), NULL)));
    assert_false(hg_ok(hg_type_pattern_check(hg_slice(text, 256), NULL)));
}

/* Byte by byte, as one would say it. */
static bool naive_match(const char *pattern, const char *type)
{
    if (*pattern == '*')
        return true;
    if (!*pattern || !*type)
        return *pattern == *type;
    return *pattern == *type && naive_match(pattern + 1, type + 1);
}

static void test_types_against_a_naive_model(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    unsigned matched = 0;
    for (int i = 0; i < 20000; i++) {
        char pattern[8] = "", type[8] = "";
        size_t len = (size_t)hg_prng_below(&prng, 4), type_len = (size_t)hg_prng_below(&prng, 5);
        for (size_t c = 0; c < len; c++)
            pattern[c] = (char)('a' + hg_prng_below(&prng, 2));
        if (len == 0 || hg_prng_chance(&prng, 50))
            pattern[len] = '*';
        for (size_t c = 0; c < type_len; c++)
            type[c] = "ab*"[hg_prng_below(&prng, 3)];
        bool expected = naive_match(pattern, type);
        assert_true(hg_ok(hg_type_pattern_check(hg_slice_str(pattern), NULL)));
        assert_int_equal(hg_type_pattern_match(hg_slice_str(pattern), hg_slice_str(type)), expected);
        matched += expected;
    }
    assert_in_range(matched, 2000, 18000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values),
        cmocka_unit_test(test_what_is_no_requirement),
        cmocka_unit_test(test_type_patterns),
        cmocka_unit_test(test_types_against_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
