#include "redis/blocking.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "config/redis_url.h"
#include "redis/address.h"
#include "redis/arena.h"
#include "redis/redis.h"

#define READ_BYTES         (16 * 1024)
#define COMMAND_BYTES_MAX  (256UL * 1024 * 1024)
#define REPLY_BYTES_MAX    (512UL * 1024 * 1024)
#define REPLY_BYTES_IDLE   (1024UL * 1024)
#define COMMAND_BYTES_IDLE (256 * 1024)

struct hg_blocking {
    const struct hg_redis_url *url;
    hg_dur timeout;
    int fd; /* -1: none */
    struct hg_resp *resp;
    struct hg_buf out;
    struct hg_arena arena; /* of the last answer: the codec's own tree is gone when it returns */
    const struct hg_reply *answer;
    const char *objection; /* to what came; NULL: none */
    char input[READ_BYTES];
};

/* ---- waiting ---- */

static hg_time now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (hg_time){(uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000};
}

static hg_result fail(struct hg_phrase *reterr, const struct hg_blocking *blocking, const char *why)
{
    hg_phrase_printf(reterr, "Redis at %s: %s", hg_redis_url_place(blocking->url).text, why);
    return HG_FAIL(UNAVAILABLE);
}

static hg_result fail_late(struct hg_phrase *reterr, const struct hg_blocking *blocking)
{
    char why[64];
    snprintf(why, sizeof(why), "no answer within %llu ms", (unsigned long long)(blocking->timeout.us / 1000));
    return fail(reterr, blocking, why);
}

static hg_result wait_for(const struct hg_blocking *blocking, short events, hg_time deadline, struct hg_phrase *reterr)
{
    for (;;) {
        uint64_t left_ms = (hg_time_since(now(), deadline).us + 999) / 1000;
        struct pollfd watched = {.fd = blocking->fd, .events = events};
        int ready = poll(&watched, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0)
            return HG_OK;
        if (ready < 0 && errno != EINTR)
            return fail(reterr, blocking, strerror(errno));
        if (hg_time_reached(deadline, now()))
            return fail_late(reterr, blocking);
    }
}

/* ---- one call ---- */

static bool copy_into(struct hg_blocking *blocking, const struct hg_reply *from, struct hg_reply *to)
{
    void *piece = NULL;
    *to = *from;
    if (from->text.len > 0) {
        if (!hg_ok(hg_arena_alloc(&blocking->arena, from->text.len, &piece)))
            return false;
        memcpy(piece, from->text.ptr, from->text.len);
        to->text.ptr = piece;
    }
    if (from->type != HG_REPLY_ARRAY || from->count == 0)
        return true;
    if (!hg_ok(hg_arena_alloc(&blocking->arena, from->count * sizeof(*to), &piece)))
        return false;
    struct hg_reply *items = piece;
    to->items = items;
    bool good = true;
    for (size_t i = 0; i < from->count && good; i++)
        good = copy_into(blocking, &from->items[i], &items[i]); /* as deep as the codec allows: 7 */
    return good;
}

static bool on_reply(void *context, const struct hg_reply *reply)
{
    struct hg_blocking *blocking = context;
    void *piece = NULL;
    if (blocking->answer)
        blocking->objection = "an answer that was not asked for";
    else if (!hg_ok(hg_arena_alloc(&blocking->arena, sizeof(*reply), &piece)) || !copy_into(blocking, reply, piece))
        blocking->objection = "an answer that does not fit into memory";
    else
        blocking->answer = piece;
    return !blocking->objection;
}

static void put_head(struct hg_buf *buf, char kind, size_t number)
{
    hg_buf_put_char(buf, kind);
    hg_buf_put_u64(buf, number);
    hg_buf_put_str(buf, "\r\n");
}

static hg_result send_all(struct hg_blocking *blocking, const struct hg_slice *argv, size_t argc, hg_time deadline,
                          struct hg_phrase *reterr)
{
    struct hg_buf *out = &blocking->out;
    hg_buf_reset(out, COMMAND_BYTES_IDLE);
    put_head(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        put_head(out, '$', argv[i].len);
        hg_buf_put(out, argv[i]);
        hg_buf_put_str(out, "\r\n");
    }
    if (!hg_ok(hg_buf_result(out))) {
        bool memory = out->error == HG_ERR_NOMEM;
        (void)fail(reterr, blocking, memory ? "out of memory" : "a command is larger than 256 MiB");
        return memory ? HG_FAIL(NOMEM) : HG_FAIL(UNAVAILABLE);
    }
    for (size_t sent = 0; sent < out->len;) {
        ssize_t n = send(blocking->fd, out->ptr + sent, out->len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return HG_OK; /* a server that refuses us says why before it closes: reading tells */
        else if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return fail(reterr, blocking, strerror(errno));
        else
            HG_TRY(wait_for(blocking, POLLOUT, deadline, reterr));
    }
    return HG_OK;
}

static hg_result receive(struct hg_blocking *blocking, hg_time deadline, struct hg_phrase *reterr)
{
    hg_arena_reset(&blocking->arena);
    blocking->answer = NULL;
    while (!blocking->answer) {
        HG_TRY(wait_for(blocking, POLLIN, deadline, reterr));
        ssize_t n = recv(blocking->fd, blocking->input, sizeof(blocking->input), 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
            continue;
        if (n < 0)
            return fail(reterr, blocking, strerror(errno));
        if (n == 0)
            return fail(reterr, blocking, "it closed the connection");
        const char *why = NULL;
        if (!hg_resp_feed(blocking->resp, hg_slice(blocking->input, (size_t)n), on_reply, blocking, &why))
            return fail(reterr, blocking, why);
        if (blocking->objection)
            return fail(reterr, blocking, blocking->objection);
    }
    if (!hg_resp_is_between(blocking->resp))
        return fail(reterr, blocking, "an answer that was not asked for");
    return HG_OK;
}

hg_result hg_blocking_call(struct hg_blocking *blocking, const struct hg_slice *argv, size_t argc,
                           const struct hg_reply **ret_reply, struct hg_phrase *reterr)
{
    HG_ASSERT(argc > 0);
    hg_time deadline = hg_time_add(now(), blocking->timeout);
    HG_TRY(send_all(blocking, argv, argc, deadline, reterr));
    HG_TRY(receive(blocking, deadline, reterr));
    *ret_reply = blocking->answer;
    return HG_OK;
}

struct hg_phrase hg_blocking_words(const struct hg_blocking *blocking, const struct hg_reply *error)
{
    return hg_server_words(error->text, blocking->url->password, true);
}

/* ---- opening ---- */

static hg_result connect_one(struct hg_blocking *blocking, const struct hg_addresses *addresses, size_t index,
                             struct hg_phrase *reterr)
{
    int error = 0;
    socklen_t len = sizeof(error);
    blocking->fd = hg_addresses_connect(addresses, index);
    if (blocking->fd < 0)
        return fail(reterr, blocking, strerror(errno));
    hg_result result = wait_for(blocking, POLLOUT, hg_time_add(now(), blocking->timeout), reterr);
    if (hg_ok(result) && getsockopt(blocking->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (hg_ok(result) && error != 0)
        result = fail(reterr, blocking, strerror(error));
    if (!hg_ok(result)) {
        close(blocking->fd);
        blocking->fd = -1;
    }
    return result;
}

static hg_result connect_any(struct hg_blocking *blocking, struct hg_phrase *reterr)
{
    struct hg_addresses *addresses = NULL;
    hg_result result = hg_addresses_resolve(blocking->url, &addresses, reterr);
    if (!hg_ok(result))
        return result;
    result = fail(reterr, blocking, "its name has no address");
    for (size_t i = 0; i < hg_addresses_count(addresses) && blocking->fd < 0; i++)
        result = connect_one(blocking, addresses, i, reterr);
    hg_addresses_unref(addresses);
    return result;
}

/* One step of the greeting. Old servers quote the arguments of commands that they do not know: not with AUTH. */
static hg_result greet(struct hg_blocking *blocking, const char *name, const struct hg_slice *argv, size_t argc,
                       const char *wanted, struct hg_phrase *reterr)
{
    const struct hg_reply *reply;
    char why[256];
    HG_TRY(hg_blocking_call(blocking, argv, argc, &reply, reterr));
    if (hg_reply_is(reply, wanted) || (hg_reply_is_error(reply, "NOPERM") && strcmp(name, "PING") == 0))
        return HG_OK;
    if (reply->type != HG_REPLY_ERROR)
        return fail(reterr, blocking, "an unexpected answer; is this Redis?");
    struct hg_phrase words = hg_server_words(reply->text, blocking->url->password, strcmp(name, "AUTH") != 0);
    snprintf(why, sizeof(why), "%s refused: %.200s", name, words.text);
    return fail(reterr, blocking, why);
}

static hg_result greet_all(struct hg_blocking *blocking, struct hg_phrase *reterr)
{
    const struct hg_redis_url *url = blocking->url;
    if (url->user || url->password) {
        struct hg_slice auth[3] = {HG_LIT("AUTH")};
        size_t argc = 1;
        if (url->user)
            auth[argc++] = hg_slice_str(url->user);
        auth[argc++] = hg_slice_str(url->password ? url->password : "");
        HG_TRY(greet(blocking, "AUTH", auth, argc, "OK", reterr));
    }
    if (url->db != 0) {
        char db[12];
        snprintf(db, sizeof(db), "%u", url->db);
        const struct hg_slice select[] = {HG_LIT("SELECT"), hg_slice_str(db)};
        HG_TRY(greet(blocking, "SELECT", select, 2, "OK", reterr));
    }
    const struct hg_slice ping[] = {HG_LIT("PING")};
    return greet(blocking, "PING", ping, 1, "PONG", reterr);
}

hg_result hg_blocking_open(const struct hg_redis_url *url, hg_dur timeout, struct hg_blocking **ret_blocking,
                           struct hg_phrase *reterr)
{
    struct hg_blocking *blocking = calloc(1, sizeof(*blocking));
    if (!blocking) {
        hg_phrase_printf(reterr, "out of memory");
        return HG_FAIL(NOMEM);
    }
    blocking->url = url;
    blocking->timeout = timeout;
    blocking->fd = -1;
    hg_buf_init(&blocking->out, COMMAND_BYTES_MAX);
    hg_arena_init(&blocking->arena, REPLY_BYTES_MAX, REPLY_BYTES_IDLE);
    hg_result result = hg_resp_new(&blocking->resp);
    if (!hg_ok(result))
        hg_phrase_printf(reterr, "out of memory");
    if (hg_ok(result))
        result = connect_any(blocking, reterr);
    if (hg_ok(result))
        result = greet_all(blocking, reterr);
    if (hg_ok(result))
        *ret_blocking = blocking;
    else
        hg_blocking_close(blocking);
    return result;
}

void hg_blocking_close(struct hg_blocking *blocking)
{
    if (!blocking)
        return;
    if (blocking->fd >= 0)
        close(blocking->fd);
    hg_resp_free(blocking->resp);
    hg_buf_done(&blocking->out);
    hg_arena_done(&blocking->arena);
    free(blocking);
}
