/* ws.h – WebSocket and the bundled files over HTTP, by libwebsockets: the only place that knows <libwebsockets.h>.
 *
 * Bytes only: the adapter neither reads nor makes messages. It guards the handshake (RFC 6455, section 4.2.1; the traps
 * are written down beside the checks), the Origin, and the size of what clients send. Ownership: the adapter owns
 * sockets and context. It calls the sink, never from within a port. Errors: INTERNAL with a message. */
#ifndef HG_WS_WS_H
#define HG_WS_WS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/time.h"
#include "core/ports.h"

struct hg_ws;
struct hg_ws_tls;

/* A file served over HTTP from memory. */
struct hg_ws_file {
    char *path;       /* "/", "/page.css", "/docs/protocol.html" */
    const char *type; /* Content-Type, static */
    char *bytes;      /* owned by the list */
    size_t len;
    char etag[19]; /* quoted, of the bytes */
};
struct hg_ws_files {
    struct hg_ws_file *items;
    size_t count;
};
/* Adds a folder to the list, which starts zeroed, under the URL prefix ("/" or "/docs"): index.html stands for its
 * folder, with a slash at the end; sub-folders are walked; only known endings (html js css svg png ico json md txt) and
 * no dot files. Call hg_ws_files_done() after an error, too. Errors, with a message: a missing folder, a file over 16
 * MiB, two files at one path. */
HG_RESULT hg_ws_files_read(const char *folder, const char *prefix, struct hg_ws_files *files, struct hg_buf *reterr);
void hg_ws_files_done(struct hg_ws_files *files);

/* Whether other adapters of this process listen on the same addresses, each on sockets of its own, so that the kernel
 * spreads the clients over them (socket(7), SO_REUSEPORT). */
enum hg_ws_sharing {
    HG_WS_ALONE,
    HG_WS_FIRST, /* takes the port for itself, then lets others in; another process is told that it is in use */
    HG_WS_JOINS, /* while the first, or one that joined, listens */
};

/* All that is pointed to is borrowed and must outlive the adapter. */
struct hg_ws_config {
    const char *host; /* NULL or "*": all addresses; else an address or name; IPv6 without brackets */
    uint16_t port;    /* 0: any; see hg_ws_port() */
    size_t message_bytes_max;
    enum hg_ws_sharing sharing;
    size_t handshakes_max;        /* connections that are no WebSocket, or not yet */
    hg_dur handshake_timeout;     /* how long such a one may do nothing */
    unsigned deflate_window_bits; /* of deflated frames that are sent; 0: permessage-deflate is not agreed to */
    void (*opened)(int fd);       /* each descriptor that it opens while it serves; NULL: nobody asks */
    const char *const *origins;   /* besides the gateway's own; "*": all */
    size_t origin_count;
    const struct hg_ws_files *files; /* NULL: none */
    struct hg_ws_tls *tls;           /* https and wss, see tls.h; NULL: plain */
    void *native_loop;               /* uv_loop_t */
};

/* What the adapter tells. The core's functions of core.h fit one to one; the ports below may be called from within
 * each, for the very session it is about, too. `log` alone may be called from within a port. */
struct hg_ws_sink {
    void *context;
    hg_time (*now)(void *context);
    /* Whether one more WebSocket may come; if not, it is answered 503 with Retry-After. NULL: all may. */
    bool (*admit)(void *context, hg_time now, unsigned *reterr_retry_s);
    /* False: refused, to be closed with `*ret_refusal`, an enum hg_close. */
    bool (*open)(void *context, hg_time now, hg_session_ref *ret_session, int *ret_refusal);
    /* Follows open() when permessage-deflate was agreed: deflated frames may be sent to it. */
    void (*deflates)(void *context, hg_time now, hg_session_ref session);
    void (*message)(void *context, hg_time now, hg_session_ref session, bool text, struct hg_slice message);
    void (*too_big)(void *context, hg_time now, hg_session_ref session);
    /* A deflated message did not inflate. */
    void (*garbled)(void *context, hg_time now, hg_session_ref session);
    void (*pong)(void *context, hg_time now, hg_session_ref session);
    void (*writable)(void *context, hg_time now, hg_session_ref session);
    void (*closed)(void *context, hg_time now, hg_session_ref session);
    void (*log)(void *context, enum hg_log_level level, struct hg_slice line);
};

/* Listens and accepts as soon as the loop turns. May raise the process's soft limit of open files. */
HG_RESULT hg_ws_new(const struct hg_ws_config *config, struct hg_ws_sink sink, struct hg_ws **ret_ws,
                    struct hg_buf *reterr);
/* Taking down has two halves with the loop between them, since libuv closes handles in its own turn:
 *     hg_ws_end(ws); … hg_loop_free(loop), which turns until all handles are closed; hg_ws_free(ws);
 * The first ends every connection at once; each session's closed() comes from within it. Accepts NULL. */
void hg_ws_end(struct hg_ws *ws);
/* Frees all. Accepts NULL. */
void hg_ws_free(struct hg_ws *ws);
uint16_t hg_ws_port(const struct hg_ws *ws);
/* How many connections each listener may take in a turn from now on; HG_WS_ACCEPTS at first. */
#define HG_WS_ACCEPTS 64u
void hg_ws_pace(struct hg_ws *ws, unsigned accepts);
/* How many files the process may open, and how many more it may, as the last accepted connection showed. */
void hg_ws_descriptors(const struct hg_ws *ws, uint64_t *ret_all, uint64_t *ret_left);
/* No new connections; those there stay. */
void hg_ws_stop_accepting(struct hg_ws *ws);

/* The ports of core/ports.h, with the adapter as their context. `frames` is not written to and not kept. */
enum hg_send hg_ws_send(struct hg_ws *ws, hg_session_ref session, struct hg_slice frames);
void hg_ws_close(struct hg_ws *ws, hg_session_ref session, uint16_t code, struct hg_slice reason);
size_t hg_ws_peer(struct hg_ws *ws, hg_session_ref session, char *to, size_t size);
void hg_ws_pause(struct hg_ws *ws, hg_session_ref session, bool paused);

#endif
