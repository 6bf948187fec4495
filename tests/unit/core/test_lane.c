/* The emits of one stream on their way: what goes with which call, and what its answers make of them. */
#include "base/list.h"
#include "core/lane.h"
#include "support/emits.h"

#define TOPICS                                                                                                         \
    "\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"},"                                                         \
    "{\"match\":\"two.*\",\"source\":\"stream\",\"key\":\"one:{topic}\",\"maxlen\":7,\"payload_field\":\"p\"},"        \
    "{\"match\":\"safe.*\",\"source\":\"stream\",\"durability\":\"replicas:2\"},"                                      \
    "{\"match\":\"disk.*\",\"source\":\"stream\",\"durability\":\"fsync\"}]"
#define CONFIG                                                                                                         \
    "{" HGT_QUIET "\"message_bytes_max\":4194304,\"event_bytes_max\":4194304,\"reply_bytes_max\":4194304,"             \
    "\"emits_per_session_max\":1000,\"breaker_failures\":1000," TOPICS "}"

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

/* Answers a call with so many ids, `ms`-0 and up. */
static void answer_ids(unsigned count, unsigned ms)
{
    struct hg_buf resp;
    hg_buf_init(&resp, 1 << 16);
    hg_buf_printf(&resp, "*%u\r\n", count);
    for (unsigned i = 0; i < count; i++) {
        char id[24];
        int len = snprintf(id, sizeof(id), "%u-0", ms + i);
        hg_buf_printf(&resp, "$%d\r\n%s\r\n", len, id);
    }
    hg_buf_put_char(&resp, '\0');
    answer(resp.ptr);
    hg_buf_done(&resp);
}

static void turn_anew_at_once(void)
{
    hgt_forget(&gate);
    hgt_turn(&gate, 0);
}

/* So late that what gathers is sent. */
static void turn_anew(void)
{
    hgt_forget(&gate);
    hgt_turn(&gate, 1);
}

/* ---- what goes with which call ----------------------------------------------------------------------------------- */

static void test_one_call_under_way_for_each_stream(void **state)
{
    (void)state;
    emit(1, "st.a", "one", "1");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
    emit(2, "st.a", "two", "2");
    emit(3, "st.a", "three", "3");
    emit(4, "st.b", "four", "4");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
    assert_true(hgt_asked(&gate, " st.b headgate:dedupe:{st.b}:st.b:current headgate:dedupe:{st.b}:st.b:previous "));
    hgt_turn(&gate, 5000);
    answer_ids(1, 5);
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
    const char *two = strstr(gate.asked.ptr, " two 2 ~"), *three = strstr(gate.asked.ptr, " three 3 ~");
    assert_true(two && three && two < three);
    answer_ids(1, 6);
    answer_ids(2, 7);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "5-0", false) && hgt_told_ok(client, 4, "6-0", false) &&
                hgt_told_ok(client, 2, "7-0", false) && hgt_told_ok(client, 3, "8-0", false));
}

static void test_the_words_of_a_call(void **state)
{
    (void)state;
    emit(1, "two.x", "i", "{ }");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, " 3 one:two.x headgate:dedupe:{one:two.x}:one:two.x:current "
                                 "headgate:dedupe:{one:two.x}:one:two.x:previous 610000 look p 7 0 0 i { } ~"));
    emit(2, "st.{tag}.x", "i", "1");
    turn_anew();
    assert_true(hgt_asked(&gate, " 3 st.{tag}.x headgate:dedupe:{tag}:st.{tag}.x:current "));
    emit(3, "safe.x", "i", "1");
    turn_anew();
    assert_true(hgt_asked(&gate, "3: FCALL "));
    assert_true(hgt_asked(&gate, ":previous 610000 write  i 1 ~"));
    assert_true(hgt_asked(&gate, "3: WAIT 2 1000\n"));
}

static void emit_many(unsigned count)
{
    char id[16];
    for (unsigned i = 1; i <= count; i++) {
        snprintf(id, sizeof(id), "id-%u", i);
        emit(i, "st.a", id, "1");
    }
}

static void test_a_call_takes_so_many_events(void **state)
{
    (void)state;
    emit(1000, "st.a", "first", "1");
    hgt_turn(&gate, 0);
    emit_many(HG_LANE_CALL_EVENTS + 50);
    answer_ids(1, 1);
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), HG_LANE_CALL_EVENTS);
    answer_ids(HG_LANE_CALL_EVENTS, 10);
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 50);
    answer_ids(50, 1000);
    hgt_turn(&gate, 0);
    struct hg_core_stats books = hgt_books(&gate);
    assert_int_equal(books.emits_appended, HG_LANE_CALL_EVENTS + 51);
    assert_int_equal(books.emits_by_function, HG_LANE_CALL_EVENTS + 51);
}

static void test_a_call_takes_so_many_bytes(void **state)
{
    (void)state;
    static char event[2 * HG_LANE_CALL_BYTES];
    static const size_t sizes[] = {10, 300000, 300000, 300000, 300000, HG_LANE_CALL_BYTES + 5, 10, 10};
    static const unsigned calls[] = {1, 3, 1, 1, 2};
    char id[8];
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(event, '1', sizes[i]);
        event[sizes[i]] = '\0';
        snprintf(id, sizeof(id), "%u", i);
        emit(i, "st.a", id, event);
        if (i == 0)
            hgt_turn(&gate, 0);
    }
    unsigned sent = 0, ms = 1;
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        turn_anew();
        sent += calls[i];
        assert_int_equal(hgt_books(&gate).emits_by_function, sent);
        answer_ids(calls[i], ms++ * 10);
    }
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_books(&gate).emits_appended, sent);
}

/* Events of one call have the same number of fields; order comes before size. */
static void test_a_call_takes_events_of_one_form(void **state)
{
    (void)state;
    emit(1, "st.a", "a", "1");
    hgt_emit_with(&gate, client, 2, "st.a", "b", "1", "\"echo\":false,");
    hgt_emit_with(&gate, client, 3, "st.a", "c", "1", "\"echo\":false,");
    emit(4, "st.a", "d", "1");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, " 610000 look  a 1 ~"));
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 1);
    answer_ids(1, 1);
    turn_anew();
    assert_true(hgt_asked(&gate, " 610000  event 0 0 2 b 1 ~"));
    assert_int_equal(hgt_asked_times(&gate, " except "), 2);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 2);
    answer_ids(2, 2);
    turn_anew();
    assert_true(hgt_asked(&gate, "  d 1 ~"));
    answer_ids(1, 4);
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_books(&gate).emits_appended, 4);
}

/* What a call learns it does not look up. */
static void test_a_call_takes_no_id_twice(void **state)
{
    (void)state;
    emit(1, "st.a", "a", "1");
    emit(2, "st.a", "b", "1");
    emit(3, "st.a", "a", "1");
    emit(4, "st.a", "c", "1");
    emit(5, "st.b", "a", "1");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 2);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 3);
    answer_ids(2, 1);
    answer_ids(1, 1);
    turn_anew();
    assert_true(hgt_asked(&gate, "  a 1 ~"));
    assert_true(hgt_asked(&gate, " c 1 ~"));
    char stamp[18], resp[80];
    hgt_stamp_of(&gate, "a", "1", stamp);
    snprintf(resp, sizeof(resp), "*2\r\n$13\r\n=1-0%s\r\n$3\r\n4-0\r\n", stamp);
    answer(resp);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "1-0", false) && hgt_told_ok(client, 3, "1-0", true));
}

static void turn_us(uint64_t us)
{
    gate.now = hg_time_add(gate.now, (hg_dur){us});
    turn_anew_at_once();
}

/* After a call of several the next one waits for as many, and for those that waited already, but not for long. */
static void test_calls_gather(void **state)
{
    (void)state;
    emit_many(6);
    hgt_turn(&gate, 0);
    emit(10, "st.a", "x-1", "1");
    emit(11, "st.a", "x-2", "1");
    answer_ids(6, 1);
    turn_us(0);
    assert_int_equal(gate.asked.len, 0);
    assert_true(hg_core_next_deadline(gate.core).us <= gate.now.us + HG_LANE_GATHER_US);
    for (unsigned i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof(id), "y-%u", i);
        emit(20 + i, "st.a", id, "1");
        turn_us(10);
        assert_int_equal(gate.asked.len, 0);
    }
    emit(30, "st.b", "other", "1"); /* another stream's are none of its business */
    turn_us(10);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 1);
    emit(25, "st.a", "y-5", "1");
    turn_us(10);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 8);
    answer_ids(1, 1); /* of st.b */
    answer_ids(8, 20);
    turn_us(0);
    emit(40, "st.a", "late", "1");
    turn_us(HG_LANE_GATHER_US - 1);
    assert_int_equal(gate.asked.len, 0);
    turn_us(1);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 1);
    answer_ids(1, 40);
    turn_us(0);
    emit(50, "st.a", "lone", "1"); /* after a lone one the next leaves at once */
    turn_us(0);
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 1);
    answer_ids(1, 50);
    turn_us(0);
    assert_int_equal(hgt_books(&gate).emits_appended, 6 + 8 + 3);
}

/* Redis is to look at its clock now and then, and again when it is not known whether it did. */
static void test_when_redis_looks(void **state)
{
    (void)state;
    static const struct {
        uint64_t after_ms;
        bool looks, lost;
    } calls[] = {{0, true, false},  {1, false, false},   {900, false, false}, {99, true, true},
                 {0, false, false}, {1000, true, false}, {500, false, false}, {60000, true, false}};
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        char id[8];
        snprintf(id, sizeof(id), "id-%u", i);
        hgt_forget(&gate);
        gate.now = hg_time_add(gate.now, hg_ms(calls[i].after_ms));
        emit(i, "st.a", id, "1");
        turn_anew_at_once();
        if (hgt_asked(&gate, " 610000 look ") != calls[i].looks)
            fail_msg("call %u: %s", i, gate.asked.ptr);
        if (calls[i].lost) {
            hgt_down(&gate, HG_LINK_COMMANDER);
            hgt_back(&gate, HG_LINK_COMMANDER);
            turn_anew_at_once();
            assert_true(hgt_asked(&gate, " 610000 look "));
        }
        answer_ids(1, i + 1);
        hgt_turn(&gate, 0);
    }
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void test_known_ids_are_duplicates_or_conflicts(void **state)
{
    (void)state;
    char stamp[18], resp[256];
    emit(1, "st.a", "new", "1");
    emit(2, "st.a", "same", "2");
    emit(3, "st.a", "other", "3");
    hgt_turn(&gate, 0);
    hgt_stamp_of(&gate, "same", "2", stamp);
    /* What stands there may have had other fields beside the event, so its own fingerprint counts for its cursor. */
    snprintf(resp, sizeof(resp), "*3\r\n$3\r\n9-0\r\n$21\r\n=5-0~0badcafe%s\r\n$21\r\n=6-0~0000000100000002\r\n",
             stamp + 1);
    answer(resp);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "9-0", false));
    assert_true(hgt_told_ok(client, 2, "5-0", true));
    assert_true(hgt_said(client, "\"cursor\":\"5-0~0badcafe\""));
    assert_true(hgt_told_error(client, 3, 122));
    struct hg_core_stats books = hgt_books(&gate);
    assert_true(books.emits_appended == 1 && books.emits_duplicate == 1 && books.emits_failed == 1);
}

/* The answer ends before the call does: the rest goes again, from the first on that has no answer. */
static void test_answers_that_end_early(void **state)
{
    (void)state;
    for (unsigned ref = 1; ref <= 4; ref++)
        emit(ref, "st.a", (const char *const[]){"a", "b", "c", "d"}[ref - 1], "1");
    hgt_turn(&gate, 0);
    answer("*2\r\n$3\r\n1-0\r\n$64\r\n-WRONGTYPE Operation against a key holding the wrong kind of val\r\n");
    turn_anew();
    assert_true(hgt_told_ok(client, 1, "1-0", false));
    assert_true(hgt_told_error(client, 2, 107));
    assert_true(hgt_said(client, "The key of this topic in Redis is not a stream."));
    assert_true(hgt_asked(&gate, "  c 1 ~"));
    assert_true(hgt_asked(&gate, " d 1 ~"));
    answer("*1\r\n$52\r\n-OOM command not allowed when used memory > 'maxmem'\r\n");
    turn_anew();
    assert_int_equal(gate.asked.len, 0);
    hgt_turn(&gate, 3000);
    assert_true(hgt_asked(&gate, "  c 1 ~"));
    assert_true(hgt_asked(&gate, " d 1 ~"));
    answer("*1\r\n$3\r\n3-0\r\n");
    turn_anew();
    assert_true(hgt_told_ok(client, 3, "3-0", false));
    assert_true(hgt_asked(&gate, "  d 1 ~"));
    answer_ids(1, 4);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 4, "4-0", false));
}

static void test_what_is_refused_for_good(void **state)
{
    (void)state;
    static const struct {
        const char *resp;
        int code;
        const char *says;
    } cases[] = {
        {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", 107, "is not a stream."},
        {"-NOPERM No permissions to access a key\r\n", 103, "Redis refused: NOPERM No permissions"},
        {"-ERR wrong number of arguments for 'fcall' command\r\n", 108, "Redis refused: ERR wrong"},
        {"-\r\n", 108, "Redis refused: "},
        {"-ERR \xff\xfe\x01\"\\\r\n", 108, "Redis refused: ERR \\\\xff\\\\xfe\\\\x01\\\"\\\\"},
        {"*1\r\n$1\r\n-\r\n", 108, "Redis refused: "},
        {"*1\r\n$49\r\n-NOPERM this user has no permissions to run 'xadd'\r\n", 103, "Redis refused: NOPERM this"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        emit(i, "st.a", "i", "1");
        turn_anew();
        answer(cases[i].resp);
        turn_anew();
        if (!hgt_told_error(client, i, cases[i].code) || !hgt_said(client, cases[i].says))
            fail_msg("%s: %s", cases[i].resp, client->said.ptr);
        assert_int_equal(gate.asked.len, 0);
    }
}

/* Nothing is taken for an answer that is none, and nothing is asked again without a pause. */
static void test_odd_answers(void **state)
{
    (void)state;
    static const char *const odd[] = {
        ":1\r\n",
        "+OK\r\n",
        "+5-0\r\n",
        "$3\r\n5-0\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*2\r\n$3\r\n5-0\r\n$3\r\n6-0\r\n",
        "*1\r\n:5\r\n",
        "*1\r\n+5-0\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*1\r\n$3\r\n5-0\r\n",
        "*1\r\n$0\r\n\r\n",
        "*1\r\n$3\r\nfoo\r\n",
        "*1\r\n$1\r\n5\r\n",
        "*1\r\n$4\r\n5-0 \r\n",
        "*1\r\n$22\r\n99999999999999999999-0\r\n",
        "*1\r\n$1\r\n=\r\n",
        "*1\r\n$4\r\n=5-0\r\n",
        "*1\r\n$12\r\n=5-0~0000001\r\n",
        "*1\r\n$21\r\n=5-0~0000000g00000002\r\n",
        "*1\r\n$21\r\n=5-0~000000010000000G\r\n",
        "*1\r\n$22\r\n=5-0~00000001000000022\r\n",
        "*1\r\n$17\r\n~0000000100000002\r\n",
        "*1\r\n$18\r\n=~0000000100000002\r\n",
    };
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        emit(i, "st.a", "i", "1");
        turn_anew();
        answer(odd[i]);
        turn_anew();
        if (hgt_answers_to(client, i) != 0 || gate.asked.len > 0)
            fail_msg("%s: %s%s", odd[i], client->said.ptr, gate.asked.ptr);
        hgt_turn(&gate, 2100);
        assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
        answer_ids(1, 7);
        hgt_turn(&gate, 0);
        assert_true(hgt_told_ok(client, i, "7-0", false));
    }
}

/* Who was told that nobody answered is not told again, and what comes behind is not held up by it. */
static void test_a_timeout_while_the_call_is_under_way(void **state)
{
    (void)state;
    emit(1, "st.a", "a", "1");
    emit(2, "st.a", "b", "1");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 5000);
    emit(3, "st.a", "c", "1");
    hgt_turn(&gate, 4999);
    assert_int_equal(hgt_answers_to(client, 1), 0);
    hgt_turn(&gate, 1);
    assert_true(hgt_told_error(client, 1, 108) && hgt_told_error(client, 2, 108));
    assert_true(hgt_said(client, "emit again with the same id"));
    hgt_emit(&gate, client, 4, "st.a", "a", "1");
    turn_anew();
    assert_int_equal(gate.asked.len, 0);
    answer_ids(2, 1);
    turn_anew();
    assert_int_equal(client->said.len, 0);
    assert_true(hgt_asked(&gate, "  c 1 ~"));
    char stamp[18], resp[80];
    hgt_stamp_of(&gate, "a", "1", stamp);
    snprintf(resp, sizeof(resp), "*2\r\n$3\r\n3-0\r\n$13\r\n=1-0%s\r\n", stamp);
    answer(resp);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 3, "3-0", false) && hgt_told_ok(client, 4, "1-0", true));
}

static void test_refused_after_the_timeout(void **state)
{
    (void)state;
    emit(1, "st.a", "a", "1");
    hgt_turn(&gate, 0);
    hgt_turn(&gate, 10000);
    emit(2, "st.a", "b", "1");
    answer("*1\r\n$10\r\n-WRONGTYPE\r\n");
    turn_anew();
    assert_int_equal(client->said.len, 0);
    assert_true(hgt_asked(&gate, "  b 1 ~"));
    answer("-WRONGTYPE\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 107));
}

static void test_a_call_that_is_lost_is_made_again(void **state)
{
    (void)state;
    emit(7, "st.a", "i", "{ \"n\" : 1 }");
    emit(8, "st.a", "k", "2");
    hgt_turn(&gate, 0);
    char *sent = strdup(gate.asked.ptr);
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_back(&gate, HG_LINK_COMMANDER);
    turn_anew();
    assert_string_equal(gate.asked.ptr, sent);
    free(sent);
    char stamp[18], resp[80];
    hgt_stamp_of(&gate, "i", "{ \"n\" : 1 }", stamp);
    snprintf(resp, sizeof(resp), "*2\r\n$13\r\n=5-0%s\r\n$3\r\n6-0\r\n", stamp);
    answer(resp);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 7, "5-0", true) && hgt_told_ok(client, 8, "6-0", false));
}

/* ---- durability -------------------------------------------------------------------------------------------------- */

static bool told_reached(unsigned ref, const char *reached)
{
    char says[80];
    const char *at;
    snprintf(says, sizeof(says), "{\"op\":\"ok\",\"ref\":%u,", ref);
    at = strstr(client->said.ptr, says);
    snprintf(says, sizeof(says), "\"durability\":\"%s\"}", reached);
    const char *found = at ? strstr(at, says) : NULL;
    return hgt_answers_to(client, ref) == 1 && found && found < strchr(at, '\n');
}

static void test_durability_that_was_reached(void **state)
{
    (void)state;
    static const struct {
        const char *wait, *reached;
    } replicas[] =
        {
            {":2\r\n", "replicas:2"},
            {":1\r\n", "replicas:1"},
            {":5\r\n", "replicas:5"},
            {":0\r\n", "memory"},
            {":-1\r\n", "memory"},
            {":4294967296\r\n", "memory"},
            {"+OK\r\n", "memory"},
            {"$-1\r\n", "memory"},
            {"*0\r\n", "memory"},
            {"-ERR no WAIT\r\n", "memory"},
            {"-NOPERM no WAIT\r\n", "memory"},
            {"*1\r\n:1\r\n", "memory"},
        },
      disk[] = {
          {"*2\r\n:1\r\n:0\r\n", "fsync"},  {"*2\r\n:0\r\n:3\r\n", "memory"}, {"*2\r\n:-1\r\n:0\r\n", "memory"},
          {"*2\r\n+1\r\n:0\r\n", "memory"}, {"*1\r\n:1\r\n", "memory"},       {"*-1\r\n", "memory"},
          {"-ERR unknown\r\n", "memory"},
      };
    unsigned ref = 0;
    for (size_t i = 0; i < sizeof(replicas) / sizeof(replicas[0]); i++) {
        emit(++ref, "safe.x", "i", "1");
        turn_anew();
        hgt_answer(&gate, HG_LINK_REPLICAS, "*1\r\n$3\r\n5-0\r\n");
        hgt_turn(&gate, 0);
        assert_int_equal(hgt_answers_to(client, ref), 0); /* not before it is as safe as was asked */
        hgt_answer(&gate, HG_LINK_REPLICAS, replicas[i].wait);
        hgt_turn(&gate, 0);
        assert_true(hgt_told_ok(client, ref, "5-0", false));
        if (!told_reached(ref, replicas[i].reached))
            fail_msg("%s: %s", replicas[i].wait, client->said.ptr);
    }
    for (size_t i = 0; i < sizeof(disk) / sizeof(disk[0]); i++) {
        emit(++ref, "disk.x", "i", "1");
        turn_anew();
        assert_true(hgt_asked(&gate, "4: WAITAOF 1 0 1000\n"));
        hgt_answer(&gate, HG_LINK_FSYNC, "*1\r\n$3\r\n5-0\r\n");
        hgt_answer(&gate, HG_LINK_FSYNC, disk[i].wait);
        hgt_turn(&gate, 0);
        if (!told_reached(ref, disk[i].reached))
            fail_msg("%s: %s", disk[i].wait, client->said.ptr);
    }
    assert_int_equal(hgt_logged_times(&gate, "redis refuses emits: ERR unknown"), 1);
    /* Topics that ask for none are told none. */
    emit(++ref, "st.a", "i", "1");
    turn_anew();
    answer_ids(1, 5);
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, ref, "5-0", false));
    assert_false(hgt_said(client, "durability"));
}

static void test_a_refused_call_waits_for_nothing(void **state)
{
    (void)state;
    emit(1, "safe.x", "a", "1");
    emit(2, "safe.x", "b", "1");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_REPLICAS, "-OOM command not allowed\r\n");
    turn_anew();
    hgt_turn(&gate, 2100);
    assert_int_equal(hgt_asked_times(&gate, "3: FCALL"), 1);
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n"); /* of the first call */
    hgt_answer(&gate, HG_LINK_REPLICAS, "*2\r\n$3\r\n5-0\r\n$10\r\n-WRONGTYPE\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 107));
    assert_int_equal(hgt_answers_to(client, 1), 0);
    hgt_answer(&gate, HG_LINK_REPLICAS, ":1\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "5-0", false) && told_reached(1, "replicas:1"));
}

/* It stands in the stream, and how safely is to be asked again: nothing is appended by that, and it is no duplicate. */
static void test_a_wait_that_is_lost(void **state)
{
    (void)state;
    char stamp[18], resp[80];
    emit(1, "safe.x", "a", "1");
    hgt_turn(&gate, 0);
    hgt_stamp_of(&gate, "a", "1", stamp);
    hgt_answer(&gate, HG_LINK_REPLICAS, "*1\r\n$3\r\n5-0\r\n");
    hgt_down(&gate, HG_LINK_REPLICAS);
    hgt_back(&gate, HG_LINK_REPLICAS);
    turn_anew();
    assert_true(hgt_asked(&gate, "3: FCALL") && hgt_asked(&gate, "3: WAIT 2 1000"));
    assert_int_equal(hgt_answers_to(client, 1), 0);
    snprintf(resp, sizeof(resp), "*1\r\n$13\r\n=5-0%s\r\n", stamp);
    hgt_answer(&gate, HG_LINK_REPLICAS, resp);
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "5-0", false) && told_reached(1, "replicas:2"));
}

static void test_a_duplicate_whose_wait_is_lost_still_is_one(void **state)
{
    (void)state;
    char stamp[18], resp[80];
    emit(1, "safe.x", "a", "1");
    hgt_turn(&gate, 0);
    hgt_stamp_of(&gate, "a", "1", stamp);
    snprintf(resp, sizeof(resp), "*1\r\n$13\r\n=5-0%s\r\n", stamp);
    for (int i = 0; i < 3; i++) {
        hgt_answer(&gate, HG_LINK_REPLICAS, resp);
        hgt_down(&gate, HG_LINK_REPLICAS);
        hgt_back(&gate, HG_LINK_REPLICAS);
        turn_anew();
    }
    hgt_answer(&gate, HG_LINK_REPLICAS, resp);
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "5-0", true));
    assert_int_equal(hgt_books(&gate).emits_duplicate, 1);
}

/* A failover lost it in between: it is appended once more, and so no duplicate. */
static void test_what_was_lost_while_it_waited_is_appended_again(void **state)
{
    (void)state;
    char stamp[18], resp[80];
    emit(1, "safe.x", "a", "1");
    hgt_turn(&gate, 0);
    hgt_stamp_of(&gate, "a", "1", stamp);
    snprintf(resp, sizeof(resp), "*1\r\n$13\r\n=5-0%s\r\n", stamp);
    hgt_answer(&gate, HG_LINK_REPLICAS, resp);
    hgt_down(&gate, HG_LINK_REPLICAS);
    hgt_back(&gate, HG_LINK_REPLICAS);
    turn_anew();
    hgt_answer(&gate, HG_LINK_REPLICAS, "*1\r\n$3\r\n4-0\r\n");
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "4-0", false));
}

static void test_a_timeout_in_the_wait(void **state)
{
    (void)state;
    emit(1, "safe.x", "a", "1");
    hgt_turn(&gate, 0);
    hgt_answer(&gate, HG_LINK_REPLICAS, "*1\r\n$3\r\n5-0\r\n");
    hgt_turn(&gate, 10000);
    assert_true(hgt_told_error(client, 1, 108));
    emit(2, "safe.x", "b", "1");
    turn_anew();
    assert_int_equal(gate.asked.len, 0);
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n");
    turn_anew();
    assert_int_equal(client->said.len, 0);
    assert_true(hgt_asked(&gate, "  b 1 ~"));
    hgt_answer(&gate, HG_LINK_REPLICAS, "*1\r\n$3\r\n6-0\r\n");
    hgt_answer(&gate, HG_LINK_REPLICAS, ":2\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 2, "6-0", false));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_one_call_under_way_for_each_stream),
        T(test_the_words_of_a_call),
        T(test_a_call_takes_so_many_events),
        T(test_a_call_takes_so_many_bytes),
        T(test_a_call_takes_events_of_one_form),
        T(test_a_call_takes_no_id_twice),
        T(test_calls_gather),
        T(test_when_redis_looks),
        T(test_known_ids_are_duplicates_or_conflicts),
        T(test_answers_that_end_early),
        T(test_what_is_refused_for_good),
        T(test_odd_answers),
        T(test_a_timeout_while_the_call_is_under_way),
        T(test_refused_after_the_timeout),
        T(test_a_call_that_is_lost_is_made_again),
        T(test_durability_that_was_reached),
        T(test_a_refused_call_waits_for_nothing),
        T(test_a_wait_that_is_lost),
        T(test_a_timeout_in_the_wait),
        T(test_a_duplicate_whose_wait_is_lost_still_is_one),
        T(test_what_was_lost_while_it_waited_is_appended_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
