/* letter.h – one dead letter: an emit that was refused, as it stands in a stream (web/docs/dead-letters.md), and
 * how it is shown.
 *
 * Ownership: a letter borrows from the reply it was read from. What is shown of it is valid UTF-8 without control
 * characters, whatever its fields hold. Errors: those of the buffer. Calls out: none. */
#ifndef HG_DEADLETTER_LETTER_H
#define HG_DEADLETTER_LETTER_H

#include "base/buf.h"
#include "core/reply.h"

/* Fields that are not there have a null pointer. */
struct hg_letter {
    hg_stream_id entry;
    struct hg_slice event, id, topic, code, reason, message, pointer, user, session, ip;
};

/* False: an entry, but no dead letter. */
bool hg_letter_read(const struct hg_entry *entry, struct hg_letter *ret_letter);

/* Appends when an entry was made, in UTC (RFC 3339), with milliseconds or without; "-" past the year 9999. */
void hg_letter_put_time(struct hg_buf *into, hg_stream_id entry, bool with_ms);
/* Appends "user/session/ip", "-" for what is not known; names of sessions cut to `session_most` bytes. */
void hg_letter_put_sender(struct hg_buf *into, const struct hg_letter *letter, size_t session_most);
/* Appends all facts, one a line, then an empty line and what the event is: "event", "text" or "base64" (the bytes
 * themselves follow, or their base64). */
void hg_letter_put_facts(struct hg_buf *into, struct hg_slice stream, const struct hg_letter *letter);
/* Appends one JSON object in one line. */
void hg_letter_put_json(struct hg_buf *into, struct hg_slice stream, const struct hg_letter *letter);

/* Appends a text as a JSON string, whatever its bytes are. */
void hg_letter_put_json_text(struct hg_buf *into, struct hg_slice text);

#endif
