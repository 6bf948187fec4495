/* error.h – the one table of errors: what a function reports, and what a client is told.
 *
 * A row gives name, class, wire code (0: never shown to a client as it is; shown as 100), reason, HTTP status, text.
 * Wire codes and reasons are those of the protocol (web/docs/protocol.md). Callers branch on the class, tests on the
 * name. Ownership: all strings are static. Calls out: none. */
#ifndef HG_BASE_ERROR_H
#define HG_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum hg_error_class {
    HG_CLASS_OK,
    HG_CLASS_AGAIN, /* the same call may succeed later */
    HG_CLASS_PEER,  /* the client sent something it must not */
    HG_CLASS_REDIS, /* Redis answered something unexpected, or not at all */
    HG_CLASS_LIMIT, /* a configured ceiling was reached */
    HG_CLASS_NOMEM,
    HG_CLASS_OURS, /* an error of the gateway itself */
};

/* clang-format off */
/*    name               class  code reason                 http text */
#define HG_ERRORS(X)                                                                                                   \
    X(OK,                OK,      0, "ok",                  200, "no error")                                           \
    X(NOMEM,             NOMEM,   0, "internal",            500, "out of memory")                                      \
    X(TOO_BIG,           LIMIT,   0, "limit_exceeded",      413, "a buffer would grow past its ceiling")               \
    X(SYNTAX,            PEER,    0, "bad_request",         400, "the text does not parse")                            \
    X(SHAPE,             REDIS,   0, "unavailable",         503, "Redis answered in an unexpected shape")              \
    X(INTERNAL,          OURS,  100, "internal",            500, "Internal error.")                                    \
    X(UNAUTHORIZED,      PEER,  101, "unauthorized",        401, "Authentication is required.")                        \
    X(UNKNOWN_TOPIC,     PEER,  102, "unknown_topic",       404, "No rule of the configuration maps this topic.")      \
    X(FORBIDDEN,         PEER,  103, "forbidden",           403, "This is not granted.")                               \
    X(UNKNOWN_OP,        PEER,  104, "unknown_op",          400, "There is no such operation.")                        \
    X(LIMIT_EXCEEDED,    LIMIT, 106, "limit_exceeded",      429, "A limit of the gateway is reached.")                 \
    X(BAD_REQUEST,       PEER,  107, "bad_request",         400, "The message is not well formed.")                    \
    X(UNAVAILABLE,       AGAIN, 108, "unavailable",         503, "Redis is not available; try again later.")           \
    X(TOKEN_EXPIRED,     PEER,  109, "token_expired",       401, "The token has expired.")                             \
    X(TOO_MANY_REQUESTS, AGAIN, 111, "too_many_requests",   429, "Too many requests; slow down.")                      \
    X(POSITION_LOST,     PEER,  112, "position_lost",       410, "The position is not in the stream any more.")        \
    X(FILTER_INVALID,    PEER,  120, "filter_invalid",      400, "The filter does not parse.")                         \
    X(EVENT_INVALID,     PEER,  121, "event_invalid",       422, "The event is not valid.")                            \
    X(ID_CONFLICT,       PEER,  122, "id_conflict",         409, "This id was used for a different event.")            \
    X(EVENT_TOO_LARGE,   PEER,  123, "event_too_large",     413, "The event is larger than event_bytes_max.")
/* clang-format on */

enum hg_error {
#define X(name, class_, code, reason, http, text) HG_ERR_##name,
    HG_ERRORS(X)
#undef X
        HG_ERR__COUNT
};

typedef struct {
    enum hg_error code;
} hg_result;

#define HG_RESULT     __attribute__((warn_unused_result)) hg_result
#define HG_OK         ((hg_result){HG_ERR_OK})
#define HG_FAIL(name) ((hg_result){HG_ERR_##name})
#define HG_TRY(expression)                                                                                             \
    do {                                                                                                               \
        hg_result hg_try_result = (expression);                                                                        \
        if (hg_try_result.code != HG_ERR_OK)                                                                           \
            return hg_try_result;                                                                                      \
    } while (0)

static inline bool hg_ok(hg_result r)
{
    return r.code == HG_ERR_OK;
}

struct hg_error_row {
    const char *name; /* "UNKNOWN_TOPIC" */
    enum hg_error_class class_;
    int wire_code;
    const char *reason; /* "unknown_topic" */
    int http;
    const char *text;
};

/* The row of an error; static. */
const struct hg_error_row *hg_error_row(enum hg_error code);

#endif
