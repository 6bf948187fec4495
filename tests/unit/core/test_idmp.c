/* Events that Redis itself appends once: the exact commands, and what becomes of an emit whatever Redis answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "stream/cursor.h"
#include "support/gate.h"

#define LINK HG_LINK_COMMANDER
/* To each window comes emit_timeout_ms. */
#define CONFIG                                                                                                         \
    "{\"canary_ms\":600000,\"ping_ms\":3600000,\"discover_ms\":3600000,\"emit_timeout_ms\":60000,"                     \
    "\"emits_per_session_max\":10000,\"breaker_failures\":1000,\"breaker_open_min_ms\":600000,"                        \
    "\"breaker_open_max_ms\":600000,\"topics\":["                                                                      \
    "{\"match\":\"long.*\",\"source\":\"stream\",\"dedupe_window_ms\":86340001},"                                      \
    "{\"match\":\"day.*\",\"source\":\"stream\",\"dedupe_window_ms\":86340000},"                                       \
    "{\"match\":\"odd.*\",\"source\":\"stream\",\"dedupe_window_ms\":1001},"                                           \
    "{\"match\":\"same.a\",\"source\":\"stream\",\"key\":\"same\",\"dedupe_window_ms\":10000},"                        \
    "{\"match\":\"same.b\",\"source\":\"stream\",\"key\":\"same\",\"dedupe_window_ms\":20000},"                        \
    "{\"match\":\"short.*\",\"source\":\"stream\",\"maxlen\":100},"                                                    \
    "{\"match\":\"named.*\",\"source\":\"stream\",\"payload_field\":\"id\",\"carry\":[\"ip\"]},"                       \
    "{\"match\":\"st.*\",\"source\":\"stream\"}]}"

#define OK     "+OK\r\n"
#define QUEUED "+QUEUED\r\n"
#define NIL    "*-1\r\n"
#define NOTHING                                                                                                        \
    "*1\r\n"                                                                                                           \
    "$-1\r\n"
#define GONE    "-ERR no such key\r\n"
#define ENOUGH  "*6\r\n$6\r\nlength\r\n:0\r\n$13\r\nidmp-duration\r\n:86400\r\n$12\r\nidmp-maxsize\r\n:10000\r\n"
#define ABORTED "-EXECABORT Transaction discarded because of previous errors.\r\n"
#define FULL    "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

static struct hgt_gate gate;
static struct hgt_client *client;
static unsigned refs;

static void answer(const char *resp)
{
    hgt_answer(&gate, LINK, resp);
}

static void turn(void)
{
    hgt_turn(&gate, 1);
}

static void come_up(const char *version)
{
    char info[64];
    for (unsigned i = 0; i < 10 && !gate.opening[LINK]; i++)
        hgt_turn(&gate, 1000);
    hgt_up(&gate, LINK);
    snprintf(info, sizeof(info), "$%zu\r\nredis_version:%s\r\n\r\n", strlen(version) + 16, version);
    answer(info);
    answer("$8\r\nheadgate\r\n");
    hgt_forget(&gate);
}

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    gate.greetings_by_hand = true;
    hgt_down(&gate, LINK);
    come_up("8.6.2");
    client = hgt_gate_connect(&gate);
    turn();
    hgt_forget(&gate);
    refs = 0;
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

static void emit(const char *topic, const char *id, const char *event)
{
    char line[512];
    snprintf(line, sizeof(line), "{\"op\":\"emit\",\"ref\":%u,\"topic\":\"%s\",\"id\":\"%s\",\"event\":%s}", ++refs,
             topic, id, event);
    hgt_say(&gate, client, line);
}

static void expect_asked(const char *text)
{
    if (strcmp(gate.asked.ptr, text) != 0)
        fail_msg("not exactly\n%sbut\n%s", text, gate.asked.ptr);
    hgt_forget(&gate);
}

static void expect_said(const char *text)
{
    if (!hgt_said(client, text))
        fail_msg("not %s in:\n%s", text, client->said.ptr);
}

static void expect_silence(void)
{
    if (client->said.len > 0)
        fail_msg("said:\n%s", client->said.ptr);
}

/* The stream is asked about, and remembers enough. */
static void tell(void)
{
    answer(OK);      /* WATCH */
    answer(NOTHING); /* HMGET */
    answer(ENOUGH);
    answer(OK); /* UNWATCH */
    answer(OK); /* MULTI */
    answer("*0\r\n");
    turn();
}

/* What the transaction of `count` events was answered. */
static void execute(unsigned count, const char *resp)
{
    answer(OK);
    for (unsigned i = 0; i < count + 2; i++)
        answer(QUEUED);
    answer(resp);
    turn();
}

/* An emit is taken in, its stream told, its call sent. */
static void begin(void)
{
    emit("st.a", "a", "1");
    turn();
    tell();
    hgt_forget(&gate);
}

/* Asked again after what went wrong, it is acknowledged. */
static void recover(void)
{
    for (unsigned i = 0; i < 20 && !gate.requests[LINK]; i++)
        hgt_turn(&gate, 500);
    if (hgt_asked(&gate, "WATCH"))
        tell();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    expect_said("\"cursor\":\"7-0~");
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    assert_null(gate.requests[LINK]);
}

static void cursor_of(const char *id, const char *field, const char *event, const char *name, char *to)
{
    const struct hg_slice fields[] = {hg_slice_str(field), hg_slice_str(event), HG_LIT("id"), hg_slice_str(name)};
    sprintf(to, "\"cursor\":\"%s~%08x\"", id, (unsigned)hg_fingerprint(fields, 4));
}

/* ---- the commands ------------------------------------------------------------------------------------------------ */

static void test_a_missing_stream_is_made_and_told(void **state)
{
    (void)state;
    emit("st.a", "a", "{ \"n\": 1 }");
    turn();
    expect_asked("1: WATCH st.a\n"
                 "1: HMGET headgate:dedupe:{st.a}:st.a:current \n"
                 "1: XINFO STREAM st.a\n");
    answer(OK);
    answer(NOTHING);
    answer(GONE);
    turn();
    expect_asked("1: MULTI\n"
                 "1: XGROUP CREATE st.a headgate $ MKSTREAM\n"
                 "1: XGROUP DESTROY st.a headgate\n"
                 "1: XCFGSET st.a IDMP-DURATION 660 IDMP-MAXSIZE 10000\n"
                 "1: EXEC\n");
    for (unsigned i = 0; i < 4; i++)
        answer(i == 0 ? OK : QUEUED);
    answer("*3\r\n+OK\r\n:1\r\n+OK\r\n");
    turn();
    const struct hg_slice id = HG_LIT("a");
    char text[256];
    snprintf(text, sizeof(text),
             "1: MULTI\n1: XLEN st.a\n1: XADD st.a NOMKSTREAM IDMP headgate:%02x a * event { \"n\": 1 } id a\n"
             "1: XLEN st.a\n1: EXEC\n",
             (unsigned)(hg_fingerprint(&id, 1) % 256));
    expect_asked(text);
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    cursor_of("7-0", "event", "{ \"n\": 1 }", "a", text);
    expect_said(text);
    expect_said("\"duplicate\":false");

    /* The next one needs no telling. */
    hgt_forget(&gate);
    emit("st.a", "b", "1");
    turn();
    assert_int_equal(hgt_asked_times(&gate, "\n"), 5);
    assert_true(hgt_asked(&gate, "MULTI"));
    execute(1, "*3\r\n:1\r\n$3\r\n8-0\r\n:2\r\n");
}

static void test_the_same_words_go_beside_an_event_as_ever(void **state)
{
    (void)state;
    emit("named.a", "a", "1");
    turn();
    tell();
    assert_true(hgt_asked(&gate, " a * id 1 id a ip 192.0.2.1\n"));
    /* The fields are told apart by their place: this payload's is named as the id's. */
    execute(1, "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n");
    hgt_forget(&gate);
    answer("*1\r\n*2\r\n$3\r\n7-0\r\n*6\r\n$2\r\nid\r\n$1\r\n1\r\n$2\r\nid\r\n$1\r\na\r\n$2\r\nip\r\n$1\r\nx\r\n");
    turn();
    const struct hg_slice fields[] = {HG_LIT("id"), HG_LIT("1"), HG_LIT("id"), HG_LIT("a"), HG_LIT("ip"), HG_LIT("x")};
    char text[64];
    snprintf(text, sizeof(text), "\"cursor\":\"7-0~%08x\",\"duplicate\":true", (unsigned)hg_fingerprint(fields, 6));
    expect_said(text); /* the cursor is that of the entry as it stands there */
}

static void test_a_stream_with_a_limit_is_trimmed_after_it_was_counted(void **state)
{
    (void)state;
    emit("short.a", "a", "1");
    turn();
    tell();
    assert_true(hgt_asked(&gate, "1: XLEN short.a\n1: XTRIM short.a MAXLEN ~ 100\n1: EXEC\n"));
    execute(2, "*4\r\n:100\r\n$3\r\n7-0\r\n:101\r\n:1\r\n");
    expect_said("\"cursor\":\"7-0~");
    expect_said("\"duplicate\":false");
}

static void remembers(const char *topic, unsigned seconds, unsigned ids)
{
    char info[128];
    emit(topic, "a", "1");
    turn();
    hgt_forget(&gate);
    answer(OK);
    answer(NOTHING);
    snprintf(info, sizeof(info), "*4\r\n$13\r\nidmp-duration\r\n:%u\r\n$12\r\nidmp-maxsize\r\n:%u\r\n", seconds, ids);
    answer(info);
    turn();
}

static void test_a_stream_is_told_only_if_it_remembers_less(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        unsigned seconds, ids;
        const char *told;
    } cases[] = {
        {"st.less", 659, 10000, "IDMP-DURATION 660 IDMP-MAXSIZE 10000"}, /* the window, and what an emit waits */
        {"st.fewer", 660, 9999, "IDMP-DURATION 660 IDMP-MAXSIZE 10000"},
        {"st.default", 100, 100, "IDMP-DURATION 660 IDMP-MAXSIZE 10000"},
        {"st.longer", 86400, 100, "IDMP-DURATION 86400 IDMP-MAXSIZE 10000"}, /* never made less */
        {"st.enough", 660, 10000, NULL},
        {"st.more", 86400, 10000, NULL},
        {"day.less", 86399, 10000, "IDMP-DURATION 86400 IDMP-MAXSIZE 10000"},
        {"odd.less", 61, 10000, "IDMP-DURATION 62 IDMP-MAXSIZE 10000"}, /* whole seconds, and not less than was asked */
        {"odd.enough", 62, 10000, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        remembers(cases[i].topic, cases[i].seconds, cases[i].ids);
        char text[160];
        snprintf(text, sizeof(text), "1: MULTI\n1: XCFGSET %s %s\n1: EXEC\n", cases[i].topic,
                 cases[i].told ? cases[i].told : "");
        expect_asked(cases[i].told ? text : "1: UNWATCH\n1: MULTI\n1: EXEC\n");
        answer(OK);
        answer(OK);
        answer(cases[i].told ? "*1\r\n+OK\r\n" : "*0\r\n");
        turn();
        assert_true(hgt_asked(&gate, " NOMKSTREAM IDMP headgate:"));
        execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
        hgt_forget(&gate);
    }
}

static void test_the_longer_window_of_two_rules_holds(void **state)
{
    (void)state;
    remembers("same.a", 70, 10000);
    for (unsigned i = 0; i < 2; i++)
        answer(OK);
    answer("*0\r\n");
    turn();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    remembers("same.b", 70, 10000);
    expect_asked("1: MULTI\n1: XCFGSET same IDMP-DURATION 80 IDMP-MAXSIZE 10000\n1: EXEC\n");
    answer(OK);
    answer(QUEUED);
    answer("*1\r\n+OK\r\n");
    turn();
    execute(1, "*3\r\n:1\r\n$3\r\n8-0\r\n:2\r\n");
    hgt_forget(&gate);
    emit("same.a", "b", "1");
    turn();
    assert_false(hgt_asked(&gate, "WATCH"));
    execute(1, "*3\r\n:2\r\n$3\r\n9-0\r\n:3\r\n");
}

static void test_a_window_that_redis_cannot_hold_goes_by_the_step(void **state)
{
    (void)state;
    emit("long.a", "a", "1");
    turn();
    assert_true(hgt_asked(&gate, "FCALL headgate_"));
    assert_false(hgt_asked(&gate, "WATCH"));
    answer("*1\r\n$3\r\n7-0\r\n");
}

static void test_an_older_server_goes_by_the_step(void **state)
{
    (void)state;
    static const char *const versions[] = {"8.6.1", "8.6.0", "8.4.9", "7.2.14"};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        hgt_down(&gate, LINK);
        come_up(versions[i]);
        emit("st.a", "a", "1");
        turn();
        assert_true(hgt_asked(&gate, "FCALL"));
        answer("*1\r\n$3\r\n7-0\r\n");
    }
    hgt_down(&gate, LINK);
    come_up("8.10.0");
    emit("st.a", "a", "1");
    turn();
    assert_true(hgt_asked(&gate, "XINFO"));
}

static void test_ids_are_spread_over_many_producers(void **state)
{
    (void)state;
    unsigned seen = 0;
    char id[16], name[32];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "id%u", i);
        emit("st.a", id, "1");
    }
    turn();
    tell();
    for (unsigned call = 0; call < 8; call++) {
        struct hg_buf resp;
        hg_buf_init(&resp, 1 << 20);
        unsigned count = call < 7 ? 256 : 2000 - 7 * 256;
        hg_buf_printf(&resp, "*%u\r\n:%u\r\n", count + 2, call * 256);
        for (unsigned i = 0; i < count; i++)
            hg_buf_printf(&resp, "$6\r\n%04u-0\r\n", 1000 + call * 256 + i);
        hg_buf_printf(&resp, ":%u\r\n%c", call * 256 + count, 0);
        execute(count, resp.ptr);
        hg_buf_done(&resp);
    }
    assert_int_equal(hgt_said_times(client, "\"duplicate\":false"), 2000);
    for (unsigned p = 0; p < 256; p++) {
        snprintf(name, sizeof(name), "IDMP headgate:%02x ", p);
        seen += hgt_asked(&gate, name);
    }
    assert_true(seen > 250);
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static void test_a_stream_that_changed_is_looked_at_again(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    for (unsigned i = 0; i < 40; i++) {
        if (i < 16)
            answer(OK);
        else
            assert_false(hgt_asked(&gate, "WATCH")); /* it is never still */
        hgt_forget(&gate);
        answer(NOTHING);
        answer(i % 2 ? GONE : "*4\r\n$13\r\nidmp-duration\r\n:1\r\n$12\r\nidmp-maxsize\r\n:1\r\n");
        assert_int_equal(hgt_asked(&gate, "MKSTREAM"), i % 2);
        while (strcmp(gate.requests[LINK]->text, "EXEC") != 0)
            answer(QUEUED);
        answer(NIL);
        turn();
    }
    expect_silence();
    answer(NOTHING);
    answer(ENOUGH);
    answer(OK);
    answer(OK);
    answer("*0\r\n");
    turn();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    expect_said("\"duplicate\":false");
}

/* One stream's refusal leaves the others where they are. */
static void expect_idmp_elsewhere(void)
{
    hgt_forget(&gate);
    emit("st.other", "a", "1");
    turn();
    tell();
    assert_true(hgt_asked(&gate, "XADD st.other NOMKSTREAM IDMP"));
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    expect_said("\"duplicate\":false");
}

static void expect_step(void)
{
    turn();
    assert_true(hgt_asked(&gate, "FCALL headgate_"));
    answer("*1\r\n$3\r\n7-0\r\n");
    turn();
    expect_said("\"duplicate\":false");
    hgt_forget(&gate);
    hgt_turn(&gate, 3000000);
    emit("st.a", "b", "1");
    turn();
    assert_false(hgt_asked(&gate, "XINFO")); /* it is not asked again on this connection */
    answer("*1\r\n$3\r\n8-0\r\n");
    hg_on_ws_pong(gate.core, gate.now, client->ref);
    expect_idmp_elsewhere();
}

static void test_a_denied_question_leads_to_the_step(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer(OK);
    answer(NOTHING);
    answer("-NOPERM User default has no permissions to run the 'xinfo|stream' command\r\n");
    answer(OK); /* UNWATCH */
    assert_int_equal(hgt_logged_times(&gate, "NOPERM"), 1);
    assert_int_equal(hgt_logged_times(&gate, "+xcfgset"), 1);
    expect_step();
}

static void test_a_denied_watch_leads_to_the_step(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer("-NOPERM this user has no permissions to run the 'watch' command or its subcommand\r\n");
    answer(NOTHING);
    answer(ENOUGH);
    answer(OK);
    expect_step();
}

static void test_a_denied_transaction_leads_to_the_step(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer(OK);
    answer(NOTHING);
    answer(ENOUGH);
    answer(OK);
    answer("-NOPERM User default has no permissions to run the 'multi' command\r\n");
    answer("-ERR EXEC without MULTI\r\n");
    expect_step();
}

static void test_a_denied_setting_leads_to_the_step(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer(OK);
    answer(NOTHING);
    answer(GONE);
    answer(OK);
    answer(QUEUED);
    answer(QUEUED);
    answer("-NOPERM User default has no permissions to run the 'xcfgset' command\r\n");
    answer(ABORTED);
    expect_step();
}

static void test_a_server_that_only_looks_new_goes_by_the_step(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer(OK);
    answer(NOTHING);
    answer("*4\r\n$6\r\nlength\r\n:3\r\n$6\r\ngroups\r\n:0\r\n");
    answer(OK);
    expect_step();
}

static void test_a_denied_command_of_a_call_leads_to_the_step(void **state)
{
    (void)state;
    begin();
    answer(OK);
    answer("-NOPERM User default has no permissions to run the 'xlen' command\r\n");
    answer(QUEUED);
    answer("-NOPERM User default has no permissions to run the 'xlen' command\r\n");
    answer(ABORTED);
    expect_step();
}

static void test_a_key_that_is_no_stream_is_a_matter_of_its_topic(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        hgt_forget(&gate);
        emit("st.a", "a", "1");
        turn();
        answer(OK);
        answer(NOTHING);
        answer("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        answer(OK);
        turn();
        execute(1, "*3\r\n-WRONGTYPE no\r\n-WRONGTYPE no\r\n-WRONGTYPE no\r\n");
        expect_said("\"code\":107");
        expect_said("is not a stream");
        expect_idmp_elsewhere();
        hgt_down(&gate, LINK);
        come_up("8.6.2");
    }
    /* Nothing was remembered of it. */
    emit("st.a", "a", "1");
    turn();
    assert_true(hgt_asked(&gate, "XINFO STREAM st.a"));
    tell();
    execute(1, "*3\r\n-WRONGTYPE no\r\n-WRONGTYPE no\r\n-WRONGTYPE no\r\n");
    hgt_forget(&gate);
    emit("st.a", "b", "1");
    turn();
    assert_true(hgt_asked(&gate, "XINFO STREAM st.a"));
}

static void test_a_key_that_is_not_to_be_touched_is_a_matter_of_its_topic(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    answer("-NOPERM No permissions to access a key\r\n");
    answer("-NOPERM No permissions to access a key\r\n");
    answer("-NOPERM No permissions to access a key\r\n");
    answer(OK);
    turn();
    answer(OK);
    for (unsigned i = 0; i < 3; i++)
        answer("-NOPERM No permissions to access a key\r\n");
    answer(ABORTED);
    turn();
    expect_said("\"code\":103");
    expect_idmp_elsewhere();
}

/* Whatever passes, or makes no sense, is asked again after a pause, and nothing goes another way meanwhile. */
static void test_odd_answers_to_the_question(void **state)
{
    (void)state;
    static const char *const odd[] = {"-LOADING Redis is loading the dataset in memory\r\n",
                                      "-BUSY Redis is busy running a script.\r\n",
                                      "-ERR something\r\n",
                                      ":3\r\n",
                                      "$-1\r\n",
                                      "$2\r\nno\r\n",
                                      "*0\r\n",
                                      "*1\r\n$13\r\nidmp-duration\r\n",
                                      "*4\r\n$13\r\nidmp-duration\r\n:-1\r\n$12\r\nidmp-maxsize\r\n:-1\r\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        emit("st.a", "a", "1");
        turn();
        hgt_forget(&gate);
        answer(OK);
        answer(i % 2 ? NOTHING : ":1\r\n");
        answer(odd[i]);
        turn();
        expect_asked("1: UNWATCH\n");
        answer(OK);
        recover();
        close_gate(state);
        open_gate(state);
    }
}

/* What cannot be understood is not taken for an older server, nor for a stream of the step. */
static void test_odd_answers_to_the_look_at_the_step(void **state)
{
    (void)state;
    static const char *const odd[][2] = {
        {"-ERR something\r\n", ENOUGH},
        {"-LOADING Redis is loading the dataset in memory\r\n", ENOUGH},
        {"*0\r\n", ENOUGH},
        {"*2\r\n$-1\r\n$-1\r\n", ENOUGH},
        {"$-1\r\n", ENOUGH},
        {"*1\r\n$4\r\n=odd\r\n", ENOUGH},
        {"*1\r\n$0\r\n\r\n", ENOUGH},
        {"*1\r\n:5\r\n", ENOUGH},
        {NOTHING, "*6\r\n$6\r\nlength\r\n:0\r\n$13\r\nidmp-duration\r\n$4\r\n=odd\r\n$12\r\nidmp-maxsize\r\n:5\r\n"},
        {NOTHING, "*6\r\n$6\r\nlength\r\n:0\r\n$4\r\n=odd\r\n:5\r\n$12\r\nidmp-maxsize\r\n:5\r\n"},
        {NOTHING, "*5\r\n$6\r\nlength\r\n:0\r\n$13\r\nidmp-duration\r\n:5\r\n$12\r\nidmp-maxsize\r\n"},
        {NOTHING, "*3\r\n$6\r\nlength\r\n:0\r\n$6\r\ngroups\r\n"},
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        emit("st.a", "a", "1");
        turn();
        hgt_forget(&gate);
        answer(OK);
        answer(odd[i][0]);
        answer(odd[i][1]);
        turn();
        expect_asked("1: UNWATCH\n");
        answer(OK);
        recover();
        close_gate(state);
        open_gate(state);
    }
    /* Who may not look could not take the step. */
    emit("st.a", "a", "1");
    turn();
    answer(OK);
    answer("-NOPERM User default has no permissions to run the 'hmget' command\r\n");
    answer(ENOUGH);
    turn();
    assert_true(hgt_asked(&gate, "1: UNWATCH\n1: MULTI\n1: EXEC\n"));
}

static void test_odd_answers_to_the_setting(void **state)
{
    (void)state;
    static const char *const odd[] = {ABORTED, ":3\r\n", "$2\r\nno\r\n", ("*1\r\n" FULL),
                                      "-ERR EXEC without MULTI\r\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        remembers("st.a", 1, 1);
        hgt_forget(&gate);
        answer(OK);
        answer(i == 0 ? FULL : QUEUED);
        answer(odd[i]);
        turn();
        expect_asked("");
        recover();
        close_gate(state);
        open_gate(state);
    }
}

static void test_a_replica_is_left(void **state)
{
    (void)state;
    remembers("st.a", 1, 1);
    answer(OK);
    answer("-READONLY You can't write against a read only replica.\r\n");
    hgt_forget(&gate);
    answer(ABORTED);
    turn();
    assert_true(hgt_asked(&gate, "1: close\n"));
    come_up("8.6.2");
    recover();
}

static void test_a_lost_link_at_each_point(void **state)
{
    (void)state;
    /* What is answered before it is lost. */
    static const char *const answers[] = {
        OK, NOTHING, GONE, OK, QUEUED, QUEUED, QUEUED, "*3\r\n+OK\r\n:1\r\n+OK\r\n", OK, QUEUED, QUEUED, QUEUED};
    for (size_t lost = 0; lost <= sizeof(answers) / sizeof(answers[0]); lost++) {
        emit("st.a", "a", "1");
        turn();
        for (size_t i = 0; i < lost; i++) {
            answer(answers[i]);
            turn();
        }
        hgt_down(&gate, LINK);
        turn();
        expect_silence();
        come_up("8.6.2");
        turn();
        tell();
        /* It had been appended, or not. */
        bool appended = lost % 2;
        execute(1, appended ? "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n" : "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
        if (appended) {
            answer("*1\r\n*2\r\n$3\r\n7-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$1\r\na\r\n");
            turn();
        }
        expect_said(appended ? "\"duplicate\":true" : "\"duplicate\":false");
        assert_int_equal(hgt_said_times(client, "\"op\""), 1);
        close_gate(state);
        open_gate(state);
    }
}

static void test_more_streams_than_are_remembered(void **state)
{
    (void)state;
    char topic[32];
    for (unsigned i = 0; i < 4200; i++) {
        snprintf(topic, sizeof(topic), "st.%u", i);
        emit(topic, "a", "1");
    }
    for (unsigned i = 0; i < 4200; i++) {
        turn();
        if (i > 0)
            execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
        assert_true(strncmp(gate.requests[LINK]->text, "WATCH", 5) == 0);
        tell();
        if (i % 100 == 0)
            hgt_forget(&gate);
    }
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    assert_null(gate.requests[LINK]);

    /* The oldest were forgotten, two that take turns go through both, and the latest are known. */
    hgt_forget(&gate);
    emit("st.0", "b", "1");
    emit("st.1", "b", "1");
    emit("st.4199", "b", "1");
    turn();
    assert_true(hgt_asked(&gate, "XADD st.4199"));
    assert_true(hgt_asked(&gate, "WATCH st.0"));
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    tell();
    assert_true(hgt_asked(&gate, "XADD st.0 "));
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    tell();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    assert_int_equal(hgt_said_times(client, "\"duplicate\":false"), 3);
    assert_null(gate.requests[LINK]);
}

static void test_told_streams_do_not_wait_for_the_others(void **state)
{
    (void)state;
    begin();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    emit("st.new", "a", "1");
    emit("st.newer", "a", "1");
    emit("st.a", "b", "1");
    hgt_forget(&gate);
    turn();
    assert_true(hgt_asked(&gate, "XADD st.a"));
    assert_true(strstr(gate.asked.ptr, "EXEC") < strstr(gate.asked.ptr, "WATCH"));
    assert_int_equal(hgt_asked_times(&gate, "WATCH"), 1);
}

/* ---- what the step remembers ------------------------------------------------------------------------------------- */

static void test_a_stream_stays_with_the_step_while_it_remembers(void **state)
{
    (void)state;
    emit("st.a", "a", "1");
    turn();
    hgt_forget(&gate);
    answer(OK);
    answer("*1\r\n$13\r\n1700000000000\r\n");
    answer("*4\r\n$13\r\nidmp-duration\r\n:100\r\n$12\r\nidmp-maxsize\r\n:100\r\n");
    turn();
    assert_false(hgt_asked(&gate, "XCFGSET"));
    answer(OK); /* UNWATCH */
    assert_true(hgt_asked(&gate, "FCALL"));
    answer("*1\r\n$3\r\n7-0\r\n");
    for (unsigned i = 0; i < 3; i++) {
        hgt_forget(&gate);
        hgt_turn(&gate, 659998); /* each call lengthens what is remembered */
        emit("st.a", "b", "1");
        turn();
        assert_false(hgt_asked(&gate, "WATCH"));
        answer("*1\r\n$3\r\n8-0\r\n");
        hg_on_ws_pong(gate.core, gate.now, client->ref);
    }
    hgt_turn(&gate, 660000);
    emit("st.a", "c", "1");
    turn();
    assert_true(hgt_asked(&gate, "WATCH"));
    tell();
    assert_true(hgt_asked(&gate, "XADD st.a NOMKSTREAM IDMP"));
}

/* ---- the answers of a call --------------------------------------------------------------------------------------- */

static void test_new_known_and_twice_in_one_call(void **state)
{
    (void)state;
    begin();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    emit("st.a", "new", "1");
    emit("st.a", "known", "2");
    emit("st.a", "conflict", "3");
    emit("st.a", "new", "1");
    emit("st.a", "newer", "4");
    emit("st.a", "new", "5");
    emit("st.a", "trimmed", "6");
    turn();
    hgt_forget(&gate);
    execute(7, "*9\r\n:1\r\n$3\r\n8-0\r\n$3\r\n5-0\r\n$3\r\n6-0\r\n$3\r\n8-0\r\n$3\r\n8-1\r\n$3\r\n8-0\r\n$3\r\n1-"
               "0\r\n:3\r\n");
    assert_int_equal(hgt_said_times(client, "\"duplicate\":false"), 2);
    expect_said("\"ref\":2,\"cursor\":\"8-0~");
    expect_said("\"ref\":6,\"cursor\":\"8-1~");
    const char *at = strstr(gate.asked.ptr, "1: XRANGE");
    assert_string_equal(at, "1: XRANGE st.a 5-0 5-0\n1: XRANGE st.a 6-0 6-0\n1: XRANGE st.a 8-0 8-0\n"
                            "1: XRANGE st.a 8-0 8-0\n1: XRANGE st.a 1-0 1-0\n");
    hgt_forget(&gate);
    emit("st.a", "later", "7"); /* it waits until all is compared */
    turn();
    assert_string_equal(gate.asked.ptr, "");
    answer("*1\r\n*2\r\n$3\r\n5-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n2\r\n$2\r\nid\r\n$5\r\nknown\r\n");
    answer("*1\r\n*2\r\n$3\r\n6-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n0\r\n$2\r\nid\r\n$8\r\nconflict\r\n");
    answer("*1\r\n*2\r\n$3\r\n8-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$3\r\nnew\r\n");
    answer("*1\r\n*2\r\n$3\r\n8-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$3\r\nnew\r\n");
    answer("*0\r\n");
    turn();
    char text[64];
    cursor_of("5-0", "event", "2", "known", text);
    expect_said(text);
    expect_said("\"ref\":4,\"code\":122");
    expect_said("\"ref\":5,\"cursor\":\"8-0~");
    expect_said("\"ref\":7,\"code\":122");
    expect_said("\"ref\":8,\"cursor\":\"1-0~");
    assert_int_equal(hgt_said_times(client, "\"duplicate\":true"), 3);
    assert_true(hgt_asked(&gate, " id later\n"));
}

static void test_odd_answers_of_a_call(void **state)
{
    (void)state;
    static const char *const odd[] = {
        NIL,
        ":1\r\n",
        "$3\r\n7-0\r\n",
        "*0\r\n",
        "*1\r\n:0\r\n",
        "*2\r\n:0\r\n$3\r\n7-0\r\n",
        "*4\r\n:0\r\n$3\r\n7-0\r\n:1\r\n:1\r\n",
        "*3\r\n:0\r\n$3\r\n7-0\r\n$1\r\n1\r\n",
        "*3\r\n$1\r\n0\r\n$3\r\n7-0\r\n:1\r\n",
        "*3\r\n:5\r\n$3\r\n7-0\r\n:4\r\n", /* it shrank */
        "*3\r\n:-5\r\n$3\r\n7-0\r\n:-4\r\n",
        "*3\r\n:-9223372036854775808\r\n$3\r\n7-0\r\n:9223372036854775807\r\n",
        "*3\r\n:0\r\n$3\r\n7-0\r\n:2\r\n", /* it grew by more than was sent */
        "*3\r\n:0\r\n$-1\r\n:0\r\n",       /* it is gone */
        "*3\r\n:0\r\n*-1\r\n:0\r\n",
        "*3\r\n:0\r\n:7\r\n:1\r\n",
        "*3\r\n:0\r\n$1\r\nx\r\n:1\r\n",
        "*3\r\n:0\r\n$0\r\n\r\n:1\r\n",
        "*3\r\n:0\r\n" FULL ":0\r\n",
        "*3\r\n" FULL "$3\r\n7-0\r\n:0\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "*3\r\n:0\r\n*1\r\n:0\r\n:0\r\n",
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        begin();
        hgt_forget(&gate);
        execute(1, odd[i]);
        expect_silence();
        recover();
        close_gate(state);
        open_gate(state);
    }
}

static void test_a_full_redis_is_tried_again(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 3; i++) {
        answer(OK);
        answer(QUEUED);
        answer(FULL);
        answer(QUEUED);
        answer(ABORTED);
        hgt_forget(&gate);
        turn();
        expect_silence();
        assert_false(hgt_asked(&gate, "MULTI")); /* after a pause */
        for (unsigned n = 0; n < 20 && !gate.requests[LINK]; n++)
            hgt_turn(&gate, 500);
        assert_false(hgt_asked(&gate, "WATCH"));
    }
    recover();
}

/* What stands behind one that was refused is not taken as it came. */
static void test_one_that_is_refused_among_others(void **state)
{
    (void)state;
    begin();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    emit("st.a", "b", "1");
    emit("st.a", "c", "1");
    emit("st.a", "d", "1");
    turn();
    hgt_forget(&gate);
    execute(3, "*5\r\n:1\r\n$3\r\n8-0\r\n-ERR syntax error\r\n$3\r\n9-0\r\n:3\r\n");
    expect_said("\"ref\":3,\"code\":108");
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    tell();
    execute(2, "*4\r\n:3\r\n$3\r\n8-0\r\n$3\r\n9-0\r\n:3\r\n");
    answer("*1\r\n*2\r\n$3\r\n8-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$1\r\nb\r\n");
    answer("*1\r\n*2\r\n$3\r\n9-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$1\r\nd\r\n");
    turn();
    expect_said("\"ref\":2,\"cursor\":\"8-0~");
    expect_said("\"ref\":4,\"cursor\":\"9-0~");
}

static void test_a_stream_that_is_gone_is_made_anew(void **state)
{
    (void)state;
    begin();
    execute(1, "*3\r\n:0\r\n$-1\r\n:0\r\n");
    expect_silence();
    assert_true(hgt_asked(&gate, "XINFO STREAM st.a"));
    answer(OK);
    answer(NOTHING);
    answer(GONE);
    turn();
    assert_true(hgt_asked(&gate, "MKSTREAM"));
    for (unsigned i = 0; i < 4; i++)
        answer(QUEUED);
    answer("*3\r\n+OK\r\n:1\r\n+OK\r\n");
    turn();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    expect_said("\"duplicate\":false");
}

/* ---- the entry of a duplicate ------------------------------------------------------------------------------------ */

static void test_odd_entries_of_a_duplicate(void **state)
{
    (void)state;
    static const char *const odd[] = {"-LOADING Redis is loading the dataset in memory\r\n",
                                      "-ERR something\r\n",
                                      "-WRONGTYPE it was replaced\r\n",
                                      ":1\r\n",
                                      "$-1\r\n",
                                      "*1\r\n:1\r\n",
                                      "*1\r\n*2\r\n$3\r\n7-0\r\n*-1\r\n",
                                      "*2\r\n*-1\r\n*-1\r\n"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        begin();
        execute(1, "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n");
        answer(odd[i]);
        turn();
        expect_silence();
        recover();
        close_gate(state);
        open_gate(state);
    }
    /* What may not be read cannot be compared: the id alone is known to stand there. */
    begin();
    execute(1, "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n");
    answer("-NOPERM User default has no permissions to run the 'xrange' command\r\n");
    turn();
    expect_said("\"duplicate\":true");
}

static void test_entries_with_other_fields(void **state)
{
    (void)state;
    static const char *const others[] = {
        "*1\r\n*2\r\n$3\r\n7-0\r\n*0\r\n",
        "*1\r\n*2\r\n$3\r\n7-0\r\n*2\r\n$5\r\nevent\r\n$1\r\n1\r\n",
        "*1\r\n*2\r\n$3\r\n7-0\r\n*4\r\n$2\r\nid\r\n$1\r\na\r\n$5\r\nevent\r\n$1\r\n1\r\n",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        begin();
        execute(1, "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n");
        answer(others[i]);
        turn();
        expect_said("\"code\":122");
        close_gate(state);
        open_gate(state);
    }
}

static void test_emits_that_time_out_meanwhile(void **state)
{
    (void)state;
    begin();
    hgt_turn(&gate, 30000);
    emit("st.a", "b", "1");
    execute(1, "*3\r\n:1\r\n$3\r\n7-0\r\n:1\r\n");
    assert_true(hgt_asked(&gate, "XRANGE"));
    hgt_forget(&gate);
    hgt_turn(&gate, 30000); /* the first is given up between its transaction and its entry */
    expect_said("\"ref\":1,\"code\":108");
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    assert_string_equal(gate.asked.ptr, "");
    answer("*0\r\n");
    turn();
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    assert_true(hgt_asked(&gate, " id b\n"));
    hgt_forget(&gate);
    hgt_turn(&gate, 30000); /* and the second before its transaction was answered */
    expect_said("\"ref\":2,\"code\":108");
    execute(1, "*3\r\n:1\r\n$3\r\n8-0\r\n:2\r\n");
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    assert_null(gate.requests[LINK]);
}

static void test_a_link_lost_between_entries(void **state)
{
    (void)state;
    begin();
    execute(1, "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n");
    emit("st.a", "b", "1");
    emit("st.a", "c", "1");
    turn();
    hgt_forget(&gate);
    execute(2, "*4\r\n:3\r\n$3\r\n8-0\r\n$3\r\n9-0\r\n:3\r\n");
    answer("*1\r\n*2\r\n$3\r\n8-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$1\r\nb\r\n");
    hgt_down(&gate, LINK);
    turn();
    expect_said("\"ref\":2,\"cursor\":\"8-0~");
    assert_int_equal(hgt_said_times(client, "\"op\""), 1);
    come_up("8.6.2");
    turn();
    tell();
    execute(1, "*3\r\n:3\r\n$3\r\n9-0\r\n:3\r\n");
    answer("*0\r\n");
    turn();
    expect_said("\"ref\":3,\"cursor\":\"9-0~");
}

/* ---- a hostile server -------------------------------------------------------------------------------------------- */

/* Whatever is answered to whatever: nothing is answered twice, and nothing breaks. */
static void test_a_hostile_redis(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK,
        QUEUED,
        NIL,
        NOTHING,
        GONE,
        ENOUGH,
        ABORTED,
        FULL,
        ":0\r\n",
        ":9223372036854775807\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*1\r\n+OK\r\n",
        "*3\r\n:0\r\n$3\r\n7-0\r\n:1\r\n",
        "*4\r\n:0\r\n$3\r\n7-0\r\n$3\r\n7-0\r\n:1\r\n",
        "*4\r\n:0\r\n$3\r\n7-0\r\n$3\r\n6-0\r\n:2\r\n",
        "*5\r\n:0\r\n$3\r\n7-0\r\n$3\r\n7-0\r\n$3\r\n7-0\r\n:1\r\n",
        "*3\r\n:0\r\n$-1\r\n:0\r\n",
        "-WRONGTYPE no\r\n",
        "-NOPERM No permissions to access a key\r\n",
        "-NOPERM User default has no permissions to run the 'xadd' command\r\n",
        "*1\r\n*2\r\n$3\r\n7-0\r\n*4\r\n$5\r\nevent\r\n$1\r\n1\r\n$2\r\nid\r\n$2\r\ni1\r\n",
        "*1\r\n$13\r\n1700000000000\r\n",
        "*4\r\n$13\r\nidmp-duration\r\n:1\r\n$12\r\nidmp-maxsize\r\n:1\r\n"};
    struct hg_prng prng;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        hg_prng_init(&prng, seed);
        unsigned said = 0;
        for (unsigned step = 0; step < 300; step++) {
            if (hg_prng_below(&prng, 4) == 0) {
                char id[16], topic[16];
                snprintf(id, sizeof(id), "i%u", (unsigned)hg_prng_below(&prng, 3));
                snprintf(topic, sizeof(topic), "st.%u", (unsigned)hg_prng_below(&prng, 3));
                emit(topic, id, hg_prng_below(&prng, 2) ? "1" : "2");
            }
            if (gate.requests[LINK])
                answer(answers[hg_prng_below(&prng, sizeof(answers) / sizeof(answers[0]))]);
            if (hg_prng_below(&prng, 50) == 0)
                hgt_down(&gate, LINK);
            hgt_turn(&gate, hg_prng_below(&prng, 20) == 0 ? 3000 : 0);
            if (gate.opening[LINK]) {
                said += hgt_said_times(client, "\"ref\"");
                come_up("8.6.2");
            }
        }
        hg_on_ws_pong(gate.core, gate.now, client->ref);
        said += hgt_said_times(client, "\"ref\"");
        assert_true(said <= refs);
        hgt_forget(&gate);
        close_gate(state);
        open_gate(state);
    }
}

#define T(function) cmocka_unit_test_setup_teardown(function, open_gate, close_gate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_missing_stream_is_made_and_told),
        T(test_the_same_words_go_beside_an_event_as_ever),
        T(test_a_stream_with_a_limit_is_trimmed_after_it_was_counted),
        T(test_a_stream_is_told_only_if_it_remembers_less),
        T(test_the_longer_window_of_two_rules_holds),
        T(test_a_window_that_redis_cannot_hold_goes_by_the_step),
        T(test_an_older_server_goes_by_the_step),
        T(test_ids_are_spread_over_many_producers),
        T(test_a_stream_that_changed_is_looked_at_again),
        T(test_a_denied_question_leads_to_the_step),
        T(test_a_denied_watch_leads_to_the_step),
        T(test_a_denied_transaction_leads_to_the_step),
        T(test_a_denied_setting_leads_to_the_step),
        T(test_a_server_that_only_looks_new_goes_by_the_step),
        T(test_a_denied_command_of_a_call_leads_to_the_step),
        T(test_a_key_that_is_no_stream_is_a_matter_of_its_topic),
        T(test_a_key_that_is_not_to_be_touched_is_a_matter_of_its_topic),
        T(test_odd_answers_to_the_question),
        T(test_odd_answers_to_the_look_at_the_step),
        T(test_odd_answers_to_the_setting),
        T(test_a_replica_is_left),
        T(test_a_lost_link_at_each_point),
        T(test_more_streams_than_are_remembered),
        T(test_told_streams_do_not_wait_for_the_others),
        T(test_a_stream_stays_with_the_step_while_it_remembers),
        T(test_new_known_and_twice_in_one_call),
        T(test_odd_answers_of_a_call),
        T(test_a_full_redis_is_tried_again),
        T(test_one_that_is_refused_among_others),
        T(test_a_stream_that_is_gone_is_made_anew),
        T(test_odd_entries_of_a_duplicate),
        T(test_entries_with_other_fields),
        T(test_emits_that_time_out_meanwhile),
        T(test_a_link_lost_between_entries),
        T(test_a_hostile_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
