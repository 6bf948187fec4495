/* redis.h – the links to Redis: sockets of our own, hiredis as a codec (its reader with our own object functions, its command
 * formatter), never its asynchronous layer, which asserts on unexpected replies. The only place that knows <hiredis/…>.
 *
 * Ownership: the adapter owns its links. It calls the hg_on_redis_… functions given as a sink, never from within a port.
 * Opening: resolve (once at start-up and before each attempt), connect without blocking, then AUTH, SELECT,
 * CLIENT SETNAME, CLIENT ID (a refusal of the last two is harmless), all within redis_timeout_ms; NOAUTH, WRONGPASS, LOADING, refused
 * SELECT … → down with the server's words. Bounds: each reply at most 512 MiB, nesting at most 7. */
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

/* `url` is borrowed and must outlive the adapter. `listener`: the link whose replies are all pushes. */
HG_RESULT hg_redis_new(const struct hg_redis_url *url, hg_dur timeout, uint32_t listener, struct hg_redis_loop loop,
                       struct hg_redis_sink sink, struct hg_redis **ret_redis);
/* Closes all. Accepts NULL. */
void hg_redis_free(struct hg_redis *redis);

/* The ports of core/ports.h, with the adapter as their context. */
void hg_redis_open(struct hg_redis *redis, uint32_t link);
void hg_redis_close(struct hg_redis *redis, uint32_t link);
void hg_redis_command(struct hg_redis *redis, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc);

/* Connect and handshake deadlines, and failures that must be told outside a port: call at the start of each turn end;
 * returns when it is wanted again at latest. */
hg_time hg_redis_tick(struct hg_redis *redis, hg_time now);
/* Writes what the turn's commands gathered, one write a link. Call after hg_core_turn_end(). */
void hg_redis_flush(struct hg_redis *redis, hg_time now);

/* The codec alone, for the fuzzer and tests: feeds bytes to a reader and calls `reply` for each whole reply.
 * False: protocol error, with a phrase. */
struct hg_resp;
HG_RESULT hg_resp_new(struct hg_resp **ret_resp);
void hg_resp_free(struct hg_resp *resp);
bool hg_resp_feed(struct hg_resp *resp, struct hg_slice bytes, bool (*reply)(void *context, const struct hg_reply *reply),
                  void *context, const char **reterr);

#endif
