/* redis.h – the links to Redis: sockets of our own, hiredis as a codec (its reader with our own object functions),
 * never its asynchronous layer, which asserts on unexpected replies. The only place that knows <hiredis/…>.
 *
 * Ownership: the adapter owns its links. It calls the hg_on_redis_… functions given as a sink, from hg_redis_tick() and
 * from the callbacks of its watches, never from within a port; the sink may call the ports, for the same link too.
 * Opening: resolve, connect without blocking (to each address in turn), then AUTH, SELECT, CLIENT SETNAME, CLIENT ID
 * and PING (a refusal of the middle two, or of PING for want of permission, is harmless), all within `timeout`; NOAUTH,
 * WRONGPASS, LOADING, refused SELECT … → down with the server's words. Resolving a host name blocks the thread; it is
 * done when a link is opened, and again only after some link failed, was lost or was closed. Reasons given to `down`:
 * one line of printable ASCII, at most 255 bytes, never a password; valid for the call. Bounds: a string, and a whole
 * reply, 512 MiB; 1,048,576 items an array; arrays nested 7 deep; 256 MiB of commands unsent and 1,048,576 unanswered
 * on each link. Past any of them, or without memory: down. */
#ifndef HG_REDIS_REDIS_H
#define HG_REDIS_REDIS_H

#include "base/error.h"
#include "base/slice.h"
#include "base/time.h"
#include "core/reply.h"

struct hg_redis;
struct hg_redis_url;

/* How the adapter watches descriptors, so that it need not know the loop: same meaning as loop.h. */
struct hg_redis_loop {
    void *context;
    /* NULL: refused. */
    void *(*watch)(void *context, int fd, void (*callback)(void *link, hg_time now, int events), void *link);
    void (*set)(void *watch, int events); /* 1 readable, 2 writable */
    void (*unwatch)(void *watch);
    hg_time (*now)(void *context);
};

struct hg_redis_sink {
    void *context;
    void (*up)(void *context, hg_time now, uint32_t link, uint64_t client_id);
    void (*down)(void *context, hg_time now, uint32_t link, struct hg_slice reason);
    void (*reply)(void *context, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply);
};

/* `url` is borrowed and must outlive the adapter. `listener`: the link whose replies are all pushes. Errors: NOMEM. */
HG_RESULT hg_redis_new(const struct hg_redis_url *url, hg_dur timeout, uint32_t listener, struct hg_redis_loop loop,
                       struct hg_redis_sink sink, struct hg_redis **ret_redis);
/* Closes all; calls nothing but the loop. Not from the sink. Accepts NULL. */
void hg_redis_free(struct hg_redis *redis);

/* The ports of core/ports.h, with the adapter as their context. */
void hg_redis_open(struct hg_redis *redis, uint32_t link);
void hg_redis_close(struct hg_redis *redis, uint32_t link);
/* On a link that is up as far as the core knows: when it has failed meanwhile the command is dropped, and `down`
 * follows. */
void hg_redis_command(struct hg_redis *redis, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc);

/* Connect and handshake deadlines, and failures that must be told outside a port: call at the start of each turn end.
 * Returns what hg_redis_next_deadline() does. */
hg_time hg_redis_tick(struct hg_redis *redis, hg_time now);
/* Writes what the turn's commands gathered, one write a link. Call after hg_core_turn_end(). */
void hg_redis_flush(struct hg_redis *redis, hg_time now);
/* When hg_redis_tick() is wanted at latest. Ask after hg_redis_flush(): what the core opened during the turn has a
 * deadline too, and what failed meanwhile waits to be told (then: now). */
hg_time hg_redis_next_deadline(const struct hg_redis *redis);

/* Asserts the rules of every structure. */
void hg_redis_validate(const struct hg_redis *redis);

/* The codec alone, for the adapter itself, the fuzzer and tests: feeds bytes, cut anywhere, to a reader and calls
 * `reply` for each whole reply; the tree is valid for that call. `reply` returning false stops: the bytes left are
 * dropped. False: protocol error, a bound passed or no memory, with a phrase that is valid until hg_resp_free() and may
 * hold any bytes of the peer's. After a stop or an error only hg_resp_free() may follow. RESP2; RESP3 is mapped where
 * hiredis knows it. */
struct hg_resp;
HG_RESULT hg_resp_new(struct hg_resp **ret_resp);
/* Not from within `reply`. Accepts NULL. */
void hg_resp_free(struct hg_resp *resp);
bool hg_resp_feed(struct hg_resp *resp, struct hg_slice bytes,
                  bool (*reply)(void *context, const struct hg_reply *reply), void *context, const char **reterr);
/* All bytes fed so far made whole replies. */
bool hg_resp_is_between(const struct hg_resp *resp);

#endif
