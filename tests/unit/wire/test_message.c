#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "event/envelope.h"
#include "support/death.h"
#include "support/frame_reader.h"
#include "support/oom.h"
#include "wire/message.h"

static struct hg_buf buf;

static int setup(void **state)
{
    (void)state;
    hg_buf_init(&buf, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hg_buf_done(&buf);
    return 0;
}

/* The payload of the one text frame in the buffer; empties it. */
static struct hg_slice payload(void)
{
    struct hg_slice rest = hg_buf_slice(&buf);
    struct hgt_frame frame = {0};
    assert_true(hg_ok(hg_buf_result(&buf)));
    assert_true(hgt_frame_take(&rest, &frame));
    assert_int_equal(frame.opcode, 1);
    assert_int_equal(rest.len, 0);
    hg_buf_clear(&buf);
    return frame.payload;
}

/* It is, byte for byte, this text, and jansson reads it as an object without doubles. */
static void check(const char *expected)
{
    struct hg_slice text = payload();
    if (!hg_slice_is(text, expected))
        fail_msg("%.*s\nnot %s", HG_SLICE_ARG(text), expected);
    json_t *read = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    assert_true(json_is_object(read));
    json_decref(read);
}

static const struct hg_slice hostile = HG_LIT("a\"b\\c\n\x01\xe2\x80\xa8</script>");
#define HOSTILE_JSON "\"a\\\"b\\\\c\\n\\u0001\xe2\x80\xa8</script>\""

static void test_answers(void **state)
{
    (void)state;
    hg_message_welcome(&buf, &(struct hg_welcome){.session = HG_LIT("s-1"),
                                                  .ping_ms = 25000,
                                                  .message_bytes = 1,
                                                  .event_bytes = 2,
                                                  .subscriptions = 3,
                                                  .emits = UINT64_MAX});
    check("{\"op\":\"welcome\",\"session\":\"s-1\",\"ping_ms\":25000,\"limits\":{\"message_bytes\":1,\"event_bytes\":2,"
          "\"subscriptions\":3,\"emits\":18446744073709551615}}");
    hg_message_welcome(&buf, &(struct hg_welcome){.session = HG_LIT("s"), .dedupe_window_ms = 1000});
    check("{\"op\":\"welcome\",\"session\":\"s\",\"ping_ms\":0,\"limits\":{\"message_bytes\":0,\"event_bytes\":0,"
          "\"subscriptions\":0,\"emits\":0,\"dedupe_window_ms\":1000}}");
    hg_message_ok(&buf, HG_SLICE_NULL);
    check("{\"op\":\"ok\"}");
    hg_message_ok(&buf, HG_LIT("\"a\\u0062\""));
    check("{\"op\":\"ok\",\"ref\":\"a\\u0062\"}");
    hg_message_ok_sub(&buf, HG_LIT("1.0"), 0, HG_SLICE_NULL);
    check("{\"op\":\"ok\",\"ref\":1.0,\"sub\":0}");
    hg_message_ok_sub(&buf, HG_LIT("1"), 7, HG_LIT("a \"hint\""));
    check("{\"op\":\"ok\",\"ref\":1,\"sub\":7,\"hint\":\"a \\\"hint\\\"\"}");
    hg_message_ok_hint(&buf, HG_LIT("1"), HG_SLICE_NULL);
    check("{\"op\":\"ok\",\"ref\":1}");
    hg_message_ok_hint(&buf, HG_LIT("1"), HG_LIT("so"));
    check("{\"op\":\"ok\",\"ref\":1,\"hint\":\"so\"}");
    hg_message_ok_explain(&buf, HG_LIT("1"), true, HG_SLICE_NULL, HG_SLICE_NULL);
    check("{\"op\":\"ok\",\"ref\":1,\"passes\":true}");
    hg_message_ok_explain(&buf, HG_LIT("1"), false, HG_LIT("{\"kind\":[]}"), HG_LIT("so"));
    check("{\"op\":\"ok\",\"ref\":1,\"passes\":false,\"explain\":{\"kind\":[]},\"hint\":\"so\"}");
    struct hg_place place = {{5, 6}, 0xabc, true};
    uint64_t since_ms = 17;
    hg_message_ok_subscribe(&buf, HG_LIT("1"), 7, HG_LIT("so"), &place, NULL);
    check("{\"op\":\"ok\",\"ref\":1,\"sub\":7,\"cursor\":\"5-6~00000abc\",\"hint\":\"so\"}");
    place.proven = false;
    hg_message_ok_subscribe(&buf, HG_SLICE_NULL, 7, HG_SLICE_NULL, &place, &since_ms);
    check("{\"op\":\"ok\",\"sub\":7,\"cursor\":\"5-6\",\"since\":17}");
    place = (struct hg_place){.proven = true};
    hg_message_ok_subscribe(&buf, HG_SLICE_NULL, 7, HG_SLICE_NULL, &place, NULL);
    check("{\"op\":\"ok\",\"sub\":7,\"cursor\":\"0-0\"}");
    hg_message_conflated(&buf, 3, 12);
    check("{\"op\":\"conflated\",\"sub\":3,\"count\":12}");
    hg_message_ok_emit(&buf, HG_LIT("true"), HG_LIT("1-2~0000000a"), true, HG_SLICE_NULL);
    check("{\"op\":\"ok\",\"ref\":true,\"cursor\":\"1-2~0000000a\",\"duplicate\":true}");
    hg_message_ok_emit(&buf, HG_SLICE_NULL, HG_LIT("1-2~0000000a"), false, HG_LIT("replicas:2"));
    check("{\"op\":\"ok\",\"cursor\":\"1-2~0000000a\",\"duplicate\":false,\"durability\":\"replicas:2\"}");
}

static void test_notices(void **state)
{
    (void)state;
    hg_message_caught_up(&buf, 3);
    check("{\"op\":\"caught_up\",\"sub\":3}");
    hg_message_gap(&buf, 3, HG_LIT("prices:*"), HG_GAP_DISCONNECTED, 0);
    check("{\"op\":\"gap\",\"sub\":3,\"topic\":\"prices:*\",\"reason\":\"disconnected\"}");
    hg_message_gap(&buf, 3, hostile, HG_GAP_OVERFLOW, 12);
    check("{\"op\":\"gap\",\"sub\":3,\"topic\":" HOSTILE_JSON ",\"reason\":\"overflow\",\"count\":12}");
    for (int i = 0; i < HG_GAP__COUNT; i++) { /* each reason by its word */
        char expected[200];
        snprintf(expected, sizeof(expected), "{\"op\":\"gap\",\"sub\":3,\"topic\":\"t\",\"reason\":\"%s\",\"count\":1}",
                 hg_gap_row((enum hg_gap)i)->word);
        hg_message_gap(&buf, 3, HG_LIT("t"), (enum hg_gap)i, 1);
        check(expected);
    }
    hg_message_alive(&buf, false, 3, hostile);
    check("{\"op\":\"stale\",\"sub\":3,\"topics\":[" HOSTILE_JSON "]}");
    hg_message_alive(&buf, true, 3, HG_LIT("a"));
    check("{\"op\":\"live\",\"sub\":3,\"topics\":[\"a\"]}");
    hg_message_goodbye(&buf, "restart", 1834);
    check("{\"op\":\"goodbye\",\"reason\":\"restart\",\"reconnect_ms\":1834}");
}

static void test_errors(void **state)
{
    (void)state;
    hg_message_error(&buf, HG_LIT("1"), HG_ERR_FILTER_INVALID, hostile, 17, 0);
    check("{\"op\":\"error\",\"ref\":1,\"code\":120,\"reason\":\"filter_invalid\",\"message\":" HOSTILE_JSON
          ",\"at\":17}");
    hg_message_error(&buf, HG_SLICE_NULL, HG_ERR_TOO_MANY_REQUESTS, HG_SLICE_NULL, SIZE_MAX, 500);
    check("{\"op\":\"error\",\"code\":111,\"reason\":\"too_many_requests\",\"message\":\"Too many requests; slow "
          "down.\",\"retry_ms\":500}");
    hg_message_error(&buf, HG_SLICE_NULL, HG_ERR_BAD_REQUEST, HG_LIT("No."), 0, 0);
    check("{\"op\":\"error\",\"code\":107,\"reason\":\"bad_request\",\"message\":\"No.\",\"at\":0}");
    hg_message_error_event(&buf, HG_LIT("1"), HG_ERR_EVENT_INVALID, hostile, hostile);
    check("{\"op\":\"error\",\"ref\":1,\"code\":121,\"reason\":\"event_invalid\",\"message\":" HOSTILE_JSON
          ",\"pointer\":" HOSTILE_JSON "}");
    hg_message_error_event(&buf, HG_SLICE_NULL, HG_ERR_EVENT_INVALID, HG_LIT("No."), HG_LIT(""));
    check("{\"op\":\"error\",\"code\":121,\"reason\":\"event_invalid\",\"message\":\"No.\",\"pointer\":\"\"}");
    hg_message_error_event(&buf, HG_SLICE_NULL, HG_ERR_ID_CONFLICT, HG_SLICE_NULL, HG_SLICE_NULL);
    check("{\"op\":\"error\",\"code\":122,\"reason\":\"id_conflict\",\"message\":\"This id was used for a different "
          "event.\"}");
    /* Every row has a code, a reason and a text; those of our own are shown as internal. */
    for (int code = 1; code < HG_ERR__COUNT; code++) {
        const struct hg_error_row *row = hg_error_row((enum hg_error)code);
        hg_message_error(&buf, HG_SLICE_NULL, (enum hg_error)code, HG_SLICE_NULL, SIZE_MAX, 0);
        struct hg_slice text = payload();
        json_t *read = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
        const char *op, *reason, *message;
        json_int_t number;
        assert_int_equal(json_unpack(read, "{s:s,s:I,s:s,s:s !}", "op", &op, "code", &number, "reason", &reason,
                                     "message", &message),
                         0);
        assert_string_equal(op, "error");
        assert_int_equal(number, row->wire_code ? row->wire_code : 100);
        assert_string_equal(reason, row->wire_code ? row->reason : "internal");
        assert_string_equal(message, row->wire_code ? row->text : hg_error_row(HG_ERR_INTERNAL)->text);
        json_decref(read);
    }
}

static void no_error_at_all(void)
{
    struct hg_buf into;
    hg_buf_init(&into, 1000);
    hg_message_error(&into, HG_SLICE_NULL, HG_ERR_OK, HG_SLICE_NULL, SIZE_MAX, 0);
}

static void no_such_gap(void)
{
    (void)hg_gap_row(HG_GAP__COUNT);
}

static void test_the_table_of_gaps(void **state)
{
    (void)state;
    static const char *const words[] = {"trimmed", "rolled_back", "deleted", "gone", "overflow", "disconnected"};
    assert_int_equal(HG_GAP__COUNT, sizeof(words) / sizeof(words[0]));
    for (int i = 0; i < HG_GAP__COUNT; i++) {
        const struct hg_gap_row *row = hg_gap_row((enum hg_gap)i);
        assert_string_equal(row->word, words[i]);
        assert_true(row->text[strlen(row->text) - 1] == '.' && row->advice[strlen(row->advice) - 1] == '.');
    }
    assert_true(hgt_dies(no_such_gap));
}

static void test_no_error_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(no_error_at_all));
}

static void put_event(uint64_t sub, struct hg_slice topic, const struct hg_cursor *cursor, struct hg_slice published)
{
    struct hg_buf member, tail;
    hg_buf_init(&member, 1u << 20);
    hg_buf_init(&tail, 1u << 20);
    hg_envelope_put_payload(&member, published);
    hg_message_event_tail(&tail, topic, cursor, hg_buf_slice(&member));
    assert_true(hg_ok(hg_buf_result(&member)) && hg_ok(hg_buf_result(&tail)));
    hg_message_event(&buf, sub, hg_buf_slice(&tail));
    hg_buf_done(&member);
    hg_buf_done(&tail);
}

static void test_events(void **state)
{
    (void)state;
    struct hg_cursor cursor = {{1700000000000, 3}, 0x9f3a11c2};
    put_event(3, HG_LIT("orders.eu"), &cursor, HG_LIT(" { \"n\" : 1.50 }\n"));
    check("{\"op\":\"event\",\"sub\":3,\"topic\":\"orders.eu\",\"cursor\":\"1700000000000-3~9f3a11c2\",\"event\": { "
          "\"n\" : 1.50 }\n}");
    put_event(UINT64_MAX, hostile, NULL, HG_LIT("plain \"text\""));
    check("{\"op\":\"event\",\"sub\":18446744073709551615,\"topic\":" HOSTILE_JSON ",\"text\":\"plain \\\"text\\\"\"}");
    put_event(0, HG_LIT("t"), NULL, HG_LIT("\xff"));
    check("{\"op\":\"event\",\"sub\":0,\"topic\":\"t\",\"base64\":\"/w==\"}");
}

/* The frame is counted beforehand: every length around the edges of the header must come out right. */
static void test_events_of_every_length(void **state)
{
    (void)state;
    char *tail = malloc(70000);
    assert_non_null(tail);
    memset(tail, 'x', 70000);
    static const size_t from_to[][2] = {{0, 200}, {65480, 65560}};
    static const uint64_t subs[] = {0, 9, 10, 12345, UINT64_MAX};
    for (size_t i = 0; i < 2; i++)
        for (size_t len = from_to[i][0]; len < from_to[i][1]; len++)
            for (size_t j = 0; j < sizeof(subs) / sizeof(subs[0]); j++) {
                struct hg_buf head;
                hg_buf_init(&head, 100);
                hg_buf_put_str(&head, "{\"op\":\"event\",\"sub\":");
                hg_buf_put_u64(&head, subs[j]);
                hg_message_event(&buf, subs[j], hg_slice(tail, len));
                struct hg_slice text = payload();
                assert_true(hg_slice_starts(text, hg_buf_slice(&head)));
                assert_true(hg_slice_eq(hg_slice_from(text, head.len), hg_slice(tail, len)));
                hg_buf_done(&head);
            }
    free(tail);
}

static void put_each(struct hg_buf *into, unsigned which)
{
    switch (which) {
    case 0:
        hg_message_welcome(into, &(struct hg_welcome){.session = HG_LIT("s")});
        break;
    case 1:
        hg_message_ok(into, HG_LIT("1"));
        break;
    case 2:
        hg_message_ok_sub(into, HG_LIT("1"), 1, HG_LIT("\"so\""));
        break;
    case 3:
        hg_message_ok_emit(into, HG_LIT("1"), HG_LIT("c"), false, HG_SLICE_NULL);
        break;
    case 4:
        hg_message_caught_up(into, 1);
        break;
    case 5:
        hg_message_gap(into, 1, HG_LIT("t"), HG_GAP_OVERFLOW, 1);
        break;
    case 6:
        hg_message_alive(into, true, 3, HG_LIT("t"));
        break;
    case 7:
        hg_message_error(into, HG_LIT("1"), HG_ERR_BAD_REQUEST, HG_LIT("m"), 1, 1);
        break;
    case 8:
        hg_message_goodbye(into, "restart", 1);
        break;
    case 9: {
        struct hg_place place = {{1, 2}, 3, true};
        uint64_t since_ms = 17;
        hg_message_ok_subscribe(into, HG_LIT("1"), 1, HG_LIT("so"), &place, &since_ms);
        break;
    }
    case 10:
        hg_message_ok_explain(into, HG_LIT("1"), true, HG_LIT("{}"), HG_LIT("so"));
        break;
    case 11:
        hg_message_ok_hint(into, HG_LIT("1"), HG_LIT("so"));
        break;
    case 12:
        hg_message_conflated(into, 1, 17);
        break;
    default:
        hg_message_event(into, 1, HG_LIT(",\"topic\":\"t\",\"event\":1}"));
    }
}
enum { EACH = 14 };

static void test_a_message_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned which = 0; which < EACH; which++) {
        put_each(&buf, which);
        size_t len = buf.len;
        hg_buf_clear(&buf);
        for (size_t max = 1; max <= len; max++) {
            struct hg_buf small;
            hg_buf_init(&small, max);
            put_each(&small, which);
            assert_int_equal(hg_buf_result(&small).code, max == len ? HG_ERR_OK : HG_ERR_TOO_BIG);
            assert_int_equal(small.len, max == len ? len : 0);
            hg_buf_done(&small);
        }
    }
}

static bool say_everything(void)
{
    struct hg_cursor cursor = {{1, 2}, 3};
    struct hg_buf into, tail;
    hg_buf_init(&into, 100000);
    hg_buf_init(&tail, 100000);
    for (unsigned which = 0; which < EACH; which++)
        put_each(&into, which);
    hg_message_event_tail(&tail, HG_LIT("a topic"), &cursor,
                          HG_LIT("\"event\":\"long enough to let the buffer grow once more\""));
    bool ok = hg_ok(hg_buf_result(&into)) && hg_ok(hg_buf_result(&tail));
    struct hg_slice rest = hg_buf_slice(&into);
    struct hgt_frame frame = {0};
    while (rest.len > 0)
        assert_true(hgt_frame_take(&rest, &frame));
    hg_buf_done(&into);
    hg_buf_done(&tail);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(say_everything);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_notices),
        TEST(test_errors),
        TEST(test_the_table_of_gaps),
        TEST(test_no_error_is_our_mistake),
        TEST(test_events),
        TEST(test_events_of_every_length),
        TEST(test_a_message_that_does_not_fit_leaves_nothing),
        TEST(test_each_allocation_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
