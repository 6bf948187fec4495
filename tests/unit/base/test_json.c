#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "base/prng.h"
#include "base/utf8.h"
#include "support/death.h"
#include "support/json_reference.h"
#include "support/oom.h"

static struct hg_json parsed(struct hg_slice text)
{
    struct hg_json value;
    size_t at = SIZE_MAX;
    if (!hg_ok(hg_json_parse(text, &value, &at)))
        fail_msg("refused at %zu: %.*s", at, HG_SLICE_ARG(text));
    return value;
}

static void test_types_and_raw(void **state)
{
    (void)state;
    static const struct {
        const char *text, *raw;
        enum hg_json_type type;
    } rows[] = {
        {" \t\r\nnull ", "null", HG_JSON_NULL},
        {"true", "true", HG_JSON_BOOL},
        {"false\n", "false", HG_JSON_BOOL},
        {"0", "0", HG_JSON_NUMBER},
        {"-0", "-0", HG_JSON_NUMBER},
        {"-12.50e+09", "-12.50e+09", HG_JSON_NUMBER},
        {"1E400", "1E400", HG_JSON_NUMBER},
        {"123456789012345678901234567890", "123456789012345678901234567890", HG_JSON_NUMBER},
        {"\"\"", "\"\"", HG_JSON_STRING},
        {" \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\" ", "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\"",
         HG_JSON_STRING},
        {"\"\x7f\xc2\x85\xe2\x80\xa8\"", "\"\x7f\xc2\x85\xe2\x80\xa8\"", HG_JSON_STRING},
        {"[]", "[]", HG_JSON_ARRAY},
        {" [ 1 , [ ] , { } ] ", "[ 1 , [ ] , { } ]", HG_JSON_ARRAY},
        {"{ }", "{ }", HG_JSON_OBJECT},
        {"{\"a\" : 1 , \"a\":{\"\":[]}}", "{\"a\" : 1 , \"a\":{\"\":[]}}", HG_JSON_OBJECT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_json value = parsed(hg_slice_str(rows[i].text));
        assert_int_equal(value.type, rows[i].type);
        assert_true(hg_slice_is(value.raw, rows[i].raw));
    }
}

static void test_refusals_tell_where(void **state)
{
    (void)state;
    static const struct {
        struct hg_slice text;
        size_t at;
    } rows[] = {
        {HG_SLICE_NULL, 0},
        {HG_LIT(""), 0},
        {HG_LIT("  "), 2},
        {HG_LIT("nul"), 3},
        {HG_LIT("nulx"), 3},
        {HG_LIT("truee"), 4},
        {HG_LIT("True"), 0},
        {HG_LIT("01"), 1},
        {HG_LIT("-"), 1},
        {HG_LIT("-a"), 1},
        {HG_LIT("+1"), 0},
        {HG_LIT(".5"), 0},
        {HG_LIT("1."), 2},
        {HG_LIT("1.e1"), 2},
        {HG_LIT("1e"), 2},
        {HG_LIT("1e+"), 3},
        {HG_LIT("0x10"), 1},
        {HG_LIT("NaN"), 0},
        {HG_LIT("Infinity"), 0},
        {HG_LIT("\""), 1},
        {HG_LIT("\"a"), 2},
        {HG_LIT("\"\n\""), 1},
        {HG_LIT("\"\0\""), 1},
        {HG_LIT("\"\x1f\""), 1},
        {HG_LIT("\"\\"), 2},
        {HG_LIT("\"\\a\""), 2},
        {HG_LIT("\"\\\0\""), 2},
        {HG_LIT("\"\\u12"), 5},
        {HG_LIT("\"\\u12g4\""), 5},
        {HG_LIT("\"\\U1234\""), 2},
        {HG_LIT("'a'"), 0},
        {HG_LIT("["), 1},
        {HG_LIT("[1"), 2},
        {HG_LIT("[1,"), 3},
        {HG_LIT("[1,]"), 3},
        {HG_LIT("[,1]"), 1},
        {HG_LIT("[1 2]"), 3},
        {HG_LIT("[1}"), 2},
        {HG_LIT("]"), 0},
        {HG_LIT("[]]"), 2},
        {HG_LIT("{"), 1},
        {HG_LIT("{\"a\""), 4},
        {HG_LIT("{\"a\":"), 5},
        {HG_LIT("{\"a\" 1}"), 5},
        {HG_LIT("{\"a\":}"), 5},
        {HG_LIT("{\"a\":1,}"), 7},
        {HG_LIT("{,}"), 1},
        {HG_LIT("{a:1}"), 1},
        {HG_LIT("{1:1}"), 1},
        {HG_LIT("{\"a\":1]"), 6},
        {HG_LIT("{\"a\":1 \"b\":2}"), 7},
        {HG_LIT("1 2"), 2},
        {HG_LIT("1\0"), 1},
        {HG_LIT("\f1"), 0},
        {HG_LIT("\xef\xbb\xbf{}"), 0}, /* a byte order mark is no white space */
        {HG_LIT("\xc2\xa0{}"), 0},     /* nor is a no-break space */
        {HG_LIT("1 // c"), 2},
        {HG_LIT("[\"\xff\"]"), 2},
        {HG_LIT("[\"ab\xed\xa0\x80\"]"), 4},
        {HG_LIT("[\"ab\xc0\xaf\"]"), 4},
        {HG_LIT("[\"ab\xe2\x82"), 4},
        {HG_LIT("{x\"\xff\""), 1}, /* what breaks first counts */
        {HG_LIT("[1]\xff"), 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_json value = {HG_JSON_BOOL, HG_SLICE_NULL};
        size_t at = SIZE_MAX;
        hg_result result = hg_json_parse(rows[i].text, &value, &at);
        if (result.code != HG_ERR_SYNTAX || at != rows[i].at)
            fail_msg("row %zu (%.*s): error %d at %zu, not %zu", i, HG_SLICE_ARG(rows[i].text), (int)result.code, at,
                     rows[i].at);
        assert_true(value.type == HG_JSON_BOOL && value.raw.ptr == NULL); /* untouched */
        assert_int_equal(hg_json_parse(rows[i].text, NULL, NULL).code, HG_ERR_SYNTAX);
    }
}

static void put_nested(struct hg_buf *text, const char *open, char close, size_t depth)
{
    hg_buf_clear(text);
    for (size_t i = 0; i < depth; i++)
        hg_buf_put_str(text, open);
    hg_buf_put_char(text, '0');
    for (size_t i = 0; i < depth; i++)
        hg_buf_put_char(text, close);
    assert_true(hg_ok(hg_buf_result(text)));
}

static void check_depth(const char *open, char close)
{
    struct hg_buf text;
    hg_buf_init(&text, 10000);
    put_nested(&text, open, close, HG_JSON_DEPTH_MAX);
    struct hg_json value = parsed(hg_buf_slice(&text)), key;
    size_t depth = 0;
    for (; value.type != HG_JSON_NUMBER; depth++) {
        struct hg_json_iter iter = hg_json_iter(value);
        assert_true(close == '}' ? hg_json_next_member(&iter, &key, &value) : hg_json_next_element(&iter, &value));
    }
    assert_int_equal(depth, HG_JSON_DEPTH_MAX);

    put_nested(&text, open, close, HG_JSON_DEPTH_MAX + 1);
    size_t at = 0;
    assert_int_equal(hg_json_parse(hg_buf_slice(&text), NULL, &at).code, HG_ERR_SYNTAX);
    assert_int_equal(at, HG_JSON_DEPTH_MAX * strlen(open));
    hg_buf_done(&text);
}

/* Strings are looked at eight bytes at a time: what ends one, or must not be in it, is seen wherever it stands,
 * whatever stands beside it. */
static void test_every_byte_at_every_place_of_a_string(void **state)
{
    (void)state;
    static const char beside[] = " !#[]a~";
    for (size_t fill = 0; fill < sizeof(beside) - 1; fill++)
        for (size_t len = 1; len <= 18; len++)
            for (size_t place = 1; place <= len; place++)
                for (unsigned byte = 0; byte < 256; byte++) {
                    char text[24];
                    memset(text, beside[fill], len + 2);
                    text[0] = text[len + 1] = '"';
                    text[place] = (char)byte;
                    bool last = place == len;
                    size_t at = 0, expected = SIZE_MAX;
                    if (byte < 0x20 || byte >= 0x80)
                        expected = place;
                    else if (byte == '"')
                        expected = place + 1 + (!last && beside[fill] == ' ' ? len - place : 0);
                    else if (byte == '\\')
                        expected = last ? len + 2 : place + 1;
                    hg_result result = hg_json_parse(hg_slice(text, len + 2), NULL, &at);
                    assert_int_equal(hg_ok(result), expected == SIZE_MAX);
                    if (!hg_ok(result))
                        assert_int_equal(at, expected);
                }
}

static void test_depth(void **state)
{
    (void)state;
    check_depth("[", ']');
    check_depth("{\"a\":", '}');
    check_depth("[ ", ']');
}

static void test_walking(void **state)
{
    (void)state;
    struct hg_json key, value;
    struct hg_json_iter iter = hg_json_iter(parsed(HG_LIT(" { \"a\" : [ 1 , {} ] ,\n\"b,:}\":\"]\"  , \"a\":null } ")));
    assert_true(hg_json_next_member(&iter, &key, &value));
    assert_true(hg_slice_is(key.raw, "\"a\"") && hg_slice_is(value.raw, "[ 1 , {} ]") && value.type == HG_JSON_ARRAY);
    struct hg_json_iter inner = hg_json_iter(value);
    assert_true(hg_json_next_member(&iter, &key, &value));
    assert_true(hg_slice_is(key.raw, "\"b,:}\"") && hg_slice_is(value.raw, "\"]\"") && value.type == HG_JSON_STRING);
    assert_true(hg_json_next_member(&iter, &key, &value));
    assert_true(hg_slice_is(key.raw, "\"a\"") && value.type == HG_JSON_NULL);
    assert_false(hg_json_next_member(&iter, &key, &value));
    assert_false(hg_json_next_member(&iter, &key, &value));

    assert_true(hg_json_next_element(&inner, &value) && hg_slice_is(value.raw, "1"));
    assert_true(hg_json_next_element(&inner, &value) && hg_slice_is(value.raw, "{}"));
    assert_false(hg_json_next_element(&inner, &value));

    iter = hg_json_iter(parsed(HG_LIT("{ \n}")));
    assert_false(hg_json_next_member(&iter, &key, &value));
    iter = hg_json_iter(parsed(HG_LIT("[]")));
    assert_false(hg_json_next_element(&iter, &value));
}

static void test_get_takes_the_last(void **state)
{
    (void)state;
    struct hg_json object = parsed(HG_LIT("{\"a\":1,\"b\":{\"c\":2},\"\\u0061\":3,\"ab\":4}")), value = {0};
    assert_true(hg_json_get(object, "a", &value) && hg_slice_is(value.raw, "3"));
    assert_false(hg_json_get(object, "c", &value));
    assert_false(hg_json_get(object, "", &value));
    assert_true(hg_slice_is(value.raw, "3")); /* untouched */
}

static void walk_a_number(void)
{
    hg_json_iter(parsed(HG_LIT("17")));
}

static void walk_an_array_as_an_object(void)
{
    struct hg_json key, value;
    struct hg_json_iter iter = hg_json_iter(parsed(HG_LIT("[1]")));
    hg_json_next_member(&iter, &key, &value);
}

static void decode_a_number(void)
{
    hg_json_string_is(parsed(HG_LIT("17")), "17");
}

static void test_misuse_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(walk_a_number));
    assert_true(hgt_dies(walk_an_array_as_an_object));
    assert_true(hgt_dies(decode_a_number));
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        struct hg_slice text; /* null pointer: has no UTF-8 form */
    } rows[] = {
        {"\"\"", HG_LIT("")},
        {"\"abc\"", HG_LIT("abc")},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", HG_LIT("\"\\/\b\f\n\r\t")},
        {"\"\\u0041\\u00e9\\u20AC\\uD83d\\uDE00z\"", HG_LIT("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", HG_LIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
        {"\"\\ud800\\udc00\\udbff\\udfff\"", HG_LIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
        {"\"a\\u0000b\"", HG_LIT("a\0b")},
        {"\"\xf0\x9f\x98\x80\"", HG_LIT("\xf0\x9f\x98\x80")},
        {"\"x\\ud800\"", HG_SLICE_NULL},
        {"\"x\\ud800y\"", HG_SLICE_NULL},
        {"\"x\\ud800\\n\"", HG_SLICE_NULL},
        {"\"x\\ud800\\u0041\"", HG_SLICE_NULL},
        {"\"x\\ud800\\ud800\"", HG_SLICE_NULL},
        {"\"x\\ud800\\ue000\"", HG_SLICE_NULL},
        {"\"x\\udc00\"", HG_SLICE_NULL},
        {"\"x\\udc00\\ud800\"", HG_SLICE_NULL},
        {"\"x\\udfff\\udfff\"", HG_SLICE_NULL},
    };
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_json string = parsed(hg_slice_str(rows[i].raw));
        hg_buf_clear(&buf);
        hg_buf_put_str(&buf, "before ");
        hg_result result = hg_json_string_decode(string, &buf);
        assert_int_equal(result.code, rows[i].text.ptr ? HG_ERR_OK : HG_ERR_SYNTAX);
        struct hg_slice text = hg_slice_from(hg_buf_slice(&buf), 7);
        if (!hg_slice_eq(text, rows[i].text))
            fail_msg("row %zu: %.*s", i, HG_SLICE_ARG(text));
        assert_true(hg_slice_starts(hg_buf_slice(&buf), HG_LIT("before ")));
        /* What has NUL in it, or no UTF-8 form, equals no C string. */
        bool plain = rows[i].text.ptr && !memchr(rows[i].text.ptr, '\0', rows[i].text.len);
        assert_true(hg_json_string_is(string, rows[i].text.ptr ? rows[i].text.ptr : "x") == plain);
    }
    /* The bytes are the same, what they stand for is not. */
    assert_false(hg_json_string_is(parsed(HG_LIT("\"x\\n\"")), "x\\n"));
    assert_true(hg_json_string_is(parsed(HG_LIT("\"x\\\\n\"")), "x\\n"));
    hg_buf_done(&buf);
    assert_false(hg_json_string_is(parsed(HG_LIT("\"abc\"")), "ab"));
    assert_false(hg_json_string_is(parsed(HG_LIT("\"ab\"")), "abc"));
    assert_false(hg_json_string_is(parsed(HG_LIT("\"a\\u20ac\"")), "a\xe2\x82"));
    assert_false(hg_json_string_is(parsed(HG_LIT("\"abc\"")), ""));
}

static void test_decode_keeps_the_ceiling(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 4);
    assert_int_equal(hg_json_string_decode(parsed(HG_LIT("\"ab\\u0063de\"")), &buf).code, HG_ERR_TOO_BIG);
    hg_buf_done(&buf);
}

static void test_u64(void **state)
{
    (void)state;
    uint64_t number = 7;
    assert_true(hg_json_u64(parsed(HG_LIT("0")), &number) && number == 0);
    assert_true(hg_json_u64(parsed(HG_LIT("18446744073709551615")), &number) && number == UINT64_MAX);
    static const char *const others[] = {"18446744073709551616",
                                         "18446744073709551620",
                                         "99999999999999999999",
                                         "184467440737095516150",
                                         "-1",
                                         "-0",
                                         "1.0",
                                         "1e2",
                                         "1E2",
                                         "\"1\"",
                                         "true",
                                         "null",
                                         "[1]"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(hg_json_u64(parsed(hg_slice_str(others[i])), &number));
    assert_true(number == UINT64_MAX);
}

static void test_put_string(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 10000);
    hg_json_put_string(&buf, HG_SLICE_NULL);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "\"\""));
    hg_buf_clear(&buf);
    hg_json_put_string(&buf, HG_LIT("a\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9"));
    assert_true(hg_slice_is(hg_buf_slice(&buf), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9\""));

    /* Every character of the basic plane, read back by jansson and by us. */
    struct hg_buf text, back;
    hg_buf_init(&text, 1000);
    hg_buf_init(&back, 1000);
    for (unsigned from = 0; from < 0x10000; from += 64) {
        if (from >= 0xd800 && from < 0xe000)
            continue;
        hg_buf_clear(&text);
        for (unsigned c = from; c < from + 64; c++) {
            if (c >= 0x800)
                hg_buf_put_char(&text, (char)(0xe0 | c >> 12));
            if (c >= 0x80)
                hg_buf_put_char(&text, (char)((c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6)));
            hg_buf_put_char(&text, (char)(c >= 0x80 ? 0x80 | (c & 63) : c));
        }
        hg_buf_clear(&buf);
        hg_buf_clear(&back);
        hg_json_put_string(&buf, hg_buf_slice(&text));
        assert_true(buf.len <= 6 * text.len + 2);
        json_t *read = json_loadb(buf.ptr, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_is_string(read));
        assert_true(hg_slice_eq(hg_slice(json_string_value(read), json_string_length(read)), hg_buf_slice(&text)));
        json_decref(read);
        assert_true(hg_ok(hg_json_string_decode(parsed(hg_buf_slice(&buf)), &back)));
        assert_true(hg_slice_eq(hg_buf_slice(&back), hg_buf_slice(&text)));
    }
    hg_buf_done(&buf);
    hg_buf_done(&text);
    hg_buf_done(&back);
}

/* Documents at random, in every shape of white space, escape and number. */

static void put_one_of(struct hg_prng *prng, struct hg_buf *buf, const char *const *texts, size_t count)
{
    hg_buf_put_str(buf, texts[hg_prng_below(prng, count)]);
}
#define PUT_ONE_OF(prng, buf, ...)                                                                                     \
    put_one_of(prng, buf, (const char *const[]){__VA_ARGS__},                                                          \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void put_space(struct hg_prng *prng, struct hg_buf *buf)
{
    PUT_ONE_OF(prng, buf, "", "", "", "", " ", "\n", "\t \r");
}

static void put_random_string(struct hg_prng *prng, struct hg_buf *buf)
{
    hg_buf_put_char(buf, '"');
    for (uint64_t n = hg_prng_below(prng, 5); n > 0; n--)
        PUT_ONE_OF(prng, buf, "a", "b", "c", "\\n", "\\\"", "\\\\", "\\u0041", "\\u00Ff", "\\ud83D\\ude00", "\xc3\xa9",
                   "\xf0\x9f\x98\x80", "{", "]", ",", ":", "\\/");
    hg_buf_put_char(buf, '"');
}

static void put_random_value(struct hg_prng *prng, struct hg_buf *buf, unsigned depth)
{
    put_space(prng, buf);
    uint64_t kind = hg_prng_below(prng, depth > 0 ? 6 : 4), count = hg_prng_below(prng, 4);
    switch (kind) {
    case 0:
        PUT_ONE_OF(prng, buf, "null", "true", "false");
        break;
    case 1:
        PUT_ONE_OF(prng, buf, "0", "-1", "17", "1.5", "-0.25e-3", "2E+4", "9007199254740993");
        break;
    case 4:
    case 5:
        hg_buf_put_char(buf, kind == 4 ? '[' : '{');
        put_space(prng, buf);
        for (uint64_t i = 0; i < count; i++) {
            hg_buf_put_str(buf, i > 0 ? "," : "");
            if (kind == 5) {
                put_space(prng, buf);
                put_random_string(prng, buf);
                put_space(prng, buf);
                hg_buf_put_char(buf, ':');
            }
            put_random_value(prng, buf, depth - 1);
        }
        hg_buf_put_char(buf, kind == 4 ? ']' : '}');
        break;
    default:
        put_random_string(prng, buf);
    }
    put_space(prng, buf);
}

/* What our slices say equals what jansson's tree says. */
static void compare(struct hg_json ours, json_t *theirs)
{
    struct hg_json key, value;
    struct hg_buf text;
    size_t count = 0;
    switch (ours.type) {
    case HG_JSON_NULL:
        assert_true(json_is_null(theirs));
        break;
    case HG_JSON_BOOL:
        assert_true(json_is_boolean(theirs) && json_is_true(theirs) == hg_slice_is(ours.raw, "true"));
        break;
    case HG_JSON_NUMBER:
        assert_true(json_is_number(theirs) && json_number_value(theirs) == strtod(ours.raw.ptr, NULL));
        break;
    case HG_JSON_STRING:
        hg_buf_init(&text, 1000);
        assert_true(hg_ok(hg_json_string_decode(ours, &text)));
        assert_true(json_is_string(theirs));
        assert_true(hg_slice_eq(hg_buf_slice(&text), hg_slice(json_string_value(theirs), json_string_length(theirs))));
        hg_buf_done(&text);
        break;
    case HG_JSON_ARRAY:
        assert_true(json_is_array(theirs));
        for (struct hg_json_iter iter = hg_json_iter(ours); hg_json_next_element(&iter, &value); count++)
            compare(value, json_array_get(theirs, count));
        assert_int_equal(count, json_array_size(theirs));
        break;
    case HG_JSON_OBJECT:
        assert_true(json_is_object(theirs));
        const char *name;
        json_t *member;
        json_object_foreach(theirs, name, member)
        {
            assert_true(hg_json_get(ours, name, &value));
            compare(value, member);
        }
        for (struct hg_json_iter iter = hg_json_iter(ours); hg_json_next_member(&iter, &key, &value);) {
            hg_buf_init(&text, 1000);
            assert_true(hg_ok(hg_json_string_decode(key, &text)));
            hg_buf_put_char(&text, '\0');
            assert_non_null(json_object_get(theirs, text.ptr));
            assert_true(hg_json_string_is(key, text.ptr));
            hg_buf_done(&text);
        }
        break;
    }
}

static void test_random_documents_against_jansson(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 21);
    struct hg_buf text;
    hg_buf_init(&text, 1u << 20);
    for (int round = 0; round < 5000; round++) {
        hg_buf_clear(&text);
        put_random_value(&prng, &text, 4);
        json_t *theirs = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
        assert_non_null(theirs);
        hg_buf_put_char(&text, '\0'); /* for strtod */
        compare(parsed(hg_slice(text.ptr, text.len - 1)), theirs);
        json_decref(theirs);
    }
    hg_buf_done(&text);
}

/* Accept or refuse as jansson does; and whatever is refused, its front up to the offending byte is the beginning of
 * some JSON text: cut there it ends too early, or is whole. */
static bool check_against_jansson(struct hg_slice text)
{
    size_t at = SIZE_MAX;
    bool ok = hg_ok(hg_json_parse(text, NULL, &at));
    enum hgt_opinion opinion = hgt_json_opinion(text);
    if (opinion != HGT_NO_OPINION && ok != (opinion == HGT_JSON))
        fail_msg("%s, jansson says otherwise: %.*s", ok ? "accepted" : "refused", HG_SLICE_ARG(text));
    if (!ok) {
        size_t cut = SIZE_MAX;
        assert_true(at <= text.len);
        assert_true(hg_ok(hg_json_parse(hg_slice_first(text, at), NULL, &cut)) || cut == at);
    }
    return ok;
}

static void test_mutated_documents_against_jansson(void **state)
{
    (void)state;
    static const char bytes[] = "{}[]\",:\\ /0123456789-+.eEutfn\n\r\t\0\x1f\x7f\x80\xbf\xc3\xe2\xed\xf0\xff";
    struct hg_prng prng;
    hg_prng_init(&prng, 22);
    struct hg_buf text;
    hg_buf_init(&text, 1u << 20);
    unsigned accepted = 0, refused = 0;
    for (int round = 0; round < 60000; round++) {
        hg_buf_clear(&text);
        put_random_value(&prng, &text, 3);
        for (uint64_t n = hg_prng_below(&prng, 3); n > 0 && text.len > 0; n--) {
            size_t at = (size_t)hg_prng_below(&prng, text.len);
            char c = bytes[hg_prng_below(&prng, sizeof(bytes) - 1)];
            switch (hg_prng_below(&prng, 4)) {
            case 0:
                text.ptr[at] = c;
                break;
            case 1:
                memmove(text.ptr + at, text.ptr + at + 1, text.len - at - 1);
                hg_buf_truncate(&text, text.len - 1);
                break;
            case 2:
                hg_buf_put_char(&text, c);
                memmove(text.ptr + at + 1, text.ptr + at, text.len - at - 1);
                text.ptr[at] = c;
                break;
            default:
                hg_buf_truncate(&text, at);
            }
        }
        /* Memory of exactly this size: a sanitizer sees what reads past the end. */
        char *exact = malloc(text.len > 0 ? text.len : 1);
        assert_non_null(exact);
        if (text.len > 0)
            memcpy(exact, text.ptr, text.len);
        if (check_against_jansson(hg_slice(exact, text.len)))
            accepted++;
        else
            refused++;
        free(exact);
    }
    hg_buf_done(&text);
    assert_true(accepted > 10000 && refused > 10000); /* the comparison means something */
}

static bool decode_and_put(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 10000);
    char text[400];
    memset(text, 'a', sizeof(text));
    memcpy(text, "\"\\u0061", 7);
    memcpy(text + 200, "\\n", 2);
    text[sizeof(text) - 1] = '"';
    hg_result result = hg_json_string_decode(parsed(hg_slice(text, sizeof(text))), &buf);
    hg_json_put_string(&buf, hg_slice(text, sizeof(text)));
    bool ok = hg_ok(result) && hg_ok(hg_buf_result(&buf));
    assert_true(ok || hg_buf_result(&buf).code == HG_ERR_NOMEM);
    hg_buf_done(&buf);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(decode_and_put);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_raw),
        cmocka_unit_test(test_refusals_tell_where),
        cmocka_unit_test(test_every_byte_at_every_place_of_a_string),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_walking),
        cmocka_unit_test(test_get_takes_the_last),
        cmocka_unit_test(test_misuse_is_our_mistake),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_decode_keeps_the_ceiling),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_put_string),
        cmocka_unit_test(test_random_documents_against_jansson),
        cmocka_unit_test(test_mutated_documents_against_jansson),
        cmocka_unit_test(test_each_allocation_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
