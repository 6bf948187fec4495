/* What a client gets of a stream's past: from memory when it is there, from Redis once for all who want it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stream/cursor.h"
#include "support/gate.h"

#define CONFIG "{\"canary_ms\":600000,\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static struct hgt_stream *stream;
static struct hgt_client *follower; /* so that the stream is followed */

/* The entries 1 to 10, of which the gateway saw 6 to 10 come. */
static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    stream = hgt_gate_stream(&gate, "st.a");
    hgt_stream_fill(stream, 1, 5);
    follower = hgt_gate_connect(&gate);
    hgt_say(&gate, follower, "{\"op\":\"subscribe\",\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    hgt_stream_fill(stream, 6, 10);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(follower, "\"op\":\"event\""), 5);
    hgt_forget(&gate);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

/* The cursor of an entry, as the follower was told it, or would have been. */
static void put_cursor(char *cursor, size_t size, uint64_t ms, const char *payload)
{
    const struct hg_slice fields[] = {HG_LIT("event"), hg_slice_str(payload)};
    snprintf(cursor, size, "%llu-0~%08x", (unsigned long long)ms, (unsigned)hg_fingerprint(fields, 2));
}

static struct hgt_client *subscribe(const char *from)
{
    char command[512];
    struct hgt_client *client = hgt_gate_connect(&gate);
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"%s%s}", from[0] ? "," : "",
             from);
    hgt_say(&gate, client, command);
    return client;
}

static struct hgt_client *resume_payload(uint64_t ms, const char *payload)
{
    char cursor[64], from[128];
    put_cursor(cursor, sizeof(cursor), ms, payload);
    snprintf(from, sizeof(from), "\"from\":{\"cursors\":{\"st.a\":\"%s\"}}", cursor);
    return subscribe(from);
}

static struct hgt_client *resume(uint64_t ms)
{
    char payload[24];
    snprintf(payload, sizeof(payload), "%llu", (unsigned long long)ms);
    return resume_payload(ms, payload);
}

static void expect_events(const struct hgt_client *client, uint64_t first, uint64_t last)
{
    const char *at = client->said.ptr;
    char text[80];
    if (hgt_said_times(client, "\"op\":\"event\"") != last + 1 - first)
        fail_msg("not the events %u to %u in:\n%s", (unsigned)first, (unsigned)last, client->said.ptr);
    for (uint64_t ms = first; ms <= last; ms++) {
        snprintf(text, sizeof(text), "\"topic\":\"st.a\",\"cursor\":\"%llu-0~", (unsigned long long)ms);
        at = strstr(at, text);
        if (!at)
            fail_msg("no %s in its place in:\n%s", text, client->said.ptr);
    }
}

/* Before all events, or nowhere. */
static void expect_gap(const struct hgt_client *client, const char *reason)
{
    char gap[80];
    if (!reason) {
        if (hgt_said(client, "\"gap\""))
            fail_msg("a gap in:\n%s", client->said.ptr);
        return;
    }
    snprintf(gap, sizeof(gap), "\"op\":\"gap\",\"sub\":1,\"topic\":\"st.a\",\"reason\":\"%s\"", reason);
    const char *at = strstr(client->said.ptr, gap), *event = strstr(client->said.ptr, "\"op\":\"event\"");
    if (!at || hgt_said_times(client, "\"gap\"") != 1 || (event && event < at))
        fail_msg("not one gap %s in front in:\n%s", reason, client->said.ptr);
}

static void expect_asked_nothing(void)
{
    if (gate.asked.len > 0)
        fail_msg("Redis was asked:\n%s", gate.asked.ptr);
}

/* ---- resume from memory ------------------------------------------------------------------------------------------ */

static void test_cursors_are_answered_from_memory(void **state)
{
    (void)state;
    for (uint64_t ms = 5; ms <= 10; ms++) { /* 5 was there when the stream was found: its place is known */
        struct hgt_client *client = resume(ms);
        hgt_turn(&gate, 0);
        expect_events(client, ms + 1, 10);
        expect_gap(client, NULL);
        assert_int_equal(hgt_said_times(client, "caught_up"), 1);
    }
    expect_asked_nothing();
}

static void test_filtered_cursors_are_answered_from_memory(void **state)
{
    (void)state;
    struct hgt_client *client = hgt_gate_connect(&gate);
    hgt_say(&gate, client,
            "{\"op\":\"subscribe\",\"topic\":\"st.a\",\"filter\":\"topic = 'st.a'\",\"from\":{\"cursors\":{"
            "\"st.a\":\"6-0\"}}}");
    hgt_turn(&gate, 0);
    expect_events(client, 7, 10);
    expect_asked_nothing();
}

static void test_a_storm_of_cursors_asks_nothing(void **state)
{
    (void)state;
    struct hg_core_stats before, after;
    hg_core_stats(gate.core, &before);
    for (unsigned round = 0; round < 200; round++) {
        struct hgt_client *client = resume(5 + round % 6);
        hgt_turn(&gate, 0);
        expect_events(client, 6 + round % 6, 10);
        hg_on_ws_closed(gate.core, gate.now, client->ref);
        hg_buf_done(&client->said);
        hg_buf_done(&client->bytes);
        gate.client_count--;
    }
    hg_core_stats(gate.core, &after);
    assert_int_equal(after.redis_commands, before.redis_commands);
}

static void test_nobody_gets_a_double_where_it_joins(void **state)
{
    (void)state;
    struct hgt_client *client = resume(8);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve_link(&gate, HG_LINK_READER); /* read, and not handed on yet */
    hgt_serve(&gate);
    hgt_stream_fill(stream, 13, 13);
    hgt_serve(&gate);
    expect_events(client, 9, 13);
    expect_gap(client, NULL);
    assert_true(strstr(client->said.ptr, "caught_up") < strstr(client->said.ptr, "\"cursor\":\"13-0"));
}

static void test_a_bare_cursor_proves_only_that_something_is_there(void **state)
{
    (void)state;
    struct hgt_client *bare = subscribe("\"from\":{\"cursors\":{\"st.a\":\"8-0\"}}"), *wrong;
    hgt_turn(&gate, 0);
    expect_events(bare, 9, 10);
    expect_gap(bare, NULL);
    wrong = resume_payload(8, "another");
    hgt_turn(&gate, 0);
    expect_gap(wrong, "rolled_back");
    expect_asked_nothing();
}

/* ---- resume from Redis ------------------------------------------------------------------------------------------- */

static void test_older_cursors_share_one_reading(void **state)
{
    (void)state;
    struct hgt_client *clients[4] = {resume(2), resume(2), resume(3), resume(4)};
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "XRANGE"), 1);
    assert_true(hgt_asked(&gate, "2: XRANGE st.a 2-0 6-0 COUNT ")); /* up to what is in memory, included */
    struct hgt_client *late = resume(3);
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "XRANGE"), 1);
    hgt_serve(&gate);
    for (unsigned i = 0; i < 4; i++)
        expect_events(clients[i], i < 2 ? 3 : i + 2, 10);
    expect_events(late, 4, 10);
    assert_int_equal(hgt_asked_times(&gate, "XRANGE"), 1);
    assert_false(hgt_asked(&gate, "XINFO"));
    /* It is in memory now. */
    hgt_forget(&gate);
    struct hgt_client *again = resume(2);
    hgt_turn(&gate, 0);
    expect_events(again, 3, 10);
    expect_asked_nothing();
}

static void test_pages_are_shared_and_bounded(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 11, 60);
    hgt_serve(&gate);
    hgt_forget(&gate);
    gate.config->history_bytes_max = 0; /* each page goes as soon as it was sent */
    hgt_stream_fill(stream, 61, 61);
    hgt_serve(&gate);
    struct hgt_client *clients[3] = {resume(2), resume(20), resume(58)};
    hgt_serve(&gate);
    expect_events(clients[0], 3, 61);
    expect_events(clients[1], 21, 61);
    expect_events(clients[2], 59, 61);
    assert_in_range(hgt_asked_times(&gate, "XRANGE"), 1, 6);
    struct hg_core_stats stats;
    hg_core_stats(gate.core, &stats);
    assert_int_equal(stats.history_bytes, 0);
}

static void test_a_lost_reading_is_asked_for_again(void **state)
{
    (void)state;
    struct hgt_client *client = resume(2);
    hgt_turn(&gate, 0);
    hgt_down(&gate, HG_LINK_REPLAY);
    while (!gate.opening[HG_LINK_REPLAY])
        hgt_turn(&gate, 100);
    assert_false(hgt_said(client, "\"event\""));
    hgt_up(&gate, HG_LINK_REPLAY);
    hgt_serve(&gate);
    expect_events(client, 3, 10);
    expect_gap(client, NULL);
    assert_int_equal(hgt_said_times(client, "caught_up"), 1);
}

static void test_a_refused_reading_is_asked_for_again(void **state)
{
    (void)state;
    struct hgt_client *client = resume(2);
    for (unsigned i = 0; i < 3; i++) {
        hgt_turn(&gate, 600);
        hgt_answer(&gate, HG_LINK_REPLAY, "-LOADING Redis is loading the dataset in memory\r\n");
    }
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "XRANGE"), 3); /* not at once */
    hgt_turn(&gate, 600);
    hgt_serve(&gate);
    expect_events(client, 3, 10);
    expect_gap(client, NULL);
}

/* ---- places that are not there any more -------------------------------------------------------------------------- */

static void test_a_trimmed_cursor(void **state)
{
    (void)state;
    hgt_stream_trim(stream, 7); /* 4 to 10 */
    struct hgt_client *client = resume(2);
    hgt_serve(&gate);
    expect_gap(client, "trimmed");
    expect_events(client, 4, 10);
    assert_int_equal(hgt_said_times(client, "caught_up"), 1);
}

static void test_what_redis_has_trimmed_is_still_in_memory(void **state)
{
    (void)state;
    hgt_stream_trim(stream, 0);
    struct hgt_client *client = resume(6);
    hgt_serve(&gate);
    expect_gap(client, NULL);
    expect_events(client, 7, 10);
}

static void test_a_deleted_cursor(void **state)
{
    (void)state;
    hgt_stream_del(stream, 3);
    struct hgt_client *own = resume(3);
    hgt_serve(&gate);
    expect_gap(own, NULL); /* it has that entry */
    expect_events(own, 4, 10);
}

static void test_a_deleted_cursor_and_more(void **state)
{
    (void)state;
    hgt_stream_del(stream, 3);
    hgt_stream_del(stream, 4);
    struct hgt_client *client = resume(3);
    hgt_serve(&gate);
    expect_gap(client, "deleted");
    expect_events(client, 5, 10);
}

static void test_a_rewritten_cursor(void **state)
{
    (void)state;
    struct hgt_client *client = resume_payload(3, "of the lost tail");
    hgt_serve(&gate);
    expect_gap(client, "rolled_back");
}

static void test_a_cursor_that_never_was_there(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("\"from\":{\"cursors\":{\"st.a\":\"3-7~00000001\"}}");
    hgt_serve(&gate);
    expect_gap(client, "rolled_back");
    expect_events(client, 4, 10);
}

static void test_a_stream_made_anew(void **state)
{
    (void)state;
    hgt_stream_drop(stream);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    hgt_forget(&gate);
    struct hgt_client *client = resume(9);
    hgt_serve(&gate);
    expect_gap(client, "gone");
    expect_events(client, 11, 12);
}

/* A page that was read of the new one is no past of the old one, which the gateway follows still: all of it comes once
 * that is noticed, and nothing twice. */
static void test_a_stream_made_anew_under_a_page(void **state)
{
    (void)state;
    gate.config->history_bytes_max = 0;
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    struct hgt_client *client = subscribe("\"from\":\"start\"");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "2: XRANGE st.a 0-0 11-0"));
    hgt_down(&gate, HG_LINK_READER);
    while (!gate.opening[HG_LINK_READER])
        hgt_turn(&gate, 100);
    hgt_stream_drop(stream);
    hgt_up(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_READER, "*0\r\n"); /* nothing is at its place */
    assert_true(hgt_asked(&gate, ": XINFO STREAM st.a"));
    hgt_stream_add(stream, 3, "anew");
    hgt_stream_add(stream, 12, "anew");
    assert_true(hgt_serve_link(&gate, HG_LINK_REPLAY));
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"event\""));
    hgt_serve(&gate);
    expect_gap(client, "gone");
    assert_int_equal(hgt_said_times(client, "\"event\""), 2);
    assert_int_equal(hgt_said_times(client, "\"cursor\":\"3-0~"), 1);
}

static void test_the_beginning_as_a_cursor(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("\"from\":{\"cursors\":{\"st.a\":\"0-0\"}}");
    hgt_serve(&gate);
    expect_events(client, 1, 10);
    expect_gap(client, NULL);
    gate.config->history_bytes_max = 0;
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    hgt_stream_trim(stream, 3);
    client = subscribe("\"from\":{\"cursors\":{\"st.a\":\"0-0\"}}");
    hgt_serve(&gate);
    expect_gap(client, "trimmed");
    assert_true(hgt_said(client, "\"count\":8}"));
    expect_events(client, 9, 11);
}

/* ---- a client that is ahead -------------------------------------------------------------------------------------- */

/* It got the newest entries from another gateway: this one must come as far first, and not send them again. */
static void test_a_client_ahead_waits_and_gets_no_double(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 11, 13); /* not read yet */
    struct hgt_client *client = resume(12);
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"ok\""));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"ok\""));
    expect_events(client, 13, 13);
    expect_gap(client, NULL);
    hgt_stream_fill(stream, 14, 14);
    hgt_serve(&gate);
    expect_events(client, 13, 14);
}

/* Two got the newest entries from another gateway, one after the other: what Redis said for the first is no answer for
 * the second. */
static void test_who_is_further_ahead_is_asked_for_anew(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 11, 11); /* not read yet */
    struct hgt_client *first = resume(11);
    hgt_turn(&gate, 1);
    assert_true(hgt_serve_link(&gate, HG_LINK_COMMANDER));
    hgt_stream_fill(stream, 12, 12);
    struct hgt_client *second = resume(12);
    assert_int_equal(hgt_asked_times(&gate, "1: XREVRANGE st.a + - COUNT 1"), 2);
    struct hgt_client *third = subscribe(""); /* so that those who wait are looked at again */
    hgt_turn(&gate, 0);
    assert_true(hgt_said(third, "\"ok\""));
    assert_false(hgt_said(first, "\"ok\""));
    assert_false(hgt_said(second, "\"ok\""));
    hgt_serve(&gate);
    assert_true(hgt_said(first, "\"ok\""));
    assert_true(hgt_said(second, "\"ok\""));
    expect_gap(first, NULL);
    expect_gap(second, NULL);
    assert_false(hgt_said(second, "\"event\""));
    hgt_stream_fill(stream, 13, 13);
    hgt_serve(&gate);
    expect_events(first, 12, 13);
    expect_events(second, 13, 13);
}

static void test_a_client_ahead_of_redis_is_told(void **state)
{
    (void)state;
    struct hgt_client *client = resume(12);
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "1: XREVRANGE st.a + - COUNT 1"));
    assert_false(hgt_said(client, "\"ok\""));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"ok\""));
    expect_gap(client, "rolled_back");
    hgt_forget(&gate);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    expect_events(client, 11, 12);
    expect_gap(client, NULL);
}

/* What is there still was there when the client got further: it is nothing new to it. */
static void test_a_client_ahead_of_redis_gets_no_double(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 11, 12); /* not read yet */
    struct hgt_client *client = resume(14);
    hgt_turn(&gate, 0);
    assert_true(hgt_serve_link(&gate, HG_LINK_COMMANDER));
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"ok\""));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"ok\""));
    expect_gap(client, "rolled_back");
    assert_false(hgt_said(client, "\"event\""));
}

static void test_a_client_ahead_does_not_wait_for_what_went(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 11, 12); /* not read yet */
    struct hgt_client *client = resume(14);
    hgt_turn(&gate, 0);
    assert_true(hgt_serve_link(&gate, HG_LINK_COMMANDER));
    hgt_stream_del(stream, 11);
    hgt_stream_del(stream, 12);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"ok\""));
    hgt_turn(&gate, 100);
    (void)subscribe(""); /* so that those who wait are looked at again */
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"ok\""));
    expect_gap(client, "rolled_back");
}

/* ---- other places ------------------------------------------------------------------------------------------------ */

static void test_start(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("\"from\":\"start\"");
    hgt_serve(&gate);
    expect_events(client, 1, 10);
    assert_int_equal(hgt_asked_times(&gate, "XRANGE st.a 0-0 6-0 "), 1); /* the rest is in memory */
}

static void test_since(void **state)
{
    (void)state;
    struct hgt_client *inside = subscribe("\"from\":{\"since\":8}"), *date, *later, *before;
    hgt_turn(&gate, 0);
    expect_events(inside, 8, 10);
    date = subscribe("\"from\":{\"since\":\"1970-01-01T01:00:00.007+01:00\"}");
    hgt_turn(&gate, 0);
    expect_events(date, 7, 10);
    later = subscribe("\"from\":{\"since\":11}");
    hgt_turn(&gate, 0);
    expect_events(later, 1, 0);
    assert_true(hgt_said(later, "caught_up"));
    expect_asked_nothing();
    before = subscribe("\"from\":{\"since\":4}");
    hgt_serve(&gate);
    expect_events(before, 4, 10);
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    expect_events(later, 11, 11);
}

static void test_last(void **state)
{
    (void)state;
    struct hgt_client *three = subscribe("\"from\":{\"last\":3}"), *eight, *all;
    hgt_turn(&gate, 0);
    expect_events(three, 8, 10);
    expect_asked_nothing();
    eight = subscribe("\"from\":{\"last\":8}");
    hgt_serve(&gate);
    expect_events(eight, 3, 10);
    assert_int_equal(hgt_asked_times(&gate, "XREVRANGE"), 1);
    all = subscribe("\"from\":{\"last\":1000}");
    hgt_serve(&gate);
    expect_events(all, 1, 10);
    expect_gap(all, NULL);
}

static void test_last_with_a_filter_counts_what_passes(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{\"n\":1}", "{\"n\":2}"};
    for (uint64_t ms = 11; ms <= 30; ms++)
        hgt_stream_add(stream, ms, payloads[ms % 5 == 0]);
    hgt_serve(&gate);
    struct hgt_client *client = subscribe("\"filter\":\"n = 2\",\"from\":{\"last\":3}");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 3);
    assert_true(hgt_said(client, "\"cursor\":\"20-0~") && hgt_said(client, "\"cursor\":\"25-0~") &&
                hgt_said(client, "\"cursor\":\"30-0~"));
    /* More than there are: none is missing, and the search ends. */
    client = subscribe("\"filter\":\"n  =  2 AND TRUE\",\"from\":{\"last\":100}");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 4);
    client = subscribe("\"filter\":\"n = 3\",\"from\":{\"last\":100}");
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"event\""));
    assert_int_equal(hgt_said_times(client, "caught_up"), 1);
}

/* Those who ask for a pattern's past from the beginning are replayed ahead of the reader, which then comes there. */
static void test_a_pattern_whose_streams_appear(void **state)
{
    (void)state;
    struct hgt_stream *b = hgt_gate_stream(&gate, "st.b");
    struct hgt_client *client = hgt_gate_connect(&gate), *exact = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"topic\":\"st.*\",\"from\":\"start\"}");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nst.a\r\n");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"topic\":\"st.a\",\"cursor\""), 10);
    hgt_stream_fill(b, 1, 5);
    hgt_forget(&gate);
    for (unsigned i = 0; i < 100 && !hgt_asked(&gate, "SCAN"); i++)
        hgt_turn(&gate, 1000);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*2\r\n$4\r\nst.a\r\n$4\r\nst.b\r\n");
    hgt_turn(&gate, 0);
    hgt_say(&gate, exact, "{\"op\":\"subscribe\",\"topic\":\"st.b\",\"from\":{\"last\":5}}");
    hgt_serve_link(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
    hgt_serve_link(&gate, HG_LINK_REPLAY);
    hgt_turn(&gate, 0);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"topic\":\"st.b\",\"cursor\""), 5);
    assert_int_equal(hgt_said_times(exact, "\"topic\":\"st.b\",\"cursor\""), 5);
    assert_false(hgt_said(client, "\"gap\"") || hgt_said(exact, "\"gap\""));
}

/* What was missed is told to those too who come over the place later, and to nobody else. */
static void test_a_hole_in_memory(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_READER);
    hgt_stream_fill(stream, 11, 20);
    hgt_stream_trim(stream, 2);
    while (!gate.opening[HG_LINK_READER])
        hgt_turn(&gate, 100);
    hgt_serve(&gate);
    struct hgt_client *over = resume(10), *behind = resume(19);
    hgt_serve(&gate);
    expect_gap(over, "trimmed");
    assert_true(hgt_said(over, "\"reason\":\"trimmed\",\"count\":8}"));
    expect_events(over, 19, 20);
    expect_gap(behind, NULL);
    expect_events(behind, 20, 20);
}

/* Two holes at one place: both counts. */
static void test_a_hole_that_grew_before_anything_came(void **state)
{
    (void)state;
    for (uint64_t ms = 11; ms <= 16; ms += 3) {
        hgt_down(&gate, HG_LINK_READER);
        hgt_stream_fill(stream, ms, ms + 2);
        hgt_stream_trim(stream, 0);
        while (!gate.opening[HG_LINK_READER])
            hgt_turn(&gate, 100);
        hgt_serve(&gate);
    }
    struct hgt_client *before = resume(10);
    hgt_serve(&gate);
    expect_gap(before, "trimmed");
    assert_true(hgt_said(before, "\"count\":6}"));
    assert_int_equal(hgt_said_times(follower, "\"count\":3}"), 2);
    hgt_stream_fill(stream, 17, 17);
    hgt_serve(&gate);
    struct hgt_client *later = resume(10);
    hgt_serve(&gate);
    expect_gap(later, "trimmed");
    assert_true(hgt_said(later, "\"count\":6}"));
    expect_events(later, 17, 17);
}

/* It was told to those who were there; who came since must be told as well, however late it comes to its end. */
static void test_a_hole_that_is_not_last_any_more(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_READER);
    hgt_stream_fill(stream, 11, 13);
    hgt_stream_trim(stream, 0);
    while (!gate.opening[HG_LINK_READER])
        hgt_turn(&gate, 100);
    hgt_serve(&gate);
    assert_true(hgt_said(follower, "\"count\":3}"));
    struct hgt_client *slow = hgt_gate_connect(&gate);
    slow->buffering = true;
    hgt_say(&gate, slow, "{\"op\":\"ping\"}"); /* its answer fills the socket */
    hgt_turn(&gate, 0);
    char cursor[64], command[256];
    put_cursor(cursor, sizeof(cursor), 8, "8");
    snprintf(command, sizeof(command),
             "{\"op\":\"subscribe\",\"topic\":\"st.a\",\"from\":{\"cursors\":{\"st.a\":\"%s\"}}}", cursor);
    hgt_say(&gate, slow, command);
    hgt_turn(&gate, 0);
    hgt_stream_fill(stream, 14, 14);
    hgt_serve(&gate);
    assert_false(hgt_said(slow, "\"ok\",\"sub\""));
    slow->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, slow->ref);
    hgt_turn(&gate, 0);
    const char *last = strstr(slow->said.ptr, "\"cursor\":\"10-0~"),
               *gap = strstr(slow->said.ptr, "\"trimmed\",\"count\":3}"),
               *next = strstr(slow->said.ptr, "\"cursor\":\"14-0~");
    assert_non_null(last);
    assert_non_null(gap);
    assert_non_null(next);
    assert_true(last < gap && gap < next);
    assert_int_equal(hgt_said_times(slow, "\"gap\""), 1);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void test_old_history_goes(void **state)
{
    (void)state;
    struct hg_core_stats stats;
    hg_core_stats(gate.core, &stats);
    assert_true(stats.history_bytes > 0);
    hgt_turn(&gate, 599999);
    hg_core_stats(gate.core, &stats);
    assert_true(stats.history_bytes > 0);
    hgt_turn(&gate, 1);
    hg_core_stats(gate.core, &stats);
    assert_int_equal(stats.history_bytes, 0);
}

static void test_what_waits_for_its_proof_stays(void **state)
{
    (void)state;
    struct hg_core_stats stats;
    gate.config->history_bytes_max = 0;
    hgt_stream_fill(stream, 11, 12);
    hgt_serve_link(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    hg_core_stats(gate.core, &stats);
    assert_true(stats.history_bytes > 0);
    hgt_serve(&gate);
    hg_core_stats(gate.core, &stats);
    assert_int_equal(stats.history_bytes, 0);
    assert_int_equal(hgt_said_times(follower, "\"op\":\"event\""), 2);
}

/* ---- at a pace --------------------------------------------------------------------------------------------------- */

/* Entries at 1000, 1100, … 1900 ms. */
static struct hgt_client *at_speed(const char *speed)
{
    char from[80];
    for (uint64_t ms = 1000; ms < 2000; ms += 100)
        hgt_stream_add(stream, ms, NULL);
    hgt_serve(&gate);
    snprintf(from, sizeof(from), "\"from\":{\"since\":1000,\"speed\":%s}", speed);
    struct hgt_client *client = subscribe(from);
    hgt_turn(&gate, 0);
    return client;
}

static unsigned count(const struct hgt_client *client)
{
    return hgt_said_times(client, "\"op\":\"event\"");
}

/* In steps, as a loop would that sleeps until the deadline. */
static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++)
        hgt_turn(&gate, 1);
}

static void test_original_pace(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("1");
    assert_int_equal(count(client), 1); /* the first at once */
    pass(99);
    assert_int_equal(count(client), 1);
    pass(6); /* within the step of the clock */
    assert_int_equal(count(client), 2);
    pass(800);
    assert_int_equal(count(client), 10);
    assert_true(hgt_said(client, "caught_up"));
    hgt_stream_add(stream, 5000, NULL);
    hgt_serve(&gate);
    assert_int_equal(count(client), 11); /* live: at once */
}

static void test_multiples_of_the_pace(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("10");
    pass(44);
    assert_int_equal(count(client), 5);
    pass(60);
    assert_int_equal(count(client), 10);
    assert_true(hgt_said(client, "caught_up"));
}

static void test_half_the_pace(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("0.5");
    pass(999);
    assert_int_equal(count(client), 5);
    pass(830);
    assert_int_equal(count(client), 10);
}

static void say_sub(const struct hgt_client *client, const char *rest)
{
    const char *sub = strstr(client->said.ptr, "\"ref\":1,\"sub\":");
    char command[200];
    unsigned number;
    assert_non_null(sub);
    assert_int_equal(sscanf(sub, "\"ref\":1,\"sub\":%u", &number), 1);
    snprintf(command, sizeof(command), "{\"sub\":%u,%s}", number, rest);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("1");
    pass(150);
    assert_int_equal(count(client), 2);
    say_sub(client, "\"op\":\"pause\",\"ref\":2");
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,\"sub\":"));
    pass(1000);
    hgt_stream_add(stream, 3000, NULL);
    hgt_serve(&gate);
    assert_int_equal(count(client), 2);
    say_sub(client, "\"op\":\"resume\",\"ref\":3");
    assert_int_equal(count(client), 2); /* 50 ms are left of its pace */
    pass(44);
    assert_int_equal(count(client), 2);
    pass(16);
    assert_int_equal(count(client), 3);
    pass(700);
    assert_int_equal(count(client), 11); /* the live one came behind them */
    assert_true(strstr(client->said.ptr, "\"cursor\":\"1900-0") < strstr(client->said.ptr, "caught_up"));
    expect_gap(client, NULL);
}

static void test_resume_with_another_speed(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("1");
    pass(205);
    assert_int_equal(count(client), 3);
    say_sub(client, "\"op\":\"resume\",\"ref\":2,\"speed\":10");
    pass(20);
    assert_in_range(count(client), 5, 6);
    say_sub(client, "\"op\":\"resume\",\"ref\":3,\"speed\":1000");
    pass(10);
    assert_int_equal(count(client), 10);
}

static void test_seek(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("1");
    pass(10);
    assert_int_equal(count(client), 1);
    hgt_forget(&gate);
    hgt_say(&gate, client, "{\"op\":\"seek\",\"ref\":2,\"sub\":1,\"from\":{\"since\":1800}}");
    hgt_turn(&gate, 0);
    assert_int_equal(count(client), 2); /* without a speed: at once */
    assert_true(hgt_said(client, "\"cursor\":\"1800-0~") && hgt_said(client, "\"cursor\":\"1900-0~"));
    assert_int_equal(hgt_said_times(client, "caught_up"), 1);
    hgt_forget(&gate);
    hgt_say(&gate, client, "{\"op\":\"seek\",\"ref\":3,\"sub\":1,\"from\":\"start\"}"); /* backwards */
    hgt_serve(&gate);
    assert_int_equal(count(client), 20);
    hgt_forget(&gate);
    hgt_say(&gate, client, "{\"op\":\"seek\",\"ref\":4,\"sub\":1,\"from\":\"live\"}");
    hgt_stream_add(stream, 3000, NULL);
    hgt_serve(&gate);
    assert_int_equal(count(client), 1);
    assert_false(hgt_said(client, "caught_up"));
    expect_gap(client, NULL);
}

static void test_seek_while_paused(void **state)
{
    (void)state;
    struct hgt_client *client = at_speed("1");
    say_sub(client, "\"op\":\"pause\",\"ref\":2");
    hgt_forget(&gate);
    hgt_say(&gate, client, "{\"op\":\"seek\",\"ref\":3,\"sub\":1,\"from\":{\"since\":1500}}");
    pass(100);
    assert_true(hgt_said(client, "\"ref\":3"));
    assert_int_equal(count(client), 0);
    hgt_say(&gate, client, "{\"op\":\"resume\",\"ref\":4,\"sub\":1}");
    hgt_turn(&gate, 0);
    assert_int_equal(count(client), 5);
}

/* A pause of a live subscription keeps what comes, as far as memory allows. */
static void test_a_paused_live_subscription_loses_nothing(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("");
    hgt_turn(&gate, 0);
    say_sub(client, "\"op\":\"pause\",\"ref\":2");
    gate.config->log_bytes_max = 1; /* nothing of it */
    gate.config->history_bytes_max = 0;
    for (uint64_t ms = 11; ms <= 50; ms++) {
        hgt_stream_fill(stream, ms, ms);
        hgt_serve(&gate);
    }
    assert_int_equal(count(client), 0);
    say_sub(client, "\"op\":\"resume\",\"ref\":3");
    hgt_serve(&gate);
    expect_events(client, 11, 50);
    expect_gap(client, NULL);
}

/* ---- a seek that is ahead ---------------------------------------------------------------------------------------- */

static void seek(const struct hgt_client *client, unsigned ref, uint64_t ms)
{
    char cursor[64], payload[24], rest[200];
    snprintf(payload, sizeof(payload), "%llu", (unsigned long long)ms);
    put_cursor(cursor, sizeof(cursor), ms, payload);
    snprintf(rest, sizeof(rest), "\"op\":\"seek\",\"ref\":%u,\"from\":{\"cursors\":{\"st.a\":\"%s\"}}", ref, cursor);
    say_sub(client, rest);
}

static struct hgt_client *live(void)
{
    struct hgt_client *client = subscribe("");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":1,"));
    return client;
}

/* Another gateway told of an entry that this one has not read yet. */
static void test_a_seek_ahead_waits_and_gets_no_double(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    hgt_stream_fill(stream, 11, 13); /* not read yet */
    seek(client, 2, 12);
    assert_true(hgt_asked(&gate, "1: XREVRANGE st.a + - COUNT 1"));
    assert_true(hgt_serve_link(&gate, HG_LINK_COMMANDER));
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"ref\":2"));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,"));
    assert_true(hgt_said(client, "caught_up"));
    expect_events(client, 13, 13);
    expect_gap(client, NULL);
    hgt_stream_fill(stream, 14, 14);
    hgt_serve(&gate);
    expect_events(client, 13, 14);
}

static void test_a_seek_ahead_of_redis_is_told(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    seek(client, 2, 12);
    assert_false(hgt_said(client, "\"ref\":2"));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,"));
    expect_gap(client, "rolled_back");
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    expect_events(client, 11, 12);
}

/* It goes on where it is, and waits for what it jumped over. */
static void test_a_seek_that_waits_leaves_all_as_it_is(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    seek(client, 2, 12);
    hgt_stream_fill(stream, 11, 11);
    while (hgt_serve_link(&gate, HG_LINK_READER))
        hgt_turn(&gate, 0);
    expect_events(client, 11, 11);
    assert_false(hgt_said(client, "\"ref\":2"));
    hgt_stream_fill(stream, 12, 12);
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,"));
    expect_gap(client, NULL);
    hgt_stream_fill(stream, 13, 13);
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"cursor\":\"13-0~"));
}

static void test_a_later_seek_replaces_one_that_waits(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    seek(client, 2, 12);
    seek(client, 3, 8);
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":2,\"code\":107,"));
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":3,"));
    expect_events(client, 9, 10);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    expect_events(client, 9, 12);
    expect_gap(client, NULL);
    assert_int_equal(hgt_said_times(client, "\"ref\":2"), 1);
}

static void test_a_seek_that_waits_ends_with_its_subscription(void **state)
{
    (void)state;
    struct hgt_client *client = live(), *other = live();
    seek(client, 2, 12);
    say_sub(client, "\"op\":\"unsubscribe\",\"ref\":3");
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":2,\"code\":107,"));
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":3}"));
    seek(other, 2, 12);
    hg_on_ws_closed(gate.core, gate.now, other->ref);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"ref\":2"), 1);
    assert_false(hgt_said(other, "\"ref\":2"));
}

/* The filter that it was asked for under is not changed while it waits. */
static void test_an_update_waits_for_a_seek(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    seek(client, 2, 12);
    say_sub(client, "\"op\":\"update\",\"ref\":3,\"filter\":\"subject = 'x'\"");
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"ref\":3"));
    hgt_stream_fill(stream, 11, 13);
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,"));
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":3,"));
    expect_events(client, 13, 13);
}

static void test_a_seek_that_waits_gets_a_speed(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    for (uint64_t ms = 1000; ms <= 1200; ms += 100)
        hgt_stream_add(stream, ms, NULL); /* not read yet */
    seek(client, 2, 1000);
    say_sub(client, "\"op\":\"resume\",\"ref\":3,\"speed\":1");
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":2,"));
    assert_int_equal(count(client), 1);
    pass(105);
    assert_int_equal(count(client), 2);
}

static void test_a_seek_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    hgt_down(&gate, HG_LINK_COMMANDER);
    seek(client, 2, 12);
    hgt_turn(&gate, gate.config->subscribe_timeout_ms - 1);
    assert_false(hgt_said(client, "\"ref\":2"));
    hgt_turn(&gate, 1);
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":2,\"code\":108,"));
    assert_true(hgt_said(client, "\"retry_ms\":1000"));
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    expect_events(client, 11, 12);
}

/* What waits is held in memory, for all subscriptions of a connection together. */
static void test_seeks_that_wait_are_bounded(void **state)
{
    (void)state;
    struct hgt_client *client = live();
    char rest[200];
    gate.config->message_bytes_max = 32;
    hgt_forget(&gate);
    snprintf(rest, sizeof(rest),
             "{\"op\":\"seek\",\"ref\":2,\"sub\":1,\"from\":{\"cursors\":{\"st.a\":\"12-0\",\"b\":\"1-0\"}}}");
    hgt_say(&gate, client, rest);
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "\"ref\":2"));
    hgt_say(&gate, client,
            "{\"op\":\"subscribe\",\"ref\":3,\"topic\":\"st.b\",\"from\":{\"cursors\":{\"st.b\":\"12-0\"}}}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":3,\"code\":111,"));
    hgt_say(&gate, client,
            "{\"op\":\"seek\",\"ref\":4,\"sub\":1,\"from\":{\"cursors\":{\"st.a\":\"12-0\",\"b.c.d.e.f\":\"1-0\"}}}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":4,\"code\":111,"));
}

/* ---- a replay over another history ------------------------------------------------------------------------------- */

static void lose_tail(uint64_t ms)
{
    hgt_down(&gate, HG_LINK_READER);
    while (!gate.opening[HG_LINK_READER])
        hgt_turn(&gate, 100);
    hgt_stream_lose(stream, ms);
    hgt_serve(&gate);
}

/* Its replay ended where the history was rewritten, the log told so, and then fell off: the replay goes on into the new
 * history, and tells it once, in front of that. */
static void test_a_rewritten_log_that_falls_off_is_told_once(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("");
    hgt_turn(&gate, 0);
    say_sub(client, "\"op\":\"pause\",\"ref\":2");
    seek(client, 3, 5);
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    lose_tail(9);
    gate.config->log_bytes_max = 1;
    for (uint64_t ms = 12; ms <= 13; ms++) {
        hgt_stream_add(stream, ms, "anew");
        hgt_serve(&gate);
    }
    say_sub(client, "\"op\":\"resume\",\"ref\":4");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"rolled_back\"}"), 1);
    assert_int_equal(hgt_said_times(client, "\"gap\""), 1);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 6);
    const char *gap = strstr(client->said.ptr, "\"gap\""), *first = strstr(client->said.ptr, "\"cursor\":\"12-0~");
    assert_non_null(first);
    assert_true(gap < first);
}

/* Then it falls off again, and what is missing now is less grave. */
static void test_a_rewritten_log_is_told_whatever_is_missing_behind_it(void **state)
{
    (void)state;
    struct hgt_client *client = subscribe("");
    hgt_turn(&gate, 0);
    say_sub(client, "\"op\":\"pause\",\"ref\":2");
    seek(client, 3, 5);
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    lose_tail(9);
    gate.config->log_bytes_max = 1;
    hgt_stream_add(stream, 12, "anew");
    hgt_serve(&gate);
    hgt_stream_fill(stream, 13, 15);
    hgt_stream_trim(stream, 1);
    hgt_serve(&gate);
    say_sub(client, "\"op\":\"resume\",\"ref\":4");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"rolled_back\"}"), 1);
    assert_true(hgt_said(client, "\"cursor\":\"15-0~"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_cursors_are_answered_from_memory),
        T(test_filtered_cursors_are_answered_from_memory),
        T(test_a_storm_of_cursors_asks_nothing),
        T(test_nobody_gets_a_double_where_it_joins),
        T(test_a_bare_cursor_proves_only_that_something_is_there),
        T(test_older_cursors_share_one_reading),
        T(test_pages_are_shared_and_bounded),
        T(test_a_lost_reading_is_asked_for_again),
        T(test_a_refused_reading_is_asked_for_again),
        T(test_a_trimmed_cursor),
        T(test_what_redis_has_trimmed_is_still_in_memory),
        T(test_a_deleted_cursor),
        T(test_a_deleted_cursor_and_more),
        T(test_a_rewritten_cursor),
        T(test_a_cursor_that_never_was_there),
        T(test_a_stream_made_anew),
        T(test_a_stream_made_anew_under_a_page),
        T(test_the_beginning_as_a_cursor),
        T(test_a_client_ahead_waits_and_gets_no_double),
        T(test_who_is_further_ahead_is_asked_for_anew),
        T(test_a_client_ahead_of_redis_is_told),
        T(test_a_client_ahead_of_redis_gets_no_double),
        T(test_a_client_ahead_does_not_wait_for_what_went),
        T(test_start),
        T(test_since),
        T(test_last),
        T(test_last_with_a_filter_counts_what_passes),
        T(test_a_pattern_whose_streams_appear),
        T(test_a_hole_in_memory),
        T(test_a_hole_that_grew_before_anything_came),
        T(test_a_hole_that_is_not_last_any_more),
        T(test_old_history_goes),
        T(test_what_waits_for_its_proof_stays),
        T(test_original_pace),
        T(test_multiples_of_the_pace),
        T(test_half_the_pace),
        T(test_pause_and_resume),
        T(test_resume_with_another_speed),
        T(test_seek),
        T(test_seek_while_paused),
        T(test_a_seek_ahead_waits_and_gets_no_double),
        T(test_a_seek_ahead_of_redis_is_told),
        T(test_a_seek_that_waits_leaves_all_as_it_is),
        T(test_a_later_seek_replaces_one_that_waits),
        T(test_a_seek_that_waits_ends_with_its_subscription),
        T(test_an_update_waits_for_a_seek),
        T(test_a_seek_that_waits_gets_a_speed),
        T(test_a_seek_does_not_wait_for_ever),
        T(test_seeks_that_wait_are_bounded),
        T(test_a_paused_live_subscription_loses_nothing),
        T(test_a_rewritten_log_that_falls_off_is_told_once),
        T(test_a_rewritten_log_is_told_whatever_is_missing_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
