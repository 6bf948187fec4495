#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "schema/category.h"
#include "schema/regex.h"
#include "schema/regex_tree.h"
#include "support/oom.h"

static bool matches(struct hg_slice expression, struct hg_slice text)
{
    struct hg_regex *regex = NULL;
    struct hg_regex_room room = {.states = NULL};
    struct hg_buf why;
    uint64_t work = 1u << 24;
    bool answer = false;
    hg_buf_init(&why, 4096);
    hg_result r = hg_regex_compile(expression, &regex, &why);
    if (!hg_ok(r))
        fail_msg("%.*s: %.*s", HG_SLICE_ARG(expression), HG_SLICE_ARG(hg_buf_slice(&why)));
    assert_true(hg_ok(hg_regex_test(regex, text, &room, &work, &answer)));
    hg_regex_free(regex);
    hg_regex_room_done(&room);
    hg_buf_done(&why);
    return answer;
}

static void test_what_matches(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *yes, *no; /* texts, separated by spaces; "" is written as ~ */
    } rows[] = {
        {"", "~ a", ""},
        {"b", "b abc", "~ a"},
        {"^b", "b bc", "ab"},
        {"b$", "b ab", "bc"},
        {"^b$", "b", "ab bc bb"},
        {"^$", "~", "a"},
        {"a|bc", "a bc xbc", "b c"},
        {"^(a|bc|)d$", "ad bcd d", "bd acd"},
        {"^a*$", "~ a aa", "b ab"},
        {"^a+$", "a aa", "~ b"},
        {"^a?b$", "b ab", "aab"},
        {"^a{2}$", "aa", "a aaa"},
        {"^a{2,}$", "aa aaaaa", "a ~"},
        {"^a{2,3}$", "aa aaa", "a aaaa"},
        {"^a{0}b$", "b", "ab"},
        {"^(ab){1,2}c$", "abc ababc", "c abababc"},
        {"^a*?b+?c??$", "b aabbc", "a c"},
        {"^(a*)*b$", "b aaab", "a"},
        {"^(a?){3}$", "~ a aaa", "aaaa"},
        {"^(?:a|ab)(?:c|bcd)$", "ac abc abcd abbcd", "abd"},
        {"^(?<year>[0-9]{4})$", "2024", "202"},
        {"^.$", "a é 😀", "~ ab"},
        {"^[a-c]$", "a b c", "d A -"},
        {"^[^a-c]$", "d é 😀", "a b"},
        {"^[a-]$", "a -", "b"},
        {"^[-a]$", "a -", "b"},
        {"^[\\]\\-\\\\]$", "] - \\", "a"},
        {"^[]$", "", "~ a"},
        {"^[^]$", "a é", "~"},
        {"^[é-ü]$", "é ü", "e"},
        {"^[a-zb-c]$", "a y z", "~ A"}, /* one range inside of another */
        {"^[\\d_]$", "5 _", "a"},
        {"^[^\\d]$", "a _", "5"},
        {"^[\\D]$", "a", "5"},
        {"^\\d+$", "0 42", "a ٣"}, /* only ASCII digits are */
        {"^\\w+$", "aZ_9", "é -"},
        {"^\\W$", "é - 😀", "a _"},
        {"^\\S$", "a", "~"},
        {"\\bfoo\\b", "foo -foo- éfoo", "foobar xfoo"},
        {"\\Bfoo", "xfoo", "foo -foo"},
        {"^\\x41\\u0042\\u{43}$", "ABC", "abc"},
        {"^\\ud83d\\ude00$", "😀", "a"},
        {"^\\u{1F600}$", "😀", "a"},
        {"^[\\u{1F600}-\\u{1F610}]$", "😀 😁", "🐲"},
        {"^🐲*$", "~ 🐲🐲", "🐲x"},
        {"^\\^\\$\\\\\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\/$", "^$\\.*+?()[]{}|/", "a"},
        {"^/$", "/", "a"},
        {"^\\p{L}+$", "aZé中", "a1 _"},
        {"^\\p{Lu}$", "A É", "a 中"},
        {"^\\P{Lu}$", "a 中", "A"},
        {"^\\p{Uppercase_Letter}$", "A", "a"},
        {"^\\p{General_Category=Nd}$", "5 ٣", "a"},
        {"^\\p{gc=Decimal_Number}$", "5 ٣", "a"},
        {"^[\\p{L}\\p{N}]$", "a 5", "-"},
        {"^[^\\P{L}]$", "a", "5"},
        {"^\\p{ASCII}$", "a -", "é"},
        {"^\\P{ASCII}$", "é", "a"},
        {"^\\p{Any}$", "a é 😀", "~"},
        {"^\\P{Any}$", "", "a ~"},
        {"^(?=a)", "a ab", "ba ~"},
        {"^(?!a).", "b ba", "a ~"},
        {"^(?=.*\\d)(?=.*[a-z]).{4,}$", "ab1c a123", "abcd 1234 a1"},
        {"^(?!system\\.)[a-z.]+$", "sys user.system.x systems", "system.x"},
        {"(?<=€)\\d", "€5", "5 $5"},
        {"(?<!€)5", "5 $5", "€5"},
        {"(?<=^a+)b", "ab aab", "b ba cab"},
        {"a(?=b(?!c))", "ab abd", "abc a"},
        {"(?<=(?<!x)a)b", "ab yab", "xab b"},
        {"^(?:(?=a)a|b)*$", "~ abba", "abc"},
        {"a(?=b|$)", "a ab ca", "ac"},
        {"^(?=(?:..)*$)(?=(?:...)*$)", "~ aaaaaa", "aa aaa aaaa"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int yes = 0; yes < 2; yes++)
            for (const char *at = yes ? rows[i].yes : rows[i].no; *at;) {
                size_t len = strcspn(at, " ");
                struct hg_slice text = hg_slice(at, len == 1 && *at == '~' ? 0 : len);
                if (matches(hg_slice_str(rows[i].expression), text) != yes)
                    fail_msg("%s and \"%.*s\"", rows[i].expression, HG_SLICE_ARG(text));
                at += len + (at[len] == ' ');
            }
}

static void test_white_space_and_ends_of_lines(void **state)
{
    (void)state;
    static const char *const spaces[] = {
        "\t",           "\n",           "\v",           "\f",           "\r",           " ",
        "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
        "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        bool end = i == 1 || i == 4 || i == 9 || i == 10;
        assert_true(matches(HG_LIT("^\\s$"), hg_slice_str(spaces[i])));
        assert_false(matches(HG_LIT("^\\S$"), hg_slice_str(spaces[i])));
        assert_int_equal(matches(HG_LIT("^.$"), hg_slice_str(spaces[i])), !end);
    }
    assert_false(matches(HG_LIT("\\s"), HG_LIT("a\xe2\x80\x8b"))); /* U+200B is none */
    assert_false(matches(HG_LIT("^a$"), HG_LIT("a\n")));           /* $ is the end of the text */
    assert_true(matches(HG_LIT("^\\n\\t\\v\\f\\r\\cA\\0$"), HG_LIT("\n\t\v\f\r\x01\0")));
    assert_true(matches(HG_LIT("^[\\b]$"), HG_LIT("\b")));
    assert_true(matches(HG_LIT("^a\0b$"), HG_LIT("a\0b")));
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *told;
    } rows[] = {
        {"(a)\\1", "found \"\\1\" at character 4; allowed: anything but references to groups"},
        {"(?<x>a)\\k<x>", "found \"\\k\" at character 8; allowed: anything but references"},
        {"\\Z", "found \"\\Z\" at character 1; allowed: \\d"},
        {"é\\a", "found \"\\a\" at character 2"},
        {"\\-", "found \"\\-\" at character 1"},
        {"\\", "found the end of the expression; allowed: a character behind the backslash"},
        {"a**", "found \"*\" at character 3; allowed: a quantifier behind what it repeats"},
        {"+", "found \"+\" at character 1"},
        {"{", "found \"{\" at character 1"},
        {"a{2,1}", "found \"{2,1}\" at character 2; allowed: {n}"},
        {"a{,2}", "found \"{\" at character 2"},
        {"a{x", "found \"{\" at character 2"},
        {"^*", "found \"*\" at character 2; allowed: no quantifier behind a place"},
        {"(?=a)*", "found \"*\" at character 6; allowed: no quantifier behind a place"},
        {"}", "found \"}\" at character 1; allowed: \\] and \\}"},
        {"]", "found \"]\" at character 1"},
        {")", "found \")\" at character 1; allowed: \\)"},
        {"(a", "found the end of the expression; allowed: a ) that closes the group"},
        {"[a", "found the end of the expression; allowed: a ] that closes the class"},
        {"[a-", "found the end of the expression"},
        {"[b-a]", "found \"b-a\" at character 2; allowed: a range that goes upwards"},
        {"[\\d-z]", "found \"\\d-z\" at character 2; allowed: a range between two characters"},
        {"[a-\\d]", "found \"a-\\d\""},
        {"[\\B]", "found \"\\B\" at character 2"},
        {"(?i:a)", "found \"(?\" at character 1; allowed: (…)"},
        {"(?<1>a)", "found \"(?<\" at character 1; allowed: a name"},
        {"(?<>a)", "found \"(?<\""},
        {"\\u12", "found \"\\u\" at character 1; allowed: \\uXXXX"},
        {"\\u{110000}", "found \"\\u{110000\""},
        {"\\u{}", "found \"\\u{\""},
        {"\\xg0", "found \"\\x\""},
        {"\\c1", "found \"\\c\""},
        {"\\00", "found \"\\0\""},
        {"\\p", "found \"\\p\" at character 1; allowed: \\p{…} with a general category"},
        {"\\p{Script=Greek}", "found \"\\p{Script=Greek}\""},
        {"\\p{lu}", "found \"\\p{lu}\""},
        {"\\p{gc=Any}", "found \"\\p{gc=Any}\""},
        {"\\p{L", "found \"\\p{\""},
        {"(?:a{100}){100}", "found an expression of more than 4096 states"},
        {"a{100000000000}", "found an expression of more than 4096 states"},
        {"(?:(?:(?:a{0,99}){0,99}){0,99}){0,99}", "found an expression of more than 4096 states"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_regex *regex = NULL;
        struct hg_buf why;
        hg_buf_init(&why, 4096);
        assert_int_equal(hg_regex_compile(hg_slice_str(rows[i].expression), &regex, &why).code, HG_ERR_SYNTAX);
        if (!hg_slice_starts(hg_buf_slice(&why), hg_slice_str(rows[i].told)))
            fail_msg("%s: %.*s", rows[i].expression, HG_SLICE_ARG(hg_buf_slice(&why)));
        assert_null(regex);
        hg_buf_done(&why);
    }
}

static void check_bound(const char *part, size_t good, size_t bad)
{
    for (int i = 0; i < 2; i++) {
        struct hg_regex *regex = NULL;
        struct hg_buf expression, why;
        hg_buf_init(&expression, 1 << 20);
        hg_buf_init(&why, 4096);
        for (size_t n = i ? bad : good; n > 0; n--)
            hg_buf_put_str(&expression, part);
        for (size_t n = i ? bad : good; n > 0 && part[0] == '(' && !strchr(part, ')'); n--)
            hg_buf_put_char(&expression, ')');
        assert_int_equal(hg_regex_compile(hg_buf_slice(&expression), &regex, &why).code, i ? HG_ERR_SYNTAX : HG_ERR_OK);
        hg_regex_free(regex);
        hg_buf_done(&expression);
        hg_buf_done(&why);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    check_bound("a", HG_REGEX_STATES_MAX - 1, HG_REGEX_STATES_MAX);
    check_bound("(?=a)", HG_REGEX_LOOKS_MAX, HG_REGEX_LOOKS_MAX + 1);
    check_bound("(", HG_REGEX_DEPTH_MAX, HG_REGEX_DEPTH_MAX + 1);
    check_bound("a{0}", HG_REGEX_BYTES_MAX / 4, HG_REGEX_BYTES_MAX / 4 + 1);
}

/* Empty parts may be repeated any number of times and cost nothing. */
static void test_repeats_of_nothing(void **state)
{
    (void)state;
    assert_true(matches(HG_LIT("^(?:){99999999}a(?:(?:){0,99999999})*$"), HG_LIT("a")));
    assert_true(matches(HG_LIT("^(?:(?:a?)*)+$"), HG_LIT("aa")));
    assert_false(matches(HG_LIT("^(?:(?:a?)*)+$"), HG_LIT("ab")));
}

/* What sends others off for hours is linear here. */
static void test_catastrophic_expressions(void **state)
{
    (void)state;
    static const char *const expressions[] = {"(a+)+$x",       "(a|a)*b",         "(a|aa)+$b", "[a-z]+[0-9]",
                                              "(.*)(.*)(.*)x", "^(?=(a+)+b)a*c$", "(a?){30}b", "\\p{L}+\\d$"};
    enum { LEN = 100000 };
    char *text = malloc(LEN);
    assert_non_null(text);
    memset(text, 'a', LEN);
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        struct hg_regex *regex = NULL;
        struct hg_regex_room room = {.states = NULL};
        struct hg_buf why;
        uint64_t work = 150ull * LEN, none = 10;
        bool answer = true;
        hg_buf_init(&why, 4096);
        assert_true(hg_ok(hg_regex_compile(hg_slice_str(expressions[i]), &regex, &why)));
        assert_true(hg_ok(hg_regex_test(regex, hg_slice(text, LEN), &room, &work, &answer)));
        assert_false(answer);
        assert_int_equal(hg_regex_test(regex, hg_slice(text, LEN), &room, &none, &answer).code, HG_ERR_LIMIT_EXCEEDED);
        assert_int_equal(none, 0);
        hg_regex_free(regex);
        hg_regex_room_done(&room);
    }
    free(text);
}

/* ---- against the definition: at which places can a match of a part end that begins here? Bit n is place n. ---- */

static uint32_t ends(const struct hg_regex_tree *tree, uint32_t node, struct hg_slice text, size_t at);

static uint32_t ends_of_all(const struct hg_regex_tree *tree, uint32_t node, struct hg_slice text, uint32_t starts)
{
    uint32_t all = 0;
    for (size_t at = 0; at <= text.len; at++)
        if (starts >> at & 1)
            all |= ends(tree, node, text, at);
    return all;
}

static bool is_word(struct hg_slice text, size_t at)
{
    return at < text.len && ((text.ptr[at] >= 'a' && text.ptr[at] <= 'z') || text.ptr[at] == '_');
}

static uint32_t ends_of_repeat(const struct hg_regex_tree *tree, const struct hg_regex_node *node, struct hg_slice text,
                               uint32_t starts)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i <= node->b && i <= node->a + 40; i++) {
        if (i >= node->a)
            all |= starts;
        starts = ends_of_all(tree, node->first, text, starts);
    }
    return all;
}

static uint32_t ends(const struct hg_regex_tree *tree, uint32_t number, struct hg_slice text, size_t at)
{
    const struct hg_regex_node *node = &tree->nodes[number];
    uint32_t here = 1u << at, all = 0;
    switch (node->kind) {
    case HG_REGEX_CHAR:
        return at < text.len && (uint32_t)text.ptr[at] == node->a ? here << 1 : 0;
    case HG_REGEX_SET:
        return at < text.len && hg_charset_has(&tree->sets[node->a], (uint32_t)text.ptr[at]) ? here << 1 : 0;
    case HG_REGEX_BEGIN:
        return at == 0 ? here : 0;
    case HG_REGEX_END:
        return at == text.len ? here : 0;
    case HG_REGEX_WORD:
    case HG_REGEX_NOT_WORD:
        return ((at > 0 && is_word(text, at - 1)) != is_word(text, at)) == (node->kind == HG_REGEX_WORD) ? here : 0;
    case HG_REGEX_SEQUENCE:
        for (uint32_t child = node->first; child != HG_REGEX_NONE; child = tree->nodes[child].next)
            here = ends_of_all(tree, child, text, here);
        return here;
    case HG_REGEX_CHOICE:
        for (uint32_t child = node->first; child != HG_REGEX_NONE; child = tree->nodes[child].next)
            all |= ends(tree, child, text, at);
        return all;
    case HG_REGEX_REPEAT:
        return ends_of_repeat(tree, node, text, here);
    case HG_REGEX_LOOK:
        if (node->b & HG_REGEX_BEHIND)
            for (size_t from = 0; from <= at; from++)
                all |= ends(tree, node->first, text, from) & here;
        else
            all = ends(tree, node->first, text, at);
        return (all != 0) != ((node->b & HG_REGEX_NEGATED) != 0) ? here : 0;
    }
    return 0;
}

static void put_random(struct hg_prng *prng, unsigned depth, struct hg_buf *into)
{
    static const char *const atoms[] = {"a", "b", "c", ".", "[ab]", "[^a]", "\\w", "^", "$", "\\b", "\\B", "-"};
    static const char *const groups[] = {"(", "(?:", "(?=", "(?!", "(?<=", "(?<!"};
    static const char *const quantifiers[] = {"*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}"};
    for (uint64_t parts = hg_prng_below(prng, 4); parts > 0; parts--) {
        size_t from = into->len;
        uint64_t group = hg_prng_below(prng, 6), atom = hg_prng_below(prng, 12);
        bool place = atom >= 7 && atom <= 10;
        if (depth > 0 && hg_prng_chance(prng, 35)) {
            hg_buf_put_str(into, groups[group]);
            put_random(prng, depth - 1, into);
            hg_buf_put_char(into, ')');
            place = group >= 2;
        } else {
            hg_buf_put_str(into, atoms[atom]);
        }
        if (!place && into->len > from && hg_prng_chance(prng, 40))
            hg_buf_put_str(into, quantifiers[hg_prng_below(prng, 7)]);
    }
    if (hg_prng_chance(prng, 20)) {
        hg_buf_put_char(into, '|');
        if (depth > 0)
            put_random(prng, depth - 1, into);
    }
}

static void test_random_expressions_against_the_definition(void **state)
{
    (void)state;
    struct hg_prng prng;
    struct hg_buf expression, why;
    struct hg_regex_room room = {.states = NULL};
    unsigned yes = 0, no = 0;
    hg_prng_init(&prng, 11);
    hg_buf_init(&expression, 4096);
    hg_buf_init(&why, 4096);
    for (int i = 0; i < 5000; i++) {
        struct hg_regex *regex = NULL;
        struct hg_regex_tree tree;
        hg_buf_clear(&expression);
        put_random(&prng, 3, &expression);
        struct hg_slice written = expression.len > 0 ? hg_buf_slice(&expression) : HG_LIT("");
        assert_true(hg_ok(hg_regex_parse(written, &tree, &why)));
        assert_true(hg_ok(hg_regex_compile(written, &regex, &why)));
        for (int j = 0; j < 8; j++) {
            char text[8];
            size_t len = (size_t)hg_prng_below(&prng, sizeof(text));
            uint64_t work = 1000000;
            bool answer = false, wanted = false;
            for (size_t k = 0; k < len; k++)
                text[k] = "aaabbc-"[hg_prng_below(&prng, 7)];
            for (size_t from = 0; from <= len; from++)
                wanted |= ends(&tree, tree.root, hg_slice(text, len), from) != 0;
            assert_true(hg_ok(hg_regex_test(regex, hg_slice(text, len), &room, &work, &answer)));
            if (answer != wanted)
                fail_msg("%.*s and \"%.*s\": %d", HG_SLICE_ARG(written), (int)len, text, answer);
            yes += answer;
            no += !answer;
        }
        hg_regex_tree_done(&tree);
        hg_regex_free(regex);
    }
    assert_true(yes > 5000 && no > 5000);
    hg_regex_room_done(&room);
    hg_buf_done(&expression);
    hg_buf_done(&why);
}

static void test_categories_cover_all_characters_once(void **state)
{
    (void)state;
    uint32_t first, last, category, at = 0, before = 99, i = 0;
    for (; hg_category_run(i, &first, &last, &category); i++) {
        assert_int_equal(first, at);
        assert_true(last >= first && category != before && category < 30);
        at = last + 1;
        before = category;
    }
    assert_int_equal(at, 0x110000);
    assert_true(i > 3000);
}

static bool compile_and_test(void)
{
    struct hg_regex *regex = NULL;
    struct hg_regex_room room = {.states = NULL};
    struct hg_buf why;
    uint64_t work = 100000;
    bool answer = false;
    hg_buf_init(&why, 4096);
    hg_result r =
        hg_regex_compile(HG_LIT("^(?=.*[^a-c\\p{Lu}])(x|y{2,9}|[^\\W0-4])+(?<!z)\\b\\u{1F600}$"), &regex, &why);
    if (hg_ok(r)) {
        r = hg_regex_test(regex, HG_LIT("xyyy\xf0\x9f\x98\x80"), &room, &work, &answer);
        assert_true(answer == hg_ok(r));
    }
    assert_true(hg_ok(r) || r.code == HG_ERR_NOMEM);
    hg_regex_free(regex);
    hg_regex_room_done(&room);
    hg_buf_done(&why);
    return hg_ok(r);
}

static bool refuse(void)
{
    struct hg_regex *regex = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    hg_result r = hg_regex_compile(HG_LIT("[a](b|c)\\1"), &regex, &why);
    assert_true(r.code == HG_ERR_SYNTAX || r.code == HG_ERR_NOMEM);
    hg_buf_done(&why);
    return r.code == HG_ERR_SYNTAX;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(compile_and_test);
    HGT_OOM_SWEEP(refuse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_white_space_and_ends_of_lines),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_repeats_of_nothing),
        cmocka_unit_test(test_catastrophic_expressions),
        cmocka_unit_test(test_random_expressions_against_the_definition),
        cmocka_unit_test(test_categories_cover_all_characters_once),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
