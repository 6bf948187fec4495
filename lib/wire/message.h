/* message.h – what the gateway says: one function a message of the protocol (web/docs/protocol.md), each a whole text
 * frame.
 *
 * `ref` is the raw JSON of the client's ref, empty when it gave none; it is echoed as it stands. Topics and texts are
 * valid UTF-8.
 * Ownership: nothing is kept. Errors: those of the buffer; a message that does not fit leaves nothing of itself behind.
 * Calls out: none. */
#ifndef HG_WIRE_MESSAGE_H
#define HG_WIRE_MESSAGE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "stream/cursor.h"
#include "wire/gap.h"

struct hg_welcome {
    struct hg_slice session;
    uint64_t ping_ms;
    /* limits */
    uint64_t message_bytes, event_bytes, subscriptions, emits;
    uint64_t dedupe_window_ms; /* the least of all topics that take emits; 0: none does, left out */
};

void hg_message_welcome(struct hg_buf *buf, const struct hg_welcome *welcome);
/* To unsubscribe and ping. */
void hg_message_ok(struct hg_buf *buf, struct hg_slice ref);
/* `hint` empty: left out. */
void hg_message_ok_sub(struct hg_buf *buf, struct hg_slice ref, uint64_t sub, struct hg_slice hint);
/* The same to a subscribe, with the place it begins at: of one stream a cursor, of a pattern a time. Each NULL: left
 * out. A place that is not proven, and 0-0, are written as bare ids. */
void hg_message_ok_subscribe(struct hg_buf *buf, struct hg_slice ref, uint64_t sub, struct hg_slice hint,
                             const struct hg_place *place, const uint64_t *since_ms);
/* `cursor` is the text "<ms>-<seq>~<fingerprint>"; `durability` what was reached, empty: left out. */
void hg_message_ok_emit(struct hg_buf *buf, struct hg_slice ref, struct hg_slice cursor, bool duplicate,
                        struct hg_slice durability);
/* What a filter makes of an event: whether it passes, and why (JSON, left out when empty). */
void hg_message_ok_explain(struct hg_buf *buf, struct hg_slice ref, bool passes, struct hg_slice why,
                           struct hg_slice hint);
/* The filter alone: it parses. */
void hg_message_ok_hint(struct hg_buf *buf, struct hg_slice ref, struct hg_slice hint);
void hg_message_caught_up(struct hg_buf *buf, uint64_t sub);
/* `count` 0: not known, left out. */
void hg_message_gap(struct hg_buf *buf, uint64_t sub, struct hg_slice topic, enum hg_gap reason, uint64_t count);
/* So many events were left out by conflate or rate. */
void hg_message_conflated(struct hg_buf *buf, uint64_t sub, uint64_t count);
/* {"op":"stale","sub":N,"topics":["…"]} or {"op":"live",…} */
void hg_message_alive(struct hg_buf *buf, bool live, uint64_t sub, struct hg_slice topic);
/* `message` empty: the table's text. `at` SIZE_MAX: left out. `retry_ms` 0: left out. An error without a wire code of
 * its own is told as INTERNAL. `code` is not HG_ERR_OK. */
void hg_message_error(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message, size_t at,
                      uint64_t retry_ms);
/* Of an event that the gateway did not even try to append: `"tried":false`, and when to come again. */
void hg_message_error_untried(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message,
                              uint64_t retry_ms);
/* Of an event that was refused. `pointer`: the place in the event (RFC 6901), empty for the whole of it; a null
 * pointer: left out. */
void hg_message_error_event(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message,
                            struct hg_slice pointer);
void hg_message_goodbye(struct hg_buf *buf, const char *reason, uint64_t reconnect_ms);

/* An event for many groups: the tail, `,"topic":"…","cursor":"…","event":…}`, is built once, and each group's frame is
 * a header, `{"op":"event","sub":N` and the tail. `cursor` NULL: left out. `member` is what envelope.h made. */
void hg_message_event_tail(struct hg_buf *buf, struct hg_slice topic, const struct hg_cursor *cursor,
                           struct hg_slice member);
void hg_message_event(struct hg_buf *buf, uint64_t sub, struct hg_slice tail);

#endif
