/* ports.h – all that the core may ask of the world. The core decides; adapters do.
 *
 * Each want is recorded or done at once and returns; none calls back into the core (what follows from it arrives later
 * through an hg_on_… function of core.h). Slices are borrowed for the call. Times: the core is given its clock.
 *
 * Sessions are named by hg_session_ref, links to Redis by a small number. Link 0 is the listener (SUBSCRIBE …), 1 the
 * commander (emits, TYPE, SCAN, XREVRANGE, CLIENT UNBLOCK), 2 replay (XRANGE for clients that catch up), 3 and 4 carry
 * emits that wait for replicas (WAIT) and for the disk (WAITAOF), 5 and up are readers (XREAD BLOCK), at most
 * HG_LINK_COUNT_MAX - HG_LINK_READER of them. */
#ifndef HG_CORE_PORTS_H
#define HG_CORE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/time.h"

typedef struct {
    uint32_t index, generation;
} hg_session_ref;

enum {
    HG_LINK_LISTENER = 0,
    HG_LINK_COMMANDER = 1,
    HG_LINK_REPLAY = 2,
    HG_LINK_REPLICAS = 3,
    HG_LINK_FSYNC = 4,
    HG_LINK_READER = 5,
    HG_LINK_COUNT_MAX = 1024
};

enum hg_send {
    HG_SEND_DONE,     /* the kernel took all; more may be sent at once */
    HG_SEND_BUFFERED, /* the adapter took all and holds a part; hg_on_ws_writable() follows when that is gone */
    HG_SEND_CLOSED,   /* nothing was taken; hg_on_ws_closed() follows */
};

enum hg_log_level { HG_LOG_ERROR, HG_LOG_WARNING, HG_LOG_INFO, HG_LOG_DEBUG };

struct hg_buf;
struct hg_core_stats;
struct hg_standing;

struct hg_ports {
    void *context;

    /* Complete WebSocket frames (RFC 6455), one or several; sent as they are in one write. Never called between
     * HG_SEND_BUFFERED and hg_on_ws_writable(), nor after ws_close(). */
    enum hg_send (*ws_send)(void *context, hg_session_ref session, struct hg_slice frames);
    /* Send what is buffered, then a close frame, then end the connection; hg_on_ws_closed() follows in any case, within
     * a time of the adapter's (5 s) even when the peer does not answer. Idempotent. */
    void (*ws_close)(void *context, hg_session_ref session, uint16_t code, struct hg_slice reason);
    /* Stop (true) or resume (false) reading from this client. Idempotent. */
    void (*ws_pause)(void *context, hg_session_ref session, bool paused);

    /* The address of this client as text, without port: how many bytes were written to `to`, at most `size`; 0: not
     * known. The port may be NULL: none is. */
    size_t (*ws_peer)(void *context, hg_session_ref session, char *to, size_t size);

    /* Connect and authenticate; hg_on_redis_up() or hg_on_redis_down() follows. Only for a link that is closed. */
    void (*redis_open)(void *context, uint32_t link);
    /* End the connection at once. No event for this link follows, replies under way are forgotten. Idempotent. */
    void (*redis_close)(void *context, uint32_t link);
    /* Send one command on a link that is up. Each command gets one hg_on_redis_reply() with its token, in order, unless
     * the link goes down before; on the listener every push arrives with token 0. Written out at the end of the turn at
     * latest. */
    void (*redis_command)(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc);

    /* What cores of one process tell each other, for reports alone (report.h). These ports may be NULL: it is alone. */
    /* Adds what the others count (core.h). */
    void (*add_others)(void *context, struct hg_core_stats *stats);
    /* How a stream stands, for all; it holds until `until`. */
    void (*put_standing)(void *context, struct hg_slice topic, const struct hg_standing *standing, hg_time until);
    /* The next of all streams that anybody told of, and how it stands at all cores together; `*cursor` is 0 at first.
     * False: no further one. */
    bool (*next_standing)(void *context, size_t *cursor, struct hg_buf *topic, struct hg_standing *ret_standing);

    /* One line, without newline. */
    void (*log)(void *context, enum hg_log_level level, struct hg_slice line);
};

#endif
