/* Deflated frames of a group: who gets them, when they are made, that they hold what the plain ones hold. The simulator
 * compares them for whole runs. */
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
    "{\"linger_ms\":100,\"log_bytes_max\":65536,\"event_bytes_max\":65536,\"canary_ms\":600000,"                       \
    "\"deflate_min_bytes\":200%s,\"topics\":[{\"match\":\"ch.**\",\"source\":\"channel\"}]}"

static struct hgt_gate gate;

static void open_with(const char *more)
{
    char config[512];
    snprintf(config, sizeof(config), CONFIG, more);
    hgt_gate_open(&gate, config);
}

static int open_gate(void **state)
{
    (void)state;
    open_with("");
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

static struct hgt_client *subscribe(struct hgt_client *client, const char *topic)
{
    char command[256];
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"%s\"}", topic);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
    return client;
}

static struct hgt_client *deflating(const char *topic)
{
    return subscribe(hgt_gate_connect_deflating(&gate), topic);
}

static struct hgt_client *plain(const char *topic)
{
    return subscribe(hgt_gate_connect(&gate), topic);
}

static void confirm(const char *topic)
{
    char resp[256];
    snprintf(resp, sizeof(resp), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(topic), topic);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
}

/* An event of so many bytes, of few letters or of digits without order. */
static void publish(const char *topic, unsigned n, size_t bytes, bool dense)
{
    char *resp = malloc(bytes + 256), *at = resp;
    assert_non_null(resp);
    at += sprintf(at, "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(topic), topic, bytes);
    char *event = at;
    at += sprintf(at, "{\"n\":%u,\"pad\":\"", n);
    uint32_t x = n + 1;
    while (at < event + bytes - 2) {
        x = x * 1664525u + 1013904223u;
        *at++ = dense ? "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[x >> 26] : 'p';
    }
    memcpy(at, "\"}\r\n", 5);
    hgt_answer(&gate, HG_LINK_LISTENER, resp);
    free(resp);
}

static struct hg_core_stats stats(void)
{
    struct hg_core_stats now;
    hg_core_stats(gate.core, &now);
    return now;
}

static void assert_same_said(const struct hgt_client *a, const struct hgt_client *b)
{
    assert_int_equal(a->said.len, b->said.len);
    assert_memory_equal(a->said.ptr, b->said.ptr, a->said.len);
}

static void test_those_who_agreed_share_deflated_frames(void **state)
{
    (void)state;
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a"), *c = plain("ch.a");
    confirm("ch.a");
    for (unsigned n = 0; n < 5; n++)
        publish("ch.a", n, n % 2 ? 100 : 1000, false);
    hgt_turn(&gate, 0);
    /* Of five frames three are large enough; all stand there, in order, in one write. */
    assert_int_equal(a->deflated, 3);
    assert_int_equal(a->writes, 1);
    assert_int_equal(c->deflated, 0);
    assert_same_said(a, c);
    assert_same_said(b, c);
    assert_true(hgt_said(a, "{\"n\":3,"));
    assert_int_equal(a->bytes.len, b->bytes.len);
    assert_memory_equal(a->bytes.ptr, b->bytes.ptr, a->bytes.len);
    assert_true(a->bytes.len < c->bytes.len / 4);
    assert_int_equal(stats().segments_deflated, 1);
    assert_int_equal(stats().deflate_bytes_in, c->bytes.len);
    assert_int_equal(stats().deflate_bytes_out, a->bytes.len);
    assert_int_equal(stats().log_bytes, 0);
}

static void test_answers_go_plain(void **state)
{
    (void)state;
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "\"op\":\"welcome\""));
    confirm("ch.a");
    publish("ch.a", 1, 1000, false);
    hgt_say(&gate, a, "{\"op\":\"ping\",\"ref\":\"x\"}");
    hgt_turn(&gate, 0);
    /* Gathered with an answer. */
    assert_int_equal(a->writes, 1);
    assert_int_equal(a->deflated, 1);
    assert_true(hgt_said(a, "{\"op\":\"ok\",\"ref\":\"x\"}\n{\"op\":\"event\",\"sub\":1,"));
    assert_int_equal(b->deflated, 1);
}

static void test_one_alone_gets_plain_frames(void **state)
{
    (void)state;
    struct hgt_client *a = deflating("ch.a"), *b = plain("ch.a"), *c = deflating("ch.b");
    confirm("ch.a");
    confirm("ch.b");
    publish("ch.a", 1, 1000, false);
    publish("ch.b", 1, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(a->deflated + b->deflated + c->deflated, 0);
    assert_int_equal(stats().segments_deflated, 0);
    /* Another comes, and the first one leaves again. */
    struct hgt_client *d = deflating("ch.a");
    hgt_turn(&gate, 0);
    publish("ch.a", 2, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(a->deflated, 1);
    assert_int_equal(d->deflated, 1);
    hgt_say(&gate, a, "{\"op\":\"unsubscribe\",\"ref\":2,\"sub\":1}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    publish("ch.a", 3, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(d->deflated, 0);
    assert_true(hgt_said(d, "{\"n\":3,"));
}

static void test_what_does_not_pay_goes_plain(void **state)
{
    (void)state;
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a");
    confirm("ch.a");
    publish("ch.a", 1, 140, false); /* with what stands around it fewer than deflate_min_bytes */
    hgt_turn(&gate, 0);
    assert_int_equal(stats().segments_deflated, 0);
    publish("ch.a", 2, 20000, true); /* six bits a byte: hardly a quarter to save, and here still an eighth */
    hgt_turn(&gate, 0);
    assert_int_equal(stats().segments_deflated, 1);
    assert_int_equal(a->deflated, 1);
    hgt_forget(&gate);
    for (unsigned n = 3; n < 30; n++) /* but for one, all are too small; together they would save a twentieth */
        publish("ch.a", n, n == 20 ? 400 : 120, false);
    hgt_turn(&gate, 0);
    assert_int_equal(stats().segments_deflated, 2);
    assert_int_equal(a->deflated, 0);
    assert_int_equal(hgt_said_times(a, "{\"n\":"), 27);
    assert_same_said(a, b);
}

static void test_a_late_reader_gets_what_is_there(void **state)
{
    (void)state;
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a"), *late = deflating("ch.a");
    confirm("ch.a");
    late->buffering = true;
    publish("ch.a", 1, 1000, false);
    hgt_turn(&gate, 0);
    late->buffering = false;
    publish("ch.a", 2, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(a->deflated, 2);
    assert_int_equal(late->deflated, 1);
    hg_on_ws_writable(gate.core, gate.now, late->ref);
    hgt_turn(&gate, 0);
    assert_int_equal(late->deflated, 2);
    assert_same_said(late, b);
    assert_int_equal(stats().log_bytes, 0);
    assert_int_equal(stats().frames_alive, 0);
    /* All are late but one: nobody else waits for it, so it is not made for that one. */
    hgt_forget(&gate);
    a->buffering = late->buffering = true;
    publish("ch.a", 3, 1000, false);
    hgt_turn(&gate, 0);
    hgt_say(&gate, b, "{\"op\":\"unsubscribe\",\"ref\":2,\"sub\":1}");
    hgt_turn(&gate, 0);
    publish("ch.a", 4, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(stats().segments_deflated, 3);
}

/* What the log holds while one member is late. */
static uint64_t held_by_the_log(const char *topic, bool deflated, size_t *ret_sent)
{
    struct hgt_client *a = deflated ? deflating(topic) : plain(topic);
    struct hgt_client *late = deflated ? deflating(topic) : plain(topic);
    confirm(topic);
    late->buffering = true;
    publish(topic, 1, 1000, false);
    hgt_turn(&gate, 0);
    late->buffering = false;
    publish(topic, 2, 3000, true);
    hgt_turn(&gate, 0);
    *ret_sent = a->bytes.len;
    uint64_t held = stats().log_bytes;
    hg_on_ws_writable(gate.core, gate.now, late->ref);
    hgt_turn(&gate, 0);
    assert_int_equal(stats().log_bytes, 0);
    return held;
}

static void test_a_copy_counts_with_its_bytes(void **state)
{
    (void)state;
    size_t sent_plain, sent;
    uint64_t held_plain = held_by_the_log("ch.a", false, &sent_plain), held = held_by_the_log("ch.b", true, &sent);
    assert_true(sent < sent_plain);
    assert_int_equal(held, held_plain + sent);
}

static void test_copies_count_into_the_budget(void **state)
{
    (void)state;
    struct hgt_client *slow[2] = {deflating("ch.a"), deflating("ch.a")};
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a");
    confirm("ch.a");
    slow[0]->buffering = slow[1]->buffering = true;
    for (unsigned n = 0; n < 40; n++) {
        publish("ch.a", n, 5000, true);
        hgt_turn(&gate, 0);
        assert_true(stats().log_bytes <= 65536);
    }
    assert_int_equal(a->deflated, 40);
    assert_int_equal(b->deflated, 40);
    slow[0]->buffering = slow[1]->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, slow[0]->ref);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(slow[0], "\"reason\":\"overflow\""));
    assert_true(hgt_said(slow[0], "{\"n\":0,"));
}

static void test_a_turn_spends_so_much_and_no_more(void **state)
{
    (void)state;
    static const char *const topics[] = {"ch.a", "ch.b", "ch.c", "ch.d"};
    struct hgt_client *clients[4][2];
    for (unsigned i = 0; i < 4; i++) {
        clients[i][0] = deflating(topics[i]);
        clients[i][1] = deflating(topics[i]);
        confirm(topics[i]);
    }
    for (unsigned n = 0; n < 12; n++)
        publish(topics[n % 4], n, 60000, false);
    hgt_turn(&gate, 0);
    unsigned deflated = 0;
    for (unsigned i = 0; i < 4; i++) {
        deflated += clients[i][0]->deflated;
        assert_same_said(clients[i][0], clients[i][1]);
        assert_int_equal(hgt_said_times(clients[i][0], "{\"n\":"), 3);
    }
    assert_int_equal(deflated, 9); /* of 30,000 bytes a member, from 256 KiB */
    hgt_forget(&gate);
    publish("ch.d", 20, 60000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(clients[3][0]->deflated, 1);
}

static void test_smaller_windows_and_other_levels(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    for (unsigned bits = 9; bits <= 15; bits += 3) {
        char more[100];
        snprintf(more, sizeof(more), ",\"deflate_window_bits\":%u,\"deflate_level\":%u", bits, bits - 8);
        open_with(more);
        struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a"), *c = plain("ch.a");
        confirm("ch.a");
        publish("ch.a", 1, 30000, true);
        publish("ch.a", 2, 30000, false);
        hgt_turn(&gate, 0);
        assert_int_equal(a->deflated, 2);
        assert_same_said(a, c);
        assert_same_said(b, c);
        if (bits < 15)
            hgt_gate_close(&gate);
    }
}

static void test_not_when_it_is_switched_off(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    open_with(",\"deflate\":false");
    struct hgt_client *a = deflating("ch.a"), *b = deflating("ch.a");
    confirm("ch.a");
    publish("ch.a", 1, 1000, false);
    hgt_turn(&gate, 0);
    assert_int_equal(a->deflated + b->deflated, 0);
    assert_true(hgt_said(a, "{\"n\":1,"));
}

static void test_paced_groups_too(void **state)
{
    (void)state;
    struct hgt_client *clients[2];
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = hgt_gate_connect_deflating(&gate);
        hgt_say(&gate, clients[i],
                "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"ch.a\",\"conflate\":{\"key\":\"n\",\"every_ms\":100}}");
        hgt_turn(&gate, 0);
    }
    confirm("ch.a");
    publish("ch.a", 1, 1000, false);
    hgt_turn(&gate, 100);
    hgt_turn(&gate, 100);
    assert_true(hgt_said(clients[0], "{\"n\":1,"));
    assert_int_equal(clients[0]->deflated, 1);
    assert_same_said(clients[0], clients[1]);
}

static void test_garbled_messages_close(void **state)
{
    (void)state;
    struct hgt_client *a = hgt_gate_connect_deflating(&gate);
    hg_on_ws_garbled(gate.core, gate.now, a->ref);
    assert_int_equal(a->close_code, 1007);
    assert_int_equal(stats().messages_garbled, 1);
    hg_on_ws_garbled(gate.core, gate.now, a->ref);
    assert_int_equal(stats().messages_garbled, 1);
    hg_on_ws_closed(gate.core, gate.now, a->ref);
    hg_on_ws_garbled(gate.core, gate.now, a->ref);
    hg_on_ws_deflates(gate.core, gate.now, a->ref);
}

static void agree_late(void)
{
    hg_on_ws_deflates(gate.core, gate.now, gate.clients[0].ref);
}

static void test_agreement_comes_first(void **state)
{
    (void)state;
    plain("ch.a");
    assert_true(hgt_dies(agree_late));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        TEST(test_those_who_agreed_share_deflated_frames),
        TEST(test_answers_go_plain),
        TEST(test_one_alone_gets_plain_frames),
        TEST(test_what_does_not_pay_goes_plain),
        TEST(test_a_late_reader_gets_what_is_there),
        TEST(test_a_copy_counts_with_its_bytes),
        TEST(test_copies_count_into_the_budget),
        TEST(test_a_turn_spends_so_much_and_no_more),
        TEST(test_smaller_windows_and_other_levels),
        TEST(test_not_when_it_is_switched_off),
        TEST(test_paced_groups_too),
        TEST(test_garbled_messages_close),
        TEST(test_agreement_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
