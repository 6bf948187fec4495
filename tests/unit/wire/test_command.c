#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/oom.h"
#include "topic/name.h"
#include "wire/command.h"

static struct hg_buf scratch, message;
static struct hg_command command;
static struct hg_command_error error = {.message = &message};

static int setup(void **state)
{
    (void)state;
    hg_buf_init(&scratch, HG_COMMAND_SCRATCH_BYTES);
    hg_buf_init(&message, 1000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hg_buf_done(&scratch);
    hg_buf_done(&message);
    return 0;
}

static void accept_slice(struct hg_slice line)
{
    memset(&command, 0x55, sizeof(command)); /* nothing may be left as it was */
    hg_result result = hg_command_parse(line, &scratch, &command, &error);
    if (!hg_ok(result))
        fail_msg("%.*s: %s: %.*s", HG_SLICE_ARG(line), hg_error_row(result.code)->name,
                 HG_SLICE_ARG(hg_buf_slice(&message)));
    assert_int_equal(message.len, 0);
    assert_true(error.at == SIZE_MAX);
}

static void accept(const char *line)
{
    accept_slice(hg_slice_str(line));
}

static void assert_slice(struct hg_slice slice, const char *text)
{
    if (!hg_slice_is(slice, text))
        fail_msg("%.*s, not %s", HG_SLICE_ARG(slice), text);
}

/* `at` is where in `line` the marker text stands; NULL: no place. `says`: part of the message. */
static void refuse_slice(struct hg_slice line, enum hg_error code, const char *at, const char *says)
{
    memset(&command, 0x55, sizeof(command));
    hg_result result = hg_command_parse(line, &scratch, &command, &error);
    if (result.code != code)
        fail_msg("%.*s: %s, not %s: %.*s", HG_SLICE_ARG(line), hg_error_row(result.code)->name,
                 hg_error_row(code)->name, HG_SLICE_ARG(hg_buf_slice(&message)));
    size_t expected = SIZE_MAX;
    if (at) {
        const char *found = memmem(line.ptr, line.len, at, strlen(at));
        assert_non_null(found);
        expected = (size_t)(found - line.ptr);
    }
    if (error.at != expected)
        fail_msg("%.*s: at %zu, not %zu: %.*s", HG_SLICE_ARG(line), error.at, expected,
                 HG_SLICE_ARG(hg_buf_slice(&message)));
    if (!memmem(message.ptr, message.len, says, strlen(says)))
        fail_msg("%.*s: does not say '%s'", HG_SLICE_ARG(hg_buf_slice(&message)), says);
    assert_in_range(message.len, 1, 511);
    for (size_t i = 0; i < message.len; i++)
        assert_in_range(message.ptr[i], ' ', '~');
    assert_true(message.ptr[message.len - 1] == '.');
    struct hg_command only_ref = {.ref = command.ref};
    assert_memory_equal(&command, &only_ref, sizeof(command));
}

static void refuse(const char *line, enum hg_error code, const char *at, const char *says)
{
    refuse_slice(hg_slice_str(line), code, at, says);
}

static void test_subscribe(void **state)
{
    (void)state;
    accept("{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"orders.*\"}");
    assert_int_equal(command.op, HG_OP_SUBSCRIBE);
    assert_slice(command.ref, "1");
    assert_slice(command.topic, "orders.*");
    assert_int_equal(command.from.kind, HG_FROM_LIVE);
    assert_int_equal(scratch.len, 0);
    accept(" { \"from\" : \"live\" , \"topic\" : \"a\" , \"op\" : \"subscribe\" } ");
    assert_int_equal(command.from.kind, HG_FROM_LIVE);
    assert_slice(command.ref, "");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":\"start\"}");
    assert_int_equal(command.from.kind, HG_FROM_START);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\":1}}");
    assert_true(command.from.kind == HG_FROM_LAST && command.from.last == 1);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{ \"last\" : 1000000 }}");
    assert_true(command.from.kind == HG_FROM_LAST && command.from.last == HG_FROM_LAST_MAX);
    accept("{\"op\":\"subscribe\",\"topic\":\"$system\"}");
    assert_slice(command.topic, "$system");
    accept("{\"op\":\"subscribe\",\"topic\":\"**\",\"unknown\":{\"filter\":1},\"Filter\":2}");
    assert_slice(command.topic, "**");
}

static void test_places(void **state)
{
    (void)state;
    struct hg_place place;
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"since\":\"2026-11-23T10:00:00.250Z\"}}");
    assert_true(command.from.kind == HG_FROM_SINCE && command.from.since_ms == 1795428000250u);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"speed\":10,\"since\":17}}");
    assert_true(command.from.kind == HG_FROM_SINCE && command.from.since_ms == 17 && command.from.speed == 1000);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":0.5}}");
    assert_true(command.from.kind == HG_FROM_START && command.from.speed == 50);
    accept("{\"op\":\"subscribe\",\"topic\":\"a.*\",\"from\":{\"cursors\":{\"a.b\":\"1-2~0a0b0c0d\",\"a.\\u0063\":\"3-"
           "4\"},"
           "\"otherwise\":{\"since\":5}}}");
    assert_true(command.from.kind == HG_FROM_CURSORS && command.from.otherwise == HG_FROM_SINCE);
    assert_int_equal(command.from.since_ms, 5);
    assert_true(hg_from_cursor(&command.from, HG_LIT("a.b"), &place));
    assert_true(place.id.ms == 1 && place.id.seq == 2 && place.proven && place.fingerprint == 0x0a0b0c0d);
    assert_true(hg_from_cursor(&command.from, HG_LIT("a.c"), &place));
    assert_true(place.id.ms == 3 && place.id.seq == 4 && !place.proven);
    assert_false(hg_from_cursor(&command.from, HG_LIT("a.d"), &place));
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1-0\",\"a\":\"2-0\"}}}");
    assert_int_equal(command.from.otherwise, HG_FROM_LIVE);
    assert_true(hg_from_cursor(&command.from, HG_LIT("a"), &place) && place.id.ms == 2);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":\"start\"}}");
    assert_int_equal(command.from.otherwise, HG_FROM_START);
}

/* As many as allowed, each found; one more is refused. All of them written in the longest way, and so is the topic:
 * it must stay where it is while they are looked at. */
static void test_the_most_cursors(void **state)
{
    (void)state;
    struct hg_buf line, topic, decoded;
    struct hg_place place;
    struct hg_slice found;
    hg_buf_init(&line, 1u << 20);
    hg_buf_init(&topic, 100);
    hg_buf_init(&decoded, HG_COMMAND_SCRATCH_BYTES);
    for (int most = HG_FROM_CURSORS_MAX; most <= HG_FROM_CURSORS_MAX + 1; most++) {
        hg_buf_clear(&line);
        hg_buf_put_str(&line, "{\"op\":\"subscribe\",\"from\":{\"cursors\":{");
        for (int i = 0; i < most; i++)
            hg_buf_printf(&line, "%s\"\\u0061\\u002e\\u0062%d\":\"%d-7~0000000f\"", i ? "," : "", i, i);
        hg_buf_put_str(&line, "}},\"topic\":\"\\u0061\\u002e*\"}");
        if (most > HG_FROM_CURSORS_MAX) {
            refuse_slice(hg_buf_slice(&line), HG_ERR_BAD_REQUEST, "{\"\\u0061", "holds more than 1000 cursors");
            continue;
        }
        accept_slice(hg_buf_slice(&line));
        assert_slice(command.topic, "a.*");
        struct hg_json_iter iter = hg_json_iter((struct hg_json){HG_JSON_OBJECT, command.from.cursors});
        for (int i = 0; i < most; i++) {
            hg_buf_clear(&topic);
            hg_buf_printf(&topic, "a.b%d", i);
            assert_true(hg_from_cursor(&command.from, hg_buf_slice(&topic), &place));
            assert_true(place.id.ms == (uint64_t)i && place.id.seq == 7 && place.proven && place.fingerprint == 15);
            place = (struct hg_place){.proven = false};
            assert_true(hg_from_next(&iter, &decoded, &found, &place));
            assert_true(hg_slice_eq(found, hg_buf_slice(&topic)) && place.id.ms == (uint64_t)i && place.proven);
        }
        assert_false(hg_from_next(&iter, &decoded, &found, &place));
    }
    hg_buf_done(&line);
    hg_buf_done(&topic);
    hg_buf_done(&decoded);
}

/* What is not there leaves what the caller had. */
static void test_no_cursor_touches_nothing(void **state)
{
    (void)state;
    struct hg_place place = {{5, 6}, 7, true}, before = place;
    accept("{\"op\":\"subscribe\",\"topic\":\"a.*\",\"from\":{\"cursors\":{\"a.b\":\"1-0\"}}}");
    assert_false(hg_from_cursor(&command.from, HG_LIT("a.c"), &place));
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":\"start\"}");
    assert_false(hg_from_cursor(&command.from, HG_LIT("a"), &place));
    assert_memory_equal(&place, &before, sizeof(place));
}

static void test_pace(void **state)
{
    (void)state;
    accept("{\"op\":\"subscribe\",\"topic\":\"a\"}");
    assert_int_equal(command.pace.every_ms, 0);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"data.symbol\"}}");
    assert_int_equal(command.pace.every_ms, 200);
    assert_slice(command.pace.key, "\"data.symbol\"");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"every_ms\":10,\"key\":\"k\"}}");
    assert_int_equal(command.pace.every_ms, 10);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":4}");
    assert_int_equal(command.pace.every_ms, 250);
    assert_slice(command.pace.key, "");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":3}"); /* upwards: never more often than asked */
    assert_int_equal(command.pace.every_ms, 334);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":1000}");
    assert_int_equal(command.pace.every_ms, 1);
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"every_ms\":60000,\"key\":5,\"key\":\"\\u006b\"}}");
    assert_int_equal(command.pace.every_ms, HG_CONFLATE_MS_MAX);
    assert_slice(command.pace.key, "\"\\u006b\"");
}

static void test_pause_resume_and_seek(void **state)
{
    (void)state;
    accept("{\"op\":\"pause\",\"sub\":3,\"ref\":1}");
    assert_true(command.op == HG_OP_PAUSE && command.sub == 3);
    accept("{\"op\":\"resume\",\"sub\":3}");
    assert_true(command.op == HG_OP_RESUME && command.speed == 0);
    accept("{\"op\":\"resume\",\"sub\":3,\"speed\":1000}");
    assert_int_equal(command.speed, HG_SPEED_MAX);
    accept("{\"op\":\"seek\",\"sub\":3,\"from\":{\"cursors\":{\"any\":\"1-0\"}}}");
    assert_true(command.op == HG_OP_SEEK && command.from.kind == HG_FROM_CURSORS);
}

/* What a filter says is not read here, only that it is a string or an object; it comes out as it was written. */
static void test_filters(void **state)
{
    (void)state;
    accept("{\"op\":\"subscribe\",\"topic\":\"a\"}");
    assert_slice(command.filter, "");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":null}");
    assert_slice(command.filter, "");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\": \"n >\\u0020 1\" }");
    assert_slice(command.filter, "\"n >\\u0020 1\"");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":\"\"}");
    assert_slice(command.filter, "\"\"");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":{ \"nonsense\" : [1,2] }}");
    assert_slice(command.filter, "{ \"nonsense\" : [1,2] }");
    accept("{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":5,\"\\u0066ilter\":{}}");
    assert_slice(command.filter, "{}");
}

static void test_update(void **state)
{
    (void)state;
    accept("{\"op\":\"update\",\"ref\":2,\"sub\":18446744073709551615,\"filter\":\"n > 1\"}");
    assert_int_equal(command.op, HG_OP_UPDATE);
    assert_slice(command.ref, "2");
    assert_true(command.sub == UINT64_MAX);
    assert_slice(command.filter, "\"n > 1\"");
    accept("{\"op\":\"update\",\"sub\":3,\"filter\":{\"exact\":{}},\"topic\":17,\"from\":18}");
    assert_slice(command.filter, "{\"exact\":{}}");
    accept("{\"op\":\"update\",\"sub\":3,\"filter\":null}"); /* from now on without one */
    assert_int_equal(command.op, HG_OP_UPDATE);
    assert_slice(command.filter, "");
}

static void test_explain(void **state)
{
    (void)state;
    accept("{\"op\":\"explain\",\"filter\":\"n > 1\"}");
    assert_int_equal(command.op, HG_OP_EXPLAIN);
    assert_slice(command.filter, "\"n > 1\"");
    assert_slice(command.topic, "");
    assert_slice(command.event, "");
    accept("{\"op\":\"explain\",\"filter\":{},\"topic\":\"a*b\",\"event\": [ 1.50 ] }"); /* no id is needed */
    assert_slice(command.filter, "{}");
    assert_slice(command.topic, "a*b");
    assert_slice(command.event, "[ 1.50 ]");
    assert_slice(command.id, "");
    accept("{\"op\":\"explain\",\"filter\":\"n\",\"event\":null}");
    assert_slice(command.event, "null");
}

static void test_escapes_are_decoded(void **state)
{
    (void)state;
    accept(
        "{\"o\\u0070\":\"\\u0073ubscribe\",\"\\u0074opic\":\"caf\\u00e9\\/\\ud83d\\ude00\",\"from\":\"l\\u0069ve\"}");
    assert_int_equal(command.op, HG_OP_SUBSCRIBE);
    assert_slice(command.topic, "caf\xc3\xa9/\xf0\x9f\x98\x80");
    /* Both texts in scratch: the first must not move when the second comes. */
    struct hg_buf line;
    hg_buf_init(&line, 10000);
    for (int shared = 0; shared < 2; shared++) {
        hg_buf_clear(&line);
        hg_buf_put_str(&line, "{\"op\":\"emit\",\"event\":1,\"topic\":\"");
        for (int i = 0; i < HG_TOPIC_BYTES_MAX; i++)
            hg_buf_put_str(&line, "\\u0074");
        hg_buf_put_str(&line, "\",\"id\":\"");
        for (int i = 0; i < HG_EMIT_ID_BYTES_MAX; i++)
            hg_buf_put_str(&line, "\\u0069");
        hg_buf_put_str(&line, "\"}");
        if (shared == 0)
            hg_buf_done(&scratch);
        accept_slice(hg_buf_slice(&line));
        assert_int_equal(command.topic.len, HG_TOPIC_BYTES_MAX);
        assert_int_equal(command.id.len, HG_EMIT_ID_BYTES_MAX);
        for (size_t i = 0; i < 255; i++)
            assert_true(command.topic.ptr[i] == 't' && command.id.ptr[i] == 'i');
    }
    hg_buf_done(&line);
}

static void test_unsubscribe_and_ping(void **state)
{
    (void)state;
    accept("{\"op\":\"unsubscribe\",\"ref\":\"a\",\"sub\":18446744073709551615}");
    assert_int_equal(command.op, HG_OP_UNSUBSCRIBE);
    assert_true(command.sub == UINT64_MAX);
    assert_slice(command.ref, "\"a\"");
    accept("{\"op\":\"ping\",\"topic\":17,\"filter\":\"x\",\"sub\":{}}"); /* what another operation would want does not
                                                                             matter */
    assert_int_equal(command.op, HG_OP_PING);
}

static void test_emit(void **state)
{
    (void)state;
    accept("{\"op\":\"emit\",\"ref\":4,\"topic\":\"carts\",\"id\":\"7c9e\",\"event\": { \"n\" : 1.50, \"n\":2 } }");
    assert_int_equal(command.op, HG_OP_EMIT);
    assert_slice(command.topic, "carts");
    assert_slice(command.id, "7c9e");
    assert_slice(command.event, "{ \"n\" : 1.50, \"n\":2 }");
    static const char *const events[] = {"null", "true", "17", "\"\"", "[]", "{}", "\"\\ud800\""};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        struct hg_buf line;
        hg_buf_init(&line, 1000);
        hg_buf_printf(&line, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":%s}", events[i]);
        accept_slice(hg_buf_slice(&line));
        assert_slice(command.event, events[i]);
        hg_buf_done(&line);
    }
    /* The id of the event itself, unless one stands beside it. */
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"id\":\"a\"}}");
    assert_slice(command.id, "a");
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"id\":\"a\",\"eventId\":\"\\u0062\"}}");
    assert_slice(command.id, "b");
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"c\",\"event\":{\"id\":\"a\"}}");
    assert_slice(command.id, "c");
    accept("{\"op\":\"emit\",\"topic\":\"a*b..$\",\"id\":\"c\",\"event\":1}"); /* no wildcard in a name */
    assert_slice(command.topic, "a*b..$");
}

static void test_echo(void **state)
{
    (void)state;
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":1}");
    assert_false(command.no_echo);
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":1,\"echo\":true}");
    assert_false(command.no_echo);
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":1,\"\\u0065cho\":false}");
    assert_true(command.no_echo);
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"echo\":false,\"event\":1,\"echo\":true}");
    assert_false(command.no_echo);
    accept("{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":{\"echo\":false}}");
    assert_false(command.no_echo);
}

static void test_hello(void **state)
{
    (void)state;
    accept("{\"op\":\"hello\",\"ref\":1}");
    assert_int_equal(command.op, HG_OP_HELLO);
    assert_false(command.has_session);
    assert_slice(command.ref, "1");
    accept("{\"op\":\"hello\",\"session\":\"0123456789abcdeffedcba9876543210\"}");
    assert_true(command.has_session);
    assert_true(command.session.high == 0x0123456789abcdef && command.session.low == 0xfedcba9876543210);
}

static void test_the_last_of_doubles_stands(void **state)
{
    (void)state;
    accept("{\"op\":\"no\",\"ref\":[],\"topic\":1,\"from\":{\"last\":0},\"op\":\"subscribe\",\"ref\":2,\"topic\":\"b\","
           "\"from\":\"start\"}");
    assert_slice(command.ref, "2");
    assert_slice(command.topic, "b");
    assert_int_equal(command.from.kind, HG_FROM_START);
    refuse("{\"op\":\"ping\",\"op\":\"pong\"}", HG_ERR_UNKNOWN_OP, "\"pong\"", "\"pong\"");
}

static void test_refs(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-1.5e400", "\"\"", "\"\\u0000\\\"\"", "true", "false"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct hg_buf line;
        hg_buf_init(&line, 1000);
        hg_buf_printf(&line, "{\"op\":\"ping\",\"ref\":%s }", good[i]);
        accept_slice(hg_buf_slice(&line));
        assert_slice(command.ref, good[i]);
        /* also when the rest is refused */
        hg_buf_clear(&line);
        hg_buf_printf(&line, "{\"ref\": %s,\"op\":\"pong\"}", good[i]);
        refuse_slice(hg_buf_slice(&line), HG_ERR_UNKNOWN_OP, "\"pong\"", "pong");
        assert_slice(command.ref, good[i]);
        hg_buf_done(&line);
    }
    refuse("{\"op\":\"ping\",\"ref\":null}", HG_ERR_BAD_REQUEST, "null", "not null");
    assert_int_equal(command.ref.len, 0);
    refuse("{\"op\":\"ping\",\"ref\":[1]}", HG_ERR_BAD_REQUEST, "[1]", "not an array");
    refuse("{\"op\":\"ping\",\"ref\":{}}", HG_ERR_BAD_REQUEST, "{}", "not an object");

    char line[1000];
    for (int digits = 254; digits <= 256; digits++) {
        char ref[300];
        memset(ref, '7', sizeof(ref));
        ref[digits] = '\0';
        snprintf(line, sizeof(line), "{\"op\":\"ping\",\"ref\":%s}", ref);
        if (digits <= HG_REF_BYTES_MAX)
            accept(line);
        else
            refuse(line, HG_ERR_BAD_REQUEST, "777", "longer than 255 bytes");
        assert_int_equal(command.ref.len, digits <= HG_REF_BYTES_MAX ? digits : 0);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        enum hg_error code;
        const char *line, *at, *says;
    } rows[] = {
        /* not a command at all */
        {HG_ERR_BAD_REQUEST, "", "", "ends too early"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"ping\",}", "}", "unexpected byte at offset 13"},
        {HG_ERR_BAD_REQUEST, "{[", "[", "unexpected bracket at offset 1"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"ping\"}x", "x", "unexpected byte"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"\xff\"}", "\xff", "unexpected byte"},
        {HG_ERR_BAD_REQUEST, "[]", "[]", "must be a JSON object such as {\"op\":\"ping\"}, not an array"},
        {HG_ERR_BAD_REQUEST, " \"ping\"", "\"ping\"", "not a string"},
        {HG_ERR_BAD_REQUEST, "{}", NULL,
         "\"op\" is missing; this version knows subscribe, update, unsubscribe, pause, resume, seek, emit, hello, "
         "explain and "
         "ping"},
        {HG_ERR_BAD_REQUEST, "{\"op\":1}", "1", "\"op\" must be a string, not a number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"hello\",\"session\":\"x\"}", "\"x\"", "the name of an earlier session"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"hello\",\"session\":null}", "null", "the name of an earlier session"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"hello\",\"session\":12345678901234567890123456789012}", "1234",
         "the name of an earlier session"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"hello\",\"session\":\"0123456789ABCDEF0123456789abcdef\"}", "\"0123",
         "the name of an earlier session"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":1,\"echo\":0}", "0}",
         "\"echo\" must be true or false, not a number."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":1,\"echo\":\"false\"}", "\"false",
         "\"echo\" must be true or false, not a string."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"hello\",\"token\":\"t\"}", "\"t\"", "knows no tokens"},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"publish\"}", "\"publish\"",
         "no operation \"publish\"; this version knows subscribe, update, unsubscribe, pause, resume, seek, emit, "
         "hello, explain and ping"},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"\"}", "\"\"", "no operation \"\""},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"PING\"}", "\"PING\"", "\"PING\""},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"ping\\u0000\"}", "\"ping\\u0000\"", "\"ping\\u0000\""},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"\\n\x7f\xc2\x9bz\"}", "\"\\n", "\"\\n???z\""},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"0123456789012345678901234567890123456789\"}", "\"0", "0123456789\""},
        {HG_ERR_UNKNOWN_OP, "{\"op\":\"0123456789012345678901234567890123456789X\"}", "\"0", "0123456789...\""},
        /* subscribe */
        {HG_ERR_FILTER_INVALID, "{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\": 17}", "{",
         "\"filter\" must be a string such as \"type = 'OrderPlaced'\" or an object such as {\"exact\": {\"type\": "
         "\"OrderPlaced\"}}, not a number."},
        {HG_ERR_FILTER_INVALID, "{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":[\"n > 1\"]}", "{", "not an array"},
        {HG_ERR_FILTER_INVALID, "{\"op\":\"subscribe\",\"topic\":\"a\",\"filter\":false}", "{", "not "},
        /* update, explain */
        {HG_ERR_BAD_REQUEST, "{\"op\":\"update\",\"filter\":null}", NULL, "\"sub\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"update\",\"sub\":\"3\",\"filter\":null}", "\"3\"", "\"sub\" must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"update\",\"sub\":3}", NULL,
         "\"filter\" is missing; give the new filter, or null for none."},
        {HG_ERR_FILTER_INVALID, "{\"op\":\"update\",\"sub\":3,\"filter\": [1]}", "{", "not an array"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"explain\"}", NULL, "\"filter\" is missing; give the filter to be explained."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"explain\",\"filter\":null}", NULL, "\"filter\" is missing"},
        {HG_ERR_FILTER_INVALID, "{\"op\":\"explain\",\"filter\":true}", "{", "\"filter\" must be a string"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"explain\",\"filter\":\"n\",\"topic\":\"\"}", "\"\"", "The topic is empty"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":false}", "false",
         "\"conflate\" must be an object such as {\"key\": \"data.symbol\", \"every_ms\": 200}"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{}}", "{}", "must be an object"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"\"}}", "\"\"}",
         "must be an object"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":7}}", "7",
         "must be an object"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"every_ms\":200}}", "{\"every",
         "must be an object"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"a\",\"every_ms\":9}}", "9",
         "every_ms from 10 to 60000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"a\",\"every_ms\":60001}}",
         "60001", "from 10 to 60000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"a\",\"every_ms\":\"20\"}}",
         "\"20\"", "from 10 to 60000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"a\",\"each\":5}}",
         "\"each\"", "of no other members"},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"each\":5,\"key\":\"a\",\"every_ms\":200}}", "\"each\"",
         "of no other members"},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"conflate\":{\"key\":\"a\",\"key\":5,\"every_ms\":200}}", "5",
         "must be an object"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":0}", "0",
         "\"rate\" must be a whole number of events a second from 1 to 1000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":1001}", "1001", "1 to 1000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":2.5}", "2.5", "1 to 1000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"rate\":5,\"conflate\":{\"key\":\"a\"}}", "5",
         "Give \"conflate\" or \"rate\", not both."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"since\":\"yesterday\"}}",
         "\"yesterday\"", "\"since\" must be a time such as \"2026-11-23T10:00:00Z\", or milliseconds since 1970."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"since\":-5}}", "-5", "must be a time"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"since\":9223372036854775808}}",
         "9223372036854775808", "must be a time"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":[]}}", "[]",
         "\"cursors\" must be an object such as"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"b\":\"1-0\"}}}", "\"b\"",
         "names a topic that \"topic\" does not stand for"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"\":\"1-0\"}}}", "\"\":\"1",
         "A topic of \"cursors\" is empty"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1\"}}}", "\"1\"",
         "A cursor must be a string as events bring it"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1-0~\"}}}",
         "\"1-0~\"", "A cursor must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1-0~0000000G\"}}}",
         "\"1-0~0000000G\"", "A cursor must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":5}}}", "5",
         "A cursor must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":\"last\"}}",
         "\"last\"", "\"otherwise\" must be \"live\", \"start\" or {\"since\": time}."},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":{\"since\":\"x\"}}}", "\"x\"",
         "\"since\" must be a time"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":{}}}",
         "{}}}", "\"otherwise\" must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":null}}",
         "null", "\"otherwise\" must be"},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{},\"otherwise\":{\"since\":5,\"speed\":2}}}",
         "\"speed\"", "\"otherwise\" must be"},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1-0\",\"a\":\"2\"}}}", "\"2\"",
         "A cursor must be"},
        {HG_ERR_BAD_REQUEST,
         "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\":\"1-0\\u007e00000000\"}}}", "\"1-0\\",
         "A cursor must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a*\":\"1-0\"}}}", "\"a*\"",
         "does not stand for"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"cursors\":{\"a\\ud800\":\"1-0\"}}}",
         "\"a\\", "A topic of \"cursors\" holds half of a surrogate pair"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"otherwise\":\"live\"}}",
         "\"live\"", "\"otherwise\" goes with \"cursors\" only."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":false}}", "false",
         "\"start\" must be true."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\":5,\"speed\":2}}", "2}",
         "\"speed\" does not go with \"last\"."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":0}}", "0}",
         "\"speed\" must be a number from 0.01 to 1000 with at most two decimals."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":1000.01}}",
         "1000.01", "from 0.01 to 1000"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":0.001}}",
         "0.001", "at most two decimals"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":\"fast\"}}",
         "\"fast\"", "must be a number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"start\":true,\"speed\":1e3}}", "1e3",
         "must be a number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"speed\":2}}", "{\"speed",
         "\"from\" must be \"live\""},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\":5,\"since\":1}}", "{\"last",
         "\"from\" must be \"live\""},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"lost\":5}}", "\"lost\"",
         "\"from\" must be \"live\" (the default), \"start\", {\"last\": n}, {\"since\": time} or {\"cursors\": "
         "{topic: cursor}}, with"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"pause\"}", NULL, "\"sub\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"resume\",\"sub\":1,\"speed\":-1}", "-1", "must be a number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"seek\",\"sub\":1}", NULL, "\"from\" is missing; give the place to go to."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"seek\",\"sub\":1,\"from\":{\"cursors\":{\"\":\"1-0\"}}}", "\"\":\"1",
         "A topic of \"cursors\" is empty"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"seek\",\"sub\":1,\"from\":7}", "7", "\"from\" must be \"live\""},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\"}", NULL, "\"topic\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":[\"a\"]}", "[",
         "must be a string such as \"orders.*\", not an array"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"\"}", "\"\"",
         "The pattern is empty; a topic is 1 to 255 bytes"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a*\"}", "\"a*\"", "'**' at the end"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"**.a\"}", "\"**.a\"", "The pattern "},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\\u0000\"}", "\"a", "control character"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\xc2\x9b\"}", "\"a\xc2", "control character"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\\ud800\"}", "\"a\\",
         "The pattern holds half of a surrogate pair"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":null}", "null",
         "\"from\" must be \"live\" (the default), \"start\", {\"last\": n}, {\"since\": time} or"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":\"Live\"}", "\"Live\"", "must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":5}", "5", "must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{}}", "{}", "must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":[5]}", "[5]", "must be"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": 0 }}", "0 }",
         "\"last\" must be a whole number from 1 to 1000000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": 1000001 }}", "1000001 }",
         "\"last\" must be a whole number from 1 to 1000000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": -1 }}", "-1 }",
         "\"last\" must be a whole number from 1 to 1000000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": 1.0 }}", "1.0 }",
         "\"last\" must be a whole number from 1 to 1000000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": \"5\" }}", "\"5\" }",
         "\"last\" must be a whole number from 1 to 1000000."},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"subscribe\",\"topic\":\"a\",\"from\":{\"last\": 99999999999999999999 }}",
         "99999999999999999999 }", "\"last\" must be a whole number from 1 to 1000000."},
        /* unsubscribe */
        {HG_ERR_BAD_REQUEST, "{\"op\":\"unsubscribe\"}", NULL, "\"sub\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"unsubscribe\",\"sub\":\"3\"}", "\"3\"", "\"sub\" must be the whole number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"unsubscribe\",\"sub\":-3}", "-3", "whole number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"unsubscribe\",\"sub\":18446744073709551616}", "18446744073709551616",
         "whole number"},
        /* emit */
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"id\":\"i\",\"event\":1}", NULL,
         "\"topic\" is missing; give a string such as \"orders.eu\""},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":null,\"id\":\"i\",\"event\":1}", "null", "not null"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"\",\"id\":\"i\",\"event\":1}", "\"\"", "The topic is empty"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\"}", NULL, "\"event\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"event\":1}", NULL,
         "no \"eventId\" or \"id\" that is a string"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"id\":17}}", NULL, "\"id\" is missing"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":17,\"event\":{\"id\":\"x\"}}", "17",
         "\"id\" must be a string, not a number"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"\",\"event\":1}", "\"\"",
         "\"id\" is empty; an id is 1 to 255 bytes"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"a\\n\",\"event\":1}", "\"a\\n\"",
         "control character"},
        {HG_ERR_BAD_REQUEST, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"a\\udc00\",\"event\":1}", "\"a\\udc00\"",
         "surrogate"},
        {HG_ERR_EVENT_INVALID, "{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"id\":\"\"}}", "\"\"",
         "The id in the event is empty"},
        {HG_ERR_EVENT_INVALID, "{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"eventId\":\"a\\u0000\"}}", "\"a\\u",
         "control character"},
        {HG_ERR_EVENT_INVALID, "{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"eventId\":\"\\ud800\"}}", "\"\\ud800\"",
         "surrogate"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refuse(rows[i].line, rows[i].code, rows[i].at, rows[i].says);
}

/* Lengths at the edge, plain and in the longest way to write them. */
static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *noun;
    } places[] = {
        {"{\"op\":\"subscribe\",\"topic\":\"", "\"}", "The pattern"},
        {"{\"op\":\"emit\",\"id\":\"i\",\"event\":1,\"topic\":\"", "\"}", "The topic"},
        {"{\"op\":\"emit\",\"topic\":\"t\",\"event\":1,\"id\":\"", "\"}", "\"id\""},
        {"{\"op\":\"emit\",\"topic\":\"t\",\"event\":{\"id\":\"", "\"}}", "The id in the event"},
    };
    struct hg_buf line;
    hg_buf_init(&line, 1u << 20);
    for (size_t place = 0; place < sizeof(places) / sizeof(places[0]); place++)
        for (int escaped = 0; escaped < 2; escaped++)
            for (int length = 255; length < 100000; length = length < 257 ? length + 1 : length * 300) {
                hg_buf_clear(&line);
                hg_buf_put_str(&line, places[place].before);
                for (int i = 0; i < length; i++)
                    hg_buf_put_str(&line, escaped ? "\\u0061" : "a");
                hg_buf_put_str(&line, places[place].after);
                if (length == 255) {
                    accept_slice(hg_buf_slice(&line));
                    continue;
                }
                bool in_event = strstr(places[place].noun, "event") != NULL;
                refuse_slice(hg_buf_slice(&line), in_event ? HG_ERR_EVENT_INVALID : HG_ERR_BAD_REQUEST,
                             escaped ? "\"\\u0061" : "\"aa", "is longer than 255 bytes");
                assert_non_null(memmem(message.ptr, message.len, places[place].noun, strlen(places[place].noun)));
                assert_true(scratch.len <= HG_COMMAND_SCRATCH_BYTES);
            }
    hg_buf_done(&line);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    struct hg_buf line;
    hg_buf_init(&line, 10000);
    for (int depth = 511; depth <= 512; depth++) { /* the command itself is one level */
        hg_buf_clear(&line);
        hg_buf_put_str(&line, "{\"op\":\"emit\",\"topic\":\"t\",\"id\":\"i\",\"event\":");
        size_t from = line.len;
        for (int i = 0; i < depth; i++)
            hg_buf_put_char(&line, '[');
        for (int i = 0; i < depth; i++)
            hg_buf_put_char(&line, ']');
        hg_buf_put_char(&line, '}');
        if (depth == 511) {
            accept_slice(hg_buf_slice(&line));
            assert_int_equal(command.event.len, 2 * 511);
        } else {
            hg_result result = hg_command_parse(hg_buf_slice(&line), &scratch, &command, &error);
            assert_int_equal(result.code, HG_ERR_BAD_REQUEST);
            assert_int_equal(error.at, from + 511);
            assert_non_null(memmem(message.ptr, message.len, "deeper than 512", 15));
        }
    }
    hg_buf_done(&line);
}

/* A line of the largest size full of members: the work stays in proportion. */
static void test_many_members(void **state)
{
    (void)state;
    struct hg_buf line;
    hg_buf_init(&line, 4u << 20);
    hg_buf_put_str(&line, "{\"op\":\"ping\"");
    while (line.len < 2u << 20)
        hg_buf_put_str(&line, ",\"ref\":1,\"\\u0072ef\":2,\"x\":{\"op\":[]}");
    hg_buf_put_char(&line, '}');
    accept_slice(hg_buf_slice(&line));
    assert_slice(command.ref, "2");
    hg_buf_done(&line);
}

static void test_a_message_without_room_is_empty(void **state)
{
    (void)state;
    struct hg_buf small;
    hg_buf_init(&small, 10);
    struct hg_command_error into = {.message = &small};
    assert_int_equal(hg_command_parse(HG_LIT("[]"), &scratch, &command, &into).code, HG_ERR_BAD_REQUEST);
    assert_int_equal(small.len, 0);
    assert_int_equal(hg_buf_result(&small).code, HG_ERR_TOO_BIG);
    hg_buf_done(&small);
}

static bool parse_some(void)
{
    struct hg_buf decoded, sentence;
    hg_buf_init(&decoded, HG_COMMAND_SCRATCH_BYTES);
    hg_buf_init(&sentence, 1000);
    struct hg_command_error into = {.message = &sentence};
    struct hg_command parsed;
    hg_result first = hg_command_parse(
        HG_LIT("{\"op\":\"emit\",\"topic\":\"a\\u0062\",\"id\":\"\\u0063\",\"event\":1}"), &decoded, &parsed, &into);
    assert_true(hg_ok(first) || first.code == HG_ERR_NOMEM);
    hg_result cursors = hg_command_parse(HG_LIT("{\"op\":\"subscribe\",\"topic\":\"a\\u002e*\",\"from\":{\"cursors\":"
                                                "{\"a\\u002eb\":\"1-2\",\"\\u0061.c\":\"3-4~00000005\"}}}"),
                                         &decoded, &parsed, &into);
    assert_true(hg_ok(cursors) || cursors.code == HG_ERR_NOMEM);
    hg_result second = hg_command_parse(HG_LIT("{\"op\":\"nothing\"}"), &decoded, &parsed, &into);
    assert_int_equal(second.code,
                     HG_ERR_UNKNOWN_OP); /* the code is right whether or not there was room for the sentence */
    bool ok = hg_ok(first) && hg_ok(cursors) && hg_ok(hg_buf_result(&sentence));
    hg_buf_done(&decoded);
    hg_buf_done(&sentence);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(parse_some);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_subscribe),
        TEST(test_places),
        TEST(test_the_most_cursors),
        TEST(test_no_cursor_touches_nothing),
        TEST(test_pace),
        TEST(test_pause_resume_and_seek),
        TEST(test_filters),
        TEST(test_update),
        TEST(test_explain),
        TEST(test_escapes_are_decoded),
        TEST(test_unsubscribe_and_ping),
        TEST(test_emit),
        TEST(test_echo),
        TEST(test_hello),
        TEST(test_the_last_of_doubles_stands),
        TEST(test_refs),
        TEST(test_refusals),
        TEST(test_lengths),
        TEST(test_deep_nesting),
        TEST(test_many_members),
        TEST(test_a_message_without_room_is_empty),
        TEST(test_each_allocation_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
