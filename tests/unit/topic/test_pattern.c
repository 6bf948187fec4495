#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/naive_topic.h"
#include "topic/name.h"
#include "topic/pattern.h"

/* 'a' stands for bytes without meaning, '/' behaves as ':' does. */
#define ALPHABET "a*.:$"

static struct naive_text *names, *patterns;
static size_t name_count, pattern_count;

static int enumerate(void **state)
{
    (void)state;
    names = naive_texts(ALPHABET, 5, &name_count);
    patterns = calloc(name_count, sizeof(*patterns));
    assert_non_null(patterns);
    for (size_t i = 0; i < name_count; i++) {
        if (naive_stars_stand_alone(naive_slice(&names[i])))
            patterns[pattern_count++] = names[i];
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(names);
    free(patterns);
    return 0;
}

static void test_check_agrees_with_the_model(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (size_t i = 0; i < name_count; i++) {
        struct hg_slice text = naive_slice(&names[i]);
        const char *why = NULL;
        hg_result r = hg_pattern_check(text, &why);
        assert_int_equal(r.code, naive_stars_stand_alone(text) ? HG_ERR_OK : HG_ERR_SYNTAX);
        assert_int_equal(hg_pattern_check(text, NULL).code, r.code);
        assert_int_equal(hg_ok(r), why == NULL);
        accepted += hg_ok(r);
    }
    assert_true(accepted == pattern_count && accepted < name_count);
}

static const char *why_not(const char *pattern)
{
    const char *why = NULL;
    return hg_ok(hg_pattern_check(hg_slice_str(pattern), &why)) ? NULL : why;
}

static void test_the_phrases(void **state)
{
    (void)state;
    static const char not_alone[] = "has a '*' that does not stand alone in its segment";
    assert_string_equal(why_not(""), "is empty");
    assert_string_equal(why_not("a\n"), "contains a control character");
    assert_string_equal(why_not("\x80"), "is not valid UTF-8");
    assert_string_equal(why_not("a*"), not_alone);
    assert_string_equal(why_not("x.*a.y"), not_alone);
    assert_string_equal(why_not("***"), not_alone);
    assert_string_equal(why_not("**.a"), "has '**' before its last segment");
    assert_string_equal(why_not("a.**:"), "has '**' before its last segment");
    assert_string_equal(why_not("**.**"), "has '**' before its last segment");
    assert_null(why_not("a/*:*.**"));
    assert_null(why_not("$system.**"));
}

/* Whether the library and a model see all (pattern, name) alike. */
static bool agrees_with(enum naive_flaw flaw)
{
    for (size_t p = 0; p < pattern_count; p++) {
        for (size_t n = 0; n < name_count; n++) {
            struct hg_slice pattern = naive_slice(&patterns[p]), name = naive_slice(&names[n]);
            if (hg_pattern_match(pattern, name) != naive_match(pattern, name, flaw))
                return false;
        }
    }
    return true;
}

static void test_match_agrees_with_the_model(void **state)
{
    (void)state;
    assert_true(agrees_with(NAIVE_SOUND));
}

static void test_a_flawed_model_is_noticed(void **state)
{
    (void)state;
    for (enum naive_flaw flaw = NAIVE_SOUND + 1; flaw < NAIVE_FLAW_COUNT; flaw++)
        assert_false(agrees_with(flaw));
}

static bool match(const char *pattern, const char *name)
{
    return hg_pattern_match(hg_slice_str(pattern), hg_slice_str(name));
}

static void test_match_by_example(void **state)
{
    (void)state;
    assert_true(match("orders.*", "orders.eu"));
    assert_false(match("orders.*", "orders:eu"));
    assert_false(match("orders.*", "orders.eu.1"));
    assert_false(match("orders.*", "orders"));
    assert_true(match("orders.*", "orders."));
    assert_true(match("orders.**", "orders.eu:1/x"));
    assert_false(match("orders.**", "orders"));
    assert_true(match("*/*", "größe/日本"));
    assert_true(match("**", "a"));
    assert_false(match("**", "$system"));
    assert_false(match("*", "$system"));
    assert_false(match("*.x", "$system.x"));
    assert_true(match("$system", "$system"));
    assert_true(match("$system.*", "$system.x"));
    assert_true(match("a.*", "a.$x")); /* the rule is about the name's first byte */
    assert_true(match("a.*", "a.*"));
    assert_true(match("a.*", "a.**"));
}

static void test_exact_patterns_match_themselves_only(void **state)
{
    (void)state;
    for (size_t p = 0; p < pattern_count; p++) {
        struct hg_slice pattern = naive_slice(&patterns[p]);
        size_t matches = 0;
        for (size_t n = 0; n < name_count; n++)
            matches += hg_pattern_match(pattern, naive_slice(&names[n]));
        if (hg_pattern_is_exact(pattern))
            assert_true(matches == 1 && hg_pattern_match(pattern, pattern));
        else
            assert_non_null(memchr(pattern.ptr, '*', pattern.len));
    }
}

/* Patterns of up to four bytes against each other. The shortest name that two of them share has at most five bytes
 * ("aa.*" and
 * "*.aa"), so that the names at hand decide. */
static void test_intersects_agrees_with_enumeration(void **state)
{
    (void)state;
    size_t short_count = 0, words = name_count / 64 + 1, positive = 0, negative = 0;
    while (short_count < pattern_count && patterns[short_count].len <= 4)
        short_count++;
    uint64_t *matched = calloc(short_count * words, sizeof(*matched));
    assert_non_null(matched);
    for (size_t p = 0; p < short_count; p++) {
        for (size_t n = 0; n < name_count; n++) {
            if (naive_match(naive_slice(&patterns[p]), naive_slice(&names[n]), NAIVE_SOUND))
                matched[p * words + n / 64] |= UINT64_C(1) << n % 64;
        }
    }
    for (size_t a = 0; a < short_count; a++) {
        for (size_t b = 0; b < short_count; b++) {
            uint64_t common = 0;
            for (size_t w = 0; w < words && !common; w++)
                common = matched[a * words + w] & matched[b * words + w];
            bool said = hg_pattern_intersects(naive_slice(&patterns[a]), naive_slice(&patterns[b]));
            if (said != (common != 0)) {
                print_error("%.*s and %.*s\n", HG_SLICE_ARG(naive_slice(&patterns[a])),
                            HG_SLICE_ARG(naive_slice(&patterns[b])));
                fail();
            }
            *(said ? &positive : &negative) += 1;
        }
    }
    free(matched);
    assert_true(positive > 1000 && negative > 1000);
}

/* A name that two patterns share may be longer than each; past 255 bytes it is none. */
static void test_intersects_knows_how_long_names_are(void **state)
{
    (void)state;
    char a[300], b[300], name[300];
    for (size_t left = 100; left <= 200; left++) {
        for (size_t right = 253 - left; right <= 256 - left; right++) {
            memset(a, 'a', left);
            memcpy(a + left, ".*", 2);
            memcpy(b, "*.", 2);
            memset(b + 2, 'b', right);
            memset(name, 'a', left);
            name[left] = '.';
            memset(name + left + 1, 'b', right);
            struct hg_slice sa = hg_slice(a, left + 2), sb = hg_slice(b, right + 2);
            struct hg_slice common = hg_slice(name, left + 1 + right);
            assert_true(hg_ok(hg_pattern_check(sa, NULL)) && hg_ok(hg_pattern_check(sb, NULL)));
            assert_true(hg_pattern_match(sa, common) && hg_pattern_match(sb, common));
            assert_int_equal(hg_pattern_intersects(sa, sb), hg_ok(hg_topic_check(common, NULL)));
            assert_int_equal(hg_pattern_intersects(sb, sa), hg_ok(hg_topic_check(common, NULL)));

            /* The same with the tail left to '**': "aaa.**" and "*.bbb.*" share "aaa.bbb.". */
            memcpy(a + left, ".**", 3);
            memcpy(b + 2 + right, ".*", 2);
            sa = hg_slice(a, left + 3), sb = hg_slice(b, right + 4);
            assert_int_equal(hg_pattern_intersects(sa, sb), left + 1 + right + 1 <= HG_TOPIC_BYTES_MAX);
            assert_int_equal(hg_pattern_intersects(sb, sa), left + 1 + right + 1 <= HG_TOPIC_BYTES_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_agrees_with_the_model),
        cmocka_unit_test(test_the_phrases),
        cmocka_unit_test(test_match_agrees_with_the_model),
        cmocka_unit_test(test_a_flawed_model_is_noticed),
        cmocka_unit_test(test_match_by_example),
        cmocka_unit_test(test_exact_patterns_match_themselves_only),
        cmocka_unit_test(test_intersects_agrees_with_enumeration),
        cmocka_unit_test(test_intersects_knows_how_long_names_are),
    };
    return cmocka_run_group_tests(tests, enumerate, tear_down);
}
