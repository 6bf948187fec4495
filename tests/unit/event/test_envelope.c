#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/prng.h"
#include "event/envelope.h"
#include "support/death.h"
#include "support/oom.h"

static void test_payloads(void **state)
{
    (void)state;
    static const struct {
        struct hg_slice payload, member;
    } rows[] = {
        {HG_LIT("{\"a\":1}"), HG_LIT("\"event\":{\"a\":1}")},
        {HG_LIT(" {\n \"b\" : [ 1.0e0 , \"\\u0041\" ] ,\"b\":2}\n"),
         HG_LIT("\"event\": {\n \"b\" : [ 1.0e0 , \"\\u0041\" ] ,\"b\":2}\n")},
        {HG_LIT("17"), HG_LIT("\"event\":17")},
        {HG_LIT("null"), HG_LIT("\"event\":null")},
        {HG_LIT("\"\\ud800\""), HG_LIT("\"event\":\"\\ud800\"")},
        {HG_LIT(""), HG_LIT("\"text\":\"\"")},
        {HG_SLICE_NULL, HG_LIT("\"text\":\"\"")},
        {HG_LIT("  "), HG_LIT("\"text\":\"  \"")},
        {HG_LIT("hello \"you\"\n"), HG_LIT("\"text\":\"hello \\\"you\\\"\\n\"")},
        {HG_LIT("{\"a\":1}{"), HG_LIT("\"text\":\"{\\\"a\\\":1}{\"")},
        {HG_LIT("gr\xc3\xbc\xc3\x9f"), HG_LIT("\"text\":\"gr\xc3\xbc\xc3\x9f\"")},
        {HG_LIT("\0"), HG_LIT("\"text\":\"\\u0000\"")},
        {HG_LIT("\xff"), HG_LIT("\"base64\":\"/w==\"")},
        {HG_LIT("{\"a\":\"\xff\"}"), HG_LIT("\"base64\":\"eyJhIjoi/yJ9\"")},
    };
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hg_buf_clear(&buf);
        hg_envelope_put_payload(&buf, rows[i].payload);
        if (!hg_slice_eq(hg_buf_slice(&buf), rows[i].member))
            fail_msg("row %zu: %.*s", i, HG_SLICE_ARG(hg_buf_slice(&buf)));
    }
    hg_buf_done(&buf);
}

static void check_entry(const char *const *fields, size_t count, const char *member)
{
    struct hg_slice slices[20];
    assert_true(count <= sizeof(slices) / sizeof(slices[0]));
    for (size_t i = 0; i < count; i++)
        slices[i] = hg_slice_str(fields[i]);
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    hg_envelope_put_entry(&buf, slices, count, HG_LIT("event"));
    if (!hg_slice_is(hg_buf_slice(&buf), member))
        fail_msg("%.*s, not %s", HG_SLICE_ARG(hg_buf_slice(&buf)), member);
    hg_buf_done(&buf);
}
#define CHECK_ENTRY(member, ...)                                                                                       \
    check_entry((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), member)

static void test_entries(void **state)
{
    (void)state;
    check_entry(NULL, 0, "\"event\":{}");
    /* With the payload field: it alone, the first of the name, as a payload. */
    CHECK_ENTRY("\"event\":[1]", "id", "7", "event", "[1]", "event", "[2]");
    CHECK_ENTRY("\"text\":\"x\"", "event", "x");
    CHECK_ENTRY("\"base64\":\"/w==\"", "event", "\xff");
    /* Without it: an object of all fields. */
    CHECK_ENTRY("\"event\":{\"b\":\"1\",\"a\":\"{\\\"x\\\":1}\"}", "b", "1", "a", "{\"x\":1}");
    CHECK_ENTRY("\"event\":{\"data\": {\"x\":1} ,\"Event\":\"\"}", "data", " {\"x\":1} ", "Event", "");
    CHECK_ENTRY("\"event\":{\"data\":\"{\"}", "data", "{");
    CHECK_ENTRY("\"event\":{\"data\":{\"base64\":\"/w==\"}}", "data", "\xff");
    CHECK_ENTRY("\"event\":{\"\":\"v\",\"a\\\"b\\n\":{\"base64\":\"wK8=\"}}", "", "v", "a\"b\n", "\xc0\xaf");
    /* Of names that are written the same the last stands, in its place. */
    CHECK_ENTRY("\"event\":{\"b\":\"2\",\"a\":\"4\"}", "a", "1", "b", "2", "a", "3", "a", "4");
    CHECK_ENTRY("\"event\":{\"a\xef\xbf\xbd\xef\xbf\xbd\":\"3\",\"\":\"4\"}", "a\xfe\xff", "1", "a\xef\xbf\xbd\xff",
                "2", "a\xc0\xaf", "3", "", "4");
    CHECK_ENTRY("\"event\":{\"\xef\xbf\xbd\xef\xbf\xbd"
                "z\":\"1\"}",
                "\xe2\x82z", "1");
}

static void odd_fields(void)
{
    struct hg_slice field = HG_LIT("alone");
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_envelope_put_entry(&buf, &field, 1, HG_LIT("event"));
}

static void test_an_odd_count_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(odd_fields));
}

/* The stupid model: every field, unless a later one has its name. Small names, so that many are the same. */
static void test_random_entries_against_a_model(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 32);
    struct hg_buf buf, expected;
    hg_buf_init(&buf, 100000);
    hg_buf_init(&expected, 100000);
    for (int round = 0; round < 3000; round++) {
        static const char *const names[] = {"", "a", "aa", "b", "ab", "a\xc3\xa9", "data", "id"};
        static const char *const values[] = {"", "1", "x", "[]"};
        struct hg_slice fields[160];
        size_t pairs = (size_t)hg_prng_below(&prng, 80);
        for (size_t i = 0; i < pairs; i++) {
            fields[2 * i] = hg_slice_str(names[hg_prng_below(&prng, 8)]);
            fields[2 * i + 1] = hg_slice_str(values[hg_prng_below(&prng, 4)]);
        }
        hg_buf_clear(&expected);
        hg_buf_put_str(&expected, "\"event\":{");
        for (size_t i = 0, written = 0; i < pairs; i++) {
            bool again = false;
            for (size_t j = i + 1; j < pairs; j++)
                again = again || hg_slice_eq(fields[2 * i], fields[2 * j]);
            if (again)
                continue;
            hg_buf_printf(&expected, "%s\"%.*s\":", written++ > 0 ? "," : "", HG_SLICE_ARG(fields[2 * i]));
            bool raw = hg_slice_is(fields[2 * i], "data") &&
                       (hg_slice_is(fields[2 * i + 1], "1") || hg_slice_is(fields[2 * i + 1], "[]"));
            hg_buf_printf(&expected, raw ? "%.*s" : "\"%.*s\"", HG_SLICE_ARG(fields[2 * i + 1]));
        }
        hg_buf_put_char(&expected, '}');
        hg_buf_clear(&buf);
        hg_envelope_put_entry(&buf, fields, 2 * pairs, HG_LIT("event"));
        assert_true(hg_slice_eq(hg_buf_slice(&buf), hg_buf_slice(&expected)));
    }
    hg_buf_done(&buf);
    hg_buf_done(&expected);
}

/* A hundred thousand fields, most of them doubles, bad names among them: quadratic work would take minutes. */
static void test_many_fields(void **state)
{
    (void)state;
    enum { PAIRS = 100000, DISTINCT = 1000 };
    struct hg_slice *fields = calloc(2 * PAIRS, sizeof(*fields));
    char(*names)[16] = calloc(DISTINCT, sizeof(*names));
    assert_true(fields && names);
    for (int i = 0; i < DISTINCT; i++)
        snprintf(names[i], sizeof(names[i]), "%s%d", i % 2 ? "\xff" : "n", i);
    for (int i = 0; i < PAIRS; i++) {
        fields[2 * i] = hg_slice_str(names[i % DISTINCT]);
        fields[2 * i + 1] = i >= PAIRS - DISTINCT ? HG_LIT("new") : HG_LIT("old");
    }
    struct hg_buf buf;
    hg_buf_init(&buf, 1u << 20);
    hg_buf_put_char(&buf, '{');
    hg_envelope_put_entry(&buf, fields, 2 * PAIRS, HG_LIT("event"));
    hg_buf_put_char(&buf, '}');
    assert_true(hg_ok(hg_buf_result(&buf)));
    json_t *read = json_loadb(buf.ptr, buf.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *event = json_object_get(read, "event");
    assert_int_equal(json_object_size(event), DISTINCT);
    assert_string_equal(json_string_value(json_object_get(event, "n998")), "new");
    assert_string_equal(json_string_value(json_object_get(event, "\xef\xbf\xbd"
                                                                 "999")),
                        "new");
    json_decref(read);
    hg_buf_done(&buf);
    free(fields);
    free(names);
}

static void test_event_ids(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        struct hg_slice id; /* null pointer: none */
    } rows[] = {
        {"{\"id\":\"a\"}", HG_LIT("a")},
        {"{\"eventId\":\"a\"}", HG_LIT("a")},
        {"{\"id\":\"b\",\"eventId\":\"a\"}", HG_LIT("a")},
        {" {\"eventId\":\"a\",\"id\":\"b\"} ", HG_LIT("a")},
        {"{\"id\":\"a\",\"id\":\"b\"}", HG_LIT("b")},
        {"{\"\\u0069d\":\"\\u0061\\u0000\"}", HG_LIT("a\0")},
        {"{\"eventId\":17,\"id\":\"b\"}", HG_LIT("b")},
        {"{\"eventId\":\"a\",\"eventId\":null,\"id\":\"b\"}", HG_LIT("b")},
        {"{\"id\":\"\"}", HG_LIT("")},
        {"{\"data\":{\"id\":\"x\"},\"Id\":\"y\"}", HG_SLICE_NULL},
        {"{\"id\":17}", HG_SLICE_NULL},
        {"{\"id\":\"\\ud800\"}", HG_SLICE_NULL},
        {"[\"id\",\"a\"]", HG_SLICE_NULL},
        {"\"id\"", HG_SLICE_NULL},
        {"{}", HG_SLICE_NULL},
        {"", HG_SLICE_NULL},
        {"{\"id\":\"a\"", HG_SLICE_NULL},
    };
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hg_buf_clear(&buf);
        hg_buf_put_char(&buf, '>');
        bool found = hg_envelope_event_id(hg_slice_str(rows[i].event), &buf);
        if (found != (rows[i].id.ptr != NULL) || !hg_slice_eq(hg_slice_from(hg_buf_slice(&buf), 1), rows[i].id))
            fail_msg("row %zu: %.*s", i, HG_SLICE_ARG(hg_buf_slice(&buf)));
    }
    hg_buf_done(&buf);

    /* The ceiling is told, and nothing is left behind. */
    hg_buf_init(&buf, 4);
    assert_false(hg_envelope_event_id(HG_LIT("{\"id\":\"ab\\ncd\"}"), &buf));
    assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
    assert_int_equal(buf.len, 0);
    hg_buf_done(&buf);
}

static void test_the_ceiling_is_told(void **state)
{
    (void)state;
    struct hg_slice fields[] = {HG_LIT("name"), HG_LIT("value")};
    for (size_t max = 1; max < 24; max++) {
        struct hg_buf buf;
        hg_buf_init(&buf, max);
        hg_envelope_put_entry(&buf, fields, 2, HG_LIT("event")); /* "event":{"name":"value"} */
        assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
        hg_buf_done(&buf);
    }
}

static bool put_all(void)
{
    struct hg_slice fields[2 * 40];
    for (size_t i = 0; i < 40; i++) { /* past what fits on the stack */
        fields[2 * i] = i % 2 ? HG_LIT("good") : HG_LIT("bad \xff\xff\xff");
        fields[2 * i + 1] = HG_LIT("\xff");
    }
    struct hg_buf buf;
    hg_buf_init(&buf, 100000);
    hg_envelope_put_entry(&buf, fields, 80, HG_LIT("event"));
    hg_envelope_put_entry(&buf, fields, 6, HG_LIT("event"));
    hg_envelope_put_payload(&buf, HG_LIT("[\"a payload that is JSON and long enough to let the buffer grow\"]"));
    hg_envelope_put_payload(&buf, HG_LIT("a payload that is text and long enough to let the buffer grow"));
    hg_envelope_put_payload(&buf, HG_LIT("a payload that is bytes and long enough to let the buffer grow \xff"));
    bool found = hg_envelope_event_id(HG_LIT("{\"id\":\"x\"}"), &buf);
    bool ok = hg_ok(hg_buf_result(&buf));
    assert_true(ok == found);
    assert_true(ok || hg_buf_result(&buf).code == HG_ERR_NOMEM);
    hg_buf_done(&buf);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(put_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_an_odd_count_is_our_mistake),
        cmocka_unit_test(test_random_entries_against_a_model),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_event_ids),
        cmocka_unit_test(test_the_ceiling_is_told),
        cmocka_unit_test(test_each_allocation_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
