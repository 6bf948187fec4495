#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/schema.h"
#include "schema/vocabulary.h"
#include "support/oom.h"

static hg_result compile(struct hg_slice text, struct hg_buf *why)
{
    struct hg_schema *schema = NULL;
    hg_buf_init(why, 4096);
    hg_result r = hg_schema_compile(text, &schema, why);
    assert_true(hg_ok(r) == (schema != NULL));
    assert_true(r.code == HG_ERR_NOMEM || hg_ok(r) == (why->len == 0));
    hg_schema_free(schema);
    return r;
}

static const char annotations[] =
    "{\"$id\":\"https://a/"
    "b\",\"$comment\":\"x\",\"title\":\"t\",\"description\":\"d\",\"default\":[1],\"examples\":[{}],"
    "\"deprecated\":true,\"readOnly\":false,\"writeOnly\":true,\"format\":\"date-time\",\"contentEncoding\":\"base64\","
    "\"contentMediaType\":\"image/png\",\"contentSchema\":{},\"$vocabulary\":{}}";
static const char bundle[] = "{\"$id\":\"http://a/b\",\"$ref\":\"c\",\"$defs\":"
                             "{\"i\":{\"$id\":\"c\",\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{}}}}}";

static void test_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "true",
        "false",
        "{}",
        " { } ",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema#\"}",
        annotations,
        "{\"x-requried\":1,\"x-\":2,\"unit\":\"EUR\",\"owner\":{\"type\":\"of anything\"}}",
        "{\"$defs\":{\"requried\":{}},\"definitions\":{\"a\":true},\"$ref\":\"#/definitions/a\"}",
        "{\"properties\":{\"requried\":{},\"$ref\":{\"type\":\"string\"},\"dependencies\":true}}",
        "{\"const\":{\"requried\":1,\"$ref\":\"nowhere\"},\"enum\":[],\"default\":{\"$ref\":\"nowhere\"}}",
        "{\"$anchor\":\"A_b-1.c\",\"properties\":{\"a\":{\"$ref\":\"#A_b-1.c\"}}}",
        "{\"$defs\":{\"a b/c~%\":{}},\"$ref\":\"#/$defs/a%20b~1c~0%25\"}",
        "{\"$ref\":\"#/odd/place\",\"odd\":{\"place\":{\"type\":\"null\"}}}",
        "{\"items\":{\"$ref\":\"#\"},\"properties\":{\"next\":{\"$ref\":\"#\"}}}",
        bundle,
        "{\"maxLength\":1e2,\"minItems\":3.0,\"maxProperties\":1e30,\"multipleOf\":1e-2}",
        "{\"type\":[\"null\",\"string\",\"integer\"],\"required\":[],\"dependentRequired\":{\"a\":[\"b\",\"c\"]}}",
        "{\"if\":true,\"then\":false,\"minContains\":2,\"maxContains\":1,\"uniqueItems\":false}",
        "{\"pattern\":\"^[\\\\p{L}]+$\",\"patternProperties\":{\"^x-\":true}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct hg_buf why;
        if (!hg_ok(compile(hg_slice_str(texts[i]), &why)))
            fail_msg("%s: %.*s", texts[i], HG_SLICE_ARG(hg_buf_slice(&why)));
        hg_buf_done(&why);
    }
}

struct refusal {
    const char *text, *told;
};

static void check_refusals(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hg_buf why;
        assert_int_equal(compile(hg_slice_str(rows[i].text), &why).code, HG_ERR_BAD_REQUEST);
        if (!hg_slice_starts(hg_buf_slice(&why), hg_slice_str(rows[i].told)))
            fail_msg("%s: %.*s", rows[i].text, HG_SLICE_ARG(hg_buf_slice(&why)));
        hg_buf_done(&why);
    }
}

#define CHECK_REFUSALS(rows) check_refusals(rows, sizeof(rows) / sizeof(rows[0]))

static void test_text_that_is_no_schema(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"", "line 1, column 1: found the end of the text; allowed: JSON"},
        {"{\n  \"é\": 1,\n}", "line 3, column 1: found \"}\"; allowed: JSON"},
        {"{\"type\":\"\xff\"}", "line 1, column 10: found \"\\xff\"; allowed: JSON"},
        {"[]", "#: found an empty array; allowed: a schema: an object, true or false"},
        {"7", "#: found 7; allowed: a schema"},
        {"{\"items\":{\"type\":\"null\",\"type\":\"string\"}}",
         "#/items/type: found a name that stands in this object before; allowed: each name once"},
        {"{\"title\":\"\\ud800\"}", "#/title: found half of a surrogate pair; allowed: Unicode text"},
        {"{\"maximum\":1e99999999999999999}",
         "#/maximum: found 1e99999999999999999; allowed: exponents up to 15 digits"},
    };
    CHECK_REFUSALS(rows);
}

static void test_keywords_that_are_not_there(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"{\"requried\":[\"a\"]}",
         "#/requried: found a keyword that does not exist; did you mean required? Words of your own may begin with x-"},
        {"{\"properties\":{\"a\":{\"Type\":\"string\"}}}",
         "#/properties/a/Type: found a keyword that does not exist; did you mean type?"},
        {"{\"additionalProperty\":false}",
         "#/additionalProperty: found a keyword that does not exist; did you mean additionalProperties?"},
        {"{\"max\":1}", "#/max: found a keyword that does not exist; did you mean max"},
        {"{\"$dynamicRef\":\"#a\"}", "#/$dynamicRef: found a keyword that is not supported; allowed: $ref"},
        {"{\"dependencies\":{}}",
         "#/dependencies: found a keyword that is not supported; allowed: dependentRequired and dependentSchemas"},
        {"{\"items\":true,\"additionalItems\":false}",
         "#/additionalItems: found a keyword that is not supported; allowed: prefixItems for the first elements"},
        {"{\"id\":\"x\"}", "#/id: found a keyword that is not supported; allowed: $id"},
    };
    CHECK_REFUSALS(rows);
}

static void test_values_of_the_wrong_type(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"{\"type\":\"text\"}",
         "#/type: found \"text\"; allowed: null, boolean, object, array, number, string or integer"},
        {"{\"type\":[\"null\",\"any\"]}", "#/type/1: found \"any\"; allowed: null"},
        {"{\"type\":[]}", "#/type: found an empty array; allowed: null"},
        {"{\"type\":{}}", "#/type: found an empty object; allowed: null"},
        {"{\"enum\":{}}", "#/enum: found an empty object; allowed: an array"},
        {"{\"multipleOf\":0}", "#/multipleOf: found 0; allowed: a number above 0 with up to 18 digits"},
        {"{\"multipleOf\":-1}", "#/multipleOf: found -1; allowed: a number above 0"},
        {"{\"multipleOf\":1234567890123456789}", "#/multipleOf: found 1234567890123456789; allowed: a number above 0"},
        {"{\"maximum\":\"10\"}", "#/maximum: found \"10\"; allowed: a number"},
        {"{\"exclusiveMaximum\":true}", "#/exclusiveMaximum: found true; allowed: a number"},
        {"{\"minLength\":-1}", "#/minLength: found -1; allowed: a whole number, 0 or more"},
        {"{\"minLength\":1.5}", "#/minLength: found 1.5; allowed: a whole number, 0 or more"},
        {"{\"maxContains\":null}", "#/maxContains: found null; allowed: a whole number"},
        {"{\"pattern\":1}", "#/pattern: found 1; allowed: a string with a regular expression"},
        {"{\"uniqueItems\":1}", "#/uniqueItems: found 1; allowed: true or false"},
        {"{\"required\":\"a\"}", "#/required: found \"a\"; allowed: an array of names, none twice"},
        {"{\"required\":[\"a\",1]}", "#/required/1: found 1; allowed: an array of names"},
        {"{\"required\":[\"a\",\"b\",\"a\"]}", "#/required/2: found \"a\"; allowed: an array of names, none twice"},
        {"{\"dependentRequired\":{\"a\":\"b\"}}", "#/dependentRequired/a: found \"b\"; allowed: an array of names"},
        {"{\"dependentRequired\":[]}",
         "#/dependentRequired: found an empty array; allowed: an object of arrays of names"},
        {"{\"properties\":[]}", "#/properties: found an empty array; allowed: an object of schemas"},
        {"{\"properties\":{\"a\":1}}", "#/properties/a: found 1; allowed: a schema: an object, true or false"},
        {"{\"items\":[{},{}]}", "#/items: found an array of 2 elements; allowed: a schema; for one schema for each "
                                "element there is prefixItems"},
        {"{\"prefixItems\":{}}", "#/prefixItems: found an empty object; allowed: an array of schemas, at least one"},
        {"{\"allOf\":[]}", "#/allOf: found an empty array; allowed: an array of schemas, at least one"},
        {"{\"anyOf\":[{},[]]}", "#/anyOf/1: found an empty array; allowed: a schema"},
        {"{\"not\":null}", "#/not: found null; allowed: a schema"},
        {"{\"$defs\":{\"a/b\":[]}}", "#/$defs/a~1b: found an empty array; allowed: a schema"},
        {"{\"title\":1}", "#/title: found 1; allowed: a string"},
        {"{\"deprecated\":\"yes\"}", "#/deprecated: found \"yes\"; allowed: true or false"},
        {"{\"examples\":{}}", "#/examples: found an empty object; allowed: an array"},
        {"{\"contentSchema\":[]}", "#/contentSchema: found an empty array; allowed: a schema"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
         "#/$schema: found \"http://json-schema.org/draft-07/schema#\"; allowed: "
         "https://json-schema.org/draft/2020-12/schema, or no $schema at all"},
        {"{\"$anchor\":\"1a\"}", "#/$anchor: found \"1a\"; allowed: a letter or _"},
        {"{\"$anchor\":\"\"}", "#/$anchor: found \"\"; allowed: a letter or _"},
        {"{\"$id\":1}", "#/$id: found 1; allowed: a string"},
        {"{\"$id\":\"a#b\"}", "#/$id: found \"a#b\"; allowed: a URI without a fragment"},
        {"{\"$id\":\"http://a/b\",\"items\":{\"$id\":\"b\"}}",
         "#/items/$id: found \"b\"; allowed: each $id once in a document"},
    };
    CHECK_REFUSALS(rows);
}

static void test_patterns_and_references(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"{\"pattern\":\"^(a\"}",
         "#/pattern: found the pattern ^(a, which is no regular expression of ECMA-262 (flag u): "
         "found the end of the expression; allowed: a ) that closes the group"},
        {"{\"patternProperties\":{\"[\":{}}}",
         "#/patternProperties/[: found the pattern [, which is no regular expression"},
        {"{\"$ref\":1}", "#/$ref: found 1; allowed: a string"},
        {"{\"$ref\":\"#/$defs/a\"}", "#/$ref: found \"#/$defs/a\"; allowed: a place in this document that exists"},
        {"{\"$ref\":\"#a\"}", "#/$ref: found \"#a\"; allowed: a place in this document that exists"},
        {"{\"$ref\":\"#/%4\"}", "#/$ref: found \"#/%4\"; allowed: a place in this document that exists"},
        {"{\"$ref\":\"#/const\",\"const\":3}", "#/const: found 3; allowed: a schema"},
        {"{\"items\":{\"$ref\":\"other.json\"}}",
         "#/items/$ref: found \"other.json\"; allowed: references within this document"},
        {"{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "#/$ref: found \"https://json-schema.org"},
        {"{\"$id\":\"http://a/b\",\"$ref\":\"http://a/bc\"}",
         "#/$ref: found \"http://a/bc\"; allowed: references within"},
        {"{\"$ref\":\"#a\",\"$defs\":{\"x\":{\"$anchor\":\"a\"},\"y\":{\"$anchor\":\"a\"}}}",
         "#/$defs/y/$anchor: found \"a\"; allowed: each anchor once"},
        {"{\"$ref\":\"#a\",\"enum\":[{\"$anchor\":\"a\"}]}",
         "#/$ref: found \"#a\"; allowed: a place in this document that exists"},
        {"{\"$ref\":\"#/odd\",\"odd\":{\"requried\":[]}}", "#/odd/requried: found a keyword that does not exist"},
    };
    CHECK_REFUSALS(rows);
}

static void test_references_without_end(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"{\"$ref\":\"#\"}",
         "#: found a schema that applies itself to the same value again, without end; allowed: references"},
        {"{\"allOf\":[{\"$ref\":\"#\"}]}", "#: found a schema that applies itself to the same value again"},
        {"{\"not\":{\"anyOf\":[true,{\"$ref\":\"#/not\"}]}}", "#/not: found a schema that applies itself"},
        {"{\"if\":{\"$ref\":\"#\"}}", "#: found a schema that applies itself"},
        {"{\"then\":{\"$ref\":\"#\"},\"if\":true}", "#: found a schema that applies itself"},
        {"{\"dependentSchemas\":{\"a\":{\"oneOf\":[{\"$ref\":\"#\"}]}}}", "#: found a schema that applies itself"},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}}}",
         "#/$defs/a: found a schema that applies itself"},
    };
    CHECK_REFUSALS(rows);
}

/* `count` times `part` between `front` and `back`, with `end` as often. */
static hg_result compile_many(const char *front, const char *part, size_t count, const char *middle, const char *end,
                              const char *back)
{
    struct hg_buf text, why;
    hg_buf_init(&text, 4u << 20);
    hg_buf_put_str(&text, front);
    for (size_t i = 0; i < count; i++)
        hg_buf_printf(&text, part, i, i + 1);
    hg_buf_put_str(&text, middle);
    for (size_t i = 0; i < count; i++)
        hg_buf_put_str(&text, end);
    hg_buf_put_str(&text, back);
    assert_true(hg_ok(hg_buf_result(&text)));
    hg_result r = compile(hg_buf_slice(&text), &why);
    hg_buf_done(&text);
    hg_buf_done(&why);
    return r;
}

static void test_bounds(void **state)
{
    (void)state;
    char *large = malloc(HG_SCHEMA_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', HG_SCHEMA_BYTES_MAX + 1);
    memcpy(large, "{}", 2);
    struct hg_buf why;
    assert_true(hg_ok(compile(hg_slice(large, HG_SCHEMA_BYTES_MAX), &why)));
    hg_buf_done(&why);
    assert_int_equal(compile(hg_slice(large, HG_SCHEMA_BYTES_MAX + 1), &why).code, HG_ERR_BAD_REQUEST);
    assert_true(hg_slice_is(hg_buf_slice(&why), "found a schema of 1048577 bytes; allowed: up to 1048576"));
    hg_buf_done(&why);
    free(large);

    assert_true(hg_ok(compile_many("", "{\"items\":", HG_SCHEMA_DEPTH_MAX - 1, "{}", "}", "")));
    assert_int_equal(compile_many("", "{\"items\":", HG_SCHEMA_DEPTH_MAX, "{}", "}", "").code, HG_ERR_BAD_REQUEST);
    assert_true(hg_ok(compile_many("{\"allOf\":[", "{},", HG_SCHEMA_RULES_MAX - 2, "{}", "", "]}")));
    assert_int_equal(compile_many("{\"allOf\":[", "{},", HG_SCHEMA_RULES_MAX - 1, "{}", "", "]}").code,
                     HG_ERR_BAD_REQUEST);
    static const char chain[] = "\"d%zu\":{\"$ref\":\"#/$defs/d%zu\"},";
    for (size_t more = 0; more < 2; more++) {
        char last[40];
        snprintf(last, sizeof(last), "\"d%zu\":{}}}", HG_SCHEMA_CHAIN_MAX - 1 + more);
        assert_true(hg_ok(compile_many("{\"$defs\":{", chain, HG_SCHEMA_CHAIN_MAX - 1 + more, last, "", "")) == !more);
    }
}

static void test_vocabulary_has_each_name_once(void **state)
{
    (void)state;
    size_t count = 0;
    for (; hg_vocabulary_name(count); count++) {
        const struct hg_vocabulary_row *row = hg_vocabulary_find(hg_slice_str(hg_vocabulary_name(count)));
        assert_ptr_equal(row->name, hg_vocabulary_name(count));
        assert_int_not_equal(row->shape, HG_SHAPE_REFUSED);
    }
    assert_true(count > 50);
    assert_null(hg_vocabulary_find(HG_LIT("Type")));
    assert_null(hg_vocabulary_find(HG_LIT("")));
}

static const char everything[] =
    "{\"$id\":\"http://a/"
    "b\",\"type\":\"object\",\"required\":[\"id\",\"\\u0061\"],\"properties\":{\"id\":{\"pattern\":\"^[a-f0-9]+$\"},"
    "\"kind\":{\"enum\":[1,\"two\",[3],4,5,6,7,8,9,10,11,12,13,14]},\"n\":{\"multipleOf\":0.5,\"maximum\":1e3}},"
    "\"patternProperties\":"
    "{\"^x\":{\"$ref\":\"#a\"}},\"additionalProperties\":{\"$ref\":\"c#/$defs/"
    "y\"},\"$defs\":{\"x\":{\"$anchor\":\"a\"},"
    "\"z\":{\"$id\":\"c\",\"$defs\":{\"y\":{\"if\":{\"const\":1},\"then\":{\"contains\":true}}}}},"
    "\"unevaluatedProperties\":false}";

static bool compile_everything(void)
{
    struct hg_buf why;
    hg_result r = compile(hg_slice_str(everything), &why);
    hg_buf_done(&why);
    assert_true(hg_ok(r) || r.code == HG_ERR_NOMEM);
    return hg_ok(r);
}

static bool refuses(const char *text)
{
    struct hg_schema *schema = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    hg_result r = hg_schema_compile(hg_slice_str(text), &schema, &why);
    hg_buf_done(&why);
    assert_true(r.code == HG_ERR_BAD_REQUEST || r.code == HG_ERR_NOMEM);
    return r.code == HG_ERR_BAD_REQUEST;
}

static bool refuse_a_keyword(void)
{
    return refuses("{\"properties\":{\"a\":{\"enum\":[1]},\"b\":{\"requried\":1}}}");
}

static bool refuse_a_pattern(void)
{
    return refuses("{\"allOf\":[{\"pattern\":\"(a)[b]\\\\1\"}]}");
}

static bool refuse_a_reference(void)
{
    return refuses("{\"$ref\":\"#/$defs/%61\"}");
}

static bool refuse_a_circle(void)
{
    return refuses("{\"anyOf\":[{\"$ref\":\"#\"}]}");
}

static bool refuse_a_text(void)
{
    return refuses("{\"a\":}");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(compile_everything);
    HGT_OOM_SWEEP(refuse_a_keyword);
    HGT_OOM_SWEEP(refuse_a_pattern);
    HGT_OOM_SWEEP(refuse_a_reference);
    HGT_OOM_SWEEP(refuse_a_circle);
    HGT_OOM_SWEEP(refuse_a_text);
}

/* A line that is too long for its buffer is cut, and still a refusal. */
static void test_short_of_room(void **state)
{
    (void)state;
    struct hg_schema *schema = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 20);
    assert_int_equal(hg_schema_compile(HG_LIT("{\"properties\":{\"a\":{\"type\":7}}}"), &schema, &why).code,
                     HG_ERR_BAD_REQUEST);
    assert_int_equal(hg_schema_compile(HG_LIT("{\"properties\":{\"a\":{\"pattern\":\"(\"}}}"), &schema, &why).code,
                     HG_ERR_BAD_REQUEST);
    assert_true(hg_ok(hg_schema_compile(HG_LIT("{\"properties\":{\"a\":{\"pattern\":\"a\"}}}"), &schema, &why)));
    hg_schema_free(schema);
    hg_buf_done(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_text_that_is_no_schema),
        cmocka_unit_test(test_keywords_that_are_not_there),
        cmocka_unit_test(test_values_of_the_wrong_type),
        cmocka_unit_test(test_patterns_and_references),
        cmocka_unit_test(test_references_without_end),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_vocabulary_has_each_name_once),
        cmocka_unit_test(test_short_of_room),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
