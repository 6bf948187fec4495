/* Proof of life: each link is asked, and one that does not answer is built anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/gate.h"

#define CANARY_MS 2000
#define CONFIG                                                                                                         \
    "{\"canary_ms\":2000,\"topics\":[{\"match\":\"ch.**\",\"source\":\"channel\"},"                                    \
    "{\"match\":\"st.**\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static struct hgt_client *client;

static void confirm(const char *channel)
{
    char resp[200];
    snprintf(resp, sizeof(resp), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(channel), channel);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
}

static void publish(const char *channel, const char *payload)
{
    char resp[200];
    snprintf(resp, sizeof(resp), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(channel), channel,
             strlen(payload), payload);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
}

/* A client on a channel; from here on the test answers the canary. */
static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"topic\":\"ch.a\"}");
    hgt_turn(&gate, 0);
    confirm("ch.a");
    hgt_turn(&gate, 0);
    gate.canary_by_hand = true;
    hgt_forget(&gate);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

static const char *oldest(uint32_t link)
{
    return gate.requests[link] ? gate.requests[link]->text : "";
}

/* What was PINGed 100 ms ago is answered, from this link on. */
static void pass_from(uint32_t first, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 100) {
        bool asked[HG_LINK_READER];
        for (uint32_t link = first; link < HG_LINK_READER; link++)
            asked[link] = strcmp(oldest(link), "PING") == 0;
        hgt_turn(&gate, 100);
        for (uint32_t link = first; link < HG_LINK_READER; link++)
            if (asked[link] && strcmp(oldest(link), "PING") == 0)
                hgt_answer(&gate, link, "+PONG\r\n");
    }
}

static void pass(uint64_t ms)
{
    pass_from(HG_LINK_LISTENER, ms);
}

/* What PUBLISH said last: its channel and nonce. */
static void take_publish(char *channel, char *nonce)
{
    for (unsigned i = 0; i < 40 && strncmp(oldest(HG_LINK_COMMANDER), "PUBLISH", 7) != 0; i++)
        pass(100);
    if (strncmp(oldest(HG_LINK_COMMANDER), "PUBLISH", 7) != 0)
        fail_msg("no canary in:\n%s", gate.asked.ptr);
    assert_int_equal(sscanf(oldest(HG_LINK_COMMANDER), "PUBLISH %63s %63s", channel, nonce), 2);
}

static void reopen(uint32_t link)
{
    for (unsigned i = 0; i < 100 && !gate.opening[link]; i++)
        pass(100);
    assert_true(gate.opening[link]);
    hgt_up(&gate, link);
}

/* ---- the listener ------------------------------------------------------------------------------------------------ */

static void test_the_canary_goes_round(void **state)
{
    (void)state;
    char channel[64], nonce[64], first[64], last[64] = "";
    for (unsigned i = 0; i < 10; i++) {
        take_publish(channel, nonce);
        if (i == 0)
            strcpy(first, channel);
        assert_string_equal(channel, first);
        assert_string_not_equal(nonce, last);
        strcpy(last, nonce);
        hgt_answer(&gate, HG_LINK_COMMANDER, ":1\r\n");
        publish(channel, nonce);
    }
    pass(100);
    assert_int_equal(strncmp(first, "__headgate__:", 13), 0);
    assert_false(hgt_asked(&gate, "close"));
    assert_int_equal(hgt_asked_times(&gate, "PUBLISH"), 10);
    assert_false(hgt_said(client, "\"op\":\"stale\""));
    assert_false(hgt_said(client, "__headgate__"));
}

static void test_a_nonce_that_does_not_come_back(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_answer(&gate, HG_LINK_COMMANDER, ":1\r\n");
    pass(CANARY_MS - 200);
    assert_false(hgt_asked(&gate, "0: close"));
    pass(CANARY_MS + 200); /* though it answers PING */
    assert_true(hgt_asked(&gate, "0: close"));
    assert_true(hgt_said(client, "{\"op\":\"stale\",\"sub\":1,\"topics\":[\"ch.a\"]}"));
    assert_false(hgt_said(client, "\"gap\""));
    hgt_forget(&gate);
    reopen(HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    /* The canary first: what is confirmed behind it was heard. */
    const char *canary = strstr(gate.asked.ptr, "0: SUBSCRIBE __headgate__:"),
               *topic = strstr(gate.asked.ptr, "0: SUBSCRIBE ch.a");
    assert_true(canary && topic && canary < topic);
    confirm(channel);
    confirm("ch.a");
    publish("ch.a", "1");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "\"reason\":\"disconnected\"}\n"
                                 "{\"op\":\"live\",\"sub\":1,\"topics\":[\"ch.a\"]}\n"
                                 "{\"op\":\"event\",\"sub\":1,\"topic\":\"ch.a\",\"event\":1}\n"));
    take_publish(channel, nonce);
}

static void test_another_nonce_is_not_the_one(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_answer(&gate, HG_LINK_COMMANDER, ":1\r\n");
    publish(channel, "0"); /* somebody's; that anything came counts, once */
    publish(channel, "");
    pass(CANARY_MS + 200);
    assert_true(hgt_asked(&gate, "0: close"));
}

static void test_messages_show_that_it_lives(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_answer(&gate, HG_LINK_COMMANDER, ":1\r\n");
    for (unsigned i = 0; i < 10; i++) { /* a backlog in front of the nonce */
        pass(1000);
        publish("ch.a", "1");
    }
    assert_false(hgt_asked(&gate, "0: close"));
    publish(channel, nonce);
    pass(CANARY_MS - 500);
    assert_false(hgt_asked(&gate, "0: close"));
}

static void test_nobody_listens_any_more(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_answer(&gate, HG_LINK_COMMANDER, ":0\r\n");
    assert_true(hgt_asked(&gate, "0: close")); /* at once: redis says so itself */
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "\"op\":\"stale\""));
    reopen(HG_LINK_LISTENER);
}

static void test_a_channel_that_is_not_allowed(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_LISTENER);
    reopen(HG_LINK_LISTENER);
    assert_int_equal(strncmp(oldest(HG_LINK_LISTENER), "SUBSCRIBE __headgate__:", 23), 0);
    hgt_answer(&gate, HG_LINK_LISTENER, "-NOPERM this user has no permissions to access one of the channels\r\n");
    hgt_turn(&gate, 0);
    confirm("ch.a");
    hgt_forget(&gate);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < 40 && !gate.requests[HG_LINK_LISTENER]; j++)
            pass(100);
        assert_string_equal(oldest(HG_LINK_LISTENER), "PING");
        hgt_answer(&gate, HG_LINK_LISTENER, "+PONG\r\n");
    }
    assert_false(hgt_asked(&gate, "close"));
    assert_false(hgt_asked(&gate, "PUBLISH"));
    /* And that one must be answered. */
    pass_from(HG_LINK_COMMANDER, 2 * CANARY_MS + 200);
    assert_true(hgt_asked(&gate, "0: close"));
    hgt_forget(&gate);
    reopen(HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    assert_false(hgt_asked(&gate, "__headgate__"));
    assert_string_equal(oldest(HG_LINK_LISTENER), "SUBSCRIBE ch.a");
}

static void test_publishing_is_not_allowed(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_answer(&gate, HG_LINK_COMMANDER, "-NOPERM this user has no permissions to access one of the channels\r\n");
    for (unsigned j = 0; j < 40 && !gate.requests[HG_LINK_LISTENER]; j++)
        pass(100);
    assert_string_equal(oldest(HG_LINK_LISTENER), "PING");
    hgt_answer(&gate, HG_LINK_LISTENER, "+PONG\r\n");
    pass(1000);
    assert_false(hgt_asked(&gate, "0: close"));
    assert_int_equal(hgt_asked_times(&gate, "PUBLISH"), 1);
}

static void test_without_a_commander_ping_must_do(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    hgt_down(&gate, HG_LINK_COMMANDER); /* whether that was published, nobody knows */
    for (unsigned j = 0; j < 40 && !gate.requests[HG_LINK_LISTENER]; j++)
        pass(100);
    assert_false(hgt_asked(&gate, "0: close"));
    assert_string_equal(oldest(HG_LINK_LISTENER), "PING");
    hgt_answer(&gate, HG_LINK_LISTENER, "+PONG\r\n");
    hgt_forget(&gate);
    reopen(HG_LINK_COMMANDER);
    take_publish(channel, nonce);
    assert_false(hgt_asked(&gate, "0: close"));
}

/* ---- the other links --------------------------------------------------------------------------------------------- */

static void idle_link_is_asked(uint32_t link)
{
    char ping[16], closed[16];
    snprintf(ping, sizeof(ping), "%u: PING", link);
    snprintf(closed, sizeof(closed), "%u: close", link);
    gate.canary_by_hand = false;
    for (unsigned i = 0; i < 19; i++)
        hgt_turn(&gate, 100);
    gate.canary_by_hand = true;
    for (unsigned i = 0; i < 25 && strcmp(oldest(link), "PING") != 0; i++)
        hgt_turn(&gate, 100);
    assert_string_equal(oldest(link), "PING");
    assert_true(hgt_asked(&gate, ping));
    assert_false(hgt_asked(&gate, closed));
    for (unsigned i = 0; i < CANARY_MS / 100 + 1; i++)
        hgt_turn(&gate, 100);
    assert_true(hgt_asked(&gate, closed));
    for (unsigned i = 0; i < 50 && !gate.opening[link]; i++)
        hgt_turn(&gate, 100);
    assert_true(gate.opening[link]);
}

static void test_an_idle_link_is_asked(void **state)
{
    (void)state;
    hgt_answer(&gate, HG_LINK_LISTENER, "*3\r\n$7\r\nmessage\r\n$4\r\nch.a\r\n$1\r\n1\r\n");
    idle_link_is_asked(HG_LINK_REPLAY);
}

/* Its canary goes over the commander, which is thereby never idle: PUBLISH is what it must answer. */
static void test_a_commander_that_does_not_answer(void **state)
{
    (void)state;
    char channel[64], nonce[64];
    take_publish(channel, nonce);
    publish(channel, nonce); /* it went out, and the answer is swallowed */
    for (unsigned i = 0; i < CANARY_MS / 100 + 1; i++)
        hgt_turn(&gate, 100);
    assert_true(hgt_asked(&gate, "1: close"));
    assert_false(hgt_asked(&gate, "0: close"));
    assert_false(hgt_said(client, "\"stale\""));
}

static void test_a_reader_that_does_not_answer(void **state)
{
    (void)state;
    struct hgt_stream *stream = hgt_gate_stream(&gate, "st.a");
    struct hgt_client *reader = hgt_gate_connect(&gate);
    gate.canary_by_hand = false;
    hgt_say(&gate, reader, "{\"op\":\"subscribe\",\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    assert_true(hgt_asked(&gate, " BLOCK 1000 STREAMS st.a 0-0"));
    hgt_stream_fill(stream, 1, 1);
    hgt_serve(&gate);
    /* One that answers in time, with nothing, is well. */
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned j = 0; j < 10; j++)
            hgt_turn(&gate, 100);
        assert_true(gate.requests[HG_LINK_READER] != NULL);
        if (strncmp(oldest(HG_LINK_READER), "XREAD", 5) == 0)
            hgt_answer(&gate, HG_LINK_READER, "*-1\r\n");
        hgt_serve(&gate);
    }
    assert_false(hgt_asked(&gate, "5: close"));
    assert_false(hgt_said(reader, "\"stale\""));
    for (unsigned j = 0; j < 29; j++)
        hgt_turn(&gate, 100);
    assert_false(hgt_asked(&gate, "5: close"));
    for (unsigned j = 0; j < 2; j++)
        hgt_turn(&gate, 100);
    assert_true(hgt_asked(&gate, "5: close"));
    assert_true(hgt_said(reader, "{\"op\":\"stale\",\"sub\":2,\"topics\":[\"st.a\"]}"));
    assert_false(hgt_said(client, "\"stale\""));
    hgt_stream_fill(stream, 2, 3);
    for (unsigned i = 0; i < 50 && !gate.opening[HG_LINK_READER]; i++)
        hgt_turn(&gate, 100);
    hgt_serve(&gate);
    assert_true(hgt_said(reader, "{\"op\":\"live\",\"sub\":2,\"topics\":[\"st.a\"]}"));
    assert_int_equal(hgt_said_times(reader, "\"op\":\"event\""), 3);
    assert_false(hgt_said(reader, "\"gap\""));
}

/* An hour in which nothing happens costs no link. */
static void test_an_hour_of_silence(void **state)
{
    (void)state;
    struct hg_core_stats stats;
    gate.canary_by_hand = false;
    for (unsigned i = 0; i < 3600; i++) {
        hgt_turn(&gate, 1000);
        hg_on_ws_pong(gate.core, gate.now, client->ref);
    }
    hg_core_stats(gate.core, &stats);
    assert_int_equal(stats.redis_losses, 0);
    assert_false(hgt_said(client, "\"stale\""));
    assert_int_equal(client->close_code, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_the_canary_goes_round),         T(test_a_nonce_that_does_not_come_back),
        T(test_another_nonce_is_not_the_one),  T(test_messages_show_that_it_lives),
        T(test_nobody_listens_any_more),       T(test_a_channel_that_is_not_allowed),
        T(test_publishing_is_not_allowed),     T(test_without_a_commander_ping_must_do),
        T(test_an_idle_link_is_asked),         T(test_a_commander_that_does_not_answer),
        T(test_a_reader_that_does_not_answer), T(test_an_hour_of_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
