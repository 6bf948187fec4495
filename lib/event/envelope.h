/* envelope.h – a Redis message or stream entry as the member of an event message that carries it.
 *
 * What a publisher sent is passed on byte for byte (web/docs/protocol.md, Events): valid JSON as "event":<those bytes>; other
 * valid UTF-8 as "text":"…"; anything else as "base64":"…". A stream entry without the payload field becomes an object of its
 * fields, in their order: the value of "data" embedded as JSON when it is JSON, every other value a string.
 * Units: bytes. Ownership: nothing is kept. Errors: those of the buffer. Calls out: none. */
#ifndef HG_EVENT_ENVELOPE_H
#define HG_EVENT_ENVELOPE_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends `"event":…`, `"text":…` or `"base64":…` for one payload. */
void hg_envelope_put_payload(struct hg_buf *buf, struct hg_slice payload);

/* Appends the member for a stream entry: the payload of the field `payload_field` when it is there (the first of that name),
 * else `"event":{…}` of all fields; a name that is no UTF-8 is written with U+FFFD for each bad byte, a value that is no UTF-8 as {"base64":"…"}.
 * fields: name, value, name, value … (`count` slices, even). Of fields with the same name the last one stands. */
void hg_envelope_put_entry(struct hg_buf *buf, const struct hg_slice *fields, size_t count, struct hg_slice payload_field);

/* The id that the event carries itself, "eventId" or "id" as a JSON string, decoded into `into`; false when there is none. */
bool hg_envelope_event_id(struct hg_slice event, struct hg_buf *into);

#endif
