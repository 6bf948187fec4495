/* Who does not want back what it emitted itself: live, from the past, under an earlier name, and what others get. */
#include "core/state.h"
#include "support/emits.h"

#define CONFIG                                                                                                         \
    "{" HGT_QUIET "\"log_bytes_max\":65536,\"linger_ms\":100,\"stall_timeout_ms\":3600000,\"event_bytes_max\":32768,"  \
    "\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static struct hgt_stream *stream;

struct peer {
    struct hgt_client *client;
    char name[HG_SESSION_NAME_BYTES + 1];
};

static struct peer connect_peer(void)
{
    struct peer peer = {.client = hgt_gate_connect(&gate)};
    hgt_turn(&gate, 0);
    const char *at = strstr(peer.client->said.ptr, "\"session\":\"");
    assert_non_null(at);
    memcpy(peer.name, at + strlen("\"session\":\""), HG_SESSION_NAME_BYTES);
    return peer;
}

static void subscribe(struct hgt_client *client, const char *options)
{
    char command[256];
    snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"topic\":\"st.a\"%s}", options);
    hgt_say(&gate, client, command);
    hgt_serve(&gate);
}

/* From now on the client minds its own events; the emit itself is of another topic. */
static void mute(struct hgt_client *client)
{
    hgt_emit_with(&gate, client, 90, "st.other", "i", "1", "\"echo\":false,");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_COMMANDER, "*1\r\n$3\r\n1-0\r\n");
    hgt_turn(&gate, 0);
}

static void hello(struct hgt_client *client, const char *name)
{
    char command[128];
    snprintf(command, sizeof(command), "{\"op\":\"hello\",\"ref\":80,\"session\":\"%s\"}", name);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "{\"op\":\"ok\",\"ref\":80}"));
}

/* The entries it got, as "1 2 4 ". */
static const char *got(const struct hgt_client *client)
{
    static char text[4096];
    size_t len = 0;
    text[0] = '\0';
    for (const char *at = client->said.ptr; (at = strstr(at, "\"cursor\":\"")); at++) {
        const char *line = at;
        while (line > client->said.ptr && line[-1] != '\n')
            line--;
        if (strncmp(line, "{\"op\":\"event\"", 13) == 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%lu ", strtoul(at + 10, NULL, 10));
    }
    return text;
}

/* Each event that was due was sent, or left out for a reason that is counted. */
static void check_books(void)
{
    struct hg_core_stats s = hgt_books(&gate);
    assert_int_equal(s.deliveries_offered, s.deliveries_sent + s.deliveries_gapped + s.deliveries_replaced +
                                               s.deliveries_conflated + s.deliveries_dropped + s.deliveries_muted);
}

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    stream = hgt_gate_stream(&gate, "st.a");
    hgt_stream_fill(stream, 1, 1);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    check_books();
    hgt_gate_close(&gate);
    return 0;
}

static void test_live(void **state)
{
    (void)state;
    struct peer a = connect_peer(), b = connect_peer(), c = connect_peer();
    mute(a.client);
    mute(b.client);
    subscribe(a.client, "");
    subscribe(b.client, "");
    subscribe(c.client, "");
    hgt_stream_fill(stream, 2, 2);
    hgt_stream_add_except(stream, 3, a.name);
    hgt_stream_add_except(stream, 4, a.name);
    hgt_stream_add_except(stream, 5, b.name);
    hgt_stream_add_except(stream, 6, c.name); /* c never emitted so here: it is somebody else's word */
    hgt_stream_add_except(stream, 7, "");
    hgt_stream_add_except(stream, 8, "nonsense \xff");
    hgt_stream_add_except(stream, 9, a.name);
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "2 5 6 7 8 ");
    assert_string_equal(got(b.client), "2 3 4 6 7 8 9 ");
    assert_string_equal(got(c.client), "2 3 4 5 6 7 8 9 ");
    assert_int_equal(hgt_books(&gate).deliveries_muted, 4);
    /* Alone with what it emitted itself, it gets nothing, not even an empty write. */
    unsigned writes = a.client->writes;
    hgt_stream_add_except(stream, 10, a.name);
    hgt_serve(&gate);
    assert_int_equal(a.client->writes, writes);
    assert_string_equal(got(c.client), "2 3 4 5 6 7 8 9 10 ");
}

/* The default: everything comes back, also to a client that muted nothing but is named in an entry. */
static void test_echo_is_the_default(void **state)
{
    (void)state;
    struct peer a = connect_peer();
    subscribe(a.client, "");
    hgt_emit(&gate, a.client, 1, "st.other", "i", "1");
    hgt_turn(&gate, 0);
    assert_false(hgt_asked(&gate, "except"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "*1\r\n$3\r\n1-0\r\n");
    hgt_emit_with(&gate, a.client, 2, "st.other", "i", "1", "\"echo\":true,");
    hgt_turn(&gate, 0);
    assert_false(hgt_asked(&gate, "except"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "*1\r\n$3\r\n1-0\r\n");
    hgt_stream_add_except(stream, 2, a.name);
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "2 ");
    assert_int_equal(gate.core->sessions.echoes.count, 0);
}

static void test_the_past(void **state)
{
    (void)state;
    struct peer a = connect_peer(), b = connect_peer();
    hgt_stream_add_except(stream, 2, a.name);
    hgt_stream_add_except(stream, 3, b.name);
    hgt_stream_fill(stream, 4, 4);
    mute(a.client);
    subscribe(a.client, ",\"from\":\"start\""); /* from Redis */
    assert_string_equal(got(a.client), "1 3 4 ");
    hgt_stream_add_except(stream, 5, a.name);
    hgt_serve(&gate);
    subscribe(b.client, ",\"from\":{\"last\":3}");
    assert_string_equal(got(b.client), "3 4 5 ");
    mute(b.client);
    hgt_say(&gate, b.client, "{\"op\":\"seek\",\"sub\":1,\"from\":\"start\"}"); /* in part from memory */
    hgt_forget(&gate);
    hgt_serve(&gate);
    assert_string_equal(got(b.client), "1 2 4 5 ");
    assert_true(hgt_said(b.client, "caught_up"));
}

/* Under an earlier name, on another gateway: nothing here has seen it emit. */
static void test_hello_after_a_lost_connection(void **state)
{
    (void)state;
    static const char earlier[] = "00112233445566778899aabbccddeeff";
    struct peer a = connect_peer(), b = connect_peer();
    hgt_stream_add_except(stream, 2, earlier);
    hello(a.client, earlier);
    subscribe(a.client, ",\"from\":\"start\"");
    subscribe(b.client, ",\"from\":\"start\"");
    hgt_stream_add_except(stream, 3, earlier);
    hgt_stream_add_except(stream, 4, a.name); /* it is not called so any more */
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "1 4 ");
    assert_string_equal(got(b.client), "1 2 3 4 ");
    /* What it emits now is hidden under that name too. */
    hgt_emit_with(&gate, a.client, 1, "st.other", "i", "1", "\"echo\":false,");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, " except 00112233445566778899aabbccddeeff\n"));
    hgt_answer(&gate, HG_LINK_COMMANDER, "*1\r\n$3\r\n1-0\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(gate.core->sessions.echoes.count, 1);
    /* Two connections of one name, one of which leaves; the same name again; another one. */
    hello(b.client, earlier);
    hg_on_ws_closed(gate.core, gate.now, a.client->ref);
    hello(b.client, earlier);
    hgt_stream_add_except(stream, 5, earlier);
    hgt_serve(&gate);
    assert_string_equal(got(b.client), "1 2 3 4 ");
    hello(b.client, a.name);
    assert_int_equal(gate.core->sessions.echoes.count, 1);
    hgt_stream_add_except(stream, 6, earlier);
    hgt_stream_add_except(stream, 7, a.name);
    hgt_serve(&gate);
    assert_string_equal(got(b.client), "1 2 3 4 6 ");
    hg_on_ws_closed(gate.core, gate.now, b.client->ref);
    assert_int_equal(gate.core->sessions.echoes.count, 0);
}

static void test_hello_without_a_name(void **state)
{
    (void)state;
    struct peer a = connect_peer();
    hgt_say(&gate, a.client, "{\"op\":\"hello\",\"ref\":1}");
    hgt_say(&gate, a.client, "{\"op\":\"hello\",\"ref\":2,\"session\":\"00112233445566778899AABBCCDDEEFF\"}");
    hgt_turn(&gate, 0);
    assert_true(hgt_said(a.client, "{\"op\":\"ok\",\"ref\":1}"));
    assert_true(hgt_told_error(a.client, 2, 107));
    assert_int_equal(gate.core->sessions.echoes.count, 0);
}

/* With filters its group has other members, or none; what passes them is its own all the same. */
static void test_filtered(void **state)
{
    (void)state;
    struct peer a = connect_peer(), b = connect_peer();
    mute(a.client);
    subscribe(a.client, ",\"filter\":\"n > 1\"");
    subscribe(b.client, ",\"filter\":\"n > 1\"");
    for (uint64_t ms = 2; ms <= 7; ms++) {
        hgt_stream_add(stream, ms, ms % 2 ? "{\"n\":2}" : "{\"n\":1}");
        stream->entries[stream->count - 1].except = ms > 4 ? a.name : NULL;
    }
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "3 ");
    assert_string_equal(got(b.client), "3 5 7 ");
    assert_int_equal(hgt_books(&gate).deliveries_muted, 2);
}

/* It falls off the log and is fed from the stream: its own events are left out there too. */
static void test_after_falling_behind(void **state)
{
    (void)state;
    static char payload[20001];
    memset(payload, '7', 20000);
    for (int from_memory = 0; from_memory < 2; from_memory++) {
        struct peer a = connect_peer(), b = connect_peer();
        gate.config->history_bytes_max = from_memory ? 4 << 20 : 0;
        mute(a.client);
        subscribe(a.client, "");
        subscribe(b.client, "");
        uint64_t first = stream->last_generated + 1;
        hgt_forget(&gate);
        a.client->buffering = true;
        hgt_stream_add(stream, first, NULL);
        hgt_serve(&gate);
        for (uint64_t ms = first + 1; ms <= first + 20; ms++) {
            hgt_stream_add(stream, ms, payload);
            stream->entries[stream->count - 1].except = ms % 3 == 0 ? a.name : NULL;
            hgt_serve(&gate);
        }
        assert_true(hgt_books(&gate).deliveries_replaced > 0);
        a.client->buffering = false;
        for (int i = 0; i < 100; i++) {
            hg_on_ws_writable(gate.core, gate.now, a.client->ref);
            hgt_serve(&gate);
        }
        char expected[400];
        size_t len = 0;
        for (uint64_t ms = first; ms <= first + 20; ms++)
            if (ms == first || ms % 3 != 0)
                len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%u ", (unsigned)ms);
        assert_string_equal(got(a.client), expected);
        assert_int_equal(hgt_said_times(b.client, "\"op\":\"event\""), 21);
        assert_false(hgt_said(a.client, "\"gap\""));
        hg_on_ws_closed(gate.core, gate.now, a.client->ref);
        hg_on_ws_closed(gate.core, gate.now, b.client->ref);
        hgt_turn(&gate, 200);
    }
}

/* A client that reads slowly holds the log at its place; segments that are not for it are passed by. */
static void test_a_place_behind_segments_of_its_own(void **state)
{
    (void)state;
    struct peer a = connect_peer(), b = connect_peer();
    mute(a.client);
    subscribe(a.client, "");
    subscribe(b.client, "");
    hgt_forget(&gate);
    a.client->buffering = b.client->buffering = true;
    for (uint64_t ms = 2; ms <= 30; ms++) {
        hgt_stream_add_except(stream, ms, ms % 4 < 2 ? a.name : ms % 4 == 2 ? b.name : NULL);
        hgt_serve(&gate);
    }
    a.client->buffering = b.client->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, a.client->ref);
    hg_on_ws_writable(gate.core, gate.now, b.client->ref);
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "2 3 6 7 10 11 14 15 18 19 22 23 26 27 30 ");
    assert_int_equal(hgt_said_times(b.client, "\"op\":\"event\""), 29); /* it muted nothing */
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_books(&gate).frames_alive, 0);
}

/* conflate and rate keep the latest of each key for all members alike: there echo is not left out. */
static void test_a_pace_does_not_leave_it_out(void **state)
{
    (void)state;
    struct peer a = connect_peer();
    mute(a.client);
    subscribe(a.client, ",\"rate\":100");
    hgt_stream_add_except(stream, 2, a.name);
    hgt_serve(&gate);
    hgt_turn(&gate, 20);
    hgt_serve(&gate);
    assert_string_equal(got(a.client), "2 ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_live),
        T(test_echo_is_the_default),
        T(test_the_past),
        T(test_hello_after_a_lost_connection),
        T(test_hello_without_a_name),
        T(test_filtered),
        T(test_after_falling_behind),
        T(test_a_place_behind_segments_of_its_own),
        T(test_a_pace_does_not_leave_it_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
