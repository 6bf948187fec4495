/* Emits that come in: which ones may, what stands beside them, what becomes of those that are refused, and how many. */
#include "core/state.h"
#include "support/emits.h"

#define EMITS "\"emits_per_session_max\":4,\"emits_max\":20,\"emits_bytes_max\":65536,\"event_bytes_max\":1024,"
#define TOPICS                                                                                                         \
    "\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"},{\"match\":\"ch.**\",\"source\":\"channel\"},"            \
    "{\"match\":\"closed.*\",\"source\":\"stream\",\"emit\":false,\"dedupe_window_ms\":1000},"                         \
    "{\"match\":\"who.*\",\"source\":\"stream\",\"carry\":[\"ip\",\"session\",\"user\"]},"                             \
    "{\"match\":\"short.*\",\"source\":\"stream\",\"dedupe_window_ms\":5000,\"types\":[\"a\"]},"                       \
    "{\"match\":\"dl.*\",\"source\":\"stream\",\"require\":[\"n\"],\"dead_letter\":\"dead:{topic}\","                  \
    "\"dead_letter_maxlen\":9},"                                                                                       \
    "{\"match\":\"bury.*\",\"source\":\"stream\",\"require\":[\"n\"],\"dead_letter\":\"dead\"}]"
#define CONFIG "{" HGT_QUIET EMITS TOPICS "}"

static struct hgt_gate gate;
static struct hgt_client *client;

static int open_gate(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    client = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    hgt_books_balance(&gate);
    hgt_gate_close(&gate);
    return 0;
}

static void emit(unsigned ref, const char *topic, const char *id, const char *event)
{
    hgt_emit(&gate, client, ref, topic, id, event);
}

static void answer(const char *resp)
{
    hgt_answer(&gate, HG_LINK_COMMANDER, resp);
}

static void turn_anew(void)
{
    hgt_forget(&gate);
    hgt_turn(&gate, 0);
}

static void say_many(const struct hgt_client *from, unsigned first, unsigned last)
{
    char id[16];
    for (unsigned ref = first; ref <= last; ref++) {
        snprintf(id, sizeof(id), "id-%u", ref);
        hgt_emit(&gate, from, ref, "st.a", id, "1");
    }
}

/* ---- which ones may ---------------------------------------------------------------------------------------------- */

static void test_who_may_emit_where(void **state)
{
    (void)state;
    emit(1, "nowhere", "i", "1");
    emit(2, "$system", "i", "1");
    emit(3, "ch.x", "i", "1");
    emit(4, "closed.x", "i", "1");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 1, 102) && hgt_told_error(client, 2, 102));
    assert_true(hgt_told_error(client, 3, 107) && hgt_said(client, "This topic is a channel"));
    assert_true(hgt_told_error(client, 4, 103) && hgt_said(client, "Clients may not emit to this topic."));
    assert_int_equal(gate.asked.len, 0);
    assert_int_equal(hgt_books(&gate).emits, 0);
}

static void test_events_that_are_wrong(void **state)
{
    (void)state;
    char large[1100];
    memset(large, '1', sizeof(large));
    large[1024] = '\0';
    emit(1, "st.a", "fits", large);
    large[1024] = '1';
    large[1025] = '\0';
    emit(2, "st.a", "large", large);
    emit(3, "short.a", "i", "{\"type\":\"b\"}");
    emit(4, "short.a", "i", "[]");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 123));
    assert_true(hgt_told_error(client, 3, 121));
    assert_true(hgt_said(client, "\"message\":\"The type is \\\"b\\\"; this topic takes \\\"a\\\".\","
                                 "\"pointer\":\"/type\"}"));
    assert_true(hgt_told_error(client, 4, 121) && hgt_said(client, "\"pointer\":\"\"}"));
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
    answer("*1\r\n$3\r\n1-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "1-0", false));
    assert_int_equal(hgt_books(&gate).emits_failed, 3);
}

static void test_the_window_that_clients_are_told(void **state)
{
    (void)state;
    struct hgt_client *other = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(other, "\"emits\":4,\"dedupe_window_ms\":5000}}")); /* of those that take emits */
    hgt_gate_close(&gate);
    hgt_gate_open(&gate, "{\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\",\"emit\":false},"
                         "{\"match\":\"**\",\"source\":\"channel\"}]}");
    client = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    assert_true(hgt_said(client, "\"op\":\"welcome\""));
    assert_false(hgt_said(client, "dedupe_window_ms"));
}

/* ---- what stands beside them ------------------------------------------------------------------------------------- */

static void name_of(const struct hgt_client *of, char *to)
{
    hg_session_name_write(hg_session_get(gate.core, of->ref)->name, to);
    to[HG_SESSION_NAME_BYTES] = '\0';
}

static void test_what_is_carried(void **state)
{
    (void)state;
    char name[HG_SESSION_NAME_BYTES + 1], expected[300], stamp[18];
    name_of(client, name);
    emit(1, "who.x", "i", "1");
    hgt_turn(&gate, 0);
    hgt_stamp_of(&gate, "i", "1", stamp);
    snprintf(expected, sizeof(expected), " event 0 0 4 i 1 %s session %s ip 192.0.2.1\n", stamp, name);
    assert_true(hgt_asked(&gate, expected));
    answer("*1\r\n$3\r\n1-0\r\n");
    hgt_emit_with(&gate, client, 2, "who.x", "i", "1", "\"echo\":false,");
    turn_anew();
    /* Another fingerprint, for more stands in the entry; the same digest, for it is the same event. */
    char muted[18];
    hgt_stamp_of(&gate, "i", "1", muted);
    assert_memory_not_equal(stamp + 1, muted + 1, 8);
    assert_memory_equal(stamp + 9, muted + 9, 8);
    snprintf(expected, sizeof(expected), " event 0 0 6 i 1 %s session %s ip 192.0.2.1 except %s\n", muted, name, name);
    assert_true(hgt_asked(&gate, expected));
    /* An earlier name is the client's word: it is not what is carried. */
    hgt_say(&gate, client, "{\"op\":\"hello\",\"ref\":3,\"session\":\"00112233445566778899aabbccddeeff\"}");
    answer("*1\r\n$3\r\n1-0\r\n");
    hgt_emit_with(&gate, client, 4, "who.x", "k", "1", "\"echo\":false,");
    turn_anew();
    snprintf(expected, sizeof(expected), " session %s ip 192.0.2.1 except 00112233445566778899aabbccddeeff\n", name);
    assert_true(hgt_asked(&gate, expected));
    answer("*1\r\n$3\r\n2-0\r\n");
}

/* ---- those that are refused -------------------------------------------------------------------------------------- */

static void test_dead_letters(void **state)
{
    (void)state;
    char name[HG_SESSION_NAME_BYTES + 1], expected[400];
    name_of(client, name);
    emit(1, "dl.x", "i", "{\"m\" : 1}");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, " 3 dead:dl.x headgate:dedupe:{dead:dl.x}:dead:dl.x:current "));
    assert_true(hgt_asked(&gate, " 610000 look event 9 1 12 i {\"m\" : 1} ~"));
    snprintf(expected, sizeof(expected),
             " topic dl.x code 121 reason event_invalid message \"n\" is missing; this topic requires it. "
             "session %s ip 192.0.2.1\n",
             name);
    assert_true(hgt_asked(&gate, expected));
    assert_int_equal(hgt_answers_to(client, 1), 0); /* not before it is safe there */
    answer("*1\r\n$3\r\n1-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 1, 121));
    assert_true(hgt_said(client, "\"message\":\"\\\"n\\\" is missing; this topic requires it.\",\"pointer\":\"\"}"));
    struct hg_core_stats books = hgt_books(&gate);
    assert_true(books.dead_letters == 1 && books.emits_failed == 1 && books.emits == 1);

    char large[1100]; /* kept with all its bytes */
    memset(large, '1', sizeof(large));
    large[1050] = '\0';
    emit(2, "dl.x", "i", large);
    turn_anew();
    assert_true(hgt_asked(&gate, large));
    assert_true(hgt_asked(&gate, " code 123 reason event_too_large message The event is larger than"));
    answer("*1\r\n$3\r\n2-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 123));
}

/* A conflict shows only in Redis: it goes on to the dead letters from there. */
static void test_dead_letters_of_conflicts(void **state)
{
    (void)state;
    emit(1, "dl.x", "i", "{\"n\":1}");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 6000);
    emit(2, "dl.x", "k", "{\"n\":2}");
    answer("*1\r\n$21\r\n=5-0~0000000100000002\r\n");
    turn_anew();
    assert_true(hgt_asked(&gate, " topic dl.x code 122 reason id_conflict message This id was used"));
    assert_true(hgt_asked(&gate, " 3 dl.x headgate:dedupe:{dl.x}:dl.x:current "));
    assert_int_equal(client->said.len, 0);
    answer("*1\r\n$3\r\n1-0\r\n");
    answer("*1\r\n$3\r\n6-0\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_answers_to(client, 1) + hgt_answers_to(client, 2), 2);
    assert_true(hgt_said(client, "{\"op\":\"error\",\"ref\":1,\"code\":122,"));
    assert_true(hgt_told_ok(client, 2, "6-0", false) || hgt_told_ok(client, 2, "1-0", false));
}

static void test_dead_letters_that_cannot_be_kept(void **state)
{
    (void)state;
    emit(1, "dl.x", "i", "{}");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 10000); /* not safe, so not told: it comes again */
    assert_true(hgt_told_error(client, 1, 108));
    answer("*1\r\n$3\r\n1-0\r\n");
    emit(2, "dl.x", "i", "{}");
    turn_anew();
    assert_true(hgt_asked(&gate, " code 121 "));
    answer("-OOM no\r\n");
    turn_anew();
    assert_int_equal(hgt_answers_to(client, 2), 0);
    hgt_turn(&gate, 3000);
    answer("*1\r\n$30\r\n-WRONGTYPE this is no stream..\r\n"); /* never will be */
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 121));
    struct hg_core_stats books = hgt_books(&gate);
    assert_true(books.dead_letters == 0 && books.dead_letters_lost == 1);
}

/* The same event of two topics, both refused, in one stream of dead letters: two dead letters. */
static void test_dead_letters_of_two_topics_are_two(void **state)
{
    (void)state;
    emit(1, "bury.x", "i", "{}");
    emit(2, "bury.y", "i", "{}");
    emit(3, "bury.y", "i", "{}");
    hgt_turn(&gate, 0);
    char scopes[3][9];
    const char *at = gate.asked.ptr;
    for (int i = 0; i < 3; i++) {
        if (i == 2) { /* the same again, so it goes with the next call */
            hgt_forget(&gate);
            answer("*1\r\n$3\r\n1-0\r\n");
            answer("*1\r\n$3\r\n2-0\r\n");
            hgt_turn(&gate, 0);
            at = gate.asked.ptr;
        }
        at = strstr(at, " topic bury.");
        assert_non_null(at);
        memcpy(scopes[i], at - 8, 8);
        scopes[i][8] = '\0';
        at++;
    }
    assert_string_not_equal(scopes[0], scopes[1]);
    assert_string_equal(scopes[1], scopes[2]);
}

/* ---- how many ---------------------------------------------------------------------------------------------------- */

static void test_flow_control(void **state)
{
    (void)state;
    say_many(client, 1, 3);
    hgt_turn(&gate, 0);
    assert_false(client->paused);
    say_many(client, 4, 4);
    assert_true(client->paused);
    say_many(client, 5, 9); /* read already when it was paused */
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 9, 111));
    assert_int_equal(hgt_said_times(client, "\"error\""), 1);
    answer("*3\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n$3\r\n3-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(client->paused); /* five wait */
    answer("*3\r\n$3\r\n4-0\r\n$3\r\n5-0\r\n$10\r\n-WRONGTYPE\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_books(&gate).emits_pending, 2);
    assert_false(client->paused);
    hgt_turn(&gate, 1);
    answer("*2\r\n$3\r\n7-0\r\n$3\r\n8-0\r\n");
    hgt_turn(&gate, 0);
    for (unsigned ref = 1; ref <= 9; ref++)
        assert_int_equal(hgt_answers_to(client, ref), 1);
}

static void test_paused_clients_are_read_again_after_timeouts(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_COMMANDER);
    say_many(client, 1, 4);
    assert_true(client->paused);
    hgt_turn(&gate, 10000);
    assert_int_equal(hgt_said_times(client, "\"code\":108"), 4);
    assert_false(client->paused);
}

/* Two reasons not to read from it: it is read from when neither is left. */
static void test_two_reasons_to_pause(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    hgt_gate_open(&gate, "{" HGT_QUIET EMITS "\"reply_bytes_max\":4096," TOPICS "}");
    client = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    client->buffering = true;
    hgt_say(&gate, client, "{\"op\":\"ping\"}");
    hgt_turn(&gate, 0);
    for (int i = 0; i < 200; i++)
        hgt_say(&gate, client, "{\"op\":\"ping\"}");
    assert_true(client->paused);
    say_many(client, 1, 4);
    hgt_turn(&gate, 0);
    answer("*4\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n$3\r\n3-0\r\n$3\r\n4-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(client->paused); /* it still does not read its answers */
    say_many(client, 5, 8);
    client->buffering = false;
    hg_on_ws_writable(gate.core, gate.now, client->ref);
    hgt_turn(&gate, 1);
    assert_true(client->paused); /* and now its emits wait */
    answer("*4\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n$3\r\n3-0\r\n$3\r\n4-0\r\n");
    hgt_turn(&gate, 0);
    assert_false(client->paused);
    assert_int_equal(client->close_code, 0);
}

/* It is not read from, so its pongs are not heard: that is no silence. */
static void test_a_paused_client_is_not_taken_for_dead(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    hgt_gate_open(
        &gate,
        "{\"canary_ms\":600000,\"ping_ms\":1000,\"pong_timeout_ms\":1000,\"emit_timeout_ms\":60000," EMITS TOPICS "}");
    client = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    say_many(client, 1, 4);
    for (int i = 0; i < 50; i++)
        hgt_turn(&gate, 1000);
    assert_int_equal(client->close_code, 0);
    answer("*4\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n$3\r\n3-0\r\n$3\r\n4-0\r\n");
    hgt_turn(&gate, 0);
    assert_false(client->paused);
    for (int i = 0; i < 10; i++)
        hgt_turn(&gate, 1000);
    assert_int_not_equal(client->close_code, 0); /* now it is */
}

static void test_emits_of_all_clients_are_bounded(void **state)
{
    (void)state;
    struct hgt_client *clients[4];
    for (unsigned i = 0; i < 4; i++) {
        clients[i] = hgt_gate_connect(&gate);
        say_many(clients[i], 1, 7);
    }
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_said_times(clients[3], "\"code\":111"), 7);
    assert_int_equal(hgt_said_times(clients[2], "\"code\":111"), 1);
    assert_int_equal(hgt_books(&gate).emits_pending, 20);
    assert_false(clients[3]->paused); /* it is not to blame */
}

static void test_bytes_of_all_clients_are_bounded(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    hgt_gate_open(&gate, "{" HGT_QUIET "\"emits_bytes_max\":65536,\"event_bytes_max\":65536," TOPICS "}");
    client = hgt_gate_connect(&gate);
    hgt_turn(&gate, 0);
    static char event[30001];
    memset(event, '1', 30000);
    for (unsigned ref = 1; ref <= 3; ref++)
        emit(ref, "st.a", "i", event);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 3, 111));
    assert_int_equal(hgt_books(&gate).emits_pending, 2);
    emit(4, "st.a", "small", "1");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_answers_to(client, 4), 0);
}

/* ---- those who leave --------------------------------------------------------------------------------------------- */

static void test_a_client_that_leaves(void **state)
{
    (void)state;
    say_many(client, 1, 4);
    hgt_turn(&gate, 0);
    hg_on_ws_closed(gate.core, gate.now, client->ref);
    struct hgt_client *next = hgt_gate_connect(&gate); /* in the same place */
    assert_int_equal(next->ref.index, client->ref.index);
    say_many(next, 5, 7);
    hgt_turn(&gate, 0);
    assert_false(next->paused);
    hgt_forget(&gate);
    answer("*4\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n$21\r\n=3-0~0000000100000002\r\n$3\r\n4-0\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(next->said.len, 0);
    assert_int_equal(hgt_books(&gate).emits_orphaned, 4);
    hgt_turn(&gate, 1);
    answer("*3\r\n$3\r\n5-0\r\n$3\r\n6-0\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_said_times(next, "\"op\":\"ok\""), 3);
}

/* Freeing the core asks nothing of the world, which may be gone already. */
static void test_the_end_of_the_core(void **state)
{
    (void)state;
    say_many(client, 1, 4);
    hgt_emit(&gate, client, 5, "dl.x", "i", "{}");
    hgt_turn(&gate, 0);
    assert_true(client->paused);
    hgt_gate_close(&gate);
    assert_true(client->paused);
    hgt_gate_open(&gate, CONFIG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_who_may_emit_where),
        T(test_events_that_are_wrong),
        T(test_the_window_that_clients_are_told),
        T(test_what_is_carried),
        T(test_dead_letters),
        T(test_dead_letters_of_conflicts),
        T(test_dead_letters_that_cannot_be_kept),
        T(test_dead_letters_of_two_topics_are_two),
        T(test_flow_control),
        T(test_paused_clients_are_read_again_after_timeouts),
        T(test_two_reasons_to_pause),
        T(test_a_paused_client_is_not_taken_for_dead),
        T(test_emits_of_all_clients_are_bounded),
        T(test_bytes_of_all_clients_are_bounded),
        T(test_a_client_that_leaves),
        T(test_the_end_of_the_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
