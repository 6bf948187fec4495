/* close.h – every close has a reason, and the reason owns its code, its text and its counter. Static data; calls out:
 * none. */
#ifndef HG_WIRE_CLOSE_H
#define HG_WIRE_CLOSE_H

#include <stdint.h>

/* clang-format off */
/*    name          code  reason (what the close frame says)            sentence for the log and the documentation */
#define HG_CLOSE_REASONS(X)                                                                                            \
    X(CLIENT_LEFT,  1000, "bye",              "The client closed the connection.")                                     \
    X(RESTART,      1012, "restart",          "The gateway is shutting down; come back after reconnect_ms.")           \
    X(OVERLOADED,   1013, "overloaded",       "The gateway has no room for this connection now.")                      \
    X(LAGGING,      1013, "too far behind",   "The client held memory that was needed, and had read nothing for the longest time.") \
    X(PROTOCOL,     1002, "protocol error",   "The client broke the WebSocket protocol.")                              \
    X(BINARY,       1003, "text only",        "The client sent a binary message.")                                     \
    X(NOT_UTF8,     1007, "invalid UTF-8",    "The client sent text that is not UTF-8.")                               \
    X(GARBLED,      1007, "not deflate data", "The client sent a compressed message that does not inflate.")            \
    X(TOO_BIG,      1009, "message too big",  "The client sent a message larger than message_bytes_max.")              \
    X(NO_PONG,      4408, "no pong",          "The client did not answer a ping within pong_timeout_ms.")              \
    X(STALLED,      4408, "not reading",      "The client read nothing for stall_timeout_ms while events were waiting.") \
    X(TOO_MANY,     4429, "too many",         "The client's answers outgrew reply_bytes_max.")
/* clang-format on */

enum hg_close {
#define X(name, code, reason, text) HG_CLOSE_##name,
    HG_CLOSE_REASONS(X)
#undef X
        HG_CLOSE__COUNT
};

struct hg_close_row {
    const char *name;
    uint16_t code;
    const char *reason;
    const char *text;
};

const struct hg_close_row *hg_close_row(enum hg_close reason);

#endif
