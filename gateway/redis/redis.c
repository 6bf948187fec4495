#include "redis/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/list.h"
#include "config/redis_url.h"
#include "core/ports.h"
#include "redis/address.h"
#include "redis/tokens.h"
#include "redis/words.h"

#define READ_BYTES        (16 * 1024)
#define READ_BYTES_TURN   (1024 * 1024) /* a link's share of a turn: more coalesces better, less is fairer */
#define UNSENT_BYTES_MAX  (256UL * 1024 * 1024)
#define OUTPUT_IDLE_BYTES (256 * 1024) /* kept by an empty output buffer */
#define CONN_MAGIC        0x636f6e6eu

enum { READABLE = 1, WRITABLE = 2 };

/* One row per state: which others may follow. */
enum link_state {
    LINK_CLOSED,
    LINK_CONNECTING, /* in the list `opening` */
    LINK_GREETING,   /* connected, authenticates; in the list `opening` */
    LINK_UP,
    LINK_FAILED, /* the core does not know yet; in the list `failed` */
    LINK__COUNT
};
#define TO(state) (1u << LINK_##state)
static const unsigned link_may[LINK__COUNT] = {
    [LINK_CLOSED] = TO(CONNECTING) | TO(FAILED),
    [LINK_CONNECTING] = TO(GREETING) | TO(FAILED) | TO(CLOSED),
    [LINK_GREETING] = TO(UP) | TO(FAILED) | TO(CLOSED),
    [LINK_UP] = TO(FAILED) | TO(CLOSED),
    [LINK_FAILED] = TO(CLOSED),
};

/* What the greeting asks, in this order; while it lasts these are the tokens. */
enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_ID, STEP_PING };

struct link {
    struct hg_redis *redis;
    struct conn *conn; /* NULL: closed, or failed for want of memory */
    enum link_state state;
    struct hg_list_node by_state;
    struct hg_list_node dirty; /* has output to be flushed */
};

/* One attempt to connect and what comes of it. Shut at once, but freed only at the next tick: the reader may be in the
 * middle of a reply whose sink shut it. */
struct conn {
    unsigned magic;
    struct link *link;
    struct hg_list_node shut; /* in the list `shut` */
    struct hg_addresses *addresses;
    size_t address; /* the one being tried, or connected to */
    int fd;         /* -1: none */
    void *watch;
    hg_time deadline, address_deadline;
    struct hg_resp *resp;
    struct hg_tokens tokens;
    struct hg_buf out;
    size_t sent;  /* of `out` */
    bool blocked; /* the socket is full; WRITABLE is awaited */
    uint64_t client_id;
    struct hg_phrase refusal; /* the last error that the greeting overlooked, "" */
    struct hg_phrase reason;  /* why it failed */
};

struct hg_redis {
    const struct hg_redis_url *url;
    hg_dur timeout;
    uint32_t listener;
    struct hg_redis_loop loop;
    struct hg_redis_sink sink;
    struct hg_addresses *addresses; /* NULL: to be resolved */
    struct hg_list opening, failed, dirty, shut;
    struct link links[HG_LINK_COUNT_MAX];
    char input[READ_BYTES];
};

static uint32_t number_of(const struct link *link)
{
    return (uint32_t)(link - link->redis->links);
}

static struct link *link_of(struct hg_redis *redis, uint32_t number)
{
    HG_ASSERT(number < HG_LINK_COUNT_MAX);
    return &redis->links[number];
}

static void set_state(struct link *link, enum link_state next)
{
    HG_ASSERT(link_may[link->state] & (1u << next));
    hg_list_unlink(&link->by_state);
    if (next == LINK_CONNECTING || next == LINK_GREETING)
        hg_list_push_back(&link->redis->opening, &link->by_state);
    else if (next == LINK_FAILED)
        hg_list_push_back(&link->redis->failed, &link->by_state);
    link->state = next;
}

static void conn_unplug(struct conn *conn)
{
    if (conn->watch)
        conn->link->redis->loop.unwatch(conn->watch);
    conn->watch = NULL;
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

static bool conn_is_shut(const struct conn *conn)
{
    return conn->shut.owner != NULL;
}

/* Nothing more comes or goes; what it holds stays until the reaping. */
static void conn_shut(struct conn *conn)
{
    if (conn_is_shut(conn))
        return;
    conn_unplug(conn);
    hg_list_unlink(&conn->link->dirty);
    hg_list_push_back(&conn->link->redis->shut, &conn->shut);
}

static void conn_free(struct conn *conn)
{
    hg_resp_free(conn->resp);
    hg_tokens_done(&conn->tokens);
    hg_buf_done(&conn->out);
    hg_addresses_unref(conn->addresses);
    conn->magic = 0;
    free(conn);
}

static void reap(struct hg_redis *redis)
{
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&redis->shut)))
        conn_free(HG_CONTAINER(node, struct conn, shut));
}

static struct conn *conn_new(struct link *link, hg_time now)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    if (!hg_ok(hg_resp_new(&conn->resp))) {
        free(conn);
        return NULL;
    }
    conn->magic = CONN_MAGIC;
    conn->link = link;
    conn->fd = -1;
    conn->deadline = hg_time_add(now, link->redis->timeout);
    hg_buf_init(&conn->out, 2 * UNSENT_BYTES_MAX); /* what is sent already may still stand before it */
    return conn;
}

/* The name may lead elsewhere by now. Those who still try the old addresses hold references. */
static void forget_addresses(struct hg_redis *redis)
{
    hg_addresses_unref(redis->addresses);
    redis->addresses = NULL;
}

/* The core is told by the next tick or at the end of the watch's callback. The reason stands in conn->reason. */
static void link_fail(struct link *link)
{
    if (link->conn)
        conn_shut(link->conn);
    set_state(link, LINK_FAILED);
    forget_addresses(link->redis);
}

#define FAIL(conn_, ...)                                                                                               \
    do {                                                                                                               \
        hg_phrase_printf(&(conn_)->reason, __VA_ARGS__);                                                               \
        link_fail((conn_)->link);                                                                                      \
    } while (0)

/* Only those that wait now: the sink may open a link again that fails at once, and so on without end. */
static void tell_failures(struct hg_redis *redis, hg_time now)
{
    for (size_t count = redis->failed.count; count > 0 && redis->failed.first; count--) {
        struct link *link = HG_CONTAINER(redis->failed.first, struct link, by_state);
        struct conn *conn = link->conn;
        link->conn = NULL;
        set_state(link, LINK_CLOSED);
        redis->sink.down(redis->sink.context, now, number_of(link),
                         hg_slice_str(conn ? conn->reason.text : "out of memory"));
    }
}

/* ---- output ---- */

static size_t unsent(const struct conn *conn)
{
    return conn->out.len - conn->sent;
}

static void put_head(struct hg_buf *buf, char kind, size_t number)
{
    char head[1 + 20 + 2], *end = head + sizeof(head), *at = end;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *--at = kind;
    hg_buf_put(buf, hg_slice(at, (size_t)(end - at)));
}

/* Appends a command whole or, when that fails, not at all. */
static bool put_command(struct conn *conn, const struct hg_slice *argv, size_t argc)
{
    struct hg_buf *out = &conn->out;
    if (conn->sent > 0 && conn->sent >= unsent(conn)) { /* moves less than was sent since the last time */
        hg_buf_consume(out, conn->sent);
        conn->sent = 0;
    }
    size_t before = out->len;
    put_head(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        put_head(out, '$', argv[i].len);
        hg_buf_put(out, argv[i]);
        hg_buf_put(out, HG_LIT("\r\n"));
    }
    bool memory = out->error != HG_ERR_NOMEM, room = out->error == HG_ERR_OK && unsent(conn) <= UNSENT_BYTES_MAX;
    if (memory && room)
        return true;
    hg_buf_truncate(out, before);
    hg_phrase_printf(&conn->reason, "%s", memory ? "too much unsent: Redis does not read" : "out of memory");
    return false;
}

/* False: the link has failed. */
static bool conn_write(struct conn *conn)
{
    if (unsent(conn) == 0)
        return true;
    ssize_t n;
    do
        n = send(conn->fd, conn->out.ptr + conn->sent, unsent(conn), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        /* A server that refuses connections says why and closes; that may still be there to be read. */
        if (conn->link->state == LINK_GREETING && (errno == EPIPE || errno == ECONNRESET)) {
            conn->sent = conn->out.len;
            return true;
        }
        FAIL(conn, "write: %s", strerror(errno));
        return false;
    }
    if (n > 0)
        conn->sent += (size_t)n;
    conn->blocked = unsent(conn) > 0;
    if (!conn->blocked) {
        hg_buf_reset(&conn->out, OUTPUT_IDLE_BYTES);
        conn->sent = 0;
    }
    conn->link->redis->loop.set(conn->watch, conn->blocked ? READABLE | WRITABLE : READABLE);
    return true;
}

/* ---- greeting ---- */

static bool greet(struct conn *conn, enum step step, const struct hg_slice *argv, size_t argc)
{
    if (!put_command(conn, argv, argc)) {
        link_fail(conn->link);
        return false;
    }
    if (!hg_ok(hg_tokens_push(&conn->tokens, step))) {
        FAIL(conn, "out of memory");
        return false;
    }
    return true;
}

static bool send_greeting(struct conn *conn)
{
    const struct hg_redis_url *url = conn->link->redis->url;
    if (url->user || url->password) {
        struct hg_slice auth[3] = {HG_LIT("AUTH")};
        size_t argc = 1;
        if (url->user)
            auth[argc++] = hg_slice_str(url->user);
        auth[argc++] = hg_slice_str(url->password ? url->password : ""); /* a user without one may need none */
        if (!greet(conn, STEP_AUTH, auth, argc))
            return false;
    }
    if (url->db != 0) {
        char db[12];
        snprintf(db, sizeof(db), "%u", url->db);
        const struct hg_slice select[] = {HG_LIT("SELECT"), hg_slice_str(db)};
        if (!greet(conn, STEP_SELECT, select, 2))
            return false;
    }
    const struct hg_slice name[] = {HG_LIT("CLIENT"), HG_LIT("SETNAME"), HG_LIT("headgate")};
    const struct hg_slice id[] = {HG_LIT("CLIENT"), HG_LIT("ID")};
    const struct hg_slice ping[] = {HG_LIT("PING")}; /* the only one that is refused while Redis loads */
    return greet(conn, STEP_NAME, name, 3) && greet(conn, STEP_ID, id, 2) && greet(conn, STEP_PING, ping, 1) &&
           conn_write(conn);
}

static void on_greeting_reply(struct conn *conn, hg_time now, enum step step, const struct hg_reply *reply)
{
    static const char *const names[] = {
        [STEP_AUTH] = "AUTH",    [STEP_SELECT] = "SELECT", [STEP_NAME] = "CLIENT SETNAME",
        [STEP_ID] = "CLIENT ID", [STEP_PING] = "PING",
    };
    struct link *link = conn->link;
    struct hg_redis *redis = link->redis;
    bool error = reply->type == HG_REPLY_ERROR;
    if (error) {
        /* Old servers quote the arguments of commands that they do not know: here, the password. */
        struct hg_phrase words = hg_server_words(reply->text, redis->url->password, step != STEP_AUTH);
        bool harmless =
            step == STEP_NAME || step == STEP_ID || (step == STEP_PING && hg_reply_is_error(reply, "NOPERM"));
        if (!harmless || hg_reply_is_error(reply, "NOAUTH")) {
            FAIL(conn, "%s refused: %s", names[step], words.text);
            return;
        }
        conn->refusal = words;
    } else if (step == STEP_ID && reply->type == HG_REPLY_INTEGER && reply->integer > 0) {
        conn->client_id = (uint64_t)reply->integer;
    } else if ((step == STEP_AUTH || step == STEP_SELECT) && !hg_reply_is(reply, "OK")) {
        FAIL(conn, "%s: unexpected answer", names[step]);
        return;
    } else if (step == STEP_PING && !hg_reply_is(reply, "PONG")) {
        FAIL(conn, "PING: unexpected answer; is this Redis?");
        return;
    }
    if (step == STEP_PING) {
        set_state(link, LINK_UP);
        redis->sink.up(redis->sink.context, now, number_of(link), conn->client_id);
    }
}

/* ---- input ---- */

struct arrival {
    struct conn *conn;
    hg_time now;
};

/* False: the connection is shut, the rest of its bytes does not matter. */
static bool on_reply(void *context, const struct hg_reply *reply)
{
    const struct arrival *arrival = context;
    struct conn *conn = arrival->conn;
    struct link *link = conn->link;
    struct hg_redis *redis = link->redis;
    uint64_t token = 0;
    bool push = link->state == LINK_UP && number_of(link) == redis->listener;
    if (!push && !hg_tokens_pop(&conn->tokens, &token)) {
        if (reply->type == HG_REPLY_ERROR) {
            struct hg_phrase words = hg_server_words(reply->text, redis->url->password, true);
            FAIL(conn, "unexpected reply: %s", words.text);
        } else {
            FAIL(conn, "unexpected reply");
        }
    } else if (link->state == LINK_GREETING) {
        on_greeting_reply(conn, arrival->now, (enum step)token, reply);
    } else {
        redis->sink.reply(redis->sink.context, arrival->now, number_of(link), token, reply);
    }
    return !conn_is_shut(conn);
}

/* The peer closed (0) or the connection broke (an errno); with what the server said before, when it refused us. */
static void fail_lost(struct conn *conn, int error)
{
    const char *when = "";
    if (!hg_resp_is_between(conn->resp))
        when = " in the middle of a reply";
    else if (conn->link->state == LINK_GREETING)
        when = " before it had answered";
    bool refused = conn->link->state == LINK_GREETING && conn->refusal.text[0];
    if (error != 0)
        FAIL(conn, "read: %s%s%s", strerror(error), refused ? ": " : "", refused ? conn->refusal.text : "");
    else if (refused)
        FAIL(conn, "Redis closed the connection: %s", conn->refusal.text);
    else
        FAIL(conn, "Redis closed the connection%s", when);
}

static void conn_read(struct conn *conn, hg_time now)
{
    struct hg_redis *redis = conn->link->redis;
    struct arrival arrival = {conn, now};
    for (size_t total = 0; total < READ_BYTES_TURN;) {
        ssize_t n = recv(conn->fd, redis->input, sizeof(redis->input), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            fail_lost(conn, n < 0 ? errno : 0);
            return;
        }
        const char *why = NULL;
        bool fine = hg_resp_feed(conn->resp, hg_slice(redis->input, (size_t)n), on_reply, &arrival, &why);
        if (conn_is_shut(conn))
            return;
        if (!fine) {
            FAIL(conn, "protocol error: %.200s", why);
            return;
        }
        total += (size_t)n;
        if ((size_t)n < sizeof(redis->input))
            break;
    }
    redis->loop.set(conn->watch, conn->blocked ? READABLE | WRITABLE : READABLE); /* an error stops a watch */
}

/* ---- connecting ---- */

static void on_ready(void *context, hg_time now, int events);

/* Begins with the first address from conn->address on that does not fail at once. */
static void connect_next(struct conn *conn, hg_time now)
{
    struct hg_redis *redis = conn->link->redis;
    size_t count = hg_addresses_count(conn->addresses);
    for (;; conn->address++) {
        if (conn->address == count) {
            link_fail(conn->link); /* for the reason that the last one gave */
            return;
        }
        conn->fd = hg_addresses_connect(conn->addresses, conn->address);
        if (conn->fd >= 0)
            break;
        hg_phrase_printf(&conn->reason, "connect to %s: %s", hg_redis_url_place(redis->url).text, strerror(errno));
    }
    /* An address that never answers leaves the others their share of the time. */
    hg_dur left = hg_time_since(now, conn->deadline);
    conn->address_deadline = hg_time_add(now, hg_us(left.us / (count - conn->address)));
    conn->watch = redis->loop.watch(redis->loop.context, conn->fd, on_ready, conn);
    if (!conn->watch) {
        FAIL(conn, "the loop cannot watch the socket");
        return;
    }
    redis->loop.set(conn->watch, WRITABLE);
}

static void connect_another(struct conn *conn, hg_time now, const char *why)
{
    hg_phrase_printf(&conn->reason, "connect to %s: %s", hg_redis_url_place(conn->link->redis->url).text, why);
    conn_unplug(conn);
    conn->address++;
    connect_next(conn, now);
}

static void on_connected(struct conn *conn, hg_time now)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        connect_another(conn, now, strerror(error));
        return;
    }
    set_state(conn->link, LINK_GREETING);
    conn->link->redis->loop.set(conn->watch, READABLE);
    (void)send_greeting(conn);
}

static void on_ready(void *context, hg_time now, int events)
{
    struct conn *conn = context;
    HG_ASSERT(conn && conn->magic == CONN_MAGIC && !conn_is_shut(conn));
    struct hg_redis *redis = conn->link->redis;
    HG_PARANOID_CHECK(hg_redis_validate(redis));
    if (conn->link->state == LINK_CONNECTING) {
        on_connected(conn, now);
    } else {
        if (events & READABLE) /* first: a server that is about to close may have said why */
            conn_read(conn, now);
        if ((events & WRITABLE) && !conn_is_shut(conn))
            (void)conn_write(conn);
    }
    tell_failures(redis, now);
    HG_PARANOID_CHECK(hg_redis_validate(redis));
}

/* ---- what redis.h offers ---- */

hg_result hg_redis_new(const struct hg_redis_url *url, hg_dur timeout, uint32_t listener, struct hg_redis_loop loop,
                       struct hg_redis_sink sink, struct hg_redis **ret_redis)
{
    struct hg_redis *redis = calloc(1, sizeof(*redis));
    if (!redis)
        return HG_FAIL(NOMEM);
    redis->url = url;
    redis->timeout = timeout;
    redis->listener = listener;
    redis->loop = loop;
    redis->sink = sink;
    for (size_t i = 0; i < HG_LINK_COUNT_MAX; i++)
        redis->links[i].redis = redis;
    *ret_redis = redis;
    return HG_OK;
}

void hg_redis_free(struct hg_redis *redis)
{
    if (!redis)
        return;
    for (uint32_t i = 0; i < HG_LINK_COUNT_MAX; i++)
        hg_redis_close(redis, i);
    reap(redis);
    forget_addresses(redis);
    free(redis);
}

void hg_redis_open(struct hg_redis *redis, uint32_t number)
{
    struct link *link = link_of(redis, number);
    HG_ASSERT(link->state == LINK_CLOSED);
    hg_time now = redis->loop.now(redis->loop.context);
    struct conn *conn = link->conn = conn_new(link, now);
    if (!conn) {
        link_fail(link);
        return;
    }
    if (!redis->addresses && !hg_ok(hg_addresses_resolve(redis->url, &redis->addresses, &conn->reason))) {
        link_fail(link);
        return;
    }
    conn->addresses = redis->addresses;
    hg_addresses_ref(conn->addresses);
    set_state(link, LINK_CONNECTING);
    connect_next(conn, now);
}

void hg_redis_close(struct hg_redis *redis, uint32_t number)
{
    struct link *link = link_of(redis, number);
    if (link->state == LINK_CLOSED)
        return;
    if (link->conn)
        conn_shut(link->conn);
    link->conn = NULL;
    set_state(link, LINK_CLOSED);
    forget_addresses(redis); /* the core closes links that it holds for dead */
}

void hg_redis_command(struct hg_redis *redis, uint32_t number, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct link *link = link_of(redis, number);
    if (link->state == LINK_FAILED)
        return;
    HG_ASSERT(link->state == LINK_UP);
    HG_ASSERT(argc > 0);
    struct conn *conn = link->conn;
    if (number != redis->listener) {
        hg_result r = hg_tokens_push(&conn->tokens, token);
        if (!hg_ok(r)) {
            FAIL(conn, "%s", r.code == HG_ERR_TOO_BIG ? "too many commands unanswered" : "out of memory");
            return;
        }
    }
    if (!put_command(conn, argv, argc)) {
        link_fail(link);
        return;
    }
    if (!hg_list_contains(&redis->dirty, &link->dirty))
        hg_list_push_back(&redis->dirty, &link->dirty);
}

hg_time hg_redis_next_deadline(const struct hg_redis *redis)
{
    if (redis->failed.count > 0)
        return (hg_time){0};
    hg_time next = HG_TIME_NEVER;
    for (const struct hg_list_node *node = redis->opening.first; node; node = node->next) {
        const struct link *link = HG_CONTAINER(node, struct link, by_state);
        next = hg_time_min(next, link->conn->deadline);
        if (link->state == LINK_CONNECTING)
            next = hg_time_min(next, link->conn->address_deadline);
    }
    return next;
}

hg_time hg_redis_tick(struct hg_redis *redis, hg_time now)
{
    struct hg_list_node *next;
    for (struct hg_list_node *node = redis->opening.first; node; node = next) {
        next = node->next;
        struct link *link = HG_CONTAINER(node, struct link, by_state);
        struct conn *conn = link->conn;
        if (link->state == LINK_CONNECTING && hg_time_reached(conn->address_deadline, now)) {
            connect_another(conn, now, "no answer in time");
        } else if (hg_time_reached(conn->deadline, now)) {
            FAIL(conn, "no answer from %s within %u ms", hg_redis_url_place(redis->url).text,
                 (unsigned)(redis->timeout.us / 1000));
        }
    }
    tell_failures(redis, now);
    reap(redis);
    HG_PARANOID_CHECK(hg_redis_validate(redis));
    return hg_redis_next_deadline(redis);
}

void hg_redis_flush(struct hg_redis *redis, hg_time now)
{
    (void)now;
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&redis->dirty))) {
        struct conn *conn = HG_CONTAINER(node, struct link, dirty)->conn;
        if (!conn->blocked)
            (void)conn_write(conn);
    }
}

void hg_redis_validate(const struct hg_redis *redis)
{
    hg_list_validate(&redis->opening);
    hg_list_validate(&redis->failed);
    hg_list_validate(&redis->dirty);
    hg_list_validate(&redis->shut);
    for (size_t i = 0; i < HG_LINK_COUNT_MAX; i++) {
        const struct link *link = &redis->links[i];
        const struct conn *conn = link->conn;
        bool opening = link->state == LINK_CONNECTING || link->state == LINK_GREETING;
        HG_ASSERT(link->redis == redis);
        HG_ASSERT(hg_list_contains(&redis->opening, &link->by_state) == opening);
        HG_ASSERT(hg_list_contains(&redis->failed, &link->by_state) == (link->state == LINK_FAILED));
        HG_ASSERT(!hg_list_contains(&redis->dirty, &link->dirty) || link->state == LINK_UP);
        HG_ASSERT(link->state != LINK_CLOSED || !conn);
        if (!opening && link->state != LINK_UP)
            continue;
        HG_ASSERT(conn && conn->magic == CONN_MAGIC && conn->link == link && !conn_is_shut(conn));
        HG_ASSERT(conn->fd >= 0 && conn->watch);
        HG_ASSERT(conn->sent <= conn->out.len && unsent(conn) <= UNSENT_BYTES_MAX);
        HG_ASSERT(!conn->blocked || unsent(conn) > 0);
    }
}
