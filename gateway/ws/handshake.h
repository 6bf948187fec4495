/* handshake.h – decides whether a request may become a WebSocket (RFC 6455, section 4.2.1; RFC 6454 for the Origin).
 *
 * libwebsockets lets through more than the RFC does, and closes without an answer, or worse, where it does not: so
 * nothing reaches its own handshake that has not passed here. Pure: slices in, an answer out, nothing kept. Calls out:
 * none. */
#ifndef HG_WS_HANDSHAKE_H
#define HG_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define HG_WS_PATH     "/ws"
#define HG_WS_PROTOCOL "headgate.v1"

enum {
    /* libwebsockets 4.1.6 copies these two into 128 bytes and drops the connection when they do not fit. */
    HG_WS_CONNECTION_BYTES_MAX = 126,
    HG_WS_PROTOCOLS_BYTES_MAX = 126,
    /* Past about 250 bytes it writes a broken 101 answer. */
    HG_WS_EXTENSIONS_BYTES_MAX = 200,
    HG_WS_PROTOCOL_NAME_BYTES_MAX = 63,
};

/* Header fields without white space around them; empty when absent. */
struct hg_ws_request {
    bool get, http_1_1;
    struct hg_slice path, host, origin, upgrade, connection, version, key, protocols, extensions;
    const char *too_long; /* the name of a field that was longer than it may be; NULL: none */
};

/* How a request is refused: status 0 means that it is not. */
struct hg_ws_refusal {
    int status;
    const char *headers; /* complete lines that the status wants, or "" */
    const char *text;    /* a sentence for the body */
};

/* `origins`: besides the gateway's own; "*": all. */
struct hg_ws_refusal hg_ws_handshake_judge(const struct hg_ws_request *request, const char *const *origins,
                                           size_t origin_count);

/* A page may connect when it was served by this host (default ports 80 and 443 are the same as none), or is listed. */
bool hg_ws_origin_allowed(struct hg_slice origin, struct hg_slice host, const char *const *origins,
                          size_t origin_count);

#endif
