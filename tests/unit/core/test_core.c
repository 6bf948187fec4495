#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/death.h"
#include "support/gate.h"

#define CONFIG                                                                                                         \
    "{\"linger_ms\":100,\"log_bytes_max\":65536,\"event_bytes_max\":32768,\"reply_bytes_max\":4096,\"stall_timeout_"   \
    "ms\":2000,\"canary_ms\":600000,"                                                                                  \
    "\"topics\":[{\"match\":\"ch.**\",\"source\":\"channel\"},"                                                        \
    "{\"match\":\"st.**\",\"source\":\"stream\",\"maxlen\":10},{\"match\":\"**\",\"source\":\"auto\"}]}"

static struct hgt_gate gate;

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

static void put_string(struct hg_buf *buf, const char *text)
{
    hg_buf_printf(buf, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void confirm(const char *kind, const char *channel)
{
    struct hg_buf resp;
    hg_buf_init(&resp, 4096);
    hg_buf_put_str(&resp, "*3\r\n");
    put_string(&resp, kind);
    put_string(&resp, channel);
    hg_buf_printf(&resp, ":1\r\n");
    hg_buf_put_char(&resp, '\0');
    hgt_answer(&gate, HG_LINK_LISTENER, resp.ptr);
    hg_buf_done(&resp);
}

static void publish(const char *channel, const char *payload)
{
    struct hg_buf resp;
    hg_buf_init(&resp, 1 << 20);
    hg_buf_put_str(&resp, "*3\r\n");
    put_string(&resp, "message");
    put_string(&resp, channel);
    put_string(&resp, payload);
    hg_buf_put_char(&resp, '\0');
    hgt_answer(&gate, HG_LINK_LISTENER, resp.ptr);
    hg_buf_done(&resp);
}

static void publish_large(const char *channel, size_t bytes)
{
    char *payload = malloc(bytes + 1);
    assert_non_null(payload);
    memset(payload, 'x', bytes);
    payload[bytes] = '\0';
    publish(channel, payload);
    free(payload);
}

static struct hgt_client *subscribed(const char *topic)
{
    struct hgt_client *client = hgt_gate_connect(&gate);
    char command[256];
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"%s\"}", topic);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
    return client;
}

static struct hgt_stream *stream;

/* On a stream that is empty, with its reader up and reading. */
static struct hgt_client *on_stream(void)
{
    stream = hgt_gate_stream(&gate, "st.a");
    struct hgt_client *client = subscribed("st.a");
    assert_true(hgt_asked(&gate, "1: XINFO STREAM st.a\n"));
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":1,\"sub\":1,\"cursor\":\"0-0\"}"));
    assert_true(hgt_asked(&gate, "STREAMS st.a 0-0"));
    hgt_forget(&gate);
    return client;
}

static void read_entries(unsigned first, unsigned last, const char *payload)
{
    for (unsigned id = first; id <= last; id++)
        hgt_stream_add(stream, id, payload);
    hgt_serve(&gate);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void test_nothing_is_sent_before_the_turn_ends(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a"), *b = subscribed("ch.a");
    hgt_forget(&gate);
    confirm("subscribe", "ch.a");
    publish("ch.a", "{\"n\":1}");
    publish("ch.a", "{\"n\":2}");
    assert_int_equal(a->writes, 0);
    hgt_turn(&gate, 0);
    /* All of a turn in one write; the events as the same bytes for both. */
    assert_int_equal(a->writes, 1);
    assert_int_equal(b->writes, 1);
    assert_true(hgt_said(a, "{\"op\":\"ok\",\"ref\":1,\"sub\":1}\n"
                            "{\"op\":\"event\",\"sub\":1,\"topic\":\"ch.a\",\"event\":{\"n\":1}}\n"
                            "{\"op\":\"event\",\"sub\":1,\"topic\":\"ch.a\",\"event\":{\"n\":2}}\n"));
    publish("ch.a", "{\"n\":3}");
    hgt_turn(&gate, 0);
    assert_int_equal(a->bytes.len, b->bytes.len);
    assert_memory_equal(a->bytes.ptr, b->bytes.ptr, a->bytes.len);
}

static void test_redis_is_asked_once_and_only_while_wanted(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a");
    assert_true(hgt_asked(&gate, "0: SUBSCRIBE ch.a"));
    confirm("subscribe", "ch.a");
    hgt_forget(&gate);
    struct hgt_client *b = subscribed("ch.a");
    assert_int_equal(gate.asked.len, 0);
    hg_on_ws_closed(gate.core, gate.now, a->ref);
    hgt_say(&gate, b, "{\"op\":\"unsubscribe\",\"ref\":2,\"sub\":1}");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 99);
    assert_int_equal(gate.asked.len, 0);
    hgt_turn(&gate, 1);
    assert_true(hgt_asked(&gate, "0: UNSUBSCRIBE ch.a"));
    publish("ch.a", "1");
    hgt_turn(&gate, 0);
    assert_false(hgt_said(b, "\"event\""));
}

static void test_an_old_confirmation_does_not_answer_a_new_subscribe(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a");
    hgt_say(&gate, a, "{\"op\":\"ping\"}");
    hg_on_ws_closed(gate.core, gate.now, a->ref);
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 100); /* the linger is over: UNSUBSCRIBE goes out behind the unanswered SUBSCRIBE */
    struct hgt_client *b = subscribed("ch.a");
    confirm("subscribe", "ch.a");
    hgt_turn(&gate, 0);
    assert_false(hgt_said(b, "\"sub\""));
    confirm("unsubscribe", "ch.a");
    confirm("subscribe", "ch.a");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(b, "\"sub\""));
}

static void test_a_lost_listener_is_a_gap_once_it_is_back(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a");
    confirm("subscribe", "ch.a");
    hgt_turn(&gate, 0);
    hgt_down(&gate, HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "{\"op\":\"stale\",\"sub\":1,\"topics\":[\"ch.a\"]}"));
    assert_false(hgt_said(a, "\"gap\""));
    hgt_turn(&gate, 5000); /* the backoff is over */
    hgt_up(&gate, HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    confirm("subscribe", "ch.a");
    publish("ch.a", "1");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "{\"op\":\"gap\",\"sub\":1,\"topic\":\"ch.a\",\"reason\":\"disconnected\"}\n"
                            "{\"op\":\"live\",\"sub\":1,\"topics\":[\"ch.a\"]}\n"
                            "{\"op\":\"event\",\"sub\":1,\"topic\":\"ch.a\",\"event\":1}\n"));
}

static void test_a_slow_client_of_a_channel_is_told_the_exact_count(void **state)
{
    (void)state;
    struct hgt_client *slow = subscribed("ch.a"), *quick = subscribed("ch.a");
    confirm("subscribe", "ch.a");
    slow->buffering = true;
    hgt_turn(&gate, 0); /* the ok fills its socket */
    hgt_forget(&gate);
    for (int i = 0; i < 20; i++) { /* 20 times 10,000 bytes; the log holds 65,536 */
        publish_large("ch.a", 10000);
        hgt_turn(&gate, 1);
    }
    assert_int_equal(quick->writes, 20);
    assert_int_equal(slow->writes, 0);
    slow->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, slow->ref);
    hgt_turn(&gate, 0);
    unsigned gap = 0, events = 0;
    for (const char *at = slow->said.ptr; (at = strstr(at, "\"op\":\"event\"")); at++)
        events++;
    const char *count = strstr(slow->said.ptr, "\"reason\":\"overflow\",\"count\":");
    assert_non_null(count);
    assert_int_equal(sscanf(count, "\"reason\":\"overflow\",\"count\":%u", &gap), 1);
    assert_int_equal(gap + events, 20);
    assert_true(gap > 0);
    assert_true(count < strstr(slow->said.ptr, "\"op\":\"event\"") || events == 0);
    struct hg_core_stats stats;
    hg_core_stats(gate.core, &stats);
    assert_int_equal(stats.deliveries_offered, stats.deliveries_sent + stats.deliveries_gapped);
}

static void test_a_slow_client_of_a_stream_reads_its_own_way(void **state)
{
    (void)state;
    char payload[10001];
    memset(payload, '7', sizeof(payload) - 1);
    payload[sizeof(payload) - 1] = '\0';
    gate.config->history_bytes_max = 0; /* all that it needs is with Redis */
    struct hgt_client *slow = on_stream();
    slow->buffering = true;
    read_entries(1, 1, "1"); /* fills its socket */
    hgt_turn(&gate, 10);
    for (unsigned id = 2; id <= 10; id++) {
        read_entries(id, id, payload);
        hgt_turn(&gate, 10);
    }
    hgt_forget(&gate);
    slow->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, slow->ref);
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "2: XRANGE st.a 2-0 "));
    assert_false(hgt_said(slow, "\"gap\""));
    /* The entry it needs was trimmed meanwhile: that is told before what is there. */
    hgt_stream_trim(stream, 6);
    hgt_serve(&gate);
    const char *gap = strstr(slow->said.ptr, "\"reason\":\"trimmed\""),
               *event = strstr(slow->said.ptr, "\"cursor\":\"5-0");
    assert_true(gap && event && gap < event);
    assert_false(hgt_said(slow, "\"cursor\":\"4-0"));
    assert_int_equal(hgt_said_times(slow, "\"op\":\"event\""), 6);
    assert_false(hgt_said(slow, "caught_up")); /* it did not ask for a replay */
}

static void test_start_joins_the_live_stream(void **state)
{
    (void)state;
    gate.config->history_bytes_max = 0;
    struct hgt_client *first = on_stream();
    read_entries(1, 2, "1");
    struct hgt_client *late = hgt_gate_connect(&gate);
    hgt_say(&gate, late, "{\"op\":\"subscribe\",\"topic\":\"st.a\",\"from\":\"start\"}");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "2: XRANGE st.a 0-0 2-0 COUNT"));
    /* Comes before the replay's answer, must come after its events. */
    hgt_stream_add(stream, 3, "3");
    hgt_serve_link(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    hgt_serve_link(&gate, HG_LINK_READER);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(first, "\"cursor\":\"3-0"));
    assert_false(hgt_said(late, "3-0"));
    hgt_serve(&gate);
    const char *events = strstr(late->said.ptr, "\"op\":\"event\"");
    assert_non_null(events);
    const char *a = strstr(events, "\"cursor\":\"1-0"), *b = strstr(events, "\"cursor\":\"2-0");
    const char *c = strstr(events, "caught_up"), *d = strstr(events, "\"cursor\":\"3-0");
    assert_true(a && b && c && d && a < b && b < c && c < d);
}

static void test_large_events_are_told_as_a_gap(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a");
    confirm("subscribe", "ch.a");
    publish_large("ch.a", 32769);
    publish_large("ch.a", 32768);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(
        a, "{\"op\":\"gap\",\"sub\":1,\"topic\":\"ch.a\",\"reason\":\"overflow\",\"count\":1}\n{\"op\":\"event\""));
}

static void test_auto_turns_to_the_stream_that_appears(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("x");
    assert_true(hgt_asked(&gate, "1: TYPE x"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "+none\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "0: SUBSCRIBE x"));
    confirm("subscribe", "x");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "\"sub\":1"));
    hgt_answer(&gate, HG_LINK_COMMANDER,
               "+none\r\n"); /* asked again at once: between TYPE and SUBSCRIBE it may have come */
    hgt_forget(&gate);
    hgt_turn(&gate, 1000);
    assert_true(hgt_asked(&gate, "1: TYPE x"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "+stream\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "0: UNSUBSCRIBE x"));
    /* What came between two looks is read from the beginning, though the newest entry is known. */
    hgt_stream_fill(hgt_gate_stream(&gate, "x"), 7, 7);
    hgt_serve(&gate);
    assert_true(hgt_asked(&gate, "STREAMS x 0-0"));
}

static void test_who_asks_faster_than_it_reads_is_paused_then_closed(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate);
    a->buffering = true;
    hgt_turn(&gate, 0);
    for (int i = 0; i < 4096 / 2 / 17 + 1; i++)
        hgt_say(&gate, a, "{\"op\":\"ping\",\"ref\":1}");
    assert_true(a->paused);
    hg_on_ws_writable(gate.core, gate.now, a->ref);
    hgt_turn(&gate, 0);
    assert_false(a->paused);
    for (int i = 0; i < 4096 / 17 + 1; i++)
        hgt_say(&gate, a, "{\"op\":\"ping\",\"ref\":1}");
    assert_int_equal(a->close_code, 4429);
}

static void test_stalled_and_silent_clients_are_closed(void **state)
{
    (void)state;
    struct hgt_client *stalled = subscribed("ch.a"), *silent = hgt_gate_connect(&gate), *good = hgt_gate_connect(&gate);
    stalled->buffering = true;
    confirm("subscribe", "ch.a");
    for (int i = 0; i < 60; i++) {
        hgt_turn(&gate, 1000);
        hg_on_ws_pong(gate.core, gate.now, good->ref);
    }
    assert_int_equal(stalled->close_code, 4408);
    assert_true(hgt_said(silent, "ping"));
    assert_int_equal(silent->close_code, 4408);
    assert_int_equal(good->close_code, 0);
}

static void test_bad_messages_close_with_their_code(void **state)
{
    (void)state;
    struct hgt_client *binary = hgt_gate_connect(&gate), *bytes = hgt_gate_connect(&gate),
                      *big = hgt_gate_connect(&gate);
    hg_on_ws_message(gate.core, gate.now, binary->ref, false, HG_LIT("{}"));
    hg_on_ws_message(gate.core, gate.now, bytes->ref, true, HG_LIT("\xff"));
    hg_on_ws_too_big(gate.core, gate.now, big->ref);
    assert_int_equal(binary->close_code, 1003);
    assert_int_equal(bytes->close_code, 1007);
    assert_int_equal(big->close_code, 1009);
    hgt_say(&gate, binary, "{\"op\":\"ping\",\"ref\":1}"); /* after the close: ignored */
    hgt_turn(&gate, 0);
    assert_int_equal(binary->writes, 0);
}

static void test_subscribing_waits_for_redis_then_says_why(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("ch.a");
    hgt_turn(&gate, 4999);
    assert_false(hgt_said(a, "\"error\""));
    hgt_turn(&gate, 1);
    assert_true(hgt_said(a, "\"ref\":1,\"code\":108"));
}

static void test_a_key_of_another_type_is_refused_at_once(void **state)
{
    (void)state;
    struct hgt_client *a = subscribed("st.a");
    hgt_answer(&gate, HG_LINK_COMMANDER, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "The key 'st.a' in Redis is not a stream."));
}

static void test_filters_share_groups_and_change_in_place(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate), *b = hgt_gate_connect(&gate), *c = hgt_gate_connect(&gate);
    hgt_say(&gate, a, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"filter\":\"n > 1\"}");
    hgt_say(&gate, b, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"filter\":\"  n>1 \"}");
    hgt_say(&gate, c, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\"}");
    hgt_turn(&gate, 0);
    confirm("subscribe", "ch.a");
    publish("ch.a", "{\"n\":1}");
    publish("ch.a", "{\"n\":2}");
    publish("ch.a", "no JSON");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(
        a,
        "{\"op\":\"ok\",\"ref\":1,\"sub\":1}\n{\"op\":\"event\",\"sub\":1,\"topic\":\"ch.a\",\"event\":{\"n\":2}}\n"));
    assert_true(hgt_said(b, "\"sub\":1}"));
    assert_false(hgt_said(a, "{\"n\":1}"));
    assert_false(hgt_said(a, "no JSON"));
    assert_true(hgt_said(c, "{\"n\":1}") && hgt_said(c, "{\"n\":2}") && hgt_said(c, "no JSON"));
    hgt_forget(&gate);
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":2,\"sub\":1,\"filter\":\"n < 2\"}");
    publish("ch.a", "{\"n\":3}"); /* still under the old filter: the answer has not come */
    hgt_turn(&gate, 0);
    publish("ch.a", "{\"n\":0}");
    hgt_turn(&gate, 0);
    const char *old = strstr(a->said.ptr, "\"n\":3"), *ok = strstr(a->said.ptr, "\"ref\":2,\"sub\":3");
    const char *new = strstr(a->said.ptr, "\"sub\":3,\"topic\":\"ch.a\",\"event\":{\"n\":0}");
    assert_true(old && ok && new &&old < ok &&ok < new);
    assert_false(hgt_said(b, "\"n\":0"));
}

/* With the filter n > 1, its socket full. */
static struct hgt_client *blocked_with_filter(void)
{
    struct hgt_client *client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"filter\":\"n > 1\"}");
    hgt_turn(&gate, 0);
    confirm("subscribe", "ch.a");
    client->buffering = true;
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    return client;
}

static void unblock(struct hgt_client *client)
{
    client->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, client->ref);
    hgt_turn(&gate, 0);
}

static void test_an_update_is_answered_when_its_subscription_ends(void **state)
{
    (void)state;
    struct hgt_client *a = blocked_with_filter();
    publish("ch.a", "{\"n\":2}");
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":2,\"sub\":1,\"filter\":\"n < 2\"}");
    hgt_turn(&gate, 0);
    hgt_say(&gate, a, "{\"op\":\"unsubscribe\",\"ref\":3,\"sub\":1}");
    unblock(a);
    assert_true(hgt_said(a, "\"ref\":2,\"code\":107"));
    assert_true(hgt_said(a, "{\"op\":\"ok\",\"ref\":3}"));
}

static void test_an_update_waits_until_its_losses_are_told(void **state)
{
    (void)state;
    struct hgt_client *a = blocked_with_filter();
    char payload[10001];
    snprintf(payload, sizeof(payload), "{\"n\":2,\"pad\":\"%9900s\"}", "");
    for (int i = 0; i < 20; i++) { /* more than the log holds */
        publish("ch.a", payload);
        publish("ch.a", "{\"n\":1}");
        hgt_turn(&gate, 1);
    }
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":2,\"sub\":1,\"filter\":\"n < 2\"}");
    hgt_turn(&gate, 0);
    publish("ch.a", "{\"n\":3}");
    publish("ch.a", "{\"n\":0}");
    unblock(a);
    hgt_turn(&gate, 0);
    unsigned count = 0;
    const char *gap = strstr(a->said.ptr, "{\"op\":\"gap\",\"sub\":1,\"topic\":\"ch.a\",\"reason\":\"overflow\"");
    const char *ok = strstr(a->said.ptr, "\"ref\":2,\"sub\":2"), *number;
    assert_true(gap && ok && gap < ok);
    number = strstr(gap, "\"count\":");
    assert_int_equal(sscanf(number, "\"count\":%u", &count), 1);
    for (const char *at = a->said.ptr; (at = strstr(at, "\"op\":\"event\"")); at++)
        count++;
    assert_int_equal(count, 21); /* those that pass, the last one included */
    publish("ch.a", "{\"n\":0}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "{\"op\":\"event\",\"sub\":2,\"topic\":\"ch.a\",\"event\":{\"n\":0}}"));
}

static void test_an_update_waits_for_the_subscription_it_becomes(void **state)
{
    (void)state;
    struct hgt_client *a = blocked_with_filter();
    unblock(a);
    hgt_down(&gate, HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    hgt_say(&gate, a, "{\"op\":\"subscribe\",\"ref\":2,\"topic\":\"ch.a\",\"filter\":\"n < 2\"}");
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":3,\"sub\":1,\"filter\":\"n<2\"}");
    hgt_turn(&gate, 0);
    assert_false(hgt_said(a, "\"ref\":3"));
    hgt_turn(&gate, 1000);
    hgt_up(&gate, HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    confirm("subscribe", "ch.a");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 0);
    const char *gap = strstr(a->said.ptr, "\"reason\":\"disconnected\"");
    const char *ok = strstr(a->said.ptr, "{\"op\":\"ok\",\"ref\":3,\"sub\":2}");
    assert_true(hgt_said(a, "{\"op\":\"ok\",\"ref\":2,\"sub\":2}"));
    assert_true(gap && ok && gap < ok);
}

static void test_a_forced_filter_cannot_be_widened(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate), *b = hgt_gate_connect(&gate);
    assert_true(hg_ok(hg_core_force_filter(gate.core, gate.now, a->ref, HG_LIT("n > 1"))));
    assert_int_equal(hg_core_force_filter(gate.core, gate.now, a->ref, HG_LIT("n >")).code, HG_ERR_FILTER_INVALID);
    hgt_say(&gate, a, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"filter\":\"n < 3 OR TRUE\"}");
    hgt_say(&gate, b, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\"}");
    hgt_turn(&gate, 0);
    confirm("subscribe", "ch.a");
    publish("ch.a", "{\"n\":1}");
    publish("ch.a", "{\"n\":2}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(b, "{\"n\":1}"));
    assert_false(hgt_said(a, "{\"n\":1}"));
    assert_true(hgt_said(a, "{\"n\":2}"));
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":2,\"sub\":1,\"filter\":null}");
    hgt_turn(&gate, 0);
    publish("ch.a", "{\"n\":0}");
    publish("ch.a", "{\"n\":3}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(b, "{\"n\":0}"));
    assert_false(hgt_said(a, "{\"n\":0}"));
    assert_true(hgt_said(a, "{\"n\":3}"));
}

static void test_a_wrong_filter_is_refused_with_its_place(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate);
    hgt_say(&gate, a, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"filter\":\"n > > 1\"}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "\"code\":120,\"reason\":\"filter_invalid\""));
    assert_true(hgt_said(a, "\"at\":4"));
    assert_int_equal(a->close_code, 0);
}

static void test_goodbye(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate);
    hg_core_shutdown(gate.core, gate.now);
    assert_true(hgt_said(a, "{\"op\":\"goodbye\",\"reason\":\"restart\",\"reconnect_ms\":"));
    assert_int_equal(a->close_code, 1012);
    assert_false(hg_core_is_drained(gate.core));
    hg_on_ws_closed(gate.core, gate.now, a->ref);
    assert_true(hg_core_is_drained(gate.core));
}

static void run_backwards(void)
{
    hg_core_turn_end(gate.core, (hg_time){1});
}

static void test_our_own_mistakes_end_the_process(void **state)
{
    (void)state;
    assert_true(hgt_dies(run_backwards));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_nothing_is_sent_before_the_turn_ends),
        T(test_redis_is_asked_once_and_only_while_wanted),
        T(test_an_old_confirmation_does_not_answer_a_new_subscribe),
        T(test_a_lost_listener_is_a_gap_once_it_is_back),
        T(test_a_slow_client_of_a_channel_is_told_the_exact_count),
        T(test_a_slow_client_of_a_stream_reads_its_own_way),
        T(test_start_joins_the_live_stream),
        T(test_large_events_are_told_as_a_gap),
        T(test_auto_turns_to_the_stream_that_appears),
        T(test_who_asks_faster_than_it_reads_is_paused_then_closed),
        T(test_stalled_and_silent_clients_are_closed),
        T(test_bad_messages_close_with_their_code),
        T(test_subscribing_waits_for_redis_then_says_why),
        T(test_a_key_of_another_type_is_refused_at_once),
        T(test_filters_share_groups_and_change_in_place),
        T(test_an_update_is_answered_when_its_subscription_ends),
        T(test_an_update_waits_until_its_losses_are_told),
        T(test_an_update_waits_for_the_subscription_it_becomes),
        T(test_a_forced_filter_cannot_be_widened),
        T(test_a_wrong_filter_is_refused_with_its_place),
        T(test_goodbye),
        T(test_our_own_mistakes_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
