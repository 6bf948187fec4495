/* How a server can be made to append once, and when it is not worth trying. */
#include "core/state.h"
#include "support/emits.h"

#define CONFIG                                                                                                         \
    "{" HGT_QUIET "\"breaker_failures\":3,\"breaker_open_min_ms\":500,\"breaker_open_max_ms\":5000,"                   \
    "\"emit_timeout_ms\":60000,\"emit_backoff_min_ms\":40,\"emit_backoff_max_ms\":1000,"                               \
    "\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"},"                                                         \
    "{\"match\":\"best.*\",\"source\":\"stream\",\"dedupe\":\"best_effort\",\"maxlen\":5}]}"
#define SHA "0123456789abcdef0123456789abcdef01234567"

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

static void emit(unsigned ref, const char *topic, const char *id)
{
    hgt_emit(&gate, client, ref, topic, id, "1");
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

/* A new connection, whose first words the test answers itself. */
static void connect_anew(void)
{
    gate.greetings_by_hand = true;
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
    for (int i = 0; i < 100 && !gate.opening[HG_LINK_COMMANDER]; i++)
        hgt_turn(&gate, 100);
    hgt_forget(&gate);
    hgt_up(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
}

static void take_script(void)
{
    assert_true(hgt_asked(&gate, "1: SCRIPT LOAD local call, pcall"));
    answer("$40\r\n" SHA "\r\n");
}

static void answer_info(const char *text)
{
    char resp[512];
    snprintf(resp, sizeof(resp), "$%zu\r\n%s\r\n", strlen(text), text);
    answer(resp);
}

/* ---- which way --------------------------------------------------------------------------------------------------- */

static void test_the_function_first(void **state)
{
    (void)state;
    connect_anew();
    assert_true(hgt_asked(&gate, "1: INFO server\n"));
    assert_true(hgt_asked(&gate, "1: FUNCTION LOAD #!lua name=headgate_"));
    emit(1, "st.a", "a");
    turn_anew();
    assert_int_equal(gate.asked.len, 0); /* not before it is known how */
    answer_info("# Server\r\nredis_version:7.2.4\r\nos:Linux\r\n");
    answer("$17\r\nheadgate_01234567\r\n");
    turn_anew();
    assert_true(hgt_asked(&gate, "1: FCALL headgate_"));
    answer("*1\r\n$3\r\n1-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "1-0", false));
    assert_int_equal(hgt_books(&gate).emits_by_function, 1);
}

static void test_the_script_where_there_are_no_functions(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        "-ERR unknown command `FUNCTION`, with args beginning with: `LOAD`, \r\n",
        "-ERR unknown command 'FUNCTION'\r\n",
        "-NOPERM this user has no permissions to run the 'function|load' command\r\n",
        "-ERR This command is not offered by this service\r\n",
    };
    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        connect_anew();
        emit(i, "st.a", "a");
        answer_info("redis_version:6.2.14\r\n");
        answer(refusals[i]);
        hgt_turn(&gate, 0);
        take_script();
        turn_anew();
        assert_true(hgt_asked(&gate, "1: EVALSHA " SHA " 3 st.a "));
        answer("*1\r\n$3\r\n1-0\r\n");
        hgt_turn(&gate, 0);
        assert_true(hgt_told_ok(client, i, "1-0", false));
    }
    assert_int_equal(hgt_books(&gate).emits_by_script, sizeof(refusals) / sizeof(refusals[0]));
}

static void deny_scripts(void)
{
    connect_anew();
    answer("-NOPERM no INFO\r\n");
    answer("-NOPERM no FUNCTION\r\n");
    answer("-NOPERM no SCRIPT\r\n");
    hgt_turn(&gate, 0);
}

static void test_refused_where_there_is_no_script(void **state)
{
    (void)state;
    deny_scripts();
    assert_int_equal(hgt_logged_times(&gate, "emits on the link 'commander' to Redis: refused, for Redis allows no "
                                             "script: grant its user +fcall +function|load, or +evalsha +script|load, "
                                             "and the keys headgate:dedupe:*"),
                     1);
    for (unsigned ref = 1; ref <= 3; ref++) {
        emit(ref, "st.a", "a");
        turn_anew();
        assert_true(hgt_told_error(client, ref, 108));
        assert_true(hgt_said(client, "its administrator finds in the log what to grant."));
        assert_int_equal(gate.asked.len, 0);
    }
    deny_scripts();
    assert_int_equal(gate.log.len > 0 && hgt_logged_times(&gate, "allows no script"), 0); /* said already */
    /* The next connection may be another user's, or another server. */
    connect_anew();
    assert_true(hgt_asked(&gate, "1: FUNCTION LOAD "));
    answer("$0\r\n\r\n");
    answer("$1\r\nx\r\n");
    emit(9, "st.a", "a");
    turn_anew();
    assert_true(hgt_asked(&gate, "1: FCALL "));
}

static void test_a_call_that_is_not_permitted_steps_down(void **state)
{
    (void)state;
    emit(1, "st.a", "a");
    emit(2, "st.b", "b");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 2);
    answer("-NOPERM this user has no permissions to run the 'fcall' command\r\n");
    answer("-NOPERM this user has no permissions to run the 'fcall' command\r\n");
    hgt_forget(&gate);
    hgt_turn(&gate, 0);
    answer("$40\r\n" SHA "\r\n");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "1: EVALSHA " SHA), 2);
    /* Both were under way: neither is refused for good, which would tell a client to drop its event. */
    answer("-NOPERM this user has no permissions to run the 'evalsha' command\r\n");
    answer("-NOPERM this user has no permissions to run the 'evalsha' command\r\n");
    turn_anew();
    assert_true(hgt_told_error(client, 1, 108) && hgt_told_error(client, 2, 108));
    assert_false(hgt_asked(&gate, "FCALL") || hgt_asked(&gate, "EVALSHA") || hgt_asked(&gate, "LOAD"));
}

/* ---- without dedupe ---------------------------------------------------------------------------------------------- */

static void test_best_effort(void **state)
{
    (void)state;
    deny_scripts();
    emit(1, "best.x", "a");
    emit(2, "best.x", "b");
    turn_anew();
    assert_true(hgt_asked(&gate, "1: MULTI\n"
                                 "1: XADD best.x MAXLEN ~ 5 * event 1 id a\n"
                                 "1: XADD best.x MAXLEN ~ 5 * event 1 id b\n"
                                 "1: EXEC\n"));
    answer("+OK\r\n");
    answer("+QUEUED\r\n");
    answer("+QUEUED\r\n");
    answer("*2\r\n$3\r\n1-0\r\n$3\r\n1-1\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "1-0", false) && hgt_told_ok(client, 2, "1-1", false));
    assert_int_equal(hgt_books(&gate).emits_plain, 2);
    /* A lost answer: sent again all the same, that is what the word says. */
    emit(3, "best.x", "c");
    hgt_turn(&gate, 0);
    deny_scripts();
    assert_true(hgt_asked(&gate, "1: XADD best.x MAXLEN ~ 5 * event 1 id c\n"));
}

static void test_best_effort_that_is_refused(void **state)
{
    (void)state;
    deny_scripts();
    static const struct {
        const char *queued, *exec;
        int code; /* 0: kept, and sent again */
        const char *says;
    } cases[] = {
        {"-NOPERM no XADD\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n", 103,
         "Redis refused: NOPERM no XADD"},
        {"-OOM command not allowed\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n", 0, NULL},
        {"+QUEUED\r\n", "*1\r\n-WRONGTYPE Operation\r\n", 107, "is not a stream"},
        {"+QUEUED\r\n", "*1\r\n-ERR odd\r\n", 108, "Redis refused: ERR odd"},
        {"+QUEUED\r\n", "*1\r\n:5\r\n", 0, NULL},
        {"+QUEUED\r\n", "*-1\r\n", 0, NULL},
        {"+QUEUED\r\n", "+OK\r\n", 0, NULL},
        {"+QUEUED\r\n", "*2\r\n$3\r\n1-0\r\n$3\r\n1-1\r\n", 0, NULL},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        emit(i, "best.x", "a");
        turn_anew();
        answer("+OK\r\n");
        answer(cases[i].queued);
        answer(cases[i].exec);
        turn_anew();
        if (cases[i].code != 0) {
            if (!hgt_told_error(client, i, cases[i].code) || !hgt_said(client, cases[i].says))
                fail_msg("%s: %s", cases[i].exec, client->said.ptr);
            continue;
        }
        assert_int_equal(hgt_answers_to(client, i), 0);
        assert_int_equal(gate.asked.len, 0);
        hgt_turn(&gate, 1000);
        assert_int_equal(hgt_asked_times(&gate, "EXEC"), 1);
        answer("+OK\r\n");
        answer("+QUEUED\r\n");
        answer("*1\r\n$3\r\n2-0\r\n");
        hgt_turn(&gate, 0);
        assert_true(hgt_told_ok(client, i, "2-0", false));
    }
}

/* ---- forgotten --------------------------------------------------------------------------------------------------- */

static void test_a_script_that_was_flushed(void **state)
{
    (void)state;
    connect_anew();
    answer("$0\r\n\r\n");
    answer("-ERR unknown command\r\n");
    hgt_turn(&gate, 0);
    take_script();
    emit(1, "st.a", "a");
    emit(2, "st.b", "b");
    turn_anew();
    answer("-NOSCRIPT No matching script. Please use EVAL.\r\n");
    answer("-NOSCRIPT No matching script. Please use EVAL.\r\n");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "LOAD"), 0); /* asked as soon as it was missed, and once for both */
    answer("$40\r\n" SHA "\r\n");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "EVALSHA"), 2);
    answer("*1\r\n$3\r\n1-0\r\n");
    answer("*1\r\n$3\r\n2-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "1-0", false) && hgt_told_ok(client, 2, "2-0", false));
}

/* What came meanwhile stays behind what was under way. */
static void test_a_function_that_was_flushed(void **state)
{
    (void)state;
    gate.greetings_by_hand = true;
    emit(1, "st.a", "one");
    hgt_turn(&gate, 0);
    emit(2, "st.a", "two");
    hgt_forget(&gate);
    answer("-ERR Function not found\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_asked(&gate, "1: FUNCTION LOAD #!lua name=headgate_"));
    assert_false(hgt_asked(&gate, "FCALL"));
    answer("-ERR Library 'x' already exists\r\n");
    emit(3, "st.a", "three");
    turn_anew();
    const char *one = strstr(gate.asked.ptr, " one 1 ~"), *two = strstr(gate.asked.ptr, " two 1 ~"),
               *three = strstr(gate.asked.ptr, " three 1 ~");
    assert_true(one && two && three && one < two && two < three);
    answer("*3\r\n$3\r\n5-0\r\n$3\r\n5-1\r\n$3\r\n5-2\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "5-0", false) && hgt_told_ok(client, 3, "5-2", false));
}

/* Such as several servers behind one address. */
static void test_a_server_that_never_has_the_function(void **state)
{
    (void)state;
    emit(1, "st.a", "a");
    hgt_turn(&gate, 0);
    gate.greetings_by_hand = true;
    unsigned calls = 0;
    for (unsigned ms = 0; ms < 10000; ms += 10) {
        hgt_turn(&gate, 10);
        struct hgt_request *request = gate.requests[HG_LINK_COMMANDER];
        if (!request)
            continue;
        bool call = strncmp(request->text, "FCALL", 5) == 0;
        calls += call;
        answer(call ? "-ERR Function not found\r\n" : "$1\r\nx\r\n");
    }
    assert_in_range(calls, 5, 60);
    assert_int_equal(hgt_logged_times(&gate, "ERR Function not found"), 1);
    /* The breaker lets in one at most. */
    for (unsigned ref = 2; ref < 10; ref++)
        emit(ref, "st.a", "b");
    hgt_turn(&gate, 0);
    assert_in_range(hgt_said_times(client, "\"code\":108"), 7, 8);
}

/* ---- not now ----------------------------------------------------------------------------------------------------- */

static void test_loading_the_step_is_tried_again(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        "-LOADING Redis is loading\r\n", "-BUSY Redis is busy\r\n", ":1\r\n", "*0\r\n", "$-1\r\n", "-OOM no\r\n"};
    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        connect_anew();
        answer("$-1\r\n");
        answer(refusals[i]);
        turn_anew();
        assert_int_equal(gate.asked.len, 0);
        hgt_turn(&gate, 499);
        assert_int_equal(gate.asked.len, 0);
        hgt_turn(&gate, 1);
        assert_int_equal(hgt_asked_times(&gate, "1: FUNCTION LOAD"), 1);
        assert_false(hgt_asked(&gate, "SCRIPT"));
        answer("-ERR unknown command\r\n");
        hgt_turn(&gate, 0);
        answer(i % 2 ? "$3\r\nabc\r\n" : refusals[i]); /* no SHA-1 */
        turn_anew();
        assert_int_equal(gate.asked.len, 0);
        hgt_turn(&gate, 500);
        assert_int_equal(hgt_asked_times(&gate, "1: SCRIPT LOAD"), 1);
    }
}

static void test_words_that_pass_are_waited_for(void **state)
{
    (void)state;
    static const char *const words[] = {
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-BUSY Redis is busy running a script\r\n",
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-MISCONF Redis is configured to save RDB snapshots\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-NOREPLICAS Not enough good replicas to write.\r\n",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        emit(i, "st.a", "a");
        turn_anew();
        uint64_t waited = 0;
        for (int attempt = 0; attempt < 2; attempt++) { /* fewer than breaker_failures */
            assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
            answer(words[i]);
            hgt_forget(&gate);
            hgt_turn(&gate, 0);
            assert_int_equal(gate.asked.len, 0);
            while (gate.asked.len == 0) {
                hgt_turn(&gate, 1);
                waited++;
            }
        }
        assert_in_range(waited, 20, 120); /* 40/4 … 40, then 40/4 … 80 */
        assert_int_equal(hgt_answers_to(client, i), 0);
        answer("*1\r\n$3\r\n7-0\r\n");
        hgt_turn(&gate, 0);
        assert_true(hgt_told_ok(client, i, "7-0", false));
    }
}

static void test_one_line_for_each_trouble(void **state)
{
    (void)state;
    emit(1, "st.a", "a");
    hgt_turn(&gate, 0);
    for (int i = 0; i < 5; i++) {
        answer("-OOM no\r\n");
        hgt_turn(&gate, 1000);
    }
    assert_int_equal(hgt_logged_times(&gate, "redis refuses emits: OOM no\n"), 1);
    answer("-LOADING\r\n");
    hgt_turn(&gate, 1000);
    assert_int_equal(hgt_logged_times(&gate, "redis refuses emits: LOADING\n"), 1);
}

/* A client may choose what is refused, and what goes through in between. */
static void test_trouble_does_not_fill_the_log(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        emit(2 * i, "st.bad", "a");
        emit(2 * i + 1, "st.good", "a");
        hgt_turn(&gate, 50);
        answer("-WRONGTYPE no stream\r\n");
        answer("*1\r\n$3\r\n7-0\r\n");
        hgt_turn(&gate, 50);
    }
    assert_int_equal(hgt_logged_times(&gate, "redis refuses emits: WRONGTYPE"), 2); /* in 20 seconds */
    assert_int_equal(hgt_books(&gate).emits_appended, 200);
}

static void test_a_master_that_became_a_replica_is_left(void **state)
{
    (void)state;
    emit(1, "st.a", "a");
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    answer("-READONLY You can't write against a read only replica.\r\n");
    assert_true(hgt_asked(&gate, "1: close\n"));
    hgt_back(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 2000);
    assert_true(hgt_asked(&gate, "1: FCALL"));
    answer("*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "7-0", false));
}

/* It does not even take the Function; but who emits nothing may as well read from a replica. */
static void test_a_replica_is_left_when_somebody_emits(void **state)
{
    (void)state;
    connect_anew();
    answer("$0\r\n\r\n");
    answer("-READONLY You can't write against a read only replica.\r\n");
    turn_anew();
    hgt_turn(&gate, 500);
    assert_true(hgt_asked(&gate, "1: FUNCTION LOAD"));
    answer("-READONLY You can't write against a read only replica.\r\n");
    turn_anew();
    assert_false(hgt_asked(&gate, "1: close\n"));
    unsigned ref = 0; /* the breaker may be open: one emit is let in in the end */
    while (hgt_books(&gate).emits_pending == 0 && ref < 100) {
        emit(++ref, "st.a", "a");
        hgt_turn(&gate, 100);
        if (gate.requests[HG_LINK_COMMANDER])
            answer("-READONLY You can't write against a read only replica.\r\n");
    }
    hgt_turn(&gate, 500);
    if (gate.requests[HG_LINK_COMMANDER])
        answer("-READONLY You can't write against a read only replica.\r\n");
    assert_true(hgt_asked(&gate, "1: close\n"));
    gate.greetings_by_hand = false;
    hgt_back(&gate, HG_LINK_COMMANDER);
    turn_anew();
    answer("*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, ref, "7-0", false));
}

/* ---- the breaker ------------------------------------------------------------------------------------------------- */

/* Answers calls with words that pass until the breaker is open. */
static void open_breaker(void)
{
    emit(100, "st.a", "waits");
    hgt_turn(&gate, 0);
    for (int i = 0; i < 3; i++) {
        hgt_turn(&gate, 1000);
        answer("-OOM no\r\n");
    }
    hgt_turn(&gate, 0);
}

static unsigned retry_ms(void)
{
    const char *at = strstr(client->said.ptr, "\"retry_ms\":");
    assert_non_null(at);
    return (unsigned)strtoul(at + strlen("\"retry_ms\":"), NULL, 10);
}

static void test_failures_open_the_breaker(void **state)
{
    (void)state;
    open_breaker();
    assert_int_equal(hgt_logged_times(&gate, "emits on the link 'commander' are refused until Redis is back\n"), 1);
    assert_int_equal(hgt_answers_to(client, 100), 0); /* who was let in waits */
    emit(1, "st.a", "a");
    emit(2, "st.b", "b");
    turn_anew();
    emit(3, "st.b", "c");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 3, 108));
    assert_in_range(retry_ms(), 500, 2000);
    assert_int_equal(hgt_books(&gate).emits_pending, 1);
    /* What waits goes as soon as the rest is over, and is the trial. */
    hgt_forget(&gate);
    hgt_turn(&gate, 1000);
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
    answer("*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    emit(4, "st.b", "d");
    turn_anew();
    if (!hgt_asked(&gate, "FCALL")) { /* its success came while the breaker was open, and changed nothing */
        hgt_turn(&gate, 500);
        emit(5, "st.b", "e");
        emit(6, "st.b", "f");
        hgt_turn(&gate, 0);
        assert_int_equal(hgt_asked_times(&gate, "FCALL"), 1);
        assert_true(hgt_told_error(client, 6, 108)); /* one trial at a time */
        assert_int_equal(hgt_answers_to(client, 5), 0);
    }
    answer("*1\r\n$3\r\n8-0\r\n");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_logged_times(&gate, "emits on the link 'commander' go through again\n"), 1);
    emit(7, "st.b", "g");
    emit(8, "st.c", "h");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 2);
}

static void test_a_link_that_is_gone_opens_it_after_a_while(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
    hgt_forget(&gate);
    hgt_turn(&gate, 499);
    emit(1, "st.a", "a");
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_answers_to(client, 1), 0);
    assert_int_equal(hg_core_next_deadline(gate.core).us <= gate.now.us + 1000, 1);
    hgt_turn(&gate, 1);
    assert_int_equal(hgt_logged_times(&gate, "are refused until Redis is back\n"), 1);
    emit(2, "st.a", "b");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 2, 108));
    assert_in_range(retry_ms(), 500, 10000);
    for (unsigned i = 0; i < 300; i++) { /* nobody is let in to wait for nothing, however long it takes */
        if (gate.opening[HG_LINK_COMMANDER])
            hg_on_redis_down(gate.core, gate.now, HG_LINK_COMMANDER, HG_LIT("refused"));
        gate.opening[HG_LINK_COMMANDER] = false;
        hgt_turn(&gate, 100);
        emit(1000 + i, "st.a", "c");
    }
    hgt_turn(&gate, 0);
    assert_int_equal(hgt_said_times(client, "\"code\":108"), 301);
    assert_int_equal(hgt_books(&gate).emits_pending, 1);
    assert_int_equal(hgt_logged_times(&gate, "are refused until Redis is back\n"), 1);
    assert_int_equal(hgt_books(&gate).breaker_openings, 1);
    hgt_back(&gate, HG_LINK_COMMANDER);
    turn_anew();
    assert_true(hgt_asked(&gate, " look  a 1 ~"));
    answer("*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_ok(client, 1, "7-0", false));
    emit(3, "st.a", "d");
    emit(4, "st.a", "e");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, " 1 ~"), 2);
}

/* With nobody waiting, the first who comes is the trial. */
static void test_a_link_that_is_back_lets_one_try(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 500);
    hgt_back(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
    emit(1, "st.a", "a");
    emit(2, "st.a", "b");
    turn_anew();
    assert_true(hgt_asked(&gate, " look  a 1 ~"));
    emit(3, "st.a", "c");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 3, 108));
    answer("*1\r\n$3\r\n7-0\r\n");
    hgt_turn(&gate, 0);
    emit(4, "st.a", "d");
    turn_anew();
    assert_true(hgt_asked(&gate, "  d 1 ~"));
}

/* A key of another type is one topic's trouble: Redis answered. */
static void test_a_trial_that_is_refused_for_its_topic_closes_it(void **state)
{
    (void)state;
    hgt_down(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 500);
    hgt_back(&gate, HG_LINK_COMMANDER);
    hgt_turn(&gate, 0);
    emit(1, "st.a", "a");
    turn_anew();
    answer("*1\r\n$27\r\n-WRONGTYPE not a stream key\r\n");
    hgt_turn(&gate, 0);
    assert_true(hgt_told_error(client, 1, 107));
    emit(2, "st.b", "b");
    emit(3, "st.c", "c");
    turn_anew();
    assert_int_equal(hgt_asked_times(&gate, "FCALL"), 2);
}

/* ---- odd servers ------------------------------------------------------------------------------------------------- */

static void test_what_a_server_says_of_itself(void **state)
{
    (void)state;
    static const struct {
        const char *info, *told;
    } cases[] = {
        {"redis_version:7.0.15\r\n", "to Redis 7.0.15: "},
        {"# Server\r\nserver_name:valkey\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n", "to Valkey 8.0.1: "},
        {"redis_version:\r\n", "to Redis: "},
        {"redis_version:a b\r\n", "to Redis: "},
        {"redis_version:1\x1b[31m\r\n", "to Redis: "},
        {"redis_version:1234567890123456789012345\r\n", "to Redis: "},
        {"redis_version", "to Redis: "},
        {"xredis_version:7\r\nredis_versions:8\r\n", "to Redis: "},
        {"redis_version:99999999999.9.9\n", "to Redis 99999999999.9.9: "},
        {"redis_version:8.6.1\r\n", "to Redis 8.6.1: once each by the Function"},
        {"redis_version:8.6.2\r\n", "to Redis 8.6.2: once each by XADD IDMP where it can, else once each by the "
                                    "Function"},
        {"valkey_version:9.0.0\r\nredis_version:9.0.0\r\n", "to Valkey 9.0.0: once each by the Function"},
        {"", "to Redis: "},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hgt_gate_close(&gate);
        hgt_gate_open(&gate, CONFIG);
        client = hgt_gate_connect(&gate);
        free(gate.core->uplinks.items[0].told);
        gate.core->uplinks.items[0].told = NULL;
        connect_anew();
        answer_info(cases[i].info);
        answer("$1\r\nx\r\n");
        hgt_turn(&gate, 0);
        if (hgt_logged_times(&gate, cases[i].told) != 1)
            fail_msg("%s: %.*s", cases[i].info, HG_SLICE_ARG(hg_buf_slice(&gate.log)));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        T(test_the_function_first),
        T(test_the_script_where_there_are_no_functions),
        T(test_refused_where_there_is_no_script),
        T(test_a_call_that_is_not_permitted_steps_down),
        T(test_best_effort),
        T(test_best_effort_that_is_refused),
        T(test_a_script_that_was_flushed),
        T(test_a_function_that_was_flushed),
        T(test_a_server_that_never_has_the_function),
        T(test_loading_the_step_is_tried_again),
        T(test_words_that_pass_are_waited_for),
        T(test_one_line_for_each_trouble),
        T(test_trouble_does_not_fill_the_log),
        T(test_a_master_that_became_a_replica_is_left),
        T(test_a_replica_is_left_when_somebody_emits),
        T(test_failures_open_the_breaker),
        T(test_a_link_that_is_gone_opens_it_after_a_while),
        T(test_a_link_that_is_back_lets_one_try),
        T(test_a_trial_that_is_refused_for_its_topic_closes_it),
        T(test_what_a_server_says_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
