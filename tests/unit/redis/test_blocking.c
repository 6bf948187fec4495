/* The blocking connection, against a server that says what the test wants: a child process behind a unix socket, which
 * waits for each command it was told to expect and answers with the bytes it was given. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/redis_url.h"
#include "redis/blocking.h"
#include "support/oom.h"

#define PASSWORD "hunter2-correct-horse"
#define PATIENCE 20000 /* ms: for what must not run out */
#define PING     "*1\r\n$4\r\nPING\r\n"
#define PONG     "+PONG\r\n"
#define LARGE    (3u << 20)

struct step {
    const char *expected, *answer; /* NULL: none, the server hangs up; "": it stays silent */
};

struct server {
    char folder[64], path[96];
    pid_t pid;
};

/* ---- the server ---- */

static bool take(int fd, const char *expected)
{
    size_t len = strlen(expected);
    char got[512];
    for (size_t have = 0; have < len;) {
        ssize_t n = read(fd, got + have, len - have);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return memcmp(got, expected, len) == 0;
}

static void give(int fd, const char *answer)
{
    static char large[LARGE];
    if (strcmp(answer, "large") == 0) {
        memset(large, 'x', sizeof(large));
        dprintf(fd, "$%u\r\n", LARGE);
        for (size_t sent = 0; sent < sizeof(large);) {
            ssize_t n = write(fd, large + sent, sizeof(large) - sent);
            if (n <= 0)
                return;
            sent += (size_t)n;
        }
        answer = "\r\n";
    }
    (void)!write(fd, answer, strlen(answer));
}

static void serve(int listener, const struct step *steps)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            _exit(1);
        size_t i = 0;
        while (steps[i].expected && take(fd, steps[i].expected) && steps[i].answer) {
            give(fd, steps[i].answer);
            i++;
        }
        if (!steps[i].expected) /* told all: the peer hangs up */
            while (read(fd, (char[64]){0}, 64) > 0)
                ;
        close(fd);
    }
}

static void begin(struct server *server, const struct step *steps)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(server->folder, sizeof(server->folder), "/tmp/hgt-blocking-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->path, sizeof(server->path), "%s/s", server->folder);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", server->path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener, steps);
    }
    close(listener);
}

static void end(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->path);
    rmdir(server->folder);
}

/* ---- a call to it ---- */

static hg_result open_to(const struct server *server, const char *user, const char *password, unsigned db,
                         uint64_t timeout_ms, struct hg_blocking **ret_blocking, struct hg_phrase *reterr)
{
    static struct hg_redis_url url; /* outlives the connection */
    url = (struct hg_redis_url){
        .path = (char *)server->path, .user = (char *)user, .password = (char *)password, .db = db};
    return hg_blocking_open(&url, hg_ms(timeout_ms), ret_blocking, reterr);
}

static hg_result get(struct hg_blocking *blocking, const struct hg_reply **ret_reply, struct hg_phrase *reterr)
{
    const struct hg_slice argv[] = {HG_LIT("GET"), HG_LIT("k")};
    return hg_blocking_call(blocking, argv, 2, ret_reply, reterr);
}

#define GET "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"

/* The phrase with which one GET fails. */
static struct hg_phrase failure_of(const char *answer, uint64_t timeout_ms)
{
    const struct step steps[] = {{PING, PONG}, {GET, answer}, {NULL, NULL}};
    struct server server;
    struct hg_blocking *blocking = NULL;
    const struct hg_reply *reply = NULL;
    struct hg_phrase why = {""};
    begin(&server, steps);
    assert_true(hg_ok(open_to(&server, NULL, NULL, 0, PATIENCE, &blocking, &why)));
    hg_blocking_close(blocking);
    assert_true(hg_ok(open_to(&server, NULL, NULL, 0, timeout_ms, &blocking, &why)));
    assert_int_equal(get(blocking, &reply, &why).code, HG_ERR_UNAVAILABLE);
    hg_blocking_close(blocking);
    end(&server);
    return why;
}

/* The phrase with which the greeting fails. */
static struct hg_phrase refusal_of(const struct step *steps, const char *password, unsigned db)
{
    struct server server;
    struct hg_blocking *blocking = NULL;
    struct hg_phrase why = {""};
    begin(&server, steps);
    assert_int_equal(open_to(&server, NULL, password, db, PATIENCE, &blocking, &why).code, HG_ERR_UNAVAILABLE);
    assert_null(blocking);
    assert_null(strstr(why.text, PASSWORD));
    end(&server);
    return why;
}

static void it_greets_then_calls(void **state)
{
    (void)state;
    const struct step steps[] = {
        {"*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$21\r\n" PASSWORD "\r\n", "+OK\r\n"},
        {"*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n", "+OK\r\n"},
        {PING, PONG},
        {GET, "*3\r\n$3\r\nabc\r\n:-5\r\n*2\r\n$-1\r\n+OK\r\n"},
        {GET, "large"},
        {GET, "-ERR no " PASSWORD " here\r\n"},
        {GET, "*0\r\n"},
        {NULL, NULL},
    };
    struct server server;
    struct hg_blocking *blocking = NULL;
    const struct hg_reply *reply = NULL;
    struct hg_phrase why = {""};
    begin(&server, steps);
    assert_true(hg_ok(open_to(&server, "ann", PASSWORD, 7, PATIENCE, &blocking, &why)));
    assert_true(hg_ok(get(blocking, &reply, &why)));
    assert_true(hg_reply_is_array(reply, 3));
    assert_true(hg_slice_is(reply->items[0].text, "abc"));
    assert_int_equal(reply->items[1].integer, -5);
    assert_true(hg_reply_is_array(&reply->items[2], 2));
    assert_int_equal(reply->items[2].items[0].type, HG_REPLY_NIL);
    assert_true(hg_reply_is(&reply->items[2].items[1], "OK"));
    assert_true(hg_ok(get(blocking, &reply, &why)));
    assert_int_equal(reply->text.len, LARGE);
    assert_int_equal(reply->text.ptr[LARGE - 1], 'x');
    assert_true(hg_ok(get(blocking, &reply, &why)));
    assert_int_equal(reply->type, HG_REPLY_ERROR);
    assert_null(strstr(hg_blocking_words(blocking, reply).text, PASSWORD));
    assert_true(hg_ok(get(blocking, &reply, &why)));
    assert_true(hg_reply_is_array(reply, 0));
    hg_blocking_close(blocking);
    end(&server);
}

static void refusals_of_the_greeting_are_told(void **state)
{
    (void)state;
    const struct step wrong[] = {
        {"*2\r\n$4\r\nAUTH\r\n$21\r\n" PASSWORD "\r\n", "-WRONGPASS invalid username-password pair\r\n"}, {NULL, NULL}};
    assert_non_null(strstr(refusal_of(wrong, PASSWORD, 0).text, "AUTH refused: WRONGPASS"));
    const struct step quoting[] = {{"*2\r\n$4\r\nAUTH\r\n$21\r\n" PASSWORD "\r\n",
                                    "-ERR unknown command `AUTH`, with args beginning with: `hunter2-corr\r\n"},
                                   {NULL, NULL}};
    assert_null(strstr(refusal_of(quoting, PASSWORD, 0).text, "hunter2"));
    const struct step select[] = {{"*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n", "-ERR DB index is out of range\r\n"},
                                  {NULL, NULL}};
    assert_non_null(strstr(refusal_of(select, NULL, 99).text, "SELECT refused: ERR DB index is out of range"));
    const struct step loading[] = {{PING, "-LOADING Redis is loading the dataset in memory\r\n"}, {NULL, NULL}};
    assert_non_null(strstr(refusal_of(loading, NULL, 0).text, "PING refused: LOADING"));
    const struct step other[] = {{PING, "+HELLO\r\n"}, {NULL, NULL}};
    assert_non_null(strstr(refusal_of(other, NULL, 0).text, "is this Redis?"));
}

static void a_user_who_may_not_ping_may_do_the_rest(void **state)
{
    (void)state;
    const struct step steps[] = {{PING, "-NOPERM no permissions to run the 'ping' command\r\n"}, {NULL, NULL}};
    struct server server;
    struct hg_blocking *blocking = NULL;
    struct hg_phrase why = {""};
    begin(&server, steps);
    assert_true(hg_ok(open_to(&server, NULL, NULL, 0, PATIENCE, &blocking, &why)));
    hg_blocking_close(blocking);
    end(&server);
}

static void what_goes_wrong_in_a_call_is_told(void **state)
{
    (void)state;
    assert_non_null(strstr(failure_of("", 60).text, "no answer within 60 ms"));
    assert_non_null(strstr(failure_of("*2\r\n+one\r\n", 60).text, "no answer within 60 ms"));
    assert_non_null(strstr(failure_of(NULL, PATIENCE).text, "closed the connection"));
    assert_non_null(strstr(failure_of("?what\r\n", PATIENCE).text, "rotocol error"));
    assert_non_null(strstr(failure_of("+one\r\n+two\r\n", PATIENCE).text, "not asked for"));
    assert_non_null(strstr(failure_of("+one\r\n+tw", PATIENCE).text, "not asked for"));
    assert_non_null(strstr(failure_of("*2000000\r\n", PATIENCE).text, "1048576"));
}

static void nobody_there_is_told_with_the_place(void **state)
{
    (void)state;
    struct server nobody = {.path = "/tmp/hgt-there-is-no-such-socket"};
    struct hg_blocking *blocking = NULL;
    struct hg_phrase why = {""};
    assert_int_equal(open_to(&nobody, NULL, NULL, 0, PATIENCE, &blocking, &why).code, HG_ERR_UNAVAILABLE);
    assert_non_null(strstr(why.text, nobody.path));
    struct hg_redis_url url = {.host = "127.0.0.1", .port = 1};
    assert_int_equal(hg_blocking_open(&url, hg_ms(PATIENCE), &blocking, &why).code, HG_ERR_UNAVAILABLE);
    assert_non_null(strstr(why.text, "127.0.0.1:1"));
    hg_blocking_close(NULL);
}

static struct server swept;

static bool use_blocking(void)
{
    struct hg_blocking *blocking = NULL;
    const struct hg_reply *reply = NULL;
    struct hg_phrase why = {""};
    if (!hg_ok(open_to(&swept, NULL, NULL, 0, PATIENCE, &blocking, &why)))
        return false;
    bool fine = hg_ok(get(blocking, &reply, &why)) && hg_reply_is_array(reply, 2);
    hg_blocking_close(blocking);
    return fine;
}

static void without_memory_it_fails_and_leaks_nothing(void **state)
{
    (void)state;
    const struct step steps[] = {{PING, PONG}, {GET, "*2\r\n$3\r\nabc\r\n*1\r\n:1\r\n"}, {NULL, NULL}};
    begin(&swept, steps);
    HGT_OOM_SWEEP(use_blocking);
    end(&swept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_greets_then_calls),
        cmocka_unit_test(refusals_of_the_greeting_are_told),
        cmocka_unit_test(a_user_who_may_not_ping_may_do_the_rest),
        cmocka_unit_test(what_goes_wrong_in_a_call_is_told),
        cmocka_unit_test(nobody_there_is_told_with_the_place),
        cmocka_unit_test(without_memory_it_fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
