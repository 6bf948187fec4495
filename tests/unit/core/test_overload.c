/* What the core does about its load: whom it refuses and what with, whom it closes, what it tells. When it does so is
 * admission.h's business. */
#include "core/state.h"
#include "support/emits.h"

#define CONFIG                                                                                                         \
    "{" HGT_QUIET "\"log_bytes_max\":65536,\"event_bytes_max\":32768,\"stall_timeout_ms\":3600000,"                    \
    "\"connections_max\":6,\"memory_bytes_max\":500000,\"overload_turn_ms\":200,\"system_topic\":true,"                \
    "\"system_ms\":3600000,\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static struct hgt_stream *stream;

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    stream = hgt_gate_stream(&gate, "st.a");
    hgt_gate_stream(&gate, "st.b");
    hgt_gate_stream(&gate, "st.c");
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

/* Turns of this length for ten seconds. */
static void load(uint64_t turn_ms)
{
    for (uint64_t passed = 0; passed < 10000; passed += turn_ms) {
        gate.now = hg_time_add(gate.now, hg_ms(turn_ms));
        hg_on_load(gate.core, gate.now, hg_ms(turn_ms), 1000, 900);
        hgt_turn(&gate, 0);
    }
}

static struct hgt_client *subscribed(void)
{
    struct hgt_client *client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    assert_true(hgt_said(client, "\"op\":\"ok\",\"ref\":1"));
    return client;
}

static void test_new_clients_and_replays_are_refused(void **state)
{
    (void)state;
    struct hgt_client *client = subscribed();
    unsigned retry_s = 0;
    assert_true(hg_core_admits(gate.core, gate.now, &retry_s));
    load(1000);
    assert_int_equal(hgt_books(&gate).sheddings, 1);
    assert_int_equal(hgt_logged_times(&gate, "overload: a turn of the loop takes"), 1);
    for (int i = 0; i < 100; i++) {
        assert_false(hg_core_admits(gate.core, gate.now, &retry_s));
        assert_in_range(retry_s, 2, 10);
    }
    static const char *const replays[] = {
        "{\"op\":\"subscribe\",\"ref\":7,\"topic\":\"st.b\",\"from\":\"start\"}",
        "{\"op\":\"subscribe\",\"ref\":7,\"topic\":\"st.b\",\"from\":{\"last\":5}}",
        "{\"op\":\"subscribe\",\"ref\":7,\"topic\":\"st.b\",\"from\":{\"since\":\"2026-11-23T10:00:00Z\"}}",
        "{\"op\":\"subscribe\",\"ref\":7,\"topic\":\"st.b\",\"from\":{\"cursors\":{\"st.b\":\"1-0\"}}}",
        "{\"op\":\"seek\",\"ref\":7,\"sub\":1,\"from\":\"start\"}",
    };
    for (size_t i = 0; i < sizeof(replays) / sizeof(replays[0]); i++) {
        hgt_forget(&gate);
        hgt_say(&gate, client, replays[i]);
        hgt_turn(&gate, 0);
        assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":7,\"code\":108,"));
        assert_true(hgt_said(client, "\"retry_ms\":"));
        assert_false(hgt_asked(&gate, "st.b"));
    }
    assert_int_equal(hgt_books(&gate).replays_refused, 5);

    /* Those who are there are served, and may ask for what is live. */
    hgt_forget(&gate);
    hgt_stream_add(stream, 5, "{\"n\":1}");
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"n\":1}"));
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":8,\"topic\":\"st.c\"}");
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":8,"));

    load(10);
    assert_true(hg_core_admits(gate.core, gate.now, &retry_s));
    assert_int_equal(hgt_logged_times(&gate, "the overload is over; 100 clients and 5 replays were refused"), 1);
    hgt_say(&gate, client, replays[0]);
    hgt_serve(&gate);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":7,"));
}

/* Nothing else happens, so it must ask for a turn itself. */
static void test_it_asks_for_turns_until_it_is_over(void **state)
{
    (void)state;
    load(1000);
    unsigned turns = 0, retry_s;
    while (!hg_core_admits(gate.core, gate.now, &retry_s)) {
        assert_true(turns++ < 100);
        hg_time deadline = hg_core_next_deadline(gate.core);
        gate.now = hg_time_before(gate.now, deadline) ? deadline : gate.now;
        hg_on_load(gate.core, gate.now, hg_us(10), 1000, 900);
        hgt_turn(&gate, 0);
    }
    assert_true(gate.now.us < UINT64_C(100000000));
}

static void test_all_places_are_taken(void **state)
{
    (void)state;
    unsigned retry_s = 0;
    struct hgt_client *client = NULL;
    for (int i = 0; i < 6; i++) {
        assert_true(hg_core_admits(gate.core, gate.now, &retry_s));
        client = hgt_gate_connect(&gate);
    }
    assert_false(hg_core_admits(gate.core, gate.now, &retry_s));
    assert_in_range(retry_s, 2, 10);
    assert_int_equal(hgt_books(&gate).sessions_refused, 1);
    hg_on_ws_closed(gate.core, gate.now, client->ref);
    assert_true(hg_core_admits(gate.core, gate.now, &retry_s));
}

static void publish_large(unsigned count)
{
    static char event[30000];
    static uint64_t ms = 1000;
    memset(event, 'x', sizeof(event) - 1);
    event[0] = event[sizeof(event) - 2] = '"';
    for (unsigned i = 0; i < count; i++) {
        hgt_stream_add(stream, ms++, event);
        hgt_serve(&gate);
    }
}

static void feed(void)
{
    hg_on_load(gate.core, gate.now, hg_us(10), 1000, 900);
    hgt_turn(&gate, 1);
}

/* One after the other, in the order in which their sockets filled, and no more than it takes. */
static void test_laggards_are_closed_at_the_ceiling(void **state)
{
    (void)state;
    struct hgt_client *first = subscribed(), *second = subscribed(), *good = subscribed();
    gate.config->log_bytes_total_max = 40000; /* so that what is held for clients is what counts */
    gate.config->history_bytes_max = 0;
    second->buffering = true;
    publish_large(1);
    first->buffering = true;
    publish_large(1);
    feed();
    uint64_t held = hgt_books(&gate).bytes_held;
    assert_true(held > 60000 && held < 200000);
    assert_int_equal(hgt_books(&gate).laggards_closed, 0);

    /* Just above what is held: nobody has to go. Just below: the one that is behind for longest. */
    struct hg_admission *admission = &gate.core->overload.admission;
    admission->bytes_max = held + 1;
    feed();
    assert_int_equal(hgt_books(&gate).laggards_closed, 0);
    admission->bytes_max = held - 1000;
    feed();
    assert_int_equal(hgt_books(&gate).laggards_closed, 1);
    assert_int_equal(second->close_code, 1013);
    assert_int_equal(first->close_code, 0);
    /* Until it is gone it is as good as gone. */
    admission->bytes_max = hgt_books(&gate).bytes_held;
    for (int i = 0; i < 5; i++)
        feed();
    assert_int_equal(hgt_books(&gate).laggards_closed, 1);
    hg_on_ws_closed(gate.core, gate.now, second->ref);
    feed();
    assert_int_equal(hgt_books(&gate).laggards_closed, 1);
    assert_true(hgt_books(&gate).bytes_held < held - 20000);

    /* However little it may hold: who is in step has nothing to give back. */
    admission->bytes_max = 10;
    for (int i = 0; i < 5; i++)
        feed();
    assert_int_equal(first->close_code, 1013);
    assert_int_equal(good->close_code, 0);
    assert_int_equal(hgt_books(&gate).laggards_closed, 2);
    hg_on_ws_closed(gate.core, gate.now, first->ref);
}

static void test_the_load_is_told(void **state)
{
    (void)state;
    struct hgt_client *watcher = hgt_gate_connect(&gate);
    hgt_say(&gate, watcher, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"$system\"}");
    hgt_serve(&gate);
    feed();
    assert_true(hgt_said(watcher, "{\"eventType\":\"LoadReport\",\"state\":\"ok\",\"strains\":[],"));
    hgt_forget(&gate);
    load(1000); /* system_ms is far away: it is told at once */
    assert_true(hgt_said(watcher, "{\"eventType\":\"LoadReport\",\"state\":\"shedding\",\"strains\":[\"turns\"],"));
    assert_true(hgt_said(watcher, "\"bytesMax\":500000,\"descriptorsLeft\":900,\"clients\":1,"));
    hgt_forget(&gate);
    load(10);
    assert_true(hgt_said(watcher, "\"state\":\"ok\""));
    assert_true(hgt_said(watcher, "\"sheddings\":1}"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_new_clients_and_replays_are_refused),
        T(test_it_asks_for_turns_until_it_is_over),
        T(test_all_places_are_taken),
        T(test_laggards_are_closed_at_the_ceiling),
        T(test_the_load_is_told),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
