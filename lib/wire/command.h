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
#include "base/slice.h"

enum hg_op { HG_OP_SUBSCRIBE, HG_OP_UPDATE, HG_OP_UNSUBSCRIBE, HG_OP_EMIT, HG_OP_EXPLAIN, HG_OP_PING };

enum hg_from { HG_FROM_LIVE, HG_FROM_START, HG_FROM_LAST };

#define HG_EMIT_ID_BYTES_MAX     255
#define HG_FROM_LAST_MAX         1000000
#define HG_REF_BYTES_MAX         255
#define HG_COMMAND_SCRATCH_BYTES 3072

struct hg_command {
    enum hg_op op;
    struct hg_slice ref;    /* raw JSON scalar; empty: none was given */
    struct hg_slice topic;  /* subscribe: a checked pattern; emit: a checked name; explain: the same, or empty */
    enum hg_from from;      /* subscribe */
    uint64_t last;          /* subscribe, HG_FROM_LAST: 1 … HG_FROM_LAST_MAX */
    struct hg_slice filter; /* subscribe, update, explain: raw JSON, a string or an object; empty: none, or null */
    uint64_t sub;           /* update, unsubscribe */
    struct hg_slice id;     /* emit: 1 … HG_EMIT_ID_BYTES_MAX bytes of UTF-8 without control characters */
    struct hg_slice event;  /* emit: raw JSON, exactly as sent; explain: the same, or empty */
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
