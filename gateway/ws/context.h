/* context.h – the adapter's own state, shared by the files of this folder: one libwebsockets context, one thread.
 *
 * What libwebsockets hands back as opaque user data is a listener or a connection; both start with a tag. */
#ifndef HG_WS_CONTEXT_H
#define HG_WS_CONTEXT_H

#include <libwebsockets.h>

#include "base/list.h"
#include "wire/deflate.h"
#include "ws/tls_bio.h"
#include "ws/ws.h"

enum { HG_WS_LISTENERS_MAX = 8 };

enum hg_ws_tag { HG_WS_TAG_LISTENER = 0x6c697374, HG_WS_TAG_CONNECTION = 0x636f6e6e };

struct hg_ws_connection;

struct hg_ws_listener {
    enum hg_ws_tag tag;
    struct hg_ws *ws;
    struct lws *wsi; /* NULL: closed. libwebsockets owns the descriptor. */
};

struct hg_ws {
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct hg_ws_sink sink;
    const struct hg_ws_files *files;
    const char *const *origins;
    size_t origin_count, message_bytes_max, handshakes_max;
    hg_dur handshake_timeout;

    unsigned deflate_window_bits; /* 0: permessage-deflate is not agreed to */
    struct hg_inflater *inflater; /* for all connections, made when a message needs it */
    struct hg_buf inflated;       /* one message */
    struct hg_ws_tls *tls;        /* NULL: plain */
    SSL_CTX *tls_context;
    struct hg_ws_tls_gather gather;
    uint64_t handshakes; /* of TLS so far in which the certificate was proven, which is what costs */

    struct hg_ws_listener listeners[HG_WS_LISTENERS_MAX];
    size_t listener_count;
    uint16_t port;
    int reserve_fd;   /* given up for a moment to shed a connection when descriptors have run out; -1: gone */
    unsigned accepts; /* how many connections a listener may take in a turn */
    enum hg_ws_accepting {
        HG_WS_ACCEPTING,
        HG_WS_ACCEPTING_FULL,  /* no room for more handshakes: goes on when there is, or the oldest may be ended */
        HG_WS_ACCEPTING_FAILED /* accept failed and would fail again; the sweep resumes */
    } accepting;
    hg_time next_accept_log; /* one line per while tells that accepting fails */

    void (*opened)(int fd);
    size_t connections;                     /* accepted and not yet destroyed, HTTP and WebSocket */
    uint64_t descriptors, descriptors_left; /* that the system allows; of these, not in use */
    struct hg_ws_connection **by_session;   /* by session index */
    size_t by_session_count;

    /* Looked over by a slow timer, so that no connection costs one of libwebsockets' (a sorted list). */
    lws_sorted_usec_list_t sweep;
    struct hg_list opening; /* no WebSocket, or not yet, in the order of their deadlines */
    struct hg_list closing; /* told to close, in the order of their deadlines */
    struct hg_list sending; /* with output that the kernel has not taken yet */

    bool ended;            /* hg_ws_end() */
    struct hg_buf *errors; /* while the context is made: what libwebsockets complains of */
};

void hg_ws_log(struct hg_ws *ws, enum hg_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends a connection from anywhere, in a port too: later, from libwebsockets' own timer, without a close frame. */
void hg_ws_kill(struct hg_ws *ws, struct lws *wsi);

#endif
