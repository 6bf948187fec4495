/* command.h – what a client says: one JSON object a line (web/docs/protocol.md), read into a command or refused with
 * a sentence.
 *
 * The line is walked once; of members with the same name the last one stands; unknown members are ignored. Nothing is
 * allocated unless the topic or the id holds an escape, and then at most HG_COMMAND_SCRATCH_BYTES in `scratch`.
 * Ownership: a command borrows from the line, and from `scratch` where text had to be decoded; both must outlive its
 * use. Errors: BAD_REQUEST, UNKNOWN_OP, FILTER_INVALID, EVENT_INVALID, and the error of `scratch`; struct
 * hg_command_error says why in words. On failure `ref` is set when one could be read, all else is zero. Calls out:
 * none. */
#ifndef HG_WIRE_COMMAND_H
#define HG_WIRE_COMMAND_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/slice.h"
#include "stream/cursor.h"
#include "wire/session_name.h"

enum hg_op {
    HG_OP_SUBSCRIBE,
    HG_OP_UPDATE,
    HG_OP_UNSUBSCRIBE,
    HG_OP_PAUSE,
    HG_OP_RESUME,
    HG_OP_SEEK,
    HG_OP_EMIT,
    HG_OP_HELLO,
    HG_OP_EXPLAIN,
    HG_OP_PING
};

enum hg_from_kind { HG_FROM_LIVE, HG_FROM_START, HG_FROM_LAST, HG_FROM_SINCE, HG_FROM_CURSORS };

/* Where a subscription begins. */
struct hg_from {
    enum hg_from_kind kind;
    uint64_t last;               /* LAST: 1 … HG_FROM_LAST_MAX */
    uint64_t since_ms;           /* SINCE, and CURSORS whose `otherwise` is: since 1970 */
    struct hg_slice cursors;     /* CURSORS: raw JSON object, checked; read with hg_from_cursor() */
    enum hg_from_kind otherwise; /* CURSORS: LIVE, START or SINCE for topics without a cursor */
    uint32_t speed;              /* in hundredths of the original pace, 1 … 100000; 0: as fast as it goes */
};

/* The place given for a topic, proven if its cursor has a fingerprint; false: none. The cost is linear in the number
 * of cursors. */
bool hg_from_cursor(const struct hg_from *from, struct hg_slice topic, struct hg_place *ret_place);
/* All of them, one after the other; `iter` begins at from->cursors, an object. `scratch` holds a topic that had
 * escapes. */
bool hg_from_next(struct hg_json_iter *iter, struct hg_buf *scratch, struct hg_slice *ret_topic,
                  struct hg_place *ret_place);

/* At most so many events: the latest of each key every so often, or so many a second. */
struct hg_pace {
    struct hg_slice key; /* conflate: the raw JSON string of the key expression, not parsed yet; empty: none */
    uint32_t every_ms;   /* 0: neither conflate nor rate; for a rate of n events a second: 1000 / n, upwards */
};

#define HG_EMIT_ID_BYTES_MAX     255
#define HG_FROM_LAST_MAX         1000000
#define HG_FROM_CURSORS_MAX      1000
#define HG_RATE_MAX              1000
#define HG_SPEED_MAX             100000
#define HG_CONFLATE_MS           200
#define HG_CONFLATE_MS_MIN       10
#define HG_CONFLATE_MS_MAX       60000
#define HG_REF_BYTES_MAX         255
#define HG_COMMAND_SCRATCH_BYTES 4608

struct hg_command {
    enum hg_op op;
    struct hg_slice ref;    /* raw JSON scalar; empty: none was given */
    struct hg_slice topic;  /* subscribe: a checked pattern; emit: a checked name; explain: the same, or empty */
    struct hg_from from;    /* subscribe, seek */
    struct hg_pace pace;    /* subscribe */
    uint32_t speed;         /* resume: as in struct hg_from; 0: as before */
    struct hg_slice filter; /* subscribe, update, explain: raw JSON, a string or an object; empty: none, or null */
    uint64_t sub;           /* update, unsubscribe, pause, resume, seek */
    struct hg_slice id;     /* emit: 1 … HG_EMIT_ID_BYTES_MAX bytes of UTF-8 without control characters */
    struct hg_slice event;  /* emit: raw JSON, exactly as sent; explain: the same, or empty */
    bool no_echo;           /* emit: the session is not to get its own event back */
    bool has_session;       /* hello: */
    struct hg_session_name session; /* the name of an earlier session */
};

struct hg_command_error {
    /* The caller's; cleared, and on failure filled with sentences: at most 511 bytes of printable ASCII, or nothing
     * when the buffer has an error of its own (hg_message_error() then takes the table's text). */
    struct hg_buf *message;
    size_t at; /* byte offset in the line, or SIZE_MAX */
};

/* `line`: one line of a message; white space around the object is allowed. `scratch` is cleared first. Names that start
 * with '$' pass: the caller decides. */
HG_RESULT hg_command_parse(struct hg_slice line, struct hg_buf *scratch, struct hg_command *ret_command,
                           struct hg_command_error *reterr);

#endif
