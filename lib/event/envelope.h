/* envelope.h – a Redis message or stream entry as the member of an event message that carries it.
 *
 * What a publisher sent is passed on byte for byte (web/docs/protocol.md, Events): valid JSON, white space around it
 * included, as "event":<those bytes>; other valid UTF-8 as "text":"…"; anything else as "base64":"…". A stream entry
 * without the payload field becomes an object of its fields: the value of "data" embedded as JSON when it is JSON,
 * every other value a string.
 * Units: bytes. Ownership: nothing is kept. Errors: those of the buffer, NOMEM also for memory of our own.
 * Cost: linear in the bytes, but for a sort of an entry's field names. Calls out: none. */
#ifndef HG_EVENT_ENVELOPE_H
#define HG_EVENT_ENVELOPE_H

#include "base/buf.h"
#include "base/json.h"
#include "base/slice.h"

/* Appends `"event":…`, `"text":…` or `"base64":…` for one payload. */
void hg_envelope_put_payload(struct hg_buf *buf, struct hg_slice payload);

/* Appends the member for a stream entry: the payload of the field `payload_field` when it is there (the first of that
 * name), else `"event":{…}` of all fields. A name that is no UTF-8 is written with U+FFFD for each bad byte, a value
 * that is no UTF-8 as {"base64":"…"}. Of fields whose names are written the same the last one stands, in its place: no
 * key appears twice.
 * fields: name, value, name, value … (`count` slices, even). */
void hg_envelope_put_entry(struct hg_buf *buf, const struct hg_slice *fields, size_t count,
                           struct hg_slice payload_field);

/* The raw JSON string that is the id an event carries itself: its member "eventId", or else "id"; one that is not a
 * string is passed over. False when there is none. `event` was accepted by hg_json_parse(), any type. */
bool hg_envelope_find_id(struct hg_json event, struct hg_json *ret_id);

/* The same for an event as bytes, JSON or not: appends the decoded id to `into`. False when there is none, when it has
 * no UTF-8 form, or with the error of the buffer set; nothing is appended then. An empty id is true. */
bool hg_envelope_event_id(struct hg_slice event, struct hg_buf *into);

#endif
