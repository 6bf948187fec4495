/* Links to Redis, over the real loop: with a redis-server of our own (skipped where there is none) and with servers
 * that behave badly. Nothing waits for a time to pass: each test turns the loop until what it expects has happened. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/redis_url.h"
#include "core/ports.h"
#include "loop/loop.h"
#include "redis/redis.h"

#define PASSWORD     "hunter2-correct-horse"
#define GUARD_S      30 /* a turn later than this fails the test */
#define LINKS        6
#define COMMANDER    HG_LINK_COMMANDER
#define REPLIES_KEPT 64

/* ---- the gateway's side ---- */

struct link_log {
    int ups, downs, replies;
    uint64_t client_id;
    char reason[256];
};

struct world {
    struct hg_loop *loop;
    struct hg_redis *redis;
    struct hg_redis_url url;
    struct link_log links[LINKS];
    struct hg_buf text; /* the replies, rendered: "link.token=reply;", as many as REPLIES_KEPT */
    int replies;
    uint64_t next_token; /* commander's replies must come in this order */
    bool in_port;        /* the sink must not be called now */
    hg_time guard;
    bool (*done)(struct world *world);
    void (*on_up)(struct world *world, uint32_t link);
    void (*on_down)(struct world *world, uint32_t link);
    void (*on_reply)(struct world *world, uint32_t link, uint64_t token);
    pid_t victim; /* for tests that kill the server */
};

static void render(struct hg_buf *buf, const struct hg_reply *reply)
{
    switch (reply->type) {
    case HG_REPLY_NIL:
        hg_buf_put_str(buf, "nil");
        break;
    case HG_REPLY_INTEGER:
        hg_buf_put_i64(buf, reply->integer);
        break;
    case HG_REPLY_ARRAY:
        hg_buf_put_char(buf, '[');
        for (size_t i = 0; i < reply->count; i++) {
            hg_buf_put_str(buf, i > 0 ? " " : "");
            render(buf, &reply->items[i]);
        }
        hg_buf_put_char(buf, ']');
        break;
    default:
        hg_buf_put_str(buf, reply->type == HG_REPLY_ERROR ? "-" : "");
        hg_buf_put(buf, hg_slice_first(reply->text, 100));
    }
}

/* The replies so far, as a string. */
static const char *told(struct world *world)
{
    char *end = hg_buf_reserve(&world->text, 1);
    assert_non_null(end);
    *end = '\0';
    return world->text.ptr;
}

static void on_up(void *context, hg_time now, uint32_t link, uint64_t client_id)
{
    struct world *world = context;
    (void)now;
    assert_false(world->in_port);
    world->links[link].ups++;
    world->links[link].client_id = client_id;
    if (world->on_up)
        world->on_up(world, link);
}

static void on_down(void *context, hg_time now, uint32_t link, struct hg_slice reason)
{
    struct world *world = context;
    (void)now;
    assert_false(world->in_port);
    world->links[link].downs++;
    snprintf(world->links[link].reason, sizeof(world->links[link].reason), "%.*s", HG_SLICE_ARG(reason));
    assert_null(strstr(world->links[link].reason, "hunter2"));
    for (size_t i = 0; i < reason.len; i++)
        assert_true(reason.ptr[i] >= ' ' && reason.ptr[i] <= '~');
    if (world->on_down)
        world->on_down(world, link);
}

static void on_reply(void *context, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply)
{
    struct world *world = context;
    (void)now;
    assert_false(world->in_port);
    world->links[link].replies++;
    if (link == HG_LINK_LISTENER)
        assert_true(token == 0);
    else if (link == COMMANDER)
        assert_true(token == world->next_token++);
    if (world->replies++ < REPLIES_KEPT) {
        hg_buf_printf(&world->text, "%" PRIu32 ".%" PRIu64 "=", link, token);
        render(&world->text, reply);
        hg_buf_put_char(&world->text, ';');
    }
    if (world->on_reply)
        world->on_reply(world, link, token);
}

static void *watch(void *context, int fd, void (*callback)(void *link, hg_time now, int events), void *link)
{
    struct world *world = context;
    struct hg_watch *ret = NULL;
    return hg_ok(hg_watch_open(world->loop, fd, callback, link, &ret)) ? ret : NULL;
}

static void set(void *watched, int events)
{
    hg_watch_set(watched, events);
}

static void unwatch(void *watched)
{
    hg_watch_close(watched);
}

static hg_time loop_now(void *context)
{
    return hg_loop_now(((struct world *)context)->loop);
}

static hg_time on_turn_end(void *context, hg_time now)
{
    struct world *world = context;
    hg_redis_tick(world->redis, now);
    if (world->done(world)) {
        hg_loop_stop(world->loop);
    } else if (hg_time_reached(world->guard, now)) {
        fail_msg("nothing came of it: %.*s; down: %s", HG_SLICE_ARG(hg_buf_slice(&world->text)),
                 world->links[1].reason);
    }
    hg_redis_flush(world->redis, now);
    hg_redis_validate(world->redis);
    return hg_time_min(world->guard, hg_redis_next_deadline(world->redis));
}

static void on_stop(void *context, hg_time now)
{
    (void)now;
    hg_loop_stop(((struct world *)context)->loop);
}

static void world_init(struct world *world, struct hg_redis_url url, uint64_t timeout_ms)
{
    *world = (struct world){.url = url};
    hg_buf_init(&world->text, 1 << 20);
    struct hg_loop_hooks hooks = {world, on_turn_end, on_stop, NULL};
    assert_true(hg_ok(hg_loop_new(hooks, &world->loop)));
    struct hg_redis_loop loop = {world, watch, set, unwatch, loop_now};
    struct hg_redis_sink sink = {world, on_up, on_down, on_reply};
    assert_true(hg_ok(hg_redis_new(&world->url, hg_ms(timeout_ms), HG_LINK_LISTENER, loop, sink, &world->redis)));
}

static void world_done(struct world *world)
{
    hg_redis_free(world->redis);
    hg_loop_free(world->loop);
    hg_buf_done(&world->text);
}

static void run_until(struct world *world, bool (*done)(struct world *world))
{
    world->done = done;
    world->guard = hg_time_add(hg_loop_now(world->loop), hg_ms(GUARD_S * 1000));
    hg_loop_run(world->loop);
}

static void open_link(struct world *world, uint32_t link)
{
    world->in_port = true;
    hg_redis_open(world->redis, link);
    world->in_port = false;
}

static void close_link(struct world *world, uint32_t link)
{
    world->in_port = true;
    hg_redis_close(world->redis, link);
    world->in_port = false;
}

#define COMMAND(world, link, token, ...)                                                                               \
    command(world, link, token, (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void command(struct world *world, uint32_t link, uint64_t token, const char **words, size_t count)
{
    struct hg_slice argv[8];
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++)
        argv[i] = hg_slice_str(words[i]);
    world->in_port = true;
    hg_redis_command(world->redis, link, token, argv, count);
    world->in_port = false;
}

static bool is_up(struct world *world)
{
    return world->links[COMMANDER].ups > 0;
}

static bool is_down(struct world *world)
{
    return world->links[COMMANDER].downs > 0;
}

static bool is_settled(struct world *world)
{
    return is_up(world) || is_down(world);
}

static void expect_up(struct world *world)
{
    run_until(world, is_settled);
    if (!is_up(world))
        fail_msg("down: %s", world->links[COMMANDER].reason);
}

static void expect_down(struct world *world, const char *part)
{
    run_until(world, is_down);
    if (!strstr(world->links[COMMANDER].reason, part))
        fail_msg("down: \"%s\" instead of \"%s\"", world->links[COMMANDER].reason, part);
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    size_t count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* ---- servers ---- */

static char folder[] = "/tmp/headgate-test-XXXXXX";
static char socket_path[64], plain_path[64], fake_path[64];
static uint16_t port;
static pid_t server = -1, plain_server = -1;

static pid_t start_child(void)
{
    pid_t parent = getpid(), child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* never survives this test */
        if (getppid() != parent)
            _exit(1);
    }
    return child;
}

static void end_child(pid_t child)
{
    if (child <= 0)
        return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* -1 when there is no redis-server. */
static pid_t start_redis(const char *path, uint16_t tcp_port, const char *password)
{
    char digits[8], log[96];
    snprintf(digits, sizeof(digits), "%u", (unsigned)tcp_port);
    snprintf(log, sizeof(log), "%s.log", path);
    pid_t child = start_child();
    if (child == 0) {
        execlp("redis-server", "redis-server", "--port", digits, "--bind", "127.0.0.1", "--unixsocket", path, "--dir",
               folder, "--save", "", "--appendonly", "no", "--logfile", log, "--requirepass", password, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 3000; i++) {
        int fd = connect_unix(path);
        if (fd >= 0) {
            close(fd);
            return child;
        }
        if (waitpid(child, NULL, WNOHANG) == child)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    end_child(child);
    return -1;
}

/* A server in a process of its own that accepts one connection and lets `play` have it. */
static pid_t start_fake(void (*play)(int fd))
{
    unlink(fake_path);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", fake_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    pid_t child = start_child();
    if (child == 0) {
        int fd = accept(listener, NULL, NULL);
        play(fd);
        close(fd);
        _exit(0);
    }
    close(listener);
    return child;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            _exit(1);
        text += n;
        len -= (size_t)n;
    }
}

static void wait_for_end(int fd)
{
    char bytes[65536];
    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

/* Reads until PING, the last word of the greeting, was seen: what is said then is not about the greeting. */
static void hear_greeting(int fd)
{
    char bytes[4096];
    size_t len = 0;
    while (len < sizeof(bytes) - 1) {
        ssize_t n = read(fd, bytes + len, sizeof(bytes) - 1 - len);
        if (n <= 0)
            _exit(1);
        len += (size_t)n;
        bytes[len] = '\0';
        if (strstr(bytes, "PING\r\n"))
            return;
    }
}

#define WELCOME "+OK\r\n:7\r\n+PONG\r\n"

static struct hg_redis_url at_path(char *path, char *password)
{
    return (struct hg_redis_url){.path = path, .password = password};
}

static void need_redis(void)
{
    if (server <= 0) {
        print_message("redis-server is missing: skipped\n");
        skip();
    }
}

/* ---- with a real Redis ---- */

static void it_comes_up_over_a_unix_socket(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(socket_path, PASSWORD), 5000);
    open_link(&world, COMMANDER);
    expect_up(&world);
    assert_true(world.links[COMMANDER].client_id > 0);
    assert_int_equal(world.links[COMMANDER].downs, 0);
    world_done(&world);
}

static bool two_replies(struct world *world)
{
    return world->replies == 2;
}

static void it_comes_up_over_tcp_with_a_user_and_a_database(void **state)
{
    (void)state;
    need_redis();
    /* The resolver may put ::1 first, where nobody listens. */
    char *hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        struct hg_redis_url url = {.host = hosts[i], .port = port, .user = "default", .password = PASSWORD, .db = 3};
        world_init(&world, url, 5000);
        open_link(&world, COMMANDER);
        expect_up(&world);
        COMMAND(&world, COMMANDER, 0, "CLIENT", "GETNAME");
        COMMAND(&world, COMMANDER, 1, "EVAL", "return redis.call('CLIENT', 'ID') and 'ok'", "0");
        run_until(&world, two_replies);
        assert_non_null(strstr(told(&world), "1.0=headgate;1.1="));
        world_done(&world);
    }
}

static void refusals_are_told_in_the_words_of_redis(void **state)
{
    (void)state;
    need_redis();
    const struct {
        struct hg_redis_url url;
        const char *words;
    } cases[] = {
        {{.path = socket_path, .password = "hunter2-wrong"}, "AUTH refused: WRONGPASS"},
        {{.path = socket_path, .user = "nobody", .password = PASSWORD}, "AUTH refused: WRONGPASS"},
        {{.path = socket_path, .user = "default"}, "AUTH refused: WRONGPASS"},
        {{.path = socket_path}, "refused: NOAUTH"},
        {{.path = socket_path, .db = 1}, "refused: NOAUTH"},
        {{.path = socket_path, .password = PASSWORD, .db = 99}, "SELECT refused: ERR DB index is out of range"},
        {{.path = plain_path, .password = PASSWORD}, "AUTH refused: ERR AUTH <password> called without any password"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;
        world_init(&world, cases[i].url, 5000);
        open_link(&world, COMMANDER);
        expect_down(&world, cases[i].words);
        assert_int_equal(world.links[COMMANDER].ups, 0);
        world_done(&world);
    }
}

static bool both_up(struct world *world)
{
    return world->links[COMMANDER].ups == 1 && world->links[HG_LINK_LISTENER].ups == 1;
}

static bool five_pushes(struct world *world)
{
    return world->links[HG_LINK_LISTENER].replies == 5;
}

static bool three_pushes(struct world *world)
{
    return world->links[HG_LINK_LISTENER].replies == 3;
}

static void the_listener_is_pushed_to(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(plain_path, NULL), 5000);
    open_link(&world, COMMANDER);
    open_link(&world, HG_LINK_LISTENER);
    run_until(&world, both_up);
    COMMAND(&world, HG_LINK_LISTENER, 77, "SUBSCRIBE", "one", "two");
    COMMAND(&world, HG_LINK_LISTENER, 78, "PSUBSCRIBE", "t*");
    run_until(&world, three_pushes);
    COMMAND(&world, COMMANDER, 0, "PUBLISH", "two", "{\"a\":1}");
    run_until(&world, five_pushes);
    const char *pushes[] = {"0.0=[subscribe one 1];0.0=[subscribe two 2];0.0=[psubscribe t* 3];",
                            "0.0=[message two {\"a\":1}];", "0.0=[pmessage t* two {\"a\":1}];"};
    for (size_t i = 0; i < 3; i++)
        assert_non_null(strstr(told(&world), pushes[i]));
    world_done(&world);
}

static bool reader_and_commander_up(struct world *world)
{
    return world->links[COMMANDER].ups == 1 && world->links[HG_LINK_READER].ups == 1;
}

static bool reader_answered(struct world *world)
{
    return world->links[HG_LINK_READER].replies == 1;
}

static bool commander_answered_once(struct world *world)
{
    return world->links[COMMANDER].replies == 1;
}

static void a_blocked_reader_is_answered(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(plain_path, NULL), 5000);
    open_link(&world, COMMANDER);
    open_link(&world, HG_LINK_READER);
    run_until(&world, reader_and_commander_up);
    COMMAND(&world, HG_LINK_READER, 42, "XREAD", "BLOCK", "0", "STREAMS", "s", "0-0");
    COMMAND(&world, COMMANDER, 0, "PING");
    run_until(&world, commander_answered_once);
    assert_int_equal(world.links[HG_LINK_READER].replies, 0);
    COMMAND(&world, COMMANDER, 1, "XADD", "s", "5-1", "event", "{}");
    run_until(&world, reader_answered);
    assert_non_null(strstr(told(&world), "5.42=[[s [[5-1 [event {}]]]]];"));
    world_done(&world);
}

static bool ten_thousand(struct world *world)
{
    return world->links[COMMANDER].replies == 10000;
}

static void ten_thousand_commands_are_answered_in_order(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(plain_path, NULL), 5000);
    open_link(&world, COMMANDER);
    expect_up(&world);
    for (uint64_t i = 0; i < 10000; i++)
        COMMAND(&world, COMMANDER, i, "INCR", "counter");
    run_until(&world, ten_thousand);
    assert_memory_equal(told(&world), "1.0=1;1.1=2;1.2=3;", 18);
    world_done(&world);
}

static bool echo_is_back(struct world *world)
{
    return world->links[COMMANDER].replies == 3;
}

static void a_large_command_and_reply_pass(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, (struct hg_redis_url){.host = "127.0.0.1", .port = port, .password = PASSWORD}, 5000);
    open_link(&world, COMMANDER);
    expect_up(&world);
    size_t len = 24 << 20; /* more than any socket buffer: written and read in parts */
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    COMMAND(&world, COMMANDER, 0, "SET", "large", text);
    COMMAND(&world, COMMANDER, 1, "STRLEN", "large");
    COMMAND(&world, COMMANDER, 2, "GET", "large");
    free(text);
    run_until(&world, echo_is_back);
    assert_non_null(strstr(told(&world), "1.1=25165824;1.2=xxx"));
    world_done(&world);
}

static void kill_at_hundred(struct world *world, uint32_t link, uint64_t token)
{
    (void)link;
    if (token == 99)
        end_child(world->victim);
}

static void open_again(struct world *world, uint32_t link)
{
    if (world->links[link].downs == 1)
        hg_redis_open(world->redis, link); /* as the core may, from within its handling of this event */
}

static bool twice_down(struct world *world)
{
    return world->links[COMMANDER].downs == 2;
}

static void a_killed_server_takes_the_link_down(void **state)
{
    (void)state;
    need_redis();
    char path[96];
    snprintf(path, sizeof(path), "%s/victim.sock", folder);
    struct world world;
    world_init(&world, at_path(path, PASSWORD), 5000);
    world.victim = start_redis(path, 0, PASSWORD);
    assert_true(world.victim > 0);
    open_link(&world, COMMANDER);
    expect_up(&world);
    for (uint64_t i = 0; i < 100; i++)
        COMMAND(&world, COMMANDER, i, "PING");
    COMMAND(&world, COMMANDER, 100, "BLPOP", "nothing", "0");
    COMMAND(&world, COMMANDER, 101, "PING");
    world.on_reply = kill_at_hundred;
    world.on_down = open_again;
    run_until(&world, twice_down);
    assert_int_equal(world.links[COMMANDER].replies, 100);
    assert_non_null(strstr(world.links[COMMANDER].reason, "connect to "));
    assert_non_null(strstr(world.links[COMMANDER].reason, strerror(ECONNREFUSED)));
    /* Nothing is left of the old replies once it is back. */
    world.victim = start_redis(path, 0, PASSWORD);
    world.on_reply = NULL;
    world.next_token = 500;
    world.links[COMMANDER] = (struct link_log){.downs = 2};
    open_link(&world, COMMANDER);
    run_until(&world, is_up);
    COMMAND(&world, COMMANDER, 500, "PING");
    run_until(&world, commander_answered_once);
    world_done(&world);
    end_child(world.victim);
}

static void close_and_open(struct world *world, uint32_t link, uint64_t token)
{
    if (token == 2) {
        hg_redis_close(world->redis, link);
        hg_redis_close(world->redis, link); /* idempotent */
        hg_redis_open(world->redis, link);
        hg_redis_close(world->redis, link);
        hg_redis_open(world->redis, link);
        world->next_token = 900;
    }
}

static void ask_at_second_up(struct world *world, uint32_t link)
{
    if (world->links[link].ups == 2) {
        const struct hg_slice ping = HG_LIT("PING");
        hg_redis_command(world->redis, link, 900, &ping, 1);
    }
}

static bool four_replies(struct world *world)
{
    return world->links[COMMANDER].replies == 4;
}

static void the_sink_may_close_and_open_the_link_of_the_reply(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(plain_path, NULL), 5000);
    world.on_reply = close_and_open;
    world.on_up = ask_at_second_up;
    open_link(&world, COMMANDER);
    expect_up(&world);
    for (uint64_t i = 0; i < 500; i++) /* one read brings them all */
        COMMAND(&world, COMMANDER, i, "ECHO", "x");
    run_until(&world, four_replies);
    assert_string_equal("1.0=x;1.1=x;1.2=x;1.900=PONG;", told(&world));
    assert_int_equal(world.links[COMMANDER].downs, 0);
    world_done(&world);
}

static void close_at_once(struct world *world, uint32_t link)
{
    hg_redis_close(world->redis, link);
}

static void the_sink_may_close_the_link_that_came_up(void **state)
{
    (void)state;
    need_redis();
    struct world world;
    world_init(&world, at_path(plain_path, NULL), 5000);
    world.on_up = close_at_once;
    open_link(&world, COMMANDER);
    expect_up(&world);
    world.links[COMMANDER].ups = 0;
    world.on_up = NULL;
    open_link(&world, COMMANDER);
    expect_up(&world);
    world_done(&world);
}

static void every_descriptor_is_given_back(void **state)
{
    (void)state;
    need_redis();
    size_t before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        struct world world;
        world_init(&world, at_path(plain_path, i % 2 ? NULL : PASSWORD), 5000);
        open_link(&world, COMMANDER);
        open_link(&world, HG_LINK_READER); /* left connecting, or up */
        run_until(&world, is_settled);
        world_done(&world);
    }
    assert_int_equal(open_descriptors(), before);
}

/* ---- with bad servers ---- */

static void expect_fake_down(void (*play)(int fd), uint64_t timeout_ms, const char *part)
{
    struct world world;
    pid_t child = start_fake(play);
    world_init(&world, at_path(fake_path, NULL), timeout_ms);
    open_link(&world, COMMANDER);
    expect_down(&world, part);
    world_done(&world);
    end_child(child);
}

static void play_http(int fd)
{
    say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    wait_for_end(fd);
}

static void play_binary(int fd)
{
    say(fd, "\x15\x03\x03\x1b[2J\r\n");
    wait_for_end(fd);
}

static void play_huge(int fd)
{
    say(fd, "*2147483647\r\n");
    wait_for_end(fd);
}

static void play_odd(int fd)
{
    say(fd, "*1\r\n:1\r\n*-1\r\n$4\r\nPANG\r\n");
    wait_for_end(fd);
}

static void play_full(int fd)
{
    say(fd, "-ERR max number of clients reached\r\n");
}

static void play_loading(int fd)
{
    hear_greeting(fd);
    say(fd, "+OK\r\n:5\r\n-LOADING Redis is loading the dataset in memory\r\n");
    wait_for_end(fd);
}

static void play_close(int fd)
{
    (void)fd;
}

static void play_die_in_reply(int fd)
{
    hear_greeting(fd);
    say(fd, WELCOME);
    char bytes[4096];
    if (read(fd, bytes, sizeof(bytes)) > 0)
        say(fd, "*3\r\n$7\r\nmess");
}

static void play_die_in_greeting(int fd)
{
    hear_greeting(fd);
    say(fd, "+OK\r\n:");
}

static void play_talkative(int fd)
{
    hear_greeting(fd);
    say(fd, WELCOME "+more\r\n");
    wait_for_end(fd);
}

static void play_grumbling(int fd)
{
    hear_greeting(fd);
    say(fd, WELCOME "-ERR idle\x1b for too long\r\n");
    wait_for_end(fd);
}

static void garbage_takes_the_link_down(void **state)
{
    (void)state;
    expect_fake_down(play_http, 5000, "protocol error: Protocol error, got \"H\"");
    expect_fake_down(play_binary, 5000, "protocol error");
    expect_fake_down(play_huge, 5000, "more than 1048576 items");
    expect_fake_down(play_odd, 5000, "PING: unexpected answer");
}

static void a_server_that_hangs_up_is_quoted(void **state)
{
    (void)state;
    expect_fake_down(play_full, 5000, ": ERR max number of clients reached");
    expect_fake_down(play_loading, 5000, "PING refused: LOADING Redis is loading");
    expect_fake_down(play_close, 5000, ""); /* closed before it had answered, or the write says EPIPE */
    expect_fake_down(play_die_in_greeting, 5000, "Redis closed the connection in the middle of a reply");
}

static void what_nobody_asked_for_takes_the_link_down(void **state)
{
    (void)state;
    expect_fake_down(play_talkative, 5000, "unexpected reply");
    expect_fake_down(play_grumbling, 5000, "unexpected reply: ERR idle? for too long");
}

static void silence_has_a_deadline(void **state)
{
    (void)state;
    expect_fake_down(wait_for_end, 50, "no answer from ");
}

static void a_socket_nobody_listens_on_is_told_from_the_tick(void **state)
{
    (void)state;
    char missing[96], *long_path = NULL;
    snprintf(missing, sizeof(missing), "%s/missing.sock", folder);
    assert_true(asprintf(&long_path, "%s/%0200d", folder, 0) > 0);
    const struct {
        struct hg_redis_url url;
        const char *words;
    } cases[] = {
        {{.path = missing}, strerror(ENOENT)},
        {{.path = long_path}, "longer than 107 bytes"},
        {{.host = "127.0.0.1", .port = free_port()}, strerror(ECONNREFUSED)},
        {{.host = "no such host", .port = 6379}, "resolve no such host: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;
        world_init(&world, cases[i].url, 5000);
        open_link(&world, COMMANDER);
        expect_down(&world, cases[i].words);
        /* Closed before it was told: nothing is told. */
        world.links[COMMANDER].downs = 0;
        open_link(&world, COMMANDER);
        close_link(&world, COMMANDER);
        open_link(&world, HG_LINK_LISTENER);
        world.done = NULL;
        hg_redis_tick(world.redis, hg_loop_now(world.loop));
        assert_int_equal(world.links[COMMANDER].downs, 0);
        world_done(&world);
    }
    free(long_path);
}

static void ask_something(struct world *world, uint32_t link)
{
    const struct hg_slice ping = HG_LIT("PING");
    hg_redis_command(world->redis, link, 0, &ping, 1);
}

static void a_server_that_dies_in_a_reply_takes_the_link_down(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, at_path(fake_path, NULL), 5000);
    world.victim = start_fake(play_die_in_reply);
    world.on_up = ask_something;
    open_link(&world, COMMANDER);
    expect_up(&world);
    expect_down(&world, "Redis closed the connection in the middle of a reply");
    end_child(world.victim);
    assert_int_equal(world.links[COMMANDER].replies, 0);
    world_done(&world);
}

static void play_echoes_password(int fd)
{
    say(fd, "-ERR unknown command `AUTH`, with args beginning with: `" PASSWORD "`, \r\n");
    wait_for_end(fd);
}

static void play_echoes_part(int fd)
{
    say(fd, "-ERR unknown command `AUTH`, with args beginning with: `hunter2-corr\r\n");
    wait_for_end(fd);
}

static void the_password_is_never_told(void **state)
{
    (void)state;
    void (*plays[])(int fd) = {play_echoes_password, play_echoes_part};
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        pid_t child = start_fake(plays[i]);
        world_init(&world, at_path(fake_path, PASSWORD), 5000);
        open_link(&world, COMMANDER);
        expect_down(&world, "AUTH refused: ERR"); /* on_down() looks for it */
        world_done(&world);
        end_child(child);
    }
}

static void play_deaf(int fd)
{
    hear_greeting(fd);
    say(fd, WELCOME);
    for (;;)
        pause();
}

static void a_server_that_does_not_read_meets_the_ceiling(void **state)
{
    (void)state;
    struct world world;
    pid_t child = start_fake(play_deaf);
    world_init(&world, at_path(fake_path, NULL), 5000);
    open_link(&world, COMMANDER);
    expect_up(&world);
    size_t len = 8 << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    const struct hg_slice argv[] = {HG_LIT("ECHO"), hg_slice(text, len)};
    for (uint64_t i = 0; i < 40; i++) { /* 320 MiB; after the 256th the link takes no notice */
        world.in_port = true;
        hg_redis_command(world.redis, COMMANDER, i, argv, 2);
        world.in_port = false;
        hg_redis_flush(world.redis, hg_loop_now(world.loop));
    }
    free(text);
    assert_int_equal(world.links[COMMANDER].downs, 0); /* not from within a port */
    expect_down(&world, "too much unsent");
    world_done(&world);
    end_child(child);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", folder);
    snprintf(plain_path, sizeof(plain_path), "%s/plain.sock", folder);
    snprintf(fake_path, sizeof(fake_path), "%s/fake.sock", folder);
    for (int i = 0; i < 5 && server < 0; i++) { /* the port may be taken between the asking and the using */
        port = free_port();
        server = start_redis(socket_path, port, PASSWORD);
    }
    plain_server = start_redis(plain_path, 0, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_child(server);
    end_child(plain_server);
    DIR *list = opendir(folder);
    if (!list)
        return -1;
    for (struct dirent *entry; (entry = readdir(list));)
        unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_up_over_a_unix_socket),
        cmocka_unit_test(it_comes_up_over_tcp_with_a_user_and_a_database),
        cmocka_unit_test(refusals_are_told_in_the_words_of_redis),
        cmocka_unit_test(the_listener_is_pushed_to),
        cmocka_unit_test(a_blocked_reader_is_answered),
        cmocka_unit_test(ten_thousand_commands_are_answered_in_order),
        cmocka_unit_test(a_large_command_and_reply_pass),
        cmocka_unit_test(a_killed_server_takes_the_link_down),
        cmocka_unit_test(the_sink_may_close_and_open_the_link_of_the_reply),
        cmocka_unit_test(the_sink_may_close_the_link_that_came_up),
        cmocka_unit_test(every_descriptor_is_given_back),
        cmocka_unit_test(garbage_takes_the_link_down),
        cmocka_unit_test(a_server_that_hangs_up_is_quoted),
        cmocka_unit_test(what_nobody_asked_for_takes_the_link_down),
        cmocka_unit_test(silence_has_a_deadline),
        cmocka_unit_test(a_socket_nobody_listens_on_is_told_from_the_tick),
        cmocka_unit_test(a_server_that_dies_in_a_reply_takes_the_link_down),
        cmocka_unit_test(the_password_is_never_told),
        cmocka_unit_test(a_server_that_does_not_read_meets_the_ceiling),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
