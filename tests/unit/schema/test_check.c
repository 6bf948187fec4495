#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/utf8.h"
#include "schema/schema.h"
#include "support/oom.h"

struct row {
    const char *schema, *event;
    const char *pointer; /* NULL: valid */
    const char *message;
};

static struct hg_schema *compiled(const char *text)
{
    struct hg_schema *schema = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    if (!hg_ok(hg_schema_compile(hg_slice_str(text), &schema, &why)))
        fail_msg("%s: %.*s", text, HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    return schema;
}

static void check_rows(const struct row *rows, size_t count)
{
    struct hg_buf pointer, message;
    hg_buf_init(&pointer, 4096);
    hg_buf_init(&message, 4096);
    for (size_t i = 0; i < count; i++) {
        struct hg_schema *schema = compiled(rows[i].schema);
        hg_result r = hg_schema_check(schema, hg_slice_str(rows[i].event), &pointer, &message);
        if (rows[i].pointer) {
            if (r.code != HG_ERR_EVENT_INVALID || !hg_slice_is(hg_buf_slice(&pointer), rows[i].pointer) ||
                !hg_slice_is(hg_buf_slice(&message), rows[i].message))
                fail_msg("%s, %s: %s at \"%.*s\": %.*s", rows[i].schema, rows[i].event, hg_error_row(r.code)->name,
                         HG_SLICE_ARG(hg_buf_slice(&pointer)), HG_SLICE_ARG(hg_buf_slice(&message)));
        } else if (!hg_ok(r) || pointer.len > 0 || message.len > 0) {
            fail_msg("%s, %s: %.*s", rows[i].schema, rows[i].event, HG_SLICE_ARG(hg_buf_slice(&message)));
        }
        hg_schema_free(schema);
    }
    hg_buf_done(&pointer);
    hg_buf_done(&message);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

static void test_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"true", "1", NULL, NULL},
        {"false", "1", "", "found 1; allowed: nothing at all in this place"},
        {"{\"type\":\"integer\"}", "1.0", NULL, NULL},
        {"{\"type\":\"integer\"}", "123456789012345678901234567890", NULL, NULL},
        {"{\"type\":\"integer\"}", "1.5", "", "found 1.5; allowed: an integer"},
        {"{\"type\":\"number\"}", "1.5", NULL, NULL},
        {"{\"type\":\"string\"}", "{\"a\":1}", "", "found an object; allowed: a string"},
        {"{\"type\":[\"string\",\"null\"]}", "[1]", "", "found an array of 1 element; allowed: a string, or null"},
        {"{\"type\":[\"boolean\",\"integer\",\"number\"]}", "[]", "",
         "found an empty array; allowed: a number, or true or false"},
        {"{\"const\":{\"a\":[1,2]}}", "{\"a\":[1.0,2e0]}", NULL, NULL},
        {"{\"const\":\"x\"}", "\"y\"", "", "found \"y\"; allowed: only \"x\""},
        {"{\"const\":[1]}", "[2]", "",
         "found an array of 1 element; allowed: only an array of 1 element that is equal to the schema's"},
        {"{\"enum\":[\"EUR\",7,null,[1]]}", "7.0", NULL, NULL},
        {"{\"enum\":[\"EUR\",7,null,[1]]}", "[1]", NULL, NULL},
        {"{\"enum\":[\"EUR\",7,null]}", "\"GBP\"", "", "found \"GBP\"; allowed: \"EUR\", 7, null"},
        {"{\"enum\":[1,2,3,4,5,6,7,8,9,10]}", "0", "", "found 0; allowed: 1, 2, 3, 4, 5, 6, 7, 8, …"},
        {"{\"enum\":[]}", "0", "", "found 0; allowed: "},
        {"{\"multipleOf\":0.01}", "19.99", NULL, NULL},
        {"{\"multipleOf\":0.01}", "19.995", "", "found 19.995; allowed: multiples of 0.01"},
        {"{\"maximum\":3.0}", "3", NULL, NULL},
        {"{\"maximum\":3.0}", "3.0000000000000000000000000001", "",
         "found 3.0000000000000000000000000001; allowed: at most 3.0"},
        {"{\"exclusiveMaximum\":3}", "2.99", NULL, NULL},
        {"{\"exclusiveMaximum\":3}", "3.0", "", "found 3.0; allowed: less than 3"},
        {"{\"minimum\":9007199254740993}", "9007199254740993", NULL, NULL},
        {"{\"minimum\":9007199254740993}", "9007199254740992", "",
         "found 9007199254740992; allowed: at least 9007199254740993"},
        {"{\"exclusiveMinimum\":-1}", "-1", "", "found -1; allowed: more than -1"},
        {"{\"exclusiveMinimum\":-1}", "-0.5", NULL, NULL},
        {"{\"maximum\":1,\"minLength\":5,\"minItems\":5,\"minProperties\":5}", "true", NULL, NULL},
        {"{\"minLength\":2}", "\"\\ud83d\\ude00\xc3\xa9\"", NULL, NULL},
        {"{\"minLength\":3}", "\"\\ud83d\\ude00\xc3\xa9\"", "", "found \"😀é\" of 2 characters; allowed: at least 3"},
        {"{\"maxLength\":1}", "\"a\"", NULL, NULL},
        {"{\"maxLength\":0}", "\"a\"", "", "found \"a\" of 1 character; allowed: at most 0"},
        {"{\"pattern\":\"^[0-9]+$\"}", "\"12\"", NULL, NULL},
        {"{\"pattern\":\"^[0-9]+$\"}", "\"1x\\n\"", "", "found \"1x\\x0a\"; allowed: what matches ^[0-9]+$"},
        {"{\"format\":\"date\",\"contentMediaType\":\"application/json\",\"readOnly\":true}", "\"no date\"", NULL,
         NULL},
    };
    CHECK_ROWS(rows);
}

static void test_objects(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":1,\"b\":2}", "/a", "found 1; allowed: a string"},
        {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"b\":2}", NULL, NULL},
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", NULL, NULL},
        {"{\"properties\":{\"a\":{},\"b\":{}},\"additionalProperties\":false}", "{\"a\":1,\"c/d\":2}", "/c~1d",
         "found a member that the schema does not know, \"c/d\"; allowed: \"a\", \"b\""},
        {"{\"additionalProperties\":false}", "{\"x\":1}", "/x",
         "found a member that the schema does not know, \"x\"; allowed: names that the schema knows"},
        {"{\"additionalProperties\":{\"type\":\"null\"}}", "{\"x\":{\"y\":1}}", "/x", "found an object; allowed: null"},
        {"{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}},\"additionalProperties\":false}", "{\"x-a\":null}", NULL,
         NULL},
        {"{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}}}", "{\"x-a\":1}", "/x-a", "found 1; allowed: null"},
        {"{\"properties\":{\"xa\":{\"minimum\":2}},\"patternProperties\":{\"^x\":{\"maximum\":3}}}", "{\"xa\":4}",
         "/xa", "found 4; allowed: at most 3"},
        {"{\"required\":[\"a\",\"\\u00e9\"]}", "{\"a\":1,\"\xc3\xa9\":2}", NULL, NULL},
        {"{\"items\":{\"required\":[\"a\",\"b\"]}}", "[{\"a\":1}]", "/0",
         "found an object without \"b\"; allowed: objects that have it"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"b\":1}", NULL, NULL},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "",
         "found an object without \"b\" but with \"a\"; allowed: both, or neither of them"},
        {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", "{\"c\":1}", NULL, NULL},
        {"{\"dependentSchemas\":{\"a\":{\"maxProperties\":1}}}", "{\"a\":1,\"b\":2}", "",
         "found 2 members; allowed: at most 1"},
        {"{\"minProperties\":2}", "{\"a\":1}", "", "found 1 member; allowed: at least 2"},
        {"{\"propertyNames\":{\"maxLength\":3}}", "{\"abc\":1}", NULL, NULL},
        {"{\"items\":{\"propertyNames\":{\"maxLength\":3}}}", "[{\"abc\":1,\"abcd\":1}]", "/0/abcd",
         "found the name \"abcd\" of 4 characters; allowed: at most 3"},
        {"{\"propertyNames\":{\"enum\":[\"a\"]}}", "{\"b\":1}", "/b", "found the name \"b\"; allowed: \"a\""},
        {"{\"propertyNames\":{\"anyOf\":[{\"const\":\"a\"},{\"pattern\":\"^x\"}]}}", "{\"a\":1,\"b\":1}", "/b",
         "found the name \"b\"; allowed: what matches ^x"},
        {"{\"propertyNames\":false}", "{}", NULL, NULL},
        {"{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"a\":{}}}],\"if\":{\"required\":[\"b\"],"
         "\"properties\":"
         "{\"b\":{}}}}",
         "{\"a\":1,\"b\":2}", NULL, NULL},
        {"{\"unevaluatedProperties\":false,\"anyOf\":[{\"properties\":{\"a\":{}}},{\"properties\":{\"b\":{\"type\":"
         "\"null\"}}}]}",
         "{\"a\":1,\"b\":2}", "/b",
         "found a member that the schema does not know, \"b\"; allowed: names that the schema knows"},
        {"{\"unevaluatedProperties\":{\"type\":\"null\"},\"properties\":{\"a\":{}}}", "{\"a\":1,\"b\":2}", "/b",
         "found 2; allowed: null"},
    };
    CHECK_ROWS(rows);
}

static void test_arrays(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"items\":{\"type\":\"integer\"}}", "[1,2,\"x\"]", "/2", "found \"x\"; allowed: an integer"},
        {"{\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"items\":false}", "[1,\"x\"]", NULL, NULL},
        {"{\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "[1]", NULL, NULL},
        {"{\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "[1,2,3]", "/1",
         "found 2; allowed: a string"},
        {"{\"prefixItems\":[{}],\"items\":false}", "[1,2]", "/1", "found 2; allowed: nothing at all in this place"},
        {"{\"maxItems\":1}", "[1,2]", "", "found 2 elements; allowed: at most 1"},
        {"{\"minItems\":1}", "[]", "", "found 0 elements; allowed: at least 1"},
        {"{\"uniqueItems\":true}", "[1,\"1\",true,[1],{\"a\":1},null,0,false,[]]", NULL, NULL},
        {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},0,{\"b\":2,\"a\":1.0}]", "/2",
         "found an object, which is equal to element 0; allowed: elements that differ"},
        {"{\"uniqueItems\":false}", "[1,1]", NULL, NULL},
        {"{\"contains\":{\"const\":5}}", "[1,5]", NULL, NULL},
        {"{\"contains\":{\"const\":5}}", "[1]", "",
         "found 0 elements of the kind that `contains` asks for; allowed: at least 1"},
        {"{\"contains\":{\"type\":\"integer\"},\"minContains\":2}", "[1,\"a\"]", "",
         "found 1 element of the kind that `contains` asks for; allowed: at least 2"},
        {"{\"contains\":{\"type\":\"integer\"},\"maxContains\":1}", "[1,2]", "",
         "found 2 elements of the kind that `contains` asks for; allowed: at most 1"},
        {"{\"contains\":false,\"minContains\":0}", "[1]", NULL, NULL},
        {"{\"prefixItems\":[{}],\"unevaluatedItems\":false}", "[1,2]", "/1",
         "found 2 in a place of the array that the schema does not know; allowed: fewer elements, or others"},
        {"{\"prefixItems\":[{}],\"contains\":{\"const\":2},\"unevaluatedItems\":false}", "[1,2,2]", NULL, NULL},
    };
    CHECK_ROWS(rows);
}

static void test_choices(void **state)
{
    (void)state;
    static const char events[] =
        "{\"oneOf\":[{\"properties\":{\"type\":{\"const\":\"placed\"},\"data\":{\"required\":[\"total\"]}},"
        "\"required\":[\"type\"]},{\"properties\":{\"type\":{\"const\":\"paid\"},\"data\":{\"properties\":"
        "{\"by\":{\"type\":\"string\"}}}},\"required\":[\"type\"]}]}";
    static const struct row rows[] = {
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "2", NULL, NULL},
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", "", "found 3; allowed: at most 2"},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "6", NULL, NULL},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "6", "", "found 6; allowed: a string, or null"},
        {"{\"anyOf\":[{\"minimum\":7},{\"multipleOf\":4}]}", "6", "",
         "found 6, which fits none of 2 alternatives; allowed: what fits at least one"},
        {"{\"oneOf\":[{\"minimum\":7},{\"multipleOf\":4}]}", "6", "",
         "found 6, which fits none of 2 alternatives; allowed: what fits exactly one"},
        {"{\"oneOf\":[{\"type\":\"null\"},{\"minimum\":1},{\"multipleOf\":4}]}", "8", "",
         "found 8, which fits alternatives 2 and 3 of 3; allowed: what fits exactly one"},
        {"{\"oneOf\":[{\"type\":\"null\"},{\"minimum\":1},{\"multipleOf\":4}]}", "7", NULL, NULL},
        {events, "{\"type\":\"placed\",\"data\":{\"total\":1}}", NULL, NULL},
        {events, "{\"data\":{},\"type\":\"placed\"}", "/data",
         "found an object without \"total\"; allowed: objects that have it"},
        {events, "{\"data\":{\"by\":7},\"type\":\"paid\"}", "/data/by", "found 7; allowed: a string"},
        {events, "{\"type\":\"lost\"}", "",
         "found an object, which fits none of 2 alternatives; allowed: what fits exactly one"},
        {"{\"not\":{\"const\":1}}", "2", NULL, NULL},
        {"{\"not\":{\"const\":1}}", "1", "", "found 1, which the schema excludes; allowed: anything else"},
        {"{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":5},\"else\":{\"multipleOf\":2}}", "10", NULL, NULL},
        {"{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":5},\"else\":{\"multipleOf\":2}}", "4", NULL, NULL},
        {"{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":5},\"else\":{\"multipleOf\":2}}", "6", "",
         "found 6; allowed: multiples of 5"},
        {"{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":5},\"else\":{\"multipleOf\":2}}", "3", "",
         "found 3; allowed: multiples of 2"},
        {"{\"if\":{\"minimum\":5},\"else\":false}", "7", NULL, NULL},
        {"{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/"
         "$defs/node\"}}}}}",
         "{\"next\":{\"next\":{}}}", NULL, NULL},
        {"{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/"
         "$defs/node\"}}}}}",
         "{\"next\":{\"next\":[]}}", "/next/next", "found an empty array; allowed: an object"},
    };
    CHECK_ROWS(rows);
}

static void test_text_that_is_no_event(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"true", "", "", "found the end of the text where JSON goes on; allowed: one JSON value"},
        {"true", "{\"a\":}", "", "found no JSON at byte 5; allowed: one JSON value"},
        {"true", "1 2", "", "found no JSON at byte 2; allowed: one JSON value"},
        {"true", "{\"a\":{\"b\":1,\"b\":1}}", "/a/b",
         "found a name that stands in this object before; allowed: each name once"},
        {"true", "[\"\\udfff\"]", "/0", "found half of a surrogate pair; allowed: Unicode text"},
        {"true", "[1e1234567890123456]", "/0",
         "found the number 1e1234567890123456; allowed: exponents up to 15 digits"},
    };
    CHECK_ROWS(rows);
}

static void test_found_values_are_cut(void **state)
{
    (void)state;
    struct hg_schema *schema = compiled("{\"type\":\"null\"}");
    struct hg_buf event, pointer, message;
    hg_buf_init(&event, 10000);
    hg_buf_init(&pointer, 100);
    hg_buf_init(&message, 400);
    hg_buf_put_char(&event, '"');
    for (int i = 0; i < 1000; i++)
        hg_buf_put_str(&event, "é");
    hg_buf_put_char(&event, '"');
    assert_int_equal(hg_schema_check(schema, hg_buf_slice(&event), &pointer, &message).code, HG_ERR_EVENT_INVALID);
    assert_true(message.len < 120);
    assert_true(hg_utf8_valid(hg_buf_slice(&message)));
    hg_buf_done(&event);
    hg_buf_done(&pointer);
    hg_buf_done(&message);

    /* A pointer that does not fit is none at all; half of one would lead elsewhere. */
    hg_buf_init(&pointer, 4);
    hg_buf_init(&message, 10);
    hg_schema_free(schema);
    schema = compiled("{\"additionalProperties\":{\"type\":\"null\"}}");
    assert_int_equal(hg_schema_check(schema, HG_LIT("{\"abcdef\":1}"), &pointer, &message).code, HG_ERR_EVENT_INVALID);
    assert_int_equal(pointer.len, 0);
    assert_true(message.len <= 10);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    hg_schema_free(schema);
}

/* ---- hostile events ---- */

static hg_result check_many(const char *schema_text, const char *front, const char *part, size_t count,
                            const char *middle, const char *end, struct hg_buf *pointer)
{
    struct hg_schema *schema = compiled(schema_text);
    struct hg_buf event, message;
    hg_buf_init(&event, 4u << 20);
    hg_buf_init(&message, 4096);
    hg_buf_init(pointer, 1u << 20);
    hg_buf_put_str(&event, front);
    for (size_t i = 0; i < count; i++)
        hg_buf_printf(&event, part, i);
    hg_buf_put_str(&event, middle);
    for (size_t i = 0; i < count; i++)
        hg_buf_put_str(&event, end);
    assert_true(hg_ok(hg_buf_result(&event)));
    hg_result r = hg_schema_check(schema, hg_buf_slice(&event), pointer, &message);
    assert_true(hg_ok(r) == (message.len == 0));
    if (r.code == HG_ERR_LIMIT_EXCEEDED)
        assert_true(hg_slice_starts(hg_buf_slice(&message), HG_LIT("this event is too complex to be checked")));
    hg_buf_done(&event);
    hg_buf_done(&message);
    hg_schema_free(schema);
    return r;
}

/* 2^n ways through n brackets. */
static const char doubling[] =
    "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/a\"}},"
    "{\"type\":\"array\",\"contains\":{\"$ref\":\"#/$defs/a\"}}]}}}";

static void test_too_complex(void **state)
{
    (void)state;
    struct hg_buf pointer;
    assert_int_equal(check_many(doubling, "", "[", 6, "1", "]", &pointer).code, HG_ERR_EVENT_INVALID);
    hg_buf_done(&pointer);
    assert_int_equal(check_many(doubling, "", "[", 40, "1", "]", &pointer).code, HG_ERR_LIMIT_EXCEEDED);
    assert_true(pointer.len > 0);
    hg_buf_done(&pointer);
    /* A pattern with many states over a long text. */
    assert_int_equal(check_many("{\"pattern\":\"a.{0,2000}b\"}", "\"", "a", 20000, "\"", "", &pointer).code,
                     HG_ERR_LIMIT_EXCEEDED);
    hg_buf_done(&pointer);
    assert_int_equal(check_many("{\"pattern\":\"a.{0,20}b\"}", "\"", "a", 20000, "\"", "", &pointer).code,
                     HG_ERR_EVENT_INVALID);
    hg_buf_done(&pointer);
    /* Schemas inside of each other until there would be no stack. */
    assert_true(hg_ok(check_many("{\"items\":{\"$ref\":\"#\"}}", "", "[", 512, "", "]", &pointer)));
    hg_buf_done(&pointer);
    static const char deep[] = "{\"allOf\":[{\"allOf\":[{\"allOf\":[{\"allOf\":[{\"items\":{\"$ref\":\"#\"}}]}]}]}]}";
    assert_true(hg_ok(check_many(deep, "", "[", 300, "", "]", &pointer)));
    hg_buf_done(&pointer);
    assert_int_equal(check_many(deep, "", "[", 512, "", "]", &pointer).code, HG_ERR_LIMIT_EXCEEDED);
    hg_buf_done(&pointer);
    static const char unevaluated[] =
        "{\"unevaluatedItems\":{\"$ref\":\"#\"},\"anyOf\":[true,{\"anyOf\":[true,{\"anyOf\":[true]}]}]}";
    assert_true(hg_ok(check_many(unevaluated, "", "[", 512, "", "]", &pointer)));
    hg_buf_done(&pointer);
}

static void test_large_and_plain(void **state)
{
    (void)state;
    struct hg_buf pointer;
    assert_true(hg_ok(check_many("{\"uniqueItems\":true}", "[0", ",%zu.5", 100000, "]", "", &pointer)));
    hg_buf_done(&pointer);
    assert_int_equal(check_many("{\"uniqueItems\":true}", "[99.50", ",%zu.5", 100000, "]", "", &pointer).code,
                     HG_ERR_EVENT_INVALID);
    assert_true(hg_slice_is(hg_buf_slice(&pointer), "/100"));
    hg_buf_done(&pointer);
    assert_true(hg_ok(check_many("{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":1", ",\"n%zu\":1", 50000,
                                 "}", "", &pointer)));
    hg_buf_done(&pointer);
    assert_int_equal(check_many("{\"maxItems\":5}", "[0", ",1", 1000000, "]", "", &pointer).code, HG_ERR_EVENT_INVALID);
    hg_buf_done(&pointer);
}

/* ---- at random ---- */

static void put_random(struct hg_prng *prng, unsigned depth, struct hg_buf *into)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-1.50",
                                          "1e2",
                                          "12345678901234567890123",
                                          "\"\"",
                                          "\"a\"",
                                          "\"\\u00e9\\n\"",
                                          "\"\xf0\x9f\x98\x80\"",
                                          "0.1"};
    uint64_t kind = hg_prng_below(prng, depth > 0 ? 4 : 2), count = hg_prng_below(prng, 4);
    if (kind < 2) {
        hg_buf_put_str(into, scalars[hg_prng_below(prng, sizeof(scalars) / sizeof(scalars[0]))]);
        return;
    }
    hg_buf_put_char(into, kind == 2 ? '[' : '{');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            hg_buf_put_str(into, hg_prng_chance(prng, 50) ? "," : " , ");
        if (kind == 3)
            hg_buf_printf(into, "\"%c%d\":", hg_prng_chance(prng, 50) ? 'a' : '~', (int)i);
        put_random(prng, depth - 1, into);
    }
    hg_buf_put_char(into, kind == 2 ? ']' : '}');
}

static bool fits(const char *format, struct hg_slice value, struct hg_slice event)
{
    struct hg_buf text, pointer, message;
    hg_buf_init(&text, 100000);
    hg_buf_init(&pointer, 1000);
    hg_buf_init(&message, 1000);
    hg_buf_printf(&text, format, HG_SLICE_ARG(value));
    hg_buf_put_char(&text, '\0');
    struct hg_schema *schema = compiled(text.ptr);
    hg_result r = hg_schema_check(schema, event, &pointer, &message);
    assert_true(hg_ok(r) || r.code == HG_ERR_EVENT_INVALID);
    hg_schema_free(schema);
    hg_buf_done(&text);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    return hg_ok(r);
}

/* What must be so for any value. */
static void test_laws(void **state)
{
    (void)state;
    struct hg_prng prng;
    struct hg_buf one, other, pair;
    unsigned equal = 0;
    hg_prng_init(&prng, 5);
    hg_buf_init(&one, 100000);
    hg_buf_init(&other, 100000);
    hg_buf_init(&pair, 200000);
    for (int i = 0; i < 1000; i++) {
        hg_buf_clear(&one);
        hg_buf_clear(&other);
        hg_buf_clear(&pair);
        put_random(&prng, 3, &one);
        put_random(&prng, hg_prng_chance(&prng, 50) ? 0 : 3, &other);
        hg_buf_printf(&pair, "[%.*s,%.*s]", HG_SLICE_ARG(hg_buf_slice(&one)), HG_SLICE_ARG(hg_buf_slice(&other)));
        struct hg_slice a = hg_buf_slice(&one), b = hg_buf_slice(&other), both = hg_buf_slice(&pair);
        bool same = fits("{\"const\":%.*s}", a, b);
        equal += same;
        assert_true(fits("{\"const\":%.*s}", a, a));
        assert_true(fits("{\"enum\":[1,\"x\",%.*s,[],{}]}", a, a));
        assert_true(fits("{\"const\":%.*s}", b, a) == same);
        assert_true(fits("{\"not\":{\"const\":%.*s}}", a, b) != same);
        assert_true(fits("{\"uniqueItems\":true}%.*s", HG_LIT(""), both) != same);
        assert_true(fits("{\"contains\":{\"const\":%.*s},\"minContains\":2}", a, both) == same);
        assert_true(fits("{\"items\":{\"enum\":[%.*s]}}", a, both) == same);
        assert_true(fits("{\"oneOf\":[{\"const\":%.*s},true]}", a, b) != same);
        assert_true(fits("{\"if\":{\"const\":%.*s},\"then\":false}", a, b) != same);
        assert_true(fits("{\"prefixItems\":[{\"const\":%.*s}],\"unevaluatedItems\":true}", a, both));
    }
    assert_true(equal > 20 && equal < 800);
    hg_buf_done(&one);
    hg_buf_done(&other);
    hg_buf_done(&pair);
}

/* ---- memory ---- */

static struct hg_schema *shared;

static hg_result check_shared(const char *event)
{
    struct hg_buf pointer, message;
    hg_buf_init(&pointer, 1000);
    hg_buf_init(&message, 1000);
    hg_result r = hg_schema_check(shared, hg_slice_str(event), &pointer, &message);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    return r;
}

static bool check_a_good_one(void)
{
    hg_result r = check_shared("{\"id\":\"a\\u0062\",\"list\":[1,2,3,{}],\"x1\":1}");
    assert_true(hg_ok(r) || r.code == HG_ERR_NOMEM);
    return hg_ok(r);
}

static bool check_a_bad_one(void)
{
    hg_result r = check_shared("{\"id\":\"a\\u0062\",\"list\":[1,2,3,{},\"\\n\"],\"x1\":1,\"y\":[]}");
    assert_true(r.code == HG_ERR_EVENT_INVALID || r.code == HG_ERR_NOMEM);
    return r.code == HG_ERR_EVENT_INVALID;
}

static bool check_a_deep_one(void)
{
    hg_result r =
        check_shared("{\"deep\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    assert_true(r.code == HG_ERR_LIMIT_EXCEEDED || r.code == HG_ERR_NOMEM);
    return r.code == HG_ERR_LIMIT_EXCEEDED;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    shared = compiled(
        "{\"properties\":{\"id\":{\"pattern\":\"^(?=ab)\"},\"list\":{\"uniqueItems\":true},\"deep\":{\"$ref\":\"#/"
        "$defs/a\"}},"
        "\"patternProperties\":{\"^x\":true},\"unevaluatedProperties\":false,\"$defs\":{\"a\":{\"anyOf\":[{\"type\":"
        "\"array\",\"items\":{\"$ref\":\"#/$defs/a\"}},{\"type\":\"array\",\"contains\":{\"$ref\":\"#/$defs/a\"}}]}}}");
    HGT_OOM_SWEEP(check_a_good_one);
    HGT_OOM_SWEEP(check_a_bad_one);
    HGT_OOM_SWEEP(check_a_deep_one);
    hg_schema_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_text_that_is_no_event),
        cmocka_unit_test(test_found_values_are_cut),
        cmocka_unit_test(test_too_complex),
        cmocka_unit_test(test_large_and_plain),
        cmocka_unit_test(test_laws),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
