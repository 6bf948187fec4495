#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/naive_topic.h"
#include "support/oom.h"
#include "topic/pattern.h"
#include "topic/template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const varying[] = {"{topic}",       "events:{topic}", "{topic}.log",  "a{topic}b",
                                      "{{topic}}",     "[{topic}]",      "*{topic}?",    "\\{topic}",
                                      "^-{topic}[a-z", "{topi{topic}c}", "{topic{topic}"};
static const char *const fixed[] = {"log", "a*b", "{Topic}", "{topic", "[ab]", "?", "\\"};

static const char *why_not(struct hg_slice tmpl)
{
    const char *why = NULL;
    hg_result r = hg_template_check(tmpl, &why);
    assert_int_equal(hg_template_check(tmpl, NULL).code, r.code);
    assert_int_equal(hg_ok(r), why == NULL);
    return why;
}

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(varying); i++)
        assert_true(!why_not(hg_slice_str(varying[i])) && hg_template_varies(hg_slice_str(varying[i])));
    for (size_t i = 0; i < COUNT(fixed); i++)
        assert_true(!why_not(hg_slice_str(fixed[i])) && !hg_template_varies(hg_slice_str(fixed[i])));
    assert_string_equal(why_not(HG_SLICE_NULL), "is empty");
    assert_string_equal(why_not(HG_LIT("a\t{topic}")), "contains a control character");
    assert_string_equal(why_not(HG_LIT("{topic}\xfe")), "is not valid UTF-8");
    assert_string_equal(why_not(HG_LIT("{topic}{topic}")), "has more than one {topic}");
    assert_string_equal(why_not(HG_LIT("a{topic}b{topic}c")), "has more than one {topic}");
}

static void expand(const char *tmpl, struct hg_slice topic, struct hg_buf *ret_name)
{
    hg_buf_clear(ret_name);
    assert_true(hg_ok(hg_template_expand(hg_slice_str(tmpl), topic, ret_name)));
}

static void test_expand_by_example(void **state)
{
    (void)state;
    struct hg_buf name;
    hg_buf_init(&name, 4096);
    expand("events:{topic}", HG_LIT("orders.eu"), &name);
    assert_true(hg_slice_is(hg_buf_slice(&name), "events:orders.eu"));
    expand("{{topic}}", HG_LIT("a"), &name);
    assert_true(hg_slice_is(hg_buf_slice(&name), "{a}"));
    expand("{topic}", HG_LIT("{topic}"), &name); /* what was put in is not looked at again */
    assert_true(hg_slice_is(hg_buf_slice(&name), "{topic}"));
    expand("all", HG_LIT("a"), &name);
    assert_true(hg_slice_is(hg_buf_slice(&name), "all"));
    assert_true(hg_ok(hg_template_expand(HG_LIT("+{topic}"), HG_LIT("b"), &name)));
    assert_true(hg_slice_is(hg_buf_slice(&name), "all+b")); /* appends */
    hg_buf_done(&name);

    hg_buf_init(&name, 8);
    assert_int_equal(hg_template_expand(HG_LIT("events:{topic}"), HG_LIT("ab"), &name).code, HG_ERR_TOO_BIG);
    hg_buf_clear(&name);
    assert_int_equal(hg_template_glob(HG_LIT("events:{topic}"), HG_LIT("**"), &name).code, HG_ERR_OK);
    hg_buf_clear(&name);
    assert_int_equal(hg_template_glob(HG_LIT("events:{topic}"), HG_LIT("*.*"), &name).code, HG_ERR_TOO_BIG);
    hg_buf_done(&name);
}

static void test_extract_undoes_expand(void **state)
{
    (void)state;
    size_t count = 0;
    struct naive_text *topics = naive_texts("a:{*c", 4, &count);
    struct hg_buf name;
    hg_buf_init(&name, 4096);
    for (size_t t = 0; t < COUNT(varying); t++) {
        for (size_t i = 0; i < count; i++) {
            struct hg_slice topic = HG_SLICE_NULL;
            expand(varying[t], naive_slice(&topics[i]), &name);
            assert_true(hg_template_extract(hg_slice_str(varying[t]), hg_buf_slice(&name), &topic));
            assert_true(hg_slice_eq(topic, naive_slice(&topics[i])));
            assert_true(topic.ptr >= name.ptr && topic.ptr < name.ptr + name.len);

            /* The other way round, on names that mostly are of no such template. */
            struct hg_slice some = naive_slice(&topics[i]);
            if (hg_template_extract(hg_slice_str(varying[t]), some, &topic)) {
                expand(varying[t], topic, &name);
                assert_true(hg_slice_eq(hg_buf_slice(&name), some));
            }
        }
    }
    free(topics);
    hg_buf_done(&name);
}

static void test_extract_refuses(void **state)
{
    (void)state;
    struct hg_slice topic = HG_LIT("untouched");
    char name[300];
    memset(name, 'n', sizeof(name));
    assert_false(hg_template_extract(HG_LIT("events:{topic}"), HG_LIT("event:a"), &topic));
    assert_false(hg_template_extract(HG_LIT("events:{topic}"), HG_LIT("events:"), &topic));
    assert_false(hg_template_extract(HG_LIT("events:{topic}"), HG_SLICE_NULL, &topic));
    assert_false(hg_template_extract(HG_LIT("aba{topic}aba"), HG_LIT("ababa"), &topic)); /* would overlap */
    assert_false(hg_template_extract(HG_LIT("aba{topic}aba"), HG_LIT("abaaba"), &topic));
    assert_false(hg_template_extract(HG_LIT("a{topic}b"), HG_LIT("axc"), &topic));
    assert_false(hg_template_extract(HG_LIT("{topic}"), HG_LIT("a\nb"), &topic));
    assert_false(hg_template_extract(HG_LIT("{topic}"), HG_LIT("\xff\xfe"), &topic));
    assert_false(hg_template_extract(HG_LIT("{topic}"), hg_slice(name, 256), &topic));
    assert_false(hg_template_extract(HG_LIT("all"), HG_LIT("al"), &topic));
    assert_false(hg_template_extract(HG_LIT("all"), HG_LIT("all."), &topic));
    assert_true(hg_slice_is(topic, "untouched"));
    assert_true(hg_template_extract(HG_LIT("a{topic}"), hg_slice("annn", 4), &topic) && hg_slice_is(topic, "nnn"));
    assert_true(hg_template_extract(HG_LIT("aba{topic}aba"), HG_LIT("aba.aba"), &topic) && hg_slice_is(topic, "."));
    assert_true(hg_template_extract(HG_LIT("all"), HG_LIT("all"), &topic) && topic.len == 0);
}

/* The model itself, by the examples of Redis's documentation of KEYS and by its oddities. */
static void test_the_glob_model(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *text;
        bool matches;
    } rows[] = {
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"h*llo", "hllo", true},
        {"h*llo", "heeeello", true},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[b-a]llo", "hallo", true},
        {"h[a-b]llo", "hcllo", false},
        {"h\\[a", "h[a", true},
        {"[\\]]", "]", true},
        {"[a", "a", true},
        {"a\\", "a\\", true},
        {"\\a", "a", true},
        {"*a*b*c*", "xxaxbxc", true},
        {"*a*b*c*", "xxaxcxb", false},
        {"", "", true},
        {"*", "", true},
        {"?", "", false},
        {"a", "", false},
        {"", "a", false},
        {"a*", "a.b:c", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (naive_glob(hg_slice_str(rows[i].glob), hg_slice_str(rows[i].text)) != rows[i].matches) {
            print_error("%s on %s\n", rows[i].glob, rows[i].text);
            fail();
        }
    }
}

static void test_glob_by_example(void **state)
{
    (void)state;
    static const struct {
        const char *tmpl, *pattern, *glob;
    } rows[] = {
        {"{topic}", "orders.*", "orders.*"},
        {"{topic}", "**", "*"},
        {"events:{topic}", "a.*:**", "events:a.*:*"},
        {"{topic}", "a?b[c]^d-e\\", "a\\?b\\[c\\]\\^d\\-e\\\\"},
        {"*{topic}?", "*", "\\**\\?"},
        {"fixed[1]", "a", "fixed\\[1\\]"},
    };
    struct hg_buf glob;
    hg_buf_init(&glob, 4096);
    for (size_t i = 0; i < COUNT(rows); i++) {
        hg_buf_clear(&glob);
        assert_true(hg_ok(hg_template_glob(hg_slice_str(rows[i].tmpl), hg_slice_str(rows[i].pattern), &glob)));
        assert_true(hg_slice_is(hg_buf_slice(&glob), rows[i].glob));
    }
    hg_buf_done(&glob);
}

/* Over all patterns and names of an alphabet and each template: how many names a pattern matches and the glob does not.
 * With `escape` off the glob is made by hand without escapes, to show that the comparison notices. */
static size_t missed_by_glob(const char *alphabet, bool escape)
{
    size_t count = 0, missed = 0, exact_overreach = 0;
    struct naive_text *texts = naive_texts(alphabet, 4, &count);
    struct hg_buf glob, name;
    hg_buf_init(&glob, 4096);
    hg_buf_init(&name, 4096);
    for (size_t t = 0; t < COUNT(varying); t++) {
        struct hg_slice tmpl = hg_slice_str(varying[t]);
        for (size_t p = 0; p < count; p++) {
            struct hg_slice pattern = naive_slice(&texts[p]);
            if (!naive_stars_stand_alone(pattern))
                continue;
            hg_buf_clear(&glob);
            assert_true(
                hg_ok(escape ? hg_template_glob(tmpl, pattern, &glob) : hg_template_expand(tmpl, pattern, &glob)));
            for (size_t n = 0; n < count; n++) {
                bool matches = naive_match(pattern, naive_slice(&texts[n]), NAIVE_SOUND);
                bool exact = hg_pattern_is_exact(pattern);
                if (!matches && !exact)
                    continue;
                expand(varying[t], naive_slice(&texts[n]), &name);
                bool covered = naive_glob(hg_buf_slice(&glob), hg_buf_slice(&name));
                missed += matches && !covered;
                exact_overreach += !matches && covered;
            }
        }
    }
    if (escape)
        assert_true(exact_overreach == 0); /* "more than it must" is for wildcards only */
    free(texts);
    hg_buf_done(&glob);
    hg_buf_done(&name);
    return missed;
}

static void test_glob_covers_the_pattern(void **state)
{
    (void)state;
    assert_int_equal(missed_by_glob("a*.:", true), 0);
    assert_int_equal(missed_by_glob("*.[\\", true), 0);
    assert_int_equal(missed_by_glob("]^-?", true), 0);
}

static void test_a_glob_without_escapes_is_noticed(void **state)
{
    (void)state;
    assert_true(missed_by_glob("*.[\\", false) > 0);
}

static bool work_on_templates(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 4096);
    bool done =
        hg_ok(hg_template_expand(HG_LIT("events-of-the-whole-company-and-of-its-many-subsidiaries:{topic}"),
                                 HG_LIT("orders.eu"), &buf)) &&
        hg_ok(hg_template_glob(HG_LIT("[{topic}]"), HG_LIT("a.very.long.pattern.of.a.topic.with.a.tail.**"), &buf));
    if (!done)
        assert_int_equal(hg_buf_result(&buf).code, HG_ERR_NOMEM);
    hg_buf_done(&buf);
    return done;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(work_on_templates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_expand_by_example),
        cmocka_unit_test(test_extract_undoes_expand),
        cmocka_unit_test(test_extract_refuses),
        cmocka_unit_test(test_the_glob_model),
        cmocka_unit_test(test_glob_by_example),
        cmocka_unit_test(test_glob_covers_the_pattern),
        cmocka_unit_test(test_a_glob_without_escapes_is_noticed),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
