/* That a stream goes on where it was left: what is told when it does not, and that nothing is told when it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/gate.h"

#define TOPICS "\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static struct hgt_stream *stream;
static struct hgt_client *client;

/* A client on a stream that holds the entries 1 to 3, which it got. */
static void begin(bool old)
{
    stream = hgt_gate_stream(&gate, "st.a");
    stream->old = old;
    client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    hgt_stream_fill(stream, 1, 3);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 3);
    assert_false(hgt_said(client, "\"gap\""));
    hgt_forget(&gate);
}

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, "{\"canary_ms\":600000," TOPICS);
    begin(false);
    return 0;
}

static int open_old_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, "{\"canary_ms\":600000," TOPICS);
    begin(true);
    return 0;
}

static int open_quick_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, "{\"canary_ms\":2000," TOPICS);
    begin(false);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

/* The reader's link was lost and comes back; meanwhile what the test did since has happened. */
static void come_back(void)
{
    hg_on_ws_pong(gate.core, gate.now, client->ref);
    hgt_down(&gate, HG_LINK_READER);
    for (unsigned i = 0; i < 10 && !gate.opening[HG_LINK_READER]; i++)
        hgt_turn(&gate, 1000);
    hgt_serve(&gate);
}

static void expect_events(uint64_t first, uint64_t last)
{
    char cursor[48];
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), last + 1 - first);
    for (uint64_t ms = first; ms <= last; ms++) {
        snprintf(cursor, sizeof(cursor), "\"topic\":\"st.a\",\"cursor\":\"%llu-0~", (unsigned long long)ms);
        if (hgt_said_times(client, cursor) != 1)
            fail_msg("%s came %u times", cursor, hgt_said_times(client, cursor));
    }
}

/* Exactly one gap, in front of every event. */
static void expect_gap(const char *what)
{
    char gap[128];
    snprintf(gap, sizeof(gap), "{\"op\":\"gap\",\"sub\":1,\"topic\":\"st.a\",%s}", what);
    if (hgt_said_times(client, "\"gap\"") != 1 || !hgt_said(client, gap))
        fail_msg("not exactly %s in:\n%s", gap, client->said.ptr);
    const char *event = strstr(client->said.ptr, "\"op\":\"event\"");
    assert_true(!event || strstr(client->said.ptr, gap) < event);
}

static void expect_no_gap(void)
{
    if (hgt_said(client, "\"gap\""))
        fail_msg("a gap in:\n%s", client->said.ptr);
}

/* ---- before it is handed on -------------------------------------------------------------------------------------- */

static void test_nothing_is_handed_on_before_its_proof(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 5);
    hgt_serve_link(&gate, HG_LINK_READER);
    struct hgt_client *late = hgt_gate_connect(&gate);
    hgt_say(&gate, late, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"}");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "5: XREVRANGE st.a 3-0 - COUNT 1\n"));
    assert_int_equal(hgt_asked_times(&gate, "XREAD"), 0); /* not before the proof */
    assert_false(hgt_said(client, "\"event\""));
    assert_false(hgt_said(late, "\"ok\"")); /* to it, 4 would look new */
    hgt_serve(&gate);
    expect_events(4, 5);
    expect_no_gap();
    assert_true(hgt_said(late, "\"cursor\":\"5-0~"));
    assert_false(hgt_said(late, "\"event\""));
    assert_false(hgt_asked(&gate, "5: XINFO"));
}

static void test_a_link_that_is_lost_before_the_proof_changes_nothing(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 5);
    hgt_serve_link(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    hgt_stream_fill(stream, 6, 6);
    come_back();
    expect_events(4, 6);
    expect_no_gap();
}

/* ---- trimmed ----------------------------------------------------------------------------------------------------- */

static void test_what_was_trimmed_unseen_is_counted(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 2);
    come_back();
    expect_gap("\"reason\":\"trimmed\",\"count\":5");
    expect_events(9, 10);
    hgt_forget(&gate);
    hgt_stream_fill(stream, 11, 12);
    hgt_serve(&gate);
    expect_events(11, 12);
    expect_no_gap();
}

static void test_all_that_was_trimmed_unseen_is_counted(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 0);
    come_back();
    expect_gap("\"reason\":\"trimmed\",\"count\":7");
    hgt_forget(&gate);
    come_back();
    expect_no_gap();
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    expect_no_gap();
    expect_events(11, 11);
}

static void test_what_was_trimmed_after_it_was_seen_is_no_gap(void **state)
{
    (void)state;
    hgt_stream_trim(stream, 0);
    come_back();
    expect_no_gap();
    hgt_stream_fill(stream, 4, 5);
    hgt_serve(&gate);
    expect_events(4, 5);
    expect_no_gap();
    hgt_forget(&gate);
    hgt_stream_fill(stream, 6, 7);
    hgt_stream_trim(stream, 2); /* the first there is the first unseen */
    come_back();
    expect_events(6, 7);
    expect_no_gap();
}

static void test_a_stream_of_one_entry_has_no_gaps(void **state)
{
    (void)state;
    for (uint64_t ms = 4; ms < 40; ms++) {
        hgt_stream_fill(stream, ms, ms);
        hgt_stream_trim(stream, 1);
        hgt_serve(&gate);
    }
    expect_events(4, 39);
    expect_no_gap();
}

static void test_what_is_trimmed_between_reading_and_proof(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_serve_link(&gate, HG_LINK_READER);
    hgt_stream_fill(stream, 7, 9); /* of these 7 goes unseen */
    hgt_stream_trim(stream, 2);
    hgt_serve(&gate);
    /* On which side of 4 to 6 something is missing nobody can say any more: they are counted with it. */
    expect_gap("\"reason\":\"trimmed\",\"count\":4");
    expect_events(8, 9);
}

static uint64_t counted_in_gaps(void)
{
    uint64_t sum = 0;
    unsigned count;
    for (const char *at = client->said.ptr; (at = strstr(at, "\"op\":\"gap\"")); at++) {
        if (sscanf(at, "\"op\":\"gap\",\"sub\":1,\"topic\":\"st.a\",\"reason\":\"trimmed\",\"count\":%u", &count) != 1)
            fail_msg("a gap without a count: %.100s", at);
        sum += count;
    }
    return sum;
}

/* However reading, proofs and trimming fall between each other: each entry comes, or is counted. */
static void test_each_entry_comes_or_is_counted(void **state)
{
    (void)state;
    struct hg_prng prng;
    uint64_t gapped = 0, total = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        hg_prng_init(&prng, seed);
        hgt_forget(&gate);
        uint64_t first = stream->last_generated + 1;
        for (unsigned i = 0; i < 40; i++) {
            uint64_t next = stream->last_generated + 1;
            switch (hg_prng_below(&prng, 6)) {
            case 0:
            case 1:
                hgt_stream_fill(stream, next, next + hg_prng_below(&prng, 4));
                break;
            case 2:
                hgt_stream_trim(stream, (unsigned)hg_prng_below(&prng, 5));
                break;
            case 3:
                hgt_serve(&gate);
                break;
            case 4:
                if (hg_prng_below(&prng, 8) == 0)
                    come_back();
                break;
            default:
                hgt_serve_link(&gate, HG_LINK_READER);
                hgt_turn(&gate, 3);
                break;
            }
        }
        hgt_serve(&gate);
        come_back(); /* what went while nothing came is noticed with the next proof */
        uint64_t added = stream->last_generated + 1 - first, came = hgt_said_times(client, "\"op\":\"event\"");
        if (came + counted_in_gaps() != added)
            fail_msg("seed %u: %u came and %u were counted of %u:\n%s", (unsigned)seed, (unsigned)came,
                     (unsigned)counted_in_gaps(), (unsigned)added, client->said.ptr);
        gapped += counted_in_gaps();
        total += added;
    }
    assert_true(gapped > total / 50 && gapped < total / 2);
}

static void test_filtered_clients_are_told_no_count(void **state)
{
    (void)state;
    struct hgt_client *filtered = hgt_gate_connect(&gate);
    hgt_say(&gate, filtered, "{\"op\":\"subscribe\",\"topic\":\"st.a\",\"filter\":\"data > 0\"}");
    hgt_serve(&gate);
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 2);
    come_back();
    assert_true(hgt_said(filtered, "\"reason\":\"trimmed\"}"));
    expect_gap("\"reason\":\"trimmed\",\"count\":5");
}

/* ---- another history --------------------------------------------------------------------------------------------- */

static void test_a_rewritten_entry(void **state)
{
    (void)state;
    hgt_stream_lose(stream, 2);
    hgt_stream_add(stream, 3, "33");
    come_back();
    expect_gap("\"reason\":\"rolled_back\"");
    assert_true(hgt_said(client, "\"event\":33}"));
    expect_events(3, 3);
}

static void test_a_lost_tail(void **state)
{
    (void)state;
    hgt_stream_lose(stream, 1);
    come_back();
    expect_gap("\"reason\":\"rolled_back\"");
    expect_events(1, 0);
    hgt_forget(&gate);
    hgt_stream_add(stream, 2, "22");
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"event\":22}"));
    expect_no_gap();
}

static void test_the_same_history_is_no_gap(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        come_back();
    hgt_stream_fill(stream, 4, 4);
    come_back();
    expect_events(4, 4);
    expect_no_gap();
    /* Asked about each time, and XINFO is for those in doubt. */
    assert_true(hgt_asked_times(&gate, "5: XREVRANGE st.a 3-0 - COUNT 1\n") >= 6);
    assert_false(hgt_asked(&gate, "5: XINFO"));
}

/* ---- another stream ---------------------------------------------------------------------------------------------- */

static void test_a_key_that_is_gone(void **state)
{
    (void)state;
    hgt_stream_drop(stream);
    come_back();
    expect_gap("\"reason\":\"gone\"");
    hgt_forget(&gate);
    come_back();
    expect_no_gap();
    hgt_stream_fill(stream, 1, 2);
    hgt_serve(&gate);
    expect_events(1, 2);
    expect_no_gap();
}

static void test_a_key_made_anew_with_lower_ids(void **state)
{
    (void)state;
    hgt_stream_drop(stream);
    hgt_stream_add(stream, 1, "11");
    hgt_stream_add(stream, 2, "12");
    come_back();
    expect_gap("\"reason\":\"gone\"");
    expect_events(1, 2);
    assert_true(hgt_said(client, "\"event\":11}"));
}

static void test_a_key_made_anew_with_higher_ids(void **state)
{
    (void)state;
    hgt_stream_drop(stream);
    hgt_stream_fill(stream, 7, 8);
    hgt_serve(&gate); /* the link lives: only the proof can know */
    expect_gap("\"reason\":\"gone\"");
    expect_events(7, 8);
}

static void test_quiet_streams_are_asked_about_now_and_then(void **state)
{
    (void)state;
    hgt_stream_drop(stream);
    for (unsigned i = 0; i < 8; i++) {
        hgt_turn(&gate, 500);
        if (gate.requests[HG_LINK_READER] && strncmp(gate.requests[HG_LINK_READER]->text, "XREAD", 5) == 0)
            hgt_answer(&gate, HG_LINK_READER, "*-1\r\n"); /* its BLOCK is over */
        hgt_serve(&gate);
    }
    expect_gap("\"reason\":\"gone\"");
}

static void test_a_key_of_another_type(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_READER);
    hgt_turn(&gate, 5000);
    hgt_up(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_READER, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "\"op\":\"stale\""));
    expect_no_gap();
}

/* ---- deleted ----------------------------------------------------------------------------------------------------- */

static void test_its_own_entry_deleted_is_no_gap(void **state)
{
    (void)state;
    hgt_stream_del(stream, 3);
    come_back();
    come_back();
    hgt_stream_fill(stream, 4, 4);
    hgt_serve(&gate);
    expect_events(4, 4);
    expect_no_gap();
}

static void test_its_own_entry_and_newer_ones_deleted(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_del(stream, 3);
    hgt_stream_del(stream, 4);
    come_back();
    expect_gap("\"reason\":\"deleted\"");
    expect_events(5, 6);
}

/* ---- a Redis that says little ------------------------------------------------------------------------------------ */

static void test_without_counts_a_hole_is_told_once(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 2);
    come_back();
    expect_gap("\"reason\":\"trimmed\"");
    expect_events(9, 10);
    hgt_forget(&gate);
    hgt_stream_fill(stream, 11, 11);
    come_back();
    expect_no_gap();
    expect_events(11, 11);
}

static void test_without_counts_an_emptied_stream_is_told_once(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 0);
    come_back();
    come_back();
    expect_gap("\"reason\":\"trimmed\"");
    /* And a new hole is a new gap. */
    hgt_forget(&gate);
    hgt_stream_fill(stream, 11, 11);
    hgt_serve(&gate);
    expect_events(11, 11);
    hgt_forget(&gate);
    hgt_stream_fill(stream, 12, 14);
    hgt_stream_trim(stream, 1);
    come_back();
    expect_gap("\"reason\":\"trimmed\"");
    expect_events(14, 14);
}

static void test_without_counts_the_same_history_is_no_gap(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 5);
    come_back();
    expect_events(4, 5);
    hgt_stream_trim(stream, 0);
    come_back();
    expect_no_gap();
}

static void test_xinfo_refused_still_tells_of_holes(void **state)
{
    (void)state;
    stream->no_info = true;
    hgt_stream_fill(stream, 4, 10);
    come_back();
    expect_no_gap();
    expect_events(4, 10);
    hgt_forget(&gate);
    hgt_stream_fill(stream, 11, 20);
    hgt_stream_trim(stream, 2);
    come_back();
    expect_gap("\"reason\":\"trimmed\"");
    expect_events(19, 20);
    hgt_forget(&gate);
    hgt_stream_fill(stream, 21, 21);
    hgt_serve(&gate);
    expect_no_gap();
    hgt_forget(&gate);
    hgt_stream_lose(stream, 19);
    come_back();
    expect_gap("\"reason\":\"rolled_back\"");
}

static void test_where_nothing_may_be_asked_entries_are_handed_on(void **state)
{
    (void)state;
    stream->no_info = stream->no_read = true;
    hgt_stream_fill(stream, 4, 5);
    hgt_serve(&gate);
    hgt_stream_fill(stream, 6, 7);
    hgt_serve(&gate);
    expect_events(4, 7);
    expect_no_gap();
    assert_int_equal(hgt_logged_times(&gate, "does not let the gateway prove"), 1);
}

static void test_streams_located_together_without_xinfo(void **state)
{
    (void)state;
    struct hgt_stream *b = hgt_gate_stream(&gate, "st.b"), *c = hgt_gate_stream(&gate, "st.c");
    struct hgt_client *other = hgt_gate_connect(&gate);
    b->no_info = c->no_info = true;
    hgt_stream_fill(b, 1, 2);
    hgt_say(&gate, other,
            "{\"op\":\"subscribe\",\"ref\":2,\"topic\":\"st.b\"}\n"
            "{\"op\":\"subscribe\",\"ref\":3,\"topic\":\"st.c\"}");
    hgt_serve(&gate);
    assert_false(hgt_said(other, "\"error\""));
    assert_true(hgt_said(other, "\"ref\":2,\"sub\":2,\"cursor\":\"2-0~"));
    assert_true(hgt_said(other, "\"ref\":3,\"sub\":3,\"cursor\":\"0-0\""));
    hgt_stream_fill(b, 3, 3);
    hgt_stream_fill(c, 1, 1);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(other, "\"op\":\"event\""), 2);
    assert_false(hgt_said(other, "\"gap\""));
    assert_int_equal(hgt_logged_times(&gate, "refuses XINFO"), 1);
}

/* While Redis loads its data it knows nothing: what it says then proves nothing, and what was missed is told later. */
static void test_a_redis_that_is_loading_is_asked_again(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 10);
    hgt_stream_trim(stream, 2);
    hgt_down(&gate, HG_LINK_READER);
    while (!gate.opening[HG_LINK_READER])
        hgt_turn(&gate, 100);
    hgt_up(&gate, HG_LINK_READER);
    for (unsigned i = 0; i < 3; i++) {
        hgt_forget(&gate);
        for (unsigned j = 0; j < 100 && !gate.requests[HG_LINK_READER]; j++)
            hgt_turn(&gate, 10);
        assert_true(hgt_asked(&gate, "5: XREVRANGE st.a 3-0 - COUNT 1\n"));
        hgt_answer(&gate, HG_LINK_READER, "-LOADING Redis is loading the dataset in memory\r\n");
        hgt_turn(&gate, 0);
        assert_false(hgt_asked(&gate, "XREAD"));
        expect_no_gap();
    }
    hgt_turn(&gate, 1000);
    hgt_serve(&gate);
    expect_gap("\"reason\":\"trimmed\",\"count\":5");
    expect_events(9, 10);
}

/* ---- read whole for some, joined at its tail by others -------------------------------------------------------------
 */

static struct hgt_client *whole; /* has the pattern in which the stream appears */

/* The entries from 1 on were there when the stream was found; nothing of it was read yet. */
static void find_whole_of(bool old, uint64_t count)
{
    char cursor[48];
    hgt_gate_open(&gate, "{\"canary_ms\":600000," TOPICS);
    whole = hgt_gate_connect(&gate);
    hgt_say(&gate, whole, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.*\"}");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(whole, "\"ok\""));
    hgt_forget(&gate);
    stream = hgt_gate_stream(&gate, "st.a");
    stream->old = old;
    hgt_stream_fill(stream, 1, count);
    for (unsigned i = 0; i < 100 && !hgt_asked(&gate, "SCAN"); i++)
        hgt_turn(&gate, 1000);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nst.a\r\n");
    hgt_turn(&gate, 0);
    client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"}");
    assert_true(hgt_serve_link(&gate, HG_LINK_COMMANDER));
    hgt_turn(&gate, 0);
    snprintf(cursor, sizeof(cursor), "\"cursor\":\"%llu-0~", (unsigned long long)count);
    assert_true(hgt_said(client, cursor));
    assert_false(hgt_said(whole, "\"event\""));
}

static void find_whole(bool old)
{
    find_whole_of(old, 3);
}

static int find_counted(void **state)
{
    (void)state;
    find_whole(false);
    return 0;
}

static int find_old(void **state)
{
    (void)state;
    find_whole(true);
    return 0;
}

static void test_trimmed_beyond_the_tail(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_trim(stream, 1);
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"reason\":\"trimmed\",\"count\":2}"));
    assert_int_equal(hgt_said_times(client, "\"gap\""), 1);
    expect_events(6, 6);
    assert_true(hgt_said(whole, "\"reason\":\"trimmed\",\"count\":5}"));
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 1);
}

static void test_trimmed_up_to_the_tail(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_trim(stream, 3);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(4, 6);
    assert_true(hgt_said(whole, "\"reason\":\"trimmed\",\"count\":3}"));
}

static void test_trimmed_in_front_of_the_tail(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_trim(stream, 4);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(4, 6);
    assert_true(hgt_said(whole, "\"reason\":\"trimmed\",\"count\":2}"));
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 4);
}

static void test_trimmed_beyond_the_tail_again(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 5);
    hgt_stream_trim(stream, 1);
    while (!hgt_asked(&gate, ": XREAD")) {
        if (gate.opening[HG_LINK_READER])
            hgt_up(&gate, HG_LINK_READER);
        (void)hgt_serve_link(&gate, HG_LINK_READER);
        hgt_turn(&gate, 0);
    }
    assert_true(hgt_said(client, "\"reason\":\"trimmed\",\"count\":1}"));
    hgt_stream_fill(stream, 6, 7);
    hgt_stream_trim(stream, 1);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"gap\""), 2);
    assert_true(hgt_said(client, "\"reason\":\"trimmed\",\"count\":2}"));
    expect_events(7, 7);
}

static void test_deleted_in_front_of_the_tail(void **state)
{
    (void)state;
    hgt_stream_del(stream, 2);
    hgt_stream_fill(stream, 4, 5);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(4, 5);
    assert_true(hgt_said(whole, "\"reason\":\"deleted\",\"count\":1}"));
}

/* Redis 5 and 6: the newest entry that was there is not any more, so all that was there is gone. */
static void make_anew(uint64_t from, uint64_t to, const char *payload)
{
    hgt_stream_drop(stream);
    for (uint64_t ms = from; ms <= to; ms++)
        hgt_stream_add(stream, ms, payload);
}

/* All of the other stream comes, for all. */
static void expect_gone(uint64_t first, uint64_t last)
{
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"gone\"}"), 1);
    assert_int_equal(hgt_said_times(client, "\"gap\""), 1);
    expect_events(first, last);
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), last + 1 - first);
}

static void test_made_anew_in_front_of_the_tail(void **state)
{
    (void)state;
    make_anew(1, 2, "anew");
    expect_gone(1, 2);
}

static void test_made_anew_beyond_the_tail(void **state)
{
    (void)state;
    make_anew(4, 6, "anew");
    expect_gone(4, 6);
}

static void test_made_anew_over_the_tail(void **state)
{
    (void)state;
    make_anew(2, 4, "anew");
    expect_gone(2, 4);
}

static void test_made_anew_around_the_tail(void **state)
{
    (void)state;
    make_anew(1, 2, "anew");
    hgt_stream_add(stream, 4, "anew");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"gone\"}"), 1);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 3);
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 3);
}

static void test_made_anew_and_emptied(void **state)
{
    (void)state;
    make_anew(1, 2, "anew");
    hgt_stream_trim(stream, 0);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"gone\"}"), 1);
    hgt_stream_fill(stream, 3, 4);
    hgt_serve(&gate);
    expect_events(3, 4);
    assert_int_equal(hgt_said_times(client, "\"gap\""), 1);
}

/* XREVRANGE is not allowed; what is counted still tells. */
static void test_the_tail_may_not_be_asked_for(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_trim(stream, 1);
    for (unsigned i = 0; i < 10 && !gate.opening[HG_LINK_READER]; i++)
        hgt_turn(&gate, 1000);
    hgt_up(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, ": XREVRANGE st.a 3-0 - COUNT 1"));
    hgt_answer(&gate, HG_LINK_READER, "-NOPERM this user has no permissions to run the 'xrevrange' command\r\n");
    assert_true(hgt_asked(&gate, "5: XINFO STREAM st.a"));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"reason\":\"trimmed\",\"count\":2}"));
    expect_events(6, 6);
}

static void test_the_tail_deleted(void **state)
{
    (void)state;
    hgt_stream_del(stream, 3);
    hgt_stream_fill(stream, 4, 5);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(4, 5);
    assert_true(hgt_said(whole, "\"reason\":\"deleted\",\"count\":1}"));
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 4);
}

static int find_many(void **state)
{
    (void)state;
    find_whole_of(false, 1000);
    return 0;
}

/* The tail is not in the first page that is read. */
static void test_many_made_anew_over_the_tail(void **state)
{
    (void)state;
    make_anew(1, 1002, "anew");
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"gone\"}"), 1);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), 1002);
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 1002);
}

static void test_many_with_the_tail_deleted(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 1001, 1002);
    hgt_stream_del(stream, 1000);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(1001, 1002);
    assert_true(hgt_said(whole, "\"reason\":\"deleted\",\"count\":1}"));
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 1001);
}

static void test_without_counts_trimmed_beyond_the_tail(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_stream_trim(stream, 1);
    hgt_serve(&gate);
    assert_int_equal(hgt_said_times(client, "\"reason\":\"trimmed\"}"), 1);
    assert_int_equal(hgt_said_times(whole, "\"reason\":\"trimmed\"}"), 1);
    expect_events(6, 6);
    hgt_stream_fill(stream, 7, 7);
    hgt_serve(&gate);
    expect_events(6, 7);
    assert_int_equal(hgt_said_times(client, "\"gap\""), 1);
}

static void test_without_counts_all_is_trimmed(void **state)
{
    (void)state;
    hgt_stream_trim(stream, 0);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    assert_int_equal(hgt_said_times(whole, "\"reason\":\"trimmed\"}"), 1);
    hgt_stream_fill(stream, 4, 4);
    hgt_serve(&gate);
    expect_events(4, 4);
}

static void test_without_counts_nothing_is_trimmed(void **state)
{
    (void)state;
    hgt_stream_fill(stream, 4, 6);
    hgt_serve(&gate);
    assert_false(hgt_said(client, "\"gap\""));
    expect_events(4, 6);
    assert_false(hgt_said(whole, "\"gap\""));
    assert_int_equal(hgt_said_times(whole, "\"op\":\"event\""), 6);
}

int main(void)
{
#define T(name)          cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
#define FOUND(name, how) cmocka_unit_test_setup_teardown(name, how, close_gate)
#define OLD(name)        cmocka_unit_test_setup_teardown(name, open_old_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_nothing_is_handed_on_before_its_proof),
        T(test_a_link_that_is_lost_before_the_proof_changes_nothing),
        T(test_what_was_trimmed_unseen_is_counted),
        T(test_all_that_was_trimmed_unseen_is_counted),
        T(test_what_was_trimmed_after_it_was_seen_is_no_gap),
        T(test_a_stream_of_one_entry_has_no_gaps),
        T(test_what_is_trimmed_between_reading_and_proof),
        T(test_each_entry_comes_or_is_counted),
        T(test_filtered_clients_are_told_no_count),
        T(test_a_rewritten_entry),
        T(test_a_lost_tail),
        T(test_the_same_history_is_no_gap),
        T(test_a_key_that_is_gone),
        T(test_a_key_made_anew_with_lower_ids),
        T(test_a_key_made_anew_with_higher_ids),
        cmocka_unit_test_setup_teardown(test_quiet_streams_are_asked_about_now_and_then, open_quick_gate, close_gate),
        T(test_a_key_of_another_type),
        T(test_its_own_entry_deleted_is_no_gap),
        T(test_its_own_entry_and_newer_ones_deleted),
        OLD(test_without_counts_a_hole_is_told_once),
        OLD(test_without_counts_an_emptied_stream_is_told_once),
        OLD(test_without_counts_the_same_history_is_no_gap),
        T(test_xinfo_refused_still_tells_of_holes),
        T(test_where_nothing_may_be_asked_entries_are_handed_on),
        T(test_streams_located_together_without_xinfo),
        T(test_a_redis_that_is_loading_is_asked_again),
        FOUND(test_trimmed_beyond_the_tail, find_counted),
        FOUND(test_trimmed_up_to_the_tail, find_counted),
        FOUND(test_trimmed_in_front_of_the_tail, find_counted),
        FOUND(test_trimmed_beyond_the_tail_again, find_counted),
        FOUND(test_deleted_in_front_of_the_tail, find_counted),
        FOUND(test_made_anew_in_front_of_the_tail, find_counted),
        FOUND(test_made_anew_beyond_the_tail, find_counted),
        FOUND(test_made_anew_over_the_tail, find_counted),
        FOUND(test_made_anew_over_the_tail, find_old),
        FOUND(test_made_anew_in_front_of_the_tail, find_old),
        FOUND(test_made_anew_around_the_tail, find_counted),
        FOUND(test_made_anew_around_the_tail, find_old),
        FOUND(test_made_anew_and_emptied, find_counted),
        FOUND(test_the_tail_may_not_be_asked_for, find_counted),
        FOUND(test_the_tail_deleted, find_counted),
        FOUND(test_many_made_anew_over_the_tail, find_many),
        FOUND(test_many_with_the_tail_deleted, find_many),
        FOUND(test_without_counts_trimmed_beyond_the_tail, find_old),
        FOUND(test_without_counts_all_is_trimmed, find_old),
        FOUND(test_without_counts_nothing_is_trimmed, find_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
