/* Clients that mean no good, and loads that only look like it: what the core holds for them, and what others notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gate.h"

#define LIMITS                                                                                                         \
    "\"linger_ms\":10000,\"log_bytes_max\":65536,\"event_bytes_max\":32768,\"reply_bytes_max\":4096,"                  \
    "\"subscriptions_per_session_max\":64,\"redis_timeout_ms\":1000,\"discover_ms\":1000,"
#define TOPICS                                                                                                         \
    "\"topics\":[{\"match\":\"ch.**\",\"source\":\"channel\"},{\"match\":\"st.**\",\"source\":\"stream\"},"            \
    "{\"match\":\"**\",\"source\":\"auto\"}]}"

static struct hgt_gate gate;

static void open_with(const char *limits)
{
    char config[2048];
    snprintf(config, sizeof(config), "{%s%s", limits, TOPICS);
    hgt_gate_open(&gate, config);
}

static int open_gate(void **state)
{
    (void)state;
    open_with(LIMITS);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

static void subscribe(const struct hgt_client *client, const char *topic, const char *options)
{
    char command[512];
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"topic\":\"%s\"%s}", topic, options);
    hgt_say(&gate, client, command);
}

static void confirm(const char *channel)
{
    char resp[600];
    snprintf(resp, sizeof(resp), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(channel), channel);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
}

/* ------------------------------------------------------------------------------------------------------------------ */

enum { STREAMS = 12, ENTRIES = 5 };

/* What many replays of one client bring at once must not outgrow what the client has room for: nothing may be lost. */
static void test_many_replays_of_a_slow_client_lose_nothing(void **state)
{
    (void)state;
    char *payload = malloc(30001);
    assert_non_null(payload);
    memset(payload, 1, 30000); /* six bytes each on the wire */
    payload[30000] = '\0';
    struct hgt_client *client = hgt_gate_connect(&gate);
    for (unsigned i = 0; i < STREAMS; i++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "st.%u", i);
        struct hgt_stream *stream = hgt_gate_stream(&gate, topic);
        for (unsigned id = 1; id <= ENTRIES; id++)
            hgt_stream_add(stream, id, payload);
        subscribe(client, topic, ",\"from\":\"start\"");
    }
    hgt_turn(&gate, 0);
    client->buffering = true;
    for (unsigned turn = 0; turn < 200 && hgt_said_times(client, "caught_up") < STREAMS; turn++) {
        hgt_serve(&gate);
        hg_on_ws_writable(gate.core, gate.now, client->ref);
        hgt_turn(&gate, 0);
        assert_int_equal(client->close_code, 0);
    }
    assert_int_equal(hgt_said_times(client, "caught_up"), STREAMS);
    assert_int_equal(hgt_said_times(client, "\"op\":\"event\""), STREAMS * ENTRIES);
    free(payload);
}

/* While Redis does not answer, nothing that a client asks for again and again may be kept without end. */
static void test_subscribes_that_wait_are_bounded(void **state)
{
    (void)state;
    struct hgt_client *client = hgt_gate_connect(&gate);
    for (unsigned i = 0; i < 64; i++)
        subscribe(client, "ch.a", ",\"ref\":1");
    hgt_turn(&gate, 0);
    assert_false(hgt_said(client, "error"));
    subscribe(client, "ch.a", ",\"ref\":2");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "\"ref\":2,\"code\":111,\"reason\":\"too_many_requests\""));
    assert_true(hgt_said(client, "\"retry_ms\""));
    /* Those before are answered as ever, and there is room again. */
    confirm("ch.a");
    subscribe(client, "ch.a", ",\"ref\":3");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_said_times(client, "{\"op\":\"ok\",\"ref\":1,"), 64);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":3,"));
}

static void publish(const char *channel, const char *payload)
{
    char resp[4096];
    snprintf(resp, sizeof(resp), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(channel), channel,
             strlen(payload), payload);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
}

/* What a client must be told of its many gaps may be more than is kept for one client: then it is closed. */
static void test_more_gaps_than_room_close_the_client(void **state)
{
    (void)state;
    enum { CHANNELS = 1400, ROUNDS = 3 };
    hgt_gate_close(&gate);
    open_with("\"event_bytes_max\":1024,\"log_bytes_total_max\":1048576,\"subscriptions_per_session_max\":1400,"
              "\"log_bytes_max\":65536,\"reply_bytes_max\":65536,");
    char topic[300], payload[1001];
    memset(payload, 'x', 1000);
    payload[1000] = '\0';
    struct hgt_client *client = hgt_gate_connect(&gate);
    for (unsigned i = 0; i < CHANNELS; i++) {
        snprintf(topic, sizeof(topic), "ch.%0240u", i);
        subscribe(client, topic, "");
        if (i % 64 == 63)
            hgt_turn(&gate, 0);
    }
    hgt_turn(&gate, 0);
    for (unsigned i = 0; i < CHANNELS; i++) {
        snprintf(topic, sizeof(topic), "ch.%0240u", i);
        confirm(topic);
        if (i % 64 == 63)
            hgt_turn(&gate, 0);
    }
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_said_times(client, "{\"op\":\"ok\""), CHANNELS);
    client->buffering = true;
    for (unsigned i = 0; i < CHANNELS * ROUNDS; i++) {
        snprintf(topic, sizeof(topic), "ch.%0240u", i % CHANNELS);
        publish(topic, payload);
        if (i % 64 == 63)
            hgt_turn(&gate, 0);
    }
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    client->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, client->ref);
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 0);
    /* Either all of it, or the end: nothing between. */
    if (client->close_code == 0)
        assert_true(hgt_said_times(client, "\"overflow\"") >= CHANNELS - 1);
    else
        assert_int_equal(client->close_code, 4429);
}

/* Answers what was asked of the listener since the last time, in order. */
static void answer_listener(void)
{
    struct hg_slice rest = hg_buf_slice(&gate.asked);
    const char *at;
    while (rest.len > 0 && (at = memmem(rest.ptr, rest.len, "0: ", 3))) {
        char command[16], name[300], resp[600];
        assert_int_equal(sscanf(at, "0: %15s %299s", command, name), 2);
        for (char *c = command; *c; c++)
            *c |= 32;
        snprintf(resp, sizeof(resp), "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:1\r\n", strlen(command), command, strlen(name),
                 name);
        hgt_answer(&gate, HG_LINK_LISTENER, resp);
        rest = hg_slice_from(rest, (size_t)(at - rest.ptr) + 3);
    }
    hg_buf_clear(&gate.asked);
}

/* Topics that only linger are nobody's: they make room for those that somebody wants now. */
static void churn_then_subscribe(const char *limits)
{
    hgt_gate_close(&gate);
    open_with(limits);
    struct hgt_client *churner = hgt_gate_connect(&gate), *other = hgt_gate_connect(&gate);
    for (unsigned i = 1; i <= 12; i++) {
        char topic[32], command[64];
        snprintf(topic, sizeof(topic), "ch.%u", i);
        subscribe(churner, topic, "");
        hgt_turn(&gate, 0);
        answer_listener();
        snprintf(command, sizeof(command), "{\"op\":\"unsubscribe\",\"sub\":%u}", i);
        hgt_say(&gate, churner, command);
        if (i % 2 == 0) /* within one turn groups are idle, and interests do not linger yet */
            hgt_turn(&gate, 0);
    }
    assert_false(hgt_said(churner, "error"));
    subscribe(other, "ch.wanted", "");
    hgt_turn(&gate, 0);
    answer_listener();
    hgt_turn(&gate, 0);
    assert_true(hgt_said(other, "\"op\":\"ok\""));
    /* What is wanted is not thrown out for others. */
    char pattern[32];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(pattern, sizeof(pattern), "ch.more.%u", i);
        subscribe(churner, pattern, "");
    }
    hgt_turn(&gate, 0);
    assert_true(hgt_said(churner, "\"code\":106"));
    publish("ch.wanted", "1");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(other, "\"event\":1"));
}

static void test_lingering_topics_make_room(void **state)
{
    (void)state;
    churn_then_subscribe("\"groups_max\":4,");
    churn_then_subscribe("\"topics_max\":4,");
}

/* Emits to streams that nobody follows must not make Redis go through all its keys again and again. */
static void test_emits_do_not_drive_scans(void **state)
{
    (void)state;
    struct hgt_client *reader = hgt_gate_connect(&gate), *writer = hgt_gate_connect(&gate);
    subscribe(reader, "st.**", "");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*0\r\n");
    hgt_say(&gate, writer, "{\"op\":\"emit\",\"topic\":\"st.new\",\"id\":\"1\",\"event\":1}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 500);
    assert_false(hgt_asked(&gate, "SCAN"));
    assert_true(hgt_asked(&gate, "1: XINFO STREAM st.new"));
    hgt_turn(&gate, 500);
    assert_true(hgt_asked(&gate, "SCAN"));
}

/* A topic that cannot be had must not make others wait. */
static void test_a_refused_topic_delays_no_other(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect(&gate), *b = hgt_gate_connect(&gate);
    subscribe(a, "bad", "");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "1: TYPE bad"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "-NOPERM this user has no permissions\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "\"code\":108"));
    hgt_forget(&gate);
    subscribe(b, "good", "");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "1: TYPE good"));
    assert_false(hgt_asked(&gate, "1: TYPE bad"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "+none\r\n");
    hgt_turn(&gate, 1000);
    assert_true(hgt_asked(&gate, "1: TYPE bad"));
    /* What was under way when the link was lost is asked for again. */
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 3000);
    hgt_up(&gate, HG_LINK_COMMANDER);
    hgt_forget(&gate);
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "1: TYPE bad"));
}

/* A flood of messages holds up the canary: no reason to cut the link, and lose them. */
static void test_a_busy_listener_is_not_taken_for_dead(void **state)
{
    (void)state;
    struct hgt_client *client = hgt_gate_connect(&gate);
    subscribe(client, "ch.a", "");
    hgt_turn(&gate, 0);
    confirm("ch.a");
    gate.canary_by_hand = true;
    hgt_turn(&gate, 2000);
    assert_true(hgt_asked(&gate, "1: PUBLISH __headgate__:"));
    for (unsigned i = 0; i < 30; i++) {
        while (gate.requests[HG_LINK_COMMANDER]) /* the nonce stands behind what is published, and PING is answered */
            hgt_answer(&gate, HG_LINK_COMMANDER, ":1\r\n");
        while (gate.requests[HG_LINK_REPLAY])
            hgt_answer(&gate, HG_LINK_REPLAY, "+PONG\r\n");
        publish("ch.a", "1");
        hgt_turn(&gate, 100);
    }
    assert_false(hgt_asked(&gate, "close"));
    hgt_turn(&gate, 2000);
    assert_true(hgt_asked(&gate, "0: close"));
}

/* The ceiling is for what is held, not for what was put in: small events cost more than their bytes. */
static void test_the_ceiling_of_a_log_counts_all_it_holds(void **state)
{
    (void)state;
    struct hgt_client *client = hgt_gate_connect(&gate);
    struct hg_core_stats stats;
    subscribe(client, "ch.a", "");
    hgt_turn(&gate, 0);
    confirm("ch.a");
    hgt_turn(&gate, 0);
    client->buffering = true;
    for (unsigned i = 0; i < 1000; i++) {
        publish("ch.a", "1");
        hgt_turn(&gate, 0);
    }
    hg_core_stats(gate.core, &stats);
    assert_true(stats.frames_alive <= 65536 / 200);
    assert_true(stats.log_bytes <= 65536);
    assert_true(stats.deliveries_gapped > 0);
}

/* A Redis that takes connections and drops them at once is not besieged. */
static void test_a_link_that_does_not_last_is_opened_ever_less(void **state)
{
    (void)state;
    unsigned opened = 0;
    for (unsigned ms = 0; ms < 10000; ms++) {
        hg_buf_clear(&gate.asked);
        hgt_turn(&gate, 1);
        if (hgt_asked(&gate, "2: open") || ms == 0) {
            if (ms > 0)
                hgt_up(&gate, HG_LINK_REPLAY);
            hgt_down(&gate, HG_LINK_REPLAY);
            opened++;
        }
    }
    assert_in_range(opened, 5, 25);
    /* Once it has lasted, the next loss is a first one again. */
    while (!hgt_asked(&gate, "2: open"))
        hgt_turn(&gate, 1);
    hgt_up(&gate, HG_LINK_REPLAY);
    for (unsigned i = 0; i < 40; i++) {
        hg_buf_clear(&gate.asked);
        hgt_turn(&gate, 100);
    }
    hgt_down(&gate, HG_LINK_REPLAY);
    hgt_turn(&gate, 51);
    assert_true(hgt_asked(&gate, "2: open"));
}

/* Keys that the gateway may not read turn up in every pass: that is no news. */
static void test_keys_that_may_not_be_read_are_told_of_once(void **state)
{
    (void)state;
    struct hgt_client *client = hgt_gate_connect(&gate);
    subscribe(client, "st.**", "");
    hgt_turn(&gate, 0);
    answer_listener();
    hgt_forget(&gate);
    for (unsigned pass = 0; pass < 3; pass++) {
        hgt_answer(&gate, HG_LINK_COMMANDER, "*2\r\n$1\r\n0\r\n*2\r\n$4\r\nst.a\r\n$4\r\nst.b\r\n");
        hgt_turn(&gate, 0);
        for (unsigned i = 0; i < 4; i++) { /* XINFO, then XREVRANGE, of both */
            hgt_answer(&gate, HG_LINK_COMMANDER, "-NOPERM this user has no permissions to access a key\r\n");
            hgt_turn(&gate, 0);
        }
        hgt_turn(&gate, 500);
        hgt_turn(&gate, 500);
    }
    assert_int_equal(hgt_logged_times(&gate, "NOPERM"), 1);
    assert_true(hgt_said(client, "\"op\":\"ok\""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_many_replays_of_a_slow_client_lose_nothing),
        T(test_subscribes_that_wait_are_bounded),
        T(test_more_gaps_than_room_close_the_client),
        T(test_lingering_topics_make_room),
        T(test_emits_do_not_drive_scans),
        T(test_a_refused_topic_delays_no_other),
        T(test_a_busy_listener_is_not_taken_for_dead),
        T(test_the_ceiling_of_a_log_counts_all_it_holds),
        T(test_a_link_that_does_not_last_is_opened_ever_less),
        T(test_keys_that_may_not_be_read_are_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
