#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/gate.h"

#define CONFIG                                                                                                         \
    "{\"linger_ms\":100,\"event_bytes_max\":1024,\"log_bytes_max\":65536,\"conflate_keys_max\":%u,\"canary_ms\":"      \
    "600000,\"ping_ms\":3600000,\"stall_timeout_ms\":%u,\"topics\":[{\"match\":\"**\",\"source\":\"channel\"}]}"
#define EVERY_MS 100

static struct hgt_gate gate;

static void open_gate(unsigned keys_max, unsigned stall_ms)
{
    char config[1024];
    snprintf(config, sizeof(config), CONFIG, keys_max, stall_ms);
    hgt_gate_open(&gate, config);
}

static void put_string(struct hg_buf *buf, const char *text)
{
    hg_buf_printf(buf, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void push(const char *kind, const char *channel, const char *payload)
{
    struct hg_buf resp;
    hg_buf_init(&resp, 1 << 16);
    hg_buf_put_str(&resp, "*3\r\n");
    put_string(&resp, kind);
    put_string(&resp, channel);
    if (payload)
        put_string(&resp, payload);
    else
        hg_buf_put_str(&resp, ":1\r\n");
    hg_buf_put_char(&resp, '\0');
    hgt_answer(&gate, HG_LINK_LISTENER, resp.ptr);
    hg_buf_done(&resp);
}

static void publish(const char *payload)
{
    push("message", "a", payload);
}

static struct hgt_client *subscribed(const char *options)
{
    struct hgt_client *client = hgt_gate_connect(&gate);
    char command[256];
    bool first = gate.client_count == 1;
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"a\"%s}", options);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
    if (first)
        push("subscribe", "a", NULL);
    hgt_turn(&gate, 0);
    return client;
}

static void writable(struct hgt_client *client)
{
    client->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, client->ref);
}

static struct hg_core_stats stats(void)
{
    struct hg_core_stats now;
    hg_core_stats(gate.core, &now);
    return now;
}

static void assert_counts_close(void)
{
    struct hg_core_stats now = stats();
    assert_int_equal(now.deliveries_offered, now.deliveries_sent + now.deliveries_gapped + now.deliveries_replaced +
                                                 now.deliveries_dropped + now.deliveries_conflated);
}

#define BY_K ",\"conflate\":{\"key\":\"k\",\"every_ms\":100}"

/* What was said without answers, and forgotten. */
static const char *told(const struct hgt_client *client)
{
    static char texts[2][1 << 16];
    static unsigned which;
    char *text = texts[which++ % 2];
    size_t len = 0;
    for (const char *at = client->said.ptr, *end; at && *at && (end = strchr(at, '\n')); at = end + 1)
        if (strncmp(at, "{\"op\":\"ok\"", 10) != 0 && strncmp(at, "{\"op\":\"welcome\"", 15) != 0) {
            assert_true(len + (size_t)(end + 1 - at) < sizeof(texts[0]));
            memcpy(text + len, at, (size_t)(end + 1 - at));
            len += (size_t)(end + 1 - at);
        }
    text[len] = '\0';
    return text;
}

#define EVENT(payload)  "{\"op\":\"event\",\"sub\":1,\"topic\":\"a\",\"event\":" payload "}\n"
#define CONFLATED(text) "{\"op\":\"conflated\",\"sub\":1,\"count\":" text "}\n"
#define OVERFLOW        "{\"op\":\"gap\",\"sub\":1,\"topic\":\"a\",\"reason\":\"overflow\"}\n"

/* ---- single decisions -------------------------------------------------------------------------------------------- */

static void test_the_latest_of_each_key_comes_with_the_number_of_the_others(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(BY_K), *b = subscribed(BY_K);
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":1}");
    hgt_turn(&gate, 0); /* the first one does not wait */
    assert_string_equal(told(a), EVENT("{\"k\":1,\"n\":1}"));
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":2}");
    publish("{\"k\":2,\"n\":3}");
    publish("{\"k\":1,\"n\":4}");
    hgt_turn(&gate, 99);
    assert_string_equal(told(a), "");
    assert_int_equal(hg_core_next_deadline(gate.core).us, gate.now.us + 1000);
    hgt_turn(&gate, 1);
    assert_string_equal(told(a), EVENT("{\"k\":2,\"n\":3}") EVENT("{\"k\":1,\"n\":4}") CONFLATED("1"));
    assert_string_equal(told(a), told(b));
    assert_int_equal(a->writes, 1);
    assert_int_equal(a->bytes.len, b->bytes.len);
    assert_counts_close();
    assert_int_equal(stats().log_bytes, 0);
    hgt_gate_close(&gate);
}

static void test_a_pace_is_part_of_what_a_subscription_is(void **state)
{
    (void)state;
    static const char *const options[] = {
        "",
        ",\"filter\":\"n > 1\"",
        ",\"rate\":10",
        ",\"conflate\":{\"key\":\"k\",\"every_ms\":100}",
        ",\"conflate\":{\"key\":\"k\",\"every_ms\":101}",
        ",\"conflate\":{\"key\":\"l\",\"every_ms\":100}",
        ",\"filter\":\"n > 1\",\"conflate\":{\"key\":\"k\",\"every_ms\":100}",
    };
    open_gate(100, 60000);
    struct hgt_client *a = subscribed("");
    for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
        char command[256], wanted[64];
        snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":%u,\"topic\":\"a\"%s}", i, options[i]);
        snprintf(wanted, sizeof(wanted), "\"ref\":%u,\"sub\":%u}", i, i + 1);
        hgt_say(&gate, a, command);
        hgt_turn(&gate, 0);
        assert_true(hgt_said(a, wanted));
    }
    hgt_say(&gate, a,
            "{\"op\":\"subscribe\",\"ref\":99,\"topic\":\"a\",\"filter\":\"(n>1)\",\"conflate\":{\"every_ms\":"
            "100,\"key\":\" (k)\"}}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, "\"ref\":99,\"sub\":7}"));
    hgt_gate_close(&gate);
}

static void test_a_key_that_is_no_expression_is_refused_in_words(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(",\"conflate\":{\"key\":\"data.x = \"}");
    assert_true(hgt_said(a, "\"code\":120,\"reason\":\"filter_invalid\",\"message\":\"The key of \\\"conflate\\\""));
    assert_true(hgt_said(a, "\"at\":9"));
    assert_int_equal(stats().groups, 0);
    hgt_gate_close(&gate);
}

static void test_a_rate_is_of_all_events_together(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(",\"rate\":10");
    hgt_forget(&gate);
    unsigned events = 0;
    for (unsigned n = 0; n < 1000; n++) {
        char payload[64];
        snprintf(payload, sizeof(payload), "{\"k\":%u,\"n\":%u}", n % 7, n);
        publish(payload);
        hgt_turn(&gate, 1);
    }
    for (const char *at = a->said.ptr; (at = strstr(at, "\"op\":\"event\"")); at++)
        events++;
    assert_int_equal(events, 10);
    hgt_turn(&gate, 100);
    assert_true(hgt_said(a, EVENT("{\"k\":5,\"n\":999}")));
    assert_counts_close();
    hgt_gate_close(&gate);
}

static void test_a_slow_client_costs_no_log_and_gets_the_latest(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *slow = subscribed(BY_K), *quick = subscribed(BY_K);
    hgt_forget(&gate);
    slow->buffering = true;
    publish("{\"k\":1,\"n\":0}"); /* fills its socket */
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    for (unsigned n = 1; n <= 100; n++) {
        char payload[1000];
        snprintf(payload, sizeof(payload), "{\"k\":%u,\"n\":%u,\"text\":\"%0900u\"}", n % 3, n, n);
        publish(payload);
        hgt_turn(&gate, 100);
        assert_true(stats().log_bytes < 10000);
    }
    assert_int_equal(quick->writes, 100);
    assert_int_equal(slow->writes, 0);
    writable(slow);
    hgt_turn(&gate, 0);
    assert_int_equal(slow->writes, 1);
    assert_true(hgt_said(slow, "\"n\":98,") && hgt_said(slow, "\"n\":99,") && hgt_said(slow, "\"n\":100,"));
    assert_true(hgt_said(slow, CONFLATED("97")));
    assert_counts_close();
    assert_int_equal(stats().log_bytes, 0);
    /* In step again. */
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":101}");
    hgt_turn(&gate, 100);
    assert_string_equal(told(slow), EVENT("{\"k\":1,\"n\":101}"));
    hgt_gate_close(&gate);
}

static void test_a_client_that_stopped_reading_is_closed(void **state)
{
    (void)state;
    open_gate(100, 1000);
    struct hgt_client *slow = subscribed(BY_K);
    slow->buffering = true;
    for (unsigned n = 0; n < 22; n++) {
        publish("{\"k\":1}");
        hgt_turn(&gate, 100);
    }
    assert_int_equal(slow->close_code, 4408);
    assert_counts_close();
    assert_int_equal(stats().log_bytes, 0);
    hgt_gate_close(&gate);
}

static void test_more_keys_than_are_kept_are_a_gap_for_the_slow_only(void **state)
{
    (void)state;
    open_gate(2, 60000);
    struct hgt_client *slow = subscribed(BY_K), *quick = subscribed(BY_K);
    slow->buffering = true;
    publish("{\"k\":0}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    publish("{\"k\":1}");
    publish("{\"k\":2}");
    publish("{\"k\":3}"); /* does not fit: all three are told before their time */
    hgt_turn(&gate, 0);
    assert_string_equal(told(quick), EVENT("{\"k\":1}") EVENT("{\"k\":2}") EVENT("{\"k\":3}"));
    publish("{\"k\":4}");
    publish("{\"k\":4,\"n\":2}");
    hgt_turn(&gate, 100);
    publish("{\"k\":5}");
    hgt_turn(&gate, 100);
    hgt_forget(&gate);
    writable(slow);
    hgt_turn(&gate, 0);
    assert_string_equal(told(slow), OVERFLOW EVENT("{\"k\":4,\"n\":2}") EVENT("{\"k\":5}") CONFLATED("4"));
    assert_counts_close();
    hgt_gate_close(&gate);
}

static void test_a_gap_comes_at_once_and_in_order(void **state)
{
    (void)state;
    char large[1100];
    memset(large, '7', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(BY_K);
    publish("{\"k\":0}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":1}");
    publish("{\"k\":2,\"n\":2}");
    publish(large);
    publish("{\"k\":1,\"n\":3}");
    hgt_turn(&gate, 0);
    assert_string_equal(told(a), EVENT("{\"k\":2,\"n\":2}") "{\"op\":\"gap\",\"sub\":1,\"topic\":\"a\",\"reason\":"
                                                            "\"overflow\",\"count\":1}\n" EVENT("{\"k\":1,\"n\":3}")
                                                                CONFLATED("1"));
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":4}");
    hgt_down(&gate, HG_LINK_LISTENER);
    hgt_turn(&gate, 0);
    assert_string_equal(told(a), EVENT("{\"k\":1,\"n\":4}") "{\"op\":\"stale\",\"sub\":1,\"topics\":[\"a\"]}\n");
    assert_counts_close();
    hgt_gate_close(&gate);
}

static void test_an_update_keeps_the_pace_and_what_is_owed_comes_before(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(BY_K), *b = subscribed(BY_K);
    publish("{\"k\":0}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":1}");
    publish("{\"k\":1,\"n\":2}");
    hgt_say(&gate, a, "{\"op\":\"update\",\"ref\":2,\"sub\":1,\"filter\":\"n > 3\"}");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a, EVENT("{\"k\":1,\"n\":2}") CONFLATED("1") "{\"op\":\"ok\",\"ref\":2,\"sub\":2}\n"));
    assert_string_equal(told(b), "");
    hgt_forget(&gate);
    publish("{\"k\":1,\"n\":3}");
    publish("{\"k\":1,\"n\":4}");
    publish("{\"k\":1,\"n\":5}");
    hgt_turn(&gate, 0);
    assert_string_equal(told(a), "{\"op\":\"event\",\"sub\":2,\"topic\":\"a\",\"event\":{\"k\":1,\"n\":5}}\n"
                                 "{\"op\":\"conflated\",\"sub\":2,\"count\":1}\n");
    hgt_turn(&gate, 100);
    assert_string_equal(told(b), EVENT("{\"k\":1,\"n\":5}") CONFLATED("4"));
    assert_counts_close();
    hgt_gate_close(&gate);
}

static void test_a_paused_subscription_is_not_in_step(void **state)
{
    (void)state;
    open_gate(100, 60000);
    struct hgt_client *a = subscribed(BY_K);
    hgt_say(&gate, a, "{\"op\":\"pause\",\"ref\":2,\"sub\":1}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    for (unsigned n = 0; n < 5; n++) {
        publish(n % 2 ? "{\"k\":1}" : "{\"k\":2}");
        hgt_turn(&gate, 100);
    }
    assert_string_equal(told(a), "");
    hgt_say(&gate, a, "{\"op\":\"resume\",\"ref\":3,\"sub\":1}");
    hgt_turn(&gate, 0);
    assert_string_equal(told(a), EVENT("{\"k\":1}") EVENT("{\"k\":2}") CONFLATED("3"));
    assert_counts_close();
    hgt_gate_close(&gate);
}

static void test_a_large_state_is_built_piece_by_piece(void **state)
{
    (void)state;
    open_gate(1000, 60000);
    struct hgt_client *slow = subscribed(BY_K), *quick = subscribed(BY_K);
    slow->buffering = true;
    publish("{\"k\":-1}");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    for (unsigned n = 0; n < 200; n++) { /* 200 times 300 bytes, twice */
        char payload[400];
        snprintf(payload, sizeof(payload), "{\"k\":%u,\"n\":%u,\"text\":\"%0250u\"}", n % 100, n, n);
        publish(payload);
        if (n % 10 == 9)
            hgt_turn(&gate, 100);
    }
    assert_true(quick->writes >= 20);
    hgt_forget(&gate);
    unsigned events = 0;
    for (unsigned i = 0; i < 5; i++) {
        writable(slow);
        slow->buffering = true; /* each write fills it */
        hgt_turn(&gate, 1);
    }
    for (const char *at = slow->said.ptr; (at = strstr(at, "\"op\":\"event\"")); at++)
        events++;
    assert_int_equal(events, 100);
    assert_true(hgt_said(slow, CONFLATED("100")));
    assert_counts_close();
    hgt_gate_close(&gate);
}

/* ---- against a model --------------------------------------------------------------------------------------------- */

/* All that was ever published is kept, and everything is searched from the beginning. */
#define PUBLISHED_MAX 400
#define MEMBERS       5

static struct {
    struct published {
        unsigned key;
        char frame[160];
    } events[PUBLISHED_MAX];
    unsigned count, ticked;
    bool waits, has_ticked;
    uint64_t due_us, last_us;
    struct member {
        struct hgt_client *client;
        bool there, behind, has_part;
        unsigned seen, offered_from;
        char part[1 << 14]; /* shared, not taken yet */
        char wanted[1 << 15];
    } members[MEMBERS];
} model;

#define NO_KEY    7
#define TOO_LARGE 8 /* each its own */

static const struct {
    const char *member;
    unsigned key;
} spellings[] = {
    {"\"k\":\"a\"", 0},  {"\"k\":\"b\"", 1}, {"\"k\":1", 2},           {"\"k\":\"1\"", 3},   {"\"k\":1.0", 2},
    {"\"k\":1.5", 4},    {"\"k\":null", 5},  {"\"k\":true", 6},        {"\"k\":{}", NO_KEY}, {"\"k\":[1]", NO_KEY},
    {"\"l\":1", NO_KEY}, {"\"k\":15e-1", 4}, {"\"k\":\"\\u0061\"", 0},
};

static bool is_latest(unsigned number, unsigned of)
{
    for (unsigned i = number + 1; i < of; i++)
        if (model.events[i].key != TOO_LARGE && model.events[i].key == model.events[number].key)
            return false;
    return true;
}

/* Those of (from, upto) that no newer one of all `known` replaces; then the number of the others. */
static void put_state(char *into, unsigned from, unsigned upto, unsigned known)
{
    unsigned sent = 0;
    for (unsigned i = from; i < upto; i++)
        if (is_latest(i, known)) {
            strcat(into, model.events[i].frame);
            sent++;
        }
    if (upto - from > sent)
        sprintf(into + strlen(into), "{\"op\":\"conflated\",\"sub\":1,\"count\":%u}\n", upto - from - sent);
}

static void model_tick(void)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member *member = &model.members[i];
        if (!member->there)
            continue;
        if (member->has_part) {
            member->has_part = false;
            member->behind = true;
        } else if (member->seen == model.ticked) {
            member->behind = false;
        }
        if (!member->behind) {
            member->part[0] = '\0';
            put_state(member->part, model.ticked, model.count, model.count);
            member->has_part = true;
        }
    }
    model.ticked = model.count;
    model.waits = false;
    model.has_ticked = true;
    model.last_us = gate.now.us;
}

static void model_flush(bool *may)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member *member = &model.members[i];
        if (!member->there || !may[i])
            continue;
        if (member->has_part) {
            strcat(member->wanted, member->part);
            member->has_part = false;
            member->seen = model.ticked;
        } else if (member->behind && member->seen < model.ticked) {
            put_state(member->wanted, member->seen, model.ticked, model.count);
            member->seen = model.ticked;
        }
        member->behind = !member->has_part && member->seen != model.ticked;
    }
}

static void model_publish(struct hg_prng *prng)
{
    char payload[64], large[1101];
    struct published *event = &model.events[model.count];
    uint64_t dice = hg_prng_below(prng, 40);
    bool urgent = dice == 0;
    if (urgent) {
        memset(large, 'x', 1100);
        large[1100] = '\0';
        event->key = TOO_LARGE;
        strcpy(event->frame, "{\"op\":\"gap\",\"sub\":1,\"topic\":\"a\",\"reason\":\"overflow\",\"count\":1}\n");
    } else if (dice == 1) {
        snprintf(payload, sizeof(payload), "no JSON %u", model.count);
        event->key = NO_KEY;
        snprintf(event->frame, sizeof(event->frame), "{\"op\":\"event\",\"sub\":1,\"topic\":\"a\",\"text\":\"%s\"}\n",
                 payload);
    } else {
        uint64_t spelling = hg_prng_below(prng, sizeof(spellings) / sizeof(*spellings));
        snprintf(payload, sizeof(payload), "{%s,\"n\":%u}", spellings[spelling].member, model.count);
        event->key = spellings[spelling].key;
        snprintf(event->frame, sizeof(event->frame), "{\"op\":\"event\",\"sub\":1,\"topic\":\"a\",\"event\":%s}\n",
                 payload);
    }
    publish(urgent ? large : payload);
    model.count++;
    uint64_t due = model.has_ticked ? model.last_us + EVERY_MS * 1000 : gate.now.us;
    due = urgent || due < gate.now.us ? gate.now.us : due;
    model.due_us = model.waits && model.due_us < due ? model.due_us : due;
    model.waits = true;
}

static void model_turn(uint64_t ms, bool *full)
{
    bool may[MEMBERS];
    unsigned writes[MEMBERS];
    for (unsigned i = 0; i < MEMBERS; i++) {
        may[i] = !full[i];
        writes[i] = model.members[i].client->writes;
    }
    hgt_turn(&gate, ms);
    if (model.waits && gate.now.us >= model.due_us)
        model_tick();
    model_flush(may);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member *member = &model.members[i];
        assert_string_equal(told(member->client), member->wanted);
        member->wanted[0] = '\0';
        if (member->client->writes > writes[i] && member->client->buffering)
            full[i] = true;
    }
    hgt_forget(&gate);
}

static void run_model(uint64_t seed)
{
    struct hg_prng prng;
    bool full[MEMBERS] = {false};
    hg_prng_init(&prng, seed);
    memset(&model, 0, sizeof(model));
    open_gate(1000, 3600000);
    for (unsigned i = 0; i < MEMBERS; i++) {
        model.members[i].client = subscribed(BY_K);
        model.members[i].there = true;
    }
    hgt_forget(&gate);
    while (model.count < PUBLISHED_MAX) {
        unsigned which = 1 + (unsigned)hg_prng_below(&prng, MEMBERS - 1);
        struct member *member = &model.members[which];
        switch (hg_prng_below(&prng, 12)) {
        case 0:
            if (full[which]) {
                full[which] = false;
                writable(member->client);
            }
            break;
        case 1:
            member->client->buffering = hg_prng_below(&prng, 3) > 0 || full[which];
            break;
        case 2:
            if (hg_prng_below(&prng, 4) > 0 || full[which]) /* no answer may fill it */
                break;
            hgt_say(&gate, member->client,
                    member->there ? "{\"op\":\"unsubscribe\",\"ref\":3,\"sub\":1}"
                                  : "{\"op\":\"subscribe\",\"ref\":4,\"topic\":\"a\"" BY_K "}");
            member->there = !member->there;
            member->has_part = false;
            member->seen = model.count;
            member->behind = model.count != model.ticked;
            break;
        case 3:
        case 4:
        case 5:
            model_turn(hg_prng_below(&prng, 60), full);
            break;
        default:
            model_publish(&prng);
        }
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        model.members[i].client->buffering = false;
        if (full[i])
            writable(model.members[i].client);
        full[i] = false;
    }
    for (unsigned i = 0; i < 3; i++)
        model_turn(100, full);
    assert_counts_close();
    assert_int_equal(stats().log_bytes, 0);
    hgt_gate_close(&gate);
}

static void test_any_row_of_events_is_what_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        run_model(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_latest_of_each_key_comes_with_the_number_of_the_others),
        cmocka_unit_test(test_a_pace_is_part_of_what_a_subscription_is),
        cmocka_unit_test(test_a_key_that_is_no_expression_is_refused_in_words),
        cmocka_unit_test(test_a_rate_is_of_all_events_together),
        cmocka_unit_test(test_a_slow_client_costs_no_log_and_gets_the_latest),
        cmocka_unit_test(test_a_client_that_stopped_reading_is_closed),
        cmocka_unit_test(test_more_keys_than_are_kept_are_a_gap_for_the_slow_only),
        cmocka_unit_test(test_a_gap_comes_at_once_and_in_order),
        cmocka_unit_test(test_an_update_keeps_the_pace_and_what_is_owed_comes_before),
        cmocka_unit_test(test_a_paused_subscription_is_not_in_step),
        cmocka_unit_test(test_a_large_state_is_built_piece_by_piece),
        cmocka_unit_test(test_any_row_of_events_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
