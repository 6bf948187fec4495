#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "filter/explain.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/index.h"
#include "support/oom.h"

static const struct hg_hash_key hash_key = {1, 2};
static char memory[1 << 16];

static hg_result parse_any(const char *text, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    struct hg_json json;
    if (text[0] != '{')
        return hg_filter_parse(hg_slice_str(text), ret_filter, report);
    assert_true(hg_ok(hg_json_parse(hg_slice_str(text), &json, NULL)));
    return hg_filter_parse_json(json, ret_filter, report);
}

static struct hg_filter *parse(const char *text)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    if (!hg_ok(parse_any(text, &filter, &report)))
        fail_msg("%s\n%zu: %s", text, report.at, report.text);
    return filter;
}

/* Asks an expression, or an object, about an event of the topic "shop.eu". */
static bool passes(const char *text, const char *event)
{
    struct hg_filter *filter = parse(text);
    struct hg_fields *fields = NULL;
    uint32_t slots[HG_FILTER_NODES_MAX];
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    assert_true(hg_ok(hg_fields_new(hash_key, &fields)));
    assert_true(hg_ok(hg_fields_add_filter(fields, filter, slots)));
    hg_fields_extract(fields, hg_slice_str(event), HG_LIT("shop.eu"), &scratch);
    bool result = hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch);
    hg_fields_free(fields);
    hg_filter_unref(filter);
    return result;
}

struct example {
    const char *filter;
    bool passes;
};

static void check_examples(const struct example *examples, size_t count, const char *event)
{
    for (size_t i = 0; i < count; i++)
        if (passes(examples[i].filter, event) != examples[i].passes)
            fail_msg("%s should %spass", examples[i].filter, examples[i].passes ? "" : "not ");
}

static const char order[] = "{\"id\":\"1\",\"eventType\":\"OrderPlaced\",\"source\":\"/"
                            "shop\",\"timestamp\":\"2026-11-24T10:00:00Z\",\"big\":9007199254740993,"
                            "\"nothing\":null,\"flag\":true,\"data\":{\"total\":149.90,\"count\":3,\"zero\":0,\"zip\":"
                            "\"01234\",\"odd name\":\"x\","
                            "\"items\":[{\"sku\":\"a-1\"},{\"sku\":\"b-2\",\"tags\":[\"new\"]}],\"note\":"
                            "\"Gr\\u00fc\\u00dfe, \\\"K\\u00f6ln\\\"\",\"in\":1,"
                            "\"gone\":null,\"deep\":{\"er\":{}},\"half\":\"\\ud800\",\"huge\":1e999,\"price\":0.1}}";

static void test_expressions(void **state)
{
    static const struct example examples[] = {
        {"type = 'OrderPlaced' AND data.total > 100", true},
        {"eventType = 'OrderPlaced'", true},
        {"TYPE = \"OrderPlaced\"", true},
        {"time = timestamp AND id = eventId", true},
        {"topic = 'shop.eu' AND topic LIKE 'shop.%'", true},
        {"data.total = 149.9", true},
        {"data.total = 149.90000 AND data.total < 149.91", true},
        {"data.total = '149.9'", true},
        {"data.total >= 150", false},
        {"data.price + 0.2 = 0.3", true}, /* decimals are exact */
        {"data.price * 3 = 0.3", true},
        {"data.count / 2 = 1 AND data.total / 2 = 74.95", true},
        {"big = 9007199254740993", true},
        {"big = 9007199254740992", false},
        {"big > 9007199254740992 AND big < 9.007199254740994e15", true},
        {"data.items[0].sku = 'a-1'", true},
        {"data.items[1].tags[0] = 'new'", true},
        {"data.items[2].sku = 'a-1'", false},
        {"EXISTS data.items[2]", false},
        {"data[\"odd name\"] = 'x' AND data['odd name'] = 'x'", true},
        {"data.in = 1", true},
        {"data.zip = 1234", true}, /* the constant's type decides */
        {"data.zip = '1234'", false},
        {"data.note LIKE 'Grüße%\"K_ln\"'", true},
        {"LENGTH(data.note) = 13", true},
        {"UPPER(LEFT(data.note, 3)) = 'GRÜ'", true},
        {"flag", true},
        {"flag = TRUE", true},
        {"NOT flag", false},
        {"nothing = NULL", true},
        {"nothing = null AND data.gone = NULL", true},
        {"EXISTS nothing AND EXISTS data.gone", true},
        {"data.gone != NULL", false},
        {"data.count != NULL", true},
        {"data.deep != 5", true}, /* an object is there, and is not 5 */
        {"data.deep = 5", false},
        {"EXISTS data.deep.er", true},
        {"data.missing = 5", false},
        {"data.missing != 5", false},
        {"data.missing < 5", false},
        {"data.missing NOT LIKE 'x'", false},
        {"data.missing NOT IN (1, 2)", false},
        {"NOT (data.missing = 5)", true},
        {"NOT data.missing", false},
        {"data.missing = 5 OR data.count = 3", true},
        {"data.missing + 1 > 0", false},
        {"LENGTH(data.missing) = 0", false},
        {"data.half = 'x' OR EXISTS data.half", false},
        {"EXISTS data.huge", false},
        {"data.count / data.zero = 0", false},
        {"data.note + 1 = 1", false},
        {"data.note = 0", false},
        {"data.note != 0", true},
        {"data.count IN (1, '3', 5)", true},
        {"data.count NOT IN (1, 2)", true},
        {"TRUE OR FALSE AND FALSE", false}, /* from left to right */
        {"TRUE XOR TRUE OR TRUE", true},
        {"-data.count = -3 AND - 3 = -data.count", true},
        {"data.count - -1 = 4 AND data.count -1 = 2", true},
        {"2 + 3 * 2 = 8 AND (2 + 3) * 2 = 10", true},
        {"data.count", false}, /* only TRUE passes */
        {"'true'", false},
        {"['flag'] = TRUE", true},
        {"type LIKE 'Order%' AND NOT (type LIKE '%Cancelled')", true},
    };
    (void)state;
    check_examples(examples, sizeof(examples) / sizeof(examples[0]), order);
}

static void test_objects(void **state)
{
    static const struct example examples[] = {
        {"{\"exact\":{\"type\":\"OrderPlaced\",\"id\":\"1\"}}", true},
        {"{\"exact\":{\"type\":\"OrderPlaced\",\"id\":\"2\"}}", false},
        {"{\"prefix\":{\"type\":\"Order\"}}", true},
        {"{\"prefix\":{\"type\":\"%Order\"}}", false},
        {"{\"suffix\":{\"type\":\"Placed\",\"data.items[0].sku\":\"-1\"}}", true},
        {"{\"all\":[{\"exact\":{\"id\":\"1\"}},{\"prefix\":{\"source\":\"/\"}}]}", true},
        {"{\"any\":[{\"exact\":{\"id\":\"2\"}},{\"prefix\":{\"source\":\"/\"}}]}", true},
        {"{\"not\":{\"exact\":{\"subject\":\"x\"}}}", true},
        {"{\"sql\":\"type = 'OrderPlaced' AND id = 1\"}", true},
        {"{\"sql\":\"subject = 'x' OR id = 1\"}", false}, /* an error is no */
        {"{\"sql\":\"id = 1 OR subject = 'x'\"}", true},
        {"{\"not\":{\"sql\":\"subject = 'x'\"}}", true},
        {"{\"sql\":\"EXISTS nothing OR EXISTS data\"}", false},
        {"{\"sql\":\"big = '9007199254740993'\"}", true}, /* beyond 32 bits it is text */
    };
    (void)state;
    check_examples(examples, sizeof(examples) / sizeof(examples[0]), order);
}

static void test_names_that_come_again(void **state)
{
    (void)state;
    assert_true(passes("data.x = 2", "{\"data\":{\"x\":1,\"x\":2}}"));
    assert_false(passes("EXISTS data.x", "{\"data\":{\"x\":1},\"data\":{}}"));
    assert_false(passes("EXISTS data.x", "{\"data\":{\"x\":1},\"data\":5}"));
    assert_true(passes("data.x = 3 AND NOT (EXISTS data.y)", "{\"data\":{\"y\":1},\"data\":{\"x\":3}}"));
    assert_true(passes("a.b[0].c = 2", "{\"a\":{\"b\":[{\"c\":1}],\"b\":[{\"c\":2}]}}"));
    assert_true(passes("data.x = 1", "{\"d\\u0061ta\":{\"\\u0078\":1}}"));
    assert_false(passes("EXISTS a", "{\"a\":1,\"a\":1e999}"));
    assert_true(passes("id = 'b'", "{\"id\":null,\"eventId\":\"b\"}"));
    assert_true(passes("id = 'a'", "{\"eventId\":\"b\",\"id\":\"a\"}"));
    assert_true(passes("id = NULL", "{\"id\":null}"));
}

static void test_events_that_are_none(void **state)
{
    static const char *const events[] = {"", "{", "[1]", "5", "{\"a\":}", "\xff", "{\"a\":1}x", "nul", "\"a\""};
    char deep[2000];
    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        assert_false(passes("EXISTS a", events[i]));
        assert_true(passes("topic = 'shop.eu'", events[i]));
        assert_true(passes("NOT (a = 1)", events[i]));
    }
    memset(deep, '[', 999);
    memset(deep + 999, ']', 999);
    deep[1998] = '\0';
    assert_false(passes("EXISTS a", deep));
}

struct mistake {
    const char *text;
    size_t at;
    const char *part; /* of the sentence */
};

static void test_mistakes_are_told_with_their_place(void **state)
{
    static const struct mistake mistakes[] = {
        {"", 0, "empty"},
        {"   ", 0, "empty"},
        {"a = ", 4, "ends too early"},
        {"a == 1", 2, "single ="},
        {"a = 1 && b", 6, "AND instead"},
        {"a || b", 2, "OR instead"},
        {"!a", 0, "NOT"},
        {"a = 'x", 4, "no end"},
        {"(a = 1", 6, "a ) is missing"},
        {"a = 1)", 5, "closes nothing"},
        {"a b", 2, "operator"},
        {"a LIKE 5", 7, "pattern in quotes"},
        {"a LIKE b", 7, "pattern in quotes"},
        {"LENGHT(a) = 1", 0, "no function LENGHT"},
        {"LEFT(a) = 'x'", 0, "takes 2"},
        {"a IN ()", 6, "value"},
        {"a IN (1, 2", 10, "missing"},
        {"a NOT = 1", 6, "LIKE or IN"},
        {"EXISTS 'a'", 7, "name"},
        {"data. = 1", 5, "behind this dot"},
        {"data.items[x] = 1", 11, "position"},
        {"data.items[1.5] = 1", 11, "whole number"},
        {"data.items[0 = 1", 13, "]"},
        {"a = 1e999", 4, "too large"},
        {"a = 1 AND", 9, "ends too early"},
        {"AND a", 0, "value"},
        {"a # b", 2, "means nothing"},
        {"{\"exact\":{}}", 9, "At least one"},
        {"{\"exact\":{\"a\":5}}", 14, "text in quotes"},
        {"{\"exact\":{\"a b\":\"x\"}}", 13, "no name"},
        {"{\"like\":{}}", 1, "no dialect"},
        {"{}", 0, "one member"},
        {"{\"all\":[]}", 7, "At least one"},
        {"{\"exact\":{\"a\":\"1\"},\"not\":{}}", 19, "one member"},
        {"{\"sql\":\"a \\u003d= 1\"}", 10, "single ="},
        {"{\"sql\":\"data.x = 1\"}", 12, "means nothing"},
        {"{\"sql\":\"a = 2147483648\"}", 12, "2147483647"},
        {"{\"any\":[{\"exact\":{\"a\":\"\"}}]}", 22, "empty"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct hg_filter *filter = NULL;
        struct hg_filter_report report;
        hg_result r = parse_any(mistakes[i].text, &filter, &report);
        assert_int_equal(r.code, HG_ERR_FILTER_INVALID);
        if (report.at != mistakes[i].at || !strstr(report.text, mistakes[i].part))
            fail_msg("%s\n%zu: %s\nwanted %zu: %s", mistakes[i].text, report.at, report.text, mistakes[i].at,
                     mistakes[i].part);
    }
}

static void test_hints(void **state)
{
    static const struct mistake hints[] = {
        {"a = 1 AND b = 2 OR c = 3", 16, "left to right"},
        {"NOT a = 1", 0, "NOT belongs"},
        {"NOT a LIKE 'x'", 0, "NOT belongs"},
        {"a = 1 AND (b = 2 OR c = 3)", 0, ""},
        {"a = 1 AND b = 2 AND c = 3", 0, ""},
        {"NOT (a = 1) AND NOT EXISTS b", 0, ""},
        {"{\"sql\":\"a = 1 XOR b OR c\"}", 20, "left to right"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        struct hg_filter *filter = NULL;
        struct hg_filter_report report;
        assert_true(hg_ok(parse_any(hints[i].text, &filter, &report)));
        if (report.at != hints[i].at || (hints[i].part[0] ? !strstr(report.text, hints[i].part) : report.text[0]))
            fail_msg("%s\n%zu: %s", hints[i].text, report.at, report.text);
        hg_filter_unref(filter);
    }
}

static void check_canonical(const char *text, const char *canonical)
{
    struct hg_filter *filter = parse(text);
    if (!hg_slice_is(hg_filter_canonical(filter), canonical))
        fail_msg("%s\nis %.*s\nnot %s", text, HG_SLICE_ARG(hg_filter_canonical(filter)), canonical);
    hg_filter_unref(filter);
}

static void test_equal_filters_have_one_text(void **state)
{
    (void)state;
    check_canonical("eventType=\"OrderPlaced\"", "type = 'OrderPlaced'");
    check_canonical("((TYPE) = ('OrderPlaced'))", "type = 'OrderPlaced'");
    check_canonical("{\"exact\":{\"type\":\"OrderPlaced\"}}", "type = 'OrderPlaced'");
    check_canonical("{\"sql\":\"Type = \\\"OrderPlaced\\\"\"}", "type = 'OrderPlaced'");
    check_canonical("b = 1.0 and a <> 2 AND (a != 2.00)", "a != 2 AND b = 1");
    check_canonical("c OR (a OR b) OR a", "a OR b OR c");
    check_canonical("(c AND b) OR a", "(b AND c) OR a");
    check_canonical("x IN (3, 1, '3', 3)", "x IN ('3', 1, 3)");
    check_canonical("data['x'].y[007]", "data.x.y[7]");
    check_canonical("data['odd name'] LIKE 'a\\_%'", "data[\"odd name\"] LIKE 'a\\\\_%'");
    check_canonical("a = 1e3 AND a = 1e3", "a = 1000");
    check_canonical("NOT ((a = 1 AND a = 1))", "NOT (a = 1)");
    check_canonical("(a = 1 AND a = 1) OR b = 1", "a = 1 OR b = 1");
    check_canonical("flag AND flag", "flag AND flag"); /* AND casts, the flag alone would not */
    check_canonical("{\"sql\":\"b = 1 AND a = 'x' AND EXISTS c\"}", "SQL{EXISTS c} AND SQL{b = 1} AND a = 'x'");
    check_canonical("{\"prefix\":{\"type\":\"a%\"}}", "type LIKE 'a\\\\%%'");
    check_canonical("a - (b - c) - d", "a - (b - c) - d");
    check_canonical("-(-5) = - a", "-(-5) = -a");
    check_canonical("a XOR (b XOR c)", "a XOR (b XOR c)");
    check_canonical("'it\\'s' = \"it's\"", "'it\\'s' = 'it\\'s'");
}

static void test_joined_filters_pass_what_both_pass(void **state)
{
    struct hg_filter *a = parse("type = 'x' OR data.n > 5"), *b = parse("{\"sql\":\"source = 'y' AND EXISTS id\"}"),
                     *both = NULL;
    (void)state;
    assert_true(hg_ok(hg_filter_and(a, b, &both)));
    assert_true(
        hg_slice_is(hg_filter_canonical(both), "(data.n > 5 OR type = 'x') AND SQL{EXISTS id} AND source = 'y'"));
    struct hg_filter *again = NULL;
    assert_true(hg_ok(hg_filter_and(both, b, &again)));
    assert_true(hg_slice_eq(hg_filter_canonical(both), hg_filter_canonical(again)));
    hg_filter_unref(again);
    hg_filter_unref(hg_filter_ref(both));
    hg_filter_unref(both);
    hg_filter_unref(a);
    hg_filter_unref(b);
}

static void fill(struct hg_buf *text, const char *front, const char *piece, unsigned times, const char *back)
{
    hg_buf_clear(text);
    hg_buf_put_str(text, front);
    for (unsigned i = 0; i < times; i++)
        hg_buf_put_str(text, piece);
    hg_buf_put_str(text, back);
}

static void check_limit(struct hg_buf *text, const char *sentence)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    hg_result r = hg_filter_parse(hg_buf_slice(text), &filter, &report);
    if (!sentence) {
        if (!hg_ok(r))
            fail_msg("%.*s\n%zu: %s", HG_SLICE_ARG(hg_buf_slice(text)), report.at, report.text);
        hg_filter_unref(filter);
        return;
    }
    assert_int_equal(r.code, HG_ERR_FILTER_INVALID);
    if (!strstr(report.text, sentence))
        fail_msg("%zu: %s", report.at, report.text);
}

static void test_limits(void **state)
{
    struct hg_buf text;
    (void)state;
    hg_buf_init(&text, 1 << 20);
    fill(&text, "a = '", "x", 4096 - 6, "'");
    check_limit(&text, NULL);
    fill(&text, "a = '", "x", 4096 - 5, "'");
    check_limit(&text, "too long");
    fill(&text, "", "(", 64, "a");
    for (unsigned i = 0; i < 64; i++)
        hg_buf_put_char(&text, ')');
    check_limit(&text, NULL);
    fill(&text, "", "(", 65, "a");
    for (unsigned i = 0; i < 65; i++)
        hg_buf_put_char(&text, ')');
    check_limit(&text, "nested too deeply");
    fill(&text, "", "NOT ", 64, "a");
    check_limit(&text, NULL);
    fill(&text, "", "NOT ", 65, "a");
    check_limit(&text, "nested too deeply");
    fill(&text, "a", " AND a", 254, ""); /* and one for the row */
    check_limit(&text, NULL);
    fill(&text, "a", " AND a", 255, "");
    check_limit(&text, "too many parts");
    fill(&text, "a", " AND a OR a", 63, "");
    check_limit(&text, NULL);
    fill(&text, "a", " = a", 127, "");
    check_limit(&text, NULL);
    fill(&text, "CONCAT('a'", ", 'b'", 250, ") = 'x'");
    check_limit(&text, NULL);
    fill(&text, "a", ".b", 63, " = 1");
    check_limit(&text, NULL);
    fill(&text, "a", ".b", 64, " = 1");
    check_limit(&text, "too deep");
    fill(&text, "a LIKE '%_", "x", 255, "%'");
    check_limit(&text, NULL);
    fill(&text, "a LIKE '%_", "x", 256, "%'");
    check_limit(&text, "256 bytes");
    hg_buf_done(&text);
}

static void count_visit(void *context, void *value)
{
    (void)value;
    ++*(unsigned *)context;
}

static struct hg_filter_index *quiet_index;

static bool match_quietly(void)
{
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    unsigned visits = 0;
    bool json = hg_filter_index_extract(quiet_index, hg_slice_str(order), HG_LIT("shop.eu"), &scratch);
    hg_filter_index_match(quiet_index, &scratch, count_visit, &visits);
    return json && visits == 4;
}

static void test_matching_allocates_nothing(void **state)
{
    static const char *const texts[] = {
        "type = 'OrderPlaced' AND data.total > 100",
        "UPPER(CONCAT(type, '-', data.note)) LIKE 'ORDER%'",
        "data.note LIKE '%K_ln%' OR data.count IN (1, 2)",
        "STRING(data.total) = '149.9'",
        "data.zip = 'x'",
    };
    struct hg_filter_entry *entries[5];
    (void)state;
    assert_true(hg_ok(hg_filter_index_new(hash_key, &quiet_index)));
    for (size_t i = 0; i < 5; i++) {
        struct hg_filter *filter = parse(texts[i]);
        assert_true(hg_ok(hg_filter_index_add(quiet_index, filter, NULL, &entries[i])));
        hg_filter_unref(filter);
    }
    assert_true(match_quietly());
    struct hgt_oom_report report = hgt_oom_run(match_quietly);
    assert_int_equal(report.verdict, HGT_OOM_NO_ALLOCATION);
    hg_filter_index_free(quiet_index);
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_a_filter_takes_little_memory(void **state)
{
    struct hg_filter_index *index = NULL;
    struct hg_filter_entry *entry;
    const size_t count = 5000;
    size_t before = in_use();
    (void)state;
    assert_true(hg_ok(hg_filter_index_new(hash_key, &index)));
    for (size_t i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "data.userId = 'user-%08zu'", i);
        struct hg_filter *filter = parse(text);
        assert_true(hg_ok(hg_filter_index_add(index, filter, NULL, &entry)));
        hg_filter_unref(filter); /* the index has its own reference */
    }
    size_t bytes = (in_use() - before) / count; /* 0 where a sanitizer has its own allocator */
    print_message("%zu bytes for each filter\n", bytes);
    assert_true(bytes < 400);
    hg_filter_index_free(index);
}

/* The text that must be built does not fit: the part fails, nothing else. */
static void test_scratch_that_is_full(void **state)
{
    struct hg_filter *filter = parse("UPPER(type) = 'ORDERPLACED' OR data.count = 3");
    struct hg_fields *fields = NULL;
    uint32_t slots[8];
    struct hg_scratch scratch = {memory, 5, 0};
    (void)state;
    assert_true(hg_ok(hg_fields_new(hash_key, &fields)));
    assert_true(hg_ok(hg_fields_add_filter(fields, filter, slots)));
    hg_fields_extract(fields, hg_slice_str(order), HG_LIT("t"), &scratch);
    assert_true(hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch));
    hg_fields_extract(fields, HG_LIT("{\"type\":\"OrderPlaced\"}"), HG_LIT("t"), &scratch);
    assert_false(hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch));
    assert_int_equal(scratch.used, 0);
    scratch.size = sizeof(memory);
    assert_true(hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch));
    assert_int_equal(scratch.used, 0);
    hg_fields_free(fields);
    hg_filter_unref(filter);
}

static void test_explanation(void **state)
{
    struct hg_filter *filter = parse("type = 'OrderPlaced' AND data.total > 200 AND EXISTS id");
    struct hg_buf out;
    struct hg_json json, part;
    bool passes = true;
    (void)state;
    hg_buf_init(&out, 1 << 16);
    assert_true(hg_ok(hg_filter_explain_text(filter, hg_slice_str(order), HG_LIT("shop.eu"), &out, &passes)));
    hg_buf_put_char(&out, '\0');
    assert_string_equal(out.ptr, "does not pass\n"
                                 "  EXISTS id AND data.total > 200 AND type = 'OrderPlaced': false\n"
                                 "    EXISTS id: true   (id is '1')\n"
                                 "    data.total > 200: false   (data.total is 149.9)   <- decides\n"
                                 "    type = 'OrderPlaced': true   (type is 'OrderPlaced')   not needed\n");
    hg_buf_clear(&out);
    assert_true(hg_ok(hg_filter_explain_json(filter, hg_slice_str(order), HG_LIT("shop.eu"), &out, &passes)));
    assert_true(hg_ok(hg_json_parse(hg_buf_slice(&out), &json, NULL)));
    assert_true(hg_json_get(json, "result", &part) && hg_slice_is(part.raw, "false"));
    assert_false(passes);
    assert_true(hg_json_get(json, "decided", &part) && hg_json_string_is(part, "data.total > 200"));
    hg_filter_unref(filter);

    filter = parse("{\"sql\":\"subject = 1 OR id = 1\"}");
    hg_buf_clear(&out);
    assert_true(hg_ok(hg_filter_explain_text(filter, hg_slice_str(order), HG_LIT("shop.eu"), &out, &passes)));
    hg_buf_put_char(&out, '\0');
    assert_string_equal(out.ptr, "does not pass\n"
                                 "  SQL{subject = 1 OR id = 1}: false\n"
                                 "    subject = 1 OR id = 1: false [missingAttribute]\n"
                                 "      subject = 1: false [missingAttribute]   (subject is missing)   <- decides\n"
                                 "      id = 1: true   (id is '1')   not needed\n");
    hg_buf_clear(&out);
    assert_true(hg_ok(hg_filter_explain_json(filter, HG_LIT("no"), HG_LIT("shop.eu"), &out, &passes)));
    assert_true(hg_ok(hg_json_parse(hg_buf_slice(&out), &json, NULL)));
    assert_true(hg_json_get(json, "json", &part) && hg_slice_is(part.raw, "false"));
    hg_filter_unref(filter);
    hg_buf_done(&out);
}

/* ---- every allocation fails once ---- */

static bool is_fine(hg_result r)
{
    assert_true(hg_ok(r) || r.code == HG_ERR_NOMEM);
    return hg_ok(r);
}

static bool parse_and_join(void)
{
    struct hg_filter *a = NULL, *b = NULL, *both = NULL;
    struct hg_filter_report report;
    struct hg_json json;
    assert_true(hg_ok(hg_json_parse(
        HG_LIT("{\"any\":[{\"sql\":\"a LIKE 'x_' AND b IN (1, c)\"},{\"suffix\":{\"d[\\\"e f\\\"]\":\"g\"}}]}"), &json,
        NULL)));
    bool ok =
        is_fine(hg_filter_parse(HG_LIT("x IN (2, 1) AND (y = 'z' OR CONCAT(a, b) NOT LIKE '%q')"), &a, &report)) &&
        is_fine(hg_filter_parse_json(json, &b, &report)) && is_fine(hg_filter_and(a, b, &both));
    hg_filter_unref(a);
    hg_filter_unref(b);
    hg_filter_unref(both);
    return ok;
}

static struct hg_filter *prepared[4];

static bool index_and_match(void)
{
    struct hg_filter_index *index = NULL;
    struct hg_filter_entry *entries[4];
    bool ok = is_fine(hg_filter_index_new(hash_key, &index));
    size_t count = 0;
    while (ok && count < 4) {
        ok = is_fine(hg_filter_index_add(index, prepared[count], NULL, &entries[count]));
        hg_filter_index_validate(index);
        count += ok;
    }
    if (ok) {
        hg_filter_index_remove(index, entries[1]);
        hg_filter_index_validate(index);
    }
    hg_filter_index_free(index);
    return ok;
}

static bool explain(void)
{
    struct hg_buf out;
    bool passes;
    hg_buf_init(&out, 1 << 16);
    bool ok = is_fine(hg_filter_explain_json(prepared[1], hg_slice_str(order), HG_LIT("t"), &out, &passes));
    hg_buf_done(&out);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    prepared[0] = parse("id = 'x' AND data.x >= 1 AND data.x < 5");
    prepared[1] = parse("data.y < 1 AND data.z LIKE '%x'");
    prepared[2] = parse("type LIKE 'Or%' OR data.items[1].sku IN ('a', 'b')");
    prepared[3] = parse("EXISTS topic OR NOT (f)");
    HGT_OOM_SWEEP(parse_and_join);
    HGT_OOM_SWEEP(index_and_match);
    HGT_OOM_SWEEP(explain);
    for (size_t i = 0; i < 4; i++)
        hg_filter_unref(prepared[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_names_that_come_again),
        cmocka_unit_test(test_events_that_are_none),
        cmocka_unit_test(test_mistakes_are_told_with_their_place),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_equal_filters_have_one_text),
        cmocka_unit_test(test_joined_filters_pass_what_both_pass),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_matching_allocates_nothing),
        cmocka_unit_test(test_a_filter_takes_little_memory),
        cmocka_unit_test(test_scratch_that_is_full),
        cmocka_unit_test(test_explanation),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
